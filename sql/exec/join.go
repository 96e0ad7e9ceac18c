package exec

import (
	"cmp"
	"context"
	"math"
	"slices"
	"strings"
	"sync"

	"github.com/cairndb/cairn/segment/column"
	"github.com/cairndb/cairn/sql/plan"
)

// joinOp is a hash join. It holds one side, found by its keys, and lets the
// other pass by; without keys every held row is a candidate for every row that
// passes.
type joinOp struct {
	stats       opStats
	shape       shape // heldLeft is decided when it is opened
	left, right operator
	keys        []joinKey
	// aware is how many of the keys and of compared are the comparisons of an
	// IN, and compared are those comparisons and the conditions besides, as
	// values: for the rows about which keys alone cannot decide.
	aware    int
	compared []expr
	others   []expr
	// exact is set when those comparisons are keys and never NULL but for a NULL
	// key.
	exact bool
	// volatile is set when keys may give different values for the same row.
	volatile bool
	// Where the columns of keys come from, for what storage can leave out.
	sources [2][]*source
	bounds  []bounds
	// ranges are what narrows the candidates when the right side is held, and when
	// the left is; nil for nothing.
	ranges [2]*joinRange
	// told is what EXPLAIN ANALYZE says of how it went.
	told string
}

// join compiles a join.
func (c *compiler) join(n *plan.Join) operator {
	op := &joinOp{}
	left, right := n.Left.Cols(), n.Right.Cols()
	op.shape = shape{kind: n.Kind, pos: n.Place}
	for _, col := range left {
		op.shape.left = append(op.shape.left, col.Type)
	}
	for _, col := range right {
		op.shape.right = append(op.shape.right, col.Type)
	}
	both := slotsOf(append(left[:len(left):len(left)], right...))
	if n.Lateral {
		return c.lateral(n, op.shape, both)
	}
	op.left, op.right = c.node(n.Left), c.node(n.Right)
	inLeft, inRight := slotsOf(left), slotsOf(right)
	defer c.share(both, n.On)()
	op.exact = true
	for i, cond := range n.On {
		if i < n.NullAware {
			op.compared = append(op.compared, c.expr(cond, both))
		} else {
			op.others = append(op.others, c.expr(cond, both))
		}
		k, ok := plan.Equality(cond, left, right)
		if i < n.NullAware && (!ok || k.Left.Type().Payload() == column.PayloadNested) {
			op.exact = false
		}
		if !ok {
			op.shape.on = append(op.shape.on, c.expr(cond, both))
			if cmp, l, r, ok := plan.Order(cond, left, right); ok {
				op.bounds = append(op.bounds, bounds{cmp, c.expr(l, inLeft), c.expr(r, inRight), l.Type(),
					[2]*source{c.source(n.Left, l), c.source(n.Right, r)}})
			}
			continue
		}
		if p := k.Left.Type().Payload(); p == column.PayloadNested || p == column.PayloadF64 {
			// Values that hash alike need not be equal: NULLs inside, NaN.
			op.shape.on = append(op.shape.on, c.expr(cond, both))
		}
		op.volatile = op.volatile || plan.Volatile(cond)
		op.keys = append(op.keys, joinKey{
			left: c.expr(k.Left, inLeft), right: c.expr(k.Right, inRight), typ: k.Left.Type(), nulls: k.Nulls,
		})
		op.sources[0] = append(op.sources[0], c.source(n.Left, k.Left))
		op.sources[1] = append(op.sources[1], c.source(n.Right, k.Right))
	}
	op.aware = n.NullAware
	for i, sides := range [2][2][]plan.Col{{right, left}, {left, right}} {
		if r := plan.RangeOf(n.On[n.NullAware:], sides[0], sides[1]); r != nil {
			op.ranges[i] = &joinRange{ops: r.Ops, typ: r.By.Type(),
				by: c.expr(r.By, slotsOf(sides[0])), of: c.exprs(r.Of, slotsOf(sides[1]))}
		}
	}
	return op
}

// heldRows are the rows of the held side.
type heldRows struct {
	n      int
	cols   []*column.Vector // flat
	keys   []*column.Vector // flat
	hashes []uint64
	ok     column.Bits // the rows without NULL among their keys
	denied bool        // some are not ok
	table  *joinTable
	ranged *rangedRows // nil unless candidates are narrowed
	// total and someDenied are n and denied of all held rows, where these are but
	// those of some hashes.
	total      int
	someDenied bool
	// hit are the rows that have found a match.
	mu  sync.Mutex
	hit column.Bits
}

func (h *heldRows) note(rows []uint32) {
	h.mu.Lock()
	defer h.mu.Unlock()
	for _, r := range rows {
		h.hit.Set(int(r))
	}
}

// open reads the side to be held, then yields the tasks of the other.
func (op *joinOp) open(q *query) ([]task, error) {
	sh := op.shape
	sh.heldLeft = op.holdLeft(q.ctx)
	held, probe, side := op.right, op.left, 0
	if sh.heldLeft {
		held, probe, side = op.left, op.right, 1
	}
	tasks, err := held.open(q)
	if err != nil {
		return nil, err
	}
	types := sh.right
	if sh.heldLeft {
		types = sh.left
	}
	var spec *asideSpec
	if q.mem.spills && op.canPutAside() {
		ranges := 1
		if op.splits() {
			ranges = asideRanges(q, 2)
		}
		spec = newAsideSpec(&op.stats, types, 1, ranges, 2)
	}
	parts, err := runAll(q, tasks, func() *holder {
		h := newHolder(q, op, types, sh.heldLeft, sh.keepsHeld() || op.aware > 0)
		h.spec = spec
		return h
	})
	if err != nil {
		return nil, err
	}
	if op.crowded(q, parts) {
		return op.fromAside(q, &sh, parts, probe)
	}
	rows := gatherHeld(parts, types, op.keys)
	account := account{m: q.mem, what: "JOIN", todo: "filter more rows, join on equal columns, or raise the budget"}
	for _, p := range parts {
		p.mem.release()
	}
	bytes := joinTableBytes(rows.n)
	for _, v := range rows.cols {
		bytes += vectorBytes(v)
	}
	if err := account.hold(bytes); err != nil {
		return nil, err
	}
	room := func(n int64) bool { return account.hold(bytes+n) == nil }
	if sh.keepsHeld() {
		rows.hit = column.NewBits(rows.n)
	}
	probeKept := sh.probeKept()
	if rows.n == 0 && !probeKept {
		return nil, nil
	}
	rows.table = newJoinTable(q, op.keys, rows.keys, rows.hashes, rows.ok, rows.denied, rows.n)
	rows.ranged = op.rangedRows(q.newWorker(), &sh, rows, room)
	if !probeKept {
		if err := op.restrict(q, rows, side); err != nil {
			return nil, err
		}
	}
	tasks, err = probe.open(q)
	if err != nil {
		return nil, err
	}
	for i, t := range tasks {
		tasks[i] = taskFunc(func(w *worker, emit func(*frame) error) error {
			return op.probe(w, &sh, rows, t, emit)
		})
	}
	if !sh.keepsHeld() {
		return tasks, nil
	}
	return op.afterAll(q, &sh, rows, tasks), nil
}

// holdLeft decides which side is held: the smaller one, if the kind allows.
func (op *joinOp) holdLeft(ctx context.Context) bool {
	switch op.shape.kind {
	case plan.MarkJoin, plan.SingleJoin:
		return false
	case plan.SemiJoin, plan.AntiJoin:
		// Holding the left side means to wait for all of the right one.
		return op.aware == 0 && 4*rowsOf(ctx, op.left) < rowsOf(ctx, op.right)
	}
	l, r := rowsOf(ctx, op.left), rowsOf(ctx, op.right)
	if op.shape.kind == plan.LeftJoin {
		return 4*l < r
	}
	if op.shape.kind == plan.RightJoin {
		return l <= 4*r
	}
	return l < r
}

// holder collects rows of the held side. It is the sink of one worker.
type holder struct {
	op    *joinOp
	types []*column.Type
	left  bool // the side that it collects
	// nulls is set when rows with a NULL among their keys are to be collected.
	nulls  bool
	hasher *keyHasher
	mem    account
	bytes  int64
	seen   int
	task   int
	dicts  dicts
	chunks []heldChunk
	// spec describes rows put aside, nil when none can be; all is set when all
	// rows are to go aside. put is how many have, and denied says that keys of some
	// were NULL; strewn counts those.
	spec   *asideSpec
	all    bool
	aside  *aside
	put    int
	denied bool
	strewn uint64
}

// heldChunk is one frame of the held side.
type heldChunk struct {
	task, number, n int
	cols, keys      []*column.Vector
	hashes          []uint64
	ok              []bool
}

func newHolder(q *query, op *joinOp, types []*column.Type, left, nulls bool) *holder {
	h := &holder{op: op, types: types, left: left, nulls: nulls, hasher: newKeyHasher(op.keys), task: -1, dicts: make(dicts, len(types))}
	h.mem = account{m: q.mem, what: "JOIN", todo: "filter more rows, join on equal columns, or raise the budget"}
	return h
}

// keysOf evaluates the keys of one side.
func (op *joinOp) keysOf(w *worker, f *frame, left bool) ([]*column.Vector, error) {
	keys := make([]*column.Vector, len(op.keys))
	for i, k := range op.keys {
		x := k.right
		if left {
			x = k.left
		}
		v, err := x.eval(w, f)
		if err != nil {
			return nil, err
		}
		keys[i] = v
	}
	return keys, nil
}

// take implements sink.
func (h *holder) take(w *worker, task int, f *frame) error {
	was := w.enter(&h.op.stats)
	defer w.enter(was)
	if task != h.task {
		h.task, h.seen = task, 0
	}
	keys, err := h.op.keysOf(w, f, h.left)
	if err != nil {
		return err
	}
	h.hasher.hash(keys, f.n)
	if ok := h.hasher.ok; ok != nil && !h.nulls {
		// A row that can match nothing need not be held.
		at := make([]int32, 0, f.n)
		for i, may := range ok {
			if may {
				at = append(at, int32(i))
			}
		}
		if len(at) == 0 {
			return nil
		}
		if len(at) < f.n {
			hashes := make([]uint64, len(at))
			for i, p := range at {
				hashes[i] = h.hasher.hashes[p]
			}
			for i := range keys {
				keys[i] = gather(keys[i], at)
			}
			f, h.hasher.hashes = f.sub(at), hashes
		}
		h.hasher.ok = nil
	}
	c := heldChunk{task: task, number: h.seen, n: f.n, hashes: slices.Clone(h.hasher.hashes), ok: h.hasher.ok}
	h.seen++
	for i := range h.types {
		v, err := f.col(w, i)
		if err != nil {
			return err
		}
		h.bytes += h.dicts.fresh(i, v)
		if v.Dict != nil || v.Const {
			size := laidBytes(v)
			if err := h.mem.hold(max(h.mem.held, h.bytes+size)); err != nil {
				return err
			}
			v = column.Flatten(v)
			h.bytes += max(size, int64(16*v.Len))
		} else {
			v = ownText(v)
			h.bytes += vectorBytes(v)
		}
		c.cols = append(c.cols, v)
	}
	for _, v := range keys {
		c.keys = append(c.keys, w.q.laid(v, "JOIN"))
		h.bytes += max(laidBytes(v), int64(16*v.Len))
	}
	h.bytes += joinTableBytes(f.n)
	h.chunks = append(h.chunks, c)
	return h.room(w.q)
}

// ownText returns a flat vector whose text is a copy, in one piece, so that a
// few rows do not hold on to the pages of many.
func ownText(v *column.Vector) *column.Vector {
	if v.Str == nil {
		return v
	}
	n := 0
	for _, s := range v.Str {
		n += len(s)
	}
	var b strings.Builder
	b.Grow(n)
	for _, s := range v.Str {
		b.WriteString(s)
	}
	text, at := b.String(), 0
	out := *v
	out.Str = make([]string, len(v.Str))
	for i, s := range v.Str {
		out.Str[i] = text[at : at+len(s)]
		at += len(s)
	}
	return &out
}

// gatherHeld puts what the workers have collected together, in the order of the
// input.
func gatherHeld(parts []*holder, types []*column.Type, keys []joinKey) *heldRows {
	var chunks []heldChunk
	for _, p := range parts {
		chunks = append(chunks, p.chunks...)
	}
	slices.SortFunc(chunks, func(a, b heldChunk) int {
		return cmp.Or(cmp.Compare(a.task, b.task), cmp.Compare(a.number, b.number))
	})
	h := &heldRows{}
	for _, c := range chunks {
		h.n += c.n
		h.denied = h.denied || c.ok != nil
	}
	h.total, h.someDenied = h.n, h.denied
	piece := make([]*column.Vector, len(chunks))
	for i, t := range types {
		for k, c := range chunks {
			piece[k] = c.cols[i]
		}
		h.cols = append(h.cols, joinPieces(t, piece, h.n))
	}
	for i := range keys {
		for k, c := range chunks {
			piece[k] = c.keys[i]
		}
		h.keys = append(h.keys, joinPieces(keys[i].typ, piece, h.n))
	}
	if h.denied {
		h.ok = column.NewBits(h.n)
	}
	at := 0
	for _, c := range chunks {
		h.hashes = append(h.hashes, c.hashes...)
		if h.denied {
			for i := range c.n {
				if c.ok == nil || c.ok[i] {
					h.ok.Set(at + i)
				}
			}
		}
		at += c.n
	}
	return h
}

// joinPieces makes one flat vector of n values out of flat pieces.
func joinPieces(t *column.Type, pieces []*column.Vector, n int) *column.Vector {
	if len(pieces) == 1 {
		return pieces[0]
	}
	if n == 0 {
		// Something for the codes of NULLs to point at.
		v := column.New(t, 1)
		v.SetNull(0)
		return v
	}
	if t.Payload() == column.PayloadNested {
		a := column.NewAppender(t, n)
		for _, p := range pieces {
			a.AppendAll(p)
		}
		return a.Vector()
	}
	out := &column.Vector{Type: t, Len: n}
	switch t.Payload() {
	case column.PayloadI64:
		out.I64 = make([]int64, 0, n)
		if t.Kind == column.TimestampTZ {
			out.Zone = make([]uint16, 0, n)
		}
	case column.PayloadF64:
		out.F64 = make([]float64, 0, n)
	default:
		out.Str = make([]string, 0, n)
	}
	at := 0
	for _, p := range pieces {
		out.I64 = append(out.I64, p.I64...)
		out.F64 = append(out.F64, p.F64...)
		out.Str = append(out.Str, p.Str...)
		if out.Zone != nil {
			if p.Zone == nil {
				out.Zone = append(out.Zone, make([]uint16, p.Len)...)
			} else {
				out.Zone = append(out.Zone, p.Zone...)
			}
		}
		if p.Nulls.Any() {
			for i := range p.Len {
				if p.Nulls.Get(i) {
					out.SetNull(at + i)
				}
			}
		}
		at += p.Len
	}
	return out
}

// probe lets the rows of a task pass by the held ones.
func (op *joinOp) probe(w *worker, sh *shape, rows *heldRows, t task, emit func(*frame) error) error {
	was := w.enter(&op.stats)
	defer w.enter(was)
	p := op.newProber(w, sh, rows, emit)
	return t.run(w, func(f *frame) error {
		was := w.enter(&op.stats)
		defer w.enter(was)
		return p.probe(f)
	})
}

// prober lets rows pass by held ones. It belongs to one goroutine.
type prober struct {
	op     *joinOp
	m      *matcher
	finder *finder
	in     *membership // nil where NULLs do not matter
	// narrower leaves out candidates, nil for none.
	narrower *narrower
}

func (op *joinOp) newProber(w *worker, sh *shape, rows *heldRows, emit func(*frame) error) *prober {
	m := &matcher{shape: sh, w: w, held: rows.cols, next: rows.table.next}
	m.emit = func(f *frame) error {
		op.stats.emitted(f.n)
		return emit(f)
	}
	if rows.hit != nil {
		m.note = rows.note
	}
	p := &prober{op: op, m: m, finder: newFinder(rows.table)}
	if rows.ranged != nil {
		p.narrower = &narrower{rangedRows: rows.ranged, of: op.ranges[side(sh)]}
	}
	if sh.kind == plan.MarkJoin || op.aware > 0 {
		p.in = newMembership(op, rows)
	}
	return p
}

// probe joins the rows of a frame.
func (p *prober) probe(f *frame) error {
	keys, err := p.op.keysOf(p.m.w, f, !p.m.heldLeft)
	if err != nil {
		return err
	}
	if p.m.within, err = p.narrower.begin(p.m.w, f); err != nil {
		return err
	}
	if err := p.m.match(f, p.finder.find(keys, f.n)); err != nil {
		return err
	}
	if p.in != nil {
		return p.in.finish(p.m, keys)
	}
	return p.m.rest()
}

// afterAll makes one task of the tasks of the probed side: when they have ended,
// it gives the held rows that have, or have not, found a match.
func (op *joinOp) afterAll(q *query, sh *shape, rows *heldRows, tasks []task) []task {
	width := 0
	if sh.pairs() {
		width = len(sh.left) + len(sh.right)
	}
	return []task{taskFunc(func(w *worker, emit func(*frame) error) error {
		s := newStream(q, tasks, width, -1)
		defer s.stop()
		for {
			b, err := s.next()
			if err != nil {
				return err
			}
			if b == nil {
				break
			}
			if err := emit(loaded(b.Len, b.Cols)); err != nil {
				return err
			}
		}
		was := w.enter(&op.stats)
		defer w.enter(was)
		return op.unmatched(w, sh, rows, emit)
	})}
}

// unmatched emits the held rows that have found no match, or of a semi-join those
// that have.
func (op *joinOp) unmatched(w *worker, sh *shape, rows *heldRows, emit func(*frame) error) error {
	var with []uint32
	give := func() error {
		if len(with) == 0 {
			return nil
		}
		if err := w.q.live(); err != nil {
			return err
		}
		op.stats.emitted(len(with))
		f := &frame{n: len(with), cols: make([]*column.Vector, op.width()), src: &heldLoader{sh, rows.cols, with}}
		with = nil
		return emit(f)
	}
	for r := range rows.n {
		if rows.hit.Get(r) != (sh.kind == plan.SemiJoin) {
			continue
		}
		if with = append(with, uint32(r)); len(with) == batchRows {
			if err := give(); err != nil {
				return err
			}
		}
	}
	return give()
}

// width is the number of columns of the result.
func (op *joinOp) width() int {
	switch n := len(op.shape.left); op.shape.kind {
	case plan.SemiJoin, plan.AntiJoin:
		return n
	case plan.MarkJoin:
		return n + 1
	default:
		return n + len(op.shape.right)
	}
}

// heldLoader loads held rows without a probed one.
type heldLoader struct {
	*shape
	held []*column.Vector
	with []uint32
}

func (l *heldLoader) load(_ *worker, slot int) (*column.Vector, error) {
	if _, probed := l.probeSlot(slot); probed {
		return column.NullConst(l.typeOf(slot), len(l.with)), nil
	}
	dict := l.held[l.heldSlot(slot)]
	return &column.Vector{Type: dict.Type, Len: len(l.with), Dict: dict, Codes: l.with}, nil
}

func (l *heldLoader) loadAt(w *worker, slot int, at []int32) (*column.Vector, error) {
	with := make([]uint32, len(at))
	for i, a := range at {
		with[i] = l.with[a]
	}
	return (&heldLoader{l.shape, l.held, with}).load(w, slot)
}

// rowsOf estimates how many rows an operator gives. Scans have been prepared by
// then, so what storage has left out does not count.
func rowsOf(ctx context.Context, op operator) int64 {
	switch op := op.(type) {
	case *scanOp:
		return op.rows(ctx)
	case *valuesOp:
		return int64(len(op.rows))
	case *filterOp:
		return rowsOf(ctx, op.input)/2 + 1
	case *seekOp:
		return rowsOf(ctx, op.all)
	case *projectOp:
		return rowsOf(ctx, op.input)
	case *aggregateOp:
		if len(op.keys) == 0 {
			return 1
		}
		return rowsOf(ctx, op.input)/4 + 1
	case *sortOp:
		return atMost(rowsOf(ctx, op.input), op.spec.wanted)
	case *topScanOp:
		return atMost(rowsOf(ctx, op.scan), op.spec.wanted)
	case *limitOp:
		return atMost(rowsOf(ctx, op.input), op.n)
	case *unionOp:
		var n int64
		for _, in := range op.inputs {
			n += rowsOf(ctx, in)
		}
		return n
	case *setOp:
		return rowsOf(ctx, op.counts)
	case *windowOp:
		return rowsOf(ctx, op.input)
	case *unnestOp:
		return 4 * rowsOf(ctx, op.input)
	case *lateralOp:
		return rowsOf(ctx, op.left)
	case *joinOp:
		l, r := rowsOf(ctx, op.left), rowsOf(ctx, op.right)
		switch {
		case !op.shape.pairs():
			return l
		case len(op.keys) == 0:
			if l > 0 && r > math.MaxInt64/l/64 {
				return math.MaxInt64 / 64
			}
			return l * r
		}
		return max(l, r)
	}
	return 1 << 20
}

func atMost(n, limit int64) int64 {
	if limit >= 0 {
		return min(n, limit)
	}
	return n
}
