package plan

import (
	"fmt"
	"strings"

	"github.com/cairndb/cairn/segment/column"
	"github.com/cairndb/cairn/sql/fn"
	"github.com/cairndb/cairn/sql/parse"
	"github.com/cairndb/cairn/sql/sqlerr"
)

// SubKind is what a Subquery makes of the rows of its query.
type SubKind uint8

// The kinds of sub-queries.
const (
	// ScalarQuery is the value of the only column in the only row: NULL when there
	// is no row, an error when there are more.
	ScalarQuery SubKind = iota
	// ExistsQuery is whether there are rows.
	ExistsQuery
	// AnyQuery is X op ANY (query), with IN for =.
	AnyQuery
	// AllQuery is X op ALL (query), with NOT IN for <>.
	AllQuery
	// ArrayQuery is ARRAY(query): the values of the only column, in the query's
	// order.
	ArrayQuery
)

type (
	// Subquery is a query inside an expression. It is evaluated only for the rows
	// that its place in the expression is evaluated for, as if anew for each; what
	// it refers to of the queries around is in Args, in terms of the row that the
	// expression is evaluated for. Without Args it is run at most once.
	Subquery struct {
		base
		Kind SubKind
		Op   CmpOp  // of AnyQuery and AllQuery
		X    []Expr // what these compare, column by column of the query
		Sub  *SubPlan
		Args []Expr // the values of Sub.Params
	}
	// Outer is a column of a query around the one in which it stands: one of the
	// Params of the SubPlan.
	Outer struct {
		base
		ID   ColID
		Name string
	}
)

// SubPlan is the plan of a query inside an expression. Copies of the expression
// share it.
type SubPlan struct {
	Root   Node
	Params []Col // what Outer expressions in Root name
	// Lookup is how to answer for all values of the parameters by one run; nil
	// when that is not known.
	Lookup *Lookup
	// Volatile is set when two runs may differ.
	Volatile bool
	ready    bool
	// safe is whether running it raises no error, and one whether it gives one row
	// at most, once checked is set.
	checked, safe, one bool
}

func (e *Subquery) operands() []Expr { return append(e.X[:len(e.X):len(e.X)], e.Args...) }
func (e *Outer) operands() []Expr    { return nil }

func (e *Subquery) with(ops []Expr) Expr {
	c := *e
	c.X, c.Args = ops[:len(e.X):len(e.X)], ops[len(e.X):]
	return &c
}
func (e *Outer) with([]Expr) Expr { return e }

// capture collects what a sub-query refers to of the queries around it.
type capture struct {
	sub    *SubPlan
	args   []Expr
	aggs   *aggregates // of the query around, where they may stand
	clause string      // of the query around
}

// captured returns the expression by which a sub-query names e, an expression
// of the query around it.
func (b *binder) captured(c *capture, e Expr) Expr {
	switch e.(type) {
	case *Const, *Param:
		return e
	}
	b.captures++
	for i, have := range c.args {
		if same(have, e) {
			p := c.sub.Params[i]
			return &Outer{base{p.Type, e.Pos()}, p.ID, p.Name}
		}
	}
	p := Col{b.newID(), describe(e), e.Type()}
	c.args, c.sub.Params = append(c.args, e), append(c.sub.Params, p)
	return &Outer{base{p.Type, e.Pos()}, p.ID, p.Name}
}

// seen returns how the scope target looks from the place that sees from: names
// pass through every sub-query between the two.
func seen(target, from *scope) *scope {
	if from == target || from == nil {
		return target
	}
	inner := seen(target, from.outer)
	if from.capture == nil {
		return inner
	}
	return &scope{outer: inner, capture: from.capture}
}

// boundary returns the scope of the nearest sub-query around a place.
func (s *scope) boundary() *scope {
	for ; s != nil; s = s.outer {
		if s.capture != nil {
			return s
		}
	}
	return nil
}

// subplan binds a query inside an expression of scope sc.
func (b *binder) subplan(q *parse.Query, sc *scope, clause string) (*SubPlan, *capture, error) {
	if b.relations++; b.relations > relationsMax {
		return nil, nil, sqlerr.New(sqlerr.StatementTooComplex, q.Pos, "the query reads more than %d tables and sub-queries", relationsMax)
	}
	c := &capture{sub: &SubPlan{}, aggs: b.aggs, clause: clause}
	n, err := b.inside(&scope{outer: sc, capture: c}, q, b.names)
	if err != nil {
		return nil, nil, err
	}
	c.sub.Root, c.sub.Volatile = n, volatileNode(n)
	return c.sub, c, nil
}

// subquery binds a scalar sub-query or ARRAY(query).
func (b *binder) subquery(x *parse.Subquery, sc *scope, clause string) (Expr, error) {
	sub, c, err := b.subplan(x.Query, sc, clause)
	if err != nil {
		return nil, err
	}
	cols := sub.Root.Cols()
	if len(cols) != 1 {
		what := "a sub-query used as a value"
		if x.Array {
			what = "ARRAY(query)"
		}
		return nil, sqlerr.New(sqlerr.SyntaxError, x.Query.Pos, "%s must have one column, not %d", what, len(cols))
	}
	e := &Subquery{base: base{cols[0].Type, x.Pos}, Sub: sub, Args: c.args}
	if x.Array {
		e.Kind, e.T = ArrayQuery, column.ArrayOf(cols[0].Type)
	}
	return e, nil
}

func (b *binder) exists(x *parse.Exists, sc *scope, clause string) (Expr, error) {
	sub, c, err := b.subplan(x.Query, sc, clause)
	if err != nil {
		return nil, err
	}
	return &Subquery{base: base{column.BooleanType, x.Pos}, Kind: ExistsQuery, Sub: sub, Args: c.args}, nil
}

func (b *binder) quantified(x *parse.Quantified, sc *scope, clause string) (Expr, error) {
	if x.Query == nil {
		return b.quantifiedArray(x, sc, clause)
	}
	op, ok := comparisons[x.Op]
	if !ok {
		return nil, sqlerr.New(sqlerr.SyntaxError, x.Pos, "%s does not go with ANY, SOME or ALL", x.Op).
			WithHint("it takes one of = <> < <= > >=")
	}
	kind := AnyQuery
	if x.All {
		kind = AllQuery
	}
	return b.compareAll(kind, op, x.X, x.Query, x.Pos, sc, clause)
}

// compareAll binds x op ANY (query) and x op ALL (query). x may be a row as
// wide as the query.
func (b *binder) compareAll(kind SubKind, op CmpOp, x parse.Expr, q *parse.Query, pos parse.Pos, sc *scope, clause string) (Expr, error) {
	sub, c, err := b.subplan(q, sc, clause)
	if err != nil {
		return nil, err
	}
	cols := sub.Root.Cols()
	left := []parse.Expr{x}
	if row, ok := x.(*parse.Row); ok && (len(cols) != 1 || cols[0].Type.Kind != column.Row) {
		left = row.Items
	}
	if len(left) != len(cols) {
		return nil, sqlerr.New(sqlerr.SyntaxError, q.Pos, "the sub-query has %d columns, and is compared with %d", len(cols), len(left))
	}
	if len(left) > 1 && op != CmpEq && op != CmpNe {
		return nil, sqlerr.New(sqlerr.FeatureNotSupported, pos, "rows are compared with a sub-query by = and <> only")
	}
	e := &Subquery{base: base{column.BooleanType, pos}, Kind: kind, Op: op, Sub: sub, Args: c.args}
	project := &Project{Input: sub.Root}
	changed := false
	for i, l := range left {
		bound, err := b.bindExpr(l, sc, clause)
		if err != nil {
			return nil, err
		}
		col := cols[i]
		ref := &Ref{base{col.Type, q.Pos}, col.ID, col.Name}
		pair := []Expr{bound, ref}
		t, err := b.unify(inList, pair, pos)
		if err != nil {
			return nil, err
		}
		if op != CmpEq && op != CmpNe && !fn.CanOrder(t) {
			return nil, sqlerr.New(sqlerr.DatatypeMismatch, pos, "values of type %s have no order", t)
		}
		e.X = append(e.X, pair[0])
		project.Exprs = append(project.Exprs, pair[1])
		if pair[1] == ref {
			project.Columns = append(project.Columns, col)
			continue
		}
		changed = true
		project.Columns = append(project.Columns, Col{b.newID(), col.Name, pair[1].Type()})
	}
	if changed {
		sub.Root = project
	}
	return e, nil
}

// ofOuter reports whether bound arguments refer to columns of queries around,
// and to no others.
func ofOuter(args []Expr) bool {
	outer, own := false, false
	for _, a := range args {
		Walk(a, func(x Expr) bool {
			switch x.(type) {
			case *Outer:
				outer = true
			case *Ref:
				own = true
			}
			return !own
		})
	}
	return outer && !own
}

// outerAggregate binds an aggregate all of whose arguments are columns of a
// query around the sub-query that it stands in: it is an aggregate of that
// query. It returns nil for any other.
func (b *binder) outerAggregate(x *parse.Call, sc *scope) (Expr, error) {
	edge := sc.boundary()
	if edge == nil || len(x.Args) == 0 {
		return nil, nil
	}
	was := b.aggs
	b.aggs = nil
	undo := captures(sc)
	args, err := b.exprs(x.Args, sc, "the argument of an aggregate")
	undo()
	b.aggs = was
	if err != nil || !ofOuter(args) {
		return nil, nil // whatever is wrong comes to light again
	}
	b.aggs = edge.capture.aggs
	e, err := b.bindExpr(x, edge.outer, edge.capture.clause)
	b.aggs = was
	if err != nil {
		return nil, err
	}
	return b.captured(edge.capture, e), nil
}

// captures returns a function that forgets what sub-queries around a place take
// from further out from now on.
func captures(s *scope) (undo func()) {
	type length struct {
		c *capture
		n int
	}
	var list []length
	for ; s != nil; s = s.outer {
		if c := s.capture; c != nil {
			list = append(list, length{c, len(c.args)})
		}
	}
	return func() {
		for _, l := range list {
			l.c.args, l.c.sub.Params = l.c.args[:l.n], l.c.sub.Params[:l.n]
		}
	}
}

// hasOuter reports whether e refers to a query around.
func hasOuter(e Expr) bool {
	found := false
	Walk(e, func(x Expr) bool {
		if _, ok := x.(*Outer); ok {
			found = true
		}
		return !found
	})
	return found
}

// Subqueries calls f for the sub-queries in the expressions of a node.
func Subqueries(n Node, f func(*Subquery)) {
	for _, e := range nodeExprs(n) {
		Walk(e, func(x Expr) bool {
			if s, ok := x.(*Subquery); ok {
				f(s)
			}
			return true
		})
	}
}

// eachNode calls f for n and the nodes below it.
func eachNode(n Node, f func(Node)) {
	f(n)
	for _, in := range n.Inputs() {
		eachNode(in, f)
	}
}

// finish plans the sub-queries in the expressions of a plan, each once.
func (o *optimizer) finish(root Node) {
	eachNode(root, func(n Node) {
		if x, ok := n.(*Join); ok && x.Lateral && o.on(KeepInner) {
			keepLateral(x)
		}
		Subqueries(n, func(s *Subquery) {
			sub := s.Sub
			if sub.ready {
				return
			}
			sub.ready = true
			if len(sub.Params) > 0 && !sub.Volatile && o.on(Lookups) {
				sub.Lookup = o.lookup(sub, s.Kind)
			}
			sub.Root = o.plan(sub.Root, s.Kind != ExistsQuery)
			if len(sub.Params) > 0 && !sub.Volatile && sub.Lookup == nil && o.on(KeepInner) {
				sub.Root = keepInner(sub.Root, s.Kind == ExistsQuery || s.Kind == AnyQuery || s.Kind == AllQuery)
			}
		})
	})
}

// volatileNode reports whether two runs of a plan may give different rows.
func volatileNode(n Node) bool {
	found := false
	eachNode(n, func(n Node) {
		for _, e := range nodeExprs(n) {
			found = found || Volatile(e)
			Walk(e, func(x Expr) bool {
				if s, ok := x.(*Subquery); ok {
					found = found || volatileNode(s.Sub.Root)
				}
				return !found
			})
		}
	})
	return found
}

// describe shows the place of a sub-query in an expression; the query itself
// follows under the node.
func (e *Subquery) describe() string {
	at := fmt.Sprintf("sub-query %s", e.Sub.Name())
	switch e.Kind {
	case ExistsQuery:
		return "EXISTS (" + at + ")"
	case ArrayQuery:
		return "ARRAY(" + at + ")"
	case AnyQuery, AllQuery:
		x := describeList(e.X)
		if len(e.X) > 1 {
			x = "(" + x + ")"
		}
		switch {
		case e.Kind == AnyQuery && e.Op == CmpEq:
			return x + " IN (" + at + ")"
		case e.Kind == AllQuery && e.Op == CmpNe:
			return x + " NOT IN (" + at + ")"
		case e.Kind == AnyQuery:
			return x + " " + e.Op.String() + " ANY (" + at + ")"
		}
		return x + " " + e.Op.String() + " ALL (" + at + ")"
	}
	return "(" + at + ")"
}

// Name names a sub-query in EXPLAIN by what it reads.
func (s *SubPlan) Name() string {
	var names []string
	root := s.Root
	if s.Lookup != nil {
		root = s.Lookup.Root
	}
	eachNode(root, func(n Node) {
		switch t := n.(type) {
		case *TableScan:
			names = append(names, t.Table.Name())
		case *SharedScan:
			names = append(names, t.Of.Name)
		}
	})
	if len(names) == 0 {
		return "without a table"
	}
	return "over " + strings.Join(names, ", ")
}

// harmless reports whether evaluating a sub-query raises no error: one that runs
// once, and which nothing can go wrong in.
func (e *Subquery) harmless() bool {
	sub := e.Sub
	if len(e.Args) > 0 || sub.Volatile {
		return false
	}
	if !sub.checked {
		sub.checked, sub.safe, sub.one = true, safe(sub.Root), atMostOne(sub.Root)
	}
	return sub.safe && (e.Kind != ScalarQuery || sub.one)
}

// atMostOne reports whether n gives at most one row.
func atMostOne(n Node) bool {
	switch x := n.(type) {
	case *Aggregate:
		return len(x.Keys) == 0
	case *Values:
		return len(x.Rows) <= 1
	case *Project:
		return atMostOne(x.Input)
	case *Filter:
		return atMostOne(x.Input)
	case *Sort:
		return x.Limit >= 0 && x.Limit <= 1 && !x.Ties || atMostOne(x.Input)
	case *Limit:
		return x.N >= 0 && x.N <= 1 || atMostOne(x.Input)
	}
	return false
}
