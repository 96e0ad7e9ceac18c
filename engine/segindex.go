package engine

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"sort"
	"strings"

	"github.com/cespare/xxhash/v2"

	"github.com/cairndb/cairn/engine/event"
	"github.com/cairndb/cairn/engine/lsm"
	"github.com/cairndb/cairn/index"
	"github.com/cairndb/cairn/segment"
)

// The kinds of a segment's blocks in the database. The numbers are part of the
// format: append, never renumber.
//
//	0  the pages of the segment (package segment), by its own numbers
//	1  the directory of the indexes, id 0
//	2  postings; id is the column's place in the directory
//	3  pages of membership filters; id is the column's place times 4096, and the
//	   number of the page
//
// The directory of the indexes is
//
//	version 1 | entries | for each: flags | kind | steps | steps × (length, text) |
//	filter pages | checksum 8
//
// with varints for numbers; the checksum is xxhash64 of all before it. Flag 1 says
// that there are postings; an entry has a filter when it has filter pages. Entry
// 0 has no path: it is the filter of the identities of all events (package
// event), which tells duplicates and answers event IDs.
const (
	blockPage     = 0
	blockIndexDir = 1
	blockPostings = 2
	blockFilter   = 3

	indexVersion   = 1
	flagPostings   = 1
	filterPagesMax = 4096
)

// Rules for choosing what is indexed. They look at the values, not at names.
const (
	// postingsBytes is how many bytes of postings an event may cost: postings
	// save at most the scan of a column's codes, some 50 µs a segment.
	postingsBytes = 7

	// postingsColumns bounds the time spent on building.
	postingsColumns = 24

	// postingsDistinct is the least number of distinct values: with fewer, all are
	// so frequent that scanning codes is as fast.
	postingsDistinct = 32

	// filterValueBytes is the longest average value that gets a filter. Longer
	// ones are tokens and messages, which nobody looks up by their full text.
	filterValueBytes = 64

	// filterShare says how many rows must have a value of the column: one in this
	// many. Rarer columns are small, and so quickly read.
	filterShare = 64

	// filterColumns bounds the time spent on building.
	filterColumns = 8
)

// errDamagedIndex is the kind of damage to blocks of indexes.
var errDamagedIndex = errors.New("damaged index")

// columnIndex is an entry of the directory.
type columnIndex struct {
	path     []string
	kind     segment.Kind
	postings bool
	pages    int // of the filter
	place    uint32
}

// segmentIndex is the directory of a segment's indexes.
type segmentIndex struct {
	seg     *sealed
	columns []columnIndex
	filters *segment.Owner // opened pages of filters, by the IDs of their blocks, and postings
}

// identityHash is the hash of an identity in filters.
func identityHash(id event.Identity) uint64 {
	var b [17]byte
	b[0] = byte(id.Kind)
	copy(b[1:], id.Key[:])
	return index.Hash(b[:])
}

// buildIndex builds the index blocks of an encoded segment, in order of their
// keys.
func buildIndex(enc *segment.Encoded, ids []event.Identity, postings bool) ([]lsm.Block, error) {
	rows := enc.Rows()
	keys := make([]index.Key, rows)
	for i, id := range ids {
		keys[i] = index.Key{Hash: identityHash(id), Block: uint8(i / segment.BlockRows)}
	}
	columns := []columnIndex{{}}
	var postingBlocks, filterBlocks []lsm.Block
	add := func(c *columnIndex, keys []index.Key) error {
		c.place = uint32(len(columns) - 1)
		pages, err := index.BuildFilter(keys, filterOptions(rows))
		if err != nil {
			return err
		}
		if len(pages) >= filterPagesMax {
			return fmt.Errorf("a filter of %d pages", len(pages))
		}
		c.pages = len(pages)
		for i, p := range pages {
			filterBlocks = append(filterBlocks, lsm.Block{Kind: blockFilter, ID: c.place*filterPagesMax + uint32(i), Data: p})
		}
		return nil
	}
	if err := add(&columns[0], keys); err != nil {
		return nil, err
	}
	listed, filtered, err := chooseColumns(enc)
	if err != nil {
		return nil, err
	}
	var rowBuf []uint16
	for _, path := range filtered {
		c, ok := enc.Column(path, segment.String)
		if !ok {
			continue
		}
		rowBuf = c.Rows(rowBuf[:0])
		keys := keys[:0]
		var text []byte
		for i := range c.Values {
			raw := c.Value(i)
			if bytes.IndexByte(raw, '\\') >= 0 {
				text = segment.Unescape(text[:0], raw)
				raw = text
			}
			keys = append(keys, index.Key{Hash: index.Hash(raw), Block: uint8(int(rowBuf[i]) / segment.BlockRows)})
		}
		columns = append(columns, columnIndex{path: path, kind: segment.String})
		if err := add(&columns[len(columns)-1], keys); err != nil {
			return nil, err
		}
	}
	var rowOf []uint32
	for _, path := range listed {
		if !postings {
			break
		}
		c, ok := enc.Column(path, segment.String)
		if !ok {
			continue
		}
		rowBuf = c.Rows(rowBuf[:0])
		rowOf = rowOf[:0]
		for _, r := range rowBuf {
			rowOf = append(rowOf, uint32(r))
		}
		data, err := index.BuildPostings(c.Codes, rowOf, c.Entries, rows, index.PostingsOptions{})
		if err != nil {
			return nil, fmt.Errorf("postings of %s: %w", strings.Join(path, "."), err)
		}
		place := uint32(len(columns))
		columns = append(columns, columnIndex{path: path, kind: segment.String, postings: true, place: place})
		postingBlocks = append(postingBlocks, lsm.Block{Kind: blockPostings, ID: place, Data: data})
	}
	blocks := []lsm.Block{{Kind: blockIndexDir, Data: encodeIndexDir(columns)}}
	blocks = append(blocks, postingBlocks...)
	return append(blocks, filterBlocks...), nil
}

func filterOptions(rows int) index.FilterOptions {
	return index.FilterOptions{Blocks: (rows + segment.BlockRows - 1) / segment.BlockRows}
}

// chooseColumns picks the columns that get postings and those that get filters:
// dictionary columns of many values, shallow ones and frequent ones first, as
// far as the budget goes; and columns of short, nearly unique values.
func chooseColumns(enc *segment.Encoded) (listed, filtered [][]string, err error) {
	type candidate struct {
		path   []string
		values int
		bytes  int
	}
	rows := enc.Rows()
	var lists, filters []candidate
	err = enc.EachColumn(func(c *segment.ColumnValues) error {
		if c.InArray || c.Kind != segment.String || c.Values == 0 || c.Values > rows {
			return nil
		}
		path := append([]string(nil), c.Path...)
		switch {
		case c.Dict && c.Escapes:
			// Two spellings of one text have two codes here and one for readers.
		case c.Dict && c.Entries >= postingsDistinct:
			// A kept value takes at least a byte per row and some for itself; frequent
			// values, which are not kept, can only make it less.
			lists = append(lists, candidate{path, c.Values, c.Values + 2*c.Entries})
		case !c.Dict && c.Values >= max(1, rows/filterShare) && !isIdentity(path):
			const sample = 64
			n, size := min(c.Values, sample), 0
			for i := range n {
				size += len(c.Value(i * (c.Values / n)))
			}
			if size <= n*filterValueBytes {
				filters = append(filters, candidate{path, c.Values, 0})
			}
		}
		return nil
	})
	if err != nil {
		return nil, nil, err
	}
	order := func(cs []candidate) {
		sort.SliceStable(cs, func(i, j int) bool {
			a, b := &cs[i], &cs[j]
			if len(a.path) != len(b.path) {
				return len(a.path) < len(b.path)
			}
			if a.values != b.values {
				return a.values > b.values
			}
			return strings.Join(a.path, "\x00") < strings.Join(b.path, "\x00")
		})
	}
	order(lists)
	order(filters)
	budget := postingsBytes * rows
	for _, c := range lists {
		if len(listed) < postingsColumns && c.bytes <= budget {
			listed = append(listed, c.path)
			budget -= c.bytes
		}
	}
	for _, c := range filters[:min(len(filters), filterColumns)] {
		filtered = append(filtered, c.path)
	}
	return listed, filtered, nil
}

// isIdentity reports whether a path is that of the event ID, which the identity
// filter answers.
func isIdentity(path []string) bool { return len(path) == 1 && path[0] == "eventID" }

func encodeIndexDir(columns []columnIndex) []byte {
	b := []byte{indexVersion}
	b = binary.AppendUvarint(b, uint64(len(columns)))
	for _, c := range columns {
		var flags uint64
		if c.postings {
			flags |= flagPostings
		}
		b = binary.AppendUvarint(b, flags)
		b = binary.AppendUvarint(b, uint64(c.kind))
		b = binary.AppendUvarint(b, uint64(len(c.path)))
		for _, s := range c.path {
			b = binary.AppendUvarint(b, uint64(len(s)))
			b = append(b, s...)
		}
		b = binary.AppendUvarint(b, uint64(c.pages))
	}
	return binary.LittleEndian.AppendUint64(b, xxhash.Sum64(b))
}

func decodeIndexDir(b []byte) ([]columnIndex, error) {
	if len(b) < 1+8 {
		return nil, fmt.Errorf("%w: a directory of %d bytes", errDamagedIndex, len(b))
	}
	body := b[:len(b)-8]
	if want, got := binary.LittleEndian.Uint64(b[len(body):]), xxhash.Sum64(body); want != got {
		return nil, fmt.Errorf("%w: the directory's checksum is %016x, should be %016x", errDamagedIndex, want, got)
	}
	if body[0] != indexVersion {
		return nil, fmt.Errorf("%w: version %d of the directory is not known", errDamagedIndex, body[0])
	}
	d := fieldReader{b: body[1:]}
	n := d.uint(uint64(len(d.b)))
	var out []columnIndex
	for i := uint64(0); i < n && d.err == nil; i++ {
		c := columnIndex{place: uint32(i), postings: d.uint(flagPostings) == flagPostings, kind: segment.Kind(d.uint(255))}
		for steps := d.uint(uint64(len(d.b))); steps > 0 && d.err == nil; steps-- {
			c.path = append(c.path, string(d.bytes(d.uint(1<<32))))
		}
		c.pages = int(d.uint(filterPagesMax - 1))
		out = append(out, c)
	}
	if d.err == nil && len(d.b) > 0 {
		d.err = fmt.Errorf("%d bytes are left over", len(d.b))
	}
	if d.err == nil && len(out) == 0 {
		d.err = errors.New("the identity filter is missing")
	}
	if d.err != nil {
		return nil, fmt.Errorf("%w: directory: %w", errDamagedIndex, d.err)
	}
	return out, nil
}

// index returns the directory of the segment's indexes.
func (s *sealed) index() (*segmentIndex, error) {
	s.open.Lock()
	defer s.open.Unlock()
	if s.open.index != nil {
		return s.open.index, nil
	}
	data, release, err := s.lake.db.Block(s.cat.Number, blockIndexDir, 0)
	defer release()
	if err != nil {
		return nil, s.fault(err)
	}
	columns, err := decodeIndexDir(data)
	if err != nil {
		return nil, s.fault(err)
	}
	s.open.index = &segmentIndex{seg: s, columns: columns, filters: s.filterPages()}
	return s.open.index, nil
}

// filterPages returns the owner of opened pages of filters. The caller holds open.
func (s *sealed) filterPages() *segment.Owner {
	if s.open.filters == nil {
		s.open.filters = s.lake.cache.NewOwner()
	}
	return s.open.filters
}

// probeIdentity asks the filter of identities, which every segment has and of which the
// number of pages follows from that of its rows: a needle asks it of every segment, and should not
// have to read the directory of each for it.
func (s *sealed) probeIdentity(hash uint64) (block int, maybe bool, err error) {
	s.open.Lock()
	filters := s.filterPages()
	s.open.Unlock()
	pages := (int(s.cat.Rows) + index.KeysPerPage - 1) / index.KeysPerPage
	page, err := s.filterPage(filters, uint32(index.PageOf(hash, pages)))
	if err == nil {
		// A page of a filter that is divided otherwise knows that it is not meant.
		if block, maybe, err = page.Probe(hash); err == nil {
			return block, maybe, nil
		}
	}
	x, err := s.index() // which tells what is wrong
	if err != nil {
		return 0, false, err
	}
	return x.probe(&x.columns[0], hash)
}

// column returns the entry for a path, or nil.
func (x *segmentIndex) column(path []string) *columnIndex {
next:
	for i := 1; i < len(x.columns); i++ {
		c := &x.columns[i]
		if len(c.path) != len(path) {
			continue
		}
		for j := range path {
			if c.path[j] != path[j] {
				continue next
			}
		}
		return c
	}
	return nil
}

// probe asks a filter. block is that in which the key may be, or
// index.AnyBlock.
func (x *segmentIndex) probe(c *columnIndex, hash uint64) (block int, maybe bool, err error) {
	if c.pages == 0 {
		return 0, false, nil
	}
	id := c.place*filterPagesMax + uint32(index.PageOf(hash, c.pages))
	page, err := x.seg.filterPage(x.filters, id)
	if err != nil {
		return 0, false, x.seg.fault(err)
	}
	if block, maybe, err = page.Probe(hash); err != nil {
		return 0, false, x.seg.fault(fmt.Errorf("%w: filter block %d: %w", errDamagedIndex, id, err))
	}
	return block, maybe, nil
}

// filterPage returns a page of a filter, of which a copy is kept: a question for one value asks
// a page of every segment, and should find it in memory and verified.
func (s *sealed) filterPage(filters *segment.Owner, id uint32) (*index.FilterPage, error) {
	if page, ok := filters.Get(id).(*index.FilterPage); ok {
		return page, nil
	}
	data, release, err := s.lake.db.Block(s.cat.Number, blockFilter, id)
	defer release()
	if err != nil {
		return nil, err
	}
	page, err := index.OpenFilterPage(bytes.Clone(data))
	if err != nil {
		return nil, fmt.Errorf("%w: filter block %d: %w", errDamagedIndex, id, err)
	}
	return filters.Put(id, &page, int64(len(data))+100).(*index.FilterPage), nil
}

// pages opens all pages of a filter at once, for many probes. They are valid
// until release is called.
func (x *segmentIndex) pages(c *columnIndex) (pages []index.FilterPage, release func(), err error) {
	var releases []func()
	release = func() {
		for _, r := range releases {
			r()
		}
	}
	for i := range c.pages {
		id := c.place*filterPagesMax + uint32(i)
		data, r, err := x.seg.lake.db.Block(x.seg.cat.Number, blockFilter, id)
		releases = append(releases, r)
		if err == nil {
			var p index.FilterPage
			if p, err = index.OpenFilterPage(data); err == nil {
				pages = append(pages, p)
				continue
			}
			err = fmt.Errorf("%w: filter block %d: %w", errDamagedIndex, id, err)
		}
		release()
		return nil, func() {}, x.seg.fault(err)
	}
	return pages, release, nil
}

// list opens the postings of a column and keeps a copy, for the same reason.
func (x *segmentIndex) list(c *columnIndex) (*index.Postings, error) {
	kept := keptPostings | c.place
	if p, ok := x.filters.Get(kept).(*index.Postings); ok {
		return p, nil
	}
	p, size, err := x.readList(c)
	if err != nil {
		return nil, err
	}
	return x.filters.Put(kept, p, int64(size)+postingsTables).(*index.Postings), nil
}

// readList reads the postings of a column.
func (x *segmentIndex) readList(c *columnIndex) (p *index.Postings, size int, err error) {
	data, release, err := x.seg.lake.db.Block(x.seg.cat.Number, blockPostings, c.place)
	defer release()
	if err != nil {
		return nil, 0, x.seg.fault(err)
	}
	if p, err = index.OpenPostings(bytes.Clone(data)); err != nil {
		return nil, 0, x.seg.fault(fmt.Errorf("%w: postings block %d: %w", errDamagedIndex, c.place, err))
	}
	return p, len(data), nil
}

const (
	// keptPostings is added to the place of a column to number its postings in the cache, beside pages
	// of filters, of which all numbers are smaller.
	keptPostings = 1 << 31
	// postingsTables is about what opened postings need for decoding.
	postingsTables = 8 << 10
)

// findIdentity looks for events with an identity in the segment. It calls fn with
// the row of each until fn returns false.
func (s *sealed) findIdentity(ctx context.Context, id event.Identity, fn func(row int) (more bool, err error)) error {
	block, maybe, err := s.probeIdentity(identityHash(id))
	if err != nil || !maybe {
		return err
	}
	from, to := 0, int(s.cat.Rows)
	if block != index.AnyBlock {
		from = min(block*segment.BlockRows, to)
		to = min(from+segment.BlockRows, to)
	}
	r, err := s.reader(ctx)
	if err != nil {
		return err
	}
	for ; from < to; from += segment.BlockRows {
		err := eachIdentity(ctx, r, from, min(from+segment.BlockRows, to), id, fn)
		if err == errStop {
			return nil
		}
		if err != nil {
			return s.fault(fmt.Errorf("looking for event %s: %w", id, err))
		}
	}
	return nil
}

// errStop ends a walk.
var errStop = errors.New("stop")

// eachIdentity finds the rows of a block of rows that have an identity.
func eachIdentity(ctx context.Context, r *segment.Reader, from, to int, id event.Identity, fn func(row int) (bool, error)) error {
	if id.Kind == event.ByContent {
		// Rare: the event has no ID, so its bytes are looked for.
		return r.Records(ctx, segment.Range(from, to), func(row int, rec []byte) error {
			var ev event.Event
			leaf := event.LeafHash(rec)
			if !bytes.Equal(leaf[:len(id.Key)], id.Key[:]) || event.Parse(rec, &ev) != nil || ev.ID != nil {
				return nil
			}
			return more(fn(row))
		})
	}
	for _, name := range [...]string{"eventID", "eventId"} {
		p, ok, err := r.Lookup(ctx, []string{name})
		if err != nil {
			return err
		}
		if !ok {
			continue
		}
		if id.Kind == event.ByUUID {
			// Only one text stands for the key: it is found without reading the others.
			rows, ok, err := r.Equal(ctx, p, []string{id.UUID()}, from/segment.BlockRows, nil)
			if err != nil {
				return err
			}
			if ok {
				for _, row := range rows {
					if err := more(fn(int(row))); err != nil {
						return err
					}
				}
				continue
			}
		}
		v, err := r.Text(ctx, p, segment.Range(from, to))
		if err != nil {
			return err
		}
		for i := range v.Len {
			if v.IsNull(i) {
				continue
			}
			leaf, j := v.Leaf(i)
			if sameIdentity(leaf.Str[j], id) {
				if err := more(fn(from + i)); err != nil {
					return err
				}
			}
		}
	}
	return nil
}

func more(ok bool, err error) error {
	if err == nil && !ok {
		return errStop
	}
	return err
}

// sameIdentity reports whether an event ID has an identity. Texts of another
// length than a UUID's need not be hashed for one.
func sameIdentity(text string, id event.Identity) bool {
	if id.Kind == event.ByUUID && len(text) != 36 {
		return false
	}
	return text != "" && event.IdentityOf([]byte(text)) == id
}

// onlyStrings reports whether all scalar values at a place are strings of its own
// column: not numbers, and not inside the text of an object that was too large to
// be taken apart.
func onlyStrings(ctx context.Context, r *segment.Reader, place []string) (bool, error) {
	for n := 1; n <= len(place); n++ {
		p, ok, err := r.Lookup(ctx, place[:n])
		if err != nil || !ok {
			return false, err
		}
		columns, err := r.Columns(ctx, p)
		if err != nil {
			return false, err
		}
		for _, c := range columns {
			if n < len(place) && (c.Kind == segment.Object || c.Kind == segment.Array) || n == len(place) && c.Kind != segment.String {
				return false, nil
			}
		}
	}
	return true, nil
}
