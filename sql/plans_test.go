package sql_test

import (
	"context"
	"flag"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/cairndb/cairn/sql/exec"
	"github.com/cairndb/cairn/sql/sqltest"
)

var writePlans = flag.Bool("write.plans", false, "write testdata/plans.txt anew from what the planner does")

// TestPlans holds what the planner makes of queries against testdata/plans.txt:
// queries, each followed by ---- and its plan, and an empty line. After a change
// that is meant to change plans: go test ./sql -run TestPlans -write.plans
func TestPlans(t *testing.T) {
	const file = "testdata/plans.txt"
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	cat := append(fixture(), joinTables()...)
	var out []string
	for _, block := range strings.Split(strings.TrimSpace(string(text)), "\n\n") {
		q, want, _ := strings.Cut(block, "\n----\n")
		var query []string
		for _, l := range strings.Split(q, "\n") {
			if !strings.HasPrefix(l, "#") {
				query = append(query, l)
			}
		}
		got := strings.Join(planOf(t, cat, strings.Join(query, "\n")), "\n")
		if got != want && !*writePlans {
			t.Errorf("%s\ngot\n%s\nwant\n%s", q, got, want)
		}
		out = append(out, q+"\n----\n"+got)
	}
	if *writePlans {
		if err := os.WriteFile(file, []byte(strings.Join(out, "\n\n")+"\n"), 0o644); err != nil {
			t.Fatal(err)
		}
	}
}

// planOf returns the lines of EXPLAIN but for what depends on the layout of
// tables.
func planOf(t *testing.T, cat sqltest.Catalog, query string) []string {
	t.Helper()
	rows, err := exec.Start(context.Background(), bound(t, cat, "EXPLAIN "+query), exec.Options{})
	if err != nil {
		t.Fatalf("%s\n%v", query, err)
	}
	defer rows.Close()
	b, err := rows.Next()
	if err != nil {
		t.Fatal(err)
	}
	return slices.DeleteFunc(slices.Clone(b.Cols[0].Str), func(l string) bool {
		l = strings.TrimSpace(l)
		return strings.HasPrefix(l, "segments: ") || strings.HasPrefix(l, "rows: ") || strings.HasPrefix(l, "columns: ")
	})
}
