package simulate

import (
	"math"
	"math/rand/v2"

	"github.com/cairndb/cairn/engine/insight"
)

// Shapes of services: what programs make rather than people, by a third set of means.
//
//   - steady calls come from instances that are started and stopped as the load asks, some minutes late, each with the
//     same number of calls; the load is that of the working days of up to three regions; deployments double calls for hours, and after an
//     outage what was left is made up for;
//   - by the clock, logs are sent once an hour or oftener, as many as the load has made;
//   - nightly jobs grow, and do the work of two after a night that failed; some catch up for two days once;
//   - weekly ones make reports, and a larger one on the first Monday of four;
//   - instead of sessions, pipelines make calls for each commit, in busy and idle weeks, and whoever is on call looks into things at
//     any hour.

// ServicesShapes are those of services.
func ServicesShapes() Shapes {
	sh := DefaultShapes()
	sh.Services = true
	return sh
}

// servicesShares are the relative shares of the kinds.
var servicesShares = [...]float64{10, 36, 12, 7, 7, 14, 7, 7}

func newServices(seed uint64, days int, sh *Shapes, warm int) *Series {
	r := rand.New(rand.NewPCG(seed, 0x73657276))
	s := &Series{seed: seed, Days: days, drift: 1, shift: 1, shapes: sh}
	u := r.Float64() * 100
	for k, w := range servicesShares {
		if u < w {
			s.Kind = Kind(k)
			break
		}
		u -= w
	}
	n := days * insight.DayMinutes
	s.other = &other{rates: make([]float32, n), counts: make([]uint32, n)}
	s.Noise = Noise(r.IntN(3))
	if r.Float64() < 0.12 {
		s.outStart = r.IntN(n)
		s.outEnd = s.outStart + int(logUniform(r, 10, 400))
	}
	switch s.Kind {
	case Flat, Rhythm:
		s.base = logUniform(r, 0.05, 40)
		s.instances(r, s.load(r, s.Kind == Rhythm), warm)
		s.waves(r)
	case Cron:
		s.shippers(r)
	case Nightly, Weekly:
		s.batches(r, warm)
	case Sessions:
		s.pipelines(r)
	case Rare:
		for range poisson(r, logUniform(r, 0.3, 12)*float64(days)/7) {
			s.other.counts[r.IntN(n)]++
		}
	case FirstUse:
		s.spread(s.other.counts, r, (warm+r.IntN(days-warm))*insight.DayMinutes+r.IntN(1300), 1+r.IntN(20), 1+r.IntN(12))
	}
	for t := max(s.outStart, 0); t < min(s.outEnd, n); t++ {
		s.other.counts[t] = 0
	}
	return s
}

// load is what up to three regions at work ask for in each minute of a week, 1 on average.
func (s *Series) load(r *rand.Rand, busy bool) []float64 {
	week := make([]float64, insight.WeekMinutes)
	idle := 0.1 + 0.5*r.Float64()
	for i := range week {
		week[i] = idle
	}
	for range 1 + r.IntN(3) {
		if !busy {
			break
		}
		opens, noon, weight := 24*60*r.Float64(), 30+60*r.Float64(), 0.3+r.Float64()
		free := 5
		if r.IntN(5) == 0 {
			free = 4 // Friday and Saturday
		}
		for t := range week {
			local := (t - int(opens) + 2*insight.WeekMinutes) % insight.WeekMinutes
			if day := local / insight.DayMinutes; day == free || day == free+1 {
				continue
			}
			at := float64(local % insight.DayMinutes)
			if at > 600 {
				continue
			}
			v := min(at/60, (600-at)/90, 1)
			if d := math.Abs(at - 270); d < noon {
				v *= 0.7 + 0.3*d/noon
			}
			week[t] += weight * v
		}
	}
	sum := 0.0
	for _, v := range week {
		sum += v
	}
	for t := range week {
		week[t] *= float64(len(week)) / sum
	}
	return week
}

// instances fills in the expected calls: of instances that follow the load, of deployments, and of what an outage left.
func (s *Series) instances(r *rand.Rand, week []float64, warm int) {
	rates := s.other.rates
	most := 2 + r.IntN(30) // instances at a load of 1
	lag, scaled := 3+r.IntN(20), r.IntN(3) > 0
	growth := math.Exp((r.Float64() - 0.4) * 0.2)
	running := float64(most)
	for t := range rates {
		load := week[t%len(week)] * math.Pow(growth, float64(t)/insight.WeekMinutes)
		if scaled && t%lag == 0 { // up at once, down one by one
			want := math.Ceil(load * float64(most))
			running = max(want, running-1)
		}
		if scaled {
			load = running / float64(most)
		}
		rates[t] = float32(s.base * load)
	}
	if every := r.IntN(20); every < 8 { // deployments on working days, in working hours
		s.change = "deployments"
		for day := range s.Days {
			if day%7 >= 5 || r.IntN(2+every) > 0 {
				continue
			}
			from := day*insight.DayMinutes + 480 + r.IntN(540)
			for t := from; t < min(from+30+r.IntN(210), len(rates)); t++ {
				rates[t] *= 1.4 + 0.6*float32(every)/8
			}
		}
	}
	if s.outEnd > 0 && r.IntN(2) == 0 { // half of the calls are made up for
		s.change += " makes up"
		left := 0.0
		for t := s.outStart; t < min(s.outEnd, len(rates)); t++ {
			left += float64(rates[t]) / 2
		}
		for t := s.outEnd; t < len(rates) && left > 0; t++ {
			left -= float64(rates[t])
			rates[t] *= 2
		}
	}
	if r.IntN(12) == 0 {
		s.shiftDay = warm + r.IntN(s.Days-warm)
		f := float32(logUniform(r, 0.5, 1.8))
		for t := s.shiftDay * insight.DayMinutes; t < len(rates); t++ {
			rates[t] *= f
		}
		s.change += " new level"
	}
}

// waves draws the counts of a steady series, whose rate goes up and down in waves of several lengths.
func (s *Series) waves(r *rand.Rand) {
	cv := [...][2]float64{{0.01, 0.1}, {0.1, 0.2}, {0.25, 0.45}}[s.Noise]
	v := cv[0] + (cv[1]-cv[0])*r.Float64()
	var length, phase [3]float64
	for i := range length {
		length[i], phase[i] = logUniform(r, 12, 500), r.Float64()*2*math.Pi
	}
	sigma := v * math.Sqrt(2.0/float64(len(length)))
	for t := range s.other.counts {
		x := -v * v / 2
		for i := range length {
			x += sigma * math.Sin(float64(t)*2*math.Pi/length[i]+phase[i])
		}
		s.other.counts[t] = uint32(poisson(r, float64(s.other.rates[t])*math.Exp(x)))
	}
}

// shippers send what an hour's load has left, or less often a fixed number.
func (s *Series) shippers(r *rand.Rand) {
	week := s.load(r, r.IntN(3) > 0)
	apart := []int{5, 15, 60, 60, 60, 240, 360}[r.IntN(7)]
	each, at := logUniform(r, 2, 100), r.IntN(apart)
	for ; at < len(s.other.counts); at += apart {
		n := poisson(r, each*week[at%len(week)])
		s.spread(s.other.counts, r, at, 1+n/30, n)
	}
}

// batches draws nightly jobs, which grow, fail and catch up, and reports of the week.
func (s *Series) batches(r *rand.Rand, warm int) {
	at, calls, length, fails := r.IntN(1300), logUniform(r, 20, 3000), logUniform(r, 3, 90), 0.05*r.Float64()
	growth, monthly := math.Exp(0.1*r.NormFloat64()), r.IntN(3) == 0
	weekday := r.IntN(5)
	todo := 0.0
	for day := range s.Days {
		if s.Kind == Weekly && day%7 != weekday {
			continue
		}
		todo += calls * math.Pow(growth, float64(day)/7)
		if s.Kind == Weekly && monthly && day%28 < 7 {
			todo *= 2.5
		}
		if r.Float64() < fails {
			continue
		}
		took := length * todo / calls // twice the work takes twice the time
		s.spread(s.other.counts, r, day*insight.DayMinutes+at+r.IntN(10), 1+int(took), poisson(r, todo))
		todo = 0
	}
	if r.IntN(6) == 0 { // catches up for two days
		from := (warm + r.IntN(max(s.Days-warm-2, 1))) * insight.DayMinutes
		s.change = "catches up"
		s.spread(s.other.counts, r, from+r.IntN(1000), 2*insight.DayMinutes, int(20*calls))
	}
	if rest := logUniform(r, 0.0005, 0.5); r.IntN(2) == 0 {
		for range poisson(r, rest*float64(len(s.other.counts))) {
			s.other.counts[r.IntN(len(s.other.counts))]++
		}
	}
}

// pipelines draws what commits cause, and people on call.
func (s *Series) pipelines(r *rand.Rand) {
	if r.IntN(3) == 0 {
		s.change = "on call"
		size := logUniform(r, 2, 50)
		for range poisson(r, logUniform(r, 0.5, 8)*float64(s.Days)/7) { // alarms, each looked into some times
			t := r.IntN(len(s.other.counts))
			for range 1 + r.IntN(4) {
				s.spread(s.other.counts, r, t, 2+r.IntN(20), 1+int(size*r.ExpFloat64()))
				t += r.IntN(90)
			}
		}
		return
	}
	s.change = "commits"
	perDay, calls, length := logUniform(r, 0.3, 30), 1+r.IntN(40), 1+r.IntN(15)
	busy := 1.0
	for day := range s.Days {
		if day%7 == 0 { // some weeks are busy
			busy = math.Exp(0.6 * r.NormFloat64())
		}
		m := perDay * busy
		if day%7 >= 5 {
			m *= 0.1
		}
		for range poisson(r, m) {
			t := day*insight.DayMinutes + int(14*60+150*r.NormFloat64())
			for again := true; again; again = r.IntN(5) == 0 { // and what was forgotten
				s.spread(s.other.counts, r, t, length, calls+r.IntN(1+calls/4))
				t += 10 + r.IntN(20)
			}
		}
	}
}
