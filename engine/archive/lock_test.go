package archive

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/cairndb/cairn/engine/crypt/keeper"
)

// keyFiles makes keepers with key files.
func keyFiles(t testing.TB, n int) []Keeper {
	t.Helper()
	var out []Keeper
	for i := range n {
		path := filepath.Join(t.TempDir(), fmt.Sprint("key", i))
		if err := os.WriteFile(path, keeper.NewKeyFile(), 0o600); err != nil {
			t.Fatal(err)
		}
		k, err := OpenKeeper("file:" + path)
		if err != nil {
			t.Fatal(err)
		}
		out = append(out, k)
	}
	return out
}

// encrypted returns a bundle encrypted for keepers.
func encrypted(t testing.TB, m *memory, keepers []Keeper) *memory {
	t.Helper()
	ctx := context.Background()
	out := &memory{files: map[string][]byte{}}
	to, err := Encrypt(ctx, out, keepers)
	if err != nil {
		t.Fatal(err)
	}
	for name := range m.files {
		if err := plainCopy(ctx, to, m, name); err != nil {
			t.Fatal(err)
		}
	}
	return out
}

// TestEncryptedBundle verifies encrypted bundles by each of their keepers, and by nobody
// else; taking the encryption off gives the bundle byte for byte.
func TestEncryptedBundle(t *testing.T) {
	ctx := context.Background()
	keepers := keyFiles(t, 3)
	for name, m := range bundles(t) {
		e := encrypted(t, m, keepers[:2])
		for file, b := range e.files {
			if file != EncryptionFile && (!strings.HasSuffix(file, ".enc") || bytes.Contains(b, []byte("eventTime")) || bytes.Contains(b, []byte("cairn/"))) {
				t.Errorf("%s: %s is not encrypted", name, file)
			}
		}
		for _, k := range keepers[:2] {
			from, err := Decrypt(ctx, e, []Keeper{keepers[2], k})
			if err != nil {
				t.Fatal(err)
			}
			if r, err := Verify(ctx, from, VerifyOptions{Keys: trusted(1)}); err != nil || r.ProblemCount > 0 {
				t.Errorf("%s: %v, %v", name, r.Problems, err)
			}
			err = from.List(ctx, "", func(file string, size int64) error {
				if int(size) != len(m.files[file]) {
					t.Errorf("%s: %s is said to have %d bytes instead of %d", name, file, size, len(m.files[file]))
				}
				return nil
			})
			if err != nil {
				t.Error(err)
			}
		}
		plain := &memory{files: map[string][]byte{}}
		if n, err := Unlock(ctx, plain, e, keepers[1:]); err != nil || n != len(m.files) || !maps.EqualFunc(plain.files, m.files, bytes.Equal) {
			t.Errorf("%s: %d files decrypted of %d, %v", name, n, len(m.files), err)
		}
		if _, err := Unlock(ctx, plain, e, keepers); err == nil {
			t.Errorf("%s: decrypted over something else", name)
		}
		for what, with := range map[string][]Keeper{"the keeper": nil, "unwraps": keepers[2:]} {
			if _, err := Decrypt(ctx, e, with); !errors.Is(err, ErrEncrypted) || !strings.Contains(err.Error(), what) || !strings.Contains(err.Error(), keepers[0].URL()) {
				t.Errorf("%s without its key: %v", name, err)
			}
		}
		// Who does not look hears why there is no manifest.
		if r, err := Verify(ctx, e, VerifyOptions{}); err != nil || r.ProblemCount == 0 || !errors.Is(r.Problems[0], ErrEncrypted) {
			t.Errorf("%s as it is: %+v, %v", name, r, err)
		}
		if _, err := Encrypt(ctx, m.clone(), keepers); err == nil {
			t.Errorf("%s: encrypted into a place that is not empty", name)
		}
		if same, err := Decrypt(ctx, m, nil); err != nil || same != Source(m) {
			t.Errorf("%s, which is not encrypted: %v", name, err)
		}
	}
}

// TestEncryptedAgain takes up an encrypted export that was cut short, with one of its
// keepers, and not without.
func TestEncryptedAgain(t *testing.T) {
	ctx := context.Background()
	keepers := keyFiles(t, 3)
	to := &memory{files: map[string][]byte{}}
	first, err := Encrypt(ctx, to, keepers[:2])
	if err != nil {
		t.Fatal(err)
	}
	if err := first.Write(ctx, "a", strings.NewReader("one")); err != nil {
		t.Fatal(err)
	}
	if _, err := Encrypt(ctx, to, keepers[2:]); !errors.Is(err, ErrEncrypted) {
		t.Errorf("taken up with another keeper: %v", err)
	}
	second, err := Encrypt(ctx, to, keepers[1:])
	if err != nil {
		t.Fatal(err)
	}
	if b, err := readSmall(ctx, second, "a", 100); err != nil || string(b) != "one" {
		t.Errorf("%q, %v", b, err)
	}
	// The same again is not the same bytes: no key stream is used twice.
	before := bytes.Clone(to.files["a.enc"])
	if err := second.Write(ctx, "a", strings.NewReader("one")); err != nil || bytes.Equal(before, to.files["a.enc"]) || len(before) != len(to.files["a.enc"]) {
		t.Errorf("%x, then %x, %v", before, to.files["a.enc"], err)
	}
	if _, err := Encrypt(ctx, &memory{files: map[string][]byte{}}, nil); err == nil {
		t.Error("encrypted for nobody")
	}
}

// TestEncryptedLengths encrypts contents of lengths around those of frames.
func TestEncryptedLengths(t *testing.T) {
	ctx := context.Background()
	to := &memory{files: map[string][]byte{}}
	target, err := Encrypt(ctx, to, keyFiles(t, 1))
	if err != nil {
		t.Fatal(err)
	}
	for _, n := range []int{0, 1, 15, 16, 17, encryptedFrame - 1, encryptedFrame, encryptedFrame + 1, 2 * encryptedFrame, 3*encryptedFrame + 5} {
		want := bytes.Repeat([]byte{byte(n)}, n)
		if err := target.Write(ctx, "f", iotest.HalfReader(bytes.NewReader(want))); err != nil {
			t.Fatal(err)
		}
		if got := contentLength(int64(len(to.files["f.enc"]))); got != int64(n) {
			t.Errorf("%d bytes are said to be %d", n, got)
		}
		r, err := target.Read(ctx, "f")
		if err != nil {
			t.Fatal(err)
		}
		if got, err := io.ReadAll(iotest.OneByteReader(r)); err != nil || !bytes.Equal(got, want) {
			t.Errorf("%d bytes come back as %d, %v", n, len(got), err)
		}
		// Every cut that could be meant, and the frames in another order.
		b := to.files["f.enc"]
		for _, cut := range []int{0, 1, encryptedHead, encryptedHead + 1, len(b) - 1, len(b) - tagLen, len(b) - tagLen - n%encryptedFrame, encryptedHead + encryptedFrame + tagLen} {
			if cut < 0 || cut >= len(b) {
				continue
			}
			to.files["f.enc"] = b[:cut]
			if got, err := readSmall(ctx, target, "f", 1<<20); !errors.Is(err, ErrChanged) {
				t.Errorf("%d bytes, cut to %d of %d, read as %d: %v", n, cut, len(b), len(got), err)
			}
		}
		if n >= 2*encryptedFrame {
			const f = encryptedFrame + tagLen
			to.files["f.enc"] = slices.Concat(b[:encryptedHead], b[encryptedHead+f:encryptedHead+2*f], b[encryptedHead:encryptedHead+f], b[encryptedHead+2*f:])
			if _, err := readSmall(ctx, target, "f", 1<<20); !errors.Is(err, ErrChanged) {
				t.Errorf("%d bytes with two frames exchanged: %v", n, err)
			}
		}
	}
	if err := target.Write(ctx, "f", iotest.ErrReader(io.ErrClosedPipe)); !errors.Is(err, io.ErrClosedPipe) {
		t.Errorf("a content that fails: %v", err)
	}
}

// TestEncryptedEveryByte flips a bit in bytes of every file of an encrypted bundle, gives
// files each other's places, and leaves and adds some.
func TestEncryptedEveryByte(t *testing.T) {
	ctx := context.Background()
	keepers := keyFiles(t, 1)
	m := encrypted(t, bundles(t)["whole"], keepers)
	fails := func(what string, c *memory) {
		t.Helper()
		from, err := Decrypt(ctx, c, keepers)
		if err != nil {
			return // encryption.json is not as it was
		}
		mustFail(t, what, from.(*unlocked), trusted(1))
	}
	rng := rand.New(rand.NewPCG(1, 2))
	names := slices.Sorted(maps.Keys(m.files))
	for i, file := range names {
		content := m.files[file]
		for at := range content {
			if !*everyByte && at != 0 && at != len(content)-1 && rng.IntN(60) > 0 {
				continue
			}
			c := m.clone()
			c.files[file] = bytes.Clone(content)
			c.files[file][at] ^= 1 << rng.IntN(8)
			if file == EncryptionFile {
				// What it is about is for people, and its URL names the keeper only.
				if _, err := Decrypt(ctx, c, keepers); err == nil && !bytes.Contains(content[:at], []byte(`"about"`)) {
					t.Errorf("%s with byte %d changed is taken", file, at)
				}
				continue
			}
			fails(fmt.Sprintf("%s, byte %d", file, at), c)
		}
		if file == EncryptionFile {
			continue
		}
		for _, other := range []string{names[(i+1)%len(names)], names[(i+2)%len(names)]} {
			c := m.clone()
			c.files[file] = m.files[other]
			fails(file+" is "+other, c)
		}
		c := m.clone()
		delete(c.files, file)
		fails(file+" is missing", c)
	}
	for name, b := range map[string][]byte{"manifest.json": []byte("{}"), "more.enc": m.files["manifest.json.enc"], "readme.txt": []byte("x")} {
		c := m.clone()
		c.files[name] = b
		fails(name+" is there", c)
	}
	other := encrypted(t, bundles(t)["whole"], keepers)
	c := m.clone()
	c.files["manifest.json.enc"] = other.files["manifest.json.enc"]
	fails("a file of another bundle", c)
}

// FuzzEncryptedFile reads anything as an encrypted file, and as encryption.json.
func FuzzEncryptedFile(f *testing.F) {
	ctx := context.Background()
	m := &memory{files: map[string][]byte{}}
	target, err := Encrypt(ctx, m, keyFiles(f, 1))
	if err != nil {
		f.Fatal(err)
	}
	if err := target.Write(ctx, "a", strings.NewReader("some content")); err != nil {
		f.Fatal(err)
	}
	good := m.files["a.enc"]
	f.Add(good)
	f.Add(good[:50])
	f.Add(m.files[EncryptionFile])
	f.Fuzz(func(t *testing.T, b []byte) {
		if e, err := parseEncryption(b); err == nil && !bytes.Equal(format(e), b) {
			t.Errorf("%q is written as %q", b, format(e))
		}
		m.files["a.enc"] = b
		if got, err := readSmall(ctx, target, "a", 1<<20); err == nil && !bytes.Equal(b, good) {
			t.Errorf("%x is read as %q", b, got)
		}
		if n := contentLength(int64(len(b))); n > int64(len(b)) {
			t.Errorf("%d bytes are said to have %d", len(b), n)
		}
	})
}

// TestLock encrypts files that are no bundle, as those of a bundle are.
func TestLock(t *testing.T) {
	ctx := context.Background()
	keepers := keyFiles(t, 3)
	m := &memory{files: map[string][]byte{}}
	if l, err := OpenLock(ctx, m, keepers); l != nil || err != nil {
		t.Fatalf("a place without a lock has %v, %v", l, err)
	}
	l, err := MakeLock(ctx, m, keepers[:2])
	if err != nil {
		t.Fatal(err)
	}
	again, err := MakeLock(ctx, m, keepers[1:])
	if err != nil || !bytes.Equal(again.key, l.key) {
		t.Errorf("the key that is there is not taken up: %v", err)
	}
	opened, err := OpenLock(ctx, m, keepers[1:2])
	if err != nil {
		t.Fatal(err)
	}
	if _, err := OpenLock(ctx, m, keepers[2:]); !errors.Is(err, ErrEncrypted) {
		t.Errorf("a stranger's keeper: %v", err)
	}
	for _, n := range []int{0, 1, encryptedFrame - 1, encryptedFrame, encryptedFrame + 1, 2 * encryptedFrame, 3*encryptedFrame + 7} {
		content := bytes.Repeat([]byte("audit "), n/6+1)[:n]
		sealed := l.Seal("a/b", content)
		if got := ContentLength(int64(len(sealed))); got != int64(n) {
			t.Errorf("%d bytes have the length %d", n, got)
		}
		if got, err := opened.Open("a/b", sealed); err != nil || !bytes.Equal(got, content) {
			t.Errorf("%d bytes come back as %d, %v", n, len(got), err)
		}
		// The same file, as an encrypted bundle reads it.
		m.files[EncryptedName("a/b")] = sealed
		r, err := (&unlocked{from: m, key: l.key}).Read(ctx, "a/b")
		if err != nil {
			t.Fatal(err)
		}
		if got, err := io.ReadAll(r); err != nil || !bytes.Equal(got, content) {
			t.Errorf("a bundle reads %d of %d bytes, %v", len(got), n, err)
		}
		for what, bad := range map[string][]byte{"cut": sealed[:len(sealed)-1], "longer": append(bytes.Clone(sealed), 0), "changed": flip(sealed, len(sealed)/2), "other salt": flip(sealed, 9), "none": nil} {
			if _, err := l.Open("a/b", bad); !errors.Is(err, ErrChanged) {
				t.Errorf("%d bytes, %s: %v", n, what, err)
			}
		}
		if _, err := l.Open("a/c", sealed); !errors.Is(err, ErrChanged) {
			t.Errorf("a file with another's name: %v", err)
		}
	}
}

func flip(b []byte, i int) []byte {
	b = bytes.Clone(b)
	b[i] ^= 1
	return b
}
