package fn

import (
	"fmt"
	"math"
	"math/rand/v2"
	"testing"

	"github.com/cairndb/cairn/segment/column"
)

// testTypes are argument types to try functions with.
var testTypes = []*column.Type{
	column.UnknownType, column.BooleanType, column.TinyIntType, column.BigIntType, column.DoubleType, column.DecimalOf(10, 2),
	column.VarcharType, column.VarbinaryType, column.JSONType, column.DateType, column.TimeType, column.TimestampType,
	column.TimestampTZType, column.IntervalDayType, column.IntervalMonthType, column.UUIDType, column.IPAddressType,
	column.ArrayOf(column.BigIntType), column.ArrayOf(column.VarcharType), column.MapOf(column.VarcharType, column.BigIntType),
	column.RowOf(column.Field{Name: "a", Type: column.BigIntType}, column.Field{Name: "b", Type: column.VarcharType}),
}

var testTexts = []string{"", "a", "day", "2026-01-02", "2026-01-02 03:04:05", `{"a": [1, {"b": null}]}`, "$.a[1]", "[1,2]", "10.0.0.0/8", "é%_", "(a)(b)?",
	"%Y-%m-%d", "yyyy", "12", "-1.5", "http://a.b/c?d=e", "\xff\xfe", "x=1;y=2", ",", "=", "UTC", "true", "%s %d"}

var testInts = []int64{0, 1, 2, -1, 3, 7, 100, -100, 64, 1000, -1 << 40, math.MaxInt64, math.MinInt64, 127}

var testDoubles = []float64{0, 1, -1, 0.5, -2.5, 1e300, 1e-300, math.NaN(), math.Inf(1), math.Inf(-1), 42}

// randomValue appends a value of a type to a builder; sometimes NULL.
func randomValue(r *rand.Rand, v *column.Vector) {
	if r.IntN(6) == 0 || v.Type.Kind == column.Unknown {
		pushNull(v)
		return
	}
	switch v.Type.Kind {
	case column.Boolean:
		pushInt(v, r.Int64N(2))
	case column.TinyInt:
		pushInt(v, r.Int64N(256)-128)
	case column.Integer:
		pushInt(v, int64(int32(testInts[r.IntN(len(testInts))])))
	case column.BigInt:
		pushInt(v, testInts[r.IntN(len(testInts))])
	case column.Decimal:
		x := widen(r.Int64())
		if u := randomUint128(r); u.hi < 1<<60 {
			x, _ = u.signed(r.IntN(2) == 0)
		}
		_, rest := x.magnitude().div(powersOfTen128[v.Type.Precision])
		x, _ = rest.signed(x.hi < 0)
		pushDecimal(v, x)
	case column.Double:
		pushFloat(v, testDoubles[r.IntN(len(testDoubles))])
	case column.Date, column.IntervalMonth:
		pushInt(v, r.Int64N(40000)-20000)
	case column.Time:
		pushInt(v, r.Int64N(microsPerDay))
	case column.Timestamp, column.IntervalDay:
		pushInt(v, r.Int64N(4e15)-2e15)
	case column.TimestampTZ:
		zone, _ := column.ZoneNumber([]string{"UTC", "Europe/Paris", "-05:30"}[r.IntN(3)])
		pushZoned(v, r.Int64N(4e15)-2e15, zone)
	case column.Varchar, column.Varbinary:
		pushStr(v, testTexts[r.IntN(len(testTexts))])
	case column.JSON:
		pushStr(v, []string{`{"a":1}`, "[1,2]", "null", `"x"`, "1.5", "true"}[r.IntN(6)])
	case column.UUID, column.IPAddress:
		pushStr(v, fmt.Sprintf("%016d", r.IntN(3)))
	case column.Array:
		for range r.IntN(4) {
			randomValue(r, v.Children[0])
		}
		pushEnd(v)
	case column.Map:
		for k := range r.IntN(4) {
			switch v.Type.Key.Payload() {
			case column.PayloadI64:
				pushInt(v.Children[0], int64(k%2))
			case column.PayloadF64:
				pushFloat(v.Children[0], float64(k))
			case column.PayloadStr:
				pushStr(v.Children[0], string(rune('a'+k)))
			default:
				randomValue(r, v.Children[0])
			}
			randomValue(r, v.Children[1])
			if v.Type.Key.Payload() != column.PayloadStr {
				break // one entry: the keys of these may be alike
			}
		}
		pushEnd(v)
	case column.Row:
		for _, c := range v.Children {
			randomValue(r, c)
		}
		pushEnd(v)
	default:
		panic(v.Type.String())
	}
}

func randomVector(r *rand.Rand, t *column.Type, n int) *column.Vector {
	v := newBuilder(t, n)
	for range n {
		randomValue(r, v)
	}
	return v
}

// garbage is n NULLs with something wild in the payload.
func garbage(t *column.Type, n int) *column.Vector {
	v := column.New(t, n)
	for i := range n {
		v.SetNull(i)
		switch t.Payload() {
		case column.PayloadI64:
			v.I64[i] = math.MinInt64 + int64(i)
		case column.PayloadF64:
			v.F64[i] = math.NaN()
		case column.PayloadStr:
			v.Str[i] = "\xff("
		}
	}
	return v
}

// eachBinding calls f for every function with every combination of test types
// that it takes.
func eachBinding(f func(s *Scalar, types []*column.Type, b *Bound)) {
	for _, s := range Scalars() {
		var try func(types []*column.Type)
		try = func(types []*column.Type) {
			if b, err := s.Bind(types); err == nil {
				f(s, types, b)
			}
			if len(types) < 3 {
				for _, t := range testTypes {
					// The full cube would take long: the third argument is
					// limited to the frequent types.
					if len(types) == 2 && t.Kind != column.Varchar && t.Kind != column.BigInt && t.Kind != column.Double && t.Kind != column.Timestamp {
						continue
					}
					try(append(types[:len(types):len(types)], t))
				}
			}
		}
		try(nil)
	}
}

// TestFunctionsBearAnything: no function panics or fails for NULL arguments,
// whatever lies under them; random values give the same in every layout, as
// rows and one by one; arguments are never changed.
func TestFunctionsBearAnything(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	const n = 12
	called := 0
	eachBinding(func(s *Scalar, types []*column.Type, b *Bound) {
		name := s.Name + typeList(types)
		defer func() {
			if p := recover(); p != nil {
				t.Errorf("%s: panic: %v", name, p)
			}
		}()
		if len(types) == 3 && r.IntN(6) > 0 || len(types) == 2 && r.IntN(2) > 0 {
			return
		}
		called++
		var nulls, values []*column.Vector
		for i, a := range types {
			if !CanCoerce(a, b.Args[i]) {
				t.Errorf("%s: argument %d is to become %s", name, i+1, b.Args[i])
				return
			}
			nulls = append(nulls, garbage(b.Args[i], n))
			values = append(values, randomVector(r, b.Args[i], n))
		}
		if !b.NullCall && len(types) > 0 {
			out, err := b.Eval(testContext, nulls, n)
			if err != nil {
				t.Errorf("%s of NULLs: %v", name, err)
			} else if out.Len != n || !out.IsNull(0) || !out.IsNull(n-1) || !out.Type.Equal(b.Result) {
				t.Errorf("%s of NULLs is %s %s", name, out.Type, Format(out, 0))
			}
		}
		if b.Volatile {
			return
		}
		before := make([]string, len(values))
		for i, v := range values {
			before[i] = allText(v)
		}
		whole, err := b.Eval(testContext, values, n)
		failed := false
		for i := range n {
			one := make([]*column.Vector, len(values))
			mixed := make([]*column.Vector, len(values))
			for k, v := range values {
				single := column.Gather(v, []int32{int32(i)})
				one[k] = column.NewConst(single, 1)
				mixed[k] = single
				if k%2 == i%2 {
					mixed[k] = one[k]
				}
			}
			a, errA := b.Eval(testContext, one, 1)
			m, errM := b.Eval(testContext, mixed, 1)
			if (errA == nil) != (errM == nil) {
				t.Errorf("%s: row %d gives %v as constants, %v mixed", name, i, errA, errM)
				return
			}
			failed = failed || errA != nil
			if errA != nil || err != nil {
				continue
			}
			if x, y, z := describe(whole, i), describe(a, 0), describe(m, 0); x != y || x != z {
				t.Errorf("%s: row %d is %s among others, %s as constants, %s mixed", name, i, x, y, z)
				return
			}
		}
		if failed != (err != nil) {
			t.Errorf("%s: together: %v; one by one some failed: %v", name, err, failed)
		}
		for i, v := range values {
			if allText(v) != before[i] {
				t.Errorf("%s changed its argument %d", name, i+1)
			}
		}
	})
	t.Logf("%d forms called", called)
	if called < 1000 {
		t.Errorf("only %d forms were called", called)
	}
}

func describe(v *column.Vector, i int) string {
	if v.IsNull(i) {
		return "NULL"
	}
	return fmt.Sprintf("%s (%s)", Format(v, i), AppendJSON(nil, v, i))
}

func allText(v *column.Vector) string {
	out := ""
	for i := range v.Len {
		out += describe(v, i) + ";"
	}
	return out
}

// TestCastsBearAnything does the same for the casts between all test types, and
// compares TRY_CAST with CAST row by row.
func TestCastsBearAnything(t *testing.T) {
	r := rand.New(rand.NewPCG(3, 4))
	more := append([]*column.Type{column.RealType, column.SmallIntType, column.IntegerType, column.DecimalOf(18, 6), column.ArrayOf(column.JSONType),
		column.ArrayOf(column.DoubleType), column.MapOf(column.VarcharType, column.VarcharType)}, testTypes...)
	const n = 20
	for _, from := range testTypes {
		for _, to := range more {
			strict, err := Cast(from, to)
			if err != nil {
				if CanCoerce(from, to) {
					t.Errorf("%s becomes %s by itself but not by a cast", from, to)
				}
				continue
			}
			try, _ := TryCast(from, to)
			v := randomVector(r, from, n)
			whole, err := try.Eval(testContext, []*column.Vector{v}, n)
			if err != nil {
				t.Errorf("TRY_CAST %s to %s: %v", from, to, err)
				continue
			}
			if out, err := strict.Eval(testContext, []*column.Vector{garbage(from, n)}, n); err != nil || !out.IsNull(3) {
				t.Errorf("CAST %s to %s of NULLs: %v", from, to, err)
			}
			for i := range n {
				one, err := strict.Eval(testContext, []*column.Vector{column.Gather(v, []int32{int32(i)})}, 1)
				want := "NULL"
				if err == nil {
					want = describe(one, 0)
				}
				if got := describe(whole, i); got != want {
					t.Errorf("%s as %s: TRY_CAST gives %s, CAST %s (%v)", describe(v, i), to, got, want, err)
				}
			}
			// Part of a longer vector, whose children hold more than is shown.
			part := v.Slice(5, 10)
			if out, err := try.Eval(testContext, []*column.Vector{part}, 5); err != nil {
				t.Errorf("TRY_CAST of a slice of %s to %s: %v", from, to, err)
			} else if a, b := describe(out, 2), describe(whole, 7); a != b {
				t.Errorf("TRY_CAST of a slice of %s to %s is %s, want %s", from, to, a, b)
			}
		}
	}
}

// TestCompareAndHash: Compare is a total order, EqualAt is its equality, equal
// values hash alike, in every layout.
func TestCompareAndHash(t *testing.T) {
	r := rand.New(rand.NewPCG(5, 6))
	const n = 40
	for _, typ := range testTypes {
		v := randomVector(r, typ, n)
		codes := make([]uint32, n)
		for i := range codes {
			codes[i] = uint32(r.IntN(n))
		}
		dict := &column.Vector{Type: typ, Len: n, Dict: v, Codes: codes}
		dict.SetNull(3)
		flat := column.Flatten(dict)
		for i := range n {
			for j := range n {
				c := Compare(v, i, v, j)
				if c != -Compare(v, j, v, i) && signOf(int64(c)) != -signOf(int64(Compare(v, j, v, i))) {
					t.Fatalf("%s: %s and %s compare unevenly", typ, describe(v, i), describe(v, j))
				}
				if (c == 0) != EqualAt(v, i, v, j) {
					t.Fatalf("%s: %s and %s: Compare %d, EqualAt %v", typ, describe(v, i), describe(v, j), c, EqualAt(v, i, v, j))
				}
				if c == 0 && HashAt(v, i) != HashAt(v, j) {
					t.Fatalf("%s: equal values %s hash differently", typ, describe(v, i))
				}
				for k := range n {
					if c < 0 && Compare(v, j, v, k) < 0 && Compare(v, i, v, k) >= 0 {
						t.Fatalf("%s: not transitive: %s, %s, %s", typ, describe(v, i), describe(v, j), describe(v, k))
					}
				}
			}
			if !EqualAt(dict, i, flat, i) {
				t.Fatalf("%s: value %d differs between dictionary and flat", typ, i)
			}
		}
		a, b := make([]uint64, n), make([]uint64, n)
		for i := range a {
			a[i], b[i] = 7, 7
		}
		HashInto(a, dict)
		HashInto(b, flat)
		for i := range a {
			if a[i] != b[i] || a[i] != combine(7, HashAt(flat, i)) {
				t.Fatalf("%s: hash %d differs between the layouts", typ, i)
			}
		}
		c := column.NewConst(column.Gather(v, []int32{1}), n)
		for i := range a {
			a[i] = 7
		}
		HashInto(a, c)
		if a[0] != a[n-1] || a[0] != combine(7, HashAt(v, 1)) {
			t.Fatalf("%s: a constant hashes differently", typ)
		}
	}
}

func TestSet(t *testing.T) {
	r := rand.New(rand.NewPCG(7, 8))
	for _, typ := range testTypes[1:] {
		for range 10 {
			list, v := randomVector(r, typ, r.IntN(4)), randomVector(r, typ, 20)
			set := NewSet(list)
			codes := make([]uint32, 30)
			for i := range codes {
				codes[i] = uint32(r.IntN(20))
			}
			dict := &column.Vector{Type: typ, Len: 30, Dict: v, Codes: codes}
			dict.SetNull(4)
			for _, in := range []*column.Vector{v, dict, column.NewConst(column.Gather(v, []int32{2}), 5)} {
				got := set.Match(in)
				for i := range in.Len {
					want := "false"
					for j := range list.Len {
						switch {
						case in.IsNull(i) || list.IsNull(j):
							if want == "false" {
								want = "NULL"
							}
						case EqualAt(in, i, list, j):
							want = "true"
						}
					}
					if in.IsNull(i) && list.Len > 0 {
						want = "NULL"
					}
					text := "NULL"
					if !got.IsNull(i) {
						text = Format(got, i)
					}
					if text != want {
						t.Fatalf("%s: %s in (%s) is %s, want %s", typ, describe(in, i), allText(list), text, want)
					}
				}
			}
		}
	}
}

func TestSuggest(t *testing.T) {
	for typo, want := range map[string]string{
		"date_trnuc": "date_trunc", "elementat": "element_at", "json_extract_scaler": "json_extract_scalar", "uppper": "upper", "cuont": "count",
		"quite_another_thing": "", "aprox_distinct": "approx_distinct",
	} {
		if got := Suggest(typo); got != want {
			t.Errorf("%s: suggested %q, want %q", typo, got, want)
		}
	}
	if LookupScalar("LOWER") == nil || LookupAggregate("Any_Value") == nil || LookupScalar("nothing") != nil {
		t.Error("look-up by name")
	}
}

func TestCommonType(t *testing.T) {
	for _, c := range []struct{ a, b, want string }{
		{"bigint", "integer", "bigint"}, {"bigint", "double", "double"}, {"tinyint", "real", "real"}, {"varchar", "bigint", ""},
		{"date", "timestamp(3)", "timestamp(3)"}, {"timestamp(3)", "timestamptz(3)", "timestamp(3) with time zone"}, {"unknown", "json", "json"},
		{"varchar", "json", ""}, {"boolean", "integer", ""}, {"date", "intervalday", ""},
	} {
		got := ""
		if x := CommonType(plainTypes[c.a], plainTypes[c.b]); x != nil {
			got = x.String()
		}
		if got != c.want {
			t.Errorf("%s and %s have %q in common, want %q", c.a, c.b, got, c.want)
		}
	}
	if got := CommonType(column.DecimalOf(5, 2), column.IntegerType).String(); got != "decimal(12,2)" {
		t.Error("decimal and integer:", got)
	}
	if got := CommonType(column.ArrayOf(column.UnknownType), column.ArrayOf(column.DateType)).String(); got != "array(date)" {
		t.Error("arrays:", got)
	}
}

// TestConcurrentUse shares bound functions and their caches of compiled
// patterns among goroutines, more patterns than the caches hold.
func TestConcurrentUse(t *testing.T) {
	like, err := LookupScalar("like").Bind([]*column.Type{column.VarcharType, column.VarcharType})
	if err != nil {
		t.Fatal(err)
	}
	matches, err := LookupScalar("regexp_like").Bind([]*column.Type{column.VarcharType, column.VarcharType})
	if err != nil {
		t.Fatal(err)
	}
	const workers, patterns = 4, 1500
	failed := make(chan error, workers)
	for w := range workers {
		go func() {
			failed <- func() error {
				text := column.New(column.VarcharType, 2)
				for p := range patterns {
					text.Str[0], text.Str[1] = fmt.Sprintf("a%db", p), fmt.Sprintf("a%dc", p+w)
					pattern := column.New(column.VarcharType, 1)
					for bound, form := range map[*Bound]string{like: "%%%db", matches: "%db$"} {
						pattern.Str[0] = fmt.Sprintf(form, p)
						out, err := bound.Eval(testContext, []*column.Vector{text, column.NewConst(pattern, 2)}, 2)
						if err != nil || out.I64[0] != 1 || out.I64[1] != 0 {
							return fmt.Errorf("%q and %q: %v, %v", text.Str, pattern.Str[0], out, err)
						}
						pattern = column.New(column.VarcharType, 1)
					}
				}
				return nil
			}()
		}()
	}
	for range workers {
		if err := <-failed; err != nil {
			t.Error(err)
		}
	}
}
