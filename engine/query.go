package engine

import (
	"context"
	"io"
	"sync"
	"sync/atomic"

	"github.com/cairndb/cairn/segment/column"
	"github.com/cairndb/cairn/sql"
)

// textBytes is the memory for statements that were read not long ago: some thousand of the
// length that dashboards send.
const textBytes = 8 << 20

// Query runs a SQL query over the lake's stores, which are the tables, by name or
// ID. Parameters stand as ? or $1 in the text. Each store is read as it is at
// this moment: what is appended later does not show. Errors in the text or of
// values are *sqlerr.Error; sqlerr.Format writes them for people. The rows must
// be closed; they end with ctx.
func (l *Lake) Query(ctx context.Context, text string, args ...any) (*Rows, error) {
	return l.query(ctx, nil, text, args)
}

// query runs a query over what a view shows, nil for everything.
func (l *Lake) query(ctx context.Context, view *View, text string, args []any) (*Rows, error) {
	done, err := l.begin()
	if err != nil {
		return nil, err
	}
	defer done()
	l.uses.Add(1)
	if err := l.recordQuery(ctx, text); err != nil {
		return nil, err
	}
	cat := l.newQueryCatalog()
	cat.view = view
	rows, err := sql.Query(ctx, cat, text, args, l.queryOptions())
	if err != nil {
		cat.release()
		return nil, err
	}
	return l.openRows(rows, cat), nil
}

// queryOptions returns the limits of queries, as the lake's options have them.
func (l *Lake) queryOptions() sql.Options {
	opt := sql.Options{
		Now:         l.opts.Clock(),
		Memory:      l.opts.QueryBytes,
		Workers:     l.opts.Workers,
		Timeout:     l.opts.QueryTime,
		MaxRows:     l.opts.QueryRows,
		ResultBytes: l.opts.QueryResultBytes,
		Turns:       l.turns,
		Texts:       l.texts,
	}
	if !l.opts.ReadOnly && l.opts.QueryDisk > 0 {
		opt.Files, opt.Disk = l.temp, l.opts.QueryDisk
	}
	return opt
}

// openRows makes a running query known to the lake. It takes over one use of cat.
func (l *Lake) openRows(rows *sql.Rows, cat *queryCatalog) *Rows {
	r := &Rows{lake: l, rows: rows, cat: cat}
	l.rows.Lock()
	l.rows.open[r] = struct{}{}
	l.rows.Unlock()
	return r
}

// Rows is the result of a query. It belongs to one goroutine; Close may be called
// from another.
type Rows struct {
	lake  *Lake
	rows  *sql.Rows
	cat   *queryCatalog
	once  sync.Once
	ended atomic.Bool // the lake was closed
}

// Columns describes the columns of the batches.
func (r *Rows) Columns() []sql.Output { return r.rows.Columns() }

// Next returns the next rows, at least one, or io.EOF after the last. The batch
// stays valid. After an error every call returns it.
func (r *Rows) Next() (*column.Batch, error) {
	b, err := r.rows.Next()
	if err == nil {
		return b, nil
	}
	if err != io.EOF && r.ended.Load() {
		err = failf(ErrUnavailable, "the lake was closed while the query ran")
	}
	r.Close()
	return nil, err
}

// Close ends the query and gives up what it holds. It may be called more than
// once, and after the last row is not needed.
func (r *Rows) Close() error {
	err := r.rows.Close()
	r.once.Do(func() {
		r.cat.release()
		r.lake.rows.Lock()
		delete(r.lake.rows.open, r)
		r.lake.rows.Unlock()
	})
	return err
}

// Stats tells what the query has cost.
func (r *Rows) Stats() sql.Stats { return r.rows.Stats() }

// endRows ends all open queries.
func (l *Lake) endRows() {
	l.rows.Lock()
	var open []*Rows
	for r := range l.rows.open {
		open = append(open, r)
	}
	l.rows.Unlock()
	for _, r := range open {
		r.ended.Store(true)
		r.Close()
	}
}
