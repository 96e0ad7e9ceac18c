package simulate

import (
	"math"
	"math/rand/v2"

	"github.com/cairndb/cairn/engine/insight"
)

// Other shapes: the same kinds of traffic drawn by other means, so that defaults that were set on the first ones can
// be judged on some that have nothing in common with them but their description. What differs:
//
//   - days have two humps, or ramps and a level between them, or spikes on the full hour; weekends may be Friday and
//     Saturday or Sunday alone;
//   - clocks change, months end with peaks, holidays are like Sundays, campaigns come and go, weeks grow, deployments
//     add an hour or two to some days, jobs move to another time;
//   - noise is gamma (so that counts are negative binomial), lognormal with a memory in minutes, a switch between two
//     rates, or calls that come in groups;
//   - sessions have geometric, lognormal or Pareto sizes and pauses between calls that are Pareto, too;
//   - bursts rise, fade, or come in spikes; whoever hammers may do so by the clock;
//   - each account has a mix of its own.

// other is what a series of other shapes consists of.
type other struct {
	rates  []float32 // expected calls of each minute
	counts []uint32
}

// OtherShapes are unlike DefaultShapes in all that their names leave open.
func OtherShapes() Shapes {
	sh := DefaultShapes()
	sh.Other = true
	return sh
}

// otherShares are the shares of kinds around which the mixes of accounts vary.
var otherShares = [...]float64{8, 36, 12, 7, 7, 16, 7, 7}

// newOther draws a series of other shapes; the mix of its account is drawn from account.
func newOther(seed, account uint64, days int, sh *Shapes, warm int) *Series {
	mix := rand.New(rand.NewPCG(account, 0x6d6978))
	shares, total := otherShares, 0.0
	for i := range shares {
		shares[i] *= math.Exp(0.5 * mix.NormFloat64())
		total += shares[i]
	}
	r := rand.New(rand.NewPCG(seed, 0x6f74686572))
	s := &Series{seed: seed, Days: days, drift: 1, shift: 1, shapes: sh}
	u := r.Float64() * total
	for k, w := range shares {
		if u < w {
			s.Kind = Kind(k)
			break
		}
		u -= w
	}
	n := days * insight.DayMinutes
	o := &other{rates: make([]float32, n), counts: make([]uint32, n)}
	s.other = o
	if r.Float64() < 0.12 {
		s.outStart = r.IntN(n)
		s.outEnd = s.outStart + int(logUniform(r, 10, 2000))
	}
	s.Noise = Noise(r.IntN(3))
	switch s.Kind {
	case Flat, Rhythm:
		s.otherRates(r, warm)
		s.otherNoise(r)
	case Cron:
		s.otherCron(r, warm)
	case Nightly, Weekly:
		s.otherJob(r, warm)
	case Sessions:
		s.otherSessions(r)
	case Rare:
		per := logUniform(r, 0.3, 12) / insight.WeekMinutes
		for t := r.ExpFloat64() / per; t < float64(n); t += r.ExpFloat64() / per {
			for range 1 + r.IntN(2) {
				o.counts[int(t)]++
			}
		}
	case FirstUse:
		at := warm*insight.DayMinutes + r.IntN(n-warm*insight.DayMinutes-60)
		for range 1 + r.IntN(12) {
			o.counts[at+r.IntN(1+r.IntN(30))]++
		}
	}
	for t := max(s.outStart, 0); t < min(s.outEnd, n); t++ {
		o.counts[t] = 0
	}
	return s
}

// otherRates fills in what is expected of a steady series.
func (s *Series) otherRates(r *rand.Rand, warm int) {
	s.base = logUniform(r, 0.05, 40)
	var day [insight.DayMinutes]float64
	deep := 0.2 + 0.75*r.Float64()
	first := 60 * (5 + 14*r.Float64())
	if s.Kind == Flat {
		deep = 0
	}
	switch r.IntN(4) {
	case 0, 1: // two humps
		second, width := first+60*(3+4*r.Float64()), 60*(1.5+2*r.Float64())
		for t := range day {
			hump := func(at float64) float64 {
				d := math.Mod(float64(t)-at+2.5*insight.DayMinutes, insight.DayMinutes) - insight.DayMinutes/2
				return math.Exp(-d * d / (2 * width * width))
			}
			day[t] = 1 - deep + 3*deep*(hump(first)+0.8*hump(second))
		}
	case 2: // a level with ramps
		length, ramp := 60*(6+6*r.Float64()), 20+100*r.Float64()
		for t := range day {
			d := math.Mod(float64(t)-first+insight.DayMinutes, insight.DayMinutes)
			up := min(max(min(d/ramp, (length-d)/ramp), 0), 1)
			day[t] = 1 - deep + 2*deep*up
		}
	case 3: // two waves of different length
		for t := range day {
			x := (float64(t) - first) * 2 * math.Pi / insight.DayMinutes
			day[t] = math.Max(0.02, 1+deep*(0.7*math.Cos(x)+0.3*math.Cos(2*x+1)))
		}
	}
	free := [][]int{{5, 6}, {5, 6}, {5, 6}, {4, 5}, {6}, {}}[r.IntN(6)]
	quiet := []float64{0.1, 0.3, 0.6, 0.8}[r.IntN(4)]
	isFree := func(d int) bool {
		for _, f := range free {
			if d%7 == f {
				return true
			}
		}
		return false
	}
	daily := func(d int) float64 { return 1 }
	clock := func(d int) int { return 0 }
	later := s.Days - warm
	event := warm + r.IntN(max(later-3, 1))
	switch u := r.Float64(); {
	case u < 0.10: // clocks change
		s.change = "clocks change"
		hour := 60 - 120*r.IntN(2)
		clock = func(d int) int {
			if d >= event {
				return hour
			}
			return 0
		}
	case u < 0.18: // the month's end
		s.change = "month's end"
		times := 1.3 + 0.9*r.Float64()
		end := 28 + r.IntN(3)
		daily = func(d int) float64 {
			if k := d % end; k == end-1 || k == end-2 || k == 0 {
				return times
			}
			return 1
		}
	case u < 0.24: // a holiday
		s.change = "holiday"
		was := isFree
		isFree = func(d int) bool { return was(d) || d == event }
	case u < 0.32: // a campaign
		s.change = "campaign"
		times, days := 1.3+1.2*r.Float64(), 2+r.IntN(8)
		daily = func(d int) float64 { // it comes within a day, and goes within two
			return 1 + (times-1)*min(max(float64(d-event+1)/2, 0), 1)*min(max(float64(event+days-d)/3, 0), 1)
		}
	case u < 0.44: // growth
		s.change = "growth"
		weekly := math.Exp((r.Float64() - 0.3) * 0.3)
		daily = func(d int) float64 { return math.Pow(weekly, float64(d)/7) }
	case u < 0.52: // a new level
		s.change = "new level"
		s.shiftDay = event
		times := logUniform(r, 0.45, 2)
		daily = func(d int) float64 {
			if d >= event {
				return times
			}
			return 1
		}
	case u < 0.62: // deployments
		s.change = "deployments"
		weekday, at, length, more := r.IntN(5), r.IntN(1300), 20+r.IntN(100), 0.2+0.8*r.Float64()
		defer func() {
			for d := range s.Days {
				if d%7 != weekday && d%7 != (weekday+2)%7 || r.IntN(3) == 0 {
					continue
				}
				from := d*insight.DayMinutes + at + r.IntN(91) - 45
				for t := max(from, 0); t < min(from+length, len(s.other.rates)); t++ {
					s.other.rates[t] *= float32(1 + more)
				}
			}
		}()
	}
	for d := range s.Days {
		f := s.base * daily(d)
		if isFree(d) {
			f *= quiet
		}
		for t := range insight.DayMinutes {
			s.other.rates[d*insight.DayMinutes+t] = float32(f * day[(t+clock(d)+insight.DayMinutes)%insight.DayMinutes])
		}
	}
}

// otherNoise draws the counts of a steady series.
func (s *Series) otherNoise(r *rand.Rand) {
	cv := [...][2]float64{{0.01, 0.1}, {0.1, 0.2}, {0.25, 0.45}}[s.Noise]
	v := cv[0] + (cv[1]-cv[0])*r.Float64()
	rates, counts := s.other.rates, s.other.counts
	switch r.IntN(4) {
	case 0: // gamma, for each five minutes
		s.change += ", gamma"
		for from := 0; from < len(counts); from += 5 {
			f := gamma(r, 1/(v*v)) * v * v
			for t := from; t < from+5; t++ {
				counts[t] = uint32(poisson(r, f*float64(rates[t])))
			}
		}
	case 1: // lognormal with a memory of minutes or hours
		s.change += ", memory"
		keep := math.Exp(-1 / []float64{3, 15, 60, 240, 900}[r.IntN(5)])
		mean := 0.0 // of the correlations within five minutes
		for i := range 5 {
			for j := range 5 {
				mean += math.Pow(keep, math.Abs(float64(i-j))) / 25
			}
		}
		sigma := v / math.Sqrt(mean)
		x, fresh := r.NormFloat64(), math.Sqrt(1-keep*keep)
		for t := range counts {
			x = keep*x + fresh*r.NormFloat64()
			counts[t] = uint32(poisson(r, float64(rates[t])*math.Exp(sigma*x-sigma*sigma/2)))
		}
	case 2: // two rates
		s.change += ", two rates"
		stay := logUniform(r, 10, 600)
		up := 1.0
		for t := range counts {
			if r.Float64()*stay < 1 {
				up = -up
			}
			counts[t] = uint32(poisson(r, float64(rates[t])*(1+up*v)))
		}
	case 3: // groups of a geometric size, whose mean is such that five minutes of the least rate have the spread
		s.change += ", groups"
		least := math.Inf(1)
		for _, m := range rates {
			least = min(least, float64(m))
		}
		size := 1 + min(v*v*5*least/2, 3)
		for t := range counts {
			for range poisson(r, float64(rates[t])/size) {
				n := 1
				for r.Float64()*size > 1 {
					n++
				}
				counts[t] += uint32(n)
			}
		}
	}
}

// gamma draws from a gamma distribution with mean shape (Marsaglia and Tsang).
func gamma(r *rand.Rand, shape float64) float64 {
	d := shape - 1.0/3
	c := 1 / math.Sqrt(9*d)
	for {
		x := r.NormFloat64()
		v := 1 + c*x
		if v <= 0 {
			continue
		}
		v = v * v * v
		if math.Log(r.Float64()) < x*x/2+d-d*v+d*math.Log(v) {
			return d * v
		}
	}
}

// otherCron draws calls by the clock: all day, on weekdays, or in office hours; some move.
func (s *Series) otherCron(r *rand.Rand, warm int) {
	n := len(s.other.counts)
	period := []int{1, 2, 5, 10, 20, 30, 60, 180, 240, 720}[r.IntN(10)]
	each, jitter := logUniform(r, 1, 80), r.IntN(4)
	hours, moved := r.IntN(3), n
	if r.IntN(10) == 0 {
		moved = warm*insight.DayMinutes + r.IntN(n-warm*insight.DayMinutes)
	}
	at := r.IntN(period)
	for t := at; t < n; t += period {
		if d := t / insight.DayMinutes; hours > 0 && d%7 >= 5 {
			continue
		}
		if h := t % insight.DayMinutes / 60; hours == 2 && (h < 7 || h > 18) {
			continue
		}
		if to := t + r.IntN(jitter+1); to < n {
			s.other.counts[to] += uint32(gamma(r, 12)/12*each + 0.5)
		}
		if t >= moved {
			t += r.IntN(period)
			moved = n
		}
	}
	if rest := logUniform(r, 0.001, 0.5); r.IntN(2) == 0 {
		for t := r.ExpFloat64() / rest; t < float64(n); t += r.ExpFloat64() / rest {
			s.other.counts[int(t)]++
		}
	}
}

// otherJob draws a nightly or weekly job of varying size and length; some move to another time, others run on weekdays.
func (s *Series) otherJob(r *rand.Rand, warm int) {
	at, length, calls := r.IntN(insight.DayMinutes-90), logUniform(r, 2, 80), logUniform(r, 15, 3000)
	weekday, weekdays, jitter, varies := r.IntN(7), r.IntN(3) == 0, []int{0, 5, 20}[r.IntN(3)], 0.05+0.3*r.Float64()
	moved := s.Days
	if r.IntN(8) == 0 {
		moved = warm + r.IntN(s.Days-warm)
	}
	for d := range s.Days {
		if s.Kind == Weekly && d%7 != weekday || s.Kind == Nightly && weekdays && d%7 >= 5 || r.IntN(25) == 0 {
			continue
		}
		from := d*insight.DayMinutes + at + r.IntN(2*jitter+1) - jitter
		if d >= moved {
			from += 60
		}
		l := 1 + int(length*math.Exp(0.2*r.NormFloat64()))
		s.spread(s.other.counts, r, from, l, poisson(r, calls*gamma(r, 1/(varies*varies))*varies*varies))
	}
	if rest := logUniform(r, 0.0005, 1); r.IntN(3) > 0 {
		for t := r.ExpFloat64() / rest; t < float64(len(s.other.counts)); t += r.ExpFloat64() / rest {
			s.other.counts[int(t)]++
		}
	}
}

// otherSessions draws people at work.
func (s *Series) otherSessions(r *rand.Rand) {
	perDay, size, pause := logUniform(r, 0.1, 5), logUniform(r, 2, 60), logUniform(r, 0.1, 3)
	opens, open := 6+5*r.Float64(), 6+8*r.Float64()
	form := r.IntN(3)
	for d := range s.Days {
		m := perDay
		if d%7 >= 5 {
			m *= 0.2
		}
		for range poisson(r, m) {
			var calls float64
			switch form {
			case 0: // geometric
				calls = 1 + size*r.ExpFloat64()
			case 1:
				calls = 1 + size*math.Exp(0.9*r.NormFloat64())
			case 2: // Pareto
				calls = min(size*0.5/math.Pow(r.Float64()+1e-9, 1/2.2), 40*size)
			}
			t := float64(d*insight.DayMinutes) + 60*(opens+open*r.Float64())
			for range int(calls + 0.5) {
				if int(t) >= len(s.other.counts) {
					break
				}
				s.other.counts[int(t)]++
				t += min(pause*(math.Pow(r.Float64()+1e-9, -1/1.6)-1), 60)
			}
		}
	}
}

// profile is how a burst of other shapes runs: weights of its minutes, with mean 1.
func profile(r *rand.Rand, length int) []float64 {
	w := make([]float64, length)
	form := r.IntN(6)
	for i := range w {
		x := (float64(i) + 0.5) / float64(length)
		switch form {
		case 0: // spikes
			w[i] = 0.5 + float64(i%2)
		case 1: // rises in the first third
			w[i] = min(0.4+1.8*x, 1)
		case 2: // fades
			w[i] = 1.3 - 0.6*x
		case 3: // uneven
			w[i] = math.Exp(0.4 * r.NormFloat64())
		default:
			w[i] = 1
		}
	}
	sum := 0.0
	for _, v := range w {
		sum += v
	}
	for i := range w {
		w[i] *= float64(length) / sum
	}
	return w
}
