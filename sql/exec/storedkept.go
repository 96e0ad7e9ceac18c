package exec

import (
	"encoding/binary"
	"slices"

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
	// parts have no group in common.
	parts []*keptPiece
	// time is the key by which parts know their ranges, -1 for none.
	time           int
	taken, counted int64
}

// keptPiece is some of these groups.
type keptPiece struct {
	rows int
	keys []*column.Vector
	// states and results of the aggregates, in their order
	states, results []*column.Vector
	// times are the values of the key that is a time, from first to last; nil when there is
	// none.
	times       []int64
	first, last int64
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
		if found, err = op.inParts(q, k.from); err == nil && found == nil {
			found, states, err = op.together(q, k.from)
		}
		if err != nil || found == nil {
			return states, nil, k.rest, err // too much
		}
		found.taken, found.counted = op.stored.taken.Load()-taken, op.stored.counted.Load()-counted
		k.in.KeepGroups(k.key, found, found.bytes())
	} else {
		op.stored.kept.Store(true)
		op.stored.taken.Add(found.taken)
		op.stored.counted.Add(found.counted)
	}
	if len(k.rest) == 0 {
		return nil, found.tasks(op), nil, nil
	}
	states, ready, err = k.beside(q, found)
	return states, ready, nil, err
}

// together groups units in one table. When there is too much of it, states has all of it.
func (op *aggregateOp) together(q *query, tasks []task) (found *keptGroups, states []*groups, err error) {
	if states, err = runAll(q, tasks, func() *groups { return op.newGroups(q) }); err != nil || op.crowded(q, states) {
		return nil, states, err
	}
	first := states[0]
	for _, s := range states[1:] {
		if err := first.merge(s); err != nil {
			return nil, nil, err
		}
	}
	defer first.mem.release()
	var keys []*column.Vector
	if len(op.keys) > 0 {
		keys = first.table.vectors()
	}
	part, err := first.kept(q, keys)
	if err != nil {
		return nil, nil, err
	}
	return &keptGroups{parts: []*keptPiece{part}, time: -1}, nil, nil
}

// beside puts what is kept together with the groups of the other units. Where both are told
// apart by time, groups that cannot be among the others are handed out as they are.
func (k *keeping) beside(q *query, found *keptGroups) (states []*groups, ready []task, err error) {
	op := k.op
	if states, err = runAll(q, k.rest, func() *groups { return op.newGroups(q) }); err != nil {
		return nil, nil, err
	}
	var first *groups
	var low, high int64
	apart := false
	if found.time >= 0 && !op.crowded(q, states) {
		first = states[0]
		for _, s := range states[1:] {
			if err := first.merge(s); err != nil {
				return nil, nil, err
			}
		}
		states = states[:1]
		low, high, apart = first.table.columns[found.time].bounds()
	}
	if !apart {
		g := op.newGroups(q)
		for _, p := range found.parts {
			if err := g.takeKept(q, p); err != nil {
				return nil, nil, err
			}
		}
		return append([]*groups{g}, states...), nil, nil
	}
	var away []*keptPiece
	for _, p := range found.parts {
		in, others := p.within(low, high)
		if others != nil {
			away = append(away, others)
		}
		if in == nil {
			continue
		}
		if err := first.takeKept(q, in); err != nil {
			return nil, nil, err
		}
	}
	if first.aside != nil { // there was no room
		for _, p := range away {
			if err := first.takeKept(q, p); err != nil {
				return nil, nil, err
			}
		}
		return states, nil, nil
	}
	ready = (&keptGroups{parts: away}).tasks(op)
	return nil, append(ready, taskFunc(func(w *worker, emit func(*frame) error) error { return first.emit(w, emit) })), nil
}

// bounds returns the least and greatest value of a column of integers; ok is false for any
// other, or with NULL. Without values nothing is between them.
func (in *interner) bounds() (low, high int64, ok bool) {
	if in.null >= 0 || in.typ.Payload() != column.PayloadI64 || in.typ.Kind == column.TimestampTZ {
		return 0, 0, false
	}
	if in.n == 0 {
		return 1, 0, true
	}
	return slices.Min(in.ints[:in.n]), slices.Max(in.ints[:in.n]), true
}

// timed notes the values of the key that is a time. There is at least one.
func (k *keptPiece) timed(time int) {
	k.times = k.keys[time].I64[:k.rows]
	k.first, k.last = slices.Min(k.times), slices.Max(k.times)
}

// within returns the groups whose time is from low to high, nil for none, and the others.
func (k *keptPiece) within(low, high int64) (in, others *keptPiece) {
	if k.last < low || k.first > high {
		return nil, k
	}
	if k.first >= low && k.last <= high {
		return k, nil
	}
	var at, rest []int32
	for i, t := range k.times {
		if t >= low && t <= high {
			at = append(at, int32(i))
		} else {
			rest = append(rest, int32(i))
		}
	}
	if len(at) == 0 {
		return nil, k
	}
	return k.at(at), k.at(rest)
}

// at returns some of the groups, to be handed out or taken.
func (k *keptPiece) at(rows []int32) *keptPiece {
	some := func(list []*column.Vector) []*column.Vector {
		out := make([]*column.Vector, len(list))
		for i, v := range list {
			out[i] = column.Gather(v, rows)
		}
		return out
	}
	return &keptPiece{rows: len(rows), keys: some(k.keys), states: some(k.states), results: some(k.results)}
}

// tasks hand out the groups.
func (k *keptGroups) tasks(op *aggregateOp) []task {
	var list []task
	for _, p := range k.parts {
		list = append(list, taskFunc(func(w *worker, emit func(*frame) error) error { return p.emit(w, op, emit) }))
	}
	if list == nil {
		list = append(list, taskFunc(func(*worker, func(*frame) error) error { return nil }))
	}
	return list
}

// inOrder are the numbers from 0, for groups that stand in their own order.
func inOrder(n int) []uint32 {
	of := make([]uint32, n)
	for i := range of {
		of[i] = uint32(i)
	}
	return of
}

// kept returns the groups, whose keys are given, in the form in which they are kept; g must
// not be used any more.
func (g *groups) kept(q *query, keys []*column.Vector) (*keptPiece, error) {
	n := 1
	if len(keys) > 0 {
		n = keys[0].Len
	}
	k := &keptPiece{rows: n, keys: keys}
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
	for _, p := range k.parts {
		n += p.bytes()
	}
	return n
}

func (k *keptPiece) bytes() int64 {
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
func (k *keptPiece) emit(w *worker, op *aggregateOp, emit func(*frame) error) error {
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
func (g *groups) takeKept(q *query, k *keptPiece) error {
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
