package fn

import (
	"encoding/binary"

	"github.com/cairndb/cairn/segment/column"
	"github.com/cairndb/cairn/sql/sqlerr"
)

// counter is count(*), count(x) and count_if(x).
type counter struct {
	counts []int64
	onlyIf bool
}

func (c *counter) Grow(n int) { c.counts = grown(c.counts, n) }

func (c *counter) Add(groups []uint32, args []*column.Vector, n int) error {
	if c.onlyIf {
		for i := range n {
			if isTrueAt(args[0], i) {
				c.counts[groupOf(groups, i)]++
			}
		}
		return nil
	}
	all := len(args) == 0 || !mayHaveNulls(args[0])
	switch {
	case groups == nil && len(args) == 0:
		c.counts[0] += int64(n)
	case groups == nil:
		c.counts[0] += countNotNull(args[0], n)
	case all:
		for _, g := range groups[:n] {
			c.counts[g]++
		}
	default:
		for i, g := range groups[:n] {
			c.counts[g] += truth(!args[0].IsNull(i))
		}
	}
	return nil
}

func (c *counter) AddWeighted(g uint32, args []*column.Vector, i int, weight int64) error {
	if len(args) == 0 || (c.onlyIf && isTrueAt(args[0], i)) || !c.onlyIf && !args[0].IsNull(i) {
		c.counts[g] += weight
	}
	return nil
}

func (c *counter) Merge(other Accumulator, groups []uint32) error {
	for i, x := range other.(*counter).counts {
		c.counts[groups[i]] += x
	}
	return nil
}

func (c *counter) Result() (*column.Vector, error) {
	return &column.Vector{Type: column.BigIntType, Len: len(c.counts), I64: c.counts}, nil
}

func (c *counter) Bytes() int64 { return int64(8 * cap(c.counts)) }

// integerSum sums integers, decimals and intervals in 128 bits: it overflows
// only when the result does, whatever the order of the values. With average set
// it gives the mean.
type integerSum struct {
	sums    []int128
	counts  []int64
	result  *column.Type
	average bool // the mean instead of the sum
}

func (s *integerSum) Grow(n int) { s.sums, s.counts = grown(s.sums, n), grown(s.counts, n) }

func (s *integerSum) Add(groups []uint32, args []*column.Vector, n int) error {
	v := args[0]
	if v.Const {
		if groups == nil {
			return s.AddWeighted(0, args, 0, int64(n))
		}
		for _, g := range groups[:n] {
			if err := s.AddWeighted(g, args, 0, 1); err != nil {
				return err
			}
		}
		return nil
	}
	nulls := mayHaveNulls(v)
	if groups == nil && v.Dict == nil {
		// Sums of 32-bit halves cannot overflow within a batch.
		var hi, lo, count int64
		if !nulls {
			for _, x := range v.I64[:n] {
				hi += x >> 32
				lo += x & 0xffffffff
			}
			count = int64(n)
		} else {
			for i, x := range v.I64[:n] {
				if !v.Nulls.Get(i) {
					hi += x >> 32
					lo += x & 0xffffffff
					count++
				}
			}
		}
		s.sums[0] = s.sums[0].add(mul128(hi, 1<<32)).add(widen(lo))
		s.counts[0] += count
		return nil
	}
	for i := range n {
		if nulls && v.IsNull(i) {
			continue
		}
		g := groupOf(groups, i)
		leaf, j := v.Leaf(i)
		s.sums[g] = s.sums[g].add(widen(leaf.I64[j]))
		s.counts[g]++
	}
	return nil
}

func (s *integerSum) AddWeighted(g uint32, args []*column.Vector, i int, weight int64) error {
	if !args[0].IsNull(i) {
		leaf, j := args[0].Leaf(i)
		s.sums[g] = s.sums[g].add(mul128(leaf.I64[j], weight))
		s.counts[g] += weight
	}
	return nil
}

func (s *integerSum) Merge(other Accumulator, groups []uint32) error {
	o := other.(*integerSum)
	for i := range o.sums {
		g := groups[i]
		s.sums[g] = s.sums[g].add(o.sums[i])
		s.counts[g] += o.counts[i]
	}
	return nil
}

func (s *integerSum) Result() (*column.Vector, error) {
	out := newDecimals(s.result, len(s.sums))
	for g, sum := range s.sums {
		if s.counts[g] == 0 {
			out.v.SetNull(g)
			continue
		}
		if s.result.Kind == column.Double {
			out.v.F64[g] = sum.float64() / float64(s.counts[g])
			continue
		}
		if out.raw != nil {
			if !sum.digits(s.result.Precision) {
				return nil, overflow(s.result, "the sum is out of range")
			}
			out.put(g, sum)
			continue
		}
		x, ok := int64(0), false
		if s.average {
			x, ok = sum.divRound(s.counts[g])
		} else {
			x, ok = sum.int64()
		}
		if !ok {
			return nil, overflow(s.result, "the sum is out of range")
		}
		out.v.I64[g] = x
	}
	return out.v, nil
}

func (s *integerSum) Bytes() int64 { return int64(16*cap(s.sums) + 8*cap(s.counts)) }

// doubleSum sums doubles and reals, or gives their mean.
type doubleSum struct {
	sums    []float64
	counts  []int64
	result  *column.Type
	average bool
}

func (s *doubleSum) Grow(n int) { s.sums, s.counts = grown(s.sums, n), grown(s.counts, n) }

func (s *doubleSum) Add(groups []uint32, args []*column.Vector, n int) error {
	v := args[0]
	nulls := mayHaveNulls(v)
	for i := range n {
		if nulls && v.IsNull(i) {
			continue
		}
		g := groupOf(groups, i)
		leaf, j := v.Leaf(i)
		s.sums[g] += leaf.F64[j]
		s.counts[g]++
	}
	return nil
}

func (s *doubleSum) AddWeighted(g uint32, args []*column.Vector, i int, weight int64) error {
	if !args[0].IsNull(i) {
		leaf, j := args[0].Leaf(i)
		s.sums[g] += leaf.F64[j] * float64(weight)
		s.counts[g] += weight
	}
	return nil
}

func (s *doubleSum) Merge(other Accumulator, groups []uint32) error {
	o := other.(*doubleSum)
	for i := range o.sums {
		s.sums[groups[i]] += o.sums[i]
		s.counts[groups[i]] += o.counts[i]
	}
	return nil
}

func (s *doubleSum) Result() (*column.Vector, error) {
	out := column.New(s.result, len(s.sums))
	for g, sum := range s.sums {
		if s.counts[g] == 0 {
			out.SetNull(g)
			continue
		}
		if s.average {
			sum /= float64(s.counts[g])
		}
		if s.result.Kind == column.Real {
			sum = float64(float32(sum))
		}
		out.F64[g] = sum
	}
	return out, nil
}

func (s *doubleSum) Bytes() int64 { return int64(8*cap(s.sums) + 8*cap(s.counts)) }

// extreme is min (sign -1) and max (sign 1). NaN counts only when there is
// nothing else.
type extreme struct {
	slots
	sign int
}

func (e *extreme) Grow(n int) { e.grow(n) }

// better reports whether value i of v, not NULL, is to replace slot g.
func (e *extreme) better(v *column.Vector, i int, g uint32) bool {
	if e.state[g] != slotValue {
		return true
	}
	if e.f64 != nil {
		if isNaNAt(v, i) {
			return false
		}
		if old := e.f64[g]; old != old {
			return true
		}
	}
	return e.sign*e.compare(v, i, g) > 0
}

func (e *extreme) Add(groups []uint32, args []*column.Vector, n int) error {
	e.batch()
	v := args[0]
	if groups == nil {
		v, n = usedEntries(v, n)
	}
	nulls := mayHaveNulls(v)
	if e.i64 != nil && e.zone == nil && !v.Const && v.Dict == nil && !nulls {
		for i, x := range v.I64[:n] {
			g := groupOf(groups, i)
			if e.state[g] != slotValue || e.sign > 0 && x > e.i64[g] || e.sign < 0 && x < e.i64[g] {
				e.i64[g], e.state[g] = x, slotValue
			}
		}
		return nil
	}
	for i := range n {
		if nulls && v.IsNull(i) {
			continue
		}
		if g := groupOf(groups, i); e.better(v, i, g) {
			if err := e.put(g, v, i); err != nil {
				return err
			}
		}
	}
	return nil
}

func (e *extreme) AddWeighted(g uint32, args []*column.Vector, i int, _ int64) error {
	if !args[0].IsNull(i) && e.better(args[0], i, g) {
		return e.put(g, args[0], i)
	}
	return nil
}

func (e *extreme) Merge(other Accumulator, groups []uint32) error {
	o := other.(*extreme)
	values := o.vector()
	for i, st := range o.state {
		if st == slotValue && e.better(values, i, groups[i]) {
			e.move(groups[i], &o.slots, i)
		}
	}
	return nil
}

func (e *extreme) Result() (*column.Vector, error) { return e.vector(), nil }
func (e *extreme) Bytes() int64                    { return e.bytes() }

// extremeBy is min_by and max_by: the x of the row with the extreme y.
type extremeBy struct {
	by extreme
	x  slots
}

func (e *extremeBy) Grow(n int) {
	e.by.grow(n)
	e.x.grow(n)
}

// Watch implements Watched.
func (e *extremeBy) Watch(c *Context) {
	e.by.Watch(c)
	e.x.Watch(c)
}

func (e *extremeBy) Add(groups []uint32, args []*column.Vector, n int) error {
	e.by.batch()
	e.x.batch()
	x, y := args[0], args[1]
	for i := range n {
		if y.IsNull(i) {
			continue
		}
		if g := groupOf(groups, i); e.by.better(y, i, g) {
			if err := e.by.put(g, y, i); err != nil {
				return err
			}
			if err := e.x.put(g, x, i); err != nil {
				return err
			}
		}
	}
	return nil
}

func (e *extremeBy) Merge(other Accumulator, groups []uint32) error {
	o := other.(*extremeBy)
	values := o.by.vector()
	for i, st := range o.by.state {
		if st == slotValue && e.by.better(values, i, groups[i]) {
			e.by.move(groups[i], &o.by.slots, i)
			e.x.move(groups[i], &o.x, i)
		}
	}
	return nil
}

func (e *extremeBy) Result() (*column.Vector, error) { return e.x.vector(), nil }
func (e *extremeBy) Bytes() int64                    { return e.by.bytes() + e.x.bytes() }

// anyValue is arbitrary: the first value that is not NULL.
type anyValue struct{ slots }

func (a *anyValue) Grow(n int) { a.grow(n) }

func (a *anyValue) Add(groups []uint32, args []*column.Vector, n int) error {
	for i := range n {
		g := groupOf(groups, i)
		if a.state[g] == slotValue {
			if groups == nil {
				return nil
			}
			continue
		}
		if !args[0].IsNull(i) {
			if err := a.put(g, args[0], i); err != nil {
				return err
			}
		}
	}
	return nil
}

func (a *anyValue) Merge(other Accumulator, groups []uint32) error {
	o := other.(*anyValue)
	for i, st := range o.state {
		if st == slotValue && a.state[groups[i]] != slotValue {
			a.move(groups[i], &o.slots, i)
		}
	}
	return nil
}

func (a *anyValue) Result() (*column.Vector, error) { return a.vector(), nil }
func (a *anyValue) Bytes() int64                    { return a.bytes() }

// folded folds integers with an operation that does not care for order: the
// boolean and the bitwise aggregates.
type folded struct {
	state  []uint8
	values []int64
	fold   func(a, b int64) int64
	result *column.Type
}

func (f *folded) Grow(n int) { f.state, f.values = grown(f.state, n), grown(f.values, n) }

func (f *folded) put(g uint32, x int64) {
	if f.state[g] == slotEmpty {
		f.state[g], f.values[g] = slotValue, x
		return
	}
	f.values[g] = f.fold(f.values[g], x)
}

func (f *folded) Add(groups []uint32, args []*column.Vector, n int) error {
	for i := range n {
		if !args[0].IsNull(i) {
			leaf, j := args[0].Leaf(i)
			f.put(groupOf(groups, i), leaf.I64[j])
		}
	}
	return nil
}

func (f *folded) Merge(other Accumulator, groups []uint32) error {
	o := other.(*folded)
	for i, st := range o.state {
		if st != slotEmpty {
			f.put(groups[i], o.values[i])
		}
	}
	return nil
}

func (f *folded) Result() (*column.Vector, error) {
	out := &column.Vector{Type: f.result, Len: len(f.values), I64: f.values}
	for g, st := range f.state {
		if st == slotEmpty {
			out.SetNull(g)
		}
	}
	return out, nil
}

func (f *folded) Bytes() int64 { return int64(cap(f.state) + 8*cap(f.values)) }

// checksum adds the hashes of all values, NULLs included, so that the order
// does not matter but every repetition does.
type checksum struct {
	sums []uint64
	seen []bool
}

func (c *checksum) Grow(n int) { c.sums, c.seen = grown(c.sums, n), grown(c.seen, n) }

func (c *checksum) Add(groups []uint32, args []*column.Vector, n int) error {
	for i := range n {
		g := groupOf(groups, i)
		c.sums[g] += mix(HashAt(args[0], i) | 1)
		c.seen[g] = true
	}
	return nil
}

func (c *checksum) Merge(other Accumulator, groups []uint32) error {
	o := other.(*checksum)
	for i := range o.sums {
		c.sums[groups[i]] += o.sums[i]
		c.seen[groups[i]] = c.seen[groups[i]] || o.seen[i]
	}
	return nil
}

func (c *checksum) Result() (*column.Vector, error) {
	out := column.New(column.VarbinaryType, len(c.sums))
	for g, s := range c.sums {
		if !c.seen[g] {
			out.SetNull(g)
			continue
		}
		out.Str[g] = string(binary.BigEndian.AppendUint64(nil, s))
	}
	return out, nil
}

func (c *checksum) Bytes() int64 { return int64(8*cap(c.sums) + cap(c.seen)) }

// mustOrder refuses types without an order for argument k.
func mustOrder(name string, k int) func(args []*column.Type) (*column.Type, error) {
	return func(args []*column.Type) (*column.Type, error) {
		if !CanOrder(args[k]) {
			return nil, sqlerr.New(sqlerr.DatatypeMismatch, sqlerr.Pos{}, "%s: values of type %s have no order", name, args[k])
		}
		return nil, nil
	}
}

func addAggregates(l *library) {
	count := func([]*column.Type, *column.Type) Accumulator { return &counter{} }
	l.aggregateFunc(Doc{Name: "count", Signature: "count(*) or count(x) → bigint", Summary: "Counts the rows, or those where x is not NULL."},
		agg("", "bigint", count).withWeights(), agg("any", "bigint", count).withWeights())
	l.aggregateFunc(Doc{Name: "count_if", Signature: "count_if(condition) → bigint", Summary: "Counts the rows where the condition is true."},
		agg("boolean", "bigint", func([]*column.Type, *column.Type) Accumulator { return &counter{onlyIf: true} }).withWeights())

	integers := func(average bool) func(args []*column.Type, result *column.Type) Accumulator {
		return func(args []*column.Type, result *column.Type) Accumulator {
			if args[0].Payload() == column.PayloadStr {
				return &wideSum{result: result, average: average}
			}
			return &integerSum{result: result, average: average}
		}
	}
	doubles := func(average bool) func(args []*column.Type, result *column.Type) Accumulator {
		return func(_ []*column.Type, result *column.Type) Accumulator {
			return &doubleSum{result: result, average: average}
		}
	}
	l.aggregateFunc(Doc{Name: "sum", Signature: "sum(x)", Summary: "Adds up the values; of integers it is a bigint."},
		agg("bigint", "bigint", integers(false)).withWeights(), agg("double", "double", doubles(false)).withWeights(),
		agg("real", "real", doubles(false)).withWeights(),
		agg("decimal", "decimal", integers(false)).withWeights().checked(func(args []*column.Type) (*column.Type, error) {
			return column.DecimalOf(maxDecimalDigits, args[0].Scale), nil
		}),
		agg("intervalday", "intervalday", integers(false)).withWeights(), agg("intervalmonth", "intervalmonth", integers(false)).withWeights())
	l.aggregateFunc(Doc{Name: "avg", Signature: "avg(x)", Summary: "Gives the mean; of integers it is a double."},
		agg("bigint", "double", integers(true)).withWeights(), agg("double", "double", doubles(true)).withWeights(),
		agg("real", "real", doubles(true)).withWeights(), agg("decimal", "decimal", integers(true)).withWeights(),
		agg("intervalday", "intervalday", integers(true)).withWeights(), agg("intervalmonth", "intervalmonth", integers(true)).withWeights())

	for _, f := range []struct {
		name, which string
		sign        int
	}{{"min", "smallest", -1}, {"max", "largest", 1}} {
		l.aggregateFunc(Doc{Name: f.name, Signature: f.name + "(x[, n])", Summary: "Gives the " + f.which + " value, or an array of the n " + f.which + "."},
			agg("T", "T", func(args []*column.Type, _ *column.Type) Accumulator {
				return &extreme{slots: slots{t: args[0]}, sign: f.sign}
			}).withWeights().withoutDuplicates().checked(mustOrder(f.name, 0)),
			agg("T, bigint", "array(T)", func(args []*column.Type, result *column.Type) Accumulator {
				return newTopValues(f.name, f.sign, result, args[0])
			}).checked(mustOrder(f.name, 0)))
		l.aggregateFunc(Doc{Name: f.name + "_by", Signature: f.name + "_by(x, y[, n])", Summary: "Gives the x of the row with the " + f.which + " y, or an array of the n first."},
			agg("T, U", "T", func(args []*column.Type, _ *column.Type) Accumulator {
				return &extremeBy{by: extreme{slots: slots{t: args[1]}, sign: f.sign}, x: slots{t: args[0]}}
			}).withoutDuplicates().checked(mustOrder(f.name+"_by", 1)),
			agg("T, U, bigint", "array(T)", func(args []*column.Type, result *column.Type) Accumulator {
				return newTopValues(f.name+"_by", f.sign, result, args[0], args[1])
			}).checked(mustOrder(f.name+"_by", 1)))
	}
	l.aggregateFunc(Doc{Name: "arbitrary", Aliases: []string{"any_value"}, Signature: "arbitrary(x)", Summary: "Gives some value that is not NULL."},
		agg("T", "T", func(args []*column.Type, _ *column.Type) Accumulator { return &anyValue{slots{t: args[0]}} }).withoutDuplicates())
	fold := func(result *column.Type, f func(a, b int64) int64) func([]*column.Type, *column.Type) Accumulator {
		return func([]*column.Type, *column.Type) Accumulator { return &folded{fold: f, result: result} }
	}
	and, or := func(a, b int64) int64 { return a & b }, func(a, b int64) int64 { return a | b }
	l.aggregateFunc(Doc{Name: "bool_and", Aliases: []string{"every"}, Signature: "bool_and(x) → boolean", Summary: "Is true when every value is."},
		agg("boolean", "boolean", fold(column.BooleanType, and)).withoutDuplicates())
	l.aggregateFunc(Doc{Name: "bool_or", Signature: "bool_or(x) → boolean", Summary: "Is true when some value is."},
		agg("boolean", "boolean", fold(column.BooleanType, or)).withoutDuplicates())
	l.aggregateFunc(Doc{Name: "bitwise_and_agg", Signature: "bitwise_and_agg(x) → bigint", Summary: "Gives the bits set in every value."},
		agg("bigint", "bigint", fold(column.BigIntType, and)).withoutDuplicates())
	l.aggregateFunc(Doc{Name: "bitwise_or_agg", Signature: "bitwise_or_agg(x) → bigint", Summary: "Gives the bits set in any value."},
		agg("bigint", "bigint", fold(column.BigIntType, or)).withoutDuplicates())
	l.aggregateFunc(Doc{Name: "bitwise_xor_agg", Signature: "bitwise_xor_agg(x) → bigint", Summary: "Gives the bits set in an odd number of values."},
		agg("bigint", "bigint", fold(column.BigIntType, func(a, b int64) int64 { return a ^ b })))
	l.aggregateFunc(Doc{Name: "checksum", Signature: "checksum(x) → varbinary", Summary: "Gives a sum of hashes that does not depend on the order."},
		agg("T", "varbinary", func([]*column.Type, *column.Type) Accumulator { return &checksum{} }))
}
