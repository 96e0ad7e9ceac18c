package segment

import (
	"bytes"
	"context"
	"fmt"
)

// Verify reads the whole segment: the checksum of every block, every record
// rebuilt and valid JSON, and every derived figure against the values: bytes of all records, counts per
// row block and per dictionary entry, order of dictionaries, bounds. The first damage
// is returned as a *[CorruptionError].
func (r *Reader) Verify(ctx context.Context) error {
	d, err := r.directory(ctx)
	if err != nil {
		return err
	}
	for id := range d.blocks { // one more than there are page blocks: block 0
		body, release, err := r.block(ctx, uint32(id))
		if err != nil {
			return err
		}
		n := uint64(len(body))
		release()
		if id > 0 {
			if want := d.bytes(d.blocks[id-1], d.blocks[id]); n != want {
				return r.damaged(uint32(id), fmt.Errorf("%d bytes, its pages make %d", n, want))
			}
		}
	}
	s, err := r.structure(ctx, d)
	if err != nil {
		return err
	}
	if s.once.Do(s.parse); s.bad != nil {
		return r.damaged(d.block(pageEdges), s.bad)
	}
	if err := r.verifyCounts(ctx, d, s); err != nil {
		return err
	}
	var total int64
	err = r.Records(ctx, Range(0, r.rows), func(row int, rec []byte) error {
		total += int64(len(rec))
		end, _, err := checkValue(rec, 0, readDepth, readDepth)
		if err == nil && (end != len(rec) || rec[0] != '{') {
			err = fmt.Errorf("not one JSON object")
		}
		if err != nil {
			return r.damaged(noBlock, fmt.Errorf("row %d: %w", row, err))
		}
		return nil
	})
	if err != nil {
		return err
	}
	if total != r.rawBytes {
		return r.damaged(0, fmt.Errorf("records have %d bytes, block 0 says %d", total, r.rawBytes))
	}
	for i := range d.columns {
		if err := ctx.Err(); err != nil {
			return err
		}
		if err := r.verifyColumn(ctx, d, i); err != nil {
			return err
		}
	}
	return nil
}

// verifyCounts compares the values per row block with the shapes of the rows.
func (r *Reader) verifyCounts(ctx context.Context, d *directory, s *structure) error {
	counts := make([]uint32, len(d.columns))
	tinies := make(map[int]*tinyColumn)
	for b := range d.rowBlocks {
		shapes, err := r.rowShapes(ctx, d, b)
		if err != nil {
			return err
		}
		clear(counts)
		for _, n := range shapes {
			for _, e := range s.shape(n) {
				if to := s.edges[e].to; to != 0 {
					counts[to-1]++
				}
			}
		}
		for i := range d.columns {
			c := &d.columns[i]
			var have uint32
			if c.encoding == encTiny {
				t := tinies[i]
				if t == nil {
					t = new(tinyColumn)
					if err := r.tiny(ctx, d, c, t); err != nil {
						return err
					}
					tinies[i] = t
				}
				have = t.starts[b+1] - t.starts[b]
			} else {
				g := d.groups[d.detail(c).group]
				have = g[b+1] - g[b]
			}
			if have != counts[i] {
				return r.damaged(0, fmt.Errorf("%s has %d values in row block %d, the shapes make %d", d.name(c), have, b, counts[i]))
			}
		}
	}
	return nil
}

// verifyColumn compares what is stored about a column with its values.
func (r *Reader) verifyColumn(ctx context.Context, d *directory, i int) error {
	c := &d.columns[i]
	if c.encoding == encTiny {
		return nil // all it has was compared with the records
	}
	sc, err := r.scanner(ctx, true)
	if err != nil {
		return err
	}
	defer sc.close()
	det := d.detail(c)
	bad := func(format string, args ...any) error {
		return r.damaged(0, fmt.Errorf("column %s: %s", d.name(c), fmt.Sprintf(format, args...)))
	}
	var lo, hi []byte
	escapes, times := false, c.kind == leafString
	seen := func(v []byte) {
		if lo == nil || bytes.Compare(v, lo) < 0 {
			lo = append(make([]byte, 0, len(v)+1), v...)
		}
		if hi == nil || bytes.Compare(v, hi) > 0 {
			hi = append(make([]byte, 0, len(v)+1), v...)
		}
		escapes = escapes || bytes.IndexByte(v, '\\') >= 0
		if times {
			_, times = parseTime(v)
		}
	}
	cu, err := sc.cursor(i)
	if err != nil {
		return err
	}
	if c.coded() {
		var last []byte
		for k := range det.distinct {
			v, err := sc.entry(cu, uint32(k))
			if err != nil {
				return err
			}
			if k > 0 && bytes.Compare(last, v) >= 0 {
				return bad("dictionary entry %d is not above the one before", k)
			}
			last = append(last[:0], v...)
			seen(v)
		}
		if det.aligned {
			source := uint32(det.source) + 1
			for s := range d.shapes {
				own, other := 0, 0
				for _, e := range sc.s.shape(uint16(s)) {
					switch sc.s.edges[e].to {
					case uint32(i) + 1:
						own++
					case source:
						other++
					}
				}
				if own != other || own > 1 {
					return bad("shape %d does not have it as often as the column it is derived from", s)
				}
			}
		}
		counts := make([]int64, det.distinct)
		var codes []uint32
		for b := range d.rowBlocks {
			var cc columnCodes
			if err := cc.open(ctx, r, d, c, b); err != nil {
				return err
			}
			codes = sized(codes, cc.n)
			err := cc.read(codes, 0)
			cc.close()
			if err != nil {
				return bad("%v", err)
			}
			for _, k := range codes {
				counts[k]++
			}
		}
		for k, n := range counts {
			if n == 0 {
				return bad("no row has dictionary entry %d", k)
			}
		}
		if c.flags&columnCounts != 0 {
			var wrong error
			_, err := r.columnCounts(ctx, d, c, func(entry uint32, n int64) {
				if counts[entry] != n {
					wrong = bad("entry %d occurs %d times, stored is %d", entry, counts[entry], n)
				}
			})
			if err != nil {
				return err
			}
			if wrong != nil {
				return wrong
			}
		}
	} else if c.built() {
		for b := range d.rowBlocks {
			if err := sc.eachInBlock(i, b, func(_ int, v []byte) error { seen(v); return nil }); err != nil {
				return err
			}
		}
	} else {
		starts := d.groups[det.group]
		for b := range d.rowBlocks {
			if err := sc.enter(b); err != nil {
				return err
			}
			for k := starts[b]; k < starts[b+1]; k++ {
				v, err := sc.valueAt(cu, k)
				if err != nil {
					return err
				}
				seen(v)
			}
		}
	}
	if escapes && c.flags&columnEscapes == 0 {
		return bad("has a backslash where none should be")
	}
	if c.flags&columnTimes != 0 && !times {
		return bad("not all values are times")
	}
	if c.flags&columnBounds != 0 {
		info, err := r.info(ctx, d, i)
		if err != nil {
			return err
		}
		if bytes.Compare(info.Min, lo) > 0 || bytes.Compare(info.Max, hi) < 0 {
			return bad("values from %q to %q are outside of the stored bounds %q and %q", lo, hi, info.Min, info.Max)
		}
	}
	return nil
}
