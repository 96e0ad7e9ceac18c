package plan

import (
	"strconv"
	"strings"

	"github.com/cairndb/cairn/sql/parse"
	"github.com/cairndb/cairn/sql/sqlerr"
)

// SetKind is what a SetOp does.
type SetKind uint8

// The set operations beside UNION.
const (
	Intersect SetKind = iota
	Except
)

// SetOp is INTERSECT or EXCEPT [ALL] of inputs whose columns correspond by
// position and have the same types. Rows are the same as GROUP BY sees it: NULL
// with NULL. Of a row that the inputs have n1, n2 … times, INTERSECT ALL gives
// the smallest of these numbers and EXCEPT ALL what is left of n1 after taking
// the others away; without All a row comes once or not at all. The columns have
// the values of the first input that has the row.
type SetOp struct {
	Kind    SetKind
	All     bool
	Items   []Node
	Columns []Col
}

// Cols implements Node.
func (n *SetOp) Cols() []Col { return n.Columns }

// Inputs implements Node.
func (n *SetOp) Inputs() []Node { return n.Items }

func (n *SetOp) describe() string {
	s := [...]string{"Intersect", "Except"}[n.Kind]
	if n.All {
		s += " all"
	}
	return s
}

// setOp binds UNION, INTERSECT or EXCEPT. A chain of the same operator is one
// node: for EXCEPT as far as it leans to the left.
func (b *binder) setOp(s *parse.SetOp, outer *with) (Node, error) {
	var bodies []parse.Body
	var collect func(x parse.Body, first bool)
	collect = func(x parse.Body, first bool) {
		if o, ok := x.(*parse.SetOp); ok && o.Op == s.Op && o.All == s.All && (first || s.Op != "except") {
			collect(o.Left, first)
			collect(o.Right, false)
			return
		}
		bodies = append(bodies, x)
	}
	collect(s, true)
	var items []Node
	for _, x := range bodies {
		n, err := b.body(x, outer)
		if err != nil {
			return nil, err
		}
		items = append(items, n)
	}
	return b.setOf(s, bodies, items)
}

// setOf makes the node of a set operation of queries that are bound.
func (b *binder) setOf(s *parse.SetOp, bodies []parse.Body, items []Node) (Node, error) {
	name := strings.ToUpper(s.Op)
	for i, n := range items {
		if have, want := len(n.Cols()), len(items[0].Cols()); have != want {
			return nil, sqlerr.New(sqlerr.SyntaxError, bodyPos(bodies[i]), "the queries of %s %s have %d and %d columns", article(name), name, want, have).
				WithHint("all of them must have the same number of columns")
		}
	}
	projected := make([]Node, len(items))
	var columns []Col
	for c, first := range items[0].Cols() {
		list := make([]Expr, len(items))
		for i, n := range items {
			col := n.Cols()[c]
			pos := columnPos(bodies[i], c)
			list[i] = &Ref{base{col.Type, pos}, col.ID, col.Name}
			if p, ok := n.(*Project); ok {
				// A literal in a select list takes the type of the others.
				if k, ok := p.Exprs[c].(*Const); ok {
					list[i] = k
				}
			}
		}
		t, err := b.unify("column "+strconv.Itoa(c+1)+" of "+name, list, s.Pos)
		if err != nil {
			return nil, err
		}
		columns = append(columns, Col{b.newID(), first.Name, t})
		for i, e := range list {
			if c == 0 {
				projected[i] = &Project{Input: items[i]}
			}
			if _, param := e.(*Param); !param && b.untyped(e) && !e.Type().Equal(t) {
				e = nullConst(t, e.Pos()) // only NULL is of no type
			}
			p := projected[i].(*Project)
			p.Exprs = append(p.Exprs, e)
			p.Columns = append(p.Columns, Col{b.newID(), first.Name, t})
		}
	}
	if s.Op != "union" {
		n := &SetOp{Kind: Intersect, All: s.All, Items: projected, Columns: columns}
		if s.Op == "except" {
			n.Kind = Except
		}
		return n, nil
	}
	u := &Union{Items: projected, Columns: columns}
	if s.All {
		return u, nil
	}
	return b.distinct(u, s.Pos), nil
}

func article(name string) string {
	if strings.ContainsAny(name[:1], "AEIO") {
		return "an"
	}
	return "a"
}

// bodyPos is the place of a query's body.
func bodyPos(x parse.Body) parse.Pos {
	switch x := x.(type) {
	case *parse.Select:
		return x.Pos
	case *parse.SetOp:
		return x.Pos
	case *parse.Values:
		return x.Pos
	case *parse.Query:
		return x.Pos
	}
	return parse.Pos{}
}

// columnPos is the place of a column of a query's body: of the select item,
// where the columns are as many as the items.
func columnPos(x parse.Body, c int) parse.Pos {
	switch x := x.(type) {
	case *parse.Select:
		for i, it := range x.Items {
			if it.Star {
				break
			}
			if i == c {
				return it.Pos
			}
		}
	case *parse.Values:
		if c < len(x.Rows[0]) {
			return x.Rows[0][c].Position()
		}
	case *parse.Query:
		return columnPos(x.Body, c)
	case *parse.SetOp:
		return columnPos(x.Left, c)
	}
	return bodyPos(x)
}
