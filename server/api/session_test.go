package api_test

import (
	"bytes"
	"compress/gzip"
	"context"
	"crypto"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"

	"github.com/cairndb/cairn/engine"
	"github.com/cairndb/cairn/server/api"
	"github.com/cairndb/cairn/server/auth"
)

// withBuckets gives the API a directory with the bucket audit-bucket.
func withBuckets(t testing.TB) (dir string, adjust func(*api.Config)) {
	dir = t.TempDir()
	if err := os.Mkdir(filepath.Join(dir, "audit-bucket"), 0o755); err != nil {
		t.Fatal(err)
	}
	return dir, func(c *api.Config) {
		c.Buckets = func(_ context.Context, name string) (engine.Bucket, io.Closer, error) {
			path := filepath.Join(dir, name)
			if _, err := os.Stat(path); err != nil {
				return nil, nil, fmt.Errorf("%w: %w", fs.ErrNotExist, err)
			}
			return engine.DirBucket(vfs.Default, path), io.NopCloser(nil), nil
		}
		c.Targets = func(name string) (string, error) { return "file:" + filepath.Join(dir, name), nil }
	}
}

// record is event i of an account.
func record(i int, account string) []byte {
	return fmt.Appendf(nil, `{"eventVersion":"1.08","eventTime":"%s","eventID":"%08d-0000-4000-8000-%s","eventSource":"s3.amazonaws.com",`+
		`"eventName":"%s","awsRegion":"eu-west-1","sourceIPAddress":"10.0.0.%d","recipientAccountId":"%s","eventType":"AwsApiCall","eventCategory":"Management","managementEvent":true,`+
		`"userIdentity":{"type":"IAMUser","userName":"user-%d","accessKeyId":"AKIA%016d"},"requestParameters":{"bucketName":"bucket-%d"},"readOnly":%t}`,
		time.Now().Add(-time.Duration(i)*time.Minute).UTC().Format("2006-01-02T15:04:05Z"), i, account,
		[]string{"CreateBucket", "DeleteBucket", "ListBuckets"}[i%3], i%200, account, i%7, i%5, i%11, i%3 == 2)
}

// fill offers events of two accounts to the lake.
func (f *fixture) fill(n int) {
	f.t.Helper()
	var records [][]byte
	for i := range n {
		records = append(records, record(i, []string{account, "444455556666"}[i%2]))
	}
	if _, err := f.lake.Append(context.Background(), records); err != nil {
		f.t.Fatal(err)
	}
}

// wait waits until a query has ended.
func (f *fixture) wait(id string) object {
	f.t.Helper()
	for range 3000 {
		if out := f.call("DescribeQuery", object{"QueryId": id}); out["QueryStatus"] != "QUEUED" && out["QueryStatus"] != "RUNNING" && out["DeliveryStatus"] != "PENDING" {
			return out
		}
		time.Sleep(10 * time.Millisecond)
	}
	f.t.Fatal("the query does not end")
	return nil
}

func TestQueries(t *testing.T) {
	dir, adjust := withBuckets(t)
	f := newFixture(t, adjust)
	arn := f.call("CreateEventDataStore", object{"Name": "audit"})["EventDataStoreArn"].(string)
	id := arn[strings.LastIndexByte(arn, '/')+1:]
	f.fill(300)
	q := f.call("StartQuery", object{"QueryStatement": `SELECT eventName, userIdentity.userName AS who, errorCode FROM "` + id + `" WHERE eventSource = 's3.amazonaws.com' ORDER BY eventTime`,
		"DeliveryS3Uri": "s3://audit-bucket/results"})["QueryId"].(string)
	d := f.wait(q)
	if d["QueryStatus"] != "FINISHED" || d["DeliveryStatus"] != "SUCCESS" || d["QueryStatistics"].(object)["EventsMatched"] != 150.0 {
		t.Fatalf("got %v", d)
	}
	// All pages, once.
	var rows []any
	in := object{"QueryId": q, "MaxQueryResults": 40}
	for {
		out := f.call("GetQueryResults", in)
		rows = append(rows, out["QueryResultRows"].([]any)...)
		next, ok := out["NextToken"]
		if !ok {
			break
		}
		if len(out["QueryResultRows"].([]any)) != 40 {
			t.Errorf("a page of %d", len(out["QueryResultRows"].([]any)))
		}
		in["NextToken"] = next
	}
	if len(rows) != 150 || fmt.Sprint(rows[149]) != "[map[eventName:CreateBucket] map[who:user-0] map[errorCode:]]" {
		t.Errorf("%d rows, the last %v", len(rows), rows[len(rows)-1])
	}
	// A token is of its own request only.
	token := f.call("GetQueryResults", object{"QueryId": q, "MaxQueryResults": 40})["NextToken"].(string)
	other := f.call("StartQuery", object{"QueryStatement": "SELECT count(*) AS n FROM audit WHERE eventSource = 's3.amazonaws.com'"})["QueryId"].(string)
	f.wait(other)
	f.fails("GetQueryResults", object{"QueryId": other, "NextToken": token}, "InvalidNextTokenException")
	f.fails("GetQueryResults", object{"QueryId": q, "NextToken": token[:len(token)-1] + "A"}, "InvalidNextTokenException")
	if out := f.call("GetQueryResults", object{"QueryId": other}); fmt.Sprint(out["QueryResultRows"]) != "[[map[n:150]]]" {
		t.Errorf("events of the key's account: %v", out["QueryResultRows"])
	}
	f.fails("CancelQuery", object{"QueryId": other}, "InactiveQueryException")
	f.fails("StartQuery", object{"QueryStatement": "SELEC 1"}, "InvalidQueryStatementException")
	f.fails("StartQuery", object{"QueryStatement": "SELECT 1 FROM nowhere"}, "EventDataStoreNotFoundException")
	f.fails("StartQuery", object{"QueryStatement": "SELECT 1", "DeliveryS3Uri": "s3://no-such-bucket/x"}, "S3BucketDoesNotExistException")
	f.fails("StartQuery", object{"QueryStatement": "SELECT 1", "DeliveryS3Uri": "s3://audit-bucket/../x"}, "InvalidS3PrefixException")
	f.fails("StartQuery", object{"QueryStatement": "SELECT 1", "DeliveryS3Uri": "http://x"}, "InvalidS3BucketNameException")
	f.fails("DescribeQuery", object{"QueryId": "00000000-0000-4000-8000-000000000000"}, "QueryIdNotFoundException")
	f.fails("DescribeQuery", object{}, "InvalidParameterException")
	if out := f.call("ListQueries", object{"EventDataStore": arn, "MaxResults": 1}); len(out["Queries"].([]any)) != 1 || out["NextToken"] == nil {
		t.Errorf("got %v", out)
	} else if out := f.call("ListQueries", object{"EventDataStore": arn, "MaxResults": 1, "NextToken": out["NextToken"]}); len(out["Queries"].([]any)) != 1 || out["NextToken"] != nil {
		t.Errorf("got %v", out)
	}
	checkDelivered(t, f, filepath.Join(dir, "audit-bucket", "results", "AWSLogs", account, "CloudTrail-Lake", "Query"), q)
}

// checkDelivered verifies what was delivered as the AWS CLI does.
func checkDelivered(t *testing.T, f *fixture, dir, id string) {
	t.Helper()
	var sign struct {
		Files []struct {
			Hash string `json:"fileHashValue"`
			Name string `json:"fileName"`
		} `json:"files"`
		Completed   time.Time `json:"queryCompleteTime"`
		Signature   string    `json:"hashSignature"`
		Fingerprint string    `json:"publicKeyFingerprint"`
	}
	found := false
	err := filepath.WalkDir(dir, func(path string, _ fs.DirEntry, err error) error {
		if err != nil || filepath.Base(path) != "result_sign.json" {
			return err
		}
		found = true
		if filepath.Base(filepath.Dir(path)) != id {
			t.Errorf("it lies in %s", path)
		}
		text, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		if err := json.Unmarshal(text, &sign); err != nil {
			return err
		}
		packed, err := os.ReadFile(filepath.Join(filepath.Dir(path), sign.Files[0].Name))
		if err != nil {
			return err
		}
		sum := sha256.Sum256(packed)
		if hex.EncodeToString(sum[:]) != sign.Files[0].Hash {
			t.Error("the hash is not that of the file")
		}
		z, err := gzip.NewReader(bytes.NewReader(packed))
		if err != nil {
			return err
		}
		csv, err := io.ReadAll(z)
		if lines := strings.Split(strings.TrimSpace(string(csv)), "\n"); err != nil || len(lines) != 151 || lines[0] != "eventName,who,errorCode" {
			t.Errorf("%d lines, the first %q, %v", len(lines), lines[0], err)
		}
		return nil
	})
	if err != nil || !found {
		t.Fatal(found, err)
	}
	at := float64(sign.Completed.Unix())
	for _, k := range f.call("ListPublicKeys", object{"StartTime": at, "EndTime": at})["PublicKeyList"].([]any) {
		k := k.(object)
		if k["Fingerprint"] != sign.Fingerprint {
			continue
		}
		der, err := base64.StdEncoding.DecodeString(k["Value"].(string))
		if err != nil {
			t.Fatal(err)
		}
		public, err := x509.ParsePKCS1PublicKey(der)
		if err != nil {
			t.Fatal(err)
		}
		signature, err := hex.DecodeString(sign.Signature)
		if err != nil {
			t.Fatal(err)
		}
		sum := sha256.Sum256([]byte(sign.Files[0].Hash))
		if err := rsa.VerifyPKCS1v15(public, crypto.SHA256, sum[:], signature); err != nil {
			t.Error(err)
		}
		return
	}
	t.Error("the key of the signature is not among the public keys")
}

func TestLookupEvents(t *testing.T) {
	f := newFixture(t, nil)
	f.fill(200)
	var all []any
	in := object{"MaxResults": 30, "LookupAttributes": []object{{"AttributeKey": "EventSource", "AttributeValue": "s3.amazonaws.com"}}}
	for {
		out := f.call("LookupEvents", in)
		all = append(all, out["Events"].([]any)...)
		if in["NextToken"] = out["NextToken"]; in["NextToken"] == nil {
			break
		}
	}
	if len(all) != 100 {
		t.Fatalf("%d events, the account has 100", len(all))
	}
	first := all[0].(object)
	if first["EventName"] != "CreateBucket" || first["Username"] != "user-0" || first["ReadOnly"] != "false" || first["AccessKeyId"] != "AKIA0000000000000000" ||
		!strings.Contains(fmt.Sprint(first["Resources"]), "bucket-0") || !strings.Contains(first["CloudTrailEvent"].(string), `"eventID":"00000000-0000`) {
		t.Errorf("got %v", first)
	}
	attribute := func(k, v string) []object { return []object{{"AttributeKey": k, "AttributeValue": v}} }
	for k, v := range map[string]string{"EventId": "00000004-0000-4000-8000-" + account, "EventName": "ListBuckets", "ReadOnly": "true", "Username": "user-4", "ResourceName": "bucket-4", "AccessKeyId": "AKIA0000000000000004"} {
		if out := f.call("LookupEvents", object{"LookupAttributes": attribute(k, v)}); len(out["Events"].([]any)) == 0 {
			t.Errorf("nothing is found by %s", k)
		}
	}
	token := f.call("LookupEvents", object{"MaxResults": 1})["NextToken"]
	f.fails("LookupEvents", object{"NextToken": token, "StartTime": 1}, "InvalidNextTokenException")
	f.fails("LookupEvents", object{"NextToken": "abcd"}, "InvalidNextTokenException")
	f.fails("LookupEvents", object{"MaxResults": 51}, "InvalidMaxResultsException")
	f.fails("LookupEvents", object{"StartTime": 2, "EndTime": 1}, "InvalidTimeRangeException")
	f.fails("LookupEvents", object{"EventCategory": "Insight"}, "InvalidEventCategoryException")
	f.fails("LookupEvents", object{"LookupAttributes": attribute("Colour", "x")}, "InvalidLookupAttributesException")
	f.fails("LookupEvents", object{"LookupAttributes": attribute("EventName", "")}, "InvalidLookupAttributesException")
	f.fails("LookupEvents", object{"LookupAttributes": attribute("EventName", strings.Repeat("_", 1001))}, "InvalidLookupAttributesException")
	f.fails("LookupEvents", object{"LookupAttributes": append(attribute("EventName", "a"), attribute("EventName", "b")...)}, "InvalidLookupAttributesException")
	f.fails("LookupEvents", object{"EventCategory": "insight", "LookupAttributes": attribute("Username", "a")}, "InvalidLookupAttributesException")
	f.call("LookupEvents", object{"EventCategory": "insight", "LookupAttributes": attribute("EventName", "a")})
}

func TestTrails(t *testing.T) {
	_, adjust := withBuckets(t)
	f := newFixture(t, adjust)
	out := f.call("CreateTrail", object{"Name": "main", "S3BucketName": "audit-bucket", "S3KeyPrefix": "logs", "EnableLogFileValidation": true, "SnsTopicName": "told"})
	arn := "arn:aws:cloudtrail:" + region + ":" + account + ":trail/main"
	if out["TrailARN"] != arn || out["SnsTopicARN"] != "arn:aws:sns:"+region+":"+account+":told" || out["IncludeGlobalServiceEvents"] != true {
		t.Errorf("got %v", out)
	}
	f.fails("CreateTrail", object{"Name": "main", "S3BucketName": "audit-bucket"}, "TrailAlreadyExistsException")
	f.fails("CreateTrail", object{"Name": "a--b", "S3BucketName": "audit-bucket"}, "InvalidTrailNameException")
	f.fails("CreateTrail", object{"Name": "10.0.0.1", "S3BucketName": "audit-bucket"}, "InvalidTrailNameException")
	f.fails("CreateTrail", object{"Name": "other", "S3BucketName": "Audit"}, "InvalidS3BucketNameException")
	f.fails("CreateTrail", object{"Name": "other", "S3BucketName": "../../etc"}, "InvalidS3BucketNameException")
	f.fails("CreateTrail", object{"Name": "other", "S3BucketName": "no-such-bucket"}, "S3BucketDoesNotExistException")
	f.fails("CreateTrail", object{"Name": "other", "S3BucketName": "audit-bucket", "S3KeyPrefix": "../x"}, "InvalidS3PrefixException")
	f.fails("CreateTrail", object{"Name": "other", "S3BucketName": "audit-bucket", "IsMultiRegionTrail": true, "IncludeGlobalServiceEvents": false}, "InvalidParameterCombinationException")
	f.fails("CreateTrail", object{"Name": "other", "S3BucketName": "audit-bucket", "CloudWatchLogsRoleArn": "arn:aws:iam::111122223333:role/x"}, "InvalidCloudWatchLogsLogGroupArnException")
	f.fails("CreateTrail", object{"Name": "other", "S3BucketName": "audit-bucket", "IsOrganizationTrail": true}, "OrganizationsNotInUseException")
	if got := f.call("GetTrail", object{"Name": arn})["Trail"].(object); got["HasCustomEventSelectors"] != false || got["HomeRegion"] != region {
		t.Errorf("got %v", got)
	}
	if got := f.call("GetEventSelectors", object{"TrailName": "main"}); fmt.Sprint(got["EventSelectors"]) != "[map[DataResources:[] ExcludeManagementEventSources:[] IncludeManagementEvents:true ReadWriteType:All]]" {
		t.Errorf("got %v", got)
	}
	f.fails("PutEventSelectors", object{"TrailName": "main"}, "InvalidEventSelectorsException")
	f.fails("PutEventSelectors", object{"TrailName": "main", "AdvancedEventSelectors": []object{{"FieldSelectors": []object{{"Field": "eventCategory", "Equals": []string{"Data"}}}}}}, "InvalidEventSelectorsException")
	f.call("PutEventSelectors", object{"TrailName": "main", "EventSelectors": []object{{"ReadWriteType": "WriteOnly"}}})
	if got := f.call("DescribeTrails", object{})["trailList"].([]any); len(got) != 1 || got[0].(object)["HasCustomEventSelectors"] != true {
		t.Errorf("got %v", got)
	}
	if got := f.call("GetTrailStatus", object{"Name": "main"}); got["IsLogging"] != false {
		t.Errorf("got %v", got)
	}
	f.call("StartLogging", object{"Name": "main"})
	f.fill(4)
	if _, err := f.lake.DeliverTrail(context.Background(), arn); err != nil {
		t.Fatal(err)
	}
	if got := f.call("GetTrailStatus", object{"Name": "main"}); got["IsLogging"] != true || got["LatestDeliveryTime"] == nil || got["TimeLoggingStarted"] == nil {
		t.Errorf("got %v", got)
	}
	f.call("PutInsightSelectors", object{"TrailName": "main", "InsightSelectors": []object{{"InsightType": "ApiCallRateInsight"}}})
	if got := f.call("GetInsightSelectors", object{"TrailName": "main"}); !strings.Contains(fmt.Sprint(got), "ApiCallRateInsight") {
		t.Errorf("got %v", got)
	}
	f.call("PutEventConfiguration", object{"TrailName": "main", "AggregationConfigurations": []object{{"Templates": []string{"API_ACTIVITY"}, "EventCategory": "Data"}}})
	if got := f.call("GetEventConfiguration", object{"TrailName": "main"}); !strings.Contains(fmt.Sprint(got), "API_ACTIVITY") {
		t.Errorf("got %v", got)
	}
	f.call("AddTags", object{"ResourceId": arn, "TagsList": []object{{"Key": "a", "Value": "b"}}})
	f.call("RemoveTags", object{"ResourceId": arn, "TagsList": []object{{"Key": "a"}}})
	if got := f.call("ListTrails", object{}); len(got["Trails"].([]any)) != 1 {
		t.Errorf("got %v", got)
	}
	f.call("UpdateTrail", object{"Name": "main", "S3KeyPrefix": "other"})
	f.call("StopLogging", object{"Name": "main"})
	f.call("DeleteTrail", object{"Name": "main"})
	f.fails("GetTrail", object{"Name": "main"}, "TrailNotFoundException")
	f.fails("GetTrail", object{"Name": "arn:aws:cloudtrail:nothing"}, "CloudTrailARNInvalidException")
}

// A log group gets the events of a trail where the server knows it.
func TestTrailLogGroup(t *testing.T) {
	dir, adjust := withBuckets(t)
	f := newFixture(t, func(c *api.Config) {
		adjust(c)
		c.LogGroups = func(arn string) (string, error) { return "jsonl:" + filepath.Join(dir, "group.jsonl"), nil }
	})
	const group, role = "arn:aws:logs:" + region + ":" + account + ":log-group:trail/x:*", "arn:aws:iam::" + account + ":role/logs"
	for bad, code := range map[string]string{"arn:aws:logs:eu-west-1:444455556666:log-group:x:*": "InvalidCloudWatchLogsLogGroupArnException", "x": "InvalidCloudWatchLogsLogGroupArnException",
		"arn:aws:logs:eu-west-1:" + account + ":log-group:../../x": "InvalidCloudWatchLogsLogGroupArnException"} {
		if why := f.fails("CreateTrail", object{"Name": "main", "S3BucketName": "audit-bucket", "CloudWatchLogsLogGroupArn": bad, "CloudWatchLogsRoleArn": role}, code); !strings.Contains(why, "CloudWatchLogsLogGroupArn") {
			t.Error(why)
		}
	}
	f.fails("CreateTrail", object{"Name": "main", "S3BucketName": "audit-bucket", "CloudWatchLogsLogGroupArn": group, "CloudWatchLogsRoleArn": "role"}, "InvalidCloudWatchLogsRoleArnException")
	f.call("CreateTrail", object{"Name": "main", "S3BucketName": "audit-bucket", "CloudWatchLogsLogGroupArn": group, "CloudWatchLogsRoleArn": role})
	f.call("StartLogging", object{"Name": "main"})
	f.fill(4)
	if _, err := f.lake.DeliverTrail(context.Background(), "main"); err != nil {
		t.Fatal(err)
	}
	if got := f.call("GetTrailStatus", object{"Name": "main"}); got["LatestCloudWatchLogsDeliveryTime"] == nil || got["LatestCloudWatchLogsDeliveryError"] != nil {
		t.Errorf("got %v", got)
	}
	b, err := os.ReadFile(filepath.Join(dir, "group.jsonl"))
	if n := strings.Count(string(b), `"logStreamName":"`+account+`_CloudTrail_`+region+`"`); err != nil || n < 2 || !strings.Contains(string(b), "CreateBucket") {
		t.Errorf("%d events, %v: %s", n, err, b)
	}
	f.call("UpdateTrail", object{"Name": "main", "CloudWatchLogsLogGroupArn": "", "CloudWatchLogsRoleArn": ""})
	if got := f.call("GetTrail", object{"Name": "main"})["Trail"].(object); got["CloudWatchLogsLogGroupArn"] != nil {
		t.Errorf("got %v", got)
	}
	if i, err := f.lake.Trail("main"); err != nil || i.Status.Logs != nil {
		t.Errorf("%+v, %v", i.Status.Logs, err)
	}
}

// auditData is the data of an audit event.
func auditData(adjust func(object)) string {
	o := object{"version": "1", "userIdentity": object{"type": "User", "principalId": "ada", "details": object{"team": "x"}}, "eventSource": "shop.example.com", "eventName": "Refund",
		"eventTime": time.Now().UTC().Format("2006-01-02T15:04:05Z"), "UID": "u-1", "recipientAccountId": account, "sourceIPAddress": "10.0.0.1", "requestParameters": object{"order": 17}}
	if adjust != nil {
		adjust(o)
	}
	b, err := json.Marshal(o)
	if err != nil {
		panic(err)
	}
	return string(b)
}

var outsideStore = []object{{"FieldSelectors": []object{{"Field": "eventCategory", "Equals": []string{"ActivityAuditLog"}}}}}

func TestPutAuditEvents(t *testing.T) {
	f := newFixture(t, nil)
	store := f.call("CreateEventDataStore", object{"Name": "outside", "AdvancedEventSelectors": outsideStore})["EventDataStoreArn"].(string)
	plain := f.call("CreateEventDataStore", object{"Name": "plain"})["EventDataStoreArn"].(string)
	f.fails("CreateChannel", object{"Name": "shop", "Source": "Custom", "Destinations": []object{{"Type": "EVENT_DATA_STORE", "Location": plain}}}, "InvalidEventDataStoreCategoryException")
	f.fails("CreateChannel", object{"Name": "shop", "Source": "Nobody", "Destinations": []object{{"Type": "EVENT_DATA_STORE", "Location": store}}}, "InvalidSourceException")
	channel := f.call("CreateChannel", object{"Name": "shop", "Source": "Custom", "Destinations": []object{{"Type": "EVENT_DATA_STORE", "Location": store}}})["ChannelArn"].(string)
	f.fails("CreateChannel", object{"Name": "shop", "Source": "GitHub", "Destinations": []object{{"Type": "EVENT_DATA_STORE", "Location": store}}}, "ChannelAlreadyExistsException")
	long := strings.Repeat("x", 1025)
	events := []object{
		{"id": "good", "eventData": auditData(nil)},
		{"id": "noname", "eventData": auditData(func(o object) { delete(o, "eventName") })},
		{"id": "longname", "eventData": auditData(func(o object) { o["eventName"] = long })},
		{"id": "stranger", "eventData": auditData(func(o object) { o["recipientAccountId"] = "444455556666" })},
		{"id": "nojson", "eventData": "{"},
		{"id": "nouser", "eventData": auditData(func(o object) { o["userIdentity"] = object{"type": "x"} })},
		{"id": "badtime", "eventData": auditData(func(o object) { o["eventTime"] = "yesterday" })},
		{"id": "empty", "eventData": ""},
		{"id": "list", "eventData": " []"},
		{"id": "two", "eventData": auditData(nil) + "{}"},
		{"id": "half", "eventData": auditData(nil)[:40]},
		{"id": "escaped", "eventData": strings.Replace(auditData(func(o object) { o["UID"] = "escaped" }), `"eventName"`, `"event\u004eame"`, 1)},
		{"id": "details", "eventData": auditData(func(o object) { o["userIdentity"] = object{"type": "x", "principalId": "y", "details": 1} })},
		{"id": "badip", "eventData": auditData(func(o object) { o["sourceIPAddress"] = "home" })},
		{"id": "badsum", "eventData": auditData(nil), "eventDataChecksum": "AAAA"},
		{"id": "toobig", "eventData": auditData(func(o object) { o["additionalEventData"] = object{"a": strings.Repeat("x", 28<<10)} })},
		{"id": "notime", "eventData": auditData(func(o object) { o["eventTime"] = strings.TrimSuffix(o["eventTime"].(string), "Z") })},
	}
	out, code := f.put(f.key, channel, "", events)
	if code != "" {
		t.Fatal(code, out)
	}
	codes := map[string]string{}
	for _, e := range out["failed"].([]any) {
		codes[e.(object)["id"].(string)] = e.(object)["errorCode"].(string)
	}
	want := map[string]string{"empty": "InvalidData", "list": "InvalidData", "two": "InvalidData", "half": "InvalidData", "details": "InvalidData", "noname": "FieldNotFound", "longname": "FieldTooLong", "stranger": "InvalidRecipient", "nojson": "InvalidData", "nouser": "FieldNotFound",
		"badtime": "InvalidData", "badip": "InvalidData", "badsum": "InvalidChecksum", "toobig": "FieldTooLong"}
	if fmt.Sprint(codes) != fmt.Sprint(want) {
		t.Errorf("got %v, want %v", codes, want)
	}
	if got := out["successful"].([]any); len(got) != 3 {
		t.Errorf("got %v", got)
	}
	again, _ := f.put(f.key, channel, "", events[:1])
	if fmt.Sprint(again["successful"].([]any)[0]) != fmt.Sprint(out["successful"].([]any)[0]) {
		t.Errorf("again: %v", again)
	}
	q := f.call("StartQuery", object{"QueryStatement": "SELECT count(*) AS n, max(eventData.eventName) AS name FROM outside"})["QueryId"].(string)
	f.wait(q)
	if out := f.call("GetQueryResults", object{"QueryId": q}); fmt.Sprint(out["QueryResultRows"]) != "[[map[n:3] map[name:Refund]]]" {
		t.Errorf("got %v", out)
	}
	if st := f.call("GetChannel", object{"Channel": channel})["IngestionStatus"].(object); st["LatestIngestionSuccessEventID"] == nil || st["LatestIngestionErrorCode"] != "FieldTooLong" {
		t.Errorf("got %v", st)
	}
	if _, code := f.put(f.key, channel, "", []object{{"id": "a", "eventData": "{}"}, {"id": "a", "eventData": "{}"}}); code != "DuplicatedAuditEventId" {
		t.Error(code)
	}
	for _, bad := range [][]object{{}, make([]object, 101), {{"id": "a b", "eventData": "{}"}}, {{"id": "a"}}} {
		if _, code := f.put(f.key, channel, "", bad); code != "InvalidParameterException" {
			t.Errorf("%d events: %s", len(bad), code)
		}
	}
	if _, code := f.put(f.key, "nothing", "", events[:1]); code != "InvalidChannelARN" {
		t.Error(code)
	}
	if _, code := f.put(f.key, "00000000-0000-4000-8000-000000000000", "", events[:1]); code != "ChannelNotFound" {
		t.Error(code)
	}
	// Another account needs a policy, and the external ID that it asks for.
	other := f.newKey("wim", auth.Grants{Role: "writer", Stores: []string{"outside"}, Accounts: nil}, "444455556666")
	if _, code := f.put(other, channel, "", events[:1]); code != "ChannelInsufficientPermission" {
		t.Error(code)
	}
	f.fails("PutResourcePolicy", object{"ResourceArn": channel, "ResourcePolicy": "{}"}, "ResourcePolicyNotValidException")
	f.call("PutResourcePolicy", object{"ResourceArn": channel, "ResourcePolicy": `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":{"AWS":"444455556666"},"Action":"cloudtrail-data:PutAuditEvents","Resource":"` +
		channel + `","Condition":{"StringEquals":{"cloudtrail:ExternalId":"s3cret"}}}]}`})
	if _, code := f.put(other, channel, "", events[:1]); code != "ChannelInsufficientPermission" {
		t.Error(code)
	}
	if out, code := f.put(other, channel, "s3cret", events[:1]); code != "" || len(out["successful"].([]any)) != 1 {
		t.Error(code, out)
	}
	f.call("UpdateEventDataStore", object{"EventDataStore": store, "TerminationProtectionEnabled": false})
	f.fails("DeleteEventDataStore", object{"EventDataStore": store}, "ChannelExistsForEDSException")
	f.call("UpdateChannel", object{"Channel": channel, "Name": "renamed"})
	if out := f.call("ListChannels", object{}); !strings.Contains(fmt.Sprint(out), "renamed") {
		t.Errorf("got %v", out)
	}
	f.call("DeleteResourcePolicy", object{"ResourceArn": channel})
	f.fails("GetResourcePolicy", object{"ResourceArn": channel}, "ResourcePolicyNotFoundException")
	f.call("DeleteChannel", object{"Channel": channel})
	f.call("DeleteEventDataStore", object{"EventDataStore": store})
}

func TestImports(t *testing.T) {
	dir, adjust := withBuckets(t)
	f := newFixture(t, adjust)
	store := f.call("CreateEventDataStore", object{"Name": "copied", "StartIngestion": false})["EventDataStoreArn"].(string)
	logs := filepath.Join(dir, "audit-bucket", "AWSLogs", account, "CloudTrail", region, "2026", "01", "01")
	if err := os.MkdirAll(logs, 0o755); err != nil {
		t.Fatal(err)
	}
	write := func(name string, text []byte) {
		var b bytes.Buffer
		z := gzip.NewWriter(&b)
		if _, err := z.Write(text); err != nil || z.Close() != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(logs, name), b.Bytes(), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	batch := func(from, to int) []byte {
		var list [][]byte
		for i := from; i < to; i++ {
			list = append(list, record(i, account))
		}
		return append(append([]byte(`{"Records":[`), bytes.Join(list, []byte(","))...), "]}"...)
	}
	write("a.json.gz", batch(0, 10))
	write("b.json.gz", []byte("this is no log"))
	write("c.json.gz", batch(10, 25))
	in := object{"Destinations": []string{store}, "ImportSource": object{"S3": object{"S3LocationUri": "s3://audit-bucket/AWSLogs/" + account, "S3BucketRegion": region, "S3BucketAccessRoleArn": "arn:aws:iam::111122223333:role/x"}}}
	id := f.call("StartImport", in)["ImportId"].(string)
	wait := func() object {
		for range 1000 {
			if out := f.call("GetImport", object{"ImportId": id}); out["ImportStatus"] != "IN_PROGRESS" && out["ImportStatus"] != "INITIALIZING" {
				return out
			}
			time.Sleep(10 * time.Millisecond)
		}
		t.Fatal("the import does not end")
		return nil
	}
	out := wait()
	if fmt.Sprintf("%v %v", out["ImportStatus"], out["ImportStatistics"]) != "COMPLETED map[EventsCompleted:25 FailedEntries:1 FilesCompleted:2 PrefixesCompleted:1 PrefixesFound:1]" {
		t.Errorf("got %v %v", out["ImportStatus"], out["ImportStatistics"])
	}
	if out := f.call("ListImportFailures", object{"ImportId": id}); !strings.Contains(fmt.Sprint(out), "b.json.gz") {
		t.Errorf("got %v", out)
	}
	if out := f.call("ListImports", object{"Destination": store}); len(out["Imports"].([]any)) != 1 {
		t.Errorf("got %v", out)
	}
	f.fails("StopImport", object{"ImportId": id}, "InvalidParameterException")
	f.fails("GetImport", object{"ImportId": "00000000-0000-4000-8000-000000000000"}, "ImportNotFoundException")
	in["ImportSource"].(object)["S3"].(object)["S3LocationUri"] = "s3://no-such-bucket"
	f.fails("StartImport", in, "InvalidImportSourceException")
}

func TestDashboards(t *testing.T) {
	f := newFixture(t, nil)
	f.call("CreateEventDataStore", object{"Name": "audit"})
	f.fill(20)
	widgets := []object{{"QueryStatement": "SELECT eventName, count(*) AS n FROM audit WHERE eventTime > timestamp '?' GROUP BY eventName", "QueryParameters": []string{"$StartTime$"},
		"ViewProperties": object{"Title": "Calls", "View": "Table"}}}
	out := f.call("CreateDashboard", object{"Name": "calls", "Widgets": widgets, "RefreshSchedule": object{"Frequency": object{"Unit": "HOURS", "Value": 6}, "Status": "ENABLED", "TimeOfDay": "07:30"}, "TerminationProtectionEnabled": true})
	alias := out["Widgets"].([]any)[0].(object)["QueryAlias"].(string)
	f.fails("CreateDashboard", object{"Name": "calls"}, "ConflictException")
	f.fails("CreateDashboard", object{"Name": "bad", "Widgets": []object{{"QueryStatement": "SELECT", "ViewProperties": object{}}}}, "InvalidQueryStatementException")
	f.fails("CreateDashboard", object{"Name": "bad", "RefreshSchedule": object{"TimeOfDay": "7"}}, "InvalidParameterException")
	f.fails("StartDashboardRefresh", object{"DashboardId": "calls"}, "InvalidParameterException")
	f.fails("StartDashboardRefresh", object{"DashboardId": "calls", "QueryParameterValues": object{"$StartTime$": "2020-01-01' OR 1=1 --"}}, "InvalidParameterException")
	refresh := f.call("StartDashboardRefresh", object{"DashboardId": "calls", "QueryParameterValues": object{"$StartTime$": "2020-11-05T10:45:24.00Z"}})["RefreshId"].(string)
	q := f.call("DescribeQuery", object{"QueryAlias": alias, "RefreshId": refresh})["QueryId"].(string)
	if d := f.wait(q); d["QueryStatus"] != "FINISHED" {
		t.Errorf("got %v", d)
	}
	if out := f.call("GetQueryResults", object{"QueryId": q}); len(out["QueryResultRows"].([]any)) < 3 {
		t.Errorf("got %v", out)
	}
	if out := f.call("GetDashboard", object{"DashboardId": "calls"}); out["Status"] != "CREATED" || out["LastRefreshId"] != refresh {
		t.Errorf("got %v", out)
	}
	f.fails("DeleteDashboard", object{"DashboardId": "calls"}, "ConflictException")
	f.call("UpdateDashboard", object{"DashboardId": "calls", "TerminationProtectionEnabled": false})
	if out := f.call("ListDashboards", object{"NamePrefix": "calls"}); len(out["Dashboards"].([]any)) != 1 {
		t.Errorf("got %v", out)
	}
	f.call("DeleteDashboard", object{"DashboardId": "calls"})
	f.fails("GetDashboard", object{"DashboardId": "calls"}, "ResourceNotFoundException")
}

func TestInsightsAndTheRest(t *testing.T) {
	f := newFixture(t, nil)
	from := f.call("CreateEventDataStore", object{"Name": "audit"})["EventDataStoreArn"].(string)
	to := f.call("CreateEventDataStore", object{"Name": "unusual", "AdvancedEventSelectors": []object{{"FieldSelectors": []object{{"Field": "eventCategory", "Equals": []string{"Insight"}}}}}})["EventDataStoreArn"].(string)
	f.fails("GetInsightSelectors", object{"EventDataStore": from}, "InsightNotEnabledException")
	f.call("PutInsightSelectors", object{"EventDataStore": from, "InsightsDestination": to, "InsightSelectors": []object{{"InsightType": "ApiCallRateInsight"}, {"InsightType": "ApiErrorRateInsight"}}})
	if out := f.call("GetInsightSelectors", object{"EventDataStore": from}); out["InsightsDestination"] != to || len(out["InsightSelectors"].([]any)) != 2 {
		t.Errorf("got %v", out)
	}
	f.call("PutInsightSelectors", object{"EventDataStore": from, "InsightSelectors": []object{}})
	f.fails("PutInsightSelectors", object{"InsightSelectors": []object{}}, "InvalidParameterCombinationException")
	f.call("ListInsightsData", object{"InsightSource": from, "DataType": "InsightsEvents", "Dimensions": object{"EventName": "x"}})
	metric := object{"EventSource": "s3.amazonaws.com", "EventName": "CreateBucket", "InsightType": "ApiCallRateInsight"}
	f.fill(30)
	if out := f.call("ListInsightsMetricData", metric); len(out["Timestamps"].([]any)) == 0 || len(out["Timestamps"].([]any)) != len(out["Values"].([]any)) {
		t.Errorf("got %v", out)
	}
	metric["Period"] = 61
	f.fails("ListInsightsMetricData", metric, "InvalidParameterException")
	f.fails("ListInsightsMetricData", object{"EventSource": "s3.amazonaws.com", "EventName": "x", "InsightType": "ApiErrorRateInsight"}, "InvalidParameterException")
	f.fails("PutEventConfiguration", object{"EventDataStore": from, "ContextKeySelectors": []object{{"Type": "TagContext", "Equals": []string{"a"}}}}, "InvalidParameterException")
	f.call("PutEventConfiguration", object{"EventDataStore": from, "MaxEventSize": "Large", "ContextKeySelectors": []object{{"Type": "TagContext", "Equals": []string{"a"}}}})
	if out := f.call("GetEventConfiguration", object{"EventDataStore": from}); out["MaxEventSize"] != "Large" {
		t.Errorf("got %v", out)
	}
	if out := f.call("SearchSampleQueries", object{"SearchPhrase": "sign-in without MFA", "MaxResults": 3}); len(out["SearchResults"].([]any)) != 3 || out["NextToken"] == nil {
		t.Errorf("got %v", out)
	}
	f.fails("GenerateQuery", object{"EventDataStores": []string{from}, "Prompt": "who was it"}, "UnsupportedOperationException")
	f.fails("GenerateQuery", object{"EventDataStores": []string{from}}, "InvalidParameterException")
	f.fails("RegisterOrganizationDelegatedAdmin", object{"MemberAccountId": "444455556666"}, "OrganizationsNotInUseException")
}

func TestOrganization(t *testing.T) {
	f := newFixture(t, func(c *api.Config) {
		c.Organization = &api.Organization{ID: "o-abcdefghij", Management: account, Members: []string{"444455556666", "555566667777", "666677778888", "777788889999"}}
	})
	member := f.newKey("admin", auth.Grants{}, "444455556666")
	arn := f.call("CreateEventDataStore", object{"Name": "everything", "OrganizationEnabled": true})["EventDataStoreArn"].(string)
	if _, code := f.as(member, "GetEventDataStore", object{"EventDataStore": arn[strings.LastIndexByte(arn, '/')+1:]}); code != "EventDataStoreNotFoundException" {
		t.Error(code)
	}
	if _, code := f.as(member, "CreateEventDataStore", object{"Name": "mine", "OrganizationEnabled": true}); code != "NotOrganizationMasterAccountException" {
		t.Error(code)
	}
	f.call("RegisterOrganizationDelegatedAdmin", object{"MemberAccountId": "444455556666"})
	f.fails("RegisterOrganizationDelegatedAdmin", object{"MemberAccountId": "444455556666"}, "AccountRegisteredException")
	f.fails("RegisterOrganizationDelegatedAdmin", object{"MemberAccountId": account}, "CannotDelegateManagementAccountException")
	f.fails("RegisterOrganizationDelegatedAdmin", object{"MemberAccountId": "999999999999"}, "AccountNotFoundException")
	if out, code := f.as(member, "GetEventDataStore", object{"EventDataStore": arn}); code != "" || out["EventDataStoreArn"] != arn {
		t.Error(code, out)
	}
	if _, code := f.as(member, "UpdateEventDataStore", object{"EventDataStore": arn, "OrganizationEnabled": false}); code != "NotOrganizationMasterAccountException" {
		t.Error(code)
	}
	if _, code := f.as(member, "RegisterOrganizationDelegatedAdmin", object{"MemberAccountId": "555566667777"}); code != "NotOrganizationManagementAccountException" {
		t.Error(code)
	}
	f.call("RegisterOrganizationDelegatedAdmin", object{"MemberAccountId": "555566667777"})
	f.call("RegisterOrganizationDelegatedAdmin", object{"MemberAccountId": "666677778888"})
	f.fails("RegisterOrganizationDelegatedAdmin", object{"MemberAccountId": "777788889999"}, "DelegatedAdminAccountLimitExceededException")
	f.call("DeregisterOrganizationDelegatedAdmin", object{"DelegatedAdminAccountId": "444455556666"})
	f.fails("DeregisterOrganizationDelegatedAdmin", object{"DelegatedAdminAccountId": "444455556666"}, "AccountNotRegisteredException")
}
