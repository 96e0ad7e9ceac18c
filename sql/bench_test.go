package sql_test

import (
	"context"
	"fmt"
	"io"
	"math/rand/v2"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/cairndb/cairn/segment/column"
	"github.com/cairndb/cairn/sql"
	"github.com/cairndb/cairn/sql/parse"
	"github.com/cairndb/cairn/sql/plan"
	"github.com/cairndb/cairn/sql/sqltest"
)

// benchRows is the size of the table of the benchmarks: eight segments.
const benchRows = 1 << 19

var benchTable = sync.OnceValue(func() *sqltest.Table {
	r := rand.New(rand.NewPCG(1, 2))
	n := benchRows
	name, ip, code, at, size := column.New(column.VarcharType, n), column.New(column.VarcharType, n), column.New(column.VarcharType, n),
		column.New(column.TimestampType, n), column.New(column.BigIntType, n)
	id := column.New(column.VarcharType, n)
	zipf := rand.NewZipf(r, 1.3, 2, 299)
	for i := range n {
		name.Str[i] = fmt.Sprintf("Describe%03d", zipf.Uint64())
		ip.Str[i] = fmt.Sprintf("10.0.%d.%d", r.IntN(40), r.IntN(200))
		if r.IntN(20) != 0 {
			code.SetNull(i)
		} else {
			code.Str[i] = []string{"AccessDenied", "Throttling", "NoSuchKey"}[r.IntN(3)]
		}
		at.I64[i] = int64(i)*1_000_000 + r.Int64N(60_000_000)
		size.I64[i] = r.Int64N(100_000)
		id.Str[i] = fmt.Sprintf("%08x-%04x", r.Uint32(), r.IntN(1<<16))
	}
	t := tableOf("ev", []string{"eventname", "ip", "errorcode", "eventtime", "size", "eventid"}, name, ip, code, at, size, id)
	return t.With(sqltest.Layout{UnitRows: 65536, Dict: true, Stats: true})
})

// cpuTime returns the seconds that the process has spent on processors.
func cpuTime(b *testing.B) float64 { return processTime(b).Seconds() }

// processTime returns the time that the process has spent on processors, in which
// other processes have no part.
func processTime(tb testing.TB) time.Duration {
	tb.Helper()
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		tb.Fatal(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

func BenchmarkQuery(b *testing.B) {
	for _, c := range []struct{ name, query string }{
		{"count", "SELECT count(*) FROM ev"},
		{"groupDictionaryCounts", "SELECT eventname, count(*) FROM ev GROUP BY 1 ORDER BY 2 DESC LIMIT 10"},
		{"groupDictionaryCodes", "SELECT eventname, count(*), sum(size) FROM ev GROUP BY 1 ORDER BY 2 DESC LIMIT 10"},
		{"groupTwoKeys", "SELECT eventname, errorcode, count(*) FROM ev GROUP BY 1, 2 ORDER BY 3 DESC LIMIT 10"},
		{"filterEqualGroup", "SELECT ip, count(*) FROM ev WHERE errorcode = 'AccessDenied' GROUP BY 1 ORDER BY 2 DESC LIMIT 10"},
		{"filterTimeRange", "SELECT count(*) FROM ev WHERE eventtime BETWEEN '1970-01-02' AND '1970-01-04'"},
		{"filterLikeDictionary", "SELECT count(*), sum(size) FROM ev WHERE eventname LIKE '%e01%'"},
		{"filterNumber", "SELECT sum(size) FROM ev WHERE size % 10 = 3"},
		{"groupLower", "SELECT lower(ip), count(*), max(size) FROM ev GROUP BY 1 ORDER BY 2 DESC LIMIT 5"},
		{"groupByHour", "SELECT date_trunc('hour', eventtime), count(*) FROM ev GROUP BY 1 ORDER BY 1"},
		{"countDistinct", "SELECT count(DISTINCT ip) FROM ev WHERE size > 10"},
		{"countDistinctNearUnique", "SELECT count(DISTINCT eventid) FROM ev"},
		{"topByTime", "SELECT eventname, ip, eventtime FROM ev ORDER BY eventtime DESC LIMIT 50"},
		{"topByNumber", "SELECT * FROM ev ORDER BY size DESC LIMIT 50"},
		{"topFiltered", "SELECT * FROM ev WHERE errorcode IS NOT NULL ORDER BY eventtime DESC LIMIT 50"},
		{"sortAll", "SELECT ip, size FROM ev ORDER BY size, ip"},
		{"scanAll", "SELECT eventname, ip, size FROM ev"},
	} {
		b.Run(c.name, func(b *testing.B) {
			cat := sqltest.Catalog{benchTable()}
			run := func() {
				rows, err := sql.Query(context.Background(), cat, c.query, nil, sql.Options{Memory: 1 << 30})
				if err != nil {
					b.Fatal(err)
				}
				defer rows.Close()
				for {
					if _, err := rows.Next(); err == io.EOF {
						return
					} else if err != nil {
						b.Fatal(err)
					}
				}
			}
			run()
			b.ReportAllocs()
			before := cpuTime(b)
			for b.Loop() {
				run()
			}
			// By time on the processor, not by the clock: the figure is then the same
			// on a busy machine.
			b.ReportMetric(float64(b.N)*benchRows/(cpuTime(b)-before)/1e6, "Mrows/s/core")
		})
	}
}

// BenchmarkPrepare is what a query costs before it reads a row.
func BenchmarkPrepare(b *testing.B) {
	cat := fixture()
	const q = `SELECT eventName, userIdentity.sessionContext.attributes.mfaAuthenticated AS mfa, count(*) AS n, count(DISTINCT ip)
		FROM events WHERE eventTime > '2026-01-01 00:00:00' AND eventSource IN ('s3.amazonaws.com', 'iam.amazonaws.com')
		AND element_at(requestParameters, 'bucketName') LIKE 'logs%' AND errorCode IS NULL GROUP BY 1, 2 HAVING count(*) > 3 ORDER BY n DESC LIMIT 20`
	b.Run("parseAndBind", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			if _, err := sql.Prepare(context.Background(), cat, q, sql.Options{}); err != nil {
				b.Fatal(err)
			}
		}
	})
	tree, _, err := parse.Parse(q, parse.Options{})
	if err != nil {
		b.Fatal(err)
	}
	b.Run("bind", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			if _, err := plan.Bind(context.Background(), cat, tree, plan.Options{}); err != nil {
				b.Fatal(err)
			}
		}
	})
}
