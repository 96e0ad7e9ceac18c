package sql_test

import (
	"context"
	"flag"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/cairndb/cairn/sql"
	"github.com/cairndb/cairn/sql/sqltest"
)

var (
	scripts = flag.String("scripts", "testdata/scripts/*.test", "the public sqllogictest scripts to run: a pattern of file names")
	engine  = flag.String("engine", "postgresql", "the engine that scripts take Cairn for, in skipif and onlyif")
)

// TestScripts runs scripts in the public sqllogictest format. Others than the
// repository's are run with
//
//	go test ./sql -run TestScripts -v -scripts '/path/to/sqllogictest/test/select*.test'
//
// which ends with how many records passed, failed, were refused as not
// supported, and had statements that only a database with INSERT and UPDATE
// understands.
func TestScripts(t *testing.T) {
	files, err := filepath.Glob(*scripts)
	if err != nil || len(files) == 0 {
		t.Fatalf("no scripts %s: %v", *scripts, err)
	}
	for _, file := range files {
		t.Run(filepath.Base(file), func(t *testing.T) {
			data, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			records, err := sqltest.ParseScript(string(data), *engine)
			if err != nil {
				t.Fatalf("%s: %v", file, err)
			}
			db := &sqltest.Database{Options: sql.Options{Dialect: sql.Postgres, Now: now, Timeout: time.Minute}, Layout: sqltest.Layout{Dict: true, Stats: true, Prune: true, UnitRows: 100}}
			var counts [4]int
			for _, r := range records {
				outcome, why := db.Run(context.Background(), r)
				counts[outcome]++
				switch outcome {
				case sqltest.Failed, sqltest.Refused:
					t.Errorf("%s:%d: %s\n%s", file, r.Line, r.SQL, why)
				case sqltest.Unsupported:
					t.Logf("%s:%d: not run: %s\n%s", file, r.Line, why, r.SQL)
				}
			}
			t.Logf("%s: %d passed, %d failed, %d refused, %d statements not run", file,
				counts[sqltest.Passed], counts[sqltest.Failed], counts[sqltest.Refused], counts[sqltest.Unsupported])
		})
	}
}
