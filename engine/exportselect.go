package engine

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/RoaringBitmap/roaring/v2/roaring64"

	"github.com/cairndb/cairn/segment/column"
	"github.com/cairndb/cairn/sql"
	"github.com/cairndb/cairn/sql/plan"
)

// sequenceColumn is a column that only exports have: the sequence number.
const sequenceColumn = "$sequence"

// choose finds the events that the selection means, as a query does, and remembers
// their sequence numbers: a bitmap, so that millions cost little.
func (x *export) choose() error {
	cat := &selectionCatalog{table: &selectionTable{table: &table{snap: x.tiles.sn, schema: x.store.schema}}}
	text := fmt.Sprintf("SELECT %q FROM selection WHERE true", sequenceColumn)
	var args []any
	for _, bound := range []struct{ op, at string }{{">=", x.sel.From}, {"<", x.sel.To}} {
		if bound.at == "" {
			continue
		}
		t, err := time.Parse(time.RFC3339Nano, bound.at)
		if err != nil {
			return err
		}
		text += fmt.Sprintf(" AND eventTime %s TIMESTAMP '%s'", bound.op, t.UTC().Format("2006-01-02 15:04:05.000000"))
	}
	if x.sel.Where != "" {
		// On lines of its own: a comment at its end must not take the bracket with it.
		text += " AND (\n" + x.sel.Where + "\n)"
	}
	signed, err := time.Parse(time.RFC3339, x.sel.Signed)
	if err != nil {
		return err
	}
	l := x.lake
	opt := sql.Options{Now: signed, Memory: l.opts.QueryBytes, Workers: l.opts.Workers}
	if !l.opts.ReadOnly && l.opts.QueryDisk > 0 {
		opt.Files, opt.Disk = l.temp, l.opts.QueryDisk
	}
	rows, err := sql.Query(x.ctx, cat, text, args, opt)
	if err != nil {
		return &kindError{kind: ErrBadInput, err: fmt.Errorf("the condition: %w", err)}
	}
	defer rows.Close()
	if n := len(rows.Columns()); n != 1 || rows.Columns()[0].Type.Kind != column.BigInt {
		return failf(ErrBadInput, "the condition %q is more than a condition", x.sel.Where)
	}
	x.chosen = roaring64.New()
	for {
		b, err := rows.Next()
		if err == io.EOF {
			x.chosen.RunOptimize()
			return nil
		}
		if err != nil {
			return fmt.Errorf("finding the events of the selection: %w", err)
		}
		for i := range b.Len {
			leaf, at := b.Cols[0].Leaf(i)
			if b.Cols[0].IsNull(i) {
				continue
			}
			seq := uint64(leaf.I64[at])
			if seq < x.head.Size && (x.tiles.sn.segmentOf(seq) != nil || x.tiles.sn.viewOf(seq) != nil) {
				x.chosen.Add(seq)
			}
		}
	}
}

// selectionCatalog has one table, which is the store, under whatever name.
type selectionCatalog struct{ table *selectionTable }

// Table implements plan.Catalog.
func (c *selectionCatalog) Table(_ context.Context, name string) (plan.Table, error) {
	if name != "selection" {
		return nil, nil
	}
	return c.table, nil
}

// TableNames implements plan.Catalog.
func (c *selectionCatalog) TableNames(context.Context) ([]string, error) {
	return []string{"selection"}, nil
}

// selectionTable is a store with a column more.
type selectionTable struct{ *table }

// Columns implements plan.Table.
func (t *selectionTable) Columns() []plan.Column {
	return append(t.table.Columns(), plan.Column{Name: sequenceColumn, Type: column.BigIntType, Hidden: true})
}

// Scan implements plan.Table.
func (t *selectionTable) Scan(ctx context.Context, req plan.ScanRequest) (plan.Scan, error) {
	s := &selectionScan{number: make([]int, len(req.Paths))}
	below := plan.ScanRequest{}
	for i, p := range req.Paths {
		if p.Column == len(t.schema.Columns) {
			s.number[i] = -1
			continue
		}
		s.number[i] = len(below.Paths)
		below.Paths = append(below.Paths, p)
	}
	// Terms are hints; those on the column that storage does not have are left out.
	for _, term := range req.Terms {
		if term.Path.Column < len(t.schema.Columns) {
			below.Terms = append(below.Terms, term)
		}
	}
	inner, err := t.table.Scan(ctx, below)
	if err != nil {
		return nil, err
	}
	s.Scan = inner
	for _, u := range inner.Units() {
		s.units = append(s.units, &selectionUnit{Unit: u, first: u.(*unit).first, number: s.number})
	}
	return s, nil
}

// selectionScan is a scan with the column more. number says which path of the scan
// below each path is, -1 for the sequence number.
type selectionScan struct {
	plan.Scan
	number []int
	units  []plan.Unit
}

// Units implements plan.Scan.
func (s *selectionScan) Units() []plan.Unit { return s.units }

// selectionUnit is a unit with the column more. It has only what every unit has: what some
// know besides they know by the numbers of the paths below.
type selectionUnit struct {
	plan.Unit
	first  uint64
	number []int
}

// Read implements plan.Unit.
func (u *selectionUnit) Read(ctx context.Context, path int, rows []uint32, from, to int) (*column.Vector, error) {
	if n := u.number[path]; n >= 0 {
		return u.Unit.Read(ctx, n, rows, from, to)
	}
	if rows == nil {
		v := column.New(column.BigIntType, to-from)
		for i := range v.I64 {
			v.I64[i] = int64(u.first) + int64(from+i)
		}
		return v, nil
	}
	v := column.New(column.BigIntType, len(rows))
	for i, r := range rows {
		v.I64[i] = int64(u.first) + int64(r)
	}
	return v, nil
}

// Bounds implements plan.Unit.
func (u *selectionUnit) Bounds(path int) (*column.Vector, bool) {
	if n := u.number[path]; n >= 0 {
		return u.Unit.Bounds(n)
	}
	return nil, false
}

// Counts implements plan.Unit.
func (u *selectionUnit) Counts(ctx context.Context, path int) (*column.Vector, []int64, bool, error) {
	if n := u.number[path]; n >= 0 {
		return u.Unit.Counts(ctx, n)
	}
	return nil, nil, false, nil
}

// put writes a small file of the bundle.
func (x *export) put(name string, b []byte) error { return x.to.Write(x.ctx, name, bytes.NewReader(b)) }

// readObject reads a small object whole.
func readObject(ctx context.Context, from Bucket, name string, limit int64) ([]byte, error) {
	r, err := from.Read(ctx, name)
	if err != nil {
		return nil, err
	}
	b, err := io.ReadAll(io.LimitReader(r, limit))
	if err := errors.Join(err, r.Close()); err != nil {
		return nil, fmt.Errorf("reading %s: %w", name, err)
	}
	return b, nil
}
