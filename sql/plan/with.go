package plan

import (
	"fmt"

	"github.com/cairndb/cairn/segment/column"
	"github.com/cairndb/cairn/sql/fn"
	"github.com/cairndb/cairn/sql/parse"
	"github.com/cairndb/cairn/sql/sqlerr"
)

// WITH items. One that is cheap, a scan with filters and projections, is bound
// anew wherever it is named, so that every use is filtered and pruned by itself.
// Any other is bound once; when it is named more than once it is run once too,
// and its rows are kept: a query cannot become larger than its text by naming
// items that name items.

// Shared is a WITH item that is bound once.
type Shared struct {
	Name string
	Root Node
	Uses int
	// Kept is set for what is no item but a part of a sub-query (see keepInner). Its rows
	// need not be kept: where they do not fit, every use runs it.
	Kept bool
	need map[ColID]bool // the columns that its uses need
}

// SharedScan is a use of a WITH item. Columns stand for those of the item in
// From.
type SharedScan struct {
	Of      *Shared
	Columns []Col
	From    []ColID
}

// Cols implements Node.
func (n *SharedScan) Cols() []Col { return n.Columns }

// Inputs implements Node. The plan of an item with several uses stands by
// itself.
func (n *SharedScan) Inputs() []Node {
	if n.Of.Uses == 1 {
		return []Node{n.Of.Root}
	}
	return nil
}

// inline is the only use of an item.
func (n *SharedScan) inline(root Node) *Project {
	p := &Project{Input: root, Columns: n.Columns}
	for i, c := range n.Columns {
		p.Exprs = append(p.Exprs, &Ref{base{T: c.Type}, n.From[i], c.Name})
	}
	return p
}

func (n *SharedScan) prune(o *optimizer, need map[ColID]bool) Node {
	var cols []Col
	var from []ColID
	for i, c := range n.Columns {
		if need[c.ID] {
			cols, from = append(cols, c), append(from, n.From[i])
			n.Of.need[n.From[i]] = true
		}
	}
	n.Columns, n.From = cols, from
	return n
}

// Recursive is a recursive WITH item: the rows of Base, then those of Step over
// the rows that came last, and so on until there are none. Without All a row
// that was there before does not count. Step reads the rows that came last from
// Work, whose columns are those of Recursive by position, as are Base's and
// Step's.
type Recursive struct {
	Name       string
	Base, Step Node
	Work       *WorkTable
	All        bool
	Columns    []Col
	Place      parse.Pos
}

// RecursionMax is how often the step of a recursive WITH item is run at most:
// deeper than any chain of records that somebody follows, and soon reached by a
// recursion that does not end.
const RecursionMax = 10_000

// Cols implements Node.
func (n *Recursive) Cols() []Col { return n.Columns }

// Inputs implements Node.
func (n *Recursive) Inputs() []Node { return []Node{n.Base, n.Step} }

func (n *Recursive) prune(o *optimizer) Node {
	all := make([]int, len(n.Columns))
	for i := range all {
		all[i] = i
	}
	n.Base, n.Step = o.pruneTo(n.Base, all, n.Columns), o.pruneTo(n.Step, all, n.Columns)
	return n
}

// WorkTable is the reference of a recursive WITH item to itself.
type WorkTable struct {
	Name    string
	Columns []Col
	Place   parse.Pos
}

// Cols implements Node.
func (n *WorkTable) Cols() []Col { return n.Columns }

// Inputs implements Node.
func (n *WorkTable) Inputs() []Node { return nil }

// item binds a use of a WITH item.
func (b *binder) item(w *with, pos parse.Pos) (Node, error) {
	if w.work != nil {
		b.captures++ // what names it belongs to this step alone
		t := &WorkTable{Name: w.cte.Name.Text, Place: pos}
		for _, c := range w.work {
			t.Columns = append(t.Columns, Col{b.newID(), c.Name, c.Type})
		}
		return t, nil
	}
	if w.shared != nil {
		w.shared.Uses++
		return b.sharedScan(w.shared), nil
	}
	before := b.captures
	var n Node
	var err error
	if w.recursive {
		n, err = b.recursion(w)
	} else {
		n, err = b.inside(seen(w.scope, b.outer), w.cte.Query, w.outer)
	}
	if err != nil {
		return nil, err
	}
	if b.captures != before && !w.recursive || correlated(n) || b.on(InlineItems) && cheap(n) && !volatileNode(n) {
		return n, nil
	}
	w.shared = &Shared{Name: w.cte.Name.Text, Root: n, Uses: 1, need: map[ColID]bool{}}
	if !b.on(InlineItems) && !w.recursive { // a LIMIT may be what ends a recursion
		w.shared.Uses++ // as if there were another
	}
	b.shared = append(b.shared, w.shared)
	return b.sharedScan(w.shared), nil
}

func (b *binder) sharedScan(s *Shared) Node {
	n := &SharedScan{Of: s}
	for _, c := range s.Root.Cols() {
		n.Columns, n.From = append(n.Columns, Col{b.newID(), c.Name, c.Type}), append(n.From, c.ID)
	}
	return n
}

// cheapScans is how many scans a WITH item may have and still be run anew for
// every use: a union of a few stores is worth filtering at each.
const cheapScans = 8

// cheap reports whether running n again costs no more than reading its tables
// again.
func cheap(n Node) bool {
	ok, scans := true, 0
	eachNode(n, func(n Node) {
		switch n.(type) {
		case *TableScan:
			scans++
		case *Filter, *Project, *Union, *Values:
		default:
			ok = false
		}
		Subqueries(n, func(*Subquery) { ok = false })
	})
	return ok && scans <= cheapScans
}

// shared plans the WITH items with several uses, those first that others do not
// name.
func (o *optimizer) shared(list []*Shared) {
	for i := len(list) - 1; i >= 0; i-- {
		if s := list[i]; s.Uses > 1 {
			s.Root = o.narrow(o.moved(s.Root), s.need)
			o.useViews(s.Root)
			o.finish(s.Root)
		}
	}
}

func recursionError(pos parse.Pos, format string, args ...any) *sqlerr.Error {
	return sqlerr.New("42P19", pos, format, args...)
}

// recursion binds a recursive WITH item.
func (b *binder) recursion(w *with) (Node, error) {
	q, name := w.cte.Query, w.cte.Name.Text
	union, ok := q.Body.(*parse.SetOp)
	if !ok || union.Op != "union" {
		return nil, recursionError(w.cte.Pos, "the recursive WITH item %s must have the form query UNION [ALL] query", name).
			WithHint("the first query gives the rows to start with, the second reads %s", name)
	}
	switch {
	case len(q.With) > 0:
		return nil, recursionError(w.cte.Pos, "the recursive WITH item %s cannot have a WITH of its own", name).WithHint("put its items before %s", name)
	case len(q.OrderBy) > 0:
		return nil, recursionError(q.OrderBy[0].Pos, "ORDER BY cannot stand in the recursive WITH item %s", name).WithHint("order the query that reads it")
	case q.Limit != nil || q.Offset != nil:
		return nil, recursionError(q.Pos, "LIMIT and OFFSET cannot stand in the recursive WITH item %s", name).WithHint("limit the query that reads it")
	case mentions(&parse.Query{Body: union.Left}, name):
		return nil, recursionError(bodyPos(union.Left), "the recursive WITH item %s refers to itself before its last query", name).
			WithHint("only the query behind the last UNION may read %s", name)
	}
	was, wasNames := b.outer, b.names
	b.outer, b.names = seen(w.scope, b.outer), w.outer
	defer func() { b.outer, b.names = was, wasNames }()
	first, err := b.body(union.Left, w.outer)
	if err != nil {
		return nil, err
	}
	var types []*column.Type
	for _, c := range first.Cols() {
		types = append(types, c.Type)
	}
	// A step may have wider types than the start; they then hold for both.
	const rounds = 3
	for round := 1; ; round++ {
		self := &with{cte: w.cte, outer: w.outer, scope: w.scope}
		for i, c := range first.Cols() {
			self.work = append(self.work, Col{Name: c.Name, Type: types[i]})
		}
		b.names = self
		step, err := b.body(union.Right, self)
		if err != nil {
			return nil, err
		}
		if have, want := len(step.Cols()), len(types); have != want {
			return nil, sqlerr.New(sqlerr.SyntaxError, bodyPos(union.Right), "the queries of the recursive WITH item %s have %d and %d columns", name, want, have)
		}
		work, err := b.checkRecursion(step, name)
		if err != nil {
			return nil, err
		}
		wider := false
		for i, c := range step.Cols() {
			t := types[i]
			switch {
			case t.Kind == column.Unknown:
				t = c.Type
			case c.Type.Kind != column.Unknown && !t.Equal(c.Type):
				if t = fn.CommonType(t, c.Type); t == nil {
					return nil, sqlerr.New(sqlerr.DatatypeMismatch, columnPos(union.Right, i), "column %d of the recursive WITH item %s is %s at first, then %s",
						i+1, name, types[i], c.Type).WithHint("CAST one of the two")
				}
			}
			if !t.Equal(types[i]) {
				if round == rounds {
					return nil, sqlerr.New(sqlerr.DatatypeMismatch, columnPos(union.Right, i), "column %d of the recursive WITH item %s is %s, and the next step makes it %s",
						i+1, name, types[i], t).WithHint("CAST it to %s in both queries", types[i])
				}
				types[i], wider = t, true
			}
		}
		if wider {
			continue
		}
		n := &Recursive{Name: name, Work: work, All: union.All, Place: w.cte.Pos}
		for i, c := range first.Cols() {
			n.Columns = append(n.Columns, Col{b.newID(), c.Name, types[i]})
		}
		if n.Base, err = b.withTypes(first, types); err != nil {
			return nil, err
		}
		if n.Step, err = b.withTypes(step, types); err != nil {
			return nil, err
		}
		return n, nil
	}
}

// withTypes converts the columns of n.
func (b *binder) withTypes(n Node, types []*column.Type) (Node, error) {
	p := &Project{Input: n}
	for i, c := range n.Cols() {
		var e Expr = NewRef(c)
		if b.untyped(e) && types[i].Kind != column.Unknown {
			e = nullConst(types[i], parse.Pos{})
		}
		e, err := b.convert(e, types[i])
		if err != nil {
			return nil, err
		}
		p.Columns, p.Exprs = append(p.Columns, Col{b.newID(), c.Name, types[i]}), append(p.Exprs, e)
	}
	return p, nil
}

// checkRecursion returns where a step reads its item, which is to be one place
// at which every row of the item gives rows of its own.
func (b *binder) checkRecursion(step Node, name string) (*WorkTable, error) {
	var found *WorkTable
	var walk func(n Node, inside string) error
	walk = func(n Node, inside string) error {
		var err error
		Subqueries(n, func(s *Subquery) {
			if e := walk(s.Sub.Root, "a sub-query"); err == nil {
				err = e
			}
		})
		if err != nil {
			return err
		}
		below := inside
		switch x := n.(type) {
		case *WorkTable:
			if x.Name != name {
				return nil
			}
			if inside != "" {
				return recursionError(x.Place, "the recursive WITH item %s cannot refer to itself inside %s", name, inside)
			}
			if found != nil {
				return recursionError(x.Place, "the recursive WITH item %s can refer to itself only once", name)
			}
			found = x
			return nil
		case *Aggregate:
			below = "a query with aggregates, GROUP BY or DISTINCT"
		case *Sort:
			below = "a query with ORDER BY"
		case *Limit:
			below = "a query with LIMIT"
		case *SetOp:
			below = "INTERSECT or EXCEPT"
		case *Filter, *Project, *Union, *Unnest, *TableScan, *Values, *Recursive, *SharedScan:
		case *Join:
			left, right := inside, inside
			if x.Kind.keepsRight() {
				left = "the side of an outer join whose rows may be missing"
			}
			if x.Kind.keepsLeft() {
				right = "the side of an outer join whose rows may be missing"
			}
			if err := walk(x.Left, left); err != nil {
				return err
			}
			return walk(x.Right, right)
		default:
			below = "a query with window functions"
		}
		for _, in := range n.Inputs() {
			if err := walk(in, below); err != nil {
				return err
			}
		}
		return nil
	}
	if err := walk(step, ""); err != nil {
		return nil, err
	}
	if found == nil {
		return &WorkTable{Name: name}, nil // hidden by an item of the same name
	}
	return found, nil
}

func (n *SharedScan) describe() string {
	if n.Of.Kept {
		return "Rows of " + n.Of.Name + ", kept for every combination"
	}
	return fmt.Sprintf("WITH item %s, run once for %d uses", n.Of.Name, n.Of.Uses)
}

func (n *Recursive) describe() string {
	s := "Recursive WITH item " + n.Name + ": the first rows, then step after step"
	if !n.All {
		s += ", each row once"
	}
	return s
}
