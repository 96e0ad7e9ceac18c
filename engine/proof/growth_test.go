package proof

import (
	"bytes"
	"math/rand/v2"
	"testing"
	"time"

	"golang.org/x/mod/sumdb/note"
)

func testGrowth(t testing.TB, d *definition, older, size uint64) *Growth {
	t.Helper()
	head := Head{Size: size, Root: d.root(0, size)}
	cp, err := SignCheckpoint(&Checkpoint{Origin: testOrigin, Head: head, Time: time.Date(2026, 2, 3, 4, 5, 6, 0, time.UTC)}, NewSigner(testOrigin, testKey(1)))
	if err != nil {
		t.Fatal(err)
	}
	path, err := Consistency(older, head, d)
	if err != nil {
		t.Fatal(err)
	}
	return &Growth{Older: Head{Size: older, Root: d.root(0, older)}, Path: path, Checkpoint: cp}
}

// TestGrowth reads and checks consistency proofs of many sizes, and none that was changed.
func TestGrowth(t *testing.T) {
	known := note.VerifierList(NewVerifier(testOrigin, publicKey(1)))
	d := testTree(0)
	rng := rand.New(rand.NewPCG(4, 4))
	for range 60 {
		size := rng.Uint64N(700) + 1
		text := testGrowth(t, d, rng.Uint64N(size+1), size).Format()
		g, err := ParseGrowth(text)
		if err != nil {
			t.Fatal(err)
		}
		if cp, err := g.Check(known); err != nil || cp.Size != size || !bytes.Equal(g.Format(), text) {
			t.Fatalf("%v, %v\n%s", cp, err, text)
		}
		for range 40 {
			changed := mutate(rng, text)
			p, err := ParseGrowth(changed)
			if err == nil {
				_, err = p.Check(known)
			}
			if err == nil {
				t.Fatalf("this passes:\n%s\nfor\n%s", changed, text)
			}
		}
	}
	other := note.VerifierList(NewVerifier(testOrigin, publicKey(2)))
	if _, err := testGrowth(t, d, 3, 7).Check(other); err == nil {
		t.Error("a checkpoint by another key passes")
	}
}

// FuzzGrowth: what is read as a consistency proof is formatted to the same bytes.
func FuzzGrowth(f *testing.F) {
	d := testTree(0)
	for _, sizes := range [][2]uint64{{0, 1}, {1, 1}, {3, 7}, {255, 300}} {
		f.Add(testGrowth(f, d, sizes[0], sizes[1]).Format())
	}
	f.Add([]byte(growthHead + "older 1 \n\n"))
	f.Fuzz(func(t *testing.T, b []byte) {
		g, err := ParseGrowth(b)
		if err != nil {
			return
		}
		if !bytes.Equal(g.Format(), b) {
			t.Errorf("formatted again:\n%s\nwas\n%s", g.Format(), b)
		}
		g.Check(nil)
	})
}
