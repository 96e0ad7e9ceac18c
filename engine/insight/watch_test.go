package insight_test

import (
	"bytes"
	"errors"
	"fmt"
	"math/rand/v2"
	"reflect"
	"slices"
	"testing"

	"github.com/cairndb/cairn/engine/insight"
)

// manySeries are the counts of several series.
func manySeries(days int) map[insight.Series][]insight.Count {
	out := make(map[insight.Series][]insight.Count)
	for i := range uint64(6) {
		s := insight.Series{Account: fmt.Sprint(i % 2), Region: "r", EventSource: "s", EventName: fmt.Sprint("n", i), Type: insight.CallRate, Category: insight.Management}
		if i%3 == 0 {
			s.Type, s.ErrorCode, s.Category = insight.ErrorRate, "Denied", insight.Data
		}
		out[s] = history(i, days)
	}
	weekly := steady(days)
	for week := range days / 7 {
		weekly = burst(weekly, (week*7+3)*insight.DayMinutes+300, 10, 60)
	}
	out[insight.Series{Account: "0", Region: "r", EventSource: "s", EventName: "weekly", Type: insight.CallRate, Category: insight.Management}] = weekly
	return out
}

// watchAll follows series, moving on every step days, with the bytes written and read in between, and returns all incidents by
// series.
func watchAll(t *testing.T, all map[insight.Series][]insight.Count, days, step int, seed uint64) ([]insight.Found, *insight.Watch) {
	t.Helper()
	w, err := insight.NewWatch(insight.Params{})
	if err != nil {
		t.Fatal(err)
	}
	type one struct {
		s insight.Series
		c insight.Count
	}
	var events []one
	for s, counts := range all {
		for _, c := range counts {
			events = append(events, one{s, c})
		}
	}
	r := rand.New(rand.NewPCG(seed, 9))
	r.Shuffle(len(events), func(i, j int) { events[i], events[j] = events[j], events[i] })
	slices.SortStableFunc(events, func(a, b one) int { return int(a.c.Minute.Day()-day0)/step - int(b.c.Minute.Day()-day0)/step })
	type key struct {
		s     insight.Series
		start insight.Minute
	}
	found := make(map[key]insight.Found)
	report := func(f insight.Found) { found[key{f.Series, f.Start}] = f }
	next := day0 + insight.Day(step)
	for _, e := range events {
		for day := e.c.Minute.Day(); day >= next; next += insight.Day(step) {
			if err := w.Advance(next, report); err != nil {
				t.Fatal(err)
			}
			b := w.Append(nil)
			if w, err = insight.DecodeWatch(b, insight.Params{}); err != nil {
				t.Fatal(err)
			}
			if d, ok := w.Day(); !ok || d != next {
				t.Fatalf("day %d, %v", d, ok)
			}
		}
		w.Seen(e.s.Account, e.s.Region, e.c.Minute.Day())
		id, _ := w.ID(e.s)
		if !w.Add(id, e.c.Minute, e.c.Calls) {
			t.Fatalf("a count of day %d came too late", e.c.Minute.Day())
		}
	}
	// A look changes nothing and gives what Advance gives later.
	looked := 0
	if err := w.Look((day0 + insight.Day(days+3)).Start(), func(f insight.Found) {
		looked++
		if !f.Open {
			report(f)
		}
	}); err != nil {
		t.Fatal(err)
	}
	before := len(found)
	if err := w.Advance(day0+insight.Day(days+5), report); err != nil {
		t.Fatal(err)
	}
	if len(found) != before {
		t.Errorf("%d incidents by looking, %d by going on", before, len(found))
	}
	var out []insight.Found
	for _, f := range found {
		out = append(out, f)
	}
	slices.SortFunc(out, func(a, b insight.Found) int {
		if c := a.Series.Compare(&b.Series); c != 0 {
			return c
		}
		return int(a.Start - b.Start)
	})
	return out, w
}

func TestWatchInSteps(t *testing.T) {
	const days = 38
	all := manySeries(days)
	want, end := watchAll(t, all, days, 1000, 1)
	if len(want) < 10 || len(end.Expected()) == 0 {
		t.Fatalf("%d incidents, %d expected: the histories show nothing", len(want), len(end.Expected()))
	}
	for step := range 3 {
		got, w := watchAll(t, all, days, 1+4*step, uint64(step+2))
		if !reflect.DeepEqual(got, want) {
			t.Fatalf("in steps of %d days %d incidents, %d at once", 1+4*step, len(got), len(want))
		}
		if len(w.Expected()) != len(end.Expected()) {
			t.Errorf("in steps of %d days %d are expected, %d at once", 1+4*step, len(w.Expected()), len(end.Expected()))
		}
	}
	p := end.Phases(day0 + insight.Day(3))
	if p.Series != len(all) || p.Learning != len(all) || p.SpeaksFrom < day0+insight.LearnDays {
		t.Errorf("%+v", p)
	}
	if p := end.Phases(day0 + 40); p.Learning != 0 {
		t.Errorf("%+v", p)
	}
}

func TestWatchRefusesLateCounts(t *testing.T) {
	w, _ := insight.NewWatch(insight.Params{})
	id, _ := w.ID(insight.Series{EventName: "x"})
	if err := w.Advance(day0, func(insight.Found) {}); err != nil {
		t.Fatal(err)
	}
	if w.Add(id, day0.Start()-1, 1) || !w.Add(id, day0.Start(), 1) {
		t.Error("a late count was taken, or one that is not late refused")
	}
	if again, _ := w.ID(insight.Series{EventName: "x"}); again != id {
		t.Error("a series has two numbers")
	}
}

func FuzzWatch(f *testing.F) {
	for _, days := range []int{1, 30} {
		w, err := insight.NewWatch(insight.Params{})
		if err != nil {
			f.Fatal(err)
		}
		for s, counts := range manySeries(days) {
			w.Seen(s.Account, s.Region, day0)
			id, _ := w.ID(s)
			for _, c := range counts {
				w.Add(id, c.Minute, c.Calls)
			}
		}
		if err := w.Advance(day0+insight.Day(days), func(insight.Found) {}); err != nil {
			f.Fatal(err)
		}
		f.Add(w.Append(nil))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		b = insight.Sealed(b)
		w, err := insight.DecodeWatch(b, insight.Params{})
		if err != nil {
			if !errors.Is(err, insight.ErrWatch) {
				t.Fatal(err)
			}
			return
		}
		if !bytes.Equal(w.Append(nil), b) {
			t.Fatal("written otherwise than read")
		}
		day, _ := w.Day()
		if err := w.Look((day + 3).Start(), func(insight.Found) {}); err != nil {
			t.Fatal(err)
		}
		if err := w.Advance(day+9, func(insight.Found) {}); err != nil {
			t.Fatal(err)
		}
	})
}
