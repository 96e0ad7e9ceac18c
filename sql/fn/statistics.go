package fn

import (
	"math"

	"github.com/cairndb/cairn/segment/column"
)

// moments holds the number of values, their mean, and the sums of the second to
// fourth powers of their distances from it, updated and merged without losing
// digits to large sums.
type moments struct {
	n, mean, m2, m3, m4 float64
}

func (m *moments) add(x float64) { m.merge(moments{n: 1, mean: x}) }

func (m *moments) merge(o moments) {
	if o.n == 0 {
		return
	}
	if m.n == 0 {
		*m = o
		return
	}
	a, b, n := m.n, o.n, m.n+o.n
	d := o.mean - m.mean
	d2 := d * d
	m.m4 += o.m4 + d2*d2*a*b*(a*a-a*b+b*b)/(n*n*n) + 6*d2*(a*a*o.m2+b*b*m.m2)/(n*n) + 4*d*(a*o.m3-b*m.m3)/n
	m.m3 += o.m3 + d2*d*a*b*(a-b)/(n*n) + 3*d*(a*o.m2-b*m.m2)/n
	m.m2 += o.m2 + d2*a*b/n
	m.mean += d * b / n
	m.n = n
}

// spread is an aggregate of one double.
type spread struct {
	groups []moments
	// value gives the result, or false for NULL.
	value func(m *moments) (float64, bool)
	// prepare turns a value into what is summed.
	prepare func(x float64) float64
}

func (s *spread) Grow(n int) { s.groups = grown(s.groups, n) }

func (s *spread) Add(groups []uint32, args []*column.Vector, n int) error {
	for i := range n {
		if args[0].IsNull(i) {
			continue
		}
		leaf, j := args[0].Leaf(i)
		x := leaf.F64[j]
		if s.prepare != nil {
			x = s.prepare(x)
		}
		s.groups[groupOf(groups, i)].add(x)
	}
	return nil
}

func (s *spread) Merge(other Accumulator, groups []uint32) error {
	for i, m := range other.(*spread).groups {
		s.groups[groups[i]].merge(m)
	}
	return nil
}

func (s *spread) Result() (*column.Vector, error) {
	return doublesOf(len(s.groups), func(g int) (float64, bool) { return s.value(&s.groups[g]) }), nil
}

func (s *spread) Bytes() int64 { return int64(40 * cap(s.groups)) }

func doublesOf(n int, f func(g int) (float64, bool)) *column.Vector {
	out := column.New(column.DoubleType, n)
	for g := range n {
		x, ok := f(g)
		if !ok {
			out.SetNull(g)
		}
		out.F64[g] = x
	}
	return out
}

// relation is an aggregate of pairs of doubles, y and x.
type relation struct {
	groups []pairMoments
	value  func(p *pairMoments) (float64, bool)
}

// pairMoments are the moments of two values and of their product.
type pairMoments struct {
	n, meanY, meanX, m2y, m2x, c float64
}

func (p *pairMoments) merge(o pairMoments) {
	if o.n == 0 {
		return
	}
	if p.n == 0 {
		*p = o
		return
	}
	n := p.n + o.n
	dy, dx := o.meanY-p.meanY, o.meanX-p.meanX
	w := p.n * o.n / n
	p.m2y += o.m2y + dy*dy*w
	p.m2x += o.m2x + dx*dx*w
	p.c += o.c + dy*dx*w
	p.meanY += dy * o.n / n
	p.meanX += dx * o.n / n
	p.n = n
}

func (r *relation) Grow(n int) { r.groups = grown(r.groups, n) }

func (r *relation) Add(groups []uint32, args []*column.Vector, n int) error {
	for i := range n {
		if args[0].IsNull(i) || args[1].IsNull(i) {
			continue
		}
		y, j := args[0].Leaf(i)
		x, k := args[1].Leaf(i)
		r.groups[groupOf(groups, i)].merge(pairMoments{n: 1, meanY: y.F64[j], meanX: x.F64[k]})
	}
	return nil
}

func (r *relation) Merge(other Accumulator, groups []uint32) error {
	for i, p := range other.(*relation).groups {
		r.groups[groups[i]].merge(p)
	}
	return nil
}

func (r *relation) Result() (*column.Vector, error) {
	return doublesOf(len(r.groups), func(g int) (float64, bool) { return r.value(&r.groups[g]) }), nil
}

func (r *relation) Bytes() int64 { return int64(48 * cap(r.groups)) }

// entropy is the base-2 entropy of counts: log2(S) - sum(c log2 c)/S.
type entropy struct{ sum, sumLog []float64 }

func (e *entropy) Grow(n int) { e.sum, e.sumLog = grown(e.sum, n), grown(e.sumLog, n) }

func (e *entropy) Add(groups []uint32, args []*column.Vector, n int) error {
	for i := range n {
		if args[0].IsNull(i) {
			continue
		}
		leaf, j := args[0].Leaf(i)
		c := leaf.F64[j]
		if c < 0 || c != c {
			return domain("entropy", c)
		}
		if c > 0 {
			g := groupOf(groups, i)
			e.sum[g] += c
			e.sumLog[g] += c * math.Log2(c)
		}
	}
	return nil
}

func (e *entropy) Merge(other Accumulator, groups []uint32) error {
	o := other.(*entropy)
	for i := range o.sum {
		e.sum[groups[i]] += o.sum[i]
		e.sumLog[groups[i]] += o.sumLog[i]
	}
	return nil
}

func (e *entropy) Result() (*column.Vector, error) {
	return doublesOf(len(e.sum), func(g int) (float64, bool) {
		if e.sum[g] == 0 {
			return 0, true
		}
		return max(0, math.Log2(e.sum[g])-e.sumLog[g]/e.sum[g]), true
	}), nil
}

func (e *entropy) Bytes() int64 { return int64(16 * cap(e.sum)) }

func addStatistics(l *library) {
	one := func(name string, aliases []string, summary string, value func(m *moments) (float64, bool)) {
		l.aggregateFunc(Doc{Name: name, Aliases: aliases, Signature: name + "(x) → double", Summary: summary},
			agg("double", "double", func([]*column.Type, *column.Type) Accumulator { return &spread{value: value} }))
	}
	sample := func(m *moments) (float64, bool) { return m.m2 / (m.n - 1), m.n > 1 }
	population := func(m *moments) (float64, bool) { return m.m2 / m.n, m.n > 0 }
	root := func(f func(m *moments) (float64, bool)) func(m *moments) (float64, bool) {
		return func(m *moments) (float64, bool) {
			v, ok := f(m)
			return math.Sqrt(v), ok
		}
	}
	one("var_samp", []string{"variance"}, "Gives the sample variance.", sample)
	one("var_pop", nil, "Gives the population variance.", population)
	one("stddev_samp", []string{"stddev"}, "Gives the sample standard deviation.", root(sample))
	one("stddev_pop", nil, "Gives the population standard deviation.", root(population))
	one("skewness", nil, "Gives the skewness of the distribution.", func(m *moments) (float64, bool) {
		return math.Sqrt(m.n) * m.m3 / math.Pow(m.m2, 1.5), m.n > 2
	})
	one("kurtosis", nil, "Gives the excess kurtosis of the distribution.", func(m *moments) (float64, bool) {
		n := m.n
		v := m.m2 / (n - 1)
		return n*(n+1)/((n-1)*(n-2)*(n-3))*m.m4/(v*v) - 3*(n-1)*(n-1)/((n-2)*(n-3)), n > 3
	})
	l.aggregateFunc(Doc{Name: "geometric_mean", Signature: "geometric_mean(x) → double", Summary: "Gives the geometric mean."},
		agg("double", "double", func([]*column.Type, *column.Type) Accumulator {
			return &spread{prepare: math.Log, value: func(m *moments) (float64, bool) { return math.Exp(m.mean), m.n > 0 }}
		}))
	l.aggregateFunc(Doc{Name: "entropy", Signature: "entropy(count) → double", Summary: "Gives the base-2 entropy of counts."},
		agg("double", "double", func([]*column.Type, *column.Type) Accumulator { return &entropy{} }))

	two := func(name, summary string, value func(p *pairMoments) (float64, bool)) {
		l.aggregateFunc(Doc{Name: name, Signature: name + "(y, x) → double", Summary: summary},
			agg("double, double", "double", func([]*column.Type, *column.Type) Accumulator { return &relation{value: value} }))
	}
	two("covar_samp", "Gives the sample covariance.", func(p *pairMoments) (float64, bool) { return p.c / (p.n - 1), p.n > 1 })
	two("covar_pop", "Gives the population covariance.", func(p *pairMoments) (float64, bool) { return p.c / p.n, p.n > 0 })
	two("corr", "Gives the correlation coefficient.", func(p *pairMoments) (float64, bool) {
		return p.c / math.Sqrt(p.m2x*p.m2y), p.n > 1 && p.m2x > 0 && p.m2y > 0
	})
	two("regr_slope", "Gives the slope of the regression line.", func(p *pairMoments) (float64, bool) { return p.c / p.m2x, p.n > 1 && p.m2x > 0 })
	two("regr_intercept", "Gives the intercept of the regression line.", func(p *pairMoments) (float64, bool) {
		return p.meanY - p.c/p.m2x*p.meanX, p.n > 1 && p.m2x > 0
	})
}
