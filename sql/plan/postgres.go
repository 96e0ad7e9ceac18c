package plan

import (
	"slices"
	"strings"

	"github.com/cairndb/cairn/segment/column"
	"github.com/cairndb/cairn/sql/fn"
	"github.com/cairndb/cairn/sql/parse"
	"github.com/cairndb/cairn/sql/sqlerr"
)

// What the Postgres dialect means by types, operators and calls that Trino does not
// have.

// postgres returns the function that only the Postgres dialect has, or nil.
func (b *binder) postgres(name string) *fn.Scalar {
	if !b.opt.Postgres {
		return nil
	}
	return fn.LookupPostgres(name)
}

// typeNamed returns the type that a name means. In the Postgres dialect the types
// of the catalogue are known besides: oid, name, regclass, int2vector …
func (b *binder) typeNamed(n parse.TypeName) (*column.Type, error) {
	if b.opt.Postgres && len(n.Params) == 0 && len(n.Fields) == 0 {
		name := n.Name
		if n.Name == "array" && len(n.Args) == 1 && len(n.Args[0].Args) == 0 && len(n.Args[0].Params) == 0 {
			name = n.Args[0].Name + "[]"
		}
		if t := fn.Carrier(name); t != nil && t.Alias != "" {
			return t, nil
		}
	}
	return resolveType(n)
}

// unboundedNumeric reports whether a type name stands for numbers with any fraction:
// numeric without a precision in the Postgres dialect. In Trino's, decimal has none.
func (b *binder) unboundedNumeric(n parse.TypeName) bool {
	return b.opt.Postgres && len(n.Params) == 0 && (n.Name == "numeric" || n.Name == "decimal" || n.Name == "dec")
}

// numericFor returns the type that keeps the fraction of e as an unbounded numeric:
// its own scale where that is known, else double.
func (b *binder) numericFor(e Expr) *column.Type {
	t := e.Type()
	switch {
	case t.Kind == column.Decimal:
		return column.DecimalOf(decimalDigitsMax, t.Scale)
	case t.IsInteger() || t.Kind == column.Boolean:
		return column.DecimalOf(decimalDigitsMax, 0)
	}
	c, ok := e.(*Const)
	if !ok || !c.Literal || c.null() || c.Value.Str == nil {
		return column.DoubleType
	}
	text := strings.TrimLeft(strings.TrimSpace(c.Value.Str[0]), "+-")
	whole, fraction, _ := strings.Cut(text, ".")
	for _, d := range whole + fraction {
		if d < '0' || d > '9' {
			return column.DoubleType // an exponent, NaN, or no number
		}
	}
	if len(whole)+len(fraction) > decimalDigitsMax {
		return column.DoubleType
	}
	return column.DecimalOf(decimalDigitsMax, len(fraction))
}

// divided gives the left side of a division of decimals the digits behind the point
// that Postgres computes at least; Trino's quotient has no more than its sides have.
func (b *binder) divided(ops []Expr) error {
	const digits = 16
	l, r := ops[0].Type(), ops[1].Type()
	exact := func(t *column.Type) bool { return t.Kind == column.Decimal || t.IsInteger() }
	if !b.opt.Postgres || !exact(l) || !exact(r) || l.IsInteger() && r.IsInteger() || max(l.Scale, r.Scale) >= digits {
		return nil
	}
	e, err := b.convert(ops[0], column.DecimalOf(decimalDigitsMax, digits))
	ops[0] = e
	return err
}

// isReg reports whether values of a type are objects of the catalogue, with names
// as text.
func isReg(t *column.Type) bool {
	return t.Kind == column.BigInt && slices.Contains(fn.RegTypes, t.Alias)
}

// retype gives an expression a type that is Equal to its own.
func (b *binder) retype(e Expr, t *column.Type, pos parse.Pos) (Expr, error) {
	if e.Type() == t {
		return e, nil
	}
	f, err := fn.Cast(e.Type(), t)
	if err != nil {
		return nil, sqlerr.At(err, pos)
	}
	return b.fold(&Cast{base{t, pos}, e, f, false}), nil
}

// postgresCast binds the conversions that only the Postgres dialect has; nil for
// the others.
func (b *binder) postgresCast(e Expr, t *column.Type, pos parse.Pos) (Expr, error) {
	from := e.Type()
	if b.untyped(e) {
		if isReg(t) {
			if _, param := e.(*Param); param {
				// The client may send a name or a number: both are texts.
				text, err := b.convert(e, column.VarcharType)
				if err != nil {
					return nil, err
				}
				return b.postgresCast(text, t, pos)
			}
		}
		return nil, nil
	}
	call := func(name string, to *column.Type) (Expr, error) {
		out, err := b.function(name, []Expr{e}, pos, pos)
		if err != nil {
			return nil, err
		}
		if out.Type().Equal(to) {
			return b.retype(out, to, pos)
		}
		return b.convert(out, to)
	}
	if c, ok := isText(e); ok && (t.Kind == column.TimestampTZ || t.Kind == column.Timestamp) {
		return b.fromText(c, t) // ISO forms, too
	}
	switch {
	case from.Kind == column.Varchar && isReg(t):
		return call(t.Alias+"in", t)
	case from.Kind == column.Varchar && t.Kind == column.Array:
		return call("array_in", t)
	case from.Kind == column.Varchar && t.Kind == column.Varbinary:
		return call("byteain", t)
	case from.Kind == column.Varchar && t.Kind == column.IntervalDay && !b.untyped(e):
		if i, err := call("interval_in", t); err == nil {
			return i, nil
		} // or the text is one of Trino's
	case from.Kind == column.Varbinary && t.Kind == column.Varchar:
		return call("byteaout", t)
	case isReg(from) && t.Kind == column.Varchar:
		return call(from.Alias+"out", t)
	case from.Kind == column.Array && t.Kind == column.Varchar:
		return call("array_out", t)
	case t.Alias != "" && from.IsInteger() && t.Kind == column.BigInt:
		wide, err := b.convert(e, column.BigIntType)
		if err != nil {
			return nil, err
		}
		return b.retype(wide, t, pos)
	case t.Alias != from.Alias && from.Equal(t):
		return b.retype(e, t, pos)
	}
	return nil, nil
}

// shownObjects puts the names of objects in the place of their numbers in a result.
func (b *binder) shownObjects(n Node) (Node, error) {
	if !b.opt.Postgres {
		return n, nil
	}
	p := &Project{Input: n}
	changed := false
	for _, c := range n.Cols() {
		var e Expr = &Ref{base{c.Type, parse.Pos{}}, c.ID, c.Name}
		col := c
		if isReg(c.Type) {
			text, err := b.postgresCast(e, column.VarcharType, parse.Pos{})
			if err != nil {
				return nil, err
			}
			e, col, changed = text, Col{b.newID(), c.Name, text.Type()}, true
		}
		p.Exprs, p.Columns = append(p.Exprs, e), append(p.Columns, col)
	}
	if !changed {
		return n, nil
	}
	return p, nil
}

// bitOperators are Postgres' operators on the bits of whole numbers.
var bitOperators = map[string]string{"&": "bitwise_and", "#": "bitwise_xor", "<<": "bitwise_left_shift", ">>": "bitwise_right_shift_arithmetic"}

// postgresOperator binds operators that mean something in the Postgres dialect only;
// nil for the others.
func (b *binder) postgresOperator(name string, args []Expr, pos, place parse.Pos) (Expr, error) {
	if len(args) != 2 {
		return nil, nil
	}
	l, r := args[0], args[1]
	switch name {
	case "~", "~*", "!~", "!~*":
		var err error
		for _, side := range []*Expr{&l, &r} {
			if t := (*side).Type(); t.Kind == column.Varchar && !isReg(t) {
				continue
			}
			if *side, err = b.text(*side); err != nil {
				return nil, err
			}
		}
		if strings.HasSuffix(name, "*") {
			if r, err = b.function("concat", []Expr{textConst("(?i)", pos), r}, pos, place); err != nil {
				return nil, err
			}
		}
		e, err := b.function("regexp_like", []Expr{l, r}, pos, place)
		if err == nil && name[0] == '!' {
			e = b.fold(&Not{base{column.BooleanType, pos}, e})
		}
		return e, err
	case "~~", "~~*", "!~~", "!~~*":
		like := b.foldLike(&Like{base: base{column.BooleanType, pos}, X: l, Pattern: r, Fold: strings.HasSuffix(name, "*")})
		if name[0] == '!' {
			return b.fold(&Not{base{column.BooleanType, pos}, like}), nil
		}
		return like, nil
	case "^":
		return b.function("power", args, pos, place)
	case "->", "->>":
		return b.member(name, l, r, pos, place)
	case "#>", "#>>":
		return b.members(name, l, r, pos, place)
	case "@>":
		return b.contained(l, r, pos, place)
	case "<@":
		return b.contained(r, l, pos, place)
	case "?", "?|", "?&":
		return b.hasKeys(name, l, r, pos, place)
	case "#-":
		return b.documentCall("jsonb_delete_path", l, r, pos, place)
	case "-":
		if isDocument(l.Type()) && !isDocument(r.Type()) {
			return b.documentCall("jsonb_delete", l, r, pos, place)
		}
		if e, err := b.dayArithmetic(name, l, r, pos, place); e != nil || err != nil {
			return e, err
		}
	case "+":
		if e, err := b.dayArithmetic(name, l, r, pos, place); e != nil || err != nil {
			return e, err
		}
	case "&&":
		if l.Type().Kind == column.Array && r.Type().Kind == column.Array {
			return b.function("arrays_overlap", args, pos, place)
		}
	case "||":
		// A document joined with another, or with a literal that is one, is a document.
		_, lText := isText(l)
		_, rText := isText(r)
		if isDocument(l.Type()) && (isDocument(r.Type()) || rText) || isDocument(r.Type()) && lText {
			lj, err := b.asJSON(l)
			if err != nil {
				return nil, err
			}
			rj, err := b.asJSON(r)
			if err != nil {
				return nil, err
			}
			return b.function("jsonb_concat", []Expr{lj, rj}, pos, place)
		}
		// Text joined with anything but an array is text.
		for i, side := range args {
			other := args[1-i]
			t := side.Type()
			if t.Kind == column.Varchar && !b.untyped(other) && other.Type().Kind != column.Varchar && other.Type().Payload() != column.PayloadNested &&
				other.Type().Kind != column.Varbinary {
				text, err := b.text(other)
				if err != nil {
					return nil, err
				}
				both := []Expr{l, r}
				both[1-i] = text
				return b.function(name, both, pos, place)
			}
		}
	}
	if f := bitOperators[name]; f != "" {
		return b.function(f, args, pos, place)
	}
	return nil, nil
}

// isDocument reports whether values of a type are what clients take for jsonb, besides arrays, which
// have operators of their own.
func isDocument(t *column.Type) bool {
	return t.Kind == column.JSON || t.Kind == column.Map || t.Kind == column.Row
}

// documentCall binds a function of jsonb and a key, a place or a path; a literal '{a,b}' is a path where one is
// taken, or keys.
func (b *binder) documentCall(name string, x, arg Expr, pos, place parse.Pos) (Expr, error) {
	json, err := b.asJSON(x)
	if err != nil {
		return nil, err
	}
	if _, ok := isText(arg); ok && name != "jsonb_delete" {
		if arg, err = b.postgresCast(arg, column.ArrayOf(column.VarcharType), pos); err != nil {
			return nil, err
		}
	}
	return b.function(name, []Expr{json, arg}, pos, place)
}

// hasKeys binds x ? 'key', and ?| and ?& with an array of keys.
func (b *binder) hasKeys(op string, x, keys Expr, pos, place parse.Pos) (Expr, error) {
	if t := x.Type(); t.Kind == column.Map && t.Key.Kind == column.Varchar && op == "?" {
		// Storage knows the keys of maps.
		names, err := b.function("map_keys", []Expr{x}, pos, place)
		if err != nil {
			return nil, err
		}
		if keys, err = b.convert(keys, column.VarcharType); err != nil {
			return nil, err
		}
		return b.function("contains", []Expr{names, keys}, pos, place)
	}
	name := map[string]string{"?": "jsonb_exists", "?|": "jsonb_exists_any", "?&": "jsonb_exists_all"}[op]
	if op != "?" {
		return b.documentCall(name, x, keys, pos, place)
	}
	json, err := b.asJSON(x)
	if err != nil {
		return nil, err
	}
	return b.function(name, []Expr{json, keys}, pos, place)
}

// dayArithmetic binds date + n, n + date, date - n and date - date, which count days; nil for others.
func (b *binder) dayArithmetic(op string, l, r Expr, pos, place parse.Pos) (Expr, error) {
	isDate := func(e Expr) bool { return e.Type().Kind == column.Date }
	switch {
	case op == "-" && isDate(l) && isDate(r):
		return b.function("date_diff", []Expr{textConst("day", pos), r, l}, pos, place)
	case isDate(l) && r.Type().IsInteger():
		if op == "-" {
			n, err := b.function("negate", []Expr{r}, pos, place)
			if err != nil {
				return nil, err
			}
			r = n
		}
		return b.function("date_add", []Expr{textConst("day", pos), r, l}, pos, place)
	case op == "+" && l.Type().IsInteger() && isDate(r):
		return b.function("date_add", []Expr{textConst("day", pos), l, r}, pos, place)
	}
	return nil, nil
}

// similar binds x [NOT] SIMILAR TO pattern [ESCAPE e].
func (b *binder) similar(x *parse.Like, sc *scope, clause string) (Expr, error) {
	parts := []parse.Expr{x.X, x.Pattern}
	if x.Esc != nil {
		parts = append(parts, x.Esc)
	}
	ops, err := b.exprs(parts, sc, clause)
	if err != nil {
		return nil, err
	}
	for i, e := range ops {
		if ops[i], err = b.text(e); err != nil {
			return nil, err
		}
	}
	pattern, err := b.function("similar_to_escape", ops[1:], x.Pos, x.Pos)
	if err != nil {
		return nil, err
	}
	e, err := b.function("regexp_like", []Expr{ops[0], pattern}, x.Pos, x.Pos)
	if err == nil && x.Not {
		e = b.fold(&Not{base{column.BooleanType, x.Pos}, e})
	}
	return e, err
}

// text converts any value to its text.
func (b *binder) text(e Expr) (Expr, error) {
	if c, err := b.postgresCast(e, column.VarcharType, e.Pos()); c != nil || err != nil {
		return c, err
	}
	return b.convert(e, column.VarcharType)
}

// member binds x -> 'key' and x ->> 'key'. Of rows and maps, which clients take for
// jsonb, it is the field itself, so that storage reads no more than that.
func (b *binder) member(op string, x, key Expr, pos, place parse.Pos) (Expr, error) {
	done := func(e Expr) (Expr, error) {
		t := e.Type()
		if op == "->" || t.Kind == column.Varchar {
			return e, nil
		}
		if t.Payload() == column.PayloadNested || t.Kind == column.JSON {
			j, err := b.convert(e, column.JSONType)
			if err != nil {
				return nil, err
			}
			return b.function("json_format", []Expr{j}, pos, place)
		}
		return b.text(e)
	}
	name, constant := isText(key)
	switch t := x.Type(); t.Kind {
	case column.Row:
		if constant {
			if t.FieldIndex(name.Value.Str[0]) < 0 {
				return nullConst(column.VarcharType, pos), nil
			}
			e, err := b.fields(x, []parse.Part{{Pos: key.Pos(), Text: name.Value.Str[0]}}, nil, pos)
			if err != nil {
				return nil, err
			}
			return done(e)
		}
	case column.Map:
		if constant && t.Key.Kind == column.Varchar {
			e := b.mapValue(x, key, pos)
			if e == nil {
				var err error
				if e, err = b.function("element_at", []Expr{x, key}, pos, place); err != nil {
					return nil, err
				}
			}
			return done(e)
		}
	case column.Array:
		if key.Type().IsInteger() { // counted from 0 here
			at, err := b.function("+", []Expr{key, intConst(column.BigIntType, 1, pos)}, pos, place)
			if err != nil {
				return nil, err
			}
			e, err := b.function("element_at", []Expr{x, at}, pos, place)
			if err != nil {
				return nil, err
			}
			return done(e)
		}
	}
	s := fn.LookupPostgres(op)
	json, err := b.asJSON(x)
	if err != nil {
		return nil, err
	}
	types := []*column.Type{json.Type(), key.Type()}
	f, err := s.Bind(types)
	if err != nil {
		return nil, sqlerr.At(err, place)
	}
	if key, err = b.convert(key, f.Args[1]); err != nil {
		return nil, err
	}
	return b.fold(&Call{base{f.Result, pos}, op, f, []Expr{json, key}}), nil
}

// members binds x #> path and x #>> path: one step after the other when the path is
// constant, so that steps into rows and maps are the fields themselves.
func (b *binder) members(op string, x, path Expr, pos, place parse.Pos) (Expr, error) {
	if _, ok := isText(path); ok {
		var err error
		if path, err = b.postgresCast(path, column.ArrayOf(column.VarcharType), pos); err != nil {
			return nil, err
		}
	}
	if c, ok := path.(*Const); ok && !c.null() && c.Value.Type.Kind == column.Array && c.Value.Type.Elem.Kind == column.Varchar {
		steps := column.Flatten(c.Value)
		texts := column.Flatten(steps.Children[0])
		from, to := int(steps.Offsets[0]), int(steps.Offsets[1])
		for i := from; i < to; i++ {
			if texts.IsNull(i) {
				return nullConst(column.VarcharType, pos), nil
			}
		}
		for i := from; i < to && (x.Type().Kind == column.Row || x.Type().Kind == column.Map); i++ {
			one := "->"
			if i == to-1 {
				one = "->" + op[2:]
			}
			var err error
			if x, err = b.member(one, x, textConst(texts.Str[i], pos), pos, place); err != nil {
				return nil, err
			}
			if i == to-1 {
				return x, nil
			}
			path = arrayConst(texts.Str[i+1:to], pos)
		}
	}
	json, err := b.asJSON(x)
	if err != nil {
		return nil, err
	}
	if path, err = b.convert(path, column.ArrayOf(column.VarcharType)); err != nil {
		return nil, err
	}
	f, err := fn.LookupPostgres(op).Bind([]*column.Type{json.Type(), path.Type()})
	if err != nil {
		return nil, sqlerr.At(err, place)
	}
	return b.fold(&Call{base{f.Result, pos}, op, f, []Expr{json, path}}), nil
}

// arrayConst is an array of texts.
func arrayConst(texts []string, pos parse.Pos) *Const {
	t := column.ArrayOf(column.VarcharType)
	return constant(t, &column.Vector{Type: t, Len: 1, Offsets: []int32{0, int32(len(texts))},
		Children: []*column.Vector{{Type: column.VarcharType, Len: len(texts), Str: texts}}}, pos)
}

// quantifiedArray binds x op ANY (array) and x op ALL (array).
func (b *binder) quantifiedArray(x *parse.Quantified, sc *scope, clause string) (Expr, error) {
	ops, err := b.exprs([]parse.Expr{x.X, x.Array}, sc, clause)
	if err != nil {
		return nil, err
	}
	of, array := ops[0], ops[1]
	elem := of.Type()
	if _, literal := isText(of); literal {
		elem = column.VarcharType
	}
	if _, literal := isText(array); literal || b.untyped(array) {
		if elem.Kind == column.Unknown {
			elem = column.VarcharType
		}
		if literal {
			array, err = b.postgresCast(array, column.ArrayOf(elem), x.Pos)
		} else {
			array, err = b.convert(array, column.ArrayOf(elem))
		}
		if err != nil {
			return nil, err
		}
	}
	if array.Type().Kind != column.Array {
		return nil, sqlerr.New(sqlerr.DatatypeMismatch, array.Pos(), "ANY and ALL take an array or a query, not %s", array.Type())
	}
	var e Expr
	switch {
	case x.Op == "=" && !x.All, (x.Op == "<>" || x.Op == "!=") && x.All:
		e, err = b.inArray(of, array, x.Pos)
		if err == nil && x.All {
			e = b.fold(&Not{base{column.BooleanType, x.Pos}, e})
		}
	default:
		return nil, notYet(x.Pos, x.Op+" with ANY or ALL of an array is").(*sqlerr.Error).
			WithHint("= ANY and <> ALL are; any_match(array, x -> …) takes any condition")
	}
	return e, err
}

// inArray binds x = ANY (array): as IN when the array is known, so that storage can
// use it.
func (b *binder) inArray(of, array Expr, pos parse.Pos) (Expr, error) {
	c, ok := array.(*Const)
	if !ok || c.null() || of.Type().Payload() == column.PayloadNested {
		if b.untyped(of) {
			var err error
			if of, err = b.convert(of, array.Type().Elem); err != nil {
				return nil, err
			}
		}
		return b.function("contains", []Expr{array, of}, pos, pos)
	}
	v := column.Flatten(c.Value)
	at := base{column.BooleanType, pos}
	from, to := int(v.Offsets[0]), int(v.Offsets[1])
	list := []Expr{of}
	for e := from; e < to; e++ {
		list = append(list, constant(v.Type.Elem, column.Flatten(column.Gather(v.Children[0], []int32{int32(e)})), pos))
	}
	if len(list) == 1 {
		return boolConst(false, pos), nil
	}
	if _, err := b.unify(inList, list, pos); err != nil {
		return nil, err
	}
	in := &In{base: at, X: list[0]}
	values := column.NewAppender(list[0].Type(), len(list))
	for _, e := range list[1:] {
		k, ok := e.(*Const)
		if !ok {
			return b.function("contains", []Expr{array, of}, pos, pos)
		}
		if k.null() {
			in.HasNull = true
		} else {
			values.Append(k.Value, 0)
		}
	}
	in.Values = values.Vector()
	if in.Values.Len == 1 && !in.HasNull {
		return b.compare(CmpEq, list[0], constant(list[0].Type(), in.Values, pos), pos)
	}
	return b.fold(b.plainMembers(in)), nil
}

// catalogFunc binds a function in FROM that is a table of the catalogue; nil when
// there is none.
func (b *binder) catalogFunc(x *parse.TableFunc) (Node, *relation, error) {
	if _, ok := b.cat.(SessionCatalog); !ok || len(x.Call.Args) > 0 {
		return nil, nil, nil
	}
	name := nameText(x.Call.Name) + "()"
	if t, err := b.cat.Table(b.ctx, name); t == nil || err != nil {
		return nil, nil, err
	}
	ref := &parse.TableRef{Pos: x.Pos, Name: parse.Name{Pos: x.Call.Name.Pos, Parts: []parse.Part{{Pos: x.Pos, Text: name}}}, Alias: x.Alias, Columns: x.Columns}
	if ref.Alias == nil {
		last := x.Call.Name.Parts[len(x.Call.Name.Parts)-1]
		ref.Alias = &last
	}
	return b.table(ref, nil)
}

// catalogRows binds the functions of Postgres' catalogue that give rows of several
// columns: pg_options_to_table takes options apart, one of name=value a row;
// pg_partition_tree gives a table itself, since none has partitions.
func (b *binder) catalogRows(name string, args []Expr, x *parse.TableFunc) (Node, *relation, error) {
	if len(args) != 1 {
		return nil, nil, sqlerr.New(sqlerr.UndefinedFunction, x.Pos, "%s takes one argument, not %d", name, len(args))
	}
	pos := x.Pos
	var p *Project
	if name == "pg_partition_tree" {
		p = &Project{Input: oneRow(), Exprs: []Expr{args[0], nullConst(args[0].Type(), pos), boolConst(true, pos), intConst(column.IntegerType, 0, pos)},
			Columns: []Col{{b.newID(), "relid", args[0].Type()}, {b.newID(), "parentrelid", args[0].Type()}, {b.newID(), "isleaf", column.BooleanType}, {b.newID(), "level", column.IntegerType}}}
		return b.named(p, x.Alias, []string{name}, x.Columns)
	}
	list, err := b.convert(args[0], column.ArrayOf(column.VarcharType))
	if err != nil {
		return nil, nil, err
	}
	option := Col{b.newID(), "option", column.VarcharType}
	p = &Project{Input: &Unnest{Input: oneRow(), Args: []Expr{list}, Columns: []Col{option}}}
	for _, part := range [][2]string{{"option_name", "^[^=]*"}, {"option_value", "(?s)=(.*)"}} {
		rest := []Expr{NewRef(option), textConst(part[1], pos)}
		if part[0] == "option_value" {
			rest = append(rest, intConst(column.BigIntType, 1, pos))
		}
		e, err := b.function("regexp_extract", rest, pos, pos)
		if err != nil {
			return nil, nil, err
		}
		p.Exprs, p.Columns = append(p.Exprs, e), append(p.Columns, Col{b.newID(), part[0], e.Type()})
	}
	return b.named(p, x.Alias, []string{name}, x.Columns)
}

// seriesName is the relation that spreadSeries adds; no text of a user can name it.
const seriesName = "\x01series"

// spreadSeries takes the functions that give several rows out of a select list, as
// in SELECT unnest(a), generate_subscripts(a, 1): they step forward together, the
// shorter ones padded with NULLs. Each becomes the element of an array, at a place
// that a relation beside the others in FROM counts.
func spreadSeries(sel *parse.Select) *parse.Select {
	s := &series{}
	var items []parse.SelectItem
	for i, it := range sel.Items {
		if it.Star || it.Expr == nil {
			continue
		}
		if e := s.replace(it.Expr, 0); e != it.Expr {
			if items == nil {
				items = slices.Clone(sel.Items)
			}
			items[i].Expr = e
		}
	}
	if items == nil {
		return sel
	}
	out := *sel
	out.Items = items
	last := s.lengths[0]
	if len(s.lengths) > 1 {
		last = s.call("greatest", s.lengths...)
	}
	out.From = append(slices.Clone(sel.From), &parse.TableFunc{Pos: s.pos,
		Call:  s.call("generate_series", &parse.Literal{Pos: s.pos, Kind: parse.IntegerLiteral, Text: "1"}, last).(*parse.Call),
		Alias: &parse.Part{Pos: s.pos, Text: seriesName}, Columns: []parse.Part{{Pos: s.pos, Text: seriesName}}})
	return &out
}

// series is the work of spreadSeries.
type series struct {
	pos     parse.Pos
	lengths []parse.Expr // of the arrays
}

func (s *series) call(name string, args ...parse.Expr) parse.Expr {
	return &parse.Call{Pos: s.pos, Name: parse.Name{Pos: s.pos, Parts: []parse.Part{{Pos: s.pos, Text: name}}}, Args: args}
}

// replace returns x with such functions replaced; x itself when it has none.
func (s *series) replace(x parse.Expr, depth int) parse.Expr {
	if depth > exprDepthMax {
		return x
	}
	switch e := x.(type) {
	case *parse.Call:
		if e.Over != nil {
			return x
		}
		name := strings.ToLower(e.Name.Parts[len(e.Name.Parts)-1].Text)
		s.pos = e.Pos
		var array parse.Expr
		switch {
		case name == "unnest" && len(e.Args) == 1:
			array = e.Args[0]
		case name == "generate_series" && len(e.Args) >= 2:
			array = s.call("sequence", e.Args...)
		case name == "generate_subscripts" && len(e.Args) >= 1:
			one := &parse.Literal{Pos: e.Pos, Kind: parse.IntegerLiteral, Text: "1"}
			array = s.call("sequence", one, s.call("nullif", s.call("cardinality", e.Args[0]), &parse.Literal{Pos: e.Pos, Kind: parse.IntegerLiteral, Text: "0"}))
		case name == "_pg_expandarray" && len(e.Args) == 1:
			array = e
		case strings.HasPrefix(name, "json") && (strings.Contains(name, "_array_elements") || strings.HasSuffix(name, "_object_keys")) && len(e.Args) == 1:
			array = e
		case name == "regexp_matches":
			array = e
		case name == "string_to_table" || name == "regexp_split_to_table":
			array = s.call(rowFunctions[name], e.Args...)
		}
		if array != nil {
			s.lengths = append(s.lengths, s.call("coalesce", s.call("cardinality", array), &parse.Literal{Pos: e.Pos, Kind: parse.IntegerLiteral, Text: "0"}))
			at := &parse.Ident{Name: parse.Name{Pos: e.Pos, Parts: []parse.Part{{Pos: e.Pos, Text: seriesName}}}}
			return s.call("element_at", array, at)
		}
		for i, a := range e.Args {
			if r := s.replace(a, depth+1); r != a {
				c := *e
				c.Args = slices.Clone(e.Args)
				c.Args[i] = r
				e = &c
			}
		}
		return e
	case *parse.Field:
		if r := s.replace(e.X, depth+1); r != e.X {
			c := *e
			c.X = r
			return &c
		}
	case *parse.Cast:
		if r := s.replace(e.X, depth+1); r != e.X {
			c := *e
			c.X = r
			return &c
		}
	case *parse.Binary:
		l, r := s.replace(e.L, depth+1), s.replace(e.R, depth+1)
		if l != e.L || r != e.R {
			c := *e
			c.L, c.R = l, r
			return &c
		}
	}
	return x
}
