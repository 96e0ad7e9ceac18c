package lsm

import (
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"sync"

	"github.com/cockroachdb/pebble/v2/vfs"
)

// diskFS stands between Pebble and the file system, so that Pebble can be left
// behind when it cannot go on.
//
// After a halt no operation that changes a file is begun any more: the goroutine
// that asks for one is parked for good. What Pebble still has running can then do
// nothing to the files, and the directory can be opened anew.
//
// Some failures lead to a halt right here, where Pebble holds no lock that its
// readers need. It cannot go on when writing its manifest or its log fails, and
// would report that with locks held; it panics when syncing a directory fails;
// and when opening fails half way, it takes its parts down under background work
// that it has started.
//
// And one habit is mended: Pebble points a marker file at a new manifest and syncs
// the directory once for both names. A power cut in between may keep the marker's
// name and lose the manifest's on file systems that do not keep the order of
// names. So the directory is synced before a marker is made.
type diskFS struct {
	vfs.FS
	halt *halt
	// phase guards opening, and halts that depend on it.
	phase   sync.Mutex
	opening bool
	// running is held for reading by operations, for writing to wait for them.
	running sync.RWMutex
}

// change runs an operation that changes files.
func (fs *diskFS) change(what, name string, fatal bool, op func() error) error {
	fs.running.RLock()
	if fs.halt.err() != nil {
		fs.running.RUnlock()
		select {}
	}
	err := op()
	fs.running.RUnlock()
	return fs.failed(what, name, fatal, err)
}

// failed returns an error that Pebble can deal with, and does not return with one
// that it cannot.
func (fs *diskFS) failed(what, name string, fatal bool, err error) error {
	if err == nil || err == io.EOF || errors.Is(err, os.ErrNotExist) || errors.Is(err, os.ErrExist) {
		return err
	}
	fs.phase.Lock()
	final := fatal || fs.opening
	if final {
		fs.halt.stop(fmt.Errorf("%s %s: %w", what, name, err))
	}
	fs.phase.Unlock()
	if final {
		select {}
	}
	return err
}

// critical reports whether Pebble cannot go on when it cannot write a file: its
// manifest, the marker files that point to it, and its log.
func (fs *diskFS) critical(name string) bool {
	base := fs.PathBase(name)
	return strings.HasPrefix(base, "MANIFEST-") || strings.HasPrefix(base, "marker.") || strings.HasSuffix(base, ".log")
}

// opened ends the phase of opening; the error is what went wrong during it.
func (fs *diskFS) opened() error {
	fs.phase.Lock()
	defer fs.phase.Unlock()
	fs.opening = false
	return fs.halt.err()
}

// settle waits until no operation is running. After a halt none will begin.
func (fs *diskFS) settle() {
	fs.running.Lock()
	//lint:ignore SA2001 whoever was running is done now
	fs.running.Unlock()
}

// open wraps a file that an operation gives.
func (fs *diskFS) open(what, name string, op func() (vfs.File, error)) (vfs.File, error) {
	var f vfs.File
	critical := fs.critical(name)
	err := fs.change(what, name, critical, func() (err error) {
		f, err = op()
		return err
	})
	if err != nil {
		return nil, err
	}
	return &diskFile{File: f, fs: fs, name: name, critical: critical}, nil
}

// Create implements vfs.FS.
func (fs *diskFS) Create(name string, category vfs.DiskWriteCategory) (vfs.File, error) {
	return fs.open("creating", name, func() (vfs.File, error) {
		if strings.HasPrefix(fs.PathBase(name), "marker.") {
			dir, err := fs.FS.OpenDir(fs.PathDir(name))
			if err != nil {
				return nil, err
			}
			if err := errors.Join(dir.Sync(), dir.Close()); err != nil {
				return nil, fmt.Errorf("syncing the directory: %w", err)
			}
		}
		return fs.FS.Create(name, category)
	})
}

// OpenReadWrite implements vfs.FS.
func (fs *diskFS) OpenReadWrite(name string, category vfs.DiskWriteCategory, opts ...vfs.OpenOption) (vfs.File, error) {
	return fs.open("opening", name, func() (vfs.File, error) { return fs.FS.OpenReadWrite(name, category, opts...) })
}

// ReuseForWrite implements vfs.FS.
func (fs *diskFS) ReuseForWrite(oldname, newname string, category vfs.DiskWriteCategory) (vfs.File, error) {
	return fs.open("reusing", newname, func() (vfs.File, error) {
		return fs.FS.ReuseForWrite(oldname, newname, category)
	})
}

// Open implements vfs.FS.
func (fs *diskFS) Open(name string, opts ...vfs.OpenOption) (vfs.File, error) {
	f, err := fs.FS.Open(name, opts...)
	if err != nil {
		return nil, fs.failed("opening", name, false, err)
	}
	return &diskFile{File: f, fs: fs, name: name}, nil
}

// OpenDir implements vfs.FS.
func (fs *diskFS) OpenDir(name string) (vfs.File, error) {
	f, err := fs.FS.OpenDir(name)
	if err != nil {
		return nil, fs.failed("opening directory", name, false, err)
	}
	return &diskFile{File: f, fs: fs, name: name, critical: true}, nil
}

// List implements vfs.FS.
func (fs *diskFS) List(dir string) ([]string, error) {
	names, err := fs.FS.List(dir)
	return names, fs.failed("reading directory", dir, false, err)
}

// Stat implements vfs.FS.
func (fs *diskFS) Stat(name string) (vfs.FileInfo, error) {
	info, err := fs.FS.Stat(name)
	return info, fs.failed("looking at", name, false, err)
}

// Link implements vfs.FS.
func (fs *diskFS) Link(oldname, newname string) error {
	return fs.change("linking", oldname, false, func() error { return fs.FS.Link(oldname, newname) })
}

// Remove implements vfs.FS.
func (fs *diskFS) Remove(name string) error {
	return fs.change("removing", name, false, func() error { return fs.FS.Remove(name) })
}

// RemoveAll implements vfs.FS.
func (fs *diskFS) RemoveAll(name string) error {
	return fs.change("removing", name, false, func() error { return fs.FS.RemoveAll(name) })
}

// Rename implements vfs.FS.
func (fs *diskFS) Rename(oldname, newname string) error {
	return fs.change("renaming", oldname, false, func() error { return fs.FS.Rename(oldname, newname) })
}

// MkdirAll implements vfs.FS.
func (fs *diskFS) MkdirAll(dir string, perm os.FileMode) error {
	return fs.change("making directory", dir, false, func() error { return fs.FS.MkdirAll(dir, perm) })
}

// Lock implements vfs.FS. The DB has the lock, which it must be able to give up
// without Pebble.
func (fs *diskFS) Lock(string) (io.Closer, error) { return unlocked{}, nil }

type unlocked struct{}

func (unlocked) Close() error { return nil }

// Unwrap implements vfs.FS.
func (fs *diskFS) Unwrap() vfs.FS { return fs.FS }

// diskFile is a file or directory of a diskFS.
type diskFile struct {
	vfs.File
	fs   *diskFS
	name string
	// critical says that Pebble does not survive a failure to write or sync it.
	critical bool
}

// Read implements vfs.File.
func (f *diskFile) Read(p []byte) (int, error) {
	n, err := f.File.Read(p)
	return n, f.fs.failed("reading", f.name, false, err)
}

// ReadAt implements vfs.File.
func (f *diskFile) ReadAt(p []byte, off int64) (int, error) {
	n, err := f.File.ReadAt(p, off)
	return n, f.fs.failed("reading", f.name, false, err)
}

// Stat implements vfs.File.
func (f *diskFile) Stat() (vfs.FileInfo, error) {
	info, err := f.File.Stat()
	return info, f.fs.failed("looking at", f.name, false, err)
}

// Close implements vfs.File.
func (f *diskFile) Close() error {
	return f.fs.failed("closing", f.name, false, f.File.Close())
}

// Write implements vfs.File.
func (f *diskFile) Write(p []byte) (n int, err error) {
	err = f.fs.change("writing", f.name, f.critical, func() (err error) {
		n, err = f.File.Write(p)
		return err
	})
	return n, err
}

// WriteAt implements vfs.File.
func (f *diskFile) WriteAt(p []byte, off int64) (n int, err error) {
	err = f.fs.change("writing", f.name, f.critical, func() (err error) {
		n, err = f.File.WriteAt(p, off)
		return err
	})
	return n, err
}

// Sync implements vfs.File.
func (f *diskFile) Sync() error {
	return f.fs.change("syncing", f.name, f.critical, f.File.Sync)
}

// SyncData implements vfs.File.
func (f *diskFile) SyncData() error {
	return f.fs.change("syncing", f.name, f.critical, f.File.SyncData)
}

// SyncTo implements vfs.File.
func (f *diskFile) SyncTo(length int64) (full bool, err error) {
	err = f.fs.change("syncing", f.name, f.critical, func() (err error) {
		full, err = f.File.SyncTo(length)
		return err
	})
	return full, err
}

// Preallocate implements vfs.File.
func (f *diskFile) Preallocate(offset, length int64) error {
	return f.fs.change("reserving space for", f.name, false, func() error { return f.File.Preallocate(offset, length) })
}
