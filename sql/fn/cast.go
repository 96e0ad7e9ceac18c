package fn

import (
	"encoding/hex"
	"errors"
	"math"
	"net/netip"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/cairndb/cairn/segment/column"
	"github.com/cairndb/cairn/sql/sqlerr"
)

// caster converts n values. v is flat. It reports values that cannot be
// converted to f and leaves anything in their place.
type caster func(c *Context, v *column.Vector, n int, f *failures) (*column.Vector, error)

// failures decides what a value that cannot be converted means: for CAST the
// end, for TRY_CAST a NULL in its row.
type failures struct {
	try  bool
	rows column.Bits
}

func (f *failures) at(i, n int, err error) error {
	if !f.try {
		return hinted(err)
	}
	if f.rows == nil {
		f.rows = column.NewBits(n)
	}
	f.rows.Set(i)
	return nil
}

// hinted adds to the error of a value that cannot be converted what does not fail.
func hinted(err error) error {
	var e *sqlerr.Error
	if !errors.As(err, &e) || !strings.HasPrefix(e.Code, "22") {
		return err
	}
	const hint = "TRY_CAST gives NULL for a value that cannot be converted"
	if e.Hint != "" {
		return e.WithHint("%s; %s", e.Hint, hint)
	}
	return e.WithHint(hint)
}

// Cast returns the conversion of a value from one type to another, as CAST does
// it; a value that cannot be converted is an error. The error of Cast itself
// says that there is no such conversion.
func Cast(from, to *column.Type) (*Bound, error) { return bindCast(from, to, false) }

// TryCast is like [Cast] with NULL for values that cannot be converted.
func TryCast(from, to *column.Type) (*Bound, error) { return bindCast(from, to, true) }

func bindCast(from, to *column.Type, try bool) (*Bound, error) {
	cast := castBetween(from, to)
	if cast == nil {
		e := sqlerr.New(sqlerr.DatatypeMismatch, sqlerr.Pos{}, "cannot cast %s to %s", from, to)
		switch {
		case from.Kind == column.Varbinary && to.Kind == column.Varchar:
			e.Hint = "from_utf8 or to_hex turn bytes into text"
		case (from.Payload() == column.PayloadNested) && to.Kind == column.Varchar:
			e.Hint = "json_format(CAST(… AS json)) gives the text of a structured value"
		}
		return nil, e
	}
	run := func(c *Context, _ *column.Type, args []*column.Vector, n int) (*column.Vector, error) {
		v := args[0]
		if v.Const || v.Dict != nil {
			v = column.Flatten(v.Slice(0, n))
		}
		f := &failures{try: try}
		out, err := cast(c, v, n, f)
		if err != nil || f.rows == nil {
			return out, err
		}
		return withNulls(out, f.rows), nil
	}
	return &Bound{Args: []*column.Type{from}, Result: to, Eval: guard(run, to, false, false)}, nil
}

// castEach converts value by value: false is NULL, an error a failure.
func castEach[A, R payload](to *column.Type, convert func(c *Context, a A) (R, bool, error)) caster {
	return func(c *Context, v *column.Vector, n int, f *failures) (*column.Vector, error) {
		in, _ := data[A](v)
		out, values := made[R](to, n)
		nulls := v.Nulls
		pace := pacer{c: c}
		for i := range values {
			if nulls != nil && nulls.Get(i) {
				continue
			}
			pace.tick(rowWork)
			r, ok, err := convert(c, in[i])
			if err != nil {
				if err = f.at(i, n, err); err != nil {
					return nil, err
				}
				continue
			}
			if !ok {
				out.SetNull(i)
				continue
			}
			values[i] = r
		}
		return withNulls(out, nulls), nil
	}
}

// castText converts through the text of the value.
func castText(to *column.Type, text func(dst []byte, v *column.Vector, i int) []byte) caster {
	return castPaced(to, func(_ *pacer, dst []byte, v *column.Vector, i int) []byte { return text(dst, v, i) })
}

// castPaced is castText for texts that may be long.
func castPaced(to *column.Type, text func(p *pacer, dst []byte, v *column.Vector, i int) []byte) caster {
	return func(c *Context, v *column.Vector, n int, _ *failures) (*column.Vector, error) {
		out, values := made[string](to, n)
		b := newTextBatch(n)
		pace := &pacer{c: c}
		for i := range values {
			if !v.Nulls.Get(i) {
				pace.tick(rowWork)
				b.buf = text(pace, b.buf, v, i)
			}
			b.end()
		}
		b.fill(values)
		return withNulls(out, v.Nulls), nil
	}
}

// retyped gives the same values another type.
func retyped(to *column.Type) caster {
	return func(_ *Context, v *column.Vector, _ int, _ *failures) (*column.Vector, error) {
		return withType(v, to), nil
	}
}

// withType returns the same values with another type, which has other precisions
// or other names of fields, at any depth.
func withType(v *column.Vector, to *column.Type) *column.Vector {
	out := *v
	out.Type = to
	if to.Kind != column.TimestampTZ {
		out.Zone = nil
	}
	if v.Dict != nil {
		out.Dict = withType(v.Dict, to)
	}
	var inside []*column.Type
	switch to.Kind {
	case column.Array:
		inside = []*column.Type{to.Elem}
	case column.Map:
		inside = []*column.Type{to.Key, to.Elem}
	case column.Row:
		for _, f := range to.Fields {
			inside = append(inside, f.Type)
		}
	}
	if len(v.Children) == len(inside) {
		out.Children = make([]*column.Vector, len(inside))
		for i, t := range inside {
			out.Children[i] = withType(v.Children[i], t)
		}
	}
	return &out
}

// castBetween returns the conversion, nil when there is none.
func castBetween(from, to *column.Type) caster {
	if from.Equal(to) {
		return retyped(to)
	}
	if from.Kind == column.Unknown {
		return func(_ *Context, _ *column.Vector, n int, _ *failures) (*column.Vector, error) {
			return column.Flatten(column.NullConst(to, n)), nil
		}
	}
	switch {
	case to.Kind == column.JSON:
		return castToJSON(from)
	case from.Kind == column.JSON:
		return castFromJSON(to)
	case from.Kind == column.Varchar:
		return castFromText(to)
	case to.Kind == column.Varchar:
		return castToText(from)
	case from.Payload() == column.PayloadNested || to.Payload() == column.PayloadNested:
		return castNested(from, to)
	case (from.IsNumeric() || from.Kind == column.Boolean) && (to.IsNumeric() || to.Kind == column.Boolean):
		return castNumber(from, to)
	case to.Kind == column.Varbinary && (from.Kind == column.UUID || from.Kind == column.IPAddress):
		return retyped(to)
	case from.Kind == column.Varbinary && to.Kind == column.UUID:
		return castEach(to, func(_ *Context, s string) (string, bool, error) {
			if len(s) != 16 {
				return "", false, fault(sqlerr.InvalidText, "a uuid has 16 bytes, not %d", len(s))
			}
			return s, true, nil
		})
	case from.Kind == column.Varbinary && to.Kind == column.IPAddress:
		return castEach(to, func(_ *Context, s string) (string, bool, error) {
			a, ok := netip.AddrFromSlice([]byte(s))
			if !ok {
				return "", false, fault(sqlerr.InvalidText, "an ipaddress has 4 or 16 bytes, not %d", len(s))
			}
			raw := a.As16()
			return string(raw[:]), true, nil
		})
	}
	return castTime(from, to)
}

// integerRange returns the smallest and largest value of an integer type.
func integerRange(t *column.Type) (lo, hi int64) {
	switch t.Kind {
	case column.TinyInt:
		return math.MinInt8, math.MaxInt8
	case column.SmallInt:
		return math.MinInt16, math.MaxInt16
	case column.Integer:
		return math.MinInt32, math.MaxInt32
	}
	return math.MinInt64, math.MaxInt64
}

// doubleToInteger rounds half away from zero.
func doubleToInteger(f float64, t *column.Type) (int64, bool) {
	r := math.Round(f)
	if !(r >= -(1<<63) && r < 1<<63) {
		return 0, false
	}
	x := int64(r)
	lo, hi := integerRange(t)
	return x, x >= lo && x <= hi
}

func castNumber(from, to *column.Type) caster {
	fail := func(text []byte) error {
		return fault(sqlerr.NumericOutOfRange, "cannot cast %s to %s: out of range", text, to)
	}
	failInt := func(x int64) error { return fail(strconv.AppendInt(nil, x, 10)) }
	failDouble := func(f float64) error { return fail(appendDouble(nil, f, 64)) }
	lo, hi := integerRange(to)
	switch {
	case from.Payload() == column.PayloadStr:
		return castFromWide(from, to)
	case to.Payload() == column.PayloadStr && from.Payload() == column.PayloadF64:
		return castToWide(to, func(f float64) string { return string(appendPlainDouble(nil, f)) }, failDouble)
	case to.Payload() == column.PayloadStr:
		_, scale := decimalShape(from)
		if from.Kind == column.Boolean {
			scale = 0
		}
		return castWide(to, func(x int128) (int128, error) {
			r, ok := rescale128(x, scale, to.Scale, to.Precision)
			if !ok {
				return r, fail(appendDecimal128(nil, x, scale))
			}
			return r, nil
		})
	case from.Kind == column.Boolean || from.IsInteger():
		switch {
		case to.Kind == column.Boolean:
			return castEach(to, func(_ *Context, x int64) (int64, bool, error) { return truth(x != 0), true, nil })
		case to.IsInteger():
			return castEach(to, func(_ *Context, x int64) (int64, bool, error) {
				if x < lo || x > hi {
					return 0, false, failInt(x)
				}
				return x, true, nil
			})
		case to.Kind == column.Decimal:
			return castEach(to, func(_ *Context, x int64) (int64, bool, error) {
				r, ok := rescale(x, 0, to.Scale, to.Precision)
				if !ok {
					return 0, false, failInt(x)
				}
				return r, true, nil
			})
		case to.Kind == column.Real:
			return castEach(to, func(_ *Context, x int64) (float64, bool, error) { return float64(float32(x)), true, nil })
		}
		return castEach(to, func(_ *Context, x int64) (float64, bool, error) { return float64(x), true, nil })
	case from.Kind == column.Decimal:
		failDecimal := func(x int64) error { return fail(appendDecimal(nil, x, from.Scale)) }
		switch {
		case to.Kind == column.Boolean:
			return castEach(to, func(_ *Context, x int64) (int64, bool, error) { return truth(x != 0), true, nil })
		case to.IsInteger():
			return castEach(to, func(_ *Context, x int64) (int64, bool, error) {
				r, _ := rescale(x, from.Scale, 0, column.DecimalDigitsShort)
				if r < lo || r > hi {
					return 0, false, failDecimal(x)
				}
				return r, true, nil
			})
		case to.Kind == column.Decimal:
			return castEach(to, func(_ *Context, x int64) (int64, bool, error) {
				r, ok := rescale(x, from.Scale, to.Scale, to.Precision)
				if !ok {
					return 0, false, failDecimal(x)
				}
				return r, true, nil
			})
		case to.Kind == column.Real:
			return castEach(to, func(_ *Context, x int64) (float64, bool, error) {
				return float64(float32(decimalToDouble(x, from.Scale))), true, nil
			})
		}
		return castEach(to, func(_ *Context, x int64) (float64, bool, error) { return decimalToDouble(x, from.Scale), true, nil })
	}
	switch {
	case to.Kind == column.Boolean:
		return castEach(to, func(_ *Context, f float64) (int64, bool, error) { return truth(f != 0), true, nil })
	case to.IsInteger():
		return castEach(to, func(_ *Context, f float64) (int64, bool, error) {
			x, ok := doubleToInteger(f, to)
			if !ok {
				return 0, false, failDouble(f)
			}
			return x, true, nil
		})
	case to.Kind == column.Decimal:
		return castEach(to, func(_ *Context, f float64) (int64, bool, error) {
			x, ok := doubleToDecimal(f, to)
			if !ok {
				return 0, false, failDouble(f)
			}
			return x, true, nil
		})
	case to.Kind == column.Real:
		return castEach(to, func(_ *Context, f float64) (float64, bool, error) { return float64(float32(f)), true, nil })
	}
	return castEach(to, func(_ *Context, f float64) (float64, bool, error) { return f, true, nil })
}

// castToText converts to varchar.
func castToText(from *column.Type) caster {
	switch from.Kind {
	case column.Array, column.Map, column.Row, column.Varbinary:
		return nil
	case column.Double:
		return castText(column.VarcharType, func(dst []byte, v *column.Vector, i int) []byte {
			return appendScientific(dst, v.F64[i], 64)
		})
	case column.Real:
		return castText(column.VarcharType, func(dst []byte, v *column.Vector, i int) []byte {
			return appendScientific(dst, v.F64[i], 32)
		})
	}
	return castText(column.VarcharType, appendScalarText)
}

// appendPlainDouble writes a finite number without an exponent.
func appendPlainDouble(dst []byte, f float64) []byte { return strconv.AppendFloat(dst, f, 'f', -1, 64) }

// parseDoubleText reads a number as CAST takes it.
func parseDoubleText(s string) (float64, bool) {
	s = strings.TrimSpace(s)
	switch s {
	case "NaN", "+NaN", "-NaN":
		return math.NaN(), true
	case "Infinity", "+Infinity":
		return math.Inf(1), true
	case "-Infinity":
		return math.Inf(-1), true
	}
	for i := range len(s) { // ParseFloat takes more: inf, hexadecimal, underscores
		switch c := s[i]; {
		case c >= '0' && c <= '9', c == '.', c == '-', c == '+', c == 'e', c == 'E':
		default:
			return 0, false
		}
	}
	if len(s) > longNumber {
		s = shortened(s)
	}
	f, err := strconv.ParseFloat(s, 64)
	if err != nil && !math.IsInf(f, 0) {
		return 0, false
	}
	return f, true
}

// longNumber is how long a number is, in bytes, that is shortened before it is read:
// strconv keeps 800 digits and takes those of a longer number without a point for all
// that there are. numberDigits are more than can decide which double is the nearest, 768.
const (
	longNumber   = 800
	numberDigits = 799
)

// shortened returns a short number with the nearest double of s, or s.
func shortened(s string) string {
	out := make([]byte, 0, numberDigits+32)
	i := 0
	if s[0] == '+' || s[0] == '-' {
		out, i = append(out, s[0]), 1
	}
	digits, exponent, known, point, more := 0, 0, false, false, false
	for ; i < len(s); i++ {
		c := s[i]
		if c == '.' && !point {
			point = true
			continue
		}
		if c < '0' || c > '9' {
			break
		}
		known = true
		switch {
		case digits == 0 && c == '0':
		case digits < numberDigits:
			out = append(out, c)
			digits++
		default:
			more = more || c != '0'
			exponent++
		}
		if point {
			exponent--
		}
	}
	if digits == 0 {
		out = append(out, '0')
	}
	if more {
		out = append(out, '1') // whatever follows, it is more than nothing
		exponent--
	}
	if i < len(s) {
		e, err := strconv.Atoi(s[i+1:])
		if err != nil || s[i] != 'e' && s[i] != 'E' {
			return s
		}
		exponent += e
	}
	if !known {
		return s
	}
	return string(strconv.AppendInt(append(out, 'e'), int64(exponent), 10))
}

func parseInteger(s string, t *column.Type) (int64, bool) {
	x, err := strconv.ParseInt(s, 10, 64)
	if err != nil {
		return 0, false
	}
	lo, hi := integerRange(t)
	return x, x >= lo && x <= hi
}

func parseBoolean(s string) (int64, bool) {
	switch strings.ToLower(s) {
	case "true", "t", "1":
		return 1, true
	case "false", "f", "0":
		return 0, true
	}
	return 0, false
}

// parseUUID reads the 36-character form.
func parseUUID(s string) (string, bool) {
	if len(s) != 36 || s[8] != '-' || s[13] != '-' || s[18] != '-' || s[23] != '-' {
		return "", false
	}
	var raw [16]byte
	packed := s[:8] + s[9:13] + s[14:18] + s[19:23] + s[24:]
	if _, err := hex.Decode(raw[:], []byte(packed)); err != nil {
		return "", false
	}
	return string(raw[:]), true
}

func parseAddress(s string) (string, bool) {
	raw, ok := addressBytes(s)
	return string(raw[:]), ok
}

// addressBytes reads an IPv4 or IPv6 address into the 16 bytes that stand for
// it. It is quick to see that a name is none: source addresses may be names of
// services.
func addressBytes(s string) (raw [16]byte, ok bool) {
	if s == "" || len(s) > 45 || s[0] != ':' && !isHexDigit(s[0]) {
		return raw, false
	}
	if v4, ok := dottedAddress(s); ok {
		raw[10], raw[11] = 0xff, 0xff
		copy(raw[12:], v4[:])
		return raw, true
	}
	if strings.IndexByte(s, ':') < 0 {
		return raw, false
	}
	a, err := netip.ParseAddr(s)
	if err != nil || a.Zone() != "" {
		return raw, false
	}
	return a.As16(), true
}

// dottedAddress reads four numbers of 0 to 255 without leading zeros.
func dottedAddress(s string) (b [4]byte, ok bool) {
	for part := range 4 {
		v, n := digits(s, 3)
		if n == 0 || v > 255 || n > 1 && s[0] == '0' {
			return b, false
		}
		b[part] = byte(v)
		if s = s[n:]; part == 3 {
			break
		}
		if s == "" || s[0] != '.' {
			return b, false
		}
		s = s[1:]
	}
	return b, s == ""
}

// castTextToAddress keeps the bytes of all addresses of a batch together.
func castTextToAddress(_ *Context, v *column.Vector, n int, f *failures) (*column.Vector, error) {
	out, values := made[string](column.IPAddressType, n)
	b := textBatch{buf: make([]byte, 0, 16*n), ends: make([]int, 0, n)}
	for i, s := range v.Str[:n] {
		if !v.Nulls.Get(i) {
			raw, ok := addressBytes(s)
			if ok {
				b.buf = append(b.buf, raw[:]...)
			} else {
				var err error
				if !f.try {
					err = invalidCast(s, column.IPAddressType)
				}
				if err = f.at(i, n, err); err != nil {
					return nil, err
				}
			}
		}
		b.end()
	}
	b.fill(values)
	return withNulls(out, v.Nulls), nil
}

func isHexDigit(c byte) bool {
	return c >= '0' && c <= '9' || c >= 'a' && c <= 'f' || c >= 'A' && c <= 'F'
}

// fromText converts text value by value.
func fromText[R payload](to *column.Type, parse func(s string) (R, bool)) caster {
	return func(c *Context, v *column.Vector, n int, f *failures) (*column.Vector, error) {
		out, values := made[R](to, n)
		nulls := v.Nulls
		pace := pacer{c: c}
		for i, s := range v.Str[:n] {
			if nulls != nil && nulls.Get(i) {
				continue
			}
			pace.tick(rowWork)
			r, ok := parse(s)
			if !ok {
				var err error
				if !f.try { // the message is not for nothing
					err = invalidCast(s, to)
				}
				if err = f.at(i, n, err); err != nil {
					return nil, err
				}
				continue
			}
			values[i] = r
		}
		return withNulls(out, nulls), nil
	}
}

func castFromText(to *column.Type) caster {
	switch to.Kind {
	case column.Boolean:
		return fromText(to, parseBoolean)
	case column.TinyInt, column.SmallInt, column.Integer, column.BigInt:
		return fromText(to, func(s string) (int64, bool) { return parseInteger(s, to) })
	case column.Double:
		return fromText(to, parseDoubleText)
	case column.Real:
		return fromText(to, func(s string) (float64, bool) {
			f, ok := parseDoubleText(s)
			return float64(float32(f)), ok
		})
	case column.Decimal:
		if to.Payload() == column.PayloadStr {
			return castToWide(to, strings.TrimSpace, func(s string) error { return invalidCast(s, to) })
		}
		return fromText(to, func(s string) (int64, bool) { return parseDecimal(strings.TrimSpace(s), to) })
	case column.Varbinary:
		return retyped(to)
	case column.UUID:
		return fromText(to, parseUUID)
	case column.IPAddress:
		return castTextToAddress
	case column.Date:
		return fromText(to, func(s string) (int64, bool) {
			days, rest, ok := parseDate(strings.TrimSpace(s))
			return days, ok && rest == ""
		})
	case column.Time:
		return fromText(to, func(s string) (int64, bool) {
			clock, rest, ok := parseClock(strings.TrimSpace(s))
			return roundMicros(clock, to.Precision) % microsPerDay, ok && rest == ""
		})
	case column.Timestamp:
		return fromText(to, func(s string) (int64, bool) {
			t, ok := parseSQLTime(s)
			return roundMicros(t.micros(), to.Precision), ok && t.zone == ""
		})
	case column.TimestampTZ:
		return castTextToZoned(to)
	case column.IntervalDay, column.IntervalMonth:
		return fromText(to, func(s string) (int64, bool) {
			unit, end := "day", "second"
			if to.Kind == column.IntervalMonth {
				unit, end = "year", "month"
			}
			_, v, err := ParseIntervalLiteral(s, unit, end)
			return v, err == nil
		})
	}
	return nil
}

func castTextToZoned(to *column.Type) caster {
	return func(c *Context, v *column.Vector, n int, f *failures) (*column.Vector, error) {
		out := column.New(to, n)
		for i := range n {
			if v.Nulls.Get(i) {
				continue
			}
			t, ok := parseSQLTime(v.Str[i])
			if !ok {
				if err := f.at(i, n, invalidCast(v.Str[i], to)); err != nil {
					return nil, err
				}
				continue
			}
			zone := c.Zone
			if t.zone != "" {
				zone, _ = column.ZoneNumber(t.zone) // checked by the parser
			}
			out.I64[i], out.Zone[i] = toUTC(roundMicros(t.micros(), to.Precision), zone), zone
		}
		return withNulls(out, v.Nulls), nil
	}
}

// castTime converts among dates, times and timestamps.
func castTime(from, to *column.Type) caster {
	each := func(f func(c *Context, x int64) int64) caster {
		return castEach(to, func(c *Context, x int64) (int64, bool, error) { return f(c, x), true, nil })
	}
	// local returns what the clock shows for value i.
	fromZoned := func(f func(local int64) int64) caster {
		return func(_ *Context, v *column.Vector, n int, _ *failures) (*column.Vector, error) {
			out, values := made[int64](to, n)
			for i := range values {
				if !v.Nulls.Get(i) {
					values[i] = f(toLocal(v.I64[i], zoneAt(v, i)))
				}
			}
			return withNulls(out, v.Nulls), nil
		}
	}
	toZoned := func(f func(c *Context, x int64) int64) caster {
		return func(c *Context, v *column.Vector, n int, _ *failures) (*column.Vector, error) {
			out := column.New(to, n)
			for i := range n {
				if !v.Nulls.Get(i) {
					out.I64[i], out.Zone[i] = f(c, v.I64[i]), c.Zone
				}
			}
			return withNulls(out, v.Nulls), nil
		}
	}
	switch from.Kind {
	case column.Date:
		switch to.Kind {
		case column.Timestamp:
			return each(func(_ *Context, d int64) int64 { return d * microsPerDay })
		case column.TimestampTZ:
			return toZoned(func(c *Context, d int64) int64 { return toUTC(d*microsPerDay, c.Zone) })
		}
	case column.Time:
		switch to.Kind {
		case column.Time:
			return each(func(_ *Context, t int64) int64 { return roundMicros(t, to.Precision) % microsPerDay })
		case column.Timestamp:
			return each(func(c *Context, t int64) int64 { return today(c)*microsPerDay + t })
		case column.TimestampTZ:
			return toZoned(func(c *Context, t int64) int64 { return toUTC(today(c)*microsPerDay+t, c.Zone) })
		}
	case column.Timestamp:
		switch to.Kind {
		case column.Date:
			return each(func(_ *Context, t int64) int64 { return floorDiv(t, microsPerDay) })
		case column.Time:
			return each(func(_ *Context, t int64) int64 {
				return roundMicros(floorMod(t, microsPerDay), to.Precision) % microsPerDay
			})
		case column.Timestamp:
			return each(func(_ *Context, t int64) int64 { return roundMicros(t, to.Precision) })
		case column.TimestampTZ:
			return toZoned(func(c *Context, t int64) int64 { return toUTC(roundMicros(t, to.Precision), c.Zone) })
		}
	case column.TimestampTZ:
		switch to.Kind {
		case column.Date:
			return fromZoned(func(t int64) int64 { return floorDiv(t, microsPerDay) })
		case column.Time:
			return fromZoned(func(t int64) int64 { return roundMicros(floorMod(t, microsPerDay), to.Precision) % microsPerDay })
		case column.Timestamp:
			return fromZoned(func(t int64) int64 { return roundMicros(t, to.Precision) })
		case column.TimestampTZ:
			return func(_ *Context, v *column.Vector, n int, _ *failures) (*column.Vector, error) {
				out := column.New(to, n)
				for i := range n {
					out.I64[i], out.Zone[i] = roundMicros(v.I64[i], to.Precision), zoneAt(v, i)
				}
				return withNulls(out, v.Nulls), nil
			}
		}
	}
	return nil
}

// today is the day on which the query began, in the session's zone.
func today(c *Context) int64 { return floorDiv(toLocal(c.Now.UnixMicro(), c.Zone), microsPerDay) }

// castNested converts arrays, maps and rows part by part.
func castNested(from, to *column.Type) caster {
	if from.Kind != to.Kind {
		return nil
	}
	var parts []caster
	switch from.Kind {
	case column.Array:
		parts = []caster{castBetween(from.Elem, to.Elem)}
	case column.Map:
		parts = []caster{castBetween(from.Key, to.Key), castBetween(from.Elem, to.Elem)}
	case column.Row:
		if len(from.Fields) != len(to.Fields) {
			return nil
		}
		for i := range from.Fields {
			parts = append(parts, castBetween(from.Fields[i].Type, to.Fields[i].Type))
		}
	}
	for _, p := range parts {
		if p == nil {
			return nil
		}
	}
	if from.Kind == column.Row {
		return castRow(to, parts)
	}
	return func(c *Context, v *column.Vector, n int, f *failures) (*column.Vector, error) {
		offsets, children := elements(v, n)
		out := &column.Vector{Type: to, Len: n, Nulls: v.Nulls, Offsets: offsets}
		for k, child := range children {
			inner := &failures{try: f.try}
			converted, err := parts[k](c, column.Flatten(child), child.Len, inner)
			if err != nil {
				return nil, err
			}
			out.Children = append(out.Children, converted)
			for i := 0; i < n && inner.rows != nil; i++ {
				for e := offsets[i]; e < offsets[i+1]; e++ {
					if inner.rows.Get(int(e)) {
						if err := f.at(i, n, nil); err != nil {
							return nil, err
						}
						break
					}
				}
			}
		}
		if to.Kind == column.Map && !from.Key.Equal(to.Key) {
			// Keys that were different may have become the same or NULL.
			if err := checkKeys(&pacer{c: c}, out, n, f); err != nil {
				return nil, err
			}
		}
		return out, nil
	}
}

func castRow(to *column.Type, parts []caster) caster {
	return func(c *Context, v *column.Vector, n int, f *failures) (*column.Vector, error) {
		out := &column.Vector{Type: to, Len: n, Nulls: v.Nulls}
		for k, child := range v.Children {
			// Fields of a NULL row hold anything: hide them from the conversion.
			child = withNulls(column.Flatten(child), v.Nulls)
			converted, err := parts[k](c, child, n, f)
			if err != nil {
				return nil, err
			}
			out.Children = append(out.Children, converted)
		}
		return out, nil
	}
}

// checkKeys verifies that no map has a key twice or a NULL key.
func checkKeys(p *pacer, v *column.Vector, n int, f *failures) error {
	for i := range n {
		if v.Nulls.Get(i) {
			continue
		}
		if err := checkMapKeys(p, v.Children[0], int(v.Offsets[i]), int(v.Offsets[i+1])); err != nil {
			if err := f.at(i, n, err); err != nil {
				return err
			}
		}
	}
	return nil
}

// checkMapKeys verifies the keys in [from, to): no NULL, none twice.
func checkMapKeys(p *pacer, keys *column.Vector, from, to int) error {
	const manyKeys = 16 // from here on a set is faster than comparing all pairs
	var seen map[uint64][]int
	if to-from > manyKeys {
		seen = make(map[uint64][]int, to-from)
	}
	for i := from; i < to; i++ {
		p.tick(setWork)
		if keys.IsNull(i) {
			return fault(sqlerr.InvalidArgument, "a map key cannot be NULL")
		}
		if seen != nil {
			h := HashAt(keys, i)
			for _, j := range seen[h] {
				if EqualAt(keys, i, keys, j) {
					return duplicateKey(keys, i)
				}
			}
			seen[h] = append(seen[h], i)
			continue
		}
		for j := from; j < i; j++ {
			if EqualAt(keys, i, keys, j) {
				return duplicateKey(keys, i)
			}
		}
	}
	return nil
}

func duplicateKey(keys *column.Vector, i int) error {
	return fault(sqlerr.InvalidArgument, "the map key %s comes twice", shown(Format(keys, i)))
}

// castToJSON converts structurally: text becomes a JSON string.
func castToJSON(from *column.Type) caster {
	var ok func(t *column.Type) bool
	ok = func(t *column.Type) bool {
		switch t.Kind {
		case column.Varbinary, column.IntervalDay, column.IntervalMonth, column.Time:
			return false
		case column.Array:
			return ok(t.Elem)
		case column.Map:
			return ok(t.Elem) && (t.Key.Kind == column.Varchar || t.Key.IsNumeric() || t.Key.Kind == column.Boolean || t.Key.Kind == column.Unknown)
		case column.Row:
			for _, f := range t.Fields {
				if !ok(f.Type) {
					return false
				}
			}
		}
		return true
	}
	if !ok(from) {
		return nil
	}
	return castPaced(column.JSONType, appendJSON)
}

// castFromJSON converts structurally from JSON text.
func castFromJSON(to *column.Type) caster {
	if !jsonCastable(to) {
		return nil
	}
	return func(c *Context, v *column.Vector, n int, f *failures) (*column.Vector, error) {
		out := newBuilder(to, n)
		pace := pacer{c: c}
		for i := range n {
			if v.Nulls.Get(i) {
				pushNull(out)
				continue
			}
			pace.tick(rowWork)
			if err := pushJSON(&pace, out, v.Str[i]); err != nil {
				dropOpenAll(out, i)
				pushNull(out)
				if err := f.at(i, n, err); err != nil {
					return nil, err
				}
			}
		}
		return out, nil
	}
}

// dropOpenAll takes a builder back to n whole values after a failure inside
// value n.
func dropOpenAll(v *column.Vector, n int) {
	if v.Type.Payload() != column.PayloadNested {
		cut(v, n)
		return
	}
	if v.Len > n {
		cut(v, n)
	}
	limit := n
	if v.Offsets != nil {
		limit = int(v.Offsets[n])
	}
	for _, c := range v.Children {
		dropOpenAll(c, limit)
	}
}

func jsonCastable(t *column.Type) bool {
	switch t.Kind {
	case column.Boolean, column.TinyInt, column.SmallInt, column.Integer, column.BigInt, column.Real, column.Double,
		column.Decimal, column.Varchar, column.JSON, column.Date, column.Timestamp:
		return true
	case column.Array:
		return jsonCastable(t.Elem)
	case column.Map:
		return jsonCastable(t.Key) && t.Key.Payload() != column.PayloadNested && t.Key.Kind != column.JSON && jsonCastable(t.Elem)
	case column.Row:
		for _, f := range t.Fields {
			if !jsonCastable(f.Type) {
				return false
			}
		}
		return true
	}
	return false
}

// validText replaces what is not UTF-8.
func validText(s string) string {
	if utf8.ValidString(s) {
		return s
	}
	return strings.ToValidUTF8(s, "\ufffd")
}
