package fn

import (
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/cairndb/cairn/segment/column"
)

// approximate aggregates depend, within their error, on the order of values;
// their results are compared as numbers.
var approximate = map[string]bool{
	"approx_percentile": true, "numeric_histogram": true, "sum": true, "avg": true, "arbitrary": true, "array_agg": true, "listagg": true,
	"map_agg": true, "multimap_agg": true, "map_union": true, "min_by": true, "max_by": true, "histogram": true,
}

// parameters gives arguments that must be the same in every row their value.
func aggregateArgs(r *rand.Rand, name string, types []*column.Type, n int) []*column.Vector {
	fixed := func(t *column.Type, i int64, f float64, s string) *column.Vector {
		one := column.New(t, 1)
		switch t.Payload() {
		case column.PayloadI64:
			one.I64[0] = i
		case column.PayloadF64:
			one.F64[0] = f
		case column.PayloadStr:
			one.Str[0] = s
		case column.PayloadNested:
			one = newBuilder(t, 1)
			pushFloat(one.Children[0], 0.25)
			pushFloat(one.Children[0], 0.75)
			pushEnd(one)
		}
		return column.NewConst(one, n)
	}
	var out []*column.Vector
	for i, t := range types {
		v := randomVector(r, t, n)
		last := i == len(types)-1
		switch {
		case name == "approx_percentile" && last, (name == "approx_distinct" || name == "approx_set") && i == 1:
			v = fixed(t, 0, 0.1, "")
		case name == "approx_percentile" && i == 1:
			v = fixed(t, 0, 2, "")
		case (name == "min" || name == "max") && i == 1, strings.HasSuffix(name, "_by") && i == 2, name == "approx_most_frequent" && i != 1, name == "numeric_histogram" && i == 0:
			v = fixed(t, 3, 0, "")
		case name == "numeric_histogram" && i == 2:
			v = fixed(t, 0, 1, "")
		case name == "listagg" && i == 1:
			v = fixed(t, 0, 0, "; ")
		case name == "listagg" && i > 1:
			v = fixed(t, 1, 0, "…")
		}
		out = append(out, v)
	}
	if name == "merge" {
		b, _ := LookupAggregate("approx_set").Bind([]*column.Type{column.BigIntType})
		acc := b.New()
		acc.Grow(n)
		groups := make([]uint32, n)
		for i := range groups {
			groups[i] = uint32(i)
		}
		if err := acc.Add(groups, []*column.Vector{randomVector(r, column.BigIntType, n)}, n); err != nil {
			panic(err)
		}
		out[0], _ = acc.Result()
	}
	return out
}

// TestAggregates: for every aggregate and all types it takes, the rows in one
// piece, cut into parts that are merged in any order, in dictionary layout, and
// group by group give the same.
func TestAggregates(t *testing.T) {
	r := rand.New(rand.NewPCG(11, 12))
	const n, groupCount = 60, 4
	forms := 0
	check := func(a *Aggregate, types []*column.Type) {
		b, err := a.Bind(types)
		if err != nil {
			return
		}
		name := a.Name + typeList(types)
		if len(types) == 3 && r.IntN(4) > 0 || len(types) == 2 && r.IntN(2) > 0 {
			return
		}
		defer func() {
			if p := recover(); p != nil {
				t.Errorf("%s: panic: %v", name, p)
			}
		}()
		forms++
		args := aggregateArgs(r, a.Name, b.Args, n)
		groups := make([]uint32, n)
		for i := range groups {
			groups[i] = uint32(r.IntN(groupCount - 1)) // the last group stays empty
		}
		whole, err := aggregated(b, groups, args, n, groupCount)
		if err != nil {
			if !strings.Contains(err.Error(), "overflow") && !strings.Contains(err.Error(), "not defined") {
				t.Errorf("%s: %v", name, err)
			}
			return
		}
		if !whole.Type.Equal(b.Result) || whole.Len != groupCount {
			t.Errorf("%s: %d values of %s, want %s", name, whole.Len, whole.Type, b.Result)
		}
		compare := func(what string, got *column.Vector, err error, g, h int) {
			t.Helper()
			if err != nil {
				t.Errorf("%s: %s: %v", name, what, err)
				return
			}
			if !alike(a.Name, got, g, whole, h) {
				t.Errorf("%s: %s gives %s, want %s", name, what, describe(got, g), describe(whole, h))
			}
		}
		// Group by group, with groups nil.
		for g := range groupCount {
			var at []int32
			for i, x := range groups {
				if int(x) == g {
					at = append(at, int32(i))
				}
			}
			var part []*column.Vector
			for _, v := range args {
				part = append(part, column.Gather(v, at))
			}
			one, err := aggregated(b, nil, part, len(at), 1)
			compare("the group alone", one, err, 0, g)
			dict := make([]*column.Vector, len(args))
			codes := make([]uint32, len(at))
			for i, x := range at {
				codes[i] = uint32(x)
			}
			for i, v := range args {
				dict[i] = &column.Vector{Type: v.Type, Len: len(at), Dict: column.Flatten(v), Codes: codes}
			}
			one, err = aggregated(b, nil, dict, len(at), 1)
			compare("the group alone as a dictionary", one, err, 0, g)
		}
		// Merged from parts whose groups are numbered otherwise.
		const parts = 3
		accs := make([]Accumulator, parts)
		bounds := []int{0, r.IntN(n/2) + 1, n/2 + r.IntN(n/2), n}
		for p := range accs {
			accs[p] = b.New()
			accs[p].Grow(groupCount)
			from, to := bounds[p], bounds[p+1]
			var slice []*column.Vector
			for _, v := range args {
				slice = append(slice, v.Slice(from, to))
			}
			renamed := make([]uint32, to-from)
			for i := range renamed {
				renamed[i] = (groups[from+i] + uint32(p)) % groupCount
			}
			if err := accs[p].Add(renamed, slice, to-from); err != nil {
				t.Errorf("%s: part: %v", name, err)
				return
			}
		}
		final := b.New()
		final.Grow(groupCount)
		order := r.Perm(parts)
		if approximate[a.Name] {
			order = []int{0, 1, 2} // these depend on the order
		}
		for _, p := range order {
			names := make([]uint32, groupCount)
			for g := range names {
				names[g] = uint32((g + groupCount - p) % groupCount)
			}
			if err := final.Merge(accs[p], names); err != nil {
				t.Errorf("%s: merge: %v", name, err)
				return
			}
		}
		merged, err := final.Result()
		for g := range groupCount {
			compare(fmt.Sprintf("merged in order %v", order), merged, err, g, g)
		}
		// Put together from the states of the parts, by pieces.
		loaded := b.New()
		loaded.Grow(groupCount)
		for p := range accs {
			state := accs[p].State()
			for i, typ := range loaded.StateTypes() {
				if !state[i].Type.Equal(typ) || state[i].Len != groupCount {
					t.Errorf("%s: column %d of the state has %d values of %s, want %d of %s", name, i, state[i].Len, state[i].Type, groupCount, typ)
				}
			}
			for g := groupCount - 1; g >= 0; g-- {
				var piece []*column.Vector
				for i, v := range state {
					if (g+i)%2 == 0 {
						v = column.Flatten(v)
					}
					piece = append(piece, v.Slice(g, g+1))
				}
				if err := loaded.Load([]uint32{uint32((g + groupCount - p) % groupCount)}, piece, 1); err != nil {
					t.Errorf("%s: loading: %v", name, err)
					return
				}
			}
		}
		again, err := loaded.Result()
		for g := range groupCount {
			compare("loaded from states", again, err, g, g)
		}
		if final.Bytes() <= 0 && !slices.Contains(types, column.UnknownType) {
			t.Errorf("%s: holds %d bytes", name, final.Bytes())
		}
		if b.Weighted {
			acc := b.New().(WeightedAccumulator)
			acc.Grow(groupCount)
			twice := b.New()
			twice.Grow(groupCount)
			for i := range n {
				if err := acc.AddWeighted(groups[i], args, i, 3); err != nil {
					t.Errorf("%s: weighted: %v", name, err)
				}
			}
			for range 3 {
				if err := twice.Add(groups, args, n); err != nil {
					t.Errorf("%s: %v", name, err)
				}
			}
			x, err1 := acc.Result()
			y, err2 := twice.Result()
			if (err1 == nil) != (err2 == nil) {
				t.Errorf("%s: weighted %v, repeated %v", name, err1, err2)
			}
			for g := 0; err1 == nil && g < groupCount; g++ {
				if !alike(a.Name, x, g, y, g) && !alike("sum", x, g, y, g) {
					t.Errorf("%s: weighted gives %s, repeated %s", name, describe(x, g), describe(y, g))
				}
			}
		}
		if b.SkipsDuplicates {
			double, err := aggregated(b, append(append([]uint32{}, groups...), groups...), twofold(args), 2*n, groupCount)
			for g := range groupCount {
				compare("every row twice", double, err, g, g)
			}
		}
	}
	for _, a := range Aggregates() {
		check(a, nil)
		for _, x := range testTypes {
			check(a, []*column.Type{x})
			for _, y := range testTypes {
				check(a, []*column.Type{x, y})
				check(a, []*column.Type{x, y, column.BigIntType})
				check(a, []*column.Type{x, y, column.DoubleType})
			}
			check(a, []*column.Type{x, column.DoubleType, column.ArrayOf(column.DoubleType)})
			check(a, []*column.Type{x, column.ArrayOf(column.DoubleType)})
		}
	}
	t.Logf("%d forms", forms)
	if forms < 400 {
		t.Errorf("only %d forms", forms)
	}
}

func twofold(args []*column.Vector) (out []*column.Vector) {
	for _, v := range args {
		a := column.NewAppender(v.Type, 2*v.Len)
		a.AppendAll(v)
		a.AppendAll(v)
		out = append(out, a.Vector())
	}
	return out
}

func aggregated(b *BoundAggregate, groups []uint32, args []*column.Vector, n, groupCount int) (*column.Vector, error) {
	acc := b.New()
	acc.Grow(1)
	acc.Grow(groupCount)
	half := n / 2
	var first, second []*column.Vector
	for _, v := range args {
		first, second = append(first, v.Slice(0, half)), append(second, v.Slice(half, n))
	}
	g1, g2 := groups, groups
	if groups != nil {
		g1, g2 = groups[:half], groups[half:]
	}
	if err := acc.Add(g1, first, half); err != nil {
		return nil, err
	}
	if err := acc.Add(g2, second, n-half); err != nil {
		return nil, err
	}
	return acc.Result()
}

// alike compares results, doubles with a tolerance.
func alike(name string, a *column.Vector, i int, b *column.Vector, j int) bool {
	if EqualAt(a, i, b, j) {
		return true
	}
	if a.IsNull(i) || b.IsNull(j) {
		// Infinite values make NaN or nothing, by the order in which they come.
		return a.Type.Kind == column.Double && (isNaNAt(a, i) || isNaNAt(b, j))
	}
	a, i = a.Leaf(i)
	b, j = b.Leaf(j)
	switch a.Type.Kind {
	case column.Double, column.Real:
		x, y := a.F64[i], b.F64[j]
		return math.Abs(x-y) <= 1e-6*(math.Abs(x)+math.Abs(y)) || math.Abs(x) > 1e290 || math.IsNaN(x) || math.IsInf(x, 0)
	}
	// Order of values or the choice among equals may differ.
	return name == "approx_percentile" || name == "numeric_histogram" || name == "arbitrary"
}

// TestAggregateValues compares the frequent aggregates with values worked out
// by hand.
func TestAggregateValues(t *testing.T) {
	for _, c := range []struct{ name, args, want string }{
		{"count", "1;null;3", "2"}, {"count_if", "true;null;false;true", "2"}, {"sum", "1;null;3", "4"}, {"sum", "null;null", "NULL"}, {"sum", "1.5;2.25", "3.75"},
		{"sum", "9223372036854775807;1;-1", "9223372036854775807"}, {"sum", "9223372036854775807;1", "error: bigint overflow"},
		{"avg", "1;2", "1.5"}, {"avg", "1.5;2.0", "1.8"}, {"avg", "1e0;2e0", "1.5"}, {"avg", "9223372036854775807;9223372036854775807", "9.223372036854776E18"},
		{"min", "'b';'a';null", "a"}, {"max", "3;20", "20"}, {"max", "nan();1e0", "1.0"}, {"min", "nan();1e0", "1.0"}, {"max", "nan();nan()", "NaN"},
		{"max", "date '2026-01-01';date '2026-01-02'", "2026-01-02"}, {"min", "null;null", "NULL"},
		{"min", "3,2;1,2;2,2;1,2", "[1, 1]"}, {"max", "3,2;1,2;2,2", "[3, 2]"},
		{"max_by", "'a',1;'b',5;'c',null", "b"}, {"max_by", "null,9;'b',5", "NULL"}, {"min_by", "'a',1;'b',5", "a"}, {"max_by", "'a',1,2;'b',5,2;'c',3,2", "[b, c]"},
		{"bool_and", "true;null", "true"}, {"every", "true;false", "false"}, {"bool_or", "false;true", "true"}, {"any_value", "null;7", "7"},
		{"array_agg", "1;null;3", "[1, null, 3]"}, {"listagg", "'a',', ';null,', ';'b',', '", "a, b"},
		{"map_agg", "'a',1;'b',2;'a',3;null,4", "{a=1, b=2}"}, {"multimap_agg", "'a',1;'b',2;'a',null", "{a=[1, null], b=[2]}"}, {"histogram", "'a';'b';'a';null", "{a=2, b=1}"},
		{"map_union", "map(array['a'], array[1]);null;map(array['b', 'a'], array[2, 3])", "{a=1, b=2}"}, {"map_union", "map()", "{}"},
		{"approx_most_frequent", "2,'a',10;2,'b',10;2,'c',10;2,'c',10;2,'b',10", "{b=2, c=2}"},
		{"approx_distinct", "1;1;2;null", "2"}, {"approx_percentile", "1,0.5e0;2,0.5e0;3,0.5e0", "2"}, {"approx_percentile", "1e0,array[0e0, 1e0];5e0,array[0e0, 1e0]", "[1.0, 5.0]"},
		{"approx_percentile", "1,0.5e0;2,1.5e0", "1"}, {"approx_percentile", "1,2e0", "error: must be 0 to 1"},
		{"var_pop", "1e0;3e0", "1.0"}, {"variance", "1e0;3e0", "2.0"}, {"stddev", "1e0", "NULL"}, {"stddev_pop", "1e0", "0.0"}, {"corr", "1e0,2e0;2e0,4e0;3e0,6e0", "1.0"},
		{"covar_pop", "1e0,2e0;3e0,6e0", "2.0"}, {"regr_slope", "2e0,1e0;4e0,2e0", "2.0"}, {"regr_intercept", "3e0,1e0;5e0,2e0", "1.0"},
		{"skewness", "1e0;2e0;3e0", "0.0"}, {"kurtosis", "1e0;2e0;3e0", "NULL"}, {"geometric_mean", "2e0;2e0", "2.0"}, {"entropy", "1e0;1e0", "1.0"},
		{"bitwise_and_agg", "12;10", "8"}, {"bitwise_or_agg", "12;10", "14"}, {"bitwise_xor_agg", "12;10", "6"}, {"checksum", "null;null", "want bytes"},
		{"numeric_histogram", "2,1e0;2,1.5e0;2,10e0", "{1.25=2.0, 10.0=1.0}"},
		{"sum", "interval '1' day;interval '2' day", "3 00:00:00.000"}, {"sum", "'a'", "error: does not take"}, {"max", "json_parse('1')", "error: no order"}, {"min", "1,0", "error: must be 1"},
	} {
		got := aggregateText(t, c.name, c.args)
		if text, ok := strings.CutPrefix(c.want, "error: "); ok && strings.HasPrefix(got, "error") && strings.Contains(got, text) || c.want == "want bytes" && len(got) == 23 {
			continue
		}
		if got != c.want {
			t.Errorf("%s of %s is %s, want %s", c.name, c.args, got, c.want)
		}
	}
}

// aggregateText runs an aggregate over rows written as expressions.
func aggregateText(t *testing.T, name, rows string) string {
	t.Helper()
	var columns [][]*column.Vector
	for _, row := range strings.Split(rows, ";") {
		e := &evaluator{tokens: lex(row), rows: 1}
		for k := 0; e.at < len(e.tokens); k++ {
			v, err := e.expr(0)
			if err != nil {
				t.Fatalf("%s: %v", row, err)
			}
			e.accept(",")
			if k == len(columns) {
				columns = append(columns, nil)
			}
			columns[k] = append(columns[k], v)
		}
	}
	var types []*column.Type
	for _, c := range columns {
		typ := column.UnknownType
		for _, v := range c {
			typ = CommonType(typ, v.Type)
		}
		types = append(types, typ)
	}
	b, err := LookupAggregate(name).Bind(types)
	if err != nil {
		return "error: " + err.Error()
	}
	var args []*column.Vector
	n := len(columns[0])
	for k, c := range columns {
		out := column.NewAppender(b.Args[k], n)
		for _, v := range c {
			x, err := (&evaluator{rows: 1}).cast(v, b.Args[k], false)
			if err != nil {
				t.Fatal(err)
			}
			out.Append(x, 0)
		}
		args = append(args, out.Vector())
	}
	acc := b.New()
	acc.Grow(1)
	if err := acc.Add(nil, args, n); err != nil {
		return "error: " + err.Error()
	}
	v, err := acc.Result()
	if err != nil {
		return "error: " + err.Error()
	}
	if v.IsNull(0) {
		return "NULL"
	}
	return Format(v, 0)
}

// TestDistinctEstimate keeps approx_distinct near its error over the whole
// range, and small while there are few values.
func TestDistinctEstimate(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 1))
	for _, n := range []int{0, 1, 100, 256, 300, 1000, 5000, 20000, 100000, 1000000} {
		s := &distinctSketch{p: defaultPrecision}
		salt := r.Uint64()
		for i := range n {
			s.add(hashInt(int64(salt) + int64(i)))
		}
		got := float64(s.estimate())
		if err := math.Abs(got-float64(n)) / math.Max(1, float64(n)); n <= 192 && err > 0 || err > 0.09 {
			t.Errorf("%d values are estimated as %v", n, got)
		}
		if n == 1 && s.bytes() > 128 {
			t.Errorf("a sketch of one value holds %d bytes", s.bytes())
		}
		back, err := decodeSketch(s.encode())
		if err != nil || back.estimate() != s.estimate() {
			t.Errorf("a sketch of %d values reads back as %v, %v", n, back, err)
		}
	}
}

// TestPercentileError keeps approx_percentile within one percent of rank.
func TestPercentileError(t *testing.T) {
	r := rand.New(rand.NewPCG(2, 1))
	parts := make([]*digestSketch, 4)
	for p := range parts {
		parts[p] = &digestSketch{}
	}
	const n = 100000
	for i, x := range r.Perm(n) {
		parts[i%4].add(float64(x), 1)
	}
	whole := &digestSketch{}
	for _, p := range parts {
		whole.merge(p)
	}
	for _, q := range []float64{0, 0.01, 0.1, 0.5, 0.9, 0.99, 0.999, 1} {
		if got := whole.quantile(q) / n; math.Abs(got-q) > 0.01*math.Max(0.2, 4*q*(1-q)) {
			t.Errorf("the %v quantile is at %v", q, got)
		}
	}
	whole.compress()
	if len(whole.centroids) > 3*digestSize {
		t.Errorf("%d centroids", len(whole.centroids))
	}
}
