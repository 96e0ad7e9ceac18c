package engine

import (
	"context"
	"fmt"
	"slices"
	"sort"
	"strings"
	"sync"

	"github.com/RoaringBitmap/roaring/v2"

	"github.com/cairndb/cairn/engine/event"
	"github.com/cairndb/cairn/engine/memtable"
	"github.com/cairndb/cairn/segment"
	"github.com/cairndb/cairn/segment/column"
)

// How readers are kept to their accounts.
//
// A [View] is a lake with stores and events left out. Stores that are left out do not
// exist for it: names, hints and errors are those of a lake without them. Events of
// other accounts are left out where units of storage are handed to the query engine,
// below everything that could count or estimate them:
//
//	whole segment of other accounts   not there
//	whole segment of its accounts     as for everybody
//	mixed                             candidates are the rows of its accounts, and the
//	                                  segment's counts and bounds are not told
//
// Which rows of a segment are whose is found once per segment and set of accounts, from
// the counts of the account column where they suffice. What EXPLAIN tells of pruning
// depends on the filters and bitmaps of whole segments, so it is left out; estimates and
// row figures count visible rows only.
//
// The account of an event is its recipientAccountId, exactly as the column of that name
// shows it. An event without one belongs to nobody in particular, and whoever is limited
// to accounts does not see it.

// accountColumn is the column that tells whose an event is; all schemas have it.
const accountColumn = "recipientaccountid"

// scopesMax is how many sets of accounts a segment remembers rows for. A set takes 8 KiB
// at most, and readers of one organisation have few different ones.
const scopesMax = 4

// Scope says which part of a lake somebody may see. The zero value is nothing.
type Scope struct {
	// Stores are the names or IDs of the stores that can be read, or [All] alone; the
	// audit store is never among them.
	Stores []string
	// Accounts are those whose events are seen, or [All] alone.
	Accounts []string
	// Audit shows the audit store.
	Audit bool
	// Append are the stores that can be appended to, or [All] alone.
	Append []string
}

// View is a part of a lake. Its methods may be called from many goroutines.
type View struct {
	lake     *Lake
	scope    Scope
	accounts *accounts // nil for all
}

// As returns the part of the lake that a scope shows.
func (l *Lake) As(scope Scope) *View {
	return &View{lake: l, scope: scope, accounts: newAccounts(scope.Accounts)}
}

// accounts is a set of accounts; nil is the set of all.
type accounts struct {
	in  map[string]bool
	key string // the same for the same accounts
}

func newAccounts(list []string) *accounts {
	if slices.Contains(list, All) {
		return nil
	}
	a := &accounts{in: make(map[string]bool, len(list))}
	for _, name := range list {
		a.in[name] = true
	}
	var names []string
	for name := range a.in {
		names = append(names, name)
	}
	sort.Strings(names)
	a.key = fmt.Sprintf("%q", names)
	return a
}

// sees reports whether the view shows a store.
func (v *View) sees(s *Store) bool {
	if strings.EqualFold(s.Name(), AuditStore) {
		return v.scope.Audit
	}
	return names(v.scope.Stores, s)
}

// names reports whether a list names a store.
func names(list []string, s *Store) bool {
	return slices.ContainsFunc(list, func(name string) bool {
		return name == All || strings.EqualFold(name, s.Name()) || strings.EqualFold(name, s.ID())
	})
}

// mine are the rows of a segment that a set of accounts sees.
type mine struct {
	rows *roaring.Bitmap // nil for all; never changed
	n    int             // how many
}

// minesOf is what a segment remembers, by the keys of sets of accounts.
type minesOf struct {
	sync.Mutex
	by map[string]mine
}

// mine returns the rows of a segment that the accounts see.
func (a *accounts) mine(ctx context.Context, seg *sealed) (mine, error) {
	all := mine{n: int(seg.cat.Rows)}
	if a == nil {
		return all, nil
	}
	seg.mines.Lock()
	defer seg.mines.Unlock()
	if m, ok := seg.mines.by[a.key]; ok {
		return m, nil
	}
	r, err := seg.reader(ctx)
	if err != nil {
		return mine{}, err
	}
	src := accountSource(seg.store.schema)
	some, every, err := a.fromCounts(ctx, seg, src)
	var m mine
	switch {
	case err != nil:
		return mine{}, err
	case every:
		m = all
	case some:
		if m.rows, err = a.rowsIn(ctx, r, src); err != nil {
			return mine{}, seg.fault(fmt.Errorf("reading column %s: %w", accountColumn, err))
		}
		if m.n = int(m.rows.GetCardinality()); m.n == all.n {
			m = all
		}
	}
	if seg.mines.by == nil || len(seg.mines.by) >= scopesMax {
		seg.mines.by = make(map[string]mine)
	}
	seg.mines.by[a.key] = m
	return m, nil
}

// fromCounts tells from the counts of the account column whether some of a segment's
// rows, and whether all of them, are of the accounts.
func (a *accounts) fromCounts(ctx context.Context, seg *sealed, src *source) (some, every bool, err error) {
	u := &unit{scan: &scan{sources: []*source{src}}, seg: seg, rows: int(seg.cat.Rows)}
	values, counts, ok, err := u.Counts(ctx, 0)
	if err != nil || !ok {
		return true, false, err
	}
	every = true
	for i, n := range counts {
		if n == 0 {
			continue
		}
		if name, ok := textAt(values, i); ok && a.in[name] {
			some = true
		} else {
			every = false
		}
	}
	return some, every && some, nil
}

// rowsIn reads the account of every row.
func (a *accounts) rowsIn(ctx context.Context, r *segment.Reader, src *source) (*roaring.Bitmap, error) {
	rows := roaring.New()
	var list []uint32
	for from := 0; from < r.Rows(); from += segment.BlockRows {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		to := min(from+segment.BlockRows, r.Rows())
		v, err := src.read(ctx, r, segment.Range(from, to))
		if err != nil {
			return nil, err
		}
		list = list[:0]
		for i := range to - from {
			if name, ok := textAt(v, i); ok && a.in[name] {
				list = append(list, uint32(from+i))
			}
		}
		rows.AddMany(list)
	}
	rows.RunOptimize()
	return rows, nil
}

// mineIn is mine for a chunk of a memtable.
func (a *accounts) mineIn(ctx context.Context, schema *event.Table, c *memtable.Chunk) (mine, error) {
	all := mine{n: c.To - c.From}
	if a == nil {
		return all, nil
	}
	rows, err := a.rowsIn(ctx, c.Reader, accountSource(schema))
	if err != nil {
		return mine{}, fmt.Errorf("reading column %s: %w", accountColumn, err)
	}
	m := mine{rows: rows, n: int(rows.GetCardinality())}
	if m.n == all.n {
		return all, nil
	}
	return m, nil
}

// accountSource is where records of a schema tell whose they are.
func accountSource(t *event.Table) *source {
	c, _ := t.Column(accountColumn)
	return &source{places: c.Paths, kind: textSource, shape: c, typ: column.VarcharType}
}

// count returns how many events of a snapshot the accounts see.
func (a *accounts) count(ctx context.Context, sn *snapshot) (n int64, err error) {
	err = a.each(ctx, sn, func(m mine) { n += int64(m.n) })
	return n, err
}

// each calls fn for every part of a snapshot, without what has expired.
func (a *accounts) each(ctx context.Context, sn *snapshot, fn func(m mine)) error {
	for _, seg := range sn.segments {
		m, err := a.shown(ctx, sn, seg)
		if err != nil {
			return err
		}
		fn(m)
	}
	for _, v := range sn.views {
		chunks, err := v.Chunks(ctx)
		if err != nil {
			return err
		}
		for _, c := range chunks {
			m, err := a.shownIn(ctx, sn, v, c)
			if err != nil {
				return err
			}
			fn(m)
		}
	}
	return nil
}

// shown is mine without the rows that have expired.
func (a *accounts) shown(ctx context.Context, sn *snapshot, seg *sealed) (mine, error) {
	visible, none, err := sn.visible(ctx, seg)
	if err != nil || none {
		return mine{}, err
	}
	m, err := a.mine(ctx, seg)
	if err != nil {
		return mine{}, err
	}
	return m.and(visible), nil
}

// shownIn is mineIn without the rows that have expired.
func (a *accounts) shownIn(ctx context.Context, sn *snapshot, v *memtable.View, c *memtable.Chunk) (mine, error) {
	visible, none := sn.visibleIn(v, c)
	if none {
		return mine{}, nil
	}
	m, err := a.mineIn(ctx, sn.store.schema, c)
	if err != nil {
		return mine{}, err
	}
	return m.and(visible), nil
}

// and leaves those of the rows that are in a set; nil is the set of all.
func (m mine) and(visible *roaring.Bitmap) mine {
	if visible == nil || m.n == 0 {
		return m
	}
	rows := intersect(m.rows, visible)
	return mine{rows: rows, n: int(rows.GetCardinality())}
}

// limit leaves the rows of a unit that are somebody's.
func (u *unit) limit(m mine) {
	if m.rows == nil {
		return
	}
	u.candidates = intersect(u.candidates, m.rows)
	u.partial = true
}
