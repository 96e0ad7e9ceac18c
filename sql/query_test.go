package sql_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"runtime"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/cairndb/cairn/segment/column"
	"github.com/cairndb/cairn/sql"
	"github.com/cairndb/cairn/sql/plan"
	"github.com/cairndb/cairn/sql/sqlerr"
	"github.com/cairndb/cairn/sql/sqltest"
)

func codeOf(err error) string {
	var e *sqlerr.Error
	if errors.As(err, &e) {
		return e.Code
	}
	return fmt.Sprint(err)
}

func TestParametersTakeTheTypeOfTheirPlace(t *testing.T) {
	ctx, cat := context.Background(), fixture()
	for _, c := range []struct {
		query string
		types string
		args  []any
		want  string
	}{
		{"SELECT eventid FROM events WHERE eventname = $1 AND bytes > $2", "varchar bigint", []any{"GetObject", 500}, "e06 e10"},
		{"SELECT eventid FROM events WHERE eventtime >= ?", "timestamp(3)", []any{"2026-03-04"}, "e12"},
		{"SELECT eventid FROM events WHERE eventtime >= ?", "timestamp(3)", []any{time.Date(2026, 3, 4, 0, 0, 0, 0, time.UTC)}, "e12"},
		{"SELECT eventid FROM events WHERE readonly = ? AND eventname = 'ListBuckets'", "boolean", []any{true}, "e02 e09"},
		{"SELECT eventid FROM events WHERE eventid IN ($1, $2, $1)", "varchar varchar", []any{"e01", "e03"}, "e01 e03"},
		{"SELECT eventid FROM events ORDER BY eventid LIMIT $1 OFFSET $2", "bigint bigint", []any{2, int64(3)}, "e04 e05"},
		{"SELECT eventid FROM events WHERE bytes = $1", "bigint", []any{nil}, ""},
		{"SELECT coalesce($1, 'x')", "varchar", []any{nil}, "x"},
		{"SELECT eventid FROM events WHERE element_at(requestparameters, $1) = 'logs' AND bytes > 0", "varchar", []any{"bucketName"}, "e06"},
		{"SELECT upper($1)", "varchar", []any{"abc"}, "ABC"},
		{"SELECT $1", "unknown", []any{12}, "12"},
	} {
		s, err := sql.Prepare(ctx, cat, c.query, sql.Options{Now: now})
		if err != nil {
			t.Errorf("%s: %s", c.query, sqltest.ErrorText(err, c.query))
			continue
		}
		var types []string
		for _, p := range s.Params() {
			types = append(types, p.String())
		}
		if got := strings.Join(types, " "); got != c.types {
			t.Errorf("%s: parameters of the types %q, want %q", c.query, got, c.types)
		}
		for range 2 {
			res, err := sqltest.Collect(s.Query(ctx, c.args))
			if err != nil {
				t.Errorf("%s %v: %s", c.query, c.args, sqltest.ErrorText(err, c.query))
				break
			}
			if got := strings.Join(res.Text(), " "); got != c.want {
				t.Errorf("%s %v gave %q, want %q", c.query, c.args, got, c.want)
			}
		}
	}
	for _, c := range []struct {
		query string
		args  []any
		code  string
	}{
		{"SELECT $1", nil, sqlerr.UndefinedParameter},
		{"SELECT $2", []any{1}, sqlerr.UndefinedParameter},
		{"SELECT $1", []any{1, 2}, sqlerr.UndefinedParameter},
		{"SELECT $1", []any{struct{}{}}, sqlerr.InvalidArgument},
		{"SELECT eventid FROM events WHERE eventtime > $1", []any{"tomorrow"}, sqlerr.InvalidDatetime},
		{"SELECT eventid FROM events WHERE bytes > $1", []any{"12"}, sqlerr.DatatypeMismatch},
		{"SELECT eventid FROM events LIMIT $1", []any{-1}, "2201W"},
	} {
		_, err := sqltest.Collect(sql.Query(ctx, cat, c.query, c.args, sql.Options{}))
		if got := codeOf(err); got != c.code {
			t.Errorf("%s %v: %v, want code %s", c.query, c.args, err, c.code)
		}
	}
}

func TestPreparedStatementsDescribeTheirColumns(t *testing.T) {
	s, err := sql.Prepare(context.Background(), fixture(), "SELECT userIdentity.userName, count(*), max(bytes) AS most, eventTime FROM events GROUP BY 1, 4", sql.Options{})
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, c := range s.Columns() {
		got = append(got, c.Name+" "+c.Type.String())
	}
	if want := []string{"userName varchar", "_col1 bigint", "most bigint", "eventTime timestamp(3)"}; !slices.Equal(got, want) {
		t.Errorf("columns %q, want %q", got, want)
	}
}

func TestPostgresReadsWhatItsClientsWrite(t *testing.T) {
	cat := fixture()
	for q, want := range map[string]string{
		"SELECT id FROM nums WHERE i = '10'":                                "1 6",
		"SELECT id FROM nums ORDER BY s DESC LIMIT 2":                       "3 6",
		"SELECT id FROM nums WHERE s ILIKE 'B'":                             "4 5",
		"SELECT lower(s) AS l FROM nums WHERE i = 10 GROUP BY l ORDER BY l": "a ä",
		"SELECT id::varchar || 'x' FROM nums WHERE id = 1":                  "1x",
		"SELECT id FROM nums WHERE id BETWEEN '2' AND '3'":                  "2 3",
	} {
		res, err := sqltest.Collect(sql.Query(context.Background(), cat, q, nil, sql.Options{Dialect: sql.Postgres}))
		if err != nil {
			t.Errorf("%s: %s", q, sqltest.ErrorText(err, q))
		} else if got := strings.Join(res.Text(), " "); got != want {
			t.Errorf("%s gave %q, want %q", q, got, want)
		}
	}
}

// A query that keeps more than its budget fails and says which step it was; the
// same with room succeeds.
func TestQueriesKeepTheirMemoryBudget(t *testing.T) {
	cat := sqltest.Catalog{bigTable(30_000).With(sqltest.Layout{UnitRows: 9000})}
	for q, step := range map[string]string{
		"SELECT * FROM big ORDER BY name":                              "ORDER BY",
		"SELECT name, count(*) FROM big GROUP BY name":                 "GROUP BY",
		"SELECT count(DISTINCT name) FROM big":                         "GROUP BY",
		"SELECT k, few, name, count(*) FROM big GROUP BY k, few, name": "GROUP BY",
		"SELECT DISTINCT i FROM big":                                   "GROUP BY",
	} {
		for _, workers := range []int{1, 3} {
			_, err := sqltest.Collect(sql.Query(context.Background(), cat, q, nil, sql.Options{Memory: 300 << 10, Workers: workers}))
			var e *sqlerr.Error
			if !errors.As(err, &e) || e.Code != sqlerr.OutOfMemory || !strings.HasPrefix(e.Message, step) || e.Hint == "" {
				t.Errorf("%s with a small budget: %v", q, err)
			}
			if _, err := sqltest.Collect(sql.Query(context.Background(), cat, q, nil, sql.Options{Workers: workers})); err != nil {
				t.Errorf("%s with the usual budget: %v", q, err)
			}
		}
	}
	// One call over one batch is not allowed to fill the memory either.
	for _, q := range []string{
		"SELECT repeat(i, 200000) FROM big", "SELECT lpad(k, 4000000, 'x') FROM big", "SELECT count(DISTINCT k || lpad('', 4000000, 'y')) FROM big",
		"SELECT replace(lpad('', 20000, 'a'), 'a', lpad(name, 500, 'b')) FROM big",
	} {
		if _, err := sqltest.Collect(sql.Query(context.Background(), cat, q, nil, sql.Options{Memory: 16 << 20})); codeOf(err) != sqlerr.OutOfMemory {
			t.Errorf("%s: %v", q, err)
		}
	}
	// A top-N keeps little whatever it reads.
	rows, err := sql.Query(context.Background(), cat, "SELECT * FROM big ORDER BY name DESC LIMIT 10", nil, sql.Options{Memory: 600 << 10})
	if res, err := sqltest.Collect(rows, err); err != nil || res.Len() != 10 {
		t.Errorf("a top-N in a small budget: %v", err)
	}
}

// Every way of ending a query early ends its goroutines and closes its scans.
func TestQueriesEndWhenTheirContextDoes(t *testing.T) {
	before := runtime.NumGoroutine()
	for _, q := range []string{
		"SELECT i FROM big", "SELECT name, count(*) FROM big GROUP BY name", "SELECT * FROM big ORDER BY name",
		"SELECT * FROM big ORDER BY at DESC LIMIT 5", "SELECT i FROM big LIMIT 9999 OFFSET 1", "EXPLAIN ANALYZE SELECT count(DISTINCT name) FROM big",
	} {
		cat := sqltest.Catalog{bigTable(10_000).With(sqltest.Layout{UnitRows: 100})}
		ctx, cancel := context.WithCancel(context.Background())
		var reads atomic.Int64
		cat[0].Delay = func(ctx context.Context) error {
			if reads.Add(1) == 20 {
				cancel()
			}
			return nil
		}
		start := time.Now()
		_, err := sqltest.Collect(sql.Query(ctx, cat, q, nil, sql.Options{Workers: 3}))
		if codeOf(err) != sqlerr.QueryCanceled || !errors.Is(err, context.Canceled) {
			t.Errorf("%s: canceled with %v", q, err)
		}
		if d := time.Since(start); d > 2*time.Second {
			t.Errorf("%s took %v to end", q, d)
		}
		cancel()
		if n := cat[0].OpenScans(); n != 0 {
			t.Errorf("%s: %d scans are open", q, n)
		}

		// A time limit.
		cat[0].Delay = func(ctx context.Context) error {
			select {
			case <-ctx.Done():
				return ctx.Err()
			case <-time.After(time.Millisecond):
				return nil
			}
		}
		_, err = sqltest.Collect(sql.Query(context.Background(), cat, q, nil, sql.Options{Workers: 2, Timeout: 5 * time.Millisecond}))
		if codeOf(err) != sqlerr.QueryCanceled || !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("%s: timed out with %v", q, err)
		}

		// A reader who leaves.
		cat[0].Delay = nil
		rows, err := sql.Query(context.Background(), cat, q, nil, sql.Options{Workers: 3})
		if err != nil {
			t.Fatal(err)
		}
		if _, err := rows.Next(); err != nil {
			t.Errorf("%s: %v", q, err)
		}
		rows.Close()
		rows.Close()
		if n := cat[0].OpenScans(); n != 0 {
			t.Errorf("%s: %d scans are open after Close", q, n)
		}
	}
	for range 100 {
		if runtime.NumGoroutine() <= before {
			return
		}
		time.Sleep(10 * time.Millisecond)
	}
	t.Errorf("%d goroutines before, %d after", before, runtime.NumGoroutine())
}

// A read that fails fails the query, unless nobody needs its rows.
func TestReadErrors(t *testing.T) {
	broken := errors.New("page 7 is damaged")
	cat := sqltest.Catalog{bigTable(1000).With(sqltest.Layout{UnitRows: 100})}
	var reads atomic.Int64
	cat[0].Delay = func(context.Context) error {
		if reads.Add(1) > 3 {
			return broken
		}
		return nil
	}
	for _, q := range []string{"SELECT i FROM big", "SELECT sum(i) FROM big", "SELECT i FROM big ORDER BY k", "SELECT try(i) FROM big"} {
		reads.Store(0)
		if _, err := sqltest.Collect(sql.Query(context.Background(), cat, q, nil, sql.Options{Workers: 2})); !errors.Is(err, broken) {
			t.Errorf("%s: %v", q, err)
		}
	}
	// One worker: of two the slower one may come to a unit that is wanted when three others were read.
	reads.Store(0)
	if got, err := sqltest.Collect(sql.Query(context.Background(), cat, "SELECT i FROM big LIMIT 150", nil, sql.Options{Workers: 1})); err != nil {
		t.Error(err)
	} else if got.Len() != 150 {
		t.Errorf("%d rows of 150 that could be read", got.Len())
	}
}

// A panic below becomes an error of the query alone.
func TestPanicsStayInTheirQuery(t *testing.T) {
	for _, q := range []string{"SELECT i FROM big", "SELECT sum(i) FROM big", "SELECT i FROM big ORDER BY 1 LIMIT 3", "SELECT i FROM big LIMIT 3"} {
		cat := sqltest.Catalog{bigTable(1000).With(sqltest.Layout{UnitRows: 100})}
		cat[0].Delay = func(context.Context) error { panic("a defect") }
		_, err := sqltest.Collect(sql.Query(context.Background(), cat, q, nil, sql.Options{Workers: 2}))
		if codeOf(err) != sqlerr.Internal || !strings.Contains(err.Error(), "a defect") {
			t.Errorf("%s: %v", q, err)
		}
		if n := cat[0].OpenScans(); n != 0 {
			t.Errorf("%s: %d scans are open", q, n)
		}
	}
}

// What is read: conditions one after the other on the rows that are left, other
// columns only for rows that pass, rows of a top-N at the end.
func TestColumnsAreReadLate(t *testing.T) {
	const n = 20_000
	reads := func(l sqltest.Layout, q string) (i, k, name, at int64) {
		l.UnitRows = 5000
		cat := sqltest.Catalog{bigTable(n).With(l)}
		if _, err := sqltest.Collect(sql.Query(context.Background(), cat, q, nil, sql.Options{Workers: 1})); err != nil {
			t.Fatal(err)
		}
		r := cat[0].Reads
		return r[0].Load(), r[1].Load(), r[2].Load(), r[4].Load()
	}
	if _, k, name, _ := reads(sqltest.Layout{}, "SELECT name FROM big WHERE k = 'k007'"); k != n || name == 0 || name > n/90 {
		t.Errorf("an equality read %d values of k and %d of name", k, name)
	}
	if i, k, name, _ := reads(sqltest.Layout{}, "SELECT name FROM big WHERE lower(k) = 'k007' AND i < 100"); i != n || k != 100 || name > 2 {
		t.Errorf("two conditions read %d values of i, %d of k and %d of name", i, k, name)
	}
	if _, _, name, at := reads(sqltest.Layout{Stats: true}, "SELECT name FROM big ORDER BY at DESC LIMIT 10"); name != 10 || at > 5000+10 {
		t.Errorf("the newest 10 read %d names and %d times", name, at)
	}
	if _, k, _, _ := reads(sqltest.Layout{Stats: true, Dict: true}, "SELECT k, count(*) FROM big GROUP BY k ORDER BY 2"); k != 0 {
		t.Errorf("a group with stored counts read %d values", k)
	}
	if i, k, name, at := reads(sqltest.Layout{}, "SELECT count(*) FROM big"); i+k+name+at != 0 {
		t.Errorf("count(*) read %d values", i+k+name+at)
	}
	if _, _, name, _ := reads(sqltest.Layout{}, "SELECT coalesce(few, name) FROM big"); name > n/10 {
		t.Errorf("coalesce read its second argument %d times", name)
	}
	if i, _, _, _ := reads(sqltest.Layout{Prune: true}, "SELECT i FROM big WHERE at = '2026-01-01 00:00:05'"); i != 1 {
		t.Errorf("one candidate row made %d reads", i)
	}
	if i, k, name, _ := reads(sqltest.Layout{}, "SELECT x FROM (SELECT i AS x, k, upper(name) AS y FROM big) WHERE x < 10"); k+name != 0 || i != n {
		t.Errorf("columns that nobody selects were read %d times", k+name)
	}
}

func TestExplain(t *testing.T) {
	cat := fixture().With(sqltest.Layout{UnitRows: 4, Prune: true, Dict: true, Stats: true})
	text := strings.Join(run(t, cat, "EXPLAIN SELECT userIdentity.arn FROM events WHERE eventTime >= '2026-03-03' AND eventName = 'GetObject' ORDER BY eventTime DESC LIMIT 5"), "\n")
	for _, want := range []string{
		"Project useridentity.arn", "Top 5 by eventtime DESC", "Scan events", "filter: eventname = 'GetObject'",
		"to storage: eventtime >= timestamp '2026-03-03 00:00:00.000'", "segments: 1 of 3", "left out by bitmap: 3",
		"columns: eventtime, eventname, useridentity",
	} {
		if !strings.Contains(text, want) {
			t.Errorf("EXPLAIN does not say %q:\n%s", want, text)
		}
	}
	text = strings.Join(run(t, cat, "EXPLAIN ANALYZE SELECT eventname, count(*) FROM events WHERE errorcode IS NOT NULL GROUP BY 1 HAVING count(*) > 1"), "\n")
	for _, want := range []string{"Aggregate by eventname", "computes: count(*)", "Filter count > 1", "rows, ", "bytes read", "workers"} {
		if !strings.Contains(text, want) {
			t.Errorf("EXPLAIN ANALYZE does not say %q:\n%s", want, text)
		}
	}
	for q, want := range map[string]string{
		"SELECT 1 FROM events WHERE eventname LIKE 'Get%ject'":                                                "eventname begins with 'Get'|eventname ends with 'ject'",
		"SELECT 1 FROM events WHERE eventname LIKE '%a%b%'":                                                   "eventname contains 'a'|eventname contains 'b'",
		"SELECT 1 FROM events WHERE eventname LIKE 'GetObject'":                                               "eventname = 'GetObject'",
		"SELECT 1 FROM events WHERE eventname LIKE 'Get_bject'":                                               "",
		"SELECT 1 FROM events WHERE eventname IN ('a', 'b') OR eventname = 'c'":                               "eventname in 'a' 'b' 'c'",
		"SELECT 1 FROM events WHERE eventname NOT IN ('a', 'b')":                                              "eventname not in 'a' 'b'",
		"SELECT 1 FROM events WHERE NOT (eventname = 'a')":                                                    "eventname <> 'a'",
		"SELECT 1 FROM events WHERE readonly AND 5 < bytes":                                                   "readonly = true|bytes > 5",
		"SELECT 1 FROM events WHERE NOT readonly":                                                             "readonly = false",
		"SELECT 1 FROM events WHERE errorcode IS NULL":                                                        "errorcode IS NULL",
		"SELECT 1 FROM events WHERE useridentity.arn IS NOT NULL":                                             "useridentity.arn IS NOT NULL",
		"SELECT 1 FROM events WHERE date(eventtime) = date '2026-03-01'":                                      "eventtime >= timestamp '2026-03-01 00:00:00.000'|eventtime < timestamp '2026-03-02 00:00:00.000'",
		"SELECT 1 FROM events WHERE eventtime > now() - interval '1' day":                                     "eventtime > timestamp '2026-03-03 12:00:00.000'",
		"SELECT 1 FROM events WHERE element_at(requestparameters, 'k') = 'v'":                                 "element_at(requestparameters, 'k') = 'v'",
		"SELECT 1 FROM (SELECT eventname e FROM events UNION ALL SELECT eventname FROM events) WHERE e = 'x'": "eventname = 'x'|eventname = 'x'",
		"SELECT e FROM (SELECT eventname e, count(*) n FROM events GROUP BY 1) WHERE e = 'x' AND n > 1":       "eventname = 'x'",
	} {
		var got []string
		for _, line := range run(t, fixture(), "EXPLAIN "+q) {
			if _, term, ok := strings.Cut(line, "to storage: "); ok {
				got = append(got, term)
			}
		}
		if s := strings.Join(got, "|"); s != want {
			t.Errorf("%s\ntells storage %q, want %q", q, s, want)
		}
	}
}

func TestShow(t *testing.T) {
	cat := fixture()
	if got := run(t, cat, "SHOW TABLES"); !slices.Equal(got, []string{"events", "nums", "big", "empty", "other"}) {
		t.Errorf("SHOW TABLES gave %q", got)
	}
	if got := run(t, cat, "DESCRIBE nums"); len(got) != 7 || !strings.HasPrefix(got[5], "dec\tdecimal(5,2)") {
		t.Errorf("DESCRIBE gave %q", got)
	}
	if got := run(t, cat, "SHOW FUNCTIONS LIKE 'date\\_tr%'"); len(got) > 1 {
		t.Errorf("SHOW FUNCTIONS LIKE gave %q", got)
	}
	if got := run(t, cat, "SHOW FUNCTIONS"); len(got) < 100 {
		t.Errorf("SHOW FUNCTIONS gave %d lines", len(got))
	}
}

// Statistics count what was read and handed out.
func TestStats(t *testing.T) {
	rows, err := sql.Query(context.Background(), fixture(), "SELECT eventname FROM events WHERE bytes > 10", nil, sql.Options{})
	if err != nil {
		t.Fatal(err)
	}
	n := 0
	for {
		b, err := rows.Next()
		if err == io.EOF {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
		n += b.Len
	}
	rows.Close()
	s := rows.Stats()
	if s.Rows != int64(n) || n != 7 || s.BytesRead != 8*(12+7) || s.Pruning.Rows != 12 || s.Elapsed <= 0 {
		t.Errorf("%d rows, %+v", n, s)
	}
	if rows.Columns()[0] != (plan.Output{Name: "eventname", Type: column.VarcharType}) {
		t.Errorf("columns %v", rows.Columns())
	}
}
