package engine

import (
	"encoding/binary"
	"fmt"
)

// The engine writes two types of records into the log, told apart by their
// first byte. All numbers are unsigned varints.
//
//	'A' groups             appended events, one group per store:
//	                         store, sequence number of the first event, count n,
//	                         n lengths, the n records one after the other
//	'P' generation n pairs a position: the catalogue has reached this generation,
//	                         and n stores (store, next sequence number) have
//	                         given out their numbers up to here
//
// A position is written after every change of the catalogue. A lake whose
// catalogue is older than its log says has lost something, and is not opened.
const (
	recordAppend   = 'A'
	recordPosition = 'P'
)

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
