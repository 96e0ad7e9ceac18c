package engine

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/cairndb/cairn/engine/catalog"
	"github.com/cairndb/cairn/engine/digest"
	"github.com/cairndb/cairn/engine/lsm"
	"github.com/cairndb/cairn/engine/memtable"
	"github.com/cairndb/cairn/engine/proof"
	"github.com/cairndb/cairn/engine/retention"
	"github.com/cairndb/cairn/wal"
)

// How segments leave.
//
//	a digest of the store covers them          crash: nothing has happened
//	the audit store tells what is to be removed  crash: it told too early; it tells again
//	one change of the catalogue: their records go, the range they had is noted, the tiles
//	that proofs of the rest need are stored, and the floor of time that decided
//	                                            crash: they are gone; their blocks are swept
//	their blocks are dropped when no snapshot has them
//	                                            crash: they are swept
//
// The tree keeps what it has: sequence numbers and proofs of what stays do not change.

const (
	// retainInterval is how often expired segments are looked for: whole segments
	// expire days apart.
	retainInterval = time.Minute

	// clockSaveInterval is how far the floor of time may be ahead of what is durable:
	// nothing is decided by it that is not made durable together with it.
	clockSaveInterval = 10 * time.Minute
)

// Retain drops everything that can go now, as the lake does by itself every minute.
func (l *Lake) Retain(ctx context.Context) (retention.Report, error) {
	done, err := l.beginWrite()
	if err != nil {
		return retention.Report{}, err
	}
	defer done()
	return l.retainPass(ctx)
}

func (l *Lake) retainPass(ctx context.Context) (retention.Report, error) {
	l.retain.Lock()
	defer l.retain.Unlock()
	if err := l.settleWaiting(ctx); err != nil {
		return retention.Report{}, err
	}
	if err := l.freezeExpired(ctx); err != nil {
		return retention.Report{}, err
	}
	r, err := retention.Pass(ctx, dropper{l}, l.retain.clock)
	if r.Segments > 0 || r.Stores > 0 {
		err = errors.Join(err, l.endLog(ctx))
		l.opts.Logger.Info("expired events dropped", "segments", r.Segments, "events", r.Events, "bytes", r.Bytes, "stores", r.Stores)
	}
	return r, errors.Join(err, l.saveClock())
}

// retainLoop drops what expires.
func (l *Lake) retainLoop() {
	tick := time.NewTicker(l.opts.RetainInterval)
	defer tick.Stop()
	ctx := l.retain.ctx
	for {
		if l.timed() || l.waiting() {
			// A pass is a call: Close waits for it before it ends what passes need.
			if _, err := l.Retain(ctx); err != nil && ctx.Err() == nil && l.haltErr() == nil {
				l.opts.Logger.Error("dropping expired events has failed, will be tried again", "error", err)
			}
		}
		select {
		case <-ctx.Done():
			return
		case <-l.haltedCh:
			return
		case <-tick.C:
		case <-l.retain.wake:
		}
	}
}

// timed reports whether anything in the lake depends on the time.
func (l *Lake) timed() bool {
	for _, s := range l.Stores() {
		if p, _ := s.policy(); p.Days != retention.Forever || p.State == retention.Pending {
			return true
		}
	}
	return false
}

// endLog lets the log files go that have events which were dropped: a log that takes
// little would keep its one file, and them in it, for years. Files that have unsealed
// events as well go when these are sealed.
func (l *Lake) endLog(ctx context.Context) error {
	if err := l.atCommit(ctx, l.log.Rotate); err != nil {
		return fmt.Errorf("ending the log file with events that were dropped: %w", l.writeErr(err))
	}
	l.logged.Lock()
	defer l.logged.Unlock()
	oldest := l.oldestLog(nil)
	l.cat.Lock()
	err := l.change(func(_ *lsm.Batch, head *catalog.Head) { head.OldestLog = oldest })
	l.cat.Unlock()
	if err != nil {
		return err
	}
	if err := l.log.Drop(wal.Position{File: oldest}); err != nil {
		return fmt.Errorf("removing log files with events that were dropped: %w", l.writeErr(err))
	}
	return nil
}

// freezeExpired has memtables sealed whose events have all expired, so that they can
// leave the disk as well. It waits for those that are being sealed, too: a pass would
// miss the segments that they become.
func (l *Lake) freezeExpired(ctx context.Context) error {
	var freeze []*Store
	var wait []*mem
	for _, s := range l.Stores() {
		h := s.tooOld()
		if h.Zero() {
			continue
		}
		all := func(v *memtable.View) bool {
			lo, hi := v.Times()
			return len(v.Rows()) > 0 && h.Of(lo, hi) == retention.All
		}
		s.mu.RLock()
		for _, m := range s.mu.frozen {
			if all(m.View()) {
				wait = append(wait, m)
			}
		}
		active := s.mu.active
		s.mu.RUnlock()
		if all(active.View()) {
			freeze, wait = append(freeze, s), append(wait, active)
		}
	}
	if len(freeze) > 0 {
		if err := l.freeze(ctx, freeze); err != nil {
			return err
		}
	}
	return l.waitSealed(ctx, wait)
}

// freezeStores has the memtables of stores sealed, and waits for it.
func (l *Lake) freezeStores(ctx context.Context, list []*Store) error {
	if err := l.freeze(ctx, list); err != nil {
		return err
	}
	var wait []*mem
	for _, s := range list {
		s.mu.RLock()
		wait = append(wait, s.mu.frozen...)
		s.mu.RUnlock()
	}
	return l.waitSealed(ctx, wait)
}

// freeze ends the active memtables of stores.
func (l *Lake) freeze(ctx context.Context, list []*Store) error {
	return l.atCommit(ctx, func() error {
		for _, s := range list {
			s.mu.Lock()
			if s.mu.active.Len() > 0 {
				s.freeze()
			}
			s.mu.Unlock()
		}
		return nil
	})
}

// unsealed reports whether a memtable is in a store's hands still.
func (l *Lake) unsealed(m *mem) bool {
	for _, s := range l.Stores() {
		s.mu.RLock()
		found := s.mu.active == m || slices.Contains(s.mu.frozen, m)
		s.mu.RUnlock()
		if found {
			return true
		}
	}
	return false
}

// waitSealed waits until these memtables are sealed; others may come meanwhile.
func (l *Lake) waitSealed(ctx context.Context, list []*mem) error {
	for {
		l.sealer.Lock()
		changed, failed := l.sealer.changed, l.sealer.err
		l.sealer.Unlock()
		waiting := slices.ContainsFunc(list, l.unsealed)
		switch {
		case !waiting:
			return nil
		case failed != nil:
			return failed
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return ctx.Err()
		case <-l.closing:
			return failf(ErrUnavailable, "the lake is closed")
		case <-l.haltedCh:
			return l.haltErr()
		}
	}
}

// clockRecord is the clock as it is now, for the catalogue. The caller holds cat.
func (l *Lake) clockRecord() *catalog.Clock {
	now := l.retain.clock.Now()
	return &catalog.Clock{Floor: max(now.Floor, l.retain.saved.Floor), Strict: max(now.Strict, l.retain.saved.Strict), NextHold: l.retain.saved.NextHold}
}

// saveClock makes the floor of time durable when it is far ahead.
func (l *Lake) saveClock() error {
	l.cat.Lock()
	defer l.cat.Unlock()
	c := l.clockRecord()
	if ahead := max(c.Floor-l.retain.saved.Floor, c.Strict-l.retain.saved.Strict); ahead < clockSaveInterval.Microseconds() || !l.timed() {
		return nil
	}
	err := l.change(func(b *lsm.Batch, _ *catalog.Head) { c.Put(b) })
	if err == nil {
		l.retain.saved = *c
	}
	return err
}

// dropper is the lake as package retention sees it. The caller holds Lake.retain.
type dropper struct{ *Lake }

// Stores implements retention.Lake.
func (d dropper) Stores() []retention.Store {
	var out []retention.Store
	for _, s := range d.Lake.Stores() {
		s.mu.RLock()
		st := retention.Store{Number: s.rec.Number, Policy: s.mu.policy, Holds: s.mu.holds}
		for _, seg := range s.mu.segments {
			st.Segments = append(st.Segments, segmentInfo(seg))
		}
		s.mu.RUnlock()
		out = append(out, st)
	}
	return out
}

func segmentInfo(seg *sealed) retention.Segment {
	c := &seg.cat
	return retention.Segment{Number: c.Number, First: c.First, End: c.End(), MinTime: c.MinTime, MaxTime: c.MaxTime, Bytes: c.StoredBytes}
}

// numbered returns the store with a number, or nil.
func (l *Lake) numbered(n uint32) *Store {
	l.stores.RLock()
	defer l.stores.RUnlock()
	return l.stores.byNumber[n]
}

// tileBuffer collects tiles that are to be stored.
type tileBuffer [][2][]byte

// Set implements tileWriter.
func (t *tileBuffer) Set(key, value []byte) { *t = append(*t, [2][]byte{key, value}) }

// Drop implements retention.Lake.
func (d dropper) Drop(ctx context.Context, store uint32, run []retention.Segment, now int64) error {
	l, s := d.Lake, d.numbered(store)
	if s == nil {
		return failf(ErrNotFound, "there is no store %d", store)
	}
	// Assert what the deletion rests on from this side, too.
	p, holds := s.policy()
	h := p.Horizon(now, holds)
	for _, seg := range run {
		if h.Of(seg.MinTime, seg.MaxTime) != retention.All {
			return failf(ErrRefused, "segment %d has events that have not expired", seg.Number)
		}
	}
	dropped := catalog.Dropped{Store: store, First: run[0].First, End: run[len(run)-1].End, At: now,
		MinTime: run[0].MinTime, MaxTime: run[0].MaxTime}
	for _, seg := range run {
		dropped.MinTime, dropped.MaxTime = min(dropped.MinTime, seg.MinTime), max(dropped.MaxTime, seg.MaxTime)
		dropped.StoredBytes += seg.Bytes
		dropped.Segments++
	}
	if last := s.lastDigest(); last == nil || last.Digest.After.Size < dropped.End {
		if _, err := s.digest(ctx, false); err != nil {
			return fmt.Errorf("making the digest that covers them: %w", err)
		}
	}
	err := l.recordAct(ctx, systemActor, Act{Name: "ExpireEvents", Store: s, Request: map[string]any{
		"firstSequenceNumber": dropped.First, "lastSequenceNumber": dropped.End - 1, "events": dropped.End - dropped.First,
		"segments": dropped.Segments, "bytes": dropped.StoredBytes,
		"oldestEvent": timeText(dropped.MinTime), "newestEvent": timeText(dropped.MaxTime),
		"retentionPeriod": p.Days, "time": timeText(now),
	}})
	if err != nil {
		return fmt.Errorf("recording what is to be removed: %w", err)
	}
	t, release, err := s.tiles(ctx)
	if err != nil {
		return err
	}
	defer release()
	sizes, err := s.digestSizes(dropped.First, dropped.End)
	if err != nil {
		return err
	}
	var tiles tileBuffer
	if err := t.keepTiles(&tiles, dropped.First, dropped.End, sizes); err != nil {
		return err
	}
	l.cat.Lock()
	defer l.cat.Unlock()
	segs, rest := s.takeRun(run)
	if segs == nil {
		return retention.ErrChanged // merged meanwhile
	}
	for _, seg := range segs {
		dropped.RawBytes += seg.cat.RawBytes
	}
	list, replaced, whole := withDropped(s.mu.dropped, dropped)
	clock := l.clockRecord()
	err = l.change(func(b *lsm.Batch, _ *catalog.Head) {
		for _, seg := range segs {
			seg.cat.Remove(b)
		}
		for i := range replaced {
			replaced[i].Remove(b)
		}
		whole.Put(b)
		trees := b.In(lsm.Trees)
		for _, kv := range tiles {
			trees.Set(kv[0], kv[1])
		}
		clock.Put(b)
	})
	if err != nil {
		return err
	}
	l.retain.saved = *clock
	s.mu.Lock()
	s.mu.segments, s.mu.dropped = rest, list
	s.mu.Unlock()
	for _, seg := range segs {
		seg.expired.Store(true)
		seg.replaced.Store(true)
		seg.release()
	}
	return nil
}

// takeRun returns the segments of a run and the store's list without them; nil when they
// are not what they were. The caller holds Lake.cat, so the list stays.
func (s *Store) takeRun(run []retention.Segment) (segs, rest []*sealed) {
	s.mu.RLock()
	defer s.mu.RUnlock()
	i := slices.IndexFunc(s.mu.segments, func(seg *sealed) bool { return seg.cat.Number == run[0].Number })
	if i < 0 || i+len(run) > len(s.mu.segments) {
		return nil, nil
	}
	for k := range run {
		if segmentInfo(s.mu.segments[i+k]) != run[k] {
			return nil, nil
		}
	}
	rest = append(append(make([]*sealed, 0, len(s.mu.segments)-len(run)), s.mu.segments[:i]...), s.mu.segments[i+len(run):]...)
	return s.mu.segments[i : i+len(run)], rest
}

// withDropped returns the list with one more range, joined with its neighbours: whole is
// the joined one, replaced are the records that it makes superfluous.
func withDropped(list []catalog.Dropped, add catalog.Dropped) (out, replaced []catalog.Dropped, whole catalog.Dropped) {
	whole = add
	for _, d := range list {
		if d.End != whole.First && d.First != whole.End {
			out = append(out, d)
			continue
		}
		replaced = append(replaced, d)
		whole.First, whole.End = min(whole.First, d.First), max(whole.End, d.End)
		whole.MinTime, whole.MaxTime = min(whole.MinTime, d.MinTime), max(whole.MaxTime, d.MaxTime)
		whole.At = max(whole.At, d.At)
		whole.Segments += d.Segments
		whole.RawBytes += d.RawBytes
		whole.StoredBytes += d.StoredBytes
	}
	out = append(out, whole)
	slices.SortFunc(out, func(a, b catalog.Dropped) int {
		if a.First < b.First {
			return -1
		}
		return 1
	})
	return out, replaced, whole
}

// digestSizes returns the tree sizes of the store's digests in a range, both ends
// included.
func (s *Store) digestSizes(from, to uint64) ([]uint64, error) {
	var sizes []uint64
	err := s.eachDigest(0, func(d *digest.Signed) error {
		if n := d.Digest.After.Size; n >= from && n <= to && (len(sizes) == 0 || sizes[len(sizes)-1] != n) {
			sizes = append(sizes, n)
		} else if n > to {
			return errStop // they only grow
		}
		return nil
	})
	if errors.Is(err, errStop) {
		err = nil
	}
	return sizes, err
}

// Remove implements retention.Lake.
func (d dropper) Remove(ctx context.Context, store uint32, now int64) error {
	l, s := d.Lake, d.numbered(store)
	if s == nil {
		return failf(ErrNotFound, "there is no store %d", store)
	}
	if p, holds := s.policy(); !p.Removable(now, len(holds)) {
		return failf(ErrRefused, "store %s is not to be removed", s.Name())
	}
	if err := l.freezeStores(ctx, []*Store{s}); err != nil {
		return err
	}
	err := l.recordAct(ctx, systemActor, Act{Name: "RemoveEventDataStore", Store: s, Request: map[string]any{"events": s.Events(), "time": timeText(now)}})
	if err != nil {
		return fmt.Errorf("recording what is to be removed: %w", err)
	}
	l.digests.Lock()
	defer l.digests.Unlock()
	l.cat.Lock()
	defer l.cat.Unlock()
	s.mu.RLock()
	segs, frozen, dropped, holds, next := s.mu.segments, len(s.mu.frozen), s.mu.dropped, s.mu.holds, s.mu.next
	s.mu.RUnlock()
	if frozen > 0 {
		return failf(ErrUnavailable, "store %s is being sealed", s.Name())
	}
	gone := catalog.Gone{Store: store, ID: s.rec.ID, Name: s.rec.Name, Events: next, At: now}
	for _, seg := range segs {
		gone.StoredBytes += seg.cat.StoredBytes
	}
	for i := range dropped {
		gone.StoredBytes += dropped[i].StoredBytes
	}
	var marks []*catalog.Mark
	if err := catalog.MarksOf(l.db, store, func(m *catalog.Mark) error { marks = append(marks, m); return nil }); err != nil {
		return l.openErr(err)
	}
	clock := l.clockRecord()
	err = l.change(func(b *lsm.Batch, _ *catalog.Head) {
		for _, seg := range segs {
			seg.cat.Remove(b)
		}
		for i := range dropped {
			dropped[i].Remove(b)
		}
		for i := range holds {
			(&catalog.Hold{Store: store, Number: holds[i].Number}).Remove(b)
		}
		for _, m := range marks {
			m.Remove(b)
		}
		policyRecord(store, retention.Policy{}).Remove(b)
		(&catalog.Selectors{Store: store}).Remove(b)
		(&catalog.End{Store: store}).Remove(b)
		l.removeViews(s, b)
		s.rec.Remove(b)
		b.In(lsm.Trees).DeletePrefix(treeKey(store, 0)[:4])
		b.In(lsm.Digests).DeletePrefix(digestKey(store, 0)[:5])
		b.In(lsm.Digests).Delete(tailKey(store))
		b.In(lsm.Insight).DeletePrefix(watchHeadKey(store))
		b.In(lsm.Insight).DeletePrefix(watchKey(store))
		(&catalog.Insight{Store: store}).Remove(b)
		gone.Put(b)
		clock.Put(b)
	})
	if err != nil {
		return err
	}
	l.retain.saved = *clock
	s.gone.Store(true)
	l.stores.Lock()
	delete(l.stores.byNumber, store)
	delete(l.stores.byName, lower(s.rec.Name))
	delete(l.stores.byID, s.id)
	l.stores.Unlock()
	l.insights.drop(store)
	l.forgetViews(s)
	l.digests.shown.Lock()
	delete(l.digests.shown.last, store)
	l.digests.shown.Unlock()
	s.mu.Lock()
	s.mu.segments, s.mu.dropped = nil, nil
	s.mu.Unlock()
	delete(l.cat.ends, store)
	l.cat.goneBytes += gone.StoredBytes
	for _, seg := range segs {
		seg.expired.Store(true)
		seg.replaced.Store(true)
		seg.release()
	}
	return nil
}

// leaf returns the leaf hash of a dropped event whose tile was kept.
func (t *storedTiles) leaf(seq uint64) (proof.Hash, error) {
	id := proof.TileID{Index: seq / proof.TileWidth}
	hashes, err := t.Tile(id, int(seq%proof.TileWidth)+1)
	if err != nil {
		return proof.Hash{}, err
	}
	return hashes[seq%proof.TileWidth], nil
}
