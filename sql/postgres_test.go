package sql_test

import (
	"testing"

	"github.com/cairndb/cairn/sql"
	"github.com/cairndb/cairn/sql/fn"
)

// In the Postgres dialect numeric without a precision keeps fractions, and so does
// division; in Trino's, decimal alone has no fraction.
func TestUnboundedNumeric(t *testing.T) {
	for _, c := range []struct{ sql, postgres, trino string }{
		{"SELECT CAST('1.50' AS numeric)", "1.50", "2"},
		{"SELECT CAST(1.25 AS numeric)", "1.25", "1"},
		{"SELECT CAST(1.25 AS decimal)", "1.25", "1"},
		{"SELECT CAST(1.25 AS numeric(10,1))", "1.3", "1.3"},
		{"SELECT CAST(7 AS numeric)", "7", "7"},
		{"SELECT CAST(9007199254740993 AS numeric)", "9007199254740993", "9007199254740993"},
		{"SELECT CAST(7 AS numeric) / 2", "3.5000000000000000", "4"},
		{"SELECT 1.0 / 3", "0.3333333333333333", "0.3"},
		{"SELECT 7 / 2", "3", "3"},
		{"SELECT round(CAST(1.237e0 AS numeric), 2)", "1.24", "1"},
		{"SELECT CAST('-2.5e3' AS numeric)", "-2500.0", "-2500"},
		{"SELECT CAST(x AS numeric) FROM (VALUES '1.5') t(x)", "1.5", "2"},
		{"SELECT CAST(NULL AS numeric)", "null", "null"},
		{"SELECT CAST(1.5 AS numeric) = 1.5", "true", "false"},
		{"SELECT sum(CAST(x AS numeric)) FROM (VALUES 1.25, 2.5) t(x)", "3.75", "4"},
	} {
		for dialect, want := range map[sql.Dialect]string{sql.Postgres: c.postgres, sql.Trino: c.trino} {
			rows, err := sql.Query(t.Context(), fixture(), c.sql, nil, sql.Options{Now: now, Dialect: dialect})
			if err != nil {
				t.Errorf("%s: %v", c.sql, err)
				continue
			}
			b, err := rows.Next()
			if err != nil {
				t.Errorf("%s: %v", c.sql, err)
			} else if got := fn.Format(b.Cols[0], 0); got != want {
				t.Errorf("%s in dialect %v: %s, want %s", c.sql, dialect, got, want)
			}
			rows.Close()
		}
	}
}
