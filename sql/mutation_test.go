package sql_test

import (
	"context"
	"flag"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"github.com/cairndb/cairn/sql"
	"github.com/cairndb/cairn/sql/parse"
	"github.com/cairndb/cairn/sql/sqlerr"
	"github.com/cairndb/cairn/sql/sqltest"
)

var (
	mutants      = flag.Int("mutants", 1500, "how many mutants of the logic tests' queries to run")
	mutationSeed = flag.Uint64("mutants.seed", 1, "the seed of the mutants")
)

// pieces cuts a query into words, numbers, strings, spaces and single characters.
func pieces(q string) []string {
	var out []string
	letter := func(c byte) bool {
		return c == '_' || c >= '0' && c <= '9' || c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= 0x80
	}
	for i := 0; i < len(q); {
		j := i + 1
		switch {
		case letter(q[i]):
			for j < len(q) && letter(q[j]) {
				j++
			}
		case q[i] == '\'' || q[i] == '"':
			if end := strings.IndexByte(q[j:], q[i]); end >= 0 {
				j += end + 1
			}
		}
		out = append(out, q[i:j])
		i = j
	}
	return out
}

// A query of the logic tests with one or two pieces left out, doubled, swapped or
// replaced by those of another query ends in an answer or in an error of a class
// that clients know; never in an internal one, and not after its time.
//
//	go test ./sql -run Mutants -mutants 200000 -mutants.seed 7
func TestMutants(t *testing.T) {
	var queries []string
	for _, file := range logicFiles(t) {
		_, records := logicFile(t, file)
		for _, r := range records {
			if len(r.Query) < 2000 {
				queries = append(queries, r.Query)
			}
		}
	}
	t.Logf("-mutants.seed=%d, of %d queries", *mutationSeed, len(queries))
	r := rand.New(rand.NewPCG(*mutationSeed, 4))
	cat := append(fixture(), joinTables()...).With(sqltest.Layout{UnitRows: 700, Dict: true, NullEntry: true, Stats: true, Prune: true})
	answers, errs, slow := 0, map[string]int{}, 0
	for i := range *mutants {
		p := pieces(queries[r.IntN(len(queries))])
		other := pieces(queries[r.IntN(len(queries))])
		for range 1 + r.IntN(2) {
			k := r.IntN(len(p))
			switch r.IntN(5) {
			case 0:
				p = append(p[:k:k], p[k+1:]...)
			case 1:
				p = append(p[:k+1:k+1], p[k:]...)
			case 2:
				n := r.IntN(len(p))
				p[k], p[n] = p[n], p[k]
			case 3:
				p[k] = other[r.IntN(len(other))]
			case 4:
				p = append(p[:k:k], append([]string{" ", other[r.IntN(len(other))], " "}, p[k:]...)...)
			}
			if len(p) == 0 {
				p = []string{"SELECT"}
			}
		}
		q := strings.Join(p, "")
		dialect := []parse.Dialect{sql.Trino, sql.Postgres}[i%2]
		start := processTime(t).Seconds()
		ctx, cancel := context.WithTimeout(context.Background(), 2*time.Second)
		_, err := sqltest.Collect(sql.Query(ctx, cat, q, nil, sql.Options{Memory: 1 << 20, Workers: 1, Now: now, Dialect: dialect}))
		cancel()
		if spent := processTime(t).Seconds() - start; spent > 10 {
			t.Errorf("%.1f s of CPU, of 2 s that it has\n%s", spent, q)
		}
		switch code := codeOf(err); {
		case err == nil:
			answers++
		case code == sqlerr.Internal || len(code) != 5 || code == "":
			t.Errorf("mutant %d of seed %d: %s\n%s", i, *mutationSeed, q, sqltest.ErrorText(err, q))
		case code == sqlerr.QueryCanceled:
			slow++
		default:
			errs[code]++
		}
		if t.Failed() {
			return
		}
	}
	t.Logf("%d answers, %d out of time, errors %v", answers, slow, errs)
	if answers == 0 || len(errs) < 10 {
		t.Error("the mutants are not near enough to queries")
	}
}
