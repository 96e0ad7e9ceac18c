package lsm

import (
	"encoding/binary"
	"fmt"
)

// The first byte of a key. The numbers are part of the format: append, never
// renumber.
const (
	prefixCatalog byte = 0x01
	prefixSegment byte = 0x10
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
func catalogKey(key []byte) []byte {
	return append([]byte{prefixCatalog}, key...)
}
