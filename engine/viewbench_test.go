package engine

import (
	"context"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/cairndb/cairn/sql"
	"github.com/cairndb/cairn/sql/plan"
)

// BenchmarkViewUpkeep imports with and without the built-in views, in turns, and reports
// what the views add, in processor time:
//
//	go test ./engine -run '^$' -bench BenchmarkViewUpkeep -benchtime 3x
func BenchmarkViewUpkeep(b *testing.B) {
	logs := benchLogs(b)
	var cpu [2]time.Duration
	var wall [2]time.Duration
	var bytes, events int64
	for i := range b.N {
		for k, off := range []bool{false, true} {
			dir := filepath.Join(b.TempDir(), fmt.Sprint(i, off))
			l, err := Open(dir, &Options{NoViews: off, NoMerge: true})
			if err != nil {
				b.Fatal(err)
			}
			began, at := cpuTime(b), time.Now()
			if _, err := l.Import(context.Background(), ImportOptions{Paths: []string{logs}}); err != nil {
				b.Fatal(err)
			}
			cpu[k] += cpuTime(b) - began
			wall[k] += time.Since(at)
			if st, err := l.Stats(context.Background()); err == nil && !off {
				bytes, events = st.Stores[0].ViewBytes, st.Stores[0].Events
			}
			if err := l.Close(); err != nil {
				b.Fatal(err)
			}
			os.RemoveAll(dir)
		}
	}
	b.ReportMetric(float64(cpu[0]-cpu[1])/float64(cpu[1])*100, "%cpu-more")
	b.ReportMetric(float64(wall[0]-wall[1])/float64(wall[1])*100, "%time-more")
	b.ReportMetric((cpu[0]-cpu[1]).Seconds()/float64(b.N), "cpu-s/views")
	b.ReportMetric(cpu[1].Seconds()/float64(b.N), "cpu-s/import")
	b.ReportMetric(float64(bytes)/float64(events), "bytes/event")
}

// BenchmarkViewMake makes the groups of the built-in views of all segments, which nobody has
// read before, with one worker, and stores none of them:
//
//	go test ./engine -run '^$' -bench BenchmarkViewMake -benchtime 3x
func BenchmarkViewMake(b *testing.B) {
	l := benchLake(b)
	s, err := l.Store(DefaultStore)
	if err != nil {
		b.Fatal(err)
	}
	sn := s.snapshot()
	defer sn.release()
	var rows, bytes int64
	size := map[string]int64{}
	began := cpuTime(b)
	for b.Loop() {
		for _, seg := range sn.segments {
			forget := seg.forgetUnlessOpen()
			maker, err := l.newPartialMaker(context.Background(), seg, s.keptViews())
			if err != nil {
				b.Fatal(err)
			}
			for _, v := range s.keptViews() {
				data, _, err := maker.make(context.Background(), v)
				if err != nil {
					b.Fatal(err)
				}
				bytes += int64(len(data))
				size[v.rec.Name] += int64(len(data))
			}
			rows += int64(seg.cat.Rows)
			forget()
		}
	}
	b.ReportMetric((cpuTime(b)-began).Seconds()*1e6/float64(rows), "cpu-s/Mevents")
	b.ReportMetric(float64(bytes)/float64(rows), "bytes/event")
	for name, n := range size {
		b.ReportMetric(float64(n)/float64(rows), name+"-B")
	}
}

// BenchmarkViewRead reads views of 90 days: again, as those do who look at a chart; for the
// first time, with nothing in the cache; and from the rows.
//
//	go test ./engine -run '^$' -bench BenchmarkViewRead
func BenchmarkViewRead(b *testing.B) {
	l := benchLake(b)
	if !l.opts.ReadOnly {
		if _, err := l.ViewNamed("hourly"); err != nil {
			_, err := l.CreateView(context.Background(), NewView{Name: "hourly",
				Query: "SELECT date_trunc('hour', eventTime) AS hour, eventSource, count(*) AS calls, count(errorCode) AS errors FROM events GROUP BY 1, 2"})
			if err != nil {
				b.Fatal(err)
			}
		}
		if err := l.FillViews(context.Background(), "", nil); err != nil {
			b.Fatal(err)
		}
	}
	for _, q := range []struct{ name, text string }{
		{"top-10", "SELECT eventName, count(*) FROM events GROUP BY 1 ORDER BY 2 DESC LIMIT 10"},
		{"totals-per-hour", "SELECT * FROM totals_per_hour"},
		{"hourly", "SELECT hour, eventSource, calls, errors FROM hourly"},
		{"hourly-sum", "SELECT hour, sum(calls) FROM hourly GROUP BY 1"},
		{"calls-per-hour-sum", "SELECT hour, sum(calls), sum(errors) FROM calls_per_hour GROUP BY 1"},
		{"calls-per-hour-of-one", "SELECT hour, sum(calls) FROM calls_per_hour WHERE eventName = 'ConsoleLogin' GROUP BY 1"},
		{"calls-per-hour", "SELECT * FROM calls_per_hour"},
		{"calls-per-day", "SELECT * FROM calls_per_day"},
		{"principals-per-day", "SELECT * FROM principals_per_day"},
		{"addresses-per-day", "SELECT * FROM addresses_per_day"},
		{"calls-per-minute-of-a-day", "SELECT * FROM calls_per_minute WHERE minute >= (SELECT max(minute) FROM calls_per_minute) - INTERVAL '1' DAY"},
		{"ordinary-day", "SELECT date_trunc('day', eventTime), eventName, count(*) FROM events GROUP BY 1, 2"},
	} {
		for _, how := range []string{"view", "cold", "rows"} {
			b.Run(q.name+"/"+how, func(b *testing.B) {
				off := plan.Rules(0)
				if how == "rows" {
					off = plan.RulesOf(plan.UseViews)
				}
				n := countRows(b, l, q.text, off)
				began := cpuTime(b)
				for b.Loop() {
					if how == "cold" {
						forgetGroups(b, l)
					}
					n = countRows(b, l, q.text, off)
				}
				b.ReportMetric((cpuTime(b)-began).Seconds()*1000/float64(b.N), "cpu-ms")
				b.ReportMetric(float64(n), "rows")
				b.ReportMetric(b.Elapsed().Seconds()*1000/float64(b.N), "ms")
			})
		}
	}
}

// forgetGroups empties the cache of groups of views and of what came of them.
func forgetGroups(b *testing.B, l *Lake) {
	s, err := l.Store(DefaultStore)
	if err != nil {
		b.Fatal(err)
	}
	s.answers.Drop()
	sn := s.snapshot()
	defer sn.release()
	for _, seg := range sn.segments {
		seg.groups.drop()
	}
}

// countRows runs a query and counts its rows.
func countRows(b *testing.B, l *Lake, text string, off plan.Rules) int {
	b.Helper()
	opt := l.queryOptions()
	opt.Off = off
	cat := l.newQueryCatalog()
	defer cat.release()
	rows, err := sql.Query(context.Background(), cat, text, nil, opt)
	if err != nil {
		b.Fatal(err)
	}
	defer rows.Close()
	n := 0
	for {
		batch, err := rows.Next()
		if err == io.EOF {
			return n
		}
		if err != nil {
			b.Fatal(err)
		}
		n += batch.Len
	}
}
