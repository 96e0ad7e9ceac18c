package proof

import (
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"flag"
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/transparency-dev/merkle/proof"
	"github.com/transparency-dev/merkle/rfc6962"
	"golang.org/x/mod/sumdb/tlog"
)

var long = flag.Bool("long", false, "check all sizes to 1,024, not to 384, and make every proof, not a sample")

// definition is RFC 6962, 2.1, written down as it is there, over leaves whose
// subtrees' roots are remembered.
type definition struct {
	leaf func(i uint64) Hash
	// same says that all leaves are alike, so that roots depend on sizes only.
	same  bool
	known map[[2]uint64]Hash
}

func split(n uint64) uint64 {
	k := uint64(1)
	for 2*k < n {
		k *= 2
	}
	return k
}

// root is MTH(D[lo:hi]).
func (d *definition) root(lo, hi uint64) Hash {
	if lo == hi {
		return sha256.Sum256(nil)
	}
	key := [2]uint64{lo, hi}
	if d.same {
		key = [2]uint64{0, hi - lo}
	}
	if h, ok := d.known[key]; ok {
		return h
	}
	var h Hash
	if hi-lo == 1 {
		h = d.leaf(lo)
	} else {
		k := split(hi - lo)
		l, r := d.root(lo, lo+k), d.root(lo+k, hi)
		h = sha256.Sum256(append(append([]byte{1}, l[:]...), r[:]...))
	}
	d.known[key] = h
	return h
}

// path is PATH(m, D[lo:hi]).
func (d *definition) path(m, lo, hi uint64) []Hash {
	if hi-lo == 1 {
		return nil
	}
	k := split(hi - lo)
	if m < k {
		return append(d.path(m, lo, lo+k), d.root(lo+k, hi))
	}
	return append(d.path(m-k, lo+k, hi), d.root(lo, lo+k))
}

// sub is SUBPROOF(m, D[lo:hi], whole).
func (d *definition) sub(m, lo, hi uint64, whole bool) []Hash {
	if m == hi-lo {
		if whole {
			return nil
		}
		return []Hash{d.root(lo, hi)}
	}
	k := split(hi - lo)
	if m <= k {
		return append(d.sub(m, lo, lo+k, whole), d.root(lo+k, hi))
	}
	return append(d.sub(m-k, lo+k, hi, false), d.root(lo, lo+k))
}

func (d *definition) consistency(m, n uint64) []Hash {
	if m == 0 || m == n {
		return nil
	}
	return d.sub(m, 0, n, true)
}

// Tile implements Tiles by the definition.
func (d *definition) Tile(id TileID, width int) ([]Hash, error) {
	out := make([]Hash, width)
	n := uint64(1) << (TileHeight * id.Level)
	for i := range out {
		at := (id.Index*TileWidth + uint64(i)) * n
		out[i] = d.root(at, at+n)
	}
	return out, nil
}

func countedLeaf(i uint64) Hash { return LeafHash(binary.BigEndian.AppendUint64(nil, i)) }

func counted() *definition {
	return &definition{leaf: countedLeaf, known: make(map[[2]uint64]Hash)}
}

func bytesOf(hashes []Hash) [][]byte {
	out := make([][]byte, len(hashes))
	for i := range hashes {
		out[i] = hashes[i][:]
	}
	return out
}

// stored is a tree as tlog keeps one by itself, with neither our tiles nor our code.
type stored []tlog.Hash

func (s *stored) append(t *testing.T, i uint64) {
	t.Helper()
	hashes, err := tlog.StoredHashesForRecordHash(int64(i), tlog.Hash(countedLeaf(i)), s)
	if err != nil {
		t.Fatal(err)
	}
	*s = append(*s, hashes...)
}

// ReadHashes implements tlog.HashReader.
func (s *stored) ReadHashes(at []int64) ([]tlog.Hash, error) {
	out := make([]tlog.Hash, len(at))
	for i, n := range at {
		out[i] = (*s)[n]
	}
	return out, nil
}

// node is the hash of an inner node.
func node(l, r Hash) Hash { return sha256.Sum256(append(append([]byte{1}, l[:]...), r[:]...)) }

// checkedInclusion is RFC 9162, 2.1.3.2, step by step.
func checkedInclusion(path []Hash, size, index uint64, leaf, root Hash) bool {
	if index >= size {
		return false
	}
	fn, sn, r := index, size-1, leaf
	for _, p := range path {
		if sn == 0 {
			return false
		}
		if fn&1 == 1 || fn == sn {
			r = node(p, r)
			for fn&1 == 0 && fn != 0 {
				fn, sn = fn>>1, sn>>1
			}
		} else {
			r = node(r, p)
		}
		fn, sn = fn>>1, sn>>1
	}
	return sn == 0 && r == root
}

// checkedConsistency is RFC 9162, 2.1.4.2, step by step, for 0 < older < size.
func checkedConsistency(path []Hash, older, size uint64, from, to Hash) bool {
	if len(path) == 0 {
		return false
	}
	if older&(older-1) == 0 {
		path = append([]Hash{from}, path...)
	}
	fn, sn := older-1, size-1
	for fn&1 == 1 {
		fn, sn = fn>>1, sn>>1
	}
	fr, sr := path[0], path[0]
	for _, c := range path[1:] {
		if sn == 0 {
			return false
		}
		if fn&1 == 1 || fn == sn {
			fr, sr = node(c, fr), node(c, sr)
			for fn&1 == 0 && fn != 0 {
				fn, sn = fn>>1, sn>>1
			}
		} else {
			sr = node(sr, c)
		}
		fn, sn = fn>>1, sn>>1
	}
	return sn == 0 && fr == from && sr == to
}

// compareInclusion has a proof made and checked by this package, by the definition
// and by other libraries; by tlog on its own tree where there is one.
func compareInclusion(t *testing.T, d *definition, other *stored, size, index uint64, made bool) {
	t.Helper()
	head := Head{Size: size, Root: d.root(0, size)}
	want := d.path(index, 0, size)
	if made {
		got, err := Inclusion(head, index, d)
		if err != nil {
			t.Fatal(err)
		}
		if !slices.Equal(got, want) {
			t.Fatalf("leaf %d of %d: the proof is %v, by definition %v", index, size, got, want)
		}
		if other != nil {
			theirs, err := tlog.ProveRecord(int64(size), int64(index), other)
			if err != nil || !slices.Equal(theirs, got) {
				t.Fatalf("leaf %d of %d: the proof is %v, by tlog %v, %v", index, size, got, theirs, err)
			}
		}
	}
	leaf := d.leaf(index)
	if err := CheckInclusion(want, head, index, leaf); err != nil {
		t.Fatal(err)
	}
	if !checkedInclusion(want, size, index, leaf, head.Root) {
		t.Fatalf("leaf %d of %d: refused by the definition", index, size)
	}
	if err := tlog.CheckRecord(want, int64(size), head.Root, int64(index), leaf); err != nil {
		t.Fatalf("leaf %d of %d, by tlog: %v", index, size, err)
	}
	if err := proof.VerifyInclusion(rfc6962.DefaultHasher, index, size, leaf[:], bytesOf(want), head.Root[:]); err != nil {
		t.Fatalf("leaf %d of %d: %v", index, size, err)
	}
}

func compareConsistency(t *testing.T, d *definition, other *stored, older, size uint64, made bool) {
	t.Helper()
	head := Head{Size: size, Root: d.root(0, size)}
	old := Head{Size: older, Root: d.root(0, older)}
	want := d.consistency(older, size)
	if made {
		got, err := Consistency(older, head, d)
		if err != nil {
			t.Fatal(err)
		}
		if !slices.Equal(got, want) {
			t.Fatalf("%d to %d: the proof is %v, by definition %v", older, size, got, want)
		}
		if other != nil && 0 < older && older < size {
			theirs, err := tlog.ProveTree(int64(size), int64(older), other)
			if err != nil || !slices.Equal(theirs, got) {
				t.Fatalf("%d to %d: the proof is %v, by tlog %v, %v", older, size, got, theirs, err)
			}
		}
	}
	if err := CheckConsistency(want, old, head); err != nil {
		t.Fatal(err)
	}
	if 0 < older && older < size {
		if !checkedConsistency(want, older, size, old.Root, head.Root) {
			t.Fatalf("%d to %d: refused by the definition", older, size)
		}
		if err := tlog.CheckTree(want, int64(size), head.Root, int64(older), old.Root); err != nil {
			t.Fatalf("%d to %d, by tlog: %v", older, size, err)
		}
	}
	if err := proof.VerifyConsistency(rfc6962.DefaultHasher, older, size, bytesOf(want), old.Root[:], head.Root[:]); err != nil {
		t.Fatalf("%d to %d: %v", older, size, err)
	}
}

// TestAllPairs checks every (index, size) and every (older, newer) to a size: by this
// package, by the text of RFC 9162, by tlog and by transparency-dev/merkle.
// Making a proof costs more than checking it; without -long only the proofs of
// some sizes are made by this package, and all are checked.
//
//	go test ./engine/proof -run 'AllPairs|LargeTrees' -long
func TestAllPairs(t *testing.T) {
	most := uint64(384)
	if *long {
		most = 1024
	}
	d := counted()
	var tree Tree
	var other stored
	made := 0
	for size := range most + 1 {
		if got, want := tree.Head(), d.root(0, size); got.Root != want || got.Size != size {
			t.Fatalf("the head of %d leaves is %v, by definition %v", size, got, want)
		}
		if size > 0 {
			if root, err := tlog.TreeHash(int64(size), &other); err != nil || root != d.root(0, size) {
				t.Fatalf("the root of %d leaves is %v by tlog, %v", size, root, err)
			}
		}
		tree.Append(countedLeaf(size), nil)
		other.append(t, size)
		make := *long || size <= 40 || size >= 254 && size <= 258 || size%331 == 0
		for i := range size {
			compareInclusion(t, d, &other, size, i, make)
		}
		for older := range size + 1 {
			compareConsistency(t, d, &other, older, size, make)
		}
		if make {
			made += int(2*size + 1)
		}
	}
	t.Logf("%d proofs checked by this package, by the definition, by tlog and by transparency-dev/merkle, %d of them made three ways", most*(most+1)/2*2+most+1, made)
}

// TestLargeTrees takes random places in trees too large to build: all leaves are
// alike.
func TestLargeTrees(t *testing.T) {
	d := &definition{leaf: func(uint64) Hash { return LeafHash(nil) }, same: true, known: make(map[[2]uint64]Hash)}
	rng := rand.New(rand.NewPCG(1, 2))
	n := 60
	if *long {
		n = 20_000
	}
	for range n {
		size := rng.Uint64N(1<<rng.UintN(41)) + 1
		compareInclusion(t, d, nil, size, rng.Uint64N(size), true)
		compareConsistency(t, d, nil, rng.Uint64N(size)+1, size, true)
		if root, err := RootAt(size, d); err != nil || root != d.root(0, size) {
			t.Fatalf("root of %d: %v, %v", size, root, err)
		}
	}
}

// kept is a store of tiles that has all but level 0.
type kept map[TileID][]Hash

func (k kept) keep(id TileID, hashes []Hash) bool {
	k[id] = hashes
	return true
}

func (k kept) Tile(id TileID, width int) ([]Hash, error) {
	h, ok := k[id]
	if !ok || len(h) < width {
		return nil, fmt.Errorf("%v is not there with %d hashes", id, width)
	}
	return h[:width], nil
}

// TestGrow compares trees that grow leaf by leaf, tile by tile, and from tiles
// that were kept.
func TestGrow(t *testing.T) {
	const size = 3*65536 + 777
	var one, two Tree
	tiles := kept{}
	var tile []Hash
	d := counted()
	for i := range uint64(size) {
		leaf := countedLeaf(i)
		one.Append(leaf, tiles.keep)
		if tile = append(tile, leaf); len(tile) == TileWidth {
			two.AppendTile(TileRoot(tile), nil)
			tile = tile[:0]
		}
		if i%40_009 == 0 {
			c := one.Clone()
			c.Append(leaf, nil)
			for level := range uint8(Levels) {
				id, hashes := one.Edge(level)
				tiles[id] = slices.Clone(hashes)
			}
			again, err := Restore(i+1, tiles)
			if err != nil {
				t.Fatal(err)
			}
			if again.Head() != one.Head() || again.Size() != i+1 {
				t.Fatalf("restored at %d: %v instead of %v", i+1, again.Head(), one.Head())
			}
		}
	}
	for _, leaf := range tile {
		two.Append(leaf, nil)
	}
	want := Head{Size: size, Root: d.root(0, size)}
	if one.Head() != want || two.Head() != want {
		t.Errorf("heads %v and %v, want %v", one.Head(), two.Head(), want)
	}
	for level := range uint8(Levels) {
		id, hashes := one.Edge(level)
		tiles[id] = hashes
	}
	for _, i := range []uint64{0, 255, 256, 65535, 65536, size - 1} {
		path, err := Inclusion(want, i, tiles)
		if err != nil {
			t.Fatal(err)
		}
		if err := CheckInclusion(path, want, i, countedLeaf(i)); err != nil {
			t.Error(err)
		}
	}
	if _, err := Inclusion(want, size, tiles); err == nil {
		t.Error("a leaf beyond the end is proved")
	}
	if _, err := Consistency(size+1, want, tiles); err == nil {
		t.Error("a larger tree is proved to be a beginning")
	}
	// A damaged tile gives an error, never a proof.
	id := TileID{Level: 1, Index: 0}
	tiles[id] = slices.Clone(tiles[id])
	tiles[id][3][7] ^= 1
	if _, err := Inclusion(want, 0, tiles); err == nil {
		t.Error("a damaged tile gives a proof")
	}
	if err := CheckConsistency(nil, Head{Size: 0, Root: Hash{}}, want); !errors.Is(err, ErrMismatch) {
		t.Errorf("an empty tree with another root: %v", err)
	}
}

// BenchmarkAppend measures what the tree adds to the hashing of leaves.
func BenchmarkAppend(b *testing.B) {
	var t Tree
	keep := func(TileID, []Hash) bool { return false }
	leaf := LeafHash(nil)
	for b.Loop() {
		t.Append(leaf, keep)
	}
}
