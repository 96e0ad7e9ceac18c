package segment

import (
	"context"
	"math"
)

// rowsOfCodes are the rows of a segment by their codes at a path: what postings are for
// columns that have some on disk, made for the others when a value is asked for again.
type rowsOfCodes struct {
	starts []uint32 // of the rows of each code, and the end
	rows   []uint16
}

// frequentShare is the part of the rows (one in n) beyond which a value is so frequent that scanning codes is
// as fast. Most values of a column with fewer than n of them are.
const frequentShare = 16

// RowsOf appends to dst, in no order, the rows that have one of some codes of [Reader.Find] at p. ok is
// false when it is not known which they are, or when they are so many that their number is no help.
// It is known from the second time on that a path is asked about, as long as there is room in the cache.
func (r *Reader) RowsOf(ctx context.Context, p PathID, codes []uint32, dst []uint32) (_ []uint32, ok bool, err error) {
	k := r.key(cachedRowsOf, uint32(p))
	of, there := r.cache.get(k).(*rowsOfCodes)
	if !there {
		if r.rows > math.MaxUint16+1 || !r.cache.roomForScans() {
			return dst, false, nil
		}
		pd, err := r.pathDict(ctx, p)
		if err != nil || pd == nil || pd.vector.Len < frequentShare || !r.cache.again(k) {
			return dst, false, err
		}
		if of, err = r.rowsOf(ctx, pd); err != nil {
			return dst, false, err
		}
		of = r.cache.put(k, of, int64(2*len(of.rows)+4*len(of.starts))).(*rowsOfCodes)
	}
	n := uint32(0)
	for _, c := range codes {
		if int(c)+1 < len(of.starts) {
			n += of.starts[c+1] - of.starts[c]
		}
	}
	if int(n) > r.rows/frequentShare {
		return dst, false, nil
	}
	for _, c := range codes {
		if int(c)+1 < len(of.starts) {
			for _, row := range of.rows[of.starts[c]:of.starts[c+1]] {
				dst = append(dst, uint32(row))
			}
		}
	}
	return dst, true, nil
}

// rowsOf sorts the rows by their codes. The codes of the blocks are kept, too: whoever has found
// rows reads their values.
func (r *Reader) rowsOf(ctx context.Context, pd *pathDict) (*rowsOfCodes, error) {
	codes := make([]uint32, r.rows)
	of := &rowsOfCodes{starts: make([]uint32, pd.vector.Len+1)}
	for b := 0; b*BlockRows < r.rows; b++ {
		from, to := b*BlockRows, min((b+1)*BlockRows, r.rows)
		part := codes[from:to]
		if err := r.blockCodes(ctx, pd, b, Range(from, to), part); err != nil {
			return nil, err
		}
		if pd.vector.Len <= math.MaxUint16+1 {
			k := r.key(cachedPathCodes, pd.plan.node)
			k.part = uint32(b)
			kept := keepCodes(part, pd.vector.Len)
			r.cache.put(k, kept, kept.bytes())
		}
		for _, c := range part {
			if c != pd.null {
				of.starts[c+1]++
			}
		}
	}
	for i := 1; i < len(of.starts); i++ {
		of.starts[i] += of.starts[i-1]
	}
	of.rows = make([]uint16, of.starts[len(of.starts)-1])
	next := make([]uint32, len(of.starts))
	copy(next, of.starts)
	for row, c := range codes {
		if c != pd.null {
			of.rows[next[c]] = uint16(row)
			next[c]++
		}
	}
	return of, nil
}
