package clienttest

import (
	"bufio"
	"bytes"
	"context"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/cairndb/cairn/engine/event/generate"
)

// What was measured is in testdata/bench; the command is
//
//	go test ./server/clienttest -run Pgbench -v -pgbench.events 1000000 -pgbench.clients 1,16,100 -pgbench.time 10s
var (
	pgbenchEvents  = flag.Int("pgbench.events", 3000, "events of the server that pgbench asks")
	pgbenchClients = flag.String("pgbench.clients", "3", "how many clients ask side by side, in turn")
	pgbenchTime    = flag.Duration("pgbench.time", time.Second, "how long")
	pgbenchTLS     = flag.Bool("pgbench.tls", false, "over TLS")
)

// TestPgbench looks up events by their IDs with prepared statements, and tells how many in a
// second and how long the slowest hundredth took.
func TestPgbench(t *testing.T) {
	bin, err := exec.LookPath("pgbench")
	if err != nil {
		missing(t, "pgbench", err)
	}
	at, lake := serveEvents(t, nil)
	g, err := generate.New(generate.Options{Events: int64(*pgbenchEvents)})
	if err != nil {
		t.Fatal(err)
	}
	store, err := lake.Store("events")
	if err != nil {
		t.Fatal(err)
	}
	var batch [][]byte
	flush := func() error {
		_, err := store.Append(context.Background(), batch)
		batch = batch[:0]
		return err
	}
	i := 0
	err = g.Each(func(raw []byte, _ int64) error {
		batch = append(batch, renamed(raw, i))
		i++
		if len(batch) == 1000 {
			return flush()
		}
		return nil
	})
	if err == nil {
		err = flush()
	}
	if err != nil {
		t.Fatal(err)
	}
	mode := "disable"
	if *pgbenchTLS {
		mode = "require"
	}
	for text := range strings.SplitSeq(*pgbenchClients, ",") {
		clients, err := strconv.Atoi(text)
		if err != nil {
			t.Fatal(err)
		}
		dir := t.TempDir()
		ctx, cancel := context.WithTimeout(context.Background(), 2*time.Minute+*pgbenchTime)
		defer cancel()
		cmd := exec.CommandContext(ctx, bin, "-n", "-M", "prepared", "-c", text, "-j", strconv.Itoa(min(clients, runtime.NumCPU())),
			"-T", strconv.Itoa(max(1, int(pgbenchTime.Seconds()))), "-D", "events="+strconv.Itoa(i), "-f", "testdata/lookup.pgbench", "-l", "--log-prefix", filepath.Join(dir, "log"))
		cmd.Env = append(os.Environ(), "PGHOST=127.0.0.1", "PGPORT="+at.port, "PGUSER=admin", "PGPASSWORD="+at.password, "PGDATABASE=cairn", "PGSSLMODE="+mode)
		before := processTime(t)
		out, err := cmd.CombinedOutput()
		if err != nil {
			t.Fatalf("%v:\n%s", err, out)
		}
		spent := processTime(t) - before
		if !bytes.Contains(out, []byte("number of failed transactions: 0 ")) {
			t.Errorf("%d clients:\n%s", clients, out)
		}
		took := latencies(t, dir)
		if len(took) < clients {
			t.Errorf("%d clients have found %d events", clients, len(took))
			continue
		}
		tps := "?"
		for line := range strings.Lines(string(out)) {
			if rest, ok := strings.CutPrefix(line, "tps = "); ok {
				tps, _, _ = strings.Cut(rest, ".")
			}
		}
		t.Logf("%d events, %d clients: %s look-ups/s, half of them below %v, 99 of 100 below %v; of a processor's time the server took %v each, pgbench %v",
			i, clients, tps, took[len(took)/2], took[len(took)*99/100], (spent / time.Duration(len(took))).Round(time.Microsecond),
			((cmd.ProcessState.UserTime() + cmd.ProcessState.SystemTime()) / time.Duration(len(took))).Round(time.Microsecond))
	}
}

// processTime is what the process has had of processors, in which no other has a part.
func processTime(t *testing.T) time.Duration {
	t.Helper()
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		t.Fatal(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// renamed returns a record whose event ID is made of its number as lookup.pgbench does.
func renamed(raw []byte, i int) []byte {
	const key = `"eventID":"`
	out := bytes.Clone(raw)
	if at := bytes.Index(out, []byte(key)); at >= 0 {
		copy(out[at+len(key):], fmt.Sprintf("%08d-5eed-4ca1-a11e-5ca1ab1ecafe", (i*48271+11)%99999989))
	}
	return out
}

// latencies reads pgbench's logs of single transactions, in order of their length.
func latencies(t *testing.T, dir string) []time.Duration {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(dir, "log*"))
	if err != nil {
		t.Fatal(err)
	}
	var out []time.Duration
	for _, name := range files {
		f, err := os.Open(name)
		if err != nil {
			t.Fatal(err)
		}
		lines := bufio.NewScanner(f)
		for lines.Scan() {
			fields := strings.Fields(lines.Text()) // client, number, microseconds …
			if len(fields) < 3 {
				t.Fatalf("%s: %q", name, lines.Text())
			}
			us, err := strconv.Atoi(fields[2])
			if err != nil {
				t.Fatal(err)
			}
			out = append(out, time.Duration(us)*time.Microsecond)
		}
		if err := lines.Err(); err != nil {
			t.Fatal(err)
		}
		f.Close()
	}
	slices.Sort(out)
	return out
}
