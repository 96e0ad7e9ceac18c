package engine

import (
	"context"
	"encoding/binary"
	"fmt"
	"sort"
	"sync"
	"time"

	"github.com/cairndb/cairn/engine/catalog"
)

// CheckOptions adjust a check.
type CheckOptions struct {
	// Progress is called now and then, by one goroutine at a time; may be nil.
	Progress func(CheckProgress)
	// ProblemsMax ends the listing of problems; 1,000 when 0. All are counted.
	ProblemsMax int
}

// CheckProgress tells how far a check is.
type CheckProgress struct {
	Segments, SegmentsDone int
	Events, EventsDone     int64
	Elapsed                time.Duration
}

// CheckReport is the outcome of a check. The lake is sound when there are no
// problems.
type CheckReport struct {
	Problems []Problem
	// ProblemCount counts all problems, listed or not.
	ProblemCount int
	Stores       int
	Segments     int
	Events       int64 // records read and compared
	RawBytes     int64
	Blocks       int64 // checksummed blocks verified
	WALRecords   int64
	Elapsed      time.Duration
}

// Problem is one thing that is wrong, and where.
type Problem struct {
	Store   string // name of the store, or ""
	Segment uint64 // number of the segment, or 0
	Place   string // block, column, row or file
	What    string // what was expected and found
}

// String returns the problem in one line.
func (p Problem) String() string {
	return (&CorruptionError{Store: p.Store, Segment: p.Segment, Place: p.Place, Err: errorText(p.What)}).Error()
}

type errorText string

func (e errorText) Error() string { return string(e) }

// problemsMax is how many problems a report lists unless told otherwise.
const problemsMax = 1000

// Check reads everything in the lake: every checksum is verified, every record
// rebuilt, and every derived thing (columns, postings, filters, counts,
// catalogue) compared with the records. It goes on after a problem; an error
// means that the check itself could not be finished.
//
// The lake may be in use meanwhile: each store is checked as it is when its turn
// comes.
func (l *Lake) Check(ctx context.Context, opts CheckOptions) (*CheckReport, error) {
	done, err := l.begin()
	if err != nil {
		return nil, err
	}
	defer done()
	if opts.ProblemsMax <= 0 {
		opts.ProblemsMax = problemsMax
	}
	c := &checker{lake: l, ctx: ctx, opts: opts, started: time.Now()}
	for _, p := range l.foundDamage {
		c.problem(p)
	}
	c.checkLog()
	if err := l.checkSecret(); err != nil {
		c.problem(Problem{Place: secretFile, What: err.Error()})
	}
	if err := c.checkCatalogue(); err != nil {
		return nil, err
	}
	for _, s := range l.Stores() {
		c.report.Stores++
		if err := c.checkStore(s); err != nil {
			return nil, fmt.Errorf("checking store %s: %w", s.Name(), err)
		}
	}
	c.report.Elapsed = time.Since(c.started)
	return &c.report, nil
}

// checker is the state of a check.
type checker struct {
	lake    *Lake
	ctx     context.Context
	opts    CheckOptions
	started time.Time

	mu       sync.Mutex
	report   CheckReport
	progress CheckProgress
}

func (c *checker) problem(p Problem) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.report.ProblemCount++
	if len(c.report.Problems) < c.opts.ProblemsMax {
		c.report.Problems = append(c.report.Problems, p)
	}
}

// checkLog reads the log back.
func (c *checker) checkLog() {
	if c.lake.log == nil {
		return // read when the lake was opened; what was wrong is known
	}
	report, err := c.lake.log.Verify(nil)
	c.report.WALRecords = int64(report.Records)
	if err != nil {
		c.problem(Problem{Place: "log", What: err.Error()})
	}
}

// checkCatalogue reads the catalogue back and compares it with what is in use.
func (c *checker) checkCatalogue() error {
	l := c.lake
	l.cat.Lock()
	state, err := catalog.Load(l.db)
	head := l.cat.head
	l.cat.Unlock()
	if err != nil {
		c.problem(Problem{Place: "catalogue", What: err.Error()})
		return nil
	}
	if state.Head != head {
		c.problem(Problem{Place: "catalogue", What: fmt.Sprintf("the stored head is %+v, in use is %+v", state.Head, head)})
	}
	err = catalog.Marks(l.db, func(_ *catalog.Mark, err error) error {
		if err != nil {
			c.problem(Problem{Place: "import marks", What: err.Error()})
		}
		return c.ctx.Err()
	})
	if err != nil && c.ctx.Err() == nil {
		c.problem(Problem{Place: "import marks", What: err.Error()})
	}
	return c.ctx.Err()
}

// checkStore checks one store.
func (c *checker) checkStore(s *Store) error {
	sn := s.snapshot()
	defer sn.release()
	c.mu.Lock()
	c.progress.Segments += len(sn.segments)
	c.progress.Events += int64(sn.next)
	c.mu.Unlock()
	c.checkNumbers(sn)

	// In order of time, so that only events of overlapping segments have to be
	// remembered for finding duplicates.
	segments := append([]*sealed(nil), sn.segments...)
	sort.Slice(segments, func(i, j int) bool { return segments[i].cat.MinTime < segments[j].cat.MinTime })
	results := make([]chan []seenEvent, len(segments))
	for i := range results {
		results[i] = make(chan []seenEvent, 1)
	}
	limit := make(chan struct{}, max(1, c.lake.opts.Workers))
	var workers sync.WaitGroup
	defer workers.Wait()
	go func() {
		for i, seg := range segments {
			limit <- struct{}{}
			workers.Add(1)
			go func() {
				defer workers.Done()
				defer func() { <-limit }()
				results[i] <- c.checkSegment(seg)
			}()
		}
	}()
	seen := make(map[uint64]seenEvent)
	for i, seg := range segments {
		events := <-results[i]
		for h, e := range seen {
			if e.time < seg.cat.MinTime {
				delete(seen, h)
			}
		}
		c.checkDuplicates(sn, seen, events)
	}
	for _, v := range sn.views {
		events := make([]seenEvent, 0, len(v.Rows()))
		for i := range v.Rows() {
			r := &v.Rows()[i]
			events = append(events, seenEvent{leaf: r.Leaf, time: r.Time, seq: v.First() + uint64(i)})
			c.count(1, int64(len(r.Raw)))
		}
		c.checkDuplicates(sn, seen, events)
	}
	c.tell(0)
	return c.ctx.Err()
}

// seenEvent is what is remembered of an event for finding duplicates.
type seenEvent struct {
	leaf [32]byte
	time int64
	seq  uint64
}

// checkDuplicates reports events whose records are there twice.
func (c *checker) checkDuplicates(sn *snapshot, seen map[uint64]seenEvent, events []seenEvent) {
	for _, e := range events {
		h := binary.LittleEndian.Uint64(e.leaf[:])
		if old, ok := seen[h]; ok && old.leaf == e.leaf {
			c.problem(Problem{Store: sn.store.Name(), Place: fmt.Sprintf("event %d", e.seq), What: fmt.Sprintf("it is the same as event %d", old.seq)})
		}
		seen[h] = e
	}
}

// checkNumbers demands that sequence numbers are dense.
func (c *checker) checkNumbers(sn *snapshot) {
	type run struct{ from, to uint64 }
	var runs []run
	for _, seg := range sn.segments {
		runs = append(runs, run{seg.cat.First, seg.cat.End()})
	}
	for _, d := range sn.dropped {
		runs = append(runs, run{d.First, d.End})
	}
	for _, v := range sn.views {
		runs = append(runs, run{v.First(), v.First() + uint64(len(v.Rows()))})
	}
	sort.Slice(runs, func(i, j int) bool { return runs[i].from < runs[j].from })
	var next uint64
	for _, r := range runs {
		if r.from != next {
			c.problem(Problem{Store: sn.store.Name(), Place: "sequence numbers", What: fmt.Sprintf("they go on at %d instead of %d", r.from, next)})
		}
		next = r.to
	}
	if next != sn.next {
		c.problem(Problem{Store: sn.store.Name(), Place: "sequence numbers", What: fmt.Sprintf("they end at %d instead of %d", next, sn.next)})
	}
}

func (c *checker) count(events, bytes int64) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.report.Events += events
	c.report.RawBytes += bytes
	c.progress.EventsDone += events
}

// tell reports progress after some more segments.
func (c *checker) tell(segments int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.report.Segments += segments
	c.progress.SegmentsDone += segments
	c.progress.Elapsed = time.Since(c.started)
	if c.opts.Progress != nil {
		c.opts.Progress(c.progress)
	}
}
