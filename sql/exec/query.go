package exec

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"math"
	"runtime/debug"
	"sync/atomic"
	"time"

	"github.com/cairndb/cairn/segment/column"
	"github.com/cairndb/cairn/sql/exec/spill"
	"github.com/cairndb/cairn/sql/fn"
	"github.com/cairndb/cairn/sql/plan"
	"github.com/cairndb/cairn/sql/sqlerr"
)

// query is the state that all operators of a running query share.
type query struct {
	ctx     context.Context
	fn      fn.Context
	workers int
	mem     *memory
	space   *spill.Space // temporary files; nil when there are none
	// caches is the number of dictionary caches that the compiled expressions
	// use; every worker has that many.
	caches int
	timed  bool // EXPLAIN ANALYZE: measure where the time goes
	// params are what a sub-query or the right side of a lateral join that is run
	// knows of the row it is run for.
	params map[plan.ColID]*column.Vector
	// turn is the query's part in the turns of all queries; nil for none.
	turn *Turn
	// all is what the queries and sub-queries of a statement share.
	all *statement
}

// within returns a query for one run of a part of this one, with room for more
// params and a budget of its own: what this one has left. What the run has taken
// goes back with it.
func (q *query) within() *query {
	in := *q
	in.params = maps.Clone(q.params)
	if in.params == nil {
		in.params = map[plan.ColID]*column.Vector{}
	}
	in.mem = &memory{limit: q.mem.limit}
	if in.mem.limit >= 0 {
		in.mem.limit = max(0, q.mem.limit-q.mem.used.Load())
	}
	return &in
}

// param returns the value of a column of a query around, nil for none.
func (q *query) param(id plan.ColID) *column.Vector { return q.params[id] }

// saw notes what a run within this query took at its peak.
func (m *memory) saw(in *memory) {
	m.top(m.used.Load() + in.peak.Load())
}

// top raises the peak.
func (m *memory) top(used int64) {
	for {
		peak := m.peak.Load()
		if used <= peak || m.peak.CompareAndSwap(peak, used) {
			return
		}
	}
}

// canceled is what a query returns after its context ended: both the error
// that clients understand and the context's own.
type canceled struct {
	told  *sqlerr.Error
	cause error
}

func (c *canceled) Error() string   { return c.told.Error() }
func (c *canceled) Unwrap() []error { return []error{c.told, c.cause} }

// live returns the error of a query that is to end, else nil. It is where long
// queries let short ones pass, so no lock of others may be held.
func (q *query) live() error {
	q.turn.yield(q.ctx)
	err := q.ctx.Err()
	if err == nil {
		return nil
	}
	return canceledBy(err)
}

// pulse looks now and then whether the query has ended where nothing gives errors,
// as in the comparisons of a sort: it then panics with what recovered turns into
// the error.
type pulse struct {
	q *query
	n int
}

// pulseSteps is how many steps, of some hundred nanoseconds each, lie between two
// looks.
const pulseSteps = 1 << 13

func (p *pulse) beat() {
	if p.n++; p.n < pulseSteps {
		return
	}
	p.n = 0
	if err := p.q.live(); err != nil {
		panic(err)
	}
}

// Canceled returns the error of a query whose context ended with err: both
// what clients understand and err itself.
func Canceled(err error) error { return canceledBy(err) }

func canceledBy(err error) error {
	e := sqlerr.New(sqlerr.QueryCanceled, sqlerr.Pos{}, "the query was canceled")
	if errors.Is(err, context.DeadlineExceeded) {
		e = sqlerr.New(sqlerr.QueryCanceled, sqlerr.Pos{}, "the query ran longer than its time limit").
			WithHint("narrow the time range, or raise the limit")
	}
	return &canceled{e, err}
}

// recovered turns a panic into the error of this query; the compiler and pulses
// panic with *canceled when the query has ended, copies with *tooLarge. It is deferred in
// every goroutine that runs operators.
func recovered(err *error) {
	if r := recover(); r != nil {
		switch r := r.(type) {
		case *canceled:
			*err = r
			return
		case *tooLarge:
			*err = r.err
			return
		}
		*err = sqlerr.New(sqlerr.Internal, sqlerr.Pos{}, "internal error: %v", r).
			WithDetail("%s", debug.Stack()).
			WithHint("this is a defect of the database; the query failed, nothing else did")
	}
}

// memory is the budget of a query.
type memory struct {
	limit int64 // below 0 for none
	used  atomic.Int64
	peak  atomic.Int64
	// spills says that operators can put rows aside, and share is what one of
	// them holds at least before it does: runs must not become too small.
	spills bool
	share  int64
}

// setLimit sets the budget; with spills, operators put rows aside when half of
// it is used.
func (m *memory) setLimit(limit int64, spills bool, workers int) {
	m.limit, m.spills = limit, spills && limit >= 0
	m.share = limit / int64(16*max(1, workers))
}

// blockBytes is how large the blocks of temporary files are: several dozen of
// them must fit into the budget at once.
func (m *memory) blockBytes() int {
	return int(min(spill.BlockBytes, max(4<<10, m.limit/128)))
}

// fanIn is how many runs are merged at once: their blocks, decoded, take a
// quarter of the budget.
func (m *memory) fanIn() int {
	return int(min(256, max(3, m.limit/int64(12*m.blockBytes()))))
}

// room is how many bytes are left.
func (m *memory) room() int64 {
	if m.limit < 0 {
		return math.MaxInt64
	}
	return m.limit - m.used.Load()
}

// account is what one operator has taken from the budget. It belongs to one
// goroutine.
type account struct {
	m    *memory
	what string // the operator, for the error
	todo string // what the user can do
	held int64
}

// hold sets what the account holds to n bytes in all. If that is more than the
// budget allows, nothing changes.
func (a *account) hold(n int64) error {
	used := a.m.used.Add(n - a.held)
	if a.m.limit >= 0 && used > a.m.limit && n > a.held {
		a.m.used.Add(a.held - n)
		return sqlerr.New(sqlerr.OutOfMemory, sqlerr.Pos{},
			"%s needs more than the query's memory budget of %s", a.what, byteCount(a.m.limit)).WithHint("%s", a.todo)
	}
	a.held = n
	a.m.top(used)
	return nil
}

// tight reports whether the operator should put rows aside instead of holding
// n bytes.
func (a *account) tight(n int64) bool {
	return a.m.spills && n > a.m.share && a.m.used.Load()-a.held+n > a.m.limit/2
}

// release gives everything back.
func (a *account) release() {
	a.m.used.Add(-a.held)
	a.held = 0
}

// byteCount writes a number of bytes for a person.
func byteCount(n int64) string {
	switch {
	case n < 10<<10:
		return fmt.Sprintf("%d bytes", n)
	case n < 10<<20:
		return fmt.Sprintf("%d KiB", n>>10)
	}
	return fmt.Sprintf("%d MiB", n>>20)
}

// worker is what one goroutine keeps while it runs tasks.
type worker struct {
	q    *query
	fn   *fn.Context
	dict []dictCache // of the compiled expressions, by number
	// extended is the dictionary that dictCaches last evaluated over, flat and
	// with a NULL at its end.
	extendedOf, extended *column.Vector
	// The clock of EXPLAIN ANALYZE: the operator at work and since when.
	op    *opStats
	since time.Time
}

// context is what functions know of the query.
func (q *query) context() *fn.Context {
	c := q.fn
	c.Live, c.Room = q.live, q.mem.room
	return &c
}

// accumulator returns the state of an aggregate that works for the query.
func (q *query) accumulator(a *fn.BoundAggregate) fn.Accumulator {
	acc := a.New()
	if w, ok := acc.(fn.Watched); ok {
		w.Watch(q.context())
	}
	return acc
}

func (q *query) newWorker() *worker {
	return &worker{q: q, dict: make([]dictCache, q.caches), fn: q.context()}
}

// opStats is what EXPLAIN ANALYZE tells of an operator.
type opStats struct {
	rows, batches, nanos atomic.Int64
}

// enter says that the worker now works for op and returns whom it worked for.
func (w *worker) enter(op *opStats) *opStats {
	if !w.q.timed {
		return nil
	}
	now := time.Now()
	if w.op != nil {
		w.op.nanos.Add(int64(now.Sub(w.since)))
	}
	was := w.op
	w.op, w.since = op, now
	return was
}

// emitted counts a frame that an operator has made.
func (s *opStats) emitted(n int) {
	s.rows.Add(int64(n))
	s.batches.Add(1)
}
