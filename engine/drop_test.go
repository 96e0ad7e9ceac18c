package engine

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/cockroachdb/pebble/v2/vfs/errorfs"

	"github.com/cairndb/cairn/engine/catalog"
	"github.com/cairndb/cairn/engine/enginetest/crashmem"
	"github.com/cairndb/cairn/engine/event"
	"github.com/cairndb/cairn/engine/lsm"
	"github.com/cairndb/cairn/engine/proof"
	"github.com/cairndb/cairn/engine/retention"
)

// crash returns what a power cut would leave now.
func crash(fs *crashmem.FS, rng *rand.Rand) *crashmem.FS {
	return fs.CrashClone(vfs.CrashCloneCfg{UnsyncedDataPercent: rng.IntN(101), RNG: rng})
}

// crashAt returns what a power cut leaves before each operation of f that changes files.
func crashAt(t *testing.T, fs *crashmem.FS, active *crashing, f func()) []*crashmem.FS {
	t.Helper()
	rng := rand.New(rand.NewPCG(7, 7))
	var clones []*crashmem.FS
	active.set(func() { clones = append(clones, crash(fs, rng)) })
	f()
	active.set(nil)
	return clones
}

// crashing calls a function before each operation that changes files.
type crashing struct {
	sync.Mutex
	fn func()
}

func (c *crashing) set(fn func()) { c.Lock(); defer c.Unlock(); c.fn = fn }

func (c *crashing) String() string { return "crashing" }

// MaybeError implements errorfs.Injector.
func (c *crashing) MaybeError(op errorfs.Op) error {
	if op.Kind.ReadOrWrite() == errorfs.OpIsRead {
		return nil
	}
	c.Lock()
	defer c.Unlock()
	if c.fn != nil {
		c.fn()
	}
	return nil
}

// TestCrashWhileDropping cuts the power at every step of dropping segments and of removing
// a store. Whatever is left opens, shows the same events, and ends where it would have.
func TestCrashWhileDropping(t *testing.T) {
	mem := crashmem.New()
	active := &crashing{}
	r := newRetentionOn(t, errorfs.Wrap(mem, active), Options{SegmentRows: 16, MemtableRows: 16, MemtableAge: -1, NoMerge: true})
	defer func() {
		if err := r.lake.Close(); err != nil {
			t.Error(err)
		}
	}()
	keep, err := r.lake.MakeStore(r.admin, NewStore{Name: "events", Days: 30})
	if err != nil {
		t.Fatal(err)
	}
	gone, err := r.lake.MakeStore(r.admin, NewStore{Name: "gone", Days: 30})
	if err != nil {
		t.Fatal(err)
	}
	var batch [][]byte
	for i := range 300 {
		batch = append(batch, at(i, retentionStart.Add(time.Duration(i-150)*4*time.Hour)))
	}
	appendTest(t, keep, batch)
	appendTest(t, gone, batch[:40])
	if err := r.lake.DeleteStore(r.admin, "gone", true); err != nil {
		t.Fatal(err)
	}
	r.pass(29 * 24 * time.Hour)
	// A crash takes back what run time has shown since it was last saved; here, nothing.
	if err := r.lake.saveClock(); err != nil {
		t.Fatal(err)
	}
	want := r.number("SELECT count(*) FROM events")
	clones := crashAt(t, mem, active, func() { r.retain() })
	t.Logf("%d places to crash at", len(clones))
	dropped := keep.Retention().Dropped
	if dropped.Events == 0 {
		t.Fatal("nothing was dropped")
	}
	for i, fs := range clones {
		o := r.opts
		o.FS = fs
		l, err := Open("lake", &o)
		if err != nil {
			t.Fatalf("crash %d: %v", i, err)
		}
		c := &testRetention{t: t, lake: l, fs: fs}
		if got := c.number("SELECT count(*) FROM events"); got != want {
			t.Fatalf("crash %d: %d events, want %d", i, got, want)
		}
		c.sound()
		if _, err := l.Retain(context.Background()); err != nil {
			t.Fatalf("crash %d: %v", i, err)
		}
		s, err := l.Store("events")
		if err != nil {
			t.Fatal(err)
		}
		if got := s.Retention().Dropped; got.Events != dropped.Events || got.Bytes != dropped.Bytes {
			t.Fatalf("crash %d: dropped %+v, want %+v", i, got, dropped)
		}
		if _, err := l.Store("gone"); !errors.Is(err, ErrNotFound) {
			t.Fatalf("crash %d: the deleted store is there: %v", i, err)
		}
		c.sound()
		if err := l.Close(); err != nil {
			t.Fatal(err)
		}
	}
}

const day = 24 * time.Hour

// dropping is a lake with a store of thirty days in which a segment has eight events of
// one day, the oldest expiring in a day.
func dropping(t *testing.T, o Options, events int) (*testRetention, *crashmem.FS, *Store, [][]byte) {
	t.Helper()
	mem := crashmem.New()
	o.MemtableAge = -1
	r := newRetentionOn(t, mem, o)
	t.Cleanup(func() { r.lake.Close() })
	s, err := r.lake.MakeStore(r.admin, NewStore{Name: "events", Days: 30})
	if err != nil {
		t.Fatal(err)
	}
	var batch [][]byte
	for i := range events {
		when := retentionStart.Add(-29*day + time.Duration(i/8)*day).Add(time.Duration(i%8) * time.Minute)
		if when.After(retentionStart) {
			when = retentionStart
		}
		batch = append(batch, at(i, when))
	}
	appendTest(t, s, batch)
	return r, mem, s, batch
}

// late fails if segments or memtables of a store are there that have expired.
func late(t *testing.T, s *Store) {
	t.Helper()
	h := s.tooOld()
	sn := s.snapshot()
	defer sn.release()
	for _, seg := range sn.segments {
		if h.Of(seg.cat.MinTime, seg.cat.MaxTime) == retention.All {
			t.Errorf("segment %d with events %d to %d is late", seg.cat.Number, seg.cat.First, seg.cat.End()-1)
		}
	}
	for _, v := range sn.views {
		if lo, hi := v.Times(); h.Of(lo, hi) == retention.All {
			t.Errorf("events %d to %d are late", v.First(), v.First()+uint64(len(v.Rows()))-1)
		}
	}
}

// TestPassWaitsForSealing: a memtable that is being sealed while a pass looks is a
// segment soon, and the pass must not miss it.
func TestPassWaitsForSealing(t *testing.T) {
	r, _, s, _ := dropping(t, Options{SegmentRows: 8, MemtableRows: 8, NoMerge: true}, 20)
	waitSealed(t, s, 8)
	r.pass(5 * day)
	// The sealer cannot finish: what it makes is not entered into the catalogue.
	r.lake.cat.Lock()
	if err := r.lake.freeze(context.Background(), []*Store{s}); err != nil {
		t.Fatal(err)
	}
	done := make(chan error)
	go func() {
		_, err := r.lake.Retain(context.Background())
		done <- err
	}()
	select {
	case err := <-done:
		t.Errorf("the pass is over before the sealing: %v", err)
	case <-time.After(50 * time.Millisecond):
	}
	r.lake.cat.Unlock()
	if err := <-done; err != nil {
		t.Fatal(err)
	}
	late(t, s)
	if got := s.Retention().Dropped.Events; got != 20 {
		t.Errorf("%d events were dropped, want 20", got)
	}
}

// mergingFirst merges what is to be dropped when it is to be dropped, as a merge that
// had begun before the pass would.
type mergingFirst struct {
	dropper
	merges int
}

func (m *mergingFirst) Drop(ctx context.Context, store uint32, run []retention.Segment, now int64) error {
	if m.merges == 0 && len(run) > 1 {
		m.merges++
		s := m.numbered(store)
		s.mu.RLock()
		segs := append([]*sealed(nil), s.mu.segments[:2]...)
		s.mu.RUnlock()
		if err := m.merge(newShredder(nil), s, segs); err != nil {
			return err
		}
	}
	return m.dropper.Drop(ctx, store, run, now)
}

// TestPassAfterMerging: segments that are merged between a pass's look and its drop go
// all the same, and the report counts what has gone and nothing else.
func TestPassAfterMerging(t *testing.T) {
	r, _, s, _ := dropping(t, Options{SegmentRows: 64, MemtableRows: 8, NoMerge: true}, 32)
	waitSealed(t, s, 8)
	r.pass(3*day + 12*time.Hour) // the first three have expired
	l := r.lake
	l.retain.Lock()
	m := &mergingFirst{dropper: dropper{l}}
	report, err := retention.Pass(context.Background(), m, l.retain.clock)
	l.retain.Unlock()
	if err != nil || m.merges != 1 {
		t.Fatalf("%v, %d merges", err, m.merges)
	}
	late(t, s)
	if dropped := s.Retention().Dropped; dropped.Events != 24 || dropped.Segments != 2 || report.Events != 24 || report.Segments != 2 || report.Bytes != dropped.Bytes {
		t.Errorf("dropped %+v, the report says %+v", dropped, report)
	}
	r.sound()
}

// TestExpiredAreNotMerged: what is about to leave is not written once more.
func TestExpiredAreNotMerged(t *testing.T) {
	r, _, s, _ := dropping(t, Options{SegmentRows: 64, MemtableRows: 8, NoMerge: true}, 64)
	waitSealed(t, s, 8)
	if run := r.lake.mergeCandidates(s); run != nil {
		for _, seg := range run {
			seg.release()
		}
	} else {
		t.Fatal("nothing is merged before")
	}
	r.pass(40 * day)
	if run := r.lake.mergeCandidates(s); run != nil {
		t.Errorf("%d segments with events that have all expired are merged", len(run))
	}
}

// waitUntil waits for something that happens in the background.
func waitUntil(t *testing.T, what string, ok func() bool) {
	t.Helper()
	for deadline := time.Now().Add(time.Minute); !ok(); <-sleep() {
		if time.Now().After(deadline) {
			t.Fatalf("waited a minute in vain: %s", what)
		}
	}
}

// TestLogForgets: the log that events came through goes with them, though it is far from
// full and the lake stays open.
func TestLogForgets(t *testing.T) {
	r, _, s, batch := dropping(t, Options{SegmentRows: 8, MemtableRows: 8, NoMerge: true}, 16)
	waitSealed(t, s, 8)
	logged := func(rec []byte) bool {
		files := map[string][]byte{}
		readTree(t, r.fs, "lake/wal", files)
		for _, b := range files {
			if bytes.Contains(b, rec) {
				return true
			}
		}
		return false
	}
	if !logged(batch[0]) {
		t.Fatal("the test looks for events in the wrong place")
	}
	fresh := at(100, retentionStart)
	appendTest(t, s, [][]byte{fresh}) // unsealed, in the same file
	r.pass(2*day + 12*time.Hour)
	if n, _ := r.retain(); n != 2 {
		t.Fatalf("%d segments went", n)
	}
	if !logged(fresh) {
		t.Error("an event that is only in the log is gone from it")
	}
	if err := r.lake.freezeStores(context.Background(), r.lake.Stores()); err != nil {
		t.Fatal(err)
	}
	waitUntil(t, "the log of dropped events goes", func() bool { return !logged(batch[0]) })
	// And with nothing unsealed, at once.
	appendTest(t, s, [][]byte{at(101, retentionStart)})
	if err := r.lake.freezeStores(context.Background(), r.lake.Stores()); err != nil {
		t.Fatal(err)
	}
	r.pass(40 * day)
	if err := r.lake.freezeStores(context.Background(), r.lake.Stores()); err != nil {
		t.Fatal(err)
	}
	if n, _ := r.retain(); n == 0 {
		t.Fatal("nothing went")
	}
	if err := r.lake.freezeStores(context.Background(), r.lake.Stores()); err != nil {
		t.Fatal(err)
	}
	waitUntil(t, "the log of the last event goes", func() bool { return !logged(at(101, retentionStart)) && !logged(fresh) })
	r.reopen()
	r.sound()
}

// TestDroppedKeepProofs: every event that stays can be proved, every earlier tree head
// that was signed is shown to begin the present one, and full verification holds, after
// events have left from the beginning and from between.
func TestDroppedKeepProofs(t *testing.T) {
	ctx := context.Background()
	r := newRetention(t, Options{SegmentRows: 100, MemtableRows: 100, MemtableAge: -1, NoMerge: true})
	s, err := r.lake.MakeStore(r.admin, NewStore{Name: "events", Days: 30})
	if err != nil {
		t.Fatal(err)
	}
	var want [][]byte
	for i := range 1500 {
		// Three stretches: the first and the third expire, the second is held for longer.
		when := retentionStart.Add(-20 * day)
		if i/500 == 1 {
			when = retentionStart
		}
		want = append(want, at(i, when.Add(time.Duration(i)*time.Second)))
	}
	var signed []uint64
	roots := map[uint64]proof.Hash{}
	for i := 0; i < len(want); i += 330 {
		appendTest(t, s, want[i:min(i+330, len(want))])
		d, err := s.Digest(ctx)
		if err != nil {
			t.Fatal(err)
		}
		signed = append(signed, d.Digest.After.Size)
		roots[d.Digest.After.Size] = plainRoot(want[:d.Digest.After.Size])
	}
	waitSealed(t, s, 100)
	r.pass(15 * day)
	if n, _ := r.retain(); n != 10 {
		t.Fatalf("%d segments went", n)
	}
	appendTest(t, s, [][]byte{at(5000, retentionStart.Add(15*day))})
	want = append(want, at(5000, retentionStart.Add(15*day)))
	roots[uint64(len(want))] = plainRoot(want)
	prove := func() {
		t.Helper()
		size := uint64(len(want))
		for seq := range want {
			rec, err := s.Prove(ctx, uint64(seq))
			if seq < 500 || seq >= 1000 && seq < 1500 {
				if !errors.Is(err, ErrNotFound) {
					t.Fatalf("event %d, which has left, is proved: %v", seq, err)
				}
				continue
			}
			if err == nil {
				_, err = rec.Check(want[seq], s.Verifiers())
			}
			if err != nil {
				t.Fatalf("proving event %d: %v", seq, err)
			}
		}
		for i, older := range signed {
			for _, newer := range append(append([]uint64(nil), signed[i:]...), size) {
				path, from, to, err := s.ProveConsistency(ctx, older, newer)
				if err == nil {
					err = proof.CheckConsistency(path, from, to)
				}
				if err != nil || from.Root != roots[older] || to.Root != roots[newer] {
					t.Fatalf("from %d to %d: %v", older, newer, err)
				}
			}
		}
		// A head inside of what has left that nobody has signed needs events that are gone.
		if _, _, _, err := s.ProveConsistency(ctx, 77, size); !errors.Is(err, ErrNotFound) {
			t.Errorf("from a head inside of what has left: %v", err)
		}
		r.sound()
	}
	prove()
	r.reopen()
	if s, err = r.lake.Store("events"); err != nil {
		t.Fatal(err)
	}
	prove()
}

// floorAfterCrash is the floor of time of what a power cut leaves.
func floorAfterCrash(t *testing.T, r *testRetention, mem *crashmem.FS) RetentionTime {
	t.Helper()
	o := r.opts
	o.FS = mem.CrashClone(vfs.CrashCloneCfg{})
	l, err := Open("lake", &o)
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.RetentionTime()
}

// TestDecisionsKeepTheirTime: the time that decided about something is on disk with it,
// so that no crash takes the floor to before a decision; and without decisions it is saved
// now and then.
func TestDecisionsKeepTheirTime(t *testing.T) {
	r, mem, s, _ := dropping(t, Options{SegmentRows: 8, MemtableRows: 8, NoMerge: true}, 16)
	waitSealed(t, s, 8)
	minute := time.Minute
	kept := func(what string) {
		t.Helper()
		now := r.lake.RetentionTime()
		if got := floorAfterCrash(t, r, mem); got.Floor != now.Floor || got.Strict != now.Strict {
			t.Errorf("%s at %v, %v: after a crash it is %v, %v", what, now.Floor, now.Strict, got.Floor, got.Strict)
		}
	}
	r.pass(minute)
	if got, now := floorAfterCrash(t, r, mem), r.lake.RetentionTime(); got.Floor == now.Floor {
		t.Error("time is saved by itself: this test shows nothing")
	}
	days := uint32(31)
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	must(r.lake.UpdateStore(r.admin, "events", StoreUpdate{Days: &days}))
	kept("an update")
	r.pass(minute)
	hold, err := r.lake.AddHold(r.admin, Hold{Store: "events", Reason: "x", To: retentionStart.Add(-100 * day)})
	must(err)
	kept("a hold")
	r.pass(minute)
	must(r.lake.ReleaseHold(r.admin, hold.ID, ""))
	kept("a release")
	r.pass(minute)
	_, err = r.lake.MakeStore(r.admin, NewStore{Name: "other", Days: 30})
	must(err)
	kept("a new store")
	r.pass(minute)
	must(r.lake.DeleteStore(r.admin, "other", false))
	kept("a deletion")
	r.pass(2*day - 3*time.Minute) // to just before the first segment expires
	r.retain()
	kept("two days without a decision")
	r.pass(9 * minute)
	if n, _ := r.retain(); n != 1 {
		t.Fatalf("%d segments went", n)
	}
	kept("a drop")
	r.pass(5*day - 20*minute)
	r.retain()
	for range 40 {
		r.pass(minute)
		if report, err := r.lake.Retain(context.Background()); err != nil {
			t.Fatal(err)
		} else if report.Stores == 1 {
			kept("a removal")
			break
		}
	}
	if _, err := r.lake.Store("other"); !errors.Is(err, ErrNotFound) {
		t.Errorf("the deleted store is there: %v", err)
	}
	r.wall.Add(day.Microseconds())
	must(r.lake.ConfirmTime(r.admin))
	kept("a confirmed time")
	r.pass(minute)
	before := r.lake.RetentionTime()
	r.reopen()
	if now := r.lake.RetentionTime(); now.Floor != before.Floor || now.Strict != before.Strict {
		t.Errorf("opened again at %+v, closed at %+v", now, before)
	}
}

// TestDropRefuses: the lake asserts by itself what a deletion rests on.
func TestDropRefuses(t *testing.T) {
	r, _, s, _ := dropping(t, Options{SegmentRows: 8, MemtableRows: 8, NoMerge: true}, 32)
	waitSealed(t, s, 8)
	ctx := context.Background()
	d := dropper{r.lake}
	r.lake.retain.Lock()
	defer r.lake.retain.Unlock()
	var segs []retention.Segment
	for _, st := range d.Stores() {
		if st.Number == s.rec.Number {
			segs = st.Segments
		}
	}
	if len(segs) != 4 {
		t.Fatalf("segments %+v", segs)
	}
	now := retentionStart.Add(40 * day).UnixMicro()
	early := retentionStart.Add(2*day + time.Hour).UnixMicro() // two have expired
	if err := d.Drop(ctx, s.rec.Number, segs[1:3], early); !errors.Is(err, ErrRefused) {
		t.Errorf("dropping what has not expired: %v", err)
	}
	if err := d.Drop(ctx, 99, segs, now); !errors.Is(err, ErrNotFound) {
		t.Errorf("dropping from no store: %v", err)
	}
	for what, change := range map[string]func(seg *retention.Segment){
		"another number": func(seg *retention.Segment) { seg.Number++ },
		"another end":    func(seg *retention.Segment) { seg.End-- },
		"other times":    func(seg *retention.Segment) { seg.MinTime-- },
	} {
		run := append([]retention.Segment(nil), segs[:2]...)
		change(&run[1])
		if err := d.Drop(ctx, s.rec.Number, run, now); !errors.Is(err, retention.ErrChanged) {
			t.Errorf("dropping a segment with %s: %v", what, err)
		}
	}
	if err := d.Remove(ctx, s.rec.Number, now); !errors.Is(err, ErrRefused) {
		t.Errorf("removing a store that nobody has deleted: %v", err)
	}
	if got := s.Retention().Dropped; got != (DroppedStats{}) {
		t.Errorf("dropped: %+v", got)
	}
	if err := d.Drop(ctx, s.rec.Number, segs[:2], early); err != nil {
		t.Error(err)
	}
}

// TestNothingGoesUnrecorded: what the audit store cannot tell of is neither dropped nor removed.
func TestNothingGoesUnrecorded(t *testing.T) {
	r := newRetention(t, Options{SegmentRows: 16, MemtableRows: 4, MemtableAge: -1})
	// A store of an older lake is in the place of the audit store.
	r.lake.cat.Lock()
	_, err := r.lake.makeStore(AuditStore, event.CloudTrail, nil, nil)
	r.lake.cat.Unlock()
	if err != nil {
		t.Fatal(err)
	}
	s, err := r.lake.CreateStore(r.admin, "events")
	if err != nil {
		t.Fatal(err)
	}
	var batch [][]byte
	for i := range 20 {
		batch = append(batch, at(i, retentionStart.AddDate(0, 0, -20)))
	}
	if _, err := s.Append(r.admin, batch); err != nil {
		t.Fatal(err)
	}
	for _, p := range []retention.Policy{{Days: 7}, {Days: 7, State: StorePending, Gone: 1}} {
		s.mu.Lock()
		s.mu.policy, s.mu.undecided = p, false
		s.mu.Unlock()
		if report, err := r.lake.Retain(context.Background()); !errors.Is(err, ErrConflict) || report != (retention.Report{}) {
			t.Errorf("%+v: a pass that cannot be recorded: %+v, %v", p, report, err)
		}
		if got := s.Retention().Dropped; got != (DroppedStats{}) {
			t.Errorf("%+v: dropped unrecorded: %+v", p, got)
		}
		if _, err := r.lake.Store("events"); err != nil {
			t.Errorf("%+v: removed unrecorded: %v", p, err)
		}
	}
	s.mu.Lock()
	s.mu.policy = retention.Policy{}
	s.mu.Unlock()
	if got := r.number("SELECT count(*) FROM events"); got != 20 {
		t.Errorf("%d of 20 events are left", got)
	}
}

// TestDropIsUnderADigest: a digest covers events before they leave, the audit store has
// told of them before, and a query that has begun reads on.
func TestDropIsUnderADigest(t *testing.T) {
	r, _, s, _ := dropping(t, Options{SegmentRows: 8, MemtableRows: 8, NoMerge: true}, 32)
	waitSealed(t, s, 8)
	ctx := context.Background()
	sn := s.snapshot()
	defer sn.release()
	r.pass(2*day + 12*time.Hour)
	if s.lastDigest() != nil {
		t.Fatal("there is a digest before")
	}
	if n, _ := r.retain(); n != 2 {
		t.Fatalf("%d segments went", n)
	}
	if d := s.lastDigest(); d == nil || d.Digest.After.Size < 16 {
		t.Errorf("the digest over what has left: %+v", d)
	}
	for seq := range uint64(16) {
		if rec, err := sn.record(ctx, seq); err != nil || !bytes.Contains(rec, fmt.Appendf(nil, "k/%d\"", seq)) {
			t.Errorf("event %d by a snapshot from before: %s, %v", seq, rec, err)
		}
	}
	for _, want := range []string{
		"eventData.requestParameters['firstSequenceNumber'] = '0'", "eventData.requestParameters['lastSequenceNumber'] = '15'",
		"eventData.requestParameters['segments'] = '2'", "eventData.requestParameters['retentionPeriod'] = '30'", "eventData.userIdentity.principalId = 'cairn'",
	} {
		if n := r.number("SELECT count(*) FROM cairn_audit WHERE eventData.eventName = 'ExpireEvents' AND " + want); n != 1 {
			t.Errorf("%d records of the drop with %s", n, want)
		}
	}
	_, err := s.Record(ctx, 3)
	if !errors.Is(err, ErrNotFound) || !strings.Contains(err.Error(), "events 0 to 15 had expired and were dropped") {
		t.Errorf("asking for an event that has left: %v", err)
	}
}

// TestWithDropped: a range that left is joined with its neighbours, and nothing of what they tell is lost.
func TestWithDropped(t *testing.T) {
	of := func(first, end uint64, lo, hi, at int64) catalog.Dropped {
		return catalog.Dropped{Store: 1, First: first, End: end, MinTime: lo, MaxTime: hi, At: at, Segments: 1, RawBytes: end - first, StoredBytes: 2 * (end - first)}
	}
	far, left, right := of(40, 50, 1, 2, 3), of(0, 10, 5, 9, 100), of(20, 30, 2, 8, 90)
	list, replaced, whole := withDropped([]catalog.Dropped{left, right, far}, of(10, 20, 4, 12, 80))
	want := catalog.Dropped{Store: 1, First: 0, End: 30, MinTime: 2, MaxTime: 12, At: 100, Segments: 3, RawBytes: 30, StoredBytes: 60}
	if whole != want {
		t.Errorf("joined: %+v, want %+v", whole, want)
	}
	if !slices.Equal(replaced, []catalog.Dropped{left, right}) {
		t.Errorf("replaced: %+v", replaced)
	}
	if !slices.Equal(list, []catalog.Dropped{want, far}) {
		t.Errorf("the list: %+v", list)
	}
	if list, replaced, whole = withDropped([]catalog.Dropped{far}, left); whole != left || len(replaced) != 0 || !slices.Equal(list, []catalog.Dropped{left, far}) {
		t.Errorf("apart: %+v, %+v, %+v", list, replaced, whole)
	}
}

// TestDropBehindAnOldDigest: a digest that covers only a part of what is to leave is not enough, and
// what has left is noted with its times and sizes.
func TestDropBehindAnOldDigest(t *testing.T) {
	r := newRetention(t, Options{SegmentRows: 8, MemtableRows: 8, MemtableAge: -1, NoMerge: true})
	s, err := r.lake.MakeStore(r.admin, NewStore{Name: "events", Days: 30})
	if err != nil {
		t.Fatal(err)
	}
	first := retentionStart.Add(-29 * day)
	var raw uint64
	for i := range 24 {
		rec := at(i, first.Add(time.Duration(i)*time.Minute))
		if i < 16 {
			raw += uint64(len(rec))
		} else {
			rec = at(i, retentionStart)
		}
		appendTest(t, s, [][]byte{rec})
		if i == 7 {
			if _, err := s.Digest(r.admin); err != nil {
				t.Fatal(err)
			}
		}
	}
	waitSealed(t, s, 8)
	r.pass(2 * day)
	if n, _ := r.retain(); n != 2 {
		t.Fatalf("%d segments went", n)
	}
	if d := s.lastDigest(); d.Digest.After.Size < 16 {
		t.Errorf("the newest digest covers %d events, 16 have left", d.Digest.After.Size)
	}
	s.mu.RLock()
	defer s.mu.RUnlock()
	if len(s.mu.dropped) != 1 {
		t.Fatalf("dropped: %+v", s.mu.dropped)
	}
	d := s.mu.dropped[0]
	if d.MinTime != first.UnixMicro() || d.MaxTime != first.Add(15*time.Minute).UnixMicro() || d.First != 0 || d.End != 16 || d.Segments != 2 || d.RawBytes != raw || d.StoredBytes == 0 {
		t.Errorf("dropped: %+v, the records had %d bytes", d, raw)
	}
}

// TestRemoveLeavesNothing: a store that is removed leaves nothing but the note that it was there.
func TestRemoveLeavesNothing(t *testing.T) {
	r := newRetention(t, Options{SegmentRows: 8, MemtableRows: 8, MemtableAge: -1, NoMerge: true})
	s, err := r.lake.MakeStore(r.admin, NewStore{Name: "events", Days: 30})
	if err != nil {
		t.Fatal(err)
	}
	for i := range 24 {
		appendTest(t, s, [][]byte{at(i, retentionStart.Add(-29*day).Add(time.Duration(i/16)*20*day))})
	}
	waitSealed(t, s, 8)
	r.pass(2 * day)
	if n, _ := r.retain(); n != 2 {
		t.Fatalf("%d segments went", n)
	}
	number, before := s.rec.Number, s.Retention().Dropped.Bytes
	if err := r.lake.DeleteStore(r.admin, "events", true); err != nil {
		t.Fatal(err)
	}
	r.pass(8 * day)
	r.retain()
	if _, err := r.lake.Store("events"); !errors.Is(err, ErrNotFound) {
		t.Fatalf("the store is there: %v", err)
	}
	for space, prefix := range map[lsm.Space][]byte{lsm.Trees: treeKey(number, 0)[:4], lsm.Digests: digestKey(number, 0)[:5]} {
		n := 0
		if err := r.lake.db.In(space).Scan(prefix, func(_, _ []byte) error { n++; return nil }); err != nil || n > 0 {
			t.Errorf("space %v has %d records of it, %v", space, n, err)
		}
	}
	r.lake.digests.shown.Lock()
	if r.lake.digests.shown.last[number] != nil {
		t.Error("its last digest is shown")
	}
	r.lake.digests.shown.Unlock()
	if _, err := r.lake.Store(s.ID()); !errors.Is(err, ErrNotFound) {
		t.Errorf("it is found by its ID: %v", err)
	}
	gone := r.lake.cat.goneBytes
	r.reopen()
	if got := r.lake.cat.goneBytes; got != gone || gone <= before {
		t.Errorf("%d bytes are gone, %d of them had expired before; after opening again %d", gone, before, got)
	}
	r.sound()
}
