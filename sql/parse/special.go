package parse

import "strings"

// special writes the operands whose arguments are not a plain list, and reports
// whether one begins here.
func (r *rewriter) special(first int, zone bool) bool {
	t := r.tok()
	next := r.at(1)
	room := -1
	begin := func() {
		room = r.reserve(callRoom)
		r.next()
	}
	switch t.word {
	case "case":
		begin()
		r.caseOf(first)
	case "array":
		switch {
		case next.isOp("["):
			begin()
			r.arrayItems(first)
		case next.isOp("(") && r.queryAt(r.i+1):
			begin()
			m := r.open(markSubquery, &Subquery{Array: true}, first)
			r.parenQuery(r.i)
			r.close(m)
		default:
			return false
		}
	case "exists":
		begin()
		if !r.queryAt(r.i) {
			r.acceptOp("(")
			r.unexpectedHint("EXISTS is followed by a query in parentheses")
			return true
		}
		m := r.open(markSubquery, &Exists{}, first)
		r.parenQuery(r.i)
		r.close(m)
	default:
		if !next.isOp("(") {
			return false
		}
		switch t.word {
		case "row":
			begin()
			m := r.open(markList, &Row{}, first)
			r.list()
			r.close(m)
		case "cast", "try_cast":
			begin()
			r.cast(first, t.word == "try_cast")
		case "extract":
			begin()
			r.extract(first)
		case "position":
			begin()
			r.position(first)
		case "substring":
			begin()
			r.substring(first)
		case "trim":
			begin()
			r.trim(first)
		case "overlay":
			begin()
			r.overlay(first)
		case "normalize":
			begin()
			r.normalize(first)
		case "listagg", "grouping":
			begin()
			p := t.part()
			r.call(Name{Pos: p.Pos, Parts: []Part{p}}, first)
		case "json_value", "json_query", "json_exists", "json_object", "json_array":
			begin()
			r.json(first, t.word)
		case "json_table":
			r.notSupported("JSON_TABLE is")
			return true
		default:
			return false
		}
	}
	r.postfixes(room, first, zone)
	r.operand = first
	return true
}

// caseOf writes CASE … END as m(operand?, when, then, …, else?).
func (r *rewriter) caseOf(first int) {
	if !r.enter() {
		return
	}
	defer r.leave()
	node := &Case{}
	m := r.open(markCase, node, first)
	comma := ""
	if !r.is("when") {
		node.Operand = markedExpr
		r.expr()
		comma = ","
	}
	for r.err == nil && r.is("when") {
		r.next()
		r.emit(comma)
		comma = ","
		r.expr()
		r.expect("then")
		r.emit(",")
		r.expr()
		node.Whens = append(node.Whens, When{})
	}
	if len(node.Whens) == 0 {
		r.unexpectedHint("CASE is followed by WHEN … THEN …")
	}
	if r.accept("else") {
		r.emit(",")
		r.expr()
		node.Else = markedExpr
	}
	r.expect("end")
	r.close(m)
	if r.err == nil {
		node.Pos = r.since(first)
	}
}

// markedExpr says in an unfinished node that an argument of its mark belongs
// here.
var markedExpr Expr = &Literal{}

// arrayItems writes [a, b] behind ARRAY. Postgres lets inner arrays leave out
// the word.
func (r *rewriter) arrayItems(first int) {
	if !r.enter() {
		return
	}
	defer r.leave()
	open := r.i
	m := r.open(markList, &Array{}, first)
	r.expectOp("[")
	if !r.isOp("]") {
		for {
			if r.isOp("[") && r.dialect == Postgres {
				r.arrayItems(r.i)
			} else {
				r.expr()
			}
			if !r.acceptOp(",") {
				break
			}
			r.emit(",")
		}
	}
	r.closeBracket(open)
	r.close(m)
}

func (r *rewriter) cast(first int, try bool) {
	node := &Cast{Try: try}
	open := r.i
	r.next()
	m := r.open(markUnaryNode, node, first)
	r.expr()
	if r.isOp(",") {
		r.unexpectedHint("a type is given with AS: CAST(x AS bigint)")
	}
	r.expect("as")
	node.Type = r.typeName()
	r.closeBracket(open)
	r.close(m)
	if r.err == nil {
		node.Pos = r.since(first)
	}
}

// beginCall opens a call that is named by the word at token first, in the form
// that a plain call has.
func (r *rewriter) beginCall(kind markKind, first int) (node *Call, m, open int) {
	p := r.toks[first].part()
	node = &Call{Name: Name{Pos: p.Pos, Parts: []Part{p}}}
	m = r.open(kind, node, first)
	open = r.i
	r.expectOp("(")
	return node, m, open
}

func (r *rewriter) endCall(node *Call, m, first, open int) {
	r.closeBracket(open)
	r.callModifiers(node)
	r.close(m)
	if r.err == nil {
		node.Pos = r.since(first)
	}
}

// textLeaf writes a text that the call needs and the user did not write as one.
func (r *rewriter) textLeaf(s string, at *token) {
	r.leaf(&Literal{Pos: at.pos(), Kind: StringLiteral, Text: s}, r.i-1)
}

// extract writes EXTRACT(day FROM x) as extract('day', x).
func (r *rewriter) extract(first int) {
	node, m, open := r.beginCall(markCall, first)
	field := r.next()
	if !field.isName() && field.kind != tokString {
		r.i--
		r.unexpected()
		return
	}
	r.textLeaf(strings.ToLower(field.text), field)
	r.expect("from")
	r.emit(",")
	r.expr()
	r.endCall(node, m, first, open)
}

// position writes POSITION(a IN b) as position(a, b).
func (r *rewriter) position(first int) {
	node, m, open := r.beginCall(markCall, first)
	r.value()
	if !r.acceptOp(",") {
		r.expect("in")
	}
	r.emit(",")
	r.value()
	r.endCall(node, m, first, open)
}

// substring writes SUBSTRING(s FROM a FOR b) as substring(s, a, b).
func (r *rewriter) substring(first int) {
	node, m, open := r.beginCall(markCall, first)
	r.expr()
	switch {
	case r.accept("from"):
		r.emit(",")
		r.expr()
		if r.accept("for") {
			r.emit(",")
			r.expr()
		}
	case r.is("for"):
		r.next()
		r.emit(",")
		r.leaf(&Literal{Pos: r.toks[r.i-1].pos(), Kind: IntegerLiteral, Text: "1"}, r.i-1)
		r.emit(",")
		r.expr()
	default:
		for r.acceptOp(",") {
			r.emit(",")
			r.expr()
		}
	}
	r.endCall(node, m, first, open)
}

// trim writes TRIM([BOTH|LEADING|TRAILING] [chars] FROM s) as trim, ltrim or
// rtrim(s, chars).
func (r *rewriter) trim(first int) {
	node, m, open := r.beginCall(markCall, first)
	side := r.tok()
	switch {
	case side.isWord("both"), side.isWord("leading"), side.isWord("trailing"):
		if !r.at(1).isOp(",") && !r.at(1).isOp(")") && !r.at(1).isOp(".") {
			r.next()
			switch side.word {
			case "leading":
				node.Name.Parts[0].Text = "ltrim"
			case "trailing":
				node.Name.Parts[0].Text = "rtrim"
			}
			break
		}
		side = nil
	default:
		side = nil
	}
	if r.accept("from") {
		r.expr()
		r.endCall(node, m, first, open)
		return
	}
	r.expr()
	switch {
	case r.accept("from"):
		r.marks[m].kind = markTrim
		r.emit(",")
		r.expr()
	case side != nil:
		// TRIM(LEADING s) is Postgres for TRIM(LEADING FROM s).
		if r.dialect == Trino {
			r.unexpected()
		}
	default:
		for r.acceptOp(",") {
			r.emit(",")
			r.expr()
		}
	}
	r.endCall(node, m, first, open)
}

// overlay writes OVERLAY(s PLACING t FROM a FOR b) as overlay(s, t, a, b).
func (r *rewriter) overlay(first int) {
	node, m, open := r.beginCall(markCall, first)
	r.expr()
	if r.accept("placing") {
		r.emit(",")
		r.expr()
		r.expect("from")
		r.emit(",")
		r.expr()
		if r.accept("for") {
			r.emit(",")
			r.expr()
		}
	} else {
		for r.acceptOp(",") {
			r.emit(",")
			r.expr()
		}
	}
	r.endCall(node, m, first, open)
}

// normalize writes NORMALIZE(s, NFC) as normalize(s, 'NFC').
func (r *rewriter) normalize(first int) {
	node, m, open := r.beginCall(markCall, first)
	r.expr()
	if r.acceptOp(",") {
		r.emit(",")
		form := r.tok()
		switch strings.ToUpper(form.text) {
		case "NFC", "NFD", "NFKC", "NFKD":
			r.next()
			r.textLeaf(strings.ToUpper(form.text), form)
		default:
			r.unexpectedHint("the forms are NFC, NFD, NFKC and NFKD")
		}
	}
	r.endCall(node, m, first, open)
}
