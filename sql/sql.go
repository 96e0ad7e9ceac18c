// Package sql is the front door of the query engine: text in, batches of
// columns out. It parses, binds and runs queries over tables that somebody else
// keeps, and knows nothing of how they are stored.
//
// # Using it
//
//	rows, err := sql.Query(ctx, catalog, "SELECT eventName, count(*) FROM events GROUP BY 1", nil, sql.Options{})
//	if err != nil { … }
//	defer rows.Close()
//	for {
//		batch, err := rows.Next()
//		if err == io.EOF { break }
//		…
//	}
//
// [Prepare] does everything that does not need the values of parameters, tells
// their types and the columns of the result, and lets a statement be run many
// times. Errors for users are *sqlerr.Error with SQLSTATE, place and hint;
// sqlerr.Format writes them for people. Errors of the query's text come from
// Prepare and Query, errors of its data from [Rows.Next].
//
// The tables come in through [Catalog], [Table], [Scan] and [Unit]: a catalog
// names tables, a table is scanned with the paths that the query reads and the
// terms that its rows must meet, and the scan gives units that are read in
// parallel, block by block. Package sqltest has an implementation in memory.
//
// # Brief queries
//
// Dashboards and drivers ask the same short questions over and over. [Texts] keeps the
// trees of texts that were read not long ago, so that only names and types are looked
// up again; a query that has few rows to read runs in the goroutine that asks for
// them, without workers of its own.
//
// # The parts
//
//	parse   text to tree
//	plan    tree to plan: names, types, what storage can use
//	exec    plan to rows: operators, memory, cancellation
//	fn      functions and operators on values
//	sqlerr  errors
//
// # What may run concurrently
//
// Everything here may be called from many goroutines; a [Statement] can be run
// many times at once; Rows belongs to one goroutine, but Close may be called
// from another.
package sql

import (
	"context"
	"fmt"
	"math"
	"runtime/debug"
	"time"

	"github.com/cairndb/cairn/segment/column"
	"github.com/cairndb/cairn/sql/exec"
	"github.com/cairndb/cairn/sql/exec/spill"
	"github.com/cairndb/cairn/sql/parse"
	"github.com/cairndb/cairn/sql/plan"
	"github.com/cairndb/cairn/sql/sqlerr"
)

// What a keeper of tables implements; see package plan.
type (
	Catalog     = plan.Catalog
	Table       = plan.Table
	Column      = plan.Column
	Path        = plan.Path
	Step        = plan.Step
	Op          = plan.Op
	Term        = plan.Term
	ScanRequest = plan.ScanRequest
	Scan        = plan.Scan
	Pruning     = plan.Pruning
	Unit        = plan.Unit
)

// What a query gives.
type (
	// Rows is the result of a running query.
	Rows = exec.Rows
	// Stats tells what a query has cost.
	Stats = exec.Stats
	// Output is a column of a result: name and type.
	Output = plan.Output
	// Turns lets short queries pass long ones.
	Turns = exec.Turns
	// Dialect is how text is read where Trino and PostgreSQL differ.
	Dialect = parse.Dialect
	// Kind is what sort of thing a statement does.
	Kind = parse.Kind
	// View is a grouped aggregate whose groups its table keeps.
	View = plan.View
	// Error is an error of a query, with its code, place and hint.
	Error = sqlerr.Error
	// QueryTree is a query that was read.
	QueryTree = parse.Query
)

// The kinds of statements, and how many there are.
const (
	KindQuery   = parse.KindQuery
	KindExplain = parse.KindExplain
	KindShow    = parse.KindShow
	Kinds       = parse.Kinds
)

// The dialects.
const (
	Trino    = parse.Trino
	Postgres = parse.Postgres
)

// NewTurns returns the turns of queries that share a machine.
func NewTurns() *Turns { return exec.NewTurns() }

// DefaultDisk is the temporary space of a query for which none is given.
const DefaultDisk = exec.DefaultDisk

// BlockRows is the number of rows by which units are read.
const BlockRows = plan.BlockRows

// Options say how a query is read and run. The zero value is useful.
type Options struct {
	Dialect Dialect
	// MaxText is the longest query in characters; 0 stands for parse.TextMax.
	MaxText int
	// Now is the time that now() gives; the zero value is the time of the run.
	Now time.Time
	// Zone is the session's time zone (see column.ZoneNumber); 0 is UTC.
	Zone uint16
	// Memory is the budget of a query in bytes; 0 stands for
	// exec.DefaultMemory, below 0 for no limit.
	Memory int64
	// Workers is how many goroutines work on a query; 0 stands for GOMAXPROCS.
	Workers int
	// Timeout ends a query that runs longer; 0 for none.
	Timeout time.Duration
	// MaxRows is how many rows the result may have, ResultBytes how many bytes its
	// values may have; a query that would give more fails at that point. 0 for no
	// limit.
	MaxRows, ResultBytes int64
	// Files keeps what does not fit in memory (sorts, groups, joins); nil for a
	// query that fails at its budget instead.
	Files spill.Files
	// Disk is how many bytes of Files the query may use at once; 0 stands for
	// exec.DefaultDisk, below 0 for no limit.
	Disk int64
	// Turns are shared by the queries of a machine, so that short ones pass long
	// ones; nil for none.
	Turns *Turns
	// Texts keeps what was read out of texts for the next time; nil for nothing.
	Texts *Texts
	// ParamTypes are the types of parameters that the caller knows; nil entries
	// and missing ones are found out from where the parameters stand.
	ParamTypes []*column.Type
	// Off are rules of the planner that are left out: for tests, and to find what
	// a plan owes to a rule.
	Off plan.Rules
}

// Statement is a prepared query.
type Statement struct {
	cat     Catalog
	opt     Options
	tree    parse.Statement
	count   int
	params  []*column.Type
	columns []Output
}

// Prepare parses and binds a statement.
func Prepare(ctx context.Context, cat Catalog, text string, opt Options) (s *Statement, err error) {
	defer guard(&err)
	tree, count, err := opt.read(ctx, text)
	if err != nil {
		return nil, err
	}
	s = &Statement{cat: cat, opt: opt, tree: tree, count: count}
	p, _, err := s.bind(ctx, nil)
	if err != nil {
		return nil, err
	}
	s.params, s.columns = p.Params, p.Columns
	for len(s.params) < count {
		s.params = append(s.params, column.UnknownType)
	}
	if p.Explain {
		s.columns = exec.ExplainColumns()
	}
	return s, nil
}

// read gets the tree of a text, or the error of a context that has ended meanwhile.
func (o *Options) read(ctx context.Context, text string) (tree parse.Statement, params int, err error) {
	tree, params, err = o.Texts.parse(text, parse.Options{Dialect: o.Dialect, MaxText: o.MaxText, Done: ctx.Done()})
	if err == parse.ErrEnded {
		err = exec.Canceled(ctx.Err())
	}
	return tree, params, err
}

// guard turns a panic of the front end into the error of one query.
func guard(err *error) {
	if r := recover(); r != nil {
		*err = sqlerr.New(sqlerr.Internal, sqlerr.Pos{}, "internal error: %v", r).WithDetail("%s", debug.Stack()).
			WithHint("this is a defect of the database; the query failed, nothing else did")
	}
}

func (s *Statement) bindOptions(values []*column.Vector) plan.Options {
	return plan.Options{
		Now: s.opt.Now, Zone: s.opt.Zone, Postgres: s.opt.Dialect == Postgres,
		Types: s.opt.ParamTypes, Values: values, Off: s.opt.Off,
	}
}

// In returns the statement for runs over another catalogue within other limits.
// The dialect and the parameters stay. What is kept for many runs is best kept
// without the catalogue it was prepared with: In(nil, Options{}).
func (s *Statement) In(cat Catalog, opt Options) *Statement {
	in := *s
	opt.Dialect, opt.MaxText, opt.ParamTypes = s.opt.Dialect, s.opt.MaxText, s.opt.ParamTypes
	in.cat, in.opt = cat, opt
	return &in
}

// Kind returns what sort of thing the statement does.
func (s *Statement) Kind() Kind { return s.tree.Kind() }

// Params returns the types of the parameters: Unknown for one that could be of
// any type.
func (s *Statement) Params() []*column.Type { return s.params }

// Columns describes the result. Parameters of unknown type may still change the
// type of columns that come from them.
func (s *Statement) Columns() []Output { return s.columns }

// Query runs the statement. There must be a value for every parameter: nil,
// bool, an integer, a float, string, []byte, time.Time, time.Duration, or a
// *column.Vector of one value. Strings take the type that their place wants.
// The context ends the query when it ends.
func (s *Statement) Query(ctx context.Context, args []any) (rows *Rows, err error) {
	return s.query(ctx, args, s.opt.Turns.Enter())
}

func (s *Statement) query(ctx context.Context, args []any, turn *exec.Turn) (rows *Rows, err error) {
	defer func() {
		if err != nil {
			turn.Leave()
		}
	}()
	defer guard(&err)
	if len(args) != s.count {
		return nil, sqlerr.New(sqlerr.UndefinedParameter, sqlerr.Pos{}, "the query has %d parameters, and %d values were given", s.count, len(args))
	}
	values := make([]*column.Vector, len(args))
	for i, a := range args {
		v, err := value(a)
		if err != nil {
			return nil, sqlerr.New(sqlerr.InvalidArgument, sqlerr.Pos{}, "parameter %d: %v", i+1, err)
		}
		values[i] = v
	}
	p, left, err := s.bind(ctx, values)
	if err != nil {
		return nil, err
	}
	return exec.Start(ctx, p, exec.Options{Memory: s.opt.Memory, Workers: s.opt.Workers, Timeout: left,
		Files: s.opt.Files, Disk: s.opt.Disk, MaxRows: s.opt.MaxRows, ResultBytes: s.opt.ResultBytes, Turn: turn})
}

// bind plans the statement within its time and returns what is left of it.
func (s *Statement) bind(ctx context.Context, values []*column.Vector) (p *plan.Plan, left time.Duration, err error) {
	if left = s.opt.Timeout; left > 0 {
		start := time.Now()
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, left)
		defer cancel()
		defer func() { left = max(1, left-time.Since(start)) }()
	}
	p, err = plan.Bind(ctx, s.cat, s.tree, s.bindOptions(values))
	if err != nil && ctx.Err() != nil {
		err = exec.Canceled(ctx.Err())
	}
	return p, left, err
}

// Query parses, binds and runs a statement.
func Query(ctx context.Context, cat Catalog, text string, args []any, opt Options) (rows *Rows, err error) {
	defer guard(&err)
	turn := opt.Turns.Enter()
	tree, count, err := opt.read(ctx, text)
	if err != nil {
		turn.Leave()
		return nil, err
	}
	s := &Statement{cat: cat, opt: opt, tree: tree, count: count}
	return s.query(ctx, args, turn)
}

// value makes a vector of one value of a parameter.
func value(a any) (*column.Vector, error) {
	number := func(t *column.Type, x int64) (*column.Vector, error) {
		v := column.New(t, 1)
		v.I64[0] = x
		return v, nil
	}
	text := func(t *column.Type, s string) (*column.Vector, error) {
		return &column.Vector{Type: t, Len: 1, Str: []string{s}}, nil
	}
	switch x := a.(type) {
	case nil:
		v := column.New(column.UnknownType, 1)
		v.SetNull(0)
		return v, nil
	case *column.Vector:
		if x.Len != 1 {
			return nil, fmt.Errorf("a vector of %d values", x.Len)
		}
		return x, nil
	case bool:
		if x {
			return number(column.BooleanType, 1)
		}
		return number(column.BooleanType, 0)
	case int:
		return number(column.BigIntType, int64(x))
	case int8:
		return number(column.TinyIntType, int64(x))
	case int16:
		return number(column.SmallIntType, int64(x))
	case int32:
		return number(column.IntegerType, int64(x))
	case int64:
		return number(column.BigIntType, x)
	case uint8:
		return number(column.SmallIntType, int64(x))
	case uint16:
		return number(column.IntegerType, int64(x))
	case uint32:
		return number(column.BigIntType, int64(x))
	case uint64:
		if x > math.MaxInt64 {
			return nil, fmt.Errorf("%d is too large for bigint", x)
		}
		return number(column.BigIntType, int64(x))
	case uint:
		return value(uint64(x))
	case float32:
		return &column.Vector{Type: column.RealType, Len: 1, F64: []float64{float64(x)}}, nil
	case float64:
		return &column.Vector{Type: column.DoubleType, Len: 1, F64: []float64{x}}, nil
	case string:
		return text(column.VarcharType, x)
	case []byte:
		return text(column.VarbinaryType, string(x))
	case time.Time:
		return number(column.TimestampTZType, x.UnixMicro())
	case time.Duration:
		return number(column.IntervalDayType, x.Microseconds())
	}
	return nil, fmt.Errorf("values of type %T are not supported", a)
}
