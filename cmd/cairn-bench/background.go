package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"time"

	"github.com/cairndb/cairn/engine"
	"github.com/cairndb/cairn/engine/event/generate"
	"github.com/cairndb/cairn/engine/retention"
)

const (
	// backgroundEvents are asked in the foreground: enough for scans that take some milliseconds.
	backgroundEvents = 60_000
	// crumbEvents are what small segments of crumbRows are merged from in each turn that merges: more than a core merges in it.
	crumbEvents, crumbRows = 40_000, 500
	// expiringDays are what expires in each turn with expiry, as the clock of the lake goes over them.
	expiringDays, expiringEvents = 20, 10_000
	backgroundClients            = 2
	backgroundTurns              = 3 // of each kind
)

// measureBackground has two clients ask a fixed mix of needles and scans in turns: with nothing else going on, while small
// segments are merged, and while events expire and leave. The lake is the workload's own, beside the one that was loaded, so that the
// same data are asked in all turns. It says what is lost in the turns with background work.
func measureBackground(ctx context.Context, lakeDir string, seed uint64, length time.Duration) (_ []figure, err error) {
	dir, err := os.MkdirTemp(filepath.Dir(lakeDir), "background-")
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	w := &background{dir: dir, seed: seed, turn: max(length/(3*backgroundTurns), time.Second), began: time.Now()}
	if err := w.prepare(ctx); err != nil {
		return nil, err
	}
	kinds := []*backgroundKind{{name: "nothing else"}, {name: "merging", merging: true}, {name: "expiry", expiry: true}}
	for turn := range backgroundTurns {
		for _, k := range kinds {
			if err := w.run(ctx, k, turn); err != nil {
				return nil, fmt.Errorf("%s: %w", k.name, err)
			}
		}
	}
	var out []figure
	alone := kinds[0]
	for _, k := range kinds {
		for _, times := range [][]float64{k.needles, k.scans} {
			if slices.Sort(times); len(times) == 0 {
				return nil, fmt.Errorf("%s: no question came to an end in turns of %s", k.name, w.turn)
			}
		}
		out = append(out, figure{"questions with " + k.name, k.perSecond(), "a second"},
			figure{"  needles, 99 of 100 below", p99(k.needles), "ms"},
			figure{"  scans, 99 of 100 below", p99(k.scans), "ms"})
		if k == alone {
			continue
		}
		out = append(out, figure{"  lost in questions a second", 100 * (1 - k.perSecond()/alone.perSecond()), "%"},
			figure{"  needles' p99, by that with nothing else", p99(k.needles) / p99(alone.needles), "×"},
			figure{"  scans' p99, by that with nothing else", p99(k.scans) / p99(alone.scans), "×"})
		if k.merging {
			out = append(out, figure{"  segments merged away meanwhile", float64(k.gone), ""})
		} else {
			out = append(out, figure{"  events that left meanwhile", float64(k.gone), ""})
		}
	}
	return out, nil
}

func p99(sorted []float64) float64 { return sorted[len(sorted)*99/100] }

// A backgroundKind is what goes on in some of the turns, and what was measured in them.
type backgroundKind struct {
	name            string
	merging, expiry bool
	needles, scans  []float64 // ms
	seconds         float64
	gone            int64
}

func (k *backgroundKind) perSecond() float64 { return float64(len(k.needles)+len(k.scans)) / k.seconds }

type background struct {
	dir     string
	seed    uint64
	turn    time.Duration
	began   time.Time
	needles []string
	scans   []string

	mu      sync.Mutex
	skipped time.Duration // by which the lake's clock is ahead
	fast    time.Time     // since when it runs fast; zero when it does not
}

// ahead is how far the lake's clock is ahead: while events expire, expiringDays pass in a turn.
func (w *background) ahead() time.Duration {
	w.mu.Lock()
	defer w.mu.Unlock()
	d := w.skipped
	if !w.fast.IsZero() {
		d += time.Duration(float64(time.Since(w.fast)) / float64(w.turn) * expiringDays * float64(24*time.Hour))
	}
	return d
}

func (w *background) open(merge bool, memtableRows int) (*engine.Lake, error) {
	opened := time.Now()
	before := w.ahead()
	return engine.Open(w.dir, &engine.Options{NoMerge: !merge, MemtableRows: memtableRows, RetainInterval: time.Second, DigestInterval: -1, InsightInterval: -1,
		Clock:   func() time.Time { return time.Now().Add(w.ahead()) },
		RunTime: func() time.Duration { return time.Since(opened) + w.ahead() - before }})
}

// prepare stores the events that are asked, and finds out what to ask for.
func (w *background) prepare(ctx context.Context) error {
	lake, err := w.open(false, 0)
	if err != nil {
		return err
	}
	defer lake.Close()
	if _, err := lake.MakeStore(ctx, engine.NewStore{Name: engine.DefaultStore, Days: retention.Forever}); err != nil {
		return err
	}
	if err := w.fill(ctx, lake, engine.DefaultStore, backgroundEvents, 90, w.seed); err != nil {
		return err
	}
	for _, q := range []struct{ ids, text string }{
		{"SELECT eventID FROM events ORDER BY eventID LIMIT 200", "SELECT eventID, eventJson FROM events WHERE eventID = %s"},
		{"SELECT userIdentity.accessKeyId FROM events WHERE userIdentity.accessKeyId <> '' GROUP BY 1 ORDER BY 1 LIMIT 200", "SELECT eventTime, eventJson FROM events WHERE userIdentity.accessKeyId = %s ORDER BY eventTime DESC LIMIT 50"},
		{"SELECT sourceIPAddress FROM events WHERE sourceIPAddress <> '' GROUP BY 1 ORDER BY 1 LIMIT 200", "SELECT eventID, eventName FROM events WHERE sourceIPAddress = %s ORDER BY eventTime DESC LIMIT 50"},
	} {
		rows, err := askCairn(ctx, lake, q.ids)
		if err != nil {
			return err
		}
		for _, r := range rows {
			w.needles = append(w.needles, fmt.Sprintf(q.text, quote(r[0])))
		}
	}
	for _, q := range questions {
		if q.Name == "Q3" || q.Name == "Q8" || q.Name == "Q11" {
			w.scans = append(w.scans, q.Cairn)
		}
	}
	return nil
}

// fill appends generated events of the last days before the lake's clock, in the order of their times, and
// returns when they are in segments.
func (w *background) fill(ctx context.Context, lake *engine.Lake, name string, events int64, days int, seed uint64) error {
	store, err := lake.Store(name)
	if err != nil {
		return err
	}
	start := time.Now().Add(w.ahead()).Add(-time.Duration(days) * 24 * time.Hour)
	g, err := generate.New(generate.Options{Events: events, Seed: seed, Days: days, Start: start})
	if err != nil {
		return err
	}
	var batch [][]byte
	send := func() error {
		_, err := store.Append(ctx, batch)
		batch = batch[:0]
		return err
	}
	if err := g.Each(func(raw []byte, _ int64) error {
		if batch = append(batch, bytes.Clone(raw)); len(batch) < 1000 {
			return nil
		}
		return send()
	}); err != nil {
		return err
	}
	return send()
}

// segments returns how many segments a store has, and how many events have left it.
func (w *background) segments(ctx context.Context, lake *engine.Lake, name string) (segments int, left int64, err error) {
	stats, err := lake.Stats(ctx)
	if err != nil {
		return 0, 0, err
	}
	for _, s := range stats.Stores {
		if s.Name == name {
			return s.Segments, int64(s.Dropped.Events), nil
		}
	}
	return 0, 0, fmt.Errorf("there is no store %s", name)
}

// run measures one turn. What is to be merged or to expire in it is made before, by a lake that does neither.
func (w *background) run(ctx context.Context, k *backgroundKind, turn int) (err error) {
	name := fmt.Sprintf("crumbs-%d", turn)
	switch {
	case k.merging, k.expiry:
		days, events := uint32(retention.Forever), int64(crumbEvents)
		span := 30
		if k.expiry {
			// The oldest are about to expire.
			name, days, events = fmt.Sprintf("expiring-%d", turn), expiringDays, expiringEvents
			span = expiringDays - 1
		}
		lake, err := w.open(false, crumbRows)
		if err != nil {
			return err
		}
		_, err = lake.MakeStore(ctx, engine.NewStore{Name: name, Days: days})
		if err == nil {
			err = w.fill(ctx, lake, name, events, span, w.seed+uint64(turn)+1)
		}
		if err := errors.Join(err, lake.Close()); err != nil {
			return err
		}
	}
	lake, err := w.open(k.merging, 0)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, lake.Close()) }()
	// The caches are warm in all turns.
	for _, text := range append(slices.Clone(w.scans), w.needles...) {
		if _, err := askCairn(ctx, lake, text); err != nil {
			return err
		}
	}
	var before int
	if k.merging {
		if before, _, err = w.segments(ctx, lake, name); err != nil {
			return err
		}
	}
	if k.expiry {
		w.mu.Lock()
		w.fast = time.Now()
		w.mu.Unlock()
	}
	began := time.Now()
	var wg sync.WaitGroup
	var mu sync.Mutex
	var failed error
	for c := range backgroundClients {
		wg.Go(func() {
			r := rand.New(rand.NewPCG(w.seed, uint64(c)))
			var needles, scans []float64
			var err error
			for i := c * 10; err == nil && time.Since(began) < w.turn; i++ {
				text, to := w.needles[r.IntN(len(w.needles))], &needles
				if i%20 == 19 {
					text, to = w.scans[(i/20)%len(w.scans)], &scans
				}
				start := time.Now()
				_, err = askCairn(ctx, lake, text)
				*to = append(*to, time.Since(start).Seconds()*1000)
			}
			mu.Lock()
			defer mu.Unlock()
			k.needles, k.scans, failed = append(k.needles, needles...), append(k.scans, scans...), errors.Join(failed, err)
		})
	}
	wg.Wait()
	k.seconds += time.Since(began).Seconds()
	if k.expiry {
		ahead := w.ahead()
		w.mu.Lock()
		w.skipped, w.fast = ahead, time.Time{}
		w.mu.Unlock()
	}
	if failed != nil {
		return failed
	}
	after, left, err := 0, int64(0), error(nil)
	if k.merging || k.expiry {
		if after, left, err = w.segments(ctx, lake, name); err != nil {
			return err
		}
	}
	switch {
	case k.merging:
		k.gone += int64(before - after)
	case k.expiry:
		k.gone += left
	}
	return nil
}
