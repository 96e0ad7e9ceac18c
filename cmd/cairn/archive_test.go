package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// writeTest writes a file below a new directory and returns its path.
func writeTest(t *testing.T, name, content string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), name)
	if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// refused runs a command that must end with a status and say something.
func refused(t *testing.T, status int, says string, args ...string) {
	t.Helper()
	out, errOut, got := cairn(t, "", args...)
	if got != status || !strings.Contains(errOut, says) {
		t.Errorf("cairn %s: status %d instead of %d, and it should say %q: %s%s", strings.Join(args, " "), got, status, says, out, errOut)
	}
}

// TestEncryptedExport exports for a passphrase, in two runs, and takes the bundle back.
func TestEncryptedExport(t *testing.T) {
	dir := t.TempDir()
	lake, bundle := filepath.Join(dir, "lake"), filepath.Join(dir, "bundle")
	secret, wrong := "passphrase:file:"+writeTest(t, "secret", "what both sides know"), "passphrase:file:"+writeTest(t, "wrong", "what nobody knows")
	must(t, "generate", "-n", "300", "--out", filepath.Join(dir, "logs"))
	must(t, "import", filepath.Join(dir, "logs", "AWSLogs"), "--dir", lake)
	refused(t, exitUsage, "keeper", "export", "--dir", lake, "--out", bundle, "--encrypt", "nonsense:")
	out := must(t, "export", "--dir", lake, "--out", bundle, "--encrypt", secret)
	if !strings.Contains(out, "it is encrypted") {
		t.Errorf("export: %s", out)
	}
	if names, err := filepath.Glob(filepath.Join(bundle, "*")); err != nil || len(names) == 0 {
		t.Fatal(names, err)
	} else {
		for _, name := range names {
			if info, err := os.Stat(name); err == nil && !info.IsDir() && filepath.Base(name) != "encryption.json" && !strings.HasSuffix(name, ".enc") {
				t.Errorf("%s is not encrypted", name)
			}
		}
	}
	// The same again finds everything there.
	if out := must(t, "export", "--dir", lake, "--out", bundle, "--encrypt", secret, "--json"); !strings.Contains(out, `"eventsWrittenBefore": 300`) || !strings.Contains(out, `"encrypted": true`) {
		t.Errorf("again: %s", out)
	}
	refused(t, exitFailed, "encrypted", "export", "--dir", lake, "--out", bundle, "--encrypt", wrong)
	refused(t, exitFailed, "not empty", "export", "--dir", lake, "--out", bundle)
	again := filepath.Join(dir, "again")
	refused(t, exitFailed, "--decrypt", "import", bundle, "--dir", again)
	refused(t, exitFailed, "another passphrase", "import", bundle, "--dir", again, "--decrypt", wrong)
	if out := must(t, "import", bundle, "--dir", again, "--decrypt", secret); !strings.Contains(out, "exactly the events of the bundle") {
		t.Errorf("import: %s", out)
	}
	refused(t, exitUsage, "--decrypt", "import", filepath.Join(dir, "logs"), "--dir", again, "--decrypt", secret)
	// An encrypted lake says when what leaves it is not.
	key := "file:" + filepath.Join(dir, "key")
	must(t, "encryption", "key-file", filepath.Join(dir, "key"))
	must(t, "import", filepath.Join(dir, "logs", "AWSLogs"), "--dir", lake+"2", "--keeper", key)
	if _, errOut, status := cairn(t, "", "export", "--dir", lake+"2", "--keeper", key, "--out", filepath.Join(dir, "clear")); status != 0 || !strings.Contains(errOut, "the bundle will not be") {
		t.Errorf("status %d: %s", status, errOut)
	}
}
