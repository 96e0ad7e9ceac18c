package segment_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"strconv"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/cairndb/cairn/engine/event/generate"
	"github.com/cairndb/cairn/segment"
)

var watch = segment.Options{
	Watch: [][]string{
		{"eventID"}, {"eventTime"}, {"eventSource"}, {"eventName"}, {"awsRegion"}, {"recipientAccountId"},
		{"readOnly"}, {"managementEvent"}, {"eventCategory"}, {"errorCode"},
	},
	Predict: 4,
}

var errEnough = errors.New("enough")

// events returns the records of SEGMENT_BENCH_FILE (one a line) if that is set, else the first 65,536 events of a set of a million, as a live store receives them.
// SEGMENT_BENCH_SKIP=n takes those after the first n.
var events = sync.OnceValue(func() [][]byte {
	if name := os.Getenv("SEGMENT_BENCH_FILE"); name != "" {
		b, err := os.ReadFile(name)
		if err != nil {
			panic(err)
		}
		lines := bytes.Split(bytes.TrimSuffix(b, []byte("\n")), []byte("\n"))
		return lines[:min(len(lines), segment.MaxRows)]
	}
	g, err := generate.New(generate.Options{Events: 1_000_000, Seed: 1})
	if err != nil {
		panic(err)
	}
	skip, _ := strconv.Atoi(os.Getenv("SEGMENT_BENCH_SKIP"))
	var out [][]byte
	err = g.Each(func(raw []byte, _ int64) error {
		if skip > 0 {
			skip--
			return nil
		}
		out = append(out, append([]byte(nil), raw...))
		if len(out) == segment.MaxRows {
			return errEnough
		}
		return nil
	})
	if err != nil && err != errEnough {
		panic(err)
	}
	return out
})

func bytesOf(records [][]byte) (n int64) {
	for _, r := range records {
		n += int64(len(r))
	}
	return n
}

// cpu returns the processor time this process has used: on a shared machine the clock tells little.
func cpu() time.Duration {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		return 0
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

func fill(tb testing.TB, b *segment.Builder, records [][]byte) {
	for _, r := range records {
		if n, err := b.Add(r); err != nil || n != len(r) {
			tb.Fatalf("took %d of %d bytes: %v\n%s", n, len(r), err, r)
		}
	}
}

func BenchmarkShred(b *testing.B) {
	records := events()
	bl := segment.NewBuilder(watch)
	fill(b, bl, records)
	b.SetBytes(bytesOf(records))
	b.ReportAllocs()
	b.ResetTimer()
	start := cpu()
	for range b.N {
		bl.Reset()
		fill(b, bl, records)
	}
	b.ReportMetric(float64(cpu()-start)/float64(b.N*len(records)), "cpu-ns/record")
	b.ReportMetric(float64(bl.MemoryBytes())/1e6, "MB")
}

func BenchmarkFinish(b *testing.B) {
	records := events()
	bl := segment.NewBuilder(watch)
	var e *segment.Encoded
	var err error
	var used time.Duration
	b.ReportAllocs()
	for range b.N {
		b.StopTimer()
		bl.Reset()
		fill(b, bl, records)
		b.StartTimer()
		start := cpu()
		if e, err = bl.Finish(); err != nil {
			b.Fatal(err)
		}
		used += cpu() - start
	}
	b.ReportMetric(float64(used)/float64(b.N*len(records)), "cpu-ns/record")
	b.ReportMetric(float64(e.StoredBytes())/float64(e.Rows()), "B/record")
	b.ReportMetric(float64(e.Blocks()), "blocks")
}

type memory [][]byte

func (m memory) Block(_ context.Context, id uint32) ([]byte, func(), error) {
	if int(id) >= len(m) {
		return nil, nil, fmt.Errorf("there is no block %d", id)
	}
	return m[id], func() {}, nil
}

var sealed = sync.OnceValue(func() memory {
	bl := segment.NewBuilder(watch)
	for _, r := range events() {
		if _, err := bl.Add(r); err != nil {
			panic(err)
		}
	}
	e, err := bl.Finish()
	if err != nil {
		panic(err)
	}
	m := make(memory, e.Blocks())
	for i := range m {
		m[i] = e.Block(i)
	}
	return m
})

func open(tb testing.TB, m memory) *segment.Reader {
	r, err := segment.Open(context.Background(), m, segment.ReadOptions{Cache: segment.NewCache(256 << 20)})
	if err != nil {
		tb.Fatal(err)
	}
	return r
}

// BenchmarkRecord reads single records at random: cold has only the directory
// and the shapes in memory, warm what other records needed as well.
func BenchmarkRecord(b *testing.B) {
	ctx := context.Background()
	m := sealed()
	b.Run("cold", func(b *testing.B) {
		var rec []byte
		for range b.N {
			b.StopTimer()
			r := open(b, m)
			r.Lookup(ctx, []string{"eventID"})
			r.Record(ctx, 0, nil) // directory and shapes
			r.DropDictionaries()
			row := rand.IntN(r.Rows())
			b.StartTimer()
			var err error
			if rec, err = r.Record(ctx, row, rec[:0]); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("warm", func(b *testing.B) {
		r := open(b, m)
		var rec []byte
		var err error
		for range 2000 {
			r.Record(ctx, rand.IntN(r.Rows()), nil)
		}
		b.ReportAllocs()
		b.ResetTimer()
		for range b.N {
			if rec, err = r.Record(ctx, rand.IntN(r.Rows()), rec[:0]); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("first", func(b *testing.B) { // nothing in memory at all
		for range b.N {
			r := open(b, m)
			if _, err := r.Record(ctx, rand.IntN(r.Rows()), nil); err != nil {
				b.Fatal(err)
			}
		}
	})
}

func BenchmarkRecords(b *testing.B) {
	ctx := context.Background()
	r := open(b, sealed())
	b.SetBytes(r.RawBytes())
	b.ReportAllocs()
	start := cpu()
	for range b.N {
		err := r.Records(ctx, segment.Range(0, r.Rows()), func(int, []byte) error { return nil })
		if err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64(b.N*r.Rows())/(cpu()-start).Seconds(), "records/cpu-s")
}

func BenchmarkText(b *testing.B) {
	ctx := context.Background()
	for _, path := range [][]string{
		{"eventName"}, {"userIdentity", "arn"}, {"errorCode"}, {"sourceIPAddress"}, {"eventID"}, {"requestParameters"},
		{"requestParameters", "bucketName"},
	} {
		b.Run(path[len(path)-1], func(b *testing.B) {
			r := open(b, sealed())
			p, ok, err := r.Lookup(ctx, path)
			if !ok || err != nil {
				b.Fatal(ok, err)
			}
			b.ReportAllocs()
			start := cpu()
			for range b.N {
				for from := 0; from < r.Rows(); from += segment.BlockRows {
					if _, err := r.Text(ctx, p, segment.Range(from, min(from+segment.BlockRows, r.Rows()))); err != nil {
						b.Fatal(err)
					}
				}
			}
			b.ReportMetric(float64(cpu()-start)/float64(b.N*r.Rows()), "cpu-ns/row")
		})
	}
}

func BenchmarkTimestamps(b *testing.B) {
	ctx := context.Background()
	r := open(b, sealed())
	p, _, err := r.Lookup(ctx, []string{"eventTime"})
	if err != nil {
		b.Fatal(err)
	}
	start := cpu()
	for range b.N {
		for from := 0; from < r.Rows(); from += segment.BlockRows {
			if _, err := r.Timestamps(ctx, p, segment.Range(from, min(from+segment.BlockRows, r.Rows())), nil); err != nil {
				b.Fatal(err)
			}
		}
	}
	b.ReportMetric(float64(cpu()-start)/float64(b.N*r.Rows()), "cpu-ns/row")
}

// TestSizes prints where the bytes are; run it with -v.
func TestSizes(t *testing.T) {
	if testing.Short() || os.Getenv("SEGMENT_SIZES") == "" {
		t.Skip("set SEGMENT_SIZES=1 to see the sizes of a generated segment")
	}
	ctx := context.Background()
	r := open(t, sealed())
	s, err := r.Sizes(ctx)
	if err != nil {
		t.Fatal(err)
	}
	n := float64(r.Rows())
	t.Logf("%.1f B raw; directory %.2f shapes %.2f tiny %.2f dictionaries %.2f codes %.2f values %.2f checksums %.2f total %.2f B/event; %d blocks %d columns %d shapes",
		float64(r.RawBytes())/n, float64(s.Directory)/n, float64(s.Shapes)/n, float64(s.Tiny)/n, float64(s.Dictionaries)/n,
		float64(s.Codes)/n, float64(s.Values)/n, float64(s.Checksums)/n, float64(s.Total)/n, s.Blocks, s.Columns, s.ShapeCount)
	r.EachColumn(ctx, func(c segment.ColumnInfo) error {
		if float64(c.Stored)/n > 0.15 {
			t.Logf("%7.3f B %6.2f per value %-10s %6d values %6d distinct %v", float64(c.Stored)/n, float64(c.Stored)/float64(c.Values), c.Encoding, c.Values, c.Distinct, c.Path)
		}
		return nil
	})
}
