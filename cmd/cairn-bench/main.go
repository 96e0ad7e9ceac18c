// Command cairn-bench loads the same log files into Cairn and into DuckDB
// (native and as Parquet), asks both the same questions, checks that the
// answers are equal, and prints what each took: time, CPU, memory, disk.
//
//	go run . -n 1000000                 generate a million events and compare
//	go run . -data ./AWSLogs            log files from elsewhere
//	go run . -n 1000000 -json out.json  the figures for programs
//
// It is a module of its own, so that other databases never become dependencies
// of the engine.
package main

import (
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"syscall"
	"text/tabwriter"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"

	"github.com/cairndb/cairn/engine/logfile"
)

type load struct {
	Name     string  `json:"name"`
	Events   int64   `json:"events"`
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
	Spread   map[string]float64 `json:"slowest_ms"`
	Equal    bool               `json:"equal"`
}

type results struct {
	Date    string   `json:"date"`
	Machine string   `json:"machine"`
	CPUs    int      `json:"cpus"`
	Go      string   `json:"go"`
	Duck    string   `json:"duckdb"`
	Events  int64    `json:"events"`
	LogMB   float64  `json:"log_files_mb"`
	Loads   []load   `json:"loads"`
	Answers []answer `json:"answers"`
}

func main() {
	n := flag.Int("n", 1_000_000, "number of events to generate")
	seed := flag.Uint64("seed", 1, "seed of the generated events")
	data := flag.String("data", "", "directory of log files to use instead of generated ones")
	dir := flag.String("dir", "", "working directory, kept; default a temporary one, removed")
	jsonFile := flag.String("json", "", "write the figures to this file")
	runs := flag.Int("runs", 7, "how often each question is asked of each engine")
	questionsToo := flag.Bool("questions", true, "ask the questions; false compares load and size only")
	flag.Parse()
	if err := bench(*n, *seed, *data, *dir, *jsonFile, *runs, *questionsToo); err != nil {
		fmt.Fprintln(os.Stderr, "cairn-bench:", err)
		os.Exit(1)
	}
}

func bench(n int, seed uint64, data, dir, jsonFile string, runs int, questionsToo bool) error {
	ctx := context.Background()
	if dir == "" {
		d, err := os.MkdirTemp("", "cairn-bench-")
		if err != nil {
			return err
		}
		defer os.RemoveAll(d)
		dir = d
	}
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return err
	}
	cairn := filepath.Join(dir, "cairn")
	if err := buildCairn(cairn); err != nil {
		return err
	}
	r := &results{Date: time.Now().UTC().Format(time.DateOnly), CPUs: runtime.NumCPU(), Go: runtime.Version(), Machine: machine()}
	if data == "" {
		data = filepath.Join(dir, "logs")
		if _, err := os.Stat(data); err != nil {
			step("generating %d events", n)
			if _, err := measure("generate", cairn, "generate", "-n", fmt.Sprint(n), "--seed", fmt.Sprint(seed), "--out", data); err != nil {
				return err
			}
		}
	}
	if sub := filepath.Join(data, "AWSLogs"); isDir(sub) {
		data = sub
	}
	files, bytes, err := logFiles(data)
	if err != nil {
		return err
	}
	r.LogMB = float64(bytes) / 1e6

	step("loading %d files into Cairn", len(files))
	lakeDir := filepath.Join(dir, "lake")
	if err := os.RemoveAll(lakeDir); err != nil {
		return err
	}
	l, err := measure("Cairn", cairn, "import", data, "--dir", lakeDir, "--json")
	if err != nil {
		return err
	}
	if l.Bytes, err = diskUse(lakeDir); err != nil {
		return err
	}
	r.Loads = append(r.Loads, l)

	step("loading into DuckDB as Parquet with zstd")
	peer, err := openDuck(ctx, dir)
	if err != nil {
		return err
	}
	defer peer.Close()
	r.Duck = peer.version
	l, err = peer.parquet(ctx, files)
	if err != nil {
		return err
	}
	r.Loads = append(r.Loads, l)
	r.Events = l.Events
	for i := range r.Loads {
		r.Loads[i].Events = r.Events
		r.Loads[i].PerEvent = float64(r.Loads[i].Bytes) / float64(r.Events)
	}
	if questionsToo {
		step("loading into DuckDB, native, sorted by time")
		if err := peer.native(ctx); err != nil {
			return err
		}
		if r.Answers, err = ask(ctx, lakeDir, peer, runs, r.Events); err != nil {
			return err
		}
	}
	r.print()
	if jsonFile != "" {
		out, err := json.MarshalIndent(r, "", "  ")
		if err != nil {
			return err
		}
		if err := os.WriteFile(jsonFile, append(out, '\n'), 0o644); err != nil {
			return err
		}
	}
	for _, a := range r.Answers {
		if !a.Equal {
			return fmt.Errorf("%s: the answers differ", a.Question)
		}
	}
	return nil
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

func (r *results) print() {
	w := tabwriter.NewWriter(os.Stdout, 0, 0, 2, ' ', 0)
	fmt.Fprintf(w, "%s, %d CPUs, %s, DuckDB %s: %d events, %.0f MB of log files\n\n", r.Machine, r.CPUs, r.Go, r.Duck, r.Events, r.LogMB)
	fmt.Fprintln(w, "load\tevents/s\tCPU µs/event\tpeak MB\tbytes/event")
	for _, l := range r.Loads {
		fmt.Fprintf(w, "%s\t%.0f\t%.1f\t%.0f\t%.1f\n", l.Name, float64(l.Events)/l.Seconds, l.CPU*1e6/float64(l.Events), l.PeakMB, l.PerEvent)
	}
	fmt.Fprintf(w, "size of Cairn with all indexes / Parquet without: %.3f\n", r.Loads[0].PerEvent/r.Loads[1].PerEvent)
	if len(r.Answers) > 0 {
		fmt.Fprintln(w, "\nmedian ms\tCairn\tDuckDB native\tDuckDB Parquet\trows\tanswers")
		for _, a := range r.Answers {
			equal := "equal"
			if !a.Equal {
				equal = "DIFFER"
			}
			fmt.Fprintf(w, "%s %s\t%.2f\t%.2f\t%.2f\t%d\t%s\n", a.Question, a.What, a.Millis["cairn"], a.Millis["native"], a.Millis["parquet"], a.Rows, equal)
		}
	}
	w.Flush()
}

func median(ms []float64) (mid, slowest float64) {
	slices.Sort(ms)
	return ms[len(ms)/2], ms[len(ms)-1]
}
