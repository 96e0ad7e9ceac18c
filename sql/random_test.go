package sql_test

import (
	"context"
	"flag"
	"fmt"
	"math/rand/v2"
	"runtime/debug"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/cairndb/cairn/sql"
	"github.com/cairndb/cairn/sql/sqlerr"
	"github.com/cairndb/cairn/sql/sqltest"
)

// predicates makes random conditions over the events table that cannot fail.
type predicates struct{ *rand.Rand }

func (p predicates) pick(list ...string) string { return list[p.IntN(len(list))] }

func (p predicates) text() string {
	switch p.IntN(8) {
	case 0:
		return "lower(" + p.text() + ")"
	case 1:
		return fmt.Sprintf("substr(%s, %d, %d)", p.text(), p.IntN(5)-1, p.IntN(6))
	case 2:
		return "coalesce(" + p.text() + ", " + p.text() + ")"
	case 3:
		return "CASE WHEN " + p.cond(1) + " THEN " + p.text() + " ELSE " + p.text() + " END"
	case 4:
		return "element_at(requestparameters, " + p.pick("'bucketName'", "'key'", "'none'") + ")"
	}
	return p.pick("eventname", "eventsource", "errorcode", "ip", "useridentity.arn", "useridentity.type",
		"useridentity.sessioncontext.attributes.mfaauthenticated", "eventid", "'ConsoleLogin'", "'AccessDenied'", "''", "NULL")
}

func (p predicates) number() string {
	switch p.IntN(6) {
	case 0:
		return "(" + p.number() + p.pick(" + ", " - ", " * ") + p.pick("1", "2", "-3") + ")"
	case 1:
		return "length(" + p.text() + ")"
	case 2:
		return "try(" + p.number() + " / bytes)"
	}
	return p.pick("bytes", "bytes", "40", "0", "1000", "hour(eventtime)", "cardinality(requestparameters)")
}

func (p predicates) cond(depth int) string {
	if depth > 0 && p.IntN(2) == 0 {
		switch p.IntN(4) {
		case 0:
			return "(" + p.cond(depth-1) + " AND " + p.cond(depth-1) + ")"
		case 1:
			return "(" + p.cond(depth-1) + " OR " + p.cond(depth-1) + ")"
		case 2:
			return "(NOT " + p.cond(depth-1) + ")"
		}
		return "((" + p.cond(depth-1) + ") IS " + p.pick("TRUE", "FALSE", "UNKNOWN", "NOT TRUE", "NOT UNKNOWN") + ")"
	}
	op := func() string { return p.pick(" = ", " <> ", " < ", " <= ", " > ", " >= ", " IS DISTINCT FROM ") }
	switch p.IntN(10) {
	case 0:
		return p.text() + op() + p.text()
	case 1:
		return p.number() + op() + p.number()
	case 2:
		return p.text() + p.pick(" LIKE ", " NOT LIKE ") + p.pick("'%o%'", "'Get%'", "'%s'", "'e_1'", "'%'", "'arn:%root'")
	case 3:
		return p.text() + p.pick(" IN ", " NOT IN ") + p.pick("('ConsoleLogin', 'ListBuckets')", "('AccessDenied', NULL)", "('true')", "(eventname, 'x')")
	case 4:
		return p.number() + p.pick(" BETWEEN ", " NOT BETWEEN ") + p.number() + " AND " + p.number()
	case 5:
		return p.text() + p.pick(" IS NULL", " IS NOT NULL")
	case 6:
		return "eventtime" + op() + p.pick("'2026-03-02 10:00:00'", "'2026-03-03'", "now() - interval '2' day", "timestamp '2026-03-01 09:00:00'")
	case 7:
		return "date(eventtime)" + op() + "date '2026-03-02'"
	case 8:
		return p.number() + p.pick(" IN ", " NOT IN ") + "(40, 7, 1000)"
	}
	return p.pick("readonly", "NOT readonly", "readonly = true", "readonly IS NULL", "true", "NULL = 1")
}

// A long run: go test ./sql -run TestRandomConditions -conditions 20000 -condition.seed 7
var (
	conditionRounds = flag.Int("conditions", 120, "how many random conditions to ask")
	conditionSeed   = flag.Uint64("condition.seed", 1, "the seed of the random conditions")
)

// Every row meets a condition, or its negation, or neither: the three parts
// make the whole. Counting by the condition as a value gives the same as
// filtering by it. And no layout shows in a result.
func TestRandomConditions(t *testing.T) {
	seed := *conditionSeed
	p := predicates{rand.New(rand.NewPCG(seed, 1))}
	base := fixture()
	var cats []sqltest.Catalog
	for _, c := range configs {
		cats = append(cats, base.With(c.layout))
	}
	rounds := *conditionRounds
	if testing.Short() {
		rounds = min(rounds, 50)
	}
	for range rounds {
		cond := p.cond(3)
		var first []string
		for i, cat := range cats {
			ask := func(q string) []string {
				rows, err := runner(cat, configs[i].workers)(q)
				if err != nil {
					t.Fatalf("seed %d, %s: %s\n%s", seed, configs[i].name, q, sqltest.ErrorText(err, q))
				}
				return rows.Text()
			}
			yes := ask("SELECT eventid FROM events WHERE " + cond)
			parts := slices.Concat(yes,
				ask("SELECT eventid FROM events WHERE NOT ("+cond+")"),
				ask("SELECT eventid FROM events WHERE ("+cond+") IS NULL"))
			slices.Sort(parts)
			if got := strings.Join(parts, " "); got != "e01 e02 e03 e04 e05 e06 e07 e08 e09 e10 e11 e12" {
				t.Fatalf("seed %d, %s: %s\nthe three parts are %s", seed, configs[i].name, cond, got)
			}
			if i == 0 {
				first = yes
			} else if !slices.Equal(yes, first) {
				t.Fatalf("seed %d, %s: %s\ngave %q, not %q", seed, configs[i].name, cond, yes, first)
			}
			n := ask("SELECT count_if(" + cond + "), count(*) FILTER (WHERE " + cond + "), coalesce(sum(CASE WHEN " + cond + " THEN 1 ELSE 0 END), 0) FROM events")
			if want := fmt.Sprintf("%d\t%d\t%d", len(yes), len(yes), len(yes)); n[0] != want {
				t.Fatalf("seed %d, %s: %s\nis counted as %s, and met by %d rows", seed, configs[i].name, cond, n[0], len(yes))
			}
		}
	}
}

// FuzzQuery runs whatever parses, in little memory and time, on tables in two
// layouts. No text may bring down the process, and both layouts give the same.
func FuzzQuery(f *testing.F) {
	for _, q := range []string{
		"SELECT * FROM events", "SELECT eventname, count(*) FROM events GROUP BY 1 ORDER BY 2 DESC LIMIT 3",
		"SELECT DISTINCT useridentity.arn FROM events WHERE requestparameters['x'] = 'y'",
		"SELECT CASE i WHEN 1 THEN 'a' END, try(1/i), CAST(s AS double) FROM nums WHERE d > 0 OR s LIKE '%a'",
		"WITH a AS (SELECT * FROM nums), b AS (SELECT * FROM a UNION SELECT * FROM a) SELECT max(s), min_by(s, d) FROM b GROUP BY b HAVING count(*) > 0",
		"VALUES (1, 'a'), (2, NULL)", "EXPLAIN ANALYZE SELECT 1", "SHOW COLUMNS FROM nums",
		"SELECT date_trunc('day', eventtime), approx_distinct(ip) FILTER (WHERE readonly) FROM events GROUP BY 1",
		"SELECT e.eventname, o.total FROM events e LEFT JOIN other o ON e.eventname = o.eventname AND o.total > 5",
		"SELECT * FROM nums a FULL JOIN nums b USING (id) CROSS JOIN other NATURAL JOIN empty",
		"SELECT a.id, l.m FROM nums a, LATERAL (SELECT max(i) m FROM nums b WHERE b.id < a.id) l",
		"SELECT k, v, n FROM events CROSS JOIN UNNEST(requestparameters) WITH ORDINALITY u(k, v, n)",
		"SELECT (SELECT max(i) FROM nums), id IN (SELECT i FROM nums), EXISTS (SELECT 1 FROM other o WHERE o.total = n.id), i > ALL (VALUES 1, 2) FROM nums n",
		"WITH RECURSIVE t(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM t WHERE n < 10) SELECT sum(n) FROM t",
		"SELECT id, sum(i) OVER w, lag(s, 2) OVER (ORDER BY id), rank() OVER w FROM nums WINDOW w AS (PARTITION BY b ORDER BY id ROWS BETWEEN 1 PRECEDING AND CURRENT ROW)",
		"SELECT b, s, count(*), grouping(b, s) FROM nums GROUP BY GROUPING SETS ((b, s), CUBE(b), ())",
		"SELECT transform(sequence(1, id), x -> x * i), reduce(ARRAY[1, 2], 0, (a, x) -> a + x, a -> a) FROM nums",
		"SELECT json_value('{\"a\":[1,2]}', 'lax $.a[*]?(@ > 1)'), json_query(eventjson, '$.a' WITH ARRAY WRAPPER), json_object('k' : id) FROM events, nums",
		"SELECT i FROM nums INTERSECT ALL SELECT i FROM nums EXCEPT (VALUES 1, 2) ORDER BY 1 NULLS FIRST OFFSET 1 FETCH FIRST 2 ROWS ONLY",
		"SELECT DISTINCT ON (b) b, listagg(s, ',') WITHIN GROUP (ORDER BY id), array_agg(i ORDER BY d DESC) FILTER (WHERE i > 0) FROM nums GROUP BY b ORDER BY b",
		"SELECT repeat('x', 100000000)", "SELECT json_extract(eventjson, '$.a.b[0]') FROM events ORDER BY eventtime LIMIT 2 OFFSET 1",
	} {
		f.Add(q)
	}
	base := fixture()
	flat, dict := base.With(sqltest.Layout{UnitRows: 5}), base.With(sqltest.Layout{UnitRows: 5, Dict: true, NullEntry: true, Stats: true, Prune: true})
	f.Fuzz(func(t *testing.T, q string) {
		if len(q) > 2000 {
			return
		}
		defer debug.SetMaxStack(debug.SetMaxStack(64 << 20))
		var answers [2]string
		for i, cat := range []sqltest.Catalog{flat, dict} {
			ctx, cancel := context.WithTimeout(context.Background(), 2*time.Second)
			res, err := sqltest.Collect(sql.Query(ctx, cat, q, nil, sql.Options{Memory: 64 << 10, Workers: 1, Now: now}))
			cancel()
			switch code := codeOf(err); {
			case err == nil:
				rows := res.Text()
				slices.Sort(rows)
				answers[i] = strings.Join(rows, "\n")
			case code == sqlerr.Internal:
				t.Fatalf("%s\n%v", q, err)
			case code == sqlerr.QueryCanceled || code == sqlerr.OutOfMemory:
				return
			default:
				answers[i] = "error " + code
			}
		}
		low := strings.ToLower(q)
		for _, differs := range []string{"rand", "uuid", "shuffle", "explain", "limit", "offset", "fetch", "arbitrary", "any_value", "_by", "agg", "approx", "checksum", "map_union", "histogram", "first", "last"} {
			if strings.Contains(low, differs) {
				return
			}
		}
		if answers[0] != answers[1] {
			t.Fatalf("%s\nflat: %s\ndictionaries: %s", q, answers[0], answers[1])
		}
	})
}
