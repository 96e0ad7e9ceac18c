package fn

import (
	"crypto/rand"
	"math"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/cairndb/cairn/segment/column"
	"github.com/cairndb/cairn/sql/sqlerr"
)

// bindExtreme binds greatest (sign 1) and least (sign -1).
func bindExtreme(name string, sign int) func(args []*column.Type) (*column.Type, kernel, error) {
	return func(args []*column.Type) (*column.Type, kernel, error) {
		if !CanOrder(args[0]) {
			return nil, nil, fault(sqlerr.DatatypeMismatch, "%s: values of type %s have no order", name, args[0])
		}
		return nil, func(_ *Context, t *column.Type, args []*column.Vector, n int) (*column.Vector, error) {
			out := newBuilder(t, n)
			skip := unionNulls(args)
			for i := range n {
				if skip.Get(i) {
					pushNull(out)
					continue
				}
				best := args[0]
				for _, a := range args[1:] {
					if isNaNAt(best, i) || !isNaNAt(a, i) && sign*Compare(a, i, best, i) > 0 {
						best = a
					}
				}
				push(out, best, i)
			}
			return out, nil
		}, nil
	}
}

func isNaNAt(v *column.Vector, i int) bool {
	if v.Type.Payload() != column.PayloadF64 {
		return false
	}
	leaf, j := v.Leaf(i)
	return leaf.F64[j] != leaf.F64[j]
}

// formatJava writes arguments as Java's String.format does: %s, %d, %x, %f, %e,
// %c, %b and the parts of times (%tY) with flags, width and precision, %n and %%.
func formatJava(pattern string, args []*column.Vector, row int) (string, error) {
	var out []byte
	next, last := 0, -1
	bad := func(what string) error {
		return fault(sqlerr.InvalidArgument, "the format %s %s", shown(pattern), what)
	}
	for i := 0; i < len(pattern); i++ {
		if pattern[i] != '%' {
			out = append(out, pattern[i])
			continue
		}
		spec := formatSpec{precision: -1}
		rest := pattern[i+1:]
		if v, n := digits(rest, 3); n > 0 && n < len(rest) && rest[n] == '$' {
			spec.index = int(v)
			rest = rest[n+1:]
		}
		for rest != "" && strings.IndexByte("-+ 0,(#<", rest[0]) >= 0 {
			spec.flags += rest[:1]
			rest = rest[1:]
		}
		v, n := digits(rest, 4)
		spec.width, rest = int(v), rest[n:]
		if strings.HasPrefix(rest, ".") {
			v, n := digits(rest[1:], 4)
			if n == 0 {
				return "", bad("has a precision without digits")
			}
			spec.precision, rest = int(v), rest[1+n:]
		}
		if rest == "" {
			return "", bad("ends inside a %")
		}
		spec.verb = rest[0]
		if spec.verb|0x20 == 't' {
			if rest = rest[1:]; rest == "" {
				return "", bad("ends inside a %")
			}
			spec.part = rest[0]
		}
		i = len(pattern) - len(rest)
		switch spec.verb {
		case '%':
			out = append(out, spec.pad("%")...)
			continue
		case 'n':
			out = append(out, '\n')
			continue
		}
		at := spec.index - 1
		switch {
		case spec.has('<'): // the same argument again
			at = last
		case spec.index == 0:
			at = next
			next++
		}
		last = at
		if at < 0 || at >= len(args) {
			return "", bad("needs more arguments")
		}
		text, err := spec.value(args[at], row)
		if err != nil {
			return "", err
		}
		out = append(out, text...)
	}
	return string(out), nil
}

type formatSpec struct {
	index, width, precision int
	flags                   string
	verb                    byte
	part                    byte // of a time, behind %t
}

func (f formatSpec) has(flag byte) bool { return strings.IndexByte(f.flags, flag) >= 0 }

// pad brings text to the width.
func (f formatSpec) pad(text string) string {
	missing := 0
	if f.width > 0 {
		missing = f.width - utf8.RuneCountInString(text)
	}
	switch {
	case missing <= 0:
		return text
	case f.has('-'):
		return text + strings.Repeat(" ", missing)
	}
	return strings.Repeat(" ", missing) + text
}

// number finishes the digits of a number: sign, grouping, zeros.
func (f formatSpec) number(digits string, negative bool) string {
	whole, frac, point := strings.Cut(digits, ".")
	if f.has(',') {
		for i := len(whole) - 3; i > 0; i -= 3 {
			whole = whole[:i] + "," + whole[i:]
		}
	}
	if point {
		whole += "." + frac
	}
	sign, end := "", ""
	switch {
	case negative && f.has('('):
		sign, end = "(", ")"
	case negative:
		sign = "-"
	case f.has('+'):
		sign = "+"
	case f.has(' '):
		sign = " "
	}
	if f.has('0') {
		if missing := f.width - len(whole) - len(sign) - len(end); missing > 0 {
			whole = strings.Repeat("0", missing) + whole
		}
	}
	return f.pad(sign + whole + end)
}

func (f formatSpec) value(v *column.Vector, row int) (string, error) {
	if f.verb == 'I' || f.verb == 'L' {
		return f.quoted(v, row)
	}
	upper := f.verb >= 'A' && f.verb <= 'Z'
	wrong := func() (string, error) {
		return "", fault(sqlerr.InvalidArgument, "%%%c of a format does not take %s", f.verb, v.Type)
	}
	cased := func(s string) string {
		if upper {
			return strings.ToUpper(s)
		}
		return s
	}
	if v.IsNull(row) {
		if f.verb == 'b' || f.verb == 'B' {
			return f.pad(cased("false")), nil
		}
		return f.pad(cased("null")), nil
	}
	leaf, i := v.Leaf(row)
	switch f.verb | 0x20 {
	case 't':
		text, err := f.time(leaf, i)
		return f.pad(cased(text)), err
	case 's':
		text := Format(leaf, i)
		if r := []rune(text); f.precision >= 0 && len(r) > f.precision {
			text = string(r[:f.precision])
		}
		return f.pad(cased(text)), nil
	case 'b':
		return f.pad(cased(strconv.FormatBool(leaf.Type.Kind != column.Boolean || leaf.I64[i] != 0))), nil
	case 'd', 'x', 'o':
		if !leaf.Type.IsInteger() {
			return wrong()
		}
		x := leaf.I64[i]
		switch f.verb | 0x20 {
		case 'x':
			return f.number(cased(strconv.FormatUint(f.twosComplement(leaf.Type, x), 16)), false), nil
		case 'o':
			return f.number(strconv.FormatUint(f.twosComplement(leaf.Type, x), 8), false), nil
		}
		return f.number(strconv.FormatUint(magnitude(x), 10), x < 0), nil
	case 'c':
		if leaf.Type.Kind == column.Varchar {
			return f.pad(leaf.Str[i]), nil
		}
		if !leaf.Type.IsInteger() {
			return wrong()
		}
		return f.pad(string(rune(leaf.I64[i]))), nil
	case 'f', 'e', 'g':
		var x float64
		switch {
		case leaf.Type.Payload() == column.PayloadF64:
			x = leaf.F64[i]
		case leaf.Type.Kind == column.Decimal:
			x = wideToDouble(decimalAt(leaf, i), leaf.Type.Scale)
		default:
			return wrong()
		}
		if x != x || math.IsInf(x, 0) {
			return f.pad(string(appendScientific(nil, x, 64))), nil
		}
		precision := f.precision
		if precision < 0 {
			precision = 6
		}
		digits := strconv.FormatFloat(math.Abs(x), f.verb|0x20, min(precision, 300), 64)
		return f.number(cased(digits), math.Signbit(x)), nil
	}
	return "", fault(sqlerr.InvalidArgument, "%%%c in a format has no meaning", f.verb)
}

// quoted is a value as %I and %L of Postgres' format have it: as the name of something, or as
// a literal.
func (f formatSpec) quoted(v *column.Vector, row int) (string, error) {
	if v.IsNull(row) {
		if f.verb == 'I' {
			return "", fault(sqlerr.InvalidArgument, "NULL cannot be the name of anything in a format")
		}
		return f.pad("NULL"), nil
	}
	leaf, i := v.Leaf(row)
	if f.verb == 'I' {
		return f.pad(QuoteIdent(Format(leaf, i))), nil
	}
	return f.pad(quoteLiteral(Format(leaf, i))), nil
}

func (f formatSpec) twosComplement(t *column.Type, x int64) uint64 {
	switch t.Kind {
	case column.TinyInt:
		return uint64(uint8(x))
	case column.SmallInt:
		return uint64(uint16(x))
	case column.Integer:
		return uint64(uint32(x))
	}
	return uint64(x)
}

// formatNumber writes a number with three digits and a letter for its size.
func formatNumber(x float64) string {
	if x != x || math.IsInf(x, 0) {
		return string(appendScientific(nil, x, 64))
	}
	unit, letters := math.Abs(x), ""
	for _, l := range []string{"K", "M", "B", "T", "Q"} {
		if unit < 1000 {
			break
		}
		unit, letters = unit/1000, l
	}
	decimals := 2
	switch {
	case letters == "" && unit == math.Trunc(unit):
		decimals = 0
	case unit >= 100:
		decimals = 0
	case unit >= 10:
		decimals = 1
	}
	text := strconv.FormatFloat(unit, 'f', decimals, 64)
	if strings.Contains(text, ".") {
		text = strings.TrimRight(strings.TrimRight(text, "0"), ".")
	}
	if x < 0 {
		text = "-" + text
	}
	return text + letters
}

var dataSizes = map[string]uint{"B": 0, "kB": 1, "MB": 2, "GB": 3, "TB": 4, "PB": 5, "EB": 6, "ZB": 7, "YB": 8}

// parseDataSize gives the bytes of a size such as 2.5MB as a decimal(38,0).
func parseDataSize(_ *Context, t *column.Type, args []*column.Vector, n int) (*column.Vector, error) {
	out, skip := newDecimals(t, n), unionNulls(args)
	for i := range n {
		if skip.Get(i) {
			continue
		}
		text := strings.TrimSpace(strAt(args[0], i))
		end := strings.LastIndexAny(text, "0123456789. ") + 1
		power, known := dataSizes[text[end:]]
		x, ok := parseDecimal128(strings.TrimSpace(text[:end]), column.DecimalOf(maxDecimalDigits, dataSizeScale))
		if !known || !ok || x.hi < 0 {
			return nil, fault(sqlerr.InvalidText, "%s is not a size such as 2.5MB", shown(text))
		}
		bytes := x.magnitude().big()
		u, ok := fromBig(bytes.Quo(bytes.Lsh(bytes, 10*power), powersOfTen128[dataSizeScale].big()))
		if !ok || !u.less(powersOfTen128[t.Precision]) {
			return nil, overflow(t, "the size is out of range")
		}
		x, _ = u.signed(false)
		out.put(i, x)
	}
	return out.v, nil
}

// dataSizeScale is how many digits behind the point of a size count.
const dataSizeScale = 10

func addConversions(l *library) {
	family := "conditional and conversion"
	for _, f := range []struct {
		name, which, example, result string
		sign                         int
	}{{"greatest", "largest", "greatest(1, 3, 2)", "3", 1}, {"least", "smallest", "least('b', 'a')", "a", -1}} {
		l.scalar(Doc{Name: f.name, Family: family, Signature: f.name + "(x, y, ...)", Summary: "Gives the " + f.which + " of its arguments; NULL when one is NULL.",
			Example: f.example, Result: f.result}, overBind("T...", "T", bindExtreme(f.name, f.sign)))
	}
	l.scalar(Doc{Name: "typeof", Family: family, Signature: "typeof(x) → varchar", Summary: "Gives the name of the type.", Example: "typeof(array[1, 2])", Result: "array(integer)"},
		overBind("any", "varchar", func(args []*column.Type) (*column.Type, kernel, error) {
			name := args[0].String()
			return nil, now(func(_ *Context, out *column.Vector) { out.Str[0] = name }), nil
		}).nulls())
	l.scalar(Doc{Name: "format", Family: family, Signature: "format(format, x, ...) → varchar", Summary: "Writes values by a format as in Java: %s, %d, %5.2f, %,d, %x, and the parts of times: %tY, %1$tB ….",
		Example: "format('%s has %,d events, %.1f%%', 'iam', 12345, 7.25)", Result: "iam has 12,345 events, 7.2%"},
		over("varchar, any...", "varchar", formatKernelJava).nulls(), over("varchar", "varchar", formatKernelJava).nulls())
	l.scalar(Doc{Name: "format_number", Family: family, Signature: "format_number(x) → varchar", Summary: "Writes a number shortly, with a letter for thousands, millions ….",
		Example: "format_number(1234567)", Result: "1.23M"}, over("double", "varchar", map1(formatNumber)))
	l.scalar(Doc{Name: "parse_data_size", Family: family, Signature: "parse_data_size(string) → decimal(38,0)", Summary: "Reads a size in B, kB, MB, GB, TB, PB, EB, ZB or YB (powers of 1024).",
		Example: "parse_data_size('2.5kB')", Result: "2560"}, overBind("varchar", "", func([]*column.Type) (*column.Type, kernel, error) {
		return column.DecimalOf(maxDecimalDigits, 0), parseDataSize, nil
	}))
	random := over("", "uuid", func(c *Context, t *column.Type, _ []*column.Vector, n int) (*column.Vector, error) {
		v, out := made[string](t, n)
		for i := range out {
			var raw [16]byte
			if c.Rand != nil {
				for k := range raw {
					raw[k] = byte(c.Rand() * 256)
				}
			} else {
				rand.Read(raw[:]) // cannot fail
			}
			raw[6], raw[8] = raw[6]&0x0f|0x40, raw[8]&0x3f|0x80
			out[i] = string(raw[:])
		}
		return v, nil
	}).varying()
	l.scalar(Doc{Name: "uuid", Family: family, Signature: "uuid() → uuid", Summary: "Gives a random UUID."}, random)
	l.pg("gen_random_uuid", random)
}

var formatKernelJava kernel = func(_ *Context, t *column.Type, args []*column.Vector, n int) (*column.Vector, error) {
	v, out := made[string](t, n)
	for i := range out {
		if args[0].IsNull(i) {
			v.SetNull(i)
			continue
		}
		text, err := formatJava(strAt(args[0], i), args[1:], i)
		if err != nil {
			return nil, err
		}
		out[i] = text
	}
	return v, nil
}
