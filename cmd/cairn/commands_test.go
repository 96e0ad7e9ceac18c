package main

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// mustSay runs a command that must end well and print something.
func mustSay(t *testing.T, want string, args ...string) string {
	t.Helper()
	out := must(t, args...)
	if !strings.Contains(out, want) {
		t.Errorf("cairn %s does not say %q: %s", strings.Join(args, " "), want, out)
	}
	return out
}

// TestKeyReset loses the secret of the signing key and makes a key in its place.
func TestKeyReset(t *testing.T) {
	dir := sampleLake(t, "20")
	t.Setenv("CAIRN_DIR", dir)
	must(t, "digest")
	old := filepath.Join(t.TempDir(), "old.json")
	if err := os.WriteFile(old, []byte(must(t, "key", "export-public")), 0o600); err != nil {
		t.Fatal(err)
	}
	refused(t, exitUsage, "say --lost", "key", "reset")
	refused(t, exitUsage, "--reason: say why", "key", "reset", "--lost")
	refused(t, exitFailed, "is not lost", "key", "reset", "--lost", "--reason", "to see")
	if err := os.Remove(filepath.Join(dir, "SECRET")); err != nil {
		t.Fatal(err)
	}
	refused(t, exitFailed, "cairn key reset --lost", "digest")
	var keys []keyLine
	if err := json.Unmarshal([]byte(must(t, "key", "reset", "--lost", "--reason", "a disk died", "--json")), &keys); err != nil || len(keys) != 1 || keys[0].Number != 2 || keys[0].Break != "a disk died" {
		t.Errorf("key reset --json: %+v, %v", keys, err)
	}
	mustSay(t, "(lost)", "key", "list")
	mustSay(t, "break: key 2 is not endorsed by key 1, which was lost: a disk died", "key", "list")
	must(t, "digest")
	mustSay(t, "break: digests of store events", "verify", "--full")
	if out, _, status := cairn(t, "", "verify", "--key", old); status != exitFailed || !strings.Contains(out, "is not endorsed by the key before it") || !strings.Contains(out, "another way") {
		t.Errorf("verify with the lost key: status %d, %s", status, out)
	}
	mustSay(t, `1`, "query", "SELECT count(*) FROM cairn_audit WHERE eventData.eventName = 'ResetKey'", "--format", "csv")
}

// TestProofCommands signs, proves, verifies, and rotates and exports keys.
func TestProofCommands(t *testing.T) {
	dir := sampleLake(t, "300")
	t.Setenv("CAIRN_DIR", dir)
	mustSay(t, "300 in all", "digest")
	var line struct{ Digest, Signature, Checkpoint string }
	if err := json.Unmarshal([]byte(must(t, "digest", "--store", "events", "--json")), &line); err != nil || !strings.Contains(line.Digest, `"events": 0`) || line.Signature == "" {
		t.Errorf("digest --json: %+v, %v", line, err)
	}
	list := must(t, "digest", "list", "--json")
	if n := strings.Count(list, "\n"); n < 2 {
		t.Errorf("%d digests: %s", n, list)
	}
	refused(t, exitFailed, `no store "nope"`, "digest", "--store", "nope")
	refused(t, exitUsage, "unknown command", "digest", "extra")
	refused(t, exitUsage, "publish", "digest", "--publish", "nonsense:x")

	// What is sent elsewhere tells of a lake that was put back.
	kept := filepath.Join(t.TempDir(), "digests")
	must(t, "digest", "--publish", "file:"+kept)
	if b, err := os.ReadFile(kept); err != nil || strings.Count(string(b), "\n") == 0 {
		t.Errorf("published: %q, %v", b, err)
	}
	mustSay(t, "checkpoints kept elsewhere", "verify", "--checkpoint", kept)

	id := strings.Split(must(t, "query", "SELECT eventID FROM events ORDER BY eventTime LIMIT 1", "--format", "csv"), "\n")[1]
	receipt, record := filepath.Join(t.TempDir(), "receipt"), filepath.Join(t.TempDir(), "record")
	must(t, "prove", id, "--out", receipt, "--record", record)
	if b, err := os.ReadFile(record); err != nil || !strings.Contains(string(b), id) {
		t.Errorf("the record: %s, %v", b, err)
	}
	if b, err := os.ReadFile(receipt); err != nil || !strings.HasPrefix(string(b), "c2sp.org/tlog-proof@v1\n") {
		t.Errorf("the receipt: %s, %v", b, err)
	}
	mustSay(t, "index 5\n", "prove", "--seq", "5")
	refused(t, exitUsage, "--seq", "prove")
	refused(t, exitUsage, "--seq", "prove", id, "--seq", "5")
	refused(t, exitFailed, `no event with the ID "nope"`, "prove", "nope")
	refused(t, exitFailed, "has the numbers 0 to 299", "prove", "--seq", "300")
	refused(t, exitFailed, `no store "none"`, "prove", "--seq", "5", "--store", "none")

	mustSay(t, "verified in", "verify")
	mustSay(t, "300 records", "verify", "--full")
	var report struct{ ProblemCount int }
	if err := json.Unmarshal([]byte(must(t, "verify", "--json")), &report); err != nil || report.ProblemCount != 0 {
		t.Errorf("verify --json: %+v, %v", report, err)
	}
	refused(t, exitFailed, `no store "none"`, "verify", "--store", "none")
	refused(t, exitFailed, "signed checkpoint", "verify", "--checkpoint", receipt)
	refused(t, exitFailed, "reading public keys", "verify", "--key", receipt)

	var keys []struct{ Number int }
	if err := json.Unmarshal([]byte(must(t, "key", "list", "--json")), &keys); err != nil || len(keys) != 1 {
		t.Errorf("keys: %+v, %v", keys, err)
	}
	ring := writeTest(t, "ring", must(t, "key", "export-public"))
	pem := must(t, "key", "export-public", "--format", "pem")
	if !strings.HasPrefix(pem, "-----BEGIN PUBLIC KEY-----\n") {
		t.Errorf("pem: %s", pem)
	}
	mustSay(t, "cairn/", "key", "export-public", "--format", "note")
	refused(t, exitUsage, "ring, pem or note", "key", "export-public", "--format", "x")
	if out := must(t, "verify", "--key", ring); strings.Contains(out, "the lake itself names") {
		t.Errorf("with keys that were kept: %s", out)
	}
	must(t, "key", "rotate")
	mustSay(t, "in use", "key", "list")
	if pem == must(t, "key", "export-public", "--format", "pem") {
		t.Error("the key in use is the same after a rotation")
	}
	must(t, "digest")
	// Keys that were kept before the rotation vouch for the new one.
	mustSay(t, "verified in", "verify", "--key", ring)
}

// TestVerifyFindsRollback puts a lake back to an older state, which only what was kept
// elsewhere can tell.
func TestVerifyFindsRollback(t *testing.T) {
	dir := sampleLake(t, "100")
	old := filepath.Join(t.TempDir(), "old")
	if err := os.CopyFS(old, os.DirFS(dir)); err != nil {
		t.Fatal(err)
	}
	kept := filepath.Join(t.TempDir(), "digests")
	must(t, "generate", "-n", "50", "--seed", "7", "--out", filepath.Join(filepath.Dir(old), "more"))
	must(t, "import", filepath.Join(filepath.Dir(old), "more", "AWSLogs"), "--dir", dir)
	must(t, "digest", "--dir", dir, "--publish", "file:"+kept)
	must(t, "verify", "--dir", dir, "--checkpoint", kept)
	must(t, "verify", "--dir", old)
	out, _, status := cairn(t, "", "verify", "--dir", old, "--checkpoint", kept)
	if status != exitFailed || !strings.Contains(out, "older state") {
		t.Errorf("a lake that was put back: status %d: %s", status, out)
	}
}

// TestRetentionCommands makes, changes, deletes and restores stores, stops and starts
// their ingestion, and puts holds on them.
func TestRetentionCommands(t *testing.T) {
	t.Setenv("CAIRN_DIR", sampleLake(t, "50"))
	must(t, "store", "create", "s1")
	refused(t, exitFailed, "s1", "store", "create", "s1")
	refused(t, exitUsage, "7 to 3653", "store", "update", "s1", "--retention", "5")
	refused(t, exitUsage, "nothing to change", "store", "update", "s1")
	refused(t, exitUsage, "start or stop", "store", "update", "s1", "--ingestion", "maybe")
	refused(t, exitFailed, "nope", "store", "update", "nope", "--retention", "30")
	must(t, "store", "update", "s1", "--retention", "30")
	mustSay(t, "30", "store", "show", "s1")
	must(t, "store", "update", "s1", "--ingestion", "stop")
	var shown map[string]any
	if err := json.Unmarshal([]byte(must(t, "store", "show", "s1", "--json")), &shown); err != nil || len(shown) == 0 {
		t.Errorf("show --json: %v, %v", shown, err)
	}
	must(t, "store", "update", "s1", "--ingestion", "start")

	refused(t, exitFailed, "protect", "store", "delete", "s1")
	must(t, "store", "update", "s1", "--termination-protection=false")
	must(t, "store", "delete", "s1")
	if _, errOut, status := cairn(t, "", "query", "SELECT count(*) FROM s1"); status != exitFailed {
		t.Errorf("a deleted store is queried: status %d, %s", status, errOut)
	}
	must(t, "store", "restore", "s1")
	must(t, "query", "SELECT count(*) FROM s1")
	refused(t, exitFailed, "s1", "store", "restore", "s1")
	refused(t, exitFailed, "nope", "store", "delete", "nope")
	refused(t, exitFailed, "nope", "store", "restore", "nope")
	refused(t, exitUsage, "lock", "store", "update", "s1", "--lock", "nonsense")
	must(t, "store", "update", "s1", "--lock", "compliance")
	refused(t, exitFailed, "compliance", "store", "update", "s1", "--retention", "10")
	must(t, "store", "update", "s1", "--retention", "60")

	refused(t, exitUsage, "reason", "hold", "add", "events")
	refused(t, exitUsage, "time", "hold", "add", "events", "--reason", "x", "--from", "someday")
	refused(t, exitFailed, "nope", "hold", "add", "nope", "--reason", "x")
	must(t, "hold", "add", "events", "--reason", "case 17", "--from", "2020-01-01", "--to", "2021-01-01")
	mustSay(t, "case 17", "hold", "list")
	var holds []struct{ ID uint64 }
	if err := json.Unmarshal([]byte(must(t, "hold", "list", "--json")), &holds); err != nil || len(holds) != 1 {
		t.Fatalf("holds: %v, %v", holds, err)
	}
	refused(t, exitUsage, "not the ID of a hold", "hold", "release", "abc")
	refused(t, exitFailed, "99", "hold", "release", "99")
	must(t, "hold", "release", fmt.Sprint(holds[0].ID), "--reason", "closed")
	// Every such act is an event of the audit store, the refused ones too.
	for _, act := range []string{"DeleteEventDataStore", "RestoreEventDataStore"} {
		if out := must(t, "query", "SELECT count(*) AS n FROM cairn_audit WHERE eventJson LIKE '%"+act+"%'", "--format", "csv"); out == "n\n0\n" {
			t.Errorf("%s is not in the audit store", act)
		}
	}
}

// TestBackupCommands meets wrong uses of backup and restore, and chooses by ID and time.
func TestBackupCommands(t *testing.T) {
	lake := sampleLake(t, "60")
	dir := t.TempDir()
	backups := filepath.Join(dir, "backups")
	refused(t, exitUsage, "accepts 1 arg", "backup", "--dir", lake)
	refused(t, exitUsage, "there are no backups", "backup", "--list", backups)
	refused(t, exitUsage, "s3", "backup", "ftp://host/x", "--dir", lake)
	refused(t, exitFailed, "no such directory", "backup", backups, "--dir", filepath.Join(dir, "none"))
	var made struct {
		ID     string
		Events uint64
	}
	if err := json.Unmarshal([]byte(must(t, "backup", backups, "--dir", lake, "--json")), &made); err != nil || made.ID == "" || made.Events < 60 {
		t.Fatalf("backup --json: %+v, %v", made, err)
	}
	must(t, "backup", backups, "--dir", lake, "--rehash")
	var list []struct{ ID string }
	if err := json.Unmarshal([]byte(must(t, "backup", "--list", backups, "--json")), &list); err != nil || len(list) != 2 || list[0].ID != made.ID {
		t.Errorf("list --json: %+v, %v", list, err)
	}
	mustSay(t, `"problems": []`, "backup", "--verify", backups, "--backup", made.ID, "--json")
	refused(t, exitFailed, "no such backup", "backup", "--verify", backups, "--backup", "x")
	refused(t, exitUsage, "--dir", "restore", backups)
	refused(t, exitUsage, "--at", "restore", backups, "--dir", filepath.Join(dir, "r"), "--at", "noon")
	refused(t, exitFailed, "ID of a backup", "restore", backups, "--dir", filepath.Join(dir, "r"), "--backup", "x")
	refused(t, exitFailed, "there is no backup", "restore", backups, "--dir", filepath.Join(dir, "r"), "--backup", "20010101T000000.000000Z")
	mustSay(t, made.ID, "restore", backups, "--dir", filepath.Join(dir, "r"), "--backup", made.ID, "--json")
	must(t, "verify", "--full", "--dir", filepath.Join(dir, "r"))
}

// TestExportCommands meets wrong uses of export, and bundles that are not whole.
func TestExportCommands(t *testing.T) {
	lake := sampleLake(t, "80")
	dir := t.TempDir()
	bundle := filepath.Join(dir, "bundle")
	refused(t, exitUsage, "--out", "export", "--dir", lake)
	refused(t, exitUsage, "is not a time", "export", "--dir", lake, "--out", bundle, "--from", "someday")
	refused(t, exitUsage, "is empty", "export", "--dir", lake, "--out", bundle, "--from", "2026-02-01", "--to", "2026-01-01")
	refused(t, exitUsage, "format", "export", "--dir", lake, "--out", bundle, "--format", "xml")
	refused(t, exitUsage, "condition", "export", "--dir", lake, "--out", bundle, "--where", "nonsense = 1")
	refused(t, exitFailed, "no store", "export", "--dir", lake, "--out", bundle, "--store", "none")
	refused(t, exitFailed, "no such directory", "export", "--dir", filepath.Join(dir, "none"), "--out", bundle)
	must(t, "export", "--dir", lake, "--out", bundle, "--where", "readOnly = true", "--format", "jsonl,parquet")
	refused(t, exitFailed, "something else", "export", "--dir", lake, "--out", bundle, "--format", "jsonl,parquet")
	var r struct{ Events, EventsWrittenBefore uint64 }
	out := must(t, "export", "--dir", lake, "--out", bundle, "--where", "readOnly = true", "--format", "jsonl,parquet", "--json")
	if err := json.Unmarshal([]byte(out), &r); err != nil || r.Events == 0 || r.EventsWrittenBefore != r.Events {
		t.Errorf("again: %s, %v", out, err)
	}
	mustSay(t, "a selection of the events", "import", bundle, "--dir", filepath.Join(dir, "new"))
	if err := os.Remove(filepath.Join(bundle, "SHA256SUMS")); err != nil {
		t.Fatal(err)
	}
	refused(t, exitFailed, "nothing was taken", "import", bundle, "--dir", filepath.Join(dir, "new2"))
}
