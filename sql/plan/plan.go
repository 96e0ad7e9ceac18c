// Package plan turns a parsed query into a plan: a tree of relational nodes
// over typed expressions, in which every name is resolved, every implicit
// conversion is spelled out, and everything that storage can use to skip work
// has been taken out of the filter.
//
// # Using it
//
// [Bind] takes a statement of package parse and a [Catalog] and returns a
// [Plan], which package exec runs. The same statement may be bound many times:
// once without values to learn the types of its parameters and columns, then
// once per run with the values, so that they serve pruning like any constant.
//
// # How it works
//
// Binding walks the statement once and makes [Node]s bottom up. A column of an
// intermediate result has a number, its [ColID], unique in the plan; a [Ref]
// names it, wherever it stands, so nodes can be moved past each other without
// renumbering. A base table's columns come into being when they are named: the
// path userIdentity.sessionContext.attributes.mfaAuthenticated is one column of
// the scan, and so is element_at(requestParameters, 'bucketName'), and storage
// reads just these.
//
// Then the plan is improved by rules that never change a result, nor an error
// that a row which counts would raise: constants are folded (an expression
// whose folding fails is kept as it is, to fail when a row needs it); filters
// move down through projections, groups and unions to the scans; a scan's
// conjuncts that storage understands become [Term]s beside the filter; a sort
// under a limit becomes a top-N, below the projection when it can, so that
// only sort keys are read for the rows that lose; of the queries of a UNION ALL and
// the left side of a left join no more rows are taken than a limit above them
// wants; what cannot give rows, since its conditions contradict each other, is not
// run. Filters pass through joins to
// the sides where the kind allows it, and with a.x = b.x what is asked of one is
// asked of the other; an outer join whose padded rows a filter drops is an inner
// one; inner joins begin with the smallest table and follow equalities. A
// condition that may fail is asked of a side only so far as it does not, and
// again of the rows of the result.
//
// Window functions are bound like aggregates: the call becomes a column of a
// [Window] above FROM, WHERE and GROUP BY. Windows that one sort can serve share
// a node; a filter on row_number or rank above it tells it how many rows of each
// partition count.
//
// A query inside an expression becomes a [Subquery] with a plan of its own,
// which names columns of the queries around as parameters ([Outer]): it stays
// where it stands in the expression, and is evaluated for just the rows that
// its place is evaluated for. As a condition of WHERE, IN and EXISTS become
// semi-joins, negated anti-joins, if neither side may raise an error: conditions
// besides equalities go with them, and the table that they ask about is narrowed
// before it is joined with others. Elsewhere, where the parameters are only compared by
// equality, a [Lookup] answers for all rows by one run. A WITH item is bound
// where it is used when that is cheap, else once ([Shared]); a recursive one is
// a [Recursive] node.
//
// # What may run concurrently
//
// A Plan is read-only once bound and may be run many times at once. Bind may be
// called concurrently.
package plan

import (
	"github.com/cairndb/cairn/segment/column"
	"github.com/cairndb/cairn/sql/fn"
	"github.com/cairndb/cairn/sql/parse"
)

// Plan is a bound statement.
type Plan struct {
	Root Node
	// Columns describe the result, in order; they are Root's columns.
	Columns []Output
	// Params are the types of the parameters $1, $2 …; Unknown for one whose
	// type nothing in the statement decides.
	Params []*column.Type
	// Explain asks for the plan's text instead of its rows; with Analyze the
	// query is run first.
	Explain, Analyze bool
	// Postgres is set in that dialect, whose clients read costs and rows in the first line
	// of EXPLAIN.
	Postgres bool
	// Context is what functions see: the time of the query and its zone.
	Context fn.Context
}

// Output is a column of the result.
type Output struct {
	Name string
	Type *column.Type
}

// ColID numbers a column of an intermediate result, uniquely within a plan.
type ColID int

// Col is a column of a node's result.
type Col struct {
	ID   ColID
	Name string // as titles and error messages show it
	Type *column.Type
}

// Node is a relational operator: *TableScan, *Values, *Filter, *Project,
// *Aggregate, *Expand, *Window, *Sort, *Limit, *Union, *SetOp, *Join, *Unnest,
// *SharedScan, *Recursive or *WorkTable.
type Node interface {
	// Cols are the columns of the result. Exactly these may be referred to by
	// the node above.
	Cols() []Col
	// Inputs are the nodes below.
	Inputs() []Node
}

// TableScan reads a table. Its columns are paths into the table's rows.
type TableScan struct {
	Table   Table
	Columns []Col
	Paths   []Path // of Columns, one each
	// Filter holds the conjuncts that rows must meet, in the order in which
	// they are to be evaluated; they may refer to all of Columns.
	Filter []Expr
	// Terms follow from Filter.
	Terms []Term
	// Unordered and Untold are set where OrderFilters and StorageTerms are off.
	Unordered, Untold bool
}

// Values is a constant relation: VALUES, or the one row of a SELECT without
// FROM.
type Values struct {
	Columns []Col
	Rows    [][]Expr
	// Why says why there are no rows, where that has been found out: ": LIMIT 0",
	// or " of ja: 1 = 0 is never true".
	Why string
}

// Filter keeps the rows for which all conditions are true.
type Filter struct {
	Input Node
	Conds []Expr
	// AnyOrder says that the order of its rows makes no difference.
	AnyOrder bool
}

// Project computes columns. Those that it passes on keep their ColID: a
// projection that only renames has a Ref as expression and a Col of its own.
type Project struct {
	Input   Node
	Columns []Col
	Exprs   []Expr
	// Narrows says that it only leaves columns behind that nothing above reads;
	// EXPLAIN does not show it.
	Narrows bool
}

// Aggregate groups its input by keys and computes aggregates per group.
// Without keys there is exactly one group, even without input. DISTINCT is an
// Aggregate without aggregates. Columns are those of the keys, then those of
// the aggregates.
type Aggregate struct {
	Input   Node
	Keys    []Expr
	Aggs    []Agg
	Columns []Col
	// Totals are the grouping sets without columns, as the last key numbers
	// them: their group is there without input too.
	Totals []int64
	// Stored says how groups that the table keeps are used; nil for none.
	Stored *StoredGroups
	// States asks for the states of the aggregates instead of their results. Columns are
	// then the keys and the columns of the states.
	States bool
}

// Agg is one aggregate of an Aggregate.
type Agg struct {
	Fn       *fn.BoundAggregate
	Name     string // for EXPLAIN
	Args     []Expr // cast to Fn.Args
	Distinct bool
	Filter   Expr // nil for none
	// Order is the order in which values are to be taken. With Distinct its
	// expressions are arguments, and OrderArgs says which.
	Order     []SortKey
	OrderArgs []int
	Place     parse.Pos
}

// Sort orders its input. With Limit >= 0 only rows Offset to Offset+Limit of
// the order are wanted.
type Sort struct {
	Input  Node
	Keys   []SortKey
	Limit  int64 // -1 for all
	Offset int64
	// Ties adds to Limit the rows that the keys do not tell from the last one.
	Ties bool
}

// SortKey is one key of an order.
type SortKey struct {
	Expr       Expr
	Desc       bool
	NullsFirst bool
}

// Limit passes on at most N rows after skipping Offset.
type Limit struct {
	Input  Node
	N      int64 // -1 for all
	Offset int64
}

// Union is UNION ALL: the rows of all inputs, whose columns correspond by
// position and have the same types.
type Union struct {
	Items   []Node
	Columns []Col
}

// Cols implements Node.
func (n *TableScan) Cols() []Col { return n.Columns }

// Cols implements Node.
func (n *Values) Cols() []Col { return n.Columns }

// Cols implements Node.
func (n *Filter) Cols() []Col { return n.Input.Cols() }

// Cols implements Node.
func (n *Project) Cols() []Col { return n.Columns }

// Cols implements Node.
func (n *Aggregate) Cols() []Col { return n.Columns }

// Cols implements Node.
func (n *Sort) Cols() []Col { return n.Input.Cols() }

// Cols implements Node.
func (n *Limit) Cols() []Col { return n.Input.Cols() }

// Cols implements Node.
func (n *Union) Cols() []Col { return n.Columns }

// Inputs implements Node.
func (n *TableScan) Inputs() []Node { return nil }

// Inputs implements Node.
func (n *Values) Inputs() []Node { return nil }

// Inputs implements Node.
func (n *Filter) Inputs() []Node { return []Node{n.Input} }

// Inputs implements Node.
func (n *Project) Inputs() []Node { return []Node{n.Input} }

// Inputs implements Node.
func (n *Aggregate) Inputs() []Node { return []Node{n.Input} }

// Inputs implements Node.
func (n *Sort) Inputs() []Node { return []Node{n.Input} }

// Inputs implements Node.
func (n *Limit) Inputs() []Node { return []Node{n.Input} }

// Inputs implements Node.
func (n *Union) Inputs() []Node { return n.Items }
