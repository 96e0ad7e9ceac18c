package catalog_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/cairndb/cairn/segment/column"
	"github.com/cairndb/cairn/server/pg/catalog"
	"github.com/cairndb/cairn/sql"
	"github.com/cairndb/cairn/sql/fn"
	"github.com/cairndb/cairn/sql/plan"
	"github.com/cairndb/cairn/sql/sqlerr"
	"github.com/cairndb/cairn/sql/sqltest"
)

// settings are those of a session in tests.
type settings map[string]string

func (s settings) Get(name string) (string, bool) {
	v, ok := s[strings.ToLower(name)]
	return v, ok
}

func (s settings) Set(name, value string, _ bool) (string, error) {
	s[strings.ToLower(name)] = value
	return value, nil
}

func (s settings) All() []catalog.Setting {
	return []catalog.Setting{{Name: "TimeZone", Value: s["timezone"], Description: "the zone"}}
}

// stores is a catalogue of tables in memory.
type stores []plan.Table

func (s stores) Table(_ context.Context, name string) (plan.Table, error) {
	for _, t := range s {
		if strings.EqualFold(t.Name(), name) {
			return t, nil
		}
	}
	return nil, nil
}

func (s stores) TableNames(context.Context) ([]string, error) {
	var out []string
	for _, t := range s {
		out = append(out, t.Name())
	}
	return out, nil
}

func text(values ...string) *column.Vector {
	return &column.Vector{Type: column.VarcharType, Len: len(values), Str: values}
}

// lake has two stores with a few columns of every sort.
func lake() stores {
	who := column.RowOf(column.Field{Name: "type", Type: column.VarcharType}, column.Field{Name: "arn", Type: column.VarcharType})
	cols := []plan.Column{
		{Name: "eventTime", Type: column.TimestampType}, {Name: "eventName", Type: column.VarcharType}, {Name: "readOnly", Type: column.BooleanType},
		{Name: "userIdentity", Type: who}, {Name: "eventID", Type: column.VarcharType}, {Name: "size", Type: column.DecimalOf(12, 2)},
	}
	data := []*column.Vector{
		{Type: column.TimestampType, Len: 2, I64: []int64{1767225600000000, 1767225660000000}},
		text("GetObject", "PutObject"), {Type: column.BooleanType, Len: 2, I64: []int64{1, 0}},
		{Type: who, Len: 2, Children: []*column.Vector{text("IAMUser", "Role"), text("arn:a", "arn:b")}},
		text("id-0", "id-1"), {Type: column.DecimalOf(12, 2), Len: 2, I64: []int64{150, 275}},
	}
	return stores{sqltest.NewTable("events", cols, data, sqltest.Layout{}), sqltest.NewTable("event_history", cols, data, sqltest.Layout{})}
}

func info() catalog.Info {
	return catalog.Info{User: "ann", Admin: true, Version: "PostgreSQL 15.0 (Cairn)", PID: 7, Settings: settings{"timezone": "UTC"}}
}

// ask runs a query and returns its rows as texts.
func ask(t testing.TB, cat plan.Catalog, query string, args ...any) ([][]string, []sql.Output, error) {
	t.Helper()
	opt := sql.Options{Dialect: sql.Postgres}
	st, err := sql.Prepare(context.Background(), cat, query, opt)
	if err != nil {
		return nil, nil, err
	}
	rows, err := st.Query(context.Background(), args)
	if err != nil {
		return nil, nil, err
	}
	defer rows.Close()
	var out [][]string
	for {
		b, err := rows.Next()
		if err == io.EOF {
			return out, rows.Columns(), nil
		}
		if err != nil {
			return nil, nil, err
		}
		for i := range b.Len {
			var line []string
			for _, v := range b.Cols {
				if v.IsNull(i) {
					line = append(line, "NULL")
				} else {
					line = append(line, fn.Format(v, i))
				}
			}
			out = append(out, line)
		}
	}
}

// TestRecordedQueries runs what clients have been seen to ask. The queries stand in
// testdata, one file a client, with ;; behind each and the values of parameters as
// comments before it.
func TestRecordedQueries(t *testing.T) {
	cat := catalog.New(lake(), info())
	oid := func(name string) string {
		rows, _, err := ask(t, cat, "SELECT oid FROM pg_class WHERE relname = '"+name+"'")
		if err != nil || len(rows) != 1 {
			t.Fatalf("%s: %v %v", name, rows, err)
		}
		return rows[0][0]
	}
	replace := strings.NewReplacer("@events@", oid("events"), "@event_history@", oid("event_history"))
	files, err := filepath.Glob("testdata/*.sql")
	if err != nil || len(files) == 0 {
		t.Fatal("no recorded queries", err)
	}
	for _, file := range files {
		raw, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		for i, q := range strings.Split(string(raw), "\n;;\n") {
			if strings.TrimSpace(q) == "" {
				continue
			}
			t.Run(fmt.Sprintf("%s/%d", strings.TrimSuffix(filepath.Base(file), ".sql"), i), func(t *testing.T) {
				var args []any
				for rest, ok := strings.CutPrefix(q, "-- param "); ok; rest, ok = strings.CutPrefix(q, "-- param ") {
					value, after, _ := strings.Cut(rest, "\n")
					args, q = append(args, value), after
				}
				q = replace.Replace(q)
				if _, _, err := ask(t, catalog.New(lake(), info()), q, args...); err != nil {
					var e *sqlerr.Error
					if errors.As(err, &e) && e.Detail != "" {
						t.Log(e.Detail)
					}
					t.Errorf("%v\n%s", err, sqlerr.Format(err, q))
				}
			})
		}
	}
}

// TestWhatClientsWrite is of the functions and forms that clients use besides plain SQL.
func TestWhatClientsWrite(t *testing.T) {
	for _, c := range []struct{ query, want string }{
		{"SELECT user, current_user", "ann ann"},
		{`SELECT "user" FROM (SELECT 1 AS "user") t`, "1"}, // a column comes first
		{`SELECT array_to_string(parse_ident('Public."A ""b"". c" . X1'), '|')`, `public|A "b". c|x1`},
		{`SELECT array_length(parse_ident('events'), 1)`, "1"},
		{`SELECT format('%I.%I = %L', 'public', 'two words', 'it''s')`, `public."two words" = 'it''s'`},
		{`SELECT format('%L', NULL)`, "NULL"},
		{`SELECT '{"a": [1, {"b": "x"}], "n": null}'::jsonb #>> '{a,1,b}'`, "x"},
		{`SELECT '{"a": [1, {"b": "x"}]}'::jsonb #> '{a,-1}'`, `{"b":"x"}`},
		{`SELECT '{"a": [1, 2]}'::jsonb #>> '{a,two}', '{"n": null}'::jsonb #>> '{n}', '{"a": 1}'::jsonb #>> NULL::text[]`, "NULL NULL NULL"},
		{`SELECT '{"a": 1}'::jsonb #>> '{}'`, `{"a":1}`},
		{`SELECT userIdentity #>> array['arn']::text[], userIdentity #>> '{type,deeper}', userIdentity #>> '{nothing}' FROM events ORDER BY eventTime LIMIT 1::bigint`, "arn:a NULL NULL"},
		{`SELECT eventName FROM events ORDER BY eventTime OFFSET 1::bigint LIMIT 5::int8`, "PutObject"},
		{`SELECT option_name, option_value FROM pg_options_to_table(ARRAY['host=a=b', 'empty='])`, "host a=b empty "},
		{`SELECT count(*) FROM pg_options_to_table(NULL)`, "0"},
		{`SELECT isleaf, level FROM pg_partition_tree('events'::regclass)`, "true 0"},
		{"SELECT tableoid::regclass, e.xmin, xmax, ctid, count(*) FROM events e GROUP BY 1, 2, 3, 4", "events 1 0 NULL 2"},
		{"SELECT tableoid = 'events'::regclass FROM events e ORDER BY e.ctid LIMIT 1", "true"},
		{"SELECT row_to_json(e)->>'eventName' AS name FROM events e ORDER BY ctid, 1 LIMIT 1", "GetObject"},
		{`SELECT '1 days 2.5 seconds'::interval = interval '1' day + interval '2.5' second, '-1 days +02:00:00'::interval = interval '-22' hour`, "true true"},
		{`SELECT encode('\x00ff'::bytea, 'hex'), encode('a\\b\001'::bytea, 'hex'), '\x0aFF'::bytea::text`, `00ff 615c6201 \x0aff`},
	} {
		rows, _, err := ask(t, catalog.New(lake(), info()), c.query)
		var got []string
		for _, r := range rows {
			got = append(got, r...)
		}
		if s := strings.Join(got, " "); err != nil || s != c.want {
			t.Errorf("%s: got %s, %v, want %s", c.query, s, err, c.want)
		}
	}
	for query, code := range map[string]string{
		"SELECT parse_ident('a..b')":              sqlerr.InvalidArgument,
		`SELECT parse_ident('"a')`:                sqlerr.InvalidArgument,
		"SELECT format('%I', NULL)":               sqlerr.InvalidArgument,
		`SELECT '\xzz'::bytea`:                    sqlerr.InvalidText,
		"SELECT eventName FROM events FOR UPDATE": sqlerr.ReadOnly,
		"SELECT 1 LIMIT 1::text":                  sqlerr.SyntaxError,
	} {
		_, _, err := ask(t, catalog.New(lake(), info()), query)
		var e *sqlerr.Error
		if !errors.As(err, &e) || e.Code != code {
			t.Errorf("%s: %v, want %s", query, err, code)
		}
	}
}
