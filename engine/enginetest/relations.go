package enginetest

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
)

// This file makes random queries of the parts of SQL that relate rows to each
// other (joins, subqueries, groups and grouping sets, windows, set operations,
// WITH), in words that Cairn, PostgreSQL and DuckDB read alike. There is no
// plain evaluation of them: the databases must agree.

// RelColumn is a column of the table that relational queries ask: a path of an
// event, and its name in a peer's flat table.
type RelColumn struct {
	Path string // in Cairn
	Name string // in a peer
	Kind RelKind
}

// RelKind is the kind of a value.
type RelKind uint8

// The kinds.
const (
	RelText RelKind = iota
	RelInt
	RelDouble
	RelBool
	RelTime
)

// RelColumns are the columns of the table.
var RelColumns = []RelColumn{
	{"eventID", "eid", RelText},
	{"eventName", "name", RelText},
	{"eventSource", "source", RelText},
	{"awsRegion", "region", RelText},
	{"recipientAccountId", "account", RelText},
	{"userIdentity.type", "utype", RelText},
	{"userIdentity.arn", "uarn", RelText},
	{"userIdentity.sessionContext.sessionIssuer.userName", "issuer", RelText},
	{"errorCode", "ecode", RelText},
	{"sourceIPAddress", "ip", RelText},
	{"readOnly", "ro", RelBool},
	{"eventTime", "happened", RelTime},
}

// RelQuery is a query in the words of Cairn and of its peers.
type RelQuery struct {
	Cairn, Peer string
	Kinds       []RelKind
	// Ordered is set when the order of the rows is part of the answer.
	Ordered bool
}

// RelMaker makes queries. Values are what the columns hold, by Name.
type RelMaker struct {
	rng    *rand.Rand
	values map[string][]string
	n      int
	// sub is how many subqueries may still be nested.
	sub int
}

// NewRelMaker makes a maker; values are texts of columns, by RelColumn.Name.
func NewRelMaker(seed uint64, values map[string][]string) *RelMaker {
	return &RelMaker{rng: rand.New(rand.NewPCG(seed, 77)), values: values}
}

// relItem is something that can be named: a column of the table under an alias,
// or of a query in FROM.
type relItem struct {
	text string // with marks around what the databases write differently
	kind RelKind
	name string // RelColumn.Name, to find values to compare with
}

type relScope []relItem

func (m *RelMaker) one(n int) bool { return m.rng.IntN(n) == 0 }

func relChoose[T any](m *RelMaker, list ...T) T { return list[m.rng.IntN(len(list))] }

func (m *RelMaker) alias(prefix string) string {
	m.n++
	return fmt.Sprintf("%s%d", prefix, m.n)
}

// Query makes the next query.
func (m *RelMaker) Query() RelQuery {
	m.n, m.sub = 0, 2
	text, kinds := m.query(nil)
	q := RelQuery{Kinds: kinds}
	if m.one(4) {
		// All columns are keys, so that the order is total but for equal rows.
		var keys []string
		for _, i := range m.rng.Perm(len(kinds)) {
			keys = append(keys, fmt.Sprintf("%d %s NULLS %s", i+1, relChoose(m, "ASC", "DESC"), relChoose(m, "FIRST", "LAST")))
		}
		text += " ORDER BY " + strings.Join(keys, ", ")
		if m.one(2) {
			text += fmt.Sprintf(" LIMIT %d", m.rng.IntN(20))
			if m.one(2) {
				text += fmt.Sprintf(" OFFSET %d", m.rng.IntN(10))
			}
		}
		q.Ordered = true
	}
	q.Cairn, q.Peer = relWords(text, true), relWords(text, false)
	return q
}

// RelOracle is a law that holds between answers of one database: the rows of
// One are those of Many together, in any order.
type RelOracle struct {
	Name string
	One  string
	Many []string
	// Kinds are the columns'.
	Kinds []RelKind
}

// Oracle makes the next law. The partition of a query by a condition is that of
// Rigger and Su, "Finding Bugs in Database Systems via Query Partitioning"
// (2020), the count without optimisation theirs of "Detecting Optimization Bugs
// in Database Engines via Non-Optimizing Reference Engine Construction" (2020).
func (m *RelMaker) Oracle() RelOracle {
	m.n, m.sub = 0, 2
	from, s := m.from(nil)
	cond := m.cond(s, nil, 2)
	kinds := m.kinds()
	var items []string
	for _, k := range kinds {
		items = append(items, m.value(k, s, nil, 1))
	}
	list := m.titled(items)
	whole := "SELECT " + list + " FROM " + from
	o := RelOracle{Kinds: kinds}
	switch m.rng.IntN(8) {
	case 0:
		o.Name, o.One = "partition", whole
		o.Many = []string{whole + " WHERE " + cond, whole + " WHERE NOT (" + cond + ")", whole + " WHERE (" + cond + ") IS NULL"}
	case 1:
		o.Name, o.Kinds = "partition of groups", []RelKind{RelInt}
		parts := func(c string) string {
			return "SELECT CAST(sum(n) AS bigint) AS c0 FROM (SELECT count(*) AS n FROM " + from + c + " GROUP BY " + items[0] + ") AS g"
		}
		o.One = "SELECT count(*) AS c0 FROM " + from
		o.Many = []string{"SELECT CAST(sum(c0) AS bigint) FROM (" + parts(" WHERE "+cond) + " UNION ALL " + parts(" WHERE NOT ("+cond+")") + " UNION ALL " + parts(" WHERE ("+cond+") IS NULL") + ") AS p"}
		if !strings.ContainsAny(items[0], "\x01.") || strings.Contains(items[0], "SELECT") {
			o.Many = []string{"SELECT count(*) AS c0 FROM (" + whole + ") AS g"}
		} else {
			// No group at all is NULL, not 0.
			o.Many[0] = "SELECT coalesce((" + o.Many[0] + "), 0) AS c0"
		}
	case 2:
		o.Name, o.Kinds = "no optimisation", []RelKind{RelInt}
		o.One = "SELECT count(*) AS c0 FROM " + from + " WHERE " + cond
		o.Many = []string{"SELECT coalesce(CAST(sum(CASE WHEN " + cond + " THEN 1 ELSE 0 END) AS bigint), 0) AS c0 FROM " + from}
	case 3:
		o.Name, o.One = "double negation", whole+" WHERE "+cond
		o.Many = []string{whole + " WHERE NOT (NOT (" + cond + "))"}
	case 4:
		o.Name, o.One = "CASE around the condition", whole+" WHERE "+cond
		o.Many = []string{whole + " WHERE CASE WHEN " + cond + " THEN TRUE ELSE FALSE END"}
	case 5:
		o.Name, o.One = "WITH against a query in FROM", "SELECT * FROM ("+whole+" WHERE "+cond+") AS q"
		o.Many = []string{"WITH q AS (" + whole + " WHERE " + cond + ") SELECT * FROM q"}
	case 6:
		o.Name, o.One = "distinct rows are groups", "SELECT DISTINCT "+list+" FROM "+from+" WHERE "+cond
		var ordinals []string
		for i := range kinds {
			ordinals = append(ordinals, fmt.Sprintf("g.c%d", i))
		}
		o.Many = []string{"SELECT " + strings.Join(ordinals, ", ") + " FROM (" + whole + " WHERE " + cond + ") AS g GROUP BY " + strings.Join(ordinals, ", ")}
	default:
		// Pages of a total order make up the whole: rows that tie are alike.
		var keys []string
		for i := range kinds {
			keys = append(keys, fmt.Sprint(i+1))
		}
		q := whole + " WHERE " + cond
		n := 1 + m.rng.IntN(30)
		o.Name, o.One = "pages", q
		order := q + " ORDER BY " + strings.Join(keys, ", ")
		o.Many = []string{
			"SELECT * FROM (" + order + fmt.Sprintf(" LIMIT %d", n) + ") AS p",
			"SELECT * FROM (" + order + fmt.Sprintf(" OFFSET %d", n) + ") AS p",
		}
	}
	o.One = relWords(o.One, true)
	for i := range o.Many {
		o.Many[i] = relWords(o.Many[i], true)
	}
	return o
}

// relWords puts a database's names between the marks: \x01 alias \x02 column
// name \x03.
func relWords(text string, cairn bool) string {
	var b strings.Builder
	for {
		before, rest, ok := strings.Cut(text, "\x01")
		b.WriteString(before)
		if !ok {
			return b.String()
		}
		inner, after, _ := strings.Cut(rest, "\x03")
		alias, name, _ := strings.Cut(inner, "\x02")
		for _, c := range RelColumns {
			if c.Name == name {
				if cairn {
					name = c.Path
				}
				break
			}
		}
		b.WriteString(alias + "." + name)
		text = after
	}
}

// query makes a query; outer is what a correlated one may name.
func (m *RelMaker) query(outer relScope) (string, []RelKind) {
	switch m.rng.IntN(12) {
	case 0, 1:
		return m.setOperation(outer)
	case 2:
		return m.with(outer)
	}
	kinds := m.kinds()
	if m.one(2) {
		kinds = nil
	}
	return m.block(kinds, outer)
}

func (m *RelMaker) kinds() []RelKind {
	kinds := make([]RelKind, 1+m.rng.IntN(3))
	for i := range kinds {
		kinds[i] = relChoose(m, RelText, RelText, RelText, RelInt, RelInt, RelBool, RelTime)
	}
	return kinds
}

func (m *RelMaker) setOperation(outer relScope) (string, []RelKind) {
	kinds := m.kinds()
	var b strings.Builder
	for i := range 2 + m.rng.IntN(2) {
		if i > 0 {
			b.WriteString(" " + relChoose(m, "UNION", "UNION ALL", "INTERSECT", "EXCEPT", "INTERSECT ALL", "EXCEPT ALL") + " ")
		}
		text, _ := m.block(kinds, outer)
		b.WriteString("(" + text + ")")
	}
	return b.String(), kinds
}

func (m *RelMaker) with(outer relScope) (string, []RelKind) {
	name := m.alias("w")
	kinds := m.kinds()
	inner, _ := m.block(kinds, nil)
	cols := make([]string, len(kinds))
	scope := func(alias string) (s relScope) {
		for i, k := range kinds {
			s = append(s, relItem{alias + "." + cols[i], k, ""})
		}
		return s
	}
	for i := range cols {
		cols[i] = fmt.Sprintf("k%d", i)
	}
	text := fmt.Sprintf("WITH %s(%s) AS (%s) ", name, strings.Join(cols, ", "), inner)
	a := m.alias("x")
	s := scope(a)
	from := name + " " + a
	if m.one(2) {
		b := m.alias("x")
		from += fmt.Sprintf(" %s %s %s ON %s.k0 = %s.k0", relChoose(m, "JOIN", "LEFT JOIN"), name, b, a, b)
		s = append(s, scope(b)...)
	}
	body, out := m.selected(s, from, nil, outer)
	return text + body, out
}

// block makes a SELECT over the table; with kinds of these columns.
func (m *RelMaker) block(kinds []RelKind, outer relScope) (string, []RelKind) {
	from, s := m.from(outer)
	return m.selected(s, from, kinds, outer)
}

// from makes a FROM clause.
func (m *RelMaker) from(outer relScope) (string, relScope) {
	from, s := m.relation()
	for m.one(3) && len(s) < 3*len(RelColumns) {
		right, t := m.relation()
		kind := relChoose(m, "JOIN", "JOIN", "LEFT JOIN", "RIGHT JOIN", "FULL JOIN")
		on := m.equality(s, t)
		if kind != "FULL JOIN" && m.one(3) { // PostgreSQL's full joins take equalities alone
			on += " AND " + m.simple(append(append(relScope{}, s...), t...))
		}
		from += " " + kind + " " + right + " ON " + on
		s = append(append(relScope{}, s...), t...)
	}
	return from, s
}

// relation is the table under an alias, or a small query over it.
func (m *RelMaker) relation() (string, relScope) {
	a := m.alias("e")
	if m.sub > 0 && m.one(5) {
		m.sub--
		kinds := append([]RelKind{RelText}, m.kinds()...)
		text, _ := m.block(kinds, nil)
		m.sub++
		var s relScope
		var cols []string
		for i, k := range kinds {
			cols = append(cols, fmt.Sprintf("d%d", i))
			s = append(s, relItem{fmt.Sprintf("%s.d%d", a, i), k, ""})
		}
		return fmt.Sprintf("(%s) AS %s(%s)", text, a, strings.Join(cols, ", ")), s
	}
	var s relScope
	for _, c := range RelColumns {
		s = append(s, relItem{"\x01" + a + "\x02" + c.Name + "\x03", c.Kind, c.Name})
	}
	return relChoose(m, "events ", "events AS ", "other ", "other AS ") + a, s
}

// equality is a condition that joins two relations.
func (m *RelMaker) equality(s, t relScope) string {
	for range 20 {
		a, b := relChoose(m, s...), relChoose(m, t...)
		if a.kind == b.kind && a.kind != RelBool && (a.name == b.name || a.name == "" || b.name == "" || m.one(10)) {
			return a.text + " = " + b.text
		}
	}
	return m.textOf(s, 0) + " = " + m.textOf(t, 0)
}

// selected makes SELECT list, WHERE, GROUP BY and HAVING over a FROM.
func (m *RelMaker) selected(s relScope, from string, kinds []RelKind, outer relScope) (string, []RelKind) {
	free := kinds == nil
	if free {
		kinds = m.kinds()
	}
	where := ""
	if !m.one(3) {
		where = " WHERE " + m.cond(s, outer, 2)
	}
	if m.one(3) {
		return m.grouped(s, from, where, kinds, outer)
	}
	var items []string
	for _, k := range kinds {
		items = append(items, m.value(k, s, outer, 2))
	}
	if free && m.one(2) {
		// One that counts rows at most: among rows that tie, two of them need not
		// count alike.
		text, k := m.window(s, true)
		items, kinds = append(items, text), append(kinds, k)
		if m.one(2) {
			text, k := m.window(s, false)
			items, kinds = append(items, text), append(kinds, k)
		}
	}
	distinct := ""
	if m.one(5) {
		distinct = "DISTINCT "
	}
	return "SELECT " + distinct + m.titled(items) + " FROM " + from + where, kinds
}

func (m *RelMaker) titled(items []string) string {
	out := make([]string, len(items))
	for i, it := range items {
		out[i] = fmt.Sprintf("%s AS c%d", it, i)
	}
	return strings.Join(out, ", ")
}

func (m *RelMaker) grouped(s relScope, from, where string, kinds []RelKind, outer relScope) (string, []RelKind) {
	// Subqueries would make keys that only some databases know again.
	sub := m.sub
	m.sub = 0
	defer func() { m.sub = sub }()
	var keys, items []string
	for i, k := range kinds {
		if i < 2 && !m.one(4) {
			key := m.value(k, s, nil, 1)
			if strings.ContainsAny(key, "\x01.") { // a key without a column is an ordinal for some
				keys = append(keys, key)
				items = append(items, key)
				continue
			}
		}
		items = append(items, m.aggregate(k, s))
	}
	text := "SELECT " + m.titled(items) + " FROM " + from + where
	if len(keys) == 0 {
		return text, kinds
	}
	if len(keys) == 2 && m.one(3) && !slices.ContainsFunc(keys, constantFirst) {
		sets := relChoose(m, "ROLLUP (%s, %s)", "CUBE (%s, %s)", "GROUPING SETS ((%s), (%s), ())", "GROUPING SETS ((%s, %s), ())")
		text += " GROUP BY " + fmt.Sprintf(sets, keys[0], keys[1])
	} else {
		text += " GROUP BY " + strings.Join(keys, ", ")
	}
	if m.one(4) {
		text += " HAVING " + m.aggregate(RelInt, s) + relChoose(m, " > ", " <= ", " <> ") + relChoose(m, "1", "2", "5")
	}
	return text, kinds
}

// constantFirst reports whether a key is coalesce with a constant as its first
// argument: PostgreSQL before 18 takes it for a constant, which a grouping set
// without it then does not make NULL.
func constantFirst(key string) bool {
	rest, ok := strings.CutPrefix(key, "coalesce(")
	first, _, _ := strings.Cut(rest, ",")
	return ok && !strings.ContainsAny(first, "\x01.")
}

// aggregate makes an aggregate with a result of a kind.
func (m *RelMaker) aggregate(k RelKind, s relScope) string {
	filter := ""
	if m.one(5) {
		filter = " FILTER (WHERE " + m.simple(s) + ")"
	}
	switch k {
	case RelInt:
		switch m.rng.IntN(5) {
		case 0:
			return "count(*)" + filter
		case 1:
			return "count(" + m.value(relChoose(m, RelText, RelInt, RelTime), s, nil, 1) + ")" + filter
		case 2:
			return "count(DISTINCT " + m.value(relChoose(m, RelText, RelInt, RelBool), s, nil, 1) + ")" + filter
		case 3:
			return "CAST(sum(" + relChoose(m, "", "DISTINCT ") + m.intOf(s, nil, 1) + ")" + filter + " AS bigint)"
		}
		return relChoose(m, "min(", "max(") + m.intOf(s, nil, 1) + ")" + filter
	case RelBool:
		return relChoose(m, "bool_and(", "bool_or(") + m.simple(s) + ")" + filter
	}
	return relChoose(m, "min(", "max(") + m.value(k, s, nil, 1) + ")" + filter
}

// window makes a window function. Its order is total unless ties do not show.
func (m *RelMaker) window(s relScope, counting bool) (string, RelKind) {
	part := ""
	if !m.one(4) {
		part = "PARTITION BY " + m.value(relChoose(m, RelText, RelText, RelBool), s, nil, 0) + " "
	}
	key := func() string {
		return m.value(relChoose(m, RelText, RelInt, RelTime), s, nil, 0) + relChoose(m, " ASC", " DESC") + " NULLS " + relChoose(m, "FIRST", "LAST")
	}
	forms := 3
	if counting {
		forms = 5
	}
	switch m.rng.IntN(forms) {
	case 0: // ties rank alike
		return relChoose(m, "rank()", "dense_rank()") + " OVER (" + part + "ORDER BY " + key() + ")", RelInt
	case 1: // peers share a RANGE frame, so that ties do not show
		k := relChoose(m, RelInt, RelText, RelTime)
		return m.aggregateOver(k, s) + " OVER (" + part + "ORDER BY " + key() + relChoose(m, "", " RANGE BETWEEN CURRENT ROW AND UNBOUNDED FOLLOWING", " GROUPS BETWEEN 1 PRECEDING AND 1 FOLLOWING") + ")", k
	case 2:
		k := relChoose(m, RelInt, RelText, RelTime)
		return m.aggregateOver(k, s) + " OVER (" + strings.TrimSpace(part) + ")", k
	}
	// A total order: by every text of the scope, so that rows that tie are alike.
	var all []string
	for _, it := range s {
		all = append(all, it.text+" NULLS LAST")
	}
	order := "ORDER BY " + key() + ", " + strings.Join(all, ", ")
	switch m.rng.IntN(3) {
	case 0:
		return "row_number() OVER (" + part + order + ")", RelInt
	case 1:
		k := relChoose(m, RelInt, RelText, RelTime)
		f := relChoose(m, "lag(%s)", "lead(%s)", "lag(%s, 2)", "first_value(%s)", "last_value(%s)")
		return fmt.Sprintf(f, m.value(k, s, nil, 0)) + " OVER (" + part + order + ")", k
	}
	k := relChoose(m, RelInt, RelText, RelTime)
	frame := relChoose(m, " ROWS BETWEEN 2 PRECEDING AND CURRENT ROW", " ROWS BETWEEN 1 FOLLOWING AND 3 FOLLOWING", " ROWS UNBOUNDED PRECEDING", " ROWS BETWEEN 3 PRECEDING AND 1 PRECEDING")
	return m.aggregateOver(k, s) + " OVER (" + part + order + frame + ")", k
}

func (m *RelMaker) aggregateOver(k RelKind, s relScope) string {
	if k == RelInt {
		return relChoose(m, "count(*)", "count("+m.textOf(s, 0)+")", "max("+m.intOf(s, nil, 0)+")", "min("+m.intOf(s, nil, 0)+")")
	}
	return relChoose(m, "min(", "max(") + m.value(k, s, nil, 0) + ")"
}

// value makes an expression of a kind.
func (m *RelMaker) value(k RelKind, s, outer relScope, depth int) string {
	if depth > 0 && m.sub > 0 && k != RelBool && m.one(10) {
		if text := m.scalar(k, s); text != "" {
			return text
		}
	}
	if depth > 0 && m.one(6) {
		return fmt.Sprintf("CASE WHEN %s THEN %s ELSE %s END", m.simple(s), m.value(k, s, outer, depth-1), m.value(k, s, outer, depth-1))
	}
	if depth > 0 && k != RelBool && m.one(8) {
		return fmt.Sprintf("coalesce(%s, %s)", m.value(k, s, outer, depth-1), m.value(k, s, outer, depth-1))
	}
	switch k {
	case RelInt:
		return m.intOf(s, outer, depth)
	case RelBool:
		return m.simple(s)
	case RelTime:
		return m.timeOf(s)
	}
	return m.textOf(s, depth)
}

func (m *RelMaker) pick(s relScope, k RelKind) (relItem, bool) {
	var of []relItem
	for _, it := range s {
		if it.kind == k {
			of = append(of, it)
		}
	}
	if of == nil {
		return relItem{}, false
	}
	return relChoose(m, of...), true
}

func (m *RelMaker) textOf(s relScope, depth int) string {
	it, ok := m.pick(s, RelText)
	if !ok {
		return "CAST(" + m.literal("") + " AS varchar)" // PostgreSQL's literals have no type of their own
	}
	if depth == 0 {
		return it.text
	}
	switch m.rng.IntN(8) {
	case 0:
		return "lower(" + it.text + ")"
	case 1:
		return fmt.Sprintf("substr(%s, %d, %d)", it.text, 1+m.rng.IntN(4), 1+m.rng.IntN(8))
	case 2:
		return "nullif(" + it.text + ", " + m.literal(it.name) + ")"
	case 3:
		return "(" + it.text + " || " + m.textOf(s, 0) + ")"
	}
	return it.text
}

func (m *RelMaker) literal(name string) string {
	list := m.values[name]
	if list == nil {
		list = m.values["name"]
	}
	return "'" + strings.ReplaceAll(relChoose(m, list...), "'", "''") + "'"
}

func (m *RelMaker) intOf(s, outer relScope, depth int) string {
	if it, ok := m.pick(s, RelInt); ok && m.one(2) {
		return it.text
	}
	switch m.rng.IntN(6) {
	case 0:
		if depth > 0 {
			return "(" + m.intOf(s, outer, depth-1) + relChoose(m, " + ", " - ", " * ") + m.intOf(s, outer, depth-1) + ")"
		}
	case 1:
		if it, ok := m.pick(s, RelTime); ok {
			return "CAST(extract(" + relChoose(m, "hour", "day", "month", "minute") + " FROM " + it.text + ") AS bigint)"
		}
	case 2:
		return relChoose(m, "0", "1", "2", "7", "NULL + 1", "-3")
	}
	return "length(" + m.textOf(s, 0) + ")"
}

func (m *RelMaker) timeOf(s relScope) string {
	it, ok := m.pick(s, RelTime)
	if !ok {
		return m.moment()
	}
	if m.one(4) {
		return "date_trunc('" + relChoose(m, "hour", "day", "month") + "', " + it.text + ")"
	}
	return it.text
}

func (m *RelMaker) moment() string {
	return "TIMESTAMP '" + relChoose(m, m.values["happened"]...) + "'"
}

// simple makes a condition without subqueries.
func (m *RelMaker) simple(s relScope) string {
	it := relChoose(m, s...)
	switch it.kind {
	case RelBool:
		return relChoose(m, it.text, "NOT "+it.text, it.text+" IS NULL", it.text+" IS NOT NULL")
	case RelTime:
		return it.text + relChoose(m, " < ", " >= ", " <> ") + m.moment()
	case RelInt:
		return it.text + relChoose(m, " < ", " >= ", " = ", " <> ") + m.intOf(s, nil, 0)
	}
	switch m.rng.IntN(7) {
	case 0:
		return it.text + relChoose(m, " IS NULL", " IS NOT NULL")
	case 1:
		return it.text + relChoose(m, " IN (", " NOT IN (") + m.literal(it.name) + ", " + m.literal(it.name) + ", " + m.literal(it.name) + ")"
	case 2:
		return it.text + relChoose(m, " LIKE 'D%'", " LIKE '%s%'", " NOT LIKE 'G%'", " LIKE '_e%'")
	case 3:
		return it.text + relChoose(m, " IS DISTINCT FROM ", " IS NOT DISTINCT FROM ") + m.textOf(s, 0)
	case 4:
		return it.text + relChoose(m, " = ", " < ", " >= ") + m.textOf(s, 0)
	}
	return it.text + relChoose(m, " = ", " <> ", " > ", " <= ") + m.literal(it.name)
}

// cond makes a condition, with subqueries.
func (m *RelMaker) cond(s, outer relScope, depth int) string {
	if depth > 0 {
		switch m.rng.IntN(6) {
		case 0, 1:
			return "(" + m.cond(s, outer, depth-1) + relChoose(m, " AND ", " OR ") + m.cond(s, outer, depth-1) + ")"
		case 2:
			return "NOT (" + m.cond(s, outer, depth-1) + ")"
		}
	}
	if m.sub > 0 && m.one(3) {
		m.sub--
		defer func() { m.sub++ }()
		switch m.rng.IntN(4) {
		case 0:
			return relChoose(m, "EXISTS (", "NOT EXISTS (") + m.correlated("1", s) + ")"
		case 1:
			k := relChoose(m, RelText, RelInt)
			text, _ := m.block([]RelKind{k}, nil)
			return m.value(k, s, nil, 0) + relChoose(m, " IN (", " NOT IN (") + text + ")"
		case 2:
			inner, t := m.relation()
			it, ok := m.pick(t, RelText)
			if !ok {
				break
			}
			return m.textOf(s, 0) + relChoose(m, " IN (", " NOT IN (", " = ANY (", " <> ALL (") + "SELECT " + it.text + " FROM " + inner + " WHERE " + m.equality(t, s) + " AND " + m.simple(t) + ")"
		}
		k := relChoose(m, RelInt, RelText, RelTime)
		if text := m.scalar(k, s); text != "" {
			return m.value(k, s, nil, 0) + relChoose(m, " = ", " < ", " >= ", " <> ") + text
		}
	}
	return m.simple(s)
}

// correlated makes a query over the table that names columns of s.
func (m *RelMaker) correlated(item string, s relScope) string {
	from, t := m.relation()
	cond := m.equality(t, s)
	if m.one(3) {
		cond += " AND " + m.simple(append(append(relScope{}, s...), t...))
	}
	return "SELECT " + item + " FROM " + from + " WHERE " + cond
}

// scalar makes a query of one value.
func (m *RelMaker) scalar(k RelKind, s relScope) string {
	m.sub--
	defer func() { m.sub++ }()
	from, t := m.relation()
	cond := m.simple(t)
	if m.one(2) {
		cond = m.equality(t, s)
		if m.one(3) {
			cond += " AND " + m.simple(append(append(relScope{}, s...), t...))
		}
	}
	return "(SELECT " + m.aggregate(k, t) + " FROM " + from + " WHERE " + cond + ")"
}
