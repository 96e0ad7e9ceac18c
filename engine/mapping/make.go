package mapping

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"net/netip"
	"slices"
	"sort"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/cairndb/cairn/engine/event"
)

// Options are what events have beside what their records say.
type Options struct {
	// Account is the recipientAccountId, twelve digits; "000000000000" when "".
	Account string
	// Region is the awsRegion; "global" when "".
	Region string
	// Channel is the ARN of the channel that the record came through; "" for none.
	Channel string
	// OriginalMax is the length up to which the record is kept in the event; no limit when 0.
	OriginalMax int
	// BytesMax is how large the events of one record may be together; [RecordEventsMax] when 0.
	BytesMax int

	made int // bytes of events so far
}

// RecordEventsMax bounds the events of one record together, in bytes: each has the record in
// it, so a record of many elements would fill the memory.
const RecordEventsMax = 64 << 20

// NoAccount is the account of events that belong to none.
const NoAccount = "000000000000"

// Refusal says why a record has not become an event.
type Refusal struct {
	// Reason is short and the same for all such records.
	Reason string
	// Detail says where and what.
	Detail string
}

// Error gives reason and detail.
func (r *Refusal) Error() string {
	if r.Detail == "" {
		return r.Reason
	}
	return r.Reason + ": " + r.Detail
}

func refuse(reason, format string, args ...any) *Refusal {
	return &Refusal{Reason: reason, Detail: fmt.Sprintf(format, args...)}
}

// Limits of the members of an event, those of the PutAuditEvents call.
const (
	nameMax      = 1024 // eventSource, eventName, principalId, UID, userAgent
	typeMax      = 128
	errorTextMax = 256
)

// elementsMax bounds the events that one record may become.
const elementsMax = 10_000

// Map returns the events that a record makes: one, or one per element of its list. The error
// is a [*Refusal] or an [*event.Refusal]; then nothing of the record is an event.
func (m *Mapping) Map(rec []byte, o Options) ([][]byte, error) {
	rec = event.Trim(rec)
	if n, err := event.ScanValue(rec); err != nil {
		return nil, err
	} else if n != len(rec) {
		return nil, refuse("not one record", "something follows after byte %d", n)
	}
	if len(rec) == 0 || rec[0] != '{' {
		return nil, refuse("not an object", "a record is a JSON object")
	}
	if o.Account == "" {
		o.Account = NoAccount
	}
	if o.Region == "" {
		o.Region = "global"
	}
	if o.BytesMax <= 0 {
		o.BytesMax = RecordEventsMax
	}
	o.made = 0
	return m.records(rec, &o, true)
}

// Detects reports whether a record is one of the mapping's product, as far as the mapping says.
// One that does not say takes any record.
func (m *Mapping) Detects(rec []byte) bool { return len(m.detect) == 0 || m.detects(rec) }

// listNames are the members under which APIs give their records, and from plainLists on those of
// log services, which records may have for themselves.
var listNames = [...]string{"items", "value", "records", "evidence", "logEvents", "events"}

const plainLists = 4

// logged returns the record in the event of a log service: its member message is the record's
// text. Nil when there is none.
func logged(rec []byte) []byte {
	v := event.Lookup(rec, "message")
	if len(v) < 4 || v[0] != '"' || event.Lookup(rec, "timestamp") == nil {
		return nil
	}
	text := event.Trim(event.AppendUnescaped(nil, v[1:len(v)-1]))
	if len(text) == 0 || text[0] != '{' {
		return nil
	}
	if n, err := event.ScanValue(text); err != nil || n != len(text) {
		return nil
	}
	return text
}

// records maps a record, or the records of a page of an API's answer.
func (m *Mapping) records(rec []byte, o *Options, outer bool) ([][]byte, error) {
	with := m
	if m.as == auto {
		i := slices.IndexFunc(builtins, func(b *Mapping) bool { return b.detects(rec) })
		if i >= 0 {
			with = builtins[i]
		}
	}
	// A mapping that cannot tell its records takes them as they are.
	if tells := len(with.detect) > 0 || with.as != activity; tells && !with.detects(rec) {
		if inner := logged(rec); inner != nil {
			return m.records(inner, o, false)
		}
	}
	if outer && !with.detects(rec) {
		for i, name := range listNames {
			if i >= plainLists && len(with.detect) == 0 && with.as == activity {
				break
			}
			list := event.Lookup(rec, name)
			if len(list) == 0 || list[0] != '[' {
				continue
			}
			var out [][]byte
			n := 0
			for v := range event.Elements(list) {
				if v[0] != '{' {
					continue
				}
				if i >= plainLists && logged(v) == nil {
					break // a list of the record itself
				}
				if n++; n > elementsMax {
					return nil, refuse("too many events in one record", "more than %d elements of %s", elementsMax, name)
				}
				more, err := m.records(v, o, false)
				if err != nil {
					return nil, fmt.Errorf("element %d of %s: %w", n-1, name, err)
				}
				out = append(out, more...)
			}
			if n > 0 {
				return out, nil
			}
		}
	}
	switch with.as {
	case auto:
		if event.Lookup(rec, "eventVersion") != nil && event.Lookup(rec, "eventTime") != nil {
			return nil, refuse("a CloudTrail event", "it needs no mapping: import it without one")
		}
		return nil, refuse("of no known product", "it is of none of %s: write a mapping for it", strings.Join(Products(), ", "))
	case configurationItem:
		e, err := configuration(rec, o)
		return [][]byte{e}, err
	case evidence:
		e, err := evidenceItem(rec, o)
		return [][]byte{e}, err
	}
	return with.events(rec, o)
}

// events makes the events of one record of a product.
func (m *Mapping) events(rec []byte, o *Options) ([][]byte, error) {
	var elements [][]byte
	if m.each != nil {
		if list := m.each.in(rec); list != nil && list[0] == '[' {
			for v := range event.Elements(list) {
				if v[0] == '{' {
					elements = append(elements, v)
				}
				if len(elements) > elementsMax {
					return nil, refuse("too many events in one record", "more than %d elements of %s", elementsMax, m.Each)
				}
			}
		}
	}
	if len(elements) == 0 {
		e, err := m.event(&record{whole: rec}, "", o)
		if err == nil {
			err = o.room(len(e))
		}
		return [][]byte{e}, err
	}
	out := make([][]byte, 0, len(elements))
	for i, v := range elements {
		suffix := ""
		if len(elements) > 1 {
			suffix = "#" + strconv.Itoa(i)
		}
		e, err := m.event(&record{element: v, whole: rec}, suffix, o)
		if err != nil {
			return nil, err
		}
		if err := o.room(len(e)); err != nil {
			return nil, err
		}
		out = append(out, e)
	}
	return out, nil
}

// room counts the bytes of an event.
func (o *Options) room(n int) error {
	if o.made += n; o.made > o.BytesMax {
		return refuse("too many events in one record", "they have more than %d bytes together", o.BytesMax)
	}
	return nil
}

// event makes one event.
func (m *Mapping) event(r *record, suffix string, o *Options) ([]byte, error) {
	need := func(name string, c choice, most int) (string, error) {
		s, ok := c.text(r)
		switch {
		case !ok:
			return "", refuse("missing "+name, "mapping %s reads it from %s, and none is there", m.Product, c)
		case len(s) > most:
			return "", refuse(name+" is too long", "it has %d bytes, at most %d are taken", len(s), most)
		}
		return s, nil
	}
	source, err := need("eventSource", m.EventSource, nameMax)
	if err != nil {
		return nil, err
	}
	name, err := need("eventName", m.EventName, nameMax)
	if err != nil {
		return nil, err
	}
	principal, err := need("principalId", m.PrincipalID, nameMax)
	if err != nil {
		return nil, err
	}
	text, err := need("eventTime", m.EventTime, nameMax)
	if err != nil {
		return nil, err
	}
	at, ok := parseTime(text)
	if !ok {
		return nil, refuse("unreadable eventTime", "%q", text)
	}
	kind, ok := m.UserType.text(r)
	if !ok {
		kind = "Unknown"
	}
	if len(kind) > typeMax {
		return nil, refuse("userType is too long", "it has %d bytes, at most %d are taken", len(kind), typeMax)
	}
	sum := sha256.Sum256(r.whole)
	uid, ok := m.UID.text(r)
	if !ok {
		uid = hex.EncodeToString(sum[:16])
	}
	uid += suffix
	if len(uid) > nameMax {
		return nil, refuse("uid is too long", "it has %d bytes, at most %d are taken", len(uid), nameMax)
	}

	b := envelope(nil, event.ActivityAuditLog, "ActivityLog", eventID(m.Product, uid), at, o.Region, o.Account)
	if o.Channel != "" {
		b = append(appendText(append(b, `,"metadata":{"channelARN":`...), o.Channel), '}')
	}
	b = append(b, `,"eventData":{"version":"1.0","userIdentity":{"type":`...)
	b = appendText(b, kind)
	b = appendText(append(b, `,"principalId":`...), principal)
	b = appendObject(b, "details", m.UserDetails, r)
	b = append(b, '}')
	member := func(name, value string) {
		if value != "" {
			b = appendText(append(append(append(b, ',', '"'), name...), '"', ':'), value)
		}
	}
	if agent, _ := m.UserAgent.text(r); len(agent) <= nameMax {
		member("userAgent", agent)
	} else {
		member("userAgent", cut(agent, nameMax))
	}
	member("eventSource", source)
	member("eventName", name)
	member("eventTime", time.UnixMicro(at).UTC().Format("2006-01-02T15:04:05Z"))
	member("UID", uid)
	b = appendObject(b, "requestParameters", m.RequestParameters, r)
	b = appendObject(b, "responseElements", m.ResponseElements, r)
	if code, failed := m.failure(r); failed {
		member("errorCode", cut(code, errorTextMax))
		text, _ := m.ErrorMessage.text(r)
		member("errorMessage", cut(text, errorTextMax))
	}
	member("sourceIPAddress", m.address(r))
	member("recipientAccountId", o.Account)
	b = append(b, `,"additionalEventData":{"product":`...)
	b = appendText(b, m.Product)
	for _, key := range sortedKeys(m.AdditionalEventData) {
		if v := m.AdditionalEventData[key].raw(r); v != nil {
			b = append(append(appendText(append(b, ','), key), ':'), v...)
		}
	}
	if o.OriginalMax > 0 && len(r.whole) > o.OriginalMax {
		b = append(b, fmt.Sprintf(`,"originalBytes":%d,"originalSHA256":"%x"`, len(r.whole), sum)...)
	} else {
		b = append(append(b, `,"original":`...), r.whole...)
	}
	b = append(b, "}}}"...)
	if len(b) > event.MaxRecordBytes {
		return nil, refuse("too large", "the event has %d bytes, at most %d are taken", len(b), event.MaxRecordBytes)
	}
	return b, nil
}

// failure says whether the event failed, and with which code.
func (m *Mapping) failure(r *record) (code string, failed bool) {
	code, some := m.ErrorCode.text(r)
	for i := range m.Success {
		rule := &m.Success[i]
		s, ok := rule.Of.text(r)
		if !ok {
			continue
		}
		good := true
		switch {
		case rule.Is != nil:
			good = slices.Contains(rule.Is, s)
		case rule.Not != nil:
			good = !slices.Contains(rule.Not, s)
		case rule.Below != nil:
			n, err := strconv.ParseFloat(s, 64)
			good = err == nil && n < *rule.Below
		}
		if !some {
			code = s
		}
		return code, !good
	}
	return code, some
}

// address returns the IP address, in its usual spelling; "" when there is none.
func (m *Mapping) address(r *record) string {
	for i := range m.SourceIPAddress {
		s, ok := m.SourceIPAddress[i].text(r)
		if !ok {
			continue
		}
		s = strings.TrimSpace(s)
		if a, err := netip.ParseAddr(s); err == nil && a.Zone() == "" {
			return a.String()
		}
		if a, err := netip.ParseAddrPort(s); err == nil {
			return a.Addr().String()
		}
	}
	return ""
}

// envelope begins an event: what all of them have, without the closing brace.
func envelope(b []byte, c event.Category, kind, id string, at int64, region, account string) []byte {
	b = append(b, `{"eventVersion":"1.0","eventCategory":"`...)
	b = append(append(b, c.String()...), `","eventType":"`...)
	b = append(append(b, kind...), `","eventID":"`...)
	b = append(append(b, id...), `","eventTime":"`...)
	b = time.UnixMicro(at).UTC().AppendFormat(b, "2006-01-02T15:04:05.000Z")
	b = appendText(append(b, `","awsRegion":`...), region)
	return appendText(append(b, `,"recipientAccountId":`...), account)
}

// appendObject appends a member with those of the object's templates that are there; nothing
// without any.
func appendObject(b []byte, name string, object map[string]choice, r *record) []byte {
	some := false
	for _, key := range sortedKeys(object) {
		v := object[key].raw(r)
		if v == nil {
			continue
		}
		if some {
			b = append(b, ',')
		} else {
			b = append(append(append(b, ',', '"'), name...), `":{`...)
		}
		some = true
		b = append(append(appendText(b, key), ':'), v...)
	}
	if some {
		b = append(b, '}')
	}
	return b
}

func sortedKeys(m map[string]choice) []string {
	keys := make([]string, 0, len(m))
	for k := range m {
		keys = append(keys, k)
	}
	sort.Strings(keys)
	return keys
}

// eventID is the ID of an event that a product knows by some ID of its own: a UUID of version 8
// made of the first bytes of a SHA-256.
func eventID(product, uid string) string {
	h := sha256.Sum256([]byte("cairn mapping\x00" + product + "\x00" + uid))
	h[6], h[8] = h[6]&0x0f|0x80, h[8]&0x3f|0x80
	return fmt.Sprintf("%x-%x-%x-%x-%x", h[:4], h[4:6], h[6:8], h[8:10], h[10:16])
}

// cut shortens a text to at most n bytes, whole characters.
func cut(s string, n int) string {
	if len(s) <= n {
		return s
	}
	for n > 0 && !utf8.RuneStart(s[n]) {
		n--
	}
	return s[:n]
}

// parseTime reads a time as audit logs write it, as microseconds since 1970.
func parseTime(s string) (int64, bool) {
	if t, ok := event.ParseTime(s); ok {
		return t, t >= 0
	}
	for _, layout := range [...]string{time.DateOnly, time.RFC1123, time.RFC1123Z, "Mon Jan 2 15:04:05 2006"} {
		if t, err := time.Parse(layout, s); err == nil {
			return t.UnixMicro(), t.Unix() >= 0
		}
	}
	f, err := strconv.ParseFloat(s, 64)
	if err != nil || !(f >= 0) {
		return 0, false
	}
	// Counts of seconds reach 1e11 in the year 5138, counts of milliseconds 1e14 then, and
	// so on.
	switch {
	case f < 1e11:
		return int64(f * 1e6), true
	case f < 1e14:
		return int64(f * 1e3), true
	case f < 1e17:
		return int64(f), true
	case f < 1e20:
		return int64(f / 1e3), true
	}
	return 0, false
}
