package api

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"sort"
	"strings"
	"time"

	"github.com/cairndb/cairn/engine"
	"github.com/cairndb/cairn/engine/event"
)

// Event data stores are the lake's stores. What AWS's interface knows of one beyond its
// policy is storeSettings; a store that was made without it, by an import or a command, has
// none, and is shown in every account and region to whoever may see it. Built-in stores are
// not shown: they are no event data stores, though queries may name them.

// storesMax bounds the stores of an account and region, in any state.
const storesMax = 10

// defaultDays and fixedDays are the periods of the two billing modes when none is given,
// fixedDaysMax the longest of the second.
const (
	defaultDays   = 366
	fixedDays     = 2557
	billingExtend = "EXTENDABLE_RETENTION_PRICING"
	billingFixed  = "FIXED_RETENTION_PRICING"
)

// storeSettings is what is kept of a store, by its ID.
type storeSettings struct {
	Account, Region, Name string
	SingleRegion          bool   `json:",omitempty"`
	Organization          bool   `json:",omitempty"`
	Billing               string `json:",omitempty"`
	KMSKey                string `json:",omitempty"`
	Updated               time.Time
	Federation            string           `json:",omitempty"` // the role; "" when it is off
	MaxEventSize          string           `json:",omitempty"`
	ContextKeys           []contextKeys    `json:",omitempty"`
	Insights              *insightSettings `json:",omitempty"`
}

type contextKeys struct {
	Type   string
	Equals []string
}

type insightSettings struct {
	Selectors   json.RawMessage
	Destination string
}

// eds is a store as a caller sees it.
type eds struct {
	*engine.Store
	set *storeSettings
	arn string
	// bare says that the store was not made by this interface.
	bare bool
}

// resolveStore finds a store by ARN or ID.
func (c *call) resolveStore(ref string) (*eds, error) {
	id, account := ref, c.account
	if strings.HasPrefix(ref, "arn:") {
		a, ok := parseARN(ref)
		if !ok || a.kind != storeARN {
			return nil, fail("EventDataStoreARNInvalid", "%q is not the ARN of an event data store", shorten(ref))
		}
		if a.region != c.region {
			return nil, fail("EventDataStoreNotFound", "there is no event data store %s in region %s", ref, c.region)
		}
		id, account = a.id, a.account
	}
	if !isUUID(id) {
		return nil, fail("EventDataStoreARNInvalid", "%q is neither the ARN nor the ID of an event data store", shorten(ref))
	}
	e, err := c.seen(id, account)
	if err != nil {
		return nil, err
	}
	if e == nil {
		return nil, fail("EventDataStoreNotFound", "there is no event data store %s in account %s and region %s", ref, account, c.region)
	}
	return e, nil
}

// seen returns the store with an ID if it is one of an account in the caller's region and
// the caller may see it, else nil. That of another account is seen by whom its resource
// policy lets call the operation.
func (c *call) seen(id, account string) (*eds, error) {
	store, err := c.s.lake.Store(id)
	if errors.Is(err, engine.ErrNotFound) || err == nil && store.Retention().BuiltIn {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	if !c.who.Has(store.Name()) && !c.who.Has(store.ID()) {
		return nil, nil
	}
	set, err := find[storeSettings](c.s, engine.ObjectStoreSettings, store.ID())
	if err != nil {
		return nil, err
	}
	bare := set == nil
	if bare {
		// Of no account: of the caller's.
		if account != c.account {
			return nil, nil
		}
		set = &storeSettings{Account: c.account, Region: c.region, Name: store.Name(), Updated: store.Created()}
	}
	// Who administers the organization sees what belongs to it, under the account of its
	// management, which owns it.
	admins := set.Organization && c.orgAdmin()
	if set.Region != c.region || set.Account != account && !(admins && account == c.account) {
		return nil, nil
	}
	e := &eds{Store: store, set: set, bare: bare, arn: arn{set.Region, set.Account, storeARN, store.ID()}.String()}
	if account != c.account && !admins {
		ok, err := c.s.permits(e.arn, c, nil)
		if err != nil {
			return nil, err
		}
		if !ok {
			return nil, fail("AccessDenied", "User: %s is not authorized to perform: %s on resource: %s", c.userARN(), c.op.iam(), e.arn)
		}
	}
	return e, nil
}

// myStores are the stores of the caller's account and region that it may see, by ID.
func (c *call) myStores() ([]*eds, error) {
	var out []*eds
	for _, store := range c.s.lake.Stores() {
		e, err := c.seen(store.ID(), c.account)
		if err != nil {
			return nil, err
		}
		if e != nil {
			out = append(out, e)
		}
	}
	sort.Slice(out, func(i, j int) bool { return out[i].ID() < out[j].ID() })
	return out, nil
}

// status is AWS's word for the state of the store.
func (e *eds) status() string {
	switch e.Retention().State {
	case engine.StorePending:
		return "PENDING_DELETION"
	case engine.StoreStopped:
		return "STOPPED_INGESTION"
	}
	return "ENABLED"
}

// active says why the store can take no part in an operation, if it cannot.
func (e *eds) active() error {
	if e.Retention().State == engine.StorePending {
		return fail("InactiveEventDataStore", "event data store %s is pending deletion; restore it first", e.arn)
	}
	return nil
}

// selectors are those of the store in the interface's form.
func (e *eds) selectors() []any {
	list := e.Selectors()
	if list == nil {
		name := e.Schema().Categories[0].String()
		list = &event.Selectors{Advanced: []event.AdvancedSelector{{Name: "All events of the store's schema",
			FieldSelectors: []event.FieldSelector{{Field: "eventCategory", Equals: []string{name}}}}}}
	}
	return toList(list.Advanced)
}

// toList turns typed values into the form of answers.
func toList(v any) []any {
	b, err := json.Marshal(v)
	if err != nil {
		return nil
	}
	var out []any
	if json.Unmarshal(b, &out) != nil {
		return nil
	}
	return out
}

// fromObject turns part of a request into a typed value.
func fromObject(v any, to any) error {
	b, err := json.Marshal(v)
	if err != nil {
		return err
	}
	return json.Unmarshal(b, to)
}

// out is the store in answers.
func (e *eds) out() object {
	r := e.Retention()
	days := r.Days
	if days == engine.Forever {
		days = 3653 // the interface knows no longer period
	}
	o := object{
		"EventDataStoreArn": e.arn, "Name": e.set.Name, "Status": e.status(), "AdvancedEventSelectors": e.selectors(),
		"MultiRegionEnabled": !e.set.SingleRegion, "OrganizationEnabled": e.set.Organization, "RetentionPeriod": int64(days),
		"TerminationProtectionEnabled": r.Protected, "CreatedTimestamp": moment{e.Created()}, "UpdatedTimestamp": moment{e.set.Updated},
		"BillingMode": e.set.billing(),
	}
	if e.set.KMSKey != "" {
		o["KmsKeyId"] = e.set.KMSKey
	}
	return o
}

func (set *storeSettings) billing() string {
	if set.Billing == "" {
		return billingExtend
	}
	return set.Billing
}

func (e *eds) withFederation(o object) object {
	o["FederationStatus"] = "DISABLED"
	if e.set.Federation != "" {
		o["FederationStatus"], o["FederationRoleArn"] = "ENABLED", e.set.Federation
	}
	return o
}

// saveSettings keeps the settings of a store, which is then of the caller's account and
// region if it was of none.
func (c *call) saveSettings(e *eds) error {
	e.set.Updated = c.now.UTC().Truncate(time.Millisecond)
	return c.s.save(c.ctx, engine.ObjectStoreSettings, e.ID(), e.set)
}

// storeSelectors reads and checks the selectors of a request.
func (c *call) storeSelectors() (*event.Selectors, *event.Table, error) {
	list := event.DefaultStoreSelectors()
	if c.has("AdvancedEventSelectors") {
		list = event.Selectors{}
		if err := fromObject(c.in["AdvancedEventSelectors"], &list.Advanced); err != nil {
			return nil, nil, fail("InvalidEventSelectors", "AdvancedEventSelectors: %v", err)
		}
		if len(list.Advanced) == 0 {
			return nil, nil, fail("InvalidEventSelectors", "AdvancedEventSelectors is empty: leave it out for all management events, or give a selector")
		}
	}
	if err := list.Validate(event.ForStore); err != nil {
		return nil, nil, fail("InvalidEventSelectors", "%v", err)
	}
	schema := event.CloudTrail
	for _, a := range list.Advanced {
		for _, f := range a.FieldSelectors {
			if f.Field == "eventCategory" && len(f.Equals) > 0 {
				if t := event.TableCalled(f.Equals[0]); t != nil {
					schema = t
				}
			}
		}
	}
	return &list, schema, nil
}

// period checks a retention period against the billing mode.
func (c *call) period(billing string, days int) error {
	if billing == billingFixed && days > fixedDays {
		return c.wrong("RetentionPeriod", "RetentionPeriod is %d, with %s it must be 7 to %d", days, billingFixed, fixedDays)
	}
	return nil
}

// freeName says whether a name is taken in the caller's account and region.
func (c *call) freeName(name, except string) error {
	settings, err := all[storeSettings](c.s, engine.ObjectStoreSettings, "")
	if err != nil {
		return err
	}
	taken := func(id string) bool {
		_, err := c.s.lake.Store(id)
		return err == nil && id != except
	}
	for i := range settings {
		s := &settings[i].value
		if s.Account == c.account && s.Region == c.region && strings.EqualFold(s.Name, name) && taken(settings[i].name) {
			return fail("EventDataStoreAlreadyExists", "there is an event data store %q in account %s and region %s already", name, c.account, c.region)
		}
	}
	if s, err := c.s.lake.Store(name); err == nil && s.ID() != except {
		set, err := find[storeSettings](c.s, engine.ObjectStoreSettings, s.ID())
		if err != nil {
			return err
		}
		if set == nil {
			return fail("EventDataStoreAlreadyExists", "the lake has a store %q already", name)
		}
	}
	return nil
}

// lakeName is the name of a new store in the lake and in SQL: its own, if nobody has it
// there and it can be one.
func (c *call) lakeName(name string) string {
	if strings.ContainsRune("._-", rune(name[0])) || isUUID(strings.ToLower(name)) {
		name = "store" + name
	}
	try := name
	for i := 2; ; i++ {
		if _, err := c.s.lake.Store(try); err != nil {
			return try
		}
		// Of another account or region: names are unique in each.
		try = name + "." + c.account + "." + c.region
		if i > 2 {
			try += "." + fmt.Sprint(i)
		}
		if over := len(try) - engine.StoreNameMax; over > 0 {
			try = name[:len(name)-over] + try[len(name):]
		}
	}
}

func (c *call) createEventDataStore() (any, error) {
	name := c.text("Name")
	if err := c.freeName(name, ""); err != nil {
		return nil, err
	}
	mine, err := c.myStores()
	if err != nil {
		return nil, err
	}
	n := 0
	for _, e := range mine {
		if !e.bare {
			n++
		}
	}
	if n >= storesMax {
		return nil, fail("EventDataStoreMaxLimitExceeded", "account %s has %d event data stores in region %s, the most that it may have; one that is pending deletion counts", c.account, n, c.region)
	}
	list, schema, err := c.storeSelectors()
	if err != nil {
		return nil, err
	}
	tags, err := c.newTags("TagsList")
	if err != nil {
		return nil, err
	}
	owner := c.account
	if c.flag("OrganizationEnabled", false) {
		if owner, err = c.mayOrganize(); err != nil {
			return nil, err
		}
	}
	set := &storeSettings{Account: owner, Region: c.region, Name: name, SingleRegion: !c.flag("MultiRegionEnabled", true),
		Organization: c.flag("OrganizationEnabled", false), Billing: c.text("BillingMode"), KMSKey: c.text("KmsKeyId")}
	if set.Organization && schema == event.ExternalEvents {
		return nil, c.wrong("OrganizationEnabled", "OrganizationEnabled: stores for events from outside AWS cannot be organization stores")
	}
	if err := c.kmsKey(set.KMSKey); err != nil {
		return nil, err
	}
	days := defaultDays
	if set.billing() == billingFixed {
		days = fixedDays
	}
	days = c.integer("RetentionPeriod", days)
	if err := c.period(set.billing(), days); err != nil {
		return nil, err
	}
	store, err := c.s.lake.MakeStore(c.ctx, engine.NewStore{Name: c.lakeName(name), Schema: schema, Days: uint32(days),
		Protected: c.flag("TerminationProtectionEnabled", true), Selectors: list})
	if err != nil {
		return nil, err
	}
	e := &eds{Store: store, set: set, arn: arn{c.region, owner, storeARN, store.ID()}.String()}
	if err := c.saveSettings(e); err != nil {
		return nil, err
	}
	if !c.flag("StartIngestion", true) {
		if err := c.s.lake.SetIngestion(c.ctx, store.ID(), false); err != nil {
			return nil, err
		}
	}
	out := e.out()
	out["Status"] = "CREATED" // GetEventDataStore tells what it has become
	if len(tags) > 0 {
		if err := c.saveTags(e.arn, tags); err != nil {
			return nil, err
		}
		out["TagsList"] = tagsOut(tags)
	}
	return out, nil
}

func (c *call) getEventDataStore() (any, error) {
	e, err := c.resolveStore(c.text("EventDataStore"))
	if err != nil {
		return nil, err
	}
	out := e.withFederation(e.out())
	out["PartitionKeys"] = []object{{"Name": "calendarday", "Type": "string"}, {"Name": "hour", "Type": "bigint"}}
	return out, nil
}

func (c *call) listEventDataStores() (any, error) {
	list, err := c.myStores()
	if err != nil {
		return nil, err
	}
	list, next, err := page(c, list, c.integer("MaxResults", listMax), func(e **eds) string { return (*e).ID() })
	if err != nil {
		return nil, err
	}
	items := []object{}
	for _, e := range list {
		items = append(items, object{"EventDataStoreArn": e.arn, "Name": e.set.Name})
	}
	return withNext(object{"EventDataStores": items}, next), nil
}

// listMax is the size of a page of lists when none is asked for.
const listMax = 1000

// withNext adds the token of the next page to an answer, if there is one.
func withNext(o object, next string) object {
	if next != "" {
		o["NextToken"] = next
	}
	return o
}

func (c *call) updateEventDataStore() (any, error) {
	e, err := c.resolveStore(c.text("EventDataStore"))
	if err != nil {
		return nil, err
	}
	if len(c.in) < 2 {
		return nil, fail("InvalidParameter", "there is nothing to update: give at least one member beside EventDataStore")
	}
	if err := e.active(); err != nil {
		return nil, err
	}
	set := *e.set
	e.set = &set
	if c.has("Name") {
		if err := c.freeName(c.text("Name"), e.ID()); err != nil {
			return nil, err
		}
		set.Name = c.text("Name")
	}
	if c.has("BillingMode") {
		if set.billing() == billingExtend && c.text("BillingMode") == billingFixed {
			return nil, c.wrong("BillingMode", "BillingMode: a store cannot go from %s to %s", billingExtend, billingFixed)
		}
		set.Billing = c.text("BillingMode")
	}
	if c.has("KmsKeyId") && set.KMSKey != "" && set.KMSKey != c.text("KmsKeyId") {
		return nil, fail("InvalidParameter", "KmsKeyId: the key of a store cannot be changed or removed; it is %s", set.KMSKey)
	}
	if c.has("KmsKeyId") {
		if err := c.kmsKey(c.text("KmsKeyId")); err != nil {
			return nil, err
		}
		set.KMSKey = c.text("KmsKeyId")
	}
	set.SingleRegion = !c.flag("MultiRegionEnabled", !set.SingleRegion)
	if org := c.flag("OrganizationEnabled", set.Organization); org != set.Organization {
		if err := c.managementOnly("to convert a store between account and organization"); err != nil {
			return nil, err
		}
		if org && e.Schema() == event.ExternalEvents {
			return nil, c.wrong("OrganizationEnabled", "OrganizationEnabled: stores for events from outside AWS cannot be organization stores")
		}
		set.Organization = org
	}
	days := c.integer("RetentionPeriod", int(e.Retention().Days))
	if c.has("RetentionPeriod") || c.has("BillingMode") {
		if err := c.period(set.billing(), days); err != nil {
			return nil, err
		}
	}
	var list *event.Selectors
	if c.has("AdvancedEventSelectors") {
		var schema *event.Table
		if list, schema, err = c.storeSelectors(); err != nil {
			return nil, err
		}
		if schema != e.Schema() {
			return nil, fail("InvalidEventSelectors", "AdvancedEventSelectors: the store holds %s, and a store cannot change what kind of events it holds", e.Schema().Name)
		}
	}
	var u engine.StoreUpdate
	if c.has("RetentionPeriod") {
		d := uint32(days)
		u.Days = &d
	}
	if c.has("TerminationProtectionEnabled") {
		p := c.flag("TerminationProtectionEnabled", true)
		u.Protected = &p
	}
	if u.Days != nil || u.Protected != nil {
		if err := c.s.lake.UpdateStore(c.ctx, e.ID(), u); err != nil {
			return nil, err
		}
	}
	if list != nil {
		if err := c.s.lake.SetSelectors(c.ctx, e.ID(), list); err != nil {
			return nil, err
		}
	}
	if err := c.saveSettings(e); err != nil {
		return nil, err
	}
	return e.withFederation(e.out()), nil
}

func (c *call) deleteEventDataStore() (any, error) {
	e, err := c.resolveStore(c.text("EventDataStore"))
	if err != nil {
		return nil, err
	}
	if err := e.active(); err != nil {
		return nil, err
	}
	if e.Retention().Protected {
		return nil, fail("EventDataStoreTerminationProtected", "event data store %s is protected: switch TerminationProtectionEnabled off first", e.arn)
	}
	if e.set.Federation != "" {
		return nil, fail("EventDataStoreFederationEnabled", "event data store %s is federated: disable federation first", e.arn)
	}
	channels, err := all[channel](c.s, engine.ObjectChannel, "")
	if err != nil {
		return nil, err
	}
	for i := range channels {
		if contains(channels[i].value.Stores, e.ID()) {
			return nil, fail("ChannelExistsForEDS", "channel %s puts its events into event data store %s: delete or update it first", channels[i].value.Name, e.arn)
		}
	}
	if busy, err := c.s.importing(e.ID()); err != nil {
		return nil, err
	} else if busy {
		return nil, fail("EventDataStoreHasOngoingImport", "an import into event data store %s is going on: stop it first", e.arn)
	}
	if err := c.s.lake.DeleteStore(c.ctx, e.ID(), false); err != nil {
		return nil, err
	}
	return nil, c.saveSettings(e)
}

func (c *call) restoreEventDataStore() (any, error) {
	e, err := c.resolveStore(c.text("EventDataStore"))
	if err != nil {
		return nil, err
	}
	if e.Retention().State != engine.StorePending {
		return nil, fail("InvalidEventDataStoreStatus", "event data store %s is %s; only one that is PENDING_DELETION can be restored", e.arn, e.status())
	}
	if err := c.s.lake.RestoreStore(c.ctx, e.ID()); err != nil {
		return nil, err
	}
	if err := c.saveSettings(e); err != nil {
		return nil, err
	}
	return e.out(), nil
}

func (c *call) startEventDataStoreIngestion() (any, error) { return c.ingest(true) }
func (c *call) stopEventDataStoreIngestion() (any, error)  { return c.ingest(false) }

func (c *call) ingest(on bool) (any, error) {
	e, err := c.resolveStore(c.text("EventDataStore"))
	if err != nil {
		return nil, err
	}
	if s := e.Schema(); s != event.CloudTrail && s != event.ConfigurationItems {
		return nil, fail("InvalidEventDataStoreCategory", "event data store %s holds %s; ingestion is started and stopped for CloudTrail events and configuration items", e.arn, s.Name)
	}
	if want := map[bool]string{true: "STOPPED_INGESTION", false: "ENABLED"}[on]; e.status() != want {
		return nil, fail("InvalidEventDataStoreStatus", "event data store %s is %s, for this it must be %s", e.arn, e.status(), want)
	}
	if err := c.s.lake.SetIngestion(c.ctx, e.ID(), on); err != nil {
		return nil, err
	}
	return nil, c.saveSettings(e)
}

func (c *call) enableFederation() (any, error) {
	e, err := c.resolveStore(c.text("EventDataStore"))
	if err != nil {
		return nil, err
	}
	if err := e.active(); err != nil {
		return nil, err
	}
	if e.set.Federation != "" {
		return nil, fail("EventDataStoreFederationEnabled", "event data store %s is federated already, with role %s", e.arn, e.set.Federation)
	}
	if err := c.roleARN("FederationRoleArn"); err != nil {
		return nil, err
	}
	e.set.Federation = c.text("FederationRoleArn")
	if err := c.saveSettings(e); err != nil {
		return nil, err
	}
	return object{"EventDataStoreArn": e.arn, "FederationStatus": "ENABLING", "FederationRoleArn": e.set.Federation}, nil
}

func (c *call) disableFederation() (any, error) {
	e, err := c.resolveStore(c.text("EventDataStore"))
	if err != nil {
		return nil, err
	}
	if err := e.active(); err != nil {
		return nil, err
	}
	if e.set.Federation == "" {
		return nil, fail("InvalidParameter", "event data store %s is not federated", e.arn)
	}
	e.set.Federation = ""
	if err := c.saveSettings(e); err != nil {
		return nil, err
	}
	return object{"EventDataStoreArn": e.arn, "FederationStatus": "DISABLING"}, nil
}

// roleARN checks a member that names a role.
func (c *call) roleARN(member string) error {
	parts := strings.SplitN(c.text(member), ":", 6)
	if len(parts) != 6 || parts[0] != "arn" || parts[2] != "iam" || !strings.HasPrefix(parts[5], "role/") || len(parts[5]) == len("role/") {
		return c.wrong(member, "%s: %q is not the ARN of a role, such as arn:aws:iam::%s:role/NAME", member, shorten(c.text(member)), c.account)
	}
	return nil
}

// kmsKey checks the form of a key's name: an ID, an alias, or the ARN of one. The key is
// not used: the lake has its own encryption (KMS keys are those of its keeper).
func (c *call) kmsKey(key string) error {
	if key == "" {
		return nil
	}
	name := key
	if strings.HasPrefix(key, "arn:") {
		parts := strings.SplitN(key, ":", 6)
		if len(parts) != 6 || parts[2] != "kms" {
			return fail("InvalidKmsKeyId", "KmsKeyId: %q is not the ARN of a key", shorten(key))
		}
		if name = parts[5]; strings.HasPrefix(name, "key/") {
			name = name[len("key/"):]
		} else if !strings.HasPrefix(name, "alias/") {
			return fail("InvalidKmsKeyId", "KmsKeyId: %q is not the ARN of a key or an alias", shorten(key))
		}
	}
	if alias, ok := strings.CutPrefix(name, "alias/"); ok && alias != "" && strings.Trim(alias, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789/_-") == "" {
		return nil
	}
	if isUUID(name) || strings.HasPrefix(name, "mrk-") {
		return nil
	}
	return fail("InvalidKmsKeyId", "KmsKeyId: %q is neither the ID of a key, nor alias/NAME, nor the ARN of one", shorten(key))
}

// sweep removes what is kept of stores that are gone.
func (s *API) sweep(ctx context.Context) error {
	settings, err := all[storeSettings](s, engine.ObjectStoreSettings, "")
	if err != nil {
		return err
	}
	var dead []engine.Object
	for i := range settings {
		if _, err := s.lake.Store(settings[i].name); errors.Is(err, engine.ErrNotFound) {
			set := &settings[i].value
			of := arn{set.Region, set.Account, storeARN, settings[i].name}.String()
			dead = append(dead, engine.Object{Kind: engine.ObjectStoreSettings, Name: settings[i].name},
				engine.Object{Kind: engine.ObjectTags, Name: of}, engine.Object{Kind: engine.ObjectResourcePolicy, Name: of})
		}
	}
	if len(dead) == 0 {
		return nil
	}
	return s.remove(ctx, dead...)
}
