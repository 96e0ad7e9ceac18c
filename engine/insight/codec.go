package insight

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"math"

	"github.com/cespare/xxhash/v2"
)

// stateVersion is the first byte of an encoded State.
const stateVersion = 1

// dayMax bounds days on both sides of 1970: 27,000 years.
const dayMax = 10_000_000

// What a day's flags say is there.
const (
	dayHours = 1 << iota
	dayOff
	dayPeak
	dayModel
	dayRaw
	dayFive
	dayFlags = 1<<iota - 1
)

// ErrState is the kind of every error about an encoded State that cannot be read.
var ErrState = errors.New("insight: damaged state")

// Append appends the encoding of s to dst; the package comment has the layout.
func (s *State) Append(dst []byte) []byte {
	begin := len(dst)
	e := encoder{dst}
	e.b = append(e.b, stateVersion)
	e.zigzag(int64(s.since))
	e.uint(uint64(s.next - s.since))
	e.uint(uint64(-s.floor))
	e.uint(uint64(len(s.recent)))
	at := int32(-reach)
	for _, p := range s.recent {
		e.uint(uint64(p.at - at))
		e.uint(uint64(p.n))
		at = p.at
	}
	e.uint(uint64(len(s.past)))
	last := Minute(0)
	for _, b := range s.past {
		e.zigzag(int64(b.start - last))
		e.uint(uint64(b.duration))
		e.uint(b.calls)
		last = b.start
	}
	e.bool(s.isOpen)
	if s.isOpen {
		e.open(&s.open, s.next.Start())
	}
	for d := s.oldest(); d < s.next; d++ {
		run := Day(0)
		for d+run < s.next && s.slot(d+run).flags() == 0 {
			run++
		}
		if run > 0 {
			e.b = append(e.b, 0)
			e.uint(uint64(run))
			d += run - 1
			continue
		}
		e.day(s.slot(d))
	}
	return binary.LittleEndian.AppendUint64(e.b, xxhash.Sum64(e.b[begin:]))
}

// flags says what of a day is not as in a day without calls.
func (sl *slot) flags() (f byte) {
	if sl.hours != [24]uint32{} {
		f |= dayHours
	}
	if sl.off != [24]uint8{} {
		f |= dayOff
	}
	if sl.five != [24]uint8{} {
		f |= dayFive
	}
	if sl.peak != [windowCount]uint32{} {
		f |= dayPeak
	}
	if sl.score != 0 || sl.square != 0 || sl.excess != [windowCount]float32{} {
		f |= dayModel
	}
	if sl.calls != sl.sum() || sl.minutes != DayMinutes {
		f |= dayRaw
	}
	return f
}

func (sl *slot) sum() (n uint64) {
	for _, h := range sl.hours {
		n += uint64(h)
	}
	return n
}

type encoder struct{ b []byte }

func (e *encoder) uint(v uint64)  { e.b = binary.AppendUvarint(e.b, v) }
func (e *encoder) zigzag(v int64) { e.b = binary.AppendVarint(e.b, v) }
func (e *encoder) float(v float64) {
	e.b = binary.LittleEndian.AppendUint64(e.b, math.Float64bits(v))
}
func (e *encoder) float32(v float32) {
	e.b = binary.LittleEndian.AppendUint32(e.b, math.Float32bits(v))
}
func (e *encoder) bool(v bool) {
	if v {
		e.b = append(e.b, 1)
	} else {
		e.b = append(e.b, 0)
	}
}

func (e *encoder) day(sl *slot) {
	f := sl.flags()
	e.b = append(e.b, f)
	if f&dayHours != 0 {
		bits := 0
		for h, n := range sl.hours {
			if n > 0 {
				bits |= 1 << h
			}
		}
		e.b = append(e.b, byte(bits), byte(bits>>8), byte(bits>>16))
		for _, n := range sl.hours {
			if n > 0 {
				e.uint(uint64(n))
			}
		}
	}
	if f&dayOff != 0 {
		e.b = append(e.b, sl.off[:]...)
	}
	if f&dayPeak != 0 {
		for _, n := range sl.peak {
			e.uint(uint64(n))
		}
	}
	if f&dayModel != 0 {
		e.float32(sl.score)
		e.float32(sl.square)
		for _, v := range sl.excess {
			e.float32(v)
		}
	}
	if f&dayRaw != 0 {
		e.uint(sl.calls)
		e.uint(uint64(sl.minutes))
	}
	if f&dayFive != 0 {
		bits := 0
		for h, n := range sl.five {
			if n > 0 {
				bits |= 1 << h
			}
		}
		e.b = append(e.b, byte(bits), byte(bits>>8), byte(bits>>16))
		for _, n := range sl.five {
			if n > 0 {
				e.b = append(e.b, n)
			}
		}
	}
}

func (e *encoder) open(r *running, now Minute) {
	e.b = append(e.b, byte(r.Fate))
	for _, m := range []Minute{r.Start, r.End, r.Found, r.Decided, r.BaselineStart, r.Recurs.Last} {
		e.zigzag(int64(m - now))
	}
	for _, n := range []uint64{r.Calls, r.FirstCalls, r.WindowCalls, r.BaselineCalls, r.calls, r.capCalls,
		uint64(r.Window), uint64(r.BaselineMinutes), uint64(r.Recurs.Times), uint64(r.capTime)} {
		e.uint(n)
	}
	e.b = append(e.b, r.Recurs.kind())
	e.bool(r.local)
	for _, v := range []float64{r.Expected, r.FirstExpected, r.WindowExpected, r.Score, r.Threshold, r.expected, r.lift, r.llr, r.best} {
		e.float(v)
	}
}

// DecodeState reads what Append wrote. Bytes that Append would not write are an error of
// kind ErrState.
func DecodeState(b []byte) (*State, error) {
	if len(b) == 0 || b[0] != stateVersion {
		return nil, fmt.Errorf("%w: the first byte is not version %d", ErrState, stateVersion)
	}
	if len(b) < 9 {
		return nil, fmt.Errorf("%w: it ends after %d bytes", ErrState, len(b))
	}
	body := b[:len(b)-8]
	if binary.LittleEndian.Uint64(b[len(body):]) != xxhash.Sum64(body) {
		return nil, fmt.Errorf("%w: the checksum does not fit", ErrState)
	}
	d := decoder{b: body[1:]}
	s := d.state()
	if d.bad || len(d.b) > 0 {
		return nil, fmt.Errorf("%w: what it says cannot be, %d bytes before its end", ErrState, len(d.b)+8)
	}
	if !bytes.Equal(s.Append(make([]byte, 0, len(b))), b) {
		return nil, fmt.Errorf("%w: this is not how it is written", ErrState)
	}
	return s, nil
}

// decoder reads fields; after the first that is out of bounds all are zero.
type decoder struct {
	b   []byte
	bad bool
}

func (d *decoder) fail() {
	d.bad = true
	d.b = nil
}

// uint reads a number up to most.
func (d *decoder) uint(most uint64) uint64 {
	v, n := binary.Uvarint(d.b)
	if n <= 0 || v > most {
		d.fail()
		return 0
	}
	d.b = d.b[n:]
	return v
}

func (d *decoder) zigzag(least, most int64) int64 {
	v, n := binary.Varint(d.b)
	if n <= 0 || v < least || v > most {
		d.fail()
		return max(least, min(most, 0))
	}
	d.b = d.b[n:]
	return v
}

func (d *decoder) take(n int) []byte {
	if len(d.b) < n {
		d.fail()
		return make([]byte, n) // n is a small constant at every call
	}
	b := d.b[:n]
	d.b = d.b[n:]
	return b
}

func (d *decoder) bool() bool {
	v := d.take(1)[0]
	if v > 1 {
		d.fail()
	}
	return v == 1
}

func (d *decoder) float(least float64) float64 {
	v := math.Float64frombits(binary.LittleEndian.Uint64(d.take(8)))
	if !(v >= least && v <= math.MaxFloat64) {
		d.fail()
		return 0
	}
	return v
}

func (d *decoder) float32(least float32) float32 {
	v := math.Float32frombits(binary.LittleEndian.Uint32(d.take(4)))
	if !(v >= least && v <= math.MaxFloat32) {
		d.fail()
		return 0
	}
	return v
}

// callsTotal bounds sums of calls: more than a day of CallsMax each minute, far from overflow.
const callsTotal = 1 << 48

func (d *decoder) state() *State {
	s := &State{}
	d.into(s)
	return s
}

// into reads a state into an empty one.
func (d *decoder) into(s *State) {
	s.since = Day(d.zigzag(-dayMax, dayMax))
	s.next = s.since + Day(d.uint(dayMax))
	s.floor = -int32(d.uint(reach))
	at := int32(-reach)
	for n := d.uint(reach); n > 0 && !d.bad; n-- {
		at += int32(d.uint(reach))
		s.recent = append(s.recent, point{at, uint32(d.uint(CallsMax))})
		if k := len(s.recent); at >= 0 || s.recent[k-1].n == 0 || k > 1 && s.recent[k-2].at >= at {
			d.fail()
		}
	}
	last := Minute(0)
	for n := d.uint(pastMax); n > 0 && !d.bad; n-- {
		last += Minute(d.zigzag(-dayMax*DayMinutes, dayMax*DayMinutes))
		s.past = append(s.past, bygone{last, uint32(d.uint(longest)), d.uint(callsTotal)})
		if last >= s.next.Start() || last < (s.since-1).Start() {
			d.fail()
		}
	}
	if s.isOpen = d.bool(); s.isOpen {
		d.open(&s.open, s.next.Start())
	}
	for x := s.oldest(); x < s.next && !d.bad; x++ {
		f := d.take(1)[0]
		if f > dayFlags {
			d.fail()
		}
		if f == 0 {
			run := Day(d.uint(uint64(s.next - x)))
			if run == 0 {
				d.fail()
			}
			for range run {
				*s.slot(x) = slot{minutes: DayMinutes}
				x++
			}
			x--
			continue
		}
		d.day(s.slot(x), f)
	}
}

func (d *decoder) day(sl *slot, f byte) {
	if f&dayHours != 0 {
		b := d.take(3)
		bits := int(b[0]) | int(b[1])<<8 | int(b[2])<<16
		for h := range sl.hours {
			if bits>>h&1 != 0 {
				sl.hours[h] = uint32(d.uint(math.MaxUint32))
			}
		}
	}
	if f&dayOff != 0 {
		copy(sl.off[:], d.take(24))
		for _, o := range sl.off {
			if o > 60 {
				d.fail()
			}
		}
	}
	if f&dayPeak != 0 {
		for w := range sl.peak {
			sl.peak[w] = uint32(d.uint(math.MaxUint32))
		}
	}
	if f&dayModel != 0 {
		sl.score = d.float32(0)
		sl.square = d.float32(0)
		for w := range sl.excess {
			sl.excess[w] = d.float32(-math.MaxFloat32)
		}
	}
	sl.calls, sl.minutes = sl.sum(), DayMinutes
	if f&dayRaw != 0 {
		sl.calls = d.uint(callsTotal)
		sl.minutes = uint16(d.uint(DayMinutes))
	}
	if f&dayFive != 0 {
		b := d.take(3)
		bits := int(b[0]) | int(b[1])<<8 | int(b[2])<<16
		for h := range sl.five {
			if bits>>h&1 != 0 {
				sl.five[h] = d.take(1)[0]
			}
		}
	}
}

func (d *decoder) open(r *running, now Minute) {
	r.Open = true
	if r.Fate = Fate(d.take(1)[0]); r.Fate > Reported {
		d.fail()
	}
	for _, m := range []*Minute{&r.Start, &r.End, &r.Found, &r.Decided, &r.BaselineStart, &r.Recurs.Last} {
		*m = now + Minute(d.zigzag(-dayMax*DayMinutes, 0))
	}
	if r.Start < now-longest-reach || r.End <= r.Start || r.Found < r.Start || r.BaselineStart > r.Start {
		d.fail()
	}
	var window, minutes, times, capTime uint64
	for _, n := range []*uint64{&r.Calls, &r.FirstCalls, &r.WindowCalls, &r.BaselineCalls, &r.calls, &r.capCalls} {
		*n = d.uint(callsTotal)
	}
	for _, n := range []*uint64{&window, &minutes, &times, &capTime} {
		*n = d.uint(WeekMinutes * 2)
	}
	r.Window, r.BaselineMinutes, r.Recurs.Times, r.capTime = int(window), int(minutes), int(times), int32(capTime)
	d.recurs(&r.Recurs)
	r.local = d.bool()
	for _, v := range []*float64{&r.Expected, &r.FirstExpected, &r.WindowExpected, &r.Score, &r.Threshold, &r.expected} {
		*v = d.float(0)
	}
	r.lift, r.llr, r.best = d.float(1), d.float(-math.MaxFloat64), d.float(-math.MaxFloat64)
}

// What a recurring incident recurs by, as a byte.
const (
	byWeek = iota
	byDay
	byMove
)

func (r *RecursInfo) kind() byte {
	switch {
	case r.Moved:
		return byMove
	case r.Daily:
		return byDay
	}
	return byWeek
}

func (d *decoder) recurs(r *RecursInfo) {
	kind := d.take(1)[0]
	if kind > byMove {
		d.fail()
	}
	r.Daily, r.Moved = kind == byDay, kind == byMove
}
