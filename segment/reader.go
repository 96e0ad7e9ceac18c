package segment

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"sync"
	"sync/atomic"
)

// BlockSource gives the stored blocks of one segment. It must be safe for
// concurrent use. data is read-only and valid until release is called; release is never nil when
// err is nil. A block that is not there is an error.
type BlockSource interface {
	Block(ctx context.Context, id uint32) (data []byte, release func(), err error)
}

// ReadOptions are the options of [Open].
type ReadOptions struct {
	// Cache holds decoded parts; it is meant to be shared by all readers.
	// nil gives the reader one of its own of [DefaultCacheBytes].
	Cache *Cache
	// Name is what errors call the segment.
	Name string
	// VerifyOnce is for sources that verify what they read from disk themselves: a
	// block's checksum is then verified when the block is first met, and not each
	// time that it comes from the source's memory.
	VerifyOnce bool
}

// CorruptionError says what is damaged. The blocks themselves are never changed.
type CorruptionError struct {
	Segment string // ReadOptions.Name
	Block   uint32 // the block that holds the damage, or −1 as MaxUint32 when several blocks disagree
	Reason  string
}

func (e *CorruptionError) Error() string {
	where := "segment"
	if e.Segment != "" {
		where += " " + e.Segment
	}
	if e.Block != noBlock {
		where += ", block " + strconv.FormatUint(uint64(e.Block), 10)
	}
	return where + " is damaged: " + e.Reason
}

const noBlock = 1<<32 - 1

// Reader reads a sealed segment. It keeps little in memory itself; what it
// decodes goes to the cache. It is safe for concurrent use.
type Reader struct {
	src      BlockSource
	cache    *Cache
	name     string
	number   uint64
	rows     int
	rawBytes int64
	verified []atomic.Uint64 // with VerifyOnce: a bit per block
	invented struct {        // paths that Lookup found only possible; see PathID
		sync.Mutex
		paths []inventedPath
	}
}

// Open reads and verifies block 0. The others are read, and verified, when
// they are needed.
func Open(ctx context.Context, src BlockSource, o ReadOptions) (*Reader, error) {
	r := &Reader{src: src, cache: o.Cache, name: o.Name, number: readerNumbers.Add(1)}
	if r.cache == nil {
		r.cache = NewCache(DefaultCacheBytes)
	}
	block, release, err := src.Block(ctx, 0)
	if err != nil {
		return nil, fmt.Errorf("opening segment %s: reading block 0: %w", r.name, err)
	}
	defer release()
	body, err := openBlock(block)
	if err == nil {
		r.rows, r.rawBytes, _, err = readHeader(body)
	}
	if err != nil {
		return nil, r.damaged(0, err)
	}
	if o.VerifyOnce {
		d, err := readDirectory(block)
		if err != nil {
			return nil, r.damaged(0, err)
		}
		r.verified = make([]atomic.Uint64, len(d.blocks)/64+1)
		r.cache.put(r.key(cachedDirectory, 0), d, d.size)
	}
	return r, nil
}

// Aside returns a reader of the same segment that keeps what it decodes in a small cache of its
// own, which goes with it: for a pass over all of a segment, which would drive out of
// the shared cache what every query needs. It may be used as long as r, and is not closed.
func (r *Reader) Aside() *Reader {
	a := &Reader{src: r.src, cache: NewCache(asideCacheBytes), name: r.name, number: readerNumbers.Add(1), rows: r.rows, rawBytes: r.rawBytes, verified: r.verified}
	// What every pass needs is not read again.
	if d, ok := r.cache.get(r.key(cachedDirectory, 0)).(*directory); ok {
		a.cache.put(a.key(cachedDirectory, 0), d, d.size)
		if s, ok := r.cache.get(r.key(cachedStructure, 0)).(*structure); ok && s.d == d {
			a.cache.put(a.key(cachedStructure, 0), s, s.size())
		}
	}
	return a
}

// asideCacheBytes holds the directory and shapes of a segment and what a few columns need.
const asideCacheBytes = 16 << 20

// Close removes from the cache what this reader put there. The reader must not be used any more.
func (r *Reader) Close() { r.cache.drop(r.number) }

// Forget removes from the cache what this reader put there. It can be used further, and
// then puts there again what it reads.
func (r *Reader) Forget() { r.cache.drop(r.number) }

// Rows returns the number of records.
func (r *Reader) Rows() int { return r.rows }

// RawBytes returns the sum of their lengths.
func (r *Reader) RawBytes() int64 { return r.rawBytes }

func (r *Reader) damaged(block uint32, err error) error {
	return &CorruptionError{Segment: r.name, Block: block, Reason: err.Error()}
}

func (r *Reader) key(what, number uint32) cacheKey {
	return cacheKey{reader: r.number, what: what, number: number}
}

// directory returns block 0 in memory.
func (r *Reader) directory(ctx context.Context) (*directory, error) {
	k := r.key(cachedDirectory, 0)
	if d, ok := r.cache.get(k).(*directory); ok {
		return d, nil
	}
	block, release, err := r.src.Block(ctx, 0)
	if err != nil {
		return nil, fmt.Errorf("reading the directory of segment %s: %w", r.name, err)
	}
	defer release()
	d, err := readDirectory(block)
	if err == nil && (d.rows != r.rows || d.rawBytes != r.rawBytes) {
		err = errors.New("block 0 is not the one that was opened")
	}
	if err != nil {
		return nil, r.damaged(0, err)
	}
	return r.cache.put(k, d, d.size).(*directory), nil
}

// structure returns literals and shapes.
func (r *Reader) structure(ctx context.Context, d *directory) (*structure, error) {
	k := r.key(cachedStructure, 0)
	if s, ok := r.cache.get(k).(*structure); ok && s.d == d {
		return s, nil
	}
	edges, release, err := r.page(ctx, d, pageEdges)
	if err != nil {
		return nil, err
	}
	defer release()
	shapes, release2, err := r.page(ctx, d, pageShapes)
	if err != nil {
		return nil, err
	}
	defer release2()
	s, err := readStructure(d, edges, shapes)
	if err != nil {
		return nil, r.damaged(d.block(pageEdges), err)
	}
	return r.cache.put(k, s, s.size()).(*structure), nil
}

func (d *directory) block(page uint32) uint32 {
	b, _, _ := d.find(page)
	return b
}

// rowShapes returns the shape of every row of a row block.
func (r *Reader) rowShapes(ctx context.Context, d *directory, b int) ([]uint16, error) {
	k := r.key(cachedRows, uint32(b))
	if s, ok := r.cache.get(k).([]uint16); ok {
		return s, nil
	}
	page, release, err := r.page(ctx, d, uint32(pageRows+b))
	if err != nil {
		return nil, err
	}
	defer release()
	n := min(BlockRows, r.rows-b*BlockRows)
	codes, err := openCodes(page, n, d.shapes, nil)
	if err != nil {
		return nil, r.damaged(d.block(uint32(pageRows+b)), fmt.Errorf("shapes of rows: %w", err))
	}
	wide := make([]uint32, n)
	if err := codes.read(wide, 0); err != nil {
		return nil, r.damaged(d.block(uint32(pageRows+b)), fmt.Errorf("shapes of rows: %w", err))
	}
	s := make([]uint16, n)
	for i, c := range wide {
		s[i] = uint16(c)
	}
	return r.cache.put(k, s, int64(2*n)).([]uint16), nil
}

// page reads the block of a page and verifies it.
func (r *Reader) page(ctx context.Context, d *directory, page uint32) ([]byte, func(), error) {
	id, from, to := d.find(page)
	body, release, err := r.block(ctx, id)
	if err != nil {
		return nil, nil, err
	}
	if to > uint64(len(body)) {
		release()
		return nil, nil, r.damaged(id, fmt.Errorf("%d bytes, page %d should end at %d", len(body), page, to))
	}
	return body[from:to:to], release, nil
}

func (r *Reader) block(ctx context.Context, id uint32) (body []byte, release func(), err error) {
	b, release, err := r.src.Block(ctx, id)
	if err != nil {
		return nil, nil, fmt.Errorf("reading block %d of segment %s: %w", id, r.name, err)
	}
	var seen *atomic.Uint64
	bit := uint64(1) << (id & 63)
	if r.verified != nil {
		if seen = &r.verified[id>>6]; seen.Load()&bit != 0 && len(b) >= checksumBytes {
			return b[:len(b)-checksumBytes], release, nil
		}
	}
	if body, err = openBlock(b); err != nil {
		release()
		return nil, nil, r.damaged(id, err)
	}
	if seen != nil {
		seen.Or(bit)
	}
	return body, release, nil
}

// bundle returns an unpacked page of tiny columns.
func (r *Reader) bundle(ctx context.Context, d *directory, page uint32) ([]byte, error) {
	k := r.key(cachedBundle, page)
	if b, ok := r.cache.get(k).([]byte); ok {
		return b, nil
	}
	p, release, err := r.page(ctx, d, page)
	if err != nil {
		return nil, err
	}
	defer release()
	b, err := unsqueezePage(p)
	if err != nil {
		return nil, r.damaged(d.block(page), fmt.Errorf("small columns: %w", err))
	}
	return r.cache.put(k, b, int64(len(b))).([]byte), nil
}

// tiny opens a tiny column.
func (r *Reader) tiny(ctx context.Context, d *directory, c *dirColumn, t *tinyColumn) error {
	b, err := r.bundle(ctx, d, c.page)
	if err != nil {
		return err
	}
	if uint64(c.at)+uint64(c.length) > uint64(len(b)) {
		return r.damaged(d.block(c.page), fmt.Errorf("small columns: %w", errPage))
	}
	if err := t.open(b[c.at:c.at+c.length:c.at+c.length], d.rowBlocks); err != nil {
		return r.damaged(d.block(c.page), fmt.Errorf("small column: %w", err))
	}
	return nil
}

// dictPage returns the entries of one page of a dictionary, raw.
func (r *Reader) dictPage(ctx context.Context, d *directory, c *dirColumn, page int) (*texts, error) {
	number := c.page + uint32(page)
	k := r.key(cachedDictPage, number)
	if t, ok := r.cache.get(k).(*texts); ok {
		return t, nil
	}
	t, err := r.readDictPage(ctx, d, c, page)
	if err != nil {
		return nil, err
	}
	return r.cache.put(k, t, int64(cap(t.data)+4*cap(t.ends))+64).(*texts), nil
}

func (r *Reader) readDictPage(ctx context.Context, d *directory, c *dirColumn, page int) (*texts, error) {
	p, release, err := r.page(ctx, d, c.page+uint32(page))
	if err != nil {
		return nil, err
	}
	defer release()
	ends := d.detail(c).ends
	n := int(ends[page])
	if page > 0 {
		n -= int(ends[page-1])
	}
	var v valuesPage
	t := &texts{ends: make([]uint32, 0, n)}
	if err = v.open(p, n); err == nil {
		err = v.all(t, 0, n)
	}
	if err != nil {
		return nil, r.damaged(d.block(c.page+uint32(page)), fmt.Errorf("dictionary of %s: %w", d.name(c), err))
	}
	return t, nil
}

// name says which column c is, for errors.
func (d *directory) name(c *dirColumn) string {
	steps, _ := d.path(c.node)
	s := ""
	for i, k := range steps {
		if i > 0 && k != "[]" {
			s += "."
		}
		s += k
	}
	if s == "" {
		s = "whole records"
	}
	return s
}

// pageOf returns the page that holds item i when pages end at ends, and where it begins.
func pageOf(ends []uint32, i uint32) (page int, from uint32) {
	lo, hi := 0, len(ends)-1
	for lo < hi {
		m := (lo + hi) / 2
		if ends[m] > i {
			hi = m
		} else {
			lo = m + 1
		}
	}
	if lo > 0 {
		from = ends[lo-1]
	}
	return lo, from
}
