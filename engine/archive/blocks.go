package archive

import (
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
)

// A file of the format "segments" has the blocks of one segment (package segment says
// what is in them):
//
//	"CAIRNSG1"         8 bytes
//	count              4 bytes, big-endian
//	lengths            4 bytes each
//	checksum           4 bytes, CRC-32C of everything before
//	blocks             each with checksums of its own
const blocksMagic = "CAIRNSG1"

// blocksMax bounds the blocks of a segment.
const blocksMax = 1 << 20

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// EncodeBlocks returns the file with a segment's blocks.
func EncodeBlocks(blocks [][]byte) []byte {
	size := len(blocksMagic) + 8 + 4*len(blocks)
	for _, b := range blocks {
		size += len(b)
	}
	out := make([]byte, 0, size)
	out = append(out, blocksMagic...)
	out = binary.BigEndian.AppendUint32(out, uint32(len(blocks)))
	for _, b := range blocks {
		out = binary.BigEndian.AppendUint32(out, uint32(len(b)))
	}
	out = binary.BigEndian.AppendUint32(out, crc32.Checksum(out, castagnoli))
	for _, b := range blocks {
		out = append(out, b...)
	}
	return out
}

// DecodeBlocks takes such a file apart. The blocks are parts of it.
func DecodeBlocks(file []byte) ([][]byte, error) {
	const head = len(blocksMagic) + 4
	if len(file) < head+4 || string(file[:len(blocksMagic)]) != blocksMagic {
		return nil, errors.New("it is no file of a segment, or of a version that is not known")
	}
	n := int(binary.BigEndian.Uint32(file[len(blocksMagic):]))
	if n > blocksMax || len(file) < head+4*n+4 {
		return nil, fmt.Errorf("it cannot have %d blocks", n)
	}
	end := head + 4*n
	if want := binary.BigEndian.Uint32(file[end:]); want != crc32.Checksum(file[:end], castagnoli) {
		return nil, errors.New("the checksum of its head is wrong")
	}
	blocks, rest := make([][]byte, n), file[end+4:]
	for i := range blocks {
		size := int(binary.BigEndian.Uint32(file[head+4*i:]))
		if size > len(rest) {
			return nil, errors.New("it ends inside of a block")
		}
		blocks[i], rest = rest[:size:size], rest[size:]
	}
	if len(rest) > 0 {
		return nil, errors.New("there is something behind its blocks")
	}
	return blocks, nil
}
