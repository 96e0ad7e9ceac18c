package lsm

import (
	"context"
	"fmt"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/cockroachdb/pebble/v2/vfs"
)

// tableReads counts what is read of tables.
type tableReads struct {
	vfs.FS
	reads atomic.Int64
}

type tableRead struct {
	vfs.File
	reads *atomic.Int64
}

func (fs *tableReads) Open(name string, opts ...vfs.OpenOption) (vfs.File, error) {
	f, err := fs.FS.Open(name, opts...)
	if err != nil || !strings.HasSuffix(name, ".sst") {
		return f, err
	}
	return &tableRead{f, &fs.reads}, nil
}

func (f *tableRead) ReadAt(p []byte, off int64) (int, error) {
	f.reads.Add(1)
	return f.File.ReadAt(p, off)
}

func ingestTest(t *testing.T, d *DB, segments ...uint64) {
	t.Helper()
	for _, n := range segments {
		table, err := d.WriteTable(n, segmentBlocks(5))
		if err == nil {
			err = d.Ingest(context.Background(), table)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
}

// TestSegmentsAreKnownWithoutReadingThem: an opening asks for every segment, and must not read
// a table for each.
func TestSegmentsAreKnownWithoutReadingThem(t *testing.T) {
	fs := &tableReads{FS: vfs.NewMem()}
	d := openTest(t, fs, Options{})
	ingestTest(t, d, 1, 2, 7, 9)
	closeTest(t, d)
	d = openTest(t, fs, Options{ReadOnly: true})
	defer closeTest(t, d)
	fs.reads.Store(0)
	if missing, err := d.Missing([]uint64{1, 2, 7, 9}); err != nil || len(missing) > 0 {
		t.Errorf("missing %v, %v", missing, err)
	}
	if orphans, err := d.Orphans([]uint64{1, 2, 7, 9}); err != nil || len(orphans) > 0 {
		t.Errorf("orphans %v, %v", orphans, err)
	}
	if missing, err := d.Missing([]uint64{0, 3, 7, 8, 10, ^uint64(0)}); err != nil || fmt.Sprint(missing) != fmt.Sprint([]uint64{0, 3, 8, 10, ^uint64(0)}) {
		t.Errorf("missing %v, %v", missing, err)
	}
	if n := fs.reads.Load(); n > 0 {
		t.Errorf("%d reads of tables", n)
	}
	// Who is not named is looked at: its blocks could be deleted.
	if orphans, err := d.Orphans([]uint64{2, 9, ^uint64(0)}); err != nil || fmt.Sprint(orphans) != "[1 7]" {
		t.Errorf("orphans %v, %v", orphans, err)
	}
	if fs.reads.Load() == 0 {
		t.Error("reads of tables are not seen")
	}
}

// TestSegmentsInCommonTables: what compactions have put together says less by its ends.
func TestSegmentsInCommonTables(t *testing.T) {
	fs := vfs.NewMem()
	d := openTest(t, fs, Options{})
	ingestTest(t, d, 1, 2, 4, 5, 6, 8)
	b := d.Batch()
	b.DropSegment(2)
	b.DropSegment(5)
	b.Set([]byte("k"), []byte("v"))
	if err := b.Commit(); err != nil {
		t.Fatal(err)
	}
	check := func(when string) {
		t.Helper()
		if missing, err := d.Missing([]uint64{1, 2, 4, 6, 7, 8, 9}); err != nil || fmt.Sprint(missing) != "[2 7 9]" && fmt.Sprint(missing) != "[7 9]" {
			t.Errorf("%s: missing %v, %v", when, missing, err)
		}
		if orphans, err := d.Orphans([]uint64{1, 6}); err != nil || fmt.Sprint(orphans) != "[4 8]" {
			t.Errorf("%s: orphans %v, %v", when, orphans, err)
		}
	}
	check("in memory")
	if err := d.Flush(); err != nil {
		t.Fatal(err)
	}
	check("flushed")
	if err := d.db.Compact(context.Background(), []byte{0}, []byte{0xff}, false); err != nil {
		t.Fatal(err)
	}
	check("compacted")
	closeTest(t, d)
	d = openTest(t, fs, Options{})
	check("opened again")
	closeTest(t, d)
}
