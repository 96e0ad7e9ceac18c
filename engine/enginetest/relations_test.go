package enginetest_test

import (
	"errors"
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/cairndb/cairn/engine/enginetest"
	"github.com/cairndb/cairn/sql/sqlerr"
)

// TestRelations asks lakes and PostgreSQL random queries with joins,
// subqueries, grouping sets, windows and set operations.
//
//	go test ./engine/enginetest -run Relations -diff.queries=100000 -diff.seed=3 -timeout 10h
//
// The module cmd/cairn-bench asks DuckDB the same.
func TestRelations(t *testing.T) {
	n := *diffQueries
	t.Logf("-diff.seed=%d, %d queries", *diffSeed, n)
	pg := startPostgres(t)
	if pg == nil {
		t.Skip("PostgreSQL is not here to compare with")
	}
	s := relationSample(t, *diffSeed+5)
	fillRelations(t, pg, s)
	lakes := openLakes(t, s, configs)
	m := enginetest.NewRelMaker(*diffSeed, relationValues(s))
	faults, refused, slow := 0, 0, 0
	const batch = 200
	for from := 0; from < n; from += batch {
		var queries []enginetest.RelQuery
		var texts []string
		for range min(batch, n-from) {
			q := m.Query()
			queries, texts = append(queries, q), append(texts, q.Peer)
		}
		answers, err := pg.ask(texts)
		if err != nil {
			t.Fatal(err)
		}
		for i, q := range queries {
			if *diffShow {
				t.Log(q.Cairn)
			}
			if a := answers[i]; a.err != nil && strings.Contains(a.err.Error(), "statement timeout") {
				slow++ // PostgreSQL plans some of these badly
				continue
			}
			l := lakes[(from+i)%len(lakes)]
			got, err := l.run(q.Cairn)
			var e *sqlerr.Error
			if errors.As(err, &e) && e.Code == sqlerr.FeatureNotSupported {
				if refused++; refused == 1 {
					t.Errorf("refused: %v\n%s", err, q.Cairn)
				}
				continue
			}
			if fault := relationFault(q, answers[i], got, err); fault != "" {
				t.Errorf("query %d of -diff.seed=%d, configuration %q: %s\nCairn: %s\nPostgreSQL: %s", from+i, *diffSeed, l.name, fault, q.Cairn, q.Peer)
				if faults++; faults == faultsShown {
					t.FailNow()
				}
			}
		}
	}
	if refused > 0 {
		t.Errorf("%d of %d queries were refused as not supported", refused, n)
	}
	if slow > n/4 {
		t.Errorf("PostgreSQL did not answer %d of %d queries in time", slow, n)
	}
	t.Logf("%d queries without PostgreSQL's answer", slow)
}

// lawRows are the rows of a question of a law that are compared at most: more come of joins without
// conditions, now and then, and would fill the memory.
const lawRows = 500_000

// TestRelationOracles asks lakes pairs of questions whose answers must fit each
// other, with joins and subqueries.
func TestRelationOracles(t *testing.T) {
	n := *diffQueries
	t.Logf("-diff.seed=%d, %d laws", *diffSeed, n)
	s := relationSample(t, *diffSeed+6)
	lakes := openLakes(t, s, configs)
	m := enginetest.NewRelMaker(*diffSeed+1, relationValues(s))
	faults, refused, large := 0, 0, 0
	for i := range n {
		o := m.Oracle()
		l := lakes[i%len(lakes)]
		one, err := l.runUpTo(lawRows, o.One)
		var many [][]any
		failed := err
		for _, text := range o.Many {
			rows, err := l.runUpTo(lawRows, text)
			if err != nil && failed == nil {
				failed = err
			}
			many = append(many, rows...)
		}
		var e *sqlerr.Error
		if errors.As(failed, &e) && e.Code == sqlerr.FeatureNotSupported {
			if refused++; refused == 1 {
				t.Errorf("refused: %v\n%s", failed, o.One)
			}
			continue
		}
		if failed == errTooManyRows {
			large++
			continue
		}
		fault := ""
		if failed != nil {
			fault = failed.Error()
		} else {
			fault = relationFault(enginetest.RelQuery{Kinds: o.Kinds}, peerAnswer{rows: many}, one, nil)
		}
		if fault != "" {
			t.Errorf("law %d of -diff.seed=%d, configuration %q, %s: %s\n%s\n%s", i, *diffSeed, l.name, o.Name, fault, o.One, strings.Join(o.Many, "\n"))
			if faults++; faults == faultsShown {
				t.FailNow()
			}
		}
	}
	if refused > 0 {
		t.Errorf("%d of %d laws were refused as not supported", refused, n)
	}
	if large > n/50 {
		t.Errorf("%d of %d laws have more than %d rows", large, n, lawRows)
	}
}

// relationSample is a sample small enough for joins without conditions.
func relationSample(t testing.TB, seed uint64) *sample {
	all := newSample(t, 400, seed)
	plain := slices.DeleteFunc(slices.Clone(all.events), func(r *record) bool { return strings.Contains(r.raw, `\u0000`) })
	return &sample{events: plain[:len(plain)-40], other: plain[len(plain)-40:]}
}

// relationValue is a column of a record as text, or nil.
func relationValue(r *record, c enginetest.RelColumn) any {
	kinds := map[enginetest.RelKind]kind{enginetest.RelText: kText, enginetest.RelBool: kBool, enginetest.RelTime: kTime}
	for _, own := range slices.Concat(textCols, boolCols, timeCols) {
		if own.path == c.Path && own.kind == kinds[c.Kind] {
			return r.value(own)
		}
	}
	panic("no column " + c.Path)
}

// relationValues are texts to compare with.
func relationValues(s *sample) map[string][]string {
	out := map[string][]string{}
	for _, c := range enginetest.RelColumns {
		seen := map[string]bool{}
		for _, r := range s.events {
			v := relationValue(r, c)
			if v == nil || c.Kind == enginetest.RelBool {
				continue
			}
			text := fmt.Sprint(v)
			if c.Kind == enginetest.RelTime {
				text = v.(instant).time().Format("2006-01-02 15:04:05")
			}
			if !seen[text] && len(text) < 100 && !strings.ContainsAny(text, "\\%_\x01\x02\x03") {
				seen[text] = true
				out[c.Name] = append(out[c.Name], text)
			}
		}
	}
	return out
}

func fillRelations(t testing.TB, p *postgres, s *sample) {
	t.Helper()
	var b strings.Builder
	escape := strings.NewReplacer("\\", "\\\\", "\t", "\\t", "\n", "\\n", "\r", "\\r")
	for _, table := range []string{"events", "other"} {
		b.WriteString("CREATE TABLE " + table + " (")
		for i, c := range enginetest.RelColumns {
			if i > 0 {
				b.WriteString(", ")
			}
			b.WriteString(c.Name + map[enginetest.RelKind]string{enginetest.RelText: " text", enginetest.RelTime: " timestamp", enginetest.RelBool: " boolean"}[c.Kind])
		}
		b.WriteString(");\nCOPY " + table + " FROM STDIN;\n")
		for _, r := range s.store(table) {
			for i, c := range enginetest.RelColumns {
				if i > 0 {
					b.WriteByte('\t')
				}
				if v := relationValue(r, c); v == nil {
					b.WriteString(`\N`)
				} else {
					b.WriteString(escape.Replace(fmt.Sprint(v)))
				}
			}
			b.WriteByte('\n')
		}
		b.WriteString("\\.\n")
	}
	b.WriteString("ANALYZE;\n")
	if _, complaints, err := p.run(b.String(), "-v", "ON_ERROR_STOP=1"); err != nil || complaints != "" {
		t.Fatalf("filling PostgreSQL: %v %s", err, complaints)
	}
}

// relationFault compares answers as sets of rows, or in order.
func relationFault(q enginetest.RelQuery, a peerAnswer, got [][]any, err error) string {
	switch {
	case err != nil && a.err != nil:
		return ""
	case err != nil:
		return "it fails here: " + err.Error()
	case a.err != nil:
		return "it fails there: " + a.err.Error()
	}
	show := func(rows [][]any) []string {
		out := make([]string, len(rows))
		for i, row := range rows {
			cells := make([]string, len(row))
			for c, v := range row {
				cells[c] = relationText(v, q.Kinds[c])
			}
			out[i] = strings.Join(cells, " | ")
		}
		if !q.Ordered {
			slices.Sort(out)
		}
		return out
	}
	here, there := show(got), show(a.rows)
	if slices.Equal(here, there) {
		return ""
	}
	for i := range max(len(here), len(there)) {
		if i >= len(here) || i >= len(there) || here[i] != there[i] {
			return fmt.Sprintf("%d rows here, %d there; from row %d on\nhere  %s\nthere %s", len(here), len(there), i,
				strings.Join(here[min(i, len(here)):min(i+4, len(here))], "\n      "), strings.Join(there[min(i, len(there)):min(i+4, len(there))], "\n      "))
		}
	}
	return ""
}

// relationText writes a value of Cairn, or the text of a peer's, the same way.
func relationText(v any, k enginetest.RelKind) string {
	text := ""
	switch x := v.(type) {
	case nil:
		return "NULL"
	case *string:
		text = *x
		switch k {
		case enginetest.RelBool:
			text = strconv.FormatBool(text == "t" || text == "true")
		case enginetest.RelTime:
			if at, err := time.Parse("2006-01-02 15:04:05", text); err == nil {
				text = instant(at.UnixMicro()).String()
			}
		}
	case float64:
		text = strconv.FormatFloat(math.Round(x*1e9)/1e9, 'g', -1, 64)
	default:
		text = fmt.Sprint(x)
	}
	return text
}
