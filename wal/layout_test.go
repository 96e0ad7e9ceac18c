package wal

import (
	"flag"
	"fmt"
	"os"
	"strings"
	"testing"
)

var update = flag.Bool("update", false, "rewrite the golden files in testdata")

// counting is randomness that can be foretold.
type counting byte

func (c *counting) Read(p []byte) (int, error) {
	for i := range p {
		*c++
		p[i] = byte(*c)
	}
	return len(p), nil
}

// dump prints a file with the meaning of each field. It knows the layout from
// the package comment, not from the constants of the code.
func dump(name string, b []byte) string {
	var s strings.Builder
	fmt.Fprintf(&s, "%s, %d bytes\n", name, len(b))
	at := 0
	field := func(n int, meaning string, args ...any) []byte {
		raw := b[at : at+n]
		fmt.Fprintf(&s, "%04d-%04d  %-24x %s\n", at, at+n, raw, fmt.Sprintf(meaning, args...))
		at += n
		return raw
	}
	number := func(n int) uint64 { // little-endian number at the current place
		v := uint64(0)
		for i := n - 1; i >= 0; i-- {
			v = v<<8 | uint64(b[at+i])
		}
		return v
	}
	field(8, "magic %q", b[:8])
	field(4, "format version %d", number(4))
	field(4, "zero")
	field(8, "file number %d", number(8))
	field(8, "salt %016x", number(8))
	field(8, "salt of the file before %016x", number(8))
	field(8, "end of the file before %d", number(8))
	field(8, "birth: ended here when it got its name: %d", number(8))
	field(8, "checksum of the header %016x", number(8))
	for at < len(b) {
		fmt.Fprintln(&s)
		field(3, "frame")
		kind := field(1, "kind %q", b[at])
		length := number(4)
		field(4, "payload length %d", length)
		field(8, "synced up to %d", number(8))
		field(8, "checksum of the payload %016x", number(8))
		field(8, "checksum of the frame at its place %016x", number(8))
		if kind[0] == 'R' {
			field(int(length), "payload %q", b[at:at+int(length)])
		}
	}
	return s.String()
}

// TestLayout fixes every byte of the format. A difference means that logs
// written before cannot be read.
func TestLayout(t *testing.T) {
	fs := newMem(t)
	salts := counting(0)
	l, _, _ := mustOpen(t, fs, Options{FileSize: 260, Rand: &salts})
	mustAppendSync(t, l, "first")
	if _, err := l.Append([]byte("second, "), []byte("in two parts")); err != nil {
		t.Fatal(err)
	}
	mustAppendSync(t, l, "")
	mustAppendSync(t, l, "in a new file")
	if _, err := l.Append([]byte("never synced")); err != nil {
		t.Fatal(err)
	}
	// The process dies here; the next one carries the last record over.
	l, _, _ = mustOpen(t, fs, Options{Rand: &salts})
	mustClose(t, l)
	files := readFiles(t, fs)
	var got []byte
	for _, name := range sorted(files) {
		got = fmt.Appendln(got, dump(name, files[name]))
	}
	compareGolden(t, "testdata/layout.txt", string(got))
}

// compareGolden compares with a file that is meant to be read by people.
func compareGolden(t *testing.T, golden, got string) {
	t.Helper()
	if *update {
		if err := os.WriteFile(golden, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(golden)
	if err != nil {
		t.Fatal(err)
	}
	if got != string(want) {
		t.Errorf("%s differs. It says:\n%s\nNow it is:\n%s", golden, want, got)
	}
}
