package exec

import (
	"cmp"
	"slices"

	"github.com/cairndb/cairn/segment/column"
	"github.com/cairndb/cairn/sql/fn"
	"github.com/cairndb/cairn/sql/plan"
	"github.com/cairndb/cairn/sql/sqlerr"
)

// comparison compares two vectors of one type, value by value.
type comparison struct {
	op  plan.CmpOp
	typ *column.Type
	// nested is the operator for arrays, maps and rows.
	nested *fn.Bound
	pos    sqlerr.Pos
}

var operatorNames = map[plan.CmpOp]string{
	plan.CmpEq: "=", plan.CmpNe: "<>", plan.CmpLt: "<", plan.CmpLe: "<=", plan.CmpGt: ">", plan.CmpGe: ">=",
	plan.IsDistinct: "is distinct from", plan.IsNotDistinct: "is distinct from",
}

func newCompare(op plan.CmpOp, t *column.Type, pos sqlerr.Pos) *comparison {
	c := &comparison{op: op, typ: t, pos: pos}
	if t.Payload() == column.PayloadNested && op != plan.IsDistinct && op != plan.IsNotDistinct {
		// The binder has checked that the operator takes the type.
		b, err := fn.LookupScalar(operatorNames[op]).Bind([]*column.Type{t, t})
		if err != nil {
			panic(err)
		}
		c.nested = b
	}
	return c
}

type compareExpr struct {
	*comparison
	l, r expr
}

func (c *compiler) compare(e *plan.Compare, in slots) expr {
	return &compareExpr{newCompare(e.Op, e.L.Type(), e.Place), c.expr(e.L, in), c.expr(e.R, in)}
}

func (e *compareExpr) eval(w *worker, f *frame) (*column.Vector, error) {
	if err := w.q.live(); err != nil {
		return nil, err
	}
	l, err := e.l.eval(w, f)
	if err != nil {
		return nil, err
	}
	r, err := e.r.eval(w, f)
	if err != nil {
		return nil, err
	}
	return e.compare(w, l, r, f.n)
}

// flat returns v without dictionary; a constant stays one.
func flat(v *column.Vector) *column.Vector {
	if v.Dict != nil {
		return column.Flatten(v)
	}
	return v
}

// inHalves compares the first half of the rows, then the rest.
func (c *comparison) inHalves(w *worker, l, r *column.Vector, n int) (*column.Vector, error) {
	if err := w.q.live(); err != nil {
		return nil, err
	}
	out := column.NewAppender(column.BooleanType, n)
	for _, part := range [2][2]int{{0, n / 2}, {n / 2, n}} {
		v, err := c.compare(w, l.Slice(part[0], part[1]), r.Slice(part[0], part[1]), part[1]-part[0])
		if err != nil {
			return nil, err
		}
		out.AppendAll(v)
	}
	return out.Vector(), nil
}

func (c *comparison) compare(w *worker, l, r *column.Vector, n int) (*column.Vector, error) {
	if n > 1 && laidBytes(l)+laidBytes(r) > stepBytes {
		return c.inHalves(w, l, r, n)
	}
	l, r = flat(l), flat(r)
	if c.op >= plan.IsDistinct {
		return c.distinct(l, r, n), nil
	}
	if c.nested != nil {
		v, err := c.nested.Eval(w.fn, []*column.Vector{l, r}, n)
		if err != nil {
			return nil, placed(err, c.pos)
		}
		return v, nil
	}
	if l.Const && l.Nulls.Get(0) || r.Const && r.Nulls.Get(0) {
		return column.NullConst(column.BooleanType, n), nil
	}
	constant := l.Const && r.Const
	rows := n
	if constant {
		rows = 1
	}
	out := &column.Vector{Type: column.BooleanType, Len: rows, I64: make([]int64, rows)}
	switch c.typ.Payload() {
	case column.PayloadI64:
		compareInto(c.op, out.I64, l.I64, l.Const, r.I64, r.Const)
	case column.PayloadF64:
		compareInto(c.op, out.I64, l.F64, l.Const, r.F64, r.Const)
	default:
		compareInto(c.op, out.I64, l.Str, l.Const, r.Str, r.Const)
	}
	if constant {
		return column.NewConst(out, n), nil
	}
	return nullWhere(out, []*column.Vector{l, r}), nil
}

// distinct computes IS [NOT] DISTINCT FROM.
func (c *comparison) distinct(l, r *column.Vector, n int) *column.Vector {
	out := column.New(column.BooleanType, n)
	for i := range out.I64 {
		if fn.EqualAt(l, i, r, i) == (c.op == plan.IsNotDistinct) {
			out.I64[i] = 1
		}
	}
	return out
}

func bit(b bool) int64 {
	if b {
		return 1
	}
	return 0
}

// compareInto compares value by value; a constant side has one value. NaN is
// unequal to everything and has no order, as in Go.
func compareInto[T cmp.Ordered](op plan.CmpOp, out []int64, l []T, lc bool, r []T, rc bool) {
	if lc && !rc {
		l, r, lc, rc, op = r, l, rc, lc, flipped(op)
	}
	if rc {
		k := r[0]
		if lc {
			l = l[:1]
		}
		l = l[:len(out)]
		switch op {
		case plan.CmpEq:
			for i, x := range l {
				out[i] = bit(x == k)
			}
		case plan.CmpNe:
			for i, x := range l {
				out[i] = bit(x != k)
			}
		case plan.CmpLt:
			for i, x := range l {
				out[i] = bit(x < k)
			}
		case plan.CmpLe:
			for i, x := range l {
				out[i] = bit(x <= k)
			}
		case plan.CmpGt:
			for i, x := range l {
				out[i] = bit(x > k)
			}
		case plan.CmpGe:
			for i, x := range l {
				out[i] = bit(x >= k)
			}
		}
		return
	}
	l, r = l[:len(out)], r[:len(out)]
	switch op {
	case plan.CmpEq:
		for i, x := range l {
			out[i] = bit(x == r[i])
		}
	case plan.CmpNe:
		for i, x := range l {
			out[i] = bit(x != r[i])
		}
	case plan.CmpLt:
		for i, x := range l {
			out[i] = bit(x < r[i])
		}
	case plan.CmpLe:
		for i, x := range l {
			out[i] = bit(x <= r[i])
		}
	case plan.CmpGt:
		for i, x := range l {
			out[i] = bit(x > r[i])
		}
	case plan.CmpGe:
		for i, x := range l {
			out[i] = bit(x >= r[i])
		}
	}
}

func flipped(op plan.CmpOp) plan.CmpOp {
	switch op {
	case plan.CmpLt:
		return plan.CmpGt
	case plan.CmpLe:
		return plan.CmpGe
	case plan.CmpGt:
		return plan.CmpLt
	case plan.CmpGe:
		return plan.CmpLe
	}
	return op
}

// selectRows implements rowSelector for the frequent case of a column of
// numbers or times against a constant: no vector is made.
func (e *compareExpr) selectRows(w *worker, f *frame, at []int32) (_ []int32, ok bool, err error) {
	k, isConst := e.r.(*constExpr)
	if !isConst || e.op >= plan.IsDistinct || e.typ.Payload() != column.PayloadI64 || k.value.IsNull(0) {
		return nil, false, nil
	}
	v, err := e.l.eval(w, f)
	if err != nil || v.Const || v.Dict != nil {
		return nil, false, err
	}
	c, nulls := k.value.I64[0], v.Nulls
	data := v.I64[:f.n]
	lo, hi := int64(-1<<63), int64(1<<63-1)
	switch e.op {
	case plan.CmpEq:
		lo, hi = c, c
	case plan.CmpLe:
		hi = c
	case plan.CmpGe:
		lo = c
	case plan.CmpLt:
		if c == lo {
			return at, true, nil
		}
		hi = c - 1
	case plan.CmpGt:
		if c == hi {
			return at, true, nil
		}
		lo = c + 1
	case plan.CmpNe:
		for i, x := range data {
			if x != c && !nulls.Get(i) {
				at = append(at, int32(i))
			}
		}
		return at, true, nil
	}
	// Without a branch on the outcome: rows in no order would mispredict it. The
	// difference to lo, unsigned, is at most hi-lo exactly within the range.
	span := uint64(hi) - uint64(lo)
	n := len(at)
	at = slices.Grow(at, len(data))[:n+len(data)]
	for i, x := range data {
		at[n] = int32(i)
		in := 0
		if uint64(x)-uint64(lo) <= span {
			in = 1
		}
		n += in
	}
	at = at[:n]
	if nulls.Any() {
		at = slices.DeleteFunc(at, func(i int32) bool { return nulls.Get(int(i)) })
	}
	return at, true, nil
}
