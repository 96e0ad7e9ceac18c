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

// What clients of Postgres write besides, with what a PostgreSQL 15 answers.
func TestPostgresExpressions(t *testing.T) {
	for _, c := range []struct{ expression, want string }{
		{`jsonb_set('{"a":1}'::jsonb, '{a}', '2')`, `{"a": 2}`},
		{`jsonb_set('{"a":{"b":[1,2]}}'::jsonb, '{a,b,-1}', '"x"')`, `{"a": {"b": [1, "x"]}}`},
		{`jsonb_set('{"a":1}'::jsonb, '{b}', '2', false)`, `{"a": 1}`},
		{`jsonb_set('[1,2]'::jsonb, '{9}', '3')`, `[1, 2, 3]`},
		{`jsonb_set('{"a":1}'::jsonb, '{a,b}', '3')`, `{"a": 1}`},
		{`jsonb_insert('{"a":[0,1,2]}'::jsonb, '{a,1}', '"n"')`, `{"a": [0, "n", 1, 2]}`},
		{`jsonb_insert('{"a":[0,1,2]}'::jsonb, '{a,1}', '"n"', true)`, `{"a": [0, 1, "n", 2]}`},
		{`'{"a":1,"b":2}'::jsonb - 'a'`, `{"b": 2}`},
		{`'["a","b","a"]'::jsonb - 'a'`, `["b"]`},
		{`'[1,2,3]'::jsonb - 1`, `[1, 3]`},
		{`'[1,2,3]'::jsonb - -1`, `[1, 2]`},
		{`'{"a":1,"b":2,"c":3}'::jsonb - ARRAY['a','c']`, `{"b": 2}`},
		{`'{"a":{"b":2,"c":3}}'::jsonb #- '{a,b}'`, `{"a": {"c": 3}}`},
		{`'{"a":1}'::jsonb || '{"b":2,"a":3}'::jsonb`, `{"a": 3, "b": 2}`},
		{`'{"a":1}'::jsonb || '{"b":2}'`, `{"a": 1, "b": 2}`},
		{`'[1]'::jsonb || '2'::jsonb`, `[1, 2]`},
		{`'{"a":1}'::jsonb || '[2]'::jsonb`, `[{"a":1}, 2]`},
		{`'{"a":1}'::jsonb ? 'a'`, `true`},
		{`'{"a":1}'::jsonb ? 'b' OR false`, `false`},
		{`'["a","b"]'::jsonb ? 'b'`, `true`},
		{`'{"a":1}'::jsonb ?| ARRAY['x','a']`, `true`},
		{`'{"a":1}'::jsonb ?| '{x,y}'`, `false`},
		{`'{"a":1,"b":2}'::jsonb ?& ARRAY['a','b']`, `true`},
		{`NOT '{"a":1,"b":2}'::jsonb ?& ARRAY['a','c']`, `true`},
		{`'abc' SIMILAR TO 'abc'`, `true`},
		{`'abc' SIMILAR TO 'a'`, `false`},
		{`'abc' SIMILAR TO '%(b|d)%'`, `true`},
		{`'abc' SIMILAR TO '(b|c)%'`, `false`},
		{`'a.c' SIMILAR TO 'a.c' AND 'abc' NOT SIMILAR TO 'a.c'`, `true`},
		{`'a%c' SIMILAR TO 'a\%c' AND 'abc' NOT SIMILAR TO 'a#%c' ESCAPE '#'`, `true`},
		{`'aab' SIMILAR TO 'a{2}[^a]'`, `true`},
		{`'x]y' SIMILAR TO 'x[]]y'`, `true`},
		{`'a\b' SIMILAR TO 'a[\\]b'`, `true`},
		{`regexp_replace('abcABC', 'b', 'X', 'gi')`, `aXcAXC`},
		{`regexp_replace('abcb', 'b', 'X', '')`, `aXcb`},
		{`regexp_replace('foobar', '(o+)(b)', '[\2\1\&\\]', 'g')`, `f[boooob\]ar`},
		{`regexp_split_to_array('a, b,c', ',\s*')::text`, `{a,b,c}`},
		{`regexp_split_to_array('abc', '')::text`, `{a,b,c}`},
		{`(SELECT string_agg(m[1], ' ') FROM regexp_matches('foobarbaz', 'b(..)', 'g') AS r(m))`, `ar az`},
		{`substring('foobar' FROM 'o(.)b')`, `o`},
		{`substring('foobar' FROM 'b.*')`, `bar`},
		{`substring('foobar' FROM 'x') IS NULL`, `true`},
		{`overlay('abcdef' PLACING 'xx' FROM 2 FOR 3)`, `axxef`},
		{`overlay('abcdef' PLACING 'xx' FROM 2)`, `axxdef`},
		{`overlay('abc' PLACING 'xx' FROM 9)`, `abcxx`},
		{`overlay('abc' PLACING 'xx' FROM 2 FOR -1)`, `axxabc`},
		{`(SELECT mode() WITHIN GROUP (ORDER BY x) FROM (VALUES 3, 1, 2, 2, 1) t(x))`, `1`},
		{`(SELECT mode() WITHIN GROUP (ORDER BY x DESC) FROM (VALUES 3, 1, 2, 2, 1) t(x))`, `2`},
		{`(SELECT mode() WITHIN GROUP (ORDER BY x) IS NULL FROM (VALUES 1) t(x) WHERE x > 1)`, `true`},
		{`pg_sleep(0.01)`, ``},
		{`pg_typeof(1) || ' ' || pg_typeof('a'::text) || ' ' || pg_typeof(now()) || ' ' || pg_typeof(1.5)`, `integer text timestamp with time zone numeric`},
		{`num_nonnulls(1, NULL, 'a') * 10 + num_nulls(1, NULL, 'a')`, `21`},
		{`('2026-01-31'::date + 1)::text`, `2026-02-01`},
		{`(1 + date '2026-01-31')::text`, `2026-02-01`},
		{`('2026-03-01'::date - 1)::text`, `2026-02-28`},
		{`date '2026-03-01' - date '2026-02-01'`, `28`},
		{`(SELECT count(*) FROM generate_series(timestamp '2026-01-01', timestamp '2026-01-03', '1 day'))`, `3`},
		{`(SELECT count(*) FROM generate_series(timestamp '2026-01-01', timestamp '2026-01-02', '6 hours') g)`, `5`},
	} {
		t.Run(c.expression, func(t *testing.T) {
			rows, err := sql.Query(t.Context(), fixture(), "SELECT "+c.expression, nil, sql.Options{Now: now, Dialect: sql.Postgres})
			if err != nil {
				t.Fatal(err)
			}
			defer rows.Close()
			b, err := rows.Next()
			if err != nil {
				t.Fatal(err)
			}
			if got := fn.Format(b.Cols[0], 0); got != c.want {
				t.Errorf("%s, want %s", got, c.want)
			}
		})
	}
	for _, c := range []struct{ expression, code string }{
		{`'1'::jsonb - 'a'`, "22023"}, {`'{"a":1}'::jsonb - 1`, "22023"}, {`'1'::jsonb #- '{a}'`, "22023"}, {`jsonb_set('1'::jsonb, '{a}', '2')`, "22023"},
		{`jsonb_set('[1]'::jsonb, '{x}', '2')`, "22P02"}, {`jsonb_insert('{"a":1}'::jsonb, '{a}', '2')`, "22023"}, {`jsonb_set('{}'::jsonb, '{a}', 'no JSON')`, "22032"},
		{`'a' SIMILAR TO 'a\'`, "22025"}, {`'a' SIMILAR TO 'a' ESCAPE 'xy'`, "22019"}, {`'a' SIMILAR TO '(a'`, "2201B"},
		{`regexp_replace('a', 'a', 'b', 'q')`, "22023"}, {`overlay('abc' PLACING 'x' FROM 0)`, "22011"}, {`regexp_matches('a', '(')`, "2201B"},
	} {
		rows, err := sql.Query(t.Context(), fixture(), "SELECT "+c.expression, nil, sql.Options{Now: now, Dialect: sql.Postgres})
		if err == nil {
			_, err = rows.Next()
			rows.Close()
		}
		var e *sqlerr.Error
		if !errors.As(err, &e) || e.Code != c.code {
			t.Errorf("%s: %v, want %s", c.expression, err, c.code)
		}
	}
	// Where an operand must stand, a question mark is a parameter, in this dialect, too.
	rows, err := sql.Query(t.Context(), fixture(), `SELECT ? || 'b' WHERE ? = 2 AND '{"a":1}'::jsonb ? ? LIMIT ?`, []any{"a", 2, "a", 1}, sql.Options{Now: now, Dialect: sql.Postgres})
	if err != nil {
		t.Fatal(err)
	}
	defer rows.Close()
	if b, err := rows.Next(); err != nil || fn.Format(b.Cols[0], 0) != "ab" {
		t.Errorf("%v, %v", b, err)
	}
}
