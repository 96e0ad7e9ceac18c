package enginetest

import (
	"bytes"
	"context"
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"

	"github.com/cairndb/cairn/engine"
	"github.com/cairndb/cairn/engine/event"
	"github.com/cairndb/cairn/engine/event/generate"
	"github.com/cairndb/cairn/sql/sqltest"
	"github.com/cairndb/cairn/testdata/samples"
)

var rewriteAnswers = flag.Bool("samples.rewrite", false, "write what the sample queries give into testdata/samples/answers")

// sampleLake returns a lake with generated events, as the answers of the
// sample queries were made from.
func sampleLake(t *testing.T, opts *engine.Options) *engine.Lake {
	t.Helper()
	ctx := context.Background()
	gen, err := generate.New(generate.Options{Events: 20000, Seed: 7})
	if err != nil {
		t.Fatal(err)
	}
	logs := t.TempDir()
	if _, err := gen.WriteFiles(ctx, vfs.Default, logs, nil); err != nil {
		t.Fatal(err)
	}
	lake, err := engine.Open(t.TempDir(), opts)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := lake.Close(); err != nil {
			t.Error(err)
		}
	})
	report, err := lake.Import(ctx, engine.ImportOptions{Paths: []string{filepath.Join(logs, "AWSLogs")}})
	if err != nil {
		t.Fatal(err)
	}
	if report.Stored != 20000 {
		t.Fatalf("%d events were stored", report.Stored)
	}
	// The other schemas, each in a store of its name.
	for _, kind := range generate.Kinds() {
		var records [][]byte
		err := generate.EachOf(kind, generate.Options{Events: 500, Seed: 7}, func(raw []byte, _ time.Time) error {
			records = append(records, bytes.Clone(raw))
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
		schema := event.TableCalled(kind)
		if schema == nil {
			t.Fatalf("no schema is called %s", kind)
		}
		store, err := lake.CreateStoreOf(ctx, kind, schema)
		if err != nil {
			t.Fatal(err)
		}
		verdicts, err := store.Append(ctx, records)
		if err != nil {
			t.Fatal(err)
		}
		for _, v := range verdicts {
			if v.Status != engine.Stored {
				t.Fatalf("%s: %s %s: %s", kind, v.Status, v.Reason, v.Detail)
			}
		}
	}
	return lake
}

// TestSamples runs every sample query and compares it with its answer.
func TestSamples(t *testing.T) {
	lake := sampleLake(t, nil)
	const answers = "../../testdata/samples/answers"
	questions := samples.All()
	if len(questions) < 60 {
		t.Errorf("there are %d sample queries", len(questions))
	}
	for _, q := range questions {
		t.Run(q.Name, func(t *testing.T) {
			file := filepath.Join(answers, q.Name+".txt")
			rows, err := lake.Query(context.Background(), q.SQL)
			if err != nil {
				t.Fatal(sqltest.ErrorText(err, q.SQL))
			}
			defer rows.Close()
			res := &sqltest.Result{Columns: rows.Columns()}
			for {
				b, err := rows.Next()
				if b == nil {
					break
				}
				if err != nil {
					t.Fatal(sqltest.ErrorText(err, q.SQL))
				}
				res.Batches = append(res.Batches, b)
			}
			var names []string
			for _, c := range res.Columns {
				names = append(names, c.Name)
			}
			lines := append([]string{strings.Join(names, "\t")}, res.Text()...)
			got := strings.Join(lines, "\n") + "\n"
			if *rewriteAnswers {
				if err := os.WriteFile(file, []byte(got), 0o644); err != nil {
					t.Fatal(err)
				}
				return
			}
			want, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			if got != string(want) {
				t.Errorf("got\n%swant\n%s", got, want)
			}
			if len(lines) == 1 {
				t.Errorf("the answer is empty: the generated events do not show what is asked for")
			}
		})
	}
}
