package plan

import (
	"context"
	"fmt"
	"math"
	"math/rand/v2"
	"strconv"
	"strings"
	"time"

	"github.com/cairndb/cairn/segment/column"
	"github.com/cairndb/cairn/sql/fn"
	"github.com/cairndb/cairn/sql/parse"
	"github.com/cairndb/cairn/sql/sqlerr"
)

// Options are what a query is bound with.
type Options struct {
	// Now is the time that now() gives; the zero value is the time of binding.
	Now time.Time
	// Zone is the session's time zone (see column.ZoneNumber); 0 is UTC.
	Zone uint16
	// Postgres chooses PostgreSQL's readings where the dialects differ: NULLs
	// first in descending order, GROUP BY aliases, string literals for numbers.
	Postgres bool
	// Types are the types of parameters as a client declared them; Unknown, nil
	// or missing ones are found out from where the parameters stand.
	Types []*column.Type
	// Values are the parameters, vectors of one value each. Without them a plan
	// can be described but not run. A varchar is like a string literal: it takes
	// the type that its place wants.
	Values []*column.Vector
	// Off are rules that are left out, which makes queries slower and changes
	// nothing else: for tests, and to find what a plan owes to a rule.
	Off Rules
}

// Caps of a plan.
const (
	// relationsMax bounds the relations of a query, WITH items counted each time
	// they are used: nested WITH items can double at every level.
	relationsMax = 1000
	// columnsMax is the most columns that a result may have.
	columnsMax = 1664
	// exprDepthMax bounds how deep expressions nest: evaluation recurses.
	exprDepthMax = 2000
)

// Bind resolves the names and types of a statement and plans it. Errors are
// *sqlerr.Error, except those of the catalog.
func Bind(ctx context.Context, cat Catalog, stmt parse.Statement, opt Options) (_ *Plan, err error) {
	defer func() {
		if r := recover(); r != nil {
			e, ok := r.(ended)
			if !ok {
				panic(r)
			}
			err = e.err
		}
	}()
	if opt.Now.IsZero() {
		opt.Now = time.Now()
	}
	b := &binder{
		ctx: ctx, cat: cat, opt: opt, scanOf: map[ColID]*TableScan{}, isAggregate: map[ColID]bool{}, isWindow: map[ColID]bool{},
		fn: fn.Context{Now: opt.Now, Zone: opt.Zone, Rand: rand.Float64},
	}
	b.folding = b.fn
	b.folding.Live, b.folding.Room = ctx.Err, func() int64 { return foldRoom }
	for i := range max(len(opt.Types), len(opt.Values)) {
		t := column.UnknownType
		if i < len(opt.Types) && opt.Types[i] != nil {
			t = opt.Types[i]
		}
		b.params = append(b.params, t)
	}
	if s, ok := cat.(SessionCatalog); ok {
		b.fn.Session = s.Session()
	}
	p := &Plan{Context: b.fn, Postgres: b.opt.Postgres}
	var query *parse.Query
	switch s := stmt.(type) {
	case *parse.Query:
		query = s
	case *parse.Explain:
		query, p.Explain, p.Analyze = s.Query, true, s.Analyze
	case *parse.Show:
		root, err := b.show(s)
		if err != nil {
			return nil, err
		}
		p.Root = root
	default:
		return nil, sqlerr.New(sqlerr.FeatureNotSupported, sqlerr.Pos{}, "this statement is not supported")
	}
	if query != nil {
		root, err := b.query(query, nil)
		if err != nil {
			return nil, err
		}
		if root, err = b.shownObjects(root); err != nil {
			return nil, err
		}
		o := &optimizer{ctx: ctx, newID: b.newID, off: b.opt.Off}
		p.Root = o.plan(root, true)
		o.shared(b.shared)
	}
	for _, c := range p.Root.Cols() {
		p.Columns = append(p.Columns, Output{c.Name, c.Type})
	}
	p.Params = b.params
	return p, nil
}

// binder binds one statement.
type binder struct {
	ctx context.Context
	cat Catalog
	opt Options
	fn  fn.Context
	// folding is what constants are computed with: it ends with ctx.
	folding fn.Context
	next    ColID
	params  []*column.Type
	// scanOf is the scan that a column is a path of.
	scanOf    map[ColID]*TableScan
	relations int
	depth     int
	lambdas   int // bound so far
	// aggs collects the aggregates of the select block that is being bound; nil
	// where aggregates may not stand.
	aggs *aggregates
	// names are the WITH items that can be named where the binder is.
	names *with
	// shared are the WITH items that are bound once, in the order in which their
	// binding ended.
	shared []*Shared
	// captures counts the names that sub-queries took from queries around them.
	captures int
	// outer is what the query that is being bound sees of the queries around it;
	// nil for none.
	outer *scope
	// isAggregate holds the columns that are aggregates.
	isAggregate map[ColID]bool
	// isWindow holds the columns that are window functions.
	isWindow map[ColID]bool
}

// aggregates are the aggregates and the window functions of a select block.
type aggregates struct {
	list []Agg
	cols []Col
	// windows are the calls with OVER, named the items of WINDOW.
	windows []windowCall
	named   []parse.NamedWindow
	// inWindow is set while the parts of such a call are bound.
	inWindow bool
	// groupings are the calls of grouping().
	groupings []groupingCall
}

// on reports whether a rule is to be applied.
func (b *binder) on(r Rule) bool { return !b.opt.Off.Has(r) }

func (b *binder) newID() ColID {
	b.next++
	return b.next
}

// with is a chain of WITH items that a query can name.
type with struct {
	cte   parse.CTE
	outer *with  // what the item itself can name
	scope *scope // what it sees of the queries around it
	// recursive is set for an item that names itself; work has the columns that
	// the name stands for in its step, while that is bound.
	recursive bool
	work      []Col
	shared    *Shared // once it is bound, unless it is bound anew for every use
}

func (w *with) find(name string) *with {
	for ; w != nil; w = w.outer {
		if strings.EqualFold(w.cte.Name.Text, name) {
			return w
		}
	}
	return nil
}

func notYet(pos parse.Pos, what string) error {
	return sqlerr.New(sqlerr.FeatureNotSupported, pos, "%s not supported", what)
}

// query binds a query expression. The columns of the node are its result.
func (b *binder) query(q *parse.Query, outer *with) (Node, error) {
	if b.depth++; b.depth > exprDepthMax {
		return nil, sqlerr.New(sqlerr.StatementTooComplex, q.Pos, "the query nests too deeply")
	}
	defer func() { b.depth-- }()
	for i, c := range q.With {
		for _, other := range q.With[:i] {
			if strings.EqualFold(other.Name.Text, c.Name.Text) {
				return nil, sqlerr.New("42712", c.Name.Pos, "WITH names %q twice", c.Name.Text)
			}
		}
		outer = &with{cte: c, outer: outer, scope: b.outer, recursive: q.Recursive && mentions(c.Query, c.Name.Text)}
	}
	defer func(was *with) { b.names = was }(b.names)
	b.names = outer
	if sel, ok := q.Body.(*parse.Select); ok {
		return b.selectBlock(sel, q, outer)
	}
	n, err := b.body(q.Body, outer)
	if err != nil {
		return nil, err
	}
	if len(q.OrderBy) == 0 {
		return b.limit(n, q)
	}
	s, err := b.orderOutput(n, q)
	if err != nil {
		return nil, err
	}
	if s.Ties = q.Ties; !s.Ties {
		return b.limit(s, q)
	}
	if s.Limit, s.Offset, err = b.limits(q); err != nil {
		return nil, err
	}
	return s, nil
}

// inside binds a query that sees outer of the queries around it.
func (b *binder) inside(outer *scope, q *parse.Query, names *with) (Node, error) {
	was, aggs := b.outer, b.aggs
	b.outer, b.aggs = outer, nil
	defer func() { b.outer, b.aggs = was, aggs }()
	return b.query(q, names)
}

func (b *binder) body(body parse.Body, outer *with) (Node, error) {
	switch x := body.(type) {
	case *parse.Select:
		return b.selectBlock(x, &parse.Query{Pos: x.Pos}, outer)
	case *parse.Query:
		return b.query(x, outer)
	case *parse.Values:
		return b.values(x)
	case *parse.SetOp:
		return b.setOp(x, outer)
	}
	return nil, sqlerr.New(sqlerr.FeatureNotSupported, sqlerr.Pos{}, "this form of query is not supported")
}

// distinct drops rows that were there before. The columns get new numbers.
func (b *binder) distinct(n Node, pos parse.Pos) Node {
	a := &Aggregate{Input: n}
	for _, c := range n.Cols() {
		a.Keys = append(a.Keys, &Ref{base{c.Type, pos}, c.ID, c.Name})
		a.Columns = append(a.Columns, Col{b.newID(), c.Name, c.Type})
	}
	return a
}

func (b *binder) values(v *parse.Values) (Node, error) {
	n := &Values{}
	width := len(v.Rows[0])
	cells := make([][]Expr, len(v.Rows))
	for r, row := range v.Rows {
		if len(row) != width {
			return nil, sqlerr.New(sqlerr.SyntaxError, v.Pos, "the rows of VALUES have %d and %d columns", width, len(row))
		}
		for _, x := range row {
			e, err := b.expr(x, &scope{outer: b.outer}, "VALUES")
			if err != nil {
				return nil, err
			}
			cells[r] = append(cells[r], e)
		}
	}
	for c := range width {
		list := make([]Expr, len(cells))
		for r := range cells {
			list[r] = cells[r][c]
		}
		t, err := b.unify("VALUES", list, v.Pos)
		if err != nil {
			return nil, err
		}
		for r := range cells {
			cells[r][c] = list[r]
		}
		n.Columns = append(n.Columns, Col{b.newID(), fmt.Sprintf("_col%d", c), t})
	}
	n.Rows = cells
	return n, nil
}

// named makes the relation that a sub-query with a name is.
func (b *binder) named(n Node, alias *parse.Part, name []string, columns []parse.Part) (Node, *relation, error) {
	rel := &relation{name: name}
	if alias != nil {
		rel.name = []string{alias.Text}
	}
	cols := n.Cols()
	if len(columns) > len(cols) {
		return nil, nil, sqlerr.New(sqlerr.InvalidColumnReference, columns[len(cols)].Pos,
			"the list names %d columns, and there are %d", len(columns), len(cols))
	}
	for i, c := range cols {
		rc := relationCol{name: c.Name, typ: c.Type, id: c.ID}
		if i < len(columns) {
			rc.name = columns[i].Text
		}
		rel.cols = append(rel.cols, rc)
	}
	return n, rel, nil
}

func (b *binder) table(x *parse.TableRef, outer *with) (Node, *relation, error) {
	parts := make([]string, len(x.Name.Parts))
	for i, p := range x.Name.Parts {
		parts[i] = p.Text
	}
	if len(parts) == 1 {
		if w := outer.find(parts[0]); w != nil {
			n, err := b.item(w, x.Pos)
			if err != nil {
				return nil, nil, err
			}
			columns := x.Columns
			if len(columns) == 0 {
				columns = w.cte.Columns
			}
			return b.named(n, x.Alias, parts, columns)
		}
	}
	name := strings.Join(parts, ".")
	t, err := b.cat.Table(b.ctx, name)
	if err != nil {
		return nil, nil, sqlerr.At(err, x.Name.Pos)
	}
	if t == nil {
		return nil, nil, b.noTable(name, x.Name.Pos, outer)
	}
	if v, ok := t.(QueryTable); ok {
		n, err := b.viewed(v)
		if err != nil {
			return nil, nil, sqlerr.At(err, x.Name.Pos)
		}
		return b.named(n, x.Alias, parts, x.Columns)
	}
	scan := &TableScan{Table: t}
	rel := &relation{name: parts, scan: scan}
	if x.Alias != nil {
		rel.name = []string{x.Alias.Text}
	}
	columns := t.Columns()
	rel.cols = make([]relationCol, len(columns))
	for i := range columns {
		c := &columns[i]
		rel.cols[i] = relationCol{name: c.Name, aliases: c.Aliases, typ: c.Type, hidden: c.Hidden, table: i, fields: c.FieldAliases}
	}
	if len(x.Columns) > len(rel.cols) {
		return nil, nil, sqlerr.New(sqlerr.InvalidColumnReference, x.Columns[len(rel.cols)].Pos,
			"the list names %d columns, and there are %d", len(x.Columns), len(rel.cols))
	}
	for i, c := range x.Columns {
		rel.cols[i].name, rel.cols[i].aliases = c.Text, nil
	}
	return scan, rel, nil
}

func (b *binder) noTable(name string, pos parse.Pos, outer *with) error {
	e := sqlerr.New(sqlerr.UndefinedTable, pos, "table %q does not exist", name)
	names, err := b.cat.TableNames(b.ctx)
	if err != nil {
		return err
	}
	for w := outer; w != nil; w = w.outer {
		names = append(names, w.cte.Name.Text)
	}
	if strings.HasPrefix(name, "$") || strings.HasPrefix(name, "{") || strings.HasPrefix(name, "<") {
		return e.WithHint("this looks like a placeholder: put the name or the ID of an event data store in its place")
	}
	if near := nearest(name, names); near != "" {
		return e.WithHint("did you mean %s?", near)
	}
	return e.WithHint("SHOW TABLES lists the tables")
}

// limit puts LIMIT and OFFSET on top of a node.
func (b *binder) limit(n Node, q *parse.Query) (Node, error) {
	count, offset, err := b.limits(q)
	if err != nil {
		return nil, err
	}
	if count < 0 && offset == 0 {
		return n, nil
	}
	return &Limit{Input: n, N: count, Offset: offset}, nil
}

// limits returns LIMIT (-1 for none) and OFFSET.
func (b *binder) limits(q *parse.Query) (count, offset int64, err error) {
	if count, err = b.rowCount(q.Limit, "LIMIT", -1); err != nil {
		return 0, 0, err
	}
	if offset, err = b.rowCount(q.Offset, "OFFSET", 0); err != nil {
		return 0, 0, err
	}
	switch {
	case q.Ties && len(q.OrderBy) == 0:
		return 0, 0, sqlerr.New(sqlerr.SyntaxError, q.Limit.Position(), "FETCH FIRST … WITH TIES needs an ORDER BY").
			WithHint("the order says which rows are ties; ONLY in place of WITH TIES takes any rows")
	case q.Ties && count == 0:
		return 0, 0, sqlerr.New("2201W", q.Limit.Position(), "FETCH FIRST … WITH TIES takes at least 1 row")
	}
	return count, offset, nil
}

func (b *binder) rowCount(x parse.Expr, what string, none int64) (int64, error) {
	if x == nil {
		return none, nil
	}
	e, err := b.expr(x, &scope{}, what)
	if err != nil {
		return 0, err
	}
	if c, ok := isText(e); ok && b.opt.Postgres {
		if n, err := b.fromText(c, column.BigIntType); n != nil && err == nil {
			e = n
		}
	}
	if !e.Type().IsInteger() && !b.untyped(e) {
		return 0, sqlerr.New(sqlerr.DatatypeMismatch, x.Position(), "%s takes a whole number, not %s", what, e.Type())
	}
	if e, err = b.convert(e, column.BigIntType); err != nil {
		return 0, err
	}
	e = rewrite(e, b.folded)
	c, ok := e.(*Const)
	if !ok || c.null() {
		return none, nil // a parameter without value yet, or LIMIT NULL
	}
	if n := c.Value.I64[0]; n >= 0 {
		return n, nil
	}
	return 0, sqlerr.New("2201W", x.Position(), "%s must not be negative", what)
}

// ordinal returns the position, from 0, that an integer literal in ORDER BY or
// GROUP BY means; ok is false when x is no integer literal.
func ordinal(x parse.Expr, n int, clause string) (i int, ok bool, err error) {
	l, is := x.(*parse.Literal)
	if !is || l.Kind != parse.IntegerLiteral {
		return 0, false, nil
	}
	k, perr := strconv.ParseInt(l.Text, 10, 64)
	if perr != nil || k < 1 || k > int64(n) {
		return 0, false, sqlerr.New(sqlerr.InvalidColumnReference, l.Pos, "%s %s is not one of the %d columns of the select list", clause, l.Text, n)
	}
	return int(k - 1), true, nil
}

// orderOutput orders a node whose result alone the sort keys can name: a UNION
// or VALUES.
func (b *binder) orderOutput(n Node, q *parse.Query) (*Sort, error) {
	rel := &relation{}
	for _, c := range n.Cols() {
		rel.cols = append(rel.cols, relationCol{name: c.Name, typ: c.Type, id: c.ID})
	}
	s := &Sort{Input: n, Limit: -1}
	sc := &scope{relations: []*relation{rel}}
	for _, item := range q.OrderBy {
		i, ok, err := ordinal(item.Expr, len(rel.cols), "ORDER BY")
		if err != nil {
			return nil, err
		}
		var e Expr
		if ok {
			c := n.Cols()[i]
			e = &Ref{base{c.Type, item.Pos}, c.ID, c.Name}
		} else if e, err = b.expr(item.Expr, sc, "ORDER BY of a set operation"); err != nil {
			return nil, err
		}
		key, err := b.sortKey(e, item)
		if err != nil {
			return nil, err
		}
		s.Keys = append(s.Keys, key)
	}
	return s, nil
}

func (b *binder) sortKey(e Expr, item parse.SortItem) (SortKey, error) {
	if !fn.CanOrder(e.Type()) {
		return SortKey{}, sqlerr.New(sqlerr.DatatypeMismatch, item.Expr.Position(), "values of type %s have no order", e.Type())
	}
	k := SortKey{Expr: e, Desc: item.Desc}
	switch item.Nulls {
	case "first":
		k.NullsFirst = true
	case "":
		k.NullsFirst = b.opt.Postgres && item.Desc
	}
	return k, nil
}

// topRowsMax is the largest LIMIT for which a sort goes below the projection:
// few rows are then projected, after the sort has dropped the others.
const topRowsMax = 1 << 16

func small(count, offset int64) bool {
	return count >= 0 && count <= topRowsMax && offset <= topRowsMax
}

func (b *binder) show(s *parse.Show) (Node, error) {
	n := &Values{}
	text := func(names ...string) {
		for _, name := range names {
			n.Columns = append(n.Columns, Col{b.newID(), name, column.VarcharType})
		}
	}
	row := func(cells ...string) {
		out := make([]Expr, len(cells))
		for i, c := range cells {
			out[i] = textConst(c, s.Pos)
		}
		n.Rows = append(n.Rows, out)
	}
	like, err := fn.CompileLike("%", fn.NoEscape)
	if s.Like != "" {
		like, err = fn.CompileLike(s.Like, fn.NoEscape)
	}
	if err != nil {
		return nil, sqlerr.At(err, s.Pos)
	}
	switch s.What {
	case "tables":
		text("Table")
		names, err := b.cat.TableNames(b.ctx)
		if err != nil {
			return nil, err
		}
		for _, name := range names {
			if like.Match(name) {
				row(name)
			}
		}
	case "columns":
		text("Column", "Type", "Extra", "Comment")
		_, rel, err := b.table(&parse.TableRef{Pos: s.Name.Pos, Name: *s.Name}, nil)
		if err != nil {
			return nil, err
		}
		for _, c := range rel.cols {
			if !c.hidden && like.Match(c.name) {
				row(c.name, c.typ.String(), "", "")
			}
		}
	case "functions":
		text("Function", "Signature", "Family", "Description", "Example", "Result")
		for _, d := range fn.All() {
			if like.Match(d.Name) {
				shown := d.Example
				if d.From != "" {
					shown += " from " + d.From
				}
				row(d.Name, d.Signature, d.Family, d.Summary, shown, d.Result)
			}
		}
	default:
		return nil, notYet(s.Pos, "SHOW "+strings.ToUpper(s.What)+" is")
	}
	return n, nil
}

// mentions reports whether a query names a table.
func mentions(q *parse.Query, table string) bool {
	var inBody func(parse.Body) bool
	var inRelation func(parse.Relation) bool
	inQuery := func(q *parse.Query) bool {
		for _, c := range q.With {
			if strings.EqualFold(c.Name.Text, table) {
				return false
			}
			if mentions(c.Query, table) {
				return true
			}
		}
		return inBody(q.Body)
	}
	inRelation = func(r parse.Relation) bool {
		switch x := r.(type) {
		case *parse.TableRef:
			return len(x.Name.Parts) == 1 && strings.EqualFold(x.Name.Parts[0].Text, table)
		case *parse.Derived:
			return inQuery(x.Query)
		case *parse.Join:
			return inRelation(x.Left) || inRelation(x.Right)
		}
		return false
	}
	inBody = func(x parse.Body) bool {
		switch x := x.(type) {
		case *parse.Select:
			for _, r := range x.From {
				if inRelation(r) {
					return true
				}
			}
		case *parse.SetOp:
			return inBody(x.Left) || inBody(x.Right)
		case *parse.Query:
			return inQuery(x)
		}
		return false
	}
	return inQuery(q)
}

// wholeNumber parses an integer literal. One that is too large for a bigint is a
// decimal where Postgres' rules hold.
func (b *binder) wholeNumber(text string, pos parse.Pos) (*Const, error) {
	text = strings.TrimPrefix(text, "--") // the minus of a literal and one before it
	x, err := strconv.ParseInt(text, 10, 64)
	if err != nil {
		if v, ok := fn.DecimalLiteral(text); ok && b.opt.Postgres {
			return constant(v.Type, v, pos), nil
		}
		return nil, sqlerr.New(sqlerr.NumericOutOfRange, pos, "%s is too large for bigint", text).
			WithHint("write %s. for a decimal, %[1]se0 for a double", text)
	}
	if x >= math.MinInt32 && x <= math.MaxInt32 {
		return intConst(column.IntegerType, x, pos), nil
	}
	return intConst(column.BigIntType, x, pos), nil
}
