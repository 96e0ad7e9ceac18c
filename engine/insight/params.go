package insight

import "fmt"

// Params are what a person may turn. The zero value stands for the defaults, which
// follow from the measurement in the package comment.
type Params struct {
	// Sensitivity scales how little surprise is enough: the threshold, 18 nats or what the
	// series' own past asks for, is divided by it (0: 1). The curve of recall and false insights over it is in
	// testdata/bench/insights.md. 0.25 to 4.
	Sensitivity float64
	// MinCalls is the least number of calls in a window of 5, 15 or 60 minutes that can be
	// unusual (0: 10).
	MinCalls uint64
	// MinRate is the least rate in calls per minute, over the window that decides,
	// that is reported (0: any).
	MinRate float64
	// MinDuration is how many minutes something must have lasted before it is
	// reported (0: 1). The record waits for as long. At most 1440.
	MinDuration int
}

// Defaults of Params and the bounds of what is accepted.
const (
	DefaultThreshold   = 18.0
	DefaultMinCalls    = 10
	sensitivityMin     = 0.25
	sensitivityMax     = 4
	DefaultMinDuration = 1
)

// Fill checks the parameters and puts defaults in the place of zeros.
func (p Params) Fill() (Params, error) {
	if p.Sensitivity == 0 {
		p.Sensitivity = 1
	}
	if p.MinCalls == 0 {
		p.MinCalls = DefaultMinCalls
	}
	if p.MinDuration == 0 {
		p.MinDuration = DefaultMinDuration
	}
	switch {
	case !(p.Sensitivity >= sensitivityMin && p.Sensitivity <= sensitivityMax):
		return p, fmt.Errorf("insight: a sensitivity of %g was asked for, %g to %g are possible (1 is the default, more finds more)", p.Sensitivity, sensitivityMin, float64(sensitivityMax))
	case !(p.MinRate >= 0 && p.MinRate <= CallsMax):
		return p, fmt.Errorf("insight: a least rate of %g calls per minute was asked for, 0 to %d are possible", p.MinRate, CallsMax)
	case p.MinDuration < 1 || p.MinDuration > DayMinutes:
		return p, fmt.Errorf("insight: a least duration of %d minutes was asked for, 1 to %d are possible", p.MinDuration, DayMinutes)
	case p.MinCalls > CallsMax:
		return p, fmt.Errorf("insight: at least %d calls were asked for, up to %d are possible", p.MinCalls, CallsMax)
	}
	return p, nil
}

// threshold is the least surprise in nats.
func (p *Params) threshold() float64 { return DefaultThreshold / p.Sensitivity }
