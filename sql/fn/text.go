package fn

import (
	"encoding/base64"
	"encoding/hex"
	"math"
	"net/netip"
	"strconv"
	"unicode/utf8"

	"github.com/cairndb/cairn/segment/column"
)

const microsPerSecond = 1_000_000

// Format returns the text of value i of v as results show it; see [AppendText].
func Format(v *column.Vector, i int) string {
	if leaf, j := v.Leaf(i); leaf.Str != nil && (leaf.Type.Kind == column.Varchar || leaf.Type.Kind == column.JSON) && !v.IsNull(i) {
		return leaf.Str[j]
	}
	return string(AppendText(nil, v, i))
}

// AppendText appends the text of value i of v, in any layout, as results show
// it: timestamps as 2022-02-08 19:54:44.000, arrays as [a, b], maps and rows as
// {k=v, k2=v2}, doubles as 1.5 or 1.0E10, bytes as hexadecimal pairs. NULL is
// null; a caller that shows a NULL in its own way asks IsNull first.
func AppendText(dst []byte, v *column.Vector, i int) []byte {
	if v.IsNull(i) {
		return append(dst, "null"...)
	}
	v, i = v.Leaf(i)
	switch v.Type.Kind {
	case column.Varchar, column.JSON:
		return append(dst, v.Str[i]...)
	case column.Varbinary:
		for n := range len(v.Str[i]) {
			if n > 0 {
				dst = append(dst, ' ')
			}
			dst = hex.AppendEncode(dst, []byte{v.Str[i][n]})
		}
		return dst
	case column.Double:
		return appendDouble(dst, v.F64[i], 64)
	case column.Real:
		return appendDouble(dst, v.F64[i], 32)
	case column.Array:
		dst = append(dst, '[')
		for e := v.Offsets[i]; e < v.Offsets[i+1]; e++ {
			if e > v.Offsets[i] {
				dst = append(dst, ", "...)
			}
			dst = AppendText(dst, v.Children[0], int(e))
		}
		return append(dst, ']')
	case column.Map:
		dst = append(dst, '{')
		for e := v.Offsets[i]; e < v.Offsets[i+1]; e++ {
			if e > v.Offsets[i] {
				dst = append(dst, ", "...)
			}
			dst = AppendText(dst, v.Children[0], int(e))
			dst = append(dst, '=')
			dst = AppendText(dst, v.Children[1], int(e))
		}
		return append(dst, '}')
	case column.Row:
		dst = append(dst, '{')
		for k, f := range v.Type.Fields {
			if k > 0 {
				dst = append(dst, ", "...)
			}
			dst = append(dst, fieldName(f, k)...)
			dst = append(dst, '=')
			dst = AppendText(dst, v.Children[k], i)
		}
		return append(dst, '}')
	}
	return appendScalarText(dst, v, i)
}

// fieldName is the name of row field k; anonymous fields are field0, field1 ….
func fieldName(f column.Field, k int) string {
	if f.Name != "" {
		return f.Name
	}
	return "field" + strconv.Itoa(k)
}

// appendScalarText appends the text of a value of a type whose text is the same
// in results and in CAST(… AS varchar).
func appendScalarText(dst []byte, v *column.Vector, i int) []byte {
	t := v.Type
	switch t.Kind {
	case column.Boolean:
		return strconv.AppendBool(dst, v.I64[i] != 0)
	case column.TinyInt, column.SmallInt, column.Integer, column.BigInt:
		return strconv.AppendInt(dst, v.I64[i], 10)
	case column.Decimal:
		if v.I64 == nil {
			return appendDecimal128(dst, readInt128(v.Str[i]), t.Scale)
		}
		return appendDecimal(dst, v.I64[i], t.Scale)
	case column.Date:
		return appendDate(dst, v.I64[i])
	case column.Time:
		return appendClock(dst, v.I64[i], t.Precision)
	case column.Timestamp:
		return appendTimestamp(dst, v.I64[i], t.Precision)
	case column.TimestampTZ:
		zone := zoneAt(v, i)
		dst = appendTimestamp(dst, toLocal(v.I64[i], zone), t.Precision)
		dst = append(dst, ' ')
		return append(dst, column.ZoneName(zone)...)
	case column.IntervalDay:
		return appendIntervalDay(dst, v.I64[i])
	case column.IntervalMonth:
		return appendIntervalMonth(dst, v.I64[i])
	case column.UUID:
		return appendUUID(dst, v.Str[i])
	case column.IPAddress:
		return append(dst, addressText(v.Str[i])...)
	case column.Unknown:
		return append(dst, "null"...)
	}
	return append(dst, v.Str[i]...)
}

// appendDouble writes a number the way results show it: plain between 1e-3 and
// 1e7, otherwise with an exponent.
func appendDouble(dst []byte, f float64, bits int) []byte {
	if a := math.Abs(f); a == 0 || a >= 1e-3 && a < 1e7 {
		start := len(dst)
		dst = strconv.AppendFloat(dst, f, 'f', -1, bits)
		for _, c := range dst[start:] {
			if c == '.' {
				return dst
			}
		}
		return append(dst, ".0"...)
	}
	return appendScientific(dst, f, bits)
}

// appendScientific writes a number as CAST(… AS varchar) does: 1.0E0.
func appendScientific(dst []byte, f float64, bits int) []byte {
	switch {
	case f != f:
		return append(dst, "NaN"...)
	case math.IsInf(f, 1):
		return append(dst, "Infinity"...)
	case math.IsInf(f, -1):
		return append(dst, "-Infinity"...)
	}
	var buf [32]byte
	text := strconv.AppendFloat(buf[:0], f, 'e', -1, bits)
	point := false
	for k, c := range text {
		switch c {
		case '.':
			point = true
		case 'e':
			if !point {
				dst = append(dst, ".0"...)
			}
			dst = append(dst, 'E')
			exp := text[k+1:]
			if exp[0] == '-' {
				dst = append(dst, '-')
			}
			exp = exp[1:]
			for len(exp) > 1 && exp[0] == '0' {
				exp = exp[1:]
			}
			return append(dst, exp...)
		}
		dst = append(dst, c)
	}
	return dst
}

// appendDecimal writes an unscaled value with its point.
func appendDecimal(dst []byte, unscaled int64, scale int) []byte {
	u := uint64(unscaled)
	if unscaled < 0 {
		dst = append(dst, '-')
		u = -u
	}
	if scale == 0 {
		return strconv.AppendUint(dst, u, 10)
	}
	var buf [40]byte
	return appendPointed(dst, strconv.AppendUint(buf[:0], u, 10), scale)
}

// appendPointed writes digits with a point before the last scale of them.
func appendPointed(dst, digits []byte, scale int) []byte {
	if scale == 0 {
		return append(dst, digits...)
	}
	if len(digits) <= scale {
		dst = append(dst, "0."...)
		for range scale - len(digits) {
			dst = append(dst, '0')
		}
		return append(dst, digits...)
	}
	dst = append(dst, digits[:len(digits)-scale]...)
	dst = append(dst, '.')
	return append(dst, digits[len(digits)-scale:]...)
}

func appendPadded(dst []byte, x int64, width int) []byte {
	var buf [20]byte
	digits := strconv.AppendInt(buf[:0], x, 10)
	for range width - len(digits) {
		dst = append(dst, '0')
	}
	return append(dst, digits...)
}

// appendDate writes days since 1970-01-01 as yyyy-mm-dd.
func appendDate(dst []byte, days int64) []byte {
	y, m, d := civil(days)
	if y < 0 {
		dst = append(dst, '-')
		y = -y
	}
	dst = appendPadded(dst, y, 4)
	return append(dst, '-', byte('0'+m/10), byte('0'+m%10), '-', byte('0'+d/10), byte('0'+d%10))
}

// appendClock writes microseconds since midnight as hh:mm:ss and p digits.
func appendClock(dst []byte, micros int64, p int) []byte {
	sec := micros / microsPerSecond
	h, m, s := sec/3600, sec/60%60, sec%60
	dst = append(dst, byte('0'+h/10), byte('0'+h%10), ':', byte('0'+m/10), byte('0'+m%10), ':', byte('0'+s/10), byte('0'+s%10))
	return appendFraction(dst, micros%microsPerSecond, p)
}

func appendFraction(dst []byte, micros int64, p int) []byte {
	if p <= 0 {
		return dst
	}
	dst = append(dst, '.')
	for unit := int64(100_000); p > 0 && unit > 0; p-- {
		dst = append(dst, byte('0'+micros/unit%10))
		unit /= 10
	}
	return dst
}

func appendTimestamp(dst []byte, micros int64, p int) []byte {
	days, clock := splitDay(micros)
	dst = append(appendDate(dst, days), ' ')
	return appendClock(dst, clock, p)
}

func appendIntervalDay(dst []byte, micros int64) []byte {
	u := uint64(micros)
	if micros < 0 {
		dst = append(dst, '-')
		u = -u
	}
	dst = strconv.AppendUint(dst, u/uint64(microsPerDay), 10)
	dst = append(dst, ' ')
	return appendClock(dst, int64(u%uint64(microsPerDay)), 3)
}

func appendIntervalMonth(dst []byte, months int64) []byte {
	if months < 0 {
		dst = append(dst, '-')
		months = -months
	}
	dst = strconv.AppendInt(dst, months/12, 10)
	dst = append(dst, '-')
	return strconv.AppendInt(dst, months%12, 10)
}

func appendUUID(dst []byte, raw string) []byte {
	if len(raw) != 16 {
		return hex.AppendEncode(dst, []byte(raw))
	}
	for k, cut := range [...]int{4, 6, 8, 10, 16} {
		from := [...]int{0, 4, 6, 8, 10}[k]
		if k > 0 {
			dst = append(dst, '-')
		}
		dst = hex.AppendEncode(dst, []byte(raw[from:cut]))
	}
	return dst
}

// addressText writes 16 raw bytes as an IPv4 or IPv6 address.
func addressText(raw string) string {
	a, ok := netip.AddrFromSlice([]byte(raw))
	if !ok {
		return hex.EncodeToString([]byte(raw))
	}
	return a.Unmap().String()
}

// AppendJSON appends value i of v, in any layout, as JSON: numbers, booleans
// and JSON as they are, arrays as arrays, maps and rows as objects, everything
// else as a string of its text; bytes in base64; NULL as null.
func AppendJSON(dst []byte, v *column.Vector, i int) []byte { return appendJSON(nil, dst, v, i) }

func appendJSON(p *pacer, dst []byte, v *column.Vector, i int) []byte {
	if v.IsNull(i) {
		return append(dst, "null"...)
	}
	v, i = v.Leaf(i)
	switch v.Type.Kind {
	case column.JSON:
		return append(dst, v.Str[i]...)
	case column.Varchar:
		return appendJSONPaced(p, dst, v.Str[i])
	case column.Varbinary:
		dst = append(dst, '"')
		dst = base64.StdEncoding.AppendEncode(dst, []byte(v.Str[i]))
		return append(dst, '"')
	case column.Boolean, column.TinyInt, column.SmallInt, column.Integer, column.BigInt, column.Decimal, column.Unknown:
		return appendScalarText(dst, v, i)
	case column.Real, column.Double:
		f, bits := v.F64[i], 64
		if v.Type.Kind == column.Real {
			bits = 32
		}
		if f != f || math.IsInf(f, 0) {
			dst = append(dst, '"')
			return append(appendScientific(dst, f, bits), '"')
		}
		return appendDouble(dst, f, bits)
	case column.Array:
		dst = append(dst, '[')
		for e := v.Offsets[i]; e < v.Offsets[i+1]; e++ {
			p.tick(rowWork)
			if e > v.Offsets[i] {
				dst = append(dst, ',')
			}
			dst = appendJSON(p, dst, v.Children[0], int(e))
		}
		return append(dst, ']')
	case column.Map:
		dst = append(dst, '{')
		for e := v.Offsets[i]; e < v.Offsets[i+1]; e++ {
			p.tick(rowWork)
			if e > v.Offsets[i] {
				dst = append(dst, ',')
			}
			dst = appendJSONKey(dst, v.Children[0], int(e))
			dst = append(dst, ':')
			dst = appendJSON(p, dst, v.Children[1], int(e))
		}
		return append(dst, '}')
	case column.Row:
		dst = append(dst, '{')
		for k, f := range v.Type.Fields {
			if k > 0 {
				dst = append(dst, ',')
			}
			dst = appendJSONString(dst, fieldName(f, k))
			dst = append(dst, ':')
			dst = appendJSON(p, dst, v.Children[k], i)
		}
		return append(dst, '}')
	}
	dst = append(dst, '"')
	dst = appendScalarText(dst, v, i)
	return append(dst, '"')
}

// appendJSONPaced is appendJSONString for texts that may be long.
func appendJSONPaced(p *pacer, dst []byte, s string) []byte {
	if len(s) <= tickBytes {
		p.tick(len(s))
		return appendJSONString(dst, s)
	}
	dst = append(dst, '"')
	p.pieces(s, func(piece string) { dst = appendJSONInside(dst, piece) })
	return append(dst, '"')
}

// appendJSONKey appends a map key, which JSON wants to be a string.
func appendJSONKey(dst []byte, keys *column.Vector, i int) []byte {
	leaf, j := keys.Leaf(i)
	if leaf.Type.Kind == column.Varchar && !keys.IsNull(i) {
		return appendJSONString(dst, leaf.Str[j])
	}
	return appendJSONString(dst, string(AppendText(nil, keys, i)))
}

const hexDigits = "0123456789abcdef"

// appendJSONString appends s as a JSON string. Bytes that are not UTF-8 become
// U+FFFD, for JSON text must be UTF-8.
func appendJSONString(dst []byte, s string) []byte {
	return append(appendJSONInside(append(dst, '"'), s), '"')
}

// appendJSONInside appends what stands between the quotes.
func appendJSONInside(dst []byte, s string) []byte {
	start := 0
	for i := 0; i < len(s); {
		c := s[i]
		if c >= 0x20 && c != '"' && c != '\\' && c < utf8.RuneSelf {
			i++
			continue
		}
		if c >= utf8.RuneSelf {
			r, size := utf8.DecodeRuneInString(s[i:])
			if r == utf8.RuneError && size == 1 {
				dst = append(dst, s[start:i]...)
				dst = append(dst, "\ufffd"...)
				start = i + 1
			}
			i += size
			continue
		}
		dst = append(dst, s[start:i]...)
		switch c {
		case '"', '\\':
			dst = append(dst, '\\', c)
		case '\n':
			dst = append(dst, '\\', 'n')
		case '\r':
			dst = append(dst, '\\', 'r')
		case '\t':
			dst = append(dst, '\\', 't')
		case '\b':
			dst = append(dst, '\\', 'b')
		case '\f':
			dst = append(dst, '\\', 'f')
		default:
			dst = append(dst, '\\', 'u', '0', '0', hexDigits[c>>4], hexDigits[c&15])
		}
		i++
		start = i
	}
	return append(dst, s[start:]...)
}
