package plan

import (
	"context"

	"github.com/RoaringBitmap/roaring/v2"

	"github.com/cairndb/cairn/segment/column"
	"github.com/cairndb/cairn/sql/fn"
)

// Catalog answers what names in FROM stand for. Implementations must be safe
// for concurrent use.
type Catalog interface {
	// Table returns the table called name, compared without regard to case, or
	// the one whose ID it is; nil when there is none.
	Table(ctx context.Context, name string) (Table, error)
	// TableNames lists the names for SHOW TABLES and for "did you mean".
	TableNames(ctx context.Context) ([]string, error)
}

// SessionCatalog is a Catalog that knows whose query it is asked for, which the
// functions of Postgres' catalogue ask. A function that gives rows and takes no
// arguments, pg_get_keywords(), is a table called so, parentheses included.
type SessionCatalog interface {
	Catalog
	Session() fn.Session
}

// Table is a relation of stored rows as one query sees it: a snapshot.
type Table interface {
	Name() string
	// Columns are the columns in the order of SELECT *. Nobody may change them.
	Columns() []Column
	// Scan prepares reading. It prunes by the request's terms, reads no rows,
	// and returns work units that together hold every row for which all terms
	// can be true. The scan's columns are req.Paths, in that order.
	Scan(ctx context.Context, req ScanRequest) (Scan, error)
}

// Column is a column of a table.
type Column struct {
	Name string
	Type *column.Type
	// Aliases are other spellings under which the column can be named.
	Aliases []string
	// Hidden columns are left out of SELECT *.
	Hidden bool
	// FieldAliases are other spellings of fields of rows inside the column, at
	// any depth: lower case, to the name of the field.
	FieldAliases map[string]string
}

// Path names a value inside a row: a column and the steps into it. A scan
// serves a path without building the whole column around it.
type Path struct {
	Column int
	Steps  []Step
	// Type is the type of the value at the end of the path.
	Type *column.Type
}

// Step goes one level down. For a row it is a field (Field >= 0); for a map
// with varchar keys it is a key, with the meaning of element_at: NULL when
// there is no such key.
type Step struct {
	Field int // -1 for a map key
	Key   string
}

// JSONTable is a table that has columns of JSON text, such as the original text
// of a record, and can serve values inside them without the text.
type JSONTable interface {
	Table
	// JSONPath returns the path that serves
	//
	//	json_extract_scalar(column, path)   when want is varchar
	//	json_extract(column, path)          when want is json
	//
	// for a column of the table and the path as the query has it. ok is false
	// when the table does not serve it, which it may say at any time, and must
	// say of a path that is not valid; the function is then evaluated on the
	// text. The path's Column is column, its Type is want, and its Steps are the
	// table's own: they come back to it in scan requests and terms, and nothing
	// else reads them.
	//
	// The contract is equality for every row, bit for bit, with what the function
	// gives for the text of the column: the same text of numbers (1.0 is not 1),
	// strings with their escapes resolved, json_extract's compact form of objects
	// and arrays, the last of duplicate keys as the function chooses it, and NULL
	// for a path that leads nowhere, for json_extract_scalar of a JSON null, an
	// object or an array, for text that is not JSON, and for a NULL column.
	JSONPath(column int, path string, want *column.Type) (_ Path, ok bool)
}

// Op is the comparison of a Term.
type Op uint8

// The comparisons that storage can use. Prefix, Suffix and Contains are what a
// LIKE pattern without inner wildcards asks for.
const (
	Eq Op = iota // equal to any of Values (so Eq with several values is IN)
	NotEq
	Less
	LessEq
	Greater
	GreaterEq
	IsNull
	NotNull
	Prefix
	Suffix
	Contains
	ContainsFold // Values are in small letters, and what has one of them is turned into small letters first
)

// Term is a condition that a row must meet to matter: path op values. Terms
// are hints: a scan may return rows that fail a term, never hold back one that
// meets all of them. NULL meets only IsNull. Values are flat vectors of the
// path's type without NULLs, but texts for Contains and ContainsFold on a map, which ask for a
// text in one of its keys or values, or in the map as text or JSON; several values only for Eq and NotEq (not in),
// and for Contains and ContainsFold (any of them).
type Term struct {
	Path   Path
	Op     Op
	Values *column.Vector
}

// ScanRequest says what a query wants of a table.
type ScanRequest struct {
	Paths []Path
	Terms []Term
	// Some says that the reader may stop before it has come to all units, and chooses by their bounds
	// which to look at first: the scan finds the candidates of a unit when they are
	// asked for, and leaves no unit out for having none.
	Some bool
}

// Scan is a prepared read of one table. Units may be read concurrently, each
// by one goroutine at a time.
type Scan interface {
	Units() []Unit
	// Pruning tells what the terms have left out so far, for EXPLAIN.
	Pruning() Pruning
	// Close releases the snapshot. No unit may be used after it.
	Close() error
}

// Pruning counts what a scan need not read.
type Pruning struct {
	// Quiet says that what was left out, and how, is not told, for it would tell of rows that
	// the reader may not see.
	Quiet            bool
	Segments         int // all that there are
	SegmentsByTime   int // left out by time range
	SegmentsByFilter int // left out by membership filters and dictionaries
	SegmentsUnasked  int // that might have candidates, and nobody has asked for them
	Rows             int64
	RowsByBitmap     int64 // rows of the remaining segments left out by bitmaps
	MemtableRows     int64 // rows not yet in a segment
	Columns          []string
}

// BlockRows is the number of rows that units are read by: reads of whole
// aligned blocks are cheapest, and a batch has no more rows.
const BlockRows = 4096

// Unit is an independent part of a table: a segment or a part of a memtable.
type Unit interface {
	// Rows is the number of rows, numbered from 0.
	Rows() int
	// Candidates are the rows that the terms leave; nil stands for all. A unit with
	// rows that nobody may see leaves them out here, knows no counts of values, and
	// has exactly the rows to be seen when there are no terms. Nobody may change them.
	Candidates(ctx context.Context) (*roaring.Bitmap, error)
	// Read returns the values of req.Paths[path] at the given rows: ascending
	// row numbers, at most BlockRows of them, or, when rows is nil, all the
	// rows of the range [from, to) within one block. Vectors of one path of one
	// unit share one Dict where they have one.
	Read(ctx context.Context, path int, rows []uint32, from, to int) (*column.Vector, error)
	// Bounds returns two flat values, when known without reading, between which all
	// of a path lie, both inclusive; NULLs do not count. ok is false when unknown.
	Bounds(path int) (v *column.Vector, ok bool)
	// Counts returns the distinct values of a path, NULL included when it
	// occurs, and how many rows of the whole unit have each; ok is false when
	// that is not known without reading.
	Counts(ctx context.Context, path int) (values *column.Vector, counts []int64, ok bool, err error)
	// Stored returns how many bytes of stored pages have been read so far.
	Stored() int64
}

// TimedUnit is a Unit that may know the times of its blocks without reading them.
type TimedUnit interface {
	Unit
	// Times returns times, in microseconds, that none of a path of timestamps in the unit lies outside
	// of; ok is false when they are not known.
	Times(path int) (min, max int64, ok bool)
	// BlockTimes returns times, in microseconds, that none of a path of timestamps in the
	// given block of BlockRows rows lies outside of; min is above max where there are only
	// NULLs. ok is false when they are not known.
	BlockTimes(ctx context.Context, path, block int) (min, max int64, ok bool)
	// TimeRows appends to rows, ascending, the rows of a block whose times, of a path of timestamps, lie between
	// two in microseconds, both inclusive. ok is false when they are not known, or a row may have NULL.
	TimeRows(ctx context.Context, path, block int, from, to int64, rows []uint32) (_ []uint32, ok bool)
	// Complete reports whether it is known that no row of the unit that can meet the terms has NULL at
	// a path of timestamps.
	Complete(ctx context.Context, path int) bool
}
