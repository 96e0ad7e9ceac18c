package engine_test

import (
	"bytes"
	"compress/gzip"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"path"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"

	"github.com/cairndb/cairn/engine"
	"github.com/cairndb/cairn/engine/event"
)

const trailAccount = "111122223333"

// clock is a clock that tests move.
type clock struct {
	sync.Mutex
	at time.Time
}

func newClock() *clock { return &clock{at: time.Date(2026, 5, 1, 10, 2, 30, 0, time.UTC)} }

func (c *clock) now() time.Time {
	c.Lock()
	defer c.Unlock()
	return c.at
}

func (c *clock) add(d time.Duration) {
	c.Lock()
	defer c.Unlock()
	c.at = c.at.Add(d)
}

// trailRecord makes a record; what is empty is left out.
func trailRecord(n int, account, region, category, source string) []byte {
	m := map[string]any{"eventVersion": "1.11", "eventID": fmt.Sprintf("%08d-aaaa-4bbb-8ccc-0123456789ab", n), "eventTime": time.Date(2026, 5, 1, 10, 0, n%60, 0, time.UTC).Format(time.RFC3339),
		"eventSource": source, "eventName": fmt.Sprint("Do", n), "eventCategory": category, "readOnly": n%2 == 0}
	if account != "" {
		m["recipientAccountId"] = account
	}
	if region != "" {
		m["awsRegion"] = region
	}
	if category == "Insight" {
		m["insightDetails"] = map[string]any{"insightType": "ApiCallRateInsight"}
	}
	b, _ := json.Marshal(m)
	return b
}

// delivered reads all files of a directory: names, and the records of each log file.
func delivered(t testing.TB, mem vfs.FS, dir string) (keys []string, records map[string][]string) {
	t.Helper()
	records = make(map[string][]string)
	var walk func(at string)
	walk = func(at string) {
		names, err := mem.List(mem.PathJoin(dir, at))
		if err != nil {
			return
		}
		slices.Sort(names)
		for _, name := range names {
			p := path.Join(at, name)
			if info, err := mem.Stat(mem.PathJoin(dir, p)); err != nil {
				t.Fatal(err)
			} else if info.IsDir() {
				walk(p)
				continue
			}
			keys = append(keys, p)
			if !strings.HasSuffix(p, ".json.gz") || strings.Contains(p, "CloudTrail-Digest") {
				continue
			}
			var doc struct{ Records []json.RawMessage }
			if err := json.Unmarshal(unzip(t, mem, mem.PathJoin(dir, p)), &doc); err != nil {
				t.Fatalf("%s: %v", p, err)
			}
			if len(doc.Records) == 0 {
				t.Errorf("%s has no records", p)
			}
			for _, r := range doc.Records {
				records[p] = append(records[p], string(r))
			}
		}
	}
	walk("")
	return keys, records
}

func unzip(t testing.TB, mem vfs.FS, p string) []byte {
	t.Helper()
	f, err := mem.Open(p)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	z, err := gzip.NewReader(f)
	if err != nil {
		t.Fatal(err)
	}
	b, err := io.ReadAll(z)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func openTrailLake(t testing.TB, mem vfs.FS, c *clock, change func(o *engine.Options)) *engine.Lake {
	t.Helper()
	o := engine.Options{FS: mem, Clock: c.now, DigestInterval: -1, RetainInterval: -1, SegmentRows: 64, NoMerge: true}
	if change != nil {
		change(&o)
	}
	l, err := engine.Open("lake", &o)
	if err != nil {
		t.Fatal(err)
	}
	return l
}

func trailSettings() engine.TrailSettings {
	return engine.TrailSettings{Name: "main", Account: trailAccount, HomeRegion: "eu-west-1", Target: "file:/out/audit-bucket", MultiRegion: true}
}

// appendAll stores records in a store and fails if one is refused.
func appendAll(t testing.TB, l *engine.Lake, store string, records ...[]byte) {
	t.Helper()
	s, err := l.Store(store)
	if errors.Is(err, engine.ErrNotFound) {
		s, err = l.MakeStore(context.Background(), engine.NewStore{Name: store, Days: engine.Forever})
	}
	if err != nil {
		t.Fatal(err)
	}
	v, err := s.Append(context.Background(), records)
	if err != nil {
		t.Fatal(err)
	}
	for i := range v {
		if v[i].Status != engine.Stored {
			t.Fatalf("record %d: %+v", i, v[i])
		}
	}
}

// TestTrailDelivers: what is delivered where, by account, region, category and selectors.
func TestTrailDelivers(t *testing.T) {
	ctx := context.Background()
	mem, c := vfs.NewMem(), newClock()
	l := openTrailLake(t, mem, c, nil)
	defer l.Close()
	appendAll(t, l, "events", trailRecord(1, trailAccount, "eu-west-1", "Management", "iam.amazonaws.com"))
	data := event.AdvancedSelector{FieldSelectors: []event.FieldSelector{{Field: "eventCategory", Equals: []string{"Data"}}, {Field: "resources.type", Equals: []string{"AWS::S3::Object"}}}}
	s := trailSettings()
	s.Prefix, s.Insights = "a/b", []string{"ApiCallRateInsight"}
	s.Selectors = event.Selectors{Advanced: []event.AdvancedSelector{data, {FieldSelectors: []event.FieldSelector{{Field: "eventCategory", Equals: []string{"Management"}}}},
		{FieldSelectors: []event.FieldSelector{{Field: "eventCategory", Equals: []string{"NetworkActivity"}}, {Field: "eventSource", Equals: []string{"kms.amazonaws.com"}}}}}}
	one := trailSettings()
	one.Name, one.MultiRegion, one.GlobalServices, one.Target = "one-region", false, true, "file:/out/one-region"
	org := trailSettings()
	org.Name, org.Organization, org.Target = "org", "o-exampleorgid", "file:/out/organization"
	for _, s := range []engine.TrailSettings{s, one, org} {
		if _, err := l.CreateTrail(ctx, s); err != nil {
			t.Fatal(err)
		}
		if err := l.StartTrail(ctx, s.Name, false); err != nil {
			t.Fatal(err)
		}
	}
	records := [][]byte{
		trailRecord(2, trailAccount, "eu-west-1", "Management", "ec2.amazonaws.com"),
		trailRecord(3, trailAccount, "us-west-2", "Management", "ec2.amazonaws.com"),
		trailRecord(4, "444455556666", "eu-west-1", "Management", "ec2.amazonaws.com"),
		trailRecord(5, "", "", "Management", "ec2.amazonaws.com"),
		trailRecord(6, trailAccount, "us-east-1", "Management", "iam.amazonaws.com"),
		trailRecord(7, trailAccount, "eu-west-1", "NetworkActivity", "kms.amazonaws.com"),
		trailRecord(8, trailAccount, "eu-west-1", "Data", "s3.amazonaws.com"), // no resource
		// What would lead out of the prefix is taken for the trail's own.
		trailRecord(9, "../../../../etc", "../..", "Management", "ec2.amazonaws.com"),
	}
	appendAll(t, l, "events", records...)
	c.add(3 * time.Minute)
	for _, name := range []string{"main", "one-region", "org"} {
		if info, err := l.DeliverTrail(ctx, name); err != nil || info.Status.Waiting != 0 || info.Status.Delivery != c.now() {
			t.Fatalf("%s: %v, %+v", name, err, info.Status)
		}
	}
	numbers := func(dir string) string {
		_, files := delivered(t, mem, dir)
		var out []string
		for key, list := range files {
			var names []string
			for _, r := range list {
				var ev struct{ EventName string }
				if err := json.Unmarshal([]byte(r), &ev); err != nil {
					t.Fatal(err)
				}
				names = append(names, strings.TrimPrefix(ev.EventName, "Do"))
				if want := records[len(names)-1]; len(want) == 0 {
					t.Fatal("no record")
				}
			}
			out = append(out, path.Dir(key)+" "+strings.Join(names, ","))
		}
		slices.Sort(out)
		return strings.Join(out, "\n")
	}
	for dir, want := range map[string]string{
		"/out/audit-bucket": `a/b/AWSLogs/111122223333/CloudTrail-NetworkActivity/eu-west-1/2026/05/01 7
a/b/AWSLogs/111122223333/CloudTrail/eu-west-1/2026/05/01 2,5,9
a/b/AWSLogs/111122223333/CloudTrail/us-east-1/2026/05/01 6
a/b/AWSLogs/111122223333/CloudTrail/us-west-2/2026/05/01 3`,
		"/out/one-region": "AWSLogs/111122223333/CloudTrail/eu-west-1/2026/05/01 2,5,6,9",
		"/out/organization": `AWSLogs/o-exampleorgid/111122223333/CloudTrail/eu-west-1/2026/05/01 2,5,9
AWSLogs/o-exampleorgid/111122223333/CloudTrail/us-east-1/2026/05/01 6
AWSLogs/o-exampleorgid/111122223333/CloudTrail/us-west-2/2026/05/01 3
AWSLogs/o-exampleorgid/444455556666/CloudTrail/eu-west-1/2026/05/01 4`,
	} {
		if got := numbers(dir); got != want {
			t.Errorf("%s has\n%s\nwant\n%s", dir, got, want)
		}
	}
	keys, files := delivered(t, mem, "/out/one-region")
	form := regexp.MustCompile(`^AWSLogs/111122223333/CloudTrail/eu-west-1/2026/05/01/111122223333_CloudTrail_eu-west-1_20260501T1005Z_[A-Za-z0-9]{16}\.json\.gz$`)
	if len(keys) != 1 || !form.MatchString(keys[0]) {
		t.Errorf("keys %q", keys)
	}
	if got := files[keys[0]]; got[0] != string(records[0]) || got[3] != string(records[7]) {
		t.Errorf("records are not as they came: %q", got)
	}
	// Nothing new: no file.
	c.add(time.Hour)
	if _, err := l.DeliverTrail(ctx, "one-region"); err != nil {
		t.Fatal(err)
	}
	if keys, _ := delivered(t, mem, "/out/one-region"); len(keys) != 1 {
		t.Errorf("an empty file was delivered: %q", keys)
	}
}

// TestTrailStartStop: what comes while logging is off is not delivered, also when the
// target was away at the time.
func TestTrailStartStop(t *testing.T) {
	ctx := context.Background()
	mem, c := vfs.NewMem(), newClock()
	target := &faultyTarget{objects: map[string]object{}}
	open := func(o *engine.Options) {
		o.OpenTarget = func(context.Context, *engine.TrailSettings) (engine.TrailTarget, error) { return target, nil }
	}
	l := openTrailLake(t, mem, c, open)
	s := trailSettings()
	s.Target, s.Validation = "s3://audit-bucket", true
	if _, err := l.CreateTrail(ctx, s); err != nil {
		t.Fatal(err)
	}
	if _, err := l.CreateTrail(ctx, s); !errors.Is(err, engine.ErrConflict) {
		t.Errorf("a second trail of the name: %v", err)
	}
	n := 0
	put := func() {
		n++
		appendAll(t, l, "events", trailRecord(n, trailAccount, "eu-west-1", "Management", "ec2.amazonaws.com"))
	}
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	put() // 1: before
	must(l.StartTrail(ctx, "main", false))
	put() // 2: delivered
	target.fail = errors.New("503 slow down")
	if info, err := l.DeliverTrail(ctx, "main"); err == nil || !strings.Contains(info.Status.DeliveryError, "503") {
		t.Errorf("a target that fails: %v, %+v", err, info.Status)
	}
	put() // 3: delivered
	must(l.StopTrail(ctx, "main"))
	put() // 4: while off
	must(l.Close())
	l = openTrailLake(t, mem, c, open)
	defer func() { l.Close() }()
	must(l.StartTrail(ctx, "main", false))
	put() // 5: delivered
	c.add(time.Minute)
	target.fail = nil
	info, err := l.DeliverTrail(ctx, "main")
	must(err)
	if info.Status.DeliveryError != "" || info.Status.Events != 3 || !info.Status.Logging {
		t.Errorf("status %+v", info.Status)
	}
	if got := target.events(t); got != "Do2 Do3 Do5" {
		t.Errorf("delivered %s, want Do2 Do3 Do5", got)
	}
	// From the start: everything, once more.
	must(l.StopTrail(ctx, "main"))
	must(l.StartTrail(ctx, "main", true))
	c.add(time.Minute)
	_, err = l.DeliverTrail(ctx, "main")
	must(err)
	if got := target.events(t); got != "Do1 Do2 Do2 Do3 Do3 Do4 Do5 Do5" {
		t.Errorf("delivered %s", got)
	}
	must(l.DeleteTrail(ctx, "main"))
	if _, err := l.Trail("main"); !errors.Is(err, engine.ErrNotFound) {
		t.Errorf("a deleted trail: %v", err)
	}
	if got := target.events(t); !strings.HasPrefix(got, "Do1") {
		t.Error("deleting a trail took its files")
	}
}

type object struct {
	body []byte
	meta map[string]string
}

// faultyTarget is a bucket that fails as it is told.
type faultyTarget struct {
	sync.Mutex
	objects map[string]object
	fail    error
	// lose takes this many of the next objects and forgets them.
	lose int
	// failAfter takes an object and says that it has failed.
	failAfter int
	puts      int
}

func (f *faultyTarget) Put(_ context.Context, key string, body []byte, meta map[string]string) error {
	f.Lock()
	defer f.Unlock()
	f.puts++
	if f.fail != nil {
		return f.fail
	}
	if f.lose > 0 {
		f.lose--
		return nil
	}
	f.objects[key] = object{bytes.Clone(body), meta}
	if f.failAfter > 0 {
		f.failAfter--
		return errors.New("timeout awaiting response headers")
	}
	return nil
}

func (f *faultyTarget) Size(_ context.Context, key string) (int64, error) {
	f.Lock()
	defer f.Unlock()
	if f.fail != nil {
		return 0, f.fail
	}
	o, ok := f.objects[key]
	if !ok {
		return 0, fs.ErrNotExist
	}
	return int64(len(o.body)), nil
}

func (f *faultyTarget) Get(_ context.Context, key string, _ int64) ([]byte, map[string]string, error) {
	f.Lock()
	defer f.Unlock()
	o, ok := f.objects[key]
	if !ok {
		return nil, nil, fs.ErrNotExist
	}
	return o.body, o.meta, nil
}

func (f *faultyTarget) List(_ context.Context, prefix string, fn func(string) error) error {
	f.Lock()
	var keys []string
	for k := range f.objects {
		if strings.HasPrefix(k, prefix) {
			keys = append(keys, k)
		}
	}
	f.Unlock()
	slices.Sort(keys)
	for _, k := range keys {
		if err := fn(k); err != nil {
			return err
		}
	}
	return nil
}

func (f *faultyTarget) Close() error { return nil }

// events returns the names of all events delivered, in order.
func (f *faultyTarget) events(t testing.TB) string {
	t.Helper()
	f.Lock()
	defer f.Unlock()
	var names []string
	for key, o := range f.objects {
		if strings.Contains(key, "Digest") {
			continue
		}
		z, err := gzip.NewReader(bytes.NewReader(o.body))
		if err != nil {
			t.Fatal(err)
		}
		b, err := io.ReadAll(z)
		if err != nil {
			t.Fatal(err)
		}
		var doc struct{ Records []struct{ EventName string } }
		if err := json.Unmarshal(b, &doc); err != nil {
			t.Fatal(err)
		}
		for _, r := range doc.Records {
			names = append(names, r.EventName)
		}
	}
	slices.Sort(names)
	return strings.Join(names, " ")
}
