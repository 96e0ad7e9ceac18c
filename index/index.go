// Package index finds rows inside one segment without reading its columns:
// postings for dictionary columns, membership filters for columns whose values
// are nearly all different. It knows codes, hashes, rows and blocks of rows;
// what a value looks like, and where the bytes are kept, is its caller's.
//
// # Postings
//
// Postings list, for the rarer codes of a dictionary column, the rows that hold
// them. Frequent values are not listed: reading the codes is faster for them
// and costs no space.
//
//	data, err := index.BuildPostings(codes, nil, distinct, rows, index.PostingsOptions{})
//	p, err := index.OpenPostings(data)    // keeps data
//	set, listed, err := p.Rows(code)      // not listed: scan the codes
//
// All numbers are little-endian, bit fields begin at the low end of each byte:
//
//	 0  4  "CPST"
//	 4  1  format version, 1
//	 5  1  g: lists name units of 2^g rows
//	 6  2  zero
//	 8  4  number of rows of the segment
//	12  4  number of codes
//	16  4  codes in more rows than this are not listed
//	20  4  length of the lists in bits
//	24     three code tables: for numbers of units, first units, gaps; each
//	         4 bits per symbol, the length of its canonical prefix code (0 to
//	         8), then filled up to a byte. The first table has n+2 symbols,
//	         the others n+1; n is the length in bits of the number of units
//	       offsets: for every 32nd code, the bit at which its list begins among
//	         the lists, in as many bits as the length of the lists is long,
//	         then filled up to a byte
//	       lists, one per code, then filled up to a byte
//	end-8  8  xxhash64 of all before
//
// A list is its number of units, the first unit, and the gaps between units,
// less one, each as a symbol. In the first table, symbol 0 is a code that is not
// listed, 1 one without rows, k+1 a number of k bits; in the others, symbol k is
// a number of k bits. After the symbol of a number of k bits come the k-1 bits
// below its highest. From 64 units on, their number is followed by the length
// in bits of what comes after, so that the list can be passed over, in 6 bits
// more than the number of units has.
//
// That adapts to every column by itself: a row of a value that occurs once
// costs 16 bits and a fraction for the code, rows that lie close together cost a
// few bits each. Roaring containers take 2 bytes a row and 8 or more for each
// value; roaring bitmaps are what evaluation works on. Measured on 65,536 rows
// of made-up columns, in bytes per listed row (BenchmarkPostings prints these;
// varint gaps are counted without saying where each list begins):
//
//	                                      here   varint gaps   roaring
//	200 values, skewed                    1.36          1.78      2.14
//	2,000 values, skewed                  1.66          1.99      2.95
//	2,000 values, skewed, in bursts       0.66          1.07      2.31
//	20,000 values, skewed                 1.93          2.35      5.74
//	20,000 values, skewed, in bursts      0.87          1.20      2.89
//	32,768 values, two rows each          2.17          2.88      8.93
//
// The second of them takes 0.83 bytes per row of the segment, since frequent
// values are not listed, and 0.45 with units of 64 rows. Building takes 8 to 32
// ns a row, reading the list of one code 0.5 to 4 µs.
//
// # Filters
//
// A filter answers, for a value of a near-unique column (identifiers, keys,
// addresses), "not in this segment" or "look into this block of rows". It is
// partitioned by hash into pages of some 4,096 keys, each with its own
// checksum, so that looking for one value in many segments reads one page of
// 6.5 KB of each.
//
//	pages, err := index.BuildFilter(keys, index.FilterOptions{})
//	n := index.PageOf(hash, len(pages))
//	page, err := index.OpenFilterPage(pages[n])  // keeps the bytes
//	block, maybe, err := page.Probe(hash)        // AnyBlock: several blocks have it
//
// A page is a solved system of linear equations over bits (a ribbon filter):
// each key picks 64 neighbouring rows and a pattern over them by its hash, and
// the rows are chosen such that the pattern's rows, added up, give the number
// that belongs to the key: fingerprint × (blocks+1) + block, where block =
// blocks stands for several. A key that was never put in gets a random number,
// whose fingerprint is right for 17 in 4,096. Hash, PageOf, and what a key asks
// for (spread and equation, below) are part of the format.
//
//	 0  4  "CFLT"
//	 4  1  format version, 1
//	 5  1  kind: 0 ribbon, 1 list
//	 6  1  w, bits per number
//	 7  1  number of blocks
//	 8  4  number of this page
//	12  4  number of pages
//	16  4  number of keys
//	20  4  seed
//	24     ribbon: for every 64 rows w words of 8 bytes, bit r of word b being
//	       bit b of row r
//	       list: per key 4 bytes, hash (24 bits) × 256 + block, ascending
//	end-8  8  xxhash64 of all before
//
// The list is for the few keys of small segments, where it is smaller, and for
// a page for which no seed gives a solvable system, so that building always
// ends.
//
// Why this one, measured with 65,536 keys in 16 blocks (BenchmarkFilter; the
// others are those of github.com/FastFilter/xorfilter). A needle is a value that
// is looked for in one segment; wrong is how often an absent one is answered
// with maybe:
//
//	                             bytes/key    wrong   read for a needle
//	ribbon, 12 bits                   1.58    0.4 %     1 page, 6.5 KB
//	ribbon, 10 bits                   1.32    1.7 %     1 page, 5.4 KB
//	binary fuse, 12 bits              2.07    0.4 %     1 page, 8.5 KB
//	binary fuse of 8 bits per block   1.38    6.2 %   16 pages, 90 KB
//
// Building takes 90 ns a key, as the fuse filters do; opening a page 0.8 µs,
// nearly all of it the checksum; probing 80 ns.
//
// # Concurrency
//
// Building keeps nothing. Opened postings and pages are read-only and may be
// shared by goroutines. They keep the bytes they were opened on, which must not
// change.
//
// Damaged bytes give *CorruptError. The checksum is compared when opening;
// whatever passes it is still checked while decoding, so that hostile bytes
// with a right checksum cannot crash the reader or make it take memory beyond a
// small multiple of their size.
package index

import (
	"encoding/binary"
	"fmt"

	"github.com/cespare/xxhash/v2"
)

var le = binary.LittleEndian

// checksumLen is what the xxhash64 at the end of each part takes.
const checksumLen = 8

// formatVersion of postings and filter pages.
const formatVersion = 1

// CorruptError is damage in postings or a filter page. Whoever stored the bytes
// adds where.
type CorruptError struct {
	Part     string // "postings" or "filter page"
	Offset   int    // where in the bytes that were opened
	Expected string
	Found    string
}

func (e *CorruptError) Error() string {
	return fmt.Sprintf("%s damaged at byte %d: expected %s, found %s", e.Part, e.Offset, e.Expected, e.Found)
}

// checkEnvelope checks what both parts have in common: size, magic, version and
// checksum, in this order.
func checkEnvelope(part string, data []byte, magic string, headerLen int) error {
	if len(data) < headerLen+checksumLen {
		return &CorruptError{part, len(data), fmt.Sprintf("at least %d bytes", headerLen+checksumLen), fmt.Sprint(len(data))}
	}
	if string(data[:4]) != magic {
		return &CorruptError{part, 0, fmt.Sprintf("%q", magic), fmt.Sprintf("%q", data[:4])}
	}
	if data[4] != formatVersion {
		return &CorruptError{part, 4, fmt.Sprintf("format version %d, the newest this program reads", formatVersion), fmt.Sprint(data[4])}
	}
	body := data[:len(data)-checksumLen]
	if sum, stored := xxhash.Sum64(body), le.Uint64(data[len(body):]); sum != stored {
		return &CorruptError{part, len(body), fmt.Sprintf("checksum %016x", sum), fmt.Sprintf("%016x", stored)}
	}
	return nil
}

// appendChecksum ends a part that begins at dst[from].
func appendChecksum(dst []byte, from int) []byte {
	return le.AppendUint64(dst, xxhash.Sum64(dst[from:]))
}
