package crypt

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"sort"

	"github.com/cockroachdb/pebble/v2/vfs"
)

// FileKey tells under which key a file's data key is wrapped.
type FileKey struct {
	Path  string
	Bytes int64  // size on disk
	Key   uint32 // number of the key-encryption key; 0 of an empty file
	// Err says why the file cannot be read; Key is 0 then.
	Err error
}

// Files lists all files below the root in order of their paths, skipping those
// for which skip returns true and those removed meanwhile, and tells their keys.
func (fs *FS) Files(skip func(path string) bool) ([]FileKey, error) {
	var out []FileKey
	var walk func(dir string) error
	walk = func(dir string) error {
		names, err := fs.FS.List(dir)
		if err != nil {
			return fmt.Errorf("reading directory %s: %w", dir, err)
		}
		sort.Strings(names)
		for _, name := range names {
			path := fs.PathJoin(dir, name)
			if skip != nil && skip(path) {
				continue
			}
			info, err := fs.FS.Stat(path)
			if errors.Is(err, os.ErrNotExist) {
				continue // the database has removed it meanwhile
			}
			if err != nil {
				return err
			}
			if info.IsDir() {
				if err := walk(path); err != nil && !errors.Is(err, os.ErrNotExist) {
					return err
				}
				continue
			}
			k := FileKey{Path: path, Bytes: info.Size()}
			if k.Bytes > 0 {
				var s slot
				if s, _, k.Err = fs.head(path); k.Err == nil {
					k.Key = s.key
				}
				if errors.Is(k.Err, os.ErrNotExist) {
					continue
				}
			}
			out = append(out, k)
		}
		return nil
	}
	return out, walk(fs.root)
}

// head reads the head of a file.
func (fs *FS) head(path string) (slot, []byte, error) {
	f, err := fs.FS.Open(path)
	if err != nil {
		return slot{}, nil, err
	}
	head := make([]byte, headLen)
	n, err := io.ReadFull(f, head)
	if errors.Is(err, io.ErrUnexpectedEOF) || errors.Is(err, io.EOF) {
		err = nil
	}
	if err := errors.Join(err, f.Close()); err != nil {
		return slot{}, nil, fmt.Errorf("reading the head of %s: %w", path, err)
	}
	return fs.ring.unwrap(path, head[:n])
}

// Rewrap has the active key wrap a file's data key; the rest of the file stays as
// it is. It reports whether there was something to do. Nobody may have the file
// open for writing. The slot that was in use is left alone, so that at any moment
// one of the two is whole.
func (fs *FS) Rewrap(path string) (bool, error) {
	info, err := fs.FS.Stat(path)
	if err != nil {
		return false, err
	}
	if info.Size() == 0 {
		return false, nil
	}
	s, dataKey, err := fs.head(path)
	if err != nil {
		return false, err
	}
	fs.ring.mu.RLock()
	active := fs.ring.active()
	fs.ring.mu.RUnlock()
	if s.key == active {
		return false, nil
	}
	if info.Size() < headLen {
		return false, nil // a head that was never finished; nothing is behind it
	}
	f, err := fs.FS.OpenReadWrite(path, vfs.WriteCategoryUnspecified)
	if err != nil {
		return false, fmt.Errorf("opening %s to wrap its key anew: %w", path, err)
	}
	err = func() error {
		old := make([]byte, slotLen)
		if _, err := f.ReadAt(old, 0); err != nil {
			return err
		}
		at := int64(0)
		if bytes.Equal(old, s.append(nil)) {
			at = secondSlot
		}
		s.generation++
		fs.ring.wrap(&s, dataKey)
		if _, err := f.WriteAt(s.append(nil), at); err != nil {
			return err
		}
		return f.Sync()
	}()
	if err := errors.Join(err, f.Close()); err != nil {
		return false, fmt.Errorf("wrapping the key of %s anew: %w", path, err)
	}
	return true, nil
}
