package insight

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"time"
)

// recordVersion is the eventVersion of records.
const recordVersion = "1.09"

// Context is what a record says beside the incident itself.
type Context struct {
	// Store is the store whose events were analysed: an ARN or whatever names it for ever. It goes into the
	// identifiers of the records, and as insightSource into flat ones.
	Store string
	// Attributions are those of the period of the record: from Start to Decided for a Start record,
	// to End for an End record. See Attribute.
	Attributions []Attribution
}

// Addendum tells what a record says of an earlier one.
type Addendum struct {
	Reason          string `json:"reason"`
	OriginalEventID string `json:"originalEventID"`
}

// The reasons of addenda.
const (
	// Withdrawn: late calls have shown that the original is wrong; what is right, if anything, is in other records.
	Withdrawn = "WITHDRAWN"
	// Reinstated: still later calls have shown that the original was right after all.
	Reinstated = "REINSTATED"
)

// flat is the form of records in event data stores, its members in the published order.
type flat struct {
	EventVersion       string    `json:"eventVersion"`
	EventCategory      string    `json:"eventCategory"`
	EventType          string    `json:"eventType"`
	EventID            string    `json:"eventID"`
	EventTime          string    `json:"eventTime"`
	AwsRegion          string    `json:"awsRegion"`
	RecipientAccountID string    `json:"recipientAccountId"`
	SharedEventID      string    `json:"sharedEventID"`
	Addendum           *Addendum `json:"addendum,omitempty"`
	InsightSource      string    `json:"insightSource"`
	InsightState       string    `json:"insightState"`
	InsightEventSource string    `json:"insightEventSource"`
	InsightEventName   string    `json:"insightEventName"`
	InsightErrorCode   string    `json:"insightErrorCode,omitempty"`
	InsightType        Type      `json:"insightType"`
	InsightContext     struct {
		BaselineAverage  json.Number       `json:"baselineAverage"`
		InsightAverage   json.Number       `json:"insightAverage"`
		BaselineDuration int               `json:"baselineDuration"`
		InsightDuration  int               `json:"insightDuration"`
		Attributions     []flatAttribution `json:"attributions,omitempty"`
	} `json:"insightContext"`
}

type flatAttribution struct {
	Attribution
	// The deprecated members hold the first entries.
	InsightValue    *string      `json:"insightValue"`
	InsightAverage  *json.Number `json:"insightAverage"`
	BaselineValue   *string      `json:"baselineValue"`
	BaselineAverage *json.Number `json:"baselineAverage"`
}

// nested is the form that trails deliver.
type nested struct {
	EventVersion       string `json:"eventVersion"`
	EventTime          string `json:"eventTime"`
	AwsRegion          string `json:"awsRegion"`
	EventID            string `json:"eventID"`
	EventType          string `json:"eventType"`
	RecipientAccountID string `json:"recipientAccountId"`
	SharedEventID      string `json:"sharedEventID"`
	InsightDetails     struct {
		State          string `json:"state"`
		EventSource    string `json:"eventSource"`
		EventName      string `json:"eventName"`
		InsightType    Type   `json:"insightType"`
		ErrorCode      string `json:"errorCode,omitempty"`
		InsightContext struct {
			Statistics struct {
				Baseline struct {
					Average json.Number `json:"average"`
				} `json:"baseline"`
				Insight struct {
					Average json.Number `json:"average"`
				} `json:"insight"`
				InsightDuration  int `json:"insightDuration"`
				BaselineDuration int `json:"baselineDuration"`
			} `json:"statistics"`
			Attributions []Attribution `json:"attributions,omitempty"`
		} `json:"insightContext"`
	} `json:"insightDetails"`
	EventCategory string `json:"eventCategory"`
}

// The states of records.
const (
	Start = "Start"
	End   = "End"
)

// facts are what both forms say.
type facts struct {
	at               Minute
	average          float64
	duration         int
	shared, id, when string
}

func (i *Incident) facts(s *Series, state string, c *Context) (f facts, err error) {
	switch {
	case i.Fate != Reported:
		return f, fmt.Errorf("insight: a record was asked for of an incident that is %s, not reported", i.Fate)
	case state == Start:
		f.at, f.average, f.duration = i.Start, i.FirstAverage(), i.FirstDuration()
	case state == End && i.Open:
		return f, fmt.Errorf("insight: an %s record was asked for of an incident that goes on", End)
	case state == End:
		// The last unusual minute: the activity stopped in it.
		f.at, f.average, f.duration = i.End-1, i.Average(), i.Duration()
	default:
		return f, fmt.Errorf("insight: records have the states %s and %s, not %q", Start, End, state)
	}
	f.shared = SharedEventID(c.Store, s, i.Start)
	f.id = identifier("record", f.shared, state, fmt.Sprint(f.at, f.duration, i.BaselineDuration()), string(number(f.average)), string(number(i.Baseline())))
	f.when = f.at.Time().Format(time.RFC3339)
	return f, nil
}

// FlatRecord returns the Start or End record of a reported incident as event data stores hold it, one compact
// JSON object. The same incident gives the same bytes.
func (i *Incident) FlatRecord(s *Series, state string, c Context) ([]byte, error) {
	f, err := i.facts(s, state, &c)
	if err != nil {
		return nil, err
	}
	r := flat{EventVersion: recordVersion, EventCategory: "Insight", EventType: "AwsCloudTrailInsight", EventID: f.id, EventTime: f.when,
		AwsRegion: s.Region, RecipientAccountID: s.Account, SharedEventID: f.shared, InsightSource: c.Store, InsightState: state,
		InsightEventSource: s.EventSource, InsightEventName: s.EventName, InsightErrorCode: s.ErrorCode, InsightType: s.Type}
	x := &r.InsightContext
	x.BaselineAverage, x.InsightAverage = number(i.Baseline()), number(f.average)
	x.BaselineDuration, x.InsightDuration = i.BaselineDuration(), f.duration
	for _, a := range c.Attributions {
		fa := flatAttribution{Attribution: a}
		if len(a.Insight) > 0 {
			fa.InsightValue, fa.InsightAverage = &a.Insight[0].Value, &a.Insight[0].Average
		}
		if len(a.Baseline) > 0 {
			fa.BaselineValue, fa.BaselineAverage = &a.Baseline[0].Value, &a.Baseline[0].Average
		}
		x.Attributions = append(x.Attributions, fa)
	}
	return marshal(r)
}

// TrailRecord returns the same as trails deliver it.
func (i *Incident) TrailRecord(s *Series, state string, c Context) ([]byte, error) {
	f, err := i.facts(s, state, &c)
	if err != nil {
		return nil, err
	}
	r := nested{EventVersion: recordVersion, EventTime: f.when, AwsRegion: s.Region, EventID: f.id, EventType: "AwsCloudTrailInsight",
		RecipientAccountID: s.Account, SharedEventID: f.shared, EventCategory: "Insight"}
	d := &r.InsightDetails
	d.State, d.EventSource, d.EventName, d.InsightType, d.ErrorCode = state, s.EventSource, s.EventName, s.Type, s.ErrorCode
	x := &d.InsightContext
	x.Statistics.Baseline.Average, x.Statistics.Insight.Average = number(i.Baseline()), number(f.average)
	x.Statistics.BaselineDuration, x.Statistics.InsightDuration = i.BaselineDuration(), f.duration
	x.Attributions = c.Attributions
	return marshal(r)
}

// marshal writes compact JSON with < > & as they are.
func marshal(v any) ([]byte, error) {
	var b strings.Builder
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	if err := e.Encode(v); err != nil {
		return nil, fmt.Errorf("insight: writing a record: %w", err)
	}
	return []byte(strings.TrimSuffix(b.String(), "\n")), nil
}

// number writes an average with at most ten decimals, without exponent.
func number(v float64) json.Number {
	s := fmt.Sprintf("%.10f", v)
	s = strings.TrimRight(s, "0")
	return json.Number(strings.TrimSuffix(s, "."))
}

// RecordID returns the event ID that a record of an incident has. It is derived from what the record says of it, so what
// is found again, also by somebody else, has the same one, and what is corrected has another.
func (i *Incident) RecordID(s *Series, state, store string) (string, error) {
	f, err := i.facts(s, state, &Context{Store: store})
	return f.id, err
}

// Note returns a record that says of an earlier flat one that it is withdrawn or reinstated: its contents with an addendum
// and an event ID of its own. n is how many notes there are about it; the same note has the same bytes.
func Note(record []byte, reason string, n int) ([]byte, error) {
	var r flat
	if err := json.Unmarshal(record, &r); err != nil {
		return nil, fmt.Errorf("insight: reading a record that is to be corrected: %w", err)
	}
	r.Addendum = &Addendum{Reason: reason, OriginalEventID: r.EventID}
	r.EventID = identifier("note", r.EventID, reason, fmt.Sprint(n))
	return marshal(r)
}

// SharedEventID returns the identifier that Start and End have in common. It is derived from what the incident
// is, so finding it again gives the same one.
func SharedEventID(store string, s *Series, start Minute) string {
	return identifier("incident", store, s.Account, s.Region, s.EventSource, s.EventName, s.ErrorCode, string(s.Type), string(s.Category), fmt.Sprint(start))
}

// identifier makes a UUID (version 8, RFC 9562) of the SHA-256 of texts, each with its length.
func identifier(parts ...string) string {
	h := sha256.New()
	for _, p := range parts {
		fmt.Fprintf(h, "%d:%s", len(p), p)
	}
	b := h.Sum(nil)[:16]
	b[6] = b[6]&0x0f | 0x80
	b[8] = b[8]&0x3f | 0x80
	x := hex.EncodeToString(b)
	return x[:8] + "-" + x[8:12] + "-" + x[12:16] + "-" + x[16:20] + "-" + x[20:]
}

// Attributed is a value and its average per minute.
type Attributed struct {
	Value   string      `json:"value"`
	Average json.Number `json:"average"`
}

// Attribution tells which values of an attribute were most frequent during an incident and before it.
type Attribution struct {
	Attribute string       `json:"attribute"`
	Insight   []Attributed `json:"insight"`
	Baseline  []Attributed `json:"baseline"`
}

// The attributes, by their published names.
const (
	ByIdentity  = "userIdentityArn"
	ByUserAgent = "userAgent"
	ByErrorCode = "errorCode"
)

// attributedMax is how many values records have for each attribute and period.
const attributedMax = 5

// noError is how records name calls without an error code.
const noError = "null"

// Grouped is the number of calls by the values of an attribute, in a period: the result of a grouped query.
// The error code of calls without error is "".
type Grouped map[string]uint64

// Attribute ranks the values of an attribute: the five largest of each period, ties in order of value. Averages
// are over insightMinutes and baselineMinutes.
func Attribute(attribute string, insight, baseline Grouped, insightMinutes, baselineMinutes int) Attribution {
	return Attribution{attribute, rank(attribute, insight, insightMinutes), rank(attribute, baseline, baselineMinutes)}
}

// Attributes returns the attributes that the records of a type have.
func (t Type) Attributes() []string {
	if t == ErrorRate {
		return []string{ByIdentity, ByUserAgent}
	}
	return []string{ByIdentity, ByUserAgent, ByErrorCode}
}

func rank(attribute string, g Grouped, minutes int) []Attributed {
	type entry struct {
		value string
		calls uint64
	}
	entries := make([]entry, 0, len(g))
	for v, n := range g {
		if v == "" && attribute == ByErrorCode {
			v = noError
		}
		if n > 0 && v != "" {
			entries = append(entries, entry{v, n})
		}
	}
	slices.SortFunc(entries, func(a, b entry) int {
		if a.calls != b.calls {
			if a.calls > b.calls {
				return -1
			}
			return 1
		}
		return strings.Compare(a.value, b.value)
	})
	out := make([]Attributed, 0, attributedMax)
	for _, e := range entries[:min(len(entries), attributedMax)] {
		out = append(out, Attributed{e.value, number(perMinute(e.calls, minutes))})
	}
	return out
}

// Excess is a value and how many calls it made beyond what its baseline average gives.
type Excess struct {
	Value string
	Calls float64
}

// ByExcess ranks all values of a period by calls beyond their share of the baseline, largest first, ties in order
// of value: who rose, rather than who is always large.
func ByExcess(insight, baseline Grouped, insightMinutes, baselineMinutes int) []Excess {
	out := make([]Excess, 0, len(insight))
	for v, n := range insight {
		usual := float64(perMinute(baseline[v], baselineMinutes) * float64(insightMinutes))
		out = append(out, Excess{v, round(float64(n) - usual)})
	}
	slices.SortFunc(out, func(a, b Excess) int {
		switch {
		case a.Calls > b.Calls:
			return -1
		case a.Calls < b.Calls:
			return 1
		}
		return strings.Compare(a.Value, b.Value)
	})
	return out
}
