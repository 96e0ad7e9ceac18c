package engine

import (
	"encoding/binary"
	"fmt"

	"github.com/klauspost/compress/s2"

	"github.com/cairndb/cairn/wal"
)

// The engine writes three types of records into the log, told apart by their
// first byte. All numbers are unsigned varints.
//
//	'A' groups             appended events, one group per store:
//	                         store, sequence number of the first event, count n,
//	                         n lengths, the n records one after the other
//	'S' block              an 'A' record as an S2 block, whose length is that of the record: written where it
//	                         is shorter, because what a sync costs goes by its bytes on many disks
//	'P' generation n pairs a position: the catalogue has reached this generation,
//	                         and n stores (store, next sequence number) have
//	                         given out their numbers up to here
//
// A position is written after every change of the catalogue. A lake whose
// catalogue is older than its log says has lost something, and is not opened.
const (
	recordAppend   = 'A'
	recordSqueezed = 'S'
	recordPosition = 'P'
)

// squeezeMin is the size of the records that are compressed, in bytes: with fewer a sync takes its time whatever their number.
const squeezeMin = 4 << 10

// squeezer makes log records of appends smaller. The zero value is ready; it is for one goroutine.
type squeezer struct {
	plain, block []byte
}

// squeezedMax is how large a buffer may be to be kept.
const squeezedMax = 4 << 20

// squeeze returns the parts of a record to write: the given ones of an 'A' record, or one of an 'S' record. They
// are valid until the next call.
func (s *squeezer) squeeze(parts [][]byte) [][]byte {
	size := 0
	for _, p := range parts {
		size += len(p)
	}
	if size < squeezeMin || size > wal.MaxRecord {
		return parts // which the log refuses when it is too large
	}
	most := s2.MaxEncodedLen(size)
	s.plain = s.plain[:0]
	for _, p := range parts {
		s.plain = append(s.plain, p...)
	}
	if cap(s.block) < 1+most {
		s.block = make([]byte, 1+most)
	}
	s.block = s.block[:1+most]
	s.block[0] = recordSqueezed
	out := s.block[:1+len(s2.Encode(s.block[1:], s.plain))]
	if cap(s.plain) > squeezedMax {
		s.plain, s.block = nil, nil
	}
	if len(out) >= size {
		return parts
	}
	return [][]byte{out}
}

// loosen returns the 'A' record that an 'S' record holds, in bytes of its own.
func loosen(payload []byte) ([]byte, error) {
	n, err := s2.DecodedLen(payload[1:])
	switch {
	case err != nil:
		return nil, fmt.Errorf("the length of its block: %w", err)
	case n > wal.MaxRecord:
		return nil, fmt.Errorf("its block holds %d bytes, at most %d are allowed", n, wal.MaxRecord)
	}
	plain, err := s2.Decode(nil, payload[1:])
	if err != nil {
		return nil, fmt.Errorf("its block: %w", err)
	}
	if len(plain) == 0 || plain[0] != recordAppend {
		return nil, fmt.Errorf("its block holds no record of appended events")
	}
	return plain, nil
}

// group is the events that one record adds to one store.
type group struct {
	store   uint32
	first   uint64
	records [][]byte
}

// appendGroupHead adds everything of a group that stands before its records.
func appendGroupHead(dst []byte, store uint32, first uint64, lengths []int) []byte {
	dst = binary.AppendUvarint(dst, uint64(store))
	dst = binary.AppendUvarint(dst, first)
	dst = binary.AppendUvarint(dst, uint64(len(lengths)))
	for _, n := range lengths {
		dst = binary.AppendUvarint(dst, uint64(n))
	}
	return dst
}

// parseAppend takes an 'A' record apart. The records alias payload.
func parseAppend(payload []byte) ([]group, error) {
	d := fieldReader{b: payload[1:]}
	var out []group
	for len(d.b) > 0 {
		g := group{store: uint32(d.uint(1<<32 - 1)), first: d.uint(1 << 62)}
		n := d.uint(uint64(len(d.b))) // every record takes a byte for its length
		if d.err != nil {
			return nil, d.err
		}
		lengths := make([]uint64, n)
		for i := range lengths {
			lengths[i] = d.uint(uint64(len(payload)))
		}
		g.records = make([][]byte, n)
		for i, length := range lengths {
			g.records[i] = d.bytes(length)
		}
		if d.err != nil {
			return nil, d.err
		}
		out = append(out, g)
	}
	return out, d.err
}

// position is the content of a 'P' record.
type position struct {
	generation uint64
	next       map[uint32]uint64
}

func (p *position) encode() []byte {
	dst := []byte{recordPosition}
	dst = binary.AppendUvarint(dst, p.generation)
	dst = binary.AppendUvarint(dst, uint64(len(p.next)))
	for store, next := range p.next {
		dst = binary.AppendUvarint(dst, uint64(store))
		dst = binary.AppendUvarint(dst, next)
	}
	return dst
}

func parsePosition(payload []byte) (*position, error) {
	d := fieldReader{b: payload[1:]}
	p := &position{generation: d.uint(1<<63 - 1), next: make(map[uint32]uint64)}
	for n := d.uint(uint64(len(d.b))); n > 0 && d.err == nil; n-- {
		store := d.uint(1<<32 - 1)
		p.next[uint32(store)] = d.uint(1 << 62)
	}
	if d.err == nil && len(d.b) > 0 {
		d.err = fmt.Errorf("%d bytes are left over", len(d.b))
	}
	return p, d.err
}

// fieldReader reads varints and byte strings; the first fault is kept.
type fieldReader struct {
	b   []byte
	err error
}

func (d *fieldReader) uint(limit uint64) uint64 {
	if d.err != nil {
		return 0
	}
	v, n := binary.Uvarint(d.b)
	if n <= 0 || v > limit {
		d.err = fmt.Errorf("a number is cut off or above %d", limit)
		return 0
	}
	d.b = d.b[n:]
	return v
}

func (d *fieldReader) bytes(n uint64) []byte {
	if d.err == nil && n > uint64(len(d.b)) {
		d.err = fmt.Errorf("%d bytes are announced, %d are there", n, len(d.b))
	}
	if d.err != nil {
		return nil
	}
	out := d.b[:n:n]
	d.b = d.b[n:]
	return out
}
