package segment

import (
	"bytes"
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/cairndb/cairn/segment/column"
)

// separators are the bytes between the tokens of JSON. A text without them that
// occurs in a record lies within one token: in a leaf, or in a literal.
const separators = "\"{}[]:, \t\r\n"

// Containing returns a bitmap of the rows whose records may contain text: all that
// do, and hardly any other. Nothing is rebuilt: literals are searched once for all records of
// a shape, dictionaries once for all rows with an entry, and values as they are stored.
// ok is false for a text that may reach over several tokens, and for an empty one.
func (r *Reader) Containing(ctx context.Context, text string) (rows column.Bits, ok bool, err error) {
	if text == "" || strings.ContainsAny(text, separators) {
		return nil, false, nil
	}
	d, err := r.directory(ctx)
	if err != nil {
		return nil, false, err
	}
	rows, err = r.searched(ctx, d, [][]byte{[]byte(text)}, func(uint32) bool { return true })
	return rows, err == nil, err
}

// ContainingBelow returns a bitmap of the rows that may have any of texts in a key or
// a value at p or below it, as the record has it: escapes are not resolved. ok is
// false when a text may reach over several tokens.
func (r *Reader) ContainingBelow(ctx context.Context, p PathID, texts ...string) (rows column.Bits, ok bool, err error) {
	var list [][]byte
	for _, text := range texts {
		if text == "" || strings.ContainsAny(text, separators) {
			return nil, false, nil
		}
		list = append(list, []byte(text))
	}
	d, err := r.directory(ctx)
	if err != nil {
		return nil, false, err
	}
	n := uint32(p)
	if p&invented != 0 {
		at, err := r.inventedPath(p)
		if err != nil {
			return nil, false, err
		}
		n = at.node
	} else if int(n) >= len(d.parent) {
		return nil, false, fmt.Errorf("path %d is not of this segment", p)
	}
	// Values above may be kept as text, with what is at p inside.
	above := map[uint32]bool{}
	for m := n; m != 0; {
		m = d.parent[m]
		above[m] = true
	}
	rows, err = r.searched(ctx, d, list, func(node uint32) bool { return node >= n && node < d.last[n] || above[node] })
	return rows, err == nil, err
}

// searched finds the rows that have one of texts in a literal, or in a value of the
// columns of the nodes that within says.
func (r *Reader) searched(ctx context.Context, d *directory, texts [][]byte, within func(node uint32) bool) (column.Bits, error) {
	s, err := r.structure(ctx, d)
	if err != nil {
		return nil, err
	}
	f := search{r: r, ctx: ctx, d: d, s: s, texts: texts, rows: column.NewBits(r.rows)}
	if err := f.literals(); err != nil {
		return nil, err
	}
	for i := range d.columns {
		if !within(d.columns[i].node) {
			continue
		}
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		if err := f.column(i); err != nil {
			return nil, err
		}
	}
	return f.rows, nil
}

// search looks for texts in a segment.
type search struct {
	r     *Reader
	ctx   context.Context
	d     *directory
	s     *structure
	texts [][]byte
	rows  column.Bits
	codes []uint32
	found []uint32 // ordinals of values in the row block
	count []uint8  // by shape, of the column at hand: how many values a row has, at most 255
}

// literals finds the rows whose shape has the text in a literal.
func (f *search) literals() error {
	hit := make([]bool, len(f.s.edges))
	some := false
	for i := range f.s.edges {
		hit[i] = f.in([]byte(f.s.literal(&f.s.edges[i])))
		some = some || hit[i]
	}
	if !some {
		return nil
	}
	shapes := make([]bool, f.d.shapes)
	for i := range shapes {
		for _, e := range f.s.shape(uint16(i)) {
			shapes[i] = shapes[i] || hit[e]
		}
	}
	for b := range f.d.rowBlocks {
		of, err := f.r.rowShapes(f.ctx, f.d, b)
		if err != nil {
			return err
		}
		for row, s := range of {
			if shapes[s] {
				f.rows.Set(b*BlockRows + row)
			}
		}
	}
	return nil
}

// column finds the rows that have the text in a value of a column.
func (f *search) column(i int) error {
	c := &f.d.columns[i]
	f.count = f.count[:0]
	if c.encoding == encPlain {
		return f.plain(i, c)
	}
	// has tells which entries of the dictionary contain the text.
	var has []bool
	some := false
	if c.encoding == encTiny {
		var t tinyColumn
		if err := f.r.tiny(f.ctx, f.d, c, &t); err != nil {
			return err
		}
		for _, e := range t.entries {
			has = append(has, f.in(e))
			some = some || has[len(has)-1]
		}
	} else {
		for page := range f.d.detail(c).ends {
			t, err := f.r.readDictPage(f.ctx, f.d, c, page)
			if err != nil {
				return err
			}
			if !f.in(t.data) {
				has = append(has, make([]bool, len(t.ends))...)
				continue
			}
			for k := range t.ends {
				has = append(has, f.in(t.at(k)))
				some = some || has[len(has)-1]
			}
		}
	}
	if !some {
		return nil
	}
	for b := range f.d.rowBlocks {
		var cc columnCodes
		if err := cc.open(f.ctx, f.r, f.d, c, b); err != nil {
			return err
		}
		f.codes = sized(f.codes, cc.n)
		err := cc.read(f.codes, 0)
		cc.close()
		if err != nil {
			return f.r.damaged(f.d.block(c.page), fmt.Errorf("column %s: %w", f.d.name(c), err))
		}
		f.found = f.found[:0]
		for k, code := range f.codes {
			if has[code] {
				f.found = append(f.found, uint32(k))
			}
		}
		if err := f.mark(i, b); err != nil {
			return err
		}
	}
	return nil
}

// plain is column for stored values.
func (f *search) plain(i int, c *dirColumn) error {
	det := f.d.detail(c)
	starts := f.d.groups[det.group]
	var v valuesPage
	var all texts
	for b := range f.d.rowBlocks {
		f.found = f.found[:0]
		for at := starts[b]; at < starts[b+1]; {
			k, first := pageOf(det.ends, at)
			page, release, err := f.r.page(f.ctx, f.d, c.page+uint32(k))
			if err != nil {
				return err
			}
			end := min(starts[b+1], det.ends[k])
			all.reset()
			if err = v.open(page, int(det.ends[k]-first)); err == nil && slices.ContainsFunc(f.texts, v.mayContain) {
				err = v.all(&all, int(at-first), int(end-first))
			}
			release()
			if err != nil {
				return f.r.damaged(f.d.block(c.page+uint32(k)), fmt.Errorf("column %s: %w", f.d.name(c), err))
			}
			for _, text := range f.texts {
				f.places(&all, at-starts[b], text)
			}
			at = end
		}
		if len(f.texts) > 1 {
			slices.Sort(f.found)
			f.found = slices.Compact(f.found)
		}
		if err := f.mark(i, b); err != nil {
			return err
		}
	}
	return nil
}

// places notes the values that have text in them; the first of all has the ordinal
// first in its row block.
func (f *search) places(all *texts, first uint32, text []byte) {
	for from := 0; from < len(all.data); {
		n := bytes.Index(all.data[from:], text)
		if n < 0 {
			return
		}
		// The value in which it begins; it may as well reach into the next one.
		value, start := pageOf(all.ends, uint32(from+n))
		if from+n+len(text) <= int(all.ends[value]) {
			f.found = append(f.found, first+uint32(value))
			from = int(all.ends[value])
		} else {
			from = max(from+n+1, int(start))
		}
	}
}

// in reports whether some text of the search is in b.
func (f *search) in(b []byte) bool {
	for _, text := range f.texts {
		if bytes.Contains(b, text) {
			return true
		}
	}
	return false
}

// mark sets the rows of a block that have the values found of a column.
func (f *search) mark(i, b int) error {
	if len(f.found) == 0 {
		return nil
	}
	if len(f.count) == 0 {
		f.count = append(f.count, make([]uint8, f.d.shapes)...)
		for s := range f.count {
			for _, e := range f.s.shape(uint16(s)) {
				if f.s.edges[e].to == uint32(i)+1 && f.count[s] < 255 {
					f.count[s]++
				}
			}
		}
	}
	shapes, err := f.r.rowShapes(f.ctx, f.d, b)
	if err != nil {
		return err
	}
	next, k := uint32(0), 0
	for row, s := range shapes {
		n := uint32(f.count[s])
		if n == 255 {
			n = 0
			for _, e := range f.s.shape(s) {
				if f.s.edges[e].to == uint32(i)+1 {
					n++
				}
			}
		}
		next += n
		if f.found[k] >= next {
			continue
		}
		f.rows.Set(b*BlockRows + row)
		for k < len(f.found) && f.found[k] < next {
			k++
		}
		if k == len(f.found) {
			return nil
		}
	}
	return f.r.damaged(f.d.block(f.d.columns[i].page), fmt.Errorf("column %s: %w", f.d.name(&f.d.columns[i]), errShape))
}

// mayContain reports whether some value of the page can contain text, as far as
// that shows without unpacking.
func (p *valuesPage) mayContain(text []byte) bool {
	for i := range p.classes {
		if p.classes[i].mayContain(text) {
			return true
		}
	}
	return false
}

func (c *classSection) mayContain(text []byte) bool {
	only := func(set string) bool { return len(bytes.Trim(text, set)) == 0 }
	switch c.kind {
	case classInt:
		return only("-0123456789")
	case classTime:
		return only("-0123456789TZ")
	case classTokens:
		return c.tokens.mayContain(text)
	case classPacked:
		// A value has the same run of positions from the same place on.
		for at := 0; at+len(text) <= c.length; at++ {
			if c.fits(text, at) {
				return true
			}
		}
		return false
	}
	return true
}

// fits reports whether the characters of text are in the alphabets of the positions from at on.
func (c *classSection) fits(text []byte, at int) bool {
	for k := range c.runs {
		r := &c.runs[k]
		for j := max(at, r.at); j < min(at+len(text), r.at+r.n); j++ {
			if r.width == 0 {
				if r.chars[j-r.at] != text[j-at] {
					return false
				}
			} else if bytes.IndexByte(r.chars, text[j-at]) < 0 {
				return false
			}
		}
	}
	return true
}
