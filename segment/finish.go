package segment

import (
	"bytes"
	"encoding/binary"
	"errors"
	"slices"
	"strings"

	"github.com/cespare/xxhash/v2"
)

const (
	// tinyValues and tinyBytes: columns with no more values and text than this
	// share pages. Real segments have thousands of them.
	tinyValues = 256
	tinyBytes  = 8 << 10
	// bundleBytes closes a page of tiny columns.
	bundleBytes = 24 << 10
	// dictionaryPage is the number of entries of a dictionary page: a record
	// needs one entry, a query all of them.
	dictionaryPage = 256
	// pageBytes closes a page of a dictionary or plain column early when its values are long:
	// a record needs one of them, and reads the page.
	pageBytes = 128 << 10
	// blockBytes closes a block: smaller pages share one with their
	// neighbours, because every block costs its store a key.
	blockBytes = 4 << 10
	// maxCounted: dictionaries with more entries do not say how often each
	// occurs; counting codes is nearly as fast as reading so many numbers.
	maxCounted = 4096
	// timesFrom: more distinct times than this are kept as integers, fewer in a dictionary.
	timesFrom = 512
)

// ErrEmpty is returned by [Builder.Finish] when there are no records.
var ErrEmpty = errors.New("segment has no records")

// Encoded is a finished segment: numbered blocks, to be stored under their
// numbers, and the columns they were made of. It uses the memory of its
// Builder and is valid until that is Reset. It may be read from several goroutines.
type Encoded struct {
	b       *Builder
	blocks  [][]byte
	stored  int64
	columns []ColumnValues
}

// finisher turns the columns of a builder into pages.
type finisher struct {
	b *Builder
	a *automaton

	shapes   []uint32 // new order
	shapeNum []uint16 // builder's number → number on disk
	edges    []uint16 // new order
	edgeNum  []int32  // builder's number → number on disk, −1 when unused
	nodes    []uint32 // new order: from the top down, children by key
	nodeNum  []int32
	flags    []uint8 // of nodes, by builder's number
	columns  []*finalColumn
	byNumber []*finalColumn // by builder's number

	packer valuePacker
	// pages are all blocks but the first, one after the other, each with its
	// checksum; lengths are those of the pages.
	pages   []byte
	lengths []int
	inBlock []int // pages of each block
	blocks  []int // where each block begins
	from    int   // where the present page begins
	raw     []byte
	sorted  texts
	rank    []uint32
	keys    []entryKey

	bundles int
	groups  [][]uint32
	groupOf map[string]int
}

type finalColumn struct {
	*builderColumn
	number   uint32 // of the builder
	counts   [MaxRows / BlockRows]uint32
	order    []uint32 // dictionary: entries in ascending order
	encoding uint8
	flags    uint8
	bundle   int
	length   int
	group    int
	pageEnds []uint32
	min, max []byte
	from, to int64
	times    []int64  // for columns of many times
	often    []uint32 // dictionary: how often each entry occurs, in ascending order
	derived  *derivedCodes
	built    *finalColumn // patterns
	sources  []*finalColumn
}

// Finish encodes the records. Afterwards only Reset may be called on the
// builder. It fails when there are no records.
func (b *Builder) Finish() (*Encoded, error) {
	if b.finished {
		return nil, errors.New("segment builder: Finish called twice")
	}
	if len(b.rows) == 0 {
		return nil, ErrEmpty
	}
	for _, c := range b.asked {
		b.a.columns[c].decide()
	}
	b.asked = b.asked[:0]
	for _, c := range b.active {
		b.a.columns[c].recode()
	}
	b.finished, b.undoable = true, false

	f := &finisher{b: b, a: b.a, groupOf: map[string]int{}, pages: b.pages[:0], packer: b.packer}
	defer func() { b.packer = f.packer }()
	f.orderShapes()
	f.orderNodes()
	f.orderColumns()
	f.countValues()
	for _, c := range f.columns {
		if c.encoding == encDictionary {
			f.sortDictionary(c)
		}
	}
	f.build()
	f.derive()
	f.writeStructure()
	f.writeTiny()
	for _, c := range f.columns {
		switch c.encoding {
		case encDictionary, encDerived:
			f.writeDictionary(c)
		case encPlain:
			f.writePlain(c)
		case encBuilt, encFilled:
			f.writeBuilt(c)
		}
	}
	return f.encoded(), nil
}

// orderShapes numbers shapes by how many rows have them, so that numbers are
// small, and edges by where they are first needed.
func (f *finisher) orderShapes() {
	b := f.b
	f.shapes = make([]uint32, len(b.shapes))
	for i := range f.shapes {
		f.shapes[i] = uint32(i)
	}
	slices.SortStableFunc(f.shapes, func(x, y uint32) int {
		return int(b.shapes[y].rows) - int(b.shapes[x].rows)
	})
	f.shapeNum = make([]uint16, len(b.shapes))
	f.edgeNum = make([]int32, len(f.a.edges))
	for i := range f.edgeNum {
		f.edgeNum[i] = -1
	}
	for n, s := range f.shapes {
		f.shapeNum[s] = uint16(n)
		for _, e := range f.words(s) {
			if f.edgeNum[e] < 0 {
				f.edgeNum[e] = int32(len(f.edges))
				f.edges = append(f.edges, e)
			}
		}
	}
}

func (f *finisher) words(s uint32) []uint16 {
	return f.b.words[f.b.shapes[s].from:f.b.shapes[s].to]
}

// orderNodes numbers the paths that the used edges lead through and notes
// what is found there.
func (f *finisher) orderNodes() {
	a := f.a
	f.flags = make([]uint8, len(a.nodes))
	used := make([]bool, len(a.nodes))
	used[0] = true
	use := func(n uint32) {
		for !used[n] {
			used[n] = true
			n = a.nodes[n].parent
		}
	}
	for _, e := range f.edges {
		ed := &a.edges[e]
		if ed.to != endsColumn {
			use(a.columns[ed.to].node)
		}
		for _, s := range a.notes[e].seen {
			use(s.node)
			switch s.op {
			case opNull:
				f.flags[s.node] |= nodeNull
			case opEmptyObject, opOpenObject:
				f.flags[s.node] |= nodeObject
			case opEmptyArray, opOpenArray:
				f.flags[s.node] |= nodeArray
			}
		}
	}
	f.findTwice()
	children := make([][]uint32, len(a.nodes))
	for n := range a.nodes {
		if n > 0 && used[n] {
			p := a.nodes[n].parent
			children[p] = append(children[p], uint32(n))
		}
	}
	f.nodeNum = make([]int32, len(a.nodes))
	var walk func(n uint32)
	walk = func(n uint32) {
		f.nodeNum[n] = int32(len(f.nodes))
		f.nodes = append(f.nodes, n)
		slices.SortFunc(children[n], func(x, y uint32) int {
			switch {
			case a.nodes[x].element:
				return -1
			case a.nodes[y].element:
				return 1
			}
			return strings.Compare(a.nodes[x].key, a.nodes[y].key)
		})
		for _, c := range children[n] {
			walk(c)
		}
	}
	walk(0)
}

// findTwice marks paths outside of arrays that a record has twice.
func (f *finisher) findTwice() {
	a := f.a
	stamp := make([]uint32, len(a.nodes))
	inArray := make([]bool, len(a.nodes))
	for n := range a.nodes { // parents come before their children
		inArray[n] = a.nodes[n].element || n > 0 && inArray[a.nodes[n].parent]
	}
	for n, s := range f.shapes {
		for _, e := range f.words(s) {
			for _, ev := range a.notes[e].seen {
				if ev.op != opMember || inArray[ev.node] {
					continue
				}
				if stamp[ev.node] == uint32(n)+1 {
					f.flags[ev.node] |= nodeTwice
				}
				stamp[ev.node] = uint32(n) + 1
			}
		}
	}
}

func (f *finisher) orderColumns() {
	a := f.a
	f.byNumber = make([]*finalColumn, len(a.columns))
	all := make([]finalColumn, len(f.b.active))
	for i, n := range f.b.active {
		c := &all[i]
		c.builderColumn, c.number = &a.columns[n], n
		f.columns = append(f.columns, c)
		f.byNumber[n] = c
		f.decideEncoding(c)
	}
	slices.SortFunc(f.columns, func(x, y *finalColumn) int {
		if d := f.nodeNum[x.node] - f.nodeNum[y.node]; d != 0 {
			return int(d)
		}
		return int(x.kind) - int(y.kind)
	})
}

func (f *finisher) decideEncoding(c *finalColumn) {
	switch {
	case c.plain:
		c.encoding = encPlain
	case c.n <= tinyValues && len(c.data) <= tinyBytes:
		c.encoding = encTiny
	default:
		c.encoding = encDictionary
	}
	if bytes.IndexByte(c.data, '\\') >= 0 {
		c.flags |= columnEscapes
	}
	if c.encoding == encTiny || c.kind != leafString {
		return
	}
	times := make([]int64, 0, min(len(c.ends), 64))
	for i := range c.ends {
		sec, ok := parseTime(c.entry(i))
		if !ok {
			return
		}
		times = append(times, sec)
	}
	c.flags |= columnTimes | columnBounds
	c.from, c.to = slices.Min(times), slices.Max(times)
	if c.encoding == encDictionary {
		if len(c.ends) <= timesFrom {
			return
		}
		spelled := make([]int64, c.n)
		for i, e := range c.codes {
			spelled[i] = times[e]
		}
		// Measured on one page: codes and some three bytes an entry, or numbers.
		n := min(c.n, BlockRows)
		f.raw, _ = packInts(f.raw[:0], spelled[:n])
		numbers := len(f.raw) * c.n / n
		f.raw = f.packer.codes.pack(f.raw[:0], c.codes[:n], len(c.ends))
		if len(f.raw)*c.n/n+3*len(c.ends) < numbers {
			return
		}
		times = spelled
	}
	c.encoding, c.times = encPlain, times
}

// countValues counts the values of every column in every row block.
func (f *finisher) countValues() {
	hist := make([]uint32, len(f.b.shapes))
	var met []uint16
	for at := 0; at < len(f.b.rows); at += BlockRows {
		met = met[:0]
		for _, s := range f.b.rows[at:min(at+BlockRows, len(f.b.rows))] {
			if hist[s] == 0 {
				met = append(met, s)
			}
			hist[s]++
		}
		for _, s := range met {
			for _, e := range f.words(uint32(s)) {
				if to := f.a.edges[e].to; to != endsColumn {
					f.byNumber[to].counts[at/BlockRows] += hist[s]
				}
			}
			hist[s] = 0
		}
	}
	var key []byte
	for _, c := range f.columns {
		if c.encoding == encTiny {
			continue
		}
		key = key[:0]
		for _, n := range c.counts[:f.rowBlocks()] {
			key = binary.AppendUvarint(key, uint64(n))
		}
		g, ok := f.groupOf[string(key)]
		if !ok {
			g = len(f.groups)
			f.groupOf[string(key)] = g
			starts := make([]uint32, 1, f.rowBlocks()+1)
			for b, n := range c.counts[:f.rowBlocks()] {
				starts = append(starts, starts[b]+n)
			}
			f.groups = append(f.groups, starts)
		}
		c.group = g
	}
}

func (f *finisher) rowBlocks() int { return (len(f.b.rows) + BlockRows - 1) / BlockRows }

// page ends the page that has been appended to f.pages. When the block would
// become too large, the block ends before it.
func (f *finisher) page() {
	n := len(f.pages) - f.from
	last := len(f.blocks) - 1
	if last < 0 {
		f.blocks, f.inBlock = append(f.blocks, f.from), append(f.inBlock, 0)
		last = 0
	} else if f.inBlock[last] > 0 && len(f.pages)-f.blocks[last] > blockBytes {
		sum := xxhash.Sum64(f.pages[f.blocks[last]:f.from])
		f.pages = append(f.pages, make([]byte, checksumBytes)...)
		copy(f.pages[f.from+checksumBytes:], f.pages[f.from:f.from+n])
		binary.LittleEndian.PutUint64(f.pages[f.from:], sum)
		f.blocks, f.inBlock = append(f.blocks, f.from+checksumBytes), append(f.inBlock, 0)
		last++
	}
	f.inBlock[last]++
	f.lengths = append(f.lengths, n)
	f.from = len(f.pages)
}

// writeStructure writes edges, shapes and the shape of each row (see structure.go).
func (f *finisher) writeStructure() {
	a := f.a
	position := make([]int32, len(a.columns))
	for i, c := range f.columns {
		position[c.number] = int32(i) + 1
	}
	var text []byte
	last := int32(0)
	f.raw = f.raw[:0]
	for _, e := range f.edges {
		ed := &a.edges[e]
		from, to := int32(0), int32(0)
		if ed.from != endsColumn {
			from = position[ed.from]
		}
		if ed.to != endsColumn {
			to = position[ed.to]
		}
		if from == last {
			f.raw = append(f.raw, 0)
		} else {
			f.raw = binary.AppendUvarint(f.raw, uint64(from)+1)
		}
		f.raw = binary.AppendVarint(f.raw, int64(to-from))
		f.raw = binary.AppendUvarint(f.raw, uint64(len(ed.text)))
		text = append(text, ed.text...)
		last = to
	}
	f.raw = append(f.raw, text...)
	f.squeezed(f.raw)

	// A shape is told by how it deviates from what followed each edge last time.
	f.raw = f.raw[:0]
	follow := make([]uint32, len(f.edges)+1)
	for _, s := range f.shapes {
		prev := len(f.edges) // before the first edge
		for _, e := range f.words(s) {
			n := uint32(f.edgeNum[e])
			if follow[prev] == n+1 {
				f.raw = append(f.raw, 0)
			} else {
				f.raw = binary.AppendUvarint(f.raw, uint64(n)+1)
				follow[prev] = n + 1
			}
			prev = int(n)
		}
	}
	f.squeezed(f.raw)

	codes := make([]uint32, 0, BlockRows)
	for at := 0; at < len(f.b.rows); at += BlockRows {
		codes = codes[:0]
		for _, s := range f.b.rows[at:min(at+BlockRows, len(f.b.rows))] {
			codes = append(codes, uint32(f.shapeNum[s]))
		}
		f.pages = f.packer.codes.pack(f.pages, codes, len(f.shapes))
		f.page()
	}
}

// squeezed writes a page that is one frame with its unpacked length before it.
func (f *finisher) squeezed(raw []byte) {
	f.pages = binary.AppendUvarint(f.pages, uint64(len(raw)))
	f.pages = squeeze(f.pages, raw, goodEncoder())
	f.page()
}

// writeTiny writes the bundles of tiny columns (see tiny.go).
func (f *finisher) writeTiny() {
	f.raw = f.raw[:0]
	flush := func() {
		if len(f.raw) > 0 {
			f.squeezed(f.raw)
			f.bundles++
			f.raw = f.raw[:0]
		}
	}
	for _, c := range f.columns {
		if c.encoding != encTiny {
			continue
		}
		if len(f.raw) >= bundleBytes {
			flush()
		}
		before := len(f.raw)
		c.bundle = f.bundles
		f.raw = appendTiny(f.raw, c, f.rowBlocks())
		c.length = len(f.raw) - before
	}
	flush()
}

type entryKey struct {
	prefix uint64
	entry  uint32
}

// sortDictionary makes codes ranks: the entries in ascending order.
func (f *finisher) sortDictionary(c *finalColumn) {
	f.sortEntries(c)
	n := len(c.order)
	f.rank = sized(f.rank, n)
	for i, e := range c.order {
		f.rank[e] = uint32(i)
	}
	c.often = make([]uint32, n)
	for i, e := range c.codes {
		r := f.rank[e]
		c.codes[i] = r
		c.often[r]++
	}
}

// writeDictionary writes the pages of a dictionary, of the codes, and the counts.
func (f *finisher) writeDictionary(c *finalColumn) {
	f.sorted.reset()
	for _, e := range c.order {
		f.sorted.add(c.entry(int(e)))
	}
	n := len(c.order)
	f.packer.newColumn(c.kind == leafNumber)
	for from := 0; from < n; {
		to := min(from+dictionaryPage, n)
		for to > from+1 && int(f.sorted.ends[to-1])-f.start(from) > pageBytes {
			to = from + (to-from)/2
		}
		f.pages = f.packer.pack(f.pages, &f.sorted, from, to, true)
		f.page()
		c.pageEnds = append(c.pageEnds, uint32(to))
		from = to
	}
	switch {
	case c.derived != nil:
		f.writeDerived(c)
	case n > 1:
		from := uint32(0)
		for _, to := range pageCuts(f.groups[c.group]) {
			f.pages = f.packer.codes.pack(f.pages, c.codes[from:to], n)
			f.page()
			from = to
		}
	}
	if c.encoding == encBuilt {
		return
	}
	if n > 1 && n <= maxCounted {
		c.flags |= columnCounts
		f.raw = f.raw[:0]
		for _, k := range c.often {
			f.raw = binary.AppendUvarint(f.raw, uint64(k))
		}
		f.maybeSqueezed(f.raw)
	}
	if c.kind == leafString && c.flags&(columnTimes|columnEscapes) == 0 {
		f.bound(c, f.sorted.at(0), f.sorted.at(n-1))
	}
}

// maybeSqueezed writes a page that is a frame with its unpacked length before
// it, or zero and the bytes as they are when that is not longer.
func (f *finisher) maybeSqueezed(raw []byte) {
	before := len(f.pages)
	f.pages = binary.AppendUvarint(f.pages, uint64(len(raw)))
	f.pages = squeeze(f.pages, raw, fastEncoder())
	if len(f.pages)-before >= len(raw)+1 {
		f.pages = append(append(f.pages[:before], 0), raw...)
	}
	f.page()
}

func (f *finisher) start(i int) int {
	if i == 0 {
		return 0
	}
	return int(f.sorted.ends[i-1])
}

// sortEntries finds the ascending order of the dictionary. Most comparisons are
// decided by the first eight bytes after what all entries share.
func (f *finisher) sortEntries(c *finalColumn) {
	n := len(c.ends)
	shared := len(c.entry(0))
	for i := 1; i < n && shared > 0; i++ {
		shared = sharedPrefix(c.entry(0)[:shared], c.entry(i))
	}
	f.keys = f.keys[:0]
	for i := range n {
		f.keys = append(f.keys, entryKey{prefix8(c.entry(i)[shared:]), uint32(i)})
	}
	slices.SortFunc(f.keys, func(x, y entryKey) int {
		switch {
		case x.prefix < y.prefix:
			return -1
		case x.prefix > y.prefix:
			return 1
		}
		return compareEntries(c.builderColumn, x.entry, y.entry)
	})
	c.order = make([]uint32, n)
	for i, k := range f.keys {
		c.order[i] = k.entry
	}
}

func prefix8(b []byte) uint64 {
	if len(b) >= 8 {
		return binary.BigEndian.Uint64(b)
	}
	var v uint64
	for _, c := range b {
		v = v<<8 | uint64(c)
	}
	return v << (8 * uint(8-len(b)))
}

// bound keeps the smallest and largest value, cut.
func (f *finisher) bound(c *finalColumn, lo, hi []byte) {
	keep := min(sharedPrefix(lo, hi)+boundBytes, maxBound)
	c.flags |= columnBounds
	if len(lo) > keep {
		lo = lo[:keep]
	}
	if len(hi) > keep {
		hi = hi[:keep]
		c.flags |= columnMaxCut
	}
	c.min, c.max = append([]byte(nil), lo...), append([]byte(nil), hi...)
}

// writePlain writes the value pages of a plain column.
func (f *finisher) writePlain(c *finalColumn) {
	f.packer.newColumn(c.kind == leafNumber)
	starts := f.groups[c.group]
	if c.times != nil {
		from := uint32(0)
		for _, to := range pageCuts(starts) {
			f.writeTimes(c, from, to)
			from = to
		}
		return
	}
	t := texts{c.data, c.ends}
	from := uint32(0)
	cut := func(to uint32) {
		for from < to {
			end := to
			if size := t.size(from, to); size > pageBytes {
				// Pages of equal size: a value out of two halves is read at less than one out of a full page and a rest.
				even := size / ((size + pageBytes - 1) / pageBytes)
				for end = from + 1; end < to && t.size(from, end) < even && t.size(from, end+1) <= pageBytes; {
					end++
				}
			}
			f.pages = f.packer.pack(f.pages, &t, int(from), int(end), false)
			f.page()
			c.pageEnds = append(c.pageEnds, end)
			from = end
		}
	}
	for _, to := range pageCuts(starts) {
		cut(to)
	}
	if c.encoding == encFilled {
		return
	}
	if c.kind == leafString && c.flags&columnEscapes == 0 {
		lo, hi := t.at(0), t.at(0)
		for i := 1; i < c.n; i++ {
			if v := t.at(i); bytes.Compare(v, lo) < 0 {
				lo = v
			} else if bytes.Compare(v, hi) > 0 {
				hi = v
			}
		}
		f.bound(c, lo, hi)
	}
}

func (t *texts) size(from, to uint32) int {
	start := uint32(0)
	if from > 0 {
		start = t.ends[from-1]
	}
	return int(t.ends[to-1] - start)
}

// writeTimes writes a page that is one section of times.
func (f *finisher) writeTimes(c *finalColumn, from, to uint32) {
	f.pages = append(f.pages, 1, classTime)
	f.pages, _ = packInts(f.pages, c.times[from:to]) // years 1 to 9999 never spread too far
	f.page()
	c.pageEnds = append(c.pageEnds, to)
}

// encoded writes the directory and ends the last block.
func (f *finisher) encoded() *Encoded {
	f.pages = binary.LittleEndian.AppendUint64(f.pages, xxhash.Sum64(f.pages[f.blocks[len(f.blocks)-1]:]))
	d := f.directory()
	head := append([]byte(nil), magic...)
	head = binary.LittleEndian.AppendUint32(head, version)
	head = binary.LittleEndian.AppendUint32(head, uint32(len(f.b.rows)))
	head = binary.LittleEndian.AppendUint64(head, uint64(f.b.rawBytes))
	head = binary.LittleEndian.AppendUint32(head, uint32(len(d)))
	head = sealBlock(squeeze(head, d, goodEncoder()))
	e := &Encoded{b: f.b, stored: int64(len(head) + len(f.pages)), blocks: [][]byte{head}}
	for i, from := range f.blocks {
		to := len(f.pages)
		if i+1 < len(f.blocks) {
			to = f.blocks[i+1]
		}
		e.blocks = append(e.blocks, f.pages[from:to:to])
	}
	for _, c := range f.columns {
		e.columns = append(e.columns, f.columnValues(c))
	}
	f.b.pages = f.pages
	return e
}

func (f *finisher) directory() []byte {
	a := f.a
	d := make([]byte, 0, 64<<10)
	for _, n := range []int{
		len(f.nodes), len(f.columns), len(f.groups), len(f.edges), len(f.shapes), f.bundles,
		len(f.lengths), len(f.inBlock),
	} {
		d = binary.AppendUvarint(d, uint64(n))
	}
	for _, n := range f.nodes[1:] {
		node := &a.nodes[n]
		flags := f.flags[n]
		if node.element {
			flags |= nodeElement
		}
		d = binary.AppendUvarint(d, uint64(node.depth)<<nodeFlagShift|uint64(flags))
		if !node.element {
			d = binary.AppendUvarint(d, uint64(len(node.key)))
			d = append(d, node.key...)
		}
	}
	for _, starts := range f.groups {
		for b := 1; b < len(starts); b++ {
			d = binary.AppendUvarint(d, uint64(starts[b]-starts[b-1]))
		}
	}
	node, bundle := int32(0), 0
	for _, c := range f.columns {
		n := f.nodeNum[c.node]
		d = binary.AppendUvarint(d, uint64(n-node))
		node = n
		d = append(d, uint8(c.kind)|c.encoding<<4, c.flags)
		if c.encoding == encTiny {
			d = binary.AppendUvarint(d, uint64(c.bundle-bundle))
			d = binary.AppendUvarint(d, uint64(c.length))
			bundle = c.bundle
			continue
		}
		d = binary.AppendUvarint(d, uint64(c.group))
		if c.encoding != encPlain && c.encoding != encFilled {
			order := c.order
			if c.encoding == encBuilt {
				order = c.built.order
			}
			d = binary.AppendUvarint(d, uint64(len(order)))
		}
		d = binary.AppendUvarint(d, uint64(len(c.pageEnds)))
		last := uint32(0)
		for _, e := range c.pageEnds {
			d = binary.AppendUvarint(d, uint64(e-last))
			last = e
		}
		if c.encoding == encDerived {
			d = f.deriveEntry(d, c)
		}
		if c.built != nil {
			d = f.builtEntry(d, c)
		}
		switch {
		case c.flags&columnBounds == 0:
		case c.flags&columnTimes != 0:
			d = binary.AppendVarint(binary.AppendVarint(d, c.from), c.to)
		default:
			d = append(binary.AppendUvarint(d, uint64(len(c.min))), c.min...)
			d = append(binary.AppendUvarint(d, uint64(len(c.max))), c.max...)
		}
	}
	for _, n := range f.lengths {
		d = binary.AppendUvarint(d, uint64(n))
	}
	for _, n := range f.inBlock {
		d = binary.AppendUvarint(d, uint64(n))
	}
	return d
}

// Blocks returns the number of blocks; they are numbered from 0.
func (e *Encoded) Blocks() int { return len(e.blocks) }

// Block returns the bytes of a block; they must not be changed.
func (e *Encoded) Block(id int) []byte { return e.blocks[id] }

// Rows returns the number of records.
func (e *Encoded) Rows() int { return len(e.b.rows) }

// RawBytes returns the sum of the lengths of the records.
func (e *Encoded) RawBytes() int64 { return e.b.rawBytes }

// StoredBytes returns the sum of the lengths of the blocks.
func (e *Encoded) StoredBytes() int64 { return e.stored }
