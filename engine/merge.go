package engine

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/cairndb/cairn/engine/catalog"
	"github.com/cairndb/cairn/engine/lsm"
	"github.com/cairndb/cairn/engine/retention"
	"github.com/cairndb/cairn/segment"
)

const (
	// mergeFanIn is how many neighbours of similar size are merged at once while
	// more may follow: each event is then rewritten about once per factor of eight
	// in size, and a store of hourly crumbs keeps a few dozen small segments.
	mergeFanIn = 8

	// mergeSimilar is how much larger than their average the largest of them may
	// be: merging a large segment with crumbs would rewrite it for little.
	mergeSimilar = 3

	// mergeInterval is how often the merger looks without having been told to.
	mergeInterval = 10 * time.Second

	// mergeRests is how many times as long as it has worked the merger rests while the lake is being
	// asked or appended to: on the two cores of a small machine a tenth of one costs those who wait for
	// answers a twentieth. An event is read and written again in some 40 µs, so that even then 2,500 a second
	// are merged, more than a store of hourly segments of a busy account makes.
	mergeRests = 9

	// mergeHaste is the number of small segments of a store, less than a mergeFanIn-th of a full one,
	// from which on the merger rests only as long as it works: so many cost every query more than merging does.
	mergeHaste = 128

	// mergePiece is how long the merger works before it looks whether it is in the way: a fraction of what
	// people notice.
	mergePiece = 5 * time.Millisecond

	// mergeRestMax bounds one rest. Encoding a full segment is a piece of work of about a second that is not
	// interrupted; on a machine on which it took a minute, rest would not help.
	mergeRestMax = 10 * time.Second
)

// merger is the state of the goroutine that merges small segments.
type merger struct {
	wake chan struct{}
	// bad are segments that could not be read; only mergeLoop uses it.
	bad map[uint64]bool
}

func (m *merger) init() {
	m.wake = make(chan struct{}, 1)
	m.bad = make(map[uint64]bool)
}

func (m *merger) poke() {
	select {
	case m.wake <- struct{}{}:
	default:
	}
}

// A mergePace has the merger rest in proportion to its work while others use the lake.
type mergePace struct {
	rests int
	// used counts the uses of the lake that have begun, and says whether one is going on.
	used func() (begun uint64, now bool)
	now  func() time.Time
	// wait waits and reports false when the lake is being closed meanwhile.
	wait func(time.Duration) bool

	since time.Time // when the piece of work began
	begun uint64    // how many uses there were then
}

// mergePace returns the pace of a merge in a store that begins now.
func (l *Lake) mergePace(s *Store) *mergePace {
	rests := mergeRests
	if s.crumbs() >= mergeHaste {
		rests = 1
	}
	p := &mergePace{rests: rests, used: l.used, now: time.Now, wait: func(d time.Duration) bool {
		t := time.NewTimer(d)
		defer t.Stop()
		select {
		case <-t.C:
			return true
		case <-l.closing:
			return false
		}
	}}
	p.begin()
	return p
}

func (p *mergePace) begin() {
	p.since = p.now()
	p.begun, _ = p.used()
}

// rest is called between pieces of work. It rests if the piece was long enough and the lake was used during it, and
// reports false when the lake is being closed.
func (p *mergePace) rest() bool {
	worked := p.now().Sub(p.since)
	if worked < mergePiece {
		return true
	}
	if begun, now := p.used(); (now || begun != p.begun) && !p.wait(min(worked*time.Duration(p.rests), mergeRestMax)) {
		return false
	}
	p.begin()
	return true
}

// used counts the queries, lookups and appends that have begun, and says whether a query's result is being read.
func (l *Lake) used() (begun uint64, now bool) {
	l.rows.Lock()
	defer l.rows.Unlock()
	return l.uses.Load(), len(l.rows.open) > 0
}

// crumbs counts the segments of a store that are much smaller than full ones.
func (s *Store) crumbs() (n int) {
	s.mu.RLock()
	defer s.mu.RUnlock()
	for _, seg := range s.mu.segments {
		if int(seg.cat.Rows) < s.lake.opts.SegmentRows/mergeFanIn {
			n++
		}
	}
	return n
}

// mergeLoop merges small segments of neighbouring sequence numbers. Sequence
// numbers do not change by it.
func (l *Lake) mergeLoop() {
	tick := time.NewTicker(mergeInterval)
	defer tick.Stop()
	var sh *shredder
	for {
		select {
		case <-l.closing:
			return
		case <-l.haltedCh:
			return
		case <-tick.C:
		case <-l.merger.wake:
		}
		if !l.importing.TryLock() {
			continue // an import needs all cores, and will leave neighbours to merge
		}
		l.importing.Unlock()
		for _, s := range l.Stores() {
			for {
				run := l.mergeCandidates(s)
				if run == nil {
					break
				}
				if sh == nil {
					sh = newShredder(nil)
				}
				if err := l.merge(sh, s, run); err != nil {
					l.opts.Logger.Error("merging segments has failed", "store", s.Name(), "error", err)
					for _, seg := range run {
						l.merger.bad[seg.cat.Number] = true
					}
				}
				for _, seg := range run {
					seg.release()
				}
				select {
				case <-l.closing:
					return
				case <-l.haltedCh:
					return
				default:
				}
			}
		}
		if sh != nil {
			l.views.filler.poke()
		}
		sh = nil // its buffers are large
	}
}

// mergeCandidates picks a run of neighbours to merge and retains them; nil when
// there is none.
func (l *Lake) mergeCandidates(s *Store) []*sealed {
	s.mu.RLock()
	defer s.mu.RUnlock()
	// Events far apart are not brought together: a segment leaves with its newest event.
	apart := s.mu.policy.SpanMax().Microseconds()
	// What has expired is to leave, not to be written again; and a pass that is about to
	// drop it must find it as it was.
	old := s.mu.policy.Horizon(l.retain.clock.For(s.mu.policy), s.mu.holds)
	from, to := chooseRun(len(s.mu.segments), l.opts.SegmentRows, apart, func(i int) candidate {
		c := &s.mu.segments[i].cat
		return candidate{c.First, int(c.Rows), c.MinTime, c.MaxTime, !l.merger.bad[c.Number] && old.Of(c.MinTime, c.MaxTime) != retention.All}
	})
	if to == from {
		return nil
	}
	run := append([]*sealed(nil), s.mu.segments[from:to]...)
	for _, seg := range run {
		seg.retain()
	}
	return run
}

// candidate is a segment that may be merged.
type candidate struct {
	first    uint64
	rows     int
	min, max int64 // event times
	ok       bool
}

// chooseRun picks which of n segments, described by at, to merge into one of at
// most limit rows: from ≤ i < to; from = to when none. Unless apart is 0, the event times
// of a run are not further apart than that, or than those of one of its segments.
//
//   - mergeFanIn neighbours of similar size, the smallest such run first; or
//   - a closed run: two or more neighbours that fit into one segment and that can
//     never grow, because what stands on either side does not fit as well. The
//     last segments of a store are never closed: more will follow.
func chooseRun(n, limit int, apart int64, at func(i int) candidate) (from, to int) {
	segs := make([]candidate, n)
	for i := range segs {
		segs[i] = at(i)
	}
	near := func(from, to int) bool {
		low, high, widest := segs[from].min, segs[from].max, apart
		for _, s := range segs[from:to] {
			low, high, widest = min(low, s.min), max(high, s.max), max(widest, s.max-s.min)
		}
		return apart == 0 || high-low <= widest
	}
	adjacent := func(i int) bool { // i follows i-1 without a gap
		return i > 0 && segs[i].ok && segs[i-1].ok && segs[i-1].first+uint64(segs[i-1].rows) == segs[i].first
	}
	best := 0
	for i := 0; i+mergeFanIn <= n; i++ {
		sum, largest, ok := 0, 0, segs[i].ok
		for j := i; j < i+mergeFanIn; j++ {
			ok = ok && (j == i || adjacent(j))
			sum += segs[j].rows
			largest = max(largest, segs[j].rows)
		}
		if ok && sum <= limit && near(i, i+mergeFanIn) && largest*mergeFanIn <= mergeSimilar*sum && (best == 0 || sum < best) {
			best, from, to = sum, i, i+mergeFanIn
		}
	}
	if best > 0 {
		return from, to
	}
	for i := 0; i < n; {
		sum, j := segs[i].rows, i+1
		for j < n && adjacent(j) && sum+segs[j].rows <= limit && near(i, j+1) {
			sum += segs[j].rows
			j++
		}
		if j-i >= 2 && j < n {
			return i, j
		}
		i = j
	}
	return 0, 0
}

// merge replaces a run of segments by one.
//
//	the new segment is written and ingested     crash: it is swept
//	the catalogue names it instead of the old   crash: the old ones are swept
//	the old blocks go when no snapshot has them
func (l *Lake) merge(sh *shredder, s *Store, run []*sealed) error {
	ctx := context.Background()
	sh.reset()
	closed := failf(ErrUnavailable, "the lake is closed")
	pace := l.mergePace(s)
	for _, seg := range run {
		r, err := seg.reader(ctx)
		if err != nil {
			return err
		}
		err = r.Records(ctx, segment.Range(0, r.Rows()), func(row int, rec []byte) error {
			n, err := sh.add(rec)
			if err == nil && n != len(rec) {
				err = fmt.Errorf("the record ends at byte %d of %d", n, len(rec))
			}
			if err != nil {
				return fmt.Errorf("shredding event %d: %w", seg.cat.First+uint64(row), err)
			}
			if !pace.rest() {
				return closed
			}
			return nil
		})
		if err == closed {
			return err
		}
		if err != nil {
			return seg.fault(err)
		}
		select {
		case <-l.closing:
			return closed
		default:
		}
	}
	b, err := sh.finish(!l.opts.NoBitmaps)
	if err != nil {
		return err
	}
	if !pace.rest() {
		return closed
	}
	number := l.segmentNumber()
	table, err := l.db.WriteTable(number, b.blocks)
	if err != nil {
		return l.writeErr(err)
	}
	if err := l.db.Ingest(ctx, table); err != nil {
		l.db.Discard(table)
		return l.writeErr(err)
	}
	c := b.cat
	c.Number, c.Store, c.First = number, s.rec.Number, run[0].cat.First
	if last := run[len(run)-1]; c.End() != last.cat.End() {
		l.drop(number)
		return fmt.Errorf("merging segments %d to %d gives sequence numbers up to %d instead of %d", run[0].cat.Number, last.cat.Number, c.End(), last.cat.End())
	}
	l.cat.Lock()
	defer l.cat.Unlock()
	if !s.has(run) {
		l.drop(number)
		return nil // they have expired and left meanwhile
	}
	err = l.change(func(b *lsm.Batch, head *catalog.Head) {
		for _, seg := range run {
			seg.cat.Remove(b)
		}
		c.Put(b)
	})
	if err != nil {
		l.drop(number)
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	var list []*sealed
	for _, seg := range s.mu.segments {
		if seg.cat.First < c.First || seg.cat.First >= c.End() {
			list = append(list, seg)
		}
	}
	merged := l.newSealed(s, c)
	for _, seg := range run {
		merged.appended = merged.appended || seg.appended
	}
	s.mu.segments = withSegment(list, merged)
	for _, seg := range run {
		seg.replaced.Store(true)
		seg.release()
	}
	return nil
}

// has reports whether all segments of a run are still in the store.
func (s *Store) has(run []*sealed) bool {
	s.mu.RLock()
	defer s.mu.RUnlock()
	for _, seg := range run {
		if !slices.Contains(s.mu.segments, seg) {
			return false
		}
	}
	return true
}
