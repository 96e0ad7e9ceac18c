package main

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/cairndb/cairn/engine"
)

// A lookupPage is a page of fifty events, newest first, as LookupEvents gives it: management events of all stores. It is asked of
// Lake.LookupAll, which is that without the bound of ninety days before today, since most data are older. No peer has the
// like; where SQL can say the same, the answers are compared with Cairn's own.
type lookupPage struct {
	name, what string
	attribute  string
	value      func(v lookupValues, attribute string) string
	page       int    // the first is 1
	column     string // what SQL calls the attribute; "" where it is not one column
	hour       bool   // of one hour only
}

const lookupPageRows = 50

// deepPage is the page that is asked for where pages are said to be deep.
const deepPage = 100

var lookupPages = []lookupPage{
	{name: "L1", what: "newest page", page: 1, column: "-"},
	{name: "L2", what: "hundredth page", page: deepPage, column: "-"},
	{name: "L3", what: "newest page of one hour", page: 1, column: "-", hour: true},
	{name: "L4", what: "by EventId", attribute: "EventId", value: lookupValues.rare, page: 1, column: "eventID"},
	{name: "L5", what: "by a frequent EventName", attribute: "EventName", value: lookupValues.frequent, page: 1, column: "eventName"},
	{name: "L6", what: "by a frequent EventName, hundredth page", attribute: "EventName", value: lookupValues.frequent, page: deepPage, column: "eventName"},
	{name: "L7", what: "by a rare EventName", attribute: "EventName", value: lookupValues.rare, page: 1, column: "eventName"},
	{name: "L8", what: "by a frequent EventSource", attribute: "EventSource", value: lookupValues.frequent, page: 1, column: "eventSource"},
	{name: "L9", what: "by ReadOnly false", attribute: "ReadOnly", value: func(lookupValues, string) string { return "false" }, page: 1},
	{name: "L10", what: "by a rare Username", attribute: "Username", value: lookupValues.rare, page: 1},
	{name: "L11", what: "by a rare ResourceName", attribute: "ResourceName", value: lookupValues.rare, page: 1},
	{name: "L12", what: "by AccessKeyId", attribute: "AccessKeyId", value: lookupValues.frequent, page: 1, column: "userIdentity.accessKeyId"},
	{name: "L13", what: "by a Username that no event has", attribute: "Username", value: lookupValues.absent, page: 1},
	{name: "L14", what: "by a frequent ResourceName", attribute: "ResourceName", value: lookupValues.frequent, page: 1},
	{name: "L15", what: "by a ResourceName that no event has", attribute: "ResourceName", value: lookupValues.absent, page: 1},
	{name: "L16", what: "by a frequent ResourceType", attribute: "ResourceType", value: lookupValues.frequent, page: 1},
	{name: "L17", what: "by a rare ResourceType", attribute: "ResourceType", value: lookupValues.rare, page: 1},
}

// lookupValues are how often values of attributes are found in the newest events.
type lookupValues map[string]map[string]int

// frequent is the value that is found most often, rare one that is found least; "" where there is none.
func (v lookupValues) frequent(attribute string) string { return v.nth(attribute, true) }
func (v lookupValues) rare(attribute string) string     { return v.nth(attribute, false) }

// absent is a value that no event has.
func (v lookupValues) absent(string) string { return "nobody-has-this-name" }

func (v lookupValues) nth(attribute string, most bool) (found string) {
	for value, n := range v[attribute] {
		order := cmp.Compare(n, v[attribute][found])
		if !most {
			order = -order
		}
		if found == "" || order > 0 || order == 0 && value < found {
			found = value
		}
	}
	return found
}

// askLookups measures the pages that are wanted.
func (b *benchmark) askLookups(ctx context.Context, lake *engine.Lake, r *results) error {
	if !slices.ContainsFunc(lookupPages, func(p lookupPage) bool { return b.asks(p.name) }) {
		return nil
	}
	newest, err := lake.LookupAll(ctx, engine.LookupRequest{Category: "Management", Limit: engine.LookupLimitMax})
	if err != nil {
		return err
	}
	values := lookupValues{}
	for _, e := range newest.Events {
		add := func(attribute, value string) {
			if value == "" {
				return
			}
			if values[attribute] == nil {
				values[attribute] = map[string]int{}
			}
			values[attribute][value]++
		}
		add("EventId", e.EventID)
		add("EventName", e.EventName)
		add("EventSource", e.EventSource)
		add("Username", e.Username)
		add("AccessKeyId", e.AccessKeyID)
		for _, resource := range e.Resources {
			add("ResourceName", resource.Name)
			add("ResourceType", resource.Type)
		}
	}
	middle, err := askCairn(ctx, lake, "SELECT date_format(date_trunc('hour', min(eventTime) + (max(eventTime) - min(eventTime)) / 2), '%Y-%m-%d %H:%i:%s') FROM events")
	if err != nil {
		return err
	}
	from, err := time.Parse(time.DateTime, middle[0][0])
	if err != nil {
		return err
	}
	for _, p := range lookupPages {
		if !b.asks(p.name) {
			continue
		}
		req := engine.LookupRequest{Category: "Management", Limit: lookupPageRows}
		where := []string{"eventCategory = 'Management'"}
		if p.attribute != "" {
			value := p.value(values, p.attribute)
			if value == "" {
				r.LeftOut = append(r.LeftOut, fmt.Sprintf("%s lookup %s is left out: no event has one", p.name, p.what))
				continue
			}
			req.Attributes = map[string]string{p.attribute: value}
			where = append(where, p.column+" = "+quote(value))
		}
		if p.hour {
			// Both ends of a request are its own; events have whole seconds.
			req.Start, req.End = from, from.Add(time.Hour-time.Second)
			where = append(where, "eventTime >= timestamp "+quote(from.Format(time.DateTime)), "eventTime <= timestamp "+quote(req.End.Format(time.DateTime)))
		}
		deep := true
		for range p.page - 1 {
			page, err := lake.LookupAll(ctx, req)
			if err != nil {
				return err
			}
			if req.Token = page.Next; page.Next == "" {
				deep = false
				break
			}
		}
		if !deep {
			r.LeftOut = append(r.LeftOut, fmt.Sprintf("%s lookup %s is left out: there are fewer pages", p.name, p.what))
			continue
		}
		step("%s lookup %s", p.name, p.what)
		cairn := asked{name: "cairn", inside: true}
		a, err := measureAnswer(p.name, "lookup "+p.what, b.runs, []asked{cairn}, func(asked) ([][]string, error) {
			page, err := lake.LookupAll(ctx, req)
			if err != nil {
				return nil, fmt.Errorf("%s: %w", p.name, err)
			}
			return make([][]string, len(page.Events)), nil
		})
		if err != nil {
			return err
		}
		if p.column != "" {
			if err := compareLookup(ctx, lake, req, p, strings.Join(where, " AND "), &a); err != nil {
				return err
			}
		}
		r.Answers = append(r.Answers, a)
	}
	return nil
}

// compareLookup compares the times of a page with what SQL says.
func compareLookup(ctx context.Context, lake *engine.Lake, req engine.LookupRequest, p lookupPage, where string, a *answer) error {
	page, err := lake.LookupAll(ctx, req)
	if err != nil {
		return err
	}
	rows, err := askCairn(ctx, lake, fmt.Sprintf("SELECT date_format(eventTime, '%%Y-%%m-%%d %%H:%%i:%%s') FROM events WHERE %s ORDER BY eventTime DESC LIMIT %d", where, lookupPageRows*p.page))
	if err != nil {
		return fmt.Errorf("%s: %w", p.name, err)
	}
	rows = rows[min(len(rows), lookupPageRows*(p.page-1)):]
	var times [][]string
	for _, e := range page.Events {
		times = append(times, []string{e.EventTime.UTC().Format(time.DateTime)})
	}
	if !slices.EqualFunc(rows, times, slices.Equal[[]string]) {
		a.Equal = false
		step("%s: SQL and the lookup differ: %d and %d rows; %s", p.name, len(rows), len(times), difference(rows, times))
	}
	return nil
}

// questionsNamed returns the questions of a list such as "needles,Q8"; nil for all.
func questionsNamed(list string) (map[string]bool, error) {
	if list == "" {
		return nil, nil
	}
	var all, lookups []string
	for _, q := range questions {
		all = append(all, q.Name)
	}
	for _, p := range lookupPages {
		lookups = append(lookups, p.name)
	}
	needles := []string{"Q1", "Q4", "Q5", "Q6", "Q13", "Q15"}
	var others []string
	for _, q := range variants {
		others = append(others, q.Name)
	}
	groups := map[string][]string{"variants": others, "lookups": lookups, "needles": append(slices.Clone(needles), lookups...), "scans": nil}
	for _, name := range all {
		if !slices.Contains(needles, name) {
			groups["scans"] = append(groups["scans"], name)
		}
	}
	wanted := map[string]bool{}
	for _, name := range strings.Split(list, ",") {
		names := groups[name]
		if slices.Contains(all, name) || slices.Contains(lookups, name) || slices.Contains(others, name) {
			names = []string{name}
		}
		if names == nil {
			return nil, fmt.Errorf("-only: there is no %q; there are needles, scans, lookups, variants, Q1 to %s, L1 to %s, V1 to %s", name, all[len(all)-1], lookups[len(lookups)-1], others[len(others)-1])
		}
		for _, n := range names {
			wanted[n] = true
		}
	}
	return wanted, nil
}
