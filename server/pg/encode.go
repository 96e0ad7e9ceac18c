package pg

import (
	"bytes"
	"encoding/binary"
	"encoding/hex"
	"math"
	"slices"
	"strconv"
	"time"

	"github.com/cairndb/cairn/segment/column"
	"github.com/cairndb/cairn/sql"
	"github.com/cairndb/cairn/sql/fn"
)

const (
	textFormat   = 0
	binaryFormat = 1

	microsPerDay = 86_400_000_000
	// Postgres counts from 2000-01-01.
	epochDays   = 10_957
	epochMicros = epochDays * microsPerDay
)

// appendValue appends value i of v as a field of a row: its length and its bytes, or -1
// for NULL.
func appendValue(dst []byte, v *column.Vector, i int, format int16, zone *time.Location) []byte {
	if v.IsNull(i) {
		return append(dst, 0xff, 0xff, 0xff, 0xff)
	}
	at := len(dst)
	dst = append(dst, 0, 0, 0, 0)
	v, i = v.Leaf(i)
	if format == binaryFormat {
		dst = appendBinary(dst, v, i)
	} else {
		dst = appendText(dst, v, i, zone)
	}
	binary.BigEndian.PutUint32(dst[at:], uint32(len(dst)-at-4))
	return dst
}

// appendText appends a value that is not NULL, of a vector that is flat or constant, as
// Postgres writes it.
func appendText(dst []byte, v *column.Vector, i int, zone *time.Location) []byte {
	switch v.Type.Kind {
	case column.Varchar, column.JSON:
		return append(dst, v.Str[i]...)
	case column.Boolean:
		if v.I64[i] != 0 {
			return append(dst, 't')
		}
		return append(dst, 'f')
	case column.TinyInt, column.SmallInt, column.Integer, column.BigInt:
		return strconv.AppendInt(dst, v.I64[i], 10)
	case column.Real:
		return appendFloat(dst, v.F64[i], 32)
	case column.Double:
		return appendFloat(dst, v.F64[i], 64)
	case column.Varbinary:
		dst = append(dst, '\\', 'x')
		return hex.AppendEncode(dst, []byte(v.Str[i]))
	case column.Timestamp, column.TimestampTZ:
		return appendTimestamp(dst, v.I64[i], zone)
	case column.Date:
		y, m, d := time.Unix(v.I64[i]*86400, 0).UTC().Date()
		dst, bc := appendYear(dst, y, m, d)
		if bc {
			dst = append(dst, " BC"...)
		}
		return dst
	case column.Time:
		return appendClock(dst, v.I64[i])
	case column.IntervalDay:
		return appendInterval(dst, v.I64[i]/microsPerDay, v.I64[i]%microsPerDay)
	case column.IntervalMonth:
		return appendMonths(dst, v.I64[i])
	case column.Array, column.Map, column.Row:
		if v.Type.Alias != "" {
			return fn.AppendArrayText(dst, v, i)
		}
		return fn.AppendJSON(dst, v, i)
	}
	return fn.AppendText(dst, v, i)
}

// carried returns a batch whose vectors have the types that the client was told where
// those carry values of another Postgres type.
func carried(b *column.Batch, columns []sql.Output) *column.Batch {
	var out *column.Batch
	for k, c := range columns {
		if c.Type.Alias == "" || b.Cols[k].Type.Alias == c.Type.Alias && b.Cols[k].Dict == nil {
			continue
		}
		if out == nil {
			out = &column.Batch{Len: b.Len, Cols: slices.Clone(b.Cols)}
		}
		v := *column.Flatten(b.Cols[k])
		v.Type = c.Type
		out.Cols[k] = &v
	}
	if out == nil {
		return b
	}
	return out
}

// appendArray appends the binary form of an array of one dimension.
func appendArray(dst []byte, v *column.Vector, i int) []byte {
	from, to := int(v.Offsets[i]), int(v.Offsets[i+1])
	dimensions, first := 1, 1
	if v.Type.Alias == "int2vector" || v.Type.Alias == "oidvector" {
		first = 0
	} else if from == to {
		dimensions = 0
	}
	nulls := uint32(0)
	for e := from; e < to; e++ {
		if v.Children[0].IsNull(e) {
			nulls = 1
		}
	}
	dst = binary.BigEndian.AppendUint32(dst, uint32(dimensions))
	dst = binary.BigEndian.AppendUint32(dst, nulls)
	dst = binary.BigEndian.AppendUint32(dst, typeOf(v.Type.Elem).oid)
	if dimensions > 0 {
		dst = binary.BigEndian.AppendUint32(dst, uint32(to-from))
		dst = binary.BigEndian.AppendUint32(dst, uint32(first))
	}
	elem := *column.Flatten(v.Children[0])
	elem.Type = v.Type.Elem
	for e := from; e < to; e++ {
		dst = appendValue(dst, &elem, e, binaryFormat, time.UTC)
	}
	return dst
}

func appendFloat(dst []byte, f float64, bits int) []byte {
	switch {
	case f != f:
		return append(dst, "NaN"...)
	case math.IsInf(f, 1):
		return append(dst, "Infinity"...)
	case math.IsInf(f, -1):
		return append(dst, "-Infinity"...)
	}
	limit := 1e15
	if bits == 32 {
		limit = 1e6
	}
	if a := math.Abs(f); a == 0 || a >= 1e-4 && a < limit {
		return strconv.AppendFloat(dst, f, 'f', -1, bits)
	}
	return strconv.AppendFloat(dst, f, 'e', -1, bits)
}

func appendYear(dst []byte, y int, m time.Month, d int) (_ []byte, bc bool) {
	if y <= 0 {
		y, bc = 1-y, true
	}
	for limit := 1000; limit > y && limit > 1; limit /= 10 {
		dst = append(dst, '0')
	}
	dst = strconv.AppendInt(dst, int64(y), 10)
	return append(dst, '-', byte('0'+m/10), byte('0'+m%10), '-', byte('0'+d/10), byte('0'+d%10)), bc
}

func appendTwo(dst []byte, n int64) []byte { return append(dst, byte('0'+n/10%10), byte('0'+n%10)) }

// appendClock appends hh:mm:ss and the fraction without trailing zeros.
func appendClock(dst []byte, micros int64) []byte {
	s := micros / 1_000_000
	dst = appendTwo(dst, s/3600)
	dst = append(dst, ':')
	dst = appendTwo(dst, s/60%60)
	dst = append(dst, ':')
	dst = appendTwo(dst, s%60)
	return appendFraction(dst, micros%1_000_000)
}

func appendFraction(dst []byte, micros int64) []byte {
	if micros == 0 {
		return dst
	}
	dst = append(dst, '.')
	for unit := int64(100_000); micros > 0; unit /= 10 {
		dst = append(dst, byte('0'+micros/unit))
		micros %= unit
	}
	return dst
}

// appendTimestamp appends 2023-11-14 22:13:20.123456+00.
func appendTimestamp(dst []byte, micros int64, zone *time.Location) []byte {
	offset := 0
	if zone != time.UTC {
		_, offset = time.UnixMicro(micros).In(zone).Zone()
	}
	local := micros + int64(offset)*1_000_000
	days, clock := local/microsPerDay, local%microsPerDay
	if clock < 0 {
		days, clock = days-1, clock+microsPerDay
	}
	y, m, d := time.Unix(days*86400, 0).UTC().Date()
	dst, bc := appendYear(dst, y, m, d)
	dst = append(dst, ' ')
	dst = appendClock(dst, clock)
	dst = appendOffset(dst, int64(offset))
	if bc {
		dst = append(dst, " BC"...)
	}
	return dst
}

func appendOffset(dst []byte, offset int64) []byte {
	sign := byte('+')
	if offset < 0 {
		sign, offset = '-', -offset
	}
	dst = appendTwo(append(dst, sign), offset/3600)
	if offset%3600 != 0 {
		dst = appendTwo(append(dst, ':'), offset/60%60)
	}
	if offset%60 != 0 {
		dst = appendTwo(append(dst, ':'), offset%60)
	}
	return dst
}

// appendInterval appends days and a time of day as 3 days 04:05:06.
func appendInterval(dst []byte, days, micros int64) []byte {
	if days != 0 {
		dst = strconv.AppendInt(dst, days, 10)
		if days == 1 {
			dst = append(dst, " day"...)
		} else {
			dst = append(dst, " days"...)
		}
		if micros == 0 {
			return dst
		}
		dst = append(dst, ' ')
	}
	if micros < 0 {
		dst, micros = append(dst, '-'), -micros
	}
	return appendClock(dst, micros)
}

// appendMonths appends 1 year 2 mons.
func appendMonths(dst []byte, months int64) []byte {
	years, months := months/12, months%12
	unit := func(n int64, name string) {
		dst = append(strconv.AppendInt(dst, n, 10), name...)
		if n != 1 {
			dst = append(dst, 's')
		}
	}
	switch {
	case years == 0 && months == 0:
		return append(dst, "00:00:00"...)
	case years == 0:
		unit(months, " mon")
	case months == 0:
		unit(years, " year")
	default:
		unit(years, " year")
		dst = append(dst, ' ')
		unit(months, " mon")
	}
	return dst
}

// appendBinary is appendText for the binary format.
func appendBinary(dst []byte, v *column.Vector, i int) []byte {
	switch v.Type.Kind {
	case column.Boolean:
		return append(dst, byte(v.I64[i]))
	case column.TinyInt, column.SmallInt:
		return binary.BigEndian.AppendUint16(dst, uint16(v.I64[i]))
	case column.Integer:
		return binary.BigEndian.AppendUint32(dst, uint32(v.I64[i]))
	case column.BigInt:
		if v.Type.Alias != "" { // oid and what looks like it
			return binary.BigEndian.AppendUint32(dst, uint32(v.I64[i]))
		}
		return binary.BigEndian.AppendUint64(dst, uint64(v.I64[i]))
	case column.Real:
		return binary.BigEndian.AppendUint32(dst, math.Float32bits(float32(v.F64[i])))
	case column.Double:
		return binary.BigEndian.AppendUint64(dst, math.Float64bits(v.F64[i]))
	case column.Decimal:
		var text [64]byte
		return appendNumeric(dst, fn.AppendText(text[:0], v, i), v.Type.Scale)
	case column.Date:
		return binary.BigEndian.AppendUint32(dst, uint32(int32(v.I64[i]-epochDays)))
	case column.Time:
		return binary.BigEndian.AppendUint64(dst, uint64(v.I64[i]))
	case column.Timestamp, column.TimestampTZ:
		return binary.BigEndian.AppendUint64(dst, uint64(v.I64[i]-epochMicros))
	case column.IntervalDay:
		dst = binary.BigEndian.AppendUint64(dst, uint64(v.I64[i]%microsPerDay))
		dst = binary.BigEndian.AppendUint32(dst, uint32(int32(v.I64[i]/microsPerDay)))
		return binary.BigEndian.AppendUint32(dst, 0)
	case column.IntervalMonth:
		dst = binary.BigEndian.AppendUint64(dst, 0)
		dst = binary.BigEndian.AppendUint32(dst, 0)
		return binary.BigEndian.AppendUint32(dst, uint32(int32(v.I64[i])))
	case column.JSON:
		return append(append(dst, 1), v.Str[i]...) // jsonb, version 1
	case column.Array, column.Map, column.Row:
		if v.Type.Alias != "" {
			return appendArray(dst, v, i)
		}
		return fn.AppendJSON(append(dst, 1), v, i)
	case column.Varchar, column.Varbinary, column.UUID:
		return append(dst, v.Str[i]...)
	}
	return fn.AppendText(dst, v, i)
}

// appendNumeric appends the binary form of a decimal, given as text with scale
// digits behind the point: groups of four decimal digits, the weight of the first,
// sign, and digits after the point.
func appendNumeric(dst, text []byte, scale int) []byte {
	sign := uint16(0)
	if len(text) > 0 && text[0] == '-' {
		sign, text = 0x4000, text[1:]
	}
	whole, fraction := text, []byte(nil)
	if point := bytes.IndexByte(text, '.'); point >= 0 {
		whole, fraction = text[:point], text[point+1:]
	}
	// Groups begin at the point: the first and the last may be short of digits.
	const digitsMax = column.DecimalDigitsMax
	var groups [(digitsMax+3)/4 + (digitsMax+3)/4]uint16
	n := 0
	for first := (len(whole) + 3) % 4; len(whole) > 0; first = 3 {
		x := uint16(0)
		for _, c := range whole[:first+1] {
			x = x*10 + uint16(c-'0')
		}
		groups[n], whole = x, whole[first+1:]
		n++
	}
	weight := n - 1
	for ; len(fraction) > 0; n++ {
		x := uint16(0)
		for k := range 4 {
			x *= 10
			if k < len(fraction) {
				x += uint16(fraction[k] - '0')
			}
		}
		groups[n], fraction = x, fraction[min(4, len(fraction)):]
	}
	first := 0
	for first < n && groups[first] == 0 {
		first++
		weight--
	}
	for n > first && groups[n-1] == 0 {
		n--
	}
	if first == n {
		weight, sign = 0, 0
	}
	dst = binary.BigEndian.AppendUint16(dst, uint16(n-first))
	dst = binary.BigEndian.AppendUint16(dst, uint16(int16(weight)))
	dst = binary.BigEndian.AppendUint16(dst, sign)
	dst = binary.BigEndian.AppendUint16(dst, uint16(scale))
	for _, g := range groups[first:n] {
		dst = binary.BigEndian.AppendUint16(dst, g)
	}
	return dst
}
