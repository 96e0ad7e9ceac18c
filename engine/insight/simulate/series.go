package simulate

import (
	"math"
	"math/rand/v2"

	"github.com/cairndb/cairn/engine/insight"
)

// Kind is a shape of traffic.
type Kind uint8

// The kinds. Steady ones have a rate that holds at an hour; the others come in clumps.
const (
	Flat     Kind = iota // one rate, all day
	Rhythm               // day and night, weekdays and weekends
	Cron                 // every few minutes or hours, a handful each
	Nightly              // a job each night, at its time ± 20 minutes
	Weekly               // a job each week, at its time ± 20 minutes
	Sessions             // people at work: some calls in some minutes, some times a day
	Rare                 // a few calls a week
	FirstUse             // nothing, and once 1 to 12 calls
	Unseen               // nothing at all
	kinds
)

func (k Kind) String() string {
	return [...]string{"flat", "rhythm", "cron", "nightly", "weekly", "sessions", "rare", "first use", "unseen"}[k]
}

// Steady tells whether a rate can be expected at every minute.
func (k Kind) Steady() bool { return k <= Rhythm }

// Noise is a level of noise beyond Poisson.
type Noise uint8

// The levels, by their spread of 5-minute counts.
const (
	Calm Noise = iota
	Moderate
	Noisy
)

func (n Noise) String() string { return [...]string{"calm", "moderate", "noisy"}[n] }

// defaultCV are the spreads of counts of 5 minutes round the expected value.
var defaultCV = [3]float64{0.05, 0.19, 0.39}

// Series is a simulated series: what it is and what can be known about it.
type Series struct {
	Kind  Kind
	Noise Noise
	Days  int
	// The rest parameterises the shape.
	shapes                *Shapes
	other                 *other // of other shapes, with their rates and counts
	change                string // what changes in one of other shapes, and its noise
	seed                  uint64
	office                bool
	base, amp, phase      float64 // calls per minute, depth of the day's rhythm, its hour
	weekend               float64 // factor on Saturday and Sunday
	memory                float64 // of the noise from one five minutes to the next
	drift                 float64 // factor over the whole time
	shiftDay              int     // a new level from this day on, 0: none
	shift                 float64
	outStart, outEnd      int // minutes without any call
	period, each, jitter  int // cron: minutes, calls
	jobAt, jobLen, jobDay int // minute of the day, minutes, weekday
	jobCalls              float64
	perDay, size, length  float64 // sessions a day, their calls and minutes
}

// Shapes say what traffic looks like.
type Shapes struct {
	// Shares are the relative shares of Flat, Rhythm, Cron, Nightly, Weekly, Sessions, Rare and FirstUse.
	Shares []float64
	// CV are the spreads of 5-minute counts round the expected value, beyond Poisson, of Calm, Moderate and Noisy series.
	CV [3]float64
	// Memory holds the correlations of the noise from one five minutes to the next that series draw from.
	Memory []float64
	// Office is the share of rhythms that are steps, up in the morning and down in the evening, rather than waves.
	Office float64
	// DriftShare, ShiftShare and OutageShare of series drift, shift and have an outage; by factors up to Drift (and
	// down to its inverse) over the whole time, up to Shift (down to 0.5), and for up to Outage minutes.
	DriftShare, ShiftShare, OutageShare float64
	Drift, Shift                        float64
	Outage                              int
	// JobSpread is the deviation of the logarithm of a job's size from one time to the next, JobSkip the share of
	// times that a job is left out, SessionSpread the deviation of the logarithm of a session's size.
	JobSpread, JobSkip, SessionSpread float64
	// Other: drawn as other.go says, which of these values needs none.
	Other bool
	// Services: as services.go says.
	Services bool
}

// DefaultShapes are those of the figures.
func DefaultShapes() Shapes {
	return Shapes{
		Shares: []float64{8, 40, 10, 6, 6, 14, 8, 8}, CV: defaultCV, Memory: []float64{0, 0.5, 0.8, 0.95},
		Office: 0.2, DriftShare: 0.17, ShiftShare: 0.08, OutageShare: 0.12, Drift: 2, Shift: 1.8, Outage: 1440,
		JobSpread: 0.12, SessionSpread: 0.8,
	}
}

// HarshShapes are worse than what is expected: more sessions, noise that wanders for hours, steps, large
// drifts and shifts, outages of days, jobs that are skipped and vary.
func HarshShapes() Shapes {
	return Shapes{
		Shares: []float64{6, 34, 12, 8, 8, 20, 6, 6}, CV: defaultCV, Memory: []float64{0, 0.5, 0.9, 0.97, 0.99},
		Office: 0.5, DriftShare: 0.3, ShiftShare: 0.15, OutageShare: 0.25, Drift: 3, Shift: 2, Outage: 3 * 1440,
		JobSpread: 0.3, JobSkip: 0.1, SessionSpread: 1,
	}
}

// newSeries draws a series of an account.
func newSeries(seed, account uint64, days int, sh *Shapes, warm int) *Series {
	if sh.Other {
		return newOther(seed, account, days, sh, warm)
	}
	if sh.Services {
		return newServices(seed, days, sh, warm)
	}
	weights := sh.Shares
	r := rand.New(rand.NewPCG(seed, 0x73657269))
	s := &Series{seed: seed, Days: days, drift: 1, shift: 1, shapes: sh}
	total := 0.0
	for _, w := range weights {
		total += w
	}
	u := r.Float64() * total
	for k, w := range weights {
		if u < w {
			s.Kind = Kind(k)
			break
		}
		u -= w
	}
	s.Noise = Noise(r.IntN(3))
	s.base = logUniform(r, 0.05, 30)
	s.memory = sh.Memory[r.IntN(len(sh.Memory))]
	s.weekend = 1
	if s.Kind == Rhythm {
		s.amp = 0.3 + 0.65*r.Float64()
		s.phase = 8 + 8*r.Float64()
		s.weekend = []float64{1, 0.6, 0.3, 0.1}[r.IntN(4)]
		s.office = r.Float64() < sh.Office
	}
	switch u := r.Float64(); {
	case u < sh.DriftShare:
		s.drift = logUniform(r, 1/sh.Drift, sh.Drift)
	case u < sh.DriftShare+sh.ShiftShare:
		s.shiftDay = warm + r.IntN(max(days-warm, 1))
		s.shift = logUniform(r, 0.5, sh.Shift)
	}
	if r.Float64() < sh.OutageShare {
		s.outStart = r.IntN(days * insight.DayMinutes)
		s.outEnd = s.outStart + int(logUniform(r, 20, float64(sh.Outage)))
	}
	switch s.Kind {
	case Cron:
		s.period = []int{1, 5, 10, 15, 30, 60, 120, 360}[r.IntN(8)]
		s.each = int(logUniform(r, 1, 60))
		s.jitter = r.IntN(3)
		s.base = logUniform(r, 0.001, 0.3)
	case Nightly, Weekly:
		s.jobAt = 30 + r.IntN(insight.DayMinutes-120)
		s.jobLen = int(logUniform(r, 3, 60))
		s.jobDay = r.IntN(7)
		s.jobCalls = logUniform(r, 20, 2000)
		s.base = logUniform(r, 0.0005, 1)
	case Sessions:
		s.perDay = logUniform(r, 0.1, 4)
		s.size = logUniform(r, 2, 80)
		s.length = logUniform(r, 3, 60)
		s.base = 0
	case Rare:
		s.base = logUniform(r, 0.3, 10) / insight.WeekMinutes
	case FirstUse:
		s.base = 0
		s.jobAt = warm*insight.DayMinutes + r.IntN(max((days-warm)*insight.DayMinutes, 1))
		s.jobCalls = float64(1 + r.IntN(12))
		s.jobLen = 1 + r.IntN(10)
	case Unseen:
		s.base = 0
	}
	return s
}

func logUniform(r *rand.Rand, a, b float64) float64 {
	return a * math.Exp(r.Float64()*math.Log(b/a))
}

// rate is what is expected in a minute, noise and outages aside.
func (s *Series) rate(minute int) float64 {
	if s.other != nil {
		return float64(s.other.rates[minute])
	}
	v := s.base
	day := minute / insight.DayMinutes
	if s.amp > 0 {
		hour := float64(minute%insight.DayMinutes) / 60
		switch {
		case !s.office:
			v *= 1 - s.amp + s.amp*0.8*(1+math.Cos((hour-s.phase-4)*2*math.Pi/24))
		case hour < s.phase || hour >= s.phase+8:
			v *= 1 - s.amp
		}
	}
	if day%7 >= 5 {
		v *= s.weekend
	}
	if s.drift != 1 {
		v *= math.Pow(s.drift, float64(minute)/float64(s.Days*insight.DayMinutes))
	}
	if s.shiftDay > 0 && day >= s.shiftDay {
		v *= s.shift
	}
	return v
}

func (s *Series) out(minute int) bool { return minute >= s.outStart && minute < s.outEnd }

// counts makes the calls of all minutes.
func (s *Series) counts() []uint32 {
	if s.other != nil {
		return s.other.counts
	}
	n := s.Days * insight.DayMinutes
	c := make([]uint32, n)
	r := rand.New(rand.NewPCG(s.seed, 0x636f756e))
	if s.base > 0 {
		s.background(c, r)
	}
	switch s.Kind {
	case Cron:
		at := r.IntN(s.period)
		for ; at < n; at += s.period {
			t := at
			if s.jitter > 0 {
				t += r.IntN(s.jitter + 1)
			}
			if t < n && !s.out(t) {
				c[t] += uint32(float64(s.each)*(0.8+0.4*r.Float64()) + 0.5)
			}
		}
	case Nightly, Weekly:
		for day := range s.Days {
			if s.Kind == Weekly && day%7 != s.jobDay {
				continue
			}
			start := day*insight.DayMinutes + s.jobAt + r.IntN(41) - 20
			if r.Float64() < s.shapes.JobSkip {
				continue
			}
			calls := poisson(r, s.jobCalls*math.Exp(s.shapes.JobSpread*r.NormFloat64()))
			s.spread(c, r, start, s.jobLen, calls)
		}
	case Sessions:
		for day := range s.Days {
			m := s.perDay
			if day%7 >= 5 {
				m *= 0.15
			}
			for range poisson(r, m) {
				start := day*insight.DayMinutes + 8*60 + r.IntN(10*60)
				size := s.size * math.Exp(s.shapes.SessionSpread*r.NormFloat64())
				s.spread(c, r, start, 1+int(s.length*(0.3+1.4*r.Float64())), 1+poisson(r, size))
			}
		}
	case FirstUse:
		s.spread(c, r, s.jobAt, s.jobLen, int(s.jobCalls))
	}
	return c
}

func (s *Series) spread(c []uint32, r *rand.Rand, start, length, calls int) {
	for range calls {
		if t := start + r.IntN(length); t >= 0 && t < len(c) && !s.out(t) {
			c[t]++
		}
	}
}

// background is Poisson noise round the rate, times noise of a lognormal chain of five-minute steps.
func (s *Series) background(c []uint32, r *rand.Rand) {
	if s.base < 0.02 { // gaps are cheaper than minutes
		for t := r.ExpFloat64() / s.base; t < float64(len(c)); t += r.ExpFloat64() / s.base {
			if !s.out(int(t)) {
				c[int(t)]++
			}
		}
		return
	}
	cv := s.shapes.CV[s.Noise]
	sigma := math.Sqrt(math.Log(1 + cv*cv))
	if !s.Kind.Steady() {
		sigma = 0.2
	}
	fresh := math.Sqrt(1 - s.memory*s.memory)
	x := r.NormFloat64()
	for five := 0; five < len(c); five += 5 {
		x = s.memory*x + fresh*r.NormFloat64()
		f := math.Exp(sigma*x-sigma*sigma/2) * s.rate(five+2)
		floor := math.Exp(-f)
		for t := five; t < five+5; t++ {
			if f < 20 {
				// Knuth's product of uniforms.
				n, p := uint32(0), r.Float64()
				for p > floor {
					n++
					p *= r.Float64()
				}
				c[t] += n
			} else {
				c[t] += uint32(poisson(r, f))
			}
		}
		if s.outEnd > five && s.outStart < five+5 {
			for t := five; t < five+5; t++ {
				if s.out(t) {
					c[t] = 0
				}
			}
		}
	}
}

// poisson draws a Poisson number; large means by the normal approximation.
func poisson(r *rand.Rand, mean float64) int {
	if mean > 30 {
		return max(0, int(mean+math.Sqrt(mean)*r.NormFloat64()+0.5))
	}
	floor := math.Exp(-mean)
	n := 0
	for p := r.Float64(); p > floor; p *= r.Float64() {
		n++
	}
	return n
}
