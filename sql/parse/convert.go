package parse

import (
	"strconv"
	"strings"

	"github.com/pingcap/tidb/pkg/parser/ast"
	"github.com/pingcap/tidb/pkg/parser/opcode"

	"github.com/cairndb/cairn/sql/sqlerr"
)

// converter turns the skeleton tree into ours. It knows the few node types that
// the rewriter's text can produce and refuses every other: should a new version
// of the parser read something differently, that becomes an error here and not
// a wrong answer.
type converter struct {
	toks    []token
	marks   []mark
	dialect Dialect
	err     *sqlerr.Error // the first mistake
}

// span is the range of tokens that an expression covers, its parentheses
// included.
type span struct{ first, last int32 }

// strange reports a node that the rewriter's text should not have produced.
func (c *converter) strange(what string, n any) {
	c.fail(Pos{}, sqlerr.Internal, "the query was not understood: %s of type %T", what, n)
}

func (c *converter) fail(pos Pos, code, format string, args ...any) {
	if c.err == nil {
		c.err = sqlerr.New(code, pos, format, args...)
	}
}

func (c *converter) pos(s span) Pos {
	return place(int(c.toks[s.first].start), int(c.toks[s.last].end))
}

// mark returns the entry that a name stands for.
func (c *converter) mark(name string) *mark {
	if len(name) > 1 && name[0] == 'm' {
		if n, err := strconv.Atoi(name[1:]); err == nil && n >= 0 && n < len(c.marks) {
			return &c.marks[n]
		}
	}
	c.strange("name "+name, nil)
	return &mark{kind: markLeaf, node: &Literal{}}
}

// call returns the mark and the arguments if n is a call of one.
func (c *converter) call(n ast.Node) (*mark, []ast.ExprNode) {
	if f, ok := n.(*ast.FuncCallExpr); ok {
		return c.mark(f.FnName.O), f.Args
	}
	return nil, nil
}

// wanted returns the call of a mark that must be of a kind.
func (c *converter) wanted(n ast.Node, kind markKind) (*mark, []ast.ExprNode) {
	m, args := c.call(n)
	if m == nil || m.kind != kind {
		c.strange("clause", n)
		return nil, nil
	}
	return m, args
}

// query converts a statement or a subquery.
func (c *converter) query(n ast.Node) *Query {
	var limit *ast.Limit
	var order *ast.OrderByClause
	q := &Query{}
	switch n := n.(type) {
	case *ast.SelectStmt:
		limit, order = n.Limit, n.OrderBy
		if m, args := c.call(fieldExpr(n)); m != nil && m.kind == markWith {
			return c.with(m, args)
		}
		if body, inner := c.member(n); inner != nil {
			q.Body = inner
		} else {
			q.Body = body
		}
	case *ast.SetOprStmt:
		limit, order = n.Limit, n.OrderBy
		if n.With != nil {
			c.strange("query", n)
		}
		q.Body = c.setOperations(n.SelectList.Selects)
	default:
		c.strange("query", n)
		return q
	}
	t := c.queryTail(limit)
	if t == nil {
		return q
	}
	q.Pos, q.Limit, q.Offset, q.Ties = t.pos, t.limit, t.offset, t.ties
	if order != nil {
		q.OrderBy = c.byItems(order.Items)
	}
	// A lone query in parentheses with nothing behind it is that query.
	if inner, ok := q.Body.(*Query); ok {
		if q.OrderBy == nil && q.Limit == nil && q.Offset == nil {
			inner.Pos = q.Pos
			return inner
		}
		q.Body = plainBody(inner)
	}
	return q
}

// plainBody returns the body of a query that has nothing else, else the query.
func plainBody(q *Query) Body {
	if q.With == nil && q.OrderBy == nil && q.Limit == nil && q.Offset == nil {
		return q.Body
	}
	return q
}

// queryTail returns what the rewriter kept behind LIMIT.
func (c *converter) queryTail(limit *ast.Limit) *tail {
	if limit != nil && limit.Offset == nil {
		if v, ok := limit.Count.(*skeletonValue); ok {
			if n, ok := v.value.(uint64); ok && n < uint64(len(c.marks)) {
				if t, ok := c.marks[n].node.(*tail); ok {
					return t
				}
			}
		}
	}
	c.strange("LIMIT", limit)
	return nil
}

// fieldExpr returns the first output expression of a SELECT.
func fieldExpr(s *ast.SelectStmt) ast.Node {
	if s.Fields == nil || len(s.Fields.Fields) == 0 || s.Fields.Fields[0].Expr == nil {
		return nil
	}
	return s.Fields.Fields[0].Expr
}

func (c *converter) with(m *mark, args []ast.ExprNode) *Query {
	block := m.node.(*withBlock)
	if len(args) < 2 {
		c.strange("WITH", m.node)
		return &Query{}
	}
	var ctes []CTE
	for _, arg := range args[:len(args)-1] {
		cm, cargs := c.wanted(arg, markCTE)
		if cm == nil || len(cargs) != 1 {
			return &Query{}
		}
		cte := cm.node.(*CTE)
		cte.Query = c.subquery(cargs[0])
		ctes = append(ctes, *cte)
	}
	q := c.subquery(args[len(args)-1])
	if q.With != nil {
		q = &Query{Body: q}
	}
	q.Pos, q.With, q.Recursive = block.pos, ctes, block.recursive
	return q
}

// subquery converts a query in parentheses.
func (c *converter) subquery(n ast.Node) *Query {
	if s, ok := n.(*ast.SubqueryExpr); ok {
		return c.query(s.Query)
	}
	c.strange("query", n)
	return &Query{}
}

// member converts one SELECT of a query: to a body, or to the query that it
// stands for.
func (c *converter) member(s *ast.SelectStmt) (Body, *Query) {
	if s.With != nil || s.LockInfo != nil || s.SelectIntoOpt != nil || s.Distinct || len(s.WindowSpecs) > 0 ||
		len(s.TableHints) > 0 || s.Kind != ast.SelectStmtKindSelect {
		c.strange("clause", s)
	}
	m, args := c.call(fieldExpr(s))
	if m == nil {
		c.strange("SELECT", s)
		return &Values{}, nil
	}
	switch m.kind {
	case markSelect:
		return c.selectBlock(s, m, args), nil
	case markValues:
		return c.values(m, args), nil
	case markTerm:
		if len(args) != 1 {
			break
		}
		sub, ok := args[0].(*ast.SubqueryExpr)
		if !ok {
			break
		}
		// A member that was not in parentheses has no tail of its own.
		if inner, ok := sub.Query.(*ast.SelectStmt); ok && inner.Limit == nil {
			if im, _ := c.call(fieldExpr(inner)); im == nil || im.kind != markWith {
				return c.member(inner)
			}
		}
		return nil, c.query(sub.Query)
	}
	c.strange("SELECT", s)
	return &Values{}, nil
}

// setOperations groups the members of a chain: INTERSECT binds tighter than
// UNION and EXCEPT, which go from left to right.
func (c *converter) setOperations(members []ast.Node) Body {
	var result, factor Body
	var pending *ast.SetOprType // the operator between result and factor
	for i, n := range members {
		s, ok := n.(*ast.SelectStmt)
		if !ok {
			c.strange("set operation", n)
			return &Values{}
		}
		body, inner := c.member(s)
		if inner != nil {
			body = plainBody(inner)
		}
		if c.err != nil {
			return &Values{}
		}
		op := s.AfterSetOperator
		switch {
		case i == 0:
			factor = body
		case op == nil:
			c.strange("set operation", n)
			return &Values{}
		case *op == ast.Intersect || *op == ast.IntersectAll:
			factor = setOp(op, factor, body)
		default:
			if pending != nil {
				factor = setOp(pending, result, factor)
			}
			result, factor, pending = factor, body, op
		}
	}
	if pending != nil {
		return setOp(pending, result, factor)
	}
	return factor
}

func setOp(op *ast.SetOprType, left, right Body) Body {
	node := &SetOp{Left: left, Right: right, Pos: place(bodyPos(left).Start, bodyPos(right).End)}
	switch *op {
	case ast.Union, ast.UnionAll:
		node.Op = "union"
	case ast.Except, ast.ExceptAll:
		node.Op = "except"
	default:
		node.Op = "intersect"
	}
	node.All = *op == ast.UnionAll || *op == ast.ExceptAll || *op == ast.IntersectAll
	return node
}

func bodyPos(b Body) Pos {
	switch b := b.(type) {
	case *Select:
		return b.Pos
	case *SetOp:
		return b.Pos
	case *Values:
		return b.Pos
	case *Query:
		return b.Pos
	}
	return Pos{}
}

func (c *converter) values(m *mark, args []ast.ExprNode) Body {
	node := m.node.(*Values)
	for _, e := range c.exprs(args) {
		if row, ok := e.(*Row); ok {
			node.Rows = append(node.Rows, row.Items)
		} else {
			node.Rows = append(node.Rows, []Expr{e})
		}
	}
	for _, row := range node.Rows {
		if len(row) != len(node.Rows[0]) {
			at := row[0].Position()
			c.fail(at, sqlerr.SyntaxError, "the rows of VALUES have different lengths: %d and %d", len(node.Rows[0]), len(row))
			break
		}
	}
	return node
}

func (c *converter) selectBlock(s *ast.SelectStmt, m *mark, args []ast.ExprNode) Body {
	block := m.node.(*selectBlock)
	sel := block.sel
	sel.DistinctOn = c.exprs(args)
	fields := s.Fields.Fields[1:]
	for i := range sel.Items {
		if !block.fields[i] {
			continue
		}
		if len(fields) == 0 || fields[0].Expr == nil || fields[0].WildCard != nil || fields[0].AsName.O != "" {
			c.strange("SELECT item", s)
			return sel
		}
		item := &sel.Items[i]
		item.Expr = c.expr(fields[0].Expr)
		if !item.Star && item.Alias == nil {
			item.Title = title(item.Expr, c.dialect)
		}
		fields = fields[1:]
	}
	if len(fields) > 0 || s.From == nil {
		c.strange("SELECT list", s)
		return sel
	}
	if !block.noFrom {
		sel.From = c.from(s.From.TableRefs)
	}
	if s.Where != nil {
		sel.Where = c.expr(s.Where)
	}
	if s.GroupBy != nil {
		sel.GroupBy = c.groupBy(s.GroupBy)
	}
	if s.Having != nil {
		c.having(sel, s.Having.Expr)
	}
	return sel
}

func (c *converter) having(sel *Select, n ast.ExprNode) {
	m, args := c.wanted(n, markHaving)
	if m == nil {
		return
	}
	if m.node.(*havingBlock).condition && len(args) > 0 {
		sel.Having = c.expr(args[0])
		args = args[1:]
	}
	for _, arg := range args {
		wm, wargs := c.wanted(arg, markWindow)
		if wm == nil || len(wargs) != 1 {
			return
		}
		w := wm.node.(*NamedWindow)
		if om, oargs := c.wanted(wargs[0], markOver); om != nil {
			w.Spec = c.window(om, oargs)
		}
		sel.Windows = append(sel.Windows, *w)
	}
}

// groupBy converts the elements of GROUP BY; a plain list in parentheses gives
// its members.
func (c *converter) groupBy(g *ast.GroupByClause) []GroupItem {
	if g.Rollup {
		c.strange("GROUP BY", g)
	}
	var items []GroupItem
	for _, by := range g.Items {
		m, args := c.call(by.Expr)
		if m == nil || m.kind != markGroup {
			e, s := c.exprSpan(by.Expr)
			items = append(items, GroupItem{Pos: c.pos(s), Expr: e})
			continue
		}
		pos := c.pos(span{m.first, m.last})
		if m.node.(groupKind) == groupSet && len(args) > 0 {
			for _, arg := range args {
				e, s := c.exprSpan(arg)
				items = append(items, GroupItem{Pos: c.pos(s), Expr: e})
			}
			continue
		}
		if sets := c.groupingSets(m, args); c.err == nil {
			items = append(items, GroupItem{Pos: pos, Sets: sets})
		}
	}
	return items
}

// groupingSetsMax is how many sets one ROLLUP, CUBE or GROUPING SETS may spell
// out: CUBE doubles them with every column, and each is a grouping of its own.
const groupingSetsMax = 1024

// groupingSets spells out the sets of a ROLLUP, CUBE, GROUPING SETS or (a, b).
func (c *converter) groupingSets(m *mark, args []ast.ExprNode) [][]Expr {
	tooMany := func() [][]Expr {
		c.fail(c.pos(span{m.first, m.last}), sqlerr.StatementTooComplex, "the grouping has more than %d sets", groupingSetsMax)
		return nil
	}
	kind := m.node.(groupKind)
	if kind == groupSet {
		return [][]Expr{c.exprs(args)}
	}
	if kind == groupingSets {
		var sets [][]Expr
		for _, arg := range args {
			am, aargs := c.call(arg)
			if am == nil || am.kind != markGroup {
				sets = append(sets, []Expr{c.expr(arg)})
			} else {
				sets = append(sets, c.groupingSets(am, aargs)...)
			}
			if len(sets) > groupingSetsMax {
				return tooMany()
			}
		}
		return sets
	}
	// The elements of ROLLUP and CUBE are expressions or lists that stay together.
	var elems [][]Expr
	for _, arg := range args {
		am, aargs := c.call(arg)
		switch {
		case am == nil || am.kind != markGroup:
			elems = append(elems, []Expr{c.expr(arg)})
		case am.node.(groupKind) == groupSet:
			elems = append(elems, c.exprs(aargs))
		default:
			at := c.pos(span{am.first, am.last})
			c.fail(at, sqlerr.SyntaxError, "ROLLUP, CUBE and GROUPING SETS stand inside GROUPING SETS only")
			return nil
		}
	}
	join := func(keep func(i int) bool) []Expr {
		set := []Expr{}
		for i, e := range elems {
			if keep(i) {
				set = append(set, e...)
			}
		}
		return set
	}
	var sets [][]Expr
	if kind == groupRollup {
		if len(elems) >= groupingSetsMax {
			return tooMany()
		}
		for n := len(elems); n >= 0; n-- {
			sets = append(sets, join(func(i int) bool { return i < n }))
		}
		return sets
	}
	if len(elems) > 10 { // 2^10 sets
		return tooMany()
	}
	for bits := 1<<len(elems) - 1; bits >= 0; bits-- {
		sets = append(sets, join(func(i int) bool { return bits&(1<<(len(elems)-1-i)) != 0 }))
	}
	return sets
}

// from converts FROM: joins that the rewriter did not write are its commas.
func (c *converter) from(n ast.ResultSetNode) []Relation {
	// The comma list leans to the left; walk it without recursion.
	var right []ast.ResultSetNode
	left := n
	for {
		j, ok := left.(*ast.Join)
		if !ok || !isComma(j) {
			break
		}
		if j.Right != nil {
			right = append(right, j.Right)
		}
		left = j.Left
	}
	list := []Relation{c.relation(left)}
	for i := len(right) - 1; i >= 0; i-- {
		list = append(list, c.relation(right[i]))
	}
	return list
}

func isComma(j *ast.Join) bool {
	return j.On == nil && j.Using == nil && !j.NaturalJoin && !j.StraightJoin && !j.ExplicitParens &&
		(j.Right == nil || j.Tp == ast.CrossJoin)
}

func (c *converter) relation(n ast.ResultSetNode) Relation {
	switch n := n.(type) {
	case *ast.Join:
		if n.Right == nil {
			return c.relation(n.Left)
		}
		return c.join(n)
	case *ast.TableSource:
		return c.source(n)
	}
	c.strange("relation", n)
	return &TableRef{}
}

func (c *converter) join(n *ast.Join) Relation {
	if n.On == nil || n.Using != nil || n.NaturalJoin || n.StraightJoin || n.Tp != ast.CrossJoin {
		c.strange("join", n)
		return &TableRef{}
	}
	m, args := c.wanted(n.On.Expr, markJoin)
	if m == nil {
		return &TableRef{}
	}
	node := m.node.(*Join)
	node.Left = c.relation(n.Left)
	node.Right = c.relation(n.Right)
	if len(args) > 0 {
		node.On = c.expr(args[0])
	}
	return node
}

func (c *converter) source(n *ast.TableSource) Relation {
	if n.AsName.O != "" || n.Lateral || n.ColumnNames != nil {
		c.strange("table", n)
	}
	switch src := n.Source.(type) {
	case *ast.TableName:
		if m := c.mark(src.Name.O); m.kind == markTable && src.Schema.O == "" {
			return m.node.(*TableRef)
		}
	case *ast.SelectStmt:
		m, args := c.wanted(fieldExpr(src), markRelation)
		if m == nil {
			return &TableRef{}
		}
		switch node := m.node.(type) {
		case *Derived:
			if len(args) == 1 {
				node.Query = c.subquery(args[0])
				return node
			}
		case *Unnest:
			node.Args = c.exprs(args)
			return node
		case *TableFunc:
			if len(args) == 1 {
				if call, ok := c.expr(args[0]).(*Call); ok {
					node.Call = call
					return node
				}
			}
		}
	}
	c.strange("table", n.Source)
	return &TableRef{}
}

func (c *converter) byItems(items []*ast.ByItem) []SortItem {
	out := make([]SortItem, 0, len(items))
	for _, by := range items {
		out = c.sortItem(out, by.Expr)
	}
	return out
}

func (c *converter) sortItems(args []ast.ExprNode) []SortItem {
	out := make([]SortItem, 0, len(args))
	for _, arg := range args {
		out = c.sortItem(out, arg)
	}
	return out
}

func (c *converter) sortItem(out []SortItem, n ast.ExprNode) []SortItem {
	m, args := c.wanted(n, markSort)
	if m == nil || len(args) != 1 {
		return out
	}
	item := m.node.(*SortItem)
	item.Expr = c.expr(args[0])
	return append(out, *item)
}

// operators by the operation of the skeleton tree, with the text they must have
// been written as. Those that carry other operators are told by their text.
var binaryText = map[opcode.Op]string{
	opcode.LogicAnd: "and", opcode.LogicOr: "or",
	opcode.EQ: "=", opcode.NE: "<>", opcode.LT: "<", opcode.LE: "<=", opcode.GT: ">", opcode.GE: ">=",
	opcode.Plus: "+", opcode.Minus: "-", opcode.Mul: "*", opcode.Div: "/", opcode.Mod: "%",
	opcode.Xor: "^",
}

// operator returns the operator behind token last, and its place.
func (c *converter) operator(last int32) (string, Pos, int32) {
	i := last + 1
	if int(i) >= len(c.toks) {
		return "", Pos{}, i
	}
	t := &c.toks[i]
	if t.isWord("operator") && c.toks[i+1].match > 0 {
		end := c.toks[i+1].match
		return c.toks[end-1].word, c.pos(span{i, end}), end
	}
	op := t.word
	if op == "!=" {
		op = "<>"
	}
	return op, t.pos(), i
}

// title is the name of an output column without an alias. In Trino a path gives
// its last step and nothing else a name. Postgres folds names to lower case and
// takes those of functions and types.
func title(e Expr, d Dialect) string {
	if d == Postgres {
		if name := postgresTitle(e); name != "" {
			return name
		}
		return "?column?"
	}
	switch e := e.(type) {
	case *Ident:
		return e.Name.Parts[len(e.Name.Parts)-1].Text
	case *Field:
		return e.Name.Text
	}
	return ""
}

func foldPart(p Part) string {
	if p.Quoted {
		return p.Text
	}
	return strings.ToLower(p.Text)
}

func postgresTitle(e Expr) string {
	switch e := e.(type) {
	case *Ident:
		return foldPart(e.Name.Parts[len(e.Name.Parts)-1])
	case *Field:
		return foldPart(e.Name)
	case *Call:
		return foldPart(e.Name.Parts[len(e.Name.Parts)-1])
	case *JSONCall:
		return e.Function
	case *Subscript:
		return postgresTitle(e.X)
	case *Slice:
		return postgresTitle(e.X)
	case *Cast:
		if name := postgresTitle(e.X); name != "" {
			return name
		}
		return typeTitle(e.Type)
	case *Typed:
		return typeTitle(e.Type)
	case *Interval:
		return "interval"
	case *AtTimeZone:
		return "timezone"
	case *Array:
		return "array"
	case *Row:
		return "row"
	case *Case:
		if e.Else != nil {
			if _, ok := e.Else.(*Ident); ok {
				return postgresTitle(e.Else)
			}
		}
		return "case"
	case *Exists:
		return "exists"
	case *Subquery:
		if e.Array {
			return "array"
		}
		if sel, ok := e.Query.Body.(*Select); ok && len(sel.Items) == 1 {
			if item := sel.Items[0]; item.Alias != nil {
				return foldPart(*item.Alias)
			} else if item.Expr != nil {
				return postgresTitle(item.Expr)
			}
		}
	case *Literal:
		if e.Kind == BoolLiteral {
			return "bool"
		}
	}
	return ""
}

// typeTitle is the name that Postgres gives a type in its catalogue.
func typeTitle(t TypeName) string {
	switch t.Name {
	case "bigint":
		return "int8"
	case "integer", "int":
		return "int4"
	case "smallint":
		return "int2"
	case "boolean":
		return "bool"
	case "double precision", "double":
		return "float8"
	case "real":
		return "float4"
	case "decimal":
		return "numeric"
	case "character varying":
		return "varchar"
	case "timestamp with time zone":
		return "timestamptz"
	}
	return t.Name
}
