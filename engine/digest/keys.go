package digest

import (
	"bytes"
	"crypto/aes"
	"crypto/cipher"
	"crypto/ed25519"
	"crypto/rand"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/cairndb/cairn/engine/proof"
)

const (
	ringVersion = "cairn-keys/1"

	// RingBytesMax bounds a key ring: some thousand keys, or a rotation each month
	// for centuries.
	RingBytesMax = 4 << 20
)

// Fingerprint returns the name of a public key: the hexadecimal SHA-256 of its 32
// bytes.
func Fingerprint(key ed25519.PublicKey) string {
	sum := sha256.Sum256(key)
	return hex.EncodeToString(sum[:])
}

// Key is the public side of a signing key.
type Key struct {
	// Number counts a lake's keys from 1; 0 when it is not known.
	Number int
	Public ed25519.PublicKey
	// Created is when the key was made; zero when it is not known.
	Created time.Time
	// Endorsement is the signature of the key before; nil for the first.
	Endorsement []byte
	// Break is in the place of an endorsement where the key before was lost.
	Break *Break
}

// Fingerprint returns the key's name.
func (k *Key) Fingerprint() string { return Fingerprint(k.Public) }

// PEM returns the key in the form that openssl reads.
func (k *Key) PEM() []byte {
	der, err := x509.MarshalPKIXPublicKey(k.Public)
	if err != nil {
		panic(err) // an Ed25519 key always has one
	}
	return pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: der})
}

// endorsed returns the text that the key before signs.
func (k *Key) endorsed() []byte {
	return fmt.Appendf(nil, "cairn key endorsement\nnumber %d\nkey %s\ncreated %s\n",
		k.Number, base64.StdEncoding.EncodeToString(k.Public), k.Created.UTC().Format(timeLayout))
}

// Endorse has the key before sign this one.
func (k *Key) Endorse(before ed25519.PrivateKey) {
	k.Endorsement = ed25519.Sign(before, k.endorsed())
}

// Generate makes a signing key.
func Generate(random io.Reader, number int, now time.Time) (*Key, ed25519.PrivateKey, error) {
	seed := make([]byte, ed25519.SeedSize)
	if _, err := io.ReadFull(random, seed); err != nil {
		return nil, nil, fmt.Errorf("making a signing key: %w", err)
	}
	private := ed25519.NewKeyFromSeed(seed)
	return &Key{Number: number, Public: private.Public().(ed25519.PublicKey), Created: now.UTC().Truncate(time.Second)}, private, nil
}

// Ring is a set of trusted public keys.
type Ring struct {
	Keys []Key // in order of their numbers
}

// Find returns the key with a fingerprint, or nil.
func (r *Ring) Find(fingerprint string) *Key {
	for i := range r.Keys {
		if r.Keys[i].Fingerprint() == fingerprint {
			return &r.Keys[i]
		}
	}
	return nil
}

type ringDocument struct {
	Version string        `json:"version"`
	Keys    []keyDocument `json:"keys"`
}

type keyDocument struct {
	Number      int    `json:"number"`
	Fingerprint string `json:"fingerprint"`
	Public      []byte `json:"public"`
	Created     string `json:"created"`
	Endorsement []byte `json:"endorsement,omitempty"`

	Break *breakDocument `json:"break,omitempty"`
}

// Format returns the key ring as text: JSON, one member a line, keys and signatures
// in base64.
func (r *Ring) Format() []byte {
	doc := ringDocument{Version: ringVersion, Keys: []keyDocument{}}
	for i := range r.Keys {
		k := &r.Keys[i]
		doc.Keys = append(doc.Keys, keyDocument{k.Number, k.Fingerprint(), k.Public, k.Created.UTC().Format(timeLayout), k.Endorsement, k.Break.document()})
	}
	b, err := json.MarshalIndent(&doc, "", "  ")
	if err != nil {
		panic(err) // strings and numbers always have a JSON form
	}
	return append(b, '\n')
}

// parseRing reads a key ring and verifies that every key but the first is endorsed by
// the one before, or says that it follows a lost one.
func parseRing(b []byte) (*Ring, error) {
	var doc ringDocument
	if err := strictJSON(b, &doc); err != nil {
		return nil, err
	}
	if doc.Version != ringVersion {
		return nil, fmt.Errorf("version %q is not known, only %q", doc.Version, ringVersion)
	}
	r := &Ring{}
	for _, d := range doc.Keys {
		k := Key{Number: d.Number, Public: d.Public, Endorsement: d.Endorsement, Break: d.Break.parsed()}
		var err error
		if k.Created, err = time.Parse(timeLayout, d.Created); err != nil {
			return nil, fmt.Errorf("created %q is not a time", d.Created)
		}
		if len(k.Public) != ed25519.PublicKeySize || k.Fingerprint() != d.Fingerprint {
			return nil, fmt.Errorf("key %d is not what its fingerprint says", d.Number)
		}
		r.Keys = append(r.Keys, k)
	}
	if !bytes.Equal(r.Format(), b) {
		return nil, errors.New("it is not in the one spelling that key rings have")
	}
	return r, r.verify()
}

// verify checks numbers and endorsements.
func (r *Ring) verify() error {
	if len(r.Keys) == 0 {
		return errors.New("there is no key in it")
	}
	for i := range r.Keys {
		k := &r.Keys[i]
		if k.Number != r.Keys[0].Number+i || k.Number < 1 {
			return fmt.Errorf("key %d stands where key %d should", k.Number, r.Keys[0].Number+i)
		}
		if k.Break != nil {
			var before *Key
			if i > 0 {
				before = &r.Keys[i-1]
			}
			if err := k.verifyBreak(before); err != nil {
				return err
			}
			continue
		}
		if i > 0 && !ed25519.Verify(r.Keys[i-1].Public, k.endorsed(), k.Endorsement) {
			return fmt.Errorf("key %d is not endorsed by key %d: %w", k.Number, r.Keys[i-1].Number, ErrSignature)
		}
	}
	return nil
}

// ParseKeys reads public keys: a key ring, PEM, verifier keys of signed notes (one a
// line), or the hexadecimal form of a key.
func ParseKeys(b []byte) (*Ring, error) {
	if len(b) > RingBytesMax {
		return nil, fmt.Errorf("reading public keys: %d bytes are too many", len(b))
	}
	r, err := parseKeys(b)
	if err != nil {
		return nil, fmt.Errorf("reading public keys: %w", err)
	}
	return r, nil
}

func parseKeys(b []byte) (*Ring, error) {
	text := strings.TrimSpace(string(b))
	switch {
	case strings.HasPrefix(text, "{"):
		return parseRing(b)
	case strings.HasPrefix(text, "-----BEGIN"):
		return parsePEM([]byte(text))
	}
	r := &Ring{}
	for _, l := range strings.Fields(text) {
		key := make([]byte, ed25519.PublicKeySize)
		if unhex(key, l) != nil {
			_, public, cosigner, err := proof.ParseVerifierKey(l)
			if err != nil {
				return nil, err
			}
			if cosigner {
				return nil, fmt.Errorf("%q is the key of a witness, not of a lake", l)
			}
			key = public
		}
		r.add(key)
	}
	if len(r.Keys) == 0 {
		return nil, errors.New("there is no key in it")
	}
	return r, nil
}

func parsePEM(b []byte) (*Ring, error) {
	r := &Ring{}
	for len(b) > 0 {
		block, rest := pem.Decode(b)
		if block == nil || block.Type != "PUBLIC KEY" {
			return nil, errors.New("it is not PEM of public keys")
		}
		key, err := x509.ParsePKIXPublicKey(block.Bytes)
		public, ok := key.(ed25519.PublicKey)
		if err != nil || !ok {
			return nil, errors.New("the key in it is not an Ed25519 key")
		}
		r.add(public)
		b = bytes.TrimSpace(rest)
	}
	return r, nil
}

// add adds a key of which nothing else is known.
func (r *Ring) add(key ed25519.PublicKey) {
	if r.Find(Fingerprint(key)) == nil {
		r.Keys = append(r.Keys, Key{Public: key})
	}
}

// Endorsed returns the trusted keys and those of r that come after one of them, up to a
// [Break]: each other key of a ring that was parsed is endorsed by the one before it.
func (r *Ring) Endorsed(trusted *Ring) *Ring {
	found := &Ring{}
	in := false
	for i := range r.Keys {
		if trusted.Find(r.Keys[i].Fingerprint()) != nil {
			in = true
		} else if r.Keys[i].Break != nil {
			in = false
		}
		if in {
			found.Keys = append(found.Keys, r.Keys[i])
		}
	}
	return trusted.Merge(found)
}

// Merge returns a ring with the keys of both.
func (r *Ring) Merge(other *Ring) *Ring {
	out := &Ring{Keys: append([]Key(nil), r.Keys...)}
	for i := range other.Keys {
		if out.Find(other.Keys[i].Fingerprint()) == nil {
			out.Keys = append(out.Keys, other.Keys[i])
		}
	}
	return out
}

// Wrapper keeps private keys from whoever only has the lake's files.
type Wrapper interface {
	// Scheme names the way of wrapping; it is stored with what was wrapped.
	Scheme() string
	// Wrap seals a secret. context must be given again to Unwrap.
	Wrap(secret, context []byte) ([]byte, error)
	// Unwrap opens what Wrap has sealed.
	Unwrap(wrapped, context []byte) ([]byte, error)
}

// SecretBytes is the length of the secret of a [SecretWrapper].
const SecretBytes = 32

// secretWrapper wraps with AES-256-GCM.
type secretWrapper struct {
	aead   cipher.AEAD
	random io.Reader
}

// SecretWrapper returns a wrapper that seals with AES-256-GCM under a secret. What it
// protects is as safe as the place where the secret is kept.
func SecretWrapper(secret [SecretBytes]byte) Wrapper {
	block, err := aes.NewCipher(secret[:])
	if err != nil {
		panic(err) // the length is right
	}
	aead, err := cipher.NewGCM(block)
	if err != nil {
		panic(err) // AES blocks have the right size
	}
	return &secretWrapper{aead: aead, random: rand.Reader}
}

func (w *secretWrapper) Scheme() string { return "secret-file/aes-256-gcm" }

func (w *secretWrapper) Wrap(secret, context []byte) ([]byte, error) {
	nonce := make([]byte, w.aead.NonceSize())
	if _, err := io.ReadFull(w.random, nonce); err != nil {
		return nil, fmt.Errorf("wrapping a key: %w", err)
	}
	return w.aead.Seal(nonce, nonce, secret, context), nil
}

func (w *secretWrapper) Unwrap(wrapped, context []byte) ([]byte, error) {
	n := w.aead.NonceSize()
	if len(wrapped) < n {
		return nil, fmt.Errorf("unwrapping a key: %d bytes are too few", len(wrapped))
	}
	secret, err := w.aead.Open(nil, wrapped[:n], wrapped[n:], context)
	if err != nil {
		return nil, errors.New("unwrapping a key: it was wrapped with another secret, or changed since")
	}
	return secret, nil
}

// Stored is a signing key as a lake keeps it.
type Stored struct {
	Key     Key
	Scheme  string // of the wrapper
	Wrapped []byte // the private key
	Retired time.Time
}

type storedDocument struct {
	Number      int    `json:"number"`
	Public      []byte `json:"public"`
	Created     string `json:"created"`
	Retired     string `json:"retired,omitempty"`
	Endorsement []byte `json:"endorsement,omitempty"`
	Scheme      string `json:"scheme"`
	Wrapped     []byte `json:"wrapped"`

	Break *breakDocument `json:"break,omitempty"`
}

// wrapContext binds a wrapped key to its place.
func (k *Key) wrapContext() []byte {
	return fmt.Appendf(nil, "cairn signing key %d %s", k.Number, k.Fingerprint())
}

// Wrap makes a key ready to be stored.
func Wrap(k *Key, private ed25519.PrivateKey, w Wrapper) (*Stored, error) {
	wrapped, err := w.Wrap(private.Seed(), k.wrapContext())
	if err != nil {
		return nil, err
	}
	return &Stored{Key: *k, Scheme: w.Scheme(), Wrapped: wrapped}, nil
}

// Private unwraps the private key.
func (s *Stored) Private(w Wrapper) (ed25519.PrivateKey, error) {
	if s.Scheme != w.Scheme() {
		return nil, fmt.Errorf("unwrapping key %d: it is wrapped by %s, at hand is %s", s.Key.Number, s.Scheme, w.Scheme())
	}
	seed, err := w.Unwrap(s.Wrapped, s.Key.wrapContext())
	if err != nil {
		return nil, err
	}
	if len(seed) != ed25519.SeedSize {
		return nil, fmt.Errorf("unwrapping key %d: %d bytes instead of %d", s.Key.Number, len(seed), ed25519.SeedSize)
	}
	private := ed25519.NewKeyFromSeed(seed)
	if !s.Key.Public.Equal(private.Public()) {
		return nil, fmt.Errorf("unwrapping key %d: it does not belong to the public key", s.Key.Number)
	}
	return private, nil
}

// Encode returns the form in which a lake keeps the key.
func (s *Stored) Encode() []byte {
	d := storedDocument{Number: s.Key.Number, Public: s.Key.Public, Created: s.Key.Created.UTC().Format(timeLayout),
		Endorsement: s.Key.Endorsement, Scheme: s.Scheme, Wrapped: s.Wrapped, Break: s.Key.Break.document()}
	if !s.Retired.IsZero() {
		d.Retired = s.Retired.UTC().Format(timeLayout)
	}
	b, err := json.Marshal(&d)
	if err != nil {
		panic(err) // strings and numbers always have a JSON form
	}
	return b
}

// DecodeStored reads what Encode has written.
func DecodeStored(b []byte) (*Stored, error) {
	fail := func(err error) (*Stored, error) { return nil, fmt.Errorf("reading a signing key: %w", err) }
	var d storedDocument
	if err := strictJSON(b, &d); err != nil {
		return fail(err)
	}
	s := &Stored{Key: Key{Number: d.Number, Public: d.Public, Endorsement: d.Endorsement, Break: d.Break.parsed()}, Scheme: d.Scheme, Wrapped: d.Wrapped}
	var err error
	if s.Key.Created, err = time.Parse(timeLayout, d.Created); err != nil {
		return fail(err)
	}
	if d.Retired != "" {
		if s.Retired, err = time.Parse(timeLayout, d.Retired); err != nil {
			return fail(err)
		}
	}
	if len(s.Key.Public) != ed25519.PublicKeySize || !bytes.Equal(s.Encode(), b) {
		return fail(errors.New("it is not in the one spelling that signing keys have"))
	}
	return s, nil
}

// RingOf returns the public sides of stored keys, in order, and checks that each is
// endorsed by the one before, or says that it follows a lost one.
func RingOf(stored []*Stored) (*Ring, error) {
	r := &Ring{}
	for _, s := range stored {
		r.Keys = append(r.Keys, s.Key)
	}
	if len(r.Keys) == 0 {
		return r, nil
	}
	if err := r.verify(); err != nil {
		return nil, fmt.Errorf("the lake's signing keys: %w", err)
	}
	return r, nil
}
