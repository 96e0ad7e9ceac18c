package engine

import (
	"context"
	"errors"
	"io"
	"slices"
	"testing"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"

	"github.com/cairndb/cairn/sql/sqlerr"
)

// temporary lists the temporary files of the lake.
func temporary(t *testing.T, l *Lake) []string {
	t.Helper()
	names, err := l.opts.FS.List(l.temp.dir)
	if err != nil {
		t.Fatal(err)
	}
	return names
}

// TestQueriesSpillIntoTheLake sorts with a budget that the rows do not fit into.
func TestQueriesSpillIntoTheLake(t *testing.T) {
	fs := vfs.NewMem()
	l := openTest(t, fs, Options{QueryBytes: 200 << 10})
	s := storeTest(t, l)
	for from := 0; from < 12_000; from += 2000 {
		appendTest(t, s, testEvents(from, from+2000))
	}
	const q = "SELECT eventID, eventJson FROM events ORDER BY eventID DESC"
	rows, err := l.Query(context.Background(), q)
	if err != nil {
		t.Fatal(err)
	}
	var ids []string
	for {
		b, err := rows.Next()
		if err == io.EOF {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
		if len(ids) == 0 && len(temporary(t, l)) == 0 {
			t.Error("no temporary file while the query runs")
		}
		for i := range b.Len {
			ids = append(ids, valueText(b.Cols[0], i))
		}
	}
	if rows.Stats().Spilled == 0 || len(temporary(t, l)) != 0 {
		t.Errorf("%d bytes spilled, files left: %v", rows.Stats().Spilled, temporary(t, l))
	}
	want := slices.Clone(ids)
	slices.Sort(want)
	slices.Reverse(want)
	if len(ids) != 12_000 || !slices.Equal(ids, want) {
		t.Errorf("%d rows, in order: %v", len(ids), slices.Equal(ids, want))
	}

	// A query that is given up leaves nothing either.
	if rows, err = l.Query(context.Background(), q); err != nil {
		t.Fatal(err)
	}
	if _, err := rows.Next(); err != nil {
		t.Fatal(err)
	}
	rows.Close()
	if names := temporary(t, l); len(names) != 0 {
		t.Errorf("files left: %v", names)
	}

	// What a killed process leaves goes with the next opening.
	name, f, err := l.temp.Create()
	if err != nil {
		t.Fatal(err)
	}
	if _, err := f.Write([]byte("rows")); err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(f.Close(), l.Close()); err != nil {
		t.Fatal(err)
	}
	l = openTest(t, fs, Options{QueryBytes: 200 << 10, QueryDisk: -1})
	if _, err := fs.Stat(name); err == nil {
		t.Errorf("%s is still there", name)
	}
	var e *sqlerr.Error
	if rows, err = l.Query(context.Background(), q); err == nil {
		_, err = rows.Next()
	}
	if !errors.As(err, &e) || e.Code != sqlerr.OutOfMemory {
		t.Errorf("without temporary files: %v", err)
	}
}

func TestResultLimits(t *testing.T) {
	l := openTest(t, vfs.NewMem(), Options{QueryRows: 500, QueryResultBytes: 20_000})
	appendTest(t, storeTest(t, l), testEvents(0, 1000))
	for _, c := range []struct {
		query string
		ok    bool
	}{
		{"SELECT 1 FROM events", false},
		{"SELECT 1 FROM events LIMIT 500", true},
		{"SELECT eventJson FROM events LIMIT 500", false},
		{"SELECT eventID FROM events LIMIT 10", true},
	} {
		rows, err := l.Query(context.Background(), c.query)
		for err == nil {
			_, err = rows.Next()
		}
		if c.ok != (err == io.EOF) {
			t.Errorf("%s: %v", c.query, err)
		}
		var e *sqlerr.Error
		if !c.ok && (!errors.As(err, &e) || e.Code != sqlerr.ProgramLimit) {
			t.Errorf("%s: %v", c.query, err)
		}
	}
}

func TestQueryTime(t *testing.T) {
	l := openTest(t, vfs.NewMem(), Options{QueryTime: 100 * time.Millisecond})
	appendTest(t, storeTest(t, l), testEvents(0, 2000))
	start := time.Now()
	rows, err := l.Query(context.Background(), "SELECT count(*) FROM events WHERE cardinality(sequence(1, length(eventJson) * 200)) < 0")
	for err == nil {
		_, err = rows.Next()
	}
	var e *sqlerr.Error
	if !errors.As(err, &e) || e.Code != sqlerr.QueryCanceled {
		t.Errorf("after %s: %v", time.Since(start), err)
	}
	if _, err := Open("x", &Options{FS: vfs.NewMem(), QueryTime: -1}); !errors.Is(err, ErrBadInput) {
		t.Errorf("a negative limit: %v", err)
	}
}
