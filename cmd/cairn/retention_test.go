package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/cairndb/cairn/engine"
)

// fails runs the program, demands that it fails, and returns what it says.
func fails(t *testing.T, args ...string) string {
	t.Helper()
	out, errOut, status := cairn(t, "", args...)
	if status == 0 {
		t.Fatalf("cairn %s succeeds: %s", strings.Join(args, " "), out)
	}
	return errOut
}

// ages writes a log file with one event of each age in days and returns its path.
func ages(t *testing.T, days ...int) string {
	t.Helper()
	var events []string
	for i, d := range days {
		when := time.Now().UTC().Add(-time.Duration(d) * 24 * time.Hour)
		events = append(events, fmt.Sprintf(`{"eventVersion":"1.08","eventTime":"%s","eventSource":"s3.amazonaws.com","eventName":"GetObject","awsRegion":"eu-west-1","eventID":"%08x-0000-4000-8000-%012x"}`,
			when.Format(time.RFC3339), d, i))
	}
	path := filepath.Join(t.TempDir(), "log.json")
	if err := os.WriteFile(path, []byte(`{"Records":[`+strings.Join(events, ",")+`]}`), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func says(t *testing.T, what, text string, want ...string) {
	t.Helper()
	for _, w := range want {
		if !strings.Contains(text, w) {
			t.Errorf("%s does not say %q:\n%s", what, w, text)
		}
	}
}

// TestImportOldLogs: whoever imports logs of five years finds all of them, is told why
// they do not expire, and how to change that; and is told what a store does not take.
func TestImportOldLogs(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "lake")
	logs := ages(t, 1, 400, 5*365)
	out := must(t, "import", logs, "--dir", dir)
	says(t, "the import", out, "was not given the default of 366 days", "cairn store update events --retention DAYS")
	if got := must(t, "query", "SELECT count(*) AS n FROM events", "--dir", dir, "--format", "csv"); got != "n\n3\n" {
		t.Errorf("count gives %q", got)
	}
	says(t, "the store", must(t, "store", "show", "events", "--dir", dir), "keeps    everything so far", "cairn store update events --retention")

	out = must(t, "import", logs, "--dir", dir, "--store", "year", "--retention-days", "366")
	says(t, "the import", out, "2 events were not taken", "store year keeps 366 days", "--again --retention-days 1855", "older than the retention period")
	out = must(t, "import", logs, "--dir", dir, "--store", "year", "--again", "--retention-days", "1855")
	if strings.Contains(out, "not taken") {
		t.Errorf("with the period it was told: %s", out)
	}
	if got := must(t, "query", "SELECT count(*) AS n FROM year", "--dir", dir, "--format", "csv"); got != "n\n3\n" {
		t.Errorf("count gives %q", got)
	}
	out = must(t, "import", ages(t, 1, 2), "--dir", dir, "--store", "fresh")
	if strings.Contains(out, "default") {
		t.Errorf("fresh events: %s", out)
	}
	says(t, "the store", must(t, "store", "show", "fresh", "--dir", dir), "keeps    366 days")
	says(t, "a wrong period", fails(t, "import", logs, "--dir", dir, "--store", "x", "--retention-days", "6"), "7 to 3653")
}

// TestLocksAndHolds takes a store through locks and holds as its owner would.
func TestLocksAndHolds(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "lake")
	in := func(args ...string) []string { return append(args, "--dir", dir) }
	must(t, in("store", "create", "events", "--retention", "30", "--lock", "governance")...)
	must(t, in("import", ages(t, 1, 10, 20))...)
	says(t, "shortening", fails(t, in("store", "update", "events", "--retention", "7")...), "governance")
	hold := must(t, in("hold", "add", "events", "--reason", "case 7", "--json")...)
	var holds []holdInfo
	if err := json.Unmarshal([]byte(hold), &holds); err != nil || len(holds) != 1 || holds[0].Reason != "case 7" {
		t.Fatalf("%s: %v", hold, err)
	}
	id := fmt.Sprint(holds[0].ID)
	must(t, in("store", "update", "events", "--retention", "7", "--bypass-governance", "--termination-protection=false")...)
	count := func(store, want string) {
		t.Helper()
		if got := must(t, in("query", "SELECT count(*) AS n FROM "+store, "--format", "csv")...); got != "n\n"+want+"\n" {
			t.Errorf("%s has %q, want %s", store, got, want)
		}
	}
	count("events", "3") // held
	says(t, "deleting what is held", fails(t, in("store", "delete", "events", "--bypass-governance")...), "legal holds")
	says(t, "the holds", must(t, in("hold", "list")...), "case 7", "events")
	must(t, in("hold", "release", id, "--reason", "closed")...)
	count("events", "1")
	if got := must(t, in("hold", "list", "--json")...); strings.TrimSpace(got) != "[]" {
		t.Errorf("holds: %s", got)
	}
	says(t, "a hold that is not there", fails(t, in("hold", "release", "99")...), "no legal hold 99")
	says(t, "a hold without a reason", fails(t, in("hold", "add", "events")...), "reason")
	must(t, in("store", "delete", "events", "--bypass-governance")...)
	says(t, "a query", fails(t, in("query", "SELECT count(*) FROM events")...), "pending deletion")
	says(t, "the store", must(t, in("store", "show", "events")...), "PENDING_DELETION", "cairn store restore events")
	must(t, in("store", "restore", "events")...)
	count("events", "1")
	must(t, in("store", "update", "events", "--ingestion", "stop")...)
	says(t, "the store", must(t, in("store", "show", "events")...), "STOPPED_INGESTION")
	must(t, in("store", "update", "events", "--ingestion", "start")...)

	must(t, in("store", "update", "events", "--lock", "compliance")...)
	for _, args := range [][]string{
		{"store", "update", "events", "--lock", "none", "--bypass-governance"},
		{"store", "update", "events", "--retention", "7", "--lock", "governance", "--bypass-governance"},
		{"store", "delete", "events", "--bypass-governance"},
	} {
		says(t, strings.Join(args, " "), fails(t, in(args...)...), "compliance mode: nobody can")
	}
	must(t, in("store", "update", "events", "--retention", "90")...)
	says(t, "shortening again", fails(t, in("store", "update", "events", "--retention", "89", "--bypass-governance")...), "compliance mode: nobody can")

	// Who, what, when, and what came of it, is in the audit store.
	for act, n := range map[string]int{"CreateEventDataStore": 1, "UpdateEventDataStore": 7, "AddLegalHold": 1, "ReleaseLegalHold": 1, "DeleteEventDataStore": 3, "RestoreEventDataStore": 1, "StopEventDataStoreIngestion": 1} {
		count("cairn_audit WHERE eventData.eventName = '"+act+"' AND eventData.userIdentity.type = 'OSUser' AND eventData.userIdentity.principalId IS NOT NULL AND eventTime > timestamp '2026-01-01 00:00:00'", fmt.Sprint(n))
	}
	count("cairn_audit WHERE eventData.eventName = 'UpdateEventDataStore' AND eventData.errorCode = 'locked'", "4")
	if out := must(t, in("verify", "--full")...); !strings.Contains(out, "verified") {
		t.Errorf("verify: %s", out)
	}
}

// TestTimesAsWritten: days are days, whole ones in a hold, and a period that is not one is refused
// before anything is made.
func TestTimesAsWritten(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "lake")
	out := filepath.Join(t.TempDir(), "bundle")
	in := func(args ...string) []string { return append(args, "--dir", dir) }
	must(t, in("import", ages(t, 1, 10))...)
	var holds []holdInfo
	if err := json.Unmarshal([]byte(must(t, in("hold", "add", "events", "--reason", "r", "--from", "2026-01-10", "--to", "2026-01-12", "--json")...)), &holds); err != nil || len(holds) != 1 {
		t.Fatal(err, holds)
	}
	if h := holds[0]; !h.From.Equal(time.Date(2026, 1, 10, 0, 0, 0, 0, time.UTC)) || !h.To.Equal(time.Date(2026, 1, 12, 23, 59, 59, 999999000, time.UTC)) {
		t.Errorf("the hold is from %v to %v", h.From, h.To)
	}
	for _, c := range []struct{ flag, value, says string }{
		{"--from", "", "without a value"},
		{"--to", "", "without a value"},
		{"--where", "", "without a value"},
		{"--from", "7d", "another time whenever it is asked"},
		{"--to", "yesterday", "another time whenever it is asked"},
		{"--from", "2026-02-30", "is not a time"},
		{"--from", "15.01.2026", "is not a time"},
	} {
		refused(t, exitUsage, c.says, in("export", "--out", out, c.flag, c.value)...)
	}
	if _, err := os.Stat(out); !os.IsNotExist(err) {
		t.Errorf("a refused export has made something: %v", err)
	}
	for _, from := range []string{"2020-01-31", "2020-01-31 10:00", "2020-01-31T10:00", "2020-01-31T10:00:00+02:00", "1580464800"} {
		must(t, in("export", "--out", filepath.Join(t.TempDir(), "b"), "--from", from)...)
	}
	refused(t, exitUsage, "without a value", in("hold", "add", "events", "--reason", "r", "--to", "")...)
	refused(t, exitUsage, "without a value", "restore", out, "--dir", filepath.Join(t.TempDir(), "l"), "--at", "")
	refused(t, exitUsage, "is not a time", "restore", out, "--dir", filepath.Join(t.TempDir(), "l"), "--at", "noon")
}

// TestFreedIsShown: what has left is in the figures of stats and of the store.
func TestFreedIsShown(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "lake")
	must(t, "import", ages(t, 20, 21, 22), "--dir", dir)
	_, errOut, status := cairn(t, "", "store", "update", "events", "--retention", "7", "--dir", dir)
	if status != 0 {
		t.Fatal(errOut)
	}
	says(t, "the update", errOut, "dropped 3 expired events in 1 segments")
	var shown storeInfo
	if err := json.Unmarshal([]byte(must(t, "store", "show", "events", "--dir", dir, "--json")), &shown); err != nil || shown.Dropped != 3 || shown.FreedBytes == 0 || shown.Events != 0 {
		t.Errorf("%+v, %v", shown, err)
	}
	var stats engine.Stats
	if err := json.Unmarshal([]byte(must(t, "stats", "--dir", dir, "--json")), &stats); err != nil || stats.FreedBytes != int64(shown.FreedBytes) {
		t.Errorf("stats: %d freed, %v", stats.FreedBytes, err)
	}
	says(t, "stats", must(t, "stats", "--dir", dir), "freed")
}

// TestAuditQueries: the server records queries when it is told to, and only then.
func TestAuditQueries(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "lake")
	for i, want := range []string{"0", "1"} {
		p := &program{dir: dir, err: io.Discard}
		lake, err := p.openToServe(p.logger(), i == 1)
		if err != nil {
			t.Fatal(err)
		}
		rows, err := lake.Query(p.withActor(context.Background()), "SELECT 'asked'")
		if err != nil {
			t.Fatal(err)
		}
		rows.Close()
		if err := lake.Close(); err != nil {
			t.Fatal(err)
		}
		if i == 0 {
			continue // a lake without acts has no audit store
		}
		got := must(t, "query", "SELECT count(*) AS n FROM cairn_audit WHERE eventData.eventName = 'StartQuery' AND eventData.userIdentity.type = 'OSUser' AND eventData.requestParameters['queryStatement'] LIKE '%asked%'", "--dir", dir, "--format", "csv")
		if got != "n\n"+want+"\n" {
			t.Errorf("recorded: %s", got)
		}
	}
}
