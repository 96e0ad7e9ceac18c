package wal

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"strings"
	"syscall"
	"testing"

	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/cockroachdb/pebble/v2/vfs/errorfs"
)

// history is what a client of the log knows: which records it was promised,
// under which attempt, and which may be there or not. Records are numbered
// densely; a refused one is tried again under its number with another attempt.
type history struct {
	acked   []uint64            // attempt of each acknowledged record
	unsure  map[uint64]struct{} // attempts at the next record that may have been stored
	pending []uint64            // attempts at records appended and not synced
	dropped uint64              // records below were allowed to go
	attempt uint64
	pos     []Position
}

func (h *history) clone() *history {
	c := *h
	c.acked = append([]uint64(nil), h.acked...)
	c.pending = append([]uint64(nil), h.pending...)
	c.pos = append([]Position(nil), h.pos...)
	c.unsure = map[uint64]struct{}{}
	for a := range h.unsure {
		c.unsure[a] = struct{}{}
	}
	return &c
}

// check compares a replay with the history, and brings the history up to what
// the replay has shown: that is promised now.
func (h *history) check(got []seen) error {
	if len(got) == 0 {
		if h.dropped < uint64(len(h.acked)) {
			return fmt.Errorf("no records, %d to %d were acknowledged", h.dropped, len(h.acked)-1)
		}
		h.pending, h.unsure, h.pos = nil, nil, make([]Position, len(h.acked))
		return nil
	}
	first, _, err := parseNumbered([]byte(got[0].payload))
	if err != nil {
		return err
	}
	if first > h.dropped {
		return fmt.Errorf("the first record is %d, %d must still be there", first, h.dropped)
	}
	for i, s := range got {
		n, attempt, err := parseNumbered([]byte(s.payload))
		if err != nil {
			return err
		}
		if n != first+uint64(i) {
			return fmt.Errorf("record %d where %d was expected", n, first+uint64(i))
		}
		switch ahead := n - uint64(len(h.acked)); {
		case n < uint64(len(h.acked)):
			if h.acked[n] != attempt {
				return fmt.Errorf("record %d is attempt %d, acknowledged was %d", n, attempt, h.acked[n])
			}
		case ahead < uint64(len(h.pending)):
			if h.pending[ahead] != attempt {
				return fmt.Errorf("record %d is attempt %d, appended was %d", n, attempt, h.pending[ahead])
			}
		default:
			if _, ok := h.unsure[attempt]; !ok || ahead > uint64(len(h.pending)) {
				return fmt.Errorf("record %d, attempt %d, was refused and is there", n, attempt)
			}
		}
	}
	if have := first + uint64(len(got)); have < uint64(len(h.acked)) {
		return fmt.Errorf("records up to %d, %d were acknowledged", have-1, len(h.acked))
	}
	for _, s := range got {
		n, attempt, _ := parseNumbered([]byte(s.payload))
		if n >= uint64(len(h.acked)) {
			h.acked = append(h.acked, attempt)
		}
	}
	h.pos = make([]Position, len(h.acked))
	for _, s := range got {
		n, _, _ := parseNumbered([]byte(s.payload))
		h.pos[n] = s.pos
	}
	h.pending, h.unsure = nil, nil
	return nil
}

// open opens the log and checks what it gives.
func (h *history) open(fs vfs.FS) (*Log, error) {
	var got []seen
	l, _, err := Open(fs, testDir, Options{FileSize: 700}, collect(&got))
	if err != nil {
		return nil, err
	}
	if err := h.check(got); err != nil {
		l.Close()
		return nil, fmt.Errorf("%w: %w", errWrong, err)
	}
	return l, nil
}

var errWrong = errors.New("wrong answer")

// run appends, syncs, drops and closes for some steps. It stops at the first
// error that is final and returns all errors seen.
func (h *history) run(l *Log, rng *rand.Rand, steps int) (errs []error) {
	refusals := 0
	for range steps {
		number := uint64(len(h.acked) + len(h.pending))
		h.attempt++
		payload := numbered(number, h.attempt)
		var err error
		switch rng.IntN(10) {
		case 0, 1:
			// Not synced at once.
			var pos Position
			h.unsure = map[uint64]struct{}{h.attempt: {}}
			if pos, err = l.Append(payload); err == nil {
				h.pending = append(h.pending, h.attempt)
				h.pos = append(h.pos, pos)
			}
			if err == nil || errors.Is(err, ErrNoSpace) {
				h.unsure = nil
			}
		case 2:
			if err = l.Sync(); err == nil {
				h.acked, h.pending = append(h.acked, h.pending...), nil
			}
		case 3:
			if upTo := uint64(len(h.acked)) * 2 / 3; upTo > h.dropped {
				h.dropped = upTo
				err = l.Drop(h.pos[upTo])
			}
		default:
			var pos Position
			// Until it returns, the record may be there or not.
			h.unsure = map[uint64]struct{}{h.attempt: {}}
			if pos, err = l.AppendSync(payload[:8], payload[8:]); err == nil {
				h.acked = append(append(h.acked, h.pending...), h.attempt)
				h.pending = nil
				h.pos = append(h.pos, pos)
			}
			if err == nil || errors.Is(err, ErrNoSpace) {
				h.unsure = nil
			}
		}
		if err != nil {
			errs = append(errs, err)
			if refusals++; errors.Is(err, ErrHalted) || refusals > 3 {
				return errs
			}
		}
	}
	if err := l.Close(); err != nil {
		return append(errs, err)
	}
	h.acked, h.pending = append(h.acked, h.pending...), nil
	return errs
}

// TestCrashAtEveryOperation takes a copy of the disk as power loss might leave
// it before every operation of a workload, and before every operation of
// opening that copy. Nothing acknowledged may be missing, nothing else may be
// there.
func TestCrashAtEveryOperation(t *testing.T) {
	seed := uint64(1)
	if !testing.Short() {
		seed = rand.Uint64()
	}
	t.Logf("seed %d", seed)
	rng := rand.New(rand.NewPCG(seed, 0))

	crashes := 0
	// reopen opens a crashed disk, also crashing at each operation of that, and
	// goes on.
	var reopen func(fs *vfs.MemFS, h *history, depth int)
	reopen = func(fs *vfs.MemFS, h *history, depth int) {
		crashes++
		watched := vfs.FS(fs)
		opening := h.clone()
		if depth > 0 {
			watched = errorfs.Wrap(fs, errorfs.InjectorFunc(func(op errorfs.Op) error {
				if op.Kind.ReadOrWrite() == errorfs.OpIsWrite {
					for _, percent := range []int{0, 40, 100} {
						reopen(fs.CrashClone(vfs.CrashCloneCfg{UnsyncedDataPercent: percent, RNG: rng}), opening.clone(), depth-1)
					}
				}
				return nil
			}))
		}
		l, err := h.open(watched)
		if err != nil {
			t.Fatalf("seed %d: after crash %d: %v\n%s", seed, crashes, err, fs)
		}
		// What opening showed must survive the next power loss.
		after := fs.CrashClone(vfs.CrashCloneCfg{})
		if again, err := h.clone().open(after); err != nil {
			t.Fatalf("seed %d: after crash %d, an opening and a second crash: %v\n%s", seed, crashes, err, fs)
		} else {
			again.Close()
		}
		if depth > 0 {
			return
		}
		if errs := h.run(l, rng, 3); errs != nil {
			t.Fatalf("seed %d: after crash %d: %v", seed, crashes, errs)
		}
		l, err = h.open(fs)
		if err != nil {
			t.Fatalf("seed %d: after crash %d and going on: %v", seed, crashes, err)
		}
		l.Close()
	}

	fs := newMem(t)
	h := &history{}
	on := true
	watched := errorfs.Wrap(fs, errorfs.InjectorFunc(func(op errorfs.Op) error {
		if on && op.Kind.ReadOrWrite() == errorfs.OpIsWrite {
			for _, percent := range []int{0, 20, 50, 80, 100} {
				depth := 0
				if rng.IntN(20) == 0 {
					depth = 1
				}
				reopen(fs.CrashClone(vfs.CrashCloneCfg{UnsyncedDataPercent: percent, RNG: rng}), h.clone(), depth)
			}
		}
		return nil
	}))
	for range 3 {
		l, err := h.open(watched)
		if err != nil {
			t.Fatal(err)
		}
		if errs := h.run(l, rng, 18); errs != nil {
			t.Fatal(errs)
		}
	}
	on = false
	if crashes < 400 {
		t.Errorf("only %d crashes", crashes)
	}
	t.Logf("%d crashes", crashes)
}

// TestEveryOperationFails lets the k-th operation of a workload fail, for every
// k, once or from then on. The caller must hear of it, or it must not matter.
func TestEveryOperationFails(t *testing.T) {
	for _, cause := range []error{syscall.EIO, syscall.ENOSPC, syscall.EMFILE} {
		for _, lasting := range []bool{false, true} {
			t.Run(fmt.Sprintf("%v/lasting=%v", cause, lasting), func(t *testing.T) {
				for k := 0; ; k++ {
					if !failOperation(t, k, cause, lasting) {
						if k < 60 {
							t.Errorf("only %d operations", k)
						}
						return
					}
				}
			})
		}
	}
}

// failOperation reports whether operation k was reached.
func failOperation(t *testing.T, k int, cause error, lasting bool) (reached bool) {
	fs := newMem(t)
	rng := rand.New(rand.NewPCG(9, 9))
	h := &history{}
	ops, injected, harmless := 0, 0, 0
	var which []string
	failing := errorfs.Wrap(fs, errorfs.InjectorFunc(func(op errorfs.Op) error {
		ops++
		if ops-1 != k && !(lasting && ops-1 > k) {
			return nil
		}
		injected++
		which = append(which, fmt.Sprintf("%d %s", op.Kind, op.Path))
		if op.Kind == errorfs.OpRemove && strings.HasSuffix(op.Path, tempSuffix) {
			harmless++ // the remains of a file are removed at the next opening, if not now
		}
		return cause
	}))
	var errs []error
	for range 2 {
		l, err := h.open(failing)
		if err != nil {
			if errors.Is(err, errWrong) {
				t.Fatalf("operation %d fails: %v", k, err)
			}
			errs = append(errs, err)
			continue
		}
		errs = append(errs, h.run(l, rng, 20)...)
		// A halted log stays so.
		if len(errs) > 0 && errors.Is(errs[len(errs)-1], ErrHalted) && !errors.Is(l.err(), ErrClosed) {
			_, err := l.Append([]byte("x"))
			if !errors.Is(err, ErrHalted) || !errors.Is(err, cause) {
				t.Fatalf("operation %d fails: a halted log answers %v", k, err)
			}
			if !errors.Is(l.Sync(), ErrHalted) || !errors.Is(l.Drop(Position{File: 99}), ErrHalted) {
				t.Fatalf("operation %d fails: a halted log syncs or drops", k)
			}
		}
		l.Close()
	}
	for _, err := range errs {
		if !errors.Is(err, cause) {
			t.Errorf("operation %d fails: an error without its cause: %v", k, err)
		}
		if cause == syscall.ENOSPC && !errors.Is(err, ErrNoSpace) && !errors.Is(err, ErrHalted) && !strings.Contains(err.Error(), "opening write-ahead log") && !strings.Contains(err.Error(), "dropping") {
			t.Errorf("operation %d fails: a full disk is reported as %v", k, err)
		}
	}
	if injected > harmless && len(errs) == 0 {
		// Nobody heard of it. That is right for a commit mark only: it adds to
		// what is known, not to what is stored. Checked below, like everything.
		marks := 0
		for _, w := range which {
			if strings.HasPrefix(w, fmt.Sprint(int(errorfs.OpFileWrite))) && strings.HasSuffix(w, fileSuffix+tempSuffix) {
				t.Errorf("operation %d fails unheard: %v", k, which)
			}
			if strings.HasPrefix(w, fmt.Sprint(int(errorfs.OpFileWrite))) {
				marks++
			}
		}
		if marks != injected {
			t.Errorf("operation %d fails unheard: %v", k, which)
		}
	}
	// Afterwards, on the healthy disk, and on what a crash leaves of it:
	// everything acknowledged is there, nothing refused.
	for _, disk := range []*vfs.MemFS{fs.CrashClone(vfs.CrashCloneCfg{}), fs} {
		h := h.clone()
		l, err := h.open(disk)
		if err != nil {
			t.Fatalf("operation %d failed (%v), errors %v, then: %v", k, which, errs, err)
		}
		if errs := h.run(l, rng, 5); errs != nil {
			t.Fatalf("operation %d failed, then: %v", k, errs)
		}
		if l, err = h.open(disk); err != nil {
			t.Fatalf("operation %d failed, then, going on: %v", k, err)
		}
		l.Close()
	}
	return injected > 0
}

// fullDisk is a file system with room for so many bytes. A write that does not
// fit is cut short, as real ones are, with ENOSPC or another error.
type fullDisk struct {
	vfs.FS
	room  *int64
	cause error
}

type fullDiskFile struct {
	vfs.File
	fullDisk
}

func (d fullDisk) Create(name string, c vfs.DiskWriteCategory) (vfs.File, error) {
	f, err := d.FS.Create(name, c)
	if err != nil {
		return nil, err
	}
	return fullDiskFile{f, d}, nil
}

func (f fullDiskFile) Write(p []byte) (int, error) {
	if int64(len(p)) <= *f.room {
		*f.room -= int64(len(p))
		return f.File.Write(p)
	}
	n, err := f.File.Write(p[:*f.room])
	*f.room -= int64(n)
	if err == nil {
		if err = f.cause; err == nil {
			err = syscall.ENOSPC
		}
	}
	return n, err
}

// A full disk refuses records, keeps those it has, and takes new ones by itself
// when there is room again, at whichever byte it was full.
func TestFullDisk(t *testing.T) {
	for first := int64(0); first < 1500; first += 3 {
		room := first
		fs := newMem(t)
		disk := fullDisk{FS: fs, room: &room}
		h := &history{}
		l, err := h.open(disk)
		if err != nil {
			t.Fatal(err)
		}
		rng := rand.New(rand.NewPCG(3, 3))
		refused := 0
		for range 30 {
			h.attempt++
			p := numbered(uint64(len(h.acked)), h.attempt)
			pos, err := l.AppendSync(p)
			switch {
			case err == nil:
				h.acked = append(h.acked, h.attempt)
				h.pos = append(h.pos, pos)
			case errors.Is(err, ErrNoSpace) && errors.Is(err, syscall.ENOSPC) && !errors.Is(err, ErrHalted):
				refused++
				// A crash now, and also with the process merely killed: only
				// what was acknowledged.
				for _, disk := range []*vfs.MemFS{fs.CrashClone(vfs.CrashCloneCfg{}), fs.CrashClone(vfs.CrashCloneCfg{UnsyncedDataPercent: 100, RNG: rng})} {
					after, err := h.clone().open(disk)
					if err != nil {
						t.Fatal(err)
					}
					after.Close()
				}
				if _, err := l.Verify(nil); err != nil {
					t.Fatal(err)
				}
			default:
				t.Fatalf("room for %d bytes: %v", first, err)
			}
			if refused == 4 {
				refused++
				room += 1 << 40
				if files := l.Files(); len(files) > 5 {
					t.Fatalf("refused appends have left files %v", files)
				}
			}
		}
		if refused != 5 {
			t.Fatalf("%d refusals", refused)
		}
		if err := l.Close(); err != nil {
			t.Fatal(err)
		}
		again, err := h.open(fs)
		if err != nil {
			t.Fatalf("room for %d bytes: %v", first, err)
		}
		if len(h.acked) != 26 {
			t.Fatalf("%d records acknowledged", len(h.acked))
		}
		again.Close()
	}
}

// With the disk full, a log whose last record is not known to be synced still
// opens, and takes up that record as soon as there is room.
func TestOpenOnFullDisk(t *testing.T) {
	fs := newMem(t)
	l, _, _ := mustOpen(t, fs, Options{})
	mustAppendSync(t, l, "synced")
	if _, err := l.Append([]byte("perhaps")); err != nil {
		t.Fatal(err)
	}
	// The process dies here. Nothing has synced the second record.
	killed := fs
	room := int64(10)
	l, repair, got := mustOpen(t, fullDisk{FS: killed, room: &room}, Options{})
	if repair != nil || fmt.Sprint(payloads(got)) != "[synced perhaps]" {
		t.Fatalf("%v, %q", repair, payloads(got))
	}
	var again []seen
	if _, err := l.Verify(collect(&again)); err != nil || fmt.Sprint(again) != fmt.Sprint(got) {
		t.Fatalf("Verify: %v, %v", again, err)
	}
	if _, err := l.AppendSync([]byte("no")); !errors.Is(err, ErrNoSpace) {
		t.Fatalf("%v", err)
	}
	crashed := killed.CrashClone(vfs.CrashCloneCfg{})
	if _, _, got := mustOpen(t, crashed, Options{}); fmt.Sprint(payloads(got)) != "[synced perhaps]" {
		t.Fatalf("after a crash: %q", payloads(got))
	}
	room = 1 << 20
	pos := mustAppendSync(t, l, "yes")
	if pos.File != got[1].pos.File || got[1].pos.Compare(pos) >= 0 {
		t.Errorf("records at %s and %s", got[1].pos, pos)
	}
	mustClose(t, l)
	_, _, got = mustOpen(t, killed, Options{})
	if fmt.Sprint(payloads(got)) != "[synced perhaps yes]" {
		t.Fatalf("%q", payloads(got))
	}
}

// A write that fails for another reason than space is final: nothing may be
// written behind what it left.
func TestWriteFails(t *testing.T) {
	fs := newMem(t)
	room := int64(1 << 20)
	l, _, _ := mustOpen(t, fullDisk{fs, &room, syscall.EIO}, Options{})
	mustAppendSync(t, l, "before")
	room = 50
	if _, err := l.AppendSync(make([]byte, 1000)); !errors.Is(err, ErrHalted) || !errors.Is(err, syscall.EIO) {
		t.Fatal(err)
	}
	room = 1 << 20
	if _, err := l.AppendSync([]byte("after")); !errors.Is(err, ErrHalted) || !errors.Is(err, syscall.EIO) {
		t.Fatal(err)
	}
	if err := l.Close(); !errors.Is(err, ErrHalted) {
		t.Fatal(err)
	}
	_, repair, got := mustOpen(t, fs, Options{})
	if fmt.Sprint(payloads(got)) != "[before]" || repair == nil || repair.Dropped != 50 {
		t.Errorf("records %q, repair %v", payloads(got), repair)
	}
}

// Trying again and again on a full disk leaves no trail of files.
func TestFullDiskLeavesNoTrail(t *testing.T) {
	fs := newMem(t)
	room := int64(1 << 20)
	l, _, _ := mustOpen(t, fullDisk{FS: fs, room: &room}, Options{})
	mustAppendSync(t, l, "before")
	for range 20 {
		// Room for a file, not for the record.
		room = headerLen + 100
		if _, err := l.AppendSync(make([]byte, 1000)); !errors.Is(err, ErrNoSpace) {
			t.Fatal(err)
		}
	}
	if files := readFiles(t, fs); len(files) > 2 || len(l.Files()) != len(files) {
		t.Errorf("files %v", sorted(files))
	}
	room = 1 << 20
	mustAppendSync(t, l, "after")
	mustClose(t, l)
	if _, _, got := mustOpen(t, fs, Options{}); fmt.Sprint(payloads(got)) != "[before after]" {
		t.Errorf("records %q", payloads(got))
	}
}

// TestOperations fixes the order of all operations that change files: a sync
// that is lost, or comes behind what it has to precede, shows as a line.
func TestOperations(t *testing.T) {
	var trace strings.Builder
	names := map[errorfs.OpKind]string{
		errorfs.OpMkdirAll: "make directory", errorfs.OpCreate: "create", errorfs.OpRename: "rename",
		errorfs.OpRemove: "remove", errorfs.OpFileWrite: "write", errorfs.OpFileSync: "sync", errorfs.OpFileSyncData: "sync data of",
	}
	fs := errorfs.Wrap(newMem(t), errorfs.InjectorFunc(func(op errorfs.Op) error {
		if name := names[op.Kind]; name != "" {
			// A file keeps in here the name it was created with.
			fmt.Fprintf(&trace, "  %s %s\n", name, op.Path)
		} else if op.Kind.ReadOrWrite() == errorfs.OpIsWrite {
			t.Errorf("operation %d on %s", op.Kind, op.Path)
		}
		return nil
	}))
	step := func(what string) { fmt.Fprintf(&trace, "%s\n", what) }
	step("open a new log")
	l, _, _ := mustOpen(t, fs, Options{FileSize: 330})
	step("append and sync, the first record")
	pos := mustAppendSync(t, l, strings.Repeat("a", 50))
	step("append and sync")
	mustAppendSync(t, l, "b")
	step("sync, with nothing to do")
	if err := l.Sync(); err != nil {
		t.Fatal(err)
	}
	step("append and sync, into the next file")
	mustAppendSync(t, l, strings.Repeat("c", 150))
	step("append and sync, into the next file")
	end := mustAppendSync(t, l, strings.Repeat("d", 150))
	step("append without syncing")
	if _, err := l.Append([]byte("e")); err != nil {
		t.Fatal(err)
	}
	step("append, into the next file, which syncs the one before")
	if _, err := l.Append([]byte(strings.Repeat("f", 150))); err != nil {
		t.Fatal(err)
	}
	step("drop nothing")
	if err := l.Drop(pos); err != nil {
		t.Fatal(err)
	}
	step("drop two files")
	if err := l.Drop(end); err != nil {
		t.Fatal(err)
	}
	step("open the log of a process that died")
	l, _, _ = mustOpen(t, fs, Options{})
	step("close without having appended")
	mustClose(t, l)
	step("open a log whose records are all known to be synced")
	l, _, _ = mustOpen(t, fs, Options{})
	step("append and sync")
	mustAppendSync(t, l, "g")
	step("close")
	mustClose(t, l)
	compareGolden(t, "testdata/operations.txt", trace.String())
}
