package fn

import (
	"encoding/binary"
	"math"
	"math/big"
	"math/bits"
	"unsafe"

	"github.com/cairndb/cairn/segment/column"
)

// int128 is a signed 128-bit integer, which holds the 38 digits of the widest
// decimal.
type int128 struct {
	hi int64
	lo uint64
}

// uint128 is the magnitude of one.
type uint128 struct{ hi, lo uint64 }

// powersOfTen128 are 10^0 to 10^38.
var powersOfTen128 = func() (p [column.DecimalDigitsMax + 1]uint128) {
	p[0].lo = 1
	for i := 1; i < len(p); i++ {
		p[i], _ = p[i-1].mul(uint128{lo: 10})
	}
	return p
}()

func widen(x int64) int128 { return int128{hi: x >> 63, lo: uint64(x)} }

func (a int128) add(b int128) int128 {
	lo, carry := bits.Add64(a.lo, b.lo, 0)
	return int128{hi: a.hi + b.hi + int64(carry), lo: lo}
}

// addChecked is add with false when the sum does not fit.
func (a int128) addChecked(b int128) (int128, bool) {
	r := a.add(b)
	return r, (a.hi^r.hi)&(b.hi^r.hi) >= 0
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

// magnitude returns the absolute value.
func (a int128) magnitude() uint128 {
	if a.hi < 0 {
		a = a.neg()
	}
	return uint128{uint64(a.hi), a.lo}
}

// digits reports whether the value has at most n decimal digits.
func (a int128) digits(n int) bool { return a.magnitude().less(powersOfTen128[n]) }

// signed gives the magnitude a sign; false when it does not fit.
func (a uint128) signed(neg bool) (int128, bool) {
	r := int128{int64(a.hi), a.lo}
	if neg {
		r = r.neg()
	}
	return r, a.hi < 1<<63
}

func (a uint128) less(b uint128) bool { return a.hi < b.hi || a.hi == b.hi && a.lo < b.lo }

func (a uint128) add(b uint128) (uint128, bool) {
	lo, c := bits.Add64(a.lo, b.lo, 0)
	hi, c := bits.Add64(a.hi, b.hi, c)
	return uint128{hi, lo}, c == 0
}

func (a uint128) sub(b uint128) uint128 {
	lo, c := bits.Sub64(a.lo, b.lo, 0)
	hi, _ := bits.Sub64(a.hi, b.hi, c)
	return uint128{hi, lo}
}

// mul multiplies; false when the product does not fit.
func (a uint128) mul(b uint128) (uint128, bool) {
	if a.hi != 0 && b.hi != 0 {
		return uint128{}, false
	}
	hi, lo := bits.Mul64(a.lo, b.lo)
	over, cross := bits.Mul64(a.hi, b.lo)
	over2, cross2 := bits.Mul64(a.lo, b.hi)
	hi, carry := bits.Add64(hi, cross+cross2, 0) // one of the two is 0
	return uint128{hi, lo}, over|over2|carry == 0
}

// div divides by b, which is not 0.
func (a uint128) div(b uint128) (q, r uint128) {
	if b.hi == 0 {
		q.hi, r.lo = a.hi/b.lo, a.hi%b.lo
		q.lo, r.lo = bits.Div64(r.lo, a.lo, b.lo)
		return q, r
	}
	// The quotient has at most 64 bits. Dividing by the 64 highest bits of b gives
	// it or a little more.
	n := uint(bits.LeadingZeros64(b.hi))
	top := b.hi<<n | b.lo>>1>>(63-n)
	guess, _ := bits.Div64(a.hi>>1, a.hi<<63|a.lo>>1, top)
	guess = guess >> (63 - n)
	if guess > 0 {
		guess--
	}
	product, _ := b.mul(uint128{lo: guess})
	r = a.sub(product)
	for !r.less(b) {
		guess++
		r = r.sub(b)
	}
	return uint128{lo: guess}, r
}

// divRound divides by b, rounding half up.
func (a uint128) divRound(b uint128) uint128 {
	q, r := a.div(b)
	if !r.less(b.sub(r)) {
		q, _ = q.add(uint128{lo: 1}) // only a division by 1 could overflow, and that has no rest
	}
	return q
}

// big returns the value for the few computations that need more bits.
func (a uint128) big() *big.Int {
	x := new(big.Int).SetUint64(a.hi)
	return x.Or(x.Lsh(x, 64), new(big.Int).SetUint64(a.lo))
}

// fromBig is the way back; false when x does not fit.
func fromBig(x *big.Int) (uint128, bool) {
	var raw [16]byte
	if x.Sign() < 0 || x.BitLen() > 128 {
		return uint128{}, false
	}
	x.FillBytes(raw[:])
	return uint128{binary.BigEndian.Uint64(raw[:8]), binary.BigEndian.Uint64(raw[8:])}, true
}

// mulDiv returns a * 10^shift / b, rounded half up; false when it does not fit.
func (a uint128) mulDiv(shift int, b uint128) (uint128, bool) {
	if shift < len(powersOfTen128) {
		if up, ok := a.mul(powersOfTen128[shift]); ok {
			return up.divRound(b), true
		}
	}
	up := a.big()
	up.Mul(up, new(big.Int).Exp(big.NewInt(10), big.NewInt(int64(shift)), nil))
	d := b.big()
	up.Add(up.Lsh(up, 1), d)
	return fromBig(up.Quo(up, d.Lsh(d, 1)))
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
	u, by := a.magnitude(), uint64(d)
	if u.hi >= by {
		return 0, false
	}
	q, r := bits.Div64(u.hi, u.lo, by)
	if r >= by-r {
		q++
	}
	if q > math.MaxInt64 {
		return 0, false
	}
	if a.hi < 0 {
		return -int64(q), true
	}
	return int64(q), true
}

// signBit is inverted in the first byte of a value's 16, so that negative values
// sort before others.
const signBit = 1 << 63

// bytes writes the 16 bytes that stand for the value in a vector.
func (a int128) bytes(dst *[16]byte) {
	binary.BigEndian.PutUint64(dst[:8], uint64(a.hi)^signBit)
	binary.BigEndian.PutUint64(dst[8:], a.lo)
}

// readInt128 reads them; the text under a NULL, which has none, is 0.
func readInt128(s string) int128 {
	if len(s) < 16 {
		return int128{}
	}
	b := (*[16]byte)(unsafe.Pointer(unsafe.StringData(s)))
	return int128{int64(binary.BigEndian.Uint64(b[:8]) ^ signBit), binary.BigEndian.Uint64(b[8:])}
}
