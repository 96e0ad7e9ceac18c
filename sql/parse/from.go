package parse

import "strings"

// from writes the FROM clause, or one that stands for its absence.
func (r *rewriter) from(block *selectBlock) {
	r.emit("FROM")
	if !r.is("from") {
		block.noFrom = true
		r.emitMark(r.newMark(markNoTable, nil, r.i), " ")
		return
	}
	r.next()
	for {
		r.joined()
		if !r.acceptOp(",") {
			return
		}
		r.emit(",")
	}
}

// joined writes relations and the joins between them.
func (r *rewriter) joined() {
	first := r.i
	r.relation()
	r.joins(first)
}

// joins writes the joins that follow the relation that began at token first,
// each as JOIN … ON m(condition?): the kind and USING stay in the mark.
func (r *rewriter) joins(first int) {
	for r.err == nil {
		natural := r.is("natural")
		kind, words := r.joinKind()
		if kind == "" {
			return
		}
		start := r.i
		for range words {
			r.next()
		}
		r.emit("JOIN")
		room := r.reserve(2)
		right := r.i
		r.relation()
		join := &Join{Kind: kind}
		if join.Natural = natural; kind != "cross" && !natural {
			// In a JOIN b JOIN c ON x ON y the inner join is the right side.
			if nested, _ := r.joinKind(); nested != "" {
				if !r.enter() {
					return
				}
				r.patch(room, "(")
				r.joins(right)
				r.emit(")")
				r.leave()
			}
		}
		r.emit("ON")
		m := r.open(markJoin, join, start)
		switch {
		case kind == "cross", natural:
		case r.accept("on"):
			r.expr()
		case r.accept("using"):
			join.Using = r.partList()
		default:
			r.unexpectedHint("a join needs ON and a condition, or USING (columns); CROSS JOIN has neither")
		}
		r.close(m)
		join.Pos = r.since(first)
	}
}

// joinKind returns the kind of the join that begins at the current token and
// how many words it has, "" if none begins.
func (r *rewriter) joinKind() (kind string, words int) {
	t, n := r.tok(), 0
	if t.kind != tokWord {
		return "", 0
	}
	if t.word == "natural" {
		n = 1
		t = r.at(1)
	}
	switch t.word {
	case "join":
		return "inner", n + 1
	case "inner", "cross":
		if r.at(n+1).isWord("join") && (n == 0 || t.word == "inner") {
			return t.word, n + 2
		}
	case "left", "right", "full":
		if r.at(n + 1).isWord("join") {
			return t.word, n + 2
		}
		if r.at(n+1).isWord("outer") && r.at(n+2).isWord("join") {
			return t.word, n + 3
		}
	default:
		if n == 0 {
			return "", 0
		}
	}
	if n > 0 {
		r.next()
		switch t.word {
		case "inner", "left", "right", "full":
		default:
			r.unexpectedHint("NATURAL goes before JOIN, LEFT JOIN, RIGHT JOIN and FULL JOIN")
			return "", 0
		}
	}
	r.next()
	r.accept("outer")
	r.unexpected()
	return "", 0
}

// relation writes one relation with its alias.
func (r *rewriter) relation() {
	if !r.enter() {
		return
	}
	defer r.leave()
	first := r.i
	t := r.tok()
	switch {
	case t.isOp("(") && r.queryAt(r.i):
		r.derived(first, false)
	case t.isOp("("):
		r.next()
		r.emit("(")
		r.joined()
		r.closeBracket(first)
		r.emit(")")
		if r.is("as") || r.tok().isAlias() {
			r.notSupported("an alias for a join in parentheses is")
		}
	case t.isWord("lateral"):
		r.next()
		switch {
		case r.isOp("("):
			r.derived(first, true)
		case r.is("unnest"):
			r.unnest(first)
		default:
			r.tableFunc(first)
		}
	case t.isWord("unnest") && r.at(1).isOp("("):
		r.unnest(first)
	case t.isWord("table") && r.at(1).isOp("("):
		r.next()
		open := r.i
		r.next()
		if r.queryAt(open) {
			r.notSupported("TABLE (query) is")
			return
		}
		r.tableFuncIn(first, open)
	case t.isWord("rows") && r.at(1).isWord("from"):
		r.notSupported("ROWS FROM is")
	case t.isWord("json_table"):
		r.notSupported("JSON_TABLE is")
	default:
		r.table(first)
	}
}

// derived writes a query in FROM as (SELECT m((Q))).
func (r *rewriter) derived(first int, lateral bool) {
	node := &Derived{Lateral: lateral}
	r.emit("(SELECT")
	m := r.open(markRelation, node, first)
	r.parenQuery(r.i)
	r.close(m)
	r.emit(")")
	node.Alias, node.Columns = r.relationAlias()
	node.Sample = r.sample()
	node.Pos = r.since(first)
}

func (r *rewriter) unnest(first int) {
	r.next()
	node := &Unnest{}
	r.emit("(SELECT")
	m := r.open(markRelation, node, first)
	r.list()
	r.close(m)
	r.emit(")")
	if r.accept("with") {
		r.expect("ordinality")
		node.Ordinality = true
	}
	node.Alias, node.Columns = r.relationAlias()
	node.Sample = r.sample()
	node.Pos = r.since(first)
}

// tableFunc writes f(…) in FROM.
func (r *rewriter) tableFunc(first int) {
	r.tableFuncIn(first, -1)
}

// tableFuncIn is tableFunc inside TABLE(…) when open is that parenthesis.
func (r *rewriter) tableFuncIn(first, open int) {
	node := &TableFunc{}
	r.emit("(SELECT")
	m := r.open(markRelation, node, first)
	start := r.i
	name := r.dottedName()
	r.call(name, start)
	r.close(m)
	r.emit(")")
	if open >= 0 {
		r.closeBracket(open)
	}
	if r.is("with") && r.at(1).isWord("ordinality") {
		r.notSupported("WITH ORDINALITY behind anything but UNNEST is")
	}
	node.Alias, node.Columns = r.relationAlias()
	node.Sample = r.sample()
	node.Pos = r.since(first)
}

func (r *rewriter) table(first int) {
	start := r.i
	if r.tok().isName() {
		n := 1
		for r.at(n).isOp(".") && r.at(n+1).isLabel() {
			n += 2
		}
		if r.at(n).isOp("(") {
			r.tableFunc(first)
			return
		}
	}
	node := &TableRef{Name: r.tableName()}
	r.emitMark(r.newMark(markTable, node, start), " ")
	node.Alias, node.Columns = r.relationAlias()
	node.Sample = r.sample()
	node.Pos = r.since(first)
}

// tableName reads the name of a table. Where a table is named, words and
// numbers that hyphens join without blanks are one name, since the IDs of
// stores are written so: 4f2c-ab-1e22.
func (r *rewriter) tableName() Name {
	t := r.tok()
	if t.kind == tokWord && !t.isReserved() || t.kind == tokNumber {
		if end := bareIDEnd(r.text, int(t.start)); end > int(t.end) || t.brokenNumber() || t.kind == tokNumber {
			id := r.text[t.start:end]
			first := r.i
			for int(r.tok().end) < end && r.tok().kind != tokEnd {
				r.next()
			}
			if int(r.tok().end) == end && end > int(t.start) && !isNumeral(id) {
				r.next()
				pos := place(int(t.start), end)
				return Name{Pos: pos, Parts: []Part{{Pos: pos, Text: id}}}
			}
			r.fail(r.unexpectedAt(first))
			return Name{}
		}
	}
	return r.dottedName()
}

// bareIDEnd returns the offset behind the letters, digits and underscores at i,
// and those that single hyphens join to them.
func bareIDEnd(s string, i int) int {
	for i < len(s) {
		c := s[i]
		if isWordPart(rune(c)) && c != '$' && c < 0x80 ||
			c == '-' && i+1 < len(s) && s[i+1] < 0x80 && isWordPart(rune(s[i+1])) {
			i++
			continue
		}
		break
	}
	return i
}

func isNumeral(s string) bool {
	for _, c := range s {
		if c < '0' || c > '9' {
			return false
		}
	}
	return true
}

// relationAlias reads [AS] name [(columns)] and refuses what Trino and Postgres
// allow around it and we do not.
func (r *rewriter) relationAlias() (*Part, []Part) {
	r.refuseRelationClause()
	if r.is("as") && r.at(1).isOp("(") {
		r.notSupported("a column list without an alias is")
	}
	alias := r.alias(false)
	if alias == nil {
		return nil, nil
	}
	var columns []Part
	if r.isOp("(") {
		if r.at(1).isName() && r.at(2).kind == tokWord && !r.at(2).isReserved() {
			r.i += 2
			r.notSupported("a column list with types is")
		}
		columns = r.partList()
	}
	r.refuseRelationClause()
	return alias, columns
}

// sample reads TABLESAMPLE method (percentage), nil if none follows.
func (r *rewriter) sample() *Sample {
	if r.err != nil || !r.is("tablesample") {
		return nil
	}
	first := r.i
	r.next()
	s := &Sample{Method: strings.ToLower(r.tok().text)}
	if !inWords(sampleMethods, s.Method) {
		r.unexpectedHint("TABLESAMPLE is followed by BERNOULLI or SYSTEM")
		return nil
	}
	r.next()
	open := r.i
	r.expectOp("(")
	switch t := r.tok(); t.kind {
	case tokNumber:
		r.next()
		s.Percent = &Literal{Pos: t.pos(), Kind: t.num, Text: t.text}
	case tokParam:
		r.next()
		s.Percent = paramNode(t)
	default:
		r.unexpectedHint("the percentage of rows is expected, from 0 to 100")
		return nil
	}
	r.closeBracket(open)
	if strings.EqualFold(r.tok().text, "repeatable") && r.at(1).isOp("(") {
		r.notSupported("REPEATABLE is")
	}
	s.Pos = r.since(first)
	r.refuseRelationClause()
	return s
}

var sampleMethods = makeWords("bernoulli system")

func (r *rewriter) refuseRelationClause() {
	switch {
	case r.is("match_recognize") && r.at(1).isOp("("):
		r.notSupported("MATCH_RECOGNIZE is").WithHint("sequences of events are found with a self-join on a range of eventTime, or with lag and lead OVER (PARTITION BY … ORDER BY eventTime)")
	case r.is("for") && (inWords(versionWords, r.at(1).text)):
		r.notSupported("reading a table as of another time is")
	}
}

var versionWords = makeWords("version timestamp system_time system_version")
