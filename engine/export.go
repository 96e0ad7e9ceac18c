package engine

import (
	"context"
	"crypto/ed25519"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/RoaringBitmap/roaring/v2"
	"github.com/RoaringBitmap/roaring/v2/roaring64"
	"golang.org/x/mod/sumdb/tlog"

	"github.com/cairndb/cairn/engine/archive"
	"github.com/cairndb/cairn/engine/digest"
	"github.com/cairndb/cairn/engine/event"
	"github.com/cairndb/cairn/engine/parquet"
	"github.com/cairndb/cairn/engine/proof"
	"github.com/cairndb/cairn/segment"
)

// How an export works.
//
// A bundle is of the state that a digest signs: the earliest one that covers what is
// exported, so that the same export of the same events gives the same bytes, however
// many digests have been made since. When there is none yet, one is made. The
// selection, with the head of that digest's tree, is the first file to be written; an
// export that was cut short reads it and goes on with the same state. What has been
// appended since does not show.
//
// Workers take ranges of sequence numbers. A range is done when the index of its last
// part is there, because a part's index is written behind its files; everything else
// is written again, with the same bytes. Memory is that of a part for each worker, and
// the list of files.

// ExportOptions say what to export, and how.
type ExportOptions struct {
	// Store is the name or ID of the store; [DefaultStore] when "".
	Store string
	// From and To bound the event time, To excluded; the zero time is no bound.
	From, To time.Time
	// Where is a condition in SQL over the store's columns; "" for none. now() is the
	// time of the digest that the bundle rests on.
	Where string
	// Formats are those of package archive: that of the records, and of further copies.
	// CloudTrail log files when empty.
	Formats []string
	// Workers is the number of goroutines; Options.Workers when 0.
	Workers int
	// Progress is called now and then, by one goroutine at a time; may be nil.
	Progress func(ExportProgress)
}

// ExportProgress tells how far an export is.
type ExportProgress struct {
	Events, EventsDone uint64
	Bytes              int64 // of records written or found written
	Elapsed            time.Duration
}

// ExportReport is the outcome of an export.
type ExportReport struct {
	Store  string
	Events uint64
	// Bytes is the length of the records, FileBytes that of all files.
	Bytes, FileBytes int64
	Files            int
	// Before is how many of the events an earlier run had written.
	Before uint64
	// Missing is how many events have left the store and are named by hashes only.
	Missing uint64
	// Size and Root are those of the tree that the bundle is proved against, Digest is
	// the number of the digest that signed it.
	Size    uint64
	Root    proof.Hash
	Digest  uint64
	Elapsed time.Duration
}

// Export writes a bundle for offline audit: records in open formats, and what proves
// them, as package archive describes. The target must be empty, or have an export of
// the same that was cut short, or finished: it then goes on, with the state of the
// first run. Appends and queries go on meanwhile.
func (l *Lake) Export(ctx context.Context, to Bucket, opts ExportOptions) (*ExportReport, error) {
	done, err := l.begin()
	if err != nil {
		return nil, err
	}
	defer done()
	name := opts.Store
	if name == "" {
		name = DefaultStore
	}
	s, err := l.Store(name)
	if err != nil {
		return nil, err
	}
	x := &export{ctx: ctx, lake: l, store: s, to: to, opts: opts, started: time.Now()}
	r, err := x.run()
	if err != nil {
		return nil, fmt.Errorf("exporting store %s: %w", s.Name(), err)
	}
	return r, nil
}

// Export is [Lake.Export] of a store that the view shows whole. Whoever is limited to
// accounts is refused: a bundle's tree, digests and counts are those of all accounts.
func (v *View) Export(ctx context.Context, to Bucket, opts ExportOptions) (*ExportReport, error) {
	if opts.Store == "" {
		opts.Store = DefaultStore
	}
	s, err := v.Whole(opts.Store)
	if err != nil {
		return nil, err
	}
	opts.Store = s.ID()
	return v.lake.Export(ctx, to, opts)
}

// export is the state of one.
type export struct {
	ctx     context.Context
	lake    *Lake
	store   *Store
	to      Bucket
	opts    ExportOptions
	started time.Time

	sel   *archive.Selection
	sizes map[string]int64 // files that are there
	head  proof.Head
	tiles *treeTiles
	// chosen has the sequence numbers of a filtered export, nil otherwise.
	chosen *roaring64.Bitmap
	want   uint64 // events to be written, as far as it is known before

	mu   sync.Mutex
	done struct {
		events, before uint64
		bytes          int64
	}
}

func (x *export) run() (*ExportReport, error) {
	// What is written is worth nothing without the manifest, which wants signing at the end.
	if err := x.lake.checkSecret(); err != nil {
		return nil, err
	}
	if err := x.start(); err != nil {
		return nil, err
	}
	if err := x.tellAudit(); err != nil {
		return nil, err
	}
	tiles, release, err := x.store.tiles(x.ctx)
	if err != nil {
		return nil, err
	}
	defer release()
	x.tiles = tiles
	if x.sel.Filtered() && x.chosen == nil {
		if err := x.choose(); err != nil {
			return nil, err
		}
	}
	x.want = x.head.Size
	if x.chosen != nil {
		x.want = x.chosen.GetCardinality()
	}
	parts, gaps, err := x.ranges()
	if err != nil {
		return nil, err
	}
	return x.finish(parts, gaps)
}

// tellAudit records the export in the audit store, before anything leaves the lake: an
// export that is cut short has shown events, too. What is not recorded is not exported.
func (x *export) tellAudit() error {
	if x.lake.opts.ReadOnly {
		return nil
	}
	request := map[string]any{"from": x.sel.From, "to": x.sel.To, "where": x.sel.Where, "formats": x.sel.Formats, "treeSize": x.sel.Tree.Size}
	if b, ok := x.to.(fmt.Stringer); ok {
		request["out"] = b.String()
	}
	if b, ok := x.to.(interface{ EncryptedFor() []string }); ok {
		request["encryptedFor"] = b.EncryptedFor()
	}
	return x.lake.recordAct(x.ctx, ActorOf(x.ctx), Act{Name: ActExport, Store: x.store, Request: request})
}

// start decides what the bundle rests on, or reads what an earlier run has decided.
func (x *export) start() error {
	x.sizes = map[string]int64{}
	err := x.to.List(x.ctx, "", func(name string, size int64) error {
		x.sizes[name] = size
		return nil
	})
	if err != nil {
		return fmt.Errorf("listing the target: %w", err)
	}
	formats := x.opts.Formats
	if len(formats) == 0 {
		formats = []string{archive.CloudTrail}
	}
	for i, f := range formats {
		if !slices.Contains(archive.Formats, f) || slices.Contains(formats[:i], f) {
			return failf(ErrBadInput, "format %q is not known, or named twice: formats are %v", f, archive.Formats)
		}
	}
	at := func(t time.Time) string {
		if t.IsZero() {
			return ""
		}
		return t.UTC().Format(time.RFC3339Nano)
	}
	if !x.opts.From.IsZero() && !x.opts.To.IsZero() && !x.opts.From.Before(x.opts.To) {
		return failf(ErrBadInput, "the time from %s on and before %s is empty", at(x.opts.From), at(x.opts.To))
	}
	want := archive.NewSelection(x.store.Origin(), x.store.Name(), x.store.schema.Key)
	want.From, want.To, want.Where, want.Formats = at(x.opts.From), at(x.opts.To), x.opts.Where, formats
	if _, there := x.sizes[archive.SelectionFile]; there {
		return x.resume(want)
	}
	if len(x.sizes) > 0 {
		return failf(ErrConflict, "the target is not empty, and has no export to go on with: use another place")
	}
	d, err := x.digest(x.store.Events())
	if err != nil {
		return err
	}
	x.sel = want
	x.rest(d)
	if want.Filtered() {
		tiles, release, err := x.store.tiles(x.ctx)
		if err != nil {
			return err
		}
		x.tiles = tiles
		err = x.choose()
		release()
		if err != nil {
			return err
		}
		// A condition may ask for the time of the digest; times alone do not, and can rest
		// on the earliest digest that covers them.
		if want.Where == "" {
			size := uint64(1)
			if !x.chosen.IsEmpty() {
				size = x.chosen.Maximum() + 1
			}
			if d, err = x.digest(min(size, x.head.Size)); err != nil {
				return err
			}
			x.rest(d)
		}
	}
	return x.put(archive.SelectionFile, x.sel.Format())
}

// rest has the bundle rest on a digest.
func (x *export) rest(d *digest.Signed) {
	x.head = d.Digest.After
	x.sel.Tree, x.sel.Digest, x.sel.Signed = archive.HeadOf(x.head), d.Digest.Number, d.Digest.End.Format(time.RFC3339)
}

// resume takes up the selection of an earlier run.
func (x *export) resume(want *archive.Selection) error {
	b, err := readObject(x.ctx, x.to, archive.SelectionFile, 1<<20)
	if err != nil {
		return err
	}
	had, err := archive.ParseSelection(b)
	if err != nil {
		return failf(ErrConflict, "the target has an export that cannot be gone on with: %w", err)
	}
	same := *had
	same.Tree, same.Digest, same.Signed = want.Tree, want.Digest, want.Signed
	if string(same.Format()) != string(want.Format()) {
		return failf(ErrConflict, "the target has an export of something else (store %s from %q to %q where %q as %v): use another place", had.Store, had.From, had.To, had.Where, had.Formats)
	}
	found := false
	err = x.store.eachDigest(had.Digest, func(d *digest.Signed) error {
		found = archive.HeadOf(d.Digest.After) == had.Tree && d.Digest.Number == had.Digest
		x.head = d.Digest.After
		return errStop
	})
	if err != nil && !errors.Is(err, errStop) {
		return err
	}
	if !found {
		return failf(ErrConflict, "the target has an export that rests on digest %d for %d events, which is not this store's: use another place", had.Digest, had.Tree.Size)
	}
	x.sel = had
	return nil
}

// digest returns the earliest digest for at least so many events, making one when there
// is none.
func (x *export) digest(size uint64) (*digest.Signed, error) {
	var found *digest.Signed
	err := x.store.eachDigest(0, func(d *digest.Signed) error {
		if d.Digest.After.Size >= size {
			found = d
			return errStop
		}
		return x.ctx.Err()
	})
	if err != nil && !errors.Is(err, errStop) {
		return nil, err
	}
	if found != nil {
		return found, nil
	}
	if x.lake.opts.ReadOnly {
		return nil, failf(ErrUnavailable, "the newest events are under no digest yet, and the lake is open for reading only")
	}
	return x.store.Digest(x.ctx)
}

// ranges writes all ranges, side by side, and returns their parts and gaps in order.
func (x *export) ranges() (parts []*archive.Header, gaps []byte, err error) {
	type result struct {
		parts []*archive.Header
		gaps  []byte
	}
	count := (x.head.Size + archive.RangeEvents - 1) / archive.RangeEvents
	results := make([]result, count)
	ctx, cancel := context.WithCancelCause(x.ctx)
	defer cancel(nil)
	workers := x.opts.Workers
	if workers <= 0 {
		workers = x.lake.opts.Workers
	}
	var next uint64
	var running sync.WaitGroup
	for range max(workers, 1) {
		running.Add(1)
		go func() {
			defer running.Done()
			w := &rangeExport{export: x, ctx: ctx}
			for {
				x.mu.Lock()
				n := next
				next++
				x.mu.Unlock()
				if n >= count || ctx.Err() != nil {
					return
				}
				parts, gaps, err := w.run(n)
				if err != nil {
					cancel(err)
					return
				}
				results[n] = result{parts, gaps}
			}
		}()
	}
	running.Wait()
	if err := context.Cause(ctx); err != nil {
		return nil, nil, err
	}
	for _, r := range results {
		parts = append(parts, r.parts...)
		gaps = append(gaps, r.gaps...)
	}
	return parts, gaps, nil
}

// tell counts what was written.
func (x *export) tell(parts []*archive.Header, before bool) {
	x.mu.Lock()
	defer x.mu.Unlock()
	for _, h := range parts {
		x.done.events += h.Events
		x.done.bytes += h.Bytes
		if before {
			x.done.before += h.Events
		}
	}
	if x.opts.Progress != nil {
		x.opts.Progress(ExportProgress{Events: x.want, EventsDone: x.done.events, Bytes: x.done.bytes, Elapsed: time.Since(x.started)})
	}
}

// rangeExport is a worker.
type rangeExport struct {
	*export
	ctx      context.Context
	w        archive.RangeWriter
	ev       event.Event
	shredder *shredder
	paths    pathMaker
	columns  *parquet.Writer
}

// run writes a range.
func (w *rangeExport) run(number uint64) (parts []*archive.Header, gaps []byte, err error) {
	if w.w.Target == nil {
		w.w = archive.RangeWriter{Target: w.to, Selection: w.sel, Encoders: map[string]archive.Encoder{
			archive.Segments: w.encodeSegment, archive.Parquet: w.encodeParquet}}
		w.paths = pathMaker{tiles: w.tiles, head: w.head}
	}
	first := number * archive.RangeEvents
	end := min(first+archive.RangeEvents, w.head.Size)
	have, err := w.have(first, end)
	if err != nil {
		return nil, nil, err
	}
	if w.chosen == nil {
		if gaps, err = w.gaps(have, first, end); err != nil {
			return nil, nil, err
		}
	}
	if have.IsEmpty() {
		return nil, gaps, nil
	}
	if parts, err = archive.FinishedRange(w.ctx, w.to, number, w.sizes); err != nil {
		return nil, nil, err
	}
	if parts != nil {
		var events uint64
		for _, h := range parts {
			events += h.Events
		}
		if events == have.GetCardinality() {
			w.tell(parts, true)
			return parts, gaps, nil
		}
	}
	w.w.Start(number)
	if err := w.records(first, have, w.add); err != nil {
		return nil, nil, err
	}
	if parts, err = w.w.End(w.ctx); err != nil {
		return nil, nil, err
	}
	w.tell(parts, false)
	return parts, gaps, nil
}

// have returns which events of a range are to be written, by their distance from its
// beginning.
func (w *rangeExport) have(first, end uint64) (*roaring.Bitmap, error) {
	out := roaring.New()
	if w.chosen != nil {
		it := w.chosen.Iterator()
		it.AdvanceIfNeeded(first)
		for it.HasNext() {
			seq := it.Next()
			if seq >= end {
				break
			}
			out.Add(uint32(seq - first))
		}
		return out, nil
	}
	sn := w.tiles.sn
	for _, seg := range sn.segments {
		from, to := max(seg.cat.First, first), min(seg.cat.End(), end)
		if from >= to {
			continue
		}
		visible, none, err := sn.visible(w.ctx, seg)
		if err != nil {
			return nil, err
		}
		if none {
			continue
		}
		if visible == nil {
			out.AddRange(from-first, to-first)
			continue
		}
		for it := visible.Iterator(); it.HasNext(); {
			if seq := seg.cat.First + uint64(it.Next()); seq >= from && seq < to {
				out.Add(uint32(seq - first))
			}
		}
	}
	for _, v := range sn.views {
		for i := range v.Rows() {
			if seq := v.First() + uint64(i); seq >= first && seq < end && !sn.horizon.Expired(v.Rows()[i].Time) {
				out.Add(uint32(seq - first))
			}
		}
	}
	return out, nil
}

// gaps returns the lines of those events of a range that are not to be had.
func (w *rangeExport) gaps(have *roaring.Bitmap, first, end uint64) ([]byte, error) {
	var out []byte
	flush := func(from, to uint64) error {
		return archive.Subtrees(from, to, func(level uint8, index uint64) error {
			h, err := w.tiles.subtree(level, index)
			if err != nil {
				return w.tiles.fault(err)
			}
			out = archive.AppendGap(out, &archive.Gap{Level: level, Index: index, Hash: h})
			return nil
		})
	}
	at := first
	it := have.Iterator()
	for it.HasNext() {
		seq := first + uint64(it.Next())
		if seq > at {
			if err := flush(at, seq); err != nil {
				return nil, err
			}
		}
		at = seq + 1
	}
	if at < end {
		if err := flush(at, end); err != nil {
			return nil, err
		}
	}
	return out, nil
}

// records calls fn with the wanted records of a range, in order.
func (w *rangeExport) records(first uint64, want *roaring.Bitmap, fn func(seq uint64, raw []byte) error) error {
	return w.tiles.sn.eachRecord(w.ctx, first, want, fn)
}

// eachRecord calls fn with records in order: those whose distance from first is in want.
func (sn *snapshot) eachRecord(ctx context.Context, first uint64, want *roaring.Bitmap, fn func(seq uint64, raw []byte) error) error {
	list := want.ToArray()
	for len(list) > 0 {
		seq := first + uint64(list[0])
		if seg := sn.segmentOf(seq); seg != nil {
			var rows []uint32
			for len(list) > 0 && first+uint64(list[0]) < seg.cat.End() {
				rows = append(rows, uint32(first+uint64(list[0])-seg.cat.First))
				list = list[1:]
			}
			sel := segment.List(rows)
			if n := len(rows); int(rows[n-1]-rows[0]) == n-1 {
				sel = segment.Range(int(rows[0]), int(rows[0])+n)
			}
			r, err := seg.reader(ctx)
			if err != nil {
				return err
			}
			var stopped error
			err = r.Records(ctx, sel, func(row int, rec []byte) error {
				stopped = fn(seg.cat.First+uint64(row), rec)
				return stopped
			})
			if stopped != nil {
				return stopped
			}
			if err != nil {
				return seg.fault(fmt.Errorf("reading records from %d on: %w", seq, err))
			}
			continue
		}
		v := sn.viewOf(seq)
		if v == nil {
			return failf(ErrNotFound, "store %s has no record %d", sn.store.Name(), seq)
		}
		if err := ctx.Err(); err != nil {
			return err
		}
		if err := fn(seq, v.Rows()[seq-v.First()].Raw); err != nil {
			return err
		}
		list = list[1:]
	}
	return nil
}

// add hands a record to the writer.
func (w *rangeExport) add(seq uint64, raw []byte) error {
	r := archive.Record{Seq: seq, Raw: raw, Leaf: proof.Hash(event.LeafHash(raw))}
	if err := event.Parse(raw, &w.ev); err == nil {
		r.Account, r.Region, r.Time = string(w.ev.Recipient), string(w.ev.Region), time.UnixMicro(w.ev.Time)
	}
	if r.Account == "" {
		if id := event.Lookup(raw, "userIdentity", "accountId"); len(id) > 2 && id[0] == '"' {
			r.Account = string(id[1 : len(id)-1])
		}
	}
	if w.chosen != nil {
		path, err := w.paths.path(seq)
		if err != nil {
			return w.tiles.fault(err)
		}
		// What is given out has been checked the way its reader will.
		if err := proof.CheckInclusion(path, w.head, seq, r.Leaf); err != nil {
			return w.tiles.fault(err)
		}
		r.Path = path
	}
	return w.w.Add(w.ctx, r)
}

// encodeSegment makes a segment of its own out of records.
func (w *rangeExport) encodeSegment(_ context.Context, records []archive.Record) ([]byte, error) {
	if w.shredder == nil {
		w.shredder = newShredder(nil)
	}
	w.shredder.reset()
	for i := range records {
		if _, err := w.shredder.b.Add(records[i].Raw); err != nil {
			return nil, fmt.Errorf("record %d: %w", records[i].Seq, err)
		}
	}
	enc, err := w.shredder.encode()
	if err != nil {
		return nil, err
	}
	blocks := make([][]byte, enc.Blocks())
	for i := range blocks {
		blocks[i] = enc.Block(i)
	}
	return archive.EncodeBlocks(blocks), nil
}

// encodeParquet makes a Parquet file out of records.
func (w *rangeExport) encodeParquet(_ context.Context, records []archive.Record) ([]byte, error) {
	if w.columns == nil {
		w.columns = parquet.NewWriter(w.store.schema)
	}
	raws, seqs := make([][]byte, len(records)), make([]uint64, len(records))
	for i := range records {
		raws[i], seqs[i] = records[i].Raw, records[i].Seq
	}
	return w.columns.Encode(seqs, raws)
}

// pathMaker makes inclusion proofs of events that come in order. The leaves of a tile
// are computed once; so are the hashes above it.
type pathMaker struct {
	tiles *treeTiles
	head  proof.Head

	tile   uint64
	leaves []proof.Hash
	levels [proof.TileHeight + 1][]proof.Hash
	above  []proof.Hash // from the tile's root to that of the tree
}

// Tile implements proof.Tiles.
func (m *pathMaker) Tile(id proof.TileID, width int) ([]proof.Hash, error) {
	if id.Level == 0 && id.Index == m.tile && len(m.leaves) >= width {
		return m.leaves[:width], nil
	}
	return m.tiles.Tile(id, width)
}

func (m *pathMaker) path(seq uint64) ([]proof.Hash, error) {
	if tile := seq / proof.TileWidth; m.leaves == nil || tile != m.tile {
		width := min(proof.TileWidth, m.head.Size-tile*proof.TileWidth)
		leaves, err := m.tiles.Tile(proof.TileID{Index: tile}, int(width))
		if err != nil {
			return nil, err
		}
		m.tile, m.leaves, m.above = tile, leaves, nil
		if width == proof.TileWidth {
			full, err := proof.Inclusion(m.head, seq, m)
			if err != nil {
				return nil, err
			}
			m.above = append([]proof.Hash{}, full[proof.TileHeight:]...)
			m.levels[0] = leaves
			for l := 1; l <= proof.TileHeight; l++ {
				m.levels[l] = m.levels[l][:0]
				for i := 0; i < len(m.levels[l-1]); i += 2 {
					m.levels[l] = append(m.levels[l], tlog.NodeHash(m.levels[l-1][i], m.levels[l-1][i+1]))
				}
			}
		}
	}
	if m.above == nil {
		p, err := proof.Inclusion(m.head, seq, m)
		if p == nil {
			p = []proof.Hash{}
		}
		return p, err
	}
	out := make([]proof.Hash, 0, proof.TileHeight+len(m.above))
	at := seq % proof.TileWidth
	for l := range proof.TileHeight {
		out = append(out, m.levels[l][at^1])
		at /= 2
	}
	return append(out, m.above...), nil
}

// subtree returns the hash of a complete subtree of 2^level leaves.
func (t *treeTiles) subtree(level uint8, index uint64) (proof.Hash, error) {
	// The tile in whose levels it lies, and its hashes there.
	tileLevel := level / proof.TileHeight
	height := level % proof.TileHeight
	first := index << height // in hashes of the tile's level
	id := proof.TileID{Level: tileLevel, Index: first / proof.TileWidth}
	from := first % proof.TileWidth
	hashes, err := t.Tile(id, int(from+1<<height))
	if err != nil {
		return proof.Hash{}, err
	}
	work := append([]proof.Hash(nil), hashes[from:]...)
	for len(work) > 1 {
		for i := range len(work) / 2 {
			work[i] = tlog.NodeHash(work[2*i], work[2*i+1])
		}
		work = work[:len(work)/2]
	}
	return work[0], nil
}

// finish writes what stands beside the records.
func (x *export) finish(parts []*archive.Header, gaps []byte) (*ExportReport, error) {
	c := &archive.Closing{Selection: x.sel, Parts: parts, Gaps: gaps}
	var events uint64
	for _, h := range parts {
		events += h.Events
	}
	if x.chosen == nil {
		c.Missing = x.head.Size - events
	}
	if len(parts) > 0 {
		var err error
		if c.First, c.Last, err = x.span(parts); err != nil {
			return nil, err
		}
	}
	l := x.lake
	l.digests.Lock()
	key, err := l.signingKeyOf(l.opts.ReadOnly)
	l.digests.Unlock()
	if err != nil {
		return nil, err
	}
	c.Key, c.Keys = key, l.PublicKeys()
	c.Digests = func(fn func(*digest.Signed) error) error {
		err := x.store.eachDigest(0, func(d *digest.Signed) error {
			if err := fn(d); err != nil {
				return err
			}
			if d.Digest.Number == x.sel.Digest {
				return errStop
			}
			return x.ctx.Err()
		})
		if errors.Is(err, errStop) {
			return nil
		}
		return err
	}
	m, err := archive.Finish(x.ctx, x.to, c)
	if err != nil {
		return nil, err
	}
	// An earlier run may have had events that have expired since, and files for them.
	names := map[string]bool{archive.ManifestFile: true, archive.SignatureFile: true, archive.SumsFile: true}
	for i := range m.Files {
		names[m.Files[i].Path] = true
	}
	err = x.to.List(x.ctx, "", func(name string, _ int64) error {
		if !names[name] {
			return failf(ErrConflict, "%s is there and does not belong to the bundle: export into another place", name)
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	r := &ExportReport{Store: x.store.Name(), Events: m.Events, Bytes: m.Bytes, Files: len(m.Files) + 3, Before: x.done.before, Missing: m.Missing,
		Size: x.head.Size, Root: x.head.Root, Digest: x.sel.Digest, Elapsed: time.Since(x.started)}
	for i := range m.Files {
		r.FileBytes += m.Files[i].Bytes
	}
	return r, nil
}

// signingKeyOf returns the key in use; existing says that none may be made. The caller
// holds digests.
func (l *Lake) signingKeyOf(existing bool) (ed25519.PrivateKey, error) {
	if existing && len(l.digests.keys) == 0 {
		return nil, failf(ErrUnavailable, "there is no signing key yet, and the lake is open for reading only")
	}
	return l.signingKey()
}

// span returns the lowest and the highest sequence number of the parts.
func (x *export) span(parts []*archive.Header) (first, last uint64, err error) {
	if x.chosen != nil {
		return x.chosen.Minimum(), x.chosen.Maximum(), nil
	}
	w := &rangeExport{export: x, ctx: x.ctx}
	ends := [2]*archive.Header{parts[0], parts[len(parts)-1]}
	for i, h := range ends {
		from := h.Range * archive.RangeEvents
		have, err := w.have(from, min(from+archive.RangeEvents, x.head.Size))
		if err != nil {
			return 0, 0, err
		}
		if i == 0 {
			first = from + uint64(have.Minimum())
		} else {
			last = from + uint64(have.Maximum())
		}
	}
	return first, last, nil
}
