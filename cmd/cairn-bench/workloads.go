package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"math"
	"math/rand/v2"
	"os"
	"path/filepath"
	"runtime"
	"runtime/debug"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"text/tabwriter"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"
	"golang.org/x/sys/unix"

	"github.com/cairndb/cairn/engine"
	"github.com/cairndb/cairn/engine/event/generate"
)

// A workload measures Cairn alone, on the lake that was loaded.
type workload struct {
	name, what string
	run        func(ctx context.Context, lakeDir string, seed uint64, length time.Duration) ([]figure, error)
}

// workloads run in this order; clients and append add events to the lake.
var workloads = []workload{
	{"open", "opening, and memory at rest", measureOpen},
	{"cold", "the first answer of a process with nothing in the page cache", measureCold},
	{"clients", "eight clients that mix needles and scans while 20,000 events a second arrive", measureClients},
	{"background", "two clients that mix needles and scans, with nothing else, while segments are merged, and while events expire", measureBackground},
	{"append", "durable appends: one by one from 64 goroutines, then batches of 1,000", measureAppend},
}

// A figure is one line of a workload's result.
type figure struct {
	What  string  `json:"what"`
	Value float64 `json:"value"`
	Unit  string  `json:"unit"`
}

func workloadNames() string {
	var names []string
	for _, w := range workloads {
		names = append(names, w.name)
	}
	return strings.Join(names, ", ")
}

// runWorkloads runs those of a list; of a lake that is not the run's own only those that leave it as it is.
func runWorkloads(ctx context.Context, list, lakeDir string, foreign bool, seed uint64, length time.Duration) (map[string][]figure, error) {
	wanted := strings.Split(list, ",")
	for _, name := range wanted {
		if !slices.ContainsFunc(workloads, func(w workload) bool { return w.name == name }) {
			return nil, fmt.Errorf("-also: there is no %q; there are %s", name, workloadNames())
		}
		if foreign && (name == "clients" || name == "append") {
			return nil, fmt.Errorf("-also: %s adds events to the lake, which is not done to one of -lake: load a lake for it, or take a copy with -dir", name)
		}
	}
	out := map[string][]figure{}
	for _, w := range workloads {
		if !slices.Contains(wanted, w.name) {
			continue
		}
		step("%s", w.what)
		figures, err := w.run(ctx, lakeDir, seed, length)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", w.name, err)
		}
		out[w.name] = figures
	}
	return out, nil
}

func printFigures(figures []figure) {
	t := tabwriter.NewWriter(os.Stdout, 0, 0, 2, ' ', 0)
	for _, f := range figures {
		fmt.Fprintf(t, "  %s\t%s %s\n", f.What, strconv.FormatFloat(f.Value, 'f', digits(f.Value), 64), f.Unit)
	}
	t.Flush()
}

func digits(v float64) int {
	switch v := math.Abs(v); {
	case v >= 100 || v == 0:
		return 0
	case v >= 1:
		return 1
	}
	return 3
}

// measureOpen says how long opening takes with a warm page cache, and what a lake at rest holds, in a process of its own.
func measureOpen(_ context.Context, lakeDir string, _ uint64, _ time.Duration) ([]figure, error) {
	self, err := os.Executable()
	if err != nil {
		return nil, err
	}
	printed, err := output(self, "-rest", "-dir", lakeDir)
	if err != nil {
		return nil, err
	}
	var figures []figure
	return figures, json.Unmarshal(printed, &figures)
}

// openAtRest is the process that measureOpen starts.
func openAtRest(ctx context.Context, lakeDir string) error {
	before := resident()
	var times []float64
	var lake *engine.Lake
	for range 5 {
		if lake != nil {
			if err := lake.Close(); err != nil {
				return err
			}
		}
		start := time.Now()
		var err error
		if lake, err = engine.Open(lakeDir, &engine.Options{MustExist: true, ReadOnly: true}); err != nil {
			return err
		}
		times = append(times, time.Since(start).Seconds()*1000)
	}
	defer lake.Close()
	start := time.Now()
	if _, err := askCairn(ctx, lake, "SELECT count(*) FROM events"); err != nil {
		return err
	}
	first := time.Since(start).Seconds() * 1000
	// What is garbage goes back to the system, as it does by and by in a process that does nothing.
	debug.FreeOSMemory()
	idle := resident()
	slices.Sort(times)
	return json.NewEncoder(os.Stdout).Encode([]figure{
		{"opening, median of 5", times[2], "ms"},
		{"  the slowest", times[4], "ms"},
		{"count of all events, the first time", first, "ms"},
		{"resident memory of the idle process", idle, "MB"},
		{"  more than before opening", max(0, idle-before), "MB"},
	})
}

// resident is the resident memory of this process in MB.
func resident() float64 {
	b, err := os.ReadFile("/proc/self/statm")
	if err != nil {
		return 0
	}
	fields := strings.Fields(string(b))
	pages, _ := strconv.ParseFloat(fields[1], 64)
	return pages * float64(os.Getpagesize()) / 1e6
}

// coldResult is what a process that asks one question prints.
type coldResult struct{ OpenMillis, AskMillis, OpenBytes, AskBytes float64 }

// measureCold asks Q4, Q7, Q13 and Q15 in a process each, after the lake's files have left the page cache.
func measureCold(ctx context.Context, lakeDir string, _ uint64, _ time.Duration) ([]figure, error) {
	self, err := os.Executable()
	if err != nil {
		return nil, err
	}
	lake, err := engine.Open(lakeDir, &engine.Options{MustExist: true, ReadOnly: true})
	if err != nil {
		return nil, err
	}
	words, err := placeholders(ctx, lake, func(name string) bool { return name == "{id}" || name == "{arn}" || name == "{name}" })
	if err := errors.Join(err, lake.Close()); err != nil {
		return nil, err
	}
	var out []figure
	for _, q := range questions {
		if q.Name != "Q4" && q.Name != "Q7" && q.Name != "Q13" && q.Name != "Q15" {
			continue
		}
		text := words.Replace(q.Cairn)
		if unfilled.MatchString(text) {
			continue
		}
		var results []coldResult
		for range 5 {
			if err := dropCache(lakeDir); err != nil {
				return nil, err
			}
			printed, err := output(self, "-cold", text, "-dir", lakeDir)
			if err != nil {
				return nil, err
			}
			var r coldResult
			if err := json.Unmarshal(printed, &r); err != nil {
				return nil, err
			}
			results = append(results, r)
		}
		slices.SortFunc(results, func(a, b coldResult) int { return int(a.AskMillis*1000) - int(b.AskMillis*1000) })
		r := results[len(results)/2]
		out = append(out,
			figure{q.Name + " " + q.What, r.AskMillis, "ms"},
			figure{"  read from disk for it", r.AskBytes / 1e3, "kB"},
			figure{"  opening before it", r.OpenMillis, "ms"},
			figure{"  read from disk for that", r.OpenBytes / 1e3, "kB"})
	}
	return out, nil
}

// askCold is the process that measureCold starts.
func askCold(ctx context.Context, lakeDir, text string) error {
	var r coldResult
	start, bytes := time.Now(), bytesRead()
	lake, err := engine.Open(lakeDir, &engine.Options{MustExist: true, ReadOnly: true})
	if err != nil {
		return err
	}
	defer lake.Close()
	r.OpenMillis, r.OpenBytes = time.Since(start).Seconds()*1000, bytesRead()-bytes
	start, bytes = time.Now(), bytesRead()
	if _, err := askCairn(ctx, lake, text); err != nil {
		return err
	}
	r.AskMillis, r.AskBytes = time.Since(start).Seconds()*1000, bytesRead()-bytes
	return json.NewEncoder(os.Stdout).Encode(r)
}

// bytesRead is what this process has had read from disk.
func bytesRead() float64 {
	b, err := os.ReadFile("/proc/self/io")
	if err != nil {
		return 0
	}
	for line := range strings.Lines(string(b)) {
		if n, ok := strings.CutPrefix(line, "read_bytes: "); ok {
			v, _ := strconv.ParseFloat(strings.TrimSpace(n), 64)
			return v
		}
	}
	return 0
}

// dropCache has the system forget what it holds of the files below dir.
func dropCache(dir string) error {
	return filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		f, err := os.Open(path)
		if err != nil {
			return err
		}
		defer f.Close()
		if err := f.Sync(); err != nil {
			return err
		}
		return unix.Fadvise(int(f.Fd()), 0, 0, unix.FADV_DONTNEED)
	})
}

// arrivals makes events for appends: generated ones, each time with other IDs.
type arrivals struct {
	records [][]byte
	ids     [][2]int // where the eventID and requestID of each are
	next    atomic.Int64
}

const idLen = 36

func newArrivals(seed uint64) (*arrivals, error) {
	g, err := generate.New(generate.Options{Events: 50_000, Seed: seed + 1_000_003})
	if err != nil {
		return nil, err
	}
	a := &arrivals{}
	err = g.Each(func(raw []byte, _ int64) error {
		raw = bytes.Clone(raw)
		var at [2]int
		for i, key := range []string{`"eventID":"`, `"requestID":"`} {
			if at[i] = bytes.Index(raw, []byte(key)); at[i] >= 0 {
				at[i] += len(key)
				if end := at[i] + idLen; end >= len(raw) || raw[end] != '"' {
					at[i] = -1 // of another length, such as those of S3
				}
			}
		}
		if at[0] < 0 {
			return nil // it would come again as it is: a duplicate
		}
		a.records, a.ids = append(a.records, raw), append(a.ids, at)
		return nil
	})
	return a, err
}

// batch fills dst with the next events, whose bytes it writes over those that dst had.
func (a *arrivals) batch(dst [][]byte, r *rand.Rand) {
	at := int(a.next.Add(int64(len(dst)))) - len(dst)
	for i := range dst {
		k := (at + i) % len(a.records)
		dst[i] = append(dst[i][:0], a.records[k]...)
		for _, id := range a.ids[k] {
			if id >= 0 && len(dst[i]) >= id+idLen {
				_ = fmt.Appendf(dst[i][:id], "%08x-%04x-4%03x-8%03x-%012x", r.Uint32(), r.Uint32()>>16, r.Uint32()>>20, r.Uint32()>>20, r.Uint64()>>16)
			}
		}
	}
}

// measureClients has eight clients ask, each nineteen needles and then a scan, over and over, while events arrive.
func measureClients(ctx context.Context, lakeDir string, seed uint64, length time.Duration) ([]figure, error) {
	const clients, perSecond, batch = 8, 20_000, 500
	lake, err := engine.Open(lakeDir, &engine.Options{MustExist: true})
	if err != nil {
		return nil, err
	}
	defer lake.Close()
	store, err := lake.Store("events")
	if err != nil {
		return nil, err
	}
	source, err := newArrivals(seed)
	if err != nil {
		return nil, err
	}
	column := func(text string) (out []string, err error) {
		rows, err := askCairn(ctx, lake, text)
		for _, r := range rows {
			out = append(out, r[0])
		}
		return out, err
	}
	ids, err1 := column("SELECT eventID FROM events TABLESAMPLE BERNOULLI (1) LIMIT 5000")
	keys, err2 := column("SELECT userIdentity.accessKeyId FROM events WHERE userIdentity.accessKeyId <> '' GROUP BY 1 ORDER BY 1 LIMIT 500")
	addresses, err3 := column("SELECT sourceIPAddress FROM events WHERE sourceIPAddress <> '' GROUP BY 1 ORDER BY 1 LIMIT 500")
	if err := errors.Join(err1, err2, err3); err != nil {
		return nil, err
	}
	if len(ids) == 0 || len(keys) == 0 || len(addresses) == 0 {
		return nil, errors.New("the data has no IDs, keys or addresses")
	}
	needles := []func(r *rand.Rand) string{
		func(r *rand.Rand) string {
			return "SELECT eventID, eventJson FROM events WHERE eventID = " + quote(ids[r.IntN(len(ids))])
		},
		func(r *rand.Rand) string {
			return "SELECT eventTime, eventJson FROM events WHERE userIdentity.accessKeyId = " + quote(keys[r.IntN(len(keys))]) + " ORDER BY eventTime DESC LIMIT 50"
		},
		func(r *rand.Rand) string {
			return "SELECT eventID, eventName FROM events WHERE sourceIPAddress = " + quote(addresses[r.IntN(len(addresses))]) + " ORDER BY eventTime DESC LIMIT 50"
		},
		func(*rand.Rand) string {
			return "SELECT eventTime, eventJson FROM events ORDER BY eventTime DESC LIMIT 50"
		},
	}
	var scans []string
	for _, q := range questions {
		if q.Name == "Q3" || q.Name == "Q8" || q.Name == "Q11" {
			scans = append(scans, q.Cairn)
		}
	}
	end := time.Now().Add(length)
	ctx, cancel := context.WithDeadline(ctx, end)
	defer cancel()
	var wg sync.WaitGroup
	var mu sync.Mutex
	var failed error
	var needleTimes, scanTimes []float64
	fewest := -1
	stop := func(err error) {
		if ctx.Err() != nil {
			return // the time is over
		}
		mu.Lock()
		failed = errors.Join(failed, err)
		mu.Unlock()
		cancel()
	}
	for c := range clients {
		wg.Go(func() {
			r := rand.New(rand.NewPCG(seed, uint64(c)))
			var quick, slow []float64
			for i := 0; ctx.Err() == nil; i++ {
				text, to := needles[i%len(needles)](r), &quick
				if i%20 == 19 {
					text, to = scans[r.IntN(len(scans))], &slow
				}
				start := time.Now()
				if _, err := askCairn(ctx, lake, text); err != nil {
					stop(fmt.Errorf("%w\n%s", err, text))
					break
				}
				*to = append(*to, time.Since(start).Seconds()*1000)
			}
			mu.Lock()
			defer mu.Unlock()
			needleTimes, scanTimes = append(needleTimes, quick...), append(scanTimes, slow...)
			if n := len(quick) + len(slow); fewest < 0 || n < fewest {
				fewest = n
			}
		})
	}
	var arrived int
	var appendTimes []float64
	wg.Go(func() {
		r := rand.New(rand.NewPCG(seed, clients))
		records := make([][]byte, batch)
		due := time.Now()
		for ctx.Err() == nil {
			source.batch(records, r)
			start := time.Now()
			if _, err := store.Append(ctx, records); err != nil {
				stop(err)
				return
			}
			appendTimes = append(appendTimes, time.Since(start).Seconds()*1000)
			arrived += batch
			due = due.Add(time.Second * batch / perSecond)
			time.Sleep(time.Until(due))
		}
	})
	wg.Wait()
	if failed != nil {
		return nil, failed
	}
	out := []figure{{"events that arrived", float64(arrived) / length.Seconds(), "events/s"}}
	for _, k := range []struct {
		what  string
		times []float64
	}{{"needles and pages", needleTimes}, {"scans", scanTimes}, {"appends of 500", appendTimes}} {
		slices.Sort(k.times)
		n := len(k.times)
		if n == 0 {
			return nil, fmt.Errorf("no %s came to an end in %s", k.what, length)
		}
		out = append(out, figure{k.what, float64(n) / length.Seconds(), "a second"},
			figure{"  half of them below", k.times[n/2], "ms"},
			figure{"  99 of 100 below", k.times[n*99/100], "ms"},
			figure{"  the slowest", k.times[n-1], "ms"})
	}
	return append(out, figure{"questions of the client that got the fewest, of the mean", float64(fewest) * clients / float64(len(needleTimes)+len(scanTimes)), ""}), nil
}

// measureAppend appends durably, and says beside it what a model of the queue predicts: N callers, each of which waits for its own
// event before it has the next, and one log that is synced for all that wait, over and over. Who is released at the end of a sync
// comes too late for the next one, which begins then with those that came while it ran, and goes with the one after: a turn of a caller
// takes two syncs of S seconds, a group is N/2 callers, and N/(2S) events come a second, unless the processors cannot: they make
// as many as their number by the processor time of one event.
func measureAppend(ctx context.Context, lakeDir string, seed uint64, length time.Duration) ([]figure, error) {
	const callers, batch = 64, 1_000
	syncs, err := syncRate(lakeDir)
	if err != nil {
		return nil, err
	}
	source, err := newArrivals(seed + 1)
	if err != nil {
		return nil, err
	}
	counted := &countingFS{FS: vfs.Default}
	lake, err := engine.Open(lakeDir, &engine.Options{MustExist: true, FS: counted})
	if err != nil {
		return nil, err
	}
	defer lake.Close()
	store, err := lake.Store("events")
	if err != nil {
		return nil, err
	}
	run := func(callers, batch int, length time.Duration) (perSecond, syncsPerSecond, cpu float64, err error) {
		var wg sync.WaitGroup
		var mu sync.Mutex
		var n atomic.Int64
		before, used := counted.logSyncs.Load(), processCPU()
		start := time.Now()
		for c := range callers {
			wg.Go(func() {
				r := rand.New(rand.NewPCG(seed, uint64(1000*batch+c)))
				records := make([][]byte, batch)
				for time.Since(start) < length {
					source.batch(records, r)
					if _, e := store.Append(ctx, records); e != nil {
						mu.Lock()
						err = errors.Join(err, e)
						mu.Unlock()
						return
					}
					n.Add(int64(batch))
				}
			})
		}
		wg.Wait()
		secs := time.Since(start).Seconds()
		return float64(n.Load()) / secs, float64(counted.logSyncs.Load()-before) / secs, (processCPU() - used) / float64(max(n.Load(), 1)), err
	}
	short := min(length, 20*time.Second)
	single, singleSyncs, cpu, err := run(callers, 1, short)
	if err != nil {
		return nil, err
	}
	many, manySyncs, manyCPU, err := run(4, batch, length)
	if err != nil {
		return nil, err
	}
	const group = callers / 2.0
	processors := float64(runtime.NumCPU()) / cpu
	predicted := min(syncs*group, processors)
	return []figure{
		{"syncs of 64 kB by themselves", syncs, "a second"},
		{"one by one from 64 goroutines", single, "events/s"},
		{"  the model's prediction", predicted, "events/s"},
		{"    of syncs, in groups of half the callers", syncs * group, "events/s"},
		{"    of the processors, at what an event took of them", processors, "events/s"},
		{"  measured, by the prediction", single / predicted, "×"},
		{"  syncs of the log", singleSyncs, "a second"},
		{"  mean group", single / max(singleSyncs, 1), "events"},
		{"  processor time", cpu * 1e6, "µs an event, its making included"},
		{fmt.Sprintf("batches of 1,000 from 4 goroutines for %s, sealing included", length), many, "events/s"},
		{"  syncs of the log", manySyncs, "a second"},
		{"  processor time", manyCPU * 1e6, "µs an event, its making included"},
	}, nil
}

// syncRate appends 64 kB to a file beside the lake and syncs it, for a second: about what the log does for a group of single events.
func syncRate(lakeDir string) (float64, error) {
	f, err := os.CreateTemp(filepath.Dir(lakeDir), "sync-")
	if err != nil {
		return 0, err
	}
	defer os.Remove(f.Name())
	defer f.Close()
	buf := make([]byte, 64<<10)
	start, n := time.Now(), 0
	for ; time.Since(start) < time.Second; n++ {
		if _, err := f.Write(buf); err != nil {
			return 0, err
		}
		if err := unix.Fdatasync(int(f.Fd())); err != nil {
			return 0, err
		}
	}
	return float64(n) / time.Since(start).Seconds(), nil
}

// countingFS counts the syncs of the log's files.
type countingFS struct {
	vfs.FS
	logSyncs atomic.Int64
}

func (c *countingFS) watch(name string, f vfs.File, err error) (vfs.File, error) {
	if err != nil || filepath.Base(filepath.Dir(name)) != "wal" {
		return f, err
	}
	return &countedFile{f, c}, nil
}

func (c *countingFS) Create(name string, k vfs.DiskWriteCategory) (vfs.File, error) {
	f, err := c.FS.Create(name, k)
	return c.watch(name, f, err)
}

func (c *countingFS) OpenReadWrite(name string, k vfs.DiskWriteCategory, o ...vfs.OpenOption) (vfs.File, error) {
	f, err := c.FS.OpenReadWrite(name, k, o...)
	return c.watch(name, f, err)
}

func (c *countingFS) ReuseForWrite(from, to string, k vfs.DiskWriteCategory) (vfs.File, error) {
	f, err := c.FS.ReuseForWrite(from, to, k)
	return c.watch(to, f, err)
}

type countedFile struct {
	vfs.File
	fs *countingFS
}

func (f *countedFile) Sync() error {
	f.fs.logSyncs.Add(1)
	return f.File.Sync()
}

func (f *countedFile) SyncData() error {
	f.fs.logSyncs.Add(1)
	return f.File.SyncData()
}
