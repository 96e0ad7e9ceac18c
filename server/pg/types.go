package pg

import (
	"github.com/jackc/pgx/v5/pgtype"

	"github.com/cairndb/cairn/segment/column"
	"github.com/cairndb/cairn/sql/fn"
)

// wireType is how a type is told to clients.
type wireType struct {
	oid  uint32
	size int16 // of a value in bytes, below 0 when it varies
	mod  int32 // modifier, -1 for none
}

// The OIDs of arrays that parameters may have.
var arrayOIDs = map[uint32]*column.Type{
	pgtype.BoolArrayOID:        column.ArrayOf(column.BooleanType),
	pgtype.Int2ArrayOID:        column.ArrayOf(column.SmallIntType),
	pgtype.Int4ArrayOID:        column.ArrayOf(column.IntegerType),
	pgtype.Int8ArrayOID:        column.ArrayOf(column.BigIntType),
	pgtype.OIDArrayOID:         column.ArrayOf(column.BigIntType),
	pgtype.Float4ArrayOID:      column.ArrayOf(column.RealType),
	pgtype.Float8ArrayOID:      column.ArrayOf(column.DoubleType),
	pgtype.TextArrayOID:        column.ArrayOf(column.VarcharType),
	pgtype.VarcharArrayOID:     column.ArrayOf(column.VarcharType),
	pgtype.NameArrayOID:        column.ArrayOf(column.VarcharType),
	pgtype.TimestamptzArrayOID: column.ArrayOf(timestampTZ6),
	pgtype.NumericArrayOID:     column.ArrayOf(numericParam),
}

// numericParam carries parameters that the client says are numeric, which has no scale by itself: 28 digits before
// the point and 10 behind it.
var numericParam = column.DecimalOf(38, 10)

var (
	timestampTZ6 = &column.Type{Kind: column.TimestampTZ, Precision: 6}
	timestamp6   = &column.Type{Kind: column.Timestamp, Precision: 6}
	time6        = &column.Type{Kind: column.Time, Precision: 6}
)

// typeOf returns how results of a type are told.
func typeOf(t *column.Type) wireType {
	if t.Alias != "" {
		if p, ok := fn.PostgresTypeByName(t.Alias); ok {
			return wireType{uint32(p.OID), int16(p.Len), -1}
		}
	}
	switch t.Kind {
	case column.Boolean:
		return wireType{pgtype.BoolOID, 1, -1}
	case column.TinyInt, column.SmallInt:
		return wireType{pgtype.Int2OID, 2, -1}
	case column.Integer:
		return wireType{pgtype.Int4OID, 4, -1}
	case column.BigInt:
		return wireType{pgtype.Int8OID, 8, -1}
	case column.Real:
		return wireType{pgtype.Float4OID, 4, -1}
	case column.Double:
		return wireType{pgtype.Float8OID, 8, -1}
	case column.Decimal:
		return wireType{pgtype.NumericOID, -1, int32(t.Precision)<<16 | int32(t.Scale) + 4}
	case column.Varbinary:
		return wireType{pgtype.ByteaOID, -1, -1}
	case column.Date:
		return wireType{pgtype.DateOID, 4, -1}
	case column.Time:
		return wireType{pgtype.TimeOID, 8, -1}
	case column.Timestamp, column.TimestampTZ:
		return wireType{pgtype.TimestamptzOID, 8, -1}
	case column.IntervalDay, column.IntervalMonth:
		return wireType{pgtype.IntervalOID, 16, -1}
	case column.UUID:
		return wireType{pgtype.UUIDOID, 16, -1}
	case column.JSON, column.Array, column.Map, column.Row:
		return wireType{pgtype.JSONBOID, -1, -1}
	}
	return wireType{pgtype.TextOID, -1, -1}
}

// paramOID returns the type that a parameter is told to have.
func paramOID(t *column.Type) uint32 {
	if t.Kind == column.Array {
		switch t.Elem.Kind {
		case column.Boolean:
			return pgtype.BoolArrayOID
		case column.TinyInt, column.SmallInt:
			return pgtype.Int2ArrayOID
		case column.Integer:
			return pgtype.Int4ArrayOID
		case column.BigInt:
			return pgtype.Int8ArrayOID
		case column.Real:
			return pgtype.Float4ArrayOID
		case column.Double:
			return pgtype.Float8ArrayOID
		case column.Varchar, column.Unknown:
			return pgtype.TextArrayOID
		case column.Timestamp, column.TimestampTZ:
			return pgtype.TimestamptzArrayOID
		}
	}
	return typeOf(t).oid
}

// declaredType returns the type of a parameter that the client says has an OID; nil
// for the types of text, which take what their place wants, and for unknown ones.
func declaredType(oid uint32) *column.Type {
	switch oid {
	case pgtype.BoolOID:
		return column.BooleanType
	case pgtype.Int2OID:
		return column.SmallIntType
	case pgtype.Int4OID:
		return column.IntegerType
	case pgtype.Int8OID, pgtype.OIDOID, pgtype.XIDOID, regclassOID, regtypeOID:
		return column.BigIntType
	case pgtype.Float4OID:
		return column.RealType
	case pgtype.Float8OID:
		return column.DoubleType
	case pgtype.NumericOID:
		return numericParam
	case pgtype.ByteaOID:
		return column.VarbinaryType
	case pgtype.DateOID:
		return column.DateType
	case pgtype.TimeOID:
		return time6
	case pgtype.TimestampOID:
		return timestamp6
	case pgtype.TimestamptzOID:
		return timestampTZ6
	case pgtype.IntervalOID:
		return column.IntervalDayType
	case pgtype.UUIDOID:
		return column.UUIDType
	case pgtype.JSONOID, pgtype.JSONBOID:
		return column.JSONType
	}
	return arrayOIDs[oid]
}

const (
	regclassOID = 2205
	regtypeOID  = 2206
)
