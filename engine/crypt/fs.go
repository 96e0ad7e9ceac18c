package crypt

import (
	"errors"
	"fmt"
	"os"
	"strings"

	"github.com/cockroachdb/pebble/v2/vfs"
)

// FS is a file system on which everything below one directory is encrypted. Files
// elsewhere, such as log files to be imported, pass through.
type FS struct {
	vfs.FS // what is below
	root   string
	ring   *Ring
}

var _ vfs.FS = (*FS)(nil)

// New returns a file system that encrypts all files below the directory root of
// base. Key ring and lock file are not meant to be opened through it.
func New(base vfs.FS, root string, ring *Ring) *FS {
	return &FS{FS: base, root: base.PathJoin(root), ring: ring}
}

// inside reports whether a file is one of the encrypted ones.
func (fs *FS) inside(name string) bool {
	name = fs.PathJoin(name)
	rest, ok := strings.CutPrefix(name, fs.root)
	return fs.root == "." && !strings.HasPrefix(name, "..") && !strings.HasPrefix(name, "/") ||
		ok && (rest == "" || os.IsPathSeparator(rest[0]) || strings.HasSuffix(fs.root, "/"))
}

// kindOf tells logs, which are synced over and over while they grow, from the rest.
func (fs *FS) kindOf(name string, category vfs.DiskWriteCategory) kind {
	base := fs.PathBase(name)
	switch {
	case category == "wal", category == "pebble-wal", category == "pebble-manifest",
		strings.HasPrefix(base, "MANIFEST-"), strings.HasSuffix(base, ".log"), strings.HasSuffix(base, ".wal"):
		return logKind
	}
	return sealedKind
}

// Create implements vfs.FS. The file gets a data key of its own.
func (fs *FS) Create(name string, category vfs.DiskWriteCategory) (vfs.File, error) {
	f, err := fs.FS.Create(name, category)
	if err != nil || !fs.inside(name) {
		return f, err
	}
	w, err := newWriter(fs, f, name, fs.kindOf(name, category))
	if err != nil {
		return nil, errors.Join(err, f.Close())
	}
	return w, nil
}

// Open implements vfs.FS.
func (fs *FS) Open(name string, opts ...vfs.OpenOption) (vfs.File, error) {
	f, err := fs.FS.Open(name, opts...)
	if err != nil || !fs.inside(name) {
		return f, err
	}
	if info, err := f.Stat(); err == nil && info.IsDir() {
		return f, nil
	}
	r, err := newReader(fs, f, name)
	if err != nil {
		return nil, errors.Join(err, f.Close())
	}
	return r, nil
}

// OpenReadWrite implements vfs.FS for files that do not exist or are empty. An
// encrypted file is only written by who created it.
func (fs *FS) OpenReadWrite(name string, category vfs.DiskWriteCategory, opts ...vfs.OpenOption) (vfs.File, error) {
	if !fs.inside(name) {
		return fs.FS.OpenReadWrite(name, category, opts...)
	}
	if info, err := fs.FS.Stat(name); err == nil && info.Size() > 0 {
		return nil, fmt.Errorf("opening %s for writing: %w", name, errUnsupported)
	} else if err != nil && !errors.Is(err, os.ErrNotExist) {
		return nil, err
	}
	return fs.Create(name, category)
}

// ReuseForWrite implements vfs.FS without reusing anything: other bytes under the
// same data key would give the key stream away.
func (fs *FS) ReuseForWrite(oldname, newname string, category vfs.DiskWriteCategory) (vfs.File, error) {
	if !fs.inside(newname) && !fs.inside(oldname) {
		return fs.FS.ReuseForWrite(oldname, newname, category)
	}
	if err := fs.FS.Remove(oldname); err != nil {
		return nil, err
	}
	return fs.Create(newname, category)
}

// Stat implements vfs.FS: the size is that of the plaintext. Of a file that cannot
// be read, it is the size on disk; opening it says what is wrong.
func (fs *FS) Stat(name string) (vfs.FileInfo, error) {
	info, err := fs.FS.Stat(name)
	if err != nil || info.IsDir() || info.Size() == 0 || !fs.inside(name) {
		return info, err
	}
	f, err := fs.FS.Open(name)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	r, err := newReader(fs, f, name)
	damaged, unknown := (*CorruptError)(nil), (*KeyError)(nil)
	if errors.As(err, &damaged) || errors.As(err, &unknown) {
		return info, nil
	}
	if err != nil {
		return nil, err
	}
	return plainInfo{info, r.size}, nil
}

// Ring returns the keys of the file system.
func (fs *FS) Ring() *Ring { return fs.ring }

// Unwrap implements vfs.FS.
func (fs *FS) Unwrap() vfs.FS { return fs.FS }
