package index

import (
	"iter"

	"github.com/RoaringBitmap/roaring/v2"
)

// BlockRows is the number of rows of a block, the unit in which filters answer
// and in which columns are read. It is part of the format.
const BlockRows = 4096

// Row sets are roaring bitmaps of row numbers; intersecting and uniting them is
// that library's (And, Or, AndNot). Here is what connects them with blocks.

// AllRows is the set of the rows below rows.
func AllRows(rows int) *roaring.Bitmap { return rowRange(0, uint64(rows)) }

// RowsOfBlock is the set of the rows of one block of a segment of so many rows.
// AnyBlock gives all of them.
func RowsOfBlock(block, rows int) *roaring.Bitmap {
	if block == AnyBlock {
		return AllRows(rows)
	}
	from := uint64(block) * BlockRows
	return rowRange(from, min(from+BlockRows, uint64(rows)))
}

func rowRange(from, to uint64) *roaring.Bitmap {
	set := roaring.New()
	if from < to {
		set.AddRange(from, to)
	}
	return set
}

// BlocksOf gives the numbers of the blocks that hold any row of the set,
// ascending. The set must not change meanwhile.
func BlocksOf(set *roaring.Bitmap) iter.Seq[int] {
	return func(yield func(int) bool) {
		it := set.Iterator()
		for it.HasNext() {
			block := it.PeekNext() / BlockRows
			if !yield(int(block)) {
				return
			}
			if block == ^uint32(0)/BlockRows {
				return
			}
			it.AdvanceIfNeeded((block + 1) * BlockRows)
		}
	}
}

// RowsIn appends the rows of the set from one row on and below another,
// ascending, to dst.
func RowsIn(dst []uint32, set *roaring.Bitmap, from, to uint32) []uint32 {
	it := set.Iterator()
	it.AdvanceIfNeeded(from)
	for it.HasNext() {
		row := it.Next()
		if row >= to {
			break
		}
		dst = append(dst, row)
	}
	return dst
}
