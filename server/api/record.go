package api

import (
	"context"
	"crypto/sha256"
	"encoding/base32"
	"encoding/json"
	"strings"
	"sync"
	"time"
	"unicode"
	"unicode/utf8"
)

// Every call is an event of the lake, in the shape that CloudTrail has for calls of its own
// interface: a management event of the caller's account, offered to all stores as other
// events are. Calls that change something are recorded before they are answered; those
// that read are recorded together, some moments later, and when the server ends.

const (
	// recordsMax bounds the events of reading calls that wait; whoever asks faster than
	// they are written waits.
	recordsMax = 4096
	// recordsEvery is how long they wait at most.
	recordsEvery = time.Second
	// recordPartMax bounds requestParameters and responseElements; longer ones are left
	// out, and it says so.
	recordPartMax = 100 << 10
)

type recorder struct {
	s     *API
	queue chan []byte
	ended chan struct{} // closed when nothing is taken any more
	done  sync.WaitGroup
}

func (r *recorder) start() {
	if !r.s.lake.ReadOnly() {
		r.done.Add(1)
		go r.run()
	}
}

func (r *recorder) close() {
	close(r.ended)
	r.done.Wait()
}

// run writes the events of reading calls.
func (r *recorder) run() {
	defer r.done.Done()
	var batch [][]byte
	flush := func() {
		if len(batch) == 0 {
			return
		}
		if _, err := r.s.lake.Append(context.Background(), batch); err != nil {
			r.s.log.Error("calls were not recorded", "calls", len(batch), "error", err)
		}
		batch = batch[:0]
	}
	tick := time.NewTicker(recordsEvery)
	defer tick.Stop()
	for {
		select {
		case <-r.ended:
			for len(r.queue) > 0 {
				batch = append(batch, <-r.queue)
			}
			flush()
			return
		case rec := <-r.queue:
			if batch = append(batch, rec); len(batch) >= recordsMax {
				flush()
			}
		case <-tick.C:
			flush()
		}
	}
}

// record records a call and what became of it.
func (r *recorder) record(c *call, out any, err error) {
	if r.s.lake.ReadOnly() || c.op.data {
		return // events that are put are no management events
	}
	rec, e := json.Marshal(c.event(out, err))
	if e != nil {
		r.s.log.Error("a call was not recorded", "operation", c.op.name, "error", e)
		return
	}
	if c.op.readOnly {
		select {
		case r.queue <- rec:
		case <-r.ended: // of a request that the server did not wait for
		}
		return
	}
	// It has been done, whoever goes away meanwhile.
	if _, e := r.s.lake.Append(context.WithoutCancel(c.ctx), [][]byte{rec}); e != nil {
		r.s.log.Error("a call was not recorded", "operation", c.op.name, "error", e)
	}
}

type callEvent struct {
	Version   string       `json:"eventVersion"`
	User      callIdentity `json:"userIdentity"`
	Time      string       `json:"eventTime"`
	Source    string       `json:"eventSource"`
	Name      string       `json:"eventName"`
	Region    string       `json:"awsRegion"`
	Address   string       `json:"sourceIPAddress"`
	Agent     string       `json:"userAgent"`
	ErrorCode string       `json:"errorCode,omitempty"`
	Error     string       `json:"errorMessage,omitempty"`
	Request   any          `json:"requestParameters"`
	Response  any          `json:"responseElements"`
	RequestID string       `json:"requestID"`
	ID        string       `json:"eventID"`
	ReadOnly  bool         `json:"readOnly"`
	Type      string       `json:"eventType"`
	Managed   bool         `json:"managementEvent"`
	Recipient string       `json:"recipientAccountId"`
	Category  string       `json:"eventCategory"`
}

type callIdentity struct {
	Type      string `json:"type"`
	Principal string `json:"principalId"`
	ARN       string `json:"arn"`
	Account   string `json:"accountId"`
	Key       string `json:"accessKeyId,omitempty"`
	User      string `json:"userName"`
}

// event makes the record of the call.
func (c *call) event(out any, err error) *callEvent {
	sum := sha256.Sum256([]byte("principal " + c.who.Name))
	e := &callEvent{
		Version: "1.11", Time: c.now.UTC().Format("2006-01-02T15:04:05Z"), Source: "cloudtrail.amazonaws.com", Name: c.op.name, Region: c.region,
		User: callIdentity{Type: "IAMUser", Principal: "AIDA" + base32.StdEncoding.EncodeToString(sum[:])[:17], ARN: c.userARN(),
			Account: c.account, Key: c.key.ID, User: c.who.Name},
		Agent: strings.ToValidUTF8(c.r.UserAgent(), ""), RequestID: c.requestID, ID: newID(), ReadOnly: c.op.readOnly,
		Type: "AwsApiCall", Managed: true, Recipient: c.account, Category: "Management",
	}
	if len(e.Agent) > 512 {
		e.Agent = strings.ToValidUTF8(e.Agent[:512], "")
	}
	if c.from.IsValid() {
		e.Address = c.from.String()
	}
	if len(c.in) > 0 {
		e.Request = part(c.in)
	}
	if err != nil {
		told, _ := told(err)
		e.ErrorCode, e.Error = strings.TrimSuffix(told.Code, "Exception"), shorten(told.Message)
	} else if !c.op.readOnly || c.op.name == "StartQuery" {
		if out != nil {
			e.Response = part(out)
		}
	}
	return e
}

// part is a request or an answer as events have it: names begin with a small letter, and it
// is left out when it is too long.
func part(v any) any {
	v = lowered(v)
	if b, err := json.Marshal(v); err != nil || len(b) > recordPartMax {
		return map[string]any{"omitted": true, "reason": "requestParameters or responseElements too large"}
	}
	return v
}

func lowered(v any) any {
	switch v := v.(type) {
	case object:
		out := make(object, len(v))
		for k, item := range v {
			out[lowerFirst(k)] = lowered(item)
		}
		return out
	case []any:
		out := make([]any, len(v))
		for i := range v {
			out[i] = lowered(v[i])
		}
		return out
	case []object:
		out := make([]any, len(v))
		for i := range v {
			out[i] = lowered(v[i])
		}
		return out
	case moment:
		return v.UTC().Format("Jan 2, 2006, 3:04:05 PM")
	}
	return v
}

func lowerFirst(s string) string {
	r, n := utf8.DecodeRuneInString(s)
	return string(unicode.ToLower(r)) + s[n:]
}
