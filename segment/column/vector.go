package column

// Vector is Len values of one type; the package comment tells its layouts.
type Vector struct {
	Type *Type
	Len  int

	// Nulls has bit i of word i/64 set when value i is NULL; nil means none.
	// For a constant only bit 0 counts.
	Nulls Bits

	Const bool
	Dict  *Vector
	Codes []uint32

	I64      []int64
	F64      []float64
	Str      []string
	Zone     []uint16
	Offsets  []int32
	Children []*Vector
}

// Batch is a set of rows: one vector per column, all of Len rows.
type Batch struct {
	Len  int
	Cols []*Vector
}

// Bits is a bitmap of fixed length, 64 to the word; nil has no bit set.
type Bits []uint64

// NewBits returns a bitmap with room for n bits, none set.
func NewBits(n int) Bits { return make(Bits, (n+63)/64) }

// Get reports bit i. A nil or short bitmap has no bits set.
func (b Bits) Get(i int) bool {
	w := i >> 6
	return w < len(b) && b[w]&(1<<uint(i&63)) != 0
}

// Set sets bit i, which must be within the bitmap.
func (b Bits) Set(i int) { b[i>>6] |= 1 << uint(i&63) }

// Clear clears bit i, which must be within the bitmap.
func (b Bits) Clear(i int) { b[i>>6] &^= 1 << uint(i&63) }

// Any reports whether any bit is set.
func (b Bits) Any() bool {
	for _, w := range b {
		if w != 0 {
			return true
		}
	}
	return false
}

// New returns a flat vector of n values of type t, with its payload allocated
// and no value NULL. Arrays and maps get n+1 zero offsets and empty children,
// rows get children of n values.
func New(t *Type, n int) *Vector {
	v := &Vector{Type: t, Len: n}
	switch t.Payload() {
	case PayloadI64:
		v.I64 = make([]int64, n)
		if t.Kind == TimestampTZ {
			v.Zone = make([]uint16, n)
		}
	case PayloadF64:
		v.F64 = make([]float64, n)
	case PayloadStr:
		v.Str = make([]string, n)
	case PayloadNested:
		switch t.Kind {
		case Array:
			v.Offsets = make([]int32, n+1)
			v.Children = []*Vector{New(t.Elem, 0)}
		case Map:
			v.Offsets = make([]int32, n+1)
			v.Children = []*Vector{New(t.Key, 0), New(t.Elem, 0)}
		case Row:
			for _, f := range t.Fields {
				v.Children = append(v.Children, New(f.Type, n))
			}
		}
	}
	return v
}

// NewConst returns a constant vector of n values with the one value that flat
// vector one holds at index 0.
func NewConst(one *Vector, n int) *Vector {
	c := *one
	c.Len, c.Const = n, true
	return &c
}

// NullConst returns n NULLs of type t.
func NullConst(t *Type, n int) *Vector {
	one := New(t, 1)
	one.SetNull(0)
	return NewConst(one, n)
}

// SetNull marks value i of a flat vector as NULL.
func (v *Vector) SetNull(i int) {
	if len(v.Nulls) <= i>>6 {
		nulls := NewBits(max(v.Len, i+1))
		copy(nulls, v.Nulls)
		v.Nulls = nulls
	}
	v.Nulls.Set(i)
}

// IsNull reports whether value i is NULL, in any layout.
func (v *Vector) IsNull(i int) bool {
	if v.Const {
		return v.Nulls.Get(0)
	}
	if v.Nulls.Get(i) {
		return true
	}
	if v.Dict != nil {
		return v.Dict.IsNull(int(v.Codes[i]))
	}
	return false
}

// Leaf resolves value i to a flat or constant vector and the index of the
// value in its payload: it follows the constant and dictionary layouts.
func (v *Vector) Leaf(i int) (*Vector, int) {
	for {
		switch {
		case v.Const:
			return v, 0
		case v.Dict != nil:
			v, i = v.Dict, int(v.Codes[i])
		default:
			return v, i
		}
	}
}

// Slice returns values [from, to) as a vector that shares v's memory. For rows
// the children are sliced as well.
func (v *Vector) Slice(from, to int) *Vector {
	s := *v
	s.Len = to - from
	if v.Const {
		return &s
	}
	if v.Nulls != nil {
		s.Nulls = nil
		for i := from; i < to; i++ {
			if v.Nulls.Get(i) {
				s.SetNull(i - from)
			}
		}
	}
	if v.Dict != nil {
		s.Codes = v.Codes[from:to]
		return &s
	}
	if v.I64 != nil {
		s.I64 = v.I64[from:to]
	}
	if v.F64 != nil {
		s.F64 = v.F64[from:to]
	}
	if v.Str != nil {
		s.Str = v.Str[from:to]
	}
	if v.Zone != nil {
		s.Zone = v.Zone[from:to]
	}
	if v.Offsets != nil {
		s.Offsets = v.Offsets[from : to+1]
	} else if v.Children != nil {
		s.Children = make([]*Vector, len(v.Children))
		for i, c := range v.Children {
			s.Children[i] = c.Slice(from, to)
		}
	}
	return &s
}
