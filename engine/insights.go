package engine

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/cairndb/cairn/engine/catalog"
	"github.com/cairndb/cairn/engine/event"
	"github.com/cairndb/cairn/engine/insight"
	"github.com/cairndb/cairn/engine/lsm"
	"github.com/cairndb/cairn/engine/retention"
)

// Insights: unusual activity in a store, found by package insight and told by records in another store.
//
//	events of a store ──countCalls──► insight.Watch ──► incidents ──► Start and End records in "insights"
//
// What is found depends on the events that the store has, by event time, and on the settings, not on how the events came:
// imports in any order, in parts, interrupted or with duplicates, and live ingest lead to the same records, bytes and
// event IDs included, which are derived from what they tell. So there is no order of commits to keep: finding an incident again
// makes the same record, and the destination drops it as a duplicate.
//
// A record is made when everything that it rests on is older than the lateness bound (15 minutes), because
// later events might change it. They may come nevertheless, or history may be imported that is older than what was
// there. Then detection goes back to before them, and the destination, which nothing leaves, is brought up to date by
// more records: what is right now, as if the late events had never been late; and for each record that is wrong now one
// with its contents and an addendum that has the reason WITHDRAWN and the original's event ID. (If still later events make
// it right again, a third one says REINSTATED.) So the records that count are those without an addendum whose event
// ID no addendum has withdrawn last, and they are the same after any history; [Lake.Insights] gives those. In SQL:
//
//	SELECT * FROM insights i WHERE addendum IS NULL AND eventID NOT IN
//	  (SELECT element_at(addendum, 'originalEventID') FROM insights WHERE addendum IS NOT NULL)
//
// When events have expired or been dropped, records of the time before and of the 42 days after (14 to learn, 28 of
// history) stay as they are: what is left does not tell whether they are right.
//
// insightwatch.go tells how far detection is and what of it is durable, insightcount.go how calls are counted,
// insightlive.go what a lake does by itself while it is open.

const (
	// InsightsStore is the store that records go to when no other is named.
	InsightsStore = "insights"

	// defaultLateness is how long events may take to arrive: CloudTrail delivers within 15 minutes or so.
	defaultLateness = 15 * time.Minute

	// latenessMax is a day: states are kept from the beginning of the day before.
	latenessMax = 24 * time.Hour

	// insightSourcePrefix and the name of a store are the insightSource of records. The name is what the same store of
	// another lake has, too, so that the same events have the same records everywhere.
	insightSourcePrefix = "arn:aws:cloudtrail:" + auditRegion + ":" + auditAccount + ":eventdatastore/"
)

// The acts of insights.
const (
	actEnableInsights  = "EnableInsights"
	actDisableInsights = "DisableInsights"
)

// InsightSettings are what is looked for in a store. The zero values of all fields but Store stand for defaults.
type InsightSettings struct {
	// Store is the name or ID of a store of CloudTrail events.
	Store string
	// Types are insight.CallRate and insight.ErrorRate; both when empty.
	Types []insight.Type
	// Categories are insight.Management and insight.Data; both when empty.
	Categories []insight.Category
	// Destination is the name or ID of the store that records go to, of the schema for Insights events; [InsightsStore]
	// when "". It is made when there is none, and then keeps its records for ever.
	Destination string
	// Lateness is how long an event may take to arrive, at most a day; 15 minutes when 0. A record is made when
	// what it rests on is older.
	Lateness time.Duration
	// Params say what is unusual.
	Params insight.Params
	// On is whether insights are enabled; it is not looked at by EnableInsights.
	On bool
	// Changed is when they were last enabled or disabled.
	Changed time.Time `json:",omitzero"`
}

// insights is what the lake knows of insights.
type insights struct {
	sync.Mutex
	watches map[uint32]*insightWatch
	wake    chan struct{} // has a token when there may be something to do
	figures insightFigures
	notices noticeLog
}

func (n *insights) init() {
	n.watches = make(map[uint32]*insightWatch)
	n.wake = make(chan struct{}, 1)
}

func (n *insights) poke() {
	select {
	case n.wake <- struct{}{}:
	default:
	}
}

// all returns the watches of all stores.
func (n *insights) all() (out []*insightWatch) {
	n.Lock()
	defer n.Unlock()
	for _, w := range n.watches {
		out = append(out, w)
	}
	return out
}

// drop forgets a store that is gone for good.
func (n *insights) drop(store uint32) {
	n.Lock()
	defer n.Unlock()
	delete(n.watches, store)
}

// watch returns the watch of a store whose insights are on or were once, nil for others.
func (n *insights) watch(s *Store) *insightWatch {
	n.Lock()
	defer n.Unlock()
	return n.watches[s.rec.Number]
}

// loadInsights makes the watches of all stores at opening.
func (l *Lake) loadInsights() error {
	list, err := catalog.Insights(l.db)
	if err != nil {
		return l.openErr(fmt.Errorf("reading the settings of insights: %w", err))
	}
	l.stores.RLock()
	defer l.stores.RUnlock()
	for _, rec := range list {
		if s := l.stores.byNumber[rec.Store]; s != nil {
			l.insights.watches[rec.Store] = newInsightWatch(s, rec)
		}
	}
	return nil
}

// record checks settings and turns them into what the catalogue has.
func (n *InsightSettings) record(s *Store) (catalog.Insight, error) {
	rec := catalog.Insight{Store: s.rec.Number, On: true}
	if s.schema != event.CloudTrail {
		return rec, failf(ErrBadInput, "insights are found in stores of %s, and store %s holds %s", event.CloudTrail.Name, s.Name(), s.schema.Name)
	}
	if len(n.Types) == 0 {
		rec.Types = 3
	}
	for _, t := range n.Types {
		i := slices.Index(insightTypes[:], t)
		if i < 0 {
			return rec, failf(ErrBadInput, "%q is no type of insight: there are %s and %s", t, insight.CallRate, insight.ErrorRate)
		}
		rec.Types |= 1 << i
	}
	if len(n.Categories) == 0 {
		rec.Categories = 3
	}
	for _, c := range n.Categories {
		i := slices.Index(insightCategories[:], c)
		if i < 0 {
			return rec, failf(ErrBadInput, "%q is no category of events with insights: there are %s and %s", c, insight.Management, insight.Data)
		}
		rec.Categories |= 1 << i
	}
	lateness := n.Lateness
	if lateness == 0 {
		lateness = defaultLateness
	}
	if lateness < time.Minute || lateness > latenessMax || lateness%time.Minute != 0 {
		return rec, failf(ErrBadInput, "a lateness of %v was asked for: whole minutes from one to a day are possible", n.Lateness)
	}
	rec.Lateness = uint32(lateness / time.Minute)
	p, err := n.Params.Fill()
	if err != nil {
		return rec, &kindError{kind: ErrBadInput, err: err}
	}
	rec.Sensitivity, rec.MinRate, rec.MinCalls, rec.MinDuration = p.Sensitivity, p.MinRate, p.MinCalls, uint32(p.MinDuration)
	return rec, nil
}

// The types and categories by the numbers of their bits.
var (
	insightTypes      = [...]insight.Type{insight.CallRate, insight.ErrorRate}
	insightCategories = [...]insight.Category{insight.Management, insight.Data}
)

// settings are what a record of the catalogue says.
func (l *Lake) settings(rec *catalog.Insight) InsightSettings {
	out := InsightSettings{On: rec.On, Lateness: time.Duration(rec.Lateness) * time.Minute, Params: insightParams(rec), Changed: time.UnixMicro(rec.Changed).UTC()}
	l.stores.RLock()
	defer l.stores.RUnlock()
	if s := l.stores.byNumber[rec.Store]; s != nil {
		out.Store = s.Name()
	}
	if s := l.stores.byNumber[rec.Destination]; s != nil {
		out.Destination = s.Name()
	}
	for i, t := range insightTypes {
		if rec.Types>>i&1 != 0 {
			out.Types = append(out.Types, t)
		}
	}
	for i, c := range insightCategories {
		if rec.Categories>>i&1 != 0 {
			out.Categories = append(out.Categories, c)
		}
	}
	return out
}

func insightParams(rec *catalog.Insight) insight.Params {
	return insight.Params{Sensitivity: rec.Sensitivity, MinRate: rec.MinRate, MinCalls: rec.MinCalls, MinDuration: int(rec.MinDuration)}
}

// insightRates is which series a record of the catalogue wants.
func insightRates(rec *catalog.Insight) watchedRates {
	return watchedRates{calls: rec.Types&1 != 0, errors: rec.Types&2 != 0, management: rec.Categories&1 != 0, data: rec.Categories&2 != 0}
}

// EnableInsights has unusual activity in a store looked for, from now on and in what is there already, or changes
// what is looked for. Nothing is read yet: that is for [Lake.DetectInsights], for imports at their end, and
// for lakes that are open with Options.InsightInterval. When settings change, records that were made with others
// and do not hold with these are withdrawn by the next detection.
func (l *Lake) EnableInsights(ctx context.Context, n InsightSettings) (InsightSettings, error) {
	done, err := l.beginWrite()
	if err != nil {
		return n, err
	}
	defer done()
	s, err := l.Store(n.Store)
	if err != nil {
		return n, err
	}
	rec, err := n.record(s)
	if err != nil {
		return n, fmt.Errorf("enabling insights of store %s: %w", s.Name(), err)
	}
	if n.Destination == "" {
		n.Destination = InsightsStore
	}
	dest := l.storeCalled(n.Destination)
	if dest != nil && dest.schema != event.Insights {
		return n, failf(ErrConflict, "enabling insights of store %s: store %s holds %s, not %s: name another destination", s.Name(), dest.Name(), dest.schema.Name, event.Insights.Name)
	}
	act := Act{Name: actEnableInsights, Store: s, Request: map[string]any{"types": n.Types, "categories": n.Categories, "destination": n.Destination,
		"lateness": int(rec.Lateness), "sensitivity": rec.Sensitivity, "minCalls": rec.MinCalls, "minRate": rec.MinRate, "minDuration": rec.MinDuration}}
	if err := l.recordInsightAct(ctx, act); err != nil {
		return n, err
	}
	if dest == nil {
		if dest, err = l.MakeStore(ctx, NewStore{Name: n.Destination, Schema: event.Insights, Days: Forever}); err != nil {
			l.recordFailure(ctx, ActorOf(ctx), act, err)
			return n, err
		}
	}
	if err := dest.takes(false); err != nil {
		l.recordFailure(ctx, ActorOf(ctx), act, err)
		return n, err
	}
	rec.Destination, rec.First = dest.rec.Number, dest.Events()
	w, err := l.putInsight(s, func(old *catalog.Insight) catalog.Insight {
		if old == nil {
			return rec
		}
		rec.Generation = old.Generation
		if old.Destination == rec.Destination {
			rec.First = old.First
		}
		now := *old
		now.On, now.Changed = true, 0
		if now != rec {
			rec.Generation++
		}
		return rec
	})
	if err != nil {
		l.recordFailure(ctx, ActorOf(ctx), act, err)
		return n, err
	}
	l.insights.poke()
	rec = w.settings()
	return l.settings(&rec), nil
}

// DisableInsights ends the search for unusual activity in a store. Records that were made stay; when insights are
// enabled again, what happened meanwhile is looked at, too.
func (l *Lake) DisableInsights(ctx context.Context, store string) error {
	done, err := l.beginWrite()
	if err != nil {
		return err
	}
	defer done()
	s, err := l.Store(store)
	if err != nil {
		return err
	}
	if w := l.insights.watch(s); w == nil || !w.on() {
		return failf(ErrConflict, "insights of store %s are not enabled", s.Name())
	}
	act := Act{Name: actDisableInsights, Store: s}
	if err := l.recordInsightAct(ctx, act); err != nil {
		return err
	}
	if _, err = l.putInsight(s, func(old *catalog.Insight) catalog.Insight {
		rec := *old
		rec.On = false
		return rec
	}); err != nil {
		l.recordFailure(ctx, ActorOf(ctx), act, err)
	}
	return err
}

// recordInsightAct records an act, and refuses it to who may not manage the lake.
func (l *Lake) recordInsightAct(ctx context.Context, act Act) error {
	who := ActorOf(ctx)
	if !who.rights(false).Manage {
		act.Err = policyErr(&retention.Refusal{Reason: retention.Denied, Detail: "to change what insights are looked for needs the permission " + PermissionManage})
		return errors.Join(act.Err, l.recordAct(ctx, who, act))
	}
	if err := l.recordAct(ctx, who, act); err != nil {
		return fmt.Errorf("nothing was changed: %w", err)
	}
	return nil
}

// putInsight makes a durable change of a store's settings.
func (l *Lake) putInsight(s *Store, next func(old *catalog.Insight) catalog.Insight) (*insightWatch, error) {
	l.insights.Lock()
	w := l.insights.watches[s.rec.Number]
	l.insights.Unlock()
	var old *catalog.Insight
	if w != nil {
		w.Lock() // a detection that is under way ends first
		defer w.Unlock()
		rec := w.settings()
		old = &rec
	}
	rec := next(old)
	rec.Changed = l.opts.Clock().UnixMicro()
	l.cat.Lock()
	err := l.change(func(b *lsm.Batch, _ *catalog.Head) { rec.Put(b) })
	l.cat.Unlock()
	if err != nil {
		return nil, fmt.Errorf("changing the insights of store %s: %w", s.Name(), err)
	}
	if w == nil {
		w = newInsightWatch(s, rec)
		l.insights.Lock()
		l.insights.watches[s.rec.Number] = w
		l.insights.Unlock()
		return w, nil
	}
	if rec.Generation != old.Generation || rec.Destination != old.Destination {
		w.forget()
	}
	w.setSettings(rec)
	return w, nil
}

// InsightSettings returns what is looked for in the stores that insights were ever enabled for, by name of the store.
func (l *Lake) InsightSettings() []InsightSettings {
	out := []InsightSettings{}
	for _, w := range l.insights.all() {
		if !w.store.gone.Load() {
			rec := w.settings()
			out = append(out, l.settings(&rec))
		}
	}
	slices.SortFunc(out, func(a, b InsightSettings) int {
		if a.Store < b.Store {
			return -1
		}
		return 1
	})
	return out
}

// insightSource is how records name a store.
func (s *Store) insightSource() string { return insightSourcePrefix + s.Name() }
