package crashmem

import (
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"
)

// TestCrashWhileLinking takes crash clones while other goroutines link files.
func TestCrashWhileLinking(t *testing.T) {
	mem := New()
	f, err := mem.Create("a", vfs.WriteCategoryUnspecified)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := f.Write([]byte("kept")); err != nil {
		t.Fatal(err)
	}
	if err := f.Close(); err != nil {
		t.Fatal(err)
	}
	const links = 20_000
	done := make(chan error, 2)
	go func() {
		for i := range links {
			if err := mem.Link("a", fmt.Sprint("b", i)); err != nil {
				done <- err
				return
			}
			if err := mem.Remove(fmt.Sprint("b", i)); err != nil {
				done <- err
				return
			}
		}
		done <- nil
	}()
	go func() {
		for range links / 10 {
			mem.CrashClone(vfs.CrashCloneCfg{})
		}
		done <- nil
	}()
	for range 2 {
		select {
		case err := <-done:
			if err != nil {
				t.Fatal(err)
			}
		case <-time.After(time.Minute):
			t.Fatal("linking and crashing wait for each other")
		}
	}
	if err := errors.Join(settle(mem, "a"), settle(mem, "")); err != nil {
		t.Fatal(err)
	}
	if all, err := mem.CrashClone(vfs.CrashCloneCfg{}).List(""); err != nil || len(all) != 1 || all[0] != "a" {
		t.Fatalf("a clone has %v, %v", all, err)
	}
}

func settle(fs vfs.FS, name string) error {
	f, err := fs.OpenDir(name)
	if err != nil {
		return err
	}
	return errors.Join(f.Sync(), f.Close())
}
