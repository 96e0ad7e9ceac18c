package sql_test

import (
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

// TestJoinTooLarge has one key whose held rows must be in memory as a whole.
func TestJoinTooLarge(t *testing.T) {
	cat := sqltest.Catalog{spillTable().With(sqltest.Layout{UnitRows: 1700})}
	const q = "SELECT count(*) FROM t JOIN (SELECT * FROM t) AS s ON t.i % 1 = s.i % 1 WHERE s.name || t.name < 'a'"
	_, _, err := collectSpilling(t, cat, q, sql.Options{Memory: 300 << 10})
	if err == nil || !strings.Contains(sqltest.ErrorText(err, q), "JOIN needs more than") {
		t.Errorf("%v", err)
	}
}
