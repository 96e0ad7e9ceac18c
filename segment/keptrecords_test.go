package segment

import (
	"bytes"
	"context"
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"testing"
	"unsafe"
)

// keptRecords reads records as pages of events do, and compares them.
func keptRecords(t testing.TB, r *Reader, records [][]byte, sel Selection, keep bool) []string {
	t.Helper()
	v, err := r.KeptRecords(context.Background(), sel, keep)
	if err != nil {
		t.Fatal(err)
	}
	if v.Len != sel.Len() || len(v.Str) != v.Len {
		t.Fatalf("%d records, want %d", len(v.Str), sel.Len())
	}
	for i, got := range v.Str {
		if got != string(records[sel.row(i)]) {
			t.Fatalf("row %d: %s, want %s", sel.row(i), got, records[sel.row(i)])
		}
	}
	return v.Str
}

// TestKeptRecords reads the same rows in many selections: what is kept is handed out again
// without a copy, what is not kept is rebuilt, and both are the records.
func TestKeptRecords(t *testing.T) {
	records := modelRecords(5, BlockRows+300)
	r := seal(t, Options{}, records)
	same := func(a, b string) bool { return unsafe.StringData(a) == unsafe.StringData(b) }
	one := keptRecords(t, r, records, List([]uint32{7, 90, BlockRows + 1}), true)
	two := keptRecords(t, r, records, List([]uint32{6, 7, 90, 91, BlockRows + 1}), true)
	if !same(one[0], two[1]) || !same(one[1], two[2]) || !same(one[2], two[4]) {
		t.Error("records that are kept were copied")
	}
	three := keptRecords(t, r, records, Range(5, 9), false)
	if !same(three[2], one[0]) || same(three[0], keptRecords(t, r, records, Range(5, 6), false)[0]) {
		t.Error("a reader that keeps nothing should find what others keep, and keep nothing")
	}
	// Many at once are neither looked for nor kept.
	before := r.cache.mu.recorded
	keptRecords(t, r, records, Range(0, keptRecordRows+1), true)
	if r.cache.mu.recorded != before {
		t.Error("a reader of many rows has kept them")
	}
	rng := rand.New(rand.NewPCG(8, 1))
	for range 60 {
		from := rng.IntN(len(records))
		sel := Range(from, min(len(records), from+rng.IntN(30)))
		if rng.IntN(2) == 0 {
			var list []uint32
			for row := rng.IntN(2000); row < len(records) && len(list) < 40; row += 1 + rng.IntN(200) {
				list = append(list, uint32(row))
			}
			sel = List(list)
		}
		keptRecords(t, r, records, sel, rng.IntN(3) > 0)
	}
	if _, err := r.KeptRecords(context.Background(), List([]uint32{uint32(len(records))}), true); err == nil {
		t.Error("no error for a row that is not there")
	}
	r.Close()
	if s := r.cache.Stats(); s.Used != 0 || r.cache.mu.recorded != 0 || len(r.cache.mu.readers) != 0 {
		t.Errorf("left after Close: %+v, %d of records", s, r.cache.mu.recorded)
	}
}

// TestKeptRecordsShare: records fill their share of the cache and no more, those that are asked for
// stay, and what was not used for the longest time goes, records or not.
func TestKeptRecordsShare(t *testing.T) {
	const limit = 400 << 10
	c := NewCache(limit)
	other := func(n uint32) cacheKey { return cacheKey{reader: 1, what: cachedPlan, number: n} }
	c.put(other(0), "plan", 1000)
	put := func(row int) {
		c.keepRecords(2, Range(row, row+1), Range(row, row+1), []string{strings.Repeat("r", 1000)})
	}
	has := func(row int) bool {
		out := make([]string, 1)
		return len(c.records(2, Range(row, row+1), out)) == 0 && len(out[0]) == 1000
	}
	for row := range 1000 {
		put(row)
		if !has(0) {
			t.Fatalf("a record that is asked for all the time has gone at %d", row)
		}
		if c.mu.recorded > limit/recordsShare || c.mu.used > limit {
			t.Fatalf("%d bytes of records, %d in all", c.mu.recorded, c.mu.used)
		}
	}
	if has(500) || !has(999) || c.get(other(0)) == nil {
		t.Error("the oldest records should have gone and nothing else")
	}
	// One that is very large is not kept.
	c.keepRecords(2, Range(2000, 2001), Range(2000, 2001), []string{strings.Repeat("r", limit/recordsShare/keptRecordShare+1)})
	if out := make([]string, 1); len(c.records(2, Range(2000, 2001), out)) != 1 {
		t.Error("a record of a large part of the share is kept")
	}
	// Other things push out records that nobody asks for.
	for n := range uint32(1000) {
		c.put(other(n), "plan", 1000)
	}
	if c.mu.recorded != 0 || c.mu.used > limit {
		t.Errorf("%d bytes of records that nobody has asked for, %d in all", c.mu.recorded, c.mu.used)
	}
	if has(0) {
		t.Error("kept for ever")
	}
	c.drop(1)
	c.drop(2)
	if c.mu.used != 0 || len(c.mu.entries) != 0 || len(c.mu.readers) != 0 || c.mu.ring.next != &c.mu.ring || c.mu.records.next != &c.mu.records {
		t.Errorf("left: %d bytes, %d entries", c.mu.used, len(c.mu.entries))
	}
}

// TestKeptConcurrently reads records, times and rows from many goroutines with a cache that is far too
// small, while readers of other segments come and go.
func TestKeptConcurrently(t *testing.T) {
	records := timedRecords(BlockRows + 500)
	ctx := context.Background()
	cache := NewCache(300_000)
	open := func() *Reader {
		b := NewBuilder(Options{})
		for _, rec := range records {
			if _, err := b.Add(rec); err != nil {
				t.Error(err)
			}
		}
		r, err := Open(ctx, encode(t, b), ReadOptions{Cache: cache})
		if err != nil {
			t.Error(err)
		}
		return r
	}
	shared := open()
	var wg sync.WaitGroup
	for g := range 4 {
		wg.Go(func() {
			rng := rand.New(rand.NewPCG(uint64(g), 2))
			r := shared
			if g == 3 {
				r = open()
				defer r.Close()
			}
			at, _, _ := r.Lookup(ctx, []string{"at"})
			who, _, _ := r.Lookup(ctx, []string{"who"})
			for range 40 {
				from := rng.IntN(len(records) - 20)
				sel := Range(from, from+1+rng.IntN(20))
				v, err := r.KeptRecords(ctx, sel, true)
				if err != nil {
					t.Error(err)
					return
				}
				for i, got := range v.Str {
					if got != string(records[from+i]) {
						t.Errorf("row %d: %s", from+i, got)
						return
					}
				}
				if _, err := r.Timestamps(ctx, at, sel, nil); err != nil {
					t.Error(err)
				}
				if code, found, _, _ := r.Find(ctx, who, fmt.Sprintf("w%d", from%97)); found {
					if _, _, err := r.RowsOf(ctx, who, []uint32{code}, nil); err != nil {
						t.Error(err)
					}
				}
			}
		})
	}
	wg.Wait()
	shared.Close()
	if s := cache.Stats(); s.Used != 0 {
		t.Errorf("%d bytes are left", s.Used)
	}
}

// timedRecords are records with times that go up and down, of which the last have none, and values that come again.
func timedRecords(n int) (records [][]byte) {
	for i := range n {
		rec := fmt.Appendf(nil, `{"at":"2026-03-%02dT%02d:%02d:%02dZ"`, 1+i*7/86400, i*7919/3600%24, i*7919/60%60, i*7919%60)
		if i >= BlockRows && i%50 == 3 {
			rec = []byte(`{"at":null`)
		}
		if i%11 > 0 {
			rec = fmt.Appendf(rec, `,"who":"w%d"`, i*i%97)
		}
		records = append(records, fmt.Appendf(rec, `,"n":%d}`, i))
	}
	return records
}

// TestKeptTimes reads times again and again, of ranges and of single rows: what is kept of a block gives what
// its texts say, and a block with a row that has no time is read as before.
func TestKeptTimes(t *testing.T) {
	ctx := context.Background()
	for _, n := range []int{2*BlockRows + 77, BlockRows} {
		records := timedRecords(BlockRows)
		for i := len(records); i < n; i++ {
			records = append(records, fmt.Appendf(nil, `{"at":"2025-01-01T00:00:%02dZ"}`, i%60))
		}
		for i := range 40 { // before 1970, too
			records[i*17] = fmt.Appendf(nil, `{"at":"19%02d-12-31T23:59:%02dZ"}`, 50+i, i)
		}
		for _, broken := range []bool{false, true} {
			if broken {
				records[n-1] = []byte(`{"n":1}`)
			}
			r := seal(t, Options{}, records)
			p, _, err := r.Lookup(ctx, []string{"at"})
			if err != nil {
				t.Fatal(err)
			}
			const none = math.MinInt64
			times := make([]int64, n)
			for row, rec := range records {
				times[row] = none
				if text, some := modelText(modelGet(rec, []string{"at"})); some {
					sec, _ := parseTime([]byte(text))
					times[row] = sec * 1e6
				}
			}
			rng := rand.New(rand.NewPCG(uint64(n), 3))
			for round := range 40 {
				from := rng.IntN(n)
				sel := Range(from, from+1+rng.IntN(n-from))
				if round%2 == 1 {
					var list []uint32
					for row := sel.From; row < sel.To; row += 1 + rng.IntN(1000) {
						list = append(list, uint32(row))
					}
					sel = List(list)
				}
				v, err := r.Timestamps(ctx, p, sel, nil)
				if err != nil {
					t.Fatal(err)
				}
				for i := range v.Len {
					if want := times[sel.row(i)]; v.IsNull(i) != (want == none) || want != none && v.I64[i] != want {
						t.Fatalf("row %d: %d, null %v; the record has %s", sel.row(i), v.I64[i], v.IsNull(i), records[sel.row(i)])
					}
				}
			}
			for range 15 {
				low, high := times[rng.IntN(n-1)], times[rng.IntN(n-1)]
				low, high = min(low, high)-rng.Int64N(2e6), max(low, high)+rng.Int64N(2e6)
				ranges, ok, err := r.TimeRows(ctx, p, low, high, nil)
				if err != nil || !ok {
					t.Fatal(ok, err)
				}
				in, cut := map[int]bool{}, 0
				for i, a := range ranges {
					if a.From >= a.To || i > 0 && ranges[i-1].To >= a.From {
						t.Fatalf("ranges %v", ranges)
					}
					for row := a.From; row < a.To; row++ {
						in[row] = true
					}
				}
				for row, at := range times {
					wanted := at >= low && at <= high
					if wanted && !in[row] {
						t.Fatalf("row %d with %s is not in %v", row, records[row], ranges)
					}
					if in[row] && !wanted {
						cut++
					}
				}
				if cut > 0 && !broken {
					t.Fatalf("%d rows too many between %d and %d: %v", cut, low, high, ranges)
				}
				var rows, want []uint32
				for b := 0; b*BlockRows < n; b++ {
					if rows, ok, err = r.BlockTimeRows(ctx, p, b, low, high, rows); err != nil || ok == broken {
						t.Fatal(b, broken, ok, err)
					}
				}
				for row, at := range times {
					if !broken && at >= low && at <= high {
						want = append(want, uint32(row))
					}
				}
				if !slices.Equal(rows, want) {
					t.Fatalf("%d rows of blocks between %d and %d, want %d", len(rows), low, high, len(want))
				}
			}
			k := r.key(cachedSeconds, uint32(p))
			if _, ok := r.cache.get(k).(*keptSeconds); ok == broken {
				t.Errorf("%d rows, one without a time %v: times kept %v", n, broken, ok)
			}
		}
	}
}

// TestRowsOf compares the rows that are kept by codes with what the records say, for values that are rare, frequent,
// written in two ways and not there at all.
func TestRowsOf(t *testing.T) {
	ctx := context.Background()
	rng := rand.New(rand.NewPCG(6, 6))
	var records [][]byte
	for i := range BlockRows + 1500 {
		rec := fmt.Appendf(nil, `{"of":"v%d"`, i*i%700)
		switch {
		case rng.IntN(2) == 0:
			rec = fmt.Appendf(nil, `{"of":"often"`)
		case i%9 == 0:
			rec = fmt.Appendf(nil, `{"x":1`)
		}
		if i%3 == 0 {
			rec = fmt.Appendf(rec, `,"two":"\u0041%d"`, i%300)
		} else {
			rec = fmt.Appendf(rec, `,"two":"A%d"`, i%400)
		}
		records = append(records, append(rec, '}'))
	}
	r := seal(t, Options{}, records)
	for _, name := range []string{"of", "two"} {
		p, _, err := r.Lookup(ctx, []string{name})
		if err != nil {
			t.Fatal(err)
		}
		want := map[string][]uint32{}
		for row, rec := range records {
			if text, some := modelText(modelGet(rec, []string{name})); some {
				want[text] = append(want[text], uint32(row))
			}
		}
		asked := 0
		for value, rows := range want {
			code, found, ok, err := r.Find(ctx, p, value)
			if err != nil || !ok || !found {
				t.Fatal(value, found, ok, err)
			}
			got, known, err := r.RowsOf(ctx, p, []uint32{code}, []uint32{math.MaxUint32})
			if err != nil {
				t.Fatal(err)
			}
			switch asked++; {
			case asked == 1 || value == "often":
				if known {
					t.Errorf("%s: rows are known the first time, or of a frequent value", value)
				}
				continue
			case !known:
				t.Fatalf("%s = %s: rows are not known", name, value)
			}
			if slices.Sort(got); !slices.Equal(got[:len(got)-1], rows) {
				t.Fatalf("%s = %s: rows %v, want %v", name, value, got[:len(got)-1], rows)
			}
		}
		if got, known, err := r.RowsOf(ctx, p, nil, nil); err != nil || !known || len(got) > 0 {
			t.Errorf("of no codes: %v, %v, %v", got, known, err)
		}
	}
}

// BenchmarkKeptRecords reads fifty records of a segment for the first time, and again.
func BenchmarkKeptRecords(b *testing.B) {
	records := modelRecords(3, 2*BlockRows)
	r := seal(b, Options{}, records)
	rng := rand.New(rand.NewPCG(1, 1))
	for _, again := range []bool{false, true} {
		b.Run(fmt.Sprintf("again=%v", again), func(b *testing.B) {
			list := make([]uint32, 50)
			n := 0
			for b.Loop() {
				if !again || n == 0 {
					for i := range list {
						list[i] = uint32(i*len(records)/50 + rng.IntN(len(records)/50))
					}
				}
				v, err := r.KeptRecords(context.Background(), List(list), again)
				if err != nil || !bytes.Equal([]byte(v.Str[0]), records[list[0]]) {
					b.Fatal(err)
				}
				n++
			}
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(50*b.N), "ns/record")
		})
	}
}
