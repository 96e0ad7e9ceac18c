package fn

import (
	"math"
	"math/bits"

	"github.com/cairndb/cairn/segment/column"
	"github.com/cairndb/cairn/sql/sqlerr"
)

// comparison is one of the six comparison operators: which signs of Compare it
// accepts.
type comparison struct {
	symbol            string
	less, equal, more bool
}

var comparisons = []comparison{
	{"=", false, true, false}, {"<>", true, false, true},
	{"<", true, false, false}, {"<=", true, true, false},
	{">", false, false, true}, {">=", false, true, true},
}

func (c comparison) accepts(sign int) bool {
	return sign < 0 && c.less || sign == 0 && c.equal || sign > 0 && c.more
}

// ordered are the payloads with Go's own operators. For doubles those have just
// SQL's meaning: every comparison with NaN is false, save <>.
func compareKernel[T payload](symbol string) kernel {
	switch symbol {
	case "=":
		return map2(func(a, b T) int64 { return truth(a == b) })
	case "<>":
		return map2(func(a, b T) int64 { return truth(a != b) })
	case "<":
		return map2(func(a, b T) int64 { return truth(a < b) })
	case "<=":
		return map2(func(a, b T) int64 { return truth(a <= b) })
	case ">":
		return map2(func(a, b T) int64 { return truth(a > b) })
	}
	return map2(func(a, b T) int64 { return truth(a >= b) })
}

// equalText is = (want 1) and <> (want 0) of text, the hottest comparison of all: with a constant
// it compares the lengths in the loop, without a call for most rows.
func equalText(want int64) kernel {
	general := map2(func(a, b string) int64 { return truth(a == b) ^ want ^ 1 })
	return func(c *Context, t *column.Type, args []*column.Vector, n int) (*column.Vector, error) {
		a, b := args[0], args[1]
		if a.Const {
			a, b = b, a
		}
		if !b.Const || a.Const {
			return general(c, t, args, n)
		}
		v, out := made[int64](t, n)
		x := b.Str[0]
		in := a.Str[:len(out)]
		for i := range out {
			out[i] = truth(len(in[i]) == len(x) && in[i] == x) ^ want ^ 1
		}
		return v, nil
	}
}

func (c comparison) bind(given []*column.Type) (*Bound, error) {
	doc := &Doc{Name: c.symbol, Family: "operator", Signature: "two values of one type"}
	if len(given) != 2 {
		return nil, mismatch(doc, given)
	}
	exact := func(t *column.Type) bool { return t.IsInteger() || t.Kind == column.Decimal }
	a, b := given[0], given[1]
	to := []*column.Type{a, b}
	var k kernel
	if exact(a) && exact(b) && (a.Kind == column.Decimal || b.Kind == column.Decimal) && !a.Equal(b) {
		// Compared as they are: a bigint need not fit into a decimal.
		_, sa := decimalShape(a)
		_, sb := decimalShape(b)
		if a.Payload() == column.PayloadStr || b.Payload() == column.PayloadStr {
			k = compareWideKernel(c, sa, sb)
		} else {
			k = map2(func(x, y int64) int64 { return truth(c.accepts(compareDecimals(x, sa, y, sb))) })
		}
	} else {
		t := CommonType(a, b)
		if t == nil {
			return nil, mismatch(doc, given)
		}
		to = []*column.Type{t, t}
		ordering := c.less != c.more
		if ordering && !CanOrder(t) {
			return nil, sqlerr.New(sqlerr.DatatypeMismatch, sqlerr.Pos{}, "values of type %s have no order", t).
				WithHint("only = and <> compare them")
		}
		switch {
		case t.Payload() == column.PayloadI64:
			k = compareKernel[int64](c.symbol)
		case t.Payload() == column.PayloadF64:
			k = compareKernel[float64](c.symbol)
		case t.Payload() == column.PayloadStr && !ordering:
			k = equalText(truth(c.equal))
		case t.Payload() == column.PayloadStr:
			k = compareKernel[string](c.symbol)
		case ordering:
			k = c.nestedOrder
		default:
			k = c.nestedEqual
		}
	}
	return &Bound{Args: to, Result: column.BooleanType, Eval: guard(k, column.BooleanType, false, false)}, nil
}

func (c comparison) nestedEqual(_ *Context, t *column.Type, args []*column.Vector, n int) (*column.Vector, error) {
	v, out := made[int64](t, n)
	for i := range out {
		switch equalTernary(args[0], i, args[1], i) {
		case isUnknown:
			v.SetNull(i)
		case isTrue:
			out[i] = truth(c.equal)
		case isFalse:
			out[i] = truth(!c.equal)
		}
	}
	return v, nil
}

func (c comparison) nestedOrder(_ *Context, t *column.Type, args []*column.Vector, n int) (*column.Vector, error) {
	v, out := made[int64](t, n)
	for i := range out {
		if args[0].IsNull(i) || args[1].IsNull(i) {
			continue
		}
		if hasNullInside(args[0], i) || hasNullInside(args[1], i) {
			return nil, fault(sqlerr.InvalidArgument, "%s values with NULL inside have no order", args[0].Type)
		}
		out[i] = truth(c.accepts(Compare(args[0], i, args[1], i)))
	}
	return v, nil
}

// hasNullInside reports whether an array or row holds a NULL.
func hasNullInside(v *column.Vector, i int) bool {
	v, i = v.Leaf(i)
	from, to := i, i+1
	if v.Offsets != nil {
		from, to = int(v.Offsets[i]), int(v.Offsets[i+1])
	}
	for _, c := range v.Children {
		for e := from; e < to; e++ {
			if c.IsNull(e) || c.Type.Payload() == column.PayloadNested && hasNullInside(c, e) {
				return true
			}
		}
	}
	return false
}

// distinctFrom is IS DISTINCT FROM: NULL equals NULL.
func distinctFrom(_ *Context, t *column.Type, args []*column.Vector, n int) (*column.Vector, error) {
	v, out := made[int64](t, n)
	a, b := args[0], args[1]
	for i := range out {
		out[i] = truth(!EqualAt(a, i, b, i))
	}
	return v, nil
}

// Checked integer arithmetic: false on overflow.
func addInt(a, b int64) (int64, bool) {
	r := a + b
	return r, (a^r)&(b^r) >= 0
}

func subInt(a, b int64) (int64, bool) {
	r := a - b
	return r, (a^b)&(a^r) >= 0
}

func mulInt(a, b int64) (int64, bool) {
	hi, lo := bits.Mul64(magnitude(a), magnitude(b))
	if hi != 0 {
		return 0, false
	}
	if (a < 0) != (b < 0) {
		return -int64(lo), lo <= 1<<63
	}
	return int64(lo), lo < 1<<63
}

var arithmetic = map[string]func(a, b int64) (int64, bool){"+": addInt, "-": subInt, "*": mulInt}

func divisionByZero() error { return fault(sqlerr.DivisionByZero, "division by zero") }

// integerKernel computes + - * / % of integers of type t with overflow checks.
func integerKernel(op string, t *column.Type) kernel {
	lo, hi := integerRange(t)
	if op == "/" || op == "%" {
		return try2(func(_ *Context, a, b int64) (int64, bool, error) {
			switch {
			case b == 0:
				return 0, false, divisionByZero()
			case b == -1: // the one quotient that overflows has this divisor
				if op == "%" {
					return 0, true, nil
				}
				if a == lo {
					return 0, false, outOfRange(t, op, a, b)
				}
				return -a, true, nil
			case op == "/":
				return a / b, true, nil
			}
			return a % b, true, nil
		})
	}
	compute := arithmetic[op]
	return try2(func(_ *Context, a, b int64) (int64, bool, error) {
		r, ok := compute(a, b)
		if !ok || r < lo || r > hi {
			return 0, false, outOfRange(t, op, a, b)
		}
		return r, true, nil
	})
}

func outOfRange(t *column.Type, op string, a, b int64) error {
	return fault(sqlerr.NumericOutOfRange, "%s overflow: %d %s %d", t, a, op, b)
}

func doubleKernel(op string, single bool) kernel {
	round := func(f float64) float64 { return f }
	if single {
		round = func(f float64) float64 { return float64(float32(f)) }
	}
	switch op {
	case "+":
		if !single {
			return map2(func(a, b float64) float64 { return a + b })
		}
		return map2(func(a, b float64) float64 { return round(a + b) })
	case "-":
		return map2(func(a, b float64) float64 { return round(a - b) })
	case "*":
		return map2(func(a, b float64) float64 { return round(a * b) })
	case "/":
		return map2(func(a, b float64) float64 { return round(a / b) })
	}
	return map2(func(a, b float64) float64 { return round(math.Mod(a, b)) })
}

// decimalKernel computes with integers and decimals as they are, and gives the
// precision and scale of the result by Trino's rules.
func decimalKernel(op string, a, b *column.Type) (*column.Type, kernel, error) {
	pa, sa := decimalShape(a)
	pb, sb := decimalShape(b)
	var t *column.Type
	scale := max(sa, sb)
	switch op {
	case "+", "-":
		t = cappedDecimal(max(pa-sa, pb-sb)+scale+1, scale)
	case "*":
		if sa+sb > maxDecimalDigits {
			return nil, nil, sqlerr.New(sqlerr.DatatypeMismatch, sqlerr.Pos{},
				"the product of %s and %s would have %d digits behind the point, more than %d", a, b, sa+sb, maxDecimalDigits).
				WithHint("CAST one of the two to a decimal of a smaller scale, or to double")
		}
		t = cappedDecimal(pa+pb, sa+sb)
	case "/":
		t = cappedDecimal(pa+sb+max(0, sb-sa), scale)
	default:
		t = cappedDecimal(min(pa-sa, pb-sb)+scale, scale)
	}
	if a.Payload() == column.PayloadStr || b.Payload() == column.PayloadStr || t.Payload() == column.PayloadStr {
		return t, wideDecimalKernel(op, sa, sb, t), nil
	}
	// The precisions are such that the results of + - * fit.
	fa, fb := powersOfTen[scale-sa], powersOfTen[scale-sb]
	switch op {
	case "+":
		return t, map2(func(x, y int64) int64 { return x*fa + y*fb }), nil
	case "-":
		return t, map2(func(x, y int64) int64 { return x*fa - y*fb }), nil
	case "*":
		return t, map2(func(x, y int64) int64 { return x * y }), nil
	case "/":
		up := powersOfTen[scale+sb-sa]
		return t, try2(func(_ *Context, x, y int64) (int64, bool, error) {
			if y == 0 {
				return 0, false, divisionByZero()
			}
			num := mul128(x, up)
			if y < 0 {
				num = num.neg()
			}
			q, ok := num.divRound(int64(magnitude(y)))
			if !ok || magnitude(q) >= uint64(powersOfTen[t.Precision]) {
				return 0, false, decimalTooBig(t)
			}
			return q, true, nil
		}), nil
	}
	return t, try2(func(_ *Context, x, y int64) (int64, bool, error) {
		if y == 0 {
			return 0, false, divisionByZero()
		}
		// Both fit 128 bits at the common scale; mostly also 64.
		p, q := mul128(x, fa), mul128(y, fb)
		if p64, ok := p.int64(); ok {
			if q64, ok := q.int64(); ok && q64 != -1 {
				return p64 % q64, true, nil
			}
		}
		_, r := p.magnitude().div(q.magnitude())
		rest, _ := r.signed(p.hi < 0)
		return int64(rest.lo), true, nil
	}), nil
}

// bindArithmetic binds + - * / %.
func bindArithmetic(doc *Doc, given []*column.Type) (*Bound, error) {
	op := doc.Name
	if len(given) != 2 {
		return nil, mismatch(doc, given)
	}
	a, b := given[0], given[1]
	if a.Kind == column.Unknown {
		a = b
	}
	if b.Kind == column.Unknown {
		b = a
		switch a.Kind { // NULL beside a time is an interval
		case column.Date, column.Timestamp, column.TimestampTZ, column.Time:
			b = column.IntervalDayType
		}
	}
	if a.Kind == column.Unknown {
		a, b = column.BigIntType, column.BigIntType
	}
	if !a.IsNumeric() || !b.IsNumeric() {
		return bindTimeArithmetic(doc, a, b, given)
	}
	t := CommonType(a, b)
	to := []*column.Type{t, t}
	var k kernel
	switch {
	case t.IsInteger():
		k = integerKernel(op, t)
	case t.Kind == column.Decimal:
		to = []*column.Type{a, b}
		var err error
		if t, k, err = decimalKernel(op, a, b); err != nil {
			return nil, err
		}
	default:
		k = doubleKernel(op, t.Kind == column.Real)
	}
	return &Bound{Args: to, Result: t, Eval: guard(k, t, false, false)}, nil
}

// shift moves times by a number of microseconds or months.
func shift(sign int64, months bool) kernel {
	return func(_ *Context, t *column.Type, args []*column.Vector, n int) (*column.Vector, error) {
		times, by := args[0], args[1]
		if k := times.Type.Kind; k == column.IntervalDay || k == column.IntervalMonth {
			times, by = by, times
		}
		out := column.New(t, n)
		skip := unionNulls(args)
		for i := range n {
			if skip.Get(i) {
				continue
			}
			x, d := intAt(times, i), sign*intAt(by, i)
			var ok bool
			switch {
			case d == math.MinInt64: // which has no negative
			case t.Kind == column.Date && months:
				x, ok = addMonthsChecked(x*microsPerDay, d)
				x = floorDiv(x, microsPerDay)
			case t.Kind == column.Date:
				if d%microsPerDay != 0 {
					return nil, fault(sqlerr.InvalidArgument, "only whole days can be added to a date")
				}
				x, ok = addInt(x, d/microsPerDay)
			case t.Kind == column.TimestampTZ && months:
				zone := zoneAt(times, i)
				x, ok = addMonthsChecked(toLocal(x, zone), d)
				x = toUTC(x, zone)
			case t.Kind == column.Time:
				x, ok = floorMod(x+d%microsPerDay, microsPerDay), true
			case months:
				x, ok = addMonthsChecked(x, d)
			default:
				x, ok = addInt(x, d)
			}
			if !ok {
				return nil, overflow(t, "the time is out of range")
			}
			out.I64[i] = x
			if out.Zone != nil {
				out.Zone[i] = zoneAt(times, i)
			}
		}
		return out, nil
	}
}

// maxShiftMonths bounds month arithmetic to the years there are.
const maxShiftMonths = (maxYear - minYear) * 12

func addMonthsChecked(micros, months int64) (int64, bool) {
	if months > maxShiftMonths || months < -maxShiftMonths {
		return 0, false
	}
	days, clock := splitDay(micros)
	days = addMonths(days, months)
	if y, _, _ := civil(days); y < minYear || y > maxYear {
		return 0, false
	}
	return days*microsPerDay + clock, true
}

func bindTimeArithmetic(doc *Doc, a, b *column.Type, given []*column.Type) (*Bound, error) {
	op := doc.Name
	interval := func(t *column.Type) bool { return t.Kind == column.IntervalDay || t.Kind == column.IntervalMonth }
	moment := func(t *column.Type) bool {
		return t.Kind == column.Date || t.Kind == column.Timestamp || t.Kind == column.TimestampTZ ||
			t.Kind == column.Time
	}
	bound := func(x, y, result *column.Type, k kernel) (*Bound, error) {
		return &Bound{Args: []*column.Type{x, y}, Result: result, Eval: guard(k, result, false, false)}, nil
	}
	sign := int64(1)
	if op == "-" {
		sign = -1
	}
	plusMinus := op == "+" || op == "-"
	switch {
	case plusMinus && moment(a) && interval(b) && !(a.Kind == column.Time && b.Kind == column.IntervalMonth):
		return bound(a, b, a, shift(sign, b.Kind == column.IntervalMonth))
	case op == "+" && interval(a) && moment(b) && !(b.Kind == column.Time && a.Kind == column.IntervalMonth):
		return bound(a, b, b, shift(1, a.Kind == column.IntervalMonth))
	case plusMinus && interval(a) && a.Equal(b):
		return bound(a, b, a, integerKernel(op, column.BigIntType))
	case op == "-" && moment(a) && moment(b):
		t := CommonType(a, b)
		if t == nil {
			break
		}
		unit := int64(1)
		if t.Kind == column.Date {
			unit = microsPerDay
		}
		return bound(t, t, column.IntervalDayType, try2(func(_ *Context, x, y int64) (int64, bool, error) {
			d, ok := subInt(x, y)
			if d, ok2 := mulInt(d, unit); ok && ok2 {
				return d, true, nil
			}
			return 0, false, overflow(column.IntervalDayType, "the difference is out of range")
		}))
	case op == "*" && interval(a) && b.IsNumeric():
		return bound(a, column.DoubleType, a, scaleInterval(a, func(x, f float64) float64 { return x * f }))
	case op == "*" && a.IsNumeric() && interval(b):
		k := scaleInterval(b, func(x, f float64) float64 { return x * f })
		return bound(column.DoubleType, b, b, func(c *Context, t *column.Type, args []*column.Vector, n int) (*column.Vector, error) {
			return k(c, t, []*column.Vector{args[1], args[0]}, n)
		})
	case op == "/" && interval(a) && b.IsNumeric():
		return bound(a, column.DoubleType, a, scaleInterval(a, func(x, f float64) float64 { return x / f }))
	}
	return nil, mismatch(doc, given)
}

func scaleInterval(t *column.Type, f func(x, by float64) float64) kernel {
	return try2(func(_ *Context, x int64, by float64) (int64, bool, error) {
		r := f(float64(x), by)
		if math.IsInf(r, 0) && by == 0 {
			return 0, false, divisionByZero()
		}
		v, ok := doubleToInteger(math.Trunc(r), column.BigIntType)
		if !ok {
			return 0, false, overflow(t, "the interval is out of range")
		}
		return v, true, nil
	})
}

func bindNegate(doc *Doc, given []*column.Type) (*Bound, error) {
	if len(given) != 1 {
		return nil, mismatch(doc, given)
	}
	t := given[0]
	if t.Kind == column.Unknown {
		t = column.BigIntType
	}
	var k kernel
	switch {
	case t.IsInteger() || t.Kind == column.IntervalDay || t.Kind == column.IntervalMonth:
		lo, _ := integerRange(t)
		k = try1(func(_ *Context, x int64) (int64, bool, error) {
			if x == lo {
				return 0, false, overflow(t, "the smallest value has no negative")
			}
			return -x, true, nil
		})
	case t.Kind == column.Decimal:
		k = map1(func(x int64) int64 { return -x })
		if t.Payload() == column.PayloadStr {
			k = wide1(func(x int128) (int128, error) { return x.neg(), nil })
		}
	case t.Kind == column.Double || t.Kind == column.Real:
		k = map1(func(x float64) float64 { return -x })
	default:
		return nil, mismatch(doc, given)
	}
	return &Bound{Args: []*column.Type{t}, Result: t, Eval: guard(k, t, false, false)}, nil
}

// pick returns the values of v at the given positions, NULL for -1. The result
// is flat.
func pick(v *column.Vector, positions []int32) *column.Vector {
	if v.Len == 0 {
		return column.Flatten(column.NullConst(v.Type, len(positions)))
	}
	var missing column.Bits
	for i, p := range positions {
		if p < 0 {
			if missing == nil {
				missing = column.NewBits(len(positions))
			}
			missing.Set(i)
			positions[i] = 0
		}
	}
	return withNulls(column.Flatten(column.Gather(v, positions)), missing)
}

// mapAt finds keys in maps. strict makes a missing key an error.
func mapAt(strict bool) kernel {
	return func(_ *Context, t *column.Type, args []*column.Vector, n int) (*column.Vector, error) {
		m, key := args[0], args[1]
		keys, values := m.Children[0], m.Children[1]
		found := keyFinder(keys, key)
		positions := make([]int32, n)
		for i := range positions {
			positions[i] = -1
			if m.IsNull(i) || key.IsNull(i) {
				continue
			}
			from, to := span(m, i)
			p := found(i, from, to)
			if p < 0 && strict {
				return nil, sqlerr.New(sqlerr.InvalidArgument, sqlerr.Pos{}, "the map has no key %s", shown(Format(key, i))).
					WithHint("element_at gives NULL for a missing key")
			}
			positions[i] = int32(p)
		}
		return pick(values, positions), nil
	}
}

// keyFinder returns a function that finds the key of row i among the entries
// [from, to) of keys, or gives -1.
func keyFinder(keys, key *column.Vector) func(i, from, to int) int {
	if key.Const && keys.Dict != nil {
		// The dictionary tells once which codes mean the key.
		wanted := make(map[uint32]bool, 1)
		for c := range keys.Dict.Len {
			if !keys.Dict.IsNull(c) && EqualAt(keys.Dict, c, key, 0) {
				wanted[uint32(c)] = true
			}
		}
		return func(_, from, to int) int {
			if len(wanted) > 0 {
				for e := from; e < to; e++ {
					if wanted[keys.Codes[e]] {
						return e
					}
				}
			}
			return -1
		}
	}
	if keys.Type.Payload() == column.PayloadStr && !keys.Const && keys.Dict == nil {
		return func(i, from, to int) int {
			k := strAt(key, i)
			for e := from; e < to; e++ {
				if keys.Str[e] == k {
					return e
				}
			}
			return -1
		}
	}
	return func(i, from, to int) int {
		for e := from; e < to; e++ {
			if EqualAt(keys, e, key, i) {
				return e
			}
		}
		return -1
	}
}

// arrayAt takes elements by position, from 1. strict makes positions outside
// the array errors.
func arrayAt(strict bool) kernel {
	return func(_ *Context, t *column.Type, args []*column.Vector, n int) (*column.Vector, error) {
		a, index := args[0], args[1]
		positions := make([]int32, n)
		for i := range positions {
			positions[i] = -1
			if a.IsNull(i) || index.IsNull(i) {
				continue
			}
			from, to := span(a, i)
			k := intAt(index, i)
			switch size := int64(to - from); {
			case k == 0:
				return nil, fault(sqlerr.ArraySubscript, "array positions begin at 1, not 0")
			case k > 0 && k <= size:
				positions[i] = int32(from + int(k) - 1)
			case k < 0 && k >= -size && !strict:
				positions[i] = int32(to + int(k))
			case strict && k < 0:
				return nil, sqlerr.New(sqlerr.ArraySubscript, sqlerr.Pos{}, "the array position %d is negative", k).
					WithHint("element_at counts negative positions from the end")
			case strict:
				return nil, sqlerr.New(sqlerr.ArraySubscript, sqlerr.Pos{}, "the array has %d elements, no element %d", size, k).
					WithHint("element_at gives NULL past the end")
			}
		}
		return pick(a.Children[0], positions), nil
	}
}

func addOperators(l *library) {
	family := "operator"
	examples := map[string][2]string{
		"=": {"'a' = 'a'", "true"}, "<>": {"1 <> 1.0", "false"}, "<": {"1 < 2", "true"},
		"<=": {"'b' <= 'a'", "false"}, ">": {"2 > 1.5", "true"}, ">=": {"1 >= 1", "true"},
	}
	meaning := map[string]string{
		"=": "is equal to", "<>": "is not equal to", "<": "is less than", "<=": "is less than or equal to",
		">": "is greater than", ">=": "is greater than or equal to",
	}
	for _, c := range comparisons {
		s := &Scalar{Doc: Doc{Name: c.symbol, Family: family, Signature: "x " + c.symbol + " y → boolean",
			Summary: "Tells whether x " + meaning[c.symbol] + " y.", Example: examples[c.symbol][0], Result: examples[c.symbol][1]}}
		if c.symbol == "<>" {
			s.Aliases = []string{"!="}
		}
		s.Bind = c.bind
		l.addScalar(s)
	}
	l.scalar(Doc{Name: "is distinct from", Family: family, Signature: "x is distinct from y → boolean",
		Summary: "Tells whether two values differ, where NULL is equal to NULL."},
		over("T, T", "boolean", distinctFrom).nulls())
	for _, d := range []Doc{
		{Name: "+", Signature: "x + y", Summary: "Adds numbers, or an interval to a time.", Example: "1 + 2.5", Result: "3.5"},
		{Name: "-", Signature: "x - y", Summary: "Subtracts numbers, times, or an interval from a time.", Example: "1 - 2", Result: "-1"},
		{Name: "*", Signature: "x * y", Summary: "Multiplies.", Example: "1.5 * 3", Result: "4.5"},
		{Name: "/", Signature: "x / y", Summary: "Divides; integers give an integer, cut towards zero.", Example: "7 / 2", Result: "3"},
		{Name: "%", Signature: "x % y", Summary: "Gives the rest of a division, with the sign of x.", Example: "-7 % 2", Result: "-1"},
	} {
		d.Family = family
		s := &Scalar{Doc: d}
		s.Bind = func(given []*column.Type) (*Bound, error) { return bindArithmetic(&s.Doc, given) }
		l.addScalar(s)
	}
	neg := &Scalar{Doc: Doc{Name: "negate", Family: family, Signature: "-x", Summary: "Changes the sign.", Example: "-(1)", Result: "-1"}}
	neg.Bind = func(given []*column.Type) (*Bound, error) { return bindNegate(&neg.Doc, given) }
	l.addScalar(neg)
	l.scalar(Doc{Name: "not", Family: family, Signature: "not x → boolean", Summary: "Turns true to false and false to true."},
		over("boolean", "boolean", map1(func(x int64) int64 { return x ^ 1 })))
	l.scalar(Doc{Name: "subscript", Family: family, Signature: "array[position], map[key]",
		Summary: "Takes an element; an error when there is none.", Example: "array['a', 'b'][2]", Result: "b"},
		over("array(T), bigint", "T", arrayAt(true)), over("map(K,V), K", "V", mapAt(true)))
	l.scalar(Doc{Name: "element_at", Family: "array", Signature: "element_at(array, position), element_at(map, key)",
		Summary: "Takes an element, NULL when there is none; negative positions count from the end.",
		Example: "element_at(array['a', 'b'], -1)", Result: "b"},
		over("array(T), bigint", "T", arrayAt(false)), over("map(K,V), K", "V", mapAt(false)))
	l.scalar(Doc{Name: "||", Family: family, Signature: "x || y", Summary: "Joins strings, bytes or arrays, or an array and an element.",
		Example: "'a' || 'b'", Result: "ab"}, concatOverloads()...)
}
