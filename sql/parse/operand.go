package parse

import (
	"github.com/pingcap/tidb/pkg/parser/ast"
	"github.com/pingcap/tidb/pkg/parser/opcode"
)

// noExpr stands in the tree of a query that has failed.
var noExpr Expr = &Literal{}

func (c *converter) expr(n ast.ExprNode) Expr {
	e, _ := c.exprSpan(n)
	return e
}

func (c *converter) exprs(ns []ast.ExprNode) []Expr {
	if len(ns) == 0 {
		return nil
	}
	out := make([]Expr, len(ns))
	for i, n := range ns {
		out[i] = c.expr(n)
	}
	return out
}

// exprSpan converts an expression and tells which tokens it covers.
func (c *converter) exprSpan(n ast.ExprNode) (Expr, span) {
	if c.err != nil {
		return noExpr, span{}
	}
	switch n := n.(type) {
	case *ast.ColumnNameExpr:
		m := c.mark(n.Name.Name.O)
		if e, ok := m.node.(Expr); ok && m.kind == markLeaf && n.Name.Table.O == "" {
			return e, span{m.first, m.last}
		}
	case *ast.FuncCallExpr:
		m := c.mark(n.FnName.O)
		return c.marked(m, n.Args), span{m.first, m.last}
	case *ast.ParenthesesExpr:
		e, s := c.exprSpan(n.Expr)
		s.first--
		s.last++
		if s.first >= 0 && c.toks[s.first].isOp("(") && c.toks[s.last].isOp(")") {
			return e, s
		}
	case *ast.UnaryOperationExpr:
		return c.unary(n)
	case *ast.BinaryOperationExpr, *ast.PatternLikeOrIlikeExpr:
		return c.chain(n)
	}
	c.strange("expression", n)
	return noExpr, span{}
}

func (c *converter) unary(n *ast.UnaryOperationExpr) (Expr, span) {
	x, s := c.exprSpan(n.V)
	if c.err != nil {
		return noExpr, s
	}
	op := map[opcode.Op]string{opcode.Minus: "-", opcode.Plus: "+", opcode.Not: "not"}[n.Op]
	s.first--
	if op == "" || s.first < 0 || c.toks[s.first].word != op {
		c.strange("operator", n)
		return noExpr, s
	}
	return &Unary{Pos: c.pos(s), Op: op, X: x}, s
}

// link is one operator of a chain that leans to the left, with its right side.
type link struct {
	op    opcode.Op // of a BinaryOperationExpr
	like  bool      // LIKE, which carries predicates
	right ast.ExprNode
}

// chain converts an operator and the operators on its left side. It goes down
// the left side in a loop, since generated queries join thousands of
// conditions.
func (c *converter) chain(n ast.ExprNode) (Expr, span) {
	var links []link
	var left ast.ExprNode = n
down:
	for {
		switch n := left.(type) {
		case *ast.BinaryOperationExpr:
			links = append(links, link{op: n.Op, right: n.R})
			left = n.L
		case *ast.PatternLikeOrIlikeExpr:
			if n.Not || n.EscapeExplicit {
				c.strange("expression", n)
				return noExpr, span{}
			}
			links = append(links, link{like: true, right: n.Pattern})
			left = n.Expr
		default:
			break down
		}
	}
	x, s := c.exprSpan(left)
	var run logic
	for i := len(links) - 1; i >= 0 && c.err == nil; i-- {
		l := links[i]
		if !l.like && (l.op == opcode.LogicAnd || l.op == opcode.LogicOr) {
			op, pos, _ := c.operator(s.last)
			if op != binaryText[l.op] {
				c.strange("operator", n)
				break
			}
			if run.op != op {
				x = run.join(x)
				run = logic{op: op, first: x, start: c.pos(s).Start}
			}
			y, ys := c.exprSpan(l.right)
			run.rest = append(run.rest, condition{pos, y, c.pos(ys)})
			s.last = ys.last
			continue
		}
		x = run.join(x)
		run = logic{}
		x = c.operation(x, &s, l)
	}
	if c.err != nil {
		return noExpr, s
	}
	return run.join(x), s
}

// logic is a run of conditions joined by AND, or by OR.
type logic struct {
	op    string
	start int // of the first condition's text
	first Expr
	rest  []condition
}

type condition struct {
	op   Pos
	expr Expr
	pos  Pos // with parentheses
}

// leanMax is the longest run of AND or OR that is kept as it is written. A longer
// one becomes a balanced tree: the value is the same, and the depth stays small
// for all who walk it.
const leanMax = 64

// join returns the run as one expression, x if there is no run.
func (l *logic) join(x Expr) Expr {
	if len(l.rest) == 0 {
		return x
	}
	if len(l.rest) <= leanMax {
		x = l.first
		for _, r := range l.rest {
			x = &Binary{Pos: place(l.start, r.pos.End), OpPos: r.op, Op: l.op, L: x, R: r.expr}
		}
		return x
	}
	return l.balanced(-1, len(l.rest))
}

// balanced joins the conditions from i to before j; -1 is the first.
func (l *logic) balanced(i, j int) Expr {
	if j-i == 1 {
		if i < 0 {
			return l.first
		}
		return l.rest[i].expr
	}
	mid := i + (j-i)/2
	start := l.start
	if i >= 0 {
		start = l.rest[i].pos.Start
	}
	return &Binary{
		Pos: place(start, l.rest[j-1].pos.End), OpPos: l.rest[mid].op, Op: l.op,
		L: l.balanced(i, mid), R: l.balanced(mid, j),
	}
}

// operation converts one operator other than AND and OR, with x on its left.
// s is the span of x and becomes that of the result.
func (c *converter) operation(x Expr, s *span, l link) Expr {
	first := s.first
	if l.like || l.op == opcode.NullEQ {
		m, args := c.call(l.right)
		if m == nil || m.kind != markPredicate && m.kind != markQuantified {
			c.strange("predicate", l.right)
			return noExpr
		}
		*s = span{first, m.last}
		return c.predicate(x, c.pos(*s), m, args)
	}
	op, opPos, opEnd := c.operator(s.last)
	if want := binaryText[l.op]; op == "" || want != op && l.op != opcode.Or {
		c.strange("operator", l.right)
		return noExpr
	}
	// Signs and parentheses may stand between the operator and its operand, so
	// the right side is asked where it ends, and the left side of it is known.
	if m, args := c.call(l.right); m != nil && m.kind == markQuantified {
		node := m.node.(*Quantified)
		node.Op = op
		*s = span{first, m.last}
		return c.quantify(node, x, c.pos(*s), args)
	}
	y, ys := c.exprSpan(l.right)
	if c.err != nil {
		return noExpr
	}
	if ys.first != opEnd+1 {
		c.strange("operand", l.right)
		return noExpr
	}
	*s = span{first, ys.last}
	pos := c.pos(*s)
	switch op {
	case "~~", "~~*", "!~~", "!~~*": // the operators behind LIKE
		return &Like{Pos: pos, Not: op[0] == '!', Fold: op[len(op)-1] == '*', X: x, Pattern: y}
	}
	return &Binary{Pos: pos, OpPos: opPos, Op: op, L: x, R: y}
}

// predicate completes a predicate whose left side is x.
func (c *converter) predicate(x Expr, pos Pos, m *mark, args []ast.ExprNode) Expr {
	switch node := m.node.(type) {
	case *In:
		node.X, node.Pos = x, pos
		if len(args) == 1 {
			if sub, ok := args[0].(*ast.SubqueryExpr); ok {
				node.Query = c.query(sub.Query)
				return node
			}
		}
		node.List = c.exprs(args)
		return node
	case *Between:
		if len(args) == 2 {
			node.X, node.Pos = x, pos
			node.Low, node.High = c.expr(args[0]), c.expr(args[1])
			return node
		}
	case *Like:
		if len(args) == 1 || len(args) == 2 {
			node.X, node.Pos, node.Pattern = x, pos, c.expr(args[0])
			if len(args) == 2 {
				node.Esc = c.expr(args[1])
			}
			return node
		}
	case *Is:
		if len(args) == 0 {
			node.X, node.Pos = x, pos
			return node
		}
	case *Distinct:
		if len(args) == 1 {
			node.L, node.Pos, node.R = x, pos, c.expr(args[0])
			return node
		}
	case *Quantified:
		return c.quantify(node, x, pos, args)
	}
	c.strange("predicate", m.node)
	return noExpr
}

func (c *converter) quantify(node *Quantified, x Expr, pos Pos, args []ast.ExprNode) Expr {
	if len(args) != 1 {
		c.strange("predicate", node)
		return noExpr
	}
	node.X, node.Pos = x, pos
	if sub, ok := args[0].(*ast.SubqueryExpr); ok {
		node.Query = c.query(sub.Query)
	} else {
		node.Array = c.expr(args[0])
	}
	return node
}

// marked completes the expression of a mark from its arguments.
func (c *converter) marked(m *mark, args []ast.ExprNode) Expr {
	pos := c.pos(span{m.first, m.last})
	one := len(args) == 1
	switch m.kind {
	case markCall:
		return c.callNode(m.node.(*Call), args)
	case markTrim:
		if len(args) >= 2 {
			args[0], args[1] = args[1], args[0]
			return c.callNode(m.node.(*Call), args)
		}
	case markPostfix:
		return c.steps(m, args)
	case markList:
		switch node := m.node.(type) {
		case *Array:
			node.Pos, node.Items = pos, c.exprs(args)
			return node
		case *Row:
			node.Pos, node.Items = pos, c.exprs(args)
			return node
		}
	case markCase:
		return c.caseNode(m.node.(*Case), args)
	case markUnaryNode:
		switch node := m.node.(type) {
		case *Cast:
			if one {
				node.X = c.expr(args[0])
				return node
			}
		case *Lambda:
			if one {
				node.Body = c.expr(args[0])
				return node
			}
		}
	case markSubquery:
		if one {
			switch node := m.node.(type) {
			case *Subquery:
				node.Pos, node.Query = pos, c.subquery(args[0])
				return node
			case *Exists:
				node.Pos, node.Query = pos, c.subquery(args[0])
				return node
			}
		}
	case markJSON:
		node := m.node.(*JSONCall)
		all := c.exprs(args)
		if node.ErrorDefault != nil && len(all) > 0 {
			node.ErrorDefault, all = all[len(all)-1], all[:len(all)-1]
		}
		if node.EmptyDefault != nil && len(all) > 0 {
			node.EmptyDefault, all = all[len(all)-1], all[:len(all)-1]
		}
		node.Args = all
		return node
	}
	c.strange("expression", m.node)
	return noExpr
}

func (c *converter) callNode(node *Call, args []ast.ExprNode) Expr {
	n := len(args)
	for n > 0 {
		m, _ := c.call(args[n-1])
		if m == nil || m.kind != markFilter && m.kind != markOrder && m.kind != markWithin && m.kind != markOver {
			break
		}
		n--
	}
	if n > 0 {
		node.Args = c.exprs(args[:n])
	}
	for _, arg := range args[n:] {
		switch m, margs := c.call(arg); m.kind {
		case markFilter:
			if len(margs) != 1 {
				c.strange("FILTER", arg)
				return noExpr
			}
			node.Filter = c.expr(margs[0])
		case markOrder:
			node.OrderBy = c.sortItems(margs)
		case markWithin:
			node.WithinGroup = c.sortItems(margs)
		case markOver:
			node.Over = c.window(m, margs)
		}
	}
	return node
}

func (c *converter) window(m *mark, args []ast.ExprNode) *Window {
	node := m.node.(*Window)
	for _, arg := range args {
		pm, pargs := c.call(arg)
		if pm == nil {
			c.strange("window", arg)
			return node
		}
		switch pm.kind {
		case markPartition:
			node.PartitionBy = c.exprs(pargs)
		case markOrder:
			node.OrderBy = c.sortItems(pargs)
		case markBound:
			if len(pargs) == 1 {
				pm.node.(*Bound).Offset = c.expr(pargs[0])
				continue
			}
			c.strange("window", arg)
		default:
			c.strange("window", arg)
		}
	}
	return node
}

func (c *converter) caseNode(node *Case, args []ast.ExprNode) Expr {
	all := c.exprs(args)
	if node.Operand != nil && len(all) > 0 {
		node.Operand, all = all[0], all[1:]
	}
	for i := range node.Whens {
		if len(all) < 2 {
			c.strange("CASE", node)
			return noExpr
		}
		node.Whens[i], all = When{all[0], all[1]}, all[2:]
	}
	if node.Else != nil && len(all) > 0 {
		node.Else, all = all[0], all[1:]
	}
	if len(all) > 0 {
		c.strange("CASE", node)
	}
	return node
}

// steps puts the steps of a postfix chain on their operand.
func (c *converter) steps(m *mark, args []ast.ExprNode) Expr {
	list := *m.node.(*[]postfix)
	next := func() Expr {
		if len(args) == 0 {
			c.strange("postfix", m.node)
			return noExpr
		}
		arg := args[0]
		args = args[1:]
		return c.expr(arg)
	}
	x := next()
	for i := range list {
		step := &list[i]
		pos := c.pos(span{m.first, step.last})
		switch step.kind {
		case postfixField:
			x = &Field{Pos: pos, X: x, Name: step.part}
		case postfixSubscript:
			x = &Subscript{Pos: pos, X: x, Index: next()}
		case postfixSlice:
			slice := &Slice{Pos: pos, X: x}
			if step.low {
				slice.Low = next()
			}
			if step.high {
				slice.High = next()
			}
			x = slice
		case postfixCast:
			x = &Cast{Pos: pos, X: x, Type: step.typ, Colons: true}
		case postfixZone:
			x = &AtTimeZone{Pos: pos, X: x, Zone: next()}
		}
	}
	if len(args) > 0 {
		c.strange("postfix", m.node)
	}
	return x
}
