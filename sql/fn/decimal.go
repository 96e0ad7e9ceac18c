package fn

import (
	"math"
	"math/bits"
	"strings"

	"github.com/cairndb/cairn/segment/column"
)

// Decimals are unscaled int64 values of at most 18 digits; intermediate results
// of arithmetic are 128 bits wide.

var powersOfTen = func() (p [19]int64) {
	p[0] = 1
	for i := 1; i < len(p); i++ {
		p[i] = p[i-1] * 10
	}
	return p
}()

// int128 is a signed 128-bit integer.
type int128 struct {
	hi int64
	lo uint64
}

func widen(x int64) int128 { return int128{hi: x >> 63, lo: uint64(x)} }

func (a int128) add(b int128) int128 {
	lo, carry := bits.Add64(a.lo, b.lo, 0)
	return int128{hi: a.hi + b.hi + int64(carry), lo: lo}
}

func (a int128) neg() int128 {
	lo, borrow := bits.Sub64(0, a.lo, 0)
	return int128{hi: -a.hi - int64(borrow), lo: lo}
}

func (a int128) cmp(b int128) int {
	switch {
	case a.hi < b.hi, a.hi == b.hi && a.lo < b.lo:
		return -1
	case a == b:
		return 0
	}
	return 1
}

// int64 returns the value if it fits.
func (a int128) int64() (int64, bool) {
	x := int64(a.lo)
	return x, a.hi == x>>63
}

func (a int128) float64() float64 {
	if a.hi < 0 {
		return -a.neg().float64()
	}
	return float64(a.hi)*(1<<64) + float64(a.lo)
}

// mul128 multiplies two int64 exactly.
func mul128(a, b int64) int128 {
	hi, lo := bits.Mul64(magnitude(a), magnitude(b))
	r := int128{hi: int64(hi), lo: lo}
	if (a < 0) != (b < 0) {
		return r.neg()
	}
	return r
}

func magnitude(x int64) uint64 {
	if x < 0 {
		return -uint64(x)
	}
	return uint64(x)
}

// divRound divides by a positive divisor, rounding half away from zero; false
// when the quotient does not fit an int64.
func (a int128) divRound(d int64) (int64, bool) {
	neg := a.hi < 0
	if neg {
		a = a.neg()
	}
	u := uint64(d)
	if uint64(a.hi) >= u {
		return 0, false
	}
	q, r := bits.Div64(uint64(a.hi), a.lo, u)
	if r >= u-r {
		q++
	}
	if q > math.MaxInt64 {
		return 0, false
	}
	if neg {
		return -int64(q), true
	}
	return int64(q), true
}

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

// parseDecimal reads decimal text with optional sign, point and exponent, and
// rounds it to the scale of t.
func parseDecimal(s string, t *column.Type) (int64, bool) {
	neg := false
	if s != "" && (s[0] == '-' || s[0] == '+') {
		neg, s = s[0] == '-', s[1:]
	}
	exp := 0
	if i := strings.IndexAny(s, "eE"); i >= 0 {
		e := s[i+1:]
		eneg := false
		if e != "" && (e[0] == '-' || e[0] == '+') {
			eneg, e = e[0] == '-', e[1:]
		}
		v, n := digits(e, 4)
		if n == 0 || n != len(e) {
			return 0, false
		}
		if exp = int(v); eneg {
			exp = -exp
		}
		s = s[:i]
	}
	whole, frac, _ := strings.Cut(s, ".")
	if whole == "" && frac == "" {
		return 0, false
	}
	all := whole + frac
	point := len(whole) + exp // digits of all before the point
	keep := point + t.Scale   // digits that stay
	var x int64
	for i := 0; i < len(all); i++ {
		c := all[i]
		if c < '0' || c > '9' {
			return 0, false
		}
		switch {
		case i < keep:
			if x >= powersOfTen[17] {
				return 0, false
			}
			x = x*10 + int64(c-'0')
		case i == keep && c >= '5':
			x++
		}
	}
	for i := len(all); i < keep && x != 0; i++ {
		if x >= powersOfTen[17] {
			return 0, false
		}
		x *= 10
	}
	if x >= powersOfTen[t.Precision] {
		return 0, false
	}
	if neg {
		x = -x
	}
	return x, true
}

// DecimalLiteralType returns the type and unscaled value of a decimal literal
// such as 1.50, which is decimal(3,2); false when it has more than 18 digits.
func DecimalLiteralType(s string) (*column.Type, int64, bool) {
	whole, frac, _ := strings.Cut(s, ".")
	whole = strings.TrimLeft(whole, "0")
	precision := len(whole) + len(frac)
	if precision > maxDecimalDigits {
		return nil, 0, false
	}
	t := column.DecimalOf(max(precision, 1), len(frac))
	x, ok := parseDecimal(whole+"."+frac, t)
	return t, x, ok
}
