package crypt

import (
	"bytes"
	"crypto/aes"
	"crypto/cipher"
	"crypto/rand"
	"crypto/sha256"
	"encoding/binary"
	"fmt"
)

// The layout of a file; it never changes within a version.
const (
	fileMagic   = "CAIRNENC"
	fileVersion = 1

	slotLen    = 128
	secondSlot = 512
	headLen    = 1024

	// frameBytes is the plaintext of a full frame: large enough that head and tag
	// cost well below one per cent, small enough that reading a 16 KiB block of a
	// table decrypts little else.
	frameBytes = 8192

	frameHeadLen = 32
	tagLen       = 16
	frameLen     = frameHeadLen + frameBytes + tagLen

	keyLen     = 32
	nonceLen   = 12
	wrappedLen = keyLen + tagLen
)

// HeadLen is how much of an encrypted file is its head: all that a rotation of keys
// changes in it.
const HeadLen = headLen

// FileHead returns the head of what begins like an encrypted file, without the zeros at
// its end; nil for anything else.
func FileHead(b []byte) []byte {
	if len(b) < headLen || !bytes.HasPrefix(b, []byte(fileMagic)) {
		return nil
	}
	return bytes.TrimRight(b[:headLen], "\x00")
}

// kind is how a file is written.
type kind byte

const (
	sealedKind kind = 'S'
	logKind    kind = 'L'
)

var (
	le         = binary.LittleEndian
	frameMagic = []byte{0xc7, 0x5e, 0x9d}
)

// CorruptError is a file whose bytes are not those that were written.
type CorruptError struct {
	File   string // path
	Offset int64  // in the file as it is on disk, encrypted
	What   string // what is wrong
}

// Error names file and offset.
func (e *CorruptError) Error() string {
	return fmt.Sprintf("encrypted file %s is damaged at offset %d: %s", e.File, e.Offset, e.What)
}

// KeyError is a file or key ring that cannot be read with the keys at hand.
type KeyError struct {
	File string // path
	What string // which key is needed, and why it does not fit
}

// Error names the file and the key.
func (e *KeyError) Error() string { return fmt.Sprintf("encrypted file %s: %s", e.File, e.What) }

// newGCM returns the cipher of a key.
func newGCM(key []byte) cipher.AEAD {
	block, err := aes.NewCipher(key)
	if err != nil {
		panic(err) // the key has the wrong length
	}
	gcm, err := cipher.NewGCM(block)
	if err != nil {
		panic(err) // the cipher has the wrong block size
	}
	return gcm
}

// randomBytes returns fresh random bytes; the system's source does not fail.
func randomBytes(n int) []byte {
	b := make([]byte, n)
	rand.Read(b)
	return b
}

// slot is one wrapping of a file's data key.
type slot struct {
	kind       kind
	generation uint32
	key        uint32 // number of the key-encryption key
	nonce      [nonceLen]byte
	wrapped    [wrappedLen]byte
}

func (s *slot) append(b []byte) []byte {
	start := len(b)
	b = append(b, fileMagic...)
	b = append(b, fileVersion, byte(s.kind), 0, 0)
	b = le.AppendUint32(b, s.generation)
	b = le.AppendUint32(b, s.key)
	b = le.AppendUint32(b, 0)
	b = append(b, s.nonce[:]...)
	b = append(b, s.wrapped[:]...)
	b = append(b, make([]byte, 120-84)...)
	sum := sha256.Sum256(b[start:])
	return append(b, sum[:8]...)
}

// parseSlot reads a slot; what says what is wrong with it. The second slot may be
// empty, all zero.
func parseSlot(b []byte) (s slot, what string) {
	sum := sha256.Sum256(b[:120])
	switch {
	case !bytes.Equal(b[:8], []byte(fileMagic)):
		return s, "it does not begin like an encrypted file"
	case !bytes.Equal(sum[:8], b[120:slotLen]):
		return s, "the checksum of the file's head does not fit"
	case b[8] != fileVersion:
		return s, fmt.Sprintf("it has version %d, this program knows version %d", b[8], fileVersion)
	}
	s.kind = kind(b[9])
	s.generation = le.Uint32(b[12:])
	s.key = le.Uint32(b[16:])
	copy(s.nonce[:], b[24:])
	copy(s.wrapped[:], b[36:])
	if s.kind != sealedKind && s.kind != logKind {
		return s, fmt.Sprintf("kind %q of file is not known", b[9])
	}
	if !bytes.Equal(s.append(nil), b[:slotLen]) {
		return s, "the file's head has bits set that have no meaning"
	}
	return s, ""
}

// bound returns what is authenticated with the wrapped key.
func (s *slot) bound() []byte { return s.append(nil)[:24] }

// frameHead is the part of a frame that is not encrypted.
type frameHead struct {
	seals  bool
	length int
	number uint64
	offset int64 // of the plaintext
	synced int64
}

func (h *frameHead) append(b []byte) []byte {
	b = append(b, frameMagic...)
	if h.seals {
		b = append(b, 1)
	} else {
		b = append(b, 0)
	}
	b = le.AppendUint32(b, uint32(h.length))
	b = le.AppendUint64(b, h.number)
	b = le.AppendUint64(b, uint64(h.offset))
	return le.AppendUint64(b, uint64(h.synced))
}

// parseFrameHead reads a frame's head; ok is false when it cannot be one.
func parseFrameHead(b []byte) (h frameHead, ok bool) {
	if len(b) < frameHeadLen || !bytes.Equal(b[:3], frameMagic) || b[3] > 1 {
		return h, false
	}
	length, offset, synced := le.Uint32(b[4:]), le.Uint64(b[16:]), le.Uint64(b[24:])
	const offsetMax = 1 << 62
	if length > frameBytes || offset > offsetMax || synced > offset {
		return h, false
	}
	return frameHead{seals: b[3] == 1, length: int(length), number: le.Uint64(b[8:]), offset: int64(offset), synced: int64(synced)}, true
}

// frameNonce is the nonce of frame number n under its file's key.
func frameNonce(n uint64) (nonce [nonceLen]byte) {
	le.PutUint64(nonce[:], n)
	return nonce
}

// sealFrame appends a frame.
func sealFrame(b []byte, gcm cipher.AEAD, h *frameHead, plain []byte) []byte {
	start := len(b)
	b = h.append(b)
	nonce := frameNonce(h.number)
	return gcm.Seal(b, nonce[:], plain, b[start:start+frameHeadLen])
}

// openFrame decrypts the frame b, of which h is the head, and appends its plaintext
// to dst.
func openFrame(dst []byte, gcm cipher.AEAD, h *frameHead, b []byte) ([]byte, error) {
	nonce := frameNonce(h.number)
	return gcm.Open(dst, nonce[:], b[frameHeadLen:frameHeadLen+h.length+tagLen], b[:frameHeadLen])
}
