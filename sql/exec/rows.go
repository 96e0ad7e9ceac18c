package exec

import (
	"context"
	"errors"
	"io"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/cairndb/cairn/segment/column"
	"github.com/cairndb/cairn/sql/exec/spill"
	"github.com/cairndb/cairn/sql/plan"
	"github.com/cairndb/cairn/sql/sqlerr"
)

// Rows is the result of a running query.
type Rows struct {
	columns []plan.Output
	q       *query
	cancel  context.CancelFunc
	scans   []*scanOp
	queue   chan *column.Batch // closed at the end
	ended   chan struct{}      // closed when the query's goroutines are gone
	err     error              // set before queue is closed
	started time.Time
	took    time.Duration // set before ended is closed
	rows    int64
	bytes   int64
	once    sync.Once
	// The first call of Next begins to run the query, so that one that nobody reads yet holds
	// no rows: root by goroutines of its own, or here, one of few rows, by the goroutine of
	// Next. begun is done when it runs or will not, and ready are the batches that wait to be
	// given out, which belong to the goroutine of Next.
	root  operator
	here  operator
	begun sync.Once
	ready []*column.Batch
	// The limits of the result, and what was given so far: for the goroutine that
	// drives the query.
	maxRows, maxBytes int64
	given, givenBytes int64
}

// Stats tells what a query has cost so far.
type Stats struct {
	Rows       int64 // handed out by Next
	BytesRead  int64 // of stored pages
	PeakMemory int64 // charged to the budget, in bytes
	Spilled    int64 // bytes written to temporary files
	Elapsed    time.Duration
	Pruning    plan.Pruning // summed over the query's scans
}

// Start makes a plan ready to run, which the first call of Next begins. The rows must be
// closed.
func Start(ctx context.Context, p *plan.Plan, opt Options) (*Rows, error) {
	r, root, err := compile(ctx, p, opt)
	if err != nil {
		return nil, err
	}
	if p.Explain {
		return r.explain(p, root)
	}
	if r.brief(p.Root) {
		r.q.workers = 1
		r.here = root.op
		return r, nil
	}
	if fewRows(p.Root) {
		r.here = root.op
		return r, nil
	}
	r.root = root.op
	return r, nil
}

// briefRows is how many rows a query may read at most to be run by the goroutine that
// asks for them. Starting others and waking them costs as much as reading some ten
// records; with more rows, reading them side by side is worth it.
const briefRows = 16

// brief reports whether all that a query does is to read a few rows that are known, of
// one table or none, to compute with them and to sort them.
func (r *Rows) brief(n plan.Node) bool {
	for {
		switch x := n.(type) {
		case *plan.Project:
			n = x.Input
		case *plan.Filter:
			n = x.Input
		case *plan.Limit:
			n = x.Input
		case *plan.Sort:
			n = x.Input
		case *plan.Values:
			return len(r.scans) == 0 && len(x.Rows) <= briefRows
		case *plan.TableScan:
			// Whoever has sub-queries has their scans, too; and texts are searched for
			// when the rows are counted.
			return len(r.scans) == 1 && len(r.scans[0].lates) == 0 && !r.scans[0].late && !r.scans[0].outer &&
				!slices.ContainsFunc(x.Terms, func(t plan.Term) bool { return t.Op == plan.Contains || t.Op == plan.ContainsFold }) &&
				!r.scans[0].some && r.scans[0].atMost(r.q.ctx, briefRows)
		default:
			return false
		}
	}
}

// fewRows reports whether a query gives all of its rows at its end, in one batch: the rows that it
// reads may be many, and are read side by side, but nobody need hand the result over.
func fewRows(n plan.Node) bool {
	for {
		switch x := n.(type) {
		case *plan.Project:
			n = x.Input
		case *plan.Sort:
			return x.Limit >= 0 && x.Limit <= batchRows && !x.Ties
		default:
			return false
		}
	}
}

// compiled is a plan ready to run.
type compiled struct {
	op   operator
	made map[plan.Node]operator
}

// compile makes the operators of a plan and prepares its scans.
func compile(ctx context.Context, p *plan.Plan, opt Options) (r *Rows, c compiled, err error) {
	opt = opt.filled()
	cancel := context.CancelFunc(nil)
	if opt.Timeout > 0 {
		ctx, cancel = context.WithTimeout(ctx, opt.Timeout)
	} else {
		ctx, cancel = context.WithCancel(ctx)
	}
	r = &Rows{
		columns: p.Columns, cancel: cancel, queue: make(chan *column.Batch), ended: make(chan struct{}), started: time.Now(),
		q:       &query{ctx: ctx, fn: p.Context, workers: opt.Workers, timed: p.Analyze, mem: &memory{}, all: newStatement(), turn: opt.Turn},
		maxRows: opt.MaxRows, maxBytes: opt.ResultBytes,
	}
	r.q.mem.setLimit(opt.Memory, opt.Files != nil, opt.Workers)
	if opt.Files != nil {
		r.q.space = spill.NewSpace(opt.Files, opt.Disk, r.q.mem.blockBytes())
		r.q.space.Live = r.q.live
	}
	defer func() {
		if err != nil {
			cancel()
		}
	}()
	defer recovered(&err)
	k := &compiler{q: r.q, made: map[plan.Node]operator{}}
	root := k.node(p.Root)
	for i, s := range k.scans {
		if p.Explain && !p.Analyze {
			s.some = false // it tells what all units leave out
		}
		if s.late {
			continue
		}
		if err := s.prepare(ctx, nil); err != nil {
			closeScans(k.scans[:i])
			if live := r.q.live(); live != nil {
				err = live
			}
			return nil, compiled{}, err
		}
	}
	r.scans = k.scans
	return r, compiled{root, k.made}, nil
}

func closeScans(scans []*scanOp) error {
	var first error
	for _, s := range scans {
		if err := s.close(); err != nil && first == nil {
			first = err
		}
	}
	return first
}

// run drives the query and hands its batches to Next.
func (r *Rows) run(root operator) {
	err := r.drive(root, len(r.columns), func(b *column.Batch) error {
		if err := r.within(b); err != nil {
			return err
		}
		select {
		case r.queue <- b:
			return nil
		case <-r.q.ctx.Done():
			return canceledBy(r.q.ctx.Err())
		}
	})
	r.finish(err)
}

// runHere runs a brief query to its end.
func (r *Rows) runHere() {
	err := r.drive(r.here, len(r.columns), func(b *column.Batch) error {
		if err := r.within(b); err != nil {
			return err
		}
		r.ready = append(r.ready, b)
		return nil
	})
	r.finish(err)
}

// within counts a batch of the result against its limits.
func (r *Rows) within(b *column.Batch) error {
	if r.given += int64(b.Len); r.maxRows > 0 && r.given > r.maxRows {
		return sqlerr.New(sqlerr.ProgramLimit, sqlerr.Pos{}, "the result has more rows than the limit of %d", r.maxRows).
			WithHint("add a LIMIT, filter more rows, or raise the limit")
	}
	if r.maxBytes > 0 {
		for _, v := range b.Cols {
			r.givenBytes += resultBytes(v)
		}
		if r.givenBytes > r.maxBytes {
			return sqlerr.New(sqlerr.ProgramLimit, sqlerr.Pos{}, "the result is larger than the limit of %s", byteCount(r.maxBytes)).
				WithHint("add a LIMIT, select fewer columns, or raise the limit")
		}
	}
	return nil
}

// resultBytes is how many bytes the values of a column have, as a client gets
// them: a value that many rows share counts for each.
func resultBytes(v *column.Vector) int64 {
	if v.Type.Payload() != column.PayloadStr && v.Type.Payload() != column.PayloadNested {
		return 8 * int64(v.Len)
	}
	if v.Const {
		return int64(v.Len) * valueBytes(v, 0)
	}
	var n, size int64
	var last *column.Vector
	lastAt := -1
	for i := range v.Len {
		if v.IsNull(i) {
			n++
			continue
		}
		leaf, j := v.Leaf(i)
		if leaf != last || j != lastAt {
			// A large value may stand in many rows.
			last, lastAt, size = leaf, j, valueBytes(leaf, j)
		}
		n += size
	}
	return n
}

// valueBytes is about how many bytes value i of v takes.
func valueBytes(v *column.Vector, i int) int64 {
	if v.IsNull(i) {
		return 1
	}
	v, i = v.Leaf(i)
	switch v.Type.Payload() {
	case column.PayloadStr:
		return int64(len(v.Str[i]))
	case column.PayloadNested:
		n := int64(4)
		for _, c := range v.Children {
			if v.Type.Kind == column.Row {
				n += valueBytes(c, i)
				continue
			}
			for e := v.Offsets[i]; e < v.Offsets[i+1]; e++ {
				n += valueBytes(c, int(e))
			}
		}
		return n
	}
	return 8
}

// finish ends the query: nothing of it runs any more.
func (r *Rows) finish(err error) {
	for _, s := range r.scans {
		r.bytes += s.stored()
	}
	if live := r.q.live(); live != nil && (errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded)) {
		err = live // whatever a table made of the end of its context
	}
	if e := closeScans(r.scans); err == nil {
		err = e
	}
	late := r.q.all.scans
	for _, s := range late {
		r.bytes += s.stored()
	}
	if e := closeScans(late); err == nil {
		err = e
	}
	if r.q.space != nil {
		if e := r.q.space.Close(); err == nil {
			err = e
		}
	}
	r.q.turn.Leave()
	r.took = time.Since(r.started)
	r.err = err
	close(r.queue)
	close(r.ended)
}

// drive runs the operators and gives the batches of the result to out.
func (r *Rows) drive(root operator, width int, out func(*column.Batch) error) (err error) {
	defer recovered(&err)
	tasks, err := root.open(r.q)
	if err != nil {
		return err
	}
	if len(tasks) == 1 {
		return runInto(r.q.ctx, r.q.newWorker(), tasks[0], width, -1, out)
	}
	if r.here != nil && r.q.workers == 1 {
		w := r.q.newWorker()
		for _, t := range tasks {
			if err := runInto(r.q.ctx, w, t, width, -1, out); err != nil && err != errEnough {
				return err
			}
		}
		return nil
	}
	s := newStream(r.q, tasks, width, -1)
	defer s.stop()
	for {
		b, err := s.next()
		if err != nil || b == nil {
			return err
		}
		if err := out(b); err != nil {
			return err
		}
	}
}

// Columns describes the columns of the batches.
func (r *Rows) Columns() []plan.Output { return r.columns }

// Next returns the next rows, at least one, or io.EOF after the last. The batch
// stays valid. After an error every call returns it.
func (r *Rows) Next() (*column.Batch, error) {
	if r.here != nil {
		r.begun.Do(r.runHere)
		if len(r.ready) > 0 {
			b := r.ready[0]
			r.ready = r.ready[1:]
			r.rows += int64(b.Len)
			return b, nil
		}
	}
	if r.root != nil {
		r.begun.Do(func() { go r.run(r.root) })
	}
	b, ok := <-r.queue
	if ok {
		r.rows += int64(b.Len)
		return b, nil
	}
	if r.err != nil {
		return nil, r.err
	}
	return nil, io.EOF
}

// Close ends the query, waits until nothing of it runs, and releases what it
// held. It may be called at any time and more than once.
func (r *Rows) Close() error {
	r.once.Do(func() {
		r.cancel()
		if r.here != nil || r.root != nil {
			r.begun.Do(func() { r.finish(canceledBy(context.Canceled)) })
		}
		<-r.ended
	})
	return nil
}

// Stats returns what the query has cost; bytes and time are complete once Next
// has returned io.EOF or Close was called.
func (r *Rows) Stats() Stats {
	s := Stats{Rows: r.rows, PeakMemory: r.q.mem.peak.Load(), Elapsed: time.Since(r.started)}
	if r.q.space != nil {
		s.Spilled = r.q.space.Written()
	}
	select {
	case <-r.ended:
		s.BytesRead, s.Elapsed = r.bytes, r.took
	default:
	}
	for _, scan := range r.scans {
		p := scan.pruned()
		s.Pruning.Segments += p.Segments
		s.Pruning.SegmentsByTime += p.SegmentsByTime
		s.Pruning.SegmentsByFilter += p.SegmentsByFilter
		s.Pruning.SegmentsUnasked += p.SegmentsUnasked
		s.Pruning.Rows += p.Rows
		s.Pruning.RowsByBitmap += p.RowsByBitmap
		s.Pruning.MemtableRows += p.MemtableRows
		for _, c := range p.Columns {
			if !contains(s.Pruning.Columns, c) {
				s.Pruning.Columns = append(s.Pruning.Columns, c)
			}
		}
	}
	return s
}

func contains(list []string, s string) bool {
	for _, x := range list {
		if strings.EqualFold(x, s) {
			return true
		}
	}
	return false
}
