package exec

import (
	"reflect"

	"github.com/cairndb/cairn/segment/column"
	"github.com/cairndb/cairn/sql/plan"
)

// An expression that an operator has in several places is evaluated once for the
// rows of a frame: whoever asks first leaves the values with the frame, and who
// asks for some of the rows later takes them from there. It is evaluated only
// when a place asks for it, and only for the rows that this place asks for, so
// it raises no error that its places would not have raised.

// sharedExpr stands in each of the places.
type sharedExpr struct{ x expr }

// sharedValue is what a frame keeps of a sharedExpr.
type sharedValue struct {
	of    *sharedExpr
	value *column.Vector
}

func (e *sharedExpr) eval(w *worker, f *frame) (*column.Vector, error) {
	if v := e.known(f); v != nil {
		return v, nil
	}
	v, err := e.x.eval(w, f)
	if err != nil {
		return nil, err
	}
	f.shared = append(f.shared, sharedValue{e, v})
	return v, nil
}

// known returns the values if the frame, or the one whose rows it has, has them.
func (e *sharedExpr) known(f *frame) *column.Vector {
	for _, s := range f.shared {
		if s.of == e {
			return s.value
		}
	}
	sub, ok := f.src.(*subset)
	if !ok {
		return nil
	}
	v := e.known(sub.of)
	if v == nil {
		return nil
	}
	v = column.Gather(v, sub.at)
	f.shared = append(f.shared, sharedValue{e, v})
	return v
}

// pool are the expressions that the operator which is being compiled has in
// several places, all over frames of one layout.
type pool struct {
	in    uintptr // the slots
	exprs []pooled
}

type pooled struct {
	e      plan.Expr
	shared *sharedExpr // nil until it is compiled
}

func identity(in slots) uintptr { return reflect.ValueOf(in).Pointer() }

const (
	// pooledMax is how many expressions of an operator are compared with each other.
	pooledMax = 500
	// pooledNodes is how large the expressions of an operator may be for any to be
	// compared: looking for repetitions in a chain of thousands takes longer than
	// evaluating them does.
	pooledNodes = 2000
)

// nodes counts the parts of an expression, no further than most.
func nodes(e plan.Expr, most int) int {
	n := 0
	plan.Walk(e, func(plan.Expr) bool {
		n++
		return n < most
	})
	return n
}

// share looks for expressions that stand in several places of lists, which are to
// be compiled for in. It returns a function to be called when they are.
func (c *compiler) share(in slots, lists ...[]plan.Expr) (done func()) {
	was := c.pool
	c.pool = nil
	all := 0
	for _, list := range lists {
		for _, e := range list {
			if all += nodes(e, pooledNodes); all >= pooledNodes {
				return func() { c.pool = was }
			}
		}
	}
	type candidate struct {
		e    plan.Expr
		size int // equal expressions are equally large
	}
	var seen []candidate
	var twice []plan.Expr
	for _, list := range lists {
		for _, e := range list {
			plan.Walk(e, func(x plan.Expr) bool {
				if _, lambda := x.(*plan.Lambda); lambda {
					return false
				}
				if !shareable(x) || len(seen) == pooledMax {
					return true
				}
				size := nodes(x, pooledNodes)
				for _, s := range seen {
					if s.size == size && plan.Same(s.e, x) {
						twice = append(twice, s.e)
						return false // its parts come with it
					}
				}
				seen = append(seen, candidate{x, size})
				return true
			})
		}
	}
	if len(twice) > 0 {
		c.pool = &pool{in: identity(in)}
		for _, e := range twice {
			if c.pool.find(e) == nil {
				c.pool.exprs = append(c.pool.exprs, pooled{e: e})
			}
		}
	}
	return func() { c.pool = was }
}

func (p *pool) find(e plan.Expr) *pooled {
	for i := range p.exprs {
		if plan.Same(p.exprs[i].e, e) {
			return &p.exprs[i]
		}
	}
	return nil
}

// shareable reports whether evaluating e again costs more than keeping it, and e
// depends on the row alone. Conditions are cheaper where they can tell the rows
// for which they hold without making values.
func shareable(e plan.Expr) bool {
	switch e.(type) {
	case *plan.Call, *plan.Cast, *plan.Higher, *plan.Case, *plan.Coalesce, *plan.Try:
	default:
		return false
	}
	if e.Type().Kind == column.Boolean {
		return false
	}
	ok, column := !plan.Volatile(e), false
	plan.Walk(e, func(x plan.Expr) bool {
		switch x.(type) {
		case *plan.Subquery, *plan.Outer:
			ok = false
		case *plan.Ref:
			column = true
		}
		return ok
	})
	return ok && column
}

// sharedExpr compiles e if it is one of the pool's; nil if it is not.
func (c *compiler) sharedExpr(e plan.Expr, in slots) expr {
	if c.pool == nil || c.pool.in != identity(in) || !shareable(e) {
		return nil
	}
	p := c.pool.find(e)
	if p == nil {
		return nil
	}
	if p.shared == nil {
		p.shared = &sharedExpr{}
		p.shared.x = c.own(e, in)
	}
	return p.shared
}
