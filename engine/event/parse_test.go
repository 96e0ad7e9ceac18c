package event

import (
	"bytes"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
	"unicode/utf8"
)

// sample is a record of ordinary size and shape.
const sample = `{"eventVersion":"1.11","userIdentity":{"type":"AssumedRole","principalId":"AROAX2QEXAMPLE5TQZ7:build-4411","arn":"arn:aws:sts::210987654321:assumed-role/build/build-4411","accountId":"210987654321","accessKeyId":"ASIAX2QEXAMPLE7KQ2","sessionContext":{"sessionIssuer":{"type":"Role","principalId":"AROAX2QEXAMPLE5TQZ7","arn":"arn:aws:iam::210987654321:role/build","accountId":"210987654321","userName":"build"},"attributes":{"creationDate":"2026-01-02T02:58:11Z","mfaAuthenticated":"false"}}},"eventTime":"2026-01-02T03:04:05Z","eventSource":"s3.amazonaws.com","eventName":"PutObject","awsRegion":"eu-central-1","sourceIPAddress":"203.0.113.77","userAgent":"[aws-sdk-go-v2/1.30.3 os/linux lang/go#1.26.0 md/GOOS#linux md/GOARCH#amd64 api/s3#1.58.2]","requestParameters":{"bucketName":"artefacts-köln","key":"nightly/2026-01-02/cairn \"x\".tar.zst","Host":"artefacts.s3.eu-central-1.amazonaws.com","x-amz-server-side-encryption":"aws:kms","tags":[{"k":"a","v":1},{"k":"b","v":-2.5e3}]},"responseElements":{"x-amz-server-side-encryption":"aws:kms","x-amz-version-id":"JwXEXAMPLE2q7P"},"additionalEventData":{"SignatureVersion":"SigV4","CipherSuite":"TLS_AES_128_GCM_SHA256","bytesTransferredIn":1048576,"AuthenticationMethod":"AuthHeader","x-amz-id-2":"q1EXAMPLEv7Qx3Qm0b1lT2kY9Jr4nT8sGdF6hWzLpC5vBxNqMaRtEoUiPkSjHyD","bytesTransferredOut":0},"requestID":"7QEXAMPLE2K4N9ZT","eventID":"5f0c7a52-9d1b-4a3e-8c7f-0e2d4b6a8c10","readOnly":false,"resources":[{"type":"AWS::S3::Object","ARN":"arn:aws:s3:::artefacts-k/nightly/x.tar.zst"},{"accountId":"210987654321","type":"AWS::S3::Bucket","ARN":"arn:aws:s3:::artefacts-k"}],"eventType":"AwsApiCall","managementEvent":false,"recipientAccountId":"210987654321","eventCategory":"Data","tlsDetails":{"tlsVersion":"TLSv1.3","cipherSuite":"TLS_AES_128_GCM_SHA256","clientProvidedHostHeader":"artefacts.s3.eu-central-1.amazonaws.com"}}`

func TestParse(t *testing.T) {
	var ev Event
	if err := Parse([]byte(sample), &ev); err != nil {
		t.Fatal(err)
	}
	for _, f := range []struct {
		name string
		got  []byte
		want string
	}{
		{"Raw", ev.Raw, sample}, {"Version", ev.Version, "1.11"}, {"ID", ev.ID, "5f0c7a52-9d1b-4a3e-8c7f-0e2d4b6a8c10"},
		{"Source", ev.Source, "s3.amazonaws.com"}, {"Name", ev.Name, "PutObject"}, {"Type", ev.Type, "AwsApiCall"},
		{"Region", ev.Region, "eu-central-1"}, {"Recipient", ev.Recipient, "210987654321"}, {"CategoryName", ev.CategoryName, "Data"},
	} {
		if string(f.got) != f.want {
			t.Errorf("%s is %q, want %q", f.name, f.got, f.want)
		}
	}
	if ev.Category != Data || ev.Management != False || ev.ReadOnly != False || FormatTime(ev.Time) != "2026-01-02T03:04:05Z" {
		t.Errorf("%+v", ev)
	}
	var doc any
	if err := json.Unmarshal([]byte(sample), &doc); err != nil {
		t.Fatal(err)
	}
	if keys, depth := measure(doc); ev.Keys != keys || ev.Depth != depth {
		t.Errorf("%d keys, depth %d; want %d, %d", ev.Keys, ev.Depth, keys, depth)
	}
	if n := testing.AllocsPerRun(100, func() {
		if Parse([]byte(sample), &ev) != nil {
			t.Error("refused")
		}
		LeafHash(ev.Raw)
	}); n > 1 { // the conversion of sample
		t.Errorf("%v allocations", n)
	}
}

func measure(v any) (keys, depth int) {
	below := func(v any) {
		k, d := measure(v)
		keys += k
		depth = max(depth, d)
	}
	switch v := v.(type) {
	case map[string]any:
		keys = len(v)
		for _, e := range v {
			below(e)
		}
		return keys, depth + 1
	case []any:
		for _, e := range v {
			below(e)
		}
		return keys, depth + 1
	}
	return 0, 0
}

// with returns a small good record with a member replaced: name, colon, value
// text; an empty value removes it.
func with(edits ...string) string {
	members := []string{
		`"eventVersion":"1.10"`, `"eventTime":"2026-01-02T03:04:05Z"`, `"eventSource":"iam.amazonaws.com"`,
		`"eventName":"GetRole"`, `"eventID":"e"`,
	}
	for _, edit := range edits {
		name, value, _ := strings.Cut(edit, ":")
		out := members[:0:0]
		for _, m := range members {
			if !strings.HasPrefix(m, `"`+name+`":`) {
				out = append(out, m)
			}
		}
		if value != "" {
			out = append(out, `"`+name+`":`+value)
		}
		members = out
	}
	return "{" + strings.Join(members, ",") + "}"
}

func TestRules(t *testing.T) {
	for _, test := range []struct {
		raw    string
		reason Reason // "" for accepted
		field  string
	}{
		{with(), "", ""},
		{with("eventID:"), "", ""},
		{with("eventID:{}"), "", ""},
		{with("eventVersion:1.08"), "", ""},
		{with("eventVersion:"), MissingVersion, "eventVersion"},
		{with(`eventVersion:""`), MissingVersion, "eventVersion"},
		{with(`eventVersion:true`), MissingVersion, "eventVersion"},
		{with("eventTime:"), MissingTime, "eventTime"},
		{with("eventTime:null"), MissingTime, "eventTime"},
		{with(`eventTime:""`), MissingTime, "eventTime"},
		{with("eventTime:1767323045"), UnreadableTime, "eventTime"},
		{with("eventTime:{}"), UnreadableTime, "eventTime"},
		{with(`eventTime:"redacted"`), UnreadableTime, "eventTime"},
		{with(`eventTime:"2026-01-02"`), UnreadableTime, "eventTime"},
		{with(`eventTime:"2014-03-06T15: 15: 06Z"`), UnreadableTime, "eventTime"},
		{with(`eventTime:"0001-01-01T00:00:00Z"`), TimeOutOfRange, "eventTime"},
		{with(`eventTime:"1969-12-31T23:59:59.999Z"`), TimeOutOfRange, "eventTime"},
		{with(`eventTime:"1970-01-01T00:00:00Z"`), "", ""},
		{with(`eventTime:"9999-12-31T23:59:59Z"`), "", ""},
		{with(`eventTime:"2026\u002d01-02T03:04:05Z"`), "", ""},
		{with(`eventTime:"2026-01-02 03:04:05.000000000"`), "", ""},
		{with("eventSource:"), MissingSource, "eventSource"},
		{with("eventSource:7"), MissingSource, "eventSource"},
		{with("eventName:"), MissingName, "eventName"},
		{with("eventName:[]"), MissingName, "eventName"},
		{with(`userIdentity:"root"`), "", ""},
		{with(`userIdentity:null`, `resources:null`, `readOnly:"yes"`), "", ""},
		{with(`eventCategory:"SomethingNew"`), "", ""},
		{with(`eventCategory:"SomethingNew"`, "eventName:"), MissingName, "eventName"},
		{with(`eventCategory:"Insight"`, "eventSource:", "eventName:"), "", ""},
		{with(`eventCategory:"Insight"`, "eventID:"), MissingID, "eventID"},
		{with(`eventType:"AwsCloudTrailInsight"`, "eventSource:", "eventName:"), "", ""},
		{with(`eventCategory:"ConfigurationItem"`, "eventSource:", "eventName:", "eventID:"), "", ""},
		{with(`eventCategory:"Evidence"`, "eventSource:", "eventName:"), "", ""},
		{with(`eventCategory:"ActivityAuditLog"`, "eventSource:", "eventName:"), "", ""},
		{with(`eventCategory:"ActivityAuditLog"`, "eventTime:"), MissingTime, "eventTime"},
		{with(`eventCategory:"Aggregated"`, "eventTime:", `timeWindow:{"windowStart":"2025-10-30 23:45:00"}`), "", ""},
		{with(`eventCategory:"Aggregated"`, "eventTime:", "eventID:", `eventId:"x"`, `timeWindow:{"windowStart":"2025-11-17T19:20:00Z"}`), "", ""},
		{with(`eventCategory:"Aggregated"`, "eventTime:"), MissingWindowStart, "timeWindow.windowStart"},
		{with(`eventCategory:"Aggregated"`, "eventTime:", `timeWindow:[{"windowStart":"2025-10-30 23:45:00"}]`), MissingWindowStart, "timeWindow.windowStart"},
		{with(`eventCategory:"Aggregated"`, "eventTime:", `timeWindow:{"x":{"windowStart":"2025-10-30 23:45:00"}}`), MissingWindowStart, "timeWindow.windowStart"},
		{with(`eventCategory:"Aggregated"`, "eventTime:", `timeWindow:{"windowStart":"soon"}`), UnreadableTime, "timeWindow.windowStart"},
		{`{"event\u0054ime":"2026-01-02T03:04:05Z",` + with("eventTime:")[1:], "", ""},
		{`{"eventTime":7,` + with()[1:], "", ""},
		{with()[:len(with())-1] + `,"eventTime":7}`, UnreadableTime, "eventTime"},
		{with(`a:{"eventTime":7}`), "", ""},
		{"", NotAnObject, ""},
		{"[]", NotAnObject, ""},
		{" {}", NotAnObject, ""},
		{"{}", MissingVersion, "eventVersion"},
		{with() + "x", TrailingData, ""},
		{with() + "\n", TrailingData, ""},
		{with()[:20], CutOff, ""},
		{with(`a:"` + strings.Repeat("x", MaxRecordBytes) + `"`), TooLarge, ""},
		{with(`a:` + strings.Repeat("[", MaxDepth-1) + strings.Repeat("]", MaxDepth-1)), "", ""},
		{with(`a:` + strings.Repeat("[", MaxDepth) + strings.Repeat("]", MaxDepth)), TooDeep, ""},
		{with(`a:` + strings.Repeat(`{"b":`, 1_000_000)), TooDeep, ""},
		{with(`a:{` + strings.Repeat(`"b":1,`, MaxKeys-7) + `"c":2}`), "", ""},
		{with(`a:{` + strings.Repeat(`"b":1,`, MaxKeys-6) + `"c":2}`), TooManyKeys, ""},
		{with("a:\"\xff\""), InvalidUTF8, ""},
		{with("a:\"\xed\xa0\x80\""), InvalidUTF8, ""},
		{with("a:\"\xc0\xaf\""), InvalidUTF8, ""},
		{with("a:\xff"), InvalidUTF8, ""},
		{with(`a:"\ud800"`), "", ""},
		{with(`a:"\ud83d\ude00 \u0000"`), "", ""},
		{with("a:\"\x00\""), InvalidJSON, ""},
		{with("a:\"\n\""), InvalidJSON, ""},
		{with(`a:"\x"`), InvalidJSON, ""},
		{with(`a:NaN`), InvalidJSON, ""},
		{with(`a:01`), InvalidJSON, ""},
		{with(`a:1.`), InvalidJSON, ""},
		{with(`a:'x'`), InvalidJSON, ""},
		{with(`a:{"b":1,}`), InvalidJSON, ""},
		{with(`a:[1,]`), InvalidJSON, ""},
		{with(`a:[1}`), InvalidJSON, ""},
		{with(`a:{"b"}`), InvalidJSON, ""},
		{with(`a:{b:1}`), InvalidJSON, ""},
	} {
		name := test.raw[:min(len(test.raw), 300)]
		var ev Event
		err := Parse([]byte(test.raw), &ev)
		var bad *Refusal
		if err != nil && !errors.As(err, &bad) {
			t.Fatalf("%s: %T", name, err)
		}
		switch {
		case test.reason == "" && err != nil:
			t.Errorf("%s: %v", name, err)
		case test.reason != "" && (bad == nil || bad.Reason != test.reason || bad.Field != test.field):
			t.Errorf("%s: got %v, want %s over %q", name, err, test.reason, test.field)
		case bad != nil && bad.Field == "" && bad.Offset < 0:
			t.Errorf("%s: no place: %v", name, bad)
		}
	}
}

func TestCategories(t *testing.T) {
	for _, test := range []struct {
		raw  string
		want Category
	}{
		{with(), Management},
		{with("managementEvent:true"), Management},
		{with("managementEvent:false"), Data},
		{with(`managementEvent:"false"`), Data},
		{with("managementEvent:false", `eventCategory:"Management"`), Management},
		{with(`eventType:"AwsVpceEvent"`), NetworkActivity},
		{with(`eventType:"AwsVpceEvents"`), NetworkActivity},
		{with(`eventType:"AwsApiCall"`), Management},
		{with(`eventCategory:"Else"`), OtherCategory},
		{with(`eventCategory:"Insight"`), Insight},
	} {
		var ev Event
		if err := Parse([]byte(test.raw), &ev); err != nil || ev.Category != test.want {
			t.Errorf("%s: %v (%v), want %v", test.raw, ev.Category, err, test.want)
		}
	}
	for _, table := range Tables() {
		for _, c := range table.Categories {
			if TableOf(c) != table {
				t.Errorf("%v belongs to %s", c, table.Name)
			}
			var ev Event
			if err := Parse([]byte(with(fmt.Sprintf("eventCategory:%q", c.String()))), &ev); err != nil || ev.Category != c {
				t.Errorf("%v reads as %v (%v)", c, ev.Category, err)
			}
		}
	}
}

// fieldsOf finds the watched members the slow way: with the standard library's
// tokens. It is what a shredder would hand to Check.
func fieldsOf(t *testing.T, raw []byte) (f Fields) {
	t.Helper()
	for w, path := range WatchPaths() {
		for _, v := range valuesAt(t, raw, path) {
			f[w] = v
		}
	}
	return f
}

// valuesAt returns all values at a path, in order.
func valuesAt(t *testing.T, raw []byte, path []string) (out [][]byte) {
	d := json.NewDecoder(bytes.NewReader(raw))
	if tok, err := d.Token(); err != nil || tok != json.Delim('{') {
		return nil
	}
	for d.More() {
		name, err := d.Token()
		if err != nil {
			t.Fatal(err)
		}
		var v json.RawMessage
		if err := d.Decode(&v); err != nil {
			t.Fatal(err)
		}
		if name != path[0] {
			continue
		}
		if len(path) == 1 {
			out = append(out, v)
		} else {
			out = append(out, valuesAt(t, v, path[1:])...)
		}
	}
	return out
}

// FuzzParse holds Parse against the standard library's idea of JSON and against
// Check over fields found by other means.
func FuzzParse(f *testing.F) {
	f.Add([]byte(sample))
	f.Add([]byte(with("eventVersion:1e5", `eventTime:"2026-01-02t03:04:05+01:00"`)))
	f.Add([]byte(with(`eventCategory:"Aggregated"`, "eventTime:", `timeWindow:{"windowStart":"2025-10-30 23:45:00"}`)))
	f.Add([]byte(`{"a":[true,false,null,-0.5e+7,"\u00e4\ud800"],"a":{}}`))
	f.Add([]byte(`{"eventTime":"x","event\u0054ime":"2026-01-02T03:04:05Z"}`))
	f.Add([]byte("{\"a\":\"\xc3\xa4\xff\"}"))
	f.Fuzz(func(t *testing.T, raw []byte) {
		var one, two Event
		err1 := Parse(raw, &one)
		valid := len(raw) > 0 && raw[0] == '{' && json.Valid(raw) && utf8.Valid(raw) && len(Trim(raw)) == len(raw)
		var bad *Refusal
		errors.As(err1, &bad)
		if err1 != nil && bad == nil {
			t.Fatalf("%T", err1)
		}
		if !valid {
			if bad == nil || bad.Field != "" || bad.Offset < 0 || bad.Offset > len(raw) {
				t.Fatalf("invalid, but %v", err1)
			}
			return
		}
		if bad != nil && bad.Field == "" {
			if bad.Reason == TooDeep || bad.Reason == TooManyKeys || bad.Reason == TooLarge {
				return
			}
			t.Fatalf("valid, but %v", err1)
		}
		fields := fieldsOf(t, raw)
		err2 := Check(&fields, &two)
		if fmt.Sprint(err1) != fmt.Sprint(err2) {
			t.Fatalf("Parse says %v, Check %v", err1, err2)
		}
		if err1 != nil {
			return
		}
		if !bytes.Equal(one.ID, two.ID) || one.Time != two.Time || one.Category != two.Category || !bytes.Equal(one.Name, two.Name) || one.ReadOnly != two.ReadOnly {
			t.Fatalf("%+v\n%+v", one, two)
		}
		if back, ok := ParseTime(FormatTime(one.Time)); !ok || back != one.Time {
			t.Fatalf("time %d reads back as %d", one.Time, back)
		}
	})
}

// Damage at every byte of a record is judged as the standard library does.
func TestEveryByte(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 2))
	raw := []byte(sample)
	var ev Event
	for i := range raw {
		for _, c := range []byte{'"', '\\', '{', '}', ',', ' ', 0x1f, 0x80, 0xc3, byte(rng.Uint32())} {
			b := bytes.Clone(raw)
			b[i] = c
			err := Parse(b, &ev)
			var bad *Refusal
			syntax := errors.As(err, &bad) && bad.Field == ""
			if valid := json.Valid(b) && utf8.Valid(b); valid == syntax {
				t.Fatalf("byte %d = %#02x: valid is %v, but %v", i, c, valid, err)
			}
		}
		if err := Parse(raw[:i], &ev); err == nil {
			t.Fatalf("accepted when cut at %d", i)
		}
	}
}

func TestLeafHash(t *testing.T) {
	if got, want := LeafHash([]byte(sample)), sha256.Sum256([]byte("\x00"+sample)); got != want {
		t.Errorf("got %x, want %x", got, want)
	}
}

func TestIdentity(t *testing.T) {
	leaf := [32]byte{1, 2, 3}
	seen := map[Identity]string{}
	for _, id := range []string{
		"5f0c7a52-9d1b-4a3e-8c7f-0e2d4b6a8c10", "5F0C7A52-9D1B-4A3E-8C7F-0E2D4B6A8C10", "5f0c7a529d1b4a3e8c7f0e2d4b6a8c10",
		"5f0c7a52-9d1b-4a3e-8c7f-0e2d4b6a8c1g", "5f0c7a52-9d1b-4a3e-8c7f-0e2d4b6a8c1-", "EXAMPLE", "example", "",
	} {
		var ev Event
		if err := Parse([]byte(with(fmt.Sprintf("eventID:%q", id))), &ev); err != nil {
			t.Fatal(err)
		}
		got := ev.Identity(&leaf)
		if other, ok := seen[got]; ok {
			t.Errorf("%q and %q have one identity", id, other)
		}
		seen[got] = id
		if id != "" && got != IdentityOf([]byte(id)) {
			t.Errorf("%q: lookup asks for another identity", id)
		}
		if id == "" && got.Kind != ByContent {
			t.Errorf("no ID: %v", got)
		}
	}
	// The same ID in other spellings of JSON is the same ID.
	var a, b Event
	Parse([]byte(with(`eventID:"ab"`)), &a)
	Parse([]byte(with(`eventID:"\u0061b"`)), &b)
	if a.Identity(&leaf) != b.Identity(&leaf) {
		t.Error("an escape changes the identity")
	}
}

func BenchmarkParse(b *testing.B) {
	raw := []byte(sample)
	var ev Event
	b.SetBytes(int64(len(raw)))
	for b.Loop() {
		if err := Parse(raw, &ev); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkCheck(b *testing.B) {
	var ev Event
	if err := Parse([]byte(sample), &ev); err != nil {
		b.Fatal(err)
	}
	fields := ev.fields
	for b.Loop() {
		if err := Check(&fields, &ev); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkLeafHash(b *testing.B) {
	raw := []byte(sample)
	b.SetBytes(int64(len(raw)))
	for b.Loop() {
		LeafHash(raw)
	}
}

func BenchmarkIdentity(b *testing.B) {
	var ev Event
	if err := Parse([]byte(sample), &ev); err != nil {
		b.Fatal(err)
	}
	leaf := LeafHash(ev.Raw)
	for b.Loop() {
		ev.Identity(&leaf)
	}
}

func BenchmarkStandardValid(b *testing.B) {
	raw := []byte(sample)
	b.SetBytes(int64(len(raw)))
	for b.Loop() {
		if !json.Valid(raw) {
			b.Fatal()
		}
	}
}
