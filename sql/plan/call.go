package plan

import (
	"slices"
	"strings"

	"github.com/cairndb/cairn/segment/column"
	"github.com/cairndb/cairn/sql/fn"
	"github.com/cairndb/cairn/sql/parse"
	"github.com/cairndb/cairn/sql/sqlerr"
)

// call binds a function call: a form that decides what to evaluate, an
// aggregate, or a scalar function.
func (b *binder) call(x *parse.Call, sc *scope, clause string) (Expr, error) {
	name := strings.ToLower(x.Name.Parts[len(x.Name.Parts)-1].Text)
	if b.opt.Postgres {
		if made := postgresAggregate(name, x); made != nil {
			return b.call(made, sc, clause)
		}
	}
	if x.Over != nil {
		return b.window(x, name, sc, clause)
	}
	if name == "grouping" {
		return b.groupingOf(x, sc, clause)
	}
	if name == "reduce_agg" {
		return b.reduceAgg(x, sc, clause)
	}
	if agg := fn.LookupAggregate(name); agg != nil {
		return b.aggregate(agg, name, x, sc, clause)
	}
	for _, bad := range []struct {
		set  bool
		what string
	}{
		{x.Star, "*"}, {x.Distinct, "DISTINCT"}, {len(x.OrderBy) > 0, "ORDER BY"},
		{len(x.WithinGroup) > 0, "WITHIN GROUP"}, {x.Filter != nil, "FILTER"}, {x.IgnoreNulls, "IGNORE NULLS"},
	} {
		if bad.set && fn.LookupScalar(name) != nil {
			return nil, sqlerr.New(sqlerr.WrongObjectType, x.Pos, "%s does not go with %s, which is not an aggregate", bad.what, name)
		}
	}
	if hasLambda(x) {
		if h := fn.LookupHigher(name); h != nil {
			return b.higher(h, name, x, sc, clause)
		}
		if fn.LookupScalar(name) != nil {
			return nil, sqlerr.New(sqlerr.UndefinedFunction, x.Pos, "%s takes no lambda", name)
		}
	}
	if form, ok := forms[name]; ok {
		args, err := b.exprs(x.Args, sc, clause)
		if err != nil {
			return nil, err
		}
		if len(args) < form.min || form.max >= 0 && len(args) > form.max {
			return nil, sqlerr.New(sqlerr.UndefinedFunction, x.Pos, "%s does not take %d arguments", name, len(args)).
				WithHint("it takes %s", form.usage)
		}
		return form.bind(b, args, x.Pos)
	}
	if fn.LookupScalar(name) == nil && b.postgres(name) == nil {
		return nil, unknownFunction(name, x)
	}
	args, err := b.exprs(x.Args, sc, clause)
	if err != nil {
		return nil, err
	}
	if name == "element_at" && len(args) == 2 {
		if e := b.mapValue(args[0], args[1], x.Pos); e != nil {
			return e, nil
		}
	}
	if e := b.jsonPath(name, args, x.Pos); e != nil {
		return e, nil
	}
	if name == "from_iso8601_timestamp" && len(args) == 1 && args[0].Type().Kind == column.Timestamp {
		// Where times are text, as in tables of log files, they are read so first.
		return b.convert(args[0], column.TimestampTZType)
	}
	return b.function(name, args, x.Pos, x.Pos)
}

// jsonPath returns the value that json_extract or json_extract_scalar takes out
// of a column of JSON text as a path of the scan, when its table serves it; nil
// when the function is to be evaluated.
func (b *binder) jsonPath(name string, args []Expr, pos parse.Pos) Expr {
	want := map[string]*column.Type{"json_extract": column.JSONType, "json_extract_scalar": column.VarcharType}[name]
	if want == nil || len(args) != 2 {
		return nil
	}
	text, ok := args[0].(*Ref)
	path, constant := args[1].(*Const)
	if !ok || !constant || path.null() || path.T.Kind != column.Varchar {
		return nil
	}
	scan := b.scanOf[text.ID]
	if scan == nil {
		return nil
	}
	table, ok := scan.Table.(JSONTable)
	if !ok {
		return nil
	}
	for i, c := range scan.Columns {
		if c.ID != text.ID || len(scan.Paths[i].Steps) > 0 {
			continue
		}
		if p, ok := table.JSONPath(scan.Paths[i].Column, path.Value.Str[0], want); ok {
			p.Type = want
			return b.path(scan, p, name+"("+c.Name+", "+quote(path.Value.Str[0])+")", pos)
		}
	}
	return nil
}

func unknownFunction(name string, x *parse.Call) error {
	if h := fn.LookupHigher(name); h != nil {
		return sqlerr.New(sqlerr.UndefinedFunction, x.Pos, "%s takes a lambda, such as x -> x > 1", name).WithHint("it is %s", h.Signature)
	}
	if name == "grouping" {
		return notYet(x.Pos, "grouping is")
	}
	for _, d := range fn.All() {
		if d.Family == "window" && strings.EqualFold(d.Name, name) {
			return sqlerr.New(sqlerr.WrongObjectType, x.Pos, "%s is a window function: it needs OVER (…)", name)
		}
	}
	err := sqlerr.New(sqlerr.UndefinedFunction, x.Name.Pos, "function %s does not exist", name)
	if near := fn.Suggest(name); near != "" {
		return err.WithHint("did you mean %s?", near)
	}
	return err.WithHint("SHOW FUNCTIONS lists the functions")
}

// function binds a scalar function or operator. place is where an error of its
// types is shown.
func (b *binder) function(name string, args []Expr, pos, place parse.Pos) (Expr, error) {
	s := fn.LookupScalar(name)
	if b.opt.Postgres {
		if e, err := b.postgresOperator(name, args, pos, place); e != nil || err != nil {
			return e, err
		}
		if s == nil {
			s = b.postgres(name)
		}
		if jsonFunctions[name] && len(args) > 0 {
			x, err := b.asJSON(args[0])
			if err != nil {
				return nil, err
			}
			if args, err = b.jsonArguments(name, append([]Expr{x}, args[1:]...)); err != nil {
				return nil, err
			}
		}
	}
	if s == nil {
		return nil, notYet(place, "the operator "+name+" is")
	}
	types := make([]*column.Type, len(args))
	for i, a := range args {
		types[i] = a.Type()
		if b.untyped(a) {
			types[i] = column.UnknownType
		}
	}
	f, err := s.Bind(types)
	if err != nil && b.opt.Postgres {
		// PostgreSQL's string literals take the type of the other operand.
		if other := b.likeOthers(args, types); other != nil {
			if g, e := s.Bind(types); e == nil {
				f, err, args = g, nil, other
			}
		}
		if p := b.postgres(name); err != nil && p != nil && p != s {
			if g, e := p.Bind(types); e == nil {
				f, err, s = g, nil, p
			}
		}
	}
	if err != nil {
		return nil, sqlerr.At(err, place)
	}
	cast := make([]Expr, len(args))
	for i, a := range args {
		e, err := b.convert(a, f.Args[i])
		if err != nil {
			return nil, err
		}
		cast[i] = e
	}
	return b.fold(&Call{base{f.Result, pos}, strings.ToLower(s.Name), f, cast}), nil
}

// likeOthers converts string literals among arguments to the type of the first
// argument that is something else, and sets types accordingly; nil when there is
// nothing to convert.
func (b *binder) likeOthers(args []Expr, types []*column.Type) []Expr {
	var t *column.Type
	for i, a := range args {
		if _, ok := isText(a); !ok && types[i].Kind != column.Unknown && t == nil {
			t = types[i]
		}
	}
	if t == nil || t.Kind == column.Varchar {
		return nil
	}
	out := append([]Expr(nil), args...)
	for i, a := range args {
		if c, ok := isText(a); ok {
			e, err := b.fromText(c, t)
			if e == nil || err != nil {
				return nil
			}
			out[i], types[i] = e, t
		}
	}
	return out
}

// aggregate binds a call of an aggregate and returns a reference to its result.
func (b *binder) aggregate(agg *fn.Aggregate, name string, x *parse.Call, sc *scope, clause string) (Expr, error) {
	if e, err := b.outerAggregate(x, sc); e != nil || err != nil {
		return e, err
	}
	if b.aggs == nil {
		err := sqlerr.New(sqlerr.GroupingError, x.Pos, "the aggregate %s cannot stand in %s", name, clause)
		if clause == "WHERE" {
			err.WithHint("a condition on aggregates goes into HAVING")
		}
		return nil, err
	}
	if x.IgnoreNulls {
		return nil, sqlerr.New(sqlerr.WrongObjectType, x.Pos, "IGNORE NULLS goes with window functions, not with the aggregate %s", name).
			WithHint("FILTER (WHERE … IS NOT NULL) leaves rows out")
	}
	if len(x.WithinGroup) > 0 && agg.Name != "listagg" {
		return nil, sqlerr.New(sqlerr.WrongObjectType, x.WithinGroup[0].Pos, "WITHIN GROUP goes with listagg, not with %s", name).
			WithHint("%s(… ORDER BY …) takes the values in order", name)
	}
	if len(x.WithinGroup) > 0 && len(x.OrderBy) > 0 {
		return nil, sqlerr.New(sqlerr.SyntaxError, x.WithinGroup[0].Pos, "%s has an order twice", name)
	}
	if hasLambda(x) {
		return nil, sqlerr.New(sqlerr.UndefinedFunction, x.Pos, "the aggregate %s takes no lambda", name)
	}
	outer := b.aggs
	b.aggs = nil
	defer func() { b.aggs = outer }()
	inner := "the argument of an aggregate"
	args, err := b.exprs(x.Args, sc, inner)
	if err != nil {
		return nil, err
	}
	types := make([]*column.Type, len(args))
	for i, a := range args {
		types[i] = a.Type()
		if b.untyped(a) {
			types[i] = column.UnknownType
		}
	}
	f, err := agg.Bind(types)
	if err != nil {
		return nil, sqlerr.At(err, x.Pos)
	}
	a := Agg{Fn: f, Name: strings.ToLower(agg.Name), Distinct: x.Distinct, Place: x.Pos}
	for i, e := range args {
		if e, err = b.convert(e, f.Args[i]); err != nil {
			return nil, err
		}
		a.Args = append(a.Args, e)
	}
	if x.Distinct && len(args) == 0 {
		return nil, sqlerr.New(sqlerr.SyntaxError, x.Pos, "%s(DISTINCT) needs an argument", name)
	}
	if x.Filter != nil {
		if a.Filter, err = b.bindExpr(x.Filter, sc, "FILTER"); err != nil {
			return nil, err
		}
		if a.Filter, err = b.condition(a.Filter, "FILTER"); err != nil {
			return nil, err
		}
	}
	if err := b.aggregateOrder(&a, x, sc); err != nil {
		return nil, err
	}
	for i, have := range outer.list {
		if sameAgg(have, a) {
			c := outer.cols[i]
			return &Ref{base{c.Type, x.Pos}, c.ID, c.Name}, nil
		}
	}
	c := Col{b.newID(), name, f.Result}
	b.isAggregate[c.ID] = true
	outer.list, outer.cols = append(outer.list, a), append(outer.cols, c)
	return &Ref{base{c.Type, x.Pos}, c.ID, c.Name}, nil
}

// aggregateOrder binds the order in which an aggregate takes its values. One
// whose result does not depend on that gets none.
func (b *binder) aggregateOrder(a *Agg, x *parse.Call, sc *scope) error {
	for _, item := range append(append([]parse.SortItem(nil), x.OrderBy...), x.WithinGroup...) {
		e, err := b.bindExpr(item.Expr, sc, "the ORDER BY of an aggregate")
		if err != nil {
			return err
		}
		if e, err = b.settled(e); err != nil {
			return err
		}
		arg := -1
		if a.Distinct {
			arg = slices.IndexFunc(a.Args, func(arg Expr) bool { return same(arg, e) || same(bare(arg), e) })
			if arg < 0 {
				return sqlerr.New(sqlerr.InvalidColumnReference, e.Pos(), "with DISTINCT, an aggregate can only be ordered by its arguments")
			}
			e = a.Args[arg]
		}
		k, err := b.sortKey(e, item)
		if err != nil {
			return err
		}
		if _, constant := e.(*Const); !constant {
			a.Order, a.OrderArgs = append(a.Order, k), append(a.OrderArgs, arg)
		}
	}
	if a.Fn.Weighted {
		// It may count values together, so it does not ask for their order.
		a.Order, a.OrderArgs = nil, nil
	}
	return nil
}

// bare takes the conversion off an argument.
func bare(e Expr) Expr {
	if c, ok := e.(*Cast); ok {
		return c.X
	}
	return e
}

func sameAgg(a, c Agg) bool {
	if !slices.EqualFunc(a.Order, c.Order, sameKey) {
		return false
	}
	if a.Name != c.Name || a.Distinct != c.Distinct || len(a.Args) != len(c.Args) || (a.Filter == nil) != (c.Filter == nil) ||
		!a.Fn.Result.Equal(c.Fn.Result) {
		return false
	}
	for i := range a.Args {
		if !same(a.Args[i], c.Args[i]) {
			return false
		}
	}
	return a.Filter == nil || same(a.Filter, c.Filter)
}

// form is a call that decides for every row which arguments are evaluated.
type form struct {
	min, max int // arguments; max is -1 for any number
	usage    string
	bind     func(b *binder, args []Expr, pos parse.Pos) (Expr, error)
}

var forms = map[string]form{
	"coalesce": {1, -1, "coalesce(value, …)", func(b *binder, args []Expr, pos parse.Pos) (Expr, error) {
		t, err := b.unify("coalesce", args, pos)
		if err != nil {
			return nil, err
		}
		return b.fold(&Coalesce{base{t, pos}, args}), nil
	}},
	"nullif": {2, 2, "nullif(value, value)", func(b *binder, args []Expr, pos parse.Pos) (Expr, error) {
		value := args[0]
		same, err := b.compare(CmpEq, args[0], args[1], pos)
		if err != nil {
			return nil, err
		}
		if b.untyped(value) {
			return value, nil
		}
		t := value.Type()
		return b.fold(&Case{base: base{t, pos}, Whens: []Expr{same}, Thens: []Expr{nullConst(t, pos)}, Else: value}), nil
	}},
	"if": {2, 3, "if(condition, value[, otherwise])", func(b *binder, args []Expr, pos parse.Pos) (Expr, error) {
		cond, err := b.condition(args[0], "if")
		if err != nil {
			return nil, err
		}
		return b.finishCase(&Case{base: base{Place: pos}, Whens: []Expr{cond}}, args[1:], len(args) == 3)
	}},
	"try": {1, 1, "try(expression)", func(b *binder, args []Expr, pos parse.Pos) (Expr, error) {
		return b.fold(&Try{base{args[0].Type(), pos}, args[0]}), nil
	}},
}
