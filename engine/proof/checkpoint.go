package proof

import (
	"bytes"
	"crypto/ed25519"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"golang.org/x/mod/sumdb/note"
)

const (
	// CheckpointBytesMax bounds a signed checkpoint: four lines and a few dozen
	// signatures.
	CheckpointBytesMax = 64 << 10

	// originMax bounds an origin, as witnesses do.
	originMax = 255

	timePrefix = "time "

	// timeLayout is the one spelling of times in checkpoints: UTC, whole seconds.
	timeLayout = "2006-01-02T15:04:05Z"
)

// strict64 refuses what standard base64 would let pass: other spellings of the
// same bytes.
var strict64 = base64.StdEncoding.Strict()

// Checkpoint is the head of a tree at a time.
type Checkpoint struct {
	// Origin names the tree; not empty, without spaces, plus signs or control
	// characters.
	Origin string
	Head
	// Time is when it was signed, UTC, whole seconds.
	Time time.Time
}

// Text returns the text that is signed.
func (c *Checkpoint) Text() string {
	return fmt.Sprintf("%s\n%d\n%s\n%s%s\n", c.Origin, c.Size, base64.StdEncoding.EncodeToString(c.Root[:]), timePrefix, c.Time.UTC().Format(timeLayout))
}

// validOrigin reports whether an origin can be that of a checkpoint and the name
// of a key.
func validOrigin(s string) bool {
	return s != "" && len(s) <= originMax && strings.IndexFunc(s, func(r rune) bool {
		return r <= ' ' || r == '+' || r >= 0x7f
	}) < 0
}

// ParseCheckpoint reads the text of a checkpoint, without signatures.
func ParseCheckpoint(text string) (*Checkpoint, error) {
	fail := func(format string, args ...any) (*Checkpoint, error) {
		return nil, fmt.Errorf("reading a checkpoint: "+format, args...)
	}
	if len(text) > CheckpointBytesMax {
		return fail("%d bytes are too many", len(text))
	}
	lines := strings.Split(text, "\n")
	if len(lines) != 5 || lines[4] != "" {
		return fail("it must have four lines: origin, size, root, time")
	}
	c := &Checkpoint{Origin: lines[0]}
	if !validOrigin(c.Origin) {
		return fail("line 1, %q, is not an origin", lines[0])
	}
	var err error
	if c.Size, err = parseSize(lines[1]); err != nil {
		return fail("line 2: %w", err)
	}
	if c.Root, err = parseHash(lines[2]); err != nil {
		return fail("line 3: %w", err)
	}
	stamp, ok := strings.CutPrefix(lines[3], timePrefix)
	if c.Time, err = time.Parse(timeLayout, stamp); err != nil || !ok || c.Time.Format(timeLayout) != stamp {
		return fail("line 4, %q, is not a time such as %q", lines[3], timePrefix+timeLayout)
	}
	if c.Size == 0 && c.Root != EmptyRoot {
		return fail("an empty tree cannot have the root %v", c.Root)
	}
	return c, nil
}

// parseSize reads a decimal number without leading zeros.
func parseSize(s string) (uint64, error) {
	n, err := strconv.ParseUint(s, 10, 64)
	if err != nil || n >= SizeMax || strconv.FormatUint(n, 10) != s {
		return 0, fmt.Errorf("%q is not a decimal number below 2^60", s)
	}
	return n, nil
}

// parseHash reads the one base64 spelling of a hash.
func parseHash(s string) (h Hash, err error) {
	if len(s) == base64.StdEncoding.EncodedLen(HashSize) {
		var b []byte
		if b, err = strict64.DecodeString(s); err == nil && len(b) == HashSize {
			return Hash(b), nil
		}
	}
	return h, fmt.Errorf("%q is not the base64 of a hash", s)
}

// SignCheckpoint returns the checkpoint as a note, signed. The signers' names
// should be the origin.
func SignCheckpoint(c *Checkpoint, signers ...note.Signer) ([]byte, error) {
	if !validOrigin(c.Origin) || c.Size >= SizeMax || len(signers) == 0 {
		return nil, fmt.Errorf("signing a checkpoint: origin %q, size %d and %d keys make none", c.Origin, c.Size, len(signers))
	}
	msg, err := note.Sign(&note.Note{Text: c.Text()}, signers...)
	if err != nil {
		return nil, fmt.Errorf("signing a checkpoint: %w", err)
	}
	return msg, nil
}

// ErrUnsigned is the error of a checkpoint without a signature by a key that is
// trusted.
var ErrUnsigned = errors.New("not signed by a trusted key")

// OpenCheckpoint reads a signed checkpoint. At least one signature must be by one
// of the verifiers, and none of theirs may be wrong. Signatures by other keys are
// left unlooked at, as the format demands.
func OpenCheckpoint(msg []byte, known note.Verifiers) (*Checkpoint, error) {
	c, err := UnverifiedCheckpoint(msg)
	if err != nil {
		return nil, err
	}
	if _, err := note.Open(msg, known); err != nil {
		return nil, fmt.Errorf("checkpoint of %s at size %d: %w (%w)", c.Origin, c.Size, ErrUnsigned, err)
	}
	return c, nil
}

// UnverifiedCheckpoint reads a signed checkpoint without verifying any signature.
func UnverifiedCheckpoint(msg []byte) (*Checkpoint, error) {
	text, sigs, err := splitNote(msg)
	if err != nil {
		return nil, err
	}
	for _, s := range sigs {
		if _, _, err := parseSignature(s); err != nil {
			return nil, err
		}
	}
	return ParseCheckpoint(text)
}

const signaturePrefix = "— "

// splitNote takes a note apart: its text, and its signature lines without
// newlines.
func splitNote(msg []byte) (text string, sigs []string, err error) {
	if len(msg) > CheckpointBytesMax {
		return "", nil, fmt.Errorf("reading a signed checkpoint: %d bytes are too many", len(msg))
	}
	head, tail, ok := bytes.Cut(msg, []byte("\n\n"))
	if !ok || len(tail) == 0 || tail[len(tail)-1] != '\n' {
		return "", nil, errors.New("reading a signed checkpoint: it must be text, an empty line, and signatures, each line ended")
	}
	return string(head) + "\n", strings.Split(string(tail[:len(tail)-1]), "\n"), nil
}

// parseSignature reads a signature line, in its one spelling.
func parseSignature(line string) (name string, sig []byte, err error) {
	rest, ok := strings.CutPrefix(line, signaturePrefix)
	name, text, ok2 := strings.Cut(rest, " ")
	if ok && ok2 && validOrigin(name) {
		if strings.ContainsAny(text, "\r\n") {
			ok = false
		} else if sig, err = strict64.DecodeString(text); err != nil || len(sig) < 5 {
			ok = false
		}
	}
	if !ok || !ok2 || !validOrigin(name) {
		return "", nil, fmt.Errorf("reading a signed checkpoint: %q is not a signature line", line)
	}
	return name, sig, nil
}

// Key types of signed notes.
const (
	algEd25519     = 1
	algCosignature = 4
)

// keyHash is the hash by which signature lines name a key.
func keyHash(name string, alg byte, key ed25519.PublicKey) uint32 {
	h := sha256.New()
	h.Write([]byte(name + "\n"))
	h.Write([]byte{alg})
	h.Write(key)
	return binary.BigEndian.Uint32(h.Sum(nil))
}

// signer signs notes with an Ed25519 key.
type signer struct {
	name string
	key  ed25519.PrivateKey
}

// NewSigner returns a signer of checkpoints with an origin.
func NewSigner(origin string, key ed25519.PrivateKey) note.Signer { return &signer{origin, key} }

func (s *signer) Name() string { return s.name }
func (s *signer) KeyHash() uint32 {
	return keyHash(s.name, algEd25519, s.key.Public().(ed25519.PublicKey))
}
func (s *signer) Sign(msg []byte) ([]byte, error) { return ed25519.Sign(s.key, msg), nil }

// verifier verifies notes, or cosignatures, with an Ed25519 key.
type verifier struct {
	name string
	alg  byte
	key  ed25519.PublicKey
}

// NewVerifier returns the verifier of checkpoints with an origin, signed by a key.
func NewVerifier(origin string, key ed25519.PublicKey) note.Verifier {
	return &verifier{origin, algEd25519, key}
}

func (v *verifier) Name() string    { return v.name }
func (v *verifier) KeyHash() uint32 { return keyHash(v.name, v.alg, v.key) }
func (v *verifier) Verify(msg, sig []byte) bool {
	if v.alg == algEd25519 {
		return ed25519.Verify(v.key, msg, sig)
	}
	stamp, ok := cosignatureTime(sig)
	return ok && ed25519.Verify(v.key, cosignedMessage(msg, stamp), sig[8:])
}

// VerifierKey returns the text by which other programs know the verifier's key:
// name, key hash and key, as signed notes write them.
func VerifierKey(origin string, key ed25519.PublicKey) string {
	return fmt.Sprintf("%s+%08x+%s", origin, keyHash(origin, algEd25519, key), base64.StdEncoding.EncodeToString(append([]byte{algEd25519}, key...)))
}

// ParseVerifierKey reads the text form of a key. cosigner says that it is a
// witness's.
func ParseVerifierKey(s string) (name string, key ed25519.PublicKey, cosigner bool, err error) {
	fail := func() (string, ed25519.PublicKey, bool, error) {
		return "", nil, false, fmt.Errorf("%q is not a verifier key: name+hash+base64, Ed25519", s)
	}
	name, rest, ok := strings.Cut(s, "+")
	hash, text, ok2 := strings.Cut(rest, "+")
	if !ok || !ok2 || !validOrigin(name) || len(text) > 64 {
		return fail()
	}
	b, err := strict64.DecodeString(text)
	if err != nil || len(b) != 1+ed25519.PublicKeySize || b[0] != algEd25519 && b[0] != algCosignature {
		return fail()
	}
	key = ed25519.PublicKey(b[1:])
	if fmt.Sprintf("%08x", keyHash(name, b[0], key)) != hash {
		return fail()
	}
	return name, key, b[0] == algCosignature, nil
}
