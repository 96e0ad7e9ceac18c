package parse

import (
	"reflect"
	"strings"
	"testing"

	"github.com/cairndb/cairn/sql/sqlerr"
)

// walk calls f for every struct of a tree that has a position, with the
// position of the nearest one around it.
func walk(v reflect.Value, around Pos, f func(node any, pos, around Pos)) {
	switch v.Kind() {
	case reflect.Pointer, reflect.Interface:
		if !v.IsNil() {
			walk(v.Elem(), around, f)
		}
	case reflect.Slice:
		for i := range v.Len() {
			walk(v.Index(i), around, f)
		}
	case reflect.Struct:
		if p := v.FieldByName("Pos"); p.IsValid() && v.Type() != reflect.TypeFor[Pos]() {
			pos := p.Interface().(Pos)
			f(v.Addr().Interface(), pos, around)
			around = pos
		}
		for i := range v.NumField() {
			if v.Type().Field(i).Name != "Pos" {
				walk(v.Field(i), around, f)
			}
		}
	}
}

// Every node has its place, within that of the node around it, and the text
// there, taken by itself, means the same.
func TestPositionsCoverWhatTheyName(t *testing.T) {
	exprs := 0
	for _, c := range goodQueries(t) {
		stmt, _, err := Parse(c.text, Options{Dialect: c.dialect})
		if err != nil {
			t.Fatalf("%s: %v", c.text, err)
		}
		opts := Options{Dialect: c.dialect}
		bad := func(node any, pos Pos, format string, args ...any) {
			t.Helper()
			t.Errorf("%s:%d: %T at %q: "+format, append([]any{c.file, c.line, node, c.text[min(pos.Start, len(c.text)):min(pos.End, len(c.text))]}, args...)...)
		}
		walk(reflect.ValueOf(stmt), Pos{}, func(node any, pos, around Pos) {
			if pos.End <= pos.Start || pos.Start < 0 || pos.End > len(c.text) {
				bad(node, pos, "the place %v is empty or outside of the text", pos)
				return
			}
			if around.Known() && (pos.Start < around.Start || pos.End > around.End) {
				bad(node, pos, "reaches out of the node around it, %q", c.text[around.Start:around.End])
			}
			text := c.text[pos.Start:pos.End]
			again := func(prefix, suffix string) *Query {
				s, _, err := Parse(prefix+text+suffix, opts)
				if err != nil {
					bad(node, pos, "does not parse by itself: %v", err)
					return nil
				}
				return s.(*Query)
			}
			switch n := node.(type) {
			case *Part:
				if n.Text != text && !strings.ContainsAny(text, `"$`) && !strings.EqualFold(text, "trim") {
					bad(node, pos, "is called %q", n.Text)
				}
			case *TypeName:
				if q := again("SELECT CAST(x AS ", ")"); q != nil {
					if got := q.Body.(*Select).Items[0].Expr.(*Cast).Type.String(); got != n.String() {
						bad(node, pos, "reads as %s, is %s", got, n)
					}
				}
			case *Query:
				if q := again("", ""); q != nil && Format(q) != Format(n) && c.dialect == Trino && !strings.Contains(c.text, "?") {
					bad(node, pos, "reads as\n%s, is\n%s", Format(q), Format(n))
				}
			case *Join, *TableRef, *Derived, *Unnest, *TableFunc:
				if q := again("SELECT 1 FROM ", ""); q != nil {
					var got, want dumper
					got.relation(q.Body.(*Select).From[0])
					want.relation(n.(Relation))
					if got.b.String() != want.b.String() {
						bad(node, pos, "reads as\n%s, is\n%s", got.b.String(), want.b.String())
					}
				}
			case Expr:
				if skipAlone(n, text) {
					return
				}
				exprs++
				if q := again("SELECT ", ""); q != nil {
					got := FormatExpr(q.Body.(*Select).Items[0].Expr)
					if want := FormatExpr(n); got != want && !strings.Contains(want, "$") {
						bad(node, pos, "reads as\n%s, is\n%s", got, want)
					}
				}
			}
		})
	}
	if exprs < 1000 {
		t.Errorf("only %d expressions were looked at", exprs)
	}
}

// skipAlone leaves out the expressions that are no expressions where they
// stand: lambdas, and what the rewriter adds to a call.
func skipAlone(e Expr, text string) bool {
	switch e := e.(type) {
	case *Lambda:
		return true
	case *Literal:
		if strings.HasPrefix(text, "ON OVERFLOW") {
			return true // an argument made of it
		}
		if e.Kind == StringLiteral && !strings.ContainsAny(text, "'$") {
			return true // the field of EXTRACT
		}
		if e.Kind == IntegerLiteral && e.Text != text {
			return true // spelled in another way, or added
		}
	case *Array:
		return text[0] == '['
	case *Row:
		return false
	}
	return false
}

// A word that nothing accepts, in the place of any token, is reported at that
// token.
func TestErrorsPointAtTheBrokenToken(t *testing.T) {
	const broken = "CONSTRAINT"
	tried := 0
	for _, c := range goodQueries(t) {
		tok := tokenizer{text: c.text, dialect: c.dialect, limit: TokensMax}
		tok.run()
		for i, tk := range tok.out[:len(tok.out)-1] {
			if i > 0 {
				prev := &tok.out[i-1]
				if prev.isOp(".") || c.dialect == Postgres && prev.isWord("as") {
					continue // any word may stand there
				}
				if i > 1 && tok.out[i-2].isWord("extract") {
					continue // fields of time are not words of the grammar
				}
			}
			if touchesHyphen(c.text, tk) {
				continue // a part of a bare ID: the ID ends before it
			}
			if tk.kind == tokOp && len(tk.word) == 1 && strings.Contains("()[]", tk.word) {
				continue // the partner of the bracket may be at fault as well
			}
			text := c.text[:tk.start] + " " + broken + " " + c.text[tk.end:]
			want := int(tk.start) + 1
			err := parseError(t, text, Options{Dialect: c.dialect})
			tried++
			if err == nil {
				t.Errorf("%s\nis accepted", text)
				continue
			}
			if err.Code != sqlerr.SyntaxError && err.Code != sqlerr.FeatureNotSupported {
				t.Errorf("%s\nhas the code %s", text, err.Code)
			}
			if strings.HasPrefix(strings.ToLower(c.text), "select json_") && i > 0 && err.Pos.Start == int(tok.out[i-1].start) {
				continue // whether NULL ON NULL begins a clause is seen by its second word
			}
			if err.Pos.Start != want && !strings.Contains(err.Message, "collation") {
				t.Errorf("%s:%d: token %d: the error is placed at %d, the mistake is at %d:\n%s", c.file, c.line, i, err.Pos.Start, want, sqlerr.Format(err, text))
			}
		}
	}
	if tried < 4000 {
		t.Errorf("only %d mistakes were made", tried)
	}
}

func touchesHyphen(text string, tk token) bool {
	for i := max(int(tk.start)-1, 0); i <= int(tk.end) && i < len(text); i++ {
		if text[i] == '-' {
			return true
		}
	}
	return false
}

// Cut short anywhere, a query is refused at its end or at its last token, or
// means something else that is whole.
func TestErrorsOfTextsCutShort(t *testing.T) {
	for _, c := range goodQueries(t) {
		tok := tokenizer{text: c.text, dialect: c.dialect, limit: TokensMax}
		tok.run()
		for i, tk := range tok.out[1 : len(tok.out)-1] {
			text, last := c.text[:tk.start], int(tok.out[i].start)
			err := parseError(t, text, Options{Dialect: c.dialect})
			if err == nil || strings.TrimSpace(text) == "" {
				continue
			}
			end := len(strings.TrimRight(text, " \n\t"))
			if err.Pos.Start != end && err.Pos.Start != last && !strings.HasSuffix(text, "-") && !strings.Contains(text, "--") && !strings.Contains(text, "/*") {
				t.Errorf("%q: the error is placed at %d, the text ends at %d: %v", text, err.Pos.Start, end, err)
			}
		}
	}
}
