package sql_test

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"runtime"
	"strings"
	"sync"
	"testing"

	"github.com/cairndb/cairn/segment/column"
	"github.com/cairndb/cairn/sql"
	"github.com/cairndb/cairn/sql/parse"
	"github.com/cairndb/cairn/sql/sqlerr"
	"github.com/cairndb/cairn/sql/sqltest"
)

// logicQueries are the queries of the logic tests.
func logicQueries(t testing.TB) []string {
	t.Helper()
	files, err := filepath.Glob("testdata/*.test")
	if err != nil || len(files) == 0 {
		t.Fatalf("no logic tests: %v", err)
	}
	var out []string
	for _, file := range files {
		data, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		records, err := sqltest.ParseLogic(string(data))
		if err != nil {
			t.Fatal(err)
		}
		for _, r := range records {
			out = append(out, r.Query)
		}
	}
	return out
}

// TestKeptTreesStay: running a statement changes nothing in its tree, so that the next
// run of the same text, by whomever, is that of the text.
func TestKeptTreesStay(t *testing.T) {
	cat := append(fixture(), joinTables()...)
	texts := sql.NewTexts(1 << 30)
	queries := logicQueries(t)
	for i, q := range queries {
		if i%4 != 0 || usesBig(q) {
			continue
		}
		once := make([]string, 2)
		for k := range once {
			res, err := sqltest.Collect(sql.Query(context.Background(), cat, q, nil, sql.Options{Texts: texts, Now: now, Workers: 2}))
			if err != nil {
				once[k] = sqltest.ErrorText(err, q)
			} else {
				once[k] = fmt.Sprint(res.Len())
			}
		}
		if once[0] != once[1] {
			t.Errorf("%s\ngives %s, then %s", q, once[0], once[1])
		}
	}
	n := 0
	texts.Each(func(text string, d sql.Dialect, tree parse.Statement) {
		n++
		fresh, _, err := parse.Parse(text, parse.Options{Dialect: d})
		if err != nil {
			t.Fatal(err)
		}
		if !reflect.DeepEqual(tree, fresh) {
			t.Errorf("the tree of %s was changed", text)
		}
	})
	if n < len(queries)/8 {
		t.Errorf("%d trees of %d queries were kept", n, len(queries))
	}
}

// TestKeptTextsFollowTheCatalogue: the same text over other tables, types and dialects is what it would be without a memory.
func TestKeptTextsFollowTheCatalogue(t *testing.T) {
	texts := sql.NewTexts(1 << 20)
	few := sqltest.Catalog{tableOf("t", []string{"a"}, ints(column.BigIntType, 1, 2))}
	many := sqltest.Catalog{tableOf("t", []string{"a", "b"}, text("x", "y", "z"), ints(column.BigIntType, 1, 2, 3))}
	none := sqltest.Catalog{tableOf("u", []string{"a"}, ints(column.BigIntType, 1))}
	ask := func(cat sql.Catalog, o sql.Options) string {
		o.Texts = texts
		res, err := sqltest.Collect(sql.Query(context.Background(), cat, "SELECT * FROM t WHERE cast(a AS varchar) >= '2' ORDER BY 1", nil, o))
		if err != nil {
			return codeOf(err)
		}
		return strings.Join(res.Text(), " ")
	}
	for range 2 {
		for _, c := range []struct {
			cat  sql.Catalog
			o    sql.Options
			want string
		}{
			{few, sql.Options{}, "2"},
			{many, sql.Options{}, "x\t1 y\t2 z\t3"},
			{none, sql.Options{}, sqlerr.UndefinedTable},
			{few, sql.Options{MaxText: 10}, sqlerr.ProgramLimit},
		} {
			if got := ask(c.cat, c.o); got != c.want {
				t.Errorf("%v: %s, want %s", c.o, got, c.want)
			}
		}
	}
	for range 2 {
		for d, want := range map[sql.Dialect]string{sql.Trino: "_col0", sql.Postgres: "count"} {
			res, err := sqltest.Collect(sql.Query(context.Background(), few, "SELECT count(*) FROM t", nil, sql.Options{Dialect: d, Texts: texts}))
			if err != nil || res.Columns[0].Name != want {
				t.Errorf("dialect %v: %v, %v", d, res, err)
			}
		}
	}
}

// TestTextsKeepWithinLimit: the memory is bounded, by what trees take in truth, and the
// text that was asked for most recently is kept.
func TestTextsKeepWithinLimit(t *testing.T) {
	const limit = 1 << 20
	heap := func() int64 {
		runtime.GC()
		var m runtime.MemStats
		runtime.ReadMemStats(&m)
		return int64(m.HeapAlloc)
	}
	cat := briefTable()
	texts := sql.NewTexts(limit)
	ask := func(q string) {
		if _, err := sqltest.Collect(sql.Query(context.Background(), cat, q, nil, sql.Options{Texts: texts, Workers: 1})); err != nil {
			t.Fatal(err)
		}
	}
	ask("SELECT 1")
	before := heap()
	var long strings.Builder
	for i := range 40 {
		fmt.Fprintf(&long, " OR v = %d AND id BETWEEN %d AND %d", i, i, i+1)
	}
	for i := range 800 {
		ask(fmt.Sprintf("SELECT id, v + %d FROM t WHERE id = 37", i))
		if i%5 == 0 {
			ask(fmt.Sprintf("SELECT id, v + %d FROM t WHERE id = 37%s", i, long.String()))
			ask("SELECT 1")
		}
	}
	grown := heap() - before
	s := texts.Stats()
	if s.Used > limit || s.Used < limit/2 || s.Texts == 0 {
		t.Errorf("%d texts of %d bytes, limit %d", s.Texts, s.Used, limit)
	}
	if grown > 2*limit {
		t.Errorf("the heap has grown by %d bytes for a memory of %d", grown, limit)
	}
	t.Logf("%d texts, %d bytes by their count, %d in the heap", s.Texts, s.Used, grown)
	hits := s.Hits
	ask("SELECT 1")
	if texts.Stats().Hits != hits+1 {
		t.Error("the text that is asked for most was forgotten")
	}
	ask("SELECT 2 -- " + strings.Repeat("x", 20<<10))
	if got := texts.Stats(); got.Texts != s.Texts {
		t.Errorf("a text of 20 KiB is kept: %+v", got)
	}
	if _, err := sqltest.Collect(sql.Query(context.Background(), cat, "SELECT FROM WHERE", nil, sql.Options{Texts: texts})); err == nil {
		t.Error("no error")
	}
	if got := texts.Stats(); got.Texts != s.Texts {
		t.Errorf("a text with an error is kept: %+v", got)
	}
	runtime.KeepAlive(texts)
}

// TestTextsTogether asks from many goroutines.
func TestTextsTogether(t *testing.T) {
	cat := briefTable()
	texts := sql.NewTexts(20 << 10)
	var wg sync.WaitGroup
	for g := range 8 {
		wg.Go(func() {
			for i := range 100 {
				q := fmt.Sprintf("SELECT id + %d FROM t WHERE id = 7", (i*7+g)%23)
				res, err := sqltest.Collect(sql.Query(context.Background(), cat, q, nil, sql.Options{Texts: texts}))
				if err != nil || res.Text()[0] != fmt.Sprint(7+(i*7+g)%23) {
					t.Errorf("%s: %v, %v", q, res, err)
				}
			}
		})
	}
	wg.Wait()
}
