package segment

import (
	"context"
	"math"
)

// Codes of a path that are read block by block are kept in the cache from the second
// time on, a byte or two for each row: unpacking them, and deriving them from other
// columns, is most of what a scan costs. Where a few rows of a block are asked for they are kept
// from the third time on: to find one value in a page takes about a tenth of unpacking it.

// keptCodes are the codes of the rows of one block, in the smallest form that holds them.
type keptCodes struct {
	small []uint8
	wide  []uint16
}

func (k *keptCodes) bytes() int64 { return int64(cap(k.small)) + 2*int64(cap(k.wide)) + 64 }

func keepCodes(codes []uint32, limit int) *keptCodes {
	k := new(keptCodes)
	if limit <= math.MaxUint8+1 {
		k.small = make([]uint8, len(codes))
		for i, c := range codes {
			k.small[i] = uint8(c)
		}
		return k
	}
	k.wide = make([]uint16, len(codes))
	for i, c := range codes {
		k.wide[i] = uint16(c)
	}
	return k
}

// read fills dst with the codes of selected rows; base is the first row of the block.
func (k *keptCodes) read(sel Selection, base int, dst []uint32) {
	if sel.List == nil {
		spread(dst, k.small, k.wide, sel.From-base)
		return
	}
	if k.small != nil {
		for i, row := range sel.List {
			dst[i] = uint32(k.small[int(row)-base])
		}
		return
	}
	for i, row := range sel.List {
		dst[i] = uint32(k.wide[int(row)-base])
	}
}

func spread(dst []uint32, small []uint8, wide []uint16, from int) {
	if small != nil {
		for i, c := range small[from : from+len(dst)] {
			dst[i] = uint32(c)
		}
		return
	}
	for i, c := range wide[from : from+len(dst)] {
		dst[i] = uint32(c)
	}
}

// keptBlock returns the codes of a block if they are kept, or are kept from now on; nil
// when they are not: a few rows that are asked for once are no reason to unpack all.
func (r *Reader) keptBlock(ctx context.Context, pd *pathDict, b int, rows int) (*keptCodes, error) {
	if pd.vector.Len > math.MaxUint16+1 {
		return nil, nil
	}
	key := r.key(cachedPathCodes, pd.plan.node)
	key.part = uint32(b)
	if k, ok := r.cache.get(key).(*keptCodes); ok {
		return k, nil
	}
	from, to := b*BlockRows, min((b+1)*BlockRows, r.rows)
	if !r.cache.roomForScans() {
		return nil, nil
	}
	before := 1
	if rows < (to-from)/keptShare {
		before = keptAsked
	}
	if r.cache.asked(key) < before {
		return nil, nil
	}
	codes := make([]uint32, to-from)
	if err := r.readBlockCodes(ctx, pd, b, Range(from, to), codes); err != nil {
		return nil, err
	}
	k := keepCodes(codes, pd.vector.Len)
	return r.cache.put(key, k, k.bytes()).(*keptCodes), nil
}

const (
	// keptShare is the part of a block's rows that counts as a scan of it.
	keptShare = 16
	// keptAsked is how often fewer must have been asked for before, so that its codes are kept.
	keptAsked = 2
)
