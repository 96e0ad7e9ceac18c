// Package clienttest runs the clients of PostgreSQL that people use against a
// server: each has a program in testdata that prints a line for every check. A client
// that is not installed is skipped, unless CAIRN_REQUIRE_CLIENTS is 1.
package clienttest

import (
	"context"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/cairndb/cairn/engine"
	"github.com/cairndb/cairn/server"
)

// events is how many events the programs in testdata expect, one a minute from
// 2026-01-01, with the names in turn.
const events = 1000

var names = []string{"GetObject", "PutObject", "ListBuckets", "AssumeRole"}

// serve starts a server on a lake with those events and returns its port.
func serve(t *testing.T) string {
	t.Helper()
	lake, err := engine.Open(filepath.Join(t.TempDir(), "lake"), nil)
	if err != nil {
		t.Fatal(err)
	}
	store, err := lake.CreateStore(context.Background(), "events")
	if err != nil {
		t.Fatal(err)
	}
	start := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	var records [][]byte
	for i := range events {
		records = append(records, fmt.Appendf(nil, `{"eventVersion":"1.08","userIdentity":{"type":"IAMUser","accountId":"123456789012","arn":"arn:aws:iam::123456789012:user/ann"},`+
			`"eventTime":%q,"eventSource":"s3.amazonaws.com","eventName":%q,"awsRegion":"us-east-1","sourceIPAddress":"192.0.2.1","userAgent":"test",`+
			`"requestParameters":{"bucketName":"b"},"responseElements":null,"readOnly":%t,"eventID":"00000000-0000-4000-8000-%012d","eventType":"AwsApiCall","recipientAccountId":"123456789012"}`,
			start.Add(time.Duration(i)*time.Minute).Format(time.RFC3339), names[i%len(names)], i%2 == 0, i))
	}
	if _, err := store.Append(context.Background(), records); err != nil {
		t.Fatal(err)
	}
	srv, err := server.New(lake, server.Config{PG: "127.0.0.1:0", HTTP: server.Off, NoAuth: true, Everybody: server.Everybody(lake)})
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- srv.Serve(ctx) }()
	t.Cleanup(func() {
		stop()
		if err := <-done; err != nil {
			t.Error(err)
		}
		if err := lake.Close(); err != nil {
			t.Error(err)
		}
	})
	_, port, err := net.SplitHostPort(srv.Addr())
	if err != nil {
		t.Fatal(err)
	}
	return port
}

// missing skips a test whose client is not there, or fails it where it must be.
func missing(t *testing.T, what string, err error) {
	t.Helper()
	if os.Getenv("CAIRN_REQUIRE_CLIENTS") == "1" {
		t.Fatalf("%s is required here: %v", what, err)
	}
	t.Skipf("no %s: %v", what, err)
}

// program runs a client's program and fails for every check that is not ok.
func program(t *testing.T, port string, command string, args ...string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 2*time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, command, args...)
	cmd.Env = append(os.Environ(), "PGHOST=127.0.0.1", "PGPORT="+port, "PGUSER=admin", "PGPASSWORD=none", "PYTHONDONTWRITEBYTECODE=1")
	out, err := cmd.CombinedOutput()
	checks := 0
	for line := range strings.Lines(string(out)) {
		line = strings.TrimSpace(line)
		switch {
		case strings.HasPrefix(line, "ok "):
			checks++
		case strings.HasPrefix(line, "not ok "):
			t.Error(line)
		case strings.HasPrefix(line, "version "):
			t.Log(line)
		}
	}
	if err != nil || checks == 0 {
		t.Errorf("%d checks, %v:\n%s", checks, err, out)
	}
}

// TestPython runs the Python clients with the system's own Python, which is where the
// packages of the system put them.
func TestPython(t *testing.T) {
	const python = "/usr/bin/python3"
	for script, module := range map[string]string{"psycopg2": "psycopg2", "psycopg3": "psycopg", "asyncpg": "asyncpg", "sqlalchemy": "sqlalchemy", "odbc": "pyodbc"} {
		t.Run(script, func(t *testing.T) {
			if out, err := exec.Command(python, "-c", "import "+module).CombinedOutput(); err != nil {
				missing(t, module, fmt.Errorf("%v: %s", err, out))
			}
			program(t, serve(t), python, "testdata/"+script+"_client.py")
		})
	}
}

// TestJDBC runs Java's driver.
func TestJDBC(t *testing.T) {
	const jar = "/usr/share/java/postgresql.jar"
	if _, err := os.Stat(jar); err != nil {
		missing(t, "JDBC driver", err)
	}
	if _, err := exec.LookPath("javac"); err != nil {
		missing(t, "javac", err)
	}
	dir := t.TempDir()
	if out, err := exec.Command("javac", "-d", dir, "testdata/Client.java").CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	program(t, serve(t), "java", "-cp", dir+":"+jar, "Client")
}

// TestPsql runs psql's commands: none may fail.
func TestPsql(t *testing.T) {
	if _, err := exec.LookPath("psql"); err != nil {
		missing(t, "psql", err)
	}
	cmd := exec.Command("psql", "-X", "-h", "127.0.0.1", "-p", serve(t), "-U", "admin", "-d", "cairn", "-f", "testdata/meta.psql")
	cmd.Env = append(os.Environ(), "PGPASSWORD=none")
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Errorf("%v", err)
	}
	for line := range strings.Lines(string(out)) {
		if strings.Contains(line, "error:") && !strings.Contains(line, "Did not find any") {
			t.Error(strings.TrimSpace(line))
		}
	}
	if !strings.Contains(string(out), "eventtime") {
		t.Errorf("no column in %s", out)
	}
}
