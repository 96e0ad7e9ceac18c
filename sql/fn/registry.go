package fn

import (
	"time"

	"github.com/cairndb/cairn/segment/column"
)

// Context is what functions may know about the query that calls them.
type Context struct {
	// Now is the start of the query: now(), current_date and friends.
	Now time.Time
	// Zone is the session's time zone (see column.ZoneNumber); 0 is UTC.
	Zone uint16
	// Rand returns a number in [0, 1) for random().
	Rand func() float64
	// Live, when set, is asked in the course of long work; it returns the error
	// that ends the query, nil to go on.
	Live func() error
	// Room, when set, tells how many bytes the values made by one call may take.
	Room func() int64
	// Session answers the functions of Postgres' catalogue; nil outside of a
	// session, where they fail.
	Session Session
}

// Bound is a scalar function or operator resolved for given argument types.
type Bound struct {
	// Args are the types that the arguments must be cast to, one each.
	Args []*column.Type
	// Result is the type of the result.
	Result *column.Type
	// Eval computes n values. Each argument is flat or constant and has n
	// values; the result may be flat or constant. Unless NullCall is set, Eval
	// may leave anything in rows where an argument is NULL, must not fail
	// because of them, and the caller marks the result NULL there. An error is
	// a *sqlerr.Error.
	Eval func(c *Context, args []*column.Vector, n int) (*column.Vector, error)
	// NullCall says that Eval handles NULL arguments itself.
	NullCall bool
	// Volatile functions may differ from call to call and are never folded.
	Volatile bool
}

// Scalar is a scalar function or operator with all its overloads.
type Scalar struct {
	Doc
	// Bind picks the overload for the argument types. Unknown is the type of a
	// bare NULL. The error is a *sqlerr.Error with code UndefinedFunction or
	// DatatypeMismatch that names the types it was given and those it takes.
	Bind func(args []*column.Type) (*Bound, error)
}

// Accumulator is the state of one aggregate over many groups.
type Accumulator interface {
	// Grow makes room for the groups 0 to n-1.
	Grow(n int)
	// Add takes n rows: row i belongs to group groups[i], or all to group 0
	// when groups is nil. Arguments are in any layout: implementations must use
	// Leaf, or flatten, or work on codes.
	Add(groups []uint32, args []*column.Vector, n int) error
	// Merge adds other's group i to group groups[i]. other is of the same kind.
	Merge(other Accumulator, groups []uint32) error
	// Result returns one value per group.
	Result() (*column.Vector, error)
	// StateTypes are the types of the columns that State gives.
	StateTypes() []*column.Type
	// State returns what the groups have taken so far as columns of values, one
	// row per group, for groups that are put aside. The accumulator may only be
	// dropped afterwards.
	State() []*column.Vector
	// Load adds what row i of n rows of state holds to group groups[i], as Merge
	// does. The columns are in any layout.
	Load(groups []uint32, state []*column.Vector, n int) error
	// Bytes is the memory held, roughly.
	Bytes() int64
}

// BoundAggregate is an aggregate resolved for given argument types.
type BoundAggregate struct {
	Args   []*column.Type
	Result *column.Type
	New    func() Accumulator
	// Weighted aggregates can take a value with a count at once, which lets
	// whole-segment counts feed them: AddWeighted(v, i, n) on the accumulator.
	Weighted bool
	// Ordered says that the result shows the order in which values come
	// (array_agg, listagg, map_agg): it is then that of the input.
	Ordered bool
	// SkipsDuplicates says that the result does not depend on how often a value
	// comes (min, max, approx_distinct, bool_or): DISTINCT is then free, and a
	// dictionary's entries can stand for its rows.
	SkipsDuplicates bool
}

// WeightedAccumulator is an Accumulator that can add value i of each argument
// weight times to a group.
type WeightedAccumulator interface {
	Accumulator
	AddWeighted(group uint32, args []*column.Vector, i int, weight int64) error
}

// Aggregate is an aggregate function with all its overloads.
type Aggregate struct {
	Doc
	Bind func(args []*column.Type) (*BoundAggregate, error)
}

// Doc describes a function for SHOW FUNCTIONS and the reference page.
type Doc struct {
	Name      string   // lower case
	Aliases   []string // other names
	Family    string   // "string", "date and time", "aggregate", …
	Signature string   // "substr(string, start[, length]) → varchar"
	Summary   string   // one sentence
	Example   string   // an expression
	From      string   // what the example stands over, "" for nothing: "(values 1, 2) as t(x)"
	Result    string   // the text of the example's value
	Differs   string   // how it differs from Trino's, "" when it does not
}
