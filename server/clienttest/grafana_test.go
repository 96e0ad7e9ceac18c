package clienttest

import (
	"context"
	"fmt"
	"os"
	"reflect"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
)

// session connects with pgx, and keeps what is checked over the connection.
type session struct {
	t *testing.T
	r *result
	c *pgx.Conn
}

func connect(t *testing.T, client, version, more string) *session {
	at := serve(t)
	c, err := pgx.Connect(context.Background(), fmt.Sprintf("postgres://admin:%s@127.0.0.1:%s/cairn?%s", at.password, at.port, more))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close(context.Background()) })
	s := &session{t, &result{client: client, version: version}, c}
	t.Cleanup(s.r.keep)
	return s
}

// rows returns what a query gives.
func (s *session) rows(query string, args ...any) ([][]any, error) {
	rows, err := s.c.Query(context.Background(), query, args...)
	if err != nil {
		return nil, err
	}
	return pgx.CollectRows(rows, func(r pgx.CollectableRow) ([]any, error) { return r.Values() })
}

// check runs a query, and compares what it gives if ok is not nil.
func (s *session) check(name, query string, ok func([][]any) error, args ...any) {
	s.t.Helper()
	got, err := s.rows(query, args...)
	if err == nil && ok != nil {
		err = ok(got)
	}
	if err != nil {
		s.t.Errorf("%s: %v\n%s", name, err, query)
	}
	s.r.check(name, err == nil)
}

func are(want ...[]any) func([][]any) error {
	return func(got [][]any) error {
		if !reflect.DeepEqual(got, want) {
			return fmt.Errorf("got %v, want %v", got, want)
		}
		return nil
	}
}

func count(n int) func([][]any) error {
	return func(got [][]any) error {
		if len(got) != n {
			return fmt.Errorf("got %d rows, want %d: %.300v", len(got), n, got)
		}
		return nil
	}
}

// has wants a row that begins with these values.
func has(values ...any) func([][]any) error {
	return func(got [][]any) error {
		for _, r := range got {
			if len(r) >= len(values) && reflect.DeepEqual(r[:len(values)], values) {
				return nil
			}
		}
		return fmt.Errorf("no row %v in %.600v", values, got)
	}
}

// expand does with the macros of Grafana's PostgreSQL source what its documentation says of
// them, for a range of time and an interval.
func expand(query string, from, to time.Time) string {
	iso := func(t time.Time) string { return "'" + t.UTC().Format(time.RFC3339Nano) + "'" }
	seconds := func(interval string) string {
		d, _ := time.ParseDuration(strings.Trim(interval, "' "))
		return strconv.FormatFloat(d.Seconds(), 'f', -1, 64)
	}
	query = strings.NewReplacer("$__interval", "'5m'").Replace(query)
	return regexp.MustCompile(`\$__(\w+)\(([^)]*)\)`).ReplaceAllStringFunc(query, func(m string) string {
		name, rest, _ := strings.Cut(strings.TrimPrefix(m, "$__"), "(")
		args := strings.Split(strings.TrimSuffix(rest, ")"), ",")
		col := strings.TrimSpace(args[0])
		name, alias := strings.CutSuffix(name, "Alias")
		var out string
		switch name {
		case "time":
			return col + ` AS "time"`
		case "timeEpoch":
			return "extract(epoch from " + col + `) as "time"`
		case "timeFilter":
			return col + " BETWEEN " + iso(from) + " AND " + iso(to)
		case "timeFrom":
			return iso(from)
		case "timeTo":
			return iso(to)
		case "timeGroup":
			out = fmt.Sprintf("floor(extract(epoch from %s)/%[2]s)*%[2]s", col, seconds(args[1]))
		case "unixEpochGroup":
			out = fmt.Sprintf("floor((%s)/%[2]s)*%[2]s", col, seconds(args[1]))
		case "unixEpochFilter":
			return fmt.Sprintf("%s >= %d AND %[1]s <= %[3]d", col, from.Unix(), to.Unix())
		case "unixEpochFrom":
			return fmt.Sprint(from.Unix())
		case "unixEpochTo":
			return fmt.Sprint(to.Unix())
		case "unixEpochNanoFilter":
			return fmt.Sprintf("%s >= %d AND %[1]s <= %[3]d", col, from.UnixNano(), to.UnixNano())
		case "unixEpochNanoFrom":
			return fmt.Sprint(from.UnixNano())
		case "unixEpochNanoTo":
			return fmt.Sprint(to.UnixNano())
		default:
			panic("no macro " + name)
		}
		if alias {
			out += ` AS "time"`
		}
		return out
	})
}

// TestGrafana asks what Grafana's PostgreSQL source asks: its health check, what fills its
// pickers of tables and columns, and panels with each of its macros.
func TestGrafana(t *testing.T) {
	for _, mode := range []string{"", "default_query_exec_mode=simple_protocol"} {
		s := connect(t, "grafana", "12", mode)
		grafana(s)
	}
}

func grafana(s *session) {
	from := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	to := from.Add(time.Hour)
	s.check("health check", "SELECT 1", count(1))
	s.check("version of the server", "SELECT current_setting('server_version_num')::int/100 as version", are([]any{int32(1500)}))
	s.check("TimescaleDB or not", "SELECT extversion FROM pg_extension WHERE extname = 'timescaledb'", count(0))
	s.check("schemas", `SELECT schema_name AS "name" FROM information_schema.schemata WHERE schema_name NOT IN ('information_schema', 'pg_catalog', 'pg_toast') ORDER BY schema_name`, are([]any{"public"}))
	const inPath = `quote_ident(table_schema) IN (SELECT CASE WHEN trim(part[i]) = '"$user"' THEN user ELSE trim(part[i]) END
		FROM generate_series(array_lower(string_to_array(current_setting('search_path'), ','), 1), array_upper(string_to_array(current_setting('search_path'), ','), 1)) AS i,
			string_to_array(current_setting('search_path'), ',') part)`
	s.check("tables", `SELECT CASE WHEN `+inPath+` THEN quote_ident(table_name) ELSE quote_ident(table_schema) || '.' || quote_ident(table_name) END AS "table"
		FROM information_schema.tables WHERE quote_ident(table_schema) NOT IN ('information_schema', 'pg_catalog') ORDER BY CASE WHEN `+inPath+` THEN 0 ELSE 1 END, 1`, has("events"))
	s.check("tables of a schema", `SELECT quote_ident(table_name) AS "table" FROM information_schema.tables WHERE quote_ident(table_schema) = 'public' ORDER BY 1`, has("events"))
	for _, name := range []string{"events", "public.events"} {
		s.check("columns of "+name, `SELECT quote_ident(column_name) AS "column", data_type AS "type" FROM information_schema.columns WHERE
			CASE WHEN array_length(parse_ident('`+name+`'), 1) = 2
				THEN quote_ident(table_schema) = (parse_ident('`+name+`'))[1] AND quote_ident(table_name) = (parse_ident('`+name+`'))[2]
				ELSE quote_ident(table_name) = '`+name+`' AND `+inPath+` END`, has("eventtime", "timestamp with time zone"))
	}
	panel := func(name, query string, ok func([][]any) error) {
		s.t.Helper()
		s.check(name, expand(query, from, to), ok)
	}
	panel("$__time and $__timeFilter", "SELECT $__time(eventTime), eventName, sourceIPAddress FROM events WHERE $__timeFilter(eventTime) ORDER BY 1", count(61))
	panel("$__timeEpoch", "SELECT $__timeEpoch(eventTime), 1 AS value FROM events WHERE $__timeFilter(eventTime) ORDER BY 1", count(61))
	panel("$__timeFrom and $__timeTo", "SELECT count(*) FROM events WHERE eventTime >= $__timeFrom() AND eventTime < $__timeTo()", are([]any{int64(60)}))
	panel("$__timeGroup", `SELECT $__timeGroup(eventTime, '5m') AS "time", eventName AS metric, count(*) AS value FROM events WHERE $__timeFilter(eventTime) GROUP BY 1, 2 ORDER BY 1, 2`, count(49))
	panel("$__timeGroup by its expression", "SELECT $__timeGroup(eventTime, '1h') AS time, count(*) FROM events GROUP BY $__timeGroup(eventTime, '1h') ORDER BY $__timeGroup(eventTime, '1h')", count(17))
	panel("$__timeGroupAlias", "SELECT $__timeGroupAlias(eventTime, $__interval), count(*) AS events FROM events WHERE $__timeFilter(eventTime) GROUP BY time ORDER BY time", count(13))
	panel("$__timeGroup below a second", `SELECT $__timeGroup(eventTime, '500ms') AS "time", count(*) FROM events WHERE $__timeFilter(eventTime) GROUP BY 1 ORDER BY 1`, count(61))
	panel("$__unixEpochFilter", "SELECT count(*) FROM (SELECT extract(epoch from eventTime) AS at FROM events) e WHERE $__unixEpochFilter(at)", are([]any{int64(61)}))
	panel("$__unixEpochFrom and $__unixEpochTo", "SELECT count(*) FROM events WHERE eventTime BETWEEN to_timestamp($__unixEpochFrom()) AND to_timestamp($__unixEpochTo())", are([]any{int64(61)}))
	panel("$__unixEpochNanoFilter", "SELECT count(*) FROM (SELECT extract(epoch from eventTime) * 1000000000 AS at FROM events) e WHERE $__unixEpochNanoFilter(at)", are([]any{int64(61)}))
	panel("$__unixEpochNanoFrom and $__unixEpochNanoTo", "SELECT $__unixEpochNanoFrom() < $__unixEpochNanoTo()", are([]any{true}))
	panel("$__unixEpochGroup", `SELECT $__unixEpochGroup(at, '5m') AS "time", count(*) FROM (SELECT extract(epoch from eventTime)::bigint AS at FROM events) e WHERE $__unixEpochFilter(at) GROUP BY 1 ORDER BY 1`, count(13))
	panel("$__unixEpochGroupAlias", "SELECT $__unixEpochGroupAlias(at, '5m'), count(*) FROM (SELECT extract(epoch from eventTime) AS at FROM events) e GROUP BY 1 ORDER BY 1", count(200))
	panel("variable of several values", "SELECT count(*) FROM events WHERE eventName IN ('GetObject','PutObject') AND $__timeFilter(eventTime)", are([]any{int64(31)}))
	panel("values for a variable", "SELECT DISTINCT eventName FROM events ORDER BY 1", count(4))
	panel("values for a variable, with texts", "SELECT eventName AS __text, lower(eventName) AS __value FROM events GROUP BY 1, 2", count(4))
	panel("annotations", `SELECT extract(epoch from eventTime) AS time, eventName AS text, awsRegion || ',' || eventSource AS tags FROM events WHERE $__timeFilter(eventTime) AND eventName = 'AssumeRole'`, count(15))
	panel("query of the builder", `SELECT "eventtime" AS "time", count("eventid") AS "n", "eventname" FROM events WHERE "eventname" = 'GetObject' GROUP BY "eventtime", "eventname" ORDER BY "n" DESC LIMIT 50`, count(50))
	panel("query of the builder with its schema", `SELECT count(eventid), eventname FROM public.events GROUP BY eventname LIMIT 50`, count(4))
	panel("query ended by a semicolon", "SELECT $__time(eventTime) FROM events WHERE $__timeFilter(eventTime) LIMIT 1;", count(1))
	panel("date_trunc", "SELECT date_trunc('hour', eventTime) AS time, count(*) FROM events GROUP BY 1 ORDER BY 1", count(17))
}

// TestReplays asks the catalogue what desktop and dashboard programs ask it when somebody
// connects, opens a table, or has its columns analysed. The queries stand in testdata, with
// the name of the check above each.
func TestReplays(t *testing.T) {
	for client, version := range map[string]string{"dbeaver": "24 and later", "metabase": "0.50 and later"} {
		t.Run(client, func(t *testing.T) {
			s := connect(t, client, version, "default_query_exec_mode=simple_protocol")
			text, err := os.ReadFile("testdata/" + client + ".sql")
			if err != nil {
				t.Fatal(err)
			}
			var oid, schema string
			if err := s.c.QueryRow(context.Background(), "SELECT oid::text, relnamespace::text FROM pg_class WHERE relname = 'events'").Scan(&oid, &schema); err != nil {
				t.Fatal(err)
			}
			for _, part := range strings.Split(string(text), "\n-- ")[1:] {
				head, query, _ := strings.Cut(part, "\n")
				name, want, wants := strings.Cut(head, " => ")
				query = strings.NewReplacer("@events@", oid, "@public@", schema).Replace(query)
				s.check(name, query, func(rows [][]any) error {
					if wants && !strings.Contains(strings.ToLower(fmt.Sprint(rows)), strings.ToLower(want)) {
						return fmt.Errorf("no %q in %.600v", want, rows)
					}
					return nil
				})
			}
		})
	}
}
