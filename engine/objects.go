package engine

import (
	"context"
	"fmt"
	"time"

	"github.com/cairndb/cairn/engine/catalog"
	"github.com/cairndb/cairn/engine/lsm"
	"github.com/cairndb/cairn/engine/retention"
)

// What servers keep in the catalogue beside principals: access keys, and the objects of
// the control interface (channels, dashboards, queries …), whose bodies the engine does
// not look into.
type (
	// Object is a thing of the control interface.
	Object = catalog.Object
	// ObjectKind says what it is.
	ObjectKind = catalog.ObjectKind
	// AccessKey is a key that signs requests in the name of a principal.
	AccessKey = catalog.AccessKey
)

// The kinds of objects.
const (
	ObjectStoreSettings  = catalog.StoreSettings
	ObjectChannel        = catalog.Channel
	ObjectResourcePolicy = catalog.ResourcePolicy
	ObjectTags           = catalog.Tags
	ObjectDashboard      = catalog.Dashboard
	ObjectImportJob      = catalog.ImportJob
	ObjectSavedQuery     = catalog.SavedQuery
	ObjectOrganization   = catalog.Organization
	ObjectEventSettings  = catalog.EventSettings
	ObjectRefresh        = catalog.Refresh
	ObjectSealedKey      = catalog.SealedKey
)

// Objects returns the objects of a kind whose names begin with prefix, in order of their
// names.
func (l *Lake) Objects(kind ObjectKind, prefix string) ([]Object, error) {
	done, err := l.begin()
	if err != nil {
		return nil, err
	}
	defer done()
	var list []Object
	err = catalog.Objects(l.db, kind, prefix, func(o *Object) error {
		list = append(list, *o)
		return nil
	})
	if err != nil {
		return nil, l.openErr(fmt.Errorf("reading objects: %w", err))
	}
	return list, nil
}

// Object returns an object, or [ErrNotFound].
func (l *Lake) Object(kind ObjectKind, name string) (*Object, error) {
	done, err := l.begin()
	if err != nil {
		return nil, err
	}
	defer done()
	o, err := catalog.FindObject(l.db, kind, name)
	if err != nil {
		return nil, l.openErr(fmt.Errorf("reading an object: %w", err))
	}
	if o == nil {
		return nil, failf(ErrNotFound, "there is no such object")
	}
	return o, nil
}

// PutObjects writes and removes objects in one durable change; of those to remove only
// kind and name count. Who changes an object in the light of what it was sees to it that
// nobody else does meanwhile.
func (l *Lake) PutObjects(_ context.Context, put, remove []Object) error {
	done, err := l.beginWrite()
	if err != nil {
		return err
	}
	defer done()
	for i := range put {
		if err := put[i].Check(); err != nil {
			return failf(ErrBadInput, "%w", err)
		}
	}
	l.cat.Lock()
	defer l.cat.Unlock()
	err = l.change(func(b *lsm.Batch, _ *catalog.Head) {
		for i := range remove {
			remove[i].Remove(b)
		}
		for i := range put {
			put[i].Put(b)
		}
	})
	if err != nil {
		return fmt.Errorf("changing objects: %w", err)
	}
	return nil
}

// AccessKeys returns all access keys, in order of their IDs.
func (l *Lake) AccessKeys(context.Context) ([]AccessKey, error) {
	done, err := l.begin()
	if err != nil {
		return nil, err
	}
	defer done()
	list, err := catalog.AccessKeys(l.db)
	if err != nil {
		return nil, l.openErr(fmt.Errorf("reading the access keys: %w", err))
	}
	return list, nil
}

// AccessKey returns the access key with an ID, or [ErrNotFound].
func (l *Lake) AccessKey(_ context.Context, id string) (*AccessKey, error) {
	done, err := l.begin()
	if err != nil {
		return nil, err
	}
	defer done()
	k, err := catalog.FindAccessKey(l.db, id)
	if err != nil {
		return nil, l.openErr(fmt.Errorf("reading an access key: %w", err))
	}
	if k == nil {
		return nil, failf(ErrNotFound, "there is no access key %q", id)
	}
	return k, nil
}

// ChangeAccessKeys makes one durable change of the access keys, as
// [Lake.ChangePrincipals] does of principals, and counts as a change of those.
func (l *Lake) ChangeAccessKeys(ctx context.Context, fn func(all []AccessKey) (put []AccessKey, remove []string, err error)) error {
	done, err := l.beginWrite()
	if err != nil {
		return err
	}
	defer done()
	l.cat.Lock()
	defer l.cat.Unlock()
	all, err := l.AccessKeys(ctx)
	if err != nil {
		return err
	}
	put, remove, err := fn(all)
	if err != nil {
		return err
	}
	err = l.change(func(b *lsm.Batch, _ *catalog.Head) {
		for _, id := range remove {
			(&AccessKey{ID: id}).Remove(b)
		}
		for i := range put {
			put[i].Put(b)
		}
	})
	if err != nil {
		return fmt.Errorf("changing the access keys: %w", err)
	}
	l.principalChanges.Add(1)
	return nil
}

// SealSecret wraps a small secret with what wraps the signing keys of the lake (keys.go
// tells what that is worth); context must be given again to [Lake.UnsealSecret].
func (l *Lake) SealSecret(secret []byte, context string) (scheme string, sealed []byte, err error) {
	done, err := l.beginWrite()
	if err != nil {
		return "", nil, err
	}
	defer done()
	l.digests.Lock()
	defer l.digests.Unlock()
	w, err := l.keyWrapper(len(l.digests.keys) == 0)
	if err != nil {
		return "", nil, err
	}
	sealed, err = w.Wrap(secret, []byte(context))
	if err != nil {
		return "", nil, fmt.Errorf("sealing a secret: %w", err)
	}
	return w.Scheme(), sealed, nil
}

// UnsealSecret opens what [Lake.SealSecret] has sealed.
func (l *Lake) UnsealSecret(scheme string, sealed []byte, context string) ([]byte, error) {
	done, err := l.begin()
	if err != nil {
		return nil, err
	}
	defer done()
	l.digests.Lock()
	defer l.digests.Unlock()
	w, err := l.keyWrapper(false)
	if err != nil {
		return nil, err
	}
	if w.Scheme() != scheme {
		return nil, failf(ErrRefused, "the secret was sealed by %s, and the lake is opened with %s", scheme, w.Scheme())
	}
	secret, err := w.Unwrap(sealed, []byte(context))
	if err != nil {
		return nil, &CorruptionError{Place: "sealed secret", Err: err}
	}
	return secret, nil
}

// AppendImported is [Store.Append] for records of log files, which are copied into a store
// also while its ingestion is stopped.
func (s *Store) AppendImported(ctx context.Context, records [][]byte) ([]Verdict, error) {
	done, err := s.lake.beginWrite()
	if err != nil {
		return nil, err
	}
	defer done()
	if p, _ := s.policy(); p.Kind != retention.Ordinary {
		return nil, failf(ErrRefused, "store %s is built in: what it holds comes from the lake itself, nothing was kept", s.Name())
	}
	if err := s.takes(true); err != nil {
		return nil, err
	}
	return s.appendTaken(ctx, records)
}

// SignResult signs a text with the RSA key of digests of delivered files (PKCS #1 v1.5, SHA-256),
// whose public side [Lake.TrailKeys] gives for that time, and returns the key's fingerprint.
func (l *Lake) SignResult(text []byte, at time.Time) (signature []byte, fingerprint string, err error) {
	done, err := l.beginWrite()
	if err != nil {
		return nil, "", err
	}
	defer done()
	k, err := trailEnv{l}.Key(at)
	if err != nil {
		return nil, "", fmt.Errorf("signing a result: %w", err)
	}
	signature, err = k.Sign(text)
	return signature, k.Fingerprint(), err
}
