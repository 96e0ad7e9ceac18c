package trail

import (
	"bytes"
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"

	"github.com/cairndb/cairn/engine/event"
)

// Streams: targets that take events one by one, in place of files.
//
//	jsonl:/PATH            each event is a line at the end of a file
//	http://… https://…     events are posted, up to 100 in one request, one a line
//	awssns:… awssqs:… …    each event is a message to a topic or queue, in no order
//
// They are delivered by the same steps as files, so each event arrives at least once: what
// was sent before a crash or a failure is sent again. Their form is that of
// Settings.Form, and Settings.Pattern chooses among what the selectors have selected,
// as the rule of an event bus does. There are no digests of streams. What is larger than
// buses, log services and topics take is left out, and counted.
//
// A request of a webhook has the header X-Cairn-Signature, sha256= and the HMAC-SHA-256 of
// the body in hexadecimal, when the URL has a secret: https://HOST/PATH#SECRET. Status
// 2xx says that the events have been taken; anything else sends them again.

// The forms of events in streams.
const (
	// FormRecord is the record as it came.
	FormRecord = ""
	// FormBus is the envelope of an event bus.
	FormBus = "bus"
	// FormLog is the event of a log service: timestamp, log stream and message.
	FormLog = "log"
)

const (
	// busEventMax is the largest event that buses, log services and topics take.
	busEventMax = 256 << 10

	streamBatch      = 100
	streamBatchBytes = 1 << 20

	hookTimeout = 30 * time.Second
)

// Topic is a topic or a queue. Its methods may be called from many goroutines.
type Topic interface {
	// Send sends messages, in any order; when it fails some may have been taken. It keeps
	// them.
	Send(ctx context.Context, messages [][]byte) error
	Close() error
}

// topicSchemes are those of URLs that name topics and queues: what gocloud.dev/pubsub has.
var topicSchemes = []string{"awssns", "awssqs", "gcppubsub", "azuresb", "kafka", "nats", "rabbit", "mem"}

// IsTopic reports whether a URL names a topic or a queue.
func IsTopic(target string) bool {
	scheme, _, _ := strings.Cut(target, ":")
	return slices.Contains(topicSchemes, scheme)
}

// IsStream reports whether a target takes events one by one.
func IsStream(target string) bool {
	scheme, _, _ := strings.Cut(target, ":")
	return scheme == "jsonl" || isHook(target) || IsTopic(target)
}

func isHook(target string) bool {
	return strings.HasPrefix(target, "http:") || strings.HasPrefix(target, "https:")
}

func (s *Settings) checkStream() error {
	if path, ok := strings.CutPrefix(s.Target, "jsonl:"); ok {
		if !strings.HasPrefix(path, "/") || strings.Contains("/"+path+"/", "/../") || strings.HasSuffix(path, "/") {
			return invalid("Target", "%q: write jsonl: and the absolute path of a file, without ..", s.Target)
		}
	} else if err := checkAddress("Target", s.Target); err != nil {
		return err
	}
	if s.Notify != "" {
		return invalid("Notify", "notifications tell of files, and a stream has none")
	}
	if s.Validation {
		return invalid("Validation", "there are no digests of streams")
	}
	return nil
}

// checkAddress checks the URL of a webhook or topic.
func checkAddress(field, address string) error {
	u, err := url.Parse(address)
	if err != nil || strings.Trim(u.Host+u.Path, "/") == "" || isHook(address) && u.Host == "" {
		what := "topic, such as awssns:///arn:aws:sns:eu-west-1:111122223333:NAME?region=eu-west-1"
		if isHook(address) {
			what = "webhook"
		}
		return invalid(field, "%q is not the URL of a %s", redact(address), what)
	}
	return nil
}

// checkForm checks what is for streams alone.
func (s *Settings) checkForm() error {
	if !IsStream(s.Target) && (s.Form != "" || len(s.Pattern) > 0) {
		return invalid("Form", "only streams (jsonl:, webhooks, topics) have a form and a pattern")
	}
	switch s.Form {
	case FormRecord, FormBus, FormLog:
	default:
		return invalid("Form", "%q is not one of %s, %s, or nothing for records as they are", s.Form, FormBus, FormLog)
	}
	if len(s.Pattern) > 0 {
		if _, err := ParsePattern(s.Pattern); err != nil {
			return invalid("Pattern", "%v", err)
		}
	}
	return nil
}

// lines are events that are sent together: each ends with a line feed.
type lines struct {
	text bytes.Buffer
	ends []int // of each, after its line feed
}

func (l *lines) add(line []byte) {
	l.text.Write(line)
	l.text.WriteByte('\n')
	l.ends = append(l.ends, l.text.Len())
}

func (l *lines) reset() {
	l.text.Reset()
	l.ends = l.ends[:0]
}

// messages returns the lines without their ends, in memory of their own: topics keep what
// they are given, also after an error.
func (l *lines) messages() [][]byte {
	text := bytes.Clone(l.text.Bytes())
	out := make([][]byte, len(l.ends))
	from := 0
	for i, end := range l.ends {
		out[i] = text[from : end-1 : end-1]
		from = end
	}
	return out
}

// stream delivers the events of a plan; skipped are those that are too large.
func (t *Trail) stream(ctx context.Context, s *Settings, p *plan) (events, skipped int, err error) {
	var pattern *Pattern
	if len(s.Pattern) > 0 {
		if pattern, err = ParsePattern(s.Pattern); err != nil {
			return 0, 0, err
		}
	}
	r := newRouter(s)
	topic := IsTopic(s.Target)
	var batch lines
	flush := func() error {
		if len(batch.ends) == 0 {
			return nil
		}
		err := t.send(ctx, s, &batch)
		events += len(batch.ends)
		batch.reset()
		return err
	}
	var ev event.Event
	for _, run := range p.Ranges {
		err := t.set.env.Read(run.Store, run.From, run.To, func(record []byte) error {
			if err := ctx.Err(); err != nil {
				return err
			}
			if err := event.Parse(record, &ev); err != nil {
				return fmt.Errorf("an event of store %s after %d: %w", run.Store, run.From, err)
			}
			at, ok := r.route(&ev)
			if !ok {
				return nil
			}
			line, err := formEvent(s, &ev, at, p.Stamp)
			if err != nil {
				return err
			}
			if line == nil || topic && len(line) > busEventMax {
				skipped++
				return nil
			}
			if pattern != nil && !pattern.Match(line) {
				return nil
			}
			if len(batch.ends) == streamBatch || len(batch.ends) > 0 && batch.text.Len()+len(line) > streamBatchBytes {
				if err := flush(); err != nil {
					return err
				}
			}
			batch.add(line)
			return nil
		})
		if err != nil {
			return 0, 0, err
		}
	}
	if err := flush(); err != nil {
		return 0, 0, err
	}
	return events, skipped, nil
}

// busEvent is the envelope of an event bus.
type busEvent struct {
	Version    string          `json:"version"`
	ID         string          `json:"id"`
	DetailType string          `json:"detail-type"`
	Source     string          `json:"source"`
	Account    string          `json:"account"`
	Time       string          `json:"time"`
	Region     string          `json:"region"`
	Resources  []string        `json:"resources"`
	Detail     json.RawMessage `json:"detail"`
}

// detailTypes are the kinds of events on a bus, by eventType.
var detailTypes = map[string]string{
	"AwsConsoleSignIn": "AWS Console Sign In via CloudTrail", "AwsConsoleAction": "AWS Console Action via CloudTrail",
	"AwsServiceEvent": "AWS Service Event via CloudTrail", "AwsCloudTrailInsight": "AWS Insight via CloudTrail",
}

// formEvent returns an event in the form of a stream, on one line; nil when it is too
// large for that form.
func formEvent(s *Settings, ev *event.Event, at place, stamp time.Time) ([]byte, error) {
	record := ev.Raw
	if bytes.ContainsAny(record, "\n\r") {
		var b bytes.Buffer
		if err := json.Compact(&b, record); err != nil {
			return nil, err
		}
		record = b.Bytes()
	}
	switch s.Form {
	case FormBus:
		kind := detailTypes[string(ev.Type)]
		if kind == "" {
			kind = "AWS API Call via CloudTrail"
		}
		service, _, _ := strings.Cut(string(ev.Source), ".")
		if ev.Category == event.Insight {
			kind, service = detailTypes["AwsCloudTrailInsight"], "cloudtrail"
		}
		sum := sha256.Sum256(record)
		b, err := marshal(&busEvent{Version: "0", ID: fmt.Sprintf("%x-%x-%x-%x-%x", sum[:4], sum[4:6], sum[6:8], sum[8:10], sum[10:16]), DetailType: kind,
			Source: "aws." + service, Account: at.account, Time: eventTime(ev.Time), Region: at.region, Resources: []string{}, Detail: record})
		if len(b) > busEventMax {
			return nil, nil
		}
		return b, err
	case FormLog:
		if len(record) > busEventMax {
			return nil, nil
		}
		name := at.account + "_CloudTrail_" + at.region
		if s.Organization != "" {
			name = s.Organization + "_" + name
		}
		return marshal(&struct {
			Timestamp int64  `json:"timestamp"`
			Stream    string `json:"logStreamName"`
			Message   string `json:"message"`
		}{stamp.UnixMilli(), name, string(record)})
	}
	return record, nil
}

// marshal is json.Marshal that leaves <, > and & as they are.
func marshal(v any) ([]byte, error) {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	err := e.Encode(v)
	return bytes.TrimSuffix(b.Bytes(), []byte("\n")), err
}

// send gives lines to the target.
func (t *Trail) send(ctx context.Context, s *Settings, batch *lines) error {
	if path, ok := strings.CutPrefix(s.Target, "jsonl:"); ok {
		return appendLines(t.set.env.FS(), path, batch.text.Bytes())
	}
	if isHook(s.Target) {
		return post(ctx, s.Target, "application/x-ndjson", batch.text.Bytes())
	}
	if t.topic == nil {
		topic, err := t.set.env.Topic(s, s.Target)
		if err != nil {
			return err
		}
		t.topic = topic
	}
	ctx, cancel := context.WithTimeout(ctx, hookTimeout)
	defer cancel()
	err := t.topic.Send(ctx, batch.messages())
	if err != nil {
		t.close() // whatever was wrong, a new connection cannot hurt
	}
	return err
}

// Post gives lines of JSON to a webhook, as streams do.
func Post(ctx context.Context, target string, lines []byte) error {
	return post(ctx, target, "application/x-ndjson", lines)
}

// post gives text to a webhook.
func post(ctx context.Context, target, contentType string, text []byte) error {
	address, secret, _ := strings.Cut(target, "#")
	ctx, cancel := context.WithTimeout(ctx, hookTimeout)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, address, bytes.NewReader(text))
	if err != nil {
		return fmt.Errorf("the address is not one: %s", redact(address))
	}
	req.Header.Set("Content-Type", contentType)
	if secret != "" {
		h := hmac.New(sha256.New, []byte(secret))
		h.Write(text)
		req.Header.Set("X-Cairn-Signature", "sha256="+hex.EncodeToString(h.Sum(nil)))
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		// The address may have secrets, and net/http's errors repeat it.
		var wrapped *url.Error
		if errors.As(err, &wrapped) {
			err = fmt.Errorf("posting to %s: %w", redact(target), wrapped.Err)
		}
		return err
	}
	defer resp.Body.Close()
	why, _ := io.ReadAll(io.LimitReader(resp.Body, 200))
	if resp.StatusCode/100 != 2 {
		return fmt.Errorf("the webhook answers %s: %q", resp.Status, why)
	}
	return nil
}

// appendLines adds lines to a file, durably. Half a line at its end, which a crash has left,
// is ended first.
func appendLines(fs vfs.FS, path string, lines []byte) (err error) {
	f, err := fs.OpenReadWrite(path, vfs.WriteCategoryUnspecified)
	made := errors.Is(err, os.ErrNotExist)
	if made {
		f, err = fs.Create(path, vfs.WriteCategoryUnspecified)
	}
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	info, err := f.Stat()
	if err != nil {
		return err
	}
	end := info.Size()
	if end > 0 {
		last := make([]byte, 1)
		if _, err := f.ReadAt(last, end-1); err != nil {
			return err
		}
		if last[0] != '\n' {
			lines = append([]byte{'\n'}, lines...)
		}
	}
	if _, err := f.WriteAt(lines, end); err != nil {
		return err
	}
	if err := f.Sync(); err != nil || !made {
		return err
	}
	dir, err := fs.OpenDir(fs.PathDir(path))
	if err != nil {
		return err
	}
	return errors.Join(dir.Sync(), dir.Close())
}
