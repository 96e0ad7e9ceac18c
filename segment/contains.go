package segment

import (
	"bytes"
	"context"
	"fmt"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/cairndb/cairn/segment/column"
)

// separators are the bytes between the tokens of JSON. A text without them that
// occurs in a record lies within one token: in a leaf, or in a literal.
const separators = "\"{}[]:, \t\r\n"

// Containing returns a bitmap of the rows whose records may contain text: all that
// do, and hardly any other. Nothing is rebuilt: literals are searched once for all records of
// a shape, dictionaries once for all rows with an entry, and values as they are stored.
// With fold, text is in small letters, and records are searched as if they were. ok is
// false for a text that may reach over several tokens, and for an empty one.
func (r *Reader) Containing(ctx context.Context, text string, fold bool) (rows column.Bits, ok bool, err error) {
	if text == "" || strings.ContainsAny(text, separators) {
		return nil, false, nil
	}
	d, err := r.directory(ctx)
	if err != nil {
		return nil, false, err
	}
	rows, err = r.searched(ctx, d, wanted{text: []byte(text), fold: fold}, func(uint32) bool { return true })
	return rows, err == nil, err
}

// ContainingBelow returns a bitmap of the rows that may have text in a key or a value
// at p or below it, as the record has it or with its escapes resolved. With fold, text is
// in small letters, and keys and values are searched as if they were. ok is false when
// the text may reach over several tokens, and for an empty one.
func (r *Reader) ContainingBelow(ctx context.Context, p PathID, text string, fold bool) (rows column.Bits, ok bool, err error) {
	if text == "" || strings.ContainsAny(text, separators) {
		return nil, false, nil
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
	rows, err = r.searched(ctx, d, wanted{text: []byte(text), fold: fold, unescape: true}, func(node uint32) bool { return node >= n && node < d.last[n] || above[node] })
	return rows, err == nil, err
}

// searched finds the rows that have a text in a literal, or in a value of the
// columns of the nodes that within says.
func (r *Reader) searched(ctx context.Context, d *directory, text wanted, within func(node uint32) bool) (column.Bits, error) {
	s, err := r.structure(ctx, d)
	if err != nil {
		return nil, err
	}
	text.grams = smallLetters(nil, text.text)
	f := search{r: r, ctx: ctx, d: d, s: s, text: text, within: within, rows: column.NewBits(r.rows)}
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

// wanted is a text that is searched for.
type wanted struct {
	text     []byte
	fold     bool   // text is in small letters, and stands for any
	unescape bool   // it is searched for in resolved escapes, too
	grams    []byte // text as pieces are noted

	small, plain []byte
}

// unicodeEscape begins the escapes that may stand for any character.
var unicodeEscape = []byte(`\u`)

// in reports whether a value has the text.
func (w *wanted) in(value []byte) bool {
	if w.has(value) {
		return true
	}
	if !w.unescape || !bytes.Contains(value, unicodeEscape) {
		return false
	}
	w.plain = Unescape(w.plain[:0], value)
	return w.has(w.plain)
}

func (w *wanted) has(value []byte) bool {
	if !w.fold {
		return bytes.Contains(value, w.text)
	}
	if w.lower(value) {
		return bytes.Contains(w.small, w.text)
	}
	return bytes.Contains(bytes.ToLower(value), w.text)
}

// lower makes small of b; ascii says that no other letters need a closer look.
func (w *wanted) lower(b []byte) (ascii bool) {
	w.small = sized(w.small, len(b))
	all := byte(0)
	for i, c := range b {
		all |= c
		if 'A' <= c && c <= 'Z' {
			c += 'a' - 'A'
		}
		w.small[i] = c
	}
	return all < utf8.RuneSelf
}

// values calls found with the number of each value that has the text, several times
// perhaps, and not in order.
func (w *wanted) values(all *texts, found func(i int)) {
	data, ascii := all.data, true
	if w.fold {
		ascii = w.lower(all.data)
		data = w.small
	}
	each(all, data, w.text, found)
	check := func(i int) {
		if w.in(all.at(i)) {
			found(i)
		}
	}
	if !ascii {
		for i := range all.ends {
			if slices.ContainsFunc(all.at(i), func(c byte) bool { return c >= utf8.RuneSelf }) {
				check(i)
			}
		}
	}
	if w.unescape {
		each(all, all.data, unicodeEscape, check)
	}
}

// each calls found for the values of all, which stand in data, that have text in them.
func each(all *texts, data, text []byte, found func(i int)) {
	for from := 0; from < len(data); {
		n := bytes.Index(data[from:], text)
		if n < 0 {
			return
		}
		// The value in which it begins; it may as well reach into the next one.
		value, start := pageOf(all.ends, uint32(from+n))
		if from+n+len(text) <= int(all.ends[value]) {
			found(value)
			from = int(all.ends[value])
		} else {
			from = max(from+n+1, int(start))
		}
	}
}

// search looks for a text in a segment.
type search struct {
	r    *Reader
	ctx  context.Context
	d    *directory
	s    *structure
	text wanted
	rows column.Bits
	// of the page at hand
	values valuesPage
	all    texts

	within func(node uint32) bool // what is searched
	codes  []uint32
	found  []uint32 // ordinals of values in the row block
	count  []uint8  // by shape, of the column at hand: how many values a row has, at most 255
	// beside are the rows that have the text in a column which is not searched, but a source of one that is; nil for none.
	beside map[int]column.Bits
}

// literals finds the rows whose shape has the text in a literal.
func (f *search) literals() error {
	hit := make([]bool, len(f.s.edges))
	some := false
	for i := range f.s.edges {
		hit[i] = f.text.in([]byte(f.s.literal(&f.s.edges[i])))
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
	if c.built() {
		return f.built(i, c)
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
			has = append(has, f.text.in(e))
			some = some || has[len(has)-1]
		}
	} else {
		for page := range f.d.detail(c).ends {
			first := len(has)
			n := int(f.d.detail(c).ends[page]) - first
			has = append(has, make([]bool, n)...)
			if err := f.read(c, c.page+uint32(page), n, &f.all); err != nil {
				return err
			}
			f.text.values(&f.all, func(i int) { has[first+i], some = true, true })
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
	var found []uint32
	first := uint32(0)
	for page, end := range f.d.detail(c).ends {
		if err := f.read(c, c.page+uint32(page), int(end-first), &f.all); err != nil {
			return err
		}
		f.text.values(&f.all, func(i int) { found = append(found, first+uint32(i)) })
		first = end
	}
	slices.Sort(found)
	return f.markAll(i, slices.Compact(found))
}

// markAll sets the rows that have the values of a column with the given ordinals, ascending.
func (f *search) markAll(i int, found []uint32) error {
	if len(found) == 0 {
		return nil
	}
	starts := f.d.groups[f.d.detail(&f.d.columns[i]).group]
	for b := range f.d.rowBlocks {
		f.found = f.found[:0]
		for len(found) > 0 && found[0] < starts[b+1] {
			f.found, found = append(f.found, found[0]-starts[b]), found[1:]
		}
		if err := f.mark(i, b); err != nil {
			return err
		}
	}
	return nil
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

// choose has those classes of a page read whose values can have the text, as far as
// that shows without unpacking, and reports whether there are any.
// g is what is noted of it, nil for nothing.
func (w *wanted) choose(p *valuesPage, g *grams) (some bool) {
	for i := range p.classes {
		c := &p.classes[i]
		if g != nil && (c.kind == classText || c.kind == classSorted) {
			c.skip = !g.mayHave(w)
			some = some || !c.skip
			continue
		}
		c.skip = !c.mayContain(w.text, w.fold) && !(w.unescape && c.mayContain(unicodeEscape, false))
		some = some || !c.skip
	}
	return some
}

func (c *classSection) mayContain(text []byte, fold bool) bool {
	only := func(set string) bool { return len(bytes.Trim(text, set)) == 0 }
	switch c.kind {
	case classInt:
		return only("-0123456789")
	case classTime:
		return only("-0123456789TZ") || fold && only("-0123456789tz")
	case classTokens:
		return c.tokens.mayContain(text, fold)
	case classPacked:
		// A value has the same run of positions from the same place on.
		for at := 0; at+len(text) <= c.length; at++ {
			if c.fits(text, at, fold) {
				return true
			}
		}
		// Of letters beyond ASCII, lengths change with the case.
		return fold && slices.ContainsFunc(c.runs, func(r unpackRun) bool {
			return slices.ContainsFunc(r.chars, func(c byte) bool { return c >= utf8.RuneSelf })
		})
	}
	return true
}

// fits reports whether the characters of text are in the alphabets of the positions from at on.
func (c *classSection) fits(text []byte, at int, fold bool) bool {
	for k := range c.runs {
		r := &c.runs[k]
		for j := max(at, r.at); j < min(at+len(text), r.at+r.n); j++ {
			want, other := text[j-at], text[j-at]
			if fold && 'a' <= want && want <= 'z' {
				other -= 'a' - 'A'
			}
			if r.width == 0 {
				if has := r.chars[j-r.at]; has != want && has != other {
					return false
				}
			} else if bytes.IndexByte(r.chars, want) < 0 && bytes.IndexByte(r.chars, other) < 0 {
				return false
			}
		}
	}
	return true
}
