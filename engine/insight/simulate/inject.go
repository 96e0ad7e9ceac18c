package simulate

import (
	"math/rand/v2"

	"github.com/cairndb/cairn/engine/insight"
)

// Form is a form of anomaly.
type Form uint8

// The forms.
const (
	Burst     Form = iota // Factor times the usual rate
	Hammering             // one principal repeats a call
	NeverSeen             // a call that was never made before
)

func (f Form) String() string { return [...]string{"burst", "hammering", "never seen"}[f] }

// Anomaly is an injected anomaly: minutes [Start, End), counted from the beginning of the data.
type Anomaly struct {
	Form       Form
	Factor     float64 // of a Burst
	Start, End int
	// Expected is the number of calls expected in that time (M).
	Expected float64
	// Calls are what was added.
	Calls int
	extra []uint32 // per minute
}

// Minutes is the anomaly's length.
func (a *Anomaly) Minutes() int { return a.End - a.Start }

// pick draws an anomaly of a form on a day of a series; nil if the one drawn does not fit there. loose
// lowers the least expected count by ten, for curves.
func (s *Series) pick(r *rand.Rand, form Form, day int, loose bool) *Anomaly {
	a := &Anomaly{Form: form}
	length := []int{5, 10, 15, 20, 30, 60}[r.IntN(6)]
	factor := []float64{3, 5, 5, 10}[r.IntN(4)]
	switch form {
	case NeverSeen:
		length = 10
	case Burst:
		a.Factor = factor
		if !s.Kind.Steady() {
			return nil
		}
	}
	a.Start = day*insight.DayMinutes + r.IntN(insight.DayMinutes-length)
	a.End = a.Start + length
	if a.Start < s.outEnd && a.End > s.outStart-60 || s.shiftDay > 0 && day >= s.shiftDay && day < s.shiftDay+7 {
		return nil
	}
	for t := a.Start; t < a.End; t++ {
		a.Expected += s.rate(t)
	}
	least := 0.0
	switch {
	case a.Form != Burst:
	case a.Factor == 3:
		least = 60
	default:
		least = 10
	}
	if loose {
		least /= 10
	}
	if a.Expected < least {
		return nil
	}
	rate := 0.0 // of hammering and new calls
	switch a.Form {
	case Hammering:
		rate = max(logUniform(r, 4, 40), 5*s.base)
	case NeverSeen:
		rate = (40 + float64(r.IntN(60))) / float64(length)
	}
	a.extra = make([]uint32, length)
	left := 0
	if a.Form == NeverSeen { // exactly so many: "at least 40 in ten minutes"
		left = int(rate*float64(length) + 0.5)
		for range left {
			a.extra[r.IntN(length)]++
		}
		a.Calls = left
		for a.extra[0] == 0 { // the truth begins and ends with a call
			a.extra = a.extra[1:]
			a.Start++
		}
		for a.extra[len(a.extra)-1] == 0 {
			a.extra = a.extra[:len(a.extra)-1]
			a.End--
		}
		return a
	}
	var runs []float64
	regular := false
	if s.other != nil {
		runs, regular = profile(r, length), a.Form == Hammering && r.IntN(2) == 0
	}
	for i := range a.extra {
		mean := rate
		if a.Form == Burst {
			mean = (a.Factor - 1) * s.rate(a.Start+i)
			if runs != nil {
				mean *= runs[i]
			}
		}
		if regular {
			a.extra[i] = uint32(float64(i+1)*rate) - uint32(float64(i)*rate)
			a.Calls += int(a.extra[i])
			continue
		}
		n := poisson(r, mean)
		a.extra[i] = uint32(n)
		a.Calls += n
	}
	return a
}
