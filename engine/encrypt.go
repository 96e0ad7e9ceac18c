package engine

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strings"

	"github.com/cairndb/cairn/engine/crypt"
)

// openKeys has the keeper unwrap the key ring, if there is one, and puts the
// encryption below all files from then on.
func (l *Lake) openKeys() error {
	path := l.base.PathJoin(l.dir, keysFile)
	exists, err := crypt.RingExists(l.base, path)
	if err != nil || !exists {
		return err
	}
	if l.opts.Keeper == nil {
		keeper, err := crypt.RingKeeper(l.base, path)
		if err != nil {
			return l.openErr(err)
		}
		return failf(ErrRefused, "the lake is encrypted, and no keeper of its key was given: its keeper is %s (for the program: --keeper URL, or CAIRN_KEEPER)", keeper)
	}
	ring, err := crypt.LoadRing(context.Background(), l.base, path, l.opts.Keeper)
	if err != nil {
		return l.openErr(err)
	}
	l.encrypt(ring)
	return nil
}

// encrypt puts the encryption below all files.
func (l *Lake) encrypt(ring *crypt.Ring) {
	l.ring = ring
	l.opts.FS = crypt.New(l.base, l.dir, ring)
}

// createKeys makes the key ring of a lake that is being made. A crash before FORMAT
// is there leaves the ring; it is used when the making goes on.
func (l *Lake) createKeys() error {
	if l.opts.Keeper == nil || l.ring != nil {
		return nil
	}
	ring, err := crypt.CreateRing(context.Background(), l.base, l.base.PathJoin(l.dir, keysFile), l.opts.Keeper)
	if err != nil {
		return err
	}
	l.encrypt(ring)
	return nil
}

// wantsKeeper refuses a keeper for a lake that is in the clear: who gives one
// believes that what is written will be encrypted.
func (l *Lake) wantsKeeper() error {
	if l.opts.Keeper == nil || l.ring != nil {
		return nil
	}
	return failf(ErrBadInput, "a keeper was given, but this lake is not encrypted: that is decided when a lake is made; make a new one and import into it")
}

// Ring returns the key ring of an encrypted lake, nil of one in the clear. It seals
// small secrets under the lake's key, such as signing keys.
func (l *Lake) Ring() *crypt.Ring { return l.ring }

// EncryptionStatus tells what is encrypted with what.
type EncryptionStatus struct {
	Encrypted bool
	Keeper    string // URL
	Keys      []KeyUse
	// Clear are files that are not encrypted, those aside that hold no data.
	Clear []string
	// Unreadable are files that cannot be read, with the reason.
	Unreadable []string
}

// KeyUse is a key and what is encrypted under it.
type KeyUse struct {
	crypt.Key
	Files int
	Bytes int64
}

// encryptedFS returns the encrypting layer, or an error for a lake in the clear.
func (l *Lake) encryptedFS() (*crypt.FS, error) {
	if l.ring == nil {
		return nil, failf(ErrBadInput, "lake %s is not encrypted: that is decided when a lake is made, with a keeper", l.dir)
	}
	return l.opts.FS.(*crypt.FS), nil
}

// outsideEncryption reports whether a file of the lake is not meant to be
// encrypted: lock and socket have no bytes, and the key ring is sealed by itself.
func (l *Lake) outsideEncryption(path string) bool {
	switch path {
	case l.base.PathJoin(l.dir, lockFile), l.base.PathJoin(l.dir, ControlSocket), l.base.PathJoin(l.dir, keysFile), l.base.PathJoin(l.dir, keysFile+".tmp"):
		return true
	}
	return false
}

// Encryption tells which files are encrypted under which keys.
func (l *Lake) Encryption(ctx context.Context) (*EncryptionStatus, error) {
	done, err := l.begin()
	if err != nil {
		return nil, err
	}
	defer done()
	if l.ring == nil {
		return &EncryptionStatus{}, nil
	}
	return l.encryption(ctx)
}

func (l *Lake) encryption(ctx context.Context) (*EncryptionStatus, error) {
	fs, err := l.encryptedFS()
	if err != nil {
		return nil, err
	}
	out := &EncryptionStatus{Encrypted: true, Keeper: l.ring.Keeper()}
	for _, k := range l.ring.Keys() {
		out.Keys = append(out.Keys, KeyUse{Key: k})
	}
	files, err := fs.Files(l.outsideEncryption)
	if err != nil {
		return nil, err
	}
	for _, f := range files {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		switch damaged := (*crypt.CorruptError)(nil); {
		case f.Key > 0 && int(f.Key) <= len(out.Keys):
			out.Keys[f.Key-1].Files++
			out.Keys[f.Key-1].Bytes += f.Bytes
		case errors.As(f.Err, &damaged) && strings.Contains(damaged.What, "begin like"):
			out.Clear = append(out.Clear, f.Path)
		case f.Err != nil:
			out.Unreadable = append(out.Unreadable, f.Err.Error())
		}
	}
	return out, nil
}

// RotateOptions adjust a rotation.
type RotateOptions struct {
	// Keeper, if not nil, has the ring from now on. The lake must be opened with it.
	Keeper crypt.Keeper
	// Progress is called after each file; may be nil.
	Progress func(done, files int)
}

// RotateEncryption makes a new key for all files to come, and wraps the data keys
// of all that are there with it. No file is rewritten: 128 bytes of each change. A
// rotation that was cut short is finished by the next. The older keys stay in the
// ring until they are destroyed. It returns how many files were changed.
//
// The lake may be in use, though a file that is being written keeps the key under
// which it was begun; a backup that is running should be waited for.
func (l *Lake) RotateEncryption(ctx context.Context, opts RotateOptions) (files int, err error) {
	done, err := l.beginWrite()
	if err != nil {
		return 0, err
	}
	defer done()
	fs, err := l.encryptedFS()
	if err != nil {
		return 0, err
	}
	if err := l.recordAct(ctx, ActorOf(ctx), Act{Name: ActRotateKey, Request: map[string]any{"key": "encryption", "newKeeper": opts.Keeper != nil}}); err != nil {
		return 0, err
	}
	if opts.Keeper != nil {
		if err := l.ring.Rekeep(ctx, opts.Keeper); err != nil {
			return 0, err
		}
	}
	if _, err := l.ring.Rotate(); err != nil {
		return 0, err
	}
	list, err := fs.Files(l.outsideEncryption)
	if err != nil {
		return 0, err
	}
	for i, f := range list {
		if err := ctx.Err(); err != nil {
			return files, err
		}
		changed, err := fs.Rewrap(f.Path)
		if errors.Is(err, os.ErrNotExist) {
			continue // it has been removed meanwhile
		}
		if err != nil {
			return files, fmt.Errorf("the new key is in use, but not for all files: %w", err)
		}
		if changed {
			files++
		}
		if opts.Progress != nil {
			opts.Progress(i+1, len(list))
		}
	}
	return files, nil
}

// DestroyKeys removes keys for ever: what is still encrypted under them is lost,
// here and in every copy. Retired keys that nothing uses any more go by themselves
// when no numbers are given. With force, keys in use go as well; with all, all of
// them: nothing of the lake can be read by anybody afterwards. It returns the keys
// destroyed.
func (l *Lake) DestroyKeys(ctx context.Context, numbers []uint32, force, all bool) ([]uint32, error) {
	done, err := l.beginWrite()
	if err != nil {
		return nil, err
	}
	defer done()
	status, err := l.encryption(ctx)
	if err != nil {
		return nil, err
	}
	who := ActorOf(ctx)
	act := Act{Name: ActDestroyKey, Request: map[string]any{"keys": numbers, "force": force, "all": all}}
	l.retain.Lock()
	defer l.retain.Unlock()
	if force || all {
		act.Err = l.mayDestroy(&who)
	}
	if err := errors.Join(act.Err, l.recordAct(ctx, who, act)); err != nil {
		return nil, err
	}
	var chosen []uint32
	for _, k := range status.Keys {
		named := false
		for _, n := range numbers {
			named = named || n == k.Number
		}
		switch {
		case k.State == crypt.Destroyed:
			if named {
				return nil, failf(ErrBadInput, "key %d was destroyed at %s", k.Number, k.Destroyed.Format("2006-01-02 15:04:05"))
			}
		case all:
			chosen = append(chosen, k.Number)
		case named && k.Files > 0 && !force:
			return nil, failf(ErrRefused, "%d files are still encrypted under key %d; rotate first, or demand that they be lost", k.Files, k.Number)
		case named, len(numbers) == 0 && k.State == crypt.Retired && k.Files == 0:
			chosen = append(chosen, k.Number)
		}
	}
	for _, n := range numbers {
		if n == 0 || int(n) > len(status.Keys) {
			return nil, failf(ErrNotFound, "there is no key %d", n)
		}
	}
	if len(chosen) == 0 {
		return nil, nil
	}
	if err := l.ring.Destroy(chosen...); err != nil {
		return nil, failf(ErrRefused, "%w", err)
	}
	return chosen, nil
}
