package digest

import (
	"bytes"
	"crypto/ed25519"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/cairndb/cairn/engine/proof"
)

var mutations = flag.Int("mutations", 2_000, "how many changes TestMutations tries")

const testOrigin = "cairn/00000000-0000-4000-8000-000000000001"

var t0 = time.Date(2026, 1, 2, 3, 0, 0, 0, time.UTC)

// seed is a source of keys that are the same each time.
type seed byte

func (s seed) Read(b []byte) (int, error) {
	for i := range b {
		b[i] = byte(s)
	}
	return len(b), nil
}

func testKeys(t testing.TB, n int) (*Ring, []ed25519.PrivateKey) {
	t.Helper()
	r := &Ring{}
	var private []ed25519.PrivateKey
	for i := range n {
		k, p, err := Generate(seed(i+1), i+1, t0.Add(time.Duration(i)*24*time.Hour))
		if err != nil {
			t.Fatal(err)
		}
		if i > 0 {
			k.Endorse(private[i-1])
		}
		r.Keys, private = append(r.Keys, *k), append(private, p)
	}
	return r, private
}

// testChain makes n digests; each third period is empty, and key i%len signs none
// before its turn.
func testChain(t testing.TB, n int, keys []ed25519.PrivateKey) []*Signed {
	t.Helper()
	var tree proof.Tree
	var out []*Signed
	for i := range n {
		d := &Digest{Origin: testOrigin, Number: uint64(i), Start: t0.Add(time.Duration(i) * time.Hour), End: t0.Add(time.Duration(i+1) * time.Hour), Before: tree.Head()}
		for j := range i % 3 * 5 {
			tree.Append(proof.LeafHash(fmt.Appendf(nil, "%d %d", i, j)), nil)
		}
		d.After = tree.Head()
		if i > 0 {
			d.Previous = out[i-1].Link()
		}
		s, err := Sign(d, keys[i*len(keys)/n])
		if err != nil {
			t.Fatal(err)
		}
		out = append(out, s)
	}
	return out
}

func verifyAll(ring *Ring, chain []*Signed) error {
	c := Chain{Keys: ring}
	for _, s := range chain {
		if err := c.Add(s); err != nil {
			return err
		}
	}
	return nil
}

func TestChain(t *testing.T) {
	ring, keys := testKeys(t, 3)
	chain := testChain(t, 30, keys)
	if err := verifyAll(ring, chain); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		what string
		want error
		ring *Ring
		with func(list []*Signed) []*Signed
	}{
		{"one is missing", ErrBroken, ring, func(l []*Signed) []*Signed { return append(l[:7:7], l[8:]...) }},
		{"two are swapped", ErrBroken, ring, func(l []*Signed) []*Signed { l[7], l[8] = l[8], l[7]; return l }},
		{"one is repeated", ErrBroken, ring, func(l []*Signed) []*Signed { return append(l[:8:8], l[7:]...) }},
		{"the last key is unknown", ErrUnknownKey, &Ring{Keys: ring.Keys[:2]}, func(l []*Signed) []*Signed { return l }},
		{"a checkpoint of another", ErrBroken, ring, func(l []*Signed) []*Signed {
			c := *l[7]
			c.Checkpoint = l[8].Checkpoint
			l[7] = &c
			return l
		}},
		{"signed by a retired key", ErrBroken, ring, func(l []*Signed) []*Signed {
			d := l[29].Digest
			s, err := Sign(&d, keys[0])
			if err != nil {
				t.Fatal(err)
			}
			l[29] = s
			return l
		}},
		{"an empty period forged", ErrBroken, ring, func(l []*Signed) []*Signed {
			d := l[8].Digest // by whoever has the key, but not the next digest
			d.After = d.Before
			s, err := Sign(&d, keys[0])
			if err != nil {
				t.Fatal(err)
			}
			l[8] = s
			return l
		}},
		{"another signature", ErrSignature, ring, func(l []*Signed) []*Signed {
			c := *l[7]
			c.Signature[5] ^= 1
			l[7] = &c
			return l
		}},
	} {
		if err := verifyAll(c.ring, c.with(append([]*Signed(nil), chain...))); !errors.Is(err, c.want) {
			t.Errorf("%s: %v, want %v", c.what, err, c.want)
		}
	}
}

// TestForm holds the bytes of a digest: they are signed, so they never change.
func TestForm(t *testing.T) {
	_, keys := testKeys(t, 1)
	chain := testChain(t, 3, keys)
	const want = `{
  "version": "cairn-digest/1",
  "origin": "cairn/00000000-0000-4000-8000-000000000001",
  "number": 1,
  "start": "2026-01-02T04:00:00Z",
  "end": "2026-01-02T05:00:00Z",
  "events": 5,
  "first": 0,
  "last": 4,
  "before": {
    "size": 0,
    "root": "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
  },
  "after": {
    "size": 5,
    "root": "ROOT"
  },
  "previous": {
    "hash": "HASH",
    "signature": "SIGNATURE"
  },
  "key": "KEY"
}
`
	link := chain[0].Link()
	got := string(chain[1].Document)
	for _, r := range [][2]string{
		{fmt.Sprintf("%x", chain[1].Digest.After.Root[:]), "ROOT"}, {fmt.Sprintf("%x", sha256.Sum256(chain[0].Document)), "HASH"},
		{fmt.Sprintf("%x", link.Signature), "SIGNATURE"}, {Fingerprint(keys[0].Public().(ed25519.PublicKey)), "KEY"},
	} {
		got = strings.Replace(got, r[0], r[1], 1)
	}
	if got != want {
		t.Errorf("the digest is\n%s\nshould be\n%s", got, want)
	}
	again, err := ParseLine(chain[1].Line())
	if err != nil || !bytes.Equal(again.Line(), chain[1].Line()) {
		t.Errorf("%v\n%s", err, again.Line())
	}
}

func TestKeys(t *testing.T) {
	ring, private := testKeys(t, 3)
	got, err := ParseKeys(ring.Format())
	if err != nil || !bytes.Equal(got.Format(), ring.Format()) {
		t.Fatalf("%v\n%s", err, got.Format())
	}
	for i, text := range []string{
		string(ring.Keys[1].PEM()), string(ring.Keys[0].PEM()) + string(ring.Keys[1].PEM()), fmt.Sprintf("%x\n", []byte(ring.Keys[1].Public)),
		proof.VerifierKey(testOrigin, ring.Keys[1].Public) + "\n" + proof.VerifierKey("cairn/other", ring.Keys[1].Public),
	} {
		r, err := ParseKeys([]byte(text))
		if err != nil || r.Find(ring.Keys[1].Fingerprint()) == nil {
			t.Errorf("form %d: %v", i, err)
		}
	}
	if m := (&Ring{Keys: ring.Keys[:1]}).Merge(ring); len(m.Keys) != 3 {
		t.Errorf("merged: %d keys", len(m.Keys))
	}
	bad := &Ring{Keys: append([]Key(nil), ring.Keys...)}
	bad.Keys[2].Endorse(private[0])
	if _, err := ParseKeys(bad.Format()); !errors.Is(err, ErrSignature) {
		t.Errorf("endorsed by another key than the one before: %v", err)
	}
	for _, text := range []string{"", " ", "{}", "{\"version\":\"cairn-keys/1\",\"keys\":[]}", "-----BEGIN X", "abc", proof.CosignerKey("w", ring.Keys[0].Public)} {
		if _, err := ParseKeys([]byte(text)); err == nil {
			t.Errorf("%q is taken for keys", text)
		}
	}
	w := SecretWrapper([32]byte{1})
	s, err := Wrap(&ring.Keys[1], private[1], w)
	if err != nil {
		t.Fatal(err)
	}
	s.Retired = t0
	again, err := DecodeStored(s.Encode())
	if err != nil {
		t.Fatal(err)
	}
	if p, err := again.Private(w); err != nil || !p.Equal(private[1]) {
		t.Errorf("unwrapped: %v", err)
	}
	if _, err := again.Private(SecretWrapper([32]byte{2})); err == nil {
		t.Error("another secret unwraps it")
	}
	again.Key.Number = 3
	if _, err := again.Private(w); err == nil {
		t.Error("it can be unwrapped as another key")
	}
	if bytes.Contains(s.Encode(), private[1].Seed()) {
		t.Error("the private key is stored as it is")
	}
}

// mutate changes bytes: mostly one bit, else a byte, a stretch taken out, doubled or
// copied from elsewhere, or the end. What it gives differs from what it got by more than
// the space around it.
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
		if !bytes.Equal(bytes.TrimSpace(out), bytes.TrimSpace(b)) {
			return out
		}
	}
}

// TestMutations changes digests, their signatures and published lines, and puts digests
// of a chain in each other's places; each change must be noticed.
//
//	go test ./engine/digest -run TestMutations -mutations 1000000
func TestMutations(t *testing.T) {
	ring, keys := testKeys(t, 2)
	chain := testChain(t, 12, keys)
	rng := rand.New(rand.NewPCG(uint64(*mutations), 4))
	for n := range *mutations {
		i := rng.IntN(len(chain))
		s := *chain[i]
		switch n % 4 {
		case 0:
			s.Document = mutate(rng, s.Document)
			if d, err := Parse(s.Document); err == nil {
				s.Digest = *d
				if _, err := s.Verify(ring); err == nil {
					t.Fatalf("digest passes:\n%s", s.Document)
				}
			}
		case 1:
			s.Signature[rng.IntN(len(s.Signature))] ^= 1 << rng.IntN(8)
			if _, err := s.Verify(ring); err == nil {
				t.Fatalf("signature of digest %d passes: %x", i, s.Signature)
			}
		case 2:
			b := mutate(rng, s.Line())
			if p, err := ParseLine(b); err == nil {
				if _, err := p.Verify(ring); err == nil {
					t.Fatalf("line passes:\n%s", b)
				}
			}
		case 3:
			// Sound digests in a wrong order, one missing between others or one twice, or
			// the signature of one under another.
			wrong := slices.Clone(chain)
			j := (i + 1 + rng.IntN(len(chain)-1)) % len(chain)
			switch rng.IntN(4) {
			case 0:
				wrong[i], wrong[j] = wrong[j], wrong[i]
			case 1:
				gap := 1 + rng.IntN(len(chain)-2)
				wrong = slices.Delete(wrong, gap, gap+1)
			case 2:
				wrong = slices.Insert(wrong, i, wrong[j])
			case 3:
				s.Signature = chain[j].Signature
				wrong[i] = &s
			}
			if err := verifyAll(ring, wrong); err == nil {
				t.Fatalf("a chain with digest %d changed with %d passes", i, j)
			}
		}
	}
}

// FuzzLine: what is read as a digest is formatted to the same bytes.
func FuzzLine(f *testing.F) {
	_, keys := testKeys(f, 1)
	for _, s := range testChain(f, 3, keys) {
		f.Add(s.Line())
		f.Add(s.Document)
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		if d, err := Parse(b); err == nil && !bytes.Equal(d.Format(), b) {
			t.Errorf("formatted again:\n%s\nwas\n%s", d.Format(), b)
		}
		if s, err := ParseLine(b); err == nil && !bytes.Equal(bytes.TrimSpace(s.Line()), bytes.TrimSpace(b)) {
			t.Errorf("formatted again:\n%s\nwas\n%s", s.Line(), b)
		}
	})
}

// FuzzKeys: key rings and stored keys have one spelling each.
func FuzzKeys(f *testing.F) {
	ring, private := testKeys(f, 2)
	f.Add(ring.Format())
	f.Add(ring.Keys[0].PEM())
	f.Add([]byte(proof.VerifierKey(testOrigin, ring.Keys[0].Public)))
	s, err := Wrap(&ring.Keys[0], private[0], SecretWrapper([32]byte{}))
	if err != nil {
		f.Fatal(err)
	}
	f.Add(s.Encode())
	f.Fuzz(func(t *testing.T, b []byte) {
		if r, err := ParseKeys(b); err == nil && json.Valid(b) && !bytes.Equal(r.Format(), b) && bytes.HasPrefix(b, []byte("{")) {
			t.Errorf("formatted again:\n%s\nwas\n%s", r.Format(), b)
		}
		if s, err := DecodeStored(b); err == nil && !bytes.Equal(s.Encode(), b) {
			t.Errorf("encoded again:\n%s\nwas\n%s", s.Encode(), b)
		}
	})
}
