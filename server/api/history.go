package api

import (
	"errors"
	"strings"
	"time"

	"github.com/cairndb/cairn/engine"
	"github.com/cairndb/cairn/server/auth"
	"github.com/cairndb/cairn/testdata/samples"
)

// lookupMax is the size of a page of LookupEvents, also when none is asked for.
const lookupMax = 50

// lookupValueMax bounds the value of an attribute; _, space, comma and line end count
// double.
const lookupValueMax = 2000

func (c *call) lookupEvents() (any, error) {
	req := engine.LookupRequest{Start: c.when("StartTime"), End: c.when("EndTime"), Limit: c.integer("MaxResults", lookupMax), Region: c.region}
	if !req.Start.IsZero() && !req.End.IsZero() && req.Start.After(req.End) {
		return nil, fail("InvalidTimeRange", "StartTime is after EndTime")
	}
	attributes := c.list("LookupAttributes")
	if len(attributes) > 1 {
		return nil, fail("InvalidLookupAttributes", "LookupAttributes has %d items, it may have one", len(attributes))
	}
	for _, item := range attributes {
		o := item.(object)
		key, value := o["AttributeKey"].(string), o["AttributeValue"].(string)
		if n := len([]rune(value)) + len([]rune(strings.Map(func(r rune) rune {
			if strings.ContainsRune("_ ,\n", r) {
				return r
			}
			return -1
		}, value))); n > lookupValueMax {
			return nil, fail("InvalidLookupAttributes", "the AttributeValue counts %d characters, it may have %d; _, space, comma and line end count double", n, lookupValueMax)
		}
		if c.text("EventCategory") == "insight" && key != "EventId" && key != "EventName" && key != "EventSource" {
			return nil, fail("InvalidLookupAttributes", "Insights events are looked up by EventId, EventName or EventSource, not by %s", key)
		}
		if key == "ReadOnly" && value != "true" && value != "false" {
			return nil, fail("InvalidLookupAttributes", "the AttributeValue of ReadOnly is true or false, not %q", shorten(value))
		}
		req.Attributes = map[string]string{key: value}
	}
	if c.text("EventCategory") == "insight" {
		req.Category = "Insight"
	}
	return c.lookUp(req)
}

// lookUp answers a page of events.
func (c *call) lookUp(req engine.LookupRequest) (any, error) {
	scope := c.who.Scope()
	if c.account != auth.NoAccount {
		req.Account = c.account
	}
	var err error
	if req.Token, err = c.position(); err != nil {
		return nil, err
	}
	page, err := c.s.lake.As(scope).LookupEvents(c.ctx, req)
	if err != nil {
		if req.Token != "" && errors.Is(err, engine.ErrBadInput) {
			return nil, c.wrong("NextToken", "NextToken: %v", err)
		}
		return nil, err
	}
	events := make([]object, 0, len(page.Events))
	for i := range page.Events {
		e := &page.Events[i]
		o := object{"EventId": e.EventID, "EventName": e.EventName, "EventSource": e.EventSource, "EventTime": moment{e.EventTime}, "CloudTrailEvent": string(e.Record)}
		for name, value := range map[string]string{"ReadOnly": e.ReadOnly, "AccessKeyId": e.AccessKeyID, "Username": e.Username} {
			if value != "" {
				o[name] = value
			}
		}
		resources := []object{}
		for _, r := range e.Resources {
			one := object{}
			if r.Type != "" {
				one["ResourceType"] = r.Type
			}
			if r.Name != "" {
				one["ResourceName"] = r.Name
			}
			resources = append(resources, one)
		}
		o["Resources"] = resources
		events = append(events, o)
	}
	out := object{"Events": events}
	if page.Next != "" {
		out["NextToken"] = c.next(page.Next)
	}
	return out, nil
}

func (c *call) listInsightsData() (any, error) {
	if _, err := c.insightSource(c.text("InsightSource")); err != nil {
		return nil, err
	}
	req := engine.LookupRequest{Category: "Insight", Start: c.when("StartTime"), End: c.when("EndTime"), Limit: c.integer("MaxResults", lookupMax), Region: c.region}
	if !req.Start.IsZero() && !req.End.IsZero() && req.Start.After(req.End) {
		return nil, fail("InvalidParameter", "StartTime is after EndTime")
	}
	if d, ok := c.in["Dimensions"].(object); ok {
		if len(d) != 1 {
			return nil, fail("InvalidParameter", "Dimensions has %d entries, it must have one", len(d))
		}
		req.Attributes = map[string]string{}
		for k, v := range d {
			req.Attributes[k] = v.(string)
		}
	}
	return c.lookUp(req)
}

// insightSource checks the ARN of a trail or store that has Insights.
func (c *call) insightSource(ref string) (string, error) {
	a, ok := parseARN(ref)
	switch {
	case ok && a.kind == trailARN:
		t, err := c.resolveTrail(ref)
		if err != nil {
			return "", fail("InvalidParameter", "InsightSource: %v", err)
		}
		return t.ARN(), nil
	case ok && a.kind == storeARN:
		e, err := c.resolveStore(ref)
		if err != nil {
			return "", fail("InvalidParameter", "InsightSource: %v", err)
		}
		return e.arn, nil
	}
	return "", fail("InvalidParameter", "InsightSource: %q is not the ARN of a trail or an event data store", shorten(ref))
}

func (c *call) listPublicKeys() (any, error) {
	if c.text("NextToken") != "" {
		return nil, fail("InvalidToken", "ListPublicKeys gives everything at once and no tokens: repeat the request without one")
	}
	from, to := c.when("StartTime"), c.when("EndTime")
	if from.IsZero() {
		from = c.now
		if !to.IsZero() && to.Before(from) {
			from = to
		}
	}
	if to.IsZero() {
		to = from
		if c.now.After(to) {
			to = c.now
		}
	}
	if from.After(to) {
		return nil, fail("InvalidTimeRange", "StartTime is after EndTime")
	}
	keys, err := c.s.lake.TrailKeys(from, to)
	if err != nil {
		return nil, err
	}
	out := []object{}
	for _, k := range keys {
		out = append(out, object{"Value": k.DER, "ValidityStartTime": moment{k.Start}, "ValidityEndTime": moment{k.End}, "Fingerprint": k.Fingerprint()})
	}
	return object{"PublicKeyList": out}, nil
}

// sampleMax is the size of a page of SearchSampleQueries when none is asked for.
const sampleMax = 10

// searchSampleQueries finds questions by the words of their titles, texts and SQL.
func (c *call) searchSampleQueries() (any, error) {
	words := strings.FieldsFunc(strings.ToLower(c.text("SearchPhrase")), func(r rune) bool { return !(r >= 'a' && r <= 'z' || r >= '0' && r <= '9' || r >= 0x80) })
	type found struct {
		q     samples.Question
		score float64
		key   string
	}
	var list []found
	for _, q := range samples.All() {
		title, about, sql := strings.ToLower(q.Title+" "+q.Name), strings.ToLower(q.About), strings.ToLower(q.SQL)
		var score float64
		for _, w := range words {
			switch {
			case strings.Contains(title, w):
				score += 1
			case strings.Contains(about, w):
				score += 0.7
			case strings.Contains(sql, w):
				score += 0.3
			}
		}
		if score > 0 {
			score /= float64(len(words))
			list = append(list, found{q: q, score: score, key: sortable(score) + q.Name})
		}
	}
	sortByKey(list, func(f *found) string { return f.key })
	list, next, err := page(c, list, c.integer("MaxResults", sampleMax), func(f *found) string { return f.key })
	if err != nil {
		return nil, err
	}
	out := []object{}
	for _, f := range list {
		out = append(out, object{"Name": f.q.Title, "Description": f.q.About, "SQL": f.q.SQL, "Relevance": f.score})
	}
	return withNext(object{"SearchResults": out}, next), nil
}

// legacyTime is a time in the members of GetTrailStatus that are texts.
func legacyTime(t time.Time) string { return t.UTC().Format("2006-01-02T15:04:05Z") }
