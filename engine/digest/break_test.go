package digest

import (
	"bytes"
	"crypto/ed25519"
	"encoding/json"
	"errors"
	"math/rand/v2"
	"strings"
	"testing"
	"time"
)

// brokenRing is a ring of four keys, of which the third follows a lost one.
func brokenRing(t *testing.T) (*Ring, []ed25519.PrivateKey) {
	t.Helper()
	rng := rand.New(rand.NewPCG(4, 4))
	random := rand.NewChaCha8([32]byte{byte(rng.Uint32())})
	r := &Ring{}
	var private []ed25519.PrivateKey
	for i := range 4 {
		k, p, err := Generate(random, i+1, time.Date(2026, 1, i+1, 0, 0, 0, 0, time.UTC))
		if err != nil {
			t.Fatal(err)
		}
		switch i {
		case 0:
		case 2:
			if err := k.BreakFrom(r.Keys[1].Public, `a fire, "they" say`, p); err != nil {
				t.Fatal(err)
			}
		default:
			k.Endorse(private[i-1])
		}
		r.Keys, private = append(r.Keys, *k), append(private, p)
	}
	return r, private
}

// A ring with a break is read back as it was, and trust does not pass over the break.
func TestBreak(t *testing.T) {
	r, _ := brokenRing(t)
	parsed, err := ParseKeys(r.Format())
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(parsed.Format(), r.Format()) {
		t.Error("another ring is read back")
	}
	for i, want := range []string{"1234", "234", "34", "4"} {
		trusted := &Ring{Keys: []Key{{Public: r.Keys[i].Public}}}
		got := ""
		all := parsed.Endorsed(trusted)
		for k := range r.Keys {
			if all.Find(r.Keys[k].Fingerprint()) != nil {
				got += string(rune('1' + k))
			}
		}
		if i < 2 {
			want = want[:len(want)-2]
		}
		if got != want {
			t.Errorf("who trusts key %d trusts %s, not %s", i+1, got, want)
		}
	}
	both := &Ring{Keys: []Key{{Public: r.Keys[0].Public}, {Public: r.Keys[2].Public}}}
	if n := len(parsed.Endorsed(both).Keys); n != 4 {
		t.Errorf("with keys of both sides %d are trusted", n)
	}
	if text := parsed.Keys[2].BreakText(); !strings.Contains(text, "key 3") || !strings.Contains(text, "fire") || !strings.Contains(text, r.Keys[1].Fingerprint()) {
		t.Error(text)
	}
	b := Breaks{Ring: parsed}
	for i, want := range []int{0, 0, 3, 0} {
		got := b.At(&Digest{Key: r.Keys[i].Fingerprint()})
		if (got == nil) != (want == 0) || got != nil && got.Number != want {
			t.Errorf("at a digest of key %d: %+v", i+1, got)
		}
	}
	b = Breaks{Ring: parsed}
	b.At(&Digest{Key: r.Keys[0].Fingerprint()})
	if got := b.At(&Digest{Key: r.Keys[3].Fingerprint()}); got == nil || got.Number != 3 {
		t.Errorf("from key 1 to key 4: %+v", got)
	}
	if got := (&Breaks{Ring: parsed}).At(&Digest{Key: r.Keys[3].Fingerprint()}); got != nil {
		t.Errorf("a chain that begins behind the break: %+v", got)
	}
}

// What a key says of the lost one before it cannot be changed, taken away, or put elsewhere.
func TestBreakForged(t *testing.T) {
	r, private := brokenRing(t)
	for what, forge := range map[string]func(r *Ring){
		"the reason":                  func(r *Ring) { r.Keys[2].Break.Reason = "nothing" },
		"no reason":                   func(r *Ring) { r.Keys[2].Break.Reason = "" },
		"the lost key":                func(r *Ring) { r.Keys[2].Break.Lost = r.Keys[0].Public },
		"a short lost key":            func(r *Ring) { r.Keys[2].Break.Lost = r.Keys[0].Public[:31] },
		"the time":                    func(r *Ring) { r.Keys[2].Created = r.Keys[2].Created.Add(time.Second) },
		"the signature":               func(r *Ring) { r.Keys[2].Break.Signature[5] ^= 1 },
		"no break":                    func(r *Ring) { r.Keys[2].Break = nil },
		"an endorsement as well":      func(r *Ring) { r.Keys[2].Endorsement = r.Keys[1].Endorsement },
		"an endorsement in its place": func(r *Ring) { r.Keys[2].Break = nil; r.Keys[2].Endorsement = r.Keys[1].Endorsement },
		"the break of another key":    func(r *Ring) { r.Keys[3].Break, r.Keys[3].Endorsement = r.Keys[2].Break, nil },
		"a break by the key that it ends": func(r *Ring) {
			r.Keys[2].Break.Signature = ed25519.Sign(private[1], r.Keys[2].broken())
		},
		"the key before left out": func(r *Ring) { r.Keys = append(r.Keys[:1], r.Keys[2:]...); r.Keys[1].Number, r.Keys[2].Number = 2, 3 },
	} {
		f, err := ParseKeys(r.Format())
		if err != nil {
			t.Fatal(err)
		}
		forge(f)
		if _, err := ParseKeys(f.Format()); err == nil {
			t.Errorf("%s: the ring is taken", what)
		}
	}
	// It also stands in what a lake keeps.
	k, p := r.Keys[2], private[2]
	s, err := Wrap(&k, p, SecretWrapper([SecretBytes]byte{1}))
	if err != nil {
		t.Fatal(err)
	}
	again, err := DecodeStored(s.Encode())
	if err != nil || again.Key.Break == nil || again.Key.Break.Reason != k.Break.Reason {
		t.Errorf("%+v, %v", again, err)
	}
	var first, second map[string]any
	k.Break = nil
	s2, err := Wrap(&k, p, SecretWrapper([SecretBytes]byte{1}))
	if err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(json.Unmarshal(s.Encode(), &first), json.Unmarshal(s2.Encode(), &second)); err != nil {
		t.Fatal(err)
	}
	if len(first) != len(second)+1 {
		t.Errorf("keys without a break are kept as %v", second)
	}
}
