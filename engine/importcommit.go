package engine

import (
	"context"
	"errors"
	"fmt"

	"github.com/cairndb/cairn/engine/catalog"
	"github.com/cairndb/cairn/engine/event"
	"github.com/cairndb/cairn/engine/lsm"
	"github.com/cairndb/cairn/engine/memtable"
	"github.com/cairndb/cairn/index"
	"github.com/cairndb/cairn/segment"
)

// errImportEnded is returned by a step that was not done because the import has
// ended.
var errImportEnded = errors.New("the import has ended")

// waitTurn waits until it is a chunk's turn.
func (imp *importer) waitTurn(t *turn, at turn) error {
	imp.mu.Lock()
	defer imp.mu.Unlock()
	for *t != at {
		if imp.err != nil {
			return errImportEnded
		}
		imp.changed.Wait()
	}
	if imp.err != nil {
		return errImportEnded
	}
	return nil
}

// pass gives the turn to the chunk after c.
func (imp *importer) passTurn(t *turn, c *chunk) {
	if c.last {
		*t = turn{group: c.at.group + 1}
	} else {
		t.part++
	}
	imp.changed.Broadcast()
}

// finish compares, encodes and commits a chunk.
func (imp *importer) finish(c *chunk) error {
	c.sh.leaves.All() // not while others wait for their turn, nor when they compare with them
	if err := imp.waitTurn(&imp.compare, c.at); err != nil {
		return nil // the cause is known
	}
	drop, err := imp.compareChunk(c)
	if err != nil {
		return fmt.Errorf("looking for duplicates: %w", err)
	}
	if len(drop) > 0 {
		if err := c.without(drop); err != nil {
			return err
		}
	}
	imp.mu.Lock()
	imp.flying = append(imp.flying, c)
	imp.passTurn(&imp.compare, c)
	imp.mu.Unlock()
	for {
		number, cat, err := imp.write(c)
		if err != nil {
			return err
		}
		if err := imp.waitTurn(&imp.commit, c.at); err != nil {
			if number > 0 {
				imp.lake.drop(number)
			}
			return nil
		}
		late, err := imp.commitChunk(c, number, cat)
		if err != nil {
			return err
		}
		if len(late) == 0 {
			return nil
		}
		// Meanwhile somebody has appended the same events. Rare; the segment is
		// made anew without them.
		if number > 0 {
			imp.lake.drop(number)
		}
		imp.inFlight.Lock()
		err = c.without(late)
		imp.inFlight.Unlock()
		if err != nil {
			return err
		}
	}
}

// write encodes the chunk's rows and ingests the segment, which nobody knows
// until it is committed. A chunk without rows has no segment.
func (imp *importer) write(c *chunk) (number uint64, cat catalog.Segment, err error) {
	l := imp.lake
	if c.sh.rows() == 0 {
		return 0, cat, nil
	}
	b, err := c.sh.finish(!l.opts.NoBitmaps)
	if err != nil {
		return 0, cat, err
	}
	number = l.segmentNumber()
	table, err := l.db.WriteTable(number, b.blocks)
	if err != nil {
		return 0, cat, l.writeErr(err)
	}
	if err := l.db.Ingest(imp.ctx, table); err != nil {
		l.db.Discard(table)
		return 0, cat, l.writeErr(err)
	}
	return number, b.cat, nil
}

// without takes rows, given in ascending order, out of the chunk.
func (c *chunk) without(rows []int) error {
	gone := make(map[int]bool, len(rows))
	for _, r := range rows {
		gone[r] = true
	}
	// The files' counts: rows up to each of them, and duplicates.
	from, fewer := 0, 0
	for i := range c.files {
		f := &c.files[i]
		for r := from; r < f.rows; r++ {
			if gone[r] {
				f.duplicates++
				fewer++
			}
		}
		from = f.rows
		f.rows -= fewer
	}
	old, conflict := c.sh, c.conflict
	c.conflict = nil
	c.known.reset()
	c.raw = 0
	if len(rows) == old.rows() {
		old.reset()
		return nil
	}
	// The records are in the builder's columns only: it is finished, and those that
	// stay are read from it.
	ctx := context.Background()
	enc, err := old.encode()
	if err != nil {
		return err
	}
	r, err := memtable.OpenEncoded(ctx, enc, segment.ReadOptions{Name: "segment to be imported"})
	if err != nil {
		return fmt.Errorf("reading back a segment: %w", err)
	}
	defer r.Close()
	c.sh = newShredder(c.sh.schema)
	err = r.Records(ctx, segment.Range(0, r.Rows()), func(row int, rec []byte) error {
		if gone[row] {
			return nil
		}
		if conflict[row] {
			c.markConflict(c.sh.rows())
		}
		if err := c.sh.put(&memtable.Row{Raw: rec, Time: old.times[row], ID: old.ids[row], Leaf: old.leaves.At(row)}); err != nil {
			return err
		}
		c.known.add(c.sh.ids)
		c.raw += int64(len(rec))
		return nil
	})
	if err != nil {
		return fmt.Errorf("taking duplicates out of a segment: %w", err)
	}
	return nil
}

// commitChunk makes the chunk part of the store: its segment, and the marks of
// its files, together. When events have been appended meanwhile that are in the
// chunk, too, nothing is done and their rows are returned.
func (imp *importer) commitChunk(c *chunk, number uint64, cat catalog.Segment) (late []int, err error) {
	l, s := imp.lake, imp.store
	marks := c.marks()
	err = l.atCommit(imp.ctx, func() error {
		var err error
		if late, err = imp.appendedSince(c); err != nil || len(late) > 0 {
			return err
		}
		cat.Number, cat.Store, cat.First = number, s.rec.Number, s.mu.next
		l.cat.Lock()
		defer l.cat.Unlock()
		// What was appended has lower numbers than the segment, and what comes later
		// has higher ones, so the memtable ends here.
		if number > 0 && s.mu.active.Len() > 0 {
			s.mu.Lock()
			s.freeze()
			s.mu.Unlock()
		}
		// If the process ends before the change is durable, the segment is swept and
		// the files are read again; after it, both are done with.
		var grown *tree
		var stored func()
		if number > 0 {
			grown = s.tree.with(c.sh.leaves.All())
		}
		err = l.change(func(b *lsm.Batch, head *catalog.Head) {
			if number > 0 {
				cat.Put(b)
				stored = grown.store(s.rec.Number, b.In(lsm.Trees))
			}
			for i := range marks {
				// A file that could not even be opened may be there next time.
				if marks[i].Done || marks[i].Offset > 0 {
					marks[i].Put(b)
				}
			}
		})
		if err != nil || number == 0 {
			return err
		}
		stored()
		s.mu.Lock()
		s.mu.segments = withSegment(s.mu.segments, l.newSealed(s, cat))
		s.mu.next = cat.End()
		s.wake()
		s.mu.active = l.newMem(s.mu.next)
		s.mu.Unlock()
		s.tree.become(grown)
		s.witness(cat.MaxTime)
		if s.digestDue() {
			l.digests.poke()
		}
		return nil
	})
	if err != nil || len(late) > 0 {
		return late, err
	}
	for i := range c.files {
		c.files[i].file.mark = marks[i]
	}
	imp.committed(c, number > 0)
	return nil, nil
}

// committed counts a chunk and gives the turn on.
func (imp *importer) committed(c *chunk, segment bool) {
	imp.mu.Lock()
	defer imp.mu.Unlock()
	r := &imp.report
	rows := int64(c.sh.rows())
	r.Stored += rows - int64(len(c.conflict))
	r.Conflicts += int64(len(c.conflict))
	r.Records += rows
	r.RawBytes += c.raw
	if segment {
		r.Segments++
	}
	for i := range c.files {
		f := &c.files[i]
		r.Duplicates += f.duplicates
		r.Refused += f.refused
		r.Records += f.duplicates + f.refused
		if f.rejected {
			r.FilesRejected++
		}
		if f.done {
			r.FileBytes += f.file.Size
			if !f.rejected {
				r.FilesDone++
			}
		}
	}
	for i := range c.notes {
		imp.count(&c.notes[i])
	}
	for i, f := range imp.flying {
		if f == c {
			imp.flying = append(imp.flying[:i:i], imp.flying[i+1:]...)
			break
		}
	}
	imp.passTurn(&imp.commit, c)
}

// marks returns the marks of the chunk's files, one each, as they are after it.
func (c *chunk) marks() []catalog.Mark {
	var out []catalog.Mark
	from := 0
	for i := range c.files {
		f := &c.files[i]
		m := f.file.mark
		conflicts := 0
		for row := from; row < f.rows; row++ {
			if c.conflict[row] {
				conflicts++
			}
		}
		m.Stored += uint64(f.rows - from - conflicts)
		m.Conflicts += uint64(conflicts)
		m.Duplicates += uint64(f.duplicates)
		m.Refused += uint64(f.refused)
		m.Offset = uint64(f.offset)
		m.Done = f.done
		from = f.rows
		out = append(out, m)
	}
	return out
}

// appendedSince returns the rows of the chunk that were appended to the store
// after the chunk was compared, in ascending order, and marks conflicts. What was
// appended may be in a segment by now. The caller is the committer.
func (imp *importer) appendedSince(c *chunk) (late []int, err error) {
	sn := imp.store.snapshot()
	defer sn.release()
	if sn.next == c.next || c.sh.rows() == 0 {
		return nil, nil
	}
	same := make([]bool, c.sh.rows())
	for _, v := range sn.views {
		rows := v.Rows()
		for i := range rows {
			if v.First()+uint64(i) < c.next {
				continue
			}
			for row := c.known.find(c.sh.ids, &rows[i].ID); row >= 0; row = c.known.before(row) {
				if c.sh.leaves.At(row) == rows[i].Leaf {
					same[row] = true
				} else {
					c.markConflict(row)
				}
			}
		}
	}
	for _, seg := range sn.segments {
		if seg.appended && seg.cat.End() > c.next {
			if err := imp.compareSegment(c, seg, same); err != nil {
				return nil, fmt.Errorf("looking for duplicates: %w", err)
			}
		}
	}
	return c.drop(same), nil
}

// drop lists the rows that are marked, and forgets their conflicts.
func (c *chunk) drop(same []bool) (rows []int) {
	for row, s := range same {
		if s {
			rows = append(rows, row)
			delete(c.conflict, row)
		}
	}
	return rows
}

// compareChunk finds the rows that the store has already, in ascending order, and
// marks conflicts.
func (imp *importer) compareChunk(c *chunk) (drop []int, err error) {
	if c.sh.rows() == 0 {
		return nil, nil
	}
	// Chunks in flight first, then the snapshot: one that is committed in between
	// is seen twice, never missed. Their rows stay as they are while inFlight is
	// held.
	imp.inFlight.RLock()
	imp.mu.Lock()
	flying := append([]*chunk(nil), imp.flying...)
	imp.mu.Unlock()
	sn := imp.store.snapshot()
	defer sn.release()
	c.next = sn.next
	sh := c.sh
	same := make([]bool, sh.rows())
	for _, f := range flying {
		for row := range sh.ids {
			for old := f.known.find(f.sh.ids, &sh.ids[row]); old >= 0; old = f.known.before(old) {
				if f.sh.leaves.At(old) == sh.leaves.At(row) {
					same[row] = true
				} else {
					c.markConflict(row)
				}
			}
		}
	}
	imp.inFlight.RUnlock()
	for _, v := range sn.views {
		leaves := sh.leaves.All()
		for row := range sh.ids {
			leaf := [32]byte(leaves[row])
			_, equal, found := v.Find(sh.ids[row], &leaf)
			if equal {
				same[row] = true
			} else if found {
				c.markConflict(row)
			}
		}
	}
	for _, seg := range sn.segments {
		if err := imp.compareSegment(c, seg, same); err != nil {
			return nil, err
		}
	}
	return c.drop(same), nil
}

// compareSegment marks the rows that a segment has already.
func (imp *importer) compareSegment(c *chunk, seg *sealed, same []bool) error {
	sh := c.sh
	blocks := (int(seg.cat.Rows) + segment.BlockRows - 1) / segment.BlockRows
	var wanted map[event.Identity][]int // rows to look for, by identity
	inBlock := make([]bool, blocks)
	var pages []index.FilterPage
	for row, t := range sh.times {
		if t < seg.cat.MinTime || t > seg.cat.MaxTime || same[row] {
			continue
		}
		if pages == nil {
			x, err := seg.index()
			if err != nil {
				return err
			}
			var release func()
			if pages, release, err = x.pages(&x.columns[0]); err != nil {
				return err
			}
			defer release()
		}
		hash := identityHash(sh.ids[row])
		block, maybe, err := pages[index.PageOf(hash, len(pages))].Probe(hash)
		if err != nil {
			return seg.fault(fmt.Errorf("%w: %w", errDamagedIndex, err))
		}
		if !maybe {
			continue
		}
		if wanted == nil {
			wanted = make(map[event.Identity][]int)
		}
		wanted[sh.ids[row]] = append(wanted[sh.ids[row]], row)
		for b := range inBlock {
			if block == index.AnyBlock || block == b {
				inBlock[b] = true
			}
		}
	}
	if wanted == nil {
		return nil
	}
	ctx := imp.ctx
	r, err := seg.reader(ctx)
	if err != nil {
		return err
	}
	for b, look := range inBlock {
		if !look {
			continue
		}
		from := b * segment.BlockRows
		to := min(from+segment.BlockRows, int(seg.cat.Rows))
		if err := compareBlock(ctx, r, from, to, c, wanted, same); err != nil {
			return seg.fault(err)
		}
	}
	return nil
}

// compareBlock compares the events of a block of rows with the wanted ones.
func compareBlock(ctx context.Context, r *segment.Reader, from, to int, c *chunk, wanted map[event.Identity][]int, same []bool) error {
	content := false
	for id := range wanted {
		content = content || id.Kind == event.ByContent
	}
	var found []uint32
	if content {
		// Events without ID are known by their bytes: all are looked at.
		for row := from; row < to; row++ {
			found = append(found, uint32(row))
		}
	} else {
		seen := make(map[int]bool)
		for _, name := range [...]string{"eventID", "eventId"} {
			p, ok, err := r.Lookup(ctx, []string{name})
			if err != nil {
				return err
			}
			if !ok {
				continue
			}
			v, err := r.Text(ctx, p, segment.Range(from, to))
			if err != nil {
				return err
			}
			for i := range v.Len {
				if v.IsNull(i) || seen[i] {
					continue
				}
				leaf, j := v.Leaf(i)
				if len(leaf.Str[j]) > 0 && wanted[event.IdentityOf([]byte(leaf.Str[j]))] != nil {
					seen[i] = true
				}
			}
		}
		for i := range to - from {
			if seen[i] {
				found = append(found, uint32(from+i))
			}
		}
	}
	if len(found) == 0 {
		return nil
	}
	var ev event.Event
	return r.Records(ctx, segment.List(found), func(_ int, rec []byte) error {
		if err := event.Parse(rec, &ev); err != nil {
			return fmt.Errorf("a stored record is no event: %w", err)
		}
		leaf := event.LeafHash(rec)
		for _, row := range wanted[ev.Identity(&leaf)] {
			if c.sh.leaves.At(row) == leaf {
				same[row] = true
			} else {
				c.markConflict(row)
			}
		}
		return nil
	})
}
