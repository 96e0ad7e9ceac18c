// Command cairn-bench loads the same log files into Cairn and into other databases, asks all the
// same questions, checks that the answers are equal, and prints what each took: time, CPU,
// memory, disk.
//
//	go run . -n 1000000                  generate a million events and compare with all that is there
//	go run . -n 1000000 -peers duckdb    with DuckDB only; none for Cairn alone
//	go run . -n 1000000,10000000         the same at several sizes, and a table of times by size
//	go run . -data ./AWSLogs             log files from elsewhere
//	go run . -lake ./lake                a lake that is there already: it is read only, and not loaded
//	go run . -lake DIR/lake -dir DIR -loaded -only variants
//	                                     other questions of the same shapes; what an earlier run loaded into DIR is asked
//	go run . -n 100000000 -only needles -peers none -floor=false -dir DIR
//	                                     load, size, needles and pages: what is practical at that size
//	go run . -n 1000000 -json out.json   the figures for programs
//	go run . -table a.json,b.json -chart growth.svg
//	                                     times by size out of the figures of several runs, and a drawing
//	go run . -n 1000000 -peers none -also open,cold,clients,background,append
//	                                     Cairn alone: opening, cold answers, many clients, background work, durable appends
//
// DuckDB and SQLite are linked in; PostgreSQL and ClickHouse are used where their programs are installed. It is a
// module of its own, so that other databases never become dependencies of the engine.
package main

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io/fs"
	"maps"
	"math"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"text/tabwriter"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"

	"github.com/cairndb/cairn/engine"
	"github.com/cairndb/cairn/engine/logfile"
)

type load struct {
	Name     string  `json:"name"`
	Seconds  float64 `json:"seconds"`
	CPU      float64 `json:"cpu_seconds"` // with its children, such as servers
	PeakMB   float64 `json:"peak_memory_mb"`
	Bytes    int64   `json:"bytes_on_disk"`
	PerEvent float64 `json:"bytes_per_event"`
}

type answer struct {
	Question string             `json:"question"`
	What     string             `json:"what"`
	Rows     int                `json:"rows"`
	Millis   map[string]float64 `json:"median_ms"`
	Fastest  map[string]float64 `json:"fastest_ms"`
	Slowest  map[string]float64 `json:"slowest_ms"`
	First    map[string]float64 `json:"first_ms,omitempty"` // before caches are warm; none of the others
	// Ratio is a peer's median by Cairn's.
	Ratio map[string]float64 `json:"ratio_to_cairn"`
	// CPU is the mean processor time in milliseconds of what runs in this process: Cairn, DuckDB, SQLite.
	CPU   map[string]float64 `json:"cpu_ms,omitempty"`
	Equal bool               `json:"equal"`
}

type results struct {
	Date     string             `json:"date"`
	Machine  string             `json:"machine"`
	CPUs     int                `json:"cpus"`
	MemoryGB float64            `json:"memory_gb,omitempty"`
	Kernel   string             `json:"kernel,omitempty"`
	Load     string             `json:"load_average,omitempty"` // as the run began
	Go       string             `json:"go"`
	Versions []string           `json:"versions"`
	Data     string             `json:"data,omitempty"`
	Events   int64              `json:"events"`
	LogMB    float64            `json:"log_files_mb,omitempty"`
	Loads    []load             `json:"loads"`
	Floor    float64            `json:"floor_bytes_per_event,omitempty"` // what is random in the events
	Sizes    map[string]float64 `json:"cairn_bytes_per_event_by_structure,omitempty"`
	Answers  []answer           `json:"answers"`
	LeftOut  []string           `json:"left_out,omitempty"`
	Means    map[string]float64 `json:"geometric_mean_of_ratios"`
	AskingMB float64            `json:"resident_mb_after_asking,omitempty"` // of this process, the peers in it included
	// Workloads are the figures of -also by its names.
	Workloads map[string][]figure `json:"workloads,omitempty"`
}

func main() { os.Exit(run(os.Args[1:])) }

// run is the program; it returns what it ends with.
func run(args []string) int {
	var b benchmark
	flag := flag.NewFlagSet("cairn-bench", flag.ExitOnError)
	n := flag.String("n", "1000000", "number of events to generate; several with commas")
	flag.Uint64Var(&b.seed, "seed", 1, "seed of the generated events")
	flag.StringVar(&b.data, "data", "", "directory of log files to use instead of generated ones")
	flag.StringVar(&b.lake, "lake", "", "lake to read instead of loading one; peers are loaded with -data, if that is given, too")
	flag.StringVar(&b.dir, "dir", "", "working directory, kept; default a temporary one, removed")
	jsonFile := flag.String("json", "", "write the figures to this file")
	flag.IntVar(&b.runs, "runs", 7, "how often each question is asked of each engine")
	list := flag.String("peers", "all", "with whom to compare: "+strings.Join(peerNames(), ", ")+"; several with commas")
	flag.BoolVar(&b.questions, "questions", true, "ask the questions; false compares load and size only")
	flag.BoolVar(&b.loaded, "loaded", false, "ask what an earlier run has loaded into -dir of the peers, and load nothing into them; with -lake")
	only := flag.String("only", "", "questions to ask: Q1 to Q15, L1 to L17 (lookups), V1 to V44 (variants), lookups, needles (with lookups), scans, variants; several with commas; default all but variants")
	flag.BoolVar(&b.floor, "floor", true, "read the whole lake to tell how much of it is random")
	flag.StringVar(&b.also, "also", "", "what to measure of Cairn besides: "+workloadNames()+"; several with commas")
	flag.DurationVar(&b.length, "for", time.Minute, "how long each of the workloads clients, background and append runs")
	table := flag.String("table", "", "print times by size out of these files of -json instead, several with commas")
	chart := flag.String("chart", "", "draw times by size into this file (SVG); with several sizes or -table")
	question := flag.String("cold", "", "ask this of the lake -dir and end; what this program calls itself with")
	rest := flag.Bool("rest", false, "open the lake -dir and end; what this program calls itself with")
	loading := flag.String("load", "", "load this peer with -data into -dir and end; what this program calls itself with")
	flag.Parse(args)
	err := func() (err error) {
		ctx := context.Background()
		switch {
		case flag.NArg() > 0:
			return fmt.Errorf("%q is no flag; lists have commas and no spaces", flag.Arg(0))
		case b.runs < 1:
			return errors.New("-runs: at least one")
		case b.loaded && b.lake == "":
			return errors.New("-loaded: with -lake, which has the same events")
		case *question != "":
			return askCold(ctx, b.dir, *question)
		case *rest:
			return openAtRest(ctx, b.dir)
		case *table != "":
			all, err := readResults(*table)
			if err != nil {
				return err
			}
			return growth(all, *chart)
		}
		if b.peers, err = peersNamed(cmp.Or(*loading, *list)); err != nil {
			return err
		}
		if *loading != "" {
			files, _, err := logFiles(b.data)
			if err != nil {
				return err
			}
			return b.peers[len(b.peers)-1].load(ctx, b.dir, files)
		}
		if b.wanted, err = questionsNamed(*only); err != nil {
			return err
		}
		if b.lake != "" && b.data == "" && !b.loaded {
			b.peers = nil
		}
		return b.sizes(*n, *jsonFile, *chart)
	}()
	if err != nil {
		fmt.Fprintln(os.Stderr, "cairn-bench:", err)
		if errors.Is(err, errAbsent) {
			return exitAbsent
		}
		return 1
	}
	return 0
}

// exitAbsent is how a process that loads says that its peer is not installed.
const exitAbsent = 3

type benchmark struct {
	seed      uint64
	data, dir string
	runs      int
	lake      string
	loaded    bool
	peers     []*peer
	questions bool
	wanted    map[string]bool // nil for all
	floor     bool
	also      string
	length    time.Duration
}

// sizes runs the comparison at every size of a list.
func (b benchmark) sizes(list, jsonFile, chart string) error {
	var all []*results
	top := b.dir
	for _, text := range strings.Split(list, ",") {
		n, err := strconv.Atoi(strings.TrimSpace(text))
		if err != nil || n < 1 {
			return fmt.Errorf("-n: %q is no number of events", text)
		}
		if (b.data != "" || b.lake != "") && len(all) > 0 {
			return errors.New("-n: log files or a lake from elsewhere have one size")
		}
		if b.dir = top; top == "" {
			if b.dir, err = os.MkdirTemp("", "cairn-bench-"); err != nil {
				return err
			}
			defer os.RemoveAll(b.dir)
			// PostgreSQL runs as another user.
			if err := os.Chmod(b.dir, 0o755); err != nil {
				return err
			}
		} else if strings.Contains(list, ",") {
			b.dir = filepath.Join(top, text)
		}
		one := b // which peers are there is found out anew
		r, err := one.run(n)
		if err != nil {
			return err
		}
		r.print(one.peers)
		all = append(all, r)
		if top == "" {
			os.RemoveAll(b.dir)
		}
	}
	if len(all) > 1 || chart != "" {
		if err := growth(all, chart); err != nil {
			return err
		}
	}
	if jsonFile != "" {
		out, err := json.MarshalIndent(all, "", "  ")
		if err != nil {
			return err
		}
		if err := os.WriteFile(jsonFile, append(out, '\n'), 0o644); err != nil {
			return err
		}
	}
	for _, r := range all {
		for _, a := range r.Answers {
			if !a.Equal {
				return fmt.Errorf("%s of %d events: the answers differ", a.Question, r.Events)
			}
		}
	}
	return nil
}

func (b *benchmark) run(n int) (*results, error) {
	ctx := context.Background()
	dir, err := filepath.Abs(b.dir)
	if err != nil {
		return nil, err
	}
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return nil, err
	}
	cairn := filepath.Join(dir, "cairn")
	if err := buildCairn(cairn); err != nil {
		return nil, err
	}
	r := &results{Date: time.Now().UTC().Format(time.DateOnly), CPUs: runtime.NumCPU(), Go: runtime.Version(), Machine: machine(), Means: map[string]float64{}}
	r.MemoryGB, r.Kernel, r.Load = machineMore()
	if version, err := output(cairn, "version"); err == nil {
		r.Versions = append(r.Versions, strings.TrimSpace(string(version)))
	}
	lakeDir := b.lake
	if lakeDir == "" {
		lakeDir = filepath.Join(dir, "lake")
	} else if !isDir(lakeDir) {
		return nil, fmt.Errorf("-lake: there is no directory %s", lakeDir)
	}
	data := b.data
	switch {
	case data != "":
		r.Data = "log files of " + data
	case b.lake != "":
		r.Data = "the lake " + b.lake
	default:
		r.Data = fmt.Sprintf("generated, seed %d", b.seed)
		data = filepath.Join(dir, "logs")
		if _, err := os.Stat(data); err != nil {
			step("generating %d events", n)
			if _, _, err := measure("generate", cairn, "generate", "-n", fmt.Sprint(n), "--seed", fmt.Sprint(b.seed), "--out", data); err != nil {
				return nil, err
			}
		}
	}
	if sub := filepath.Join(data, "AWSLogs"); isDir(sub) {
		data = sub
	}
	if data != "" {
		if data, err = filepath.Abs(data); err != nil {
			return nil, err
		}
		_, bytes, err := logFiles(data)
		if err != nil {
			return nil, err
		}
		r.LogMB = float64(bytes) / 1e6
	}
	l := load{Name: "Cairn"}
	if b.lake == "" {
		step("loading %.0f MB of log files into Cairn", r.LogMB)
		if err := os.RemoveAll(lakeDir); err != nil {
			return nil, err
		}
		var printed []byte
		if l, printed, err = measure("Cairn", cairn, "import", data, "--dir", lakeDir, "--json"); err != nil {
			return nil, err
		}
		if data, err = keptFiles(ctx, printed, lakeDir, dir, data, len(b.peers) > 0); err != nil {
			return nil, err
		}
	}
	if l.Bytes, err = diskUse(lakeDir); err != nil {
		return nil, err
	}
	r.Loads = append(r.Loads, l)
	if b.floor {
		step("reading the lake for what is random in it")
		if err := r.measureFloor(cairn, lakeDir); err != nil {
			return nil, err
		}
	}
	var loaded []*peer
	for _, p := range b.peers {
		if b.loaded {
			loaded = append(loaded, p)
			continue
		}
		step("loading into %s", p.title)
		l, err := loadPeer(p, dir, data)
		var exit *exec.ExitError
		if errors.As(err, &exit) && exit.ExitCode() == exitAbsent {
			step("%s is left out: it is not installed", p.title)
			continue
		}
		if err != nil {
			return nil, err
		}
		r.Loads = append(r.Loads, l)
		loaded = append(loaded, p)
	}
	b.peers = loaded
	if r.Events, err = countCairn(ctx, lakeDir); err != nil {
		return nil, err
	}
	for i := range r.Loads {
		r.Loads[i].PerEvent = float64(r.Loads[i].Bytes) / float64(r.Events)
	}
	if b.questions {
		if err := b.ask(ctx, lakeDir, dir, r); err != nil {
			return nil, err
		}
		r.AskingMB = resident()
	}
	if b.also != "" {
		if r.Workloads, err = runWorkloads(ctx, b.also, lakeDir, b.lake != "", b.seed, b.length); err != nil {
			return nil, err
		}
	}
	for _, p := range loaded {
		sum, n := 0.0, 0
		for _, a := range r.Answers {
			if ratio, asked := a.Ratio[p.name]; asked {
				sum += math.Log(ratio)
				n++
			}
		}
		if n > 0 {
			r.Means[p.name] = math.Exp(sum / float64(n))
		}
	}
	return r, nil
}

// buildCairn builds the program in its own module, with the versions that it
// pins.
func buildCairn(out string) error {
	list := exec.Command("go", "list", "-m", "-f", "{{.Dir}}", "github.com/cairndb/cairn")
	list.Stderr = os.Stderr
	root, err := list.Output()
	if err != nil {
		return fmt.Errorf("finding the module of Cairn (run this in its own folder): %w", err)
	}
	if out, err = filepath.Abs(out); err != nil {
		return err
	}
	build := exec.Command("go", "build", "-o", out, "./cmd/cairn")
	build.Dir = strings.TrimSpace(string(root))
	if text, err := build.CombinedOutput(); err != nil {
		return fmt.Errorf("building cairn: %w\n%s", err, text)
	}
	return nil
}

func step(format string, args ...any) {
	fmt.Fprintf(os.Stderr, "%s  %s\n", time.Now().Format(time.TimeOnly), fmt.Sprintf(format, args...))
}

// logFiles lists the log files below dir in the order in which Cairn imports
// them, so that the peers store the same events in the same order.
func logFiles(dir string) (files []string, bytes int64, err error) {
	found, rejects := logfile.Walk(vfs.Default, []string{dir})
	if len(rejects) > 0 {
		return nil, 0, rejects[0]
	}
	for _, f := range found {
		files = append(files, f.Path)
		bytes += f.Size
	}
	return files, bytes, nil
}

// output runs a program and returns what it prints.
func output(program string, args ...string) ([]byte, error) {
	cmd := exec.Command(program, args...)
	cmd.Stderr = os.Stderr
	return cmd.Output()
}

// measure runs a program and returns its time, CPU time and peak memory, and what it prints.
func measure(name string, program string, args ...string) (load, []byte, error) {
	cmd := exec.Command(program, args...)
	cmd.Stderr = os.Stderr
	start := time.Now()
	out, err := cmd.Output()
	if err != nil {
		return load{}, nil, fmt.Errorf("%s: %w\n%s", name, err, out)
	}
	l := load{Name: name, Seconds: time.Since(start).Seconds()}
	use := cmd.ProcessState.SysUsage().(*syscall.Rusage)
	l.CPU = (cmd.ProcessState.UserTime() + cmd.ProcessState.SystemTime()).Seconds()
	l.PeakMB = float64(use.Maxrss) / 1000
	return l, out, nil
}

func isDir(path string) bool {
	info, err := os.Stat(path)
	return err == nil && info.IsDir()
}

func diskUse(dir string) (total int64, err error) {
	err = filepath.WalkDir(dir, func(_ string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		info, err := d.Info()
		if err == nil {
			total += info.Size()
		}
		return err
	})
	return total, err
}

// machineMore tells the memory in GB, the kernel and how busy the machine is, where the system tells.
func machineMore() (memoryGB float64, kernel, load string) {
	if b, err := os.ReadFile("/proc/meminfo"); err == nil {
		var kB float64
		if _, err := fmt.Sscanf(string(b), "MemTotal: %f kB", &kB); err == nil {
			memoryGB = kB * 1024 / 1e9
		}
	}
	if b, err := os.ReadFile("/proc/sys/kernel/osrelease"); err == nil {
		kernel = runtime.GOOS + " " + strings.TrimSpace(string(b))
	}
	if b, err := os.ReadFile("/proc/loadavg"); err == nil {
		load, _, _ = strings.Cut(string(b), " ")
	}
	return memoryGB, kernel, load
}

func machine() string {
	b, err := os.ReadFile("/proc/cpuinfo")
	if err != nil {
		return runtime.GOOS + "/" + runtime.GOARCH
	}
	for line := range strings.Lines(string(b)) {
		if k, v, ok := strings.Cut(line, ":"); ok && strings.TrimSpace(k) == "model name" {
			return strings.TrimSpace(v)
		}
	}
	return runtime.GOARCH
}

func (r *results) print(loaded []*peer) {
	w := tabwriter.NewWriter(os.Stdout, 0, 0, 2, ' ', 0)
	fmt.Fprintf(w, "%s, %d CPUs, %.0f GB of memory, load average %s\n%s, %s\n", r.Machine, r.CPUs, r.MemoryGB, r.Load, r.Go, strings.Join(r.Versions, ", "))
	fmt.Fprintf(w, "%d events, %s", r.Events, r.Data)
	if r.LogMB > 0 {
		fmt.Fprintf(w, ", %.0f MB of log files", r.LogMB)
	}
	fmt.Fprintln(w, "\n\nload\tevents/s\tCPU µs/event\tpeak MB\tbytes/event\tCairn's share of them")
	for _, l := range r.Loads {
		if l.Seconds == 0 { // it was there
			fmt.Fprintf(w, "%s\t\t\t\t%.1f\t%.3f\n", l.Name, l.PerEvent, r.Loads[0].PerEvent/l.PerEvent)
			continue
		}
		fmt.Fprintf(w, "%s\t%.0f\t%.1f\t%.0f\t%.1f\t%.3f\n", l.Name, float64(r.Events)/l.Seconds, l.CPU*1e6/float64(r.Events), l.PeakMB, l.PerEvent, r.Loads[0].PerEvent/l.PerEvent)
	}
	w.Flush()
	if r.Floor > 0 {
		fmt.Printf("\nOf an event %.1f bytes are random at least; Cairn takes %.2f times that:", r.Floor, r.Loads[0].PerEvent/r.Floor)
		names := slices.SortedFunc(maps.Keys(r.Sizes), func(a, b string) int { return cmp.Compare(r.Sizes[b], r.Sizes[a]) })
		for i, name := range names {
			if i > 0 {
				fmt.Print(",")
			}
			fmt.Printf(" %s %.1f", name, r.Sizes[name])
		}
		fmt.Println()
	}
	if len(r.Answers) > 0 {
		fmt.Fprint(w, "\nmedian ms\tCairn")
		for _, p := range loaded {
			fmt.Fprint(w, "\t", p.title)
		}
		fmt.Fprintln(w, "\trows\tanswers\tspread of Cairn")
		for _, a := range r.Answers {
			fmt.Fprintf(w, "%s %s\t%.2f", a.Question, a.What, a.Millis["cairn"])
			for _, p := range loaded {
				if ms, asked := a.Millis[p.name]; asked {
					fmt.Fprintf(w, "\t%.2f", ms)
				} else {
					fmt.Fprint(w, "\t")
				}
			}
			equal := "equal"
			if !a.Equal {
				equal = "DIFFER"
			}
			fmt.Fprintf(w, "\t%d\t%s\t%.2f–%.2f\n", a.Rows, equal, a.Fastest["cairn"], a.Slowest["cairn"])
		}
		if len(r.Means) > 0 {
			fmt.Fprint(w, "geometric mean of the ratios to Cairn\t1")
			for _, p := range loaded {
				fmt.Fprintf(w, "\t%.1f", r.Means[p.name])
			}
			fmt.Fprintln(w)
		}
	}
	w.Flush()
	for _, q := range r.LeftOut {
		fmt.Println(q)
	}
	for _, w := range workloads {
		if figures := r.Workloads[w.name]; len(figures) > 0 {
			fmt.Printf("\n%s: %s\n", w.name, w.what)
			printFigures(figures)
		}
	}
}

// countCairn returns how many events the lake has.
func countCairn(ctx context.Context, dir string) (int64, error) {
	lake, err := engine.Open(dir, &engine.Options{MustExist: true, ReadOnly: true})
	if err != nil {
		return 0, err
	}
	defer lake.Close()
	rows, err := askCairn(ctx, lake, "SELECT count(*) FROM events")
	if err != nil {
		return 0, err
	}
	return strconv.ParseInt(rows[0][0], 10, 64)
}
