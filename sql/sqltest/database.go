package sqltest

import (
	"context"
	"crypto/md5"
	"encoding/hex"
	"errors"
	"fmt"
	"maps"
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
	// indexes are names of indexes with their tables, keys those of the columns of
	// primary keys by table; both in lower case.
	indexes map[string]string
	keys    map[string][]string
	labels  map[string]string
}

type view struct{ name, query string }

// What the runner has no translation for, since nothing in the dialect stands for
// it: triggers, constraints other than REPLACE's primary key, ALTER, PRAGMA,
// transactions, and values that a column takes against its type as in SQLite.
// Queries are out of the dialect's reach when they need SQLite's typing ('a' + 1,
// division by zero that gives NULL), its NULLs first in ORDER BY, functions such as
// total and group_concat, or IN (); public files mark those with onlyif sqlite.

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
		return d.insert(ctx, rest, false)
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
	for _, words := range [][]string{{"create", "view"}, {"create", "temp", "view"}, {"create", "temporary", "view"}} {
		if rest, ok := keywords(text, words...); ok {
			return d.createView(ctx, rest)
		}
	}
	for _, words := range [][]string{{"replace", "into"}, {"insert", "or", "replace", "into"}} {
		if rest, ok := keywords(text, words...); ok {
			return d.insert(ctx, rest, true)
		}
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
	if handled, err := d.index(text); handled {
		return err
	}
	if _, ok := keywords(text, "select"); ok {
		_, err := Collect(sql.Query(ctx, d.catalog(), d.withViews(text), nil, d.Options))
		return err
	}
	return ErrUnsupported
}

func (d *Database) createView(ctx context.Context, rest string) error {
	rest, may := keywords(rest, "if", "not", "exists")
	name, rest := word(rest)
	query, ok := keywords(rest, "as")
	if !ok {
		return ErrUnsupported
	}
	if d.find(name) != nil || d.isView(name) {
		if may {
			return nil
		}
		return fmt.Errorf("%s exists", name)
	}
	d.views = append(d.views, view{name, query})
	return nil
}

// index runs a statement about indexes, of which only the names are kept: an index
// changes no result.
func (d *Database) index(text string) (handled bool, err error) {
	for _, words := range [][]string{{"create", "index"}, {"create", "unique", "index"}} {
		rest, ok := keywords(text, words...)
		if !ok {
			continue
		}
		rest, may := keywords(rest, "if", "not", "exists")
		name, rest := word(rest)
		rest, _ = keywords(rest, "on")
		table, _ := word(rest)
		name = strings.ToLower(name)
		switch {
		case d.find(table) == nil:
			return true, fmt.Errorf("there is no table %s", table)
		case d.indexes[name] != "" && !may:
			return true, fmt.Errorf("there is an index %s", name)
		case d.indexes == nil:
			d.indexes = map[string]string{}
		}
		d.indexes[name] = strings.ToLower(table)
		return true, nil
	}
	rest, drop := keywords(text, "drop", "index")
	if !drop {
		if rest, handled = keywords(text, "reindex"); !handled {
			return false, nil
		}
	}
	rest, may := keywords(rest, "if", "exists")
	name, _ := word(rest)
	name = strings.ToLower(name)
	if d.indexes[name] == "" && !may && (drop || name != "" && d.find(name) == nil) {
		return true, fmt.Errorf("there is no index %s", name)
	}
	if drop {
		delete(d.indexes, name)
	}
	return true, nil
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
	var keys []string
	for _, def := range splitTop(inside, ',') {
		first, more := word(def)
		if list, ok := keywords(def, "primary", "key"); ok {
			if names, _, ok := parenthesized(list); ok {
				keys = splitTop(strings.ToLower(names), ',')
			}
		} else if findWord(more, "primary") >= 0 {
			keys = []string{strings.ToLower(first)}
		}
		if slices.Contains([]string{"PRIMARY", "UNIQUE", "FOREIGN", "CHECK", "CONSTRAINT"}, strings.ToUpper(first)) {
			continue
		}
		kind, _ := word(more)
		t := typeOf(kind)
		cols = append(cols, plan.Column{Name: first, Type: t})
		data = append(data, column.New(t, 0))
	}
	d.put(NewTable(name, cols, data, d.Layout))
	if d.keys == nil {
		d.keys = map[string][]string{}
	}
	d.keys[strings.ToLower(name)] = keys
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
	maps.DeleteFunc(d.indexes, func(_, table string) bool { return strings.EqualFold(table, name) })
	return nil
}

func (d *Database) table(name string) (*Table, error) {
	if t := d.find(name); t != nil {
		return t, nil
	}
	return nil, fmt.Errorf("there is no table %s", name)
}

// insert appends rows; with replacing, rows with the same primary key go first.
func (d *Database) insert(ctx context.Context, rest string, replacing bool) error {
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
	if replacing {
		t = t.without(d.keys[strings.ToLower(t.name)], res)
	}
	return d.append(t, res)
}

// without returns the table without the rows whose values in some columns are
// those of a row of res, which has the columns of the table.
func (t *Table) without(keys []string, res *Result) *Table {
	var at []int
	for i, c := range t.cols {
		if slices.Contains(keys, strings.ToLower(c.Name)) {
			at = append(at, i)
		}
	}
	key := func(cols []*column.Vector, row int) string {
		var b strings.Builder
		for _, c := range at {
			fmt.Fprintf(&b, "%v %q,", cols[c].IsNull(row), fn.Format(cols[c], row))
		}
		return b.String()
	}
	gone := map[string]bool{}
	for _, b := range res.Batches {
		for row := range b.Len {
			gone[key(b.Cols, row)] = true
		}
	}
	var kept []int32
	for row := range t.rows {
		if len(at) == 0 || !gone[key(t.data, row)] {
			kept = append(kept, int32(row))
		}
	}
	out := &Table{name: t.name, cols: t.cols, rows: len(kept)}
	for _, v := range t.data {
		out.data = append(out.data, column.Gather(v, kept))
	}
	return out
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
