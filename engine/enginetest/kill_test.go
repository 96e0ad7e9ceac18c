package enginetest

import (
	"bufio"
	"bytes"
	"context"
	"encoding/binary"
	"flag"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"

	"github.com/cairndb/cairn/engine"
)

var kills = flag.Int("kills", 20, "how often TestKillLoop kills its child")

// childDir, in the environment, makes this program the child of TestKillLoop.
const childDir = "CAIRN_KILL_LOOP_DIR"

func TestMain(m *testing.M) {
	if d := os.Getenv(childDir); d != "" {
		if err := child(d); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		os.Exit(0)
	}
	os.Exit(m.Run())
}

// The child appends events of even numbers and imports log files with events of
// odd numbers, both from where the last child was stopped, and says on its
// standard output what was acknowledged: one letter, and a number of 8 bytes.
const (
	sayPhase    = 'p' // something is about to happen: a good moment to be killed
	sayAppended = 'a' // all appended events below the number are acknowledged

)

// killEvents is how many log file events there are, killFile how many in a file.
const (
	killEvents = 3000
	killFile   = 50
)

func child(d string) error {
	out := bufio.NewWriterSize(os.Stdout, 9)
	say := func(what byte, n uint64) error {
		b := binary.BigEndian.AppendUint64([]byte{what}, n)
		if _, err := out.Write(b); err != nil {
			return err
		}
		return out.Flush()
	}
	if err := say(sayPhase, 0); err != nil {
		return err
	}
	l, err := engine.Open(filepath.Join(d, "lake"), &engine.Options{SegmentRows: 512, MemtableRows: 64})
	if err != nil {
		return err
	}
	ctx := context.Background()
	s, err := l.Store(engine.DefaultStore)
	if err != nil {
		if s, err = l.CreateStore(ctx, engine.DefaultStore); err != nil {
			return err
		}
	}
	var from uint64
	if _, err := fmt.Sscan(os.Getenv(childDir+"_FROM"), &from); err != nil {
		return err
	}
	errs := make(chan error, 2)
	go func() {
		for next := from; ; {
			// The first batch repeats events that are there already.
			var batch [][]byte
			for range 1 + next%23 {
				batch = append(batch, Event(int(2*next)))
				next++
			}
			if _, err := s.Append(ctx, batch); err != nil {
				errs <- err
				return
			}
			if err := say(sayAppended, next); err != nil {
				errs <- err
				return
			}
		}
	}()
	go func() {
		r, err := l.Import(ctx, engine.ImportOptions{Paths: []string{filepath.Join(d, "logs")}, Workers: 2})
		if err == nil && (r.Refused > 0 || r.FilesRejected > 0) {
			err = fmt.Errorf("import: %+v", r)
		}
		if err != nil {
			errs <- err
		}
	}()
	return <-errs
}

// TestKillLoop kills a process that appends and imports, again and again at
// random moments. What the process said was acknowledged, must be there.
func TestKillLoop(t *testing.T) {
	t.Logf("seed %d, %d kills", *seed, *kills)
	rng := rand.New(rand.NewPCG(*seed, 2))
	d := t.TempDir()
	if err := os.Mkdir(filepath.Join(d, "logs"), 0o755); err != nil {
		t.Fatal(err)
	}
	for i := 0; i < killEvents; i += killFile {
		var records [][]byte
		for j := i; j < i+killFile; j++ {
			records = append(records, Event(2*j+1))
		}
		name := fmt.Sprintf("111122223333_CloudTrail_eu-west-1_20260201T%02d%02dZ_x.json", i/60, i%60)
		body := append(append([]byte(`{"Records":[`), bytes.Join(records, []byte(","))...), "]}"...)
		if err := os.WriteFile(filepath.Join(d, "logs", name), body, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	var acked uint64
	for kill := range *kills {
		var stderr bytes.Buffer
		cmd := exec.Command(os.Args[0])
		cmd.Env = append(os.Environ(), childDir+"="+d, fmt.Sprintf("%s_FROM=%d", childDir, max(acked, 30)-30))
		cmd.Stderr = &stderr
		pipe, err := cmd.StdoutPipe()
		if err != nil {
			t.Fatal(err)
		}
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		// Some die while they open the lake, most while they work.
		delay := time.Duration(rng.ExpFloat64() * float64(120*time.Millisecond))
		timer := time.AfterFunc(delay, func() { cmd.Process.Kill() })
		for {
			var b [9]byte
			if _, err := io.ReadFull(pipe, b[:]); err != nil {
				break
			}
			if b[0] == sayAppended {
				acked = max(acked, binary.BigEndian.Uint64(b[1:]))
			}
		}
		timer.Stop()
		cmd.Wait()
		if stderr.Len() > 0 {
			t.Fatalf("kill %d: the child said: %s", kill, stderr.String())
		}
		if kill%5 == 4 || kill == *kills-1 {
			if err := verifyKilled(d, acked); err != nil {
				t.Fatalf("after kill %d (delay %v, seed %d): %v", kill, delay, *seed, err)
			}
		}
	}
	// A last import, not killed: everything is there once.
	l, err := engine.Open(filepath.Join(d, "lake"), nil)
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	r, err := l.Import(context.Background(), engine.ImportOptions{Paths: []string{filepath.Join(d, "logs")}})
	if err != nil {
		t.Fatal(err)
	}
	if got := r.RecordsBefore + r.Stored + r.Duplicates; got < killEvents {
		t.Errorf("%d records imported, want %d: %+v", got, killEvents, r)
	}
	have, err := held(l)
	if err != nil {
		t.Fatal(err)
	}
	for i := range killEvents {
		if !have[string(Event(2*i+1))] {
			t.Fatalf("imported event %d is missing", 2*i+1)
		}
	}
	t.Logf("%d appended and %d imported events survived %d kills", acked, killEvents, *kills)
}

// held returns all records of a store, as a query finds them; one that is there
// twice is an error.
func held(l *engine.Lake) (map[string]bool, error) {
	rows, err := l.Query(context.Background(), "SELECT eventJson FROM events")
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	have := make(map[string]bool)
	for {
		b, err := rows.Next()
		if err == io.EOF {
			return have, nil
		}
		if err != nil {
			return nil, err
		}
		for i := range b.Len {
			values, at := b.Cols[0].Leaf(i)
			rec := values.Str[at]
			if have[rec] {
				return nil, fmt.Errorf("a record is there twice: %s", rec)
			}
			have[rec] = true
		}
	}
}

// verifyKilled opens the lake of a killed process.
func verifyKilled(d string, acked uint64) error {
	l, err := engine.Open(filepath.Join(d, "lake"), &engine.Options{FS: vfs.Default, SegmentRows: 512, MemtableRows: 64})
	if err != nil {
		return fmt.Errorf("opening: %w", err)
	}
	defer l.Close()
	if len(l.Stores()) == 0 {
		if acked > 0 {
			return fmt.Errorf("the store is missing")
		}
		return nil
	}
	have, err := held(l)
	if err != nil {
		return err
	}
	for i := range acked {
		if !have[string(Event(int(2*i)))] {
			return fmt.Errorf("acknowledged event %d is missing", 2*i)
		}
	}
	report, err := l.Check(context.Background(), engine.CheckOptions{})
	if err != nil {
		return err
	}
	if len(report.Problems) > 0 {
		return fmt.Errorf("check: %v", report.Problems)
	}
	return nil
}
