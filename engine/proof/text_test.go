package proof

import (
	"bytes"
	"crypto/ed25519"
	"errors"
	"flag"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"golang.org/x/mod/sumdb/note"
)

var mutations = flag.Int("mutations", 2_000, "how many changes TestMutations tries")

const testOrigin = "cairn/00000000-0000-4000-8000-000000000001"

// testKey returns the key number n.
func testKey(n byte) ed25519.PrivateKey {
	return ed25519.NewKeyFromSeed(bytes.Repeat([]byte{n}, ed25519.SeedSize))
}

func publicKey(n byte) ed25519.PublicKey { return testKey(n).Public().(ed25519.PublicKey) }

func testRecord(i uint64) []byte {
	return fmt.Appendf(nil, `{"eventID":"%d","eventName":"GetObject"}`, i)
}

func testTree(size uint64) *definition {
	return &definition{leaf: func(i uint64) Hash { return LeafHash(testRecord(i)) }, known: make(map[[2]uint64]Hash)}
}

func testReceipt(t testing.TB, d *definition, size, index uint64) *Receipt {
	t.Helper()
	head := Head{Size: size, Root: d.root(0, size)}
	cp, err := SignCheckpoint(&Checkpoint{Origin: testOrigin, Head: head, Time: time.Date(2026, 2, 3, 4, 5, 6, 0, time.UTC)}, NewSigner(testOrigin, testKey(1)))
	if err != nil {
		t.Fatal(err)
	}
	path, err := Inclusion(head, index, d)
	if err != nil {
		t.Fatal(err)
	}
	return &Receipt{Leaf: d.leaf(index), Index: index, Path: path, Checkpoint: cp}
}

// TestCheckpointForm holds the bytes of a checkpoint and has the library read them
// by the key's text form, as anybody else would.
func TestCheckpointForm(t *testing.T) {
	r := testReceipt(t, testTree(5), 5, 2)
	const want = testOrigin + `
5
qvIb94TuM4X4NP55OGEWyGLLYKpBOvhllczsY51aCnw=
time 2026-02-03T04:05:06Z

`
	if !strings.HasPrefix(string(r.Checkpoint), want) {
		t.Errorf("the checkpoint is\n%s, should begin\n%s", r.Checkpoint, want)
	}
	v, err := note.NewVerifier(VerifierKey(testOrigin, publicKey(1)))
	if err != nil {
		t.Fatal(err)
	}
	cp, err := OpenCheckpoint(r.Checkpoint, note.VerifierList(v))
	if err != nil {
		t.Fatal(err)
	}
	if cp.Text() != strings.SplitAfter(string(r.Checkpoint), "Z\n")[0] {
		t.Errorf("formatted again it is %q", cp.Text())
	}
	for _, other := range []note.Verifiers{
		note.VerifierList(), note.VerifierList(NewVerifier(testOrigin, publicKey(2))), note.VerifierList(NewVerifier("cairn/other", publicKey(1))),
	} {
		if _, err := OpenCheckpoint(r.Checkpoint, other); !errors.Is(err, ErrUnsigned) {
			t.Errorf("with other keys: %v", err)
		}
	}
	if _, err := r.Check(testRecord(2), note.VerifierList(v)); err != nil {
		t.Error(err)
	}
	if _, err := r.Check(testRecord(3), note.VerifierList(v)); !errors.Is(err, ErrOtherRecord) {
		t.Errorf("another record: %v", err)
	}
}

func TestParseCheckpointRefuses(t *testing.T) {
	root := "2HznpeJzDHz3XlvfYcjGjXw+xeSVbwEv5FqGWEYE+eE="
	for _, text := range []string{
		"", "\n", "a\n5\n" + root + "\n", "a\n5\n" + root + "\ntime 2026-02-03T04:05:06Z", "a\n5\n" + root + "\ntime 2026-02-03T04:05:06Z\nmore\n",
		"a b\n5\n" + root + "\ntime 2026-02-03T04:05:06Z\n", "a+\n5\n" + root + "\ntime 2026-02-03T04:05:06Z\n",
		"a\n05\n" + root + "\ntime 2026-02-03T04:05:06Z\n", "a\n-5\n" + root + "\ntime 2026-02-03T04:05:06Z\n",
		"a\n1152921504606846976\n" + root + "\ntime 2026-02-03T04:05:06Z\n", "a\n0\n" + root + "\ntime 2026-02-03T04:05:06Z\n",
		"a\n5\n" + root[:43] + "\ntime 2026-02-03T04:05:06Z\n", "a\n5\n" + strings.Replace(root, "eE=", "eF=", 1) + "\ntime 2026-02-03T04:05:06Z\n",
		"a\n5\n" + root + "\n2026-02-03T04:05:06Z\n", "a\n5\n" + root + "\ntime 2026-02-30T04:05:06Z\n", "a\n5\n" + root + "\ntime 2026-02-03T04:05:06.5Z\n",
	} {
		if c, err := ParseCheckpoint(text); err == nil {
			t.Errorf("%q is taken for %+v", text, c)
		}
	}
}

func TestVerifierKeys(t *testing.T) {
	for _, cosigner := range []bool{false, true} {
		s := VerifierKey("w.example/1", publicKey(3))
		if cosigner {
			s = CosignerKey("w.example/1", publicKey(3))
		}
		name, key, is, err := ParseVerifierKey(s)
		if err != nil || name != "w.example/1" || !key.Equal(publicKey(3)) || is != cosigner {
			t.Errorf("%s is read as %s %x %v, %v", s, name, key, is, err)
		}
		for i := range s {
			b := []byte(s)
			b[i] ^= 1
			if name, key, is, err := ParseVerifierKey(string(b)); err == nil && name == "w.example/1" && key.Equal(publicKey(3)) && is == cosigner {
				t.Errorf("%s is read like %s", b, s)
			}
		}
	}
}

func TestCosignatures(t *testing.T) {
	r := testReceipt(t, testTree(5), 5, 2)
	text, _, _ := strings.Cut(string(r.Checkpoint), "\n\n")
	at := time.Unix(1_770_000_000, 0).UTC()
	lines := Cosign("other.example", testKey(8), text+"\n", at) + Cosign("w.example", testKey(7), text+"\n", at)
	w := CosignatureVerifier("w.example", publicKey(7))
	msg, added, err := AddCosignatures(r.Checkpoint, []byte(lines), w)
	if err != nil || len(added) != 1 || added[0] != (Cosignature{"w.example", at}) {
		t.Fatalf("%v, %v", added, err)
	}
	if _, err := OpenCheckpoint(msg, note.VerifierList(w)); err != nil {
		t.Errorf("by the witness's key: %v", err)
	}
	if again, _, err := AddCosignatures(msg, []byte(lines), w); err != nil || !bytes.Equal(again, msg) {
		t.Errorf("added twice: %v\n%s", err, again)
	}
	if _, _, err := AddCosignatures(r.Checkpoint, []byte(lines), CosignatureVerifier("w.example", publicKey(8))); !errors.Is(err, ErrUnsigned) {
		t.Errorf("no known witness: %v", err)
	}
	wrong := Cosign("w.example", testKey(7), "another text\n", at)
	if _, _, err := AddCosignatures(r.Checkpoint, []byte(wrong), w); !errors.Is(err, ErrMismatch) {
		t.Errorf("a cosignature of something else: %v", err)
	}
}

// TestMutations changes records, receipts, checkpoints with their signatures,
// consistency proofs and tiles; each change must be noticed.
//
//	go test ./engine/proof -run TestMutations -mutations 1000000
func TestMutations(t *testing.T) {
	rng := rand.New(rand.NewPCG(uint64(*mutations), 9))
	known := note.VerifierList(NewVerifier(testOrigin, publicKey(1)))
	d := testTree(0)
	tried := map[string]int{}
	for n := 0; n < *mutations; {
		size := rng.Uint64N(700) + 1
		index := rng.Uint64N(size)
		r := testReceipt(t, d, size, index)
		text, record := r.Format(), testRecord(index)
		older := rng.Uint64N(size) + 1
		head, old := Head{size, d.root(0, size)}, Head{older, d.root(0, older)}
		path, err := Consistency(older, head, d)
		if err != nil {
			t.Fatal(err)
		}
		for range 200 {
			n++
			switch kind := rng.IntN(4); kind {
			case 0:
				b := mutate(rng, record)
				if _, err := r.Check(b, known); err == nil {
					t.Fatalf("record %s passes for %s", b, record)
				}
				tried["record"]++
			case 1:
				b := mutate(rng, text)
				p, err := ParseReceipt(b)
				if err == nil {
					_, err = p.Check(record, known)
				}
				if err == nil {
					t.Fatalf("receipt\n%s\npasses for\n%s", b, text)
				}
				tried["receipt"]++
			case 2:
				b := mutate(rng, r.Checkpoint)
				if _, err := OpenCheckpoint(b, known); err == nil {
					t.Fatalf("checkpoint\n%s\npasses for\n%s", b, r.Checkpoint)
				}
				tried["checkpoint"]++
			case 3:
				all := slices.Concat(path, []Hash{old.Root, head.Root})
				i := rng.IntN(len(all))
				all[i][rng.IntN(HashSize)] ^= 1 << rng.IntN(8)
				if err := CheckConsistency(all[:len(path)], Head{older, all[len(path)]}, Head{size, all[len(path)+1]}); err == nil {
					t.Fatalf("%d to %d: changed hash %d passes", older, size, i)
				}
				tried["consistency"]++
			}
		}
		// A flipped bit in a tile gives no proof; a tree of one leaf needs no tile for
		// its proof, which is empty.
		bad := changedTiles{d, rng}
		for range 20 {
			n++
			tried["tile"]++
			if got, err := Inclusion(head, index, bad); err == nil && !(size == 1 && len(got) == 0) {
				t.Fatalf("changed tiles of %d leaves give a proof", size)
			}
		}
	}
	t.Logf("all noticed: %v", tried)
}

// mutate changes bytes: mostly one bit, else a byte, a stretch taken out, doubled or
// copied from elsewhere, or the end. What it gives differs from what it got.
func mutate(rng *rand.Rand, b []byte) []byte {
	for {
		at := rng.IntN(len(b))
		end := min(len(b), at+1+rng.IntN(40))
		var out []byte
		switch rng.IntN(12) {
		case 0:
			out = slices.Concat(b[:at], []byte{byte(rng.Uint32())}, b[at+1:])
		case 1:
			out = slices.Concat(b[:at], b[end:])
		case 2:
			out = slices.Concat(b[:end], b[at:])
		case 3:
			from := rng.IntN(len(b) - (end - at) + 1)
			out = slices.Concat(b[:at], b[from:from+end-at], b[end:])
		case 4:
			out = bytes.Clone(b[:at])
		default:
			out = bytes.Clone(b)
			out[at] ^= 1 << rng.IntN(8)
		}
		if !bytes.Equal(out, b) {
			return out
		}
	}
}

// changedTiles flips a bit of every tile that it gives.
type changedTiles struct {
	Tiles
	rng *rand.Rand
}

func (c changedTiles) Tile(id TileID, width int) ([]Hash, error) {
	h, err := c.Tiles.Tile(id, width)
	h = slices.Clone(h)
	h[c.rng.IntN(width)][c.rng.IntN(HashSize)] ^= 1 << c.rng.IntN(8)
	return h, err
}

// FuzzReceipt: what is read as a receipt is formatted to the same bytes.
func FuzzReceipt(f *testing.F) {
	d := testTree(0)
	for _, size := range []uint64{1, 2, 5, 300} {
		f.Add(testReceipt(f, d, size, size/2).Format())
	}
	f.Add([]byte(receiptHead))
	f.Add([]byte(receiptHead + "extra \nindex 0\n\n"))
	f.Fuzz(func(t *testing.T, b []byte) {
		r, err := ParseReceipt(b)
		if err != nil {
			return
		}
		if !bytes.Equal(r.Format(), b) {
			t.Errorf("formatted again:\n%s\nwas\n%s", r.Format(), b)
		}
		r.Check(testRecord(0), nil)
	})
}

// FuzzCheckpoint: as FuzzReceipt, for the text of checkpoints and for notes.
func FuzzCheckpoint(f *testing.F) {
	f.Add(testReceipt(f, testTree(0), 5, 0).Checkpoint)
	f.Add([]byte("a\n5\n2HznpeJzDHz3XlvfYcjGjXw+xeSVbwEv5FqGWEYE+eE=\ntime 2026-02-03T04:05:06Z\n"))
	known := note.VerifierList(NewVerifier(testOrigin, publicKey(1)))
	f.Fuzz(func(t *testing.T, b []byte) {
		if c, err := ParseCheckpoint(string(b)); err == nil && c.Text() != string(b) {
			t.Errorf("formatted again: %q, was %q", c.Text(), b)
		}
		if c, err := OpenCheckpoint(b, known); err == nil && !strings.HasPrefix(string(b), c.Text()+"\n") {
			t.Errorf("opened as %q, was %q", c.Text(), b)
		}
		AddCosignatures(b, b, CosignatureVerifier("w.example", publicKey(7)))
		ParseVerifierKey(string(b))
	})
}
