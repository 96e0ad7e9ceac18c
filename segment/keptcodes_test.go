package segment

import (
	"context"
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/cairndb/cairn/segment/column"
)

// TestKeptCodes reads blocks again and again, whole, in parts and row by row: what is kept
// of them must give what the first reading gave.
func TestKeptCodes(t *testing.T) {
	ctx := context.Background()
	rng := rand.New(rand.NewPCG(4, 4))
	var records [][]byte
	for range 2*BlockRows + 900 {
		many := rng.IntN(700)
		rec := fmt.Appendf(nil, `{"few":"v%d","many":"m%04d","of":"o%d"`, rng.IntN(7), many, many%13)
		if rng.IntN(3) == 0 {
			rec = fmt.Appendf(rec, `,"some":"\u0041%d"`, rng.IntN(400))
		} else if rng.IntN(3) == 0 {
			rec = fmt.Appendf(rec, `,"some":%d`, rng.IntN(9))
		}
		records = append(records, append(rec, '}'))
	}
	r := seal(t, Options{}, records)
	text := func(p PathID, sel Selection) []string {
		v, err := r.Text(ctx, p, sel)
		if err != nil {
			t.Fatal(err)
		}
		out := make([]string, v.Len)
		for i := range out {
			if out[i] = "NULL"; !v.IsNull(i) {
				leaf, j := v.Leaf(i)
				out[i] = leaf.Str[j]
			}
		}
		return out
	}
	for _, name := range []string{"few", "many", "of", "some"} {
		p, ok, err := r.Lookup(ctx, []string{name})
		if err != nil || !ok {
			t.Fatal(ok, err)
		}
		want := text(p, Range(0, len(records)))
		for round := range 40 {
			from := rng.IntN(len(records))
			sel := Range(from, from+1+rng.IntN(len(records)-from))
			if round%2 == 1 {
				var list []uint32
				every := 1 + rng.IntN(30)
				for row := sel.From; row < sel.To; row += 1 + rng.IntN(every) {
					list = append(list, uint32(row))
				}
				sel = List(list)
			}
			got := text(p, sel)
			for i := range got {
				if got[i] != want[sel.row(i)] {
					t.Fatalf("%s of row %d: %s, at first %s", name, sel.row(i), got[i], want[sel.row(i)])
				}
			}
		}
		for b := range 3 {
			key := r.key(cachedPathCodes, uint32(p))
			key.part = uint32(b)
			if _, ok := r.cache.get(key).(*keptCodes); !ok {
				t.Errorf("codes of block %d of %s are not kept", b, name)
			}
		}
	}
}

// TestFewCodesKept: a few rows that are asked for again and again have their block's codes kept, but
// not those that are asked for twice.
func TestFewCodesKept(t *testing.T) {
	ctx := context.Background()
	var records [][]byte
	for i := range BlockRows {
		records = append(records, fmt.Appendf(nil, `{"v":"%d"}`, i*7919%90))
	}
	r := seal(t, Options{}, records)
	p, _, err := r.Lookup(ctx, []string{"v"})
	if err != nil {
		t.Fatal(err)
	}
	key := r.key(cachedPathCodes, uint32(p))
	for round := range 4 {
		v, err := r.Text(ctx, p, List([]uint32{7, 4000}))
		if err != nil {
			t.Fatal(err)
		}
		if v.Dict.Str[v.Codes[0]] != fmt.Sprint(7*7919%90) || v.Dict.Str[v.Codes[1]] != fmt.Sprint(4000*7919%90) {
			t.Fatalf("codes %d", v.Codes)
		}
		if _, kept := r.cache.get(key).(*keptCodes); kept != (round >= keptAsked) {
			t.Errorf("kept after %d times: %v", round+1, kept)
		}
	}
}

// TestScansShare fills a cache with what scans keep: they stop at their share, and what
// else there is stays.
func TestScansShare(t *testing.T) {
	c := NewCache(100 << 10)
	rest := cacheKey{what: cachedPlan}
	c.put(rest, "plan", 1000)
	n := uint32(0)
	for ; c.roomForScans(); n++ {
		if n == 1000 {
			t.Fatal("there is always room")
		}
		key := cacheKey{what: cachedPathCodes, number: n}
		if c.again(key) {
			t.Fatal("asked before")
		}
		c.put(key, &keptCodes{}, 1000)
	}
	if c.get(rest) == nil || n < 30 || n > 60 {
		t.Errorf("%d kept, and the plan %v", n, c.get(rest))
	}
	c.drop(0)
	if !c.roomForScans() || c.mu.scanned != 0 {
		t.Errorf("%d bytes of scans after all is gone", c.mu.scanned)
	}
}

// BenchmarkKeptCodes reads the codes of one path of a segment again and again.
func BenchmarkKeptCodes(b *testing.B) {
	ctx := context.Background()
	var records [][]byte
	for i := range 4 * BlockRows {
		records = append(records, fmt.Appendf(nil, `{"v":"value %d"}`, i*7919%1500))
	}
	r := seal(b, Options{}, records)
	p, _, err := r.Lookup(ctx, []string{"v"})
	if err != nil {
		b.Fatal(err)
	}
	var v *column.Vector
	for b.Loop() {
		for at := 0; at < len(records); at += BlockRows {
			if v, err = r.Text(ctx, p, Range(at, at+BlockRows)); err != nil {
				b.Fatal(err)
			}
		}
	}
	if slices.Max(v.Codes) == 0 {
		b.Fatal("no codes")
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N*len(records)), "ns/row")
}
