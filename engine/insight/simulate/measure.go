package simulate

import (
	"context"
	"math/rand/v2"

	"github.com/cairndb/cairn/engine/insight"
)

// warmWeeks are before the judged ones: verdicts count from a series' fifth week.
const warmWeeks = 4

// firstDay is the day of the first minute, a Monday.
const firstDay insight.Day = 20003

// Options say what is measured. Zeros stand for defaults.
type Options struct {
	// Seed and Seeds: seeds Seed, Seed+1, … (0: 1 and 3).
	Seed  uint64
	Seeds int
	// Accounts for each seed, Series for each account, Weeks that are judged after four to
	// learn (0: 5, 100, 4).
	Accounts, Series, Weeks int
	// PerWeek are the scored anomalies for each account and week of the run with anomalies (0: 2).
	PerWeek float64
	// Trials are the single anomalies tried for each series, for recall, errors and
	// curves (0: 4).
	Trials int
	// Shapes say what the traffic looks like (nil: DefaultShapes).
	Shapes *Shapes
	// Params are the detector's.
	Params insight.Params
	// Simple measures the simple detectors, too.
	Simple bool
	// Progress, unless nil, hears after each account how many of how many are done.
	Progress func(done, of int)
}

func (o Options) fill() Options {
	def := func(v *int, d int) {
		if *v <= 0 {
			*v = d
		}
	}
	def(&o.Seeds, 3)
	def(&o.Accounts, 5)
	def(&o.Series, 100)
	def(&o.Weeks, 4)
	def(&o.Trials, 4)
	if o.Seed == 0 {
		o.Seed = 1
	}
	if o.PerWeek <= 0 {
		o.PerWeek = 2
	}
	if o.Shapes == nil {
		sh := DefaultShapes()
		o.Shapes = &sh
	}
	return o
}

// Trial is the outcome of one anomaly.
type Trial struct {
	Anomaly
	Kind  Kind
	Noise Noise
	// Scored: large enough to count for recall over all.
	Scored bool
	Found  bool
	// Recurring: it was taken for something that recurs.
	Recurring bool
	// StartError and EndError are reported minus true, in minutes; Delay is from the true start to the end
	// of the deciding minute.
	StartError, EndError, Delay int
	// simple tells which settings of the simple detectors found it.
	simple [simples][len(simpleThresholds)][len(simpleVolumes)]bool
}

// False is an insight on data without anomalies.
type False struct {
	Kind     Kind
	Noise    Noise
	Change   string // what changes in a series of other shapes, and how its noise is made
	Incident insight.Incident
}

// Result is what was measured.
type Result struct {
	Options      Options
	AccountWeeks float64
	Trials       []Trial
	False        []False
	Recurring    int // expected incidents of clean data
	// Of the run with anomalies: how many there were, found, and reported insights that were none.
	Injected, Hits, Wrong int
	simpleFalse           [simples][len(simpleThresholds)][len(simpleVolumes)]int
}

// Measure simulates and judges. The same options give the same result.
func Measure(ctx context.Context, o Options) (*Result, error) {
	o = o.fill()
	det, err := insight.NewDetector(o.Params)
	if err != nil {
		return nil, err
	}
	res := &Result{Options: o, AccountWeeks: float64(o.Seeds * o.Accounts * o.Weeks)}
	for seed := range o.Seeds {
		for account := range o.Accounts {
			if err := ctx.Err(); err != nil {
				return nil, err
			}
			a := accountRun{o: o, det: det, res: res,
				seed: (o.Seed+uint64(seed))*1_000_003 + uint64(account)*10_007}
			if err := a.run(ctx); err != nil {
				return nil, err
			}
			if o.Progress != nil {
				o.Progress(seed*o.Accounts+account+1, o.Seeds*o.Accounts)
			}
		}
	}
	return res, nil
}

type accountRun struct {
	o    Options
	det  *insight.Detector
	res  *Result
	seed uint64
}

func (a *accountRun) run(ctx context.Context) error {
	days := (warmWeeks + a.o.Weeks) * 7
	r := rand.New(rand.NewPCG(a.seed, 0x706c616e))
	// Which series get an anomaly in the run with anomalies: never-seen calls are new series.
	forms := map[int]Form{}
	fresh := 0
	for range int(a.o.PerWeek*float64(a.o.Weeks) + 0.5) {
		switch u := r.IntN(5); {
		case u == 0:
			fresh++
		default:
			f := Burst
			if u == 1 {
				f = Hammering
			}
			i := r.IntN(a.o.Series)
			for tries := 0; tries < 1000; tries++ {
				_, taken := forms[i]
				if !taken && (f == Hammering || newSeries(a.seed+uint64(i)*31+7, a.seed, days, a.o.Shapes, warmWeeks*7).eligible()) {
					break
				}
				i = r.IntN(a.o.Series)
			}
			forms[i] = f
		}
	}
	for i := range a.o.Series {
		if err := ctx.Err(); err != nil {
			return err
		}
		s := newSeries(a.seed+uint64(i)*31+7, a.seed, days, a.o.Shapes, warmWeeks*7)
		form, inject := forms[i]
		if err := a.series(s, r, inject, form); err != nil {
			return err
		}
	}
	for i := range max(fresh, a.o.Trials) {
		s := &Series{Kind: Unseen, Days: days, drift: 1, shift: 1, seed: a.seed + uint64(i), shapes: a.o.Shapes}
		if err := a.series(s, r, i < fresh, NeverSeen); err != nil {
			return err
		}
	}
	return nil
}

// eligible tells whether bursts are scored on a series at some hour.
func (s *Series) eligible() bool { return s.Kind.Steady() && s.base > 0.4 }

// series judges one series: clean, in trials, and with an anomaly that stays.
func (a *accountRun) series(s *Series, r *rand.Rand, inject bool, form Form) error {
	counts := s.counts()
	days := split(counts)
	state := insight.NewState(firstDay)
	warm := warmWeeks * 7
	var trials []*Anomaly
	byDay := map[int][]*Anomaly{}
	add := func(f Form, loose bool) {
		for range 30 {
			day := warm + r.IntN(s.Days-warm)
			if an := s.pick(r, f, day, loose); an != nil {
				trials = append(trials, an)
				byDay[day] = append(byDay[day], an)
				return
			}
		}
	}
	switch {
	case s.Kind == Unseen:
		add(NeverSeen, false)
	default:
		add(Hammering, false)
		for i := range a.o.Trials - 1 {
			add(Burst, i%3 == 2)
		}
	}
	var stay *Anomaly
	for tries := 0; inject && stay == nil && tries < 500; tries++ {
		stay = s.pick(r, form, warm+r.IntN(s.Days-warm), false)
	}
	var clean []insight.Incident
	var atStay *insight.State
	for day := range s.Days {
		for _, an := range byDay[day] {
			if err := a.trial(s, state.Clone(), days, counts, an); err != nil {
				return err
			}
		}
		if stay != nil && day == stay.Start/insight.DayMinutes {
			atStay = state.Clone()
		}
		found, err := a.det.Day(state, firstDay+insight.Day(day), days[day])
		if err != nil {
			return err
		}
		for _, in := range found {
			if int(in.Start.Day()-firstDay) < warm && int(in.Found.Day()-firstDay) < warm {
				continue
			}
			if last := len(clean) - 1; last >= 0 && clean[last].Start == in.Start {
				clean[last] = in
			} else {
				clean = append(clean, in)
			}
		}
	}
	for _, in := range clean {
		switch in.Fate {
		case insight.Reported:
			a.res.False = append(a.res.False, False{s.Kind, s.Noise, s.change, in})
		case insight.Recurring:
			a.res.Recurring++
		}
	}
	if a.o.Simple {
		var al alarms
		for k := range simples {
			simple(k, counts, warm*insight.DayMinutes, len(counts), &al)
			for i := range al {
				for j := range al[i] {
					a.res.simpleFalse[k][i][j] += len(al[i][j])
				}
			}
		}
	}
	if stay == nil {
		for _, in := range clean {
			if in.Fate == insight.Reported {
				a.res.Wrong++
			}
		}
		return nil
	}
	return a.stay(s, atStay, days, counts, stay, clean)
}

// stay runs a series to its end with an anomaly in it.
func (a *accountRun) stay(s *Series, state *insight.State, days [][]insight.Count, counts []uint32, an *Anomaly, clean []insight.Incident) error {
	a.res.Injected++
	first := an.Start / insight.DayMinutes
	seen := map[insight.Minute]bool{}
	for _, in := range clean { // before the anomaly nothing is different
		if int(in.Found.Day()-firstDay) < first && in.Fate == insight.Reported {
			a.res.Wrong++
			seen[in.Start] = true
		}
	}
	hit := false
	for day := first; day < s.Days; day++ {
		c := days[day]
		if day == first {
			c = with(counts, an, day)
		}
		found, err := a.det.Day(state, firstDay+insight.Day(day), c)
		if err != nil {
			return err
		}
		for _, in := range found {
			if in.Fate != insight.Reported || seen[in.Start] {
				continue
			}
			seen[in.Start] = true
			if overlaps(&in, an) && !hit {
				hit = true
				a.res.Hits++
			} else {
				a.res.Wrong++
			}
		}
	}
	return nil
}

// trial runs one day, and the next, with an anomaly.
func (a *accountRun) trial(s *Series, state *insight.State, days [][]insight.Count, counts []uint32, an *Anomaly) error {
	day := an.Start / insight.DayMinutes
	t := Trial{Anomaly: *an, Kind: s.Kind, Noise: s.Noise, Scored: true}
	if an.Form == Burst && (an.Expected < 10 || an.Factor == 3 && an.Expected < 60) {
		t.Scored = false
	}
	judge := func(found []insight.Incident) {
		for _, in := range found {
			if in.Fate == insight.Reported && overlaps(&in, an) && !t.Found {
				t.Found = true
				t.StartError = int(in.Start-firstDay.Start()) - an.Start
				t.Delay = int(in.Decided-firstDay.Start()) + 1 - an.Start
			}
			if !t.Found && overlaps(&in, an) && in.Fate == insight.Recurring {
				t.Recurring = true
			}
			if t.Found && overlaps(&in, an) {
				t.EndError = int(in.End-firstDay.Start()) - an.End
			}
		}
	}
	found, err := a.det.Day(state, firstDay+insight.Day(day), with(counts, an, day))
	if err != nil {
		return err
	}
	judge(found)
	if n := len(found); n > 0 && found[n-1].Open && day+1 < s.Days {
		if found, err = a.det.Day(state, firstDay+insight.Day(day+1), days[day+1]); err != nil {
			return err
		}
		judge(found)
	}
	if a.o.Simple && t.Scored {
		for i, n := range an.extra {
			counts[an.Start+i] += n
		}
		var al alarms
		for k := range simples {
			simple(k, counts, max(an.Start-10, 0), min(an.End+10, len(counts)), &al)
			for i := range al {
				for j := range al[i] {
					for _, sp := range al[i][j] {
						t.simple[k][i][j] = t.simple[k][i][j] || sp.to > an.Start && sp.from < an.End+5
					}
				}
			}
		}
		for i, n := range an.extra {
			counts[an.Start+i] -= n
		}
	}
	a.res.Trials = append(a.res.Trials, t)
	return nil
}

// overlaps tells whether an incident is the anomaly: one of its minutes is, give or take two.
func overlaps(in *insight.Incident, an *Anomaly) bool {
	from, to := int(in.Start-firstDay.Start()), int(in.End-firstDay.Start())
	return from < an.End+2 && to > an.Start-2
}

// split makes the counts of each day.
func split(counts []uint32) [][]insight.Count {
	out := make([][]insight.Count, len(counts)/insight.DayMinutes)
	for d := range out {
		out[d] = dayOf(counts, d)
	}
	return out
}

func dayOf(counts []uint32, day int) []insight.Count {
	base := day * insight.DayMinutes
	n := 0
	for _, c := range counts[base : base+insight.DayMinutes] {
		if c > 0 {
			n++
		}
	}
	out := make([]insight.Count, 0, n)
	for t, c := range counts[base : base+insight.DayMinutes] {
		if c > 0 {
			out = append(out, insight.Count{Minute: firstDay.Start() + insight.Minute(base+t), Calls: uint64(c)})
		}
	}
	return out
}

// with makes the counts of a day with an anomaly in them.
func with(counts []uint32, an *Anomaly, day int) []insight.Count {
	for i, n := range an.extra {
		counts[an.Start+i] += n
	}
	out := dayOf(counts, day)
	for i, n := range an.extra {
		counts[an.Start+i] -= n
	}
	return out
}
