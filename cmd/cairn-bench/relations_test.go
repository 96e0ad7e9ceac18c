package main

import (
	"bytes"
	"context"
	"database/sql"
	"errors"
	"flag"
	"fmt"
	"io"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"

	"github.com/cairndb/cairn/engine"
	"github.com/cairndb/cairn/engine/enginetest"
	"github.com/cairndb/cairn/engine/event/generate"
	"github.com/cairndb/cairn/sql/fn"
)

var (
	queries = flag.Int("queries", 300, "random queries that Cairn and DuckDB are asked")
	seed    = flag.Uint64("seed", 1, "seed of the events and queries")
)

// rowsMost are the rows of an answer that is compared at most: more come of joins without
// conditions, now and then, and would fill the memory.
const rowsMost = 500_000

var errTooManyRows = errors.New("too many rows")

// TestRelationsAgainstDuckDB asks Cairn and DuckDB the same random queries with
// joins, subqueries, grouping sets, windows and set operations.
//
//	go test . -run Relations -queries=100000 -seed=3 -timeout 10h
func TestRelationsAgainstDuckDB(t *testing.T) {
	ctx := context.Background()
	lake, err := engine.Open("lake", &engine.Options{FS: vfs.NewMem(), SegmentRows: 100})
	if err != nil {
		t.Fatal(err)
	}
	defer lake.Close()
	gen, err := generate.New(generate.Options{Events: 400, Seed: *seed, Days: 7, Accounts: 3})
	if err != nil {
		t.Fatal(err)
	}
	var records [][]byte
	if err := gen.Each(func(raw []byte, _ int64) error { records = append(records, bytes.Clone(raw)); return nil }); err != nil {
		t.Fatal(err)
	}
	for name, part := range map[string][][]byte{"events": records[40:], "other": records[:40]} {
		store, err := lake.CreateStore(ctx, name)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := store.Append(ctx, part); err != nil {
			t.Fatal(err)
		}
	}
	duck, err := sql.Open("duckdb", "")
	if err != nil {
		t.Fatal(err)
	}
	defer duck.Close()
	duck.SetMaxOpenConns(1)

	ask := func(text string) (out [][]string, err error) {
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
			if len(out)+b.Len > rowsMost {
				return nil, errTooManyRows
			}
			for i := range b.Len {
				row := make([]string, len(b.Cols))
				for c, v := range b.Cols {
					if row[c] = fn.Format(v, i); v.IsNull(i) {
						row[c] = "NULL"
					}
				}
				out = append(out, row)
			}
		}
	}

	// What Cairn reads of the events is what DuckDB gets.
	values := map[string][]string{}
	types := map[enginetest.RelKind]string{enginetest.RelText: "VARCHAR", enginetest.RelBool: "BOOLEAN", enginetest.RelTime: "TIMESTAMP"}
	for _, table := range []string{"events", "other"} {
		var defs, paths []string
		for _, c := range enginetest.RelColumns {
			defs, paths = append(defs, c.Name+" "+types[c.Kind]), append(paths, c.Path)
		}
		rows, err := ask("SELECT " + strings.Join(paths, ", ") + " FROM " + table)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := duck.Exec("CREATE TABLE " + table + " (" + strings.Join(defs, ", ") + ")"); err != nil {
			t.Fatal(err)
		}
		for _, row := range rows {
			cells := make([]string, len(row))
			for i, text := range row {
				if cells[i] = "'" + strings.ReplaceAll(text, "'", "''") + "'"; text == "NULL" {
					cells[i] = "NULL"
					continue
				}
				c := enginetest.RelColumns[i]
				if list := values[c.Name]; c.Kind != enginetest.RelBool && len(list) < 60 && !strings.ContainsAny(text, "%_\\") && !slices.Contains(list, text) {
					values[c.Name] = append(list, strings.TrimSuffix(text, ".000"))
				}
			}
			if _, err := duck.Exec("INSERT INTO " + table + " VALUES (" + strings.Join(cells, ", ") + ")"); err != nil {
				t.Fatal(err)
			}
		}
	}

	m := enginetest.NewRelMaker(*seed, values)
	faults, large := 0, 0
	for i := range *queries {
		q := m.Query()
		here, hereErr := ask(q.Cairn)
		if hereErr == errTooManyRows {
			large++
			continue
		}
		there, thereErr := askDuck(duck, q)
		fault := ""
		switch {
		case hereErr != nil && thereErr != nil:
		case hereErr != nil:
			fault = "it fails here: " + hereErr.Error()
		case thereErr != nil:
			fault = "it fails there: " + thereErr.Error()
		default:
			a, b := lines(here, q.Ordered), lines(there, q.Ordered)
			if !slices.Equal(a, b) {
				fault = fmt.Sprintf("%d rows here, %d there\nhere  %q\nthere %q", len(a), len(b), a[:min(len(a), 5)], b[:min(len(b), 5)])
			}
		}
		if fault != "" {
			t.Errorf("query %d of -seed=%d: %s\nCairn: %s\nDuckDB: %s", i, *seed, fault, q.Cairn, q.Peer)
			if faults++; faults == 10 {
				t.FailNow()
			}
		}
	}
	if large > *queries/50 {
		t.Errorf("%d of %d queries have more than %d rows", large, *queries, rowsMost)
	}
}

func lines(rows [][]string, ordered bool) []string {
	out := make([]string, len(rows))
	for i, r := range rows {
		out[i] = strings.Join(r, " | ")
	}
	if !ordered {
		slices.Sort(out)
	}
	return out
}

// askDuck returns DuckDB's rows as Cairn writes values.
func askDuck(db *sql.DB, q enginetest.RelQuery) (out [][]string, err error) {
	rows, err := db.Query(q.Peer)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	cells := make([]any, len(q.Kinds))
	for i := range cells {
		cells[i] = new(any)
	}
	for rows.Next() {
		if err := rows.Scan(cells...); err != nil {
			return nil, err
		}
		row := make([]string, len(cells))
		for i, c := range cells {
			switch x := (*c.(*any)).(type) {
			case nil:
				row[i] = "NULL"
			case time.Time:
				row[i] = x.UTC().Format("2006-01-02 15:04:05.000")
			default:
				row[i] = fmt.Sprint(x)
			}
		}
		out = append(out, row)
	}
	return out, rows.Err()
}
