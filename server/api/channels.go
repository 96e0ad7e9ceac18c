package api

import (
	"slices"
	"sort"
	"strings"
	"sync"
	"time"

	"github.com/cairndb/cairn/engine"
	"github.com/cairndb/cairn/engine/event"
)

// Channels take events from outside AWS (auditevents.go) and put them into stores.

// channelsMax bounds the channels of an account and region.
const channelsMax = 25

// customSource is the source of channels for anything; the others are products.
const customSource = "Custom"

var sources = []string{customSource, "CloudStorageSecurityConsole", "Clumio", "CrowdStrike", "CyberArk", "GitHub", "KongGatewayEnterprise", "LaunchDarkly",
	"NetskopeCloudExchange", "IBMMulticloud", "MontyCloud", "OktaSystemLogEvents", "OneLogin", "Shoreline", "Snyk", "WizAuditLogs"}

// channel is what is kept of a channel, under account, region and ID.
type channel struct {
	ID, Account, Region, Name, Source string
	Stores                            []string // IDs
	Created                           time.Time
}

// resolvedChannel is a channel and its ARN.
type resolvedChannel struct {
	channel
	arn string
}

func (c *call) channelCalled(account, id string) (*resolvedChannel, error) {
	ch, err := find[channel](c.s, engine.ObjectChannel, account+"/"+c.region+"/"+id)
	if err != nil || ch == nil {
		return nil, err
	}
	return &resolvedChannel{*ch, arn{c.region, account, channelARN, id}.String()}, nil
}

// resolveChannel finds a channel of the caller's account by ARN or ID.
func (c *call) resolveChannel(ref string) (*resolvedChannel, error) {
	id := ref
	if strings.HasPrefix(ref, "arn:") {
		a, ok := parseARN(ref)
		if !ok || a.kind != channelARN {
			return nil, fail("ChannelARNInvalid", "%q is not the ARN of a channel", shorten(ref))
		}
		if a.region != c.region || a.account != c.account {
			return nil, fail("ChannelNotFound", "there is no channel %s in account %s and region %s", ref, c.account, c.region)
		}
		id = a.id
	}
	if !isUUID(id) {
		return nil, fail("ChannelARNInvalid", "%q is neither the ARN nor the ID of a channel", shorten(ref))
	}
	ch, err := c.channelCalled(c.account, id)
	if err == nil && ch == nil {
		err = fail("ChannelNotFound", "there is no channel %s in account %s and region %s", ref, c.account, c.region)
	}
	return ch, err
}

// destinations reads the destinations of a request: IDs of stores for events from outside.
func (c *call) destinations() ([]string, error) {
	var out []string
	for i, item := range c.list("Destinations") {
		o := item.(object)
		if o["Type"] != "EVENT_DATA_STORE" {
			return nil, c.wrong("Destinations", "Destinations[%d]: channels of type %v are made by AWS's own services; give EVENT_DATA_STORE", i, o["Type"])
		}
		e, err := c.resolveStore(o["Location"].(string))
		if err != nil {
			return nil, err
		}
		if err := e.active(); err != nil {
			return nil, err
		}
		if e.Schema() != event.ExternalEvents {
			return nil, fail("InvalidEventDataStoreCategory", "event data store %s holds %s; channels put events into stores whose selector has eventCategory Equals ActivityAuditLog", e.arn, e.Schema().Name)
		}
		if slices.Contains(out, e.ID()) {
			return nil, c.wrong("Destinations", "Destinations[%d]: the store %s stands twice", i, e.arn)
		}
		out = append(out, e.ID())
	}
	return out, nil
}

func (c *call) destinationsOut(ch *resolvedChannel) []object {
	out := []object{}
	for _, id := range ch.Stores {
		out = append(out, object{"Type": "EVENT_DATA_STORE", "Location": arn{ch.Region, ch.Account, storeARN, id}.String()})
	}
	return out
}

func (c *call) myChannels() ([]named[channel], error) {
	return all[channel](c.s, engine.ObjectChannel, c.mine())
}

func (c *call) createChannel() (any, error) {
	ch := &resolvedChannel{channel: channel{ID: newID(), Account: c.account, Region: c.region, Name: c.text("Name"), Source: c.text("Source"), Created: c.now.UTC()}}
	if !slices.Contains(sources, ch.Source) && c.s.mappingOf(ch.Source) == nil {
		return nil, fail("InvalidSource", "Source: %q is neither Custom nor one of %s, nor a mapping of this server: %s", shorten(ch.Source), strings.Join(sources[1:], ", "), strings.Join(c.s.mappingNames(), ", "))
	}
	have, err := c.myChannels()
	if err != nil {
		return nil, err
	}
	for i := range have {
		if o := &have[i].value; strings.EqualFold(o.Name, ch.Name) {
			return nil, fail("ChannelAlreadyExists", "there is a channel %q in account %s and region %s already", o.Name, c.account, c.region)
		} else if o.Source == ch.Source {
			return nil, fail("ChannelAlreadyExists", "channel %q takes events of source %s already; a source has one channel", o.Name, o.Source)
		}
	}
	if len(have) >= channelsMax {
		return nil, fail("ChannelMaxLimitExceeded", "account %s has %d channels in region %s, the most that it may have", c.account, len(have), c.region)
	}
	if ch.Stores, err = c.destinations(); err != nil {
		return nil, err
	}
	t, err := c.newTags("Tags")
	if err != nil {
		return nil, err
	}
	ch.arn = c.arnOf(channelARN, ch.ID)
	if err := c.saveChannel(ch); err != nil {
		return nil, err
	}
	out := object{"ChannelArn": ch.arn, "Name": ch.Name, "Source": ch.Source, "Destinations": c.destinationsOut(ch)}
	if len(t) > 0 {
		if err := c.saveTags(ch.arn, t); err != nil {
			return nil, err
		}
		out["Tags"] = tagsOut(t)
	}
	return out, nil
}

func (c *call) saveChannel(ch *resolvedChannel) error {
	return c.s.save(c.ctx, engine.ObjectChannel, c.mine()+ch.ID, &ch.channel)
}

func (c *call) updateChannel() (any, error) {
	ch, err := c.resolveChannel(c.text("Channel"))
	if err != nil {
		return nil, err
	}
	if len(c.in) < 2 {
		return nil, fail("InvalidParameter", "there is nothing to update: give Name or Destinations")
	}
	if c.has("Name") {
		have, err := c.myChannels()
		if err != nil {
			return nil, err
		}
		for i := range have {
			if o := &have[i].value; o.ID != ch.ID && strings.EqualFold(o.Name, c.text("Name")) {
				return nil, fail("ChannelAlreadyExists", "there is a channel %q in account %s and region %s already", o.Name, c.account, c.region)
			}
		}
		ch.Name = c.text("Name")
	}
	if c.has("Destinations") {
		if ch.Stores, err = c.destinations(); err != nil {
			return nil, err
		}
	}
	if err := c.saveChannel(ch); err != nil {
		return nil, err
	}
	return object{"ChannelArn": ch.arn, "Name": ch.Name, "Source": ch.Source, "Destinations": c.destinationsOut(ch)}, nil
}

func (c *call) deleteChannel() (any, error) {
	ch, err := c.resolveChannel(c.text("Channel"))
	if err != nil {
		return nil, err
	}
	return nil, c.s.remove(c.ctx, engine.Object{Kind: engine.ObjectChannel, Name: c.mine() + ch.ID},
		engine.Object{Kind: engine.ObjectTags, Name: ch.arn}, engine.Object{Kind: engine.ObjectResourcePolicy, Name: ch.arn})
}

func (c *call) getChannel() (any, error) {
	ch, err := c.resolveChannel(c.text("Channel"))
	if err != nil {
		return nil, err
	}
	out := object{"ChannelArn": ch.arn, "Name": ch.Name, "Source": ch.Source, "Destinations": c.destinationsOut(ch),
		"SourceConfig": object{"ApplyToAllRegions": false}}
	if st := c.s.ingestion.out(ch.arn); len(st) > 0 {
		out["IngestionStatus"] = st
	}
	return out, nil
}

func (c *call) listChannels() (any, error) {
	list, err := c.myChannels()
	if err != nil {
		return nil, err
	}
	sort.Slice(list, func(i, j int) bool { return list[i].name < list[j].name })
	list, next, err := page(c, list, c.integer("MaxResults", listMax), func(n *named[channel]) string { return n.name })
	if err != nil {
		return nil, err
	}
	items := []object{}
	for i := range list {
		items = append(items, object{"ChannelArn": c.arnOf(channelARN, list[i].value.ID), "Name": list[i].value.Name})
	}
	return withNext(object{"Channels": items}, next), nil
}

// ingestions are how the channels have fared since the server was started.
type ingestions struct {
	sync.Mutex
	by map[string]*ingestion
}

type ingestion struct {
	attempt, success     time.Time
	attemptID, successID string
	errorCode            string
}

// note notes what became of a request.
func (g *ingestions) note(channel string, now time.Time, stored, tried, code string) {
	g.Lock()
	defer g.Unlock()
	if g.by == nil {
		g.by = map[string]*ingestion{}
	}
	i := g.by[channel]
	if i == nil {
		i = &ingestion{}
		g.by[channel] = i
	}
	i.attempt, i.attemptID = now, tried
	if stored != "" {
		i.success, i.successID = now, stored
	}
	if code != "" {
		i.errorCode = code
	}
}

func (g *ingestions) out(channel string) object {
	g.Lock()
	defer g.Unlock()
	o := object{}
	i := g.by[channel]
	if i == nil {
		return o
	}
	o["LatestIngestionAttemptTime"] = moment{i.attempt}
	if i.attemptID != "" {
		o["LatestIngestionAttemptEventID"] = i.attemptID
	}
	if i.successID != "" {
		o["LatestIngestionSuccessTime"], o["LatestIngestionSuccessEventID"] = moment{i.success}, i.successID
	}
	if i.errorCode != "" {
		o["LatestIngestionErrorCode"] = i.errorCode
	}
	return o
}
