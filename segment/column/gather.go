package column

// Gather returns the values at the given positions of v, in that order. The
// result of a dictionary vector shares its dictionary; the result of a
// constant is a constant; anything else becomes flat.
func Gather(v *Vector, at []int32) *Vector {
	out := &Vector{Type: v.Type, Len: len(at)}
	if v.Const {
		c := *v
		c.Len = len(at)
		return &c
	}
	if v.Nulls != nil {
		for i, p := range at {
			if v.Nulls.Get(int(p)) {
				out.SetNull(i)
			}
		}
	}
	switch {
	case v.Dict != nil:
		out.Dict = v.Dict
		out.Codes = make([]uint32, len(at))
		for i, p := range at {
			out.Codes[i] = v.Codes[p]
		}
	case v.Offsets != nil:
		out.Offsets = make([]int32, len(at)+1)
		var inner []int32
		for i, p := range at {
			if !v.Nulls.Get(int(p)) {
				for j := v.Offsets[p]; j < v.Offsets[p+1]; j++ {
					inner = append(inner, j)
				}
			}
			out.Offsets[i+1] = int32(len(inner))
		}
		for _, c := range v.Children {
			out.Children = append(out.Children, Gather(c, inner))
		}
	case v.Type.Kind == Row:
		for _, c := range v.Children {
			out.Children = append(out.Children, Gather(c, at))
		}
	case v.I64 != nil:
		out.I64 = make([]int64, len(at))
		for i, p := range at {
			out.I64[i] = v.I64[p]
		}
		if v.Zone != nil {
			out.Zone = make([]uint16, len(at))
			for i, p := range at {
				out.Zone[i] = v.Zone[p]
			}
		}
	case v.F64 != nil:
		out.F64 = make([]float64, len(at))
		for i, p := range at {
			out.F64[i] = v.F64[p]
		}
	case v.Str != nil:
		out.Str = make([]string, len(at))
		for i, p := range at {
			out.Str[i] = v.Str[p]
		}
	default:
		return New(v.Type, len(at))
	}
	return out
}

// Flatten returns v in the flat layout; a flat vector is returned as it is.
func Flatten(v *Vector) *Vector {
	if !v.Const && v.Dict == nil {
		return v
	}
	at := make([]int32, v.Len)
	if v.Const {
		one := *v
		one.Const, one.Len = false, 1
		return Flatten(Gather(&one, at))
	}
	for i, c := range v.Codes {
		at[i] = int32(c)
	}
	out := Gather(Flatten(v.Dict), at)
	if v.Nulls != nil {
		for i := range v.Len {
			if v.Nulls.Get(i) {
				out.SetNull(i)
			}
		}
	}
	return out
}

// Appender builds one flat vector out of values of other vectors of its type.
type Appender struct {
	out *Vector
}

// NewAppender returns an appender for values of type t, with room for n.
func NewAppender(t *Type, n int) *Appender {
	v := New(t, n)
	v.truncate()
	return &Appender{out: v}
}

func (v *Vector) truncate() {
	v.Len = 0
	v.I64, v.F64, v.Str, v.Zone = v.I64[:0], v.F64[:0], v.Str[:0], v.Zone[:0]
	if v.Offsets != nil {
		v.Offsets = append(v.Offsets[:0], 0)
	}
	for _, c := range v.Children {
		c.truncate()
	}
}

// Len returns the number of values appended so far.
func (a *Appender) Len() int { return a.out.Len }

// Null appends a NULL.
func (a *Appender) Null() { a.out.appendNull() }

// Append appends value i of v, in any layout.
func (a *Appender) Append(v *Vector, i int) { a.out.appendValue(v, i) }

// AppendAll appends every value of v.
func (a *Appender) AppendAll(v *Vector) {
	for i := range v.Len {
		a.out.appendValue(v, i)
	}
}

// AppendRange appends values [from, to) of v, in any layout.
func (a *Appender) AppendRange(v *Vector, from, to int) {
	if plain(v) && a.out.Type.Payload() != PayloadNested && len(v.Zone) == 0 && a.out.Type.Kind != TimestampTZ && to > from {
		a.out.Len += to - from
		switch a.out.Type.Payload() {
		case PayloadI64:
			a.out.I64 = append(a.out.I64, v.I64[from:to]...)
		case PayloadF64:
			a.out.F64 = append(a.out.F64, v.F64[from:to]...)
		case PayloadStr:
			a.out.Str = append(a.out.Str, v.Str[from:to]...)
		}
		return
	}
	for i := from; i < to; i++ {
		a.out.appendValue(v, i)
	}
}

// AppendRows appends the values of v at the given places, in that order.
func (a *Appender) AppendRows(v *Vector, rows []int32) {
	if plain(v) && len(v.Zone) == 0 && a.out.Type.Kind != TimestampTZ {
		switch a.out.Type.Payload() {
		case PayloadI64:
			for _, i := range rows {
				a.out.I64 = append(a.out.I64, v.I64[i])
			}
			a.out.Len += len(rows)
			return
		case PayloadF64:
			for _, i := range rows {
				a.out.F64 = append(a.out.F64, v.F64[i])
			}
			a.out.Len += len(rows)
			return
		case PayloadStr:
			for _, i := range rows {
				a.out.Str = append(a.out.Str, v.Str[i])
			}
			a.out.Len += len(rows)
			return
		}
	}
	for _, i := range rows {
		a.out.appendValue(v, int(i))
	}
}

// plain reports whether v is flat and has no NULL.
func plain(v *Vector) bool { return !v.Const && v.Dict == nil && !v.Nulls.Any() }

// Vector returns what was appended. The appender must not be used afterwards.
func (a *Appender) Vector() *Vector { return a.out }

func (v *Vector) appendNull() {
	i := v.Len
	v.Len++
	switch v.Type.Payload() {
	case PayloadI64:
		v.I64 = append(v.I64, 0)
		if v.Type.Kind == TimestampTZ {
			v.Zone = append(v.Zone, 0)
		}
	case PayloadF64:
		v.F64 = append(v.F64, 0)
	case PayloadStr:
		v.Str = append(v.Str, "")
	case PayloadNested:
		if v.Type.Kind == Row {
			for _, c := range v.Children {
				c.appendNull()
			}
		} else {
			v.Offsets = append(v.Offsets, v.Offsets[i])
		}
	}
	if w := i>>6 + 1; len(v.Nulls) < w {
		v.Nulls = append(v.Nulls, make(Bits, w-len(v.Nulls))...)
	}
	v.Nulls.Set(i)
}

func (v *Vector) appendValue(from *Vector, i int) {
	if from.IsNull(i) {
		v.appendNull()
		return
	}
	leaf, j := from.Leaf(i)
	v.Len++
	switch v.Type.Payload() {
	case PayloadI64:
		v.I64 = append(v.I64, leaf.I64[j])
		if v.Type.Kind == TimestampTZ {
			var z uint16
			if leaf.Zone != nil {
				z = leaf.Zone[j]
			}
			v.Zone = append(v.Zone, z)
		}
	case PayloadF64:
		v.F64 = append(v.F64, leaf.F64[j])
	case PayloadStr:
		v.Str = append(v.Str, leaf.Str[j])
	case PayloadNested:
		if v.Type.Kind == Row {
			for k, c := range v.Children {
				c.appendValue(leaf.Children[k], j)
			}
			return
		}
		for k, c := range v.Children {
			for e := leaf.Offsets[j]; e < leaf.Offsets[j+1]; e++ {
				c.appendValue(leaf.Children[k], int(e))
			}
		}
		v.Offsets = append(v.Offsets, int32(v.Children[0].Len))
	}
}
