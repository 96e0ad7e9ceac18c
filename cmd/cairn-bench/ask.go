package main

import (
	"context"
	"fmt"
	"io"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/cairndb/cairn/engine"
	"github.com/cairndb/cairn/sql/fn"
)

// ask puts the questions to all engines in turn (A B C, A B C, …), so that a
// machine that changes its pace changes it for all.
func ask(ctx context.Context, lakeDir, dir string, loaded []*peer, runs int, r *results) error {
	lake, err := engine.Open(lakeDir, &engine.Options{MustExist: true})
	if err != nil {
		return err
	}
	defer lake.Close()
	words, err := placeholders(ctx, lake)
	if err != nil {
		return err
	}
	type asked struct {
		name  string
		words func(question) string
		ask   func(text string) ([][]string, error)
	}
	engines := []asked{{"cairn", func(q question) string { return q.Cairn }, func(text string) ([][]string, error) { return askCairn(ctx, lake, text) }}}
	for _, p := range loaded {
		s, err := p.open(ctx, dir)
		if err != nil {
			return fmt.Errorf("%s: %w", p.title, err)
		}
		defer s.close()
		if !slices.Contains(r.Versions, s.version) {
			r.Versions = append(r.Versions, s.version)
		}
		engines = append(engines, asked{p.name, p.words, func(text string) ([][]string, error) { return s.query(ctx, text) }})
	}
	for _, q := range questions {
		if missing := unfilled.FindString(words.Replace(q.Cairn)); missing != "" {
			step("%s is left out: nothing in the data for %s", q.Name, missing)
			continue
		}
		a := answer{Question: q.Name, What: q.What, Equal: true, Millis: map[string]float64{}, Slowest: map[string]float64{}, Fastest: map[string]float64{}, Ratio: map[string]float64{}}
		times := map[string][]float64{}
		var first [][]string
		for run := range runs + 1 {
			for i, e := range engines {
				text := words.Replace(e.words(q))
				cpu, start := processCPU(), time.Now()
				rows, err := e.ask(text)
				if err != nil {
					return fmt.Errorf("%s on %s: %w\n%s", q.Name, e.name, err, text)
				}
				if run > 0 { // the first round warms caches
					times[e.name] = append(times[e.name], float64(time.Since(start).Microseconds())/1000)
					if i == 0 {
						a.CPU += (processCPU() - cpu) * 1000 / float64(runs)
					}
					continue
				}
				for r := range rows {
					rows[r] = rows[r][:q.Compare]
				}
				if i == 0 {
					first, a.Rows = rows, len(rows)
				} else if !slices.EqualFunc(first, rows, slices.Equal[[]string]) {
					a.Equal = false
					step("%s: %s and %s differ: %d and %d rows; first %v and %v", q.Name, engines[0].name, e.name, len(first), len(rows), head(first), head(rows))
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
		r.Answers = append(r.Answers, a)
	}
	return nil
}

// unfilled finds a placeholder that is left.
var unfilled = regexp.MustCompile(`\{[a-z]+\}`)

func head(rows [][]string) any {
	if len(rows) == 0 {
		return "none"
	}
	return rows[0]
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
				row[c] = fn.Format(v, i)
			}
			out = append(out, row)
		}
	}
}

// placeholders picks values that occur in the data, from the middle of its time: an hour, and what
// is found in the day around it.
func placeholders(ctx context.Context, lake *engine.Lake) (*strings.Replacer, error) {
	const hour = "2006-01-02 15:04:05"
	pairs := []string{}
	pick := func(query string, names ...string) error {
		query = strings.NewReplacer(pairs...).Replace(query)
		rows, err := askCairn(ctx, lake, query)
		if err != nil {
			return fmt.Errorf("%w\n%s", err, query)
		}
		if len(rows) == 0 {
			return nil
		}
		for i, name := range names {
			// A value with a quote or a wildcard would need other words in each dialect.
			if strings.ContainsAny(rows[0][i], `'"\%_{}`) {
				return nil
			}
			pairs = append(pairs, name, rows[0][i])
		}
		return nil
	}
	rows, err := askCairn(ctx, lake, "SELECT date_format(date_trunc('hour', min(eventTime) + (max(eventTime) - min(eventTime)) / 2), '%Y-%m-%d %H:%i:%s') FROM events")
	if err != nil {
		return nil, err
	}
	at, err := time.Parse(hour, rows[0][0])
	if err != nil {
		return nil, fmt.Errorf("the middle of the data: %w", err)
	}
	pairs = append(pairs, "{hour}", at.Format(hour), "{hourend}", at.Add(time.Hour).Format(hour),
		"{day}", at.Add(-12*time.Hour).Format(hour), "{dayend}", at.Add(12*time.Hour).Format(hour))
	const day = " eventTime >= timestamp '{day}' AND eventTime < timestamp '{dayend}' "
	for _, p := range []struct {
		query string
		names []string
	}{
		{"SELECT eventID FROM events WHERE" + day + "ORDER BY eventTime, eventID LIMIT 1", []string{"{id}"}},
		{"SELECT userIdentity.accessKeyId FROM events WHERE userIdentity.accessKeyId <> '' GROUP BY 1 HAVING count(*) BETWEEN 60 AND 400 ORDER BY 1 LIMIT 1", []string{"{key}"}},
		{"SELECT userIdentity.arn FROM events WHERE userIdentity.arn <> '' GROUP BY 1 HAVING count(*) BETWEEN 200 AND 3000 ORDER BY 1 LIMIT 1", []string{"{arn}"}},
		{"SELECT v FROM events CROSS JOIN UNNEST(map_values(requestParameters)) AS u(v) WHERE" + day + "AND regexp_like(v, '^[A-Za-z]*-?[0-9a-f-]{10,40}$') GROUP BY v HAVING count(*) <= 5 ORDER BY v LIMIT 1", []string{"{token}"}},
		{"SELECT eventName, sourceIPAddress, date_format(date_trunc('second', min(eventTime)), '%Y-%m-%d %H:%i:%s'), date_format(date_trunc('second', min(eventTime)) + interval '7' day, '%Y-%m-%d %H:%i:%s') FROM events GROUP BY 1, 2 HAVING count(*) BETWEEN 10 AND 40 ORDER BY 1, 2 LIMIT 1", []string{"{name}", "{address}", "{from}", "{to}"}},
	} {
		if err := pick(p.query, p.names...); err != nil {
			return nil, err
		}
	}
	return strings.NewReplacer(pairs...), nil
}
