//go:build !linux

package engine

import "github.com/cockroachdb/pebble/v2/vfs"

// lockTaken cannot tell on this system; the message then speaks of the lock.
func lockTaken(error) bool { return true }

// lockHolder does not know on this system.
func lockHolder(vfs.FS, string) int { return 0 }
