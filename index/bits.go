package index

import (
	"fmt"
	"math/bits"
	"slices"
)

// bitWriter appends fields of bits, low end first.
type bitWriter struct {
	dst  []byte
	word uint64
	n    uint   // bits in word, below 32 between calls
	bits uint64 // bits written in all
}

// put writes the low n bits of v, whose other bits are 0; n is at most 33, the
// code of a symbol and the bits of a number below its highest.
func (w *bitWriter) put(v uint64, n uint) {
	w.word |= v << w.n
	w.n += n
	w.bits += uint64(n)
	if w.n >= 32 {
		w.dst = le.AppendUint32(w.dst, uint32(w.word))
		w.word >>= 32
		w.n -= 32
	}
}

// finish fills the last byte and returns all of them.
func (w *bitWriter) finish() []byte {
	for ; w.n > 0; w.n -= min(w.n, 8) {
		w.dst = append(w.dst, byte(w.word))
		w.word >>= 8
	}
	return w.dst
}

// peekBits returns at least 57 bits from bit at of b, of which 8 bytes from
// that byte on must be there.
func peekBits(b []byte, at uint64) uint64 {
	return le.Uint64(b[at>>3:]) >> (at & 7)
}

// A code table maps the symbols of a small alphabet to prefix codes of at most
// maxCode bits. The symbol of a number is its length in bits, and the number's
// bits below the highest follow the code, so that common magnitudes are short
// whatever they are.
const (
	maxCode    = 8
	maxSymbols = 34 // lengths 0 to 32, and one
)

// codeLengths gives each symbol the length of its code, from how often it
// occurs: Huffman's, with the counts flattened until no code is too long.
func codeLengths(counts []uint32) (lengths [maxSymbols]uint8) {
	var weights [maxSymbols]uint64
	used := 0
	for s, c := range counts {
		weights[s] = uint64(c)
		if c > 0 {
			used++
		}
	}
	if used < 2 {
		// One symbol alone still takes a bit, so that every list takes some space
		// and no number of entries can be claimed without it.
		for s := range counts {
			if weights[s] > 0 {
				lengths[s] = 1
			}
		}
		return lengths
	}
	type node struct {
		weight uint64
		parent int
	}
	for {
		var nodes [2 * maxSymbols]node
		var leaf [maxSymbols]int
		open := make([]int, 0, maxSymbols)
		n := 0
		for s := range counts {
			if weights[s] > 0 {
				nodes[n] = node{weights[s], -1}
				leaf[s] = n
				open = append(open, n)
				n++
			}
		}
		for len(open) > 1 {
			// The heaviest first; ties by number, so that the result is always
			// the same.
			slices.SortFunc(open, func(a, b int) int {
				if nodes[a].weight != nodes[b].weight {
					if nodes[a].weight > nodes[b].weight {
						return -1
					}
					return 1
				}
				return b - a
			})
			a, b := open[len(open)-1], open[len(open)-2]
			nodes[n] = node{nodes[a].weight + nodes[b].weight, -1}
			nodes[a].parent, nodes[b].parent = n, n
			open = append(open[:len(open)-2], n)
			n++
		}
		longest := uint8(0)
		for s := range counts {
			lengths[s] = 0
			if weights[s] == 0 {
				continue
			}
			for at := leaf[s]; nodes[at].parent >= 0; at = nodes[at].parent {
				lengths[s]++
			}
			longest = max(longest, lengths[s])
		}
		if longest <= maxCode {
			return lengths
		}
		for s := range weights {
			if weights[s] > 0 {
				weights[s] = weights[s]/2 + 1
			}
		}
	}
}

// encoder is a code table for writing.
type encoder struct {
	code   [maxSymbols]uint16 // first bit lowest
	length [maxSymbols]uint8
}

func newEncoder(lengths [maxSymbols]uint8) (e encoder) {
	e.length = lengths
	next := uint16(0)
	for l := uint8(1); l <= maxCode; l++ {
		for s, length := range lengths {
			if length == l {
				e.code[s] = bits.Reverse16(next) >> (16 - l)
				next++
			}
		}
		next <<= 1
	}
	return e
}

// put writes the number v whose symbol is symbol, with extra bits of v below its
// highest.
func (e *encoder) put(w *bitWriter, symbol int, v uint64, extra uint) {
	w.put(uint64(e.code[symbol])|(v&(1<<extra-1))<<e.length[symbol], uint(e.length[symbol])+extra)
}

// decoder is a code table for reading: by the next maxCode bits, the symbol and
// the length of its code, 0 where no code begins so.
type decoder [1 << maxCode]struct{ symbol, length uint8 }

// newDecoder refuses lengths that are not those of a prefix code in which every
// sequence of bits means something; a single symbol of one bit is all right.
func newDecoder(lengths [maxSymbols]uint8) (*decoder, error) {
	space, used := 0, 0
	for s, l := range lengths {
		if l > maxCode {
			return nil, fmt.Errorf("a code of %d bits for symbol %d", l, s)
		}
		if l > 0 {
			space += 1 << (maxCode - l)
			used++
		}
	}
	if used > 0 && space != 1<<maxCode && !(used == 1 && space == 1<<(maxCode-1)) {
		return nil, fmt.Errorf("code lengths that fill %d of %d", space, 1<<maxCode)
	}
	d := new(decoder)
	e := newEncoder(lengths)
	for s, l := range lengths {
		if l == 0 {
			continue
		}
		for at := int(e.code[s]); at < 1<<maxCode; at += 1 << l {
			d[at].symbol, d[at].length = uint8(s), l
		}
	}
	return d, nil
}
