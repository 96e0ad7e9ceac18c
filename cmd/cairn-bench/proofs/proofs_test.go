package proofs

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"flag"
	"fmt"
	"math/rand/v2"
	"testing"

	cometbft "github.com/cometbft/cometbft/crypto/merkle"
	trillian "github.com/google/trillian/merkle"

	"github.com/cairndb/cairn/engine/proof"
)

var long = flag.Bool("long", false, "have Cairn make every proof, which takes long: it checks its tiles against the head each time")

// sizeMax is up to which size all pairs are compared.
const sizeMax = 1024

func record(i int) []byte { return binary.BigEndian.AppendUint64([]byte("record "), uint64(i)) }

// sha256Hasher are the hashes of RFC 6962, written down for trillian, which brings its own only
// together with its server.
type sha256Hasher struct{}

func (sha256Hasher) EmptyRoot() []byte { h := sha256.Sum256(nil); return h[:] }
func (sha256Hasher) HashLeaf(leaf []byte) []byte {
	h := sha256.Sum256(append([]byte{0}, leaf...))
	return h[:]
}
func (sha256Hasher) HashChildren(l, r []byte) []byte {
	h := sha256.Sum256(append(append([]byte{1}, l...), r...))
	return h[:]
}
func (sha256Hasher) Size() int { return sha256.Size }

// tree is Cairn's, of which all tiles are kept.
type tree struct {
	proof.Tree
	tiles map[proof.TileID][]proof.Hash
}

func (t *tree) add(leaf proof.Hash) {
	t.Append(leaf, func(id proof.TileID, hashes []proof.Hash) bool {
		t.tiles[id] = hashes
		return true
	})
}

func (t *tree) Tile(id proof.TileID, width int) ([]proof.Hash, error) {
	have := t.tiles[id]
	if edge, hashes := t.Edge(id.Level); edge == id {
		have = hashes
	}
	if len(have) < width {
		return nil, fmt.Errorf("%v has %d hashes, not %d", id, len(have), width)
	}
	return have[:width], nil
}

// hashes are those of a path of trillian's.
func hashes(path []trillian.TreeEntryDescriptor) []proof.Hash {
	var out []proof.Hash
	for i := range path {
		out = append(out, proof.Hash(path[i].Value.Hash()))
	}
	return out
}

func same(a, b []proof.Hash) bool {
	if len(a) != len(b) {
		return false
	}
	for i := range a {
		if a[i] != b[i] {
			return false
		}
	}
	return true
}

// TestAllPairs takes every inclusion and every consistency proof to size 1,024, and some of
// larger trees: trillian's are checked by Cairn, and those of inclusion by cometbft; Cairn's,
// of some sizes or with -long of all, are the same hash for hash. Changed proofs must be
// refused by both who check.
//
//	cd cmd/cairn-bench/proofs && go test -v            # a minute or two
//	cd cmd/cairn-bench/proofs && go test -v -long
func TestAllPairs(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 6962))
	ours := &tree{tiles: map[proof.TileID][]proof.Hash{}}
	theirs := trillian.NewInMemoryMerkleTree(sha256Hasher{})
	var leaves [][]byte
	var heads []proof.Head
	inclusions, consistencies, refused := 0, 0, 0
	grow := func(size int) {
		for len(leaves) < size {
			leaves = append(leaves, record(len(leaves)))
			ours.add(proof.LeafHash(leaves[len(leaves)-1]))
			theirs.AddLeaf(leaves[len(leaves)-1])
			heads = append(heads, ours.Head())
		}
	}
	made := 0
	inclusion := func(size, i int, make bool) {
		head := heads[size-1]
		other := hashes(theirs.PathToRootAtSnapshot(int64(i+1), int64(size)))
		if make {
			path, err := proof.Inclusion(head, uint64(i), ours)
			if err != nil {
				t.Fatalf("event %d of %d: %v", i, size, err)
			}
			if !same(path, other) {
				t.Fatalf("event %d of %d: the proof is %v, trillian's %v", i, size, path, other)
			}
			made++
		}
		if err := proof.CheckInclusion(other, head, uint64(i), proof.LeafHash(leaves[i])); err != nil {
			t.Fatalf("event %d of %d: trillian's proof: %v", i, size, err)
		}
		p := cometbft.Proof{Total: int64(size), Index: int64(i), LeafHash: sha256Hasher{}.HashLeaf(leaves[i])}
		for k := range other {
			p.Aunts = append(p.Aunts, other[k][:])
		}
		if err := p.Verify(head.Root[:], leaves[i]); err != nil {
			t.Fatalf("event %d of %d, by cometbft: %v", i, size, err)
		}
		if inclusions++; len(other) > 0 && rng.IntN(16) == 0 {
			other[rng.IntN(len(other))][rng.IntN(proof.HashSize)] ^= 1 << rng.IntN(8) // and p's, which are the same
			if proof.CheckInclusion(other, head, uint64(i), proof.LeafHash(leaves[i])) == nil || p.Verify(head.Root[:], leaves[i]) == nil {
				t.Fatalf("event %d of %d: a changed proof holds", i, size)
			}
			refused++
		}
	}
	consistency := func(older, size int, make bool) {
		head := heads[size-1]
		other := hashes(theirs.SnapshotConsistency(int64(older), int64(size)))
		if make {
			path, err := proof.Consistency(uint64(older), head, ours)
			if err != nil {
				t.Fatalf("%d to %d: %v", older, size, err)
			}
			if !same(path, other) {
				t.Fatalf("%d to %d: the proof is %v, trillian's %v", older, size, path, other)
			}
			made++
		}
		if err := proof.CheckConsistency(other, heads[older-1], head); err != nil {
			t.Fatalf("%d to %d: trillian's proof: %v", older, size, err)
		}
		consistencies++
	}
	most := sizeMax
	if testing.Short() {
		most = 96
	}
	for size := 1; size <= most; size++ {
		grow(size)
		head := heads[size-1]
		if root := theirs.RootAtSnapshot(int64(size)).Hash(); !bytes.Equal(root, head.Root[:]) {
			t.Fatalf("the root of %d events is %v, trillian's %x", size, head.Root, root)
		}
		if root := cometbft.HashFromByteSlices(leaves); !bytes.Equal(root, head.Root[:]) {
			t.Fatalf("the root of %d events is %v, cometbft's %x", size, head.Root, root)
		}
		for i := range size {
			make := *long || size <= 32 || size >= 254 && size <= 258 || size%341 == 0
			inclusion(size, i, make)
			consistency(i+1, size, make)
		}
	}
	for range 300 {
		size := 1 + rng.IntN(20_000)
		grow(size)
		inclusion(size, rng.IntN(size), true)
		consistency(1+rng.IntN(size), size, true)
	}
	t.Logf("%d inclusion and %d consistency proofs agree, %d of them made twice; %d changed ones are refused", inclusions, consistencies, made, refused)
}
