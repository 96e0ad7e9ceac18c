package segment

import (
	"bytes"
	"context"
	"fmt"
	"math/rand/v2"
	"sync"
	"testing"
)

// TestConcurrentReads reads one segment from many goroutines with a cache that
// is far too small, so that everything comes and goes all the time.
func TestConcurrentReads(t *testing.T) {
	records := modelRecords(31, BlockRows+200)
	b := NewBuilder(Options{})
	for _, rec := range records {
		if _, err := b.Add(rec); err != nil {
			t.Fatal(err)
		}
	}
	ctx := context.Background()
	cache := NewCache(100_000)
	r, err := Open(ctx, encode(t, b), ReadOptions{Cache: cache})
	if err != nil {
		t.Fatal(err)
	}
	var wg sync.WaitGroup
	for g := range 6 {
		wg.Go(func() {
			rng := rand.New(rand.NewPCG(uint64(g), 1))
			for range 15 {
				row := rng.IntN(len(records))
				rec, err := r.Record(ctx, row, nil)
				if err != nil || !bytes.Equal(rec, records[row]) {
					t.Errorf("record %d: %v", row, err)
					return
				}
				for _, path := range [][]string{{"owner"}, {"user", "arn"}, {"params"}, {"eventID"}} {
					p, _, err := r.Lookup(ctx, path)
					if err != nil {
						t.Error(err)
						return
					}
					v, err := r.Text(ctx, p, List([]uint32{uint32(row)}))
					if err != nil {
						t.Error(err)
						return
					}
					want, some := modelText(modelGet(records[row], path))
					if got, ok := str(v, 0); got != want || ok != some {
						t.Errorf("%q of row %d is %q, want %q", path, row, got, want)
					}
				}
				from := rng.IntN(len(records) - 50)
				err = r.Records(ctx, Range(from, from+50), func(row int, rec []byte) error {
					if !bytes.Equal(rec, records[row]) {
						return fmt.Errorf("record %d differs", row)
					}
					return nil
				})
				if err != nil {
					t.Error(err)
				}
			}
		})
	}
	wg.Wait()
	if s := cache.Stats(); s.Hits == 0 || s.Misses == 0 {
		t.Errorf("cache: %+v", s)
	}
	r.Close()
	if s := cache.Stats(); s.Used != 0 {
		t.Errorf("%d bytes are left after Close", s.Used)
	}
}

// TestCancel: a done context ends a read.
func TestCancel(t *testing.T) {
	r := seal(t, Options{}, modelRecords(1, 100))
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if err := r.Records(ctx, Range(0, 100), func(int, []byte) error { return nil }); err != context.Canceled {
		t.Errorf("Records: %v", err)
	}
	if _, err := r.Text(ctx, Root, Range(0, 100)); err != context.Canceled {
		t.Errorf("Text: %v", err)
	}
}

func TestWrongSelections(t *testing.T) {
	ctx := context.Background()
	r := seal(t, Options{}, modelRecords(1, 100))
	for _, sel := range []Selection{Range(-1, 5), Range(5, 4), Range(0, 101), List([]uint32{5, 5}), List([]uint32{7, 5}), List([]uint32{100})} {
		if _, err := r.Text(ctx, Root, sel); err == nil {
			t.Errorf("%+v was taken", sel)
		}
		if err := r.Records(ctx, sel, func(int, []byte) error { return nil }); err == nil {
			t.Errorf("%+v was taken", sel)
		}
	}
	if _, err := r.Record(ctx, 100, nil); err == nil {
		t.Error("record 100 of 100")
	}
	if _, err := r.Text(ctx, PathID(1<<20), Range(0, 1)); err == nil {
		t.Error("a path that is not there")
	}
	if v, err := r.Text(ctx, Root, List(nil)); err != nil || v.Len != 0 {
		t.Errorf("no rows: %v", err)
	}
}
