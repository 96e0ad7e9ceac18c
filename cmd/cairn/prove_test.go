package main

import (
	"bytes"
	"os"
	"path/filepath"
	"testing"

	"golang.org/x/mod/sumdb/note"

	"github.com/cairndb/cairn/engine/digest"
	"github.com/cairndb/cairn/engine/proof"
)

// TestProveConsistency proves a store's growth from one digest to the next and to the
// newest, and to nothing that was not signed.
func TestProveConsistency(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "lake")
	var sizes []uint64
	for i := range 3 {
		must(t, "import", ages(t, 10*i, 10*i+1, 10*i+2), "--dir", dir)
		must(t, "digest", "--dir", dir)
		sizes = append(sizes, uint64(3*i+3))
	}
	grown := func(args ...string) (*proof.Growth, *proof.Checkpoint) {
		t.Helper()
		g, err := proof.ParseGrowth([]byte(must(t, append([]string{"prove", "--consistency", "--dir", dir}, args...)...)))
		if err != nil {
			t.Fatal(err)
		}
		cp, err := g.Check(nil)
		if err != nil {
			t.Fatal(err)
		}
		return g, cp
	}
	if g, cp := grown("3"); g.Older.Size != sizes[0] || cp.Size != sizes[2] {
		t.Errorf("from %d to %d", g.Older.Size, cp.Size)
	}
	between, at := grown("3", "6")
	if between.Older.Size != sizes[0] || at.Size != sizes[1] {
		t.Errorf("from %d to %d", between.Older.Size, at.Size)
	}
	if again, _ := grown("6"); again.Older != at.Head {
		t.Errorf("the tree of six events is %v and %v", again.Older, at.Head)
	}
	// To the very same size, and after retention has dropped what was there first.
	if g, cp := grown("9"); len(g.Path) != 0 || g.Older != cp.Head {
		t.Errorf("from nine to nine: %+v", g)
	}
	must(t, "store", "update", "events", "--retention", "7", "--dir", dir)
	if g, _ := grown("3"); g.Older != between.Older {
		t.Errorf("after a drop the tree of three events is %v, it was %v", g.Older, between.Older)
	}
	out := filepath.Join(t.TempDir(), "proof")
	must(t, "prove", "--consistency", "3", "6", "--out", out, "--dir", dir)
	if b, err := os.ReadFile(out); err != nil || !bytes.Equal(b, between.Format()) {
		t.Errorf("the file has\n%s, %v", b, err)
	}
	says(t, "a size that nobody signed", fails(t, "prove", "--consistency", "3", "5", "--dir", dir), "no checkpoint of store events was signed at 5 events")
	says(t, "more than there are", fails(t, "prove", "--consistency", "10", "--dir", dir), "it has 9")
	says(t, "two events", fails(t, "prove", "a", "b", "--dir", dir), "one event")
	says(t, "no size", fails(t, "prove", "--consistency", "--dir", dir), "number of events")
	says(t, "an event", fails(t, "prove", "--consistency", "3", "--seq", "1", "--dir", dir), "--seq")
	// The key is the lake's.
	ring, err := digest.ParseKeys([]byte(must(t, "key", "export-public", "--dir", dir)))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := between.Check(note.VerifierList(proof.NewVerifier(at.Origin, ring.Keys[0].Public))); err != nil {
		t.Error(err)
	}
}
