package sql_test

import (
	"context"
	"errors"
	"io"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/cairndb/cairn/segment/column"
	"github.com/cairndb/cairn/sql"
	"github.com/cairndb/cairn/sql/sqlerr"
	"github.com/cairndb/cairn/sql/sqltest"
)

// briefTable has 100 rows in units of 10 that a condition on id prunes.
func briefTable() sqltest.Catalog {
	id, v := make([]any, 100), make([]any, 100)
	for i := range id {
		id[i], v[i] = i, i%7
	}
	return sqltest.Catalog{tableOf("t", []string{"id", "v"}, ints(column.BigIntType, id...), ints(column.BigIntType, v...))}.With(sqltest.Layout{UnitRows: 10, Prune: true, Stats: true})
}

// queryGoroutines returns the stacks of the goroutines that queries have begun. The runtime has some
// of its own that come and go.
func queryGoroutines() (out []string) {
	all := make([]byte, 4<<20)
	for _, g := range strings.Split(string(all[:runtime.Stack(all, true)]), "\n\n") {
		if strings.Contains(g, "\ncreated by github.com/cairndb/cairn/sql") && !strings.Contains(g, "sql_test.") {
			out = append(out, g)
		}
	}
	return out
}

// TestBriefQueries: a query of few rows runs when its rows are asked for, by whoever
// asks, and ends like any other.
func TestBriefQueries(t *testing.T) {
	cat := briefTable()
	start := func(t *testing.T, ctx context.Context, text string, o sql.Options) *sql.Rows {
		t.Helper()
		rows, err := sql.Query(ctx, cat, text, nil, o)
		if err != nil {
			t.Fatal(err)
		}
		return rows
	}
	ctx := context.Background()
	t.Run("no goroutine", func(t *testing.T) {
		for range 500 { // those of earlier tests may still be on their way out
			if len(queryGoroutines()) == 0 {
				break
			}
			time.Sleep(10 * time.Millisecond)
		}
		for _, q := range []string{"SELECT v + 1 FROM t WHERE id = 37 LIMIT 3", "SELECT 1", "VALUES 1, 2"} {
			rows := start(t, ctx, q, sql.Options{})
			for range 3 {
				if _, err := rows.Next(); err != nil && err != io.EOF {
					t.Fatal(err)
				}
			}
			if all := queryGoroutines(); len(all) > 0 {
				t.Errorf("%s has goroutines:\n%s", q, strings.Join(all, "\n\n"))
			}
			rows.Close()
		}
		// A long query has some, so that they are known when they are there.
		rows := start(t, ctx, "SELECT a.v FROM t a, t b, t c", sql.Options{})
		defer rows.Close()
		if _, err := rows.Next(); err != nil {
			t.Fatal(err)
		}
		if len(queryGoroutines()) == 0 {
			t.Error("a long query has no goroutine that is seen")
		}
	})
	t.Run("closed before it began", func(t *testing.T) {
		turns := sql.NewTurns()
		rows := start(t, ctx, "SELECT v FROM t WHERE id = 37", sql.Options{Turns: turns})
		rows.Close()
		rows.Close()
		if _, err := rows.Next(); err == nil || err == io.EOF {
			t.Errorf("rows of a closed query end with %v", err)
		}
	})
	t.Run("context ends before it began", func(t *testing.T) {
		ctx, cancel := context.WithCancel(ctx)
		rows := start(t, ctx, "SELECT v FROM t WHERE id = 37", sql.Options{})
		defer rows.Close()
		cancel()
		if _, err := rows.Next(); !errors.Is(err, context.Canceled) || codeOf(err) != sqlerr.QueryCanceled {
			t.Errorf("error %v", err)
		}
	})
	t.Run("errors come after the rows before them", func(t *testing.T) {
		// Units of one row: the first has an answer, the second fails.
		one := cat.With(sqltest.Layout{UnitRows: 1, Prune: true})
		rows, err := sql.Query(ctx, one, "SELECT 10 / (v - 1) FROM t WHERE id IN (0, 1)", nil, sql.Options{})
		if err != nil {
			t.Fatal(err)
		}
		defer rows.Close()
		if b, err := rows.Next(); err != nil || b.Len != 1 {
			t.Fatalf("the first row: %v", err)
		}
		for range 2 {
			if _, err := rows.Next(); codeOf(err) != sqlerr.DivisionByZero {
				t.Fatalf("error %v", err)
			}
		}
	})
	t.Run("limits of the result", func(t *testing.T) {
		rows := start(t, ctx, "SELECT v FROM t WHERE id IN (3, 14, 15)", sql.Options{MaxRows: 2})
		defer rows.Close()
		var err error
		for err == nil {
			_, err = rows.Next()
		}
		if codeOf(err) != sqlerr.ProgramLimit {
			t.Errorf("error %v", err)
		}
	})
	t.Run("closed by others while it runs", func(t *testing.T) {
		for range 200 {
			rows := start(t, ctx, "SELECT v FROM t WHERE id IN (3, 14, 15)", sql.Options{})
			var wg sync.WaitGroup
			wg.Go(func() { rows.Close() })
			for {
				if _, err := rows.Next(); err != nil {
					if err != io.EOF && codeOf(err) != sqlerr.QueryCanceled {
						t.Error(err)
					}
					break
				}
			}
			wg.Wait()
			rows.Stats()
		}
	})
	t.Run("statistics", func(t *testing.T) {
		rows := start(t, ctx, "SELECT v FROM t WHERE id IN (3, 14, 15)", sql.Options{})
		n := int64(0)
		for {
			b, err := rows.Next()
			if err != nil {
				break
			}
			n += int64(b.Len)
		}
		if s := rows.Stats(); s.Rows != n || n != 3 || s.Elapsed <= 0 {
			t.Errorf("%d rows, %+v", n, s)
		}
	})
}
