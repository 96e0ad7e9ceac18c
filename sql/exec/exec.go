// Package exec runs plans: vectorised operators over batches of columns, in
// parallel over the units of the tables, within a memory budget.
//
// # Using it
//
// [Start] takes a plan of package plan and returns [Rows]; its Next hands out
// the result batch by batch while the query runs, and Close ends it at any
// moment. [Explain] and the Analyze form of a plan give text instead.
//
// # How it works
//
// Every node becomes an operator; opening an operator yields tasks, which
// together produce its rows and of which each is run by one goroutine. A scan
// has a task per unit of the table; filters and projections wrap the tasks of
// their input; an operator that needs all of its input before it can answer (a
// group, a sort) runs the input's tasks itself, on all workers, each with a
// state of its own, merges the states and has one task of its own.
//
// Rows travel as frames: a number of rows and columns that are loaded when
// somebody asks, and only at the rows asked for. A scan evaluates its
// conjuncts one after the other, each on the rows that the ones before left,
// and hands the survivors on without having read any other column; COALESCE
// reads its second argument only for the rows where the first is NULL. A top-N
// over a scan reads sort keys alone, remembers where its rows are, and fetches
// their other columns at the end.
//
// An expression of one column is evaluated once per dictionary entry when the
// column comes with a dictionary, and its result is a dictionary again, up to
// the codes that GROUP BY counts. If evaluating an entry fails, the rows at
// hand decide: an error comes only from a row that counts. Where a unit knows
// how often each value occurs, groups over that one column need no rows at all.
//
// An expression that an operator has in several places is evaluated once for the
// rows of a frame, when the first of its places asks and for the rows that it asks
// for: frames keep the values (see sharedExpr).
//
// Window functions work on sorted rows, cut into blocks of whole partitions that
// are worked on side by side; a partition is all that must be in memory. Counts
// and integer sums over frames are differences of running totals, extremes and
// other aggregates go on from the frame before or are put together from a tree
// of partial results, so no frame costs more than the logarithm of its length.
// Where only the first rows of each partition are wanted (a filter on
// row_number or rank), workers keep just these, and only they are sorted.
//
// A sub-query of an expression is a plan that is compiled and run by itself: once
// when it does not refer to the queries around, once with its rows kept by what
// they must be equal to (plan.Lookup), else once per combination of what it
// refers to, the answers remembered. It runs when the first row asks; if the run
// for all rows fails or does not fit, each combination decides for itself. One
// run of a sub-query is under way at a time, on all workers.
//
// A join holds the side that has fewer rows (scans know, once storage has left
// out what it can), found by a hash of the equalities, and lets the other side
// pass by on all workers. Held columns come out as dictionary vectors over what
// is held, columns of the other side are read for the rows that match. What is
// held is told to the other side's scan before that is read: few keys as a list
// of values, orders between the sides as a range. A lateral join runs its right
// side once per distinct combination of what that refers to, and remembers.
//
// The order of results without ORDER BY is the order of storage: tasks run
// ahead in parallel, and their batches are handed out in task order.
//
// # Limits
//
// Operators that keep rows charge them to the query's budget ([Options]
// Memory). When half of it is used, those that can put rows aside do: a sort
// writes what it holds as a sorted run and merges the runs while its result is
// read. Groups (also of DISTINCT and set operations) are written with the states
// of their aggregates in the order of a hash of their keys, and put together
// when the runs are merged, so that only one group must fit in memory; of
// count(DISTINCT x) not even that. A join whose held side is too large puts both
// sides aside by a hash of their keys, and joins them as they are read back, block
// by block where one hash has many rows. Runs are written through package spill to the files that [Options] Files
// gives, and removed when the query ends, however it ends. The other half is
// for what is in flight and for operators that cannot spill; beyond the budget
// the query fails with sqlerr.OutOfMemory. Every batch looks at the context, so
// a query ends soon after its context does; functions look too, in the midst of
// long values ([fn.Context] Live). There, long queries also stand back for
// short ones ([Turns]). A panic in an operator is an error
// of that query alone.
//
// Operators that keep rows get only the columns that somebody above them reads. An
// array, map or row value that stands in many rows, because an UNNEST or a join
// repeated it, is one value to which the rows have codes; what needs it once per
// row asks the budget before it copies (see picker and query.fits).
//
// # What may run concurrently
//
// Any number of queries, also of one plan. Rows belongs to one goroutine at a
// time; Close may be called while Next waits.
package exec

import (
	"runtime"
	"time"

	"github.com/cairndb/cairn/sql/exec/spill"
	"github.com/cairndb/cairn/sql/plan"
)

// batchRows is the most rows that a frame has. A frame of a scan never spans
// two blocks of a unit.
const batchRows = plan.BlockRows

// DefaultMemory is the memory budget of a query for which none is given:
// enough for groups and sorts of a million rows, small beside a server.
const DefaultMemory = 256 << 20

// DefaultDisk is the temporary space of a query for which none is given: sorts
// of some hundred million rows, and a disk that one query cannot fill.
const DefaultDisk = 32 << 30

// Options say how a query is run. The zero value is useful.
type Options struct {
	// Memory is the budget in bytes for rows, groups and sorts that operators
	// keep; 0 stands for DefaultMemory, below 0 for no limit.
	Memory int64
	// Workers is how many goroutines work at once; 0 stands for GOMAXPROCS.
	Workers int
	// Timeout ends a query that runs longer; 0 for none.
	Timeout time.Duration
	// Files keeps what does not fit in memory; nil for a query that fails at its
	// budget instead.
	Files spill.Files
	// Disk is how many bytes of Files the query may use at once; 0 stands for
	// DefaultDisk, below 0 for no limit.
	Disk int64
	// MaxRows is how many rows the result may have, ResultBytes how many bytes its
	// values may have; a query that would give more fails at that point. 0 for no
	// limit.
	MaxRows, ResultBytes int64
	// Turn is the query's part in the turns of queries that run beside it; nil for
	// none. The query leaves at its end.
	Turn *Turn
}

func (o Options) filled() Options {
	if o.Memory == 0 {
		o.Memory = DefaultMemory
	}
	if o.Disk == 0 {
		o.Disk = DefaultDisk
	}
	if o.Workers <= 0 {
		o.Workers = runtime.GOMAXPROCS(0)
	}
	return o
}
