package engine

import (
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"os"
	"path"
	"sort"
	"strings"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"
)

// restoringFile says that a directory is being restored, and from which backup.
const restoringFile = "RESTORING"

// RestoreOptions adjust a restore.
type RestoreOptions struct {
	// FS is where the lake is made; vfs.Default when nil.
	FS vfs.FS
	// ID names the backup; the newest when empty.
	ID string
	// At, unless zero, chooses the newest backup that is not younger.
	At time.Time
	// Progress is called now and then; may be nil.
	Progress func(BackupProgress)
}

// Restore makes a lake of a backup in dir, which must be missing or empty, or hold
// what an earlier Restore of the same backup has left when it was cut short. Every
// file is compared with its hash; a damaged object is named. An encrypted lake
// needs its keeper to be opened afterwards, not to be restored.
//
//	RESTORING is written     crash: opening refuses, the next Restore goes on
//	all files but FORMAT     crash: the same
//	FORMAT                   crash: the lake is whole; the next Restore only clears up
//	RESTORING is removed
func Restore(ctx context.Context, from Bucket, dir string, opts RestoreOptions) (*Backup, error) {
	fs := opts.FS
	if fs == nil {
		fs = vfs.Default
	}
	b, err := chooseBackup(ctx, from, opts)
	if err != nil {
		return nil, err
	}
	whole, err := beginRestore(fs, dir, b)
	if err != nil {
		return nil, fmt.Errorf("restoring into %s: %w", dir, err)
	}
	if whole {
		return b, endRestore(fs, dir)
	}
	files := append([]BackupFile(nil), b.Files...)
	sort.SliceStable(files, func(i, j int) bool { return files[i].Path != formatFile && files[j].Path == formatFile })
	p := BackupProgress{Files: len(files), Bytes: b.Bytes()}
	dirs := map[string]bool{dir: true}
	for i := range files {
		f := &files[i]
		target := fs.PathJoin(append([]string{dir}, strings.Split(f.Path, "/")...)...)
		if f.Path == formatFile {
			if err := syncDirs(fs, dirs); err != nil {
				return nil, err
			}
		}
		if parent := path.Dir(f.Path); parent != "." {
			full := fs.PathDir(target)
			if err := fs.MkdirAll(full, 0o755); err != nil {
				return nil, fmt.Errorf("making directory %s: %w", full, err)
			}
			dirs[full] = true
		}
		if err := restoreFile(ctx, fs, from, f, target); err != nil {
			return nil, fmt.Errorf("restoring %s: %w; run it again to go on", f.Path, err)
		}
		p.FilesDone++
		if p.BytesDone += f.Bytes; opts.Progress != nil {
			opts.Progress(p)
		}
	}
	if err := syncDirs(fs, dirs); err != nil {
		return nil, err
	}
	return b, endRestore(fs, dir)
}

// chooseBackup finds the backup that is wanted.
func chooseBackup(ctx context.Context, from Bucket, opts RestoreOptions) (*Backup, error) {
	if opts.ID != "" {
		if !backupIDText.MatchString(opts.ID) {
			return nil, failf(ErrBadInput, "%q is no ID of a backup, which look like %s", opts.ID, backupIDForm)
		}
		b, _, err := readBackup(ctx, from, backupPrefix+opts.ID+".json")
		if errors.Is(err, os.ErrNotExist) {
			return nil, failf(ErrNotFound, "there is no backup %s", opts.ID)
		}
		return b, err
	}
	all, err := Backups(ctx, from)
	if err != nil {
		return nil, err
	}
	for i := len(all) - 1; i >= 0; i-- {
		if opts.At.IsZero() || !all[i].Created.After(opts.At) {
			return all[i], nil
		}
	}
	if len(all) == 0 {
		return nil, failf(ErrNotFound, "there are no backups there")
	}
	return nil, failf(ErrNotFound, "there is no backup from %s or before; the oldest is from %s", opts.At.UTC().Format(time.RFC3339Nano), all[0].Created.Format(time.RFC3339Nano))
}

// beginRestore refuses a directory that has something else in it; whole says that
// an earlier restore was as good as done.
func beginRestore(fs vfs.FS, dir string, b *Backup) (whole bool, err error) {
	if err := fs.MkdirAll(dir, 0o755); err != nil {
		return false, fmt.Errorf("making the directory: %w", err)
	}
	names, err := fs.List(dir)
	if err != nil {
		return false, fmt.Errorf("reading the directory: %w", err)
	}
	mark := fs.PathJoin(dir, restoringFile)
	if len(names) > 0 {
		id, err := readSmall(fs, mark)
		if errors.Is(err, os.ErrNotExist) {
			return false, failf(ErrConflict, "the directory is not empty: there is %s; choose a new one", names[0])
		}
		if err != nil {
			return false, err
		}
		if id != "" && id != b.ID+"\n" {
			return false, failf(ErrConflict, "a restore of backup %s was begun there and not finished: finish it, or choose another directory", strings.TrimSpace(id))
		}
		if _, err := fs.Stat(fs.PathJoin(dir, formatFile)); err == nil {
			return true, nil
		} else if !errors.Is(err, os.ErrNotExist) {
			return false, err
		}
	}
	f, err := fs.Create(mark, vfs.WriteCategoryUnspecified)
	if err != nil {
		return false, err
	}
	_, err = f.Write([]byte(b.ID + "\n"))
	if err == nil {
		err = f.Sync()
	}
	if err := errors.Join(err, f.Close()); err != nil {
		return false, fmt.Errorf("writing %s: %w", mark, err)
	}
	return false, errors.Join(syncDir(fs, dir), syncDir(fs, fs.PathDir(dir)))
}

// readSmall reads a file of a line.
func readSmall(fs vfs.FS, path string) (string, error) {
	f, err := fs.Open(path)
	if err != nil {
		return "", err
	}
	b, err := io.ReadAll(io.LimitReader(f, formatBytesMax))
	return string(b), errors.Join(err, f.Close())
}

func endRestore(fs vfs.FS, dir string) error {
	if err := fs.Remove(fs.PathJoin(dir, restoringFile)); err != nil {
		return fmt.Errorf("the lake is restored, but the mark of it stays: %w", err)
	}
	return syncDir(fs, dir)
}

func syncDirs(fs vfs.FS, dirs map[string]bool) error {
	for d := range dirs {
		if err := syncDir(fs, d); err != nil {
			return err
		}
	}
	return nil
}

// restoreFile brings one file back, unless an earlier attempt did.
func restoreFile(ctx context.Context, fs vfs.FS, from Bucket, f *BackupFile, target string) error {
	if have, err := fs.Open(target); err == nil {
		h := sha256.New()
		head := make([]byte, f.headBytes())
		_, short := io.ReadFull(have, head)
		n, err := io.Copy(h, have)
		if err := errors.Join(short, err, have.Close()); err == nil && bytes.Equal(head, f.head()) && f.compare(n, h.Sum(nil)) == nil {
			return nil
		}
	}
	r, err := from.Read(ctx, f.object())
	if errors.Is(err, os.ErrNotExist) {
		return damagedObject(f.object(), errors.New("it is missing"))
	}
	if err != nil {
		return err
	}
	defer r.Close()
	tmp := target + ".part"
	out, err := fs.Create(tmp, vfs.WriteCategoryUnspecified)
	if err != nil {
		return err
	}
	h := sha256.New()
	var n int64
	if _, err = out.Write(f.head()); err == nil {
		n, err = io.Copy(io.MultiWriter(writerOnly{out}, h), &cancelReader{ctx: ctx, Reader: io.LimitReader(r, f.objectBytes()+1)})
	}
	if err == nil {
		err = f.compare(n, h.Sum(nil))
	}
	if err == nil {
		err = out.Sync()
	}
	if err := errors.Join(err, out.Close()); err != nil {
		return errors.Join(err, fs.Remove(tmp))
	}
	return fs.Rename(tmp, target)
}

// writerOnly copies what it writes: a vfs.File may change the bytes it is given,
// which are hashed as well.
type writerOnly struct{ f vfs.File }

func (w writerOnly) Write(p []byte) (int, error) { return w.f.Write(append([]byte(nil), p...)) }

// DirBucket returns the bucket in a directory of a file system. The directory is
// made with the first object.
func DirBucket(fs vfs.FS, dir string) Bucket { return &dirBucket{fs, dir} }

type dirBucket struct {
	fs  vfs.FS
	dir string
}

func (d *dirBucket) path(name string) string {
	return d.fs.PathJoin(append([]string{d.dir}, strings.Split(name, "/")...)...)
}

// Write implements Bucket.
func (d *dirBucket) Write(ctx context.Context, name string, content io.Reader) error {
	target := d.path(name)
	parent := d.fs.PathDir(target)
	if _, err := d.fs.Stat(parent); errors.Is(err, os.ErrNotExist) {
		if err := d.fs.MkdirAll(parent, 0o755); err != nil {
			return err
		}
		for up := parent; len(up) > len(d.dir); up = d.fs.PathDir(up) {
			if err := syncDir(d.fs, d.fs.PathDir(up)); err != nil {
				return err
			}
		}
		if err := syncDir(d.fs, d.fs.PathDir(d.dir)); err != nil {
			return err
		}
	}
	tmp := target + ".part"
	f, err := d.fs.Create(tmp, vfs.WriteCategoryUnspecified)
	if err != nil {
		return err
	}
	_, err = io.Copy(writerOnly{f}, &cancelReader{ctx: ctx, Reader: content})
	if err == nil {
		err = f.Sync()
	}
	if err := errors.Join(err, f.Close()); err != nil {
		return errors.Join(err, d.fs.Remove(tmp))
	}
	if err := d.fs.Rename(tmp, target); err != nil {
		return err
	}
	return syncDir(d.fs, parent)
}

// Read implements Bucket.
func (d *dirBucket) Read(_ context.Context, name string) (io.ReadCloser, error) {
	return d.fs.Open(d.path(name))
}

// List implements Bucket.
func (d *dirBucket) List(ctx context.Context, prefix string, fn func(name string, size int64) error) error {
	var walk func(name string) error
	walk = func(name string) error {
		if err := ctx.Err(); err != nil {
			return err
		}
		names, err := d.fs.List(d.path(name))
		if errors.Is(err, os.ErrNotExist) {
			return nil
		}
		if err != nil {
			return err
		}
		for _, n := range names {
			full := path.Join(name, n)
			info, err := d.fs.Stat(d.path(full))
			if err != nil {
				return err
			}
			if info.IsDir() {
				err = walk(full)
			} else if !strings.HasSuffix(n, ".part") {
				err = fn(full, info.Size())
			}
			if err != nil {
				return err
			}
		}
		return nil
	}
	return walk(strings.TrimSuffix(prefix, "/"))
}
