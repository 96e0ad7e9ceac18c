package insight

import (
	"cmp"
	"slices"
)

// SeriesMax is how many series a Watch takes: names of calls come from outside, and a flood of made-up ones must
// not fill the memory. Large organisations have some 100,000.
const SeriesMax = 1 << 20

// expectedMax is how many expected incidents a Watch remembers, and expectedDays for how long.
const (
	expectedMax  = 4096
	expectedDays = 90
)

// Watch follows all series of a store: states at the beginning of a day, and the counts since. It computes and
// stores nothing; its bytes (Append, DecodeWatch) are for whoever does.
//
//	w, err := insight.NewWatch(insight.Params{})
//	w.Seen(account, region, day)             // any event: a region that is watched
//	id, ok := w.ID(series)
//	late := !w.Add(id, minute, 1)            // counts in any order, none before Day
//	err = w.Advance(day, report)             // what is before day will not change any more
//	err = w.Look(now, report)                // what is known with the counts up to now
//
// The same counts lead to the same incidents, in whatever order and parts they come and wherever Advance is called
// between them, as long as none comes for a day that Advance has left behind. Calls for such a day need a
// Watch from before it, or a new one with all counts. One goroutine at a time.
type Watch struct {
	det      *Detector
	day      Day
	moved    bool
	since    map[place]Day
	ids      map[Series]int
	list     []watched
	expected []Found
	scratch  State
	left     int // series that were not taken
}

// place is where a series is: an account in a region.
type place struct{ account, region string }

// watched is a series and what is known of it.
type watched struct {
	series Series
	state  []byte  // at the beginning of a day up to Watch.day; nil before the first
	open   bool    // state has an incident that is open
	counts []Count // from Watch.day on
	dirty  bool    // there are counts that Look has not seen
	later  bool    // time alone may change what Look says
	found  []Incident
}

// Found is an incident of a series.
type Found struct {
	Series Series
	Incident
}

// NewWatch returns a Watch that has seen nothing.
func NewWatch(p Params) (*Watch, error) {
	det, err := NewDetector(p)
	if err != nil {
		return nil, err
	}
	return &Watch{det: det, since: make(map[place]Day), ids: make(map[Series]int)}, nil
}

// Day returns the day whose counts can still come, as all later ones; ok is false before the first Advance, when
// all can.
func (w *Watch) Day() (day Day, ok bool) { return w.day, w.moved }

// Len returns the number of series; left is how many more there were than SeriesMax.
func (w *Watch) Len() (n, left int) { return len(w.list), w.left }

// Seen tells of an event of any kind on a day: from the first one on, an account is watched in a region, and a call
// that does not occur is known to be absent. It comes before the Advance that leaves the day behind.
func (w *Watch) Seen(account, region string, day Day) {
	p := place{account, region}
	if since, ok := w.since[p]; !ok || day < since {
		w.since[p] = day
	}
}

// ID returns the number of a series, by which Add knows it; ok is false when there are SeriesMax others.
func (w *Watch) ID(s Series) (id int, ok bool) {
	if id, ok := w.ids[s]; ok {
		return id, true
	}
	if len(w.list) == SeriesMax {
		w.left++
		return 0, false
	}
	w.ids[s] = len(w.list)
	w.list = append(w.list, watched{series: s})
	return len(w.list) - 1, true
}

// Add counts calls of a series in a minute. It returns false, and counts nothing, when that is before Day.
func (w *Watch) Add(id int, m Minute, calls uint64) bool {
	if w.moved && m.Day() < w.day {
		return false
	}
	s := &w.list[id]
	s.dirty = true
	if n := len(s.counts); n > 0 && s.counts[n-1].Minute == m {
		s.counts[n-1].Calls = saturate(s.counts[n-1].Calls, calls)
		return true
	}
	s.counts = append(s.counts, Count{m, calls})
	return true
}

// stateOf puts the state of a series into w.scratch.
func (w *Watch) stateOf(s *watched) error {
	if s.state == nil {
		first, ok := w.since[place{s.series.Account, s.series.Region}]
		if day := s.counts[0].Minute.Day(); !ok || day < first {
			first = day
		}
		w.scratch = *NewState(first)
		return nil
	}
	return w.scratch.decode(s.state)
}

// Advance takes the counts before a day for complete and moves on to it. It reports, series by series, the
// incidents that have ended in between; one that is open at the day's beginning comes later. Recurring
// ones are remembered, too (Expected).
func (w *Watch) Advance(day Day, report func(Found)) error {
	if w.moved && day <= w.day {
		return nil
	}
	for i := range w.list {
		s := &w.list[i]
		s.counts = Merge(s.counts)
		n, _ := slices.BinarySearchFunc(s.counts, day.Start(), func(c Count, m Minute) int { return cmp.Compare(c.Minute, m) })
		if n == 0 && !s.open {
			continue
		}
		if err := w.stateOf(s); err != nil {
			return err
		}
		var ended []Incident
		err := w.feed(&w.scratch, s.counts[:n], day, func(in *Incident) {
			if !in.Open {
				ended = append(ended, *in)
			}
		})
		if err != nil {
			return err
		}
		for _, in := range ended {
			w.tell(Found{s.series, in}, report)
		}
		s.state = w.scratch.Append(s.state[:0])
		s.open = w.scratch.isOpen
		s.counts = s.counts[:copy(s.counts, s.counts[n:])]
		s.dirty = true
	}
	w.day, w.moved = day, true
	w.forget()
	return nil
}

// feed takes complete days up to day, calling fn with every word on every incident.
func (w *Watch) feed(s *State, counts []Count, day Day, fn func(*Incident)) error {
	say := func(found []Incident) {
		for i := range found {
			fn(&found[i])
		}
	}
	err := Split(counts, func(d Day, c []Count) error {
		found, err := w.det.Day(s, d, c)
		say(found)
		return err
	})
	// Without an incident nothing can happen, and the next day with calls makes up for it.
	for err == nil && s.isOpen && s.next < day {
		var found []Incident
		found, err = w.det.Idle(s, s.next+1)
		say(found)
	}
	return err
}

// tell reports an incident that has ended.
func (w *Watch) tell(f Found, report func(Found)) {
	if f.Fate == Recurring {
		w.expected = append(w.expected, f)
	}
	report(f)
}

// forget bounds what is remembered of expected incidents.
func (w *Watch) forget() {
	w.expected = slices.DeleteFunc(w.expected, func(f Found) bool { return f.End < (w.day - expectedDays).Start() })
	slices.SortFunc(w.expected, compareFound)
	if n := len(w.expected) - expectedMax; n > 0 {
		w.expected = slices.Delete(w.expected, 0, n)
	}
}

// compareFound orders incidents by start, then by series.
func compareFound(a, b Found) int {
	return cmp.Or(cmp.Compare(a.Start, b.Start), a.Series.Compare(&b.Series))
}

// Compare orders series by their members.
func (s *Series) Compare(o *Series) int {
	return cmp.Or(cmp.Compare(s.Account, o.Account), cmp.Compare(s.Region, o.Region), cmp.Compare(s.EventSource, o.EventSource),
		cmp.Compare(s.EventName, o.EventName), cmp.Compare(s.ErrorCode, o.ErrorCode), cmp.Compare(s.Type, o.Type), cmp.Compare(s.Category, o.Category))
}

// Look reports the incidents since Day, and the one that was open then, as they are if the counts up to and
// without minute now are all there are. Which of their records rest on settled minutes is what Due tells. Nothing
// changes: looking more often, or never, leads to the same incidents.
func (w *Watch) Look(now Minute, report func(Found)) error {
	for i := range w.list {
		s := &w.list[i]
		if s.dirty || s.later {
			if err := w.look(s, now); err != nil {
				return err
			}
		}
		for _, in := range s.found {
			report(Found{s.series, in})
		}
	}
	return nil
}

// look brings what is known of a series up to now.
func (w *Watch) look(s *watched, now Minute) error {
	s.found, s.later = s.found[:0], false
	s.counts = Merge(s.counts)
	n, _ := slices.BinarySearchFunc(s.counts, now, func(c Count, m Minute) int { return cmp.Compare(c.Minute, m) })
	s.later = n < len(s.counts)
	s.dirty = false
	if n == 0 && !s.open {
		return nil
	}
	if err := w.stateOf(s); err != nil {
		return err
	}
	keep := func(in *Incident) {
		if k := len(s.found); k > 0 && s.found[k-1].Start == in.Start {
			s.found[k-1] = *in
		} else {
			s.found = append(s.found, *in)
		}
	}
	today, _ := slices.BinarySearchFunc(s.counts[:n], now.Day().Start(), func(c Count, m Minute) int { return cmp.Compare(c.Minute, m) })
	err := w.feed(&w.scratch, s.counts[:today], now.Day(), keep)
	if err == nil && (w.scratch.isOpen || today < n) && w.scratch.next <= now.Day() {
		var found []Incident
		found, err = w.det.Peek(&w.scratch, now, s.counts[today:n])
		for i := range found {
			keep(&found[i])
		}
	}
	// Records become due, and what is open ends, by time alone.
	for i := range s.found {
		in := &s.found[i]
		if in.Open || max(in.Closed, in.Decided)+2*DayMinutes >= now {
			s.later = true
		}
	}
	return err
}

// Expected returns the incidents that were expected, because they recur, of the last 90 days before Day, in order of
// start: those that have ended.
func (w *Watch) Expected() []Found { return w.expected }

// Phases tells what can be said of how many series at the beginning of Day.
type Phases struct {
	// Series is how many there are, Learning how many of them are without verdicts yet.
	Series, Learning int
	// SpeaksFrom is the first day on which one of those has verdicts, when there are some.
	SpeaksFrom Day
}

// Phases counts series by whether they are beyond their first LearnDays on a day.
func (w *Watch) Phases(today Day) (p Phases) {
	p.Series = len(w.list)
	for i := range w.list {
		s := &w.list[i].series
		if from := w.since[place{s.Account, s.Region}] + LearnDays; from > today {
			if p.Learning++; p.Learning == 1 || from < p.SpeaksFrom {
				p.SpeaksFrom = from
			}
		}
	}
	return p
}
