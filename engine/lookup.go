package engine

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"fmt"
	"math"
	"sort"
	"strings"
	"time"

	"github.com/cespare/xxhash/v2"

	"github.com/cairndb/cairn/engine/catalog"
	"github.com/cairndb/cairn/engine/event"
	"github.com/cairndb/cairn/engine/retention"
	"github.com/cairndb/cairn/segment/column"
)

// LookupRequest asks for the newest events with certain attributes.
type LookupRequest struct {
	// Attributes must all hold. Names, compared without regard to case, are
	// EventId, EventName, EventSource, Username, ResourceName, ResourceType,
	// AccessKeyId and ReadOnly. Values are compared exactly; a resource that a record tells by
	// its ARN is found by the ARN and by the name in it.
	Attributes map[string]string
	// Start and End bound the event time, both inclusive; the zero time is no
	// bound.
	Start, End time.Time
	// Limit is the number of events of a page, 1 to LookupLimitMax; 50 when 0.
	Limit int
	// Token continues where an earlier page of the same request ended; "" for
	// the first page.
	Token string
	// Category leaves only events of one category, by its name in records (Management, Insight);
	// "" for all.
	Category string
	// Account and Region leave only events of one recipient account and one region; "" for
	// all.
	Account, Region string
}

// LookupLimitMax is the largest page of a lookup: pages are held in memory.
const LookupLimitMax = 10_000

// HistoryDays is how far back the event history reaches.
const HistoryDays = retention.HistoryDays

// LookupEvent is one event found.
type LookupEvent struct {
	Store       string
	Seq         uint64 // 0 for who is limited to accounts
	EventTime   time.Time
	EventID     string
	EventName   string
	EventSource string
	Username    string
	AccessKeyID string
	ReadOnly    string // "true", "false" or ""
	Resources   []event.Resource
	Record      []byte // the exact record
}

// LookupResult is one page, newest event first; events of one time are ordered
// by their store, the older store first, and by falling sequence number. That order never changes.
type LookupResult struct {
	Events []LookupEvent
	// Next is the token of the next page; "" when there is none.
	Next string
}

// Lookup returns the newest events of the store that meet the request.
func (s *Store) Lookup(ctx context.Context, req LookupRequest) (*LookupResult, error) {
	return s.lake.lookUp(ctx, nil, req, []*Store{s}, false)
}

// Lookup is [Store.Lookup] in one of the view's stores. Who is limited to accounts is
// not told sequence numbers, which count the events of others.
func (v *View) Lookup(ctx context.Context, nameOrID string, req LookupRequest) (*LookupResult, error) {
	s, err := v.store(nameOrID)
	if err != nil {
		return nil, err
	}
	return v.lake.lookUp(ctx, v, req, []*Store{s}, false)
}

// LookupAll returns the newest events that meet the request of all stores with CloudTrail events,
// the event history among them. An event that is in several of them, byte for byte, is
// returned once.
func (l *Lake) LookupAll(ctx context.Context, req LookupRequest) (*LookupResult, error) {
	return l.lookUp(ctx, nil, req, l.historic(nil, event.CloudTrail), false)
}

// LookupAll is [Lake.LookupAll] of what the view shows.
func (v *View) LookupAll(ctx context.Context, req LookupRequest) (*LookupResult, error) {
	return v.lake.lookUp(ctx, v, req, v.lake.historic(v, event.CloudTrail), false)
}

// LookupEvents looks into the event history: the management events of the last [HistoryDays]
// days by their time, wherever the lake has them: in the built-in store, which has what was
// offered to the lake as a whole, and in every other store of CloudTrail events, so that nothing has to
// be kept twice to be found. An event in several stores is returned once.
//
// With the category Insight it returns Insights events instead, of stores of Insights events
// too; they have the attributes EventId, EventName and EventSource only. No other category may
// be asked for.
func (l *Lake) LookupEvents(ctx context.Context, req LookupRequest) (*LookupResult, error) {
	return l.lookUpHistory(ctx, nil, req)
}

// LookupEvents is [Lake.LookupEvents] of what the view shows.
func (v *View) LookupEvents(ctx context.Context, req LookupRequest) (*LookupResult, error) {
	return v.lake.lookUpHistory(ctx, v, req)
}

func (l *Lake) lookUpHistory(ctx context.Context, v *View, req LookupRequest) (*LookupResult, error) {
	schemas := []*event.Table{event.CloudTrail}
	switch {
	case req.Category == "" || req.Category == event.Management.String():
		req.Category = event.Management.String()
	case strings.EqualFold(req.Category, event.Insight.String()):
		req.Category = event.Insight.String()
		schemas = append(schemas, event.Insights)
		for name := range req.Attributes {
			switch a := attributeNames[strings.ToLower(name)]; a {
			case 0, byEventID, byEventName, byEventSource:
			default:
				return nil, failf(ErrBadInput, "looking up events: Insights events are looked up by EventId, EventName or EventSource, not by %s", name)
			}
		}
	default:
		return nil, failf(ErrBadInput, "looking up events: the category is %q, the event history has management events and Insights events (insight)", req.Category)
	}
	return l.lookUp(ctx, v, req, l.historic(v, schemas...), true)
}

// historic returns the stores of some schemas that can be read and that a view shows, nil for all.
func (l *Lake) historic(v *View, schemas ...*event.Table) []*Store {
	var out []*Store
	for _, s := range l.Stores() {
		for _, t := range schemas {
			if s.schema == t && s.readable() == nil && (v == nil || v.sees(s)) {
				out = append(out, s)
			}
		}
	}
	return out
}

// lookUp looks events up in some stores; recent leaves only those of the event history's days.
func (l *Lake) lookUp(ctx context.Context, v *View, req LookupRequest, stores []*Store, recent bool) (*LookupResult, error) {
	done, err := l.begin()
	if err != nil {
		return nil, err
	}
	defer done()
	l.uses.Add(1)
	k, err := newLookup(req)
	if err != nil {
		return nil, fmt.Errorf("looking up events: %w", err)
	}
	if v != nil && v.accounts != nil {
		secret, _, err := catalog.Pretence(l.db)
		if err != nil {
			return nil, l.openErr(err)
		}
		k.accounts, k.secret = v.accounts, secret[:]
	}
	if req.Token != "" {
		if err := k.parseToken(req.Token); err != nil {
			return nil, fmt.Errorf("looking up events: %w", err)
		}
	}
	if recent {
		cutoff := retention.Policy{Days: HistoryDays}.Horizon(l.retain.clock.Seen(), nil).Cutoff
		k.from = max(k.from, cutoff)
	}
	sort.Slice(stores, func(i, j int) bool { return stores[i].rec.Number < stores[j].rec.Number })
	for _, s := range stores {
		if err := s.readable(); err != nil {
			return nil, err
		}
		sn := s.snapshot()
		defer sn.release()
		k.snaps = append(k.snaps, sn)
	}
	return k.run(ctx)
}

// lookup is a request being answered.
type lookup struct {
	limit    int
	from, to int64 // event times, both inclusive
	terms    []lookupTerm
	accounts *accounts   // whose events are seen; nil for all
	secret   []byte      // hides sequence numbers in tokens from who is limited to accounts
	sum      uint64      // of the request, for tokens
	before   place       // only events after this in the order of results
	snaps    []*snapshot // of the stores, by rising number
	empty    int         // units that were opened and have nothing
}

// lookupTerm is a condition.
type lookupTerm struct {
	attribute lookupAttribute
	value     string
	hash      uint32
}

// place is an event's place in the order of results: newest first, the store with the lower
// number first at the same time, the later event of a store first.
type place struct {
	time  int64
	store uint32
	seq   uint64
}

// after reports whether p comes after q in the results.
func (p place) after(q place) bool {
	if p.time != q.time {
		return p.time < q.time
	}
	if p.store != q.store {
		return p.store > q.store
	}
	return p.seq < q.seq
}

var timeSourceAt = &source{places: [][]string{{"eventTime"}}, kind: timeSource, shape: &event.Column{Name: "eventtime"}, typ: column.TimestampType}

func newLookup(req LookupRequest) (*lookup, error) {
	k := &lookup{limit: req.Limit, from: math.MinInt64, to: math.MaxInt64, before: place{time: math.MaxInt64}}
	k.before.seq = math.MaxUint64
	if k.limit == 0 {
		k.limit = 50
	}
	if k.limit < 1 || k.limit > LookupLimitMax {
		return nil, failf(ErrBadInput, "the limit is %d, must be 1 to %d", req.Limit, LookupLimitMax)
	}
	if !req.Start.IsZero() {
		k.from = req.Start.UnixMicro()
	}
	if !req.End.IsZero() {
		k.to = req.End.UnixMicro()
	}
	if k.from > k.to {
		return nil, failf(ErrBadInput, "the start, %v, is after the end, %v", req.Start, req.End)
	}
	for name, value := range req.Attributes {
		a := attributeNames[strings.ToLower(name)]
		switch {
		case a == 0:
			return nil, failf(ErrBadInput, "attribute %q is not one of EventId, EventName, EventSource, Username, ResourceName, ResourceType, AccessKeyId, ReadOnly", name)
		case value == "":
			return nil, failf(ErrBadInput, "attribute %s has no value: an event without one cannot be looked up by it", name)
		case a == byReadOnly:
			if value = strings.ToLower(value); value != "true" && value != "false" {
				return nil, failf(ErrBadInput, "ReadOnly is %q, must be true or false", value)
			}
		}
		k.require(a, value)
	}
	if req.Category != "" {
		c, err := categoryCalled(req.Category)
		if err != nil {
			return nil, err
		}
		k.require(byCategory, c)
	}
	if req.Account != "" {
		k.require(byAccount, req.Account)
	}
	if req.Region != "" {
		k.require(byRegion, req.Region)
	}
	sort.Slice(k.terms, func(i, j int) bool { return k.terms[i].attribute < k.terms[j].attribute })
	h := xxhash.New()
	fmt.Fprintf(h, "%d %d", k.from, k.to)
	for _, t := range k.terms {
		fmt.Fprintf(h, " %d=%q", t.attribute, t.value)
	}
	k.sum = h.Sum64()
	return k, nil
}

func (k *lookup) require(a lookupAttribute, value string) {
	k.terms = append(k.terms, lookupTerm{a, value, attributeHash(value)})
}

// categoryCalled returns the spelling of a category in records.
func categoryCalled(name string) (string, error) {
	var all []string
	for c := event.Management; c <= event.ActivityAuditLog; c++ {
		if strings.EqualFold(c.String(), name) {
			return c.String(), nil
		}
		all = append(all, c.String())
	}
	return "", failf(ErrBadInput, "category %q is not one of %s", name, strings.Join(all, ", "))
}

// fill sets the fields of an event found.
func (e *LookupEvent) fill(store string, seq uint64, rec []byte) error {
	e.Store, e.Seq = store, seq
	e.Record = append([]byte(nil), rec...)
	var ev event.Event
	if err := event.Parse(e.Record, &ev); err != nil {
		return fmt.Errorf("event %d: %w", seq, err)
	}
	e.EventTime = time.UnixMicro(ev.Time).UTC()
	e.EventID = string(ev.ID)
	facts := event.FactsOf(e.Record)
	e.EventName, e.EventSource, e.AccessKeyID = facts.Name, facts.Source, facts.AccessKeyID
	e.Username, e.Resources = facts.Username, facts.Resources
	switch ev.ReadOnly {
	case event.True:
		e.ReadOnly = "true"
	case event.False:
		e.ReadOnly = "false"
	}
	return nil
}

// A token is the place of the last event and a sum of the request, so that it
// cannot be used with another: numbers of 8, 4, 8 and 8 bytes in base64.
const tokenBytes = 28

func (k *lookup) token(p place) string {
	b := binary.BigEndian.AppendUint64(nil, uint64(p.time))
	b = binary.BigEndian.AppendUint32(b, p.store)
	b = binary.BigEndian.AppendUint64(b, p.seq^k.mask(p))
	return base64.RawURLEncoding.EncodeToString(binary.BigEndian.AppendUint64(b, k.sum))
}

// mask is what hides the sequence number in a token of an event of a time and store.
func (k *lookup) mask(p place) uint64 {
	if k.secret == nil {
		return 0
	}
	h := hmac.New(sha256.New, k.secret)
	b := binary.BigEndian.AppendUint64([]byte("lookup"), k.sum)
	h.Write(binary.BigEndian.AppendUint32(binary.BigEndian.AppendUint64(b, uint64(p.time)), p.store))
	return binary.BigEndian.Uint64(h.Sum(nil))
}

func (k *lookup) parseToken(token string) error {
	b, err := base64.RawURLEncoding.DecodeString(token)
	if err != nil || len(b) != tokenBytes {
		return failf(ErrBadInput, "%q is not a token of a lookup", token)
	}
	if binary.BigEndian.Uint64(b[20:]) != k.sum {
		return failf(ErrBadInput, "the token belongs to another request: attributes and times must stay the same from page to page")
	}
	k.before = place{time: int64(binary.BigEndian.Uint64(b)), store: binary.BigEndian.Uint32(b[8:])}
	k.before.seq = binary.BigEndian.Uint64(b[12:]) ^ k.mask(k.before)
	return nil
}

// Record returns the exact bytes of the record with a sequence number, or
// [ErrNotFound].
func (s *Store) Record(ctx context.Context, seq uint64) ([]byte, error) {
	done, err := s.lake.begin()
	if err != nil {
		return nil, err
	}
	defer done()
	if err := s.readable(); err != nil {
		return nil, err
	}
	sn := s.snapshot()
	defer sn.release()
	return sn.record(ctx, seq)
}
