// Package crashmem gives tests a file system in memory of which they can take what a
// power cut would leave, while other goroutines work on it.
//
// It is Pebble's vfs.MemFS but for one thing: that one's Link takes a lock for
// reading twice, and a crash clone that asks for the same lock in between waits for
// the first, and the second for it, for ever. Here a link and a clone wait for each other
// as a whole. All of it may be used from many goroutines.
//
//	mem := crashmem.New()
//	fs := errorfs.Wrap(mem, injector) // whose calls take mem.CrashClone(…)
package crashmem

import (
	"sync"

	"github.com/cockroachdb/pebble/v2/vfs"
)

// FS is a file system in memory.
type FS struct {
	*vfs.MemFS
	linking sync.Mutex
}

// New returns an empty one.
func New() *FS { return &FS{MemFS: vfs.NewCrashableMem()} }

// Link implements vfs.FS.
func (m *FS) Link(from, to string) error {
	m.linking.Lock()
	defer m.linking.Unlock()
	return m.MemFS.Link(from, to)
}

// CrashClone returns what a power cut would leave now (see vfs.MemFS).
func (m *FS) CrashClone(cfg vfs.CrashCloneCfg) *FS {
	m.linking.Lock()
	defer m.linking.Unlock()
	return &FS{MemFS: m.MemFS.CrashClone(cfg)}
}
