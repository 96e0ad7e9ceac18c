package engine

import (
	"context"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"

	"github.com/cairndb/cairn/engine/event/generate"
)

// The benchmarks work on generated events, a million unless CAIRN_BENCH_EVENTS
// says otherwise, on the disk of the temporary directory:
//
//	go test ./engine -run '^$' -bench .

func benchEvents() int64 {
	if n, err := strconv.ParseInt(os.Getenv("CAIRN_BENCH_EVENTS"), 10, 64); err == nil && n > 0 {
		return n
	}
	return 1_000_000
}

// benchDir is the directory of the log files and of the lake that all benchmarks
// share. It is removed by TestMain's end.
var benchDir = struct {
	sync.Once
	dir string
	err error
}{}

func TestMain(m *testing.M) {
	code := m.Run()
	if benchDir.dir != "" {
		os.RemoveAll(benchDir.dir)
	}
	os.Exit(code)
}

// benchLogs writes the log files.
func benchLogs(b *testing.B) string {
	b.Helper()
	benchDir.Do(func() {
		d := &benchDir
		if d.dir, d.err = os.MkdirTemp("", "cairn-bench-"); d.err != nil {
			return
		}
		var g *generate.Generator
		if g, d.err = generate.New(generate.Options{Events: benchEvents()}); d.err != nil {
			return
		}
		_, d.err = g.WriteFiles(context.Background(), vfs.Default, filepath.Join(d.dir, "logs"), nil)
	})
	if benchDir.err != nil {
		b.Fatal(benchDir.err)
	}
	return filepath.Join(benchDir.dir, "logs")
}

func importBench(b *testing.B, dir, logs string) (*Lake, *ImportReport) {
	b.Helper()
	l, err := Open(dir, nil)
	if err != nil {
		b.Fatal(err)
	}
	r, err := l.Import(context.Background(), ImportOptions{Paths: []string{logs}})
	if err != nil {
		b.Fatal(err)
	}
	return l, r
}

// benchLake opens the lake with all events, importing them when it is first
// asked for; or, for reading only, that of the directory CAIRN_BENCH_LAKE.
func benchLake(b *testing.B) *Lake {
	b.Helper()
	if dir := os.Getenv("CAIRN_BENCH_LAKE"); dir != "" {
		l, err := Open(dir, &Options{ReadOnly: true})
		if err != nil {
			b.Fatal(err)
		}
		b.Cleanup(func() { l.Close() })
		return l
	}
	logs := benchLogs(b)
	dir := filepath.Join(benchDir.dir, "lake")
	if _, err := os.Stat(dir); err != nil {
		l, _ := importBench(b, dir, logs)
		if err := l.Close(); err != nil {
			b.Fatal(err)
		}
	}
	l, err := Open(dir, nil)
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { l.Close() })
	return l
}

// BenchmarkImport reads gzip log files into a new lake.
func BenchmarkImport(b *testing.B) {
	logs := benchLogs(b)
	var events, stored, disk int64
	for i := 0; b.Loop(); i++ {
		dir := filepath.Join(benchDir.dir, fmt.Sprint("import", i))
		l, r := importBench(b, dir, logs)
		b.StopTimer()
		events += r.Stored
		b.SetBytes(r.RawBytes)
		st, err := l.Stats(context.Background())
		if err != nil {
			b.Fatal(err)
		}
		stored, disk = st.Stores[0].StoredBytes/st.Stores[0].SealedEvents, st.DiskBytes/st.Stores[0].Events
		if err := l.Close(); err != nil {
			b.Fatal(err)
		}
		os.RemoveAll(dir)
		b.StartTimer()
	}
	b.ReportMetric(float64(events)/b.Elapsed().Seconds(), "events/s")
	b.ReportMetric(float64(stored), "stored-B/event")
	b.ReportMetric(float64(disk), "disk-B/event")
}

// BenchmarkAppend appends durably, from one caller and from many.
func BenchmarkAppend(b *testing.B) {
	g, err := generate.New(generate.Options{Events: 20_000})
	if err != nil {
		b.Fatal(err)
	}
	var base [][]byte
	err = g.Each(func(raw []byte, _ int64) error {
		base = append(base, append([]byte(nil), raw...))
		return nil
	})
	if err != nil {
		b.Fatal(err)
	}
	for _, callers := range []int{1, 16} {
		for _, size := range []int{1, 100, 1000} {
			b.Run(fmt.Sprintf("callers=%d/batch=%d", callers, size), func(b *testing.B) {
				l, err := Open(b.TempDir(), nil)
				if err != nil {
					b.Fatal(err)
				}
				defer l.Close()
				s, err := l.CreateStore(context.Background(), DefaultStore)
				if err != nil {
					b.Fatal(err)
				}
				// Every event gets an ID of its own, where its ID stands.
				var next atomic.Uint64
				batch := func() [][]byte {
					out := make([][]byte, size)
					for i := range out {
						n := next.Add(1)
						out[i] = withID(base[n%uint64(len(base))], n)
					}
					return out
				}
				var left atomic.Int64
				left.Store(int64(b.N))
				b.ResetTimer()
				var wg sync.WaitGroup
				for range callers {
					wg.Add(1)
					go func() {
						defer wg.Done()
						for left.Add(-1) >= 0 {
							if _, err := s.Append(context.Background(), batch()); err != nil {
								b.Error(err)
								return
							}
						}
					}()
				}
				wg.Wait()
				b.StopTimer()
				b.ReportMetric(float64(s.Events())/b.Elapsed().Seconds(), "events/s")
			})
		}
	}
}

// withID returns a record with the last 12 digits of its event ID replaced.
func withID(record []byte, n uint64) []byte {
	out := append([]byte(nil), record...)
	const key = `"eventID":"`
	for i := 0; i+len(key)+36 <= len(out); i++ {
		if string(out[i:i+len(key)]) == key {
			var digits [12]byte
			for j := range digits {
				digits[j] = "0123456789abcdef"[n>>(44-4*j)&15]
			}
			copy(out[i+len(key)+24:], digits[:])
			return out
		}
	}
	return out
}

// drain reads all rows of a query and returns their number.
func drain(b *testing.B, l *Lake, text string, args ...any) int {
	rows, err := l.Query(context.Background(), text, args...)
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

// benchIDs returns the IDs of n events from all over the store, in no order.
func benchIDs(b *testing.B, l *Lake, n int) []string {
	b.Helper()
	s, err := l.Store(DefaultStore)
	if err != nil {
		b.Fatal(err)
	}
	every := max(1, int(s.Events())/n)
	rows, err := l.Query(context.Background(), "SELECT eventID FROM events")
	if err != nil {
		b.Fatal(err)
	}
	defer rows.Close()
	var ids []string
	at := 0
	for {
		batch, err := rows.Next()
		if err == io.EOF {
			break
		}
		if err != nil {
			b.Fatal(err)
		}
		for ; at < batch.Len; at += every {
			leaf, j := batch.Cols[0].Leaf(at)
			ids = append(ids, strings.Clone(leaf.Str[j]))
		}
		at -= batch.Len
	}
	rand.New(rand.NewPCG(1, 2)).Shuffle(len(ids), func(i, j int) { ids[i], ids[j] = ids[j], ids[i] })
	return ids
}

// BenchmarkNeedle finds one event by its ID: a short column of it, and its whole record;
// the same 64 events in turn, and 50,000 from all over the store, so that hardly any is
// asked for twice.
func BenchmarkNeedle(b *testing.B) {
	l := benchLake(b)
	all := benchIDs(b, l, 50_000)
	for _, ids := range [][]string{all[:min(64, len(all))], all} {
		for _, what := range []string{"eventName", "eventJson"} {
			b.Run(fmt.Sprintf("of=%d/%s", len(ids), what), func(b *testing.B) {
				i := 0
				before := processTime(b)
				for b.Loop() {
					if n := drain(b, l, "SELECT "+what+" FROM events WHERE eventID = ?", ids[i%len(ids)]); n != 1 {
						b.Fatalf("%d rows", n)
					}
					i++
				}
				b.ReportMetric(float64((processTime(b)-before).Microseconds())/float64(b.N), "cpu-µs/op")
			})
		}
	}
}

// BenchmarkRecord fetches one record by its number.
func BenchmarkRecord(b *testing.B) {
	l := benchLake(b)
	s, err := l.Store(DefaultStore)
	if err != nil {
		b.Fatal(err)
	}
	var i uint64
	for b.Loop() {
		i++
		if _, err := s.Record(context.Background(), i*2654435761%s.Events()); err != nil {
			b.Fatal(err)
		}
	}
}

func benchQuery(b *testing.B, text string) {
	l := benchLake(b)
	for b.Loop() {
		drain(b, l, text)
	}
}

// BenchmarkCount counts all events.
func BenchmarkCount(b *testing.B) { benchQuery(b, "SELECT count(*) FROM events") }

// BenchmarkTop10 finds the most frequent event names.
func BenchmarkTop10(b *testing.B) {
	benchQuery(b, "SELECT eventName, count(*) FROM events GROUP BY eventName ORDER BY 2 DESC LIMIT 10")
}

// BenchmarkErrorsByName groups what a filter leaves.
func BenchmarkErrorsByName(b *testing.B) {
	benchQuery(b, "SELECT eventName, count(*) FROM events WHERE errorCode IS NOT NULL GROUP BY eventName ORDER BY 2 DESC LIMIT 10")
}

// BenchmarkNewest looks up the newest events.
func BenchmarkNewest(b *testing.B) {
	l := benchLake(b)
	s, err := l.Store(DefaultStore)
	if err != nil {
		b.Fatal(err)
	}
	before := processTime(b)
	for b.Loop() {
		if _, err := s.Lookup(context.Background(), LookupRequest{}); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64((processTime(b)-before).Microseconds())/float64(b.N), "cpu-µs/op")
}

// BenchmarkOpen opens and closes a lake of sealed events.
func BenchmarkOpen(b *testing.B) {
	benchLake(b).Close()
	var o Options
	dir := os.Getenv("CAIRN_BENCH_LAKE")
	if o.ReadOnly = dir != ""; dir == "" {
		dir = filepath.Join(benchDir.dir, "lake")
	}
	for b.Loop() {
		l, err := Open(dir, &o)
		if err != nil {
			b.Fatal(err)
		}
		b.StopTimer()
		if err := l.Close(); err != nil {
			b.Fatal(err)
		}
		b.StartTimer()
	}
}

// BenchmarkHistoryPage is a page of event history by SQL: the newest fifty events with
// their records, all of them and those of a frequent event name.
func BenchmarkHistoryPage(b *testing.B) {
	const page = " ORDER BY eventTime DESC LIMIT 50"
	for _, c := range []struct{ name, text string }{
		{"newest", "SELECT eventTime, eventName, userIdentity, eventJson FROM events" + page},
		{"all columns", "SELECT * FROM events" + page},
		{"filter", "SELECT eventTime, eventName, userIdentity, eventJson FROM events WHERE eventName = 'AssumeRole'" + page},
		{"rare", "SELECT eventTime, eventName, userIdentity, eventJson FROM events WHERE errorCode IS NOT NULL" + page},
	} {
		b.Run(c.name, func(b *testing.B) {
			l := benchLake(b)
			drain(b, l, c.text)
			before := processTime(b)
			for b.Loop() {
				if n := drain(b, l, c.text); n != 50 {
					b.Fatalf("%d rows", n)
				}
			}
			b.ReportMetric(float64((processTime(b)-before).Microseconds())/float64(b.N), "cpu-µs/op")
		})
	}
}

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
