package engine

import (
	"errors"
	"strings"
	"testing"

	"github.com/cockroachdb/pebble/v2/vfs"
)

// TestLogCutShort cuts the log of a closed lake: what was acknowledged and closed
// must not pass for the torn tail of a crash.
func TestLogCutShort(t *testing.T) {
	fs := vfs.NewMem()
	l := openTest(t, fs, Options{})
	appendTest(t, storeTest(t, l), testEvents(0, 20))
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	l = openTest(t, fs, Options{})
	appendTest(t, storeTest(t, l), testEvents(20, 40))
	dir := l.Dir()
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	whole := map[string][]byte{}
	readTree(t, fs, "/", whole)
	newest := ""
	for name := range whole {
		if strings.HasSuffix(name, ".wal") && name > newest {
			newest = name
		}
	}
	size := len(whole[newest])
	for cut := 0; cut < size; cut += 97 {
		files := map[string][]byte{}
		for name, b := range whole {
			files[name] = b
		}
		files[newest] = whole[newest][:cut]
		fs := writeTree(t, files)
		l, err := Open(dir, &Options{FS: fs})
		if err == nil {
			n := l.Stores()[0].Events()
			l.Close()
			if n != 40 {
				t.Fatalf("the log cut from %d to %d bytes: %d of 40 events are left, and nobody says so", size, cut, n)
			}
			continue
		}
		if !errors.Is(err, ErrCorrupt) {
			t.Fatalf("the log cut from %d to %d bytes: %v", size, cut, err)
		}
		// What is left can be read, and the damage is told.
		l, err = Open(dir, &Options{FS: fs, ReadOnly: true})
		if err != nil {
			t.Fatal(err)
		}
		if len(l.foundDamage) == 0 {
			t.Errorf("the log cut from %d to %d bytes: reading only finds nothing wrong", size, cut)
		}
		if err := l.Close(); err != nil {
			t.Fatal(err)
		}
	}
}
