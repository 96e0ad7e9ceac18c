package exec

import (
	"context"
	"testing"
	"time"
)

// old returns a query that is no longer young.
func old(t *Turns) *Turn {
	q := t.Enter()
	q.growUp()
	return q
}

// waits runs yield and returns a channel that is closed when it has returned.
func waits(ctx context.Context, q *Turn) chan struct{} {
	done := make(chan struct{})
	go func() { q.yield(ctx); close(done) }()
	return done
}

func TestOldQueriesLetYoungOnesPass(t *testing.T) {
	turns := NewTurns()
	heavy := old(turns)
	defer heavy.Leave()
	start := time.Now()
	heavy.yield(t.Context()) // nobody is young
	light := turns.Enter()
	light.yield(t.Context()) // the young do not wait for each other
	if took := time.Since(start); took > standBack {
		t.Errorf("waited %v for nothing", took)
	}
	done := waits(t.Context(), heavy)
	select {
	case <-done:
		t.Fatal("the old query did not stand back")
	case <-time.After(standBack / 4):
	}
	light.Leave()
	light.Leave()
	<-done
	if n := turns.young.Load(); n != 0 {
		t.Errorf("%d young queries are left", n)
	}
}

// A flood of young queries slows old ones and does not stop them.
func TestOldQueriesGoOn(t *testing.T) {
	turns := NewTurns()
	now := time.Unix(1000, 0)
	turns.clock = func() time.Time { return now }
	heavy := old(turns)
	defer heavy.Leave()
	light := turns.Enter()
	defer light.Leave()
	light.timer.Stop()          // stays young, however slow the machine is
	<-waits(t.Context(), heavy) // after standBack
	if got, want := heavy.free.Load(), now.Add(step).UnixNano(); got != want {
		t.Fatalf("the old query may go on until %d, want %d", got, want)
	}
	start := time.Now()
	for range 1000 {
		heavy.yield(t.Context())
	}
	if took := time.Since(start); took > 10*standBack {
		t.Errorf("stood back again within its step: %v", took)
	}
}

func TestStandingBackEndsWithTheQuery(t *testing.T) {
	turns := NewTurns()
	heavy, light := old(turns), turns.Enter()
	defer heavy.Leave()
	defer light.Leave()
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	start := time.Now()
	<-waits(ctx, heavy)
	if took := time.Since(start); took > standBack {
		t.Errorf("waited %v though the query had ended", took)
	}
}

func TestYouthEnds(t *testing.T) {
	turns := NewTurns()
	light := turns.Enter()
	defer light.Leave()
	for turns.young.Load() > 0 {
		time.Sleep(time.Millisecond)
	}
	if !light.grown.Load() {
		t.Error("the query is still young")
	}
}

func TestNoTurns(t *testing.T) {
	var turns *Turns
	q := turns.Enter()
	q.yield(t.Context())
	q.Leave()
}
