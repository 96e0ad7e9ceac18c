package exec

import (
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/cairndb/cairn/segment/column"
	"github.com/cairndb/cairn/sql/fn"
)

// randomVector makes n values of a type out of few, so that they repeat, in a
// random layout.
func randomVector(r *rand.Rand, t *column.Type, n int) *column.Vector {
	few := column.NewAppender(t, 0)
	for k := range 1 + r.IntN(9) {
		one := column.New(t, 1)
		switch {
		case k == 0:
			one.SetNull(0)
		case t.Payload() == column.PayloadI64:
			one.I64[0] = int64(r.IntN(3)) << (r.IntN(3) * 20)
		case t.Payload() == column.PayloadF64:
			one.F64[0] = []float64{0, math.Copysign(0, -1), math.NaN(), math.Inf(1), 2.5}[r.IntN(5)]
		case t.Payload() == column.PayloadStr:
			one.Str[0] = fmt.Sprint(r.IntN(4))
		default:
			keys, vals := column.NewAppender(t.Key, 0), column.NewAppender(t.Elem, 0)
			for _, k := range r.Perm(3)[:r.IntN(3)] {
				keys.Append(&column.Vector{Type: t.Key, Len: 1, Str: []string{fmt.Sprint(k)}}, 0)
				vals.Append(&column.Vector{Type: t.Elem, Len: 1, Str: []string{"v"}}, 0)
			}
			one.Offsets[1] = int32(keys.Len())
			one.Children = []*column.Vector{keys.Vector(), vals.Vector()}
		}
		few.Append(one, 0)
	}
	dict := few.Vector()
	v := &column.Vector{Type: t, Len: n, Dict: dict, Codes: make([]uint32, n)}
	for i := range v.Codes {
		v.Codes[i] = uint32(r.IntN(dict.Len))
		if r.IntN(20) == 0 {
			v.SetNull(i)
		}
	}
	switch r.IntN(4) {
	case 0:
		return column.Flatten(v)
	case 1:
		return column.NewConst(column.Gather(dict, []int32{int32(r.IntN(dict.Len))}), n)
	}
	return v
}

// Rows have the same number exactly when all their values group together, the
// table gives the values back, and merging tables keeps all that.
func TestTuplesAreNumberedByTheirValues(t *testing.T) {
	r := rand.New(rand.NewPCG(7, 7))
	kinds := []*column.Type{column.BigIntType, column.DoubleType, column.VarcharType, column.MapOf(column.VarcharType, column.VarcharType), column.BooleanType}
	for range 300 {
		types := make([]*column.Type, 1+r.IntN(3))
		for i := range types {
			types[i] = kinds[r.IntN(len(kinds))]
		}
		type row struct {
			cols []*column.Vector
			i    int
			id   uint32
		}
		var rows []row
		tables := []*tupleTable{newTupleTable(types), newTupleTable(types)}
		ends := []int{}
		for k, table := range tables {
			for range 1 + r.IntN(3) {
				n := 1 + r.IntN(60)
				cols := make([]*column.Vector, len(types))
				for c := range cols {
					cols[c] = randomVector(r, types[c], n)
				}
				out := make([]uint32, n)
				table.numbers(cols, n, out)
				for i, id := range out {
					rows = append(rows, row{cols, i, id})
				}
			}
			ends = append(ends, len(rows))
			_ = k
		}
		moved := tables[0].merge(tables[1])
		for i := ends[0]; i < len(rows); i++ {
			rows[i].id = moved[rows[i].id]
		}
		if tables[0].bytes() <= 0 {
			t.Fatal("a table without size")
		}
		n := tables[0].len()
		values := tables[0].vectors()
		for a := range rows {
			if int(rows[a].id) >= n {
				t.Fatalf("number %d of %d", rows[a].id, n)
			}
			for c, v := range values {
				if !fn.EqualAt(v, int(rows[a].id), rows[a].cols[c], rows[a].i) {
					t.Fatalf("types %v: column %d of tuple %d is %s, not %s", types, c, rows[a].id, fn.Format(v, int(rows[a].id)), fn.Format(rows[a].cols[c], rows[a].i))
				}
			}
			b := r.IntN(len(rows))
			same := true
			for c := range types {
				same = same && fn.EqualAt(rows[a].cols[c], rows[a].i, rows[b].cols[c], rows[b].i)
			}
			if same != (rows[a].id == rows[b].id) {
				t.Fatalf("types %v: rows %d and %d are alike: %v, and have the numbers %d and %d", types, a, b, same, rows[a].id, rows[b].id)
			}
		}
	}
}

// The prefix of a sort key never contradicts the order of the values.
func TestSortPrefixesFollowTheOrder(t *testing.T) {
	r := rand.New(rand.NewPCG(3, 4))
	for range 200 {
		typ := []*column.Type{column.BigIntType, column.DoubleType, column.VarcharType}[r.IntN(3)]
		spec := &sortSpec{keys: []sortKey{{typ: typ, desc: r.IntN(2) == 0, nullsFirst: r.IntN(2) == 0}}}
		s := &sorter{spec: spec, keys: []keyColumn{newKeyColumn(typ)}}
		v := column.Flatten(randomVector(r, typ, 40))
		for i := range v.Len { // values that differ late, and extremes
			switch {
			case v.Str != nil && r.IntN(2) == 0:
				v.Str[i] = "12345678" + v.Str[i]
			case v.I64 != nil && r.IntN(4) == 0:
				v.I64[i] = []int64{math.MinInt64, math.MaxInt64, -1}[r.IntN(3)]
			case v.F64 != nil && r.IntN(3) == 0:
				v.F64[i] = []float64{-1, math.Inf(-1), math.MaxFloat64, -math.SmallestNonzeroFloat64}[r.IntN(4)]
			}
		}
		s.keys[0].add(v, v.Len)
		s.ord = make([]uint64, v.Len)
		for a := range v.Len {
			for b := range v.Len {
				x, y := s.keys[0].prefix(a, &spec.keys[0]), s.keys[0].prefix(b, &spec.keys[0])
				if c := compareRows(s, int32(a), s, int32(b)); x < y && c > 0 || x > y && c < 0 {
					t.Fatalf("%s: %s and %s have the prefixes %x and %x, and compare as %d (%+v)", typ, fn.Format(v, a), fn.Format(v, b), x, y, c, spec.keys[0])
				}
			}
		}
	}
}

func BenchmarkTuples(b *testing.B) {
	r := rand.New(rand.NewPCG(1, 1))
	const n = 4096
	dict := column.New(column.VarcharType, 300)
	for i := range dict.Str {
		dict.Str[i] = fmt.Sprint("value ", i)
	}
	coded := &column.Vector{Type: column.VarcharType, Len: n, Dict: dict, Codes: make([]uint32, n)}
	number := column.New(column.BigIntType, n)
	for i := range n {
		coded.Codes[i] = uint32(r.IntN(300))
		number.I64[i] = r.Int64N(1000)
	}
	for name, cols := range map[string][]*column.Vector{
		"dictionary": {coded}, "integers": {number}, "dictionaryAndIntegers": {coded, number}, "text": {column.Flatten(coded)},
	} {
		b.Run(name, func(b *testing.B) {
			types := make([]*column.Type, len(cols))
			for i, v := range cols {
				types[i] = v.Type
			}
			t := newTupleTable(types)
			out := make([]uint32, n)
			b.ReportAllocs()
			for b.Loop() {
				t.numbers(cols, n, out)
			}
			b.ReportMetric(float64(b.N)*n/b.Elapsed().Seconds()/1e6, "Mrows/s")
		})
	}
}

// TestPairsOutgrowTheirPlaces numbers tuples whose columns get more and more different values, so
// that pairs are looked up by place first and hashed later: numbers stay what they were.
func TestPairsOutgrowTheirPlaces(t *testing.T) {
	r := rand.New(rand.NewPCG(3, 9))
	for range 30 {
		table := newTupleTable([]*column.Type{column.BigIntType, column.BigIntType, column.BigIntType})
		known := map[string]uint32{}
		grow := []int{1 + r.IntN(4), 1 + r.IntN(40), 1 + r.IntN(3)}
		for step := 1; step < 40; step++ {
			n := 1 + r.IntN(700)
			cols := make([]*column.Vector, 3)
			for c := range cols {
				cols[c] = column.New(column.BigIntType, n)
				for i := range n {
					cols[c].I64[i] = int64(r.IntN(1 + grow[c]*step/3))
				}
			}
			out := make([]uint32, n)
			table.numbers(cols, n, out)
			for i, id := range out {
				key := fmt.Sprint(cols[0].I64[i], cols[1].I64[i], cols[2].I64[i])
				if was, ok := known[key]; ok && was != id {
					t.Fatalf("%s was %d and is %d", key, was, id)
				}
				known[key] = id
			}
		}
		if table.len() != len(known) {
			t.Fatalf("%d tuples have %d numbers", len(known), table.len())
		}
		seen := map[uint32]string{}
		for key, id := range known {
			if other, ok := seen[id]; ok {
				t.Fatalf("%s and %s are both %d", key, other, id)
			}
			seen[id] = key
		}
	}
}

// TestPairsOfFewerAfterMore numbers pairs whose right side gets wider when the left is narrow: the
// pairs that are there already keep their places.
func TestPairsOfFewerAfterMore(t *testing.T) {
	table := newTupleTable([]*column.Type{column.BigIntType, column.BigIntType})
	number := func(pairs ...[2]int64) []uint32 {
		cols := []*column.Vector{column.New(column.BigIntType, len(pairs)), column.New(column.BigIntType, len(pairs))}
		for i, p := range pairs {
			cols[0].I64[i], cols[1].I64[i] = p[0], p[1]
		}
		out := make([]uint32, len(pairs))
		table.numbers(cols, len(pairs), out)
		return out
	}
	var many [][2]int64
	for i := range int64(200) {
		many = append(many, [2]int64{i, 0})
		number(many...) // the left grows within the room there is
	}
	first := number(many...)
	for right := range int64(60) {
		number([2]int64{0, right})
		if again := number(many...); !slices.Equal(again, first) {
			t.Fatalf("with %d on the right, pairs that were %v are %v", right, first, again)
		}
	}
}
