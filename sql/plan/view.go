package plan

import (
	"context"
	"errors"
	"slices"
	"strings"
	"time"

	"github.com/cairndb/cairn/segment/column"
	"github.com/cairndb/cairn/sql/fn"
	"github.com/cairndb/cairn/sql/parse"
	"github.com/cairndb/cairn/sql/sqlerr"
)

// View is a grouped aggregate over a table whose groups the table keeps: for some of
// its units it has, stored, the group keys of just that unit's rows and the states of the
// aggregates. A query whose groups are made of these reads them instead of the rows.
//
// As a relation of FROM a view is its query and nothing else, so reading it gives what
// running the query gives, whatever is stored.
//
// A View does not change and may be used by any number of queries.
type View struct {
	// Name is how EXPLAIN calls it, Number how the table knows it.
	Name   string
	Number uint32
	// Print is the table's own: what tells this view from others of its number.
	Print uint64
	// Query is what it stands for in FROM.
	Query *parse.Query
	// Columns are those of the query.
	Columns []Output

	// group has the aggregates that the query asks for and those that the view keeps for
	// itself; rows is count(*).
	group *Aggregate
	rows  int
	scan  *TableScan
	// spans are, by key, how the key cuts a time of the table.
	spans []span
	// within are, without such a key, the positions among the aggregates of the smallest
	// and largest time of a group, and of how many there are; nil for none.
	within *timeRange
	named  []string // the columns of the query that are keys, "" for none
	types  []*column.Type
	states []int // the first column of the state of each aggregate
}

// span says that a key is a time cut to a width.
type span struct {
	width int64 // in microseconds; 0 for a key that is no such thing
	of    Expr  // the time
}

// timeRange names three aggregates of a view.
type timeRange struct {
	of              Expr
	first, last, in int
}

// ViewedTable is a table that keeps the groups of views.
type ViewedTable interface {
	Table
	// Views are the views whose groups the table has.
	Views() []*View
	// ViewWork says how much there is to read of a view: its groups, and the rows of units
	// that have none.
	ViewWork(v *View) float64
	// TimeColumn is the column that queries narrow most often, and whose bounds are kept with
	// groups that do not tell them: the name of a column of type timestamp, "" for none.
	TimeColumn() string
}

// ViewedUnit is a unit that may have the groups of its rows.
type ViewedUnit interface {
	Unit
	// HasGroups reports whether the unit has the groups of a view, for exactly the rows
	// that are to be seen, and how many there are.
	HasGroups(ctx context.Context, v *View) (groups int64, ok bool)
	// Groups returns them, with columns of the types that v.Types gives, in any order; in that
	// of v.Order they are taken fastest, and keys whose dictionaries are entered by the same codes are
	// looked at once. Columns that need does not list may be nil. ok is false when they are not there;
	// then the rows are read.
	Groups(ctx context.Context, v *View, need []bool) (groups *column.Batch, ok bool, err error)
}

// GroupKeeper is a Scan that keeps, from one query to the next, what came of its units where
// groups of a view can stand for them.
// It may forget at any time. It is safe for concurrent use.
type GroupKeeper interface {
	// GroupsID identifies the rows of a unit, all of which are to be seen; ok is false when
	// they may become others, or are seen by some only.
	GroupsID(u Unit) (id uint64, ok bool)
	// KeptGroups returns what was kept under a key, nil for nothing; KeepGroups keeps a value
	// of about size bytes that does not change any more.
	KeptGroups(key string) any
	KeepGroups(key string, value any, size int64)
}

// QueryTable is a Table that stands for a query in Trino's dialect: it is never scanned.
type QueryTable interface {
	Table
	Query() *parse.Query
}

// viewed binds what a QueryTable stands for, as it was written: in its own dialect, without
// the names of the query around it.
func (b *binder) viewed(t QueryTable) (Node, error) {
	if b.relations++; b.relations > relationsMax {
		return nil, sqlerr.New(sqlerr.StatementTooComplex, parse.Pos{}, "the query reads more than %d tables and sub-queries", relationsMax)
	}
	was := *b
	b.opt.Postgres, b.names = false, nil
	n, err := b.inside(nil, t.Query(), nil)
	b.opt.Postgres, b.names = was.opt.Postgres, was.names
	if err != nil {
		var e *sqlerr.Error
		if errors.As(err, &e) {
			// Its places are those of another text.
			return nil, sqlerr.New(e.Code, parse.Pos{}, "view %s: %s", t.Name(), e.Message)
		}
		return nil, err
	}
	return n, nil
}

// bucketWidths are the widths of the units of date_trunc that are always the same.
var bucketWidths = map[string]int64{
	"millisecond": 1_000, "second": 1_000_000, "minute": 60_000_000, "hour": 3_600_000_000, "day": 86_400_000_000,
}

// viewAggregates are the aggregates that views can have: their states are small, and what
// comes of them does not depend on the order of rows.
var viewAggregates = []string{"count", "count_if", "sum", "min", "max", "avg", "min_by", "max_by", "approx_distinct", "approx_percentile",
	"bool_and", "every", "bool_or", "checksum", "arbitrary", "any_value"}

// viewErr says why a query cannot be a view.
func viewErr(pos parse.Pos, format string, args ...any) *sqlerr.Error {
	return sqlerr.New(sqlerr.FeatureNotSupported, pos, format, args...)
}

// NewView makes a view of a query over one table. What cannot be a view is a
// *sqlerr.Error that says why and, as its hint, what would work.
func NewView(ctx context.Context, cat Catalog, name string, number uint32, q *parse.Query) (*View, error) {
	if err := viewable(q); err != nil {
		return nil, err
	}
	// What depends on the time of the query or its zone is found out by binding at
	// different times and in different zones.
	var plans [2]*Aggregate
	var v *View
	for i, opt := range []Options{
		{Now: time.Unix(1e9, 0), Off: RulesOf(UseViews)},
		{Now: time.Unix(15e8, 123456789), Zone: 5*60 + 30, Off: RulesOf(UseViews)},
	} {
		p, err := Bind(ctx, cat, q, opt)
		if err != nil {
			return nil, err
		}
		root := p.Root
		for {
			x, ok := root.(*Project)
			if !ok {
				break
			}
			root = x.Input
		}
		group, ok := root.(*Aggregate)
		if !ok || len(group.Totals) > 0 {
			return nil, viewErr(q.Pos, "a view is a grouped aggregate").WithHint("SELECT keys and aggregates FROM a store GROUP BY the keys")
		}
		scan, ok := group.Input.(*TableScan)
		if !ok {
			return nil, viewErr(q.Pos, "a view reads one store, without sub-queries and joins")
		}
		plans[i] = group
		if i == 0 {
			v = &View{Name: name, Number: number, Query: q, Columns: p.Columns, group: group, scan: scan, named: make([]string, len(group.Keys))}
			for k := range group.Keys {
				v.named[k] = nameOf(p, group.Columns[k].ID)
			}
		}
	}
	if err := v.check(plans[1]); err != nil {
		return nil, err
	}
	if err := v.complete(); err != nil {
		return nil, err
	}
	return v, nil
}

// nameOf returns the name of the column of a plan's result that is a column further
// below, as it is; "" for none.
func nameOf(p *Plan, id ColID) string {
	for i, c := range p.Root.Cols() {
		at, n := c.ID, p.Root
		for at != id {
			x, ok := n.(*Project)
			if !ok {
				break
			}
			k := slices.IndexFunc(x.Columns, func(c Col) bool { return c.ID == at })
			r, ok := x.Exprs[k].(*Ref)
			if !ok {
				break
			}
			at, n = r.ID, x.Input
		}
		if at == id {
			return p.Columns[i].Name
		}
	}
	return ""
}

// viewable checks what can be seen in the text.
func viewable(q *parse.Query) error {
	sel, ok := q.Body.(*parse.Select)
	switch {
	case !ok:
		return viewErr(q.Pos, "a view is one SELECT with GROUP BY, without UNION, INTERSECT, EXCEPT or VALUES")
	case len(q.With) > 0:
		return viewErr(q.Pos, "a view has no WITH").WithHint("write the expressions out where they are used")
	case len(q.OrderBy) > 0:
		return viewErr(q.OrderBy[0].Expr.Position(), "a view has no ORDER BY").WithHint("order when you read it: SELECT … FROM the view ORDER BY …")
	case q.Limit != nil || q.Offset != nil:
		return viewErr(q.Pos, "a view has no LIMIT or OFFSET").WithHint("limit when you read it")
	case sel.Having != nil:
		return viewErr(sel.Having.Position(), "a view has no HAVING").WithHint("filter when you read it: SELECT … FROM the view WHERE …")
	case sel.Distinct:
		return viewErr(sel.Pos, "a view has no SELECT DISTINCT").WithHint("use GROUP BY")
	case len(sel.From) != 1:
		return viewErr(sel.Pos, "a view reads one store")
	}
	ref, ok := sel.From[0].(*parse.TableRef)
	switch {
	case !ok:
		return viewErr(relationPos(sel.From[0]), "a view reads one store, without sub-queries and joins")
	case ref.Sample != nil:
		return viewErr(ref.Sample.Pos, "a view has no TABLESAMPLE")
	}
	return nil
}

// dependsErr says that a view cannot have the time of a query. What stands there has become a
// constant, of a time at which nobody has asked.
func dependsErr(pos parse.Pos) *sqlerr.Error {
	return viewErr(pos, "a view cannot depend on the time, or the time zone, in which it is asked, as now() and current_date do").
		WithHint("filter by time when you read the view: SELECT … FROM the view WHERE hour > now() - INTERVAL '7' DAY")
}

// check looks for what a view cannot have; other is the same bound elsewhere and at
// another time.
func (v *View) check(other *Aggregate) error {
	expr := func(e, again Expr) error {
		var err error
		Walk(e, func(x Expr) bool {
			if err != nil {
				return false
			}
			switch y := x.(type) {
			case *Param:
				err = viewErr(x.Pos(), "a view has no parameters")
			case *Subquery, *Outer:
				err = viewErr(x.Pos(), "a view has no sub-queries")
			default:
				k := y.Type().Kind
				if k == column.TimestampTZ {
					if _, is := x.(*Const); is {
						err = dependsErr(x.Pos()) // now() has become the time of the test
						break
					}
					err = viewErr(x.Pos(), "%s depends on when, or in which time zone, it is asked", describe(x)).WithHint("use eventTime as it is: it is in UTC; filter by now() when you read the view")
				}
			}
			return err == nil
		})
		switch {
		case err != nil:
			return err
		case Volatile(e):
			return viewErr(e.Pos(), "%s gives another value each time", describe(e))
		case !same(e, again):
			return dependsErr(e.Pos())
		}
		return nil
	}
	group, scan, again := v.group, v.scan, other.Input.(*TableScan)
	if len(group.Keys) != len(other.Keys) || len(group.Aggs) != len(other.Aggs) || len(scan.Filter) != len(again.Filter) {
		return viewErr(v.Query.Pos, "the query depends on the time or the time zone in which it is asked")
	}
	for i, f := range scan.Filter {
		if err := expr(f, again.Filter[i]); err != nil {
			return err
		}
	}
	for i, k := range group.Keys {
		if err := expr(k, other.Keys[i]); err != nil {
			return err
		}
	}
	for i := range group.Aggs {
		a, b := &group.Aggs[i], &other.Aggs[i]
		switch {
		case a.Distinct && !a.Fn.SkipsDuplicates:
			return viewErr(a.Place, "a view has no %s(DISTINCT …): its groups could not be put together", a.Name).
				WithHint("use approx_distinct, or group by the argument as well and count when you read the view")
		case len(a.Order) > 0 || a.Fn.Ordered || !slices.Contains(viewAggregates, a.Name):
			return viewErr(a.Place, "a view cannot keep %s", a.Name).WithHint("it can keep %s", strings.Join(viewAggregates, ", "))
		case (a.Filter == nil) != (b.Filter == nil) || len(a.Args) != len(b.Args):
			return viewErr(a.Place, "%s depends on the time or the time zone of the query", a.Name)
		}
		for k, e := range a.Args {
			if err := expr(e, b.Args[k]); err != nil {
				return err
			}
		}
		if a.Filter != nil {
			if err := expr(a.Filter, b.Filter); err != nil {
				return err
			}
		}
	}
	return nil
}

// complete adds what the view keeps beside what its query asks for, and lays its
// groups out.
func (v *View) complete() error {
	next := ColID(1 << 30) // the numbers of queries begin at 1
	group, scan := *v.group, *v.scan
	group.Input, v.group, v.scan = &scan, &group, &scan
	group.Aggs, group.Columns = slices.Clone(group.Aggs), slices.Clone(group.Columns)
	scan.Columns, scan.Paths = slices.Clone(scan.Columns), slices.Clone(scan.Paths)
	add := func(name string, args ...Expr) (int, error) {
		for i := range group.Aggs {
			a := &group.Aggs[i]
			if a.Name == name && a.Filter == nil && slices.EqualFunc(a.Args, args, same) {
				return i, nil
			}
		}
		types := make([]*column.Type, len(args))
		for i, e := range args {
			types[i] = e.Type()
		}
		bound, err := fn.LookupAggregate(name).Bind(types)
		if err != nil {
			return 0, err
		}
		next++
		group.Aggs = append(group.Aggs, Agg{Fn: bound, Name: name, Args: args})
		group.Columns = append(group.Columns, Col{next, name, bound.Result})
		return len(group.Aggs) - 1, nil
	}
	cut := false
	for _, k := range group.Keys {
		s := spanOf(k)
		v.spans = append(v.spans, s)
		cut = cut || s.width > 0
	}
	var err error
	if v.rows, err = add("count"); err != nil {
		return err
	}
	if table, ok := scan.Table.(ViewedTable); ok && !cut {
		if of := scan.timeOf(table, &next); of != nil {
			r := &timeRange{of: of}
			for _, part := range []struct {
				name string
				to   *int
			}{{"min", &r.first}, {"max", &r.last}, {"count", &r.in}} {
				if *part.to, err = add(part.name, of); err != nil {
					return err
				}
			}
			v.within = r
		}
	}
	for _, k := range group.Keys {
		v.types = append(v.types, k.Type())
	}
	for i := range group.Aggs {
		v.states = append(v.states, len(v.types))
		v.types = append(v.types, group.Aggs[i].Fn.New().StateTypes()...)
	}
	return nil
}

// timeOf returns the table's time as a column of the scan; nil when it has none.
func (n *TableScan) timeOf(t ViewedTable, next *ColID) Expr {
	for i, c := range t.Columns() {
		if t.TimeColumn() == "" || c.Name != t.TimeColumn() {
			continue
		}
		p := Path{Column: i, Type: c.Type}
		for k, have := range n.Paths {
			if samePath(have, p) {
				return NewRef(n.Columns[k])
			}
		}
		*next++
		n.Columns, n.Paths = append(n.Columns, Col{*next, c.Name, c.Type}), append(n.Paths, p)
		return NewRef(n.Columns[len(n.Columns)-1])
	}
	return nil
}

// spanOf tells how a key cuts a time.
func spanOf(k Expr) span {
	switch x := k.(type) {
	case *Ref:
		if x.T.Kind == column.Timestamp {
			return span{1, x}
		}
	case *Call:
		if unit, of := truncation(x); of != nil {
			return span{bucketWidths[unit], of}
		}
	}
	return span{}
}

// truncation takes date_trunc(unit, time) apart; of is nil for anything else.
func truncation(e Expr) (unit string, of Expr) {
	x, ok := e.(*Call)
	if !ok || x.Name != "date_trunc" || len(x.Args) != 2 || x.Args[1].Type().Kind != column.Timestamp {
		return "", nil
	}
	k, ok := x.Args[0].(*Const)
	if !ok || k.null() {
		return "", nil
	}
	return strings.ToLower(k.Value.Str[0]), x.Args[1]
}

// Types are the types of the columns of stored groups: the keys, then the states of the
// aggregates.
func (v *View) Types() []*column.Type { return v.types }

// Keys is how many of these columns are keys.
func (v *View) Keys() int { return len(v.group.Keys) }

// KeyPath returns the path of the table that a key is, ok false when it is anything else.
func (v *View) KeyPath(key int) (p Path, ok bool) { return v.scan.path(v.group.Keys[key]) }

// Time returns the key that cuts the table's time, the width in microseconds, 0 for none,
// and the name of the column of the query that is just this key, "" for none.
func (v *View) Time() (key int, width int64, name string) {
	for i, s := range v.spans {
		if s.width > 0 {
			return i, s.width, v.named[i]
		}
	}
	return 0, 0, ""
}

// Order lists the keys in the order by which stored groups should stand: the time first,
// by which the groups of one unit are told from those of most others.
func (v *View) Order() []int {
	order := make([]int, 0, len(v.group.Keys))
	if first, width, _ := v.Time(); width > 0 {
		order = append(order, first)
	}
	for k := range v.group.Keys {
		if !slices.Contains(order, k) {
			order = append(order, k)
		}
	}
	return order
}

// Plan returns the plan that gives the groups of the rows of a table, in columns of the
// types that v.Types gives.
func (v *View) Plan(t Table) *Plan {
	scan, group := *v.scan, *v.group
	scan.Table = t
	group.Input, group.States = &scan, true
	group.Columns = make([]Col, len(v.types))
	p := &Plan{Root: &group, Context: fn.Context{Now: time.Unix(0, 0)}}
	for i, t := range v.types {
		group.Columns[i] = Col{ColID(i + 1), "", t}
		if i < len(group.Keys) {
			group.Columns[i].Name = describe(group.Keys[i])
		}
		p.Columns = append(p.Columns, Output{group.Columns[i].Name, t})
	}
	return p
}
