package fn

import "github.com/cairndb/cairn/segment/column"

// maxDecimalDigits is the precision of the widest decimal.
const maxDecimalDigits = column.DecimalDigitsMax

// integerDigits is how many decimal digits each integer type can need.
func integerDigits(k column.Kind) int {
	switch k {
	case column.TinyInt:
		return 3
	case column.SmallInt:
		return 5
	case column.Integer:
		return 10
	}
	return 19
}

// decimalShape returns precision and scale of an integer or decimal type.
func decimalShape(t *column.Type) (precision, scale int) {
	if t.Kind == column.Decimal {
		return t.Precision, t.Scale
	}
	return integerDigits(t.Kind), 0
}

func cappedDecimal(precision, scale int) *column.Type {
	return column.DecimalOf(max(1, min(precision, maxDecimalDigits)), min(scale, maxDecimalDigits))
}

// CommonType returns the type to which values of both types are converted
// implicitly where they meet (in a comparison, CASE, UNION, array), or nil when
// there is none. A bare NULL takes the other's type; integers widen and become
// decimals, those doubles; dates become timestamps, those timestamps with time
// zone; arrays, maps and rows follow their parts. Text never becomes a number
// or the other way round.
func CommonType(a, b *column.Type) *column.Type {
	if a.Equal(b) && (a == b || a.Payload() != column.PayloadNested) {
		return a
	}
	if a.Kind == column.Unknown {
		return b
	}
	if b.Kind == column.Unknown {
		return a
	}
	if a.Kind > b.Kind {
		a, b = b, a
	}
	// From here on a.Kind <= b.Kind, in the order of declaration.
	switch {
	case a.IsInteger() && b.IsInteger():
		return b
	case a.IsNumeric() && b.IsNumeric():
		switch {
		case b.Kind == column.Double || a.Kind == column.Double:
			return column.DoubleType
		case b.Kind == column.Real || a.Kind == column.Real:
			return column.RealType
		}
		pa, sa := decimalShape(a)
		pb, sb := decimalShape(b)
		scale := max(sa, sb)
		return cappedDecimal(max(pa-sa, pb-sb)+scale, scale)
	case a.Kind == column.Date && b.Kind == column.Timestamp,
		a.Kind == column.Date && b.Kind == column.TimestampTZ:
		return b
	case a.Kind == column.Timestamp && b.Kind == column.TimestampTZ:
		if a.Precision > b.Precision {
			return &column.Type{Kind: column.TimestampTZ, Precision: a.Precision}
		}
		return b
	}
	if a.Kind != b.Kind {
		return nil
	}
	switch a.Kind {
	case column.Time, column.Timestamp, column.TimestampTZ:
		if a.Precision > b.Precision {
			return a
		}
		return b
	case column.Array:
		if e := CommonType(a.Elem, b.Elem); e != nil {
			return column.ArrayOf(e)
		}
	case column.Map:
		k, v := CommonType(a.Key, b.Key), CommonType(a.Elem, b.Elem)
		if k != nil && v != nil {
			return column.MapOf(k, v)
		}
	case column.Row:
		if len(a.Fields) != len(b.Fields) {
			return nil
		}
		fields := make([]column.Field, len(a.Fields))
		for i := range fields {
			t := CommonType(a.Fields[i].Type, b.Fields[i].Type)
			if t == nil {
				return nil
			}
			name := a.Fields[i].Name
			if name == "" {
				name = b.Fields[i].Name
			}
			fields[i] = column.Field{Name: name, Type: t}
		}
		return column.RowOf(fields...)
	}
	return nil
}

// CanCoerce reports whether a value of one type is converted to another
// without a CAST.
func CanCoerce(from, to *column.Type) bool {
	if from.Equal(to) {
		return true
	}
	t := CommonType(from, to)
	return t != nil && t.Equal(to)
}

// coercionCost ranks implicit conversions, so that the overload that changes
// its arguments least is taken: 0 for the same type, -1 when impossible.
func coercionCost(from, to *column.Type) int {
	switch {
	case from.Equal(to):
		return 0
	case from.Kind == column.Unknown:
		return 1
	case !CanCoerce(from, to):
		return -1
	case from.Kind == to.Kind:
		return 1
	case from.IsNumeric():
		rank := [...]int{
			column.TinyInt: 1, column.SmallInt: 2, column.Integer: 3, column.BigInt: 4,
			column.Decimal: 6, column.Double: 9, column.Real: 10,
		}
		return rank[to.Kind] - min(rank[from.Kind], rank[to.Kind]-1)
	}
	return 2 + int(to.Kind) - int(from.Kind)
}
