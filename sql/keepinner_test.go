package sql_test

import (
	"slices"
	"strings"
	"testing"

	"github.com/cairndb/cairn/sql"
	"github.com/cairndb/cairn/sql/plan"
	"github.com/cairndb/cairn/sql/sqltest"
)

// Sub-queries that are run per combination give the same whether their rows are kept,
// do not fit and are read again, or are not kept at all.
func TestKeptRows(t *testing.T) {
	cat := sqltest.Catalog{sqltest.BigTable(2000).With(sqltest.Layout{UnitRows: 500, Dict: true, Stats: true})}
	const memory = 300 << 10 // of which a quarter may be kept, less than the rows take
	for _, q := range []string{
		"SELECT i, (SELECT count(*) FROM big b WHERE b.few = a.few AND b.at < a.at AND b.k IS NOT NULL) FROM big a WHERE i < 150",
		"SELECT i FROM big a WHERE i < 150 AND v >= (SELECT avg(v) FROM big b WHERE b.at BETWEEN a.at AND a.at + INTERVAL '1' HOUR)",
		"SELECT i FROM big a WHERE i < 150 OR EXISTS (SELECT 1 FROM big b WHERE b.v < a.v AND b.name > a.name AND b.few = 'x')",
		"SELECT i FROM big a WHERE i < 100 AND v < ALL (SELECT b.v FROM big b WHERE b.i > a.i + 1000 AND b.few = 'y')",
		"SELECT i, (SELECT max(s) FROM (SELECT few, max(v) AS s, min(at) AS m FROM big GROUP BY few) t WHERE t.m < a.at) FROM big a WHERE i < 100",
		"SELECT i, ARRAY(SELECT name FROM big b WHERE b.i < a.i ORDER BY name DESC LIMIT 3) FROM big a WHERE i < 60",
	} {
		ask := func(opt sql.Options) []string {
			opt.Workers, opt.Now = 2, now
			res, err := sqltest.Collect(sql.Query(t.Context(), cat, q, nil, opt))
			if err != nil {
				t.Fatalf("%s\n%v", q, err)
			}
			rows := res.Text()
			slices.Sort(rows)
			return rows
		}
		want := ask(sql.Options{Off: plan.RulesOf(plan.KeepInner)})
		if got := ask(sql.Options{}); !slices.Equal(got, want) {
			t.Errorf("%s\nkept rows give %d rows, not the same %d", q, len(got), len(want))
		}
		if got := ask(sql.Options{Memory: memory}); !slices.Equal(got, want) {
			t.Errorf("%s\nrows that do not fit give %d rows, not the same %d", q, len(got), len(want))
		}
		res, err := sqltest.Collect(sql.Query(t.Context(), cat, "EXPLAIN "+q, nil, sql.Options{Now: now}))
		if err != nil {
			t.Fatal(err)
		}
		if text := strings.Join(res.Text(), "\n"); strings.Contains(text, "for every combination of") && !strings.Contains(text, "kept for every combination") {
			t.Errorf("%s\nnothing is kept:\n%s", q, text)
		}
	}
}
