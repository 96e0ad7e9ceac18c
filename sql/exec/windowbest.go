package exec

import (
	"cmp"
	"slices"
	"strings"

	"github.com/cairndb/cairn/segment/column"
	"github.com/cairndb/cairn/sql/fn"
	"github.com/cairndb/cairn/sql/plan"
)

// bestOp passes on the rows that can be among the best of their partition. Its
// frames have one column more than its input: the place of the row in the
// input, by which rows that are equal otherwise are ordered.
type bestOp struct {
	stats     opStats
	input     operator
	width     int
	partition []windowKey
	types     []*column.Type // of the partition
	order     []sortKey
	best      int
	ties      bool
	// lead says that the keys after the first are columns as they are stored: they need
	// not be read of rows that the first key decides against.
	lead bool
}

func (c *compiler) best(input operator, op *windowOp, spec *sortSpec, n *plan.Window) *bestOp {
	p := n.Specs[0].Partition
	b := &bestOp{input: input, width: op.width, partition: op.keys[:p], order: slices.Clone(spec.keys[p:]), best: int(n.Best), ties: n.BestTies}
	for _, k := range n.Keys[:p] {
		b.types = append(b.types, k.Expr.Type())
	}
	later := n.Keys[min(p+1, len(n.Keys)):]
	b.lead = len(later) > 0 && !slices.ContainsFunc(later, func(k plan.SortKey) bool { return c.source(n.Input, k.Expr) == nil })
	return b
}

func (op *bestOp) open(q *query) ([]task, error) {
	tasks, err := op.input.open(q)
	if err != nil {
		return nil, err
	}
	found, err := runAll(q, tasks, func() *bestRows { return newBestRows(q, op) })
	if err != nil {
		return nil, err
	}
	out := make([]task, len(found))
	for i, b := range found {
		out[i] = taskFunc(b.emit)
	}
	return out, nil
}

// bestRows are the rows that one worker keeps.
type bestRows struct {
	op    *bestOp
	table *tupleTable // of partitions
	// bound is, by partition, 1 + a row here that others must beat: as many as
	// are wanted are at least as good. 0 when there is none yet.
	bound []int32
	// The rows: their partition, order keys, place in the input, and columns in
	// chunks.
	of     []uint32
	keys   []keyColumn
	place  []uint64
	chunks [][]*column.Vector
	at     []uint64 // chunk and row of it
	held   int64
	dicts  dicts
	limit  int // of rows, before the worst are dropped
	task   int
	seen   uint64
	mem    account
	groups []uint32
	parts  []*column.Vector
	near   []int32 // see promising; 0 between frames
}

func newBestRows(q *query, op *bestOp) *bestRows {
	b := &bestRows{op: op, table: newTupleTable(op.types), task: -1, limit: bestRowsMin, parts: make([]*column.Vector, len(op.partition)), dicts: make(dicts, op.width)}
	for _, k := range op.order {
		b.keys = append(b.keys, newKeyColumn(k.typ))
	}
	b.mem = account{m: q.mem, what: "a window function", todo: "partition by fewer distinct values, filter more rows, or raise the budget"}
	return b
}

// bestRowsMin is how many rows are kept before it is looked for losers.
const bestRowsMin = 1 << 14

// take implements sink.
func (b *bestRows) take(w *worker, task int, f *frame) error {
	was := w.enter(&b.op.stats)
	defer w.enter(was)
	if task != b.task {
		b.task, b.seen = task, 0
	}
	first := b.seen
	b.seen += uint64(f.n)
	for i, k := range b.op.partition {
		v, err := f.col(w, k.slot)
		if err != nil {
			return err
		}
		b.parts[i] = v
	}
	b.groups = slices.Grow(b.groups[:0], f.n)[:f.n]
	b.table.numbers(b.parts, f.n, b.groups)
	if n := b.table.len(); n > len(b.bound) {
		b.bound = append(b.bound, make([]int32, n-len(b.bound))...)
	}
	picked, err := b.promising(w, f)
	if err != nil {
		return err
	}
	if picked != nil {
		if len(picked) == 0 {
			return b.charge()
		}
		f = f.sub(picked)
		for i, p := range picked {
			b.groups[i] = b.groups[p]
		}
		b.groups = b.groups[:len(picked)]
	}
	order := make([]*column.Vector, len(b.op.order))
	for i, k := range b.op.order {
		v, err := k.x.eval(w, f)
		if err != nil {
			return err
		}
		w.q.fits(laidBytes(v), "a window function")
		order[i] = flat(v)
	}
	var at []int32
	for i, g := range b.groups {
		if bound := b.bound[g]; bound > 0 {
			if c := b.against(order, i, bound-1); c > 0 || c == 0 && !b.op.ties {
				continue
			}
		} else if b.op.best > 1 {
			at = append(at, int32(i))
			continue
		}
		// The first of a partition, or better than all before: when one row is
		// wanted it is the one to beat. Its keys stand behind those of the rows
		// that this frame has added so far.
		if b.op.best == 1 {
			b.bound[g] = int32(len(b.of)+len(at)) + 1
			for k, v := range order {
				b.keys[k].add(v.Slice(i, i+1), 1)
			}
		}
		at = append(at, int32(i))
	}
	if len(at) == 0 {
		return b.charge()
	}
	sub := f
	if len(at) < f.n {
		sub = f.sub(at)
	}
	if b.op.best > 1 {
		for k, v := range order {
			b.keys[k].add(column.Gather(v, at), len(at))
		}
	}
	chunk := make([]*column.Vector, b.op.width)
	for i := range chunk {
		v, err := sub.col(w, i)
		if err != nil {
			return err
		}
		chunk[i] = v
		b.held += vectorBytes(v) + b.dicts.fresh(i, v)
	}
	for i, p := range at {
		b.of = append(b.of, b.groups[p])
		if picked != nil {
			p = picked[p]
		}
		b.place = append(b.place, uint64(task)<<32|(first+uint64(p)))
		b.at = append(b.at, uint64(len(b.chunks))<<32|uint64(i))
	}
	b.chunks = append(b.chunks, chunk)
	if len(b.of) >= b.limit {
		b.shrink(w.q)
	}
	return b.charge()
}

// promising returns the rows of f that the first key of the order alone does not put
// behind a row that has come before, nil for all.
func (b *bestRows) promising(w *worker, f *frame) ([]int32, error) {
	if !b.op.lead {
		return nil, nil
	}
	key := &b.op.order[0]
	v, err := key.x.eval(w, f)
	if err != nil {
		return nil, err
	}
	w.q.fits(laidBytes(v), "a window function")
	v = flat(v)
	lead := newKeyColumn(key.typ)
	lead.add(v, f.n)
	lead.seal()
	if n := len(b.bound); n > len(b.near) {
		b.near = append(b.near, make([]int32, n-len(b.near))...)
	}
	at := make([]int32, 0, f.n)
	for i, g := range b.groups {
		if bound := b.bound[g]; bound > 0 && key.compare(v, i, &b.keys[0], int(bound-1)) > 0 {
			continue
		}
		if b.op.best == 1 {
			// near is 1 + the best row of the partition in this frame so far.
			if near := b.near[g]; near > 0 && key.between(&lead, int32(i), near-1) > 0 {
				continue
			}
			b.near[g] = int32(i) + 1
		}
		at = append(at, int32(i))
	}
	for _, p := range at {
		b.near[b.groups[p]] = 0
	}
	if len(at) == f.n {
		return nil, nil
	}
	return at, nil
}

func (b *bestRows) charge() error {
	n := b.held + b.table.bytes() + int64(4*cap(b.bound)+4*cap(b.near)+4*cap(b.of)+8*cap(b.place)+8*cap(b.at))
	for i := range b.keys {
		n += b.keys[i].bytes()
	}
	return b.mem.hold(n)
}

// against compares row i of order columns with a kept row.
func (b *bestRows) against(order []*column.Vector, i int, row int32) int {
	for k := range b.keys {
		if c := b.op.order[k].compare(order[k], i, &b.keys[k], int(row)); c != 0 {
			return c
		}
	}
	return 0
}

// compare orders value i of v, flat or constant, against a value of a key
// column, in the order of the key.
func (k *sortKey) compare(v *column.Vector, i int, with *keyColumn, j int) int {
	if v.Const {
		i = 0
	}
	vn, wn := v.Nulls.Get(i), with.nulls.Get(j)
	if vn || wn {
		switch {
		case vn && wn:
			return 0
		case vn == k.nullsFirst:
			return -1
		}
		return 1
	}
	c := 0
	switch with.kind {
	case column.PayloadI64:
		c = cmp.Compare(v.I64[i], with.i64[j])
	case column.PayloadF64:
		c = compareDoubles(v.F64[i], with.f64[j])
	case column.PayloadStr:
		c = strings.Compare(v.Str[i], with.str[j])
	default:
		with.seal()
		c = fn.Compare(v, i, with.sealed, j)
	}
	if k.desc {
		return -c
	}
	return c
}

// shrink drops the rows that cannot be among the best, and sets the bounds.
func (b *bestRows) shrink(q *query) {
	n := b.table.len()
	starts := make([]int32, n+1)
	for _, g := range b.of {
		starts[g+1]++
	}
	for g := range n {
		starts[g+1] += starts[g]
	}
	rows := make([]int32, len(b.of))
	next := slices.Clone(starts)
	for i, g := range b.of {
		rows[next[g]] = int32(i)
		next[g]++
	}
	for k := range b.keys {
		b.keys[k].seal()
	}
	var keep []int32
	pulse := pulse{q: q}
	for g := range n {
		pulse.beat()
		list := rows[starts[g]:starts[g+1]]
		slices.SortFunc(list, func(x, y int32) int {
			pulse.beat()
			for i := range b.keys {
				if c := b.op.order[i].between(&b.keys[i], x, y); c != 0 {
					return c
				}
			}
			return int(x) - int(y) // rows come in the order of their places
		})
		b.bound[g] = 0
		want := min(b.op.best, len(list))
		if b.op.ties {
			for want < len(list) && want > 0 && b.tied(list[b.op.best-1], list[want]) {
				want++
			}
		}
		if len(list) >= b.op.best {
			b.bound[g] = int32(len(keep)+b.op.best-1) + 1
		}
		keep = append(keep, list[:want]...)
	}
	for k := range b.keys {
		b.keys[k].gather(keep)
	}
	of, place := make([]uint32, len(keep)), make([]uint64, len(keep))
	chunk := make([]*column.Vector, b.op.width)
	for i := range chunk {
		a := newPicker(b.chunks[0][i].Type, len(keep))
		for _, p := range keep {
			a.add(b.chunks[b.at[p]>>32][i], int(uint32(b.at[p])))
		}
		chunk[i] = a.vector()
	}
	at := make([]uint64, len(keep))
	b.held = 0
	clear(b.dicts)
	for i, p := range keep {
		of[i], place[i], at[i] = b.of[p], b.place[p], uint64(i)
	}
	for _, v := range chunk {
		b.held += wholeBytes(v)
	}
	b.of, b.place, b.at, b.chunks = of, place, at, [][]*column.Vector{chunk}
	b.limit = max(bestRowsMin, 2*len(keep))
}

// tied reports whether two kept rows are equal in the order.
func (b *bestRows) tied(x, y int32) bool {
	for i := range b.keys {
		if b.op.order[i].between(&b.keys[i], x, y) != 0 {
			return false
		}
	}
	return true
}

// between orders two values of a key column, in the order of the key.
func (k *sortKey) between(c *keyColumn, x, y int32) int {
	xn, yn := c.nulls.Get(int(x)), c.nulls.Get(int(y))
	if xn || yn {
		switch {
		case xn && yn:
			return 0
		case xn == k.nullsFirst:
			return -1
		}
		return 1
	}
	r := 0
	switch c.kind {
	case column.PayloadI64:
		r = cmp.Compare(c.i64[x], c.i64[y])
	case column.PayloadF64:
		r = compareDoubles(c.f64[x], c.f64[y])
	case column.PayloadStr:
		r = strings.Compare(c.str[x], c.str[y])
	default:
		r = fn.Compare(c.sealed, int(x), c.sealed, int(y))
	}
	if k.desc {
		return -r
	}
	return r
}

// finish implements finisher.
func (b *bestRows) finish(w *worker) error {
	if len(b.of) > 0 {
		b.shrink(w.q)
	}
	return b.charge()
}

// emit hands out the rows that were kept.
func (b *bestRows) emit(w *worker, emit func(*frame) error) error {
	defer b.mem.release()
	for from := 0; from < len(b.of); from += batchRows {
		if err := w.q.live(); err != nil {
			return err
		}
		to := min(len(b.of), from+batchRows)
		cols := make([]*column.Vector, b.op.width+1)
		for i, v := range b.chunks[0] {
			cols[i] = v.Slice(from, to)
		}
		place := column.New(column.BigIntType, to-from)
		for i, p := range b.place[from:to] {
			place.I64[i] = int64(p)
		}
		cols[b.op.width] = place
		b.op.stats.emitted(to - from)
		if err := emit(loaded(to-from, cols)); err != nil {
			return err
		}
	}
	return nil
}
