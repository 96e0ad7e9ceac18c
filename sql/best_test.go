package sql_test

import (
	"fmt"
	"slices"
	"testing"

	"github.com/cairndb/cairn/sql"
	"github.com/cairndb/cairn/sql/sqltest"
)

// The best rows of partitions are chosen while rows come; the same numbers under a
// condition that the planner does not see through rank all rows first.
func TestBestRows(t *testing.T) {
	cat := sqltest.Catalog{sqltest.BigTable(12_000).With(sqltest.Layout{UnitRows: 4_500, Dict: true, Stats: true})}
	for _, partition := range []string{"few, k", "i % 700"} {
		for _, order := range []string{"k, i", "few DESC NULLS FIRST, i", "v, name, i", "at DESC, i DESC", "name, k DESC, i", "k, 100 / (i + 1), i", "few, k"} {
			for _, f := range []string{"row_number", "rank"} {
				for _, most := range []int{1, 3} {
					if f == "row_number" && order == "few, k" {
						continue // which of equal rows is first is not said
					}
					text := func(cond string) []string {
						query := fmt.Sprintf("SELECT i, nth FROM (SELECT i, %s() OVER (PARTITION BY %s ORDER BY %s) AS nth FROM big) WHERE %s", f, partition, order, cond)
						res, err := sqltest.Collect(sql.Query(t.Context(), cat, query, nil, sql.Options{Workers: 3, Now: now}))
						if err != nil {
							t.Fatalf("%s\n%v", query, err)
						}
						rows := res.Text()
						slices.Sort(rows)
						return rows
					}
					got, want := text(fmt.Sprintf("nth <= %d", most)), text(fmt.Sprintf("nth + i - i <= %d", most))
					if !slices.Equal(got, want) {
						t.Errorf("%s() <= %d of %s by %s: %d rows, not the %d of all ranked", f, most, partition, order, len(got), len(want))
					}
				}
			}
		}
	}
	// A key that fails for some row fails whether that row is among the best or not.
	if _, err := sqltest.Collect(sql.Query(t.Context(), cat, "SELECT i FROM (SELECT i, row_number() OVER (PARTITION BY few ORDER BY i, 1 / (i - 11999)) AS nth FROM big) WHERE nth = 1", nil, sql.Options{Workers: 2, Now: now})); err == nil {
		t.Error("no division by zero")
	}
}
