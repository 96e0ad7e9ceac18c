package archive

import (
	"bufio"
	"bytes"
	"context"
	"crypto/aes"
	"crypto/cipher"
	"crypto/hkdf"
	"crypto/rand"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/cairndb/cairn/engine/crypt/keeper"
)

// Encrypted bundles.
//
// A bundle may be encrypted as a whole. Then encryption.json is the only file that can be
// read as it is, and every other file NAME is there as NAME.enc; names and lengths are
// not hidden. encryption.json has the bundle's key, 32 random bytes, wrapped once by each
// keeper (package keeper) that shall be able to read it. A file:
//
//	 0  8  "CAIRNEB1"
//	 8 32  salt, random
//	40  .  frames of 65,536 bytes of content, the last one shorter, and 16 bytes of tag
//
// Frames are AES-256-GCM under the key HKDF-SHA-256(bundle's key, salt, "cairn bundle: "
// NAME). The nonce is the frame's number from 0, in 11 bytes, big-endian, and a byte that is
// 1 in the last frame and 0 before. So a frame that is changed, moved, left out or
// from another file, a file that is cut or has another's name does not authenticate; and a
// file that is written again gets another key. A file of no bytes has one frame of none.
//
// The manifest and its signature are of the content. Taking the encryption off gives
// exactly the bundle that would have been written without it.

// Names and numbers of the form.
const (
	EncryptionFile    = "encryption.json"
	encryptedSuffix   = ".enc"
	encryptionVersion = "cairn-encrypted/1"
	encryptedMagic    = "CAIRNEB1"
	encryptedHead     = len(encryptedMagic) + saltLen
	saltLen           = 32
	keyLen            = 32
	tagLen            = 16

	// encryptedFrame is the content of a frame: small enough that two of them a file
	// cost nothing, large enough that tags do not either.
	encryptedFrame = 1 << 16

	// encryptionBytesMax bounds encryption.json, keepersMax the keepers in it.
	encryptionBytesMax = 1 << 20
	keepersMax         = 64
)

// ErrEncrypted is the error of an encrypted bundle whose key is not there.
var ErrEncrypted = errors.New("the bundle is encrypted")

// Keeper wraps the key of an encrypted bundle.
type Keeper = keeper.Keeper

// OpenKeeper opens a keeper that needs no service, a key file or a passphrase, by its
// URL; package keeper has the forms.
func OpenKeeper(url string) (Keeper, error) { return keeper.Open(url, nil) }

// Encryption is encryption.json.
type Encryption struct {
	Version string       `json:"version"`
	About   string       `json:"about"`
	Keys    []WrappedKey `json:"keys"`
}

// WrappedKey is the bundle's key as a keeper has wrapped it.
type WrappedKey struct {
	Keeper  string `json:"keeper"` // its URL
	Wrapped []byte `json:"wrapped"`
}

const aboutEncryption = "This is a bundle of audit events, encrypted with AES-256-GCM. cairn-verify --keeper URL verifies it, " +
	"cairn-verify decrypt --keeper URL --out FOLDER takes the encryption off; VERIFY.md in there says how to go on."

// Keepers are the URLs of the keepers that can read the bundle.
func (e *Encryption) Keepers() []string {
	var out []string
	for _, k := range e.Keys {
		out = append(out, k.Keeper)
	}
	return out
}

func parseEncryption(b []byte) (*Encryption, error) {
	e := &Encryption{}
	err := strict(b, e)
	switch {
	case err != nil:
	case e.Version != encryptionVersion:
		err = fmt.Errorf("version %q is not known, only %q", e.Version, encryptionVersion)
	case len(e.Keys) == 0 || len(e.Keys) > keepersMax:
		err = fmt.Errorf("%d keepers are named", len(e.Keys))
	case !bytes.Equal(format(e), b):
		err = errSpelling
	}
	if err != nil {
		return nil, fmt.Errorf("reading %s: %w", EncryptionFile, err)
	}
	return e, nil
}

// EncryptionOf tells how a bundle is encrypted; nil says that it is not.
func EncryptionOf(ctx context.Context, from Source) (*Encryption, error) {
	b, err := readSmall(ctx, from, EncryptionFile, encryptionBytesMax)
	if errors.Is(err, ErrMissing) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	return parseEncryption(b)
}

// unwrap returns the bundle's key.
func (e *Encryption) unwrap(ctx context.Context, keepers []Keeper) ([]byte, error) {
	var whys []error
	for _, k := range keepers {
		for _, w := range e.Keys {
			key, err := k.Unwrap(ctx, w.Wrapped)
			if err == nil && len(key) != keyLen {
				err = fmt.Errorf("it has unwrapped %d bytes, which are no key", len(key))
			}
			if err == nil {
				return key, nil
			}
			whys = append(whys, fmt.Errorf("%s: %w", k.URL(), err))
		}
	}
	if len(keepers) == 0 {
		return nil, fmt.Errorf("%w: it can be read with the keeper %s", ErrEncrypted, strings.Join(e.Keepers(), " or "))
	}
	return nil, fmt.Errorf("%w for the keeper %s, and none that was given unwraps its key: %w", ErrEncrypted, strings.Join(e.Keepers(), " or "), errors.Join(whys...))
}

// Decrypt returns the bundle without its encryption. One that is not encrypted is returned
// as it is.
func Decrypt(ctx context.Context, from Source, keepers []Keeper) (Source, error) {
	e, err := EncryptionOf(ctx, from)
	if err != nil || e == nil {
		return from, err
	}
	key, err := e.unwrap(ctx, keepers)
	if err != nil {
		return nil, err
	}
	return &unlocked{from: from, key: key}, nil
}

// Encrypt returns a target whose files are encrypted in to, for all of the keepers. Where
// an encrypted export was cut short its key is taken up, which one of the keepers must
// unwrap; those that can read the bundle stay the same then.
func Encrypt(ctx context.Context, to Target, keepers []Keeper) (Target, error) {
	e, key, err := lockAt(ctx, to, keepers, aboutEncryption)
	if err != nil {
		return nil, err
	}
	return &locked{unlocked{from: to, key: key}, to, e.Keepers()}, nil
}

// lockAt returns the key of a place: the one that is there, or a new one if nothing is.
func lockAt(ctx context.Context, to Target, keepers []Keeper, about string) (e *Encryption, key []byte, err error) {
	if e, err = EncryptionOf(ctx, to); err != nil {
		return nil, nil, err
	}
	if e != nil {
		key, err = e.unwrap(ctx, keepers)
		return e, key, err
	}
	if len(keepers) == 0 || len(keepers) > keepersMax {
		return nil, nil, fmt.Errorf("%d keepers are named, from 1 to %d can be", len(keepers), keepersMax)
	}
	err = to.List(ctx, "", func(name string, _ int64) error {
		return fmt.Errorf("%s is there, which is not encrypted: encrypt into an empty place", name)
	})
	if err != nil {
		return nil, nil, err
	}
	key = make([]byte, keyLen)
	rand.Read(key)
	e = &Encryption{Version: encryptionVersion, About: about}
	for _, k := range keepers {
		wrapped, err := k.Wrap(ctx, key)
		if err != nil {
			return nil, nil, fmt.Errorf("wrapping the bundle's key with keeper %s: %w", k.URL(), err)
		}
		e.Keys = append(e.Keys, WrappedKey{Keeper: k.URL(), Wrapped: wrapped})
	}
	return e, key, to.Write(ctx, EncryptionFile, bytes.NewReader(format(e)))
}

const aboutLock = "Files below here that end with .enc are encrypted with AES-256-GCM, in the form of Cairn's encrypted bundles. " +
	"cairn trail decrypt PLACE --keeper URL --out FOLDER takes the encryption off."

// Lock encrypts files that are no bundle, in the same form: encryption.json beside them has
// the key, and NAME is there as NAME.enc. It may be used from many goroutines.
type Lock struct{ key []byte }

// MakeLock returns the lock of a place for all of the keepers: the one that is there, whose
// key one of them must unwrap, or a new one if the place is empty.
func MakeLock(ctx context.Context, at Target, keepers []Keeper) (*Lock, error) {
	_, key, err := lockAt(ctx, at, keepers, aboutLock)
	if err != nil {
		return nil, err
	}
	return &Lock{key}, nil
}

// OpenLock returns the lock that a place has; nil when it has none.
func OpenLock(ctx context.Context, at Source, keepers []Keeper) (*Lock, error) {
	e, err := EncryptionOf(ctx, at)
	if err != nil || e == nil {
		return nil, err
	}
	key, err := e.unwrap(ctx, keepers)
	if err != nil {
		return nil, err
	}
	return &Lock{key}, nil
}

// EncryptedName returns what an encrypted file is called; PlainName takes that back, and
// says whether it is the name of an encrypted file.
func EncryptedName(name string) string { return name + encryptedSuffix }

// PlainName takes EncryptedName back.
func PlainName(name string) (string, bool) { return strings.CutSuffix(name, encryptedSuffix) }

// ContentLength is the length of what is in an encrypted file of so many bytes, -1 when
// there is none such.
func ContentLength(size int64) int64 { return contentLength(size) }

// Seal encrypts the content of the file that is to have a name.
func (l *Lock) Seal(name string, content []byte) []byte {
	frames := max(1, (len(content)+encryptedFrame-1)/encryptedFrame)
	out := make([]byte, encryptedHead, encryptedHead+len(content)+frames*tagLen)
	copy(out, encryptedMagic)
	rand.Read(out[len(encryptedMagic):])
	gcm := fileCipher(l.key, out[len(encryptedMagic):], name)
	for i := range frames {
		frame := content[i*encryptedFrame : min(len(content), (i+1)*encryptedFrame)]
		nonce := frameNonce(uint64(i), i == frames-1)
		out = gcm.Seal(out, nonce[:], frame, nil)
	}
	return out
}

// Open decrypts the file that has a name. An error is [ErrChanged] when it does not
// authenticate.
func (l *Lock) Open(name string, sealed []byte) ([]byte, error) {
	one := &oneFile{sealed}
	r, err := (&unlocked{from: one, key: l.key}).Read(context.Background(), name)
	if err != nil {
		return nil, err
	}
	return io.ReadAll(r)
}

// oneFile is a file in memory as a source.
type oneFile struct{ b []byte }

func (o *oneFile) Read(context.Context, string) (io.ReadCloser, error) {
	return io.NopCloser(bytes.NewReader(o.b)), nil
}

func (o *oneFile) List(context.Context, string, func(string, int64) error) error { return nil }

// unlocked is an encrypted bundle as it is without its encryption.
type unlocked struct {
	from Source
	key  []byte
}

// List implements Source. Lengths are those of the contents. A file that is not encrypted
// is listed under a name that no file of a bundle has.
func (u *unlocked) List(ctx context.Context, prefix string, fn func(name string, size int64) error) error {
	return u.from.List(ctx, prefix, func(name string, size int64) error {
		plain, ok := strings.CutSuffix(name, encryptedSuffix)
		switch {
		case name == EncryptionFile:
			return nil
		case !ok:
			return fn(name+" (not encrypted)", size)
		}
		return fn(plain, contentLength(size))
	})
}

// contentLength is the length of what is in an encrypted file of so many bytes, -1 when
// there is none such.
func contentLength(size int64) int64 {
	rest := size - int64(encryptedHead)
	full, tail := rest/(encryptedFrame+tagLen), rest%(encryptedFrame+tagLen)
	if rest < tagLen || tail > 0 && tail < tagLen || tail == tagLen && full > 0 {
		return -1
	}
	return full*encryptedFrame + max(tail-tagLen, 0)
}

// Read implements Source.
func (u *unlocked) Read(ctx context.Context, name string) (io.ReadCloser, error) {
	r, err := u.from.Read(ctx, name+encryptedSuffix)
	if err != nil {
		return nil, err
	}
	d := &decrypter{name: name + encryptedSuffix, below: r, r: bufio.NewReaderSize(r, encryptedFrame+2*tagLen)}
	head := make([]byte, encryptedHead)
	if _, err := io.ReadFull(d.r, head); err != nil || string(head[:len(encryptedMagic)]) != encryptedMagic {
		if err != nil && !errors.Is(err, io.EOF) && !errors.Is(err, io.ErrUnexpectedEOF) {
			return nil, errors.Join(err, r.Close())
		}
		return nil, errors.Join(fmt.Errorf("%s does not begin like an encrypted file: %w", d.name, ErrChanged), r.Close())
	}
	d.gcm = fileCipher(u.key, head[len(encryptedMagic):], name)
	return d, nil
}

// fileCipher is the cipher of one file.
func fileCipher(key, salt []byte, name string) cipher.AEAD {
	k, err := hkdf.Key(sha256.New, key, salt, "cairn bundle: "+name, keyLen)
	if err != nil {
		panic(err) // a length that SHA-256 cannot give
	}
	block, err := aes.NewCipher(k)
	if err != nil {
		panic(err) // the key has the wrong length
	}
	gcm, err := cipher.NewGCM(block)
	if err != nil {
		panic(err) // the cipher has the wrong block size
	}
	return gcm
}

// frameNonce is the nonce of a frame.
func frameNonce(number uint64, last bool) (n [12]byte) {
	binary.BigEndian.PutUint64(n[3:], number)
	if last {
		n[11] = 1
	}
	return n
}

// decrypter reads an encrypted file.
type decrypter struct {
	name   string
	below  io.Closer
	r      *bufio.Reader
	gcm    cipher.AEAD
	number uint64
	frame  [encryptedFrame + tagLen]byte
	plain  []byte // what is left of the frame
	err    error
}

// Read implements io.Reader: nothing is given that was not authenticated.
func (d *decrypter) Read(p []byte) (int, error) {
	for len(d.plain) == 0 {
		if d.err != nil {
			return 0, d.err
		}
		d.next()
	}
	n := copy(p, d.plain)
	d.plain = d.plain[n:]
	return n, nil
}

func (d *decrypter) next() {
	n, err := io.ReadFull(d.r, d.frame[:])
	if err != nil && !errors.Is(err, io.EOF) && !errors.Is(err, io.ErrUnexpectedEOF) {
		d.err = err
		return
	}
	last := n < len(d.frame)
	if !last {
		_, err := d.r.Peek(1)
		if last = errors.Is(err, io.EOF); !last && err != nil {
			d.err = err
			return
		}
	}
	nonce := frameNonce(d.number, last)
	plain, err := d.gcm.Open(d.frame[:0], nonce[:], d.frame[:n], nil)
	if err == nil && len(plain) == 0 && d.number > 0 {
		err = errors.New("an empty frame")
	}
	if err != nil {
		d.err = fmt.Errorf("%s: frame %d does not authenticate: it was changed, cut, or is of another file: %w", d.name, d.number, ErrChanged)
		return
	}
	d.plain, d.number = plain, d.number+1
	if last {
		d.err = io.EOF
	}
}

// Close implements io.Closer.
func (d *decrypter) Close() error { return d.below.Close() }

// locked is a target whose files are encrypted.
type locked struct {
	unlocked
	to      Target
	keepers []string
}

// EncryptedFor returns the URLs of the keepers that can read what is written.
func (l *locked) EncryptedFor() []string { return l.keepers }

// String names the target, for records of exports.
func (l *locked) String() string {
	if s, ok := l.to.(fmt.Stringer); ok {
		return s.String()
	}
	return "an encrypted bundle"
}

// Write implements Target.
func (l *locked) Write(ctx context.Context, name string, content io.Reader) error {
	e := &encrypter{r: content, out: make([]byte, encryptedHead, encryptedHead+encryptedFrame+tagLen)}
	copy(e.out, encryptedMagic)
	rand.Read(e.out[len(encryptedMagic):])
	e.gcm = fileCipher(l.key, e.out[len(encryptedMagic):], name)
	return l.to.Write(ctx, name+encryptedSuffix, e)
}

// encrypter reads a file encrypted. It reads one frame ahead, to know the last one.
type encrypter struct {
	r      io.Reader
	gcm    cipher.AEAD
	number uint64
	ahead  []byte // the frame to be sealed next
	buf    [2][encryptedFrame]byte
	begun  bool
	ended  bool   // nothing follows ahead
	out    []byte // what is to be given; first the head
	given  int
	err    error
}

// Read implements io.Reader.
func (e *encrypter) Read(p []byte) (int, error) {
	for e.given == len(e.out) {
		if e.err != nil {
			return 0, e.err
		}
		e.next()
	}
	n := copy(p, e.out[e.given:])
	e.given += n
	return n, nil
}

// fill reads a frame's content.
func (e *encrypter) fill(buf []byte) []byte {
	n, err := io.ReadFull(e.r, buf)
	if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
		e.ended = true
	} else if err != nil {
		e.err = err
	}
	return buf[:n]
}

func (e *encrypter) next() {
	if !e.begun {
		e.begun, e.ahead = true, e.fill(e.buf[0][:])
	}
	var after []byte
	if !e.ended {
		after = e.fill(e.buf[(e.number+1)%2][:])
	}
	if e.err != nil {
		return
	}
	last := e.ended && len(after) == 0
	nonce := frameNonce(e.number, last)
	e.out, e.given = e.gcm.Seal(e.out[:0], nonce[:], e.ahead, nil), 0
	e.ahead, e.number = after, e.number+1
	if last {
		e.err = io.EOF
	}
}

// plainCopy copies a bundle file by file.
func plainCopy(ctx context.Context, to Target, from Source, name string) error {
	r, err := from.Read(ctx, name)
	if err != nil {
		return err
	}
	return errors.Join(to.Write(ctx, name, r), r.Close())
}

// Unlock writes a bundle without its encryption into an empty place, and returns the
// number of files. Nothing is verified but that files were not changed since they were
// encrypted.
func Unlock(ctx context.Context, to Target, from Source, keepers []Keeper) (files int, err error) {
	plain, err := Decrypt(ctx, from, keepers)
	if err != nil {
		return 0, err
	}
	if plain == from {
		return 0, errors.New("the bundle is not encrypted")
	}
	err = to.List(ctx, "", func(name string, _ int64) error {
		return fmt.Errorf("%s is there: decrypt into an empty place", name)
	})
	if err != nil {
		return 0, err
	}
	var names []string
	err = plain.List(ctx, "", func(name string, _ int64) error {
		if !localPath(name) {
			return fmt.Errorf("%.200q: %w", name, ErrStranger)
		}
		names = append(names, name)
		return nil
	})
	for _, name := range names {
		if err == nil {
			err = plainCopy(ctx, to, plain, name)
		}
	}
	return len(names), err
}

// missing says of a file that is not there that it is encrypted, if that is why.
func missing(ctx context.Context, from Source, err error) error {
	if e, other := EncryptionOf(ctx, from); e != nil && other == nil && errors.Is(err, ErrMissing) {
		_, err = e.unwrap(ctx, nil)
	}
	return err
}
