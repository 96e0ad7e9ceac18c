package parse

import (
	"fmt"
	"testing"
)

// operator is a binary operator with its rank by the books: Trino's grammar
// and the table of operators in the Postgres manual. A higher rank binds
// tighter; all but comparisons associate to the left.
type operator struct {
	text, head string
	rank       int
	dialects   string // t, p or both
}

const (
	rankOr = iota
	rankAnd
	rankIs
	rankCompare
	rankLike
	rankOther
	rankPlus
	rankTimes
	rankPower
)

var binaryOperators = []operator{
	{"OR", "or", rankOr, "tp"},
	{"AND", "and", rankAnd, "tp"},
	{"=", "=", rankCompare, "tp"}, {"<>", "<>", rankCompare, "tp"}, {"<", "<", rankCompare, "tp"},
	{"<=", "<=", rankCompare, "tp"}, {">", ">", rankCompare, "tp"}, {">=", ">=", rankCompare, "tp"},
	{"LIKE", "like", rankLike, "tp"}, {"NOT LIKE", "not-like", rankLike, "tp"}, {"ILIKE", "ilike", rankLike, "tp"},
	{"||", "||", rankOther, "tp"}, {"->", "->", rankOther, "p"}, {"->>", "->>", rankOther, "p"}, {"#>", "#>", rankOther, "p"},
	{"@>", "@>", rankOther, "p"}, {"&&", "&&", rankOther, "p"}, {"~", "~", rankOther, "p"}, {"!~*", "!~*", rankOther, "p"},
	{"~~", "like", rankOther, "p"}, {"OPERATOR(pg_catalog.<@)", "<@", rankOther, "p"},
	{"+", "+", rankPlus, "tp"}, {"-", "-", rankPlus, "tp"},
	{"*", "*", rankTimes, "tp"}, {"/", "/", rankTimes, "tp"}, {"%", "%", rankTimes, "tp"},
	{"^", "^", rankPower, "p"},
}

func (o operator) in(d Dialect) bool {
	for _, c := range o.dialects {
		if (c == 't') == (d == Trino) {
			return true
		}
	}
	return false
}

func isCondition(rank int) bool { return rank == rankCompare || rank == rankLike }

// a op1 b op2 c for every pair of operators, in both dialects.
func TestPrecedenceOfEveryPair(t *testing.T) {
	for _, dialect := range []Dialect{Trino, Postgres} {
		for _, x := range binaryOperators {
			for _, y := range binaryOperators {
				if !x.in(dialect) || !y.in(dialect) {
					continue
				}
				text := fmt.Sprintf("SELECT a %s b %s c", x.text, y.text)
				left := fmt.Sprintf("(query (select (%s (%s a b) c)))", y.head, x.head)
				right := fmt.Sprintf("(query (select (%s a (%s b c))))", x.head, y.head)
				want := left
				if y.rank > x.rank {
					want = right
				}
				switch {
				case isCondition(x.rank) && isCondition(y.rank) && (dialect == Trino || x.rank == y.rank):
					want = "" // conditions do not chain
				}
				got := ""
				if stmt, _, err := Parse(text, Options{Dialect: dialect}); err == nil {
					got = Format(stmt)
				}
				if got != want {
					t.Errorf("dialect %d: %s\ngot:  %s\nwant: %s", dialect, text, got, want)
				}
			}
		}
	}
}

// What stands before and behind an operand, with every operator.
func TestPrecedenceOfPrefixesAndPostfixes(t *testing.T) {
	for _, dialect := range []Dialect{Trino, Postgres} {
		for _, op := range binaryOperators {
			if !op.in(dialect) {
				continue
			}
			check := func(text, want string) {
				t.Helper()
				got := "refused"
				if stmt, _, err := Parse("SELECT "+text, Options{Dialect: dialect}); err == nil {
					got = FormatExpr(stmt.(*Query).Body.(*Select).Items[0].Expr)
				}
				if got != want {
					t.Errorf("dialect %d: %s\ngot:  %s\nwant: %s", dialect, text, got, want)
				}
			}
			check("- a "+op.text+" - b", fmt.Sprintf("(%s (- a) (- b))", op.head))
			check("a "+op.text+" b AT TIME ZONE 'z'", fmt.Sprintf("(%s a (at-zone b 'z'))", op.head))
			check("a "+op.text+" b::int", fmt.Sprintf("(%s a (cast b int))", op.head))
			check("a "+op.text+" f(b).c[1]", fmt.Sprintf("(%s a (subscript (field (f() b) c) 1))", op.head))
			not := fmt.Sprintf("(not (%s a b))", op.head)
			isNull := fmt.Sprintf("(%s a (is null b))", op.head)
			between := fmt.Sprintf("(%s a (between b c d))", op.head)
			if op.rank <= rankAnd {
				not = fmt.Sprintf("(%s (not a) b)", op.head)
			} else {
				isNull = fmt.Sprintf("(is null (%s a b))", op.head)
				if op.rank > rankCompare {
					between = fmt.Sprintf("(between (%s a b) c d)", op.head)
				}
				if isCondition(op.rank) && dialect == Trino {
					isNull, between = "refused", "refused"
				}
				if op.rank == rankLike {
					between = "refused"
				}
			}
			check("NOT a "+op.text+" b", not)
			check("a "+op.text+" b IS NULL", isNull)
			check("a "+op.text+" b BETWEEN c AND d", between)
			if !isCondition(op.rank) {
				low := fmt.Sprintf("(between a (%s b c) d)", op.head)
				if op.rank == rankOr {
					low = "refused"
				} else if op.rank == rankAnd {
					continue
				}
				check("a BETWEEN b "+op.text+" c AND d", low)
			}
		}
	}
}
