package wal

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"maps"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/cockroachdb/pebble/v2/vfs"
)

const testDir = "lake/wal"

// newMem is an empty file system with the parent of testDir, synced.
func newMem(t testing.TB) *vfs.MemFS {
	t.Helper()
	fs := vfs.NewCrashableMem()
	if err := fs.MkdirAll("lake", 0o755); err != nil {
		t.Fatal(err)
	}
	if err := syncDir(fs, "/"); err != nil {
		t.Fatal(err)
	}
	return fs
}

// seen is one replayed record.
type seen struct {
	pos     Position
	payload string
}

func collect(into *[]seen) func(Position, []byte) error {
	return func(pos Position, payload []byte) error {
		*into = append(*into, seen{pos, string(payload)})
		return nil
	}
}

func payloads(s []seen) []string {
	out := make([]string, len(s))
	for i := range s {
		out[i] = s[i].payload
	}
	return out
}

func mustOpen(t testing.TB, fs vfs.FS, opts Options) (*Log, *Repair, []seen) {
	t.Helper()
	var got []seen
	l, repair, err := Open(fs, testDir, opts, collect(&got))
	if err != nil {
		t.Fatalf("Open: %v", err)
	}
	for i := 1; i < len(got); i++ {
		if got[i-1].pos.Compare(got[i].pos) >= 0 {
			t.Fatalf("positions do not ascend: %s, then %s", got[i-1].pos, got[i].pos)
		}
	}
	return l, repair, got
}

func mustAppendSync(t testing.TB, l *Log, payload string) Position {
	t.Helper()
	pos, err := l.AppendSync([]byte(payload))
	if err != nil {
		t.Fatalf("AppendSync: %v", err)
	}
	return pos
}

func mustClose(t testing.TB, l *Log) {
	t.Helper()
	if err := l.Close(); err != nil {
		t.Fatalf("Close: %v", err)
	}
}

// readFiles gives the content of all files in the log's directory.
func readFiles(t testing.TB, fs vfs.FS) map[string][]byte {
	t.Helper()
	names, err := fs.List(testDir)
	if err != nil {
		t.Fatal(err)
	}
	files := map[string][]byte{}
	for _, name := range names {
		f, err := fs.Open(fs.PathJoin(testDir, name))
		if err != nil {
			t.Fatal(err)
		}
		b, err := io.ReadAll(f)
		if err != nil {
			t.Fatal(err)
		}
		files[name] = b
		f.Close()
	}
	return files
}

// memWith is a file system with these files in the log's directory.
func memWith(t testing.TB, files map[string][]byte) *vfs.MemFS {
	t.Helper()
	fs := vfs.NewMem()
	for _, dir := range []string{"lake", testDir} {
		if err := fs.MkdirAll(dir, 0o755); err != nil {
			t.Fatal(err)
		}
	}
	for name, b := range files {
		f, err := fs.Create(fs.PathJoin(testDir, name), writeCategory)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := f.Write(bytes.Clone(b)); err != nil {
			t.Fatal(err)
		}
		f.Close()
	}
	return fs
}

func sorted(m map[string][]byte) []string { return slices.Sorted(maps.Keys(m)) }

func TestAppendReopen(t *testing.T) {
	fs := newMem(t)
	l, repair, got := mustOpen(t, fs, Options{})
	if repair != nil || len(got) != 0 {
		t.Fatalf("a new log gave %v and %v", repair, got)
	}
	if len(l.Files()) != 0 || l.Size() != 0 {
		t.Fatalf("a new log has files %v", l.Files())
	}
	var want []seen
	for i := range 20 {
		first := l.End()
		a, b := []byte(fmt.Sprintf("event %d, ", i)), bytes.Repeat([]byte{byte(i)}, i*i)
		pos, err := l.AppendSync(a, nil, b)
		if err != nil {
			t.Fatal(err)
		}
		if i > 0 && pos.Compare(first) < 0 || pos.Compare(l.End()) >= 0 {
			t.Fatalf("record at %s, ends of the log %s and %s", pos, first, l.End())
		}
		want = append(want, seen{pos, string(a) + string(b)})
	}
	pos, err := l.Append(nil)
	if err != nil {
		t.Fatal(err)
	}
	want = append(want, seen{pos, ""})
	if report, err := l.Verify(nil); err != nil || report.Records != 20 {
		t.Fatalf("Verify of the open log: %+v, %v; the last record is not synced", report, err)
	}
	mustClose(t, l)

	// Positions stay, the file stays, and reopening without appending adds none.
	for range 3 {
		l, repair, got = mustOpen(t, fs, Options{OldestNeeded: 1})
		if repair != nil || !slices.Equal(got, want) {
			t.Fatalf("reopened: repair %v, records %v, want %v", repair, got, want)
		}
		if f := l.Files(); len(f) != 1 || f[0].Number != 1 {
			t.Fatalf("files %v", f)
		}
		var again []seen
		if report, err := l.Verify(collect(&again)); err != nil || report.Records != len(want) || !slices.Equal(again, want) {
			t.Fatalf("Verify: %+v, %v", report, err)
		}
		mustClose(t, l)
	}
	l, _, _ = mustOpen(t, fs, Options{})
	end := l.End()
	if pos := mustAppendSync(t, l, "in the second file"); pos != end || pos.File != 2 {
		t.Fatalf("record at %s, end was %s", pos, end)
	}
	mustClose(t, l)
	_, _, got = mustOpen(t, fs, Options{})
	if len(got) != len(want)+1 || got[len(want)].payload != "in the second file" {
		t.Fatalf("records %v", got)
	}
}

func TestRotateDrop(t *testing.T) {
	fs := newMem(t)
	l, _, _ := mustOpen(t, fs, Options{FileSize: 1000})
	var all []seen
	for i := range 30 {
		p := strings.Repeat(string(rune('a'+i%26)), 200)
		all = append(all, seen{mustAppendSync(t, l, p), p})
	}
	big := strings.Repeat("B", 5000)
	all = append(all, seen{mustAppendSync(t, l, big), big})
	all = append(all, seen{mustAppendSync(t, l, "after"), "after"})
	files := l.Files()
	if len(files) < 10 {
		t.Fatalf("%d files of 1,000 bytes for 30 records of 200", len(files))
	}
	var size int64
	for _, b := range readFiles(t, fs) {
		size += int64(len(b))
		if len(b) > 1100 && len(b) < 5000 {
			t.Errorf("a file of %d bytes", len(b))
		}
	}
	if l.Size() != size {
		t.Errorf("Size is %d, the files have %d bytes", l.Size(), size)
	}
	if all[29].pos.File == all[30].pos.File || all[30].pos.File == all[31].pos.File {
		t.Errorf("the large record shares its file: %v %v %v", all[29].pos, all[30].pos, all[31].pos)
	}

	// Nothing at or behind the position goes, and everything of whole files
	// before it.
	keep := all[17]
	if err := l.Drop(keep.pos); err != nil {
		t.Fatal(err)
	}
	if f := l.Files(); f[0].Number != keep.pos.File {
		t.Errorf("oldest file is %d after dropping before %s", f[0].Number, keep.pos)
	}
	var got []seen
	if _, err := l.Verify(collect(&got)); err != nil {
		t.Fatal(err)
	}
	i := slices.Index(all, got[0])
	if i < 0 || i > 17 || all[i].pos.File != keep.pos.File || !slices.Equal(got, all[i:]) {
		t.Fatalf("after dropping, records from %v", got[0].pos)
	}
	// The newest file stays always.
	if err := l.Drop(Position{File: 1 << 60}); err != nil {
		t.Fatal(err)
	}
	if f := l.Files(); len(f) != 1 {
		t.Errorf("files %v", f)
	}
	mustClose(t, l)
	if _, err := Verify(fs, testDir, nil); err != nil {
		t.Fatal(err)
	}
	_, _, got = mustOpen(t, fs, Options{OldestNeeded: all[31].pos.File})
	if !slices.Equal(got, all[31:]) {
		t.Fatalf("reopened: %v", got)
	}
}

func TestOldestNeeded(t *testing.T) {
	fs := newMem(t)
	var corrupt *CorruptError
	if _, _, err := Open(fs, testDir, Options{OldestNeeded: 2}, nil); !errors.As(err, &corrupt) {
		t.Errorf("an empty log that needs file 2: %v", err)
	}
	l, _, _ := mustOpen(t, fs, Options{FileSize: 200, OldestNeeded: 1})
	for range 5 {
		mustAppendSync(t, l, strings.Repeat("x", 150))
	}
	if err := l.Drop(Position{File: 3}); err != nil {
		t.Fatal(err)
	}
	mustClose(t, l)
	for needed, ok := range map[uint64]bool{0: true, 1: false, 2: false, 3: true, 5: true, 6: true, 7: false} {
		l, _, err := Open(fs, testDir, Options{OldestNeeded: needed}, nil)
		if ok != (err == nil) || !ok && !errors.As(err, &corrupt) {
			t.Errorf("files 3 to 5, file %d needed: %v", needed, err)
		}
		if err == nil {
			mustClose(t, l)
		}
	}
}

// Tampering with whole files is noticed.
func TestFilesExchanged(t *testing.T) {
	build := func() map[string][]byte {
		fs := newMem(t)
		l, _, _ := mustOpen(t, fs, Options{FileSize: 400})
		for i := range 9 {
			mustAppendSync(t, l, fmt.Sprintf("%0150d", i))
		}
		mustClose(t, l)
		return readFiles(t, fs)
	}
	files, other := build(), build()
	names := sorted(files)
	if len(names) < 4 {
		t.Fatalf("only %d files", len(names))
	}
	keep := func(m map[string][]byte, name string) {
		maps.DeleteFunc(m, func(k string, _ []byte) bool { return k != name })
	}
	for what, change := range map[string]func(map[string][]byte){
		"swapped":        func(m map[string][]byte) { m[names[0]], m[names[1]] = m[names[1]], m[names[0]] },
		"copied":         func(m map[string][]byte) { m[names[1]] = m[names[0]] },
		"removed":        func(m map[string][]byte) { delete(m, names[1]) },
		"foreign":        func(m map[string][]byte) { m[names[1]] = other[names[1]] },
		"foreign, last":  func(m map[string][]byte) { m[names[len(names)-1]] = other[names[len(names)-1]] },
		"older self":     func(m map[string][]byte) { m[names[1]] = m[names[1]][:240] },
		"emptied":        func(m map[string][]byte) { m[names[0]] = nil },
		"renamed":        func(m map[string][]byte) { m["000003.wal"] = m["000002.wal"]; keep(m, "000003.wal") },
		"stranger ahead": func(m map[string][]byte) { m["000099.wal"] = m[names[0]] },
	} {
		m := maps.Clone(files)
		change(m)
		var corrupt *CorruptError
		_, _, err := Open(memWith(t, m), testDir, Options{}, nil)
		if !errors.As(err, &corrupt) {
			t.Errorf("%s: %v", what, err)
			continue
		}
		if what == "removed" && !strings.HasSuffix(corrupt.File, names[1]) {
			t.Errorf("file %s is missing: %v", names[1], err)
		}
		if !strings.Contains(err.Error(), corrupt.File) || !strings.HasPrefix(corrupt.File, testDir) {
			t.Errorf("%s: the error does not name the file: %v", what, err)
		}
	}
	// Names that are not ours do not matter.
	m := maps.Clone(files)
	m["000003.wal.bak"], m["3.wal"], m["notes.txt"] = m[names[0]], m[names[0]], nil
	if _, _, got := mustOpen(t, memWith(t, m), Options{}); len(got) != 9 {
		t.Errorf("%d records", len(got))
	}
}

func TestRefusals(t *testing.T) {
	l, _, _ := mustOpen(t, newMem(t), Options{})
	part := make([]byte, MaxRecord/4+1)
	if _, err := l.AppendSync(part, part, part, part); !errors.Is(err, ErrTooLarge) {
		t.Errorf("too large a record: %v", err)
	}
	mustAppendSync(t, l, "a")
	mustClose(t, l)
	_, appendErr := l.Append(nil)
	_, appendSyncErr := l.AppendSync(nil)
	_, verifyErr := l.Verify(nil)
	for what, err := range map[string]error{
		"Append": appendErr, "AppendSync": appendSyncErr, "Sync": l.Sync(),
		"Drop": l.Drop(Position{File: 9}), "Verify": verifyErr, "Close": l.Close(),
	} {
		if !errors.Is(err, ErrClosed) {
			t.Errorf("%s after Close: %v", what, err)
		}
	}
}

func TestReplayErrorStops(t *testing.T) {
	fs := newMem(t)
	l, _, _ := mustOpen(t, fs, Options{})
	mustAppendSync(t, l, "a")
	mustAppendSync(t, l, "b")
	mustClose(t, l)
	stop := errors.New("not mine")
	n := 0
	_, _, err := Open(fs, testDir, Options{}, func(Position, []byte) error { n++; return stop })
	if !errors.Is(err, stop) || n != 1 {
		t.Errorf("error %v after %d records", err, n)
	}
}

func TestConcurrentUse(t *testing.T) {
	fs := newMem(t)
	l, _, _ := mustOpen(t, fs, Options{FileSize: 2000})
	const writers, each = 4, 100
	done := make(chan error)
	for w := range writers {
		go func() {
			var err error
			for i := 0; i < each && err == nil; i++ {
				_, err = l.AppendSync([]byte(fmt.Sprintf("%d:%d", w, i)))
			}
			done <- err
		}()
	}
	for range 50 {
		if _, err := l.Verify(nil); err != nil {
			t.Error(err)
		}
		l.Size()
		if f := l.Files(); len(f) > 3 {
			if err := l.Drop(Position{File: f[0].Number}); err != nil {
				t.Error(err)
			}
		}
		l.End()
	}
	for range writers {
		if err := <-done; err != nil {
			t.Fatal(err)
		}
	}
	mustClose(t, l)
	_, _, got := mustOpen(t, fs, Options{})
	if len(got) != writers*each {
		t.Fatalf("%d records, want %d", len(got), writers*each)
	}
	next := [writers]int{}
	for _, s := range got {
		var w, i int
		fmt.Sscanf(s.payload, "%d:%d", &w, &i)
		if next[w] != i {
			t.Fatalf("record %d of writer %d where %d was expected", i, w, next[w])
		}
		next[w]++
	}
}

// numbered is a payload that says its number and which attempt at it this is,
// and fills up to some hundred bytes from them.
func numbered(number, attempt uint64) []byte {
	rng := rand.New(rand.NewPCG(number, attempt))
	b := binary.LittleEndian.AppendUint64(nil, number)
	b = binary.LittleEndian.AppendUint64(b, attempt)
	for range rng.IntN(300) {
		b = append(b, byte(rng.Uint32()))
	}
	return b
}

func parseNumbered(b []byte) (number, attempt uint64, err error) {
	if len(b) < 16 {
		return 0, 0, fmt.Errorf("a payload of %d bytes that nobody wrote", len(b))
	}
	number, attempt = binary.LittleEndian.Uint64(b), binary.LittleEndian.Uint64(b[8:])
	if !bytes.Equal(b, numbered(number, attempt)) {
		return 0, 0, fmt.Errorf("record %d was changed", number)
	}
	return number, attempt, nil
}
