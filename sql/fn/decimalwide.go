package fn

import (
	"strconv"
	"unsafe"

	"github.com/cairndb/cairn/segment/column"
	"github.com/cairndb/cairn/sql/sqlerr"
)

// decimalAt returns value i, not NULL, of a flat or constant vector of integers
// or decimals.
func decimalAt(v *column.Vector, i int) int128 {
	i = at(v, i)
	if v.I64 != nil {
		return widen(v.I64[i])
	}
	return readInt128(v.Str[i])
}

// decimals is a vector of decimals of any width under construction. The bytes of
// wide ones are in one piece of memory.
type decimals struct {
	v   *column.Vector
	raw [][16]byte
}

func newDecimals(t *column.Type, n int) decimals {
	d := decimals{v: column.New(t, n)}
	if t.Payload() == column.PayloadStr {
		d.raw = make([][16]byte, n)
	}
	return d
}

// put sets value i, which fits the type.
func (d *decimals) put(i int, x int128) {
	if d.raw == nil {
		d.v.I64[i] = int64(x.lo)
		return
	}
	raw := &d.raw[i]
	x.bytes(raw)
	d.v.Str[i] = unsafe.String(&raw[0], len(raw))
}

// pushDecimal appends to a builder.
func pushDecimal(v *column.Vector, x int128) {
	if v.Type.Payload() == column.PayloadI64 {
		pushInt(v, int64(x.lo))
		return
	}
	var raw [16]byte
	x.bytes(&raw)
	pushStr(v, string(raw[:]))
}

// decimalWork is what a value of 128 bits costs, in the units of a pacer.
const decimalWork = 2 * rowWork

// wide1 and wide2 make kernels over integers and decimals of any width; f's
// result must fit the result's type.
func wide1(f func(x int128) (int128, error)) kernel {
	return func(c *Context, t *column.Type, args []*column.Vector, n int) (*column.Vector, error) {
		out, skip, pace := newDecimals(t, n), unionNulls(args), pacer{c: c}
		for i := range n {
			if skip != nil && skip.Get(i) {
				continue
			}
			if err := pace.spend(decimalWork); err != nil {
				return nil, err
			}
			r, err := f(decimalAt(args[0], i))
			if err != nil {
				return nil, err
			}
			out.put(i, r)
		}
		return out.v, nil
	}
}

func wide2(f func(x, y int128) (int128, error)) kernel {
	return func(c *Context, t *column.Type, args []*column.Vector, n int) (*column.Vector, error) {
		out, skip, pace := newDecimals(t, n), unionNulls(args), pacer{c: c}
		for i := range n {
			if skip != nil && skip.Get(i) {
				continue
			}
			if err := pace.spend(decimalWork); err != nil {
				return nil, err
			}
			r, err := f(decimalAt(args[0], i), decimalAt(args[1], i))
			if err != nil {
				return nil, err
			}
			out.put(i, r)
		}
		return out.v, nil
	}
}

// wideDecimalKernel computes op of integers and decimals of scales sa and sb with
// result type t.
func wideDecimalKernel(op string, sa, sb int, t *column.Type) kernel {
	scale := max(sa, sb)
	fits := func(x int128, ok bool) (int128, error) {
		if !ok || !x.digits(t.Precision) {
			return int128{}, decimalTooBig(t)
		}
		return x, nil
	}
	// up brings a value to the common scale.
	up := func(x int128, s int) (int128, bool) {
		if s == scale {
			return x, true
		}
		u, ok := x.magnitude().mul(powersOfTen128[scale-s])
		r, fits := u.signed(x.hi < 0)
		return r, ok && fits
	}
	switch op {
	case "+", "-":
		minus := op == "-"
		return wide2(func(x, y int128) (int128, error) {
			p, ok1 := up(x, sa)
			q, ok2 := up(y, sb)
			if minus {
				q = q.neg()
			}
			r, ok := p.addChecked(q)
			return fits(r, ok && ok1 && ok2)
		})
	case "*":
		return wide2(func(x, y int128) (int128, error) {
			u, ok := x.magnitude().mul(y.magnitude())
			r, ok2 := u.signed((x.hi < 0) != (y.hi < 0))
			return fits(r, ok && ok2)
		})
	case "/":
		return wide2(func(x, y int128) (int128, error) {
			if y == (int128{}) {
				return int128{}, divisionByZero()
			}
			u, ok := x.magnitude().mulDiv(t.Scale+sb-sa, y.magnitude())
			r, ok2 := u.signed((x.hi < 0) != (y.hi < 0))
			return fits(r, ok && ok2)
		})
	}
	return wide2(func(x, y int128) (int128, error) {
		if y == (int128{}) {
			return int128{}, divisionByZero()
		}
		p, ok1 := up(x, sa)
		q, ok2 := up(y, sb)
		if !ok1 || !ok2 {
			return wideRemainder(x, sa, y, sb)
		}
		_, r := p.magnitude().div(q.magnitude())
		rest, _ := r.signed(p.hi < 0)
		return rest, nil
	})
}

// wideRemainder is x % y where one of them does not fit 128 bits at the common
// scale.
func wideRemainder(x int128, sa int, y int128, sb int) (int128, error) {
	p, q := x.magnitude().big(), y.magnitude().big()
	if sa < sb {
		p.Mul(p, powersOfTen128[sb-sa].big())
	} else {
		q.Mul(q, powersOfTen128[sa-sb].big())
	}
	u, _ := fromBig(p.Rem(p, q)) // not above either operand, one of which is at the common scale
	r, _ := u.signed(x.hi < 0)
	return r, nil
}

func decimalTooBig(t *column.Type) error { return overflow(t, "the result has more digits") }

// compareWide compares unscaled values of different scales exactly.
func compareWide(a int128, sa int, b int128, sb int) int {
	switch {
	case sa == sb:
		return a.cmp(b)
	case sa > sb:
		return -compareWide(b, sb, a, sa)
	}
	u, ok := a.magnitude().mul(powersOfTen128[sb-sa])
	up, fits := u.signed(a.hi < 0)
	if !ok || !fits { // beyond any b
		return 1 - 2*int(truth(a.hi < 0))
	}
	return up.cmp(b)
}

func compareWideKernel(c comparison, sa, sb int) kernel {
	return func(_ *Context, t *column.Type, args []*column.Vector, n int) (*column.Vector, error) {
		v, out := made[int64](t, n)
		for i := range out {
			out[i] = truth(c.accepts(compareWide(decimalAt(args[0], i), sa, decimalAt(args[1], i), sb)))
		}
		return v, nil
	}
}

// castWide converts between integers and decimals where one of the two is wide.
func castWide(to *column.Type, convert func(x int128) (int128, error)) caster {
	return func(_ *Context, v *column.Vector, n int, f *failures) (*column.Vector, error) {
		out := newDecimals(to, n)
		for i := range n {
			if v.Nulls.Get(i) {
				continue
			}
			x, err := convert(decimalAt(v, i))
			if err != nil {
				if err = f.at(i, n, err); err != nil {
					return nil, err
				}
				continue
			}
			out.put(i, x)
		}
		return withNulls(out.v, v.Nulls), nil
	}
}

// castToWide converts what has a text form of a number to wide decimals.
func castToWide[A payload](to *column.Type, text func(a A) string, fail func(a A) error) caster {
	return func(_ *Context, v *column.Vector, n int, f *failures) (*column.Vector, error) {
		in, _ := data[A](v)
		out := newDecimals(to, n)
		for i := range n {
			if v.Nulls.Get(i) {
				continue
			}
			x, ok := parseDecimal128(text(in[i]), to)
			if !ok {
				if err := f.at(i, n, fail(in[i])); err != nil {
					return nil, err
				}
				continue
			}
			out.put(i, x)
		}
		return withNulls(out.v, v.Nulls), nil
	}
}

func wideToDouble(x int128, scale int) float64 {
	// The nearest double is that of the text.
	f, _ := strconv.ParseFloat(string(appendDecimal128(nil, x, scale)), 64)
	return f
}

// castFromWide is the conversion of wide decimals, and of all numbers to them.
func castFromWide(from, to *column.Type) caster {
	_, scale := decimalShape(from)
	fail := func(x int128) error {
		return fault(sqlerr.NumericOutOfRange, "cannot cast %s to %s: out of range", appendDecimal128(nil, x, scale), to)
	}
	switch {
	case to.Kind == column.Boolean:
		return castEach(to, func(_ *Context, s string) (int64, bool, error) { return truth(readInt128(s) != (int128{})), true, nil })
	case to.IsInteger():
		lo, hi := integerRange(to)
		return castEach(to, func(_ *Context, s string) (int64, bool, error) {
			r, _ := rescale128(readInt128(s), scale, 0, column.DecimalDigitsMax)
			x, ok := r.int64()
			if !ok || x < lo || x > hi {
				return 0, false, fail(readInt128(s))
			}
			return x, true, nil
		})
	case to.Kind == column.Decimal:
		return castWide(to, func(x int128) (int128, error) {
			r, ok := rescale128(x, scale, to.Scale, to.Precision)
			if !ok {
				return r, fail(x)
			}
			return r, nil
		})
	case to.Kind == column.Real:
		return castEach(to, func(_ *Context, s string) (float64, bool, error) {
			f, _ := strconv.ParseFloat(string(appendDecimal128(nil, readInt128(s), scale)), 32)
			return f, true, nil
		})
	}
	return castEach(to, func(_ *Context, s string) (float64, bool, error) {
		return wideToDouble(readInt128(s), scale), true, nil
	})
}

// appendDecimal128 writes an unscaled value with its point.
func appendDecimal128(dst []byte, x int128, scale int) []byte {
	if small, ok := x.int64(); ok {
		return appendDecimal(dst, small, scale)
	}
	if x.hi < 0 {
		dst = append(dst, '-')
	}
	high, low := x.magnitude().div(powersOfTen128[19])
	var buf [40]byte
	digits := strconv.AppendUint(buf[:0], high.lo, 10)
	if high == (uint128{}) {
		digits = digits[:0]
	}
	var part [20]byte
	rest := strconv.AppendUint(part[:0], low.lo, 10)
	for range 19 - len(rest) {
		digits = append(digits, '0')
	}
	return appendPointed(dst, append(digits, rest...), scale)
}
