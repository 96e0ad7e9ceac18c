package fn

import (
	"unsafe"

	"github.com/cairndb/cairn/segment/column"
)

// kernel computes n values of type out. Its arguments are flat or constant,
// never constant NULL unless the overload says that it handles NULL.
type kernel func(c *Context, out *column.Type, args []*column.Vector, n int) (*column.Vector, error)

// payload is what the values of the scalar types are kept as.
type payload interface{ int64 | float64 | string }

// data returns the payload of a flat or constant vector and the mask that
// turns a row number into an index of it: all ones, or zero for a constant.
func data[T payload](v *column.Vector) ([]T, int) {
	var p []T
	switch x := any(&p).(type) {
	case *[]int64:
		*x = v.I64
	case *[]float64:
		*x = v.F64
	case *[]string:
		*x = v.Str
	}
	if v.Const {
		return p, 0
	}
	return p, -1
}

// made returns a new flat vector and its payload.
func made[T payload](t *column.Type, n int) (*column.Vector, []T) {
	v := column.New(t, n)
	p, _ := data[T](v)
	return v, p
}

func truth(b bool) int64 {
	if b {
		return 1
	}
	return 0
}

// unionNulls returns the rows where any of the arguments is NULL; nil for none.
// The result may be an argument's own bitmap: do not change it.
func unionNulls(args []*column.Vector) column.Bits {
	var out column.Bits
	shared := true
	for _, a := range args {
		if a.Const || a.Nulls == nil {
			continue
		}
		if out == nil {
			out = a.Nulls
			continue
		}
		if shared || len(out) < len(a.Nulls) {
			c := make(column.Bits, max(len(out), len(a.Nulls)))
			copy(c, out)
			out, shared = c, false
		}
		for w, x := range a.Nulls {
			out[w] |= x
		}
	}
	return out
}

// guard puts around a kernel what all of them need: constant NULLs, constants
// computed once, NULL results for NULL arguments, and the end of calls in the midst
// of their work.
func guard(k kernel, out *column.Type, nullCall, volatile bool) func(*Context, []*column.Vector, int) (*column.Vector, error) {
	return func(c *Context, args []*column.Vector, n int) (v *column.Vector, err error) {
		if n == 0 {
			return column.New(out, 0), nil
		}
		defer rescue(&err)
		constant := !volatile
		for _, a := range args {
			if !a.Const {
				constant = false
			} else if !nullCall && a.Nulls.Get(0) {
				return column.NullConst(out, n), nil
			}
		}
		if constant {
			v, err := k(c, out, args, 1)
			if err != nil {
				return nil, err
			}
			return column.NewConst(column.Flatten(v), n), nil
		}
		v, err = k(c, out, args, n)
		if err != nil || nullCall {
			return v, err
		}
		return withNulls(v, unionNulls(args)), nil
	}
}

// withNulls returns v with more rows NULL. v itself is not changed.
func withNulls(v *column.Vector, nulls column.Bits) *column.Vector {
	if !nulls.Any() {
		return v
	}
	if v.Const {
		v = column.Flatten(v)
	}
	merged := column.NewBits(v.Len)
	copy(merged, v.Nulls)
	for w := range min(len(merged), len(nulls)) {
		merged[w] |= nulls[w]
	}
	out := *v
	out.Nulls = merged
	return &out
}

// map1, map2 and map3 make kernels of functions that always have a result.
// They run on NULL rows too, so the functions must bear any value.
func map1[A, R payload](f func(A) R) kernel {
	return func(c *Context, t *column.Type, args []*column.Vector, n int) (*column.Vector, error) {
		a, ma := data[A](args[0])
		v, out := made[R](t, n)
		ta, pace := texts(a), pacer{c: c}
		long := ta != nil
		for i := range out {
			if long {
				if err := pace.spend(rowWork + textLen(ta, i&ma)); err != nil {
					return nil, err
				}
			}
			out[i] = f(a[i&ma])
		}
		return v, nil
	}
}

func map2[A, B, R payload](f func(A, B) R) kernel {
	return func(c *Context, t *column.Type, args []*column.Vector, n int) (*column.Vector, error) {
		a, ma := data[A](args[0])
		b, mb := data[B](args[1])
		v, out := made[R](t, n)
		ta, tb, pace := texts(a), texts(b), pacer{c: c}
		long := ta != nil || tb != nil
		for i := range out {
			if long {
				if err := pace.spend(rowWork + textLen(ta, i&ma) + textLen(tb, i&mb)); err != nil {
					return nil, err
				}
			}
			out[i] = f(a[i&ma], b[i&mb])
		}
		return v, nil
	}
}

// paced1 is map1 of a function that ticks by itself while it works on a long text.
func paced1[A, R payload](f func(p *pacer, a A) R) kernel {
	return func(c *Context, t *column.Type, args []*column.Vector, n int) (*column.Vector, error) {
		a, ma := data[A](args[0])
		v, out := made[R](t, n)
		pace := pacer{c: c}
		for i := range out {
			pace.tick(rowWork)
			out[i] = f(&pace, a[i&ma])
		}
		return v, nil
	}
}

// try1 to try4 make kernels of functions that can fail or have no result: the
// boolean is false for NULL. They are not called for rows with a NULL argument.
func try1[A, R payload](f func(c *Context, a A) (R, bool, error)) kernel {
	return func(c *Context, t *column.Type, args []*column.Vector, n int) (*column.Vector, error) {
		a, ma := data[A](args[0])
		v, out := made[R](t, n)
		skip := unionNulls(args)
		pace := pacer{c: c}
		ta, made := texts(a), texts(out)
		for i := range out {
			if skip != nil && skip.Get(i) {
				continue
			}
			if err := pace.spend(rowWork + textLen(ta, i&ma)); err != nil {
				return nil, err
			}
			r, ok, err := f(c, a[i&ma])
			if err != nil {
				return nil, err
			}
			if !ok {
				v.SetNull(i)
				continue
			}
			out[i] = r
			if made != nil {
				if err := pace.keep(len(made[i])); err != nil {
					return nil, err
				}
			}
		}
		return v, nil
	}
}

func try2[A, B, R payload](f func(c *Context, a A, b B) (R, bool, error)) kernel {
	return func(c *Context, t *column.Type, args []*column.Vector, n int) (*column.Vector, error) {
		a, ma := data[A](args[0])
		b, mb := data[B](args[1])
		v, out := made[R](t, n)
		skip := unionNulls(args)
		pace := pacer{c: c}
		ta, tb, made := texts(a), texts(b), texts(out)
		for i := range out {
			if skip != nil && skip.Get(i) {
				continue
			}
			if err := pace.spend(rowWork + textLen(ta, i&ma) + textLen(tb, i&mb)); err != nil {
				return nil, err
			}
			r, ok, err := f(c, a[i&ma], b[i&mb])
			if err != nil {
				return nil, err
			}
			if !ok {
				v.SetNull(i)
				continue
			}
			out[i] = r
			if made != nil {
				if err := pace.keep(len(made[i])); err != nil {
					return nil, err
				}
			}
		}
		return v, nil
	}
}

func try3[A, B, C, R payload](f func(c *Context, a A, b B, d C) (R, bool, error)) kernel {
	return func(c *Context, t *column.Type, args []*column.Vector, n int) (*column.Vector, error) {
		a, ma := data[A](args[0])
		b, mb := data[B](args[1])
		d, md := data[C](args[2])
		v, out := made[R](t, n)
		skip := unionNulls(args)
		pace := pacer{c: c}
		ta, tb, td, made := texts(a), texts(b), texts(d), texts(out)
		for i := range out {
			if skip != nil && skip.Get(i) {
				continue
			}
			if err := pace.spend(rowWork + textLen(ta, i&ma) + textLen(tb, i&mb) + textLen(td, i&md)); err != nil {
				return nil, err
			}
			r, ok, err := f(c, a[i&ma], b[i&mb], d[i&md])
			if err != nil {
				return nil, err
			}
			if !ok {
				v.SetNull(i)
				continue
			}
			out[i] = r
			if made != nil {
				if err := pace.keep(len(made[i])); err != nil {
					return nil, err
				}
			}
		}
		return v, nil
	}
}

func try4[A, B, C, D, R payload](f func(c *Context, a A, b B, d C, e D) (R, bool, error)) kernel {
	return func(c *Context, t *column.Type, args []*column.Vector, n int) (*column.Vector, error) {
		a, ma := data[A](args[0])
		b, mb := data[B](args[1])
		d, md := data[C](args[2])
		e, me := data[D](args[3])
		v, out := made[R](t, n)
		skip := unionNulls(args)
		pace := pacer{c: c}
		ta, tb, td, te, made := texts(a), texts(b), texts(d), texts(e), texts(out)
		for i := range out {
			if skip != nil && skip.Get(i) {
				continue
			}
			if err := pace.spend(rowWork + textLen(ta, i&ma) + textLen(tb, i&mb) + textLen(td, i&md) + textLen(te, i&me)); err != nil {
				return nil, err
			}
			r, ok, err := f(c, a[i&ma], b[i&mb], d[i&md], e[i&me])
			if err != nil {
				return nil, err
			}
			if !ok {
				v.SetNull(i)
				continue
			}
			out[i] = r
			if made != nil {
				if err := pace.keep(len(made[i])); err != nil {
					return nil, err
				}
			}
		}
		return v, nil
	}
}

// emit makes a kernel of a function that appends the value of each row, or
// NULL, to the result under construction: for results that are arrays, maps or
// rows. It is not called for rows with a NULL argument unless the overload
// handles NULL.
func emit(f func(c *Context, out *column.Vector, args []*column.Vector, i int) error) kernel {
	return emitting(f, true)
}

// emitNulls is emit for overloads that handle NULL themselves.
func emitNulls(f func(c *Context, out *column.Vector, args []*column.Vector, i int) error) kernel {
	return emitting(f, false)
}

func emitting(f func(c *Context, out *column.Vector, args []*column.Vector, i int) error, skipNulls bool) kernel {
	return func(c *Context, t *column.Type, args []*column.Vector, n int) (*column.Vector, error) {
		out := newBuilder(t, n)
		var skip column.Bits
		if skipNulls {
			skip = unionNulls(args)
		}
		pace := pacer{c: c}
		for i := range n {
			if skip.Get(i) {
				pushNull(out)
				continue
			}
			work := rowWork
			for _, a := range args {
				work += elementWork(a, i)
			}
			if err := pace.spend(work); err != nil {
				return nil, err
			}
			if err := f(c, out, args, i); err != nil {
				return nil, err
			}
			if out.Len != i+1 {
				panic("fn: a function gave more or less than one value for a row")
			}
			if err := pace.keep(int(column.CopyBytes(out, i, i+1))); err != nil {
				return nil, err
			}
		}
		return out, nil
	}
}

// at returns the index of row i in the payload of a flat or constant vector.
func at(v *column.Vector, i int) int {
	if v.Const {
		return 0
	}
	return i
}

// Value access for kernels written with emit.
func strAt(v *column.Vector, i int) string  { return v.Str[at(v, i)] }
func intAt(v *column.Vector, i int) int64   { return v.I64[at(v, i)] }
func dblAt(v *column.Vector, i int) float64 { return v.F64[at(v, i)] }

// span returns the range of elements of the array or map value in row i.
func span(v *column.Vector, i int) (from, to int) {
	i = at(v, i)
	return int(v.Offsets[i]), int(v.Offsets[i+1])
}

// textBatch gathers the texts of a batch in one piece of memory: one allocation
// for all rows instead of one for each.
type textBatch struct {
	buf  []byte
	ends []int
}

// end ends the text of the next row, which has been appended to buf.
func (b *textBatch) end() { b.ends = append(b.ends, len(b.buf)) }

// newTextBatch returns a batch with room for n short texts.
func newTextBatch(n int) textBatch {
	const shortText = 24 // a timestamp, a name of an event
	return textBatch{buf: make([]byte, 0, n*shortText), ends: make([]int, 0, n)}
}

// fill cuts the gathered text into the rows of out. The batch must not be used
// afterwards: its memory has become the strings.
func (b *textBatch) fill(out []string) {
	all, from := unsafe.String(unsafe.SliceData(b.buf), len(b.buf)), 0
	for i, to := range b.ends {
		out[i] = all[from:to]
		from = to
	}
}

// textKernel makes a kernel of a function that appends the text of a row. It is
// not called for rows with a NULL argument.
func textKernel(f func(dst []byte, args []*column.Vector, i int) ([]byte, error)) kernel {
	return func(c *Context, t *column.Type, args []*column.Vector, n int) (*column.Vector, error) {
		v, out := made[string](t, n)
		skip := unionNulls(args)
		b := newTextBatch(n)
		pace := pacer{c: c}
		for i := range out {
			if !skip.Get(i) {
				var err error
				before := len(b.buf)
				if b.buf, err = f(b.buf, args, i); err != nil {
					return nil, err
				}
				size := len(b.buf) - before
				if err := pace.spend(rowWork + size); err != nil {
					return nil, err
				}
				if err := pace.keep(size); err != nil {
					return nil, err
				}
			}
			b.end()
		}
		b.fill(out)
		return v, nil
	}
}
