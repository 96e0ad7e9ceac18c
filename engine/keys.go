package engine

import (
	"context"
	"crypto/ed25519"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"

	"github.com/cairndb/cairn/engine/catalog"
	"github.com/cairndb/cairn/engine/digest"
	"github.com/cairndb/cairn/engine/lsm"
	"github.com/cairndb/cairn/engine/proof"
)

// Signing keys lie in the database, wrapped by Options.KeyWrapper. Without one, by a
// secret in a file of the lake's own directory, which only its owner may read:
//
//	SECRET   "cairn-secret/1 ", 64 hexadecimal digits, newline
//
// In an encrypted lake that file is encrypted like all others, and follows the
// rotation of their keys. In one in the clear it keeps the key from whoever gets the
// database or a copy of it alone. It does not keep it from whoever can read the
// whole directory: against them only copies of digests and checkpoints elsewhere
// help, and they do.
const (
	secretFile = "SECRET"
	secretHead = "cairn-secret/1 "
)

// KeyInfo describes a signing key.
type KeyInfo struct {
	Number      int
	Fingerprint string // hex SHA-256 of the public key
	Created     time.Time
	Retired     time.Time // zero while it is in use
	Wrapping    string    // how the private key is kept
	// Break is why the key before could not endorse this one; "" when it has, or there is none.
	Break string
}

func infoOf(k *digest.Stored) KeyInfo {
	i := KeyInfo{Number: k.Key.Number, Fingerprint: k.Key.Fingerprint(), Created: k.Key.Created, Retired: k.Retired, Wrapping: k.Scheme}
	if k.Key.Break != nil {
		i.Break = k.Key.Break.Reason
	}
	return i
}

// Keys lists the lake's signing keys, oldest first.
func (l *Lake) Keys() ([]KeyInfo, error) {
	done, err := l.begin()
	if err != nil {
		return nil, err
	}
	defer done()
	l.digests.Lock()
	defer l.digests.Unlock()
	var out []KeyInfo
	for _, k := range l.digests.keys {
		out = append(out, infoOf(k))
	}
	return out, nil
}

// RotateKey makes a new signing key, endorsed by the one in use, which signs nothing
// from then on. Its public side is kept. The first key is made if there is none.
func (l *Lake) RotateKey(ctx context.Context) (KeyInfo, error) {
	done, err := l.beginWrite()
	if err != nil {
		return KeyInfo{}, err
	}
	defer done()
	if err := ctx.Err(); err != nil {
		return KeyInfo{}, err
	}
	if err := l.recordAct(ctx, ActorOf(ctx), Act{Name: ActRotateKey, Request: map[string]any{"key": "signing"}}); err != nil {
		return KeyInfo{}, err
	}
	l.digests.Lock()
	defer l.digests.Unlock()
	var old ed25519.PrivateKey
	if len(l.digests.keys) > 0 {
		if old, err = l.signingKey(); err != nil {
			return KeyInfo{}, fmt.Errorf("rotating the signing key: %w", err)
		}
	}
	k, _, err := l.addKey(old, "")
	if err != nil {
		return KeyInfo{}, fmt.Errorf("rotating the signing key: %w", err)
	}
	return infoOf(k), nil
}

// ResetKey makes a new signing key when the one in use is lost: when nothing unwraps it any
// more. It is refused as long as the key can be used, for then it is to be rotated. What was signed
// stays signed, by a key that is trusted as before; nobody can endorse the new one, so its ring has a
// break there ([digest.Break]) that every verification names, and who trusts the old key does not trust
// it until told. Periods, locks and holds stay as they are. What else the lost secret had sealed, access
// keys above all, has to be made again. The act is recorded before anything changes.
func (l *Lake) ResetKey(ctx context.Context, reason string) (KeyInfo, error) {
	done, err := l.beginWrite()
	if err != nil {
		return KeyInfo{}, err
	}
	defer done()
	if err := digest.CheckReason(reason); err != nil {
		return KeyInfo{}, &kindError{kind: ErrBadInput, err: err}
	}
	who := ActorOf(ctx)
	if !who.rights(false).Manage {
		return KeyInfo{}, failf(ErrRefused, "%s may not reset the signing key: it takes the permission %s", who.Name, PermissionManage)
	}
	lost, err := l.lostKey()
	if err != nil {
		return KeyInfo{}, err
	}
	act := Act{Name: ActResetKey, Request: map[string]any{"key": "signing", "lost": lost.Fingerprint(), "reason": reason}}
	if err := l.recordAct(ctx, who, act); err != nil {
		return KeyInfo{}, err
	}
	k, err := l.replaceLost(lost, reason)
	if err != nil {
		return KeyInfo{}, fmt.Errorf("making a key in the place of the lost one: %w", err)
	}
	l.opts.Logger.Warn("the signing key was lost, a new one is in its place that nobody endorses", "lost", lost.Fingerprint(), "key", k.Fingerprint, "reason", reason)
	return k, nil
}

// lostKey returns the key in use when nothing unwraps it.
func (l *Lake) lostKey() (*digest.Key, error) {
	l.digests.Lock()
	defer l.digests.Unlock()
	n := len(l.digests.keys)
	if n == 0 {
		return nil, failf(ErrRefused, "there is no signing key yet: the first digest makes it")
	}
	if _, err := l.signingKey(); err == nil {
		return nil, failf(ErrRefused, "the signing key is not lost: it can be used, and so it can be rotated, with its endorsement of the new one (cairn key rotate)")
	} else if errors.Is(err, os.ErrPermission) {
		return nil, failf(ErrRefused, "the signing key is not lost, this user may not read what it is wrapped with: %w", err)
	}
	return &l.digests.keys[n-1].Key, nil
}

// replaceLost puts a key in the place of a lost one, and a new secret in that of its secret. After a
// crash in between the secret is another one and the key still lost: it is done again then.
func (l *Lake) replaceLost(lost *digest.Key, reason string) (KeyInfo, error) {
	l.digests.Lock()
	defer l.digests.Unlock()
	if n := len(l.digests.keys); l.digests.keys[n-1].Key.Number != lost.Number {
		return KeyInfo{}, failf(ErrConflict, "the key was replaced meanwhile")
	}
	if l.opts.KeyWrapper == nil {
		if err := l.setSecretAside(); err != nil {
			return KeyInfo{}, err
		}
	}
	k, _, err := l.addKey(nil, reason)
	if err != nil {
		return KeyInfo{}, err
	}
	if err := l.replaceTrailKey(); err != nil {
		return KeyInfo{}, fmt.Errorf("key %d signs now, but the key of trails could not be replaced: %w", k.Key.Number, err)
	}
	return infoOf(k), nil
}

// setSecretAside renames a secret that unwraps nothing: should it turn out to be that of something
// else, it is still there.
func (l *Lake) setSecretAside() error {
	fs := l.opts.FS
	path := fs.PathJoin(l.dir, secretFile)
	if _, err := fs.Stat(path); errors.Is(err, os.ErrNotExist) {
		return nil
	}
	for n := 1; ; n++ {
		aside := fmt.Sprintf("%s.replaced-%d", path, n)
		if _, err := fs.Stat(aside); err == nil {
			continue
		} else if !errors.Is(err, os.ErrNotExist) {
			return fmt.Errorf("setting the secret aside: %w", err)
		}
		if err := fs.Rename(path, aside); err != nil {
			return fmt.Errorf("setting the secret aside: %w", err)
		}
		return syncDir(fs, l.dir)
	}
}

// signingKey returns the key in use, making the first one. The caller holds digests.
func (l *Lake) signingKey() (ed25519.PrivateKey, error) {
	n := len(l.digests.keys)
	if n == 0 {
		_, private, err := l.addKey(nil, "")
		return private, err
	}
	w, err := l.keyWrapper(false)
	if err != nil {
		return nil, err
	}
	private, err := l.digests.keys[n-1].Private(w)
	if err != nil && l.opts.KeyWrapper == nil {
		err = fmt.Errorf("%s is not the secret that the lake's signing key is wrapped with: %w: %s", l.opts.FS.PathJoin(l.dir, secretFile), err, secretAdvice)
	}
	return private, err
}

// secretAdvice says what the loss of the secret means, and what to do. What was signed stays
// signed; only its holder could sign in its place.
const secretAdvice = "put back the SECRET that this lake had, which never changes: every backup of it has the file (restore one elsewhere, and copy it); " +
	"until then events are taken and found, and what a digest covers is verified and proved as ever, but no digest is made, and nothing is exported or proved that needs one. " +
	"If every copy is lost, \"cairn key reset --lost\" makes a key that no earlier one endorses"

// addKey makes a key, endorsed by the old one unless it is the first, or the old one was lost
// for the reason given. The caller holds digests.
func (l *Lake) addKey(old ed25519.PrivateKey, lost string) (*digest.Stored, ed25519.PrivateKey, error) {
	w, err := l.keyWrapper(old == nil)
	if err != nil {
		return nil, nil, err
	}
	n := len(l.digests.keys)
	now := l.opts.Clock().UTC().Truncate(time.Second)
	key, private, err := digest.Generate(rand.Reader, n+1, now)
	if err != nil {
		return nil, nil, err
	}
	keys := append([]*digest.Stored(nil), l.digests.keys...)
	switch {
	case old != nil:
		key.Endorse(old)
	case n > 0:
		if err := key.BreakFrom(keys[n-1].Key.Public, lost, private); err != nil {
			return nil, nil, err
		}
	}
	if n > 0 {
		retired := *keys[n-1]
		retired.Retired = now
		keys[n-1] = &retired
	}
	stored, err := digest.Wrap(key, private, w)
	if err != nil {
		return nil, nil, err
	}
	keys = append(keys, stored)
	ring, err := digest.RingOf(keys)
	if err != nil {
		return nil, nil, err
	}
	l.cat.Lock()
	defer l.cat.Unlock()
	err = l.change(func(b *lsm.Batch, _ *catalog.Head) {
		for _, k := range keys[max(0, n-1):] {
			b.In(lsm.Digests).Set(signingKey(k.Key.Number), k.Encode())
		}
	})
	if err != nil {
		return nil, nil, err
	}
	l.digests.keys = keys
	l.digests.shown.Lock()
	l.digests.shown.ring = ring
	l.digests.shown.Unlock()
	return stored, private, nil
}

// keyWrapper returns what wraps the private keys. first says that there is no key
// yet, so that the secret may be made.
func (l *Lake) keyWrapper(first bool) (digest.Wrapper, error) {
	if l.opts.KeyWrapper != nil {
		return l.opts.KeyWrapper, nil
	}
	fs := l.opts.FS
	path := fs.PathJoin(l.dir, secretFile)
	f, err := fs.Open(path)
	if errors.Is(err, os.ErrNotExist) {
		if !first {
			return nil, failf(ErrNotFound, "the secret that the signing key is wrapped with, %s, is missing: %s", path, secretAdvice)
		}
		return l.makeSecret(path)
	}
	if err != nil {
		return nil, fmt.Errorf("reading the secret of the signing keys: %w", err)
	}
	text, err := io.ReadAll(io.LimitReader(f, 1024))
	if err := errors.Join(err, f.Close()); err != nil {
		return nil, fmt.Errorf("reading the secret of the signing keys: %w", err)
	}
	digits, ok := strings.CutPrefix(string(text), secretHead)
	b, err := hex.DecodeString(strings.TrimSuffix(digits, "\n"))
	if !ok || err != nil || len(b) != digest.SecretBytes {
		return nil, &CorruptionError{Place: path, Err: errors.New("it is not a secret: " + secretAdvice)}
	}
	return digest.SecretWrapper([digest.SecretBytes]byte(b)), nil
}

// CanSign returns nil when the lake can sign its next digest, or has no signing key yet; else an
// error that says what is lost and what to do. Only a secret in the lake's own directory is
// looked into: a KeyWrapper may be far away.
func (l *Lake) CanSign() error {
	done, err := l.begin()
	if err != nil {
		return err
	}
	defer done()
	return l.checkSecret()
}

// checkSecret says what is wrong with the file that has the secret, if the lake has one:
// nothing else notices before the next digest is due. That this user may not read it is
// nothing wrong.
func (l *Lake) checkSecret() error {
	if l.opts.KeyWrapper != nil {
		return nil // a keeper's matter, who may be far away
	}
	l.digests.Lock()
	defer l.digests.Unlock()
	if len(l.digests.keys) == 0 {
		return nil
	}
	if _, err := l.signingKey(); err != nil && !(l.opts.ReadOnly && errors.Is(err, os.ErrPermission)) {
		return fmt.Errorf("the signing key in use cannot be unwrapped: %w", err)
	}
	return nil
}

// makeSecret makes the secret and its file.
func (l *Lake) makeSecret(path string) (digest.Wrapper, error) {
	var secret [digest.SecretBytes]byte
	if _, err := io.ReadFull(rand.Reader, secret[:]); err != nil {
		return nil, fmt.Errorf("making the secret of the signing keys: %w", err)
	}
	fs := l.opts.FS
	tmp := path + ".tmp"
	f, err := fs.Create(tmp, vfs.WriteCategoryUnspecified)
	if err != nil {
		return nil, fmt.Errorf("making the secret of the signing keys: %w", err)
	}
	if vfs.Root(fs) == vfs.Default {
		// The file system interface has no modes; there is nothing in the file yet.
		err = os.Chmod(tmp, 0o600)
	}
	if err == nil {
		_, err = io.WriteString(f, secretHead+hex.EncodeToString(secret[:])+"\n")
	}
	if err == nil {
		err = f.Sync()
	}
	if err := errors.Join(err, f.Close()); err != nil {
		return nil, fmt.Errorf("making the secret of the signing keys: %w", err)
	}
	// A crash before the key is stored leaves a secret that nothing is wrapped with;
	// it is used for the first key then.
	if err := fs.Rename(tmp, path); err != nil {
		return nil, fmt.Errorf("making the secret of the signing keys: %w", err)
	}
	if err := syncDir(fs, l.dir); err != nil {
		return nil, err
	}
	return digest.SecretWrapper(secret), nil
}

// ParseKeys reads public keys that were kept elsewhere: what "cairn key
// export-public" prints in any of its forms.
func ParseKeys(text []byte) (*digest.Ring, error) {
	r, err := digest.ParseKeys(text)
	if err != nil {
		return nil, &kindError{kind: ErrBadInput, err: err}
	}
	return r, nil
}

// VerifierKey returns the key in use in the form that signed notes name keys by, for
// checkpoints of the store: what a witness is given. It is empty before the first
// digest.
func (s *Store) VerifierKey() string {
	ring := s.lake.PublicKeys()
	if len(ring.Keys) == 0 {
		return ""
	}
	return proof.VerifierKey(s.Origin(), ring.Keys[len(ring.Keys)-1].Public)
}
