package segment

import (
	"context"
	"encoding/binary"
	"fmt"
	"math/bits"
	"slices"
)

// The values of many columns follow from those of others: an access key has
// one owner, an event name nearly always one source. Such a column has no code
// pages. Instead it names another dictionary column, its source, which has a value in every
// row where it has one itself, and a code page that says which code goes with each
// code of the source. Rows that deviate are listed as exceptions:
//
//	map:        code page, one code for each entry of the source's dictionary
//	exceptions: if there are any, length when unpacked (uvarint, 0: not packed) and a
//	            frame of: value − exception before (uvarint), code (uvarint)
//
// Neither column has two values in a row. Aligned means that both are in the
// same rows, so that value i of one belongs to value i of the other.

type derivedCodes struct {
	source  *finalColumn
	codes   []uint32
	at      []uint32 // exceptions: values
	code    []uint32 // and their codes
	aligned bool
}

const (
	// deriveFrom is the least number of values a column must have to be derived or a source.
	deriveFrom = 1024
	// deriveBytes: columns whose codes take less than this are left alone.
	deriveBytes = 768
	// maxSources bounds the search: the columns with the largest dictionaries.
	maxSources = 64
	// deriveSample values show whether it is worth looking at all.
	deriveSample = 2048
	// deriveGain in percent: derived codes must be smaller than this share of others.
	deriveGain = 80
)

// candidate is a column that may be derived or a source.
type candidate struct {
	*finalColumn
	in    []uint64 // shapes that have it
	byRow []uint16 // codes by row, for sources; made when needed
}

// derive looks for columns that follow from others.
func (f *finisher) derive() {
	cands := f.candidates()
	var sources []*candidate
	var rows []uint16
	for _, c := range cands {
		n := min(c.n, BlockRows)
		f.raw = f.packer.codes.pack(f.raw[:0], c.codes[:n], len(c.order))
		size := len(f.raw) * c.n / n
		if size >= deriveBytes {
			rows = f.rowsOf(c, rows[:0])
			best, bestSize := (*derivedCodes)(nil), size*deriveGain/100
			for _, s := range sources {
				if d, n := f.tryDerive(c, s, rows, bestSize); d != nil {
					best, bestSize = d, n
				}
			}
			if best != nil {
				c.derived, c.encoding = best, encDerived
				continue
			}
		}
		if len(sources) < maxSources {
			sources = append(sources, c)
		}
	}
}

// candidates are the dictionary columns with at most one value in a row, those
// with the largest dictionaries first.
func (f *finisher) candidates() []*candidate {
	byNumber := make([]*candidate, len(f.byNumber))
	var all []*candidate
	words := (len(f.b.shapes) + 63) / 64
	for _, c := range f.columns {
		if c.encoding == encDictionary && !c.inArray && c.n >= deriveFrom && len(c.order) > 1 {
			x := &candidate{finalColumn: c, in: make([]uint64, words)}
			byNumber[c.number] = x
			all = append(all, x)
		}
	}
	for s := range f.b.shapes {
		for _, e := range f.words(uint32(s)) {
			to := f.a.edges[e].to
			if to == endsColumn || byNumber[to] == nil {
				continue
			}
			x := byNumber[to]
			if x.in[s>>6]&(1<<(s&63)) != 0 {
				byNumber[to] = nil // twice in a row
			}
			x.in[s>>6] |= 1 << (s & 63)
		}
	}
	all = slices.DeleteFunc(all, func(c *candidate) bool { return byNumber[c.number] == nil })
	slices.SortStableFunc(all, func(x, y *candidate) int { return len(y.order) - len(x.order) })
	return all
}

func (f *finisher) rowsOf(c *candidate, rows []uint16) []uint16 {
	for row, s := range f.b.rows {
		if c.in[s>>6]&(1<<(s&63)) != 0 {
			rows = append(rows, uint16(row))
		}
	}
	return rows
}

// tryDerive derives c, whose values are in rows, from s if that takes less than most bytes.
func (f *finisher) tryDerive(c, s *candidate, rows []uint16, most int) (*derivedCodes, int) {
	for w, m := range c.in {
		if m&^s.in[w] != 0 {
			return nil, 0
		}
	}
	aligned := c.n == s.n
	mapSize := len(s.order) * bits.Len(uint(len(c.order)-1)) / 10
	if mapSize >= most {
		return nil, 0
	}
	if !aligned && s.byRow == nil {
		s.byRow = make([]uint16, len(f.b.rows))
		for i, row := range f.rowsOf(s, nil) {
			s.byRow[row] = uint16(s.codes[i])
		}
	}
	from := func(i int) uint32 {
		if aligned {
			return s.codes[i]
		}
		return uint32(s.byRow[rows[i]])
	}
	// The code that goes with each source code is found by vote: a candidate
	// gains and loses weight, and one with a majority stays.
	type vote struct {
		code   uint32
		weight int32
	}
	votes := make([]vote, len(s.order))
	wrong := 0
	room := (most - mapSize) / exceptionBytes
	for i, code := range c.codes {
		v := &votes[from(i)]
		switch {
		case v.weight == 0:
			*v = vote{code, 1}
		case v.code == code:
			v.weight++
		default:
			v.weight--
			// Of two values that cancel each other out at least one is an exception.
			if wrong++; wrong > room || i < deriveSample && wrong > 16+i/8 {
				return nil, 0
			}
		}
	}
	d := &derivedCodes{source: s.finalColumn, aligned: aligned, codes: make([]uint32, len(votes))}
	last := uint32(0)
	for i, v := range votes {
		if v.weight > 0 || v.code > 0 {
			last = v.code
		}
		d.codes[i] = last // a code without a vote repeats its neighbour's
	}
	for i, code := range c.codes {
		if d.codes[from(i)] != code {
			d.at, d.code = append(d.at, uint32(i)), append(d.code, code)
		}
	}
	size := mapSize + exceptionBytes*len(d.at) + 8
	if size >= most {
		return nil, 0
	}
	return d, size
}

// exceptionBytes is what an exception takes, about.
const exceptionBytes = 3

// writeDerived writes the pages that stand for codes.
func (f *finisher) writeDerived(c *finalColumn) {
	d := c.derived
	f.pages = f.packer.codes.pack(f.pages, d.codes, len(c.order))
	f.page()
	if len(d.at) == 0 {
		return
	}
	f.raw = f.raw[:0]
	last := uint32(0)
	for i, at := range d.at {
		f.raw = binary.AppendUvarint(f.raw, uint64(at-last))
		f.raw = binary.AppendUvarint(f.raw, uint64(d.code[i]))
		last = at
	}
	f.maybeSqueezed(f.raw)
}

// deriveEntry is what the directory says about a derived column.
func (f *finisher) deriveEntry(dst []byte, c *finalColumn) []byte {
	h := uint64(len(c.derived.at)) << 1
	if c.derived.aligned {
		h |= 1
	}
	dst = binary.AppendUvarint(dst, uint64(slices.Index(f.columns, c.derived.source)))
	return binary.AppendUvarint(dst, h)
}

// derivation is what a reader keeps of a derived column.
type derivation struct {
	codes []uint32 // by code of the source
	at    []uint32 // exceptions: values
	code  []uint32 // and their codes
}

const (
	hasSource = 1
	hasBoth   = 2
)

// derivation returns how to find the codes of a derived column.
func (r *Reader) derivation(ctx context.Context, d *directory, c *dirColumn) (*derivation, error) {
	det := d.detail(c)
	k := r.key(cachedDerived, c.at)
	if x, ok := r.cache.get(k).(*derivation); ok {
		return x, nil
	}
	bad := func(page uint32, err error) error {
		return r.damaged(d.block(page), fmt.Errorf("codes of %s: %w", d.name(c), err))
	}
	page, release, err := r.page(ctx, d, det.codesPage)
	if err != nil {
		return nil, err
	}
	defer release()
	n := d.detail(&d.columns[det.source]).distinct
	x := &derivation{codes: make([]uint32, n)}
	codes, err := openCodes(page, n, det.distinct, nil)
	if err == nil {
		err = codes.read(x.codes, 0)
	}
	if err != nil {
		return nil, bad(det.codesPage, err)
	}
	if det.exceptions > 0 {
		if err := r.exceptions(ctx, d, c, x); err != nil {
			return nil, err
		}
	}
	return r.cache.put(k, x, int64(4*len(x.codes)+8*len(x.at)+100)).(*derivation), nil
}

// sharing tells for every shape if it has the source of a derived column
// (hasSource) and the column itself (hasBoth). Only reading whole row blocks
// needs that.
func (r *Reader) sharing(ctx context.Context, d *directory, c *dirColumn) ([]uint8, error) {
	k := r.key(cachedSharing, c.at)
	if has, ok := r.cache.get(k).([]uint8); ok {
		return has, nil
	}
	s, err := r.structure(ctx, d)
	if err != nil {
		return nil, err
	}
	det := d.detail(c)
	has := make([]uint8, d.shapes)
	own, source := uint32(d.index(c))+1, uint32(det.source)+1
	for i := range has {
		for _, e := range s.shape(uint16(i)) {
			switch s.edges[e].to {
			case own:
				has[i] |= hasBoth
			case source:
				has[i] |= hasSource
			}
		}
		if has[i] == hasBoth {
			return nil, r.damaged(d.block(det.codesPage), fmt.Errorf("codes of %s: shape %d has it without the column it is derived from", d.name(c), i))
		}
	}
	return r.cache.put(k, has, int64(len(has))).([]uint8), nil
}

// index returns the number of a column.
func (d *directory) index(c *dirColumn) int {
	i := d.firstColumn(c.node)
	for &d.columns[i] != c {
		i++
	}
	return i
}

func (r *Reader) exceptions(ctx context.Context, d *directory, c *dirColumn, x *derivation) error {
	det := d.detail(c)
	page, release, err := r.page(ctx, d, det.codesPage+1)
	if err != nil {
		return err
	}
	defer release()
	in, err := maybeUnsqueezed(page, 10*det.exceptions)
	last := uint64(0)
	x.at, x.code = make([]uint32, 0, min(det.exceptions, len(in.b))), make([]uint32, 0, min(det.exceptions, len(in.b)))
	for i := 0; i < det.exceptions && err == nil; i++ {
		step := in.uvarint()
		last += step
		code := in.count(det.distinct - 1)
		if in.bad || last >= uint64(c.n) || i > 0 && step == 0 {
			err = errPage
		}
		x.at, x.code = append(x.at, uint32(last)), append(x.code, uint32(code))
	}
	if err == nil && len(in.b) != 0 {
		err = errPage
	}
	if err != nil {
		return r.damaged(d.block(det.codesPage+1), fmt.Errorf("exceptions of %s: %w", d.name(c), err))
	}
	return nil
}

// maybeUnsqueezed opens a page of maybeSqueezed of at most most bytes.
func maybeUnsqueezed(page []byte, most int) (input, error) {
	in := input{b: page}
	n := in.count(most)
	if in.bad {
		return in, errPage
	}
	if n > 0 {
		b, err := unsqueeze(nil, in.b, n)
		if err != nil {
			return in, err
		}
		in.b = b
	}
	return in, nil
}

// of returns the code of value i, whose row has the given code of the source.
func (x *derivation) of(i, source uint32) uint32 {
	if len(x.at) > 0 {
		if k, ok := slices.BinarySearch(x.at, i); ok {
			return x.code[k]
		}
	}
	return x.codes[source]
}

// derive fills cc for a derived column; buf is memory for it.
func (cc *columnCodes) derive(ctx context.Context, r *Reader, d *directory, c *dirColumn, b int, buf []uint32) error {
	starts := d.groups[d.detail(c).group]
	cc.n = int(starts[b+1] - starts[b])
	cc.flat = sized(buf, cc.n)
	if cc.n == 0 {
		return nil
	}
	x, err := r.derivation(ctx, d, c)
	if err != nil {
		return err
	}
	det := d.detail(c)
	first := d.groups[det.group][b]
	var source columnCodes
	if err := source.open(ctx, r, d, &d.columns[det.source], b); err != nil {
		return err
	}
	defer source.close()
	bad := func(err error) error {
		return r.damaged(d.block(det.codesPage), fmt.Errorf("codes of %s: %w", d.name(c), err))
	}
	if det.aligned {
		if err := source.read(cc.flat, 0); err != nil {
			return bad(err)
		}
		for i, s := range cc.flat {
			cc.flat[i] = x.codes[s]
		}
	} else {
		all := make([]uint32, source.n)
		if err := source.read(all, 0); err != nil {
			return bad(err)
		}
		shapes, err := r.rowShapes(ctx, d, b)
		if err != nil {
			return err
		}
		has, err := r.sharing(ctx, d, c)
		if err != nil {
			return err
		}
		i, k := 0, 0
		for _, s := range shapes {
			h := has[s]
			if h == 0 {
				continue
			}
			if k >= len(all) || h&hasBoth != 0 && i >= len(cc.flat) {
				return bad(errShape)
			}
			if h&hasBoth != 0 {
				cc.flat[i] = x.codes[all[k]]
				i++
			}
			k++
		}
		if i != len(cc.flat) {
			return bad(errShape)
		}
	}
	k, _ := slices.BinarySearch(x.at, first)
	for ; k < len(x.at) && x.at[k] < first+uint32(cc.n); k++ {
		cc.flat[x.at[k]-first] = x.code[k]
	}
	return nil
}
