package exec

import (
	"sync"

	"github.com/cairndb/cairn/segment/column"
	"github.com/cairndb/cairn/sql/plan"
	"github.com/cairndb/cairn/sql/sqlerr"
)

// lateralOp is a join whose right side refers to columns of the left one. For
// each batch of left rows the right side is run once per distinct combination of
// those columns that is not known from before, and the batch is joined with what
// the runs gave.
type lateralOp struct {
	stats opStats
	shape shape
	left  operator
	// outer are the columns of the left side that the right side refers to:
	// where they are, and which.
	outer []int
	ids   []plan.ColID
	types []*column.Type
	// right are copies of the right side, one per worker: an operator runs once
	// at a time.
	right chan operator
	// shown is the copy that EXPLAIN shows.
	shown operator
	// wanted is how many rows of a run matter; -1 for all.
	wanted int64
}

// lateral compiles a lateral join.
func (c *compiler) lateral(n *plan.Join, sh shape, both slots) operator {
	op := &lateralOp{shape: sh, wanted: -1, left: c.node(n.Left)}
	op.shape.on = c.exprs(n.On, both)
	if n.NullAware > 0 {
		return &missingOp{what: "a lateral join with the NULLs of IN", pos: n.Place}
	}
	if len(n.On) == 0 {
		switch n.Kind {
		case plan.SemiJoin, plan.AntiJoin, plan.MarkJoin:
			op.wanted = 1
		case plan.SingleJoin:
			op.wanted = 2
		}
	}
	refs := plan.OuterRefs(n.Right)
	for i, col := range n.Left.Cols() {
		if refs[col.ID] {
			op.outer, op.ids, op.types = append(op.outer, i), append(op.ids, col.ID), append(op.types, col.Type)
		}
	}
	c.late++
	op.right = make(chan operator, c.q.workers)
	for range c.q.workers {
		op.shown = c.node(n.Right)
		op.right <- op.shown
	}
	c.late--
	return op
}

func (op *lateralOp) open(q *query) ([]task, error) {
	tasks, err := op.left.open(q)
	if err != nil {
		return nil, err
	}
	known := &answers{op: op, table: newTupleTable(op.types)}
	known.mem = account{m: q.mem, what: "LATERAL", todo: "let the inner query give fewer rows, or raise the budget"}
	for i, t := range tasks {
		tasks[i] = taskFunc(func(w *worker, emit func(*frame) error) error { return op.run(w, known, t, emit) })
	}
	return tasks, nil
}

// answers are the rows that runs of the right side gave, by the values they were
// run for, as far as the budget lets them be kept.
type answers struct {
	op    *lateralOp
	mu    sync.Mutex
	table *tupleTable
	rows  [][]*column.Vector // by number of the values; nil for not known
	mem   account
	bytes int64
}

// lookUp numbers the values of n rows and returns what is known of each number.
func (a *answers) lookUp(values []*column.Vector, n int) (numbers []uint32, known [][]*column.Vector) {
	numbers = make([]uint32, n)
	a.mu.Lock()
	defer a.mu.Unlock()
	a.table.numbers(values, n, numbers)
	for len(a.rows) < a.table.len() {
		a.rows = append(a.rows, nil)
	}
	return numbers, append([][]*column.Vector(nil), a.rows...)
}

// keep stores an answer, or forgets them all when there is no room.
func (a *answers) keep(table *tupleTable, number uint32, rows []*column.Vector) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if table != a.table || a.rows[number] != nil {
		return
	}
	a.rows[number] = rows
	for _, v := range rows {
		a.bytes += vectorBytes(v)
	}
	if a.mem.hold(a.bytes+a.table.bytes()) != nil {
		a.table, a.rows, a.bytes = newTupleTable(a.op.types), nil, 0
		a.mem.release()
	}
}

func (op *lateralOp) run(w *worker, known *answers, t task, emit func(*frame) error) error {
	was := w.enter(&op.stats)
	defer w.enter(was)
	m := &matcher{shape: &op.shape, w: w}
	m.emit = func(f *frame) error {
		op.stats.emitted(f.n)
		return emit(f)
	}
	return t.run(w, func(f *frame) error {
		was := w.enter(&op.stats)
		defer w.enter(was)
		values := make([]*column.Vector, len(op.outer))
		for i, slot := range op.outer {
			v, err := f.col(w, slot)
			if err != nil {
				return err
			}
			values[i] = v
		}
		if err := op.answer(w, known, m, f, values); err != nil {
			return err
		}
		if m.kind == plan.MarkJoin {
			mark := column.New(column.BooleanType, f.n)
			for i, hit := range m.hit {
				mark.I64[i] = bit(hit)
			}
			g := &frame{n: f.n, cols: make([]*column.Vector, len(m.left)+1), src: &marked{f}}
			g.cols[len(m.left)] = mark
			return m.emit(g)
		}
		return m.rest()
	})
}

// answer finds the right rows of each row of f and matches them.
func (op *lateralOp) answer(w *worker, known *answers, m *matcher, f *frame, values []*column.Vector) error {
	table := known.table
	numbers, rows := known.lookUp(values, f.n)
	width := len(op.shape.right)
	held := &account{m: w.q.mem, what: "LATERAL", todo: "let the inner query give fewer rows, or raise the budget"}
	defer held.release()
	var bytes int64
	first, start := make([]int32, f.n), map[uint32]int32{}
	pieces := make([][]*column.Vector, width)
	var next []int32
	total := 0
	for i, id := range numbers {
		at, done := start[id]
		if !done {
			got := rows[id]
			if got == nil {
				var err error
				if got, err = op.once(w, values, i); err != nil {
					return err
				}
				known.keep(table, id, got)
			}
			n := got[width].Len
			at = -1
			if n > 0 {
				at = int32(total)
				for k := range pieces {
					pieces[k] = append(pieces[k], got[k])
					bytes += vectorBytes(got[k])
				}
				for r := range n {
					next = append(next, int32(total+r+1))
				}
				next[len(next)-1] = -1
				total += n
			}
			start[id] = at
			if err := held.hold(bytes); err != nil {
				return err
			}
		}
		first[i] = at
	}
	m.held, m.next = make([]*column.Vector, width), next
	for k := range pieces {
		m.held[k] = joinPieces(op.shape.right[k], pieces[k], total)
	}
	return m.match(f, first)
}

// once runs the right side for the values of one row. The last of the vectors it
// returns has no values, just their number.
func (op *lateralOp) once(w *worker, values []*column.Vector, row int) ([]*column.Vector, error) {
	var right operator
	select {
	case right = <-op.right:
	case <-w.q.ctx.Done():
		return nil, canceledBy(w.q.ctx.Err())
	}
	defer func() { op.right <- right }()
	q := w.q.within()
	for i, id := range op.ids {
		q.params[id] = column.Flatten(column.Gather(values[i], []int32{int32(row)}))
	}
	defer w.q.mem.saw(q.mem)
	tasks, err := right.open(q)
	if err != nil {
		return nil, err
	}
	width := len(op.shape.right)
	s := newStream(q, tasks, width, op.wanted)
	defer s.stop()
	held := account{m: q.mem, what: "LATERAL", todo: "let the inner query give fewer rows, or raise the budget"}
	pieces := make([][]*column.Vector, width)
	var bytes int64
	n := 0
	for op.wanted < 0 || int64(n) < op.wanted {
		b, err := s.next()
		if err != nil {
			return nil, err
		}
		if b == nil {
			break
		}
		for k, v := range b.Cols {
			if err := held.hold(bytes + laidBytes(v)); err != nil {
				return nil, err
			}
			v = column.Flatten(v)
			pieces[k] = append(pieces[k], v)
			bytes += vectorBytes(v)
		}
		if n += b.Len; n > joinRowsMax {
			return nil, tooManyJoined(op.shape.pos)
		}
		if err := held.hold(bytes); err != nil {
			return nil, err
		}
	}
	out := make([]*column.Vector, width+1)
	for k := range pieces {
		out[k] = joinPieces(op.shape.right[k], pieces[k], n)
	}
	out[width] = &column.Vector{Type: column.UnknownType, Len: n}
	return out, nil
}

// joinRowsMax is the most rows that a join can hold: they are numbered by an
// int32.
const joinRowsMax = 1<<31 - 2

func tooManyJoined(pos sqlerr.Pos) error {
	return sqlerr.New(sqlerr.OutOfMemory, pos, "a join cannot hold more than %d rows", int64(joinRowsMax)).
		WithHint("filter more rows")
}
