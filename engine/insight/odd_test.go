package insight_test

import (
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/cairndb/cairn/engine/insight"
)

// oddShape is a shape of traffic that package simulate does not have.
type oddShape struct {
	name string
	// make draws a series from r: what is expected in a minute of a day.
	make func(r *rand.Rand) func(day, minute int) float64
	// falseMost is how many false insights 20 series may give in 5 judged weeks, and least the share of bursts
	// of five times in 20 minutes that must be found, where 30 calls or more are expected, or none and 60 come.
	falseMost int
	least     float64
}

var oddShapes = []oddShape{
	{"a weekly batch that moves by an hour", func(r *rand.Rand) func(int, int) float64 {
		at, length, calls, weekday := 120+r.IntN(900), 10+r.IntN(40), 100+r.Float64()*1500, r.IntN(7)
		base, moved := math.Exp(r.Float64()*4-4), 35+7*r.IntN(2)
		return func(day, minute int) float64 {
			from := at
			if day >= moved {
				from += 60
			}
			if day%7 == weekday && minute >= from && minute < from+length {
				return base + calls/float64(length)
			}
			return base
		}
	}, 5, 0},
	{"a slow ramp", func(r *rand.Rand) func(int, int) float64 {
		base, times, from := 0.3+r.Float64()*8, 2+r.Float64()*4, 14+r.IntN(14)
		return func(day, minute int) float64 {
			up := (float64(day-from) + float64(minute)/insight.DayMinutes) / 28
			return base * math.Pow(times, min(max(up, 0), 1))
		}
	}, 2, 0.95},
	{"an account that wakes when another sleeps", func(r *rand.Rand) func(int, int) float64 {
		base, deep, mirror := 0.5+r.Float64()*10, 0.9+0.1*r.Float64(), float64(1-2*r.IntN(2))
		return func(day, minute int) float64 {
			return base * (1 + mirror*deep*math.Sin(2*math.Pi*float64(minute)/insight.DayMinutes))
		}
	}, 2, 0.95},
	{"a service whose nights are empty", func(r *rand.Rand) func(int, int) float64 {
		base, opens, closes := 0.5+r.Float64()*10, 7*60+r.IntN(90), 18*60+r.IntN(120)
		late := make([]int, 80)
		for i := range late {
			late[i] = r.IntN(20) - 10
		}
		return func(day, minute int) float64 {
			if day%7 >= 5 || minute < opens+late[day] || minute >= closes+late[day] {
				return 0
			}
			return base
		}
	}, 2, 0.93},
}

// drawn draws a count by its mean.
func drawn(r *rand.Rand, mean float64) uint64 {
	if mean > 50 {
		return uint64(max(0, mean+math.Sqrt(mean)*r.NormFloat64()+0.5))
	}
	n, floor := uint64(0), math.Exp(-mean)
	for p := r.Float64(); p > floor; p *= r.Float64() {
		n++
	}
	return n
}

// TestOddShapes judges shapes of traffic that the defaults were not set on: insights on what is
// usual for them, and bursts.
func TestOddShapes(t *testing.T) {
	det, err := insight.NewDetector(insight.Params{})
	if err != nil {
		t.Fatal(err)
	}
	const warm, days, first = 28, 63, insight.Day(20003)
	for _, shape := range oddShapes {
		wrong, tried, found := 0, 0, 0
		var told []string
		for series := range uint64(20) {
			r := rand.New(rand.NewPCG(*qSeed, series))
			rate := shape.make(r)
			noise := []float64{0, 0.1, 0.2}[r.IntN(3)]
			state := insight.NewState(first)
			for day := range days {
				counts := make([]uint64, insight.DayMinutes)
				f := 1.0
				for m := range counts {
					if m%5 == 0 {
						f = math.Exp(noise*r.NormFloat64() - noise*noise/2)
					}
					counts[m] = drawn(r, f*rate(day, m))
				}
				list := func(counts []uint64) (out []insight.Count) {
					for m, n := range counts {
						if n > 0 {
							out = append(out, insight.Count{Minute: (first + insight.Day(day)).Start() + insight.Minute(m), Calls: n})
						}
					}
					return out
				}
				if day >= warm && day%5 == 0 {
					at, m := r.IntN(insight.DayMinutes-20), 0.0
					burst := slices.Clone(counts)
					for i := at; i < at+20; i++ {
						m += rate(day, i)
						burst[i] += drawn(r, max(4*rate(day, i), 3))
					}
					if m >= 30 || m == 0 {
						tried++
						incidents, err := det.Day(state.Clone(), first+insight.Day(day), list(burst))
						if err != nil {
							t.Fatal(err)
						}
						for _, in := range incidents {
							from := int(in.Start - (first + insight.Day(day)).Start())
							if to := int(in.End - (first + insight.Day(day)).Start()); in.Fate == insight.Reported && from < at+22 && to > at-2 {
								found++
								break
							}
						}
					}
				}
				incidents, err := det.Day(state, first+insight.Day(day), list(counts))
				if err != nil {
					t.Fatal(err)
				}
				for _, in := range incidents {
					if in.Fate == insight.Reported && !in.Open && in.Start.Day() >= first+warm {
						wrong++
						told = append(told, fmt.Sprintf("series %d, day %d: %s", series, int(in.Start.Day()-first), in.Explain()))
					}
				}
			}
		}
		share := float64(found) / float64(max(tried, 1))
		t.Logf("%s: %d false of 20 series in 5 weeks, %.3f of %d bursts found", shape.name, wrong, share, tried)
		if wrong > shape.falseMost {
			t.Errorf("%s: %d false insights, at most %d are allowed: %q", shape.name, wrong, shape.falseMost, told)
		}
		if share < shape.least {
			t.Errorf("%s: %.3f of %d bursts found, at least %.2f are wanted", shape.name, share, tried, shape.least)
		}
	}
}
