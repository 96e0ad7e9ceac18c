package api

import (
	"github.com/cairndb/cairn/engine"
)

// Event configuration: of a store how large its events may be and what context is added to
// them, of a trail which summaries of data events are made. It is kept and shown; events are
// taken up to the lake's own limit, with the context that they come with.

// eventConfig is what is kept of a trail.
type eventConfig struct {
	Aggregations []aggregation
}

type aggregation struct {
	Templates     []string
	EventCategory string
}

// configured finds the one resource of an event configuration.
func (c *call) configured(change bool) (t *engine.Trail, e *eds, err error) {
	trailName, storeRef := c.text("TrailName"), c.text("EventDataStore")
	switch {
	case (trailName == "") == (storeRef == ""):
		return nil, nil, fail("InvalidParameterCombination", "give TrailName or EventDataStore, and not both")
	case trailName != "" && change:
		t, err = c.ownTrail(trailName)
	case trailName != "":
		t, err = c.resolveTrail(trailName)
	default:
		if e, err = c.resolveStore(storeRef); err == nil {
			if err = e.active(); err != nil && !c.op.has("InactiveEventDataStoreException") {
				err = fail("InvalidEventDataStoreStatus", "%s", messageOf(err))
			}
		}
	}
	return t, e, err
}

func (c *call) putEventConfiguration() (any, error) {
	t, e, err := c.configured(true)
	if err != nil {
		return nil, err
	}
	if t != nil {
		if c.has("MaxEventSize") || c.has("ContextKeySelectors") {
			return nil, fail("InvalidParameterCombination", "MaxEventSize and ContextKeySelectors are of event data stores, a trail has AggregationConfigurations")
		}
		if !c.has("AggregationConfigurations") {
			return nil, fail("InvalidParameter", "there is nothing to change: give AggregationConfigurations")
		}
		var set eventConfig
		if err := fromObject(c.in["AggregationConfigurations"], &set.Aggregations); err != nil {
			return nil, fail("InvalidParameter", "AggregationConfigurations: %v", err)
		}
		changed, err := c.s.lake.UpdateTrail(c.ctx, t.ARN(), func(s *engine.TrailSettings) error {
			s.Aggregated = len(set.Aggregations) > 0
			return nil
		})
		if err != nil {
			return nil, c.trailError(err)
		}
		if err := c.s.save(c.ctx, engine.ObjectEventSettings, changed.ARN(), &set); err != nil {
			return nil, err
		}
		return aggregationsOut(changed.ARN(), &set), nil
	}
	if c.has("AggregationConfigurations") {
		return nil, fail("InvalidParameterCombination", "AggregationConfigurations are of trails, an event data store has MaxEventSize and ContextKeySelectors")
	}
	if !c.has("MaxEventSize") && !c.has("ContextKeySelectors") {
		return nil, fail("InvalidParameter", "there is nothing to change: give MaxEventSize or ContextKeySelectors")
	}
	size := e.set.MaxEventSize
	if c.has("MaxEventSize") {
		size = c.text("MaxEventSize")
	}
	keys := e.set.ContextKeys
	if c.has("ContextKeySelectors") {
		keys = nil
		if err := fromObject(c.in["ContextKeySelectors"], &keys); err != nil {
			return nil, fail("InvalidParameter", "ContextKeySelectors: %v", err)
		}
		if len(keys) == 2 && keys[0].Type == keys[1].Type {
			return nil, fail("InvalidParameter", "ContextKeySelectors: there is one selector of each type, %s stands twice", keys[0].Type)
		}
	}
	if len(keys) > 0 && size != "Large" {
		return nil, fail("InvalidParameter", "ContextKeySelectors need MaxEventSize Large")
	}
	e.set.MaxEventSize, e.set.ContextKeys = size, keys
	if err := c.saveSettings(e); err != nil {
		return nil, err
	}
	return configOut(e), nil
}

func (c *call) getEventConfiguration() (any, error) {
	t, e, err := c.configured(false)
	if err != nil {
		return nil, err
	}
	if e != nil {
		return configOut(e), nil
	}
	set, err := find[eventConfig](c.s, engine.ObjectEventSettings, t.ARN())
	if err != nil {
		return nil, err
	}
	if set == nil {
		set = &eventConfig{}
	}
	return aggregationsOut(t.ARN(), set), nil
}

func aggregationsOut(of string, set *eventConfig) object {
	out := []object{}
	for _, a := range set.Aggregations {
		out = append(out, object{"Templates": a.Templates, "EventCategory": a.EventCategory})
	}
	return object{"TrailARN": of, "AggregationConfigurations": out}
}

func configOut(e *eds) object {
	o := object{"EventDataStoreArn": e.arn, "MaxEventSize": "Standard"}
	if e.set.MaxEventSize != "" {
		o["MaxEventSize"] = e.set.MaxEventSize
	}
	keys := []object{}
	for _, k := range e.set.ContextKeys {
		keys = append(keys, object{"Type": k.Type, "Equals": k.Equals})
	}
	o["ContextKeySelectors"] = keys
	return o
}
