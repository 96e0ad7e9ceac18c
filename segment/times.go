package segment

// A canonical time is the text YYYY-MM-DDTHH:MM:SSZ, years 1 to 9999, that
// names an instant which exists; it is kept as seconds since 1970.

const canonicalTimeLen = 20

// parseTime returns the seconds since 1970 of a canonical time.
func parseTime(b []byte) (sec int64, ok bool) {
	if len(b) != canonicalTimeLen || b[4] != '-' || b[7] != '-' || b[10] != 'T' || b[13] != ':' || b[16] != ':' || b[19] != 'Z' {
		return 0, false
	}
	var bad byte
	two := func(i int) int {
		hi, lo := b[i]-'0', b[i+1]-'0'
		if hi > 9 || lo > 9 {
			bad = 1
		}
		return int(hi)*10 + int(lo)
	}
	year, month, day := two(0)*100+two(2), two(5), two(8)
	h, m, s := two(11), two(14), two(17)
	if bad != 0 || year < 1 || month < 1 || month > 12 || day < 1 || day > daysIn(year, month) || h > 23 || m > 59 || s > 59 {
		return 0, false
	}
	return daysSince1970(year, month, day)*86400 + int64(h*3600+m*60+s), true
}

func leap(y int) bool { return y%4 == 0 && (y%100 != 0 || y%400 == 0) }

func daysIn(y, m int) int {
	if m == 2 && leap(y) {
		return 29
	}
	return int([...]byte{0, 31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31}[m])
}

// daysSince1970 counts in years that begin in March, so that the leap day is the last.
func daysSince1970(y, m, d int) int64 {
	if m <= 2 {
		y--
		m += 12
	}
	era := y / 400
	of := y - era*400
	day := (153*(m-3)+2)/5 + d - 1
	return int64(era)*146097 + int64(of*365+of/4-of/100+day) - 719468
}

// appendTime appends the canonical text of an instant whose year has four
// digits; it is false for others.
func appendTime(dst []byte, sec int64) ([]byte, bool) {
	const first, last = -62135596800, 253402300799 // years 1 and 9999
	if sec < first || sec > last {
		return dst, false
	}
	days := sec / 86400
	rest := int(sec % 86400)
	if rest < 0 {
		rest += 86400
		days--
	}
	z := int(days) + 719468
	era := z / 146097
	if z < 0 {
		era = (z - 146096) / 146097
	}
	doe := z - era*146097
	yoe := (doe - doe/1460 + doe/36524 - doe/146096) / 365
	doy := doe - (365*yoe + yoe/4 - yoe/100)
	mp := (5*doy + 2) / 153
	d, m, y := doy-(153*mp+2)/5+1, mp+3, yoe+era*400
	if m > 12 {
		m -= 12
		y++
	}
	two := func(v int) (byte, byte) { return byte('0' + v/10), byte('0' + v%10) }
	y1, y2 := two(y / 100)
	y3, y4 := two(y % 100)
	m1, m2 := two(m)
	d1, d2 := two(d)
	h1, h2 := two(rest / 3600)
	n1, n2 := two(rest / 60 % 60)
	s1, s2 := two(rest % 60)
	return append(dst, y1, y2, y3, y4, '-', m1, m2, '-', d1, d2, 'T', h1, h2, ':', n1, n2, ':', s1, s2, 'Z'), true
}

// parseInt returns the value of an integer that is spelled the one way that
// appending its digits gives back: no sign for zero, no leading zeros, at most 15 digits.
func parseInt(b []byte) (v int64, ok bool) {
	d := b
	if len(d) > 0 && d[0] == '-' {
		d = d[1:]
	}
	if len(d) == 0 || len(d) > 15 || d[0] == '0' && len(b) > 1 {
		return 0, false
	}
	for _, c := range d {
		if c < '0' || c > '9' {
			return 0, false
		}
		v = v*10 + int64(c-'0')
	}
	if len(d) < len(b) {
		v = -v
	}
	return v, true
}
