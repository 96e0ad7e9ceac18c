package insight

import (
	"math"
	"math/bits"
	"slices"
)

// windows are the lengths in minutes over which calls are counted.
var windows = [...]int32{5, 15, 60}

const windowCount = len(windows)

const (
	// pseudo is how many calls each level of the profile's hierarchy is worth where it
	// is handed down to the next finer one.
	pseudo = 20
	// clumpMax bounds the size of a clump of calls that makes pseudo calls dearer.
	clumpMax = 50
	// leastDispersion is a spread of 5 %: nothing real is calmer.
	leastDispersion = 0.0025
	// sparseCalls is what a call of which nearly nothing was seen must reach in 5 or 15 minutes, sparseHour in an hour.
	sparseCalls = 30
	sparseHour  = 40
	// Fewer than fewWanted calls in a window are as good as none: sparseCalls are needed there, too.
	fewWanted = 0.5
	// atLeastTimes the expected count is what a window must hold to be unusual.
	atLeastTimes = 2.5
	// growthMost bounds how many times larger or smaller the next week is expected to be than the last.
	growthMost = 2
	// clumpySpread of hourly counts makes a series one of clumps, whatever its rate.
	clumpySpread = 0.5
	// stepTimes is how many times larger than its neighbour an hour is after a step.
	stepTimes = 2
	// clumpTimes the most of 28 days is what a clumpy series must reach, and fewTimes more divided by the days with clumps.
	clumpTimes = 2.5
	fewTimes   = 7
	// clumpCalls in an hour are a clump.
	clumpCalls = 5
	// tailSpreads is how many standard deviations of the logarithm of a day's largest clump another must be above their
	// mean; tailFew is what is added for few days, divided by their number less one; tailMost bounds that in times
	// the largest.
	tailSpreads = 3.6
	tailFew     = 10
	tailMost    = 6
	// silentClumps days with clumps tell when a series has none, silentCalls in 28 days is none, and silentTimes the most of
	// the 28 days is what it must reach then.
	silentClumps = 8
	silentCalls  = 1
	silentTimes  = 0.5
	// turnedCalls are enough for a look at whether clocks were changed; turnedTimes better must the other hours fit, with a
	// spread of counts of turnedSpread.
	turnedCalls  = 100
	turnedTimes  = 3
	turnedSpread = 0.02
	// gumbelUnits is how many scale units beyond its mode a series' own distribution of
	// daily maxima is extrapolated: once in e^10 days, 60 years.
	gumbelUnits = 10
	// gumbelDays is how many days are needed for quartiles.
	gumbelDays = 7
)

// model is what a series' past says about one day, frozen at its midnight.
type model struct {
	days      int // observed, at most HistoryDays
	sparse    bool
	rates     [28]float64 // calls per minute in the hours -2 to 25 of the day
	most      [28]float64 // the same, or what the hour had before clocks were changed, if that is more
	common    [28]float64 // the same, but not above what all weekdays (or both days of the weekend) have at that hour
	widen     [28]float64 // dispersion that the rates' own uncertainty adds
	spread    [windowCount]float64
	peak      [windowCount]uint32
	clumps    int                 // days with a clump of calls
	tail      [windowCount]uint64 // a clump that the sizes of the past make unlikely
	silent    [24]bool            // there are never calls at this hour and those beside it
	threshold float64
	mean      float64                         // calls per minute, 28 days
	cum       [reach + DayMinutes + 1]float64 // expected calls from -reach up to a minute
	line      [reach + DayMinutes + 1]float64 // the same, with a straight line where cum has a step
}

// expect returns the calls expected in minutes [from, to) of the day; from ≥ -reach.
func (m *model) expect(from, to int32) float64 { return m.cum[to+reach] - m.cum[from+reach] }

// straight is expect without steps: the sum of it is right, so the spread round it can be measured.
func (m *model) straight(from, to int32) float64 { return m.line[to+reach] - m.line[from+reach] }

// least is what is expected in a minute at the least: after a step the smaller hour, since nobody knows when in the other its calls
// come.
func (m *model) least(at int32) float64 {
	i := max(at+90, 0) / 60
	if a, b := min(m.most[i], m.most[i+1]), max(m.most[i], m.most[i+1]); b > stepTimes*a {
		return a
	}
	return m.straight(at, at+1)
}

// dispersion of the window w that ends at minute at.
func (m *model) dispersion(w int, at int32) float64 {
	return m.spread[w] + m.widen[(at+120)/60]
}

// need is how many calls a window of a clumpy series that ends at a minute must hold: clumpTimes the most of 28 days, more if there
// were few days with clumps, or if their sizes say so; less at hours at which there are never any.
func (m *model) need(w int, at int32) uint64 {
	least := uint64(sparseCalls)
	if w == windowCount-1 {
		least = sparseHour
	}
	if m.silent[at/60] {
		return max(least, uint64(silentTimes*float64(m.peak[w])))
	}
	times := clumpTimes + fewTimes/float64(max(m.clumps, 1))
	return max(least, uint64(times*float64(m.peak[w])), m.tail[w])
}

// sizes looks at the largest clump of each day: people's sessions differ by factors, so their logarithms tell how large
// the next ones may be.
func (s *State) sizes(m *model) {
	for w := range m.tail {
		m.tail[w] = 0
		var sum, squares float64
		n := 0
		for d := s.oldest(); d < s.next; d++ {
			if sl := s.slot(d); sl.peak[windowCount-1] >= clumpCalls {
				v := ln(float64(sl.peak[w]))
				sum += v
				squares += float64(v * v)
				n++
			}
		}
		if n < 3 {
			continue
		}
		mean := sum / float64(n)
		spread := math.Sqrt(max(squares/float64(n)-float64(mean*mean), 0) * float64(n) / float64(n-1))
		most := mean + float64(spread*(tailSpreads+tailFew/float64(n-1)))
		// The least number whose logarithm is as large: no exponential function is the same everywhere.
		lo, hi := uint64(0), uint64(tailMost*float64(m.peak[w]))+1
		for lo+1 < hi {
			if mid := (lo + hi) / 2; ln(float64(mid)) < most {
				lo = mid
			} else {
				hi = mid
			}
		}
		m.tail[w] = hi
	}
}

// silences finds the hours without calls.
func (m *model) silences(hod *[24]float64) {
	for h := range m.silent {
		m.silent[h] = m.clumps >= silentClumps && hod[h]+hod[(h+1)%24]+hod[(h+23)%24] <= silentCalls
	}
}

// freeze computes the model of day s.next from the days before it.
func (s *State) freeze(m *model, p *Params) {
	day := s.next
	first := s.oldest()
	m.days = int(day - first)
	var hod [24]float64
	var class [2][24]float64
	var week [3][24]float64 // yesterday's, today's and tomorrow's weekday
	var hodMin, classMin, weekMin = [24]float64{}, [2][24]float64{}, [3][24]float64{}
	today := day.weekday()
	var total, minutes, squares float64
	var total7, minutes7 float64
	var weekly, weeklyMin [3]float64 // the last three weeks, the last first
	m.peak, m.clumps = [windowCount]uint32{}, 0
	for d := first; d < day; d++ {
		sl := s.slot(d)
		wd := d.weekday()
		c := weekend(wd)
		k := -1
		switch wd {
		case today:
			k = 1
		case (today + 6) % 7:
			k = 0
		case (today + 1) % 7:
			k = 2
		}
		var sum, mins float64
		for h := range 24 {
			n, t := float64(sl.hours[h]), float64(60-sl.off[h])
			sum += n
			mins += t
			squares += float64(n * n)
			hod[h] += n
			hodMin[h] += t
			class[c][h] += n
			classMin[c][h] += t
			if k >= 0 {
				week[k][h] += n
				weekMin[k][h] += t
			}
		}
		total += sum
		minutes += mins
		if d >= day-7 {
			total7 += sum
			minutes7 += mins
		}
		if w := int(day-d-1) / 7; w < len(weekly) {
			weekly[w] += sum
			weeklyMin[w] += mins
		}
		if sl.peak[windowCount-1] >= clumpCalls {
			m.clumps++
		}
		for w := range m.peak {
			m.peak[w] = max(m.peak[w], sl.peak[w])
		}
	}
	m.sparse = total*60 < minutes
	m.mean = (total + 0.5) / max(minutes, DayMinutes)
	clump := 1.0
	if m.sparse && total > 0 {
		clump = min(max(squares/total, 1), clumpMax)
	}
	k := float64(pseudo * clump)
	level := (total7 + k) / (float64(minutes7*m.mean) + k)
	if m.days >= 7*len(weekly) {
		level *= math.Sqrt(growth(&weekly, &weeklyMin, k, m.mean))
	}
	level = min(max(level, 1.0/8), 8)
	shrink := func(n, minutes, prior float64) float64 { return (n + k) / (minutes + k/prior) }
	for i := range m.rates {
		h, which, wd := (i+22)%24, 1, today
		if i < 2 {
			which, wd = 0, (today+6)%7
		} else if i >= 26 {
			which, wd = 2, (today+1)%7
		}
		c := weekend(wd)
		r := shrink(hod[h], hodMin[h], m.mean)
		r = shrink(class[c][h], classMin[c][h], r)
		m.common[i] = r
		r = shrink(week[which][h], weekMin[which][h], r)
		m.common[i] = float64(min(m.common[i], r) * level)
		m.rates[i] = float64(r * level)
		m.widen[i] = clump / (week[which][h] + k)
	}
	m.interpolate(s.turned(&class, &classMin))
	s.dispersions(m)
	m.sparse = m.sparse || m.spread[windowCount-1] > clumpySpread
	if m.sparse {
		s.sizes(m)
		m.silences(&hod)
	}
	s.ownThreshold(m, p)
}

// growth is how many times larger a week is than the one before, if the last three weeks grew or fell
// all the way: the smaller of both changes. The middle of the last 7 days is half a week ago.
func growth(calls, minutes *[3]float64, k, mean float64) float64 {
	var rate [3]float64
	for i := range rate {
		rate[i] = (calls[i] + k) / (float64(minutes[i]*mean) + k)
	}
	a, b := rate[0]/rate[1], rate[1]/rate[2]
	switch {
	case a > 1 && b > 1:
		return min(a, b, growthMost)
	case a < 1 && b < 1:
		return max(a, b, 1.0/growthMost)
	}
	return 1
}

// usually returns what windows held near a minute of the day in earlier weeks and days: the second
// largest of the same weekday in four weeks or, if larger, the third largest of the last
// ten days, weekdays and weekends apart. A single anomaly of the past
// does not count, a job does from its third time on. For 5 minutes it is the most that a window
// held in the hours within recurMinutes, for 60 minutes what such an hour held, for 15 the smaller of
// three times the first and the second. Only what is far from that hour's expected rate counts: a job, not the spread of
// calls. weekly tells which of the two it was.
func (s *State) usually(m *model, at int32) (most [windowCount]uint64, weekly [windowCount]bool) {
	var week, day top
	for ago := Day(1); ago <= HistoryDays && s.next-ago >= s.since; ago++ {
		if ago > 10 && ago%7 != 0 {
			continue
		}
		five, hour := uint32(0), uint32(0)
		for t := at - recurMinutes; t <= at+recurMinutes; t += recurMinutes / 3 {
			d, h := s.next-ago, t
			if h < 0 {
				d, h = d-1, h+DayMinutes
			} else if h >= DayMinutes {
				d, h = d+1, h-DayMinutes
			}
			if d >= s.next || d < s.oldest() {
				continue
			}
			sl := s.slot(d)
			rate := m.common[(t+120)/60]
			if n := unpack(sl.five[h/60]); n > five && job(float64(n), 5*rate) {
				five = n
			}
			if n := sl.hours[h/60]; n > hour && job(float64(n), 60*rate) {
				hour = n
			}
		}
		if ago <= 10 && weekend((s.next-ago).weekday()) == weekend(s.next.weekday()) {
			day.add(five, hour)
		}
		if ago%7 == 0 {
			week.add(five, hour)
		}
	}
	for i := range 2 {
		w := [...]int{0, windowCount - 1}[i]
		most[w] = uint64(max(week[i][1], day[i][2]))
		weekly[w] = week[i][1] >= day[i][2]
	}
	most[1], weekly[1] = min(3*most[0], most[windowCount-1]), weekly[0]
	return most, weekly
}

// job tells whether n calls in a past window are more than the spread of calls round want gives.
func job(n, want float64) bool {
	return n >= atLeastTimes*want && tail(n, want, jobDispersion) >= jobTail
}

// top holds the three largest of two values.
type top [2][3]uint32

func (t *top) add(v ...uint32) {
	for i, v := range v {
		for j := range t[i] {
			if v > t[i][j] {
				v, t[i][j] = t[i][j], v
			}
		}
	}
}

// pack keeps a number in a byte: up to 15 exactly, above with a mantissa of 3 bits. unpack returns the
// largest number that has the same byte.
func pack(n uint32) uint8 {
	if n < 16 {
		return uint8(n)
	}
	e := bits.Len32(n) - 4
	return uint8(8 + 8*e + int(n>>e&7))
}

func unpack(b uint8) uint32 {
	if b < 16 {
		return uint32(b)
	}
	e := (b - 8) / 8
	return uint32((uint64(8+(b-8)%8)+1)<<e - 1)
}

func weekend(weekday int) int {
	if weekday >= 5 {
		return 1
	}
	return 0
}

// turned tells by how many hours the clock of whoever makes the calls has been changed: 1 if yesterday's hours are what the next
// hour has on other such days, by far rather than what this one has, −1 if it is the one before, else 0. Until the profile has
// followed, that takes weeks.
func (s *State) turned(calls, minutes *[2][24]float64) int {
	if s.next-s.oldest() < LearnDays {
		return 0
	}
	yesterday := s.slot(s.next - 1)
	c := weekend((s.next - 1).weekday())
	var rate [24]float64
	var sum, want float64
	for h := range rate {
		n, t := float64(yesterday.hours[h]), float64(60-yesterday.off[h])
		if rest := minutes[c][h] - t; rest > 0 {
			rate[h] = (calls[c][h] - n) / rest
		}
		sum += n
		want += float64(rate[h] * t)
	}
	if sum < turnedCalls || want <= 0 {
		return 0
	}
	var misfit [3]float64
	for k := range misfit {
		for h, n := range yesterday.hours {
			m := float64(float64(rate[(h+k+23)%24]*float64(60-yesterday.off[h])) * (sum / want))
			e := float64(n) - m
			misfit[k] += float64(e*e) / (1 + m + float64(turnedSpread*float64(m*m)))
		}
	}
	for _, k := range [...]int{0, 2} {
		if misfit[1] > 24*turnedTimes && misfit[k]*turnedTimes < misfit[1] {
			return k - 1
		}
	}
	return 0
}

// interpolate lays straight lines between the middles of the hours and sums them up. Where neighbours differ
// by stepTimes there is a step, and nobody knows at which minute: there the larger one is expected from middle to
// middle. If clocks were changed, the line is that of the new hours, and what is expected the larger of both: not everyone has.
func (m *model) interpolate(turned int) {
	if turned != 0 {
		old := m.rates
		for i := range old {
			v := old[min(max(i+turned, 0), len(old)-1)]
			m.rates[i] = v
			m.most[i], m.common[i] = max(v, old[i]), max(v, m.common[i])
		}
	} else {
		m.most = m.rates
	}
	sum, line, at := 0.0, 0.0, 0
	for ; at < 30; at++ { // no middle before it
		sum += m.most[0]
		line += m.rates[0]
		m.cum[at+1], m.line[at+1] = sum, line
	}
	for i := 0; ; i++ {
		a, b := m.rates[i], m.rates[i+1]
		big, bigger := m.most[i], m.most[i+1]
		up := (bigger - big) / 60
		v := big + up/2
		step := (b - a) / 60
		r := a + step/2
		steep := big > stepTimes*bigger || bigger > stepTimes*big
		for range 60 {
			if at == reach+DayMinutes {
				return
			}
			line += r
			if steep {
				sum += max(big, bigger)
			} else {
				sum += v
			}
			at++
			m.cum[at], m.line[at] = sum, line
			r += step
			v += up
		}
	}
}

// dispersions estimates how much more than Poisson counts spread round what is
// expected, for each window, from the sums of the days without the worst one.
func (s *State) dispersions(m *model) {
	var square float64
	var excess, worst, worstSquare [windowCount]float64
	for w := range worst {
		worst[w] = math.Inf(-1)
	}
	for d := s.oldest(); d < s.next; d++ {
		sl := s.slot(d)
		q := float64(sl.square)
		square += q
		for w := range excess {
			e := float64(sl.excess[w])
			excess[w] += e
			if e > worst[w] {
				worst[w], worstSquare[w] = e, q
			}
		}
	}
	for w := range excess {
		e, q := excess[w], square
		if m.days > 1 {
			e -= worst[w]
			q -= worstSquare[w]
		}
		q = max(float64(q*float64(windows[w])), 1e-6)
		// One standard deviation of the estimate, as if the counts were Poisson.
		m.spread[w] = max(e/q, leastDispersion) + min(math.Sqrt(2/q), 1)
	}
}

// ownThreshold extrapolates the series' own daily maxima: a Gumbel distribution
// through their quartiles.
func (s *State) ownThreshold(m *model, p *Params) {
	m.threshold = p.threshold()
	if m.days < gumbelDays {
		return
	}
	var scores [HistoryDays]float64
	n := 0
	for d := s.oldest(); d < s.next; d++ {
		scores[n] = float64(s.slot(d).score)
		n++
	}
	slices.Sort(scores[:n])
	q1, q3 := quantile(scores[:n], 1), quantile(scores[:n], 3)
	beta := (q3 - q1) / 1.572534 // ln ln 4 − ln ln (4/3)
	mode := q1 + float64(0.326634*beta)
	own := mode + float64(gumbelUnits*beta)
	m.threshold = round(max(m.threshold, own/p.Sensitivity))
}

// quantile returns the k-th quartile of sorted values.
func quantile(v []float64, k int) float64 {
	at := k * (len(v) - 1)
	i, f := at/4, float64(at%4)/4
	if i+1 == len(v) {
		return v[i]
	}
	return v[i] + float64(f*(v[i+1]-v[i]))
}
