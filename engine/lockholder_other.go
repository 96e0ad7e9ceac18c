//go:build !linux

package engine

import (
	"io"

	"github.com/cockroachdb/pebble/v2/vfs"
)

// lockShared cannot be had on this system: who opens a lake must be able to write there.
func lockShared(string) (io.Closer, error) { return nil, ErrNotWritable }

// lockHolder does not know on this system.
func lockHolder(vfs.FS, string) int { return 0 }
