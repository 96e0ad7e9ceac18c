package sql_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"sync"
	"syscall"
	"testing"

	"github.com/cairndb/cairn/segment/column"
	"github.com/cairndb/cairn/sql"
	"github.com/cairndb/cairn/sql/exec/spill"
	"github.com/cairndb/cairn/sql/sqlerr"
	"github.com/cairndb/cairn/sql/sqltest"
)

// spillRows is over a megabyte of rows: many times the budgets below.
const spillRows = 8000

// spillTable has a column of every kind that a key or a value can have, with
// NULLs and with many and few different values.
var spillTable = sync.OnceValue(func() *sqltest.Table {
	base := bigTable(spillRows)
	n := spillRows
	names, data := []string{}, []*column.Vector{}
	for i, c := range base.Columns() {
		names, data = append(names, c.Name), append(data, base.Data(i))
	}
	zoned, day, pair := column.New(column.TimestampTZType, n), column.New(column.DateType, n), column.New(column.BigIntType, n)
	tags := column.New(column.ArrayOf(column.VarcharType), n)
	attrs := column.New(column.MapOf(column.VarcharType, column.VarcharType), n)
	words := column.NewAppender(column.VarcharType, n)
	keys, vals := column.NewAppender(column.VarcharType, n), column.NewAppender(column.VarcharType, n)
	for r := range n {
		zoned.I64[r], zoned.Zone[r] = int64(r%5000)*1_000_003, 0
		day.I64[r] = int64(r % 365)
		pair.I64[r] = int64(r*31) % 7000
		if r%17 == 0 {
			pair.SetNull(r)
		}
		for k := range r % 4 {
			words.Append(text(fmt.Sprintf("w%d", (r+k)%50)), 0)
		}
		tags.Offsets[r+1] = int32(words.Len())
		if r%19 == 0 {
			tags.SetNull(r)
		}
		keys.Append(text("k"), 0)
		vals.Append(text(fmt.Sprint(r%300)), 0)
		attrs.Offsets[r+1] = int32(r + 1)
	}
	tags.Children = []*column.Vector{words.Vector()}
	attrs.Children = []*column.Vector{keys.Vector(), vals.Vector()}
	row := rowOf([]string{"a", "b"}, []int{3, 77}, pair, data[1])
	return tableOf("t", append(names, "zoned", "day", "pair", "tags", "attrs", "r"), append(data, zoned, day, pair, tags, attrs, row)...)
})

// spillQueries give the same rows in the same order whatever is put aside.
var spillQueries = []string{
	"SELECT * FROM t ORDER BY name",
	"SELECT i, name FROM t ORDER BY few DESC, k NULLS FIRST",
	"SELECT i, v FROM t ORDER BY v DESC NULLS LAST, few",
	"SELECT i, tags FROM t ORDER BY tags, i % 7",
	"SELECT i, r FROM t ORDER BY r.b, r.a DESC",
	"SELECT i, r FROM t ORDER BY r",
	"SELECT i, i * 12345678901.5 FROM t ORDER BY i * 12345678901.5 % 977.25 DESC, name",
	"SELECT i, zoned, day, attrs FROM t ORDER BY zoned DESC, lower(k)",
	"SELECT i FROM t ORDER BY length(name), substr(name, 9)",
	"SELECT i, name, k FROM t ORDER BY pair LIMIT 6000",
	"SELECT i, name, k FROM t ORDER BY pair OFFSET 7000",
	"SELECT i, name FROM t ORDER BY few OFFSET 1000 LIMIT 6500",
	"SELECT i, tags FROM t WHERE i % 3 = 0 ORDER BY name DESC",
	"SELECT k, n FROM (SELECT k, name AS n FROM t ORDER BY v) ORDER BY n",
	"SELECT i, name, k FROM t ORDER BY pair FETCH FIRST 6000 ROWS WITH TIES",
	"SELECT i, name FROM t ORDER BY few OFFSET 1000 ROWS FETCH FIRST 2 ROWS WITH TIES",
	"SELECT i, tags FROM t ORDER BY tags NULLS FIRST FETCH FIRST 5000 ROWS WITH TIES",
}

// collectSpilling runs a query with a small budget and temporary files.
func collectSpilling(t *testing.T, cat sqltest.Catalog, q string, opt sql.Options) (*sqltest.Result, sql.Stats, error) {
	t.Helper()
	files := &spill.MemFiles{}
	opt.Files, opt.Now = files, now
	rows, err := sql.Query(context.Background(), cat, q, nil, opt)
	res, err := sqltest.Collect(rows, err)
	var stats sql.Stats
	if rows != nil {
		stats = rows.Stats()
	}
	if files.Len() != 0 {
		t.Errorf("%s: %d temporary files are left", q, files.Len())
	}
	return res, stats, err
}

func TestSpilledResultsAreThoseOfMemory(t *testing.T) {
	for _, layout := range []sqltest.Layout{{UnitRows: 1700}, {UnitRows: 3000, Dict: true, MapsAsDict: true, Stats: true}} {
		cat := sqltest.Catalog{spillTable().With(layout)}
		for _, q := range spillQueries {
			res, err := sqltest.Collect(sql.Query(context.Background(), cat, q, nil, sql.Options{Now: now, Memory: -1, Workers: 1}))
			if err != nil {
				t.Fatalf("%s: %v", q, err)
			}
			want := res.Text()
			for _, c := range []struct {
				memory  int64
				workers int
			}{{100 << 10, 1}, {100 << 10, 3}, {400 << 10, 2}} {
				if testing.Short() && c.workers == 1 {
					continue
				}
				res, stats, err := collectSpilling(t, cat, q, sql.Options{Memory: c.memory, Workers: c.workers})
				if err != nil {
					t.Errorf("%s\nwith %d bytes, %d workers: %s", q, c.memory, c.workers, sqltest.ErrorText(err, q))
					continue
				}
				if got := res.Text(); !slices.Equal(got, want) {
					for i := range min(len(got), len(want)) {
						if got[i] != want[i] {
							t.Errorf("%s\nwith %d bytes, %d workers: row %d of %d is\n%s\nwant\n%s", q, c.memory, c.workers, i, len(got), got[i], want[i])
							break
						}
					}
					if len(got) != len(want) {
						t.Errorf("%s\nwith %d bytes, %d workers: %d rows, want %d", q, c.memory, c.workers, len(got), len(want))
					}
				}
				if stats.Spilled == 0 && c.memory < 400<<10 {
					t.Errorf("%s\nwith %d bytes, %d workers: nothing was put aside", q, c.memory, c.workers)
				}
				if stats.PeakMemory > c.memory {
					t.Errorf("%s: %d bytes at the peak of %d", q, stats.PeakMemory, c.memory)
				}
			}
		}
	}
}

// TestWindowsStandOnSpilledSorts has more rows than the budget holds, in
// partitions that it does.
func TestWindowsStandOnSpilledSorts(t *testing.T) {
	cat := sqltest.Catalog{bigTable(60_000).With(sqltest.Layout{UnitRows: 9000})}
	const q = "SELECT name, row_number() OVER (PARTITION BY substr(name, 1, 10) ORDER BY v DESC, name) FROM big"
	want := run(t, cat, q)
	res, stats, err := collectSpilling(t, cat, q, sql.Options{Memory: 6 << 20, Workers: 1})
	if err != nil {
		t.Fatal(err)
	}
	if !slices.Equal(res.Text(), want) || stats.Spilled == 0 {
		t.Errorf("the rows are the same: %v; %d bytes spilled", slices.Equal(res.Text(), want), stats.Spilled)
	}
}

// TestSpillingEnds ends queries while rows are put aside and while they are read
// back: nothing is left behind.
func TestSpillingEnds(t *testing.T) {
	cat := sqltest.Catalog{spillTable().With(sqltest.Layout{UnitRows: 1700})}
	files := &spill.MemFiles{}
	for _, batches := range []int{0, 1, 3} {
		rows, err := sql.Query(context.Background(), cat, "SELECT * FROM t ORDER BY name", nil, sql.Options{Memory: 100 << 10, Files: files})
		if err != nil {
			t.Fatal(err)
		}
		for range batches {
			if _, err := rows.Next(); err != nil {
				t.Fatal(err)
			}
		}
		rows.Close()
		if files.Len() != 0 {
			t.Fatalf("after %d batches: %d temporary files are left", batches, files.Len())
		}
	}
}

func TestTemporarySpaceIsLimited(t *testing.T) {
	cat := sqltest.Catalog{spillTable()}
	const q = "SELECT * FROM t ORDER BY name"
	_, _, err := collectSpilling(t, cat, q, sql.Options{Memory: 100 << 10, Disk: 60 << 10})
	var e *sqlerr.Error
	if !errors.As(err, &e) || e.Code != sqlerr.ConfigurationLimit {
		t.Errorf("with 60 KiB on disk: %v", err)
	}
}

// fullFiles is a disk that is full after some files.
type fullFiles struct {
	spill.MemFiles
	left int
}

func (f *fullFiles) Create() (string, io.WriteCloser, error) {
	if f.left--; f.left < 0 {
		return "", nil, syscall.ENOSPC
	}
	return f.MemFiles.Create()
}

func TestFullDisk(t *testing.T) {
	cat := sqltest.Catalog{spillTable()}
	for left := range 2 {
		files := &fullFiles{left: left}
		_, err := sqltest.Collect(sql.Query(context.Background(), cat, "SELECT * FROM t ORDER BY name", nil,
			sql.Options{Memory: 100 << 10, Files: files, Workers: 1}))
		var e *sqlerr.Error
		if !errors.As(err, &e) || e.Code != sqlerr.DiskFull || !errors.Is(err, syscall.ENOSPC) {
			t.Errorf("full after %d files: %v", left, err)
		}
		if files.Len() != 0 {
			t.Errorf("full after %d files: %d are left", left, files.Len())
		}
	}
}
