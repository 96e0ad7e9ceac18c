package exec

import (
	"context"
	"sync"

	"github.com/RoaringBitmap/roaring/v2"

	"github.com/cairndb/cairn/segment/column"
	"github.com/cairndb/cairn/sql/plan"
	"github.com/cairndb/cairn/sql/sqlerr"
)

// scanOp reads a table: a task per unit.
type scanOp struct {
	stats  opStats
	node   *plan.TableScan
	filter []expr
	// late is set for a scan on the right of a lateral join: it is prepared when
	// it is opened. outer is set when the filter depends on the row that a
	// sub-query or lateral relation is run for: then it is prepared for each run.
	late, outer bool
	// some says that not all units may be read: see [plan.ScanRequest].
	some bool
	// more are terms that other rows of the query have made known: see restrict.
	more []plan.Term
	// lates are conjuncts that wait for sub-queries, and learnt is what came of
	// them once they are settled; told says so in EXPLAIN ANALYZE.
	lates   []lateTerm
	settled bool
	learnt  []plan.Term
	told    []string
	// mu guards what Stats may ask for while a scan is prepared anew.
	mu     sync.Mutex
	scan   plan.Scan
	units  []plan.Unit
	before int64 // bytes read by the scans that were here before
}

// prepare asks the table for its units. All scans of a query are prepared
// before anything runs, but for the late ones; what is known only then narrows a
// scan when it is prepared again. The table is a snapshot, so it has the same
// rows.
func (op *scanOp) prepare(ctx context.Context, more []plan.Term) error {
	terms := append(op.node.Terms[:len(op.node.Terms):len(op.node.Terms)], more...)
	terms = append(terms, op.learnt...)
	scan, err := op.node.Table.Scan(ctx, plan.ScanRequest{Paths: op.node.Paths, Terms: terms, Some: op.some})
	if err != nil {
		return err
	}
	op.mu.Lock()
	defer op.mu.Unlock()
	if op.scan != nil {
		op.before = op.readBytes()
		if err := op.scan.Close(); err != nil {
			return err
		}
	}
	op.scan, op.units = scan, scan.Units()
	return nil
}

// close releases the scan.
func (op *scanOp) close() error {
	if op.scan == nil {
		return nil
	}
	return op.scan.Close()
}

// rows is how many rows there are to read at most.
func (op *scanOp) rows(ctx context.Context) int64 {
	if op.scan == nil {
		return 0
	}
	var n int64
	for _, u := range op.units {
		if op.some {
			n += int64(u.Rows()) // not asked: it need not be read
		} else {
			n += rowsLeft(ctx, u)
		}
	}
	return n
}

// atMost reports whether there are at most n rows to read.
func (op *scanOp) atMost(ctx context.Context, n int64) bool {
	for _, u := range op.units {
		if n -= rowsLeft(ctx, u); n < 0 {
			return false
		}
	}
	return true
}

// rowsLeft is how many rows of a unit there are to read at most. Where they cannot be
// found out it is all of them, and reading tells why.
func rowsLeft(ctx context.Context, u plan.Unit) int64 {
	c, err := u.Candidates(ctx)
	if c == nil || err != nil {
		return int64(u.Rows())
	}
	return int64(c.GetCardinality())
}

// stored returns how many bytes of stored pages the scan has read.
func (op *scanOp) stored() int64 {
	op.mu.Lock()
	defer op.mu.Unlock()
	return op.readBytes()
}

func (op *scanOp) readBytes() int64 {
	n := op.before
	for _, u := range op.units {
		n += u.Stored()
	}
	return n
}

// pruned returns what the scan has left out so far.
func (op *scanOp) pruned() plan.Pruning {
	op.mu.Lock()
	defer op.mu.Unlock()
	if op.scan == nil {
		return plan.Pruning{}
	}
	return op.scan.Pruning()
}

func (op *scanOp) open(q *query) ([]task, error) {
	more := op.more
	op.more = nil
	if op.outer {
		more = append(more, op.node.OuterTerms(q.param)...)
	}
	narrowed, err := op.settle(q)
	if err != nil {
		return nil, err
	}
	if op.scan == nil || op.outer || narrowed || len(more) > 0 {
		if err := op.prepare(q.ctx, more); err != nil {
			if live := q.live(); live != nil {
				return nil, live
			}
			return nil, err
		}
	}
	tasks := make([]task, len(op.units))
	for i := range op.units {
		tasks[i] = &unitTask{op: op, index: i}
	}
	return tasks, nil
}

// unitTask reads one unit.
type unitTask struct {
	op    *scanOp
	index int
}

func (t *unitTask) unit() plan.Unit { return t.op.units[t.index] }

func (t *unitTask) run(w *worker, emit func(*frame) error) error {
	return t.blocks(w, false, nil, emit)
}

// blocks reads the unit block by block, from its end when backward is set. The
// candidates of a block pass through before, which may hold some back, then
// through the filter. Without before few candidates of several blocks come together.
//
// Frames have one column more than the scan: the row numbers.
func (t *unitTask) blocks(w *worker, backward bool, before func(*frame) (*frame, error), emit func(*frame) error) error {
	was := w.enter(&t.op.stats)
	defer w.enter(was)
	u := t.unit()
	rows := u.Rows()
	candidates, err := u.Candidates(w.q.ctx)
	if err != nil {
		return err
	}
	if candidates != nil && before == nil {
		return t.scattered(w, candidates, emit)
	}
	count := (rows + plan.BlockRows - 1) / plan.BlockRows
	var blocks []int // those with candidates; nil for all
	if candidates != nil {
		if blocks = blocksOf(candidates); len(blocks) == 0 {
			return nil
		}
		count = len(blocks)
	}
	for k := range count {
		if err := w.q.live(); err != nil {
			return err
		}
		b := k
		if backward {
			b = count - 1 - k
		}
		if blocks != nil {
			b = blocks[b]
		}
		src := &blockLoader{op: t.op, unit: u, from: b * plan.BlockRows}
		src.to = min(rows, src.from+plan.BlockRows)
		if candidates != nil {
			if src.rows = blockRows(candidates, src.from, src.to); len(src.rows) == 0 {
				continue
			}
		}
		if err := t.give(w, src, before, emit); err != nil {
			return err
		}
	}
	return nil
}

// Rows that are scattered over the blocks of a unit come together in frames, since a frame costs as much
// as some hundred values: so many at first and twice as many each time, but no more than a block has.
const (
	scatteredFirst = 256
	scatteredMost  = plan.BlockRows
)

// scattered reads candidates of the unit, block by block where each has many.
func (t *unitTask) scattered(w *worker, candidates *roaring.Bitmap, emit func(*frame) error) error {
	u := t.unit()
	size := u.Rows()
	most := scatteredFirst
	it := candidates.Iterator()
	for it.HasNext() {
		if err := w.q.live(); err != nil {
			return err
		}
		first := int(it.PeekNext()) / plan.BlockRows * plan.BlockRows
		src := &blockLoader{op: t.op, unit: u, from: first, to: min(size, first+plan.BlockRows)}
		for it.HasNext() {
			row := int(it.PeekNext())
			if row >= src.to {
				if len(src.rows) >= most {
					break
				}
				src.to = min(size, row/plan.BlockRows*plan.BlockRows+plan.BlockRows)
			}
			if src.rows == nil {
				left := int(candidates.GetCardinality())
				src.rows = make([]uint32, 0, min(left, 2*most, plan.BlockRows))
			}
			if len(src.rows) == plan.BlockRows {
				break
			}
			src.rows = append(src.rows, it.Next())
		}
		most = min(2*most, scatteredMost)
		if err := t.give(w, src, nil, emit); err != nil {
			return err
		}
	}
	return nil
}

// give passes the rows of a loader on.
func (t *unitTask) give(w *worker, src *blockLoader, before func(*frame) (*frame, error), emit func(*frame) error) (err error) {
	n := src.to - src.from
	if len(src.rows) == n {
		src.rows = nil
	}
	if src.rows != nil {
		n = len(src.rows)
	}
	f := &frame{n: n, cols: make([]*column.Vector, len(t.op.node.Columns)+1), src: src}
	if before != nil {
		if f, err = before(f); err != nil || f == nil {
			return err
		}
	}
	if f, err = narrow(w, t.op.filter, f); err != nil || f == nil {
		return err
	}
	t.op.stats.emitted(f.n)
	return emit(f)
}

// blocksOf lists the blocks in which a bitmap has rows.
func blocksOf(rows *roaring.Bitmap) []int {
	blocks := []int{}
	for it := rows.Iterator(); it.HasNext(); {
		b := int(it.PeekNext()) / plan.BlockRows
		blocks = append(blocks, b)
		it.AdvanceIfNeeded(uint32(b+1) * plan.BlockRows)
	}
	return blocks
}

// blockRows lists the rows of a bitmap in [from, to).
func blockRows(b *roaring.Bitmap, from, to int) []uint32 {
	it := b.Iterator()
	it.AdvanceIfNeeded(uint32(from))
	var rows []uint32
	for it.HasNext() && it.PeekNext() < uint32(to) {
		rows = append(rows, it.Next())
	}
	return rows
}

// blockLoader reads the columns of rows of one block of a unit, or of some rows of several.
type blockLoader struct {
	op       *scanOp
	unit     plan.Unit
	rows     []uint32 // nil for all of the block
	from, to int
}

func (l *blockLoader) load(w *worker, slot int) (*column.Vector, error) {
	return l.read(w, slot, l.rows)
}

func (l *blockLoader) loadAt(w *worker, slot int, at []int32) (*column.Vector, error) {
	rows := make([]uint32, len(at))
	for i, p := range at {
		if l.rows != nil {
			rows[i] = l.rows[p]
		} else {
			rows[i] = uint32(l.from) + uint32(p)
		}
	}
	return l.read(w, slot, rows)
}

func (l *blockLoader) read(w *worker, slot int, rows []uint32) (*column.Vector, error) {
	if slot == len(l.op.node.Columns) {
		return rowNumbers(rows, l.from, l.to), nil
	}
	was := w.enter(&l.op.stats)
	defer w.enter(was)
	v, err := l.unit.Read(w.q.ctx, slot, rows, l.from, l.to)
	if err != nil {
		return nil, err
	}
	n := len(rows)
	if rows == nil {
		n = l.to - l.from
	}
	if v.Len != n {
		return nil, sqlerr.New(sqlerr.Internal, sqlerr.Pos{}, "reading %d values of %s gave %d", n, l.op.node.Columns[slot].Name, v.Len)
	}
	return v, nil
}

func rowNumbers(rows []uint32, from, to int) *column.Vector {
	n := len(rows)
	if rows == nil {
		n = to - from
	}
	v := &column.Vector{Type: column.BigIntType, Len: n, I64: make([]int64, n)}
	for i := range v.I64 {
		if rows != nil {
			v.I64[i] = int64(rows[i])
		} else {
			v.I64[i] = int64(from + i)
		}
	}
	return v
}
