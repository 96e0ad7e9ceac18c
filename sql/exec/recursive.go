package exec

import (
	"errors"
	"math"
	"slices"
	"sync"

	"github.com/cairndb/cairn/segment/column"
	"github.com/cairndb/cairn/sql/plan"
	"github.com/cairndb/cairn/sql/sqlerr"
)

// sharedItem is a WITH item whose rows are made once and kept until the query
// ends.
type sharedItem struct {
	mu       sync.Mutex
	run      *subrun
	slots    slots
	done     bool
	err      error
	batches  []*column.Batch
	mem      account
	optional bool // the rows need not be kept
	// indexes are made of the rows for filters that look for few of them.
	indexes map[*plan.Filter]*keptIndex
}

// keptPart is the part of the budget that rows may take which need not be kept.
const keptPart = 4

// errUnkept is the error of rows that are not kept.
var errUnkept = errors.New("the rows are not kept")

// sharedOp is a use of a WITH item.
type sharedOp struct {
	stats opStats
	item  *sharedItem
	cols  []int // of the item's batches
}

func (c *compiler) sharedScan(n *plan.SharedScan) *sharedOp {
	all := c.q.all
	item := all.items[n.Of]
	if item == nil {
		item = &sharedItem{slots: slotsOf(n.Of.Root.Cols())}
		item.mem = account{m: c.q.mem, what: "the WITH item " + n.Of.Name, todo: "let it give fewer rows or columns, or raise the budget"}
		item.optional = n.Of.Kept
		all.items[n.Of] = item
		item.run = c.subrun(n.Of.Root)
	}
	op := &sharedOp{item: item}
	for _, id := range n.From {
		op.cols = append(op.cols, item.slots[id])
	}
	return op
}

func (op *sharedOp) open(*query) ([]task, error) {
	batches, err := op.item.rows()
	if err == errUnkept {
		return []task{taskFunc(op.again)}, nil
	}
	if err != nil {
		return nil, err
	}
	return batchTasks(&op.stats, batches, op.cols), nil
}

// again runs the item for this use alone.
func (op *sharedOp) again(w *worker, emit func(*frame) error) error {
	was := w.enter(&op.stats)
	defer w.enter(was)
	run := op.item.run
	tasks, err := run.op.open(run.q)
	if err != nil {
		return err
	}
	s := newStream(run.q, tasks, run.width, -1)
	defer s.stop()
	for {
		b, err := s.next()
		if err != nil || b == nil {
			return err
		}
		f := loaded(b.Len, make([]*column.Vector, len(op.cols)))
		for i, c := range op.cols {
			f.cols[i] = b.Cols[c]
		}
		op.stats.emitted(f.n)
		if err := emit(f); err != nil {
			return err
		}
	}
}

// rows runs the item unless that was done.
func (it *sharedItem) rows() ([]*column.Batch, error) {
	it.mu.Lock()
	defer it.mu.Unlock()
	if !it.done {
		it.done = true
		most := int64(math.MaxInt64)
		if it.optional && it.mem.m.limit > 0 {
			most = it.mem.m.limit / keptPart
		}
		it.batches, it.err = collect(it.run.q, it.run.op, it.run.width, &it.mem, most)
		if e := (*sqlerr.Error)(nil); it.optional && (it.err == errUnkept || errors.As(it.err, &e) && e.Code == sqlerr.OutOfMemory) {
			it.batches, it.err = nil, errUnkept
			it.mem.release()
		}
	}
	return it.batches, it.err
}

// collect runs an operator and keeps its rows, charging them to mem besides what
// it has. Rows of more than most bytes give errUnkept.
func collect(q *query, op operator, width int, mem *account, most int64) ([]*column.Batch, error) {
	tasks, err := op.open(q)
	if err != nil {
		return nil, err
	}
	s := newStream(q, tasks, width, -1)
	defer s.stop()
	var out []*column.Batch
	dicts := make(dicts, width)
	for {
		b, err := s.next()
		if err != nil || b == nil {
			return out, err
		}
		out = append(out, b)
		n := mem.held + batchBytes(b, dicts)
		if n > most {
			return nil, errUnkept
		}
		if err := mem.hold(n); err != nil {
			return nil, err
		}
	}
}

// batchBytes estimates the memory that a batch holds, dictionaries that it has from
// the batch before aside.
func batchBytes(b *column.Batch, dicts dicts) int64 {
	n := int64(64)
	for i, v := range b.Cols {
		n += vectorBytes(v) + dicts.fresh(i, v)
	}
	return n
}

// batchesPerTask keeps the tasks of kept rows from being too small to share out.
const batchesPerTask = 16

// batchTasks makes tasks of kept rows, each with the given columns.
func batchTasks(stats *opStats, batches []*column.Batch, cols []int) []task {
	var tasks []task
	for from := 0; from < len(batches); from += batchesPerTask {
		part := batches[from:min(len(batches), from+batchesPerTask)]
		tasks = append(tasks, taskFunc(func(w *worker, emit func(*frame) error) error {
			was := w.enter(stats)
			defer w.enter(was)
			for _, b := range part {
				if err := w.q.live(); err != nil {
					return err
				}
				f := loaded(b.Len, make([]*column.Vector, len(cols)))
				for i, c := range cols {
					f.cols[i] = b.Cols[c]
				}
				stats.emitted(f.n)
				if err := emit(f); err != nil {
					return err
				}
			}
			return nil
		}))
	}
	return tasks
}

// recursiveOp runs a recursive WITH item. Its rows go out as soon as their step
// has ended, so that a reader who wants few ends it early.
type recursiveOp struct {
	stats      opStats
	node       *plan.Recursive
	base, step operator
	work       *workOp
	types      []*column.Type
}

// workOp gives the rows of the last step.
type workOp struct {
	stats opStats
	width int
	rows  []*column.Batch // set by the recursiveOp between two steps
}

func (op *workOp) open(*query) ([]task, error) {
	cols := make([]int, op.width)
	for i := range cols {
		cols[i] = i
	}
	return batchTasks(&op.stats, op.rows, cols), nil
}

func (c *compiler) recursive(n *plan.Recursive) *recursiveOp {
	op := &recursiveOp{node: n, base: c.node(n.Base), step: c.node(n.Step)}
	op.work, _ = c.made[n.Work].(*workOp)
	for _, col := range n.Columns {
		op.types = append(op.types, col.Type)
	}
	return op
}

func (op *recursiveOp) open(q *query) ([]task, error) {
	return []task{taskFunc(func(w *worker, emit func(*frame) error) error { return op.run(w, q, emit) })}, nil
}

func (op *recursiveOp) run(w *worker, q *query, emit func(*frame) error) error {
	was := w.enter(&op.stats)
	defer w.enter(was)
	mem := account{m: q.mem, what: "the recursive WITH item " + op.node.Name, todo: "let it end sooner, carry fewer columns, or raise the budget"}
	last, all := mem, mem // of the rows of the last step; of those that are known
	defer func() {
		last.release()
		all.release()
	}()
	var known *tupleTable
	if !op.node.All {
		known = newTupleTable(op.types)
	}
	next := op.base
	for step := 0; ; step++ {
		if err := q.live(); err != nil {
			return err
		}
		if step > plan.RecursionMax {
			return sqlerr.New(sqlerr.ProgramLimit, op.node.Place, "the recursive WITH item %s did not end after %d steps", op.node.Name, plan.RecursionMax).
				WithHint("give its last query a condition that ends it, or use UNION in place of UNION ALL to drop rows that come again")
		}
		made := mem
		rows, err := collect(q, next, len(op.types), &made, math.MaxInt64)
		last.release()
		last = made
		if err != nil {
			return err
		}
		if known != nil {
			rows = fresh(known, rows)
			if err := all.hold(known.bytes()); err != nil {
				return err
			}
		}
		for _, b := range rows {
			op.stats.emitted(b.Len)
			if err := emit(loaded(b.Len, slices.Clone(b.Cols))); err != nil {
				return err
			}
		}
		if len(rows) == 0 || op.work == nil && step == 1 {
			return nil
		}
		if op.work != nil {
			op.work.rows = rows
		}
		next = op.step
	}
}

// fresh keeps the rows that are not known yet, each once, and makes them known.
func fresh(known *tupleTable, batches []*column.Batch) []*column.Batch {
	var out []*column.Batch
	for _, b := range batches {
		count := known.len()
		if len(b.Cols) == 0 {
			out = append(out, b)
			continue
		}
		numbers := make([]uint32, b.Len)
		known.numbers(b.Cols, b.Len, numbers)
		var at []int32
		for i, n := range numbers {
			if int(n) == count {
				at = append(at, int32(i))
				count++
			}
		}
		if len(at) == 0 {
			continue
		}
		kept := &column.Batch{Len: len(at), Cols: make([]*column.Vector, len(b.Cols))}
		for i, v := range b.Cols {
			kept.Cols[i] = column.Gather(v, at)
		}
		out = append(out, kept)
	}
	return out
}
