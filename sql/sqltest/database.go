package sqltest

import (
	"context"
	"crypto/md5"
	"encoding/hex"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/cairndb/cairn/segment/column"
	"github.com/cairndb/cairn/sql"
	"github.com/cairndb/cairn/sql/fn"
	"github.com/cairndb/cairn/sql/plan"
	"github.com/cairndb/cairn/sql/sqlerr"
)

// Database runs public scripts: it keeps tables that can be changed, which the
// product's tables cannot, and translates each change into a query of the
// product that yields the table's new rows.
type Database struct {
	// Options are what queries run with.
	Options sql.Options
	// Layout is how tables are kept.
	Layout Layout
	tables Catalog
	views  []view
	labels map[string]string
}

type view struct{ name, query string }

// ErrUnsupported is the error of a statement that the runner cannot translate:
// the product has no such statement and there is no query that stands for it.
var ErrUnsupported = errors.New("the runner has no such statement")

// Outcome is what became of a record.
type Outcome uint8

// The outcomes. Refused is a query that the product says it does not support,
// Unsupported a statement that the runner does not have.
const (
	Passed Outcome = iota
	Failed
	Refused
	Unsupported
)

// Run runs a record and tells what became of it and, unless it passed, why.
func (d *Database) Run(ctx context.Context, r ScriptRecord) (Outcome, string) {
	if r.Statement {
		err := d.exec(ctx, r.SQL)
		switch {
		case errors.Is(err, ErrUnsupported):
			return Unsupported, err.Error()
		case err != nil && !r.Fails:
			return refusal(err), ErrorText(err, r.SQL)
		case err == nil && r.Fails:
			return Failed, "no error"
		}
		return Passed, ""
	}
	res, err := Collect(sql.Query(ctx, d.catalog(), d.withViews(r.SQL), nil, d.Options))
	if err != nil {
		return refusal(err), ErrorText(err, r.SQL)
	}
	if len(res.Columns) != len(r.Types) {
		return Failed, fmt.Sprintf("%d columns, for %d", len(res.Columns), len(r.Types))
	}
	got := values(res, r.Types, r.Sort)
	hash := hashOf(got)
	if r.Label != "" {
		if d.labels == nil {
			d.labels = map[string]string{}
		}
		if was, ok := d.labels[r.Label]; ok && was != hash {
			return Failed, fmt.Sprintf("not the result that the label %s had before", r.Label)
		}
		d.labels[r.Label] = hash
	}
	if len(r.Want) == 1 && strings.Contains(r.Want[0], " values hashing to ") {
		if text := fmt.Sprintf("%d values hashing to %s", len(got), hash); text != r.Want[0] {
			return Failed, fmt.Sprintf("got  %s\nwant %s\n%s", text, r.Want[0], strings.Join(got[:min(len(got), 40)], " "))
		}
		return Passed, ""
	}
	want := r.Want
	if len(want) != len(got) && len(r.Types) > 1 {
		// Some files write a row a line.
		want = nil
		for _, line := range r.Want {
			want = append(want, strings.Fields(line)...)
		}
	}
	if !slices.Equal(got, want) {
		return Failed, fmt.Sprintf("got\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
	return Passed, ""
}

func refusal(err error) Outcome {
	var e *sqlerr.Error
	if errors.As(err, &e) && e.Code == sqlerr.FeatureNotSupported {
		return Refused
	}
	return Failed
}

func values(res *Result, types, order string) []string {
	var rows [][]string
	for _, b := range res.Batches {
		for i := range b.Len {
			row := make([]string, len(b.Cols))
			for c, v := range b.Cols {
				row[c] = cell(types[c], fn.Format(v, i), v.IsNull(i))
			}
			rows = append(rows, row)
		}
	}
	if order == "rowsort" {
		slices.SortFunc(rows, slices.Compare)
	}
	var out []string
	for _, row := range rows {
		out = append(out, row...)
	}
	if order == "valuesort" {
		slices.Sort(out)
	}
	return out
}

func hashOf(values []string) string {
	h := md5.New()
	for _, v := range values {
		h.Write([]byte(v))
		h.Write([]byte{'\n'})
	}
	return hex.EncodeToString(h.Sum(nil))
}

// catalog returns the tables as queries see them.
func (d *Database) catalog() Catalog { return d.tables }

// withViews puts the views that a query mentions before it.
func (d *Database) withViews(query string) string {
	var with []string
	need := query
	for _, v := range slices.Backward(d.views) {
		if findAnywhere(need, v.name) {
			with = append(with, v.name+" AS ("+v.query+")")
			need += " " + v.query
		}
	}
	if with == nil {
		return query
	}
	slices.Reverse(with)
	return "WITH " + strings.Join(with, ", ") + " " + query
}

func findAnywhere(text, name string) bool {
	return findWord(strings.NewReplacer("(", " ", ")", " ").Replace(text), name) >= 0
}

func (d *Database) find(name string) *Table {
	for _, t := range d.tables {
		if strings.EqualFold(t.name, name) {
			return t
		}
	}
	return nil
}

// put replaces a table, or adds it.
func (d *Database) put(t *Table) {
	for i, old := range d.tables {
		if strings.EqualFold(old.name, t.name) {
			d.tables[i] = t
			return
		}
	}
	d.tables = append(d.tables, t)
}

// exec runs a statement that changes tables.
func (d *Database) exec(ctx context.Context, text string) error {
	if rest, ok := keywords(text, "create", "table"); ok {
		return d.create(ctx, rest)
	}
	if rest, ok := keywords(text, "insert", "into"); ok {
		return d.insert(ctx, rest)
	}
	if rest, ok := keywords(text, "update"); ok {
		return d.update(ctx, rest)
	}
	if rest, ok := keywords(text, "delete", "from"); ok {
		return d.delete(ctx, rest)
	}
	if rest, ok := keywords(text, "drop", "table"); ok {
		return d.drop(rest)
	}
	if rest, ok := keywords(text, "create", "view"); ok {
		name, rest := word(rest)
		query, ok := keywords(rest, "as")
		if !ok {
			return ErrUnsupported
		}
		if d.find(name) != nil || d.isView(name) {
			return fmt.Errorf("%s exists", name)
		}
		d.views = append(d.views, view{name, query})
		return nil
	}
	if rest, ok := keywords(text, "drop", "view"); ok {
		rest, may := keywords(rest, "if", "exists")
		name, _ := word(rest)
		n := len(d.views)
		d.views = slices.DeleteFunc(d.views, func(v view) bool { return strings.EqualFold(v.name, name) })
		if len(d.views) == n && !may {
			return fmt.Errorf("there is no view %s", name)
		}
		return nil
	}
	// An index changes no result.
	for _, words := range [][]string{{"create", "index"}, {"create", "unique", "index"}, {"drop", "index"}, {"reindex"}} {
		if _, ok := keywords(text, words...); ok {
			return nil
		}
	}
	if _, ok := keywords(text, "select"); ok {
		_, err := Collect(sql.Query(ctx, d.catalog(), d.withViews(text), nil, d.Options))
		return err
	}
	return ErrUnsupported
}

func (d *Database) isView(name string) bool {
	return slices.ContainsFunc(d.views, func(v view) bool { return strings.EqualFold(v.name, name) })
}

// typeOf returns the type that a column of a script's table gets.
func typeOf(name string) *column.Type {
	switch strings.ToLower(name) {
	case "integer", "int", "bigint", "smallint", "tinyint", "signed", "unsigned":
		return column.BigIntType
	case "float", "real", "double", "numeric", "decimal":
		return column.DoubleType
	case "boolean", "bool":
		return column.BooleanType
	}
	return column.VarcharType
}

func (d *Database) create(ctx context.Context, rest string) error {
	rest, may := keywords(rest, "if", "not", "exists")
	name, rest := word(rest)
	if d.find(name) != nil || d.isView(name) {
		if may {
			return nil
		}
		return fmt.Errorf("%s exists", name)
	}
	if query, ok := keywords(rest, "as"); ok {
		res, err := Collect(sql.Query(ctx, d.catalog(), d.withViews(query), nil, d.Options))
		if err != nil {
			return err
		}
		t := &Table{name: name}
		for _, c := range res.Columns {
			t.cols = append(t.cols, plan.Column{Name: c.Name, Type: c.Type})
		}
		return d.append(t, res)
	}
	inside, _, ok := parenthesized(rest)
	if !ok {
		return ErrUnsupported
	}
	var cols []plan.Column
	var data []*column.Vector
	for _, def := range splitTop(inside, ',') {
		first, more := word(def)
		if slices.Contains([]string{"PRIMARY", "UNIQUE", "FOREIGN", "CHECK", "CONSTRAINT"}, strings.ToUpper(first)) {
			continue
		}
		kind, _ := word(more)
		t := typeOf(kind)
		cols = append(cols, plan.Column{Name: first, Type: t})
		data = append(data, column.New(t, 0))
	}
	d.put(NewTable(name, cols, data, d.Layout))
	return nil
}

func (d *Database) drop(rest string) error {
	rest, may := keywords(rest, "if", "exists")
	name, _ := word(rest)
	n := len(d.tables)
	d.tables = slices.DeleteFunc(d.tables, func(t *Table) bool { return strings.EqualFold(t.name, name) })
	if len(d.tables) == n && !may {
		return fmt.Errorf("there is no table %s", name)
	}
	return nil
}

func (d *Database) table(name string) (*Table, error) {
	if t := d.find(name); t != nil {
		return t, nil
	}
	return nil, fmt.Errorf("there is no table %s", name)
}

func (d *Database) insert(ctx context.Context, rest string) error {
	name, rest := word(rest)
	t, err := d.table(name)
	if err != nil {
		return err
	}
	names := make([]string, len(t.cols))
	for i, c := range t.cols {
		names[i] = c.Name
	}
	if inside, more, ok := parenthesized(rest); ok {
		names, rest = splitTop(inside, ','), more
	}
	from := make([]string, len(t.cols))
	alias := make([]string, len(names))
	for i, n := range names {
		n, _ = word(n)
		at := slices.IndexFunc(t.cols, func(c plan.Column) bool { return strings.EqualFold(c.Name, n) })
		if at < 0 {
			return fmt.Errorf("%s has no column %s", name, n)
		}
		alias[i] = fmt.Sprintf("c%d", i)
		from[at] = alias[i]
	}
	for i, c := range t.cols {
		if from[i] == "" {
			from[i] = "NULL"
		}
		from[i] = fmt.Sprintf("CAST(%s AS %s)", from[i], c.Type)
	}
	query := fmt.Sprintf("SELECT %s FROM (%s) AS new(%s)", strings.Join(from, ", "), rest, strings.Join(alias, ", "))
	res, err := Collect(sql.Query(ctx, d.catalog(), d.withViews(query), nil, d.Options))
	if err != nil {
		return err
	}
	return d.append(t, res)
}

// append puts the rows of a result behind those of a table.
func (d *Database) append(t *Table, res *Result) error {
	data := make([]*column.Vector, len(t.cols))
	for c, col := range t.cols {
		a := column.NewAppender(col.Type, t.rows+res.Len())
		if c < len(t.data) {
			a.AppendAll(t.data[c])
		}
		for _, b := range res.Batches {
			a.AppendAll(column.Flatten(b.Cols[c]))
		}
		data[c] = a.Vector()
	}
	d.put(NewTable(t.name, t.cols, data, d.Layout))
	return nil
}

// replace gives a table the rows of a query.
func (d *Database) replace(ctx context.Context, t *Table, query string) error {
	res, err := Collect(sql.Query(ctx, d.catalog(), query, nil, d.Options))
	if err != nil {
		return err
	}
	return d.append(&Table{name: t.name, cols: t.cols}, res)
}

func (d *Database) update(ctx context.Context, rest string) error {
	name, rest := word(rest)
	t, err := d.table(name)
	if err != nil {
		return err
	}
	rest, ok := keywords(rest, "set")
	if !ok {
		return ErrUnsupported
	}
	cond := "true"
	if at := findWord(rest, "where"); at >= 0 {
		rest, cond = rest[:at], rest[at+len("where"):]
	}
	exprs := make([]string, len(t.cols))
	for i, c := range t.cols {
		exprs[i] = c.Name
	}
	for _, set := range splitTop(rest, ',') {
		col, value := word(set)
		at := slices.IndexFunc(t.cols, func(c plan.Column) bool { return strings.EqualFold(c.Name, col) })
		value, ok := strings.CutPrefix(value, "=")
		if at < 0 || !ok {
			return fmt.Errorf("%s has no column %s", name, col)
		}
		exprs[at] = fmt.Sprintf("CASE WHEN (%s) THEN CAST((%s) AS %s) ELSE %s END", cond, value, t.cols[at].Type, t.cols[at].Name)
	}
	return d.replace(ctx, t, fmt.Sprintf("SELECT %s FROM %s", strings.Join(exprs, ", "), name))
}

func (d *Database) delete(ctx context.Context, rest string) error {
	name, rest := word(rest)
	t, err := d.table(name)
	if err != nil {
		return err
	}
	cond, ok := keywords(rest, "where")
	if !ok {
		cond = "true"
	}
	return d.replace(ctx, t, fmt.Sprintf("SELECT * FROM %s WHERE (%s) IS DISTINCT FROM true", name, cond))
}
