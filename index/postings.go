package index

import (
	"bytes"
	"errors"
	"fmt"
	"math/bits"
	"slices"
	"sync"

	"github.com/RoaringBitmap/roaring/v2"
)

const (
	postingsMagic     = "CPST"
	postingsPart      = "postings"
	postingsHeaderLen = 24

	// MaxRows and MaxCodes bound a segment's rows and a column's dictionary, far
	// above any segment; what opening takes in memory depends on neither.
	MaxRows  = 1 << 26
	MaxCodes = 1 << 26

	// MaxEntries bounds the entries of a column, so that places among the lists
	// fit 32 bits.
	MaxEntries = 1 << 26

	// MaxGrain is the largest unit of rows that lists may name, a block.
	MaxGrain = BlockRows

	// rareShare: values in more than rows/rareShare rows are not listed.
	rareShare = 256

	// groupLen is the number of lists that share an offset: a bit for each
	// list, against passing over up to 31 of them.
	groupLen = 32

	// skipFrom is the number of units from which a list says how long it is, and
	// skipBits what that takes beyond the bits of the number of units.
	skipFrom = 64
	skipBits = 6
)

// PostingsOptions chooses what is listed; the zero value is useful.
type PostingsOptions struct {
	// MaxRows: codes in more rows than this are not listed. Default rows/256,
	// at least 1.
	MaxRows int
	// Grain is the number of neighbouring rows that lists name together, a
	// power of two up to MaxGrain; default 1. From 2 on, lists are shorter and
	// name rows that do not hold the code beside those that do.
	Grain int
}

// listShape is what follows from the header of postings.
type listShape struct {
	rows, distinct int
	maxRows        uint32
	grain          uint
	units          int // that lists name
	counts         int // symbols for numbers of units
	values         int // symbols for units and gaps
}

func newListShape(rows, distinct int, maxRows uint32, grain uint) listShape {
	units := (rows + 1<<grain - 1) >> grain
	n := bits.Len(uint(units))
	return listShape{rows, distinct, maxRows, grain, units, n + 2, n + 1}
}

// postingsScratch is memory used while building.
type postingsScratch struct {
	counts  []uint32 // rows of each code
	sizes   []uint32 // units of each code: counts or perUnit
	perUnit []uint32
	last    []uint32 // last row of each code, + 1
	ends    []uint32 // of the list of each code in units
	units   []uint32
}

var postingsScratches = sync.Pool{New: func() any { return new(postingsScratch) }}

func zeroed(b []uint32, n int) []uint32 {
	b = slices.Grow(b[:0], n)[:n]
	clear(b)
	return b
}

// BuildPostings encodes, for each code below distinct, the rows that hold it.
// Entry i says that row rowOf[i] holds codes[i]; rowOf ascends, and a row may
// have several entries, also with the same code, or none. With rowOf nil, entry
// i is of row i. rows is the number of rows of the segment.
func BuildPostings(codes, rowOf []uint32, distinct, rows int, opts PostingsOptions) ([]byte, error) {
	if err := checkColumn(codes, rowOf, distinct, rows); err != nil {
		return nil, fmt.Errorf("building postings: %w", err)
	}
	if opts.MaxRows == 0 {
		opts.MaxRows = max(rows/rareShare, 1)
	}
	if opts.Grain == 0 {
		opts.Grain = 1
	}
	if opts.Grain < 1 || opts.Grain > MaxGrain || opts.Grain&(opts.Grain-1) != 0 {
		return nil, fmt.Errorf("building postings: a grain of %d rows, powers of two up to %d can be", opts.Grain, MaxGrain)
	}
	if opts.MaxRows < 0 {
		return nil, fmt.Errorf("building postings: at most %d rows per code", opts.MaxRows)
	}
	grain := uint(bits.TrailingZeros(uint(opts.Grain)))
	s := newListShape(rows, distinct, uint32(min(opts.MaxRows, rows)), grain)
	b := postingsScratches.Get().(*postingsScratch)
	defer postingsScratches.Put(b)
	b.sort(&s, codes, rowOf)
	return b.encode(&s), nil
}

// checkColumn checks what BuildPostings is given.
func checkColumn(codes, rowOf []uint32, distinct, rows int) error {
	switch {
	case rows < 0 || rows > MaxRows:
		return fmt.Errorf("%d rows, at most %d can be", rows, MaxRows)
	case distinct < 0 || distinct > MaxCodes:
		return fmt.Errorf("%d codes, at most %d can be", distinct, MaxCodes)
	case len(codes) > MaxEntries:
		return fmt.Errorf("%d entries, at most %d can be", len(codes), MaxEntries)
	case rowOf == nil && len(codes) > rows:
		return fmt.Errorf("%d codes for %d rows", len(codes), rows)
	case rowOf != nil && len(rowOf) != len(codes):
		return fmt.Errorf("%d codes and the rows of %d", len(codes), len(rowOf))
	}
	for i, c := range codes {
		if int(c) >= distinct {
			return fmt.Errorf("entry %d is code %d of %d", i, c, distinct)
		}
	}
	for i, r := range rowOf {
		if int(r) >= rows || i > 0 && r < rowOf[i-1] {
			return fmt.Errorf("entry %d is of row %d of %d, behind one of row %d", i, r, rows, rowOf[max(i-1, 0)])
		}
	}
	return nil
}

// sort lists the units of each code that is to be listed.
func (b *postingsScratch) sort(s *listShape, codes, rowOf []uint32) {
	b.counts = zeroed(b.counts, s.distinct)
	b.sizes = b.counts
	// One value per row, and rows named one by one: nothing can repeat.
	simple := rowOf == nil && s.grain == 0
	if simple {
		for _, c := range codes {
			b.counts[c]++
		}
	} else {
		b.measure(s, codes, rowOf)
	}
	b.ends = zeroed(b.ends, s.distinct)
	total := uint32(0)
	for c, n := range b.counts {
		b.ends[c] = total
		if n <= s.maxRows {
			total += b.sizes[c]
		}
	}
	b.units = slices.Grow(b.units[:0], int(total))[:total]
	if simple {
		for i, c := range codes {
			if b.counts[c] <= s.maxRows {
				b.units[b.ends[c]] = uint32(i)
				b.ends[c]++
			}
		}
		return
	}
	clear(b.last)
	for i, c := range codes {
		if b.counts[c] > s.maxRows {
			continue
		}
		unit := rowAt(rowOf, i) >> s.grain
		if b.last[c] == unit+1 {
			continue
		}
		b.last[c] = unit + 1
		b.units[b.ends[c]] = unit
		b.ends[c]++
	}
}

// measure counts the rows and the units of each code.
func (b *postingsScratch) measure(s *listShape, codes, rowOf []uint32) {
	b.perUnit = zeroed(b.perUnit, s.distinct)
	b.sizes = b.perUnit
	b.last = zeroed(b.last, s.distinct)
	for i, c := range codes {
		row := rowAt(rowOf, i)
		last := b.last[c]
		if last == row+1 {
			continue
		}
		b.counts[c]++
		if last == 0 || (last-1)>>s.grain != row>>s.grain {
			b.sizes[c]++
		}
		b.last[c] = row + 1
	}
}

// rowAt is the row of entry i.
func rowAt(rowOf []uint32, i int) uint32 {
	if rowOf == nil {
		return uint32(i)
	}
	return rowOf[i]
}

// countSymbol is the symbol of a number of units in the first table.
func countSymbol(size int) int {
	if size == 0 {
		return 1
	}
	return bits.Len(uint(size)) + 1
}

// encode writes what sort has listed.
func (b *postingsScratch) encode(s *listShape) []byte {
	// What the symbols of the three tables occur.
	var sizes, firsts, gaps [maxSymbols]uint32
	from := uint32(0)
	for c, rows := range b.counts {
		if rows > s.maxRows {
			sizes[0]++
			continue
		}
		list := b.units[from:b.ends[c]]
		from = b.ends[c]
		sizes[countSymbol(len(list))]++
		for i, unit := range list {
			if i == 0 {
				firsts[bits.Len32(unit)]++
			} else {
				gaps[bits.Len32(unit-list[i-1]-1)]++
			}
		}
	}
	sizeLengths, firstLengths, gapLengths := codeLengths(sizes[:]), codeLengths(firsts[:]), codeLengths(gaps[:])
	sizeCode, firstCode, gapCode := newEncoder(sizeLengths), newEncoder(firstLengths), newEncoder(gapLengths)

	groups := (s.distinct + groupLen - 1) / groupLen
	offsets := make([]uint64, 0, groups)
	w := bitWriter{dst: make([]byte, 0, len(b.units)*2+s.distinct/2)}
	from = 0
	for c, rows := range b.counts {
		if c%groupLen == 0 {
			offsets = append(offsets, w.bits)
		}
		if rows > s.maxRows {
			sizeCode.put(&w, 0, 0, 0)
			continue
		}
		list := b.units[from:b.ends[c]]
		from = b.ends[c]
		sizeCode.put(&w, countSymbol(len(list)), uint64(len(list)), extraBits(len(list)))
		if len(list) >= skipFrom {
			length := uint64(0)
			for i, unit := range list {
				code, v := &gapCode, unit
				if i == 0 {
					code = &firstCode
				} else {
					v = unit - list[i-1] - 1
				}
				length += uint64(code.length[bits.Len32(v)]) + uint64(extraBits(int(v)))
			}
			w.put(length, uint(bits.Len(uint(len(list))))+skipBits)
		}
		for i, unit := range list {
			if i == 0 {
				firstCode.put(&w, bits.Len32(unit), uint64(unit), extraBits(int(unit)))
			} else {
				gap := unit - list[i-1] - 1
				gapCode.put(&w, bits.Len32(gap), uint64(gap), extraBits(int(gap)))
			}
		}
	}
	length := w.bits
	lists := w.finish()

	dst := make([]byte, 0, postingsHeaderLen+len(lists)+groups*4+2*maxSymbols+checksumLen)
	dst = append(dst, postingsMagic...)
	dst = append(dst, formatVersion, byte(s.grain), 0, 0)
	dst = le.AppendUint32(dst, uint32(s.rows))
	dst = le.AppendUint32(dst, uint32(s.distinct))
	dst = le.AppendUint32(dst, s.maxRows)
	dst = le.AppendUint32(dst, uint32(length))
	for _, table := range []struct {
		lengths [maxSymbols]uint8
		symbols int
	}{{sizeLengths, s.counts}, {firstLengths, s.values}, {gapLengths, s.values}} {
		w := bitWriter{dst: dst}
		for _, l := range table.lengths[:table.symbols] {
			w.put(uint64(l), 4)
		}
		dst = w.finish()
	}
	w = bitWriter{dst: dst}
	for _, o := range offsets {
		w.put(o, uint(bits.Len64(length)))
	}
	dst = append(w.finish(), lists...)
	return appendChecksum(dst, 0)
}

// extraBits is the number of bits of v below its highest.
func extraBits(v int) uint {
	if v == 0 {
		return 0
	}
	return uint(bits.Len(uint(v))) - 1
}

// Postings answers from what BuildPostings made.
type Postings struct {
	listShape
	data    []byte
	offsets int    // byte where the offsets begin
	lists   uint64 // bit where the lists begin
	end     uint64 // bit where they end
	width   uint   // bits of an offset
	sizes   *decoder
	firsts  *decoder
	gaps    *decoder
}

// OpenPostings checks the checksum and the tables of data, which it keeps.
// Lists are checked when they are read.
func OpenPostings(data []byte) (*Postings, error) {
	if err := checkEnvelope(postingsPart, data, postingsMagic, postingsHeaderLen); err != nil {
		return nil, err
	}
	grain, rows, distinct := uint(data[5]), le.Uint32(data[8:]), le.Uint32(data[12:])
	switch {
	case grain > uint(bits.TrailingZeros(MaxGrain)):
		return nil, &CorruptError{postingsPart, 5, fmt.Sprintf("units of at most %d rows", MaxGrain), fmt.Sprintf("2^%d", grain)}
	case data[6] != 0 || data[7] != 0:
		return nil, &CorruptError{postingsPart, 6, "zero", fmt.Sprintf("% x", data[6:8])}
	case rows > MaxRows:
		return nil, &CorruptError{postingsPart, 8, fmt.Sprintf("at most %d rows", MaxRows), fmt.Sprint(rows)}
	case distinct > MaxCodes:
		return nil, &CorruptError{postingsPart, 12, fmt.Sprintf("at most %d codes", MaxCodes), fmt.Sprint(distinct)}
	}
	p := &Postings{listShape: newListShape(int(rows), int(distinct), le.Uint32(data[16:]), grain), data: data}
	length := uint64(le.Uint32(data[20:]))
	p.width = uint(bits.Len64(length))
	if length < uint64(distinct) {
		return nil, &CorruptError{postingsPart, 20, fmt.Sprintf("at least a bit for each of %d codes", distinct), fmt.Sprint(length)}
	}
	groups := uint64(distinct+groupLen-1) / groupLen

	tables := postingsHeaderLen
	body := len(data) - checksumLen
	p.offsets = tables + (p.counts+1)/2 + 2*((p.values+1)/2)
	lists := uint64(p.offsets) + (groups*uint64(p.width)+7)/8
	if want := lists + (length+7)/8; want != uint64(body) {
		return nil, &CorruptError{postingsPart, body, fmt.Sprintf("%d bytes before the checksum", want), fmt.Sprint(body)}
	}
	p.lists, p.end = lists*8, lists*8+length
	var err error
	for _, t := range []struct {
		table   **decoder
		symbols int
	}{{&p.sizes, p.counts}, {&p.firsts, p.values}, {&p.gaps, p.values}} {
		var lengths [maxSymbols]uint8
		for s := range t.symbols {
			lengths[s] = data[tables+s/2] >> (s % 2 * 4) & 15
		}
		if *t.table, err = newDecoder(lengths); err != nil {
			return nil, &CorruptError{postingsPart, tables, "a code table", err.Error()}
		}
		tables += (t.symbols + 1) / 2
	}
	return p, nil
}

// Distinct is the number of codes.
func (p *Postings) Distinct() int { return p.distinct }

// RowCount is the number of rows of the segment.
func (p *Postings) RowCount() int { return p.rows }

// MaxRows is the number of rows from which on a code is not listed, less one.
func (p *Postings) MaxRows() int { return int(p.maxRows) }

// Exact reports whether every row that Rows gives holds the code. If not, it
// gives all rows of each unit of Grain rows in which some do.
func (p *Postings) Exact() bool { return p.grain == 0 }

// cursor stands before the list of a code.
type cursor struct {
	code uint32
	at   uint64
}

// seek moves to the list of code, from where the cursor stands if that is nearer
// than the beginning of the group.
func (p *Postings) seek(c *cursor, code uint32) error {
	if int(code) >= p.distinct {
		return fmt.Errorf("reading postings: code %d of %d", code, p.distinct)
	}
	// At the beginning of a group its offset decides, wherever the list before it
	// ended: both ways must lead to the same place.
	if c.at == 0 || c.code > code || c.code/groupLen != code/groupLen || c.code%groupLen == 0 {
		c.code = code / groupLen * groupLen
		bit := uint64(p.offsets)*8 + uint64(code/groupLen)*uint64(p.width)
		// The checksum is behind, so that 8 bytes can be read everywhere.
		c.at = p.lists + peekBits(p.data, bit)&(1<<p.width-1)
	}
	for c.code < code {
		if _, _, err := p.list(c, nil, false); err != nil {
			return err
		}
	}
	return nil
}

// next reads a number at the cursor with a table. excess is by how much a symbol
// exceeds the length of its number in bits.
func (p *Postings) next(c *cursor, table *decoder, excess uint) (symbol uint, v uint64, err error) {
	if c.at >= p.end {
		return 0, 0, p.corrupt(c, "another number of a list", "the end of the lists")
	}
	word := peekBits(p.data, c.at)
	e := table[word&(1<<maxCode-1)]
	if e.length == 0 {
		return 0, 0, p.corrupt(c, "a code of the table", fmt.Sprintf("%08b", word&(1<<maxCode-1)))
	}
	c.at += uint64(e.length)
	word >>= e.length
	symbol = uint(e.symbol)
	if symbol <= excess {
		return symbol, 0, nil
	}
	extra := symbol - excess - 1
	c.at += uint64(extra)
	return symbol, 1<<extra | word&(1<<extra-1), nil
}

// list reads the list at the cursor, which moves behind it. If read, the units
// are appended to dst.
func (p *Postings) list(c *cursor, dst []uint32, read bool) (units []uint32, listed bool, err error) {
	symbol, size, err := p.next(c, p.sizes, 1)
	if err != nil {
		return dst, false, err
	}
	c.code++
	if symbol < 2 {
		return dst, symbol == 1, nil
	}
	// Each unit takes a bit at least.
	if size > uint64(p.units) || size > p.end-min(c.at, p.end) {
		return dst, false, p.corrupt(c, fmt.Sprintf("a list of at most %d units in %d bits", p.units, p.end-min(c.at, p.end)), fmt.Sprint(size))
	}
	end := uint64(0) // where a list that can be skipped says it ends
	if size >= skipFrom {
		width := uint(bits.Len64(size)) + skipBits
		length := peekBits(p.data, c.at) & (1<<width - 1)
		c.at += uint64(width)
		if !read {
			c.at += length
			return dst, true, nil
		}
		end = c.at + length
	}
	if read {
		dst = slices.Grow(dst, int(size))
	}
	_, unit, err := p.next(c, p.firsts, 0)
	if err != nil {
		return dst, false, err
	}
	for n := uint64(1); ; n++ {
		if unit >= uint64(p.units) {
			return dst, false, p.corrupt(c, fmt.Sprintf("a unit below %d", p.units), fmt.Sprint(unit))
		}
		if read {
			dst = append(dst, uint32(unit))
		}
		if n == size {
			break
		}
		_, gap, err := p.next(c, p.gaps, 0)
		if err != nil {
			return dst, false, err
		}
		unit += gap + 1
	}
	if c.at > p.end {
		return dst, false, p.corrupt(c, fmt.Sprintf("a list that ends at bit %d or before", p.end), fmt.Sprintf("one that ends at bit %d", c.at))
	}
	// Else skipping the list and reading it would lead to different places.
	if end != 0 && c.at != end {
		return dst, false, p.corrupt(c, fmt.Sprintf("a list that ends at bit %d", end), fmt.Sprintf("one that ends at bit %d", c.at))
	}
	return dst, true, nil
}

func (p *Postings) corrupt(c *cursor, expected, found string) error {
	return &CorruptError{postingsPart, int(c.at / 8), fmt.Sprintf("for code %d %s", c.code, expected), found}
}

// unitsOf appends the units of code to dst.
func (p *Postings) unitsOf(dst []uint32, c *cursor, code uint32) (units []uint32, listed bool, err error) {
	if err := p.seek(c, code); err != nil {
		return dst, false, err
	}
	return p.list(c, dst, true)
}

// Rows returns the rows that hold code, as a set that the caller owns; if the
// postings are not Exact, the rows among which they are. listed is false when
// the code is in too many rows to be listed: scan the codes.
func (p *Postings) Rows(code uint32) (rows *roaring.Bitmap, listed bool, err error) {
	var c cursor
	units, listed, err := p.unitsOf(nil, &c, code)
	if err != nil || !listed {
		return nil, false, err
	}
	return p.set(units), true, nil
}

// Union returns the rows that hold any of the codes, as Rows does, and those of
// the codes that are not listed. It is fastest when the codes ascend.
func (p *Postings) Union(codes []uint32) (rows *roaring.Bitmap, unlisted []uint32, err error) {
	var c cursor
	var units []uint32
	for _, code := range codes {
		var listed bool
		if units, listed, err = p.unitsOf(units, &c, code); err != nil {
			return nil, nil, err
		}
		if !listed {
			unlisted = append(unlisted, code)
		}
	}
	if len(units) > p.units/64 {
		// As many as there are words: marking is cheaper than sorting.
		words := make([]uint64, (p.units+63)/64)
		for _, u := range units {
			words[u/64] |= 1 << (u % 64)
		}
		if p.grain == 0 {
			return roaring.FromDense(words, false), unlisted, nil
		}
		units = units[:0]
		for i, w := range words {
			for ; w != 0; w &= w - 1 {
				units = append(units, uint32(i*64+bits.TrailingZeros64(w)))
			}
		}
		return p.set(units), unlisted, nil
	}
	slices.Sort(units)
	return p.set(units), unlisted, nil
}

// set is the set of the rows of ascending units.
func (p *Postings) set(units []uint32) *roaring.Bitmap {
	rows := roaring.New()
	if p.grain == 0 {
		rows.AddMany(units)
		return rows
	}
	for _, u := range units {
		rows.AddRange(uint64(u)<<p.grain, min(uint64(u+1)<<p.grain, uint64(p.rows)))
	}
	return rows
}

// Verify compares the postings with the column they are of, given as to
// BuildPostings, and reads every list. A difference is *CorruptError.
func (p *Postings) Verify(codes, rowOf []uint32) error {
	want, err := BuildPostings(codes, rowOf, p.distinct, p.rows, PostingsOptions{MaxRows: max(int(p.maxRows), 1), Grain: 1 << p.grain})
	if err != nil {
		return &CorruptError{postingsPart, 8, "the column that they are of", err.Error()}
	}
	if bytes.Equal(p.data, want) {
		return nil
	}
	// Name the first code that differs.
	right, err := OpenPostings(want)
	if err != nil {
		return err
	}
	var c, r cursor
	var is, should []uint32
	for code := range uint32(p.distinct) {
		at := c.at
		var isListed, shouldListed bool
		if is, isListed, err = p.unitsOf(is[:0], &c, code); err != nil {
			return err
		}
		if should, shouldListed, err = right.unitsOf(should[:0], &r, code); err != nil {
			return errors.Join(errors.New("verifying postings"), err)
		}
		if isListed != shouldListed || !slices.Equal(is, should) {
			return &CorruptError{postingsPart, int(at / 8), fmt.Sprintf("for code %d the rows %s", code, describe(should, shouldListed)), describe(is, isListed)}
		}
	}
	return &CorruptError{postingsPart, postingsHeaderLen, "the encoding of these lists", "another one"}
}

// describe shows a list in an error.
func describe(units []uint32, listed bool) string {
	const shown = 8
	switch {
	case !listed:
		return "not listed"
	case len(units) > shown:
		return fmt.Sprintf("%v and %d more", units[:shown], len(units)-shown)
	}
	return fmt.Sprint(units)
}
