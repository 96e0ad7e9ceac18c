package exec

import (
	"cmp"
	"errors"
	"math"
	"slices"

	"github.com/cairndb/cairn/segment/column"
	"github.com/cairndb/cairn/sql/plan"
	"github.com/cairndb/cairn/sql/sqlerr"
)

// topScanOp is ORDER BY … LIMIT n over a scan. It reads the sort keys of the
// rows that pass the filter and keeps the positions of the best; all other
// columns are read at the end, for n rows. Units whose bounds say that they
// hold the best rows go first, and once n rows are known, units and rows that
// cannot beat the worst of them are not looked at.
type topScanOp struct {
	stats opStats
	spec  *sortSpec
	scan  *scanOp
}

func (op *topScanOp) open(q *query) ([]task, error) {
	tasks, err := op.scan.open(q)
	if err != nil {
		return nil, err
	}
	op.spec.bound.Store(nil)
	if op.spec.wanted == 0 {
		return nil, nil
	}
	op.bestFirst(tasks)
	var made []*sorter
	runs, err := runAll(q, tasks, func() *topUnits {
		s := newSorter(q, &op.stats, op.spec, 0)
		s.chunks, s.at = nil, nil
		made = append(made, s)
		return &topUnits{op: op, sorter: s}
	})
	if e := (*sqlerr.Error)(nil); q.space != nil && errors.As(err, &e) && e.Code == sqlerr.OutOfMemory {
		// The keys alone are too much to be kept in memory: a sort of the rows can
		// put them aside.
		for _, s := range made {
			s.mem.release()
			s.forget()
		}
		rows := &sortOp{spec: op.spec, input: op.scan, width: len(op.scan.node.Columns)}
		for _, col := range op.scan.node.Columns {
			rows.types = append(rows.types, col.Type)
		}
		return rows.open(q)
	}
	if err != nil {
		return nil, err
	}
	m := merge{q: q, left: op.spec.wanted}
	for _, r := range runs {
		m.sources = append(m.sources, &sortedRun{sorter: r.sorter})
	}
	if err := m.start(); err != nil {
		return nil, err
	}
	if err := m.skip(op.spec.offset); err != nil {
		return nil, err
	}
	var rows []uint64 // unit, row
	for {
		r, i, err := m.pop()
		if err != nil {
			return nil, err
		}
		if r == nil {
			break
		}
		rows = append(rows, r.ord[i])
	}
	m.end()
	return []task{taskFunc(func(w *worker, emit func(*frame) error) error {
		was := w.enter(&op.stats)
		defer w.enter(was)
		for from := 0; from < len(rows); from += batchRows {
			if err := w.q.live(); err != nil {
				return err
			}
			part := rows[from:min(len(rows), from+batchRows)]
			f := &frame{n: len(part), cols: make([]*column.Vector, len(op.scan.node.Columns)), src: &fetch{op.scan, part}}
			op.stats.emitted(f.n)
			if err := emit(f); err != nil {
				return err
			}
		}
		return nil
	})}, nil
}

// keySlot returns the scan column that is the first key, or -1.
func (op *topScanOp) keySlot() int {
	if len(op.spec.keys) > 0 {
		if r, ok := op.spec.keys[0].x.(*refExpr); ok && op.spec.keys[0].typ.Payload() != column.PayloadNested {
			return r.slot
		}
	}
	return -1
}

// best returns the first key that no row of a unit is better than.
func (op *topScanOp) best(u plan.Unit, slot int) (b bound, ok bool) {
	desc := op.spec.keys[0].desc
	if timed, ok := u.(plan.TimedUnit); ok {
		if earliest, latest, ok := timed.Times(slot); ok {
			if b.i64 = earliest; desc {
				b.i64 = latest
			}
			return b, true
		}
	}
	v, ok := u.Bounds(slot)
	if !ok {
		return b, false
	}
	i := 0
	if desc {
		i = 1
	}
	leaf, j := v.Leaf(i)
	switch {
	case leaf.I64 != nil:
		b.i64 = leaf.I64[j]
	case leaf.F64 != nil:
		b.f64 = leaf.F64[j]
	default:
		b.str = leaf.Str[j]
	}
	return b, true
}

// bestFirst orders the tasks by the best first key that their units can hold;
// units that do not know come last, in their order.
func (op *topScanOp) bestFirst(tasks []task) {
	slot := op.keySlot()
	if slot < 0 {
		return
	}
	type entry struct {
		best  bound
		known bool
		task  task
	}
	list := make([]entry, len(tasks))
	for i, t := range tasks {
		list[i].best, list[i].known = op.best(t.(*unitTask).unit(), slot)
		list[i].task = t
	}
	key := &op.spec.keys[0]
	slices.SortStableFunc(list, func(x, y entry) int {
		switch {
		case !x.known && !y.known:
			return 0
		case !x.known:
			return 1
		case !y.known:
			return -1
		}
		return compareBounds(&x.best, &y.best, key)
	})
	for i := range list {
		tasks[i] = list[i].task
	}
}

// topUnits is the sink of one worker.
type topUnits struct {
	op *topScanOp
	*sorter
}

// runTask implements taskRunner.
func (s *topUnits) runTask(w *worker, _ int, t task) error {
	u := t.(*unitTask)
	slot := s.op.keySlot()
	backward := false
	if slot >= 0 {
		k := &s.spec.keys[0]
		if b := s.spec.bound.Load(); b != nil {
			if best, ok := s.op.best(u.unit(), slot); ok && compareBounds(&best, b, k) > 0 && (!k.nullsFirst || complete(w, u.unit(), slot)) {
				return nil
			}
		}
		// Rows arrive roughly in the order of time: the newest are at the end.
		backward = k.desc
	}
	rowSlot := len(s.op.scan.node.Columns)
	return u.blocks(w, backward, func(f *frame) (*frame, error) {
		if slot < 0 {
			return f, nil
		}
		if err := s.guess(w, f, backward); err != nil {
			return nil, err
		}
		if s.op.outdone(w, u.unit(), slot, f) {
			return nil, nil
		}
		at, known := s.op.timely(w, u.unit(), slot, f)
		all, err := len(at) == f.n, error(nil)
		if !known {
			at, all, err = s.promising(w, f)
		}
		switch {
		case err != nil || all:
			return f, err
		case len(at) == 0:
			return nil, nil
		}
		return f.sub(at), nil
	}, func(f *frame) error {
		was := w.enter(&s.op.stats)
		defer w.enter(was)
		rows, err := f.col(w, rowSlot)
		if err != nil {
			return err
		}
		unit := uint64(u.index) << 32
		if err := s.add(w, f, func(i int) uint64 { return unit | uint64(rows.I64[i]) }); err != nil {
			return err
		}
		return s.tighten()
	})
}

// complete reports whether a unit is known to have no NULLs at a path of times.
func complete(w *worker, u plan.Unit, slot int) bool {
	timed, ok := u.(plan.TimedUnit)
	return ok && timed.Complete(w.q.ctx, slot)
}

// outdone reports whether no row of a block can beat the worst row that is still wanted, by what the unit
// knows of the times of its blocks.
func (op *topScanOp) outdone(w *worker, u plan.Unit, slot int, f *frame) bool {
	k := &op.spec.keys[0]
	b := op.spec.bound.Load()
	src, ok := f.src.(*blockLoader)
	if !ok || b == nil || b.null || k.typ.Payload() != column.PayloadI64 {
		return false
	}
	timed, ok := u.(plan.TimedUnit)
	if !ok || k.nullsFirst && !timed.Complete(w.q.ctx, slot) {
		return false
	}
	best := bound{}
	earliest, latest, ok := timed.BlockTimes(w.q.ctx, slot, src.from/plan.BlockRows)
	if !ok {
		return false
	}
	if best.i64 = earliest; k.desc {
		best.i64 = latest
	}
	return compareBounds(&best, b, k) > 0
}

// guess makes a bound of a block before all of it is read, where there is none and no filter: the worst of as many
// of its rows as are wanted, those that are likely to be the best.
func (s *topUnits) guess(w *worker, f *frame, backward bool) error {
	n := int(s.spec.wanted)
	if f.n <= n || len(s.op.scan.filter) > 0 || s.keys[0].nested != nil || s.spec.bound.Load() != nil {
		return nil
	}
	at := make([]int32, n)
	for i := range at {
		if at[i] = int32(i); backward {
			at[i] += int32(f.n - n)
		}
	}
	key := &s.spec.keys[0]
	v, err := key.x.eval(w, f.sub(at))
	if err != nil {
		return err
	}
	k := newKeyColumn(key.typ)
	k.add(v, n)
	worst := k.bound(0)
	for i := range n {
		if b := k.bound(i); compareBounds(b, worst, key) > 0 {
			worst = b
		}
	}
	s.publish(worst)
	return nil
}

// timely returns the rows of a whole block that can beat the worst row that is still wanted, or are as good, if the
// unit knows them by their times.
func (op *topScanOp) timely(w *worker, u plan.Unit, slot int, f *frame) (at []int32, known bool) {
	k := &op.spec.keys[0]
	b := op.spec.bound.Load()
	src, ok := f.src.(*blockLoader)
	if !ok || src.rows != nil || b == nil || b.null || k.typ.Payload() != column.PayloadI64 {
		return nil, false
	}
	timed, ok := u.(plan.TimedUnit)
	if !ok {
		return nil, false
	}
	from, to := int64(math.MinInt64), b.i64
	if k.desc {
		from, to = b.i64, math.MaxInt64
	}
	rows, ok := timed.TimeRows(w.q.ctx, slot, src.from/plan.BlockRows, from, to, nil)
	if !ok {
		return nil, false
	}
	at = make([]int32, len(rows))
	for i, row := range rows {
		at[i] = int32(row) - int32(src.from)
	}
	return at, true
}

// fetch reads columns of rows scattered over the units of a scan.
type fetch struct {
	op   *scanOp
	rows []uint64 // unit, row; in any order
}

func (l *fetch) loadAt(w *worker, slot int, at []int32) (*column.Vector, error) {
	rows := make([]uint64, len(at))
	for i, p := range at {
		rows[i] = l.rows[p]
	}
	return (&fetch{l.op, rows}).load(w, slot)
}

func (l *fetch) load(w *worker, slot int) (*column.Vector, error) {
	was := w.enter(&l.op.stats)
	defer w.enter(was)
	n := len(l.rows)
	order := make([]int32, n)
	for i := range order {
		order[i] = int32(i)
	}
	slices.SortFunc(order, func(a, b int32) int { return cmp.Compare(l.rows[a], l.rows[b]) })
	from := make([]*column.Vector, n)
	at := make([]int32, n)
	for i := 0; i < n; {
		unit := l.rows[order[i]] >> 32
		block := uint32(l.rows[order[i]]) / plan.BlockRows
		var rows []uint32
		j := i
		for ; j < n && l.rows[order[j]]>>32 == unit && uint32(l.rows[order[j]])/plan.BlockRows == block; j++ {
			rows = append(rows, uint32(l.rows[order[j]]))
		}
		u := l.op.units[unit]
		start := int(block) * plan.BlockRows
		src := blockLoader{op: l.op, unit: u, rows: rows, from: start, to: min(u.Rows(), start+plan.BlockRows)}
		v, err := src.load(w, slot)
		if err != nil {
			return nil, err
		}
		for k, p := range order[i:j] {
			from[p], at[p] = v, int32(k)
		}
		i = j
	}
	out := column.NewAppender(l.op.node.Columns[slot].Type, n)
	for i, v := range from {
		out.Append(v, int(at[i]))
	}
	return out.Vector(), nil
}

// take implements sink; units are run by runTask.
func (s *topUnits) take(*worker, int, *frame) error {
	panic("exec: a top-N over a scan runs its own tasks")
}
