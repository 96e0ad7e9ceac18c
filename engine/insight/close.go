package insight

import "math"

// closeDay puts day s.next into the past, with incidents left out, and moves on.
func (d *Detector) closeDay(s *State) {
	base := s.next.Start()
	if s.isOpen {
		d.out = append(d.out, s.open.Incident)
	}
	sl := s.slot(s.next)
	*sl = slot{score: sl.score, minutes: DayMinutes}
	if !d.frozen {
		sl.score = 0
	}
	for _, p := range d.pts[d.today:] {
		sl.hours[p.at/60] += p.n
		sl.calls += uint64(p.n)
	}
	var reported [DayMinutes/64 + 1]uint64
	var masked [DayMinutes/64 + 1]uint64 // minutes that leave the baseline
	some := false
	budget := d.budget(s)
	for i := range d.out {
		in := &d.out[i]
		from, to := int32(max(in.Start-base, 0)), int32(min(in.End-base, DayMinutes))
		if from >= to {
			continue
		}
		if in.Fate == Reported {
			n, t := d.within(from, to)
			sl.calls -= n
			sl.minutes -= uint16(t)
			for t := from; t < to; t++ {
				reported[t/64] |= 1 << (t % 64)
			}
		}
		if d.model.sparse || in.Fate == Recurring || int(to-from) > budget {
			continue
		}
		budget -= int(to - from)
		some = true
		for t := from; t < to; t++ {
			masked[t/64] |= 1 << (t % 64)
			sl.off[t/60]++
		}
		for j := d.firstAt(from); j < len(d.pts) && d.pts[j].at < to; j++ {
			sl.hours[d.pts[j].at/60] -= d.pts[j].n
		}
	}
	isMasked := func(t int32) bool { return some && masked[t/64]>>(t%64)&1 != 0 }
	d.peaks(sl, isMasked)
	d.fives(sl, func(t int32) bool { return reported[t/64]>>(t%64)&1 != 0 })
	if d.frozen {
		d.spreads(sl, isMasked)
	}
	d.keepRecent(s)
	s.next++
}

// budget is how many more minutes incidents may take out of the baseline.
func (d *Detector) budget(s *State) int {
	n := 0
	days := 1
	for x := s.oldest(); x < s.next; x++ {
		if x == s.next-HistoryDays {
			continue // leaves as this day comes
		}
		days++
		for _, o := range s.slot(x).off {
			n += int(o)
		}
	}
	return int(maskedShare*DayMinutes*float64(days)) - n
}

// peaks notes the most calls in a window, from the last hour of the day before up to the last hour of this one,
// which counts for the next: what goes on over midnight is not its own past. Only of few calls, which is where it is
// asked for.
func (d *Detector) peaks(sl *slot, masked func(int32) bool) {
	if len(d.pts)-d.today > DayMinutes/2 {
		return
	}
	const shift = 60
	for w, length := range windows {
		lo, sum := 0, uint64(0)
		for _, p := range d.pts {
			if p.at >= DayMinutes-shift {
				break
			}
			if p.at >= 0 && masked(p.at) {
				continue
			}
			sum += uint64(p.n)
			for ; d.pts[lo].at <= p.at-length; lo++ {
				if at := d.pts[lo].at; at < 0 || !masked(at) {
					sum -= uint64(d.pts[lo].n)
				}
			}
			if p.at >= -shift {
				sl.peak[w] = max(sl.peak[w], uint32(min(sum, math.MaxUint32)))
			}
		}
	}
}

// fives notes the most calls in five minutes of each hour.
func (d *Detector) fives(sl *slot, skip func(int32) bool) {
	pts := d.pts[d.today:]
	lo, sum := 0, uint64(0)
	var most [24]uint64
	for _, p := range pts {
		for ; pts[lo].at <= p.at-5; lo++ {
			if !skip(pts[lo].at) {
				sum -= uint64(pts[lo].n)
			}
		}
		if skip(p.at) {
			continue
		}
		sum += uint64(p.n)
		most[p.at/60] = max(most[p.at/60], sum)
	}
	for h, n := range most {
		sl.five[h] = pack(uint32(min(n, math.MaxUint32)))
	}
}

// spreads adds up how far the day's counts were from what was expected.
func (d *Detector) spreads(sl *slot, masked func(int32) bool) {
	m := &d.model
	var square float64
	for h := range int32(24) {
		r := m.straight(h*60, h*60+60) / 60
		square += float64(float64(r*r) * float64(60-sl.off[h]))
	}
	sl.square = float32(square)
	pts := d.pts[d.today:]
	for w, length := range windows {
		i, sum := 0, 0.0
		for from := int32(0); from < DayMinutes; from += length {
			n, skip := 0.0, false
			for ; i < len(pts) && pts[i].at < from+length; i++ {
				n += float64(pts[i].n)
			}
			if masked(from) || masked(from+length-1) || masked(from+length/2) {
				skip = true
			}
			if skip {
				continue
			}
			want := m.straight(from, from+length)
			e := n - want
			sum += float64(e*e) - want
		}
		sl.excess[w] = float32(sum)
	}
}

// newLevel makes the rate of an incident that has lasted for a day, up to minute until of day s.next, the level of the past, and
// of the model. Either there are so many times more calls at all hours, or so many more: whichever fits the hours of the incident better.
func (d *Detector) newLevel(s *State, in *Incident, until int32) {
	m := &d.model
	yesterday := s.slot(s.next - 1)
	var n, want [24]float64 // of the hours of today and, for the rest, of yesterday
	for h := range n {
		from := int32(h * 60)
		switch {
		case from+60 <= until:
			calls, _ := d.within(from, from+60)
			n[h] = float64(calls)
		case yesterday.off[h] == 0:
			n[h] = float64(yesterday.hours[h])
		default:
			continue
		}
		want[h] = m.expect(from, from+60)
	}
	ratio := float64(in.Calls) / max(in.Expected, leastMean)
	more := max(float64(in.Calls)-in.Expected, 0) / 24
	var misfit [2]float64
	for h := range n {
		if want[h] == 0 {
			continue
		}
		for k, mean := range [...]float64{float64(want[h] * ratio), want[h] + more} {
			e := n[h] - mean
			misfit[k] += float64(e*e) / (1 + mean + float64(turnedSpread*float64(mean*mean)))
		}
	}
	s.rescale(ratio, more, misfit[0] < misfit[1])
	s.freeze(m, &d.params)
}

// rescale makes the calls of the past days ratio times as many or, not in proportion, so many an hour more.
func (s *State) rescale(ratio, more float64, inProportion bool) {
	for x := s.oldest(); x < s.next; x++ {
		sl := s.slot(x)
		for h := range sl.hours {
			v := float64(sl.hours[h]) + float64(more*float64(60-sl.off[h]))/60
			five := float64(unpack(sl.five[h])) + more/12
			if inProportion {
				v = float64(float64(sl.hours[h]) * ratio)
				five = float64(unpack(sl.five[h])) * ratio
			}
			sl.hours[h] = uint32(min(math.Floor(v+0.5), math.MaxUint32))
			sl.five[h] = pack(uint32(min(five, math.MaxUint32)))
		}
	}
}

// keepRecent keeps the day's last minutes for the next.
func (d *Detector) keepRecent(s *State) {
	s.recent = s.recent[:0]
	for _, p := range d.pts {
		if p.at >= DayMinutes-reach {
			s.recent = append(s.recent, point{p.at - DayMinutes, p.n})
		}
	}
	s.floor = max(s.floor-DayMinutes, -reach)
}
