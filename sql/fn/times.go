package fn

import (
	"math"
	"strings"
	"time"

	"github.com/cairndb/cairn/segment/column"
	"github.com/cairndb/cairn/sql/sqlerr"
)

// localKernel makes a kernel of a function of what the clock shows, for each of
// the types that tell a day: dates, timestamps, timestamps with time zone.
func localKernel(kind column.Kind, f func(local int64) int64) kernel {
	switch kind {
	case column.Date:
		return map1(func(days int64) int64 { return f(days * microsPerDay) })
	case column.Timestamp:
		return map1(f)
	}
	return func(_ *Context, t *column.Type, args []*column.Vector, n int) (*column.Vector, error) {
		v, out := made[int64](t, n)
		a := args[0]
		for i := range out {
			out[i] = f(toLocal(intAt(a, i), zoneAt(a, i)))
		}
		return v, nil
	}
}

// overLocal returns the overloads of a function of a day.
func overLocal(result string, f func(local int64) int64) []overload {
	return []overload{
		over("timestamp", result, localKernel(column.Timestamp, f)),
		over("date", result, localKernel(column.Date, f)),
		over("timestamptz", result, localKernel(column.TimestampTZ, f)),
	}
}

func dayOf(local int64) int64   { return floorDiv(local, microsPerDay) }
func clockIn(local int64) int64 { return floorMod(local, microsPerDay) }

// timeFields are the parts of a time that functions and EXTRACT take.
var timeFields = []struct {
	name    string
	aliases []string
	summary string
	result  string // for 2026-03-01 13:45:06.789
	get     func(local int64) int64
}{
	{"year", nil, "the year", "2026", func(t int64) int64 { y, _, _ := civil(dayOf(t)); return y }},
	{"quarter", nil, "the quarter of the year, 1 to 4", "1", func(t int64) int64 { _, m, _ := civil(dayOf(t)); return (m + 2) / 3 }},
	{"month", nil, "the month, 1 to 12", "3", func(t int64) int64 { _, m, _ := civil(dayOf(t)); return m }},
	{"week", []string{"week_of_year"}, "the ISO week of the year, 1 to 53", "9", func(t int64) int64 { _, w := isoWeek(dayOf(t)); return w }},
	{"day", []string{"day_of_month"}, "the day of the month", "1", func(t int64) int64 { _, _, d := civil(dayOf(t)); return d }},
	{"day_of_week", []string{"dow"}, "the day of the week, from Monday = 1 to Sunday = 7", "7", func(t int64) int64 { return dayOfWeek(dayOf(t)) }},
	{"day_of_year", []string{"doy"}, "the day of the year, from 1", "60", func(t int64) int64 { return dayOfYear(dayOf(t)) }},
	{"year_of_week", []string{"yow"}, "the year that the ISO week belongs to", "2026", func(t int64) int64 { y, _ := isoWeek(dayOf(t)); return y }},
	{"hour", nil, "the hour, 0 to 23", "13", func(t int64) int64 { return clockIn(t) / microsPerHour }},
	{"minute", nil, "the minute, 0 to 59", "45", func(t int64) int64 { return clockIn(t) / microsPerMinute % 60 }},
	{"second", nil, "the second, 0 to 59", "6", func(t int64) int64 { return clockIn(t) / microsPerSecond % 60 }},
	{"millisecond", nil, "the millisecond of the second", "789", func(t int64) int64 { return clockIn(t) / microsPerMilli % 1000 }},
}

// intervalFields are the parts of intervals.
var intervalFields = map[string]func(int64) int64{
	"day":         func(v int64) int64 { return v / microsPerDay },
	"hour":        func(v int64) int64 { return v % microsPerDay / microsPerHour },
	"minute":      func(v int64) int64 { return v % microsPerHour / microsPerMinute },
	"second":      func(v int64) int64 { return v % microsPerMinute / microsPerSecond },
	"millisecond": func(v int64) int64 { return v % microsPerSecond / microsPerMilli },
	"year":        func(v int64) int64 { return v / 12 },
	"month":       func(v int64) int64 { return v % 12 },
}

// fieldGetters are timeFields by name and alias, with what EXTRACT alone knows.
var fieldGetters = func() map[string]func(int64) int64 {
	m := map[string]func(int64) int64{}
	for _, f := range timeFields {
		m[f.name] = f.get
		for _, a := range f.aliases {
			m[a] = f.get
		}
	}
	m["isodow"] = m["dow"]
	m["epoch"] = func(t int64) int64 { return floorDiv(t, microsPerSecond) }
	return m
}()

// truncations cut what the clock shows to a unit.
var truncations = map[string]func(local int64) int64{
	"microsecond": func(t int64) int64 { return t },
	"millisecond": func(t int64) int64 { return t - floorMod(t, microsPerMilli) },
	"second":      func(t int64) int64 { return t - floorMod(t, microsPerSecond) },
	"minute":      func(t int64) int64 { return t - floorMod(t, microsPerMinute) },
	"hour":        func(t int64) int64 { return t - floorMod(t, microsPerHour) },
	"day":         func(t int64) int64 { return t - floorMod(t, microsPerDay) },
	"week":        func(t int64) int64 { d := dayOf(t); return (d - dayOfWeek(d) + 1) * microsPerDay },
	"month":       func(t int64) int64 { y, m, _ := civil(dayOf(t)); return dayNumber(y, m, 1) * microsPerDay },
	"quarter":     func(t int64) int64 { y, m, _ := civil(dayOf(t)); return dayNumber(y, (m-1)/3*3+1, 1) * microsPerDay },
	"year":        func(t int64) int64 { y, _, _ := civil(dayOf(t)); return dayNumber(y, 1, 1) * microsPerDay },
}

// clockUnits are the units of fixed length, calendarUnits those of months.
var (
	clockUnits = map[string]int64{
		"microsecond": 1, "millisecond": microsPerMilli, "second": microsPerSecond, "minute": microsPerMinute,
		"hour": microsPerHour, "day": microsPerDay, "week": 7 * microsPerDay,
	}
	calendarUnits = map[string]int64{"month": 1, "quarter": 3, "year": 12}
)

func unknownUnit(unit string) error {
	return sqlerr.New(sqlerr.InvalidArgument, sqlerr.Pos{}, "%s is not a unit of time", shown(unit)).
		WithHint("units are millisecond, second, minute, hour, day, week, month, quarter and year")
}

// onUnits calls f for every row without NULLs with the unit that the first
// argument names, in lower case; the unit is looked at again only when it
// changes.
func onUnits(args []*column.Vector, n int, f func(i int, unit string) error) error {
	units, mu := data[string](args[0])
	skip := unionNulls(args)
	last, unit := "", ""
	for i := range n {
		if skip.Get(i) {
			continue
		}
		if u := units[i&mu]; u != last || unit == "" {
			last, unit = u, strings.ToLower(u)
			if _, ok := truncations[unit]; !ok {
				return unknownUnit(u)
			}
		}
		if err := f(i, unit); err != nil {
			return err
		}
	}
	return nil
}

// nextPeriod gives the beginning of the period after the one that begins at a
// time.
var nextPeriod = map[string]func(start int64) int64{
	"week":    func(t int64) int64 { return t + 7*microsPerDay },
	"month":   func(t int64) int64 { return addMonths(dayOf(t), 1) * microsPerDay },
	"quarter": func(t int64) int64 { return addMonths(dayOf(t), 3) * microsPerDay },
	"year":    func(t int64) int64 { return addMonths(dayOf(t), 12) * microsPerDay },
}

// truncatePeriods cuts timestamps to long periods: times near each other mostly
// lie in one, so most are answered by the bounds of the last.
func truncatePeriods(t *column.Type, a *column.Vector, n int, cut, next func(int64) int64) *column.Vector {
	v, out := made[int64](t, n)
	from, to := int64(0), int64(0)
	for i, x := range a.I64[:n] {
		if x < from || x >= to {
			if a.Nulls.Get(i) {
				continue
			}
			from = cut(x)
			to = next(from)
		}
		out[i] = from
	}
	return v
}

// dateTrunc cuts times to a unit. For dates the units below a day are errors.
var dateTrunc kernel = func(_ *Context, t *column.Type, args []*column.Vector, n int) (*column.Vector, error) {
	a := args[1]
	if args[0].Const && t.Kind == column.Timestamp && !a.Const {
		if size := clockUnits[strings.ToLower(args[0].Str[0])]; size > 0 && size <= microsPerDay {
			v, out := made[int64](t, n)
			for i, x := range a.I64[:n] {
				r := x % size
				r += size & (r >> 63) // the rest of a time before 1970 counts from below
				out[i] = x - r
			}
			return v, nil
		}
		if next := nextPeriod[strings.ToLower(args[0].Str[0])]; next != nil {
			return truncatePeriods(t, a, n, truncations[strings.ToLower(args[0].Str[0])], next), nil
		}
	}
	out := column.New(t, n)
	err := onUnits(args, n, func(i int, unit string) error {
		cut, x := truncations[unit], intAt(a, i)
		switch t.Kind {
		case column.Date:
			if size, ok := clockUnits[unit]; ok && size < microsPerDay {
				return fault(sqlerr.InvalidArgument, "a date cannot be truncated to %s", unit)
			}
			out.I64[i] = dayOf(cut(x * microsPerDay))
		case column.TimestampTZ:
			zone := zoneAt(a, i)
			offset := zoneOffset(x, zone)
			local := cut(x + offset)
			// Within a day the offset stays, so the doubled hour at the end of
			// summer time keeps its place.
			if size, ok := clockUnits[unit]; ok && size < microsPerDay {
				out.I64[i] = local - offset
			} else {
				out.I64[i] = toUTC(local, zone)
			}
			out.Zone[i] = zone
		default:
			out.I64[i] = cut(x)
		}
		return nil
	})
	return out, err
}

var dateAdd kernel = func(_ *Context, t *column.Type, args []*column.Vector, n int) (*column.Vector, error) {
	out := column.New(t, n)
	by, a := args[1], args[2]
	err := onUnits(args, n, func(i int, unit string) error {
		x, count := intAt(a, i), intAt(by, i)
		r, ok := x, false
		zone := zoneAt(a, i)
		months, isCalendar := calendarUnits[unit]
		size := clockUnits[unit]
		switch {
		case t.Kind == column.Date && !isCalendar && size < microsPerDay:
			return fault(sqlerr.InvalidArgument, "%ss cannot be added to a date", unit)
		case isCalendar:
			if t.Kind == column.Date {
				x *= microsPerDay
			}
			if count, ok = mulInt(count, months); ok {
				r, ok = addMonthsChecked(toLocal(x, zone), count)
			}
			if r = toUTC(r, zone); t.Kind == column.Date {
				r = dayOf(r)
			}
		case t.Kind == column.Date:
			if count, ok = mulInt(count, size/microsPerDay); ok {
				r, ok = addInt(x, count)
			}
		case size >= microsPerDay && zone != 0: // days of the calendar, not of 24 hours
			if count, ok = mulInt(count, size); ok {
				r, ok = addInt(toLocal(x, zone), count)
				r = toUTC(r, zone)
			}
		default:
			if count, ok = mulInt(count, size); ok {
				r, ok = addInt(x, count)
			}
		}
		if !ok {
			return overflow(t, "the time is out of range")
		}
		out.I64[i] = r
		if out.Zone != nil {
			out.Zone[i] = zone
		}
		return nil
	})
	return out, err
}

var dateDiff kernel = func(_ *Context, t *column.Type, args []*column.Vector, n int) (*column.Vector, error) {
	v, out := made[int64](t, n)
	a, b := args[1], args[2]
	days := a.Type.Kind == column.Date
	err := onUnits(args, n, func(i int, unit string) error {
		x, y := intAt(a, i), intAt(b, i)
		size, fixed := clockUnits[unit]
		switch {
		case days:
			x, y = x*microsPerDay, y*microsPerDay
		case a.Type.Kind == column.TimestampTZ && (!fixed || size >= microsPerDay):
			// Days and more are counted by the calendar of the first zone.
			zone := zoneAt(a, i)
			x, y = toLocal(x, zone), toLocal(y, zone)
		}
		if fixed {
			out[i] = (y - x) / size
		} else {
			out[i] = monthsBetween(x, y) / calendarUnits[unit]
		}
		return nil
	})
	return v, err
}

var extractField kernel = func(_ *Context, t *column.Type, args []*column.Vector, n int) (*column.Vector, error) {
	v, out := made[int64](t, n)
	fields, mf := data[string](args[0])
	a := args[1]
	skip := unionNulls(args)
	for i := range out {
		if skip.Get(i) {
			continue
		}
		name := strings.ToLower(fields[i&mf])
		x := intAt(a, i)
		zoneName := strings.HasPrefix(name, "timezone_")
		switch k := a.Type.Kind; {
		case k == column.IntervalDay || k == column.IntervalMonth:
			get := intervalFields[name]
			if month := name == "year" || name == "month"; get == nil || month != (k == column.IntervalMonth) {
				return nil, fault(sqlerr.InvalidArgument, "%s has no field %s", a.Type, shown(name))
			}
			out[i] = get(x)
		case zoneName && k == column.TimestampTZ:
			offset := zoneOffset(x, zoneAt(a, i)) / microsPerMinute
			if name == "timezone_hour" {
				out[i] = offset / 60
			} else {
				out[i] = offset % 60
			}
		default:
			get := fieldGetters[name]
			if get == nil || zoneName {
				return nil, fault(sqlerr.InvalidArgument, "%s has no field %s", a.Type, shown(name))
			}
			switch {
			case k == column.Date:
				x *= microsPerDay
			case name != "epoch":
				x = toLocal(x, zoneAt(a, i))
			}
			out[i] = get(x)
		}
	}
	return v, nil
}

// zoned appends moments with zones: kernels whose result is a timestamp with
// time zone are written with it.
func zoned(f func(c *Context, args []*column.Vector, i int) (micros int64, zone uint16, err error)) kernel {
	return func(c *Context, t *column.Type, args []*column.Vector, n int) (*column.Vector, error) {
		out := column.New(t, n)
		skip := unionNulls(args)
		for i := range n {
			if skip.Get(i) {
				continue
			}
			micros, zone, err := f(c, args, i)
			if err != nil {
				return nil, err
			}
			out.I64[i], out.Zone[i] = roundMicros(micros, t.Precision), zone
		}
		return out, nil
	}
}

// now makes a kernel without arguments of the start of the query.
func now(f func(c *Context, out *column.Vector)) kernel {
	return func(c *Context, t *column.Type, _ []*column.Vector, n int) (*column.Vector, error) {
		out := column.New(t, 1)
		f(c, out)
		return column.NewConst(out, n), nil
	}
}

func zoneNamed(name string) (uint16, error) {
	if zone, ok := parseOffset(name); ok {
		name = zone
	}
	n, err := column.ZoneNumber(name)
	if err != nil {
		return 0, fault(sqlerr.InvalidArgument, "%s is not a time zone", shown(name))
	}
	return n, nil
}

// unixMicros turns seconds since 1970 into microseconds.
func unixMicros(seconds float64) (int64, error) {
	m := math.Round(seconds * microsPerSecond)
	if !(math.Abs(m) < 1<<62) {
		return 0, fault(sqlerr.NumericOutOfRange, "%v seconds since 1970 is out of range", seconds)
	}
	return int64(m), nil
}

// humanSeconds writes a number of seconds as weeks, days, hours and so on.
func humanSeconds(seconds float64) string {
	left := int64(math.Round(math.Abs(seconds)))
	var parts []string
	for _, u := range []struct {
		name string
		size int64
	}{{"week", 604800}, {"day", 86400}, {"hour", 3600}, {"minute", 60}, {"second", 1}} {
		if n := left / u.size; n > 0 || u.size == 1 && len(parts) == 0 {
			word := u.name
			if n != 1 {
				word += "s"
			}
			parts = append(parts, string(appendPadded(nil, n, 0))+" "+word)
		}
		left %= u.size
	}
	return strings.Join(parts, ", ")
}

var durationUnits = map[string]float64{
	"ns": 1e-3, "us": 1, "ms": microsPerMilli, "s": microsPerSecond, "m": microsPerMinute, "h": microsPerHour, "d": microsPerDay,
}

func addTimes(l *library) {
	family := "date and time"
	const moment = "timestamp '2026-03-01 13:45:06.789'"
	for _, f := range timeFields {
		overloads := overLocal("bigint", f.get)
		if f.name == "hour" || f.name == "minute" || f.name == "second" || f.name == "millisecond" {
			overloads = append(overloads, over("time", "bigint", map1(f.get)))
		}
		if get := intervalFields[f.name]; get != nil {
			kind := "intervalday"
			if f.name == "year" || f.name == "month" {
				kind = "intervalmonth"
			}
			overloads = append(overloads, over(kind, "bigint", map1(get)))
		}
		l.scalar(Doc{Name: f.name, Aliases: f.aliases, Family: family, Signature: f.name + "(time) → bigint",
			Summary: "Gives " + f.summary + ".", Example: f.name + "(" + moment + ")", Result: f.result}, overloads...)
	}
	extract := func(kind string) overload { return over("varchar, "+kind, "bigint", extractField) }
	l.scalar(Doc{Name: "extract", Family: family, Signature: "extract(field from time) → bigint",
		Summary: "Gives a field of a time: year, quarter, month, week, day, dow, doy, yow, hour, minute, second, timezone_hour, timezone_minute, epoch (whole seconds).",
		Example: "extract('hour', " + moment + ")", Result: "13"},
		extract("timestamp"), extract("date"), extract("timestamptz"), extract("time"), extract("intervalday"), extract("intervalmonth"))
	l.scalar(Doc{Name: "timezone_hour", Family: family, Signature: "timezone_hour(timestamp with time zone) → bigint",
		Summary: "Gives the hours of the zone's offset.", Example: "timezone_hour(from_iso8601_timestamp('2026-03-01T12:00:00+05:30'))", Result: "5"},
		over("timestamptz", "bigint", func(_ *Context, t *column.Type, args []*column.Vector, n int) (*column.Vector, error) {
			v, out := made[int64](t, n)
			for i := range out {
				out[i] = zoneOffset(intAt(args[0], i), zoneAt(args[0], i)) / microsPerHour
			}
			return v, nil
		}))
	l.scalar(Doc{Name: "timezone_minute", Family: family, Signature: "timezone_minute(timestamp with time zone) → bigint",
		Summary: "Gives the minutes of the zone's offset.", Example: "timezone_minute(from_iso8601_timestamp('2026-03-01T12:00:00+05:30'))", Result: "30"},
		over("timestamptz", "bigint", func(_ *Context, t *column.Type, args []*column.Vector, n int) (*column.Vector, error) {
			v, out := made[int64](t, n)
			for i := range out {
				out[i] = zoneOffset(intAt(args[0], i), zoneAt(args[0], i)) / microsPerMinute % 60
			}
			return v, nil
		}))
	l.scalar(Doc{Name: "timezone", Family: family, Signature: "timezone(timestamp with time zone) → varchar",
		Summary: "Gives the name of the zone.", Example: "timezone(from_iso8601_timestamp('2026-03-01T12:00:00Z'))", Result: "UTC"},
		over("timestamptz", "varchar", func(_ *Context, t *column.Type, args []*column.Vector, n int) (*column.Vector, error) {
			v, out := made[string](t, n)
			for i := range out {
				out[i] = column.ZoneName(zoneAt(args[0], i))
			}
			return v, nil
		}))
	l.scalar(Doc{Name: "date_trunc", Family: family, Signature: "date_trunc(unit, time) → the time's type",
		Summary: "Cuts a time to the beginning of its millisecond, second, minute, hour, day, week (Monday), month, quarter or year.",
		Example: "date_trunc('hour', " + moment + ")", Result: "2026-03-01 13:00:00.000"},
		over("varchar, timestamp", "timestamp", dateTrunc), over("varchar, date", "date", dateTrunc),
		over("varchar, timestamptz", "timestamptz", dateTrunc))
	l.scalar(Doc{Name: "date_add", Family: family, Signature: "date_add(unit, count, time) → the time's type",
		Summary: "Moves a time by a number of units, back when negative; a day that the month does not have becomes its last.",
		Example: "date_add('month', 1, timestamp '2026-01-31 10:00:00')", Result: "2026-02-28 10:00:00.000"},
		over("varchar, bigint, timestamp", "timestamp", dateAdd), over("varchar, bigint, date", "date", dateAdd),
		over("varchar, bigint, timestamptz", "timestamptz", dateAdd))
	l.scalar(Doc{Name: "date_diff", Family: family, Signature: "date_diff(unit, from, to) → bigint",
		Summary: "Counts the whole units from one time to another.",
		Example: "date_diff('day', date '2026-01-31', date '2026-03-01')", Result: "29"},
		over("varchar, timestamp, timestamp", "bigint", dateDiff), over("varchar, date, date", "bigint", dateDiff),
		over("varchar, timestamptz, timestamptz", "bigint", dateDiff))
	l.scalar(Doc{Name: "last_day_of_month", Family: family, Signature: "last_day_of_month(time) → date",
		Summary: "Gives the last day of the month.", Example: "last_day_of_month(date '2024-02-03')", Result: "2024-02-29"},
		overLocal("date", func(t int64) int64 { y, m, _ := civil(dayOf(t)); return dayNumber(y, m, daysInMonth(y, m)) })...)
	l.scalar(Doc{Name: "date", Family: family, Signature: "date(time or string) → date",
		Summary: "Gives the day.", Example: "date(" + moment + ")", Result: "2026-03-01"},
		append(overLocal("date", dayOf), over("varchar", "date", try1(func(_ *Context, s string) (int64, bool, error) {
			t, ok := parseSQLTime(s)
			if !ok {
				return 0, false, invalidCast(s, column.DateType)
			}
			return t.days, true, nil
		})))...)
	addNow(l, family)
	addUnixTimes(l, family)
	addZones(l, family)
	addISO(l, family)
	l.scalar(Doc{Name: "parse_duration", Family: family, Signature: "parse_duration(string) → interval day to second",
		Summary: "Reads a duration such as 3.5h: units are ns, us, ms, s, m, h, d.", Example: "parse_duration('1.5h')", Result: "0 01:30:00.000"},
		over("varchar", "intervalday", try1(func(_ *Context, s string) (int64, bool, error) {
			trimmed := strings.TrimSpace(s)
			end := strings.LastIndexAny(trimmed, "0123456789. ") + 1
			f, ok := parseDoubleText(trimmed[:end])
			unit, known := durationUnits[trimmed[end:]]
			if v := math.Round(f * unit); ok && known && f >= 0 && v < 1<<62 {
				return int64(v), true, nil
			}
			return 0, false, fault(sqlerr.InvalidText, "%s is not a duration", shown(s))
		})))
	l.scalar(Doc{Name: "human_readable_seconds", Family: family, Signature: "human_readable_seconds(seconds) → varchar",
		Summary: "Writes a number of seconds in words.", Example: "human_readable_seconds(93784)", Result: "1 day, 2 hours, 3 minutes, 4 seconds"},
		over("double", "varchar", map1(humanSeconds)))
	l.scalar(Doc{Name: "to_milliseconds", Family: family, Signature: "to_milliseconds(interval day to second) → bigint",
		Summary: "Gives the length in milliseconds.", Example: "to_milliseconds(parse_duration('2s'))", Result: "2000"},
		over("intervalday", "bigint", map1(func(v int64) int64 { return v / microsPerMilli })))
}

func addNow(l *library, family string) {
	moment := now(func(c *Context, out *column.Vector) {
		out.I64[0] = floorDiv(c.Now.UnixMicro(), microsPerMilli) * microsPerMilli
		out.Zone[0] = c.Zone
	})
	l.scalar(Doc{Name: "now", Aliases: []string{"current_timestamp"}, Family: family, Signature: "now() → timestamp(3) with time zone",
		Summary: "Gives the moment at which the query began."},
		over("", "timestamptz(3)", moment), over("bigint", "timestamptz(3)", moment))
	l.scalar(Doc{Name: "localtimestamp", Family: family, Signature: "localtimestamp → timestamp(3)",
		Summary: "Gives the moment at which the query began, by the session's clock."},
		over("", "timestamp(3)", now(func(c *Context, out *column.Vector) {
			out.I64[0] = floorDiv(toLocal(c.Now.UnixMicro(), c.Zone), microsPerMilli) * microsPerMilli
		})))
	l.scalar(Doc{Name: "current_date", Family: family, Signature: "current_date → date", Summary: "Gives the day on which the query began."},
		over("", "date", now(func(c *Context, out *column.Vector) { out.I64[0] = today(c) })))
	l.scalar(Doc{Name: "current_time", Aliases: []string{"localtime"}, Family: family, Signature: "current_time → time(3)",
		Summary: "Gives the time of day at which the query began, by the session's clock."},
		over("", "time", now(func(c *Context, out *column.Vector) {
			out.I64[0] = clockIn(toLocal(c.Now.UnixMicro(), c.Zone)) / microsPerMilli * microsPerMilli
		})))
	l.scalar(Doc{Name: "current_timezone", Family: family, Signature: "current_timezone() → varchar", Summary: "Gives the name of the session's time zone."},
		over("", "varchar", now(func(c *Context, out *column.Vector) { out.Str[0] = column.ZoneName(c.Zone) })))
}

func addUnixTimes(l *library, family string) {
	l.scalar(Doc{Name: "from_unixtime", Family: family, Signature: "from_unixtime(seconds[, zone]) → timestamp(3) with time zone",
		Summary: "Gives the moment a number of seconds after 1970-01-01 00:00:00 UTC.",
		Example: "from_unixtime(1700000000)", Result: "2023-11-14 22:13:20.000 UTC"},
		over("double", "timestamptz(3)", zoned(func(c *Context, args []*column.Vector, i int) (int64, uint16, error) {
			m, err := unixMicros(dblAt(args[0], i))
			return m, c.Zone, err
		})),
		over("double, varchar", "timestamptz(3)", zoned(func(_ *Context, args []*column.Vector, i int) (int64, uint16, error) {
			m, err := unixMicros(dblAt(args[0], i))
			if err != nil {
				return 0, 0, err
			}
			zone, err := zoneNamed(strAt(args[1], i))
			return m, zone, err
		})),
		over("double, bigint, bigint", "timestamptz(3)", zoned(func(_ *Context, args []*column.Vector, i int) (int64, uint16, error) {
			m, err := unixMicros(dblAt(args[0], i))
			if err != nil {
				return 0, 0, err
			}
			h, min := intAt(args[1], i), intAt(args[2], i)
			sign := byte('+')
			if h < 0 || min < 0 {
				sign, h, min = '-', -h, int64(magnitude(min))
			}
			if h < 0 || h > 14 || min > 59 {
				return 0, 0, fault(sqlerr.InvalidArgument, "%d hours and %d minutes is not an offset", intAt(args[1], i), intAt(args[2], i))
			}
			zone, err := zoneNamed(string([]byte{sign, byte('0' + h/10), byte('0' + h%10), ':', byte('0' + min/10), byte('0' + min%10)}))
			return m, zone, err
		})))
	l.scalar(Doc{Name: "from_unixtime_nanos", Family: family, Signature: "from_unixtime_nanos(nanoseconds) → timestamp(6) with time zone",
		Summary: "Gives the moment a number of nanoseconds after 1970-01-01 00:00:00 UTC, rounded to microseconds.",
		Example: "from_unixtime_nanos(1700000000123456789)", Result: "2023-11-14 22:13:20.123457 UTC"},
		overBind("bigint", "", func([]*column.Type) (*column.Type, kernel, error) {
			return &column.Type{Kind: column.TimestampTZ, Precision: 6}, zoned(func(c *Context, args []*column.Vector, i int) (int64, uint16, error) {
				x := intAt(args[0], i)
				m := floorDiv(x, 1000)
				if floorMod(x, 1000) >= 500 {
					m++
				}
				return m, c.Zone, nil
			}), nil
		}))
	toUnix := func(kind column.Kind) kernel {
		return func(c *Context, t *column.Type, args []*column.Vector, n int) (*column.Vector, error) {
			v, out := made[float64](t, n)
			for i := range out {
				x := intAt(args[0], i)
				switch kind {
				case column.Date:
					x *= microsPerDay
					fallthrough
				case column.Timestamp:
					x = toUTC(x, c.Zone)
				}
				out[i] = float64(x) / microsPerSecond
			}
			return v, nil
		}
	}
	l.scalar(Doc{Name: "to_unixtime", Family: family, Signature: "to_unixtime(time) → double",
		Summary: "Gives the seconds since 1970-01-01 00:00:00 UTC.", Example: "to_unixtime(timestamp '2023-11-14 22:13:20.500')", Result: "1.7000000005E9"},
		over("timestamp", "double", toUnix(column.Timestamp)), over("date", "double", toUnix(column.Date)),
		over("timestamptz", "double", toUnix(column.TimestampTZ)))
}

func addZones(l *library, family string) {
	l.scalar(Doc{Name: "at_timezone", Family: family, Signature: "at_timezone(timestamp with time zone, zone) → timestamp with time zone",
		Summary: "Shows the same moment in another zone.",
		Example: "at_timezone(from_iso8601_timestamp('2026-07-01T12:00:00Z'), 'Europe/Paris')", Result: "2026-07-01 14:00:00.000 Europe/Paris"},
		over("timestamptz, varchar", "timestamptz", zoned(func(_ *Context, args []*column.Vector, i int) (int64, uint16, error) {
			zone, err := zoneNamed(strAt(args[1], i))
			return intAt(args[0], i), zone, err
		})))
	l.scalar(Doc{Name: "with_timezone", Family: family, Signature: "with_timezone(timestamp, zone) → timestamp with time zone",
		Summary: "Takes a timestamp to be what the clock shows in a zone.",
		Example: "with_timezone(timestamp '2026-07-01 12:00:00', 'Europe/Paris')", Result: "2026-07-01 12:00:00.000 Europe/Paris"},
		overBind("timestamp, varchar", "", func(args []*column.Type) (*column.Type, kernel, error) {
			return &column.Type{Kind: column.TimestampTZ, Precision: args[0].Precision},
				zoned(func(_ *Context, args []*column.Vector, i int) (int64, uint16, error) {
					zone, err := zoneNamed(strAt(args[1], i))
					return toUTC(intAt(args[0], i), zone), zone, err
				}), nil
		}))
}

func addISO(l *library, family string) {
	iso := func(zoneByDefault func(c *Context) uint16) kernel {
		return zoned(func(c *Context, args []*column.Vector, i int) (int64, uint16, error) {
			s := strAt(args[0], i)
			t, ok := parseISO8601(s)
			if !ok {
				return 0, 0, sqlerr.New(sqlerr.InvalidDatetime, sqlerr.Pos{}, "%s is not an ISO 8601 time", shown(s)).
					WithHint("such a time looks like 2026-01-31T13:45:00Z")
			}
			zone := zoneByDefault(c)
			if t.zone != "" {
				zone, _ = column.ZoneNumber(t.zone) // an offset always has a number
			}
			return toUTC(t.micros(), zone), zone, nil
		})
	}
	l.scalar(Doc{Name: "from_iso8601_timestamp", Aliases: []string{"from_iso8601_timestamp_nanos"}, Family: family,
		Signature: "from_iso8601_timestamp(string) → timestamp(3) with time zone",
		Summary:   "Reads an ISO 8601 time; without an offset it is in the session's zone.",
		Example:   "from_iso8601_timestamp('2026-01-31T13:45:00Z')", Result: "2026-01-31 13:45:00.000 UTC"},
		over("varchar", "timestamptz(3)", iso(func(c *Context) uint16 { return c.Zone })))
	l.scalar(Doc{Name: "from_iso8601_date", Family: family, Signature: "from_iso8601_date(string) → date",
		Summary: "Reads an ISO 8601 date: calendar, week or ordinal.", Example: "from_iso8601_date('2026-W05-6')", Result: "2026-01-31"},
		over("varchar", "date", try1(func(_ *Context, s string) (int64, bool, error) {
			days, ok := parseISODate(s)
			if !ok {
				return 0, false, fault(sqlerr.InvalidDatetime, "%s is not an ISO 8601 date", shown(s))
			}
			return days, true, nil
		})))
	text := func(dst []byte, v *column.Vector, i int) []byte {
		if v.Type.Kind == column.Date {
			return appendDate(dst, intAt(v, i))
		}
		zone := zoneAt(v, i)
		local := toLocal(intAt(v, i), zone)
		days, clock := splitDay(local)
		dst = append(appendDate(dst, days), 'T')
		dst = appendClock(dst, clock, v.Type.Precision)
		if v.Type.Kind == column.TimestampTZ {
			dst = appendOffset(dst, zoneOffset(intAt(v, i), zone), true)
		}
		return dst
	}
	k := func(_ *Context, t *column.Type, args []*column.Vector, n int) (*column.Vector, error) {
		v, out := made[string](t, n)
		var buf []byte
		for i := range out {
			if args[0].IsNull(i) {
				continue
			}
			buf = text(buf[:0], args[0], i)
			out[i] = string(buf)
		}
		return v, nil
	}
	l.scalar(Doc{Name: "to_iso8601", Family: family, Signature: "to_iso8601(time) → varchar",
		Summary: "Writes a time in ISO 8601.", Example: "to_iso8601(from_iso8601_timestamp('2026-01-31T13:45:00+01:00'))", Result: "2026-01-31T13:45:00.000+01:00"},
		over("timestamp", "varchar", k), over("date", "varchar", k), over("timestamptz", "varchar", k))
}

// appendOffset writes +hh:mm, or Z for none when zulu is set.
func appendOffset(dst []byte, micros int64, zulu bool) []byte {
	if micros == 0 && zulu {
		return append(dst, 'Z')
	}
	sign := byte('+')
	if micros < 0 {
		sign, micros = '-', -micros
	}
	m := micros / microsPerMinute
	dst = append(dst, sign)
	dst = appendPadded(dst, m/60, 2)
	dst = append(dst, ':')
	return appendPadded(dst, m%60, 2)
}

// zoneAbbreviation is the short name of a zone at a moment: CET, UTC.
func zoneAbbreviation(micros int64, zone uint16) string {
	name, _ := time.UnixMicro(micros).In(column.Zone(zone)).Zone()
	return name
}
