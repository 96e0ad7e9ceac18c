package fn

import (
	"errors"
	"math/big"
	"math/rand/v2"
	"testing"

	"github.com/cairndb/cairn/segment/column"
	"github.com/cairndb/cairn/sql/sqlerr"
)

// bigOf is an unscaled value.
func bigOf(x int128) *big.Int {
	b := x.magnitude().big()
	if x.hi < 0 {
		b.Neg(b)
	}
	return b
}

// divHalfUp divides, rounding half away from zero.
func divHalfUp(x, d *big.Int) *big.Int {
	q, r := new(big.Int).QuoRem(x, d, new(big.Int))
	if r.Lsh(r.Abs(r), 1).CmpAbs(d) >= 0 {
		q.Add(q, big.NewInt(int64(x.Sign()*d.Sign())))
	}
	return q
}

// TestDecimalArithmetic computes + - * / % and the comparisons of random decimals
// of random shapes and compares with math/big: the value, or the overflow.
func TestDecimalArithmetic(t *testing.T) {
	r := rand.New(rand.NewPCG(3, 38))
	ten := func(n int) *big.Int { return new(big.Int).Exp(big.NewInt(10), big.NewInt(int64(n)), nil) }
	operand := func() (*column.Vector, int128, int) {
		p := 1 + r.IntN(38)
		if r.IntN(2) == 0 {
			p = 1 + r.IntN(18)
		}
		out := newDecimals(column.DecimalOf(p, r.IntN(p+1)), 1)
		_, rest := randomUint128(r).div(powersOfTen128[p])
		x, _ := rest.signed(r.IntN(2) == 0)
		out.put(0, x)
		return out.v, x, out.v.Type.Scale
	}
	done := map[string]int{}
	for i := range 60_000 {
		a, x, sa := operand()
		b, y, sb := operand()
		op := []string{"+", "-", "*", "/", "%", "<", "="}[i%7]
		f, err := LookupScalar(op).Bind([]*column.Type{a.Type, b.Type})
		if err != nil {
			if op == "*" && sa+sb > 38 {
				continue
			}
			t.Fatalf("%s %s %s: %v", a.Type, op, b.Type, err)
		}
		got, err := f.Eval(testContext, []*column.Vector{a, b}, 1)
		scale := max(sa, sb)
		p, q := bigOf(x), bigOf(y)
		up, uq := new(big.Int).Mul(p, ten(scale-sa)), new(big.Int).Mul(q, ten(scale-sb))
		var want *big.Int
		switch op {
		case "+":
			want = up.Add(up, uq)
		case "-":
			want = up.Sub(up, uq)
		case "*":
			want = p.Mul(p, q)
		case "/":
			if q.Sign() != 0 {
				want = divHalfUp(p.Mul(p, ten(scale+sb-sa)), q)
			}
		case "%":
			if q.Sign() != 0 {
				want = up.Rem(up, uq)
			}
		case "<":
			if err != nil || (got.I64[0] == 1) != (up.Cmp(uq) < 0) {
				t.Fatalf("%s(%v) < %s(%v): %v, %v", a.Type, p, b.Type, q, got, err)
			}
			continue
		case "=":
			if err != nil || (got.I64[0] == 1) != (up.Cmp(uq) == 0) {
				t.Fatalf("%s(%v) = %s(%v): %v, %v", a.Type, p, b.Type, q, got, err)
			}
			continue
		}
		fits := want != nil && want.CmpAbs(ten(f.Result.Precision)) < 0
		if fits != (err == nil) {
			t.Fatalf("%s(%v) %s %s(%v) of type %s: error %v, want %v", a.Type, x, op, b.Type, y, f.Result, err, want)
		}
		if fits {
			if z := bigOf(decimalAt(got, 0)); z.Cmp(want) != 0 {
				t.Fatalf("%s(%v) %s %s(%v) of type %s: %v, want %v", a.Type, bigOf(x), op, b.Type, bigOf(y), f.Result, z, want)
			}
			done[op]++
		}
	}
	for _, op := range []string{"+", "-", "*", "/", "%"} {
		if done[op] < 1000 {
			t.Errorf("only %d results of %s were compared", done[op], op)
		}
	}
}

// TestWideSum adds up values whose running sum leaves 128 bits, in both
// directions, as groups, weights, frames and through the state.
func TestWideSum(t *testing.T) {
	typ := column.DecimalOf(38, 2)
	largest, _ := powersOfTen128[38].sub(uint128{lo: 1}).signed(false)
	values := newDecimals(typ, 9)
	for i := range 9 {
		x := largest
		if i >= 4 && i < 8 {
			x = x.neg()
		}
		values.put(i, x)
	}
	args := []*column.Vector{values.v}
	const want = "999999999999999999999999999999999999.99"
	sum, err := LookupAggregate("sum").Bind([]*column.Type{typ})
	if err != nil || !sum.Result.Equal(typ) {
		t.Fatal(sum.Result, err)
	}
	show := func(acc Accumulator) string {
		v, err := acc.Result()
		if err != nil {
			return err.Error()
		}
		return Format(v, 0)
	}
	acc := sum.New()
	acc.Grow(1)
	if err := acc.Add(nil, args, 9); err != nil || show(acc) != want {
		t.Errorf("the sum is %s, %v", show(acc), err)
	}
	again := sum.New()
	again.Grow(1)
	if err := again.Load([]uint32{0}, acc.State(), 1); err != nil || show(again) != want {
		t.Errorf("through its state the sum is %s, %v", show(again), err)
	}
	weighted := sum.New().(WeightedAccumulator)
	weighted.Grow(1)
	for i, w := range map[int]int64{0: 1 << 40, 4: 1<<40 - 1} {
		if err := weighted.AddWeighted(0, args, i, w); err != nil {
			t.Fatal(err)
		}
	}
	if show(weighted) != want {
		t.Errorf("the weighted sum is %s", show(weighted))
	}
	over := sum.New()
	over.Grow(1)
	if err := over.Add(nil, args, 2); err != nil || show(over) == want || !faultIs(over, "22003") {
		t.Errorf("a sum of 39 digits is %s, %v", show(over), err)
	}
	frames, err := sum.New().(FrameAccumulator).Frames(args, 9, []int32{0, 3, 8}, []int32{1, 5, 9})
	if err != nil || Format(frames, 0) != want || Format(frames, 1) != "0.00" || Format(frames, 2) != want {
		t.Errorf("the sums of frames are %v, %v", frames, err)
	}
	avg, _ := LookupAggregate("avg").Bind([]*column.Type{typ})
	mean := avg.New()
	mean.Grow(1)
	if err := mean.Add(nil, args, 3); err != nil || show(mean) != want {
		t.Errorf("the mean is %s, %v", show(mean), err)
	}
}

func faultIs(acc Accumulator, code string) bool {
	_, err := acc.Result()
	var e *sqlerr.Error
	return errors.As(err, &e) && e.Code == code
}
