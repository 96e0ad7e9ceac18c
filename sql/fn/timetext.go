package fn

import (
	"strings"

	"github.com/cairndb/cairn/segment/column"
	"github.com/cairndb/cairn/sql/sqlerr"
)

// timeText is a date, time and zone as written. Which parts are there depends
// on the form.
type timeText struct {
	days    int64
	clock   int64 // microseconds of the day, rounded to a microsecond
	hasTime bool
	zone    string // "" when none is written
}

func (t *timeText) micros() int64 { return t.days*microsPerDay + t.clock }

// digits reads up to limit decimal digits at the start of s.
func digits(s string, limit int) (value int64, size int) {
	for size < len(s) && size < limit && s[size] >= '0' && s[size] <= '9' {
		value = value*10 + int64(s[size]-'0')
		size++
	}
	return value, size
}

// parseDate reads [-]yyyy-m-d at the start of s and returns what follows.
func parseDate(s string) (days int64, rest string, ok bool) {
	neg := false
	if s != "" && (s[0] == '-' || s[0] == '+') {
		neg = s[0] == '-'
		s = s[1:]
	}
	y, n := digits(s, 6)
	if n < 4 || n >= len(s) || s[n] != '-' {
		return 0, "", false
	}
	s = s[n+1:]
	m, n := digits(s, 2)
	if n == 0 || n >= len(s) || s[n] != '-' {
		return 0, "", false
	}
	s = s[n+1:]
	d, n := digits(s, 2)
	if neg {
		y = -y
	}
	if n == 0 || y < minYear || y > maxYear || m < 1 || m > 12 || d < 1 || d > daysInMonth(y, m) {
		return 0, "", false
	}
	return dayNumber(y, m, d), s[n:], true
}

// parseClock reads h:mm[:ss[.fraction]] at the start of s and returns what
// follows. The fraction is rounded to microseconds.
func parseClock(s string) (clock int64, rest string, ok bool) {
	h, n := digits(s, 2)
	if n == 0 || n >= len(s) || s[n] != ':' || h > 23 {
		return 0, "", false
	}
	s = s[n+1:]
	m, n := digits(s, 2)
	if n == 0 || m > 59 {
		return 0, "", false
	}
	s = s[n:]
	clock = h*microsPerHour + m*microsPerMinute
	if s == "" || s[0] != ':' {
		return clock, s, true
	}
	sec, n := digits(s[1:], 2)
	if n == 0 || sec > 59 {
		return 0, "", false
	}
	s = s[1+n:]
	clock += sec * microsPerSecond
	if s == "" || s[0] != '.' && s[0] != ',' {
		return clock, s, true
	}
	frac, rest, ok := parseFraction(s[1:])
	return clock + frac, rest, ok
}

// parseFraction reads the digits after the point of a second.
func parseFraction(s string) (micros int64, rest string, ok bool) {
	v, n := digits(s, 6)
	if n == 0 {
		return 0, "", false
	}
	s = s[n:]
	for ; n < 6; n++ {
		v *= 10
	}
	if s != "" && s[0] >= '5' && s[0] <= '9' {
		v++
	}
	for s != "" && s[0] >= '0' && s[0] <= '9' {
		s = s[1:]
	}
	return v, s, true
}

// parseOffset reads Z, +hh, +hhmm or +hh:mm, the whole of s, and returns the
// name of the zone as [column.ZoneNumber] takes it.
func parseOffset(s string) (zone string, ok bool) {
	if s == "Z" || s == "z" {
		return "UTC", true
	}
	if len(s) < 2 || s[0] != '+' && s[0] != '-' {
		return "", false
	}
	h, n := digits(s[1:], 2)
	rest := s[1+n:]
	var m int64
	if n == 0 || h > 14 {
		return "", false
	}
	if rest != "" {
		rest = strings.TrimPrefix(rest, ":")
		if m, n = digits(rest, 2); n != 2 || len(rest) != 2 || m > 59 {
			return "", false
		}
	}
	if h == 0 && m == 0 {
		return "UTC", true
	}
	return string([]byte{s[0], byte('0' + h/10), byte('0' + h%10), ':', byte('0' + m/10), byte('0' + m%10)}), true
}

// parseSQLTime reads the text form that CAST takes: a date, optionally a blank
// and a time, optionally a blank and a zone.
func parseSQLTime(s string) (t timeText, ok bool) {
	s = strings.TrimSpace(s)
	if t.days, s, ok = parseDate(s); !ok {
		return t, false
	}
	if s == "" {
		return t, true
	}
	if s[0] != ' ' {
		return t, false
	}
	s = strings.TrimLeft(s, " ")
	if clock, rest, isClock := parseClock(s); isClock {
		t.clock, t.hasTime, s = clock, true, rest
	}
	s = strings.TrimLeft(s, " ")
	if s == "" {
		return t, true
	}
	return t, t.readZone(s)
}

func (t *timeText) readZone(s string) bool {
	if zone, ok := parseOffset(s); ok {
		t.zone = zone
		return true
	}
	if _, err := column.ZoneNumber(s); err != nil {
		return false
	}
	t.zone = s
	return true
}

// TimestampLiteral reads the text of a literal timestamp '…': its type has the
// fraction digits of the text, 3 at least and 6 at most, and a zone when the text
// has one. ok is false for text that is no SQL timestamp.
func TimestampLiteral(s string) (t *column.Type, micros int64, zone uint16, ok bool) {
	v, ok := parseSQLTime(s)
	if !ok {
		return nil, 0, 0, false
	}
	precision := 3
	if i := strings.IndexByte(s, '.'); i >= 0 {
		for i++; i < len(s) && s[i] >= '0' && s[i] <= '9' && precision < 6; i++ {
			if n := i - strings.IndexByte(s, '.'); n > precision {
				precision = n
			}
		}
	}
	kind := column.Timestamp
	micros = roundMicros(v.micros(), precision)
	if v.zone != "" {
		kind = column.TimestampTZ
		zone, _ = column.ZoneNumber(v.zone) // checked by the parser
		micros = toUTC(micros, zone)
	}
	if precision == 3 {
		if kind == column.Timestamp {
			return column.TimestampType, micros, zone, true
		}
		return column.TimestampTZType, micros, zone, true
	}
	return &column.Type{Kind: kind, Precision: precision}, micros, zone, true
}

// ParseTimestampLiteral reads a string that a query compares with a timestamp,
// leniently: a date, or a date and a time with a blank or a T between them,
// hh:mm[:ss[.fraction]], and an optional zone (Z, an offset, or a name). A time
// with a zone is turned into UTC. The result is microseconds since 1970-01-01.
func ParseTimestampLiteral(s string) (int64, error) {
	bad := func() (int64, error) {
		return 0, sqlerr.New(sqlerr.InvalidDatetime, sqlerr.Pos{}, "%s is not a timestamp", shown(s)).
			WithHint("write '2026-01-31', '2026-01-31 13:45:00' or '2026-01-31T13:45:00Z'")
	}
	rest := strings.TrimSpace(s)
	var t timeText
	var ok bool
	if t.days, rest, ok = parseDate(rest); !ok {
		return bad()
	}
	if rest == "" {
		return t.micros(), nil
	}
	if rest[0] == 'T' || rest[0] == 't' {
		rest = rest[1:]
	} else if rest[0] == ' ' {
		rest = strings.TrimLeft(rest, " ")
	} else if rest[0] != 'Z' && rest[0] != 'z' {
		return bad()
	}
	if clock, after, isClock := parseClock(rest); isClock {
		t.clock, rest = clock, after
	}
	if rest = strings.TrimLeft(rest, " "); rest != "" && !t.readZone(rest) {
		return bad()
	}
	if t.zone != "" {
		zone, err := column.ZoneNumber(t.zone)
		if err != nil {
			return bad()
		}
		return toUTC(t.micros(), zone), nil
	}
	return t.micros(), nil
}

// parseISO8601 reads the ISO 8601 forms: calendar, week (2026-W07-3) and ordinal
// (2026-045) dates, with parts left out from the right, T and a time, an offset.
func parseISO8601(s string) (t timeText, ok bool) {
	date, clock := s, ""
	if i := strings.IndexAny(s, "Tt"); i >= 0 {
		date, clock = s[:i], s[i+1:]
		t.hasTime = true
	}
	if t.days, ok = parseISODate(date); !ok {
		return t, false
	}
	if !t.hasTime {
		return t, true
	}
	if i := strings.IndexAny(clock, "Zz+-"); i >= 0 {
		if t.zone, ok = parseOffset(clock[i:]); !ok {
			return t, false
		}
		clock = clock[:i]
	}
	if clock == "" {
		return t, t.zone != ""
	}
	if h, n := digits(clock, 2); n == 2 && n == len(clock) && h <= 23 {
		t.clock = h * microsPerHour
		return t, true
	}
	var rest string
	t.clock, rest, ok = parseClock(clock)
	return t, ok && rest == ""
}

func parseISODate(s string) (days int64, ok bool) {
	neg := strings.HasPrefix(s, "-")
	if neg || strings.HasPrefix(s, "+") {
		s = s[1:]
	}
	y, n := digits(s, 6)
	if n < 4 || y > maxYear {
		return 0, false
	}
	if neg {
		y = -y
	}
	if s = s[n:]; s == "" {
		return dayNumber(y, 1, 1), y >= minYear
	}
	if s[0] != '-' || y < minYear {
		return 0, false
	}
	s = s[1:]
	if strings.HasPrefix(s, "W") {
		w, n := digits(s[1:], 2)
		if n != 2 || w < 1 || w > 53 {
			return 0, false
		}
		s = s[1+n:]
		d := int64(1)
		if s != "" {
			if len(s) != 2 || s[0] != '-' || s[1] < '1' || s[1] > '7' {
				return 0, false
			}
			d = int64(s[1] - '0')
		}
		fourth := dayNumber(y, 1, 4) // always in week 1
		days = fourth - dayOfWeek(fourth) + 1 + (w-1)*7 + d - 1
		if yy, ww := isoWeek(days); yy != y || ww != w {
			return 0, false
		}
		return days, true
	}
	a, n := digits(s, 3)
	rest := s[n:]
	switch {
	case n == 3 && rest == "": // ordinal
		last := int64(365)
		if isLeap(y) {
			last = 366
		}
		return dayNumber(y, 1, 1) + a - 1, a >= 1 && a <= last
	case n == 0 || n == 3 || a < 1 || a > 12:
		return 0, false
	case rest == "":
		return dayNumber(y, a, 1), true
	case rest[0] != '-':
		return 0, false
	}
	d, n := digits(rest[1:], 2)
	if n == 0 || n != len(rest)-1 || d < 1 || d > daysInMonth(y, a) {
		return 0, false
	}
	return dayNumber(y, a, d), true
}

// roundMicros rounds a time to p digits after the second, half up.
func roundMicros(micros int64, p int) int64 {
	if p >= 6 {
		return micros
	}
	unit := int64(1)
	for range 6 - p {
		unit *= 10
	}
	return floorDiv(micros+unit/2, unit) * unit
}

// ParseIntervalLiteral reads the text of an interval literal. With a unit
// (second … week: day to second; month, quarter, year: year to month) the text
// is a number of them, or with a second unit a range such as '1 2:03:04' day to
// second or '1-6' year to month. Without a unit it is a list of numbers with
// units: '1 day 2 hours'. The result is microseconds or months, by the type.
func ParseIntervalLiteral(text, unit, to string) (*column.Type, int64, error) {
	bad := func() (*column.Type, int64, error) {
		return nil, 0, fault(sqlerr.InvalidDatetime, "%s is not an interval", shown(text))
	}
	s := strings.TrimSpace(text)
	neg := false
	if strings.HasPrefix(s, "-") || strings.HasPrefix(s, "+") {
		neg, s = s[0] == '-', strings.TrimSpace(s[1:])
	}
	sign := func(t *column.Type, v int64, ok bool) (*column.Type, int64, error) {
		if !ok {
			return bad()
		}
		if neg {
			v = -v
		}
		return t, v, nil
	}
	unit, to = strings.ToLower(unit), strings.ToLower(to)
	switch {
	case unit == "":
		t, v, ok := parseIntervalList(s)
		return sign(t, v, ok)
	case to == "" || to == unit:
		t, v, ok := parseIntervalAmount(s, unit)
		return sign(t, v, ok)
	case unit == "year" && to == "month":
		y, m, found := strings.Cut(s, "-")
		years, ok1 := parseCount(y)
		months, ok2 := parseCount(m)
		return sign(column.IntervalMonthType, years*12+months, found && ok1 && ok2 && months < 12)
	}
	v, ok := parseIntervalRange(s, unit, to)
	return sign(column.IntervalDayType, v, ok)
}

// ParsePostgresInterval reads an interval as Postgres' clients write it, in microseconds:
// 1 days 2 seconds, -1 days +02:03:04, each number with a sign of its own.
func ParsePostgresInterval(text string) (int64, error) {
	t, v, ok := parseIntervalList(text)
	if !ok || t.Kind != column.IntervalDay {
		return 0, fault(sqlerr.InvalidDatetime, "%s is not an interval of days and hours", shown(text))
	}
	return v, nil
}

// maxIntervalCount keeps every unit times a count inside an int64.
const maxIntervalCount = 9_000_000_000

func parseCount(s string) (int64, bool) {
	v, n := digits(s, 10)
	return v, n > 0 && n == len(s) && v <= maxIntervalCount
}

// intervalUnit returns the microseconds or months of a unit.
func intervalUnit(unit string) (t *column.Type, size int64, ok bool) {
	switch strings.TrimSuffix(unit, "s") {
	case "millisecond", "m":
		if unit == "ms" || unit != "m" {
			return column.IntervalDayType, microsPerMilli, true
		}
	case "second", "sec", "":
		return column.IntervalDayType, microsPerSecond, true
	case "minute", "min":
		return column.IntervalDayType, microsPerMinute, true
	case "hour":
		return column.IntervalDayType, microsPerHour, true
	case "day":
		return column.IntervalDayType, microsPerDay, true
	case "week":
		return column.IntervalDayType, 7 * microsPerDay, true
	case "month", "mon":
		return column.IntervalMonthType, 1, true
	case "quarter":
		return column.IntervalMonthType, 3, true
	case "year":
		return column.IntervalMonthType, 12, true
	}
	return nil, 0, false
}

func parseIntervalAmount(s, unit string) (*column.Type, int64, bool) {
	t, size, ok := intervalUnit(unit)
	if !ok {
		return nil, 0, false
	}
	whole, frac, hasFrac := strings.Cut(s, ".")
	v, ok := parseCount(whole)
	if !ok || v > (1<<62)/size {
		return nil, 0, false
	}
	v *= size
	if hasFrac {
		f, rest, ok := parseFraction(frac)
		if !ok || rest != "" || t.Kind != column.IntervalDay || size > microsPerDay {
			return nil, 0, false
		}
		// f is millionths of the unit; the unit is at most a day.
		v += f * (size / microsPerMilli) / microsPerMilli
	}
	return t, v, true
}

func parseIntervalList(s string) (*column.Type, int64, bool) {
	var typ *column.Type
	var total int64
	for s = strings.TrimSpace(s); s != ""; s = strings.TrimSpace(s) {
		sign := int64(1)
		if s[0] == '-' || s[0] == '+' {
			if s[0] == '-' {
				sign = -1
			}
			s = s[1:]
		}
		end := strings.IndexFunc(s, func(r rune) bool { return (r < '0' || r > '9') && r != '.' })
		if end < 0 {
			return nil, 0, false
		}
		if s[end] == ':' { // a clock at the end: 1 day 02:03:04
			clock, rest, ok := parseClock(s)
			if !ok || rest != "" || typ != nil && typ.Kind != column.IntervalDay {
				return nil, 0, false
			}
			return column.IntervalDayType, total + sign*clock, true
		}
		number := s[:end]
		s = strings.TrimSpace(s[end:])
		end = strings.IndexFunc(s, func(r rune) bool { return (r < 'a' || r > 'z') && (r < 'A' || r > 'Z') })
		if end < 0 {
			end = len(s)
		}
		if end == 0 {
			return nil, 0, false
		}
		t, v, ok := parseIntervalAmount(number, strings.ToLower(s[:end]))
		if !ok || typ != nil && typ.Kind != t.Kind {
			return nil, 0, false
		}
		typ, total, s = t, total+sign*v, s[end:]
		if total > 1<<61 || total < -(1<<61) {
			return nil, 0, false
		}
	}
	return typ, total, typ != nil
}

// parseIntervalRange reads '1 2:03:04.5' in the units from … to.
func parseIntervalRange(s, from, to string) (int64, bool) {
	order := []string{"day", "hour", "minute", "second"}
	size := []int64{microsPerDay, microsPerHour, microsPerMinute, microsPerSecond}
	i, j := -1, -1
	for k, u := range order {
		if u == from {
			i = k
		}
		if u == to {
			j = k
		}
	}
	if i < 0 || j <= i {
		return 0, false
	}
	var total int64
	for k := i; k <= j; k++ {
		v, n := digits(s, 10)
		if n == 0 || k > i && v >= 60 || v > maxIntervalCount/100_000 {
			return 0, false
		}
		total += v * size[k]
		s = s[n:]
		if k == j {
			break
		}
		sep := byte(':')
		if k == 0 {
			sep = ' '
		}
		if s == "" || s[0] != sep {
			return 0, false
		}
		s = s[1:]
	}
	if to == "second" && strings.HasPrefix(s, ".") {
		f, rest, ok := parseFraction(s[1:])
		if !ok {
			return 0, false
		}
		total, s = total+f, rest
	}
	return total, s == ""
}
