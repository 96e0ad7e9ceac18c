package insight

const (
	// movedDays are the days before it fell silent by which a time of the day is known for a job's, and movedSkips of them it
	// may have been left out.
	movedDays  = 6
	movedSkips = 1
	// movedSilent are the days after which a job's time is forgotten: from then on the new time is known by itself.
	movedSilent = 3
	// missedPart of a job's usual calls is as good as none.
	missedPart = 1.0 / 3
	// movedLeast: what has less than half of a job's calls was not the job; its cap is usualTimes as many.
	movedLeast = 2 * usualTimes
)

// oldTime is a time of the day at which a job used to run.
type oldTime struct {
	last  Minute              // when it ran there last, to the hour
	times int                 // on how many of the movedDays
	usual [windowCount]uint64 // the third largest of what windows held there
	calls uint64              // the same of two hours
}

// movedHere expects the open incident, found at a minute of the day with so many calls in windows, if a job that was
// missed at its own time is as large. If it outgrows that, it is reported then, and if it turns out to be much smaller, at its end.
func (d *Detector) movedHere(s *State, at int32, sum *[windowCount]uint64) {
	old, ok := d.moved(s, at)
	for w, n := range sum {
		ok = ok && n <= usualTimes*old.usual[w]
	}
	if !ok {
		return
	}
	r := &s.open
	r.Fate = Recurring
	r.FirstCalls, r.FirstExpected = r.calls, r.expected
	r.Recurs = RecursInfo{Last: old.last, Times: old.times, Moved: true}
	r.capCalls, r.capTime = usualTimes*old.calls, usualTimes*120
}

// moved tells whether what is found at a minute of the day may be a job that has moved from another time: at the time before
// it at which a job ran on all days but one (of weekdays or weekends, as that one is), there was none. It is the
// business of the caller to compare the sizes. A job whose time wanders round the full hour is seen in both hours, so times are
// pairs of hours. There may be no more incidents in a day than jobs that were missed, and one that came before its former time was
// missed; so nobody can hide more than that behind a job that has ended.
func (d *Detector) moved(s *State, at int32) (old oldTime, ok bool) {
	missed := 0
	for end := at / 60 * 60; end > at-DayMinutes; end -= 60 {
		o, isJob, isMissed := d.oldTime(s, end-120)
		switch {
		case !isJob:
			continue
		case !isMissed && missed == 0:
			return old, false
		case !isMissed: // there, or the new time is in the same two hours
			continue
		case missed == 0:
			old = o
		}
		missed++
		end -= 60 // the pair before has an hour of this one
	}
	from, since := s.next.Start()+Minute(at)-DayMinutes, 0
	for i := len(s.past) - 1; i >= 0 && s.past[i].start >= from; i-- {
		since++
	}
	return old, missed > 0 && since <= missed
}

// oldTime looks at the two hours from a full hour, which may be of a day before: whether a job used to run in
// them, and whether it was missed the last time.
func (d *Detector) oldTime(s *State, from int32) (o oldTime, isJob, isMissed bool) {
	day, h := s.next, int(from/60)
	for h < 0 {
		day, h = day-1, h+24
	}
	five, _ := d.twoHours(s, day, h)
	var calls, fives, hours [3]uint32
	silent, seen, ran := 0, 0, 0
	for x := day - 1; x >= s.oldest() && seen < movedDays; x-- {
		if weekend(x.weekday()) != weekend(day.weekday()) {
			continue
		}
		f, n := d.twoHours(s, x, h)
		is := f >= clumpCalls && job(float64(f), 5*d.model.mean)
		if !is && seen == 0 {
			if silent++; silent > movedSilent {
				return o, false, false
			}
			continue
		}
		seen++
		if is {
			if ran++; ran == 1 {
				o.last = x.Start() + Minute(h*60)
			}
			third(&fives, f)
			third(&hours, max(n[0], n[1]))
			third(&calls, n[0]+n[1])
		}
	}
	if seen < movedDays-movedSkips || ran < seen-movedSkips {
		return o, false, false
	}
	o.times, o.calls = ran, uint64(calls[2])
	o.usual[0], o.usual[windowCount-1] = uint64(fives[2]), uint64(hours[2])
	o.usual[1] = min(3*o.usual[0], o.usual[windowCount-1])
	return o, true, float64(five) < missedPart*float64(fives[2])
}

// twoHours returns the most calls in five minutes of an hour of a day and the one after it, and the calls of both.
func (d *Detector) twoHours(s *State, day Day, h int) (five uint32, calls [2]uint32) {
	for i := range calls {
		if h+i == 24 {
			day, h = day+1, h-24
		}
		if day < s.oldest() {
			continue
		}
		if day < s.next {
			sl := s.slot(day)
			five, calls[i] = max(five, unpack(sl.five[h+i])), sl.hours[h+i]
			continue
		}
		first := d.firstAt(int32(h+i) * 60)
		lo, sum := first, uint32(0)
		for _, p := range d.pts[first:] {
			if p.at >= int32(h+i+1)*60 {
				break
			}
			calls[i] += p.n
			sum += p.n
			for ; d.pts[lo].at <= p.at-5; lo++ {
				sum -= d.pts[lo].n
			}
			five = max(five, sum)
		}
	}
	return five, calls
}

// third keeps the three largest numbers, in order.
func third(t *[3]uint32, v uint32) {
	for i := range t {
		if v > t[i] {
			v, t[i] = t[i], v
		}
	}
}
