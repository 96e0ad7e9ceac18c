package engine

import (
	"context"
	"errors"
	"fmt"
	"io"
	"sort"
	"sync"
	"sync/atomic"
	"time"

	"github.com/cairndb/cairn/engine/lsm"
	"github.com/cairndb/cairn/engine/retention"
	"github.com/cairndb/cairn/segment/column"
	"github.com/cairndb/cairn/sql"
	"github.com/cairndb/cairn/sql/plan"
	"github.com/cairndb/cairn/sql/sqlerr"
)

// How the groups of views are kept.
//
// One goroutine looks for segments without the partials of their store's views, whenever
// a segment was sealed or merged, a view was made or dropped, and now and then. It takes
// one segment at a time, newest first, makes all partials that it lacks with one worker, and
// adds them as one sorted table:
//
//	the groups are made from the segment's rows     crash: they are made again
//	heads and groups are written into a table       crash: the table file is swept
//	the table is ingested, into the segment's range crash: they are there wholly or not
//
// A table of its own leaves the disk as a whole when the segment's range is deleted, and
// nothing of it is ever compacted. A segment that is dropped or merged meanwhile is held until
// the table is there, and takes it along. While calls are running the goroutine rests as long as it works. An
// import, which needs all cores, does the same at its end with all workers, and is done when
// that is.

const (
	// fillInterval is how often segments without partials are looked for unasked.
	fillInterval = 10 * time.Second

	// fillRestMax bounds how long the goroutine stands back for calls at once.
	fillRestMax = 200 * time.Millisecond

	// fillRetry is how long it waits after a failure, such as a full disk.
	fillRetry = 5 * time.Second
)

// viewFiller is the state of the goroutine that makes partials.
type viewFiller struct {
	wake   chan struct{}
	ctx    context.Context
	cancel context.CancelFunc
}

func (f *viewFiller) init() {
	f.wake = make(chan struct{}, 1)
	f.ctx, f.cancel = context.WithCancel(context.Background())
}

func (f *viewFiller) poke() {
	select {
	case f.wake <- struct{}{}:
	default:
	}
}

// fillLoop makes the partials that are missing.
func (l *Lake) fillLoop() {
	f := &l.views.filler
	tick := time.NewTicker(fillInterval)
	defer tick.Stop()
	for {
		wait := time.Duration(0)
		if l.importing.TryLock() {
			l.importing.Unlock()
			for _, s := range l.Stores() {
				if err := l.fillStore(f.ctx, s, 1, true, nil); err != nil && f.ctx.Err() == nil && l.haltErr() == nil {
					l.opts.Logger.Error("keeping views has failed, will be tried again", "store", s.Name(), "error", err)
					wait = fillRetry
				}
			}
		}
		if wait > 0 {
			select {
			case <-f.ctx.Done():
			case <-time.After(wait):
			}
		}
		select {
		case <-f.ctx.Done():
			return
		case <-l.haltedCh:
			return
		case <-tick.C:
		case <-f.wake:
		}
	}
}

// FillProgress tells how far views are kept.
type FillProgress struct{ Segments, Done int }

// FillViews makes the groups that are missing for the views of a store, by name or ID,
// all stores when "", and returns when they are there. progress may be nil; it is called by
// one goroutine at a time.
func (l *Lake) FillViews(ctx context.Context, store string, progress func(FillProgress)) error {
	done, err := l.beginWrite()
	if err != nil {
		return err
	}
	defer done()
	list := l.Stores()
	if store != "" {
		s, err := l.Store(store)
		if err != nil {
			return err
		}
		list = []*Store{s}
	}
	for _, s := range list {
		if err := l.fillStore(ctx, s, l.opts.Workers, false, progress); err != nil {
			return fmt.Errorf("keeping the views of store %s: %w", s.Name(), err)
		}
	}
	return nil
}

// fillStore makes the partials that the segments of a store lack. With rest it stands
// back for calls.
func (l *Lake) fillStore(ctx context.Context, s *Store, workers int, rest bool, progress func(FillProgress)) error {
	if l.opts.NoViews {
		return nil
	}
	todo, err := l.unfilled(ctx, s)
	if err != nil {
		return err
	}
	if len(todo) == 0 {
		return nil
	}
	p := FillProgress{Segments: len(todo)}
	var mu sync.Mutex
	var next atomic.Int64
	var wg sync.WaitGroup
	var errs []error
	for range min(workers, len(todo)) {
		wg.Add(1)
		go func() {
			defer wg.Done()
			for {
				i := int(next.Add(1)) - 1
				if i >= len(todo) || ctx.Err() != nil {
					return
				}
				began := time.Now()
				var err error
				if s.retain(todo[i]) {
					err = l.fillSegment(ctx, todo[i])
					todo[i].release()
				}
				mu.Lock()
				if err != nil {
					errs = append(errs, err)
					next.Store(int64(len(todo)))
				}
				p.Done++
				if progress != nil {
					progress(p)
				}
				mu.Unlock()
				if rest && l.busy() {
					select {
					case <-ctx.Done():
					case <-time.After(min(time.Since(began), fillRestMax)):
					}
				}
			}
		}()
	}
	wg.Wait()
	if err := ctx.Err(); err != nil {
		return err
	}
	return errors.Join(errs...)
}

// unfilled returns the segments of a store that lack partials, newest first. They are not
// held: what leaves meanwhile is to leave.
func (l *Lake) unfilled(ctx context.Context, s *Store) ([]*sealed, error) {
	s.mu.RLock()
	segments := s.mu.segments
	old := s.mu.policy.Horizon(l.retain.clock.For(s.mu.policy), s.mu.holds)
	s.mu.RUnlock()
	var todo []*sealed
	for i := len(segments) - 1; i >= 0; i-- {
		seg := segments[i]
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		if old.Of(seg.cat.MinTime, seg.cat.MaxTime) == retention.All || !s.retain(seg) {
			continue
		}
		lacks, err := l.lacksGroups(seg)
		seg.release()
		if err != nil {
			l.opts.Logger.Warn("the groups of a segment cannot be looked at", "store", s.Name(), "segment", seg.cat.Number, "error", err)
		} else if lacks {
			todo = append(todo, seg)
		}
	}
	return todo, nil
}

// retain holds a segment if it is still one of the store's.
func (s *Store) retain(seg *sealed) bool {
	s.mu.RLock()
	defer s.mu.RUnlock()
	i := sort.Search(len(s.mu.segments), func(i int) bool { return s.mu.segments[i].cat.First >= seg.cat.First })
	if i == len(s.mu.segments) || s.mu.segments[i] != seg {
		return false
	}
	seg.retain()
	return true
}

// busy reports whether calls are running.
func (l *Lake) busy() bool {
	l.calls.Lock()
	defer l.calls.Unlock()
	return l.calls.running > 0
}

// lacksGroups reports whether a segment has not exactly the partials that it should.
func (l *Lake) lacksGroups(seg *sealed) (bool, error) {
	g := &seg.groups
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.bad {
		return false, nil
	}
	if err := g.load(seg); err != nil {
		return false, err
	}
	make, drop := g.wanting(seg.store)
	return len(make)+len(drop) > 0, nil
}

// wanting returns the views whose partials are missing, and the numbers of partials that
// nobody asks for. The caller holds mu.
func (g *segmentGroups) wanting(s *Store) (missing []*matview, stale []uint32) {
	kept := s.keptViews()
	wanted := make(map[uint32]bool, len(kept))
	for _, v := range kept {
		wanted[v.plan.Number] = true
		if h, ok := g.heads[v.plan.Number]; !ok || h.print != v.plan.Print {
			missing = append(missing, v)
		}
	}
	for n := range g.heads {
		if !wanted[n] {
			stale = append(stale, n)
		}
	}
	return missing, stale
}

// fillSegment makes the partials that a segment lacks.
func (l *Lake) fillSegment(ctx context.Context, seg *sealed) error {
	g := &seg.groups
	g.making.Lock()
	defer g.making.Unlock()
	g.mu.Lock()
	if err := g.load(seg); err != nil {
		g.mu.Unlock()
		return err
	}
	missing, stale := g.wanting(seg.store)
	g.mu.Unlock()
	if len(missing)+len(stale) == 0 || g.isBad() {
		return nil
	}
	if err := l.checkSpace(); err != nil {
		return err
	}
	defer seg.forgetUnlessOpen()()
	var headers, groups []lsm.Block
	heads := make(map[uint32]partialHead, len(missing))
	maker, err := l.newPartialMaker(ctx, seg, missing)
	if err != nil {
		return err
	}
	for _, v := range missing {
		data, h, err := maker.make(ctx, v)
		if err != nil {
			if errors.Is(err, ErrCorrupt) {
				// Queries that come to it tell; the other segments can be kept.
				g.mu.Lock()
				g.bad = true
				g.mu.Unlock()
				return nil
			}
			return fmt.Errorf("grouping segment %d for view %s: %w", seg.cat.Number, v.rec.Name, err)
		}
		headers = append(headers, lsm.Block{Kind: blockViewHead, ID: v.plan.Number, Data: encodeHead(seg.cat.Number, v.plan.Number, h)})
		if h.reason == "" {
			groups = append(groups, lsm.Block{Kind: blockView, ID: v.plan.Number, Data: data})
		}
		heads[v.plan.Number] = h
	}
	if len(stale) > 0 {
		b := l.db.Batch()
		for _, n := range stale {
			b.DeleteBlock(seg.cat.Number, blockViewHead, n)
			b.DeleteBlock(seg.cat.Number, blockView, n)
		}
		// A crash before this is durable leaves what is looked for at the next opening.
		if err := b.Commit(); err != nil {
			return l.writeErr(err)
		}
	}
	if len(headers) > 0 {
		table, err := l.db.WriteTable(seg.cat.Number, append(headers, groups...))
		if err != nil {
			return l.writeErr(err)
		}
		// A crash leaves the partials of a segment all or none.
		if err := l.db.Ingest(ctx, table); err != nil {
			l.db.Discard(table)
			return l.writeErr(err)
		}
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	for n, h := range heads {
		g.heads[n] = h
	}
	for _, n := range stale {
		delete(g.heads, n)
	}
	return nil
}

// forgetUnlessOpen returns a function that gives up the columns which were read meanwhile, if
// nobody had read the segment before: a segment that was just written is grouped once, and an
// import would fill the cache with what nobody has asked for.
func (s *sealed) forgetUnlessOpen() func() {
	s.open.Lock()
	defer s.open.Unlock()
	if s.open.reader != nil {
		return func() {}
	}
	return func() {
		s.open.Lock()
		defer s.open.Unlock()
		if s.open.reader != nil {
			s.open.reader.Forget()
		}
	}
}

func (g *segmentGroups) isBad() bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.bad
}

// partialMaker groups the rows of a segment for some views.
type partialMaker struct {
	lake *Lake
	seg  *sealed
	// counting are the views that only count, whose groups are made of columns.
	counting map[*matview]plan.CountingView
	columns  *countingColumns
}

func (l *Lake) newPartialMaker(ctx context.Context, seg *sealed, views []*matview) (*partialMaker, error) {
	m := &partialMaker{lake: l, seg: seg}
	var err error
	m.counting, m.columns, err = countingViews(ctx, seg, views)
	return m, err
}

// make groups the rows for a view. A segment whose rows make the query fail, or have too many
// groups, gets a head that says so.
func (m *partialMaker) make(ctx context.Context, v *matview) (data []byte, h partialHead, err error) {
	seg, p := m.seg, v.plan
	var t *groupTable
	if d, ok := m.counting[v]; ok {
		t, err = m.columns.group(ctx, p, d)
	}
	switch {
	case err != nil:
	case t != nil:
		data, h, err = sealGroups(seg.cat.Number, p.Number, p.Print, t)
	default:
		w := &partialWriter{}
		if err = m.lake.eachGroup(ctx, seg, p, w.add); err == nil {
			data, h, err = w.finish(seg.cat.Number, p.Number, p.Print, p.Order())
		}
	}
	var failed *sqlerr.Error
	switch {
	case err == nil:
		return data, h, nil
	case ctx.Err() != nil:
		return nil, h, ctx.Err()
	case errors.As(err, &failed) && failed.Code != sqlerr.QueryCanceled && failed.Code != sqlerr.Internal, errors.Is(err, errPartialTooLarge):
		return nil, partialHead{print: p.Print, reason: err.Error()}, nil
	}
	return nil, h, err
}

// eachGroup gives the groups of a view for the rows of a segment.
func (l *Lake) eachGroup(ctx context.Context, seg *sealed, v *sql.View, fn func(*column.Batch) error) error {
	opt := sql.Options{Memory: l.opts.QueryBytes, Workers: 1, Turns: l.turns}
	if l.opts.QueryDisk > 0 && !l.opts.ReadOnly {
		opt.Files, opt.Disk = l.temp, l.opts.QueryDisk
	}
	rows, err := sql.Groups(ctx, v, wholeSegment(seg), opt)
	if err != nil {
		return err
	}
	defer rows.Close()
	for {
		b, err := rows.Next()
		if err == io.EOF {
			return nil
		}
		if err == nil {
			err = fn(b)
		}
		if err != nil {
			return err
		}
	}
}
