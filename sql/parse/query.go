package parse

import (
	"strconv"
	"strings"

	"github.com/cairndb/cairn/sql/sqlerr"
)

// tail is what a query has behind its body, and its place.
type tail struct {
	pos           Pos
	limit, offset Expr
	ties          bool
}

// withBlock is a WITH clause; its arguments are the CTEs and the body.
type withBlock struct {
	recursive bool
	pos       Pos
}

// selectBlock is a SELECT whose parts are filled in from the skeleton tree.
type selectBlock struct {
	sel *Select
	// fields says for each item whether an expression was written for it.
	fields []bool
	// noFrom is set for a SELECT without FROM.
	noFrom bool
}

// havingBlock says whether a condition stands before the windows.
type havingBlock struct{ condition bool }

// groupKind is the kind of an element of GROUP BY.
type groupKind uint8

const (
	groupSet     groupKind = iota // (a, b) or ()
	groupRollup                   // ROLLUP (…)
	groupCube                     // CUBE (…)
	groupingSets                  // GROUPING SETS (…)
)

// query writes the query that begins at the current token.
func (r *rewriter) query() {
	if !r.enter() {
		return
	}
	defer r.leave()
	if r.is("with") {
		r.with()
		return
	}
	first := r.i
	r.members()
	if r.is("order") {
		r.orderBy()
	}
	r.tail(first)
}

// with writes SELECT m(m(cte)…, (Q)): the members of WITH and the query they
// are for, kept apart from the tail of that query.
func (r *rewriter) with() {
	first := r.i
	r.next()
	block := &withBlock{recursive: r.accept("recursive")}
	r.emit("SELECT")
	m := r.open(markWith, block, first)
	for {
		start := r.i
		cte := &CTE{Name: r.part()}
		if r.isOp("(") {
			cte.Columns = r.partList()
		}
		r.expect("as")
		if r.accept("not") {
			r.expect("materialized")
		} else {
			r.accept("materialized")
		}
		open := r.i
		if !r.isOp("(") {
			r.unexpected()
		}
		if t := r.at(1); t.isWord("insert") || t.isWord("update") || t.isWord("delete") || t.isWord("merge") {
			r.next()
			r.refuseChange()
		}
		c := r.open(markCTE, cte, start)
		r.parenQuery(open)
		r.close(c)
		cte.Pos = r.since(start)
		r.emit(",")
		if !r.acceptOp(",") {
			break
		}
	}
	switch {
	case r.is("select"), r.is("values"), r.is("table"), r.isOp("("), r.is("with"):
	case r.is("insert"), r.is("update"), r.is("delete"), r.is("merge"):
		r.refuseChange()
	default:
		r.unexpectedHint("the query that WITH is for is missing")
	}
	r.emit("(")
	r.query()
	r.emit(")")
	r.close(m)
	block.pos = r.since(first)
}

// parenQuery writes the query in the parentheses that open at the current token.
func (r *rewriter) parenQuery(open int) {
	r.emit("(")
	r.expectOp("(")
	r.query()
	r.closeBracket(open)
	r.emit(")")
}

// members writes the SELECTs of a query and the set operations between them.
// A member is written as it is when it is the only one, else, and when it is
// in parentheses, as SELECT m((Q)).
func (r *rewriter) members() {
	start := r.i
	room := r.reserve(termRoom)
	simple := r.member()
	if !r.setOperation() {
		return
	}
	if simple {
		m := r.newMark(markTerm, nil, start)
		r.patch(room, "SELECT "+callText(m)+"(")
		r.emit("))")
	}
	for n := 1; r.setOperation(); n++ {
		if n > chainMax {
			r.failAt(r.tok().pos(), sqlerr.StatementTooComplex, "the query joins more than %d queries by set operations", chainMax)
			return
		}
		op := strings.ToUpper(r.tok().word)
		r.emit(op)
		r.next()
		if r.accept("all") {
			r.emit("ALL")
		} else {
			r.accept("distinct")
		}
		start := r.i
		if r.isOp("(") {
			r.member()
			continue
		}
		r.emit("SELECT")
		m := r.open(markTerm, nil, start)
		r.emit("(")
		r.member()
		r.emit(")")
		r.close(m)
	}
}

func (r *rewriter) setOperation() bool {
	return r.is("union") || r.is("intersect") || r.is("except")
}

// member writes one SELECT, VALUES, TABLE or parenthesised query, and reports
// whether it was not in parentheses.
func (r *rewriter) member() bool {
	switch {
	case r.is("select"):
		r.selectBlock()
		return true
	case r.is("values"):
		r.values()
		return true
	case r.is("table"):
		r.tableQuery()
		return true
	case r.isOp("("):
		start := r.i
		r.emit("SELECT")
		m := r.open(markTerm, nil, start)
		r.parenQuery(start)
		r.close(m)
		return false
	}
	r.unexpected()
	return true
}

// tail reads OFFSET, LIMIT and FETCH in any order and writes LIMIT n, where n is
// the mark that has them. Every query gets one: it also carries the place.
func (r *rewriter) tail(first int) {
	t := &tail{}
	for limited, more := false, true; more && r.err == nil; {
		switch {
		case r.is("offset") && t.offset == nil:
			r.next()
			t.offset = r.rowCount()
			if !r.accept("rows") {
				r.accept("row")
			}
		case r.is("limit") && !limited:
			limited = true
			r.next()
			if r.accept("all") {
				continue
			}
			t.limit = r.rowCount()
			if r.isOp(",") {
				err := r.unexpectedAt(r.i)
				r.fail(err.WithHint("write OFFSET first and then LIMIT: OFFSET 10 LIMIT 5"))
			}
		case r.is("fetch") && !limited:
			limited = true
			t.limit, t.ties = r.fetch()
		case r.is("for"):
			r.failAt(r.tok().pos(), sqlerr.ReadOnly, "rows cannot be locked: stored events are immutable").WithHint("leave FOR UPDATE or FOR SHARE out")
		default:
			more = false
		}
	}
	t.pos = r.since(first)
	m := r.newMark(markTail, t, first)
	r.emit("LIMIT")
	r.emit(strconv.Itoa(m))
}

// fetch reads FETCH FIRST n ROWS ONLY, or WITH TIES.
func (r *rewriter) fetch() (n Expr, ties bool) {
	r.next()
	if !r.accept("first") {
		r.expect("next")
	}
	n = &Literal{Kind: IntegerLiteral, Text: "1", Pos: r.tok().pos()}
	if !r.is("row") && !r.is("rows") {
		n = r.rowCount()
	}
	if !r.accept("rows") {
		r.expect("row")
	}
	if r.accept("with") {
		r.expect("ties")
		return n, true
	}
	r.expect("only")
	return n, false
}

// rowCount reads the number of LIMIT, OFFSET or FETCH.
func (r *rewriter) rowCount() Expr {
	t := r.tok()
	switch {
	case t.kind == tokNumber && t.num == IntegerLiteral:
		r.next()
		r.rowCountType()
		return &Literal{Pos: t.pos(), Kind: IntegerLiteral, Text: t.text}
	case t.kind == tokParam:
		r.next()
		r.rowCountType()
		return paramNode(t)
	}
	r.unexpectedHint("a number of rows or a parameter is expected")
	return nil
}

// rowCountType passes over ::bigint, which postgres_fdw writes behind a number of rows.
func (r *rewriter) rowCountType() {
	if r.dialect != Postgres || !r.isOp("::") {
		return
	}
	switch strings.ToLower(r.at(1).text) {
	case "bigint", "int8", "integer", "int4", "int":
		r.next()
		r.next()
	}
}

func paramNode(t *token) *Param {
	n, _ := strconv.Atoi(t.text) // the tokenizer made it
	return &Param{Pos: t.pos(), N: n}
}

// tableQuery writes TABLE t as SELECT * FROM t.
func (r *rewriter) tableQuery() {
	first := r.i
	r.next()
	block := &selectBlock{sel: &Select{}, fields: []bool{false}}
	name := r.tableName()
	block.sel.Pos = r.since(first)
	block.sel.Items = []SelectItem{{Pos: name.Pos, Star: true}}
	r.emit("SELECT")
	m := r.open(markSelect, block, first)
	r.close(m)
	r.emit("FROM")
	ref := &TableRef{Pos: name.Pos, Name: name}
	r.emitMark(r.newMark(markTable, ref, first+1), " ")
}

// values writes VALUES (a, b), (c, d) as SELECT m(m(a, b), m(c, d)).
func (r *rewriter) values() {
	first := r.i
	r.next()
	node := &Values{}
	r.emit("SELECT")
	m := r.open(markValues, node, first)
	for {
		r.expr()
		if !r.acceptOp(",") {
			break
		}
		r.emit(",")
	}
	r.close(m)
	node.Pos = r.since(first)
}

// selectBlock writes SELECT m(distinct on), items FROM … WHERE … GROUP BY …
// HAVING …. DISTINCT, aliases, wildcards and windows stay in the side table.
func (r *rewriter) selectBlock() {
	first := r.i
	r.next()
	sel := &Select{}
	block := &selectBlock{sel: sel}
	r.emit("SELECT")
	m := r.open(markSelect, block, first)
	if r.accept("distinct") {
		sel.Distinct = true
		if r.is("on") && r.at(1).isOp("(") {
			r.next()
			r.list()
		}
	} else if r.is("all") && !r.at(1).isOp("(") && !r.at(1).isOp(".") && !r.at(1).isOp(",") {
		r.next()
	}
	r.close(m)
	if !(r.is("from") && r.dialect == Postgres && !sel.Distinct) {
		for {
			r.selectItem(block)
			if !r.acceptOp(",") {
				break
			}
		}
	}
	if r.is("into") {
		r.failAt(r.tok().pos(), sqlerr.ReadOnly, "SELECT INTO is refused: queries only read").
			WithHint("leave INTO and the name behind it out")
	}
	r.from(block)
	if r.is("where") {
		r.emit("WHERE")
		r.next()
		r.expr()
	}
	if r.is("group") {
		r.groupBy(block)
	}
	r.having()
	sel.Pos = r.since(first)
}

// list writes the expressions of (a, b, …), without the parentheses.
func (r *rewriter) list() {
	open := r.i
	r.expectOp("(")
	for {
		r.expr()
		if !r.acceptOp(",") {
			break
		}
		r.emit(",")
	}
	r.closeBracket(open)
}

func (r *rewriter) selectItem(block *selectBlock) {
	item := SelectItem{}
	first := r.i
	field := false
	switch {
	case r.isOp("*"):
		r.next()
		item.Star = true
	case r.qualifiedStar():
		name := r.dottedName()
		item.Qualifier = &name
		r.next()
		r.next()
		item.Star = true
	default:
		field = true
		r.emit(",")
		r.expr()
		if r.isOp(".") && r.at(1).isOp("*") {
			if r.operand != first {
				r.unexpected()
			}
			r.next()
			r.next()
			item.Star = true
		}
	}
	if item.Star {
		if r.is("as") && r.at(1).isOp("(") {
			r.notSupported("an alias list for * is")
		}
	} else {
		item.Alias = r.alias(r.dialect == Postgres)
	}
	item.Pos = r.since(first)
	block.sel.Items = append(block.sel.Items, item)
	block.fields = append(block.fields, field)
}

// qualifiedStar reports whether a name and .* follow.
func (r *rewriter) qualifiedStar() bool {
	if !r.tok().isName() {
		return false
	}
	n := 1
	for r.at(n).isOp(".") && r.at(n+1).isLabel() {
		n += 2
	}
	return r.at(n).isOp(".") && r.at(n+1).isOp("*")
}

// alias reads [AS] name, nil if there is none. Behind AS any word will do if
// label is set, as in the SELECT list of Postgres.
func (r *rewriter) alias(label bool) *Part {
	t := r.tok()
	if r.accept("as") {
		t = r.tok()
		if !t.isName() && !(label && t.isLabel()) {
			r.unexpected()
			return nil
		}
	} else if !t.isAlias() {
		return nil
	}
	r.next()
	p := t.part()
	return &p
}

func (r *rewriter) groupBy(block *selectBlock) {
	r.next()
	if !r.accept("by") {
		r.unexpectedHint("GROUP is followed by BY")
	}
	r.emit("GROUP BY")
	if r.is("distinct") && !r.at(1).isOp(",") && !r.at(1).isOp(".") {
		r.next()
		block.sel.GroupDistinct = true
	} else if r.is("all") && !r.at(1).isOp(".") && !r.at(1).isOp(",") && r.at(1).kind != tokEnd && !r.at(1).isOp("(") && !r.at(1).isOp(")") {
		r.next()
	}
	for {
		r.groupItem()
		if !r.acceptOp(",") {
			break
		}
		r.emit(",")
	}
}

// groupItem writes one element of GROUP BY or of GROUPING SETS.
func (r *rewriter) groupItem() {
	if !r.enter() {
		return
	}
	defer r.leave()
	first := r.i
	kind := groupSet
	switch {
	case r.is("rollup"), r.is("cube"):
		kind = groupRollup
		if r.is("cube") {
			kind = groupCube
		}
		r.next()
	case r.is("grouping") && !r.at(1).isOp("("):
		kind = groupingSets
		r.next()
		r.expect("sets")
	case r.isOp("(") && r.groupList():
	default:
		r.expr()
		return
	}
	open := r.i
	r.expectOp("(")
	m := r.open(markGroup, kind, first)
	for !r.isOp(")") {
		if kind == groupSet {
			r.expr()
		} else {
			r.groupItem()
		}
		if !r.acceptOp(",") {
			break
		}
		if r.isOp(")") {
			r.unexpected()
		}
		r.emit(",")
	}
	r.closeBracket(open)
	r.close(m)
}

// groupList reports whether the parenthesis here holds a list of grouping
// expressions: (), (a, b) or a lone (a). What follows (a) as an operator makes
// it the beginning of an expression.
func (r *rewriter) groupList() bool {
	t := r.tok()
	if r.at(1).isOp(")") {
		return true
	}
	if t.match == 0 || r.queryAt(r.i) {
		return false
	}
	switch after := &r.toks[t.match+1]; after.kind {
	case tokOp:
		return after.word == "," || after.word == ")" || after.word == ";"
	case tokWord:
		switch after.word {
		case "having", "window", "order", "limit", "offset", "fetch", "union", "intersect", "except":
			return true
		}
		return false
	default:
		return after.kind == tokEnd
	}
}

// having writes HAVING m(condition?, windows…) for HAVING and WINDOW.
func (r *rewriter) having() {
	if !r.is("having") && !r.is("window") {
		return
	}
	r.emit("HAVING")
	block := &havingBlock{}
	m := r.open(markHaving, block, r.i)
	if r.accept("having") {
		block.condition = true
		r.expr()
	}
	if r.is("window") {
		for comma := block.condition; ; comma = true {
			r.next()
			if comma {
				r.emit(",")
			}
			start := r.i
			w := &NamedWindow{Name: r.part()}
			r.expect("as")
			c := r.open(markWindow, w, start)
			r.windowSpec()
			r.close(c)
			if !r.isOp(",") {
				break
			}
		}
	}
	r.close(m)
}

// orderBy writes ORDER BY with its items.
func (r *rewriter) orderBy() {
	r.next()
	if !r.accept("by") {
		r.unexpectedHint("ORDER is followed by BY")
	}
	r.emit("ORDER BY")
	r.sortItems()
}

// sortItems writes m(x), m(y) …; the directions stay in the marks.
func (r *rewriter) sortItems() {
	for {
		first := r.i
		item := &SortItem{}
		m := r.open(markSort, item, first)
		r.expr()
		switch {
		case r.accept("desc"):
			item.Desc = true
		case r.accept("asc"):
		case r.is("using"):
			r.notSupported("ORDER BY … USING is")
		}
		if r.is("nulls") {
			r.next()
			switch {
			case r.accept("first"):
				item.Nulls = "first"
			case r.accept("last"):
				item.Nulls = "last"
			default:
				r.unexpected()
			}
		}
		r.close(m)
		item.Pos = r.since(first)
		if !r.acceptOp(",") {
			return
		}
		r.emit(",")
	}
}
