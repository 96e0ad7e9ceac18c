package trail

import (
	"context"
	"errors"
	"fmt"
	"time"
)

const (
	// stepInterval is how often a step is made when little comes.
	stepInterval = 5 * time.Minute

	// stepEvents is how many events one step looks at; so many waiting make a step at
	// once. At 1.5 kB each they are two full files.
	stepEvents = 65536

	// retryFirst and retryMost are the pauses after a failure, doubled each time.
	retryFirst, retryMost = time.Second, stepInterval

	// giveUpAfter is how long a target may fail before a plan is given up.
	giveUpAfter = 30 * 24 * time.Hour

	// lookEvery is how often the goroutine of a trail looks whether something is to do.
	lookEvery = time.Second
)

// run delivers until ctx ends.
func (t *Trail) run(ctx context.Context) {
	tick := time.NewTicker(lookEvery)
	defer tick.Stop()
	var wait time.Duration
	var notBefore time.Time
	last := t.set.env.Now()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		case <-t.wake:
		}
		now := t.set.env.Now()
		if now.Before(notBefore) || !t.due(now, last) {
			if ctx.Err() == nil {
				_ = t.notify(ctx, false) // the status has it
			}
			continue
		}
		last = now
		err := t.step(ctx)
		if ctx.Err() != nil {
			return
		}
		// A topic that is away holds no file up.
		_ = t.notify(ctx, false)
		if err == nil {
			wait = 0
			continue
		}
		if wait == 0 {
			t.set.env.Logger().Warn("a trail cannot deliver; it tries again until it can", "trail", t.Name(), "error", err)
		}
		wait = min(max(retryFirst, 2*wait), retryMost)
		notBefore = t.set.env.Now().Add(wait)
	}
}

// due reports whether there is something to do.
func (t *Trail) due(now, last time.Time) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.gone {
		return false
	}
	// Whole multiples, so that the times of files are round.
	boundary := now.Truncate(stepInterval).After(last)
	st := &t.st
	if st.Plan != nil || boundary || t.periodDue(now) {
		return true
	}
	if len(st.Ranges) == 0 {
		return false
	}
	waiting := uint64(0)
	for _, r := range st.Ranges {
		to := r.To
		if r.Open {
			_, next, ok := t.set.env.Source(r.Store)
			if !ok {
				continue
			}
			to = next
		}
		if to > r.From {
			waiting += to - r.From
		}
	}
	return waiting >= stepEvents
}

// step delivers all that waits, and closes periods that have ended.
func (t *Trail) step(ctx context.Context) error {
	t.work.Lock()
	defer t.work.Unlock()
	err := t.deliver(ctx)
	now := t.set.env.Now()
	if t.logs {
		return err // files and digests under its ID are those of its trail
	}
	if errors.Is(err, context.Canceled) && ctx.Err() != nil {
		return err // it was ended, the target has not failed
	}
	// A target that does not take files does not keep periods open for ever: they are
	// closed when it takes digests again.
	chain := t.closePeriods(ctx, now)
	return errors.Join(err, chain)
}

// deliver makes steps until nothing waits.
func (t *Trail) deliver(ctx context.Context) error {
	for {
		now := t.set.env.Now()
		t.mu.Lock()
		p, s, gone := t.st.Plan, t.settings, t.gone
		since := t.st.Delivery.Since
		t.mu.Unlock()
		if gone {
			return nil
		}
		if p == nil {
			var err error
			if p, err = t.plan(now); err != nil || p == nil {
				return err
			}
		}
		var files []*file
		events, skipped := 0, 0
		var err error
		if IsStream(s.Target) {
			events, skipped, err = t.stream(ctx, &s, p)
		} else {
			files, err = t.carryOut(ctx, &s, p)
		}
		now = t.set.env.Now()
		if err != nil {
			if ctx.Err() != nil {
				return ctx.Err()
			}
			err = fmt.Errorf("trail %s: delivering to %s: %w", s.Name, redact(s.Target), err)
			if !since.IsZero() && now.Sub(since) > giveUpAfter {
				t.set.env.Logger().Error("a trail has given events up that its target did not take for thirty days", "trail", s.Name, "error", err)
				files, events, skipped = nil, 0, 0
			} else {
				return errors.Join(err, t.change(func(st *state, _ Writer) { st.Delivery.note(now, err) }))
			}
		}
		if err := t.commit(p, files, events, skipped, now, err); err != nil {
			return err
		}
	}
}

// plan decides on the next step and writes it down; nil when nothing waits.
func (t *Trail) plan(now time.Time) (*plan, error) {
	t.mu.Lock()
	p := t.planLocked(now)
	t.mu.Unlock()
	if p == nil {
		return nil, nil
	}
	return p, t.change(func(st *state, _ Writer) { st.Plan = p })
}

func (t *Trail) planLocked(now time.Time) *plan {
	p := &plan{Stamp: now.UTC().Truncate(time.Minute)}
	left := uint64(stepEvents)
	for _, r := range t.st.Ranges {
		to := r.To
		if _, next, ok := t.set.env.Source(r.Store); ok && r.Open {
			to = next
		} else if r.Open {
			continue // the store was deleted
		}
		if to > r.From && left > 0 {
			n := min(to-r.From, left)
			p.Ranges = append(p.Ranges, Range{Store: r.Store, From: r.From, To: r.From + n})
			left -= n
		}
	}
	if len(p.Ranges) == 0 {
		return nil
	}
	return p
}

// carryOut puts the files of a plan into the target.
func (t *Trail) carryOut(ctx context.Context, s *Settings, p *plan) ([]*file, error) {
	target, err := t.open(s)
	if err != nil {
		return nil, err
	}
	files, err := t.write(ctx, s, p, s.Validation, func(ctx context.Context, f *file, body []byte) error {
		return put(ctx, target, f.Key, body, nil)
	})
	if err != nil {
		t.close() // whatever was wrong, a new connection cannot hurt
	}
	return files, err
}

// commit moves the ranges on. A crash before it does the step again, with the same keys
// and bytes; one after it goes on with the next.
func (t *Trail) commit(p *plan, files []*file, events, skipped int, now time.Time, failed error) error {
	return t.change(func(st *state, w Writer) {
		for _, done := range p.Ranges {
			for i := range st.Ranges {
				if r := &st.Ranges[i]; r.Store == done.Store && r.From == done.From {
					r.From = done.To
					break
				}
			}
		}
		st.Plan = nil
		kept := st.Ranges[:0:0]
		for _, r := range st.Ranges {
			if r.Open || r.From < r.To {
				kept = append(kept, r)
			}
		}
		st.Ranges = kept
		if failed != nil {
			for _, r := range p.Ranges {
				st.Lost.Events += r.To - r.From
			}
			st.Delivery.note(now, failed)
			st.Delivery.Since = now
			return
		}
		for _, f := range files {
			f.At, f.Digest = now, t.settings.Validation
			key := numberKey(letterFile, t.settings.ID, st.Next)
			w.Set(key, encode(key, f))
			st.Next++
			st.Delivered.Files++
			st.Delivered.Events += uint64(f.Events)
			st.Delivered.Bytes += uint64(f.Bytes)
		}
		st.Delivered.Events += uint64(events)
		st.Skipped += uint64(skipped)
		t.addNotices(st, w, files)
		if len(files) > 0 || events > 0 {
			st.Delivery.note(now, nil)
		} else if st.Delivery.Error != "" {
			st.Delivery = outcome{Tried: now, Done: st.Delivery.Done}
		}
	})
}

// open returns the target, opening it when it is first needed. The caller holds work.
func (t *Trail) open(s *Settings) (Target, error) {
	if t.target == nil {
		target, err := t.set.env.Target(s)
		if err != nil {
			return nil, err
		}
		t.target = target
	}
	return t.target, nil
}

// close gives the target up; it is opened again when it is needed.
func (t *Trail) close() {
	if t.target != nil {
		if err := t.target.Close(); err != nil {
			t.set.env.Logger().Warn("closing a trail's target", "trail", t.settings.Name, "error", err)
		}
		t.target = nil
	}
	if t.topic != nil {
		if err := t.topic.Close(); err != nil {
			t.set.env.Logger().Warn("closing a trail's topic", "trail", t.settings.Name, "error", err)
		}
		t.topic = nil
	}
}
