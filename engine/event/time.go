package event

import "unsafe"

const (
	microsPerSecond = 1_000_000
	microsPerMilli  = 1_000
	secondsPerDay   = 86_400

	// timeMax is 9999-12-31T23:59:59.999999Z, timeMin 0001-01-01T00:00:00Z: the
	// years that four digits can write.
	timeMax = 253_402_300_799_999_999
	timeMin = -62_135_596_800_000_000
)

// ParseTime reads a time as audit records write it and returns microseconds
// since 1970-01-01 UTC. These forms are read:
//
//	2026-01-02T03:04:05Z         the canonical one
//	2026-01-02 03:04:05          blank for T; no zone means UTC
//	2026-01-02T03:04:05.123456Z  any number of decimals, cut to microseconds
//	2026-01-02T03:04:05+01:00    offsets +hh:mm, +hhmm, +hh up to 14:59
//	20260102T030405Z             ISO basic, with the same endings
//	2026-01-02 03:04:05.000 UTC  as SQL engines print it
//
// T, Z may be lower-case and the decimal point a comma. A second of 60, a leap
// second at the end of an hour, is the first of the next minute. Anything else
// is not ok: dates without a time, impossible dates, counts of seconds, blanks
// around or inside.
func ParseTime(s string) (micros int64, ok bool) {
	if len(s) == 20 {
		if t, ok := parseCanonical(s); ok {
			return t, true
		}
	}
	return parseTimeForms(s)
}

// parseCanonical reads the canonical form, 20 bytes, eight at a time: what is
// left of a byte after exclusive-or with the form's is 0 to 9 for a digit and 0
// for the rest, or the text has another form.
func parseCanonical(s string) (int64, bool) {
	a := word(s[0:8]) ^ word("0000-00-")
	b := word(s[8:16]) ^ word("00T00:00")
	c := word(s[12:20]) ^ word("0:00:00Z")
	// Adding to a byte brings it to 128 exactly if it is more than it may be.
	bad := a | b | c |
		(a + word("vvvv\x7fvv\x7f")) | (b + word("vv\x7fvv\x7fvv")) | (c + word("v\x7fvv\x7fvv\x7f"))
	if bad&highs != 0 {
		return 0, false
	}
	year := int(a&15)*1000 + int(a>>8&15)*100 + two(a, 16)
	month, day := two(a, 40), two(b, 0)
	hour, minute, second := two(b, 24), two(b, 48), two(c, 40)
	if year == 0 || uint(month-1) > 11 || uint(day-1) > 27 || hour > 23 || minute > 59 || second > 59 {
		return civil{year: year, month: month, day: day, hour: hour, minute: minute, second: second}.micros()
	}
	days := daysTo(year) + daysBefore[month&15] + day
	if month > 2 && isLeap(year) {
		days++
	}
	return (int64(days)*secondsPerDay + int64(hour*3600+minute*60+second)) * microsPerSecond, true
}

// word returns eight bytes as a number, the first the lowest.
func word(s string) uint64 {
	_ = s[7]
	return uint64(s[0]) | uint64(s[1])<<8 | uint64(s[2])<<16 | uint64(s[3])<<24 |
		uint64(s[4])<<32 | uint64(s[5])<<40 | uint64(s[6])<<48 | uint64(s[7])<<56
}

// two returns the number of two digits at a bit of a word.
func two(w uint64, bit int) int { return int(w>>bit&15)*10 + int(w>>(bit+8)&15) }

// daysTo returns the days from 1970-01-01 to the day before the first of a year.
func daysTo(year int) int {
	y := year - 1
	return y*365 + y/4 - y/100 + y/400 - 719_163
}

func isLeap(year int) bool { return year%4 == 0 && (year%100 != 0 || year%400 == 0) }

// parseTimeBytes is ParseTime for bytes that nobody changes meanwhile.
func parseTimeBytes(b []byte) (int64, bool) {
	return ParseTime(unsafe.String(unsafe.SliceData(b), len(b)))
}

// parseTimeForms reads every form, the canonical one among them.
func parseTimeForms(s string) (int64, bool) {
	// The shortest form is 20260102T030405.
	if len(s) < 15 {
		return 0, false
	}
	var c civil
	ok := true
	take := func(n int) (v int) {
		if len(s) < n {
			ok = false
			return 0
		}
		for k := range n {
			d := s[k] - '0'
			if d > 9 {
				ok = false
			}
			v = v*10 + int(d)
		}
		s = s[n:]
		return v
	}
	skip := func(c byte) {
		if len(s) == 0 || s[0] != c {
			ok = false
			return
		}
		s = s[1:]
	}
	extended := s[4] == '-'
	between := func(c byte) {
		if extended {
			skip(c)
		}
	}
	c.year = take(4)
	between('-')
	c.month = take(2)
	between('-')
	c.day = take(2)
	if len(s) == 0 || (s[0] != 'T' && s[0] != 't' && s[0] != ' ') {
		return 0, false
	}
	s = s[1:]
	c.hour = take(2)
	between(':')
	c.minute = take(2)
	between(':')
	c.second = take(2)
	if !ok {
		return 0, false
	}
	if len(s) > 0 && (s[0] == '.' || s[0] == ',') {
		k := 1
		for scale := microsPerSecond / 10; k < len(s) && s[k]-'0' <= 9; k++ {
			c.fraction += int(s[k]-'0') * scale
			scale /= 10
		}
		if k == 1 {
			return 0, false
		}
		s = s[k:]
	}
	offset := 0 // minutes east of UTC
	switch {
	case s == "" || s == "Z" || s == "z" || s == " UTC":
	case s[0] == '+' || s[0] == '-':
		west := s[0] == '-'
		s = s[1:]
		h, m := take(2), 0
		if len(s) > 0 && s[0] == ':' {
			s = s[1:]
			m = take(2)
		} else if len(s) > 0 {
			m = take(2)
		}
		if !ok || s != "" || h > 14 || m > 59 {
			return 0, false
		}
		offset = h*60 + m
		if west {
			offset = -offset
		}
	default:
		return 0, false
	}
	t, ok := c.micros()
	t -= int64(offset) * 60 * microsPerSecond
	return t, ok && t >= timeMin && t <= timeMax
}

// civil is a date and time of day in UTC.
type civil struct {
	year, month, day, hour, minute, second int
	fraction                               int // microseconds
}

// daysBefore is the number of days before each month of a common year.
var daysBefore = [16]int{0, 0, 31, 59, 90, 120, 151, 181, 212, 243, 273, 304, 334}

// daysIn is the number of days of each month of a common year.
var daysIn = [13]int{0, 31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31}

// micros returns the time in microseconds since 1970, and whether there is such
// a time.
func (c civil) micros() (int64, bool) {
	if c.year < 1 || c.month < 1 || c.month > 12 || c.day < 1 || c.hour > 23 || c.minute > 59 {
		return 0, false
	}
	if c.second > 59 && (c.second > 60 || c.minute != 59) {
		return 0, false
	}
	leap := isLeap(c.year)
	if c.day > daysIn[c.month] && !(leap && c.month == 2 && c.day == 29) {
		return 0, false
	}
	days := daysTo(c.year) + daysBefore[c.month] + c.day
	if leap && c.month > 2 {
		days++
	}
	t := (int64(days)*secondsPerDay+int64(c.hour*3600+c.minute*60+c.second))*microsPerSecond + int64(c.fraction)
	return t, t <= timeMax
}

// FormatTime writes a time in the canonical form, 2026-01-02T03:04:05Z, with
// three or six decimals when it has a fraction of a second. ParseTime reads it
// back for the years 1 to 9999, which is all that ParseTime returns.
func FormatTime(micros int64) string {
	var buf [32]byte
	return string(AppendTime(buf[:0], micros))
}

// AppendTime appends FormatTime(micros) to dst.
func AppendTime(dst []byte, micros int64) []byte {
	seconds, fraction := floorDiv(micros, microsPerSecond)
	days, rest := floorDiv(seconds, secondsPerDay)
	year, month, day := civilDate(days)
	if year < 0 || year > 9999 {
		// Outside of what the form can hold: show it rather than wrap around.
		dst = append(dst, "out of range:"...)
	}
	dst = appendDigits(dst, year, 4)
	dst = append(dst, '-')
	dst = appendDigits(dst, month, 2)
	dst = append(dst, '-')
	dst = appendDigits(dst, day, 2)
	dst = append(dst, 'T')
	dst = appendDigits(dst, int(rest/3600), 2)
	dst = append(dst, ':')
	dst = appendDigits(dst, int(rest/60%60), 2)
	dst = append(dst, ':')
	dst = appendDigits(dst, int(rest%60), 2)
	switch {
	case fraction == 0:
	case fraction%microsPerMilli == 0:
		dst = append(dst, '.')
		dst = appendDigits(dst, int(fraction/microsPerMilli), 3)
	default:
		dst = append(dst, '.')
		dst = appendDigits(dst, int(fraction), 6)
	}
	return append(dst, 'Z')
}

func floorDiv(a, b int64) (quotient, rest int64) {
	quotient, rest = a/b, a%b
	if rest < 0 {
		quotient, rest = quotient-1, rest+b
	}
	return quotient, rest
}

// cutToMillis returns the start of the millisecond that t lies in.
func cutToMillis(t int64) int64 {
	_, rest := floorDiv(t, microsPerMilli)
	return t - rest
}

// civilDate turns days since 1970-01-01 into a date of the Gregorian calendar.
// It counts in years that begin with March, so that the leap day comes last.
func civilDate(days int64) (year, month, day int) {
	era, dayOfEra := floorDiv(days+719_468, 146_097)
	yearOfEra := (dayOfEra - dayOfEra/1460 + dayOfEra/36_524 - dayOfEra/146_096) / 365
	dayOfYear := dayOfEra - (365*yearOfEra + yearOfEra/4 - yearOfEra/100)
	m := (5*dayOfYear + 2) / 153
	day = int(dayOfYear-(153*m+2)/5) + 1
	month = int(m) + 3
	year = int(yearOfEra + era*400)
	if month > 12 {
		month -= 12
		year++
	}
	return year, month, day
}

func appendDigits(dst []byte, v, width int) []byte {
	var buf [20]byte
	n := len(buf)
	neg := v < 0
	if neg {
		v = -v
	}
	for ; width > 0 || v > 0; width-- {
		n--
		buf[n] = byte('0' + v%10)
		v /= 10
	}
	if neg {
		n--
		buf[n] = '-'
	}
	return append(dst, buf[n:]...)
}
