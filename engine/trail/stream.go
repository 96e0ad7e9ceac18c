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
	"strings"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"

	"github.com/cairndb/cairn/engine/event"
)

// Streams: targets that take events one by one, in place of files.
//
//	jsonl:/PATH            each event is a line at the end of a file
//	http://… https://…     events are posted, up to 100 in one request, one a line
//
// They are delivered by the same steps as files, so each event arrives at least once: what
// was sent before a crash or a failure is sent again. Their form is that of
// Settings.Form, and Settings.Pattern chooses among what the selectors have selected,
// as the rule of an event bus does. There are no digests of streams.
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
	// busEventMax is the largest event that buses and log services take.
	busEventMax = 256 << 10

	streamBatch      = 100
	streamBatchBytes = 1 << 20

	hookTimeout = 30 * time.Second
)

// IsStream reports whether a target takes events one by one.
func IsStream(target string) bool {
	scheme, _, _ := strings.Cut(target, ":")
	return scheme == "jsonl" || scheme == "http" || scheme == "https"
}

func (s *Settings) checkStream() error {
	if path, ok := strings.CutPrefix(s.Target, "jsonl:"); ok {
		if !strings.HasPrefix(path, "/") || strings.Contains("/"+path+"/", "/../") || strings.HasSuffix(path, "/") {
			return invalid("Target", "%q: write jsonl: and the absolute path of a file, without ..", s.Target)
		}
	} else if u, err := url.Parse(s.Target); err != nil || u.Host == "" {
		return invalid("Target", "%q is not the URL of a webhook", redact(s.Target))
	}
	if s.Validation {
		return invalid("Validation", "there are no digests of streams")
	}
	return nil
}

// checkForm checks what is for streams alone.
func (s *Settings) checkForm() error {
	if !IsStream(s.Target) && (s.Form != "" || len(s.Pattern) > 0) {
		return invalid("Form", "only streams (jsonl:, http:, https:) have a form and a pattern")
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

// stream delivers the events of a plan.
func (t *Trail) stream(ctx context.Context, s *Settings, p *plan) (events int, err error) {
	var pattern *Pattern
	if len(s.Pattern) > 0 {
		if pattern, err = ParsePattern(s.Pattern); err != nil {
			return 0, err
		}
	}
	r := newRouter(s)
	var batch bytes.Buffer
	n := 0
	flush := func() error {
		if n == 0 {
			return nil
		}
		err := t.send(ctx, s, batch.Bytes())
		events += n
		batch.Reset()
		n = 0
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
			if err != nil || line == nil || pattern != nil && !pattern.Match(line) {
				return err
			}
			if n == streamBatch || n > 0 && batch.Len()+len(line) > streamBatchBytes {
				if err := flush(); err != nil {
					return err
				}
			}
			batch.Write(line)
			batch.WriteByte('\n')
			n++
			return nil
		})
		if err != nil {
			return 0, err
		}
	}
	if err := flush(); err != nil {
		return 0, err
	}
	return events, nil
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
func (t *Trail) send(ctx context.Context, s *Settings, lines []byte) error {
	if path, ok := strings.CutPrefix(s.Target, "jsonl:"); ok {
		return appendLines(t.set.env.FS(), path, lines)
	}
	address, secret, _ := strings.Cut(s.Target, "#")
	ctx, cancel := context.WithTimeout(ctx, hookTimeout)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, address, bytes.NewReader(lines))
	if err != nil {
		return fmt.Errorf("the address is not one: %s", redact(address))
	}
	req.Header.Set("Content-Type", "application/x-ndjson")
	if secret != "" {
		h := hmac.New(sha256.New, []byte(secret))
		h.Write(lines)
		req.Header.Set("X-Cairn-Signature", "sha256="+hex.EncodeToString(h.Sum(nil)))
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
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
