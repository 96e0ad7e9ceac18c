package exec

import (
	"fmt"

	"github.com/cairndb/cairn/segment/column"
	"github.com/cairndb/cairn/sql/plan"
)

// expr is a compiled expression: columns are positions in a frame. Compiled
// expressions are shared by the workers and keep no state of their own.
type expr interface {
	// eval returns the value for every row of the frame, in any layout.
	eval(w *worker, f *frame) (*column.Vector, error)
}

// compiler compiles one plan.
type compiler struct {
	q     *query
	scans []*scanOp
	made  map[plan.Node]operator // for EXPLAIN
	// late counts the lateral joins on whose right side the node is that is being
	// compiled: it may refer to columns of their left sides.
	late int
	pool *pool // nil for none
}

// slots maps the columns of a node's result to their positions.
type slots map[plan.ColID]int

func slotsOf(cols []plan.Col) slots {
	s := make(slots, len(cols))
	for i, c := range cols {
		s[c.ID] = i
	}
	return s
}

// expr compiles e for frames laid out as in says. Parts that depend on one
// column alone are wrapped, so that they are evaluated per dictionary entry
// where the column has a dictionary.
func (c *compiler) expr(e plan.Expr, in slots) expr {
	if x := c.sharedExpr(e, in); x != nil {
		return x
	}
	return c.own(e, in)
}

// own compiles e for one place.
func (c *compiler) own(e plan.Expr, in slots) expr {
	if slot, ok := soleColumn(e, in); ok {
		switch e.(type) {
		case *plan.Ref, *plan.Const, *plan.LambdaParam:
		default:
			cache := c.q.caches
			c.q.caches++
			return &perEntry{x: c.bare(e, in), slot: slot, cache: cache, typ: e.Type()}
		}
	}
	return c.bare(e, in)
}

func (c *compiler) exprs(list []plan.Expr, in slots) []expr {
	out := make([]expr, len(list))
	for i, e := range list {
		out[i] = c.expr(e, in)
	}
	return out
}

// soleColumn returns the only column that e depends on; ok is false when there
// is none or more than one, or when e is volatile.
func soleColumn(e plan.Expr, in slots) (slot int, ok bool) {
	slot, many := -1, plan.Volatile(e)
	plan.Walk(e, func(x plan.Expr) bool {
		s, needed := 0, false
		switch r := x.(type) {
		case *plan.Ref:
			var here bool
			if s, here = in[r.ID]; !here {
				many = true // of a query around: it changes from run to run
			}
			needed = true
		case *plan.LambdaParam:
			s, needed = in[r.ID] // else of a lambda within e
		case *plan.Subquery:
			// It remembers its answers itself, for rows alone.
			many = many || len(r.Args) > 0
		}
		if needed {
			many = many || slot >= 0 && slot != s
			slot = s
		}
		return !many
	})
	return slot, slot >= 0 && !many
}

func (c *compiler) bare(e plan.Expr, in slots) expr {
	switch e := e.(type) {
	case *plan.Ref:
		slot, ok := in[e.ID]
		if !ok {
			if c.late > 0 {
				return &outerExpr{id: e.ID, typ: e.T}
			}
			panic(fmt.Sprintf("exec: column %s (%d) is not in the input", e.Name, e.ID))
		}
		return &refExpr{slot: slot}
	case *plan.LambdaParam:
		return &refExpr{slot: in[e.ID]}
	case *plan.Higher:
		return c.higher(e, in)
	case *plan.Const:
		return &constExpr{value: e.Value}
	case *plan.Call:
		return newCall(e.Name, e.Fn, c.exprs(e.Args, in), e.Place)
	case *plan.Cast:
		return newCall("cast", e.Fn, []expr{c.expr(e.X, in)}, e.Place)
	case *plan.Compare:
		return c.compare(e, in)
	case *plan.And:
		return &logicExpr{items: c.exprs(e.Items, in), stop: 0}
	case *plan.Or:
		return &logicExpr{items: c.exprs(e.Items, in), stop: 1}
	case *plan.Not:
		return &notExpr{x: c.expr(e.X, in)}
	case *plan.IsNullTest:
		return &isNullExpr{x: c.expr(e.X, in), not: e.Not}
	case *plan.In:
		return newInExpr(c.expr(e.X, in), e)
	case *plan.Like:
		return c.like(e, in)
	case *plan.Case:
		k := &caseExpr{typ: e.T, whens: c.exprs(e.Whens, in), thens: c.exprs(e.Thens, in)}
		if e.Operand != nil {
			k.operand = c.expr(e.Operand, in)
			k.equal = newCompare(plan.CmpEq, e.Operand.Type(), e.Place)
		}
		if e.Else != nil {
			k.otherwise = c.expr(e.Else, in)
		}
		return k
	case *plan.Coalesce:
		return &coalesceExpr{typ: e.T, args: c.exprs(e.Args, in)}
	case *plan.Try:
		if m, ok := e.X.(*plan.MapAt); ok {
			// Only a missing key can fail here, and then the value is NULL anyway.
			return c.expr(m.Value, in)
		}
		return &tryExpr{typ: e.T, x: c.expr(e.X, in)}
	case *plan.Field:
		return &fieldExpr{x: c.expr(e.X, in), step: e.Step, typ: e.T}
	case *plan.MapAt:
		return &mapAtExpr{value: c.expr(e.Value, in), of: c.expr(e.Map, in), key: e.Key, pos: e.Place}
	case *plan.Subquery:
		return c.subquery(e, in)
	case *plan.Outer:
		if slot, ok := in[e.ID]; ok {
			return &refExpr{slot: slot} // of a lookup
		}
		return &outerExpr{id: e.ID, typ: e.T}
	case *plan.Param:
		return &missingParam{n: e.N, pos: e.Place}
	}
	panic(fmt.Sprintf("exec: no evaluation of %T", e))
}

type refExpr struct{ slot int }

func (e *refExpr) eval(w *worker, f *frame) (*column.Vector, error) { return f.col(w, e.slot) }

type constExpr struct{ value *column.Vector }

func (e *constExpr) eval(_ *worker, f *frame) (*column.Vector, error) {
	return column.NewConst(e.value, f.n), nil
}
