package sql_test

import (
	"context"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/cairndb/cairn/sql"
	"github.com/cairndb/cairn/sql/sqltest"
)

var rewrite = flag.Bool("rewrite", false, "write what the queries give into the logic tests")

// now is the time of all test queries.
var now = time.Date(2026, 3, 4, 12, 0, 0, 0, time.UTC)

// config is a way to keep the tables and to run the queries, which must not
// show in the results.
type config struct {
	name    string
	layout  sqltest.Layout
	workers int
}

var configs = []config{
	{"one unit", sqltest.Layout{}, 1},
	{"rows alone", sqltest.Layout{UnitRows: 1}, 4},
	{"units of 7", sqltest.Layout{UnitRows: 7, Prune: true, JSON: true}, 4},
	{"dictionaries", sqltest.Layout{Dict: true, Stats: true}, 1},
	{"dictionaries with NULL, units of 7", sqltest.Layout{UnitRows: 7, Dict: true, NullEntry: true, Stats: true, Prune: true, MapsAsDict: true, JSON: true}, 4},
	{"dictionaries with strangers, units of 5000", sqltest.Layout{UnitRows: 5000, Dict: true, Extra: 3, Stats: true, Prune: true}, 2},
}

func TestLogic(t *testing.T) {
	files, err := filepath.Glob("testdata/*.test")
	if err != nil || len(files) == 0 {
		t.Fatalf("no logic tests: %v", err)
	}
	for _, file := range files {
		t.Run(filepath.Base(file), func(t *testing.T) {
			base := fixture()
			for _, of := range []string{"join", "lateral", "unnest"} {
				if strings.HasPrefix(filepath.Base(file), of) {
					base = append(base, joinTables()...)
				}
			}
			data, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			if *rewrite {
				out, err := sqltest.FormatLogic(string(data), func(r sqltest.Record) string {
					return r.Check(runner(base.With(configs[0].layout), 1))
				})
				if err == nil {
					err = os.WriteFile(file, []byte(out), 0o644)
				}
				if err != nil {
					t.Fatal(err)
				}
				return
			}
			records, err := sqltest.ParseLogic(string(data))
			if err != nil {
				t.Fatal(err)
			}
			for k, c := range configs {
				cat := base.With(c.layout)
				for _, r := range records {
					if testing.Short() && k%2 == 0 && usesBig(r.Query) {
						continue // three ways to keep the large table, of six
					}
					if c.layout.UnitRows == 1 && usesBig(r.Query) {
						continue // 10,000 units say nothing that 1,429 do not
					}
					if got := r.Check(runner(cat, c.workers)); got != r.Want {
						t.Errorf("%s:%d: %s\n%s\ngot\n%s\nwant\n%s", file, r.Line, c.name, r.Query, got, r.Want)
					}
				}
				for _, table := range cat {
					if n := table.OpenScans(); n != 0 {
						t.Errorf("%s: %d scans of %s are still open", c.name, n, table.Name())
					}
				}
			}
		})
	}
}

func usesBig(q string) bool { return strings.Contains(q, "big") }

func runner(cat sqltest.Catalog, workers int) func(string) (*sqltest.Result, error) {
	return func(q string) (*sqltest.Result, error) {
		ctx, cancel := context.WithTimeout(context.Background(), 5*time.Minute)
		defer cancel()
		return sqltest.Collect(sql.Query(ctx, cat, q, nil, sql.Options{Workers: workers, Now: now}))
	}
}

// run runs a query that must succeed and returns its rows as text.
func run(t *testing.T, cat sqltest.Catalog, q string, args ...any) []string {
	t.Helper()
	res, err := sqltest.Collect(sql.Query(context.Background(), cat, q, args, sql.Options{Now: now}))
	if err != nil {
		t.Fatalf("%s: %s", q, sqltest.ErrorText(err, q))
	}
	return res.Text()
}

func ExampleQuery() {
	cat := fixture()
	rows, err := sql.Query(context.Background(), cat, "SELECT eventname, count(*) AS n FROM events GROUP BY 1 ORDER BY n DESC, 1 LIMIT 2", nil, sql.Options{})
	res, err := sqltest.Collect(rows, err)
	if err != nil {
		fmt.Println(err)
		return
	}
	for _, row := range res.Text() {
		fmt.Println(row)
	}
	// Output:
	// ConsoleLogin	3
	// GetObject	3
}
