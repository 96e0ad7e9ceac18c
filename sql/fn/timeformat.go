package fn

import (
	"strings"

	"github.com/cairndb/cairn/segment/column"
	"github.com/cairndb/cairn/sql/sqlerr"
)

// A timeLayout is a compiled date format, of either of the two languages:
// MySQL's (%Y-%m-%d) and Joda's (yyyy-MM-dd). Formatting and parsing use the
// same layout.
type timeLayout []timeItem

// timeItem is one element: literal text, or a field with a number of digits.
type timeItem struct {
	field timeField
	width int    // least number of digits; for the fraction the exact number
	text  string // of a literal
}

type timeField uint8

const (
	fieldLiteral timeField = iota
	fieldYear
	fieldYear2
	fieldWeekYear
	fieldMonth
	fieldMonthShort
	fieldMonthLong
	fieldDay
	fieldDayOfYear
	fieldWeek
	fieldWeekday // 1 to 7 from Monday
	fieldWeekdayShort
	fieldWeekdayLong
	fieldHour   // 0 to 23
	fieldHour12 // 1 to 12
	fieldHour11 // 0 to 11
	fieldHour24 // 1 to 24
	fieldMinute
	fieldSecond
	fieldFraction
	fieldHalf // AM or PM
	fieldZoneName
	fieldOffset      // +hhmm
	fieldOffsetColon // +hh:mm
	fieldZoneID
	fieldEra
)

var (
	monthNames = [...]string{"January", "February", "March", "April", "May", "June", "July", "August", "September",
		"October", "November", "December"}
	weekdayNames = [...]string{"Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday"}
)

var mysqlFields = map[byte][]timeItem{
	'a': {{field: fieldWeekdayShort}}, 'b': {{field: fieldMonthShort}}, 'c': {{field: fieldMonth, width: 1}},
	'd': {{field: fieldDay, width: 2}}, 'e': {{field: fieldDay, width: 1}}, 'f': {{field: fieldFraction, width: 6}},
	'H': {{field: fieldHour, width: 2}}, 'h': {{field: fieldHour12, width: 2}}, 'I': {{field: fieldHour12, width: 2}},
	'i': {{field: fieldMinute, width: 2}}, 'j': {{field: fieldDayOfYear, width: 3}}, 'k': {{field: fieldHour, width: 1}},
	'l': {{field: fieldHour12, width: 1}}, 'M': {{field: fieldMonthLong}}, 'm': {{field: fieldMonth, width: 2}},
	'p': {{field: fieldHalf}}, 'S': {{field: fieldSecond, width: 2}}, 's': {{field: fieldSecond, width: 2}},
	'v': {{field: fieldWeek, width: 2}}, 'W': {{field: fieldWeekdayLong}}, 'Y': {{field: fieldYear, width: 4}},
	'y': {{field: fieldYear2, width: 2}}, 'x': {{field: fieldWeekYear, width: 4}},
	'T': {{field: fieldHour, width: 2}, {text: ":"}, {field: fieldMinute, width: 2}, {text: ":"}, {field: fieldSecond, width: 2}},
	'r': {{field: fieldHour12, width: 2}, {text: ":"}, {field: fieldMinute, width: 2}, {text: ":"},
		{field: fieldSecond, width: 2}, {text: " "}, {field: fieldHalf}},
}

// timeFormatMax is how long a date format can be, in bytes: one of that length is
// compiled, and kept, as some 100 KB.
const timeFormatMax = 4096

func checkTimeFormat(s string) error {
	if len(s) > timeFormatMax {
		return fault(sqlerr.InvalidArgument, "a date format of %d bytes; the longest has %d", len(s), timeFormatMax)
	}
	return nil
}

func compileMySQLFormat(s string) (timeLayout, error) {
	if err := checkTimeFormat(s); err != nil {
		return nil, err
	}
	var out timeLayout
	for i := 0; i < len(s); i++ {
		if s[i] != '%' || i+1 == len(s) {
			out = append(out, timeItem{text: s[i : i+1]})
			continue
		}
		i++
		switch c := s[i]; {
		case mysqlFields[c] != nil:
			out = append(out, mysqlFields[c]...)
		case strings.IndexByte("DUuVwX", c) >= 0:
			return nil, fault(sqlerr.InvalidArgument, "%%%c in a date format is not supported", c)
		default: // %x for an x without meaning is x
			out = append(out, timeItem{text: s[i : i+1]})
		}
	}
	return out, nil
}

func compileJodaFormat(s string) (timeLayout, error) {
	if err := checkTimeFormat(s); err != nil {
		return nil, err
	}
	var out timeLayout
	for i := 0; i < len(s); {
		c := s[i]
		if c == '\'' {
			end := strings.IndexByte(s[i+1:], '\'')
			switch {
			case end < 0:
				return nil, fault(sqlerr.InvalidArgument, "the date format %s has a quote without an end", shown(s))
			case end == 0:
				out = append(out, timeItem{text: "'"})
			default:
				out = append(out, timeItem{text: s[i+1 : i+1+end]})
			}
			i += end + 2
			continue
		}
		if (c < 'a' || c > 'z') && (c < 'A' || c > 'Z') {
			out = append(out, timeItem{text: s[i : i+1]})
			i++
			continue
		}
		n := 1
		for i+n < len(s) && s[i+n] == c {
			n++
		}
		i += n
		item, ok := jodaField(c, n)
		if !ok {
			return nil, fault(sqlerr.InvalidArgument, "the letter %c in the date format %s has no meaning", c, shown(s))
		}
		out = append(out, item)
	}
	return out, nil
}

// jodaField returns the item for a letter written n times.
func jodaField(c byte, n int) (timeItem, bool) {
	named := func(number, short, long timeField) timeItem {
		switch {
		case n >= 4:
			return timeItem{field: long}
		case n == 3 || number == fieldLiteral:
			return timeItem{field: short}
		}
		return timeItem{field: number, width: n}
	}
	number := func(f timeField) (timeItem, bool) { return timeItem{field: f, width: n}, true }
	switch c {
	case 'y', 'Y', 'u':
		if n == 2 {
			return timeItem{field: fieldYear2, width: 2}, true
		}
		return number(fieldYear)
	case 'x':
		return number(fieldWeekYear)
	case 'M', 'L':
		return named(fieldMonth, fieldMonthShort, fieldMonthLong), true
	case 'd':
		return number(fieldDay)
	case 'D':
		return number(fieldDayOfYear)
	case 'w':
		return number(fieldWeek)
	case 'e':
		return number(fieldWeekday)
	case 'E':
		return named(fieldLiteral, fieldWeekdayShort, fieldWeekdayLong), true
	case 'H':
		return number(fieldHour)
	case 'h':
		return number(fieldHour12)
	case 'K':
		return number(fieldHour11)
	case 'k':
		return number(fieldHour24)
	case 'm':
		return number(fieldMinute)
	case 's':
		return number(fieldSecond)
	case 'S':
		return number(fieldFraction)
	case 'a':
		return timeItem{field: fieldHalf}, true
	case 'G':
		return timeItem{field: fieldEra}, true
	case 'z':
		return timeItem{field: fieldZoneName}, true
	case 'Z':
		switch n {
		case 1:
			return timeItem{field: fieldOffset}, true
		case 2:
			return timeItem{field: fieldOffsetColon}, true
		}
		return timeItem{field: fieldZoneID}, true
	}
	return timeItem{}, false
}

// append formats the moment micros as a clock in the zone shows it.
func (l timeLayout) append(dst []byte, micros int64, zone uint16) []byte {
	local := toLocal(micros, zone)
	days, clock := splitDay(local)
	y, m, d := civil(days)
	hour := clock / microsPerHour
	for _, it := range l {
		switch it.field {
		case fieldLiteral:
			dst = append(dst, it.text...)
		case fieldYear:
			if y < 0 {
				dst = append(dst, '-')
			}
			dst = appendPadded(dst, int64(magnitude(y)), it.width)
		case fieldYear2:
			dst = appendPadded(dst, floorMod(y, 100), 2)
		case fieldWeekYear:
			wy, _ := isoWeek(days)
			dst = appendPadded(dst, wy, it.width)
		case fieldMonth:
			dst = appendPadded(dst, m, it.width)
		case fieldMonthShort:
			dst = append(dst, monthNames[m-1][:3]...)
		case fieldMonthLong:
			dst = append(dst, monthNames[m-1]...)
		case fieldDay:
			dst = appendPadded(dst, d, it.width)
		case fieldDayOfYear:
			dst = appendPadded(dst, dayOfYear(days), it.width)
		case fieldWeek:
			_, w := isoWeek(days)
			dst = appendPadded(dst, w, it.width)
		case fieldWeekday:
			dst = appendPadded(dst, dayOfWeek(days), it.width)
		case fieldWeekdayShort:
			dst = append(dst, weekdayNames[dayOfWeek(days)-1][:3]...)
		case fieldWeekdayLong:
			dst = append(dst, weekdayNames[dayOfWeek(days)-1]...)
		case fieldHour:
			dst = appendPadded(dst, hour, it.width)
		case fieldHour12:
			dst = appendPadded(dst, (hour+11)%12+1, it.width)
		case fieldHour11:
			dst = appendPadded(dst, hour%12, it.width)
		case fieldHour24:
			dst = appendPadded(dst, (hour+23)%24+1, it.width)
		case fieldMinute:
			dst = appendPadded(dst, clock/microsPerMinute%60, it.width)
		case fieldSecond:
			dst = appendPadded(dst, clock/microsPerSecond%60, it.width)
		case fieldFraction:
			dst = appendFraction(dst, clock%microsPerSecond, min(it.width, 6))
			dst = append(dst[:len(dst)-min(it.width, 6)-1], dst[len(dst)-min(it.width, 6):]...) // without the point
			for range it.width - 6 {
				dst = append(dst, '0')
			}
		case fieldHalf:
			if hour < 12 {
				dst = append(dst, "AM"...)
			} else {
				dst = append(dst, "PM"...)
			}
		case fieldZoneName:
			dst = append(dst, zoneAbbreviation(micros, zone)...)
		case fieldOffset:
			start := len(dst)
			dst = appendOffset(dst, local-micros, false)
			dst = append(dst[:start+3], dst[start+4:]...)
		case fieldOffsetColon:
			dst = appendOffset(dst, local-micros, false)
		case fieldZoneID:
			dst = append(dst, column.ZoneName(zone)...)
		case fieldEra:
			dst = append(dst, "AD"...)
		}
	}
	return dst
}

// parsed are the fields found in a text.
type parsed struct {
	year, month, day, dayOfYear, week, weekYear, weekday int64
	hour, minute, second, micros                         int64
	hour12, pm                                           bool
	zone                                                 uint16
	zoned                                                bool
}

// numberWidth is the most digits that a field may have in a text.
func numberWidth(it timeItem, next timeItem, last bool) int {
	most := map[timeField]int{fieldYear: 4, fieldWeekYear: 4, fieldDayOfYear: 3, fieldWeekday: 1, fieldFraction: 9}[it.field]
	if most == 0 {
		most = 2
	}
	// A year written with more digits can be read unless digits follow it.
	if it.field == fieldYear && (last || next.field == fieldLiteral && (next.text[0] < '0' || next.text[0] > '9')) {
		most = 6
	}
	return max(most, min(it.width, 6))
}

// parse reads a text in this layout; false when it does not have the form or
// names a time that does not exist.
func (l timeLayout) parse(s string) (p parsed, ok bool) {
	p = parsed{year: 1970, month: 1, day: 1, weekday: 1}
	for i, it := range l {
		if it.field == fieldLiteral {
			if !strings.HasPrefix(s, it.text) {
				return p, false
			}
			s = s[len(it.text):]
			continue
		}
		var next timeItem
		if i+1 < len(l) {
			next = l[i+1]
		}
		if s, ok = p.read(it, next, i+1 == len(l), s); !ok {
			return p, false
		}
	}
	return p, s == ""
}

func (p *parsed) read(it, next timeItem, last bool, s string) (rest string, ok bool) {
	name := func(names []string, short bool) (int64, bool) {
		for i, n := range names {
			if short {
				n = n[:3]
			}
			if len(s) >= len(n) && strings.EqualFold(s[:len(n)], n) {
				s = s[len(n):]
				return int64(i) + 1, true
			}
		}
		return 0, false
	}
	switch it.field {
	case fieldMonthShort, fieldMonthLong:
		if p.month, ok = name(monthNames[:], false); !ok {
			p.month, ok = name(monthNames[:], true)
		}
		return s, ok
	case fieldWeekdayShort, fieldWeekdayLong:
		if p.weekday, ok = name(weekdayNames[:], false); !ok {
			p.weekday, ok = name(weekdayNames[:], true)
		}
		return s, ok
	case fieldHalf:
		half, ok := name([]string{"AM", "PM"}, false)
		p.hour12, p.pm = true, half == 2
		return s, ok
	case fieldEra:
		_, ok := name([]string{"AD"}, false)
		return s, ok
	case fieldZoneName, fieldOffset, fieldOffsetColon, fieldZoneID:
		return p.readZone(s)
	}
	neg := false
	if it.field == fieldYear && strings.HasPrefix(s, "-") {
		neg, s = true, s[1:]
	}
	width := numberWidth(it, next, last)
	v, n := digits(s, width)
	if n == 0 {
		return s, false
	}
	if neg {
		v = -v
	}
	s = s[n:]
	between := func(lo, hi int64) bool { return v >= lo && v <= hi }
	switch it.field {
	case fieldYear:
		p.year, ok = v, between(minYear, maxYear)
	case fieldYear2:
		// Two digits are the year nearest to now: 70 to 99 are of the last century.
		if p.year, ok = 2000+v, n == 2; v >= 70 {
			p.year -= 100
		}
	case fieldWeekYear:
		p.weekYear, ok = v, between(minYear, maxYear)
	case fieldMonth:
		p.month, ok = v, between(1, 12)
	case fieldDay:
		p.day, ok = v, between(1, 31)
	case fieldDayOfYear:
		p.dayOfYear, ok = v, between(1, 366)
	case fieldWeek:
		p.week, ok = v, between(1, 53)
	case fieldWeekday:
		p.weekday, ok = v, between(1, 7)
	case fieldHour:
		p.hour, ok = v, between(0, 23)
	case fieldHour12:
		p.hour, p.hour12, ok = v%12, true, between(1, 12)
	case fieldHour11:
		p.hour, p.hour12, ok = v, true, between(0, 11)
	case fieldHour24:
		p.hour, ok = v%24, between(1, 24)
	case fieldMinute:
		p.minute, ok = v, between(0, 59)
	case fieldSecond:
		p.second, ok = v, between(0, 59)
	case fieldFraction:
		for ; n < 6; n++ {
			v *= 10
		}
		for ; n > 6; n-- {
			v /= 10
		}
		p.micros, ok = v, true
	}
	return s, ok
}

func (p *parsed) readZone(s string) (rest string, ok bool) {
	end := 0
	for end < len(s) {
		c := s[end]
		if c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' || strings.IndexByte("+-:/_", c) >= 0 {
			end++
			continue
		}
		break
	}
	if end == 0 {
		return s, false
	}
	zone, err := zoneNamed(s[:end])
	p.zone, p.zoned = zone, true
	return s[end:], err == nil
}

// local returns the time that the fields name.
func (p *parsed) local() (int64, bool) {
	var days int64
	switch {
	case p.week > 0:
		y := p.weekYear
		if y == 0 {
			y = p.year
		}
		fourth := dayNumber(y, 1, 4)
		days = fourth - dayOfWeek(fourth) + 1 + (p.week-1)*7 + p.weekday - 1
	case p.dayOfYear > 0:
		days = dayNumber(p.year, 1, 1) + p.dayOfYear - 1
		if y, _, _ := civil(days); y != p.year {
			return 0, false
		}
	default:
		if p.day > daysInMonth(p.year, p.month) {
			return 0, false
		}
		days = dayNumber(p.year, p.month, p.day)
	}
	hour := p.hour
	if p.hour12 && p.pm {
		hour += 12
	}
	if hour > 23 {
		return 0, false
	}
	return days*microsPerDay + hour*microsPerHour + p.minute*microsPerMinute + p.second*microsPerSecond + p.micros, true
}

var (
	mysqlFormats = boundedCache[string, timeLayout]{size: 1024}
	jodaFormats  = boundedCache[string, timeLayout]{size: 1024}
)

// formatKernel formats times: the arguments are a time and a format.
func formatKernel(cache *boundedCache[string, timeLayout], compile func(string) (timeLayout, error)) kernel {
	return func(c *Context, t *column.Type, args []*column.Vector, n int) (*column.Vector, error) {
		v, out := made[string](t, n)
		a := args[0]
		formats, mf := data[string](args[1])
		skip := unionNulls(args)
		var last memo[timeLayout]
		b := newTextBatch(n)
		pace := &pacer{c: c}
		for i := range out {
			if skip.Get(i) {
				b.end()
				continue
			}
			layout, err := last.get(cache, formats[i&mf], compile)
			if err != nil {
				return nil, err
			}
			x := intAt(a, i)
			if a.Type.Kind == column.Date {
				x *= microsPerDay
			}
			pace.tick(rowWork + len(layout))
			b.buf = layout.append(b.buf, x, zoneAt(a, i))
			b.end()
		}
		b.fill(out)
		return v, nil
	}
}

// parseKernel reads times: the arguments are a text and a format. With a zone
// the result is a timestamp with time zone.
func parseKernel(cache *boundedCache[string, timeLayout], compile func(string) (timeLayout, error)) kernel {
	return func(c *Context, t *column.Type, args []*column.Vector, n int) (*column.Vector, error) {
		out := column.New(t, n)
		texts, mt := data[string](args[0])
		formats, mf := data[string](args[1])
		skip := unionNulls(args)
		var last memo[timeLayout]
		pace := &pacer{c: c}
		for i := range n {
			if skip.Get(i) {
				continue
			}
			layout, err := last.get(cache, formats[i&mf], compile)
			if err != nil {
				return nil, err
			}
			pace.tick(rowWork + len(layout))
			p, ok := layout.parse(texts[i&mt])
			var local int64
			if ok {
				local, ok = p.local()
			}
			if !ok {
				return nil, fault(sqlerr.InvalidDatetime, "%s is not a time in the form %s", shown(texts[i&mt]), shown(formats[i&mf]))
			}
			local = roundMicros(local, t.Precision)
			if t.Kind != column.TimestampTZ {
				out.I64[i] = local
				continue
			}
			zone := c.Zone
			if p.zoned {
				zone = p.zone
			}
			out.I64[i], out.Zone[i] = toUTC(local, zone), zone
		}
		return out, nil
	}
}

func addTimeFormats(l *library) {
	family := "date and time"
	mysql := formatKernel(&mysqlFormats, compileMySQLFormat)
	l.scalar(Doc{Name: "date_format", Family: family, Signature: "date_format(time, format) → varchar",
		Summary: "Writes a time in MySQL's format: %Y year, %m month, %d day, %H hour, %i minute, %s second, %f microseconds, %a %W weekday, %b %M month name, %p AM or PM, %j day of year, %v week.",
		Example: "date_format(timestamp '2026-03-01 13:45:06', '%Y/%m/%d %H:%i')", Result: "2026/03/01 13:45"},
		over("timestamp, varchar", "varchar", mysql), over("date, varchar", "varchar", mysql), over("timestamptz, varchar", "varchar", mysql))
	l.scalar(Doc{Name: "date_parse", Family: family, Signature: "date_parse(string, format) → timestamp(3)",
		Summary: "Reads a time in MySQL's format.", Example: "date_parse('01.03.2026 13:45', '%d.%m.%Y %H:%i')", Result: "2026-03-01 13:45:00.000"},
		over("varchar, varchar", "timestamp(3)", parseKernel(&mysqlFormats, compileMySQLFormat)))
	joda := formatKernel(&jodaFormats, compileJodaFormat)
	l.scalar(Doc{Name: "format_datetime", Family: family, Signature: "format_datetime(time, format) → varchar",
		Summary: "Writes a time in Joda's format: yyyy-MM-dd HH:mm:ss.SSS, EEE weekday, MMM month name, a AM or PM, Z offset, ZZZ zone.",
		Example: "format_datetime(timestamp '2026-03-01 13:45:06', 'EEE, d MMM yyyy h:mm a')", Result: "Sun, 1 Mar 2026 1:45 PM"},
		over("timestamp, varchar", "varchar", joda), over("date, varchar", "varchar", joda), over("timestamptz, varchar", "varchar", joda))
	l.scalar(Doc{Name: "parse_datetime", Family: family, Signature: "parse_datetime(string, format) → timestamp(3) with time zone",
		Summary: "Reads a time in Joda's format; without a zone in it, it is in the session's.",
		Example: "parse_datetime('2026-03-01 13:45 +0100', 'yyyy-MM-dd HH:mm Z')", Result: "2026-03-01 13:45:00.000 +01:00"},
		over("varchar, varchar", "timestamptz(3)", parseKernel(&jodaFormats, compileJodaFormat)))
}
