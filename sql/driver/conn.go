package driver

import (
	"context"
	"database/sql/driver"
	"errors"
	"fmt"
	"time"

	"github.com/cairndb/cairn/engine"
	"github.com/cairndb/cairn/segment/column"
	"github.com/cairndb/cairn/sql"
)

// conn is a connection to a lake in this process: what a session would be at a server.
// database/sql uses it from one goroutine at a time.
type conn struct {
	source  Source
	dialect sql.Dialect
	release func() error     // of the lake; nil when somebody else owns it
	tx      *engine.Snapshot // of the open transaction
	closed  bool
}

// errClosed is what a connection answers after Close.
var errClosed = errors.New("cairn: the connection is closed")

// Prepare implements driver.Conn.
func (c *conn) Prepare(query string) (driver.Stmt, error) {
	return c.PrepareContext(context.Background(), query)
}

// PrepareContext implements driver.ConnPrepareContext.
func (c *conn) PrepareContext(ctx context.Context, query string) (driver.Stmt, error) {
	var out *stmt
	err := c.within(func(snap *engine.Snapshot) error {
		st, err := snap.Prepare(ctx, query, c.options())
		if err != nil {
			return err
		}
		out = &stmt{conn: c, st: st}
		return nil
	})
	if err != nil {
		return nil, err
	}
	return out, nil
}

func (c *conn) options() engine.RunOptions { return engine.RunOptions{Dialect: c.dialect} }

// within calls fn with the snapshot of the transaction, or one for this call.
func (c *conn) within(fn func(snap *engine.Snapshot) error) error {
	if c.closed {
		return errClosed
	}
	if c.tx != nil {
		return fn(c.tx)
	}
	snap, err := c.source.LazySnapshot()
	if err != nil {
		return err
	}
	defer snap.Close()
	return fn(snap)
}

// Close implements driver.Conn.
func (c *conn) Close() error {
	if c.closed {
		return nil
	}
	c.end()
	c.closed = true
	if c.release != nil {
		return c.release()
	}
	return nil
}

// end ends the transaction, if there is one.
func (c *conn) end() {
	if c.tx != nil {
		c.tx.Close()
		c.tx = nil
	}
}

// Begin implements driver.Conn.
func (c *conn) Begin() (driver.Tx, error) { return c.BeginTx(context.Background(), driver.TxOptions{}) }

// BeginTx implements driver.ConnBeginTx. Every transaction is a snapshot, which gives what
// any level of isolation asks of transactions that only read.
func (c *conn) BeginTx(ctx context.Context, _ driver.TxOptions) (driver.Tx, error) {
	switch {
	case c.closed:
		return nil, errClosed
	case c.tx != nil:
		return nil, errors.New("cairn: there is a transaction in progress")
	}
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	snap, err := c.source.Snapshot()
	if err != nil {
		return nil, err
	}
	c.tx = snap
	return tx{c}, nil
}

// tx ends the transaction of a connection.
type tx struct{ c *conn }

// Commit implements driver.Tx.
func (t tx) Commit() error { t.c.end(); return nil }

// Rollback implements driver.Tx.
func (t tx) Rollback() error { t.c.end(); return nil }

// Ping implements driver.Pinger.
func (c *conn) Ping(ctx context.Context) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	return c.within(func(*engine.Snapshot) error { return nil })
}

// ResetSession implements driver.SessionResetter.
func (c *conn) ResetSession(context.Context) error {
	if c.closed {
		return driver.ErrBadConn
	}
	c.end()
	return nil
}

// IsValid implements driver.Validator.
func (c *conn) IsValid() bool { return !c.closed }

// CheckNamedValue implements driver.NamedValueChecker.
func (c *conn) CheckNamedValue(nv *driver.NamedValue) error {
	if nv.Name != "" {
		return fmt.Errorf("cairn: parameter %q: parameters are told by their place (? or $1), not by name", nv.Name)
	}
	switch x := nv.Value.(type) {
	case nil, bool, int, int8, int16, int32, int64, uint8, uint16, uint32, uint64, uint, float32, float64, string, []byte, time.Time, time.Duration, *column.Vector:
		return nil
	case []string:
		nv.Value = arrayOf(&column.Vector{Type: column.VarcharType, Len: len(x), Str: x})
		return nil
	case []int64:
		nv.Value = arrayOf(&column.Vector{Type: column.BigIntType, Len: len(x), I64: x})
		return nil
	case []int:
		list := make([]int64, len(x))
		for i, n := range x {
			list[i] = int64(n)
		}
		nv.Value = arrayOf(&column.Vector{Type: column.BigIntType, Len: len(x), I64: list})
		return nil
	}
	v, err := driver.DefaultParameterConverter.ConvertValue(nv.Value)
	if err != nil {
		return fmt.Errorf("cairn: parameter %d: %w", nv.Ordinal, err)
	}
	nv.Value = v
	return nil
}

// arrayOf makes one array of the values of a vector.
func arrayOf(v *column.Vector) *column.Vector {
	return &column.Vector{Type: &column.Type{Kind: column.Array, Elem: v.Type}, Len: 1, Offsets: []int32{0, int32(v.Len)}, Children: []*column.Vector{v}}
}

// QueryContext implements driver.QueryerContext.
func (c *conn) QueryContext(ctx context.Context, query string, args []driver.NamedValue) (driver.Rows, error) {
	var out *rows
	err := c.within(func(snap *engine.Snapshot) error {
		st, err := snap.Prepare(ctx, query, c.options())
		if err != nil {
			return err
		}
		out, err = c.run(ctx, snap, st, args)
		return err
	})
	if err != nil {
		return nil, err
	}
	return out, nil
}

// run runs a statement. The rows outlive the snapshot.
func (c *conn) run(ctx context.Context, snap *engine.Snapshot, st *sql.Statement, args []driver.NamedValue) (*rows, error) {
	values := make([]any, len(args))
	for i, a := range args {
		values[i] = a.Value
	}
	r, err := snap.Run(ctx, st, values, c.options())
	if err != nil {
		return nil, err
	}
	return &rows{rows: r}, nil
}

// ExecContext implements driver.ExecerContext: the rows are read and counted.
func (c *conn) ExecContext(ctx context.Context, query string, args []driver.NamedValue) (driver.Result, error) {
	r, err := c.QueryContext(ctx, query, args)
	if err != nil {
		return nil, err
	}
	return r.(*rows).drain()
}

// stmt is a prepared statement.
type stmt struct {
	conn *conn
	st   *sql.Statement
}

// Close implements driver.Stmt.
func (s *stmt) Close() error { return nil }

// NumInput implements driver.Stmt.
func (s *stmt) NumInput() int { return len(s.st.Params()) }

// CheckNamedValue implements driver.NamedValueChecker.
func (s *stmt) CheckNamedValue(nv *driver.NamedValue) error { return s.conn.CheckNamedValue(nv) }

// QueryContext implements driver.StmtQueryContext.
func (s *stmt) QueryContext(ctx context.Context, args []driver.NamedValue) (driver.Rows, error) {
	var out *rows
	err := s.conn.within(func(snap *engine.Snapshot) (err error) {
		out, err = s.conn.run(ctx, snap, s.st, args)
		return err
	})
	if err != nil {
		return nil, err
	}
	return out, nil
}

// ExecContext implements driver.StmtExecContext.
func (s *stmt) ExecContext(ctx context.Context, args []driver.NamedValue) (driver.Result, error) {
	r, err := s.QueryContext(ctx, args)
	if err != nil {
		return nil, err
	}
	return r.(*rows).drain()
}

// Query implements driver.Stmt.
func (s *stmt) Query(args []driver.Value) (driver.Rows, error) {
	return s.QueryContext(context.Background(), named(args))
}

// Exec implements driver.Stmt.
func (s *stmt) Exec(args []driver.Value) (driver.Result, error) {
	return s.ExecContext(context.Background(), named(args))
}

func named(args []driver.Value) []driver.NamedValue {
	out := make([]driver.NamedValue, len(args))
	for i, a := range args {
		out[i] = driver.NamedValue{Ordinal: i + 1, Value: a}
	}
	return out
}
