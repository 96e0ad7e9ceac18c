package archive

import (
	"errors"
	"fmt"
	"math/bits"

	"golang.org/x/mod/sumdb/tlog"

	"github.com/cairndb/cairn/engine/proof"
)

// treeHead computes the root of a tree from leaves and complete subtrees that come in
// order. The zero value is the empty tree.
type treeHead struct {
	size  uint64
	stack []subtree // of falling level
}

type subtree struct {
	level uint8
	hash  proof.Hash
}

// add adds a complete subtree of 2^level leaves, which must begin where the tree
// ends.
func (t *treeHead) add(level uint8, h proof.Hash) error {
	if level > 59 || bits.TrailingZeros64(t.size) < int(level) && t.size != 0 {
		return fmt.Errorf("a subtree of 2^%d events cannot begin at event %d", level, t.size)
	}
	if t.size+1<<level > proof.SizeMax {
		return errors.New("the tree is too large")
	}
	t.size += 1 << level
	for n := len(t.stack); n > 0 && t.stack[n-1].level == level; n-- {
		h = tlog.NodeHash(t.stack[n-1].hash, h)
		t.stack = t.stack[:n-1]
		level++
	}
	t.stack = append(t.stack, subtree{level, h})
	return nil
}

func (t *treeHead) head() proof.Head {
	n := len(t.stack)
	if n == 0 {
		return proof.Head{Root: proof.EmptyRoot}
	}
	root := t.stack[n-1].hash
	for i := n - 2; i >= 0; i-- {
		root = tlog.NodeHash(t.stack[i].hash, root)
	}
	return proof.Head{Size: t.size, Root: root}
}

// Subtrees calls fn with the complete subtrees, fewest possible, that make up the
// events from first to end-1.
func Subtrees(first, end uint64, fn func(level uint8, index uint64) error) error {
	for first < end {
		level := bits.Len64(end-first) - 1
		if first != 0 {
			level = min(level, bits.TrailingZeros64(first))
		}
		if err := fn(uint8(level), first>>level); err != nil {
			return err
		}
		first += 1 << level
	}
	return nil
}
