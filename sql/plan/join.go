package plan

import (
	"slices"
	"strings"

	"github.com/cairndb/cairn/segment/column"
	"github.com/cairndb/cairn/sql/parse"
)

// JoinKind says which rows a Join gives.
type JoinKind uint8

// The kinds of joins. The first four are those of FROM; the others come from
// sub-queries and give every left row at most once.
const (
	// InnerJoin gives every pair of a left and a right row that match.
	InnerJoin JoinKind = iota
	// LeftJoin is InnerJoin, and left rows without match with NULLs on the right.
	LeftJoin
	// RightJoin is InnerJoin, and right rows without match with NULLs on the left.
	RightJoin
	// FullJoin is both LeftJoin and RightJoin.
	FullJoin
	// SemiJoin gives the left rows that have a match: EXISTS, and IN as a
	// condition.
	SemiJoin
	// AntiJoin gives the left rows that have none: NOT EXISTS, and with NullAware
	// NOT IN as a condition.
	AntiJoin
	// MarkJoin gives every left row once, with one more column that says whether
	// it has a match: EXISTS and IN where their value is wanted.
	MarkJoin
	// SingleJoin is LeftJoin, and fails with SQLSTATE 21000 when a left row has
	// more than one match: a scalar sub-query.
	SingleJoin
)

var joinNames = [...]string{"Inner join", "Left join", "Right join", "Full join", "Semi-join", "Anti-join", "Mark join", "Single join"}

// String returns the name of the kind as EXPLAIN shows it.
func (k JoinKind) String() string { return joinNames[k] }

// keepsLeft reports whether left rows without match are in the result.
func (k JoinKind) keepsLeft() bool {
	return k == LeftJoin || k == FullJoin || k == MarkJoin || k == SingleJoin || k == AntiJoin
}

// keepsRight reports whether right rows without match are in the result.
func (k JoinKind) keepsRight() bool { return k == RightJoin || k == FullJoin }

// givesRight reports whether the columns of the right side are in the result.
func (k JoinKind) givesRight() bool {
	return k != SemiJoin && k != AntiJoin && k != MarkJoin
}

// Join pairs the rows of two inputs. A left and a right row match when all of
// On are true. Its columns are those of Left, then, unless the kind gives only
// left rows, those of Right; a MarkJoin adds Mark.
//
// On holds conjuncts over the columns of both sides, in any form; execution
// finds the equalities to hash by. No condition at all is a cross join.
//
// # Sub-queries
//
// A condition x IN (SELECT y …) is a SemiJoin on x = y; x NOT IN (SELECT y …)
// an AntiJoin on x = y with NullAware 1; either of them where its value counts,
// as under OR, a MarkJoin with NullAware 1, whose Mark is then true, false or
// NULL as IN has it. EXISTS is the same with NullAware 0 and whatever the
// sub-query's WHERE asked of both sides in On. A scalar sub-query is a
// SingleJoin, whose right side has one column besides those that On needs.
//
// # Lateral
//
// With Lateral set, Right may refer to columns of Left in any expression: it
// stands for a relation of its own for every left row. Execution runs it once
// per distinct combination of the left columns that it refers to, so it is
// correct for every correlated sub-query and right only for those that cannot
// be expressed by On. Right may refer to the columns of several joins around
// it; each is lateral then. Lateral goes with every kind but RightJoin and
// FullJoin.
type Join struct {
	Kind        JoinKind
	Left, Right Node
	On          []Expr
	// NullAware says how many of On, from the first, are the comparisons of an
	// IN: among the right rows for which the rest of On is true, the row has a
	// match, has none, or it is unknown (NULL) by the rules of IN. For AntiJoin,
	// which gives the rows that certainly have none, and MarkJoin. Elsewhere 0.
	NullAware int
	// Mark is the column that a MarkJoin adds, a boolean.
	Mark    Col
	Lateral bool
	// Place is what errors of the join itself point at.
	Place parse.Pos
}

// Cols implements Node.
func (n *Join) Cols() []Col {
	left := n.Left.Cols()
	switch {
	case n.Kind == MarkJoin:
		return append(left[:len(left):len(left)], n.Mark)
	case n.Kind.givesRight():
		return append(left[:len(left):len(left)], n.Right.Cols()...)
	}
	return left
}

// Inputs implements Node.
func (n *Join) Inputs() []Node { return []Node{n.Left, n.Right} }

// Unnest gives, for every row of Input, a row for each element of the arrays
// and maps that Args are: CROSS JOIN UNNEST(…). Several arguments go side by
// side, the shorter ones padded with NULL; NULL counts as empty. Rows without
// any element go, unless Outer is set. Its columns are those of Input, then
// Columns: for each argument its UnnestTypes, and with Ordinality the number of
// the element, from 1, as bigint.
type Unnest struct {
	Input      Node
	Args       []Expr
	Columns    []Col
	Ordinality bool
	// Series says that Args are not arrays but start, end and step of a series of
	// bigints, of which there may be many: generate_series(1, 1000000).
	Series bool
	// Outer keeps rows without elements, with NULL in all of Columns: LEFT JOIN
	// UNNEST(…) ON TRUE.
	Outer bool
}

// Cols implements Node.
func (n *Unnest) Cols() []Col {
	in := n.Input.Cols()
	return append(in[:len(in):len(in)], n.Columns...)
}

// Inputs implements Node.
func (n *Unnest) Inputs() []Node { return []Node{n.Input} }

// UnnestTypes returns the types of the columns that an array or map of type t
// becomes: key and value of a map, the fields of an array of rows, else the
// element. nil when t is neither array nor map.
func UnnestTypes(t *column.Type) []*column.Type {
	switch t.Kind {
	case column.Map:
		return []*column.Type{t.Key, t.Elem}
	case column.Array:
		if t.Elem.Kind != column.Row {
			return []*column.Type{t.Elem}
		}
		var types []*column.Type
		for _, f := range t.Elem.Fields {
			types = append(types, f.Type)
		}
		return types
	}
	return nil
}

// nodeExprs returns the expressions of a node itself.
func nodeExprs(n Node) []Expr {
	var out []Expr
	switch x := n.(type) {
	case *TableScan:
		return x.Filter
	case *Values:
		for _, row := range x.Rows {
			out = append(out, row...)
		}
	case *Filter:
		return x.Conds
	case *Project:
		return x.Exprs
	case *Aggregate:
		out = append(out, x.Keys...)
		for i := range x.Aggs {
			out = append(out, x.Aggs[i].Args...)
			if f := x.Aggs[i].Filter; f != nil {
				out = append(out, f)
			}
			for _, k := range x.Aggs[i].Order {
				out = append(out, k.Expr)
			}
		}
	case *Expand:
		return x.Keys
	case *Sort:
		for _, k := range x.Keys {
			out = append(out, k.Expr)
		}
	case *Window:
		for _, k := range x.Keys {
			out = append(out, k.Expr)
		}
		for i := range x.Funcs {
			f := &x.Funcs[i]
			out = append(out, f.Args...)
			for _, e := range []Expr{f.Filter, f.Frame.Start.Offset, f.Frame.Start.Key, f.Frame.Start.Limit,
				f.Frame.End.Offset, f.Frame.End.Key, f.Frame.End.Limit} {
				if e != nil {
					out = append(out, e)
				}
			}
		}
	case *Join:
		return x.On
	case *Unnest:
		return x.Args
	}
	return out
}

// Exprs returns the expressions of a node itself.
func Exprs(n Node) []Expr { return nodeExprs(n) }

// OuterRefs returns the columns that n and the nodes below refer to and none of
// them makes: those of the queries around it.
func OuterRefs(n Node) map[ColID]bool {
	used, made := map[ColID]bool{}, map[ColID]bool{}
	var walk func(Node)
	walk = func(n Node) {
		for _, e := range nodeExprs(n) {
			refs(e, used)
		}
		for _, c := range n.Cols() {
			made[c.ID] = true
		}
		for _, in := range n.Inputs() {
			walk(in)
		}
	}
	walk(n)
	for id := range made {
		delete(used, id)
	}
	return used
}

// sink moves conditions, of a filter above and of the join itself, into the
// inputs. A condition may leave the filter for an input whose rows stand in the
// result only as they are; it may leave On for an input whose rows do not
// appear without match. Columns of queries around this one are like constants.
func (x *Join) sink(o *optimizer, conds []Expr) Node {
	if o.on(StrengthenJoins) {
		x.strengthen(conds)
	}
	var flat []Expr
	for _, c := range conds {
		flat = append(flat, conjuncts(c)...)
	}
	conds = flat
	if x.Kind == InnerJoin && !x.Lateral {
		if o.on(OrderJoins) {
			x, conds = x.ordered(conds)
		} else {
			x.On, conds = nil, append(conds, x.On...)
		}
		if o.on(ImpliedFilters) {
			conds = append(conds, implied(conds, conds)...)
		}
	}
	if !o.on(PushFilters) {
		if x.Kind == InnerJoin {
			x.On, conds = append(x.On, conds...), nil
		}
		x.Left, x.Right = o.sink(x.Left, nil), o.sink(x.Right, nil)
		return filtered(x, conds)
	}
	left, right := madeBy(x.Left), madeBy(x.Right)
	var toLeft, toRight, above []Expr
	for _, c := range conds {
		onLeft, onRight, onMark := x.sides(c, left, right)
		var to *[]Expr
		switch {
		case Volatile(c) || onMark:
		case !onRight && !x.Kind.keepsRight():
			to = &toLeft
		case !onLeft && (x.Kind == InnerJoin || x.Kind == RightJoin):
			to = &toRight
		}
		switch {
		case to != nil:
			below, stays := guard(c)
			*to = append(*to, below)
			if stays {
				above = append(above, c)
			}
		case x.Kind == InnerJoin && !Volatile(c):
			x.On = append(x.On, c)
		default:
			above = append(above, c)
		}
	}
	on := x.On[:x.NullAware:x.NullAware]
	for _, c := range x.On[x.NullAware:] {
		onLeft, onRight, _ := x.sides(c, left, right)
		var to *[]Expr
		switch {
		case Volatile(c):
		case !onRight && !x.Kind.keepsLeft():
			to = &toLeft
		case !onLeft && !x.Kind.keepsRight():
			to = &toRight
		}
		if to == nil {
			on = append(on, c)
			continue
		}
		below, stays := guard(c)
		*to = append(*to, below)
		if stays {
			on = append(on, c)
		}
	}
	x.On = on
	// What an outer join asks of the rows that it keeps goes for their matches. It
	// does not for the comparisons of an IN, which NULLs count for.
	if x.Kind != InnerJoin && !x.Kind.keepsRight() && o.on(ImpliedFilters) {
		for _, c := range implied(toLeft, x.On[x.NullAware:]) {
			if onLeft, _, _ := x.sides(c, left, right); !onLeft {
				toRight = append(toRight, c)
			}
		}
	}
	x.Left, x.Right = o.sink(x.Left, toLeft), o.sink(x.Right, toRight)
	return filtered(x, above)
}

// sides reports which columns of the join a condition refers to.
func (x *Join) sides(c Expr, left, right map[ColID]bool) (onLeft, onRight, onMark bool) {
	used := map[ColID]bool{}
	refs(c, used)
	for id := range used {
		onLeft, onRight = onLeft || left[id], onRight || right[id]
		onMark = onMark || x.Kind == MarkJoin && id == x.Mark.ID
	}
	return onLeft, onRight, onMark
}

// madeBy returns the columns of a node.
func madeBy(n Node) map[ColID]bool {
	m := map[ColID]bool{}
	for _, c := range n.Cols() {
		m[c.ID] = true
	}
	return m
}

// prune drops the columns that are not needed from both inputs.
func (x *Join) prune(o *optimizer, need map[ColID]bool) Node {
	for _, c := range x.On {
		refs(c, need)
	}
	right := map[ColID]bool{}
	for id := range need {
		right[id] = true
	}
	x.Right = o.narrow(x.Right, right)
	if x.Lateral {
		for id := range OuterRefs(x.Right) {
			need[id] = true
		}
	}
	x.Left = o.narrow(x.Left, need)
	return x
}

// sink moves conditions on the columns of the input below the Unnest.
func (x *Unnest) sink(o *optimizer, conds []Expr) Node {
	var below, above []Expr
	for _, c := range conds {
		if moved, ok := through(c, nil, nil, x.Columns); ok {
			below = append(below, moved)
		} else {
			above = append(above, c)
		}
	}
	made := map[ColID]bool{}
	for _, c := range x.Columns {
		made[c.ID] = true
	}
	if o.on(StrengthenJoins) && slices.ContainsFunc(above, func(c Expr) bool { return rejects(c, made) }) {
		x.Outer = false
	}
	x.Input = o.sink(x.Input, below)
	return filtered(x, above)
}

// prune drops the columns of the input that are not needed; those that the
// Unnest makes cost nothing until somebody reads them.
func (x *Unnest) prune(o *optimizer, need map[ColID]bool) Node {
	for _, a := range x.Args {
		refs(a, need)
	}
	x.Input = o.prune(x.Input, need)
	return x
}

// describe shows a join for EXPLAIN.
func (x *Join) describe() []string {
	head := x.Kind.String()
	if len(x.On) == 0 && x.Kind == InnerJoin {
		head = "Cross join"
	}
	if x.Lateral {
		head = "Lateral " + strings.ToLower(head)
	}
	if len(x.On) > 0 {
		head += " on " + joined(x.On, " AND ")
	}
	if x.NullAware > 0 {
		return []string{head, "NULLs compare as in IN"}
	}
	return []string{head}
}

// describe shows an Unnest for EXPLAIN.
func (x *Unnest) describe() []string {
	head := "Unnest " + describeList(x.Args)
	if x.Series {
		head = "Series " + describeList(x.Args)
	}
	if x.Ordinality {
		head += " with ordinality"
	}
	if x.Outer {
		head += ", keeping rows without elements"
	}
	return []string{head}
}

// KeyPair is an equality between the two sides of a join.
type KeyPair struct {
	Left, Right Expr // over the columns of that side alone
	// Nulls is set for IS NOT DISTINCT FROM.
	Nulls bool
}

// Equality takes a condition of a join for an equality that rows can be found
// by, if it is one.
func Equality(cond Expr, left, right []Col) (KeyPair, bool) {
	c, ok := cond.(*Compare)
	if !ok || c.Op != CmpEq && c.Op != IsNotDistinct || Volatile(c) {
		return KeyPair{}, false
	}
	a, b := c.L.Type(), c.R.Type()
	if a.Kind != b.Kind || a.Kind == column.Decimal && (a.Scale != b.Scale || a.Payload() != b.Payload()) || !a.Equal(b) && a.Payload() == column.PayloadNested {
		return KeyPair{}, false
	}
	switch {
	case only(c.L, left) && only(c.R, right):
		return KeyPair{c.L, c.R, c.Op == IsNotDistinct}, true
	case only(c.L, right) && only(c.R, left):
		return KeyPair{c.R, c.L, c.Op == IsNotDistinct}, true
	}
	return KeyPair{}, false
}

// Order takes a condition of a join for left op right, an order between its two
// sides, if it is one.
func Order(cond Expr, left, right []Col) (op CmpOp, l, r Expr, ok bool) {
	c, is := cond.(*Compare)
	if !is || c.Op < CmpLt || c.Op > CmpGe || Volatile(c) {
		return 0, nil, nil, false
	}
	switch {
	case only(c.L, left) && only(c.R, right):
		return c.Op, c.L, c.R, true
	case only(c.L, right) && only(c.R, left):
		return c.Op.flip(), c.R, c.L, true
	}
	return 0, nil, nil, false
}

// Range is a value of one side of a join that conditions bound by values of the
// other: By Ops[i] Of[i].
type Range struct {
	By  Expr
	Ops []CmpOp
	Of  []Expr
}

// RangeOf returns the value over the held columns that is bounded first, and what
// bounds it; nil for none. Only conditions count that no condition comes before that
// may fail, but by its own value.
func RangeOf(conds []Expr, held, other []Col) *Range {
	var x Range
	for _, c := range conds {
		if _, ok := Equality(c, held, other); ok {
			continue // evaluated for all rows
		}
		op, l, r, ok := Order(c, held, other)
		if ok && scalar(l.Type()) && l.Type().Equal(r.Type()) && !hasSubquery(c) && (x.By == nil || same(x.By, l)) {
			x.By, x.Ops, x.Of = l, append(x.Ops, op), append(x.Of, r)
			continue
		}
		if !harmless(c) {
			break
		}
	}
	if x.By == nil {
		return nil
	}
	return &x
}

// only reports whether e refers to columns, and to these only.
func only(e Expr, cols []Col) bool {
	used := map[ColID]bool{}
	refs(e, used)
	n := 0
	for _, c := range cols {
		if used[c.ID] {
			n++
		}
	}
	return n > 0 && n == len(used)
}

// RefersOut reports whether the filter depends on columns of queries around.
func (n *TableScan) RefersOut() bool {
	made := madeBy(n)
	out := false
	for _, f := range n.Filter {
		Walk(f, func(e Expr) bool {
			switch e := e.(type) {
			case *Outer:
				out = true
			case *Ref:
				out = out || !made[e.ID]
			}
			return !out
		})
	}
	return out
}

// OuterTerms returns the terms that follow from the filter once the columns of
// queries around have values: vectors of one value, nil for one without.
func (n *TableScan) OuterTerms(value func(ColID) *column.Vector) []Term {
	made := madeBy(n)
	var out []Term
	if n.Untold || n.Unordered {
		return nil
	}
	for _, f := range n.Filter {
		outer := false
		known := rewrite(f, func(e Expr) Expr {
			var id ColID
			switch e := e.(type) {
			case *Outer:
				id = e.ID
			case *Ref:
				if made[e.ID] {
					return e
				}
				id = e.ID
			default:
				return e
			}
			v := value(id)
			if v == nil {
				return e
			}
			outer = true
			return constant(e.Type(), v, e.Pos())
		})
		if outer {
			out = append(out, n.term(known)...)
		}
	}
	return out
}
