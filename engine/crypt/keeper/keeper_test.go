package keeper

import (
	"bytes"
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestForgedCosts unwraps what says that it wants a terabyte of memory.
func TestForgedCosts(t *testing.T) {
	p := &passphrase{phrase: []byte("correct horse")}
	b := append([]byte(nil), passphraseLabel...)
	for _, n := range []uint32{1 << 30, 1 << 31, 1} {
		b = le.AppendUint32(b, n)
	}
	if _, err := p.Unwrap(context.Background(), append(b, make([]byte, 100)...)); err == nil || !strings.Contains(err.Error(), "bounds") {
		t.Errorf("forged costs: %v", err)
	}
}

// TestWrapping wraps keys and changes every byte of what comes out.
func TestWrapping(t *testing.T) {
	ctx := context.Background()
	path := filepath.Join(t.TempDir(), "key")
	if err := os.WriteFile(path, NewKeyFile(), 0o600); err != nil {
		t.Fatal(err)
	}
	k, err := Open("file:"+path, nil)
	if err != nil {
		t.Fatal(err)
	}
	want := bytes.Repeat([]byte{7}, keyLen)
	wrapped, err := k.Wrap(ctx, want)
	if err != nil || bytes.Contains(wrapped, want[:8]) {
		t.Fatal(wrapped, err)
	}
	if got, err := k.Unwrap(ctx, wrapped); err != nil || !bytes.Equal(got, want) {
		t.Errorf("unwrapped: %x, %v", got, err)
	}
	for i := range wrapped {
		bad := bytes.Clone(wrapped)
		bad[i] ^= 1
		if _, err := k.Unwrap(ctx, bad); err == nil {
			t.Errorf("with byte %d changed it unwraps", i)
		}
	}
	for i := range wrapped {
		if _, err := k.Unwrap(ctx, wrapped[:i]); err == nil {
			t.Errorf("cut to %d bytes it unwraps", i)
		}
	}
}

// FuzzUnwrap gives keepers anything to unwrap.
func FuzzUnwrap(f *testing.F) {
	file, phrase := &keyFile{key: make([]byte, keyLen)}, &passphrase{phrase: []byte("correct horse")}
	f.Add(append(bytes.Clone(keyFileLabel), make([]byte, 60)...))
	f.Add(append(bytes.Clone(passphraseLabel), make([]byte, 88)...))
	f.Fuzz(func(t *testing.T, b []byte) {
		if _, err := file.Unwrap(context.Background(), b); err == nil {
			t.Errorf("%x unwraps", b)
		}
		// Costs within the bounds may take seconds, and are left out.
		if len(b) >= passphraseHead && le.Uint32(b[4:]) <= argonPassesMax && le.Uint32(b[8:]) <= argonKiBMax {
			return
		}
		if _, err := phrase.Unwrap(context.Background(), b); err == nil {
			t.Errorf("%x unwraps", b)
		}
	})
}
