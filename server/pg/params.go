package pg

import (
	"encoding/binary"
	"encoding/json"
	"math"
	"math/big"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/jackc/pgx/v5/pgtype"

	"github.com/cairndb/cairn/segment/column"
	"github.com/cairndb/cairn/sql/fn"
	"github.com/cairndb/cairn/sql/sqlerr"
)

// arrayParamMax bounds the elements of an array parameter.
const arrayParamMax = 1 << 20

// argument reads the value of a parameter: a text for types that the engine reads from
// text, else a vector of one value. Texts are copied.
func (s *session) argument(st *prepared, i int, b []byte, format int16) (any, error) {
	if b == nil {
		return nil, nil
	}
	oid := st.params[i]
	var want *column.Type
	if i < len(st.declared) {
		want = st.declared[i]
	}
	if want == nil {
		want = declaredType(oid)
	}
	if format == binaryFormat {
		v, err := binaryArgument(oid, want, b)
		if err != nil {
			return nil, sqlerr.New(codeBadBinary, sqlerr.Pos{}, "incorrect binary data format in bind parameter %d", i+1).WithDetail("%v", err)
		}
		return v, nil
	}
	if !utf8.Valid(b) || strings.IndexByte(string(b), 0) >= 0 {
		return nil, sqlerr.New(sqlerr.InvalidEncoding, sqlerr.Pos{}, "invalid byte sequence for encoding \"UTF8\" in parameter %d", i+1)
	}
	v, err := textArgument(want, string(b))
	if err != nil {
		return nil, sqlerr.New(sqlerr.InvalidText, sqlerr.Pos{}, "invalid input for parameter %d: %q", i+1, shorten(string(b))).WithDetail("%v", err)
	}
	return v, nil
}

// shorten cuts a value for a message.
func shorten(s string) string {
	if len(s) <= 60 {
		return s
	}
	n := 60
	for n > 0 && !utf8.RuneStart(s[n]) {
		n--
	}
	return s[:n] + "…"
}

// textArgument reads the text form. What is not read here is a string to the engine,
// which takes the type of its place.
func textArgument(want *column.Type, text string) (any, error) {
	if want == nil {
		return text, nil
	}
	trimmed := strings.TrimSpace(text)
	switch want.Kind {
	case column.Boolean:
		switch strings.ToLower(trimmed) {
		case "t", "true", "y", "yes", "on", "1":
			return true, nil
		case "f", "false", "n", "no", "off", "0":
			return false, nil
		}
		return nil, errNotA("boolean")
	case column.SmallInt, column.Integer, column.BigInt:
		bits := map[column.Kind]int{column.SmallInt: 16, column.Integer: 32, column.BigInt: 64}[want.Kind]
		n, err := strconv.ParseInt(trimmed, 10, bits)
		if err != nil {
			return nil, errNotA(want.String())
		}
		return intVector(want, n), nil
	case column.Real, column.Double:
		f, err := strconv.ParseFloat(trimmed, 64)
		if err != nil {
			return nil, errNotA(want.String())
		}
		return &column.Vector{Type: want, Len: 1, F64: []float64{f}}, nil
	case column.Decimal:
		return numericArgument(want, trimmed)
	case column.IntervalDay:
		v, err := fn.ParsePostgresInterval(trimmed)
		if err != nil {
			return nil, err
		}
		return intVector(want, v), nil
	case column.Varbinary:
		raw, err := fn.ParseBytea(text)
		if err != nil {
			return nil, err
		}
		return []byte(raw), nil
	case column.JSON:
		if !json.Valid([]byte(text)) {
			return nil, errNotA("JSON")
		}
		return &column.Vector{Type: want, Len: 1, Str: []string{text}}, nil
	case column.Array:
		items, err := arrayItems(trimmed)
		if err != nil {
			return nil, err
		}
		elems := make([]any, len(items))
		for i, it := range items {
			if it == nil {
				continue
			}
			if elems[i], err = textArgument(want.Elem, *it); err != nil {
				return nil, err
			}
		}
		return arrayVector(want, elems)
	}
	return text, nil
}

// numericArgument reads a number of a scale, and refuses one that does not fit rather than rounding it.
func numericArgument(want *column.Type, text string) (*column.Vector, error) {
	const longest, exponents = 200, 60 // beyond that none fits
	if _, e, ok := strings.Cut(strings.ToLower(text), "e"); ok {
		if n, err := strconv.Atoi(e); err != nil || n > exponents || n < -exponents {
			return nil, errNotA(want.String())
		}
	}
	if len(text) > longest || strings.ContainsAny(text, "/_xXpP") {
		return nil, errNotA(want.String())
	}
	r, ok := new(big.Rat).SetString(text)
	if !ok {
		return nil, errNotA(want.String())
	}
	exact := r.FloatString(want.Scale)
	if again, ok := new(big.Rat).SetString(exact); !ok || again.Cmp(r) != 0 {
		return nil, errNotA(want.String() + ", it has more digits behind the point")
	}
	f, err := fn.Cast(column.VarcharType, want)
	if err != nil {
		return nil, err
	}
	return f.Eval(&fn.Context{}, []*column.Vector{{Type: column.VarcharType, Len: 1, Str: []string{exact}}}, 1)
}

type errNotA string

func (e errNotA) Error() string { return "not a " + string(e) }

func intVector(t *column.Type, n int64) *column.Vector {
	return &column.Vector{Type: t, Len: 1, I64: []int64{n}}
}

// arrayItems takes {a,"b c",NULL} apart; nil stands for NULL.
func arrayItems(text string) ([]*string, error) {
	if len(text) < 2 || text[0] != '{' || text[len(text)-1] != '}' {
		return nil, errNotA("array in braces")
	}
	text = text[1 : len(text)-1]
	var out []*string
	for i := 0; i < len(text) || len(out) > 0; {
		for i < len(text) && text[i] == ' ' {
			i++
		}
		var b strings.Builder
		quoted := i < len(text) && text[i] == '"'
		if quoted {
			for i++; ; i++ {
				if i >= len(text) {
					return nil, errNotA("complete array")
				}
				if text[i] == '"' {
					i++
					break
				}
				if text[i] == '\\' && i+1 < len(text) {
					i++
				}
				b.WriteByte(text[i])
			}
		} else {
			for ; i < len(text) && text[i] != ','; i++ {
				switch text[i] {
				case '{', '}', '"':
					return nil, errNotA("one-dimensional array")
				case '\\':
					if i+1 < len(text) {
						i++
					}
				}
				b.WriteByte(text[i])
			}
		}
		item := b.String()
		if !quoted {
			item = strings.TrimSpace(item)
			if item == "" {
				return nil, errNotA("complete array")
			}
		}
		if !quoted && strings.EqualFold(item, "null") {
			out = append(out, nil)
		} else {
			out = append(out, &item)
		}
		for i < len(text) && text[i] == ' ' {
			i++
		}
		if i >= len(text) {
			break
		}
		if text[i] != ',' || len(out) > arrayParamMax {
			return nil, errNotA("well-formed array")
		}
		i++
	}
	return out, nil
}

// arrayVector makes a vector of one array.
func arrayVector(t *column.Type, elems []any) (*column.Vector, error) {
	a := column.NewAppender(t.Elem, len(elems))
	for _, e := range elems {
		switch x := e.(type) {
		case nil:
			a.Null()
		case *column.Vector:
			a.Append(x, 0)
		case string:
			if t.Elem.Kind != column.Varchar {
				return nil, errNotA(t.Elem.String())
			}
			a.Append(&column.Vector{Type: t.Elem, Len: 1, Str: []string{x}}, 0)
		case bool:
			n := int64(0)
			if x {
				n = 1
			}
			a.Append(intVector(t.Elem, n), 0)
		default:
			return nil, errNotA(t.Elem.String())
		}
	}
	child := a.Vector()
	return &column.Vector{Type: t, Len: 1, Offsets: []int32{0, int32(child.Len)}, Children: []*column.Vector{child}}, nil
}

// binaryArgument reads the binary form of a type.
func binaryArgument(oid uint32, want *column.Type, b []byte) (any, error) {
	sized := func(n int) error {
		if len(b) != n {
			return errNotA(strconv.Itoa(n) + "-byte value")
		}
		return nil
	}
	if oid == pgtype.NumericOID {
		var n pgtype.Numeric
		if err := pgtype.NewMap().Scan(oid, pgtype.BinaryFormatCode, b, &n); err != nil {
			return nil, err
		}
		value, err := n.Value()
		if err != nil {
			return nil, err
		}
		if text, ok := value.(string); ok && want != nil && want.Kind == column.Decimal {
			return numericArgument(want, text)
		}
		return value, nil
	}
	if want == nil {
		if !utf8.Valid(b) {
			return nil, errNotA("UTF-8 text")
		}
		return string(b), nil
	}
	switch want.Kind {
	case column.Boolean:
		if err := sized(1); err != nil {
			return nil, err
		}
		return b[0] != 0, nil
	case column.SmallInt:
		if err := sized(2); err != nil {
			return nil, err
		}
		return intVector(want, int64(int16(binary.BigEndian.Uint16(b)))), nil
	case column.Integer:
		if err := sized(4); err != nil {
			return nil, err
		}
		return intVector(want, int64(int32(binary.BigEndian.Uint32(b)))), nil
	case column.BigInt:
		if len(b) == 4 && oid != pgtype.Int8OID { // oid and its kin
			return intVector(want, int64(binary.BigEndian.Uint32(b))), nil
		}
		if err := sized(8); err != nil {
			return nil, err
		}
		return intVector(want, int64(binary.BigEndian.Uint64(b))), nil
	case column.Real:
		if err := sized(4); err != nil {
			return nil, err
		}
		return &column.Vector{Type: want, Len: 1, F64: []float64{float64(math.Float32frombits(binary.BigEndian.Uint32(b)))}}, nil
	case column.Double:
		if err := sized(8); err != nil {
			return nil, err
		}
		return &column.Vector{Type: want, Len: 1, F64: []float64{math.Float64frombits(binary.BigEndian.Uint64(b))}}, nil
	case column.Varbinary:
		return append([]byte{}, b...), nil
	case column.Date:
		if err := sized(4); err != nil {
			return nil, err
		}
		return intVector(want, int64(int32(binary.BigEndian.Uint32(b)))+epochDays), nil
	case column.Time:
		if err := sized(8); err != nil {
			return nil, err
		}
		n := int64(binary.BigEndian.Uint64(b))
		if n < 0 || n > microsPerDay {
			return nil, errNotA("time of day")
		}
		return intVector(want, n), nil
	case column.Timestamp, column.TimestampTZ:
		if err := sized(8); err != nil {
			return nil, err
		}
		n := int64(binary.BigEndian.Uint64(b))
		if n > math.MaxInt64-epochMicros {
			return nil, errNotA("time that can be represented")
		}
		v := intVector(want, n+epochMicros)
		if want.Kind == column.TimestampTZ {
			v.Zone = []uint16{0}
		}
		return v, nil
	case column.IntervalDay:
		if err := sized(16); err != nil {
			return nil, err
		}
		micros, days, months := int64(binary.BigEndian.Uint64(b)), int64(int32(binary.BigEndian.Uint32(b[8:]))), int32(binary.BigEndian.Uint32(b[12:]))
		if months != 0 {
			return nil, errNotA("number of days and hours")
		}
		return intVector(want, micros+days*microsPerDay), nil
	case column.UUID:
		if err := sized(16); err != nil {
			return nil, err
		}
		return &column.Vector{Type: want, Len: 1, Str: []string{string(b)}}, nil
	case column.JSON:
		if oid == pgtype.JSONBOID {
			if len(b) == 0 || b[0] != 1 {
				return nil, errNotA("jsonb of version 1")
			}
			b = b[1:]
		}
		if !utf8.Valid(b) || !json.Valid(b) {
			return nil, errNotA("JSON in UTF-8")
		}
		return &column.Vector{Type: want, Len: 1, Str: []string{string(b)}}, nil
	case column.Array:
		return binaryArray(want, b)
	}
	if !utf8.Valid(b) {
		return nil, errNotA("UTF-8 text")
	}
	return string(b), nil
}

// binaryArray reads dimensions, a flag, the element's type, and for the one dimension its
// size and lower bound; then the elements, each with its length.
func binaryArray(t *column.Type, b []byte) (*column.Vector, error) {
	if len(b) < 12 {
		return nil, errNotA("array")
	}
	dims, elem := binary.BigEndian.Uint32(b), binary.BigEndian.Uint32(b[8:])
	if dims == 0 {
		return arrayVector(t, nil)
	}
	if dims != 1 || len(b) < 20 {
		return nil, errNotA("one-dimensional array")
	}
	n := int(binary.BigEndian.Uint32(b[12:]))
	b = b[20:]
	if n < 0 || n > arrayParamMax || n*4 > len(b) {
		return nil, errNotA("complete array")
	}
	elems := make([]any, n)
	for i := range elems {
		if len(b) < 4 {
			return nil, errNotA("complete array")
		}
		size := int(int32(binary.BigEndian.Uint32(b)))
		b = b[4:]
		if size == -1 {
			continue
		}
		if size < 0 || size > len(b) {
			return nil, errNotA("complete array")
		}
		want := t.Elem
		if want.Kind == column.Varchar {
			want = nil
		}
		e, err := binaryArgument(elem, want, b[:size])
		if err != nil {
			return nil, err
		}
		elems[i] = e
		b = b[size:]
	}
	return arrayVector(t, elems)
}
