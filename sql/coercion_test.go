package sql_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/cairndb/cairn/sql"
	"github.com/cairndb/cairn/sql/sqlerr"
	"github.com/cairndb/cairn/sql/sqltest"
)

// sampleTypes has an expression of every type. Types of one group have a common
// type: the one that stands further down.
var sampleTypes = []struct {
	expr, name string
	group      string
	unordered  bool
}{
	{"cast(true as boolean)", "boolean", "boolean", false},
	{"cast(1 as tinyint)", "tinyint", "number", false},
	{"cast(1 as smallint)", "smallint", "number", false},
	{"cast(1 as integer)", "integer", "number", false},
	{"cast(1 as bigint)", "bigint", "number", false},
	{"cast(1 as decimal(18,0))", "decimal(18,0)", "number", false},
	{"cast(1 as real)", "real", "number", false},
	{"cast(1 as double)", "double", "number", false},
	{"cast('a' as varchar)", "varchar", "text", false},
	{"x'61'", "varbinary", "bytes", false},
	{"json '1'", "json", "json", true},
	{"date '2026-01-01'", "date", "moment", false},
	{"timestamp '2026-01-01 00:00:00'", "timestamp(3)", "moment", false},
	{"timestamp '2026-01-01 00:00:00 UTC'", "timestamp(3) with time zone", "moment", false},
	{"time '01:00:00'", "time(3)", "time", false},
	{"interval '1' day", "interval day to second", "day", false},
	{"interval '1' month", "interval year to month", "month", false},
	{"uuid '12151fd2-7586-11e9-8f9e-2a86e4085a59'", "uuid", "uuid", false},
	{"ipaddress '10.0.0.1'", "ipaddress", "ip", false},
	{"array[cast(1 as integer)]", "array(integer)", "array", false},
	{"array[cast(1 as double)]", "array(double)", "array", false},
	{"map(array['a'], array[cast(1 as integer)])", "map(varchar, integer)", "map", true},
	{"row(cast(1 as integer), date '2026-01-01')", "row(integer, date)", "row", false},
	{"row(cast(1 as bigint), timestamp '2026-01-01 00:00:00')", "row(bigint, timestamp(3))", "row", false},
}

// TestTypePairs lets every two types meet in every place where types must go
// together, and wants the common type, or an error about types with a place.
func TestTypePairs(t *testing.T) {
	cat := fixture()
	try := func(q string) ([]string, string) {
		res, err := sqltest.Collect(sql.Query(context.Background(), cat, q, nil, sql.Options{Now: now}))
		var e *sqlerr.Error
		switch {
		case err == nil:
			return res.Text(), ""
		case !errors.As(err, &e):
			t.Fatalf("%s: %v", q, err)
		case !e.Pos.Known() || e.Pos.End > len(q):
			t.Errorf("%s: the error has no place: %v", q, err)
		}
		return nil, e.Code
	}
	places := []struct {
		query   string // of %[1]s and %[2]s
		answer  string // "" for the common type
		ordered bool
	}{
		{"SELECT (%[1]s = %[2]s) IS NOT NULL", "true", false},
		{"SELECT (%[1]s <> %[2]s) IS NOT NULL", "true", false},
		{"SELECT (%[1]s IS DISTINCT FROM %[2]s) IN (true, false)", "true", false},
		{"SELECT ((%[1]s IN (%[2]s, NULL)) IS NULL) IN (true, false)", "true", false},
		{"SELECT (nullif(%[1]s, %[2]s) IS NULL) IN (true, false)", "true", false},
		{"SELECT (CASE %[1]s WHEN %[2]s THEN 1 ELSE 2 END) > 0", "true", false},
		{"SELECT (%[1]s < %[2]s) IS NOT NULL", "true", true},
		{"SELECT (%[1]s BETWEEN %[2]s AND %[1]s) IS NOT NULL", "true", true},
		{"SELECT typeof(coalesce(%[1]s, %[2]s))", "", false},
		{"SELECT typeof(CASE WHEN true THEN %[1]s ELSE %[2]s END)", "", false},
		{"SELECT typeof(if(false, %[1]s, %[2]s))", "", false},
		{"SELECT typeof(array[%[1]s, NULL, %[2]s][1])", "", false},
		{"SELECT typeof(greatest(%[1]s, %[2]s))", "", true},
		{"SELECT DISTINCT typeof(v) FROM (SELECT %[1]s AS v UNION ALL SELECT %[2]s) AS u", "", false},
		{"SELECT DISTINCT typeof(v) FROM (VALUES (%[1]s), (NULL), (%[2]s)) AS u(v)", "", false},
	}
	asked := 0
	for i, a := range sampleTypes {
		for j, b := range sampleTypes {
			common := sampleTypes[max(i, j)].name
			if pair := a.name + " " + b.name; strings.Contains(pair, "bigint decimal(18,0)") || strings.Contains(pair, "decimal(18,0) bigint") {
				common = "decimal(19,0)"
			}
			for _, p := range places {
				if strings.Contains(p.query, "VALUES") && (a.group == "row" || b.group == "row") {
					continue // a row in VALUES is a row of the table
				}
				asked++
				q := fmt.Sprintf(p.query, a.expr, b.expr)
				rows, code := try(q)
				fits := a.group == b.group && !(p.ordered && (a.unordered || b.unordered))
				want := p.answer
				if want == "" {
					want = common
				}
				switch {
				case fits && code != "":
					t.Errorf("%s\nfails with %s", q, code)
				case fits && (len(rows) != 1 || rows[0] != want):
					t.Errorf("%s\ngives %q, want %s", q, rows, want)
				case !fits && code != sqlerr.DatatypeMismatch && code != sqlerr.UndefinedFunction:
					t.Errorf("%s\ngives %q (%s), want an error about the types", q, rows, code)
				}
			}
		}
		// NULL goes with everything and decides nothing.
		for _, p := range places {
			if p.answer != "" || p.ordered && a.unordered || strings.Contains(p.query, "VALUES") && a.group == "row" {
				continue
			}
			if rows, code := try(fmt.Sprintf(p.query, "NULL", a.expr)); code != "" || len(rows) != 1 || rows[0] != a.name {
				t.Errorf(p.query+"\ngives %[3]q (%[4]s), want %[5]s", "NULL", a.expr, rows, code, a.name)
			}
		}
	}
	t.Logf("%d pairs", asked)
}
