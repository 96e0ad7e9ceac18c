package index

import (
	"fmt"
	"math/rand/v2"
	"testing"

	"github.com/FastFilter/xorfilter"
	"github.com/RoaringBitmap/roaring/v2"
)

// segmentRows is the number of rows of a segment as the figures in the package
// comment are for.
const segmentRows = 65536

// benchColumns are dictionary columns as audit events have them.
func benchColumns() []struct {
	name string
	column
} {
	rng := rand.New(rand.NewPCG(3, 4))
	type named = struct {
		name string
		column
	}
	var all []named
	for _, c := range []struct {
		name            string
		distinct, burst int
	}{
		{"names/200", 200, 1},
		{"principals/2000", 2000, 1},
		{"principals/2000/bursts", 2000, 30},
		{"addresses/20000", 20000, 1},
		{"addresses/20000/bursts", 20000, 10},
	} {
		all = append(all, named{c.name, zipfColumn(rng, segmentRows, c.distinct, c.burst)})
	}
	each := column{distinct: segmentRows / 2, rows: segmentRows, codes: make([]uint32, segmentRows)}
	for i := range each.codes {
		each.codes[i] = uint32(rng.IntN(each.distinct))
	}
	return append(all, named{"keys/uniform", each})
}

// BenchmarkPostings builds, sizes and reads postings.
func BenchmarkPostings(b *testing.B) {
	for _, c := range benchColumns() {
		for _, grain := range []int{1, 64} {
			b.Run(fmt.Sprintf("build/%s/grain=%d", c.name, grain), func(b *testing.B) {
				var data []byte
				for b.Loop() {
					var err error
					if data, err = BuildPostings(c.codes, nil, c.distinct, c.rows, PostingsOptions{Grain: grain}); err != nil {
						b.Fatal(err)
					}
				}
				listed := 0
				asRoaring, asVarint := 0, 0
				for _, l := range c.rowsOf() {
					if len(l) == 0 || len(l) > c.rows/256 {
						continue
					}
					listed += len(l)
					set := roaring.BitmapOf(l...)
					asRoaring += int(set.GetSerializedSizeInBytes())
					asVarint++
					last := uint32(0)
					for _, r := range l {
						for d := r - last; d >= 128; d >>= 7 {
							asVarint++
						}
						asVarint++
						last = r
					}
				}
				b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/float64(c.rows), "ns/row")
				b.ReportMetric(float64(len(data))/float64(c.rows), "B/row")
				b.ReportMetric(float64(len(data))/float64(listed), "B/listed")
				b.ReportMetric(float64(asVarint)/float64(listed), "varint-B/listed")
				b.ReportMetric(float64(asRoaring)/float64(listed), "roaring-B/listed")
				b.ReportMetric(float64(listed)/float64(c.rows), "listed/row")
			})
		}
		p, data := c.build(b, PostingsOptions{})
		b.Run("rows/"+c.name, func(b *testing.B) {
			code := uint32(0)
			b.ReportAllocs()
			for b.Loop() {
				if _, _, err := p.Rows(code); err != nil {
					b.Fatal(err)
				}
				code = (code + 7919) % uint32(c.distinct)
			}
		})
		b.Run("union/all/"+c.name, func(b *testing.B) {
			codes := make([]uint32, c.distinct)
			for i := range codes {
				codes[i] = uint32(i)
			}
			for b.Loop() {
				if _, _, err := p.Union(codes); err != nil {
					b.Fatal(err)
				}
			}
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/float64(c.distinct), "ns/code")
		})
		b.Run("open/"+c.name, func(b *testing.B) {
			b.SetBytes(int64(len(data)))
			for b.Loop() {
				if _, err := OpenPostings(data); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

// BenchmarkFilter builds, sizes and asks filters of a whole segment, and those
// it was chosen against.
func BenchmarkFilter(b *testing.B) {
	keys := someKeys(1, segmentRows, DefaultBlocks)
	absent := someKeys(2, segmentRows, 1)
	for _, width := range []int{8, 10, 12, 16} {
		raw, err := BuildFilter(keys, FilterOptions{Bits: width})
		if err != nil {
			b.Fatal(err)
		}
		pages := mustOpenPages(b, raw)
		b.Run(fmt.Sprintf("build/bits=%d", width), func(b *testing.B) {
			size := 0
			for b.Loop() {
				raw, err := BuildFilter(keys, FilterOptions{Bits: width})
				if err != nil {
					b.Fatal(err)
				}
				size = 0
				for _, p := range raw {
					size += len(p)
				}
			}
			wrong := 0
			for _, k := range absent {
				if _, maybe := probe(b, pages, k.Hash); maybe {
					wrong++
				}
			}
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/segmentRows, "ns/key")
			b.ReportMetric(float64(size)/segmentRows, "B/key")
			b.ReportMetric(float64(size)/float64(len(raw)), "B/page")
			b.ReportMetric(100*float64(wrong)/segmentRows, "%wrong")
		})
		b.Run(fmt.Sprintf("probe/bits=%d", width), func(b *testing.B) {
			i := 0
			for b.Loop() {
				k := keys[i%segmentRows]
				if i&1 == 0 {
					k = absent[i%segmentRows]
				}
				page := &pages[PageOf(k.Hash, len(pages))]
				if _, _, err := page.Probe(k.Hash); err != nil {
					b.Fatal(err)
				}
				i++
			}
		})
	}
	raw, err := BuildFilter(keys, FilterOptions{})
	if err != nil {
		b.Fatal(err)
	}
	b.Run("open", func(b *testing.B) {
		b.SetBytes(int64(len(raw[0])))
		for b.Loop() {
			if _, err := OpenFilterPage(raw[0]); err != nil {
				b.Fatal(err)
			}
		}
	})

	// A fuse filter of 8 bits for each block: each needle asks, and reads, all.
	hashes := make([]uint64, segmentRows)
	for i, k := range keys {
		hashes[i] = k.Hash
	}
	b.Run("fuse8 per block", func(b *testing.B) {
		filters := make([]*xorfilter.BinaryFuse8, DefaultBlocks)
		size := 0
		for b.Loop() {
			size = 0
			for i := range filters {
				f, err := xorfilter.PopulateBinaryFuse8(append([]uint64(nil), hashes[i*BlockRows:(i+1)*BlockRows]...))
				if err != nil {
					b.Fatal(err)
				}
				filters[i] = f
				size += len(f.Fingerprints) + 24
			}
		}
		wrong := 0
		for _, k := range absent {
			for _, f := range filters {
				if f.Contains(k.Hash) {
					wrong++
				}
			}
		}
		b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/segmentRows, "ns/key")
		b.ReportMetric(float64(size)/segmentRows, "B/key")
		b.ReportMetric(100*float64(wrong)/segmentRows, "%wrong")
	})
	b.Run("fuse of 12 bits per page", func(b *testing.B) {
		size := 0.0
		for b.Loop() {
			size = 0
			for i := range DefaultBlocks {
				f, err := xorfilter.NewBinaryFuse[uint16](append([]uint64(nil), hashes[i*BlockRows:(i+1)*BlockRows]...))
				if err != nil {
					b.Fatal(err)
				}
				size += float64(len(f.Fingerprints))*12/8 + 24
			}
		}
		b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/segmentRows, "ns/key")
		b.ReportMetric(size/segmentRows, "B/key")
	})
}
