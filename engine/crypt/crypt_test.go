package crypt

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/cockroachdb/pebble/v2"
	"github.com/cockroachdb/pebble/v2/vfs"

	"github.com/cairndb/cairn/engine/crypt/keeper"
	"github.com/cairndb/cairn/engine/enginetest/crashmem"
	"github.com/cockroachdb/pebble/v2/vfs/errorfs"

	"github.com/cairndb/cairn/wal"
)

var ctx = context.Background()

// testKeeper is a key file in a directory of the test's own.
func testKeeper(t testing.TB) Keeper {
	t.Helper()
	path := filepath.Join(t.TempDir(), "key")
	if err := os.WriteFile(path, keeper.NewKeyFile(), 0o600); err != nil {
		t.Fatal(err)
	}
	k, err := keeper.Open("file:"+path, nil)
	if err != nil {
		t.Fatal(err)
	}
	return k
}

func testFS(t testing.TB, base vfs.FS) *FS {
	t.Helper()
	if err := base.MkdirAll("lake", 0o755); err != nil {
		t.Fatal(err)
	}
	ring, err := CreateRing(ctx, base, "lake/KEYS", testKeeper(t))
	if err != nil {
		t.Fatal(err)
	}
	root, err := base.OpenDir("")
	if err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(root.Sync(), root.Close()); err != nil {
		t.Fatal(err)
	}
	return New(base, "lake", ring)
}

func write(t testing.TB, fs vfs.FS, name string, category vfs.DiskWriteCategory, parts ...[]byte) {
	t.Helper()
	f, err := fs.Create(name, category)
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range parts {
		if _, err := f.Write(bytes.Clone(p)); err != nil {
			t.Fatal(err)
		}
	}
	if err := errors.Join(f.Sync(), f.Close()); err != nil {
		t.Fatal(err)
	}
}

func read(fs vfs.FS, name string) ([]byte, error) {
	f, err := fs.Open(name)
	if err != nil {
		return nil, err
	}
	b, err := io.ReadAll(f)
	return b, errors.Join(err, f.Close())
}

// pattern is a text in which every place can be told from every other.
func pattern(n int) []byte {
	var b bytes.Buffer
	for i := 0; b.Len() < n; i++ {
		fmt.Fprintf(&b, "<%d>", i)
	}
	return b.Bytes()[:n]
}

// sizes around the edges of frames.
var sizes = []int{0, 1, 100, frameBytes - 1, frameBytes, frameBytes + 1, 2*frameBytes - 1, 2 * frameBytes, 5*frameBytes + 77, gatherFrames * frameBytes, 40*frameBytes + 1}

// TestWhatIsWrittenIsRead writes files of both kinds in pieces of any size, and
// reads them whole, in pieces, at random, while they are written and afterwards.
func TestWhatIsWrittenIsRead(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 1))
	for _, category := range []vfs.DiskWriteCategory{vfs.WriteCategoryUnspecified, "wal"} {
		for _, size := range sizes {
			for _, syncs := range []bool{false, true} {
				t.Run(fmt.Sprintf("%s/%d/%v", category, size, syncs), func(t *testing.T) {
					fs := testFS(t, vfs.NewMem())
					want := pattern(size)
					f, err := fs.Create("lake/f", category)
					if err != nil {
						t.Fatal(err)
					}
					for at := 0; at < size; {
						n := min(1+rng.IntN(3*frameBytes), size-at)
						if m, err := f.Write(bytes.Clone(want[at : at+n])); err != nil || m != n {
							t.Fatal(m, err)
						}
						at += n
						if syncs && rng.IntN(2) == 0 {
							if err := f.Sync(); err != nil {
								t.Fatal(err)
							}
						}
						p := make([]byte, 1+rng.IntN(frameBytes*2))
						off := rng.IntN(at)
						m, err := f.ReadAt(p, int64(off))
						if err != nil && err != io.EOF || !bytes.Equal(p[:m], want[off:min(off+len(p), at)]) {
							t.Fatalf("reading %d bytes at %d of %d while writing: %d, %v", len(p), off, at, m, err)
						}
						if info, err := f.Stat(); err != nil || info.Size() != int64(at) {
							t.Fatalf("size %d of %d: %v", info.Size(), at, err)
						}
					}
					if err := errors.Join(f.Sync(), f.Close()); err != nil {
						t.Fatal(err)
					}
					if got, err := read(fs, "lake/f"); err != nil || !bytes.Equal(got, want) {
						t.Fatalf("%d bytes, %v", len(got), err)
					}
					if info, err := fs.Stat("lake/f"); err != nil || info.Size() != int64(size) {
						t.Fatalf("size %d: %v", info.Size(), err)
					}
					r, err := fs.Open("lake/f")
					if err != nil {
						t.Fatal(err)
					}
					defer r.Close()
					for range 50 {
						p := make([]byte, rng.IntN(4*frameBytes))
						off := rng.IntN(size + 10)
						n, err := r.ReadAt(p, int64(off))
						wantBytes := want[min(off, size):min(off+len(p), size)]
						if !bytes.Equal(p[:n], wantBytes) || (err != nil) != (n < len(p)) || err != nil && err != io.EOF {
							t.Fatalf("reading %d bytes at %d: %d, %v", len(p), off, n, err)
						}
					}
					if raw, err := read(fs.FS, "lake/f"); err != nil || size > 50 && bytes.Contains(raw, want[30:50]) {
						t.Fatal("plaintext on disk", err)
					}
				})
			}
		}
	}
}

// TestNames makes sure that what is done to names works, and that files outside the
// root pass through.
func TestNames(t *testing.T) {
	base := vfs.NewMem()
	fs := testFS(t, base)
	write(t, fs, "lake/a", "", []byte("first"))
	write(t, fs, "outside", "", []byte("in the clear"))
	if b, err := read(base, "outside"); err != nil || string(b) != "in the clear" {
		t.Fatalf("%q, %v", b, err)
	}
	if err := errors.Join(fs.Rename("lake/a", "lake/b"), fs.Link("lake/b", "lake/c"), fs.Remove("lake/b")); err != nil {
		t.Fatal(err)
	}
	if b, err := read(fs, "lake/c"); err != nil || string(b) != "first" {
		t.Fatalf("%q, %v", b, err)
	}
	f, err := fs.ReuseForWrite("lake/c", "lake/d", "pebble-wal")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := f.Write([]byte("second")); err != nil {
		t.Fatal(err)
	}
	if _, err := f.WriteAt([]byte("x"), 0); err == nil {
		t.Error("a file may be written twice in one place")
	}
	if err := f.Close(); err != nil {
		t.Fatal(err)
	}
	if _, err := fs.Stat("lake/c"); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("the reused file is still there: %v", err)
	}
	if b, err := read(fs, "lake/d"); err != nil || string(b) != "second" {
		t.Fatalf("%q, %v", b, err)
	}
	if _, err := fs.OpenReadWrite("lake/d", ""); err == nil {
		t.Error("a file that exists may be opened for writing")
	}
	for name, want := range map[string]bool{"lake": true, "lake/x": true, "lake2/x": false, "./lake/x": true, "other": false} {
		if fs.inside(name) != want {
			t.Errorf("inside(%q) = %v", name, !want)
		}
	}
}

// TestRefusals changes files in every way that does not need the key.
func TestRefusals(t *testing.T) {
	base := vfs.NewMem()
	fs := testFS(t, base)
	want := pattern(4*frameBytes + 100)
	write(t, fs, "lake/a", "", want)
	write(t, fs, "lake/b", "", pattern(4*frameBytes + 100)[:4*frameBytes+100])
	write(t, fs, "lake/log", "wal", want[:1000], want[1000:20000], want[20000:])
	a, _ := read(base, "lake/a")
	b, _ := read(base, "lake/b")
	frame := func(f []byte, i int) []byte { return f[headLen+i*frameLen : headLen+(i+1)*frameLen] }
	refused := func(what string, changed []byte) {
		t.Helper()
		write(t, base, "lake/x", "", changed)
		got, err := read(fs, "lake/x")
		var damaged *CorruptError
		var key *KeyError
		if !errors.As(err, &damaged) && !errors.As(err, &key) {
			t.Errorf("%s: %d bytes, error %v", what, len(got), err)
		} else if !strings.Contains(err.Error(), "lake/x") {
			t.Errorf("%s: the error does not name the file: %v", what, err)
		}
		if !bytes.HasPrefix(want, got) {
			t.Errorf("%s: other bytes were read before the error", what)
		}
	}
	changed := bytes.Clone(a)
	copy(frame(changed, 1), frame(a, 2))
	copy(frame(changed, 2), frame(a, 1))
	refused("two frames exchanged", changed)
	changed = bytes.Clone(a)
	copy(frame(changed, 1), frame(a, 2))
	refused("a frame repeated", changed)
	changed = bytes.Clone(a)
	copy(frame(changed, 1), frame(b, 1))
	refused("another file's frame", changed)
	refused("another file's head", append(bytes.Clone(b[:headLen]), a[headLen:]...))
	refused("a frame left out", append(bytes.Clone(a[:headLen+frameLen]), a[headLen+2*frameLen:]...))
	for n := 1; n < len(a); n += 997 {
		if n <= headLen {
			continue
		}
		refused(fmt.Sprintf("cut to %d of %d bytes", n, len(a)), a[:n])
	}
	refused("cut to its head", a[:headLen])
	refused("not encrypted", []byte(strings.Repeat("plain text ", 200)))
	refused("not encrypted and short", []byte("cairn lake, format 1\n"))

	other := testFS(t, vfs.NewMem())
	write(t, other.FS, "lake/x", "", a)
	if _, err := read(other, "lake/x"); !errors.As(err, new(*KeyError)) {
		t.Errorf("another lake's file: %v", err)
	}
}

// TestEveryByte changes every byte of a file of each kind: an error, or the same
// bytes.
func TestEveryByte(t *testing.T) {
	base := vfs.NewMem()
	fs := testFS(t, base)
	want := pattern(frameBytes + 500)
	write(t, fs, "lake/sealed", "", want)
	f, err := fs.Create("lake/log", "wal")
	if err != nil {
		t.Fatal(err)
	}
	for _, to := range []int{300, 5000, len(want)} {
		from := map[int]int{300: 0, 5000: 300, len(want): 5000}[to]
		if _, err := f.Write(bytes.Clone(want[from:to])); err != nil {
			t.Fatal(err)
		}
		if err := f.Sync(); err != nil {
			t.Fatal(err)
		}
	}
	// The mark of package wal: it says what was synced.
	if _, err := f.Write([]byte("mark")); err != nil {
		t.Fatal(err)
	}
	if err := f.Close(); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"lake/sealed", "lake/log"} {
		good, err := read(base, name)
		if err != nil {
			t.Fatal(err)
		}
		plain, err := read(fs, name)
		if err != nil || !bytes.HasPrefix(plain, want) {
			t.Fatal(err)
		}
		markAt := len(good) - frameHeadLen - len("mark") - tagLen
		same, errs := 0, 0
		for i := range good {
			bad := bytes.Clone(good)
			bad[i] ^= 1 << (i % 8)
			write(t, base, "lake/x", "", bad)
			got, err := read(fs, "lake/x")
			switch {
			case err != nil && strings.Contains(err.Error(), "lake/x") && bytes.HasPrefix(plain, got):
				errs++
			case err == nil && bytes.Equal(got, plain):
				same++
			case err == nil && name == "lake/log" && i >= markAt && bytes.Equal(got, want):
				// The mark is not synced: it may be missing.
			default:
				t.Fatalf("%s: byte %d of %d changed: %d bytes, %v", name, i, len(good), len(got), err)
			}
		}
		t.Logf("%s: %d errors, %d harmless", name, errs, same)
		if same > headLen-slotLen {
			t.Errorf("%s: %d bytes do not matter", name, same)
		}
	}
}

// TestTornTail appends, syncs and crashes: what was synced is there, and what is
// there is what was written.
func TestTornTail(t *testing.T) {
	rng := rand.New(rand.NewPCG(7, 7))
	torn := 0
	for round := range 300 {
		mem := crashmem.New()
		fs := testFS(t, mem)
		f, err := fs.Create("lake/log", "wal")
		if err != nil {
			t.Fatal(err)
		}
		for _, d := range []string{"lake", ""} {
			dir, err := mem.OpenDir(d)
			if err != nil {
				t.Fatal(err)
			}
			if err := errors.Join(dir.Sync(), dir.Close()); err != nil {
				t.Fatal(err)
			}
		}
		want := pattern(200_000)
		at, synced := 0, 0
		for range rng.IntN(20) {
			n := min(rng.IntN(20_000), len(want)-at)
			if _, err := f.Write(bytes.Clone(want[at : at+n])); err != nil {
				t.Fatal(err)
			}
			at += n
			if rng.IntN(3) == 0 {
				if err := f.SyncData(); err != nil {
					t.Fatal(err)
				}
				synced = at
			}
		}
		clone := mem.CrashClone(vfs.CrashCloneCfg{UnsyncedDataPercent: rng.IntN(101), RNG: rng})
		got, err := read(New(clone, "lake", fs.ring), "lake/log")
		if err != nil || len(got) < synced || !bytes.HasPrefix(want, got) {
			t.Fatalf("round %d: %d bytes written, %d synced, %d read: %v", round, at, synced, len(got), err)
		}
		if len(got) < at {
			torn++
		}
	}
	if torn < 50 {
		t.Errorf("only %d of 300 files were torn", torn)
	}
}

// TestFailedWrite lets a write fail half way: nothing is sealed under a used number
// afterwards.
func TestFailedWrite(t *testing.T) {
	for _, category := range []vfs.DiskWriteCategory{"", "wal"} {
		mem := vfs.NewMem()
		fail := false
		fs := testFS(t, mem)
		fs.FS = errorfs.Wrap(mem, errorfs.InjectorFunc(func(op errorfs.Op) error {
			if fail && op.Kind == errorfs.OpFileWrite {
				return errorfs.ErrInjected
			}
			return nil
		}))
		f, err := fs.Create("lake/f", category)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := f.Write(pattern(20000)); err != nil {
			t.Fatal(err)
		}
		if err := f.Sync(); err != nil {
			t.Fatal(err)
		}
		fail = true
		_, err = f.Write(pattern(20000))
		if err == nil {
			err = f.Sync()
		}
		if err == nil {
			t.Fatal("a failed write was not reported")
		}
		fail = false
		if _, err := f.Write([]byte("more")); err == nil {
			t.Error("a write after a failed one goes through")
		}
		if err := f.Close(); err != nil {
			t.Fatal(err)
		}
		if b, err := read(fs, "lake/f"); err != nil || !bytes.Equal(b, pattern(20000)) {
			t.Errorf("what was synced before: %d bytes, %v", len(b), err)
		}
	}
}

// TestPebble runs Pebble on encrypted files: load, crash, open, compare.
func TestPebble(t *testing.T) {
	for seed := range uint64(5) {
		mem := crashmem.New()
		fs := testFS(t, mem)
		opts := func(fs vfs.FS) *pebble.Options {
			return &pebble.Options{FS: fs, MemTableSize: 64 << 10, Logger: quiet{}, FormatMajorVersion: pebble.FormatNewest}
		}
		db, err := pebble.Open("lake/db", opts(fs))
		if err != nil {
			t.Fatal(err)
		}
		rng := rand.New(rand.NewPCG(seed, 3))
		model := map[string]string{}
		for i := range 3000 {
			k, v := fmt.Sprintf("key%04d", rng.IntN(2000)), strings.Repeat(fmt.Sprint(i), 1+rng.IntN(50))
			o := pebble.NoSync
			if i%100 == 99 {
				o = pebble.Sync
			}
			if err := db.Set([]byte(k), []byte(v), o); err != nil {
				t.Fatal(err)
			}
			model[k] = v
		}
		if err := db.LogData(nil, pebble.Sync); err != nil {
			t.Fatal(err)
		}
		if err := db.Checkpoint("lake/checkpoint"); err != nil {
			t.Fatal(err)
		}
		clone := mem.CrashClone(vfs.CrashCloneCfg{UnsyncedDataPercent: 50, RNG: rng})
		if err := db.Close(); err != nil {
			t.Fatal(err)
		}
		for _, where := range []struct {
			fs  vfs.FS
			dir string
		}{{fs, "lake/db"}, {fs, "lake/checkpoint"}, {New(clone, "lake", fs.ring), "lake/db"}} {
			db, err := pebble.Open(where.dir, opts(where.fs))
			if err != nil {
				t.Fatal(err)
			}
			for k, want := range model {
				v, c, err := db.Get([]byte(k))
				if err != nil || string(v) != want {
					t.Fatalf("%s is %q, %v", k, v, err)
				}
				c.Close()
			}
			if err := db.Close(); err != nil {
				t.Fatal(err)
			}
		}
	}
}

type quiet struct{}

func (quiet) Infof(string, ...any)  {}
func (quiet) Errorf(string, ...any) {}
func (quiet) Fatalf(format string, args ...any) {
	panic(fmt.Sprintf(format, args...))
}

// TestLog runs the log on encrypted files and crashes it before every write.
func TestLog(t *testing.T) {
	mem := crashmem.New()
	fs := testFS(t, mem)
	rng := rand.New(rand.NewPCG(5, 5))
	acked := 0
	type clone struct {
		fs    vfs.FS
		acked int
	}
	var clones []clone
	fs.FS = errorfs.Wrap(mem, errorfs.InjectorFunc(func(op errorfs.Op) error {
		if op.Kind.ReadOrWrite() == errorfs.OpIsWrite {
			clones = append(clones, clone{mem.CrashClone(vfs.CrashCloneCfg{UnsyncedDataPercent: rng.IntN(101), RNG: rng}), acked})
		}
		return nil
	}))
	open := func(fs vfs.FS) (*wal.Log, int, error) {
		n := 0
		l, _, err := wal.Open(fs, "lake/wal", wal.Options{FileSize: 20_000}, func(_ wal.Position, b []byte) error {
			if want := fmt.Sprintf("record %d ", n); !bytes.HasPrefix(b, []byte(want)) {
				return fmt.Errorf("record %d is %.20q", n, b)
			}
			n++
			return nil
		})
		return l, n, err
	}
	l, _, err := open(fs)
	if err != nil {
		t.Fatal(err)
	}
	for i := range 100 {
		if _, err := l.AppendSync(fmt.Appendf(nil, "record %d ", i), pattern(rng.IntN(3000))); err != nil {
			t.Fatal(err)
		}
		acked++
		if i == 50 {
			if err := l.Close(); err != nil {
				t.Fatal(err)
			}
			if l, _, err = open(fs); err != nil {
				t.Fatal(err)
			}
		}
	}
	if _, err := l.Verify(nil); err != nil {
		t.Fatal(err)
	}
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	t.Logf("%d crashes", len(clones))
	for i, c := range clones {
		l, n, err := open(New(c.fs, "lake", fs.ring))
		if err != nil || n < c.acked || n > c.acked+1 {
			t.Fatalf("crash %d: %d records of %d acknowledged: %v", i, n, c.acked, err)
		}
		if err := l.Close(); err != nil {
			t.Fatal(err)
		}
	}
}
