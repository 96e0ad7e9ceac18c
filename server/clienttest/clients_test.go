// Package clienttest runs the clients of PostgreSQL that people use against a
// server: each has a program in testdata that prints a line for every check. A client
// that is not installed is skipped, unless CAIRN_REQUIRE_CLIENTS is 1. What they have
// checked is listed in server/CLIENTS.md, which -clients.rewrite writes anew:
//
//	go test ./server/clienttest -clients.rewrite
package clienttest

import (
	"context"
	"fmt"
	"log/slog"
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

// target is a server with those events, and how its admin signs in: with SCRAM, and over
// TLS where the client asks for it by itself.
type target struct{ port, password string }

func serve(t *testing.T) target {
	t.Helper()
	start := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	var records [][]byte
	for i := range events {
		records = append(records, fmt.Appendf(nil, `{"eventVersion":"1.08","userIdentity":{"type":"IAMUser","accountId":"123456789012","arn":"arn:aws:iam::123456789012:user/ann"},`+
			`"eventTime":%q,"eventSource":"s3.amazonaws.com","eventName":%q,"awsRegion":"us-east-1","sourceIPAddress":"192.0.2.1","userAgent":"test",`+
			`"requestParameters":{"bucketName":"b"},"responseElements":null,"readOnly":%t,"eventID":"00000000-0000-4000-8000-%012d","eventType":"AwsApiCall","recipientAccountId":"123456789012"}`,
			start.Add(time.Duration(i)*time.Minute).Format(time.RFC3339), names[i%len(names)], i%2 == 0, i))
	}
	at, _ := serveEvents(t, records)
	return at
}

// serveEvents serves records of the store events, and an empty store.
func serveEvents(t *testing.T, records [][]byte) (target, *engine.Lake) {
	t.Helper()
	ctx := context.Background()
	lake, err := engine.Open(filepath.Join(t.TempDir(), "lake"), nil)
	if err != nil {
		t.Fatal(err)
	}
	store, err := lake.CreateStore(ctx, "events")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := store.Append(ctx, records); err != nil {
		t.Fatal(err)
	}
	if _, err := lake.CreateStore(ctx, "taken"); err != nil {
		t.Fatal(err)
	}
	principals, first, err := server.OpenPrincipals(ctx, lake, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	srv, err := server.New(lake, server.Config{PG: "127.0.0.1:0", HTTP: server.Off, Authenticator: principals, TLSSelfSigned: true})
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(ctx)
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
	return target{port, first.Password}, lake
}

// missing skips a test whose client is not there, or fails it where it must be.
func missing(t *testing.T, what string, err error) {
	t.Helper()
	if os.Getenv("CAIRN_REQUIRE_CLIENTS") == "1" {
		t.Fatalf("%s is required here: %v", what, err)
	}
	t.Skipf("no %s: %v", what, err)
}

// program runs a client's program, keeps the results of its checks, and fails for every
// one that is not ok.
func program(t *testing.T, client string, at target, command string, args ...string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 3*time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, command, args...)
	cmd.Env = append(os.Environ(), "PGHOST=127.0.0.1", "PGPORT="+at.port, "PGUSER=admin", "PGPASSWORD="+at.password, "PGDATABASE=cairn", "PYTHONDONTWRITEBYTECODE=1")
	cmd.WaitDelay = 10 * time.Second
	out, err := cmd.CombinedOutput()
	r := &result{client: client}
	for line := range strings.Lines(string(out)) {
		line = strings.TrimSpace(line)
		switch {
		case strings.HasPrefix(line, "ok "):
			r.check(line[3:], true)
		case strings.HasPrefix(line, "not ok "):
			t.Error(line)
			name, _, _ := strings.Cut(line[7:], ": ")
			r.check(name, false)
		case strings.HasPrefix(line, "version "):
			r.version, _, _ = strings.Cut(line[8:], " ")
		}
	}
	if err != nil || len(r.checks) == 0 {
		t.Errorf("%d checks, %v:\n%s", len(r.checks), err, out)
		return
	}
	r.keep()
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
			program(t, script, serve(t), python, "testdata/"+script+"_client.py")
		})
	}
}

// TestPsql runs psql: all of its backslash commands, and in a terminal what needs one.
func TestPsql(t *testing.T) {
	for _, tool := range []string{"psql", "/usr/bin/python3"} {
		if _, err := exec.LookPath(tool); err != nil {
			missing(t, tool, err)
		}
	}
	program(t, "psql", serve(t), "/usr/bin/python3", "testdata/psql_client.py")
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
	program(t, "jdbc", serve(t), "java", "-cp", dir+":"+jar, "Client")
}

// TestNode runs node-postgres, which is found where NODE_PATH says.
func TestNode(t *testing.T) {
	if out, err := exec.Command("node", "-e", "require('pg'); require('pg-cursor')").CombinedOutput(); err != nil {
		missing(t, "node-postgres (npm install pg pg-cursor, and NODE_PATH)", fmt.Errorf("%v: %s", err, out))
	}
	program(t, "node", serve(t), "node", "testdata/node_client.js")
}
