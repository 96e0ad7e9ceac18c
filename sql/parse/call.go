package parse

import (
	"strings"

	"github.com/cairndb/cairn/sql/sqlerr"
)

// nameOrCall writes a column, a path that begins at one, or a call.
func (r *rewriter) nameOrCall(first int, zone bool) {
	if r.isCall() {
		room := r.reserve(callRoom)
		name := r.dottedName()
		r.call(name, first)
		r.postfixes(room, first, zone)
		r.operand = first
		return
	}
	name := r.dottedName()
	if r.err != nil {
		return
	}
	r.simple(&Ident{Name: name}, first, false, zone)
}

// isCall reports whether a name and an opening parenthesis follow.
func (r *rewriter) isCall() bool {
	n := 1
	for r.at(n).isOp(".") && r.at(n+1).isLabel() {
		n += 2
	}
	return r.at(n).isOp("(")
}

// call writes the arguments and modifiers of a function whose name has been
// read: m(args…, m(order by…), m(filter), m(over…)).
func (r *rewriter) call(name Name, first int) {
	node := &Call{Name: name}
	open := r.i
	if !r.isOp("(") {
		r.unexpected()
		return
	}
	m := r.open(markCall, node, first)
	r.next()
	r.arguments(node, open)
	r.closeBracket(open)
	r.callModifiers(node)
	r.close(m)
	if r.err == nil {
		node.Pos = r.since(first)
	}
}

func (r *rewriter) arguments(node *Call, open int) {
	if r.isOp(")") {
		return
	}
	if r.isOp("*") && r.at(1).isOp(")") {
		r.next()
		node.Star = true
		return
	}
	if !r.isOp("(") && r.queryAt(open) {
		r.unexpectedHint("a query as an argument needs parentheses of its own")
		return
	}
	if r.accept("distinct") {
		node.Distinct = true
	} else if r.is("all") && !r.at(1).isOp(",") && !r.at(1).isOp(")") && !r.at(1).isOp(".") {
		r.next()
	}
	// In Postgres x -> y is an operator too. There it makes a lambda behind the
	// first argument of the functions that take lambdas, and only there.
	lambdas := r.dialect == Trino
	taker := !lambdas && inWords(lambdaTakers, node.Name.Parts[len(node.Name.Parts)-1].Text)
	for args := 0; ; {
		switch {
		case lambdas && r.startsLambda():
			r.lambda()
		case r.tok().isName() && r.at(1).isOp("=>"):
			r.notSupported("giving arguments by name is")
		case r.dialect == Postgres && r.startsWholeRow():
			first := r.i
			name := r.dottedName()
			r.next()
			r.next()
			r.leaf(&Ident{Name: name}, first)
		default:
			r.expr()
		}
		if args++; r.is("on") && args <= 2 && strings.EqualFold(node.Name.Parts[len(node.Name.Parts)-1].Text, "listagg") {
			r.overflow(args)
			break
		}
		if !r.acceptOp(",") {
			break
		}
		r.emit(",")
		lambdas = lambdas || taker
	}
	if r.is("order") {
		r.emit(",")
		m := r.open(markOrder, nil, r.i)
		r.next()
		r.expect("by")
		r.sortItems()
		r.close(m)
	}
}

// startsWholeRow reports whether an argument is t.*: in Postgres a row of t as one value.
func (r *rewriter) startsWholeRow() bool {
	if !r.tok().isName() {
		return false
	}
	n := 1
	for r.at(n).isOp(".") && r.at(n+1).isLabel() {
		n += 2
	}
	return r.at(n).isOp(".") && r.at(n+1).isOp("*") && (r.at(n+2).isOp(")") || r.at(n+2).isOp(","))
}

// overflow reads ON OVERFLOW of listagg, behind its first args arguments. What it
// cuts off with becomes two more arguments: the filler, and whether to count.
func (r *rewriter) overflow(args int) {
	first := r.i
	r.next()
	r.expect("overflow")
	if r.accept("error") {
		return
	}
	r.expect("truncate")
	if args == 1 {
		r.emit(",")
		r.leaf(&Literal{Pos: r.since(first), Kind: StringLiteral}, first)
	}
	r.emit(",")
	if r.is("with") || r.is("without") {
		r.leaf(&Literal{Pos: r.since(first), Kind: StringLiteral, Text: "..."}, first)
	} else {
		r.value()
	}
	count := "false"
	if r.accept("with") {
		count = "true"
	} else if !r.accept("without") {
		r.unexpectedHint("TRUNCATE ends with WITH COUNT or WITHOUT COUNT")
		return
	}
	r.expect("count")
	r.emit(",")
	r.leaf(&Literal{Pos: r.since(first), Kind: BoolLiteral, Text: count}, first)
}

// callModifiers writes what may stand behind the arguments of a call.
func (r *rewriter) callModifiers(node *Call) {
	args := r.toks[r.i-1].isOp(")") && !r.toks[max(r.i-2, 0)].isOp("(") && !node.Star
	comma := func() {
		if args {
			r.emit(",")
		}
		args = true
	}
	if r.is("within") && r.at(1).isWord("group") {
		comma()
		first := r.i
		r.next()
		r.next()
		open := r.i
		r.expectOp("(")
		r.expect("order")
		r.expect("by")
		m := r.open(markWithin, nil, first)
		r.sortItems()
		r.closeBracket(open)
		r.close(m)
	}
	if r.is("filter") && r.at(1).isOp("(") {
		comma()
		first := r.i
		r.next()
		open := r.i
		r.next()
		r.expect("where")
		m := r.open(markFilter, nil, first)
		r.expr()
		r.closeBracket(open)
		r.close(m)
	}
	if (r.is("ignore") || r.is("respect")) && r.at(1).isWord("nulls") {
		node.IgnoreNulls = r.is("ignore")
		r.next()
		r.next()
	}
	if r.is("over") && (r.at(1).isOp("(") || r.at(1).isAlias()) {
		comma()
		first := r.i
		r.next()
		if r.isOp("(") {
			r.windowSpec()
			return
		}
		ref := r.part()
		m := r.open(markOver, &Window{Pos: r.since(first), Ref: &ref}, first)
		r.close(m)
	}
}

// windowSpec writes ([name] [PARTITION BY …] [ORDER BY …] [frame]) as
// m(m(partitions…), m(order…), m(bounds)…).
func (r *rewriter) windowSpec() {
	open := r.i
	r.expectOp("(")
	node := &Window{}
	m := r.open(markOver, node, open)
	if t := r.tok(); t.isName() && !t.isWord("partition") && !r.startsFrame() {
		ref := r.part()
		node.Ref = &ref
	}
	comma := ""
	if r.is("partition") {
		p := r.open(markPartition, nil, r.i)
		r.next()
		r.expect("by")
		for {
			r.expr()
			if !r.acceptOp(",") {
				break
			}
			r.emit(",")
		}
		r.close(p)
		comma = ","
	}
	if r.is("order") {
		r.emit(comma)
		o := r.open(markOrder, nil, r.i)
		r.next()
		r.expect("by")
		r.sortItems()
		r.close(o)
		comma = ","
	}
	if r.startsFrame() {
		r.frame(node, comma)
	}
	r.closeBracket(open)
	r.close(m)
	if r.err == nil {
		node.Pos = r.since(open)
	}
}

func (r *rewriter) startsFrame() bool {
	if !r.is("rows") && !r.is("range") && !r.is("groups") {
		return false
	}
	next := r.at(1)
	return !next.isOp(")") && !next.isWord("order") && !next.isWord("partition")
}

func (r *rewriter) frame(node *Window, comma string) {
	frame := &Frame{Unit: r.next().word}
	node.Frame = frame
	if r.accept("between") {
		start := r.tok().pos()
		comma = r.bound(&frame.Start, comma)
		r.expect("and")
		r.bound(&frame.End, comma)
		if frame.Start.Kind == "unbounded following" || frame.End.Kind == "unbounded preceding" ||
			boundRank(frame.Start.Kind) > boundRank(frame.End.Kind) {
			r.failAt(start, sqlerr.WindowingError, "the frame ends before it begins")
		}
	} else {
		start := r.tok().pos()
		r.bound(&frame.Start, comma)
		frame.End.Kind = "current row"
		if boundRank(frame.Start.Kind) > boundRank(frame.End.Kind) {
			r.failAt(start, sqlerr.WindowingError, "a frame that begins behind the current row needs BETWEEN … AND …")
		}
	}
	if r.accept("exclude") {
		switch {
		case r.accept("current"):
			r.expect("row")
			frame.Exclude = "current row"
		case r.is("group"), r.is("ties"):
			frame.Exclude = r.next().word
		case r.accept("no"):
			r.expect("others")
		default:
			r.unexpectedHint("EXCLUDE takes CURRENT ROW, GROUP, TIES or NO OTHERS")
		}
	}
}

// boundRank orders the kinds of bounds from first to last.
func boundRank(kind string) int {
	switch kind {
	case "unbounded preceding":
		return 0
	case "preceding":
		return 1
	case "current row":
		return 2
	case "following":
		return 3
	}
	return 4
}

// bound reads one end of a frame. Its offset is written as m(x).
func (r *rewriter) bound(b *Bound, comma string) string {
	side := func() string {
		if r.accept("preceding") {
			return "preceding"
		}
		r.expect("following")
		return "following"
	}
	switch {
	case r.is("unbounded"):
		r.next()
		b.Kind = "unbounded " + side()
	case r.is("current") && r.at(1).isWord("row"):
		r.next()
		r.next()
		b.Kind = "current row"
	default:
		r.emit(comma)
		m := r.open(markBound, b, r.i)
		r.value()
		r.close(m)
		b.Kind = side()
		return ","
	}
	return comma
}

// startsLambda reports whether x -> or (x, y) -> follows.
func (r *rewriter) startsLambda() bool {
	t := r.tok()
	if t.isName() {
		return r.at(1).isOp("->")
	}
	if !t.isOp("(") || t.match == 0 || !r.toks[t.match+1].isOp("->") {
		return false
	}
	for i := r.i + 1; i < int(t.match); i++ {
		// names at odd places, commas between them
		if odd := (i-r.i)%2 == 1; odd && !r.toks[i].isName() || !odd && !r.toks[i].isOp(",") {
			return false
		}
	}
	return (int(t.match)-r.i)%2 == 0 || int(t.match) == r.i+1
}

// lambda writes x -> body as m(body).
func (r *rewriter) lambda() {
	first := r.i
	node := &Lambda{}
	if r.isOp("(") {
		if r.at(1).isOp(")") {
			r.next()
			r.next()
		} else {
			node.Params = r.partList()
		}
	} else {
		node.Params = []Part{r.part()}
	}
	r.expectOp("->")
	m := r.open(markUnaryNode, node, first)
	if r.dialect == Trino && r.startsLambda() {
		if r.enter() {
			r.lambda()
		}
		r.leave()
	} else {
		r.expr()
	}
	r.close(m)
	if r.err == nil {
		node.Pos = r.since(first)
	}
}

// wordPrimary writes the operands that begin with a word and reports whether
// one did.
func (r *rewriter) wordPrimary(first int, zone bool) bool {
	t := r.tok()
	word := t.word
	next := r.at(1)
	if word == "" || next.isOp(".") && !t.isReserved() {
		if next.kind == tokString && inWords(typedLiterals, t.text) {
			r.typedLiteral(first, zone)
			return true
		}
		if t.brokenNumber() {
			return false
		}
		r.nameOrCall(first, zone)
		return true
	}
	switch word {
	case "null", "true", "false":
		r.next()
		kind, text := NullLiteral, ""
		if word != "null" {
			kind, text = BoolLiteral, word
		}
		r.simple(&Literal{Pos: t.pos(), Kind: kind, Text: text}, first, true, zone)
		return true
	case "current_date", "current_time", "current_timestamp", "localtime", "localtimestamp",
		"current_user", "current_catalog", "current_schema", "current_path", "current_role", "session_user":
		if word == "session_user" && r.dialect == Trino {
			break
		}
		r.niladic(first, zone)
		return true
	case "interval":
		if r.intervalFollows() {
			r.interval(first, zone)
			return true
		}
	case "timestamp", "time":
		if r.typedLiteralFollows() {
			r.typedLiteral(first, zone)
			return true
		}
	}
	if next.kind == tokString && inWords(typedLiterals, word) ||
		word == "double" && next.isWord("precision") && r.at(2).kind == tokString {
		r.typedLiteral(first, zone)
		return true
	}
	if r.special(first, zone) {
		return true
	}
	if (word == "left" || word == "right") && next.isOp("(") {
		room := r.reserve(callRoom)
		r.next()
		p := t.part()
		r.call(Name{Pos: p.Pos, Parts: []Part{p}}, first)
		r.postfixes(room, first, zone)
		r.operand = first
		return true
	}
	if t.isReserved() {
		if word == "unnest" && next.isOp("(") && r.dialect == Postgres {
			room := r.reserve(callRoom)
			r.next()
			p := t.part()
			r.call(Name{Pos: p.Pos, Parts: []Part{p}}, first)
			r.postfixes(room, first, zone)
			r.operand = first
			return true
		}
		return false
	}
	r.nameOrCall(first, zone)
	return true
}

// niladic writes current_timestamp and its kin, which need no parentheses.
func (r *rewriter) niladic(first int, zone bool) {
	t := r.next()
	p := Part{Pos: t.pos(), Text: t.text}
	call := &Call{Name: Name{Pos: p.Pos, Parts: []Part{p}}}
	if open := r.i; r.isOp("(") && strings.Contains(t.word, "time") {
		r.next()
		n := r.tok()
		if n.kind != tokNumber || n.num != IntegerLiteral {
			r.unexpectedHint("a number of digits is expected")
			return
		}
		r.next()
		call.Args = []Expr{&Literal{Pos: n.pos(), Kind: IntegerLiteral, Text: n.text}}
		r.closeBracket(open)
	} else if r.dialect == Postgres && r.isOp("(") && r.at(1).isOp(")") {
		r.next()
		r.next() // current_schema()
	}
	call.Pos = r.since(first)
	r.simple(call, first, true, zone)
}

func (r *rewriter) intervalFollows() bool {
	n := 1
	if r.at(n).isOp("-") || r.at(n).isOp("+") {
		n++
	}
	return r.at(n).kind == tokString
}

// interval reads INTERVAL '7' DAY.
func (r *rewriter) interval(first int, zone bool) {
	r.next()
	node := &Interval{}
	if r.acceptOp("-") {
		node.Negative = true
	} else {
		r.acceptOp("+")
	}
	node.Text = r.next().text
	if unit := intervalUnits[r.tok().word]; r.tok().kind == tokWord && unit != "" {
		node.Unit = unit
		r.next()
		if r.accept("to") {
			unit := intervalUnits[r.tok().word]
			if r.tok().kind != tokWord || unit == "" {
				r.unexpectedHint("a unit of time is expected")
				return
			}
			node.To = unit
			r.next()
		}
	}
	node.Pos = r.since(first)
	r.simple(node, first, true, zone)
}

// typedLiteralFollows reports whether TIMESTAMP or TIME begins a literal: with
// a precision or a zone before the string perhaps.
func (r *rewriter) typedLiteralFollows() bool {
	n := 1
	if r.at(n).isOp("(") && r.at(n+1).kind == tokNumber && r.at(n+2).isOp(")") {
		n += 3
	}
	return r.at(n).kind == tokString || r.at(n).isWord("with") || r.at(n).isWord("without") && r.at(n+1).isWord("time")
}

func (r *rewriter) typedLiteral(first int, zone bool) {
	node := &Typed{Type: r.typeName()}
	t := r.tok()
	if t.kind != tokString {
		r.unexpected()
		return
	}
	r.next()
	node.Text = t.text
	node.Pos = r.since(first)
	r.simple(node, first, true, zone)
}
