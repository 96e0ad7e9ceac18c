package segment

import (
	"bytes"
	"context"
	"encoding/binary"
	"fmt"
	"slices"
)

// Equal appends to dst the rows of row block b at which [Reader.Text] would
// give one of values. Values of plain columns are compared in their stored
// form, so that finding one among 4,096 makes no text of the others. ok is
// false when that cannot be done at p (values with escapes, in dictionaries, in
// text); then nothing is appended, and reading the texts tells.
func (r *Reader) Equal(ctx context.Context, p PathID, values []string, b int, dst []uint32) (rows []uint32, ok bool, err error) {
	if b < 0 || b*BlockRows >= r.rows {
		return dst, false, fmt.Errorf("row block %d of a segment of %d rows", b, r.rows)
	}
	if p&invented != 0 {
		return dst, false, nil
	}
	pl, err := r.simplePlan(ctx, p)
	if err != nil || !pl.simple {
		return dst, false, err
	}
	d := pl.d
	for _, c := range pl.columns {
		if c := &d.columns[c]; c.encoding != encPlain || c.kind == leafString && c.flags&columnEscapes != 0 {
			return dst, false, nil
		}
	}
	var shapes []uint16
	if !pl.full {
		if shapes, err = r.rowShapes(ctx, d, b); err != nil {
			return dst, false, err
		}
	}
	var found []uint32
	at := len(dst)
	for i, n := range pl.columns {
		c := &d.columns[n]
		det := d.detail(c)
		starts := d.groups[det.group]
		found = found[:0]
		for _, v := range values {
			if !c.kind.spells(v) {
				continue
			}
			if found, err = r.findPlain(ctx, d, c, starts[b], starts[b+1], v, found); err != nil {
				return dst, false, err
			}
		}
		if len(found) == 0 {
			continue
		}
		if pl.full {
			dst = append(dst, found...)
			continue
		}
		slices.Sort(found)
		next, k := starts[b], 0
		for row, s := range shapes {
			if pl.variant[s] != uint32(i)+1 {
				continue
			}
			if next == found[k] {
				dst = append(dst, uint32(b*BlockRows+row))
				if k++; k == len(found) {
					break
				}
			}
			next++
		}
		if k < len(found) {
			return dst, false, r.damaged(d.block(c.page), fmt.Errorf("column %s: %w", d.name(c), errShape))
		}
	}
	slices.Sort(dst[at:])
	return dst, true, nil
}

// spells reports whether a leaf of the kind can have this text; only what
// starts alike can be told apart by it.
func (k leafKind) spells(v string) bool {
	switch k {
	case leafString:
		return true
	case leafBool:
		return v == "true" || v == "false"
	}
	return v != "" && (v[0] == '-' || v[0]-'0' <= 9)
}

// findPlain appends the ordinals in [from, to) at which a plain column has a
// raw value.
func (r *Reader) findPlain(ctx context.Context, d *directory, c *dirColumn, from, to uint32, value string, dst []uint32) ([]uint32, error) {
	det := d.detail(c)
	if len(det.min) > 0 && value < string(det.min) {
		return dst, nil
	}
	var v valuesPage
	var places []int
	for from < to {
		k, first := pageOf(det.ends, from)
		page, release, err := r.page(ctx, d, c.page+uint32(k))
		if err != nil {
			return dst, err
		}
		end := min(to, det.ends[k])
		if err = v.open(page, int(det.ends[k]-first)); err == nil {
			places, err = v.find(value, int(from-first), int(end-first), places[:0])
		}
		release()
		if err != nil {
			return dst, r.damaged(d.block(c.page+uint32(k)), fmt.Errorf("column %s: %w", d.name(c), err))
		}
		for _, i := range places {
			dst = append(dst, first+uint32(i))
		}
		from = end
	}
	return dst, nil
}

// find appends the places in [from, to) of the values that are equal to v.
func (p *valuesPage) find(v string, from, to int, dst []int) ([]int, error) {
	var ranks []int
	for k := range p.classes {
		c := &p.classes[k]
		first, last := from, to
		if len(p.classes) > 1 {
			first, last = 0, 0
			for i, class := range p.codes[:to] {
				if int(class) == k {
					last++
					if i < from {
						first++
					}
				}
			}
		}
		if first == last {
			continue
		}
		var err error
		if ranks, err = c.find(v, first, last, ranks[:0]); err != nil {
			return dst, err
		}
		if len(p.classes) == 1 {
			dst = append(dst, ranks...)
			continue
		}
		if len(ranks) == 0 {
			continue
		}
		rank, next := 0, 0
		for i, class := range p.codes {
			if int(class) != k {
				continue
			}
			if rank == ranks[next] {
				dst = append(dst, i)
				if next++; next == len(ranks) {
					break
				}
			}
			rank++
		}
	}
	return dst, nil
}

// find appends which of the class's values from to to−1 are equal to v.
func (c *classSection) find(v string, from, to int, dst []int) ([]int, error) {
	switch c.kind {
	case classPacked:
		return c.findPacked(v, from, to, dst), nil
	case classTokens:
		return c.tokens.find(v, from, to, dst), nil
	case classInt, classTime:
		want, ok := parseInt([]byte(v))
		if c.kind == classTime {
			want, ok = parseTime([]byte(v))
		}
		if !ok {
			return dst, nil
		}
		c.decoded = sized(c.decoded, to-from)
		c.ints.read(c.decoded, from)
		for i, x := range c.decoded {
			if x == want {
				dst = append(dst, from+i)
			}
		}
		return dst, nil
	}
	for f := range c.frames {
		fr := &c.frames[f]
		if fr.first+fr.n <= from || fr.first >= to {
			continue
		}
		if err := c.load(f); err != nil {
			return dst, err
		}
		if !bytes.Contains(c.vals.data, []byte(v)) {
			continue
		}
		for i := max(from, fr.first); i < min(to, fr.first+fr.n); i++ {
			if string(c.vals.at(i-fr.first)) == v {
				dst = append(dst, i)
			}
		}
	}
	return dst, nil
}

// findPacked packs v as the values are and compares fields: first as many bits
// as one load has, then all characters.
func (c *classSection) findPacked(v string, from, to int, dst []int) []int {
	if len(v) != c.length {
		return dst
	}
	w := bitWriter{}
	for k := range c.runs {
		r := &c.runs[k]
		part := v[r.at : r.at+r.n]
		if r.width == 0 {
			if part != string(r.chars) {
				return dst
			}
			continue
		}
		for i := range len(part) {
			code := bytes.IndexByte(r.chars, part[i])
			if code < 0 {
				return dst
			}
			w.put(uint64(code), r.width)
		}
	}
	want := append(w.flush(), make([]byte, 8)...)
	const load = 56 // bits that every load has, whatever its offset
	head := min(c.bits, load)
	mask := uint64(1)<<head - 1
	first := binary.LittleEndian.Uint64(want) & mask
	off := uint(from) * c.bits
	var text []byte
	for i := from; i < to; i++ {
		if window(c.fields, off)&mask == first {
			if text = c.appendPacked(text[:0], i); string(text) == v {
				dst = append(dst, i)
			}
		}
		off += c.bits
	}
	return dst
}
