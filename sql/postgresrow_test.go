package sql_test

import (
	"errors"
	"io"
	"strings"
	"testing"

	"github.com/cairndb/cairn/sql"
	"github.com/cairndb/cairn/sql/fn"
	"github.com/cairndb/cairn/sql/sqlerr"
)

// TestPostgresRows: what clients of Postgres write about rows and JSON. Each query gives
// rows with | between values, or an error with a code.
func TestPostgresRows(t *testing.T) {
	for _, c := range []struct{ sql, want string }{
		// The name of a relation is a whole row of it, where no column is called so.
		{"SELECT row_to_json(t) FROM (VALUES (1, 'x'), (2, NULL)) t(a, b)", `{"a":1,"b":"x"};{"a":2,"b":null}`},
		{"SELECT to_json(t.*), to_jsonb(t) FROM (SELECT 1 AS a) t", `{"a":1}|{"a":1}`},
		{"SELECT t.a FROM (SELECT 1 AS a, 2 AS t) t WHERE t = 2", "1"},
		{"SELECT (t).a + 1 FROM (SELECT 1 AS a) t", "2"},
		{"SELECT count(t), count(t.*) FROM (VALUES 1, 2) t(a)", "2|2"},
		{"SELECT count(DISTINCT t) FROM (VALUES (1, 2), (1, 2), (2, 1)) t(a, b)", "2"},
		{"SELECT json_build_object('row', u, 'n', u.n) FROM (SELECT 1 AS n) u", `{"row" : {"n":1}, "n" : 1}`},
		{"SELECT (SELECT row_to_json(x)) FROM (SELECT 1 AS a, 'b' AS c) x", `{"a":1,"c":"b"}`},
		{"SELECT (SELECT json_agg(y) FROM (VALUES 1, 2) y(n) WHERE y.n > x.a) FROM (SELECT 1 AS a) x", `[{"n":2}]`},
		{"SELECT x FROM (SELECT 1 AS a) x, LATERAL (SELECT x.a AS b) y", `{a=1}`},
		{"SELECT nothing FROM (SELECT 1 AS a) x", "42703"},
		{"SELECT x.nothing FROM (SELECT 1 AS a) x", "42703"},
		{"SELECT t.* + 1 FROM (SELECT 1 AS a) t", "42601"},
		// Aggregates.
		{"SELECT json_agg(a ORDER BY a DESC), jsonb_agg(DISTINCT b) FROM (VALUES (1, 'x'), (2, 'x')) t(a, b)", `[2,1]|["x"]`},
		{"SELECT json_agg(t) FROM (SELECT 1 AS a WHERE false) t", "null"},
		{"SELECT coalesce(json_agg(a) FILTER (WHERE a > 5), '[]'::json) FROM (VALUES 1, 2) t(a)", "[]"},
		{"SELECT b, json_agg(a) FROM (VALUES (1, 'x'), (NULL, 'x'), (3, 'y')) t(a, b) GROUP BY b ORDER BY b", "x|[1,null];y|[3]"},
		{"SELECT json_agg(a) OVER (ORDER BY a) FROM (VALUES 1, 2) t(a)", "[1];[1,2]"},
		{"SELECT json_object_agg(k, v), jsonb_object_agg(v, k) FROM (VALUES ('a', 1), ('b', 2)) t(k, v)", `{"a":1,"b":2}|{"1":"a","2":"b"}`},
		{"SELECT array_to_json(array_agg(t)) FROM (SELECT 1 AS a) t", `[{"a":1}]`},
		{"SELECT percentile_cont(0.5) WITHIN GROUP (ORDER BY a), percentile_cont(0.25) WITHIN GROUP (ORDER BY a DESC) FROM (VALUES 1, 2, 4, NULL, 10) t(a)", "3.0|5.5"},
		{"SELECT percentile_disc(0.5) WITHIN GROUP (ORDER BY a), percentile_disc(0) WITHIN GROUP (ORDER BY a) FROM (VALUES 'a', 'b', 'c', 'd') t(a)", "b|a"},
		{"SELECT percentile_cont(0.5) WITHIN GROUP (ORDER BY a) FROM (SELECT 1 AS a WHERE false) t", "null"},
		{"SELECT percentile_cont(2) WITHIN GROUP (ORDER BY a) FROM (VALUES 1) t(a)", "22003"},
		{"SELECT json_object_agg(a) FROM (VALUES 1) t(a)", "42883"},
		// Functions that take JSON apart.
		{"SELECT json_build_array(1, 'a', NULL, ARRAY[1]), json_build_array()", `[1, "a", null, [1]]|[]`},
		{`SELECT value FROM jsonb_array_elements('[1, {"a": 2}, null]')`, `1;{"a":2};null`},
		{`SELECT e->>'a' FROM jsonb_array_elements('[{"a": "x"}, {"b": 1}]') AS e`, "x;null"},
		{`SELECT e.value FROM json_array_elements_text('["x", 1, null]') e`, "x;1;null"},
		{`SELECT t.n, e FROM (VALUES ARRAY[5, 6]) t(n), jsonb_array_elements(t.n) e`, "[5, 6]|5;[5, 6]|6"},
		{`SELECT key, value FROM json_each('{"a": [1], "b": "x", "a": 2}')`, `a|2;b|"x"`},
		{`SELECT * FROM jsonb_each_text('{"a": null, "b": "x"}') AS x(k, v)`, "a|null;b|x"},
		{`SELECT json_object_keys('{"b": 1, "a": 2}')`, "a;b"},
		{`SELECT jsonb_array_elements('[1, 2]'), 'x'`, "1|x;2|x"},
		{`SELECT * FROM string_to_table('a,b', ',') AS part`, "a;b"},
		{`SELECT regexp_split_to_table('a1b', '[0-9]')`, "a;b"},
		{`SELECT * FROM jsonb_array_elements('{"a": 1}')`, "22023"},
		{`SELECT * FROM jsonb_each('[1]')`, "22023"},
		{`SELECT jsonb_array_length('[1, [2]]'), jsonb_typeof(ARRAY[1]), jsonb_typeof('"x"'::jsonb)`, "2|array|string"},
		{`SELECT json_strip_nulls('{"a": null, "b": [null, {"c": null, "d": 1e2}]}'), jsonb_strip_nulls('[null]')`, `{"b":[null,{"d":1e2}]}|[null]`},
		{`SELECT jsonb_pretty('{"a": 1}')`, "{\n    \"a\": 1\n}"},
		{`SELECT jsonb_extract_path_text('{"a": [{"b": "x"}]}', 'a', '0', 'b')`, "x"},
		// What holds what.
		{`SELECT '{"a": {"b": 1, "c": 2}}'::jsonb @> '{"a": {"c": 2.0}}', '{"a": 1}'::jsonb <@ '{"b": 2}'::jsonb`, "true|false"},
		{`SELECT '[1, [2, 3]]'::jsonb @> '[[3]]', '[1]'::jsonb @> '1', '1'::jsonb @> '[1]', '[]'::jsonb @> '{}'`, "true|true|false|false"},
		{`SELECT ARRAY[1, 2, 3] @> ARRAY[2, 2], ARRAY[1] <@ ARRAY[1, 2], ARRAY['a'] @> '{a,b}', ARRAY[1, 2] && ARRAY[2, 3]`, "true|true|false|true"},
		{`SELECT jsonb_exists('{"a": null}', 'a'), jsonb_exists_any('["x"]', ARRAY['y', 'x']), jsonb_exists_all('{"x": 1}', ARRAY['x', 'y'])`, "true|true|false"},
		{`SELECT t @> '{"a": 1}' FROM (SELECT 1 AS a, 2 AS b) t`, "true"},
		{`SELECT x->>'a' FROM (VALUES '{"a": 5}') t(x)`, "5"},
		{`SELECT '{'::jsonb @> '{}'`, "22032"},
	} {
		rows, err := sql.Query(t.Context(), fixture(), c.sql, nil, sql.Options{Now: now, Dialect: sql.Postgres})
		var got []string
		for err == nil {
			b, next := rows.Next()
			if err = next; err != nil {
				break
			}
			for i := range b.Len {
				var row []string
				for _, v := range b.Cols {
					row = append(row, fn.Format(v, i))
				}
				got = append(got, strings.Join(row, "|"))
			}
		}
		if rows != nil {
			rows.Close()
		}
		var e *sqlerr.Error
		switch {
		case err == io.EOF:
			if all := strings.Join(got, ";"); all != c.want {
				t.Errorf("%s\ngives %s\nwant  %s", c.sql, all, c.want)
			}
		case errors.As(err, &e) && e.Code == c.want:
		default:
			t.Errorf("%s: %v, want %s", c.sql, err, c.want)
		}
		if rows, err := sql.Query(t.Context(), fixture(), c.sql, nil, sql.Options{Now: now}); err == nil && strings.Contains(c.sql, "json_agg") {
			rows.Close()
			t.Errorf("%s: this is not of Trino's dialect", c.sql)
		}
	}
}
