package engine

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"

	"github.com/cairndb/cairn/engine/enginetest"
)

// brittleBucket fails from its n-th write or read on.
type brittleBucket struct {
	Bucket
	left int
}

var errBrittle = errors.New("the network is gone")

func (b *brittleBucket) Write(ctx context.Context, name string, r io.Reader) error {
	if b.left--; b.left < 0 {
		return errBrittle
	}
	return b.Bucket.Write(ctx, name, r)
}

func (b *brittleBucket) Read(ctx context.Context, name string) (io.ReadCloser, error) {
	if b.left--; b.left < 0 {
		return nil, errBrittle
	}
	return b.Bucket.Read(ctx, name)
}

// inBoth runs a test on lakes in the clear and encrypted.
func inBoth(t *testing.T, test func(t *testing.T, o Options)) {
	o := Options{SegmentRows: 64, MemtableRows: 32}
	t.Run("clear", func(t *testing.T) { test(t, o) })
	o.Keeper = enginetest.OpenKeeper{}
	t.Run("encrypted", func(t *testing.T) { test(t, o) })
}

func restoreTest(t *testing.T, from Bucket, o Options, ro RestoreOptions) (*Lake, *Backup) {
	t.Helper()
	ro.FS = vfs.NewMem()
	b, err := Restore(context.Background(), from, "lake", ro)
	if err != nil {
		t.Fatal(err)
	}
	l := openTest(t, ro.FS, o)
	report, err := l.Check(context.Background(), CheckOptions{})
	if err != nil || len(report.Problems) > 0 {
		t.Fatalf("restored lake: %+v, %v", report, err)
	}
	verified, err := l.Verify(context.Background(), VerifyOptions{Full: true})
	if err != nil || verified.ProblemCount > 0 {
		t.Fatalf("restored lake: %+v, %v", verified, err)
	}
	return l, b
}

// TestBackupUnderLoad takes backups while events are appended as fast as they can
// be, and restores each.
func TestBackupUnderLoad(t *testing.T) { inBoth(t, testBackupUnderLoad) }

func testBackupUnderLoad(t *testing.T, o Options) {
	ctx := context.Background()
	l := openTest(t, vfs.NewMem(), o)
	s := storeTest(t, l)
	all := testEvents(0, 4000)
	stop := make(chan struct{})
	var work sync.WaitGroup
	work.Add(1)
	go func() {
		defer work.Done()
		for i := 0; i+10 <= len(all); i += 10 {
			select {
			case <-stop:
				return
			default:
			}
			if _, err := s.Append(ctx, all[i:i+10]); err != nil {
				t.Error(err)
				return
			}
		}
	}()
	to := DirBucket(vfs.NewMem(), "backups/of/lake")
	var uploaded []int
	var acked []uint64
	for i := range 4 {
		for s.Events() < uint64(i*300) {
			time.Sleep(time.Millisecond)
		}
		acked = append(acked, s.Events())
		r, err := l.Backup(ctx, to, BackupOptions{})
		if err != nil {
			t.Fatal(err)
		}
		uploaded = append(uploaded, r.Uploaded)
	}
	close(stop)
	work.Wait()
	list, err := Backups(ctx, to)
	if err != nil || len(list) != 4 {
		t.Fatalf("%d backups, %v", len(list), err)
	}
	t.Logf("objects written: %v; events: %d, %d, %d, %d", uploaded, list[0].Events(), list[1].Events(), list[2].Events(), list[3].Events())
	for i, b := range list {
		if b.Events() < acked[i]+uint64(i+1) {
			t.Errorf("backup %d has %d events, %d were acknowledged before it", i, b.Events(), acked[i])
		}
		restored, _ := restoreTest(t, to, o, RestoreOptions{ID: b.ID})
		n := b.Events() - uint64(i+1) // the backups are in the audit store
		sameRecords(t, storeTest(t, restored), all[:n])
		// It goes on from there.
		appendTest(t, storeTest(t, restored), all[n:n+5])
	}
	at, _ := restoreTest(t, to, o, RestoreOptions{At: list[1].Created})
	sameRecords(t, storeTest(t, at), all[:list[1].Events()-2])
	if _, err := Restore(ctx, to, "lake", RestoreOptions{FS: vfs.NewMem(), At: list[0].Created.Add(-time.Hour)}); !errors.Is(err, ErrNotFound) {
		t.Errorf("a time before the first backup: %v", err)
	}
}

// TestBackupIsIncremental makes a second backup of a lake that did not change, and
// looks for plaintext in that of an encrypted one.
func TestBackupIsIncremental(t *testing.T) { inBoth(t, testBackupIsIncremental) }

func testBackupIsIncremental(t *testing.T, o Options) {
	ctx := context.Background()
	fs := vfs.NewMem()
	o.NoMerge = true // a merge between the two backups makes new tables
	l := openTest(t, vfs.NewMem(), o)
	s := storeTest(t, l)
	appendTest(t, s, testEvents(0, 640))
	waitSealed(t, s, 0)
	to := DirBucket(fs, "b")
	first, err := l.Backup(ctx, to, BackupOptions{})
	if err != nil {
		t.Fatal(err)
	}
	second, err := l.Backup(ctx, to, BackupOptions{Rehash: true})
	if err != nil {
		t.Fatal(err)
	}
	// What the database makes by itself in between is new; the rest is not
	// written again.
	had := map[string]bool{}
	for _, f := range first.Backup.Files {
		had[f.SHA256] = true
	}
	tables, fresh := 0, 0
	for _, f := range second.Backup.Files {
		if had[f.SHA256] {
			if strings.HasSuffix(f.Path, ".sst") {
				tables++
			}
			continue
		}
		had[f.SHA256] = true
		fresh++
	}
	if second.Uploaded > fresh || tables == 0 || first.Uploaded < tables {
		t.Errorf("%d objects, then %d, of %d new files; %d tables were there before", first.Uploaded, second.Uploaded, fresh, tables)
	}
	files := map[string][]byte{}
	readTree(t, fs, "b", files)
	for path, b := range files {
		if o.Keeper != nil && strings.HasPrefix(path, "b/objects") && bytes.Contains(b, []byte("eventName")) {
			t.Errorf("%s has plaintext", path)
		}
	}
	other := openTest(t, vfs.NewMem(), o)
	storeTest(t, other)
	if _, err := other.Backup(ctx, to, BackupOptions{}); !errors.Is(err, ErrConflict) {
		t.Errorf("another lake in the same place: %v", err)
	}
}

// TestBackupAfterRotation: a rotation of the key changes the heads of all files, and what
// is behind them is not written again. The newest backup needs the new key only.
func TestBackupAfterRotation(t *testing.T) {
	ctx := context.Background()
	// Without views: a table of their groups that is being written during the rotation would keep the first key.
	o := Options{SegmentRows: 64, MemtableRows: 32, NoMerge: true, NoViews: true, Keeper: enginetest.OpenKeeper{}}
	l := openTest(t, vfs.NewMem(), o)
	s := storeTest(t, l)
	want := testEvents(0, 640)
	appendTest(t, s, want)
	waitSealed(t, s, 1)
	to := DirBucket(vfs.NewMem(), "b")
	first, err := l.Backup(ctx, to, BackupOptions{})
	if err != nil {
		t.Fatal(err)
	}
	objects := map[string]string{}
	for _, f := range first.Backup.Files {
		objects[f.Path] = f.SHA256
		if (f.Head == nil) != (f.Path == keysFile || f.Bytes == 0) {
			t.Errorf("%s of %d bytes has a head of %d", f.Path, f.Bytes, len(f.Head))
		}
	}
	if n, err := l.RotateEncryption(ctx, RotateOptions{}); err != nil || n == 0 {
		t.Fatal(n, err)
	}
	second, err := l.Backup(ctx, to, BackupOptions{})
	if err != nil {
		t.Fatal(err)
	}
	tables := 0
	for _, f := range second.Backup.Files {
		if old, there := objects[f.Path]; there && strings.HasSuffix(f.Path, ".sst") {
			tables++
			if f.SHA256 != old {
				t.Errorf("%s is another object after the rotation", f.Path)
			}
		}
	}
	if tables < 640/64/2 {
		t.Errorf("%d tables in both", tables)
	}
	for _, b := range []*Backup{first.Backup, second.Backup} {
		restored, _ := restoreTest(t, to, o, RestoreOptions{ID: b.ID})
		sameRecords(t, storeTest(t, restored), want)
		status, err := restored.Encryption(ctx)
		if err != nil || len(status.Unreadable) > 0 {
			t.Fatalf("%+v, %v", status, err)
		}
		if n := status.Keys[0].Files; (b == second.Backup) != (n == 0) {
			t.Errorf("backup %s: %d files under the first key", b.ID, n)
		}
	}
}

// TestBackupInterrupted cuts backups and restores short after every operation on
// the bucket, and goes on.
func TestBackupInterrupted(t *testing.T) { inBoth(t, testBackupInterrupted) }

func testBackupInterrupted(t *testing.T, o Options) {
	ctx := context.Background()
	l := openTest(t, vfs.NewMem(), o)
	s := storeTest(t, l)
	want := testEvents(0, 100)
	appendTest(t, s, want)
	waitSealed(t, s, 32)
	to := DirBucket(vfs.NewMem(), "b")
	tries := 0
	for left := 0; ; left++ {
		_, err := l.Backup(ctx, &brittleBucket{to, left}, BackupOptions{})
		if err == nil {
			break
		}
		if !errors.Is(err, errBrittle) {
			t.Fatal(err)
		}
		if list, err := Backups(ctx, to); err != nil || len(list) > 1 {
			t.Fatalf("after a backup that was cut short: %d backups, %v", len(list), err)
		}
		tries++
	}
	fs := vfs.NewMem()
	resumed := 0
	for left := 0; ; left++ {
		_, err := Restore(ctx, &brittleBucket{to, left}, "lake", RestoreOptions{FS: fs})
		if err == nil {
			break
		}
		if !errors.Is(err, errBrittle) {
			t.Fatal(err)
		}
		if left > 2 {
			opening := o
			opening.FS = fs
			if _, err := Open("lake", &opening); err == nil {
				t.Fatal("a lake that is half restored opens")
			}
		}
		resumed++
	}
	t.Logf("%d backups and %d restores cut short", tries, resumed)
	restored := openTest(t, fs, o)
	sameRecords(t, storeTest(t, restored), want)
	if _, err := Restore(ctx, to, "lake", RestoreOptions{FS: fs}); !errors.Is(err, ErrConflict) {
		t.Errorf("restoring over a lake: %v", err)
	}
}

// TestDamagedBackup changes, cuts and removes every object of a backup in turn. The
// restore names it.
func TestDamagedBackup(t *testing.T) {
	ctx := context.Background()
	l := openTest(t, vfs.NewMem(), Options{SegmentRows: 32, NoMerge: true})
	s := storeTest(t, l)
	appendTest(t, s, testEvents(0, 40))
	waitSealed(t, s, 32)
	fs := vfs.NewMem()
	to := DirBucket(fs, "b")
	for range 2 {
		if _, err := l.Backup(ctx, to, BackupOptions{}); err != nil {
			t.Fatal(err)
		}
	}
	list, err := Backups(ctx, to)
	if err != nil {
		t.Fatal(err)
	}
	last := list[1]
	files := map[string][]byte{}
	readTree(t, fs, "b", files)
	for path, good := range files {
		object := strings.TrimPrefix(path, "b/")
		used := object == last.name() || object == list[0].name()
		for _, f := range last.Files {
			used = used || f.object() == object
		}
		if !used || len(good) == 0 {
			continue
		}
		for name, bad := range map[string][]byte{
			"flipped": append(append(bytes.Clone(good[:len(good)/2]), good[len(good)/2]^1), good[len(good)/2+1:]...),
			"cut":     good[:len(good)-1],
			"longer":  append(bytes.Clone(good), 0),
			"removed": nil,
		} {
			if bad == nil && name == "removed" {
				if object == last.name() || object == list[0].name() {
					continue // the last and the first backup may be removed
				}
				if err := fs.Remove(path); err != nil {
					t.Fatal(err)
				}
			} else {
				writeTest(t, fs, path, bad)
			}
			_, err := Restore(ctx, to, "lake", RestoreOptions{FS: vfs.NewMem()})
			if !errors.Is(err, ErrCorrupt) || !strings.Contains(err.Error(), object) {
				t.Errorf("%s %s: %v", object, name, err)
			}
			if strings.HasPrefix(object, objectPrefix) {
				if problems, err := VerifyBackup(ctx, to, last, nil); err != nil || len(problems) == 0 || !strings.Contains(fmt.Sprint(problems), object) {
					t.Errorf("verifying with %s %s: %v, %v", object, name, problems, err)
				}
			}
			writeTest(t, fs, path, good)
		}
	}
	if problems, err := VerifyBackup(ctx, to, last, nil); err != nil || len(problems) > 0 {
		t.Errorf("verifying the whole backup: %v, %v", problems, err)
	}
}

// FuzzBackupManifest parses manifests: what parses is in the one form, and no path
// leads out of the lake.
func FuzzBackupManifest(f *testing.F) {
	b := &Backup{Format: backupFormat, Version: backupVersion, ID: "20260102T030405.000000Z", Created: time.Unix(1767322800, 0).UTC(), LakeFormat: 1,
		Stores: []BackupStore{{Name: "events", ID: "x", Events: 3}}, Files: []BackupFile{{Path: "db/1.sst", SHA256: strings.Repeat("0", 64), Bytes: 3}}}
	f.Add(b.encode())
	b.Files[0].Path = "../../etc/passwd"
	f.Add(b.encode())
	f.Fuzz(func(t *testing.T, raw []byte) {
		b, err := parseBackup(raw)
		if err != nil {
			return
		}
		if again := b.encode(); !bytes.Equal(again, raw) {
			t.Errorf("%s is written as %s", raw, again)
		}
		for _, f := range b.Files {
			if strings.Contains(f.Path, "..") && !localPath(f.Path) {
				t.Errorf("path %q leads out", f.Path)
			}
		}
	})
}
