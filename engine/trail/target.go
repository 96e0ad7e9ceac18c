package trail

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"strings"
	"sync"

	"github.com/cockroachdb/pebble/v2/vfs"
)

// Target is where files go. Its methods may be called from many goroutines.
type Target interface {
	// Put stores an object whole, durably, in the place of one that has its key. Names of
	// metadata are in lower case.
	Put(ctx context.Context, key string, body []byte, meta map[string]string) error
	// Size returns the length of an object; fs.ErrNotExist when there is none.
	Size(ctx context.Context, key string) (int64, error)
	// Get returns an object of at most limit bytes and its metadata; fs.ErrNotExist when
	// there is none.
	Get(ctx context.Context, key string, limit int64) ([]byte, map[string]string, error)
	// List calls fn with the keys that begin with prefix, in order.
	List(ctx context.Context, prefix string, fn func(key string) error) error
	Close() error
}

// attrsSuffix is what the files with metadata end with.
const attrsSuffix = ".attrs"

// dirTarget is a directory.
type dirTarget struct {
	fs  vfs.FS
	dir string

	mu    sync.Mutex
	known map[string]bool // directories that are there
}

// DirTarget returns a directory as a target. What is put there is synced, and metadata
// is in a file beside the object's, written before it.
func DirTarget(fs vfs.FS, dir string) Target {
	return &dirTarget{fs: fs, dir: dir, known: make(map[string]bool)}
}

func (d *dirTarget) Close() error { return nil }

func (d *dirTarget) path(key string) (string, error) {
	if err := checkKey(key); err != nil {
		return "", err
	}
	return d.fs.PathJoin(append([]string{d.dir}, strings.Split(key, "/")...)...), nil
}

// attrs is what fileblob keeps beside an object.
type attrs struct {
	CacheControl       string            `json:"user.cache_control"`
	ContentDisposition string            `json:"user.content_disposition"`
	ContentEncoding    string            `json:"user.content_encoding"`
	ContentLanguage    string            `json:"user.content_language"`
	ContentType        string            `json:"user.content_type"`
	Metadata           map[string]string `json:"user.metadata"`
	MD5                []byte            `json:"md5"`
}

func (d *dirTarget) Put(ctx context.Context, key string, body []byte, meta map[string]string) error {
	path, err := d.path(key)
	if err != nil {
		return err
	}
	if err := ctx.Err(); err != nil {
		return err
	}
	dir := d.fs.PathDir(path)
	if err := d.makeDir(dir); err != nil {
		return fmt.Errorf("making the directory of %s: %w", key, err)
	}
	if len(meta) > 0 {
		b, err := json.Marshal(&attrs{ContentType: "application/json", ContentEncoding: "gzip", Metadata: meta})
		if err != nil {
			return err
		}
		// A crash after this leaves metadata of an object that is not there yet; it
		// is written again with it.
		if err := d.write(path+attrsSuffix, b); err != nil {
			return fmt.Errorf("writing the metadata of %s: %w", key, err)
		}
	}
	if err := d.write(path, body); err != nil {
		return fmt.Errorf("writing %s: %w", key, err)
	}
	return nil
}

// write writes a file whole or not at all.
func (d *dirTarget) write(path string, body []byte) error {
	tmp := path + ".tmp"
	f, err := d.fs.Create(tmp, vfs.WriteCategoryUnspecified)
	if err != nil {
		d.forget()
		return err
	}
	_, err = f.Write(body)
	if err == nil {
		err = f.Sync()
	}
	if err := errors.Join(err, f.Close()); err != nil {
		return err
	}
	if err := d.fs.Rename(tmp, path); err != nil {
		return err
	}
	return d.syncDir(d.fs.PathDir(path))
}

// forget makes directories be looked for again: somebody may have removed them.
func (d *dirTarget) forget() {
	d.mu.Lock()
	defer d.mu.Unlock()
	clear(d.known)
}

// makeDir makes a directory and those above it, and makes sure they stay.
func (d *dirTarget) makeDir(dir string) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.makeDirLocked(dir)
}

func (d *dirTarget) makeDirLocked(dir string) error {
	if d.known[dir] {
		return nil
	}
	if _, err := d.fs.Stat(dir); errors.Is(err, os.ErrNotExist) {
		above := d.fs.PathDir(dir)
		if above == dir {
			return err
		}
		if err := d.makeDirLocked(above); err != nil {
			return err
		}
		if err := d.fs.MkdirAll(dir, 0o755); err != nil {
			return err
		}
		if err := d.syncDir(above); err != nil {
			return err
		}
	} else if err != nil {
		return err
	}
	const knownMax = 1 << 14 // a directory a day, region and account
	if len(d.known) >= knownMax {
		clear(d.known)
	}
	d.known[dir] = true
	return nil
}

func (d *dirTarget) syncDir(dir string) error {
	f, err := d.fs.OpenDir(dir)
	if err != nil {
		return err
	}
	return errors.Join(f.Sync(), f.Close())
}

func (d *dirTarget) Size(_ context.Context, key string) (int64, error) {
	path, err := d.path(key)
	if err != nil {
		return 0, err
	}
	info, err := d.fs.Stat(path)
	if err != nil {
		return 0, err
	}
	return info.Size(), nil
}

func (d *dirTarget) Get(_ context.Context, key string, limit int64) ([]byte, map[string]string, error) {
	path, err := d.path(key)
	if err != nil {
		return nil, nil, err
	}
	body, err := d.read(path, limit)
	if err != nil {
		return nil, nil, err
	}
	text, err := d.read(path+attrsSuffix, 1<<20)
	if errors.Is(err, fs.ErrNotExist) {
		return body, nil, nil
	}
	if err != nil {
		return nil, nil, err
	}
	var a attrs
	if err := json.Unmarshal(text, &a); err != nil {
		return body, nil, nil // what cannot be read is as good as missing
	}
	return body, a.Metadata, nil
}

func (d *dirTarget) read(path string, limit int64) ([]byte, error) {
	f, err := d.fs.Open(path)
	if err != nil {
		return nil, err
	}
	b, err := io.ReadAll(io.LimitReader(f, limit+1))
	if err == nil && int64(len(b)) > limit {
		err = fmt.Errorf("%s has more than %d bytes", path, limit)
	}
	return b, errors.Join(err, f.Close())
}

func (d *dirTarget) List(ctx context.Context, prefix string, fn func(key string) error) error {
	// The whole parts of the prefix are directories; what is left is compared.
	at := strings.LastIndexByte(prefix, '/') + 1
	start := strings.TrimSuffix(prefix[:at], "/")
	if start != "" {
		if err := checkKey(start); err != nil {
			return err
		}
	}
	return d.list(ctx, start, prefix, fn)
}

func (d *dirTarget) list(ctx context.Context, at, prefix string, fn func(key string) error) error {
	path := d.dir
	if at != "" {
		path = d.fs.PathJoin(append([]string{d.dir}, strings.Split(at, "/")...)...)
	}
	names, err := d.fs.List(path)
	if errors.Is(err, os.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	// Directories sort as their names with a slash, as keys do.
	type entry struct {
		key string
		dir bool
	}
	var entries []entry
	for _, name := range names {
		key := name
		if at != "" {
			key = at + "/" + name
		}
		info, err := d.fs.Stat(d.fs.PathJoin(path, name))
		if err != nil {
			return err
		}
		if info.IsDir() {
			key += "/"
		}
		entries = append(entries, entry{key, info.IsDir()})
	}
	sortBy(entries, func(a, b entry) bool { return a.key < b.key })
	for _, e := range entries {
		if err := ctx.Err(); err != nil {
			return err
		}
		switch {
		case e.dir && (strings.HasPrefix(e.key, prefix) || strings.HasPrefix(prefix, e.key)):
			err = d.list(ctx, strings.TrimSuffix(e.key, "/"), prefix, fn)
		case !e.dir && strings.HasPrefix(e.key, prefix) && !strings.HasSuffix(e.key, attrsSuffix) && !strings.HasSuffix(e.key, ".tmp"):
			err = fn(e.key)
		default:
			err = nil
		}
		if err != nil {
			return err
		}
	}
	return nil
}
