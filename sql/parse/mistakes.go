package parse

import (
	"strings"

	"github.com/cairndb/cairn/sql/sqlerr"
)

// unexpectedAt is the error for a token that cannot stand where it stands, with
// a hint when the mistake is a known one.
func (r *rewriter) unexpectedAt(i int) *sqlerr.Error {
	t := &r.toks[i]
	switch {
	case t.kind == tokBad:
		return t.err
	case t.kind == tokEnd:
		err := sqlerr.New(sqlerr.SyntaxError, t.pos(), "syntax error at end of input")
		if i > 0 {
			if prev := &r.toks[i-1]; prev.isOp(",") {
				err.Hint = "there is a comma too many before it"
			}
		}
		return err
	}
	err := sqlerr.New(sqlerr.SyntaxError, t.pos(), "syntax error at or near %s", quoteForMessage(r.text[t.start:t.end]))
	if t.brokenNumber() {
		return err.WithHint("a name must not begin with a digit unless it stands in double quotes")
	}
	err.Hint = r.hint(i)
	return err
}

// missingOperator is the hint for two operands side by side. It is a guess, and
// gives way to what the caller expected.
const missingOperator = "is a comma or an operator missing before it?"

// hint tells what may have been meant where token i cannot stand.
func (r *rewriter) hint(i int) string {
	t, next := &r.toks[i], &r.toks[min(i+1, len(r.toks)-1)]
	if i == 0 {
		return "a query begins with SELECT or WITH"
	}
	prev := &r.toks[i-1]
	if prev.isOp(",") && (t.isReserved() || t.isOp(")") || t.isOp("]") || t.isOp(",")) {
		return "there is a comma too many before it"
	}
	if t.kind == tokNumber {
		switch {
		case prev.isWord("interval"):
			return "the number of an interval stands in single quotes: INTERVAL '7' DAY"
		case strings.EqualFold(r.text[prev.start:prev.end], "top") && i > 1 && (r.toks[i-2].isWord("select") || r.toks[i-2].isWord("distinct")):
			return "the first rows are asked for at the end: … LIMIT 10"
		}
	}
	switch t.kind {
	case tokOp:
		return r.operatorHint(i)
	case tokQuoted:
		if prev.kind == tokWord && inWords(typedLiterals, prev.text) || prev.isWord("interval") || prev.isWord("escape") {
			return "double quotes make a name; text is written in single quotes"
		}
	case tokString:
		switch {
		case prev.isWord("as"):
			return "single quotes make a text; a name is written plainly or in double quotes"
		case prev.kind == tokString:
			return "two texts stand side by side; join them with || or put a comma between them"
		case prev.isWord("from"), prev.isWord("join"):
			return "single quotes make a text; a table's name is written plainly or in double quotes"
		}
	}
	if operandEnd(prev) && t.word == "" && t.kind != tokOp {
		return missingOperator
	}
	if t.isWord("with") && next.isWord("rollup") {
		return "write GROUP BY ROLLUP (…)"
	}
	if t.isReserved() && (!operandEnd(prev) || t.word == "select") {
		switch t.word {
		case "order", "group":
			if next.isWord("by") {
				return "something is missing before it"
			}
		case "from", "where", "having", "union", "then", "when", "end", "else", "and", "or", "on", "using":
			return "something is missing before it"
		case "select", "values":
			return "a query inside another stands in parentheses"
		}
		if prev.kind == tokOp || prev.isReserved() {
			return strings.ToUpper(t.word) + " is a reserved word; as a name it stands in double quotes"
		}
	}
	return ""
}

func (r *rewriter) operatorHint(i int) string {
	t, prev := &r.toks[i], &r.toks[i-1]
	switch t.word {
	case "=":
		if prev.isOp("<") || prev.isOp(">") || prev.isOp("!") {
			return "write " + prev.word + "= without a blank between the two"
		}
	case ":":
		if strings.EqualFold(r.text[prev.start:prev.end], "arn") {
			return "name an event data store by its name, or by the ID at the end of its ARN"
		}
	case "==":
		return "equality is written ="
	case "<=>":
		return "comparison in which NULL equals NULL is written IS NOT DISTINCT FROM"
	case "&&":
		return "conditions are joined with AND"
	case "|", "&", "<<", ">>":
		return "bits are combined by functions: bitwise_or, bitwise_and, bitwise_left_shift, bitwise_right_shift"
	case "^":
		return "powers are computed by the function power"
	case "~", "~*", "!~", "!~*":
		return "regular expressions are matched by the function regexp_like"
	case "->", "->>", "#>", "#>>":
		return "JSON is read by json_extract and json_extract_scalar; -> makes a lambda, as an argument of a function"
	case "=>":
		return "arguments are given by place, not by name"
	case ":=", "@@":
		return "there are no variables"
	case "<":
		if prev.isWord("from") || prev.isWord("join") {
			return "put the name or the ID of an event data store here"
		}
	case ".":
		if before := &r.toks[max(i-2, 0)]; prev.isName() && i > 1 && (operandEnd(before) || before.isWord("as")) {
			return "an alias is one name without dots; is a comma missing before it?"
		}
	}
	return ""
}

// operandEnd reports whether the token looks like the end of an operand. Words of
// the grammar that may be names are left out: they are seldom names.
func operandEnd(t *token) bool {
	switch t.kind {
	case tokQuoted, tokString, tokBinary, tokNumber, tokParam:
		return true
	case tokWord:
		switch t.word {
		case "", "end", "null", "true", "false":
			return true
		}
	case tokOp:
		return t.word == ")" || t.word == "]"
	}
	return false
}
