package api

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"net/netip"
	"strings"
	"sync"
	"time"
	"unicode/utf8"

	"github.com/cairndb/cairn/engine"
	"github.com/cairndb/cairn/engine/event"
)

// PutAuditEvents takes up to 100 events from outside AWS. Each is answered for itself: one
// that is not what it must be, or cannot be kept, fails, its neighbours are stored.
//
// A producer that has heard no answer sends the same events again. So the ID of a stored
// event is made from the channel, the producer's ID and the data, and of the events of the last
// minutes the server knows which it has; one that comes again is answered as the first was.
// (With the same ID and other data it is another event.)

// Limits of audit events.
const (
	auditEventsMax = 100

	parametersMax = 100 << 10 // requestParameters and responseElements, each
	additionalMax = 28 << 10
	errorTextMax  = 1024

	// recentMax and recentTime bound what is remembered of stored events: ten seconds of
	// the largest rate, and longer than clients try again.
	recentMax  = 200_000
	recentTime = 10 * time.Minute
)

type auditRequest struct {
	AuditEvents []auditItem `json:"auditEvents"`
}

type auditItem struct {
	ID       *string `json:"id"`
	Data     *string `json:"eventData"`
	Checksum *string `json:"eventDataChecksum"`
}

type auditResult struct {
	ID      string `json:"id"`
	EventID string `json:"eventID"`
}

type auditFailure struct {
	ID      string `json:"id"`
	Code    string `json:"errorCode"`
	Message string `json:"errorMessage"`
}

type auditAnswer struct {
	Successful []auditResult  `json:"successful"`
	Failed     []auditFailure `json:"failed"`
}

// auditError says why an event is not taken.
type auditError struct{ code, message string }

func (e *auditError) Error() string { return e.message }

func refuse(code, format string, args ...any) error {
	return &auditError{code, fmt.Sprintf(format, args...)}
}

// putAuditEvents stores events from outside AWS.
func (c *call) putAuditEvents(body []byte) (any, error) {
	ch, err := c.auditChannel()
	if err != nil {
		return nil, err
	}
	var req auditRequest
	if !utf8.Valid(body) {
		return nil, fail("MalformedHttpRequest", "the body is not UTF-8")
	}
	if err := checkDepth(body); err != nil {
		return nil, fail("MalformedHttpRequest", "%v", err)
	}
	if err := json.Unmarshal(body, &req); err != nil {
		var of *json.UnmarshalTypeError
		if errors.As(err, &of) {
			return nil, fail("InvalidParameter", "%s must be %s, not %s", of.Field, of.Type, of.Value)
		}
		return nil, fail("MalformedHttpRequest", "the body is not JSON: %v", err)
	}
	if n := len(req.AuditEvents); n < 1 || n > auditEventsMax {
		return nil, fail("InvalidParameter", "auditEvents has %d items, it must have 1 to %d", n, auditEventsMax)
	}
	if c.s.lake.ReadOnly() {
		return nil, fail("UnsupportedOperation", "the lake is open for reading only")
	}
	seen := make(map[string]bool, len(req.AuditEvents))
	for i := range req.AuditEvents {
		it := &req.AuditEvents[i]
		switch {
		case it.ID == nil:
			return nil, fail("InvalidParameter", "auditEvents[%d].id is missing", i)
		case it.Data == nil:
			return nil, fail("InvalidParameter", "auditEvents[%d].eventData is missing", i)
		case len(*it.ID) < 1 || len(*it.ID) > 128 || strings.IndexFunc(*it.ID, func(r rune) bool { return r > 0x7f || !alnum(byte(r)) && r != '-' && r != '_' }) >= 0:
			return nil, fail("InvalidParameter", "auditEvents[%d].id must be 1 to 128 characters of [-_A-Za-z0-9]", i)
		case seen[*it.ID]:
			return nil, fail("DuplicatedAuditEventId", "auditEvents[%d].id: %q stands twice in the request", i, *it.ID)
		}
		seen[*it.ID] = true
	}
	return c.storeAudit(ch, req.AuditEvents)
}

// checksum compares the event's data with its checksum, if it has one.
func (it *auditItem) checksum() error {
	if it.Checksum == nil {
		return nil
	}
	sum := sha256.Sum256([]byte(*it.Data))
	if *it.Checksum != base64.StdEncoding.EncodeToString(sum[:]) {
		return refuse("InvalidChecksum", "eventDataChecksum is not the base64 of the SHA-256 of eventData")
	}
	return nil
}

// auditChannel finds the channel of the request and checks that the caller may use it.
func (c *call) auditChannel() (*resolvedChannel, error) {
	query := c.r.URL.Query()
	ref := query.Get("channelArn")
	id, account := ref, c.account
	if strings.HasPrefix(ref, "arn:") {
		a, ok := parseARN(ref)
		if !ok || a.kind != channelARN || !isUUID(a.id) {
			return nil, fail("InvalidChannelARN", "%q is not the ARN of a channel", shorten(ref))
		}
		if a.region != c.region {
			return nil, &Error{"ChannelNotFound", "there is no channel " + shorten(ref) + " in region " + c.region}
		}
		id, account = a.id, a.account
	}
	if !isUUID(id) {
		return nil, fail("InvalidChannelARN", "channelArn: %q is neither the ARN nor the ID of a channel", shorten(ref))
	}
	external := query.Get("externalId")
	if query.Has("externalId") && (utf8.RuneCountInString(external) < 2 || utf8.RuneCountInString(external) > 1224) {
		return nil, fail("InvalidParameter", "externalId must have 2 to 1224 characters")
	}
	ch, err := c.channelCalled(account, id)
	if err != nil {
		return nil, err
	}
	denied := fail("ChannelInsufficientPermission", "User: %s is not authorized to perform: %s on channel %s", c.userARN(), c.op.iam(), shorten(ref))
	if ch == nil {
		if account != c.account {
			return nil, denied // strangers do not learn which channels there are
		}
		return nil, &Error{"ChannelNotFound", "there is no channel " + shorten(ref) + " in account " + account + " and region " + c.region}
	}
	values := map[string]string{}
	if external != "" {
		values["cloudtrail:externalid"], values["cloudtrail-data:externalid"] = external, external
	}
	allowed, no, err := c.s.judge(ch.arn, c, values)
	if err != nil {
		return nil, err
	}
	if no || !allowed && account != c.account {
		return nil, denied
	}
	if !allowed {
		// The owner needs no policy; but one that wants an external ID of it wants it.
		wants, err := c.s.wantsExternalID(ch.arn, c)
		if err != nil {
			return nil, err
		}
		if wants {
			return nil, denied
		}
	}
	return ch, nil
}

// wantsExternalID reports whether the policy of a channel speaks of the caller and wants an
// external ID.
func (s *API) wantsExternalID(of string, c *call) (bool, error) {
	text, err := find[string](s, engine.ObjectResourcePolicy, of)
	if err != nil || text == nil {
		return false, err
	}
	a, _ := parseARN(of)
	p, err := parsePolicy(*text, a)
	if err != nil {
		return false, err
	}
	for _, st := range p.Statement {
		plain := st
		plain.Condition = nil
		if !plain.fits(c, c.op.iam(), nil) {
			continue
		}
		for _, keys := range st.Condition {
			for k := range keys {
				if strings.HasSuffix(strings.ToLower(k), ":externalid") {
					return true, nil
				}
			}
		}
	}
	return false, nil
}

// storeAudit stores the events that are what they must be.
func (c *call) storeAudit(ch *resolvedChannel, items []auditItem) (any, error) {
	out := &auditAnswer{Successful: []auditResult{}, Failed: []auditFailure{}}
	failed := func(id string, err error) {
		f := auditFailure{ID: id, Code: "InternalFailure", Message: "the event could not be kept because of a fault of the server"}
		var e *auditError
		if errors.As(err, &e) {
			f.Code, f.Message = e.code, e.message
		}
		if len(f.Message) > errorTextMax {
			f.Message = strings.ToValidUTF8(f.Message[:errorTextMax], "")
		}
		out.Failed = append(out.Failed, f)
	}
	stores := make([]*engine.Store, 0, len(ch.Stores))
	for _, id := range ch.Stores {
		if s, err := c.s.lake.Store(id); err == nil {
			stores = append(stores, s)
		}
	}
	if len(stores) == 0 {
		return nil, fail("ChannelUnsupportedSchema", "channel %s has no event data store that takes its events", ch.arn)
	}
	type kept struct {
		id, eventID string
		entry       *recentEvent
		from, to    int // its records
	}
	var records [][]byte
	var events []kept
	now := c.now.UTC().Format("2006-01-02T15:04:05.000Z")
	mapped, room := c.s.mappingOf(ch.Source), mappedBytesMax
	for i := range items {
		it := &items[i]
		if err := it.checksum(); err != nil {
			failed(*it.ID, err)
			continue
		}
		key := sha256.New()
		fmt.Fprintf(key, "%s\n%s\n", ch.arn, *it.ID)
		key.Write([]byte(*it.Data))
		var hash [32]byte
		key.Sum(hash[:0])
		from := len(records)
		e := kept{id: *it.ID, from: from, to: from + 1}
		if raw := event.Trim([]byte(*it.Data)); mapped != nil && !isAuditData(raw) {
			made, err := c.mappedRecords(ch, mapped, raw, room)
			if err != nil {
				failed(*it.ID, err)
				continue
			}
			for _, rec := range made {
				room -= len(rec)
			}
			// The first of its events stands for all of them.
			records, e.eventID, e.to = append(records, made...), textOf(made[0], "eventID"), from+len(made)
		} else {
			e.eventID = idFromHash(hash)
			rec, err := c.auditRecord(ch, it, e.eventID, now)
			if err != nil {
				failed(*it.ID, err)
				continue
			}
			records = append(records, rec)
		}
		entry, mine := c.s.recent.claim(hash, c.now)
		if !mine {
			// Somebody else has brought it, or is about to.
			if entry.wait(c.ctx) {
				records = records[:from]
				out.Successful = append(out.Successful, auditResult{*it.ID, e.eventID})
				continue
			}
			if entry, mine = c.s.recent.claim(hash, c.now); !mine {
				records = records[:from]
				failed(*it.ID, refuse("Throttling", "the same event is being stored by another request; try again"))
				continue
			}
		}
		e.entry = entry
		events = append(events, e)
	}
	reasons := make([]error, len(records))
	if len(records) > 0 {
		for _, s := range stores {
			verdicts, err := s.Append(context.WithoutCancel(c.ctx), records)
			for i := range records {
				switch {
				case reasons[i] != nil:
				case errors.Is(err, engine.ErrRefused):
					reasons[i] = refuse("AccountNotSubscribed", "the event data store of the channel takes no events now")
				case errors.Is(err, engine.ErrNoSpace), errors.Is(err, engine.ErrUnavailable):
					reasons[i] = refuse("Throttling", "the lake takes no events now; try again")
				case err != nil:
					reasons[i] = err
				case verdicts[i].Status == engine.Refused:
					reasons[i] = refuse("InvalidData", "%s", verdicts[i].Detail)
				}
			}
			if err != nil {
				c.s.log.Error("audit events were not stored", "channel", ch.arn, "store", s.Name(), "events", len(records), "error", err)
			}
		}
	}
	last, stored, code := "", "", ""
	for i := range events {
		e := &events[i]
		var reason error
		for _, r := range reasons[e.from:e.to] {
			if reason == nil {
				reason = r
			}
		}
		c.s.recent.settle(e.entry, reason == nil)
		last = e.eventID
		if reason != nil {
			failed(e.id, reason)
			continue
		}
		stored = e.eventID
		out.Successful = append(out.Successful, auditResult{e.id, e.eventID})
	}
	if n := len(out.Failed); n > 0 {
		code = out.Failed[n-1].Code
	}
	c.s.ingestion.note(ch.arn, c.now, stored, last, code)
	return out, nil
}

// idFromHash makes a UUID of a hash.
func idFromHash(hash [32]byte) string {
	hash[6] = hash[6]&0x0f | 0x80 // version 8: made in a way of one's own
	hash[8] = hash[8]&0x3f | 0x80
	h := hex.EncodeToString(hash[:16])
	return h[:8] + "-" + h[8:12] + "-" + h[12:16] + "-" + h[16:20] + "-" + h[20:]
}

// auditTexts are the texts of an event's data and the most bytes that they may have.
var auditTexts = [...]struct {
	name     string
	required bool
	most     int
}{
	{"version", true, 256}, {"userAgent", false, 1024}, {"eventSource", true, 1024}, {"eventName", true, 1024}, {"eventTime", true, 64},
	{"UID", true, 1024}, {"errorCode", false, 256}, {"errorMessage", false, 256}, {"sourceIPAddress", false, 64}, {"recipientAccountId", true, 64},
}

// The places in auditTexts of those that are looked at.
const (
	auditSource    = 2
	auditTimeText  = 4
	auditAddress   = 8
	auditRecipient = 9
)

// auditObjects are its objects.
var auditObjects = [...]struct {
	name string
	most int
}{{"requestParameters", parametersMax}, {"responseElements", parametersMax}, {"additionalEventData", additionalMax}}

// auditMembers are the raw values of the data's members that mean something, nil for those
// that are missing. Of several with one name the last counts.
type auditMembers struct {
	texts    [len(auditTexts)][]byte
	objects  [len(auditObjects)][]byte
	identity []byte
}

// auditPlaces has where the member with a name goes: into texts, objects (from
// auditObjectPlace on), or identity.
var auditPlaces = func() map[string]int {
	places := map[string]int{"userIdentity": auditIdentityPlace}
	for i, f := range auditTexts {
		places[f.name] = i
	}
	for i, f := range auditObjects {
		places[f.name] = auditObjectPlace + i
	}
	return places
}()

const (
	auditObjectPlace   = 100
	auditIdentityPlace = 200
)

// plainText returns a text that is spelled with escapes or without.
func plainText(spelled []byte) []byte {
	if bytes.IndexByte(spelled, '\\') < 0 {
		return spelled
	}
	return event.AppendUnescaped(nil, spelled)
}

func (m *auditMembers) read(data []byte) {
	for name, v := range event.Members(data) {
		place, ok := auditPlaces[string(plainText(name))]
		switch {
		case !ok:
		case place < auditObjectPlace:
			m.texts[place] = v
		case place < auditIdentityPlace:
			m.objects[place-auditObjectPlace] = v
		default:
			m.identity = v
		}
	}
}

// auditRecord checks the data of an event and makes the record that is stored: the data
// stands in it as it came, without spaces. The data is read twice: for its grammar, and for
// its members.
func (c *call) auditRecord(ch *resolvedChannel, it *auditItem, eventID, now string) ([]byte, error) {
	raw := event.Trim([]byte(*it.Data))
	if n, err := event.ScanValue(raw); err != nil {
		return nil, refuse("InvalidData", "eventData is not a JSON object: %v", err)
	} else if n != len(raw) || raw[0] != '{' {
		return nil, refuse("InvalidData", "eventData is not a JSON object")
	}
	if !isAuditData(raw) && ch.Source != customSource && c.s.mappingOf(ch.Source) == nil && !contains(sources, ch.Source) {
		return nil, refuse("InvalidData", "the channel takes records of mapping %s, which this server does not have any more (setting mappings)", ch.Source)
	}
	var m auditMembers
	m.read(raw)
	var values [len(auditTexts)][]byte
	for i, f := range auditTexts {
		var err error
		if values[i], err = textMember(m.texts[i], "", f.name, f.required, f.most); err != nil {
			return nil, err
		}
	}
	if err := checkIdentity(m.identity); err != nil {
		return nil, err
	}
	for i, f := range auditObjects {
		v := m.objects[i]
		switch {
		case v == nil || isNull(v):
		case !isObject(v):
			return nil, refuse("InvalidData", "%s is not an object", f.name)
		case len(v) > f.most:
			return nil, refuse("FieldTooLong", "%s has %d bytes, at most %d are taken", f.name, len(v), f.most)
		}
	}
	at, err := auditTime(string(values[auditTimeText]))
	if err != nil {
		return nil, err
	}
	if bytes.IndexFunc(values[auditSource], func(r rune) bool { return r < 0x20 || r == 0x7f }) >= 0 {
		return nil, refuse("InvalidEventSource", "eventSource has control characters")
	}
	if ip := values[auditAddress]; len(ip) > 0 {
		if _, err := netip.ParseAddr(string(ip)); err != nil {
			return nil, refuse("InvalidData", "sourceIPAddress %q is neither an IPv4 nor an IPv6 address", shorten(string(ip)))
		}
	}
	if string(values[auditRecipient]) != ch.Account {
		return nil, refuse("InvalidRecipient", "recipientAccountId must be the account of the channel, %s", ch.Account)
	}
	b := make([]byte, 0, len(raw)+512)
	for _, part := range [...]string{`{"eventVersion":"1.0","eventCategory":"ActivityAuditLog","eventType":"ActivityLog","eventID":"`, eventID, `","eventTime":"`, at, `","awsRegion":"`, ch.Region,
		`","recipientAccountId":"`, ch.Account, `","metadata":{"ingestionTime":"`, now, `","channelARN":"`, ch.arn, `"},"eventData":`} {
		b = append(b, part...)
	}
	return append(event.AppendCompact(b, raw), '}'), nil
}

// checkIdentity checks the data's userIdentity.
func checkIdentity(v []byte) error {
	if v == nil || isNull(v) {
		return refuse("FieldNotFound", "userIdentity is missing")
	}
	if !isObject(v) {
		return refuse("InvalidData", "userIdentity is not an object")
	}
	if _, err := textMember(event.Lookup(v, "type"), "userIdentity.", "type", true, 128); err != nil {
		return err
	}
	if _, err := textMember(event.Lookup(v, "principalId"), "userIdentity.", "principalId", true, 1024); err != nil {
		return err
	}
	if d := event.Lookup(v, "details"); d != nil && !isObject(d) {
		return refuse("InvalidData", "userIdentity.details is not an object")
	}
	return nil
}

func isNull(v []byte) bool { return string(v) == "null" }

func isObject(v []byte) bool { return len(v) > 0 && v[0] == '{' }

// textMember reads a text of the data, of which v is the raw value, nil when it is missing.
func textMember(v []byte, path, name string, required bool, most int) ([]byte, error) {
	if v == nil || isNull(v) {
		if required {
			return nil, refuse("FieldNotFound", "%s%s is missing", path, name)
		}
		return nil, nil
	}
	if v[0] != '"' {
		return nil, refuse("InvalidData", "%s%s is not a string", path, name)
	}
	text := plainText(v[1 : len(v)-1])
	switch {
	case required && len(text) == 0:
		return nil, refuse("FieldNotFound", "%s%s is empty", path, name)
	case len(text) > most:
		return nil, refuse("FieldTooLong", "%s%s has %d bytes, at most %d are taken", path, name, len(text), most)
	}
	return text, nil
}

// auditTime reads an event time, with or without Z at its end.
func auditTime(text string) (string, error) {
	t, err := time.Parse("2006-01-02T15:04:05", strings.TrimSuffix(text, "Z"))
	if err != nil || len(strings.TrimSuffix(text, "Z")) != 19 {
		return "", refuse("InvalidData", "eventTime %q is not yyyy-MM-ddTHH:mm:ss in UTC", shorten(text))
	}
	return t.Format("2006-01-02T15:04:05Z"), nil
}

// recents are the events stored in the last minutes, and those that are being stored.
type recents struct {
	mu    sync.Mutex
	by    map[[32]byte]*recentEvent
	order []*recentEvent // oldest first
}

type recentEvent struct {
	hash   [32]byte
	at     time.Time
	done   chan struct{}
	stored bool // once done is closed
}

// claim returns the entry of an event, and whether it is the caller's to settle.
func (r *recents) claim(hash [32]byte, now time.Time) (*recentEvent, bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.by == nil {
		r.by = map[[32]byte]*recentEvent{}
	}
	for len(r.order) > 0 && (len(r.order) >= recentMax || now.Sub(r.order[0].at) > recentTime) {
		if old := r.order[0]; r.by[old.hash] == old {
			delete(r.by, old.hash)
		}
		r.order = r.order[1:]
	}
	if e := r.by[hash]; e != nil {
		return e, false
	}
	e := &recentEvent{hash: hash, at: now, done: make(chan struct{})}
	r.by[hash] = e
	r.order = append(r.order, e)
	return e, true
}

// settle says what became of an event.
func (r *recents) settle(e *recentEvent, stored bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if !stored && r.by[e.hash] == e {
		delete(r.by, e.hash)
	}
	e.stored = stored
	close(e.done)
}

// wait reports whether the event was stored.
func (e *recentEvent) wait(ctx context.Context) bool {
	select {
	case <-e.done:
		return e.stored
	case <-ctx.Done():
		return false
	}
}
