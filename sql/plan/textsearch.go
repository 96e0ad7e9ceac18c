package plan

import (
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/cairndb/cairn/segment/column"
	"github.com/cairndb/cairn/sql/fn"
)

// Terms that follow from searching in a text of the record or of a map, or in the keys or values of
// a map, whatever the words of the search are: LIKE with and without regard to case, strpos,
// starts_with, regular expressions, equality, lists, and any of these with AND and OR.

// searchTerms returns the terms of a search; nil when c is none.
func (n *TableScan) searchTerms(c Expr) []Term {
	if p, subject, body, ok := n.elementSearch(c); ok {
		return searched(p, requiredTexts(body, subject))
	}
	var at Path
	found := false
	Walk(c, func(e Expr) bool {
		if found {
			return false
		}
		if p, ok := n.mapText(e); ok && e.Type().Kind == column.Varchar {
			at, found = p, true
		} else if p, ok := n.path(e); ok && n.isRecord(p) {
			at, found = p, true
		}
		_, lambda := e.(*Lambda)
		_, query := e.(*Subquery)
		return !found && !lambda && !query
	})
	if !found || !harmlessSearch(c) {
		return nil
	}
	return searched(at, requiredTexts(c, func(e Expr) bool {
		if e.Type().Kind != column.Varchar {
			return false
		}
		p, ok := n.mapText(e)
		if !ok {
			p, ok = n.path(e)
		}
		return ok && samePath(p, at)
	}))
}

// isRecord reports whether a path is a text of JSON that the table knows from inside.
func (n *TableScan) isRecord(p Path) bool {
	t, ok := n.Table.(JSONTable)
	if !ok || len(p.Steps) > 0 || p.Type.Kind != column.Varchar {
		return false
	}
	_, ok = t.JSONPath(p.Column, "$.a", column.VarcharType)
	return ok
}

// elementSearch takes a search in the keys or values of a map apart: any_match(map_values(m), v -> …)
// and its other spellings. body is what must hold for one of them, which subject tells.
func (n *TableScan) elementSearch(c Expr) (p Path, subject func(Expr) bool, body Expr, ok bool) {
	isParam := func(e Expr) bool { _, is := e.(*LambdaParam); return is }
	switch x := c.(type) {
	case *Not:
		h, is := x.X.(*Higher)
		if !is || h.Name != "none_match" {
			return p, nil, nil, false
		}
		return n.lambdaSearch(h)
	case *Higher:
		if x.Name != "any_match" {
			return p, nil, nil, false
		}
		return n.lambdaSearch(x)
	case *Compare:
		// cardinality(filter(map_values(m), v -> …)) > 0
		call, is := somethingIn(x).(*Call)
		if !is || call.Name != "cardinality" || len(call.Args) != 1 {
			return p, nil, nil, false
		}
		if h, is := call.Args[0].(*Higher); is && (h.Name == "filter" || h.Name == "map_filter") {
			return n.lambdaSearch(h)
		}
	case *Call:
		// contains(map_values(m), 'x')
		if x.Name != "contains" || len(x.Args) != 2 {
			return p, nil, nil, false
		}
		if p, ok = n.listOf(x.Args[0]); !ok {
			return p, nil, nil, false
		}
		list := x.Args[0]
		return p, func(e Expr) bool { return e == list }, &Compare{base{column.BooleanType, x.Pos()}, CmpEq, list, x.Args[1]}, true
	}
	return p, isParam, nil, false
}

// lambdaSearch is elementSearch for a function with a lambda.
func (n *TableScan) lambdaSearch(h *Higher) (p Path, subject func(Expr) bool, body Expr, ok bool) {
	if len(h.Args) != 2 {
		return p, nil, nil, false
	}
	lambda, is := h.Args[1].(*Lambda)
	if !is || !harmlessSearch(lambda.Body) {
		return p, nil, nil, false // conditions with terms are asked before others
	}
	if h.Name == "map_filter" {
		p, ok = n.textMap(h.Args[0])
	} else {
		p, ok = n.listOf(h.Args[0])
	}
	return p, func(e Expr) bool { _, is := e.(*LambdaParam); return is }, lambda.Body, ok
}

// listOf returns the path of the map whose keys or values e is.
func (n *TableScan) listOf(e Expr) (Path, bool) {
	list, ok := e.(*Call)
	if !ok || list.Name != "map_values" && list.Name != "map_keys" || len(list.Args) != 1 {
		return Path{}, false
	}
	return n.textMap(list.Args[0])
}

// harmlessSearch is harmless for what searches consist of.
func harmlessSearch(c Expr) bool {
	ok := true
	Walk(c, func(e Expr) bool {
		switch x := e.(type) {
		case *And, *Or, *Not, *Compare, *In, *LambdaParam, *Ref, *Const, *IsNullTest:
		case *Cast:
			from, to := x.X.Type().Kind, x.T.Kind
			ok = ok && (from == column.Map || from == column.JSON) && (to == column.JSON || to == column.Varchar) || harmless(x)
		case *Like:
			if _, valid := containedPieces(x); !valid {
				ok = false
			}
		case *Call:
			if pattern, is := constantText(x, 1); is && x.Name == "regexp_like" && len(x.Args) == 2 {
				_, valid := fn.RequiredTexts(pattern)
				ok = ok && valid
			} else if !(slices.Contains(harmlessCalls, x.Name) && len(x.Args) <= 2) && !harmless(x) {
				ok = false
			}
		default:
			ok = ok && harmless(e)
			return false
		}
		return ok
	})
	return ok
}

// harmlessCalls are the functions of searches of up to two arguments which raise no error whatever these are; what their arguments are is
// looked at by itself.
var harmlessCalls = []string{"json_format", "lower", "strpos", "starts_with"}

// constantText returns an argument that is a text.
func constantText(c *Call, arg int) (string, bool) {
	if arg >= len(c.Args) {
		return "", false
	}
	return textOf(c.Args[arg])
}

func textOf(e Expr) (string, bool) {
	k, ok := e.(*Const)
	if !ok || k.null() || k.T.Kind != column.Varchar || !utf8.ValidString(column.Flatten(k.Value).Str[0]) {
		return "", false
	}
	return column.Flatten(k.Value).Str[0], true
}

// searched asks a path for texts.
func searched(p Path, texts []fn.RequiredText) []Term {
	var out []Term
	for _, t := range texts {
		op := Contains
		if t.Fold {
			op = ContainsFold
		}
		out = append(out, Term{p, op, &column.Vector{Type: column.VarcharType, Len: len(t.Texts), Str: t.Texts}})
	}
	return out
}

// requiredTexts returns what a subject has for which a condition holds.
func requiredTexts(c Expr, subject func(Expr) bool) (out []fn.RequiredText) {
	one := func(s string, fold bool) {
		if s != "" {
			out = append(out, fn.RequiredText{Texts: []string{s}, Fold: fold})
		}
	}
	// is tells whether e is the subject, or that in small letters.
	is := func(e Expr) (fold, ok bool) {
		if c, is := e.(*Call); is && c.Name == "lower" && len(c.Args) == 1 {
			return true, subject(c.Args[0])
		}
		return false, subject(e)
	}
	switch x := c.(type) {
	case *And:
		for _, it := range x.Items {
			out = append(out, requiredTexts(it, subject)...)
		}
	case *Or:
		branches := make([][]fn.RequiredText, len(x.Items))
		for i, it := range x.Items {
			branches[i] = requiredTexts(it, subject)
		}
		if t, ok := fn.AnyRequired(branches); ok {
			out = append(out, t)
		}
	case *Like:
		fold, ok := is(x.X)
		pieces, valid := containedPieces(x)
		if !ok || !valid {
			return nil
		}
		fold = fold || x.Fold
		for _, s := range pieces {
			if fold {
				s = strings.ToLower(s)
			}
			one(s, fold)
		}
	case *In:
		fold, ok := is(x.X)
		if !ok || x.Values.Len == 0 || x.Values.Type.Kind != column.Varchar {
			return nil
		}
		branches := make([][]fn.RequiredText, x.Values.Len)
		for i := range branches {
			leaf, j := x.Values.Leaf(i)
			if s := leaf.Str[j]; s != "" && utf8.ValidString(s) {
				branches[i] = []fn.RequiredText{{Texts: []string{s}, Fold: fold}}
			}
		}
		if t, ok := fn.AnyRequired(branches); ok {
			out = append(out, t)
		}
	case *Compare:
		if in, s, found := position(x); found {
			if fold, ok := is(in); ok {
				one(s, fold)
			}
		} else if x.Op == CmpEq {
			for _, sides := range [2][2]Expr{{x.L, x.R}, {x.R, x.L}} {
				if fold, ok := is(sides[0]); ok {
					if s, ok := textOf(sides[1]); ok {
						one(s, fold)
					}
				}
			}
		}
	case *Call:
		s, constant := constantText(x, 1)
		if !constant || len(x.Args) != 2 {
			return nil
		}
		fold, ok := is(x.Args[0])
		switch {
		case !ok:
		case x.Name == "starts_with":
			one(s, fold)
		case x.Name == "regexp_like":
			texts, _ := fn.RequiredTexts(s)
			for _, t := range texts {
				if fold && !t.Fold {
					small := make([]string, len(t.Texts))
					for i, s := range t.Texts {
						small[i] = strings.ToLower(s)
					}
					t = fn.RequiredText{Texts: small, Fold: true}
				}
				out = append(out, t)
			}
		}
	}
	return out
}

// containedPieces returns the texts between the wildcards of a LIKE; ok is false when the pattern
// is not known, or wrong.
func containedPieces(l *Like) (pieces []string, ok bool) {
	pattern, ok := textOf(l.Pattern)
	if !ok {
		return nil, false
	}
	escape := fn.NoEscape
	if l.Escape != nil {
		e, ok := textOf(l.Escape)
		if !ok || utf8.RuneCountInString(e) != 1 {
			return nil, false
		}
		escape, _ = utf8.DecodeRuneInString(e)
	}
	var piece []rune
	escaped := false
	for _, r := range pattern {
		switch {
		case escaped:
			if r != '%' && r != '_' && r != escape {
				return nil, false
			}
			piece, escaped = append(piece, r), false
		case r == escape:
			escaped = true
		case r == '%' || r == '_':
			pieces, piece = append(pieces, string(piece)), nil
		default:
			piece = append(piece, r)
		}
	}
	return append(pieces, string(piece)), !escaped
}

// somethingIn returns x where a comparison says that a number x, never negative, is not 0.
func somethingIn(c *Compare) Expr {
	op, l, r := c.Op, c.L, c.R
	if _, is := l.(*Const); is {
		op, l, r = op.flip(), r, l
	}
	k, ok := r.(*Const)
	if !ok || k.null() || k.T.Payload() != column.PayloadI64 {
		return nil
	}
	switch v := k.Value.I64[0]; {
	case op == CmpGt && v >= 0, op == CmpGe && v >= 1, op == CmpEq && v >= 1, op == CmpNe && v == 0:
		return l
	}
	return nil
}
