// Command cairn-bench loads the same log files into Cairn and into other databases, asks all the
// same questions, checks that the answers are equal, and prints what each took: time, CPU,
// memory, disk.
//
//	go run . -n 1000000                  generate a million events and compare with all that is there
//	go run . -n 1000000 -peers duckdb    with DuckDB only; none for Cairn alone
//	go run . -n 1000000,10000000         the same at several sizes, and a table of times by size
//	go run . -data ./AWSLogs             log files from elsewhere
//	go run . -n 1000000 -json out.json   the figures for programs
//	go run . -n 1000000 -peers none -also open,cold,clients,append
//	                                     Cairn alone: opening, cold answers, many clients, durable appends
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
	"math"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
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
	CPU      float64 `json:"cpu_seconds"`
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
	// Ratio is a peer's median by Cairn's.
	Ratio map[string]float64 `json:"ratio_to_cairn"`
	// CPU is Cairn's processor time, the mean in milliseconds.
	CPU   float64 `json:"cairn_cpu_ms"`
	Equal bool    `json:"equal"`
}

type results struct {
	Date     string             `json:"date"`
	Machine  string             `json:"machine"`
	CPUs     int                `json:"cpus"`
	Go       string             `json:"go"`
	Versions []string           `json:"versions"`
	Events   int64              `json:"events"`
	LogMB    float64            `json:"log_files_mb"`
	Loads    []load             `json:"loads"`
	Answers  []answer           `json:"answers"`
	Means    map[string]float64 `json:"geometric_mean_of_ratios"`
	// Workloads are the figures of -also by its names.
	Workloads map[string][]figure `json:"workloads,omitempty"`
}

func main() {
	n := flag.String("n", "1000000", "number of events to generate; several with commas")
	seed := flag.Uint64("seed", 1, "seed of the generated events")
	data := flag.String("data", "", "directory of log files to use instead of generated ones")
	dir := flag.String("dir", "", "working directory, kept; default a temporary one, removed")
	jsonFile := flag.String("json", "", "write the figures to this file")
	runs := flag.Int("runs", 7, "how often each question is asked of each engine")
	list := flag.String("peers", "all", "with whom to compare: "+strings.Join(peerNames(), ", ")+"; several with commas")
	questionsToo := flag.Bool("questions", true, "ask the questions; false compares load and size only")
	also := flag.String("also", "", "what to measure of Cairn besides: "+workloadNames()+"; several with commas")
	length := flag.Duration("for", time.Minute, "how long the workloads clients and append run")
	cold := flag.String("cold", "", "ask this of the lake -dir and end; what this program calls itself with")
	only := flag.String("load", "", "load this peer with -data into -dir and end; what this program calls itself with")
	flag.Parse()
	err := func() error {
		if *runs < 1 {
			return errors.New("-runs: at least one")
		}
		if *cold != "" {
			return askCold(context.Background(), *dir, *cold)
		}
		wanted, err := peersNamed(cmp.Or(*only, *list))
		if err != nil {
			return err
		}
		if *only != "" {
			files, _, err := logFiles(*data)
			if err != nil {
				return err
			}
			return wanted[len(wanted)-1].load(context.Background(), *dir, files)
		}
		b := benchmark{seed: *seed, data: *data, dir: *dir, runs: *runs, peers: wanted, questions: *questionsToo, also: *also, length: *length}
		return b.sizes(*n, *jsonFile)
	}()
	if err != nil {
		fmt.Fprintln(os.Stderr, "cairn-bench:", err)
		if errors.Is(err, errAbsent) {
			os.Exit(exitAbsent)
		}
		os.Exit(1)
	}
}

// exitAbsent is how a process that loads says that its peer is not installed.
const exitAbsent = 3

type benchmark struct {
	seed      uint64
	data, dir string
	runs      int
	peers     []*peer
	questions bool
	also      string
	length    time.Duration
}

// sizes runs the comparison at every size of a list.
func (b benchmark) sizes(list, jsonFile string) error {
	var all []*results
	top := b.dir
	for _, text := range strings.Split(list, ",") {
		n, err := strconv.Atoi(strings.TrimSpace(text))
		if err != nil || n < 1 {
			return fmt.Errorf("-n: %q is no number of events", text)
		}
		if b.data != "" && len(all) > 0 {
			return errors.New("-n: log files from elsewhere have one size")
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
		r, err := b.run(n)
		if err != nil {
			return err
		}
		r.print(b.peers)
		all = append(all, r)
		if top == "" {
			os.RemoveAll(b.dir)
		}
	}
	if len(all) > 1 {
		printBySize(all)
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
	data := b.data
	if data == "" {
		data = filepath.Join(dir, "logs")
		if _, err := os.Stat(data); err != nil {
			step("generating %d events", n)
			if _, err := measure("generate", cairn, "generate", "-n", fmt.Sprint(n), "--seed", fmt.Sprint(b.seed), "--out", data); err != nil {
				return nil, err
			}
		}
	}
	if sub := filepath.Join(data, "AWSLogs"); isDir(sub) {
		data = sub
	}
	if data, err = filepath.Abs(data); err != nil {
		return nil, err
	}
	files, bytes, err := logFiles(data)
	if err != nil {
		return nil, err
	}
	r.LogMB = float64(bytes) / 1e6

	step("loading %d files into Cairn", len(files))
	lakeDir := filepath.Join(dir, "lake")
	if err := os.RemoveAll(lakeDir); err != nil {
		return nil, err
	}
	l, err := measure("Cairn", cairn, "import", data, "--dir", lakeDir, "--json")
	if err != nil {
		return nil, err
	}
	if l.Bytes, err = diskUse(lakeDir); err != nil {
		return nil, err
	}
	r.Loads = append(r.Loads, l)
	var loaded []*peer
	for _, p := range b.peers {
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
		if err := ask(ctx, lakeDir, dir, loaded, b.runs, r); err != nil {
			return nil, err
		}
	}
	if b.also != "" {
		if r.Workloads, err = runWorkloads(ctx, b.also, lakeDir, b.seed, b.length); err != nil {
			return nil, err
		}
	}
	for _, p := range loaded {
		sum := 0.0
		for _, a := range r.Answers {
			sum += math.Log(a.Ratio[p.name])
		}
		r.Means[p.name] = math.Exp(sum / float64(max(len(r.Answers), 1)))
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

// measure runs a program and returns its time, CPU time and peak memory.
func measure(name string, program string, args ...string) (load, error) {
	cmd := exec.Command(program, args...)
	cmd.Stderr = os.Stderr
	start := time.Now()
	out, err := cmd.Output()
	if err != nil {
		return load{}, fmt.Errorf("%s: %w\n%s", name, err, out)
	}
	l := load{Name: name, Seconds: time.Since(start).Seconds()}
	use := cmd.ProcessState.SysUsage().(*syscall.Rusage)
	l.CPU = (cmd.ProcessState.UserTime() + cmd.ProcessState.SystemTime()).Seconds()
	l.PeakMB = float64(use.Maxrss) / 1000
	return l, nil
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
	fmt.Fprintf(w, "%s, %d CPUs, %s, %s: %d events, %.0f MB of log files\n\n", r.Machine, r.CPUs, r.Go, strings.Join(r.Versions, ", "), r.Events, r.LogMB)
	fmt.Fprintln(w, "load\tevents/s\tCPU µs/event\tpeak MB\tbytes/event\tCairn's share of them")
	for _, l := range r.Loads {
		fmt.Fprintf(w, "%s\t%.0f\t%.1f\t%.0f\t%.1f\t%.3f\n", l.Name, float64(r.Events)/l.Seconds, l.CPU*1e6/float64(r.Events), l.PeakMB, l.PerEvent, r.Loads[0].PerEvent/l.PerEvent)
	}
	if len(r.Answers) > 0 {
		fmt.Fprint(w, "\nmedian ms\tCairn")
		for _, p := range loaded {
			fmt.Fprint(w, "\t", p.title)
		}
		fmt.Fprintln(w, "\trows\tanswers")
		for _, a := range r.Answers {
			fmt.Fprintf(w, "%s %s\t%.2f", a.Question, a.What, a.Millis["cairn"])
			for _, p := range loaded {
				fmt.Fprintf(w, "\t%.2f", a.Millis[p.name])
			}
			equal := "equal"
			if !a.Equal {
				equal = "DIFFER"
			}
			fmt.Fprintf(w, "\t%d\t%s\n", a.Rows, equal)
		}
		fmt.Fprint(w, "geometric mean of the ratios to Cairn\t1")
		for _, p := range loaded {
			fmt.Fprintf(w, "\t%.1f", r.Means[p.name])
		}
		fmt.Fprintln(w)
	}
	w.Flush()
}

// printBySize shows how Cairn's figures grow.
func printBySize(all []*results) {
	w := tabwriter.NewWriter(os.Stdout, 0, 0, 2, ' ', 0)
	fmt.Fprint(w, "\nCairn by number of events")
	for _, r := range all {
		fmt.Fprintf(w, "\t%d", r.Events)
	}
	fmt.Fprintln(w)
	line := func(what, format string, f func(r *results) float64) {
		fmt.Fprint(w, what)
		for _, r := range all {
			fmt.Fprintf(w, "\t"+format, f(r))
		}
		fmt.Fprintln(w)
	}
	line("load, events/s", "%.0f", func(r *results) float64 { return float64(r.Events) / r.Loads[0].Seconds })
	line("load, peak MB", "%.0f", func(r *results) float64 { return r.Loads[0].PeakMB })
	line("bytes an event", "%.1f", func(r *results) float64 { return r.Loads[0].PerEvent })
	for _, a := range all[0].Answers {
		line(a.Question+" "+a.What+", ms", "%.2f", func(r *results) float64 {
			for _, o := range r.Answers {
				if o.Question == a.Question {
					return o.Millis["cairn"]
				}
			}
			return math.NaN()
		})
	}
	w.Flush()
}

// countCairn returns how many events the lake has.
func countCairn(ctx context.Context, dir string) (int64, error) {
	lake, err := engine.Open(dir, &engine.Options{MustExist: true})
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
