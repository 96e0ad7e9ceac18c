package engine

import (
	"context"
	"fmt"

	"github.com/cairndb/cairn/engine/catalog"
	"github.com/cairndb/cairn/engine/lsm"
	"github.com/cairndb/cairn/engine/proof"
	"github.com/cairndb/cairn/segment"
)

// The part of an opening that brings back the trees.
//
// A tree is taken up where the last digest of its store has left it, from stored
// tiles and the tail stored with the digest (or, where that is missing or not what was signed, the
// records behind the last tile); the leaves of all later events are computed from the records. On the way
//
//	the root at the digest's size must be the one that was signed, and
//	every stored tile behind it must be what the records say.
//
// So whatever was changed in the tiles that the last digest rests on, or in an event
// since, is noticed here. A record older than the last digest is not read; Verify
// does that.

// recoverTrees brings back the tree of every store, before anything is written.
func (r *recovery) recoverTrees(db *lsm.DB) error {
	r.trees = make(map[uint32]*tree)
	if err := r.readDigests(db); err != nil {
		if err := r.damageOf(err, "", "digests"); err != nil {
			return err
		}
	}
	for _, rec := range r.state.Stores {
		t, err := r.recoverTree(db, rec)
		if err != nil {
			if err := r.damageOf(err, rec.Name, "tree"); err != nil {
				return err
			}
			t = newTree()
			t.err = fmt.Errorf("the tree of store %s is not known: %w", rec.Name, err)
		}
		r.trees[rec.Number] = t
	}
	return nil
}

// damageOf is damage for errors of any kind.
func (r *recovery) damageOf(err error, store, place string) error {
	var c *CorruptionError
	if e, ok := err.(*CorruptionError); ok {
		c = e
	} else {
		c = &CorruptionError{Store: store, Place: place, Err: err}
	}
	return r.damage(c)
}

func (r *recovery) recoverTree(db *lsm.DB, rec catalog.Store) (*tree, error) {
	stored := storedTiles{db: db, store: rec.Number, name: rec.Name}
	cursor, err := stored.cursor()
	if err != nil {
		return nil, err
	}
	var signed proof.Head // of the last digest
	signed.Root = proof.EmptyRoot
	last := r.digests.last[rec.Number]
	if last != nil {
		signed = last.Digest.After
	}
	segments := r.state.SegmentsOf(rec.Number)
	var next uint64
	if n := len(segments); n > 0 {
		next = segments[n-1].End()
	}
	if runs := r.runs[rec.Number]; len(runs) > 0 {
		m := runs[len(runs)-1]
		next = max(next, m.First()+uint64(m.Len()))
	}
	dropped := r.state.DroppedOf(rec.Number)
	if n := len(dropped); n > 0 {
		next = max(next, dropped[n-1].End)
	}
	if signed.Size > next {
		return nil, &CorruptionError{Store: rec.Name, Place: "events", Err: fmt.Errorf(
			"digest %d of %s is signed for %d events, there are %d: events %d to %d are missing",
			last.Digest.Number, last.Digest.End.Format("2006-01-02 15:04:05"), signed.Size, next, next, signed.Size-1)}
	}
	if cursor > next {
		return nil, &CorruptionError{Store: rec.Name, Place: "events", Err: fmt.Errorf(
			"the tree covers %d events, there are %d: events %d to %d are missing", cursor, next, next, cursor-1)}
	}
	from := min(signed.Size, cursor) &^ (proof.TileWidth - 1)
	t := newTree()
	t.stored = cursor
	if t.grown, err = proof.Restore(from, &stored); err != nil {
		return nil, err
	}
	if last != nil && from == signed.Size&^(proof.TileWidth-1) {
		if err := r.takeTail(t, &stored, signed); err != nil {
			return nil, err
		}
		from = t.grown.Size()
	}
	k := &tileComparison{stored: &stored, cursor: cursor, tree: t, have: map[proof.TileID][]proof.Hash{}}
	check := func() error {
		if last == nil || t.grown.Size() != signed.Size {
			return nil
		}
		if head := t.grown.Head(); head != signed {
			before := last.Digest.Before.Size
			return &CorruptionError{Store: rec.Name, Place: "tree", Err: fmt.Errorf(
				"the events 0 to %d (%d to %d of them new in it) do not have the root of digest %d, signed %s: it is %v, signed is %v; 'cairn verify --full' finds the events",
				signed.Size-1, before, signed.Size-1, last.Digest.Number, last.Digest.End.Format("2006-01-02 15:04:05"), head.Root, signed.Root)}
		}
		return nil
	}
	if err := check(); err != nil {
		return nil, err
	}
	err = r.eachLeaf(db, rec, from, next, func(leaf [32]byte) error {
		t.grown.Append(leaf, k.full)
		if k.err != nil {
			return k.err
		}
		return check()
	})
	return t, err
}

// takeTail adds the tail of the last digest to a tree that ends before it, if the tree then is what
// was signed.
func (r *recovery) takeTail(t *tree, stored *storedTiles, signed proof.Head) error {
	leaves, err := stored.tail(signed.Size)
	if lsm.IsCorrupt(err) {
		return err // the database cannot be read
	}
	if err != nil {
		r.lake.opts.Logger.Warn("the tail of a tree is damaged, the records are read instead", "error", err)
	}
	grown := t.grown.Clone()
	for _, leaf := range leaves {
		grown.Append(leaf, nil)
	}
	if grown.Head() == signed {
		t.grown = grown
	}
	return nil
}

// eachLeaf computes the leaf hashes of a store's events in a range, in order.
func (r *recovery) eachLeaf(db *lsm.DB, rec catalog.Store, from, to uint64, fn func(leaf [32]byte) error) error {
	ctx := context.Background()
	segments, runs := r.state.SegmentsOf(rec.Number), r.runs[rec.Number]
	dropped := r.state.DroppedOf(rec.Number)
	kept := storedTiles{db: db, store: rec.Number, name: rec.Name}
	for seq := from; seq < to; {
		for len(segments) > 0 && segments[0].End() <= seq {
			segments = segments[1:]
		}
		for len(runs) > 0 && runs[0].First()+uint64(runs[0].Len()) <= seq {
			runs = runs[1:]
		}
		switch {
		case len(segments) > 0 && segments[0].First <= seq:
			c := &segments[0]
			end := min(to, c.End())
			rd, err := segment.Open(ctx, &treeSource{db, c.Number}, segment.ReadOptions{Cache: r.lake.cache, Name: fmt.Sprintf("segment %d", c.Number)})
			if err == nil && rd.Rows() != int(c.Rows) {
				err = fmt.Errorf("it has %d rows, the catalogue says %d", rd.Rows(), c.Rows)
			}
			if err == nil {
				var hasher proof.LeafHasher
				hasher.Grow(int(end - seq))
				err = rd.Records(ctx, segment.Range(int(seq-c.First), int(end-c.First)), func(_ int, record []byte) error {
					hasher.Add(record)
					return nil
				})
				rd.Close()
				// Those before a place that is damaged are looked at first.
				for _, leaf := range hasher.Hashes() {
					if e := fn(leaf); e != nil {
						err = e
						break
					}
				}
			}
			if err != nil {
				if _, ok := err.(*CorruptionError); ok {
					return err
				}
				return &CorruptionError{Store: rec.Name, Segment: c.Number, Place: "records", Err: err}
			}
			seq = end
		case len(runs) > 0 && runs[0].First() <= seq:
			m := runs[0]
			rows := m.View().Rows()
			for ; seq < to && seq-m.First() < uint64(len(rows)); seq++ {
				if err := fn(rows[seq-m.First()].Leaf); err != nil {
					return err
				}
			}
		case droppedAt(dropped, seq) != nil:
			// Only the few that share a tile with events behind the last digest.
			leaf, err := kept.leaf(seq)
			if err != nil {
				return err
			}
			if err := fn(leaf); err != nil {
				return err
			}
			seq++
		default:
			return &CorruptionError{Store: rec.Name, Place: "events", Err: fmt.Errorf("event %d is neither in a segment nor in the log", seq)}
		}
	}
	return nil
}

// treeSource reads the pages of a segment while the lake is being opened.
type treeSource struct {
	db     *lsm.DB
	number uint64
}

// Block implements segment.BlockSource.
func (s *treeSource) Block(_ context.Context, id uint32) ([]byte, func(), error) {
	return s.db.Block(s.number, blockPage, id)
}

// tileComparison compares tiles that are computed with those that are stored, and
// keeps the ones that are not stored yet.
type tileComparison struct {
	stored *storedTiles
	cursor uint64
	tree   *tree
	have   map[proof.TileID][]proof.Hash // by level, the stored tile compared with last
	err    error
}

// full is given every tile that has become full.
func (k *tileComparison) full(id proof.TileID, hashes []proof.Hash) bool {
	if k.err != nil {
		return false
	}
	// The tile makes one hash of the next level.
	above := proof.TileID{Level: id.Level + 1, Index: id.Index / proof.TileWidth}
	span := uint64(1) << (proof.TileHeight * (uint(id.Level) + 1)) // events under that hash
	if above.Level < proof.Levels && (id.Index+1)*span <= k.cursor {
		k.compare(above, int(id.Index%proof.TileWidth), hashes, id.Index*span, span)
	}
	if id.Level > 0 && (id.Index+1)*span > k.cursor {
		return k.tree.keep(id, hashes)
	}
	return false
}

// compare compares the hash at a place of a stored tile.
func (k *tileComparison) compare(id proof.TileID, at int, below []proof.Hash, first, span uint64) {
	tile := k.have[id]
	if tile == nil {
		// As many hashes of it as the cursor covers.
		n := min(k.cursor/span-id.Index*proof.TileWidth, proof.TileWidth)
		if tile, k.err = k.stored.Tile(id, int(n)); k.err != nil {
			return
		}
		clear(k.have)
		k.have[id] = tile
	}
	if want := proof.TileRoot(below); tile[at] != want {
		k.err = &CorruptionError{Store: k.stored.name, Place: "tree", Err: fmt.Errorf(
			"the events %d to %d have the root %v, %v says %v", first, first+span-1, want, id, tile[at])}
	}
}
