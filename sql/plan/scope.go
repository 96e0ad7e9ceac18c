package plan

import (
	"errors"
	"strings"

	"github.com/cairndb/cairn/segment/column"
	"github.com/cairndb/cairn/sql/parse"
	"github.com/cairndb/cairn/sql/sqlerr"
)

// relation is something in FROM whose columns can be named.
type relation struct {
	// name is the alias, or the parts of the table's name.
	name []string
	cols []relationCol
	scan *TableScan // of a stored table, else nil
}

// relationCol is a column of a relation.
type relationCol struct {
	name    string
	aliases []string
	typ     *column.Type
	hidden  bool
	id      ColID // of a column of a query in FROM
	table   int   // of a column of a stored table
	fields  map[string]string
}

// scope is what names can mean at a place of the query.
type scope struct {
	relations []*relation
	// columns are what can be named without a table, in the order of *; nil
	// stands for all columns of the relations.
	columns []visible
	// outputs are the items of the select list, which ORDER BY may name.
	outputs []selectItem
	// outer is what a sub-query, or a lateral relation in FROM, sees of the query
	// around it; nil for none. A column found there is a plain Ref: the node that
	// the sub-query becomes stands on the right of a lateral Join.
	outer *scope
	// capture is set at the edge of a sub-query in an expression: what is found
	// further out becomes a parameter of its plan.
	capture *capture
	// lambda are the parameters of the lambdas around the place.
	lambda *lambdaScope
}

// visible is a column that can be named without its table: one of a relation,
// or one that JOIN … USING has made of two.
type visible struct {
	rel    *relation
	col    int
	merged *merged
}

// merged is a column of JOIN … USING.
type merged struct {
	name   string
	expr   Expr
	fields map[string]string
}

func (v visible) name() string {
	if v.merged != nil {
		return v.merged.name
	}
	return v.rel.cols[v.col].name
}

func (v visible) hidden() bool { return v.merged == nil && v.rel.cols[v.col].hidden }

// is reports whether the column can be called name.
func (v visible) is(name string) bool {
	if v.merged != nil {
		return strings.EqualFold(v.merged.name, name)
	}
	return v.rel.cols[v.col].is(name)
}

// qualified returns the name as messages show it.
func (v visible) qualified() string {
	if v.merged != nil {
		return v.merged.name
	}
	return strings.Join(append(append([]string{}, v.rel.name...), v.name()), ".")
}

// see returns a reference to the column and the other spellings of its fields.
func (b *binder) see(v visible, pos parse.Pos) (Expr, map[string]string) {
	if v.merged == nil {
		return b.column(v.rel, v.col, pos), v.rel.cols[v.col].fields
	}
	if r, ok := v.merged.expr.(*Ref); ok {
		return &Ref{base{r.T, pos}, r.ID, r.Name}, v.merged.fields
	}
	return v.merged.expr, v.merged.fields
}

// all returns the columns of a relation.
func (r *relation) all() []visible {
	out := make([]visible, len(r.cols))
	for i := range out {
		out[i] = visible{rel: r, col: i}
	}
	return out
}

// all returns the columns that can be named without a table.
func (s *scope) all() []visible {
	if s.columns != nil {
		return s.columns
	}
	var out []visible
	for _, r := range s.relations {
		out = append(out, r.all()...)
	}
	return out
}

// called reports whether the relation can be qualified by the given parts.
func (r *relation) called(parts []parse.Part) bool {
	if len(parts) > len(r.name) {
		return false
	}
	tail := r.name[len(r.name)-len(parts):]
	for i, p := range parts {
		if !strings.EqualFold(p.Text, tail[i]) {
			return false
		}
	}
	return true
}

// is reports whether the column can be called name.
func (c *relationCol) is(name string) bool {
	if strings.EqualFold(c.name, name) {
		return true
	}
	for _, a := range c.aliases {
		if strings.EqualFold(a, name) {
			return true
		}
	}
	return false
}

// find returns the columns that the parts, but for the last, say the table of.
func (s *scope) find(parts []parse.Part) []visible {
	var found []visible
	last := len(parts) - 1
	if last == 0 && s.columns != nil {
		for _, v := range s.columns {
			if v.is(parts[0].Text) {
				found = append(found, v)
			}
		}
		return found
	}
	for _, r := range s.relations {
		if last > 0 && !r.called(parts[:last]) {
			continue
		}
		for i := range r.cols {
			if r.cols[i].is(parts[last].Text) {
				found = append(found, visible{rel: r, col: i})
			}
		}
	}
	return found
}

// resolveColumn finds the column that a dotted name means: the longest prefix that is
// a table decides, then the next part is a column, and the rest are fields of rows.
func (b *binder) resolveColumn(s *scope, name parse.Name) (Expr, error) {
	parts := name.Parts
	if p := s.parameter(parts[0]); p != nil {
		return b.fields(&LambdaParam{base{p.Type, parts[0].Pos}, p.ID, p.Name}, parts[1:], nil, name.Pos)
	}
	if len(parts) == 1 {
		if e, err := s.output(parts[0]); e != nil || err != nil {
			return e, err
		}
	}
	for prefix := len(parts) - 1; prefix >= 0; prefix-- {
		hits := s.find(parts[:prefix+1])
		if len(hits) > 1 {
			var at []string
			for _, h := range hits {
				at = append(at, h.qualified())
			}
			err := sqlerr.New(sqlerr.AmbiguousColumn, name.Pos, "column %q is ambiguous", parts[prefix].Text)
			if at[0] == at[1] {
				return nil, err.WithHint("give the tables aliases of their own")
			}
			return nil, err.WithHint("it may be %s", strings.Join(at, " or "))
		}
		if len(hits) == 1 {
			e, known := b.see(hits[0], name.Pos)
			e, err := b.fields(e, parts[prefix+1:], known, name.Pos)
			if err != nil && prefix == 0 && s.outer != nil {
				// A column here may hide a table further out: x.y.
				if o, outerErr := b.resolveColumn(s.outer, name); outerErr == nil {
					return o, nil
				}
			}
			return e, err
		}
	}
	if s.outer != nil {
		e, err := b.resolveColumn(s.outer, name)
		if err == nil && s.capture != nil {
			return b.captured(s.capture, e), nil
		}
		if !undefined(err) {
			return e, err
		}
	}
	if b.opt.Postgres && len(parts) == 1 && strings.EqualFold(parts[0].Text, "user") {
		return b.function("current_user", nil, name.Pos, name.Pos) // when no column is called so
	}
	return nil, s.unknown(name)
}

// undefined reports whether err says that a name means nothing.
func undefined(err error) bool {
	var e *sqlerr.Error
	return errors.As(err, &e) && e.Code == sqlerr.UndefinedColumn
}

// output returns the select item that a bare name in ORDER BY means, if any.
func (s *scope) output(p parse.Part) (Expr, error) {
	var found Expr
	for _, o := range s.outputs {
		if !strings.EqualFold(o.title, p.Text) {
			continue
		}
		if found != nil && !same(found, o.expr) {
			return nil, sqlerr.New(sqlerr.AmbiguousColumn, p.Pos, "%q names more than one column of the result", p.Text).
				WithHint("use the column's number, as in ORDER BY 1")
		}
		found = o.expr
	}
	return found, nil
}

// column returns a reference to a column of a relation.
func (b *binder) column(r *relation, i int, pos parse.Pos) Expr {
	c := &r.cols[i]
	if r.scan == nil {
		return &Ref{base{c.typ, pos}, c.id, c.name}
	}
	return b.path(r.scan, Path{Column: c.table, Type: c.typ}, c.name, pos)
}

// path returns a reference to the column of a scan that serves a path.
func (b *binder) path(scan *TableScan, p Path, name string, pos parse.Pos) Expr {
	for i, have := range scan.Paths {
		if samePath(have, p) {
			return &Ref{base{p.Type, pos}, scan.Columns[i].ID, scan.Columns[i].Name}
		}
	}
	id := b.newID()
	scan.Paths = append(scan.Paths, p)
	scan.Columns = append(scan.Columns, Col{ID: id, Name: name, Type: p.Type})
	b.scanOf[id] = scan
	return &Ref{base{p.Type, pos}, id, name}
}

func samePath(a, b Path) bool {
	if a.Column != b.Column || len(a.Steps) != len(b.Steps) {
		return false
	}
	if a.Type != nil && b.Type != nil && !a.Type.Equal(b.Type) {
		return false // two values that a JSONTable serves by the same steps
	}
	for i := range a.Steps {
		if a.Steps[i] != b.Steps[i] {
			return false
		}
	}
	return true
}

// step goes one step down from e: a path of the scan where e is one.
func (b *binder) step(e Expr, st Step, t *column.Type, name string, pos parse.Pos) Expr {
	if r, ok := e.(*Ref); ok {
		if scan := b.scanOf[r.ID]; scan != nil {
			for i := range scan.Columns {
				if scan.Columns[i].ID == r.ID {
					p := scan.Paths[i]
					p.Steps = append(append([]Step{}, p.Steps...), st)
					p.Type = t
					return b.path(scan, p, name, pos)
				}
			}
		}
	}
	return &Field{base{t, pos}, e, st}
}

// fields follows field names from e. known are other spellings of fields.
func (b *binder) fields(e Expr, parts []parse.Part, known map[string]string, pos parse.Pos) (Expr, error) {
	for _, p := range parts {
		t := e.Type()
		if t.Kind != column.Row {
			err := sqlerr.New(sqlerr.WrongObjectType, p.Pos, "%s is %s, which has no field %q", describe(e), t, p.Text)
			if t.Kind == column.Map && t.Key.Kind == column.Varchar {
				err.WithHint("take a value out of a map with element_at(%s, '%s')", describe(e), p.Text)
			}
			return nil, err
		}
		i := t.FieldIndex(p.Text)
		if i < 0 {
			if other, ok := known[strings.ToLower(p.Text)]; ok {
				i = t.FieldIndex(other)
			}
		}
		if i < 0 {
			var names []string
			for _, f := range t.Fields {
				names = append(names, f.Name)
			}
			err := sqlerr.New(sqlerr.UndefinedColumn, p.Pos, "%s has no field %q", describe(e), p.Text)
			if near := nearest(p.Text, names); near != "" {
				err.WithHint("did you mean %s?", near)
			} else if strings.Join(names, "") == "" {
				err.WithHint("its fields have no names; the first is %s[1]", describe(e))
			} else {
				err.WithHint("its fields are %s", strings.Join(names, ", "))
			}
			return nil, err
		}
		place := pos
		place.End = p.Pos.End
		e = b.step(e, Step{Field: i}, t.Fields[i].Type, describe(e)+"."+t.Fields[i].Name, place)
	}
	return e, nil
}

// unknown is the error for a name that means nothing.
func (s *scope) unknown(name parse.Name) error {
	parts := name.Parts
	shown := make([]string, len(parts))
	for i, p := range parts {
		shown[i] = p.Text
	}
	pos := name.Pos
	var candidates []string
	for _, r := range s.relations {
		if len(parts) > 1 && r.called(parts[:1]) {
			// The table is right, so its column is wrong.
			pos = parts[1].Pos
			candidates = nil
			for _, c := range r.cols {
				candidates = append(candidates, c.name)
			}
			err := sqlerr.New(sqlerr.UndefinedColumn, pos, "%s has no column %q", parts[0].Text, parts[1].Text)
			if near := nearest(parts[1].Text, candidates); near != "" {
				err.WithHint("did you mean %s?", near)
			}
			return err
		}
		for _, c := range r.cols {
			candidates = append(candidates, c.name)
		}
	}
	for _, o := range s.outputs {
		candidates = append(candidates, o.title)
	}
	err := sqlerr.New(sqlerr.UndefinedColumn, pos, "column %q does not exist", strings.Join(shown, "."))
	if hint := s.qualifierHint(parts); hint != "" {
		return err.WithHint("%s", hint)
	}
	if near := nearest(parts[0].Text, candidates); near != "" {
		shown[0] = near
		return err.WithHint("did you mean %s?", strings.Join(shown, "."))
	}
	// A field named without its row is a frequent slip.
	last := parts[len(parts)-1].Text
	for _, r := range s.relations {
		for _, c := range r.cols {
			if at := fieldPath(c.typ, last, fieldDepthMax); at != "" {
				return err.WithHint("did you mean %s.%s?", c.name, at)
			}
		}
	}
	if parts[0].Quoted {
		err.WithHint("text is written in single quotes; double quotes name columns")
	}
	return err
}

// qualifierHint says what could be meant by a dotted name whose first part is
// neither a relation nor a column, "" when nothing is likely.
func (s *scope) qualifierHint(parts []parse.Part) string {
	if len(parts) < 2 {
		return ""
	}
	table := parts[0].Text
	rest := make([]string, len(parts)-1)
	for i, p := range parts[1:] {
		rest[i] = p.Text
	}
	path := strings.Join(rest, ".")
	var names, owners []string
	for _, r := range s.relations {
		if len(r.name) == 0 || r.name[len(r.name)-1] == "" {
			continue
		}
		name := r.name[len(r.name)-1]
		names = append(names, name)
		has := false
		for i := range r.cols {
			has = has || r.cols[i].is(parts[1].Text)
		}
		if has {
			owners = append(owners, name)
		}
		if r.scan != nil && strings.EqualFold(r.scan.Table.Name(), table) {
			return table + " is called " + name + " here: write " + name + "." + path
		}
	}
	if len(owners) == 1 {
		return "did you mean " + owners[0] + "." + path + "?"
	}
	if near := nearest(table, names); near != "" && len(owners) == 0 {
		return "did you mean " + near + "." + path + "?"
	}
	var columns []string
	for _, v := range s.all() {
		columns = append(columns, v.name())
	}
	switch near := nearest(table, columns); {
	case len(owners) > 1:
		return "nothing in FROM is called " + table + "; columns " + parts[1].Text + " are in " + strings.Join(owners, " and ")
	case near != "":
		return "did you mean " + near + "." + path + "?"
	case len(names) > 0:
		return "nothing in FROM is called " + table + "; there is " + strings.Join(names, ", ")
	}
	return ""
}

// fieldDepthMax is how deep a field is looked for to make a hint.
const fieldDepthMax = 4

// fieldPath returns the path to a field called name inside a row type, or "".
func fieldPath(t *column.Type, name string, depth int) string {
	if t.Kind != column.Row || depth == 0 {
		return ""
	}
	if i := t.FieldIndex(name); i >= 0 {
		return t.Fields[i].Name
	}
	for _, f := range t.Fields {
		if at := fieldPath(f.Type, name, depth-1); at != "" {
			return f.Name + "." + at
		}
	}
	return ""
}
