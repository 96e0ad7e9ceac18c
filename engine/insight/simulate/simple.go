package simulate

import "math"

// Simple names a simple detector.
type Simple uint8

// The simple detectors that the real one is compared with. All look at the calls of the last
// five minutes; alarms that are less than ten minutes apart are one.
const (
	Ratio  Simple = iota // to the mean of the seven days before
	ZScore               // by mean and deviation of the seven days before
	EWMA                 // by exponentially weighted mean and variance, half of the weight in 12 hours
	simples
)

func (s Simple) String() string {
	return [...]string{"ratio to 7-day mean", "z-score", "EWMA"}[s]
}

// The sweep over thresholds and least volumes.
var (
	simpleThresholds = [...]float64{2, 3, 5, 8, 12, 20, 35, 60, 100}
	simpleVolumes    = [...]int{10, 30, 100, 300}
)

// span is an alarm, in minutes [from, to).
type span struct{ from, to int }

// alarms of every setting of a detector.
type alarms [len(simpleThresholds)][len(simpleVolumes)][]span

// simple runs a simple detector over minutes [from, to) of counts.
func simple(kind Simple, counts []uint32, from, to int, out *alarms) {
	for i := range out {
		for j := range out[i] {
			out[i][j] = out[i][j][:0]
		}
	}
	const week, day = 7 * 1440, 1440
	var mean, sd float64
	warm := max(from-day, 0)
	ew, ev := 0.0, 0.0
	const alpha = 0.00096 // 1 − 2^(−1/720)
	n5 := uint32(0)
	for t := max(warm-5, 0); t < warm; t++ {
		n5 += counts[t]
	}
	for t := warm; t < to; t++ {
		n5 += counts[t]
		if t >= 5 {
			n5 -= counts[t-5]
		}
		n := float64(n5)
		if t == warm || t%day == 0 {
			begin := max(t-t%day-week, 0)
			var sum, squares float64
			blocks := 0.0
			for b := begin; b+5 <= max(t, begin+5); b += 5 {
				s := 0.0
				for _, c := range counts[b : b+5] {
					s += float64(c)
				}
				sum += s
				squares += s * s
				blocks++
			}
			mean = sum / blocks
			sd = math.Sqrt(max(squares/blocks-mean*mean, 0))
			if t == warm {
				ew, ev = mean, sd*sd
			}
		}
		var score float64
		switch kind {
		case Ratio:
			score = n / max(mean, 0.01)
		case ZScore:
			score = (n - mean) / max(sd, 0.1)
		case EWMA:
			score = (n - ew) / max(math.Sqrt(ev), 0.1)
			e := n - ew
			ew += alpha * e
			ev = (1 - alpha) * (ev + alpha*e*e)
		}
		if t < from || n5 < uint32(simpleVolumes[0]) {
			continue
		}
		for i, limit := range simpleThresholds {
			if score < limit {
				break
			}
			for j, v := range simpleVolumes {
				if n5 < uint32(v) {
					break
				}
				s := out[i][j]
				if k := len(s) - 1; k >= 0 && t-s[k].to < 10 {
					s[k].to = t + 1
				} else {
					out[i][j] = append(s, span{t, t + 1})
				}
			}
		}
	}
}
