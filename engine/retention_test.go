package engine

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"

	"github.com/cairndb/cairn/engine/event"
)

// testRetention is a lake whose times a test sets.
type testRetention struct {
	t     *testing.T
	fs    vfs.FS
	wall  atomic.Int64 // microseconds
	run   atomic.Int64
	opts  Options
	lake  *Lake
	admin context.Context
}

var retentionStart = time.Date(2026, 3, 1, 0, 0, 0, 0, time.UTC)

func newRetention(t *testing.T, o Options) *testRetention {
	r := newRetentionOn(t, vfs.NewMem(), o)
	t.Cleanup(func() {
		if err := r.lake.Close(); err != nil {
			t.Error(err)
		}
	})
	return r
}

// newRetentionOn opens a lake that the caller closes.
func newRetentionOn(t *testing.T, fs vfs.FS, o Options) *testRetention {
	r := &testRetention{t: t, fs: fs, opts: o}
	r.wall.Store(retentionStart.UnixMicro())
	r.opts.FS = r.fs
	r.opts.Clock = func() time.Time { return time.UnixMicro(r.wall.Load()).UTC() }
	r.opts.RunTime = func() time.Duration { return time.Duration(r.run.Load()) * time.Microsecond }
	r.opts.RetainInterval = -1
	r.opts.DigestInterval = -1
	r.admin = WithActor(context.Background(), Actor{Kind: "OSUser", Name: "alice", Address: "192.0.2.7", Agent: "test",
		Permissions: []string{PermissionManage, PermissionBypassGovernance, PermissionReleaseHold}})
	r.open()
	return r
}

func (r *testRetention) open() {
	r.t.Helper()
	var err error
	if r.lake, err = Open("lake", &r.opts); err != nil {
		r.t.Fatal(err)
	}
}

func (r *testRetention) reopen() {
	r.t.Helper()
	if err := r.lake.Close(); err != nil {
		r.t.Fatal(err)
	}
	r.open()
}

// pass lets true time pass while the lake is open.
func (r *testRetention) pass(d time.Duration) {
	r.wall.Add(d.Microseconds())
	r.run.Add(d.Microseconds())
}

func (r *testRetention) retain() (segments int, bytes uint64) {
	r.t.Helper()
	report, err := r.lake.Retain(context.Background())
	if err != nil {
		r.t.Fatal(err)
	}
	return report.Segments, report.Bytes
}

// at is the record of an event at a time.
func at(i int, when time.Time) []byte {
	return fmt.Appendf(nil, `{"eventVersion":"1.08","eventTime":"%s","eventSource":"s3.amazonaws.com","eventName":"%s","awsRegion":"eu-west-1","requestParameters":{"key":"k/%d"},"eventID":"%08x-0000-4000-8000-%012x","readOnly":true}`,
		when.UTC().Format("2006-01-02T15:04:05.000Z"), [...]string{"GetObject", "PutObject"}[i%2], i, i, i)
}

func (r *testRetention) number(query string) int64 {
	r.t.Helper()
	rows, err := r.lake.Query(context.Background(), query)
	if err != nil {
		r.t.Fatalf("%s: %v", query, err)
	}
	defer rows.Close()
	b, err := rows.Next()
	if err != nil {
		r.t.Fatalf("%s: %v", query, err)
	}
	leaf, j := b.Cols[0].Leaf(0)
	return leaf.I64[j]
}

// sound demands that check and verify find nothing wrong.
func (r *testRetention) sound() {
	r.t.Helper()
	ctx := context.Background()
	c, err := r.lake.Check(ctx, CheckOptions{})
	if err != nil || len(c.Problems) > 0 {
		r.t.Fatalf("check: %v, %v", err, c)
	}
	for _, full := range []bool{false, true} {
		v, err := r.lake.Verify(ctx, VerifyOptions{Full: full})
		if err != nil || len(v.Problems) > 0 {
			r.t.Fatalf("verify (full %v): %v, %+v", full, err, v)
		}
	}
}

// agree demands that every way to see the events of a store agrees on which there are.
func (r *testRetention) agree(s *Store, want map[uint64]bool) {
	r.t.Helper()
	ctx := context.Background()
	n := int64(len(want))
	for _, q := range []string{
		"SELECT count(*) FROM %s", "SELECT count(eventID) FROM %s", "SELECT count(distinct eventID) FROM %s",
		"SELECT sum(n) FROM (SELECT eventName, count(*) AS n FROM %s GROUP BY 1) t",
		"SELECT sum(n) FROM (SELECT readOnly, count(*) AS n FROM %s GROUP BY 1) t",
		"SELECT count(*) FROM (SELECT eventTime FROM %s ORDER BY eventTime DESC LIMIT 1000000) t",
		"SELECT count(*) FROM %s WHERE eventJson LIKE '%%k/%%'",
		"SELECT count(*) FROM %s WHERE eventSource = 's3.amazonaws.com'",
	} {
		q = fmt.Sprintf(q, s.Name())
		if n == 0 && strings.Contains(q, "sum") {
			continue
		}
		if got := r.number(q); got != n {
			r.t.Fatalf("%s: %d, want %d", q, got, n)
		}
	}
	for seq := range s.Events() {
		rec, err := s.Record(ctx, seq)
		if want[seq] && err != nil || !want[seq] && !errors.Is(err, ErrNotFound) {
			r.t.Fatalf("record %d: %v, want it to be there: %v", seq, err, want[seq])
		}
		if want[seq] {
			var ev event.Event
			if err := event.Parse(rec, &ev); err != nil {
				r.t.Fatal(err)
			}
			found, err := s.Lookup(ctx, LookupRequest{Attributes: map[string]string{"EventId": string(ev.ID)}})
			if err != nil || len(found.Events) != 1 {
				r.t.Fatalf("lookup of event %d: %v, %v", seq, found, err)
			}
		}
	}
	if found, err := s.Lookup(ctx, LookupRequest{Limit: LookupLimitMax}); err != nil || int64(len(found.Events)) != n {
		r.t.Fatalf("lookup finds %d events, %v, want %d", len(found.Events), err, n)
	}
	stats, err := r.lake.Stats(ctx)
	if err != nil {
		r.t.Fatal(err)
	}
	for _, st := range stats.Stores {
		if st.Name == s.Name() && st.Events != n {
			r.t.Fatalf("stats: %d events, want %d", st.Events, n)
		}
	}
}

// TestExpiry lets a store of thirty days lose its events day by day, in segments and in
// the memtable, with and without reopening.
func TestExpiry(t *testing.T) {
	r := newRetention(t, Options{SegmentRows: 64, MemtableRows: 16, MemtableAge: -1, NoMerge: true})
	ctx := r.admin
	s, err := r.lake.MakeStore(ctx, NewStore{Name: "events", Days: 30})
	if err != nil {
		t.Fatal(err)
	}
	day := 24 * time.Hour
	var times []time.Time
	var batch [][]byte
	for i := range 200 { // five a day over forty days, the last ten days of them in the past
		when := retentionStart.Add(-29*day + time.Duration(i)*day/5)
		if when.After(retentionStart) {
			break
		}
		times = append(times, when)
		batch = append(batch, at(i, when))
	}
	appendTest(t, s, batch)
	want := func(cut time.Time) map[uint64]bool {
		m := map[uint64]bool{}
		for i, when := range times {
			if !when.Before(cut) {
				m[uint64(i)] = true
			}
		}
		return m
	}
	r.agree(s, want(retentionStart.Add(-30*day)))
	var freed int
	for d := 1; d <= 31; d++ {
		r.pass(day)
		now := retentionStart.Add(time.Duration(d) * day)
		r.agree(s, want(now.Add(-30*day)))
		n, _ := r.retain()
		freed += n
		r.agree(s, want(now.Add(-30*day)))
		if d%5 == 0 {
			r.reopen()
			if s, err = r.lake.Store("events"); err != nil {
				t.Fatal(err)
			}
			r.agree(s, want(now.Add(-30*day)))
			r.sound()
		}
		// None late by more than a segment: whatever is left has an event in sight.
		sn := s.snapshot()
		for _, seg := range sn.segments {
			if seg.cat.MaxTime < now.Add(-30*day).UnixMicro() {
				t.Fatalf("day %d: segment %d is still there", d, seg.cat.Number)
			}
		}
		sn.release()
	}
	if freed < len(times)/16 {
		t.Errorf("%d segments went", freed)
	}
	if got := s.Retention().Dropped; got.Events != uint64(len(times)) || got.Bytes == 0 {
		t.Errorf("dropped: %+v, there were %d", got, len(times))
	}
	r.sound()
	// It goes on: what comes has the next numbers, and can be proved.
	appendTest(t, s, [][]byte{at(1000, retentionStart.Add(30*day)), at(1001, retentionStart.Add(30*day))})
	if _, err := s.Prove(ctx, uint64(len(times))); err != nil {
		t.Error(err)
	}
	if _, err := s.Prove(ctx, 0); !errors.Is(err, ErrNotFound) {
		t.Errorf("proving an event that has left: %v", err)
	}
	r.reopen()
	r.sound()
	if n := r.number("SELECT count(*) FROM cairn_audit WHERE eventData.eventName = 'ExpireEvents'"); n == 0 {
		t.Error("the audit store tells of no expired events")
	}
}

// TestSpaceIsFreed measures the files of a lake before and after its events have expired.
func TestSpaceIsFreed(t *testing.T) {
	r := newRetention(t, Options{SegmentRows: 512, MemtableRows: 512, MemtableAge: -1, NoMerge: true})
	s, err := r.lake.MakeStore(r.admin, NewStore{Name: "events", Days: 7})
	if err != nil {
		t.Fatal(err)
	}
	var batch [][]byte
	for i := range 512 * 20 {
		rec := at(i, retentionStart.Add(-time.Duration(i)*time.Second))
		batch = append(batch, fmt.Appendf(rec[:len(rec)-1:len(rec)-1], `,"requestID":"%x"}`, uint64(i)*0x9e3779b97f4a7c15))
	}
	appendTest(t, s, batch)
	waitSealed(t, s, 0)
	if err := r.lake.freezeStores(context.Background(), []*Store{s}); err != nil {
		t.Fatal(err)
	}
	tables := func() int64 {
		n, err := diskBytes(r.fs, "lake/db")
		if err != nil {
			t.Fatal(err)
		}
		return n
	}
	before := tables()
	r.pass(8 * 24 * time.Hour)
	segments, bytes := r.retain()
	if segments != 20 || bytes == 0 {
		t.Fatalf("%d segments of %d bytes went", segments, bytes)
	}
	deadline := time.Now().Add(time.Minute)
	for tables() > before-int64(bytes)*9/10 && time.Now().Before(deadline) {
		time.Sleep(5 * time.Millisecond) // the database deletes files in its own time
	}
	after := tables()
	t.Logf("%d bytes before, %d after, %d of them said to be freed", before, after, bytes)
	if after > before-int64(bytes)*9/10 {
		t.Errorf("the files had %d bytes, now %d; %d were to be freed", before, after, bytes)
	}
	if st, err := r.lake.Stats(context.Background()); err != nil || st.FreedBytes != int64(bytes) {
		t.Errorf("stats: %v, %v", st, err)
	}
}

// TestClockMovesFreeNothing sets the wall clock ten years forward, running and between
// openings, and back.
func TestClockMovesFreeNothing(t *testing.T) {
	r := newRetention(t, Options{SegmentRows: 16, MemtableRows: 16, MemtableAge: -1, NoMerge: true})
	s, err := r.lake.MakeStore(r.admin, NewStore{Name: "events", Days: 30, Lock: Compliance})
	if err != nil {
		t.Fatal(err)
	}
	var batch [][]byte
	all := map[uint64]bool{}
	for i := range 40 {
		batch = append(batch, at(i, retentionStart.Add(-time.Duration(i)*12*time.Hour)))
		all[uint64(i)] = true
	}
	appendTest(t, s, batch)
	decade := 3650 * 24 * time.Hour
	r.wall.Add(decade.Microseconds())
	if n, _ := r.retain(); n != 0 {
		t.Fatalf("%d segments went", n)
	}
	r.agree(s, all) // a jump hides nothing either
	r.reopen()
	if err := r.lake.ConfirmTime(r.admin); err != nil {
		t.Fatal(err)
	}
	if n, _ := r.retain(); n != 0 {
		t.Fatalf("%d segments of a store in compliance mode went", n)
	}
	r.wall.Add(-2 * decade.Microseconds())
	r.reopen()
	if n, _ := r.retain(); n != 0 {
		t.Fatalf("%d segments went", n)
	}
	r.sound()
}

// TestStoreLife deletes, restores and loses a store, under every lock.
func TestStoreLife(t *testing.T) {
	r := newRetention(t, Options{SegmentRows: 16, MemtableRows: 16, MemtableAge: -1, NoMerge: true})
	plain := WithActor(context.Background(), Actor{Kind: "OSUser", Name: "bob", Permissions: []string{PermissionManage}})
	s, err := r.lake.MakeStore(plain, NewStore{Name: "events", Days: 30, Lock: Governance, Protected: true})
	if err != nil {
		t.Fatal(err)
	}
	var batch [][]byte
	for i := range 40 {
		batch = append(batch, at(i, retentionStart.Add(-time.Duration(i)*12*time.Hour)))
	}
	appendTest(t, s, batch)
	hold, err := r.lake.AddHold(plain, Hold{Store: "events", Reason: "case 7", To: retentionStart.Add(-10 * 24 * time.Hour)})
	if err != nil {
		t.Fatal(err)
	}
	seven, off := uint32(7), false
	refused := func(err error) {
		t.Helper()
		if !errors.Is(err, ErrRefused) {
			t.Fatalf("got %v, want a refusal", err)
		}
	}
	refused(r.lake.UpdateStore(plain, "events", StoreUpdate{Days: &seven, Bypass: true}))
	refused(r.lake.UpdateStore(r.admin, "events", StoreUpdate{Days: &seven}))
	refused(r.lake.DeleteStore(r.admin, "events", true)) // protected
	refused(r.lake.ReleaseHold(plain, hold.ID, ""))
	if err := r.lake.UpdateStore(r.admin, "events", StoreUpdate{Days: &seven, Protected: &off, Bypass: true}); err != nil {
		t.Fatal(err)
	}
	want := map[uint64]bool{}
	for i := range 40 {
		if i <= 14 || i >= 20 { // seven days, and what is held
			want[uint64(i)] = true
		}
	}
	r.agree(s, want)
	refused(r.lake.DeleteStore(r.admin, "events", true)) // held
	r.reopen()
	if s, err = r.lake.Store("events"); err != nil {
		t.Fatal(err)
	}
	r.agree(s, want)
	if err := r.lake.ReleaseHold(r.admin, hold.ID, "closed"); err != nil {
		t.Fatal(err)
	}
	refused(r.lake.DeleteStore(plain, "events", true))
	if err := r.lake.DeleteStore(r.admin, "events", true); err != nil {
		t.Fatal(err)
	}
	ctx := context.Background()
	if _, err := s.Append(ctx, [][]byte{at(99, retentionStart)}); !errors.Is(err, ErrRefused) {
		t.Errorf("appending to a pending store: %v", err)
	}
	if _, err := s.Record(ctx, 0); !errors.Is(err, ErrRefused) {
		t.Errorf("reading a pending store: %v", err)
	}
	if _, err := r.lake.Query(ctx, "SELECT count(*) FROM events"); err == nil {
		t.Error("a query on a pending store")
	}
	if err := r.lake.RestoreStore(plain, "events"); err != nil {
		t.Fatal(err)
	}
	if n := r.number("SELECT count(*) FROM events"); n != 15 {
		t.Errorf("restored with %d events", n)
	}
	if err := r.lake.DeleteStore(r.admin, "events", true); err != nil {
		t.Fatal(err)
	}
	r.pass(6 * 24 * time.Hour)
	r.retain()
	if _, err := r.lake.Store("events"); err != nil {
		t.Fatalf("gone a day early: %v", err)
	}
	r.reopen()
	r.pass(25 * time.Hour)
	r.retain()
	if _, err := r.lake.Store("events"); !errors.Is(err, ErrNotFound) {
		t.Fatalf("still there: %v", err)
	}
	r.sound()
	r.reopen()
	r.sound()
	if _, err := r.lake.MakeStore(r.admin, NewStore{Name: "events", Days: 30}); err != nil {
		t.Errorf("the name is not free again: %v", err)
	}
	for name, n := range map[string]int64{"UpdateEventDataStore": 3, "DeleteEventDataStore": 5, "ReleaseLegalHold": 2, "AddLegalHold": 1, "RemoveEventDataStore": 1} {
		if got := r.number("SELECT count(*) FROM cairn_audit WHERE eventData.eventName = '" + name + "'"); got != n {
			t.Errorf("%d records of %s, want %d", got, name, n)
		}
	}
	if got := r.number("SELECT count(*) FROM cairn_audit WHERE eventData.userIdentity.principalId = 'alice' AND eventData.sourceIPAddress = '192.0.2.7'"); got == 0 {
		t.Error("the audit store does not tell who and from where")
	}
	audit, err := r.lake.Store(AuditStore)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := audit.Append(ctx, nil); !errors.Is(err, ErrRefused) {
		t.Errorf("appending to the audit store: %v", err)
	}
}

// TestDeletedIsRestorableForDays: the days count from the deletion on, however far the time
// that there is evidence of is behind.
func TestDeletedIsRestorableForDays(t *testing.T) {
	const day = 24 * time.Hour
	r := newRetention(t, Options{})
	if _, err := r.lake.MakeStore(r.admin, NewStore{Name: "events", Days: 30}); err != nil {
		t.Fatal(err)
	}
	// Closed for two months, in which nothing told that time passed.
	r.wall.Add((60 * day).Microseconds())
	r.run.Store(0)
	r.reopen()
	if err := r.lake.DeleteStore(r.admin, "events", false); err != nil {
		t.Fatal(err)
	}
	s, err := r.lake.Store("events")
	if err != nil {
		t.Fatal(err)
	}
	if got, want := s.Retention().Gone, retentionStart.Add(67*day); !got.Equal(want) {
		t.Errorf("gone after %v, want %v", got, want)
	}
	// An administrator's word brings the floor to the present, not seven days on.
	if err := r.lake.ConfirmTime(r.admin); err != nil {
		t.Fatal(err)
	}
	r.pass(7*day - time.Hour)
	r.retain()
	if err := r.lake.RestoreStore(r.admin, "events"); err != nil {
		t.Fatalf("restoring within the seven days: %v", err)
	}
	if err := r.lake.DeleteStore(r.admin, "events", false); err != nil {
		t.Fatal(err)
	}
	r.pass(7*day + time.Minute)
	r.retain()
	if _, err := r.lake.Store("events"); !errors.Is(err, ErrNotFound) {
		t.Errorf("after seven days: %v", err)
	}
}

// TestBuiltInNames: nobody makes a store in the place of one that the lake makes.
func TestBuiltInNames(t *testing.T) {
	r := newRetention(t, Options{})
	for _, name := range []string{AuditStore, HistoryStore, "Cairn_Audit", "EVENT_HISTORY"} {
		if _, err := r.lake.MakeStore(r.admin, NewStore{Name: name, Days: 30}); !errors.Is(err, ErrBadInput) {
			t.Errorf("making %s: %v", name, err)
		}
		if _, err := r.lake.CreateStore(r.admin, name); !errors.Is(err, ErrBadInput) {
			t.Errorf("creating %s: %v", name, err)
		}
	}
	if _, err := r.lake.MakeStore(r.admin, NewStore{Name: "event_history2", Days: 30}); err != nil {
		t.Error(err)
	}
	if _, err := r.lake.Store(AuditStore); err != nil {
		t.Errorf("the audit store: %v", err)
	}
}

// TestKeyUseIsRecorded: who has a key used, changes it, or takes the lake away, is told of.
func TestKeyUseIsRecorded(t *testing.T) {
	r := newRetention(t, Options{})
	s := storeTest(t, r.lake)
	if _, err := s.Append(r.admin, [][]byte{at(0, retentionStart)}); err != nil {
		t.Fatal(err)
	}
	if _, err := s.Prove(r.admin, 0); err != nil { // signs: there is no checkpoint yet
		t.Fatal(err)
	}
	if _, err := s.Prove(r.admin, 0); err != nil { // gives what was signed
		t.Fatal(err)
	}
	if _, err := s.Digest(r.admin); err != nil {
		t.Fatal(err)
	}
	if _, err := r.lake.RotateKey(r.admin); err != nil {
		t.Fatal(err)
	}
	if _, err := r.lake.Backup(r.admin, DirBucket(vfs.NewMem(), "backups"), BackupOptions{}); err != nil {
		t.Fatal(err)
	}
	for name, n := range map[string]int64{ActUseKey: 2, ActRotateKey: 1, ActBackup: 1} {
		if got := r.number("SELECT count(*) FROM cairn_audit WHERE eventData.eventName = '" + name + "' AND eventData.userIdentity.principalId = 'alice'"); got != n {
			t.Errorf("%d records of %s, want %d", got, name, n)
		}
	}
}

// TestRouting offers events to all stores and to the event history.
func TestRouting(t *testing.T) {
	r := newRetention(t, Options{EventHistory: true, AuditQueries: true})
	if _, err := r.lake.MakeStore(r.admin, NewStore{Name: "events", Days: 366}); err != nil {
		t.Fatal(err)
	}
	old := at(1, retentionStart.Add(-100*24*time.Hour))
	out, err := r.lake.Append(context.Background(), [][]byte{at(0, retentionStart), old, []byte("no event")})
	if err != nil {
		t.Fatal(err)
	}
	if len(out[0]) != 2 || len(out[1]) != 2 || len(out[2]) != 1 || out[2][0].Status != Refused {
		t.Fatalf("verdicts: %+v", out)
	}
	for _, v := range out[1] {
		if want := map[string]Status{"events": Stored, HistoryStore: Refused}[v.Store]; v.Status != want {
			t.Errorf("an event of a hundred days ago in %s: %v", v.Store, v.Status)
		}
	}
	if n := r.number("SELECT count(*) FROM event_history"); n != 1 {
		t.Errorf("%d events in the history", n)
	}
	if err := r.lake.DeleteStore(r.admin, HistoryStore, true); !errors.Is(err, ErrRefused) {
		t.Errorf("deleting the event history: %v", err)
	}
	if n := r.number("SELECT count(*) FROM cairn_audit WHERE eventData.eventName = 'StartQuery'"); n != 2 {
		t.Errorf("%d queries are recorded, want the one before and this one", n)
	}
}
