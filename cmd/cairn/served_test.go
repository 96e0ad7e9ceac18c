package main

import (
	"bytes"
	"context"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/cairndb/cairn/engine"
)

// lockedBuffer is a buffer that is read while it is written.
type lockedBuffer struct {
	sync.Mutex
	b bytes.Buffer
}

func (l *lockedBuffer) Write(p []byte) (int, error) {
	l.Lock()
	defer l.Unlock()
	return l.b.Write(p)
}

func (l *lockedBuffer) String() string {
	l.Lock()
	defer l.Unlock()
	return l.b.String()
}

// TestBackupOfServedLake backs a lake up that a server has open, by way of the server, in
// a directory whose path is too long for the name of a socket, too.
func TestBackupOfServedLake(t *testing.T) {
	for _, name := range []string{"lake", strings.Repeat("a-long-name", 12)} {
		dir := t.TempDir()
		lake := filepath.Join(dir, name)
		must(t, "generate", "-n", "200", "--out", filepath.Join(dir, "logs"))
		must(t, "import", filepath.Join(dir, "logs", "AWSLogs"), "--dir", lake)
		socket, stop := runServer(t, lake)
		backups, restored := filepath.Join(dir, "backups"), filepath.Join(dir, "restored")
		must(t, "backup", backups, "--dir", lake)
		if out := must(t, "backup", backups, "--dir", lake, "--json"); !strings.Contains(out, `"previous"`) {
			t.Errorf("the second backup: %s", out)
		}
		refused(t, exitFailed, "the server of the lake", "backup", filepath.Join(lake, "FORMAT", "x"), "--dir", lake)
		// So are exports, for keepers too.
		bundle, secret := filepath.Join(dir, "bundle"), filepath.Join(dir, "secret")
		if out := must(t, "export", "--out", bundle, "--dir", lake, "--json"); !strings.Contains(out, `"events": 200`) {
			t.Errorf("the export: %s", out)
		}
		if err := os.WriteFile(secret, []byte("correct horse battery staple"), 0o600); err != nil {
			t.Fatal(err)
		}
		must(t, "export", "--out", bundle+"-encrypted", "--encrypt", "passphrase:file:"+secret, "--dir", lake)
		refused(t, exitUsage, "does not exist", "export", "--out", bundle+"-none", "--where", "nope = 1", "--dir", lake)
		refused(t, exitFailed, "passphrase", "export", "--out", bundle+"-none", "--encrypt", "passphrase:", "--dir", lake)
		// Other commands hear who has it.
		refused(t, exitFailed, "in use", "stats", "--dir", lake)
		stop()
		if _, err := os.Lstat(socket); err == nil {
			t.Error("the socket is still there")
		}
		must(t, "restore", backups, "--dir", restored)
		must(t, "check", "--dir", restored)
		must(t, "verify", "--full", "--dir", restored)
		if got := must(t, "query", "SELECT count(*) AS n FROM events", "--dir", restored, "--format", "csv"); got != "n\n200\n" {
			t.Errorf("restored: %s", got)
		}
		keys := filepath.Join(dir, "keys.pem")
		if err := os.WriteFile(keys, []byte(must(t, "key", "export-public", "--dir", lake)), 0o600); err != nil {
			t.Fatal(err)
		}
		again := filepath.Join(dir, "again")
		must(t, "import", bundle, "--dir", again)
		must(t, "import", bundle+"-encrypted", "--decrypt", "passphrase:file:"+secret, "--dir", again)
		if got := must(t, "query", "SELECT count(*) AS n FROM events", "--dir", again, "--format", "csv"); got != "n\n200\n" {
			t.Errorf("imported from the bundles: %s", got)
		}
		if got := must(t, "query", "SELECT count(*) AS n FROM cairn_audit WHERE eventJson LIKE '%Backup%' AND eventJson LIKE '%through the server%'", "--dir", lake, "--format", "csv"); got == "n\n0\n" {
			t.Error("the audit store does not tell who asked for the backup")
		}
		// What a server has left that was killed is in nobody's way.
		if err := os.WriteFile(socket, nil, 0o600); err != nil {
			t.Fatal(err)
		}
		must(t, "check", "--dir", lake)
	}
}

// TestBackupOfOpenLake: a lake that some program has open is refused, with what to do.
func TestBackupOfOpenLake(t *testing.T) {
	dir := t.TempDir()
	lake, err := engine.Open(filepath.Join(dir, "lake"), nil)
	if err != nil {
		t.Fatal(err)
	}
	defer lake.Close()
	refused(t, exitFailed, "by the program that has it open", "backup", filepath.Join(dir, "backups"), "--dir", filepath.Join(dir, "lake"))
	if _, err := os.Stat(filepath.Join(dir, "backups")); err == nil {
		t.Error("something was written to the backup")
	}
}

// runServer runs cairn serve on a lake until stop, and waits for its socket.
func runServer(t *testing.T, lake string) (socket string, stop func()) {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	var said lockedBuffer
	ended := make(chan int, 1)
	go func() {
		ended <- run(ctx, []string{"serve", "--dir", lake, "--pg", "127.0.0.1:0", "--http", "127.0.0.1:0"}, strings.NewReader(""), &said, &said)
	}()
	socket = filepath.Join(lake, engine.ControlSocket)
	for deadline := time.Now().Add(time.Minute); ; time.Sleep(10 * time.Millisecond) {
		if info, err := os.Lstat(socket); err == nil && info.Mode() == os.ModeSocket|0o600 {
			break
		}
		select {
		case status := <-ended:
			t.Fatalf("serve ended with %d: %s", status, said.String())
		default:
		}
		if time.Now().After(deadline) {
			t.Fatalf("there is no socket: %s", said.String())
		}
	}
	return socket, func() {
		t.Helper()
		cancel()
		if status := <-ended; status != 0 {
			t.Errorf("serve ended with %d: %s", status, said.String())
		}
	}
}

// TestUsersOfServedLake runs the commands of principals and access keys on a lake that a server has open.
func TestUsersOfServedLake(t *testing.T) {
	dir := t.TempDir()
	lake := filepath.Join(dir, "lake")
	must(t, "generate", "-n", "20", "--out", filepath.Join(dir, "logs"))
	must(t, "import", filepath.Join(dir, "logs", "AWSLogs"), "--dir", lake)
	_, stop := runServer(t, lake)
	defer stop()
	if out, errOut, status := cairn(t, "", "user", "add", "anna", "--role", "reader", "--stores", "events,later", "--dir", lake); status != 0 || !strings.Contains(out+errOut, "later") {
		t.Errorf("add: %d %s %s", status, out, errOut)
	}
	refused(t, exitFailed, "anna", "user", "add", "anna", "--role", "reader", "--dir", lake)
	must(t, "user", "revoke", "anna", "--accounts", "*", "--dir", lake)
	must(t, "user", "grant", "anna", "--accounts", "111122223333", "--dir", lake)
	must(t, "user", "revoke", "anna", "--stores", "later", "--dir", lake)
	must(t, "user", "rotate", "anna", "--dir", lake)
	if out := must(t, "user", "show", "anna", "--json", "--dir", lake); !strings.Contains(out, `"events"`) || strings.Contains(out, "later") || !strings.Contains(out, "111122223333") {
		t.Errorf("show: %s", out)
	}
	var key struct{ AccessKeyID, SecretAccessKey, SessionToken string }
	if err := json.Unmarshal([]byte(must(t, "user", "access-key", "anna", "--lifetime", "1h", "--json", "--dir", lake)), &key); err != nil || len(key.SecretAccessKey) != 40 || key.SessionToken == "" {
		t.Errorf("key: %+v, %v", key, err)
	}
	refused(t, exitFailed, "nobody", "user", "access-key", "nobody", "--dir", lake)
	must(t, "user", "access-key", "disable", key.AccessKeyID, "--dir", lake)
	if out := must(t, "user", "access-key", "list", "anna", "--dir", lake); !strings.Contains(out, key.AccessKeyID) || !strings.Contains(out, "Inactive") {
		t.Errorf("keys: %s", out)
	}
	must(t, "user", "access-key", "enable", key.AccessKeyID, "--dir", lake)
	must(t, "user", "access-key", "delete", key.AccessKeyID, "--dir", lake)
	if out := must(t, "user", "access-key", "list", "--dir", lake); strings.Contains(out, key.AccessKeyID) {
		t.Errorf("keys: %s", out)
	}
	must(t, "user", "remove", "anna", "--dir", lake)
	if out := must(t, "user", "list", "--dir", lake); strings.Contains(out, "anna") || !strings.Contains(out, "admin") {
		t.Errorf("list: %s", out)
	}
}
