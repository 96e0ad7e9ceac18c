package engine

import (
	"errors"
	"fmt"
	"math"
	"strings"

	"github.com/cairndb/cairn/engine/event"
	"github.com/cairndb/cairn/engine/proof"
	"github.com/cairndb/cairn/index"
	"github.com/cairndb/cairn/segment"
	"github.com/cairndb/cairn/segment/column"
)

// checkSegment reads a segment wholly and returns its events for finding
// duplicates.
func (c *checker) checkSegment(s *sealed) (events []seenEvent) {
	if c.ctx.Err() != nil {
		return nil
	}
	defer c.tell(1)
	k := &segmentCheck{checker: c, s: s}
	k.blocks()
	k.step("", k.verify)
	k.step("records", k.records)
	k.step("indexes", k.indexes)
	k.step("views", k.views)
	return k.events
}

// segmentCheck is the check of one segment.
type segmentCheck struct {
	*checker
	s      *sealed
	events []seenEvent
	ids    []event.Identity
}

// wrong reports a problem of the segment.
func (k *segmentCheck) wrong(place, format string, args ...any) {
	k.problem(Problem{Store: k.s.store.Name(), Segment: k.s.cat.Number, Place: place, What: fmt.Sprintf(format, args...)})
}

// step runs one part of the check; an error of reading is a problem.
func (k *segmentCheck) step(place string, f func(r *segment.Reader) error) {
	if k.ctx.Err() != nil {
		return
	}
	r, err := k.s.reader(k.ctx)
	if err == nil {
		err = f(r)
	}
	if err == nil || k.ctx.Err() != nil {
		return
	}
	// The place is already part of the problem.
	var damaged *segment.CorruptionError
	if errors.As(err, &damaged) {
		place = fmt.Sprintf("block %d", damaged.Block)
	}
	var corrupt *CorruptionError
	if errors.As(err, &corrupt) {
		err = corrupt.Err
		if corrupt.Place != "" {
			place = corrupt.Place
		}
	}
	k.wrong(place, "%v", err)
}

// blocks reads every block and compares numbers and sizes with the catalogue.
func (k *segmentCheck) blocks() {
	cat := &k.s.cat
	var blocks uint32
	var bytes, index uint64
	err := k.lake.db.Blocks(cat.Number, blockPage, math.MaxUint8, func(kind byte, _ uint32, data []byte) error {
		if kind >= blockViewHead {
			return k.ctx.Err() // came later, and is looked at for itself
		}
		blocks++
		bytes += uint64(len(data))
		if kind != blockPage {
			index += uint64(len(data))
		}
		return k.ctx.Err()
	})
	k.mu.Lock()
	k.report.Blocks += int64(blocks)
	k.mu.Unlock()
	switch {
	case k.ctx.Err() != nil:
	case err != nil:
		k.wrong("blocks", "%v", err)
	case blocks != cat.Blocks || bytes != cat.StoredBytes || index != cat.IndexBytes:
		k.wrong("blocks", "there are %d blocks of %d bytes, %d of them in indexes; the catalogue says %d, %d and %d",
			blocks, bytes, index, cat.Blocks, cat.StoredBytes, cat.IndexBytes)
	}
}

// verify has the segment verify itself.
func (k *segmentCheck) verify(r *segment.Reader) error { return r.Verify(k.ctx) }

// records rebuilds every record, reads it like a new one, and compares it with
// the catalogue and with the columns that the engine itself relies on.
func (k *segmentCheck) records(r *segment.Reader) error {
	cat := &k.s.cat
	var ev event.Event
	var raw uint64
	var hasher proof.LeafHasher
	minTime, maxTime := int64(0), int64(0)
	for from := 0; from < r.Rows(); from += segment.BlockRows {
		to := min(from+segment.BlockRows, r.Rows())
		times, err := k.text(r, from, to, "eventTime")
		if err != nil {
			return err
		}
		names, err := k.text(r, from, to, "eventName")
		if err != nil {
			return err
		}
		sources, err := k.text(r, from, to, "eventSource")
		if err != nil {
			return err
		}
		first := len(k.events)
		err = r.Records(k.ctx, segment.Range(from, to), func(row int, rec []byte) error {
			if err := event.Parse(rec, &ev); err != nil {
				k.wrong(fmt.Sprintf("row %d", row), "the record is no event: %v", err)
				k.ids = append(k.ids, event.Identity{})
				return nil
			}
			if err := k.s.store.schema.Check(&ev); err != nil {
				k.wrong(fmt.Sprintf("row %d", row), "%v", err)
			}
			var leaf [32]byte
			if ev.ID == nil {
				leaf = event.LeafHash(rec)
			}
			hasher.Add(rec)
			k.ids = append(k.ids, ev.Identity(&leaf))
			k.events = append(k.events, seenEvent{time: ev.Time, seq: cat.First + uint64(row)})
			if len(k.events) == 1 {
				minTime, maxTime = ev.Time, ev.Time
			}
			minTime, maxTime = min(minTime, ev.Time), max(maxTime, ev.Time)
			raw += uint64(len(rec))
			k.same(names, row-from, row, "eventName", ev.Name)
			k.same(sources, row-from, row, "eventSource", ev.Source)
			if t, ok := textAt(times, row-from); ok {
				if micros, ok := parseMillis(t); ok && micros != ev.Time {
					k.wrong(fmt.Sprintf("column eventTime, row %d", row), "%q is not the time in the record", t)
				}
			}
			return nil
		})
		if err != nil {
			return err
		}
		for i, leaf := range hasher.Hashes() {
			k.events[first+i].leaf = leaf
		}
		k.count(int64(to-from), 0)
	}
	k.count(0, int64(raw))
	if raw != cat.RawBytes {
		k.wrong("records", "they have %d bytes, the catalogue says %d", raw, cat.RawBytes)
	}
	if len(k.events) > 0 && (minTime != cat.MinTime || maxTime != cat.MaxTime) {
		k.wrong("event times", "they run from %d to %d, the catalogue says %d to %d", minTime, maxTime, cat.MinTime, cat.MaxTime)
	}
	return nil
}

// text reads a column of texts, NULLs where there is none.
func (k *segmentCheck) text(r *segment.Reader, from, to int, path ...string) (*column.Vector, error) {
	p, ok, err := r.Lookup(k.ctx, path)
	if err != nil {
		return nil, err
	}
	if !ok {
		return column.NullConst(column.VarcharType, to-from), nil
	}
	return r.Text(k.ctx, p, segment.Range(from, to))
}

// textAt returns a text, ok false when it is NULL.
func textAt(v *column.Vector, i int) (string, bool) {
	if v.IsNull(i) {
		return "", false
	}
	leaf, j := v.Leaf(i)
	return leaf.Str[j], true
}

// same compares a column's value with that in the record. A record may hold
// there what is no text for package event.
func (k *segmentCheck) same(v *column.Vector, i, row int, name string, want []byte) {
	got, ok := textAt(v, i)
	if want != nil && (!ok || got != string(want)) {
		k.wrong(fmt.Sprintf("column %s, row %d", name, row), "it says %q, the record says %q", got, want)
	}
}

// indexes compares filters and postings with what they were made from.
func (k *segmentCheck) indexes(r *segment.Reader) error {
	x, err := k.s.index()
	if err != nil {
		return err
	}
	if len(k.ids) == r.Rows() {
		hashes := make([]uint64, len(k.ids))
		for i, id := range k.ids {
			if id.Kind != 0 {
				hashes[i] = identityHash(id)
			}
		}
		if err := k.filter(x, &x.columns[0], "identities", hashes, nil); err != nil {
			return err
		}
	}
	for i := 1; i < len(x.columns); i++ {
		c := &x.columns[i]
		if err := k.column(r, x, c); err != nil {
			return fmt.Errorf("index of %s: %w", strings.Join(c.path, "."), err)
		}
	}
	return nil
}

// filter demands that a filter knows every key, in the right block of rows.
// hashes are those of the rows, absent where has says so.
func (k *segmentCheck) filter(x *segmentIndex, c *columnIndex, name string, hashes []uint64, has column.Bits) error {
	pages, release, err := x.pages(c)
	if err != nil {
		return err
	}
	defer release()
	for row, h := range hashes {
		if has != nil && !has.Get(row) {
			continue
		}
		if len(pages) == 0 {
			k.wrong("filter of "+name, "it is empty, but row %d has a value", row)
			return nil
		}
		block, maybe, err := pages[index.PageOf(h, len(pages))].Probe(h)
		if err != nil {
			return err
		}
		if !maybe || block != index.AnyBlock && block != row/segment.BlockRows {
			k.wrong("filter of "+name, "it does not know the value of row %d", row)
			return nil
		}
	}
	return nil
}

// column checks the indexes of one column.
func (k *segmentCheck) column(r *segment.Reader, x *segmentIndex, c *columnIndex) error {
	p, ok, err := r.Lookup(k.ctx, c.path)
	if err != nil {
		return err
	}
	if !ok {
		k.wrong("index of "+strings.Join(c.path, "."), "there is no such column")
		return nil
	}
	only, err := onlyStrings(k.ctx, r, c.path)
	if err != nil || !only {
		return err // then queries do not use it either
	}
	var codes, rowOf []uint32
	hashes := make([]uint64, r.Rows())
	has := column.NewBits(r.Rows())
	for from := 0; from < r.Rows(); from += segment.BlockRows {
		to := min(from+segment.BlockRows, r.Rows())
		v, err := r.Text(k.ctx, p, segment.Range(from, to))
		if err != nil {
			return err
		}
		for i := range v.Len {
			text, ok := textAt(v, i)
			if !ok {
				continue
			}
			if v.Dict != nil {
				codes = append(codes, v.Codes[i])
				rowOf = append(rowOf, uint32(from+i))
			}
			// A container at the place has a text, too, which is in no filter.
			if text == "" || text[0] != '{' && text[0] != '[' {
				has.Set(from + i)
				hashes[from+i] = index.HashString(text)
			}
		}
	}
	if c.pages > 0 {
		if err := k.filter(x, c, strings.Join(c.path, "."), hashes, has); err != nil {
			return err
		}
	}
	if !c.postings {
		return nil
	}
	// Where a key occurs twice in a record, or a value is a container, the reader
	// has no codes to compare with; queries then use no postings either.
	if _, coded, err := r.Dict(k.ctx, p); err != nil || !coded {
		return err
	}
	list, _, err := x.readList(c)
	if err != nil {
		return err
	}
	if err := list.Verify(codes, rowOf); err != nil {
		k.wrong("postings of "+strings.Join(c.path, "."), "%v", err)
	}
	return nil
}
