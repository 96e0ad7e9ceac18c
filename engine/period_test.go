package engine

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"
)

// periodLake is a lake whose clock says when it is, with log files of some ages in days.
func periodLake(t *testing.T, ages map[string][]int) *testRetention {
	t.Helper()
	r := newRetention(t, Options{})
	n := 0
	for dir, list := range ages {
		var records [][]byte
		for _, age := range list {
			records = append(records, at(n, retentionStart.Add(-time.Duration(age)*day)))
			n++
		}
		writeTest(t, r.fs, dir+"/a.json.gz", logFile(records))
	}
	return r
}

func (r *testRetention) imports(o ImportOptions) *ImportReport {
	r.t.Helper()
	return importTest(r.t, r.lake, o)
}

// TestDefaultPeriod: what an import brings into a store that nobody has given a period
// stays, and the default comes where it takes nothing away.
func TestDefaultPeriod(t *testing.T) {
	r := periodLake(t, map[string][]int{"new": {0, 10, 364}, "edge": {366}, "old": {0, 5 * 365}})
	got := r.imports(ImportOptions{Store: "fresh", Paths: []string{"new"}})
	if got.Stored != 3 || got.Days != 366 || got.Undecided || got.Expired != 0 {
		t.Errorf("fresh events: %+v", got)
	}
	for _, dir := range []string{"edge", "old"} {
		got := r.imports(ImportOptions{Store: dir, Paths: []string{dir}})
		if got.Refused != 0 || got.Days != Forever || !got.Undecided || got.Oldest.After(retentionStart.Add(-366*day)) {
			t.Errorf("%s events: %+v", dir, got)
		}
		if n := r.number("SELECT count(*) FROM " + dir); n != got.Stored {
			t.Errorf("%d of %d %s events are in sight", n, got.Stored, dir)
		}
	}
	// The same store later, and after opening again: what is too old for it is counted.
	r.reopen()
	got = r.imports(ImportOptions{Store: "fresh", Paths: []string{"old"}})
	if got.Stored != 1 || got.Refused != 1 || got.Expired != 1 || got.OldestExpired != retentionStart.Add(-5*365*day) || got.Days != 366 {
		t.Errorf("old events into a store of 366 days: %+v", got)
	}
	// And nothing is lost: a longer period, and the same files again.
	long := uint32(3653)
	got = r.imports(ImportOptions{Store: "fresh", Paths: []string{"old"}, Again: true, Days: &long})
	if got.Stored != 1 || got.Duplicates != 1 || got.Expired != 0 || got.Days != long {
		t.Errorf("the same with a longer period: %+v", got)
	}
	got = r.imports(ImportOptions{Store: "asked", Paths: []string{"old"}, Days: &long})
	if got.Stored != 2 || got.Days != long || got.Undecided {
		t.Errorf("a store made with a period: %+v", got)
	}
	week := uint32(7)
	got = r.imports(ImportOptions{Store: "short", Paths: []string{"new"}, Days: &week})
	if got.Stored != 1 || got.Expired != 2 {
		t.Errorf("a store of a week: %+v", got)
	}
	never := uint32(Forever)
	if got = r.imports(ImportOptions{Store: "ever", Paths: []string{"new"}, Days: &never}); got.Days != Forever || got.Undecided {
		t.Errorf("a store for ever: %+v", got)
	}
	bad := uint32(6)
	if _, err := r.lake.Import(context.Background(), ImportOptions{Store: "bad", Paths: []string{"new"}, Days: &bad}); !errors.Is(err, ErrBadInput) {
		t.Errorf("a store of six days: %v", err)
	}
	// An undecided store with old events stays so, until somebody decides; "for ever" is a
	// decision, too.
	r.pass(3 * day)
	r.retain()
	if s, err := r.lake.Store("old"); err != nil || !s.Undecided() || s.Retention().Days != Forever {
		t.Errorf("the store with old events: %+v, %v", s.Retention(), err)
	}
	if err := r.lake.UpdateStore(r.admin, "old", StoreUpdate{Days: &never}); err != nil {
		t.Fatal(err)
	}
	r.reopen()
	for name, days := range map[string]uint32{"old": Forever, "ever": Forever, "fresh": long, "edge": Forever} {
		s, err := r.lake.Store(name)
		if err != nil || s.Undecided() != (name == "edge") || s.Retention().Days != days {
			t.Errorf("store %s: %+v, %v", name, s.Retention(), err)
		}
	}
	r.sound()
}

// TestPeriodAfterADay: a store that events are appended to gets the default when it is a
// day old, unless it has older events; the passes of the background see to it.
func TestPeriodAfterADay(t *testing.T) {
	r := newRetention(t, Options{})
	ctx := context.Background()
	stores := map[string]*Store{}
	for name, age := range map[string]time.Duration{"fresh": time.Hour, "old": 400 * day, "empty": -1} {
		s, err := r.lake.CreateStore(ctx, name)
		if err != nil {
			t.Fatal(err)
		}
		if stores[name] = s; age >= 0 {
			appendTest(t, s, [][]byte{at(len(name), retentionStart.Add(-age))})
		}
	}
	r.pass(day - time.Minute)
	r.retain()
	for name, s := range stores {
		if !s.Undecided() {
			t.Errorf("store %s is decided about before its first day is over", name)
		}
	}
	if r.lake.waiting() {
		t.Error("a store is said to wait")
	}
	r.pass(2 * time.Minute)
	if !r.lake.waiting() {
		t.Error("no store is said to wait")
	}
	r.retain()
	for name, want := range map[string]uint32{"fresh": 366, "empty": 366, "old": Forever} {
		if got := stores[name].Retention(); got.Days != want || got.Undecided != (want == Forever) {
			t.Errorf("store %s: %+v, want %d days", name, got, want)
		}
	}
	verdicts, err := stores["fresh"].Append(ctx, [][]byte{at(99, retentionStart.Add(-400*day))})
	if err != nil || verdicts[0].Status != Refused || !strings.Contains(verdicts[0].Detail, "retention period") {
		t.Errorf("an event that is too old by the default: %+v, %v", verdicts, err)
	}
	if n := r.number("SELECT count(*) FROM old"); n != 1 {
		t.Errorf("%d old events", n)
	}
	r.reopen()
	if s, err := r.lake.Store("fresh"); err != nil || s.Retention().Days != 366 {
		t.Errorf("opened again: %v, %v", s.Retention(), err)
	}
}
