package sql_test

import (
	"context"
	"flag"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/cairndb/cairn/segment/column"
	"github.com/cairndb/cairn/sql"
	"github.com/cairndb/cairn/sql/sqltest"
)

var (
	windowSeed   = flag.Uint64("window.seed", 1, "the seed of the random windows")
	windowRounds = flag.Int("window.rounds", 400, "how many random tables to ask windows of")
)

// windowRow is a row of the random tables: partition, order key, value.
type windowRow struct{ id, p, k, x any }

// windowSpec is a random window.
type windowSpec struct {
	desc, nullsFirst bool
	unit             string
	start, end       string // "" before a bound without an offset
	startN, endN     int
	function         string
}

// TestWindowsAgainstNaive compares every function over random frames with what
// a reader of the standard would do: look at all rows for each row.
//
//	go test ./sql -run TestWindowsAgainstNaive -window.rounds 20000 -window.seed 7
func TestWindowsAgainstNaive(t *testing.T) {
	seed := *windowSeed
	t.Logf("-window.seed=%d", seed)
	r := rand.New(rand.NewPCG(seed, 1))
	functions := []string{"count(*)", "count(x)", "sum(x)", "min(x)", "max(x)", "array_agg(x)", "bitwise_xor_agg(x)", "first_value(x)", "last_value(x)",
		"nth_value(x, 2)", "first_value(x) ignore nulls", "last_value(x) ignore nulls", "sum(x) filter (where x > 3)", "row_number()", "rank()", "dense_rank()", "lag(x)", "lead(x, 2)"}
	for round := range *windowRounds {
		rows := make([]windowRow, r.IntN(60))
		if round%40 == 0 {
			rows = make([]windowRow, 700) // enough for trees of partial results
		}
		maybe := func(n int) any {
			if r.IntN(6) == 0 {
				return nil
			}
			return r.IntN(n)
		}
		for i := range rows {
			rows[i] = windowRow{i, maybe(3), maybe(1 + len(rows)/3), maybe(10)}
		}
		table := func(pick func(windowRow) any) *column.Vector {
			out := make([]any, len(rows))
			for i := range rows {
				out[i] = pick(rows[i])
			}
			return ints(column.BigIntType, out...)
		}
		cat := sqltest.Catalog{tableOf("w", []string{"id", "p", "k", "x"},
			table(func(w windowRow) any { return w.id }), table(func(w windowRow) any { return w.p }),
			table(func(w windowRow) any { return w.k }), table(func(w windowRow) any { return w.x }))}
		cat = cat.With(configs[round%len(configs)].layout)
		s := windowSpec{desc: r.IntN(2) == 0, nullsFirst: r.IntN(2) == 0, unit: []string{"rows", "range", "groups"}[r.IntN(3)],
			startN: r.IntN(4), endN: r.IntN(4), function: functions[round%len(functions)]}
		if len(rows) > 100 {
			s.startN, s.endN = r.IntN(300), r.IntN(300)
		}
		bounds := []string{"unbounded preceding", "preceding", "current row", "following", "unbounded following"}
		from := r.IntN(4)
		s.start, s.end = bounds[from], bounds[max(1, from)+r.IntN(5-max(1, from))]
		text := func(kind string, n int) string {
			if kind == "preceding" || kind == "following" {
				return fmt.Sprintf("%d %s", n, kind)
			}
			return kind
		}
		order := "k"
		if s.desc {
			order += " desc"
		}
		if s.nullsFirst {
			order += " nulls first"
		}
		frame := ""
		switch s.function {
		case "row_number()", "rank()", "dense_rank()", "lag(x)", "lead(x, 2)":
		default:
			frame = fmt.Sprintf(" %s between %s and %s", s.unit, text(s.start, s.startN), text(s.end, s.endN))
		}
		q := fmt.Sprintf("select id, %s over (partition by p order by %s%s) from w order by id", s.function, order, frame)
		got := run(t, cat, q)
		want := s.naive(rows)
		if !slices.Equal(got, want) {
			for i := range got {
				if i >= len(want) || got[i] != want[i] {
					t.Fatalf("seed %d round %d: %s\nrows %v\nrow %d: got %q, want %q", seed, round, q, rows, i, got[i], want[i])
				}
			}
			t.Fatalf("seed %d round %d: %s: %d rows, want %d", seed, round, q, len(got), len(want))
		}
	}
}

func (s windowSpec) naive(rows []windowRow) []string {
	out := make([]string, len(rows))
	parts := map[any][]windowRow{}
	for _, w := range rows {
		parts[w.p] = append(parts[w.p], w)
	}
	compare := func(a, b windowRow) int {
		switch {
		case a.k == nil && b.k == nil:
			return 0
		case a.k == nil || b.k == nil:
			if (a.k == nil) == s.nullsFirst {
				return -1
			}
			return 1
		}
		c := a.k.(int) - b.k.(int)
		if s.desc {
			c = -c
		}
		return c
	}
	for _, part := range parts {
		slices.SortStableFunc(part, compare)
		group := make([]int, len(part))
		for i := 1; i < len(part); i++ {
			group[i] = group[i-1]
			if compare(part[i-1], part[i]) != 0 {
				group[i]++
			}
		}
		// past returns how far row j is behind row i, in the unit of the frame; at
		// the ends stand NULLs, from and to which there is no distance.
		past := func(i, j int) int {
			switch {
			case s.unit == "rows":
				return j - i
			case s.unit == "groups":
				return group[j] - group[i]
			case part[i].k == nil || part[j].k == nil:
				return (group[j] - group[i]) * 1_000_000
			}
			d := part[j].k.(int) - part[i].k.(int)
			if s.desc {
				d = -d
			}
			return d
		}
		for i, w := range part {
			var frame []int
			for j := range part {
				d := past(i, j)
				after := map[string]bool{"unbounded preceding": true, "preceding": d >= -s.startN, "current row": d >= 0, "following": d >= s.startN}[s.start]
				before := map[string]bool{"preceding": d <= -s.endN, "current row": d <= 0, "following": d <= s.endN, "unbounded following": true}[s.end]
				if s.unit == "range" && w.k == nil {
					if s.start == "preceding" || s.start == "following" {
						after = d >= 0
					}
					if s.end == "preceding" || s.end == "following" {
						before = d <= 0
					}
				}
				if after && before {
					frame = append(frame, j)
				}
			}
			out[w.id.(int)] = fmt.Sprintf("%d\t%s", w.id, s.value(part, group, i, frame))
		}
	}
	return out
}

func (s windowSpec) value(part []windowRow, group []int, i int, frame []int) string {
	show := func(x any) string {
		if x == nil {
			return "NULL"
		}
		return fmt.Sprint(x)
	}
	at := func(j int) string {
		if j < 0 || j >= len(part) {
			return "NULL"
		}
		return show(part[j].x)
	}
	switch s.function {
	case "row_number()":
		return show(i + 1)
	case "dense_rank()":
		return show(group[i] + 1)
	case "rank()":
		return show(slices.Index(group, group[i]) + 1)
	case "lag(x)":
		return at(i - 1)
	case "lead(x, 2)":
		return at(i + 2)
	}
	var all, some []any
	for _, j := range frame {
		all = append(all, part[j].x)
		if x := part[j].x; x != nil && (!strings.Contains(s.function, "filter") || x.(int) > 3) {
			some = append(some, x)
		}
	}
	nth := func(list []any, n int) string {
		if n < 0 || n >= len(list) {
			return "NULL"
		}
		return show(list[n])
	}
	fold := func(f func(a, b int) int) string {
		if len(some) == 0 {
			return "NULL"
		}
		acc := some[0].(int)
		for _, x := range some[1:] {
			acc = f(acc, x.(int))
		}
		return show(acc)
	}
	switch s.function {
	case "count(*)":
		return show(len(all))
	case "count(x)":
		return show(len(some))
	case "sum(x)", "sum(x) filter (where x > 3)":
		return fold(func(a, b int) int { return a + b })
	case "min(x)":
		return fold(func(a, b int) int { return min(a, b) })
	case "max(x)":
		return fold(func(a, b int) int { return max(a, b) })
	case "bitwise_xor_agg(x)":
		return fold(func(a, b int) int { return a ^ b })
	case "first_value(x)":
		return nth(all, 0)
	case "last_value(x)":
		return nth(all, len(all)-1)
	case "nth_value(x, 2)":
		return nth(all, 1)
	case "first_value(x) ignore nulls":
		return nth(some, 0)
	case "last_value(x) ignore nulls":
		return nth(some, len(some)-1)
	}
	if len(all) == 0 {
		return "NULL"
	}
	list := make([]string, len(all))
	for k, x := range all {
		if list[k] = show(x); x == nil {
			list[k] = "null"
		}
	}
	return "[" + strings.Join(list, ", ") + "]"
}

// BenchmarkWindow measures windows and groups, in rows a second of processor time.
func BenchmarkWindow(b *testing.B) {
	const n = 500_000
	cat := sqltest.Catalog{bigTable(n)}.With(sqltest.Layout{UnitRows: 65536, Dict: true})
	for _, bench := range []struct{ name, query string }{
		{"first per key and hour", "select count(*) from (select row_number() over (partition by k, date_trunc('hour', at) order by at) as r from big) as t where r = 1"},
		{"last per key and hour", "select count(*) from (select row_number() over (partition by k, date_trunc('hour', at) order by at desc) as r from big) as t where r = 1"},
		{"number all rows", "select sum(r) from (select row_number() over (partition by k, date_trunc('hour', at) order by at) as r from big) as t"},
		{"running sum", "select max(s) from (select sum(i) over (partition by k order by at) as s from big) as t"},
		{"moving minimum", "select max(s) from (select min(v) over (partition by k order by at rows between 100 preceding and 100 following) as s from big) as t"},
		{"group by two columns", "select count(*) from (select k, few, count(*) from big group by k, few) as t"},
		{"rollup of two columns", "select count(*) from (select k, few, count(*) from big group by rollup (k, few)) as t"},
		{"distinct count per group", "select max(c) from (select k, count(distinct few) as c from big group by k) as t"},
		{"ordered arrays", "select max(cardinality(a)) from (select array_agg(i order by at desc) as a from big group by k) as t"},
	} {
		b.Run(strings.ReplaceAll(bench.name, " ", "-"), func(b *testing.B) {
			before := cpuTime(b)
			for b.Loop() {
				if _, err := sqltest.Collect(sql.Query(context.Background(), cat, bench.query, nil, sql.Options{Workers: 1, Memory: -1})); err != nil {
					b.Fatal(err)
				}
			}
			b.ReportMetric(n*float64(b.N)/(cpuTime(b)-before)/1e6, "Mrows/s/core")
		})
	}
}
