package pg

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"math/rand/v2"
	"runtime"
	"slices"
	"syscall"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/cairndb/cairn/engine/event/generate"
)

const benchEvents = 200_000

// benchFixture is a fixture whose events are in segments and have been read once.
func benchFixture(b *testing.B) *fixture {
	b.Helper()
	f := newFixture(b, benchEvents, nil)
	c := f.connect(b)
	for range 2 {
		if _, err := c.Exec(context.Background(), "SELECT max(eventJson), max(eventID), max(eventTime), max(sourceIPAddress) FROM events"); err != nil {
			b.Fatal(err)
		}
	}
	b.ResetTimer()
	return f
}

func eventID(i int) string { return fmt.Sprintf("00000000-0000-4000-8000-%012d", i) }

// BenchmarkPointLookup: go test ./server/pg -run '^$' -bench PointLookup. One event by its
// ID with a prepared statement, binary results, over loopback.
func BenchmarkPointLookup(b *testing.B) {
	f := benchFixture(b)
	for _, clients := range []int{1, 4} {
		b.Run(fmt.Sprintf("clients=%d", clients), func(b *testing.B) {
			spent := processTime(b)
			b.SetParallelism((clients + runtime.GOMAXPROCS(0) - 1) / runtime.GOMAXPROCS(0))
			b.RunParallel(func(pb *testing.PB) {
				c, err := pgx.Connect(context.Background(), f.dsn(""))
				if err != nil {
					b.Error(err)
					return
				}
				defer c.Close(context.Background())
				for pb.Next() {
					var name string
					if err := c.QueryRow(context.Background(), "SELECT eventName FROM events WHERE eventID = $1", eventID(rand.IntN(benchEvents))).Scan(&name); err != nil {
						b.Error(err)
						return
					}
				}
			})
			b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "lookups/s")
			b.ReportMetric(float64(b.N)/(processTime(b)-spent).Seconds(), "lookups/cpu-s")
		})
	}
}

// BenchmarkTrivial is the cost of the protocol and of binding a statement alone.
func BenchmarkTrivial(b *testing.B) {
	f := newFixture(b, 1, nil)
	c := f.connect(b)
	for range b.N {
		var n int
		if err := c.QueryRow(context.Background(), "SELECT $1::bigint", 1).Scan(&n); err != nil {
			b.Fatal(err)
		}
	}
}

// processTime is what the process, server and client together, has had of processors, in
// which no other process has a part: on a busy machine the figures to compare are those by it.
func processTime(tb testing.TB) time.Duration {
	tb.Helper()
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		tb.Fatal(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// BenchmarkStream streams a million rows of four columns, out of a join and out of the store
// alone, in text and binary, and COPY TO in its formats.
func BenchmarkStream(b *testing.B) {
	f := benchFixture(b)
	c := f.connect(b)
	const columns = "eventTime, eventName, sourceIPAddress, eventID"
	for _, x := range []struct {
		name, text string
		format     int16
		copied     bool
	}{
		{"join/text", "SELECT e.eventTime, e.eventName, e.sourceIPAddress, e.eventID FROM events e, (VALUES 1, 2, 3, 4, 5) AS t(n)", 0, false},
		{"join/binary", "SELECT e.eventTime, e.eventName, e.sourceIPAddress, e.eventID FROM events e, (VALUES 1, 2, 3, 4, 5) AS t(n)", 1, false},
		{"store/text", "SELECT " + columns + " FROM events", 0, false},
		{"store/binary", "SELECT " + columns + " FROM events", 1, false},
		{"copy/text", "COPY (SELECT " + columns + " FROM events) TO STDOUT", 0, true},
		{"copy/csv", "COPY (SELECT " + columns + " FROM events) TO STDOUT (FORMAT csv)", 0, true},
		{"copy/binary", "COPY (SELECT " + columns + " FROM events) TO STDOUT (FORMAT binary)", 0, true},
	} {
		b.Run(x.name, func(b *testing.B) {
			var rows, most int64
			spent := processTime(b)
			for range b.N {
				before := heap()
				if x.copied {
					tag, err := c.PgConn().CopyTo(context.Background(), io.Discard, x.text)
					if err != nil {
						b.Fatal(err)
					}
					rows += tag.RowsAffected()
					continue
				}
				r := c.PgConn().ExecParams(context.Background(), x.text, nil, nil, nil, []int16{x.format})
				for n := 0; r.NextRow(); n++ {
					rows++
					if n%100_000 == 99_999 {
						b.StopTimer()
						most = max(most, heap()-before)
						b.StartTimer()
					}
				}
				if _, err := r.Close(); err != nil {
					b.Fatal(err)
				}
			}
			spent = processTime(b) - spent
			b.ReportMetric(float64(rows)/b.Elapsed().Seconds(), "rows/s")
			b.ReportMetric(float64(rows)/spent.Seconds(), "rows/cpu-s")
			b.ReportMetric(float64(most)/(1<<20), "MB-grown")
		})
	}
}

// BenchmarkCopyIn stores events of some 500 bytes by COPY … (FORMAT json).
func BenchmarkCopyIn(b *testing.B) {
	f := newFixture(b, 0, nil)
	c := f.connect(b)
	const n = 50_000
	next := 0
	var took, spent time.Duration
	for range b.N {
		var in bytes.Buffer
		for range n {
			in.Write(record(next))
			in.WriteByte('\n')
			next++
		}
		start, cpu := time.Now(), processTime(b)
		tag, err := c.PgConn().CopyFrom(context.Background(), &in, "COPY events FROM STDIN (FORMAT json)")
		if err != nil || tag.RowsAffected() != n {
			b.Fatal(tag, err)
		}
		took, spent = took+time.Since(start), spent+processTime(b)-cpu
	}
	b.ReportMetric(float64(next)/spent.Seconds(), "events/cpu-s")
	b.ReportMetric(float64(next)/took.Seconds(), "events/s")
}

// BenchmarkHistoryPage is the time to the first row of a page of event history: of generated
// events, which come about in the order of their times, and of such as come in no order at all.
func BenchmarkHistoryPage(b *testing.B) {
	b.Run("ordered", func(b *testing.B) {
		f := newFixture(b, 0, nil)
		g, err := generate.New(generate.Options{Events: benchEvents})
		if err != nil {
			b.Fatal(err)
		}
		var batch [][]byte
		err = g.Each(func(raw []byte, _ int64) error {
			if batch = append(batch, bytes.Clone(raw)); len(batch) < 10_000 {
				return nil
			}
			_, err := f.lake.AppendTo(context.Background(), "events", batch)
			batch = batch[:0]
			return err
		})
		if err != nil {
			b.Fatal(err)
		}
		historyPages(b, f)
	})
	b.Run("shuffled", func(b *testing.B) { historyPages(b, benchFixture(b)) })
}

func historyPages(b *testing.B, f *fixture) {
	c := f.connect(b)
	var took []time.Duration
	page := func() {
		start := time.Now()
		r, err := c.Query(context.Background(), "SELECT eventTime, eventName, userIdentity, eventJson FROM events ORDER BY eventTime DESC LIMIT 50")
		if err != nil {
			b.Fatal(err)
		}
		if !r.Next() {
			b.Fatal(r.Err(), io.EOF)
		}
		took = append(took, time.Since(start))
		r.Close()
	}
	for range 20 {
		page()
	}
	took = took[:0]
	b.ResetTimer()
	spent := processTime(b)
	for range b.N {
		page()
	}
	slices.Sort(took)
	b.ReportMetric(float64((processTime(b)-spent).Microseconds())/float64(b.N), "cpu-µs/page")
	b.ReportMetric(float64(took[len(took)/2].Microseconds()), "first-µs")
	b.ReportMetric(float64(took[len(took)*99/100].Microseconds()), "first-p99-µs")
}
