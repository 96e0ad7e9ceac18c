// Package digest is the signed chain of digests of a store, and the keys that sign
// it. It does no input or output.
//
// # Using it
//
//	signed, err := digest.Sign(&digest.Digest{…}, key)     // one more link
//	err = chain.Add(signed)                                // follows the one before?
//	keys, err := digest.ParseKeys(text)                    // what cairn key export-public prints
//
// # Digest
//
// At the end of every period the engine says what its store holds: a JSON document
// with these members in this order, two spaces of indentation, and a newline at its
// end. Exactly these bytes are signed with Ed25519; the signature, 64 bytes, is kept
// beside them. A digest has one spelling, others are refused.
//
//	version            "cairn-digest/1"
//	origin             the store, as in its checkpoints: "cairn/" and its ID
//	number             0, 1, 2 … in the store's chain
//	start, end         the period, UTC, whole seconds; start is the end of the digest
//	                   before, end is when it was signed
//	events             how many events came in the period
//	first, last        their sequence numbers; null when there were none
//	before, after      size and root (hex) of the tree at start and end
//	previous           hash (hex SHA-256 of the document) and signature (hex) of the
//	                   digest before; null in number 0
//	key                hex SHA-256 of the public key that signed
//
// Every digest comes with a checkpoint of the tree "after" (package proof), signed by
// the same key at the same time. Digests are made for periods without events, too, so
// that a missing one is noticed. Whoever has a digest can tell whether all before
// it are as they were, because each holds hash and signature of the one before.
//
// # Lines
//
// Digests travel as lines of JSON, one each: digest, the document as a string;
// signature, hex; checkpoint, the signed note as a string. A file of such lines in
// order of their numbers is a chain.
//
// # Keys
//
// A lake has one signing key at a time. When it is rotated, the old key signs an
// endorsement of the new one:
//
//	cairn key endorsement
//	number 2
//	key base64 of the new public key
//	created 2026-01-02T15:04:05Z
//
// so that whoever trusts the first key can follow to the newest. When the private side of a key
// was lost, the next one carries a [Break] in the place of an endorsement, which trust does not pass
// over and every verification names. Public keys travel
// as a key ring, JSON with the members of [Ring]. In a chain the number of the key
// never falls: a retired key that was stolen cannot continue it.
//
// Private keys are kept wrapped ([Wrapper]). Values of this package are used by one
// goroutine at a time; Ring is read-only once parsed.
package digest

import (
	"bytes"
	"crypto/ed25519"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"time"

	"golang.org/x/mod/sumdb/note"

	"github.com/cairndb/cairn/engine/proof"
)

const (
	version = "cairn-digest/1"

	// LineBytesMax bounds a digest in its line form: a document of a kilobyte and a
	// checkpoint.
	LineBytesMax = 4*proof.CheckpointBytesMax + 64<<10

	documentMax = 16 << 10

	timeLayout = "2006-01-02T15:04:05Z"
)

// Digest says what a store held at the end of a period.
type Digest struct {
	Origin     string
	Number     uint64
	Start, End time.Time // UTC, whole seconds
	Before     proof.Head
	After      proof.Head
	Previous   *Link // nil in number 0
	Key        string
}

// Link names the digest before.
type Link struct {
	Hash      [sha256.Size]byte // of the document
	Signature [ed25519.SignatureSize]byte
}

// Events returns how many events the period had.
func (d *Digest) Events() uint64 { return d.After.Size - d.Before.Size }

// document is the JSON form.
type document struct {
	Version  string        `json:"version"`
	Origin   string        `json:"origin"`
	Number   uint64        `json:"number"`
	Start    string        `json:"start"`
	End      string        `json:"end"`
	Events   uint64        `json:"events"`
	First    *uint64       `json:"first"`
	Last     *uint64       `json:"last"`
	Before   documentHead  `json:"before"`
	After    documentHead  `json:"after"`
	Previous *documentLink `json:"previous"`
	Key      string        `json:"key"`
}

type documentHead struct {
	Size uint64 `json:"size"`
	Root string `json:"root"`
}

type documentLink struct {
	Hash      string `json:"hash"`
	Signature string `json:"signature"`
}

func headOf(h proof.Head) documentHead {
	return documentHead{Size: h.Size, Root: hex.EncodeToString(h.Root[:])}
}

func (h documentHead) head() (out proof.Head, err error) {
	out.Size = h.Size
	if h.Size >= proof.SizeMax {
		return out, fmt.Errorf("a tree of %d leaves is too large", h.Size)
	}
	if err := unhex(out.Root[:], h.Root); err != nil {
		return out, fmt.Errorf("a root: %w", err)
	}
	if h.Size == 0 && out.Root != proof.EmptyRoot {
		return out, errors.New("an empty tree has another root")
	}
	return out, nil
}

// unhex fills dst from its hexadecimal form.
func unhex(dst []byte, s string) error {
	b, err := hex.DecodeString(s)
	if err != nil || len(b) != len(dst) {
		return fmt.Errorf("%q is not the hexadecimal form of %d bytes", s, len(dst))
	}
	copy(dst, b)
	return nil
}

// Format returns the document.
func (d *Digest) Format() []byte {
	doc := document{
		Version: version, Origin: d.Origin, Number: d.Number,
		Start: d.Start.UTC().Format(timeLayout), End: d.End.UTC().Format(timeLayout),
		Events: d.Events(), Before: headOf(d.Before), After: headOf(d.After), Key: d.Key,
	}
	if d.Events() > 0 {
		first, last := d.Before.Size, d.After.Size-1
		doc.First, doc.Last = &first, &last
	}
	if d.Previous != nil {
		doc.Previous = &documentLink{Hash: hex.EncodeToString(d.Previous.Hash[:]), Signature: hex.EncodeToString(d.Previous.Signature[:])}
	}
	b, err := json.MarshalIndent(&doc, "", "  ")
	if err != nil {
		panic(err) // strings and numbers always have a JSON form
	}
	return append(b, '\n')
}

// Parse reads a document. It must be spelled as Format spells it.
func Parse(b []byte) (*Digest, error) {
	d, err := parse(b)
	if err != nil {
		return nil, fmt.Errorf("reading a digest: %w", err)
	}
	return d, nil
}

func parse(b []byte) (*Digest, error) {
	if len(b) > documentMax {
		return nil, fmt.Errorf("%d bytes are too many", len(b))
	}
	var doc document
	if err := strictJSON(b, &doc); err != nil {
		return nil, err
	}
	if doc.Version != version {
		return nil, fmt.Errorf("version %q is not known, only %q", doc.Version, version)
	}
	d := &Digest{Origin: doc.Origin, Number: doc.Number, Key: doc.Key}
	var err error
	if d.Before, err = doc.Before.head(); err != nil {
		return nil, err
	}
	if d.After, err = doc.After.head(); err != nil {
		return nil, err
	}
	if d.Start, err = time.Parse(timeLayout, doc.Start); err != nil {
		return nil, fmt.Errorf("start %q is not a time", doc.Start)
	}
	if d.End, err = time.Parse(timeLayout, doc.End); err != nil {
		return nil, fmt.Errorf("end %q is not a time", doc.End)
	}
	if doc.Previous != nil {
		d.Previous = &Link{}
		if err := errors.Join(unhex(d.Previous.Hash[:], doc.Previous.Hash), unhex(d.Previous.Signature[:], doc.Previous.Signature)); err != nil {
			return nil, err
		}
	}
	switch {
	case d.After.Size < d.Before.Size:
		return nil, fmt.Errorf("the tree shrinks from %d to %d leaves", d.Before.Size, d.After.Size)
	case d.After.Size == d.Before.Size && d.After.Root != d.Before.Root:
		return nil, errors.New("the tree changes without growing")
	case d.End.Before(d.Start):
		return nil, errors.New("the period ends before it starts")
	case (d.Number == 0) != (d.Previous == nil):
		return nil, errors.New("only number 0 has no digest before it")
	case d.Number == 0 && d.Before.Size != 0:
		return nil, errors.New("number 0 does not start with the empty tree")
	case !bytes.Equal(d.Format(), b):
		return nil, errors.New("it is not in the one spelling that digests have")
	}
	return d, nil
}

// strictJSON reads one JSON value without unknown members and with nothing behind
// it but white space.
func strictJSON(b []byte, into any) error {
	dec := json.NewDecoder(bytes.NewReader(b))
	dec.DisallowUnknownFields()
	if err := dec.Decode(into); err != nil {
		return err
	}
	if _, err := dec.Token(); err != io.EOF {
		return errors.New("there is something behind it")
	}
	return nil
}

// Signed is a digest with its signature and checkpoint.
type Signed struct {
	Document   []byte
	Signature  [ed25519.SignatureSize]byte
	Checkpoint []byte // signed note; may have cosignatures
	// Digest is the document, parsed.
	Digest Digest
}

// Link returns what the next digest says of this one.
func (s *Signed) Link() *Link {
	return &Link{Hash: sha256.Sum256(s.Document), Signature: s.Signature}
}

// Sign completes a digest with its key and signs it and its checkpoint.
func Sign(d *Digest, key ed25519.PrivateKey) (*Signed, error) {
	d.Key = Fingerprint(key.Public().(ed25519.PublicKey))
	s := &Signed{Document: d.Format()}
	parsed, err := Parse(s.Document)
	if err != nil {
		return nil, fmt.Errorf("signing: %w", err)
	}
	s.Digest = *parsed
	copy(s.Signature[:], ed25519.Sign(key, s.Document))
	s.Checkpoint, err = proof.SignCheckpoint(&proof.Checkpoint{Origin: d.Origin, Head: d.After, Time: parsed.End}, proof.NewSigner(d.Origin, key))
	if err != nil {
		return nil, err
	}
	return s, nil
}

// line is the form in which digests travel.
type line struct {
	Digest     string `json:"digest"`
	Signature  string `json:"signature"`
	Checkpoint string `json:"checkpoint"`
}

// Line returns the digest as a line of JSON, newline included.
func (s *Signed) Line() []byte {
	b, err := json.Marshal(&line{Digest: string(s.Document), Signature: hex.EncodeToString(s.Signature[:]), Checkpoint: string(s.Checkpoint)})
	if err != nil {
		panic(err) // strings always have a JSON form
	}
	return append(b, '\n')
}

// ParseLine reads a line, with or without its newline. It verifies no signature.
func ParseLine(b []byte) (*Signed, error) {
	if len(b) > LineBytesMax {
		return nil, fmt.Errorf("reading a digest's line: %d bytes are too many", len(b))
	}
	var l line
	if err := strictJSON(b, &l); err != nil {
		return nil, fmt.Errorf("reading a digest's line: %w", err)
	}
	s := &Signed{Document: []byte(l.Digest), Checkpoint: []byte(l.Checkpoint)}
	if err := unhex(s.Signature[:], l.Signature); err != nil {
		return nil, fmt.Errorf("reading a digest's line: signature: %w", err)
	}
	d, err := Parse(s.Document)
	if err != nil {
		return nil, err
	}
	s.Digest = *d
	if want := s.Line(); !bytes.Equal(bytes.TrimSuffix(b, []byte("\n")), want[:len(want)-1]) {
		return nil, errors.New("reading a digest's line: it is not in the one spelling that lines have")
	}
	if _, err := proof.UnverifiedCheckpoint(s.Checkpoint); err != nil {
		return nil, err
	}
	return s, nil
}

// Errors of verification, for errors.Is.
var (
	// ErrSignature: a signature is wrong.
	ErrSignature = errors.New("the signature is wrong")
	// ErrUnknownKey: signed by a key that is not among the trusted ones.
	ErrUnknownKey = errors.New("signed by a key that is not trusted")
	// ErrBroken: a digest does not follow the one before it.
	ErrBroken = errors.New("the chain of digests is broken")
)

// Verify verifies the signatures of the digest and of its checkpoint, and that the
// two say the same.
func (s *Signed) Verify(keys *Ring) (*Key, error) {
	d := &s.Digest
	fail := func(err error) (*Key, error) {
		return nil, fmt.Errorf("digest %d of %s (%s to %s): %w", d.Number, d.Origin, d.Start.Format(timeLayout), d.End.Format(timeLayout), err)
	}
	key := keys.Find(d.Key)
	if key == nil {
		return fail(fmt.Errorf("%w: %s", ErrUnknownKey, d.Key))
	}
	if !ed25519.Verify(key.Public, s.Document, s.Signature[:]) {
		return fail(ErrSignature)
	}
	cp, err := proof.OpenCheckpoint(s.Checkpoint, note.VerifierList(proof.NewVerifier(d.Origin, key.Public)))
	if err != nil {
		return fail(fmt.Errorf("%w: %w", ErrSignature, err))
	}
	if cp.Origin != d.Origin || cp.Head != d.After || !cp.Time.Equal(d.End) {
		return fail(fmt.Errorf("%w: its checkpoint is of another tree head", ErrBroken))
	}
	return key, nil
}

// Chain verifies digests of one store one after the other.
type Chain struct {
	Keys *Ring
	last *Signed
	key  int
}

// Last returns the digest added last, nil when there is none.
func (c *Chain) Last() *Signed { return c.last }

// Add verifies that a digest is signed and follows the one added before. The first
// may have any number; whether it is 0 is for the caller to judge.
func (c *Chain) Add(s *Signed) error {
	key, err := s.Verify(c.Keys)
	if err != nil {
		return err
	}
	d := &s.Digest
	if c.last != nil {
		p := &c.last.Digest
		fail := func(format string, args ...any) error {
			return fmt.Errorf("digest %d of %s: %s: %w", d.Number, d.Origin, fmt.Sprintf(format, args...), ErrBroken)
		}
		switch {
		case d.Origin != p.Origin:
			return fail("the one before is of %s", p.Origin)
		case d.Number != p.Number+1:
			return fail("the one before is number %d", p.Number)
		case *d.Previous != *c.last.Link():
			return fail("hash or signature of the one before are not those it names")
		case d.Before != p.After:
			return fail("it starts at a tree of %d leaves with root %v, the one before ends at %d with %v", d.Before.Size, d.Before.Root, p.After.Size, p.After.Root)
		case !d.Start.Equal(p.End):
			return fail("it starts at %s, the one before ends at %s", d.Start.Format(timeLayout), p.End.Format(timeLayout))
		case key.Number < c.key:
			return fail("it is signed by key %d, after one signed by key %d", key.Number, c.key)
		}
	}
	c.last, c.key = s, key.Number
	return nil
}
