package engine

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"strings"

	"github.com/cairndb/cairn/engine/archive"
)

// Trails that encrypt what they deliver.
//
// A trail with keepers (trail.Settings.Encrypt) delivers each file KEY as KEY.enc, in the
// form of encrypted bundles (package archive): AES-256-GCM, under a key that lies in
// PREFIX/encryption.json, wrapped once by each keeper. A crash between writing that
// file and the first delivery leaves a key that the next attempt takes up. A prefix that
// has files in the clear is refused, so that nobody takes some of them for all. Names,
// lengths and the metadata of digests, which has signatures only, stay readable; digests
// and their hashes are of what is inside.

// sealedTarget is a target whose objects are encrypted.
type sealedTarget struct {
	TrailTarget
	lock *archive.Lock
}

// SealTarget returns a target whose objects are encrypted in t, below a prefix, for all of
// the keepers. The key is made when the prefix is empty. It takes t over.
func SealTarget(ctx context.Context, t TrailTarget, prefix string, keepers []archive.Keeper) (TrailTarget, error) {
	lock, err := archive.MakeLock(ctx, placeBelow(t, prefix), keepers)
	if err != nil {
		return nil, fmt.Errorf("encrypting what is delivered: %w", err)
	}
	return &sealedTarget{t, lock}, nil
}

// UnsealTarget returns a target without its encryption; one that has none below the prefix
// as it is. It takes t over.
func UnsealTarget(ctx context.Context, t TrailTarget, prefix string, keepers []archive.Keeper) (TrailTarget, error) {
	lock, err := archive.OpenLock(ctx, placeBelow(t, prefix), keepers)
	if err != nil {
		return nil, fmt.Errorf("decrypting what was delivered: %w", err)
	}
	if lock == nil {
		return t, nil
	}
	return &sealedTarget{t, lock}, nil
}

func placeBelow(t TrailTarget, prefix string) lockPlace {
	if prefix != "" {
		prefix += "/"
	}
	return lockPlace{t, prefix}
}

// Put implements TrailTarget.
func (s *sealedTarget) Put(ctx context.Context, key string, body []byte, meta map[string]string) error {
	return s.TrailTarget.Put(ctx, archive.EncryptedName(key), s.lock.Seal(key, body), meta)
}

// Size implements TrailTarget; it is that of the content.
func (s *sealedTarget) Size(ctx context.Context, key string) (int64, error) {
	n, err := s.TrailTarget.Size(ctx, archive.EncryptedName(key))
	return archive.ContentLength(n), err
}

// sealedOverhead bounds what encryption adds: a head, and a tag for each 64 KiB.
func sealedOverhead(n int64) int64 { return 128 + n/1024 }

// Get implements TrailTarget.
func (s *sealedTarget) Get(ctx context.Context, key string, limit int64) ([]byte, map[string]string, error) {
	body, meta, err := s.TrailTarget.Get(ctx, archive.EncryptedName(key), limit+sealedOverhead(limit))
	if err != nil {
		return nil, nil, err
	}
	plain, err := s.lock.Open(key, body)
	if err != nil {
		// What was changed is as good as what is not a file: readers say so themselves.
		return nil, meta, nil
	}
	return plain, meta, nil
}

// List implements TrailTarget: what is not encrypted is not the trail's.
func (s *sealedTarget) List(ctx context.Context, prefix string, fn func(key string) error) error {
	return s.TrailTarget.List(ctx, prefix, func(key string) error {
		if plain, ok := archive.PlainName(key); ok {
			return fn(plain)
		}
		return nil
	})
}

// lockPlace is the files below the prefix, as they are: where the key lies.
type lockPlace struct {
	t      TrailTarget
	prefix string
}

// Read implements archive.Source.
func (p lockPlace) Read(ctx context.Context, name string) (io.ReadCloser, error) {
	const bytesMax = 1 << 20 // of encryption.json
	body, _, err := p.t.Get(ctx, p.prefix+name, bytesMax)
	if err != nil {
		return nil, err
	}
	return io.NopCloser(bytes.NewReader(body)), nil
}

// List implements archive.Source.
func (p lockPlace) List(ctx context.Context, prefix string, fn func(name string, size int64) error) error {
	return p.t.List(ctx, p.prefix+prefix, func(key string) error { return fn(strings.TrimPrefix(key, p.prefix), 0) })
}

// Write implements archive.Target.
func (p lockPlace) Write(ctx context.Context, name string, content io.Reader) error {
	b, err := io.ReadAll(content)
	if err != nil {
		return err
	}
	return p.t.Put(ctx, p.prefix+name, b, nil)
}

// openKeepers opens the keepers of a trail.
func (l *Lake) openKeepers(urls []string) ([]archive.Keeper, error) {
	var out []archive.Keeper
	for _, url := range urls {
		open := l.opts.OpenKeeper
		if open == nil {
			open = archive.OpenKeeper
		}
		k, err := open(url)
		if err != nil {
			return nil, fmt.Errorf("opening the keeper %s: %w", url, err)
		}
		out = append(out, k)
	}
	return out, nil
}
