package segment

import "encoding/binary"

// A tiny column in a bundle:
//
//	mask of the row blocks that have values (uvarint) · number of values in each of them (uvarint)
//	distinct values<<1 | listed (uvarint) · length (uvarint) and bytes of each, in the order of their first use
//	unless listed: a byte per value, the number of the distinct value
//
// Listed means that value i is distinct value i, or that there is only one.
// A bundle is the length of what follows when unpacked (uvarint) and a zstd
// frame with the columns, one after the other.

func appendTiny(dst []byte, c *finalColumn, rowBlocks int) []byte {
	mask := uint64(0)
	for b, n := range c.counts[:rowBlocks] {
		if n > 0 {
			mask |= 1 << uint(b)
		}
	}
	dst = binary.AppendUvarint(dst, mask)
	for _, n := range c.counts[:rowBlocks] {
		if n > 0 {
			dst = binary.AppendUvarint(dst, uint64(n))
		}
	}
	distinct := len(c.ends)
	listed := distinct == 1 || distinct == c.n
	h := uint64(distinct) << 1
	if listed {
		h |= 1
	}
	dst = binary.AppendUvarint(dst, h)
	for i := range distinct {
		v := c.entry(i)
		dst = binary.AppendUvarint(dst, uint64(len(v)))
		dst = append(dst, v...)
	}
	if !listed {
		for _, code := range c.codes {
			dst = append(dst, byte(code))
		}
	}
	return dst
}

// tinyColumn is a tiny column in memory; it points into its bundle.
type tinyColumn struct {
	starts  [MaxRows/BlockRows + 1]uint32
	n       int
	entries [][]byte
	codes   []byte // nil when listed
}

func (t *tinyColumn) open(b []byte, rowBlocks int) error {
	in := input{b: b}
	mask := in.uvarint()
	if mask>>uint(rowBlocks) != 0 {
		return errPage
	}
	for i := range MaxRows / BlockRows {
		n := 0
		if mask>>uint(i)&1 != 0 {
			n = in.count(tinyValues)
		}
		t.starts[i+1] = t.starts[i] + uint32(n)
	}
	t.n = int(t.starts[rowBlocks])
	h := in.uvarint()
	distinct := int(h >> 1)
	if in.bad || t.n == 0 || t.n > tinyValues || distinct < 1 || distinct > t.n {
		return errPage
	}
	t.entries = make([][]byte, distinct)
	for i := range t.entries {
		t.entries[i] = in.bytes(in.count(len(in.b)))
	}
	if h&1 == 0 {
		t.codes = in.bytes(t.n)
		for _, c := range t.codes {
			if int(c) >= distinct {
				return errPage
			}
		}
	} else if distinct != 1 && distinct != t.n {
		return errPage
	}
	if in.bad || len(in.b) != 0 {
		return errPage
	}
	return nil
}

func (t *tinyColumn) code(i int) int {
	switch {
	case t.codes != nil:
		return int(t.codes[i])
	case len(t.entries) == 1:
		return 0
	}
	return i
}
