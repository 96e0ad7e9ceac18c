package api_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/cairndb/cairn/engine/mapping"
	"github.com/cairndb/cairn/server/api"
	"github.com/cairndb/cairn/server/auth"
)

// rows asks a query and returns its rows, one a line.
func (f *fixture) rows(query string) string {
	f.t.Helper()
	q := f.call("StartQuery", object{"QueryStatement": query})["QueryId"].(string)
	if d := f.wait(q); d["QueryStatus"] != "FINISHED" {
		f.t.Fatalf("%s: %v", query, d)
	}
	var b strings.Builder
	for _, row := range f.call("GetQueryResults", object{"QueryId": q})["QueryResultRows"].([]any) {
		for i, cell := range row.([]any) {
			for _, v := range cell.(object) {
				if i > 0 {
					b.WriteByte(' ')
				}
				fmt.Fprint(&b, v)
			}
		}
		b.WriteByte('\n')
	}
	return b.String()
}

// Channels take what products write, each by the mapping of its source, and one query tells who
// did what, from where, in the last day, there and in AWS.
func TestChannelsOfProducts(t *testing.T) {
	own, err := mapping.Parse([]byte(`{"mapping":1,"product":"doors","eventSource":"doors.example","eventName":"{what}","eventTime":"{at}","uid":"{n}","principalId":"{who}"}`))
	if err != nil {
		t.Fatal(err)
	}
	f := newFixture(t, func(c *api.Config) { c.Mappings = []*mapping.Mapping{own} })
	store := f.call("CreateEventDataStore", object{"Name": "outside", "AdvancedEventSelectors": outsideStore})["EventDataStoreArn"].(string)
	at := func(minutes int) time.Time {
		return time.Now().UTC().Add(-time.Duration(minutes) * time.Minute).Truncate(time.Second)
	}
	iso := func(minutes int) string { return at(minutes).Format(time.RFC3339) }
	channels := map[string]string{}
	for i, source := range []string{"GitHub", "OktaSystemLogEvents", "google-workspace", "kubernetes", "entra", "doors", "auto", "Custom"} {
		channels[source] = f.call("CreateChannel", object{"Name": fmt.Sprintf("channel-%d", i), "Source": source, "Destinations": []object{{"Type": "EVENT_DATA_STORE", "Location": store}}})["ChannelArn"].(string)
	}
	if why := f.fails("CreateChannel", object{"Name": "other", "Source": "windows", "Destinations": []object{{"Type": "EVENT_DATA_STORE", "Location": store}}}, "InvalidSourceException"); !strings.Contains(why, "doors") || !strings.Contains(why, "kubernetes") {
		t.Error(why)
	}
	github := fmt.Sprintf(`{"@timestamp":%d,"_document_id":"g1","action":"repo.destroy","actor":"octocat","actor_ip":"192.0.2.1","org":"acme","repo":"acme/site"}`, at(10).UnixMilli())
	data := map[string]string{
		"GitHub":              github,
		"OktaSystemLogEvents": `{"uuid":"o1","published":"` + iso(20) + `","eventType":"user.session.start","actor":{"alternateId":"alice@example.com","type":"User"},"client":{"ipAddress":"192.0.2.2"},"outcome":{"result":"FAILURE","reason":"LOCKED_OUT"}}`,
		"google-workspace":    `{"id":{"time":"` + iso(30) + `","uniqueQualifier":"1","applicationName":"admin"},"actor":{"email":"root@example.com"},"ipAddress":"192.0.2.3","events":[{"name":"CREATE_USER"},{"name":"GRANT_ADMIN_PRIVILEGE"}]}`,
		"kubernetes":          `{"kind":"Event","apiVersion":"audit.k8s.io/v1","auditID":"k1","stage":"ResponseComplete","verb":"delete","user":{"username":"dev"},"sourceIPs":["192.0.2.4"],"objectRef":{"resource":"pods"},"responseStatus":{"code":200},"stageTimestamp":"` + iso(40) + `"}`,
		"entra":               `{"id":"e1","activityDisplayName":"Add member to role","activityDateTime":"` + iso(50) + `","initiatedBy":{"user":{"userPrincipalName":"eve@example.com","ipAddress":"192.0.2.5"}},"result":"success"}`,
		"doors":               `{"what":"open","at":"` + iso(60) + `","n":7,"who":"Ann"}`,
		"auto":                strings.Replace(github, "g1", "g2", 1),
		"Custom":              auditData(func(o object) { o["eventTime"] = iso(70) }),
	}
	ids := map[string]string{}
	for source, text := range data {
		out, code := f.put(f.key, channels[source], "", []object{{"id": "one", "eventData": text}})
		if code != "" || len(out["successful"].([]any)) != 1 {
			t.Fatal(source, code, out)
		}
		ids[source] = out["successful"].([]any)[0].(object)["eventID"].(string)
	}
	got := f.rows("SELECT eventData.userIdentity.principalId AS who, eventData.eventSource AS product, eventData.eventName AS what, eventData.sourceIPAddress AS origin, eventData.errorCode AS code " +
		"FROM outside WHERE eventTime > now() - INTERVAL '1' DAY ORDER BY eventTime DESC, eventID, what")
	want := map[string]int{"octocat github.com repo.destroy 192.0.2.1 ": 2, "alice@example.com okta.com user.session.start 192.0.2.2 FAILURE": 1, "root@example.com workspace.google.com CREATE_USER 192.0.2.3 ": 1,
		"root@example.com workspace.google.com GRANT_ADMIN_PRIVILEGE 192.0.2.3 ": 1, "dev kubernetes delete pods 192.0.2.4 ": 1, "eve@example.com entra.microsoft.com Add member to role 192.0.2.5 ": 1, "Ann doors.example open  ": 1}
	for _, line := range strings.Split(strings.TrimSuffix(got, "\n"), "\n") {
		if want[line]--; want[line] < 0 && !strings.Contains(line, "Refund") {
			t.Errorf("not expected: %q", line)
		}
	}
	for line, n := range want {
		if n > 0 {
			t.Errorf("missing: %q of\n%s", line, got)
		}
	}
	if n := strings.TrimSpace(f.rows("SELECT count(*) AS n FROM outside WHERE eventID = '" + ids["GitHub"] + "' AND recipientAccountId = '" + account + "' AND metadata.channelARN = '" + channels["GitHub"] + "'")); n != "1" {
		t.Errorf("%s events of GitHub with its ID, account and channel", n)
	}

	// Each event for itself; one in the service's own form is taken as such, and is
	// checked as such. The same record by another producer's ID is the same event.
	out, code := f.put(f.key, channels["GitHub"], "", []object{
		{"id": "again", "eventData": github}, {"id": "nothing", "eventData": "{}"}, {"id": "nojson", "eventData": "{"}, {"id": "list", "eventData": "[]"}, {"id": "text", "eventData": `"x"`}, {"id": "void", "eventData": ""},
		{"id": "notime", "eventData": `{"action":"repo.create","actor":"x","org":"acme"}`}, {"id": "sum", "eventData": github, "eventDataChecksum": "AAAA"},
		{"id": "own", "eventData": auditData(func(o object) { o["UID"] = "own" })}, {"id": "ownbad", "eventData": auditData(func(o object) { delete(o, "eventName") })},
	})
	if code != "" {
		t.Fatal(code, out)
	}
	codes, messages := map[string]string{}, map[string]string{}
	for _, e := range out["failed"].([]any) {
		id := e.(object)["id"].(string)
		codes[id], messages[id] = e.(object)["errorCode"].(string), e.(object)["errorMessage"].(string)
	}
	if fmt.Sprint(codes) != fmt.Sprint(map[string]string{"nothing": "FieldNotFound", "nojson": "InvalidData", "list": "InvalidData", "text": "InvalidData", "void": "InvalidData", "notime": "FieldNotFound", "sum": "InvalidChecksum", "ownbad": "FieldNotFound"}) {
		t.Errorf("got %v", codes)
	}
	if !strings.Contains(messages["notime"], "github: missing eventTime") || !strings.Contains(messages["notime"], "@timestamp, created_at") {
		t.Error(messages["notime"])
	}
	if list := out["successful"].([]any); len(list) != 2 || list[0].(object)["eventID"] != ids["GitHub"] {
		t.Errorf("got %v", list)
	}
	if n := strings.TrimSpace(f.rows("SELECT count(*) AS n FROM outside WHERE eventData.eventSource = 'github.com'")); n != "2" {
		t.Errorf("%s events of GitHub", n)
	}

	// Records whose events would fill the memory are refused, their neighbours are not.
	var b strings.Builder
	fmt.Fprintf(&b, `{"id":{"time":"%s","uniqueQualifier":"9","applicationName":"admin"},"pad":"%s","events":[%s{"name":"b"}]}`, iso(5), strings.Repeat("x", 12_000), strings.Repeat(`{"name":"a"},`, 999))
	out, code = f.put(f.key, channels["google-workspace"], "", []object{{"id": "large", "eventData": b.String()}, {"id": "small", "eventData": strings.Replace(data["google-workspace"], `"1"`, `"2"`, 1)}})
	if code != "" || len(out["failed"].([]any)) != 1 || len(out["successful"].([]any)) != 1 || !strings.Contains(fmt.Sprint(out["failed"]), "too many events") {
		t.Errorf("%s %v", code, out)
	}
}

func TestMappingsOfServers(t *testing.T) {
	named := func(product string) *mapping.Mapping {
		m, err := mapping.Parse([]byte(`{"mapping":1,"product":"` + product + `","eventSource":"x","eventName":"x","eventTime":"{at}","principalId":"x"}`))
		if err != nil {
			t.Fatal(err)
		}
		return m
	}
	for _, list := range [][]*mapping.Mapping{{named("github")}, {named("own"), named("own")}, {named("auto")}} {
		if _, err := api.New(api.Config{Lake: newFixture(t, nil).lake, Open: auth.Trust("everybody", auth.Origin{}), Mappings: list}); err == nil || !strings.Contains(err.Error(), "already") {
			t.Errorf("%s: %v", list[0].Name(), err)
		}
	}
}
