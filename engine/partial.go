package engine

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"slices"
	"sync"

	"github.com/cespare/xxhash/v2"
	"github.com/klauspost/compress/zstd"

	"github.com/cairndb/cairn/engine/lsm"
	"github.com/cairndb/cairn/segment"
	"github.com/cairndb/cairn/segment/column"
	"github.com/cairndb/cairn/sql"
	"github.com/cairndb/cairn/sql/exec/spill"
)

// Partials: the groups of a view for one segment.
//
// Two blocks in the range of the segment, both under the view's number:
//
//	kind 4, the head
//
//	   'v' │ version 4 │ print 8 │ groups │ size │ reason │ checksum 8
//
//	kind 5, the groups
//
//	   'g' │ version 4 │ print 8 │ columns │ checksum 8
//
// print tells which query and which form of states it is of (viewPrint); a partial with
// another print is as good as none. groups, size (bytes of the second block) and the length of
// reason are varints in shortest form. A
// head with a reason has no groups: the segment cannot have any, and is read. The columns
// are those of the groups in groupcolumns.go: the keys, then the states of the aggregates as
// package fn writes them for groups that are put aside. The checksums are xxhash64, little-endian, of the key (segment 8 and
// view 4, big-endian) and of all bytes before.
//
// Groups stand in the order of their keys, the time first (plan.View.Order), so that those of
// several segments are put together without looking for each of them: of most pieces of
// time only one segment knows. Version 1 had them in batches as package spill writes
// them, in no order, versions 2 and 3 other columns; such groups are made again.
const (
	blockViewHead = 4
	blockView     = 5

	partialVersion  = 4
	partialFixed    = 2 + 8
	partialChecksum = 8

	// partialBytesMax bounds the columns of a partial: sketches in every one of 65,536
	// groups would take more memory than a query has, and reading rows is then no worse.
	partialBytesMax = 48 << 20

	// partialReasonMax bounds why there is no partial.
	partialReasonMax = 1 << 10
)

// partialHead says what there is of a view for a segment.
type partialHead struct {
	print  uint64
	groups int
	size   int
	reason string // why there are no groups; "" when there are
}

func partialSum(seg uint64, view uint32, b []byte) uint64 {
	var key [12]byte
	binary.BigEndian.PutUint64(key[:], seg)
	binary.BigEndian.PutUint32(key[8:], view)
	h := xxhash.New()
	h.Write(key[:])
	h.Write(b)
	return h.Sum64()
}

func partialStart(magic byte, print uint64) []byte {
	return binary.LittleEndian.AppendUint64([]byte{magic, partialVersion}, print)
}

func sealPartial(seg uint64, view uint32, b []byte) []byte {
	return binary.LittleEndian.AppendUint64(b, partialSum(seg, view, b))
}

// openPartial checks what both blocks have around them.
func openPartial(magic byte, seg uint64, view uint32, b []byte) (print uint64, rest []byte, err error) {
	if len(b) < partialFixed+partialChecksum {
		return 0, nil, fmt.Errorf("%d bytes are too few", len(b))
	}
	payload := b[:len(b)-partialChecksum]
	if got, want := partialSum(seg, view, payload), binary.LittleEndian.Uint64(b[len(payload):]); got != want {
		return 0, nil, fmt.Errorf("checksum is %016x, should be %016x", want, got)
	}
	if payload[0] == magic && payload[1] > 0 && payload[1] < partialVersion {
		return 0, nil, errOldPartial
	}
	if payload[0] != magic || payload[1] != partialVersion {
		return 0, nil, fmt.Errorf("it begins with %x, version %d", payload[0], payload[1])
	}
	return binary.LittleEndian.Uint64(payload[2:]), payload[partialFixed:], nil
}

// errOldPartial says that a partial has the form of an earlier version.
var errOldPartial = errors.New("it has an earlier form")

// shortUvarint reads a varint of at most most.
func shortUvarint(b []byte, most int) (v int, rest []byte, err error) {
	x, n := binary.Uvarint(b)
	if n <= 0 || n > 1 && b[n-1] == 0 {
		return 0, nil, errors.New("a number is cut off or not in shortest form")
	}
	if x > uint64(most) {
		return 0, nil, fmt.Errorf("a number of %d is too large", x)
	}
	return int(x), b[n:], nil
}

func encodeHead(seg uint64, view uint32, h partialHead) []byte {
	b := partialStart('v', h.print)
	b = binary.AppendUvarint(b, uint64(h.groups))
	b = binary.AppendUvarint(b, uint64(h.size))
	reason := h.reason[:min(len(h.reason), partialReasonMax)]
	b = binary.AppendUvarint(b, uint64(len(reason)))
	return sealPartial(seg, view, append(b, reason...))
}

func decodeHead(seg uint64, view uint32, b []byte) (h partialHead, err error) {
	if h.print, b, err = openPartial('v', seg, view, b); err != nil {
		return h, err
	}
	if h.groups, b, err = shortUvarint(b, segmentRowsMax); err != nil {
		return h, err
	}
	if h.size, b, err = shortUvarint(b, math.MaxInt32); err != nil {
		return h, err
	}
	n, b, err := shortUvarint(b, partialReasonMax)
	if err != nil {
		return h, err
	}
	if n != len(b) {
		return h, fmt.Errorf("a reason of %d bytes in %d", n, len(b))
	}
	h.reason = string(b)
	return h, nil
}

// partialZstd compresses partials and takes them apart; both may be used by many.
var partialZstd = sync.OnceValues(func() (*zstd.Encoder, *zstd.Decoder) {
	e, err := zstd.NewWriter(nil, zstd.WithEncoderLevel(zstd.SpeedFastest), zstd.WithEncoderConcurrency(1), zstd.WithEncoderCRC(false), zstd.WithSingleSegment(true))
	if err != nil {
		panic(err) // the options are constants
	}
	d, err := zstd.NewReader(nil, zstd.WithDecoderConcurrency(0), zstd.WithDecoderMaxMemory(partialBytesMax))
	if err != nil {
		panic(err)
	}
	return e, d
})

// errPartialTooLarge ends the making of a partial.
var errPartialTooLarge = fmt.Errorf("the groups of one segment take more than %d MiB", partialBytesMax>>20)

// partialWriter gathers the groups of a partial.
type partialWriter struct {
	columns []groupColumn
	groups  int
	bytes   int64
}

// add takes a batch, of which nothing is kept.
func (w *partialWriter) add(b *column.Batch) error {
	if w.columns == nil {
		w.columns = make([]groupColumn, len(b.Cols))
	}
	for i, c := range b.Cols {
		w.bytes += w.columns[i].add(c)
	}
	if w.groups += b.Len; w.bytes > partialBytesMax {
		return errPartialTooLarge
	}
	return nil
}

// finish returns the block of the groups, ordered by the columns that order lists, and its
// head.
func (w *partialWriter) finish(seg uint64, view uint32, print uint64, order []int) (data []byte, h partialHead, err error) {
	return sealGroups(seg, view, print, tableOf(w.columns, w.groups, order))
}

// sealGroups returns the block of groups, and its head.
func sealGroups(seg uint64, view uint32, print uint64, t *groupTable) (data []byte, h partialHead, err error) {
	b, err := appendGroups(partialStart('g', print), t)
	if err != nil {
		return nil, h, err
	}
	b = sealPartial(seg, view, b)
	return b, partialHead{print: print, groups: t.n, size: len(b)}, nil
}

// decodePartial reads the groups of a partial, of the columns those that need lists, all when it is
// nil. It takes any bytes.
func decodePartial(seg uint64, view uint32, print uint64, types []*column.Type, b []byte, need []bool) (*column.Batch, error) {
	got, b, err := openPartial('g', seg, view, b)
	if err != nil {
		return nil, err
	}
	if got != print {
		return nil, fmt.Errorf("it is of another form of the view (%016x, not %016x)", got, print)
	}
	return readGroups(b, types, need)
}

// segmentGroups is what a segment knows of its partials.
type segmentGroups struct {
	// making is held by who fills them in.
	making sync.Mutex

	mu     sync.Mutex
	loaded bool
	heads  map[uint32]partialHead
	owner  *segment.Owner // of decoded groups, in the lake's cache
	// bad says that the segment cannot be read; nobody tries again in this session.
	bad bool
}

// load reads the heads. The caller holds mu.
func (g *segmentGroups) load(seg *sealed) error {
	if g.loaded {
		return nil
	}
	heads := make(map[uint32]partialHead)
	err := seg.lake.db.Blocks(seg.cat.Number, blockViewHead, blockViewHead, func(_ byte, id uint32, data []byte) error {
		h, err := decodeHead(seg.cat.Number, id, data)
		if errors.Is(err, errOldPartial) {
			return nil // and made again
		}
		if err != nil {
			// As good as none: the groups are made again.
			seg.lake.opts.Logger.Warn("the groups of a view are damaged and will be made again", "store", seg.store.Name(), "segment", seg.cat.Number, "view", id, "error", err)
			return nil
		}
		heads[id] = h
		return nil
	})
	if err != nil {
		return seg.fault(err)
	}
	g.heads, g.loaded = heads, true
	return nil
}

// head returns what there is of a view, ok false when there is nothing.
func (g *segmentGroups) head(seg *sealed, v *sql.View) (h partialHead, ok bool, err error) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if err := g.load(seg); err != nil {
		return h, false, err
	}
	h, ok = g.heads[v.Number]
	return h, ok && h.print == v.Print, nil
}

// read returns the groups of a view, of the columns those that need lists; ok is false when they are not
// there, or damaged, which is logged, and then they are made again.
func (g *segmentGroups) read(seg *sealed, v *sql.View, need []bool) (groups *column.Batch, ok bool) {
	g.mu.Lock()
	if g.owner == nil {
		g.owner = seg.lake.cache.NewOwner()
	}
	owner := g.owner
	g.mu.Unlock()
	type cached struct {
		print  uint64
		groups *column.Batch
	}
	if c, ok := owner.Get(v.Number).(cached); ok && c.print == v.Print {
		if hasColumns(c.groups, need) {
			return c.groups, true
		}
		need = slices.Clone(need)
		for i, c := range c.groups.Cols {
			need[i] = need[i] || c != nil
		}
	}
	groups, size, err := seg.readPartial(v, need)
	if err != nil {
		g.forget(seg, v.Number, err)
		return nil, false
	}
	owner.Put(v.Number, cached{v.Print, groups}, int64(size))
	return groups, true
}

// hasColumns reports whether all columns that need lists are there.
func hasColumns(b *column.Batch, need []bool) bool {
	for i, n := range need {
		if n && b.Cols[i] == nil {
			return false
		}
	}
	return true
}

// readPartial reads the groups of a view out of the database, of the columns those that need lists.
func (s *sealed) readPartial(v *sql.View, need []bool) (groups *column.Batch, size int, err error) {
	data, release, err := s.lake.db.Block(s.cat.Number, blockView, v.Number)
	defer release()
	if err != nil {
		return nil, 0, err
	}
	s.bytesRead.Add(int64(len(data)))
	if groups, err = decodePartial(s.cat.Number, v.Number, v.Print, v.Types(), data, need); err != nil {
		return nil, 0, err
	}
	for _, c := range groups.Cols {
		if c != nil {
			size += 64 + vectorSize(c)
		}
	}
	return groups, size, nil
}

// vectorSize is about how many bytes a vector takes.
func vectorSize(v *column.Vector) int {
	n := 8*len(v.Nulls) + 4*len(v.Codes) + 8*len(v.I64) + 8*len(v.F64) + 16*len(v.Str) + 4*len(v.Offsets)
	for _, s := range v.Str {
		n += len(s)
	}
	if v.Dict != nil {
		n += vectorSize(v.Dict)
	}
	for _, c := range v.Children {
		n += vectorSize(c)
	}
	return n
}

// forget notes that the groups of a view are no good.
func (g *segmentGroups) forget(seg *sealed, view uint32, err error) {
	seg.lake.opts.Logger.Warn("the groups of a view are damaged: rows are read, and the groups made again", "store", seg.store.Name(), "segment", seg.cat.Number, "view", view, "error", err)
	g.again(seg, view)
	seg.lake.views.filler.poke()
}

// again has the groups of a view made again.
func (g *segmentGroups) again(seg *sealed, view uint32) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.load(seg) == nil {
		delete(g.heads, view)
	}
	g.bad = false
	seg.store.regrouped.Add(1)
	if g.owner != nil {
		g.owner.Drop() // of all views, which are read again
	}
}

// drop gives up what is kept of a segment that nobody uses any more.
func (g *segmentGroups) drop() {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.owner != nil {
		g.owner.Drop()
		g.owner = nil
	}
}

// views makes the groups of the store's views anew and compares them with what is stored.
func (k *segmentCheck) views(*segment.Reader) error {
	if k.lake.opts.NoViews {
		return nil
	}
	maker, err := k.lake.newPartialMaker(k.ctx, k.s, k.s.store.keptViews())
	if err != nil {
		return nil // reading the columns has told, or will
	}
	for _, v := range k.s.store.keptViews() {
		place := "view " + v.rec.Name
		data, release, err := k.lake.db.Block(k.s.cat.Number, blockViewHead, v.plan.Number)
		if errors.Is(err, lsm.ErrNotFound) {
			continue // not made yet
		}
		var h partialHead
		if err == nil {
			h, err = decodeHead(k.s.cat.Number, v.plan.Number, data)
		}
		release()
		if errors.Is(err, errOldPartial) || err == nil && h.print != v.plan.Print {
			continue // of an older form, and not used
		}
		if err == nil {
			err = k.partial(maker, v, h)
		}
		if k.ctx.Err() != nil {
			return nil
		}
		if err == nil {
			continue
		}
		k.wrong(place, "its groups for this segment are damaged, and can be made again from the events: %v", err)
		if !k.lake.opts.ReadOnly {
			k.s.groups.forget(k.s, v.plan.Number, err)
		}
	}
	return nil
}

// partial compares the groups of a view with those of the rows.
func (k *segmentCheck) partial(maker *partialMaker, v *matview, h partialHead) error {
	data, want, err := maker.make(k.ctx, v)
	if err != nil {
		return err
	}
	if want.reason != "" || h.reason != "" {
		if want.reason == "" {
			return fmt.Errorf("there are none because %s, and they can be made", h.reason)
		}
		return nil
	}
	stored, _, err := k.s.readPartial(v.plan, nil)
	if err != nil {
		return err
	}
	made, err := decodePartial(k.s.cat.Number, v.plan.Number, v.plan.Print, v.plan.Types(), data, nil)
	if err != nil {
		return err
	}
	if !bytes.Equal(spill.AppendBatch(nil, stored.Cols, stored.Len), spill.AppendBatch(nil, made.Cols, made.Len)) {
		return fmt.Errorf("%d groups differ from the %d that the rows give", h.groups, want.groups)
	}
	return nil
}
