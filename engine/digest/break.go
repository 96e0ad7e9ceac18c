package digest

import (
	"crypto/ed25519"
	"encoding/base64"
	"errors"
	"fmt"
	"strconv"
	"unicode"
	"unicode/utf8"
)

// Break says that a key follows one that could not endorse it any more, because its private
// side was lost. Trust does not pass over it: whoever trusts the keys before has to learn of this one in
// another way. The new key signs what it says of itself, so that nobody else changes that:
//
//	cairn key break
//	number 2
//	key base64 of the new public key
//	created 2026-01-02T15:04:05Z
//	lost base64 of the public key before
//	reason "as a Go string in quotes"
type Break struct {
	Lost      ed25519.PublicKey // the key before
	Reason    string
	Signature []byte // of the new key
}

// ReasonMax is the longest reason of a break, in bytes.
const ReasonMax = 300

type breakDocument struct {
	Lost      []byte `json:"lost"`
	Reason    string `json:"reason"`
	Signature []byte `json:"signature"`
}

func (b *Break) document() *breakDocument {
	if b == nil {
		return nil
	}
	return &breakDocument{b.Lost, b.Reason, b.Signature}
}

func (d *breakDocument) parsed() *Break {
	if d == nil {
		return nil
	}
	return &Break{Lost: d.Lost, Reason: d.Reason, Signature: d.Signature}
}

// broken returns the text that a key signs of itself.
func (k *Key) broken() []byte {
	return fmt.Appendf(nil, "cairn key break\nnumber %d\nkey %s\ncreated %s\nlost %s\nreason %s\n",
		k.Number, base64.StdEncoding.EncodeToString(k.Public), k.Created.UTC().Format(timeLayout),
		base64.StdEncoding.EncodeToString(k.Break.Lost), strconv.Quote(k.Break.Reason))
}

// CheckReason says what is wrong with the reason of a break.
func CheckReason(reason string) error {
	switch {
	case reason == "":
		return errors.New("say why the key before was lost: whoever verifies will want to know")
	case len(reason) > ReasonMax:
		return fmt.Errorf("the reason has %d bytes, the longest has %d", len(reason), ReasonMax)
	case !utf8.ValidString(reason):
		return errors.New("the reason is not UTF-8")
	}
	for _, r := range reason {
		if !unicode.IsPrint(r) {
			return fmt.Errorf("the reason has %U in it, which cannot be printed", r)
		}
	}
	return nil
}

// BreakFrom notes that this key follows a lost one, and signs that.
func (k *Key) BreakFrom(lost ed25519.PublicKey, reason string, own ed25519.PrivateKey) error {
	if err := CheckReason(reason); err != nil {
		return err
	}
	k.Endorsement = nil
	k.Break = &Break{Lost: lost, Reason: reason}
	k.Break.Signature = ed25519.Sign(own, k.broken())
	return nil
}

// verifyBreak checks what a key says of itself; before is the one before it, if it is known.
func (k *Key) verifyBreak(before *Key) error {
	b := k.Break
	switch {
	case len(k.Endorsement) > 0:
		return fmt.Errorf("key %d is endorsed and follows a lost key, which cannot be: %w", k.Number, ErrSignature)
	case CheckReason(b.Reason) != nil || len(b.Lost) != ed25519.PublicKeySize || before != nil && !before.Public.Equal(b.Lost):
		return fmt.Errorf("key %d says that another key was lost than the one before it: %w", k.Number, ErrSignature)
	case !ed25519.Verify(k.Public, k.broken(), b.Signature):
		return fmt.Errorf("what key %d says of the lost key before it was changed: %w", k.Number, ErrSignature)
	}
	return nil
}

// BreakText tells in a sentence of the break before a key.
func (k *Key) BreakText() string {
	return fmt.Sprintf("key %d (%s, made %s) is not endorsed by the key before it (%s), which its owner says was lost: %q",
		k.Number, k.Fingerprint(), k.Created.Format(timeLayout), Fingerprint(k.Break.Lost), k.Break.Reason)
}

// Breaks follows a chain and notices where its signing key is one behind a break.
type Breaks struct {
	Ring *Ring // of the lake: its keys are numbered
	last int   // key of the digest before
}

// At returns the key behind the break that lies just before a digest, which follows the one
// given last; nil when there is none.
func (b *Breaks) At(d *Digest) (broken *Key) {
	k := b.Ring.Find(d.Key)
	if k == nil || k.Number == 0 {
		return nil
	}
	for i := range b.Ring.Keys {
		if o := &b.Ring.Keys[i]; o.Break != nil && b.last > 0 && o.Number > b.last && o.Number <= k.Number {
			broken = o
		}
	}
	b.last = k.Number
	return broken
}

// unendorsed returns the key of the ring with a fingerprint, if it is behind a break and so not
// trusted with those before.
func (r *Ring) unendorsed(fingerprint string, trusted *Ring) *Key {
	var broken *Key
	before := false
	for i := range r.Keys {
		k := &r.Keys[i]
		if trusted.Find(k.Fingerprint()) != nil {
			before, broken = true, nil
		} else if k.Break != nil {
			broken = k
		}
		if k.Fingerprint() == fingerprint && before {
			return broken
		}
	}
	return nil
}

// WhyUnknown tells why a key, of the ring as a rule, is not trusted with others, and what to do.
func (r *Ring) WhyUnknown(fingerprint string, trusted *Ring) string {
	k := r.Find(fingerprint)
	if k == nil {
		return "it is not in the key ring"
	}
	if broken := r.unendorsed(fingerprint, trusted); broken != nil {
		return fmt.Sprintf("%s. Ask whoever runs the lake, another way, for the fingerprint of key %d; if it is this one, give it as well", broken.BreakText(), broken.Number)
	}
	first := 0
	for i := range r.Keys {
		if trusted.Find(r.Keys[i].Fingerprint()) != nil {
			first = r.Keys[i].Number
			break
		}
	}
	if first > k.Number {
		return fmt.Sprintf("it is key %d of this lake, and the earliest key that was given is key %d: a key is endorsed by the one before, so trust goes from older to newer keys only; give the older key, or the key ring with all of them (cairn key export-public)", k.Number, first)
	}
	return fmt.Sprintf("it is key %d of this lake, of which no key was given", k.Number)
}
