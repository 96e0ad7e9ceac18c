package insight

import (
	"bytes"
	"cmp"
	"encoding/binary"
	"errors"
	"fmt"
	"slices"

	"github.com/cespare/xxhash/v2"
)

// The bytes of a Watch, numbers and floats as in a State:
//
//	magic          3 bytes "CIW", and 1 byte version: 1
//	day            zigzag
//	texts          number, then each with its length, ascending: all others refer to them by place
//	places         number, then account, region, first day (zigzag), in order of account and region
//	series         number, then account, region, source, name, error code, a byte for type (1: error rate) and
//	               category (2: data), the length of the State and the State, in the order of Compare
//	expected       number, then the place among the series, start (zigzag), duration, calls, baseline start (start
//	               minus it), baseline calls and minutes, window, its calls, last time (start minus it), times,
//	               1 if daily and 2 if moved, 1 if it became the new level, calls expected and expected in the window (floats), in order of
//	               start and series
//	checksum       8 bytes: xxhash64 of all before
//
// Counts are not among them: they are read again from where the events are.
const (
	watchMagic   = "CIW"
	watchVersion = 1
	// watchTextMax is the longest text of a series: events are refused long before.
	watchTextMax = 1 << 20
)

// ErrWatch is the kind of every error about the bytes of a Watch that cannot be read.
var ErrWatch = errors.New("insight: damaged watch")

// Append appends the bytes of w to dst: what is known at the beginning of Day. It is for a Watch that has
// advanced.
func (w *Watch) Append(dst []byte) []byte {
	begin := len(dst)
	e := encoder{append(append(dst, watchMagic...), watchVersion)}
	e.zigzag(int64(w.day))
	at := w.texts(&e)
	type first struct {
		place
		day Day
	}
	var places []first
	for p, day := range w.since {
		places = append(places, first{p, day})
	}
	slices.SortFunc(places, func(a, b first) int {
		return cmp.Or(cmp.Compare(a.account, b.account), cmp.Compare(a.region, b.region))
	})
	e.uint(uint64(len(places)))
	for _, p := range places {
		e.uint(at[p.account])
		e.uint(at[p.region])
		e.zigzag(int64(p.day))
	}
	order := w.order()
	e.uint(uint64(len(order)))
	rank := make(map[Series]uint64, len(order))
	for i, id := range order {
		s := &w.list[id]
		rank[s.series] = uint64(i)
		for _, text := range s.series.texts() {
			e.uint(at[text])
		}
		var kind byte
		if s.series.Type == ErrorRate {
			kind |= 1
		}
		if s.series.Category == Data {
			kind |= 2
		}
		e.b = append(e.b, kind)
		e.uint(uint64(len(s.state)))
		e.b = append(e.b, s.state...)
	}
	e.uint(uint64(len(w.expected)))
	for i := range w.expected {
		f := &w.expected[i]
		e.uint(rank[f.Series])
		e.zigzag(int64(f.Start))
		for _, n := range []uint64{uint64(f.Duration()), f.Calls, uint64(f.Start - f.BaselineStart), f.BaselineCalls, uint64(f.BaselineMinutes),
			uint64(f.Window), f.WindowCalls, uint64(f.Start - f.Recurs.Last), uint64(f.Recurs.Times)} {
			e.uint(n)
		}
		e.b = append(e.b, f.Recurs.kind())
		e.bool(f.NewLevel)
		e.float(f.Expected)
		e.float(f.WindowExpected)
	}
	return binary.LittleEndian.AppendUint64(e.b, xxhash.Sum64(e.b[begin:]))
}

func (s *Series) texts() [5]string {
	return [...]string{s.Account, s.Region, s.EventSource, s.EventName, s.ErrorCode}
}

// texts writes all texts and returns the place of each.
func (w *Watch) texts(e *encoder) map[string]uint64 {
	at := make(map[string]uint64)
	for p := range w.since {
		at[p.account], at[p.region] = 0, 0
	}
	for i := range w.list {
		for _, text := range w.list[i].series.texts() {
			at[text] = 0
		}
	}
	all := make([]string, 0, len(at))
	for text := range at {
		all = append(all, text)
	}
	slices.Sort(all)
	e.uint(uint64(len(all)))
	for i, text := range all {
		at[text] = uint64(i)
		e.uint(uint64(len(text)))
		e.b = append(e.b, text...)
	}
	return at
}

// order returns the numbers of the series in the order of Compare.
func (w *Watch) order() []int {
	order := make([]int, len(w.list))
	for i := range order {
		order[i] = i
	}
	slices.SortFunc(order, func(a, b int) int { return w.list[a].series.Compare(&w.list[b].series) })
	return order
}

// DecodeWatch reads what Append wrote, for detection with the parameters that it was written with. Bytes that Append would
// not write are an error of kind ErrWatch.
func DecodeWatch(b []byte, p Params) (*Watch, error) {
	head := len(watchMagic) + 1
	if len(b) < head+8 || string(b[:head-1]) != watchMagic || b[head-1] != watchVersion {
		return nil, fmt.Errorf("%w: it does not begin with %s and version %d", ErrWatch, watchMagic, watchVersion)
	}
	body := b[:len(b)-8]
	if binary.LittleEndian.Uint64(b[len(body):]) != xxhash.Sum64(body) {
		return nil, fmt.Errorf("%w: the checksum does not fit", ErrWatch)
	}
	w, err := NewWatch(p)
	if err != nil {
		return nil, err
	}
	d := decoder{b: body[head:]}
	if err := w.read(&d); err != nil {
		return nil, err
	}
	if d.bad || len(d.b) > 0 {
		return nil, fmt.Errorf("%w: what it says cannot be, %d bytes before its end", ErrWatch, len(d.b)+8)
	}
	if !bytes.Equal(w.Append(make([]byte, 0, len(b))), b) {
		return nil, fmt.Errorf("%w: this is not how it is written", ErrWatch)
	}
	return w, nil
}

func (w *Watch) read(d *decoder) error {
	w.day, w.moved = Day(d.zigzag(-dayMax, dayMax)), true
	var texts []string
	for n := d.uint(uint64(len(d.b))); n > 0 && !d.bad; n-- {
		texts = append(texts, string(d.take(int(d.uint(min(watchTextMax, uint64(len(d.b))))))))
	}
	text := func() string {
		if i := d.uint(uint64(len(texts))); i < uint64(len(texts)) {
			return texts[i]
		}
		d.fail()
		return ""
	}
	for n := d.uint(uint64(len(d.b))); n > 0 && !d.bad; n-- {
		p := place{text(), text()}
		w.since[p] = Day(d.zigzag(-dayMax, dayMax))
	}
	for n := d.uint(min(SeriesMax, uint64(len(d.b)))); n > 0 && !d.bad; n-- {
		s := watched{series: Series{Account: text(), Region: text(), EventSource: text(), EventName: text(), ErrorCode: text(), Type: CallRate, Category: Management}, dirty: true}
		kind := d.take(1)[0]
		if kind > 3 {
			d.fail()
		}
		if kind&1 != 0 {
			s.series.Type = ErrorRate
		}
		if kind&2 != 0 {
			s.series.Category = Data
		}
		if size := int(d.uint(uint64(len(d.b)))); size > 0 {
			s.state = bytes.Clone(d.take(size))
			st, err := DecodeState(s.state)
			if err != nil {
				return fmt.Errorf("%w: series %d: %w", ErrWatch, len(w.list), err)
			}
			if s.open = st.isOpen; st.next > w.day {
				d.fail()
			}
		}
		w.ids[s.series] = len(w.list)
		w.list = append(w.list, s)
	}
	for n := d.uint(min(expectedMax, uint64(len(d.b)))); n > 0 && !d.bad; n-- {
		var f Found
		if i := d.uint(uint64(len(w.list))); i < uint64(len(w.list)) {
			f.Series = w.list[i].series
		} else {
			d.fail()
		}
		f.Fate = Recurring
		f.Start = Minute(d.zigzag(-dayMax*DayMinutes, dayMax*DayMinutes))
		f.End = f.Start + Minute(d.uint(longest))
		f.Calls = d.uint(callsTotal)
		f.BaselineStart = f.Start - Minute(d.uint(WeekMinutes*2))
		f.BaselineCalls = d.uint(callsTotal)
		f.BaselineMinutes = int(d.uint(WeekMinutes * 2))
		f.Window = int(d.uint(WeekMinutes))
		f.WindowCalls = d.uint(callsTotal)
		f.Recurs.Last = f.Start - Minute(d.uint(dayMax*DayMinutes))
		f.Recurs.Times = int(d.uint(WeekMinutes))
		d.recurs(&f.Recurs)
		f.NewLevel = d.bool()
		f.Expected, f.WindowExpected = d.float(0), d.float(0)
		w.expected = append(w.expected, f)
	}
	return nil
}

// decode reads a State that Append has written and that was in no other hands: it is not compared with
// its bytes again.
func (s *State) decode(b []byte) error {
	*s = State{recent: s.recent[:0], past: s.past[:0]}
	d := decoder{b: b[1 : len(b)-8]}
	d.into(s)
	if d.bad || len(d.b) > 0 {
		return fmt.Errorf("%w: what it says cannot be", ErrState)
	}
	return nil
}
