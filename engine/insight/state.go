package insight

const (
	// HistoryDays is how many days the baseline looks back.
	HistoryDays = 28
	// LearnDays is how many days a series is watched before there are verdicts.
	LearnDays = 14
	// reach is how many minutes before midnight a day's verdicts can look back.
	reach = 120
	// pastMax is how many earlier incidents a series remembers, and pastDays for how long.
	pastMax  = 32
	pastDays = 35
)

// State is what is known of one series at the beginning of a day of UTC: all that
// detection goes on from. It does not depend on how counts arrived, and has one
// encoding (codec.go). Make it with NewState. One goroutine at a time.
type State struct {
	since, next Day
	days        [HistoryDays]slot // by day modulo HistoryDays
	recent      []point           // the last reach minutes before next, at < 0
	floor       int32             // windows begin here at the earliest; in [-reach, 0]
	isOpen      bool
	open        running
	past        []bygone // in order of start
}

// slot is one day of the past.
type slot struct {
	hours   [24]uint32 // calls that count for the baseline
	off     [24]uint8  // minutes of the hour that do not count
	five    [24]uint8  // the most calls in five minutes of the hour, packed
	peak    [windowCount]uint32
	score   float32              // the largest surprise
	square  float32              // sum of squared rates per minute
	excess  [windowCount]float32 // squared deviation beyond Poisson, summed
	calls   uint64               // outside incidents, as they were
	minutes uint16               // outside incidents
}

// point is the calls of a minute, relative to the beginning of a day.
type point struct {
	at int32
	n  uint32
}

// bygone is an earlier incident, for recurrence.
type bygone struct {
	start    Minute
	duration uint32
	calls    uint64
}

// NewState returns the state of a series that is watched from a day on: the first day
// on which its account and region were observed, so that a call that was never seen
// before is known to have been absent. Minutes without a count are zeros from then on.
func NewState(since Day) *State { return &State{since: since, next: since} }

// Since returns the day from which the series is watched.
func (s *State) Since() Day { return s.since }

// Next returns the day whose counts come next.
func (s *State) Next() Day { return s.next }

// SpeaksFrom returns the first day with verdicts.
func (s *State) SpeaksFrom() Day { return s.since + LearnDays }

func (s *State) oldest() Day { return max(s.since, s.next-HistoryDays) }

func (s *State) slot(d Day) *slot {
	i := int(d) % HistoryDays
	if i < 0 {
		i += HistoryDays
	}
	return &s.days[i]
}

// copyTo makes dst a state of its own, reusing its slices.
func (s *State) copyTo(dst *State) {
	recent, past := dst.recent[:0], dst.past[:0]
	*dst = *s
	dst.recent = append(recent, s.recent...)
	dst.past = append(past, s.past...)
}

// Clone returns a copy.
func (s *State) Clone() *State {
	c := &State{}
	s.copyTo(c)
	return c
}
