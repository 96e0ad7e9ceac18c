package fn

import (
	"math/big"
	"math/bits"

	"github.com/cairndb/cairn/segment/column"
)

// int192 holds sums of wide decimals: however many there are, and in whatever
// order they come, only a result that is too large overflows.
type int192 struct {
	hi int64
	lo uint128
}

func (a int192) add(b int192) int192 {
	lo, c := bits.Add64(a.lo.lo, b.lo.lo, 0)
	mid, c := bits.Add64(a.lo.hi, b.lo.hi, c)
	return int192{a.hi + b.hi + int64(c), uint128{mid, lo}}
}

func (a int192) neg() int192 {
	lo, c := bits.Sub64(0, a.lo.lo, 0)
	mid, c := bits.Sub64(0, a.lo.hi, c)
	return int192{-a.hi - int64(c), uint128{mid, lo}}
}

// extend gives a value 64 bits more.
func (a int128) extend() int192 { return int192{a.hi >> 63, uint128{uint64(a.hi), a.lo}} }

// int128 returns the value if it fits.
func (a int192) int128() (int128, bool) {
	x := int128{int64(a.lo.hi), a.lo.lo}
	return x, a.hi == x.hi>>63
}

// big returns the value for multiplying and dividing.
func (a int192) big() *big.Int {
	if a.hi < 0 {
		x := a.neg().big()
		return x.Neg(x)
	}
	x := big.NewInt(a.hi)
	return x.Or(x.Lsh(x, 128), a.lo.big())
}

// times multiplies by a count.
func (a int128) times(n int64) int192 {
	if n == 1 {
		return a.extend()
	}
	u := a.magnitude()
	carry, lo := bits.Mul64(u.lo, uint64(n))
	over, mid := bits.Mul64(u.hi, uint64(n))
	mid, c := bits.Add64(mid, carry, 0)
	r := int192{int64(over + c), uint128{mid, lo}}
	if a.hi < 0 {
		return r.neg()
	}
	return r
}

// wideSum is integerSum for decimals of more than 18 digits.
type wideSum struct {
	sums    []int192
	counts  []int64
	result  *column.Type
	average bool // the mean instead of the sum
}

func (s *wideSum) Grow(n int) { s.sums, s.counts = grown(s.sums, n), grown(s.counts, n) }

func (s *wideSum) Add(groups []uint32, args []*column.Vector, n int) error {
	v := args[0]
	if v.Const && groups == nil {
		return s.AddWeighted(0, args, 0, int64(n))
	}
	nulls := mayHaveNulls(v)
	for i := range n {
		if nulls && v.IsNull(i) {
			continue
		}
		g := groupOf(groups, i)
		leaf, j := v.Leaf(i)
		s.sums[g] = s.sums[g].add(readInt128(leaf.Str[j]).extend())
		s.counts[g]++
	}
	return nil
}

func (s *wideSum) AddWeighted(g uint32, args []*column.Vector, i int, weight int64) error {
	if !args[0].IsNull(i) {
		leaf, j := args[0].Leaf(i)
		s.sums[g] = s.sums[g].add(readInt128(leaf.Str[j]).times(weight))
		s.counts[g] += weight
	}
	return nil
}

func (s *wideSum) Merge(other Accumulator, groups []uint32) error {
	o := other.(*wideSum)
	for i := range o.sums {
		g := groups[i]
		s.sums[g] = s.sums[g].add(o.sums[i])
		s.counts[g] += o.counts[i]
	}
	return nil
}

func (s *wideSum) Result() (*column.Vector, error) {
	out := newDecimals(s.result, len(s.sums))
	for g, sum := range s.sums {
		if s.counts[g] == 0 {
			out.v.SetNull(g)
			continue
		}
		x, ok := sum.int128()
		switch {
		case s.average && ok:
			x, _ = x.magnitude().divRound(uint128{lo: uint64(s.counts[g])}).signed(x.hi < 0)
		case s.average:
			x, ok = divRoundBig(sum.big(), s.counts[g])
		}
		if !ok || !x.digits(s.result.Precision) {
			return nil, overflow(s.result, "the sum is out of range")
		}
		out.put(g, x)
	}
	return out.v, nil
}

// divRoundBig divides by a positive divisor, rounding half away from zero.
func divRoundBig(x *big.Int, by int64) (int128, bool) {
	neg, d := x.Sign() < 0, big.NewInt(by)
	x.Abs(x)
	x.Add(x.Lsh(x, 1), d)
	u, ok := fromBig(x.Quo(x, d.Lsh(d, 1)))
	r, fits := u.signed(neg)
	return r, ok && fits
}

func (s *wideSum) Bytes() int64 { return int64(24*cap(s.sums) + 8*cap(s.counts)) }

func (s *wideSum) StateTypes() []*column.Type {
	return []*column.Type{column.BigIntType, column.BigIntType, column.BigIntType, column.BigIntType}
}

func (s *wideSum) State() []*column.Vector {
	return []*column.Vector{
		bigintsOf(len(s.sums), func(g int) int64 { return s.sums[g].hi }),
		bigintsOf(len(s.sums), func(g int) int64 { return int64(s.sums[g].lo.hi) }),
		bigintsOf(len(s.sums), func(g int) int64 { return int64(s.sums[g].lo.lo) }),
		bigints(s.counts),
	}
}

func (s *wideSum) Load(groups []uint32, state []*column.Vector, n int) error {
	for i, g := range groups[:n] {
		low := uint128{uint64(int64At(state[1], i)), uint64(int64At(state[2], i))}
		s.sums[g] = s.sums[g].add(int192{int64At(state[0], i), low})
		s.counts[g] += int64At(state[3], i)
	}
	return nil
}

// Frames implements FrameAccumulator as that of integerSum does.
func (s *wideSum) Frames(args []*column.Vector, n int, lo, hi []int32) (*column.Vector, error) {
	s.Grow(len(lo))
	upTo, counts := make([]int192, n+1), make([]int32, n+1)
	v := args[0]
	for i := range n {
		upTo[i+1], counts[i+1] = upTo[i], counts[i]
		if !v.IsNull(i) {
			leaf, j := v.Leaf(i)
			upTo[i+1] = upTo[i].add(readInt128(leaf.Str[j]).extend())
			counts[i+1]++
		}
	}
	for i := range lo {
		s.sums[i] = upTo[hi[i]].add(upTo[lo[i]].neg())
		s.counts[i] = int64(counts[hi[i]] - counts[lo[i]])
	}
	return s.Result()
}
