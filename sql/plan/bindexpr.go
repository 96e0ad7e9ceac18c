package plan

import (
	"strconv"
	"strings"

	"github.com/cairndb/cairn/segment/column"
	"github.com/cairndb/cairn/sql/fn"
	"github.com/cairndb/cairn/sql/parse"
	"github.com/cairndb/cairn/sql/sqlerr"
)

// expr binds an expression in which aggregates may not stand.
func (b *binder) expr(x parse.Expr, sc *scope, clause string) (Expr, error) {
	was := b.aggs
	b.aggs = nil
	defer func() { b.aggs = was }()
	return b.bindExpr(x, sc, clause)
}

func (b *binder) exprs(list []parse.Expr, sc *scope, clause string) ([]Expr, error) {
	out := make([]Expr, len(list))
	for i, x := range list {
		e, err := b.bindExpr(x, sc, clause)
		if err != nil {
			return nil, err
		}
		out[i] = e
	}
	return out, nil
}

// bindExpr binds an expression.
func (b *binder) bindExpr(x parse.Expr, sc *scope, clause string) (Expr, error) {
	if err := b.ctx.Err(); err != nil {
		return nil, err
	}
	if b.depth++; b.depth > exprDepthMax {
		return nil, sqlerr.New(sqlerr.StatementTooComplex, x.Position(), "the expression nests too deeply")
	}
	defer func() { b.depth-- }()
	pos := x.Position()
	if sc.lambda != nil && isQuery(x) {
		return nil, sqlerr.New(sqlerr.FeatureNotSupported, pos, "a lambda cannot have a sub-query inside")
	}
	switch x := x.(type) {
	case *parse.Literal:
		return b.literal(x)
	case *parse.Typed:
		return b.typedLiteral(x)
	case *parse.Interval:
		t, v, err := fn.ParseIntervalLiteral(x.Text, x.Unit, x.To)
		if err != nil {
			return nil, sqlerr.At(err, pos)
		}
		if x.Negative {
			v = -v
		}
		return intConst(t, v, pos), nil
	case *parse.Ident:
		return b.resolve(sc, x.Name)
	case *parse.Param:
		return b.param(x)
	case *parse.Unary:
		return b.unary(x, sc, clause)
	case *parse.Binary:
		return b.binary(x, sc, clause)
	case *parse.Distinct:
		ops, err := b.exprs([]parse.Expr{x.L, x.R}, sc, clause)
		if err != nil {
			return nil, err
		}
		op := IsDistinct
		if x.Not {
			op = IsNotDistinct
		}
		return b.compare(op, ops[0], ops[1], pos)
	case *parse.Between:
		return b.between(x, sc, clause)
	case *parse.In:
		return b.in(x, sc, clause)
	case *parse.Like:
		return b.like(x, sc, clause)
	case *parse.Is:
		return b.is(x, sc, clause)
	case *parse.Case:
		return b.bindCase(x, sc, clause)
	case *parse.Cast:
		return b.cast(x, sc, clause)
	case *parse.Call:
		return b.call(x, sc, clause)
	case *parse.Field:
		e, err := b.bindExpr(x.X, sc, clause)
		if err != nil {
			return nil, err
		}
		return b.fields(e, []parse.Part{x.Name}, nil, pos)
	case *parse.Subscript:
		return b.subscript(x, sc, clause)
	case *parse.AtTimeZone:
		ops, err := b.exprs([]parse.Expr{x.X, x.Zone}, sc, clause)
		if err != nil {
			return nil, err
		}
		return b.function("at_timezone", ops, pos, pos)
	case *parse.Array:
		return b.array(x, sc, clause)
	case *parse.JSONCall:
		return b.jsonCall(x, sc, clause)
	case *parse.Row:
		return b.row(x, sc, clause)
	case *parse.Lambda:
		return nil, sqlerr.New(sqlerr.SyntaxError, pos, "a lambda can only be an argument of a function such as filter or transform")
	case *parse.Slice:
		return b.slice(x, sc, clause)
	case *parse.Subquery:
		return b.subquery(x, sc, clause)
	case *parse.Exists:
		return b.exists(x, sc, clause)
	case *parse.Quantified:
		return b.quantified(x, sc, clause)
	}
	return nil, notYet(pos, "this form of expression is")
}

func (b *binder) literal(x *parse.Literal) (Expr, error) {
	switch x.Kind {
	case parse.NullLiteral:
		return nullConst(column.UnknownType, x.Pos), nil
	case parse.BoolLiteral:
		return boolConst(strings.EqualFold(x.Text, "true"), x.Pos), nil
	case parse.IntegerLiteral:
		return b.wholeNumber(x.Text, x.Pos)
	case parse.DecimalLiteral:
		v, ok := fn.DecimalLiteral(x.Text)
		if !ok {
			return nil, sqlerr.New(sqlerr.NumericOutOfRange, x.Pos, "%s has more than %d digits", x.Text, decimalDigitsMax).
				WithHint("write %se0 for a double", x.Text)
		}
		return constant(v.Type, v, x.Pos), nil
	case parse.DoubleLiteral:
		f, err := strconv.ParseFloat(x.Text, 64)
		if err != nil {
			return nil, sqlerr.New(sqlerr.NumericOutOfRange, x.Pos, "%s is out of range for double", x.Text)
		}
		return constant(column.DoubleType, &column.Vector{Type: column.DoubleType, Len: 1, F64: []float64{f}}, x.Pos), nil
	case parse.BinaryLiteral:
		return constant(column.VarbinaryType, &column.Vector{Type: column.VarbinaryType, Len: 1, Str: []string{x.Text}}, x.Pos), nil
	}
	c := textConst(x.Text, x.Pos)
	c.Literal = true
	return c, nil
}

func (b *binder) typedLiteral(x *parse.Typed) (Expr, error) {
	t, err := b.typeNamed(x.Type)
	if err != nil {
		return nil, err
	}
	if t.Kind == column.IntervalDay {
		t, v, err := fn.ParseIntervalLiteral(x.Text, "", "")
		if err != nil {
			return nil, sqlerr.At(err, x.Pos)
		}
		return intConst(t, v, x.Pos), nil
	}
	if t.Kind == column.JSON {
		// The literal is JSON text; a cast would make a JSON string of it.
		return b.parsedJSON(x)
	}
	if t.Kind == column.Timestamp && len(x.Type.Params) == 0 || t.Kind == column.TimestampTZ && len(x.Type.Params) == 0 {
		if lt, us, zone, ok := fn.TimestampLiteral(x.Text); ok && (t.Kind == column.Timestamp || lt.Kind == column.TimestampTZ) {
			v := column.New(lt, 1)
			v.I64[0] = us
			if lt.Kind == column.TimestampTZ {
				v.Zone[0] = zone
			}
			return constant(lt, v, x.Pos), nil
		}
	}
	f, err := fn.Cast(column.VarcharType, t)
	if err != nil {
		return nil, sqlerr.At(err, x.Pos)
	}
	c := textConst(x.Text, x.Pos)
	v, err := f.Eval(&b.folding, []*column.Vector{c.Value}, 1)
	if err == nil {
		return constant(t, column.Flatten(v), x.Pos), nil
	}
	if t.Kind == column.Timestamp {
		// The forms that a comparison takes are welcome here too.
		if us, lenient := fn.ParseTimestampLiteral(x.Text); lenient == nil {
			return intConst(t, us, x.Pos), nil
		}
	}
	return nil, sqlerr.At(err, x.Pos)
}

// parsedJSON binds json '…'. Text that is not JSON is an error at once.
func (b *binder) parsedJSON(x *parse.Typed) (Expr, error) {
	f, err := fn.LookupScalar("json_parse").Bind([]*column.Type{column.VarcharType})
	if err != nil {
		return nil, sqlerr.At(err, x.Pos)
	}
	v, err := f.Eval(&b.folding, []*column.Vector{textConst(x.Text, x.Pos).Value}, 1)
	if err != nil {
		return nil, sqlerr.At(err, x.Pos)
	}
	return constant(column.JSONType, column.Flatten(v), x.Pos), nil
}

func (b *binder) param(x *parse.Param) (Expr, error) {
	for len(b.params) < x.N {
		b.params = append(b.params, column.UnknownType)
	}
	if b.opt.Values == nil {
		return &Param{base{b.params[x.N-1], x.Pos}, x.N}, nil
	}
	if x.N > len(b.opt.Values) {
		return nil, sqlerr.New(sqlerr.UndefinedParameter, x.Pos, "parameter %d has no value: %d were given", x.N, len(b.opt.Values))
	}
	v := column.Flatten(b.opt.Values[x.N-1])
	if v.Len != 1 {
		return nil, sqlerr.New(sqlerr.InvalidArgument, x.Pos, "parameter %d has %d values", x.N, v.Len)
	}
	c := constant(v.Type, v, x.Pos)
	c.Literal = v.Type.Kind == column.Varchar
	if c.null() && v.Type.Kind == column.Unknown {
		c = nullConst(column.UnknownType, x.Pos)
	}
	if t := b.params[x.N-1]; t.Kind != column.Unknown && !t.Equal(v.Type) {
		if text, ok := isText(c); ok {
			if e, err := b.fromText(text, t); e != nil || err != nil {
				return e, err
			}
		}
		return b.convert(c, t)
	}
	b.params[x.N-1] = v.Type
	return c, nil
}

func (b *binder) unary(x *parse.Unary, sc *scope, clause string) (Expr, error) {
	if l, ok := x.X.(*parse.Literal); ok && x.Op == "-" && l.Kind == parse.IntegerLiteral {
		// Together, for the smallest bigint has no positive counterpart.
		return b.wholeNumber("-"+l.Text, x.Pos)
	}
	e, err := b.bindExpr(x.X, sc, clause)
	if err != nil {
		return nil, err
	}
	switch strings.ToLower(x.Op) {
	case "not":
		if e, err = b.condition(e, "NOT"); err != nil {
			return nil, err
		}
		return b.fold(&Not{base{column.BooleanType, x.Pos}, e}), nil
	case "-":
		return b.function("negate", []Expr{e}, x.Pos, x.Pos)
	case "+":
		if !e.Type().IsNumeric() && !b.untyped(e) {
			return nil, sqlerr.New(sqlerr.DatatypeMismatch, x.Pos, "+ takes a number, not %s", e.Type())
		}
		return e, nil
	}
	return nil, notYet(x.Pos, "the operator "+x.Op+" is")
}

var comparisons = map[string]CmpOp{"=": CmpEq, "<>": CmpNe, "!=": CmpNe, "<": CmpLt, "<=": CmpLe, ">": CmpGt, ">=": CmpGe}

func (b *binder) binary(x *parse.Binary, sc *scope, clause string) (Expr, error) {
	op := strings.ToLower(x.Op)
	if op == "and" || op == "or" {
		return b.logic(x, op, sc, clause)
	}
	ops, err := b.exprs([]parse.Expr{x.L, x.R}, sc, clause)
	if err != nil {
		return nil, err
	}
	if c, ok := comparisons[op]; ok {
		e, err := b.compare(c, ops[0], ops[1], x.Pos)
		return e, err
	}
	if op == "/" {
		if err := b.divided(ops); err != nil {
			return nil, err
		}
	}
	return b.function(op, ops, x.Pos, x.OpPos)
}

// logic binds a chain of AND or OR as one node.
func (b *binder) logic(x *parse.Binary, op string, sc *scope, clause string) (Expr, error) {
	// Chains lean to the left; walk them in a loop, for they may be long.
	var chain []parse.Expr
	var left parse.Expr = x
	for {
		l, ok := left.(*parse.Binary)
		if !ok || strings.ToLower(l.Op) != op {
			chain = append(chain, left)
			break
		}
		chain = append(chain, l.R)
		left = l.L
	}
	items := make([]Expr, 0, len(chain))
	for i := len(chain) - 1; i >= 0; i-- {
		e, err := b.bindExpr(chain[i], sc, clause)
		if err != nil {
			return nil, err
		}
		if e, err = b.condition(e, strings.ToUpper(op)); err != nil {
			return nil, err
		}
		if a, ok := e.(*And); ok && op == "and" {
			items = append(items, a.Items...)
		} else if o, ok := e.(*Or); ok && op == "or" {
			items = append(items, o.Items...)
		} else {
			items = append(items, e)
		}
	}
	at := base{column.BooleanType, x.Pos}
	if op == "and" {
		return b.fold(&And{at, items}), nil
	}
	return b.fold(b.membership(&Or{at, items})), nil
}

// membership turns x = 1 OR x = 2 OR x IN (3, 4) into x IN (1, 2, 3, 4).
func (b *binder) membership(o *Or) Expr {
	var x Expr
	var values *column.Appender
	for _, it := range o.Items {
		var on Expr
		var v *column.Vector
		switch e := it.(type) {
		case *Compare:
			c, ok := e.R.(*Const)
			if !ok || e.Op != CmpEq || c.null() {
				return o
			}
			on, v = e.L, c.Value
		case *In:
			if e.HasNull {
				return o
			}
			on, v = e.X, e.Values
		default:
			return o
		}
		if x == nil {
			if !cannotFail(on) {
				return o
			}
			x, values = on, column.NewAppender(on.Type(), len(o.Items))
		} else if !same(x, on) || !x.Type().Equal(on.Type()) {
			return o
		}
		if on.Type().Payload() == column.PayloadNested || on.Type().Payload() == column.PayloadF64 {
			return o
		}
		values.AppendAll(v)
	}
	return &In{o.base, x, values.Vector(), false}
}

func (b *binder) between(x *parse.Between, sc *scope, clause string) (Expr, error) {
	ops, err := b.exprs([]parse.Expr{x.X, x.Low, x.High}, sc, clause)
	if err != nil {
		return nil, err
	}
	low, err := b.compare(CmpGe, ops[0], ops[1], x.Pos)
	if err != nil {
		return nil, err
	}
	high, err := b.compare(CmpLe, ops[0], ops[2], x.Pos)
	if err != nil {
		return nil, err
	}
	at := base{column.BooleanType, x.Pos}
	e := b.fold(&And{at, []Expr{low, high}})
	if x.Not {
		e = b.fold(&Not{at, e})
	}
	return e, nil
}

func (b *binder) in(x *parse.In, sc *scope, clause string) (Expr, error) {
	if x.Query != nil {
		if x.Not {
			return b.compareAll(AllQuery, CmpNe, x.X, x.Query, x.Pos, sc, clause)
		}
		return b.compareAll(AnyQuery, CmpEq, x.X, x.Query, x.Pos, sc, clause)
	}
	list := make([]Expr, 0, len(x.List)+1)
	for _, p := range append([]parse.Expr{x.X}, x.List...) {
		e, err := b.bindExpr(p, sc, clause)
		if err != nil {
			return nil, err
		}
		list = append(list, e)
	}
	if _, err := b.unify(inList, list, x.Pos); err != nil {
		return nil, err
	}
	at := base{column.BooleanType, x.Pos}
	of := list[0]
	constants := &In{base: at, X: of}
	values := column.NewAppender(of.Type(), len(list))
	var others []Expr
	for _, e := range list[1:] {
		c, ok := e.(*Const)
		switch {
		case !ok, !c.null() && (of.Type().Payload() == column.PayloadNested || b.untyped(of)):
			// What has no type can only be NULL, or fail. A NULL inside a row or an array may make equality unknown, which a
			// look-up cannot tell.
			n, err := b.compare(CmpEq, of, e, x.Pos)
			if err != nil {
				return nil, err
			}
			others = append(others, n)
		case c.null():
			constants.HasNull = true
		default:
			values.Append(c.Value, 0)
		}
	}
	constants.Values = values.Vector()
	var e Expr
	switch n := constants.Values.Len; {
	case n == 1 && !constants.HasNull:
		var err error
		if e, err = b.compare(CmpEq, of, constant(of.Type(), constants.Values, x.Pos), x.Pos); err != nil {
			return nil, err
		}
	case n > 0 || constants.HasNull:
		e = b.fold(b.plainMembers(constants))
	}
	if len(others) > 0 {
		if e != nil {
			others = append([]Expr{e}, others...)
		}
		e = others[0]
		if len(others) > 1 {
			e = b.fold(&Or{at, others})
		}
	}
	if x.Not {
		e = b.fold(&Not{at, e})
	}
	return e, nil
}

// plainMembers does for IN what plainTimes does for a comparison.
func (b *binder) plainMembers(in *In) *In {
	c, ok := in.X.(*Cast)
	if !ok || c.Try || b.opt.Zone != 0 || c.T.Kind != column.TimestampTZ || c.X.Type().Kind != column.Timestamp {
		return in
	}
	t := c.X.Type()
	return &In{in.base, c.X, &column.Vector{Type: t, Len: in.Values.Len, I64: in.Values.I64}, in.HasNull}
}

// mapAsText gives the JSON text of a map.
func (b *binder) mapAsText(e Expr) (Expr, error) {
	f, err := fn.Cast(e.Type(), column.JSONType)
	if err != nil {
		return nil, err
	}
	doc := b.fold(&Cast{base{column.JSONType, e.Pos()}, e, f, false})
	return b.function("json_format", []Expr{doc}, e.Pos(), e.Pos())
}

func (b *binder) like(x *parse.Like, sc *scope, clause string) (Expr, error) {
	if x.Similar {
		return b.similar(x, sc, clause)
	}
	parts := []parse.Expr{x.X, x.Pattern}
	if x.Esc != nil {
		parts = append(parts, x.Esc)
	}
	ops, err := b.exprs(parts, sc, clause)
	if err != nil {
		return nil, err
	}
	for i, e := range ops {
		if b.untyped(e) {
			if ops[i], err = b.convert(e, column.VarcharType); err != nil {
				return nil, err
			}
		} else if e.Type().Kind != column.Varchar {
			if t := e.Type(); i == 0 && t.Kind == column.Map {
				// Where maps are text, as in tables of log files, so are they searched.
				if text, err := b.mapAsText(e); err == nil {
					ops[i] = text
					continue
				}
			}
			err := sqlerr.New(sqlerr.DatatypeMismatch, e.Pos(), "LIKE takes text, not %s", e.Type())
			if e.Type().Payload() == column.PayloadNested {
				return nil, err.WithHint("json_format(CAST(%s AS json))", describe(e))
			}
			return nil, err.WithHint("CAST(%s AS varchar)", describe(e))
		}
	}
	at := base{column.BooleanType, x.Pos}
	l := &Like{base: at, X: ops[0], Pattern: ops[1], Fold: x.Fold}
	if x.Esc != nil {
		l.Escape = ops[2]
	}
	var e Expr = b.foldLike(l)
	if x.Not {
		e = b.fold(&Not{at, e})
	}
	return e, nil
}

// foldLike computes a constant LIKE.
func (b *binder) foldLike(l *Like) Expr {
	name := "like"
	if l.Fold {
		name = "ilike"
	}
	ops := l.operands()
	types := make([]*column.Type, len(ops))
	for i, o := range ops {
		types[i] = o.Type()
		if _, ok := o.(*Const); !ok {
			return l
		}
	}
	f, err := fn.LookupScalar(name).Bind(types)
	if err != nil {
		return l
	}
	return b.foldCall(l, f, ops)
}

func (b *binder) is(x *parse.Is, sc *scope, clause string) (Expr, error) {
	e, err := b.bindExpr(x.X, sc, clause)
	if err != nil {
		return nil, err
	}
	at := base{column.BooleanType, x.Pos}
	if x.What == "null" {
		return b.fold(&IsNullTest{at, e, x.Not}), nil
	}
	if e, err = b.condition(e, "IS "+strings.ToUpper(x.What)); err != nil {
		return nil, err
	}
	if x.What == "unknown" {
		return b.fold(&IsNullTest{at, e, x.Not}), nil
	}
	op := IsNotDistinct
	if x.Not {
		op = IsDistinct
	}
	return b.compare(op, e, boolConst(x.What == "true", x.Pos), x.Pos)
}

func (b *binder) bindCase(x *parse.Case, sc *scope, clause string) (Expr, error) {
	c := &Case{base: base{Place: x.Pos}}
	var compared []Expr
	if x.Operand != nil {
		e, err := b.bindExpr(x.Operand, sc, clause)
		if err != nil {
			return nil, err
		}
		compared = append(compared, e)
	}
	var results []Expr
	for _, w := range x.Whens {
		when, err := b.bindExpr(w.Cond, sc, clause)
		if err != nil {
			return nil, err
		}
		then, err := b.bindExpr(w.Then, sc, clause)
		if err != nil {
			return nil, err
		}
		if x.Operand == nil {
			if when, err = b.condition(when, "WHEN"); err != nil {
				return nil, err
			}
		}
		compared, results = append(compared, when), append(results, then)
	}
	if x.Else != nil {
		e, err := b.bindExpr(x.Else, sc, clause)
		if err != nil {
			return nil, err
		}
		results = append(results, e)
	}
	c.Whens = compared
	if x.Operand != nil {
		if _, err := b.unify("CASE", compared, x.Pos); err != nil {
			return nil, err
		}
		c.Operand, c.Whens = compared[0], compared[1:]
	}
	return b.finishCase(c, results, x.Else != nil)
}

// finishCase gives the results of a CASE their common type.
func (b *binder) finishCase(c *Case, results []Expr, hasElse bool) (Expr, error) {
	t, err := b.unify("CASE", results, c.Place)
	if err != nil {
		return nil, err
	}
	c.T = t
	c.Thens = results[:len(c.Whens)]
	if hasElse {
		c.Else = results[len(c.Whens)]
	}
	return b.fold(c), nil
}

func (b *binder) cast(x *parse.Cast, sc *scope, clause string) (Expr, error) {
	t, err := b.typeNamed(x.Type)
	if err != nil {
		return nil, err
	}
	e, err := b.bindExpr(x.X, sc, clause)
	if err != nil {
		return nil, err
	}
	if b.unboundedNumeric(x.Type) {
		t = b.numericFor(e)
	}
	if b.opt.Postgres && !x.Try {
		if t.Kind == column.JSON && e.Type().Kind == column.Varchar && !b.untyped(e) && (x.Colons || strings.EqualFold(x.Type.Name, "jsonb")) {
			// CAST('…' AS json) is a JSON string in Trino; '…'::json is Postgres' own and reads it.
			return b.function("json_parse", []Expr{e}, x.Pos, x.Pos)
		}
		if e, err := b.postgresCast(e, t, x.Pos); e != nil || err != nil {
			return e, err
		}
	}
	if b.untyped(e) {
		return b.convert(e, t)
	}
	// Rows are the same whatever their fields are called, and are called so now.
	if from := e.Type(); from.Equal(t) && (from.Payload() != column.PayloadNested || from.String() == t.String()) {
		if c, ok := e.(*Const); ok && c.Literal {
			// CAST('…' AS varchar) is varchar and nothing else.
			return constant(t, c.Value, x.Pos), nil
		}
		return e, nil
	}
	bind := fn.Cast
	if x.Try {
		bind = fn.TryCast
	}
	f, err := bind(e.Type(), t)
	if err != nil {
		return nil, sqlerr.At(err, x.Pos)
	}
	return b.fold(&Cast{base{t, x.Pos}, e, f, x.Try}), nil
}

func (b *binder) subscript(x *parse.Subscript, sc *scope, clause string) (Expr, error) {
	ops, err := b.exprs([]parse.Expr{x.X, x.Index}, sc, clause)
	if err != nil {
		return nil, err
	}
	switch t := ops[0].Type(); t.Kind {
	case column.Row:
		c, ok := ops[1].(*Const)
		if !ok || !c.T.IsInteger() || c.null() {
			return nil, sqlerr.New(sqlerr.DatatypeMismatch, x.Index.Position(), "the field of a row is chosen by a constant number")
		}
		k := c.Value.I64[0]
		if k < 1 || k > int64(len(t.Fields)) {
			return nil, sqlerr.New(sqlerr.ArraySubscript, x.Index.Position(), "the row has %d fields, not a field %d", len(t.Fields), k)
		}
		f := t.Fields[k-1]
		return b.step(ops[0], Step{Field: int(k - 1)}, f.Type, describe(ops[0])+"."+f.Name, x.Pos), nil
	case column.Map:
		if e := b.mapValue(ops[0], ops[1], x.Pos); e != nil {
			c := ops[1].(*Const)
			return &MapAt{base{t.Elem, x.Pos}, ops[0], e, c.Value.Str[0]}, nil
		}
	}
	return b.function("subscript", ops, x.Pos, x.Pos)
}

// mapValue returns the value of a map for a constant key of text, as a path of
// the scan where the map is one; nil for other keys.
func (b *binder) mapValue(m, key Expr, pos parse.Pos) Expr {
	t := m.Type()
	c, ok := key.(*Const)
	if !ok || t.Kind != column.Map || t.Key.Kind != column.Varchar || c.T.Kind != column.Varchar || c.null() {
		return nil
	}
	k := c.Value.Str[0]
	return b.step(m, Step{Field: -1, Key: k}, t.Elem, "element_at("+describe(m)+", "+quote(k)+")", pos)
}
