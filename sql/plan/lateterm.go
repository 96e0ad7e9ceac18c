package plan

import "github.com/cairndb/cairn/segment/column"

// LateTerm is a conjunct of a scan's filter that storage can use once the
// sub-queries in it have been run, which do not depend on the row: eventTime >
// (SELECT max(eventTime) …) - INTERVAL '1' HOUR. Known are its parts that can be
// computed before the scan begins.
type LateTerm struct {
	Cond  Expr
	Known []Expr
}

// LateTerms returns such conjuncts of the filter. Only those count that no
// conjunct comes before that may fail: its error would be lost with the rows
// that storage leaves out.
func (n *TableScan) LateTerms() []LateTerm {
	var out []LateTerm
	if n.Untold || n.Unordered {
		return nil
	}
	for _, c := range n.Filter {
		if l, ok := n.late(c); ok {
			out = append(out, l)
		}
		if !harmless(c) && len(n.term(c)) == 0 {
			break
		}
	}
	return out
}

func (n *TableScan) late(c Expr) (LateTerm, bool) {
	if g, ok := guarded(c); ok {
		c = g
	}
	l := LateTerm{Cond: c}
	switch x := c.(type) {
	case *Compare:
		for _, side := range []Expr{x.L, x.R} {
			if n.cut(side) {
				continue
			}
			if !settled(side) {
				return l, false
			}
			l.Known = append(l.Known, side)
		}
		return l, len(l.Known) == 1
	case *Subquery:
		if x.Kind != AnyQuery || x.Op != CmpEq || len(x.X) != 1 || len(x.Args) > 0 {
			return l, false
		}
		p, ok := n.path(x.X[0])
		return l, ok && scalar(p.Type)
	}
	return l, false
}

// cut reports whether e is a path, or one cut to days, hours … that truncated understands.
func (n *TableScan) cut(e Expr) bool {
	switch x := e.(type) {
	case *Call:
		if _, of := truncation(x); of != nil {
			e = of
		} else if x.Name == "date" && len(x.Args) == 1 {
			e = x.Args[0]
		}
	case *Cast:
		if x.T.Kind == column.Date {
			e = x.X
		}
	}
	_, ok := n.path(e)
	return ok
}

// guarded returns the condition that guard was given.
func guarded(c Expr) (Expr, bool) {
	o, ok := c.(*Coalesce)
	if !ok || len(o.Args) != 2 {
		return nil, false
	}
	t, ok := o.Args[0].(*Try)
	if k, is := o.Args[1].(*Const); !ok || !is || k.null() || k.T.Kind != column.Boolean || k.Value.I64[0] == 0 {
		return nil, false
	}
	return t.X, true
}

// settled reports whether e is computed from sub-queries that run once, and from
// nothing that changes from row to row.
func settled(e Expr) bool {
	found, ok := false, !Volatile(e)
	Walk(e, func(x Expr) bool {
		switch x := x.(type) {
		case *Ref, *Outer, *LambdaParam, *Param:
			ok = false
		case *Subquery:
			ok = ok && x.Kind == ScalarQuery && len(x.Args) == 0
			found = true
		}
		return ok
	})
	return ok && found
}

// TermsOf returns what storage can use now that the known parts have values,
// vectors of one value each.
func (n *TableScan) TermsOf(l LateTerm, values []*column.Vector) []Term {
	c := rewrite(l.Cond, func(e Expr) Expr {
		for i, k := range l.Known {
			if e == k {
				return constant(e.Type(), column.Flatten(values[i]), e.Pos())
			}
		}
		return e
	})
	return n.term(c)
}

// TermOfList returns what storage can use of x IN (query) now that the values of
// the query are known: a flat vector without NULLs.
func (n *TableScan) TermOfList(l LateTerm, values *column.Vector) []Term {
	p, ok := n.path(l.Cond.(*Subquery).X[0])
	if !ok || values.Len == 0 {
		return nil
	}
	v := *values
	v.Type = p.Type
	return []Term{{p, Eq, &v}}
}

// DescribeTerm shows a term as EXPLAIN does.
func (n *TableScan) DescribeTerm(t Term) string { return n.describeTerm(t) }
