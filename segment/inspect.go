package segment

import (
	"context"
	"fmt"
)

// ColumnInfo describes one column: the values of one kind at one path.
type ColumnInfo struct {
	// Path are the keys from the top; "[]" stands for any element of an array,
	// and InArray is set when there is one.
	Path    []string
	InArray bool
	// Kind is String, Number or Bool, or Object for values of any kind kept as JSON
	// text because of a cap.
	Kind Kind
	// Encoding is tiny, dictionary, derived (a dictionary whose codes follow
	// from those of another column), built (patterns filled with values of other columns) or plain.
	Encoding string
	// Values is how many there are, in all rows.
	Values int
	// Distinct is the number of distinct raw values, 0 when not known.
	Distinct int
	// Min and Max bound the values of a string column in byte order: Min is
	// not above the smallest, Max not below the largest. nil when not known
	// (few values, escapes).
	Min, Max []byte
	// Stored is the bytes of the column's own pages; tiny columns share theirs
	// and tell their share of it before compression.
	Stored int64
}

func (r *Reader) info(ctx context.Context, d *directory, i int) (ColumnInfo, error) {
	c := &d.columns[i]
	info := ColumnInfo{Kind: leafKinds[c.kind], Encoding: encodingNames[c.encoding], Values: int(c.n)}
	info.Path, info.InArray = d.path(c.node)
	if c.encoding == encTiny {
		var t tinyColumn
		if err := r.tiny(ctx, d, c, &t); err != nil {
			return info, err
		}
		info.Values, info.Distinct, info.Stored = t.n, len(t.entries), int64(c.length)
		return info, nil
	}
	det := d.detail(c)
	if c.encoding != encBuilt { // patterns are not values
		info.Distinct = det.distinct
	}
	pages := len(det.ends)
	pages += int(d.codePages(c, det))
	if c.flags&columnCounts != 0 {
		pages++
	}
	info.Stored = int64(d.bytes(c.page, c.page+uint32(pages)))
	switch {
	case c.flags&columnBounds == 0:
	case c.flags&columnTimes != 0:
		info.Min, _ = appendTime(nil, det.from)
		info.Max, _ = appendTime(nil, det.to)
	default:
		info.Min, info.Max = append([]byte{}, det.min...), append([]byte{}, det.max...)
		if c.flags&columnMaxCut != 0 {
			info.Max = append(info.Max, 0xff) // above all that goes on in UTF-8
		}
	}
	return info, nil
}

// bytes returns the length of pages [from, to).
func (d *directory) bytes(from, to uint32) uint64 {
	if from == to {
		return 0
	}
	start := uint64(0)
	if from > 0 {
		start = d.pageEnd[from-1]
	}
	return d.pageEnd[to-1] - start
}

// Columns describes the columns at p, one per kind; none where there are only
// objects, arrays and nulls.
func (r *Reader) Columns(ctx context.Context, p PathID) ([]ColumnInfo, error) {
	d, err := r.directory(ctx)
	if err != nil {
		return nil, err
	}
	if p&invented != 0 {
		return nil, nil
	}
	if int(p) >= len(d.parent) {
		return nil, fmt.Errorf("path %d is not of this segment", p)
	}
	var out []ColumnInfo
	from, to := d.columnsAt(uint32(p))
	for c := from; c < to; c++ {
		i, err := r.info(ctx, d, c)
		if err != nil {
			return nil, err
		}
		out = append(out, i)
	}
	return out, nil
}

// EachColumn describes every column of the segment, in the order of their
// paths, until fn returns an error, which it returns.
func (r *Reader) EachColumn(ctx context.Context, fn func(ColumnInfo) error) error {
	d, err := r.directory(ctx)
	if err != nil {
		return err
	}
	for c := range d.columns {
		i, err := r.info(ctx, d, c)
		if err != nil {
			return err
		}
		if err := fn(i); err != nil {
			return err
		}
	}
	return nil
}

// EachValue calls fn with the raw values of the i-th column that EachColumn describes until
// fn returns an error, which it returns: with each distinct value once where the column has
// a dictionary or is tiny, else with the values of all rows in their order. A value is valid
// during the call.
func (r *Reader) EachValue(ctx context.Context, i int, fn func(raw []byte) error) error {
	d, err := r.directory(ctx)
	if err != nil {
		return err
	}
	if i < 0 || i >= len(d.columns) {
		return fmt.Errorf("the segment has no column %d", i)
	}
	c := &d.columns[i]
	if c.encoding == encTiny {
		var t tinyColumn
		if err := r.tiny(ctx, d, c, &t); err != nil {
			return err
		}
		for _, v := range t.entries {
			if err := fn(v); err != nil {
				return err
			}
		}
		return nil
	}
	sc, err := r.scanner(ctx, true)
	if err != nil {
		return err
	}
	defer sc.close()
	cu, err := sc.cursor(i)
	if err != nil {
		return err
	}
	det := d.detail(c)
	if c.built() {
		for b := range d.rowBlocks {
			if err := sc.eachInBlock(i, b, func(_ int, v []byte) error { return fn(v) }); err != nil {
				return err
			}
		}
		return nil
	}
	if c.coded() {
		for k := range det.distinct {
			v, err := sc.entry(cu, uint32(k))
			if err == nil {
				err = fn(v)
			}
			if err != nil {
				return err
			}
		}
		return nil
	}
	starts := d.groups[det.group]
	for b := range d.rowBlocks {
		if err := ctx.Err(); err != nil {
			return err
		}
		if err := sc.enter(b); err != nil {
			return err
		}
		for k := starts[b]; k < starts[b+1]; k++ {
			v, err := sc.valueAt(cu, k)
			if err == nil {
				err = fn(v)
			}
			if err != nil {
				return err
			}
		}
	}
	return nil
}

// Sizes tells where the bytes of a segment are.
type Sizes struct {
	Directory    int64 // block 0
	Shapes       int64 // literals, shapes, the shape of each row
	Tiny         int64 // pages of tiny columns
	Dictionaries int64
	Codes        int64 // and counts of dictionary values
	Values       int64 // pages of plain columns
	Checksums    int64 // of all blocks but the first
	Total        int64
	Blocks       int
	Columns      int
	ShapeCount   int
}

// Sizes returns the stored bytes by structure.
func (r *Reader) Sizes(ctx context.Context) (Sizes, error) {
	d, err := r.directory(ctx)
	if err != nil {
		return Sizes{}, err
	}
	block, release, err := r.src.Block(ctx, 0)
	if err != nil {
		return Sizes{}, err
	}
	s := Sizes{
		Directory: int64(len(block)), Blocks: len(d.blocks), Columns: len(d.columns), ShapeCount: d.shapes,
		Checksums: int64(len(d.blocks)-1) * checksumBytes,
	}
	release()
	rows := uint32(pageRows + d.rowBlocks)
	s.Shapes = int64(d.bytes(0, rows))
	s.Tiny = int64(d.bytes(rows, rows+uint32(d.bundles)))
	for i := range d.columns {
		c := &d.columns[i]
		if c.encoding == encTiny {
			continue
		}
		det := d.detail(c)
		first := c.page + uint32(len(det.ends))
		if c.plain() {
			s.Values += int64(d.bytes(c.page, first))
			continue
		}
		s.Dictionaries += int64(d.bytes(c.page, first))
		last := first + d.codePages(c, det)
		if c.flags&columnCounts != 0 {
			last++
		}
		s.Codes += int64(d.bytes(first, last))
	}
	s.Total = s.Directory + s.Shapes + s.Tiny + s.Dictionaries + s.Codes + s.Values + s.Checksums
	return s, nil
}
