package engine

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"path"
	"regexp"
	"sort"
	"strings"
	"time"

	"github.com/cairndb/cairn/engine/crypt"
)

// Bucket is where backups lie: a set of objects with names such as
// "objects/1f/1f83…". Package engine/bucket has those of the cloud, [DirBucket]
// those in a directory.
type Bucket interface {
	// Write stores an object, durably, whole or not at all; one of the same name is
	// replaced.
	Write(ctx context.Context, name string, content io.Reader) error
	// Read opens an object; an error that is fs.ErrNotExist says that there is none.
	Read(ctx context.Context, name string) (io.ReadCloser, error)
	// List calls fn with the objects whose names begin with prefix, in any order.
	List(ctx context.Context, prefix string, fn func(name string, size int64) error) error
}

// Backup is the manifest of a backup: what the lake was at one moment, file by
// file. It is the last object of a backup to be written, backups/ID.json, and what
// it names was read back before.
//
// The files are objects named by the SHA-256 of their content, so that what two
// backups have in common (segments never change) is stored once. Files of an
// encrypted lake are stored as they are on disk, encrypted, but for their heads, which
// hold the wrapped data keys and are in the manifest: so a rotation of the lake's key,
// which changes heads only, does not have everything written again. The key ring is one
// of the files, and is of no use without the keeper.
type Backup struct {
	Format  string    `json:"format"`
	Version int       `json:"version"`
	ID      string    `json:"id"`
	Created time.Time `json:"created"`
	// Previous is the backup before this one, and PreviousSHA256 the hash of its
	// manifest, so that a chain of backups cannot be changed at one link.
	Previous       string `json:"previous,omitempty"`
	PreviousSHA256 string `json:"previousSHA256,omitempty"`

	LakeFormat int    `json:"lakeFormat"`
	Keeper     string `json:"keeper,omitempty"` // URL, of an encrypted lake

	Stores []BackupStore `json:"stores"`
	Files  []BackupFile  `json:"files"`

	// Checksum is the SHA-256 of the manifest with an empty checksum.
	Checksum string `json:"checksum"`
}

// BackupStore is a store as it was.
type BackupStore struct {
	Name   string `json:"name"`
	ID     string `json:"id"`
	Events uint64 `json:"events"`
}

// BackupFile is a file of the lake.
type BackupFile struct {
	Path     string `json:"path"` // below the lake's directory, with slashes
	Bytes    int64  `json:"bytes"`
	SHA256   string `json:"sha256"`   // of the object
	Modified int64  `json:"modified"` // nanoseconds since 1970, as the file system told
	// Head is how an encrypted file begins (crypt.FileHead); the object has what follows
	// the first crypt.HeadLen bytes.
	Head []byte `json:"head,omitempty"`
}

// headBytes is how much of the file is not in its object.
func (f *BackupFile) headBytes() int64 {
	if f.Head == nil {
		return 0
	}
	return crypt.HeadLen
}

// objectBytes is the length of the file's object.
func (f *BackupFile) objectBytes() int64 { return f.Bytes - f.headBytes() }

// head returns the bytes of the file that are not in its object.
func (f *BackupFile) head() []byte {
	head := make([]byte, f.headBytes())
	copy(head, f.Head)
	return head
}

const (
	backupFormat  = "cairn backup"
	backupVersion = 1
	backupPrefix  = "backups/"
	objectPrefix  = "objects/"

	// backupIDForm makes IDs that sort by time.
	backupIDForm = "20060102T150405.000000Z"

	// manifestBytesMax bounds what is read as a manifest: a million files.
	manifestBytesMax = 256 << 20
)

func (b *Backup) name() string { return backupPrefix + b.ID + ".json" }

// object is the name of the object with a file's content.
func (f *BackupFile) object() string { return objectPrefix + f.SHA256[:2] + "/" + f.SHA256 }

// Events is the number of events in all stores.
func (b *Backup) Events() (n uint64) {
	for _, s := range b.Stores {
		n += s.Events
	}
	return n
}

// Bytes is the size of all files.
func (b *Backup) Bytes() (n int64) {
	for _, f := range b.Files {
		n += f.Bytes
	}
	return n
}

// encode fills in the checksum.
func (b *Backup) encode() []byte {
	b.Checksum = ""
	plain := b.marshal()
	sum := sha256.Sum256(plain)
	b.Checksum = hex.EncodeToString(sum[:])
	return b.marshal()
}

func (b *Backup) marshal() []byte {
	out, err := json.MarshalIndent(b, "", " ")
	if err != nil {
		panic(err) // a time out of range, which parsing and the clock exclude
	}
	return append(out, '\n')
}

var (
	sha256Form   = regexp.MustCompile(`^[0-9a-f]{64}$`)
	backupIDText = regexp.MustCompile(`^[0-9]{8}T[0-9]{6}\.[0-9]{6}Z$`)
)

// parseBackup reads a manifest and demands that it is in the form in which
// manifests are written.
func parseBackup(raw []byte) (*Backup, error) {
	b := new(Backup)
	dec := json.NewDecoder(bytes.NewReader(raw))
	dec.DisallowUnknownFields()
	if err := dec.Decode(b); err != nil {
		return nil, fmt.Errorf("it is no manifest: %w", err)
	}
	if b.Format != backupFormat {
		return nil, fmt.Errorf("it should be a %q and says %q", backupFormat, b.Format)
	}
	if b.Version != backupVersion {
		return nil, fmt.Errorf("it has version %d, this program knows version %d", b.Version, backupVersion)
	}
	if y := b.Created.Year(); y < 0 || y > 9999 || !backupIDText.MatchString(b.ID) || b.Previous != "" && !backupIDText.MatchString(b.Previous) {
		return nil, errors.New("its IDs or its time are not as they must be")
	}
	for _, f := range b.Files {
		if !sha256Form.MatchString(f.SHA256) || f.objectBytes() < 0 || !localPath(f.Path) || !bytes.Equal(f.Head, crypt.FileHead(f.head())) {
			return nil, fmt.Errorf("file %q is not described as it must be", f.Path)
		}
	}
	sum := b.Checksum
	if again := b.encode(); b.Checksum != sum || !bytes.Equal(again, raw) {
		return nil, errors.New("its checksum does not fit")
	}
	return b, nil
}

// localPath reports whether a path stays below the directory it is relative to.
func localPath(p string) bool {
	return p != "" && p != "." && path.Clean(p) == p && !path.IsAbs(p) && p != ".." && !strings.HasPrefix(p, "../") && !strings.ContainsAny(p, "\\\x00:")
}

// damagedObject is the error of an object that is not what was written.
func damagedObject(name string, err error) error {
	return &CorruptionError{Place: "backup object " + name, Err: err}
}

// readBackup reads a manifest.
func readBackup(ctx context.Context, from Bucket, name string) (*Backup, []byte, error) {
	r, err := from.Read(ctx, name)
	if err != nil {
		return nil, nil, fmt.Errorf("reading backup manifest %s: %w", name, err)
	}
	raw, err := io.ReadAll(io.LimitReader(r, manifestBytesMax+1))
	if err := errors.Join(err, r.Close()); err != nil {
		return nil, nil, fmt.Errorf("reading backup manifest %s: %w", name, err)
	}
	b, err := parseBackup(raw)
	if err != nil {
		return nil, nil, damagedObject(name, err)
	}
	if b.name() != name {
		return nil, nil, damagedObject(name, fmt.Errorf("it is the manifest of backup %s", b.ID))
	}
	return b, raw, nil
}

// Backups lists the backups in a bucket, oldest first, and checks that each names
// the one before it as it is. The oldest may have lost its predecessor.
func Backups(ctx context.Context, from Bucket) ([]*Backup, error) {
	var names []string
	err := from.List(ctx, backupPrefix, func(name string, _ int64) error {
		if strings.HasSuffix(name, ".json") {
			names = append(names, name)
		}
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("listing backups: %w", err)
	}
	sort.Strings(names)
	var out []*Backup
	sums := map[string]string{}
	for i, name := range names {
		b, raw, err := readBackup(ctx, from, name)
		if err != nil {
			return nil, err
		}
		if sum, there := sums[b.Previous]; there && sum != b.PreviousSHA256 {
			return nil, damagedObject(backupPrefix+b.Previous+".json", fmt.Errorf("backup %s remembers another content of it", b.ID))
		} else if !there && i > 0 && b.Previous != "" {
			return nil, damagedObject(backupPrefix+b.Previous+".json", fmt.Errorf("it is missing, but backup %s follows it", b.ID))
		}
		sum := sha256.Sum256(raw)
		sums[b.ID] = hex.EncodeToString(sum[:])
		out = append(out, b)
	}
	return out, nil
}

// VerifyBackup reads all objects of a backup and returns those that are missing or
// damaged, each as an error that names object and file.
func VerifyBackup(ctx context.Context, from Bucket, b *Backup, progress func(done, bytes int64)) ([]error, error) {
	var problems []error
	var done int64
	for i := range b.Files {
		f := &b.Files[i]
		if err := verifyObject(ctx, from, f); err != nil {
			if ctx.Err() != nil {
				return problems, err
			}
			problems = append(problems, fmt.Errorf("file %s: %w", f.Path, err))
		}
		if done += f.Bytes; progress != nil {
			progress(done, b.Bytes())
		}
	}
	return problems, nil
}

// verifyObject reads an object back.
func verifyObject(ctx context.Context, from Bucket, f *BackupFile) error {
	r, err := from.Read(ctx, f.object())
	if err != nil {
		return damagedObject(f.object(), err)
	}
	h := sha256.New()
	n, err := io.Copy(h, io.LimitReader(r, f.objectBytes()+1))
	if err := errors.Join(err, r.Close()); err != nil {
		return fmt.Errorf("reading backup object %s: %w", f.object(), err)
	}
	return f.compare(n, h.Sum(nil))
}

// compare holds what was read against what was written.
func (f *BackupFile) compare(n int64, sum []byte) error {
	if n != f.objectBytes() {
		return damagedObject(f.object(), fmt.Errorf("it should have %d bytes, and has %d or more", f.objectBytes(), n))
	}
	if got := hex.EncodeToString(sum); got != f.SHA256 {
		return damagedObject(f.object(), fmt.Errorf("its SHA-256 is %s", got))
	}
	return nil
}
