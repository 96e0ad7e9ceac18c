package insight

import "math"

// ln2 in two parts, the first with trailing zeros, so that k·ln2Hi is exact.
const (
	ln2Hi = 6.93147180369123816490e-01
	ln2Lo = 1.90821492927058770002e-10
)

// ln is the natural logarithm of a positive finite number. math.Log has other
// instructions on other processors, and what they round otherwise could turn a
// verdict; this is addition, multiplication and division in a fixed order, each
// rounded by itself (the conversions forbid fusing them), so every machine gives
// the same bits. The error is below 2 units of the last place.
func ln(x float64) float64 {
	frac, exp := math.Frexp(x)
	if frac < math.Sqrt2/2 {
		frac *= 2
		exp--
	}
	// ln(frac) = 2 artanh(s), |s| ≤ 0.172: the twelfth term is below 2^-60.
	s := (frac - 1) / (frac + 1)
	z := float64(s * s)
	p := 1.0 / 23
	for _, c := range [...]float64{1.0 / 21, 1.0 / 19, 1.0 / 17, 1.0 / 15, 1.0 / 13, 1.0 / 11, 1.0 / 9, 1.0 / 7, 1.0 / 5, 1.0 / 3} {
		p = float64(p*z) + c
	}
	s2 := 2 * s
	k := float64(exp)
	return float64(k*ln2Hi) + (s2 + (float64(float64(s2*z)*p) + float64(k*ln2Lo)))
}

// tail is how surprising n calls are where m were expected: the Chernoff bound, in
// nats, of the upper tail of a negative binomial distribution with mean m and
// variance m + a·m²; e to the minus tail bounds the probability of n or more. It is
// 0 for n ≤ m. The result is rounded to a millionth, as everything that is compared.
func tail(n, m, a float64) float64 {
	if n <= m {
		return 0
	}
	m = max(m, leastMean)
	v := float64(n * ln(n/m))
	if am := float64(a * m); am < 1e-9 {
		v -= n - m
	} else {
		v -= float64((n + 1/a) * ln(float64(1+float64(a*n))/float64(1+am)))
	}
	return round(max(v, 0))
}

// leastMean keeps quotients finite for series that never had a call.
const leastMean = 1e-9

// round cuts what later code compares to a grid of about a millionth.
func round(v float64) float64 {
	const grid = 1 << 20
	if v > 1<<40 {
		return v
	}
	return math.Floor(float64(v*grid)+0.5) / grid
}

// gain is the logarithm of the likelihood ratio of n calls between the best
// constant rate and the expected one, for Poisson counts; 0 for n ≤ m.
func gain(n, m float64) float64 {
	if n <= m {
		return 0
	}
	m = max(m, leastMean)
	return round(float64(n*ln(n/m)) - (n - m))
}
