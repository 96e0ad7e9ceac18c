package insight

import (
	"cmp"
	"slices"
	"time"
)

// Minute is a minute of UTC, counted from 1970-01-01T00:00Z.
type Minute int64

// Day is a day of UTC, counted from 1970-01-01.
type Day int32

// Minutes in a day and a week.
const (
	DayMinutes  = 1440
	WeekMinutes = 7 * DayMinutes
)

// MinuteOf returns the minute that t falls into.
func MinuteOf(t time.Time) Minute {
	s := t.Unix()
	m := s / 60
	if s%60 < 0 {
		m--
	}
	return Minute(m)
}

// Time returns the minute's beginning.
func (m Minute) Time() time.Time { return time.Unix(int64(m)*60, 0).UTC() }

// Day returns the day of a minute.
func (m Minute) Day() Day {
	d := m / DayMinutes
	if m%DayMinutes < 0 {
		d--
	}
	return Day(d)
}

// Start returns the first minute of a day.
func (d Day) Start() Minute { return Minute(d) * DayMinutes }

// weekday is 0 for Monday; 1970-01-01 was a Thursday.
func (d Day) weekday() int { return ((int(d)+3)%7 + 7) % 7 }

// Type is a type of insight, by its published name.
type Type string

// The two types.
const (
	CallRate  Type = "ApiCallRateInsight"
	ErrorRate Type = "ApiErrorRateInsight"
)

// Category tells management from data events; by its published name.
type Category string

// The two categories that are watched.
const (
	Management Category = "Management"
	Data       Category = "Data"
)

// Series names what is counted.
type Series struct {
	Account, Region        string
	EventSource, EventName string
	// ErrorCode is set for series of type ErrorRate only.
	ErrorCode string
	Type      Type
	Category  Category
}

// Count is the number of calls in one minute.
type Count struct {
	Minute Minute
	Calls  uint64
}

// CallsMax is the largest count of one minute that is told apart from larger ones:
// 60 of it fit the 32 bits that an hour has in a State, and no series comes near.
const CallsMax = 1<<32/60 - 1

// Merge brings counts into the form that Detector.Day takes: ascending, each minute
// once, nothing with zero calls. Counts of the same minute are added; so it does not
// matter in which order, and in how many parts, events arrived. It reuses the slice.
func Merge(counts []Count) []Count {
	slices.SortFunc(counts, func(a, b Count) int { return cmp.Compare(a.Minute, b.Minute) })
	out := counts[:0]
	for _, c := range counts {
		switch last := len(out) - 1; {
		case c.Calls == 0:
		case last >= 0 && out[last].Minute == c.Minute:
			out[last].Calls = saturate(out[last].Calls, c.Calls)
		default:
			out = append(out, c)
		}
	}
	return out
}

func saturate(a, b uint64) uint64 {
	if a+b < a {
		return 1<<64 - 1
	}
	return a + b
}

// Split cuts ascending counts into days and calls fn with each day that has any, in
// order.
func Split(counts []Count, fn func(day Day, counts []Count) error) error {
	for len(counts) > 0 {
		day := counts[0].Minute.Day()
		n, _ := slices.BinarySearchFunc(counts, (day + 1).Start(), func(c Count, m Minute) int { return cmp.Compare(c.Minute, m) })
		if err := fn(day, counts[:n]); err != nil {
			return err
		}
		counts = counts[n:]
	}
	return nil
}
