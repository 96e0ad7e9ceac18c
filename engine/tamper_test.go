package engine

import (
	"bytes"
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"math/rand/v2"
	"slices"
	"sort"
	"strings"
	"testing"

	"github.com/cockroachdb/pebble/v2/vfs"

	"github.com/cairndb/cairn/engine/enginetest"
)

var (
	tamperSeed  = flag.Uint64("tamper-seed", 1, "seed of TestTampering")
	tamperEvery = flag.Bool("tamper-every", false, "change every byte in TestTampering, not a sample")
)

// readTree returns the files below a directory.
func readTree(t *testing.T, fs vfs.FS, dir string, into map[string][]byte) {
	t.Helper()
	names, err := fs.List(dir)
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range names {
		path := fs.PathJoin(dir, name)
		info, err := fs.Stat(path)
		if err != nil {
			t.Fatal(err)
		}
		if info.IsDir() {
			readTree(t, fs, path, into)
			continue
		}
		f, err := fs.Open(path)
		if err != nil {
			t.Fatal(err)
		}
		b, err := io.ReadAll(f)
		if err := errors.Join(err, f.Close()); err != nil {
			t.Fatal(err)
		}
		into[path] = b
	}
}

func writeTree(t *testing.T, files map[string][]byte) vfs.FS {
	t.Helper()
	fs := vfs.NewMem()
	for path, b := range files {
		writeTest(t, fs, path, b)
	}
	return fs
}

// TestTampering does something to one file of a lake at a time: bytes flipped, zeroed,
// cut off, added, blocks doubled and swapped, the file replaced by another or by what it
// was earlier, or taken away; and a stranger is put beside them. The lake has segments,
// a log, tiles, digests and keys. Allowed are an error that names damage, when the lake is opened or
// when it is read, and the very same answers; nothing else. TestForgery has the checksums
// repaired too.
func TestTampering(t *testing.T) {
	t.Run("clear", func(t *testing.T) { testTampering(t, Options{SegmentRows: 32, NoMerge: true}) })
	t.Run("encrypted", func(t *testing.T) {
		testTampering(t, Options{SegmentRows: 32, NoMerge: true, Keeper: enginetest.OpenKeeper{}})
	})
}

func testTampering(t *testing.T, o Options) {
	want := testEvents(0, 90)
	fs := vfs.NewMem()
	l := openTest(t, fs, o)
	s := storeTest(t, l)
	ctx := context.Background()
	for i := 0; i < 60; i += 20 {
		appendTest(t, s, want[i:i+20])
	}
	waitSealed(t, s, 32)
	sign := func() {
		t.Helper()
		if _, err := s.Digest(ctx); err != nil {
			t.Fatal(err)
		}
	}
	sign()
	if _, err := l.RotateKey(ctx); err != nil {
		t.Fatal(err)
	}
	earlier := map[string][]byte{}
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	readTree(t, fs, "lake", earlier)
	l = openTest(t, fs, o)
	s = storeTest(t, l)
	writeTest(t, fs, logName(1), logFile(want[60:80]))
	importTest(t, l, ImportOptions{Paths: []string{"logs"}})
	waitSealed(t, s, 32)
	sign()
	appendTest(t, s, want[80:])
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	files := map[string][]byte{}
	readTree(t, fs, "lake", files)
	var paths []string
	total := 0
	for p, b := range files {
		if len(b) > 0 {
			paths = append(paths, p)
			total += len(b)
		}
	}
	sort.Strings(paths)
	rng := rand.New(rand.NewPCG(*tamperSeed, 0))
	t.Logf("%d files, %d bytes, seed %d", len(paths), total, *tamperSeed)
	outcomes := map[string]int{}
	try := func(what, path string, change func(b []byte) []byte) {
		t.Helper()
		good, was := files[path]
		files[path] = change(bytes.Clone(good))
		if files[path] == nil {
			delete(files, path)
		}
		outcome, err := tampered(writeTree(t, files), o, want)
		if files[path] = good; !was {
			delete(files, path)
		}
		if err != nil {
			t.Fatalf("%s: %v", what, err)
		}
		outcomes[outcome]++
	}
	for _, path := range paths {
		n := len(files[path])
		flip := func(at int, mask byte) {
			try(fmt.Sprintf("byte %d of %d of %s, bits %02x flipped", at, n, path, mask), path, func(b []byte) []byte {
				b[at] ^= mask
				return b
			})
		}
		if *tamperEvery {
			for at := range n {
				flip(at, 1<<rng.IntN(8))
			}
			continue
		}
		flips, blocks := 12, 3
		if testing.Short() {
			flips, blocks = 4, 1
		}
		for range flips {
			flip(rng.IntN(n), 1<<rng.IntN(8))
		}
		flip(0, 0xff)
		flip(n-1, 0xff)
		if strings.HasSuffix(path, ".wal") {
			// A log cut short is what a power cut leaves; package wal tests where that
			// may happen.
			continue
		}
		block := func(what string, change func(b []byte, at, other, size int) []byte) {
			size := 1 + rng.IntN((n+1)/2)
			at, other := rng.IntN(n-size+1), rng.IntN(n-size+1)
			try(fmt.Sprintf("%s: %d bytes at %d and %d of %d %s", path, size, at, other, n, what), path, func(b []byte) []byte { return change(b, at, other, size) })
		}
		for range blocks {
			block("zeroed", func(b []byte, at, _, size int) []byte { clear(b[at : at+size]); return b })
			block("doubled", func(b []byte, at, _, size int) []byte { return slices.Insert(b, at, bytes.Clone(b[at:at+size])...) })
			block("swapped", func(b []byte, at, other, size int) []byte {
				size = min(size, max(at, other)-min(at, other)) // apart
				for i := range size {
					b[at+i], b[other+i] = b[other+i], b[at+i]
				}
				return b
			})
		}
		cut := rng.IntN(n)
		try(fmt.Sprintf("%s cut from %d to %d bytes", path, n, cut), path, func(b []byte) []byte { return b[:cut] })
		try(fmt.Sprintf("%s longer by 100 bytes", path), path, func(b []byte) []byte { return append(b, b[:100%len(b)]...) })
	}
	for i, path := range paths {
		other := paths[(i+1)%len(paths)]
		for _, p := range paths {
			// Another file of the same sort, if there is one.
			if p != path && p[strings.LastIndexAny(p, "./"):] == path[strings.LastIndexAny(path, "./"):] {
				other = p
			}
		}
		if o.Keeper == nil && strings.HasSuffix(path, formatFile) {
			continue
		}
		try(fmt.Sprintf("%s replaced by %s", path, other), path, func([]byte) []byte { return files[other] })
	}
	for _, path := range paths {
		if old, ok := earlier[path]; ok && !bytes.Equal(old, files[path]) {
			try(path+" as it was earlier", path, func([]byte) []byte { return old })
		}
		try(path+" removed", path, func([]byte) []byte { return nil })
		at := path[:strings.LastIndex(path, "/")+1]
		stranger := at + "000099" + path[strings.LastIndexAny(path, "./"):]
		if strings.HasSuffix(stranger, "/") || files[stranger] != nil {
			continue
		}
		try(path+" a second time, as "+stranger, stranger, func([]byte) []byte { return files[path] })
	}
	t.Logf("outcomes: %v", outcomes)
}

// tampered opens a lake that something was done to and says what came of it.
func tampered(fs vfs.FS, o Options, want [][]byte) (outcome string, err error) {
	ctx := context.Background()
	o.FS = fs
	l, err := Open("lake", &o)
	if err != nil {
		if errors.Is(err, ErrCorrupt) {
			return "refused to open", nil
		}
		return "", fmt.Errorf("refused to open, but the error has no kind: %w", err)
	}
	defer l.Close()
	s, err := l.Store(DefaultStore)
	if err != nil {
		return "", fmt.Errorf("the store is gone, and nobody said so: %w", err)
	}
	if n := s.Events(); n != uint64(len(want)) {
		return "", fmt.Errorf("%d events instead of %d, and nobody said so", n, len(want))
	}
	damaged := false
	for i := range want {
		rec, err := s.Record(ctx, uint64(i))
		if err != nil {
			damaged = true
			continue
		}
		if !bytes.Equal(rec, want[i]) {
			return "", fmt.Errorf("record %d is %s, was %s", i, rec, want[i])
		}
	}
	counts := func(text string, want string) error {
		rows, err := l.Query(ctx, text)
		if err != nil {
			damaged = true
			return nil
		}
		defer rows.Close()
		b, err := rows.Next()
		if err != nil {
			damaged = true
			return nil
		}
		if got := valueText(b.Cols[0], 0); got != want {
			return fmt.Errorf("%s gives %s instead of %s", text, got, want)
		}
		return nil
	}
	err = errors.Join(
		counts("SELECT count(*) FROM events", fmt.Sprint(len(want))),
		counts("SELECT count(distinct eventID) FROM events", fmt.Sprint(len(want))),
		counts("SELECT count(*) FROM events WHERE userIdentity.userName = 'user3'", "13"),
		counts("SELECT count(*) FROM events WHERE eventID = '00000005-0000-4000-8000-000000000005'", "1"),
	)
	if err != nil {
		return "", err
	}
	verified, err := l.Verify(ctx, VerifyOptions{Full: true})
	if err != nil {
		return "", fmt.Errorf("verify: %w", err)
	}
	report, err := l.Check(ctx, CheckOptions{})
	if err != nil {
		return "", fmt.Errorf("check: %w", err)
	}
	switch {
	case verified.ProblemCount > 0 && len(report.Problems) == 0:
		return "", fmt.Errorf("verify finds what check does not: %v", verified.Problems)
	case len(report.Problems) > 0 && damaged:
		return "named by reads and by check", nil
	case len(report.Problems) > 0:
		return "named by check", nil
	case damaged:
		return "", errors.New("reads fail, but check finds nothing")
	}
	return "the same answers", nil
}
