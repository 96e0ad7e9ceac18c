package event

import (
	"crypto/sha256"
	"encoding/hex"
	"hash"
	"sync"
)

// leafPrefix is hashed before a record to make a leaf of the Merkle tree, so
// that no record can pass for an inner node (RFC 6962, 2.1).
const leafPrefix = 0x00

// leafHasher is a hash state with room for its input prefix and its sum, kept
// together so that nothing of it is allocated per record.
type leafHasher struct {
	h      hash.Hash
	prefix [1]byte
	sum    [sha256.Size]byte
}

var leafHashers = sync.Pool{New: func() any {
	return &leafHasher{h: sha256.New(), prefix: [1]byte{leafPrefix}}
}}

// LeafHash returns the hash of a record as a leaf of the Merkle tree: SHA-256
// of a zero byte and the record.
func LeafHash(raw []byte) [32]byte {
	l := leafHashers.Get().(*leafHasher)
	l.h.Reset()
	l.h.Write(l.prefix[:])
	l.h.Write(raw)
	l.h.Sum(l.sum[:0])
	sum := l.sum
	leafHashers.Put(l)
	return sum
}

// IdentityKind says what an [Identity] was made from.
type IdentityKind uint8

// The kinds of identity. The numbers are part of on-disk formats.
const (
	// ByUUID: the event ID is a UUID in lower case; the key is its 16 bytes.
	ByUUID IdentityKind = 1
	// ByID: any other event ID; the key is the start of its SHA-256.
	ByID IdentityKind = 2
	// ByContent: there is no event ID; the key is the start of the leaf hash.
	ByContent IdentityKind = 3
)

// Identity is what two records of one event share: the key by which duplicates
// are found. Records with equal identities but different leaf hashes are a
// conflict, not a duplicate; hashes of records decide, never this key alone.
type Identity struct {
	Kind IdentityKind
	Key  [16]byte
}

// Identity returns the identity of the event. leaf is the leaf hash of its
// record; it is looked at only when the event has no ID.
func (ev *Event) Identity(leaf *[32]byte) Identity {
	if ev.ID == nil {
		id := Identity{Kind: ByContent}
		copy(id.Key[:], leaf[:])
		return id
	}
	return IdentityOf(ev.ID)
}

// IdentityOf returns the identity of every record with this event ID, unescaped
// and not empty. It is what a lookup by ID asks for.
func IdentityOf(id []byte) Identity {
	if key, ok := parseUUID(id); ok {
		return Identity{Kind: ByUUID, Key: key}
	}
	sum := sha256.Sum256(id)
	out := Identity{Kind: ByID}
	copy(out.Key[:], sum[:])
	return out
}

// parseUUID reads 8-4-4-4-12 hexadecimal digits in lower case: only one text
// may stand for one key, or two event IDs would be one.
func parseUUID(s []byte) (key [16]byte, ok bool) {
	if len(s) != 36 || s[8] != '-' || s[13] != '-' || s[18] != '-' || s[23] != '-' {
		return key, false
	}
	at := 0
	for i := 0; i < 36; i += 2 {
		if s[i] == '-' {
			i++
		}
		hi, lo := lowerHex[s[i]], lowerHex[s[i+1]]
		if hi|lo > 15 {
			return key, false
		}
		key[at] = hi<<4 | lo
		at++
	}
	return key, true
}

// UUID returns the event ID that an identity of kind ByUUID was made from, and ""
// for other kinds.
func (id Identity) UUID() string {
	if id.Kind != ByUUID {
		return ""
	}
	var b [36]byte
	at := 0
	for i := range id.Key {
		if i == 4 || i == 6 || i == 8 || i == 10 {
			b[at] = '-'
			at++
		}
		hex.Encode(b[at:], id.Key[i:i+1])
		at += 2
	}
	return string(b[:])
}

// lowerHex maps a lower-case hexadecimal digit to its value, all else to 255.
var lowerHex = func() (t [256]byte) {
	for i := range t {
		t[i] = 255
	}
	for i, c := range "0123456789abcdef" {
		t[c] = byte(i)
	}
	return t
}()

// String returns the kind and the key, for messages.
func (id Identity) String() string {
	switch id.Kind {
	case ByUUID:
		return "uuid:" + hex.EncodeToString(id.Key[:])
	case ByID:
		return "id:" + hex.EncodeToString(id.Key[:])
	case ByContent:
		return "content:" + hex.EncodeToString(id.Key[:])
	}
	return "none"
}
