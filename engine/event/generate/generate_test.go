package generate

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/klauspost/compress/gzip"
)

// record is what the tests look at.
type record struct {
	EventVersion string
	UserIdentity struct {
		Type, Arn, AccessKeyID, InvokedBy string
		SessionContext                    struct {
			Attributes struct{ CreationDate string }
		}
	}
	EventTime, EventSource, EventName, AwsRegion, SourceIPAddress string
	ErrorCode, EventID, EventType, EventCategory                  string
	RecipientAccountID, SharedEventID                             string
	RequestParameters, ResponseElements, AdditionalEventData      map[string]any
	raw                                                           string
	at                                                            int64
}

func parse(t testing.TB, raw []byte) *record {
	t.Helper()
	r := &record{raw: string(raw)}
	if err := json.Unmarshal(raw, r); err != nil {
		t.Fatalf("not JSON: %v\n%s", err, raw)
	}
	at, err := time.Parse(time.RFC3339, r.EventTime)
	if err != nil || len(r.EventTime) != 20 {
		t.Fatalf("eventTime %q", r.EventTime)
	}
	r.at = at.Unix()
	return r
}

// keys returns the members of a record in their order.
func (r *record) keys() []string {
	var list []string
	d := json.NewDecoder(strings.NewReader(r.raw))
	depth := 0
	expectKey := false
	for {
		tok, err := d.Token()
		if err != nil {
			break
		}
		switch v := tok.(type) {
		case json.Delim:
			if v == '{' || v == '[' {
				depth++
			} else {
				depth--
			}
			expectKey = depth == 1
		case string:
			if depth == 1 && expectKey {
				list = append(list, v)
				expectKey = false
			} else if depth == 1 {
				expectKey = true
			}
		default:
			expectKey = depth == 1
		}
	}
	return list
}

func all(t testing.TB, o Options) []*record {
	t.Helper()
	g := mustNew(t, o)
	var list []*record
	if err := g.Each(func(raw []byte, at int64) error {
		r := parse(t, raw)
		if r.at != at {
			t.Fatalf("told time %d of a record of %s", at, r.EventTime)
		}
		list = append(list, r)
		return nil
	}); err != nil {
		t.Fatal(err)
	}
	return list
}

func mustNew(t testing.TB, o Options) *Generator {
	t.Helper()
	g, err := New(o)
	if err != nil {
		t.Fatal(err)
	}
	return g
}

// goldenHash is the SHA-256 of the records that Options{Events: 3000, Seed: 7} give, a newline after each. It
// changes when the model does; say so in the change log then, for every data set made before is another one.
const goldenHash = "b6a48dc1842c143ffd1e0ba6675f036d39bc8a59e5627a0ee858b8a8b795829f"

func TestGolden(t *testing.T) {
	h := sha256.New()
	g := mustNew(t, Options{Events: 3000, Seed: 7})
	if err := g.Each(func(raw []byte, _ int64) error {
		h.Write(raw)
		h.Write([]byte("\n"))
		return nil
	}); err != nil {
		t.Fatal(err)
	}
	if got := hex.EncodeToString(h.Sum(nil)); got != goldenHash {
		t.Errorf("the records hash to %s, expected %s", got, goldenHash)
	}
}

// tree reads all files below a directory of fs.
func tree(t testing.TB, fs vfs.FS, dir string) map[string][]byte {
	t.Helper()
	files := map[string][]byte{}
	var walk func(string)
	walk = func(at string) {
		names, err := fs.List(at)
		if err != nil {
			t.Fatal(err)
		}
		for _, n := range names {
			p := fs.PathJoin(at, n)
			info, err := fs.Stat(p)
			if err != nil {
				t.Fatal(err)
			}
			if info.IsDir() {
				walk(p)
				continue
			}
			f, err := fs.Open(p)
			if err != nil {
				t.Fatal(err)
			}
			b := make([]byte, info.Size())
			if _, err := f.ReadAt(b, 0); err != nil {
				t.Fatal(err)
			}
			f.Close()
			files[strings.TrimPrefix(p, dir+"/")] = b
		}
	}
	walk(dir)
	return files
}

func written(t testing.TB, o Options) (map[string][]byte, Summary) {
	t.Helper()
	fs := vfs.NewMem()
	last := Progress{}
	sum, err := mustNew(t, o).WriteFiles(context.Background(), fs, "out", func(p Progress) {
		if p.Files != last.Files+1 || p.Events <= last.Events || p.FilesTotal < p.Files {
			t.Errorf("progress went from %+v to %+v", last, p)
		}
		last = p
	})
	if err != nil {
		t.Fatal(err)
	}
	if last.Events != o.Events || last.Files != sum.Files || last.FilesTotal != sum.Files || last.EventsTotal != o.Events {
		t.Errorf("last progress %+v, summary %+v", last, sum)
	}
	return tree(t, fs, "out"), sum
}

func TestWorkersDoNotMatter(t *testing.T) {
	o := Options{Events: 8000, Seed: 3, Workers: 1}
	one, sum := written(t, o)
	for _, w := range []int{1, 2, 7} {
		o.Workers = w
		other, s := written(t, o)
		if s != sum || len(other) != len(one) {
			t.Fatalf("%d workers: %+v and %d files, one: %+v and %d", w, s, len(other), sum, len(one))
		}
		for name, b := range one {
			if !bytes.Equal(b, other[name]) {
				t.Fatalf("%s differs with %d workers", name, w)
			}
		}
	}
	o.Seed++
	other, _ := written(t, o)
	for name := range one {
		if _, same := other[name]; same && name != "truth.json" {
			t.Errorf("%s came out of two seeds", name)
		}
	}
}

var fileName = regexp.MustCompile(`^AWSLogs/(\d{12})/CloudTrail/([a-z0-9-]+)/(\d{4})/(\d\d)/(\d\d)/(\d{12})_CloudTrail_([a-z0-9-]+)_(\d{8})T(\d\d)(\d[05])Z_[A-Za-z0-9]{16}\.json\.gz$`)

func TestFiles(t *testing.T) {
	o := Options{Events: 8000, Seed: 5}
	files, sum := written(t, o)
	fromEach := map[string]int64{}
	for _, r := range all(t, o) {
		fromEach[r.raw]++
	}
	var records, size, packed int64
	for name, b := range files {
		if name == "truth.json" {
			var truth Truth
			if err := json.Unmarshal(b, &truth); err != nil {
				t.Fatal(err)
			}
			if fmt.Sprint(truth) != fmt.Sprint(mustNew(t, o).Truth()) {
				t.Errorf("truth.json says %v", truth)
			}
			if sum.Anomalies != len(truth.Anomalies) || sum.Anomalies < 10 {
				t.Errorf("%d anomalies in the file, %d told", len(truth.Anomalies), sum.Anomalies)
			}
			continue
		}
		m := fileName.FindStringSubmatch(name)
		if m == nil || m[1] != m[6] || m[2] != m[7] || m[3]+m[4]+m[5] != m[8] {
			t.Fatalf("file name %s", name)
		}
		stamp, err := time.Parse("20060102T1504Z", m[8]+"T"+m[9]+m[10]+"Z")
		if err != nil {
			t.Fatal(err)
		}
		z, err := gzip.NewReader(bytes.NewReader(b))
		if err != nil {
			t.Fatal(err)
		}
		var text bytes.Buffer
		if _, err := text.ReadFrom(z); err != nil {
			t.Fatal(err)
		}
		packed += int64(len(b))
		size += int64(text.Len())
		var file struct{ Records []json.RawMessage }
		if err := json.Unmarshal(text.Bytes(), &file); err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		if len(file.Records) == 0 {
			t.Errorf("%s is empty", name)
		}
		records += int64(len(file.Records))
		for _, raw := range file.Records {
			r := parse(t, raw)
			if r.RecipientAccountID != m[1] || r.AwsRegion != m[2] || r.at >= stamp.Unix() {
				t.Fatalf("%s holds\n%s", name, raw)
			}
			fromEach[string(raw)]--
		}
	}
	if records != o.Events || sum.Events != o.Events || sum.Files != len(files)-1 || sum.Bytes != size || sum.Compressed != packed {
		t.Errorf("%d records, %d files, %d bytes, %d packed; summary %+v", records, len(files)-1, size, packed, sum)
	}
	for raw, n := range fromEach {
		if n != 0 {
			t.Fatalf("%d times more from Each than in the files:\n%s", n, raw)
		}
	}
}

func TestNumberOfFiles(t *testing.T) {
	for _, c := range []struct {
		events   int64
		min, max int
	}{{1_000_000, 1000, 4000}, {20_000_000, 10_000, 40_000}} {
		g := mustNew(t, Options{Events: c.events})
		files := g.plan()
		var sum, most int64
		for _, f := range files {
			sum += f.events
			most = max(most, f.events)
		}
		if len(files) < c.min || len(files) > c.max || sum != c.events {
			t.Errorf("%d events: %d files with %d events", c.events, len(files), sum)
		}
		if most > 25_000 { // some 40 MB
			t.Errorf("%d events: a file of %d", c.events, most)
		}
	}
}

// order is CloudTrail's order of the members.
var order = []string{"eventVersion", "userIdentity", "eventTime", "eventSource", "eventName", "awsRegion", "sourceIPAddress", "userAgent",
	"errorCode", "errorMessage", "requestParameters", "responseElements", "additionalEventData", "requestID", "eventID", "readOnly",
	"resources", "eventType", "apiVersion", "managementEvent", "recipientAccountId", "sharedEventID", "vpcEndpointId",
	"vpcEndpointAccountId", "serviceEventDetails", "eventCategory", "tlsDetails", "sessionCredentialFromConsole"}

var always = []string{"eventVersion", "userIdentity", "eventTime", "eventSource", "eventName", "awsRegion", "sourceIPAddress", "userAgent",
	"requestParameters", "responseElements", "eventID", "readOnly", "eventType", "managementEvent", "recipientAccountId", "eventCategory"}

func TestRecords(t *testing.T) {
	o := Options{Events: 8000, Seed: 1}
	list := all(t, o)
	if int64(len(list)) != o.Events {
		t.Fatalf("%d records", len(list))
	}
	g := mustNew(t, o)
	seen := map[string]bool{}
	place := map[string]int{}
	for i, k := range order {
		place[k] = i
	}
	uuid := regexp.MustCompile(`^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$`)
	latest := int64(0)
	for _, r := range list {
		if !uuid.MatchString(r.EventID) || seen[r.EventID] {
			t.Fatalf("event ID %s", r.EventID)
		}
		seen[r.EventID] = true
		last := -1
		keys := r.keys()
		for _, k := range keys {
			p, ok := place[k]
			if !ok || p <= last {
				t.Fatalf("member %s is out of place:\n%s", k, r.raw)
			}
			last = p
		}
		for _, k := range always {
			if !slices.Contains(keys, k) {
				t.Fatalf("no %s:\n%s", k, r.raw)
			}
		}
		if r.at < g.start || r.at >= g.end {
			t.Fatalf("time outside the span:\n%s", r.raw)
		}
		if r.at < latest-maxDelay {
			t.Fatalf("%s arrived %d seconds late", r.EventTime, latest-r.at)
		}
		latest = max(latest, r.at)
		if c := r.UserIdentity.SessionContext.Attributes.CreationDate; c > r.EventTime {
			t.Fatalf("a session of %s acts at %s:\n%s", c, r.EventTime, r.raw)
		}
		if global := map[string]bool{"iam.amazonaws.com": true, "route53.amazonaws.com": true, "organizations.amazonaws.com": true}; global[r.EventSource] && r.AwsRegion != globalRegion {
			t.Fatalf("a global service in %s:\n%s", r.AwsRegion, r.raw)
		}
	}
}

// TestEveryCall renders each call of the tables many times, the rare ones too, with each of its errors.
func TestEveryCall(t *testing.T) {
	g := mustNew(t, Options{Events: 100})
	c := newRecorder(g)
	a := g.accounts[0]
	c.account, c.region, c.stream = a, g.regions[0], g.streams[0]
	for _, k := range g.model.calls {
		for i := range 40 {
			c.rng = rng{hash(uint64(k.id), uint64(i))}
			p := a.callers[i%len(a.callers)][0]
			if p.profile.kind == idNone && !k.serviceEvent {
				continue // services' own events have no caller
			}
			r := &run{}
			c.begin(r, p, 0, g.start+int64(i)*86_000)
			it := &item{call: k}
			if i%8 == 0 || strings.Contains(k.name, "AssumeRole") {
				it.extra = &extra{denied: i%16 == 0, peer: g.accounts[1]}
			}
			raw := c.appendRecord(nil, it, 1, 2)
			if !json.Valid(raw) {
				t.Fatalf("%s: not JSON:\n%s", k.name, raw)
			}
			if !bytes.HasPrefix(raw, []byte(`{"eventVersion":"1.`)) {
				t.Fatal(string(raw))
			}
			for j := range k.errors {
				if text := c.appendFault([]byte(`{"x":1`), faultOwn, &k.errors[j]); !json.Valid(append(text, '}')) {
					t.Fatalf("%s: not JSON: %s", k.name, text)
				}
			}
			for _, f := range []fault{faultDenied, faultThrottled, faultLost} {
				if text := c.appendFault([]byte(`{"x":1`), f, nil); !json.Valid(append(text, '}')) {
					t.Fatalf("%s: not JSON: %s", k.name, text)
				}
			}
		}
	}
}

// TestEveryCallIsUsed holds the tables together: each call is made by a profile or belongs to an anomaly.
func TestEveryCallIsUsed(t *testing.T) {
	m := sharedModel()
	used := map[uint16]bool{}
	for _, p := range m.profiles {
		for _, id := range p.everywhere.calls {
			used[id] = true
		}
	}
	g := mustNew(t, Options{Events: 10_000})
	for _, x := range g.extras {
		used[x.call.id] = true
	}
	services, names := map[string]bool{}, map[string]bool{}
	for _, c := range m.calls {
		if !used[c.id] {
			t.Errorf("nobody calls %s:%s", c.service.name, c.name)
		}
		services[c.service.name], names[c.name] = true, true
	}
	if len(services) < 30 || len(names) < 250 {
		t.Errorf("%d services, %d event names", len(services), len(names))
	}
}

func TestStatistics(t *testing.T) {
	o := Options{Events: 24_000, Seed: 11}
	list := all(t, o)
	n := float64(len(list))
	var bytes, nonASCII, escaped, token, amz, noReq, noResp, data, reads, fraction float64
	count := map[string]float64{}
	largest := 0
	names, types, weekday, hours := map[string]float64{}, map[string]float64{}, map[time.Weekday]float64{}, map[int]float64{}
	for _, r := range list {
		bytes += float64(len(r.raw))
		largest = max(largest, len(r.raw))
		var members map[string]json.RawMessage
		if err := json.Unmarshal([]byte(r.raw), &members); err != nil {
			t.Fatal(err)
		}
		for k := range members {
			count[k]++
		}
		add := func(x *float64, is bool) {
			if is {
				*x++
			}
		}
		add(&nonASCII, strings.ContainsFunc(r.raw, func(c rune) bool { return c > 127 }))
		add(&escaped, strings.Contains(r.raw, `\u00`))
		add(&token, strings.Contains(r.raw, `"sessionToken":"`))
		add(&amz, strings.Contains(r.raw, `"x-amz-id-2":"`))
		add(&noReq, r.RequestParameters == nil)
		add(&noResp, r.ResponseElements == nil)
		add(&data, r.EventCategory == "Data")
		add(&reads, strings.Contains(r.raw, `"readOnly":true`))
		add(&fraction, fractional.MatchString(r.raw))
		names[r.EventSource+r.EventName]++
		types[r.UserIdentity.Type]++
		if strings.Contains(r.raw, `"sessionCredentialFromConsole":"true"`) {
			at := time.Unix(r.at, 0).UTC()
			weekday[at.Weekday()]++
			hours[at.Hour()]++
		}
	}
	share := func(what string, x, low, high float64) {
		t.Helper()
		if x /= n; x < low || x > high {
			t.Errorf("%s: %.4f, expected %.4f to %.4f", what, x, low, high)
		}
	}
	share("bytes", bytes, 1520, 1856)
	share("tlsDetails", count["tlsDetails"], .72, .84)
	share("resources", count["resources"], .22, .36)
	share("additionalEventData", count["additionalEventData"], .09, .15)
	share("errorCode", count["errorCode"], .07, .11)
	share("errorMessage", count["errorMessage"], .068, .108)
	share("sharedEventID", count["sharedEventID"], .1, .2)
	share("vpcEndpointId", count["vpcEndpointId"], .03, .08)
	share("sessionCredentialFromConsole", count["sessionCredentialFromConsole"], .07, .12)
	share("apiVersion", count["apiVersion"], .02, .06)
	share("requestID", count["requestID"], .985, .995)
	share("serviceEventDetails", count["serviceEventDetails"], .002, .02)
	share("requestParameters null", noReq, .09, .14)
	share("responseElements null", noResp, .82, .9)
	share("session tokens", token, .07, .12)
	share("x-amz-id-2", amz, .08, .14)
	share("data events", data, .06, .14)
	share("reads", reads, .76, .88)
	share("not ASCII", nonASCII, .004, .02)
	share("escapes", escaped, .005, .03)
	share("fractions of seconds", fraction, .0003, .05)
	if count["errorCode"] == count["errorMessage"] {
		t.Error("no error without a message")
	}
	if largest < 20_000 || largest > 100_000 {
		t.Errorf("the largest record has %d bytes", largest)
	}
	share("AssumedRole", types["AssumedRole"], .7, .9)
	for _, k := range []string{"Root", "IAMUser", "FederatedUser", "AWSService", "AWSAccount", "SAMLUser", "WebIdentityUser", "IdentityCenterUser", "Unknown", ""} {
		if types[k] == 0 {
			t.Errorf("no userIdentity of type %q", k)
		}
	}
	var ranked []float64
	for _, c := range names {
		ranked = append(ranked, c)
	}
	slices.Sort(ranked)
	slices.Reverse(ranked)
	top := 0.0
	for _, c := range ranked[:10] {
		top += c
	}
	share("ten most frequent names", top, .3, .6)
	if len(ranked) < 250 || ranked[len(ranked)-1] > 3 {
		t.Errorf("%d names, the rarest %.0f times", len(ranked), ranked[len(ranked)-1])
	}
	work := (weekday[time.Tuesday] + weekday[time.Wednesday] + weekday[time.Thursday]) / 3
	if weekday[time.Sunday] > work/3 {
		t.Errorf("people on Sundays %.0f, on working days %.0f", weekday[time.Sunday], work)
	}
	low, high := n, 0.0
	for h := range 24 {
		low, high = min(low, hours[h]), max(high, hours[h])
	}
	if low*4 > high {
		t.Errorf("people's hours: %v", hours)
	}
}

var fractional = regexp.MustCompile(`:\d{2}\.\d{3,9}Z"|":1[67]\d{8}\.\d`)

func TestCompression(t *testing.T) {
	g := mustNew(t, Options{Events: 1_000_000})
	// Every fortieth file stands for all.
	w := fileWriter{g: g, c: newRecorder(g)}
	fs := vfs.NewMem()
	var events, packed, size int64
	for i, f := range g.plan() {
		if i%40 != 0 {
			continue
		}
		if err := w.write(fs, "file", f); err != nil {
			t.Fatal(err)
		}
		events += f.events
		packed += int64(w.packed.Len())
		size += int64(len(w.text))
	}
	if b := float64(packed) / float64(events); b < 279 || b > 341 {
		t.Errorf("%.1f compressed bytes an event", b)
	}
	if b := float64(size) / float64(events); b < 1520 || b > 1856 {
		t.Errorf("%.1f bytes an event", b)
	}
}

func TestTruth(t *testing.T) {
	for _, o := range []Options{
		{Events: 1000, Seed: 1}, {Events: 5000, Seed: 2, Days: 3}, {Events: 4000, Seed: 3, Accounts: 1},
		{Events: 3000, Seed: 4, Days: 1, Accounts: 2}, {Events: 20_000, Seed: 5, Days: 30, Start: time.Date(2023, 11, 4, 7, 30, 0, 0, time.UTC)},
		{Events: 6000, Seed: 6, Accounts: 40},
	} {
		list := all(t, o)
		truth := mustNew(t, o).Truth()
		if int64(len(list)) != o.Events || truth.Events != o.Events || truth.Seed != o.Seed {
			t.Fatalf("%+v: %d events, truth %d of seed %d", o, len(list), truth.Events, truth.Seed)
		}
		kinds := map[string]int{}
		byID := map[string]*record{}
		for _, r := range list {
			byID[r.EventID] = r
		}
		for _, a := range truth.Anomalies {
			kinds[a.Kind]++
			n := int64(0)
			for _, r := range list {
				if r.RecipientAccountID == a.Account && r.AwsRegion == a.Region && r.UserIdentity.Arn == a.Principal &&
					(a.EventSource == "" || a.EventSource == r.EventSource) && (a.EventName == "" || a.EventName == r.EventName) &&
					(a.ErrorCode == "" || a.ErrorCode == r.ErrorCode) && r.at >= a.Start.Unix() && r.at <= a.End.Unix() {
					n++
				}
			}
			if n != a.Count || n == 0 {
				t.Errorf("%+v: %d events found of anomaly %+v", o, n, a)
			}
			if a.Start.Before(truth.Start) || a.End.Before(a.Start) || !a.End.Before(truth.End) {
				t.Errorf("anomaly from %s to %s", a.Start, a.End)
			}
			for _, id := range a.EventIDs {
				if r := byID[id]; r == nil || r.UserIdentity.Arn != a.Principal || r.at < a.Start.Unix() || r.at > a.End.Unix() {
					t.Errorf("anomaly %s names event %s", a.Kind, id)
				}
			}
			if len(a.EventIDs) == 0 || len(a.EventIDs) > eventIDsMax {
				t.Errorf("anomaly %s names %d events", a.Kind, len(a.EventIDs))
			}
		}
		for _, k := range []string{CallBurst, DeniedBurst, Hammering, NewCall, NewRegion, LoginAndKey, RootUse, ImpossibleTravel, PublicBucket, OpenSecurityGroup, LoggingStopped} {
			if kinds[k] == 0 {
				t.Errorf("%+v: no anomaly of kind %s", o, k)
			}
		}

		// What the background must not do, or the truth is not the whole truth.
		found := map[string]int{}
		logins := map[string][]int64{}
		for _, r := range list {
			switch {
			case r.EventName == "ConsoleLogin" && r.AdditionalEventData["MFAUsed"] == "No" && r.ResponseElements["ConsoleLogin"] == "Success":
				logins[r.UserIdentity.Arn] = append(logins[r.UserIdentity.Arn], r.at)
			case strings.Contains(r.raw, `"0.0.0.0/0"`):
				found[OpenSecurityGroup]++
			case r.EventName == "StopLogging":
				found[LoggingStopped]++
			}
			if r.AwsRegion == newRegion {
				found[NewRegion]++
			}
			if r.EventName == "ModifySnapshotAttribute" {
				found[NewCall]++
			}
			if o.Accounts != 1 && r.UserIdentity.Type == "Root" && r.RecipientAccountID == truth.Accounts[0] {
				found[RootUse]++
			}
		}
		for _, r := range list {
			if r.EventName != "CreateAccessKey" {
				continue
			}
			for _, at := range logins[r.UserIdentity.Arn] {
				if r.at >= at && r.at <= at+3600 {
					found[LoginAndKey]++
				}
			}
		}
		for _, a := range truth.Anomalies {
			found[a.Kind] -= int(a.Count)
		}
		for _, k := range []string{OpenSecurityGroup, LoggingStopped, NewRegion, NewCall, LoginAndKey} {
			if found[k] != 0 {
				t.Errorf("%+v: %d of %s beside the truth", o, found[k], k)
			}
		}
		if o.Accounts != 1 && found[RootUse] != 0 {
			t.Errorf("%+v: root acts %d times beside the truth", o, found[RootUse])
		}
	}
	if g := mustNew(t, Options{Events: fewestForAnomalies - 1}); len(g.Truth().Anomalies) != 0 {
		t.Error("anomalies in a handful of events")
	}
}

func TestSharedEvents(t *testing.T) {
	by := map[string][]*record{}
	for _, r := range all(t, Options{Events: 10_000}) {
		if r.SharedEventID != "" {
			by[r.SharedEventID] = append(by[r.SharedEventID], r)
		}
	}
	pairs := 0
	for id, list := range by {
		if len(list) == 1 {
			continue
		}
		pairs++
		a, b := list[0], list[1]
		if len(list) != 2 || a.RecipientAccountID == b.RecipientAccountID || a.EventID == b.EventID ||
			fmt.Sprint(a.RequestParameters, a.ResponseElements) != fmt.Sprint(b.RequestParameters, b.ResponseElements) {
			t.Fatalf("%s is shared by\n%s\n%s", id, a.raw, b.raw)
		}
	}
	if pairs < 5 || len(by) < 500 {
		t.Errorf("%d shared event IDs, %d of them twice", len(by), pairs)
	}
}

func TestOptions(t *testing.T) {
	for _, o := range []Options{{Events: -1}, {Events: MaxEvents + 1}, {Days: -1}, {Days: MaxDays + 1}, {Accounts: -1}, {Accounts: MaxAccounts + 1},
		{Start: time.Date(1906, 1, 1, 0, 0, 0, 0, time.UTC)}, {Start: time.Date(9876, 1, 1, 0, 0, 0, 0, time.UTC)}} {
		if _, err := New(o); err == nil || !strings.HasPrefix(err.Error(), "generate: ") {
			t.Errorf("%+v: %v", o, err)
		}
	}
	o := mustNew(t, Options{}).Options()
	if o.Events != 10_000 || o.Days != 90 || o.Accounts != 8 || !o.Start.Equal(DefaultEnd.AddDate(0, 0, -90)) {
		t.Errorf("defaults: %+v", o)
	}
}

func TestStops(t *testing.T) {
	g := mustNew(t, Options{Events: 2000})
	stop := errors.New("enough")
	n := 0
	if err := g.Each(func([]byte, int64) error {
		n++
		if n == 5 {
			return stop
		}
		return nil
	}); err != stop || n != 5 {
		t.Errorf("after %d records: %v", n, err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	sum, err := g.WriteFiles(ctx, vfs.NewMem(), "out", func(p Progress) {
		if p.Files == 2 {
			cancel()
		}
	})
	if !errors.Is(err, context.Canceled) || sum.Files >= len(g.plan()) {
		t.Errorf("%d files, %v", sum.Files, err)
	}
	if _, err := g.WriteFiles(context.Background(), fullDisk{vfs.NewMem()}, "out", nil); !errors.Is(err, errFull) || !strings.Contains(err.Error(), "writing log file ") {
		t.Errorf("a full disk: %v", err)
	}
}

var errFull = errors.New("no space left on device")

type fullDisk struct{ vfs.FS }

func (fullDisk) Create(string, vfs.DiskWriteCategory) (vfs.File, error) { return nil, errFull }

// TestLikeRealRecords compares the order of the members with real records, where they are at hand.
func TestLikeRealRecords(t *testing.T) {
	dir, err := os.Getwd()
	if err != nil {
		t.Fatal(err)
	}
	var files []string
	for ; len(files) == 0 && dir != filepath.Dir(dir); dir = filepath.Dir(dir) {
		if _, err := os.Stat(filepath.Join(dir, "go.mod")); err == nil {
			files, _ = filepath.Glob(filepath.Join(dir, "..", "shared", "corpus", "i*.json.gz"))
			break
		}
	}
	if len(files) == 0 {
		t.Skip("no real records beside the repository")
	}
	place := map[string]int{}
	for i, k := range order {
		place[k] = i + 1
	}
	for _, name := range files {
		b, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		z, err := gzip.NewReader(bytes.NewReader(b))
		if err != nil {
			t.Fatal(err)
		}
		var file struct{ Records []json.RawMessage }
		if err := json.NewDecoder(z).Decode(&file); err != nil {
			t.Fatal(err)
		}
		wrong := 0
		for _, raw := range file.Records {
			last := 0
			for _, k := range parse(t, raw).keys() {
				if place[k] <= last {
					wrong++
					break
				}
				last = place[k]
			}
		}
		if wrong*100 > len(file.Records) {
			t.Errorf("%s: %d of %d records have another order", filepath.Base(name), wrong, len(file.Records))
		}
	}
}

// FuzzOptions asks for data sets of all shapes: the number of records is exact, they lie in the span, they are JSON,
// and the truth holds.
func FuzzOptions(f *testing.F) {
	f.Add(int64(1), uint64(0), 1, 1, int64(1_700_000_000))
	f.Add(int64(1500), uint64(9), 7, 3, int64(0))
	f.Add(int64(999), uint64(1)<<63, 400, 100, int64(100_000_000))
	f.Add(int64(3000), uint64(77), 1, 1, int64(4_000_000_000))
	f.Fuzz(func(t *testing.T, events int64, seed uint64, days, accounts int, start int64) {
		o := Options{Events: events & 4095, Seed: seed, Days: days & 511, Accounts: accounts % (MaxAccounts + 1)}
		if start != 0 {
			o.Start = time.Unix(start%200_000_000_000, 0)
		}
		g, err := New(o)
		if err != nil {
			t.Skip()
		}
		o = g.Options()
		n := int64(0)
		counts := make([]int64, len(g.truth.Anomalies))
		if err := g.Each(func(raw []byte, at int64) error {
			n++
			if at < g.start || at >= g.end || !json.Valid(raw) {
				t.Fatalf("%+v: at %d\n%s", o, at, raw)
			}
			if len(counts) > 0 {
				r := parse(t, raw)
				for i, a := range g.truth.Anomalies {
					if r.RecipientAccountID == a.Account && r.AwsRegion == a.Region && r.UserIdentity.Arn == a.Principal &&
						(a.EventSource == "" || a.EventSource == r.EventSource) && (a.EventName == "" || a.EventName == r.EventName) &&
						(a.ErrorCode == "" || a.ErrorCode == r.ErrorCode) && r.at >= a.Start.Unix() && r.at <= a.End.Unix() {
						counts[i]++
					}
				}
			}
			return nil
		}); err != nil {
			t.Fatal(err)
		}
		if n != o.Events {
			t.Fatalf("%+v: %d events", o, n)
		}
		for i, a := range g.truth.Anomalies {
			if counts[i] != a.Count {
				t.Fatalf("%+v: %d events of %+v", o, counts[i], a)
			}
		}
	})
}

func BenchmarkNew(b *testing.B) {
	for _, n := range []int64{2000, 1_000_000} {
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			for b.Loop() {
				if _, err := New(Options{Events: n}); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

// BenchmarkEach makes records on one goroutine.
func BenchmarkEach(b *testing.B) {
	const n = 100_000
	g := mustNew(b, Options{Events: n})
	var size int64
	for b.Loop() {
		size = 0
		if err := g.Each(func(raw []byte, _ int64) error { size += int64(len(raw)); return nil }); err != nil {
			b.Fatal(err)
		}
	}
	b.SetBytes(size)
	b.ReportMetric(float64(n)*float64(b.N)/b.Elapsed().Seconds(), "events/s")
}

// BenchmarkWriteFiles makes, compresses and writes files on all processors, into memory.
func BenchmarkWriteFiles(b *testing.B) {
	const n = 200_000
	g := mustNew(b, Options{Events: n})
	var sum Summary
	for b.Loop() {
		var err error
		if sum, err = g.WriteFiles(context.Background(), vfs.NewMem(), "out", nil); err != nil {
			b.Fatal(err)
		}
	}
	b.SetBytes(sum.Bytes)
	b.ReportMetric(float64(n)*float64(b.N)/b.Elapsed().Seconds(), "events/s")
	b.ReportMetric(float64(sum.Compressed)/n, "gzip-B/event")
}
