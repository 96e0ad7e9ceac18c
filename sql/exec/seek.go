package exec

import (
	"cmp"
	"math"
	"math/bits"
	"slices"

	"github.com/cairndb/cairn/segment/column"
	"github.com/cairndb/cairn/sql/plan"
	"github.com/cairndb/cairn/sql/sqlerr"
)

// Finding kept rows.
//
// A sub-query or a lateral join that is run per combination filters rows that are
// kept (plan/keepinner.go). Where the filter has equalities, or bounds one value,
// the rows are put in order once, by the equalities, then by the value; each run
// finds its rows by a look-up and two binary searches, and hands them out in the
// order in which they are kept, so that it gives what filtering would.

// seekOp is a filter over kept rows that finds them. Where that does not serve, it
// is the filter all.
type seekOp struct {
	all   *filterOp
	node  *plan.Filter
	how   *plan.Seek
	item  *sharedItem
	cols  []int // of the item's batches
	types []*column.Type
	// own are the keys, then what is bounded, over the kept rows; probes and bounds
	// what they are compared with.
	own    []expr
	probes []expr
	bounds []expr
	rest   []expr
}

func (c *compiler) seek(n *plan.Filter, how *plan.Seek, all *filterOp, in slots) operator {
	use, ok := all.input.(*sharedOp)
	if !ok {
		return all
	}
	op := &seekOp{all: all, node: n, how: how, item: use.item, cols: use.cols}
	for _, k := range how.Keys {
		op.own, op.probes = append(op.own, c.expr(k.Own, in)), append(op.probes, c.expr(k.Probe, in))
	}
	if how.By != nil {
		op.own = append(op.own, c.expr(how.By, in))
	}
	for _, b := range how.Bounds {
		op.bounds = append(op.bounds, c.expr(b.Probe, in))
	}
	op.rest = c.exprs(how.Rest, in)
	for _, col := range n.Input.Cols() {
		op.types = append(op.types, col.Type)
	}
	return op
}

// keptIndex has the numbers of kept rows in the order of their keys, then of what is
// bounded. Rows that no condition can be true for are left out.
type keptIndex struct {
	batches []*column.Batch
	first   []int // by batch: the number of its first row
	rows    []uint32
	by      keyColumn           // by place in rows: the value that is bounded
	keys    map[string][2]int32 // the places of the rows that have the keys
}

// indexRowBytes is what a row takes in an index besides its keys and a text.
const indexRowBytes = 4 + 16

func (op *seekOp) open(q *query) ([]task, error) {
	index, err := op.index(q)
	if err != nil {
		return nil, err
	}
	if index == nil {
		return op.all.open(q)
	}
	from, to, ok := op.find(q.newWorker(), index)
	if !ok {
		return op.all.open(q)
	}
	if from >= to {
		return nil, nil
	}
	const most = batchesPerTask * batchRows
	var tasks []task
	if op.node.AnyOrder {
		for at := from; at < to; at += most {
			tasks = append(tasks, taskFunc(func(w *worker, emit func(*frame) error) error {
				return op.giveAny(w, index, at, min(to, at+most), emit)
			}))
		}
		return tasks, nil
	}
	last := len(index.batches) - 1
	rows := ascending(nil, index.rows[from:to], index.first[last]+index.batches[last].Len)
	for len(rows) > 0 {
		n := min(len(rows), most)
		part := rows[:n]
		rows = rows[n:]
		tasks = append(tasks, taskFunc(func(w *worker, emit func(*frame) error) error {
			return op.give(w, index, part, emit)
		}))
	}
	return tasks, nil
}

// giveAny hands out the rows at places in the index, as they come.
func (op *seekOp) giveAny(w *worker, x *keptIndex, from, to int, emit func(*frame) error) error {
	was := w.enter(&op.all.stats)
	defer w.enter(was)
	for ; from < to; from += batchRows {
		if err := w.q.live(); err != nil {
			return err
		}
		end := min(to, from+batchRows)
		f := &frame{n: end - from, cols: make([]*column.Vector, len(op.cols)), src: &soughtRows{op, x, from, end}}
		f, err := narrow(w, op.rest, f)
		if err != nil {
			return err
		}
		if f == nil {
			continue
		}
		op.all.stats.emitted(f.n)
		if err := emit(f); err != nil {
			return err
		}
	}
	return nil
}

// soughtRows loads the rows at places in an index.
type soughtRows struct {
	op       *seekOp
	x        *keptIndex
	from, to int
}

func (l *soughtRows) load(_ *worker, slot int) (*column.Vector, error) {
	x := l.x
	if by, ok := l.op.by(); ok && by == slot {
		// The index has these values in a row.
		v := &column.Vector{Type: x.by.typ, Len: l.to - l.from}
		switch x.by.kind {
		case column.PayloadI64:
			v.I64 = x.by.i64[l.from:l.to]
		case column.PayloadF64:
			v.F64 = x.by.f64[l.from:l.to]
		default:
			v.Str = x.by.str[l.from:l.to]
		}
		return v, nil
	}
	return l.pick(slot, l.to-l.from, func(i int) uint32 { return x.rows[l.from+i] }), nil
}

func (l *soughtRows) loadAt(_ *worker, slot int, at []int32) (*column.Vector, error) {
	return l.pick(slot, len(at), func(i int) uint32 { return l.x.rows[l.from+int(at[i])] }), nil
}

func (l *soughtRows) pick(slot, n int, row func(int) uint32) *column.Vector {
	out := newPicker(l.op.types[slot], n)
	c, b := l.op.cols[slot], 0
	for i := range n {
		r := int(row(i))
		if first := l.x.first[b]; r < first || r >= first+l.x.batches[b].Len {
			b = l.x.batchOf(r)
		}
		out.add(l.x.batches[b].Cols[c], r-l.x.first[b])
	}
	return out.vector()
}

// by returns the slot of the column that is bounded, if it is one whose values the
// index has as they are.
func (op *seekOp) by() (slot int, ok bool) {
	if op.how.By == nil || op.how.By.Type().Kind == column.TimestampTZ {
		return 0, false
	}
	r, ok := op.own[len(op.own)-1].(*refExpr)
	if !ok {
		return 0, false
	}
	return r.slot, true
}

// batchOf returns the batch that a row is in.
func (x *keptIndex) batchOf(row int) int {
	b, _ := slices.BinarySearchFunc(x.first, row+1, func(first, row int) int { return cmp.Compare(first, row) })
	return b - 1
}

// give hands out rows, ascending.
func (op *seekOp) give(w *worker, x *keptIndex, rows []uint32, emit func(*frame) error) error {
	stats := &op.all.stats
	was := w.enter(stats)
	defer w.enter(was)
	for b := x.batchOf(int(rows[0])); len(rows) > 0; b++ {
		end := x.first[b] + x.batches[b].Len
		n := 0
		for n < len(rows) && int(rows[n]) < end {
			n++
		}
		if n == 0 {
			continue
		}
		if err := w.q.live(); err != nil {
			return err
		}
		f := loaded(x.batches[b].Len, make([]*column.Vector, len(op.cols)))
		for i, c := range op.cols {
			f.cols[i] = x.batches[b].Cols[c]
		}
		if n < f.n {
			at := make([]int32, n)
			for i, r := range rows[:n] {
				at[i] = int32(int(r) - x.first[b])
			}
			f = f.sub(at)
		}
		rows = rows[n:]
		f, err := narrow(w, op.rest, f)
		if err != nil {
			return err
		}
		if f == nil {
			continue
		}
		stats.emitted(f.n)
		if err := emit(f); err != nil {
			return err
		}
	}
	return nil
}

// find returns the places of the rows that the conditions leave. ok is false when
// the values to compare with cannot be computed: whether that matters, the filter
// tells.
func (op *seekOp) find(w *worker, x *keptIndex) (from, to int, ok bool) {
	f := loaded(1, nil)
	from, to = 0, len(x.rows)
	if len(op.probes) > 0 {
		probes, err := evalAll(w, op.probes, f)
		if err != nil {
			return 0, 0, false
		}
		key, match := op.key(nil, probes, 0)
		if !match {
			return 0, 0, true
		}
		places := x.keys[string(key)]
		from, to = int(places[0]), int(places[1])
	}
	for i, b := range op.bounds {
		v, err := b.eval(w, f)
		if err != nil {
			return 0, 0, false
		}
		from, to = x.by.within(from, to, op.how.Bounds[i].Op, v, 0)
	}
	return from, to, true
}

// search returns the first place from from on, before to, whose value is above value
// i of v; not above but equal will do unless after is set. The values at these places
// ascend.
func (k *keyColumn) search(from, to int, v *column.Vector, i int, after bool) int {
	leaf, at := v.Leaf(i)
	for from < to {
		mid := int(uint(from+to) / 2)
		order := 0
		switch k.kind {
		case column.PayloadI64:
			order = cmp.Compare(k.i64[mid], leaf.I64[at])
		case column.PayloadF64:
			order = cmp.Compare(k.f64[mid], leaf.F64[at])
		default:
			order = cmp.Compare(k.str[mid], leaf.Str[at])
		}
		if order < 0 || after && order == 0 {
			from = mid + 1
		} else {
			to = mid
		}
	}
	return from
}

// within narrows places to those whose value is op value i of v.
func (k *keyColumn) within(from, to int, op plan.CmpOp, v *column.Vector, i int) (int, int) {
	if v.IsNull(i) {
		return from, from
	}
	if leaf, at := v.Leaf(i); leaf.F64 != nil && math.IsNaN(leaf.F64[at]) {
		return from, from
	}
	switch op {
	case plan.CmpGt:
		from = k.search(from, to, v, i, true)
	case plan.CmpGe:
		from = k.search(from, to, v, i, false)
	case plan.CmpLt:
		to = k.search(from, to, v, i, false)
	case plan.CmpLe:
		to = k.search(from, to, v, i, true)
	}
	return from, to
}

// order compares two values as the order of an index does.
func (k *keyColumn) order(a, b int32) int {
	switch k.kind {
	case column.PayloadI64:
		return cmp.Compare(k.i64[a], k.i64[b])
	case column.PayloadF64:
		return cmp.Compare(k.f64[a], k.f64[b])
	default:
		return cmp.Compare(k.str[a], k.str[b])
	}
}

// ascending returns numbers below all in their order, in to if it has room.
func ascending(to, rows []uint32, all int) []uint32 {
	to = append(to[:0], rows...)
	if slices.IsSorted(to) {
		return to
	}
	if len(to) < all/64 {
		slices.Sort(to)
		return to
	}
	set := column.NewBits(all)
	for _, r := range to {
		set.Set(int(r))
	}
	to = to[:0]
	for i, word := range set {
		for ; word != 0; word &= word - 1 {
			to = append(to, uint32(i<<6+bits.TrailingZeros64(word)))
		}
	}
	return to
}

// key appends the bytes that equal keys have in common; match is false when nothing
// equals one of them.
func (op *seekOp) key(b []byte, keys []*column.Vector, i int) (_ []byte, match bool) {
	for k := range op.probes {
		if keys[k].IsNull(i) && !op.how.Keys[k].NullSafe {
			return b, false
		}
		b = appendKey(b, keys[k], i)
	}
	return b, true
}

// index returns the index of the rows, made when it is first asked for; nil when
// there is none: the rows are not kept, or there is no room.
func (op *seekOp) index(q *query) (*keptIndex, error) {
	batches, err := op.item.rows()
	if err == errUnkept {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	op.item.mu.Lock()
	defer op.item.mu.Unlock()
	if x, done := op.item.indexes[op.node]; done {
		return x, nil
	}
	x, err := op.makeIndex(q, batches)
	if err != nil {
		if !forgivable(err) && !codeIs(err, sqlerr.OutOfMemory) {
			return nil, err
		}
		x = nil
	}
	if op.item.indexes == nil {
		op.item.indexes = map[*plan.Filter]*keptIndex{}
	}
	op.item.indexes[op.node] = x
	return x, nil
}

// makeIndex puts the rows in order.
func (op *seekOp) makeIndex(q *query, batches []*column.Batch) (*keptIndex, error) {
	x := &keptIndex{batches: batches}
	w := q.newWorker()
	mem := &op.item.mem
	held := mem.held
	fail := func(err error) (*keptIndex, error) {
		mem.hold(held)
		return nil, err
	}
	n := 0
	for _, b := range batches {
		x.first = append(x.first, n)
		n += b.Len
	}
	if err := mem.hold(held + int64(n)*indexRowBytes*2); err != nil || n == 0 || n > math.MaxInt32 {
		return fail(err)
	}
	bounded := op.how.By != nil
	var by keyColumn
	if bounded {
		by = newKeyColumn(op.how.By.Type())
	}
	numbers := map[string]int32{}
	var names []string
	var group []int32 // by place: the number of the keys
	size := mem.held
	var key []byte
	for k, b := range batches {
		if err := q.live(); err != nil {
			return fail(err)
		}
		f := loaded(b.Len, make([]*column.Vector, len(op.cols)))
		for i, c := range op.cols {
			f.cols[i] = b.Cols[c]
		}
		own, err := evalAll(w, op.own, f)
		if err != nil {
			return fail(err)
		}
		var at []int32
		for i := range b.Len {
			if bounded {
				v := own[len(own)-1]
				if v.IsNull(i) {
					continue
				}
				leaf, j := v.Leaf(i)
				switch {
				case leaf.F64 != nil && math.IsNaN(leaf.F64[j]):
					continue
				case leaf.Str != nil:
					size += int64(len(leaf.Str[j])) // perhaps of a page that nothing else keeps
				}
			}
			var match bool
			if key, match = op.key(key[:0], own, i); !match {
				continue
			}
			number, known := numbers[string(key)]
			if !known {
				number = int32(len(names))
				names = append(names, string(key))
				numbers[names[number]] = number
				size += int64(len(key)) + 64
			}
			group = append(group, number)
			x.rows = append(x.rows, uint32(x.first[k]+i))
			at = append(at, int32(i))
		}
		if bounded && len(at) > 0 {
			by.add(column.Flatten(column.Gather(own[len(own)-1], at)), len(at))
		}
		if err := mem.hold(size); err != nil {
			return fail(err)
		}
	}
	order := make([]int32, len(x.rows))
	for i := range order {
		order[i] = int32(i)
	}
	beat := pulse{q: q}
	slices.SortFunc(order, func(a, b int32) int {
		beat.beat()
		if c := cmp.Compare(group[a], group[b]); c != 0 {
			return c
		}
		if bounded {
			if c := by.order(a, b); c != 0 {
				return c
			}
		}
		return cmp.Compare(a, b)
	})
	rows := make([]uint32, len(order))
	x.keys = make(map[string][2]int32, len(names))
	for i, p := range order {
		rows[i] = x.rows[p]
		if i == 0 || group[p] != group[order[i-1]] {
			x.keys[names[group[p]]] = [2]int32{int32(i), int32(i)}
		}
		if i+1 == len(order) || group[p] != group[order[i+1]] {
			places := x.keys[names[group[p]]]
			places[1] = int32(i + 1)
			x.keys[names[group[p]]] = places
		}
	}
	x.rows = rows
	if bounded {
		by.gather(order)
		x.by = by
	}
	return x, nil
}
