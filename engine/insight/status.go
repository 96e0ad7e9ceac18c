package insight

import "math"

// Phase is where a series is.
type Phase uint8

// The phases.
const (
	// StartingUp: no verdicts before SpeaksFrom.
	StartingUp Phase = iota
	// Quiet: nothing unusual.
	Quiet
	// Unusual: an incident is open.
	Unusual
	// Expected: an open incident is a recurring one.
	Expected
)

func (p Phase) String() string {
	return [...]string{"starting up", "quiet", "unusual", "expected"}[p&3]
}

// Status is what is known of a series at the beginning of a day.
type Status struct {
	Phase      Phase
	SpeaksFrom Day
	// PerMinute is the average of the 28 days, earlier incidents left out; Days how many of them were watched.
	PerMinute float64
	Days      int
	// Clumpy: few calls, or calls in clumps; then only what is larger than all of the 28 days is unusual.
	Clumpy bool
	// Masked are minutes that incidents have taken out of the baseline.
	Masked int
	// Threshold is the surprise in nats that is needed now: more than the parameters ask, if the series is wild by itself.
	Threshold float64
	// Past are the starts of incidents of the last weeks, reported or not.
	Past []Minute
}

// Status describes the series at the beginning of day s.Next.
func (d *Detector) Status(s *State) Status {
	s.freeze(&d.model, &d.params)
	d.frozen = false
	st := Status{Phase: Quiet, SpeaksFrom: s.SpeaksFrom(), PerMinute: d.model.mean, Days: d.model.days, Clumpy: d.model.sparse, Threshold: d.model.threshold}
	switch {
	case s.next < st.SpeaksFrom:
		st.Phase = StartingUp
	case s.isOpen && s.open.Fate == Recurring:
		st.Phase = Expected
	case s.isOpen && s.open.Fate == Reported:
		st.Phase = Unusual
	}
	for x := s.oldest(); x < s.next; x++ {
		for _, o := range s.slot(x).off {
			st.Masked += int(o)
		}
	}
	for _, b := range s.past {
		st.Past = append(st.Past, b.start)
	}
	return st
}

// Band is what is expected of an hour.
type Band struct {
	// Expected is the expected number of calls. From Low to High is normal: High is the largest number that is not
	// unusual, Low as far below as two deviations.
	Expected, Low, High float64
}

// Bands returns the expected calls of the 24 hours of day s.Next, as they are before any call of that day.
func (d *Detector) Bands(s *State) (bands [24]Band) {
	list, _ := d.BandsOf(s, 60, nil, nil) // without counts there is nothing to refuse
	copy(bands[:], list)
	return bands
}

// BandsOf returns the expected calls of the steps of so many minutes, a divisor of a day's, of day s.Next, with the counts of
// that day as far as they are known and the incidents that Day or Peek has found in them: where a level has crept up, the band is
// lifted as detection lifts it. High is by the longest of the windows that is no longer than a step, 5 minutes at least, and by
// longer ones. Counts of other days are an error, as for Day.
func (d *Detector) BandsOf(s *State, minutes int, counts []Count, found []Incident) ([]Band, error) {
	if err := d.load(s, s.next, counts); err != nil {
		return nil, err
	}
	d.begin(s, d.merged)
	s.copyTo(&d.peeked)
	for i := range found {
		in := &found[i]
		d.peeked.past = append(d.peeked.past, bygone{in.Start, uint32(in.Duration()), in.Calls})
	}
	s.freeze(&d.model, &d.params)
	m := &d.model
	w := 0
	for w+1 < windowCount && int(windows[w+1]) <= minutes {
		w++
	}
	bands := make([]Band, DayMinutes/minutes)
	last := -1 // the last point up to the minute
	for i := range bands {
		from := int32(i * minutes)
		to := from + int32(minutes)
		plain, want := 0.0, 0.0
		for at := from; at < to; { // in hours: what is lifted changes from one to the next
			until := min(at+60, to)
			for last+1 < len(d.pts) && d.pts[last+1].at < until {
				last++
			}
			e := m.expect(at, until)
			plain += e
			want += float64(e * d.lately(&d.peeked, until-1, last))
			at = until
		}
		lift := 1.0
		if plain > 0 {
			lift = want / plain
		}
		a := m.dispersion(w, to-1)
		high := m.mostCalls(w, to-1, want, a, d.params.MinCalls)
		for longer := w + 1; longer < windowCount; longer++ { // what is unusual in them is so in any part of them
			high = min(high, m.mostCalls(longer, to-1, float64(m.expect(to-windows[longer], to)*lift), m.dispersion(longer, to-1), d.params.MinCalls))
		}
		bands[i] = Band{Expected: round(want), Low: round(max(0, want-float64(2*deviation(want, a)))), High: round(max(high, want))}
	}
	return bands, nil
}

// deviation of a negative binomial number.
func deviation(want, a float64) float64 { return math.Sqrt(want + float64(a*float64(want*want))) }

// mostCalls returns the largest number of calls in a window that is not unusual.
func (m *model) mostCalls(w int, at int32, want, a float64, minCalls uint64) float64 {
	least := max(float64(minCalls), atLeastTimes*want)
	switch {
	case m.sparse:
		least = max(least, float64(m.need(w, at)))
	case want < fewWanted:
		least = max(least, sparseCalls)
	}
	lo, hi := 0.0, max(least, 1)
	for tail(hi, want, a) < m.threshold && hi < 1<<40 {
		lo, hi = hi, 2*hi
	}
	for hi-lo > 0.5 && hi-lo > hi/1e6 {
		mid := (lo + hi) / 2
		if tail(mid, want, a) < m.threshold {
			lo = mid
		} else {
			hi = mid
		}
	}
	return max(hi, least) - 1
}
