package topic_test

import (
	"context"
	"crypto/md5"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"gocloud.dev/pubsub"
	_ "gocloud.dev/pubsub/awssnssqs"
	_ "gocloud.dev/pubsub/mempubsub"

	"github.com/cairndb/cairn/engine/topic"
)

// receive takes n messages from a subscription, sorted, and sees that no more come.
func receive(t *testing.T, url string, n int, more func()) []string {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	sub, err := pubsub.OpenSubscription(ctx, url)
	if err != nil {
		t.Fatal(err)
	}
	defer sub.Shutdown(ctx)
	more()
	seen := map[string]bool{}
	var out []string
	for len(out) < n {
		m, err := sub.Receive(ctx)
		if err != nil {
			t.Fatalf("after %d messages: %v", len(out), err)
		}
		m.Ack()
		if text := string(m.Body); !seen[text] { // queues deliver at least once
			seen[text] = true
			out = append(out, text)
		}
	}
	slices.Sort(out)
	return out
}

func send(t *testing.T, url string) (want []string) {
	t.Helper()
	to, err := topic.Open(context.Background(), url)
	if err != nil {
		t.Fatal(err)
	}
	var messages [][]byte
	for i := range 25 {
		text := fmt.Sprintf(`{"n":%02d,"text":"a <b> & ünïcode %s"}`, i, strings.Repeat("x", 30_000*(i%2)))
		want = append(want, text)
		messages = append(messages, []byte(text))
	}
	if err := to.Send(context.Background(), messages); err != nil {
		t.Error(err)
	}
	if err := to.Send(context.Background(), nil); err != nil {
		t.Error(err)
	}
	if err := to.Close(); err != nil {
		t.Error(err)
	}
	slices.Sort(want)
	return want
}

// TestSend sends messages in this process.
func TestSend(t *testing.T) {
	// The topic must be there before somebody subscribes.
	url := "mem://sent"
	first, err := topic.Open(context.Background(), url)
	if err != nil {
		t.Fatal(err)
	}
	defer first.Close()
	var want []string
	if got := receive(t, url, 25, func() { want = send(t, url) }); !slices.Equal(got, want) {
		t.Errorf("%q came, not %q", got, want)
	}
}

// TestOpen refuses addresses that name no topic, without telling what they may keep secret.
func TestOpen(t *testing.T) {
	for _, url := range []string{"", "awssns://?region=eu-west-1", "awssqs:///?secret=hidden", "nonsense://x?secret=hidden", "awssns:///arn?region=eu-west-1&hidden=hidden", "mem://a b%zz?hidden"} {
		to, err := topic.Open(context.Background(), url)
		if err == nil {
			to.Close()
			t.Errorf("%q was opened", url)
		}
	}
	if _, err := topic.Open(context.Background(), "awssqs:///?secret=hidden"); strings.Contains(err.Error(), "hidden") {
		t.Error(err)
	}
}

// services speaks as much of SNS's and SQS's protocols as sending needs, and holds requests against
// their limits.
type services struct {
	t *testing.T

	mu       sync.Mutex
	messages map[string][]string // by topic ARN or queue
	fail     int                 // how many more requests are answered with 500
}

const toldARN = "arn:aws:sns:eu-west-1:123456789012:told"

// ServeHTTP takes a batch of messages.
func (s *services) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	s.mu.Lock()
	defer s.mu.Unlock()
	body, _ := io.ReadAll(r.Body)
	if s.fail > 0 {
		s.fail--
		w.WriteHeader(http.StatusInternalServerError)
		return
	}
	service := "sns"
	if r.Header.Get("X-Amz-Target") != "" {
		service = "sqs"
	}
	if !strings.Contains(r.Header.Get("Authorization"), "/eu-west-1/"+service+"/aws4_request") {
		s.t.Errorf("the request to %s is not signed for it: %q", service, r.Header.Get("Authorization"))
	}
	var to string
	var texts, ids []string
	if service == "sqs" {
		var in struct {
			QueueURL string `json:"QueueUrl"`
			Entries  []struct{ ID, MessageBody string }
		}
		if err := json.Unmarshal(body, &in); err != nil || r.Header.Get("X-Amz-Target") != "AmazonSQS.SendMessageBatch" {
			s.t.Errorf("%s %s: %v", r.Header.Get("X-Amz-Target"), body, err)
		}
		to = in.QueueURL
		for _, e := range in.Entries {
			texts, ids = append(texts, e.MessageBody), append(ids, e.ID)
		}
	} else {
		form, err := url.ParseQuery(string(body))
		if err != nil || form.Get("Action") != "PublishBatch" {
			s.t.Errorf("%s: %v", form.Get("Action"), err)
		}
		if to = form.Get("TopicArn"); to != toldARN {
			w.WriteHeader(http.StatusNotFound)
			fmt.Fprintf(w, `<ErrorResponse><Error><Type>Sender</Type><Code>NotFound</Code><Message>Topic %s does not exist</Message></Error></ErrorResponse>`, to)
			return
		}
		for n := 1; ; n++ {
			member := fmt.Sprintf("PublishBatchRequestEntries.member.%d.", n)
			if !form.Has(member + "Id") {
				break
			}
			texts, ids = append(texts, form.Get(member+"Message")), append(ids, form.Get(member+"Id"))
		}
	}
	size := 0
	for _, text := range texts {
		size += len(text)
	}
	if len(texts) < 1 || len(texts) > 10 || size > 256<<10 {
		s.t.Errorf("a request to %s has %d messages of %d bytes", to, len(texts), size)
	}
	s.messages[to] = append(s.messages[to], texts...)
	if service == "sqs" {
		type done struct {
			ID   string `json:"Id"`
			Name string `json:"MessageId"`
			Sum  string `json:"MD5OfMessageBody"`
		}
		out := struct {
			Successful []done
			Failed     []done
		}{Failed: []done{}}
		for i, id := range ids {
			out.Successful = append(out.Successful, done{id, "m", fmt.Sprintf("%x", md5.Sum([]byte(texts[i])))})
		}
		w.Header().Set("Content-Type", "application/x-amz-json-1.0")
		_ = json.NewEncoder(w).Encode(out)
		return
	}
	fmt.Fprint(w, `<PublishBatchResponse xmlns="http://sns.amazonaws.com/doc/2010-03-31/"><PublishBatchResult><Failed/><Successful>`)
	for _, id := range ids {
		fmt.Fprintf(w, "<member><Id>%s</Id><MessageId>m</MessageId></member>", id)
	}
	fmt.Fprint(w, `</Successful></PublishBatchResult></PublishBatchResponse>`)
}

// TestServices sends to a topic and to a queue by the protocols of SNS and SQS, each message once and
// as it is, in requests that the services take, also when the first is answered with 500.
func TestServices(t *testing.T) {
	for k, v := range map[string]string{"AWS_ACCESS_KEY_ID": "key", "AWS_SECRET_ACCESS_KEY": "secret", "AWS_EC2_METADATA_DISABLED": "true", "AWS_CONFIG_FILE": os.DevNull, "AWS_SHARED_CREDENTIALS_FILE": os.DevNull} {
		t.Setenv(k, v)
	}
	s := &services{t: t, messages: map[string][]string{}}
	server := httptest.NewServer(s)
	defer server.Close()
	query := "?region=eu-west-1&endpoint=" + server.URL
	host := strings.TrimPrefix(server.URL, "http://")
	for _, c := range []struct{ to, kept string }{
		{"awssns:///" + toldARN + query, toldARN},
		{"awssqs://" + host + "/123456789012/direct" + query, "https://" + host + "/123456789012/direct"},
	} {
		s.mu.Lock()
		s.fail = 1
		s.mu.Unlock()
		want := send(t, c.to)
		s.mu.Lock()
		got := s.messages[c.kept]
		slices.Sort(got)
		if !slices.Equal(got, want) {
			t.Errorf("%s: %d messages came, not %d: %.300q", c.to, len(got), len(want), got)
		}
		s.mu.Unlock()
	}
	// A topic that is not there is told of with the first message.
	to, err := topic.Open(context.Background(), "awssns:///arn:aws:sns:eu-west-1:123456789012:none"+query)
	if err != nil {
		t.Fatal(err)
	}
	defer to.Close()
	if err := to.Send(context.Background(), [][]byte{[]byte("{}")}); err == nil || !strings.Contains(err.Error(), "none") {
		t.Errorf("a topic that is not there: %v", err)
	}
	http.DefaultClient.CloseIdleConnections()
}
