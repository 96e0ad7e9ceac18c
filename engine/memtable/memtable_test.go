package memtable

import (
	"context"
	"fmt"
	"sync"
	"testing"

	"github.com/cairndb/cairn/engine/event"
	"github.com/cairndb/cairn/segment"
)

func row(i int) Row {
	raw := fmt.Appendf(nil, `{"eventVersion":"1.08","eventTime":"2026-01-01T00:%02d:%02dZ","eventSource":"a","eventName":"b","eventID":"%08x-0000-4000-8000-000000000000"}`, i/60%60, i%60, i)
	var ev event.Event
	if err := event.Parse(raw, &ev); err != nil {
		panic(err)
	}
	r := Row{Raw: raw, Time: ev.Time, Leaf: event.LeafHash(raw)}
	r.ID = ev.Identity(&r.Leaf)
	return r
}

func rows(from, to int) []Row {
	var out []Row
	for i := from; i < to; i++ {
		out = append(out, row(i))
	}
	return out
}

// TestChunksHoldTheView: at every size the chunks give exactly the view's rows,
// and old views keep theirs.
func TestChunksHoldTheView(t *testing.T) {
	ctx := context.Background()
	table := New(100, segment.NewCache(1<<20))
	type held struct {
		v      *View
		chunks []*Chunk
		n      int
	}
	var views []held
	n := 0
	for _, add := range []int{1, 1, 29, 1, 32, 63, 1, 200, 700, 3100, 900} {
		table.Append(rows(n, n+add))
		n += add
		v := table.View()
		chunks, err := v.Chunks(ctx)
		if err != nil {
			t.Fatal(err)
		}
		views = append(views, held{v, chunks, n})
	}
	for _, h := range views {
		if len(h.v.Rows()) != h.n || h.v.First() != 100 {
			t.Fatalf("view of %d rows from %d, want %d", len(h.v.Rows()), h.v.First(), h.n)
		}
		next := 0
		for _, c := range h.chunks {
			if c.From != next || c.To <= c.From || c.To-c.From > chunkMax {
				t.Fatalf("view of %d rows: chunk %d to %d after %d", h.n, c.From, c.To, next)
			}
			next = c.To
			err := c.Reader.Records(ctx, segment.Range(0, c.To-c.From), func(i int, rec []byte) error {
				if want := row(c.From + i).Raw; string(rec) != string(want) {
					return fmt.Errorf("row %d is %s, want %s", c.From+i, rec, want)
				}
				return nil
			})
			if err != nil {
				t.Fatal(err)
			}
		}
		if next != h.n {
			t.Fatalf("chunks end at %d, want %d", next, h.n)
		}
	}
	if kept := len(table.chunks.kept); kept > 16 {
		t.Errorf("%d chunks are kept for %d rows", kept, n)
	}
	table.Release()
}

func TestFind(t *testing.T) {
	table := New(10, nil)
	a := row(1)
	other := a
	other.Raw = append([]byte(nil), a.Raw...)
	other.Leaf = event.LeafHash([]byte("other bytes"))
	table.Append([]Row{row(0), a})
	early := table.View()
	table.Append([]Row{other})
	late := table.View()
	if seq, same, found := early.Find(a.ID, &a.Leaf); seq != 11 || !same || !found {
		t.Errorf("found %d %v %v", seq, same, found)
	}
	// The view does not know what came after it.
	if seq, same, found := early.Find(a.ID, &other.Leaf); seq != 11 || same || !found {
		t.Errorf("in the early view: %d %v %v", seq, same, found)
	}
	if seq, same, found := late.Find(a.ID, &other.Leaf); seq != 12 || !same || !found {
		t.Errorf("in the late view: %d %v %v", seq, same, found)
	}
	if seq, same, _ := late.Find(a.ID, &a.Leaf); seq != 11 || !same {
		t.Errorf("the older one: %d %v", seq, same)
	}
	missing := row(5)
	if _, _, found := late.Find(missing.ID, &missing.Leaf); found {
		t.Error("found what is not there")
	}
	if lo, hi := late.Times(); lo != row(0).Time || hi != row(1).Time {
		t.Errorf("times %d to %d", lo, hi)
	}
}

// TestReadersDoNotDisturbTheWriter queries while rows come in.
func TestReadersDoNotDisturbTheWriter(t *testing.T) {
	table := New(0, segment.NewCache(1<<20))
	var wg sync.WaitGroup
	stop := make(chan struct{})
	for range 2 {
		wg.Add(1)
		go func() {
			defer wg.Done()
			for {
				select {
				case <-stop:
					return
				default:
				}
				v := table.View()
				chunks, err := v.Chunks(context.Background())
				if err != nil {
					t.Error(err)
					return
				}
				sum := 0
				for _, c := range chunks {
					sum += c.Reader.Rows()
				}
				if sum != len(v.Rows()) {
					t.Errorf("%d rows in chunks, %d in the view", sum, len(v.Rows()))
				}
			}
		}()
	}
	for i := 0; i < 600; i += 7 {
		table.Append(rows(i, i+7))
	}
	close(stop)
	wg.Wait()
}

func BenchmarkAppend(b *testing.B) {
	batch := rows(0, 1000)
	size := 0
	for _, r := range batch {
		size += len(r.Raw)
	}
	b.SetBytes(int64(size))
	for b.Loop() {
		New(0, nil).Append(batch)
	}
}
