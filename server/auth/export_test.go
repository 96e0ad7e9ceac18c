package auth

import (
	"context"
	"testing"
	"time"

	"github.com/cairndb/cairn/engine"
)

// VerifierOf computes a verifier.
func VerifierOf(t testing.TB, password string, salt []byte, rounds int) engine.Verifier {
	t.Helper()
	v, err := verifierOf(password, salt, rounds)
	if err != nil {
		t.Fatal(err)
	}
	return v
}

// Throttle is what slows failed sign-ins.
type Throttle struct{ t *throttle }

func NewThrottle(clock func() time.Time) Throttle { return Throttle{newThrottle(clock)} }

func (t Throttle) Delay(name, address string) time.Duration { return t.t.delay(name, address) }
func (t Throttle) Failed(name, address string) int          { return t.t.failed(name, address) }
func (t Throttle) Succeeded(name, address string)           { t.t.succeeded(name, address) }
func (t Throttle) Len() int                                 { return t.t.recent.Len() }
func (t Throttle) Wait(ctx context.Context, name, address string) error {
	return t.t.wait(ctx, name, address)
}

// ScanHeads reports whether a folded header is seen in what comes in these pieces.
func ScanHeads(pieces ...string) bool {
	var s headScan
	folded := false
	for _, p := range pieces {
		folded = s.next([]byte(p)) || folded
	}
	return folded
}
