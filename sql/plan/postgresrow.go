package plan

import (
	"slices"
	"strings"

	"github.com/cairndb/cairn/segment/column"
	"github.com/cairndb/cairn/sql/fn"
	"github.com/cairndb/cairn/sql/parse"
	"github.com/cairndb/cairn/sql/sqlerr"
)

// What the Postgres dialect has of rows and of JSON made of them: the name of a
// table for a whole row of it, the columns that every table has, json_agg, and the
// functions in FROM that take JSON apart.

// resolve finds what a dotted name means. In the Postgres dialect a name that is no
// column may be one of those that every table has, or that of a relation: a whole row
// of it, as in row_to_json(t).
func (b *binder) resolve(s *scope, name parse.Name) (Expr, error) {
	e, err := b.resolveColumn(s, name)
	if err == nil || !b.opt.Postgres || !undefined(err) {
		return e, err
	}
	if e, ok := b.beside(s, name); ok {
		return e, nil
	}
	return nil, err
}

// beside looks from the place outwards for a relation, or a table's own column, of
// that name.
func (b *binder) beside(s *scope, name parse.Name) (Expr, bool) {
	if s == nil {
		return nil, false
	}
	if e := b.systemColumn(s, name); e != nil {
		return e, true
	}
	for _, r := range s.relations {
		if len(r.name) > 0 && r.called(name.Parts) {
			return b.wholeRow(r, name.Pos), true
		}
	}
	e, ok := b.beside(s.outer, name)
	if ok && s.capture != nil {
		e = b.captured(s.capture, e)
	}
	return e, ok
}

// wholeRow is a row of a relation as one value. Of a function that gives single
// values it is the value.
func (b *binder) wholeRow(r *relation, pos parse.Pos) Expr {
	var items []Expr
	var fields []column.Field
	for i, c := range r.cols {
		if !c.hidden {
			items = append(items, b.column(r, i, pos))
			fields = append(fields, column.Field{Name: c.name, Type: c.typ})
		}
	}
	f := fn.NewRecord(fields)
	return &Call{base{f.Result, pos}, rowConstructor, f, items}
}

// systemColumns are the columns that tables of Postgres have besides their own, which
// tools ask for to know rows by. A store tells its number; a row of it has no place that
// could be named, and is of no transaction.
var systemColumns = []string{"tableoid", "xmin", "xmax", "cmin", "cmax", "ctid"}

func (b *binder) systemColumn(s *scope, name parse.Name) Expr {
	last := len(name.Parts) - 1
	which := strings.ToLower(name.Parts[last].Text)
	if !slices.Contains(systemColumns, which) {
		return nil
	}
	var of *relation
	for _, r := range s.relations {
		if r.scan == nil || last > 0 && !r.called(name.Parts[:last]) {
			continue
		}
		if of != nil {
			return nil
		}
		of = r
	}
	if of == nil {
		return nil
	}
	typed := func(name string, x int64) Expr {
		t := fn.Carrier(name)
		v := column.New(t, 1)
		v.I64[0] = x
		return constant(t, v, parse.Pos{})
	}
	switch which {
	case "tableoid":
		if b.fn.Session != nil {
			if oid, ok := b.fn.Session.OID("regclass", of.scan.Table.Name()); ok {
				return typed("oid", oid)
			}
		}
		return nullConst(fn.Carrier("oid"), name.Pos)
	case "ctid":
		return nullConst(column.VarcharType, name.Pos)
	case "xmin":
		return typed("xid", 1)
	}
	return typed("xid", 0)
}

// postgresAggregate rewrites aggregates that Trino does not have as a function of one
// that it has: json_agg(x) is the JSON of array_agg(x), json_object_agg(k, v) that of
// map_agg(k, v), and a percentile is taken out of the array of all values in order. nil
// for other calls.
func postgresAggregate(name string, x *parse.Call) *parse.Call {
	of := func(name string) parse.Name {
		return parse.Name{Pos: x.Name.Pos, Parts: []parse.Part{{Pos: x.Name.Pos, Text: name}}}
	}
	inner := *x
	switch name {
	case "json_agg", "jsonb_agg":
		inner.Name = of("array_agg")
	case "json_object_agg", "jsonb_object_agg":
		if len(x.Args) != 2 {
			return nil
		}
		inner.Name = of("map_agg")
		inner.Args = []parse.Expr{&parse.Cast{Pos: x.Args[0].Position(), X: x.Args[0], Type: parse.TypeName{Pos: x.Pos, Name: "varchar"}}, x.Args[1]}
	case "mode":
		if len(x.Args) != 0 || len(x.WithinGroup) != 1 {
			return nil
		}
		inner.Name, inner.Args, inner.OrderBy, inner.WithinGroup = of("array_agg"), []parse.Expr{x.WithinGroup[0].Expr}, x.WithinGroup, nil
		return &parse.Call{Pos: x.Pos, Name: x.Name, Args: []parse.Expr{&inner}}
	case "percentile_cont", "percentile_disc":
		if len(x.Args) != 1 || len(x.WithinGroup) != 1 {
			return nil
		}
		inner.Name, inner.Args, inner.OrderBy, inner.WithinGroup = of("array_agg"), []parse.Expr{x.WithinGroup[0].Expr}, x.WithinGroup, nil
		return &parse.Call{Pos: x.Pos, Name: x.Name, Args: []parse.Expr{&inner, x.Args[0]}}
	default:
		return nil
	}
	return &parse.Call{Pos: x.Pos, Name: of("to_json"), Args: []parse.Expr{&inner}}
}

// rowFunctions are functions that give rows, and those that give the same as an
// array or a map.
var rowFunctions = map[string]string{
	"json_array_elements": "", "jsonb_array_elements": "", "json_array_elements_text": "", "jsonb_array_elements_text": "",
	"json_object_keys": "", "jsonb_object_keys": "", "json_each": "", "jsonb_each": "", "json_each_text": "", "jsonb_each_text": "",
	"string_to_table": "string_to_array", "regexp_split_to_table": "regexp_split_to_array",
	"regexp_matches": "",
}

// rowFunction binds such a function in FROM.
func (b *binder) rowFunction(name, array string, args []Expr, u *Unnest, x *parse.TableFunc) (Node, *relation, error) {
	if array == "" {
		array = name
	}
	e, err := b.function(array, args, x.Call.Pos, x.Call.Pos)
	if err != nil {
		return nil, nil, err
	}
	if err := b.unnested(u, e, x.Pos); err != nil {
		return nil, nil, err
	}
	title := name
	if strings.Contains(name, "elements") {
		title = "value"
	}
	single := len(u.Columns) == 1
	if single {
		u.Columns[0].Name = title
	}
	alias := x.Alias
	if alias == nil {
		alias = &parse.Part{Pos: x.Pos, Text: name}
	}
	n, rel, err := b.spread(u, alias, x.Columns)
	if err == nil && single {
		// Called by the alias, as every such column, and by its own name.
		rel.cols[0].aliases = []string{title}
		if x.Alias == nil {
			rel.cols[0].name = title
		}
	}
	return n, rel, err
}

// asJSON makes JSON of a value: text is read as JSON.
func (b *binder) asJSON(e Expr) (Expr, error) {
	if e.Type().Kind == column.Varchar && !b.untyped(e) {
		return b.function("json_parse", []Expr{e}, e.Pos(), e.Pos())
	}
	return b.convert(e, column.JSONType)
}

// jsonFunctions take JSON as their first argument, whatever of rows, maps and arrays
// their argument is here.
var jsonFunctions = map[string]bool{
	"json_typeof": true, "jsonb_typeof": true, "jsonb_pretty": true, "json_strip_nulls": true, "jsonb_strip_nulls": true,
	"jsonb_array_length": true, "json_array_elements": true, "jsonb_array_elements": true, "json_array_elements_text": true,
	"jsonb_array_elements_text": true, "json_object_keys": true, "jsonb_object_keys": true, "json_each": true, "jsonb_each": true,
	"json_each_text": true, "jsonb_each_text": true, "jsonb_exists": true, "jsonb_exists_any": true, "jsonb_exists_all": true,
	"jsonb_set": true, "jsonb_insert": true, "jsonb_delete": true, "jsonb_delete_path": true, "jsonb_concat": true,
	"json_extract_path": true, "jsonb_extract_path": true, "json_extract_path_text": true, "jsonb_extract_path_text": true,
}

// jsonArguments gives literals among the arguments of such functions their types: '{a,b}' is a path, '2' a value.
func (b *binder) jsonArguments(name string, args []Expr) (_ []Expr, err error) {
	switch name {
	case "jsonb_set", "jsonb_insert", "jsonb_delete_path", "jsonb_exists_any", "jsonb_exists_all":
		if len(args) > 1 {
			if _, ok := isText(args[1]); ok {
				if args[1], err = b.postgresCast(args[1], column.ArrayOf(column.VarcharType), args[1].Pos()); err != nil {
					return nil, err
				}
			}
		}
		if len(args) > 2 {
			if args[2], err = b.asJSON(args[2]); err != nil {
				return nil, err
			}
		}
	case "jsonb_concat":
		if len(args) > 1 {
			if args[1], err = b.asJSON(args[1]); err != nil {
				return nil, err
			}
		}
	}
	return args, nil
}

// contained binds l @> r: of arrays every element of r is one of l, of JSON l has all
// that r has.
func (b *binder) contained(l, r Expr, pos, place parse.Pos) (Expr, error) {
	if l.Type().Kind == column.Array || r.Type().Kind == column.Array {
		sides := []Expr{l, r}
		for i, e := range sides {
			if text, ok := isText(e); ok && strings.HasPrefix(strings.TrimSpace(text.Value.Str[0]), "{") {
				var err error
				if sides[i], err = b.postgresCast(e, sides[1-i].Type(), pos); err != nil {
					return nil, err
				}
			}
		}
		if sides[0].Type().Kind == column.Array && sides[1].Type().Kind == column.Array {
			rest, err := b.function("array_except", []Expr{sides[1], sides[0]}, pos, place)
			if err != nil {
				return nil, err
			}
			n, err := b.function("cardinality", []Expr{rest}, pos, place)
			if err != nil {
				return nil, err
			}
			return b.compare(CmpEq, n, intConst(column.BigIntType, 0, pos), pos)
		}
	}
	lj, err := b.asJSON(l)
	if err != nil {
		return nil, err
	}
	rj, err := b.asJSON(r)
	if err != nil {
		return nil, sqlerr.At(err, r.Pos())
	}
	f, err := fn.LookupPostgres("@>").Bind([]*column.Type{lj.Type(), rj.Type()})
	if err != nil {
		return nil, sqlerr.At(err, place)
	}
	return b.fold(&Call{base{f.Result, pos}, "@>", f, []Expr{lj, rj}}), nil
}
