package sql_test

import (
	"context"
	"io"
	"strings"
	"testing"

	"github.com/cairndb/cairn/sql"
	"github.com/cairndb/cairn/sql/sqlerr"
	"github.com/cairndb/cairn/sql/sqltest"
)

// hungry are statements that keep much, each with what its error names when it has
// too little memory and no temporary files.
var hungry = []struct{ sql, names string }{
	{"SELECT * FROM big ORDER BY name", "ORDER BY"},
	{"SELECT name, i FROM big ORDER BY v LIMIT 150000", "ORDER BY"},
	{"SELECT i FROM big ORDER BY array[name, name || 'x']", "ORDER BY"},
	{"SELECT name, count(*), sum(i), max(k) FROM big GROUP BY name", "GROUP BY"},
	{"SELECT array[name, name], count(*) FROM big GROUP BY 1", "GROUP BY"},
	{"SELECT DISTINCT name, i FROM big", "GROUP BY"},
	{"SELECT name, array_agg(i), min(array[i, i]) FROM big GROUP BY name", "GROUP BY"},
	{"SELECT name, max_by(name, i), arbitrary(map(array['a'], array[name])) FROM big GROUP BY name", "GROUP BY"},
	{"SELECT length(array_join(array_agg(name || name || name), ',')) FROM big WHERE i % 2 = 0", "GROUP BY"},
	{"SELECT cardinality(array_agg(name || name || name)) FROM big", "GROUP BY"},
	{"SELECT cardinality(array_agg(array[name, name || 'x'])) FROM big", "GROUP BY"},
	{"SELECT cardinality(array_agg(ROW(name, map(array['a', name], array[i, v])))) FROM big", "GROUP BY"},
	{"SELECT cardinality(array_agg(name ORDER BY v, name)) FROM big", "GROUP BY"},
	{"SELECT few, listagg(name, ',') within group (order by i) FROM big GROUP BY few", "GROUP BY"},
	{"SELECT few, array_agg(DISTINCT name) FROM big GROUP BY few", "GROUP BY"},
	{"SELECT few, max(name || name, 9000), min_by(array[name], i, 9000) FROM big GROUP BY few", "GROUP BY"},
	{"SELECT cardinality(map_agg(name, i)) FROM big", "GROUP BY"},
	{"SELECT cardinality(map_agg(name, array[name, name || 'x'])) FROM big", "GROUP BY"},
	{"SELECT cardinality(multimap_agg(few, name)) FROM big", "GROUP BY"},
	{"SELECT cardinality(map_union(map(array[name], array[name || 'x']))) FROM big", "GROUP BY"},
	{"SELECT cardinality(histogram(name)) FROM big", "GROUP BY"},
	{"SELECT cardinality(histogram(array[name, name])) FROM big", "GROUP BY"},
	{"SELECT cardinality(approx_most_frequent(100000, name, 100000)) FROM big", "GROUP BY"},
	{"SELECT k, approx_distinct(name), approx_percentile(i, 0.5) FROM big GROUP BY k", "GROUP BY"},
	{"SELECT name, stddev(i), corr(i, v), count(DISTINCT k) FROM big GROUP BY name", "GROUP BY"},
	{"SELECT count(distinct name) FROM big", "GROUP BY"},
	{"SELECT count(distinct array[name, name]) FROM big", "GROUP BY"},
	{"SELECT count(*) FROM (SELECT name, i, k, count(*) FROM big GROUP BY CUBE (name, i, k))", "GROUP BY"},
	{"SELECT name FROM big INTERSECT SELECT name FROM big WHERE i > 9", ""},
	{"SELECT count(*) FROM big WHERE name || 'a' IN (SELECT name || 'a' FROM big)", ""},
	{"SELECT count(*) FROM big WHERE i / 2 NOT IN (SELECT i / 3 FROM big)", ""},
	{"SELECT count(*) FROM big WHERE name > ALL (SELECT name || 'x' FROM big AS o WHERE o.i > 9)", ""},
	{"SELECT count(*) FROM big AS a JOIN big AS b ON a.name = b.name AND a.k = b.k", "JOIN"},
	{"SELECT max(b.name), max(cardinality(b.x)) FROM big AS a JOIN (SELECT *, array[name, name] AS x FROM big) AS b ON a.name = b.name", "JOIN"},
	{"SELECT count(*) FROM big AS a FULL JOIN big AS b ON a.name = b.name || 'x'", "JOIN"},
	{"WITH RECURSIVE r(n, s) AS (SELECT 1, 'x' UNION ALL SELECT n + 1, 'some text for row ' || CAST(n AS varchar) FROM r WHERE n < 900) SELECT count(*), max(a.s) FROM r AS a, r AS o", ""},
	{"WITH x AS (SELECT name, name || 'x' AS y, i FROM big ORDER BY name LIMIT 1000000) SELECT count(*), max(a.y) FROM x AS a JOIN x AS b ON a.i = b.i", ""},
	{"SELECT name, row_number() OVER (ORDER BY v, name) FROM big", "ORDER BY"},
	{"SELECT name, lag(name, 1, 'x') OVER (ORDER BY i), max(name) OVER (ORDER BY i ROWS BETWEEN 100 PRECEDING AND CURRENT ROW) FROM big", ""},
	{"SELECT sum(v) OVER (ORDER BY i), array_agg(name) OVER (ORDER BY i ROWS BETWEEN 5 PRECEDING AND CURRENT ROW) FROM big", ""},
	{"SELECT cardinality(ARRAY(SELECT name || 'y' FROM big))", "sub-query"},
	{"SELECT i, (SELECT max(o.name) FROM big AS o WHERE o.i = big.i) FROM big", ""},
	{"SELECT cardinality(transform(sequence(1, 400000), x -> CAST(x AS varchar) || 'some text'))", ""},
	{"SELECT cardinality(transform(sequence(1, 200000), x -> array[x, x + 1, x + 2]))", ""},
	{"SELECT cardinality(map_from_entries(transform(sequence(1, 200000), x -> ROW(x, CAST(x AS varchar)))))", ""},
	{"SELECT count(*), max(x.name) FROM big, UNNEST(repeat(ROW(name, i), 50)) AS x(name, i)", ""},
	{"SELECT array_sort(flatten(array_agg(split(name, '-')))) FROM big", ""},
}

// memoryFactor and memorySlack say how much more than what is charged may be held:
// maps and slices that grow have room for twice what is in them, and batches on
// their way are not charged.
const (
	memoryFactor = 2
	memorySlack  = 24 << 20
)

// What queries hold is compared with what they say that they hold: what is not
// accounted for is what the process dies of. All statements, some minutes:
//
//	go test ./sql -run 'TestAccountedMemory|TestBudgetEndsQueries|TestRepeatedValues' -v -cancel.all
func TestAccountedMemory(t *testing.T) {
	if testing.Short() {
		t.Skip("short: what a query holds is the same in runs that are not short")
	}
	cat := sqltest.Catalog{bigTable(200_000).With(sqltest.Layout{UnitRows: 40_000})}
	for k, q := range hungry {
		if !*cancelAll && k%9 != 0 {
			continue
		}
		var stats sql.Stats
		var err error
		grown := heapPeak(true, func() {
			var rows *sql.Rows
			if rows, err = sql.Query(context.Background(), cat, q.sql, nil, sql.Options{Memory: 1 << 30, Workers: 2}); err != nil {
				return
			}
			for err == nil {
				_, err = rows.Next()
			}
			stats = rows.Stats()
			rows.Close()
		})
		if err != io.EOF {
			t.Errorf("%s: %v", q.sql, err)
			continue
		}
		t.Logf("%6.1f MiB accounted, %6.1f MiB grown: %s", float64(stats.PeakMemory)/(1<<20), float64(grown)/(1<<20), q.sql)
		if grown > memoryFactor*stats.PeakMemory+memorySlack {
			t.Errorf("%d MiB accounted, %d MiB grown: %s", stats.PeakMemory>>20, grown>>20, q.sql)
		}
	}
}

// With too little memory a query says so, and what needs it, before it has taken
// much more.
func TestBudgetEndsQueries(t *testing.T) {
	if testing.Short() {
		t.Skip("short: what a query holds is the same in runs that are not short")
	}
	cat := sqltest.Catalog{bigTable(200_000).With(sqltest.Layout{UnitRows: 40_000})}
	for k, q := range hungry {
		if !*cancelAll && k%6 != 1 {
			continue
		}
		const budget = 3 << 20
		var err error
		grown := heapPeak(true, func() {
			err = drain(sql.Query(context.Background(), cat, q.sql, nil, sql.Options{Memory: budget, Workers: 2}))
		})
		t.Logf("%6.1f MiB grown: %.110s: %v", float64(grown)/(1<<20), q.sql, err)
		switch {
		case err == nil && grown <= memoryFactor*budget+memorySlack:
		case codeOf(err) != sqlerr.OutOfMemory || !strings.Contains(err.Error(), q.names):
			t.Errorf("%s\n%v, want an error that names %q", q.sql, err, q.names)
		case grown > memoryFactor*budget+memorySlack:
			t.Errorf("%s\nhas grown by %d MiB", q.sql, grown>>20)
		}
	}
}
