package sql_test

import (
	"flag"
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/cairndb/cairn/segment/column"
	"github.com/cairndb/cairn/sql"
	"github.com/cairndb/cairn/sql/plan"
	"github.com/cairndb/cairn/sql/sqltest"
)

var (
	seekSeed    = flag.Uint64("seek.seed", 1, "the seed of the random queries over kept rows")
	seekQueries = flag.Int("seek.queries", 120, "how many random queries over kept rows to ask")
)

// soughtTable has its rows in no order, with NULLs and NaN.
func soughtTable(n int) *sqltest.Table {
	r := rand.New(rand.NewPCG(7, 7))
	id, i, few, name, at, v, zoned := column.New(column.BigIntType, n), column.New(column.IntegerType, n), column.New(column.VarcharType, n),
		column.New(column.VarcharType, n), column.New(column.TimestampType, n), column.New(column.DoubleType, n), column.New(column.TimestampTZType, n)
	for row := range n {
		id.I64[row] = int64(row)
		i.I64[row] = r.Int64N(int64(n) / 2)
		few.Str[row] = []string{"x", "y", "z", ""}[r.IntN(4)]
		name.Str[row] = fmt.Sprintf("name-%03d", r.IntN(400))
		at.I64[row] = r.Int64N(86_400_000_000)
		v.F64[row] = float64(r.IntN(200))/4 - 20
		zoned.I64[row] = r.Int64N(86_400_000_000)
		for k, col := range []*column.Vector{i, few, name, at, v, zoned} {
			if r.IntN(12+k) == 0 {
				col.SetNull(row)
			}
		}
		switch r.IntN(30) {
		case 0:
			v.F64[row] = math.NaN()
		case 1:
			v.F64[row] = math.Copysign(0, -1)
		}
	}
	return tableOf("e", []string{"id", "i", "few", "name", "at", "v", "zoned"}, id, i, few, name, at, v, zoned)
}

// soughtQuery makes a query that filters kept rows by bounds and equalities.
func soughtQuery(r *rand.Rand) string {
	pick := func(list ...string) string { return list[r.IntN(len(list))] }
	var conds []string
	col := pick("i", "name", "at", "v", "zoned", "i + 3", "length(name)", "lower(name)")
	probe := map[string][]string{
		"i": {"o.i", "o.i - 20", "5", "o.i * 1000000000000", "CAST(o.few AS integer)"}, "name": {"o.name", "substr(o.name, 1, 6)", "'name-2'"},
		"at": {"o.at", "o.at - INTERVAL '1' HOUR", "o.at + INTERVAL '30' MINUTE"}, "v": {"o.v", "o.v / 2", "sqrt(o.v)", "nan()"},
		"zoned": {"o.zoned", "o.zoned - INTERVAL '2' HOUR"}, "i + 3": {"o.i"}, "length(name)": {"o.i % 10"}, "lower(name)": {"o.name"},
	}[col]
	own := strings.NewReplacer("(name", "(i.name", "i +", "i.i +").Replace(col)
	if own == col {
		own = "i." + col
	}
	if r.IntN(8) > 0 {
		for range 1 + r.IntN(2) {
			a, b := own, pick(probe...)
			if r.IntN(3) == 0 {
				a, b = b, a
			}
			conds = append(conds, a+pick(" < ", " <= ", " > ", " >= ")+b)
		}
		if r.IntN(4) == 0 {
			conds = []string{own + " BETWEEN " + pick(probe...) + " AND " + pick(probe...)}
		}
	}
	if r.IntN(2) == 0 || len(conds) == 0 {
		conds = append(conds, pick("i.few = o.few", "i.few IS NOT DISTINCT FROM o.few", "i.i % 5 = o.i % 5", "i.v = o.v", "o.name = i.name"))
		conds = append(conds, pick("i.id <> o.id", "i.i < o.i"))
	}
	if r.IntN(4) == 0 {
		conds = append(conds, pick("i.name <> o.name", "10 / i.i > 0", "i.few LIKE o.few || '%'", "i.v IS NOT NULL", "i.id % 2 = 0"))
	}
	r.Shuffle(len(conds), func(a, b int) { conds[a], conds[b] = conds[b], conds[a] })
	from := " FROM e AS i WHERE " + strings.Join(conds, " AND ")
	agg := pick("count(*)", "count(*)", "max(i.at)", "min(i.name)", "max(i.v)", "min(i.i)", "array_agg(i.id)", "sum(i.v)", "count(DISTINCT i.name)",
		"max_by(i.id, i.id)", "bool_or(i.i > o.i)", "array_join(array_agg(i.id ORDER BY i.name), ',')", "min(i.zoned)")
	switch r.IntN(6) {
	case 0:
		return "SELECT o.id, EXISTS (SELECT 1" + from + ") OR o.id = 3 FROM e AS o"
	case 1:
		return "SELECT o.id, l.c FROM e AS o " + pick("CROSS JOIN LATERAL", "LEFT JOIN LATERAL") + " (SELECT " + agg + " AS c" + from + ") l" + pick("", " ON true")
	case 2:
		return "SELECT o.id, l.id FROM e AS o " + pick("JOIN", "LEFT JOIN") + " LATERAL (SELECT i.id" + from + pick("", " ORDER BY i.at", " LIMIT 3") + ") l ON l.id % 3 = 0"
	case 3:
		return "SELECT o.id, o.id < ALL (SELECT i.id" + from + ") FROM e AS o"
	}
	return "SELECT o.id, (SELECT " + agg + from + ") FROM e AS o"
}

// TestSoughtRows has rows that are kept and found by what they are compared with:
// the same comes of filtering them, in the same order, and the same errors.
//
//	go test ./sql -run TestSoughtRows$ -seek.queries 20000 -seek.seed 7
func TestSoughtRows(t *testing.T) {
	const n = 220
	cat := sqltest.Catalog{soughtTable(n).With(sqltest.Layout{UnitRows: 100, Dict: true, Stats: true})}
	r := rand.New(rand.NewPCG(*seekSeed, 31))
	t.Logf("-seek.seed=%d", *seekSeed)
	found, failed, count := 0, 0, *seekQueries
	if testing.Short() || raceFactor > 1 {
		count = min(count, 60)
	}
	for range count {
		q := soughtQuery(r)
		if strings.Contains(q, "CROSS JOIN") {
			q = strings.TrimSuffix(q, " ON true")
		} else if strings.Contains(q, "LEFT JOIN LATERAL") && strings.HasSuffix(q, " l") {
			q += " ON true"
		}
		ask := func(opt sql.Options) ([]string, string) {
			opt.Workers, opt.Now = 2, now
			res, err := sqltest.Collect(sql.Query(t.Context(), cat, q, nil, opt))
			if err != nil {
				return nil, sqltest.ErrorText(err, q)
			}
			rows := res.Text()
			slices.Sort(rows)
			return rows, ""
		}
		want, fault := ask(sql.Options{Off: plan.RulesOf(plan.KeepInner)})
		got, fault2 := ask(sql.Options{})
		if fault != "" {
			failed++
		}
		if fault != fault2 || !slices.Equal(got, want) {
			t.Errorf("%s\nfound: %d rows %s\nfiltered: %d rows %s", q, len(got), fault2, len(want), fault)
			for i := range min(len(got), len(want)) {
				if got[i] != want[i] {
					t.Errorf("found %q, filtered %q", got[i], want[i])
					break
				}
			}
		}
		res, err := sqltest.Collect(sql.Query(t.Context(), cat, "EXPLAIN "+q, nil, sql.Options{Now: now}))
		if err != nil {
			t.Fatalf("%s: %v", q, err)
		}
		if strings.Contains(strings.Join(res.Text(), "\n"), "found by") {
			found++
		}
	}
	t.Logf("%d queries, %d found rows, %d failed", count, found, failed)
	if found < count/2 || failed > count/3 {
		t.Errorf("of %d queries %d found rows, %d failed", count, found, failed)
	}
}

// TestSoughtRowsCost looks rows of a range up for each of many, which takes about as
// long as there are rows to be found, not their square.
func TestSoughtRowsCost(t *testing.T) {
	cost := func(n int) float64 {
		cat := sqltest.Catalog{soughtTable(n).With(sqltest.Layout{UnitRows: 5000})}
		before := processTime(t)
		for _, q := range []string{
			"SELECT sum(c) FROM (SELECT (SELECT count(*) FROM e AS i WHERE i.at > o.at AND i.at < o.at + INTERVAL '1' SECOND) AS c FROM e AS o)",
			"SELECT count(*) FROM e AS o CROSS JOIN LATERAL (SELECT i.id FROM e AS i WHERE i.at > o.at AND i.at < o.at + INTERVAL '1' SECOND) l",
		} {
			if _, err := sqltest.Collect(sql.Query(t.Context(), cat, q, nil, sql.Options{Now: now})); err != nil {
				t.Fatal(sqltest.ErrorText(err, q))
			}
		}
		return (processTime(t) - before).Seconds()
	}
	// What else runs in the process counts as well, so it may take another try.
	var small, large float64
	for range 4 {
		small, large = cost(3000), cost(24000)
		t.Logf("%.2f s of CPU for 3,000 rows, %.2f s for 24,000", small, large)
		if large <= 24*small {
			return
		}
	}
	t.Errorf("%.2f s of CPU for 3,000 rows, %.2f s for eight times as many", small, large)
}

// TestRangeJoins has joins whose condition bounds a value of one side by the other:
// the same comes of conditions that nothing can be narrowed by.
func TestRangeJoins(t *testing.T) {
	cat := sqltest.Catalog{soughtTable(160).With(sqltest.Layout{UnitRows: 50, Dict: true, Stats: true})}
	r := rand.New(rand.NewPCG(*seekSeed, 32))
	t.Logf("-seek.seed=%d", *seekSeed)
	pick := func(list ...string) string { return list[r.IntN(len(list))] }
	count, rows, failed := 150, 0, 0
	if testing.Short() || raceFactor > 1 {
		count = 50
	}
	for range count {
		var conds []string
		own, probes := "b.at", []string{"a.at", "a.at - INTERVAL '1' HOUR", "a.at + INTERVAL '30' MINUTE"}
		switch r.IntN(7) {
		case 0:
			own, probes = "b.i", []string{"a.i", "a.i - 20", "a.i * 100000000", "CAST(a.few AS integer)"}
		case 1:
			own, probes = "b.name", []string{"a.name", "substr(a.name, 1, 6)", "'name-2'"}
		case 2:
			own, probes = "b.v", []string{"a.v", "a.v / 2", "sqrt(a.v)", "nan()"}
		case 3:
			own, probes = "b.zoned", []string{"a.zoned", "a.zoned - INTERVAL '2' HOUR"}
		case 4:
			own, probes = "b.i + 2", []string{"a.i", "a.i + 30"}
		}
		for range 1 + r.IntN(2) {
			x, y := own, pick(probes...)
			if r.IntN(3) == 0 {
				x, y = y, x
			}
			conds = append(conds, x+pick(" < ", " <= ", " > ", " >= ")+y)
		}
		if r.IntN(3) == 0 {
			conds = append(conds, pick("a.few = b.few", "a.few IS NOT DISTINCT FROM b.few", "a.i % 3 = b.i % 3"))
		}
		if r.IntN(3) == 0 {
			conds = append(conds, pick("a.name <> b.name", "10 / (a.i - b.i) > -100", "a.id < b.id", "b.v IS NOT NULL"))
		}
		r.Shuffle(len(conds), func(i, k int) { conds[i], conds[k] = conds[k], conds[i] })
		form := pick("SELECT a.id, b.id FROM e AS a JOIN e AS b ON %s", "SELECT a.id, b.id FROM e AS a LEFT JOIN e AS b ON %s",
			"SELECT a.id, b.id FROM e AS b RIGHT JOIN e AS a ON %s", "SELECT a.id, b.id FROM e AS a FULL JOIN e AS b ON %s",
			"SELECT a.id, b.id FROM (SELECT * FROM e WHERE id < 40) AS a JOIN e AS b ON %s", "SELECT a.id, b.id FROM (SELECT * FROM e WHERE id < 30) AS a LEFT JOIN e AS b ON %s",
			"SELECT a.id FROM e AS a WHERE EXISTS (SELECT 1 FROM e AS b WHERE %s)", "SELECT a.id FROM e AS a WHERE NOT EXISTS (SELECT 1 FROM e AS b WHERE %s)",
			"SELECT a.id FROM e AS a WHERE a.few NOT IN (SELECT b.few FROM e AS b WHERE %s)")
		ask := func(conds ...string) ([]string, string) {
			q := fmt.Sprintf(form, strings.Join(conds, " AND "))
			res, err := sqltest.Collect(sql.Query(t.Context(), cat, q, nil, sql.Options{Workers: 2, Now: now}))
			if err != nil {
				return nil, err.Error()
			}
			out := res.Text()
			slices.Sort(out)
			return out, ""
		}
		got, fault := ask(conds...)
		var hidden []string
		for _, c := range conds {
			hidden = append(hidden, "CASE WHEN "+c+" THEN true ELSE false END")
		}
		want, fault2 := ask(hidden...)
		if (fault == "") != (fault2 == "") || !slices.Equal(got, want) {
			t.Errorf(form+"\n%d rows %s, want %d rows %s", strings.Join(conds, " AND "), len(got), fault, len(want), fault2)
		}
		if rows += len(got); fault != "" {
			failed++
		}
	}
	t.Logf("%d rows, %d of %d queries failed", rows, failed, count)
	if rows == 0 || failed > count/2 {
		t.Errorf("%d rows, %d of %d queries failed", rows, failed, count)
	}
}
