package insight

import (
	"fmt"
	"slices"
)

const (
	// mergeGap is how many quiet minutes end an incident: what comes sooner is the same one.
	mergeGap = 10
	// normalAgain is how much likelier, in nats, normal calls must be than unusual ones.
	normalAgain = 6
	// hiddenMost is how many minutes an incident may be hidden by what is expected at an hour, before it counts as over.
	hiddenMost = 240
	// longest is the minutes after which an incident is the new level.
	longest = DayMinutes
	// maskedShare is the part of the 28 days that incidents may take out of the baseline.
	maskedShare = 0.03
	// jobTail is the surprise, in nats and with a dispersion of jobDispersion, beyond which what was there before at a time
	// is a job rather than the usual spread of calls.
	jobTail       = 12
	jobDispersion = 0.05
	// usualTimes is how many times what was there before at this time of the week or day is still expected.
	usualTimes = 2
	// latelyMost bounds what the last hours say about the level, and latelyPseudo calls are what they must outweigh.
	latelyMost   = 2.0
	latelyPseudo = 20
	// recurMinutes is how far a recurring job may be from its time: a quarter of an hour, and the hour by which clocks are
	// changed twice a year.
	recurMinutes = 75
)

// A Detector finds incidents. It holds the parameters and working memory, no
// knowledge of any series, so one serves all series of a goroutine in turn.
type Detector struct {
	params Params
	model  model
	frozen bool    // model is of the day at hand
	pts    []point // recent minutes, then the day's
	today  int     // where the day's begin
	out    []Incident
	merged []Count
	peeked State
}

// NewDetector returns a detector with parameters, whose zero values stand for defaults.
func NewDetector(p Params) (*Detector, error) {
	p, err := p.Fill()
	if err != nil {
		return nil, err
	}
	return &Detector{params: p}, nil
}

// Params returns the parameters, defaults filled in.
func (d *Detector) Params() Params { return d.params }

// Day takes the complete counts of a day and moves s to the day after it; days
// between s.Next and it had no calls. It returns the incidents that were found, went on or ended in those
// days, in order of their start; an incident that is open at midnight comes again with
// the next day. The slice is valid until the next call. Counts in any order are
// brought in order; those of other days, and days before s.Next, are an error: take an earlier
// state and go on from that.
func (d *Detector) Day(s *State, day Day, counts []Count) ([]Incident, error) {
	d.out = d.out[:0]
	if day < s.next {
		return nil, fmt.Errorf("insight: counts of day %d, but the state has gone on to day %d; go on from an earlier state", day, s.next)
	}
	if err := d.load(s, day, counts); err != nil {
		return nil, err
	}
	if err := d.idle(s, day); err != nil {
		return nil, err
	}
	d.run(s, DayMinutes)
	d.closeDay(s)
	return d.out, nil
}

// Idle moves s to the beginning of a day; there were no calls before it. It returns what Day
// returns.
func (d *Detector) Idle(s *State, until Day) ([]Incident, error) {
	d.out, d.merged = d.out[:0], d.merged[:0]
	err := d.idle(s, until)
	return d.out, err
}

// Peek returns what Day would if the day's counts up to and without minute now were all that
// is ever known, with s as it was: incidents of a day under way, open ones as open. As counts
// only grow, what is reported stays unusual whatever arrives of the last hour; only its start, and whether it is
// a recurring one, can change. Minutes that are final are a matter of the caller, who compares Found, Decided and
// Closed with what it holds for settled.
func (d *Detector) Peek(s *State, now Minute, counts []Count) ([]Incident, error) {
	d.out = d.out[:0]
	day := now.Day()
	if day < s.next {
		return nil, fmt.Errorf("insight: a look at minute %d, but the state has gone on to day %d; take an earlier state", now, s.next)
	}
	s.copyTo(&d.peeked)
	if err := d.load(&d.peeked, day, counts); err != nil {
		return nil, err
	}
	if err := d.idle(&d.peeked, day); err != nil {
		return nil, err
	}
	until := int32(now - day.Start())
	for len(d.pts) > d.today && d.pts[len(d.pts)-1].at >= until {
		d.pts = d.pts[:len(d.pts)-1]
	}
	d.run(&d.peeked, until)
	if d.peeked.isOpen {
		d.out = append(d.out, d.peeked.open.Incident)
	}
	return d.out, nil
}

// load puts the day's counts into d.merged, checked and in order.
func (d *Detector) load(s *State, day Day, counts []Count) error {
	d.merged = append(d.merged[:0], counts...)
	if !slices.IsSortedFunc(counts, func(a, b Count) int {
		if a.Minute < b.Minute {
			return -1
		}
		return 1
	}) {
		d.merged = Merge(d.merged)
	}
	if n := len(d.merged); n > 0 && (d.merged[0].Minute < day.Start() || d.merged[n-1].Minute >= (day+1).Start()) {
		return fmt.Errorf("insight: counts of minutes %d to %d were given for day %d", d.merged[0].Minute, d.merged[n-1].Minute, day)
	}
	return nil
}

// begin lays out the points of day s.next.
func (d *Detector) begin(s *State, counts []Count) {
	d.pts = append(d.pts[:0], s.recent...)
	d.today = len(d.pts)
	base := s.next.Start()
	for _, c := range counts {
		if c.Calls > 0 {
			d.pts = append(d.pts, point{int32(c.Minute - base), uint32(min(c.Calls, CallsMax))})
		}
	}
	d.frozen = false
}

// idle goes through days without calls and lays out the points of the day that follows.
func (d *Detector) idle(s *State, until Day) error {
	counts := d.merged
	for s.next < until && (s.isOpen || len(s.recent) > 0) {
		d.begin(s, nil)
		d.run(s, DayMinutes)
		d.closeDay(s)
	}
	if skip := until - s.next; skip > 0 {
		for day := max(s.next, until-HistoryDays); day < until; day++ {
			*s.slot(day) = slot{minutes: DayMinutes}
		}
		s.next = until
		s.floor = -reach
	}
	d.begin(s, counts)
	return nil
}

// run looks at the minutes of day s.next up to and without until.
func (d *Detector) run(s *State, until int32) {
	if !s.isOpen && !d.enough() {
		return
	}
	s.freeze(&d.model, &d.params)
	d.frozen = true
	m := &d.model
	best := 0.0
	cursor := int32(0)
	pts := d.pts
	i := d.today
	var lo [windowCount]int
	var sum [windowCount]uint64
	rebuild := func() {
		for w := range lo {
			sum[w] = 0
			lo[w] = i
			for lo[w] > 0 && pts[lo[w]-1].at >= s.floor {
				lo[w]--
				sum[w] += uint64(pts[lo[w]].n)
			}
		}
	}
	rebuild()
	for {
		if s.isOpen {
			if !d.follow(s, &cursor, until) {
				break
			}
			i = d.firstAt(cursor)
			rebuild()
		}
		if i == len(pts) {
			break
		}
		p := pts[i]
		i++
		hit, fresh := -1, false
		var hitScore, hitWant float64
		var usual [windowCount]uint64
		var weekly [windowCount]bool
		asked := false
		lift := 0.0
		for w := range sum {
			from := p.at + 1 - windows[w]
			sum[w] += uint64(p.n)
			for pts[lo[w]].at < from {
				sum[w] -= uint64(pts[lo[w]].n)
				lo[w]++
			}
			if sum[w] < d.params.MinCalls {
				continue
			}
			n := float64(sum[w])
			want := m.expect(max(from, s.floor), p.at+1)
			if n < 1.5*want {
				continue
			}
			if lift == 0 {
				lift = d.lately(s, p.at, i-1)
			}
			want = float64(want * lift)
			score := tail(n, want, m.dispersion(w, p.at))
			best = max(best, score)
			if sum[w] >= d.need(w, p.at, want) && n >= atLeastTimes*want && score >= m.threshold && m.days > 0 {
				if !asked {
					usual, weekly = s.usually(m, p.at)
					asked = true
				}
				isNew := sum[w] > usualTimes*usual[w]
				if isNew && !fresh || isNew == fresh && score > hitScore {
					hit, hitScore, hitWant, fresh = w, score, want, isNew
				}
			}
		}
		if hit >= 0 {
			d.found(s, i, hit, hitScore, sum[hit], hitWant, lift)
			switch r := &s.open; {
			case r.Fate == Recurring:
			case !fresh:
				r.local = true
				r.Fate = Recurring
				r.FirstCalls, r.FirstExpected = r.calls, r.expected
				r.Recurs = RecursInfo{Last: r.Start - WeekMinutes, Times: 2}
				if !weekly[hit] {
					r.Recurs = RecursInfo{Last: r.Start - DayMinutes, Times: 3, Daily: true}
				}
			default:
				d.movedHere(s, p.at, &sum)
			}
			cursor = p.at + 1
		}
	}
	s.slot(s.next).score = float32(best)
}

// lately is how many times more calls there were in the hour that ended an hour before a minute than are expected and usual, from
// 1 to latelyMost: what has crept up for so long is another level, and not a burst. Earlier incidents are left out. end is the index of
// the last point up to that minute.
func (d *Detector) lately(s *State, at int32, end int) float64 {
	m, pts := &d.model, d.pts
	if m.sparse {
		return 1
	}
	base := s.next.Start()
	to := at + 1 - reach/2
	from := to - reach/2
	n, want := 0.0, m.expect(from, to)
	last := len(s.past) // incidents from here on are left out
	for ; last > 0; last-- {
		b := &s.past[last-1]
		begin, over := int32(max(b.start-base, -reach)), int32(max(b.start+Minute(b.duration)-base, -reach))
		if over <= from {
			break
		}
		if begin, over = max(begin, from), min(over, to); begin < over {
			want -= m.expect(begin, over)
		}
	}
	for i := end; i >= 0 && pts[i].at >= from; i-- {
		if pts[i].at < to && !s.wasUnusual(last, base+Minute(pts[i].at)) {
			n += float64(pts[i].n)
		}
	}
	want = max(want, 0)
	want += latelyPseudo + deviation(want, m.spread[windowCount-1])
	return min(max((n+latelyPseudo)/want, 1), latelyMost)
}

// wasUnusual tells whether a minute was part of one of the past incidents from an index on.
func (s *State) wasUnusual(from int, at Minute) bool {
	for _, b := range s.past[from:] {
		if at >= b.start && at < b.start+Minute(b.duration) {
			return true
		}
	}
	return false
}

// enough tells whether the day can hold anything unusual: fewer calls than a window must have cannot.
func (d *Detector) enough() bool {
	n := uint64(0)
	for _, p := range d.pts {
		if p.at >= -windows[windowCount-1] {
			n += uint64(p.n)
			if n >= d.params.MinCalls {
				return true
			}
		}
	}
	return false
}

// firstAt returns the index of the first of the day's points at or after a minute.
func (d *Detector) firstAt(at int32) int {
	i, _ := slices.BinarySearchFunc(d.pts[d.today:], at, func(p point, at int32) int { return int(p.at - at) })
	return d.today + i
}

// found opens an incident: the window w that ends with the point before index end is unusual; want is what it was expected
// to hold, with the lift of the last hours.
func (d *Detector) found(s *State, end, w int, score float64, calls uint64, want, lift float64) {
	m, pts := &d.model, d.pts
	at := pts[end-1].at
	// The start is where the calls up to now are likeliest to have risen.
	start, startGain := at, -1.0
	n := uint64(0)
	for i := end - 1; i >= 0 && pts[i].at >= s.floor && pts[i].at > at-reach; i-- {
		n += uint64(pts[i].n)
		if g := gain(float64(n), float64(m.expect(pts[i].at, at+1)*lift)); g > startGain {
			start, startGain = pts[i].at, g
		}
	}
	base := s.next.Start()
	from := max(at+1-windows[w], s.floor)
	r := &s.open
	*r = running{Incident: Incident{
		Fate: Waiting, Open: true,
		Start: base + Minute(start), End: base + Minute(at) + 1,
		Found:  base + Minute(at),
		Window: int(at + 1 - from), WindowCalls: calls, WindowExpected: want,
		Score: score, Threshold: m.threshold,
	}}
	s.isOpen = true
	d.baseline(s, start)
	n = 0
	first := end
	for first > 0 && pts[first-1].at >= start {
		first--
		n += uint64(pts[first].n)
	}
	// Half way between the expected rate and the incident's own: minutes of a weaker part of it
	// still count as unusual.
	ratio := float64(n) / max(m.expect(start, at+1), leastMean)
	r.lift = 1 + max(ratio-1, 1)/2
	gainPer := ln(r.lift)
	r.best = -1
	for t := start; t <= at; t++ {
		c := uint32(0)
		if first < end && pts[first].at == t {
			c = pts[first].n
			first++
		}
		r.minute(base+Minute(t), c, m.expect(t, t+1), gainPer)
	}
	d.recurs(s)
	d.decide(s, base+Minute(at))
}

// minute adds a minute to an incident.
func (r *running) minute(at Minute, n uint32, want, gainPer float64) {
	r.calls += uint64(n)
	r.expected += want
	r.llr = round(r.llr + (float64(float64(n)*gainPer) - float64((r.lift-1)*want)))
	if n > 0 && r.llr >= r.best {
		r.best, r.End, r.Calls, r.Expected = r.llr, at+1, r.calls, r.expected
	}
}

// follow goes through the minutes of an open incident until it is over (true) or the
// minutes are.
func (d *Detector) follow(s *State, cursor *int32, until int32) bool {
	r, m, base := &s.open, &d.model, s.next.Start()
	gainPer := ln(r.lift)
	i := d.firstAt(*cursor)
	var gone absence
	gone.since(r)
	for t := max(int32(r.End-base), -reach); t < *cursor; t++ {
		gone.minute(d.at(t), m.least(t))
	}
	for *cursor < until {
		t := *cursor
		*cursor++
		c := uint32(0)
		if i < len(d.pts) && d.pts[i].at == t {
			c = d.pts[i].n
			i++
		}
		at := base + Minute(t)
		if r.minute(at, c, m.expect(t, t+1), gainPer); r.End == at+1 {
			gone.since(r)
		} else {
			gone.minute(c, m.least(t))
		}
		if c > 0 && r.Fate == Recurring && r.local && d.outgrown(s, t, i) {
			r.Fate, r.local = Waiting, false
		}
		d.decide(s, at)
		quiet := at + 1 - r.End
		switch {
		case quiet >= mergeGap && r.best-r.llr >= normalAgain:
			if r.Fate != Recurring && quiet < hiddenMost && gone.evidence < normalAgain {
				r.llr = r.best - normalAgain // if it goes on when less is expected, that is soon seen
				continue
			}
		case at+1-r.Start >= longest:
			r.NewLevel = true
			r.End, r.Calls, r.Expected = at+1, r.calls, r.expected
		default:
			continue
		}
		if r.Fate == Recurring && r.Recurs.Moved && r.Calls < r.capCalls/movedLeast {
			r.capCalls = 0 // it was not that job after all
			d.decide(s, at)
		}
		r.Open, r.Closed = false, at
		if r.NewLevel {
			d.newLevel(s, &r.Incident, t+1)
		}
		s.isOpen = false
		s.floor = max(int32(r.End-base), -reach)
		s.remember(&r.Incident)
		d.out = append(d.out, r.Incident)
		return true
	}
	return false
}

// absence is the evidence, in nats, that the additional calls of an incident have ended. At an hour at which many more are expected they
// are no multiple that could be seen; but as long as nothing says that they are missing, the incident is not over: it would be
// found again when that hour has passed. rate is half of them, calls per minute.
type absence struct{ rate, evidence float64 }

// since begins anew at the end of an incident as it is known.
func (a *absence) since(r *running) {
	*a = absence{rate: max(float64(r.Calls)-r.Expected, 0) / float64(2*max(r.Duration(), 1))}
}

// minute adds a minute with n calls of which so many were expected.
func (a *absence) minute(n uint32, want float64) {
	v := a.rate - float64(float64(n)*ln(1+a.rate/max(want, leastMean)))
	a.evidence = round(max(a.evidence, 0) + v)
}

// at returns the calls of a minute.
func (d *Detector) at(t int32) uint32 {
	i, ok := slices.BinarySearchFunc(d.pts, t, func(p point, t int32) int { return int(p.at - t) })
	if !ok {
		return 0
	}
	return d.pts[i].n
}

// need is how many calls a window that ends at a minute, and of which so many were wanted, must hold.
func (d *Detector) need(w int, at int32, want float64) uint64 {
	n := max(d.params.MinCalls, 1)
	switch {
	case d.model.sparse:
		n = max(n, d.model.need(w, at))
	case want < fewWanted:
		n = max(n, sparseCalls)
	}
	return n
}

// outgrown tells whether a window that ends at minute at, whose point is before index end, is
// unusual and holds more than what was there before at this time.
func (d *Detector) outgrown(s *State, at int32, end int) bool {
	m := &d.model
	var usual [windowCount]uint64
	asked := false
	lift := 0.0
	n, i := uint64(0), end
	for w, length := range windows {
		from := max(at+1-length, s.floor)
		for i > 0 && d.pts[i-1].at >= from {
			i--
			n += uint64(d.pts[i].n)
		}
		want := m.expect(from, at+1)
		if n < d.need(w, at, want) || float64(n) < atLeastTimes*want {
			continue
		}
		if lift == 0 {
			lift = d.lately(s, at, end-1)
		}
		want = float64(want * lift)
		if float64(n) < atLeastTimes*want {
			continue
		}
		if !asked {
			usual, _ = s.usually(m, at)
			asked = true
		}
		if n > usualTimes*usual[w] && tail(float64(n), want, m.dispersion(w, at)) >= m.threshold {
			return true
		}
	}
	return false
}

// decide settles whether an open incident is reported.
func (d *Detector) decide(s *State, at Minute) {
	r := &s.open
	switch r.Fate {
	case Reported, Learning:
		return
	case Recurring:
		if r.local || r.Calls <= r.capCalls && int32(r.End-r.Start) <= r.capTime {
			return
		}
	}
	if s.next < s.SpeaksFrom() {
		r.Fate = Learning
	} else if int(at-r.Start)+1 < d.params.MinDuration || float64(r.calls) < d.params.MinRate*float64(at-r.Start+1) {
		r.Fate = Waiting
		return
	} else {
		r.Fate = Reported
		r.Decided = at
	}
	r.FirstCalls, r.FirstExpected = r.calls, r.expected
}

// baseline fills in the average over the days before an incident.
func (d *Detector) baseline(s *State, start int32) {
	r := &s.open
	first := max(r.Start.Day()-7, s.since)
	r.BaselineStart = first.Start()
	day := r.Start.Day()
	for x := first; x < min(day, s.next); x++ {
		sl := s.slot(x)
		r.BaselineCalls += sl.calls
		r.BaselineMinutes += int(sl.minutes)
	}
	if day < s.next { // it began before midnight
		return
	}
	r.BaselineMinutes += int(start)
	for _, p := range d.pts[d.today:] {
		if p.at >= start {
			break
		}
		r.BaselineCalls += uint64(p.n)
	}
	for i := range d.out { // earlier ones of this day
		if o := &d.out[i]; o.Fate == Reported && o.End > s.next.Start() {
			from, to := int32(o.Start-s.next.Start()), int32(o.End-s.next.Start())
			n, t := d.within(max(from, 0), min(to, start))
			r.BaselineCalls -= n
			r.BaselineMinutes -= t
		}
	}
}

// within returns the calls and the length of minutes [from, to) of the day.
func (d *Detector) within(from, to int32) (calls uint64, minutes int) {
	for i := d.firstAt(from); i < len(d.pts) && d.pts[i].at < to; i++ {
		calls += uint64(d.pts[i].n)
	}
	return calls, int(max(to-from, 0))
}

// recurs looks whether something like the open incident happened before at this time.
func (d *Detector) recurs(s *State) {
	r := &s.open
	weeks, days := 0, 0
	lastWeek, lastDay := -1, -1
	var cap, capDay bygone
	for _, b := range s.past {
		ago := r.Start - b.start
		if w := int((ago + WeekMinutes/2) / WeekMinutes); w >= 1 && near(ago-Minute(w)*WeekMinutes) {
			if w != lastWeek {
				weeks++
				lastWeek = w
			}
			cap.calls, cap.duration, cap.start = max(cap.calls, b.calls), max(cap.duration, b.duration), b.start
		}
		if n := int((ago + DayMinutes/2) / DayMinutes); n >= 1 && n <= 10 && near(ago-Minute(n)*DayMinutes) {
			if n != lastDay {
				days++
				lastDay = n
			}
			capDay.calls, capDay.duration, capDay.start = max(capDay.calls, b.calls), max(capDay.duration, b.duration), b.start
		}
	}
	daily := days >= 3
	if weeks < 2 && !daily {
		return
	}
	r.Recurs = RecursInfo{Last: cap.start, Times: weeks}
	if daily {
		r.Recurs = RecursInfo{Last: capDay.start, Times: days, Daily: true}
		cap.calls, cap.duration = max(cap.calls, capDay.calls), max(cap.duration, capDay.duration)
	}
	r.Fate = Recurring
	r.capCalls, r.capTime = 2*cap.calls, int32(min(2*cap.duration+mergeGap, longest))
	r.FirstCalls, r.FirstExpected = r.calls, r.expected
}

func near(m Minute) bool { return m <= recurMinutes && m >= -recurMinutes }

// remember keeps an incident for recurrence.
func (s *State) remember(i *Incident) {
	s.past = slices.DeleteFunc(s.past, func(b bygone) bool { return i.Start-b.start > pastDays*DayMinutes })
	if len(s.past) == pastMax {
		s.past = s.past[:copy(s.past, s.past[1:])]
	}
	s.past = append(s.past, bygone{i.Start, uint32(i.Duration()), i.Calls})
}
