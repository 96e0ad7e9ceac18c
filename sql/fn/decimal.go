package fn

import (
	"math"
	"strings"

	"github.com/cairndb/cairn/segment/column"
)

// Decimals of up to 18 digits are unscaled int64 values, wider ones, of up to 38
// digits, 128-bit integers (see column.Type). The kernels here are for the first;
// those of decimalwide.go serve wherever one operand or the result is wide.

var powersOfTen = func() (p [19]int64) {
	p[0] = 1
	for i := 1; i < len(p); i++ {
		p[i] = p[i-1] * 10
	}
	return p
}()

// rescale changes the scale of an unscaled value, rounding half up; false when
// the result needs more than precision digits.
func rescale(x int64, from, to, precision int) (int64, bool) {
	switch {
	case to > from:
		r, ok := mul128(x, powersOfTen[to-from]).int64()
		if !ok {
			return 0, false
		}
		x = r
	case to < from:
		x, _ = widen(x).divRound(powersOfTen[from-to])
	}
	return x, magnitude(x) < uint64(powersOfTen[precision])
}

// rescale128 is rescale for wide values.
func rescale128(x int128, from, to, precision int) (int128, bool) {
	u, ok := x.magnitude(), true
	switch {
	case to > from:
		u, ok = u.mul(powersOfTen128[to-from])
	case to < from:
		u = u.divRound(powersOfTen128[from-to])
	}
	if !ok || !u.less(powersOfTen128[precision]) {
		return int128{}, false
	}
	return u.signed(x.hi < 0)
}

// compareDecimals compares unscaled values of different scales exactly.
func compareDecimals(a int64, sa int, b int64, sb int) int {
	return mul128(a, powersOfTen[max(sb-sa, 0)]).cmp(mul128(b, powersOfTen[max(sa-sb, 0)]))
}

func decimalToDouble(x int64, scale int) float64 {
	return float64(x) / float64(powersOfTen[scale])
}

// doubleToDecimal rounds half up.
func doubleToDecimal(f float64, t *column.Type) (int64, bool) {
	if f != f || math.IsInf(f, 0) {
		return 0, false
	}
	// The shortest decimal text of the number is what its reader means by it:
	// 0.15 is to become 0.2 with one digit, not 0.1.
	x, ok := parseDecimal(string(appendPlainDouble(nil, f)), t)
	return x, ok
}

// decimalText is the parts of a decimal's text.
type decimalText struct {
	neg         bool
	whole, frac string
	exp         int // power of ten
}

// readDecimal takes the text of a decimal apart: optional sign, point and
// exponent. Whether the parts hold digits only is not looked at.
func readDecimal(s string) (d decimalText, ok bool) {
	if s != "" && (s[0] == '-' || s[0] == '+') {
		d.neg, s = s[0] == '-', s[1:]
	}
	if i := strings.IndexAny(s, "eE"); i >= 0 {
		e := s[i+1:]
		eneg := false
		if e != "" && (e[0] == '-' || e[0] == '+') {
			eneg, e = e[0] == '-', e[1:]
		}
		v, n := digits(e, 4)
		if n == 0 || n != len(e) {
			return d, false
		}
		if d.exp = int(v); eneg {
			d.exp = -d.exp
		}
		s = s[:i]
	}
	d.whole, d.frac, _ = strings.Cut(s, ".")
	return d, d.whole != "" || d.frac != ""
}

// at returns byte i of the digits, and false for one that is none.
func (d *decimalText) at(i int) (byte, bool) {
	c := byte(0)
	if i < len(d.whole) {
		c = d.whole[i]
	} else {
		c = d.frac[i-len(d.whole)]
	}
	return c - '0', c >= '0' && c <= '9'
}

// parseDecimal reads decimal text with optional sign, point and exponent, and
// rounds it to the scale of t, which has at most 18 digits.
func parseDecimal(s string, t *column.Type) (int64, bool) {
	d, ok := readDecimal(s)
	if !ok {
		return 0, false
	}
	n := len(d.whole) + len(d.frac)
	keep := len(d.whole) + d.exp + t.Scale // digits that stay
	var x int64
	for i := range n {
		c, ok := d.at(i)
		if !ok {
			return 0, false
		}
		switch {
		case i < keep:
			if x >= powersOfTen[17] {
				return 0, false
			}
			x = x*10 + int64(c)
		case i == keep && c >= 5:
			x++
		}
	}
	for i := n; i < keep && x != 0; i++ {
		if x >= powersOfTen[17] {
			return 0, false
		}
		x *= 10
	}
	if x >= powersOfTen[t.Precision] {
		return 0, false
	}
	if d.neg {
		x = -x
	}
	return x, true
}

// parseDecimal128 is parseDecimal for types of more digits.
func parseDecimal128(s string, t *column.Type) (int128, bool) {
	d, ok := readDecimal(s)
	if !ok {
		return int128{}, false
	}
	n := len(d.whole) + len(d.frac)
	keep := len(d.whole) + d.exp + t.Scale
	var x uint128
	shift := func(c byte) bool {
		if !x.less(powersOfTen128[column.DecimalDigitsMax-1]) {
			return false
		}
		x, _ = x.mul(uint128{lo: 10})
		x, _ = x.add(uint128{lo: uint64(c)})
		return true
	}
	for i := range n {
		c, ok := d.at(i)
		if !ok {
			return int128{}, false
		}
		switch {
		case i < keep:
			if !shift(c) {
				return int128{}, false
			}
		case i == keep && c >= 5:
			x, _ = x.add(uint128{lo: 1})
		}
	}
	for i := n; i < keep && x != (uint128{}); i++ {
		if !shift(0) {
			return int128{}, false
		}
	}
	if !x.less(powersOfTen128[t.Precision]) {
		return int128{}, false
	}
	return x.signed(d.neg)
}

// DecimalFloor returns the decimal v holds as its one value rounded down to an
// integer of type t, and whether that is the value itself; ok is false when it is
// out of the range of t.
func DecimalFloor(v *column.Vector, t *column.Type) (whole int64, exact, ok bool) {
	x := decimalAt(v, 0)
	floor := decimalRounding(roundsDown).cut(x, v.Type.Scale)
	back, fits := rescale128(floor, 0, v.Type.Scale, column.DecimalDigitsMax)
	lo, hi := integerRange(t)
	whole, ok = floor.int64()
	return whole, fits && back == x, ok && whole >= lo && whole <= hi
}

// DecimalLiteral returns the value of a decimal literal such as 1.50, which is a
// decimal(3,2), as a vector of one; false when it has more digits than a decimal
// can have.
func DecimalLiteral(s string) (*column.Vector, bool) {
	neg := strings.HasPrefix(s, "-")
	whole, frac, _ := strings.Cut(strings.TrimPrefix(s, "-"), ".")
	whole = strings.TrimLeft(whole, "0")
	precision := max(len(whole)+len(frac), 1)
	if precision > maxDecimalDigits {
		return nil, false
	}
	t := column.DecimalOf(precision, len(frac))
	text := whole + "." + frac
	if text == "." {
		text = "0"
	}
	if neg {
		text = "-" + text
	}
	out := newDecimals(t, 1)
	x, ok := parseDecimal128(text, t)
	out.put(0, x)
	return out.v, ok
}
