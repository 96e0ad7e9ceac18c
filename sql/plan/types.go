package plan

import (
	"github.com/cairndb/cairn/segment/column"
	"github.com/cairndb/cairn/sql/parse"
	"github.com/cairndb/cairn/sql/sqlerr"
)

// decimalDigitsMax is the precision of the widest decimal.
const decimalDigitsMax = column.DecimalDigitsMax

// fractionDigitsMax is the highest precision of times: microseconds.
const fractionDigitsMax = 6

var namedTypes = map[string]*column.Type{
	"boolean": column.BooleanType, "bool": column.BooleanType,
	"tinyint":  column.TinyIntType,
	"smallint": column.SmallIntType, "int2": column.SmallIntType,
	"integer": column.IntegerType, "int": column.IntegerType, "int4": column.IntegerType,
	"bigint": column.BigIntType, "int8": column.BigIntType,
	"real": column.RealType, "float4": column.RealType,
	"double": column.DoubleType, "double precision": column.DoubleType, "float8": column.DoubleType, "float": column.DoubleType,
	"varchar": column.VarcharType, "text": column.VarcharType, "string": column.VarcharType, "char": column.VarcharType,
	"character": column.VarcharType, "character varying": column.VarcharType, "bpchar": column.VarcharType, "name": column.VarcharType,
	"varbinary": column.VarbinaryType, "bytea": column.VarbinaryType,
	"json": column.JSONType, "jsonb": column.JSONType,
	"date":                        column.DateType,
	"interval day to second":      column.IntervalDayType,
	"interval":                    column.IntervalDayType,
	"interval year to month":      column.IntervalMonthType,
	"uuid":                        column.UUIDType,
	"ipaddress":                   column.IPAddressType,
	"inet":                        column.IPAddressType,
	"unknown":                     column.UnknownType,
	"decimal":                     column.DecimalOf(decimalDigitsMax, 0),
	"numeric":                     column.DecimalOf(decimalDigitsMax, 0),
	"dec":                         column.DecimalOf(decimalDigitsMax, 0),
	"time":                        column.TimeType,
	"time without time zone":      column.TimeType,
	"timestamp":                   column.TimestampType,
	"datetime":                    column.TimestampType,
	"timestamptz":                 column.TimestampTZType,
	"timestamp with time zone":    column.TimestampTZType,
	"timestamp without time zone": column.TimestampType,
}

// resolveType returns the type that a type name of the query means.
func resolveType(n parse.TypeName) (*column.Type, error) {
	switch n.Name {
	case "array":
		if len(n.Args) != 1 {
			return nil, sqlerr.New(sqlerr.SyntaxError, n.Pos, "array takes one type: array(varchar)")
		}
		elem, err := resolveType(n.Args[0])
		if err != nil {
			return nil, err
		}
		return column.ArrayOf(elem), nil
	case "map":
		if len(n.Args) != 2 {
			return nil, sqlerr.New(sqlerr.SyntaxError, n.Pos, "map takes two types: map(varchar, bigint)")
		}
		key, err := resolveType(n.Args[0])
		if err != nil {
			return nil, err
		}
		value, err := resolveType(n.Args[1])
		if err != nil {
			return nil, err
		}
		return column.MapOf(key, value), nil
	case "row":
		var fields []column.Field
		for i, a := range n.Args {
			t, err := resolveType(a)
			if err != nil {
				return nil, err
			}
			f := column.Field{Type: t}
			if i < len(n.Fields) {
				f.Name = n.Fields[i].Text
			}
			fields = append(fields, f)
		}
		if len(fields) == 0 {
			return nil, sqlerr.New(sqlerr.SyntaxError, n.Pos, "row takes at least one field: row(a varchar)")
		}
		return column.RowOf(fields...), nil
	}
	t := namedTypes[n.Name]
	if t == nil {
		names := make([]string, 0, len(namedTypes))
		for name := range namedTypes {
			names = append(names, name)
		}
		e := sqlerr.New(sqlerr.UndefinedFunction, n.Pos, "there is no type %q", n.Name)
		e.Code = "42704"
		if near := nearest(n.Name, names); near != "" {
			e.WithHint("did you mean %s?", near)
		}
		return nil, e
	}
	if len(n.Params) == 0 {
		return t, nil
	}
	switch t.Kind {
	case column.Decimal:
		p, s := n.Params[0], 0
		if len(n.Params) > 1 {
			s = n.Params[1]
		}
		if p < 1 || p > decimalDigitsMax || s < 0 || s > p {
			return nil, sqlerr.New(sqlerr.InvalidArgument, n.Pos, "decimal(%d,%d) is out of range", p, s).
				WithHint("precision goes up to %d, scale up to the precision", decimalDigitsMax)
		}
		return column.DecimalOf(p, s), nil
	case column.Time, column.Timestamp, column.TimestampTZ:
		// Finer times are kept to the microsecond.
		return &column.Type{Kind: t.Kind, Precision: min(max(n.Params[0], 0), fractionDigitsMax)}, nil
	case column.Varchar, column.Real, column.Double:
		return t, nil
	}
	return nil, sqlerr.New(sqlerr.SyntaxError, n.Pos, "type %s takes no parameters", n.Name)
}
