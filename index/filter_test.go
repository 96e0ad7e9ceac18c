package index

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"math/rand/v2"
	"testing"
)

// someKeys are n distinct values, in blocks of a segment in order.
func someKeys(seed uint64, n, blocks int) []Key {
	keys := make([]Key, n)
	for i := range keys {
		b := binary.BigEndian.AppendUint64(nil, seed)
		keys[i] = Key{Hash(binary.BigEndian.AppendUint64(b, uint64(i))), uint8(i * blocks / n)}
	}
	return keys
}

func mustBuild(t testing.TB, keys []Key, opts FilterOptions) []FilterPage {
	t.Helper()
	pages, err := BuildFilter(keys, opts)
	if err != nil {
		t.Fatal(err)
	}
	return mustOpenPages(t, pages)
}

func mustOpenPages(t testing.TB, pages [][]byte) []FilterPage {
	t.Helper()
	opened := make([]FilterPage, len(pages))
	for i, b := range pages {
		var err error
		if opened[i], err = OpenFilterPage(b); err != nil {
			t.Fatal(err)
		}
	}
	return opened
}

func probe(t testing.TB, pages []FilterPage, hash uint64) (block int, maybe bool) {
	t.Helper()
	block, maybe, err := pages[PageOf(hash, len(pages))].Probe(hash)
	if err != nil {
		t.Fatal(err)
	}
	return block, maybe
}

// Every key is found in its block; of absent ones, as many as promised are not
// told apart.
func TestFilter(t *testing.T) {
	for _, c := range []struct {
		keys int
		opts FilterOptions
	}{
		{1, FilterOptions{}}, {2, FilterOptions{}}, {20, FilterOptions{}}, {24, FilterOptions{}}, {30, FilterOptions{}}, {63, FilterOptions{}}, {64, FilterOptions{}}, {65, FilterOptions{}},
		{200, FilterOptions{Blocks: 1}}, {4000, FilterOptions{}}, {4096, FilterOptions{}}, {4097, FilterOptions{}}, {65536, FilterOptions{}},
		{65536, FilterOptions{Bits: 8}}, {20000, FilterOptions{Bits: 16}}, {20000, FilterOptions{Bits: 24, Blocks: 255}}, {20000, FilterOptions{Bits: 9, Blocks: 255}}, {10000, FilterOptions{Bits: 2, Blocks: 1}},
	} {
		t.Run(fmt.Sprintf("%d keys %+v", c.keys, c.opts), func(t *testing.T) {
			blocks, width := c.opts.Blocks, c.opts.Bits
			if blocks == 0 {
				blocks = DefaultBlocks
			}
			if width == 0 {
				width = DefaultBits
			}
			keys := someKeys(1, c.keys, blocks)
			raw, err := BuildFilter(keys, c.opts)
			if err != nil {
				t.Fatal(err)
			}
			size := 0
			for _, b := range raw {
				size += len(b)
			}
			pages := mustOpenPages(t, raw)
			if c.keys >= 4000 {
				if perKey := float64(size) * 8 / float64(c.keys) / float64(width); perKey > 1.10 {
					t.Errorf("%.3f times %d bits per key", perKey, width)
				}
			}
			for i, k := range keys {
				if block, maybe := probe(t, pages, k.Hash); !maybe || block != int(k.Block) {
					t.Fatalf("key %d of block %d: block %d, %t", i, k.Block, block, maybe)
				}
			}
			absent, wrong := someKeys(2, 100000, 1), 0
			for _, k := range absent {
				if _, maybe := probe(t, pages, k.Hash); maybe {
					wrong++
				}
			}
			rate, promised := float64(wrong)/float64(len(absent)), float64(blocks+1)/float64(int(1)<<width)
			if rate > promised*1.3+0.0005 {
				t.Errorf("%.4f of absent keys are answered with maybe, %.4f are promised", rate, promised)
			}
		})
	}
}

// Keys in several blocks, repeated keys, any order.
func TestFilterRepeatedKeys(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 1))
	for _, n := range []int{3, 20, 100, 9000} {
		keys := someKeys(3, n, 16)
		several := map[uint64]bool{}
		for _, k := range keys[:n/3+1] {
			keys = append(keys, k, k)
		}
		for _, k := range keys[:n/4+1] {
			keys = append(keys, Key{k.Hash, (k.Block + 3) % 16})
			several[k.Hash] = true
		}
		first, err := BuildFilter(keys, FilterOptions{})
		if err != nil {
			t.Fatal(err)
		}
		pages := mustOpenPages(t, first)
		for _, k := range keys {
			want := int(k.Block)
			if several[k.Hash] {
				want = AnyBlock
			}
			if block, maybe := probe(t, pages, k.Hash); !maybe || block != want {
				t.Fatalf("%d keys: block %d, %t, want %d", n, block, maybe, want)
			}
		}
		rng.Shuffle(len(keys), func(i, j int) { keys[i], keys[j] = keys[j], keys[i] })
		again, err := BuildFilter(keys, FilterOptions{})
		if err != nil {
			t.Fatal(err)
		}
		for i := range first {
			if !bytes.Equal(first[i], again[i]) {
				t.Fatalf("%d keys in another order give another page %d", n, i)
			}
		}
	}
}

// Hashes chosen by somebody who knows the code: all for one page, all alike in
// their low bits, all zero, the whole range in steps.
func TestFilterHostileKeys(t *testing.T) {
	const n = 20000
	for name, hash := range map[string]func(i uint64) uint64{
		"one page":  func(i uint64) uint64 { return i },
		"zero":      func(i uint64) uint64 { return 0 },
		"high bits": func(i uint64) uint64 { return i << 48 },
		"steps":     func(i uint64) uint64 { return i * (1 << 64 / n) },
	} {
		keys := make([]Key, n)
		for i := range keys {
			keys[i] = Key{hash(uint64(i)), uint8(i % 16)}
		}
		pages := mustBuild(t, keys, FilterOptions{})
		for i, k := range keys {
			block, maybe := probe(t, pages, k.Hash)
			if !maybe || block != AnyBlock && block != int(k.Block) {
				t.Fatalf("%s: key %d of block %d: block %d, %t", name, i, k.Block, block, maybe)
			}
		}
	}
}

// The list that is written when no system can be solved is right for any
// number of keys.
func TestFilterList(t *testing.T) {
	s := newShape(DefaultBits, DefaultBlocks)
	keys := someKeys(5, 50000, 16)
	data := append([]byte(filterMagic), formatVersion, kindList, DefaultBits, DefaultBlocks)
	data = binary.LittleEndian.AppendUint32(data, 0)
	data = binary.LittleEndian.AppendUint32(data, 1)
	data = binary.LittleEndian.AppendUint32(data, uint32(len(keys)))
	data = binary.LittleEndian.AppendUint32(data, 0)
	pages := mustOpenPages(t, [][]byte{appendChecksum(appendList(data, s, keys), 0)})
	several := 0
	for _, k := range keys {
		block, maybe := probe(t, pages, k.Hash)
		if block == AnyBlock {
			several++
		}
		if !maybe || block != AnyBlock && block != int(k.Block) {
			t.Fatalf("key of block %d: block %d, %t", k.Block, block, maybe)
		}
	}
	if several > 500 {
		t.Errorf("%d of %d keys share their tag", several, len(keys))
	}
}

func TestFilterRefuses(t *testing.T) {
	for _, c := range []struct {
		block uint8
		opts  FilterOptions
	}{
		{16, FilterOptions{}}, {3, FilterOptions{Blocks: 3}}, {0, FilterOptions{Blocks: 256}}, {0, FilterOptions{Blocks: -1}},
		{0, FilterOptions{Bits: 25}}, {0, FilterOptions{Bits: -1}}, {0, FilterOptions{Bits: 5}},
	} {
		if _, err := BuildFilter([]Key{{1, c.block}}, c.opts); err == nil {
			t.Errorf("block %d with %+v: no error", c.block, c.opts)
		}
	}
	if pages, err := BuildFilter(nil, FilterOptions{}); err != nil || pages != nil {
		t.Errorf("no keys: %v, %v", pages, err)
	}
	pages := mustBuild(t, someKeys(1, 10000, 16), FilterOptions{})
	if _, _, err := pages[0].Probe(^uint64(0)); err == nil {
		t.Error("the wrong page answers")
	}
	if _, _, err := new(FilterPage).Probe(1); err == nil {
		t.Error("the zero page answers")
	}
}

func TestVerifyFilter(t *testing.T) {
	for _, opts := range []FilterOptions{{}, {Bits: 9, Blocks: 20}} {
		keys := someKeys(1, 9000, 16)
		pages, err := BuildFilter(keys, opts)
		if err != nil {
			t.Fatal(err)
		}
		if err := VerifyFilter(pages, keys); err != nil {
			t.Error(err)
		}
		moved := append([]Key(nil), keys...)
		moved[77].Block++
		other := append([]Key(nil), keys...)
		other[8000].Hash++
		outside := append([]Key(nil), keys...)
		outside[5].Block = 200
		var corrupt *CorruptError
		for what, err := range map[string]error{
			"a key in another block": VerifyFilter(pages, moved),
			"another key":            VerifyFilter(pages, other),
			"a key less":             VerifyFilter(pages, keys[1:]),
			"a block too many":       VerifyFilter(pages, outside),
			"no keys":                VerifyFilter(pages, nil),
			"no pages":               VerifyFilter(nil, keys),
			"a page less":            VerifyFilter(pages[:2], keys),
			"pages exchanged":        VerifyFilter([][]byte{pages[1], pages[0], pages[2]}, keys),
			"a damaged page":         VerifyFilter([][]byte{pages[0], pages[1][1:], pages[2]}, keys),
		} {
			if !errors.As(err, &corrupt) {
				t.Errorf("%s: %v", what, err)
			}
		}
	}
	if err := VerifyFilter(nil, nil); err != nil {
		t.Error(err)
	}
}

func TestFilterDamage(t *testing.T) {
	for _, n := range []int{5, 100} {
		raw, err := BuildFilter(someKeys(1, n, 16), FilterOptions{})
		if err != nil {
			t.Fatal(err)
		}
		checkDamage(t, raw[0], func(b []byte) error { _, err := OpenFilterPage(b); return err })
	}
}

// FuzzFilterRead asks pages of any content under a right checksum.
func FuzzFilterRead(f *testing.F) {
	for _, n := range []int{1, 20, 100, 5000} {
		raw, err := BuildFilter(someKeys(1, n, 16), FilterOptions{})
		if err != nil {
			f.Fatal(err)
		}
		f.Add(raw[0], uint64(n))
	}
	f.Fuzz(func(t *testing.T, data []byte, hash uint64) {
		page, err := OpenFilterPage(mend(data))
		if err != nil {
			var corrupt *CorruptError
			if !errors.As(err, &corrupt) {
				t.Fatal(err)
			}
			return
		}
		for range 20 {
			block, maybe, err := page.Probe(hash)
			if err == nil && maybe && (block < AnyBlock || block >= int(page.shape.blocks)) {
				t.Fatalf("block %d of %d", block, page.shape.blocks)
			}
			// Hashes of this page, too.
			hash = hash*0x9e3779b97f4a7c15 + 1
			if page.count < 1<<16 {
				hash = uint64(page.number)*(^uint64(0)/uint64(page.count)) + hash%(^uint64(0)/uint64(page.count))
			}
		}
	})
}

// FuzzFilterRoundTrip builds a filter of any keys and finds them all.
func FuzzFilterRoundTrip(f *testing.F) {
	f.Add([]byte("some values to be found again"), uint16(3), uint8(16), uint8(12))
	f.Add(bytes.Repeat([]byte{0}, 300), uint16(1000), uint8(1), uint8(2))
	f.Fuzz(func(t *testing.T, raw []byte, more uint16, blocks, width uint8) {
		keys := someKeys(uint64(more), int(more), 1)
		for i := 0; i+8 < len(raw); i += 9 {
			keys = append(keys, Key{binary.LittleEndian.Uint64(raw[i:]), raw[i+8]})
		}
		for i := range keys {
			keys[i].Block %= max(blocks, 1)
		}
		raws, err := BuildFilter(keys, FilterOptions{Blocks: int(blocks), Bits: int(width)})
		if err != nil {
			if width > MaxBits || width != 0 && 1<<width < 2*(max(int(blocks), 1)+1) || width != 0 && blocks == 0 && 1<<width < 2*(DefaultBlocks+1) {
				return
			}
			t.Fatal(err)
		}
		pages := mustOpenPages(t, raws)
		blockOf := map[uint64]int{}
		for _, k := range keys {
			if b, ok := blockOf[k.Hash]; ok && b != int(k.Block) {
				blockOf[k.Hash] = AnyBlock
			} else {
				blockOf[k.Hash] = int(k.Block)
			}
		}
		for hash, want := range blockOf {
			if block, maybe := probe(t, pages, hash); !maybe || block != want && block != AnyBlock {
				t.Fatalf("hash %x of block %d: block %d, %t", hash, want, block, maybe)
			}
		}
	})
}
