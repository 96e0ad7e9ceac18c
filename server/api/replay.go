package api

import (
	"context"
	"fmt"
	"net/netip"
	"sync"
	"time"

	"github.com/cairndb/cairn/server/auth"
)

// A call that changes something is made once, however often it comes: whoever has listened
// to it must not make it again. Its signature is remembered for as long as it would be taken,
// until the server ends.
//
// But signatures tell seconds apart only. A client that makes the same call twice in a
// second, or whose connection sends it twice, sends the same bytes. So a call that comes
// again within repeatTime and from the same address is answered as it was the first time,
// unless something else was changed meanwhile: then the answer would not be true any more.
// All others that come again are refused, and the client is told to sign anew, as the
// SDKs do when they try again. A call that has failed has changed nothing and may come again.
//
// Calls of the data service are left out: their events have IDs, by which one that comes
// again is found.

const (
	// replaysMax bounds the signatures that are remembered: 100 calls a second that change
	// something, for ten minutes, are more than a lake takes.
	replaysMax = 60_000

	// repeatTime is for how long a call is answered once more, repeatBytesMax the largest
	// answer that is kept for that.
	repeatTime     = 5 * time.Second
	repeatBytesMax = 64 << 10

	// answersMax bounds the answers that are kept.
	answersMax = 256
)

// replays remembers calls that change something.
type replays struct {
	mu   sync.Mutex
	seen map[[32]byte]*onceCall
	// changes counts calls that have succeeded.
	changes uint64
	// answered are the calls that have an answer, oldest first.
	answered []*onceCall
}

// onceCall is a call that is made once. What follows done is guarded by replays.mu.
type onceCall struct {
	signature [32]byte
	until, at time.Time
	from      netip.Addr
	done      chan struct{} // closed when it has succeeded or failed

	succeeded bool
	answer    []byte // nil when it is not kept
	change    uint64 // the count of changes after it
}

// repeated says that a call was made before, and how it was answered.
type repeated struct{ answer []byte }

// Error says so.
func (r *repeated) Error() string { return "the call was made before" }

// begin takes a call up; settle or forget must follow. The error is a *repeated when it was
// made before and is to be answered as it was then. It waits for one that is under way.
func (p *replays) begin(ctx context.Context, signature [32]byte, until, now time.Time, from netip.Addr) (*onceCall, error) {
	refused := &Error{auth.SigInvalid, fmt.Sprintf("The request has been received before, with the same signature: sign it again (server time %s)", now.UTC().Format("20060102T150405Z"))}
	for {
		p.mu.Lock()
		c := p.seen[signature]
		if c == nil || !now.Before(c.until) {
			c, err := p.add(&onceCall{signature: signature, until: until, at: now, from: from, done: make(chan struct{})})
			p.mu.Unlock()
			return c, err
		}
		p.mu.Unlock()
		if now.Sub(c.at) > repeatTime || c.from != from {
			return nil, refused
		}
		select {
		case <-c.done:
		case <-ctx.Done():
			return nil, fail("RequestTimeout", "the same call is under way, and does not end")
		}
		p.mu.Lock()
		succeeded, answer, last := c.succeeded, c.answer, c.change == p.changes
		p.mu.Unlock()
		switch {
		case !succeeded: // it is made now
		case answer != nil && last:
			return nil, &repeated{answer}
		default:
			return nil, refused
		}
	}
}

// add remembers a call. The caller holds mu.
func (p *replays) add(c *onceCall) (*onceCall, error) {
	if p.seen == nil {
		p.seen = map[[32]byte]*onceCall{}
	}
	if len(p.seen) >= replaysMax {
		for k, other := range p.seen {
			if !c.at.Before(other.until) {
				delete(p.seen, k)
			}
		}
		if len(p.seen) >= replaysMax {
			return nil, fail("Throttling", "too many changes in a short time; try again in some minutes")
		}
	}
	p.seen[c.signature] = c
	return c, nil
}

// settle says that a call has succeeded, and how it is answered.
func (p *replays) settle(c *onceCall, answer []byte) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.changes++
	c.succeeded, c.change = true, p.changes
	if len(answer) <= repeatBytesMax {
		c.answer = answer
		p.answered = append(p.answered, c)
	}
	for len(p.answered) > 0 && (len(p.answered) > answersMax || c.at.Sub(p.answered[0].at) > repeatTime) {
		p.answered[0].answer = nil
		p.answered = p.answered[1:]
	}
	close(c.done)
}

// forget says that a call has failed: it may come again.
func (p *replays) forget(c *onceCall) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.seen[c.signature] == c {
		delete(p.seen, c.signature)
	}
	close(c.done)
}
