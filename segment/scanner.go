package segment

import (
	"context"
	"fmt"
	"math"
	"slices"
	"sync"
)

// scanner reads values of many columns side by side, row after row. Within a
// row block it counts the values that each column has had (passed), so that
// the next value of a column is found without looking at the others.
type scanner struct {
	r     *Reader
	ctx   context.Context
	d     *directory
	s     *structure
	dense bool // most values of a page will be asked for: decode it whole

	block   int      // row block, −1 at first
	shapes  []uint16 // of its rows
	row     int      // next row, within the block
	passed  []uint32 // by column
	taken   []uint32 // by column, for sources of others: the last row that took its value
	serial  uint32   // of the row
	hist    []uint32 // by shape
	cursors []*cursor
	used    []*cursor // those of this scan
	spare   []*cursor
}

var scanners = sync.Pool{New: func() any { return new(scanner) }}

// cursor is the place of a scanner in one column.
type cursor struct {
	column  int
	c       *dirColumn
	det     *columnDetail
	block   int    // row block that base belongs to
	base    uint32 // ordinal of its first value
	from    uint32 // ordinals that can be read from memory
	to      uint32
	release func()
	// pageFrom and pageTo are the ordinals of an open value page, of which
	// dense mode unpacks no more than what belongs to the present row block.
	pageFrom, pageTo uint32

	// For records in dense mode: value i of the row block is value off+i of
	// the page, which has size values in memory.
	off, size uint32
	whole     *texts // the dictionary if it has one page

	tiny   tinyColumn
	dict   []*texts // pages of the dictionary that have been met
	derive *derivation
	codes  codesPage
	buf    []byte
	flat   []uint32   // dense: all codes of the page
	values valuesPage // plain
	all    texts      // dense: all values of the page
	one    []byte     // sparse: the value asked for
	full   []byte     // of built columns: the value put together
}

func (r *Reader) scanner(ctx context.Context, dense bool) (*scanner, error) {
	d, err := r.directory(ctx)
	if err != nil {
		return nil, err
	}
	s, err := r.structure(ctx, d)
	if err != nil {
		return nil, err
	}
	sc := r.bareScanner(ctx, d)
	sc.s, sc.dense = s, dense
	sc.hist = sized(sc.hist, d.shapes)
	clear(sc.hist)
	return sc, nil
}

// bareScanner is a scanner without shapes, which reads values by their numbers (valueAt) one by one.
func (r *Reader) bareScanner(ctx context.Context, d *directory) *scanner {
	sc := scanners.Get().(*scanner)
	sc.r, sc.ctx, sc.d, sc.dense, sc.block = r, ctx, d, false, -1
	if cap(sc.cursors) < len(d.columns) {
		sc.cursors = make([]*cursor, len(d.columns))
		sc.passed, sc.taken = make([]uint32, len(d.columns)), make([]uint32, len(d.columns))
	}
	sc.cursors, sc.passed, sc.taken = sc.cursors[:len(d.columns)], sc.passed[:len(d.columns)], sc.taken[:len(d.columns)]
	return sc
}

// close gives everything back.
func (sc *scanner) close() {
	for _, cu := range sc.used {
		cu.leave()
		sc.cursors[cu.column] = nil
		*cu = cursor{
			dict: clearedTexts(cu.dict), buf: kept(cu.buf), flat: cu.flat[:0], one: kept(cu.one), full: kept(cu.full),
			values: valuesPage{classes: cu.values.classes, buf: kept(cu.values.buf), codes: cu.values.codes},
			all:    texts{kept(cu.all.data), cu.all.ends[:0]},
		}
		for i := range cu.values.classes {
			// What is kept must not point into blocks that are given back.
			c := &cu.values.classes[i]
			c.forget()
			*c = classSection{frames: clearedFrames(c.frames), vals: texts{ends: c.vals.ends}, buf: kept(c.buf), runs: c.runs[:0], decoded: c.decoded[:0], tokens: tokenSection{ends: c.tokens.ends[:0], pads: c.tokens.pads[:0]}}
		}
		sc.spare = append(sc.spare, cu)
	}
	sc.used = sc.used[:0]
	if len(sc.spare) > 512 {
		sc.spare = sc.spare[:512]
	}
	sc.r, sc.ctx, sc.d, sc.s, sc.shapes = nil, nil, nil, nil, nil
	scanners.Put(sc)
}

// kept bounds the memory that a pooled buffer holds on to.
func kept(b []byte) []byte {
	if cap(b) > 1<<20 {
		return nil
	}
	return b[:0]
}

func clearedTexts(t []*texts) []*texts {
	clear(t[:cap(t)])
	return t[:0]
}

func clearedFrames(f []textFrame) []textFrame {
	clear(f[:cap(f)])
	return f[:0]
}

// enter goes to the first row of a row block.
func (sc *scanner) enter(b int) error {
	if err := sc.ctx.Err(); err != nil {
		return err
	}
	s, err := sc.r.rowShapes(sc.ctx, sc.d, b)
	if err != nil {
		return err
	}
	sc.block, sc.shapes, sc.row = b, s, 0
	clear(sc.passed)
	for _, cu := range sc.used {
		cu.settle(sc)
	}
	return nil
}

// settle prepares a cursor for the present row block.
func (cu *cursor) settle(sc *scanner) {
	cu.block = sc.block
	if cu.c.encoding == encTiny {
		cu.base = cu.tiny.starts[sc.block]
	} else {
		cu.base = sc.d.groups[cu.det.group][sc.block]
	}
	cu.off = cu.base - cu.from // may wrap: then no value of the block is in the page's first part
}

// passedEvery is the number of rows between checkpoints of [passedCounts].
const passedEvery = 256

// passedCounts are how many values every column has had before each checkpoint of
// a row block. They are made when single records of the block are read for the
// second time: one pass over the block instead of half a pass for each record.
type passedCounts struct {
	columns int
	counts  []uint16 // passedEvery rows apart, columns of each
}

// countPassed makes the checkpoints of the present block; there are none when a
// count passes 16 bits.
func (sc *scanner) countPassed() *passedCounts {
	n := len(sc.d.columns)
	p := &passedCounts{columns: n, counts: make([]uint16, 0, n*(len(sc.shapes)/passedEvery+1))}
	count := make([]uint32, n)
	for row := 0; ; row += passedEvery {
		for _, c := range count {
			if c > math.MaxUint16 {
				return &passedCounts{}
			}
			p.counts = append(p.counts, uint16(c))
		}
		if row+passedEvery >= len(sc.shapes) {
			return p
		}
		sc.countRows(count, sc.shapes[row:row+passedEvery])
	}
}

// approach goes on to the last checkpoint before a row of the present block that is far ahead,
// if there are checkpoints or the block was asked for before.
func (sc *scanner) approach(row int) {
	if row-sc.row < 2*passedEvery {
		return
	}
	k := sc.r.key(cachedPassed, uint32(sc.block))
	p, ok := sc.r.cache.get(k).(*passedCounts)
	if !ok && sc.r.cache.again(k) {
		p = sc.countPassed()
		p = sc.r.cache.put(k, p, int64(2*len(p.counts))).(*passedCounts)
	}
	if p != nil {
		sc.resume(p, row)
	}
}

// resume starts from the last checkpoint before a row.
func (sc *scanner) resume(p *passedCounts, row int) {
	if p.columns != len(sc.passed) {
		return
	}
	at := row / passedEvery
	for i, n := range p.counts[at*p.columns : (at+1)*p.columns] {
		sc.passed[i] = uint32(n)
	}
	sc.row = at * passedEvery
}

// skipTo passes over rows up to the given one of the present block, for all columns.
func (sc *scanner) skipTo(row int) {
	rows := sc.shapes[sc.row:row]
	sc.row = row
	sc.countRows(sc.passed, rows)
}

// countRows adds the values that rows of some shapes have, by column.
func (sc *scanner) countRows(passed []uint32, rows []uint16) {
	if len(rows) < 32 {
		for _, s := range rows {
			for _, e := range sc.s.shape(s) {
				if to := sc.s.edges[e].to; to != 0 {
					passed[to-1]++
				}
			}
		}
		return
	}
	for _, s := range rows {
		sc.hist[s]++
	}
	for _, s := range rows {
		n := sc.hist[s]
		if n == 0 {
			continue
		}
		sc.hist[s] = 0
		for _, e := range sc.s.shape(s) {
			if to := sc.s.edges[e].to; to != 0 {
				passed[to-1] += n
			}
		}
	}
}

// value returns the value of a column that comes ahead values after those
// passed in the present block. The bytes are valid until another value of the
// same column is read.
func (sc *scanner) value(column int, ahead uint32) ([]byte, error) {
	cu := sc.cursors[column]
	if cu == nil {
		var err error
		if cu, err = sc.cursor(column); err != nil {
			return nil, err
		}
	}
	return sc.valueAt(cu, cu.base+sc.passed[column]+ahead)
}

func (sc *scanner) cursor(column int) (*cursor, error) {
	var cu *cursor
	if n := len(sc.spare); n > 0 {
		cu = sc.spare[n-1]
		sc.spare = sc.spare[:n-1]
	} else {
		cu = new(cursor)
	}
	c := &sc.d.columns[column]
	cu.column, cu.c, cu.block = column, c, -1
	sc.used = append(sc.used, cu)
	sc.cursors[column] = cu
	if c.encoding == encTiny {
		if err := sc.r.tiny(sc.ctx, sc.d, c, &cu.tiny); err != nil {
			return nil, err
		}
	} else {
		cu.det = sc.d.detail(c)
	}
	if c.coded() || c.encoding == encBuilt {
		cu.dict = sized(cu.dict, len(cu.det.ends))
		clear(cu.dict)
	}
	if c.encoding == encDerived {
		var err error
		if cu.derive, err = sc.r.derivation(sc.ctx, sc.d, c); err != nil {
			return nil, err
		}
	}
	if sc.block >= 0 {
		cu.settle(sc)
	}
	return cu, nil
}

var errShape = fmt.Errorf("the shapes ask for more values than there are")

// valueAt returns value i of the segment, opening its page.
func (sc *scanner) valueAt(cu *cursor, i uint32) ([]byte, error) {
	c := cu.c
	if c.encoding == encTiny {
		if int(i) >= cu.tiny.n {
			return nil, sc.damaged(cu, errShape)
		}
		return cu.tiny.entries[cu.tiny.code(int(i))], nil
	}
	if i >= c.n {
		return nil, sc.damaged(cu, errShape)
	}
	if c.encoding == encDerived && !sc.dense {
		code, err := sc.derived(cu, i)
		if err != nil {
			return nil, err
		}
		return sc.entry(cu, code)
	}
	if i < cu.from || i >= cu.to {
		if err := sc.turn(cu, i); err != nil {
			return nil, err
		}
	}
	k := int(i - cu.from)
	var v []byte
	var err error
	switch {
	case sc.dense && c.plain():
		v = cu.all.at(k)
	case sc.dense:
		v, err = sc.entry(cu, cu.flat[k])
	case c.plain():
		if cu.one, err = cu.values.at(cu.one[:0], k); err != nil {
			return nil, sc.damaged(cu, err)
		}
		v = cu.one
	default:
		code, err := cu.codes.at(k)
		if err != nil {
			return nil, sc.damaged(cu, err)
		}
		if v, err = sc.entry(cu, code); err != nil {
			return nil, err
		}
	}
	if err == nil && c.built() {
		return sc.expand(cu, v)
	}
	return v, err
}

// derived returns the code of value i of a derived column, by the code that
// its source has in the present row.
func (sc *scanner) derived(cu *cursor, i uint32) (uint32, error) {
	column := cu.det.source
	source := sc.cursors[column]
	if source == nil {
		var err error
		if source, err = sc.cursor(column); err != nil {
			return 0, err
		}
	}
	k := source.base + sc.passed[column]
	if sc.taken[column] == sc.serial {
		k-- // the row's value was the last that passed
	}
	if k >= source.c.n {
		return 0, sc.damaged(cu, errShape)
	}
	if k < source.from || k >= source.to {
		if err := sc.turn(source, k); err != nil {
			return 0, err
		}
	}
	code, err := source.codes.at(int(k - source.from))
	if err != nil {
		return 0, sc.damaged(source, err)
	}
	return cu.derive.of(i, code), nil
}

// turn opens the page of value i.
func (sc *scanner) turn(cu *cursor, i uint32) error {
	c, det := cu.c, cu.det
	if c.plain() && i >= cu.pageFrom && i < cu.pageTo {
		return sc.unpack(cu, i)
	}
	cu.leave()
	if c.encoding == encDerived {
		return sc.turnDerived(cu, i)
	}
	ends, first := det.ends, c.page
	coded := c.encoding == encDictionary || c.encoding == encBuilt
	if coded {
		ends, first = sc.d.cuts[det.group], det.codesPage
	}
	k, from := pageOf(ends, i)
	n := int(ends[k] - from)
	if coded && det.distinct == 1 {
		cu.codes = codesPage{mode: codesConstant, n: n, limit: 1}
	} else if coded && !sc.dense {
		var err error
		if cu.codes, err = sc.r.codesPage(sc.ctx, sc.d, cu, first+uint32(k), n); err != nil {
			return err
		}
	} else {
		page, release, err := sc.r.page(sc.ctx, sc.d, first+uint32(k))
		if err != nil {
			return err
		}
		cu.release = release
		if coded {
			cu.codes, err = openCodes(page, n, det.distinct, cu.buf)
			if cu.codes.mode == codesBytes || cu.codes.mode == codesPlanes {
				cu.buf = cu.codes.b
			}
		} else {
			err = cu.values.open(page, n)
		}
		if err != nil {
			return sc.damagedPage(cu, first+uint32(k), err)
		}
		if c.plain() && !sc.dense {
			cu.values.keepFrames(&frameKeeper{sc.r.cache, sc.r.key(cachedFrame, first+uint32(k))})
		}
	}
	if c.plain() && sc.dense {
		cu.pageFrom, cu.pageTo = from, ends[k]
		return sc.unpack(cu, i)
	}
	if coded && sc.dense {
		cu.flat = sized(cu.flat, n)
		if err := cu.codes.read(cu.flat, 0); err != nil {
			return sc.damagedPage(cu, first+uint32(k), err)
		}
	}
	sc.opened(cu, from, ends[k])
	return nil
}

// codesPage opens a code page for reading single codes. When it was asked for
// before, it is kept unpacked: that is most of the time that a single record takes.
func (r *Reader) codesPage(ctx context.Context, d *directory, cu *cursor, page uint32, n int) (codesPage, error) {
	k := r.key(cachedCodes, page)
	if p, ok := r.cache.get(k).(*codesPage); ok {
		return *p, nil
	}
	b, release, err := r.page(ctx, d, page)
	if err != nil {
		return codesPage{}, err
	}
	keep, buf := r.cache.again(k), cu.buf
	if keep {
		buf = nil
	}
	p, err := openCodes(b, n, cu.det.distinct, buf)
	if err != nil {
		release()
		return p, r.damaged(d.block(page), fmt.Errorf("column %s: %w", d.name(cu.c), err))
	}
	if !keep {
		cu.release = release
		if p.mode == codesBytes || p.mode == codesPlanes {
			cu.buf = p.b
		}
		return p, nil
	}
	defer release()
	if p.mode == codesPacked {
		p.b = slices.Clone(p.b)
	}
	return *r.cache.put(k, &p, int64(len(p.b)+4*len(p.local)+8*len(p.runs))+100).(*codesPage), nil
}

// unpack reads the values from i on that the open page has of the present row block.
func (sc *scanner) unpack(cu *cursor, i uint32) error {
	to := min(cu.pageTo, sc.d.groups[cu.det.group][sc.block+1])
	if i >= to {
		return sc.damaged(cu, errShape)
	}
	cu.all.reset()
	if err := cu.values.all(&cu.all, int(i-cu.pageFrom), int(to-cu.pageFrom)); err != nil {
		return sc.damaged(cu, err)
	}
	sc.opened(cu, i, to)
	return nil
}

// opened notes which values the open page has.
func (sc *scanner) opened(cu *cursor, from, to uint32) {
	cu.from, cu.to, cu.off = from, to, cu.base-from
	if sc.dense && !cu.c.built() {
		cu.size = to - from
	}
}

// turnDerived takes the codes of the present row block for a page.
func (sc *scanner) turnDerived(cu *cursor, i uint32) error {
	var cc columnCodes
	if err := cc.derive(sc.ctx, sc.r, sc.d, cu.c, sc.block, cu.flat); err != nil {
		return err
	}
	cu.flat = cc.flat
	if i < cu.base || i >= cu.base+uint32(len(cu.flat)) {
		return sc.damaged(cu, errShape)
	}
	sc.opened(cu, cu.base, cu.base+uint32(len(cu.flat)))
	return nil
}

// leave closes the open page.
func (cu *cursor) leave() {
	if cu.release != nil {
		cu.release()
		cu.release = nil
	}
	cu.from, cu.to, cu.size, cu.pageFrom, cu.pageTo = 0, 0, 0, 0, 0
}

// entry returns an entry of the dictionary.
func (sc *scanner) entry(cu *cursor, code uint32) ([]byte, error) {
	var page int
	var from uint32
	if ends := cu.det.ends; len(ends) > 1 {
		// Pages are full but where values are long.
		page = int(code / dictionaryPage)
		from = code - code%dictionaryPage
		if page >= len(ends) || ends[page] != from+dictionaryPage && page != len(ends)-1 || page > 0 && ends[page-1] != from {
			page, from = pageOf(ends, code)
		}
	}
	t := cu.dict[page]
	if t == nil {
		var err error
		if t, err = sc.r.dictPage(sc.ctx, sc.d, cu.c, page); err != nil {
			return nil, err
		}
		cu.dict[page] = t
		if len(cu.dict) == 1 {
			cu.whole = t
		}
	}
	return t.at(int(code - from)), nil
}

func (sc *scanner) damaged(cu *cursor, err error) error {
	return sc.damagedPage(cu, cu.c.page, err)
}

func (sc *scanner) damagedPage(cu *cursor, page uint32, err error) error {
	return sc.r.damaged(sc.d.block(page), fmt.Errorf("column %s: %w", sc.d.name(cu.c), err))
}
