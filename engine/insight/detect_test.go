package insight_test

import (
	"math"
	"math/rand/v2"
	"reflect"
	"slices"
	"syscall"
	"testing"
	"time"

	"github.com/cairndb/cairn/engine/insight"
)

func TestQuietAndNew(t *testing.T) {
	d := detector(t)
	s := insight.NewState(day0)
	for day := day0; day < day0+400; day += 50 { // gaps of weeks, nothing, single calls
		if found, err := d.Day(s, day, []insight.Count{{Minute: day.Start() + 1439, Calls: 1}}); err != nil || len(found) != 0 {
			t.Fatalf("%v, %v", found, err)
		}
	}
	if n := len(s.Append(nil)); n > 200 {
		t.Errorf("the state of a series of one call in seven weeks has %d bytes", n)
	}
	if found, err := d.Idle(s, day0+1_000_000); err != nil || len(found) != 0 {
		t.Fatalf("%v, %v", found, err)
	}
	// A call that was never seen, across midnight.
	day := s.Next()
	var a, b []insight.Count
	for m := range insight.Minute(5) {
		a = append(a, insight.Count{Minute: (day + 1).Start() - 5 + m, Calls: 4})
		b = append(b, insight.Count{Minute: (day + 1).Start() + m, Calls: 4})
	}
	if found, err := d.Day(s, day, a); err != nil || len(found) != 0 {
		t.Fatalf("20 first calls: %+v, %v", found, err)
	}
	found, err := d.Day(s, day+1, b)
	if err != nil || len(found) != 1 || found[0].Fate != insight.Reported || found[0].Start != (day+1).Start()-5 || found[0].Duration() != 10 || found[0].Calls != 40 {
		t.Fatalf("40 first calls: %+v, %v", found, err)
	}
}

func TestLearningIsSilent(t *testing.T) {
	at := 9*insight.DayMinutes + 600
	in := theOne(t, burst(steady(13), at, 12, 50))
	if in.Fate != insight.Learning {
		t.Errorf("in the second week: %v", in.Fate)
	}
	s := insight.NewState(day0)
	d := detector(t)
	if st := d.Status(s); st.Phase != insight.StartingUp || st.SpeaksFrom != day0+insight.LearnDays {
		t.Errorf("%+v", st)
	}
}

func TestWeeklyJobIsExpected(t *testing.T) {
	counts := steady(50)
	for week := range 7 {
		counts = burst(counts, (week*7+3)*insight.DayMinutes+300+week*4, 10, 60)
	}
	found, _ := run(t, counts, nil)
	last := found[len(found)-1]
	if last.Fate != insight.Recurring || last.Recurs.Times < 2 {
		t.Fatalf("the seventh time: %+v", last)
	}
	if got := last.Explain(); got == "" {
		t.Error("no explanation")
	}
	// Ten times as large is no job.
	found, _ = run(t, burst(counts, 45*insight.DayMinutes+324, 10, 900), nil)
	if last := found[len(found)-1]; last.Fate != insight.Reported {
		t.Fatalf("ten times the job: %+v", last)
	}
}

func TestNewLevel(t *testing.T) {
	counts := burst(steady(60), 30*insight.DayMinutes, 30*insight.DayMinutes, 20)
	found, s := run(t, counts, nil)
	if len(found) != 1 || !found[0].NewLevel || found[0].Duration() != insight.DayMinutes || found[0].Fate != insight.Reported {
		t.Fatalf("%+v", found)
	}
	b := detector(t).Bands(s)
	if b[12].Expected < 1200 || b[12].Expected > 1500 || b[12].High < 2*b[12].Expected || b[12].Low <= 0 || b[12].Low > b[12].Expected {
		t.Errorf("the band of an hour at 22 calls a minute: %+v", b[12])
	}
}

// TestNewLevelInTheDay begins at noon: the rest of the day on which it becomes the level is not unusual again, nor is the next night.
func TestNewLevelInTheDay(t *testing.T) {
	found, _ := run(t, burst(steady(60), 30*insight.DayMinutes+720, 29*insight.DayMinutes, 20), nil)
	if len(found) != 1 || !found[0].NewLevel || found[0].Fate != insight.Reported {
		t.Fatalf("%+v", found)
	}
}

// TestOnePeriodIsOneInsight gives a nightly job of 400 calls much more to do, spread evenly over many hours, in which it also runs as
// always: that is one period. It is over when that ends, be it before the job's hour or after.
func TestOnePeriodIsOneInsight(t *testing.T) {
	const day, from, perMinute = 35, 14*60 + 7, 3
	for _, c := range []struct{ job, minutes int }{
		{26 * 60, 2 * insight.DayMinutes}, {26*60 + 50, 2 * insight.DayMinutes}, {20 * 60, 8 * 60}, {22 * 60, 20 * 60}, {20 * 60, 4 * 60},
	} {
		var counts []insight.Count
		for d := range 45 {
			for m := range 40 {
				counts = append(counts, insight.Count{Minute: (day0 + insight.Day(d)).Start() + insight.Minute(c.job%insight.DayMinutes+m), Calls: 10})
			}
		}
		start := (day0 + day).Start() + from
		for m := range c.minutes {
			counts = append(counts, insight.Count{Minute: start + insight.Minute(m), Calls: perMinute})
		}
		found, _ := run(t, insight.Merge(counts), nil)
		found = slices.DeleteFunc(found, func(in insight.Incident) bool { return in.Fate != insight.Reported })
		if len(found) != 1 || found[0].Start != start {
			t.Errorf("job at minute %d, %d minutes more: %d insights: %+v", c.job, c.minutes, len(found), found)
			continue
		}
		if late := int(found[0].End-start) - min(c.minutes, insight.DayMinutes); late < -5 || late > 5 {
			t.Errorf("job at minute %d, %d minutes more: the end is %d minutes late", c.job, c.minutes, late)
		}
	}
}

func TestLateCalls(t *testing.T) {
	late := 20*insight.DayMinutes + 600
	counts := steady(24)
	d := detector(t)
	s := insight.NewState(day0)
	var kept *insight.State
	feed := func(counts []insight.Count) (out []insight.Incident) {
		if err := insight.Split(counts, func(day insight.Day, c []insight.Count) error {
			if day < s.Next() {
				return nil
			}
			if day == day0+20 && kept == nil {
				kept = s.Clone()
			}
			found, err := d.Day(s, day, c)
			out = append(out, slices.Clone(found)...)
			return err
		}); err != nil {
			t.Fatal(err)
		}
		return out
	}
	before := feed(counts)
	counts = burst(counts, late, 10, 30)
	want, end := run(t, counts, nil)
	s = kept
	after := feed(counts)
	if len(before) != 0 || len(after) != 1 || !reflect.DeepEqual(after, want) || !reflect.DeepEqual(s.Append(nil), end.Append(nil)) {
		t.Errorf("on from the day of the late calls: %+v; from the beginning: %+v", after, want)
	}
}

func TestParameters(t *testing.T) {
	counts := burst(steady(22), 20*insight.DayMinutes+600, 12, 18)
	for _, c := range []struct {
		p    insight.Params
		want insight.Fate
	}{
		{insight.Params{MinDuration: 12}, insight.Reported},
		{insight.Params{MinDuration: 60}, insight.Waiting},
		{insight.Params{MinRate: 19}, insight.Reported},
		{insight.Params{MinRate: 30}, insight.Waiting},
	} {
		d, err := insight.NewDetector(c.p)
		if err != nil {
			t.Fatal(err)
		}
		s := insight.NewState(day0)
		var last insight.Incident
		if err := insight.Split(counts, func(day insight.Day, n []insight.Count) error {
			found, err := d.Day(s, day, n)
			if len(found) > 0 {
				last = found[len(found)-1]
			}
			return err
		}); err != nil {
			t.Fatal(err)
		}
		if last.Fate != c.want || c.p.MinDuration > 1 && c.want == insight.Reported && last.FirstDuration() < c.p.MinDuration {
			t.Errorf("%+v: %+v", c.p, last)
		}
	}
	for _, p := range []insight.Params{{Sensitivity: math.NaN()}, {MinRate: -1}, {MinDuration: 1441}, {MinCalls: 1 << 40}} {
		if _, err := insight.NewDetector(p); err == nil {
			t.Errorf("%+v was taken", p)
		}
	}
}

func TestHugeCounts(t *testing.T) {
	counts := steady(40)
	for i := range counts {
		if i%3 == 0 {
			counts[i].Calls = math.MaxUint64
		}
	}
	_, s := run(t, counts, nil)
	if _, err := insight.DecodeState(s.Append(nil)); err != nil {
		t.Error(err)
	}
	if c := insight.Merge([]insight.Count{{5, math.MaxUint64}, {5, 2}, {4, 0}}); len(c) != 1 || c[0].Calls != math.MaxUint64 {
		t.Errorf("%v", c)
	}
}

func FuzzState(f *testing.F) {
	for seed := range uint64(4) {
		_, s := run(f, history(seed, 40), nil)
		f.Add(s.Append(nil))
	}
	f.Add(insight.NewState(day0).Append(nil))
	f.Fuzz(func(t *testing.T, b []byte) {
		s, err := insight.DecodeState(insight.Sealed(b))
		if err != nil {
			return
		}
		d := detector(t)
		d.Status(s)
		var c []insight.Count
		for m := range insight.Minute(insight.DayMinutes) {
			c = append(c, insight.Count{Minute: s.Next().Start() + m, Calls: uint64(m % 97)})
		}
		if _, err := d.Day(s, s.Next(), c); err != nil {
			t.Fatal(err)
		}
		if _, err := insight.DecodeState(s.Append(nil)); err != nil {
			t.Fatalf("what came of it cannot be read: %v", err)
		}
	})
}

func BenchmarkDense(b *testing.B) {
	counts := steady(36)
	for i := range counts {
		counts[i].Calls = 30 + uint64(i*7919%13)
	}
	benchmark(b, counts)
}

func BenchmarkSparse(b *testing.B) {
	var counts []insight.Count
	for d := range insight.Minute(90) {
		for i := range insight.Minute(5) {
			counts = append(counts, insight.Count{Minute: day0.Start() + d*insight.DayMinutes + 300 + i*i*40, Calls: 1})
		}
	}
	benchmark(b, counts)
}

func benchmark(b *testing.B, counts []insight.Count) {
	d := detector(b)
	minutes, calls := 0, 0
	before := cpu(b)
	for b.Loop() {
		s := insight.NewState(day0)
		if err := insight.Split(counts, func(day insight.Day, c []insight.Count) error {
			minutes += insight.DayMinutes
			calls += len(c)
			_, err := d.Day(s, day, c)
			return err
		}); err != nil {
			b.Fatal(err)
		}
	}
	ns := float64(b.Elapsed().Nanoseconds())
	b.ReportMetric(ns/float64(minutes), "ns/minute")
	b.ReportMetric(ns/float64(calls), "ns/count")
	b.ReportMetric(float64(cpu(b)-before)/float64(minutes), "cpu-ns/minute")
}

// cpu is what this process has used, whatever else the machine does.
func cpu(b *testing.B) time.Duration {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		b.Fatal(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// reports gives a detector days of counts by mean and returns what it reports from a day on.
func reports(t *testing.T, seed uint64, days, from int, mean func(day, minute int) float64) (out []insight.Incident) {
	t.Helper()
	det := detector(t)
	const first = insight.Day(20003) // a Monday
	state := insight.NewState(first)
	r := rand.New(rand.NewPCG(seed, 9))
	for day := range days {
		var counts []insight.Count
		for m := range insight.DayMinutes {
			if n := drawn(r, mean(day, m)); n > 0 {
				counts = append(counts, insight.Count{Minute: (first + insight.Day(day)).Start() + insight.Minute(m), Calls: n})
			}
		}
		found, err := det.Day(state, first+insight.Day(day), counts)
		if err != nil {
			t.Fatal(err)
		}
		for _, in := range found {
			if in.Fate == insight.Reported && !in.Open && day >= from {
				out = append(out, in)
			}
		}
	}
	return out
}

// TestClocksChange has the hours of an office move by one: the first day may be unusual, the days after are not.
func TestClocksChange(t *testing.T) {
	for _, by := range []int{-60, 60} {
		found := reports(t, 1, 46, 35, func(day, minute int) float64 {
			if day >= 35 {
				minute += by
			}
			switch {
			case day%7 >= 5:
				return 0.8
			case minute >= 8*60 && minute < 17*60:
				return 20
			}
			return 2
		})
		if len(found) > 2 || len(found) > 0 && found[len(found)-1].Start.Day() != 20003+35 {
			t.Errorf("by %d minutes: %d insights, the last is %v", by, len(found), found[len(found)-1].Start.Time())
		}
	}
}

// TestLevelCreeps has a level rise to 2.6 times within a day: no burst, and a burst on it is one.
func TestLevelCreeps(t *testing.T) {
	level := func(day, minute int) float64 {
		f := 6.0
		if day%7 >= 5 {
			f = 5
		}
		return f * (1 + 1.6*min(max(float64(day-35)+float64(minute)/insight.DayMinutes, 0), 1))
	}
	if found := reports(t, 2, 40, 35, level); len(found) > 0 {
		t.Errorf("%d insights, the first from %v: %s", len(found), found[0].Start.Time(), found[0].Explain())
	}
	found := reports(t, 2, 40, 35, func(day, minute int) float64 {
		if day == 36 && minute >= 600 && minute < 620 {
			return 4 * level(day, minute)
		}
		return level(day, minute)
	})
	if len(found) != 1 || found[0].Start != insight.Day(20003+36).Start()+600 {
		t.Errorf("with a burst of four times: %+v", found)
	}
}

// TestFewWhereNoneAreExpected calls a service at night that is used by day: a handful of calls is no insight, a lot is.
func TestFewWhereNoneAreExpected(t *testing.T) {
	for _, c := range []struct{ calls, found int }{{25, 0}, {45, 1}} {
		found := reports(t, 3, 40, 35, func(day, minute int) float64 {
			switch {
			case day == 37 && minute >= 120 && minute < 125:
				return float64(c.calls) / 5
			case minute >= 8*60 && minute < 17*60:
				return 2
			}
			return 0
		})
		if len(found) != c.found {
			t.Errorf("about %d calls: %d insights", c.calls, len(found))
		}
	}
}

// TestBandsAreLifted holds the band of a day to what detection expects on it: more where the hours before had more, but not for what was
// unusual itself.
func TestBandsAreLifted(t *testing.T) {
	past := steady(30)
	_, s := run(t, past, nil)
	d := detector(t)
	day := s.Next()
	of := func(from, to int, calls uint64) (counts []insight.Count) {
		for m := range insight.DayMinutes {
			n := uint64(2)
			if m >= from && m < to {
				n = calls
			}
			counts = append(counts, insight.Count{Minute: day.Start() + insight.Minute(m), Calls: n})
		}
		return counts
	}
	bands := func(minutes int, counts []insight.Count) []insight.Band {
		t.Helper()
		found, err := d.Day(s.Clone(), day, counts)
		if err != nil {
			t.Fatal(err)
		}
		b, err := d.BandsOf(s, minutes, counts, slices.Clone(found))
		if err != nil {
			t.Fatal(err)
		}
		return b
	}
	before := d.Bands(s)
	b := bands(60, of(600, 1440, 4)) // twice as many from 10:00 on
	if b[9] != before[9] || b[13].Expected < 1.5*before[13].Expected || b[13].High < 1.3*before[13].High || b[13].Expected > 2*before[13].Expected {
		t.Errorf("a level that crept up: %+v at 9, %+v at 13, before %+v", b[9], b[13], before[13])
	}
	long := bands(1440, of(600, 1440, 4))
	sum := 0.0
	for _, h := range b {
		sum += h.Expected
	}
	if math.Abs(long[0].Expected-sum) > 1 {
		t.Errorf("a day expects %g, its hours %g", long[0].Expected, sum)
	}
	if b := bands(60, of(600, 660, 40)); b[11] != before[11] || b[12] != before[12] {
		t.Errorf("after a burst %+v and %+v, before it %+v", b[11], b[12], before[12])
	}
	if _, err := d.BandsOf(s, 60, []insight.Count{{Minute: day.Start() - 1, Calls: 1}}, nil); err == nil {
		t.Error("counts of another day were taken")
	}
}
