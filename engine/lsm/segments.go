package lsm

import (
	"bytes"
	"errors"
	"fmt"
	"slices"

	"github.com/cockroachdb/pebble/v2"
)

// Which segments there are, told without reading their tables wherever that can be: an
// opening asks for all of them, and a lake of a hundred million events has thousands of tables.
//
// Pebble's manifest names the smallest and the largest key of every table. Where one of
// them is a block of a segment, the segment has blocks. Blocks come by ingestion only, so a
// segment that no table's keys reach to has none; the rest, which is what compactions have put
// together with others, is looked for.

// span is the range of keys of a table.
type span struct{ first, last []byte }

// spans returns the ranges of the tables that may hold blocks, and the segments that the
// ends of those ranges prove to have some.
func (d *DB) spans() (spans []span, proven map[uint64]bool, err error) {
	levels, err := d.db.SSTables(pebble.WithKeyRangeFilter([]byte{prefixSegment}, []byte{prefixSegment + 1}))
	if err != nil {
		return nil, nil, err
	}
	proven = make(map[uint64]bool)
	for _, tables := range levels {
		for i := range tables {
			t := &tables[i]
			spans = append(spans, span{t.Smallest.UserKey, t.Largest.UserKey})
			if t.Virtual {
				continue // its ends may be wider than its keys
			}
			for _, k := range [...]pebble.InternalKey{t.Smallest, t.Largest} {
				if k.Kind() != pebble.InternalKeyKindSet {
					continue
				}
				if n, _, _, err := ParseBlockKey(k.UserKey); err == nil {
					proven[n] = true
				}
			}
		}
	}
	return union(spans), proven, nil
}

// union puts spans that touch together; what it returns ascends.
func union(spans []span) []span {
	slices.SortFunc(spans, func(a, b span) int { return bytes.Compare(a.first, b.first) })
	out := spans[:0]
	for _, s := range spans {
		if n := len(out); n > 0 && bytes.Compare(s.first, out[n-1].last) <= 0 {
			if bytes.Compare(s.last, out[n-1].last) > 0 {
				out[n-1].last = s.last
			}
			continue
		}
		out = append(out, s)
	}
	return out
}

// reach reports whether a table's keys may lie in [lower, upper).
func reach(spans []span, lower, upper []byte) bool {
	i, _ := slices.BinarySearchFunc(spans, lower, func(s span, lower []byte) int { return bytes.Compare(s.last, lower) })
	return i < len(spans) && bytes.Compare(spans[i].first, upper) < 0
}

// Missing returns those of some segments that have no blocks. That all blocks are there is
// not asked; who reads one that is not is told so.
func (d *DB) Missing(segments []uint64) (missing []uint64, err error) {
	spans, proven, err := d.spans()
	if err != nil {
		return nil, fmt.Errorf("looking for segments: %w", err)
	}
	for _, n := range segments {
		if proven[n] {
			continue
		}
		lower, upper := segmentRange(n)
		found := false
		if reach(spans, lower, upper) {
			err = d.eachSegment(lower, upper, func(uint64) { found = true })
		}
		if err != nil {
			return nil, fmt.Errorf("looking for segment %d: %w", n, err)
		}
		if !found {
			missing = append(missing, n)
		}
	}
	return missing, nil
}

// Orphans returns the numbers of segments that have blocks and are not among those named,
// which ascend without repeating.
func (d *DB) Orphans(named []uint64) (orphans []uint64, err error) {
	spans, _, err := d.spans()
	if err != nil {
		return nil, fmt.Errorf("listing segments: %w", err)
	}
	next := uint64(0) // the first that may be in the gap
	gap := func(lower, upper []byte) {
		if err == nil && bytes.Compare(lower, upper) < 0 && reach(spans, lower, upper) {
			err = d.eachSegment(lower, upper, func(n uint64) { orphans = append(orphans, n) })
		}
	}
	for _, n := range named {
		gap(appendSegment(nil, next), appendSegment(nil, n))
		if next = n + 1; next == 0 {
			return orphans, err // the last number there is
		}
	}
	gap(appendSegment(nil, next), []byte{prefixSegment + 1})
	if err != nil {
		return nil, fmt.Errorf("listing segments: %w", err)
	}
	return orphans, nil
}

// eachSegment calls fn with the number of every segment that has blocks in a range of keys,
// ascending. It seeks once per segment.
func (d *DB) eachSegment(lower, upper []byte, fn func(number uint64)) error {
	it, err := d.db.NewIter(&pebble.IterOptions{LowerBound: lower, UpperBound: upper})
	if err != nil {
		return err
	}
	for ok := it.First(); ok; {
		n, _, _, err := ParseBlockKey(it.Key())
		if err != nil {
			return errors.Join(err, it.Close())
		}
		fn(n)
		_, end := segmentRange(n)
		ok = it.SeekGE(end)
	}
	return it.Close()
}
