package pg

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"math/rand/v2"
	"runtime"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
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

// BenchmarkStream streams a million rows of four columns.
func BenchmarkStream(b *testing.B) {
	f := benchFixture(b)
	c := f.connect(b)
	var rows int64
	for range b.N {
		var m0, m1 runtime.MemStats
		runtime.ReadMemStats(&m0)
		r := c.PgConn().ExecParams(context.Background(), "SELECT e.eventTime, e.eventName, e.sourceIPAddress, e.eventID FROM events e, (VALUES 1, 2, 3, 4, 5) AS t(n)", nil, nil, nil, []int16{1})
		for r.NextRow() {
			rows++
		}
		if _, err := r.Close(); err != nil {
			b.Fatal(err)
		}
		runtime.ReadMemStats(&m1)
		b.ReportMetric((float64(m1.HeapSys)-float64(m0.HeapSys))/(1<<20), "MB-grown")
	}
	b.ReportMetric(float64(rows)/b.Elapsed().Seconds(), "rows/s")
}

// BenchmarkStreamTable streams all rows of the store, without a join.
func BenchmarkStreamTable(b *testing.B) {
	f := benchFixture(b)
	c := f.connect(b)
	var rows int64
	for range b.N {
		r := c.PgConn().ExecParams(context.Background(), "SELECT eventTime, eventName, sourceIPAddress, eventID FROM events", nil, nil, nil, []int16{0})
		for r.NextRow() {
			rows++
		}
		if _, err := r.Close(); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64(rows)/b.Elapsed().Seconds(), "rows/s")
}

// BenchmarkCopyIn stores events of some 500 bytes by COPY … (FORMAT json).
func BenchmarkCopyIn(b *testing.B) {
	f := newFixture(b, 0, nil)
	c := f.connect(b)
	const n = 50_000
	next := 0
	var took time.Duration
	for range b.N {
		var in bytes.Buffer
		for range n {
			in.Write(record(next))
			in.WriteByte('\n')
			next++
		}
		start := time.Now()
		tag, err := c.PgConn().CopyFrom(context.Background(), &in, "COPY events FROM STDIN (FORMAT json)")
		if err != nil || tag.RowsAffected() != n {
			b.Fatal(tag, err)
		}
		took += time.Since(start)
	}
	b.ReportMetric(float64(next)/took.Seconds(), "events/s")
}

// BenchmarkHistoryPage is the time to the first row of a page of event history.
func BenchmarkHistoryPage(b *testing.B) {
	f := benchFixture(b)
	c := f.connect(b)
	for range b.N {
		r, err := c.Query(context.Background(), "SELECT eventTime, eventName, userIdentity, eventJson FROM events ORDER BY eventTime DESC LIMIT 50")
		if err != nil {
			b.Fatal(err)
		}
		if !r.Next() {
			b.Fatal(r.Err(), io.EOF)
		}
		b.StopTimer()
		r.Close()
		b.StartTimer()
	}
}
