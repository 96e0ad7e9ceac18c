package engine

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"slices"
	"sort"
	"strings"
	"sync"
	"time"

	"github.com/cespare/xxhash/v2"

	"github.com/cairndb/cairn/engine/catalog"
	"github.com/cairndb/cairn/engine/lsm"
	"github.com/cairndb/cairn/engine/retention"
	"github.com/cairndb/cairn/segment/column"
	"github.com/cairndb/cairn/sql"
	"github.com/cairndb/cairn/sql/plan"
	"github.com/cairndb/cairn/sql/sqlerr"
)

// Views that keep themselves.
//
// A view is a grouped aggregate over one store. For every sealed segment there is one
// partial per view: the group keys and the states of the aggregates of exactly the rows of
// that segment, stored under keys of the segment's own range (partial.go), so that they go
// with it when it is dropped or merged. Reading takes the partial of a segment where there
// is one and none of its rows is hidden, reads its rows where not, and reads what is not
// sealed yet; so what a view gives is always what its query gives, however far the keeping
// of it has come: late events, expiry, holds, accounts and snapshots need nothing of their
// own. Nothing is counted twice or missed, since a segment has its partial or is read.
//
// What came of the groups of a list of segments, for one query's keys, conditions and
// aggregates, is kept in the lake's cache by the numbers of those segments (GroupKeeper), for
// sealed segments do not change: the next query that asks the same reads what is new, and
// nothing else. It is given up when groups are found to be wrong.
//
// The cursor of a view, the sequence number below which every segment has its partial,
// follows from what is stored and is written with it. Who fills in what is missing is told
// in viewfill.go, what is there without asking in viewbuiltin.go.
//
// As a relation of FROM a view is its query (plan.QueryTable). With a period of its own it
// shows the buckets of that period only: those that end after it has begun.

// ViewDaysMax is the longest period that a view can have of its own, in days.
const ViewDaysMax = retention.DaysMax

// viewsMax bounds how many views a store may have: each is kept for every segment.
const viewsMax = 64

// viewTextMax bounds the text of a view's query, in bytes.
const viewTextMax = 32 << 10

// firstViewNumber is the first number of views that somebody has made; those below are
// the lake's own.
const firstViewNumber = 1 << 10

// matview is a view of a store. It does not change.
type matview struct {
	rec     catalog.View
	store   *Store
	builtIn bool
	// plan is the view over the segments; nil for one that is read from others, and for one
	// that cannot be bound.
	plan *sql.View
	// columns are those of the relation.
	columns []sql.Output
	broken  error // why the query cannot be run any more
	from    string
}

// viewSet is the views of a lake.
type viewSet struct {
	sync.RWMutex
	byName map[string]*matview // by lower-case name
	next   uint32              // number of the next one that is made
	off    map[*Store]bool     // keep no built-in ones
	filler viewFiller
}

func (v *viewSet) init() {
	v.byName = make(map[string]*matview)
	v.off = make(map[*Store]bool)
	v.next = firstViewNumber
	v.filler.init()
}

// viewPrint identifies what partials were made by: the query, how states are written,
// and the types of the columns.
func viewPrint(v *sql.View, text string) uint64 {
	h := xxhash.New()
	fmt.Fprintf(h, "%d %q", partialVersion, text)
	for _, t := range v.Types() {
		fmt.Fprintf(h, " %v", t)
	}
	return h.Sum64()
}

// bindView makes the view of a query over a store.
func (l *Lake) bindView(ctx context.Context, rec catalog.View, s *Store) *matview {
	m := &matview{rec: rec, store: s}
	cat := &viewCatalog{lake: l}
	v, err := sql.NewView(ctx, cat, rec.Name, rec.Number, rec.Query)
	switch {
	case err != nil:
		m.broken = err
	case cat.store != s:
		m.broken = failf(ErrBadInput, "the query reads store %s, the view is of store %s", cat.store.Name(), s.Name())
	default:
		v.Print = viewPrint(v, rec.Query)
		m.plan, m.columns = v, v.Columns
	}
	return m
}

// viewCatalog gives the stores to bind views over, and remembers which was named.
type viewCatalog struct {
	lake  *Lake
	store *Store
}

// Table implements plan.Catalog.
func (c *viewCatalog) Table(_ context.Context, name string) (plan.Table, error) {
	s := c.lake.storeCalled(name)
	if s == nil {
		if v := c.lake.viewCalled(name); v != nil {
			return nil, failf(ErrBadInput, "%s is a view, and a view reads a store", v.rec.Name)
		}
		return nil, nil
	}
	c.store = s
	return &table{snap: &snapshot{store: s}, schema: s.schema}, nil
}

// TableNames implements plan.Catalog.
func (c *viewCatalog) TableNames(context.Context) ([]string, error) {
	var names []string
	for _, s := range c.lake.Stores() {
		names = append(names, s.Name())
	}
	return names, nil
}

// viewCalled returns the view with a name, or nil.
func (l *Lake) viewCalled(name string) *matview {
	l.views.RLock()
	defer l.views.RUnlock()
	return l.views.byName[strings.ToLower(name)]
}

// viewsOf returns the views of a store in order of their names.
func (l *Lake) viewsOf(s *Store) []*matview {
	l.views.RLock()
	defer l.views.RUnlock()
	var out []*matview
	for _, v := range l.views.byName {
		if v.store == s {
			out = append(out, v)
		}
	}
	sort.Slice(out, func(i, j int) bool { return out[i].rec.Name < out[j].rec.Name })
	return out
}

// keptViews returns the views of a store that are kept as partials.
func (s *Store) keptViews() []*matview {
	if p := s.kept.Load(); p != nil {
		return *p
	}
	return nil
}

// settleViews makes the views of a store that are kept known to its queries, after a
// change. The caller holds views.
func (l *Lake) settleViews(s *Store) {
	var kept []*matview
	for _, v := range l.views.byName {
		if v.store == s && v.plan != nil {
			kept = append(kept, v)
		}
	}
	sort.Slice(kept, func(i, j int) bool { return kept[i].rec.Number < kept[j].rec.Number })
	s.kept.Store(&kept)
}

// addView makes a view known. The caller holds views.
func (l *Lake) addView(v *matview) {
	l.views.byName[strings.ToLower(v.rec.Name)] = v
	l.settleViews(v.store)
}

// installViews makes the views known that the catalogue tells of, and those that stores
// have by themselves.
func (r *recovery) installViews() error {
	l := r.lake
	for _, o := range r.state.ViewsOff {
		l.views.off[l.stores.byNumber[o.Store]] = true
	}
	for _, rec := range r.state.Views {
		l.views.next = max(l.views.next, rec.Number+1)
		l.addView(l.bindView(context.Background(), rec, l.stores.byNumber[rec.Store]))
	}
	for _, s := range l.Stores() {
		l.addBuiltIn(s)
	}
	return nil
}

// NewView describes a view to be made.
type NewView struct {
	Name string
	// Query is a SELECT of keys and aggregates from one store, with GROUP BY.
	Query string
	// Store is the name or ID of the store that the query is to read; "" for whichever it
	// names.
	Store string
	// Days is the period of the view, by its time buckets: 0 for as long as the store keeps
	// its events. It cannot be longer than the store's, for a view shows nothing that its
	// store has not.
	Days uint32
}

// CreateView makes a view. It can be read at once; until its groups have been kept for
// all segments, which goes on in the background, reading takes the longer the more are
// missing ([Lake.FillViews] waits for it). A query that cannot be a view is an
// [ErrBadInput] that says why, a name that is taken an [ErrConflict].
func (l *Lake) CreateView(ctx context.Context, n NewView) (*ViewStatus, error) {
	done, err := l.beginWrite()
	if err != nil {
		return nil, err
	}
	defer done()
	v, err := l.newView(ctx, n)
	if err != nil {
		return nil, err
	}
	who := ActorOf(ctx)
	act := Act{Name: "CreateView", Store: v.store, Request: map[string]any{"name": n.Name, "queryStatement": n.Query, "retentionPeriod": n.Days}}
	err = l.decideView(ctx, who, act, "make", func() error {
		l.views.Lock()
		rec := v.rec
		rec.Number = l.views.next
		l.views.next++
		l.views.Unlock()
		bound := l.bindView(ctx, rec, v.store)
		if bound.broken != nil {
			return bound.broken
		}
		l.cat.Lock()
		defer l.cat.Unlock()
		l.views.Lock()
		defer l.views.Unlock()
		if l.views.byName[strings.ToLower(n.Name)] != nil || l.storeCalled(n.Name) != nil {
			return failf(ErrConflict, "there is a store or view called %q already", n.Name)
		}
		if v.store.gone.Load() {
			return failf(ErrNotFound, "store %s has been deleted meanwhile", v.store.Name())
		}
		made := 0
		for _, other := range l.views.byName {
			if other.store == v.store && !other.builtIn {
				made++
			}
		}
		if made >= viewsMax {
			return failf(ErrLimit, "store %s has %d views, the most there may be: drop one first", v.store.Name(), made)
		}
		if err := l.change(func(b *lsm.Batch, _ *catalog.Head) { rec.Put(b) }); err != nil {
			return err
		}
		v = bound
		l.addView(bound)
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("making view %q: %w", n.Name, err)
	}
	l.views.filler.poke()
	return l.viewStatus(v)
}

// newView checks what can be checked before anything is done.
func (l *Lake) newView(ctx context.Context, n NewView) (*matview, error) {
	if err := checkStoreName(n.Name); err != nil {
		return nil, fmt.Errorf("naming a view like a store: %w", err)
	}
	if len(n.Query) > viewTextMax {
		return nil, failf(ErrLimit, "the query of a view has at most %d bytes, this one has %d", viewTextMax, len(n.Query))
	}
	cat := &viewCatalog{lake: l}
	plan, err := sql.NewView(ctx, cat, n.Name, 0, n.Query)
	if err != nil {
		return nil, fmt.Errorf("the query of view %q: %w", n.Name, inputErr(err))
	}
	if n.Store != "" {
		s, err := l.Store(n.Store)
		if err != nil {
			return nil, err
		}
		if s != cat.store {
			return nil, failf(ErrBadInput, "the query reads store %s, not %s", cat.store.Name(), s.Name())
		}
	}
	if err := cat.store.readable(); err != nil {
		return nil, err
	}
	v := &matview{rec: catalog.View{Store: cat.store.rec.Number, Name: n.Name, Query: n.Query, Days: n.Days, Created: l.opts.Clock().UnixMicro()},
		store: cat.store, plan: plan, columns: plan.Columns}
	if n.Days > 0 {
		if err := v.checkDays(); err != nil {
			return nil, err
		}
	}
	return v, nil
}

// checkDays says why a view cannot have a period of its own.
func (v *matview) checkDays() error {
	if v.rec.Days > ViewDaysMax {
		return failf(ErrBadInput, "the period of a view is at most %d days", ViewDaysMax)
	}
	if p, _ := v.store.policy(); p.Days != retention.Forever && v.rec.Days > p.Days {
		return failf(ErrBadInput, "store %s keeps its events for %d days, and a view shows nothing that its store has not: give the store a longer period, or the view at most that one", v.store.Name(), p.Days)
	}
	if v.bucket() == "" {
		return failf(ErrBadInput, "a period of its own needs a view with a time bucket: SELECT date_trunc('hour', eventTime) AS hour, … GROUP BY 1, …")
	}
	return nil
}

// bucket returns the name of the column that is the view's time bucket, "" for none.
func (v *matview) bucket() string {
	_, width, name := v.plan.Time()
	if width == 0 {
		return ""
	}
	return name
}

// inputErr makes an error of a query's text one of what was given.
func inputErr(err error) error {
	var e *sqlerr.Error
	if errors.As(err, &e) {
		return &kindError{kind: ErrBadInput, err: err}
	}
	return err
}

// decideView records a change of views and does it, if the actor may.
func (l *Lake) decideView(ctx context.Context, who Actor, act Act, verb string, do func() error) error {
	l.retain.Lock()
	defer l.retain.Unlock()
	if !who.rights(false).Manage {
		act.Err = &retention.Refusal{Reason: retention.Denied, Detail: "to " + verb + " a view needs the permission " + PermissionManage}
		return errors.Join(policyErr(act.Err), l.recordAct(ctx, who, act))
	}
	if err := l.recordAct(ctx, who, act); err != nil {
		return err
	}
	if err := do(); err != nil {
		l.recordFailure(ctx, who, act, err)
		return err
	}
	return nil
}

// DropView removes a view that somebody has made. Its groups go in the background.
func (l *Lake) DropView(ctx context.Context, name string) error {
	done, err := l.beginWrite()
	if err != nil {
		return err
	}
	defer done()
	v, err := l.view(name)
	if err != nil {
		return err
	}
	if v.builtIn {
		return failf(ErrRefused, "view %s is built in: the built-in views of store %s are switched off together", v.rec.Name, v.store.Name())
	}
	act := Act{Name: "DropView", Store: v.store, Request: map[string]any{"name": v.rec.Name}}
	err = l.decideView(ctx, ActorOf(ctx), act, "drop", func() error {
		l.cat.Lock()
		defer l.cat.Unlock()
		l.views.Lock()
		defer l.views.Unlock()
		if l.views.byName[strings.ToLower(v.rec.Name)] != v {
			return failf(ErrNotFound, "view %s has been dropped meanwhile", v.rec.Name)
		}
		if err := l.change(func(b *lsm.Batch, _ *catalog.Head) { v.rec.Remove(b) }); err != nil {
			return err
		}
		delete(l.views.byName, strings.ToLower(v.rec.Name))
		l.settleViews(v.store)
		return nil
	})
	if err != nil {
		return fmt.Errorf("dropping view %s: %w", v.rec.Name, err)
	}
	l.views.filler.poke()
	return nil
}

// RefreshView has all groups of a view made anew, in the background or by the next
// FillViews; until then rows are read.
func (l *Lake) RefreshView(ctx context.Context, name string) (*ViewStatus, error) {
	done, err := l.beginWrite()
	if err != nil {
		return nil, err
	}
	defer done()
	v, err := l.view(name)
	if err == nil && v.from != "" {
		if l.viewCalled(v.from) == nil {
			return nil, failf(ErrBadInput, "view %s is read from the events of store %s: there is nothing to make anew", v.rec.Name, v.store.Name())
		}
		v, err = l.view(v.from)
	}
	if err != nil {
		return nil, err
	}
	if v.plan == nil {
		return nil, fmt.Errorf("refreshing view %s: %w", v.rec.Name, v.broken)
	}
	if who := ActorOf(ctx); !who.rights(false).Manage {
		return nil, policyErr(&retention.Refusal{Reason: retention.Denied, Detail: "to refresh a view needs the permission " + PermissionManage})
	}
	sn := v.store.snapshot()
	defer sn.release()
	for _, seg := range sn.segments {
		seg.groups.again(seg, v.plan.Number)
	}
	l.views.filler.poke()
	return l.viewStatus(v)
}

// SwitchViews says whether a store keeps the built-in views.
func (l *Lake) SwitchViews(ctx context.Context, store string, on bool) error {
	done, err := l.beginWrite()
	if err != nil {
		return err
	}
	defer done()
	s, err := l.Store(store)
	if err != nil {
		return err
	}
	if on && !hasBuiltIn(s) {
		return failf(ErrBadInput, "store %s holds %s, and the built-in views are of CloudTrail events", s.Name(), s.schema.Name)
	}
	act := Act{Name: "SwitchBuiltInViews", Store: s, Request: map[string]any{"on": on}}
	err = l.decideView(ctx, ActorOf(ctx), act, "switch", func() error {
		l.cat.Lock()
		defer l.cat.Unlock()
		l.views.Lock()
		defer l.views.Unlock()
		if l.views.off[s] == !on {
			return nil
		}
		rec := catalog.ViewsOff{Store: s.rec.Number}
		err := l.change(func(b *lsm.Batch, _ *catalog.Head) {
			if on {
				rec.Remove(b)
			} else {
				rec.Put(b)
			}
		})
		if err != nil {
			return err
		}
		l.views.off[s] = !on
		l.removeBuiltIn(s)
		l.addBuiltIn(s)
		l.settleViews(s)
		return nil
	})
	if err != nil {
		return fmt.Errorf("switching the built-in views of store %s: %w", s.Name(), err)
	}
	l.views.filler.poke()
	return nil
}

// removeViews deletes the records of the views of a store that is deleted for good. The
// caller holds cat.
func (l *Lake) removeViews(s *Store, b *lsm.Batch) {
	for _, v := range l.viewsOf(s) {
		if !v.builtIn {
			v.rec.Remove(b)
		}
	}
	(&catalog.ViewsOff{Store: s.rec.Number}).Remove(b)
}

// forgetViews forgets the views of a store that was deleted.
func (l *Lake) forgetViews(s *Store) {
	l.views.Lock()
	defer l.views.Unlock()
	for name, v := range l.views.byName {
		if v.store == s {
			delete(l.views.byName, name)
		}
	}
	delete(l.views.off, s)
	l.settleViews(s)
}

// view returns the view with a name; [ErrNotFound] when there is none.
func (l *Lake) view(name string) (*matview, error) {
	if v := l.viewCalled(name); v != nil {
		return v, nil
	}
	if l.storeCalled(name) != nil {
		return nil, failf(ErrNotFound, "%s is a store, not a view", name)
	}
	return nil, failf(ErrNotFound, "there is no view %q", name)
}

// ViewStatus describes a view and how far it is kept.
type ViewStatus struct {
	Name, Store, Query string
	BuiltIn            bool
	// Days is its own period, 0 for none.
	Days    uint32
	Created time.Time `json:",omitzero"`
	Columns []string
	// From is the view, or the store, that it is read from, "" for one that is kept itself.
	From string `json:",omitempty"`
	// Segments is how many the store has, Filled of them have the view's groups. NotKept
	// have none and will have none: their rows are read, for the Reason of the last of them.
	Segments, Filled, NotKept int
	Reason                    string `json:",omitempty"`
	// Cursor is the sequence number below which every segment has its groups, or will have
	// none; Sealed that of the first event that is in no segment yet.
	Cursor, Sealed uint64
	// Events are in the filled segments, Groups and Bytes are what is stored of them.
	Events, Groups, Bytes int64
	// Broken says why the view cannot be read, "" when it can.
	Broken string `json:",omitempty"`
}

// Views describes the views of all stores, or of one, by name or ID, in order of their
// names.
func (l *Lake) Views(store string) ([]ViewStatus, error) {
	done, err := l.begin()
	if err != nil {
		return nil, err
	}
	defer done()
	list := l.Stores()
	if store != "" {
		s, err := l.Store(store)
		if err != nil {
			return nil, err
		}
		list = []*Store{s}
	}
	var out []ViewStatus
	for _, s := range list {
		for _, v := range l.viewsOf(s) {
			st, err := l.viewStatus(v)
			if err != nil {
				return nil, err
			}
			out = append(out, *st)
		}
	}
	return out, nil
}

// ViewNamed describes one view.
func (l *Lake) ViewNamed(name string) (*ViewStatus, error) {
	done, err := l.begin()
	if err != nil {
		return nil, err
	}
	defer done()
	v, err := l.view(name)
	if err != nil {
		return nil, err
	}
	return l.viewStatus(v)
}

func (l *Lake) viewStatus(v *matview) (*ViewStatus, error) {
	st := &ViewStatus{Name: v.rec.Name, Store: v.store.Name(), Query: v.rec.Query, BuiltIn: v.builtIn, Days: v.rec.Days, From: v.from}
	if v.rec.Created != 0 {
		st.Created = time.UnixMicro(v.rec.Created).UTC()
	}
	if v.broken != nil {
		st.Broken = v.broken.Error()
	}
	for _, c := range v.columns {
		st.Columns = append(st.Columns, c.Name)
	}
	of := v
	if v.from != "" {
		if of = l.viewCalled(v.from); of == nil {
			return st, nil
		}
	}
	sn := v.store.snapshot()
	defer sn.release()
	st.Segments = len(sn.segments)
	if of.plan == nil || l.opts.NoViews {
		return st, nil
	}
	gap := false
	for _, seg := range sn.segments {
		st.Sealed = seg.cat.End()
		h, ok, err := seg.groups.head(seg, of.plan)
		if err != nil {
			return nil, err
		}
		switch {
		case !ok:
			gap = true
		case h.reason != "":
			st.NotKept++
			st.Reason = h.reason
		default:
			st.Filled++
			st.Events += int64(seg.cat.Rows)
			st.Groups += int64(h.groups)
			st.Bytes += int64(h.size)
		}
		if !gap {
			st.Cursor = seg.cat.End()
		}
	}
	return st, nil
}

// viewTable is a view as a relation. It implements plan.QueryTable.
type viewTable struct {
	view *matview
	tree *sql.QueryTree
}

// relation returns the view as a table for one query.
func (v *matview) relation(now time.Time) (*viewTable, error) {
	if v.broken != nil {
		return nil, fmt.Errorf("view %s cannot be read any more: %w", v.rec.Name, v.broken)
	}
	text := v.rec.Query
	if v.rec.Days > 0 {
		_, width, bucket := v.plan.Time()
		cut := now.Add(-time.Duration(v.rec.Days)*24*time.Hour).UnixMicro() - width
		// A bucket that ends after the period has begun is shown, as a whole.
		text = fmt.Sprintf(`SELECT * FROM (%s) WHERE "%s" > TIMESTAMP '%s'`, text, strings.ReplaceAll(bucket, `"`, `""`),
			time.UnixMicro(cut).UTC().Format("2006-01-02 15:04:05.000000"))
	}
	tree, err := sql.ParseQuery(text)
	if err != nil {
		return nil, fmt.Errorf("reading the query of view %s: %w", v.rec.Name, err)
	}
	return &viewTable{v, tree}, nil
}

// Name implements plan.Table.
func (t *viewTable) Name() string { return t.view.rec.Name }

// ID returns an ID by which a catalogue can know the view for good.
func (t *viewTable) ID() string { return fmt.Sprintf("%s/%d", t.view.store.ID(), t.view.rec.Number) }

// Columns implements plan.Table.
func (t *viewTable) Columns() []plan.Column {
	out := make([]plan.Column, len(t.view.columns))
	for i, c := range t.view.columns {
		out[i] = plan.Column{Name: c.Name, Type: c.Type}
	}
	return out
}

// Query implements plan.QueryTable.
func (t *viewTable) Query() *sql.QueryTree { return t.tree }

// Scan implements plan.Table: a view is read as its query.
func (t *viewTable) Scan(context.Context, plan.ScanRequest) (plan.Scan, error) {
	return nil, failf(ErrBadInput, "view %s has no rows of its own", t.view.rec.Name)
}

// TimeColumn implements plan.ViewedTable.
func (t *table) TimeColumn() string {
	for i := range t.schema.Columns {
		if c := &t.schema.Columns[i]; c.Name == timeColumn && c.Type.Kind == column.Timestamp {
			return c.Name
		}
	}
	return ""
}

// timeColumn is what schemas call the time of an event.
const timeColumn = "eventtime"

// Views implements plan.ViewedTable.
func (t *table) Views() []*plan.View {
	if t.snap.store.lake.opts.NoViews {
		return nil
	}
	kept := t.snap.store.keptViews()
	out := make([]*plan.View, len(kept))
	for i, v := range kept {
		out[i] = v.plan
	}
	return out
}

// ViewWork implements plan.ViewedTable.
func (t *table) ViewWork(v *plan.View) float64 {
	if t.accounts != nil {
		return 0 // what others have in the store must not be seen from what is chosen
	}
	work := 0.0
	for _, seg := range t.snap.segments {
		if h, ok, err := seg.groups.head(seg, v); err == nil && ok && h.reason == "" {
			work += float64(h.groups)
		} else {
			work += float64(seg.cat.Rows)
		}
	}
	return work
}

// keptAnswer is what came of the groups of a view, in the lake's cache.
type keptAnswer struct {
	key   string
	value any
}

// keptAnswerShare is the part of the cache that what came of one query may take: the
// 500,000 groups of a whole view fit, and other queries find their columns still there.
const keptAnswerShare = 4

// answerKey tells answers apart from those that rest on groups which were made again since.
func (s *scan) answerKey(key string) (string, uint32) {
	key = string(binary.BigEndian.AppendUint64(nil, s.store.regrouped.Load())) + key
	return key, uint32(xxhash.Sum64String(key))
}

// GroupsID implements plan.GroupKeeper.
func (s *scan) GroupsID(x plan.Unit) (id uint64, ok bool) {
	u, ok := x.(*unit)
	if !ok || u.seg == nil || u.hides || u.mine != nil || s.quiet {
		return 0, false
	}
	return u.seg.cat.Number, true
}

// KeptGroups implements plan.GroupKeeper.
func (s *scan) KeptGroups(key string) any {
	key, n := s.answerKey(key)
	if a, ok := s.store.answers.Get(n).(keptAnswer); ok && a.key == key {
		return a.value
	}
	return nil
}

// KeepGroups implements plan.GroupKeeper.
func (s *scan) KeepGroups(key string, value any, size int64) {
	if size > s.store.lake.opts.CacheBytes/2/keptAnswerShare {
		return
	}
	key, n := s.answerKey(key)
	s.store.answers.Put(n, keptAnswer{key, value}, size+int64(len(key)))
}

// HasGroups implements plan.ViewedUnit.
func (u *unit) HasGroups(ctx context.Context, v *plan.View) (groups int64, ok bool) {
	if u.seg == nil || u.hides || u.mine != nil && u.accountKey(v) < 0 {
		return 0, false
	}
	h, ok, err := u.seg.groups.head(u.seg, v)
	if err != nil || !ok || h.reason != "" {
		return 0, false // reading the rows tells what is wrong
	}
	return int64(h.groups), true
}

// Groups implements plan.ViewedUnit.
func (u *unit) Groups(ctx context.Context, v *plan.View, need []bool) (groups *column.Batch, ok bool, err error) {
	if _, ok := u.HasGroups(ctx, v); !ok {
		return nil, false, nil
	}
	key := -1
	if u.mine != nil {
		key = u.accountKey(v)
		need = slices.Clone(need)
		need[key] = true
	}
	groups, ok = u.seg.groups.read(u.seg, v, need)
	if !ok || u.mine == nil {
		return groups, ok, nil
	}
	var at []int32
	for i := range groups.Len {
		if name, ok := textAt(groups.Cols[key], i); ok && u.mine.in[name] {
			at = append(at, int32(i))
		}
	}
	some := &column.Batch{Len: len(at), Cols: make([]*column.Vector, len(groups.Cols))}
	for k, c := range groups.Cols {
		if c != nil {
			some.Cols[k] = column.Gather(c, at)
		}
	}
	return some, true, nil
}

// accountKey returns which key of a view is the account of events, -1 for none.
func (u *unit) accountKey(v *plan.View) int {
	for i, c := range u.seg.store.schema.Columns {
		if c.Name != accountColumn {
			continue
		}
		for k := range v.Keys() {
			if p, ok := v.KeyPath(k); ok && p.Column == i && len(p.Steps) == 0 {
				return k
			}
		}
	}
	return -1
}

// wholeSegment is a table of one segment, hidden rows included.
func wholeSegment(seg *sealed) *table {
	return &table{snap: &snapshot{store: seg.store, segments: []*sealed{seg}, next: seg.cat.End(), horizon: retention.Horizon{Cutoff: math.MinInt64}}, schema: seg.store.schema}
}
