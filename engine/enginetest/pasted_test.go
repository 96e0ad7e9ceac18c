package enginetest

import (
	"context"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/cockroachdb/pebble/v2/vfs"

	"github.com/cairndb/cairn/engine"
	"github.com/cairndb/cairn/engine/event/generate"
	"github.com/cairndb/cairn/sql/sqltest"
)

// TestPasted runs the queries of testdata/pasted, written as people bring them
// from consoles, runbooks and Athena: each must run as it stands, with the store
// named by its name, by its ID, and by its ID in double quotes.
func TestPasted(t *testing.T) {
	ctx := context.Background()
	gen, err := generate.New(generate.Options{Events: 3000, Seed: 11})
	if err != nil {
		t.Fatal(err)
	}
	logs := t.TempDir()
	if _, err := gen.WriteFiles(ctx, vfs.Default, logs, nil); err != nil {
		t.Fatal(err)
	}
	lake, err := engine.Open(t.TempDir(), nil)
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := lake.Close(); err != nil {
			t.Error(err)
		}
	}()
	if _, err := lake.Import(ctx, engine.ImportOptions{Paths: []string{filepath.Join(logs, "AWSLogs")}}); err != nil {
		t.Fatal(err)
	}
	store, err := lake.Store("events")
	if err != nil {
		t.Fatal(err)
	}
	names := []string{"events", store.ID(), `"` + store.ID() + `"`}
	text, err := os.ReadFile("../../testdata/pasted/queries.sql")
	if err != nil {
		t.Fatal(err)
	}
	queries := strings.Split(strings.TrimSpace(string(text)), "\n\n")
	if len(queries) < 150 {
		t.Errorf("there are %d queries", len(queries))
	}
	empty := 0
	for i, q := range queries {
		q = strings.ReplaceAll(q, `"{eds}"`, names[2])
		q = strings.ReplaceAll(q, "{eds}", names[i%len(names)])
		n, err := countRows(ctx, lake, q)
		if err != nil {
			t.Errorf("%s\n%s", q, sqltest.ErrorText(err, q))
			continue
		}
		if n == 0 {
			empty++
			t.Logf("no rows: %s", q)
		}
	}
	t.Logf("%d queries, %d without rows", len(queries), empty)
	if empty > len(queries)/5 {
		t.Errorf("%d of %d queries have no rows", empty, len(queries))
	}
	for _, path := range []string{"$.bucketName", "$['bucketName']", "$.instancesSet.items[0].instanceId", "$"} {
		for _, function := range []string{"json_extract", "json_extract_scalar"} {
			// A map of texts is taken for the object that it is made of.
			q := fmt.Sprintf(`SELECT eventID FROM events WHERE %[1]s(requestParameters, '%[2]s') IS DISTINCT FROM %[1]s(json_extract(eventJson, '$.requestParameters'), '%[2]s')`,
				function, strings.ReplaceAll(path, "'", "''"))
			if n, err := countRows(ctx, lake, q); err != nil || n > 0 {
				t.Errorf("%s\n%d rows, %v", q, n, err)
			}
		}
	}
}

// countRows reads the result of a query to its end.
func countRows(ctx context.Context, lake *engine.Lake, query string) (n int, err error) {
	rows, err := lake.Query(ctx, query)
	if err != nil {
		return 0, err
	}
	defer rows.Close()
	for {
		b, err := rows.Next()
		if err == io.EOF {
			return n, nil
		}
		if err != nil {
			return n, err
		}
		n += b.Len
	}
}
