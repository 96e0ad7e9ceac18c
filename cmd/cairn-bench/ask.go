package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/cairndb/cairn/engine"
	"github.com/cairndb/cairn/segment/column"
	"github.com/cairndb/cairn/sql/fn"
	"github.com/cairndb/cairn/sql/sqlerr"
)

// readOnlyBytes is the budget of a query of a lake that is read only, where nothing can go to temporary files: enough for the
// questions that other lakes spill for, at a hundred million events.
const readOnlyBytes = 2 << 30

// openCairn opens the lake to be asked, one that is not the run's own for reading only.
func (b *benchmark) openCairn(dir string) (*engine.Lake, error) {
	o := &engine.Options{MustExist: true}
	if b.lake != "" {
		o.ReadOnly, o.QueryBytes = true, readOnlyBytes
	}
	return engine.Open(dir, o)
}

// An asked engine answers one question at a time.
type asked struct {
	name   string
	inside bool // it runs in this process
	words  func(question) string
	ask    func(text string) ([][]string, error)
}

// ask puts the questions to all engines in turn (A B C, A B C, …), so that a
// machine that changes its pace changes it for all.
func (b *benchmark) ask(ctx context.Context, lakeDir, dir string, r *results) error {
	lake, err := b.openCairn(lakeDir)
	if err != nil {
		return err
	}
	defer lake.Close()
	step("looking for what to ask for")
	var texts strings.Builder
	for _, q := range slices.Concat(questions, variants) {
		if b.asks(q.Name) {
			texts.WriteString(q.Cairn)
		}
	}
	words, err := placeholders(ctx, lake, func(name string) bool { return strings.Contains(texts.String(), name) })
	if err != nil {
		return err
	}
	engines := []asked{{"cairn", true, func(q question) string { return q.Cairn }, func(text string) ([][]string, error) { return askCairn(ctx, lake, text) }}}
	for _, p := range b.peers {
		s, err := p.open(ctx, dir)
		if err != nil {
			return fmt.Errorf("%s: %w", p.title, err)
		}
		defer s.close()
		if !slices.Contains(r.Versions, s.version) {
			r.Versions = append(r.Versions, s.version)
		}
		engines = append(engines, asked{p.name, s.inside, p.words, func(text string) ([][]string, error) { return s.query(ctx, text) }})
	}
	for _, q := range slices.Concat(questions, variants) {
		if !b.asks(q.Name) {
			continue
		}
		if missing := unfilled.FindString(words.Replace(q.Cairn)); missing != "" {
			r.LeftOut = append(r.LeftOut, fmt.Sprintf("%s %s is left out: nothing in the data for %s", q.Name, q.What, missing))
			continue
		}
		step("%s %s", q.Name, q.What)
		with := slices.DeleteFunc(slices.Clone(engines), func(e asked) bool { return e.words(q) == "" })
		a, err := measureAnswer(q.Name, q.What, b.runs, with, func(e asked) ([][]string, error) {
			text := words.Replace(e.words(q))
			rows, err := e.ask(text)
			if err != nil {
				return nil, fmt.Errorf("%s on %s: %w\n%s", q.Name, e.name, err, text)
			}
			for r := range rows {
				rows[r] = rows[r][:q.Compare]
			}
			return rows, nil
		})
		if err != nil {
			return err
		}
		r.Answers = append(r.Answers, a)
	}
	return b.askLookups(ctx, lake, r)
}

// asks reports whether a question is to be asked.
func (b *benchmark) asks(name string) bool {
	return b.wanted[name] || b.wanted == nil && !slices.ContainsFunc(variants, func(q question) bool { return q.Name == name })
}

// measureAnswer has all engines answer runs times in turn, after once to warm caches, and compares what they answer first.
func measureAnswer(name, what string, runs int, engines []asked, answerOf func(asked) ([][]string, error)) (answer, error) {
	a := answer{Question: name, What: what, Equal: true, Millis: map[string]float64{}, Slowest: map[string]float64{}, Fastest: map[string]float64{}, Ratio: map[string]float64{}, First: map[string]float64{}, CPU: map[string]float64{}}
	times := map[string][]float64{}
	var first [][]string
	for run := range runs + 1 {
		for i, e := range engines {
			cpu, start := processCPU(), time.Now()
			rows, err := answerOf(e)
			if err != nil {
				return a, err
			}
			if run > 0 {
				times[e.name] = append(times[e.name], float64(time.Since(start).Microseconds())/1000)
				if e.inside {
					a.CPU[e.name] += (processCPU() - cpu) * 1000 / float64(runs)
				}
				continue
			}
			a.First[e.name] = float64(time.Since(start).Microseconds()) / 1000
			if i == 0 {
				first, a.Rows = rows, len(rows)
			} else if !slices.EqualFunc(first, rows, slices.Equal[[]string]) {
				a.Equal = false
				step("%s: %s and %s differ: %d and %d rows; %s", name, engines[0].name, e.name, len(first), len(rows), difference(first, rows))
			}
		}
	}
	for name, ms := range times {
		slices.Sort(ms)
		a.Fastest[name], a.Millis[name], a.Slowest[name] = ms[0], ms[len(ms)/2], ms[len(ms)-1]
	}
	for name, ms := range a.Millis {
		if name != "cairn" {
			a.Ratio[name] = ms / max(a.Millis["cairn"], 0.001)
		}
	}
	return a, nil
}

// unfilled finds a placeholder that is left.
var unfilled = regexp.MustCompile(`\{[a-z]+\}`)

// difference tells the first row in which two answers differ.
func difference(a, b [][]string) string {
	for i := range max(len(a), len(b)) {
		switch {
		case i >= len(a):
			return fmt.Sprintf("row %d is %q in the second only", i, b[i])
		case i >= len(b):
			return fmt.Sprintf("row %d is %q in the first only", i, a[i])
		case !slices.Equal(a[i], b[i]):
			return fmt.Sprintf("row %d is %q and %q", i, a[i], b[i])
		}
	}
	return "no difference"
}

func askCairn(ctx context.Context, lake *engine.Lake, text string) (out [][]string, err error) {
	rows, err := lake.Query(ctx, text)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	for {
		b, err := rows.Next()
		if err == io.EOF {
			return out, nil
		}
		if err != nil {
			return nil, err
		}
		for i := range b.Len {
			row := make([]string, len(b.Cols))
			for c, v := range b.Cols {
				row[c] = cell(v, i)
			}
			out = append(out, row)
		}
	}
}

// null is how NULL is written in answers that are compared.
const null = "NULL"

func cell(v *column.Vector, i int) string {
	if v.IsNull(i) {
		return null
	}
	return fn.Format(v, i)
}

// placeholders picks values that occur in the data, from the middle of its time: an hour, and what
// is found in the day around it. Only what is wanted is looked for. Where nothing is as frequent as it is meant to be, what
// comes closest is taken.
func placeholders(ctx context.Context, lake *engine.Lake, wanted func(name string) bool) (*strings.Replacer, error) {
	const hour = "2006-01-02 15:04:05"
	rows, err := askCairn(ctx, lake, "SELECT date_format(date_trunc('hour', min(eventTime) + (max(eventTime) - min(eventTime)) / 2), '%Y-%m-%d %H:%i:%s') FROM events")
	if err != nil {
		return nil, err
	}
	at, err := time.Parse(hour, rows[0][0])
	if err != nil {
		return nil, fmt.Errorf("the middle of the data: %w", err)
	}
	pairs := []string{"{hour}", at.Format(hour), "{hourend}", at.Add(time.Hour).Format(hour),
		"{day}", at.Add(-12 * time.Hour).Format(hour), "{dayend}", at.Add(12 * time.Hour).Format(hour),
		"{week}", at.Add(-84 * time.Hour).Format(hour), "{weekend}", at.Add(84 * time.Hour).Format(hour)}
	const (
		day    = " eventTime >= timestamp '{day}' AND eventTime < timestamp '{dayend}' "
		week   = " eventTime >= timestamp '{week}' AND eventTime < timestamp '{weekend}' "
		needle = "SELECT eventName, sourceIPAddress, date_format(date_trunc('second', min(eventTime)), '%Y-%m-%d %H:%i:%s'), date_format(date_trunc('second', min(eventTime)) + interval '7' day, '%Y-%m-%d %H:%i:%s') FROM events "
	)
	for _, p := range []struct {
		names   []string
		queries []string // the first that finds something counts
	}{
		{[]string{"{id}"}, []string{
			"SELECT eventID FROM events WHERE" + day + "ORDER BY eventTime, eventID LIMIT 1",
			"SELECT eventID FROM events ORDER BY eventTime, eventID LIMIT 1"}},
		{[]string{"{key}"}, []string{
			"SELECT userIdentity.accessKeyId FROM events WHERE userIdentity.accessKeyId <> '' GROUP BY 1 HAVING count(*) BETWEEN 60 AND 400 ORDER BY 1 LIMIT 1",
			"SELECT userIdentity.accessKeyId FROM events WHERE userIdentity.accessKeyId <> '' AND" + week + "GROUP BY 1 ORDER BY abs(count(*) - 200), 1 LIMIT 1",
			"SELECT userIdentity.accessKeyId FROM events WHERE userIdentity.accessKeyId <> '' GROUP BY 1 ORDER BY abs(count(*) - 200), 1 LIMIT 1"}},
		{[]string{"{arn}"}, []string{
			"SELECT userIdentity.arn FROM events WHERE userIdentity.arn <> '' GROUP BY 1 HAVING count(*) BETWEEN 200 AND 3000 ORDER BY 1 LIMIT 1",
			"SELECT userIdentity.arn FROM events WHERE userIdentity.arn <> '' GROUP BY 1 ORDER BY abs(count(*) - 1000), 1 LIMIT 1"}},
		{[]string{"{account}"}, []string{
			"SELECT recipientAccountId FROM events WHERE recipientAccountId <> '' GROUP BY 1 ORDER BY count(*) DESC, 1 LIMIT 1"}},
		{[]string{"{token}"}, []string{
			"SELECT v FROM events CROSS JOIN UNNEST(map_values(requestParameters)) AS u(v) WHERE" + day + "AND regexp_like(v, '^[A-Za-z]*-?[0-9a-f-]{10,40}$') GROUP BY v HAVING count(*) <= 5 ORDER BY v LIMIT 1"}},
		{[]string{"{name}", "{address}", "{from}", "{to}"}, []string{
			needle + "GROUP BY 1, 2 HAVING count(*) BETWEEN 10 AND 40 ORDER BY 1, 2 LIMIT 1",
			needle + "WHERE" + week + "GROUP BY 1, 2 HAVING count(*) BETWEEN 10 AND 40 ORDER BY 1, 2 LIMIT 1",
			needle + "WHERE sourceIPAddress <> '' GROUP BY 1, 2 ORDER BY abs(count(*) - 20), 1, 2 LIMIT 1"}},
	} {
		if !slices.ContainsFunc(p.names, wanted) {
			continue
		}
		for _, query := range p.queries {
			query = strings.NewReplacer(pairs...).Replace(query)
			rows, err := askCairn(ctx, lake, query)
			var fault *sqlerr.Error
			if errors.As(err, &fault) && fault.Code == sqlerr.OutOfMemory { // a query of fewer events may follow
				step("%s: %v", p.names[0], err)
				continue
			}
			if err != nil {
				return nil, fmt.Errorf("%w\n%s", err, query)
			}
			// A value with a quote or a wildcard would need other words in each dialect.
			if len(rows) == 0 || slices.ContainsFunc(rows[0], func(v string) bool { return v == null || strings.ContainsAny(v, `'"\%_{}`) }) {
				continue
			}
			for i, name := range p.names {
				pairs = append(pairs, name, rows[0][i])
			}
			break
		}
	}
	return strings.NewReplacer(pairs...), nil
}
