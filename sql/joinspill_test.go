package sql_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/cairndb/cairn/segment/column"
	"github.com/cairndb/cairn/sql"
	"github.com/cairndb/cairn/sql/sqltest"
)

// spillSide is a table to be joined with spillTable, of which some keys have no
// match, some several, and some are NULL.
func spillSide(layout sqltest.Layout) *sqltest.Table {
	t := spillTable()
	var names []string
	var data []*column.Vector
	var at []int32
	for r := range spillRows {
		if r%3 != 1 {
			at = append(at, int32((r*5)%spillRows))
		}
	}
	for i, c := range t.Columns() {
		names, data = append(names, c.Name), append(data, column.Flatten(column.Gather(t.Data(i), at)))
	}
	return tableOf("s", names, data...).With(layout)
}

// TestJoinsPutAside joins with a held side that does not fit, by every kind of
// join.
func TestJoinsPutAside(t *testing.T) {
	for l, layout := range []sqltest.Layout{{UnitRows: 1700}, {UnitRows: 3000, Dict: true, MapsAsDict: true, Stats: true}} {
		cat := sqltest.Catalog{spillTable().With(layout), spillSide(layout)}
		for k, q := range []string{
			"SELECT t.i, s.i, s.name, s.tags FROM t JOIN s ON t.name = s.name",
			"SELECT t.i, s.i, t.name, s.r FROM t LEFT JOIN s ON t.pair = s.pair AND t.i < s.i",
			"SELECT t.i, s.i, t.name FROM t RIGHT JOIN s ON t.pair = s.i",
			"SELECT t.name, s.name, t.pair, s.pair FROM t FULL JOIN s ON t.pair = s.pair AND t.k = s.k",
			"SELECT t.i, t.name FROM t FULL JOIN s ON t.pair = s.pair AND t.i % 2 = s.i % 5 WHERE s.name IS NULL OR t.name > 'unique-03'",
			"SELECT t.i, s.i, s.name FROM t JOIN s ON t.pair IS NOT DISTINCT FROM s.pair AND t.few = s.few WHERE t.i % 4 = 0",
			"SELECT t.i, s.i, s.name FROM t JOIN s ON t.i * 1.5 = s.i * 1.50 AND t.name = s.name",
			"SELECT t.i, s.i, s.name FROM t JOIN s ON t.r = s.r AND t.zoned = s.zoned",
			"SELECT t.i, s.i, s.name FROM t JOIN s ON t.tags = s.tags AND t.name = s.name AND t.v = s.v",
			"SELECT i, name, tags, r FROM t WHERE name IN (SELECT name FROM s WHERE i % 2 = 0)",
			"SELECT i, name, tags, r FROM t WHERE name NOT IN (SELECT name FROM s WHERE i % 2 = 0)",
			"SELECT i, name, tags, r FROM t WHERE pair NOT IN (SELECT pair FROM s WHERE i % 2 = 0)",
			"SELECT i, name, tags, r FROM t WHERE pair NOT IN (SELECT pair FROM s WHERE i % 2 = 0 AND pair IS NOT NULL)",
			"SELECT i, name FROM t WHERE EXISTS (SELECT 1 FROM s WHERE s.name = t.name AND s.i <> t.i + 1)",
			"SELECT i, name FROM t WHERE NOT EXISTS (SELECT 1 FROM s WHERE s.pair = t.pair AND s.k > t.k)",
			"SELECT count(*), sum(t.i), max(s.name) FROM t JOIN s ON t.name = s.name JOIN t AS u ON u.i = s.i",
		} {
			budgets := []int64{800 << 10, 900 << 10, 4 << 20}
			if testing.Short() {
				if k%2 != l {
					continue
				}
				budgets = budgets[k/2%2:][:1]
			}
			compareSpilled(t, cat, q, !strings.Contains(q, "IN (SELECT") && !strings.Contains(q, "EXISTS"), budgets...)
		}
	}
}

// TestMembershipPutAside has IN and NOT IN, whose NULLs concern rows of all
// hashes.
func TestMembershipPutAside(t *testing.T) {
	layout := sqltest.Layout{UnitRows: 600}
	cat := sqltest.Catalog{spillTable().With(layout), spillSide(layout)}
	for _, q := range []string{
		"SELECT i, name FROM t WHERE name IN (SELECT name FROM s)",
		"SELECT i, name FROM t WHERE name NOT IN (SELECT name FROM s)",
		"SELECT i, pair FROM t WHERE pair NOT IN (SELECT pair FROM s)",
		"SELECT i, pair FROM t WHERE pair NOT IN (SELECT pair FROM s WHERE pair IS NOT NULL)",
		"SELECT i, name FROM t WHERE EXISTS (SELECT 1 FROM s WHERE s.name = t.name)",
		"SELECT i, name FROM t WHERE NOT EXISTS (SELECT 1 FROM s WHERE s.pair = t.pair)",
	} {
		compareSpilled(t, cat, q, true, 180<<10, 240<<10)
	}
}

// TestJoinsOfOneKey has rows that nothing tells apart for a hash: one key that all
// have, NULL, or no equality at all. They are joined block by block, by every kind
// of join.
func TestJoinsOfOneKey(t *testing.T) {
	layout := sqltest.Layout{UnitRows: 700}
	cat := sqltest.Catalog{spillTable().With(layout), spillSide(layout)}
	const l, r = "(SELECT i, i * 0 AS one, CAST(NULL AS bigint) AS none, name, tags FROM t WHERE i < 700) AS l",
		"(SELECT i, i * 0 AS one, CAST(NULL AS bigint) AS none, name, tags FROM s WHERE i < 1100) AS r"
	queries := []string{
		"SELECT l.i, r.i, l.name, r.tags FROM LEFTSIDE JOIN RIGHTSIDE ON l.one = r.one AND l.i - r.i = 7",
		"SELECT l.i, r.i, l.name, r.tags FROM LEFTSIDE JOIN RIGHTSIDE ON l.i - r.i BETWEEN 7 AND 8",
		"SELECT count(*), sum(l.i), sum(r.i) FROM LEFTSIDE CROSS JOIN RIGHTSIDE",
		"SELECT count(*), min(l.name), max(r.name) FROM LEFTSIDE JOIN RIGHTSIDE ON l.one = r.one WHERE l.name || r.name < 'unique-01'",
		"SELECT l.i, r.i FROM LEFTSIDE JOIN RIGHTSIDE ON l.none IS NOT DISTINCT FROM r.none AND l.i - r.i = 7",
		"SELECT l.i, r.i, r.tags FROM LEFTSIDE JOIN RIGHTSIDE ON l.none = r.none",
		"SELECT l.i FROM LEFTSIDE WHERE l.one IN (SELECT r.one FROM RIGHTSIDE WHERE r.i - l.i = 7)",
		"SELECT l.i FROM LEFTSIDE WHERE l.one NOT IN (SELECT r.one FROM RIGHTSIDE WHERE r.i - l.i = 7)",
		"SELECT l.i FROM LEFTSIDE WHERE l.one NOT IN (SELECT nullif(r.one, r.i % 5) FROM RIGHTSIDE WHERE r.i - l.i = 7)",
		"SELECT l.i, l.one IN (SELECT nullif(r.one, r.i % 5) FROM RIGHTSIDE WHERE abs(r.i - l.i) < 3) FROM LEFTSIDE",
		"SELECT l.i, nullif(l.one, l.i % 3) IN (SELECT nullif(r.one, r.i % 5) FROM RIGHTSIDE WHERE abs(r.i - l.i) < 3) FROM LEFTSIDE",
		"SELECT l.i FROM LEFTSIDE WHERE (l.one, l.i) NOT IN (SELECT r.one, nullif(r.i, 5) FROM RIGHTSIDE WHERE r.name <> l.name)",
		"SELECT l.i FROM LEFTSIDE WHERE EXISTS (SELECT 1 FROM RIGHTSIDE WHERE l.one = r.one AND l.i - r.i = 7)",
		"SELECT l.i FROM LEFTSIDE WHERE NOT EXISTS (SELECT 1 FROM RIGHTSIDE WHERE l.i - r.i = 7)",
		"SELECT l.i, (SELECT r.name FROM RIGHTSIDE WHERE r.one = l.one AND r.i - l.i = 2 LIMIT 1) FROM LEFTSIDE WHERE l.i < 300",
	}
	for _, kind := range []string{"LEFT", "RIGHT", "FULL"} {
		queries = append(queries,
			"SELECT l.i, r.i, l.name, r.tags FROM LEFTSIDE "+kind+" JOIN RIGHTSIDE ON l.one = r.one AND l.i - r.i = 7",
			"SELECT l.i, r.i FROM LEFTSIDE "+kind+" JOIN RIGHTSIDE ON l.i - r.i = 7",
			"SELECT l.i, r.i, r.tags FROM LEFTSIDE "+kind+" JOIN RIGHTSIDE ON r.i > l.i AND r.i < l.i + 3",
			"SELECT l.i, r.i FROM LEFTSIDE "+kind+" JOIN RIGHTSIDE ON l.one = r.one AND r.name > l.name AND r.i = l.i + 3",
			"SELECT l.i, r.i, l.name, r.tags FROM LEFTSIDE "+kind+" JOIN RIGHTSIDE ON l.none = r.none",
			"SELECT l.i, r.i FROM LEFTSIDE "+kind+" JOIN RIGHTSIDE ON l.none IS NOT DISTINCT FROM r.none AND l.i - r.i = 7",
			"SELECT l.i, r.i FROM LEFTSIDE "+kind+" JOIN RIGHTSIDE ON l.one + 1 = r.one")
	}
	for k, q := range queries {
		if testing.Short() && k%3 != 0 {
			continue
		}
		budget := []int64{100 << 10, 120 << 10, 160 << 10}[k%3]
		compareSpilled(t, cat, strings.NewReplacer("LEFTSIDE", l, "RIGHTSIDE", r).Replace(q), false, budget, budget)
	}
}

// TestOneKeyLimits holds what such joins read and write: a side that has no
// partner is passed over, and the rows that pass are written once more.
func TestOneKeyLimits(t *testing.T) {
	cat := sqltest.Catalog{spillTable().With(sqltest.Layout{UnitRows: 1700})}
	const q = "SELECT count(*) FROM (SELECT i * 0 + %s AS k, name FROM t WHERE i < 2500) AS l JOIN (SELECT i * 0 AS k, name FROM t WHERE i < 2500) AS r ON l.k = r.k AND l.name < r.name AND l.name || r.name = ''"
	var written [2]int64
	for i, k := range []string{"1", "0"} {
		text := fmt.Sprintf(q, k)
		res, stats, err := collectSpilling(t, cat, text+" WHERE length(l.name) < 0 OR l.k = "+k, sql.Options{Memory: 200 << 10})
		if err != nil {
			t.Fatalf("%s", sqltest.ErrorText(err, text))
		}
		if got := strings.Join(res.Text(), ""); got != "0" {
			t.Errorf("%s: %s", text, got)
		}
		written[i] = stats.Spilled
	}
	if written[0] == 0 || written[1] <= written[0] || written[1] > 2*written[0] {
		t.Errorf("%d bytes written without partners, %d with", written[0], written[1])
	}
}
