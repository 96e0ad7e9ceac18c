package bucket_test

import (
	"context"
	"errors"
	"io"
	"io/fs"
	"net/http/httptest"
	"os"
	"strings"
	"testing"

	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/johannesboyne/gofakes3"
	"github.com/johannesboyne/gofakes3/backend/s3mem"

	"github.com/cairndb/cairn/engine"
	"github.com/cairndb/cairn/engine/bucket"
	"github.com/cairndb/cairn/engine/enginetest"
)

// s3 starts an S3 server in this process and returns the URL of a bucket there.
func s3(t *testing.T) string {
	t.Helper()
	backend := s3mem.New()
	if err := backend.CreateBucket("audit"); err != nil {
		t.Fatal(err)
	}
	server := httptest.NewServer(gofakes3.New(backend).Server())
	t.Cleanup(server.Close)
	for k, v := range map[string]string{"AWS_ACCESS_KEY_ID": "key", "AWS_SECRET_ACCESS_KEY": "secret", "AWS_EC2_METADATA_DISABLED": "true"} {
		t.Setenv(k, v)
	}
	return "s3://audit/lakes/one?region=eu-west-1&use_path_style=true&disable_https=true&endpoint=" + server.URL
}

// TestObjects writes, lists and reads objects below a prefix.
func TestObjects(t *testing.T) {
	ctx := context.Background()
	url := s3(t)
	b, err := bucket.Open(ctx, url)
	if err != nil {
		t.Fatal(err)
	}
	defer b.Close()
	for _, name := range []string{"a/1", "a/2", "b/1"} {
		if err := b.Write(ctx, name, strings.NewReader("content of "+name)); err != nil {
			t.Fatal(err)
		}
	}
	var names []string
	err = b.List(ctx, "a/", func(name string, size int64) error {
		if size != int64(len("content of a/1")) {
			t.Errorf("%s has %d bytes", name, size)
		}
		names = append(names, name)
		return nil
	})
	if err != nil || strings.Join(names, " ") != "a/1 a/2" {
		t.Errorf("%v, %v", names, err)
	}
	r, err := b.Read(ctx, "b/1")
	if err != nil {
		t.Fatal(err)
	}
	if text, err := io.ReadAll(r); err != nil || string(text) != "content of b/1" {
		t.Errorf("%q, %v", text, err)
	}
	r.Close()
	if _, err := b.Read(ctx, "none"); !errors.Is(err, fs.ErrNotExist) || !errors.Is(err, os.ErrNotExist) {
		t.Errorf("an object that is not there: %v", err)
	}
	// A write that is given up leaves nothing.
	if err := b.Write(ctx, "half", io.MultiReader(strings.NewReader("some"), failing{})); err == nil {
		t.Error("half an object was written")
	}
	if _, err := b.Read(ctx, "half"); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("half an object is there: %v", err)
	}
}

type failing struct{}

func (failing) Read([]byte) (int, error) { return 0, errors.New("the source is gone") }

// TestBackupToS3 backs an encrypted lake up to S3 and restores it.
func TestBackupToS3(t *testing.T) {
	ctx := context.Background()
	b, err := bucket.Open(ctx, s3(t))
	if err != nil {
		t.Fatal(err)
	}
	defer b.Close()
	o := engine.Options{FS: vfs.NewMem(), SegmentRows: 100, Keeper: enginetest.OpenKeeper{}}
	l, err := engine.Open("lake", &o)
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	s, err := l.CreateStore(ctx, engine.DefaultStore)
	if err != nil {
		t.Fatal(err)
	}
	want := enginetest.Events(0, 450)
	for i := range 2 {
		if _, err := s.Append(ctx, want[i*225:(i+1)*225]); err != nil {
			t.Fatal(err)
		}
		if _, err := l.Backup(ctx, b, engine.BackupOptions{}); err != nil {
			t.Fatal(err)
		}
	}
	o.FS = vfs.NewMem()
	if _, err := engine.Restore(ctx, b, "lake", engine.RestoreOptions{FS: o.FS}); err != nil {
		t.Fatal(err)
	}
	restored, err := engine.Open("lake", &o)
	if err != nil {
		t.Fatal(err)
	}
	defer restored.Close()
	if s, err = restored.Store(engine.DefaultStore); err != nil {
		t.Fatal(err)
	}
	for i, w := range want {
		if got, err := s.Record(ctx, uint64(i)); err != nil || string(got) != string(w) {
			t.Fatalf("record %d: %s, %v", i, got, err)
		}
	}
}

func TestBadURLs(t *testing.T) {
	for _, url := range []string{"nonsense://x", "s3://", "://"} {
		if b, err := bucket.Open(context.Background(), url); err == nil {
			b.Close()
			t.Errorf("%q opens", url)
		}
	}
}
