package sql_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/cairndb/cairn/segment/column"
	"github.com/cairndb/cairn/sql/exec"
	"github.com/cairndb/cairn/sql/fn"
	"github.com/cairndb/cairn/sql/parse"
	"github.com/cairndb/cairn/sql/plan"
	"github.com/cairndb/cairn/sql/sqlerr"
	"github.com/cairndb/cairn/sql/sqltest"
)

func bound(t testing.TB, cat sqltest.Catalog, text string) *plan.Plan {
	t.Helper()
	stmt, _, err := parse.Parse(text, parse.Options{})
	if err != nil {
		t.Fatal(err)
	}
	p, err := plan.Bind(context.Background(), cat, stmt, plan.Options{Now: now})
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// rowsOf returns the rows of a plan as sorted text, of the columns with the given
// names, or all.
func rowsOf(t testing.TB, p *plan.Plan, names ...string) ([]string, error) {
	t.Helper()
	rows, err := exec.Start(context.Background(), p, exec.Options{Workers: 3})
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	var out []string
	for {
		b, err := rows.Next()
		if err == io.EOF {
			slices.Sort(out)
			return out, nil
		}
		if err != nil {
			return nil, err
		}
		for r := range b.Len {
			var cells []string
			for c, v := range b.Cols {
				if len(names) > 0 && !slices.Contains(names, p.Columns[c].Name) {
					continue
				}
				if v.IsNull(r) {
					cells = append(cells, "NULL")
				} else {
					cells = append(cells, fn.Format(v, r))
				}
			}
			out = append(out, strings.Join(cells, " "))
		}
	}
}

// TestJoinsOfSubqueries holds the kinds of joins that give left rows alone
// against the sub-queries that they stand for.
func TestJoinsOfSubqueries(t *testing.T) {
	conditions := []struct{ in, rest string }{
		{"a.k = b.k", ""},
		{"a.id = b.id", ""},
		{"a.d = b.d", ""},
		{"a.n = b.m", "a.id <> b.id"},
		{"a.k = b.k", "a.n < b.m"},
		{"a.k = b.k", "a.id = b.id"},
		{"a.n = b.m", "a.s > b.s"},
		{"a.k = b.k", "a.n = b.m OR a.id = 3"},
	}
	base := append(fixture(), joinTables()...)
	for _, c := range configs {
		cat := base.With(c.layout)
		for _, tables := range [][2]string{{"ja", "jb"}, {"ja", "(SELECT * FROM jb WHERE k IS NOT NULL AND m IS NOT NULL)"}, {"ja", "(SELECT * FROM jb WHERE id > 99)"}} {
			for _, cond := range conditions {
				on := cond.in
				if cond.rest != "" {
					on += " AND (" + cond.rest + ")"
				}
				sides := strings.Split(cond.in, " = ")
				where := ""
				if cond.rest != "" {
					where = " WHERE " + cond.rest
				}
				in := fmt.Sprintf("%s IN (SELECT %s FROM %s b%s)", sides[0], sides[1], tables[1], where)
				exists := fmt.Sprintf("EXISTS (SELECT 1 FROM %s b WHERE %s)", tables[1], on)
				for _, k := range []struct {
					kind  plan.JoinKind
					aware int
					same  string
				}{
					{plan.SemiJoin, 0, "SELECT a.id FROM ja a WHERE " + exists},
					{plan.AntiJoin, 0, "SELECT a.id FROM ja a WHERE NOT " + exists},
					{plan.AntiJoin, 1, "SELECT a.id FROM ja a WHERE NOT " + in},
					{plan.MarkJoin, 0, "SELECT a.id, " + exists + " FROM ja a"},
					{plan.MarkJoin, 1, "SELECT a.id, " + in + " FROM ja a"},
				} {
					want, err := rowsOf(t, bound(t, cat, k.same))
					if err != nil {
						t.Fatal(err)
					}
					p := joinPlan(t, cat, fmt.Sprintf("SELECT * FROM %s a JOIN %s b ON %s", tables[0], tables[1], on), k.kind, k.aware)
					got, err := rowsOf(t, p, "id", "mark")
					if err != nil || !slices.Equal(got, want) {
						t.Errorf("%s: %v (%d compared as in IN) with %s on %s gave %q, %v; %s gave %q", c.name, k.kind, k.aware, tables[1], on, got, err, k.same, want)
					}
				}
			}
		}
	}
}

// joinPlan returns the join of a query by itself, as one of another kind.
func joinPlan(t *testing.T, cat sqltest.Catalog, text string, kind plan.JoinKind, aware int) *plan.Plan {
	t.Helper()
	p := bound(t, cat, text)
	n := p.Root
	for {
		j, ok := n.(*plan.Join)
		if !ok {
			n = n.Inputs()[0]
			continue
		}
		j.Kind, j.NullAware = kind, aware
		if kind == plan.MarkJoin {
			j.Mark = plan.Col{ID: 1 << 30, Name: "mark", Type: column.BooleanType}
		}
		p.Root, p.Columns = j, nil
		for _, c := range j.Cols() {
			p.Columns = append(p.Columns, plan.Output{Name: c.Name, Type: c.Type})
		}
		return p
	}
}

func TestSingleJoin(t *testing.T) {
	cat := append(fixture(), joinTables()...)
	got, err := rowsOf(t, joinPlan(t, cat, "SELECT a.id, c.w FROM ja a JOIN (SELECT k, max(w) AS w FROM jc GROUP BY k) c ON a.k = c.k", plan.SingleJoin, 0), "id", "w")
	if err != nil {
		t.Fatal(err)
	}
	if want := []string{"1 100", "2 201", "3 NULL", "4 201", "5 NULL", "6 NULL", "7 NULL", "8 NULL", "9 NULL"}; !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
	_, err = rowsOf(t, joinPlan(t, cat, "SELECT a.id, c.w FROM ja a JOIN jc c ON a.k = c.k", plan.SingleJoin, 0))
	var e *sqlerr.Error
	if !errors.As(err, &e) || e.Code != sqlerr.CardinalityViolation {
		t.Errorf("two matches gave %v", err)
	}
}

// TestJoinCanceled ends a product that would take days.
func TestJoinCanceled(t *testing.T) {
	cat := fixture()
	for _, q := range []string{
		"SELECT count(*) FROM big a, big b, big c WHERE a.i + b.i + c.i < 0",
		"SELECT max(c.i) FROM big a LEFT JOIN big b ON a.i < b.i LEFT JOIN big c ON b.i < c.i AND a.name > c.name",
		"SELECT count(*) FROM big a CROSS JOIN LATERAL (SELECT count(*) AS n FROM big b, big c WHERE b.i + c.i = a.i) t",
		"SELECT count(*) FROM generate_series(1, 1000000000000) g",
		"SELECT max(x) FROM big CROSS JOIN UNNEST(sequence(1, 10000)) AS t(x) CROSS JOIN UNNEST(sequence(1, 10000)) AS u(y)",
	} {
		p := bound(t, cat, q)
		ctx, cancel := context.WithCancel(context.Background())
		rows, err := exec.Start(ctx, p, exec.Options{Workers: 2})
		if err != nil {
			t.Fatal(err)
		}
		time.AfterFunc(30*time.Millisecond, cancel)
		_, err = rows.Next()
		began := time.Now()
		rows.Close()
		var e *sqlerr.Error
		if !errors.As(err, &e) || e.Code != sqlerr.QueryCanceled {
			t.Errorf("%s: %v", q, err)
		}
		if took := time.Since(began); took > 2*time.Second {
			t.Errorf("%s: closing took %s", q, took)
		}
	}
}

// TestJoinBudget joins more than the budget holds: a clear error.
func TestJoinBudget(t *testing.T) {
	p := bound(t, fixture(), "SELECT count(*) FROM big a FULL JOIN big b ON a.name = b.name AND a.k < b.k")
	rows, err := exec.Start(context.Background(), p, exec.Options{Memory: 64 << 10})
	if err == nil {
		defer rows.Close()
		_, err = rows.Next()
	}
	var e *sqlerr.Error
	if !errors.As(err, &e) || e.Code != sqlerr.OutOfMemory {
		t.Errorf("got %v", err)
	}
}

// TestKeysReachStorage checks that what one side of a join holds narrows the
// scan of the other.
func TestKeysReachStorage(t *testing.T) {
	cat := fixture().With(sqltest.Layout{UnitRows: 500, Prune: true, Stats: true})
	for _, q := range []string{
		"EXPLAIN ANALYZE SELECT b.name FROM big a JOIN big b ON a.name = b.name WHERE a.i IN (17, 4711)",
		"EXPLAIN ANALYZE SELECT b.name FROM nums n JOIN big b ON b.i = n.i WHERE n.id < 5",
	} {
		lines, err := rowsOf(t, bound(t, cat, q))
		if err != nil {
			t.Fatal(err)
		}
		if text := strings.Join(lines, "\n"); !strings.Contains(text, "to storage") || !strings.Contains(text, "values of") {
			t.Errorf("%s\n%s", q, text)
		}
	}
}

// TestSubqueriesReachStorage checks that what a sub-query gives narrows the scan
// that asks it.
func TestSubqueriesReachStorage(t *testing.T) {
	cat := append(fixture().With(sqltest.Layout{UnitRows: 500, Prune: true, Stats: true}), joinTables()...)
	for _, c := range []struct{ query, has string }{
		{"SELECT count(*) FROM big WHERE i > (SELECT max(i) - 10 FROM big WHERE i < 9000)", "from a sub-query: i > 8"},
		{"SELECT count(*) FROM big WHERE i IN (SELECT CAST(s AS bigint) FROM nums WHERE id > 99 UNION ALL SELECT 4711)", "from a sub-query: i = 4711"},
		{"SELECT count(*) FROM big WHERE i IN (SELECT i FROM nums WHERE i BETWEEN 1 AND 20)", "2 values of i to storage"},
		{"SELECT count(*) FROM big WHERE EXISTS (SELECT 1 FROM nums n WHERE n.i = big.i AND n.id = 1)", "1 values of i to storage"},
	} {
		lines, err := plain(t, bound(t, cat, "EXPLAIN ANALYZE "+c.query))
		if err != nil {
			t.Fatal(err)
		}
		if !strings.Contains(lines, c.has) || strings.Contains(lines, "rows: 10000 of 10000") && !strings.Contains(c.query, "max") {
			t.Errorf("%s\n%s", c.query, lines)
		}
	}
}

// TestPlansOfJoins looks at what the planner makes of joins.
func TestPlansOfJoins(t *testing.T) {
	cat := append(fixture(), joinTables()...)
	for _, c := range []struct{ query, has, lacks string }{
		{"SELECT 1 FROM ja a LEFT JOIN jb b ON a.k = b.k WHERE b.m > 5", "Inner join", "Left join"},
		{"SELECT 1 FROM ja a FULL JOIN jb b ON a.k = b.k WHERE b.m > 5", "Right join", "Full join"},
		{"SELECT 1 FROM ja a FULL JOIN jb b ON a.k = b.k WHERE a.n = b.m", "Inner join", "Full join"},
		{"SELECT 1 FROM ja a LEFT JOIN jb b ON a.k = b.k WHERE b.m IS NULL", "Left join", "Inner join"},
		{"SELECT 1 FROM ja a, jb b WHERE a.k = b.k", "Inner join on k = k", "Cross join"},
		{"SELECT 1 FROM ja a, jc c, jb b WHERE a.id = b.id AND b.k = c.k", "Inner join on", "Cross join"},
		{"SELECT 1 FROM ja a JOIN jb b ON a.k = b.k WHERE a.k = 'x' AND b.m > 1", "to storage: m > 1", "Filter"},
		{"SELECT 1 FROM ja a LEFT JOIN jc c ON a.k = c.k WHERE a.k = 'b'", "Scan jc\nfilter: k = 'b'", ""},
	} {
		lines, err := plain(t, bound(t, cat, "EXPLAIN "+c.query))
		if err != nil {
			t.Fatal(err)
		}
		if !strings.Contains(lines, c.has) || c.lacks != "" && strings.Contains(lines, c.lacks) {
			t.Errorf("%s\n%s", c.query, lines)
		}
	}
}

// plain returns the lines of an EXPLAIN without their indentation.
func plain(t *testing.T, p *plan.Plan) (string, error) {
	rows, err := exec.Start(context.Background(), p, exec.Options{})
	if err != nil {
		return "", err
	}
	defer rows.Close()
	b, err := rows.Next()
	if err != nil {
		return "", err
	}
	var lines []string
	for _, l := range b.Cols[0].Str {
		lines = append(lines, strings.TrimSpace(l))
	}
	return strings.Join(lines, "\n"), nil
}

func BenchmarkHashJoin(b *testing.B) {
	cat := sqltest.Catalog{bigTable(200_000)}
	for _, q := range []struct{ name, text string }{
		{"int", "SELECT count(*) FROM big a JOIN big b ON a.i = b.i"},
		{"string", "SELECT count(*) FROM big a JOIN big b ON a.name = b.name"},
		{"dictionary", "SELECT count(*) FROM big a JOIN (SELECT k, count(*) AS n FROM big GROUP BY k) b ON a.k = b.k"},
		{"payload", "SELECT max(b.v), min(a.at) FROM big a JOIN big b ON a.i = b.i"},
	} {
		b.Run(q.name, func(b *testing.B) {
			benchJoin(b, cat.With(sqltest.Layout{UnitRows: 65536, Dict: q.name == "dictionary"}), q.text, 200_000)
		})
	}
}

// BenchmarkUnnest counts the rows that come out.
func BenchmarkUnnest(b *testing.B) {
	cat := sqltest.Catalog{bigTable(100_000)}
	for _, q := range []struct{ name, text string }{
		{"array", "SELECT sum(x) FROM big CROSS JOIN UNNEST(ARRAY[i, i + 1, i + 2, i + 3]) AS t(x)"},
		{"rows", "SELECT sum(x), max(y) FROM big CROSS JOIN UNNEST(ARRAY[ROW(i, name), ROW(i + 1, k), ROW(i + 2, name), ROW(i + 3, k)]) AS t(x, y)"},
		{"map", "SELECT sum(n), max(key) FROM big CROSS JOIN UNNEST(MAP(ARRAY['a', 'b', 'c', 'd'], ARRAY[i, i + 1, i + 2, i + 3])) AS t(key, n)"},
		{"beside", "SELECT max(name), sum(x) FROM big CROSS JOIN UNNEST(ARRAY[i, i + 1, i + 2, i + 3]) AS t(x) GROUP BY k"},
	} {
		b.Run(q.name, func(b *testing.B) { benchJoin(b, cat, q.text, 400_000) })
	}
}

// benchJoin runs a query on one worker and reports rows by time on the processor.
func benchJoin(b *testing.B, cat sqltest.Catalog, text string, rows int) {
	p := bound(b, cat, text)
	before := cpuTime(b)
	for b.Loop() {
		r, err := exec.Start(context.Background(), p, exec.Options{Workers: 1})
		if err != nil {
			b.Fatal(err)
		}
		for err == nil {
			_, err = r.Next()
		}
		r.Close()
		if err != io.EOF {
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64(rows)*float64(b.N)/(cpuTime(b)-before)/1e6, "Mrows/s/core")
}
