package api

import (
	"errors"
	"slices"
	"strings"
	"time"

	"github.com/cairndb/cairn/engine"
	"github.com/cairndb/cairn/engine/event"
	"github.com/cairndb/cairn/engine/insight"
	"github.com/cairndb/cairn/server/auth"
)

// insightSelectors reads the selectors of a request.
func (c *call) insightSelectors() (types []insight.Type, categories []insight.Category, err error) {
	for _, item := range c.list("InsightSelectors") {
		o := item.(object)
		t, _ := o["InsightType"].(string)
		if t == "" {
			return nil, nil, fail("InvalidInsightSelectors", "InsightSelectors: a selector needs InsightType")
		}
		if slices.Contains(types, insight.Type(t)) {
			return nil, nil, fail("InvalidInsightSelectors", "InsightSelectors: %s stands twice", t)
		}
		types = append(types, insight.Type(t))
		list, _ := o["EventCategories"].([]any)
		for _, name := range texts(list) {
			if !slices.Contains(categories, insight.Category(name)) {
				categories = append(categories, insight.Category(name))
			}
		}
	}
	return types, categories, nil
}

func (c *call) putInsightSelectors() (any, error) {
	types, categories, err := c.insightSelectors()
	if err != nil {
		return nil, err
	}
	trailName, storeRef, destination := c.text("TrailName"), c.text("EventDataStore"), c.text("InsightsDestination")
	if trailName != "" && (storeRef != "" || destination != "") || trailName == "" && storeRef == "" {
		return nil, fail("InvalidParameterCombination", "give TrailName, or EventDataStore and InsightsDestination")
	}
	if trailName != "" {
		t, err := c.ownTrail(trailName)
		if err != nil {
			return nil, err
		}
		changed, err := c.s.lake.UpdateTrail(c.ctx, t.ARN(), func(s *engine.TrailSettings) error {
			s.Insights = nil
			for _, k := range types {
				s.Insights = append(s.Insights, string(k))
			}
			return nil
		})
		if err != nil {
			return nil, c.trailError(err)
		}
		return object{"TrailARN": changed.ARN(), "InsightSelectors": typesOut(changed.Insights)}, nil
	}
	e, err := c.resolveStore(storeRef)
	if err != nil {
		return nil, fail("InvalidParameter", "EventDataStore: %s", messageOf(err))
	}
	if err := e.active(); err != nil {
		return nil, fail("InvalidParameter", "EventDataStore: %s", messageOf(err))
	}
	if e.Schema() != event.CloudTrail {
		return nil, fail("InvalidInsightSelectors", "event data store %s holds %s; Insights are found in CloudTrail events", e.arn, e.Schema().Name)
	}
	if e.set.Organization {
		if err := c.managementOnly("to enable Insights of a store of the organization"); err != nil {
			return nil, err
		}
	}
	if len(types) == 0 {
		if err := c.s.lake.DisableInsights(c.ctx, e.ID()); err != nil && !errors.Is(err, engine.ErrNotFound) && !errors.Is(err, engine.ErrBadInput) {
			return nil, err
		}
		return object{"EventDataStoreArn": e.arn, "InsightSelectors": []object{}}, nil
	}
	if destination == "" {
		return nil, fail("InvalidParameterCombination", "EventDataStore needs InsightsDestination, the store that Insights events go to")
	}
	to, err := c.resolveStore(destination)
	if err != nil {
		return nil, fail("InvalidParameter", "InsightsDestination: %s", messageOf(err))
	}
	if to.Schema() != event.Insights {
		return nil, fail("InvalidParameter", "InsightsDestination: event data store %s holds %s, it must hold Insights events", to.arn, to.Schema().Name)
	}
	if _, err := c.s.lake.EnableInsights(c.ctx, engine.InsightSettings{Store: e.ID(), Types: types, Categories: categories, Destination: to.ID()}); err != nil {
		return nil, err
	}
	var names []string
	for _, t := range types {
		names = append(names, string(t))
	}
	return object{"EventDataStoreArn": e.arn, "InsightsDestination": to.arn, "InsightSelectors": typesOut(names)}, nil
}

func messageOf(err error) string {
	e, _ := told(err)
	return e.Message
}

func typesOut(types []string) []object {
	out := []object{}
	for _, t := range types {
		out = append(out, object{"InsightType": t})
	}
	return out
}

func (c *call) getInsightSelectors() (any, error) {
	trailName, storeRef := c.text("TrailName"), c.text("EventDataStore")
	if (trailName == "") == (storeRef == "") {
		return nil, fail("InvalidParameterCombination", "give TrailName or EventDataStore, and not both")
	}
	if trailName != "" {
		t, err := c.resolveTrail(trailName)
		if err != nil {
			return nil, err
		}
		if len(t.Insights) == 0 {
			return nil, fail("InsightNotEnabled", "trail %s delivers no Insights events", t.ARN())
		}
		return object{"TrailARN": t.ARN(), "InsightSelectors": typesOut(t.Insights)}, nil
	}
	e, err := c.resolveStore(storeRef)
	if err != nil {
		return nil, fail("InvalidParameter", "EventDataStore: %s", messageOf(err))
	}
	for _, s := range c.s.lake.InsightSettings() {
		if !s.On || !strings.EqualFold(s.Store, e.Store.Name()) && s.Store != e.ID() {
			continue
		}
		out := object{"EventDataStoreArn": e.arn}
		var names []string
		for _, t := range s.Types {
			names = append(names, string(t))
		}
		if len(names) == 0 {
			names = []string{string(insight.CallRate), string(insight.ErrorRate)}
		}
		out["InsightSelectors"] = typesOut(names)
		if to, err := c.s.lake.Store(s.Destination); err == nil {
			out["InsightsDestination"] = arn{e.set.Region, e.set.Account, storeARN, to.ID()}.String()
		}
		return out, nil
	}
	return nil, fail("InsightNotEnabled", "Insights are not enabled for event data store %s", e.arn)
}

// listInsightsMetricData counts calls or errors by period: of the event history, or, with a
// trail, the data events of the store that it reads.
func (c *call) listInsightsMetricData() (any, error) {
	q := engine.MetricQuery{Store: c.metricStore(), EventSource: c.text("EventSource"), EventName: c.text("EventName"), ErrorCode: c.text("ErrorCode"),
		Type: insight.Type(c.text("InsightType")), Region: c.region, Start: c.when("StartTime"), End: c.when("EndTime"), Period: c.integer("Period", 3600),
		Zeros: c.text("DataType") == "FillWithZeros", MaxResults: c.integer("MaxResults", engine.MetricPointsMax)}
	if c.account != auth.NoAccount {
		q.Account = c.account
	} else if !c.who.AllAccounts() {
		return nil, fail("AccessDenied", "User: %s does not see all accounts: use a key of one", c.userARN())
	}
	out := object{"EventSource": q.EventSource, "EventName": q.EventName, "InsightType": string(q.Type)}
	if q.ErrorCode != "" {
		out["ErrorCode"] = q.ErrorCode
	}
	if ref := c.text("TrailName"); ref != "" {
		t, err := c.resolveTrail(ref)
		if err != nil {
			return nil, fail("InvalidParameter", "TrailName: %s", messageOf(err))
		}
		q.Category = insight.Data
		if n := len(t.Sources); n > 0 {
			q.Store = t.Sources[n-1]
		}
		out["TrailARN"] = t.ARN()
	}
	if !c.who.Has(q.Store) {
		return nil, fail("AccessDenied", "User: %s has not been granted store %s", c.userARN(), q.Store)
	}
	position, err := c.position()
	if err != nil {
		return nil, err
	}
	if position != "" {
		if q.Start, err = time.Parse(time.RFC3339, position); err != nil {
			return nil, err
		}
	}
	data, err := c.s.lake.InsightMetrics(c.ctx, q)
	if err != nil {
		return nil, err
	}
	out["Timestamps"], out["Values"] = append([]int64{}, data.Timestamps...), append([]float64{}, data.Values...)
	if data.NextToken != "" {
		out["NextToken"] = c.next(data.NextToken)
	}
	return out, nil
}

// metricStore is the store whose events are counted: one that Insights are enabled for, or
// the event history.
func (c *call) metricStore() string {
	for _, s := range c.s.lake.InsightSettings() {
		if s.On && c.who.Has(s.Store) {
			return s.Store
		}
	}
	return engine.HistoryStore
}
