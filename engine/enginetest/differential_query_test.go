package enginetest_test

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"
)

// query is a SELECT, or a UNION ALL of some.
type query struct {
	union []*query // then only order, limit and offset of this one count

	items    []*expr
	distinct bool
	store    string
	alias    string // of the store, "" for none
	where    *expr
	grouped  bool
	keys     []*expr
	ordinals bool // GROUP BY 1, 2 where a key is an item
	having   *expr

	order  []orderKey
	limit  int // -1 for none
	offset int // -1 for none
}

// orderKey is an item of the select list, or an expression.
type orderKey struct {
	item  int
	expr  *expr // nil for an item
	desc  bool
	nulls string // "", "FIRST", "LAST"
}

// width returns the number of columns.
func (q *query) width() int {
	if q.union != nil {
		return q.union[0].width()
	}
	return len(q.items)
}

func (q *query) kinds() (out []kind) {
	if q.union != nil {
		return q.union[0].kinds()
	}
	for _, e := range q.items {
		out = append(out, e.kind)
	}
	return out
}

// answer is what a query must give.
type answer struct {
	rows  [][]any
	order [][]any // the values of the order keys, row for row
	err   error
	known []string // see keys
}

// keys returns what the rows are compared by.
func (a *answer) keys() []string {
	if a.known == nil {
		for _, r := range a.rows {
			a.known = append(a.known, rowKey(r))
		}
	}
	return a.known
}

// evaluate runs a query the plain way.
func evaluate(q *query, s *sample) *answer {
	a := &answer{}
	if q.union != nil {
		for _, m := range q.union {
			one := evaluate(m, s)
			if one.err != nil {
				return one
			}
			for _, row := range one.rows {
				a.rows = append(a.rows, row)
				a.order = append(a.order, q.orderOf(row))
			}
		}
		q.sortRows(a)
		return a
	}
	rows := s.store(q.store)
	if q.where != nil {
		var kept []*record
		for _, r := range rows {
			ok, err := q.where.eval(&env{row: r})
			if err != nil {
				return &answer{err: err}
			}
			if ok == true {
				kept = append(kept, r)
			}
		}
		rows = kept
	}
	var envs []*env
	if q.grouped {
		byKey := map[string]*env{}
		if len(q.keys) == 0 {
			envs = append(envs, &env{group: rows})
			rows = nil
		}
		for _, r := range rows {
			at := &env{row: r}
			key := make([]any, len(q.keys))
			for i, k := range q.keys {
				x, err := k.eval(at)
				if err != nil {
					return &answer{err: err}
				}
				key[i] = x
			}
			id := rowKey(key)
			g := byKey[id]
			if g == nil {
				g = &env{row: r, keys: q.keys}
				byKey[id] = g
				envs = append(envs, g)
			}
			g.group = append(g.group, r)
		}
	} else {
		for _, r := range rows {
			envs = append(envs, &env{row: r})
		}
	}
	seen := map[string]bool{}
	for _, at := range envs {
		if q.having != nil {
			ok, err := q.having.eval(at)
			if err != nil {
				return &answer{err: err}
			}
			if ok != true {
				continue
			}
		}
		row := make([]any, len(q.items))
		for i, e := range q.items {
			x, err := e.eval(at)
			if err != nil {
				return &answer{err: err}
			}
			row[i] = x
		}
		if q.distinct {
			if seen[rowKey(row)] {
				continue
			}
			seen[rowKey(row)] = true
		}
		order := make([]any, len(q.order))
		for i, k := range q.order {
			if k.expr == nil {
				order[i] = row[k.item]
				continue
			}
			x, err := k.expr.eval(at)
			if err != nil {
				return &answer{err: err}
			}
			order[i] = x
		}
		a.rows, a.order = append(a.rows, row), append(a.order, order)
	}
	q.sortRows(a)
	return a
}

// orderOf returns the values of the order keys of a row, where all are items.
func (q *query) orderOf(row []any) []any {
	out := make([]any, len(q.order))
	for i, k := range q.order {
		out[i] = row[k.item]
	}
	return out
}

// sortRows puts the rows into the order of the query; those that it does not tell
// apart stay as they are.
func (q *query) sortRows(a *answer) {
	if len(q.order) == 0 {
		return
	}
	at := make([]int, len(a.rows))
	for i := range at {
		at[i] = i
	}
	slices.SortStableFunc(at, func(i, j int) int {
		for n, k := range q.order {
			x, y := a.order[i][n], a.order[j][n]
			switch {
			case x == nil && y == nil:
				continue
			case x == nil || y == nil:
				if (x == nil) == (k.nulls == "FIRST") {
					return -1
				}
				return 1
			}
			if c := compare(x, y); c != 0 {
				if k.desc {
					return -c
				}
				return c
			}
		}
		return 0
	})
	rows, order := make([][]any, len(at)), make([][]any, len(at))
	for i, from := range at {
		rows[i], order[i] = a.rows[from], a.order[from]
	}
	a.rows, a.order = rows, order
}

// total reports whether the order leaves rows apart that are not the same: every
// item is a key, or the record itself.
func (q *query) total() bool {
	items := map[int]bool{}
	for _, k := range q.order {
		if k.expr == nil {
			items[k.item] = true
		} else if k.expr.col == recordCol {
			return true
		}
	}
	return len(items) == q.width()
}

// check compares what an engine gave with the answer; "" when it is right.
func (q *query) check(want *answer, got [][]any, err error) string {
	switch {
	case err != nil && want.err == nil:
		return "it fails: " + err.Error()
	case err == nil && want.err != nil:
		return "it should fail, a value cannot be used"
	case err != nil:
		return ""
	}
	from := min(max(q.offset, 0), len(want.rows))
	to := len(want.rows)
	if q.limit >= 0 {
		to = min(to, from+q.limit)
	}
	if len(got) != to-from {
		return fmt.Sprintf("%d rows instead of %d", len(got), to-from)
	}
	keys := want.keys()
	if q.total() {
		for i, row := range got {
			if rowKey(row) != keys[from+i] {
				return fmt.Sprintf("row %d is %s instead of %s", i, showRow(row), showRow(want.rows[from+i]))
			}
		}
		return ""
	}
	byItems := !slices.ContainsFunc(q.order, func(k orderKey) bool { return k.expr != nil })
	left := map[string]int{}
	for _, k := range keys {
		left[k]++
	}
	for i, row := range got {
		k := rowKey(row)
		if left[k]--; left[k] < 0 {
			return fmt.Sprintf("row %d, %s, is wrong or there too often", i, showRow(row))
		}
		if byItems && len(q.order) > 0 && rowKey(q.orderOf(row)) != rowKey(want.order[from+i]) {
			return fmt.Sprintf("row %d, %s, is out of order", i, showRow(row))
		}
	}
	return ""
}

// rowKey is a text by which rows are equal or not. Fractions are taken to ten
// digits: the order of additions is the engine's own.
func rowKey(row []any) string {
	var b []byte
	for _, v := range row {
		switch x := v.(type) {
		case nil:
			b = append(b, 'N')
		case string:
			b = append(strconv.AppendInt(append(b, 's'), int64(len(x)), 10), ':')
			b = append(b, x...)
		case float64:
			b = strconv.AppendFloat(append(b, 'f'), x+0, 'e', 9, 64)
		default:
			b = fmt.Appendf(b, "%T:%v", v, v)
		}
		b = append(b, '|')
	}
	return string(b)
}

// showRow writes a row for people.
func showRow(row []any) string {
	parts := make([]string, len(row))
	for i, v := range row {
		parts[i] = show(v)
	}
	return strings.Join(parts, " | ")
}

// dialect is how a query is written for somebody.
type dialect uint8

const (
	cairnSQL dialect = iota
	sqliteSQL
	postgresSQL
)

// writer writes a query as SQL. The differences between the dialects are all
// in this file; queries for SQLite and PostgreSQL are made of what is written here
// for all three, see [maker.common].
//
//   - PostgreSQL and SQLite get one flat table, its columns named by sqlName.
//   - SQLite has no booleans and times: they are 0 and 1, and text of fixed
//     form, which compares as the times do.
//   - The place of NULLs in an order has another default in each, and is written
//     out for the two.
//   - LIKE: PostgreSQL has an escape of its own accord, which ESCAPE ” takes
//     away. SQLite is told to mind the case.
//   - SQLite wants LIMIT before OFFSET and none without it.
//   - IF is CASE; TRY_CAST, TRY, maps, JSON and regular expressions are left out.
//   - avg of integers is exact in PostgreSQL and gets doubles there.
type writer struct {
	d     dialect
	store func(name string) string // how a store is named in FROM
	args  []any
}

// text writes a query; the parameters' values come in order.
func (w *writer) text(q *query) string {
	var b strings.Builder
	if q.union != nil {
		for i, m := range q.union {
			if i > 0 {
				b.WriteString(" UNION ALL ")
			}
			b.WriteString(w.text(m))
		}
	} else {
		w.block(&b, q)
	}
	for i, k := range q.order {
		if i == 0 {
			b.WriteString(" ORDER BY ")
		} else {
			b.WriteString(", ")
		}
		if k.expr != nil {
			b.WriteString(w.expr(q, k.expr))
		} else {
			b.WriteString(strconv.Itoa(k.item + 1))
		}
		if k.desc {
			b.WriteString(" DESC")
		}
		switch {
		case k.nulls != "":
			b.WriteString(" NULLS " + k.nulls)
		case w.d != cairnSQL:
			b.WriteString(" NULLS LAST")
		}
	}
	limit, offset := "", ""
	if q.limit >= 0 {
		limit = fmt.Sprintf(" LIMIT %d", q.limit)
	}
	if q.offset >= 0 {
		offset = fmt.Sprintf(" OFFSET %d", q.offset)
	}
	if w.d == sqliteSQL {
		if limit == "" && offset != "" {
			limit = " LIMIT -1"
		}
		limit, offset = offset, limit
	}
	return b.String() + offset + limit
}

func (w *writer) block(b *strings.Builder, q *query) {
	b.WriteString("SELECT ")
	if q.distinct {
		b.WriteString("DISTINCT ")
	}
	for i, e := range q.items {
		if i > 0 {
			b.WriteString(", ")
		}
		b.WriteString(w.expr(q, e))
		if w.d != cairnSQL {
			fmt.Fprintf(b, " AS c%d", i)
		}
	}
	b.WriteString(" FROM " + w.store(q.store))
	if q.alias != "" {
		b.WriteString(" AS " + q.alias)
	}
	if q.where != nil {
		b.WriteString(" WHERE " + w.expr(q, q.where))
	}
	for i, k := range q.keys {
		if i == 0 {
			b.WriteString(" GROUP BY ")
		} else {
			b.WriteString(", ")
		}
		item := slices.IndexFunc(q.items, func(e *expr) bool { return e.op == "key" && e.n == i })
		if q.ordinals && item >= 0 {
			b.WriteString(strconv.Itoa(item + 1))
		} else {
			b.WriteString(w.expr(q, k))
		}
	}
	if q.having != nil {
		b.WriteString(" HAVING " + w.expr(q, q.having))
	}
}

func quoted(s string) string { return "'" + strings.ReplaceAll(s, "'", "''") + "'" }

// sqliteText is a literal for the sqlite3 program, which takes carriage returns out
// of what it reads.
func sqliteText(s string) string {
	s = quoted(s)
	if strings.Contains(s, "\r") {
		s = "(" + strings.ReplaceAll(s, "\r", "'||char(13)||'") + ")"
	}
	return s
}

// sqlName is the name of a column in the flat table of the other databases: the
// last two steps of its path, since names have a longest length there.
func sqlName(c *col) string {
	steps := strings.Split(strings.ToLower(c.path), ".")
	return strings.Join(steps[max(0, len(steps)-2):], "_")
}

func (w *writer) list(q *query, list []*expr) string {
	var parts []string
	for _, e := range list {
		parts = append(parts, w.expr(q, e))
	}
	return strings.Join(parts, ", ")
}

func (w *writer) expr(q *query, e *expr) string {
	arg := func(i int) string { return w.expr(q, e.args[i]) }
	all := func() string { return w.list(q, e.args) }
	infix := func(op string) string { return "(" + arg(0) + " " + op + " " + arg(1) + ")" }
	switch e.op {
	case "col":
		if w.d != cairnSQL {
			return sqlName(e.col)
		}
		return e.text
	case "lit":
		return w.literal(e)
	case "key":
		return w.expr(q, q.keys[e.n])
	case "agg":
		args := "*"
		if len(e.args) > 0 {
			args = all()
		}
		if e.text == "avg" && w.d == postgresSQL {
			args = "CAST(" + args + " AS double precision)"
		}
		if e.distinct {
			args = "DISTINCT " + args
		}
		s := e.text + "(" + args + ")"
		if e.filter != nil {
			s += " FILTER (WHERE " + w.expr(q, e.filter) + ")"
		}
		return s
	case "and", "or":
		var parts []string
		for i := range e.args {
			parts = append(parts, arg(i))
		}
		return "(" + strings.Join(parts, " "+strings.ToUpper(e.op)+" ") + ")"
	case "not":
		return "(NOT " + arg(0) + ")"
	case "neg":
		return "(- " + arg(0) + ")"
	case "=", "<>", "<", "<=", ">", ">=", "+", "-", "*", "/", "%":
		op := e.op
		if e.style == "!=" {
			op = e.style
		}
		return infix(op)
	case "||":
		var parts []string
		for i := range e.args {
			parts = append(parts, arg(i))
		}
		return "(" + strings.Join(parts, " || ") + ")"
	case "distinct":
		return infix("IS DISTINCT FROM")
	case "notdistinct":
		return infix("IS NOT DISTINCT FROM")
	case "isnull":
		return "(" + arg(0) + " IS NULL)"
	case "notnull":
		return "(" + arg(0) + " IS NOT NULL)"
	case "istrue":
		return "(" + arg(0) + " IS TRUE)"
	case "isfalse":
		return "(" + arg(0) + " IS FALSE)"
	case "isunknown":
		if w.d == sqliteSQL {
			return "(" + arg(0) + " IS NULL)"
		}
		return "(" + arg(0) + " IS UNKNOWN)"
	case "in":
		return "(" + arg(0) + " IN (" + w.list(q, e.args[1:]) + "))"
	case "notin":
		return "(" + arg(0) + " NOT IN (" + w.list(q, e.args[1:]) + "))"
	case "between":
		return "(" + arg(0) + " BETWEEN " + arg(1) + " AND " + arg(2) + ")"
	case "notbetween":
		return "(" + arg(0) + " NOT BETWEEN " + arg(1) + " AND " + arg(2) + ")"
	case "like", "notlike":
		s := "(" + arg(0)
		if e.op == "notlike" {
			s += " NOT"
		}
		s += " LIKE " + quoted(e.text)
		if e.style != "" || w.d == postgresSQL {
			s += " ESCAPE " + quoted(e.style)
		}
		return s + ")"
	case "case":
		s := "CASE"
		for i := 0; i+1 < len(e.args); i += 2 {
			s += " WHEN " + arg(i) + " THEN " + arg(i+1)
		}
		if len(e.args)%2 == 1 {
			s += " ELSE " + arg(len(e.args)-1)
		}
		return s + " END"
	case "casewhen":
		s := "CASE " + arg(0)
		for i := 1; i+1 < len(e.args); i += 2 {
			s += " WHEN " + arg(i) + " THEN " + arg(i+1)
		}
		if len(e.args)%2 == 0 {
			s += " ELSE " + arg(len(e.args)-1)
		}
		return s + " END"
	case "if":
		if w.d != cairnSQL {
			s := "CASE WHEN " + arg(0) + " THEN " + arg(1)
			if len(e.args) == 3 {
				s += " ELSE " + arg(2)
			}
			return s + " END"
		}
		return "IF(" + all() + ")"
	case "cast":
		return "CAST(" + arg(0) + " AS " + w.typeName(e.kind) + ")"
	case "trycast":
		return "TRY_CAST(" + arg(0) + " AS " + w.typeName(e.kind) + ")"
	case "jsonscalar":
		return "json_extract_scalar(" + arg(0) + ", " + quoted(e.style) + ")"
	case "regexp_like":
		return "regexp_like(" + arg(0) + ", " + quoted(e.text) + ")"
	case "regexp_extract":
		if e.n == 0 && e.style == "short" {
			return "regexp_extract(" + arg(0) + ", " + quoted(e.text) + ")"
		}
		return fmt.Sprintf("regexp_extract(%s, %s, %d)", arg(0), quoted(e.text), e.n)
	case "mapget":
		return "element_at(" + all() + ")"
	case "mapsub":
		return arg(0) + "[" + arg(1) + "]"
	case "concatws":
		return "concat_ws(" + all() + ")"
	case "date_trunc", "date_diff", "date_add":
		if w.d == sqliteSQL && e.op == "date_trunc" {
			form := map[string]string{
				"second": "%Y-%m-%d %H:%M:%S.000", "minute": "%Y-%m-%d %H:%M:00.000", "hour": "%Y-%m-%d %H:00:00.000",
				"day": "%Y-%m-%d 00:00:00.000", "month": "%Y-%m-01 00:00:00.000", "year": "%Y-01-01 00:00:00.000",
			}[e.text]
			return "strftime('" + form + "', " + arg(0) + ")"
		}
		return e.op + "(" + quoted(e.text) + ", " + all() + ")"
	case "date_part":
		switch w.d {
		case sqliteSQL:
			if e.text == "day_of_week" {
				return "((CAST(strftime('%w', " + arg(0) + ") AS integer) + 6) % 7 + 1)"
			}
			form := map[string]string{"year": "%Y", "month": "%m", "day": "%d", "day_of_year": "%j", "hour": "%H", "minute": "%M"}[e.text]
			return "CAST(strftime('" + form + "', " + arg(0) + ") AS integer)"
		case postgresSQL:
			field := map[string]string{"day_of_week": "isodow", "day_of_year": "doy"}[e.text]
			if field == "" {
				field = e.text
			}
			return "CAST(extract(" + field + " FROM " + arg(0) + ") AS bigint)"
		}
		if e.style == "extract" {
			return "EXTRACT(" + e.text + " FROM " + arg(0) + ")"
		}
		return e.text + "(" + arg(0) + ")"
	}
	return e.op + "(" + all() + ")" // lower, coalesce, try …
}

func (w *writer) typeName(k kind) string {
	if w.d == sqliteSQL && k == kBool {
		return "integer"
	}
	switch k {
	case kText:
		if w.d == cairnSQL {
			return "varchar"
		}
		return "text"
	case kInt:
		return "bigint"
	case kDouble:
		if w.d == postgresSQL {
			return "double precision"
		}
		return "double"
	case kBool:
		return "boolean"
	case kTime:
		if w.d == sqliteSQL {
			return "text"
		}
		return "timestamp"
	}
	return "date"
}

// literal writes a value. The styles: param (a parameter), bare (an untyped
// NULL), plain, date and iso (a time as text, where it is compared with a time),
// quoted (a boolean as text).
func (w *writer) literal(e *expr) string {
	if w.d == cairnSQL && e.style == "param" {
		v := e.val
		switch x := v.(type) {
		case instant:
			if x%2e6 == 0 {
				v = x.time()
			} else {
				v = x.String()
			}
		case day:
			v = x.String()
		}
		w.args = append(w.args, v)
		return "?"
	}
	switch x := e.val.(type) {
	case nil:
		if e.style == "bare" {
			return "NULL"
		}
		return "CAST(NULL AS " + w.typeName(e.kind) + ")"
	case string:
		if w.d == sqliteSQL {
			return sqliteText(x)
		}
		return quoted(x)
	case int64:
		if x < 0 {
			return "(" + strconv.FormatInt(x, 10) + ")"
		}
		return strconv.FormatInt(x, 10)
	case float64:
		return "(" + strconv.FormatFloat(x, 'e', -1, 64) + ")"
	case bool:
		if w.d == cairnSQL && e.style == "quoted" {
			return quoted(strconv.FormatBool(x))
		}
		return strconv.FormatBool(x)
	case instant:
		if w.d == cairnSQL {
			switch e.style {
			case "plain":
				return quoted(x.String())
			case "date":
				return quoted(x.time().Format(time.DateOnly))
			case "iso":
				return quoted(x.time().Format("2006-01-02T15:04:05.000Z"))
			}
		}
		if w.d == sqliteSQL {
			return quoted(x.String())
		}
		return "timestamp " + quoted(x.String())
	case day:
		return "date " + quoted(x.String())
	}
	panic(fmt.Sprintf("no literal for %T", e.val))
}
