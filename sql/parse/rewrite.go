package parse

import (
	"strconv"

	"github.com/cairndb/cairn/sql/sqlerr"
)

// markKind says what a mark stands for, and so what the arguments of its call
// are.
type markKind uint8

const (
	// Expressions. node is the finished or unfinished tree node.
	markLeaf       markKind = iota // m: a complete Expr
	markCall                       // m(args…, modifiers…): *Call
	markTrim                       // m(chars, text) in the user's order: *Call
	markPostfix                    // m(x, operands…): []postfix
	markList                       // m(items…): *Array or *Row
	markCase                       // m(operand?, when, then, …, else?): *Case
	markUnaryNode                  // m(x): *Cast or *Lambda
	markSubquery                   // m((Q)): *Subquery or *Exists
	markJSON                       // m(args…): *JSONCall
	markPredicate                  // right operand; m(args…): *In, *Between, *Like, *Is, *Distinct
	markQuantified                 // right operand; m((Q) or x): *Quantified
	// Modifiers inside a call's arguments.
	markFilter    // m(x)
	markOrder     // m(items…)
	markWithin    // m(items…)
	markSort      // m(x): *SortItem
	markOver      // m(parts…): *Window
	markPartition // m(items…)
	markBound     // m(x): *Bound
	// Parts of queries.
	markSelect   // first field; m(distinct on…): *selectBlock
	markTerm     // only field; m((Q)): a member of a set operation
	markValues   // only field; m(rows…): *Values
	markWith     // only field; m(ctes…, (Q)): *withBlock
	markCTE      // m((Q)): *CTE
	markHaving   // m(x?, windows…): *havingBlock
	markWindow   // m(over): *NamedWindow
	markGroup    // m(x…): groupKind, an element of GROUP BY
	markTable    // as a table name: *TableRef
	markNoTable  // as a table name: SELECT without FROM
	markRelation // only field; m(args…): *Derived, *Unnest, *TableFunc
	markJoin     // ON m(x?): *Join
	markTail     // LIMIT n: *tail
)

// mark is one entry of the side table. Whatever the skeleton parser need not
// understand stays here, and the text for it only says which entry is meant:
// m17 or m17(…). first and last are the tokens that the entry covers.
type mark struct {
	kind        markKind
	first, last int32
	node        any
}

// piece says from which token the text at an offset of the output comes.
type piece struct{ out, tok int32 }

// rewriter walks the tokens once, from left to right, and writes the text for
// the skeleton parser. The first mistake stops it: fail moves to the end of the
// tokens, where nothing matches any more, so that every loop ends.
type rewriter struct {
	text    string
	dialect Dialect
	toks    []token
	i       int
	depth   int
	limit   int // of depth
	err     *sqlerr.Error
	out     []byte
	pieces  []piece
	marks   []mark
	// operand is the token that the last primary expression began at.
	operand int
}

// Room for text that is known only when what follows has been read.
const (
	callRoom = 8  // "m123456("
	termRoom = 17 // "SELECT m123456(("
)

// tok is the current token, at the one n tokens on.
func (r *rewriter) tok() *token { return &r.toks[r.i] }

func (r *rewriter) at(n int) *token {
	if r.i+n < len(r.toks) {
		return &r.toks[r.i+n]
	}
	return &r.toks[len(r.toks)-1]
}

// next moves over the current token and returns it.
func (r *rewriter) next() *token {
	t := &r.toks[r.i]
	if r.i < len(r.toks)-1 {
		r.i++
	}
	return t
}

func (t *token) isWord(w string) bool { return t.kind == tokWord && t.word == w }
func (t *token) isOp(op string) bool  { return t.kind == tokOp && t.word == op }

// brokenNumber reports digits that run into letters.
func (t *token) brokenNumber() bool { return t.kind == tokWord && t.num != 0 }

// isReserved reports a word that cannot be a name.
func (t *token) isReserved() bool {
	if t.kind != tokWord || t.word == "" {
		return false
	}
	_, ok := reserved[t.word]
	return ok
}

// isName reports whether the token can be a name.
func (t *token) isName() bool {
	return t.kind == tokQuoted || t.kind == tokWord && !t.isReserved() && !t.brokenNumber()
}

// isAlias reports whether the token can be an alias without AS before it.
func (t *token) isAlias() bool {
	if !t.isName() {
		return false
	}
	_, clause := clauseWords[t.word]
	return t.kind == tokQuoted || !clause
}

func (r *rewriter) is(w string) bool    { return r.tok().isWord(w) }
func (r *rewriter) isOp(op string) bool { return r.tok().isOp(op) }

func (r *rewriter) accept(w string) bool {
	if !r.is(w) {
		return false
	}
	r.next()
	return true
}

func (r *rewriter) acceptOp(op string) bool {
	if !r.isOp(op) {
		return false
	}
	r.next()
	return true
}

func (r *rewriter) expect(w string) {
	if !r.accept(w) {
		r.unexpected()
	}
}

func (r *rewriter) expectOp(op string) {
	if r.acceptOp(op) {
		return
	}
	r.unexpected()
}

// closeBracket expects the bracket that closes the one at token open.
func (r *rewriter) closeBracket(open int) {
	op := ")"
	if r.toks[open].word == "[" {
		op = "]"
	}
	if r.acceptOp(op) {
		return
	}
	atEnd := r.err == nil && r.tok().kind == tokEnd
	r.unexpected()
	if atEnd {
		line, column := sqlerr.LineColumn(r.text, int(r.toks[open].start))
		r.err.Hint = "the " + r.toks[open].word + " at line " + strconv.Itoa(line) + ", column " + strconv.Itoa(column) + " is not closed"
	}
}

// place is the range of the text from start to before end.
func place(start, end int) Pos { return Pos{Start: start, End: end} }

// span is the text that the tokens from first to last cover.
func (r *rewriter) span(first, last int) Pos {
	return place(int(r.toks[first].start), int(r.toks[last].end))
}

// since is the text from the token first to the one before the current.
func (r *rewriter) since(first int) Pos { return r.span(first, r.i-1) }

func (t *token) pos() Pos { return place(int(t.start), int(t.end)) }

// fail records the first mistake and ends the walk.
func (r *rewriter) fail(err *sqlerr.Error) {
	if r.err == nil {
		r.err = err
		r.i = len(r.toks) - 1
	}
}

func (r *rewriter) failAt(pos Pos, code, format string, args ...any) *sqlerr.Error {
	err := sqlerr.New(code, pos, format, args...)
	r.fail(err)
	return err
}

// notSupported refuses a construct that begins at the current token.
func (r *rewriter) notSupported(what string) *sqlerr.Error {
	return r.failAt(r.tok().pos(), sqlerr.FeatureNotSupported, "%s not supported", what)
}

// unexpected fails because the current token cannot stand where it stands.
func (r *rewriter) unexpected() {
	if r.err == nil {
		r.fail(r.unexpectedAt(r.i))
	}
}

// unexpectedHint is unexpected with a hint for when there is no better one.
func (r *rewriter) unexpectedHint(hint string) {
	if r.err == nil {
		err := r.unexpectedAt(r.i)
		if (err.Hint == "" || err.Hint == missingOperator) && err.Code == sqlerr.SyntaxError && r.tok().kind != tokBad {
			err.Hint = hint
		}
		r.fail(err)
	}
}

// enter counts a level of nesting; leave ends it.
func (r *rewriter) enter() bool {
	r.depth++
	if r.depth > r.limit {
		r.failAt(r.tok().pos(), sqlerr.StatementTooComplex, "the query is nested deeper than %d levels", r.limit)
	}
	return r.err == nil
}

func (r *rewriter) leave() { r.depth-- }

// emit writes s as coming from the current token.
func (r *rewriter) emit(s string) {
	r.pieces = append(r.pieces, piece{int32(len(r.out)), int32(r.i)})
	r.out = append(r.out, s...)
	r.out = append(r.out, ' ')
}

// reserve leaves room for n characters and returns where.
func (r *rewriter) reserve(n int) int {
	r.pieces = append(r.pieces, piece{int32(len(r.out)), int32(r.i)})
	off := len(r.out)
	for range n {
		r.out = append(r.out, ' ')
	}
	return off
}

// patch writes s into reserved room.
func (r *rewriter) patch(off int, s string) { copy(r.out[off:], s) }

// newMark adds an entry that begins at token first and ends before the current
// token.
func (r *rewriter) newMark(kind markKind, node any, first int) int {
	r.marks = append(r.marks, mark{kind: kind, first: int32(first), last: int32(r.i - 1), node: node})
	return len(r.marks) - 1
}

func (r *rewriter) emitMark(m int, suffix string) {
	r.pieces = append(r.pieces, piece{int32(len(r.out)), int32(r.i)})
	r.out = append(r.out, 'm')
	r.out = strconv.AppendInt(r.out, int64(m), 10)
	r.out = append(r.out, suffix...)
}

// leaf writes a complete expression that covers the tokens from first on.
func (r *rewriter) leaf(e Expr, first int) { r.emitMark(r.newMark(markLeaf, e, first), " ") }

// open begins a call: a new mark at token first and its parenthesis.
func (r *rewriter) open(kind markKind, node any, first int) int {
	m := r.newMark(kind, node, first)
	r.emitMark(m, "(")
	return m
}

// close ends the call of mark m before the current token.
func (r *rewriter) close(m int) {
	r.marks[m].last = int32(r.i - 1)
	r.emit(")")
}

// callText is the opening of mark m's call, for patch.
func callText(m int) string { return "m" + strconv.Itoa(m) + "(" }

// queryAt reports whether the parenthesis at token i holds a query: one that
// begins with a query word, or with such a query in parentheses that a set
// operation or a closing clause follows.
func (r *rewriter) queryAt(i int) bool {
	for depth := 0; depth < r.limit; depth++ {
		if !r.toks[i].isOp("(") || i+1 >= len(r.toks) {
			return false
		}
		inner := &r.toks[i+1]
		if inner.kind == tokWord {
			switch inner.word {
			case "select", "with", "values", "table":
				return true
			}
			return false
		}
		if !inner.isOp("(") {
			return false
		}
		if inner.match > 0 {
			switch after := &r.toks[inner.match+1]; {
			case after.isOp(")"):
			case after.kind == tokWord:
				switch after.word {
				case "union", "intersect", "except", "order", "limit", "offset", "fetch":
				default:
					return false
				}
			default:
				return false
			}
		}
		i++
	}
	return false
}

// part reads one name.
func (r *rewriter) part() Part {
	t := r.tok()
	if !t.isName() {
		r.unexpected()
		return Part{}
	}
	r.next()
	return t.part()
}

func (t *token) part() Part {
	return Part{Pos: t.pos(), Text: t.text, Quoted: t.kind == tokQuoted}
}

// isLabel reports whether the token can follow a dot: any word can.
func (t *token) isLabel() bool {
	return t.kind == tokQuoted || t.kind == tokWord && !t.brokenNumber()
}

// dottedName reads a name and the parts that dots join to it. It leaves .*
// alone.
func (r *rewriter) dottedName() Name {
	first := r.i
	parts := []Part{r.part()}
	for r.isOp(".") && !r.at(1).isOp("*") {
		r.next()
		if !r.tok().isLabel() {
			r.unexpected()
			break
		}
		parts = append(parts, r.next().part())
	}
	if r.err != nil {
		return Name{}
	}
	return Name{Pos: r.since(first), Parts: parts}
}

// partList reads (a, b, …).
func (r *rewriter) partList() []Part {
	open := r.i
	r.expectOp("(")
	var parts []Part
	for {
		parts = append(parts, r.part())
		if !r.acceptOp(",") {
			break
		}
	}
	r.closeBracket(open)
	return parts
}
