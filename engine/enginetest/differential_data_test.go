package enginetest_test

import (
	"bytes"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/cairndb/cairn/engine/event/generate"
)

// The records of the differential test: those of the generator, some of them
// with members spoilt at random, and a set written by hand in which everything
// is odd that a record may have odd.

// sample is the records of the two stores, without the duplicates that a store
// drops.
type sample struct {
	events []*record
	other  []*record
}

func (s *sample) store(name string) []*record {
	if name == "other" {
		return s.other
	}
	return s.events
}

// newSample makes the records: n of the generator in store events, a few of
// them again in store other. Records with a zero character in their text are in
// other alone, because PostgreSQL, which gets the first store, has none.
func newSample(t testing.TB, n int, seed uint64) *sample {
	t.Helper()
	rng := rand.New(rand.NewPCG(seed, 101))
	g, err := generate.New(generate.Options{Events: int64(n), Seed: seed, Days: 7, Accounts: 3})
	if err != nil {
		t.Fatal(err)
	}
	var events, other [][]byte
	err = g.Each(func(raw []byte, _ int64) error {
		raw = bytes.Clone(raw)
		if rng.IntN(12) == 0 {
			raw = spoil(rng, raw)
		}
		events = append(events, raw)
		switch rng.IntN(20) {
		case 0:
			other = append(other, raw)
		case 1:
			other = append(other, spoil(rng, raw))
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	odd := oddRecords()
	for i, raw := range odd {
		at := rng.IntN(len(events) + 1)
		if i%2 == 0 {
			at = len(events) // some of them side by side, so that small segments hold nothing else
		}
		events = slices.Insert(events, at, raw)
		if i%3 == 0 {
			other = append(other, raw)
		}
	}
	other = append(other,
		oddRecord(`"errorMessage":"a\u0000b"`, `"userAgent":"\u0000"`, `"requestParameters":{"k\u0000":"v\u0000"}`),
		oddRecord(`"eventID":"nul\u0000"`, `"awsRegion":"\u0000\u0001\u001f\u007f"`))
	s := &sample{}
	for _, list := range []struct {
		raws [][]byte
		to   *[]*record
	}{{events, &s.events}, {other, &s.other}} {
		seen := map[string]bool{}
		for _, raw := range list.raws {
			if !seen[string(raw)] {
				seen[string(raw)] = true
				*list.to = append(*list.to, newRecord(t, raw))
			}
		}
	}
	return s
}

// oddRecord is a record of the given members and those that it must have,
// unless the given ones name them.
func oddRecord(members ...string) []byte {
	return oddRecordIn("{", ",", ":", "}", members...)
}

var oddCount int

func oddRecordIn(open, comma, colon, end string, members ...string) []byte {
	oddCount++
	need := [][2]string{
		{"eventVersion", `"1.09"`}, {"eventTime", fmt.Sprintf(`"2026-03-28T%02d:%02d:00Z"`, oddCount%24, oddCount*7%60)},
		{"eventSource", `"odd.amazonaws.com"`}, {"eventName", fmt.Sprintf(`"Odd%d"`, oddCount%5)},
		{"eventID", fmt.Sprintf(`"0dd00000-0000-4000-8000-%012x"`, oddCount)},
	}
	var all []string
	for _, n := range need {
		given := func(m string) bool { return strings.HasPrefix(m, `"`+n[0]+`"`) }
		if !slices.ContainsFunc(members, given) && !(n[0] == "eventID" && slices.Contains(members, "")) {
			all = append(all, `"`+n[0]+`"`+colon+n[1])
		}
	}
	for _, m := range members {
		if m != "" {
			all = append(all, m)
		}
	}
	return []byte(open + strings.Join(all, comma) + end)
}

// oddRecords are records that are accepted and hard to read right.
func oddRecords() [][]byte {
	oddCount = 0
	r := oddRecord
	many := func(n int) string {
		var b strings.Builder
		for i := range n {
			fmt.Fprintf(&b, `"k%d":%d,`, i%(n-3), i)
		}
		return `"requestParameters":{` + b.String() + `"bucketName":"many"}`
	}
	return [][]byte{
		// Members that are there twice; the last counts.
		r(`"eventName":"First"`, `"eventName":"Second"`),
		r(`"userIdentity":{"type":"Root","arn":"a"}`, `"userIdentity":{"userName":"only"}`),
		r(`"userIdentity":{"type":"Root","type":"IAMUser","arn":"x","arn":null}`),
		r(`"requestParameters":{"bucketName":"one","bucketName":"two","key":{"a":1},"key":{"b":2}}`),
		r(`"requestParameters":{"bucketName":"one"}`, `"requestParameters":null`),
		r(`"readOnly":true`, `"readOnly":"no"`, `"errorCode":"X"`, `"errorCode":null`),
		r(`"readOnly":false`, `"awsRegion":"eu-west-1"`, `"awsRegion":"eu-west-1"`),
		r(`"eventTime":"2026-03-28T01:02:03Z"`, `"eventTime":"2026-03-29T04:05:06Z"`),
		r(`"userIdentity":{"sessionContext":{"attributes":{"mfaAuthenticated":"true"}},"sessionContext":{"sessionIssuer":{"arn":"late"}}}`),
		// Other types than the schema has.
		r(`"userIdentity":"somebody"`), r(`"userIdentity":["a"]`), r(`"userIdentity":null`), r(`"userIdentity":17`), r(`"userIdentity":{}`),
		r(`"requestParameters":"text"`), r(`"requestParameters":[{"a":1}]`), r(`"requestParameters":5`), r(`"requestParameters":{}`),
		r(`"requestParameters":true`, `"responseElements":{}`, `"additionalEventData":"none"`),
		r(`"userIdentity":{"type":7,"arn":{"a":[1, 2]},"userName":false,"sessionContext":"none"}`),
		r(`"userIdentity":{"sessionContext":{"attributes":[],"sessionIssuer":"me"}}`),
		r(`"userIdentity":{"sessionContext":{"attributes":{"mfaAuthenticated":true,"creationDate":"soon"}}}`),
		r(`"userIdentity":{"sessionContext":{"attributes":{"mfaAuthenticated":"false","creationDate":1767312000}}}`),
		r(`"userIdentity":{"sessionContext":{"attributes":{"mfaAuthenticated":"false","creationDate":"2026-03-27 10:11:12.5"}}}`),
		r(`"userIdentity":{"sessionContext":{"webIdFederationData":{"federatedProvider":"p","attributes":{"aud":"x","n":1}}}}`),
		r(`"readOnly":"true"`, `"managementEvent":"false"`), r(`"readOnly":"false"`), r(`"readOnly":"TRUE"`), r(`"readOnly":1`), r(`"readOnly":null`, `"managementEvent":0`),
		r(`"awsRegion":42`, `"errorCode":1.50`, `"errorMessage":1e3`, `"userAgent":-0`, `"sourceIPAddress":true`),
		r(`"awsRegion":"42"`, `"errorCode":"1.50"`, `"errorMessage":"1e3"`, `"userAgent":"-0"`, `"sourceIPAddress":"true"`),
		r(`"awsRegion":{"a" : [ 1 , "x y" ]}`, `"errorCode":[ ]`, `"errorMessage":{ }`, `"userAgent":[null, true]`, `"sourceIPAddress":null`),
		r(`"recipientAccountId":111122223333`, `"eventVersion":1.08`, `"requestID":12345678901234567890`, `"apiVersion":20130630`),
		r(`"recipientAccountId":"111122223333"`, `"requestID":"9223372036854775807"`, `"apiVersion":"-9223372036854775808"`),
		r(`"requestID":"9223372036854775808"`, `"errorCode":" 42"`, `"errorMessage":"007"`, `"apiVersion":"+5"`, `"userAgent":"1.5E2"`),
		r(`"requestID":"2026-03-28 01:02:03.456"`, `"errorCode":"2026-03-28"`, `"errorMessage":"2026-02-30"`, `"apiVersion":"2026-03-28T01:02:03Z"`),
		r(`"errorCode":"TRUE"`, `"errorMessage":"f"`, `"apiVersion":"0"`, `"requestID":"1"`),
		// Times.
		r(`"eventTime":"2026-03-28T01:02:03.4Z"`), r(`"eventTime":"2026-03-28T01:02:03.456789Z"`), r(`"eventTime":"2026-03-28 01:02:03"`),
		r(`"eventTime":"2026-03-28T01:02:03+05:30"`), r(`"eventTime":"2026-03-28T23:59:59.9999Z"`), r(`"eventTime":"2024-02-29T12:00:00Z"`),
		r(`"eventTime":"1970-01-01T00:00:00Z"`), r(`"eventTime":"9999-12-31T23:59:59Z"`), r(`"eventTime":"20260328T010203Z"`), r(`"eventTime":"2026-03-28t01:02:03z"`),
		r(`"eventTime":"2026-03-28T01:02:03.000 UTC"`), r(`"eventTime":"2026-03-30T01:02:03\u005a"`),
		// Text.
		r(`"eventName":"Get\u004fbject"`, `"eventSource":"s3\u002eamazonaws.com"`, `"awsRegion":"a\/b"`),
		r(`"errorMessage":"\ud83d\ude00 grin"`, `"userAgent":"😀 grin"`, `"errorCode":"\ud83d"`, `"awsRegion":"\ude00x"`),
		r(`"errorMessage":"straße İstanbul ǅ ﬁ"`, `"userAgent":"STRASSE"`, `"errorCode":"Ünïcödé"`, `"awsRegion":"東京"`),
		r(`"errorMessage":"e\u0301"`, `"userAgent":"é"`, `"errorCode":"שלום"`, `"awsRegion":"\u200b"`),
		r(`"errorMessage":""`, `"userAgent":""`, `"errorCode":""`, `"awsRegion":""`, `"requestID":""`, `"eventID":""`),
		r(`"errorMessage":"  "`, `"userAgent":"\t"`, `"errorCode":"\n"`, `"awsRegion":"\r\n"`, `"requestID":" x "`),
		r(`"errorMessage":"100%"`, `"userAgent":"a_b"`, `"errorCode":"it's"`, `"awsRegion":"\"q\""`, `"requestID":"back\\slash"`),
		r(`"errorMessage":"null"`, `"userAgent":"NULL"`, `"errorCode":"true"`, `"awsRegion":"\\N"`, `"requestID":"{}"`),
		r(`"errorMessage":"`+strings.Repeat("long ", 1500)+`"`, `"userAgent":"`+strings.Repeat("é", 700)+`"`),
		r(`"errorMessage":"`+strings.Repeat("long ", 1500)+`x"`, `"userAgent":"`+strings.Repeat("é", 699)+`e"`),
		r(`"errorMessage":"\u0001\u001f"`, `"userAgent":"\u007f\u0080\u2028"`, `"errorCode":"\b\f"`),
		// Names: other cases, escapes, odd keys of maps.
		r(`"EVENTNAME":"no"`, `"eventname":"no"`, `"ErrorCode":"no"`, `"useridentity":{"type":"no"}`),
		r(`"errorC\u006fde":"escaped name"`, `"user\u0049dentity":{"typ\u0065":"EscapedType"}`),
		r(`"requestParameters":{"":"empty","it's":"quote","a.b":"dot","\u006bey":"escaped","BUCKETNAME":"caps","ключ":"unicode"}`),
		r(`"requestParameters":{"bucketName":null,"key":"","x":false,"n":1.0,"big":12345678901234567890,"e":1E+2}`),
		r(`"requestParameters":{"bucketName":{ "a" : "\u0041" , "b":[1, 2,{"c":null}] },"key":[ "x" , 1 ]}`),
		r(`"requestParameters":{"bucketName":"{\"a\":\"in text\"}","key":"[1,{\"b\":\"deep\"}]","x":"{broken"}`),
		r(`"requestParameters":{"bucketName":"{\"a\":1,\"a\":2}","key":{"a":1,"a":2}}`),
		r(many(20)), r(many(40)), r(many(200)),
		r(`"responseElements":{"bucketName":"in the answer","x":"y"}`, `"additionalEventData":{"x-amz-id-2":"z","bytesTransferredIn":0,"bytesTransferredOut":123.0}`),
		r(`"serviceEventDetails":{"snapshotId":"s"}`, `"addendum":{"reason":"UPDATED_DATA","updatedFields":["a"]}`, `"edgeDeviceDetails":{}`, `"insightDetails":{"state":"Start"}`),
		// Identities.
		r(""), r("", `"errorCode":"no id"`), r("", `"eventId":"other-spelling"`), r(`"eventID":null`, `"eventId":"beside null"`), r(`"eventID":"a"`, `"eventId":"b"`),
		r(`"eventID":12`), r(`"eventID":"twice"`, `"errorCode":"one"`), r(`"eventID":"twice"`, `"errorCode":"two"`), r(`"eventID":{"a":1}`), r(`"eventID":"UPPER-Case"`),
		// Arrays of rows, rows.
		r(`"resources":[]`), r(`"resources":[{"ARN":"arn:x","type":"AWS::S3::Bucket","accountId":"1"},{"ARNPrefix":"p"}]`),
		r(`"resources":[null,"text",{},{"ARN":null,"arn":"lower"},{"ARN":7}]`), r(`"resources":{"ARN":"no list"}`), r(`"resources":"none"`), r(`"resources":[{"ARN":"a","ARN":"b"}]`),
		r(`"tlsDetails":{"tlsVersion":"TLSv1.3","cipherSuite":"c","clientProvidedHostHeader":"h","keyExchange":"x25519"}`), r(`"tlsDetails":"TLS"`), r(`"tlsDetails":{"tlsVersion":1.3}`),
		r(`"eventContext":{"requestContext":{"aws:x":"y"},"tagContext":{"resourceTags":[{"arn":"a","tags":{"k":"v"}}],"principalTags":{"team":"t"}}}`),
		r(`"sessionCredentialFromConsole":"true"`), r(`"sessionCredentialFromConsole":true`),
		r(`"unknown":{"deep":{"deeper":{"deepest":[[[[{"a":[1]}]]]]}}}`, `"vpcEndpointId":"vpce-1"`, `"vpcEndpointAccountId":1`),
		// Spelling of the whole.
		oddRecordIn("{\n  ", ",\n  ", " : ", "\n}", `"errorCode" : "pretty"`, "\"userIdentity\" : {\n\t\"type\" : \"Root\"\n}", `"requestParameters" : { "bucketName" : "b" , "key" : [ 1 , { "a" : 2 } ] }`),
		oddRecordIn("{ ", " ,", ":\t", " }", `"readOnly":	true`, `"resources":  [ { "ARN" : "spaced" } , { } ]`),
	}
}

// spoil changes a few members of a record at random: gives them values of other
// types or spelling, takes them away, doubles them, moves them. It leaves alone what a
// record must have to be accepted.
func spoil(rng *rand.Rand, raw []byte) []byte {
	tree, rest := parseNode(raw)
	if len(bytes.TrimSpace(rest)) > 0 {
		panic("a generated record has something after its end")
	}
	for range 1 + rng.IntN(3) {
		at := tree
		for {
			if len(at.members) == 0 {
				break
			}
			i := rng.IntN(len(at.members))
			m := &at.members[i]
			if at == tree && m.key == "eventSource" && rng.IntN(3) == 0 {
				m.value = &node{raw: strings.Replace(m.value.raw, ".", `\u002e`, 1)}
				break
			}
			if at == tree && (slices.Contains([]string{"eventVersion", "eventTime", "eventSource", "eventName", "eventID"}, m.key) || rng.IntN(3) > 0 && m.value.raw != "") {
				if rng.IntN(8) == 0 {
					break
				}
				continue
			}
			if m.value.raw == "" && rng.IntN(4) > 0 {
				at = m.value
				continue
			}
			switch rng.IntN(9) {
			case 0:
				at.members = slices.Delete(at.members, i, i+1)
			case 3, 4, 5:
				// The same text in another spelling.
				if r := []rune(m.value.raw); len(r) > 2 && r[0] == '"' && r[1] != '\\' && r[1] < 0x10000 {
					m.value = &node{raw: fmt.Sprintf(`"\u%04x`, r[1]) + string(r[2:])}
				}
			case 1:
				at.members = append(at.members, member{m.key, &node{raw: oddValue(rng)}})
			case 2:
				j := rng.IntN(len(at.members))
				at.members[i], at.members[j] = at.members[j], at.members[i]
			default:
				m.value = &node{raw: oddValue(rng)}
			}
			break
		}
	}
	return tree.append(nil)
}

func oddValue(rng *rand.Rand) string {
	list := []string{
		"null", "null", `""`, "true", "false", `"true"`, "0", "-1.50", "1e2", `"x"`, `"y"`, "{}", "[]", `[1, "a"]`, `{"a": 1}`, `{"type":"T"}`,
		`"2026-03-27T00:00:00Z"`, `"été"`, `"caf\u00e9"`, `"us-east-1"`, `"AccessDenied"`, `"arn:aws:iam::111122223333:user/x"`, `"42"`, `" "`,
	}
	return list[rng.IntN(len(list))]
}

// node is a JSON value in which order, doubles and spelling are kept: an object
// or the raw text of anything else.
type node struct {
	raw     string
	members []member
}

type member struct {
	key   string
	value *node
}

// parseNode reads a value off the start of compact, valid JSON.
func parseNode(b []byte) (*node, []byte) {
	if b[0] != '{' {
		dec := json.NewDecoder(bytes.NewReader(b))
		var raw json.RawMessage
		if err := dec.Decode(&raw); err != nil {
			panic(err)
		}
		return &node{raw: string(raw)}, b[dec.InputOffset():]
	}
	n := &node{}
	b = b[1:]
	for b[0] != '}' {
		key, rest := parseNode(b)
		var name string
		if err := json.Unmarshal([]byte(key.raw), &name); err != nil {
			panic(err)
		}
		v, rest := parseNode(rest[1:])
		n.members = append(n.members, member{name, v})
		if b = rest; b[0] == ',' {
			b = b[1:]
		}
	}
	return n, b[1:]
}

func (n *node) append(b []byte) []byte {
	if n.raw != "" {
		return append(b, n.raw...)
	}
	b = append(b, '{')
	for i, m := range n.members {
		if i > 0 {
			b = append(b, ',')
		}
		key, _ := json.Marshal(m.key)
		b = append(append(append(b, key...), ':'), m.value.append(nil)...)
	}
	return append(b, '}')
}

// record is a record as the plain evaluation reads it: decoded with
// encoding/json, object by object.
type record struct {
	raw     string
	objects map[string]object // by the path that leads to them
	values  map[*col]any
}

type object map[string]json.RawMessage

func newRecord(t testing.TB, raw []byte) *record {
	t.Helper()
	if !json.Valid(raw) {
		t.Fatalf("the record is not JSON: %s", raw)
	}
	return &record{raw: string(raw), objects: map[string]object{}, values: map[*col]any{}}
}

// object returns the object at a path, nil when there is none.
func (r *record) object(path []string) object {
	name := strings.Join(path, "\x00")
	o, ok := r.objects[name]
	if !ok {
		raw := json.RawMessage(r.raw)
		if len(path) > 0 {
			raw = r.at(path)
		}
		o = objectOf(raw)
		r.objects[name] = o
	}
	return o
}

func objectOf(raw json.RawMessage) object {
	var o object
	if raw = bytes.TrimSpace(raw); len(raw) == 0 || raw[0] != '{' || json.Unmarshal(raw, &o) != nil {
		return nil
	}
	return o
}

// at returns the JSON value at a path, nil when there is none.
func (r *record) at(path []string) json.RawMessage {
	o := r.object(path[:len(path)-1])
	if o == nil {
		return nil
	}
	return o[path[len(path)-1]]
}

// textOf is what a varchar reads from a JSON value: a string's text, anything
// else as its compact JSON; nil for null and nothing.
func textOf(raw json.RawMessage) any {
	switch {
	case len(raw) == 0 || string(raw) == "null":
		return nil
	case raw[0] == '"':
		var s string
		if err := json.Unmarshal(raw, &s); err != nil {
			panic(err)
		}
		return s
	}
	var b bytes.Buffer
	if err := json.Compact(&b, raw); err != nil {
		panic(err)
	}
	return b.String()
}

func boolOf(raw json.RawMessage) any {
	switch string(raw) {
	case "true", `"true"`:
		return true
	case "false", `"false"`:
		return false
	}
	return nil
}

func timeOf(raw json.RawMessage) any {
	if len(raw) == 0 || raw[0] != '"' {
		return nil
	}
	s := textOf(raw).(string)
	for _, layout := range []string{
		"2006-01-02T15:04:05Z07:00", "2006-01-02 15:04:05Z07:00", "2006-01-02T15:04:05", "2006-01-02 15:04:05",
		"20060102T150405Z07:00", "2006-01-02T15:04:05 UTC", "2006-01-02t15:04:05z",
	} {
		if at, err := time.Parse(layout, s); err == nil {
			return instant(at.Truncate(time.Millisecond).UnixMicro())
		}
	}
	return nil
}

// rowOf is the text for comparison of a row: its members in order.
func rowOf(raw json.RawMessage, members []*col) any {
	o := objectOf(raw)
	if o == nil {
		return nil
	}
	var parts []string
	for _, m := range members {
		parts = append(parts, show(m.read(o[m.json[0]])))
	}
	return nested("(" + strings.Join(parts, ", ") + ")")
}

func rowsOf(raw json.RawMessage, members []*col) any {
	var list []json.RawMessage
	if len(raw) == 0 || raw[0] != '[' || json.Unmarshal(raw, &list) != nil {
		return nil
	}
	var parts []string
	for _, e := range list {
		parts = append(parts, show(rowOf(e, members)))
	}
	return nested("[" + strings.Join(parts, ", ") + "]")
}

func mapOf(raw json.RawMessage) any {
	o := objectOf(raw)
	if o == nil {
		return nil
	}
	var parts []string
	for k, v := range o {
		parts = append(parts, show(k)+"="+show(textOf(v)))
	}
	slices.Sort(parts)
	return nested("{" + strings.Join(parts, ", ") + "}")
}

func checksumOf(raw string) string {
	sum := sha256.Sum256([]byte(raw))
	return base64.StdEncoding.EncodeToString(sum[:])
}
