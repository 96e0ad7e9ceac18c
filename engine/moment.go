package engine

import (
	"context"
	"time"

	"github.com/cairndb/cairn/segment/column"
	"github.com/cairndb/cairn/sql"
)

// Snapshot is what queries see of a lake for longer than one query, and the way to
// run queries with choices of their own. Its methods may be called from many
// goroutines. It keeps segments from being removed and must be closed.
type Snapshot struct {
	lake *Lake
	cat  *queryCatalog
}

// Snapshot returns all stores as they are at this one moment: an append to several
// of them is there in all or in none. What is appended later, and stores made
// later, do not show. It may wait for the append that is being written.
func (l *Lake) Snapshot() (*Snapshot, error) { return l.momentOf(nil) }

// LazySnapshot returns each store as it is when a query first names it: for a
// single query, which need not wait for anybody.
func (l *Lake) LazySnapshot() (*Snapshot, error) { return l.lazyMomentOf(nil) }

// momentOf is Snapshot of what a view shows, nil for everything.
func (l *Lake) momentOf(view *View) (*Snapshot, error) {
	s, err := l.lazyMomentOf(view)
	if err != nil {
		return nil, err
	}
	c := s.cat
	l.logged.Lock()
	defer l.logged.Unlock()
	c.mu.Lock()
	defer c.mu.Unlock()
	c.fixed = true
	for _, store := range l.Stores() {
		c.snap[store] = store.snapshot()
	}
	return s, nil
}

// lazyMomentOf is LazySnapshot of what a view shows.
func (l *Lake) lazyMomentOf(view *View) (*Snapshot, error) {
	done, err := l.begin()
	if err != nil {
		return nil, err
	}
	defer done()
	s := &Snapshot{lake: l, cat: l.newQueryCatalog()}
	s.cat.view = view
	l.rows.Lock()
	l.rows.snapshots[s] = struct{}{}
	l.rows.Unlock()
	return s, nil
}

// RunOptions say how a query over a snapshot is read and run. Its limits are those
// of the lake.
type RunOptions struct {
	Dialect sql.Dialect
	// Catalog is asked for tables instead of the snapshot's own; usually it asks that
	// one in turn (see [Snapshot.Catalog]).
	Catalog sql.Catalog
	// Now is the time that now() gives; the lake's clock when zero.
	Now time.Time
	// Zone is the session's time zone (see column.ZoneNumber).
	Zone uint16
	// Timeout ends a query that runs longer, if that is sooner than the lake's limit.
	Timeout time.Duration
	// ParamTypes are the types of parameters that the caller knows; the others are
	// found out.
	ParamTypes []*column.Type
	// Workers is how many goroutines work on the query; 0 stands for as many as the lake's
	// options say. One worker runs as little ahead of the reader as it can.
	Workers int
}

func (s *Snapshot) options(o RunOptions) (sql.Catalog, sql.Options) {
	opt := s.lake.queryOptions()
	opt.Dialect, opt.Zone, opt.ParamTypes = o.Dialect, o.Zone, o.ParamTypes
	if !o.Now.IsZero() {
		opt.Now = o.Now
	}
	if o.Timeout > 0 && (opt.Timeout == 0 || o.Timeout < opt.Timeout) {
		opt.Timeout = o.Timeout
	}
	if o.Workers > 0 {
		opt.Workers = o.Workers
	}
	if o.Catalog != nil {
		return o.Catalog, opt
	}
	return s.cat, opt
}

// Catalog returns the stores as tables. It is of no use once the snapshot is closed.
func (s *Snapshot) Catalog() sql.Catalog { return s.cat }

// Prepare reads and binds a query. The statement may be run over this and over
// other snapshots of the lake, and keeps none of them.
func (s *Snapshot) Prepare(ctx context.Context, text string, o RunOptions) (*sql.Statement, error) {
	done, err := s.begin()
	if err != nil {
		return nil, err
	}
	defer done()
	if err := s.lake.recordQuery(ctx, text); err != nil {
		return nil, err
	}
	cat, opt := s.options(o)
	st, err := sql.Prepare(ctx, cat, text, opt)
	if err != nil {
		return nil, err
	}
	return st.In(nil, sql.Options{}), nil
}

// Run runs a prepared query. The dialect and the types of parameters are those it was
// prepared with. The rows must be closed; they end with ctx, and may outlive the
// snapshot.
func (s *Snapshot) Run(ctx context.Context, st *sql.Statement, args []any, o RunOptions) (*Rows, error) {
	done, err := s.begin()
	if err != nil {
		return nil, err
	}
	cat, opt := s.options(o)
	rows, err := st.In(cat, opt).Query(ctx, args)
	if err != nil {
		done()
		return nil, err
	}
	defer s.lake.end()
	return s.lake.openRows(rows, s.cat), nil // with the use that begin has added
}

// begin registers a call and a use of the snapshot.
func (s *Snapshot) begin() (done func(), err error) {
	end, err := s.lake.begin()
	if err != nil {
		return nil, err
	}
	if !s.cat.use() {
		end()
		return nil, failf(ErrUnavailable, "the snapshot is closed")
	}
	return func() {
		s.cat.release()
		end()
	}, nil
}

// Close gives the snapshot up. It may be called more than once.
func (s *Snapshot) Close() {
	s.lake.rows.Lock()
	_, open := s.lake.rows.snapshots[s]
	delete(s.lake.rows.snapshots, s)
	s.lake.rows.Unlock()
	if open {
		s.cat.release()
	}
}

// endSnapshots closes all snapshots.
func (l *Lake) endSnapshots() {
	l.rows.Lock()
	var open []*Snapshot
	for s := range l.rows.snapshots {
		open = append(open, s)
	}
	l.rows.Unlock()
	for _, s := range open {
		s.Close()
	}
}
