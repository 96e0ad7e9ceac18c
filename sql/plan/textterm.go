package plan

import (
	"unicode/utf8"

	"github.com/cairndb/cairn/segment/column"
	"github.com/cairndb/cairn/sql/fn"
)

// Terms that follow from LIKE and strpos on a column of texts.

// likeTerm returns what a LIKE asks of the text: how it begins, ends, or what it
// contains.
func (n *TableScan) likeTerm(l *Like) []Term {
	pieces, ok := piecesOf(l)
	if !ok {
		return nil
	}
	p, ok := n.path(l.X)
	if !ok {
		return nil
	}
	term := func(op Op, s string) Term {
		return Term{p, op, &column.Vector{Type: p.Type, Len: 1, Str: []string{s}}}
	}
	if len(pieces) == 1 {
		return []Term{term(Eq, pieces[0])}
	}
	var out []Term
	if s := pieces[0]; s != "" {
		out = append(out, term(Prefix, s))
	}
	for _, s := range pieces[1 : len(pieces)-1] {
		if s != "" {
			out = append(out, term(Contains, s))
		}
	}
	if s := pieces[len(pieces)-1]; s != "" {
		out = append(out, term(Suffix, s))
	}
	if len(out) == 0 {
		out = append(out, Term{Path: p, Op: NotNull})
	}
	return out
}

// piecesOf returns the texts between the % of a LIKE that storage can look for.
func piecesOf(l *Like) ([]string, bool) {
	pattern, constant := l.Pattern.(*Const)
	if !constant || pattern.null() || l.Fold {
		return nil, false
	}
	escape := fn.NoEscape
	if l.Escape != nil {
		e, ok := l.Escape.(*Const)
		if !ok || e.null() || len([]rune(e.Value.Str[0])) != 1 {
			return nil, false
		}
		escape = []rune(e.Value.Str[0])[0]
	}
	return likePieces(pattern.Value.Str[0], escape)
}

// mapText returns the path of a map of texts that e is the text of.
func (n *TableScan) mapText(e Expr) (Path, bool) {
	if c, ok := e.(*Call); ok && c.Name == "json_format" && len(c.Args) == 1 {
		e = c.Args[0]
	}
	for {
		c, ok := e.(*Cast)
		if !ok || c.T.Kind != column.Varchar && c.T.Kind != column.JSON {
			break
		}
		e = c.X
	}
	return n.textMap(e)
}

// textMap returns the path that reads a map of texts.
func (n *TableScan) textMap(e Expr) (Path, bool) {
	p, ok := n.path(e)
	t := p.Type
	return p, ok && t.Kind == column.Map && t.Key.Kind == column.Varchar && t.Elem.Kind == column.Varchar
}

// positionTerms returns what strpos(x, 'text') > 0 asks of x.
func (n *TableScan) positionTerms(c *Compare) []Term {
	in, s, ok := position(c)
	if !ok || s == "" {
		return nil
	}
	if p, ok := n.path(in); ok && p.Type.Kind == column.Varchar {
		return []Term{{p, Contains, &column.Vector{Type: p.Type, Len: 1, Str: []string{s}}}}
	}
	return nil
}

// position takes strpos(in, 'text') > 0 apart, in its several spellings.
func position(c *Compare) (in Expr, text string, ok bool) {
	op, l, r := c.Op, c.L, c.R
	if _, is := l.(*Const); is {
		op, l, r = op.flip(), r, l
	}
	call, is := l.(*Call)
	k, isConst := r.(*Const)
	if !is || !isConst || k.null() || k.T.Payload() != column.PayloadI64 || call.Name != "strpos" || len(call.Args) != 2 {
		return nil, "", false
	}
	switch v := k.Value.I64[0]; {
	case op == CmpGt && v >= 0 || op == CmpGe && v >= 1 || op == CmpEq && v >= 1 || op == CmpNe && v == 0:
	default:
		return nil, "", false
	}
	t, is := call.Args[1].(*Const)
	if !is || t.null() || t.T.Kind != column.Varchar || !utf8.ValidString(t.Value.Str[0]) {
		return nil, "", false
	}
	return call.Args[0], t.Value.Str[0], true
}

// likePieces returns the text before, between and after the % of a pattern; ok
// is false when there is a _ or a wrong escape.
func likePieces(pattern string, escape rune) (pieces []string, ok bool) {
	if !utf8.ValidString(pattern) {
		return nil, false
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
		case r == '_':
			return nil, false
		case r == '%':
			pieces, piece = append(pieces, string(piece)), nil
		default:
			piece = append(piece, r)
		}
	}
	return append(pieces, string(piece)), !escaped
}
