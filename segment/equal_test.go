package segment

import (
	"bytes"
	"context"
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"testing"
	"time"
)

// TestEqual compares the search in stored values with the texts.
func TestEqual(t *testing.T) {
	t.Run("any", func(t *testing.T) { testEqual(t, modelRecords(5, 2*BlockRows+700)) })
	t.Run("alike", func(t *testing.T) { testEqual(t, alikeRecords(6, 2*BlockRows+700)) })
}

func testEqual(t *testing.T, records [][]byte) {
	ctx := context.Background()
	r := seal(t, Options{}, records)
	rng := rand.New(rand.NewPCG(3, 4))
	searched := 0
	for _, path := range [][]string{
		{"eventID"}, {"eventTime"}, {"n"}, {"eventName"}, {"user", "id"}, {"user", "arn"}, {"params", "key"},
		{"params", "ids"}, {"a"}, {"b"}, {"c", "d"}, {"params"},
	} {
		p, ok, err := r.Lookup(ctx, path)
		if err != nil {
			t.Fatal(err)
		}
		if !ok { // of records that are alike
			continue
		}
		for b := 0; b*BlockRows < r.Rows(); b++ {
			from, to := b*BlockRows, min((b+1)*BlockRows, r.Rows())
			v, err := r.Text(ctx, p, Range(from, to))
			if err != nil {
				t.Fatal(err)
			}
			for n := range 40 {
				var values []string
				for range 1 + n%3 {
					s, ok := str(v, rng.IntN(v.Len))
					switch rng.IntN(6) {
					case 0:
						s = fmt.Sprint(rng.IntN(1 << 20))
					case 1:
						if len(s) > 1 {
							s = s[:len(s)-1] + string(s[0])
						}
					case 2:
						s = []string{"", "x", "-0", "true", "2023-11-14T22:13:20Z", "\x00"}[rng.IntN(6)]
					}
					if ok {
						values = append(values, s)
					}
				}
				rows, ok, err := r.Equal(ctx, p, values, b, []uint32{7})
				if err != nil {
					t.Fatal(err)
				}
				if !ok {
					if len(rows) != 1 {
						t.Fatalf("%v: rows were appended: %v", path, rows)
					}
					continue
				}
				searched++
				want := []uint32{7}
				for i := range v.Len {
					if s, ok := str(v, i); ok && slices.Contains(values, s) {
						want = append(want, uint32(from+i))
					}
				}
				if !slices.Equal(slices.Compact(rows), want) {
					t.Fatalf("%v, block %d: %q is in rows %v, found %v", path, b, values, want, rows)
				}
			}
		}
	}
	if searched < 200 {
		t.Errorf("only %d searches were made in stored values", searched)
	}
	if _, _, err := r.Equal(ctx, Root, nil, 3, nil); err == nil {
		t.Error("a block that is not there was searched")
	}
}

// TestRecordsAgain reads single records over and over: what is kept from the second
// time on must give the same bytes, with any room to keep it.
func TestRecordsAgain(t *testing.T) {
	ctx := context.Background()
	records := modelRecords(6, 2*BlockRows)
	b := NewBuilder(Options{})
	for _, rec := range records {
		if _, err := b.Add(rec); err != nil {
			t.Fatal(err)
		}
	}
	e, err := b.Finish()
	if err != nil {
		t.Fatal(err)
	}
	m := blocksOf(e)
	for _, limit := range []int64{1, 200_000, 32 << 20} {
		r, err := Open(ctx, m, ReadOptions{Cache: NewCache(limit), VerifyOnce: true})
		if err != nil {
			t.Fatal(err)
		}
		rng := rand.New(rand.NewPCG(8, uint64(limit)))
		rows := rng.Perm(len(records))[:40]
		rounds := 10
		if limit < 1000 {
			rounds = 2
		}
		for range rounds {
			for _, row := range rows {
				rec, err := r.Record(ctx, row, nil)
				if err != nil || !bytes.Equal(rec, records[row]) {
					t.Fatalf("record %d with a cache of %d bytes: %v\n%s\n%s", row, limit, err, rec, records[row])
				}
			}
			rng.Shuffle(len(rows), func(i, j int) { rows[i], rows[j] = rows[j], rows[i] })
			from := rng.IntN(len(records) - 900)
			n := from
			err := r.Records(ctx, Range(from, from+900), func(row int, rec []byte) error {
				if row != n || !bytes.Equal(rec, records[row]) {
					return fmt.Errorf("record %d came back as %s", n, rec)
				}
				n++
				return nil
			})
			if err != nil {
				t.Fatal(err)
			}
			// Rows far apart, for which counts of passed values are used in the middle of a block.
			scattered := make([]uint32, 0, len(rows))
			for _, row := range rows {
				scattered = append(scattered, uint32(row))
			}
			slices.Sort(scattered)
			next := 0
			err = r.Records(ctx, List(scattered), func(row int, rec []byte) error {
				if row != int(scattered[next]) || !bytes.Equal(rec, records[row]) {
					return fmt.Errorf("record %d of scattered ones came back as row %d: %s", scattered[next], row, rec)
				}
				next++
				return nil
			})
			if err != nil || next != len(scattered) {
				t.Fatal(next, err)
			}
		}
	}
}

// TestBlockTimes compares what is told of blocks with the times themselves.
func TestBlockTimes(t *testing.T) {
	ctx := context.Background()
	var records [][]byte
	for i := range 3*BlockRows + 77 {
		rec := fmt.Sprintf(`{"n":%d,"at":"%s"}`, i, time.Unix(1.7e9+int64(i*7919%100_000), 0).UTC().Format(time.RFC3339))
		if i%3 == 0 || i/BlockRows == 1 { // the second block has none
			rec = fmt.Sprintf(`{"n":%d,"other":"text"}`, i)
		}
		records = append(records, []byte(rec))
	}
	r := seal(t, Options{}, records)
	p, ok, err := r.Lookup(ctx, []string{"at"})
	if err != nil || !ok {
		t.Fatal(ok, err)
	}
	for range 2 { // the second time from the cache
		times, ok, err := r.BlockTimes(ctx, p)
		if err != nil || !ok || len(times) != 4 {
			t.Fatal(times, ok, err)
		}
		for b, have := range times {
			v, err := r.Timestamps(ctx, p, Range(b*BlockRows, min((b+1)*BlockRows, len(records))), nil)
			if err != nil {
				t.Fatal(err)
			}
			want := TimeRange{Min: math.MaxInt64, Max: math.MinInt64}
			for i := range v.Len {
				if !v.IsNull(i) {
					want.Min, want.Max = min(want.Min, v.I64[i]), max(want.Max, v.I64[i])
				}
			}
			if have != want {
				t.Errorf("block %d: %v, want %v", b, have, want)
			}
		}
	}
	if all, err := r.AllTimes(ctx, p); all || err != nil {
		t.Errorf("rows without a time are said to have one: %v, %v", all, err)
	}
	whole := seal(t, Options{}, records[1:3])
	if p, _, err := whole.Lookup(ctx, []string{"at"}); err != nil {
		t.Fatal(err)
	} else if _, err := whole.AllTimes(ctx, p); err != nil {
		t.Error(err)
	}
	if p, _, err = r.Lookup(ctx, []string{"n"}); err != nil {
		t.Fatal(err)
	}
	if times, ok, err := r.BlockTimes(ctx, p); ok || err != nil {
		t.Errorf("numbers have times: %v, %v", times, err)
	}
}
