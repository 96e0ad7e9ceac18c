package parse

import (
	"errors"
	"strings"
	"testing"
)

// A long text is not read on when nobody waits for it; a short one is read anyway.
func TestEnded(t *testing.T) {
	long := "SELECT " + strings.Repeat("1,", 40_000) + "1"
	open, closed := make(chan struct{}), make(chan struct{})
	close(closed)
	for _, c := range []struct {
		text string
		done chan struct{}
		want error
	}{
		{long, nil, nil}, {long, open, nil}, {long, closed, ErrEnded}, {"SELECT 1", open, nil},
	} {
		if _, _, err := Parse(c.text, Options{Done: c.done}); !errors.Is(err, c.want) {
			t.Errorf("%d bytes: %v, want %v", len(c.text), err, c.want)
		}
	}
	// Errors are the same on either way.
	bad := long + " FROM WHERE"
	_, _, want := Parse(bad, Options{})
	if _, _, err := Parse(bad, Options{Done: open}); err == nil || err.Error() != want.Error() {
		t.Errorf("%v, want %v", err, want)
	}
}
