package proof

import (
	"fmt"

	"golang.org/x/mod/sumdb/tlog"
)

// tileReader lets tlog read tiles of a tree.
type tileReader struct{ tiles Tiles }

func (r tileReader) Height() int { return TileHeight }

func (r tileReader) ReadTiles(tiles []tlog.Tile) ([][]byte, error) {
	out := make([][]byte, len(tiles))
	for i, t := range tiles {
		id := TileID{Level: uint8(t.L), Index: uint64(t.N)}
		hashes, err := r.tiles.Tile(id, t.W)
		if err != nil {
			return nil, fmt.Errorf("reading %v: %w", id, err)
		}
		if len(hashes) != t.W {
			return nil, fmt.Errorf("%v has %d hashes instead of %d", id, len(hashes), t.W)
		}
		out[i] = make([]byte, 0, len(hashes)*HashSize)
		for _, h := range hashes {
			out[i] = append(out[i], h[:]...)
		}
	}
	return out, nil
}

func (r tileReader) SaveTiles([]tlog.Tile, [][]byte) {}

// reader returns a reader of the tree's hashes that checks them against the head.
func reader(head Head, tiles Tiles) tlog.HashReader {
	return tlog.TileHashReader(tlog.Tree{N: int64(head.Size), Hash: head.Root}, tileReader{tiles})
}

// Inclusion returns the proof that the leaf with an index is in the tree with a
// head. Tiles that do not lead to the head's root are an error.
func Inclusion(head Head, index uint64, tiles Tiles) ([]Hash, error) {
	if head.Size >= SizeMax || index >= head.Size {
		return nil, fmt.Errorf("proving leaf %d in a tree of %d leaves: there is no such leaf", index, head.Size)
	}
	p, err := tlog.ProveRecord(int64(head.Size), int64(index), reader(head, tiles))
	if err != nil {
		return nil, fmt.Errorf("proving leaf %d in a tree of %d leaves: %w", index, head.Size, err)
	}
	return p, nil
}

// Consistency returns the proof that the tree with a head has the tree of the
// older size as its beginning. It is empty for size 0 and for the same size.
func Consistency(older uint64, head Head, tiles Tiles) ([]Hash, error) {
	if head.Size >= SizeMax || older > head.Size {
		return nil, fmt.Errorf("proving a tree of %d leaves to begin one of %d: it is larger", older, head.Size)
	}
	if older == 0 || older == head.Size {
		return nil, nil
	}
	p, err := tlog.ProveTree(int64(head.Size), int64(older), reader(head, tiles))
	if err != nil {
		return nil, fmt.Errorf("proving a tree of %d leaves to begin one of %d: %w", older, head.Size, err)
	}
	return p, nil
}

// CheckInclusion checks that a leaf has an index in the tree with a head.
func CheckInclusion(path []Hash, head Head, index uint64, leaf Hash) error {
	if head.Size >= SizeMax || index >= head.Size {
		return fmt.Errorf("leaf %d in a tree of %d leaves: there is no such leaf", index, head.Size)
	}
	if err := tlog.CheckRecord(path, int64(head.Size), head.Root, int64(index), leaf); err != nil {
		return fmt.Errorf("leaf %d is not shown to be in the tree of %d leaves with root %v: %w", index, head.Size, head.Root, ErrMismatch)
	}
	return nil
}

// CheckConsistency checks that the tree with the newer head begins with that of
// the older one.
func CheckConsistency(path []Hash, older, newer Head) error {
	fail := func(why string) error {
		return fmt.Errorf("the tree of %d leaves with root %v is not shown to begin that of %d leaves with root %v: %s: %w",
			older.Size, older.Root, newer.Size, newer.Root, why, ErrMismatch)
	}
	switch {
	case newer.Size >= SizeMax || older.Size > newer.Size:
		return fail("the older one is larger")
	case older.Size == newer.Size || older.Size == 0:
		if len(path) > 0 {
			return fail("the proof must be empty")
		}
		if older.Size == newer.Size && older.Root != newer.Root {
			return fail("the roots differ")
		}
		if older.Size == 0 && older.Root != EmptyRoot {
			return fail("the older root is not that of an empty tree")
		}
		if newer.Size == 0 && newer.Root != EmptyRoot {
			return fail("the newer root is not that of an empty tree")
		}
		return nil
	}
	if err := tlog.CheckTree(path, int64(newer.Size), newer.Root, int64(older.Size), older.Root); err != nil {
		return fail("the proof leads elsewhere")
	}
	return nil
}
