package lsm

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"

	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/cockroachdb/pebble/v2/vfs/errorfs"
)

func openTest(t *testing.T, fs vfs.FS, o Options) *DB {
	t.Helper()
	o.FS = fs
	o.CacheBytes = 1 << 20
	d, err := Open("db", o)
	if err != nil {
		t.Fatal(err)
	}
	return d
}

func closeTest(t *testing.T, d *DB) {
	t.Helper()
	if err := d.Close(); err != nil {
		t.Fatal(err)
	}
}

// TestGoldenKeys holds the layout of keys: it is a format.
func TestGoldenKeys(t *testing.T) {
	if got, want := fmt.Sprintf("%x", AppendBlockKey(nil, 0x0102030405060708, 0x09, 0x0a0b0c0d)), "10"+"0102030405060708"+"09"+"0a0b0c0d"; got != want {
		t.Errorf("block key %s, want %s", got, want)
	}
	if got, want := fmt.Sprintf("%x", catalogKey([]byte("ab"))), "01"+"6162"; got != want {
		t.Errorf("catalogue key %s, want %s", got, want)
	}
	for space, want := range map[Space]string{Catalog: "016162", Trees: "026162", Digests: "036162"} {
		if got := fmt.Sprintf("%x", space.key([]byte("ab"))); got != want {
			t.Errorf("%v key %s, want %s", space, got, want)
		}
	}
	start, end := segmentRange(1<<64 - 1)
	if fmt.Sprintf("%x %x", start, end) != "10ffffffffffffffff 11" {
		t.Errorf("range of the last segment is %x to %x", start, end)
	}
	seg, kind, id, err := ParseBlockKey(AppendBlockKey(nil, 7, 3, 9))
	if seg != 7 || kind != 3 || id != 9 || err != nil {
		t.Errorf("parsed %d %d %d %v", seg, kind, id, err)
	}
	for _, bad := range [][]byte{nil, {prefixSegment}, catalogKey(make([]byte, blockKeyLen-1))} {
		if _, _, _, err := ParseBlockKey(bad); err == nil {
			t.Errorf("key %x was taken", bad)
		}
	}
}

func segmentBlocks(n int) []Block {
	var out []Block
	for kind := range byte(3) {
		for id := range uint32(n) {
			out = append(out, Block{kind, id, []byte(fmt.Sprintf("block %d of kind %d", id, kind))})
		}
	}
	return out
}

// TestSpaces: records of one space are not seen in another, and the last of a
// prefix is found.
func TestSpaces(t *testing.T) {
	d := openTest(t, vfs.NewMem(), Options{})
	defer closeTest(t, d)
	b := d.Batch()
	for _, space := range []Space{Catalog, Trees, Digests} {
		for _, k := range []string{"a1", "a2", "a3", "b"} {
			b.In(space).Set([]byte(k), []byte(fmt.Sprint(space, k)))
		}
	}
	b.In(Trees).Delete([]byte("a3"))
	if err := b.Commit(); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		space              Space
		prefix, from, want string
		last               string
	}{
		{Trees, "a", "", "a1 a2", "a2"}, {Digests, "a", "a2", "a2 a3", "a3"}, {Catalog, "b", "", "b", "b"}, {Trees, "c", "", "", ""},
	} {
		var from []byte
		if c.from != "" {
			from = []byte(c.from)
		}
		var got []string
		err := d.In(c.space).ScanFrom([]byte(c.prefix), from, func(k, v []byte) error {
			got = append(got, string(k))
			if string(v) != fmt.Sprint(c.space, string(k)) {
				t.Errorf("%v %s is %s", c.space, k, v)
			}
			return nil
		})
		if err != nil || strings.Join(got, " ") != c.want {
			t.Errorf("%v %s from %s: %v, %v", c.space, c.prefix, c.from, got, err)
		}
		if k, _, err := d.In(c.space).Last([]byte(c.prefix)); err != nil || string(k) != c.last {
			t.Errorf("last of %v %s: %s, %v", c.space, c.prefix, k, err)
		}
	}
	if _, err := d.In(Trees).Get([]byte("a3")); !errors.Is(err, ErrNotFound) {
		t.Errorf("a deleted record: %v", err)
	}
}

func TestSegmentsAndCatalogue(t *testing.T) {
	fs := vfs.NewMem()
	d := openTest(t, fs, Options{})
	ctx := context.Background()
	for _, n := range []uint64{1, 2, 300} {
		table, err := d.WriteTable(n, segmentBlocks(5))
		if err != nil {
			t.Fatal(err)
		}
		if err := d.Ingest(ctx, table); err != nil {
			t.Fatal(err)
		}
	}
	b := d.Batch()
	b.Set([]byte("k1"), []byte("v1"))
	b.Set([]byte("k2"), []byte("v2"))
	b.Set([]byte("x"), []byte("v3"))
	if err := b.Commit(); err != nil {
		t.Fatal(err)
	}
	check := func(d *DB, want string) {
		t.Helper()
		got, err := d.Orphans(nil)
		if err != nil || fmt.Sprint(got) != want {
			t.Errorf("segments %v, %v, want %s", got, err, want)
		}
		var keys []string
		err = d.Scan([]byte("k"), func(k, v []byte) error {
			keys = append(keys, string(k)+"="+string(v))
			return nil
		})
		if err != nil || strings.Join(keys, " ") != "k1=v1 k2=v2" {
			t.Errorf("catalogue %v, %v", keys, err)
		}
		data, release, err := d.Block(300, 2, 4)
		if err != nil || string(data) != "block 4 of kind 2" {
			t.Errorf("block %q, %v", data, err)
		}
		release()
		if _, release, err := d.Block(300, 2, 5); !errors.Is(err, ErrNotFound) {
			t.Errorf("missing block: %v", err)
		} else {
			release()
		}
		if v, err := d.Get([]byte("x")); err != nil || string(v) != "v3" {
			t.Errorf("get %q, %v", v, err)
		}
		if _, err := d.Get([]byte("y")); !errors.Is(err, ErrNotFound) {
			t.Errorf("get of nothing: %v", err)
		}
		n := 0
		err = d.Blocks(300, 1, 255, func(kind byte, id uint32, data []byte) error {
			if want := fmt.Sprintf("block %d of kind %d", id, kind); kind < 1 || string(data) != want {
				t.Errorf("block %q, want %q", data, want)
			}
			n++
			return nil
		})
		if n != 10 || err != nil {
			t.Errorf("%d blocks, %v", n, err)
		}
	}
	check(d, "[1 2 300]")
	b = d.Batch()
	b.DropSegment(2)
	if err := b.Commit(); err != nil {
		t.Fatal(err)
	}
	check(d, "[1 300]")
	closeTest(t, d)
	d = openTest(t, fs, Options{})
	check(d, "[1 300]")
	closeTest(t, d)
	d = openTest(t, fs, Options{ReadOnly: true})
	check(d, "[1 300]")
	closeTest(t, d)
}

// TestVerifySeesEverythingFirst: a database that is refused is left as it was.
func TestVerifySeesEverythingFirst(t *testing.T) {
	fs := vfs.NewMem()
	closeTest(t, openTest(t, fs, Options{}))
	before, err := fs.List("db")
	if err != nil {
		t.Fatal(err)
	}
	refused := errors.New("refused")
	if _, err := Open("db", Options{FS: fs, Verify: func(d *DB) error { return refused }}); !errors.Is(err, refused) {
		t.Errorf("opening: %v", err)
	}
	after, err := fs.List("db")
	if err != nil {
		t.Fatal(err)
	}
	slices.Sort(before)
	slices.Sort(after)
	if fmt.Sprint(before) != fmt.Sprint(after) {
		t.Errorf("files were %v, are %v", before, after)
	}
	closeTest(t, openTest(t, fs, Options{Verify: func(d *DB) error { return nil }}))
}

// TestStepOutlivesStops has the database stop for good in the middle of reading blocks.
func TestStepOutlivesStops(t *testing.T) {
	d := openTest(t, vfs.NewMem(), Options{})
	for range 2 { // a lake that has stopped is read, too
		if ok, err := d.step(func() bool { return true }); !ok || err != nil {
			t.Errorf("a step: %t, %v", ok, err)
		}
		_, err := d.step(func() bool { d.opts.Logger.Fatalf("level %d contradicts itself", 6); return true })
		if !errors.Is(err, ErrHalted) || !strings.Contains(err.Error(), "level 6 contradicts") {
			t.Errorf("a step that stops it: %v", err)
		}
	}
	closeTest(t, d)
}

// TestHalt: a write of the log that fails ends all writing, reading goes on, and
// the directory can be opened again by the same process.
func TestHalt(t *testing.T) {
	mem := vfs.NewMem()
	var fail atomic.Bool
	fs := errorfs.Wrap(mem, errorfs.InjectorFunc(func(op errorfs.Op) error {
		if fail.Load() && op.Kind == errorfs.OpFileWrite && strings.HasSuffix(op.Path, ".log") {
			return &os.PathError{Op: "write", Path: op.Path, Err: syscall.ENOSPC}
		}
		return nil
	}))
	heard := make(chan error, 1)
	d := openTest(t, fs, Options{OnHalt: func(cause error) { heard <- cause }})
	set := func(d *DB, key string) error {
		b := d.Batch()
		b.Set([]byte(key), bytes.Repeat([]byte("v"), 100))
		return b.Commit()
	}
	if err := set(d, "kept"); err != nil {
		t.Fatal(err)
	}
	fail.Store(true)
	err := set(d, "lost")
	if !errors.Is(err, ErrHalted) || !IsNoSpace(err) {
		t.Errorf("failed write: %v", err)
	}
	if cause := <-heard; !IsNoSpace(cause) {
		t.Errorf("cause %v", cause)
	}
	fail.Store(false)
	if err := set(d, "later"); !errors.Is(err, ErrHalted) {
		t.Errorf("write after the halt: %v", err)
	}
	if _, err := d.Get([]byte("kept")); err != nil {
		t.Errorf("read after the halt: %v", err)
	}
	closeTest(t, d)
	d = openTest(t, fs, Options{})
	if _, err := d.Get([]byte("kept")); err != nil {
		t.Errorf("read after opening again: %v", err)
	}
	if err := set(d, "again"); err != nil {
		t.Errorf("write after opening again: %v", err)
	}
	closeTest(t, d)
}

func TestUnfinishedTablesAreSwept(t *testing.T) {
	fs := vfs.NewMem()
	d := openTest(t, fs, Options{})
	if _, err := d.WriteTable(1, segmentBlocks(1)); err != nil {
		t.Fatal(err)
	}
	closeTest(t, d)
	d = openTest(t, fs, Options{})
	if left, err := fs.List("db/tmp"); err != nil || len(left) > 0 {
		t.Errorf("left over: %v, %v", left, err)
	}
	if got, err := d.Orphans(nil); err != nil || len(got) > 0 {
		t.Errorf("segments %v, %v", got, err)
	}
	closeTest(t, d)
}
