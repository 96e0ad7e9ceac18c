package engine

import (
	"context"
	"fmt"
	"strings"
	"sync"

	"github.com/cairndb/cairn/engine/catalog"
	"github.com/cairndb/cairn/engine/event"
	"github.com/cairndb/cairn/engine/retention"
	"github.com/cairndb/cairn/sql"
	"github.com/cairndb/cairn/sql/plan"
)

// The views that every store of CloudTrail events has, unless they are switched off. A few
// are kept; the others are read from these, as any query is that the planner can answer from
// a view:
//
//	activity_per_minute    kept: the finest counts there are
//	activity_per_hour      kept: the same by the hour, for long times
//	principals_per_hour    kept: by who has called
//	addresses_per_hour     kept: by where from
//	totals_per_hour        kept: by account alone
//	calls_per_day …        read from these
//	principals_per_minute  read from the events, as addresses_per_minute
//
// Who calls and from where is kept by the hour: by the minute there are nearly as many groups
// as events, which would take more bytes than all other views together and as long to read
// as the events.
//
// Those of the default store are called so; the names of others begin with that of their
// store (payments_calls_per_day). A store or view that somebody has called so stands before them.

// builtInView is one of them; %s is the store.
type builtInView struct {
	number uint32 // 0 for one that is not kept
	name   string
	query  string
	from   string // the view that is read for one that is not kept; "" for the events
}

// activity has all that the counts of calls and errors are asked by.
const activity = `recipientAccountId AS account, awsRegion AS region, eventSource, eventName, errorCode, eventCategory, readOnly, count(*) AS events FROM %s GROUP BY 1, 2, 3, 4, 5, 6, 7, 8`

var builtInViews = func() []builtInView {
	bucket := func(unit string) string {
		return "SELECT date_trunc('" + unit + "', eventTime) AS " + unit + ", recipientAccountId AS account, "
	}
	list := []builtInView{
		{number: 1, name: "activity_per_minute", query: "SELECT date_trunc('minute', eventTime) AS minute, " + activity},
		{number: 2, name: "activity_per_hour", query: "SELECT date_trunc('hour', eventTime) AS hour, " + activity},
		{number: 3, name: "principals_per_hour", query: bucket("hour") + "userIdentity.arn AS principal, count(*) AS calls, count(errorCode) AS errors FROM %s GROUP BY 1, 2, 3"},
		{number: 4, name: "addresses_per_hour", query: bucket("hour") + "sourceIPAddress AS address, count(*) AS calls, count(errorCode) AS errors FROM %s GROUP BY 1, 2, 3"},
	}
	// Few groups, so that a chart of all that happened takes no time.
	list = append(list, builtInView{number: 5, name: "totals_per_hour", query: bucket("hour") + "count(*) AS calls, count(errorCode) AS errors FROM %s GROUP BY 1, 2"})
	for _, unit := range []string{"minute", "hour", "day"} {
		of := "hour"
		if unit == "minute" {
			of = unit
		}
		list = append(list,
			builtInView{name: "calls_per_" + unit, from: "activity_per_" + of,
				query: bucket(unit) + "awsRegion AS region, eventSource, eventName, count(*) AS calls, count(errorCode) AS errors FROM %s GROUP BY 1, 2, 3, 4, 5"},
			builtInView{name: "errors_per_" + unit, from: "activity_per_" + of,
				query: bucket(unit) + "errorCode, count(*) AS errors FROM %s WHERE errorCode IS NOT NULL GROUP BY 1, 2, 3"})
	}
	list = append(list,
		builtInView{name: "principals_per_minute",
			query: bucket("minute") + "userIdentity.arn AS principal, count(*) AS calls, count(errorCode) AS errors FROM %s GROUP BY 1, 2, 3"},
		builtInView{name: "addresses_per_minute",
			query: bucket("minute") + "sourceIPAddress AS address, count(*) AS calls, count(errorCode) AS errors FROM %s GROUP BY 1, 2, 3"},
		builtInView{name: "principals_per_day", from: "principals_per_hour",
			query: bucket("day") + "userIdentity.arn AS principal, count(*) AS calls, count(errorCode) AS errors FROM %s GROUP BY 1, 2, 3"},
		builtInView{name: "addresses_per_day", from: "addresses_per_hour",
			query: bucket("day") + "sourceIPAddress AS address, count(*) AS calls, count(errorCode) AS errors FROM %s GROUP BY 1, 2, 3"})
	return list
}()

// hasBuiltIn reports whether a store has built-in views unless they are switched off.
func hasBuiltIn(s *Store) bool {
	p, _ := s.policy()
	return s.schema == event.CloudTrail && p.Kind != retention.Audit
}

// boundBuiltIn are the kept views over any store; binding takes longer than opening a
// small lake.
var boundBuiltIn = sync.OnceValue(func() []*sql.View {
	out := make([]*sql.View, len(builtInViews))
	for i, b := range builtInViews {
		text := fmt.Sprintf(b.query, "events")
		v, err := sql.NewView(context.Background(), anyStore{}, b.name, b.number, text)
		if err != nil {
			panic(fmt.Sprintf("built-in view %s: %v", b.name, err)) // a test binds them all
		}
		v.Print = viewPrint(v, text)
		out[i] = v
	}
	return out
})

// anyStore is a catalogue in which every name is that of a store of CloudTrail events.
type anyStore struct{}

// Table implements plan.Catalog.
func (anyStore) Table(context.Context, string) (plan.Table, error) {
	s := &Store{lake: &Lake{}, rec: catalog.Store{Name: "events"}, schema: event.CloudTrail}
	return &table{snap: &snapshot{store: s}, schema: s.schema}, nil
}

// TableNames implements plan.Catalog.
func (anyStore) TableNames(context.Context) ([]string, error) { return nil, nil }

// addBuiltIn makes the built-in views of a store known, if it has them. The caller holds
// views, or nobody else knows the lake.
func (l *Lake) addBuiltIn(s *Store) {
	if !hasBuiltIn(s) || l.views.off[s] {
		return
	}
	from := `"` + strings.ReplaceAll(s.Name(), `"`, `""`) + `"`
	bound := boundBuiltIn()
	prefix := s.Name() + "_"
	if s.Name() == DefaultStore {
		prefix = ""
	}
	for i, b := range builtInViews {
		name := prefix + b.name
		if l.views.byName[strings.ToLower(name)] != nil {
			continue
		}
		m := &matview{builtIn: true, store: s, columns: bound[i].Columns,
			rec: catalog.View{Number: b.number, Store: s.rec.Number, Name: name, Query: fmt.Sprintf(b.query, from)}}
		switch {
		case b.from != "":
			m.from = prefix + b.from
		case b.number == 0:
			m.from = s.Name()
		default:
			named := *bound[i]
			named.Name = name
			m.plan = &named
		}
		l.views.byName[strings.ToLower(name)] = m
	}
	l.settleViews(s)
}

// removeBuiltIn forgets the built-in views of a store. The caller holds views.
func (l *Lake) removeBuiltIn(s *Store) {
	for name, v := range l.views.byName {
		if v.store == s && v.builtIn {
			delete(l.views.byName, name)
		}
	}
}
