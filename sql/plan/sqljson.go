package plan

import (
	"fmt"

	"github.com/cairndb/cairn/segment/column"
	"github.com/cairndb/cairn/sql/fn"
	"github.com/cairndb/cairn/sql/parse"
	"github.com/cairndb/cairn/sql/sqlerr"
)

// jsonCall binds a function of SQL/JSON with its clauses.
func (b *binder) jsonCall(x *parse.JSONCall, sc *scope, clause string) (Expr, error) {
	args, err := b.exprs(x.Args, sc, clause)
	if err != nil {
		return nil, err
	}
	returning := column.VarcharType
	if x.Returning != nil {
		if returning, err = resolveType(*x.Returning); err != nil {
			return nil, err
		}
	}
	var f *fn.Bound
	switch x.Function {
	case "json_array", "json_object":
		f, err = b.jsonMembers(x, args, returning)
	default:
		var more []Expr
		if f, more, err = b.jsonPathCall(x, args, returning, sc, clause); err == nil {
			args = append(append([]Expr{args[0]}, args[2:]...), more...)
		}
	}
	if err != nil {
		return nil, sqlerr.At(err, x.Pos)
	}
	for i := range args {
		if args[i], err = b.convert(args[i], f.Args[i]); err != nil {
			return nil, err
		}
	}
	return b.fold(&Call{base{f.Result, x.Pos}, jsonName(x), f, args}), nil
}

// jsonName names what is called with its clauses, which tell two calls apart.
func jsonName(x *parse.JSONCall) string {
	name := x.Function
	if l, ok := x.Args, x.Function != "json_array" && x.Function != "json_object"; ok {
		if path, ok := l[1].(*parse.Literal); ok {
			name += " " + quote(path.Text)
		}
	}
	for _, p := range x.Passing {
		name += " " + p.Text
	}
	for i := range x.Args {
		if x.FormatJSON[i] {
			name += fmt.Sprintf(" json %d", i)
		} else if _, nested := x.Args[i].(*parse.JSONCall); nested {
			name += fmt.Sprintf(" nested %d", i)
		}
	}
	for _, c := range []struct{ what, value string }{
		{"empty", x.OnEmpty}, {"error", x.OnError}, {"wrapper", x.Wrapper}, {"null", x.OnNull},
	} {
		if c.value != "" {
			name += " " + c.value + " on " + c.what
		}
	}
	if x.OmitQuotes {
		name += " omit quotes"
	}
	if x.UniqueKeys {
		name += " unique keys"
	}
	return name
}

// jsonTypes are the types of values that become JSON.
func (b *binder) jsonTypes(args []Expr) []*column.Type {
	types := make([]*column.Type, len(args))
	for i, a := range args {
		types[i] = a.Type()
		if b.untyped(a) {
			types[i] = column.VarcharType
		}
	}
	return types
}

func (b *binder) jsonMembers(x *parse.JSONCall, args []Expr, returning *column.Type) (*fn.Bound, error) {
	c := fn.JSONMembers{
		Object: x.Function == "json_object", Types: b.jsonTypes(args), JSON: make([]bool, len(args)),
		UniqueKeys: x.UniqueKeys, Returning: returning,
		AbsentNull: x.OnNull == "absent" || x.OnNull == "" && x.Function == "json_array",
	}
	for i, a := range x.Args {
		// What such a function gives is JSON within another.
		_, nested := a.(*parse.JSONCall)
		c.JSON[i] = (nested || x.FormatJSON[i]) && c.Types[i].Kind == column.Varchar
	}
	return fn.NewJSONMembers(c)
}

func (b *binder) jsonPathCall(x *parse.JSONCall, args []Expr, returning *column.Type, sc *scope, clause string) (*fn.Bound, []Expr, error) {
	path, ok := isText(args[1])
	if !ok {
		return nil, nil, sqlerr.New(sqlerr.DatatypeMismatch, args[1].Pos(), "the path of %s must be a string literal", x.Function)
	}
	types := b.jsonTypes(append([]Expr{args[0]}, args[2:]...))
	if k := types[0].Kind; k != column.Varchar && k != column.JSON {
		return nil, nil, sqlerr.New(sqlerr.DatatypeMismatch, args[0].Pos(), "%s takes JSON or text of it, not %s", x.Function, types[0])
	}
	for i := range x.Passing {
		if x.FormatJSON[i+2] && types[i+1].Kind == column.Varchar {
			types[i+1] = column.JSONType
			e, err := b.function("json_parse", []Expr{args[i+2]}, args[i+2].Pos(), args[i+2].Pos())
			if err != nil {
				return nil, nil, err
			}
			args[i+2] = e
		}
	}
	c := fn.JSONPathCall{
		Function: x.Function, Path: path.Value.Str[0], Types: types, Returning: returning,
		OnEmpty: x.OnEmpty, OnError: x.OnError, Wrapper: x.Wrapper, OmitQuotes: x.OmitQuotes,
	}
	if x.Function == "json_query" && x.Returning == nil && types[0].Kind == column.JSON {
		c.Returning = column.JSONType
	}
	for _, p := range x.Passing {
		c.Passing, c.Folded = append(c.Passing, p.Text), append(c.Folded, !p.Quoted)
	}
	f, err := fn.NewJSONPath(c)
	if err != nil {
		return nil, nil, sqlerr.At(err, x.Args[1].Position())
	}
	var more []Expr
	for _, d := range []parse.Expr{x.EmptyDefault, x.ErrorDefault} {
		if d == nil {
			continue
		}
		e, err := b.bindExpr(d, sc, clause)
		if err != nil {
			return nil, nil, err
		}
		ends := []Expr{nullConst(f.Result, d.Position()), e}
		if _, err := b.unify("DEFAULT", ends, d.Position()); err != nil {
			return nil, nil, err
		}
		more = append(more, ends[1])
	}
	return f, more, nil
}
