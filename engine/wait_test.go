package engine

import "time"

// sleep is a short pause while waiting for background work.
func sleep() <-chan time.Time { return time.After(5 * time.Millisecond) }
