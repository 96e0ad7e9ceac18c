package engine

import (
	"bytes"
	"context"
	"errors"
	"strings"
	"testing"

	"github.com/cockroachdb/pebble/v2/vfs"

	"github.com/cairndb/cairn/engine/crypt"
	"github.com/cairndb/cairn/engine/enginetest"
)

// otherKeeper does not unwrap what OpenKeeper has wrapped.
type otherKeeper struct{ enginetest.OpenKeeper }

func (otherKeeper) Unwrap(context.Context, []byte) ([]byte, error) {
	return nil, errors.New("it is another key")
}

// fillEncrypted makes an encrypted lake with segments and a log.
func fillEncrypted(t *testing.T, fs vfs.FS) (o Options, want [][]byte) {
	t.Helper()
	o = Options{SegmentRows: 32, NoMerge: true, FS: fs, Keeper: enginetest.OpenKeeper{}}
	want = testEvents(0, 80)
	l, err := Open("lake", &o)
	if err != nil {
		t.Fatal(err)
	}
	s := storeTest(t, l)
	appendTest(t, s, want)
	waitSealed(t, s, 32)
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	return o, want
}

// TestEncryptedLake makes one, looks for plaintext in it, and opens it with the
// right keeper, with none, and with the wrong one.
func TestEncryptedLake(t *testing.T) {
	fs := vfs.NewMem()
	o, want := fillEncrypted(t, fs)
	files := map[string][]byte{}
	readTree(t, fs, "lake", files)
	for path, b := range files {
		for _, plain := range []string{"eventName", "us-east-1", "events", "cairn lake", "pebble", "CAIRNWAL", "user3"} {
			if bytes.Contains(b, []byte(plain)) && path != "lake/KEYS" {
				t.Errorf("%s has %q in the clear", path, plain)
			}
		}
	}
	none, wrong := o, o
	none.Keeper, wrong.Keeper = nil, otherKeeper{}
	for _, o := range []Options{none, wrong} {
		l, err := Open("lake", &o)
		if !errors.Is(err, ErrRefused) || !strings.Contains(err.Error(), "test:") {
			t.Errorf("opened %v, %v", l, err)
		}
	}
	l, err := Open("lake", &o)
	if err != nil {
		t.Fatal(err)
	}
	sameRecords(t, storeTest(t, l), want)
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	if err := fs.Remove("lake/KEYS"); err != nil {
		t.Fatal(err)
	}
	if _, err := Open("lake", &none); !errors.Is(err, ErrCorrupt) || !strings.Contains(err.Error(), "KEYS") {
		t.Errorf("without its key ring: %v", err)
	}
}

// TestKeeperForClearLake refuses what would be a misunderstanding.
func TestKeeperForClearLake(t *testing.T) {
	fs := vfs.NewMem()
	l, err := Open("lake", &Options{FS: fs})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := l.RotateEncryption(context.Background(), RotateOptions{}); !errors.Is(err, ErrBadInput) {
		t.Errorf("rotating: %v", err)
	}
	if s, err := l.Encryption(context.Background()); err != nil || s.Encrypted {
		t.Errorf("status %+v, %v", s, err)
	}
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	if _, err := Open("lake", &Options{FS: fs, Keeper: enginetest.OpenKeeper{}}); !errors.Is(err, ErrBadInput) {
		t.Errorf("opening with a keeper: %v", err)
	}
}

// TestRotateEncryption rotates a lake in use, destroys the old key, and in the end
// all of them.
func TestRotateEncryption(t *testing.T) {
	ctx := context.Background()
	fs := vfs.NewMem()
	o, want := fillEncrypted(t, fs)
	o.NoViews = true // a table of their groups that is being written meanwhile would keep the first key
	l, err := Open("lake", &o)
	if err != nil {
		t.Fatal(err)
	}
	s := storeTest(t, l)
	if n, err := l.RotateEncryption(ctx, RotateOptions{}); err != nil || n == 0 {
		t.Fatalf("%d files, %v", n, err)
	}
	more := testEvents(80, 120)
	appendTest(t, s, more)
	want = append(want, more...)
	status, err := l.Encryption(ctx)
	if err != nil {
		t.Fatal(err)
	}
	if len(status.Keys) != 2 || status.Keys[0].Files != 0 || status.Keys[1].Files == 0 || len(status.Unreadable)+len(status.Clear) > 0 {
		t.Fatalf("status %+v", status)
	}
	if _, err := l.DestroyKeys(ctx, []uint32{2}, false, false); !errors.Is(err, ErrRefused) {
		t.Errorf("destroying a key in use: %v", err)
	}
	if gone, err := l.DestroyKeys(ctx, nil, false, false); err != nil || len(gone) != 1 || gone[0] != 1 {
		t.Fatalf("destroyed %v, %v", gone, err)
	}
	sameRecords(t, storeTest(t, l), want)
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	if l, err = Open("lake", &o); err != nil {
		t.Fatal(err)
	}
	sameRecords(t, storeTest(t, l), want)
	report, err := l.Check(ctx, CheckOptions{})
	if err != nil || len(report.Problems) > 0 {
		t.Fatal(report, err)
	}
	if gone, err := l.DestroyKeys(ctx, nil, true, true); err != nil || len(gone) != 1 {
		t.Fatalf("destroyed %v, %v", gone, err)
	}
	l.Close()
	var noKey *crypt.KeyError
	if _, err := Open("lake", &o); !errors.Is(err, ErrRefused) || !errors.As(err, &noKey) || !strings.Contains(err.Error(), "destroyed") {
		t.Errorf("after all keys are destroyed: %v", err)
	}
}
