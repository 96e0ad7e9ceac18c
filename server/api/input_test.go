package api_test

import (
	"bufio"
	"bytes"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/cairndb/cairn/server/api"
	"github.com/cairndb/cairn/server/auth"
)

func TestBadInput(t *testing.T) {
	f := newFixture(t, nil)
	for _, c := range []struct {
		op, body, code, says string
	}{
		{"ListChannels", `{`, "MalformedHttpRequestException", "JSON"},
		{"ListChannels", `[]`, "MalformedHttpRequestException", "object"},
		{"ListChannels", `{} {}`, "MalformedHttpRequestException", "more than one"},
		{"ListChannels", strings.Repeat(`{"a":`, 100), "MalformedHttpRequestException", "nested"},
		{"ListChannels", `{"Unknown":1,"MaxResults":null}`, "", ""},
		{"ListChannels", `{"MaxResults":1001}`, "InvalidParameterException", "MaxResults"},
		{"ListChannels", `{"MaxResults":"5"}`, "InvalidParameterException", "MaxResults must be an integer"},
		{"ListEventDataStores", `{"MaxResults":0}`, "InvalidMaxResultsException", "MaxResults is 0"},
		{"ListEventDataStores", `{"NextToken":"abc"}`, "InvalidNextTokenException", "NextToken"},
		{"CreateEventDataStore", `{}`, "InvalidParameterException", "Name is missing"},
		{"CreateEventDataStore", `{"Name":"ab"}`, "InvalidParameterException", "3 to 128"},
		{"CreateEventDataStore", `{"Name":"a b c"}`, "InvalidParameterException", "character"},
		{"CreateEventDataStore", `{"Name":"abc","RetentionPeriod":6}`, "InvalidParameterException", "RetentionPeriod"},
		{"CreateEventDataStore", `{"Name":"abc","BillingMode":"FREE"}`, "InvalidParameterException", "BillingMode"},
		{"CreateEventDataStore", `{"Name":"abc","BillingMode":"FIXED_RETENTION_PRICING","RetentionPeriod":3000}`, "InvalidParameterException", "2557"},
		{"CreateEventDataStore", `{"Name":"abc","AdvancedEventSelectors":[]}`, "InvalidEventSelectorsException", "empty"},
		{"CreateEventDataStore", `{"Name":"abc","AdvancedEventSelectors":[{"FieldSelectors":[{"Field":"eventName","Equals":["a"]}]}]}`, "InvalidEventSelectorsException", "eventCategory"},
		{"CreateEventDataStore", `{"Name":"abc","AdvancedEventSelectors":[{"FieldSelectors":[{"Field":"eventCategory","Equals":["Management"]},{"Field":"readOnly","Equals":["maybe"]}]}]}`, "InvalidEventSelectorsException", ""},
		{"CreateEventDataStore", `{"Name":"abc","KmsKeyId":"what is it"}`, "InvalidKmsKeyIdException", "KmsKeyId"},
		{"CreateEventDataStore", `{"Name":"abc","TagsList":[{"Key":"a"},{"Key":"a"}]}`, "InvalidTagParameterException", "twice"},
		{"CreateEventDataStore", `{"Name":"abc","TagsList":[{"Value":"a"}]}`, "InvalidTagParameterException", "TagsList[0].Key is missing"},
		{"CreateEventDataStore", `{"Name":"abc","TagsList":[null]}`, "InvalidTagParameterException", "null"},
		{"GetEventDataStore", `{"EventDataStore":"../../etc"}`, "EventDataStoreARNInvalidException", ""},
		{"GetEventDataStore", `{"EventDataStore":"00000000-0000-4000-8000-000000000000"}`, "EventDataStoreNotFoundException", ""},
		{"GetEventDataStore", `{"EventDataStore":"arn:aws:s3:::bucket"}`, "EventDataStoreARNInvalidException", ""},
		{"GetChannel", `{"Channel":"x y"}`, "ChannelARNInvalidException", ""},
		{"ListTags", `{"ResourceIdList":[]}`, "CloudTrailARNInvalidException", ""},
		{"AddTags", `{"ResourceId":"arn:aws:cloudtrail:eu-west-1:111122223333:volcano/x","TagsList":[]}`, "ResourceTypeNotSupportedException", ""},
		{"LookupEvents", `{"StartTime":"2026-01-01"}`, "InvalidTimeRangeException", "seconds since 1970"},
		{"LookupEvents", `{"LookupAttributes":[{"AttributeKey":"EventName"}]}`, "InvalidLookupAttributesException", "AttributeValue is missing"},
		{"NoSuchOperation", `{}`, "UnknownOperationException", "NoSuchOperation"},
		{"PutAuditEvents", `{}`, "UnknownOperationException", ""},
		{"GetQueryResults", `{"QueryId":"nothing"}`, "InvalidParameterException", "QueryId"},
	} {
		status, h, out := f.send(f.request(f.key, c.op, c.body))
		code, _ := out["__type"].(string)
		message, _ := out["message"].(string)
		if code != c.code || !strings.Contains(message, c.says) || c.code != "" && status == http.StatusOK {
			t.Errorf("%s %.80s: status %d, %s: %s; want %s: …%s…", c.op, c.body, status, code, message, c.code, c.says)
		}
		if h["X-Amzn-Requestid"] == nil {
			t.Errorf("%s: no request ID", c.op)
		}
	}
}

func TestSignedRequests(t *testing.T) {
	var ahead atomic.Int64 // seconds of the server's clock
	f := newFixture(t, func(c *api.Config) {
		c.Regions = []string{region, "us-east-1"}
		c.Clock = func() time.Time { return time.Now().Add(time.Duration(ahead.Load()) * time.Second) }
	})
	// A request that has changed something is not made again. The same bytes at once, which
	// clients send that do the same twice in a second, are answered as the first were; later,
	// or after another change, they are refused. One that failed may come again.
	again := func(op, body string, between func()) (first, second object) {
		r := f.request(f.key, op, body)
		copied := r.Clone(r.Context())
		copied.Body, _ = r.GetBody()
		_, _, first = f.send(r)
		between()
		_, _, second = f.send(copied)
		return first, second
	}
	atOnce := func() {}
	first, second := again("CreateEventDataStore", `{"Name":"once"}`, atOnce)
	if first["EventDataStoreArn"] == nil || fmt.Sprint(first) != fmt.Sprint(second) {
		t.Errorf("again at once: %v, then %v", first, second)
	}
	if n := len(f.call("ListEventDataStores", object{})["EventDataStores"].([]any)); n != 1 {
		t.Errorf("there are %d stores", n)
	}
	for what, between := range map[string]func(){
		"later": func() { ahead.Add(6) },
		"after another change": func() {
			f.call("UpdateEventDataStore", object{"EventDataStore": first["EventDataStoreArn"], "Name": "once"})
		},
	} {
		body := fmt.Sprintf(`{"Name":"again-%d"}`, len(what))
		if _, second := again("CreateEventDataStore", body, between); second["__type"] != "InvalidSignatureException" || !strings.Contains(fmt.Sprint(second["message"]), "received before") {
			t.Errorf("%s: %v", what, second)
		}
	}
	if _, second := again("CreateEventDataStore", `{"Name":"once"}`, atOnce); second["__type"] != "EventDataStoreAlreadyExistsException" {
		t.Errorf("again after a failure: %v", second)
	}
	// Many at the same time make one.
	r := f.request(f.key, "CreateEventDataStore", `{"Name":"together"}`)
	answers := make(chan object, 8)
	for range cap(answers) {
		copied := r.Clone(r.Context())
		copied.Body, _ = r.GetBody()
		go func() {
			_, _, out := f.send(copied)
			answers <- out
		}()
	}
	arns := map[any]bool{}
	for range cap(answers) {
		out := <-answers
		arns[out["EventDataStoreArn"]] = true
	}
	if len(arns) != 1 || arns[nil] {
		t.Errorf("eight at once: %v", arns)
	}
	if _, second := again("ListChannels", `{}`, atOnce); second["__type"] != nil {
		t.Errorf("reading again: %v", second)
	}
	for name, c := range map[string]struct {
		change func(r *http.Request)
		status int
		code   string
	}{
		"unknown key": {func(r *http.Request) {
			r.Header.Set("Authorization", strings.Replace(r.Header.Get("Authorization"), "AKIA", "AKIB", 1))
		}, 403, "UnrecognizedClientException"},
		"no signature": {func(r *http.Request) { r.Header.Del("Authorization") }, 403, "IncompleteSignature"},
		"wrong region": {func(r *http.Request) {
			r.Header.Set("Authorization", strings.Replace(r.Header.Get("Authorization"), region, "eu-west-9", 1))
		}, 403, "InvalidSignatureException"},
		"no target": {func(r *http.Request) { r.Header.Del("X-Amz-Target") }, 404, "UnknownOperationException"},
		"long target": {func(r *http.Request) {
			r.Header.Set("X-Amz-Target", "com.amazonaws.cloudtrail.v20131101.CloudTrail_20131101.ListChannels")
		}, 403, "InvalidSignatureException"},
		"another path": {func(r *http.Request) { r.URL.Path = "/x" }, 404, "UnknownOperationException"},
		"much too long": {func(r *http.Request) {
			r.ContentLength = 2 << 20
			r.Body = http.NoBody
			r.Header.Set("Content-Length", "2097152")
		}, 0, ""},
	} {
		r := f.request(f.key, "ListChannels", `{}`)
		c.change(r)
		if c.status == 0 {
			continue
		}
		if status, _, out := f.send(r); status != c.status || out["__type"] != c.code {
			t.Errorf("%s: status %d, %v", name, status, out)
		}
	}
	big := f.request(f.key, "ListChannels", `{"x":"`+strings.Repeat("x", api.BodyMax)+`"}`)
	if status, _, out := f.send(big); status != http.StatusRequestEntityTooLarge {
		t.Errorf("a long body: %d %v", status, out)
	}
	// Both spellings of the target.
	r = f.request(f.key, "ListChannels", `{}`)
	r.Header.Set("X-Amz-Target", "com.amazonaws.cloudtrail.v20131101.CloudTrail_20131101.ListChannels")
	resign(f, r, `{}`)
	if status, _, out := f.send(r); status != http.StatusOK {
		t.Errorf("the long target: %v", out)
	}
	// Keys: disabled, and of readers.
	reader := f.newKey("rea", auth.Grants{Role: "reader", Stores: []string{"once"}, Accounts: []string{account}}, account)
	if _, code := f.as(reader, "CreateEventDataStore", object{"Name": "more"}); code != "AccessDeniedException" {
		t.Errorf("a reader makes a store: %s", code)
	}
	if out, code := f.as(reader, "ListEventDataStores", object{}); code != "" || len(out["EventDataStores"].([]any)) != 1 {
		t.Errorf("a reader lists: %s %v", code, out)
	}
	if err := f.users.EnableAccessKey(t.Context(), superuser, auth.Origin{}, reader.AccessKeyID, false); err != nil {
		t.Fatal(err)
	}
	if _, code := f.as(reader, "ListEventDataStores", object{}); code != "UnrecognizedClientException" {
		t.Errorf("a disabled key: %s", code)
	}
}

// A folded header is refused although what is signed fits: net/http makes one line of it.
func TestFoldedRequests(t *testing.T) {
	f := newFixture(t, nil)
	for _, fold := range []bool{false, true} {
		r := f.request(f.key, "ListChannels", `{}`)
		r.Header.Set("X-Amz-Meta-Note", "one two")
		resign(f, r, `{}`)
		var b bytes.Buffer
		if err := r.Write(&b); err != nil {
			t.Fatal(err)
		}
		text := b.String()
		if fold {
			text = strings.Replace(text, "one two", "one\r\n two", 1)
		}
		c, err := net.Dial("tcp", strings.TrimPrefix(f.http.URL, "http://"))
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
		if _, err := io.WriteString(c, text); err != nil {
			t.Fatal(err)
		}
		res, err := http.ReadResponse(bufio.NewReader(c), r)
		if err != nil {
			t.Fatal(err)
		}
		answer, _ := io.ReadAll(res.Body)
		switch {
		case !fold && res.StatusCode != http.StatusOK:
			t.Errorf("on one line: %s %s", res.Status, answer)
		case fold && (res.StatusCode != http.StatusForbidden || !strings.Contains(string(answer), `"IncompleteSignature"`) || !strings.Contains(string(answer), "folded") || !res.Close):
			t.Errorf("folded: %s %s", res.Status, answer)
		}
	}
}

func TestTemporaryKeys(t *testing.T) {
	f := newFixture(t, nil)
	k, err := f.users.AddAccessKey(t.Context(), superuser, auth.Origin{}, "admin", auth.AccessKeyOptions{Account: account, Lifetime: 3600e9})
	if err != nil {
		t.Fatal(err)
	}
	if _, code := f.as(k, "ListChannels", object{}); code != "" {
		t.Errorf("a temporary key: %s", code)
	}
	k.SessionToken = "x" + k.SessionToken[1:]
	if _, code := f.as(k, "ListChannels", object{}); code != "UnrecognizedClientException" {
		t.Errorf("with another token: %s", code)
	}
	k.SessionToken = ""
	if _, code := f.as(k, "ListChannels", object{}); code != "UnrecognizedClientException" {
		t.Errorf("without its token: %s", code)
	}
	f.key.SessionToken = "x"
	if _, code := f.as(f.key, "ListChannels", object{}); code != "UnrecognizedClientException" {
		t.Errorf("a token that the key does not have: %s", code)
	}
}
