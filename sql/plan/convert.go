package plan

import (
	"github.com/cairndb/cairn/segment/column"
	"github.com/cairndb/cairn/sql/fn"
	"github.com/cairndb/cairn/sql/parse"
	"github.com/cairndb/cairn/sql/sqlerr"
)

// Conversions that the query does not spell out.

func constant(t *column.Type, v *column.Vector, pos parse.Pos) *Const {
	return &Const{base: base{t, pos}, Value: v}
}

func intConst(t *column.Type, x int64, pos parse.Pos) *Const {
	v := column.New(t, 1)
	v.I64[0] = x
	return constant(t, v, pos)
}

func boolConst(x bool, pos parse.Pos) *Const {
	if x {
		return intConst(column.BooleanType, 1, pos)
	}
	return intConst(column.BooleanType, 0, pos)
}

func textConst(s string, pos parse.Pos) *Const {
	return constant(column.VarcharType, &column.Vector{Type: column.VarcharType, Len: 1, Str: []string{s}}, pos)
}

func nullConst(t *column.Type, pos parse.Pos) *Const {
	v := column.New(t, 1)
	v.SetNull(0)
	return constant(t, v, pos)
}

func (e *Const) null() bool { return e.Value.IsNull(0) }

// isText reports whether e is a string whose type the context may choose.
func isText(e Expr) (*Const, bool) {
	c, ok := e.(*Const)
	if !ok || !c.Literal || c.T.Kind != column.Varchar || c.null() {
		return nil, false
	}
	return c, true
}

// untyped reports whether e takes whatever type the context wants: NULL, or a
// parameter that nothing has typed yet.
func (b *binder) untyped(e Expr) bool {
	if p, ok := e.(*Param); ok {
		return b.params[p.N-1].Kind == column.Unknown
	}
	return e.Type().Kind == column.Unknown
}

// alike reports whether values of two types have the same payload and meaning,
// so that no conversion is needed to compare them.
func alike(a, b *column.Type) bool {
	if a.Equal(b) {
		return true
	}
	switch a.Kind {
	case column.Time, column.Timestamp, column.TimestampTZ:
		return a.Kind == b.Kind
	}
	return false
}

// convert returns e as a value of type to, by a cast where that is needed.
func (b *binder) convert(e Expr, to *column.Type) (Expr, error) {
	from := e.Type()
	if from.Equal(to) {
		return e, nil
	}
	switch x := e.(type) {
	case *Param:
		if b.untyped(e) {
			b.params[x.N-1] = to
			return &Param{base{to, x.Place}, x.N}, nil
		}
	case *Const:
		if x.null() {
			return nullConst(to, x.Place), nil
		}
	case *Subquery:
		if b.untyped(e) { // its value can only be NULL
			c := *x
			c.T = to
			return &c, nil
		}
	}
	f, err := fn.Cast(from, to)
	if err != nil {
		return nil, sqlerr.At(err, e.Pos())
	}
	return b.fold(&Cast{base{to, e.Pos()}, e, f, false}), nil
}

// fromText converts a string literal to the type that its context wants, where
// the dialect does that. It returns nil where it does not.
func (b *binder) fromText(c *Const, to *column.Type) (Expr, error) {
	s := c.Value.Str[0]
	if b.opt.Postgres && (to.Kind == column.Array || isReg(to)) {
		return b.postgresCast(c, to, c.Place)
	}
	switch to.Kind {
	case column.Timestamp:
		us, err := fn.ParseTimestampLiteral(s)
		if err != nil {
			return nil, sqlerr.At(err, c.Place)
		}
		return intConst(to, us, c.Place), nil
	case column.TimestampTZ:
		us, err := fn.ParseTimestampLiteral(s)
		if err != nil {
			return nil, sqlerr.At(err, c.Place)
		}
		return intConst(to, us, c.Place), nil
	case column.Date, column.Time, column.Boolean, column.UUID, column.IPAddress:
	case column.TinyInt, column.SmallInt, column.Integer, column.BigInt, column.Real, column.Double, column.Decimal,
		column.JSON, column.IntervalDay:
		if !b.opt.Postgres {
			return nil, nil
		}
	default:
		return nil, nil
	}
	f, err := fn.Cast(c.T, to)
	if err != nil {
		return nil, nil
	}
	v, err := f.Eval(&b.folding, []*column.Vector{c.Value}, 1)
	if err != nil {
		if to.Kind == column.Boolean {
			return nil, nil
		}
		return nil, sqlerr.At(err, c.Place)
	}
	return constant(to, column.Flatten(v), c.Place), nil
}

// timeOfDay reports whether a date-like string says more than a day.
func (b *binder) timeOfDay(c *Const) bool {
	us, err := fn.ParseTimestampLiteral(c.Value.Str[0])
	return err == nil && us%(24*60*60*1e6) != 0
}

// The places that unify is asked about most.
const (
	comparing = "comparison"
	inList    = "IN"
)

// unify converts expressions that meet in one place to a common type. what says
// in what, for the error.
func (b *binder) unify(what string, list []Expr, pos parse.Pos) (*column.Type, error) {
	// What is only compared can keep its precision, and a column stays bare.
	compared := what == comparing || what == inList
	if err := b.fitRows(what, list, pos); err != nil {
		return nil, err
	}
	var t *column.Type
	for i, e := range list {
		if b.untyped(e) {
			continue
		}
		if _, ok := isText(e); ok {
			continue
		}
		if t == nil {
			t = e.Type()
			continue
		}
		if alike(t, e.Type()) && t.Kind != column.Row {
			if e.Type().Precision > t.Precision {
				t = e.Type()
			}
			continue
		}
		common := fn.CommonType(t, e.Type())
		if common == nil {
			return nil, mismatch(what, t, e, list[:i])
		}
		t = common
	}
	for _, e := range list {
		c, ok := isText(e)
		if !ok {
			continue
		}
		if t == nil {
			t = column.VarcharType
		}
		if t.Kind == column.Date && b.timeOfDay(c) {
			t = column.TimestampType
		}
	}
	if t == nil {
		t = column.UnknownType
	}
	for i, e := range list {
		if c, ok := isText(e); ok && t.Kind != column.Varchar {
			n, err := b.fromText(c, t)
			if err != nil {
				return nil, err
			}
			if n == nil {
				return nil, mismatch(what, t, e, list[:i])
			}
			list[i] = n
			continue
		}
		if compared && alike(e.Type(), t) {
			continue
		}
		n, err := b.convert(e, t)
		if err != nil {
			return nil, err
		}
		list[i] = n
	}
	return t, nil
}

// mismatch is the error for expressions that have no common type.
func mismatch(what string, t *column.Type, e Expr, before []Expr) error {
	other := e.Type()
	err := sqlerr.New(sqlerr.DatatypeMismatch, e.Pos(), "%s: %s and %s do not go together", what, t, other)
	text := func(k *column.Type) bool { return k.Kind == column.Varchar }
	switch {
	case text(t) && other.Kind == column.JSON || text(other) && t.Kind == column.JSON:
		err.WithHint("json_extract_scalar gives text; or CAST the JSON value AS varchar")
	case text(t) && (other.Kind == column.Timestamp || other.Kind == column.TimestampTZ || other.Kind == column.Date),
		text(other) && (t.Kind == column.Timestamp || t.Kind == column.TimestampTZ || t.Kind == column.Date):
		err.WithHint("turn the text into a time with CAST(… AS timestamp), or with from_iso8601_timestamp for the form 2026-01-31T13:45:00Z")
	case text(t) && other.IsNumeric():
		err.WithHint("CAST one of the two: CAST(%s AS %s)", subject(before), other)
	case text(other) && t.IsNumeric():
		err.WithHint("CAST one of the two: CAST(%s AS %s)", subject([]Expr{e}), t)
	case text(t) != text(other):
		err.WithHint("CAST one of the two to the other's type")
	}
	return err
}

// subject shows the expression that a hint is about.
func subject(list []Expr) string {
	for _, e := range list {
		if s := describe(e); e.Type().Kind == column.Varchar && len(s) <= 60 {
			return s
		}
	}
	return "…"
}

// compare binds a comparison of two values.
func (b *binder) compare(op CmpOp, l, r Expr, pos parse.Pos) (Expr, error) {
	if whole, ok := wholeComparison(op, l, r, pos); ok {
		return b.fold(whole), nil
	}
	if whole, ok := wholeComparison(op.flip(), r, l, pos); ok {
		return b.fold(whole), nil
	}
	ops := []Expr{l, r}
	t, err := b.unify(comparing, ops, pos)
	if err != nil {
		return nil, err
	}
	l, r = ops[0], ops[1]
	switch op {
	case CmpLt, CmpLe, CmpGt, CmpGe:
		if !fn.CanOrder(t) {
			return nil, sqlerr.New(sqlerr.DatatypeMismatch, pos, "values of type %s have no order", t)
		}
	}
	return b.fold(plainTimes(b.opt.Zone, &Compare{base{column.BooleanType, pos}, op, l, r})), nil
}

// wholeComparison turns the comparison of an integer with a decimal constant into
// one of integers, which storage can use and no row pays for: x < 2.5 is x <= 2.
func wholeComparison(op CmpOp, l, r Expr, pos parse.Pos) (Expr, bool) {
	c, ok := r.(*Const)
	if _, is := l.(*Const); is || !ok || c.null() || c.T.Kind != column.Decimal || !l.Type().IsInteger() {
		return nil, false
	}
	whole, exact, ok := fn.DecimalFloor(c.Value, l.Type())
	if !ok {
		return nil, false
	}
	if !exact {
		switch op {
		case CmpLt, CmpLe:
			op = CmpLe
		case CmpGt, CmpGe:
			op = CmpGt
		default:
			return nil, false
		}
	}
	return &Compare{base{column.BooleanType, pos}, op, l, intConst(l.Type(), whole, c.Place)}, true
}

// plainTimes takes the cast out of a comparison of a timestamp column with a
// constant time with zone, such as eventTime > now() - interval '1' day: in a
// session in UTC the two count the same microseconds, and the bare column is
// what storage can use.
func plainTimes(zone uint16, e *Compare) *Compare {
	if zone != 0 {
		return e
	}
	strip := func(x Expr) (Expr, bool) {
		if c, ok := x.(*Cast); ok && !c.Try && c.T.Kind == column.TimestampTZ && c.X.Type().Kind == column.Timestamp {
			return c.X, true
		}
		return x, false
	}
	flat := func(x Expr, t *column.Type) (Expr, bool) {
		c, ok := x.(*Const)
		if !ok || c.T.Kind != column.TimestampTZ {
			return x, false
		}
		if c.null() {
			return nullConst(t, c.Place), true
		}
		return intConst(t, c.Value.I64[0], c.Place), true
	}
	if l, ok := strip(e.L); ok {
		if r, ok := flat(e.R, l.Type()); ok {
			return &Compare{e.base, e.Op, l, r}
		}
	}
	if r, ok := strip(e.R); ok {
		if l, ok := flat(e.L, r.Type()); ok {
			return &Compare{e.base, e.Op, l, r}
		}
	}
	return e
}

// condition binds e as something that is true or false.
func (b *binder) condition(e Expr, where string) (Expr, error) {
	t := e.Type()
	if t.Kind == column.Boolean {
		return e, nil
	}
	if b.untyped(e) {
		return b.convert(e, column.BooleanType)
	}
	if c, ok := isText(e); ok {
		if n, err := b.fromText(c, column.BooleanType); n != nil || err != nil {
			return n, err
		}
	}
	return nil, sqlerr.New(sqlerr.DatatypeMismatch, e.Pos(), "%s takes a condition, not %s", where, t).
		WithHint("compare the value with something, as in %s = …", describe(e))
}
