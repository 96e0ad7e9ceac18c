package plan

import (
	"slices"

	"github.com/cairndb/cairn/sql/fn"
)

// What cannot give a row is not run: a filter that is never true, because it is
// false or NULL or asks for two values of one column at once, takes away what is
// below it, and with it the joins and groups that have no rows then.

// nothing returns n without the parts that cannot give rows.
func (o *optimizer) nothing(n Node) Node {
	if _, ok := n.(*Recursive); ok {
		return n // its step may come to be empty only later
	}
	eachInput(n, o.nothing)
	switch x := n.(type) {
	case *TableScan:
		s := *x
		s.Filter = x.filterOrder(x.Filter)
		if why, ok := s.never(); ok {
			return &Values{Columns: x.Columns, Why: " of " + x.Table.Name() + ": " + why}
		}
	case *Filter:
		if isEmpty(x.Input) {
			return x.Input
		}
		s := &TableScan{Columns: x.Cols(), Filter: x.Conds}
		for i, c := range s.Columns {
			s.Paths = append(s.Paths, Path{Column: i, Type: c.Type})
		}
		if why, ok := s.never(); ok {
			return empty(x, ": "+why)
		}
	case *Project:
		return emptyWith(x, x.Input)
	case *Aggregate:
		if len(x.Keys) > 0 && len(x.Totals) == 0 {
			return emptyWith(x, x.Input)
		}
	case *Window:
		return emptyWith(x, x.Input)
	case *Unnest:
		return emptyWith(x, x.Input)
	case *Sort:
		if x.Limit == 0 {
			return empty(x, ": LIMIT 0")
		}
		return emptyWith(x, x.Input)
	case *Limit:
		if x.N == 0 {
			return empty(x, ": LIMIT 0")
		}
		return emptyWith(x, x.Input)
	case *Union:
		all := x.Items
		x.Items = slices.DeleteFunc(slices.Clone(all), isEmpty)
		if len(x.Items) == 0 {
			return emptyWith(x, all[0])
		}
	case *SetOp:
		for i, item := range x.Items {
			if isEmpty(item) && (i == 0 || x.Kind == Intersect) {
				return emptyWith(x, item)
			}
		}
	case *Join:
		return x.nothing()
	}
	return n
}

// nothing is what is left of a join if a side is empty.
func (x *Join) nothing() Node {
	left, right := isEmpty(x.Left), isEmpty(x.Right)
	switch {
	case left && !x.Kind.keepsRight():
		return emptyWith(x, x.Left)
	case left && right:
		return emptyWith(x, x.Left)
	case left:
		return padded(x.Cols(), x.Right)
	case !right:
		return x
	}
	switch x.Kind {
	case InnerJoin, RightJoin, SemiJoin:
		return emptyWith(x, x.Right)
	case AntiJoin:
		return x.Left
	case MarkJoin:
		p := padded(x.Cols(), x.Left)
		p.Exprs[len(p.Exprs)-1] = boolConst(false, x.Place)
		return p
	}
	return padded(x.Cols(), x.Left)
}

// padded returns n with NULL for those of the columns that it does not have.
func padded(cols []Col, n Node) *Project {
	made := madeBy(n)
	p := &Project{Input: n, Columns: slices.Clone(cols)}
	for _, c := range cols {
		var e Expr = NewRef(c)
		if !made[c.ID] {
			e = nullConst(c.Type, e.Pos())
		}
		p.Exprs = append(p.Exprs, e)
	}
	return p
}

// isEmpty reports whether n is known to give no rows.
func isEmpty(n Node) bool {
	v, ok := n.(*Values)
	return ok && len(v.Rows) == 0
}

// empty returns what n is when it gives no rows.
func empty(n Node, why string) Node { return &Values{Columns: n.Cols(), Why: why} }

// emptyWith returns n, or what it is if the input of below has no rows.
func emptyWith(n, below Node) Node {
	if v, ok := below.(*Values); ok && len(v.Rows) == 0 {
		return empty(n, v.Why)
	}
	return n
}

// comparedMax bounds the work of holding lists of values against each other.
const comparedMax = 1 << 16

// never reports whether no row meets the filter, and why.
func (n *TableScan) never() (why string, never bool) {
	for _, c := range n.Filter {
		if k, ok := c.(*Const); ok && (k.null() || k.Value.I64[0] == 0) {
			return describe(k) + " is never true", true
		}
	}
	type cond struct {
		Term
		of Expr
	}
	var all []cond
	for _, c := range n.Filter {
		for _, t := range n.term(c) {
			all = append(all, cond{t, c})
		}
	}
	for i, a := range all {
		for _, b := range all[:i] {
			if !samePath(a.Path, b.Path) || !contradict(a.Term, b.Term) && !contradict(b.Term, a.Term) {
				continue
			}
			if a.of == b.of {
				return describe(a.of) + " is never true", true
			}
			return describe(b.of) + " AND " + describe(a.of) + " is never true", true
		}
	}
	return "", false
}

// contradict reports whether no value meets both of two terms on a path; it
// knows a to be an equality, an upper bound or IS NULL.
func contradict(a, b Term) bool {
	switch a.Op {
	case IsNull:
		return b.Op != IsNull
	case Less, LessEq:
		if b.Op != Greater && b.Op != GreaterEq {
			return false
		}
		c := fn.Compare(a.Values, 0, b.Values, 0)
		return c < 0 || c == 0 && (a.Op == Less || b.Op == Greater)
	case Eq:
		if b.Op >= IsNull || a.Values.Len*b.Values.Len > comparedMax {
			return false
		}
		for i := range a.Values.Len {
			if meets(a, i, b) {
				return false
			}
		}
		return true
	}
	return false
}

// meets reports whether value i of a meets b.
func meets(a Term, i int, b Term) bool {
	for j := range b.Values.Len {
		c := fn.Compare(a.Values, i, b.Values, j)
		switch b.Op {
		case Eq:
			if c == 0 {
				return true
			}
			continue
		case NotEq:
			if c == 0 {
				return false
			}
			continue
		case Less:
			return c < 0
		case LessEq:
			return c <= 0
		case Greater:
			return c > 0
		case GreaterEq:
			return c >= 0
		}
	}
	return b.Op == NotEq
}
