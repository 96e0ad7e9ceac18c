package column

import (
	"math/rand/v2"
	"testing"
)

// sample returns a vector with every payload inside: an array of rows of a
// string, an integer and a map, n values, some NULL at each level.
func sample(r *rand.Rand, n int) *Vector {
	typ := ArrayOf(RowOf(
		Field{"name", VarcharType},
		Field{"n", BigIntType},
		Field{"score", DoubleType},
		Field{"at", TimestampTZType},
		Field{"tags", MapOf(VarcharType, VarcharType)},
	))
	v := New(typ, n)
	row := v.Children[0]
	total := 0
	for i := range n {
		if r.IntN(5) == 0 {
			v.SetNull(i)
		} else {
			total += r.IntN(4)
		}
		v.Offsets[i+1] = int32(total)
	}
	*row = *New(typ.Elem, total)
	tags := 0
	for i := range total {
		if r.IntN(6) == 0 {
			row.SetNull(i)
		}
		for k, c := range row.Children {
			if r.IntN(7) == 0 {
				c.SetNull(i)
			}
			switch k {
			case 0:
				c.Str[i] = string(rune('a' + r.IntN(26)))
			case 1:
				c.I64[i] = r.Int64N(100)
			case 2:
				c.F64[i] = r.Float64()
			case 3:
				c.I64[i], c.Zone[i] = r.Int64N(1e12), uint16(r.IntN(3))
			case 4:
				tags += r.IntN(3)
				c.Offsets[i+1] = int32(tags)
			}
		}
	}
	m := row.Children[4]
	*m.Children[0] = *New(VarcharType, tags)
	*m.Children[1] = *New(VarcharType, tags)
	for i := range tags {
		m.Children[0].Str[i] = string(rune('k' + i%10))
		if r.IntN(4) == 0 {
			m.Children[1].SetNull(i)
		} else {
			m.Children[1].Str[i] = string(rune('A' + r.IntN(26)))
		}
	}
	return v
}

// same reports whether value i of a is value j of b, at every depth.
func same(a *Vector, i int, b *Vector, j int) bool {
	if a.IsNull(i) || b.IsNull(j) {
		return a.IsNull(i) && b.IsNull(j)
	}
	a, i = a.Leaf(i)
	b, j = b.Leaf(j)
	switch a.Type.Payload() {
	case PayloadI64:
		if a.Type.Kind == TimestampTZ && a.Zone[i] != b.Zone[j] {
			return false
		}
		return a.I64[i] == b.I64[j]
	case PayloadF64:
		return a.F64[i] == b.F64[j]
	case PayloadStr:
		return a.Str[i] == b.Str[j]
	}
	if a.Type.Kind == Row {
		for k := range a.Children {
			if !same(a.Children[k], i, b.Children[k], j) {
				return false
			}
		}
		return true
	}
	n := a.Offsets[i+1] - a.Offsets[i]
	if n != b.Offsets[j+1]-b.Offsets[j] {
		return false
	}
	for k := range a.Children {
		for e := range n {
			if !same(a.Children[k], int(a.Offsets[i]+e), b.Children[k], int(b.Offsets[j]+e)) {
				return false
			}
		}
	}
	return true
}

// TestLayoutsAgree builds the same values as flat, dictionary and constant
// vectors and demands that every operation sees the same values in each.
func TestLayoutsAgree(t *testing.T) {
	for seed := range uint64(200) {
		r := rand.New(rand.NewPCG(seed, 1))
		base := sample(r, 1+r.IntN(80))
		n := r.IntN(150)
		codes := make([]uint32, n)
		at := make([]int32, n)
		for i := range codes {
			codes[i] = uint32(r.IntN(base.Len))
			at[i] = int32(codes[i])
		}
		dict := &Vector{Type: base.Type, Len: n, Dict: base, Codes: codes}
		if n > 0 && r.IntN(2) == 0 {
			dict.SetNull(r.IntN(n))
		}
		flat := Flatten(dict)
		gathered := Gather(base, at)
		app := NewAppender(base.Type, 0)
		app.AppendAll(dict)
		appended := app.Vector()
		if flat.Len != n || gathered.Len != n || appended.Len != n {
			t.Fatalf("seed %d: lengths %d, %d, %d, want %d", seed, flat.Len, gathered.Len, appended.Len, n)
		}
		for i := range n {
			if !same(dict, i, flat, i) || !same(dict, i, appended, i) {
				t.Fatalf("seed %d: value %d differs between layouts", seed, i)
			}
			if !dict.Nulls.Get(i) && !same(dict, i, gathered, i) {
				t.Fatalf("seed %d: value %d differs after Gather", seed, i)
			}
		}
		if n > 1 {
			from := r.IntN(n)
			to := from + r.IntN(n-from)
			for _, v := range []*Vector{dict, flat, appended} {
				s := v.Slice(from, to)
				if s.Len != to-from {
					t.Fatalf("seed %d: slice has %d values, want %d", seed, s.Len, to-from)
				}
				for i := range s.Len {
					if !same(s, i, v, from+i) {
						t.Fatalf("seed %d: value %d of slice [%d,%d) differs", seed, i, from, to)
					}
				}
			}
		}
		one := NewConst(Gather(base, []int32{0}), 5)
		oneFlat := Flatten(one)
		for i := range 5 {
			if !same(one, i, base, 0) || !same(oneFlat, i, base, 0) {
				t.Fatalf("seed %d: constant differs at %d", seed, i)
			}
		}
	}
}

func TestNulls(t *testing.T) {
	v := New(BigIntType, 130)
	v.SetNull(129)
	v.SetNull(0)
	for i := range 130 {
		if got, want := v.IsNull(i), i == 0 || i == 129; got != want {
			t.Errorf("IsNull(%d) = %v, want %v", i, got, want)
		}
	}
	d := &Vector{Type: BigIntType, Len: 2, Dict: v, Codes: []uint32{129, 1}}
	if !d.IsNull(0) || d.IsNull(1) {
		t.Error("a code that names a NULL entry must be NULL, another must not")
	}
	c := NullConst(VarcharType, 3)
	if !c.IsNull(2) {
		t.Error("NullConst is not NULL")
	}
	var none Bits
	if none.Get(5) || none.Any() {
		t.Error("a nil bitmap has a bit set")
	}
}

func TestTypeText(t *testing.T) {
	typ := MapOf(VarcharType, ArrayOf(RowOf(Field{"a", DecimalOf(10, 2)}, Field{"", TimestampTZType})))
	const want = "map(varchar, array(row(a decimal(10,2), timestamp(3) with time zone)))"
	if got := typ.String(); got != want {
		t.Errorf("got %s, want %s", got, want)
	}
	if typ.Equal(MapOf(VarcharType, VarcharType)) || !typ.Equal(typ) {
		t.Error("Equal is wrong about nested types")
	}
	if DecimalOf(5, 2).Equal(DecimalOf(5, 3)) || TimestampType.Equal(&Type{Kind: Timestamp}) {
		t.Error("Equal ignores precision or scale")
	}
	if i := typ.Elem.Elem.FieldIndex("A"); i != 0 {
		t.Errorf("FieldIndex is case-sensitive: %d", i)
	}
}

func TestZones(t *testing.T) {
	for _, name := range []string{"UTC", "+05:30", "-14:00"} {
		n, err := ZoneNumber(name)
		if err != nil {
			t.Fatal(err)
		}
		if got := ZoneName(n); got != name {
			t.Errorf("zone %q came back as %q", name, got)
		}
		if again, _ := ZoneNumber(name); again != n {
			t.Errorf("zone %q has two numbers", name)
		}
	}
	for _, bad := range []string{"", "Local", "Nowhere/At_All", "+15:00", "+5:30", "+05:60", "../etc/passwd"} {
		if n, err := ZoneNumber(bad); err == nil {
			t.Errorf("zone %q was accepted as number %d", bad, n)
		}
	}
}

func BenchmarkGatherDict(b *testing.B) {
	dict := New(VarcharType, 1000)
	codes := make([]uint32, 4096)
	at := make([]int32, 4096)
	for i := range codes {
		codes[i], at[i] = uint32(i%1000), int32(4095-i)
	}
	v := &Vector{Type: VarcharType, Len: 4096, Dict: dict, Codes: codes}
	b.ReportAllocs()
	for b.Loop() {
		Gather(v, at)
	}
	b.ReportMetric(float64(4096*b.N)/b.Elapsed().Seconds()/1e6, "Mrows/s")
}
