package engine

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/cockroachdb/pebble/v2/vfs"
)

// The files of a lake directory.
const (
	lockFile   = "LOCK"
	formatFile = "FORMAT"
	keysFile   = "KEYS"
	walDir     = "wal"
	dbDir      = "db"
)

// ControlSocket is the name of the socket in a lake's directory by which programs of
// this machine reach the process that has the lake open, if it listens. It is no part
// of the lake.
const ControlSocket = "control.sock"

// FormatVersion is the format of a lake directory that this program reads and
// writes.
//
//	1  WAL version 1, catalogue version 1, segments and indexes version 1
const FormatVersion = 1

// dirLock is the lock on a lake directory.
type dirLock struct{ c io.Closer }

// lockDir locks a lake directory for this process. Who only reads, and may not write there,
// shares the lock with others who do.
func lockDir(fs vfs.FS, dir string, readOnly bool) (*dirLock, error) {
	path := fs.PathJoin(dir, lockFile)
	c, err := fs.Lock(path)
	if cannotWrite(err) {
		if !readOnly {
			return nil, failf(ErrUnavailable, "%w, which all but reading needs: %w", ErrNotWritable, err)
		}
		c, err = lockShared(path)
	}
	if err == nil {
		return &dirLock{c}, nil
	}
	holder := "another process"
	if pid := lockHolder(fs, path); pid != 0 {
		holder = fmt.Sprintf("process %d", pid)
		if pid == os.Getpid() {
			holder = "this process"
		}
	}
	return nil, failf(ErrUnavailable, "directory %s is in use by %s, which has to close it first (%w)", dir, holder, err)
}

// cannotWrite reports whether locking failed before there was a lock to ask for: the file
// can be neither opened for writing nor made. (Its directory is not missing: that was seen to.)
func cannotWrite(err error) bool {
	var path *os.PathError
	return errors.As(err, &path) && !errors.Is(err, os.ErrNotExist)
}

// Close releases the lock.
func (d *dirLock) Close() error {
	if d == nil || d.c == nil {
		return nil
	}
	return d.c.Close()
}

// readFormat returns the format number of a lake, 0 when there is none.
func readFormat(fs vfs.FS, dir string) (int, error) {
	path := fs.PathJoin(dir, formatFile)
	f, err := fs.Open(path)
	if errors.Is(err, os.ErrNotExist) {
		return 0, nil
	}
	if err != nil {
		return 0, fmt.Errorf("opening %s: %w", path, err)
	}
	b, err := io.ReadAll(io.LimitReader(f, formatBytesMax+1))
	if err := errors.Join(err, f.Close()); err != nil {
		return 0, fmt.Errorf("reading %s: %w", path, err)
	}
	if bytes.HasPrefix(b, []byte("CAIRNENC")) {
		return 0, &CorruptionError{Place: fs.PathJoin(dir, keysFile), Err: errors.New("it is missing, but the lake is encrypted: put the key ring back, from a backup if need be")}
	}
	var n int
	text := string(b)
	if _, err := fmt.Sscanf(text, "cairn lake, format %d", &n); err != nil || n < 1 || text != formatText(n) {
		return 0, &CorruptionError{Place: path, Err: fmt.Errorf("it should say %q and says %q", formatText(FormatVersion), text)}
	}
	if n > FormatVersion {
		return 0, failf(ErrUnavailable, "the lake has format %d, this program knows formats up to %d: use a newer program", n, FormatVersion)
	}
	return n, nil
}

// formatBytesMax is far above what a format file holds.
const formatBytesMax = 100

func formatText(n int) string { return fmt.Sprintf("cairn lake, format %d\n", n) }

// writeFormat makes the format file, durably and at once.
func writeFormat(fs vfs.FS, dir string) error {
	path := fs.PathJoin(dir, formatFile)
	tmp := path + ".tmp"
	f, err := fs.Create(tmp, vfs.WriteCategoryUnspecified)
	if err != nil {
		return fmt.Errorf("making %s: %w", tmp, err)
	}
	_, err = io.Copy(f, strings.NewReader(formatText(FormatVersion)))
	if err == nil {
		err = f.Sync()
	}
	if err := errors.Join(err, f.Close()); err != nil {
		return fmt.Errorf("writing %s: %w", tmp, err)
	}
	if err := fs.Rename(tmp, path); err != nil {
		return fmt.Errorf("making %s: %w", path, err)
	}
	return syncDir(fs, dir)
}

// syncDir makes the entries of a directory durable.
func syncDir(fs vfs.FS, dir string) error {
	d, err := fs.OpenDir(dir)
	if err != nil {
		return fmt.Errorf("opening directory %s: %w", dir, err)
	}
	if err := errors.Join(d.Sync(), d.Close()); err != nil {
		return fmt.Errorf("syncing directory %s: %w", dir, err)
	}
	return nil
}
