package crypt

import (
	"bytes"
	"context"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/cockroachdb/pebble/v2/vfs"

	"github.com/cairndb/cairn/engine/crypt/keeper"
)

// TestKeepers opens rings with the right and with wrong keepers.
func TestKeepers(t *testing.T) {
	dir := t.TempDir()
	file := func(name string, b []byte) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, b, 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	t.Setenv("CAIRN_TEST_PHRASE", "correct horse battery staple")
	t.Setenv("CAIRN_TEST_OTHER", "incorrect horse battery staple")
	key, other := "file:"+file("a", keeper.NewKeyFile()), "file:"+file("b", keeper.NewKeyFile())
	same := "passphrase:file:" + file("phrase", []byte("correct horse battery staple\n"))
	asked := func() ([]byte, error) { return []byte("correct horse battery staple"), nil }
	open := func(url string) Keeper {
		t.Helper()
		k, err := keeper.Open(url, asked)
		if err != nil {
			t.Fatal(err)
		}
		return k
	}
	for _, c := range []struct {
		made  string
		right []string
		wrong []string
	}{
		{key, []string{key}, []string{other, "passphrase:env:CAIRN_TEST_PHRASE"}},
		{"passphrase:env:CAIRN_TEST_PHRASE", []string{"passphrase:", same}, []string{"passphrase:env:CAIRN_TEST_OTHER", key}},
	} {
		fs := vfs.NewMem()
		if _, err := CreateRing(ctx, fs, "KEYS", open(c.made)); err != nil {
			t.Fatal(err)
		}
		for _, url := range c.right {
			if _, err := LoadRing(ctx, fs, "KEYS", open(url)); err != nil {
				t.Errorf("%s made it, %s: %v", c.made, url, err)
			}
		}
		for _, url := range c.wrong {
			if _, err := LoadRing(ctx, fs, "KEYS", open(url)); !errors.As(err, new(*KeyError)) {
				t.Errorf("%s made it, %s: %v", c.made, url, err)
			}
		}
		if url, err := RingKeeper(fs, "KEYS"); err != nil || strings.Contains(url, "horse") {
			t.Errorf("keeper %q, %v", url, err)
		}
	}
	for _, url := range []string{"", "file:" + dir + "/none", "file:" + file("short", []byte("short")), "passphrase:env:CAIRN_TEST_UNSET", "passphrase:letmein", "vault://x"} {
		if _, err := keeper.Open(url, nil); err == nil {
			t.Errorf("keeper %q opens", url)
		}
	}
	if _, err := keeper.Open("passphrase:", func() ([]byte, error) { return []byte("short"), nil }); err == nil {
		t.Error("a passphrase of 5 bytes is accepted")
	}
}

// TestRotation goes through the life of keys: rotate, wrap anew, destroy.
func TestRotation(t *testing.T) {
	base := vfs.NewMem()
	fs := testFS(t, base)
	ring := fs.Ring()
	want := pattern(50_000)
	write(t, fs, "lake/old", "", want)
	write(t, fs, "lake/log", "wal", want)
	if n, err := ring.Rotate(); err != nil || n != 2 {
		t.Fatal(n, err)
	}
	write(t, fs, "lake/new", "", want)
	write(t, fs, "lake/empty", "")
	skip := func(path string) bool { return path == "lake/KEYS" }
	keys := func() map[string]uint32 {
		t.Helper()
		list, err := fs.Files(skip)
		if err != nil {
			t.Fatal(err)
		}
		m := map[string]uint32{}
		for _, f := range list {
			m[f.Path] = f.Key
			if f.Err != nil {
				t.Error(f.Err)
			}
		}
		return m
	}
	if m := keys(); m["lake/old"] != 1 || m["lake/log"] != 1 || m["lake/new"] != 2 || m["lake/empty"] != 0 {
		t.Errorf("keys: %v", m)
	}
	secret := ring.Seal("signing key", []byte("secret"))
	for round := range 3 {
		before, _ := read(base, "lake/old")
		for _, name := range []string{"lake/old", "lake/log", "lake/new", "lake/empty"} {
			if _, err := fs.Rewrap(name); err != nil {
				t.Fatal(err)
			}
			if again, err := fs.Rewrap(name); err != nil || again {
				t.Fatal("wrapped twice", err)
			}
		}
		after, _ := read(base, "lake/old")
		if bytes.Equal(before, after) || !bytes.Equal(before[headLen:], after[headLen:]) {
			t.Error("wrapping anew must change the head only")
		}
		if m := keys(); m["lake/old"] != uint32(2+round) {
			t.Errorf("round %d: %v", round, m)
		}
		if _, err := ring.Rotate(); err != nil {
			t.Fatal(err)
		}
	}
	if err := ring.Destroy(5); err == nil {
		t.Error("the active key can be destroyed alone")
	}
	if err := ring.Destroy(1, 2, 3); err != nil {
		t.Fatal(err)
	}
	loaded, err := LoadRing(ctx, base, "lake/KEYS", ring.keeper)
	if err != nil {
		t.Fatal(err)
	}
	fs = New(base, "lake", loaded)
	for _, name := range []string{"lake/old", "lake/log", "lake/new"} {
		if b, err := read(fs, name); err != nil || !bytes.Equal(b, want) {
			t.Errorf("%s: %d bytes, %v", name, len(b), err)
		}
	}
	if _, err := loaded.Unseal("signing key", secret); !errors.As(err, new(*KeyError)) {
		t.Errorf("a secret under a destroyed key: %v", err)
	}
	if err := loaded.Destroy(4, 5); err != nil {
		t.Fatal(err)
	}
	var gone *KeyError
	if _, err := read(fs, "lake/old"); !errors.As(err, &gone) || !strings.Contains(gone.What, "all keys were destroyed, key 4, ") {
		t.Errorf("a file under a destroyed key: %v", err)
	}
	write(t, fs, "lake/after", "", want)
	if _, err := read(fs, "lake/after"); err == nil {
		t.Error("without keys, what is written can be read")
	}
}

// TestRewrapCrash crashes while a file's key is wrapped anew.
func TestRewrapCrash(t *testing.T) {
	mem := vfs.NewMem()
	fs := testFS(t, mem)
	want := pattern(20_000)
	write(t, fs, "lake/f", "", want)
	for range 3 {
		if _, err := fs.Ring().Rotate(); err != nil {
			t.Fatal(err)
		}
		before, _ := read(mem, "lake/f")
		if _, err := fs.Rewrap("lake/f"); err != nil {
			t.Fatal(err)
		}
		after, _ := read(mem, "lake/f")
		// Any part of the sector may be the old one.
		for cut := 0; cut <= headLen; cut += 8 {
			for _, mixed := range [][]byte{append(bytes.Clone(before[:cut]), after[cut:]...), append(bytes.Clone(after[:cut]), before[cut:]...)} {
				write(t, mem, "lake/x", "", mixed)
				if b, err := read(fs, "lake/x"); err != nil || !bytes.Equal(b, want) {
					t.Fatalf("cut at %d: %d bytes, %v", cut, len(b), err)
				}
			}
		}
	}
}

// TestRekeep changes the keeper and leaves the files alone.
func TestRekeep(t *testing.T) {
	base := vfs.NewMem()
	fs := testFS(t, base)
	write(t, fs, "lake/f", "", []byte("text"))
	old, next := fs.Ring().keeper, testKeeper(t)
	if err := fs.Ring().Rekeep(ctx, next); err != nil {
		t.Fatal(err)
	}
	if _, err := LoadRing(ctx, base, "lake/KEYS", old); !errors.As(err, new(*KeyError)) {
		t.Errorf("the old keeper still opens the ring: %v", err)
	}
	ring, err := LoadRing(ctx, base, "lake/KEYS", next)
	if err != nil {
		t.Fatal(err)
	}
	if b, err := read(New(base, "lake", ring), "lake/f"); err != nil || string(b) != "text" {
		t.Errorf("%q, %v", b, err)
	}
}

// TestRingBytes changes every byte of a key ring.
func TestRingBytes(t *testing.T) {
	base := vfs.NewMem()
	fs := testFS(t, base)
	keeper := fs.Ring().keeper
	good, err := read(base, "lake/KEYS")
	if err != nil {
		t.Fatal(err)
	}
	for i := range good {
		for bit := range 8 {
			bad := bytes.Clone(good)
			bad[i] ^= 1 << bit
			write(t, base, "KEYS", "", bad)
			if _, err := LoadRing(ctx, base, "KEYS", keeper); err == nil {
				t.Fatalf("bit %d of byte %d of the key ring does not matter: %s", bit, i, bad)
			} else if !strings.Contains(err.Error(), "KEYS") {
				t.Fatalf("the error does not name the file: %v", err)
			}
		}
	}
}

// TestSeal seals secrets for purposes.
func TestSeal(t *testing.T) {
	ring := testFS(t, vfs.NewMem()).Ring()
	sealed := ring.Seal("signing key", []byte("secret"))
	if b, err := ring.Unseal("signing key", sealed); err != nil || string(b) != "secret" {
		t.Errorf("%q, %v", b, err)
	}
	if _, err := ring.Unseal("another purpose", sealed); err == nil {
		t.Error("it opens for another purpose")
	}
	for i := range sealed {
		bad := bytes.Clone(sealed)
		bad[i] ^= 1
		if _, err := ring.Unseal("signing key", bad); !errors.As(err, new(*KeyError)) {
			t.Errorf("byte %d: %v", i, err)
		}
	}
	if _, err := ring.Unseal("signing key", sealed[:10]); err == nil {
		t.Error("ten bytes open")
	}
}

// fixedKeeper wraps by doing nothing, for fuzzing.
type fixedKeeper struct{}

func (fixedKeeper) URL() string                                              { return "test:" }
func (fixedKeeper) Wrap(_ context.Context, k []byte) ([]byte, error)         { return k, nil }
func (fixedKeeper) Unwrap(_ context.Context, wrapped []byte) ([]byte, error) { return wrapped, nil }

// FuzzRing parses key rings: whatever parses is in the one form that is written.
func FuzzRing(f *testing.F) {
	fs := vfs.NewMem()
	ring, err := CreateRing(ctx, fs, "KEYS", fixedKeeper{})
	if err != nil {
		f.Fatal(err)
	}
	f.Add(ring.file.encode())
	f.Add([]byte(`{"format":"cairn key ring","version":1}`))
	f.Add([]byte(nil))
	f.Fuzz(func(t *testing.T, b []byte) {
		file, what := parseRing(b)
		if what == "" && !bytes.Equal(file.encode(), b) {
			t.Errorf("%s is written as %s", b, file.encode())
		}
	})
}

// FuzzSlot parses heads: whatever parses is in the one form that is written.
func FuzzSlot(f *testing.F) {
	ring := testFS(f, vfs.NewMem()).Ring()
	head, _ := ring.newHead(sealedKind)
	f.Add(head[:slotLen])
	f.Fuzz(func(t *testing.T, b []byte) {
		if len(b) < slotLen {
			return
		}
		s, what := parseSlot(b[:slotLen])
		if what == "" && !bytes.Equal(s.append(nil), b[:slotLen]) {
			t.Errorf("% x is written as % x", b[:slotLen], s.append(nil))
		}
	})
}

// FuzzFile puts any bytes behind the head of a file. What can be read was written,
// or nothing.
func FuzzFile(f *testing.F) {
	base := vfs.NewMem()
	fs := testFS(f, base)
	want := pattern(frameBytes + 200)
	write(f, fs, "lake/sealed", "", want)
	write(f, fs, "lake/log", "wal", want[:100], want[100:])
	var heads [2][]byte
	for i, name := range []string{"lake/sealed", "lake/log"} {
		b, err := read(base, name)
		if err != nil {
			f.Fatal(err)
		}
		heads[i] = b[:headLen]
		f.Add(i == 1, b[headLen:])
		f.Add(i == 1, b[headLen:headLen+100])
	}
	f.Add(true, bytes.Repeat(frameMagic, 1000))
	f.Fuzz(func(t *testing.T, isLog bool, rest []byte) {
		head := heads[0]
		if isLog {
			head = heads[1]
		}
		mem := vfs.NewMem()
		if err := mem.MkdirAll("lake", 0o755); err != nil {
			t.Fatal(err)
		}
		write(t, mem, "lake/x", "", append(bytes.Clone(head), rest...))
		b, err := read(New(mem, "lake", fs.ring), "lake/x")
		if !bytes.HasPrefix(want, b) {
			t.Errorf("%d other bytes were read (%v)", len(b), err)
		}
	})
}

// TestFilesVanish has files and a directory removed between being listed and being looked at.
func TestFilesVanish(t *testing.T) {
	base := vfs.NewMem()
	fs := testFS(t, base)
	for _, name := range []string{"lake/a", "lake/gone", "lake/z"} {
		write(t, fs, name, "", []byte("x"))
	}
	if err := base.MkdirAll("lake/left", 0o755); err != nil {
		t.Fatal(err)
	}
	var got []string
	list, err := fs.Files(func(path string) bool {
		if path == "lake/gone" || path == "lake/left" {
			if err := base.RemoveAll(path); err != nil {
				t.Error(err)
			}
		}
		return path == "lake/KEYS"
	})
	for _, f := range list {
		got = append(got, f.Path)
	}
	if err != nil || !slices.Equal(got, []string{"lake/a", "lake/z"}) {
		t.Errorf("files %v, %v", got, err)
	}
}
