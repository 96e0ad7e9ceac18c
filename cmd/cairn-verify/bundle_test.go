package main

import (
	"bytes"
	"context"
	"crypto/ed25519"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/cockroachdb/pebble/v2/vfs"

	"github.com/cairndb/cairn/engine"
	"github.com/cairndb/cairn/engine/archive"
	"github.com/cairndb/cairn/engine/digest"
)

const mainEnv = "CAIRN_VERIFY_TEST_MAIN"

// init lets the test binary be the program, in a process of its own.
func init() {
	if os.Getenv(mainEnv) != "" {
		os.Exit(run(os.Args[1:], os.Stdout, os.Stderr))
	}
}

// program runs cairn-verify in a process of its own.
func program(t *testing.T, args ...string) (out string, status int) {
	t.Helper()
	cmd := exec.Command(os.Args[0], args...)
	cmd.Env = append(os.Environ(), mainEnv+"=1")
	cmd.Dir = t.TempDir()
	var b bytes.Buffer
	cmd.Stdout, cmd.Stderr = &b, &b
	err := cmd.Run()
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) {
		t.Fatal(err)
	}
	return b.String(), cmd.ProcessState.ExitCode()
}

// testLake makes a lake with 120 events.
func testLake(t *testing.T) *engine.Lake {
	t.Helper()
	ctx := context.Background()
	l, err := engine.Open("lake", &engine.Options{FS: vfs.NewMem(), SegmentRows: 50})
	if err != nil {
		t.Fatal(err)
	}
	s, err := l.CreateStore(ctx, engine.DefaultStore)
	if err != nil {
		t.Fatal(err)
	}
	var records [][]byte
	for i := range 120 {
		records = append(records, fmt.Appendf(nil, `{"eventVersion":"1.08","eventTime":"2026-02-03T04:05:06Z","eventID":"e%d","eventSource":"s3.amazonaws.com","eventName":"GetObject","awsRegion":"eu-west-1","recipientAccountId":"111122223333"}`, i))
	}
	if _, err := s.Append(ctx, records); err != nil {
		t.Fatal(err)
	}
	return l
}

// TestBundle exports from a lake that is gone when the bundle is verified.
func TestBundle(t *testing.T) {
	ctx := context.Background()
	l := testLake(t)
	dir := t.TempDir()
	if _, err := l.Export(ctx, engine.DirBucket(vfs.Default, dir), engine.ExportOptions{Formats: []string{archive.JSONLines, archive.Parquet}}); err != nil {
		t.Fatal(err)
	}
	key, other := filepath.Join(t.TempDir(), "key.pem"), filepath.Join(t.TempDir(), "other.pem")
	if err := errors.Join(os.WriteFile(key, l.PublicKeys().Keys[0].PEM(), 0o600), l.Close()); err != nil {
		t.Fatal(err)
	}
	if out, status := program(t, t.TempDir(), "--key", key); status != exitFailed || !strings.Contains(out, "this is no bundle") || strings.Contains(out, "MB/s") {
		t.Errorf("a folder that is no bundle: %d: %s", status, out)
	}
	m := makeSamples(t)
	if b, err := os.ReadFile(m.pem); err != nil || os.WriteFile(other, b, 0o600) != nil {
		t.Fatal(err)
	}
	out, status := program(t, dir, "--key", key)
	if status != exitVerified || !strings.Contains(out, "120 records, byte for byte, are exactly the signed tree") || !strings.Contains(out, "MB/s") || strings.Contains(out, "whose key it is") {
		t.Errorf("%d: %s", status, out)
	}
	out, status = program(t, dir, "--json")
	var a answer
	if err := json.Unmarshal([]byte(out), &a); err != nil || status != exitVerified || a.Result != "verified" || a.Bundle == nil || a.Bundle.Events != 120 {
		t.Errorf("%d, %v: %s", status, err, out)
	}
	if left := strings.Join(a.NotVerified, "\n"); !strings.Contains(left, "whose key it is") || !strings.Contains(left, "parquet") {
		t.Errorf("not verified: %s", left)
	}
	if out, status = program(t, "bundle", dir, "--key", other); status != exitFailed || !strings.Contains(out, "none of the keys that were given") {
		t.Errorf("%d: %s", status, out)
	}
	for _, args := range [][]string{{filepath.Join(dir, "none")}, {dir, dir}, {dir, "--record", key}, {dir, "--checkpoint", key}} {
		if out, status = program(t, args...); status != exitUsage {
			t.Errorf("%q: %d: %s", args, status, out)
		}
	}
	path := filepath.Join(dir, archive.SumsFile)
	b, err := os.ReadFile(path)
	if err == nil {
		b[0] ^= 1
		err = os.WriteFile(path, b, 0o600)
	}
	if err != nil {
		t.Fatal(err)
	}
	if out, status = program(t, dir, "--key", key); status != exitFailed || !strings.Contains(out, "PROBLEM:      SHA256SUMS") {
		t.Errorf("%d: %s", status, out)
	}
}

// TestRotatedKey verifies a bundle whose manifest is signed by the key in use and whose
// digest by the one before, with the key in use alone, as openssl does by VERIFY.md.
func TestRotatedKey(t *testing.T) {
	ctx := context.Background()
	l := testLake(t)
	defer l.Close()
	s, err := l.Store(engine.DefaultStore)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := s.Digest(ctx); err != nil {
		t.Fatal(err)
	}
	if _, err := l.RotateKey(ctx); err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	if _, err := l.Export(ctx, engine.DirBucket(vfs.Default, dir), engine.ExportOptions{}); err != nil {
		t.Fatal(err)
	}
	keys := l.PublicKeys().Keys
	const byWord = "by the word of the key that signed the manifest"
	for i := range keys {
		file := filepath.Join(t.TempDir(), "key.pem")
		if err := os.WriteFile(file, keys[i].PEM(), 0o600); err != nil {
			t.Fatal(err)
		}
		// The first key endorses the second; the second names the first.
		out, status := program(t, dir, "--key", file)
		if status != exitVerified || strings.Contains(out, byWord) != (i == 1) {
			t.Errorf("with key %d: %d: %s", i+1, status, out)
		}
	}
	// The manifest vouches for the keys of its own bundle, no others.
	ring := filepath.Join(dir, archive.KeysFile)
	foreign := digest.Ring{Keys: []digest.Key{{Number: 1, Public: key(9).Public().(ed25519.PublicKey), Created: keys[0].Created}}}
	if err := os.WriteFile(ring, foreign.Format(), 0o600); err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(t.TempDir(), "key.pem")
	if err := os.WriteFile(file, keys[1].PEM(), 0o600); err != nil {
		t.Fatal(err)
	}
	if out, status := program(t, dir, "--key", file); status != exitFailed || !strings.Contains(out, archive.KeysFile) {
		t.Errorf("with another key ring: %d: %s", status, out)
	}
}

// TestEncryptedBundle verifies a bundle for two keepers, and takes its encryption off.
func TestEncryptedBundle(t *testing.T) {
	ctx := context.Background()
	l := testLake(t)
	defer l.Close()
	dir, secret, wrong := t.TempDir(), filepath.Join(t.TempDir(), "secret"), filepath.Join(t.TempDir(), "wrong")
	if err := errors.Join(os.WriteFile(secret, []byte("what the auditor knows\n"), 0o600), os.WriteFile(wrong, []byte("what nobody knows\n"), 0o600)); err != nil {
		t.Fatal(err)
	}
	k, err := archive.OpenKeeper("passphrase:file:" + secret)
	if err != nil {
		t.Fatal(err)
	}
	bundle := filepath.Join(dir, "bundle")
	to, err := archive.Encrypt(ctx, engine.DirBucket(vfs.Default, bundle), []archive.Keeper{k})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := l.Export(ctx, to, engine.ExportOptions{}); err != nil {
		t.Fatal(err)
	}
	plain := filepath.Join(dir, "plain")
	for _, c := range []struct {
		args   []string
		status int
		says   string
	}{
		{[]string{bundle}, exitFailed, "the bundle is encrypted: it can be read with the keeper passphrase:"},
		{[]string{bundle, "--keeper", "passphrase:file:" + wrong}, exitFailed, "it is another passphrase"},
		{[]string{bundle, "--keeper", "passphrase:file:" + secret}, exitVerified, "120 records, byte for byte, are exactly the signed tree"},
		{[]string{bundle, "--keeper", "awskms://key"}, exitUsage, "keeper URL not known"},
		{[]string{bundle, "--keeper", "passphrase:"}, exitUsage, "nobody to ask"},
		{[]string{"decrypt", bundle, "--out", plain}, exitUsage, "wants --keeper"},
		{[]string{"decrypt", bundle, "--keeper", "passphrase:file:" + secret}, exitUsage, "--out goes with decrypt"},
		{[]string{"decrypt", bundle, "--keeper", "passphrase:file:" + wrong, "--out", plain}, exitFailed, "another passphrase"},
		{[]string{"decrypt", bundle, "--keeper", "passphrase:file:" + secret, "--out", plain}, exitVerified, "verify " + plain + " next"},
		{[]string{"decrypt", bundle, "--keeper", "passphrase:file:" + secret, "--out", plain}, exitFailed, "empty place"},
		{[]string{"decrypt", plain, "--keeper", "passphrase:file:" + secret, "--out", plain + "2"}, exitFailed, "not encrypted"},
		{[]string{plain}, exitVerified, "120 records"},
		{[]string{plain, "--keeper", "passphrase:file:" + secret}, exitUsage, "not encrypted"},
	} {
		if out, status := program(t, c.args...); status != c.status || !strings.Contains(out, c.says) {
			t.Errorf("%q: status %d: %s", c.args, status, out)
		}
	}
	checkpoint := filepath.Join(bundle, "tree", "checkpoint.enc")
	b, err := os.ReadFile(checkpoint)
	if err == nil {
		b[len(b)-1] ^= 1
		err = os.WriteFile(checkpoint, b, 0o600)
	}
	if err != nil {
		t.Fatal(err)
	}
	if out, status := program(t, bundle, "--keeper", "passphrase:file:"+secret); status != exitFailed || !strings.Contains(out, "tree/checkpoint.enc: frame 0 does not authenticate") {
		t.Errorf("%d: %s", status, out)
	}
}
