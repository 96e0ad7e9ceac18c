package exec

import (
	"encoding/binary"

	"github.com/cairndb/cairn/segment/column"
	"github.com/cairndb/cairn/sql/plan"
)

// What came of units that a view can stand for is kept itself, by the scan's table, for the
// next query that makes the same of the same units: sealed units do not change, so only
// those that came since, and rows that are in none yet, are new. Then a view is read without
// looking at one of its groups. Whether they gave groups, counts or rows does not matter:
// the same comes of all.

// keptGroups are groups that were made of some units. They do not change.
type keptGroups struct {
	rows int
	keys []*column.Vector
	// states and results of the aggregates, in their order
	states, results []*column.Vector
	taken, counted  int64
}

// keeping says which tasks are units of which what comes is kept, and under which key.
type keeping struct {
	op         *aggregateOp
	in         plan.GroupKeeper
	key        string
	from, rest []task
}

// keeping returns nil where nothing can be kept.
func (op *aggregateOp) keeping(tasks []task) *keeping {
	if op.stored == nil || op.states || op.stored.node.Print == "" {
		return nil
	}
	in, ok := op.scan.scan.(plan.GroupKeeper)
	if !ok {
		return nil
	}
	k := &keeping{op: op, in: in}
	key := append([]byte(op.stored.node.Print), 0)
	for _, t := range tasks {
		if u, ok := t.(*unitTask); ok {
			if id, ok := in.GroupsID(u.unit()); ok {
				k.from = append(k.from, t)
				key = binary.BigEndian.AppendUint64(key, id)
				continue
			}
		}
		k.rest = append(k.rest, t)
	}
	if len(k.from) == 0 {
		return nil
	}
	k.key = string(key)
	return k
}

// take groups the units of which what comes is kept. It returns the groups, and the tasks that
// are left, or, when there are none, the tasks that hand out the result.
func (k *keeping) take(q *query) (states []*groups, ready, rest []task, err error) {
	op := k.op
	found, _ := k.in.KeptGroups(k.key).(*keptGroups)
	if found == nil {
		taken, counted := op.stored.taken.Load(), op.stored.counted.Load()
		states, err = runAll(q, k.from, func() *groups { return op.newGroups(q) })
		if err != nil {
			return nil, nil, nil, err
		}
		taken, counted = op.stored.taken.Load()-taken, op.stored.counted.Load()-counted
		if op.crowded(q, states) {
			return states, nil, k.rest, nil // too much
		}
		first := states[0]
		for _, s := range states[1:] {
			if err := first.merge(s); err != nil {
				return nil, nil, nil, err
			}
		}
		if found, err = first.kept(q); err != nil {
			return nil, nil, nil, err
		}
		found.taken, found.counted = taken, counted
		k.in.KeepGroups(k.key, found, found.bytes())
		first.mem.release()
	} else {
		op.stored.kept.Store(true)
		op.stored.taken.Add(found.taken)
		op.stored.counted.Add(found.counted)
	}
	if len(k.rest) == 0 {
		return nil, []task{taskFunc(func(w *worker, emit func(*frame) error) error { return found.emit(w, op, emit) })}, nil, nil
	}
	g := op.newGroups(q)
	if err := g.takeKept(q, found); err != nil {
		return nil, nil, nil, err
	}
	return []*groups{g}, nil, k.rest, nil
}

// inOrder are the numbers from 0, for groups that stand in their own order.
func inOrder(n int) []uint32 {
	of := make([]uint32, n)
	for i := range of {
		of[i] = uint32(i)
	}
	return of
}

// kept returns the groups in the form in which they are kept; g must not be used any more.
func (g *groups) kept(q *query) (*keptGroups, error) {
	n := g.table.len()
	k := &keptGroups{rows: n}
	if len(g.op.keys) > 0 {
		k.keys = g.table.vectors()
	}
	of := inOrder(n)
	for i, acc := range g.accs {
		states := acc.State()
		k.states = append(k.states, states...)
		// Of the states another accumulator, for what is a result is not a state any more.
		other := q.accumulator(g.op.aggs[i].fn)
		other.Grow(n)
		if err := other.Load(of, states, n); err != nil {
			return nil, placed(err, g.op.aggs[i].pos)
		}
		v, err := other.Result()
		if err != nil {
			return nil, placed(err, g.op.aggs[i].pos)
		}
		if len(states) == 1 && sameInts(states[0], v) {
			v = states[0]
		}
		k.results = append(k.results, v)
	}
	return k, nil
}

// sameInts reports whether two vectors are the same integers.
func sameInts(a, b *column.Vector) bool {
	if !a.Type.Equal(b.Type) || a.Dict != nil || b.Dict != nil || a.Const || b.Const || a.Nulls.Any() || b.Nulls.Any() || len(a.I64) != len(b.I64) || len(a.I64) == 0 {
		return false
	}
	for i, x := range a.I64 {
		if b.I64[i] != x {
			return false
		}
	}
	return true
}

// bytes is about how much memory the groups take.
func (k *keptGroups) bytes() int64 {
	n := int64(0)
	for _, list := range [][]*column.Vector{k.keys, k.states, k.results} {
		for _, v := range list {
			n += vectorBytes(v)
			if v.Dict != nil {
				n += vectorBytes(v.Dict)
			}
		}
	}
	return n
}

// emit hands out the groups with the results of their aggregates.
func (k *keptGroups) emit(w *worker, op *aggregateOp, emit func(*frame) error) error {
	was := w.enter(&op.stats)
	defer w.enter(was)
	for from := 0; from < k.rows; from += batchRows {
		if err := w.q.live(); err != nil {
			return err
		}
		to := min(k.rows, from+batchRows)
		part := make([]*column.Vector, 0, len(k.keys)+len(k.results))
		for _, v := range k.keys {
			part = append(part, v.Slice(from, to))
		}
		for _, v := range k.results {
			part = append(part, v.Slice(from, to))
		}
		op.stats.emitted(to - from)
		if err := emit(loaded(to-from, part)); err != nil {
			return err
		}
	}
	return nil
}

// takeKept adds groups that were kept.
func (g *groups) takeKept(q *query, k *keptGroups) error {
	for from := 0; from < k.rows; from += batchRows {
		if err := q.live(); err != nil {
			return err
		}
		to := min(k.rows, from+batchRows)
		for i, v := range k.keys {
			g.keyed[i] = v.Slice(from, to)
		}
		g.number(to - from)
		states := k.states
		for i, acc := range g.accs {
			width := len(acc.StateTypes())
			part := make([]*column.Vector, width)
			for s := range part {
				part[s] = states[s].Slice(from, to)
			}
			states = states[width:]
			if err := acc.Load(g.of[:to-from], part, to-from); err != nil {
				return placed(err, g.op.aggs[i].pos)
			}
		}
		if err := g.room(q); err != nil {
			return err
		}
	}
	return nil
}
