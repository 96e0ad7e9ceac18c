package index

import (
	"bytes"
	"cmp"
	"fmt"
	"math/bits"
	"slices"
	"sync"

	"github.com/cespare/xxhash/v2"
)

const (
	filterMagic     = "CFLT"
	filterPart      = "filter page"
	filterHeaderLen = 24

	kindRibbon = 0
	kindList   = 1

	// AnyBlock is the block that Probe gives for a key that is in several
	// blocks: look into all of them.
	AnyBlock = -1

	// KeysPerPage is how many keys a page is meant to hold: 6.5 KB by default,
	// about what the store below reads at once.
	KeysPerPage = 4096

	// DefaultBlocks is the number of blocks of a segment of 65,536 rows.
	DefaultBlocks = 65536 / BlockRows

	// MaxBlocks is the largest number of blocks: one number of a byte is kept
	// for "several".
	MaxBlocks = 255

	// DefaultBits per key: with 16 blocks, one absent key in 241 is answered
	// with maybe. Each bit less saves 0.13 bytes per key and doubles that.
	DefaultBits = 12

	// MaxBits bounds what a page spends on a key; beyond it the error rate does
	// not matter to anybody.
	MaxBits = 24

	// MaxKeys bounds the keys of a filter, far above the rows of any segment.
	MaxKeys = 1 << 28

	// ribbon is the number of neighbouring rows that a key picks from: what fits
	// a machine word.
	ribbon = 64

	// A page has more rows than keys, this share and number more. With 4,096
	// keys four systems in five are solvable then; each further attempt adds
	// rows.
	slackShare = 32 // keys/slackShare rows more
	slackRows  = 32

	// ribbonAttempts is how many seeds are tried before a page becomes a list.
	// Each fails with a probability below one in four, and ever smaller.
	ribbonAttempts = 32

	listKeyLen = 4
)

// Key is one value of a near-unique column.
type Key struct {
	Hash  uint64 // Hash of the value
	Block uint8  // number of the block of rows that holds it
}

// FilterOptions sizes a filter; the zero value is useful.
type FilterOptions struct {
	// Blocks is the number of blocks of rows in the segment, 1 to MaxBlocks;
	// default DefaultBlocks.
	Blocks int
	// Bits is what is stored per key, default DefaultBits, at most MaxBits. An
	// absent key is answered with maybe in (Blocks+1) of 2^Bits cases; there
	// must be room for at least two such cases.
	Bits int
}

// Hash is the hash of a value by which filters know it. It is part of the
// format and never changes.
func Hash(value []byte) uint64 { return xxhash.Sum64(value) }

// HashString is Hash of a string.
func HashString(value string) uint64 { return xxhash.Sum64String(value) }

// PageOf is the number, below pages, of the page that knows about hash. pages
// must be at least 1.
func PageOf(hash uint64, pages int) int {
	n, _ := bits.Mul64(hash, uint64(pages))
	return int(n)
}

// shape is what numbers of a page mean.
type shape struct {
	width        uint // bits of a number
	blocks       uint32
	fingerprints uint32 // how many fingerprints there are
}

func newShape(width uint, blocks uint32) shape {
	return shape{width, blocks, 1 << width / (blocks + 1)}
}

// spread turns the hash of a key into what is random about it in one page.
func spread(hash, seed uint64) uint64 {
	h := hash ^ (seed+1)*0x9e3779b97f4a7c15
	h = (h ^ h>>32) * 0xd6e8feb86659fd93
	h = (h ^ h>>32) * 0xd6e8feb86659fd93
	return h ^ h>>32
}

// equation gives where the ribbon of a key begins among rows rows, its pattern
// (bit 0 is always set) and its fingerprint.
func (s *shape) equation(h uint64, rows int) (start int, pattern uint64, fingerprint uint32) {
	hi, lo := bits.Mul64(h, uint64(rows-ribbon+1))
	p := (h ^ 0xa0761d6478bd642f) * 0xe7037ed1a0b428db
	p ^= p >> 29
	f, _ := bits.Mul32(uint32(lo>>20)*0x9e3779b1, s.fingerprints)
	return int(hi), p | 1, f
}

// filterScratch is memory used while building.
type filterScratch struct {
	keys  []Key   // by page
	ends  []int   // of the pages in keys
	table []int32 // open hash table of the keys of one page: index + 1
	slots []slot
}

// slot is an equation whose pattern begins at its place.
type slot struct {
	pattern uint64
	number  uint32
}

var filterScratches = sync.Pool{New: func() any { return new(filterScratch) }}

// BuildFilter builds the pages of a filter. Keys come in any order and may
// repeat, in one block or in several. The same keys always give the same bytes.
// No keys, no pages: nothing is there then.
func BuildFilter(keys []Key, opts FilterOptions) (pages [][]byte, err error) {
	if opts.Blocks == 0 {
		opts.Blocks = DefaultBlocks
	}
	if opts.Bits == 0 {
		opts.Bits = DefaultBits
	}
	if opts.Blocks < 1 || opts.Blocks > MaxBlocks {
		return nil, fmt.Errorf("building a filter: %d blocks, from 1 to %d can be", opts.Blocks, MaxBlocks)
	}
	if opts.Bits < 1 || opts.Bits > MaxBits || 1<<opts.Bits < 2*(opts.Blocks+1) {
		return nil, fmt.Errorf("building a filter: %d bits per key for %d blocks, at most %d bits and 2^bits at least twice the blocks can be", opts.Bits, opts.Blocks, MaxBits)
	}
	if len(keys) > MaxKeys {
		return nil, fmt.Errorf("building a filter: %d keys, at most %d can be", len(keys), MaxKeys)
	}
	if len(keys) == 0 {
		return nil, nil
	}
	s := newShape(uint(opts.Bits), uint32(opts.Blocks))
	b := filterScratches.Get().(*filterScratch)
	defer filterScratches.Put(b)

	// Sort the keys by page.
	count := (len(keys) + KeysPerPage - 1) / KeysPerPage
	b.ends = append(b.ends[:0], make([]int, count+1)...)
	for i := range keys {
		if int(keys[i].Block) >= opts.Blocks {
			return nil, fmt.Errorf("building a filter: key %d is in block %d of %d", i, keys[i].Block, opts.Blocks)
		}
		b.ends[PageOf(keys[i].Hash, count)+1]++
	}
	for p := range count {
		b.ends[p+1] += b.ends[p]
	}
	b.keys = slices.Grow(b.keys[:0], len(keys))[:len(keys)]
	for _, k := range keys {
		p := PageOf(k.Hash, count)
		b.keys[b.ends[p]] = k
		b.ends[p]++
	}

	pages = make([][]byte, count)
	from := 0
	for p := range pages {
		pages[p] = b.page(s, b.keys[from:b.ends[p]], p, count)
		from = b.ends[p]
	}
	return pages, nil
}

// distinct keeps one of each key; one that is in several blocks gets the block
// number that says so.
func (b *filterScratch) distinct(keys []Key, several uint8) []Key {
	size := 1 << bits.Len(uint(2*len(keys)))
	b.table = slices.Grow(b.table[:0], size)[:size]
	clear(b.table)
	mask := uint64(size - 1)
	n := 0
	for _, k := range keys {
		// The low bits: the high ones are alike within a page.
		at := k.Hash & mask
		for b.table[at] != 0 && keys[b.table[at]-1].Hash != k.Hash {
			at = (at + 1) & mask
		}
		if i := b.table[at]; i != 0 {
			if keys[i-1].Block != k.Block {
				keys[i-1].Block = several
			}
			continue
		}
		keys[n] = k
		n++
		b.table[at] = int32(n)
	}
	return keys[:n]
}

// page encodes one page. It reorders keys.
func (b *filterScratch) page(s shape, keys []Key, number, count int) []byte {
	keys = b.distinct(keys, uint8(s.blocks))
	n := len(keys)
	rows := roundUp(n+n/slackShare+slackRows, 64)
	data := make([]byte, 0, filterHeaderLen+rows/8*int(s.width)+checksumLen)
	header := func(kind byte, seed uint32) {
		data = append(data[:0], filterMagic...)
		data = append(data, formatVersion, kind, byte(s.width), byte(s.blocks))
		data = le.AppendUint32(data, uint32(number))
		data = le.AppendUint32(data, uint32(count))
		data = le.AppendUint32(data, uint32(n))
		data = le.AppendUint32(data, seed)
	}
	if n*listKeyLen > rows/8*int(s.width) {
		for seed := range uint32(ribbonAttempts) {
			if b.solve(s, keys, uint64(seed), rows) {
				header(kindRibbon, seed)
				return appendChecksum(b.appendRows(data, s, rows), 0)
			}
			rows = roundUp(rows+rows/64, 64)
		}
	}
	header(kindList, 0)
	return appendChecksum(appendList(data, s, keys), 0)
}

func roundUp(n, to int) int { return (n + to - 1) / to * to }

// solve brings the equations of the keys into an order in which they can be
// solved one after the other, or reports that this seed leaves none. Gaussian
// elimination: an equation settles at the first row of its pattern that no
// other has settled at; those it meets are added to it, which moves its first
// row on.
func (b *filterScratch) solve(s shape, keys []Key, seed uint64, rows int) bool {
	b.slots = slices.Grow(b.slots[:0], rows)[:rows]
	clear(b.slots)
	slots := b.slots
	for i := range keys {
		at, pattern, fingerprint := s.equation(spread(keys[i].Hash, seed), rows)
		number := fingerprint*(s.blocks+1) + uint32(keys[i].Block)
		for {
			slot := &slots[at]
			if slot.pattern == 0 {
				slot.pattern, slot.number = pattern, number
				break
			}
			pattern ^= slot.pattern
			number ^= slot.number
			if pattern == 0 {
				if number == 0 {
					break // it says what others say together
				}
				return false
			}
			skip := bits.TrailingZeros64(pattern)
			at += skip
			pattern >>= skip
		}
	}
	return true
}

// appendRows solves what solve has brought into order, from the last row to the
// first, and writes the rows bit by bit across each 64.
func (b *filterScratch) appendRows(dst []byte, s shape, rows int) []byte {
	width := int(s.width)
	from := len(dst)
	dst = slices.Grow(dst, rows/8*width)[:from+rows/8*width]
	// Bit r of window[i] is bit i of row at+r. A row is what its equation asks,
	// less the rows behind it in the pattern; rows that none settled at are 0.
	var window [MaxBits]uint64
	for at := rows - 1; at >= 0; at-- {
		pattern, number := b.slots[at].pattern, uint64(b.slots[at].number)
		for i := range window[:width] {
			behind := window[i] << 1
			window[i] = behind | (uint64(bits.OnesCount64(behind&pattern))^number>>i)&1
		}
		if at%64 == 0 {
			words := dst[from+at/8*width:]
			for i, w := range window[:width] {
				le.PutUint64(words[i*8:], w)
			}
		}
	}
	return dst
}

func listTag(hash uint64) uint32 { return uint32(spread(hash, 0)>>40) << 8 }

// appendList writes keys as a list.
func appendList(dst []byte, s shape, keys []Key) []byte {
	list := make([]uint32, len(keys))
	for i, k := range keys {
		list[i] = listTag(k.Hash) | uint32(k.Block)
	}
	slices.Sort(list)
	// Keys whose 24 bits agree are one, in their block or in several.
	n := 0
	for _, e := range list {
		if n > 0 && list[n-1]>>8 == e>>8 {
			if list[n-1] != e {
				list[n-1] = e&^0xff | s.blocks
			}
			continue
		}
		list[n] = e
		n++
	}
	for _, e := range list[:n] {
		dst = le.AppendUint32(dst, e)
	}
	return dst
}

// FilterPage is an opened page of a filter. It is a small value that refers to
// the page's bytes; the zero FilterPage knows nothing.
type FilterPage struct {
	shape  shape
	list   bool
	seed   uint64
	rows   int
	number int
	count  int
	body   []byte
}

// OpenFilterPage checks a page and keeps it.
func OpenFilterPage(page []byte) (FilterPage, error) {
	if err := checkEnvelope(filterPart, page, filterMagic, filterHeaderLen); err != nil {
		return FilterPage{}, err
	}
	body := page[filterHeaderLen : len(page)-checksumLen]
	kind, width, blocks := page[5], uint(page[6]), uint32(page[7])
	p := FilterPage{
		list:   kind == kindList,
		number: int(le.Uint32(page[8:])),
		count:  int(le.Uint32(page[12:])),
		seed:   uint64(le.Uint32(page[20:])),
		body:   body,
	}
	switch {
	case kind > kindList:
		return FilterPage{}, &CorruptError{filterPart, 5, "a known kind of page", fmt.Sprint(kind)}
	case width > MaxBits:
		return FilterPage{}, &CorruptError{filterPart, 6, fmt.Sprintf("at most %d bits per key", MaxBits), fmt.Sprint(width)}
	case blocks == 0 || 1<<width < 2*(blocks+1):
		return FilterPage{}, &CorruptError{filterPart, 7, fmt.Sprintf("a number of blocks that fits %d bits", width), fmt.Sprint(blocks)}
	case p.number >= p.count:
		return FilterPage{}, &CorruptError{filterPart, 8, fmt.Sprintf("a page of %d", p.count), fmt.Sprint(p.number)}
	case p.list && len(body)%listKeyLen != 0:
		return FilterPage{}, &CorruptError{filterPart, filterHeaderLen, fmt.Sprintf("a multiple of %d bytes", listKeyLen), fmt.Sprint(len(body))}
	case !p.list && (len(body) == 0 || len(body)%(8*int(width)) != 0):
		return FilterPage{}, &CorruptError{filterPart, filterHeaderLen, fmt.Sprintf("a multiple of %d bytes", 8*width), fmt.Sprint(len(body))}
	}
	p.shape = newShape(width, blocks)
	if !p.list {
		p.rows = len(body) / (8 * int(width)) * 64
	}
	return p, nil
}

// Probe says whether the value with this hash may be in the segment, and if so
// in which block of rows, or AnyBlock. It is an error to ask the wrong page.
func (p *FilterPage) Probe(hash uint64) (block int, maybe bool, err error) {
	if p.count == 0 || PageOf(hash, p.count) != p.number {
		return 0, false, fmt.Errorf("probing page %d of %d of a filter for a hash of page %d", p.number, p.count, PageOf(hash, max(p.count, 1)))
	}
	var found uint32
	if p.list {
		found, maybe = p.probeList(listTag(hash))
	} else {
		found, maybe = p.probeRibbon(spread(hash, p.seed))
	}
	if !maybe {
		return 0, false, nil
	}
	if found >= p.shape.blocks {
		return AnyBlock, true, nil
	}
	return int(found), true, nil
}

func (p *FilterPage) probeList(tag uint32) (block uint32, maybe bool) {
	n := len(p.body) / listKeyLen
	lo, hi := 0, n
	for lo < hi {
		at := int(uint(lo+hi) >> 1)
		e := le.Uint32(p.body[at*listKeyLen:])
		switch cmp.Compare(e>>8, tag>>8) {
		case -1:
			lo = at + 1
		case 1:
			hi = at
		default:
			return e & 0xff, true
		}
	}
	return 0, false
}

func (p *FilterPage) probeRibbon(h uint64) (block uint32, maybe bool) {
	start, pattern, fingerprint := p.shape.equation(h, p.rows)
	width := int(p.shape.width)
	shift := uint(start) % 64
	words := p.body[start/64*width*8:]
	// The ribbon lies in one group of 64 rows or across two. If in one, the
	// other, which may not exist, is shifted out.
	next := words[:width*8]
	if shift != 0 {
		next = words[width*8:][:width*8]
	}
	words = words[:width*8]
	number := uint32(0)
	for b := range width {
		w := le.Uint64(words[b*8:])>>shift | le.Uint64(next[b*8:])<<(64-shift)
		number |= uint32(bits.OnesCount64(w&pattern)&1) << b
	}
	block = number % (p.shape.blocks + 1)
	return block, number/(p.shape.blocks+1) == fingerprint
}

// VerifyFilter compares the pages of a filter with the keys that it is of, in
// any order. A difference is *CorruptError.
func VerifyFilter(pages [][]byte, keys []Key) error {
	var opts FilterOptions
	for i, data := range pages {
		page, err := OpenFilterPage(data)
		if err != nil {
			return fmt.Errorf("verifying page %d of a filter: %w", i, err)
		}
		if page.number != i || page.count != len(pages) {
			return &CorruptError{filterPart, 8, fmt.Sprintf("page %d of %d", i, len(pages)), fmt.Sprintf("page %d of %d", page.number, page.count)}
		}
		if i == 0 {
			opts = FilterOptions{Blocks: int(page.shape.blocks), Bits: int(page.shape.width)}
		}
	}
	want, err := BuildFilter(keys, opts)
	if err != nil {
		return &CorruptError{filterPart, 4, "the filter of these keys", err.Error()}
	}
	if len(want) != len(pages) {
		return &CorruptError{filterPart, 0, fmt.Sprintf("%d pages for %d keys", len(want), len(keys)), fmt.Sprint(len(pages))}
	}
	for i := range want {
		if !bytes.Equal(want[i], pages[i]) {
			at := 0
			for at < min(len(want[i]), len(pages[i])) && want[i][at] == pages[i][at] {
				at++
			}
			return &CorruptError{filterPart, at, fmt.Sprintf("page %d as it is of its keys", i), "another"}
		}
	}
	return nil
}
