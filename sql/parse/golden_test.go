package parse

import (
	"errors"
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/cairndb/cairn/sql/sqlerr"
)

var update = flag.Bool("update", false, "rewrite the expected results in testdata; review the difference")

// goldenCase is one case of a file in testdata:
//
//	trino            the dialect; lines that begin with # are comments
//	SELECT a
//	FROM t
//	----
//	(query (select a (from t)))
//
// A refused query has "error: " and the message as a person sees it. Cases are
// separated by blank lines.
type goldenCase struct {
	file    string
	line    int
	comment []string
	dialect Dialect
	text    string
	want    string
}

func (c *goldenCase) got() string {
	stmt, _, err := Parse(c.text, Options{Dialect: c.dialect})
	if err != nil {
		return "error: " + sqlerr.Format(err, c.text)
	}
	return Format(stmt)
}

func readGolden(t testing.TB, pattern string) []goldenCase {
	t.Helper()
	files, err := filepath.Glob(filepath.Join("testdata", pattern))
	if err != nil || len(files) == 0 {
		t.Fatalf("no files for %s: %v", pattern, err)
	}
	var cases []goldenCase
	for _, file := range files {
		data, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		line := 1
		for _, block := range strings.Split(string(data), "\n\n") {
			c := goldenCase{file: file, line: line}
			line += strings.Count(block, "\n") + 2
			lines := strings.Split(strings.Trim(block, "\n"), "\n")
			for len(lines) > 0 && strings.HasPrefix(lines[0], "#") {
				c.comment, lines = append(c.comment, lines[0]), lines[1:]
			}
			if len(lines) == 0 || lines[0] == "" {
				continue
			}
			switch lines[0] {
			case "trino":
			case "postgres":
				c.dialect = Postgres
			default:
				t.Fatalf("%s:%d: %q is not a dialect", file, c.line, lines[0])
			}
			text, want, _ := strings.Cut(strings.Join(lines[1:], "\n")+"\n", "----\n")
			c.text, c.want = strings.TrimSuffix(text, "\n"), strings.TrimSuffix(want, "\n")
			cases = append(cases, c)
		}
	}
	return cases
}

func TestGolden(t *testing.T) {
	cases := readGolden(t, "*.sql")
	if *update {
		written := map[string]*strings.Builder{}
		for _, c := range cases {
			b := written[c.file]
			if b == nil {
				b = &strings.Builder{}
				written[c.file] = b
			} else {
				b.WriteString("\n")
			}
			for _, line := range c.comment {
				b.WriteString(line + "\n")
			}
			dialect := "trino"
			if c.dialect == Postgres {
				dialect = "postgres"
			}
			b.WriteString(dialect + "\n" + c.text + "\n----\n" + c.got() + "\n")
		}
		for file, b := range written {
			if err := os.WriteFile(file, []byte(b.String()), 0o644); err != nil {
				t.Fatal(err)
			}
		}
		return
	}
	for _, c := range cases {
		if got := c.got(); got != c.want {
			t.Errorf("%s:%d:\n%s\ngot:  %s\nwant: %s", c.file, c.line, c.text, got, c.want)
		}
	}
	if len(cases) < 250 {
		t.Errorf("only %d cases", len(cases))
	}
}

// goodQueries are the queries of testdata that parse.
func goodQueries(t testing.TB) []goldenCase {
	var good []goldenCase
	for _, c := range readGolden(t, "*.sql") {
		if !strings.HasPrefix(c.want, "error: ") {
			good = append(good, c)
		}
	}
	return good
}

// parseError returns the error of a text as what every caller relies on.
func parseError(t testing.TB, text string, opts Options) *sqlerr.Error {
	t.Helper()
	_, _, err := Parse(text, opts)
	if err == nil {
		return nil
	}
	var e *sqlerr.Error
	if !errors.As(err, &e) {
		t.Fatalf("%s: the error is a %T: %v", text, err, err)
	}
	if e.Code == sqlerr.Internal {
		t.Errorf("%s\ninternal error: %v", text, e)
	}
	if e.Pos.Start < 0 || e.Pos.End < e.Pos.Start || e.Pos.End > len(text) {
		t.Errorf("%s\nthe place %v is not in the text", text, e.Pos)
	}
	return e
}
