package engine

import (
	"context"
	"fmt"
	"slices"
	"sort"
	"strings"
	"sync"
	"sync/atomic"

	"github.com/RoaringBitmap/roaring/v2"

	"github.com/cairndb/cairn/engine/event"
	"github.com/cairndb/cairn/engine/retention"
	"github.com/cairndb/cairn/segment"
	"github.com/cairndb/cairn/segment/column"
	"github.com/cairndb/cairn/sql/plan"
)

// queryCatalog is the lake as one query sees it: every store that the query
// names is a snapshot, taken when it is first named and kept until the query
// ends.
type queryCatalog struct {
	lake *Lake
	view *View // leaves out stores and events; nil for none
	uses atomic.Int32
	mu   sync.Mutex
	snap map[*Store]*snapshot
	// fixed says that snap has all stores that there are.
	fixed bool
	// from leaves out the events of stores below a sequence number.
	from map[*Store]uint64
}

// newQueryCatalog returns a catalogue with one use, which release ends.
func (l *Lake) newQueryCatalog() *queryCatalog {
	c := &queryCatalog{lake: l, snap: make(map[*Store]*snapshot)}
	c.uses.Store(1)
	return c
}

// use adds a use; it reports whether there was one left.
func (c *queryCatalog) use() bool {
	for {
		n := c.uses.Load()
		if n == 0 {
			return false
		}
		if c.uses.CompareAndSwap(n, n+1) {
			return true
		}
	}
}

// Table implements plan.Catalog.
func (c *queryCatalog) Table(_ context.Context, name string) (plan.Table, error) {
	s := c.lake.storeCalled(name)
	if s == nil {
		return c.viewTable(name)
	}
	if !c.sees(s) {
		return nil, nil
	}
	if err := s.readable(); err != nil {
		return nil, err
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.snap[s] == nil {
		if c.fixed {
			return nil, nil // made after the moment that this catalogue shows
		}
		if c.uses.Load() == 0 {
			return nil, failf(ErrUnavailable, "the snapshot is closed")
		}
		c.snap[s] = s.snapshot()
	}
	t := &table{snap: c.snap[s], schema: s.schema, from: c.from[s]}
	if c.view != nil {
		t.accounts = c.view.accounts
	}
	return t, nil
}

// viewTable returns the view with a name, nil when there is none to be seen.
func (c *queryCatalog) viewTable(name string) (plan.Table, error) {
	v := c.lake.viewCalled(name)
	if v == nil || !c.seesView(v) {
		return nil, nil
	}
	if err := v.store.readable(); err != nil {
		return nil, err
	}
	t, err := v.relation(c.lake.opts.Clock())
	if err != nil {
		return nil, err
	}
	return t, nil
}

// seesView reports whether the query may know of a view.
func (c *queryCatalog) seesView(v *matview) bool {
	if !c.sees(v.store) {
		return false
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	return !c.fixed || c.snap[v.store] != nil
}

// sees reports whether the query may know of a store.
func (c *queryCatalog) sees(s *Store) bool { return c.view == nil || c.view.sees(s) }

// TableNames implements plan.Catalog.
func (c *queryCatalog) TableNames(context.Context) ([]string, error) {
	var names []string
	for _, s := range c.lake.Stores() {
		if c.fixed && c.snap[s] == nil || s.readable() != nil || !c.sees(s) {
			continue
		}
		names = append(names, s.Name())
		for _, v := range c.lake.viewsOf(s) {
			if c.lake.storeCalled(v.rec.Name) == nil {
				names = append(names, v.rec.Name)
			}
		}
	}
	return names, nil
}

// release ends a use; the last one gives up the snapshots.
func (c *queryCatalog) release() {
	if c.uses.Add(-1) > 0 {
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, sn := range c.snap {
		sn.release()
	}
}

// table is a store's events through a schema. It implements plan.Table.
type table struct {
	snap     *snapshot
	schema   *event.Table
	accounts *accounts // whose events are seen; nil for all
	from     uint64    // events with smaller sequence numbers are left out
}

// Name implements plan.Table.
func (t *table) Name() string { return t.snap.store.Name() }

// ID returns the store's ID, by which a catalogue can know it for good.
func (t *table) ID() string { return t.snap.store.ID() }

// Columns implements plan.Table.
func (t *table) Columns() []plan.Column { return columnsOf()[t.schema] }

// columnsOf are the columns of every schema as the planner takes them: every query asks
// for them, and they never change.
var columnsOf = sync.OnceValue(func() map[*event.Table][]plan.Column {
	all := make(map[*event.Table][]plan.Column)
	for _, schema := range event.Tables() {
		out := make([]plan.Column, len(schema.Columns))
		for i := range schema.Columns {
			c := &schema.Columns[i]
			out[i] = plan.Column{Name: c.Name, Type: c.Type, Aliases: c.Aliases, FieldAliases: fieldAliases(c, nil)}
		}
		all[schema] = slices.Clip(out)
	}
	return all
})

// RowCount implements plan.RowCounter.
func (t *table) RowCount() int64 {
	if t.accounts != nil {
		// Where reading fails, the scan will tell.
		n, _ := t.accounts.count(context.Background(), t.snap)
		return n
	}
	var n int64
	for _, seg := range t.snap.segments {
		if t.snap.horizon.Of(seg.cat.MinTime, seg.cat.MaxTime) != retention.All {
			n += int64(seg.cat.Rows)
		}
	}
	for _, v := range t.snap.views {
		n += int64(len(v.Rows()))
	}
	return min(n, int64(t.snap.next-min(t.from, t.snap.next)))
}

// fieldAliases adds the other names of the members below a column.
func fieldAliases(c *event.Column, to map[string]string) map[string]string {
	for i := range c.Members {
		m := &c.Members[i]
		for _, a := range m.Aliases {
			if to == nil {
				to = make(map[string]string)
			}
			to[strings.ToLower(a)] = m.Name
		}
		to = fieldAliases(m, to)
	}
	return to
}

// Scan implements plan.Table.
func (t *table) Scan(ctx context.Context, req plan.ScanRequest) (plan.Scan, error) {
	s := &scan{store: t.snap.store, some: req.Some}
	for _, p := range req.Paths {
		src, err := sourceOf(t.schema, p)
		if err != nil {
			return nil, err
		}
		s.sources = append(s.sources, src)
		s.pruning.Columns = append(s.pruning.Columns, src.name())
	}
	f := &filter{bitmaps: !t.snap.store.lake.opts.NoBitmaps}
	if err := f.init(t.schema, req.Terms); err != nil {
		return nil, err
	}
	for _, seg := range t.snap.segments {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		visible, none, err := t.snap.visible(ctx, seg)
		if err != nil {
			return nil, err
		}
		if none {
			continue // expired: as if it were not there
		}
		s.pruning.Segments++
		if seg.cat.End() <= t.from || f.outsideTime(seg.cat.MinTime, seg.cat.MaxTime) {
			s.pruning.SegmentsByTime++
			continue
		}
		mine, err := t.accounts.mine(ctx, seg)
		if err != nil {
			return nil, err
		}
		if mine.n == 0 {
			continue
		}
		u := &unit{scan: s, seg: seg, first: seg.cat.First, rows: int(seg.cat.Rows), filter: f, candidates: visible, base: seg.bytesRead.Load()}
		u.partial, u.hides = visible != nil, visible != nil
		u.limit(mine)
		if mine.rows != nil {
			u.mine = t.accounts
		}
		u.leaveOut(t.from)
		if req.Some {
			s.pruning.SegmentsUnasked++
		} else if none, err := u.find(ctx); err != nil {
			return nil, err
		} else if none {
			continue
		}
		s.add(u)
	}
	for _, v := range t.snap.views {
		min, max := v.Times()
		s.pruning.MemtableRows += int64(len(v.Rows()))
		if f.outsideTime(min, max) {
			continue
		}
		known := f.identified(v)
		chunks, err := v.ChunksOf(ctx, func(from, to int) bool { return known == nil || someIn(known, from, to) })
		if err != nil {
			return nil, err
		}
		for _, c := range chunks {
			visible, none := t.snap.visibleIn(v, c)
			if none || v.First()+uint64(c.To) <= t.from || f.outsideTime(c.MinTime, c.MaxTime) {
				continue
			}
			mine, err := t.accounts.mineIn(ctx, t.schema, c)
			if err != nil {
				return nil, err
			}
			if mine.n == 0 {
				continue
			}
			rows, none, err := f.rowsInMemory(ctx, c, known)
			if err != nil {
				return nil, err
			}
			if none {
				continue
			}
			u := &unit{scan: s, reader: c.Reader, first: v.First() + uint64(c.From), rows: c.To - c.From, candidates: rows}
			if visible != nil {
				u.partial, u.candidates = true, intersect(rows, visible)
			}
			u.limit(mine)
			u.leaveOut(t.from)
			s.add(u)
		}
	}
	if t.accounts != nil {
		// Pruning goes by filters and bitmaps of whole segments, and would tell of what
		// others have in them.
		s.quiet = true
		s.pruning = plan.Pruning{Quiet: true, Rows: t.RowCount(), Columns: s.pruning.Columns}
	}
	sort.SliceStable(s.parts, func(i, j int) bool { return s.parts[i].first < s.parts[j].first })
	for _, u := range s.parts {
		s.units = append(s.units, u)
	}
	return s, nil
}

// scan implements plan.Scan. It lives within the query's snapshots.
type scan struct {
	store   *Store
	sources []*source
	parts   []*unit
	units   []plan.Unit
	mu      sync.Mutex // guards pruning once there are units
	pruning plan.Pruning
	quiet   bool         // does not tell what was read
	some    bool         // units find their candidates when they are asked
	records atomic.Int64 // whole records read, see keeps
}

func (s *scan) add(u *unit) {
	u.dicts = make([]atomic.Pointer[column.Vector], len(s.sources))
	s.parts = append(s.parts, u)
}

// Units implements plan.Scan.
func (s *scan) Units() []plan.Unit { return s.units }

// Pruning implements plan.Scan.
func (s *scan) Pruning() plan.Pruning {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.pruning
}

// Close implements plan.Scan. The query's catalogue has the snapshot.
func (s *scan) Close() error { return nil }

// unit is a segment, or a chunk of a memtable. It implements plan.Unit.
type unit struct {
	scan   *scan
	seg    *sealed // nil for a chunk
	reader *segment.Reader
	first  uint64
	rows   int
	// candidates are the rows that are to be seen, once found those of them that can meet the terms.
	candidates *roaring.Bitmap
	filter     *filter // what the terms ask of a segment; nil for a chunk
	found      bool    // by find
	search     sync.Once
	failed     error // of search
	// partial says that candidates leave out rows for another reason than the terms,
	// so that what is known of the whole unit does not hold.
	partial bool
	// hides says that rows have expired or are left out by their sequence numbers; mine are
	// the accounts whose rows alone are seen of a segment that has others, too.
	hides bool
	mine  *accounts
	base  int64 // bytes of the segment read before
	// dicts are the dictionaries that have been handed out, per path: the cache
	// may have to make them anew, and consumers know them by their pointers.
	dicts []atomic.Pointer[column.Vector]
}

// Rows implements plan.Unit.
func (u *unit) Rows() int { return u.rows }

// Candidates implements plan.Unit.
func (u *unit) Candidates(ctx context.Context) (*roaring.Bitmap, error) {
	if u.filter != nil {
		u.search.Do(func() { u.failed = u.narrow(ctx) })
	}
	return u.candidates, u.failed
}

// narrow finds the candidates as far as that was not done when the scan was prepared. Texts
// and times are looked for only here: units are read side by side, a scan is prepared by one.
func (u *unit) narrow(ctx context.Context) error {
	if !u.found {
		none, err := u.find(ctx)
		if err != nil {
			return err
		}
		if none {
			u.candidates = roaring.New()
			return nil
		}
	}
	f := u.filter
	cut := f.cuts(u.seg.cat.MinTime, u.seg.cat.MaxTime) && (u.candidates == nil || u.candidates.GetCardinality() > fewRows)
	if len(f.contains) == 0 && !cut {
		return nil
	}
	r, err := u.open(ctx)
	if err != nil {
		return err
	}
	if cut {
		rows, err := rowsBetween(ctx, r, f.from, f.to)
		if err != nil {
			return u.fault(fmt.Errorf("searching times: %w", err))
		}
		if rows != nil {
			u.candidates = intersect(u.candidates, rows)
		}
	}
	if u.candidates, err = rowsContaining(ctx, r, f.contains, u.candidates); err != nil {
		return u.fault(fmt.Errorf("searching for texts: %w", err))
	}
	return nil
}

// find finds the rows of a segment that can meet the terms by filters, dictionaries and postings, and counts
// what they leave out; none says that there are no such rows.
func (u *unit) find(ctx context.Context) (none bool, err error) {
	rows, none, err := u.filter.rowsOf(ctx, u.seg)
	if err != nil {
		return false, err
	}
	there := int64(u.rows)
	if u.candidates != nil {
		there = int64(u.candidates.GetCardinality())
	}
	if u.found = true; rows != nil && !none {
		u.candidates = intersect(u.candidates, rows)
	}
	s := u.scan
	if s.quiet {
		return none, nil
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.some {
		s.pruning.SegmentsUnasked--
	}
	if none {
		s.pruning.SegmentsByFilter++
		return true, nil
	}
	s.pruning.Rows += there
	if u.candidates != nil {
		s.pruning.RowsByBitmap += there - int64(u.candidates.GetCardinality())
	}
	return false, nil
}

// leaveOut removes the rows with sequence numbers below from.
func (u *unit) leaveOut(from uint64) {
	if from <= u.first {
		return
	}
	if u.candidates == nil {
		u.candidates = roaring.New()
		u.candidates.AddRange(0, uint64(u.rows))
	} else {
		u.candidates = u.candidates.Clone()
	}
	u.candidates.RemoveRange(0, from-u.first)
	u.partial, u.hides = true, true
}

// open returns the unit's reader.
func (u *unit) open(ctx context.Context) (*segment.Reader, error) {
	if u.seg == nil {
		return u.reader, nil
	}
	return u.seg.reader(ctx)
}

// fault gives an error its place.
func (u *unit) fault(err error) error {
	if u.seg == nil {
		return err
	}
	return u.seg.fault(err)
}

// Read implements plan.Unit.
func (u *unit) Read(ctx context.Context, path int, rows []uint32, from, to int) (*column.Vector, error) {
	r, err := u.open(ctx)
	if err != nil {
		return nil, err
	}
	sel := segment.Range(from, to)
	if rows != nil {
		sel = segment.List(rows)
	}
	src := u.scan.sources[path]
	var v *column.Vector
	if (src.kind == recordSource || src.kind == checksumSource) && u.seg != nil {
		if v, err = r.KeptRecords(ctx, sel, u.scan.keeps(selected(sel))); err == nil {
			v = src.made(v)
		}
	} else {
		v, err = src.read(ctx, r, sel)
	}
	if err != nil {
		return nil, u.fault(fmt.Errorf("reading column %s: %w", src.name(), err))
	}
	return u.sameDict(path, v), nil
}

// recordsKeptMax is how many records of one scan are kept in the cache. Pages of events are
// asked for again, and what follows; whoever reads more reads on.
const recordsKeptMax = 1024

// keeps reports whether n more records that the scan reads are to be kept.
func (s *scan) keeps(n int) bool {
	return s.records.Load() < recordsKeptMax && s.records.Add(int64(n)) <= recordsKeptMax
}

// sameDict gives a vector the dictionary that the path's other vectors have.
func (u *unit) sameDict(path int, v *column.Vector) *column.Vector {
	if v.Dict == nil {
		return v
	}
	if u.dicts[path].CompareAndSwap(nil, v.Dict) {
		return v
	}
	if d := u.dicts[path].Load(); d != v.Dict && d.Len == v.Dict.Len {
		out := *v
		out.Dict = d
		return &out
	}
	return v
}

// place returns the one place in the records that a path reads, when the
// segment knows it; nowhere says that no record of the unit has any of them.
func (u *unit) place(ctx context.Context, r *segment.Reader, src *source) (p segment.PathID, ok, nowhere bool) {
	found := 0
	for _, place := range src.places {
		at, there, err := r.Lookup(ctx, place)
		if err != nil {
			return 0, false, false
		}
		if there {
			p = at
			found++
		}
	}
	return p, found == 1, found == 0 && len(src.places) > 0
}

// Bounds implements plan.Unit.
func (u *unit) Bounds(path int) (*column.Vector, bool) {
	min, max, ok := u.Times(path)
	if !ok {
		return nil, false
	}
	v := column.New(u.scan.sources[path].typ, 2)
	v.I64[0], v.I64[1] = min, max
	return v, true
}

// Times implements plan.TimedUnit.
func (u *unit) Times(path int) (min, max int64, ok bool) {
	src := u.scan.sources[path]
	if src.kind != timeSource || u.partial {
		return 0, 0, false
	}
	if u.seg != nil && isEventTime(src) {
		// The catalogue knows, and which of very many segments are the newest is told without opening any.
		return u.seg.cat.MinTime, u.seg.cat.MaxTime, true
	}
	ctx := context.Background()
	r, err := u.open(ctx)
	if err != nil {
		return 0, 0, false // reading will tell
	}
	p, ok, _ := u.place(ctx, r, src)
	if !ok {
		return 0, 0, false
	}
	min, max, ok, err = r.TimeBounds(ctx, p)
	return min, max, ok && err == nil
}

// timePath returns the one place of a path of times in the unit's records.
func (u *unit) timePath(ctx context.Context, path int) (r *segment.Reader, p segment.PathID, ok bool) {
	src := u.scan.sources[path]
	if src.kind != timeSource {
		return nil, 0, false
	}
	r, err := u.open(ctx)
	if err != nil {
		return nil, 0, false // reading will tell
	}
	p, ok, _ = u.place(ctx, r, src)
	return r, p, ok
}

// Complete implements plan.TimedUnit.
func (u *unit) Complete(ctx context.Context, path int) bool {
	ofEvent := u.seg != nil && isEventTime(u.scan.sources[path])
	if ofEvent {
		if u.filter.timed {
			return true // rows without a time do not meet the terms
		}
		switch u.seg.timed.Load() {
		case allTimed:
			return true
		case notAllTimed:
			return false
		}
	}
	r, p, ok := u.timePath(ctx, path)
	complete, err := false, error(nil)
	if ok {
		complete, err = r.AllTimes(ctx, p)
	}
	if ofEvent && err == nil && ctx.Err() == nil && r != nil {
		known := int32(notAllTimed)
		if complete {
			known = allTimed
		}
		u.seg.timed.Store(known)
	}
	return err == nil && complete
}

// What is remembered of a segment, so that it need not be opened to know it: whether all of its
// rows have an event time. A few have that of a window instead.
const (
	allTimed = iota + 1
	notAllTimed
)

// BlockTimes implements plan.TimedUnit. They are those of all rows of a block, of which not all may be seen.
func (u *unit) BlockTimes(ctx context.Context, path, block int) (min, max int64, ok bool) {
	r, p, ok := u.timePath(ctx, path)
	if !ok {
		return 0, 0, false
	}
	times, ok, err := r.BlockTimes(ctx, p)
	if err != nil || !ok || block >= len(times) {
		return 0, 0, false
	}
	return times[block].Min, times[block].Max, true
}

// TimeRows implements plan.TimedUnit.
func (u *unit) TimeRows(ctx context.Context, path, block int, from, to int64, rows []uint32) ([]uint32, bool) {
	r, p, ok := u.timePath(ctx, path)
	if !ok {
		return rows, false
	}
	rows, ok, err := r.BlockTimeRows(ctx, p, block, from, to, rows)
	return rows, ok && err == nil
}

// Counts implements plan.Unit.
func (u *unit) Counts(ctx context.Context, path int) (*column.Vector, []int64, bool, error) {
	src := u.scan.sources[path]
	if src.kind != textSource && src.kind != boolSource || u.partial {
		return nil, nil, false, nil
	}
	r, err := u.open(ctx)
	if err != nil {
		return nil, nil, false, err
	}
	p, ok, nowhere := u.place(ctx, r, src)
	if nowhere {
		return column.NullConst(src.typ, 1), []int64{int64(u.rows)}, true, nil
	}
	if !ok {
		return nil, nil, false, nil
	}
	dict, counts, ok, err := r.Counts(ctx, p)
	if err != nil {
		return nil, nil, false, u.fault(fmt.Errorf("reading the counts of column %s: %w", src.name(), err))
	}
	if !ok {
		return nil, nil, false, nil
	}
	values, sums := distinctCounts(src, dict, counts)
	return values, sums, true, nil
}

// distinctCounts drops entries that no row has, and turns texts into booleans
// where the source wants them.
func distinctCounts(src *source, dict *column.Vector, counts []int64) (*column.Vector, []int64) {
	if src.kind == textSource {
		out := column.NewAppender(src.typ, dict.Len)
		sums := make([]int64, 0, len(counts))
		for i, n := range counts {
			if n > 0 {
				out.Append(dict, i)
				sums = append(sums, n)
			}
		}
		return out.Vector(), sums
	}
	var of [3]int64 // false, true, NULL
	for i, n := range counts {
		at := 2
		if !dict.IsNull(i) {
			leaf, j := dict.Leaf(i)
			switch leaf.Str[j] {
			case "false":
				at = 0
			case "true":
				at = 1
			}
		}
		of[at] += n
	}
	v := &column.Vector{Type: src.typ}
	var sums []int64
	for at, n := range of {
		if n == 0 {
			continue
		}
		v.I64 = append(v.I64, int64(at&1))
		v.Len++
		if at == 2 {
			v.SetNull(v.Len - 1)
		}
		sums = append(sums, n)
	}
	return v, sums
}

// Stored implements plan.Unit.
func (u *unit) Stored() int64 {
	if u.seg == nil || u.scan.quiet {
		return 0
	}
	return u.seg.bytesRead.Load() - u.base
}

// String names the unit in messages.
func (u *unit) String() string {
	if u.seg != nil {
		return u.seg.name()
	}
	return strings.TrimSpace(fmt.Sprintf("events from %d in memory", u.first))
}
