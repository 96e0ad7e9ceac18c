package auth

import (
	"container/list"
	"context"
	"errors"
	"fmt"
	"net"
	"strings"
	"sync"
	"time"
)

// The measures of the throttle.
const (
	// throttleMax is how many names, addresses and pairs of them are remembered; the
	// one that was longest without an attempt is forgotten for a new one.
	throttleMax = 1 << 14

	// freeTries fail without consequence: people mistype.
	freeTries = 3

	// freeTriesOfMany is that for one address with whatever names, and one name from
	// whatever addresses: others share them.
	freeTriesOfMany = 20

	// firstDelay follows the first failure that has a consequence; each further one
	// doubles it.
	firstDelay = 250 * time.Millisecond

	// delayMax is the longest delay for one name from one address, delayMaxOfMany for
	// one address, and for one name: nobody can lock others out.
	delayMax, delayMaxOfMany = 30 * time.Second, 2 * time.Second

	// forgetAfter is how long after the last failure everything is forgotten.
	forgetAfter = 15 * time.Minute

	// waitMax is the longest that an attempt is made to wait; with more to go it is
	// refused at once. waitersMax is how many may wait.
	waitMax, waitersMax = 5 * time.Second, 64
)

// ErrThrottled refuses a sign-in because of the failed ones before it.
var ErrThrottled = errors.New("too many failed sign-ins")

// throttle slows sign-ins after failures, by name and address.
type throttle struct {
	clock   func() time.Time
	waiting chan struct{}

	mu     sync.Mutex
	byKey  map[throttleKey]*list.Element // of *throttled
	recent *list.List                    // the one touched last in front
}

// throttleKey is a name, an address, or both.
type throttleKey struct{ name, address string }

// free and longest say how the failures of a key count.
func (k throttleKey) limits() (free int, longest time.Duration) {
	if k.name == "" || k.address == "" {
		return freeTriesOfMany, delayMaxOfMany
	}
	return freeTries, delayMax
}

type throttled struct {
	key    throttleKey
	failed int
	last   time.Time // of the last failure
	// trusted says that the name has signed in from the address: it does not suffer
	// from the failures of others.
	trusted bool
}

func newThrottle(clock func() time.Time) *throttle {
	return &throttle{clock: clock, waiting: make(chan struct{}, waitersMax), byKey: make(map[throttleKey]*list.Element), recent: list.New()}
}

// keysOf returns what an attempt counts for. The port of an address is not part of it,
// nor is the part of an IPv6 address that a host chooses for itself.
func keysOf(name, address string) [3]throttleKey {
	name = strings.ToLower(name)
	if host, _, err := net.SplitHostPort(address); err == nil {
		address = host
	}
	if ip := net.ParseIP(address); ip != nil && ip.To4() == nil {
		address = ip.Mask(net.CIDRMask(64, 128)).String()
	}
	// Prefixes, so that an empty name or address is not the absence of one.
	return [3]throttleKey{{"n" + name, "a" + address}, {"n" + name, ""}, {"", "a" + address}}
}

// delay returns how long from now on no attempt is taken.
func (t *throttle) delay(name, address string) time.Duration {
	now := t.clock()
	t.mu.Lock()
	defer t.mu.Unlock()
	var wait time.Duration
	for i, k := range keysOf(name, address) {
		e := t.byKey[k]
		if e == nil {
			continue
		}
		x := e.Value.(*throttled)
		free, longest := k.limits()
		if x.failed < free || now.Sub(x.last) > forgetAfter {
			if i == 0 && x.trusted {
				return 0
			}
			continue
		}
		d := longest
		if shift := x.failed - free; shift < 16 {
			d = min(d, firstDelay<<shift)
		}
		wait = max(wait, x.last.Add(d).Sub(now))
	}
	// A clock that went back must not lock anybody out.
	return min(wait, delayMax)
}

// wait returns when an attempt may be examined, or refuses it.
func (t *throttle) wait(ctx context.Context, name, address string) error {
	d := t.delay(name, address)
	if d <= 0 {
		return nil
	}
	refuse := fmt.Errorf("%w: try again in %v", ErrThrottled, max(d.Round(time.Second), time.Second))
	if d > waitMax {
		return refuse
	}
	select {
	case t.waiting <- struct{}{}:
		defer func() { <-t.waiting }()
	default:
		return refuse
	}
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// failed counts a failure, and returns how many there have been for the name from the
// address.
func (t *throttle) failed(name, address string) int {
	now := t.clock()
	t.mu.Lock()
	defer t.mu.Unlock()
	n := 0
	for i, k := range keysOf(name, address) {
		x := t.entry(k)
		if now.Sub(x.last) > forgetAfter {
			x.failed = 0
		}
		x.failed++
		x.last = now
		if i == 0 {
			n = x.failed
		}
	}
	return n
}

// entry returns what is remembered of a key, which is the one touched last from now
// on. The caller holds mu.
func (t *throttle) entry(k throttleKey) *throttled {
	e := t.byKey[k]
	if e == nil {
		if t.recent.Len() >= throttleMax {
			last := t.recent.Back()
			delete(t.byKey, last.Value.(*throttled).key)
			t.recent.Remove(last)
		}
		e = t.recent.PushFront(&throttled{key: k})
		t.byKey[k] = e
	}
	t.recent.MoveToFront(e)
	return e.Value.(*throttled)
}

// succeeded forgets the failures of a name from an address. Those of the address with
// other names, and of the name from elsewhere, stay: one good account must not clear
// an attacker's count.
func (t *throttle) succeeded(name, address string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	x := t.entry(keysOf(name, address)[0])
	x.failed, x.trusted = 0, true
}
