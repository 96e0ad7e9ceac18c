package segment

import (
	"bytes"
	"context"
	"errors"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
)

// readAll uses every way of reading; it must never panic.
func readAll(ctx context.Context, m memory) error {
	r, err := Open(ctx, m, ReadOptions{Name: "17", Cache: NewCache(1 << 20)})
	if err != nil {
		return err
	}
	defer r.Close()
	var errs []error
	keep := func(err error) {
		if err != nil {
			errs = append(errs, err)
		}
	}
	keep(r.Records(ctx, Range(0, r.Rows()), func(int, []byte) error { return nil }))
	_, err = r.Record(ctx, r.Rows()-1, nil)
	keep(err)
	d, err := r.directory(ctx)
	keep(err)
	if err == nil {
		for p := range min(len(d.parent), 200) {
			for _, sel := range []Selection{Range(0, r.Rows()), List(ends(r.Rows()))} {
				_, err = r.Text(ctx, PathID(p), sel)
				keep(err)
				_, err = r.Timestamps(ctx, PathID(p), sel, nil)
				keep(err)
			}
			_, err = r.Raw(ctx, PathID(p), Range(0, r.Rows()))
			keep(err)
			_, err = r.Map(ctx, PathID(p), Range(0, r.Rows()))
			keep(err)
			_, err = r.Kinds(ctx, PathID(p), Range(0, r.Rows()), nil)
			keep(err)
			_, _, _, err = r.Counts(ctx, PathID(p))
			keep(err)
			_, _, _, err = r.Find(ctx, PathID(p), "x")
			keep(err)
			_, err = r.Columns(ctx, PathID(p))
			keep(err)
			_, err = r.Children(ctx, PathID(p))
			keep(err)
		}
	}
	_, err = r.Sizes(ctx)
	keep(err)
	keep(r.Verify(ctx))
	return errors.Join(errs...)
}

func smallSegment(tb testing.TB, n int) memory {
	b := NewBuilder(Options{MaxElements: 4})
	records := modelRecords(21, n)
	if n > 1000 {
		records = append(records, assumedRecords(400)...)
	}
	for _, rec := range records {
		if _, err := b.Add(rec); err != nil {
			tb.Fatal(err)
		}
	}
	return encode(tb, b)
}

// assumedRecords make columns that are built from others.
func assumedRecords(n int) (out [][]byte) {
	g := nasty{rand.New(rand.NewPCG(3, 7))}
	for i := range n {
		out = append(out, []byte(`{"n":1`+g.assumed(i)+"}"))
	}
	return out
}

func builtSegment(tb testing.TB) memory {
	b := NewBuilder(Options{})
	for _, rec := range assumedRecords(300) {
		if _, err := b.Add(rec); err != nil {
			tb.Fatal(err)
		}
	}
	return encode(tb, b)
}

// TestFlippedBits: no block can change without being named.
func TestFlippedBits(t *testing.T) {
	ctx := context.Background()
	m := smallSegment(t, 1200)
	rng := rand.New(rand.NewPCG(1, 2))
	for id := range m {
		for range 5 {
			bad := slices.Clone(m)
			bad[id] = bytes.Clone(m[id])
			bad[id][rng.IntN(len(bad[id]))] ^= 1 << rng.IntN(8)
			r, err := Open(ctx, bad, ReadOptions{Name: "17"})
			if err == nil {
				err = r.Verify(ctx)
			}
			var c *CorruptionError
			if !errors.As(err, &c) || c.Block != uint32(id) || c.Segment != "17" || !strings.Contains(err.Error(), "17") {
				t.Fatalf("block %d: %v", id, err)
			}
		}
		short := slices.Clone(m)
		short[id] = m[id][:rng.IntN(len(m[id]))]
		r, err := Open(ctx, short, ReadOptions{})
		if err == nil {
			err = r.Verify(ctx)
		}
		if err == nil {
			t.Fatalf("block %d cut short was not noticed", id)
		}
	}
	if _, err := Open(ctx, memory{}, ReadOptions{Name: "3"}); err == nil || !strings.Contains(err.Error(), "3") {
		t.Errorf("no blocks: %v", err)
	}
}

// TestSwappedBlocks: every block is whole, but not in its place.
func TestSwappedBlocks(t *testing.T) {
	m := smallSegment(t, 1200)
	for i := 1; i+1 < len(m); i++ {
		bad := slices.Clone(m)
		bad[i], bad[i+1] = m[i+1], m[i]
		if readAll(context.Background(), bad) == nil {
			t.Fatalf("blocks %d and %d swapped: not noticed", i, i+1)
		}
	}
}

// forge changes the unpacked content of a segment and gives it valid checksums.
func forge(m memory, block, at int, with byte) memory {
	bad := slices.Clone(m)
	id := block % len(m)
	body := bytes.Clone(m[id][:len(m[id])-checksumBytes])
	if id == 0 {
		_, _, n, err := readHeader(body)
		if err != nil {
			return nil
		}
		d, err := unsqueeze(nil, body[headerBytes:], n)
		if err != nil {
			return nil
		}
		if at%8 == 0 {
			body[at%headerBytes] ^= with
			bad[0] = sealBlock(body)
			return bad
		}
		d[at%len(d)] ^= with
		bad[0] = sealBlock(squeeze(slices.Clip(body[:headerBytes]), d, fastEncoder()))
		return bad
	}
	if len(body) == 0 {
		return nil
	}
	body[at%len(body)] ^= with
	bad[id] = sealBlock(body)
	return bad
}

func TestForgedBlocks(t *testing.T) {
	m := smallSegment(t, 150)
	rng := rand.New(rand.NewPCG(8, 9))
	for range 300 {
		block, at, with := rng.IntN(2*len(m)), rng.IntN(1<<20), byte(1)<<rng.IntN(8)
		if block >= len(m) {
			block = 0
		}
		if bad := forge(m, block, at, with); bad != nil {
			readAll(context.Background(), bad)
		}
	}
}

// TestForgedDerived does the same to a segment with derived columns, which
// need more rows.
func TestForgedDerived(t *testing.T) {
	g := nasty{rand.New(rand.NewPCG(2, 3))}
	b := NewBuilder(Options{})
	for i := range 2400 {
		if _, err := b.Add([]byte(g.regular(i))); err != nil {
			t.Fatal(err)
		}
	}
	m := encode(t, b)
	d, err := readDirectory(m[0])
	if err != nil {
		t.Fatal(err)
	}
	var blocks []int
	for i := range d.columns {
		if c := &d.columns[i]; c.encoding == encDerived {
			for p := range d.codePages(c, d.detail(c)) {
				blocks = append(blocks, int(d.block(d.detail(c).codesPage+p)))
			}
		}
	}
	if len(blocks) == 0 {
		t.Fatal("no column is derived")
	}
	rng := rand.New(rand.NewPCG(4, 9))
	for i := range 30 {
		block := blocks[i%len(blocks)]
		if i%3 == 0 {
			block = 0
		}
		if bad := forge(m, block, rng.IntN(1<<20), byte(1)<<rng.IntN(8)); bad != nil {
			readAll(context.Background(), bad)
		}
	}
}

func FuzzForgedBlocks(f *testing.F) {
	m := smallSegment(f, 60)
	f.Add(uint16(0), uint32(9), byte(1))
	f.Add(uint16(1), uint32(70), byte(255))
	f.Add(uint16(2), uint32(3), byte(16))
	f.Fuzz(func(t *testing.T, block uint16, at uint32, with byte) {
		if bad := forge(m, int(block), int(at), with); bad != nil && with != 0 {
			readAll(t.Context(), bad)
		}
	})
}

// FuzzForgedPatterns is FuzzForgedBlocks for columns that are built from others.
func FuzzForgedPatterns(f *testing.F) {
	m := builtSegment(f)
	r, err := Open(f.Context(), m, ReadOptions{})
	if err != nil {
		f.Fatal(err)
	}
	built := 0
	r.EachColumn(f.Context(), func(c ColumnInfo) error {
		if c.Encoding == "built" || c.Encoding == "filled" {
			built++
		}
		return nil
	})
	if built < 2 {
		f.Fatalf("%d columns are built", built)
	}
	for i := range uint32(120) {
		f.Add(uint16(i%uint32(len(m))), i*i*7, byte(1)<<(i%8))
	}
	f.Fuzz(func(t *testing.T, block uint16, at uint32, with byte) {
		if bad := forge(m, int(block), int(at), with); bad != nil && with != 0 {
			readAll(t.Context(), bad)
		}
	})
}

// FuzzDirectory feeds arbitrary bytes as the unpacked directory.
func FuzzDirectory(f *testing.F) {
	m := smallSegment(f, 60)
	body := m[0][:len(m[0])-checksumBytes]
	_, _, n, err := readHeader(body)
	if err != nil {
		f.Fatal(err)
	}
	d, err := unsqueeze(nil, body[headerBytes:], n)
	if err != nil {
		f.Fatal(err)
	}
	f.Add(d)
	f.Fuzz(func(t *testing.T, d []byte) {
		if len(d) == 0 || len(d) > 1<<16 {
			return
		}
		bad := slices.Clone(m)
		head := bytes.Clone(body[:headerBytes])
		head[headerBytes-4], head[headerBytes-3], head[headerBytes-2], head[headerBytes-1] = byte(len(d)), byte(len(d)>>8), byte(len(d)>>16), 0
		bad[0] = sealBlock(squeeze(head, d, fastEncoder()))
		readAll(t.Context(), bad)
	})
}

func ends(rows int) []uint32 {
	if rows == 1 {
		return []uint32{0}
	}
	return []uint32{0, uint32(rows - 1)}
}
