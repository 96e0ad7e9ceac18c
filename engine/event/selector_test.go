package event_test

import (
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"math/rand"
	"slices"
	"strings"
	"testing"

	"github.com/cairndb/cairn/engine/event"
)

var selectorSeed = flag.Int64("selector.seed", 1, "seed of the random selectors")

// plainFields evaluates the fields of a record in the plainest way: all values a field
// has, resources of one type only.
func plainFields(rec map[string]any, category, field, kind string) []string {
	text := func(v any) []string {
		switch v := v.(type) {
		case string:
			if v != "" {
				return []string{v}
			}
		case bool:
			return []string{fmt.Sprint(v)}
		}
		return nil
	}
	switch field {
	case "eventCategory":
		return []string{category}
	case "readOnly", "sessionCredentialFromConsole":
		if got := text(rec[field]); len(got) > 0 && (got[0] == "true" || got[0] == "false") {
			return got
		}
		return nil
	case "userIdentity.arn":
		id, _ := rec["userIdentity"].(map[string]any)
		s, _ := id["arn"].(string)
		return text(s)
	case "resources.type", "resources.ARN":
		var out []string
		list, _ := rec["resources"].([]any)
		for _, r := range list {
			r, _ := r.(map[string]any)
			t, _ := r["type"].(string)
			arn, _ := r["ARN"].(string)
			if arn == "" {
				arn, _ = r["ARNPrefix"].(string)
			}
			switch {
			case field == "resources.type" && t != "":
				out = append(out, t)
			case field == "resources.ARN" && (kind == "" || t == kind) && arn != "":
				out = append(out, arn)
			}
		}
		return out
	}
	s, _ := rec[field].(string)
	return text(s)
}

func plainMatch(s event.AdvancedSelector, rec map[string]any, category string) bool {
	kind := ""
	for _, f := range s.FieldSelectors {
		if f.Field == "resources.type" {
			kind = f.Equals[0]
		}
	}
	any := func(values, list []string, hit func(a, b string) bool) bool {
		return slices.ContainsFunc(values, func(v string) bool {
			return slices.ContainsFunc(list, func(w string) bool { return hit(v, w) })
		})
	}
	equal := func(a, b string) bool { return a == b }
	for _, f := range s.FieldSelectors {
		v := plainFields(rec, category, f.Field, kind)
		if len(f.Equals)+len(f.StartsWith)+len(f.EndsWith) > 0 &&
			!any(v, f.Equals, equal) && !any(v, f.StartsWith, strings.HasPrefix) && !any(v, f.EndsWith, strings.HasSuffix) {
			return false
		}
		if any(v, f.NotEquals, equal) || any(v, f.NotStartsWith, strings.HasPrefix) || any(v, f.NotEndsWith, strings.HasSuffix) {
			return false
		}
	}
	return true
}

func parsed(t testing.TB, raw string) *event.Event {
	t.Helper()
	ev := &event.Event{}
	if err := event.Parse([]byte(raw), ev); err != nil {
		t.Fatalf("%s: %v", raw, err)
	}
	return ev
}

const dataRecord = `{"eventVersion":"1.11","eventTime":"2026-05-01T10:00:00Z","eventSource":"s3.amazonaws.com","eventName":"PutObject","awsRegion":"eu-west-1",` +
	`"eventType":"AwsApiCall","eventCategory":"Data","managementEvent":false,"readOnly":false,"sessionCredentialFromConsole":"true",` +
	`"userIdentity":{"type":"IAMUser","arn":"arn:aws:iam::111122223333:user/ann"},` +
	`"resources":[{"accountId":"111122223333","type":"AWS::S3::Bucket","ARN":"arn:aws:s3:::box"},{"type":"AWS::S3::Object","ARN":"arn:aws:s3:::box/in/a.txt"}]}`

const networkRecord = `{"eventVersion":"1.11","eventTime":"2026-05-01T10:00:00Z","eventSource":"kms.amazonaws.com","eventName":"Decrypt","awsRegion":"eu-west-1",` +
	`"eventType":"AwsVpceEvent","eventCategory":"NetworkActivity","readOnly":true,"errorCode":"VpceAccessDenied","vpcEndpointId":"vpce-0a1b2c"}`

// TestSelectorFields tests every operator on every field: on the value the event has, on
// another, and on a field that is missing.
func TestSelectorFields(t *testing.T) {
	type fieldCase struct {
		record, field, value string
		base                 []event.FieldSelector
		only                 string // the operators that are legal; "" for all
	}
	eq := func(f, v string) event.FieldSelector { return event.FieldSelector{Field: f, Equals: []string{v}} }
	data := []event.FieldSelector{eq("eventCategory", "Data"), eq("resources.type", "AWS::S3::Object")}
	network := []event.FieldSelector{eq("eventCategory", "NetworkActivity"), eq("eventSource", "kms.amazonaws.com")}
	remove := func(record, field string) string {
		var m map[string]any
		if err := json.Unmarshal([]byte(record), &m); err != nil {
			t.Fatal(err)
		}
		name, _, _ := strings.Cut(field, ".")
		if name == "resources" {
			m[name] = []any{map[string]any{"type": "AWS::S3::Object"}}
		} else {
			delete(m, name)
		}
		b, _ := json.Marshal(m)
		return string(b)
	}
	for _, c := range []fieldCase{
		{dataRecord, "readOnly", "false", data, "Equals"},
		{dataRecord, "eventSource", "s3.amazonaws.com", data, ""},
		{dataRecord, "eventName", "PutObject", data, ""},
		{dataRecord, "eventType", "AwsApiCall", data, ""},
		{dataRecord, "sessionCredentialFromConsole", "true", data, "Equals NotEquals"},
		{dataRecord, "userIdentity.arn", "arn:aws:iam::111122223333:user/ann", data, ""},
		{dataRecord, "resources.ARN", "arn:aws:s3:::box/in/a.txt", data, ""},
		{networkRecord, "eventName", "Decrypt", network, ""},
		{networkRecord, "errorCode", "VpceAccessDenied", network, "Equals"},
		{networkRecord, "vpcEndpointId", "vpce-0a1b2c", network, ""},
	} {
		half := len(c.value) / 2
		for _, op := range []string{"Equals", "StartsWith", "EndsWith", "NotEquals", "NotStartsWith", "NotEndsWith"} {
			hit, miss := c.value, c.value+"x"
			switch strings.TrimPrefix(op, "Not") {
			case "StartsWith":
				hit, miss = c.value[:half], "x"+c.value
			case "EndsWith":
				hit = c.value[half:]
			}
			build := func(v string) event.Selectors {
				f := event.FieldSelector{Field: c.field}
				switch op {
				case "Equals":
					f.Equals = []string{v}
				case "StartsWith":
					f.StartsWith = []string{v}
				case "EndsWith":
					f.EndsWith = []string{v}
				case "NotEquals":
					f.NotEquals = []string{v}
				case "NotStartsWith":
					f.NotStartsWith = []string{v}
				case "NotEndsWith":
					f.NotEndsWith = []string{v}
				}
				return event.Selectors{Advanced: []event.AdvancedSelector{{FieldSelectors: append(slices.Clone(c.base), f)}}}
			}
			negative := strings.HasPrefix(op, "Not")
			s := build(hit)
			legal := c.only == "" || slices.Contains(strings.Fields(c.only), op)
			if err := s.Validate(event.ForTrail); (err == nil) != legal {
				t.Errorf("%s %s %q: %v, want legal %v", c.field, op, hit, err, legal)
			}
			// What is not legal has a meaning all the same.
			if got := s.Compile().Match(parsed(t, c.record)); got == negative {
				t.Errorf("%s %s %q on the value %q: %v", c.field, op, hit, c.value, got)
			}
			o := build(miss)
			if got := o.Compile().Match(parsed(t, c.record)); got != negative {
				t.Errorf("%s %s %q on the value %q: %v", c.field, op, miss, c.value, got)
			}
			if c.field == "eventSource" || c.field == "eventName" {
				continue // a record without them is refused
			}
			if got := s.Compile().Match(parsed(t, remove(c.record, c.field))); got != negative {
				t.Errorf("%s %s on a record without it: %v", c.field, op, got)
			}
		}
	}
}

// TestResourceSelectors: conditions on ARNs are about resources of the selector's type.
func TestResourceSelectors(t *testing.T) {
	build := func(f event.FieldSelector) *event.Matcher {
		s := event.Selectors{Advanced: []event.AdvancedSelector{{FieldSelectors: []event.FieldSelector{
			{Field: "eventCategory", Equals: []string{"Data"}}, {Field: "resources.type", Equals: []string{"AWS::S3::Object"}}, f}}}}
		if err := s.Validate(event.ForTrail); err != nil {
			t.Fatal(err)
		}
		return s.Compile()
	}
	list := strings.Replace(dataRecord, `"ARN":"arn:aws:s3:::box/in/a.txt"`, `"ARNPrefix":"arn:aws:s3:::box/"`, 1)
	for _, c := range []struct {
		f      event.FieldSelector
		record string
		want   bool
	}{
		{event.FieldSelector{Field: "resources.ARN", StartsWith: []string{"arn:aws:s3:::box/"}}, dataRecord, true},
		{event.FieldSelector{Field: "resources.ARN", StartsWith: []string{"arn:aws:s3:::box/"}}, list, true},
		{event.FieldSelector{Field: "resources.ARN", EndsWith: []string{":::box"}}, dataRecord, false}, // the bucket's
		{event.FieldSelector{Field: "resources.ARN", NotEndsWith: []string{":::box"}}, dataRecord, true},
		{event.FieldSelector{Field: "resources.ARN", NotStartsWith: []string{"arn:aws:s3:::box/"}}, dataRecord, false},
	} {
		if got := build(c.f).Match(parsed(t, c.record)); got != c.want {
			t.Errorf("%+v on %s: %v", c.f, c.record, got)
		}
	}
}

// TestSelectorsRefused: each case names the member that is at fault.
func TestSelectorsRefused(t *testing.T) {
	many := make([]string, 501)
	for i := range many {
		many[i] = fmt.Sprint("v", i)
	}
	quoted, _ := json.Marshal(many)
	const management = `{"Field":"eventCategory","Equals":["Management"]}`
	const data = `{"Field":"eventCategory","Equals":["Data"]},{"Field":"resources.type","Equals":["AWS::S3::Object"]}`
	adv := func(fields string) string { return `{"Advanced":[{"FieldSelectors":[` + fields + `]}]}` }
	for _, c := range []struct{ text, use, want string }{
		{`{}`, "store", "the list is empty"},
		{`{"Basic":[{}],"Advanced":[{}]}`, "trail", "exclude each other"},
		{`{"Basic":[{}]}`, "store", "advanced selectors only"},
		{`{"Basic":[{},{},{},{},{},{}]}`, "trail", "at most 5"},
		{`{"Basic":[{"ReadWriteType":"read-only"}]}`, "trail", `EventSelectors[0].ReadWriteType: "read-only"`},
		{`{"Basic":[{"IncludeManagementEvents":false}]}`, "trail", "selects nothing"},
		{`{"Basic":[{"ExcludeManagementEventSources":["iam.amazonaws.com"]}]}`, "trail", "ExcludeManagementEventSources[0]"},
		{`{"Basic":[{"IncludeManagementEvents":false,"ExcludeManagementEventSources":["kms.amazonaws.com"],"DataResources":[{"Type":"AWS::S3::Object","Values":["arn:aws:s3"]}]}]}`, "trail", "not included"},
		{`{"Basic":[{"DataResources":[{"Type":"AWS::SNS::Topic","Values":["arn:aws:sns:x"]}]}]}`, "trail", "DataResources[0].Type"},
		{`{"Basic":[{"DataResources":[{"Type":"AWS::S3::Object","Values":["arn:aws:lambda"]}]}]}`, "trail", "is not an ARN of AWS::S3::Object"},
		{`{"Basic":[{"DataResources":[{"Type":"AWS::S3::Object"}]}]}`, "trail", "Values: it is empty"},
		{adv(``), "trail", "FieldSelectors: it is empty"},
		{adv(`{"Field":"eventName","Equals":["x"]}`), "store", "0 conditions on eventCategory"},
		{adv(management + "," + management), "store", "2 conditions on eventCategory"},
		{adv(`{"Field":"eventCategory","Equals":["Management","Data"]}`), "store", "takes one value"},
		{adv(`{"Field":"eventCategory","Equals":["management"]}`), "store", "is not one of Management"},
		{adv(`{"Field":"eventCategory","NotEquals":["Management"]}`), "store", "only be tested with Equals"},
		{adv(`{"Field":"eventCategory","Equals":["Insight"]}`), "trail", "is not one of"},
		{adv(`{"Field":"eventCategory","Equals":["Insight"]},{"Field":"eventName","Equals":["x"]}`), "store", "cannot be tested"},
		{adv(management + `,{"Field":"eventname","Equals":["x"]}`), "store", "is no field"},
		{adv(management + `,{"Field":"eventName"}`), "store", "has no operator"},
		{adv(management + `,{"Field":"eventName","Equals":[""]}`), "store", "FieldSelectors[1].Equals[0]: it is empty"},
		{adv(management + `,{"Field":"eventName","Equals":["` + strings.Repeat("x", 2049) + `"]}`), "store", "2049 characters"},
		{adv(management + `,{"Field":"eventName","Equals":["x"]}`), "trail", "cannot be tested in a selector of Management events of a trail"},
		{adv(management + `,{"Field":"eventSource","Equals":["kms.amazonaws.com"]}`), "trail", "cannot be tested with Equals"},
		{adv(management + `,{"Field":"eventSource","NotEquals":["iam.amazonaws.com"]}`), "trail", "is not one of kms"},
		{adv(management + `,{"Field":"readOnly","NotEquals":["true"]}`), "store", "cannot be tested with NotEquals"},
		{adv(management + `,{"Field":"readOnly","Equals":["yes"]}`), "store", "is not one of true, false"},
		{adv(management + `,{"Field":"readOnly","Equals":["true"]},{"Field":"readOnly","Equals":["false"]}`), "store", "contradicts"},
		{adv(management + `,{"Field":"eventName","Equals":["a","b"],"NotEquals":["b","a"]}`), "store", "contradicts"},
		{adv(management + `,{"Field":"eventName","Equals":["abc"],"NotStartsWith":["ab"]}`), "store", "contradicts"},
		{adv(management + `,{"Field":"eventName","StartsWith":["abc"],"NotStartsWith":["ab"]}`), "store", "contradicts"},
		{adv(management + `,{"Field":"eventName","EndsWith":["abc"]},{"Field":"eventName","NotEndsWith":["bc"]}`), "store", "contradicts"},
		{adv(management + `,{"Field":"eventName","Equals":["abc"]},{"Field":"eventName","StartsWith":["b"]}`), "store", "contradicts"},
		{adv(`{"Field":"eventCategory","Equals":["Data"]}`), "trail", "need a condition on resources.type"},
		{adv(`{"Field":"eventCategory","Equals":["Data"]},{"Field":"resources.type","Equals":["AWS::S3::Object","AWS::SNS::Topic"]}`), "trail", "takes one value"},
		{adv(data + `,{"Field":"resources.type","Equals":["AWS::S3::Object"]}`), "trail", "tested once"},
		{adv(`{"Field":"eventCategory","Equals":["Data"]},{"Field":"resources.type","Equals":["S3"]}`), "trail", "not spelled like a resource type"},
		{adv(data + `,{"Field":"resources.ARN","Equals":["arn:aws:s3:::box/"]}`), "trail", "for a whole bucket use StartsWith"},
		{adv(data + `,{"Field":"resources.ARN","Equals":["box/key"]}`), "trail", "not a whole ARN"},
		{adv(data + `,{"Field":"resources.ARN","NotEquals":["arn:aws:sns:eu-west-1:111122223333:t"]}`), "trail", "is an ARN of sns"},
		{adv(`{"Field":"eventCategory","Equals":["NetworkActivity"]}`), "trail", "need a condition on eventSource"},
		{adv(`{"Field":"eventCategory","Equals":["NetworkActivity"]},{"Field":"eventSource","Equals":["kms.amazonaws.com"]},{"Field":"errorCode","Equals":["AccessDenied"]}`), "trail", "is not one of VpceAccessDenied"},
		{adv(management + `,{"Field":"eventName","Equals":` + string(quoted) + `}`), "store", "more than 500 values"},
		{`{"Advanced":[{"FieldSelectors":[` + management + `]},{"FieldSelectors":[{"Field":"eventCategory","Equals":["Evidence"]}]}]}`, "store", "share a store with no other"},
		{`{"Advanced":[{"Name":"` + strings.Repeat("n", 1001) + `","FieldSelectors":[` + management + `]}]}`, "store", "Name: 1001 characters"},
		{`{"Advanced":[` + strings.Repeat(`{"FieldSelectors":[`+management+`]},`, 5) + `{"FieldSelectors":[` + management + `]}]}`, "store", "at most 5"},
	} {
		var s event.Selectors
		if err := json.Unmarshal([]byte(c.text), &s); err != nil {
			t.Fatal(err)
		}
		use := event.ForTrail
		if c.use == "store" {
			use = event.ForStore
		}
		err := s.Validate(use)
		var se *event.SelectorError
		if err == nil || !errors.As(err, &se) || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%.300s: %v, want %q", c.text, err, c.want)
		}
	}
	for _, s := range []event.Selectors{event.DefaultTrailSelectors(), {Advanced: []event.AdvancedSelector{{FieldSelectors: []event.FieldSelector{
		{Field: "eventCategory", Equals: []string{"Management"}}, {Field: "eventSource", NotEquals: []string{"kms.amazonaws.com"}}}}}}} {
		if err := s.Validate(event.ForTrail); err != nil {
			t.Error(err)
		}
	}
	s := event.DefaultStoreSelectors()
	if err := s.Validate(event.ForStore); err != nil {
		t.Error(err)
	}
}

// TestBasicSelectors is the table of the older form.
func TestBasicSelectors(t *testing.T) {
	record := func(category, source, readOnly, resources string) string {
		ro := ""
		if readOnly != "" {
			ro = `"readOnly":` + readOnly + `,`
		}
		return `{"eventVersion":"1.08","eventTime":"2026-05-01T10:00:00Z","eventSource":"` + source + `","eventName":"X",` + ro + `"eventCategory":"` + category + `","resources":[` + resources + `]}`
	}
	object := func(arn string) string {
		return record("Data", "s3.amazonaws.com", "false", `{"type":"AWS::S3::Object","ARN":"`+arn+`"}`)
	}
	function := func(arn string) string {
		return record("Data", "lambda.amazonaws.com", "false", `{"type":"AWS::Lambda::Function","ARN":"`+arn+`"}`)
	}
	const none = `"IncludeManagementEvents":false,`
	for _, c := range []struct {
		selector, record string
		want             bool
	}{
		{`{}`, record("Management", "iam.amazonaws.com", "false", ""), true},
		{`{}`, object("arn:aws:s3:::b/k"), false},
		{`{}`, record("NetworkActivity", "kms.amazonaws.com", "true", ""), false},
		{`{"ReadWriteType":"WriteOnly"}`, record("Management", "iam.amazonaws.com", "true", ""), false},
		{`{"ReadWriteType":"WriteOnly"}`, record("Management", "iam.amazonaws.com", "false", ""), true},
		{`{"ReadWriteType":"ReadOnly"}`, record("Management", "iam.amazonaws.com", "true", ""), true},
		{`{"ReadWriteType":"ReadOnly"}`, record("Management", "iam.amazonaws.com", "", ""), false},
		{`{"ReadWriteType":"All"}`, record("Management", "iam.amazonaws.com", "", ""), true},
		{`{"ExcludeManagementEventSources":["kms.amazonaws.com"]}`, record("Management", "kms.amazonaws.com", "false", ""), false},
		{`{"ExcludeManagementEventSources":["kms.amazonaws.com"]}`, record("Management", "iam.amazonaws.com", "false", ""), true},
		{`{` + none + `"DataResources":[{"Type":"AWS::S3::Object","Values":["arn:aws:s3"]}]}`, object("arn:aws:s3:::b/k"), true},
		{`{` + none + `"DataResources":[{"Type":"AWS::S3::Object","Values":["arn:aws:s3:::"]}]}`, object("arn:aws:s3:::b/k"), true},
		{`{` + none + `"DataResources":[{"Type":"AWS::S3::Object","Values":["arn:aws:s3:::b/"]}]}`, object("arn:aws:s3:::b/k"), true},
		{`{` + none + `"DataResources":[{"Type":"AWS::S3::Object","Values":["arn:aws:s3:::b/"]}]}`, object("arn:aws:s3:::bb/k"), false},
		{`{` + none + `"DataResources":[{"Type":"AWS::S3::Object","Values":["arn:aws:s3:::b/pre"]}]}`, object("arn:aws:s3:::b/prefix/k"), true},
		{`{` + none + `"DataResources":[{"Type":"AWS::S3::Object","Values":["arn:aws:s3:::b/pre"]}]}`, record("Management", "iam.amazonaws.com", "false", ""), false},
		{`{` + none + `"ReadWriteType":"ReadOnly","DataResources":[{"Type":"AWS::S3::Object","Values":["arn:aws:s3"]}]}`, object("arn:aws:s3:::b/k"), false},
		{`{` + none + `"DataResources":[{"Type":"AWS::Lambda::Function","Values":["arn:aws:lambda:eu-west-1:1:function:f"]}]}`, function("arn:aws:lambda:eu-west-1:1:function:f"), true},
		{`{` + none + `"DataResources":[{"Type":"AWS::Lambda::Function","Values":["arn:aws:lambda:eu-west-1:1:function:f"]}]}`, function("arn:aws:lambda:eu-west-1:1:function:ff"), false},
		{`{` + none + `"DataResources":[{"Type":"AWS::Lambda::Function","Values":["arn:aws:lambda"]}]}`, function("arn:aws:lambda:eu-west-1:1:function:ff"), true},
		{`{` + none + `"DataResources":[{"Type":"AWS::Lambda::Function","Values":["arn:aws:lambda"]}]}`, object("arn:aws:s3:::b/k"), false},
	} {
		var b event.BasicSelector
		if err := json.Unmarshal([]byte(c.selector), &b); err != nil {
			t.Fatal(err)
		}
		s := event.Selectors{Basic: []event.BasicSelector{b}}
		if err := s.Validate(event.ForTrail); err != nil {
			t.Errorf("%s: %v", c.selector, err)
		}
		if got := s.Compile().Match(parsed(t, c.record)); got != c.want {
			t.Errorf("%s on %s: %v", c.selector, c.record, got)
		}
	}
}

// randomSelector makes a selector of fields and values that random records have.
func randomSelector(r *rand.Rand) event.AdvancedSelector {
	pick := func(list ...string) string { return list[r.Intn(len(list))] }
	s := event.AdvancedSelector{FieldSelectors: []event.FieldSelector{{Field: "eventCategory", Equals: []string{pick("Management", "Data", "NetworkActivity")}}}}
	if r.Intn(2) == 0 {
		s.FieldSelectors = append(s.FieldSelectors, event.FieldSelector{Field: "resources.type", Equals: []string{pick("AWS::S3::Object", "AWS::S3::Bucket")}})
	}
	for range r.Intn(4) {
		f := event.FieldSelector{Field: pick("readOnly", "eventSource", "eventName", "eventType", "sessionCredentialFromConsole", "errorCode", "vpcEndpointId", "userIdentity.arn", "resources.ARN")}
		for range 1 + r.Intn(3) {
			n := 1 + r.Intn(2)
			if r.Intn(10) == 0 {
				n = 12 // past the size from which values are hashed
			}
			var list []string
			for range n {
				v := randomText(r)
				list = append(list, v)
			}
			switch r.Intn(6) {
			case 0:
				f.Equals = list
			case 1:
				f.StartsWith = list
			case 2:
				f.EndsWith = list
			case 3:
				f.NotEquals = list
			case 4:
				f.NotStartsWith = list
			case 5:
				f.NotEndsWith = list
			}
		}
		s.FieldSelectors = append(s.FieldSelectors, f)
	}
	return s
}

// randomText is short and over few letters, so that texts often begin or end with others.
func randomText(r *rand.Rand) string {
	if r.Intn(4) == 0 {
		return []string{"true", "false", "é\"", "\\"}[r.Intn(4)]
	}
	b := make([]byte, 1+r.Intn(3))
	for i := range b {
		b[i] = "ab"[r.Intn(2)]
	}
	return string(b)
}

func randomRecord(r *rand.Rand) map[string]any {
	rec := map[string]any{"eventVersion": "1.11", "eventTime": "2026-05-01T10:00:00Z", "eventSource": randomText(r), "eventName": randomText(r),
		"eventCategory": []string{"Management", "Data", "NetworkActivity", "Insight"}[r.Intn(4)], "eventID": "x"}
	for _, name := range []string{"eventType", "errorCode", "vpcEndpointId", "sessionCredentialFromConsole"} {
		switch r.Intn(4) {
		case 0:
		case 1:
			rec[name] = nil
		default:
			rec[name] = randomText(r)
		}
	}
	switch r.Intn(4) {
	case 0:
		rec["readOnly"] = r.Intn(2) == 0
	case 1:
		rec["readOnly"] = randomText(r)
	}
	if r.Intn(3) > 0 {
		rec["userIdentity"] = map[string]any{"type": "x", "arn": randomText(r)}
	}
	if r.Intn(3) > 0 {
		list := []any{}
		for range r.Intn(3) {
			res := map[string]any{"type": []string{"AWS::S3::Object", "AWS::S3::Bucket"}[r.Intn(2)]}
			if n := r.Intn(3); n > 0 {
				res[[]string{"ARN", "ARNPrefix"}[n-1]] = randomText(r)
			}
			list = append(list, res)
		}
		rec["resources"] = list
	}
	return rec
}

// TestRandomSelectors holds the matcher against the plain evaluation, and what Validate
// calls a contradiction against records: none may be selected.
func TestRandomSelectors(t *testing.T) {
	r := rand.New(rand.NewSource(*selectorSeed))
	var records []map[string]any
	var events []*event.Event
	for range 300 {
		rec := randomRecord(r)
		b, _ := json.Marshal(rec)
		records, events = append(records, rec), append(events, parsed(t, string(b)))
	}
	hits, refused := 0, 0
	for range 3000 {
		s := event.Selectors{Advanced: []event.AdvancedSelector{randomSelector(r)}}
		if r.Intn(3) == 0 {
			s.Advanced = append(s.Advanced, randomSelector(r))
		}
		m := s.Compile()
		err := s.Validate(event.ForStore)
		contradicts := err != nil && strings.Contains(err.Error(), "contradicts") && len(s.Advanced) == 1
		if contradicts {
			refused++
		}
		for i, rec := range records {
			want := slices.ContainsFunc(s.Advanced, func(a event.AdvancedSelector) bool {
				return plainMatch(a, rec, events[i].Category.String())
			})
			if got := m.Match(events[i]); got != want {
				text, _ := json.Marshal(s)
				t.Fatalf("seed %d: %s on %s: %v, want %v", *selectorSeed, text, events[i].Raw, got, want)
			}
			if want {
				hits++
				if contradicts && !slices.ContainsFunc(s.Advanced[0].FieldSelectors, func(f event.FieldSelector) bool { return strings.HasPrefix(f.Field, "resources.") }) {
					t.Fatalf("seed %d: %v, but %s is selected", *selectorSeed, err, events[i].Raw)
				}
			}
		}
	}
	if hits < 1000 || refused < 3 {
		t.Errorf("%d hits and %d contradictions: the selectors are too random", hits, refused)
	}
}

// FuzzSelectors: any list of selectors is validated and any record matched without a
// panic, and as the plain evaluation has it.
func FuzzSelectors(f *testing.F) {
	f.Add([]byte(`{"Advanced":[{"FieldSelectors":[{"Field":"eventCategory","Equals":["Data"]},{"Field":"resources.type","Equals":["AWS::S3::Object"]},{"Field":"resources.ARN","StartsWith":["arn:"],"NotEndsWith":["x"]}]}]}`), []byte(dataRecord))
	f.Add([]byte(`{"Basic":[{"ReadWriteType":"ReadOnly","DataResources":[{"Type":"AWS::S3::Object","Values":["arn:aws:s3:::b/"]}]}]}`), []byte(networkRecord))
	f.Fuzz(func(t *testing.T, text, record []byte) {
		var s event.Selectors
		if json.Unmarshal(text, &s) != nil {
			return
		}
		errTrail, errStore := s.Validate(event.ForTrail), s.Validate(event.ForStore)
		var ev event.Event
		if event.Parse(event.Trim(record), &ev) != nil || errTrail != nil && errStore != nil {
			return
		}
		got := s.Compile().Match(&ev)
		var rec map[string]any
		if json.Unmarshal(record, &rec) != nil || len(s.Basic) > 0 {
			return
		}
		want := slices.ContainsFunc(s.Advanced, func(a event.AdvancedSelector) bool { return plainMatch(a, rec, ev.Category.String()) })
		// encoding/json reads lone surrogates in another way.
		if got != want && !strings.Contains(string(record), `\u`) {
			t.Errorf("%s on %s: %v, want %v", text, record, got, want)
		}
	})
}

func BenchmarkSelectors(b *testing.B) {
	s := event.Selectors{Advanced: []event.AdvancedSelector{
		{FieldSelectors: []event.FieldSelector{{Field: "eventCategory", Equals: []string{"Management"}}}},
		{FieldSelectors: []event.FieldSelector{{Field: "eventCategory", Equals: []string{"Data"}}, {Field: "resources.type", Equals: []string{"AWS::S3::Object"}},
			{Field: "resources.ARN", StartsWith: []string{"arn:aws:s3:::other/", "arn:aws:s3:::box/"}}}},
	}}
	m := s.Compile()
	ev := parsed(b, dataRecord)
	b.ReportAllocs()
	for b.Loop() {
		if !m.Match(ev) {
			b.Fatal("not selected")
		}
	}
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "events/s")
}
