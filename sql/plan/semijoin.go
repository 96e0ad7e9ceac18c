package plan

import (
	"slices"

	"github.com/cairndb/cairn/segment/column"
)

// Conditions of WHERE, HAVING and of inner joins that are x IN (query), EXISTS
// (query) or one of them negated become joins, where nothing can tell the two
// apart: neither the query nor what it is compared with may raise an error, since
// a join evaluates them for rows that the expression would not have come to.
// Anywhere else the sub-query stays an expression.

// joinSubqueries returns a plan in which such conditions are joins.
func (o *optimizer) joinSubqueries(n Node) Node {
	eachInput(n, o.joinSubqueries)
	switch x := n.(type) {
	case *Filter:
		var rest []Expr
		for _, list := range x.Conds {
			for _, c := range conjuncts(list) {
				j := o.subqueryJoin(c, x.Input)
				if j == nil {
					rest = append(rest, c)
					continue
				}
				if !allHarmless(rest) {
					// What may fail and was written before is asked before.
					x.Input, rest = filtered(x.Input, rest), nil
				}
				x.Input = settle(j, x.Input)
			}
		}
		return filtered(x.Input, rest)
	case *Join:
		if x.Kind != InnerJoin || x.Lateral {
			return x
		}
		var on []Expr
		var joins []*Join
		for _, list := range x.On {
			for _, c := range conjuncts(list) {
				if j := o.subqueryJoin(c, x); j != nil {
					joins = append(joins, j)
				} else {
					on = append(on, c)
				}
			}
		}
		x.On = on
		var out Node = x
		for _, j := range joins {
			out = settle(j, out)
		}
		return out
	}
	return n
}

// subqueryJoin makes a join of a condition on the rows of left; nil when it is
// not a sub-query, or one that has to stay an expression. The join has no left
// input yet.
func (o *optimizer) subqueryJoin(c Expr, left Node) *Join {
	not := false
	if n, ok := c.(*Not); ok {
		not, c = true, n.X
	}
	s, ok := c.(*Subquery)
	if !ok || s.Sub.Volatile || !o.on(SemiJoins) {
		return nil
	}
	j := &Join{Kind: SemiJoin, Place: s.Place}
	switch {
	case s.Kind == ExistsQuery && len(s.Args) > 0:
	case s.Kind == AnyQuery && s.Op == CmpEq:
		if not {
			j.NullAware = len(s.X)
		}
	case s.Kind == AllQuery && s.Op == CmpNe:
		if not = !not; not {
			j.NullAware = len(s.X)
		}
	default:
		return nil
	}
	if not {
		j.Kind = AntiJoin
	}
	made := madeBy(left)
	for _, e := range s.operands() {
		used := map[ColID]bool{}
		refs(e, used)
		for id := range used {
			if !made[id] {
				return nil // of a query further out
			}
		}
		if hasOuter(e) || Volatile(e) || !harmless(e) {
			return nil
		}
	}
	for _, x := range s.X {
		if !scalar(x.Type()) {
			return nil
		}
	}
	root, ok := clone(s.Sub.Root)
	if !ok {
		return nil
	}
	if l, is := root.(*Limit); is && s.Kind == ExistsQuery && l.N != 0 && l.Offset == 0 {
		root = l.Input
	}
	p := &puller{o: o, beyond: true}
	cols := root.Cols()
	root, keys, ok := p.pull(root, false)
	if !ok || p.grouped || correlated(root) {
		return nil
	}
	equal := s.Kind != ExistsQuery
	for _, k := range keys {
		equal = equal || k.probe != nil
	}
	if root = o.joinSubqueries(root); !equal || !safe(root) {
		return nil
	}
	// What the conditions need of the query, once each if that is all they are.
	right := &Project{Input: root}
	named := map[ColID]Expr{}
	give := func(c Col) Expr {
		if named[c.ID] == nil {
			own := Col{o.newID(), c.Name, c.Type}
			right.Columns, right.Exprs = append(right.Columns, own), append(right.Exprs, NewRef(c))
			named[c.ID] = NewRef(own)
		}
		return named[c.ID]
	}
	args := map[ColID]Expr{}
	for i, param := range s.Sub.Params {
		args[param.ID] = s.Args[i]
	}
	outward := func(e Expr) Expr {
		return rewrite(e, func(e Expr) Expr {
			switch e := e.(type) {
			case *Outer:
				return args[e.ID]
			case *Ref:
				return give(Col{e.ID, e.Name, e.T})
			}
			return e
		})
	}
	at := base{column.BooleanType, s.Place}
	for i, x := range s.X {
		j.On = append(j.On, &Compare{at, CmpEq, x, give(cols[i])})
	}
	for _, k := range keys {
		if k.probe == nil {
			continue
		}
		op := CmpEq
		if k.nullSafe {
			op = IsNotDistinct
		}
		probe := outward(k.probe)
		j.On = append(j.On, &Compare{at, op, probe, give(k.col)})
	}
	for _, c := range p.residual {
		j.On = append(j.On, outward(c))
	}
	j.Right = right
	if len(p.residual) == 0 && !distinct(root, right.Exprs) {
		j.Right = &Aggregate{Input: root, Keys: right.Exprs, Columns: right.Columns}
	}
	return j
}

// distinct reports whether no two rows of n are equal in the given columns.
func distinct(n Node, exprs []Expr) bool {
	switch x := n.(type) {
	case *Aggregate:
		for i := range x.Keys {
			if !slices.ContainsFunc(exprs, func(e Expr) bool { r, ok := e.(*Ref); return ok && r.ID == x.Columns[i].ID }) {
				return false
			}
		}
		return true
	case *Filter:
		return distinct(x.Input, exprs)
	case *Project:
		below := make([]Expr, 0, len(exprs))
		for _, e := range exprs {
			if r, ok := e.(*Ref); ok {
				for i, c := range x.Columns {
					if c.ID == r.ID {
						below = append(below, x.Exprs[i])
					}
				}
			}
		}
		return distinct(x.Input, below)
	}
	return false
}

// settle puts a join that gives left rows as they are on top of left, or further
// down where its conditions have all the columns they need: rows that it drops
// need not be joined with others first.
func settle(j *Join, left Node) Node {
	own := madeBy(j.Right)
	fits := func(n Node) bool {
		made := madeBy(n)
		for _, c := range j.On {
			used := map[ColID]bool{}
			refs(c, used)
			for id := range used {
				if !own[id] && !made[id] {
					return false
				}
			}
		}
		return true
	}
	switch x := left.(type) {
	case *Filter:
		if allHarmless(x.Conds) {
			x.Input = settle(j, x.Input)
			return x
		}
	case *Project:
		moved := make([]Expr, len(j.On))
		for i, c := range j.On {
			m, ok := through(c, x.Columns, x.Exprs, nil)
			if !ok || !harmless(m) {
				j.Left = left
				return j
			}
			moved[i] = m
		}
		j.On = moved
		x.Input = settle(j, x.Input)
		return x
	case *Join:
		switch {
		case x.Lateral || x.Kind.keepsRight():
		case fits(x.Left):
			x.Left = settle(j, x.Left)
			return x
		case x.Kind == InnerJoin && fits(x.Right):
			x.Right = settle(j, x.Right)
			return x
		}
	}
	j.Left = left
	return j
}

func allHarmless(conds []Expr) bool {
	return !slices.ContainsFunc(conds, func(c Expr) bool { return !harmless(c) })
}

// safe reports whether running n raises no error, whatever the rows. What only
// resources end does not count.
func safe(n Node) bool {
	ok := true
	eachNode(n, func(n Node) {
		for _, e := range nodeExprs(n) {
			ok = ok && harmless(e) && !Volatile(e)
		}
		switch x := n.(type) {
		case *Aggregate:
			for _, a := range x.Aggs {
				ok = ok && safeAggregates[a.Name]
			}
		case *Window:
			for _, f := range x.Funcs {
				ok = ok && safeWindows[f.Name]
			}
		case *Join:
			ok = ok && !x.Lateral && x.Kind != SingleJoin
		case *Unnest:
			ok = ok && !x.Series
		case *SharedScan:
			if x.Of.Uses != 1 {
				ok = ok && safe(x.Of.Root)
			}
		case *Recursive, *WorkTable:
			ok = false
		}
	})
	return ok
}

// safeAggregates and safeWindows are those that take any values of their types.
var (
	safeAggregates = map[string]bool{
		"count": true, "count_if": true, "min": true, "max": true, "any_value": true, "arbitrary": true,
		"bool_and": true, "bool_or": true, "every": true, "approx_distinct": true,
	}
	safeWindows = map[string]bool{
		"row_number": true, "rank": true, "dense_rank": true, "percent_rank": true, "cume_dist": true,
	}
)

// eachInput puts what f returns for the inputs of a node in their places. Plans
// of WITH items with several uses stand by themselves.
func eachInput(n Node, f func(Node) Node) {
	switch x := n.(type) {
	case *Filter:
		x.Input = f(x.Input)
	case *Project:
		x.Input = f(x.Input)
	case *Aggregate:
		x.Input = f(x.Input)
	case *Expand:
		x.Input = f(x.Input)
	case *Window:
		x.Input = f(x.Input)
	case *Sort:
		x.Input = f(x.Input)
	case *Limit:
		x.Input = f(x.Input)
	case *Unnest:
		x.Input = f(x.Input)
	case *Join:
		x.Left, x.Right = f(x.Left), f(x.Right)
	case *Union:
		for i := range x.Items {
			x.Items[i] = f(x.Items[i])
		}
	case *SetOp:
		for i := range x.Items {
			x.Items[i] = f(x.Items[i])
		}
	case *Recursive:
		x.Base, x.Step = f(x.Base), f(x.Step)
	case *SharedScan:
		if x.Of.Uses == 1 {
			x.Of.Root = f(x.Of.Root)
		}
	}
}
