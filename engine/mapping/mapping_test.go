package mapping

import (
	"bytes"
	"compress/gzip"
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/cairndb/cairn/engine/event"
)

// The records of these tests are made up, in the forms that the products document.
var records = map[string]string{
	"github": `{"@timestamp":1767322800123,"_document_id":"ghid-1","action":"repo.access","actor":"octo-admin","actor_id":7,"actor_ip":"192.0.2.10",
  "actor_location":{"country_code":"SE"},"org":"acme","repo":"acme/site","user_agent":"curl/8","visibility":"public"}`,
	"okta": `{"uuid":"0a1b","published":"2026-01-02T03:00:00.250Z","eventType":"user.session.start","severity":"WARN","displayMessage":"User login to Okta",
  "actor":{"id":"00u1","type":"User","alternateId":"eve@example.com","displayName":"Eve"},"client":{"ipAddress":"2001:DB8::1","userAgent":{"rawUserAgent":"Mozilla/5.0"}},
  "outcome":{"result":"FAILURE","reason":"INVALID_CREDENTIALS"},"target":[{"id":"t","type":"AppInstance"}]}`,
	"google-workspace": `{"kind":"admin#reports#activity","id":{"time":"2026-01-02T03:00:01.5Z","uniqueQualifier":"-42","applicationName":"admin","customerId":"C1"},
  "actor":{"email":"root@example.com","profileId":"1","callerType":"USER"},"ipAddress":"192.0.2.11",
  "events":[{"type":"USER_SETTINGS","name":"CREATE_USER","parameters":[{"name":"USER_EMAIL","value":"new@example.com"}]},{"type":"USER_SETTINGS","name":"GRANT_ADMIN_PRIVILEGE"}]}`,
	"kubernetes": `{"kind":"Event","apiVersion":"audit.k8s.io/v1","level":"Metadata","auditID":"a-1","stage":"ResponseComplete","requestURI":"/api/v1/namespaces/x/pods/p/exec","verb":"create",
  "user":{"username":"dev@example.com","groups":["system:authenticated"]},"sourceIPs":["192.0.2.12","10.0.0.1"],"userAgent":"kubectl","objectRef":{"resource":"pods","namespace":"x","name":"p","subresource":"exec"},
  "responseStatus":{"code":403,"reason":"Forbidden","message":"no"},"requestReceivedTimestamp":"2026-01-02T03:00:02.000001Z"}`,
	"entra": `{"time":"2026-01-02T03:00:03Z","category":"SignInLogs","operationName":"Sign-in activity","tenantId":"t","resultType":"50126","callerIpAddress":"192.0.2.13:443",
  "properties":{"id":"s-1","createdDateTime":"2026-01-02T03:00:03.123Z","userPrincipalName":"mallory@example.com","userDisplayName":"Mallory","status":{"errorCode":50126,"failureReason":"Invalid username or password"},"appDisplayName":"Portal"}}`,
}

// view is an event as a reader of the table sees it.
type view struct {
	EventID, EventTime, EventCategory, EventType, RecipientAccountID, AwsRegion string

	EventData struct {
		UserIdentity struct {
			Type, PrincipalID string
			Details           map[string]any
		}
		EventSource, EventName, EventTime, UID, ErrorCode, ErrorMessage, SourceIPAddress, UserAgent, RecipientAccountID string
		RequestParameters, ResponseElements                                                                             map[string]any
		AdditionalEventData                                                                                             struct {
			Product  string
			Original json.RawMessage
		}
	}
}

func mapped(t *testing.T, m *Mapping, rec string, o Options) []view {
	t.Helper()
	events, err := m.Map([]byte(rec), o)
	if err != nil {
		t.Fatalf("%s: %v", m.Name(), err)
	}
	var out []view
	for _, e := range events {
		var ev event.Event
		if err := event.Parse(e, &ev); err != nil {
			t.Fatalf("%s made what is no event: %v\n%s", m.Name(), err, e)
		}
		if err := m.Schema().Check(&ev); err != nil {
			t.Fatal(err)
		}
		var v view
		if err := json.Unmarshal(e, &v); err != nil {
			t.Fatal(err)
		}
		out = append(out, v)
	}
	return out
}

func TestProducts(t *testing.T) {
	want := map[string]string{
		"github":           `2026-01-02T03:00:00.123Z User octo-admin github.com repo.access ghid-1 192.0.2.10 error= `,
		"okta":             `2026-01-02T03:00:00.250Z User eve@example.com okta.com user.session.start 0a1b 2001:db8::1 error=FAILURE INVALID_CREDENTIALS`,
		"google-workspace": `2026-01-02T03:00:01.500Z USER root@example.com workspace.google.com CREATE_USER admin:2026-01-02T03:00:01.5Z:-42#0 192.0.2.11 error= `,
		"kubernetes":       `2026-01-02T03:00:02.000Z User dev@example.com kubernetes create pods/exec a-1/ResponseComplete 192.0.2.12 error=Forbidden no`,
		"entra":            `2026-01-02T03:00:03.123Z User mallory@example.com entra.microsoft.com Sign-in activity s-1 192.0.2.13 error=50126 Invalid username or password`,
	}
	for name, rec := range records {
		for _, called := range []string{name, Auto} {
			m, err := Called(called)
			if err != nil {
				t.Fatal(err)
			}
			v := mapped(t, m, rec, Options{Account: "123456789012"})
			d := v[0].EventData
			got := strings.Join([]string{v[0].EventTime, d.UserIdentity.Type, d.UserIdentity.PrincipalID, d.EventSource, d.EventName, d.UID, d.SourceIPAddress, "error=" + d.ErrorCode, d.ErrorMessage}, " ")
			if got != want[name] {
				t.Errorf("%s by %s:\n%s, want\n%s", name, called, got, want[name])
			}
			if string(d.AdditionalEventData.Original) != rec || d.AdditionalEventData.Product != name {
				t.Errorf("%s: the original is %s", name, d.AdditionalEventData.Original)
			}
			if d.RecipientAccountID != "123456789012" || v[0].RecipientAccountID != "123456789012" || len(d.RequestParameters) == 0 {
				t.Errorf("%s: %+v", name, v[0])
			}
			// The same again is the same event.
			if again := mapped(t, m, rec, Options{Account: "123456789012"}); again[0].EventID != v[0].EventID {
				t.Errorf("%s: the ID changes from %s to %s", name, v[0].EventID, again[0].EventID)
			}
		}
	}
	m, _ := Called("google-workspace")
	if v := mapped(t, m, records["google-workspace"], Options{}); len(v) != 2 || v[1].EventData.EventName != "GRANT_ADMIN_PRIVILEGE" || v[0].EventID == v[1].EventID {
		t.Errorf("an activity of two events makes %d: %+v", len(v), v)
	}
}

// Answers of APIs have their records in a list.
func TestPages(t *testing.T) {
	for name, member := range map[string]string{"google-workspace": "items", "kubernetes": "items", "entra": "value"} {
		m, err := Called(Auto)
		if err != nil {
			t.Fatal(err)
		}
		v := mapped(t, m, `{"kind":"List","`+member+`":[`+records[name]+`,`+strings.ReplaceAll(records[name], "a-1", "a-2")+`]}`, Options{})
		if len(v) < 2 {
			t.Errorf("a page of %s makes %d events", name, len(v))
		}
	}
}

func TestRefusals(t *testing.T) {
	cases := []struct{ mapping, record, reason string }{
		{Auto, `{"eventVersion":"1.08","eventTime":"2026-01-02T03:04:05Z"}`, "a CloudTrail event"},
		{Auto, `{"hello":"world"}`, "of no known product"},
		{Auto, `{}`, "of no known product"},
		{"github", `{"action":"repo.create","actor":"x"}`, "missing eventTime"},
		{"github", `{"action":"repo.create","actor":"x","created_at":"yesterday"}`, "unreadable eventTime"},
		{"github", `{"action":"repo.create","actor":"x","created_at":-5}`, "unreadable eventTime"},
		{"github", `{"created_at":1}`, "missing eventName"},
		{"github", `{"action":{"a":1},"created_at":1}`, "missing eventName"},
		{"github", `{"action":"` + strings.Repeat("x", 1025) + `","created_at":1}`, "eventName is too long"},
		{"okta", `[]`, "not an object"},
		{"okta", `{} {}`, "not one record"},
		{"config", `{"resourceType":"AWS::EC2::Instance"}`, "missing configurationItemCaptureTime"},
		{"evidence", `{"time":"2026-01-02T03:04:05Z"}`, "not evidence"},
	}
	for _, c := range cases {
		m, err := Called(c.mapping)
		if err != nil {
			t.Fatal(err)
		}
		_, err = m.Map([]byte(c.record), Options{})
		var r *Refusal
		if !errors.As(err, &r) || r.Reason != c.reason {
			t.Errorf("%s, %.80s: %v, want %q", c.mapping, c.record, err, c.reason)
		}
	}
	m, _ := Called("okta")
	var bad *event.Refusal
	if _, err := m.Map([]byte(`{"a":`), Options{}); !errors.As(err, &bad) {
		t.Errorf("half a record: %v", err)
	}
	if _, err := Called("nobody"); err == nil || !strings.Contains(err.Error(), "kubernetes") {
		t.Errorf("an unknown mapping: %v", err)
	}
}

// A cluster's records as log services give them, and as older clusters wrote them; what has no time
// says where it was looked for.
func TestKubernetesForms(t *testing.T) {
	m, err := Called("kubernetes")
	if err != nil {
		t.Fatal(err)
	}
	text, _ := json.Marshal(records["kubernetes"])
	at := func(rec string) string {
		t.Helper()
		v := mapped(t, m, rec, Options{})
		if len(v) != 1 {
			t.Fatalf("%d events of %.100s", len(v), rec)
		}
		return v[0].EventData.EventName + " " + v[0].EventTime
	}
	want := "create pods/exec 2026-01-02T03:00:02.000Z"
	for _, rec := range []string{
		`{"messageType":"DATA_MESSAGE","owner":"111122223333","logGroup":"/aws/eks/c/cluster","logEvents":[{"id":"1","timestamp":1767322802000,"message":` + string(text) + `}]}`,
		`{"events":[{"logStreamName":"kube-apiserver-audit-1","timestamp":1767322802000,"message":` + string(text) + `,"ingestionTime":1767322803000}],"searchedLogStreams":[]}`,
		`{"timestamp":1767322802000,"message":` + string(text) + `}`,
		`{"kind":"EventList","apiVersion":"audit.k8s.io/v1","items":[` + records["kubernetes"] + `]}`,
	} {
		if got := at(rec); got != want {
			t.Errorf("%.60s: %q, not %q", rec, got, want)
		}
	}
	plain := strings.Replace(records["kubernetes"], `,"requestReceivedTimestamp":"2026-01-02T03:00:02.000001Z"`, "%", 1)
	for _, c := range []struct{ with, want string }{
		{`,"stageTimestamp":"2026-01-02T03:00:03.5Z"`, "create pods/exec 2026-01-02T03:00:03.500Z"},
		{`,"timestamp":"2026-01-02T03:00:04Z"`, "create pods/exec 2026-01-02T03:00:04.000Z"},
		{`,"metadata":{"creationTimestamp":"2026-01-02T03:00:05Z"}`, "create pods/exec 2026-01-02T03:00:05.000Z"},
	} {
		if got := at(strings.Replace(plain, "%", c.with, 1)); got != c.want {
			t.Errorf("%s: %q, not %q", c.with, got, c.want)
		}
	}
	_, err = m.Map([]byte(strings.Replace(plain, "%", "", 1)), Options{})
	var r *Refusal
	if !errors.As(err, &r) || r.Reason != "missing eventTime" || !strings.Contains(r.Detail, "requestReceivedTimestamp, stageTimestamp, timestamp") {
		t.Errorf("without a time: %v", err)
	}
}

// A record of a few bytes a element must not become a thousand times as much.
func TestRecordEventsAreBounded(t *testing.T) {
	m, err := Called("google-workspace")
	if err != nil {
		t.Fatal(err)
	}
	rec := `{"id":{"time":"2026-01-02T03:00:01Z","uniqueQualifier":"1","applicationName":"admin"},"pad":"` + strings.Repeat("x", 20_000) + `","events":[` + strings.Repeat(`{"name":"a"},`, 999) + `{"name":"b"}]}`
	var r *Refusal
	if _, err := m.Map([]byte(rec), Options{BytesMax: 1 << 20}); !errors.As(err, &r) || r.Reason != "too many events in one record" {
		t.Errorf("a megabyte: %v", err)
	}
	if events, err := m.Map([]byte(rec), Options{}); err != nil || len(events) != 1000 {
		t.Errorf("all of them: %d, %v", len(events), err)
	}
}

// A mapping that cannot tell its records takes them as they are, lists and messages included.
func TestPlainMappingKeepsRecords(t *testing.T) {
	m, err := Parse([]byte(`{"mapping":1,"product":"own","eventSource":"own","eventName":"{name}","eventTime":"{timestamp}","principalId":"x","each":"events"}`))
	if err != nil {
		t.Fatal(err)
	}
	v := mapped(t, m, `{"timestamp":1767322802000,"message":"{\"a\":1}","events":[{"name":"one"},{"name":"two"}]}`, Options{})
	if len(v) != 2 || v[1].EventData.EventName != "two" {
		t.Errorf("%+v", v)
	}
}

const acme = `{"mapping":1,"product":"acme","detect":[["acme.v=2"]],"each":"changes","eventSource":"acme.example","eventName":"{kind}:{op}",
 "eventTime":["{at}","{acme.at}"],"uid":"{n}","userType":["{who.0.type}","Robot"],"principalId":"{who.0.na\\.me}","sourceIPAddress":"{ip}",
 "success":[{"of":"{rc}","below":10}],"errorMessage":"code {rc} {{sic}","requestParameters":{"all":"{changes}","text":"<{op}>"},"additionalEventData":{"extra":"{acme}"}}`

func TestMappingFile(t *testing.T) {
	m, err := Parse([]byte(acme))
	if err != nil {
		t.Fatal(err)
	}
	v := mapped(t, m, `{"KIND":"door","ACME":{"v":2,"at":1767322800},"who":[{"na.me":"Ann"}],"rc":12,"ip":"not one","changes":[{"op":"open","n":1},{"op":"shut","n":2,"rc":"3"}]}`, Options{})
	if len(v) != 2 {
		t.Fatalf("%d events", len(v))
	}
	a, b := v[0].EventData, v[1].EventData
	if a.EventName != "door:open" || a.UID != "1#0" || a.UserIdentity.Type != "Robot" || a.UserIdentity.PrincipalID != "Ann" || a.SourceIPAddress != "" ||
		a.ErrorCode != "12" || a.ErrorMessage != "code 12 {sic}" || a.RequestParameters["text"] != "<open>" || b.EventName != "door:shut" || b.ErrorCode != "" {
		t.Errorf("%+v\n%+v", a, b)
	}
	if v[0].EventTime != "2026-01-02T03:00:00.000Z" {
		t.Errorf("the time is %s", v[0].EventTime)
	}
	events, err := m.Map([]byte(`{"kind":"k","op":"o","at":"2026-01-02","who":[{"na.me":"x"}],"pad":"`+strings.Repeat("y", 100)+`"}`), Options{OriginalMax: 50})
	if err != nil || bytes.Contains(events[0], []byte("yyy")) || !bytes.Contains(events[0], []byte(`"originalSHA256":"`)) {
		t.Errorf("a record over the limit: %s, %v", events, err)
	}
	bad := []struct{ from, to, says string }{
		{`"mapping":1`, `"mapping":2`, "version 1"},
		{`"product":"acme"`, `"product":"A b"`, "product"},
		{`"each"`, `"every"`, "every"},
		{`"principalId":"{who.0.na\\.me}",`, ``, "principalId"},
		{`"{kind}:{op}"`, `"{kind"`, "not closed"},
		{`"{kind}:{op}"`, `""`, "empty"},
		{`"{kind}:{op}"`, `[]`, "list of 0"},
		{`"{kind}:{op}"`, `7`, "template"},
		{`"{kind}:{op}"`, `"{a..b}"`, "without a name"},
		{`"below":10`, `"below":10,"is":["1"]`, "rule 1"},
		{`[["acme.v=2"]]`, `[[]]`, "every record"},
	}
	for _, c := range bad {
		text := strings.Replace(acme, c.from, c.to, 1)
		if text == acme {
			t.Fatalf("%s is not in the mapping", c.from)
		}
		if _, err := Parse([]byte(text)); err == nil || !strings.Contains(err.Error(), c.says) {
			t.Errorf("%s: %v, want %q", c.to, err, c.says)
		}
	}
	if _, err := Parse([]byte(acme + "{}")); err == nil {
		t.Error("two mappings in a file")
	}
}

func TestItems(t *testing.T) {
	m, _ := Called(ConfigurationItems)
	e, err := m.Map([]byte(`{"configurationItemCaptureTime":"2026-01-02T03:00:00.000Z","configurationItemStatus":"OK","resourceType":"AWS::S3::Bucket","resourceId":"logs","awsRegion":"eu-west-1","awsAccountId":"123456789012","configuration":{"a":1},"relatedEvents":[]}`), Options{})
	if err != nil {
		t.Fatal(err)
	}
	var ev event.Event
	if err := event.Parse(e[0], &ev); err != nil || ev.Category != event.ConfigurationItem || string(ev.Recipient) != "123456789012" || string(ev.Region) != "eu-west-1" {
		t.Errorf("%+v, %v", ev, err)
	}
	m, _ = Called(EvidenceItems)
	e, err = m.Map([]byte(`{"evidence":[{"id":"e-1","time":1767322800,"dataSource":"AWS CloudTrail","evidenceByType":"User activity","eventName":"CreateUser","attributes":{"x":"\"y\""},"resourcesIncluded":[{"arn":"arn:aws:iam::1:user/u","complianceCheck":"PASSED"}],"awsAccountId":"123456789012"}]}`), Options{})
	if err != nil {
		t.Fatal(err)
	}
	var got struct{ EventData map[string]any }
	if err := json.Unmarshal(e[0], &got); err != nil {
		t.Fatal(err)
	}
	d := got.EventData
	if event.Parse(e[0], &ev) != nil || ev.Category != event.Evidence || d["evidenceId"] != "e-1" || d["time"] != "2026-01-02T03:00:00.000Z" || d["resourceArn"] != "arn:aws:iam::1:user/u" || d["resourceComplianceCheck"] != "PASSED" {
		t.Errorf("%s", e[0])
	}
}

func TestTimes(t *testing.T) {
	const want = 1767322800_000000
	for _, s := range []string{"2026-01-02T03:00:00Z", "2026-01-02 03:00:00.000000000", "1767322800", "1767322800000", "1767322800000000", "1767322800000000000", "1.7673228e9", "Fri, 02 Jan 2026 03:00:00 UTC"} {
		if got, ok := parseTime(s); !ok || got != want {
			t.Errorf("%s: %d, %v", s, got, ok)
		}
	}
	for _, s := range []string{"", "-1", "NaN", "Inf", "1e30", "2026-13-01", "1969-12-31T23:59:59Z"} {
		if got, ok := parseTime(s); ok {
			t.Errorf("%s: %d", s, got)
		}
	}
}

// corpus returns the records of a file of the corpus, and skips the test without one.
func corpus(t *testing.T, name string) []json.RawMessage {
	t.Helper()
	for _, dir := range []string{"../../../shared/corpus/non-aws", os.Getenv("CAIRN_CORPUS") + "/non-aws"} {
		f, err := os.Open(filepath.Join(dir, name))
		if err != nil {
			continue
		}
		defer f.Close()
		z, err := gzip.NewReader(f)
		if err != nil {
			t.Fatal(err)
		}
		var all map[string]json.RawMessage
		if err := json.NewDecoder(z).Decode(&all); err != nil {
			t.Fatal(err)
		}
		var list []json.RawMessage
		for _, key := range []string{"Records", "ConfigurationItems"} {
			if all[key] != nil {
				if err := json.Unmarshal(all[key], &list); err != nil {
					t.Fatal(err)
				}
			}
		}
		return list
	}
	t.Skip("the corpus is not beside the repository, and CAIRN_CORPUS does not name it")
	return nil
}

// Records of other people's collections become events, or are refused for want of a time:
// the collections are of test inputs, and many have been cut down.
func TestCorpus(t *testing.T) {
	files := map[string]struct {
		product string
		least   int // that become events
	}{
		"github-audit.json.gz": {"github", 62}, "okta-systemlog.json.gz": {"okta", 46}, "google-workspace-activity.json.gz": {"google-workspace", 65},
		"azure-entra-audit.json.gz": {"entra", 46}, "kubernetes-eks-audit.json.gz": {"kubernetes", 0}, "aws-config-items.json.gz": {ConfigurationItems, 18},
	}
	for file, want := range files {
		list := corpus(t, file)
		m, err := Called(want.product)
		if err != nil {
			t.Fatal(err)
		}
		auto, _ := Called(Auto)
		taken, missing := 0, map[string]int{}
		for i, rec := range list {
			events, err := m.Map(rec, Options{})
			var r *Refusal
			switch {
			case err == nil:
				taken++
				for _, e := range events {
					var ev event.Event
					if err := event.Parse(e, &ev); err != nil {
						t.Errorf("%s, record %d: %v", file, i, err)
					}
				}
				if want.product != ConfigurationItems {
					if same, err := auto.Map(rec, Options{}); err != nil || !bytes.Equal(same[0], events[0]) {
						t.Errorf("%s, record %d is not recognised: %v\n%.300s", file, i, err, rec)
					}
				}
			case errors.As(err, &r):
				missing[r.Reason]++
			default:
				t.Errorf("%s, record %d: %v", file, i, err)
			}
		}
		t.Logf("%s: %d of %d records, refused %v", file, taken, len(list), missing)
		if taken < want.least {
			t.Errorf("%s: %d of %d records become events, want %d: %v", file, taken, len(list), want.least, missing)
		}
	}
}

// Whatever is mapped is an event, and the same one every time.
func FuzzMap(f *testing.F) {
	for _, rec := range records {
		f.Add([]byte(rec))
	}
	f.Add([]byte(`{"configurationItemCaptureTime":"2026-01-02T03:00:00Z","resourceType":"t","resourceId":"i"}`))
	f.Add([]byte(`{"evidence":{"id":"e","time":1767322800,"dataSource":"d"}}`))
	f.Add([]byte(`{"items":[{"kind":"Event","verb":"get","timestamp":"2026-01-02"}]}`))
	var all []*Mapping
	for _, name := range Names() {
		m, err := Called(name)
		if err != nil {
			f.Fatal(err)
		}
		all = append(all, m)
	}
	f.Fuzz(func(t *testing.T, rec []byte) {
		for _, m := range all {
			events, err := m.Map(rec, Options{})
			if err != nil {
				continue
			}
			again, err := m.Map(rec, Options{})
			if err != nil || len(again) != len(events) {
				t.Fatalf("%s: %d events, then %d, %v", m.Name(), len(events), len(again), err)
			}
			for i, e := range events {
				var ev event.Event
				if err := event.Parse(e, &ev); err != nil {
					t.Fatalf("%s made no event of %q: %v", m.Name(), rec, err)
				}
				if !bytes.Equal(e, again[i]) {
					t.Fatalf("%s: two events of one record", m.Name())
				}
			}
		}
	})
}

// A mapping file is somebody's input.
func FuzzParse(f *testing.F) {
	f.Add([]byte(acme))
	for _, name := range Names() {
		f.Add(Text(name))
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		m, err := Parse(text)
		if err != nil {
			return
		}
		for _, rec := range records {
			_, _ = m.Map([]byte(rec), Options{})
			m.detects([]byte(rec))
		}
	})
}

func BenchmarkMap(b *testing.B) {
	m, err := Called(Auto)
	if err != nil {
		b.Fatal(err)
	}
	for name, rec := range records {
		b.Run(name, func(b *testing.B) {
			for b.Loop() {
				if _, err := m.Map([]byte(rec), Options{}); err != nil {
					b.Fatal(err)
				}
			}
			b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "records/s")
		})
	}
}
