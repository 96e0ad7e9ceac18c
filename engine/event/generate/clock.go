package generate

import "strconv"

// Times are Unix seconds, UTC, formatted by hand: a record holds a handful and the time package would take a
// third of the whole budget.

const daySeconds = 86400

// civil splits Unix seconds into a calendar date and the second of the day.
func civil(sec int64) (year, month, day, rest int) {
	days := sec / daySeconds
	rest = int(sec % daySeconds)
	if rest < 0 {
		rest += daySeconds
		days--
	}
	z := days + 719468 // days from 0000-03-01, the start of a 400-year era
	era := z / 146097
	doe := z - era*146097
	yoe := (doe - doe/1460 + doe/36524 - doe/146096) / 365
	doy := doe - (365*yoe + yoe/4 - yoe/100)
	mp := (5*doy + 2) / 153
	day = int(doy - (153*mp+2)/5 + 1)
	month = int(mp) + 3
	if month > 12 {
		month -= 12
	}
	year = int(yoe + era*400)
	if month <= 2 {
		year++
	}
	return year, month, day, rest
}

func two(dst []byte, n int) []byte { return append(dst, byte('0'+n/10%10), byte('0'+n%10)) }

func four(dst []byte, n int) []byte { return two(two(dst, n/100), n%100) }

func three(dst []byte, n int) []byte { return two(append(dst, byte('0'+n/100%10)), n%100) }

// appendDate appends 2026-01-02 with the given separator.
func appendDate(dst []byte, sec int64, sep byte) []byte {
	y, m, d, _ := civil(sec)
	dst = append(four(dst, y), sep)
	dst = append(two(dst, m), sep)
	return two(dst, d)
}

// appendLocal appends 2026-01-02T03:04:05.
func appendLocal(dst []byte, sec int64) []byte {
	y, m, d, rest := civil(sec)
	dst = append(four(dst, y), '-')
	dst = append(two(dst, m), '-')
	dst = append(two(dst, d), 'T')
	dst = append(two(dst, rest/3600), ':')
	dst = append(two(dst, rest/60%60), ':')
	return two(dst, rest%60)
}

// appendISO appends 2026-01-02T03:04:05Z.
func appendISO(dst []byte, sec int64) []byte { return append(appendLocal(dst, sec), 'Z') }

var monthNames = [...]string{"Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"}

// appendUS appends Jan 2, 2026, 3:04:05 PM, the form that services built on Java give to times in answers.
func appendUS(dst []byte, sec int64) []byte {
	y, m, d, rest := civil(sec)
	dst = append(append(dst, monthNames[m-1]...), ' ')
	dst = append(strconv.AppendInt(dst, int64(d), 10), ", "...)
	dst = append(four(dst, y), ", "...)
	h, half := rest/3600, " AM"
	if h >= 12 {
		h, half = h-12, " PM"
	}
	if h == 0 {
		h = 12
	}
	dst = append(strconv.AppendInt(dst, int64(h), 10), ':')
	dst = append(two(dst, rest/60%60), ':')
	return append(two(dst, rest%60), half...)
}
