package index

import (
	"math"
	"slices"
	"testing"

	"github.com/RoaringBitmap/roaring/v2"
)

func TestRowsOfBlocks(t *testing.T) {
	const rows = 3*BlockRows + 5
	all := AllRows(rows)
	if all.GetCardinality() != rows || !RowsOfBlock(AnyBlock, rows).Equals(all) || !AllRows(0).IsEmpty() {
		t.Fatalf("all %d rows: %v", rows, all)
	}
	sum := roaring.New()
	for block := range 4 {
		set := RowsOfBlock(block, rows)
		if got := slices.Collect(BlocksOf(set)); !slices.Equal(got, []int{block}) {
			t.Errorf("block %d lies in blocks %v", block, got)
		}
		if sum.Intersects(set) {
			t.Errorf("block %d overlaps with those before", block)
		}
		sum.Or(set)
	}
	if !sum.Equals(all) {
		t.Error("the blocks are not all rows")
	}
	if !RowsOfBlock(4, rows).IsEmpty() {
		t.Error("a block behind the last row has rows")
	}
	set := roaring.BitmapOf(3, 4095, 4096, 70000, math.MaxUint32)
	if got := slices.Collect(BlocksOf(set)); !slices.Equal(got, []int{0, 1, 17, math.MaxUint32 / BlockRows}) {
		t.Errorf("blocks %v", got)
	}
	for range BlocksOf(set) {
		break
	}
	if got := RowsIn(nil, set, 4095, 70000); !slices.Equal(got, []uint32{4095, 4096}) {
		t.Errorf("rows %v", got)
	}
	if got := RowsIn([]uint32{1}, set, 5, 6); !slices.Equal(got, []uint32{1}) {
		t.Errorf("rows %v", got)
	}
}
