package sql_test

import (
	"flag"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/cairndb/cairn/sql"
	"github.com/cairndb/cairn/sql/sqltest"
)

// allSpills compares every combination: go test ./sql -run GroupsPutAside -spill.all
var allSpills = flag.Bool("spill.all", false, "put groups aside for every combination of keys and aggregates")

// groupKeys are keys of every kind: with NULLs, with few and with many different
// values.
var groupKeys = []string{"i", "name", "k", "v", "pair", "zoned", "day", "tags", "attrs", "r", "i * 1234567890123.25 % 977", "few, pair", "name, tags, i % 3"}

// groupAggregates are aggregates whose value does not depend on the order of the
// rows, or is made not to.
var groupAggregates = []string{
	"count(*), count(k), count_if(i % 3 = 0), sum(i), avg(pair), sum(cast(i % 10 as decimal(10,2))), sum(i * 1234567890123.25), avg(cast(i as decimal(30,3))), max(i * -1e0 + 0), max(i * -0.5)",
	"sum(cast(i % 8 as double)), min(v), max(name), min(tags), max(r), min(zoned), max(day), min_by(name, i), max_by(tags, i)",
	"bool_and(i % 2 = 0), bool_or(i > 100), every(pair is null), bitwise_and_agg(i), bitwise_or_agg(i), bitwise_xor_agg(i), checksum(name), checksum(r)",
	"round(var_samp(i) / 1e4, 1) + 0e0, round(stddev_pop(i), 1) + 0e0, round(skewness(i), 1) + 0e0, round(kurtosis(i), 1) + 0e0, round(geometric_mean(i + 1), 1) + 0e0, round(corr(i, pair), 1) + 0e0, round(regr_slope(i, pair), 1) + 0e0, round(covar_pop(i, pair) / 1.3e4, 1) + 0e0, round(entropy(i % 4), 1) + 0e0",
	"approx_distinct(name), cardinality(approx_set(i)), approx_percentile(i, array[0e0, 1e0]), numeric_histogram(4, i % 4)",
	"array_sort(array_agg(i)), array_agg(name order by i desc), listagg(name, ',') within group (order by i)",
	"array_sort(map_keys(histogram(few))), cardinality(histogram(tags)), reduce(map_values(histogram(tags)), 0, (s, x) -> s + x, s -> s), map_agg(i, name order by i), multimap_agg(few, i order by few, i), map_union(attrs order by i), approx_most_frequent(3, i % 2, 10), min(i, 3), max(name, 2), max_by(name, i, 2)",
	"count(distinct name), count(distinct tags), sum(distinct pair), count(distinct few), array_agg(distinct i % 5 order by i % 5), listagg(distinct k, ',') within group (order by k)",
	"count(*) filter (where i % 2 = 0), count(distinct name) filter (where i % 5 < 2), array_agg(i order by i) filter (where i % 7 = 0), max(name) filter (where false)",
}

// compareSpilled runs a query in memory and with small budgets, and compares the
// rows without regard to their order.
func compareSpilled(t *testing.T, cat sqltest.Catalog, q string, must bool, budgets ...int64) {
	t.Helper()
	sorted := func(res *sqltest.Result) []string {
		out := slices.Clone(res.Text())
		slices.Sort(out)
		return out
	}
	res, err := sqltest.Collect(sql.Query(t.Context(), cat, q, nil, sql.Options{Now: now, Memory: -1, Workers: 1}))
	if err != nil {
		t.Errorf("%s: %s", q, sqltest.ErrorText(err, q))
		return
	}
	want := sorted(res)
	for i, memory := range budgets {
		workers := []int{1, 3, 2}[i%3]
		res, stats, err := collectSpilling(t, cat, q, sql.Options{Memory: memory, Workers: workers})
		if err != nil {
			t.Errorf("%s\nwith %d bytes, %d workers: %s", q, memory, workers, sqltest.ErrorText(err, q))
			continue
		}
		got := sorted(res)
		if len(got) != len(want) {
			t.Errorf("%s\nwith %d bytes, %d workers: %d rows, want %d", q, memory, workers, len(got), len(want))
			continue
		}
		for r := range got {
			if got[r] != want[r] {
				t.Errorf("%s\nwith %d bytes, %d workers: row %d of %d is\n%s\nwant\n%s", q, memory, workers, r, len(got), got[r], want[r])
				break
			}
		}
		if must && memory < 1<<20 && stats.Spilled == 0 {
			t.Errorf("%s\nwith %d bytes, %d workers: nothing was put aside; %d at the peak", q, memory, workers, stats.PeakMemory)
		}
		if stats.PeakMemory > memory {
			t.Errorf("%s: %d bytes at the peak of %d", q, stats.PeakMemory, memory)
		}
	}
}

// TestGroupsPutAside groups by keys of every kind with every aggregate, in
// budgets that hold a part of the groups.
func TestGroupsPutAside(t *testing.T) {
	for l, layout := range []sqltest.Layout{{UnitRows: 1700}, {UnitRows: 3000, Dict: true, MapsAsDict: true, Stats: true}} {
		cat := sqltest.Catalog{spillTable().With(layout)}
		for a, aggs := range groupAggregates {
			for k, keys := range groupKeys {
				// A batch of groups must fit.
				budgets := []int64{600 << 10, 2 << 20}
				switch {
				case strings.Contains(aggs, "max(r)"), strings.Contains(aggs, "map_agg"):
					budgets = []int64{8 << 20, 8 << 20}
				case strings.Contains(aggs, "array_agg"):
					budgets = []int64{3 << 20, 6 << 20}
				}
				if !*allSpills {
					if (a+k+l)%6 != 0 || testing.Short() && (a+k)/6%2 != 0 {
						continue
					}
					budgets = budgets[(a+k)%2:][:1]
				}
				q := fmt.Sprintf("SELECT %s, %s FROM t GROUP BY %[1]s", keys, aggs)
				compareSpilled(t, cat, q, strings.HasPrefix(keys, "name"), budgets...)
			}
		}
	}
}

// TestDistinctPutAside has the other statements that stand on groups.
func TestDistinctPutAside(t *testing.T) {
	cat := sqltest.Catalog{spillTable().With(sqltest.Layout{UnitRows: 1700})}
	for _, q := range []string{
		"SELECT DISTINCT name, k FROM t",
		"SELECT DISTINCT tags, r FROM t",
		"SELECT count(distinct name), count(distinct i), sum(distinct i), max(name) FROM t",
		"SELECT count(distinct name) FROM t WHERE i < 0",
		"SELECT name, i FROM t INTERSECT SELECT name, i FROM t WHERE i % 3 <> 0",
		"SELECT name FROM t EXCEPT ALL SELECT name FROM t WHERE i % 2 = 0",
		"SELECT name, pair, few, count(*), sum(i), grouping(name, pair) FROM t GROUP BY GROUPING SETS ((name), (pair, few), ())",
		"SELECT few, name, count(distinct pair) FROM t GROUP BY ROLLUP (few, name)",
		"SELECT count(*), sum(n) FROM (SELECT name, count(*) AS n FROM t GROUP BY name)",
	} {
		budgets := []int64{300 << 10, 300 << 10} // by one worker, by three
		if testing.Short() {
			budgets = budgets[:1]
		}
		compareSpilled(t, cat, q, !strings.Contains(q, "i < 0"), budgets...)
	}
}

// TestGroupTooLarge has one group that must be in memory as a whole.
func TestGroupTooLarge(t *testing.T) {
	cat := sqltest.Catalog{spillTable().With(sqltest.Layout{UnitRows: 1700})}
	for _, q := range []string{
		"SELECT array_agg(name) FROM t",
		"SELECT i % 1, array_agg(name order by i) FROM t GROUP BY 1",
		"SELECT i % 1, histogram(name) FROM t GROUP BY 1",
	} {
		_, _, err := collectSpilling(t, cat, q, sql.Options{Memory: 100 << 10})
		if err == nil || !strings.Contains(sqltest.ErrorText(err, q), "memory budget") {
			t.Errorf("%s: %v", q, err)
		}
	}
}
