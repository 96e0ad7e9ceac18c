package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/cairndb/cairn/engine"
)

const trailTestAccount = "111122223333"

// deliveredLake makes a lake whose trail "main" has delivered to dir/audit for five hours,
// with a digest each hour, long ago.
func deliveredLake(t *testing.T, change func(s *engine.TrailSettings)) (dir string) {
	t.Helper()
	ctx := context.Background()
	dir = t.TempDir()
	now := time.Date(2026, 5, 1, 10, 0, 0, 0, time.UTC)
	l, err := engine.Open(filepath.Join(dir, "lake"), &engine.Options{Clock: func() time.Time { return now }, DigestInterval: -1, RetainInterval: -1})
	if err != nil {
		t.Fatal(err)
	}
	s, err := l.MakeStore(ctx, engine.NewStore{Name: engine.DefaultStore, Days: engine.Forever})
	if err != nil {
		t.Fatal(err)
	}
	settings := engine.TrailSettings{Name: "main", Account: trailTestAccount, HomeRegion: "eu-west-1", MultiRegion: true, Validation: true,
		Target: "file:" + filepath.Join(dir, "audit"), Prefix: "lake1"}
	if change != nil {
		change(&settings)
	}
	if _, err := l.CreateTrail(ctx, settings); err != nil {
		t.Fatal(err)
	}
	if err := l.StartTrail(ctx, "main", false); err != nil {
		t.Fatal(err)
	}
	for n := range 5 {
		if _, err := s.Append(ctx, [][]byte{trailEvent(n)}); err != nil {
			t.Fatal(err)
		}
		now = now.Add(time.Hour)
		if _, err := l.DeliverTrail(ctx, "main"); err != nil {
			t.Fatal(err)
		}
	}
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	return dir
}

func trailEvent(n int) []byte {
	return fmt.Appendf(nil, `{"eventVersion":"1.11","userIdentity":{"type":"AWSService","invokedBy":"ec2.amazonaws.com"},"eventTime":"2026-05-01T10:%02d:00Z","eventSource":"ec2.amazonaws.com","eventName":"Do%d","awsRegion":"eu-west-1","sourceIPAddress":"192.0.2.7","userAgent":"secret words","requestParameters":null,"responseElements":null,"eventID":"00000000-0000-4000-8000-%012d","readOnly":false,"eventType":"AwsApiCall","managementEvent":true,"recipientAccountId":"%s","eventCategory":"Management"}`, n, n, n, trailTestAccount)
}

// TestTrailCommands makes a trail, and does with it everything that there is to do.
func TestTrailCommands(t *testing.T) {
	dir := t.TempDir()
	t.Setenv("CAIRN_DIR", filepath.Join(dir, "lake"))
	logs := filepath.Join(dir, "events.jsonl")
	write := func(n int) {
		t.Helper()
		if err := os.WriteFile(logs, append(trailEvent(n), '\n'), 0o600); err != nil {
			t.Fatal(err)
		}
		must(t, "import", logs, "--retention-days", "forever")
	}
	write(0)
	refused(t, exitUsage, "--target", "trail", "create", "main", "--account", trailTestAccount, "--region", "eu-west-1")
	refused(t, exitUsage, "--account", "trail", "create", "main", "--target", "file:"+dir)
	refused(t, exitUsage, "two of period", "trail", "create", "my-_x", "--account", trailTestAccount, "--region", "eu-west-1", "--target", "file:"+dir+"/audit")
	refused(t, exitUsage, "leads elsewhere", "trail", "create", "main", "--account", trailTestAccount, "--region", "eu-west-1", "--target", "file:"+dir+"/audit", "--prefix", "a/../..")
	refused(t, exitUsage, "Selectors", "trail", "create", "main", "--account", trailTestAccount, "--region", "eu-west-1", "--target", "file:"+dir+"/audit", "--selectors", `[{"FieldSelectors":[{"Field":"eventCategory","Equals":["Data"]}]}]`)
	mustSay(t, "arn:aws:cloudtrail:eu-west-1:"+trailTestAccount+":trail/main", "trail", "create", "main", "--account", trailTestAccount, "--region", "eu-west-1", "--target", "file:"+dir+"/audit")
	refused(t, exitFailed, "exists already", "trail", "create", "main", "--account", trailTestAccount, "--region", "eu-west-1", "--target", "file:"+dir+"/audit")
	refused(t, exitFailed, "there are: main", "trail", "status", "other")
	mustSay(t, "logging      off", "trail", "status", "main")
	// What was there before is delivered when it is asked for.
	mustSay(t, "waiting      1 events", "trail", "start", "main", "--from-start")
	write(1)
	mustSay(t, "2 events in 1 files", "trail", "deliver-now", "main")
	mustSay(t, "main", "trail", "list")
	var list []engine.Trail
	if err := json.Unmarshal([]byte(must(t, "trail", "list", "--json")), &list); err != nil || len(list) != 1 || !list[0].Status.Logging || list[0].Status.Events != 2 {
		t.Errorf("%+v, %v", list, err)
	}
	// Changes: what is not named stays.
	mustSay(t, "digests      off", "trail", "update", "main", "--validation=false")
	mustSay(t, "selects", "trail", "update", "main", "--selectors", `[{"ReadWriteType":"ReadOnly"}]`)
	write(2)
	if out := mustSay(t, "2 events in 1 files", "trail", "deliver-now", "main"); !strings.Contains(out, "digests      off") {
		t.Errorf("an update changed what it does not name: %s", out)
	}
	mustSay(t, "logging      off", "trail", "stop", "main")
	write(3)
	mustSay(t, "waiting      0 events", "trail", "status", "main")
	// A stream of lines.
	lines := filepath.Join(dir, "out.jsonl")
	must(t, "trail", "create", "lines", "--account", trailTestAccount, "--region", "eu-west-1", "--target", "jsonl:"+lines, "--form", "bus", "--pattern", `{"detail":{"eventName":[{"prefix":"Do"}]}}`, "--start")
	write(4)
	must(t, "trail", "deliver-now", "lines")
	if b, err := os.ReadFile(lines); err != nil || strings.Count(string(b), "\n") != 1 || !strings.Contains(string(b), `"eventName":"Do4"`) {
		t.Errorf("%s, %v", b, err)
	}
	refused(t, exitUsage, "pattern", "trail", "update", "lines", "--pattern", `{"detail":[1]`)
	if out := must(t, "trail", "keys", "--rotate"); !strings.Contains(out, "PublicKeyList") {
		t.Errorf("keys: %s", out)
	}
	must(t, "trail", "delete", "main")
	must(t, "trail", "delete", "lines")
	refused(t, exitFailed, "no trail", "trail", "show", "main")
	if files := filesBelow(t, filepath.Join(dir, "audit")); len(files) != 1 {
		t.Errorf("deleting a trail took files: %q", files)
	}
}

func filesBelow(t *testing.T, dir string) (files []string) {
	t.Helper()
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err == nil && !d.IsDir() {
			files = append(files, path)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return files
}

// TestVerifyTrail verifies what a trail has delivered, with the lake, with nothing but its
// public keys, and after something was changed.
func TestVerifyTrail(t *testing.T) {
	dir := deliveredLake(t, nil)
	lake, audit := filepath.Join(dir, "lake"), filepath.Join(dir, "audit")
	arn := "arn:aws:cloudtrail:eu-west-1:" + trailTestAccount + ":trail/main"
	span := []string{"--start-time", "2026-05-01", "--end-time", "2026-05-02"}
	mustSay(t, "5/5 digest files valid", append([]string{"verify", "--dir", lake, "--trail", "main"}, span...)...)
	keys := filepath.Join(dir, "keys.json")
	if err := os.WriteFile(keys, []byte(must(t, "trail", "keys", "--dir", lake)), 0o600); err != nil {
		t.Fatal(err)
	}
	alone := append([]string{"verify", audit, "--trail", arn, "--prefix", "lake1", "--keys", keys}, span...)
	out := mustSay(t, "5/5 digest files valid", alone...)
	// A period ends at the trail's own minute: the last files may wait for the next.
	if !strings.Contains(out, "log files valid") {
		t.Errorf("no files: %s", out)
	}
	refused(t, exitUsage, "--start-time", "verify", audit, "--trail", arn, "--keys", keys)
	refused(t, exitUsage, "not the ARN", append([]string{"verify", audit, "--trail", "arn:aws:s3:::x", "--keys", keys}, span...)...)
	refused(t, exitUsage, "whose files", "verify", audit)
	var verdict struct {
		Digests, InvalidLogs, Logs int
	}
	if err := json.Unmarshal([]byte(must(t, append(alone, "--json")...)), &verdict); err != nil || verdict.Digests != 5 || verdict.Logs == 0 || verdict.InvalidLogs != 0 {
		t.Errorf("%+v, %v", verdict, err)
	}
	for _, path := range filesBelow(t, audit) {
		if strings.Contains(path, "/CloudTrail/") {
			if err := os.WriteFile(path, []byte("changed"), 0o600); err != nil {
				t.Fatal(err)
			}
			break
		}
	}
	_, errOut, status := cairn(t, "", alone...)
	if status != exitFailed || !strings.Contains(errOut, "INVALID: hash value") {
		t.Errorf("a changed file: status %d: %s", status, errOut)
	}
}

// TestTrailEncrypted delivers encrypted files, verifies and decrypts them.
func TestTrailEncrypted(t *testing.T) {
	key := filepath.Join(t.TempDir(), "key")
	must(t, "encryption", "key-file", key)
	dir := deliveredLake(t, func(s *engine.TrailSettings) { s.Encrypt = []string{"file:" + key} })
	lake, audit := filepath.Join(dir, "lake"), filepath.Join(dir, "audit")
	for _, path := range filesBelow(t, audit) {
		b, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		name := filepath.Base(path)
		if !strings.HasSuffix(name, ".enc") && !strings.HasSuffix(name, ".attrs") && name != "encryption.json" {
			t.Errorf("%s is not encrypted", path)
		}
		if bytes.HasPrefix(b, []byte{0x1f, 0x8b}) || bytes.Contains(b, []byte("secret words")) {
			t.Errorf("%s can be read", path)
		}
	}
	span := []string{"--start-time", "2026-05-01", "--end-time", "2026-05-02"}
	mustSay(t, "5/5 digest files valid", append([]string{"verify", "--dir", lake, "--trail", "main"}, span...)...)
	arn := "arn:aws:cloudtrail:eu-west-1:" + trailTestAccount + ":trail/main"
	alone := append([]string{"verify", audit, "--dir", lake, "--trail", arn, "--prefix", "lake1"}, span...)
	refused(t, exitUsage, "--decrypt", alone...)
	mustSay(t, "5/5 digest files valid", append(alone, "--decrypt", "file:"+key)...)
	out := filepath.Join(dir, "audit2")
	refused(t, exitUsage, "--decrypt", "trail", "decrypt", audit, "--prefix", "lake1", "--out", out)
	mustSay(t, "files written", "trail", "decrypt", audit, "--prefix", "lake1", "--out", out, "--decrypt", "file:"+key)
	mustSay(t, "5/5 digest files valid", append([]string{"verify", out, "--dir", lake, "--trail", arn, "--prefix", "lake1", "--bucket-name", "audit"}, span...)...)
	mustSay(t, "5", "import", out, "--dir", filepath.Join(dir, "lake2"), "--retention-days", "forever")
	// A file that is changed is named, and not decrypted.
	var changed string
	for _, path := range filesBelow(t, audit) {
		if strings.Contains(path, "/CloudTrail/") {
			changed = path
			break // the first is in a digest
		}
	}
	b, err := os.ReadFile(changed)
	if err == nil {
		b[len(b)-1] ^= 1
		err = os.WriteFile(changed, b, 0o600)
	}
	if err != nil {
		t.Fatal(err)
	}
	if _, errOut, status := cairn(t, "", append(alone, "--decrypt", "file:"+key)...); status != exitFailed || !strings.Contains(errOut, "INVALID") {
		t.Errorf("a changed file: status %d: %s", status, errOut)
	}
	refused(t, exitFailed, "does not authenticate", "trail", "decrypt", audit, "--prefix", "lake1", "--out", out+"3", "--decrypt", "file:"+key)
	// Files in the clear are not mixed with encrypted ones.
	refused(t, exitUsage, "Encrypt", "trail", "create", "both", "--dir", lake, "--account", trailTestAccount, "--region", "eu-west-1", "--target", "s3://audit-logs?region=eu-west-1", "--encrypt", "file:"+key, "--kms-key", "alias/x")
	must(t, "trail", "create", "mixed", "--dir", lake, "--account", trailTestAccount, "--region", "eu-west-1", "--target", "file:"+out, "--prefix", "lake1", "--encrypt", "file:"+key, "--start")
	if err := os.WriteFile(filepath.Join(dir, "more.jsonl"), append(trailEvent(9), '\n'), 0o600); err != nil {
		t.Fatal(err)
	}
	must(t, "import", filepath.Join(dir, "more.jsonl"), "--dir", lake)
	refused(t, exitFailed, "not encrypted", "trail", "deliver-now", "mixed", "--dir", lake)
}
