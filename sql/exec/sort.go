package exec

import (
	"cmp"
	"math"
	"math/bits"
	"slices"
	"strings"
	"sync/atomic"

	"github.com/cairndb/cairn/segment/column"
	"github.com/cairndb/cairn/sql/exec/spill"
	"github.com/cairndb/cairn/sql/fn"
	"github.com/cairndb/cairn/sql/plan"
)

// topRowsMax is the largest number of rows for which a top-N keeps positions in
// the table and fetches the rows at the end. Beyond it, fetching scattered rows
// costs more than carrying them along.
const topRowsMax = 1 << 16

// sortSpec is what is to be sorted how.
type sortSpec struct {
	keys []sortKey
	// wanted is how many rows from the start of the order matter; -1 for all.
	wanted int64
	offset int64
	// ties says that rows whose keys are those of the last wanted one matter, too.
	ties bool
	// bound is what a row must not be worse than to matter, once that is known.
	bound atomic.Pointer[bound]
}

type sortKey struct {
	x          expr
	typ        *column.Type
	desc       bool
	nullsFirst bool
}

// bound is the first key of the worst row that is still wanted.
type bound struct {
	null bool
	i64  int64
	f64  float64
	str  string
}

// sort compiles a Sort to a top-N over positions when it has a limit and stands
// on a scan, else to a sort of rows.
func (c *compiler) sort(n *plan.Sort) operator {
	spec := &sortSpec{wanted: -1, offset: n.Offset, ties: n.Ties}
	if n.Limit >= 0 && n.Limit <= math.MaxInt64-n.Offset {
		spec.wanted = n.Limit + n.Offset
	}
	input := c.node(n.Input)
	in := slotsOf(n.Input.Cols())
	for _, k := range n.Keys {
		spec.keys = append(spec.keys, sortKey{c.expr(k.Expr, in), k.Expr.Type(), k.Desc, k.NullsFirst})
	}
	if scan, ok := input.(*scanOp); ok && spec.wanted >= 0 && spec.wanted <= topRowsMax && !spec.ties {
		scan.some = true
		return &topScanOp{spec: spec, scan: scan}
	}
	op := &sortOp{spec: spec, input: input, width: len(n.Input.Cols())}
	for _, col := range n.Input.Cols() {
		op.types = append(op.types, col.Type)
	}
	return op
}

// sortOp sorts the rows of its input. Every worker sorts what it has read, in
// memory and, past its share of the budget, in runs on disk; all are merged as
// the result is read.
type sortOp struct {
	stats opStats
	spec  *sortSpec
	input operator
	width int
	types []*column.Type // of the input's columns
	// beside is how many merges like this are under way at once, 0 for this one.
	beside int
}

func (op *sortOp) open(q *query) ([]task, error) {
	tasks, err := op.input.open(q)
	if err != nil {
		return nil, err
	}
	op.spec.bound.Store(nil)
	if op.spec.wanted == 0 {
		return nil, nil
	}
	sorters, err := runAll(q, tasks, func() *sorter {
		s := newSorter(q, &op.stats, op.spec, op.width)
		s.types = op.types
		return s
	})
	if err != nil {
		return nil, err
	}
	return []task{taskFunc(func(w *worker, emit func(*frame) error) error {
		was := w.enter(&op.stats)
		defer w.enter(was)
		m, err := newMerge(q, op, sorters)
		if err != nil {
			return err
		}
		defer m.end()
		if err := m.skip(op.spec.offset); err != nil {
			return err
		}
		for {
			if err := q.live(); err != nil {
				return err
			}
			f, err := m.frame(op)
			if err != nil || f == nil {
				return err
			}
			op.stats.emitted(f.n)
			if err := emit(f); err != nil {
				return err
			}
		}
	})}, nil
}

// sorter collects rows and sorts them: one sorted run of the result.
type sorter struct {
	spec  *sortSpec
	stats *opStats
	keys  []keyColumn
	// ord breaks ties by the order of the input: number of the task, then of
	// the row.
	ord   []uint64
	width int
	// chunks are the rows themselves, and at says where each row is: chunk,
	// then row of the chunk. Not used by a top-N over a scan.
	chunks [][]*column.Vector
	at     []uint64
	order  []int32 // once sorted
	task   int
	seen   uint64
	mem    account
	held   int64 // bytes of chunks
	dicts  dicts
	q      *query
	types  []*column.Type // of the rows; nil for a top-N over a scan, which does not spill
	runs   []*spill.Run   // what has been put aside, each run sorted
	kept   int            // rows that the last keepFirst has left
}

func newSorter(q *query, stats *opStats, spec *sortSpec, width int) *sorter {
	s := &sorter{spec: spec, stats: stats, width: width, task: -1, dicts: make(dicts, width), q: q}
	for _, k := range spec.keys {
		s.keys = append(s.keys, newKeyColumn(k.typ))
	}
	s.mem = account{m: q.mem, what: "ORDER BY", todo: "add a LIMIT, select fewer columns, or raise the budget"}
	return s
}

// take implements sink.
func (s *sorter) take(w *worker, task int, f *frame) error {
	was := w.enter(s.stats)
	defer w.enter(was)
	if task != s.task {
		s.task, s.seen = task, 0
	}
	first := s.seen
	s.seen += uint64(f.n)
	ord := func(i int) uint64 { return uint64(task)<<32 | (first + uint64(i)) }
	at, all, err := s.promising(w, f)
	if err != nil {
		return err
	}
	if !all {
		if len(at) == 0 {
			return nil
		}
		f = f.sub(at)
		ord = func(i int) uint64 { return uint64(task)<<32 | (first + uint64(at[i])) }
	}
	if err := s.add(w, f, ord); err != nil {
		return err
	}
	chunk := make([]*column.Vector, s.width)
	for i := range chunk {
		v, err := f.col(w, i)
		if err != nil {
			return err
		}
		chunk[i] = v
		s.held += vectorBytes(v) + s.dicts.fresh(i, v)
	}
	for i := range f.n {
		s.at = append(s.at, uint64(len(s.chunks))<<32|uint64(i))
	}
	s.chunks = append(s.chunks, chunk)
	return s.trim(false)
}

// add appends the keys of the rows of f.
func (s *sorter) add(w *worker, f *frame, ord func(int) uint64) error {
	for i := range s.keys {
		v, err := s.spec.keys[i].x.eval(w, f)
		if err != nil {
			return err
		}
		s.q.fits(laidBytes(v), "ORDER BY")
		s.keys[i].add(v, f.n)
	}
	for i := range f.n {
		s.ord = append(s.ord, ord(i))
	}
	return nil
}

// promising returns the rows of f whose first key does not rule them out.
func (s *sorter) promising(w *worker, f *frame) (at []int32, all bool, err error) {
	b := s.spec.bound.Load()
	if b == nil || len(s.keys) == 0 {
		return nil, true, nil
	}
	k := &s.spec.keys[0]
	v, err := k.x.eval(w, f)
	if err != nil {
		return nil, false, err
	}
	v = flat(v)
	at = make([]int32, 0, f.n)
	for i := range f.n {
		p := i
		if v.Const {
			p = 0
		}
		if null := v.Nulls.Get(p); null || b.null {
			if null == b.null || null == k.nullsFirst {
				at = append(at, int32(i))
			}
			continue
		}
		var c int
		switch {
		case v.I64 != nil:
			c = cmp.Compare(v.I64[p], b.i64)
		case v.F64 != nil:
			c = compareDoubles(v.F64[p], b.f64)
		default:
			c = strings.Compare(v.Str[p], b.str)
		}
		if c == 0 || (c < 0) != k.desc {
			at = append(at, int32(i))
		}
	}
	if len(at) == f.n {
		return nil, true, nil
	}
	return at, false, nil
}

// slackRows is how many rows beyond twice the wanted ones are collected before
// the worst are dropped.
const slackRows = 1024

// trim drops the rows that can no longer be wanted, when there are many of them
// or now is set, and accounts for the rest.
func (s *sorter) trim(now bool) error {
	want := s.spec.wanted
	most := max(want, int64(s.kept)) // with ties it may be more than is wanted
	if want >= 0 && (int64(len(s.ord))-slackRows > most && int64(len(s.ord))-slackRows-most > most || now && int64(len(s.ord)) >= want) {
		n, ordered := int(want), int(want)
		if s.spec.ties {
			ordered = len(s.ord)
		}
		s.sort(ordered)
		for s.spec.ties && n < len(s.order) && compareKeys(s, s.order[n-1], s, s.order[n]) == 0 {
			n++
		}
		s.keepFirst(n)
	}
	n := s.held + int64(8*cap(s.ord)+8*cap(s.at))
	for i := range s.keys {
		n += s.keys[i].bytes()
	}
	if s.types != nil && s.mem.tight(n) {
		if err := s.putAside(); err != nil {
			return err
		}
		n = 0
	}
	return s.mem.hold(n)
}

// tighten is trim for a top-N over a scan, which sooner tells the worst of the wanted rows, however
// few there are: as soon as that many are known, and whenever a quarter of them may be better ones. By it
// blocks and units that come later are not read.
func (s *sorter) tighten() error {
	n := int64(len(s.ord))
	more := n - int64(s.kept)
	return s.trim(n >= s.spec.wanted && more > 0 && (int64(s.kept) < s.spec.wanted || more >= s.spec.wanted/4))
}

// keepFirst reduces the rows to the first n of the order.
func (s *sorter) keepFirst(n int) {
	keep := s.order[:n]
	for i := range s.keys {
		s.keys[i].gather(keep)
	}
	ord := make([]uint64, n)
	for i, p := range keep {
		ord[i] = s.ord[p]
	}
	s.ord, s.order, s.kept = ord, nil, n
	if s.chunks != nil {
		chunk := make([]*column.Vector, s.width)
		s.held = 0
		for c := range chunk {
			a := newPicker(s.chunks[0][c].Type, n)
			for _, p := range keep {
				a.add(s.chunks[s.at[p]>>32][c], int(uint32(s.at[p])))
			}
			chunk[c] = a.vector()
			s.held += wholeBytes(chunk[c])
		}
		s.chunks, s.at = [][]*column.Vector{chunk}, make([]uint64, n)
		for i := range s.at {
			s.at[i] = uint64(i)
		}
		clear(s.dicts)
	}
	if len(s.keys) > 0 && s.keys[0].nested == nil {
		s.publish(s.keys[0].bound(n - 1))
	}
}

// publish tells the other workers the first key of the worst row that need be kept, if that
// is better than what is known.
func (s *sorter) publish(mine *bound) {
	k := &s.spec.keys[0]
	for {
		have := s.spec.bound.Load()
		if have != nil && compareBounds(mine, have, k) >= 0 {
			return
		}
		if s.spec.bound.CompareAndSwap(have, mine) {
			return
		}
	}
}

func compareBounds(a, b *bound, k *sortKey) int {
	switch {
	case a.null && b.null:
		return 0
	case a.null || b.null:
		if a.null == k.nullsFirst {
			return -1
		}
		return 1
	}
	c := 0
	switch k.typ.Payload() {
	case column.PayloadI64:
		c = cmp.Compare(a.i64, b.i64)
	case column.PayloadF64:
		c = compareDoubles(a.f64, b.f64)
	default:
		c = strings.Compare(a.str, b.str)
	}
	if k.desc {
		return -c
	}
	return c
}

// finish sorts what was collected. It implements finisher.
func (s *sorter) finish(*worker) error {
	if err := s.trim(int64(len(s.ord)) > s.spec.wanted); err != nil {
		return err
	}
	s.sort(len(s.ord))
	return nil
}

// sort puts the first rows of the order in order; the others follow anyhow.
func (s *sorter) sort(first int) {
	for i := range s.keys {
		s.keys[i].seal()
	}
	// Most comparisons are decided by the first bytes of the first key, which
	// stand here side by side.
	type entry struct {
		first uint64
		row   int32
	}
	list := make([]entry, len(s.ord))
	for i := range list {
		list[i].row = int32(i)
		if len(s.keys) > 0 {
			list[i].first = s.keys[0].prefix(i, &s.spec.keys[0])
		}
	}
	pulse := pulse{q: s.q}
	compare := func(a, b entry) int {
		pulse.beat()
		if a.first != b.first {
			return cmp.Compare(a.first, b.first)
		}
		return compareRows(s, a.row, s, b.row)
	}
	bringFirst(list, first, compare)
	slices.SortFunc(list[:first], compare)
	s.order = make([]int32, len(list))
	for i := range list {
		s.order[i] = list[i].row
	}
}

// bringFirst moves the n smallest of a list to its front, in any order. No two are equal.
func bringFirst[T any](list []T, n int, compare func(a, b T) int) {
	const few = 24                          // sorting that many costs no more
	rounds := 2 * bits.Len(uint(len(list))) // for lists that defeat the choice of pivots
	for ; len(list) > few && n > 0 && n < len(list) && rounds > 0; rounds-- {
		last := len(list) - 1
		// The middle one of three becomes the pivot.
		for _, p := range [...][2]int{{0, last / 2}, {last / 2, last}, {0, last / 2}} {
			if compare(list[p[1]], list[p[0]]) < 0 {
				list[p[0]], list[p[1]] = list[p[1]], list[p[0]]
			}
		}
		pivot := list[last/2]
		i, j := 0, last
		for i <= j {
			for compare(list[i], pivot) < 0 {
				i++
			}
			for compare(pivot, list[j]) < 0 {
				j--
			}
			if i <= j {
				list[i], list[j] = list[j], list[i]
				i++
				j--
			}
		}
		// Up to j all are at most the pivot, from i on at least, and what is between is the pivot.
		switch {
		case n <= j:
			list = list[:j+1]
		case n >= i:
			list, n = list[i:], n-i
		default:
			return
		}
	}
	if n > 0 && n < len(list) {
		slices.SortFunc(list, compare)
	}
}

// prefix maps a value to a number whose order does not contradict the order of
// the key: of two rows with different numbers the smaller comes first.
func (k *keyColumn) prefix(i int, as *sortKey) uint64 {
	if k.nulls.Get(i) {
		if as.nullsFirst {
			return 0
		}
		return math.MaxUint64
	}
	var p uint64
	switch k.kind {
	case column.PayloadI64:
		p = uint64(k.i64[i]) ^ 1<<63
	case column.PayloadF64:
		f := k.f64[i]
		switch {
		case f != f:
			p = math.MaxUint64
		case f == 0: // 0 and -0 are one value
			p = 1 << 63
		default:
			p = math.Float64bits(f)
			if p>>63 != 0 {
				p = ^p
			} else {
				p |= 1 << 63
			}
		}
	case column.PayloadStr:
		s := k.str[i]
		for n := 0; n < 8 && n < len(s); n++ {
			p |= uint64(s[n]) << (56 - 8*n)
		}
	}
	if as.desc {
		p = ^p
	}
	return p
}

// compareRows orders row a of one sorter and row b of another of the same spec.
func compareRows(s *sorter, a int32, t *sorter, b int32) int {
	if c := compareKeys(s, a, t, b); c != 0 {
		return c
	}
	return cmp.Compare(s.ord[a], t.ord[b])
}

// compareKeys is compareRows without regard to the order of the input.
func compareKeys(s *sorter, a int32, t *sorter, b int32) int {
	for i := range s.keys {
		k, x, y := &s.spec.keys[i], &s.keys[i], &t.keys[i]
		xn, yn := x.nulls.Get(int(a)), y.nulls.Get(int(b))
		if xn || yn {
			if xn && yn {
				continue
			}
			if xn == k.nullsFirst {
				return -1
			}
			return 1
		}
		c := 0
		switch {
		case x.kind == column.PayloadI64:
			c = cmp.Compare(x.i64[a], y.i64[b])
		case x.kind == column.PayloadStr:
			c = strings.Compare(x.str[a], y.str[b])
		case x.kind == column.PayloadF64:
			c = compareDoubles(x.f64[a], y.f64[b])
		default:
			c = fn.Compare(x.sealed, int(a), y.sealed, int(b))
		}
		if c != 0 {
			if k.desc {
				return -c
			}
			return c
		}
	}
	return 0
}

// compareDoubles orders doubles with NaN after everything.
func compareDoubles(a, b float64) int {
	switch an, bn := a != a, b != b; {
	case an && bn:
		return 0
	case an:
		return 1
	case bn:
		return -1
	}
	switch {
	case a < b:
		return -1
	case a > b:
		return 1
	}
	return 0
}

// keyColumn holds the values of one sort key.
type keyColumn struct {
	typ    *column.Type
	kind   column.Payload
	n      int
	nulls  column.Bits
	i64    []int64
	f64    []float64
	str    []string
	nested *column.Appender
	sealed *column.Vector // of nested, while it is not appended to
	text   int64
}

func newKeyColumn(t *column.Type) keyColumn {
	k := keyColumn{typ: t, kind: t.Payload()}
	if k.kind == column.PayloadNested {
		k.nested = column.NewAppender(t, 0)
	}
	return k
}

func (k *keyColumn) setNull(i int) {
	for len(k.nulls) <= i>>6 {
		k.nulls = append(k.nulls, 0)
	}
	k.nulls.Set(i)
}

// add appends the first n values of v.
func (k *keyColumn) add(v *column.Vector, n int) {
	if k.kind == column.PayloadNested {
		k.unseal()
		for i := range n {
			if v.IsNull(i) {
				k.setNull(k.n + i)
			}
			k.nested.Append(v, i)
		}
		k.text += vectorBytes(v)
		k.n += n
		return
	}
	if v.Const {
		v = column.Flatten(v)
	}
	v = flat(v)
	if v.Nulls.Any() {
		for i := range n {
			if v.Nulls.Get(i) {
				k.setNull(k.n + i)
			}
		}
	}
	switch k.kind {
	case column.PayloadI64:
		k.i64 = append(k.i64, v.I64[:n]...)
	case column.PayloadF64:
		k.f64 = append(k.f64, v.F64[:n]...)
	default:
		k.str = append(k.str, v.Str[:n]...)
		for _, s := range v.Str[:n] {
			k.text += int64(len(s))
		}
	}
	k.n += n
}

// gather reduces the values to those at the given places, in that order.
func (k *keyColumn) gather(at []int32) {
	out := keyColumn{typ: k.typ, kind: k.kind, n: len(at)}
	for i, p := range at {
		if k.nulls.Get(int(p)) {
			out.setNull(i)
		}
	}
	switch k.kind {
	case column.PayloadI64:
		for _, p := range at {
			out.i64 = append(out.i64, k.i64[p])
		}
	case column.PayloadF64:
		for _, p := range at {
			out.f64 = append(out.f64, k.f64[p])
		}
	case column.PayloadStr:
		// Copies, so that a few rows do not hold on to the pages of many.
		for _, p := range at {
			s := strings.Clone(k.str[p])
			out.str = append(out.str, s)
			out.text += int64(len(s))
		}
	default:
		k.seal()
		out.sealed = column.Gather(k.sealed, at)
		out.nested = column.NewAppender(k.typ, len(at))
		out.text = vectorBytes(out.sealed)
	}
	*k = out
}

// seal makes nested values readable; unseal lets more be appended.
func (k *keyColumn) seal() {
	if k.nested != nil && k.sealed == nil {
		k.sealed = k.nested.Vector()
	}
}

func (k *keyColumn) unseal() {
	if k.sealed != nil {
		k.nested = column.NewAppender(k.typ, k.sealed.Len)
		k.nested.AppendAll(k.sealed)
		k.sealed = nil
	}
}

func (k *keyColumn) bound(i int) *bound {
	b := &bound{null: k.nulls.Get(i)}
	switch {
	case b.null:
	case k.kind == column.PayloadI64:
		b.i64 = k.i64[i]
	case k.kind == column.PayloadF64:
		b.f64 = k.f64[i]
	default:
		b.str = k.str[i]
	}
	return b
}

func (k *keyColumn) bytes() int64 {
	return k.text + int64(8*cap(k.i64)+8*cap(k.f64)+16*cap(k.str)+8*cap(k.nulls))
}
