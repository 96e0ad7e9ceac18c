package sql_test

import (
	"errors"
	"testing"

	"github.com/cairndb/cairn/segment/column"
	"github.com/cairndb/cairn/sql"
	"github.com/cairndb/cairn/sql/fn"
	"github.com/cairndb/cairn/sql/sqlerr"
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

// Clients write the bounds of times with templates.
func TestTimeTemplates(t *testing.T) {
	for _, c := range []struct{ expression, want string }{
		{"to_timestamp('2026-01-31 23:59:58.5', 'YYYY-MM-DD HH24:MI:SS.US')", "2026-01-31 23:59:58.500000 UTC"},
		{"to_timestamp('2026-01-31 23:59:58.000007', 'YYYY-MM-DD HH24:MI:SS.US')", "2026-01-31 23:59:58.000007 UTC"},
		{"to_timestamp('2026-01-31 23:59:58', 'YYYY-MM-DD HH24:MI:SS.MS')", "2026-01-31 23:59:58.000000 UTC"},
		{"to_timestamp('2026-01-31T01:02:03Z', 'YYYY-MM-DD\"T\"HH24:MI:SS')", "2026-01-31 01:02:03.000000 UTC"},
		{"to_timestamp('05 dec 2000', 'DD Mon YYYY')", "2000-12-05 00:00:00.000000 UTC"},
		{"to_timestamp('March 3, 99 12:30 am', 'Month DD, YY HH12:MI AM')", "1999-03-03 00:30:00.000000 UTC"},
		{"to_timestamp('2026-02 and more', 'YYYY-MM')", "2026-02-01 00:00:00.000000 UTC"},
		{"to_timestamp('2026', 'YYYY-MM-DD')", "2026-01-01 00:00:00.000000 UTC"},
		{"to_timestamp('20260203040506', 'YYYYMMDDHH24MISS')", "2026-02-03 04:05:06.000000 UTC"},
		{"to_timestamp(NULL, 'YYYY')", "null"},
		{"to_timestamp(0)", "1970-01-01 00:00:00.000000 UTC"},
		{"to_date('2024-366', 'YYYY-DDD')", "2024-12-31"},
		{"to_date('17/11/2026', 'DD/MM/YYYY')", "2026-11-17"},
		{"to_timestamp('2026-02-30', 'YYYY-MM-DD')", ""},
		{"to_timestamp('2025-366', 'YYYY-DDD')", ""},
		{"to_timestamp('2026-13-01', 'YYYY-MM-DD')", ""},
		{"to_timestamp('25:00', 'HH24:MI')", ""},
		{"to_timestamp('13 pm', 'HH12 AM')", ""},
		{"to_timestamp('soon', 'YYYY')", ""},
		{"to_timestamp('2026-x', 'YYYY-MM')", ""},
		{"to_timestamp('2460000', 'J')", ""},
	} {
		rows, err := sql.Query(t.Context(), fixture(), "SELECT "+c.expression, nil, sql.Options{Now: now, Dialect: sql.Postgres})
		var b *column.Batch
		if err == nil {
			b, err = rows.Next()
		}
		var e *sqlerr.Error
		switch {
		case c.want == "":
			if !errors.As(err, &e) || e.Code != sqlerr.InvalidDatetime {
				t.Errorf("%s: %v, want SQLSTATE %s", c.expression, err, sqlerr.InvalidDatetime)
			}
		case err != nil:
			t.Errorf("%s: %v", c.expression, err)
		default:
			if got := fn.Format(b.Cols[0], 0); got != c.want {
				t.Errorf("%s: %s, want %s", c.expression, got, c.want)
			}
		}
	}
}
