package plan

import (
	"github.com/cairndb/cairn/segment/column"
	"github.com/cairndb/cairn/sql/fn"
)

// fold computes e if it is constant. What fails to compute stays as it is, so
// that the error comes when a row needs the value and not before.
func (b *binder) fold(e Expr) Expr {
	if !b.on(FoldConstants) {
		return e
	}
	return b.folded(e)
}

// folded is fold where the plan needs the value.
func (b *binder) folded(e Expr) Expr {
	switch x := e.(type) {
	case *Call:
		if !x.Fn.Volatile {
			return b.foldCall(e, x.Fn, x.Args)
		}
	case *Cast:
		return b.foldCall(e, x.Fn, []Expr{x.X})
	case *Compare:
		return b.foldCompare(x)
	case *Not:
		if c, ok := x.X.(*Const); ok {
			if c.null() {
				return c
			}
			return boolConst(c.Value.I64[0] == 0, x.Place)
		}
		if c, ok := x.X.(*Compare); ok {
			if p := c.L.Type().Payload(); p == column.PayloadI64 || p == column.PayloadStr || c.Op >= IsDistinct || c.Op <= CmpNe {
				n := *c
				n.Op, n.Place = c.Op.negate(), x.Place
				return &n
			}
		}
		if t, ok := x.X.(*IsNullTest); ok {
			n := *t
			n.Not, n.Place = !t.Not, x.Place
			return &n
		}
		if n, ok := x.X.(*Not); ok {
			return n.X
		}
	case *IsNullTest:
		if c, ok := x.X.(*Const); ok {
			return boolConst(c.null() != x.Not, x.Place)
		}
	case *And:
		return foldLogic(e, x.Items, 0, x.base, func(items []Expr) Expr { return &And{x.base, items} })
	case *Or:
		return foldLogic(e, x.Items, 1, x.base, func(items []Expr) Expr { return &Or{x.base, items} })
	case *In:
		if c, ok := x.X.(*Const); ok {
			if c.null() {
				return nullConst(column.BooleanType, x.Place)
			}
			for i := range x.Values.Len {
				if fn.EqualAt(c.Value, 0, x.Values, i) {
					return boolConst(true, x.Place)
				}
			}
			if x.HasNull {
				return nullConst(column.BooleanType, x.Place)
			}
			return boolConst(false, x.Place)
		}
	case *Case:
		return foldCase(x)
	case *Coalesce:
		for len(x.Args) > 1 {
			c, ok := x.Args[0].(*Const)
			if !ok {
				break
			}
			if !c.null() {
				return c
			}
			x = &Coalesce{x.base, x.Args[1:]}
		}
		if len(x.Args) == 1 {
			return x.Args[0]
		}
		return x
	case *Try:
		if cannotFail(x.X) {
			return x.X
		}
	}
	return e
}

func (b *binder) foldCall(e Expr, f *fn.Bound, args []Expr) Expr {
	values := make([]*column.Vector, len(args))
	for i, a := range args {
		c, ok := a.(*Const)
		if !ok {
			return e
		}
		if c.null() && !f.NullCall {
			return nullConst(e.Type(), e.Pos())
		}
		values[i] = c.Value
	}
	v, err := f.Eval(&b.folding, values, 1)
	if err != nil || v.Len != 1 {
		return e
	}
	if size := constBytes(v); size > foldedBytesMax {
		return e
	}
	return constant(e.Type(), column.Flatten(v), e.Pos())
}

// foldedBytesMax bounds the constants that a plan keeps: repeat('x', 1000000)
// is better computed when it is needed.
const foldedBytesMax = 1 << 16

// foldRoom is what the values of a call may take that may become a constant: the
// longest text.
const foldRoom = 64 << 20

func constBytes(v *column.Vector) int {
	n := 8 * (len(v.I64) + len(v.F64) + len(v.Offsets))
	for _, s := range v.Str {
		n += len(s)
	}
	for _, c := range v.Children {
		n += constBytes(c)
	}
	return n
}

func (b *binder) foldCompare(x *Compare) Expr {
	l, lok := x.L.(*Const)
	r, rok := x.R.(*Const)
	if x.Op < IsDistinct && (lok && l.null() && (rok || cannotFail(x.R)) || rok && r.null() && (lok || cannotFail(x.L))) {
		return nullConst(column.BooleanType, x.Place)
	}
	if !lok || !rok {
		return x
	}
	switch x.Op {
	case IsDistinct, IsNotDistinct:
		return boolConst(fn.EqualAt(l.Value, 0, r.Value, 0) == (x.Op == IsNotDistinct), x.Place)
	}
	switch l.T.Payload() {
	case column.PayloadNested:
		return x
	case column.PayloadF64:
		if a, c := l.Value.F64[0], r.Value.F64[0]; a != a || c != c {
			return boolConst(x.Op == CmpNe, x.Place)
		}
	}
	c := fn.Compare(l.Value, 0, r.Value, 0)
	return boolConst([...]bool{c == 0, c != 0, c < 0, c <= 0, c > 0, c >= 0}[x.Op], x.Place)
}

// foldLogic drops the items of an AND (stop is 0) or OR (stop is 1) that are
// constant. Items before a deciding constant stay if they can fail.
func foldLogic(e Expr, items []Expr, stop int64, at base, again func([]Expr) Expr) Expr {
	var kept []Expr
	for _, it := range items {
		c, ok := it.(*Const)
		if !ok || c.null() {
			kept = append(kept, it)
			continue
		}
		if c.Value.I64[0] != stop {
			continue
		}
		safe := true
		for _, k := range kept {
			safe = safe && cannotFail(k)
		}
		if safe {
			return boolConst(stop == 1, at.Place)
		}
		kept = append(kept, it)
		break
	}
	switch len(kept) {
	case 0:
		return boolConst(stop == 0, at.Place)
	case 1:
		return kept[0]
	case len(items):
		return e
	}
	return again(kept)
}

func foldCase(x *Case) Expr {
	if x.Operand != nil {
		return x
	}
	c := &Case{base: x.base, Else: x.Else}
	for i, w := range x.Whens {
		if k, ok := w.(*Const); ok {
			if k.null() || k.Value.I64[0] == 0 {
				continue
			}
			if len(c.Whens) == 0 {
				return x.Thens[i]
			}
			c.Else = x.Thens[i]
			return c
		}
		c.Whens, c.Thens = append(c.Whens, w), append(c.Thens, x.Thens[i])
	}
	if len(c.Whens) == 0 {
		if c.Else == nil {
			return nullConst(x.T, x.Place)
		}
		return c.Else
	}
	return c
}
