package fn

import "github.com/cairndb/cairn/segment/column"

// NewArray returns the constructor ARRAY[…] of n elements of a type.
func NewArray(elem *column.Type, n int) *Bound {
	b := &Bound{Result: column.ArrayOf(elem), NullCall: true}
	for range n {
		b.Args = append(b.Args, elem)
	}
	b.Eval = guard(func(_ *Context, t *column.Type, args []*column.Vector, rows int) (*column.Vector, error) {
		out := column.New(t, rows)
		all := column.NewAppender(t.Elem, rows*len(args))
		for i := range rows {
			for _, a := range args {
				all.Append(a, i)
			}
			out.Offsets[i+1] = int32((i + 1) * len(args))
		}
		out.Children[0] = all.Vector()
		return out, nil
	}, b.Result, true, false)
	return b
}

// NewRow returns the constructor ROW(…) of fields of the given types, without
// names.
func NewRow(types []*column.Type) *Bound {
	fields := make([]column.Field, len(types))
	for i, t := range types {
		fields[i].Type = t
	}
	return NewRecord(fields)
}

// NewRecord returns the constructor of rows of the given fields.
func NewRecord(fields []column.Field) *Bound {
	b := &Bound{NullCall: true}
	for _, f := range fields {
		b.Args = append(b.Args, f.Type)
	}
	b.Result = column.RowOf(fields...)
	b.Eval = guard(func(_ *Context, t *column.Type, args []*column.Vector, rows int) (*column.Vector, error) {
		out := &column.Vector{Type: t, Len: rows}
		for _, a := range args {
			out.Children = append(out.Children, column.Flatten(a.Slice(0, rows)))
		}
		return out, nil
	}, b.Result, true, false)
	return b
}

// NewRange returns the slice a[low:high] of PostgreSQL for an array type: the
// elements from one position to another, of those that there are.
func NewRange(array *column.Type) *Bound {
	b := &Bound{Args: []*column.Type{array, column.BigIntType, column.BigIntType}, Result: array}
	b.Eval = guard(emit(func(_ *Context, out *column.Vector, args []*column.Vector, i int) error {
		from, to := span(args[0], i)
		low, high := max(intAt(args[1], i), 1), min(intAt(args[2], i), int64(to-from))
		for e := low; e <= high; e++ {
			push(out.Children[0], args[0].Children[0], from+int(e)-1)
		}
		pushEnd(out)
		return nil
	}), array, false, false)
	return b
}
