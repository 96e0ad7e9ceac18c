package engine_test

import (
	"bytes"
	"compress/gzip"
	"context"
	"encoding/json"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"

	"github.com/cairndb/cairn/engine"
	"github.com/cairndb/cairn/engine/digest"
	"github.com/cairndb/cairn/engine/trail"
)

// simulated is what a trail has delivered in some days, and the keys.
type simulated struct {
	target     *faultyTarget
	gateway    *gateway           // where the objects of target really are; nil for nowhere else
	from       engine.TrailTarget // where they are verified
	keys       []*engine.TrailKey
	start, end time.Time
	settings   engine.TrailSettings
}

// simulate lets a trail deliver for 72 hours: busy and empty hours, a restart, an hour
// without logging, a rotated key, and a target that is away for three hours.
func simulate(t testing.TB) *simulated {
	t.Helper()
	sim := newSimulated()
	sim.from = sim.target
	sim.run(t, func(context.Context) (engine.TrailTarget, error) { return sim.target, nil }, func(away bool) {
		sim.target.fail = nil
		if away {
			sim.target.fail = errors.New("503")
		}
	})
	return sim
}

func newSimulated() *simulated {
	return &simulated{target: &faultyTarget{objects: map[string]object{}}, settings: trailSettings()}
}

// run delivers to what openTarget opens; turn takes it away and brings it back.
func (sim *simulated) run(t testing.TB, openTarget func(ctx context.Context) (engine.TrailTarget, error), turn func(away bool)) {
	t.Helper()
	ctx := context.Background()
	mem, c := vfs.NewMem(), newClock()
	sim.start = c.now()
	away := false
	open := func(o *engine.Options) {
		o.OpenTarget = func(ctx context.Context, _ *engine.TrailSettings) (engine.TrailTarget, error) { return openTarget(ctx) }
	}
	l := openTrailLake(t, mem, c, open)
	defer func() { l.Close() }()
	sim.settings.Target, sim.settings.Validation = "s3://audit-bucket", true
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	_, err := l.CreateTrail(ctx, sim.settings)
	must(err)
	must(l.StartTrail(ctx, "main", false))
	n := 0
	for step := range 72 * 3 {
		hour := step / 3
		if hour%5 < 3 { // whatever the minute of the trail, hours without events are among them
			appendAll(t, l, "events", trailRecord(n, trailAccount, []string{"eu-west-1", "eu-west-1", "us-west-2"}[n%3], "Management", "ec2.amazonaws.com"))
			n++
		}
		c.add(20 * time.Minute)
		switch step {
		case 20 * 3:
			must(l.Close())
			l = openTrailLake(t, mem, c, open)
		case 30 * 3:
			must(l.StopTrail(ctx, "main"))
		case 33 * 3:
			must(l.StartTrail(ctx, "main", false))
		case 40 * 3:
			_, err := l.RotateTrailKey(ctx)
			must(err)
		case 50 * 3, 53 * 3:
			away = !away
			turn(away)
		}
		if _, err := l.DeliverTrail(ctx, "main"); err != nil && !away {
			t.Fatalf("step %d: %v", step, err)
		}
	}
	sim.end = c.now()
	if sim.keys, err = l.TrailKeys(sim.start, sim.end); err != nil || len(sim.keys) != 2 {
		t.Fatalf("%d keys, %v", len(sim.keys), err)
	}
}

// verify runs our verifier.
func (sim *simulated) verify(t testing.TB) (*trail.Verdict, string) {
	t.Helper()
	var out, errs bytes.Buffer
	v, err := trail.Verify(context.Background(), sim.from, trail.Verification{ARN: sim.settings.ARN(), Bucket: "audit-bucket", Start: sim.start, End: sim.end,
		Keys: sim.keys, Verbose: true, Out: &out, Err: &errs})
	if err != nil {
		t.Fatal(err)
	}
	return v, out.String() + errs.String()
}

// S3 and CloudTrail, as far as "aws cloudtrail validate-logs" asks them.
func (sim *simulated) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	q := r.URL.Query()
	sim.target.Lock()
	defer sim.target.Unlock()
	key, inBucket := strings.CutPrefix(strings.TrimPrefix(r.URL.Path, "/audit-bucket"), "/")
	switch {
	case r.Method == http.MethodPost:
		w.Header().Set("Content-Type", "application/x-amz-json-1.1")
		target := r.Header.Get("X-Amz-Target")
		switch target[strings.LastIndexByte(target, '.')+1:] {
		case "DescribeTrails":
			json.NewEncoder(w).Encode(map[string]any{"trailList": []any{map[string]any{"TrailARN": sim.settings.ARN(), "S3BucketName": "audit-bucket"}}})
		case "ListPublicKeys":
			var list []any
			for _, k := range sim.keys {
				list = append(list, map[string]any{"Value": k.DER, "Fingerprint": k.Fingerprint(), "ValidityStartTime": k.Start.Unix(), "ValidityEndTime": k.End.Unix()})
			}
			json.NewEncoder(w).Encode(map[string]any{"PublicKeyList": list})
		default:
			http.Error(w, `{"__type":"InvalidAction"}`, http.StatusBadRequest)
		}
	case q.Has("location"):
		fmt.Fprint(w, `<?xml version="1.0" encoding="UTF-8"?><LocationConstraint xmlns="http://s3.amazonaws.com/doc/2006-03-01/">eu-west-1</LocationConstraint>`)
	case key == "":
		type content struct{ Key string }
		list := struct {
			XMLName     xml.Name `xml:"ListBucketResult"`
			IsTruncated bool
			Contents    []content
		}{}
		for k := range sim.target.objects {
			if strings.HasPrefix(k, q.Get("prefix")) && k > q.Get("marker") {
				list.Contents = append(list.Contents, content{k})
			}
		}
		slices.SortFunc(list.Contents, func(a, b content) int { return strings.Compare(a.Key, b.Key) })
		xml.NewEncoder(w).Encode(list)
	case inBucket:
		o, ok := sim.target.objects[key]
		if !ok {
			w.WriteHeader(http.StatusNotFound)
			fmt.Fprint(w, `<?xml version="1.0" encoding="UTF-8"?><Error><Code>NoSuchKey</Code><Message>no</Message></Error>`)
			return
		}
		for name, value := range o.meta {
			w.Header()["x-amz-meta-"+name] = []string{value} // as it is: Go's own spelling is not lower case
		}
		w.Write(o.body)
	default:
		http.Error(w, "?", http.StatusNotFound)
	}
}

// awsCLIs are the AWS CLIs of this machine.
func awsCLIs(t testing.TB) []string {
	var out []string
	seen := map[string]bool{}
	for _, dir := range append(filepath.SplitList(os.Getenv("PATH")), "/usr/bin") {
		path := filepath.Join(dir, "aws")
		if info, err := os.Stat(path); err != nil || info.IsDir() || info.Mode()&0o111 == 0 {
			continue
		}
		version, err := exec.Command(path, "--version").CombinedOutput()
		if err != nil || seen[string(version)] {
			continue
		}
		seen[string(version)] = true
		out = append(out, path)
	}
	if len(out) == 0 {
		if os.Getenv("CAIRN_REQUIRE_CLIENTS") != "" {
			t.Fatal("there is no AWS CLI, and CAIRN_REQUIRE_CLIENTS asks for it")
		}
		t.Skip("there is no AWS CLI on this machine")
	}
	return out
}

// ask runs "aws cloudtrail validate-logs" and returns what it says and its exit status.
func (sim *simulated) ask(t testing.TB, aws, url, s3, data string) (said string, status int, cpu time.Duration) {
	t.Helper()
	cmd := exec.Command(aws, "cloudtrail", "validate-logs", "--trail-arn", sim.settings.ARN(), "--start-time", sim.start.Format(time.RFC3339),
		"--end-time", sim.end.Format(time.RFC3339), "--endpoint-url", url, "--region", "eu-west-1", "--verbose")
	cmd.Env = append(os.Environ(), "AWS_ACCESS_KEY_ID=key", "AWS_SECRET_ACCESS_KEY=secret", "AWS_ENDPOINT_URL_S3="+s3, "AWS_DATA_PATH="+data,
		"AWS_CONFIG_FILE=/dev/null", "AWS_EC2_METADATA_DISABLED=true", "AWS_PAGER=")
	var out, errs bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &errs
	err := cmd.Run()
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) {
		t.Fatal(err)
	}
	return out.String() + errs.String(), cmd.ProcessState.ExitCode(), cmd.ProcessState.UserTime() + cmd.ProcessState.SystemTime()
}

// s3Rules is a folder with the rules by which CLIs before 2.13 find S3 here.
func s3Rules(t testing.TB, url string) string {
	t.Helper()
	dir := t.TempDir()
	rule := func(conditions, url string) string {
		return `{"conditions":[` + conditions + `],"endpoint":{"url":"` + url + `","properties":{"authSchemes":[{"name":"sigv4","signingName":"s3","signingRegion":"eu-west-1","disableDoubleEncoding":true}]},"headers":{}},"type":"endpoint"}`
	}
	rules := `{"version":"1.0","parameters":{"Bucket":{"required":false,"type":"String","documentation":"."},"Region":{"builtIn":"AWS::Region","required":false,"type":"String","documentation":"."}},"rules":[` +
		rule(`{"fn":"isSet","argv":[{"ref":"Bucket"}]}`, url+"/{Bucket}") + `,` + rule(``, url) + `]}`
	at := filepath.Join(dir, "s3", "2006-03-01")
	if err := os.MkdirAll(at, 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(at, "endpoint-rule-set-1.json"), []byte(rules), 0o644); err != nil {
		t.Fatal(err)
	}
	return dir
}

// TestTrailVerify: what a trail has delivered in 72 hours is valid.
func TestTrailVerify(t *testing.T) {
	sim := simulate(t)
	v, text := sim.verify(t)
	if !v.Valid() || v.Digests < 67 || v.Logs < 70 || v.Backfill < 1 || len(v.Remarks) > 0 {
		t.Fatalf("%+v\n%s", v, text)
	}
	for _, want := range []string{"No log files were delivered by CloudTrail between", "(backfill) Digest file\ts3://audit-bucket/"} {
		if !strings.Contains(text, want) {
			t.Errorf("%q is missing in\n%s", want, text)
		}
	}
	// Every hour has one digest, empty or not, and each lists what was delivered in it.
	empty := 0
	for key, o := range sim.target.objects {
		if strings.Contains(key, "CloudTrail-Digest/eu-west-1") {
			z, err := gzip.NewReader(bytes.NewReader(o.body))
			if err != nil {
				t.Fatal(err)
			}
			b, _ := io.ReadAll(z)
			d, err := digest.ParseTrailDigest(b)
			if err != nil {
				t.Fatal(err)
			}
			if len(d.Files) == 0 {
				empty++
				if d.Newest != nil || !bytes.Contains(b, []byte(`"logFiles":[]`)) {
					t.Errorf("an empty digest: %s", b)
				}
			}
		}
	}
	if empty < 5 {
		t.Errorf("%d digests are empty", empty)
	}
}

var verdictLine = regexp.MustCompile(`(?m)^(?:\(backfill\) )?(?:Digest|Log) file\t\S+\t.*$|^\d+/\d+ .*$|^No .*$|^\(backfill\) No .*$|^Results .*$`)

// verdicts returns the lines with verdicts, sorted: the CLI's two streams have no order.
func verdicts(text string) string {
	lines := verdictLine.FindAllString(text, -1)
	slices.Sort(lines)
	return strings.Join(lines, "\n")
}

// TestTrailAWS has the AWS CLI validate what a trail has delivered to an S3 server of others, whole and with each
// case of the catalogue of tampering, and compares with our verifier, which takes at most a tenth of its time.
func TestTrailAWS(t *testing.T) {
	if testing.Short() {
		t.Skip("short: most of the time is the CLI's own; runs that are not short have it")
	}
	clis := awsCLIs(t)
	// The files are in an S3 server of others where there is one, else in one in memory.
	var sim *simulated
	g := startGateway(t)
	if g != nil {
		sim = g.simulate(t)
	} else {
		sim = simulate(t)
	}
	server := httptest.NewServer(sim)
	defer server.Close()
	s3 := server.URL
	if g != nil {
		s3 = g.url()
	}
	data := s3Rules(t, s3)
	for _, aws := range clis {
		compare := func(t *testing.T, wantValid bool) {
			t.Helper()
			began := time.Now()
			theirs, status, cpu := sim.ask(t, aws, server.URL, s3, data)
			between, before := time.Now(), ownCPU(t)
			v, ours := sim.verify(t)
			own := ownCPU(t) - before
			t.Logf("the AWS CLI took %v, %v of the processor's time, ours %v, %v", between.Sub(began), cpu, time.Since(between), own)
			for again := 0; again < 12 && cpu < 10*own; again++ { // garbage of before may be collected meanwhile
				before = ownCPU(t)
				sim.verify(t)
				own = min(own, ownCPU(t)-before)
			}
			if cpu < 10*own && wantValid {
				t.Errorf("ours took %v of the processor's time, which is more than a tenth of the AWS CLI's %v", own, cpu)
			}
			if (status == 0) != v.Valid() || v.Valid() != wantValid {
				t.Errorf("valid: the AWS CLI says %v, ours %v, want %v", status == 0, v.Valid(), wantValid)
			}
			got, want := verdicts(ours), verdicts(theirs)
			if !strings.Contains(want, "backfill") {
				// CLIs before 2025 know nothing of back-fill digests.
				got, want = standardDigests(got), standardDigests(want)
			}
			if got != want {
				t.Errorf("ours says\n%s\nthe AWS CLI\n%s\n%s", got, want, theirs)
			}
		}
		t.Run(filepath.Dir(aws)[1:]+"/whole", func(t *testing.T) { compare(t, true) })
		for i, c := range tamperings {
			if i > 0 && os.Getenv("CAIRN_REQUIRE_CLIENTS") == "" {
				continue // each takes the CLI some seconds; TestTrailTampered has them all
			}
			t.Run(filepath.Dir(aws)[1:]+"/"+c.name, func(t *testing.T) {
				defer sim.tamper(t, c.do)()
				compare(t, c.valid)
			})
		}
	}
}

// tamper does something to the files, and undo takes it back.
func (sim *simulated) tamper(t *testing.T, do func(t testing.TB, sim *simulated)) (undo func()) {
	objects, keys := sim.target.objects, sim.keys
	sim.target.objects = maps.Clone(objects)
	do(t, sim)
	changed := sim.target.objects
	if sim.gateway != nil {
		sim.gateway.change(t, sim.from, objects, changed)
	}
	return func() {
		if sim.gateway != nil {
			sim.gateway.change(t, sim.from, changed, objects)
		}
		sim.target.objects, sim.keys = objects, keys
	}
}

// TestTrailTampered has our verifier find each case of the catalogue.
func TestTrailTampered(t *testing.T) {
	sim := simulate(t)
	for _, c := range tamperings {
		undo := sim.tamper(t, c.do)
		if v, text := sim.verify(t); v.Valid() != c.valid {
			t.Errorf("%s: valid is %v\n%s", c.name, v.Valid(), text)
		}
		undo()
	}
}

// standardDigests returns the lines about standard digests: files that a back-fill digest
// lists are counted by those alone that know it.
func standardDigests(lines string) string {
	var kept []string
	for _, line := range strings.Split(lines, "\n") {
		if strings.HasPrefix(line, "Digest file") || strings.Contains(line, " digest files") && !strings.Contains(line, "backfill") {
			kept = append(kept, line)
		}
	}
	return strings.Join(kept, "\n")
}

// digestKeys returns the standard digests of the home region, oldest first.
func (sim *simulated) digestKeys() []string {
	var out []string
	for k := range sim.target.objects {
		if strings.Contains(k, "CloudTrail-Digest/eu-west-1") && !strings.Contains(k, "backfill") {
			out = append(out, k)
		}
	}
	slices.Sort(out)
	return out
}

// logKeys returns the log files of the home region.
func (sim *simulated) logKeys() []string {
	var out []string
	for k := range sim.target.objects {
		if strings.Contains(k, "/CloudTrail/eu-west-1") {
			out = append(out, k)
		}
	}
	slices.Sort(out)
	return out
}

// plain and zip take an object apart and put it together.
func plain(t testing.TB, o object) []byte {
	z, err := gzip.NewReader(bytes.NewReader(o.body))
	if err != nil {
		t.Fatal(err)
	}
	b, err := io.ReadAll(z)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func zip(b []byte, level int) []byte {
	var out bytes.Buffer
	z, _ := gzip.NewWriterLevel(&out, level)
	z.Write(b)
	z.Close()
	return out.Bytes()
}

// tamperings are what somebody may do to files, and whether they may.
var tamperings = []struct {
	name  string
	valid bool
	do    func(t testing.TB, sim *simulated)
}{
	{"a log file is changed", false, func(t testing.TB, sim *simulated) {
		k := sim.logKeys()[3]
		b := bytes.Replace(plain(t, sim.target.objects[k]), []byte("ec2."), []byte("ec3."), 1)
		sim.target.objects[k] = object{zip(b, 6), nil}
	}},
	{"a log file is compressed anew", true, func(t testing.TB, sim *simulated) {
		k := sim.logKeys()[3]
		sim.target.objects[k] = object{zip(plain(t, sim.target.objects[k]), 9), nil}
	}},
	{"a log file is cut off", false, func(t testing.TB, sim *simulated) {
		k := sim.logKeys()[3]
		sim.target.objects[k] = object{sim.target.objects[k].body[:60], nil}
	}},
	{"a log file is not compressed", false, func(t testing.TB, sim *simulated) {
		k := sim.logKeys()[3]
		sim.target.objects[k] = object{plain(t, sim.target.objects[k]), nil}
	}},
	{"a log file is removed", false, func(t testing.TB, sim *simulated) { delete(sim.target.objects, sim.logKeys()[5]) }},
	{"two log files change places", false, func(t testing.TB, sim *simulated) {
		k := sim.logKeys()
		sim.target.objects[k[1]], sim.target.objects[k[2]] = sim.target.objects[k[2]], sim.target.objects[k[1]]
	}},
	{"a digest is changed", false, func(t testing.TB, sim *simulated) {
		k := sim.digestKeys()[10]
		o := sim.target.objects[k]
		b := plain(t, o)
		b = bytes.Replace(b, []byte(`"newestEventTime":`), []byte(`"newestEventTime": `), 1)
		sim.target.objects[k] = object{zip(b, 6), o.meta}
	}},
	{"a digest is removed", false, func(t testing.TB, sim *simulated) { delete(sim.target.objects, sim.digestKeys()[10]) }},
	{"the newest digest is removed", true, func(t testing.TB, sim *simulated) {
		k := sim.digestKeys()
		delete(sim.target.objects, k[len(k)-1])
	}},
	{"a digest is moved", false, func(t testing.TB, sim *simulated) {
		k := sim.digestKeys()
		sim.target.objects[k[10]] = sim.target.objects[k[9]]
	}},
	{"a digest has no signature", false, func(t testing.TB, sim *simulated) {
		k := sim.digestKeys()[10]
		sim.target.objects[k] = object{sim.target.objects[k].body, nil}
	}},
	{"a digest has another's signature", false, func(t testing.TB, sim *simulated) {
		k := sim.digestKeys()
		sim.target.objects[k[10]] = object{sim.target.objects[k[10]].body, sim.target.objects[k[11]].meta}
	}},
	{"a digest is no JSON", false, func(t testing.TB, sim *simulated) {
		k := sim.digestKeys()[10]
		sim.target.objects[k] = object{zip([]byte("{"), 6), sim.target.objects[k].meta}
	}},
	{"a digest is not compressed", false, func(t testing.TB, sim *simulated) {
		k := sim.digestKeys()[10]
		sim.target.objects[k] = object{[]byte("{}"), sim.target.objects[k].meta}
	}},
	{"a digest lacks a member", false, func(t testing.TB, sim *simulated) {
		k := sim.digestKeys()[10]
		o := sim.target.objects[k]
		sim.target.objects[k] = object{zip(bytes.Replace(plain(t, o), []byte("digestStartTime"), []byte("digestBeginTime"), 1), 6), o.meta}
	}},
	{"an empty hour is forged", false, func(t testing.TB, sim *simulated) {
		for _, k := range sim.digestKeys()[10:] {
			o := sim.target.objects[k]
			b := plain(t, o)
			if at := bytes.Index(b, []byte(`"logFiles":[{`)); at >= 0 {
				sim.target.objects[k] = object{zip(append(b[:at:at], `"logFiles":[]}`...), 6), o.meta}
				return
			}
		}
		t.Fatal("all hours are empty")
	}},
	{"a key is not listed", false, func(t testing.TB, sim *simulated) { sim.keys = sim.keys[1:] }},
}
