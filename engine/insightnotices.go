package engine

import (
	"context"
	"sync"
)

// noticesKept is how many notices the lake keeps for those who follow them: more than come while
// a follower is away for a moment, and no more than tell somebody something.
const noticesKept = 1024

// noticeLog is the latest provisional notices, by number.
type noticeLog struct {
	mu    sync.Mutex
	list  []Insight
	first uint64        // the number of list[0]
	grown chan struct{} // closed by the next one; nil when nobody waits
}

func (n *noticeLog) add(in Insight) {
	n.mu.Lock()
	defer n.mu.Unlock()
	if len(n.list) == noticesKept {
		n.first++
		n.list = n.list[:copy(n.list, n.list[1:])]
	}
	n.list = append(n.list, in)
	if n.grown != nil {
		close(n.grown)
		n.grown = nil
	}
}

// Notices is a cursor on the notices of unusual activity: incidents that have no record
// yet, because events may still come that change them. Each is told once, when it is found. A notice is gone
// with the process; the record that follows is kept. A cursor belongs to one goroutine.
type Notices struct {
	lake *Lake
	view *View // leaves out those of stores and accounts; nil for none
	next uint64
}

// Notices returns a cursor on the notices from now on.
func (l *Lake) Notices() (*Notices, error) {
	done, err := l.begin()
	if err != nil {
		return nil, err
	}
	defer done()
	n := &l.insights.notices
	n.mu.Lock()
	defer n.mu.Unlock()
	return &Notices{lake: l, next: n.first + uint64(len(n.list))}, nil
}

// Notices is [Lake.Notices] of the stores and accounts that the view shows.
func (v *View) Notices() (*Notices, error) {
	n, err := v.lake.Notices()
	if err == nil {
		n.view = v
	}
	return n, err
}

// SeeAs makes the cursor see what another one sees.
func (n *Notices) SeeAs(other *Notices) { n.view = other.view }

// Wait returns when there are notices that the cursor has not given, whether it sees them or not,
// or with the error of ctx, or with [ErrUnavailable] when the lake is closed.
func (n *Notices) Wait(ctx context.Context) error {
	log := &n.lake.insights.notices
	for {
		log.mu.Lock()
		grown := log.first+uint64(len(log.list)) > n.next
		if !grown && log.grown == nil {
			log.grown = make(chan struct{})
		}
		wake := log.grown
		log.mu.Unlock()
		if grown {
			return nil
		}
		select {
		case <-wake:
		case <-ctx.Done():
			return ctx.Err()
		case <-n.lake.closing:
			return failf(ErrUnavailable, "the lake is closed")
		}
	}
}

// Take returns the notices that the cursor has not given yet, and moves it behind them. Of
// those that came while nobody took them the latest 1,024 are there.
func (n *Notices) Take() []Insight {
	log := &n.lake.insights.notices
	log.mu.Lock()
	defer log.mu.Unlock()
	var out []Insight
	for i := range log.list {
		if log.first+uint64(i) >= n.next && n.shows(&log.list[i]) {
			out = append(out, log.list[i])
		}
	}
	n.next = log.first + uint64(len(log.list))
	return out
}

func (n *Notices) shows(in *Insight) bool {
	if n.view == nil {
		return true
	}
	s := n.lake.storeCalled(in.Store)
	return s != nil && n.view.sees(s) && (n.view.accounts == nil || n.view.accounts.in[in.Account])
}
