package wal

import (
	"bytes"
	"errors"
	"fmt"
	"maps"
	"strings"
	"testing"

	"github.com/cockroachdb/pebble/v2/vfs"
)

// threeFiles is a log as a killed process leaves it: every record acknowledged,
// not closed. want are its records, ends where each ends in its file.
func threeFiles(t *testing.T) (files map[string][]byte, names []string, want []seen, ends []int64) {
	t.Helper()
	fs := newMem(t)
	l, _, _ := mustOpen(t, fs, Options{FileSize: 300})
	for i := range 7 {
		p := fmt.Sprintf("%d%s", i, strings.Repeat("-", i*7))
		pos := mustAppendSync(t, l, p)
		want = append(want, seen{pos, p})
		ends = append(ends, pos.Offset+frameLen+int64(len(p)))
	}
	files = readFiles(t, fs)
	return files, sorted(files), want, ends
}

// Cut anywhere, the last file gives its longest whole prefix; any other file is
// damaged if it loses a byte that was synced.
func TestTruncation(t *testing.T) {
	files, names, want, ends := threeFiles(t)
	if len(names) != 3 {
		t.Fatalf("files %v", names)
	}
	for fi, name := range names {
		for cut := range len(files[name]) {
			m := maps.Clone(files)
			m[name] = files[name][:cut]
			var got []seen
			l, repair, err := Open(memWith(t, m), testDir, Options{}, collect(&got))
			var corrupt *CorruptError
			number := uint64(fi + 1)
			// needed is the end of the last record in this file.
			var needed int64
			var whole []string
			boundary := cut == headerLen
			for i, s := range want {
				end := ends[i]
				if s.pos.File == number {
					needed = end
					boundary = boundary || int64(cut) == end || int64(cut) == end+frameLen
				}
				if s.pos.File < number || s.pos.File == number && end <= int64(cut) {
					whole = append(whole, s.payload)
				}
			}
			if cut < headerLen || fi < len(names)-1 && int64(cut) < needed {
				if !errors.As(err, &corrupt) || !strings.HasSuffix(corrupt.File, name) {
					t.Fatalf("%s cut to %d bytes: %v", name, cut, err)
				}
				continue
			}
			if err != nil {
				t.Fatalf("%s cut to %d bytes: %v", name, cut, err)
			}
			if fi < len(names)-1 {
				whole = payloads(want)
			}
			if fmt.Sprint(payloads(got)) != fmt.Sprint(whole) {
				t.Fatalf("%s cut to %d bytes: records %q, want %q", name, cut, payloads(got), whole)
			}
			torn := fi == len(names)-1 && !boundary
			if torn != (repair != nil) {
				t.Fatalf("%s cut to %d bytes: repair %v", name, cut, repair)
			}
			if torn && (repair.Offset+repair.Dropped != int64(cut) || repair.Dropped <= 0 || !strings.HasSuffix(repair.File, name)) {
				t.Fatalf("%s cut to %d bytes: repair %+v", name, cut, repair)
			}
			// The repaired log goes on, and what was cut off stays away.
			mustAppendSync(t, l, "next")
			fs := l.fs
			mustClose(t, l)
			_, repair, again := mustOpen(t, fs, Options{})
			if repair != nil || fmt.Sprint(payloads(again)) != fmt.Sprint(append(whole, "next")) {
				t.Fatalf("%s cut to %d bytes, reopened: %v, %q", name, cut, repair, payloads(again))
			}
		}
	}
}

// Every changed byte is either named or does not matter. It does not matter
// only in the mark at the very end, and in the mark that a finished file no
// longer needs.
func TestDamage(t *testing.T) {
	files, names, want, ends := threeFiles(t)
	for fi, name := range names {
		lastRecord := int64(0)
		for i, s := range want {
			if s.pos.File == uint64(fi+1) {
				lastRecord = ends[i]
			}
		}
		for off := range files[name] {
			old := files[name][off]
			changed := []byte{0, 255}
			for bit := range 8 {
				changed = append(changed, old^1<<bit)
			}
			for _, b := range changed {
				if b == old {
					continue
				}
				m := maps.Clone(files)
				m[name] = bytes.Clone(files[name])
				m[name][off] = b
				fs := memWith(t, m)
				var got []seen
				_, _, err := Open(fs, testDir, Options{}, collect(&got))
				_, verifyErr := Verify(fs, testDir, nil)
				if int64(off) >= lastRecord {
					if err != nil || verifyErr != nil || fmt.Sprint(payloads(got)) != fmt.Sprint(payloads(want)) {
						t.Fatalf("%s byte %d %#02x to %#02x: %v, %v, %q", name, off, old, b, err, verifyErr, payloads(got))
					}
					continue
				}
				for _, err := range []error{err, verifyErr} {
					if err == nil {
						t.Fatalf("%s byte %d %#02x to %#02x went unnoticed", name, off, old, b)
					}
					var corrupt *CorruptError
					if errors.As(err, &corrupt) {
						if !strings.HasPrefix(corrupt.File, testDir) || corrupt.Offset > int64(off) && off >= headerLen {
							t.Fatalf("%s byte %d: the error names another place: %v", name, off, err)
						}
					} else if off < 8 || off >= 12 || !strings.Contains(err.Error(), name) {
						// Only the version has an error of another kind.
						t.Fatalf("%s byte %d: %v", name, off, err)
					}
				}
			}
		}
	}
}

// What is good before the damage can still be read, in order.
func TestVerifyShowsTheGoodPart(t *testing.T) {
	files, names, want, _ := threeFiles(t)
	for i, s := range want {
		m := maps.Clone(files)
		name := names[s.pos.File-1]
		m[name] = bytes.Clone(files[name])
		m[name][s.pos.Offset+frameLen] ^= 4
		var got []seen
		report, err := Verify(memWith(t, m), testDir, collect(&got))
		var corrupt *CorruptError
		if !errors.As(err, &corrupt) || corrupt.Offset != s.pos.Offset {
			t.Fatalf("record %d damaged: %v", i, err)
		}
		if fmt.Sprint(got) != fmt.Sprint(want[:i]) || report.Records != i {
			t.Fatalf("record %d damaged: %q were shown, report %+v", i, payloads(got), report)
		}
	}
}

// Garbage behind the end is cut off, whatever it is: also a copy of good
// frames from elsewhere.
func TestGarbageBehindTheEnd(t *testing.T) {
	files, names, want, _ := threeFiles(t)
	last := names[len(names)-1]
	for what, garbage := range map[string][]byte{
		"zeros":        make([]byte, 5000),
		"ones":         bytes.Repeat([]byte{255}, 77),
		"one byte":     {frameMagic[0]},
		"frame magic":  bytes.Repeat([]byte(frameMagic), 100000),
		"own frames":   files[last][headerLen:],
		"other frames": files[names[0]][headerLen:],
		"a file":       files[names[0]],
	} {
		m := maps.Clone(files)
		m[last] = append(bytes.Clone(files[last]), garbage...)
		fs := memWith(t, m)
		report, err := Verify(fs, testDir, nil)
		if err != nil || report.Torn == nil || report.Torn.Dropped != int64(len(garbage)) || report.Records != len(want) {
			t.Errorf("%s: %+v, %v", what, report, err)
		}
		l, repair, got := mustOpen(t, fs, Options{})
		if repair == nil || *repair != *report.Torn || repair.Offset != int64(len(files[last])) {
			t.Errorf("%s: repair %v", what, repair)
		}
		if fmt.Sprint(got) != fmt.Sprint(want) {
			t.Errorf("%s: %q", what, payloads(got))
		}
		if _, err := l.Verify(nil); err != nil {
			t.Errorf("%s: %v", what, err)
		}
	}
}

// A frame whose synced offset lies inside a record can only be made by hand.
func TestSyncedInsideRecord(t *testing.T) {
	h := header{number: 1, salt: 5, birth: headerLen}
	b := h.append(nil)
	b = appendRecord(b, &h, int64(len(b)), headerLen, []byte("one"))
	b = appendRecord(b, &h, int64(len(b)), headerLen+10, []byte("two"))
	var corrupt *CorruptError
	_, _, err := Open(memWith(t, map[string][]byte{fileName(1): b}), testDir, Options{}, nil)
	if !errors.As(err, &corrupt) || corrupt.Offset != headerLen {
		t.Errorf("%v", err)
	}
}

// A closed log knows after power loss, too, that its last record was synced.
func TestDamageAfterClose(t *testing.T) {
	fs := newMem(t)
	l, _, _ := mustOpen(t, fs, Options{})
	pos := mustAppendSync(t, l, "acknowledged")
	mustClose(t, l)
	files := readFiles(t, fs.CrashClone(vfs.CrashCloneCfg{}))
	files["000001.wal"][pos.Offset+frameLen] ^= 1
	var corrupt *CorruptError
	if _, _, err := Open(memWith(t, files), testDir, Options{}, nil); !errors.As(err, &corrupt) || corrupt.Offset != pos.Offset {
		t.Errorf("%v", err)
	}
}

// The frame that proves that a damaged record was synced is found wherever it
// lies in what is read at once.
func TestDamageFarFromItsWitness(t *testing.T) {
	for before := range frameLen + 2 {
		fs := newMem(t)
		l, _, _ := mustOpen(t, fs, Options{})
		// The search begins a byte behind the record's first.
		pos := mustAppendSync(t, l, strings.Repeat("x", readBuffer+1-before-frameLen))
		mustAppendSync(t, l, strings.Repeat("y", readBuffer))
		files := readFiles(t, fs)
		// Only the mark is left to tell.
		b := files["000001.wal"][:pos.Offset+int64(readBuffer)+1-int64(before)+frameLen]
		b = append(b, make([]byte, readBuffer)...)
		b[pos.Offset+frameLen+5] ^= 1
		var corrupt *CorruptError
		if _, _, err := Open(memWith(t, map[string][]byte{"000001.wal": b}), testDir, Options{}, nil); !errors.As(err, &corrupt) || corrupt.Offset != pos.Offset {
			t.Fatalf("mark %d bytes before the end of the first read: %v", before, err)
		}
	}
}

// So can a file whose end, as the next one has it, lies inside a record.
func TestEndInsideRecord(t *testing.T) {
	for end, ok := range map[int64]bool{headerLen: true, headerLen + 1: false, headerLen + frameLen + 1: false, headerLen + frameLen + 3: true, headerLen + frameLen + 4: false} {
		first := header{number: 1, salt: 5, birth: headerLen}
		second := header{number: 2, salt: 6, prevSalt: 5, prevEnd: end, birth: headerLen}
		files := map[string][]byte{
			fileName(1): appendRecord(first.append(nil), &first, headerLen, headerLen, []byte("one")),
			fileName(2): second.append(nil),
		}
		var corrupt *CorruptError
		_, _, err := Open(memWith(t, files), testDir, Options{}, nil)
		if ok != (err == nil) || !ok && !errors.As(err, &corrupt) {
			t.Errorf("end %d: %v", end, err)
		}
	}
}
