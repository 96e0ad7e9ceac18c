package main

import (
	"context"
	"encoding/csv"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/cairndb/cairn/engine"
	"github.com/cairndb/cairn/server"
)

func lookupTestLake(t *testing.T) (dir string) {
	t.Helper()
	dir = t.TempDir()
	var lines strings.Builder
	for i := range 30 {
		fmt.Fprintf(&lines, `{"eventVersion":"1.08","userIdentity":{"type":"IAMUser","userName":"u%d","accessKeyId":"AKIA%d"},"eventTime":"2026-01-02T03:04:%02dZ","eventSource":"s3.amazonaws.com","eventName":"CreateBucket","awsRegion":"eu-west-1","sourceIPAddress":"192.0.2.1","requestParameters":{"bucketName":"b,%d"},"eventID":"%08x-0000-4000-8000-000000000000","readOnly":false}`+"\n", i%3, i%3, i, i, i)
	}
	log := filepath.Join(dir, "log.ndjson")
	if err := os.WriteFile(log, []byte(lines.String()), 0o600); err != nil {
		t.Fatal(err)
	}
	must(t, "import", log, "--dir", filepath.Join(dir, "lake"), "--retention-days", "forever")
	return dir
}

func TestLookupFormats(t *testing.T) {
	lake := filepath.Join(lookupTestLake(t), "lake")
	query := []string{"lookup", "--dir", lake, "--attribute", "Username=u1", "--attribute", "ReadOnly=false"}
	rows, err := csv.NewReader(strings.NewReader(must(t, append(query, "--format", "csv", "--all")...))).ReadAll()
	if err != nil {
		t.Fatal(err)
	}
	if len(rows) != 11 || strings.Join(rows[0][:6], ",") != "Event name,Event time,User name,Event source,Resource type,Resource name" || strings.Join(rows[1][:7], "|") != "CreateBucket|2026-01-02T03:04:28Z|u1|s3.amazonaws.com|AWS::S3::Bucket|b,28|0000001c-0000-4000-8000-000000000000" {
		t.Errorf("%d rows of CSV: %q", len(rows), rows[:min(2, len(rows))])
	}
	var list []lookupLine
	if err := json.Unmarshal([]byte(must(t, append(query, "--json", "--limit", "3")...)), &list); err != nil {
		t.Fatal(err)
	}
	if len(list) != 3 || list[0].Resources[0].ResourceName != "b,28" || list[0].AccessKeyID != "AKIA1" || list[2].EventTime.Second() != 22 {
		t.Errorf("JSON: %+v", list)
	}
	if err := json.Unmarshal([]byte(must(t, "lookup", "--dir", lake, "--attribute", "Username=nobody", "--json")), &list); err != nil || len(list) != 0 {
		t.Errorf("nothing as JSON: %v, %v", list, err)
	}
	if lines := strings.Split(strings.TrimSpace(must(t, append(query, "--format", "ndjson", "--start", "2026-01-02 03:04", "--end", "2026-01-02T03:04:07Z")...)), "\n"); len(lines) != 3 {
		t.Errorf("%d lines: %q", len(lines), lines)
	}
	records := must(t, "lookup", "--dir", lake, "--format", "record", "--all", "--store", "events")
	if n := strings.Count(records, "\n"); n != 30 || !strings.Contains(records, `"bucketName":"b,29"`) {
		t.Errorf("%d records", n)
	}
	if table := must(t, "lookup", "--dir", lake, "--limit", "2"); !strings.Contains(table, "b,29") || strings.Count(table, "\n") != 4 {
		t.Errorf("table:\n%s", table)
	}
	if out := must(t, "lookup", "--dir", lake, "--history"); strings.Contains(out, "CreateBucket") && time.Since(time.Date(2026, 1, 2, 0, 0, 0, 0, time.UTC)) > 91*24*time.Hour {
		t.Errorf("the history has an old event:\n%s", out)
	}
}

func TestLookupTimes(t *testing.T) {
	now := time.Date(2026, 3, 4, 5, 6, 7, 0, time.UTC)
	for _, c := range []struct{ text, start, end string }{
		{"2026-01-31", "2026-01-31T00:00:00Z", "2026-01-31T23:59:59.999999Z"},
		{"2026-01-31 12:00", "2026-01-31T12:00:00Z", ""},
		{"2026-01-31T12:00:00+01:00", "2026-01-31T11:00:00Z", ""},
		{"1769860800", "2026-01-31T12:00:00Z", ""},
		{"@1769860800000", "2026-01-31T12:00:00Z", ""},
		{"now", "2026-03-04T05:06:07Z", ""},
		{"today", "2026-03-04T00:00:00Z", "2026-03-04T23:59:59.999999Z"},
		{"Yesterday", "2026-03-03T00:00:00Z", "2026-03-03T23:59:59.999999Z"},
		{"24h", "2026-03-03T05:06:07Z", ""},
		{"-7d", "2026-02-25T05:06:07Z", ""},
		{"2 weeks ago", "2026-02-18T05:06:07Z", ""},
		{"90m", "2026-03-04T03:36:07Z", ""},
	} {
		if c.end == "" {
			c.end = c.start
		}
		for _, end := range []bool{false, true} {
			want := c.start
			if end {
				want = c.end
			}
			if got, err := flagMoment("start", c.text, now, end); err != nil || got.Format(time.RFC3339Nano) != want {
				t.Errorf("%q, end %v: %v, %v, want %s", c.text, end, got, err, want)
			}
		}
	}
	for _, bad := range []string{"someday", "2026-13-01", "h", "99999999d", "12", "-", "3x"} {
		if got, err := flagMoment("start", bad, now, false); err == nil {
			t.Errorf("%q is %v", bad, got)
		}
	}
}

// serveLake has a server of the lake until ctx ends.
func serveLake(t *testing.T, ctx context.Context, l *engine.Lake) {
	t.Helper()
	s, err := server.New(l, server.Config{PG: "127.0.0.1:0", HTTP: server.Off, NoAuth: true, Everybody: server.Everybody(l), OpenBucket: new(program).openTarget})
	if err != nil {
		t.Fatal(err)
	}
	ended := make(chan error, 1)
	go func() { ended <- s.Serve(ctx) }()
	t.Cleanup(func() {
		if err := <-ended; err != nil {
			t.Error(err)
		}
	})
	for deadline := time.Now().Add(time.Minute); ; time.Sleep(10 * time.Millisecond) {
		if _, err := os.Lstat(filepath.Join(l.Dir(), engine.ControlSocket)); err == nil {
			return
		}
		if time.Now().After(deadline) {
			t.Fatal("the server has no socket")
		}
	}
}

// A lake that a server has open is asked through it, and followed while events come.
func TestLookupServed(t *testing.T) {
	dir := lookupTestLake(t)
	lake := filepath.Join(dir, "lake")
	l, err := engine.Open(lake, &engine.Options{EventHistory: true})
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(context.Background())
	t.Cleanup(func() {
		if err := l.Close(); err != nil {
			t.Error(err)
		}
	})
	serveLake(t, ctx, l)
	t.Cleanup(stop) // the first of these to run
	if out := must(t, "lookup", "--dir", lake, "--attribute", "ResourceName=b,7", "--format", "ndjson"); strings.Count(out, "\n") != 1 || !strings.Contains(out, "00000007") {
		t.Errorf("through the server: %s", out)
	}
	var said lockedBuffer
	ended := make(chan int, 1)
	following, end := context.WithCancel(context.Background())
	go func() {
		ended <- run(following, []string{"lookup", "--dir", lake, "--follow", "--limit", "2", "--format", "csv", "--attribute", "EventName=CreateBucket"}, strings.NewReader(""), &said, &said)
	}()
	wait := func(text string) {
		t.Helper()
		for deadline := time.Now().Add(time.Minute); !strings.Contains(said.String(), text); time.Sleep(10 * time.Millisecond) {
			if time.Now().After(deadline) {
				t.Fatalf("%q does not come: %s", text, said.String())
			}
		}
	}
	wait("0000001d")
	record := `{"eventVersion":"1.08","userIdentity":{"type":"Root"},"eventTime":"` + time.Now().UTC().Format("2006-01-02T15:04:05Z") + `","eventSource":"s3.amazonaws.com","eventName":"CreateBucket","eventID":"000000ff-0000-4000-8000-000000000000"}`
	if _, err := l.Append(ctx, [][]byte{[]byte(record)}); err != nil {
		t.Fatal(err)
	}
	wait("000000ff")
	end()
	if status := <-ended; status != exitFine {
		t.Errorf("it ended with %d: %s", status, said.String())
	}
	if n := strings.Count(said.String(), "CreateBucket"); n != 3 {
		t.Errorf("%d events, want the last two and the new one:\n%s", n, said.String())
	}
}
