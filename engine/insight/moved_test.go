package insight_test

import (
	"reflect"
	"strings"
	"testing"

	"github.com/cairndb/cairn/engine/insight"
)

// clockwork has a job of so many calls in a minute at the minutes of each day that times gives.
func clockwork(days int, calls uint64, times func(day int) []int) (counts []insight.Count) {
	for day := range days {
		for i, at := range times(day) {
			counts = append(counts, insight.Count{Minute: (day0 + insight.Day(day)).Start() + insight.Minute(at), Calls: calls + uint64((day*7+i*3)%11)})
		}
	}
	return insight.Merge(counts)
}

// every returns the minutes from one on, so many apart.
func every(from, apart int) (times []int) {
	for at := from; at < insight.DayMinutes; at += apart {
		times = append(times, at)
	}
	return times
}

// fates counts incidents by their fate, those that were found from a day on.
func fates(found []insight.Incident, from int) (n [insight.Reported + 1]int) {
	for _, in := range found {
		if in.Found.Day() >= day0+insight.Day(from) {
			n[in.Fate]++
		}
	}
	return n
}

// TestJobMoves has a job move to other times of the day, on day 35: it is expected there, or reported once, if it comes before its old
// time was missed.
func TestJobMoves(t *testing.T) {
	for _, c := range []struct {
		name     string
		old, new []int
		reported int
	}{
		{"every three hours, moved by an hour and a half", every(30, 180), every(120, 180), 0},
		{"every three hours, moved by nearly two", every(5, 180), every(105, 180), 0},
		{"every four hours, moved by two", every(30, 240), every(150, 240), 0},
		{"twice a day, later", every(120, 720), every(360, 720), 0},
		{"nightly, later", []int{120}, []int{300}, 0},
		{"nightly, earlier", []int{1300}, []int{300}, 1},
		{"nightly, over midnight", []int{1400}, []int{200}, 1},
	} {
		counts := clockwork(42, 60, func(day int) []int {
			if day >= 35 {
				return c.new
			}
			return c.old
		})
		found, _ := run(t, counts, nil)
		if n := fates(found, 35); n[insight.Reported] > c.reported || n[insight.Recurring] == 0 {
			t.Errorf("%s: %d reported, %d expected: %+v", c.name, n[insight.Reported], n[insight.Recurring], found)
		}
		for _, in := range found {
			if in.Recurs.Moved && (!strings.Contains(in.Explain(), "missed there") || in.Recurs.Last >= in.Start) {
				t.Errorf("%s: %s, last %v", c.name, in.Explain(), in.Recurs.Last.Time())
			}
		}
	}
}

// TestNoJobMoves has somebody else make as many calls as a job, while it runs, as it ends, or in another measure.
func TestNoJobMoves(t *testing.T) {
	ends := func(last int) func(int) []int {
		return func(day int) []int {
			if day > last {
				return nil
			}
			return []int{120}
		}
	}
	at := 40*insight.DayMinutes + 900
	for _, c := range []struct {
		name       string
		counts     []insight.Count
		at, length int
		calls      uint64
		least      int
	}{
		{"a job's size, while it runs", clockwork(42, 60, ends(41)), at, 1, 60, 1},
		{"three times a job that has ended", clockwork(42, 60, ends(39)), at, 1, 190, 1},
		{"a job that has ended, for an hour and more", clockwork(42, 60, ends(39)), at, 80, 6, 1},
		{"a slow job that has ended, in a minute", clockwork(42, 1, func(day int) []int {
			if day > 39 {
				return nil
			}
			return every(120, 1)[:60]
		}), at, 1, 250, 1},
		{"much less than a job that has ended", clockwork(42, 200, ends(39)), at, 10, 5, 1},
	} {
		counts := burst(c.counts, c.at, c.length, c.calls)
		found, _ := run(t, counts, nil)
		if n := fates(found, 35); n[insight.Reported] < c.least {
			t.Errorf("%s: %d reported: %+v", c.name, n[insight.Reported], found)
		}
	}
	// One job that has ended hides no more than it would have made, and one.
	counts := clockwork(42, 60, ends(39))
	for hour := range 8 {
		counts = burst(counts, 40*insight.DayMinutes+400+hour*120, 1, 60)
	}
	found, _ := run(t, counts, nil)
	if n := fates(found, 35); n[insight.Recurring] > 2 || n[insight.Reported] < 6 {
		t.Errorf("eight times a day after a job has ended: %d expected, %d reported", n[insight.Recurring], n[insight.Reported])
	}
}

// TestMovedJobIsKept has moved jobs found in one go and day by day with the bytes written and read between, open over midnight, too; and
// their reason listed after reading them back.
func TestMovedJobIsKept(t *testing.T) {
	all := make(map[insight.Series][]insight.Count)
	for i, to := range []int{500, 1435} {
		counts := clockwork(40, 30, func(day int) []int {
			from := 200
			if day >= 36 {
				from = to
			}
			return every(from, 1)[:min(5, insight.DayMinutes-from)]
		})
		if to == 1435 { // goes on after midnight
			for day := 37; day < 40; day++ {
				counts = burst(counts, day*insight.DayMinutes, 5, 30)
			}
		}
		all[insight.Series{Account: "a", EventName: string(rune('a' + i)), Type: insight.CallRate, Category: insight.Management}] = counts
	}
	want, _ := watchAll(t, all, 40, 1000, 1)
	got, w := watchAll(t, all, 40, 1, 2)
	if !reflect.DeepEqual(got, want) {
		t.Errorf("day by day %+v, at once %+v", got, want)
	}
	w, err := insight.DecodeWatch(w.Append(nil), insight.Params{})
	if err != nil {
		t.Fatal(err)
	}
	moved := map[string]int{}
	for _, f := range w.Expected() {
		if f.Recurs.Moved && strings.Contains(f.Explain(), "ran at 03:00 was missed there") {
			moved[f.Series.EventName]++
		}
	}
	if moved["a"] == 0 || moved["b"] == 0 {
		t.Errorf("moved jobs that are listed with their reason: %v of %+v", moved, w.Expected())
	}
}
