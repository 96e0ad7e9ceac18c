package wal

import (
	"bytes"
	"errors"
	"fmt"
	"runtime"
	"slices"
	"testing"

	"github.com/cespare/xxhash/v2"
	"github.com/cockroachdb/pebble/v2/vfs"
)

// FuzzRead opens files of any content. Whatever they are: no panic, memory in
// proportion to the input, the same answer from Open and Verify, and what Open
// accepts stays the same when opened again.
func FuzzRead(f *testing.F) {
	fs := newMem(f)
	l, _, _ := mustOpen(f, fs, Options{FileSize: 150})
	for i := range 4 {
		mustAppendSync(f, l, fmt.Sprintf("record %d", i))
	}
	files := readFiles(f, fs)
	f.Add(files["000001.wal"], files["000002.wal"], false)
	f.Add(files["000001.wal"], []byte(nil), true)
	f.Add(files["000001.wal"][:100], []byte(nil), true)
	f.Add(files["000001.wal"], files["000002.wal"][:130], true)
	f.Add([]byte(fileMagic), []byte(fileMagic), false)
	f.Fuzz(func(t *testing.T, first, second []byte, mend bool) {
		if mend {
			// Checksums put right, so that what they cover is reached too.
			first, second = mendFile(first, 1), mendFile(second, 2)
		}
		files := map[string][]byte{"000001.wal": first}
		if len(second) > 0 {
			files["000002.wal"] = second
		}
		fs := memWith(t, files)

		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		var verified []seen
		report, verifyErr := Verify(fs, testDir, collect(&verified))
		runtime.ReadMemStats(&after)
		if grown, limit := after.TotalAlloc-before.TotalAlloc, uint64(4*readBuffer+64*(len(first)+len(second))); grown > limit {
			t.Errorf("took %d bytes of memory for %d bytes of files", grown, len(first)+len(second))
		}
		var got []seen
		l, repair, err := Open(fs, testDir, Options{}, collect(&got))
		if (err == nil) != (verifyErr == nil) {
			t.Fatalf("Open says %v, Verify %v", err, verifyErr)
		}
		if err != nil {
			return
		}
		if !slices.Equal(got, verified) || (repair == nil) != (report.Torn == nil) || repair != nil && *repair != *report.Torn {
			t.Fatalf("Open gives %v and %v, Verify %v and %+v", got, repair, verified, report)
		}
		pos, err := l.AppendSync([]byte("next"))
		if err != nil {
			t.Fatal(err)
		}
		mustClose(t, l)
		_, repair, again := mustOpen(t, fs, Options{})
		if want := append(got, seen{pos, "next"}); repair != nil || !slices.Equal(again, want) {
			t.Fatalf("opened again: %v, %v, want %v", again, repair, want)
		}
	})
}

// mendFile makes the checksums in a file right as far as its structure goes.
func mendFile(b []byte, number uint64) []byte {
	b = bytes.Clone(b)
	if len(b) < headerLen {
		return b
	}
	copy(b, fileMagic)
	le.PutUint32(b[8:], fileVersion)
	le.PutUint32(b[12:], 0)
	le.PutUint64(b[16:], number)
	le.PutUint64(b[56:], xxhash.Sum64(b[:56]))
	h := header{number: number, salt: le.Uint64(b[24:])}
	for at := headerLen; at+frameLen <= len(b); {
		copy(b[at:], frameMagic)
		length := int(min(uint32(len(b)-at-frameLen), le.Uint32(b[at+4:])))
		payload := b[at+frameLen:][:length]
		le.PutUint64(b[at+16:], xxhash.Sum64(payload))
		le.PutUint64(b[at+24:], frameSum(b[at:], &h, int64(at)))
		at += frameLen + length
	}
	return b
}

// FuzzRoundTrip writes records of any content, cut into files of any size, and
// reads them back after a clean end, a kill, and a torn last write.
func FuzzRoundTrip(f *testing.F) {
	f.Add([]byte("one,two,,three"), byte(','), uint16(200), uint16(3))
	f.Add([]byte(frameMagic+"R"+fileMagic), byte(0), uint16(0), uint16(100))
	f.Add(bytes.Repeat([]byte("long "), 1000), byte('x'), uint16(64), uint16(0))
	f.Fuzz(func(t *testing.T, content []byte, separator byte, fileSize, torn uint16) {
		fs := newMem(t)
		l, _, _ := mustOpen(t, fs, Options{FileSize: int64(fileSize) + 1})
		var want []string
		for _, p := range bytes.Split(content, []byte{separator}) {
			mustAppendSync(t, l, string(p))
			want = append(want, string(p))
		}
		killed := readFiles(t, fs)
		mustClose(t, l)
		check := func(what string, fs vfs.FS) {
			var got []seen
			_, _, err := Open(fs, testDir, Options{}, collect(&got))
			if err != nil {
				t.Fatalf("%s: %v", what, err)
			}
			if !slices.Equal(payloads(got), want) {
				t.Fatalf("%s: %q, want %q", what, payloads(got), want)
			}
		}
		check("killed", memWith(t, killed))
		check("closed", fs)

		// Cutting into the last file loses a suffix of its records at most.
		names := sorted(killed)
		last := killed[names[len(names)-1]]
		cut := max(headerLen, len(last)-int(torn))
		killed[names[len(names)-1]] = last[:cut]
		var got []seen
		_, _, err := Open(memWith(t, killed), testDir, Options{}, collect(&got))
		if corrupt := (*CorruptError)(nil); err != nil && !errors.As(err, &corrupt) {
			t.Fatal(err)
		}
		if err != nil || !slices.Equal(payloads(got), want[:len(got)]) {
			t.Fatalf("cut to %d of %d bytes: %q, %v", cut, len(last), payloads(got), err)
		}
	})
}
