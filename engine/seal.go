package engine

import (
	"context"
	"errors"
	"fmt"
	"sort"
	"sync"
	"time"

	"github.com/cairndb/cairn/engine/catalog"
	"github.com/cairndb/cairn/engine/lsm"
	"github.com/cairndb/cairn/wal"
)

// sealRetry is how long the sealer waits after a failure, such as a full disk,
// before it tries again.
const sealRetry = time.Second

// sealer is the state of the goroutine that turns full memtables into segments.
type sealer struct {
	sync.Mutex
	waiting int           // frozen memtables
	err     error         // of the last attempt
	changed chan struct{} // closed and replaced at every change
	wake    chan struct{} // has a token when there may be something to do
}

func (s *sealer) init() {
	s.changed = make(chan struct{})
	s.wake = make(chan struct{}, 1)
}

// add tells of n more frozen memtables.
func (s *sealer) add(n int) {
	s.Lock()
	s.waiting += n
	s.Unlock()
	if n > 0 {
		s.poke()
	}
}

func (s *sealer) poke() {
	select {
	case s.wake <- struct{}{}:
	default:
	}
}

// finished tells of the outcome of one sealing.
func (s *sealer) finished(err error) {
	s.Lock()
	defer s.Unlock()
	s.err = err
	if err == nil {
		s.waiting--
	}
	close(s.changed)
	s.changed = make(chan struct{})
}

// waitForRoom waits while too many memtables wait for sealing. When sealing
// fails, its error is returned instead: appends are refused until it works.
func (s *sealer) waitForRoom(l *Lake) error {
	for {
		s.Lock()
		waiting, err, changed := s.waiting, s.err, s.changed
		s.Unlock()
		if waiting <= frozenMax {
			return nil
		}
		if err != nil {
			return fmt.Errorf("no more events fit into memory, and sealing them fails: %w", err)
		}
		select {
		case <-changed:
		case <-l.closing:
			return failf(ErrUnavailable, "the lake is closed")
		case <-l.haltedCh:
			return l.haltErr()
		}
	}
}

// sealLoop seals frozen memtables, oldest first, and freezes those whose time
// has come.
func (l *Lake) sealLoop() {
	tick := time.NewTicker(l.ageInterval())
	defer tick.Stop()
	sh := newShredder(nil)
	for {
		s, m := l.nextFrozen()
		if m == nil {
			select {
			case <-l.closing:
				return
			case <-tick.C:
				l.freezeOld()
			case <-l.sealer.wake:
			}
			continue
		}
		select {
		case <-l.closing:
			return
		case <-l.haltedCh:
			return // what is unsealed stays in the log
		default:
		}
		err := l.seal(sh, s, m)
		l.sealer.finished(err)
		if err == nil {
			l.merger.poke()
			l.views.filler.poke()
			continue
		}
		l.opts.Logger.Error("sealing events has failed, will be tried again", "store", s.Name(), "error", err)
		select {
		case <-l.closing:
			return
		case <-time.After(sealRetry):
		}
	}
}

// ageInterval is how often ages are looked at: often enough to be a small part
// of the age, and not so often that an idle lake keeps a machine awake.
func (l *Lake) ageInterval() time.Duration {
	if l.opts.MemtableAge < 0 {
		return time.Hour
	}
	return min(max(l.opts.MemtableAge/8, 10*time.Millisecond), time.Minute)
}

// freezeOld freezes memtables whose first event is old enough.
func (l *Lake) freezeOld() {
	if l.opts.MemtableAge < 0 {
		return
	}
	task := func() error {
		now := l.opts.Clock()
		for _, s := range l.Stores() {
			if m := s.mu.active; m.Len() > 0 && now.Sub(m.since) >= l.opts.MemtableAge {
				s.mu.Lock()
				s.freeze()
				s.mu.Unlock()
			}
		}
		return nil
	}
	// Asked for without waiting: this goroutine is the one that the committer may
	// be waiting for.
	select {
	case l.commits <- &commitRequest{ctx: context.Background(), task: task, done: make(chan struct{})}:
	default:
	}
}

// nextFrozen returns a memtable to be sealed, nil when there is none.
func (l *Lake) nextFrozen() (*Store, *mem) {
	for _, s := range l.Stores() {
		s.mu.RLock()
		frozen := s.mu.frozen
		s.mu.RUnlock()
		if len(frozen) > 0 {
			return s, frozen[0]
		}
	}
	return nil, nil
}

// seal turns a frozen memtable into a segment.
//
//	blocks are written into a table of their own     crash: the table file is swept
//	the table is ingested                            crash: the segment is swept
//	the catalogue names the segment                  crash: the log repeats its events, the
//	                                                 catalogue says that they are sealed
//	log files below all unsealed events are removed
func (l *Lake) seal(sh *shredder, s *Store, m *mem) error {
	sh.reset()
	rows := m.View().Rows()
	for i := range rows {
		if err := sh.put(&rows[i]); err != nil {
			return fmt.Errorf("shredding event %d: %w", m.First()+uint64(i), err)
		}
	}
	b, err := sh.finish(!l.opts.NoBitmaps)
	if err != nil {
		return err
	}
	number := l.segmentNumber()
	table, err := l.db.WriteTable(number, b.blocks)
	if err != nil {
		return l.writeErr(err)
	}
	if err := l.db.Ingest(context.Background(), table); err != nil {
		l.db.Discard(table)
		return l.writeErr(err)
	}
	c := b.cat
	c.Number, c.Store, c.First = number, s.rec.Number, m.First()

	l.logged.Lock()
	defer l.logged.Unlock()
	oldest := l.oldestLog(m)
	l.cat.Lock()
	var stored func()
	err = l.change(func(b *lsm.Batch, head *catalog.Head) {
		head.OldestLog = oldest
		c.Put(b)
		stored = s.tree.store(s.rec.Number, b.In(lsm.Trees))
	})
	if err == nil {
		stored()
		seg := l.newSealed(s, c)
		seg.appended = true
		s.mu.Lock()
		s.mu.segments = withSegment(s.mu.segments, seg)
		s.mu.frozen = append([]*mem(nil), s.mu.frozen[1:]...)
		s.mu.Unlock()
	}
	l.cat.Unlock()
	if err != nil {
		l.drop(number)
		return err
	}
	m.Release()
	if err := l.log.Drop(wal.Position{File: oldest}); err != nil && !errors.Is(err, wal.ErrClosed) {
		l.opts.Logger.Warn("old log files stay for now", "error", err)
	}
	return nil
}

// oldestLog returns the oldest log file with events that are in no segment,
// those of sealing aside. The caller holds logged.
func (l *Lake) oldestLog(sealing *mem) uint64 {
	oldest := l.log.End().File
	for _, s := range l.Stores() {
		s.mu.RLock()
		for _, m := range append([]*mem{s.mu.active}, s.mu.frozen...) {
			if m != sealing && m.logFile != 0 {
				oldest = min(oldest, m.logFile)
			}
		}
		s.mu.RUnlock()
	}
	return oldest
}

// withSegment returns a copy of the list with one more segment, in order.
func withSegment(list []*sealed, add *sealed) []*sealed {
	i := sort.Search(len(list), func(i int) bool { return list[i].cat.First > add.cat.First })
	out := make([]*sealed, 0, len(list)+1)
	out = append(out, list[:i]...)
	out = append(out, add)
	return append(out, list[i:]...)
}

// garbage is the list of segments that nobody uses any more.
type garbage struct {
	sync.Mutex
	numbers []uint64
	flush   bool // the space of one of them is to be free soon
	wake    chan struct{}
}

func (g *garbage) init() { g.wake = make(chan struct{}, 1) }

// drop has the blocks of a segment removed in the background. What is not
// removed when the lake is closed is swept at the next opening.
func (l *Lake) drop(number uint64) { l.garbage.add(number, false) }

// add takes a segment; with flush its space is to be free soon.
func (g *garbage) add(number uint64, flush bool) {
	g.Lock()
	g.numbers = append(g.numbers, number)
	g.flush = g.flush || flush
	g.Unlock()
	select {
	case g.wake <- struct{}{}:
	default:
	}
}

// collectLoop removes the blocks of dropped segments.
func (l *Lake) collectLoop() {
	for {
		select {
		case <-l.closing:
			return
		case <-l.garbage.wake:
		}
		l.garbage.Lock()
		numbers := l.garbage.numbers
		l.garbage.numbers = nil
		flush := l.garbage.flush
		l.garbage.flush = false
		l.garbage.Unlock()
		b := l.db.Batch()
		for _, n := range numbers {
			b.DropSegment(n)
		}
		err := b.Commit()
		if err == nil && flush {
			// The files of a deleted range go when its deletion is in a table, and not
			// before: without this, whenever the catalogue has filled a memtable.
			err = l.db.Flush()
		}
		if err != nil {
			l.opts.Logger.Warn("segments out of use stay until the next opening", "error", l.writeErr(err))
		}
	}
}
