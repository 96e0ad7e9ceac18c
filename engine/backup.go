package engine

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"os"
	"sort"
	"strings"
	"time"

	"github.com/cairndb/cairn/engine/crypt"
)

// stageDir holds links to the files of a backup while it runs.
const stageDir = "backup.tmp"

// BackupOptions adjust a backup.
type BackupOptions struct {
	// Progress is called now and then; may be nil.
	Progress func(BackupProgress)
	// Rehash reads files that the previous backup has by name, size and time.
	Rehash bool
}

// BackupProgress tells how far a backup or a restore is.
type BackupProgress struct {
	Files, FilesDone int
	Bytes, BytesDone int64
}

// BackupReport is the outcome of a backup.
type BackupReport struct {
	Backup        *Backup
	Uploaded      int   // objects written
	UploadedBytes int64 // their size
	Elapsed       time.Duration
}

// Backup writes a backup of the lake as it is at one moment, while it goes on
// working. Appends wait for as long as it takes to link the files. What earlier
// backups in the same bucket have is not written again. Every object is read back.
// A backup that was cut short leaves objects that the next one uses; it has no
// manifest, and cannot be taken for one.
func (l *Lake) Backup(ctx context.Context, to Bucket, opts BackupOptions) (*BackupReport, error) {
	done, err := l.beginWrite()
	if err != nil {
		return nil, err
	}
	defer done()
	if !l.backing.TryLock() {
		return nil, failf(ErrUnavailable, "another backup is running")
	}
	defer l.backing.Unlock()
	if err := l.recordAct(ctx, ActorOf(ctx), Act{Name: ActBackup}); err != nil {
		return nil, err
	}
	started := time.Now()
	earlier, err := Backups(ctx, to)
	if err != nil {
		return nil, err
	}
	b := &Backup{Format: backupFormat, Version: backupVersion, LakeFormat: FormatVersion, Created: l.opts.Clock().UTC()}
	if err := b.follow(ctx, to, earlier, l.Stores()); err != nil {
		return nil, err
	}
	if l.ring != nil {
		b.Keeper = l.ring.Keeper()
	}
	if err := l.checkSecret(); err != nil {
		// The events are worth a backup all the same.
		l.opts.Logger.Warn("what is restored from this backup will make no digests", "error", err)
	}
	stage := l.base.PathJoin(l.dir, stageDir)
	if err := l.base.RemoveAll(stage); err != nil && !errors.Is(err, os.ErrNotExist) {
		return nil, fmt.Errorf("removing what an earlier backup has left: %w", err)
	}
	staged, err := l.stage(stage, b)
	if err == nil {
		var r *BackupReport
		if r, err = l.upload(ctx, to, opts, b, earlier, staged); err == nil {
			r.Elapsed = time.Since(started)
			return r, l.base.RemoveAll(stage)
		}
	}
	return nil, errors.Join(err, l.base.RemoveAll(stage))
}

// follow makes b the successor of the last of the earlier backups.
func (b *Backup) follow(ctx context.Context, to Bucket, earlier []*Backup, stores []*Store) error {
	at := b.Created.Truncate(time.Microsecond)
	b.ID = at.Format(backupIDForm)
	if len(earlier) == 0 {
		return nil
	}
	last := earlier[len(earlier)-1]
	same := len(last.Stores) == 0
	for _, s := range stores {
		for _, o := range last.Stores {
			same = same || s.ID() == o.ID
		}
	}
	if !same {
		return failf(ErrConflict, "the backups there are of another lake: it has none of the stores of backup %s; use another place", last.ID)
	}
	if b.ID <= last.ID {
		before, err := time.Parse(backupIDForm, last.ID)
		if err != nil {
			return damagedObject(last.name(), err)
		}
		b.ID = before.Add(time.Microsecond).Format(backupIDForm)
	}
	_, raw, err := readBackup(ctx, to, last.name())
	if err != nil {
		return err
	}
	sum := sha256.Sum256(raw)
	b.Previous, b.PreviousSHA256 = last.ID, hex.EncodeToString(sum[:])
	return nil
}

// stagedFile is a file to be backed up.
type stagedFile struct {
	path   string // below the lake
	source string // where it is
	bytes  int64  // so much of it
}

// stage links all files of the lake as they are at one moment.
//
// While logged and cat are held nothing is appended and the catalogue does not
// change. Tables that are being written then are named by no catalogue, and are
// swept when the backup is opened. The log keeps growing in its last file
// afterwards, so its size is noted.
func (l *Lake) stage(stage string, b *Backup) ([]stagedFile, error) {
	fs := l.base
	if err := fs.MkdirAll(fs.PathJoin(stage, walDir), 0o755); err != nil {
		return nil, fmt.Errorf("making a directory for the backup: %w", err)
	}
	l.logged.Lock()
	defer l.logged.Unlock()
	l.cat.Lock()
	defer l.cat.Unlock()
	for _, s := range l.Stores() {
		b.Stores = append(b.Stores, BackupStore{Name: s.Name(), ID: s.ID(), Events: s.Events()})
	}
	if err := l.db.Checkpoint(fs.PathJoin(stage, dbDir)); err != nil {
		return nil, l.writeErr(err)
	}
	var out []stagedFile
	add := func(path, source string) error {
		info, err := fs.Stat(source)
		if err != nil {
			return err
		}
		out = append(out, stagedFile{path: path, source: source, bytes: info.Size()})
		return nil
	}
	logs, err := fs.List(fs.PathJoin(l.dir, walDir))
	if err != nil {
		return nil, fmt.Errorf("reading the log's directory: %w", err)
	}
	for _, name := range logs {
		if !strings.HasSuffix(name, ".wal") {
			continue // a file that has no name yet
		}
		link := fs.PathJoin(stage, walDir, name)
		if err := fs.Link(fs.PathJoin(l.dir, walDir, name), link); err != nil {
			return nil, fmt.Errorf("linking a log file: %w", err)
		}
		if err := add(walDir+"/"+name, link); err != nil {
			return nil, err
		}
	}
	names, err := fs.List(fs.PathJoin(stage, dbDir))
	if err != nil {
		return nil, fmt.Errorf("reading the checkpoint: %w", err)
	}
	for _, name := range names {
		if err := add(dbDir+"/"+name, fs.PathJoin(stage, dbDir, name)); err != nil {
			return nil, err
		}
	}
	// The small files: whatever lies in the directory itself.
	if names, err = fs.List(l.dir); err != nil {
		return nil, fmt.Errorf("reading the directory: %w", err)
	}
	for _, name := range names {
		path := fs.PathJoin(l.dir, name)
		info, err := fs.Stat(path)
		if err != nil {
			return nil, err
		}
		if info.IsDir() || name == lockFile || name == ControlSocket || strings.HasSuffix(name, ".tmp") {
			continue
		}
		link := fs.PathJoin(stage, name)
		if err := fs.Link(path, link); err != nil {
			return nil, fmt.Errorf("linking %s: %w", path, err)
		}
		if err := add(name, link); err != nil {
			return nil, err
		}
	}
	sort.Slice(out, func(i, j int) bool { return out[i].path < out[j].path })
	return out, nil
}

// upload writes what is not there yet, and then the manifest.
func (l *Lake) upload(ctx context.Context, to Bucket, opts BackupOptions, b *Backup, earlier []*Backup, staged []stagedFile) (*BackupReport, error) {
	there := map[string]int64{} // all objects
	err := to.List(ctx, objectPrefix, func(name string, size int64) error {
		there[name] = size
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("listing what earlier backups have: %w", err)
	}
	verified := map[string]bool{} // objects of complete backups
	known := map[string]BackupFile{}
	for i, e := range earlier {
		for _, f := range e.Files {
			verified[f.object()] = true
			if i == len(earlier)-1 {
				known[f.Path] = f
			}
		}
	}
	r := &BackupReport{Backup: b}
	p := BackupProgress{Files: len(staged)}
	for _, f := range staged {
		p.Bytes += f.bytes
	}
	for _, s := range staged {
		f, err := l.describe(ctx, s, known, opts.Rehash)
		if err != nil {
			return nil, err
		}
		name := f.object()
		size, exists := there[name]
		if exists && size == f.objectBytes() && !verified[name] {
			// Left by a backup that was cut short.
			exists = verifyObject(ctx, to, &f) == nil
		}
		if !exists || size != f.objectBytes() {
			if err := l.put(ctx, to, s, &f); err != nil {
				return nil, err
			}
			r.Uploaded++
			r.UploadedBytes += f.objectBytes()
		}
		there[name], verified[name] = f.objectBytes(), true
		b.Files = append(b.Files, f)
		p.FilesDone++
		if p.BytesDone += f.Bytes; opts.Progress != nil {
			opts.Progress(p)
		}
	}
	// Everything is there, and was read back. From here on it is a backup.
	manifest := b.encode()
	if err := to.Write(ctx, b.name(), bytes.NewReader(manifest)); err != nil {
		return nil, fmt.Errorf("writing backup manifest %s: %w", b.name(), err)
	}
	if _, raw, err := readBackup(ctx, to, b.name()); err != nil || !bytes.Equal(raw, manifest) {
		return nil, errors.Join(damagedObject(b.name(), errors.New("it is not what was written just now")), err)
	}
	return r, nil
}

// describe tells size and hash of a file. The hash of a file that the last backup
// has by the same name, size and time is taken from there: tables never change.
func (l *Lake) describe(ctx context.Context, s stagedFile, known map[string]BackupFile, rehash bool) (BackupFile, error) {
	info, err := l.base.Stat(s.source)
	if err != nil {
		return BackupFile{}, err
	}
	f := BackupFile{Path: s.path, Bytes: s.bytes, Modified: info.ModTime().UnixNano()}
	if k, ok := known[s.path]; ok && !rehash && k.Bytes == f.Bytes && k.Modified == f.Modified && strings.HasSuffix(s.path, ".sst") {
		f.Head, f.SHA256 = k.Head, k.SHA256
		return f, nil
	}
	h := sha256.New()
	r, err := l.openStaged(ctx, s)
	if err != nil {
		return f, err
	}
	head := make([]byte, min(crypt.HeadLen, s.bytes))
	n, err := io.ReadFull(r, head)
	if err == nil {
		// What does not begin like an encrypted file is one object as a whole.
		if f.Head = crypt.FileHead(head); f.Head == nil {
			h.Write(head)
		}
		var rest int64
		if rest, err = io.Copy(h, r); err == nil && int64(n)+rest != s.bytes {
			err = fmt.Errorf("it has %d bytes, should have %d", int64(n)+rest, s.bytes)
		}
	}
	if err := errors.Join(err, r.Close()); err != nil {
		return f, fmt.Errorf("reading %s for the backup: %w", s.path, err)
	}
	f.SHA256 = hex.EncodeToString(h.Sum(nil))
	return f, nil
}

// put writes the object of a file and reads it back.
func (l *Lake) put(ctx context.Context, to Bucket, s stagedFile, f *BackupFile) error {
	r, err := l.openStaged(ctx, s)
	if err != nil {
		return err
	}
	if _, err := io.CopyN(io.Discard, r, f.headBytes()); err != nil {
		return errors.Join(fmt.Errorf("reading %s for the backup: %w", s.path, err), r.Close())
	}
	if err := errors.Join(to.Write(ctx, f.object(), r), r.Close()); err != nil {
		return fmt.Errorf("writing backup object %s of file %s: %w", f.object(), f.Path, err)
	}
	if err := verifyObject(ctx, to, f); err != nil {
		return fmt.Errorf("file %s, just written: %w", f.Path, err)
	}
	return nil
}

// openStaged opens a staged file as it is on disk, encrypted or not.
func (l *Lake) openStaged(ctx context.Context, s stagedFile) (io.ReadCloser, error) {
	f, err := l.base.Open(s.source)
	if err != nil {
		return nil, fmt.Errorf("opening %s for the backup: %w", s.path, err)
	}
	return &cancelReader{ctx: ctx, Reader: io.LimitReader(f, s.bytes), Closer: f}, nil
}

// cancelReader ends with its context.
type cancelReader struct {
	ctx context.Context
	io.Reader
	io.Closer
}

func (r *cancelReader) Read(p []byte) (int, error) {
	if err := r.ctx.Err(); err != nil {
		return 0, err
	}
	return r.Reader.Read(p)
}
