// Package apitest runs the clients of AWS CloudTrail against a server: the AWS CLI, boto3, and the
// SDKs for JavaScript and Go go through the steps of testdata/session.json, which has every
// operation, and print a line for each. An operation that an older client does not know is
// skipped in its session. A client that is not installed is skipped, unless CAIRN_REQUIRE_CLIENTS is 1.
package apitest

import (
	"bytes"
	"compress/gzip"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"

	"github.com/cairndb/cairn/engine"
	"github.com/cairndb/cairn/server"
	"github.com/cairndb/cairn/server/api"
	"github.com/cairndb/cairn/server/auth"
)

const account, region = "111122223333", "eu-west-1"

// target is a server and an access key of its admin.
type target struct {
	url string
	key *auth.NewAccessKey
}

// log writes a log file with 60 events of the last hour.
func log(t *testing.T, path string) {
	t.Helper()
	var records []json.RawMessage
	for i := range 60 {
		records = append(records, fmt.Appendf(nil, `{"eventVersion":"1.08","userIdentity":{"type":"IAMUser","accountId":%[1]q,"userName":"ann"},"eventTime":%[2]q,"eventSource":"s3.amazonaws.com",`+
			`"eventName":%[3]q,"awsRegion":%[4]q,"sourceIPAddress":"192.0.2.1","userAgent":"test","requestParameters":{"bucketName":"b"},"responseElements":null,"readOnly":false,`+
			`"eventID":"00000000-0000-4000-8000-%012[5]d","eventType":"AwsApiCall","managementEvent":true,"recipientAccountId":%[1]q,"eventCategory":"Management"}`,
			account, time.Now().Add(-time.Duration(i)*time.Minute).UTC().Format(time.RFC3339), []string{"CreateBucket", "DeleteBucket", "PutBucketAcl"}[i%3], region, i))
	}
	var b bytes.Buffer
	z := gzip.NewWriter(&b)
	if err := json.NewEncoder(z).Encode(map[string]any{"Records": records}); err != nil || z.Close() != nil {
		t.Fatal(err)
	}
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, b.Bytes(), 0o644); err != nil {
		t.Fatal(err)
	}
}

func serve(t *testing.T) target {
	t.Helper()
	ctx := context.Background()
	dir := t.TempDir()
	buckets := filepath.Join(dir, "buckets")
	log(t, filepath.Join(buckets, "audit-bucket", "AWSLogs", account, "CloudTrail", region, "2026", "01", "01", "a.json.gz"))
	lake, err := engine.Open(filepath.Join(dir, "lake"), &engine.Options{EventHistory: true, DigestInterval: -1})
	if err != nil {
		t.Fatal(err)
	}
	// One key, so that ListPublicKeys has something to give.
	if _, err := lake.RotateTrailKey(ctx); err != nil {
		t.Fatal(err)
	}
	principals, _, err := server.OpenPrincipals(ctx, lake, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	users, err := auth.Open(ctx, lake, auth.Options{})
	if err != nil {
		t.Fatal(err)
	}
	key, err := users.AddAccessKey(ctx, auth.Superuser("test"), auth.Origin{}, auth.BootstrapName, auth.AccessKeyOptions{Account: account, Lifetime: time.Hour})
	if err != nil {
		t.Fatal(err)
	}
	srv, err := server.New(lake, server.Config{PG: server.Off, HTTP: "127.0.0.1:0", Authenticator: principals, Logger: slog.New(slog.NewTextHandler(os.Stderr, &slog.HandlerOptions{Level: slog.LevelError})),
		Organization: &api.Organization{ID: "o-abcdefghij", Management: account, Members: []string{"444455556666"}},
		Targets:      func(name string) (string, error) { return "file:" + filepath.Join(buckets, name), nil },
		Buckets: func(_ context.Context, name string) (engine.Bucket, io.Closer, error) {
			path := filepath.Join(buckets, name)
			if _, err := os.Stat(path); err != nil {
				return nil, nil, fmt.Errorf("%w: %w", fs.ErrNotExist, err)
			}
			return engine.DirBucket(vfs.Default, path), io.NopCloser(nil), nil
		}})
	if err != nil {
		t.Fatal(err)
	}
	serving, stop := context.WithCancel(ctx)
	done := make(chan error, 1)
	go func() { done <- srv.Serve(serving) }()
	t.Cleanup(func() {
		stop()
		if err := <-done; err != nil {
			t.Error(err)
		}
		if err := lake.Close(); err != nil {
			t.Error(err)
		}
	})
	return target{"http://" + srv.HTTPAddr(), key}
}

// missing skips a test whose client is not there, or fails it where it must be.
func missing(t *testing.T, what string, err error) {
	t.Helper()
	if os.Getenv("CAIRN_REQUIRE_CLIENTS") == "1" {
		t.Fatalf("%s is required here: %v", what, err)
	}
	t.Skipf("no %s: %v", what, err)
}

// session runs a client's program; it may skip as many steps as are said.
func session(t *testing.T, skips int, command string, args ...string) {
	t.Helper()
	at := serve(t)
	steps, err := filepath.Abs("testdata/session.json")
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, command, append(args, at.url, steps)...)
	cmd.Env = append(os.Environ(), "AWS_ACCESS_KEY_ID="+at.key.AccessKeyID, "AWS_SECRET_ACCESS_KEY="+at.key.SecretAccessKey, "AWS_SESSION_TOKEN="+at.key.SessionToken,
		"AWS_DEFAULT_REGION="+region, "AWS_REGION="+region, "AWS_EC2_METADATA_DISABLED=true", "AWS_CONFIG_FILE=/nonexistent", "AWS_SHARED_CREDENTIALS_FILE=/nonexistent", "AWS_PAGER=", "PYTHONDONTWRITEBYTECODE=1")
	cmd.WaitDelay = 10 * time.Second
	out, err := cmd.CombinedOutput()
	ok, skipped := 0, []string(nil)
	for line := range strings.Lines(string(out)) {
		line = strings.TrimSpace(line)
		switch {
		case strings.HasPrefix(line, "ok "):
			ok++
		case strings.HasPrefix(line, "not ok "):
			t.Error(line)
		case strings.HasPrefix(line, "skip "):
			skipped = append(skipped, line[5:])
		case strings.HasPrefix(line, "version "):
			t.Log(line)
		}
	}
	text, readErr := os.ReadFile(steps)
	var all []json.RawMessage
	if readErr != nil || json.Unmarshal(text, &all) != nil {
		t.Fatal(readErr)
	}
	t.Logf("%d of %d steps, not known to the client: %v", ok, len(all), skipped)
	if err != nil || len(skipped) > skips || ok+len(skipped) != len(all) && !t.Failed() {
		t.Errorf("%d of %d steps, %d skipped, %v:\n%s", ok, len(all), len(skipped), err, out)
	}
}

// old is how many steps the clients of Debian 12, of early 2023, do not know.
const old = 45

// systemPython is the system's own Python, which is where the system's packages are.
const systemPython = "/usr/bin/python3"

func TestBoto3(t *testing.T) {
	if out, err := exec.Command(systemPython, "-c", "import boto3").CombinedOutput(); err != nil {
		missing(t, "boto3", fmt.Errorf("%v: %s", err, out))
	}
	session(t, old, systemPython, "testdata/boto3_session.py")
}

func TestCLI(t *testing.T) {
	if out, err := exec.Command(systemPython, "-c", "import awscli").CombinedOutput(); err != nil {
		missing(t, "AWS CLI", fmt.Errorf("%v: %s", err, out))
	}
	session(t, old, systemPython, "testdata/cli_session.py")
}

// TestNewerPython runs the Python clients that are first on the path, if they are others.
func TestNewerPython(t *testing.T) {
	python, err := exec.LookPath("python3")
	if err != nil || python == systemPython {
		t.Skip("there is no python3 but the system's")
	}
	for _, c := range []struct{ module, script string }{{"boto3", "boto3"}, {"awscli", "cli"}} {
		t.Run(c.module, func(t *testing.T) {
			if exec.Command(python, "-c", "import "+c.module).Run() != nil {
				t.Skipf("%s has no %s", python, c.module)
			}
			session(t, old, python, "testdata/"+c.script+"_session.py")
		})
	}
}

func TestJavaScript(t *testing.T) {
	node, err := exec.LookPath("node")
	if err == nil {
		err = exec.Command(node, "-e", `require("@aws-sdk/client-cloudtrail")`).Run()
	}
	if err != nil {
		missing(t, "AWS SDK for JavaScript (NODE_PATH)", err)
	}
	session(t, 1, node, "testdata/node_session.cjs") // PutAuditEvents has a client of its own
}

func TestGo(t *testing.T) {
	// A module of its own, so that the SDK's versions are nobody else's; it is put together here.
	dir := t.TempDir()
	for _, name := range []string{"main.go", "go.mod", "go.sum"} {
		text, err := os.ReadFile(filepath.Join("testdata", "gosdk", name+".txt"))
		if err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(dir, name), text, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	program := filepath.Join(dir, "gosdk")
	cmd := exec.Command("go", "build", "-o", program, ".")
	cmd.Dir = dir
	if out, err := cmd.CombinedOutput(); err != nil {
		missing(t, "AWS SDK for Go", fmt.Errorf("%v: %s", err, out))
	}
	session(t, 0, program)
}
