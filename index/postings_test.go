package index

import (
	"bytes"
	"errors"
	"fmt"
	"math/rand/v2"
	"runtime"
	"slices"
	"testing"

	"github.com/RoaringBitmap/roaring/v2"
)

// column is a dictionary column for tests. rowOf nil: one value per row.
type column struct {
	codes, rowOf   []uint32
	distinct, rows int
}

// zipfColumn has one value per row: few frequent ones, many rare ones, each
// coming in bursts of the given length on average.
func zipfColumn(rng *rand.Rand, rows, distinct, burst int) column {
	z := rand.NewZipf(rng, 1.1, 3, uint64(distinct-1))
	name := rng.Perm(distinct)
	c := column{distinct: distinct, rows: rows, codes: make([]uint32, rows)}
	active := make([]uint32, 8)
	for i := range active {
		active[i] = uint32(name[z.Uint64()])
	}
	for i := range c.codes {
		a := rng.IntN(len(active))
		if rng.IntN(burst) == 0 {
			active[a] = uint32(name[z.Uint64()])
		}
		c.codes[i] = active[a]
	}
	return c
}

// manyColumn has any number of values per row, also the same twice.
func manyColumn(rng *rand.Rand, rows, distinct int) column {
	c := column{distinct: distinct, rows: rows, rowOf: []uint32{}}
	for row := range rows {
		for range rng.IntN(4) * rng.IntN(2) {
			code := uint32(rng.IntN(distinct))
			if rng.IntN(3) == 0 {
				code /= 10
			}
			c.codes = append(c.codes, code)
			c.rowOf = append(c.rowOf, uint32(row))
		}
	}
	return c
}

// rowsOf are the rows of each code, by looking at each entry.
func (c *column) rowsOf() [][]uint32 {
	lists := make([][]uint32, c.distinct)
	for i, code := range c.codes {
		row := uint32(i)
		if c.rowOf != nil {
			row = c.rowOf[i]
		}
		if l := lists[code]; len(l) == 0 || l[len(l)-1] != row {
			lists[code] = append(l, row)
		}
	}
	return lists
}

func (c *column) build(t testing.TB, opts PostingsOptions) (*Postings, []byte) {
	t.Helper()
	data, err := BuildPostings(c.codes, c.rowOf, c.distinct, c.rows, opts)
	if err != nil {
		t.Fatal(err)
	}
	p, err := OpenPostings(data)
	if err != nil {
		t.Fatal(err)
	}
	return p, data
}

// coarse is the set of all rows of the units that hold any of the rows.
func coarse(list []uint32, grain, rows int) *roaring.Bitmap {
	set := roaring.New()
	for _, r := range list {
		first := int(r) / grain * grain
		set.AddRange(uint64(first), uint64(min(first+grain, rows)))
	}
	return set
}

func testColumns() map[string]column {
	rng := rand.New(rand.NewPCG(1, 2))
	distinctEach := column{distinct: 5000, rows: 5000}
	for _, n := range rng.Perm(5000) {
		distinctEach.codes = append(distinctEach.codes, uint32(n))
	}
	constant := column{distinct: 1, rows: 300, codes: make([]uint32, 300)}
	return map[string]column{
		"no rows":                       {},
		"no entries":                    {distinct: 40, rows: 100, rowOf: []uint32{}},
		"one row":                       {codes: []uint32{0}, distinct: 1, rows: 1},
		"constant":                      constant,
		"all distinct":                  distinctEach,
		"skewed":                        zipfColumn(rng, 20000, 3000, 1),
		"skewed, bursts":                zipfColumn(rng, 20000, 3000, 20),
		"several values":                manyColumn(rng, 10000, 700),
		"shorter than rows":             {codes: []uint32{2, 1, 2}, distinct: 4, rows: 5000},
		"more than a roaring container": zipfColumn(rng, 150000, 2000, 3),
	}
}

func TestPostings(t *testing.T) {
	for name, c := range testColumns() {
		lists := c.rowsOf()
		for _, opts := range []PostingsOptions{{}, {MaxRows: 1}, {MaxRows: 1 << 30}, {Grain: 2}, {Grain: 64, MaxRows: 500}, {Grain: MaxGrain, MaxRows: 1 << 30}} {
			t.Run(fmt.Sprintf("%s/%+v", name, opts), func(t *testing.T) {
				p, data := c.build(t, opts)
				if p.Distinct() != c.distinct || p.RowCount() != c.rows || p.Exact() != (opts.Grain < 2) {
					t.Errorf("%d codes, %d rows, exact %t", p.Distinct(), p.RowCount(), p.Exact())
				}
				maxRows := opts.MaxRows
				if maxRows == 0 {
					maxRows = max(c.rows/256, 1)
				}
				all, unlisted := roaring.New(), []uint32(nil)
				var codes []uint32
				for code, want := range lists {
					codes = append(codes, uint32(code))
					rows, listed, err := p.Rows(uint32(code))
					if err != nil {
						t.Fatal(err)
					}
					if listed != (len(want) <= maxRows) {
						t.Fatalf("code %d in %d rows: listed %t", code, len(want), listed)
					}
					if !listed {
						unlisted = append(unlisted, uint32(code))
						continue
					}
					if set := coarse(want, max(opts.Grain, 1), c.rows); !rows.Equals(set) {
						t.Fatalf("code %d: %v, want %v", code, rows, set)
					} else {
						all.Or(set)
					}
				}
				union, rest, err := p.Union(codes)
				if err != nil || !union.Equals(all) || !slices.Equal(rest, unlisted) {
					t.Errorf("union of all codes: %d rows and %v, %v; want %d and %v", union.GetCardinality(), rest, err, all.GetCardinality(), unlisted)
				}
				// Few codes, not ascending.
				if n := len(codes); n > 100 {
					some := []uint32{codes[n-1], codes[3], codes[4], codes[3], codes[70]}
					want, rest := roaring.New(), []uint32(nil)
					for _, code := range some {
						if rows, listed, _ := p.Rows(code); listed {
							want.Or(rows)
						} else {
							rest = append(rest, code)
						}
					}
					if union, got, err := p.Union(some); err != nil || !union.Equals(want) || !slices.Equal(got, rest) {
						t.Errorf("union of codes %v: %v and %v, %v, want %v and %v", some, union, got, err, want, rest)
					}
				}
				if _, _, err := p.Rows(uint32(c.distinct)); err == nil {
					t.Error("a code that does not exist has rows")
				}
				if err := p.Verify(c.codes, c.rowOf); err != nil {
					t.Error(err)
				}
				if again, err := BuildPostings(c.codes, c.rowOf, c.distinct, c.rows, opts); err != nil || !bytes.Equal(again, data) {
					t.Error("the same column gives other bytes")
				}
			})
		}
	}
}

// Verify notices each kind of difference, and names the code.
func TestPostingsVerify(t *testing.T) {
	c := zipfColumn(rand.New(rand.NewPCG(5, 5)), 3000, 500, 3)
	p, _ := c.build(t, PostingsOptions{})
	lists := c.rowsOf()
	rare := slices.IndexFunc(lists, func(l []uint32) bool { return len(l) > 1 && len(l) < 5 })
	for name, change := range map[string]func(c *column){
		"another code":   func(c *column) { c.codes[lists[rare][0]] = uint32(rare+1) % uint32(c.distinct) },
		"rows exchanged": func(c *column) { r := lists[rare][0]; c.codes[r], c.codes[r+1] = c.codes[r+1], c.codes[r] },
		"a row less":     func(c *column) { c.codes = c.codes[:len(c.codes)-1] },
		"no such code":   func(c *column) { c.codes[7] = 500 },
		"a row too many": func(c *column) { c.codes = append(c.codes, 0) },
	} {
		changed := c
		changed.codes = slices.Clone(c.codes)
		change(&changed)
		if slices.Equal(changed.codes, c.codes) {
			t.Fatalf("%s: nothing was changed", name)
		}
		var corrupt *CorruptError
		if err := p.Verify(changed.codes, changed.rowOf); !errors.As(err, &corrupt) {
			t.Errorf("%s: %v", name, err)
		}
	}
	// The bytes are of another encoder: the lists are right, the tables are not.
	if err := p.Verify(c.codes, nil); err != nil {
		t.Error(err)
	}
}

func TestBuildPostingsRefuses(t *testing.T) {
	for name, c := range map[string]struct {
		column
		opts PostingsOptions
	}{
		"code too large":       {column: column{codes: []uint32{0, 3}, distinct: 3, rows: 2}},
		"row too large":        {column: column{codes: []uint32{0, 1}, rowOf: []uint32{0, 2}, distinct: 3, rows: 2}},
		"rows descend":         {column: column{codes: []uint32{0, 1}, rowOf: []uint32{1, 0}, distinct: 3, rows: 2}},
		"rows missing":         {column: column{codes: []uint32{0, 1}, rowOf: []uint32{1}, distinct: 3, rows: 2}},
		"more codes than rows": {column: column{codes: []uint32{0, 1}, distinct: 3, rows: 1}},
		"too many rows":        {column: column{distinct: 3, rows: MaxRows + 1}},
		"too many codes":       {column: column{distinct: MaxCodes + 1, rows: 3}},
		"negative rows":        {column: column{distinct: 3, rows: -1}},
		"odd grain":            {opts: PostingsOptions{Grain: 3}},
		"large grain":          {opts: PostingsOptions{Grain: 2 * MaxGrain}},
		"negative limit":       {opts: PostingsOptions{MaxRows: -1}},
	} {
		if _, err := BuildPostings(c.codes, c.rowOf, c.distinct, c.rows, c.opts); err == nil {
			t.Errorf("%s: no error", name)
		}
	}
}

// Any changed byte, any missing byte and any byte too many is noticed.
func TestPostingsDamage(t *testing.T) {
	c := zipfColumn(rand.New(rand.NewPCG(6, 6)), 500, 80, 2)
	_, data := c.build(t, PostingsOptions{})
	checkDamage(t, data, func(b []byte) error { _, err := OpenPostings(b); return err })
}

func checkDamage(t *testing.T, data []byte, open func([]byte) error) {
	t.Helper()
	var corrupt *CorruptError
	for at := range data {
		for bit := range 8 {
			b := bytes.Clone(data)
			b[at] ^= 1 << bit
			if err := open(b); !errors.As(err, &corrupt) || err.Error() == "" {
				t.Fatalf("bit %d of byte %d changed: %v", bit, at, err)
			}
		}
		if err := open(data[:at]); !errors.As(err, &corrupt) {
			t.Fatalf("cut to %d bytes: %v", at, err)
		}
	}
	if err := open(append(bytes.Clone(data), 0)); !errors.As(err, &corrupt) {
		t.Fatalf("a byte too many: %v", err)
	}
}

// mend puts the checksum right, so that what it covers is reached.
func mend(b []byte) []byte {
	if len(b) < checksumLen {
		return b
	}
	return appendChecksum(bytes.Clone(b[:len(b)-checksumLen]), 0)
}

// allocated runs f and returns how many bytes of memory it took.
func allocated(f func()) uint64 {
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	f()
	runtime.ReadMemStats(&after)
	return after.TotalAlloc - before.TotalAlloc
}

// FuzzPostingsRead reads postings of any content under a right checksum.
func FuzzPostingsRead(f *testing.F) {
	rng := rand.New(rand.NewPCG(7, 7))
	for _, opts := range []PostingsOptions{{}, {Grain: 16}, {MaxRows: 1000}} {
		c := zipfColumn(rng, 1000, 90, 3)
		_, data := c.build(f, opts)
		f.Add(data)
		c = manyColumn(rng, 100, 10)
		_, data = c.build(f, opts)
		f.Add(data)
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		data = mend(data)
		taken := allocated(func() {
			p, err := OpenPostings(data)
			if err != nil {
				return
			}
			damaged := false
			var codes []uint32
			for code := range uint32(min(p.Distinct(), 200)) {
				codes = append(codes, code)
				rows, listed, err := p.Rows(code)
				if err != nil {
					damaged = true
					continue
				}
				if listed && !rows.IsEmpty() && int(rows.Maximum()) >= p.RowCount() {
					t.Fatalf("row %d of %d", rows.Maximum(), p.RowCount())
				}
			}
			if _, _, err := p.Union(codes); err == nil && damaged {
				t.Fatal("the union reads lists that are damaged one by one")
			}
		})
		// 200 lists at most, each of no more units than the data has bits; sets
		// of ranges take some more.
		if limit := uint64(1<<20 + 200*8*64*len(data)); taken > limit {
			t.Errorf("took %d bytes for %d", taken, len(data))
		}
	})
}

// FuzzPostingsRoundTrip builds postings of any column and reads it back.
func FuzzPostingsRoundTrip(f *testing.F) {
	f.Add([]byte{1, 0, 2, 0, 1, 3, 200, 0, 7, 9}, uint8(0), uint8(0), true)
	f.Add([]byte{1, 1, 1, 1, 2, 2, 1, 1, 0, 9}, uint8(2), uint8(1), false)
	f.Fuzz(func(t *testing.T, raw []byte, maxRows, grain uint8, spread bool) {
		// Pairs of bytes: the code, and by how much the row is behind the last
		// one.
		c := column{distinct: 256}
		row := uint32(0)
		for i := 0; i+1 < len(raw); i += 2 {
			if spread {
				row += uint32(raw[i+1]) * uint32(raw[i+1])
				c.rowOf = append(c.rowOf, row)
			} else {
				row = uint32(i / 2)
			}
			c.codes = append(c.codes, uint32(raw[i]))
			c.rows = int(row) + 1
		}
		opts := PostingsOptions{MaxRows: int(maxRows), Grain: 1 << (grain % 13)}
		p, _ := c.build(t, opts)
		limit := opts.MaxRows
		if limit == 0 {
			limit = max(c.rows/256, 1)
		}
		for code, want := range c.rowsOf() {
			rows, listed, err := p.Rows(uint32(code))
			if err != nil {
				t.Fatal(err)
			}
			if listed != (len(want) <= limit) || listed && !rows.Equals(coarse(want, opts.Grain, c.rows)) {
				t.Fatalf("code %d: %v, listed %t; want %v", code, rows, listed, want)
			}
		}
		if err := p.Verify(c.codes, c.rowOf); err != nil {
			t.Fatal(err)
		}
	})
}

func TestCodeTables(t *testing.T) {
	rng := rand.New(rand.NewPCG(8, 8))
	for n := range maxSymbols + 1 {
		for range 50 {
			counts := make([]uint32, n)
			for i := range counts {
				counts[i] = rng.Uint32() >> rng.UintN(33)
			}
			lengths := codeLengths(counts)
			d, err := newDecoder(lengths)
			if err != nil {
				t.Fatalf("counts %v give %v: %v", counts, lengths, err)
			}
			e := newEncoder(lengths)
			for s, c := range counts {
				if (c > 0) != (lengths[s] > 0) {
					t.Fatalf("counts %v give lengths %v", counts, lengths)
				}
				if c == 0 {
					continue
				}
				for noise := range 4 {
					bits := (int(e.code[s]) | noise<<lengths[s]) & (1<<maxCode - 1)
					if int(d[bits].symbol) != s || d[bits].length != lengths[s] {
						t.Fatalf("symbol %d is read as %v", s, d[bits])
					}
				}
			}
		}
	}
	for _, lengths := range [][maxSymbols]uint8{{9}, {1, 1, 1}, {2, 2, 2}, {2}, {1, 2}} {
		if _, err := newDecoder(lengths); err == nil {
			t.Errorf("code lengths %v are accepted", lengths)
		}
	}
}
