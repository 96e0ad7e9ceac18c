// Package sqltest has what tests of SQL need: tables in memory, in the layouts
// that storage can give, and a runner for text files of queries and results. It
// is imported by tests only.
//
// # Tables
//
// A [Table] is made of flat vectors. Its [Layout] says how the rows are cut
// into units, whether columns come with dictionaries, and which of the optional
// services of a unit there are (bounds, counts, candidates). A query must give
// the same result whatever the layout. The units check that they are used as
// package plan says: rows ascending and within one block, one goroutine at a
// time, nothing after Close; a breach is an error of the query.
package sqltest

import (
	"context"
	"fmt"
	"math"
	"slices"
	"strings"
	"sync"
	"sync/atomic"

	"github.com/RoaringBitmap/roaring/v2"

	"github.com/cairndb/cairn/segment/column"
	"github.com/cairndb/cairn/sql/fn"
	"github.com/cairndb/cairn/sql/plan"
)

// Layout is how a table's rows are kept.
type Layout struct {
	// UnitRows is how many rows a unit has; 0 for all in one.
	UnitRows int
	// Dict gives text and boolean columns dictionaries.
	Dict bool
	// NullEntry makes NULL an entry of the dictionary, instead of a bit of the
	// vector.
	NullEntry bool
	// Extra is how many entries that no row has every dictionary gets.
	Extra int
	// Stats lets units know bounds and counts.
	Stats bool
	// Prune drops the units and rows that do not meet the terms.
	Prune bool
	// MapsAsDict also gives maps, rows and arrays a dictionary layout.
	MapsAsDict bool
	// JSON serves paths into varchar columns whose names end in "json".
	JSON bool
}

// Table is a table in memory. It implements plan.Table.
type Table struct {
	name   string
	cols   []plan.Column
	data   []*column.Vector
	rows   int
	layout Layout
	// Delay, when set, is called before every read: for tests of cancellation.
	Delay func(ctx context.Context) error
	// Reads counts the values read, by column.
	Reads []atomic.Int64
	open  atomic.Int64
	// made keeps the columns of units in the table's layout, by pathKey, so that
	// a second query finds them as stored pages would be.
	made sync.Map
}

// pathKey names a path of a unit.
type pathKey struct {
	unit int
	path string
}

// NewTable makes a table of flat vectors of one length.
func NewTable(name string, cols []plan.Column, data []*column.Vector, l Layout) *Table {
	t := &Table{name: name, cols: cols, data: data, layout: l, Reads: make([]atomic.Int64, len(cols))}
	if len(data) > 0 {
		t.rows = data[0].Len
	}
	for i, v := range data {
		if v.Len != t.rows || v.Const || v.Dict != nil {
			panic(fmt.Sprintf("sqltest: column %d is not a flat vector of %d values", i, t.rows))
		}
	}
	if t.layout.UnitRows <= 0 {
		t.layout.UnitRows = max(t.rows, 1)
	}
	return t
}

// With returns the same rows in another layout.
func (t *Table) With(l Layout) *Table { return NewTable(t.name, t.cols, t.data, l) }

// Name implements plan.Table.
func (t *Table) Name() string { return t.name }

// Columns implements plan.Table.
func (t *Table) Columns() []plan.Column { return t.cols }

// Data returns the values of a column.
func (t *Table) Data(i int) *column.Vector { return t.data[i] }

// OpenScans returns how many scans were not closed.
func (t *Table) OpenScans() int { return int(t.open.Load()) }

// Rows returns the number of rows.
func (t *Table) Rows() int { return t.rows }

// RowCount implements plan.RowCounter.
func (t *Table) RowCount() int64 { return int64(t.rows) }

// Scan implements plan.Table.
func (t *Table) Scan(_ context.Context, req plan.ScanRequest) (plan.Scan, error) {
	s := &scan{t: t, req: req}
	terms := make([]*column.Vector, len(req.Terms))
	for i, term := range req.Terms {
		if term.Op != plan.IsNull && term.Op != plan.NotNull {
			v, t := term.Values, term.Path.Type
			search := term.Op == plan.Contains || term.Op == plan.ContainsFold
			if search && t.Kind == column.Map {
				t = column.VarcharType
			}
			if v.Len == 0 || v.Const || v.Dict != nil || v.Nulls.Any() || !v.Type.Equal(t) ||
				v.Len > 1 && term.Op != plan.Eq && term.Op != plan.NotEq && !search {
				return nil, fmt.Errorf("sqltest: term %d has values that a term must not have", i)
			}
		}
		terms[i] = follow(t.data[term.Path.Column], term.Path)
	}
	seen := map[string]bool{}
	for _, p := range req.Paths {
		if name := t.cols[p.Column].Name; !seen[name] {
			seen[name] = true
			s.pruning.Columns = append(s.pruning.Columns, name)
		}
	}
	for from := 0; from < t.rows; from += t.layout.UnitRows {
		u := &unit{s: s, from: from, to: min(t.rows, from+t.layout.UnitRows), keys: make([]*column.Vector, len(req.Paths))}
		s.pruning.Segments++
		s.pruning.Rows += int64(u.Rows())
		if t.layout.Prune && len(req.Terms) > 0 {
			u.candidates = roaring.New()
			for r := from; r < u.to; r++ {
				ok := true
				for i := range terms {
					ok = ok && meets(terms[i], r, req.Terms[i])
				}
				if ok {
					u.candidates.Add(uint32(r - from))
				}
			}
			if u.candidates.IsEmpty() {
				s.pruning.SegmentsByFilter++
				s.pruning.Rows -= int64(u.Rows())
				if req.Some {
					s.units = append(s.units, u)
				}
				continue
			}
			s.pruning.RowsByBitmap += int64(u.Rows()) - int64(u.candidates.GetCardinality())
		}
		s.units = append(s.units, u)
	}
	t.open.Add(1)
	return s, nil
}

// follow takes a vector down a path.
func follow(v *column.Vector, p plan.Path) *column.Vector {
	for _, st := range p.Steps {
		v = column.Flatten(v)
		if v.Type.Kind == column.Varchar {
			v = extract(v, st.Key, p.Type)
			continue
		}
		t := v.Type.Elem
		if st.Field >= 0 {
			t = v.Type.Fields[st.Field].Type
		}
		out := column.NewAppender(t, v.Len)
		for i := range v.Len {
			if v.IsNull(i) {
				out.Null()
				continue
			}
			if st.Field >= 0 {
				out.Append(v.Children[st.Field], i)
				continue
			}
			found := false
			for e := v.Offsets[i]; e < v.Offsets[i+1] && !found; e++ {
				if v.Children[0].Str[e] == st.Key {
					out.Append(v.Children[1], int(e))
					found = true
				}
			}
			if !found {
				out.Null()
			}
		}
		v = out.Vector()
	}
	return v
}

// JSONPath implements plan.JSONTable: the one step of the path has the whole
// JSON path as its key.
func (t *Table) JSONPath(col int, path string, want *column.Type) (plan.Path, bool) {
	c := t.cols[col]
	if !t.layout.JSON || c.Type.Kind != column.Varchar || !strings.HasSuffix(strings.ToLower(c.Name), "json") {
		return plan.Path{}, false
	}
	p := plan.Path{Column: col, Steps: []plan.Step{{Field: -1, Key: path}}, Type: want}
	if _, err := extracted(column.NullConst(column.VarcharType, 0), path, want); err != nil {
		return plan.Path{}, false
	}
	return p, true
}

// extracted is json_extract or json_extract_scalar of a vector of JSON text.
func extracted(v *column.Vector, path string, want *column.Type) (*column.Vector, error) {
	name := "json_extract_scalar"
	if want.Kind == column.JSON {
		name = "json_extract"
	}
	f, err := fn.LookupScalar(name).Bind([]*column.Type{column.VarcharType, column.VarcharType})
	if err != nil {
		return nil, err
	}
	text := column.New(column.VarcharType, 1)
	text.Str[0] = path
	// A row more than there are makes a wrong path an error even of no rows.
	rows := column.NewAppender(column.VarcharType, v.Len+1)
	rows.AppendAll(v)
	object := column.New(column.VarcharType, 1)
	object.Str[0] = "{}"
	rows.Append(object, 0)
	out, err := f.Eval(&fn.Context{}, []*column.Vector{rows.Vector(), column.NewConst(text, v.Len+1)}, v.Len+1)
	if err != nil {
		return nil, err
	}
	return column.Flatten(out).Slice(0, v.Len), nil
}

func extract(v *column.Vector, path string, want *column.Type) *column.Vector {
	out, err := extracted(v, path, want)
	if err != nil {
		panic(err) // JSONPath has tried the path
	}
	return out
}

func meets(v *column.Vector, i int, t plan.Term) bool {
	if v.IsNull(i) {
		return t.Op == plan.IsNull
	}
	in := func() bool {
		for k := range t.Values.Len {
			if fn.EqualAt(v, i, t.Values, k) {
				return true
			}
		}
		return false
	}
	switch t.Op {
	case plan.Eq:
		return in()
	case plan.NotEq:
		return !in()
	case plan.Less:
		return fn.Compare(v, i, t.Values, 0) < 0
	case plan.LessEq:
		return fn.Compare(v, i, t.Values, 0) <= 0
	case plan.Greater:
		return fn.Compare(v, i, t.Values, 0) > 0
	case plan.GreaterEq:
		return fn.Compare(v, i, t.Values, 0) >= 0
	case plan.NotNull:
		return true
	case plan.Prefix:
		return strings.HasPrefix(v.Str[i], t.Values.Str[0])
	case plan.Suffix:
		return strings.HasSuffix(v.Str[i], t.Values.Str[0])
	case plan.Contains, plan.ContainsFold:
		if v.Str == nil {
			return true // of a map
		}
		s := v.Str[i]
		if t.Op == plan.ContainsFold {
			s = strings.ToLower(s)
		}
		return slices.ContainsFunc(t.Values.Str, func(part string) bool { return strings.Contains(s, part) })
	}
	return false
}

type scan struct {
	t       *Table
	req     plan.ScanRequest
	units   []*unit
	pruning plan.Pruning
	closed  atomic.Bool
}

func (s *scan) Units() []plan.Unit {
	out := make([]plan.Unit, len(s.units))
	for i, u := range s.units {
		out[i] = u
	}
	return out
}

func (s *scan) Pruning() plan.Pruning { return s.pruning }

func (s *scan) Close() error {
	if s.closed.Swap(true) {
		return fmt.Errorf("sqltest: a scan of %s was closed twice", s.t.name)
	}
	s.t.open.Add(-1)
	return nil
}

type unit struct {
	s          *scan
	from, to   int
	candidates *roaring.Bitmap
	keys       []*column.Vector // paths in use
	busy       atomic.Bool
	stored     atomic.Int64
}

func (u *unit) Rows() int { return u.to - u.from }

func (u *unit) Candidates(context.Context) (*roaring.Bitmap, error) { return u.candidates, nil }

func (u *unit) Stored() int64 { return u.stored.Load() }

// path returns all values of a path in the unit, in the table's layout.
func (u *unit) path(i int) *column.Vector {
	if v := u.keys[i]; v != nil {
		return v
	}
	p, t := u.s.req.Paths[i], u.s.t
	key := pathKey{u.from, fmt.Sprint(p.Column, p.Steps, p.Type)}
	if v, ok := t.made.Load(key); ok {
		u.keys[i] = v.(*column.Vector)
		return u.keys[i]
	}
	at := make([]int32, u.Rows())
	for k := range at {
		at[k] = int32(u.from + k)
	}
	v := follow(column.Gather(t.data[p.Column], at), p)
	nested := v.Type.Payload() == column.PayloadNested
	if t.layout.Dict && (v.Type.Payload() == column.PayloadStr || v.Type.Kind == column.Boolean || nested && t.layout.MapsAsDict) {
		v = encode(v, t.layout)
	}
	kept, _ := t.made.LoadOrStore(key, v)
	u.keys[i] = kept.(*column.Vector)
	return u.keys[i]
}

// encode gives a flat vector a dictionary.
func encode(v *column.Vector, l Layout) *column.Vector {
	dict := column.NewAppender(v.Type, 0)
	out := &column.Vector{Type: v.Type, Len: v.Len, Codes: make([]uint32, v.Len)}
	byHash := map[uint64][]int{} // rows that are first with their value
	code := map[int]uint32{}
	for k := range l.Extra {
		if v.Type.Kind == column.Varchar {
			dict.Append(&column.Vector{Type: v.Type, Len: 1, Str: []string{fmt.Sprintf("nobody has this %d", k)}}, 0)
		}
	}
	for i := range v.Len {
		if v.IsNull(i) && !l.NullEntry {
			out.SetNull(i)
			continue
		}
		h, known := fn.HashAt(v, i), false
		for _, r := range byHash[h] {
			if fn.EqualAt(v, i, v, r) {
				out.Codes[i], known = code[r], true
				break
			}
		}
		if !known {
			byHash[h] = append(byHash[h], i)
			code[i] = uint32(dict.Len())
			out.Codes[i] = code[i]
			dict.Append(v, i)
		}
	}
	out.Dict = dict.Vector()
	if out.Dict.Len == 0 { // only NULLs: the codes must name something
		out.Dict = column.New(v.Type, 1)
	}
	return out
}

func (u *unit) Read(ctx context.Context, path int, rows []uint32, from, to int) (*column.Vector, error) {
	if u.busy.Swap(true) {
		return nil, fmt.Errorf("sqltest: a unit of %s is read by two goroutines at once", u.s.t.name)
	}
	defer u.busy.Store(false)
	if u.s.closed.Load() {
		return nil, fmt.Errorf("sqltest: a unit of %s is read after Close", u.s.t.name)
	}
	if d := u.s.t.Delay; d != nil {
		if err := d(ctx); err != nil {
			return nil, err
		}
	}
	v := u.path(path)
	n := len(rows)
	if rows == nil {
		n = to - from
	}
	u.s.t.Reads[u.s.req.Paths[path].Column].Add(int64(n))
	u.stored.Add(int64(8 * n))
	if rows == nil {
		if from < 0 || from >= to || to > u.Rows() || from/plan.BlockRows != (to-1)/plan.BlockRows {
			return nil, fmt.Errorf("sqltest: a read of the rows [%d, %d) of %d", from, to, u.Rows())
		}
		return v.Slice(from, to), nil
	}
	if n > plan.BlockRows {
		return nil, fmt.Errorf("sqltest: a read of %d rows", n)
	}
	at := make([]int32, n)
	for i, r := range rows {
		if int(r) >= u.Rows() || i > 0 && rows[i-1] >= r {
			return nil, fmt.Errorf("sqltest: a read of the rows %v", rows)
		}
		at[i] = int32(r)
	}
	return column.Gather(v, at), nil
}

func (u *unit) Bounds(path int) (*column.Vector, bool) {
	if !u.s.t.layout.Stats {
		return nil, false
	}
	p := u.s.req.Paths[path]
	key := pathKey{u.from, fmt.Sprint("bounds ", p.Column, p.Steps)}
	if v, ok := u.s.t.made.Load(key); ok {
		return v.(*column.Vector), true
	}
	v := column.Flatten(u.path(path))
	if v.Type.Payload() == column.PayloadNested {
		return nil, false
	}
	low, high := -1, -1
	for i := range v.Len {
		if v.IsNull(i) {
			continue
		}
		if low < 0 || fn.Compare(v, i, v, low) < 0 {
			low = i
		}
		if high < 0 || fn.Compare(v, i, v, high) > 0 {
			high = i
		}
	}
	if low < 0 {
		return nil, false
	}
	v = column.Gather(v, []int32{int32(low), int32(high)})
	u.s.t.made.Store(key, v)
	return v, true
}

// Times implements plan.TimedUnit.
func (u *unit) Times(path int) (earliest, latest int64, ok bool) {
	v, ok := u.Bounds(path)
	if !ok || v.Type.Kind != column.Timestamp {
		return 0, 0, false
	}
	v = column.Flatten(v)
	return v.I64[0], v.I64[1], true
}

// Complete implements plan.TimedUnit.
func (u *unit) Complete(_ context.Context, path int) bool {
	if !u.s.t.layout.Stats {
		return false
	}
	v := column.Flatten(u.path(path))
	return v.Type.Kind == column.Timestamp && !v.Nulls.Any()
}

// BlockTimes implements plan.TimedUnit.
func (u *unit) BlockTimes(_ context.Context, path, block int) (earliest, latest int64, ok bool) {
	if !u.s.t.layout.Stats {
		return 0, 0, false
	}
	v := column.Flatten(u.path(path))
	if v.Type.Kind != column.Timestamp {
		return 0, 0, false
	}
	earliest, latest = math.MaxInt64, math.MinInt64
	for i := block * plan.BlockRows; i < min(v.Len, (block+1)*plan.BlockRows); i++ {
		if !v.IsNull(i) {
			leaf, j := v.Leaf(i)
			earliest, latest = min(earliest, leaf.I64[j]), max(latest, leaf.I64[j])
		}
	}
	return earliest, latest, true
}

// TimeRows implements plan.TimedUnit.
func (u *unit) TimeRows(ctx context.Context, path, block int, from, to int64, rows []uint32) ([]uint32, bool) {
	if !u.Complete(ctx, path) {
		return rows, false
	}
	v := u.path(path)
	for i := block * plan.BlockRows; i < min(v.Len, (block+1)*plan.BlockRows); i++ {
		if leaf, j := v.Leaf(i); leaf.I64[j] >= from && leaf.I64[j] <= to {
			rows = append(rows, uint32(i))
		}
	}
	return rows, true
}

func (u *unit) Counts(_ context.Context, path int) (*column.Vector, []int64, bool, error) {
	if !u.s.t.layout.Stats {
		return nil, nil, false, nil
	}
	v := u.path(path)
	if v.Dict == nil {
		return nil, nil, false, nil
	}
	counts := make([]int64, v.Dict.Len)
	var nulls int64
	for i, c := range v.Codes {
		if v.Nulls.Get(i) {
			nulls++
		} else {
			counts[c]++
		}
	}
	values := column.NewAppender(v.Type, 0)
	var n []int64
	for c, k := range counts {
		if k > 0 {
			values.Append(v.Dict, c)
			n = append(n, k)
		}
	}
	if nulls > 0 {
		values.Null()
		n = append(n, nulls)
	}
	return values.Vector(), n, true, nil
}

// Catalog is a set of tables. It implements plan.Catalog.
type Catalog []*Table

// Table implements plan.Catalog.
func (c Catalog) Table(_ context.Context, name string) (plan.Table, error) {
	for _, t := range c {
		if strings.EqualFold(t.name, name) {
			return t, nil
		}
	}
	return nil, nil
}

// TableNames implements plan.Catalog.
func (c Catalog) TableNames(context.Context) ([]string, error) {
	var names []string
	for _, t := range c {
		names = append(names, t.name)
	}
	return names, nil
}

// With returns the tables in another layout.
func (c Catalog) With(l Layout) Catalog {
	out := make(Catalog, len(c))
	for i, t := range c {
		out[i] = t.With(l)
	}
	return out
}
