package sql_test

import (
	"context"
	"flag"
	"fmt"
	"math/rand/v2"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/cairndb/cairn/sql"
	"github.com/cairndb/cairn/sql/exec"
	"github.com/cairndb/cairn/sql/parse"
	"github.com/cairndb/cairn/sql/plan"
	"github.com/cairndb/cairn/sql/sqltest"
)

// A long run: go test ./sql -run TestRandomSubqueries -subqueries 20000
var subqueryRounds = flag.Int("subqueries", 150, "how many random sub-queries to compare")
var subquerySeed = flag.Uint64("subquery.seed", 1, "the seed of the random sub-queries")

// subqueries makes random correlated sub-queries over nums.
type subqueries struct{ *rand.Rand }

func (g subqueries) pick(list ...string) string { return list[g.IntN(len(list))] }

// query makes a query with sub-queries up to d levels deep; outer are the
// aliases around it.
func (g subqueries) query(column string, outer []string, d int) string {
	alias := fmt.Sprintf("t%d", len(outer))
	all := append(slices.Clone(outer), alias)
	conds := []string{}
	for range g.IntN(3) {
		conds = append(conds, g.cond(all, d))
	}
	if len(outer) > 0 {
		// Mostly what can be looked up.
		c := g.pick("i", "s", "b", "id", "d")
		conds = append(conds, fmt.Sprintf("%s.%s %s %s.%s", alias, c, g.pick("=", "=", "=", "IS NOT DISTINCT FROM", "<"), outer[g.IntN(len(outer))], c))
	}
	from := "nums " + alias
	if g.IntN(5) == 0 {
		from = fmt.Sprintf("(SELECT id, i, d, s, b FROM nums WHERE id %s %d UNION ALL SELECT 9, 10, 0e0, 'a', true) %s", g.pick("<", ">", "<>"), g.IntN(9), alias)
	}
	q := " FROM " + from
	if len(conds) > 0 {
		q += " WHERE " + strings.Join(conds, g.pick(" AND ", " AND ", " OR "))
	}
	switch column {
	case "scalar":
		agg := g.pick("count(*)", "max(%s.id)", "min(%s.s)", "sum(%s.id)", "count(DISTINCT %s.b)", "count(*) + 1", "coalesce(max(%s.i), 0)", "sum(1 / (%s.id - 4))")
		if strings.Contains(agg, "%s") {
			agg = fmt.Sprintf(agg, alias)
		}
		return "SELECT " + agg + q + g.pick("", "", "", fmt.Sprintf(" HAVING count(*) %s 1", g.pick("<", ">")))
	case "one":
		return fmt.Sprintf("SELECT %s.id", alias) + q + g.pick("", "", fmt.Sprintf(" ORDER BY %s.id LIMIT 1", alias))
	}
	q = fmt.Sprintf("SELECT %s.%s", alias, column) + q
	switch g.IntN(6) {
	case 0:
		return q + fmt.Sprintf(" GROUP BY %s.%s", alias, column)
	case 1:
		return strings.Replace(q, "SELECT ", "SELECT DISTINCT ", 1)
	case 2:
		return q + fmt.Sprintf(" INTERSECT ALL SELECT %s.%s FROM nums %s WHERE %s.b = %s.b", alias, column, alias, alias, outer[g.IntN(len(outer))])
	}
	return q
}

func (g subqueries) cond(in []string, d int) string {
	a, b := in[g.IntN(len(in))], in[g.IntN(len(in))]
	if d > 0 && g.IntN(3) == 0 {
		return g.predicate(in, d-1)
	}
	return g.pick(fmt.Sprintf("%s.id > %d", a, g.IntN(8)), fmt.Sprintf("%s.i = %s.i", a, b), fmt.Sprintf("%s.b", a), fmt.Sprintf("%s.s IS NOT NULL", a),
		fmt.Sprintf("%s.id <> %s.id", a, b), fmt.Sprintf("10 / (%s.id - 3) < 4", a))
}

func (g subqueries) predicate(in []string, d int) string {
	a := in[g.IntN(len(in))]
	c := g.pick("i", "s", "id", "d")
	switch g.IntN(5) {
	case 0:
		return g.pick("", "NOT ") + "EXISTS (" + g.query("id", in, d) + ")"
	case 1:
		return fmt.Sprintf("%s.%s %s (%s)", a, c, g.pick("IN", "NOT IN"), g.query(c, in, d))
	case 2:
		return fmt.Sprintf("%s.%s %s %s (%s)", a, c, g.pick("=", "<>", "<", ">="), g.pick("ANY", "ALL"), g.query(c, in, d))
	case 3:
		return fmt.Sprintf("(CASE WHEN %s.id > 3 THEN (%s) END) IS NOT NULL", a, g.query("scalar", in, d))
	}
	return fmt.Sprintf("(%s) IS NULL", g.query(g.pick("scalar", "one"), in, d))
}

// division finds the expressions of random queries that may fail.
var division = regexp.MustCompile(`\b10* / (\(\w+\.id - \d\)|\w+\.bytes)`)

// tried returns a query with NULL where its divisions fail. A plan may find that
// a row needs no expression that fails, since another condition has dropped it.
// Then nothing hangs on the value, and any plan gives the same with NULL in its
// place.
func tried(q string) string { return division.ReplaceAllString(q, "try($0)") }

// A sub-query gives the same rows, or the same error, whether it is answered by
// lookup or run for every combination of what it refers to.
func TestRandomSubqueries(t *testing.T) {
	seed := *subquerySeed
	g := subqueries{rand.New(rand.NewPCG(seed, 2))}
	base := fixture()
	cats := []sqltest.Catalog{base, base.With(sqltest.Layout{UnitRows: 3, Dict: true, NullEntry: true, Prune: true})}
	rounds := *subqueryRounds
	failed, unjudged := 0, 0
	for round := range rounds {
		in := []string{"o"}
		q := "SELECT o.id, " + g.predicate(in, 2) + " FROM nums o"
		if g.IntN(2) == 0 {
			q = "SELECT o.id FROM nums o WHERE " + g.predicate(in, 2) + g.pick("", " OR o.id = 2", " AND o.id <> 5")
		}
		tree, _, err := parse.Parse(q, parse.Options{})
		if err != nil {
			t.Fatalf("seed %d: %s\n%v", seed, q, err)
		}
		trying, _, err := parse.Parse(tried(q), parse.Options{})
		if err != nil {
			t.Fatalf("seed %d: %s\n%v", seed, q, err)
		}
		ask := func(off plan.Rules, cat sqltest.Catalog, tree parse.Statement) string {
			p, err := plan.Bind(context.Background(), cat, tree, plan.Options{Now: now, Off: off})
			if err != nil {
				t.Fatalf("seed %d: %s\n%s", seed, q, sqltest.ErrorText(err, q))
			}
			var rows *sql.Rows
			rows, err = exec.Start(context.Background(), p, exec.Options{Workers: 2})
			res, err := sqltest.Collect(rows, err)
			if err != nil {
				return "error" // which of several comes first depends on the layout
			}
			text := res.Text()
			slices.Sort(text)
			return strings.Join(text, "\n")
		}
		for i, cat := range cats {
			// By layout, for EXISTS ends at the first row that is found: an error of
			// a later unit is not heard of.
			plain := plan.RulesOf(plan.SemiJoins, plan.Lookups)
			want, got := ask(plain, cat, tree), ask(0, cat, tree)
			if i == 0 && want == "error" {
				failed++
			}
			if want == "error" && got != "error" {
				if want = ask(plain, cat, trying); want == "error" {
					unjudged++ // a sub-query of several rows, which TRY does not catch
					continue
				}
			}
			if got != want {
				t.Fatalf("seed %d, round %d, layout %d: %s\ngot\n%s\nwant\n%s", seed, round, i, q, got, want)
			}
		}
	}
	t.Logf("seed %d: %d of %d queries failed, %d answers could not be judged", seed, failed, rounds, unjudged)
	if unjudged*100 > rounds*len(cats) {
		t.Errorf("seed %d: %d answers could not be judged: too many of %d", seed, unjudged, rounds*len(cats))
	}
}
