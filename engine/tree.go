package engine

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"sync"

	"github.com/cespare/xxhash/v2"

	"github.com/cairndb/cairn/engine/lsm"
	"github.com/cairndb/cairn/engine/memtable"
	"github.com/cairndb/cairn/engine/proof"
	"github.com/cairndb/cairn/segment"
)

// How a store's tree is kept.
//
// The leaves of the tree are the hashes of the store's records in order of their
// sequence numbers. It grows when events have become durable, before anybody is
// told, and before an import's segment is part of the store.
//
// Tiles from level 1 on are stored, 32 bytes for 256 events. Level 0 is not: it is
// computed from the records, 256 at a time, when a proof asks for it. So proofs are
// made from what is really there, and a tree costs an eighth of a byte per event.
//
// The records of the space lsm.Trees:
//
//	store 4 | level 1 | index 8   a tile, full or the last one of its level: a version
//	                              byte (1), 1 to 256 hashes of 32 bytes, 8 bytes of
//	                              checksum
//	store 4 | 0xff                the cursor: version, how many events the stored tiles
//	                              cover (8 bytes, a multiple of 256), checksum
//
// Numbers in keys and in the cursor are big-endian; the checksum is the
// little-endian xxhash64 of key and value before it. Checksums tell accidents;
// only digests tell intent.
//
// Tiles and cursor are written in the batch that names a new segment. They may cover
// events that are in the log only: those were synced before. A tile of level 0 is
// stored only where its records are about to leave the store (keepTiles).
//
// With the last digest of a store goes the tail of the tree that it signs: the leaves that fill no
// tile of 256, under 't' | store 4 in the space lsm.Digests: version, the number of events that are
// signed (8 bytes), the hashes, checksum. It saves an opening from reading those records, up to 255,
// which may be all columns of a segment. It is used only where tiles and tail together have the
// root that was signed.

const (
	treeVersion     = 1
	treeCursorLevel = 0xff
)

// tree is the Merkle tree of a store.
type tree struct {
	sync.Mutex
	grown *proof.Tree
	// stored is the durable cursor.
	stored uint64
	// pending are full tiles from level 1 on that are not stored yet.
	pending map[proof.TileID][]proof.Hash
	// err is why the tree of a damaged lake that was opened for reading only is not
	// known.
	err error
}

func newTree() *tree { return &tree{grown: &proof.Tree{}, pending: map[proof.TileID][]proof.Hash{}} }

// keep takes full tiles that have to be stored.
func (t *tree) keep(id proof.TileID, hashes []proof.Hash) bool {
	if id.Level == 0 {
		return false
	}
	t.pending[id] = hashes
	return true
}

// grow adds rows that have become durable.
func (t *tree) grow(rows []memtable.Row) {
	t.Lock()
	defer t.Unlock()
	for i := range rows {
		t.grown.Append(rows[i].Leaf, t.keep)
	}
}

// with returns a copy of the tree that has grown by some leaves.
func (t *tree) with(leaves []proof.Hash) *tree {
	c := t.view()
	for i := range leaves {
		c.grown.Append(leaves[i], c.keep)
	}
	return c
}

// become takes over the state of a copy. Only one goroutine at a time may be
// between with and become.
func (t *tree) become(c *tree) {
	t.Lock()
	defer t.Unlock()
	t.grown, t.pending, t.stored = c.grown, c.pending, c.stored
}

// view returns a copy of the tree as it is.
func (t *tree) view() *tree {
	t.Lock()
	defer t.Unlock()
	c := &tree{grown: t.grown.Clone(), stored: t.stored, err: t.err, pending: make(map[proof.TileID][]proof.Hash, len(t.pending))}
	for id, hashes := range t.pending {
		c.pending[id] = hashes
	}
	return c
}

// store writes what is not stored yet into a batch. When the batch is durable,
// the caller has to call done.
func (t *tree) store(number uint32, w lsm.Writer) (done func()) {
	t.Lock()
	defer t.Unlock()
	size := t.grown.Size() &^ (proof.TileWidth - 1)
	if size == t.stored || t.err != nil {
		return func() {}
	}
	var written []proof.TileID
	for id, hashes := range t.pending {
		putTile(w, number, id, hashes)
		written = append(written, id)
	}
	for level := uint8(1); level < proof.Levels; level++ {
		if id, hashes := t.grown.Edge(level); len(hashes) > 0 {
			putTile(w, number, id, hashes)
		}
	}
	key := treeKey(number, treeCursorLevel)
	w.Set(key, sealTree(key, binary.BigEndian.AppendUint64([]byte{treeVersion}, size)))
	return func() {
		t.Lock()
		defer t.Unlock()
		t.stored = size
		for _, id := range written {
			delete(t.pending, id)
		}
	}
}

func treeKey(store uint32, level byte) []byte {
	return append(binary.BigEndian.AppendUint32(nil, store), level)
}

func tileKey(store uint32, id proof.TileID) []byte {
	return binary.BigEndian.AppendUint64(treeKey(store, id.Level), id.Index)
}

// sealTree adds the checksum to a value.
func sealTree(key, value []byte) []byte {
	return binary.LittleEndian.AppendUint64(value, treeChecksum(key, value))
}

func treeChecksum(key, value []byte) uint64 {
	h := xxhash.New()
	h.Write(key)
	h.Write(value)
	return h.Sum64()
}

// openTree checks version and checksum of a value and returns what is between.
func openTree(key, value []byte) ([]byte, error) {
	if len(value) < 9 {
		return nil, fmt.Errorf("%d bytes are too few", len(value))
	}
	body := value[:len(value)-8]
	if want, got := binary.LittleEndian.Uint64(value[len(body):]), treeChecksum(key, body); want != got {
		return nil, fmt.Errorf("checksum is %016x, should be %016x", want, got)
	}
	if body[0] != treeVersion {
		return nil, fmt.Errorf("version %d is not known (this program writes %d)", body[0], treeVersion)
	}
	return body[1:], nil
}

// tileWriter takes tiles that are to be stored.
type tileWriter interface{ Set(key, value []byte) }

func putTile(w tileWriter, store uint32, id proof.TileID, hashes []proof.Hash) {
	value := make([]byte, 1, 1+len(hashes)*proof.HashSize+8)
	value[0] = treeVersion
	for i := range hashes {
		value = append(value, hashes[i][:]...)
	}
	key := tileKey(store, id)
	w.Set(key, sealTree(key, value))
}

// storedTiles reads the stored tiles of a store.
type storedTiles struct {
	db    *lsm.DB
	store uint32
	name  string
}

// Tile implements proof.Tiles.
func (s *storedTiles) Tile(id proof.TileID, width int) ([]proof.Hash, error) {
	key := tileKey(s.store, id)
	value, err := s.db.In(lsm.Trees).Get(key)
	var body []byte
	if err == nil {
		body, err = openTree(key, value)
	}
	if err == nil && (len(body)%proof.HashSize != 0 || len(body) < width*proof.HashSize) {
		err = fmt.Errorf("it has %d bytes, %d hashes are needed", len(body), width)
	}
	if err != nil {
		return nil, &CorruptionError{Store: s.name, Place: id.String(), Err: err}
	}
	out := make([]proof.Hash, width)
	for i := range out {
		out[i] = proof.Hash(body[i*proof.HashSize:])
	}
	return out, nil
}

// cursor returns how many events the stored tiles cover.
func (s *storedTiles) cursor() (uint64, error) {
	key := treeKey(s.store, treeCursorLevel)
	value, err := s.db.In(lsm.Trees).Get(key)
	if errors.Is(err, lsm.ErrNotFound) {
		return 0, nil
	}
	var body []byte
	if err == nil {
		body, err = openTree(key, value)
	}
	var size uint64
	if err == nil {
		if len(body) == 8 {
			size = binary.BigEndian.Uint64(body)
		}
		if len(body) != 8 || size%proof.TileWidth != 0 || size >= proof.SizeMax {
			err = fmt.Errorf("%x is no number of events in whole tiles", body)
		}
	}
	if err != nil {
		return 0, &CorruptionError{Store: s.name, Place: "cursor of the tree", Err: err}
	}
	return size, nil
}

func tailKey(store uint32) []byte { return binary.BigEndian.AppendUint32([]byte{keyTail}, store) }

// putTail writes the tail of a tree that is being signed.
func putTail(w tileWriter, store uint32, signed *proof.Tree) {
	_, leaves := signed.Edge(0)
	value := make([]byte, 1, 1+8+len(leaves)*proof.HashSize+8)
	value[0] = treeVersion
	value = binary.BigEndian.AppendUint64(value, signed.Size())
	for i := range leaves {
		value = append(value, leaves[i][:]...)
	}
	key := tailKey(store)
	w.Set(key, sealTree(key, value))
}

// tail returns the leaves of the events of a digest that fill no tile. There are none of a digest
// that an earlier version of this program has made.
func (s *storedTiles) tail(signed uint64) (leaves []proof.Hash, err error) {
	key := tailKey(s.store)
	value, err := s.db.In(lsm.Digests).Get(key)
	if errors.Is(err, lsm.ErrNotFound) {
		return nil, nil
	}
	var body []byte
	if err == nil {
		body, err = openTree(key, value)
	}
	if err != nil {
		return nil, fmt.Errorf("the tail of the tree of store %s: %w", s.name, err)
	}
	if len(body) < 8 || binary.BigEndian.Uint64(body) != signed || uint64(len(body)-8) != signed%proof.TileWidth*proof.HashSize {
		return nil, nil
	}
	for body = body[8:]; len(body) > 0; body = body[proof.HashSize:] {
		leaves = append(leaves, proof.Hash(body))
	}
	return leaves, nil
}

// treeTiles reads the tiles of a store's tree: those not yet stored from a copy of
// the tree, stored ones, and level 0 from the records of a snapshot.
type treeTiles struct {
	ctx    context.Context
	store  *Store
	tree   *tree
	sn     *snapshot
	stored storedTiles
}

// tiles returns the tree as it is, and its tiles. release must be called.
func (s *Store) tiles(ctx context.Context) (t *treeTiles, release func(), err error) {
	// The tree first: the snapshot then has the record of every leaf.
	view := s.tree.view()
	if view.err != nil {
		return nil, nil, view.err
	}
	sn := s.snapshot()
	return &treeTiles{ctx: ctx, store: s, tree: view, sn: sn, stored: s.storedTiles()}, sn.release, nil
}

func (s *Store) storedTiles() storedTiles {
	return storedTiles{db: s.lake.db, store: s.rec.Number, name: s.Name()}
}

// Tile implements proof.Tiles.
func (t *treeTiles) Tile(id proof.TileID, width int) ([]proof.Hash, error) {
	if id.Level == 0 {
		return t.leaves(id, width)
	}
	if hashes, ok := t.tree.pending[id]; ok {
		return hashes[:width], nil
	}
	if edge, hashes := t.tree.grown.Edge(id.Level); edge == id {
		if len(hashes) < width {
			return nil, fmt.Errorf("%v has %d hashes, %d are needed", id, len(hashes), width)
		}
		return hashes[:width:width], nil
	}
	return t.stored.Tile(id, width)
}

// leaves computes a tile of level 0 from the records, or reads it where the records
// have left the store.
func (t *treeTiles) leaves(id proof.TileID, width int) ([]proof.Hash, error) {
	from := id.Index * proof.TileWidth
	to := from + uint64(width)
	out := make([]proof.Hash, 0, width)
	for seq := from; seq < to; seq = from + uint64(len(out)) {
		end := to
		if d := droppedAt(t.sn.dropped, seq); d != nil {
			end = min(to, d.End)
			kept, err := t.stored.Tile(id, int(end-from))
			if errors.Is(err, lsm.ErrNotFound) && d.First <= from && from+proof.TileWidth <= d.End {
				return nil, fmt.Errorf("%w: %w", errLeft, t.sn.goneErr(seq, d))
			}
			if err != nil {
				return nil, err
			}
			out = append(out, kept[seq-from:]...)
			continue
		}
		for i := range t.sn.dropped {
			if first := t.sn.dropped[i].First; first > seq {
				end = min(end, first)
				break
			}
		}
		if err := t.sn.leaves(t.ctx, seq, end, func(leaf [32]byte) { out = append(out, leaf) }); err != nil {
			return nil, err
		}
	}
	return out, nil
}

// leaves computes the leaf hashes of a range of events, in order.
func (sn *snapshot) leaves(ctx context.Context, from, to uint64, fn func(leaf [32]byte)) error {
	for seq := from; seq < to; {
		if seg := sn.segmentOf(seq); seg != nil {
			end := min(to, seg.cat.End())
			r, err := seg.reader(ctx)
			if err != nil {
				return err
			}
			var hasher proof.LeafHasher
			err = r.Records(ctx, segment.Range(int(seq-seg.cat.First), int(end-seg.cat.First)), func(_ int, rec []byte) error {
				hasher.Add(rec)
				return nil
			})
			if err != nil {
				return seg.fault(fmt.Errorf("reading records %d to %d: %w", seq, end-1, err))
			}
			for _, leaf := range hasher.Hashes() {
				fn(leaf)
			}
			seq = end
			continue
		}
		v := sn.viewOf(seq)
		if v == nil {
			return failf(ErrNotFound, "store %s has no record %d", sn.store.Name(), seq)
		}
		rows := v.Rows()
		end := min(to, v.First()+uint64(len(rows)))
		for ; seq < end; seq++ {
			fn(rows[seq-v.First()].Leaf)
		}
	}
	return nil
}

// errLeft says that a proof needs leaves of events that have left the store, of which
// nothing was kept.
var errLeft = errors.New("of events that have left, only the tree heads that were signed can be proved")

// keepTiles writes into a batch the tiles of level 0 that will be needed when the
// events from first to end-1 have left the store: those at the ends of the range,
// which have leaves of events that stay, and those in which one of the sizes lies
// that are to remain provable, such as those of digests.
func (t *treeTiles) keepTiles(w tileWriter, first, end uint64, sizes []uint64) error {
	want := map[uint64]bool{}
	for _, at := range append([]uint64{first, end}, sizes...) {
		if at >= first && at <= end && at%proof.TileWidth != 0 {
			want[at/proof.TileWidth] = true
		}
	}
	for index := range want {
		id := proof.TileID{Index: index}
		width := min(proof.TileWidth, int(t.tree.grown.Size()-index*proof.TileWidth))
		hashes, err := t.leaves(id, width)
		if err != nil {
			return err
		}
		putTile(w, t.store.rec.Number, id, hashes)
	}
	return nil
}

// TreeHead returns size and root of the store's Merkle tree: that over all events
// that have been acknowledged.
func (s *Store) TreeHead() (proof.Head, error) {
	done, err := s.lake.begin()
	if err != nil {
		return proof.Head{}, err
	}
	defer done()
	view := s.tree.view()
	if view.err != nil {
		return proof.Head{}, view.err
	}
	return view.grown.Head(), nil
}

// ProveConsistency returns the proof that the tree of the newer size begins with that
// of the older one, and the two heads. [proof.CheckConsistency] checks it. Sizes within
// what has left the store can be proved if a digest has signed them; others may give
// ErrNotFound.
func (s *Store) ProveConsistency(ctx context.Context, older, newer uint64) (path []proof.Hash, from, to proof.Head, err error) {
	done, err := s.lake.begin()
	if err != nil {
		return nil, from, to, err
	}
	defer done()
	t, release, err := s.tiles(ctx)
	if err != nil {
		return nil, from, to, err
	}
	defer release()
	if size := t.tree.grown.Size(); older > newer || newer > size {
		return nil, from, to, failf(ErrBadInput, "proving consistency of store %s from size %d to %d: sizes go from 0 to %d, and not backwards", s.Name(), older, newer, size)
	}
	if from, err = t.headAt(older); err != nil {
		return nil, from, to, err
	}
	if to, err = t.headAt(newer); err != nil {
		return nil, from, to, err
	}
	if path, err = proof.Consistency(older, to, t); err != nil {
		return nil, from, to, t.fault(err)
	}
	return path, from, to, nil
}

// headAt returns the head that the tree had at a size.
func (t *treeTiles) headAt(size uint64) (proof.Head, error) {
	root, err := proof.RootAt(size, t)
	if errors.Is(err, errLeft) {
		// What a digest has signed is kept; if it is not there, somebody took it.
		sizes, derr := t.store.digestSizes(size, size)
		if err = errors.Join(err, derr); derr == nil && len(sizes) > 0 {
			err = &CorruptionError{Store: t.store.Name(), Place: "tree", Err: fmt.Errorf("the leaves below the digest at size %d: %w", size, err)}
		}
	}
	if err != nil {
		return proof.Head{}, t.fault(err)
	}
	return proof.Head{Size: size, Root: root}, nil
}

// fault gives an error of making a proof its kind: what does not fit together was
// changed.
func (t *treeTiles) fault(err error) error {
	if err == nil || errors.Is(err, ErrCorrupt) || errors.Is(err, errLeft) || t.ctx.Err() != nil {
		return err
	}
	return &CorruptionError{Store: t.store.Name(), Place: "tree", Err: err}
}
