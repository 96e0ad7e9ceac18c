package fn

import (
	"math"
	"math/bits"
	"strconv"
	"strings"

	"github.com/cairndb/cairn/segment/column"
	"github.com/cairndb/cairn/sql/sqlerr"
)

// overIntegers returns an overload for each integer type.
func overIntegers(f func(t *column.Type) kernel) []overload {
	var out []overload
	for _, t := range []*column.Type{column.BigIntType, column.IntegerType, column.SmallIntType, column.TinyIntType} {
		out = append(out, over(t.String(), t.String(), f(t)))
	}
	return out
}

// roundHalfUp rounds half away from zero at a number of decimals, by the
// number's decimal text: 2.675 has no exact double, but its reader means 2.68.
func roundHalfUp(f float64, decimals int64) float64 {
	if f != f || math.IsInf(f, 0) || decimals > 300 {
		return f
	}
	if decimals == 0 {
		return math.Round(f)
	}
	if decimals < -308 {
		return 0
	}
	if decimals > 0 && decimals <= 15 && math.Abs(f) < 1e15 {
		p := math.Pow10(int(decimals))
		if scaled := f * p; math.Abs(scaled) < 1<<52 {
			r := math.Round(scaled)
			if math.Abs(math.Abs(scaled-math.Trunc(scaled))-0.5) < 1e-6 {
				r = math.Trunc(scaled)
				if d := math.Abs(f) * p; decimalHalfUp(d) {
					r += math.Copysign(1, f)
				}
			}
			return r / p
		}
	}
	if decimals < 0 {
		p := math.Pow10(int(-decimals))
		return math.Round(f/p) * p
	}
	return f
}

// decimalHalfUp reports whether the fraction of a number is a half or more when
// written with 15 significant digits, where the error of the product vanishes.
func decimalHalfUp(x float64) bool {
	text := strconv.FormatFloat(x, 'g', 15, 64)
	y, err := strconv.ParseFloat(text, 64)
	return err == nil && y-math.Trunc(y) >= 0.5
}

func roundInteger(t *column.Type) func(_ *Context, x, decimals int64) (int64, bool, error) {
	lo, hi := integerRange(t)
	return func(_ *Context, x, decimals int64) (int64, bool, error) {
		if decimals >= 0 {
			return x, true, nil
		}
		if decimals < -18 {
			return 0, true, nil
		}
		p := powersOfTen[-decimals]
		q, _ := widen(x).divRound(p)
		r, ok := mulInt(q, p)
		if !ok || r < lo || r > hi {
			return 0, false, overflow(t, "the rounded number is out of range")
		}
		return r, true, nil
	}
}

// A rounding of a decimal is what it adds to a magnitude that is cut to whole
// units: whether 1, given the sign and how the rest compares with half a unit.
type decimalRounding func(neg bool, rest, unit uint128) bool

func roundsUp(neg bool, rest, _ uint128) bool      { return !neg && rest != uint128{} }
func roundsDown(neg bool, rest, _ uint128) bool    { return neg && rest != uint128{} }
func roundsToZero(bool, uint128, uint128) bool     { return false }
func roundsHalfUp(_ bool, rest, unit uint128) bool { return !rest.less(unit.sub(rest)) }

// cut removes the last drop digits of x.
func (r decimalRounding) cut(x int128, drop int) int128 {
	if drop > maxDecimalDigits {
		return int128{}
	}
	unit := powersOfTen128[drop]
	q, rest := x.magnitude().div(unit)
	if r(x.hi < 0, rest, unit) {
		q, _ = q.add(uint128{lo: 1})
	}
	out, _ := q.signed(x.hi < 0)
	return out
}

// whole makes the function of decimals whose result has no fraction; narrow is how
// it is done in 64 bits.
func (r decimalRounding) whole(narrow func(x, unit int64) int64) overload {
	return overBind("decimal", "", func(args []*column.Type) (*column.Type, kernel, error) {
		from := args[0]
		t := cappedDecimal(from.Precision-from.Scale+min(from.Scale, 1), 0)
		if from.Payload() == column.PayloadStr {
			return t, wide1(func(x int128) (int128, error) { return r.cut(x, from.Scale), nil }), nil
		}
		unit := powersOfTen[from.Scale]
		return t, map1(func(x int64) int64 { return narrow(x, unit) }), nil
	})
}

// at makes the function of decimals that cuts them to a number of digits behind
// the point, with a result of type t.
func (r decimalRounding) at(from, t *column.Type) kernel {
	return func(c *Context, _ *column.Type, args []*column.Vector, n int) (*column.Vector, error) {
		out, skip, pace := newDecimals(t, n), unionNulls(args), pacer{c: c}
		for i := range n {
			if skip != nil && skip.Get(i) {
				continue
			}
			if err := pace.spend(decimalWork); err != nil {
				return nil, err
			}
			x, drop := decimalAt(args[0], i), int64(from.Scale)
			if keep := intAt(args[1], i); keep >= drop {
				drop = 0
			} else if drop -= keep; drop < 0 || drop > maxDecimalDigits {
				continue // nothing is left
			}
			if drop > 0 {
				u, ok := r.cut(x, int(drop)).magnitude().mul(powersOfTen128[drop])
				y, ok2 := u.signed(x.hi < 0)
				if !ok || !ok2 || !y.digits(t.Precision) {
					return nil, overflow(t, "the rounded number has more digits")
				}
				x = y
			}
			out.put(i, x)
		}
		return out.v, nil
	}
}

func domain(name string, f float64) error {
	return fault(sqlerr.InvalidArgument, "%s is not defined for %s", name, appendDouble(nil, f, 64))
}

func addMath(l *library) {
	family := "math"
	l.scalar(Doc{Name: "abs", Family: family, Signature: "abs(x) → the same type", Summary: "Gives the absolute value.", Example: "abs(-1.5)", Result: "1.5"},
		append(overIntegers(func(t *column.Type) kernel {
			lo, _ := integerRange(t)
			return try1(func(_ *Context, x int64) (int64, bool, error) {
				if x == lo {
					return 0, false, overflow(t, "the smallest value has no absolute")
				}
				return int64(magnitude(x)), true, nil
			})
		}), overBind("decimal", "", func(args []*column.Type) (*column.Type, kernel, error) {
			if args[0].Payload() == column.PayloadStr {
				return args[0], wide1(func(x int128) (int128, error) { y, _ := x.magnitude().signed(false); return y, nil }), nil
			}
			return args[0], map1(func(x int64) int64 { return int64(magnitude(x)) }), nil
		}),
			over("double", "double", map1(math.Abs)), over("real", "real", map1(math.Abs)))...)
	same := func(*column.Type) kernel { return map1(func(x int64) int64 { return x }) }
	l.scalar(Doc{Name: "ceil", Aliases: []string{"ceiling"}, Family: family, Signature: "ceil(x)", Summary: "Rounds up to a whole number.", Example: "ceil(1.2)", Result: "2"},
		append(overIntegers(same), decimalRounding(roundsUp).whole(func(x, unit int64) int64 { return -floorDiv(-x, unit) }),
			over("double", "double", map1(math.Ceil)), over("real", "real", map1(math.Ceil)))...)
	l.scalar(Doc{Name: "floor", Family: family, Signature: "floor(x)", Summary: "Rounds down to a whole number.", Example: "floor(-1.2)", Result: "-2"},
		append(overIntegers(same), decimalRounding(roundsDown).whole(floorDiv), over("double", "double", map1(math.Floor)), over("real", "real", map1(math.Floor)))...)
	addRounding(l, family)
	l.scalar(Doc{Name: "sign", Family: family, Signature: "sign(x)", Summary: "Gives -1, 0 or 1.", Example: "sign(-3)", Result: "-1"},
		append(overIntegers(func(*column.Type) kernel { return map1(signOf) }),
			overBind("decimal", "", func(args []*column.Type) (*column.Type, kernel, error) {
				if args[0].Payload() == column.PayloadStr {
					return column.DecimalOf(1, 0), wide1(func(x int128) (int128, error) { return widen(int64(x.cmp(int128{}))), nil }), nil
				}
				return column.DecimalOf(1, 0), map1(signOf), nil
			}),
			over("double", "double", map1(func(f float64) float64 {
				if f > 0 {
					return 1
				}
				if f < 0 {
					return -1
				}
				return f
			})))...)
	mod := &Scalar{Doc: Doc{Name: "mod", Family: family, Signature: "mod(x, y)", Summary: "Gives the rest of a division, with the sign of x.", Example: "mod(-7, 3)", Result: "-1"}}
	mod.Bind = func(given []*column.Type) (*Bound, error) {
		return bindArithmetic(&Doc{Name: "%", Family: "operator", Signature: "mod(x, y)"}, given)
	}
	l.addScalar(mod)
	l.scalar(Doc{Name: "power", Aliases: []string{"pow"}, Family: family, Signature: "power(x, y) → double", Summary: "Raises x to a power.", Example: "power(2, 10)", Result: "1024.0"},
		over("double, double", "double", map2(math.Pow)))
	for _, f := range []struct {
		name, summary, example, result string
		f                              func(float64) float64
	}{
		{"sqrt", "the square root", "sqrt(9)", "3.0", math.Sqrt}, {"cbrt", "the cube root", "cbrt(27)", "3.0", math.Cbrt},
		{"exp", "e to a power", "exp(0)", "1.0", math.Exp}, {"ln", "the natural logarithm", "ln(1)", "0.0", math.Log},
		{"log2", "the logarithm to base 2", "log2(8)", "3.0", math.Log2}, {"log10", "the logarithm to base 10", "log10(1000)", "3.0", math.Log10},
		{"degrees", "radians as degrees", "degrees(pi())", "180.0", func(x float64) float64 { return x * 180 / math.Pi }},
		{"radians", "degrees as radians", "radians(180) = pi()", "true", func(x float64) float64 { return x * math.Pi / 180 }},
		{"sin", "the sine", "sin(0)", "0.0", math.Sin}, {"cos", "the cosine", "cos(0)", "1.0", math.Cos}, {"tan", "the tangent", "tan(0)", "0.0", math.Tan},
		{"asin", "the arc sine", "asin(0)", "0.0", math.Asin}, {"acos", "the arc cosine", "acos(1)", "0.0", math.Acos}, {"atan", "the arc tangent", "atan(0)", "0.0", math.Atan},
		{"sinh", "the hyperbolic sine", "sinh(0)", "0.0", math.Sinh}, {"cosh", "the hyperbolic cosine", "cosh(0)", "1.0", math.Cosh},
		{"tanh", "the hyperbolic tangent", "tanh(0)", "0.0", math.Tanh},
	} {
		l.scalar(Doc{Name: f.name, Family: family, Signature: f.name + "(x) → double", Summary: "Gives " + f.summary + ".", Example: f.example, Result: f.result},
			over("double", "double", map1(f.f)))
	}
	l.scalar(Doc{Name: "atan2", Family: family, Signature: "atan2(y, x) → double", Summary: "Gives the angle of a point.", Example: "atan2(0, 1)", Result: "0.0"},
		over("double, double", "double", map2(math.Atan2)))
	l.scalar(Doc{Name: "log", Family: family, Signature: "log(base, x) → double", Summary: "Gives the logarithm to a base.", Example: "log(2, 8)", Result: "3.0"},
		over("double, double", "double", try2(func(_ *Context, b, x float64) (float64, bool, error) {
			switch {
			case b <= 0 || b == 1:
				return 0, false, domain("log to base", b)
			case x < 0:
				return 0, false, domain("log", x)
			case b == 2:
				return math.Log2(x), true, nil
			case b == 10:
				return math.Log10(x), true, nil
			}
			return math.Log(x) / math.Log(b), true, nil
		})))
	for _, f := range []struct {
		name, summary, result string
		x                     float64
	}{
		{"pi", "the number π", "3.141592653589793", math.Pi}, {"e", "Euler's number", "2.718281828459045", math.E},
		{"nan", "the double that is not a number", "NaN", math.NaN()}, {"infinity", "the double for infinity", "Infinity", math.Inf(1)},
	} {
		l.scalar(Doc{Name: f.name, Family: family, Signature: f.name + "() → double", Summary: "Gives " + f.summary + ".", Example: f.name + "()", Result: f.result},
			over("", "double", now(func(_ *Context, out *column.Vector) { out.F64[0] = f.x })))
	}
	for _, f := range []struct {
		name, summary, example string
		is                     func(float64) bool
	}{
		{"is_nan", "is not a number", "is_nan(nan())", func(x float64) bool { return x != x }},
		{"is_finite", "is finite", "is_finite(1)", func(x float64) bool { return !math.IsInf(x, 0) && x == x }},
		{"is_infinite", "is infinite", "is_infinite(infinity())", func(x float64) bool { return math.IsInf(x, 0) }},
	} {
		k := map1(func(x float64) int64 { return truth(f.is(x)) })
		l.scalar(Doc{Name: f.name, Family: family, Signature: f.name + "(x) → boolean", Summary: "Tells whether a double " + f.summary + ".", Example: f.example, Result: "true"},
			over("double", "boolean", k), over("real", "boolean", k))
	}
	addRandom(l, family)
	l.scalar(Doc{Name: "width_bucket", Family: family, Signature: "width_bucket(x, low, high, count) → bigint, width_bucket(x, bounds) → bigint",
		Summary: "Gives the number of the bucket that a number falls into, from 0 (below all).", Example: "width_bucket(5, 0, 10, 4)", Result: "3"},
		over("double, double, double, bigint", "bigint", try4(widthBucket)),
		over("double, array(double)", "bigint", perRow(func(args []*column.Vector, i int) (int64, bool, error) {
			x, bounds := dblAt(args[0], i), column.Flatten(args[1].Children[0])
			from, to := span(args[1], i)
			if from == to {
				return 0, false, fault(sqlerr.InvalidArgument, "width_bucket needs at least one bound")
			}
			n := int64(0)
			for e := from; e < to; e++ {
				switch {
				case bounds.IsNull(e), bounds.F64[e] != bounds.F64[e]:
					return 0, false, fault(sqlerr.InvalidArgument, "a bound of width_bucket must be a number")
				case e > from && bounds.F64[e] < bounds.F64[e-1]:
					return 0, false, fault(sqlerr.InvalidArgument, "the bounds of width_bucket must ascend")
				case bounds.F64[e] <= x:
					n = int64(e-from) + 1
				}
			}
			return n, true, nil
		})))
	addBases(l, family)
	addBits(l)
}

func signOf(x int64) int64 { return truth(x > 0) - truth(x < 0) }

func addRounding(l *library, family string) {
	integers := overIntegers(func(*column.Type) kernel { return map1(func(x int64) int64 { return x }) })
	var integers2 []overload
	for _, t := range []*column.Type{column.BigIntType, column.IntegerType, column.SmallIntType, column.TinyIntType} {
		integers2 = append(integers2, over(t.String()+", bigint", t.String(), try2(roundInteger(t))))
	}
	double := func(f float64, d int64) float64 { return roundHalfUp(f, d) }
	decimal2 := overBind("decimal, bigint", "", func(args []*column.Type) (*column.Type, kernel, error) {
		from := args[0]
		t := cappedDecimal(from.Precision+1, from.Scale)
		return t, decimalRounding(roundsHalfUp).at(from, t), nil
	})
	l.scalar(Doc{Name: "round", Family: family, Signature: "round(x[, decimals])", Summary: "Rounds half away from zero.", Example: "round(2.345, 2)", Result: "2.350"},
		append(append(append(integers, integers2...),
			decimalRounding(roundsHalfUp).whole(func(x, unit int64) int64 { q, _ := widen(x).divRound(unit); return q }), decimal2),
			over("double", "double", map1(math.Round)), over("real", "real", map1(math.Round)),
			over("double, bigint", "double", map2(double)), over("real, bigint", "real", map2(double)))...)
	l.scalar(Doc{Name: "truncate", Family: family, Signature: "truncate(x[, decimals])", Summary: "Cuts digits off, towards zero.", Example: "truncate(-1.9)", Result: "-1"},
		decimalRounding(roundsToZero).whole(func(x, unit int64) int64 { return x / unit }),
		over("double", "double", map1(math.Trunc)), over("real", "real", map1(math.Trunc)),
		overBind("decimal, bigint", "", func(args []*column.Type) (*column.Type, kernel, error) {
			return args[0], decimalRounding(roundsToZero).at(args[0], args[0]), nil
		}),
		over("double, bigint", "double", map2(func(f float64, d int64) float64 {
			if d < -308 || d > 308 || f != f || math.IsInf(f, 0) {
				return f
			}
			text := strconv.FormatFloat(f, 'f', -1, 64)
			point := strings.IndexByte(text, '.')
			if d >= 0 {
				if point >= 0 && point+1+int(d) < len(text) {
					r, _ := strconv.ParseFloat(text[:point+1+int(d)], 64)
					return r
				}
				return f
			}
			p := math.Pow10(int(-d))
			return math.Trunc(f/p) * p
		})))
}

func addRandom(l *library, family string) {
	whole := func(c *Context, lo, hi int64) (int64, bool, error) {
		if hi <= lo {
			return 0, false, fault(sqlerr.InvalidArgument, "random needs an upper bound above the lower one")
		}
		span := float64(hi) - float64(lo)
		return min(lo+int64(math.Floor(random(c)*span)), hi-1), true, nil
	}
	l.scalar(Doc{Name: "random", Aliases: []string{"rand"}, Family: family, Signature: "random([low, ][high]) → double or bigint",
		Summary: "Gives a random number: a double from 0 up to 1, or an integer from low (or 0) up to high, exclusive."},
		over("", "double", func(c *Context, t *column.Type, _ []*column.Vector, n int) (*column.Vector, error) {
			v, out := made[float64](t, n)
			for i := range out {
				out[i] = random(c)
			}
			return v, nil
		}).varying(),
		over("bigint", "bigint", try1(func(c *Context, hi int64) (int64, bool, error) { return whole(c, 0, hi) })).varying(),
		over("bigint, bigint", "bigint", try2(whole)).varying())
}

func widthBucket(_ *Context, x, lo, hi float64, count int64) (int64, bool, error) {
	switch {
	case count <= 0 || count > 1<<31:
		return 0, false, fault(sqlerr.InvalidArgument, "width_bucket needs at least one bucket")
	case x != x, math.IsInf(lo, 0) || lo != lo, math.IsInf(hi, 0) || hi != hi, lo == hi:
		return 0, false, fault(sqlerr.InvalidArgument, "width_bucket needs a number and two different finite bounds")
	}
	if lo < hi {
		if x < lo {
			return 0, true, nil
		}
		if x >= hi {
			return count + 1, true, nil
		}
		return int64(float64(count)*(x-lo)/(hi-lo)) + 1, true, nil
	}
	if x > lo {
		return 0, true, nil
	}
	if x <= hi {
		return count + 1, true, nil
	}
	return int64(float64(count)*(lo-x)/(lo-hi)) + 1, true, nil
}

func addBases(l *library, family string) {
	check := func(radix int64) error {
		if radix < 2 || radix > 36 {
			return fault(sqlerr.InvalidArgument, "a base is 2 to 36, not %d", radix)
		}
		return nil
	}
	l.scalar(Doc{Name: "from_base", Family: family, Signature: "from_base(string, base) → bigint", Summary: "Reads a number in a base.", Example: "from_base('ff', 16)", Result: "255"},
		over("varchar, bigint", "bigint", try2(func(_ *Context, s string, radix int64) (int64, bool, error) {
			if err := check(radix); err != nil {
				return 0, false, err
			}
			x, err := strconv.ParseInt(s, int(radix), 64)
			if err != nil || strings.Contains(s, "_") {
				return 0, false, fault(sqlerr.InvalidText, "%s is not a number in base %d", shown(s), radix)
			}
			return x, true, nil
		})))
	l.scalar(Doc{Name: "to_base", Family: family, Signature: "to_base(x, base) → varchar", Summary: "Writes a number in a base.", Example: "to_base(255, 16)", Result: "ff"},
		over("bigint, bigint", "varchar", try2(func(_ *Context, x, radix int64) (string, bool, error) {
			if err := check(radix); err != nil {
				return "", false, err
			}
			return strconv.FormatInt(x, int(radix)), true, nil
		})))
}

func addBits(l *library) {
	family := "bit"
	two := func(name, summary, example, result string, f func(a, b int64) int64) {
		l.scalar(Doc{Name: name, Family: family, Signature: name + "(x, y) → bigint", Summary: summary, Example: example, Result: result},
			over("bigint, bigint", "bigint", map2(f)))
	}
	two("bitwise_and", "Gives the bits set in both.", "bitwise_and(12, 10)", "8", func(a, b int64) int64 { return a & b })
	two("bitwise_or", "Gives the bits set in either.", "bitwise_or(12, 10)", "14", func(a, b int64) int64 { return a | b })
	two("bitwise_xor", "Gives the bits set in one only.", "bitwise_xor(12, 10)", "6", func(a, b int64) int64 { return a ^ b })
	l.scalar(Doc{Name: "bitwise_not", Family: family, Signature: "bitwise_not(x) → bigint", Summary: "Turns every bit round.", Example: "bitwise_not(0)", Result: "-1"},
		over("bigint", "bigint", map1(func(x int64) int64 { return ^x })))
	// Each integer type is shifted in its own width.
	shifts := func(f func(x, n int64, width uint) int64) (out []overload) {
		for i, t := range []*column.Type{column.BigIntType, column.IntegerType, column.SmallIntType, column.TinyIntType} {
			width := uint(64) >> i
			out = append(out, over(t.String()+", bigint", t.String(), try2(func(_ *Context, x, n int64) (int64, bool, error) {
				if n < 0 {
					return 0, false, fault(sqlerr.InvalidArgument, "a shift by %d bits", n)
				}
				cut := 64 - width
				return f(x, min(n, 64), width) << cut >> cut, true, nil
			})))
		}
		return out
	}
	for _, f := range []struct {
		name, summary, example, result string
		f                              func(x, n int64, width uint) int64
	}{
		{"bitwise_left_shift", "Moves the bits to the left.", "bitwise_left_shift(1, 4)", "16", func(x, n int64, _ uint) int64 { return x << n }},
		{"bitwise_right_shift", "Moves the bits to the right, filling with zeros.", "bitwise_right_shift(16, 4)", "1",
			func(x, n int64, width uint) int64 { return int64(uint64(x) << (64 - width) >> (64 - width) >> n) }},
		{"bitwise_right_shift_arithmetic", "Moves the bits to the right, keeping the sign.", "bitwise_right_shift_arithmetic(-16, 2)", "-4", func(x, n int64, _ uint) int64 { return x >> n }},
	} {
		l.scalar(Doc{Name: f.name, Family: family, Signature: f.name + "(x, count) → the type of x", Summary: f.summary, Example: f.example, Result: f.result},
			shifts(f.f)...)
	}
	l.scalar(Doc{Name: "bit_count", Family: family, Signature: "bit_count(x, bits) → bigint", Summary: "Counts the bits set in x as a number of that many bits.",
		Example: "bit_count(-1, 8)", Result: "8"},
		over("bigint, bigint", "bigint", try2(func(_ *Context, x, n int64) (int64, bool, error) {
			if n < 2 || n > 64 {
				return 0, false, fault(sqlerr.InvalidArgument, "bit_count takes 2 to 64 bits, not %d", n)
			}
			if lo, hi := -int64(1)<<(n-1), int64(1)<<(n-1)-1; n < 64 && (x < lo || x > hi) {
				return 0, false, fault(sqlerr.InvalidArgument, "%d does not fit into %d bits", x, n)
			}
			u := uint64(x)
			if n < 64 {
				u &= 1<<n - 1
			}
			return int64(bits.OnesCount64(u)), true, nil
		})))
}
