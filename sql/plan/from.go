package plan

import (
	"fmt"
	"slices"
	"strings"

	"github.com/cairndb/cairn/segment/column"
	"github.com/cairndb/cairn/sql/fn"
	"github.com/cairndb/cairn/sql/parse"
	"github.com/cairndb/cairn/sql/sqlerr"
)

// from binds a FROM clause and returns its node and what it names.
func (b *binder) from(list []parse.Relation, names *with) (Node, *scope, error) {
	if len(list) == 0 {
		return oneRow(), &scope{outer: b.outer}, nil
	}
	n, sc, err := b.relation(list[0], names, b.outer)
	for _, next := range list[1:] {
		if err != nil {
			return nil, nil, err
		}
		n, sc, err = b.join(&parse.Join{Pos: relationPos(next), Kind: "cross", Right: next}, n, sc, names, b.outer)
	}
	if err != nil {
		return nil, nil, err
	}
	sc.outer = b.outer
	return n, sc, nil
}

// oneRow is a relation of one row without columns.
func oneRow() *Values { return &Values{Rows: [][]Expr{nil}} }

func relationPos(r parse.Relation) parse.Pos {
	switch x := r.(type) {
	case *parse.TableRef:
		return x.Pos
	case *parse.Derived:
		return x.Pos
	case *parse.Join:
		return x.Pos
	case *parse.Unnest:
		return x.Pos
	case *parse.TableFunc:
		return x.Pos
	}
	return parse.Pos{}
}

// relation binds one relation of FROM. lateral is what it sees when it is
// LATERAL, as UNNEST and functions always are: the relations before it, and the
// queries around.
func (b *binder) relation(r parse.Relation, names *with, lateral *scope) (Node, *scope, error) {
	if b.relations++; b.relations > relationsMax {
		return nil, nil, sqlerr.New(sqlerr.StatementTooComplex, relationPos(r), "the query reads more than %d tables and sub-queries", relationsMax)
	}
	if b.depth++; b.depth > exprDepthMax {
		return nil, nil, sqlerr.New(sqlerr.StatementTooComplex, relationPos(r), "the joins nest too deeply")
	}
	defer func() { b.depth-- }()
	var n Node
	var rel *relation
	var err error
	switch x := r.(type) {
	case *parse.TableRef:
		n, rel, err = b.table(x, names)
	case *parse.Derived:
		sees := b.outer
		if x.Lateral {
			sees = lateral
		}
		if n, err = b.inside(sees, x.Query, names); err == nil {
			n, rel, err = b.named(n, x.Alias, nil, x.Columns)
		}
	case *parse.Join:
		left, sc, err := b.relation(x.Left, names, lateral)
		if err != nil {
			return nil, nil, err
		}
		return b.join(x, left, sc, names, lateral)
	case *parse.Unnest:
		n, rel, err = b.unnest(x, lateral)
	case *parse.TableFunc:
		if n, rel, err = b.catalogFunc(x); n == nil && err == nil {
			n, rel, err = b.tableFunc(x, lateral)
		}
	default:
		err = notYet(relationPos(r), "this form of FROM is")
	}
	if err == nil {
		n, err = b.sampled(n, parse.SampleOf(r))
	}
	if err != nil {
		return nil, nil, err
	}
	return n, &scope{relations: []*relation{rel}}, nil
}

// sampled puts TABLESAMPLE on a relation: each row stays by chance. SYSTEM may
// choose whatever storage has together; rows are all that every table has.
func (b *binder) sampled(n Node, s *parse.Sample) (Node, error) {
	if s == nil {
		return n, nil
	}
	pos := s.Percent.Position()
	percent, err := b.expr(s.Percent, &scope{}, "TABLESAMPLE")
	if err == nil {
		percent, err = b.convert(percent, column.DoubleType)
	}
	if err != nil {
		return nil, err
	}
	percent = rewrite(percent, b.folded)
	if c, ok := percent.(*Const); ok && !c.null() {
		if p := c.Value.F64[0]; !(p >= 0 && p <= 100) {
			return nil, sqlerr.New("2202H", pos, "TABLESAMPLE takes a percentage from 0 to 100")
		}
	}
	chance, err := b.function("random", nil, s.Pos, s.Pos)
	if err != nil {
		return nil, err
	}
	hundred := constant(column.DoubleType, &column.Vector{Type: column.DoubleType, Len: 1, F64: []float64{100}}, pos)
	if chance, err = b.function("*", []Expr{chance, hundred}, s.Pos, s.Pos); err != nil {
		return nil, err
	}
	cond, err := b.compare(CmpLt, chance, percent, s.Pos)
	if err != nil {
		return nil, err
	}
	return &Filter{Input: n, Conds: []Expr{cond}}, nil
}

// join binds a join of a left side, which is bound, with x.Right.
func (b *binder) join(x *parse.Join, left Node, lsc *scope, names *with, lateral *scope) (Node, *scope, error) {
	sees := *lsc
	sees.outer = lateral
	right, rsc, err := b.relation(x.Right, names, &sees)
	if err != nil {
		return nil, nil, err
	}
	kind := map[string]JoinKind{"left": LeftJoin, "right": RightJoin, "full": FullJoin}[x.Kind]
	j := &Join{Kind: kind, Left: left, Right: right, Place: x.Pos}
	if _, plain := x.Right.(*parse.TableRef); !plain {
		made := madeBy(left)
		for id := range OuterRefs(right) {
			j.Lateral = j.Lateral || made[id]
		}
	}
	if j.Lateral && kind.keepsRight() {
		return nil, nil, sqlerr.New(sqlerr.InvalidColumnReference, relationPos(x.Right),
			"the right side of a %s JOIN cannot refer to the left side", strings.ToUpper(x.Kind)).
			WithHint("only INNER, CROSS and LEFT JOIN let it")
	}
	sc := &scope{
		relations: append(lsc.relations[:len(lsc.relations):len(lsc.relations)], rsc.relations...),
		outer:     b.outer,
	}
	columns := x.Using
	if x.Natural {
		columns = commonColumns(lsc, rsc, x.Pos)
	}
	switch {
	case len(columns) > 0:
		err = b.using(columns, j, sc, lsc, rsc)
	default:
		sc.columns = append(slices.Clip(lsc.all()), rsc.all()...)
		if x.On != nil {
			var on Expr
			if on, err = b.expr(x.On, sc, "ON"); err == nil {
				if on, err = b.condition(on, "ON"); err == nil {
					j.On = conjuncts(on)
				}
			}
		}
	}
	if err != nil {
		return nil, nil, err
	}
	return j.simple(), sc, nil
}

// simple turns a lateral join with an UNNEST into one over its left side.
func (n *Join) simple() Node {
	u, ok := n.Right.(*Unnest)
	if !ok || len(u.Columns) == 0 {
		return n
	}
	if v, ok := u.Input.(*Values); !ok || len(v.Columns) > 0 || len(v.Rows) != 1 {
		return n
	}
	var on []Expr
	for _, c := range n.On {
		if k, ok := c.(*Const); !ok || k.null() || k.Value.I64[0] == 0 {
			on = append(on, c)
		}
	}
	switch {
	case n.Kind == InnerJoin:
		u.Input = n.Left
		return filtered(u, on)
	case n.Kind == LeftJoin && len(on) == 0:
		u.Input, u.Outer = n.Left, true
		return u
	}
	return n
}

// commonColumns are the columns of a NATURAL JOIN: those that both sides have, in
// the order of the left.
func commonColumns(left, right *scope, pos parse.Pos) []parse.Part {
	var out []parse.Part
	seen := map[string]bool{}
	has := map[string]bool{}
	for _, v := range right.all() {
		has[strings.ToLower(v.name())] = true
	}
	for _, v := range left.all() {
		if name := strings.ToLower(v.name()); has[name] && !seen[name] {
			seen[name] = true
			out = append(out, parse.Part{Pos: pos, Text: v.name(), Quoted: true})
		}
	}
	return out
}

// using binds USING (…): the columns of that name must be equal, and stand once
// in the result.
func (b *binder) using(columns []parse.Part, j *Join, sc, lsc, rsc *scope) error {
	var made []visible
	used := map[visible]bool{}
	for i, p := range columns {
		for _, other := range columns[:i] {
			if strings.EqualFold(other.Text, p.Text) {
				return sqlerr.New("42701", p.Pos, "USING names %q twice", p.Text)
			}
		}
		var sides [2]Expr
		var first visible
		var fields map[string]string
		for k, side := range []*scope{lsc, rsc} {
			hits := side.find([]parse.Part{p})
			which := [...]string{"left", "right"}[k]
			switch {
			case len(hits) == 0:
				err := sqlerr.New(sqlerr.UndefinedColumn, p.Pos, "the %s side of the join has no column %q", which, p.Text)
				var known []string
				for _, v := range side.all() {
					known = append(known, v.name())
				}
				if near := nearest(p.Text, known); near != "" {
					err.WithHint("did you mean %s?", near)
				}
				return err
			case len(hits) > 1:
				return sqlerr.New(sqlerr.AmbiguousColumn, p.Pos, "the %s side of the join has more than one column %q", which, p.Text).
					WithHint("write the condition with ON and tables before the columns")
			}
			sides[k], fields = b.see(hits[0], p.Pos)
			if k == 0 {
				first = hits[0]
			}
			used[hits[0]] = true
		}
		on, err := b.compare(CmpEq, sides[0], sides[1], p.Pos)
		if err != nil {
			return err
		}
		j.On = append(j.On, on)
		m := &merged{name: first.name(), expr: sides[0], fields: fields}
		switch j.Kind {
		case RightJoin:
			m.expr = sides[1]
		case FullJoin:
			t, err := b.unify("the columns of USING", sides[:], p.Pos)
			if err != nil {
				return err
			}
			m.expr = &Coalesce{base{t, p.Pos}, sides[:]}
		}
		made = append(made, visible{merged: m})
	}
	sc.columns = made
	for _, side := range []*scope{lsc, rsc} {
		for _, v := range side.all() {
			if !used[v] {
				sc.columns = append(sc.columns, v)
			}
		}
	}
	return nil
}

// unnest binds UNNEST(…) in FROM, over one row.
func (b *binder) unnest(x *parse.Unnest, lateral *scope) (Node, *relation, error) {
	u := &Unnest{Input: oneRow(), Ordinality: x.Ordinality}
	sc := &scope{outer: lateral}
	for _, a := range x.Args {
		e, err := b.expr(a, sc, "UNNEST")
		if err != nil {
			return nil, nil, err
		}
		if err := b.unnested(u, e, a.Position()); err != nil {
			return nil, nil, err
		}
	}
	return b.spread(u, x.Alias, x.Columns)
}

// unnested adds an argument and its columns to an Unnest.
func (b *binder) unnested(u *Unnest, e Expr, pos parse.Pos) error {
	t := e.Type()
	types := UnnestTypes(t)
	if types == nil {
		if b.untyped(e) {
			return sqlerr.New(sqlerr.DatatypeMismatch, pos, "UNNEST takes an array or a map, and the type of this is not known").
				WithHint("give it one with CAST(… AS array(varchar))")
		}
		err := sqlerr.New(sqlerr.DatatypeMismatch, pos, "UNNEST takes an array or a map, not %s", t)
		if t.Kind == column.Varchar || t.Kind == column.JSON {
			err.WithHint("make an array of it first, as with CAST(json_parse(%s) AS array(json))", describe(e))
		}
		return err
	}
	u.Args = append(u.Args, e)
	for i, c := range types {
		name := "unnest"
		switch {
		case t.Kind == column.Map:
			name = [...]string{"key", "value"}[i]
		case t.Elem.Kind == column.Row && t.Elem.Fields[i].Name != "":
			name = t.Elem.Fields[i].Name
		case t.Elem.Kind == column.Row:
			name = fmt.Sprintf("field%d", i)
		}
		u.Columns = append(u.Columns, Col{b.newID(), name, c})
	}
	return nil
}

// spread finishes an Unnest and makes its relation.
func (b *binder) spread(u *Unnest, alias *parse.Part, columns []parse.Part) (Node, *relation, error) {
	if u.Ordinality {
		u.Columns = append(u.Columns, Col{b.newID(), "ordinality", column.BigIntType})
	}
	if alias != nil && len(columns) == 0 && len(u.Columns) == 1 {
		// One column without a name of its own is called like the relation.
		u.Columns[0].Name = alias.Text
	}
	return b.named(u, alias, nil, columns)
}

// tableFunc binds a function in FROM: the elements of the array that it gives,
// or in the Postgres dialect one row with its value.
func (b *binder) tableFunc(x *parse.TableFunc, lateral *scope) (Node, *relation, error) {
	sc := &scope{outer: lateral}
	name := strings.ToLower(x.Call.Name.Parts[len(x.Call.Name.Parts)-1].Text)
	u := &Unnest{Input: oneRow()}
	args := func() ([]Expr, error) {
		was := b.aggs
		b.aggs = nil
		defer func() { b.aggs = was }()
		return b.exprs(x.Call.Args, sc, "FROM")
	}
	switch name {
	case "unnest":
		list, err := args()
		if err != nil {
			return nil, nil, err
		}
		for i, e := range list {
			if err := b.unnested(u, e, x.Call.Args[i].Position()); err != nil {
				return nil, nil, err
			}
		}
		if len(list) == 0 {
			return nil, nil, sqlerr.New(sqlerr.UndefinedFunction, x.Pos, "unnest takes at least one array")
		}
		return b.spread(u, x.Alias, x.Columns)
	case "generate_series", "sequence":
		list, err := args()
		if err != nil {
			return nil, nil, err
		}
		title := name
		if name == "sequence" {
			title = "sequential_number"
		}
		if err := b.series(u, list, title, x.Pos); err != nil {
			return nil, nil, err
		}
		return b.spread(u, x.Alias, x.Columns)
	case "pg_options_to_table", "pg_partition_tree":
		if !b.opt.Postgres {
			break
		}
		list, err := args()
		if err != nil {
			return nil, nil, err
		}
		return b.catalogRows(name, list, x)
	}
	if array, ok := rowFunctions[name]; ok && b.opt.Postgres {
		list, err := args()
		if err != nil {
			return nil, nil, err
		}
		return b.rowFunction(name, array, list, u, x)
	}
	e, err := b.expr(x.Call, sc, "FROM")
	if err != nil {
		if fn.LookupScalar(name) == nil && fn.LookupAggregate(name) == nil {
			if e, ok := err.(*sqlerr.Error); ok && e.Hint == "" {
				e.WithHint("the functions that can stand in FROM are unnest, generate_series and sequence")
			}
		}
		return nil, nil, err
	}
	if !b.opt.Postgres {
		return nil, nil, sqlerr.New(sqlerr.WrongObjectType, x.Pos, "%s gives one value, not rows", name).
			WithHint("the functions that can stand in FROM are unnest, generate_series and sequence")
	}
	if x.Alias != nil {
		name = x.Alias.Text
	}
	p := &Project{Input: oneRow(), Exprs: []Expr{e}, Columns: []Col{{b.newID(), name, e.Type()}}}
	return b.named(p, x.Alias, []string{name}, x.Columns)
}

// series makes an Unnest give the numbers or times of generate_series(from, to
// [, step]).
func (b *binder) series(u *Unnest, args []Expr, title string, pos parse.Pos) error {
	if len(args) < 2 || len(args) > 3 {
		return sqlerr.New(sqlerr.UndefinedFunction, pos, "generate_series takes a start, an end and perhaps a step, not %d arguments", len(args))
	}
	whole := true
	for _, a := range args {
		_, text := isText(a)
		whole = whole && (a.Type().IsInteger() || b.untyped(a) || text && b.opt.Postgres)
	}
	if whole {
		if len(args) == 2 {
			args = append(args, intConst(column.BigIntType, 1, pos))
		}
		for i := range args {
			if c, ok := isText(args[i]); ok {
				e, err := b.fromText(c, column.BigIntType)
				if err != nil {
					return err
				}
				if e != nil {
					args[i] = e
				}
			}
			e, err := b.convert(args[i], column.BigIntType)
			if err != nil {
				return err
			}
			args[i] = e
		}
		if c, ok := args[2].(*Const); ok && !c.null() && c.Value.I64[0] == 0 {
			return sqlerr.New(sqlerr.InvalidArgument, pos, "the step of generate_series must not be 0")
		}
		u.Series, u.Args = true, args
		u.Columns = []Col{{b.newID(), title, column.BigIntType}}
		return nil
	}
	if len(args) == 3 && b.opt.Postgres {
		if step, ok := isText(args[2]); ok { // '1 day', without saying what it is
			interval, err := b.function("interval_in", []Expr{step}, pos, pos)
			if err != nil {
				return err
			}
			args[2] = interval
		}
	}
	e, err := b.function("sequence", args, pos, pos)
	if err != nil {
		return err
	}
	u.Args = []Expr{e}
	u.Columns = []Col{{b.newID(), title, e.Type().Elem}}
	return nil
}
