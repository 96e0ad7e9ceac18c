package sql_test

import (
	"context"
	"runtime"
	"runtime/debug"
	"runtime/metrics"
	"sync/atomic"
	"testing"
	"time"

	"github.com/cairndb/cairn/sql"
	"github.com/cairndb/cairn/sql/exec/spill"
	"github.com/cairndb/cairn/sql/sqlerr"
	"github.com/cairndb/cairn/sql/sqltest"
)

// heapPeak runs f and returns by how much the heap has grown at most: with what is garbage,
// or what is live. A collection takes for live what is allocated while it goes on; that
// is taken off, so on a busy machine the result may be too little, and never too much.
func heapPeak(live bool, f func()) int64 {
	defer debug.SetGCPercent(debug.SetGCPercent(20))
	samples := []metrics.Sample{{Name: "/memory/classes/heap/objects:bytes"}, {Name: "/gc/heap/live:bytes"}, {Name: "/gc/heap/allocs:bytes"}}
	read := func() (all, live, allocated int64) {
		metrics.Read(samples)
		return int64(samples[0].Value.Uint64()), int64(samples[1].Value.Uint64()), int64(samples[2].Value.Uint64())
	}
	measure := func() int64 {
		if !live {
			all, _, _ := read()
			return all
		}
		_, _, before := read()
		runtime.GC()
		_, found, after := read()
		return found - (after - before)
	}
	runtime.GC()
	before := measure()
	var peak atomic.Int64
	stop, done := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(done)
		for {
			select {
			case <-stop:
				return
			case <-time.After(3 * time.Millisecond):
			}
			peak.Store(max(peak.Load(), measure()-before))
		}
	}()
	f()
	close(stop)
	<-done
	return peak.Load()
}

// repeated are statements in which a row with arrays of a million elements stands
// as often as it has elements.
var repeated = []string{
	"SELECT max(w) OVER (ORDER BY n RANGE BETWEEN 10 PRECEDING AND 1000 FOLLOWING) FROM large, UNNEST(words, numbers) t(w, n)",
	"SELECT w, n, words FROM large, UNNEST(words, numbers) t(w, n) ORDER BY n",
	"SELECT w, words FROM large, UNNEST(words, numbers) t(w, n) ORDER BY n LIMIT 3000",
	"SELECT n, words FROM large, UNNEST(numbers) t(n) ORDER BY words, n",
	"SELECT words, lag(words) OVER (ORDER BY n), first_value(attrs) OVER (ORDER BY n) FROM large, UNNEST(numbers) t(n)",
	"SELECT words, lag(words, 3, numbers_as_text) OVER (ORDER BY n) FROM (SELECT *, CAST(numbers AS array(varchar)) AS numbers_as_text FROM large), UNNEST(numbers) t(n)",
	"SELECT max(words) OVER (ORDER BY n ROWS BETWEEN 1 PRECEDING AND CURRENT ROW) FROM large, UNNEST(numbers) t(n)",
	"SELECT n, words FROM (SELECT n, words, row_number() OVER (PARTITION BY n % 1000 ORDER BY n) k FROM large, UNNEST(numbers) t(n)) WHERE k < 3",
	"SELECT count(*) FROM large, UNNEST(numbers) t(n) WHERE words[1] = words[CAST(n + 1 AS integer)]",
	"SELECT max(words[CAST(n + 1 AS integer)]) FROM large, UNNEST(numbers) t(n) WHERE n < 9000",
	"SELECT max(cardinality(words || CAST(n AS varchar))) FROM large, UNNEST(numbers) t(n)",
	"SELECT count(*) FROM large, UNNEST(numbers) t(n) WHERE n < 3 AND any_match(words, x -> x = CAST(n AS varchar))",
	"SELECT count(*) FROM large, UNNEST(numbers) t(n) WHERE contains(words, CAST(n AS varchar)) AND n < 3",
	"SELECT max(cardinality(CASE WHEN n % 2 = 0 THEN words ELSE words || 'x' END)) FROM large, UNNEST(numbers) t(n)",
	"SELECT words, count(*) FROM large, UNNEST(numbers) t(n) WHERE n < 9000 GROUP BY words",
	"SELECT count(*) FROM (SELECT DISTINCT words, n FROM large, UNNEST(numbers) t(n) WHERE n < 9000)",
	"SELECT t.n, b.words FROM large a CROSS JOIN UNNEST(a.numbers) t(n) JOIN large b ON b.zero = t.n - t.n",
	"SELECT a.n, a.words FROM (SELECT n, words FROM large, UNNEST(numbers) t(n)) a JOIN (SELECT n FROM large, UNNEST(numbers) t(n)) b ON a.n = b.n",
	"SELECT a.n, a.words FROM (SELECT n, words FROM large, UNNEST(numbers) t(n)) a FULL JOIN (SELECT n, words FROM large, UNNEST(numbers) t(n)) b ON a.n = b.n",
	"SELECT array_agg(words) FROM large, UNNEST(numbers) t(n)",
	"SELECT array_agg(words ORDER BY n) FROM large, UNNEST(numbers) t(n)",
	"SELECT map_agg(n, words) FROM large, UNNEST(numbers) t(n)",
	"SELECT max_by(words, n, 5000) FROM large, UNNEST(numbers) t(n)",
	"SELECT max_by(words, n), arbitrary(words), max(words) FROM large, UNNEST(numbers) t(n) WHERE n < 9000",
	"SELECT n % 5000, max_by(words, n) FROM large, UNNEST(numbers) t(n) GROUP BY 1",
	"SELECT n % 5000, max_by(words, n), arbitrary(words), max(words) FROM large, UNNEST(numbers) t(n) WHERE n < 9000 GROUP BY 1",
	"SELECT words FROM large, UNNEST(numbers) t(n) UNION SELECT words FROM large, UNNEST(numbers) t(n) WHERE n < 9000",
	"WITH x AS (SELECT words, n FROM large, UNNEST(numbers) t(n) ORDER BY n LIMIT 100000) SELECT count(*), max(a.words) FROM x a JOIN x b ON a.n = b.n WHERE a.n < 9000",
	"SELECT n, u.w FROM large, UNNEST(numbers) t(n), UNNEST(words) u(w) WHERE n < 2",
	"SELECT n, (SELECT max(x) FROM UNNEST(words) v(x) WHERE x > CAST(n AS varchar)) FROM large, UNNEST(numbers) t(n) WHERE n < 3",
	"SELECT array_agg(words) OVER (ORDER BY n) FROM large, UNNEST(numbers) t(n) WHERE n < 9000",
	"SELECT n, ROW(words, n) FROM large, UNNEST(numbers) t(n) ORDER BY n",
	"SELECT n, ROW(words, n)[1] FROM large, UNNEST(numbers) t(n) ORDER BY n",
	"SELECT ARRAY[words, words] FROM large, UNNEST(numbers) t(n)",
	"SELECT transform(slice(numbers, 1, 4096), x -> words) FROM large",
	"SELECT count(*) FROM large, UNNEST(transform(numbers, x -> words)) t(w)",
	"SELECT zip_with(numbers, numbers, (x, y) -> words) FROM large",
	"SELECT reduce(numbers, words, (s, x) -> s, s -> s) FROM large",
	"SELECT reduce_agg(n, 0, (s, x) -> s + x, (s, t) -> s + t), count(DISTINCT words) FROM large, UNNEST(numbers) t(n) WHERE n < 9000",
	"SELECT words, attrs, n, count(*) FROM large, UNNEST(numbers) t(n) WHERE n < 9000 GROUP BY GROUPING SETS ((words, n), (attrs), ())",
	"SELECT k, repeat(words, 5000) FROM large, UNNEST(attrs) t(k, v)",
	"SELECT ngrams(repeat(slice(words, 1, 1000), 1000), 100) FROM large",
	"SELECT combinations(repeat(slice(words, 1, 10000), 30), 5) FROM large",
	"SELECT transform(sequence(1, 1000000), x -> x + n) FROM large, UNNEST(numbers) t(n)",
	"SELECT n % 5000, max_by(ab, n) FROM large, UNNEST(numbers) t(n) GROUP BY 1",
	"SELECT map_agg(n, ab), map_agg(n, CAST(n AS varchar) || substr(ab, 9999)) FROM large, UNNEST(numbers) t(n)",
	"SELECT array_agg(CAST(n AS varchar) || substr(ab, 9999)) FROM large, UNNEST(numbers) t(n)",
	"SELECT listagg(CAST(n AS varchar) || substr(ab, 9999)) WITHIN GROUP (ORDER BY n) FROM large, UNNEST(numbers) t(n)",
	"SELECT n, lpad(ab, 16000000, 'x') FROM large, UNNEST(numbers) t(n) ORDER BY n",
	"SELECT ARRAY(SELECT words FROM UNNEST(numbers) u(m)) FROM large",
	"SELECT n, words IN (SELECT words FROM large) FROM large, UNNEST(numbers) t(n) WHERE n < 3",
}

// A value that stands in a million rows is held once, or the query says that it
// does not fit; in no case is there a copy for each row.
func TestRepeatedValues(t *testing.T) {
	if testing.Short() {
		t.Skip("short: what a query holds is the same in runs that are not short")
	}
	large := sqltest.Catalog{largeTable()}
	for k, q := range repeated {
		wait := 2 * time.Second
		if !*cancelAll {
			if wait = 500 * time.Millisecond; k%5 != 0 {
				continue
			}
		}
		ctx, cancel := context.WithTimeout(t.Context(), wait)
		var err error
		start := time.Now()
		grown := heapPeak(false, func() {
			err = drain(sql.Query(ctx, large, q, nil, sql.Options{Workers: 2, Memory: 256 << 20, Files: &spill.MemFiles{}, Disk: 64 << 20}))
		})
		cancel()
		t.Logf("%4d MiB, %5d ms: %.150s: %v", grown>>20, time.Since(start).Milliseconds(), q, err)
		if err != nil && codeOf(err) == sqlerr.Internal {
			t.Errorf("%s\n%v", q, err)
		}
		if grown > 1200<<20 {
			t.Errorf("%s\nhas grown by %d MiB, with a budget of 256 MiB", q, grown>>20)
		}
	}
}
