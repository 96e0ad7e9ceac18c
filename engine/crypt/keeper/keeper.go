// Package keeper has the keepers of keys that need no service: a passphrase and a key
// file. A keeper is outside of what is encrypted, and wraps the one key that everything
// else hangs on: that of a lake's key ring (package crypt), or of an encrypted bundle
// (package archive).
//
//	k, err := keeper.Open("file:/etc/cairn/key", nil)
//	wrapped, err := k.Wrap(ctx, key)
//
// Whatever wraps is AES-256-GCM. The key is made of a key file by HKDF-SHA-256, of a
// passphrase by Argon2id, whose costs and salt stand with what was wrapped. The package
// imports nothing of files, logs or databases, so that a program that only reads bundles
// stays small. Keepers may be used from many goroutines.
package keeper

import (
	"bytes"
	"context"
	"crypto/aes"
	"crypto/cipher"
	"crypto/hkdf"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"

	"golang.org/x/crypto/argon2"
)

// Keeper keeps the key that everything hangs on, outside of what is encrypted.
type Keeper interface {
	// Wrap encrypts a key of 32 bytes.
	Wrap(ctx context.Context, key []byte) ([]byte, error)
	// Unwrap decrypts what Wrap has made.
	Unwrap(ctx context.Context, wrapped []byte) ([]byte, error)
	// URL names the keeper. It is stored in the clear and has no secrets.
	URL() string
}

// ErrUnknown is the error of a keeper URL that Open does not know.
var ErrUnknown = errors.New("keeper URL not known")

const (
	// keyFileMin is the least length of a key file in bytes: what has less cannot
	// hold a key of 256 bits.
	keyFileMin = 32
	// keyFileMax bounds reading what may not be a key file at all.
	keyFileMax = 64 << 10
	// passphraseMin keeps typing errors such as an empty line out.
	passphraseMin = 8
)

// The costs of Argon2id: what RFC 9106 recommends where memory is scarce, 64 MiB
// and three passes. They are stored with what was wrapped; the limits keep a forged
// key ring from taking all memory.
const (
	argonPasses    = 3
	argonKiB       = 64 << 10
	argonThreads   = 4
	argonPassesMax = 64
	argonKiBMax    = 2 << 20
	saltLen        = 16
)

const (
	keyLen   = 32
	nonceLen = 12
)

var le = binary.LittleEndian

// newGCM returns the cipher of a key.
func newGCM(key []byte) cipher.AEAD {
	block, err := aes.NewCipher(key)
	if err != nil {
		panic(err) // the key has the wrong length
	}
	gcm, err := cipher.NewGCM(block)
	if err != nil {
		panic(err) // the cipher has the wrong block size
	}
	return gcm
}

// randomBytes returns fresh random bytes; the system's source does not fail.
func randomBytes(n int) []byte {
	b := make([]byte, n)
	rand.Read(b)
	return b
}

// Open opens one of the two keepers that need no service:
//
//	file:/path/to/key        a file of at least 32 bytes, made with: cairn encryption key-file
//	passphrase:              asked for by prompt
//	passphrase:env:NAME      read from an environment variable
//	passphrase:file:/path    read from a file, less the end of the line
//
// prompt asks a person for a passphrase; nil when there is nobody to ask.
func Open(url string, prompt func() ([]byte, error)) (Keeper, error) {
	if path, ok := strings.CutPrefix(url, "file:"); ok {
		return openKeyFile(url, strings.TrimPrefix(path, "//"))
	}
	from, ok := strings.CutPrefix(url, "passphrase:")
	if !ok {
		return nil, fmt.Errorf("%w: %s", ErrUnknown, url)
	}
	var phrase []byte
	switch {
	case from == "":
		if prompt == nil {
			return nil, errors.New("a passphrase is needed, and there is nobody to ask: use passphrase:env:NAME or passphrase:file:/path")
		}
		var err error
		if phrase, err = prompt(); err != nil {
			return nil, fmt.Errorf("asking for the passphrase: %w", err)
		}
	case strings.HasPrefix(from, "env:"):
		name := from[len("env:"):]
		phrase = []byte(os.Getenv(name))
		if len(phrase) == 0 {
			return nil, fmt.Errorf("the passphrase should be in the environment variable %s, which is empty", name)
		}
	case strings.HasPrefix(from, "file:"):
		b, err := readKeyFile(from[len("file:"):])
		if err != nil {
			return nil, fmt.Errorf("reading the passphrase: %w", err)
		}
		phrase = bytes.TrimRight(b, "\r\n")
	default:
		return nil, fmt.Errorf("%w: %s (a passphrase comes from passphrase:, passphrase:env:NAME or passphrase:file:/path)", ErrUnknown, url)
	}
	if len(phrase) < passphraseMin {
		return nil, fmt.Errorf("the passphrase has %d bytes, at least %d are needed", len(phrase), passphraseMin)
	}
	return &passphrase{url: url, phrase: phrase}, nil
}

func readKeyFile(path string) ([]byte, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	b, err := io.ReadAll(io.LimitReader(f, keyFileMax+1))
	if err := errors.Join(err, f.Close()); err != nil {
		return nil, err
	}
	if len(b) > keyFileMax {
		return nil, fmt.Errorf("%s has more than %d bytes: it is no key file", path, keyFileMax)
	}
	return b, nil
}

// keyFile is a keeper with the key in a file.
type keyFile struct {
	url string
	key []byte
}

func openKeyFile(url, path string) (Keeper, error) {
	b, err := readKeyFile(path)
	if err != nil {
		return nil, fmt.Errorf("reading the key file: %w", err)
	}
	text := bytes.TrimSpace(b)
	if raw, err := base64.StdEncoding.DecodeString(string(text)); err == nil && len(raw) >= keyFileMin {
		b = raw
	}
	if len(b) < keyFileMin {
		return nil, fmt.Errorf("key file %s has %d bytes, at least %d are needed", path, len(b), keyFileMin)
	}
	// The file may have any length and distribution of bits.
	key, err := hkdf.Key(sha256.New, b, nil, "cairn key file", keyLen)
	if err != nil {
		return nil, err
	}
	return &keyFile{url: url, key: key}, nil
}

// NewKeyFile returns the content of a new key file: 32 random bytes in Base64.
func NewKeyFile() []byte {
	return []byte(base64.StdEncoding.EncodeToString(randomBytes(keyLen)) + "\n")
}

// URL implements Keeper.
func (k *keyFile) URL() string { return k.url }

// keyFileLabel begins what a key file has wrapped; nonce and ciphertext follow.
var keyFileLabel = []byte("KF1\n")

// Wrap implements Keeper.
func (k *keyFile) Wrap(_ context.Context, key []byte) ([]byte, error) {
	nonce := randomBytes(nonceLen)
	out := append(bytes.Clone(keyFileLabel), nonce...)
	return newGCM(k.key).Seal(out, nonce, key, keyFileLabel), nil
}

// Unwrap implements Keeper.
func (k *keyFile) Unwrap(_ context.Context, wrapped []byte) ([]byte, error) {
	rest, ok := bytes.CutPrefix(wrapped, keyFileLabel)
	if !ok || len(rest) < nonceLen {
		return nil, errors.New("it was not wrapped by a key file")
	}
	key, err := newGCM(k.key).Open(nil, rest[:nonceLen], rest[nonceLen:], keyFileLabel)
	if err != nil {
		return nil, errors.New("it is another key")
	}
	return key, nil
}

// passphrase is a keeper with the key in somebody's head.
type passphrase struct {
	url    string
	phrase []byte
}

// passphraseLabel begins what a passphrase has wrapped; passes, KiB, threads (4
// bytes each), salt, nonce and ciphertext follow. All before the nonce is
// authenticated.
var passphraseLabel = []byte("PA1\n")

const passphraseHead = 4 + 3*4 + saltLen

// URL implements Keeper. Where the passphrase comes from is not part of it.
func (p *passphrase) URL() string { return "passphrase:" }

// Wrap implements Keeper.
func (p *passphrase) Wrap(_ context.Context, key []byte) ([]byte, error) {
	out := bytes.Clone(passphraseLabel)
	for _, n := range []uint32{argonPasses, argonKiB, argonThreads} {
		out = le.AppendUint32(out, n)
	}
	out = append(out, randomBytes(saltLen)...)
	kek := argon2.IDKey(p.phrase, out[passphraseHead-saltLen:], argonPasses, argonKiB, argonThreads, keyLen)
	nonce := randomBytes(nonceLen)
	out = append(out, nonce...)
	return newGCM(kek).Seal(out, nonce, key, out[:passphraseHead]), nil
}

// Unwrap implements Keeper.
func (p *passphrase) Unwrap(_ context.Context, wrapped []byte) ([]byte, error) {
	if !bytes.HasPrefix(wrapped, passphraseLabel) || len(wrapped) < passphraseHead+nonceLen {
		return nil, errors.New("it was not wrapped by a passphrase")
	}
	passes, kib, threads := le.Uint32(wrapped[4:]), le.Uint32(wrapped[8:]), le.Uint32(wrapped[12:])
	if passes < 1 || passes > argonPassesMax || kib < 8*threads || kib > argonKiBMax || threads < 1 || threads > 255 {
		return nil, fmt.Errorf("its costs (%d passes, %d KiB, %d threads) are out of bounds", passes, kib, threads)
	}
	kek := argon2.IDKey(p.phrase, wrapped[passphraseHead-saltLen:passphraseHead], passes, kib, uint8(threads), keyLen)
	rest := wrapped[passphraseHead:]
	key, err := newGCM(kek).Open(nil, rest[:nonceLen], rest[nonceLen:], wrapped[:passphraseHead])
	if err != nil {
		return nil, errors.New("it is another passphrase")
	}
	return key, nil
}
