package engine

import (
	"context"
	"fmt"
	"math"
	"slices"
	"sync"
	"time"

	"github.com/RoaringBitmap/roaring/v2"

	"github.com/cairndb/cairn/engine/catalog"
	"github.com/cairndb/cairn/engine/event"
	"github.com/cairndb/cairn/engine/memtable"
	"github.com/cairndb/cairn/engine/retention"
	"github.com/cairndb/cairn/segment"
)

// How events expire.
//
// Package retention decides; this file hides, drop.go frees, policy.go takes requests.
//
//	hidden    from the moment an event is older than its store's period and not held: by
//	          every snapshot's horizon, so queries, lookups, records, counts agree
//	refused   when it arrives and is older than that already
//	freed     when all events of its segment have expired (drop.go)
//
// The three go by different times, which engine/retention tells: what can be taken back
// believes the wall clock, what cannot asks for evidence.
//
// A segment whose events have expired in part has its times read once; the rows that are
// left are kept until one of them expires, and every read of the segment is narrowed to
// them. Such a segment answers no counts and no bounds from its metadata.

// reasonExpired is why events that are too old are not taken.
const reasonExpired = "older than the retention period"

// retainer is the state of keeping and dropping.
type retainer struct {
	// Mutex is held from before a request is decided until it is carried out and
	// recorded. It is locked before Lake.digests; the committer never takes it.
	sync.Mutex
	clock *retention.Clock
	wake  chan struct{} // has a token when there may be something to drop
	// ctx ends the passes of the background when the lake is being closed.
	ctx    context.Context
	cancel context.CancelFunc
	// saved is the durable clock; Lake.cat guards it.
	saved catalog.Clock
}

func (r *retainer) init() {
	r.wake = make(chan struct{}, 1)
	r.ctx, r.cancel = context.WithCancel(context.Background())
}

func (r *retainer) poke() {
	select {
	case r.wake <- struct{}{}:
	default:
	}
}

// policyOf turns a record of the catalogue into a policy.
func policyOf(c catalog.Policy) (retention.Policy, error) {
	if c.Kind > math.MaxUint8 || c.Mode > math.MaxUint8 || c.State > math.MaxUint8 || c.Before > math.MaxUint8 {
		return retention.Policy{}, fmt.Errorf("policy %+v is not known to this program", c)
	}
	p := retention.Policy{Kind: retention.Kind(c.Kind), Days: c.Days, Mode: retention.Mode(c.Mode), Protected: c.Protected,
		State: retention.State(c.State), Before: retention.State(c.Before), Gone: c.Gone}
	if !p.Valid() {
		return p, fmt.Errorf("policy %+v is not one that can be decided", p)
	}
	return p, nil
}

// policyRecord is a policy as the catalogue keeps it.
func policyRecord(store uint32, p retention.Policy) *catalog.Policy {
	return &catalog.Policy{Store: store, Kind: uint32(p.Kind), Days: p.Days, Mode: uint32(p.Mode), Protected: p.Protected,
		State: uint32(p.State), Before: uint32(p.Before), Gone: p.Gone}
}

// installRetention gives the stores what the catalogue says about them.
func (r *recovery) installRetention() error {
	l := r.lake
	l.retain.saved = r.state.Clock
	kept := retention.Floor{Floor: r.state.Clock.Floor, Strict: r.state.Clock.Strict}
	l.retain.clock = retention.NewClock(kept, l.opts.Clock, l.opts.RunTime)
	for _, c := range r.state.Policies {
		l.stores.byNumber[c.Store].mu.undecided = false
		p, err := policyOf(c)
		if err != nil {
			// Not knowing the period, nothing is hidden and nothing dropped.
			if err := r.damage(&CorruptionError{Store: l.stores.byNumber[c.Store].Name(), Place: "catalogue", Err: err}); err != nil {
				return err
			}
			continue
		}
		l.stores.byNumber[c.Store].mu.policy = p
	}
	for _, h := range r.state.Holds {
		s := l.stores.byNumber[h.Store]
		s.mu.holds = append(s.mu.holds, holdOf(h))
	}
	return nil
}

func holdOf(h catalog.Hold) retention.Hold {
	return retention.Hold{Number: h.Number, Store: h.Store, From: h.From, To: h.To, Reason: h.Reason, By: h.By, At: h.At}
}

// policy returns the store's policy and holds.
func (s *Store) policy() (retention.Policy, []retention.Hold) {
	s.mu.RLock()
	defer s.mu.RUnlock()
	return s.mu.policy, s.mu.holds
}

// tooOld is the line behind which events are not taken any more.
func (s *Store) tooOld() retention.Horizon {
	p, holds := s.policy()
	return p.Horizon(s.lake.retain.clock.For(p), holds)
}

// takes says why the store takes no events, if it does not. imports may go on while
// ingestion is stopped.
func (s *Store) takes(imports bool) error {
	p, _ := s.policy()
	switch {
	case p.State == retention.Pending:
		return failf(ErrRefused, "store %s is pending deletion; restore it to use it again: nothing was kept", s.Name())
	case p.State == retention.Stopped && !imports:
		return failf(ErrRefused, "ingestion into store %s is stopped: nothing was kept", s.Name())
	}
	return nil
}

// readable says why the store cannot be read, if it cannot.
func (s *Store) readable() error {
	if p, _ := s.policy(); p.State == retention.Pending {
		return failf(ErrRefused, "store %s is pending deletion; restore it to read it", s.Name())
	}
	return nil
}

// witness takes the times of events that were stored as evidence that time has passed.
func (s *Store) witness(newest int64) {
	if p, _ := s.policy(); p.Kind != retention.Audit { // whose times are this machine's
		s.lake.retain.clock.Witness(newest)
	}
}

// shown are the rows of a partly expired segment that have not expired, while the cutoff
// is after low and not after high and the holds are the same.
type shown struct {
	sync.Mutex
	low, high int64
	held      []retention.Range
	rows      *roaring.Bitmap
}

// visible returns the rows of a segment that have not expired, nil for all; none says
// that all have.
func (sn *snapshot) visible(ctx context.Context, seg *sealed) (rows *roaring.Bitmap, none bool, err error) {
	switch sn.horizon.Of(seg.cat.MinTime, seg.cat.MaxTime) {
	case retention.None:
		return nil, false, nil
	case retention.All:
		return nil, true, nil
	}
	v := &seg.shown
	v.Lock()
	defer v.Unlock()
	cut := sn.horizon.Cutoff
	if v.rows == nil || cut <= v.low || cut > v.high || !slices.Equal(v.held, sn.horizon.Held) {
		rows := roaring.New()
		v.rows, v.low, v.high, v.held = nil, math.MinInt64, math.MaxInt64, sn.horizon.Held
		low, high := v.low, v.high
		err := seg.eachTime(ctx, func(row uint32, t int64) {
			if t < cut {
				low = max(low, t)
			} else {
				high = min(high, t)
			}
			if !sn.horizon.Expired(t) {
				rows.Add(row)
			}
		})
		if err != nil {
			return nil, false, seg.fault(fmt.Errorf("reading event times: %w", err))
		}
		rows.RunOptimize()
		v.rows, v.low, v.high = rows, low, high
	}
	// Bitmaps are only read from here on: all that use them make new ones.
	return v.rows, v.rows.IsEmpty(), nil
}

// eachTime calls fn with the event time of every row.
func (s *sealed) eachTime(ctx context.Context, fn func(row uint32, t int64)) error {
	r, err := s.reader(ctx)
	if err != nil {
		return err
	}
	for from := 0; from < r.Rows(); from += segment.BlockRows {
		if err := ctx.Err(); err != nil {
			return err
		}
		to := min(from+segment.BlockRows, r.Rows())
		times, err := timeSourceAt.read(ctx, r, segment.Range(from, to))
		if err != nil {
			return err
		}
		for i := range to - from {
			row := from + i
			if !times.IsNull(i) {
				leaf, j := times.Leaf(i)
				fn(uint32(row), leaf.I64[j])
				continue
			}
			// An aggregated event has its time elsewhere.
			t, err := recordTime(ctx, r, row)
			if err != nil {
				return err
			}
			fn(uint32(row), t)
		}
	}
	return nil
}

// recordTime reads the event time out of a record.
func recordTime(ctx context.Context, r *segment.Reader, row int) (int64, error) {
	rec, err := r.Record(ctx, row, nil)
	if err != nil {
		return 0, err
	}
	var ev event.Event
	if err := event.Parse(rec, &ev); err != nil {
		return 0, fmt.Errorf("row %d: %w", row, err)
	}
	return ev.Time, nil
}

// visibleIn returns which of a chunk's rows have not expired, nil for all.
func (sn *snapshot) visibleIn(v *memtable.View, c *memtable.Chunk) (rows *roaring.Bitmap, none bool) {
	switch sn.horizon.Of(c.MinTime, c.MaxTime) {
	case retention.None:
		return nil, false
	case retention.All:
		return nil, true
	}
	rows = roaring.New()
	for i, row := range v.Rows()[c.From:c.To] {
		if !sn.horizon.Expired(row.Time) {
			rows.Add(uint32(i))
		}
	}
	return rows, rows.IsEmpty()
}

// droppedAt returns the dropped range that has a sequence number, or nil.
func droppedAt(ranges []catalog.Dropped, seq uint64) *catalog.Dropped {
	for i := range ranges {
		if seq >= ranges[i].First && seq < ranges[i].End {
			return &ranges[i]
		}
	}
	return nil
}

// goneErr is the error of asking for an event that has left the store.
func (sn *snapshot) goneErr(seq uint64, d *catalog.Dropped) error {
	return failf(ErrNotFound, "event %d of store %s has left it: events %d to %d had expired and were dropped by %s",
		seq, sn.store.Name(), d.First, d.End-1, time.UnixMicro(d.At).UTC().Format(time.DateTime))
}

// expiredErr is the error of asking for an event that has expired.
func (sn *snapshot) expiredErr(seq uint64) error {
	return failf(ErrNotFound, "event %d of store %s has expired: it is older than the retention period", seq, sn.store.Name())
}
