package main

import (
	"context"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"github.com/cairndb/cairn/engine"
	"github.com/cairndb/cairn/sql/fn"
)

// ask puts the questions to all engines in turn (A B C, A B C, …), so that a
// machine that changes its pace changes it for all.
func ask(ctx context.Context, lakeDir string, peer *duck, runs int, events int64) ([]answer, error) {
	lake, err := engine.Open(lakeDir, &engine.Options{MustExist: true})
	if err != nil {
		return nil, err
	}
	defer lake.Close()
	words, err := placeholders(ctx, peer)
	if err != nil {
		return nil, err
	}
	var out []answer
	for _, q := range questions {
		cairnText, duckText := words.Replace(q.Cairn), words.Replace(q.Duck)
		engines := []struct {
			name string
			ask  func() ([][]string, error)
		}{
			{"cairn", func() ([][]string, error) { return askCairn(ctx, lake, cairnText) }},
			{"native", func() ([][]string, error) { return peer.query(ctx, duckText, "native") }},
			{"parquet", func() ([][]string, error) { return peer.query(ctx, duckText, "parquet") }},
		}
		a := answer{Question: q.Name, What: q.What, Equal: true, Millis: map[string]float64{}, Spread: map[string]float64{}}
		times := map[string][]float64{}
		var first [][]string
		for run := range runs + 1 {
			for i, e := range engines {
				start := time.Now()
				rows, err := e.ask()
				if err != nil {
					return nil, fmt.Errorf("%s on %s: %w\n%s", q.Name, e.name, err, cairnText)
				}
				if run > 0 { // the first round warms caches
					times[e.name] = append(times[e.name], float64(time.Since(start).Microseconds())/1000)
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
			a.Millis[name], a.Spread[name] = median(ms)
		}
		out = append(out, a)
	}
	return out, nil
}

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

// placeholders picks values that occur in the data, from its middle.
func placeholders(ctx context.Context, peer *duck) (*strings.Replacer, error) {
	pick := func(query string) ([]string, error) {
		rows, err := peer.query(ctx, query, "native")
		if err != nil {
			return nil, err
		}
		if len(rows) == 0 {
			return nil, fmt.Errorf("no value found by %s", query)
		}
		return rows[0], nil
	}
	const stamp = "'%Y-%m-%d %H:%M:%S'"
	var pairs []string
	for _, p := range []struct {
		names []string
		query string
	}{
		{[]string{"{id}"}, "SELECT eventID FROM events ORDER BY eventTime, eventID LIMIT 1 OFFSET (SELECT count(*) // 2 FROM native)"},
		{[]string{"{key}"}, "SELECT userIdentity.accessKeyId FROM events GROUP BY 1 HAVING count(*) BETWEEN 60 AND 400 AND userIdentity.accessKeyId <> '' ORDER BY 1 LIMIT 1"},
		{[]string{"{arn}"}, "SELECT userIdentity.arn FROM events GROUP BY 1 HAVING count(*) BETWEEN 200 AND 3000 ORDER BY 1 LIMIT 1"},
		{[]string{"{hour}", "{hourend}"}, "SELECT strftime(date_trunc('hour', quantile_disc(eventTime, 0.5)), " + stamp + "), strftime(date_trunc('hour', quantile_disc(eventTime, 0.5)) + INTERVAL 1 HOUR, " + stamp + ") FROM events"},
		{[]string{"{token}"}, "SELECT regexp_extract(requestParameters::VARCHAR, 'i-[0-9a-f]{17}') AS token FROM events WHERE requestParameters::VARCHAR LIKE '%\"i-%' GROUP BY 1 HAVING count(*) BETWEEN 1 AND 5 AND token <> '' ORDER BY 1 LIMIT 1"},
		{[]string{"{name}", "{address}", "{from}", "{to}"}, "SELECT eventName, sourceIPAddress, strftime(min(eventTime), " + stamp + "), strftime(min(eventTime) + INTERVAL 7 DAY, " + stamp + ") FROM events GROUP BY 1, 2 HAVING count(*) BETWEEN 10 AND 40 ORDER BY 1, 2 LIMIT 1"},
	} {
		values, err := pick(p.query)
		if err != nil {
			return nil, err
		}
		for i, name := range p.names {
			pairs = append(pairs, name, values[i])
		}
	}
	return strings.NewReplacer(pairs...), nil
}
