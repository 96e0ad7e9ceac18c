package main

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
)

// vault is what a keeper needs of a Vault server: encrypt and decrypt of its transit
// engine, with a token, under keys that have names.
type vault struct {
	token string
	// mood makes it answer otherwise: "" is well.
	mood atomic.Value
	asks atomic.Int64
}

func (v *vault) gcm(key string) cipher.AEAD {
	sum := sha256.Sum256([]byte("secret of " + key))
	block, err := aes.NewCipher(sum[:])
	if err != nil {
		panic(err)
	}
	gcm, err := cipher.NewGCM(block)
	if err != nil {
		panic(err)
	}
	return gcm
}

// ServeHTTP answers as Vault's API says.
func (v *vault) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	v.asks.Add(1)
	w.Header().Set("Content-Type", "application/json")
	fail := func(status int, why string) {
		w.WriteHeader(status)
		json.NewEncoder(w).Encode(map[string]any{"errors": []string{why}})
	}
	var ask struct{ Plaintext, Ciphertext string }
	rest, ok := strings.CutPrefix(r.URL.Path, "/v1/transit/")
	act, key, _ := strings.Cut(rest, "/")
	switch mood, _ := v.mood.Load().(string); {
	case mood == "empty":
		w.WriteHeader(http.StatusNoContent)
		return
	case mood == "odd":
		w.Write([]byte(`{"data":{"plaintext":7,"ciphertext":null}}`))
		return
	case mood == "sealed":
		fail(http.StatusBadRequest, "Vault is sealed")
		return
	case r.Header.Get("X-Vault-Token") != v.token:
		fail(http.StatusForbidden, "permission denied")
		return
	case !ok || json.NewDecoder(r.Body).Decode(&ask) != nil || r.Method != http.MethodPut && r.Method != http.MethodPost:
		fail(http.StatusBadRequest, "no such thing")
		return
	}
	gcm := v.gcm(key)
	switch act {
	case "encrypt":
		plain, err := base64.StdEncoding.DecodeString(ask.Plaintext)
		if err != nil {
			fail(http.StatusBadRequest, "plaintext is not base64")
			return
		}
		nonce := make([]byte, gcm.NonceSize())
		rand.Read(nonce)
		text := "vault:v1:" + base64.StdEncoding.EncodeToString(gcm.Seal(nonce, nonce, plain, nil))
		json.NewEncoder(w).Encode(map[string]any{"data": map[string]any{"ciphertext": text, "key_version": 1}})
	case "decrypt":
		text, ok := strings.CutPrefix(ask.Ciphertext, "vault:v1:")
		b, err := base64.StdEncoding.DecodeString(text)
		if !ok || err != nil || len(b) < gcm.NonceSize() {
			fail(http.StatusBadRequest, "invalid ciphertext: no prefix")
			return
		}
		plain, err := gcm.Open(nil, b[:gcm.NonceSize()], b[gcm.NonceSize():], nil)
		if err != nil {
			fail(http.StatusBadRequest, "cipher: message authentication failed")
			return
		}
		json.NewEncoder(w).Encode(map[string]any{"data": map[string]any{"plaintext": base64.StdEncoding.EncodeToString(plain)}})
	default:
		fail(http.StatusNotFound, "no handler for route")
	}
}

// TestVaultKeeper keeps a lake's key in a Vault server: the right key opens it, another
// key, no permission and answers that are none are errors that say so.
func TestVaultKeeper(t *testing.T) {
	v := &vault{token: "s.test"}
	server := httptest.NewServer(v)
	defer server.Close()
	// The driver reads these once in a process.
	t.Setenv("VAULT_SERVER_URL", server.URL)
	t.Setenv("VAULT_SERVER_TOKEN", v.token)
	t.Setenv("VAULT_MAX_RETRIES", "0")
	dir := t.TempDir()
	lake := filepath.Join(dir, "lake")
	must(t, "generate", "-n", "50", "--out", filepath.Join(dir, "logs"))
	must(t, "import", filepath.Join(dir, "logs", "AWSLogs"), "--dir", lake, "--keeper", "hashivault://cairn")
	count := func(keeper string) {
		t.Helper()
		if got := must(t, "query", "SELECT count(*) AS n FROM events", "--dir", lake, "--keeper", keeper, "--format", "csv"); got != "n\n50\n" {
			t.Errorf("count gives %q", got)
		}
	}
	count("hashivault://cairn")
	if v.asks.Load() < 2 {
		t.Errorf("the server was asked %d times", v.asks.Load())
	}
	refused := func(keeper, says string) {
		t.Helper()
		if _, errOut, status := cairn(t, "", "stats", "--dir", lake, "--keeper", keeper); status != exitFailed || !strings.Contains(errOut, says) {
			t.Errorf("with %s: status %d, %s", keeper, status, errOut)
		}
	}
	refused("hashivault://other", "authentication failed")
	for mood, says := range map[string]string{"empty": "no answer of a key service", "odd": "no answer of a key service", "sealed": "Vault is sealed"} {
		v.mood.Store(mood)
		refused("hashivault://cairn", says)
	}
	v.mood.Store("")
	v.token = "s.renewed" // ours has been revoked
	refused("hashivault://cairn", "permission denied")
	v.token = "s.test"
	if out := must(t, "encryption", "status", "--dir", lake, "--keeper", "hashivault://cairn"); !strings.Contains(out, "hashivault://cairn") {
		t.Errorf("status: %s", out)
	}
	// From Vault to a key file, and back under another key.
	key := filepath.Join(dir, "key")
	must(t, "encryption", "key-file", key)
	must(t, "encryption", "rotate", "--dir", lake, "--keeper", "hashivault://cairn", "--new-keeper", "file:"+key)
	refused("hashivault://cairn", "invalid ciphertext")
	must(t, "encryption", "rotate", "--dir", lake, "--keeper", "file:"+key, "--new-keeper", "hashivault://second")
	count("hashivault://second")
}
