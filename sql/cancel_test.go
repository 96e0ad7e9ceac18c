package sql_test

import (
	"context"
	"flag"
	"testing"
	"time"

	"github.com/cairndb/cairn/sql"
	"github.com/cairndb/cairn/sql/sqlerr"
	"github.com/cairndb/cairn/sql/sqltest"
)

// An idle machine passes with -cancel.bound=50ms. A busy one may let a query wait
// for a processor for long, which says nothing about the query: there the test
// bounds the processors' time, of which the collector takes a part that -cancel.work=50ms
// allows for under GOGC=off GOMEMLIMIT=3GiB only.
var (
	cancelBound = flag.Duration("cancel.bound", 5*time.Minute, "how long a query may go on after it was canceled")
	cancelWork  = flag.Duration("cancel.work", 300*time.Millisecond*raceFactor, "how much of the processors' time a query may take after it was canceled")
)

// Every operator, and every kind of long call, ends soon after its query does.
func TestCancel(t *testing.T) {
	cat := fixture().With(sqltest.Layout{UnitRows: 2048})
	const all = "(SELECT a.i, a.name, a.v, a.few, b.i AS j FROM big a CROSS JOIN big b CROSS JOIN big c) x"
	for name, q := range map[string]string{
		"project":           "SELECT i + j, upper(name) FROM " + all,
		"filter":            "SELECT i FROM " + all + " WHERE i + j < 0",
		"sort":              "SELECT i FROM " + all + " ORDER BY name, j",
		"top n":             "SELECT i FROM " + all + " ORDER BY name || few LIMIT 10",
		"group":             "SELECT few, count(*) FROM " + all + " GROUP BY few",
		"group by many":     "SELECT i % 5000, count(*), max(name) FROM " + all + " GROUP BY 1",
		"grouping sets":     "SELECT few, i % 10, count(*) FROM " + all + " GROUP BY CUBE(1, 2)",
		"distinct":          "SELECT DISTINCT i % 7 FROM " + all,
		"window":            "SELECT sum(j) OVER (PARTITION BY few ORDER BY i) FROM " + all,
		"best rows":         "SELECT * FROM (SELECT i, row_number() OVER (PARTITION BY few ORDER BY j) r FROM " + all + ") WHERE r < 3",
		"hash join":         "SELECT count(*) FROM big a JOIN big b ON a.few = b.few JOIN big c ON b.few = c.few",
		"hash build":        "SELECT count(*) FROM nums n JOIN " + all + " ON n.i = x.j + x.i",
		"nested loop":       "SELECT count(*) FROM big a JOIN big b ON a.name < b.name JOIN big c ON b.name < c.name",
		"left join":         "SELECT count(*) FROM big a LEFT JOIN big b ON a.name < b.name AND a.v > b.v LEFT JOIN big c ON b.name < c.name",
		"unnest":            "SELECT count(*) FROM big, UNNEST(sequence(1, 10000)) a(n), UNNEST(sequence(1, 10000)) b(m)",
		"series":            "SELECT count(*) FROM generate_series(1, 100000000000) t(n) WHERE n % 7 = 8",
		"union":             "SELECT count(*) FROM (SELECT i FROM " + all + " UNION ALL SELECT j FROM " + all + ") u",
		"intersect":         "SELECT i FROM " + all + " INTERSECT SELECT j % 100 FROM " + all,
		"recursive":         "WITH RECURSIVE t(n) AS (SELECT i FROM big UNION ALL SELECT t.n + 1 FROM t WHERE n > 0) SELECT count(*) FROM t",
		"sub-query per row": "SELECT count(*) FROM big a WHERE (SELECT count(*) FROM big b WHERE b.v * a.v < 10) > 5",
		"lateral":           "SELECT count(*) FROM big a, LATERAL (SELECT b.i + a.i AS y FROM big b) t",
		"lambda":            "SELECT sum(reduce(sequence(1, 10000), 0, (s, x) -> s + x, s -> s)) FROM big",
		"lambda in lambda":  "SELECT sum(cardinality(transform(sequence(1, 1000), x -> cardinality(filter(sequence(1, 1000), y -> y > x + i))))) FROM big",
		"sort by lambda":    "SELECT max(array_sort(sequence(1, 10000), (a, b) -> CASE WHEN a % 7 < b % 7 THEN 1 ELSE -1 END)[1]) FROM big",
		"regexp":            "SELECT count(*) FROM big WHERE regexp_like(rpad(name, 1000000, 'ab'), '(a|b)*?(b|a)*?c$')",
		"regexp backtracks": "SELECT count(*) FROM big WHERE regexp_like(rpad(name, 50, 'a') || 'b', '(?=(a+)+$)(a|aa)+$')",
		"like":              "SELECT count(*) FROM big WHERE rpad(name, 1000000, 'ab') LIKE '%a_b%b_b%c_'",
		"replace":           "SELECT sum(length(replace(rpad(name, 1000000, 'ab'), 'a', 'xy'))) FROM big",
		"json":              "SELECT sum(json_array_length(json_parse('[' || rpad('1', 1000001, ',1') || ']'))) + sum(i) FROM big WHERE json_array_length(json_parse('[' || rpad('1', 1000001 + cast(i * 0 AS integer), ',1') || ']')) > i",
		"hash":              "SELECT count(*) FROM big WHERE length(sha256(to_utf8(rpad(name, 4000000, 'ab')))) = 1",
		"split":             "SELECT sum(cardinality(split(rpad(name, 1000000, 'a,'), ','))) FROM big",
		"sequence":          "SELECT sum(cardinality(sequence(i, i + 9999))) FROM " + all,
		"many conditions":   "SELECT count(*) FROM " + all + " WHERE " + listed(500, " OR ", func(int) string { return "i + j = -1" }),
	} {
		t.Run(name, func(t *testing.T) {
			ctx, cancel := context.WithCancel(t.Context())
			defer cancel()
			done := make(chan error, 1)
			go func() { done <- drain(sql.Query(ctx, cat, q, nil, sql.Options{Workers: 2, Now: now})) }()
			select {
			case err := <-done:
				if codeOf(err) != sqlerr.OutOfMemory {
					t.Fatalf("%s\nended before it was canceled: %v", q, err)
				}
				return
			case <-time.After(30 * time.Millisecond):
			}
			start, work := time.Now(), processTime(t)
			cancel()
			err := <-done
			late := time.Since(start)
			work = processTime(t) - work
			t.Logf("ended after %v and %v of the processors", late.Round(100*time.Microsecond), work.Round(100*time.Microsecond))
			if codeOf(err) != sqlerr.QueryCanceled && codeOf(err) != sqlerr.OutOfMemory {
				t.Errorf("%s\n%v", q, err)
			}
			if late > *cancelBound || work > *cancelWork {
				t.Errorf("%s\nended %v after it was canceled, having taken %v of the processors", q, late, work)
			}
		})
	}
}
