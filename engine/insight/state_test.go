package insight_test

import (
	"bytes"
	"errors"
	"math/rand/v2"
	"reflect"
	"slices"
	"testing"

	"github.com/cairndb/cairn/engine/insight"
)

const day0 insight.Day = 20003

// history makes counts of some weeks: busy days and nights, gaps of days, spikes of all sizes, and now and
// then something that lasts.
func history(seed uint64, days int) []insight.Count {
	r := rand.New(rand.NewPCG(seed, 1))
	var out []insight.Count
	base := []float64{0.01, 0.3, 3, 40}[r.IntN(4)]
	for d := range days {
		if r.IntN(20) == 0 {
			base *= 0.5 + 2*r.Float64()
		}
		if r.IntN(15) == 0 {
			continue
		}
		spike, length, size := r.IntN(1440), 1+r.IntN(90), uint64(0)
		if r.IntN(4) == 0 {
			size = 1 + uint64(base*float64(1+r.IntN(30)))
		}
		if r.IntN(40) == 0 {
			length = 3000
		}
		for m := range 1440 {
			n := uint64(0)
			if r.Float64() < min(base, 0.7) {
				n = uint64(r.Float64()*2*base + 0.5)
			}
			if m >= spike && m < spike+length {
				n += size
			}
			if n > 0 {
				out = append(out, insight.Count{Minute: (day0 + insight.Day(d)).Start() + insight.Minute(m), Calls: n})
			}
		}
	}
	return out
}

func detector(t testing.TB) *insight.Detector {
	t.Helper()
	d, err := insight.NewDetector(insight.Params{})
	if err != nil {
		t.Fatal(err)
	}
	return d
}

// run feeds counts and returns the last word on every incident. between, unless nil, may put another
// state in the place of the one at the end of each day.
func run(t testing.TB, counts []insight.Count, between func(*insight.State) *insight.State) ([]insight.Incident, *insight.State) {
	t.Helper()
	d := detector(t)
	s := insight.NewState(day0)
	var out []insight.Incident
	err := insight.Split(counts, func(day insight.Day, c []insight.Count) error {
		found, err := d.Day(s, day, c)
		for _, in := range found {
			if n := len(out); n > 0 && out[n-1].Open {
				out[n-1] = in
			} else {
				out = append(out, in)
			}
		}
		if between != nil {
			s = between(s)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return out, s
}

func TestStateGoesOnExactly(t *testing.T) {
	total := 0
	for seed := range uint64(40) {
		counts := history(seed, 50)
		want, end := run(t, counts, nil)
		total += len(want)
		largest := 0
		got, end2 := run(t, counts, func(s *insight.State) *insight.State {
			b := s.Append([]byte("before"))[6:]
			largest = max(largest, len(b))
			again, err := insight.DecodeState(b)
			if err != nil {
				t.Fatalf("seed %d: %v", seed, err)
			}
			return again
		})
		if !reflect.DeepEqual(got, want) {
			t.Fatalf("seed %d: %d incidents with the state written and read each day, %d without:\n%+v\n%+v", seed, len(got), len(want), got, want)
		}
		if !bytes.Equal(end.Append(nil), end2.Append(nil)) {
			t.Fatalf("seed %d: the states at the end differ", seed)
		}
		if largest > 4096 {
			t.Errorf("seed %d: a state of %d bytes", seed, largest)
		}
	}
	if total < 40 {
		t.Fatalf("only %d incidents: the histories show nothing", total)
	}
}

func TestOrderOfArrival(t *testing.T) {
	for seed := range uint64(20) {
		counts := history(seed, 45)
		want, _ := run(t, counts, nil)
		r := rand.New(rand.NewPCG(seed, 2))
		var parts []insight.Count
		for _, c := range counts {
			for c.Calls > 0 {
				n := 1 + r.Uint64N(c.Calls)
				parts = append(parts, insight.Count{Minute: c.Minute, Calls: n})
				c.Calls -= n
			}
		}
		r.Shuffle(len(parts), func(i, j int) { parts[i], parts[j] = parts[j], parts[i] })
		got, _ := run(t, insight.Merge(parts), nil)
		if !reflect.DeepEqual(got, want) {
			t.Fatalf("seed %d: shuffled and split counts give other incidents", seed)
		}
	}
}

func TestPeekSeesWhatDaySays(t *testing.T) {
	d, whole := detector(t), detector(t)
	reported := 0
	for seed := range uint64(12) {
		s := insight.NewState(day0)
		r := rand.New(rand.NewPCG(seed, 3))
		err := insight.Split(history(seed, 40), func(day insight.Day, c []insight.Count) error {
			now := day.Start() + insight.Minute(1+r.IntN(insight.DayMinutes-1))
			before := s.Append(nil)
			seen, err := d.Peek(s, now, c)
			if err != nil {
				return err
			}
			seen = slices.Clone(seen)
			if !bytes.Equal(before, s.Append(nil)) {
				t.Fatal("Peek has changed the state")
			}
			found, err := whole.Day(s, day, c)
			if err != nil {
				return err
			}
			for _, in := range seen {
				i := slices.IndexFunc(found, func(o insight.Incident) bool { return o.Start == in.Start })
				if i < 0 || in.Fate == insight.Reported && (found[i].Fate != in.Fate || found[i].Decided != in.Decided || found[i].FirstCalls != in.FirstCalls) {
					t.Fatalf("seed %d: at %v Peek had %+v, the whole day has %+v", seed, now.Time(), in, found)
				}
				if in.Fate == insight.Reported {
					reported++
				}
			}
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	if reported == 0 {
		t.Fatal("nothing was reported: the histories show nothing")
	}
}

func TestStateErrors(t *testing.T) {
	_, s := run(t, history(3, 40), nil)
	b := s.Append(nil)
	for i := range b {
		c := slices.Clone(b)
		c[i] ^= 0x40
		if _, err := insight.DecodeState(c); !errors.Is(err, insight.ErrState) {
			t.Fatalf("byte %d changed: %v", i, err)
		}
		if _, err := insight.DecodeState(b[:i]); !errors.Is(err, insight.ErrState) {
			t.Fatalf("cut to %d bytes: %v", i, err)
		}
	}
	d := detector(t)
	if _, err := d.Day(s, day0, nil); err == nil {
		t.Error("a day of the past was taken")
	}
	if _, err := d.Day(s, s.Next(), []insight.Count{{Minute: 5, Calls: 1}}); err == nil {
		t.Error("counts of another day were taken")
	}
	if _, err := d.Peek(s, day0.Start(), nil); err == nil {
		t.Error("a look into the past was taken")
	}
	if _, err := insight.NewDetector(insight.Params{Sensitivity: 9}); err == nil {
		t.Error("a sensitivity of 9 was taken")
	}
}
func steady(days int) (counts []insight.Count) {
	for m := range insight.Minute(days * insight.DayMinutes) {
		counts = append(counts, insight.Count{Minute: day0.Start() + m, Calls: 2})
	}
	return counts
}

// burst adds calls to each minute of a time.
func burst(counts []insight.Count, from, minutes int, calls uint64) []insight.Count {
	for m := range minutes {
		counts = append(counts, insight.Count{Minute: day0.Start() + insight.Minute(from+m), Calls: calls})
	}
	return insight.Merge(counts)
}

func theOne(t *testing.T, counts []insight.Count) insight.Incident {
	t.Helper()
	found, _ := run(t, counts, nil)
	if len(found) != 1 {
		t.Fatalf("%d incidents, not one: %+v", len(found), found)
	}
	return found[0]
}
