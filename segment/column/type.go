// Package column is the one shape that values have between storage and SQL:
// logical types, typed vectors and batches of them. A segment decodes its
// pages into vectors, the memtable does the same, and every SQL operator
// takes and gives them, so no value is boxed on its way.
//
// # Using it
//
// A [Vector] holds Len values of one [Type]. It has one of three layouts,
// told apart by the fields that are set:
//
//   - flat: the payload slice of its kind has Len entries;
//   - constant: Const is true, the payload has one entry that stands for all;
//   - dictionary: Dict is another vector and Codes has Len entries, each an
//     index into Dict.
//
// The payload of a kind is one of I64, F64, Str, or Offsets and Children:
//
//	boolean                     I64  0 or 1
//	tinyint … bigint            I64  the value
//	double, real                F64  the value
//	decimal(p,s), p <= 18       I64  unscaled: 1.50 is 150 with s = 2
//	decimal(p,s), p > 18        Str  16 bytes: the unscaled value, two's complement,
//	                            big-endian, first bit inverted: bytes sort as values
//	varchar, json               Str  UTF-8 text; json is JSON text
//	varbinary, uuid, ipaddress  Str  raw bytes (16 for uuid and ipaddress)
//	date                        I64  days since 1970-01-01
//	time                        I64  microseconds since midnight
//	timestamp(p)                I64  microseconds since 1970-01-01 00:00:00
//	timestamp(p) with time zone I64  microseconds since the epoch, UTC;
//	                            Zone one zone number each (see ZoneName)
//	interval day to second      I64  microseconds
//	interval year to month      I64  months
//	array(T)                    Offsets (Len+1) into Children[0]
//	map(K,V)                    Offsets (Len+1) into Children[0], Children[1]
//	row(...)                    Children, one per field, each of Len values
//
// Null marks missing values: bit i of Nulls is set when value i is NULL. A
// dictionary vector's value is NULL when its own bit is set or the entry its
// code names is NULL. The payload under a NULL is unspecified.
//
// # Ownership and concurrency
//
// A vector that has been handed over is read-only, for ever: dictionaries are
// shared between batches, and strings may point into shared pages. The
// identity of a Dict pointer is meaningful: two vectors with the same Dict
// share codes, so work done per dictionary entry can be reused. Vectors may be
// read from many goroutines.
package column

import (
	"fmt"
	"strings"
)

// Kind is the family of a [Type]. The numbers are part of on-disk formats:
// append, never renumber.
type Kind uint8

// The kinds. Unknown is the type of a bare NULL.
const (
	Unknown Kind = iota
	Boolean
	TinyInt
	SmallInt
	Integer
	BigInt
	Real
	Double
	Decimal
	Varchar
	Varbinary
	JSON
	Date
	Time
	Timestamp
	TimestampTZ
	IntervalDay
	IntervalMonth
	UUID
	IPAddress
	Array
	Map
	Row
)

var kindNames = [...]string{
	"unknown", "boolean", "tinyint", "smallint", "integer", "bigint", "real", "double", "decimal",
	"varchar", "varbinary", "json", "date", "time", "timestamp", "timestamp with time zone",
	"interval day to second", "interval year to month", "uuid", "ipaddress", "array", "map", "row",
}

// String returns the SQL name of the kind without parameters.
func (k Kind) String() string {
	if int(k) < len(kindNames) {
		return kindNames[k]
	}
	return fmt.Sprintf("kind(%d)", uint8(k))
}

// Type is a logical type. Types are compared with [Type.Equal]; the simple
// ones are shared package variables. A Type must not be changed once used.
type Type struct {
	Kind Kind
	// Precision is the total number of digits of a decimal, or the number of
	// digits after the second of a time or timestamp (0 to 6).
	Precision int
	// Scale is the number of digits after the point of a decimal.
	Scale int
	// Elem is the element type of an array, or the value type of a map.
	Elem *Type
	// Key is the key type of a map.
	Key *Type
	// Fields are the fields of a row, in order. Names are matched without
	// regard to case; an empty name is an anonymous field.
	Fields []Field
	// Alias is the PostgreSQL type whose values this type carries, where that is
	// not the usual one: "oid" or "regclass" for a bigint, "name" for a varchar.
	// Clients of that protocol are told it. It does not take part in Equal.
	Alias string
}

// Field is one member of a row type.
type Field struct {
	Name string
	Type *Type
}

// The types without parameters, and those parameters the lake uses itself.
var (
	UnknownType       = &Type{Kind: Unknown}
	BooleanType       = &Type{Kind: Boolean}
	TinyIntType       = &Type{Kind: TinyInt}
	SmallIntType      = &Type{Kind: SmallInt}
	IntegerType       = &Type{Kind: Integer}
	BigIntType        = &Type{Kind: BigInt}
	RealType          = &Type{Kind: Real}
	DoubleType        = &Type{Kind: Double}
	VarcharType       = &Type{Kind: Varchar}
	VarbinaryType     = &Type{Kind: Varbinary}
	JSONType          = &Type{Kind: JSON}
	DateType          = &Type{Kind: Date}
	TimeType          = &Type{Kind: Time, Precision: 3}
	TimestampType     = &Type{Kind: Timestamp, Precision: 3}
	TimestampTZType   = &Type{Kind: TimestampTZ, Precision: 3}
	IntervalDayType   = &Type{Kind: IntervalDay}
	IntervalMonthType = &Type{Kind: IntervalMonth}
	UUIDType          = &Type{Kind: UUID}
	IPAddressType     = &Type{Kind: IPAddress}
)

// ArrayOf returns array(elem).
func ArrayOf(elem *Type) *Type { return &Type{Kind: Array, Elem: elem} }

// MapOf returns map(key, value).
func MapOf(key, value *Type) *Type { return &Type{Kind: Map, Key: key, Elem: value} }

// RowOf returns row(fields...).
func RowOf(fields ...Field) *Type { return &Type{Kind: Row, Fields: fields} }

// DecimalOf returns decimal(precision, scale).
func DecimalOf(precision, scale int) *Type {
	return &Type{Kind: Decimal, Precision: precision, Scale: scale}
}

// FieldIndex returns the position of the row field called name, without regard
// to case, or -1.
func (t *Type) FieldIndex(name string) int {
	for i := range t.Fields {
		if strings.EqualFold(t.Fields[i].Name, name) {
			return i
		}
	}
	return -1
}

// Equal reports whether two types are the same, field names and aliases aside.
func (t *Type) Equal(o *Type) bool {
	if t == o {
		return true
	}
	if t == nil || o == nil || t.Kind != o.Kind {
		return false
	}
	switch t.Kind {
	case Decimal:
		return t.Precision == o.Precision && t.Scale == o.Scale
	case Time, Timestamp, TimestampTZ:
		return t.Precision == o.Precision
	case Array:
		return t.Elem.Equal(o.Elem)
	case Map:
		return t.Key.Equal(o.Key) && t.Elem.Equal(o.Elem)
	case Row:
		if len(t.Fields) != len(o.Fields) {
			return false
		}
		for i := range t.Fields {
			if !t.Fields[i].Type.Equal(o.Fields[i].Type) {
				return false
			}
		}
	}
	return true
}

// String returns the type as SQL text: map(varchar, varchar), timestamp(3).
func (t *Type) String() string {
	if t == nil {
		return "unknown"
	}
	switch t.Kind {
	case Decimal:
		return fmt.Sprintf("decimal(%d,%d)", t.Precision, t.Scale)
	case Time, Timestamp:
		return fmt.Sprintf("%s(%d)", t.Kind, t.Precision)
	case TimestampTZ:
		return fmt.Sprintf("timestamp(%d) with time zone", t.Precision)
	case Array:
		return "array(" + t.Elem.String() + ")"
	case Map:
		return "map(" + t.Key.String() + ", " + t.Elem.String() + ")"
	case Row:
		var b strings.Builder
		b.WriteString("row(")
		for i, f := range t.Fields {
			if i > 0 {
				b.WriteString(", ")
			}
			if f.Name != "" {
				b.WriteString(f.Name)
				b.WriteByte(' ')
			}
			b.WriteString(f.Type.String())
		}
		b.WriteByte(')')
		return b.String()
	}
	return t.Kind.String()
}

// IsInteger reports whether t is tinyint, smallint, integer or bigint.
func (t *Type) IsInteger() bool { return t.Kind >= TinyInt && t.Kind <= BigInt }

// IsNumeric reports whether t is an integer, floating-point or decimal type.
func (t *Type) IsNumeric() bool { return t.Kind >= TinyInt && t.Kind <= Decimal }

// Payload says which payload slice of a [Vector] holds the values of a kind.
type Payload uint8

// The precisions of decimals: those of up to DecimalDigitsShort digits are kept as
// int64, all others as 16 bytes.
const (
	DecimalDigitsShort = 18
	DecimalDigitsMax   = 38
)

// The payloads.
const (
	PayloadI64 Payload = iota
	PayloadF64
	PayloadStr
	PayloadNested
)

// Payload returns where vectors of this type keep their values. A NULL of
// unknown type counts as I64.
func (t *Type) Payload() Payload {
	switch t.Kind {
	case Real, Double:
		return PayloadF64
	case Varchar, Varbinary, JSON, UUID, IPAddress:
		return PayloadStr
	case Decimal:
		if t.Precision > DecimalDigitsShort {
			return PayloadStr
		}
	case Array, Map, Row:
		return PayloadNested
	}
	return PayloadI64
}
