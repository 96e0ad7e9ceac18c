package engine

import (
	"context"
	"errors"
	"sync/atomic"
	"time"
)

// What a lake does about insights by itself while it is open: every InsightInterval it counts the events that have come,
// and writes the records that have become due. So a notice of what is unusual comes within the interval of the events that
// make it so, and the record within the interval of the lateness bound.
//
// Late events, older than the day before the one that the bound is in, make everything be counted again. They come in
// numbers, since something was down or history is read in; so that waits until none have come for lateQuiet, but no longer
// than lateLongest. While an import is running nothing is looked at: it does that itself when it has ended.
const (
	defaultInsightInterval = 15 * time.Second
	lateQuiet              = time.Minute
	lateLongest            = 10 * time.Minute
)

// insightLoop looks at stores until the lake is closed.
func (l *Lake) insightLoop() {
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	go func() {
		select {
		case <-l.closing:
		case <-l.haltedCh:
		case <-ctx.Done():
		}
		cancel()
	}()
	tick := time.NewTicker(l.opts.InsightInterval)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		case <-l.insights.wake:
		}
		l.lookForInsights(ctx)
	}
}

// lookForInsights brings all stores up to now.
func (l *Lake) lookForInsights(ctx context.Context) {
	for _, w := range l.insights.all() {
		if !l.importing.TryLock() {
			return
		}
		l.importing.Unlock()
		if !w.on() || w.store.gone.Load() || w.store.readable() != nil {
			continue
		}
		_, err := w.detect(ctx, true, nil)
		switch {
		case ctx.Err() != nil:
			return
		case errors.Is(err, ErrHalted), errors.Is(err, ErrUnavailable):
			return
		case err != nil:
			l.insights.figures.failures.Add(1)
			l.opts.Logger.Error("insights are behind, will be tried again", "store", w.store.Name(), "error", err)
		}
	}
}

// notice tells of incidents that are new among those without records.
func (l *Lake) notice(before, now []Insight) {
	known := make(map[string]bool, len(before))
	for i := range before {
		known[before[i].ID] = true
	}
	for _, in := range now {
		if known[in.ID] {
			continue
		}
		l.insights.figures.notices.Add(1)
		l.opts.Logger.Warn("unusual activity, provisional", "store", in.Store, "type", in.Type, "account", in.Account, "region", in.Region,
			"source", in.EventSource, "name", in.EventName, "code", in.ErrorCode, "start", in.Start, "why", in.Why, "insight", in.ID)
		l.insights.notices.add(in)
		if l.opts.OnInsight != nil {
			l.opts.OnInsight(in)
		}
	}
}

// insightFigures count what detection does.
type insightFigures struct {
	runs, failures, notices                         atomic.Int64
	events, starts, ends, withdrawn, reinstated, ns atomic.Int64
}

func (f *insightFigures) add(r *InsightReport) {
	f.runs.Add(1)
	f.events.Add(r.Events)
	f.starts.Add(int64(r.Starts))
	f.ends.Add(int64(r.Ends))
	f.withdrawn.Add(int64(r.Withdrawn))
	f.reinstated.Add(int64(r.Reinstated))
	f.ns.Add(int64(r.Elapsed))
}

// InsightFigures count what was done about insights since the lake was opened.
type InsightFigures struct {
	// Runs are looks at a store, Failures those that have failed; Events is how many events were analysed.
	Runs, Failures, Events int64
	// Notices are of incidents before their record; the others count records.
	Notices, Starts, Ends, Withdrawn, Reinstated int64
	// Time is what it has taken.
	Time time.Duration
	// Provisional is how many incidents have no record yet now, Series how many series are watched, Learning how many of
	// them have no verdicts yet.
	Provisional, Series, Learning int64
}

// InsightFigures returns the figures.
func (l *Lake) InsightFigures() InsightFigures {
	f := &l.insights.figures
	out := InsightFigures{Runs: f.runs.Load(), Failures: f.failures.Load(), Events: f.events.Load(), Notices: f.notices.Load(),
		Starts: f.starts.Load(), Ends: f.ends.Load(), Withdrawn: f.withdrawn.Load(), Reinstated: f.reinstated.Load(), Time: time.Duration(f.ns.Load())}
	for _, w := range l.insights.all() {
		w.shown.Lock()
		out.Provisional += int64(len(w.shown.provisional))
		out.Series += int64(w.shown.phases.Series)
		out.Learning += int64(w.shown.phases.Learning)
		w.shown.Unlock()
	}
	return out
}

// detectImported looks for insights in a store that an import has ended into. The caller holds Lake.importing.
func (l *Lake) detectImported(ctx context.Context, s *Store, progress func(ImportProgress)) (*InsightReport, error) {
	w := l.insights.watch(s)
	if w == nil || !w.on() {
		return nil, nil
	}
	var told func(done, of int64)
	if progress != nil {
		told = func(done, of int64) {
			progress(ImportProgress{Detecting: true, Records: done, Bytes: of, BytesDone: done})
		}
	}
	return w.detect(ctx, false, told)
}
