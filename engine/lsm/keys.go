package lsm

import (
	"encoding/binary"
	"fmt"
)

// The first byte of a key. The numbers are part of the format: append, never
// renumber.
const (
	prefixCatalog byte = 0x01
	prefixTrees   byte = 0x02
	prefixDigests byte = 0x03
	prefixInsight byte = 0x05
	prefixTrails  byte = 0x06
	prefixSegment byte = 0x10
)

// Space is a part of the database that holds small records of one kind.
type Space byte

// The spaces. What the keys in them are is told by those who use them.
const (
	Catalog Space = Space(prefixCatalog) // package catalog
	Trees   Space = Space(prefixTrees)   // tiles of Merkle trees: tree.go of the engine
	Digests Space = Space(prefixDigests) // digests, signing keys: digests.go of the engine
	Insight Space = Space(prefixInsight) // what is known of series: insightstate.go of the engine
	Trails  Space = Space(prefixTrails)  // trails, their files and keys: package trail, trails.go of the engine
)

// Lengths of the keys of segments.
const (
	segmentPrefixLen = 1 + 8
	blockKeyLen      = segmentPrefixLen + 1 + 4
)

// appendSegment appends the start of the range of a segment.
func appendSegment(dst []byte, number uint64) []byte {
	dst = append(dst, prefixSegment)
	return binary.BigEndian.AppendUint64(dst, number)
}

// AppendBlockKey appends the key of a block of a segment.
func AppendBlockKey(dst []byte, segment uint64, kind byte, id uint32) []byte {
	dst = append(appendSegment(dst, segment), kind)
	return binary.BigEndian.AppendUint32(dst, id)
}

// ParseBlockKey takes a block key apart.
func ParseBlockKey(key []byte) (segment uint64, kind byte, id uint32, err error) {
	if len(key) != blockKeyLen || key[0] != prefixSegment {
		return 0, 0, 0, fmt.Errorf("key %x is not that of a segment's block", key)
	}
	return binary.BigEndian.Uint64(key[1:]), key[segmentPrefixLen], binary.BigEndian.Uint32(key[segmentPrefixLen+1:]), nil
}

// segmentRange returns the range of keys of a segment, end exclusive.
func segmentRange(number uint64) (start, end []byte) {
	start = appendSegment(nil, number)
	if number == ^uint64(0) {
		return start, []byte{prefixSegment + 1}
	}
	return start, appendSegment(nil, number+1)
}

// catalogKey returns the database key of a catalogue key.
func catalogKey(key []byte) []byte { return Catalog.key(key) }

// key returns the database key of a key in the space.
func (s Space) key(key []byte) []byte {
	return append([]byte{byte(s)}, key...)
}

// String names the space in errors.
func (s Space) String() string {
	switch s {
	case Catalog:
		return "catalogue"
	case Trees:
		return "tree"
	case Digests:
		return "digest"
	case Insight:
		return "insight"
	case Trails:
		return "trail"
	}
	return fmt.Sprintf("space %d", byte(s))
}
