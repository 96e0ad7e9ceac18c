package engine

import (
	"context"
	"errors"
	"io"
	"os"
	"syscall"
	"testing"

	"github.com/cockroachdb/pebble/v2/vfs"
)

// readOnlyDisk is a disk that can be read only: a mounted backup, or somebody else's.
type readOnlyDisk struct {
	vfs.FS
	t *testing.T
}

func (d readOnlyDisk) refuse(op, name string) error {
	return &os.PathError{Op: op, Path: name, Err: syscall.EROFS}
}

func (d readOnlyDisk) write(op, name string) error {
	d.t.Errorf("%s of %s on a disk that is read only", op, name)
	return d.refuse(op, name)
}

func (d readOnlyDisk) Create(name string, _ vfs.DiskWriteCategory) (vfs.File, error) {
	return nil, d.write("create", name)
}
func (d readOnlyDisk) OpenReadWrite(name string, _ vfs.DiskWriteCategory, _ ...vfs.OpenOption) (vfs.File, error) {
	return nil, d.write("open for writing", name)
}
func (d readOnlyDisk) Remove(name string) error                  { return d.write("remove", name) }
func (d readOnlyDisk) RemoveAll(name string) error               { return d.write("remove", name) }
func (d readOnlyDisk) Rename(name, _ string) error               { return d.write("rename", name) }
func (d readOnlyDisk) Link(name, _ string) error                 { return d.write("link", name) }
func (d readOnlyDisk) MkdirAll(name string, _ os.FileMode) error { return d.write("mkdir", name) }
func (d readOnlyDisk) Lock(name string) (io.Closer, error) {
	return nil, d.refuse("open", name)
}

// TestReadOnlyDisk reads, proves, verifies and exports where nothing can be written, and says
// so to who wants to write.
func TestReadOnlyDisk(t *testing.T) {
	ctx := context.Background()
	dir := t.TempDir()
	l, err := Open(dir, nil)
	if err != nil {
		t.Fatal(err)
	}
	s, err := l.CreateStore(ctx, "events")
	if err != nil {
		t.Fatal(err)
	}
	var records [][]byte
	for i := range 300 {
		records = append(records, testEvent(i))
	}
	if _, err := s.Append(ctx, records); err != nil {
		t.Fatal(err)
	}
	if _, err := s.Digest(ctx); err != nil {
		t.Fatal(err)
	}
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	disk := readOnlyDisk{vfs.Default, t}
	if _, err := Open(dir, &Options{FS: disk, MustExist: true}); !errors.Is(err, ErrUnavailable) || !errors.Is(err, ErrNotWritable) || !errors.Is(err, syscall.EROFS) {
		t.Errorf("opening for writing: %v", err)
	}
	for _, lock := range []bool{true, false} { // a copy may have no LOCK
		if !lock {
			if err := os.Remove(disk.PathJoin(dir, lockFile)); err != nil {
				t.Fatal(err)
			}
		}
		l, err := Open(dir, &Options{FS: disk, ReadOnly: true})
		if err != nil {
			t.Fatal(err)
		}
		if got := queryTest(t, l, "SELECT count(*) FROM events"); len(got) != 1 || got[0] != "300" {
			t.Errorf("query: %v", got)
		}
		s, err := l.Store("events")
		if err != nil {
			t.Fatal(err)
		}
		if _, err := s.Prove(ctx, 17); err != nil {
			t.Errorf("prove: %v", err)
		}
		if r, err := l.Verify(ctx, VerifyOptions{Full: true}); err != nil || len(r.Problems) > 0 {
			t.Errorf("verify: %v, %v", err, r)
		}
		if r, err := l.Check(ctx, CheckOptions{}); err != nil || len(r.Problems) > 0 {
			t.Errorf("check: %v, %v", err, r)
		}
		if _, err := l.Export(ctx, DirBucket(vfs.Default, t.TempDir()), ExportOptions{}); err != nil {
			t.Errorf("export: %v", err)
		}
		if _, err := s.Append(ctx, records[:1]); !errors.Is(err, ErrUnavailable) {
			t.Errorf("append: %v", err)
		}
		if err := l.Close(); err != nil {
			t.Fatal(err)
		}
	}
}
