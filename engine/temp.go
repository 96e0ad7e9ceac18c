package engine

import (
	"errors"
	"fmt"
	"io"
	"os"
	"sync"
	"sync/atomic"

	"github.com/cockroachdb/pebble/v2/vfs"

	"github.com/cairndb/cairn/sql/exec/spill"
)

// tempDir, in the lake, holds what queries put aside when their memory runs out.
// It is made by the first that does, goes through the lake's file system like
// everything else, and is emptied when the lake is opened: a process that died
// could not remove its files.
const tempDir = "tmp"

// tempFiles gives queries their temporary files. It implements spill.Files.
type tempFiles struct {
	fs   vfs.FS
	dir  string
	next atomic.Uint64
	mu   sync.Mutex
	made bool // the directory is there
}

func newTempFiles(fs vfs.FS, lake string) *tempFiles {
	return &tempFiles{fs: fs, dir: fs.PathJoin(lake, tempDir)}
}

// sweep removes what an earlier process has left.
func (t *tempFiles) sweep() error {
	names, err := t.fs.List(t.dir)
	if errors.Is(err, os.ErrNotExist) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("reading %s: %w", t.dir, err)
	}
	for _, name := range names {
		if err := t.fs.Remove(t.fs.PathJoin(t.dir, name)); err != nil {
			return fmt.Errorf("removing %s: %w", t.fs.PathJoin(t.dir, name), err)
		}
	}
	return nil
}

// Create implements spill.Files.
func (t *tempFiles) Create() (string, io.WriteCloser, error) {
	t.mu.Lock()
	if !t.made {
		if err := t.fs.MkdirAll(t.dir, 0o700); err != nil {
			t.mu.Unlock()
			return "", nil, err
		}
		t.made = true
	}
	t.mu.Unlock()
	name := t.fs.PathJoin(t.dir, fmt.Sprintf("%06d.rows", t.next.Add(1)))
	f, err := t.fs.Create(name, vfs.WriteCategoryUnspecified)
	if err != nil {
		return "", nil, err
	}
	return name, f, nil
}

// Open implements spill.Files.
func (t *tempFiles) Open(name string) (spill.File, error) {
	return t.fs.Open(name, vfs.SequentialReadsOption)
}

// Remove implements spill.Files.
func (t *tempFiles) Remove(name string) error { return t.fs.Remove(name) }
