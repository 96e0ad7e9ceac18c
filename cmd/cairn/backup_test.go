package main

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// TestBackupRestore backs a lake up, restores it, and meets damage on the way.
func TestBackupRestore(t *testing.T) {
	lake := sampleLake(t, "500")
	dir := t.TempDir()
	backups, restored := filepath.Join(dir, "backups"), filepath.Join(dir, "restored")
	if _, _, status := cairn(t, "", "restore", backups, "--dir", restored); status != exitUsage {
		t.Errorf("restoring from nothing: status %d", status)
	}
	must(t, "backup", backups, "--dir", lake)
	if out := must(t, "backup", backups, "--dir", lake, "--json"); !strings.Contains(out, `"previous"`) {
		t.Errorf("the second backup: %s", out)
	}
	// With each backup there is an event in cairn_audit that tells of it.
	if out := must(t, "backup", "--list", backups); strings.Count(out, " 501 ") != 1 || strings.Count(out, " 502 ") != 1 {
		t.Errorf("list: %s", out)
	}
	if out := must(t, "backup", "--verify", backups); !strings.Contains(out, "whole") {
		t.Errorf("verify: %s", out)
	}
	must(t, "restore", backups, "--dir", restored)
	must(t, "check", "--dir", restored)
	const q = "SELECT eventName, count(*) AS n FROM events GROUP BY 1 ORDER BY 1"
	if a, b := must(t, "query", q, "--dir", lake), must(t, "query", q, "--dir", restored); a != b {
		t.Errorf("before\n%s\nafter\n%s", a, b)
	}
	// The second by which a backup is listed names it; so does its day.
	var listed []backupInfo
	if err := json.Unmarshal([]byte(must(t, "backup", "--list", backups, "--json")), &listed); err != nil || len(listed) != 2 {
		t.Fatal(err, listed)
	}
	for i, at := range []string{listed[1].Created.UTC().Format(time.DateTime), listed[1].Created.UTC().Format(time.DateOnly)} {
		if out := must(t, "restore", backups, "--dir", filepath.Join(dir, fmt.Sprint("at", i)), "--at", at); !strings.Contains(out, listed[1].ID) {
			t.Errorf("--at %s: %s", at, out)
		}
	}
	if _, errOut, status := cairn(t, "", "restore", backups, "--dir", restored); status != exitFailed || !strings.Contains(errOut, "not empty") {
		t.Errorf("restoring over a lake: status %d, %s", status, errOut)
	}
	if _, _, status := cairn(t, "", "restore", backups, "--dir", filepath.Join(dir, "early"), "--at", "2001-01-01T00:00:00Z"); status != exitFailed {
		t.Errorf("a time before all backups: status %d", status)
	}
	// Without its secret a lake is restored, and says that it will sign no more, and what to do.
	secret := filepath.Join(lake, "SECRET")
	kept, err := os.ReadFile(secret)
	if err != nil {
		t.Fatal(err)
	}
	foreign := sampleLake(t, "5")
	other, err := os.ReadFile(filepath.Join(foreign, "SECRET"))
	if err != nil {
		t.Fatal(err)
	}
	for i, content := range [][]byte{nil, other, kept} {
		if err := os.Remove(secret); err != nil && i != 1 {
			t.Fatal(err)
		}
		if content != nil {
			if err := os.WriteFile(secret, content, 0o600); err != nil {
				t.Fatal(err)
			}
		}
		must(t, "backup", backups, "--dir", lake)
		again := filepath.Join(dir, fmt.Sprint("secret", i))
		out, errOut, status := cairn(t, "", "restore", backups, "--dir", again)
		if want := map[bool]int{true: 0, false: exitFailed}[i == 2]; status != want || !strings.Contains(out, "restored backup") || (i < 2) != strings.Contains(errOut, "put back the SECRET") {
			t.Errorf("secret %d: status %d: %s%s", i, status, out, errOut)
		}
		if i < 2 {
			must(t, "query", q, "--dir", again)
			must(t, "verify", "--full", "--dir", again)
			refused(t, exitFailed, "no digest is made", "digest", "--dir", again)
			if err := os.WriteFile(filepath.Join(again, "SECRET"), kept, 0o600); err != nil {
				t.Fatal(err)
			}
			must(t, "digest", "--dir", again)
		}
	}
	objects, err := filepath.Glob(filepath.Join(backups, "objects", "*", "*"))
	if err != nil || len(objects) == 0 {
		t.Fatal(objects, err)
	}
	for _, o := range objects {
		b, err := os.ReadFile(o)
		if err != nil {
			t.Fatal(err)
		}
		if len(b) > 1000 {
			b[500] ^= 1
			if err := os.WriteFile(o, b, 0o600); err != nil {
				t.Fatal(err)
			}
		}
	}
	if out, _, status := cairn(t, "", "backup", "--verify", backups); status != exitFailed || !strings.Contains(out, "objects/") {
		t.Errorf("verifying damage: status %d, %s", status, out)
	}
	if _, errOut, status := cairn(t, "", "restore", backups, "--dir", filepath.Join(dir, "damaged")); status != exitFailed || !strings.Contains(errOut, "objects/") {
		t.Errorf("restoring damage: status %d, %s", status, errOut)
	}
}
