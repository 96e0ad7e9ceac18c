package column

// Gather returns the values at the given positions of v, in that order. The
// result of a dictionary vector shares its dictionary; the result of a
// constant is a constant; anything else becomes flat.
func Gather(v *Vector, at []int32) *Vector {
	out, _ := GatherWatched(v, at, nil)
	return out
}

// watchedValues is how many values are copied between two looks at what may end a
// copy: under a millisecond of work.
const watchedValues = 1 << 16

// GatherWatched is Gather for values that may be many: live, unless it is nil, is
// asked now and then, and its error ends the copy.
func GatherWatched(v *Vector, at []int32, live func() error) (*Vector, error) {
	out := &Vector{Type: v.Type, Len: len(at)}
	if v.Const {
		c := *v
		c.Len = len(at)
		return &c, nil
	}
	if v.Nulls != nil {
		for i, p := range at {
			if v.Nulls.Get(int(p)) {
				out.SetNull(i)
			}
		}
	}
	var err error
	switch {
	case v.Dict != nil:
		out.Dict = v.Dict
		out.Codes, err = pick(v.Codes, at, live)
	case v.Offsets != nil:
		out.Offsets = make([]int32, len(at)+1)
		total := 0
		for _, p := range at {
			if !v.Nulls.Get(int(p)) {
				total += int(v.Offsets[p+1] - v.Offsets[p])
			}
		}
		inner := make([]int32, 0, total)
		unseen := 0
		for i, p := range at {
			if !v.Nulls.Get(int(p)) {
				for j := v.Offsets[p]; j < v.Offsets[p+1]; j++ {
					inner = append(inner, j)
				}
				unseen += int(v.Offsets[p+1] - v.Offsets[p])
			}
			if unseen++; unseen >= watchedValues && live != nil {
				if unseen, err = 0, live(); err != nil {
					return nil, err
				}
			}
			out.Offsets[i+1] = int32(len(inner))
		}
		err = out.gatherChildren(v, inner, live)
	case v.Type.Kind == Row:
		err = out.gatherChildren(v, at, live)
	case v.I64 != nil:
		if out.I64, err = pick(v.I64, at, live); err == nil && v.Zone != nil {
			out.Zone, err = pick(v.Zone, at, live)
		}
	case v.F64 != nil:
		out.F64, err = pick(v.F64, at, live)
	case v.Str != nil:
		out.Str, err = pick(v.Str, at, live)
	default:
		return New(v.Type, len(at)), nil
	}
	if err != nil {
		return nil, err
	}
	return out, nil
}

func (v *Vector) gatherChildren(of *Vector, at []int32, live func() error) error {
	for _, c := range of.Children {
		g, err := GatherWatched(c, at, live)
		if err != nil {
			return err
		}
		v.Children = append(v.Children, g)
	}
	return nil
}

// pick returns the values at the given positions.
func pick[T any](values []T, at []int32, live func() error) ([]T, error) {
	out := make([]T, len(at))
	for from := 0; from < len(at); from += watchedValues {
		if from > 0 && live != nil {
			if err := live(); err != nil {
				return nil, err
			}
		}
		to := min(len(at), from+watchedValues)
		for i, p := range at[from:to] {
			out[from+i] = values[p]
		}
	}
	return out, nil
}

// Flatten returns v in the flat layout; a flat vector is returned as it is.
func Flatten(v *Vector) *Vector {
	out, _ := FlattenWatched(v, nil)
	return out
}

// FlattenWatched is Flatten with GatherWatched's live.
func FlattenWatched(v *Vector, live func() error) (*Vector, error) {
	if !v.Const && v.Dict == nil {
		return v, nil
	}
	at := make([]int32, v.Len)
	if v.Const {
		one := *v
		one.Const, one.Len = false, 1
		out, err := GatherWatched(&one, at, live)
		if err != nil {
			return nil, err
		}
		return FlattenWatched(out, live)
	}
	for i, c := range v.Codes {
		at[i] = int32(c)
	}
	dict, err := FlattenWatched(v.Dict, live)
	if err != nil {
		return nil, err
	}
	out, err := GatherWatched(dict, at, live)
	if err != nil {
		return nil, err
	}
	if v.Nulls != nil {
		for i := range v.Len {
			if v.Nulls.Get(i) {
				out.SetNull(i)
			}
		}
	}
	return out, nil
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
