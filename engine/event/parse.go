package event

import (
	"bytes"
	"fmt"
)

// Parse checks one record and reads it into ev, which may be used again and
// again. raw must be the record and nothing else: see [Trim]. ev keeps raw; the
// caller must not change it while ev is in use. The error is a [*Refusal]; ev is
// then undefined. A good record costs no allocation.
func Parse(raw []byte, ev *Event) error {
	n, err := Scan(raw, ev)
	if n > 0 && n < len(raw) {
		return refuse(TrailingData, n, quote(raw[n:]))
	}
	return err
}

// Scan is Parse for a record at the start of buf; it returns its length. It is
// for callers that hold many records in one buffer. When the error came up
// after the end of the record had been found, n is its length all the same,
// otherwise 0.
func Scan(buf []byte, ev *Event) (n int, err error) {
	ev.reset()
	if len(buf) == 0 || buf[0] != '{' {
		if len(buf) == 0 {
			return 0, refuse(NotAnObject, 0, "there is nothing")
		}
		return 0, refuse(NotAnObject, 0, "it starts with "+quote(buf[:min(len(buf), 16)]))
	}
	b := buf[:min(len(buf), MaxRecordBytes)]
	found, bad := scan(b, &ev.fields)
	if bad != nil {
		if bad.Reason == CutOff && len(b) < len(buf) {
			bad = refuse(TooLarge, MaxRecordBytes, fmt.Sprintf("more than %d bytes", MaxRecordBytes))
		}
		return 0, bad
	}
	ev.Raw = buf[:found.n:found.n]
	ev.Keys, ev.Depth = found.keys, found.depth
	if bad := ev.decide(); bad != nil {
		return found.n, bad
	}
	return found.n, nil
}

// ScanValue checks the JSON value of any kind at the start of buf, by the
// grammar and the caps for records except that for size, and returns its length.
// A number that ends where buf ends is taken as it is. The error is a
// [*Refusal].
func ScanValue(buf []byte) (n int, err error) {
	found, bad := scan(buf, nil)
	if bad != nil {
		return 0, bad
	}
	return found.n, nil
}

// Check applies the rules for records to the watched members that a scan has
// taken out of one, and reads them into ev. ev keeps the slices. The error is a
// [*Refusal].
func Check(f *Fields, ev *Event) error {
	ev.reset()
	ev.fields = *f
	if bad := ev.decide(); bad != nil {
		return bad
	}
	return nil
}

// Trim returns raw without JSON whitespace at both ends, as Parse wants it.
func Trim(raw []byte) []byte {
	for len(raw) > 0 && isSpace(raw[0]) {
		raw = raw[1:]
	}
	for len(raw) > 0 && isSpace(raw[len(raw)-1]) {
		raw = raw[:len(raw)-1]
	}
	return raw
}

func (ev *Event) reset() {
	*ev = Event{scratch: ev.scratch[:0]}
}

// decide reads the watched members and applies the rules.
func (ev *Event) decide() *Refusal {
	f := &ev.fields
	ev.Version = ev.text(WatchVersion, true)
	ev.ID = ev.text(WatchID, true)
	if ev.ID == nil {
		ev.ID = ev.text(WatchIDLower, true)
	}
	ev.Source = ev.text(WatchSource, false)
	ev.Name = ev.text(WatchName, false)
	ev.Type = ev.text(WatchType, false)
	ev.Region = ev.text(WatchRegion, false)
	ev.Recipient = ev.text(WatchRecipient, true)
	ev.CategoryName = ev.text(WatchCategory, false)
	ev.Management = tri(f[WatchManagement])
	ev.ReadOnly = tri(f[WatchReadOnly])
	ev.Category = ev.category()

	if ev.Version == nil {
		return missing(MissingVersion, f, WatchVersion)
	}
	when, absent := WatchTime, MissingTime
	if ev.Category == Aggregated && isAbsent(f[WatchTime]) {
		when, absent = WatchWindowStart, MissingWindowStart
	}
	if isAbsent(f[when]) {
		return missing(absent, f, when)
	}
	if f[when][0] != '"' {
		return at(UnreadableTime, when, "it is "+describe(f[when])+", not a string")
	}
	t, ok := parseTimeBytes(ev.text(when, false))
	switch {
	case !ok:
		return at(UnreadableTime, when, quote(f[when]))
	case t < 0:
		return at(TimeOutOfRange, when, quote(f[when])+" is before 1970")
	}
	ev.Time = cutToMillis(t)

	switch ev.Category {
	case Insight:
		if ev.ID == nil {
			return missing(MissingID, f, WatchID)
		}
	case Aggregated, ConfigurationItem, Evidence, ActivityAuditLog:
	default:
		if ev.Source == nil {
			return missing(MissingSource, f, WatchSource)
		}
		if ev.Name == nil {
			return missing(MissingName, f, WatchName)
		}
	}
	return nil
}

// text returns the unescaped string of a watched member, or nil if it has none
// or it is empty. Number text counts where number is true: records exist in
// which a tool has turned versions and account numbers into numbers.
func (ev *Event) text(w Watch, number bool) []byte {
	raw := ev.fields[w]
	if len(raw) == 0 {
		return nil
	}
	if c := raw[0]; c != '"' {
		if number && (c == '-' || c-'0' <= 9) {
			return raw
		}
		return nil
	}
	if len(raw) <= 2 {
		return nil
	}
	body := raw[1 : len(raw)-1]
	if bytes.IndexByte(body, '\\') < 0 {
		return body
	}
	from := len(ev.scratch)
	ev.scratch = AppendUnescaped(ev.scratch, body)
	return ev.scratch[from:len(ev.scratch):len(ev.scratch)]
}

func isAbsent(raw []byte) bool {
	return len(raw) == 0 || raw[0] == 'n' || len(raw) == 2 && raw[0] == '"'
}

func tri(raw []byte) Tri {
	switch string(raw) {
	case "true", `"true"`:
		return True
	case "false", `"false"`:
		return False
	}
	return Absent
}

// at returns a refusal over one watched member.
func at(reason Reason, w Watch, detail string) *Refusal {
	path := watchPaths[w]
	field := path[0]
	for _, name := range path[1:] {
		field += "." + name
	}
	return &Refusal{Reason: reason, Field: field, Offset: -1, Detail: detail}
}

// missing returns a refusal over a member that is not there or might as well
// not be.
func missing(reason Reason, f *Fields, w Watch) *Refusal {
	detail := ""
	if raw := f[w]; len(raw) > 0 {
		detail = "it is " + describe(raw)
	}
	return at(reason, w, detail)
}

// describe says what a raw value is.
func describe(raw []byte) string {
	switch raw[0] {
	case '{':
		return "an object"
	case '[':
		return "an array"
	}
	return quote(raw)
}

// category finds the kind of the event.
func (ev *Event) category() Category {
	if ev.CategoryName != nil {
		switch string(ev.CategoryName) {
		case "Management":
			return Management
		case "Data":
			return Data
		case "NetworkActivity":
			return NetworkActivity
		case "Insight":
			return Insight
		case "Aggregated":
			return Aggregated
		case "ConfigurationItem":
			return ConfigurationItem
		case "Evidence":
			return Evidence
		case "ActivityAuditLog":
			return ActivityAuditLog
		}
		return OtherCategory
	}
	switch string(ev.Type) {
	case "AwsVpceEvent", "AwsVpceEvents":
		return NetworkActivity
	case "AwsCloudTrailInsight":
		return Insight
	case "AwsAggregatedEvent":
		return Aggregated
	case "AwsConfigurationItem":
		return ConfigurationItem
	case "AwsAuditManagerEvidence":
		return Evidence
	case "ActivityLog":
		return ActivityAuditLog
	}
	if ev.Management == False {
		return Data
	}
	return Management
}
