package engine

import (
	"context"
	"errors"
	"fmt"
	"math"
	"sort"
	"sync"
	"sync/atomic"
	"time"

	"github.com/cairndb/cairn/engine/catalog"
	"github.com/cairndb/cairn/engine/event"
	"github.com/cairndb/cairn/engine/lsm"
	"github.com/cairndb/cairn/engine/memtable"
	"github.com/cairndb/cairn/engine/retention"
	"github.com/cairndb/cairn/index"
	"github.com/cairndb/cairn/segment"
)

// sealed is a segment of a store. It is shared by the store's list, which holds
// one reference, and by snapshots; when the last one goes and the segment was
// replaced, its blocks are dropped.
type sealed struct {
	lake  *Lake
	store *Store
	cat   catalog.Segment
	// appended says that some of its events came by Append in this session, not by
	// import: an import that is under way may not know them.
	appended bool

	bytesRead atomic.Int64 // of blocks, for EXPLAIN ANALYZE

	shown shown

	refs     atomic.Int64
	replaced atomic.Bool
	expired  atomic.Bool // replaced by nothing: its space is to be free soon

	mines   minesOf        // rows by whose they are
	derived *segment.Owner // what lookups have made of the columns
	timed   atomic.Int32   // allTimed or notAllTimed, once that is known

	groups segmentGroups // of views

	open struct {
		sync.Mutex
		reader  *segment.Reader
		index   *segmentIndex
		filters *segment.Owner // of opened pages of filters, by the IDs of their blocks
	}
}

func (l *Lake) newSealed(s *Store, c catalog.Segment) *sealed {
	seg := &sealed{lake: l, store: s, cat: c, derived: l.cache.NewOwner()}
	seg.refs.Store(1)
	return seg
}

// name is how errors call the segment.
func (s *sealed) name() string { return fmt.Sprintf("segment %d", s.cat.Number) }

// Block implements segment.BlockSource.
func (s *sealed) Block(_ context.Context, id uint32) (data []byte, release func(), err error) {
	data, release, err = s.lake.db.Block(s.cat.Number, blockPage, id)
	s.bytesRead.Add(int64(len(data)))
	return data, release, err
}

// reader returns the segment's reader, opening it when it is first needed.
func (s *sealed) reader(ctx context.Context) (*segment.Reader, error) {
	s.open.Lock()
	defer s.open.Unlock()
	if s.open.reader != nil {
		return s.open.reader, nil
	}
	r, err := segment.Open(ctx, s, segment.ReadOptions{Cache: s.lake.cache, Name: s.name(), VerifyOnce: true})
	if err != nil {
		return nil, s.fault(fmt.Errorf("opening segment %d: %w", s.cat.Number, err))
	}
	if r.Rows() != int(s.cat.Rows) {
		return nil, s.fault(fmt.Errorf("it has %d rows, the catalogue says %d", r.Rows(), s.cat.Rows))
	}
	s.open.reader = r
	return r, nil
}

// fault gives an error of reading the segment its place and kind. Errors that
// are not about stored bytes stay as they are.
func (s *sealed) fault(err error) error {
	if err == nil || errors.Is(err, ErrCorrupt) {
		return err
	}
	var damaged *segment.CorruptionError
	var index *index.CorruptError
	switch {
	case errors.As(err, &index):
		err = &CorruptionError{Store: s.store.Name(), Segment: s.cat.Number, Place: "index", Err: err}
	case errors.As(err, &damaged):
		err = &CorruptionError{Store: s.store.Name(), Segment: s.cat.Number, Place: fmt.Sprintf("block %d", damaged.Block), Err: err}
	case lsm.IsCorrupt(err), errors.Is(err, lsm.ErrNotFound), errors.Is(err, errDamagedIndex):
		err = &CorruptionError{Store: s.store.Name(), Segment: s.cat.Number, Err: err}
	default:
		return err
	}
	s.lake.opts.Logger.Error("damaged segment", "store", s.store.Name(), "segment", s.cat.Number, "error", err)
	return err
}

func (s *sealed) retain() { s.refs.Add(1) }

func (s *sealed) release() {
	if s.refs.Add(-1) > 0 {
		return
	}
	s.open.Lock()
	if s.open.reader != nil {
		s.open.reader.Close()
	}
	if s.open.filters != nil {
		s.open.filters.Drop()
	}
	s.derived.Drop()
	s.open.reader, s.open.index, s.open.filters = nil, nil, nil
	s.open.Unlock()
	s.groups.drop()
	if s.replaced.Load() {
		s.lake.garbage.add(s.cat.Number, s.expired.Load())
	}
}

// mem is a memtable with what the engine keeps about it.
type mem struct {
	*memtable.Table
	logFile uint64    // of its first event; 0 when it has none
	since   time.Time // when its first event arrived
}

// snapshot is what a store held at one moment. It must be released.
type snapshot struct {
	store    *Store
	segments []*sealed        // in order of sequence numbers
	views    []*memtable.View // none empty, in order of sequence numbers
	next     uint64
	// horizon is the line behind which events have expired, dropped what has left.
	horizon retention.Horizon
	dropped []catalog.Dropped
	once    sync.Once
}

// snapshot returns the store as it is now.
func (s *Store) snapshot() *snapshot {
	s.mu.RLock()
	defer s.mu.RUnlock()
	sn := &snapshot{store: s, segments: s.mu.segments, next: s.mu.next, dropped: s.mu.dropped}
	sn.horizon = retention.Horizon{Cutoff: math.MinInt64}
	if p := s.mu.policy; p.Days != retention.Forever {
		sn.horizon = p.Horizon(s.lake.retain.clock.Seen(), s.mu.holds)
	}
	for _, seg := range sn.segments {
		seg.retain()
	}
	for _, m := range s.mu.frozen {
		sn.views = append(sn.views, m.View())
	}
	if v := s.mu.active.View(); len(v.Rows()) > 0 {
		sn.views = append(sn.views, v)
	}
	return sn
}

func (sn *snapshot) release() {
	sn.once.Do(func() {
		for _, seg := range sn.segments {
			seg.release()
		}
	})
}

// segmentOf returns the segment that holds a sequence number, or nil.
func (sn *snapshot) segmentOf(seq uint64) *sealed {
	i := sort.Search(len(sn.segments), func(i int) bool { return sn.segments[i].cat.End() > seq })
	if i < len(sn.segments) && sn.segments[i].cat.First <= seq {
		return sn.segments[i]
	}
	return nil
}

// viewOf returns the memtable view that holds a sequence number, or nil.
func (sn *snapshot) viewOf(seq uint64) *memtable.View {
	for _, v := range sn.views {
		if seq >= v.First() && seq-v.First() < uint64(len(v.Rows())) {
			return v
		}
	}
	return nil
}

// record returns the exact bytes of an event.
func (sn *snapshot) record(ctx context.Context, seq uint64) ([]byte, error) {
	if seg := sn.segmentOf(seq); seg != nil {
		r, err := seg.reader(ctx)
		if err != nil {
			return nil, err
		}
		rec, err := r.Record(ctx, int(seq-seg.cat.First), nil)
		if err == nil && sn.horizon.Of(seg.cat.MinTime, seg.cat.MaxTime) != retention.None {
			var ev event.Event
			if err = event.Parse(rec, &ev); err == nil && sn.horizon.Expired(ev.Time) {
				return nil, sn.expiredErr(seq)
			}
		}
		if err != nil {
			return nil, seg.fault(fmt.Errorf("reading record %d: %w", seq, err))
		}
		return rec, nil
	}
	if v := sn.viewOf(seq); v != nil {
		if sn.horizon.Expired(v.Rows()[seq-v.First()].Time) {
			return nil, sn.expiredErr(seq)
		}
		return append([]byte(nil), v.Rows()[seq-v.First()].Raw...), nil
	}
	if d := droppedAt(sn.dropped, seq); d != nil {
		return nil, sn.goneErr(seq, d)
	}
	return nil, failf(ErrNotFound, "store %s has no record %d: it %s", sn.store.Name(), seq, numbersOf(sn.next))
}

// numbersOf says which sequence numbers a store of n events has.
func numbersOf(n uint64) string {
	switch n {
	case 0:
		return "has no events"
	case 1:
		return "has one event, number 0"
	}
	return fmt.Sprintf("has the numbers 0 to %d", n-1)
}
