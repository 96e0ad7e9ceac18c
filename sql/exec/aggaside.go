package exec

import (
	"slices"

	"github.com/cairndb/cairn/segment/column"
)

// Groups that do not fit in memory.
//
// A worker whose groups have become too many writes them all and begins anew.
// A group is a row of its keys and the states of its aggregates. Values of a
// DISTINCT aggregate, and those that are to be taken in an order, are rows of
// other kinds: the keys of their group, then the values. When the input has
// been read, rows of all kinds are read in the order of the hash of the keys,
// and groups are put together again, some at a time. Within a hash the values
// of a DISTINCT aggregate come in the order of a hash of their own, so that
// their number does not matter where nothing but the difference does.

// newKinds describes the rows as which groups are put aside.
func (op *aggregateOp) newKinds(q *query) []*asideSpec {
	late := 1
	for i := range op.aggs {
		if a := &op.aggs[i]; a.distinct || op.keepsRows(a) {
			late++
		}
	}
	ranges := asideRanges(q, late)
	if len(op.keys) == 0 {
		ranges = 1
	}
	types := slices.Clone(op.types)
	kinds := make([]*asideSpec, 1+len(op.aggs))
	for i := range op.aggs {
		a := &op.aggs[i]
		values := append(slices.Clone(op.types), a.types...)
		switch {
		case a.distinct:
			kinds[1+i] = newAsideSpec(&op.stats, values, 2, ranges, late)
		case op.keepsRows(a):
			for _, k := range a.order {
				values = append(values, k.typ)
			}
			kinds[1+i] = newAsideSpec(&op.stats, append(values, column.BigIntType), 1, ranges, late)
		default:
			types = append(types, a.fn.New().StateTypes()...)
		}
	}
	kinds[0] = newAsideSpec(&op.stats, types, 1, ranges, late)
	return kinds
}

// keepsRows reports whether an aggregate keeps its values until all are there.
func (op *aggregateOp) keepsRows(a *aggregate) bool {
	return !a.distinct && (len(a.order) > 0 || a.fn.Ordered && !op.inOrder)
}

// room accounts for the groups, and puts them aside when there is no room for
// them.
func (g *groups) room(q *query) error {
	n := g.bytes()
	if g.op.kinds == nil || !g.mem.tight(n) {
		return g.mem.hold(n)
	}
	return g.putAside(q)
}

// crowded reports whether the groups of all workers must be put together from
// what is put aside: because some are there already, or because there would be
// no room for merging them and for values that wait.
func (op *aggregateOp) crowded(q *query, states []*groups) bool {
	if op.kinds == nil {
		return false
	}
	held, late := int64(0), false
	for _, s := range states {
		if s.aside != nil {
			return true
		}
		held += s.mem.held
		late = late || slices.Contains(s.accs, nil)
	}
	return len(states) > 1 && held > q.mem.limit/3 || late && held > q.mem.limit/4
}

// putAside writes all groups and forgets them.
func (g *groups) putAside(q *query) error {
	op := g.op
	if g.aside == nil {
		g.aside = make([]*aside, len(op.kinds))
		for i, k := range op.kinds {
			if k != nil {
				g.aside[i] = k.newAside(q)
			}
		}
	}
	n := g.table.len()
	keys := g.table.vectors()
	if len(op.keys) == 0 {
		keys = nil
	}
	hash := hashOf(keys, n)
	row := append([]*column.Vector{hash}, keys...)
	// of gives the hash and keys of the groups of values.
	of := func(groups []int32) []*column.Vector {
		out := make([]*column.Vector, len(keys)+1)
		out[0] = column.Gather(hash, groups)
		for i, v := range keys {
			out[1+i] = column.Gather(v, groups)
		}
		return out
	}
	for i, acc := range g.accs {
		switch {
		case g.rows[i] != nil:
			r := g.rows[i]
			groups, place := make([]int32, len(r.of)), column.New(column.BigIntType, len(r.of))
			for k, id := range r.of {
				groups[k], place.I64[k] = int32(id), int64(r.place[k])
			}
			cols := append(of(groups), vectorsOf(r.args)...)
			g.aside[1+i].put(append(append(cols, vectorsOf(r.keys)...), place), len(groups))
			g.rows[i] = nil
		case g.sets[i] != nil:
			count := g.sets[i].len()
			values := g.sets[i].vectors()
			groups := make([]int32, count)
			if len(op.keys) > 0 {
				for k, id := range column.Flatten(values[0]).I64[:count] {
					groups[k] = int32(id)
				}
				values = values[1:]
			}
			cols := of(groups)
			second := hashOf(values, count)
			cols = append(append([]*column.Vector{cols[0], second}, cols[1:]...), values...)
			g.aside[1+i].put(cols, count)
			g.sets[i] = nil
		default:
			row = append(row, acc.State()...)
			continue
		}
		if err := g.aside[1+i].write(); err != nil {
			return err
		}
	}
	g.aside[0].put(row, n)
	if err := g.aside[0].write(); err != nil {
		return err
	}
	g.begin()
	g.mem.release()
	return nil
}

// fromAside returns tasks that put the groups together again.
func (op *aggregateOp) fromAside(q *query, states []*groups) ([]task, error) {
	all := make([][]*aside, len(op.kinds))
	for _, s := range states {
		if s.aside == nil && s.table.len() == 0 {
			continue
		}
		if err := s.putAside(q); err != nil {
			return nil, err
		}
		for k, a := range s.aside {
			all[k] = append(all[k], a)
		}
	}
	var tasks []task
	for part := range op.kinds[0].ranges {
		tasks = append(tasks, taskFunc(func(w *worker, emit func(*frame) error) error {
			was := w.enter(&op.stats)
			defer w.enter(was)
			return op.putTogether(w, all, part, emit)
		}))
	}
	return tasks, nil
}

// putTogether reads the groups of one range of hashes and hands them out.
func (op *aggregateOp) putTogether(w *worker, all [][]*aside, part int, emit func(*frame) error) error {
	q := w.q
	var readers []*hashReader
	var kinds []int
	defer func() {
		for _, r := range readers {
			r.close()
		}
	}()
	for k, spec := range op.kinds {
		if spec == nil {
			continue
		}
		r, err := spec.newReader(q, all[k], part)
		if err != nil {
			return err
		}
		readers, kinds = append(readers, r), append(kinds, k)
	}
	g := op.newLoading(q)
	defer func() { g.mem.release() }()
	give := func() error {
		if err := g.finishLate(q); err != nil {
			return err
		}
		if err := g.emit(w, emit); err != nil {
			return err
		}
		g.mem.release()
		g = op.newLoading(q)
		return nil
	}
	enough := q.mem.limit / int64(8*op.kinds[0].ranges)
	err := together(readers, func(k int, cols []*column.Vector, n int) error {
		if err := g.load(kinds[k], cols, n); err != nil {
			return err
		}
		return g.charge()
	}, nil, func() error {
		if len(op.keys) > 0 && (g.table.len() >= batchRows || g.mem.held > enough) {
			return give()
		}
		return nil
	})
	if err != nil || len(op.keys) > 0 && g.table.len() == 0 {
		return err
	}
	return give()
}

// newLoading returns groups to be put together from rows put aside. DISTINCT
// aggregates take their values at once if their order does not matter.
func (op *aggregateOp) newLoading(q *query) *groups {
	g := op.newGroups(q)
	for i := range op.aggs {
		if a := &op.aggs[i]; g.sets[i] != nil && !a.takesInOrder() {
			g.accs[i] = q.accumulator(a.fn)
			g.accs[i].Grow(g.table.len())
		}
	}
	return g
}

// takesInOrder reports whether the different values of the aggregate must all be
// there before it takes the first.
func (a *aggregate) takesInOrder() bool { return len(a.order) > 0 || a.fn.Ordered }

// load adds rows of one kind to the groups.
func (g *groups) load(kind int, cols []*column.Vector, n int) error {
	op := g.op
	hashes := op.kinds[kind].hashes
	values := cols[hashes+len(op.keys):]
	copy(g.keyed, cols[hashes:])
	g.number(n)
	of := g.of[:n]
	if kind == 0 {
		for i := range op.aggs {
			if op.kinds[1+i] != nil {
				continue
			}
			width := len(g.accs[i].StateTypes())
			if err := g.accs[i].Load(of, values[:width], n); err != nil {
				return placed(err, op.aggs[i].pos)
			}
			values = values[width:]
		}
		return nil
	}
	i := kind - 1
	a := &op.aggs[i]
	switch {
	case g.rows[i] != nil:
		place := values[len(values)-1].I64
		args, keys := values[:len(a.types)], values[len(a.types):len(values)-1]
		g.rows[i].add(of, args, keys, func(r int) uint64 { return uint64(place[r]) }, n)
	case g.accs[i] == nil:
		g.addDistinct(i, of, values, n)
	default:
		return g.loadDistinct(i, of, cols, values, n)
	}
	return nil
}

// loadDistinct gives values that come in the order of their hashes to a DISTINCT
// aggregate, once each.
func (g *groups) loadDistinct(i int, of []uint32, cols, values []*column.Vector, n int) error {
	before := g.sets[i].len()
	g.addDistinct(i, of, values, n)
	var fresh []int32
	for r, id := range g.numbered[:n] {
		if int(id) >= before {
			fresh = append(fresh, int32(r))
			before = int(id) + 1
		}
	}
	if len(fresh) > 0 {
		groups, args := make([]uint32, len(fresh)), make([]*column.Vector, len(values))
		for k, r := range fresh {
			groups[k] = of[r]
		}
		for k, v := range values {
			args[k] = column.Gather(v, fresh)
		}
		if len(g.op.keys) == 0 {
			groups = nil
		}
		if err := g.accs[i].Add(groups, args, len(fresh)); err != nil {
			return placed(err, g.op.aggs[i].pos)
		}
	}
	// Only values with the hashes of the last can come again.
	first, second := cols[0].I64, cols[1].I64
	from := n - 1
	for from > 0 && first[from-1] == first[n-1] && second[from-1] == second[n-1] {
		from--
	}
	g.sets[i] = g.op.newSet(&g.op.aggs[i])
	last := make([]*column.Vector, len(values))
	for k, v := range values {
		last[k] = v.Slice(from, n)
	}
	g.addDistinct(i, of[from:], last, n-from)
	return nil
}
