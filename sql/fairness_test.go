package sql_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/cairndb/cairn/sql"
	"github.com/cairndb/cairn/sql/sqltest"
)

// heavy is a query that keeps all cores at work until it is canceled, light one
// that takes some milliseconds.
const (
	heavy = "SELECT count(*) FROM ev a JOIN ev b ON a.eventname < b.eventname WHERE a.ip || b.ip LIKE '%.199.%'"
	light = "SELECT eventname, count(*), max(size) FROM ev WHERE errorcode = 'AccessDenied' GROUP BY 1 ORDER BY 2 DESC LIMIT 10"
)

// beside runs n heavy queries until the function that it returns is called.
func beside(tb testing.TB, n int, opt sql.Options) (stop func()) {
	ctx, cancel := context.WithCancel(context.Background())
	var all sync.WaitGroup
	for range n {
		all.Go(func() {
			err := drain(sql.Query(ctx, sqltest.Catalog{benchTable()}, heavy, nil, opt))
			if !errors.Is(err, context.Canceled) {
				tb.Errorf("a heavy query ended: %v", err)
			}
		})
	}
	return func() { cancel(); all.Wait() }
}

// BenchmarkLight is how long a light query takes alone, and beside eight heavy
// ones with and without turns.
func BenchmarkLight(b *testing.B) {
	for _, c := range []struct {
		heavy int
		turns *sql.Turns
	}{{0, nil}, {8, nil}, {8, sql.NewTurns()}} {
		b.Run(fmt.Sprintf("heavy=%d/turns=%v", c.heavy, c.turns != nil), func(b *testing.B) {
			opt := sql.Options{Turns: c.turns}
			ask := func() time.Duration {
				start := time.Now()
				if err := drain(sql.Query(context.Background(), sqltest.Catalog{benchTable()}, light, nil, opt)); err != nil {
					b.Fatal(err)
				}
				return time.Since(start)
			}
			ask()
			stop := beside(b, c.heavy, opt)
			time.Sleep(300 * time.Millisecond)
			var took []time.Duration
			for b.Loop() {
				took = append(took, ask())
				time.Sleep(20 * time.Millisecond) // people think
			}
			stop()
			slices.Sort(took)
			b.ReportMetric(float64(took[len(took)/2].Microseconds())/1000, "p50-ms")
			b.ReportMetric(float64(took[len(took)*99/100].Microseconds())/1000, "p99-ms")
		})
	}
}

// Light queries among heavy ones are answered, and the heavy ones live and end
// when they are told to.
func TestLightBesideHeavy(t *testing.T) {
	opt := sql.Options{Turns: sql.NewTurns(), Workers: 2}
	cat := fixture()
	ctx, cancel := context.WithCancel(context.Background())
	var all sync.WaitGroup
	for range 8 {
		all.Go(func() {
			err := drain(sql.Query(ctx, cat, "SELECT count(*) FROM big a, big b, big c", nil, opt))
			if !errors.Is(err, context.Canceled) {
				t.Errorf("a heavy query ended: %v", err)
			}
		})
	}
	for range 50 {
		res, err := sqltest.Collect(sql.Query(t.Context(), cat, "SELECT count(*) FROM nums", nil, opt))
		if err != nil || res.Text()[0] != "8" {
			t.Fatalf("%v, %v", res, err)
		}
	}
	cancel()
	all.Wait()
}
