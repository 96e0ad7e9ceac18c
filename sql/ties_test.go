package sql_test

import (
	"fmt"
	"slices"
	"testing"

	"github.com/cairndb/cairn/sql"
	"github.com/cairndb/cairn/sql/sqltest"
)

// WITH TIES gives the rows whose rank is that of a wanted one, wherever they lie and
// however many they are.
func TestTiesAreRanks(t *testing.T) {
	cat := sqltest.Catalog{sqltest.BigTable(8_000).With(sqltest.Layout{UnitRows: 1500, Dict: true, Stats: true})}
	for _, keys := range []string{"few", "k DESC NULLS FIRST, few", "v", "i % 3", "name", "at DESC", "ARRAY[few, k]", "v * 1.5"} {
		for _, n := range []int{1, 999, 8_001} {
			for _, offset := range []int{0, 2000} {
				text := func(query string) []string {
					res, err := sqltest.Collect(sql.Query(t.Context(), cat, query, nil, sql.Options{Workers: 3, Now: now}))
					if err != nil {
						t.Fatalf("%s\n%v", query, err)
					}
					rows := res.Text()
					slices.Sort(rows)
					return rows
				}
				// Rows that are equal in the order may be skipped in any order: their keys tell.
				got := text(fmt.Sprintf("SELECT few, k, i %% 3, n FROM (SELECT few, k, i, v, name, at, count(*) OVER () AS n FROM big) ORDER BY %s OFFSET %d FETCH FIRST %d ROWS WITH TIES", keys, offset, n))
				want := text(fmt.Sprintf("SELECT few, k, i %% 3, 8000 FROM (SELECT few, k, i, rank() OVER (ORDER BY %s) AS r, row_number() OVER (ORDER BY %s) AS p FROM big) WHERE p > %d AND r <= %d",
					keys, keys, offset, n+offset))
				if offset > 0 {
					if len(got) != len(want) {
						t.Errorf("ORDER BY %s, %d after %d: %d rows, not %d", keys, n, offset, len(got), len(want))
					}
				} else if !slices.Equal(got, want) {
					t.Errorf("ORDER BY %s, %d: %d rows, not the %d of rank()", keys, n, len(got), len(want))
				}
			}
		}
	}
}
