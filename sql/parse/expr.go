package parse

import (
	"strings"

	"github.com/cairndb/cairn/sql/sqlerr"
)

// chainMax is how many operators other than AND and OR one expression may join
// without parentheses, and how many set operations one query may have. Trees of
// such chains lean to one side and every stage walks them by recursion.
const chainMax = 5000

// prefixMax is how many NOT, - and + may stand before one operand.
const prefixMax = 50

// expr writes one expression. Operators go through as they are and the
// skeleton parser groups them; what the two grammars spell or rank differently
// is written as an operator of the wanted rank with a mark for a right side:
//
//	x IS NULL               x <=> m1()     rank of comparisons
//	x IN (1, 2)             x LIKE m1(…)   rank of LIKE
//	x || y, x ->> y, x ~ y  x | y          below + and -, above LIKE
func (r *rewriter) expr() {
	if !r.enter() {
		return
	}
	defer r.leave()
	first := r.i
	r.not()
	r.value()
	last, compared := noPredicate, false
	for n := 0; r.err == nil; n++ {
		t := r.tok()
		next := r.nextPredicate()
		switch {
		case t.isWord("and"), t.isWord("or"):
			r.emit(strings.ToUpper(t.word))
			r.next()
			r.not()
			r.value()
			last, compared = noPredicate, false
			continue
		case next == noPredicate:
			if n > 0 || r.operand != first {
				r.operand = -1
			}
			return
		case !r.mayFollow(last, compared, next):
			err := r.unexpectedAt(r.i)
			r.fail(err.WithHint("conditions do not chain; put the first one in parentheses or join them with AND"))
			return
		}
		switch next {
		case comparison:
			last, compared = r.comparison(), true
		case matching:
			r.match()
			last = matching
		case nullTest:
			last, compared = r.isTest(), false
		}
	}
}

// predicateKind is a kind of condition on one operand.
type predicateKind uint8

const (
	noPredicate          predicateKind = iota
	comparison                         // a = b
	quantifiedComparison               // a = ANY (…)
	matching                           // [NOT] IN, LIKE, BETWEEN
	nullTest                           // IS [NOT] NULL, TRUE, FALSE, UNKNOWN
	distinctTest                       // IS [NOT] DISTINCT FROM b
)

// nextPredicate returns the kind that begins at the current token.
func (r *rewriter) nextPredicate() predicateKind {
	switch t := r.tok(); {
	case t.kind == tokOp && isComparison(t.word):
		return comparison
	case t.isWord("is"), r.dialect == Postgres && (t.isWord("isnull") || t.isWord("notnull")):
		return nullTest
	case r.startsMatch():
		return matching
	}
	return noPredicate
}

// mayFollow reports whether a predicate may stand behind another without
// parentheses. In Trino never. In Postgres IS closes what is before it, IN and
// LIKE bind to the right side of a comparison, and comparisons do not chain.
func (r *rewriter) mayFollow(last predicateKind, compared bool, next predicateKind) bool {
	if last == noPredicate {
		return true
	}
	if r.dialect == Trino || last == distinctTest {
		return false
	}
	switch next {
	case comparison:
		return !compared
	case matching:
		return last == comparison
	}
	return true
}

// comparison writes a comparison operator and its right side.
func (r *rewriter) comparison() predicateKind {
	op := r.tok().word
	if op == "!=" {
		op = "<>"
	}
	r.emit(op)
	r.next()
	if r.quantified() != nil {
		return quantifiedComparison
	}
	r.value()
	return comparison
}

func isComparison(op string) bool {
	switch op {
	case "=", "<>", "!=", "<", "<=", ">", ">=":
		return true
	}
	return false
}

func (r *rewriter) not() {
	for n := 0; r.is("not"); n++ {
		if n >= prefixMax {
			r.failAt(r.tok().pos(), sqlerr.StatementTooComplex, "more than %d NOT stand before one condition", prefixMax)
			return
		}
		r.emit("NOT")
		r.next()
	}
}

// value writes operands and the operators between them that bind tighter than
// comparisons.
func (r *rewriter) value() {
	first := r.i
	for ops := 0; ; ops++ {
		r.signed()
		if !r.valueOperator() {
			if ops > 0 {
				r.operand = -1
			}
			return
		}
		if ops >= chainMax {
			r.failAt(r.span(first, r.i-1), sqlerr.StatementTooComplex, "the expression joins more than %d operands", chainMax)
			return
		}
		if r.quantified() != nil {
			return
		}
	}
}

// signed writes an operand with the signs before it.
func (r *rewriter) signed() {
	for n := 0; r.isOp("-") || r.isOp("+"); n++ {
		if n >= prefixMax {
			r.failAt(r.tok().pos(), sqlerr.StatementTooComplex, "more than %d signs stand before one operand", prefixMax)
			return
		}
		// The smallest bigint is not the negative of a bigint.
		if num := r.at(1); r.isOp("-") && num.kind == tokNumber && num.text == "9223372036854775808" {
			first := r.i
			r.next()
			r.next()
			r.leaf(&Literal{Pos: r.since(first), Kind: IntegerLiteral, Text: "-" + num.text}, first)
			return
		}
		r.emit(r.tok().word)
		r.next()
	}
	r.primary()
}

// valueOperator writes an operator that binds tighter than comparisons, if one
// stands here.
func (r *rewriter) valueOperator() bool {
	t := r.tok()
	if t.kind == tokOp {
		switch t.word {
		case "+", "-", "*", "/", "%":
			r.emit(t.word)
		case "||":
			r.emit("|")
		case "^":
			if r.dialect != Postgres {
				return false
			}
			r.emit("^")
		case "&", "<<", ">>", "->", "->>", "#>", "#>>", "#-", "@>", "<@", "@@", "&&", "~", "~*", "!~", "!~*", "~~", "~~*", "!~~", "!~~*", "?", "?|", "?&":
			if r.dialect != Postgres {
				return false
			}
			r.emit("|")
		default:
			return false
		}
		r.next()
		return true
	}
	if t.isWord("operator") && r.at(1).isOp("(") {
		return r.namedOperator()
	}
	return false
}

// namedOperator reads OPERATOR(pg_catalog.~), the long spelling of an operator.
func (r *rewriter) namedOperator() bool {
	open := r.i + 1
	first := r.i
	r.next()
	r.next()
	if r.tok().isName() {
		if !strings.EqualFold(r.tok().text, "pg_catalog") {
			r.notSupported("an operator of a schema other than pg_catalog is")
			return false
		}
		r.next()
		r.expectOp(".")
	}
	t := r.tok()
	known := t.kind == tokOp && isComparison(t.word)
	if t.kind == tokOp {
		switch t.word {
		case "+", "-", "*", "/", "%", "||", "->", "->>", "#>", "#>>", "#-", "@>", "<@", "@@", "&&",
			"~", "~*", "!~", "!~*", "~~", "~~*", "!~~", "!~~*", "^":
			known = true
		}
	}
	if !known {
		r.unexpected()
		return false
	}
	r.next()
	at := r.i
	r.closeBracket(open)
	if r.err != nil {
		return false
	}
	r.i = first // the operator stands for its words in messages
	r.emit("|")
	r.i = at + 1
	return true
}

// quantified writes ANY, SOME or ALL with its query or array, if they stand
// here, and returns the node for it, else nil.
func (r *rewriter) quantified() *Quantified {
	if !(r.is("any") || r.is("some") || r.is("all")) || !r.at(1).isOp("(") {
		return nil
	}
	first := r.i
	node := &Quantified{All: r.is("all")}
	r.next()
	m := r.open(markQuantified, node, first)
	open := r.i
	if r.queryAt(open) {
		r.parenQuery(open)
	} else {
		r.next()
		r.expr()
		r.closeBracket(open)
	}
	r.close(m)
	return node
}

// isTest writes IS ….
func (r *rewriter) isTest() predicateKind {
	first := r.i
	r.emit("<=>")
	if !r.is("is") {
		node := &Is{Not: r.is("notnull"), What: "null"}
		r.next()
		r.close(r.open(markPredicate, node, first))
		return nullTest
	}
	r.next()
	not := r.accept("not")
	switch t := r.tok(); {
	case t.isWord("null"), t.isWord("true"), t.isWord("false"), t.isWord("unknown"):
		r.next()
		r.close(r.open(markPredicate, &Is{Not: not, What: t.word}, first))
		return nullTest
	case t.isWord("distinct"):
		r.next()
		r.expect("from")
		m := r.open(markPredicate, &Distinct{Not: not}, first)
		r.value()
		r.close(m)
		return distinctTest
	case t.isWord("json"):
		r.notSupported("IS JSON is")
	case t.isWord("of"):
		r.notSupported("IS OF is")
	default:
		r.unexpectedHint("IS is followed by NULL, TRUE, FALSE, UNKNOWN or DISTINCT FROM")
	}
	return nullTest
}

// startsMatch reports whether [NOT] IN, LIKE, ILIKE or BETWEEN stands here.
func (r *rewriter) startsMatch() bool {
	t, next := r.tok(), r.at(1)
	if t.isWord("not") {
		t, next = next, r.at(2)
		if !t.isWord("similar") || r.dialect == Postgres {
			return true // nothing else can be negated behind an operand
		}
	}
	if t.kind != tokWord {
		return false
	}
	switch t.word {
	case "in", "like", "ilike", "between":
		return true
	case "similar":
		if next.isWord("to") {
			if r.dialect == Postgres {
				return true
			}
			r.notSupported("SIMILAR TO is").WithHint("regular expressions are matched by the function regexp_like")
		}
	case "overlaps":
		if next.isOp("(") {
			r.notSupported("OVERLAPS is")
		}
	}
	return false
}

// match writes [NOT] IN, LIKE, ILIKE or BETWEEN.
func (r *rewriter) match() {
	first := r.i
	r.emit("LIKE")
	not := r.accept("not")
	word := r.tok().word
	switch word {
	case "in":
		r.next()
		r.in(first, not)
	case "between":
		r.next()
		if r.is("symmetric") {
			r.notSupported("BETWEEN SYMMETRIC is")
		}
		m := r.open(markPredicate, &Between{Not: not}, first)
		r.value()
		if r.is("and") {
			r.emit(",")
		}
		r.expect("and")
		r.value()
		r.close(m)
	case "like", "ilike":
		r.next()
		if r.patternList() {
			r.notSupported("LIKE with a list of patterns is").WithHint("write x LIKE 'a%%' OR x LIKE 'b%%', or any_match(ARRAY['a%%', 'b%%'], p -> x LIKE p)")
			return
		}
		if node := r.quantified(); node != nil {
			node.Op = word
			if not {
				node.Op = "not " + word
			}
			return
		}
		m := r.open(markPredicate, &Like{Not: not, Fold: word == "ilike"}, first)
		r.value()
		if r.accept("escape") {
			r.emit(",")
			r.value()
		}
		r.close(m)
	case "similar":
		r.next()
		r.expect("to")
		m := r.open(markPredicate, &Like{Not: not, Similar: true}, first)
		r.value()
		if r.accept("escape") {
			r.emit(",")
			r.value()
		}
		r.close(m)
	default:
		r.unexpectedHint("behind an operand, NOT is followed by IN, LIKE or BETWEEN")
	}
}

// patternList reports whether ANY or ALL with a list of several values stands here,
// which other dialects have behind LIKE.
func (r *rewriter) patternList() bool {
	if !(r.is("any") || r.is("some") || r.is("all")) || !r.at(1).isOp("(") {
		return false
	}
	depth := 0
	for i := 1; ; i++ {
		t := r.at(i)
		switch {
		case t.kind == tokEnd:
			return false
		case t.isOp("("), t.isOp("["):
			depth++
		case t.isOp(")"), t.isOp("]"):
			if depth--; depth == 0 {
				return false
			}
		case depth == 1 && t.isOp(","):
			return !r.queryAt(r.i + 1)
		}
	}
}

// in writes the right side of IN: a query or a list.
func (r *rewriter) in(first int, not bool) {
	open := r.i
	if !r.isOp("(") {
		r.unexpectedHint("IN is followed by a list or a query in parentheses")
		return
	}
	m := r.open(markPredicate, &In{Not: not}, first)
	if r.queryAt(open) {
		r.parenQuery(open)
	} else {
		if r.at(1).isOp(")") {
			r.next()
			r.unexpectedHint("the list of IN needs at least one value")
			return
		}
		r.list()
	}
	r.close(m)
}

// postfix is one step behind a primary expression. Operands that are
// expressions are arguments of the mark.
type postfix struct {
	kind  postfixKind
	first int32 // tokens
	last  int32
	part  Part     // of a field
	typ   TypeName // of a cast
	low   bool     // a slice has a lower bound
	high  bool     // a slice has an upper bound
}

type postfixKind uint8

const (
	postfixField postfixKind = iota
	postfixSubscript
	postfixSlice
	postfixCast
	postfixZone
	postfixCollate // changes nothing
)

// hasPostfix reports whether a postfix stands here.
func (r *rewriter) hasPostfix(literal, zone bool) bool {
	t := r.tok()
	switch t.kind {
	case tokOp:
		switch t.word {
		case ".":
			return !literal && !r.at(1).isOp("*")
		case "[":
			return !literal
		case "::":
			return true
		}
	case tokWord:
		switch t.word {
		case "at":
			return zone && r.at(1).isWord("time")
		case "collate":
			return zone
		}
	}
	return false
}

// postfixes reads the postfixes behind a primary that began at token first and
// is written already, with room before it.
func (r *rewriter) postfixes(room, first int, zone bool) {
	m := -1
	for r.err == nil && r.hasPostfix(false, zone) {
		if m < 0 {
			m = r.newMark(markPostfix, &[]postfix{}, first)
			r.patch(room, callText(m))
		}
		step := postfix{first: int32(r.i)}
		switch t := r.next(); t.word {
		case ".":
			step.kind = postfixField
			if !r.tok().isLabel() {
				r.unexpected()
				return
			}
			step.part = r.next().part()
		case "[":
			r.subscript(&step)
		case "::":
			step.kind = postfixCast
			step.typ = r.typeName()
		case "collate":
			step.kind = postfixCollate
			r.collation()
		default: // AT TIME ZONE
			step.kind = postfixZone
			r.next()
			r.expect("zone")
			r.emit(",")
			r.primaryWith(false)
		}
		step.last = int32(r.i - 1)
		steps := r.marks[m].node.(*[]postfix)
		*steps = append(*steps, step)
		if len(*steps) > chainMax {
			r.failAt(r.tok().pos(), sqlerr.StatementTooComplex, "the expression has more than %d steps", chainMax)
		}
	}
	if m >= 0 {
		r.close(m)
	}
}

// subscript reads [i] and [low:high] behind the opening bracket.
func (r *rewriter) subscript(step *postfix) {
	open := r.i - 1
	if !r.isOp(":") {
		r.emit(",")
		r.expr()
		step.low = true
	}
	step.kind = postfixSubscript
	if r.isOp(":") && r.dialect == Postgres {
		r.next()
		step.kind = postfixSlice
		if !r.isOp("]") {
			r.emit(",")
			r.expr()
			step.high = true
		}
	} else if r.isOp(":") {
		r.notSupported("a slice is").WithHint("the function slice(array, start, length) cuts arrays")
	}
	r.closeBracket(open)
}

// collation drops COLLATE of the collations that change nothing: text is
// compared by its bytes.
func (r *rewriter) collation() {
	at := r.tok().pos()
	name := r.dottedName()
	if r.err != nil {
		return
	}
	switch last := name.Parts[len(name.Parts)-1].Text; strings.ToLower(last) {
	case "c", "posix", "default", "ucs_basic":
	default:
		r.failAt(at, sqlerr.FeatureNotSupported, "the collation %s is not supported", quoteForMessage(last)).
			WithHint("text is compared by its bytes, as by the collation \"C\"")
	}
}

// primary writes one operand with its postfixes.
func (r *rewriter) primary() { r.primaryWith(true) }

// primaryWith is primary; zone says whether AT TIME ZONE may follow.
func (r *rewriter) primaryWith(zone bool) {
	first := r.i
	t := r.tok()
	switch t.kind {
	case tokString, tokNumber, tokBinary, tokParam:
		r.next()
		r.simple(literalNode(t), first, t.kind != tokParam, zone)
		return
	case tokQuoted:
		r.nameOrCall(first, zone)
		return
	case tokWord:
		if r.wordPrimary(first, zone) {
			return
		}
	case tokOp:
		switch t.word {
		case "(":
			room := r.reserve(callRoom)
			r.parenthesis(first)
			r.operand = first
			r.postfixes(room, first, zone)
			r.operand = first
			return
		case "*":
			r.unexpectedHint("* stands alone in a SELECT list or in count(*)")
			return
		}
	}
	r.unexpected()
}

func literalNode(t *token) Expr {
	switch t.kind {
	case tokNumber:
		return &Literal{Pos: t.pos(), Kind: t.num, Text: t.text}
	case tokBinary:
		return &Literal{Pos: t.pos(), Kind: BinaryLiteral, Text: t.text}
	case tokParam:
		return paramNode(t)
	}
	return &Literal{Pos: t.pos(), Kind: StringLiteral, Text: t.text}
}

// simple writes an operand that has been read whole, with its postfixes.
func (r *rewriter) simple(e Expr, first int, literal, zone bool) {
	if r.hasPostfix(literal, zone) {
		room := r.reserve(callRoom)
		r.leaf(e, first)
		r.postfixes(room, first, zone)
	} else {
		r.leaf(e, first)
	}
	r.operand = first
}

// parenthesis writes (x), (a, b) or a query in parentheses.
func (r *rewriter) parenthesis(open int) {
	if r.queryAt(open) {
		m := r.open(markSubquery, &Subquery{}, open)
		r.parenQuery(open)
		r.close(m)
		return
	}
	// A row is told from an expression by its comma, which comes later.
	room := r.reserve(callRoom)
	r.next()
	if r.isOp(")") {
		r.unexpectedHint("something is missing in the parentheses")
		return
	}
	r.expr()
	if !r.isOp(",") {
		r.patch(room, "(")
		r.closeBracket(open)
		r.emit(")")
		return
	}
	m := r.newMark(markList, &Row{}, open)
	r.patch(room, callText(m))
	for r.acceptOp(",") {
		r.emit(",")
		r.expr()
	}
	r.closeBracket(open)
	r.close(m)
}
