package catalog

import (
	"context"
	"sync"

	"github.com/RoaringBitmap/roaring/v2"

	"github.com/cairndb/cairn/segment/column"
	"github.com/cairndb/cairn/sql/plan"
)

// row is a row of a table: the columns that are not at their defaults. Values are
// bool, int64, float64, string, []string or []int64; nil is NULL.
type row map[string]any

// filler gives the rows of a table.
type filler func(ctx context.Context, c *Catalog) ([]row, error)

// table is a table of the catalogue as one query sees it. It implements plan.Table.
type table struct {
	cat *Catalog
	def *definition
	ctx context.Context

	mu     sync.Mutex
	filled bool
	rows   []row
	err    error
	data   []*column.Vector // of the columns, once they are read
}

// Name implements plan.Table.
func (t *table) Name() string { return t.def.table }

// Columns implements plan.Table.
func (t *table) Columns() []plan.Column { return t.def.cols }

// RowCount implements plan.RowCounter.
func (t *table) RowCount() int64 {
	if t.fill(t.ctx) != nil {
		return 0
	}
	return int64(len(t.rows))
}

// fill asks for the rows, once.
func (t *table) fill(ctx context.Context) error {
	t.mu.Lock()
	defer t.mu.Unlock()
	if !t.filled && t.err == nil {
		if f := fillers[t.def.name]; f != nil {
			t.rows, t.err = f(ctx, t.cat)
		}
		t.filled = t.err == nil
	}
	return t.err
}

// column returns the values of a column, which are made when a query reads them.
func (t *table) column(i int) (*column.Vector, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.data[i] != nil {
		return t.data[i], nil
	}
	c := t.def.cols[i]
	a := column.NewAppender(c.Type, len(t.rows))
	absent, err := value(c.Type, defaultOf(t.def, i))
	if c.Name == "tableoid" {
		absent, err = value(c.Type, t.def.oid)
	}
	for _, r := range t.rows {
		v := absent
		if x, given := r[c.Name]; given && err == nil {
			v, err = value(c.Type, x)
		}
		if err != nil {
			return nil, none("%s.%s: %v", t.def.name, c.Name, err)
		}
		a.Append(v, 0)
	}
	t.data[i] = column.Flatten(a.Vector())
	return t.data[i], nil
}

// defaultOf is what a column holds that no filler names: Postgres' tables hold
// zeros there, its views and its texts nothing.
func defaultOf(d *definition, i int) any {
	if d.schema == "information_schema" || d.kind == "v" {
		return nil
	}
	switch t := d.cols[i].Type; t.Kind {
	case column.Boolean, column.SmallInt, column.Integer, column.BigInt:
		return int64(0)
	case column.Real, column.Double:
		return float64(0)
	case column.Varchar:
		if t.Alias == "char" || t.Alias == "name" {
			return ""
		}
	case column.Array:
		if t.Alias == "int2vector" || t.Alias == "oidvector" {
			return []int64{}
		}
	}
	return nil
}

// value makes a vector of one value.
func value(t *column.Type, x any) (*column.Vector, error) {
	v := column.New(t, 1)
	bad := func() (*column.Vector, error) { return nil, none("a %T is no %s", x, t) }
	switch x := x.(type) {
	case nil:
		v.SetNull(0)
	case bool:
		if t.Kind != column.Boolean {
			return bad()
		}
		if x {
			v.I64[0] = 1
		}
	case int:
		return value(t, int64(x))
	case int64:
		switch t.Payload() {
		case column.PayloadI64:
			v.I64[0] = x
		case column.PayloadF64:
			v.F64[0] = float64(x)
		default:
			return bad()
		}
	case float64:
		if t.Payload() != column.PayloadF64 {
			return bad()
		}
		v.F64[0] = x
	case string:
		if t.Kind != column.Varchar {
			return bad()
		}
		v.Str[0] = x
	case []int64:
		if t.Kind != column.Array || t.Elem.Payload() != column.PayloadI64 {
			return bad()
		}
		v.Offsets = []int32{0, int32(len(x))}
		v.Children = []*column.Vector{{Type: t.Elem, Len: len(x), I64: x}}
	case []string:
		if t.Kind != column.Array || t.Elem.Kind != column.Varchar {
			return bad()
		}
		v.Offsets = []int32{0, int32(len(x))}
		v.Children = []*column.Vector{{Type: t.Elem, Len: len(x), Str: x}}
	default:
		return bad()
	}
	return v, nil
}

// Scan implements plan.Table.
func (t *table) Scan(ctx context.Context, req plan.ScanRequest) (plan.Scan, error) {
	if err := t.fill(ctx); err != nil {
		return nil, err
	}
	s := &scan{t: t, paths: req.Paths}
	for _, p := range req.Paths {
		if len(p.Steps) > 0 {
			return nil, none("a path into a column of %s", t.def.name)
		}
	}
	return s, nil
}

// scan implements plan.Scan and is its one unit.
type scan struct {
	t     *table
	paths []plan.Path
}

// Units implements plan.Scan.
func (s *scan) Units() []plan.Unit { return []plan.Unit{s} }

// Pruning implements plan.Scan.
func (s *scan) Pruning() plan.Pruning {
	p := plan.Pruning{MemtableRows: int64(len(s.t.rows))}
	for _, path := range s.paths {
		p.Columns = append(p.Columns, s.t.def.cols[path.Column].Name)
	}
	return p
}

// Close implements plan.Scan.
func (s *scan) Close() error { return nil }

// Rows implements plan.Unit.
func (s *scan) Rows() int { return len(s.t.rows) }

// Candidates implements plan.Unit.
func (s *scan) Candidates(context.Context) (*roaring.Bitmap, error) { return nil, nil }

// Read implements plan.Unit.
func (s *scan) Read(_ context.Context, path int, rows []uint32, from, to int) (*column.Vector, error) {
	v, err := s.t.column(s.paths[path].Column)
	if err != nil {
		return nil, err
	}
	if rows == nil {
		return v.Slice(from, to), nil
	}
	at := make([]int32, len(rows))
	for i, r := range rows {
		at[i] = int32(r)
	}
	return column.Gather(v, at), nil
}

// Bounds implements plan.Unit.
func (s *scan) Bounds(int) (*column.Vector, bool) { return nil, false }

// Counts implements plan.Unit.
func (s *scan) Counts(context.Context, int) (*column.Vector, []int64, bool, error) {
	return nil, nil, false, nil
}

// Stored implements plan.Unit.
func (s *scan) Stored() int64 { return 0 }
