package segment

import (
	"encoding/binary"
	"fmt"
	"math"
	"strings"

	"github.com/cespare/xxhash/v2"
)

// Block 0 is the directory: what there is and where.
//
//	magic "cairnseg" · version, rows (uint32 LE) · bytes of all records (uint64 LE) ·
//	length of the unpacked rest (uint32 LE) · the rest, one zstd frame · checksum
//
// Every block ends in its checksum, xxhash64 (LE) of all that is before it.
// The rest, all numbers uvarint:
//
//	counts: nodes, columns, groups, edges, shapes, bundles, pages, blocks
//	nodes but the record itself, in the order of a walk from the top, keys ascending:
//	  depth<<5 | flags, then length and bytes of its key (not for elements)
//	groups: how many values a column has in every row block, shared by columns that agree
//	columns, ascending by node and kind: node − node before, kind | encoding<<4, flags, and
//	  tiny:       bundle − bundle before, bytes in it
//	  dictionary: group, distinct values; per dictionary page its entries; bounds
//	  derived:    as dictionary, then (before the bounds) the column it is derived from, and
//	              exceptions<<1 | aligned
//	  built:      group, number of patterns; per page of them how many; number of sources and
//	              the columns they are
//	  filled:     as plain, then number of sources and the columns they are
//	  plain:      group, number of pages and the values of each; bounds
//	pages: length of each
//	blocks but block 0: pages in each
//
// Bounds are: of times (flag) smallest and largest second (varint); of other
// strings, smallest and largest value with lengths, cut after what they share and
// boundBytes more (flag when the largest is cut).
const (
	magic   = "cairnseg"
	version = 2
	// oldest is the first version that is still read. Version 1 has no token sections, no runs of codes and no built columns; all else
	// means the same.
	oldest = 1
	// headerBytes come before the compressed part of block 0.
	headerBytes   = len(magic) + 4 + 4 + 8 + 4
	checksumBytes = 8
)

// Flags of nodes.
const (
	nodeElement = 1 << iota // an array element, not a member
	nodeObject              // some record has an object here
	nodeArray               // some record has an array here
	nodeNull                // some record has null here
	nodeTwice               // some record has this key twice in one object
	nodeFlagBits
)

const nodeFlagShift = 5

// Encodings of columns.
const (
	encTiny = iota
	encDictionary
	encPlain
	encDerived
	encBuilt
	encFilled
)

var encodingNames = [...]string{"tiny", "dictionary", "plain", "derived", "built", "filled"}

// Flags of columns.
const (
	columnEscapes = 1 << iota // some value has a backslash
	columnTimes               // all values are canonical times
	columnMaxCut              // the upper bound is cut
	columnCounts              // a page with the rows of each dictionary entry follows
	columnBounds              // bounds are there
)

const (
	// boundBytes of a bound are kept beyond what both share.
	boundBytes = 8
	// maxBound bytes of a bound are kept at all.
	maxBound = 64
	// maxPages and maxNodes bound what a directory may claim.
	maxPages = 1 << 24
	maxNodes = 1 << 24
)

// The first pages of a segment.
const (
	pageEdges = iota
	pageShapes
	pageRows // one per row block
)

// directory is block 0 in memory.
type directory struct {
	rows      int
	rawBytes  int64
	rowBlocks int
	edges     int
	shapes    int
	bundles   int

	parent []uint32
	last   []uint32 // one past the last node of the subtree
	flags  []uint8
	keyEnd []uint32
	keys   string

	columns []dirColumn
	details []columnDetail
	groups  [][]uint32 // per group, values before each row block, and all
	cuts    [][]uint32 // per group, where its code pages end
	pageEnd []uint64   // in the run of all pages
	blocks  []uint32   // first page of block 1, 2, …, and the number of pages
	size    int64      // estimated memory
}

type dirColumn struct {
	node     uint32
	n        uint32 // values
	page     uint32 // first page, or that of the bundle
	at       uint32 // index in details; for tiny columns the place in the bundle
	length   uint32 // for tiny columns: bytes in the bundle
	kind     leafKind
	encoding uint8
	flags    uint8
	source   bool // other columns are derived from this one
}

type columnDetail struct {
	group     int
	distinct  int      // dictionary
	ends      []uint32 // where dictionary pages end (entries), or plain pages (values)
	min, max  []byte
	from, to  int64 // times
	codesPage uint32

	// Of derived columns.
	source     int   // column
	sources    []int // of built columns
	exceptions int
	aligned    bool
}

// sealBlock appends the checksum.
func sealBlock(b []byte) []byte {
	return binary.LittleEndian.AppendUint64(b, xxhash.Sum64(b))
}

// openBlock verifies a checksum and returns what it covers.
func openBlock(b []byte) ([]byte, error) {
	if len(b) < checksumBytes {
		return nil, fmt.Errorf("%d bytes are too few for a block", len(b))
	}
	body := b[:len(b)-checksumBytes]
	want, got := binary.LittleEndian.Uint64(b[len(body):]), xxhash.Sum64(body)
	if want != got {
		return nil, fmt.Errorf("checksum of %d bytes is %016x, stored is %016x", len(body), got, want)
	}
	return body, nil
}

// readHeader reads the part of block 0 that is not compressed.
func readHeader(body []byte) (rows int, rawBytes int64, unpacked int, err error) {
	if len(body) < headerBytes || string(body[:len(magic)]) != magic {
		return 0, 0, 0, fmt.Errorf("does not begin with %q", magic)
	}
	h := body[len(magic):]
	if v := binary.LittleEndian.Uint32(h); v < oldest || v > version {
		return 0, 0, 0, fmt.Errorf("format version is %d, this program reads %d to %d", v, oldest, version)
	}
	r, raw, n := binary.LittleEndian.Uint32(h[4:]), binary.LittleEndian.Uint64(h[8:]), binary.LittleEndian.Uint32(h[16:])
	if r == 0 || r > MaxRows {
		return 0, 0, 0, fmt.Errorf("claims %d rows, 1 to %d are possible", r, MaxRows)
	}
	if raw > 2*MaxRawBytes || raw < 2*uint64(r) {
		return 0, 0, 0, fmt.Errorf("claims %d bytes in %d records", raw, r)
	}
	if n > maxUnpacked {
		return 0, 0, 0, fmt.Errorf("claims a directory of %d bytes", n)
	}
	return int(r), int64(raw), int(n), nil
}

// readDirectory reads block 0.
func readDirectory(block []byte) (*directory, error) {
	body, err := openBlock(block)
	if err != nil {
		return nil, err
	}
	rows, rawBytes, unpacked, err := readHeader(body)
	if err != nil {
		return nil, err
	}
	b, err := unsqueeze(nil, body[headerBytes:], unpacked)
	if err != nil {
		return nil, err
	}
	d := &directory{rows: rows, rawBytes: rawBytes, rowBlocks: (rows + BlockRows - 1) / BlockRows}
	in := &input{b: b}
	most := len(b) // every thing counted takes at least a byte
	nodes, columns, groups := in.count(min(most, maxNodes)), in.count(most), in.count(most)
	d.edges, d.shapes, d.bundles = in.count(maxEdges), in.count(min(MaxRows, rows)), in.count(most)
	pages, blocks := in.count(min(most, maxPages)), in.count(most)
	if in.bad || nodes == 0 || d.edges == 0 || d.shapes == 0 {
		return nil, errPage
	}
	if err := d.readNodes(in, nodes); err != nil {
		return nil, fmt.Errorf("paths: %w", err)
	}
	if err := d.readGroups(in, groups); err != nil {
		return nil, fmt.Errorf("value counts: %w", err)
	}
	if err := d.readColumns(in, columns, pages); err != nil {
		return nil, fmt.Errorf("columns: %w", err)
	}
	d.pageEnd = make([]uint64, pages)
	end := uint64(0)
	for i := range d.pageEnd {
		end += uint64(in.count(math.MaxInt32))
		d.pageEnd[i] = end
	}
	d.blocks = make([]uint32, 1, blocks+1)
	first := 0
	for range blocks {
		first += in.count(pages - first)
		d.blocks = append(d.blocks, uint32(first))
	}
	if in.bad || first != pages || len(in.b) != 0 {
		return nil, fmt.Errorf("pages: %w", errPage)
	}
	d.size = int64(len(d.parent))*13 + int64(len(d.keys)) + int64(len(d.columns))*28 + int64(len(d.details))*128 +
		int64(len(d.groups))*int64(d.rowBlocks)*8 + int64(pages)*8 + int64(blocks)*4 + 512
	return d, nil
}

func (d *directory) readNodes(in *input, n int) error {
	d.parent, d.last = make([]uint32, n), make([]uint32, n)
	d.flags, d.keyEnd = make([]uint8, n), make([]uint32, n)
	var keys strings.Builder
	path := []uint32{0} // the open nodes
	for i := 1; i < n; i++ {
		v := in.uvarint()
		depth := int(v >> nodeFlagShift)
		d.flags[i] = uint8(v & (nodeFlagBits - 1))
		if depth < 1 || depth > len(path) {
			return errPage
		}
		for _, p := range path[depth:] {
			d.last[p] = uint32(i)
		}
		path = append(path[:depth], uint32(i))
		d.parent[i] = path[depth-1]
		if d.flags[i]&nodeElement == 0 {
			keys.Write(in.bytes(in.count(len(in.b))))
		}
		if in.bad {
			return errPage
		}
		d.keyEnd[i] = uint32(keys.Len())
	}
	for _, p := range path {
		d.last[p] = uint32(n)
	}
	d.flags[0] = nodeObject
	d.keys = keys.String()
	return nil
}

func (d *directory) readGroups(in *input, n int) error {
	d.groups, d.cuts = make([][]uint32, n), make([][]uint32, n)
	if n*(d.rowBlocks) > len(in.b) {
		return errPage
	}
	for g := range d.groups {
		starts := make([]uint32, d.rowBlocks+1)
		for b := range d.rowBlocks {
			starts[b+1] = starts[b] + uint32(in.count(BlockRows*DefaultMaxElements))
		}
		if in.bad {
			return errPage
		}
		d.groups[g] = starts
		d.cuts[g] = pageCuts(starts)
	}
	return nil
}

// pageCuts returns where the code pages of a column end: a page is made of
// whole row blocks, as many as give it no more than BlockRows values.
func pageCuts(starts []uint32) (ends []uint32) {
	from := uint32(0)
	for b := 1; b < len(starts); b++ {
		if b+1 == len(starts) || starts[b+1]-from > BlockRows {
			if starts[b] > from {
				ends = append(ends, starts[b])
			}
			from = starts[b]
		}
	}
	return ends
}

func (d *directory) readColumns(in *input, n, pages int) error {
	d.columns = make([]dirColumn, n)
	node, bundle, at := uint64(0), 0, uint32(0)
	page := uint32(pageRows + d.rowBlocks + d.bundles)
	for i := range d.columns {
		c := &d.columns[i]
		node += in.uvarint()
		how := in.byte()
		c.kind, c.encoding, c.flags = leafKind(how&15), how>>4, in.byte()
		c.node = uint32(node)
		if in.bad || node >= uint64(len(d.parent)) || c.kind > leafJSON || c.encoding > encFilled {
			return errPage
		}
		if i > 0 {
			if b := d.columns[i-1]; b.node == c.node && b.kind >= c.kind {
				return errPage
			}
		}
		if c.encoding == encTiny {
			if step := in.count(d.bundles); step > 0 {
				bundle, at = bundle+step, 0
			}
			c.page, c.at = uint32(pageRows+d.rowBlocks+bundle), at
			c.length = uint32(in.count(maxUnpacked))
			at += c.length
			if bundle >= d.bundles || at > maxUnpacked {
				return errPage
			}
			continue
		}
		det := columnDetail{group: in.count(len(d.groups))}
		if in.bad || det.group >= len(d.groups) {
			return errPage
		}
		starts := d.groups[det.group]
		c.n = starts[len(starts)-1]
		c.page, c.at = page, uint32(len(d.details))
		if c.n == 0 {
			return errPage
		}
		total := int(c.n)
		if !c.plain() {
			det.distinct = in.count(min(maxDictionary, int(c.n)))
			total = det.distinct
		}
		parts := in.count(len(in.b))
		det.ends = make([]uint32, 0, min(parts, 1024))
		end := 0
		for range parts {
			k := in.count(total - end)
			if k == 0 {
				return errPage
			}
			end += k
			det.ends = append(det.ends, uint32(end))
		}
		if in.bad || end != total || parts == 0 {
			return errPage
		}
		page += uint32(parts)
		if c.encoding == encDerived {
			det.source = in.count(n - 1)
			h := in.count(2*int(c.n) + 1)
			det.exceptions, det.aligned = h>>1, h&1 != 0
		}
		if c.built() {
			k := in.count(maxBuiltSources)
			for range k {
				det.sources = append(det.sources, in.count(n-1))
			}
			if in.bad || k == 0 || c.kind != leafString || c.flags&(columnCounts|columnBounds|columnTimes) != 0 {
				return errPage
			}
		}
		det.codesPage = page
		page += d.codePages(c, &det)
		if c.flags&columnCounts != 0 {
			page++
		}
		if c.flags&columnBounds != 0 {
			if c.flags&columnTimes != 0 {
				det.from, det.to = in.varint(), in.varint()
			} else {
				det.min = append([]byte(nil), in.bytes(in.count(maxBound))...)
				det.max = append([]byte(nil), in.bytes(in.count(maxBound))...)
			}
		}
		if in.bad || int(page) > pages {
			return errPage
		}
		d.details = append(d.details, det)
	}
	if int(page) != pages {
		return errPage
	}
	for i := range d.columns {
		c := &d.columns[i]
		if c.built() {
			for _, k := range d.detail(c).sources {
				s := &d.columns[k]
				if s.built() || s.kind == leafJSON {
					return errPage
				}
				s.source = true
			}
		}
		if c.encoding != encDerived {
			continue
		}
		det := d.detail(c)
		s := &d.columns[det.source]
		if s.encoding != encDictionary || d.detail(s).distinct < 2 || s.n < c.n || det.aligned && d.detail(s).group != det.group {
			return errPage
		}
		s.source = true
	}
	return nil
}

// codePages returns how many pages of codes a column has.
func (d *directory) codePages(c *dirColumn, det *columnDetail) uint32 {
	switch {
	case c.encoding == encDerived && det.exceptions > 0:
		return 2
	case c.encoding == encDerived:
		return 1
	case (c.encoding == encDictionary || c.encoding == encBuilt) && det.distinct > 1:
		return uint32(len(d.cuts[det.group]))
	}
	return 0
}

// coded reports whether the values of a column are entries of a dictionary with pages.
func (c *dirColumn) coded() bool { return c.encoding == encDictionary || c.encoding == encDerived }

// plain reports whether a column has value pages for all its values.
func (c *dirColumn) plain() bool { return c.encoding == encPlain || c.encoding == encFilled }

// built reports whether what is stored of a column are patterns (see built.go).
func (c *dirColumn) built() bool { return c.encoding == encBuilt || c.encoding == encFilled }

// listed reports whether the distinct values of a column are known.
func (c *dirColumn) listed() bool { return c.coded() || c.encoding == encTiny }

// key returns the key of a member node.
func (d *directory) key(n uint32) string {
	return d.keys[d.keyEnd[n-1]:d.keyEnd[n]]
}

// child finds the member of node p called key.
func (d *directory) child(p uint32, key string) (uint32, bool) {
	for n := p + 1; n < d.last[p]; n = d.last[n] {
		if d.flags[n]&nodeElement == 0 && d.key(n) == key {
			return n, true
		}
	}
	return 0, false
}

// element finds the node of the elements of the array at p.
func (d *directory) element(p uint32) (uint32, bool) {
	if n := p + 1; n < d.last[p] && d.flags[n]&nodeElement != 0 {
		return n, true
	}
	return 0, false
}

// path returns the steps to a node; "[]" stands for any element.
func (d *directory) path(n uint32) (steps []string, inArray bool) {
	for ; n != 0; n = d.parent[n] {
		if d.flags[n]&nodeElement != 0 {
			steps, inArray = append(steps, "[]"), true
		} else {
			steps = append(steps, d.key(n))
		}
	}
	for i, j := 0, len(steps)-1; i < j; i, j = i+1, j-1 {
		steps[i], steps[j] = steps[j], steps[i]
	}
	return steps, inArray
}

// columnsAt returns the columns [from, to) of node n.
func (d *directory) columnsAt(n uint32) (from, to int) { return d.columnsIn(n, n+1) }

// columnsIn returns the columns of the nodes [first, last).
func (d *directory) columnsIn(first, last uint32) (from, to int) {
	return d.firstColumn(first), d.firstColumn(last)
}

func (d *directory) firstColumn(node uint32) int {
	lo, hi := 0, len(d.columns)
	for lo < hi {
		m := (lo + hi) / 2
		if d.columns[m].node < node {
			lo = m + 1
		} else {
			hi = m
		}
	}
	return lo
}

// detail of a column that is not tiny.
func (d *directory) detail(c *dirColumn) *columnDetail { return &d.details[c.at] }

// find returns the block of a page and its place in the block.
func (d *directory) find(page uint32) (block uint32, from, to uint64) {
	lo, hi := 0, len(d.blocks)-2
	for lo < hi { // the last block whose first page is not after page
		m := (lo + hi + 1) / 2
		if d.blocks[m] <= page {
			lo = m
		} else {
			hi = m - 1
		}
	}
	start := uint64(0)
	if f := d.blocks[lo]; f > 0 {
		start = d.pageEnd[f-1]
	}
	from = 0
	if page > 0 {
		from = d.pageEnd[page-1]
	}
	return uint32(lo + 1), from - start, d.pageEnd[page] - start
}
