package fn

import (
	"math/big"
	"math/rand/v2"
	"testing"
)

// randomUint128 has any number of bits with equal chance.
func randomUint128(r *rand.Rand) uint128 {
	u := uint128{r.Uint64(), r.Uint64()}
	switch cut := uint(r.IntN(129)); {
	case cut >= 64:
		u = uint128{0, u.lo >> (cut - 64)}
	default:
		u.hi >>= cut
	}
	switch r.IntN(6) {
	case 0:
		u.lo = ^uint64(0)
	case 1:
		u.lo = 0
	}
	return u
}

// TestInt128 compares the arithmetic of 128 bits with that of math/big.
func TestInt128(t *testing.T) {
	r := rand.New(rand.NewPCG(7, 128))
	limit := new(big.Int).Lsh(big.NewInt(1), 128)
	for i := range 200_000 {
		a, b := randomUint128(r), randomUint128(r)
		x, y := a.big(), b.big()
		if back, ok := fromBig(x); !ok || back != a {
			t.Fatalf("%d: %v is not what its big form reads as", i, a)
		}
		if got, ok := a.mul(b); ok != (new(big.Int).Mul(x, y).Cmp(limit) < 0) || ok && got.big().Cmp(new(big.Int).Mul(x, y)) != 0 {
			t.Fatalf("%d: %v * %v = %v, %v", i, a, b, got, ok)
		}
		if a.less(b) != (x.Cmp(y) < 0) {
			t.Fatalf("%d: %v < %v is wrong", i, a, b)
		}
		if b != (uint128{}) {
			q, rest := a.div(b)
			wq, wr := new(big.Int).QuoRem(x, y, new(big.Int))
			if q.big().Cmp(wq) != 0 || rest.big().Cmp(wr) != 0 {
				t.Fatalf("%d: %v / %v = %v rest %v, want %v rest %v", i, a, b, q, rest, wq, wr)
			}
			shift := r.IntN(77)
			up := new(big.Int).Mul(x, new(big.Int).Exp(big.NewInt(10), big.NewInt(int64(shift)), nil))
			wq, wr = up.QuoRem(up, y, wr)
			if wr.Lsh(wr, 1).Cmp(y) >= 0 {
				wq.Add(wq, big.NewInt(1))
			}
			if got, ok := a.mulDiv(shift, b); ok != (wq.Cmp(limit) < 0) || ok && got.big().Cmp(wq) != 0 {
				t.Fatalf("%d: %v * 10^%d / %v = %v, %v, want %v", i, a, shift, b, got, ok, wq)
			}
		}
		s, ok := a.signed(i%2 == 0)
		if !ok {
			continue
		}
		other, ok := b.signed(i%3 == 0)
		var raw, otherRaw [16]byte
		s.bytes(&raw)
		other.bytes(&otherRaw)
		if readInt128(string(raw[:])) != s {
			t.Fatalf("%d: the bytes of %v read as another value", i, s)
		}
		if ok && s.cmp(other) != big.NewInt(0).SetBytes(raw[:]).Cmp(big.NewInt(0).SetBytes(otherRaw[:])) {
			t.Fatalf("%d: the bytes of %v and %v sort otherwise than the values", i, s, other)
		}
		if s.magnitude() != a {
			t.Fatalf("%d: the magnitude of %v is not %v", i, s, a)
		}
	}
}
