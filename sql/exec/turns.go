package exec

import (
	"context"
	"sync"
	"sync/atomic"
	"time"
)

const (
	// youth is how long a query goes first: a lookup or a page of a table is
	// answered in less when the cores are its own.
	youth = 100 * time.Millisecond
	// standBack is how long an older query waits for young ones at most, and step
	// how long it then works whatever comes: without end of young queries the old
	// ones still have a ninth of the time.
	standBack = 80 * time.Millisecond
	step      = 10 * time.Millisecond
)

// Turns lets short queries pass long ones. A query is young for its first
// moments; while there is a young one, the others stand back where they look
// whether they have been canceled, at every batch and inside of long calls, for a
// bounded time. Nobody waits for anything but the clock, so waiting cannot tie
// a knot, whatever a query holds. A nil *Turns lets everybody go on. It may be used
// by any number of goroutines.
type Turns struct {
	young atomic.Int64
	mu    sync.Mutex
	none  chan struct{} // closed when no young query is left; nil while nobody waits
	// clock is time.Now, but in tests.
	clock func() time.Time
}

// NewTurns returns the turns of the queries that share a machine.
func NewTurns() *Turns { return &Turns{clock: time.Now} }

// Turn is one query's part in Turns.
type Turn struct {
	of    *Turns
	grown atomic.Bool
	timer *time.Timer
	// free is until when the query need not stand back again, in nanoseconds of
	// the Unix clock.
	free atomic.Int64
}

// Enter begins a query, which is young. Leave must be called at its end.
func (t *Turns) Enter() *Turn {
	if t == nil {
		return nil
	}
	turn := &Turn{of: t}
	t.young.Add(1)
	turn.timer = time.AfterFunc(youth, turn.growUp)
	return turn
}

// growUp ends the youth of a query.
func (t *Turn) growUp() {
	if t.grown.Swap(true) {
		return
	}
	if t.of.young.Add(-1) > 0 {
		return
	}
	t.of.mu.Lock()
	defer t.of.mu.Unlock()
	if t.of.none != nil && t.of.young.Load() == 0 {
		close(t.of.none)
		t.of.none = nil
	}
}

// Leave ends the query's part. It may be called more than once.
func (t *Turn) Leave() {
	if t == nil {
		return
	}
	t.timer.Stop()
	t.growUp()
}

// yield lets young queries pass. It returns soon after ctx has ended.
func (t *Turn) yield(ctx context.Context) {
	if t == nil || t.of.young.Load() == 0 || !t.grown.Load() {
		return
	}
	now := t.of.clock()
	if now.UnixNano() < t.free.Load() {
		return
	}
	t.of.mu.Lock()
	if t.of.none == nil {
		t.of.none = make(chan struct{})
	}
	none := t.of.none
	t.of.mu.Unlock()
	if t.of.young.Load() == 0 { // it may have gone before none was there to tell
		return
	}
	timer := time.NewTimer(standBack)
	defer timer.Stop()
	select {
	case <-none:
	case <-timer.C:
		t.free.Store(t.of.clock().Add(step).UnixNano())
	case <-ctx.Done():
	}
}
