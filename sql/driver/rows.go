package driver

import (
	"database/sql"
	"database/sql/driver"
	"io"
	"math"
	"reflect"
	"strings"
	"time"

	"github.com/cairndb/cairn/engine"
	"github.com/cairndb/cairn/segment/column"
	"github.com/cairndb/cairn/sql/fn"
)

// rows is the result of a query.
type rows struct {
	rows  *engine.Rows
	batch *column.Batch
	at    int
}

// Columns implements driver.Rows.
func (r *rows) Columns() []string {
	list := r.rows.Columns()
	names := make([]string, len(list))
	for i, c := range list {
		names[i] = c.Name
	}
	return names
}

// Close implements driver.Rows.
func (r *rows) Close() error {
	r.batch = nil
	return r.rows.Close()
}

// Next implements driver.Rows.
func (r *rows) Next(dest []driver.Value) error {
	for r.batch == nil || r.at >= r.batch.Len {
		b, err := r.rows.Next()
		if err != nil {
			return err
		}
		r.batch, r.at = b, 0
	}
	for i := range dest {
		dest[i] = valueOf(r.batch.Cols[i], r.at)
	}
	r.at++
	return nil
}

// drain reads the result to its end.
func (r *rows) drain() (driver.Result, error) {
	defer r.Close()
	n := int64(0)
	for {
		b, err := r.rows.Next()
		if err == io.EOF {
			return driver.RowsAffected(n), nil
		}
		if err != nil {
			return nil, err
		}
		n += int64(b.Len)
	}
}

// valueOf is a value in one of the types of database/sql.
func valueOf(v *column.Vector, i int) driver.Value {
	if v.IsNull(i) {
		return nil
	}
	leaf, j := v.Leaf(i)
	switch leaf.Type.Kind {
	case column.Boolean:
		return leaf.I64[j] != 0
	case column.TinyInt, column.SmallInt, column.Integer, column.BigInt:
		return leaf.I64[j]
	case column.Real, column.Double:
		return leaf.F64[j]
	case column.Varchar, column.JSON:
		return leaf.Str[j]
	case column.Varbinary:
		return []byte(leaf.Str[j])
	case column.Date:
		return time.Unix(leaf.I64[j]*86400, 0).UTC()
	case column.Timestamp:
		return time.UnixMicro(leaf.I64[j]).UTC()
	case column.TimestampTZ:
		at := time.UnixMicro(leaf.I64[j]).UTC()
		if j < len(leaf.Zone) {
			at = at.In(column.Zone(leaf.Zone[j]))
		}
		return at
	case column.Array, column.Map, column.Row:
		return string(fn.AppendJSON(nil, leaf, j))
	}
	return fn.Format(leaf, j)
}

func (r *rows) typeOf(i int) *column.Type { return r.rows.Columns()[i].Type }

// ColumnTypeDatabaseTypeName implements driver.RowsColumnTypeDatabaseTypeName: the name of
// the type in capitals, without its parameters.
func (r *rows) ColumnTypeDatabaseTypeName(i int) string {
	return strings.ToUpper(r.typeOf(i).Kind.String())
}

// ColumnTypeScanType implements driver.RowsColumnTypeScanType: a type that takes every
// value of the column, NULL included.
func (r *rows) ColumnTypeScanType(i int) reflect.Type {
	switch r.typeOf(i).Kind {
	case column.Boolean:
		return reflect.TypeFor[sql.NullBool]()
	case column.TinyInt, column.SmallInt, column.Integer, column.BigInt:
		return reflect.TypeFor[sql.NullInt64]()
	case column.Real, column.Double:
		return reflect.TypeFor[sql.NullFloat64]()
	case column.Varbinary:
		return reflect.TypeFor[[]byte]()
	case column.Date, column.Timestamp, column.TimestampTZ:
		return reflect.TypeFor[sql.NullTime]()
	case column.Unknown:
		return reflect.TypeFor[any]()
	}
	return reflect.TypeFor[sql.NullString]()
}

// ColumnTypeNullable implements driver.RowsColumnTypeNullable: any value may be missing.
func (r *rows) ColumnTypeNullable(int) (nullable, ok bool) { return true, true }

// ColumnTypeLength implements driver.RowsColumnTypeLength: texts and bytes have no limit.
func (r *rows) ColumnTypeLength(i int) (int64, bool) {
	switch r.typeOf(i).Kind {
	case column.Varchar, column.JSON, column.Varbinary:
		return math.MaxInt64, true
	}
	return 0, false
}

// ColumnTypePrecisionScale implements driver.RowsColumnTypePrecisionScale.
func (r *rows) ColumnTypePrecisionScale(i int) (precision, scale int64, ok bool) {
	t := r.typeOf(i)
	if t.Kind != column.Decimal {
		return 0, 0, false
	}
	return int64(t.Precision), int64(t.Scale), true
}
