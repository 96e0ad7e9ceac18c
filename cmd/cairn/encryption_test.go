package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestEncryptedLakeCommands makes an encrypted lake, uses it with and without its
// keeper, rotates, and destroys it.
func TestEncryptedLakeCommands(t *testing.T) {
	dir := t.TempDir()
	lake, key := filepath.Join(dir, "lake"), filepath.Join(dir, "key")
	must(t, "encryption", "key-file", key)
	if _, _, status := cairn(t, "", "encryption", "key-file", key); status != exitFailed {
		t.Errorf("a key file was overwritten: status %d", status)
	}
	must(t, "generate", "-n", "500", "--out", filepath.Join(dir, "logs"))
	must(t, "import", filepath.Join(dir, "logs", "AWSLogs"), "--dir", lake, "--keeper", "file:"+key)

	if _, errOut, status := cairn(t, "", "stats", "--dir", lake); status != exitFailed || !strings.Contains(errOut, "--keeper") {
		t.Errorf("without keeper: status %d, %s", status, errOut)
	}
	t.Setenv("CAIRN_TEST_PHRASE", "a passphrase of some length")
	if _, _, status := cairn(t, "", "stats", "--dir", lake, "--keeper", "passphrase:env:CAIRN_TEST_PHRASE"); status != exitFailed {
		t.Errorf("with another keeper: status %d", status)
	}
	if _, _, status := cairn(t, "", "stats", "--dir", lake, "--keeper", "nonsense:"); status != exitUsage {
		t.Errorf("with an unknown keeper: status %d", status)
	}
	t.Setenv(keeperEnv, "file:"+key)
	count := func() {
		t.Helper()
		if got := must(t, "query", "SELECT count(*) AS n FROM events", "--dir", lake, "--format", "csv"); got != "n\n500\n" {
			t.Errorf("count gives %q", got)
		}
	}
	count()
	must(t, "check", "--dir", lake)
	restored(t, dir, lake)
	must(t, "encryption", "rotate", "--dir", lake, "--new-keeper", "passphrase:env:CAIRN_TEST_PHRASE")
	if _, _, status := cairn(t, "", "stats", "--dir", lake); status != exitFailed {
		t.Errorf("the old keeper still opens the lake: status %d", status)
	}
	t.Setenv(keeperEnv, "passphrase:env:CAIRN_TEST_PHRASE")
	count()
	if out := must(t, "encryption", "status", "--dir", lake); !strings.Contains(out, "retired") || !strings.Contains(out, "active") {
		t.Errorf("status: %s", out)
	}
	must(t, "encryption", "destroy", "--dir", lake)
	count()
	if _, _, status := cairn(t, "", "encryption", "destroy", "--all", "--dir", lake); status != exitUsage {
		t.Errorf("everything was destroyed without a question: status %d", status)
	}
	must(t, "encryption", "destroy", "--all", "--yes", "--dir", lake)
	if _, errOut, status := cairn(t, "", "query", "SELECT 1", "--dir", lake); status != exitFailed || !strings.Contains(errOut, "all keys were destroyed") {
		t.Errorf("after destruction: status %d, %s", status, errOut)
	}
	if _, err := os.Stat(filepath.Join(lake, "KEYS")); err != nil {
		t.Error(err)
	}
}

// restored backs an encrypted lake up and restores it without, with another, and with its
// own keeper. What was restored stays in each case.
func restored(t *testing.T, dir, lake string) {
	t.Helper()
	backup := filepath.Join(dir, "backup")
	must(t, "backup", backup, "--dir", lake)
	own := os.Getenv(keeperEnv)
	for keeper, want := range map[string]string{
		"":                                 "note: the lake is encrypted",
		"passphrase:env:CAIRN_TEST_PHRASE": "this keeper does not open the lake",
		own:                                "",
	} {
		t.Setenv(keeperEnv, keeper)
		to := filepath.Join(t.TempDir(), "restored")
		out, errOut, status := cairn(t, "", "restore", backup, "--dir", to)
		wrong := strings.HasPrefix(keeper, "passphrase:")
		if (status == exitFailed) != wrong || !strings.Contains(errOut, want) || !strings.Contains(out, "restored backup") {
			t.Errorf("restoring with the keeper %q: status %d, %s%s", keeper, status, out, errOut)
		}
		if wrong && !strings.Contains(errOut, "it was encrypted for, file:") {
			t.Errorf("it is not told whose lake it is: %s", errOut)
		}
		t.Setenv(keeperEnv, own)
		must(t, "check", "--dir", to)
	}
}
