package sqltest

import (
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/cairndb/cairn/segment/column"
	"github.com/cairndb/cairn/sql"
	"github.com/cairndb/cairn/sql/fn"
	"github.com/cairndb/cairn/sql/sqlerr"
)

// A logic test is a text file of records, separated by empty lines:
//
//	# comment
//	query ITR rowsort
//	SELECT …
//	----
//	1	text	2.5
//
// After "query" stands one letter per column (I for integers, R for other
// numbers, T for the rest) and how rows are to be ordered before they are
// compared: nosort (or nothing) or rowsort. Values are separated by tabs; NULL
// is NULL, empty text (empty), and tabs and line ends in values are \t and \n.
//
//	error
//	SELECT …
//	----
//	42703 at 1:8: column "nope" does not exist
//	hint: …
//
// expects the query to fail so.

// Record is one record of a logic test.
type Record struct {
	Line  int // of the file, of its first line
	Error bool
	Types string
	Sort  string
	Query string
	Want  string
}

// ParseLogic reads a logic test.
func ParseLogic(text string) ([]Record, error) {
	var out []Record
	lines := strings.Split(strings.ReplaceAll(text, "\r\n", "\n"), "\n")
	for i := 0; i < len(lines); i++ {
		line := strings.TrimSpace(lines[i])
		if line == "" || strings.HasPrefix(line, "#") {
			continue
		}
		r := Record{Line: i + 1}
		words := strings.Fields(line)
		switch {
		case words[0] == "error" && len(words) == 1:
			r.Error = true
		case words[0] == "query" && len(words) >= 2 && len(words) <= 3:
			r.Types, r.Sort = words[1], "nosort"
			if len(words) == 3 {
				r.Sort = words[2]
			}
		default:
			return nil, fmt.Errorf("line %d: not the start of a record: %q", i+1, line)
		}
		var query, want []string
		for i++; i < len(lines) && lines[i] != "----"; i++ {
			if lines[i] == "" {
				return nil, fmt.Errorf("line %d: the record has no ----", r.Line)
			}
			query = append(query, lines[i])
		}
		for i++; i < len(lines) && lines[i] != ""; i++ {
			want = append(want, lines[i])
		}
		r.Query, r.Want = strings.Join(query, "\n"), strings.Join(want, "\n")
		out = append(out, r)
	}
	return out, nil
}

// FormatLogic replaces the expectations of a logic test by what got says.
func FormatLogic(text string, got func(Record) string) (string, error) {
	records, err := ParseLogic(text)
	if err != nil {
		return "", err
	}
	lines := strings.Split(text, "\n")
	var out []string
	at := 0
	for _, r := range records {
		for ; at < len(lines) && lines[at] != "----"; at++ {
			out = append(out, lines[at])
		}
		out = append(out, "----")
		for at++; at < len(lines) && lines[at] != ""; at++ {
		}
		if s := got(r); s != "" {
			out = append(out, s)
		}
	}
	return strings.Join(append(out, lines[at:]...), "\n"), nil
}

// Check runs the query of a record and returns what it gave, in the form in
// which the record says what it wants.
func (r Record) Check(run func(query string) (*Result, error)) string {
	res, err := run(r.Query)
	if err != nil {
		return ErrorText(err, r.Query)
	}
	if r.Error {
		return "no error"
	}
	if types := res.Letters(); types != r.Types {
		return "columns of the types " + types
	}
	rows := res.Text()
	if r.Sort == "rowsort" {
		slices.Sort(rows)
	}
	return strings.Join(rows, "\n")
}

// ErrorText shows an error as logic tests do.
func ErrorText(err error, query string) string {
	var e *sqlerr.Error
	if !errors.As(err, &e) {
		return "error without code: " + err.Error()
	}
	s := e.Code
	if e.Pos.Known() {
		line, col := sqlerr.LineColumn(query, e.Pos.Start)
		s += fmt.Sprintf(" at %d:%d", line, col)
	}
	s += ": " + e.Message
	if e.Hint != "" {
		s += "\nhint: " + e.Hint
	}
	return s
}

// Result is the result of a query, read to the end.
type Result struct {
	Columns []sql.Output
	Batches []*column.Batch
}

// Source is a running query: *sql.Rows, or what wraps them.
type Source interface {
	Columns() []sql.Output
	Next() (*column.Batch, error)
	Close() error
}

// Collect reads a result to its end and closes it.
func Collect(rows Source, err error) (*Result, error) {
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	res := &Result{Columns: rows.Columns()}
	for {
		b, err := rows.Next()
		if err == io.EOF {
			return res, nil
		}
		if err != nil {
			return nil, err
		}
		if b.Len == 0 || len(b.Cols) != len(res.Columns) {
			return nil, fmt.Errorf("sqltest: a batch of %d rows and %d columns, for %d", b.Len, len(b.Cols), len(res.Columns))
		}
		for i, v := range b.Cols {
			if v.Len != b.Len {
				return nil, fmt.Errorf("sqltest: column %d has %d values in a batch of %d rows", i, v.Len, b.Len)
			}
			if v.Type.Kind != res.Columns[i].Type.Kind && v.Type.Kind != column.Unknown {
				return nil, fmt.Errorf("sqltest: column %d is %s, not %s", i, v.Type, res.Columns[i].Type)
			}
		}
		res.Batches = append(res.Batches, b)
	}
}

// Len returns the number of rows.
func (r *Result) Len() int {
	n := 0
	for _, b := range r.Batches {
		n += b.Len
	}
	return n
}

// Letters returns the types of the columns as logic tests write them.
func (r *Result) Letters() string {
	var b strings.Builder
	for _, c := range r.Columns {
		switch {
		case c.Type.IsInteger():
			b.WriteByte('I')
		case c.Type.IsNumeric():
			b.WriteByte('R')
		default:
			b.WriteByte('T')
		}
	}
	return b.String()
}

// Text returns the rows as logic tests write them.
func (r *Result) Text() []string {
	var out []string
	escape := strings.NewReplacer("\\", "\\\\", "\t", "\\t", "\n", "\\n")
	for _, b := range r.Batches {
		for i := range b.Len {
			cells := make([]string, len(b.Cols))
			for k, v := range b.Cols {
				switch s := fn.Format(v, i); {
				case v.IsNull(i):
					cells[k] = "NULL"
				case s == "":
					cells[k] = "(empty)"
				default:
					cells[k] = escape.Replace(s)
				}
			}
			out = append(out, strings.Join(cells, "\t"))
		}
	}
	return out
}
