package sql_test

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/cairndb/cairn/segment/column"
	"github.com/cairndb/cairn/sql/plan"
	"github.com/cairndb/cairn/sql/sqltest"
)

// The best rows by time are the same whether or not the times of blocks are known. Times
// have ties and NULLs, whole blocks of NULLs too, and do not follow the order of rows.
func TestTopByTime(t *testing.T) {
	const n = 6*plan.BlockRows + 100
	r := rand.New(rand.NewPCG(11, 3))
	at, coarse, id, name := column.New(column.TimestampType, n), column.New(column.TimestampType, n), column.New(column.BigIntType, n), column.New(column.VarcharType, n)
	for i := range n {
		id.I64[i] = int64(i)
		name.Str[i] = fmt.Sprintf("n%d", r.IntN(50))
		at.I64[i] = int64(i/plan.BlockRows*37%5)*1_000_000 + int64(r.IntN(200))*10_000
		coarse.I64[i] = int64(r.IntN(2)) * 1_000_000
		if i/plan.BlockRows == 2 || r.IntN(9) == 0 {
			at.SetNull(i)
		}
	}
	table := tableOf("ev", []string{"at", "coarse", "id", "name"}, at, coarse, id, name)
	plain := sqltest.Catalog{table.With(sqltest.Layout{UnitRows: 4 * plan.BlockRows})}
	known := sqltest.Catalog{table.With(sqltest.Layout{UnitRows: 4 * plan.BlockRows, Stats: true})}
	for _, order := range []string{"at DESC", "at", "at DESC NULLS FIRST", "at NULLS FIRST", "at DESC, name", "coarse DESC", "coarse", "coarse DESC NULLS FIRST", "coarse NULLS FIRST", "-id", "id"} {
		for _, where := range []string{"", " WHERE name = 'n7'", " WHERE at IS NULL"} {
			for _, limit := range []string{" LIMIT 1", " LIMIT 50", " OFFSET 2000 LIMIT 50", " LIMIT 3000"} {
				q := "SELECT at, id, name FROM ev" + where + " ORDER BY " + order + ", id" + limit
				sorted := "SELECT at, id, name FROM (SELECT at, id, name, row_number() OVER (ORDER BY " + order + ", id) AS nth FROM ev" + where + ") ORDER BY nth" + limit
				if have, want := run(t, plain, q), run(t, plain, sorted); !slices.Equal(have, want) {
					t.Fatalf("%s: %d rows, of all that are numbered %d, of which the first are\n%.300q\n%.300q", q, len(have), len(want), have, want)
				}
				if have, want := run(t, known, q), run(t, plain, q); !slices.Equal(have, want) {
					t.Fatalf("%s: %d rows with times of blocks, %d without, of which the first are\n%.300q\n%.300q", q, len(have), len(want), have, want)
				}
			}
		}
	}
}
