package proof

import (
	"crypto/sha256"
	"errors"
	"fmt"

	"golang.org/x/mod/sumdb/tlog"
)

// Hash is a SHA-256 hash of a leaf, a node or a root.
type Hash = tlog.Hash

const (
	// HashSize is the length of a hash in bytes.
	HashSize = tlog.HashSize

	// TileHeight is the number of tree levels in a tile, as in tlog-tiles.
	TileHeight = 8

	// TileWidth is the number of hashes in a full tile.
	TileWidth = 1 << TileHeight

	// Levels is how many levels of tiles a tree can have.
	Levels = 8

	// SizeMax bounds tree sizes: far more than can be stored, and far enough below
	// 2^63 that sums of sizes cannot overflow.
	SizeMax = 1 << 60
)

// EmptyRoot is the root of the tree without leaves.
var EmptyRoot = Hash(sha256.Sum256(nil))

// LeafHash returns the hash of a record as a leaf.
func LeafHash(record []byte) Hash { return tlog.RecordHash(record) }

// Head is what a tree is known by.
type Head struct {
	Size uint64 // number of leaves
	Root Hash
}

// TileID names a tile.
type TileID struct {
	Level uint8
	Index uint64
}

// String returns the tile's level and index.
func (id TileID) String() string { return fmt.Sprintf("tile %d of level %d", id.Index, id.Level) }

// TileRoot returns the hash that a full tile makes in the next level. It changes
// nothing; tile must have [TileWidth] hashes.
func TileRoot(tile []Hash) Hash {
	if len(tile) != TileWidth {
		panic("proof: root of a tile that is not full")
	}
	if haveLanes {
		return laneTileRoot(tile)
	}
	return plainTileRoot(tile)
}

// plainTileRoot hashes node by node.
func plainTileRoot(tile []Hash) Hash {
	var work [TileWidth / 2]Hash
	for i := range work {
		work[i] = tlog.NodeHash(tile[2*i], tile[2*i+1])
	}
	for n := len(work) / 2; n > 0; n /= 2 {
		for i := range n {
			work[i] = tlog.NodeHash(work[2*i], work[2*i+1])
		}
	}
	return work[0]
}

// Tree is a tree that grows at its right edge. The zero value is the empty tree.
type Tree struct {
	size uint64
	// edge has the unfinished tile of each level, 0 to 255 hashes.
	edge [Levels][]Hash
}

// Size returns the number of leaves.
func (t *Tree) Size() uint64 { return t.size }

// Append adds a leaf. full, which may be nil, is called with every tile that
// becomes full by it, lowest level first, and says whether it keeps the hashes.
func (t *Tree) Append(leaf Hash, full func(id TileID, hashes []Hash) (kept bool)) {
	t.size++
	t.add(0, leaf, full)
}

// AppendTile adds 256 leaves by the root of their tile; the size must be a
// multiple of [TileWidth]. full is as in Append, without level 0.
func (t *Tree) AppendTile(root Hash, full func(id TileID, hashes []Hash) (kept bool)) {
	if len(t.edge[0]) != 0 {
		panic("proof: appending a tile inside a tile")
	}
	t.size += TileWidth
	t.add(1, root, full)
}

func (t *Tree) add(level int, h Hash, full func(id TileID, hashes []Hash) (kept bool)) {
	for ; level < Levels; level++ {
		e := t.edge[level]
		if cap(e) == 0 {
			e = make([]Hash, 0, TileWidth)
		}
		e = append(e, h)
		if len(e) < TileWidth {
			t.edge[level] = e
			return
		}
		h = TileRoot(e)
		if full != nil {
			id := TileID{Level: uint8(level), Index: t.size>>(TileHeight*(level+1)) - 1}
			if full(id, e) {
				e = nil
			}
		}
		t.edge[level] = e[:0]
	}
	panic("proof: tree too large")
}

// Edge returns the unfinished tile of a level and the hashes it has, which belong
// to the tree.
func (t *Tree) Edge(level uint8) (TileID, []Hash) {
	return TileID{Level: level, Index: t.size >> (TileHeight * (uint(level) + 1))}, t.edge[level]
}

// Clone returns an independent copy.
func (t *Tree) Clone() *Tree {
	c := &Tree{size: t.size}
	for i, e := range t.edge {
		if len(e) > 0 {
			c.edge[i] = append(make([]Hash, 0, TileWidth), e...)
		}
	}
	return c
}

// Head returns size and root. It hashes up to 255 times per level.
func (t *Tree) Head() Head {
	if t.size == 0 {
		return Head{Root: EmptyRoot}
	}
	// Complete subtrees stand side by side, largest first; they are joined from the
	// right.
	var root Hash
	have := false
	for _, e := range t.edge {
		for width := 1; len(e) > 0; width *= 2 {
			if len(e)&width == 0 {
				continue
			}
			sub := completeRoot(e[len(e)-width:])
			e = e[:len(e)-width]
			if have {
				root = tlog.NodeHash(sub, root)
			} else {
				root, have = sub, true
			}
		}
	}
	return Head{Size: t.size, Root: root}
}

// completeRoot returns the root over a power of two of hashes.
func completeRoot(hashes []Hash) Hash {
	if len(hashes) == 1 {
		return hashes[0]
	}
	half := len(hashes) / 2
	return tlog.NodeHash(completeRoot(hashes[:half]), completeRoot(hashes[half:]))
}

// Tiles gives the hashes of a tree. Implementations are asked for tiles only that
// the tree of the size in question has.
type Tiles interface {
	// Tile returns the first width hashes of a tile, width between 1 and
	// TileWidth. The caller does not change them.
	Tile(id TileID, width int) ([]Hash, error)
}

// Restore returns the tree of a size, reading the unfinished tiles of its edge.
func Restore(size uint64, tiles Tiles) (*Tree, error) {
	if size >= SizeMax {
		return nil, fmt.Errorf("tree of %d leaves: at most %d", size, uint64(SizeMax)-1)
	}
	t := &Tree{size: size}
	for level := range t.edge {
		width := int(size >> (TileHeight * level) & (TileWidth - 1))
		if width == 0 {
			continue
		}
		id, _ := t.Edge(uint8(level))
		hashes, err := tiles.Tile(id, width)
		if err != nil {
			return nil, fmt.Errorf("reading %v: %w", id, err)
		}
		if len(hashes) != width {
			return nil, fmt.Errorf("%v has %d hashes instead of %d", id, len(hashes), width)
		}
		t.edge[level] = append(make([]Hash, 0, TileWidth), hashes...)
	}
	return t, nil
}

// RootAt returns the root of the tree of a size, as the tiles tell it.
func RootAt(size uint64, tiles Tiles) (Hash, error) {
	t, err := Restore(size, tiles)
	if err != nil {
		return Hash{}, err
	}
	return t.Head().Root, nil
}

// ErrMismatch is the error of proofs that do not hold, and of tiles that do not
// belong to the head they are read for.
var ErrMismatch = errors.New("hashes do not match")
