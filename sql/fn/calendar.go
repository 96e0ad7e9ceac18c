package fn

import (
	"time"

	"github.com/cairndb/cairn/segment/column"
)

// Calendar arithmetic on the proleptic Gregorian calendar. Dates are days and
// timestamps microseconds since 1970-01-01, in plain integers, so that a batch
// of them is worked through without a time.Time for each.

const (
	microsPerMilli  = 1000
	microsPerMinute = 60 * microsPerSecond
	microsPerHour   = 60 * microsPerMinute
	microsPerDay    = 24 * microsPerHour

	// Years that timestamps may have; wider than any log, and narrow enough
	// that no arithmetic on valid values overflows.
	minYear = -9999
	maxYear = 99999
)

// floorDiv and floorMod divide rounding down, for dates before 1970.
func floorDiv(a, b int64) int64 {
	q := a / b
	if a%b != 0 && (a < 0) != (b < 0) {
		q--
	}
	return q
}

func floorMod(a, b int64) int64 { return a - floorDiv(a, b)*b }

// splitDay separates a timestamp into its day and the microseconds of the day.
func splitDay(micros int64) (days, clock int64) {
	days = floorDiv(micros, microsPerDay)
	return days, micros - days*microsPerDay
}

// civil returns year, month (1 to 12) and day (1 to 31) of a day number. Years
// are shifted to begin in March, so that the leap day is the last of its year.
func civil(days int64) (year, month, day int64) {
	z := days + 719468 // days since 0000-03-01
	era := floorDiv(z, 146097)
	doe := z - era*146097
	yoe := (doe - doe/1460 + doe/36524 - doe/146096) / 365
	doy := doe - (365*yoe + yoe/4 - yoe/100)
	mp := (5*doy + 2) / 153
	day = doy - (153*mp+2)/5 + 1
	month = mp + 3
	year = yoe + era*400
	if month > 12 {
		month -= 12
		year++
	}
	return year, month, day
}

// dayNumber is the inverse of civil. Months beyond 1 to 12 carry into the year,
// days beyond the month into the next.
func dayNumber(year, month, day int64) int64 {
	year += floorDiv(month-1, 12)
	month = floorMod(month-1, 12) + 1
	if month <= 2 {
		year--
		month += 12
	}
	era := floorDiv(year, 400)
	yoe := year - era*400
	doy := (153*(month-3)+2)/5 + day - 1
	doe := yoe*365 + yoe/4 - yoe/100 + doy
	return era*146097 + doe - 719468
}

func isLeap(year int64) bool { return year%4 == 0 && (year%100 != 0 || year%400 == 0) }

func daysInMonth(year, month int64) int64 {
	switch month {
	case 2:
		if isLeap(year) {
			return 29
		}
		return 28
	case 4, 6, 9, 11:
		return 30
	}
	return 31
}

// dayOfWeek counts from Monday = 1 to Sunday = 7.
func dayOfWeek(days int64) int64 { return floorMod(days+3, 7) + 1 }

func dayOfYear(days int64) int64 {
	y, _, _ := civil(days)
	return days - dayNumber(y, 1, 1) + 1
}

// isoWeek returns the ISO 8601 year and week: week 1 holds the first Thursday.
func isoWeek(days int64) (year, week int64) {
	thursday := days + 4 - dayOfWeek(days)
	year, _, _ = civil(thursday)
	return year, (thursday-dayNumber(year, 1, 1))/7 + 1
}

// addMonths moves a day by months, keeping the day of the month or taking the
// last one there is.
func addMonths(days, months int64) int64 {
	y, m, d := civil(days)
	y += floorDiv(m-1+months, 12)
	m = floorMod(m-1+months, 12) + 1
	return dayNumber(y, m, min(d, daysInMonth(y, m)))
}

// monthsBetween counts the whole months from a to b (both timestamps), negative
// when b is before a.
func monthsBetween(a, b int64) int64 {
	da, ca := splitDay(a)
	db, cb := splitDay(b)
	ya, ma, _ := civil(da)
	yb, mb, _ := civil(db)
	n := (yb-ya)*12 + mb - ma
	reached := addMonths(da, n)*microsPerDay + ca
	goal := db*microsPerDay + cb
	switch {
	case n > 0 && reached > goal:
		n--
	case n < 0 && reached < goal:
		n++
	}
	return n
}

// zoneOffset returns the offset from UTC, in microseconds, of a zone at a
// moment.
func zoneOffset(micros int64, zone uint16) int64 {
	if zone == 0 {
		return 0
	}
	_, seconds := time.UnixMicro(micros).In(column.Zone(zone)).Zone()
	return int64(seconds) * microsPerSecond
}

// toLocal turns a moment into what a clock in the zone shows.
func toLocal(micros int64, zone uint16) int64 { return micros + zoneOffset(micros, zone) }

// toUTC turns what a clock in the zone shows into the moment. A time that the
// clock skips moves forward by the gap, one that it shows twice is the first.
func toUTC(local int64, zone uint16) int64 {
	if zone == 0 {
		return local
	}
	// A transition lies within a day: the offsets a day before and after are
	// the two candidates.
	before := zoneOffset(local-microsPerDay, zone)
	after := zoneOffset(local+microsPerDay, zone)
	if utc := local - before; zoneOffset(utc, zone) == before {
		return utc
	}
	if utc := local - after; zoneOffset(utc, zone) == after {
		return utc
	}
	return local - before
}
