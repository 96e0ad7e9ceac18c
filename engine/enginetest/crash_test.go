package enginetest

import (
	"bytes"
	"context"
	"errors"
	"flag"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/cockroachdb/pebble/v2/vfs/errorfs"

	"github.com/cairndb/cairn/engine"
	"github.com/cairndb/cairn/engine/enginetest/crashmem"
)

var (
	long  = flag.Bool("long", false, "crash and fail at every file operation instead of a sample")
	first = flag.Int("first", 0, "number of the first file operation to fail")
	seed  = flag.Uint64("seed", 1, "seed of what a crash leaves behind")
)

// tiny makes every mechanism work with few events.
var tiny = engine.Options{SegmentRows: 64, MemtableRows: 8, MemtableAge: -1, Workers: 1}

// encrypted is tiny with every file encrypted.
var encrypted = func() engine.Options {
	o := tiny
	o.Keeper = OpenKeeper{}
	return o
}()

// inBoth runs a test in the clear and encrypted.
func inBoth(t *testing.T, test func(t *testing.T, o engine.Options)) {
	t.Run("clear", func(t *testing.T) { test(t, tiny) })
	t.Run("encrypted", func(t *testing.T) { test(t, encrypted) })
}

const dir = "lake"

// writeLogs puts log files for events on a file system that never fails.
func writeLogs(t testing.TB, fs vfs.FS, from, to, each int) {
	t.Helper()
	if err := fs.MkdirAll("logs", 0o755); err != nil {
		t.Fatal(err)
	}
	for i := from; i < to; i += each {
		name := fmt.Sprintf("logs/111122223333_CloudTrail_eu-west-1_20260201T%02d%02dZ_x.json", i/60, i%60)
		f, err := fs.Create(name, vfs.WriteCategoryUnspecified)
		if err != nil {
			t.Fatal(err)
		}
		body := append(append([]byte(`{"Records":[`), bytes.Join(Events(i, min(i+each, to)), []byte(","))...), "]}"...)
		_, err = f.Write(body)
		if err == nil {
			err = f.Sync()
		}
		if err := errors.Join(err, f.Close()); err != nil {
			t.Fatal(err)
		}
	}
	for _, d := range []string{"logs", ""} {
		f, err := fs.OpenDir(d)
		if err != nil {
			t.Fatal(err)
		}
		if err := errors.Join(f.Sync(), f.Close()); err != nil {
			t.Fatal(err)
		}
	}
}

// workload is the standard workload: it makes a lake, appends, imports, seals,
// merges, queries, reopens. It stops at the first error and returns it.
func workload(fs vfs.FS, o engine.Options, m *Model) (err error) {
	ctx := context.Background()
	o.FS = fs
	l, err := engine.Open(dir, &o)
	if err != nil {
		return err
	}
	// A lake whose writing has halted keeps its locks; everything else closes.
	defer func() {
		if l != nil {
			err = errors.Join(err, l.Close())
		}
	}()
	s, err := l.CreateStore(ctx, engine.DefaultStore)
	if err != nil {
		return err
	}
	next := 0
	add := func(n int) error {
		batch := Events(next, next+n)
		m.Send(batch)
		verdicts, err := s.Append(ctx, batch)
		if err != nil {
			// Every error but a halt promises that nothing was kept.
			if !errors.Is(err, engine.ErrHalted) {
				m.Refuse()
			}
			return err
		}
		for i, v := range verdicts {
			if v.Status != engine.Stored {
				return fmt.Errorf("record %d of a batch at %d: %+v", i, next, v)
			}
		}
		m.Ack()
		next += n
		return nil
	}
	importNext := func(n int) error {
		m.Send(Events(next, next+n))
		r, err := l.Import(ctx, engine.ImportOptions{Paths: []string{"logs"}})
		if err != nil {
			return err
		}
		if r.FilesRejected > 0 || r.Refused > 0 {
			// Files that could not be read: they are named, and nothing else may be
			// missing.
			return fmt.Errorf("import: %+v", r)
		}
		m.Ack()
		next += n
		return nil
	}
	for _, n := range []int{1, 5, 9, 2} {
		if err := add(n); err != nil {
			return err
		}
	}
	if err := importNext(60); err != nil {
		return err
	}
	for _, n := range []int{20, 3} {
		if err := add(n); err != nil {
			return err
		}
	}
	if err := query(l, m); err != nil {
		return err
	}
	if err := l.Close(); err != nil {
		return err
	}
	if l, err = engine.Open(dir, &o); err != nil {
		return err
	}
	if s, err = l.Store(engine.DefaultStore); err != nil {
		return err
	}
	for _, n := range []int{4, 40, 7} {
		if err := add(n); err != nil {
			return err
		}
	}
	return query(l, m)
}

// firstImport is the number of the first imported event of the workload.
const firstImport = 17

// query counts the events.
func query(l *engine.Lake, m *Model) error {
	rows, err := l.Query(context.Background(), "SELECT count(*), count(distinct eventID) FROM events")
	if err != nil {
		return err
	}
	defer rows.Close()
	b, err := rows.Next()
	if err != nil {
		return err
	}
	for _, c := range b.Cols {
		leaf, j := c.Leaf(0)
		if got, want := leaf.I64[j], int64(m.Len()); got != want {
			return fmt.Errorf("a query counts %d events, %d are acknowledged", got, want)
		}
	}
	return nil
}

// viewsAgree compares a view, however far the lake has got with keeping it, with the
// events: no view has their IDs, so these are read. Then all of it is kept, and compared again.
func viewsAgree(l *engine.Lake) error {
	ctx := context.Background()
	for range 2 {
		rows, err := l.Query(ctx, `SELECT count(*) FROM (SELECT eventName, account, sum(calls) AS n FROM calls_per_minute GROUP BY 1, 2) v
			FULL JOIN (SELECT eventName, recipientAccountId AS account, count(eventID) AS n FROM events GROUP BY 1, 2) e
			ON v.eventName IS NOT DISTINCT FROM e.eventName AND v.account IS NOT DISTINCT FROM e.account AND v.n = e.n
			WHERE v.n IS NULL OR e.n IS NULL`)
		if err != nil {
			return err
		}
		b, err := rows.Next()
		if err != nil {
			return err
		}
		leaf, i := b.Cols[0].Leaf(0)
		wrong := leaf.I64[i]
		if err := rows.Close(); err != nil {
			return err
		}
		if wrong != 0 {
			return fmt.Errorf("a view differs from the events in %d groups", wrong)
		}
		if err := l.FillViews(ctx, engine.DefaultStore, nil); err != nil {
			return err
		}
	}
	return nil
}

// verify opens a lake after a crash or a fault and compares it with the model.
func verify(fs vfs.FS, o engine.Options, m *Model) error {
	o.FS = fs
	l, err := engine.Open(dir, &o)
	if err != nil {
		return fmt.Errorf("opening: %w", err)
	}
	err = func() error {
		s, err := l.Store(engine.DefaultStore)
		if errors.Is(err, engine.ErrNotFound) {
			if err := m.Compare(0, nil); err != nil {
				return err
			}
			s, err = l.CreateStore(context.Background(), engine.DefaultStore)
		}
		if err != nil {
			return err
		}
		if err := m.Compare(s.Events(), func(seq uint64) ([]byte, error) { return s.Record(context.Background(), seq) }); err != nil {
			return err
		}
		report, err := l.Check(context.Background(), engine.CheckOptions{})
		if err != nil {
			return err
		}
		if len(report.Problems) > 0 {
			return fmt.Errorf("check: %v", report.Problems)
		}
		if err := viewsAgree(l); err != nil {
			return err
		}
		// It must take more.
		if _, err := s.Append(context.Background(), Events(100_000, 100_020)); err != nil {
			return err
		}
		if n := s.Events(); n < 20 {
			return fmt.Errorf("%d events after appending 20", n)
		}
		return nil
	}()
	return errors.Join(err, l.Close())
}

// TestCrashAtEveryWrite takes what a power cut would leave before each file
// operation that changes something, opens it, and compares it with the model.
func TestCrashAtEveryWrite(t *testing.T) {
	inBoth(t, testCrashAtEveryWrite)
}

func testCrashAtEveryWrite(t *testing.T, o engine.Options) {
	stride := 7
	if *long {
		stride = 1
	}
	t.Logf("seed %d", *seed)
	mem := crashmem.New()
	writeLogs(t, mem, firstImport, firstImport+60, 20)
	m := &Model{}
	type clone struct {
		op    string
		fs    vfs.FS
		model *Model
	}
	var mu sync.Mutex
	var clones []clone
	var ops int
	rng := rand.New(rand.NewPCG(*seed, 0))
	injector := errorfs.InjectorFunc(func(op errorfs.Op) error {
		if op.Kind.ReadOrWrite() == errorfs.OpIsRead {
			return nil
		}
		mu.Lock()
		defer mu.Unlock()
		ops++
		if ops%stride == int(*seed)%stride {
			// The model first: what is acknowledged later may be in the clone, never
			// the other way round.
			model := m.Copy()
			percent := []int{0, 30, 100}[rng.IntN(3)]
			clones = append(clones, clone{fmt.Sprintf("operation %d (%v %s), %d %% of unsynced data kept", ops, op.Kind, op.Path, percent), mem.CrashClone(vfs.CrashCloneCfg{UnsyncedDataPercent: percent, RNG: rng}), model})
		}
		return nil
	})
	if err := workload(errorfs.Wrap(mem, injector), o, m); err != nil {
		t.Fatal(err)
	}
	t.Logf("%d operations, %d crashes", ops, len(clones))
	for _, c := range clones {
		// What was sent after the clone was taken is not in it; what was being sent
		// is in the model already.
		if err := verify(c.fs, o, c.model); err != nil {
			t.Fatalf("crash before %s: %v", c.op, err)
		}
	}
}

// TestCrashWhileRecovering crashes at writes of the opening after a crash.
func TestCrashWhileRecovering(t *testing.T) {
	inBoth(t, testCrashWhileRecovering)
}

func testCrashWhileRecovering(t *testing.T, o engine.Options) {
	mem := crashmem.New()
	writeLogs(t, mem, firstImport, firstImport+60, 20)
	m := &Model{}
	if err := workload(mem, o, m); err != nil {
		t.Fatal(err)
	}
	rng := rand.New(rand.NewPCG(*seed, 1))
	crashed := mem.CrashClone(vfs.CrashCloneCfg{UnsyncedDataPercent: 0, RNG: rng})
	var clones []vfs.FS
	var mu sync.Mutex
	injector := errorfs.InjectorFunc(func(op errorfs.Op) error {
		if op.Kind.ReadOrWrite() == errorfs.OpIsWrite {
			mu.Lock()
			defer mu.Unlock()
			clones = append(clones, crashed.CrashClone(vfs.CrashCloneCfg{UnsyncedDataPercent: rng.IntN(101), RNG: rng}))
		}
		return nil
	})
	opening := o
	opening.FS = errorfs.Wrap(crashed, injector)
	l, err := engine.Open(dir, &opening)
	if err != nil {
		t.Fatal(err)
	}
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	for i, fs := range clones {
		if err := verify(fs, o, m); err != nil {
			t.Fatalf("crash at write %d of %d of the opening: %v", i, len(clones), err)
		}
	}
}

// workloadStacks returns the stacks of the goroutines that run a workload; those
// that Pebble has left parked are many.
func workloadStacks() string {
	all := make([]byte, 64<<20)
	var out strings.Builder
	for _, g := range strings.Split(string(all[:runtime.Stack(all, true)]), "\n\n") {
		if strings.Contains(g, "enginetest.workload(") {
			out.WriteString(g + "\n\n")
		}
	}
	return out.String()
}

// aloneEnv is set in a process that runs one test for another.
const aloneEnv = "CAIRN_TEST_ALONE"

// inOwnProcess runs the test in a process of its own and reports whether it has. What a lake
// holds whose writing has halted is free when its process ends, and thousands of them are made.
func inOwnProcess(t *testing.T) bool {
	t.Helper()
	if os.Getenv(aloneEnv) != "" {
		return false
	}
	args := []string{"-test.v", "-test.run", "^" + strings.ReplaceAll(t.Name(), "/", "$/^") + "$", "-long",
		"-first", strconv.Itoa(*first), "-seed", strconv.FormatUint(*seed, 10)}
	if deadline, ok := t.Deadline(); ok {
		args = append(args, "-test.timeout", time.Until(deadline).String())
	}
	cmd := exec.CommandContext(t.Context(), os.Args[0], args...)
	cmd.Env = append(os.Environ(), aloneEnv+"=1")
	out, err := cmd.CombinedOutput()
	if err != nil || !bytes.Contains(out, []byte("--- PASS: "+t.Name()+" ")) {
		t.Fatalf("%v\n%s", err, out)
	}
	return true
}

// TestEveryOperationMayFail lets the k-th file operation fail, only that one or
// all from then on, with an I/O error or a full disk. The lake must keep what it
// has acknowledged, and be sound once the disk is healthy again.
func TestEveryOperationMayFail(t *testing.T) {
	inBoth(t, testEveryOperationMayFail)
}

func testEveryOperationMayFail(t *testing.T, o engine.Options) {
	for _, mode := range []struct {
		name   string
		cause  error
		always bool
	}{
		{"EIO once", syscall.EIO, false},
		{"EIO from then on", syscall.EIO, true},
		{"ENOSPC once", syscall.ENOSPC, false},
		{"ENOSPC from then on", syscall.ENOSPC, true},
	} {
		t.Run(mode.name, func(t *testing.T) {
			stride := 61
			if *long {
				stride = 1
				if inOwnProcess(t) {
					return
				}
			}
			from := 1 + int(*seed)%stride
			if *first > 0 {
				from = *first
			}
			for k := from; ; k += stride {
				mem := crashmem.New()
				writeLogs(t, mem, firstImport, firstImport+60, 20)
				var mu sync.Mutex
				var ops, injected int
				var where string
				healed := false
				injector := errorfs.InjectorFunc(func(op errorfs.Op) error {
					mu.Lock()
					defer mu.Unlock()
					// Files to be imported are another disk.
					if strings.HasPrefix(op.Path, "logs") || healed {
						return nil
					}
					if mode.cause == syscall.ENOSPC && op.Kind.ReadOrWrite() != errorfs.OpIsWrite {
						return nil
					}
					if ops++; ops == k || mode.always && ops > k {
						injected++
						if where == "" {
							where = fmt.Sprintf("%v %s", op.Kind, op.Path)
						}
						return &os.PathError{Op: fmt.Sprint(op.Kind), Path: op.Path, Err: mode.cause}
					}
					return nil
				})
				m := &Model{}
				done := make(chan error, 1)
				go func() { done <- workload(errorfs.Wrap(mem, injector), o, m) }()
				var err error
				select {
				case err = <-done:
				case <-time.After(20 * time.Second):
					t.Fatalf("operation %d (%s): the workload hangs\n%s", k, where, workloadStacks())
				}
				mu.Lock()
				healed = true
				n := injected
				mu.Unlock()
				// The process is over: whatever it still holds is not there for the
				// next one.
				fs := mem.CrashClone(vfs.CrashCloneCfg{UnsyncedDataPercent: 100, RNG: rand.New(rand.NewPCG(*seed, uint64(k)))})
				if e := verify(fs, o, m.Copy()); e != nil {
					t.Fatalf("operation %d (%s) failed, the workload said %v, then: %v", k, where, err, e)
				}
				if n == 0 {
					t.Logf("%d operations", ops)
					if err != nil {
						t.Fatal(err)
					}
					return
				}
			}
		})
	}
}
