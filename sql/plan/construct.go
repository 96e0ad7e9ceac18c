package plan

import (
	"math"

	"github.com/cairndb/cairn/segment/column"
	"github.com/cairndb/cairn/sql/fn"
	"github.com/cairndb/cairn/sql/parse"
	"github.com/cairndb/cairn/sql/sqlerr"
)

// isQuery reports whether x is a query inside an expression.
func isQuery(x parse.Expr) bool {
	switch x := x.(type) {
	case *parse.Subquery, *parse.Exists:
		return true
	case *parse.Quantified:
		return x.Query != nil
	case *parse.In:
		return x.Query != nil
	}
	return false
}

// array binds ARRAY[…]: the elements get their common type.
func (b *binder) array(x *parse.Array, sc *scope, clause string) (Expr, error) {
	items, err := b.exprs(x.Items, sc, clause)
	if err != nil {
		return nil, err
	}
	t, err := b.unify("ARRAY", items, x.Pos)
	if err != nil {
		return nil, err
	}
	f := fn.NewArray(t, len(items))
	return b.fold(&Call{base{f.Result, x.Pos}, "array", f, items}), nil
}

// row binds ROW(…), or a list in parentheses. While a string literal inside may
// still take the type that a comparison wants, the row is not folded.
func (b *binder) row(x *parse.Row, sc *scope, clause string) (Expr, error) {
	items, err := b.exprs(x.Items, sc, clause)
	if err != nil {
		return nil, err
	}
	return b.rowOf(items, x.Pos), nil
}

func (b *binder) rowOf(items []Expr, pos parse.Pos) Expr {
	types := make([]*column.Type, len(items))
	open := false
	for i, e := range items {
		types[i] = e.Type()
		_, text := isText(e)
		open = open || text || b.untyped(e)
	}
	f := fn.NewRow(types)
	c := &Call{base{f.Result, pos}, rowConstructor, f, items}
	if open {
		return c
	}
	return b.fold(c)
}

// rowConstructor is the name of the calls that ROW(…) becomes.
const rowConstructor = "row"

// fitRows gives the string literals and NULLs inside row constructors the types
// that the other rows have at their places: (eventTime, eventName) IN
// (('2026-01-31T00:00:00Z', 'GetObject')).
func (b *binder) fitRows(what string, list []Expr, pos parse.Pos) error {
	width, built := -1, false
	for _, e := range list {
		t := e.Type()
		if t.Kind != column.Row {
			if b.untyped(e) {
				continue
			}
			return nil
		}
		if width >= 0 && len(t.Fields) != width {
			return sqlerr.New(sqlerr.DatatypeMismatch, e.Pos(), "%s: a row of %s and one of %d do not go together", what, counted(width, "field"), len(t.Fields))
		}
		width = len(t.Fields)
		if _, ok := rowParts(e); ok {
			built = true
		}
	}
	if width < 0 || !built {
		return nil
	}
	parts := make([][]Expr, len(list))
	for i, e := range list {
		if items, ok := rowParts(e); ok {
			parts[i] = append([]Expr(nil), items...)
		}
	}
	for k := range width {
		var column_ []Expr
		var at []int
		for i, e := range list {
			switch {
			case parts[i] != nil:
				column_, at = append(column_, parts[i][k]), append(at, i)
			case e.Type().Kind == column.Row:
				f := e.Type().Fields[k]
				column_, at = append(column_, &Field{base{f.Type, e.Pos()}, e, Step{Field: k}}), append(at, -1)
			}
		}
		if _, err := b.unify(what, column_, pos); err != nil {
			return err
		}
		for j, i := range at {
			if i >= 0 {
				parts[i][k] = column_[j]
			}
		}
	}
	for i, e := range list {
		if parts[i] == nil {
			continue
		}
		types := make([]*column.Type, width)
		for k, p := range parts[i] {
			types[k] = p.Type()
		}
		f := fn.NewRow(types)
		list[i] = b.fold(&Call{base{f.Result, e.Pos()}, rowConstructor, f, parts[i]})
	}
	return nil
}

// rowParts returns the fields of a row constructor.
func rowParts(e Expr) ([]Expr, bool) {
	if c, ok := e.(*Call); ok && c.Name == rowConstructor && c.T.Kind == column.Row {
		return c.Args, true
	}
	return nil, false
}

// slice binds a[low:high].
func (b *binder) slice(x *parse.Slice, sc *scope, clause string) (Expr, error) {
	e, err := b.bindExpr(x.X, sc, clause)
	if err != nil {
		return nil, err
	}
	if e.Type().Kind != column.Array {
		return nil, sqlerr.New(sqlerr.DatatypeMismatch, x.Pos, "a slice is taken of an array, not of %s", e.Type())
	}
	f := fn.NewRange(e.Type())
	args := []Expr{e, intConst(column.BigIntType, 1, x.Pos), intConst(column.BigIntType, math.MaxInt64, x.Pos)}
	for i, bound := range []parse.Expr{x.Low, x.High} {
		if bound == nil {
			continue
		}
		n, err := b.bindExpr(bound, sc, clause)
		if err != nil {
			return nil, err
		}
		if !b.untyped(n) && !n.Type().IsInteger() {
			return nil, sqlerr.New(sqlerr.DatatypeMismatch, n.Pos(), "the bounds of a slice are whole numbers, not %s", n.Type())
		}
		if args[i+1], err = b.convert(n, column.BigIntType); err != nil {
			return nil, err
		}
	}
	return b.fold(&Call{base{f.Result, x.Pos}, "[:]", f, args}), nil
}
