package parse

import (
	"reflect"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/cairndb/cairn/sql/sqlerr"
)

// Any text gives a tree with places inside the text, or an error that a person
// can use. The rewriter checks the grammar itself: what it lets through, the
// skeleton parser must accept and the converter must know.
func FuzzParse(f *testing.F) {
	for _, c := range readGolden(f, "*.sql") {
		f.Add(c.text, c.dialect == Postgres)
	}
	for _, d := range deep {
		f.Add("SELECT "+strings.Repeat(d.open, 30)+d.core+strings.Repeat(d.close, 30), false)
	}
	f.Fuzz(func(t *testing.T, text string, postgres bool) {
		checkAnyText(t, text, postgres)
	})
}

func checkAnyText(t *testing.T, text string, postgres bool) {
	t.Helper()
	opts := Options{MaxText: 20_000}
	if postgres {
		opts.Dialect = Postgres
	}
	stmt, _, err := Parse(text, opts)
	if err != nil {
		e := parseError(t, text, opts)
		if e.Message == "" || strings.Contains(e.Message, "m1(") {
			t.Errorf("%q: the message is %q", text, e.Message)
		}
		if !e.Pos.Known() && e.Code != sqlerr.ProgramLimit && strings.TrimSpace(text) != "" && e.Message != "the query is empty" {
			t.Errorf("%q: the error has no place: %v", text, e)
		}
		if shown := sqlerr.Format(err, text); utf8.ValidString(text) && !utf8.ValidString(shown) {
			t.Errorf("%q: the message is not valid UTF-8: %q", text, shown)
		}
		return
	}
	if !utf8.ValidString(Format(stmt)) {
		t.Errorf("%q: the tree holds invalid UTF-8", text)
	}
	walk(reflect.ValueOf(stmt), Pos{}, func(node any, pos, around Pos) {
		if p, ok := node.(*Part); ok && p.Text == "" {
			return // a row's field without a name
		}
		if pos.Start < 0 || pos.End <= pos.Start || pos.End > len(text) {
			t.Errorf("%q: %T is placed at %v", text, node, pos)
		} else if around.Known() && (pos.Start < around.Start || pos.End > around.End) {
			t.Errorf("%q: %T at %v reaches out of %v", text, node, pos, around)
		}
	})
}
