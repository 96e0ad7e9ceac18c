package crypt

import (
	"bytes"
	"context"
	"crypto/cipher"
	"crypto/hkdf"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"sync"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"

	"github.com/cairndb/cairn/engine/crypt/keeper"
)

const (
	ringFormat  = "cairn key ring"
	ringVersion = 1

	// ringBytesMax is far above what a key ring with all its keys takes.
	ringBytesMax = 1 << 20

	// RingKeysMax bounds the keys of a ring, destroyed ones included: a rotation a
	// week for seventy years.
	RingKeysMax = 4096
)

// Keeper keeps the key of a key ring, outside the lake.
type Keeper = keeper.Keeper

// KeyState is what a key-encryption key is good for.
type KeyState string

// The states of a key, in the order in which it goes through them.
const (
	// Active: it wraps the data keys of new files. One key is.
	Active KeyState = "active"
	// Retired: it only unwraps.
	Retired KeyState = "retired"
	// Destroyed: it is gone, and with it what it had wrapped.
	Destroyed KeyState = "destroyed"
)

// Key describes a key-encryption key. The key itself never leaves the ring.
type Key struct {
	Number  uint32    `json:"number"`
	State   KeyState  `json:"state"`
	Created time.Time `json:"created"`
	// Destroyed is when it was destroyed, nil before.
	Destroyed *time.Time `json:"destroyed,omitempty"`
}

// ringFile is the key ring as it is on disk: JSON, in exactly the form in which it
// is written.
//
//	wrapped   the ring key, as the keeper has wrapped it
//	sealed    nonce (12 bytes), then number (4) and key (32) of each key that is
//	          not destroyed, encrypted with the ring key; the SHA-256 of the file with
//	          an empty "sealed" is authenticated with it
type ringFile struct {
	Format  string `json:"format"`
	Version int    `json:"version"`
	Keeper  string `json:"keeper"` // its URL
	Wrapped []byte `json:"wrapped"`
	Keys    []Key  `json:"keys"`
	Sealed  []byte `json:"sealed"`
}

func (f *ringFile) encode() []byte {
	b, err := json.MarshalIndent(f, "", "  ")
	if err != nil {
		panic(err) // times out of range, which parsing and the clock exclude
	}
	return append(b, '\n')
}

// bound is what is authenticated with the sealed keys.
func (f *ringFile) bound() []byte {
	c := *f
	c.Sealed = nil
	sum := sha256.Sum256(c.encode())
	return sum[:]
}

// parseRing reads a key ring file; what says what is wrong with it.
func parseRing(b []byte) (f *ringFile, what string) {
	f = new(ringFile)
	dec := json.NewDecoder(bytes.NewReader(b))
	dec.DisallowUnknownFields()
	if err := dec.Decode(f); err != nil {
		return nil, "it is no key ring: " + err.Error()
	}
	if f.Format != ringFormat {
		return nil, fmt.Sprintf("it should be a %q, it says %q", ringFormat, f.Format)
	}
	if f.Version != ringVersion {
		return nil, fmt.Sprintf("it has version %d, this program knows version %d", f.Version, ringVersion)
	}
	if len(f.Keys) > RingKeysMax {
		return nil, fmt.Sprintf("it has %d keys, at most %d are allowed", len(f.Keys), RingKeysMax)
	}
	for i, k := range f.Keys {
		if k.Number != uint32(i+1) || k.State != Active && k.State != Retired && k.State != Destroyed || (k.State == Destroyed) != (k.Destroyed != nil) {
			return nil, fmt.Sprintf("key %d is not described as it must be", i+1)
		}
		if k.Created.Year() < 0 || k.Created.Year() > 9999 {
			return nil, fmt.Sprintf("key %d has no possible time", i+1)
		}
	}
	if !bytes.Equal(f.encode(), b) {
		return nil, "it is not in the form in which key rings are written"
	}
	return f, ""
}

// Ring is a key ring: the key-encryption keys of a lake.
type Ring struct {
	fs     vfs.FS
	path   string
	keeper Keeper

	mu     sync.RWMutex
	file   ringFile
	master []byte            // the ring key
	keys   map[uint32][]byte // those that are not destroyed
	gcms   map[uint32]cipher.AEAD
}

// RingExists reports whether there is a key ring at path.
func RingExists(fs vfs.FS, path string) (bool, error) {
	_, err := fs.Stat(path)
	if errors.Is(err, os.ErrNotExist) {
		return false, nil
	}
	return err == nil, err
}

// CreateRing makes a key ring with one key, durably.
func CreateRing(ctx context.Context, fs vfs.FS, path string, keeper Keeper) (*Ring, error) {
	r := &Ring{fs: fs, path: path, keeper: keeper, master: randomBytes(keyLen), keys: map[uint32][]byte{}}
	r.file = ringFile{Format: ringFormat, Version: ringVersion, Keeper: keeper.URL()}
	var err error
	if r.file.Wrapped, err = keeper.Wrap(ctx, r.master); err != nil {
		return nil, fmt.Errorf("wrapping the key of the key ring with keeper %s: %w", keeper.URL(), err)
	}
	if _, err := r.Rotate(); err != nil {
		return nil, err
	}
	return r, nil
}

// RingKeeper returns the URL of the keeper that a key ring was last wrapped with,
// without needing it.
func RingKeeper(fs vfs.FS, path string) (string, error) {
	f, err := readRing(fs, path)
	if err != nil {
		return "", err
	}
	return f.Keeper, nil
}

func readRing(fs vfs.FS, path string) (*ringFile, error) {
	f, err := fs.Open(path)
	if err != nil {
		return nil, fmt.Errorf("opening the key ring: %w", err)
	}
	b, err := io.ReadAll(io.LimitReader(f, ringBytesMax+1))
	if err := errors.Join(err, f.Close()); err != nil {
		return nil, fmt.Errorf("reading key ring %s: %w", path, err)
	}
	if len(b) > ringBytesMax {
		return nil, &CorruptError{path, ringBytesMax, "it is longer than a key ring can be"}
	}
	file, what := parseRing(b)
	if what != "" {
		return nil, &CorruptError{path, 0, what}
	}
	return file, nil
}

// LoadRing reads a key ring and has the keeper unwrap it. A keeper that is not the
// right one is a [KeyError].
func LoadRing(ctx context.Context, fs vfs.FS, path string, keeper Keeper) (*Ring, error) {
	file, err := readRing(fs, path)
	if err != nil {
		return nil, err
	}
	r := &Ring{fs: fs, path: path, keeper: keeper, file: *file, keys: map[uint32][]byte{}}
	if r.master, err = keeper.Unwrap(ctx, file.Wrapped); err != nil {
		return nil, &KeyError{path, fmt.Sprintf("keeper %s does not unwrap the key ring, which was wrapped by %s: %v", keeper.URL(), file.Keeper, err)}
	}
	if len(r.master) != keyLen || len(file.Sealed) < nonceLen {
		return nil, &KeyError{path, "the keeper has unwrapped something that is no key"}
	}
	secrets, err := newGCM(r.master).Open(nil, file.Sealed[:nonceLen], file.Sealed[nonceLen:], file.bound())
	if err != nil {
		return nil, &CorruptError{path, 0, "the key ring does not authenticate: it was changed"}
	}
	for ; len(secrets) >= 4+keyLen; secrets = secrets[4+keyLen:] {
		r.keys[le.Uint32(secrets)] = bytes.Clone(secrets[4 : 4+keyLen])
	}
	r.prepare()
	return r, nil
}

// prepare makes the ciphers of the keys. The caller holds mu, or is alone.
func (r *Ring) prepare() {
	r.gcms = make(map[uint32]cipher.AEAD, len(r.keys))
	for n, k := range r.keys {
		r.gcms[n] = newGCM(k)
	}
}

// Keeper returns the URL of the keeper.
func (r *Ring) Keeper() string {
	r.mu.RLock()
	defer r.mu.RUnlock()
	return r.file.Keeper
}

// Keys describes all keys, destroyed ones included, oldest first.
func (r *Ring) Keys() []Key {
	r.mu.RLock()
	defer r.mu.RUnlock()
	return append([]Key(nil), r.file.Keys...)
}

// active is the number of the active key, 0 when there is none. The caller holds
// mu.
func (r *Ring) active() uint32 {
	for _, k := range r.file.Keys {
		if k.State == Active {
			return k.Number
		}
	}
	return 0
}

// Rotate makes a new key the active one and retires the last; durably, before any
// file can use it. It returns the new key's number.
func (r *Ring) Rotate() (uint32, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	next := r.file
	next.Keys = append([]Key(nil), r.file.Keys...)
	if len(next.Keys) >= RingKeysMax {
		return 0, fmt.Errorf("key ring %s has %d keys, no more fit", r.path, len(next.Keys))
	}
	for i := range next.Keys {
		if next.Keys[i].State == Active {
			next.Keys[i].State = Retired
		}
	}
	n := uint32(len(next.Keys) + 1)
	next.Keys = append(next.Keys, Key{Number: n, State: Active, Created: time.Now().UTC().Truncate(time.Second)})
	keys := make(map[uint32][]byte, len(r.keys)+1)
	for k, v := range r.keys {
		keys[k] = v
	}
	keys[n] = randomBytes(keyLen)
	return n, r.replace(next, keys, r.master)
}

// Rekeep has another keeper wrap the ring. Data keys and files do not change.
func (r *Ring) Rekeep(ctx context.Context, keeper Keeper) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	// A new ring key, too: who had the old keeper may have kept the old one.
	master := randomBytes(keyLen)
	next := r.file
	next.Keeper = keeper.URL()
	var err error
	if next.Wrapped, err = keeper.Wrap(ctx, master); err != nil {
		return fmt.Errorf("wrapping the key of the key ring with keeper %s: %w", keeper.URL(), err)
	}
	if err := r.replace(next, r.keys, master); err != nil {
		return err
	}
	r.keeper = keeper
	return nil
}

// Destroy removes keys from the ring for ever. What they have wrapped can no
// longer be read by anybody who has not kept a copy of the ring and the keeper. The
// active key goes only together with all others.
func (r *Ring) Destroy(numbers ...uint32) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	next := r.file
	next.Keys = append([]Key(nil), r.file.Keys...)
	keys := make(map[uint32][]byte, len(r.keys))
	for k, v := range r.keys {
		keys[k] = v
	}
	now := time.Now().UTC().Truncate(time.Second)
	for _, n := range numbers {
		if n == 0 || int(n) > len(next.Keys) || next.Keys[n-1].State == Destroyed {
			return fmt.Errorf("key ring %s has no key %d to destroy", r.path, n)
		}
		k := &next.Keys[n-1]
		k.State, k.Destroyed = Destroyed, &now
		delete(keys, n)
	}
	if len(keys) > 0 && keys[r.active()] == nil {
		return fmt.Errorf("key %d is in use for new files: rotate first, or destroy all keys", r.active())
	}
	return r.replace(next, keys, r.master)
}

// replace writes the ring and then uses it. The caller holds mu.
//
//	KEYS.tmp is written and synced     crash: the old ring is in force
//	it is renamed to KEYS, synced      crash: one of the two is, both whole
func (r *Ring) replace(next ringFile, keys map[uint32][]byte, master []byte) error {
	var secrets []byte
	for _, k := range next.Keys {
		if key := keys[k.Number]; key != nil {
			secrets = append(le.AppendUint32(secrets, k.Number), key...)
		}
	}
	nonce := randomBytes(nonceLen)
	next.Sealed = newGCM(master).Seal(nonce, nonce, secrets, next.bound())
	tmp := r.path + ".tmp"
	f, err := r.fs.Create(tmp, vfs.WriteCategoryUnspecified)
	if err != nil {
		return fmt.Errorf("making key ring %s: %w", tmp, err)
	}
	_, err = f.Write(next.encode())
	if err == nil {
		err = f.Sync()
	}
	if err := errors.Join(err, f.Close()); err != nil {
		return fmt.Errorf("writing key ring %s: %w", tmp, err)
	}
	if err := r.fs.Rename(tmp, r.path); err != nil {
		return fmt.Errorf("making key ring %s: %w", r.path, err)
	}
	dir, err := r.fs.OpenDir(r.fs.PathDir(r.path))
	if err != nil {
		return fmt.Errorf("opening the directory of key ring %s: %w", r.path, err)
	}
	if err := errors.Join(dir.Sync(), dir.Close()); err != nil {
		return fmt.Errorf("syncing the directory of key ring %s: %w", r.path, err)
	}
	r.file, r.keys, r.master = next, keys, master
	r.prepare()
	return nil
}

// newHead makes a data key and the head of the file that it encrypts.
func (r *Ring) newHead(k kind) ([]byte, cipher.AEAD) {
	dataKey := randomBytes(keyLen)
	s := slot{kind: k, generation: 1}
	r.wrap(&s, dataKey)
	return append(s.append(make([]byte, 0, headLen)), make([]byte, headLen-slotLen)...), newGCM(dataKey)
}

// wrap puts the data key, wrapped by the active key, into a slot.
func (r *Ring) wrap(s *slot, dataKey []byte) {
	r.mu.RLock()
	defer r.mu.RUnlock()
	s.key = r.active()
	gcm := r.gcms[s.key]
	if gcm == nil {
		// Every key is destroyed: what is written now nobody shall read either.
		gcm = newGCM(randomBytes(keyLen))
	}
	copy(s.nonce[:], randomBytes(nonceLen))
	copy(s.wrapped[:], gcm.Seal(nil, s.nonce[:], dataKey, s.bound()))
}

// openHead unwraps the data key in a file's head; the slot is the one it was in.
func (r *Ring) openHead(name string, head []byte) (slot, cipher.AEAD, error) {
	s, key, err := r.unwrap(name, head)
	if err != nil {
		return s, nil, err
	}
	return s, newGCM(key), nil
}

// lacks says why a key is not there. The caller holds mu.
func (r *Ring) lacks(n uint32) string {
	if n == 0 || int(n) > len(r.file.Keys) || r.file.Keys[n-1].Destroyed == nil {
		return fmt.Sprintf("it needs key %d, which the key ring does not have: the key ring is older than the file, or another lake's", n)
	}
	at := r.file.Keys[n-1].Destroyed.Format(time.RFC3339)
	if len(r.keys) == 0 {
		return fmt.Sprintf("all keys were destroyed, key %d, which it needs, at %s: nobody can read anything of this lake any more", n, at)
	}
	return fmt.Sprintf("it needs key %d, which was destroyed at %s", n, at)
}

func (r *Ring) unwrap(name string, head []byte) (best slot, key []byte, err error) {
	r.mu.RLock()
	defer r.mu.RUnlock()
	var lacking uint32 // the newest key that is not there
	for _, at := range []int{0, secondSlot} {
		if len(head) < at+slotLen {
			if at == 0 {
				err = &CorruptError{name, int64(len(head)), "it is shorter than the head of an encrypted file"}
			}
			continue
		}
		b := head[at : at+slotLen]
		if at > 0 && len(bytes.Trim(b, "\x00")) == 0 {
			continue // never used
		}
		s, what := parseSlot(b)
		if what != "" {
			if err == nil {
				err = &CorruptError{name, int64(at), what}
			}
			continue
		}
		gcm := r.gcms[s.key]
		if gcm == nil {
			// Of two slots the one with the newer key is the one that counts.
			if key == nil && (lacking == 0 || s.key > lacking) {
				lacking = s.key
				err = &KeyError{name, r.lacks(s.key)}
			}
			continue
		}
		dataKey, e := gcm.Open(nil, s.nonce[:], s.wrapped[:], s.bound())
		if e != nil {
			if key == nil {
				err = &KeyError{name, fmt.Sprintf("key %d of the key ring does not unwrap its data key: the file is another lake's, or its head was forged", s.key)}
			}
			continue
		}
		if key == nil || s.generation > best.generation {
			best, key = s, dataKey
		}
	}
	if key != nil {
		return best, key, nil
	}
	return slot{}, nil, err
}

// Seal encrypts a small secret, such as a signing key, under the ring. purpose
// separates the uses: what was sealed for one does not open for another. Sealing is
// not rotated with the files; seal again after a rotation what must survive the
// destruction of the older key.
func (r *Ring) Seal(purpose string, secret []byte) []byte {
	r.mu.RLock()
	defer r.mu.RUnlock()
	n := r.active()
	nonce := randomBytes(nonceLen)
	out := append(le.AppendUint32(nil, n), nonce...)
	return purposeGCM(r.keys[n], purpose).Seal(out, nonce, secret, out[:4])
}

// Unseal decrypts what Seal has sealed for the same purpose; a [KeyError] when the
// key is gone or the bytes are others.
func (r *Ring) Unseal(purpose string, sealed []byte) ([]byte, error) {
	r.mu.RLock()
	defer r.mu.RUnlock()
	if len(sealed) < 4+nonceLen+tagLen {
		return nil, &KeyError{r.path, fmt.Sprintf("the sealed %s has %d bytes, too few", purpose, len(sealed))}
	}
	n := le.Uint32(sealed)
	key := r.keys[n]
	if key == nil {
		return nil, &KeyError{r.path, fmt.Sprintf("the sealed %s needs key %d, which is not in the key ring", purpose, n)}
	}
	secret, err := purposeGCM(key, purpose).Open(nil, sealed[4:4+nonceLen], sealed[4+nonceLen:], sealed[:4])
	if err != nil {
		return nil, &KeyError{r.path, fmt.Sprintf("the sealed %s does not authenticate under key %d", purpose, n)}
	}
	return secret, nil
}

func purposeGCM(key []byte, purpose string) cipher.AEAD {
	if key == nil {
		key = randomBytes(keyLen) // all keys are destroyed
	}
	derived, err := hkdf.Key(sha256.New, key, nil, "cairn seal: "+purpose, keyLen)
	if err != nil {
		panic(err) // a length that SHA-256 cannot give
	}
	return newGCM(derived)
}
