package engine

import (
	"container/heap"
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"math"
	"sort"
	"strings"
	"time"

	"github.com/RoaringBitmap/roaring/v2"
	"github.com/cespare/xxhash/v2"

	"github.com/cairndb/cairn/engine/event"
	"github.com/cairndb/cairn/engine/retention"
	"github.com/cairndb/cairn/index"
	"github.com/cairndb/cairn/segment"
	"github.com/cairndb/cairn/segment/column"
)

// LookupRequest asks a store for its newest events with certain attributes.
type LookupRequest struct {
	// Attributes must all hold. Names, compared without regard to case, are
	// EventId, EventName, EventSource, Username, ResourceName, ResourceType,
	// AccessKeyId and ReadOnly.
	Attributes map[string]string
	// Start and End bound the event time, both inclusive; the zero time is no
	// bound.
	Start, End time.Time
	// Limit is the number of events of a page, 1 to LookupLimitMax; 50 when 0.
	Limit int
	// Token continues where an earlier page of the same request ended; "" for
	// the first page.
	Token string
}

// LookupLimitMax is the largest page of a lookup: pages are held in memory.
const LookupLimitMax = 10_000

// LookupEvent is one event found.
type LookupEvent struct {
	Seq         uint64
	EventTime   time.Time
	EventID     string
	EventName   string
	EventSource string
	Username    string
	AccessKeyID string
	ReadOnly    string // "true", "false" or ""
	Record      []byte // the exact record
}

// LookupResult is one page, newest event first; events of one time are ordered
// by falling sequence number.
type LookupResult struct {
	Events []LookupEvent
	// Next is the token of the next page; "" when there is none.
	Next string
}

// Lookup returns the newest events that meet the request.
func (s *Store) Lookup(ctx context.Context, req LookupRequest) (*LookupResult, error) {
	done, err := s.lake.begin()
	if err != nil {
		return nil, err
	}
	defer done()
	if err := s.readable(); err != nil {
		return nil, err
	}
	k, err := newLookup(req)
	if err != nil {
		return nil, fmt.Errorf("looking up events: %w", err)
	}
	if err := k.resume(req.Token); err != nil {
		return nil, fmt.Errorf("looking up events: %w", err)
	}
	return k.in(ctx, s)
}

// in looks the events up in a store.
func (k *lookup) in(ctx context.Context, s *Store) (*LookupResult, error) {
	k.filter.bitmaps = !s.lake.opts.NoBitmaps
	sn := s.snapshot()
	defer sn.release()
	k.horizon = &sn.horizon
	out, err := k.run(ctx, sn)
	if err != nil {
		return nil, fmt.Errorf("looking up events in store %s: %w", s.Name(), err)
	}
	return out, nil
}

// lookup is a request being answered. Units are taken newest first; of each, the
// conditions narrow the rows column by column, and the best so far are kept in a
// heap, until no unit that is left can have a newer event than the worst of a
// full page.
type lookup struct {
	limit    int
	filter   filter
	accounts *accounts // whose events are seen; nil for all
	secret   []byte    // hides sequence numbers in tokens from who is limited to accounts
	tests    []lookupTest
	sum      uint64 // of the request, for tokens
	before   place  // only events before this in the order of results
	page     places
	// horizon is the line behind which events have expired.
	horizon *retention.Horizon
}

// place is an event's place in the order of results: newest first, the later
// number first at the same time.
type place struct {
	time int64
	seq  uint64
	unit int
}

// after reports whether p comes after q in the results.
func (p place) after(q place) bool {
	if p.time != q.time {
		return p.time < q.time
	}
	return p.seq < q.seq
}

// places is a heap with the last in the order of results on top.
type places []place

func (h places) Len() int           { return len(h) }
func (h places) Less(i, j int) bool { return h[i].after(h[j]) }
func (h places) Swap(i, j int)      { h[i], h[j] = h[j], h[i] }
func (h *places) Push(x any)        { *h = append(*h, x.(place)) }
func (h *places) Pop() any {
	last := (*h)[len(*h)-1]
	*h = (*h)[:len(*h)-1]
	return last
}

// lookupTest is a condition on one or several sources.
type lookupTest struct {
	sources []*source
	// ok decides about row i of the sources' vectors.
	ok func(v []*column.Vector, i int) bool
}

// sourceAt names a place in the records as text.
func sourceAt(path ...string) *source {
	return &source{places: [][]string{path}, kind: textSource, shape: &textShape, typ: column.VarcharType}
}

var (
	timeSourceAt = &source{places: [][]string{{"eventTime"}}, kind: timeSource, shape: &event.Column{Name: "eventtime"}, typ: column.TimestampType}
	idSourceAt   = &source{places: [][]string{{"eventID"}, {"eventId"}}, kind: textSource, shape: &textShape, typ: column.VarcharType}
)

// resourceKeys are the request parameters that name a resource when the record
// lists none.
var resourceKeys = []string{"bucketName", "roleName", "userName", "groupName", "groupId", "instanceId", "keyId", "functionName", "policyArn", "tableName", "trailName", "name"}

func newLookup(req LookupRequest) (*lookup, error) {
	k := &lookup{limit: req.Limit, before: place{time: math.MaxInt64, seq: math.MaxUint64}}
	if k.limit == 0 {
		k.limit = 50
	}
	if k.limit < 1 || k.limit > LookupLimitMax {
		return nil, failf(ErrBadInput, "the limit is %d, must be 1 to %d", req.Limit, LookupLimitMax)
	}
	k.filter = filter{from: math.MinInt64, to: math.MaxInt64}
	if !req.Start.IsZero() {
		k.filter.from = req.Start.UnixMicro()
	}
	if !req.End.IsZero() {
		k.filter.to = req.End.UnixMicro()
	}
	if k.filter.from > k.filter.to {
		return nil, failf(ErrBadInput, "the start, %v, is after the end, %v", req.Start, req.End)
	}
	names := make([]string, 0, len(req.Attributes))
	for name := range req.Attributes {
		names = append(names, name)
	}
	sort.Strings(names)
	h := xxhash.New()
	fmt.Fprintf(h, "%d %d", k.filter.from, k.filter.to)
	for _, name := range names {
		value := req.Attributes[name]
		fmt.Fprintf(h, " %q=%q", strings.ToLower(name), value)
		if err := k.condition(name, value); err != nil {
			return nil, err
		}
	}
	k.sum = h.Sum64()
	return k, nil
}

// resume continues behind the page whose token it is, "" for from the first event.
func (k *lookup) resume(token string) error {
	if token == "" {
		return nil
	}
	return k.parseToken(token)
}

// condition adds the condition of an attribute.
func (k *lookup) condition(name, value string) error {
	equal := func(src *source) {
		k.filter.equals = append(k.filter.equals, equality{src: src, values: []string{value}})
		k.filter.needed = append(k.filter.needed, src)
		k.tests = append(k.tests, lookupTest{sources: []*source{src}, ok: func(v []*column.Vector, i int) bool {
			text, ok := textAt(v[0], i)
			return ok && text == value
		}})
	}
	switch strings.ToLower(name) {
	case "eventid":
		equal(idSourceAt)
	case "eventname":
		equal(sourceAt("eventName"))
	case "eventsource":
		equal(sourceAt("eventSource"))
	case "accesskeyid":
		equal(sourceAt("userIdentity", "accessKeyId"))
	case "readonly":
		value = strings.ToLower(value)
		if value != "true" && value != "false" {
			return failf(ErrBadInput, "ReadOnly is %q, must be true or false", value)
		}
		src := sourceAt("readOnly")
		k.filter.needed = append(k.filter.needed, src)
		k.tests = append(k.tests, lookupTest{sources: []*source{src}, ok: func(v []*column.Vector, i int) bool {
			text, ok := textAt(v[0], i)
			return ok && text == value
		}})
	case "username":
		k.tests = append(k.tests, lookupTest{sources: usernameSources, ok: func(v []*column.Vector, i int) bool {
			return username(v, i) == value
		}})
	case "resourcename", "resourcetype":
		byType := strings.EqualFold(name, "resourcetype")
		resources, _ := event.CloudTrail.Column("resources")
		sources := []*source{{places: resources.Paths, kind: decodedSource, shape: resources, typ: resources.Type}}
		if !byType {
			for _, key := range resourceKeys {
				sources = append(sources, sourceAt("requestParameters", key))
			}
		}
		k.tests = append(k.tests, lookupTest{sources: sources, ok: func(v []*column.Vector, i int) bool {
			return hasResource(v, i, value, byType)
		}})
	default:
		return failf(ErrBadInput, "attribute %q is not one of EventId, EventName, EventSource, Username, ResourceName, ResourceType, AccessKeyId, ReadOnly", name)
	}
	return nil
}

// usernameSources are what a user name is made of.
var usernameSources = []*source{
	sourceAt("userIdentity", "type"), sourceAt("userIdentity", "userName"), sourceAt("userIdentity", "arn"), sourceAt("userIdentity", "invokedBy"),
}

// username returns the name by which an event's caller is looked up: the user's
// name, root, the name of an assumed role's session, or the service.
func username(v []*column.Vector, i int) string {
	kind, _ := textAt(v[0], i)
	if name, ok := textAt(v[1], i); ok && name != "" && kind != "Root" {
		return name
	}
	arn, _ := textAt(v[2], i)
	switch kind {
	case "Root":
		return "root"
	case "AssumedRole":
		return arn[strings.LastIndexByte(arn, '/')+1:]
	}
	service, _ := textAt(v[3], i)
	return service
}

// hasResource reports whether a row has a resource of a name or type. A name may
// be a whole ARN or what stands behind its last colon or slash.
func hasResource(v []*column.Vector, i int, value string, byType bool) bool {
	if !v[0].IsNull(i) {
		list, j := v[0].Leaf(i)
		row := list.Children[0]
		for e := list.Offsets[j]; e < list.Offsets[j+1]; e++ {
			if row.IsNull(int(e)) {
				continue
			}
			r, at := row.Leaf(int(e))
			const typeField, arnField = 1, 2
			if byType {
				if text, ok := textAt(r.Children[typeField], at); ok && text == value {
					return true
				}
				continue
			}
			arn, ok := textAt(r.Children[arnField], at)
			if ok && (arn == value || strings.HasSuffix(arn, ":"+value) || strings.HasSuffix(arn, "/"+value)) {
				return true
			}
		}
	}
	for _, param := range v[1:] {
		if text, ok := textAt(param, i); ok && text == value {
			return true
		}
	}
	return false
}

// lookupUnit is a segment or a chunk of a memtable.
type lookupUnit struct {
	seg    *sealed
	reader *segment.Reader
	first  uint64
	rows   int
	max    int64
	mine   *roaring.Bitmap // the rows that are seen; nil for all
}

func (u *lookupUnit) open(ctx context.Context) (*segment.Reader, error) {
	if u.seg != nil {
		return u.seg.reader(ctx)
	}
	return u.reader, nil
}

func (u *lookupUnit) fault(err error) error {
	if u.seg != nil {
		return u.seg.fault(err)
	}
	return err
}

func (k *lookup) run(ctx context.Context, sn *snapshot) (*LookupResult, error) {
	var units []lookupUnit
	for _, seg := range sn.segments {
		if !k.filter.outsideTime(seg.cat.MinTime, seg.cat.MaxTime) && k.horizon.Of(seg.cat.MinTime, seg.cat.MaxTime) != retention.All && seg.cat.MinTime <= k.before.time {
			m, err := k.accounts.mine(ctx, seg)
			if err != nil {
				return nil, err
			}
			if m.n > 0 {
				units = append(units, lookupUnit{seg: seg, first: seg.cat.First, rows: int(seg.cat.Rows), max: seg.cat.MaxTime, mine: m.rows})
			}
		}
	}
	for _, v := range sn.views {
		if lo, hi := v.Times(); k.filter.outsideTime(lo, hi) || k.horizon.Of(lo, hi) == retention.All {
			continue
		}
		chunks, err := v.Chunks(ctx)
		if err != nil {
			return nil, err
		}
		for _, c := range chunks {
			m, err := k.accounts.mineIn(ctx, sn.store.schema, c)
			if err != nil {
				return nil, err
			}
			if m.n > 0 {
				units = append(units, lookupUnit{reader: c.Reader, first: v.First() + uint64(c.From), rows: c.To - c.From, max: c.MaxTime, mine: m.rows})
			}
		}
	}
	sort.SliceStable(units, func(i, j int) bool { return units[i].max > units[j].max })
	for i := range units {
		if len(k.page) > k.limit && units[i].max < k.page[0].time {
			break
		}
		if err := k.unit(ctx, i, &units[i]); err != nil {
			return nil, units[i].fault(err)
		}
	}
	return k.result(ctx, units)
}

// unit looks for events in one unit.
func (k *lookup) unit(ctx context.Context, number int, u *lookupUnit) error {
	var candidates *roaring.Bitmap
	if u.seg != nil {
		rows, none, err := k.filter.rowsOf(ctx, u.seg)
		if err != nil || none {
			return err
		}
		candidates = rows
	}
	if u.mine != nil {
		candidates = intersect(candidates, u.mine)
	}
	r, err := u.open(ctx)
	if err != nil {
		return err
	}
	var rows []uint32
	for from := 0; from < u.rows; from += segment.BlockRows {
		if err := ctx.Err(); err != nil {
			return err
		}
		to := min(from+segment.BlockRows, u.rows)
		rows = rows[:0]
		if candidates != nil {
			rows = index.RowsIn(rows, candidates, uint32(from), uint32(to))
		} else {
			for row := from; row < to; row++ {
				rows = append(rows, uint32(row))
			}
		}
		if len(rows) == 0 {
			continue
		}
		if err := k.block(ctx, r, number, u, rows); err != nil {
			return err
		}
	}
	return nil
}

// block looks for events among some rows of a block.
func (k *lookup) block(ctx context.Context, r *segment.Reader, number int, u *lookupUnit, rows []uint32) error {
	times, err := timeSourceAt.read(ctx, r, segment.List(rows))
	if err != nil {
		return err
	}
	keep := rows[:0:0]
	var at []int64
	for i, row := range rows {
		p := place{seq: u.first + uint64(row), unit: number}
		if times.IsNull(i) {
			// An aggregated event has its time elsewhere.
			rec, err := r.Record(ctx, int(row), nil)
			if err != nil {
				return err
			}
			var ev event.Event
			if err := event.Parse(rec, &ev); err != nil {
				return fmt.Errorf("event %d: %w", p.seq, err)
			}
			p.time = ev.Time
		} else {
			leaf, j := times.Leaf(i)
			p.time = leaf.I64[j]
		}
		if k.horizon.Expired(p.time) || p.time < k.filter.from || p.time > k.filter.to || !p.after(k.before) {
			continue
		}
		if len(k.page) > k.limit && p.after(k.page[0]) {
			continue
		}
		keep, at = append(keep, row), append(at, p.time)
	}
	for _, t := range k.tests {
		if len(keep) == 0 {
			return nil
		}
		vectors := make([]*column.Vector, len(t.sources))
		for i, src := range t.sources {
			if vectors[i], err = src.read(ctx, r, segment.List(keep)); err != nil {
				return err
			}
		}
		n := 0
		for i := range keep {
			if t.ok(vectors, i) {
				keep[n], at[n] = keep[i], at[i]
				n++
			}
		}
		keep, at = keep[:n], at[:n]
	}
	for i, row := range keep {
		heap.Push(&k.page, place{time: at[i], seq: u.first + uint64(row), unit: number})
		// One more than a page is kept, to know whether there is a next one.
		if len(k.page) > k.limit+1 {
			heap.Pop(&k.page)
		}
	}
	return nil
}

// result fetches the records of the page.
func (k *lookup) result(ctx context.Context, units []lookupUnit) (*LookupResult, error) {
	sort.Slice(k.page, func(i, j int) bool { return k.page[j].after(k.page[i]) })
	out := &LookupResult{Events: make([]LookupEvent, min(len(k.page), k.limit))}
	if len(k.page) > k.limit {
		k.page = k.page[:k.limit]
		out.Next = k.token(k.page[k.limit-1])
	}
	// Unit by unit, so that pages are decoded once.
	order := make([]int, len(k.page))
	for i := range order {
		order[i] = i
	}
	sort.Slice(order, func(i, j int) bool {
		a, b := k.page[order[i]], k.page[order[j]]
		if a.unit != b.unit {
			return a.unit < b.unit
		}
		return a.seq < b.seq
	})
	for from := 0; from < len(order); {
		u := &units[k.page[order[from]].unit]
		to := from
		var rows []uint32
		for to < len(order) && k.page[order[to]].unit == k.page[order[from]].unit {
			rows = append(rows, uint32(k.page[order[to]].seq-u.first))
			to++
		}
		r, err := u.open(ctx)
		if err == nil {
			next := from
			err = r.Records(ctx, segment.List(rows), func(_ int, rec []byte) error {
				at := order[next]
				next++
				return out.Events[at].fill(k.page[at], rec)
			})
		}
		if err != nil {
			return nil, u.fault(err)
		}
		from = to
	}
	return out, nil
}

// fill sets the fields of an event found.
func (e *LookupEvent) fill(p place, rec []byte) error {
	var ev event.Event
	e.Record = append([]byte(nil), rec...)
	if err := event.Parse(e.Record, &ev); err != nil {
		return fmt.Errorf("event %d: %w", p.seq, err)
	}
	var user struct {
		UserIdentity json.RawMessage
	}
	e.Seq, e.EventTime = p.seq, time.UnixMicro(ev.Time).UTC()
	e.EventID, e.EventName, e.EventSource = string(ev.ID), string(ev.Name), string(ev.Source)
	switch ev.ReadOnly {
	case event.True:
		e.ReadOnly = "true"
	case event.False:
		e.ReadOnly = "false"
	}
	// What is no object has none of these.
	if json.Unmarshal(rec, &user) != nil {
		return nil
	}
	var id map[string]any
	if json.Unmarshal(user.UserIdentity, &id) != nil {
		return nil
	}
	text := func(name string) string { s, _ := id[name].(string); return s }
	e.AccessKeyID = text("accessKeyId")
	var v []*column.Vector
	for _, name := range [...]string{"type", "userName", "arn", "invokedBy"} {
		v = append(v, &column.Vector{Type: column.VarcharType, Len: 1, Str: []string{text(name)}})
	}
	e.Username = username(v, 0)
	return nil
}

// A token is the place of the last event and a sum of the request, so that it
// cannot be used with another: 3 numbers of 8 bytes in base64.
func (k *lookup) token(p place) string {
	b := binary.BigEndian.AppendUint64(nil, uint64(p.time))
	b = binary.BigEndian.AppendUint64(b, p.seq^k.mask(p.time))
	return base64.RawURLEncoding.EncodeToString(binary.BigEndian.AppendUint64(b, k.sum))
}

// mask is what hides the sequence number in a token of an event with a time.
func (k *lookup) mask(at int64) uint64 {
	if k.secret == nil {
		return 0
	}
	h := hmac.New(sha256.New, k.secret)
	h.Write(binary.BigEndian.AppendUint64(binary.BigEndian.AppendUint64([]byte("lookup"), k.sum), uint64(at)))
	return binary.BigEndian.Uint64(h.Sum(nil))
}

func (k *lookup) parseToken(token string) error {
	b, err := base64.RawURLEncoding.DecodeString(token)
	if err != nil || len(b) != 24 {
		return failf(ErrBadInput, "%q is not a token of a lookup", token)
	}
	if binary.BigEndian.Uint64(b[16:]) != k.sum {
		return failf(ErrBadInput, "the token belongs to another request: attributes and times must stay the same from page to page")
	}
	k.before = place{time: int64(binary.BigEndian.Uint64(b))}
	k.before.seq = binary.BigEndian.Uint64(b[8:]) ^ k.mask(k.before.time)
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
