package generate

import (
	"bytes"
	"context"
	"crypto/sha256"
	"testing"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"

	"github.com/cairndb/cairn/engine/event"
)

func TestKinds(t *testing.T) {
	for _, kind := range Kinds() {
		schema := event.TableCalled(kind)
		if schema == nil {
			t.Fatalf("kind %s is not the key of a schema", kind)
		}
		all := func(seed uint64) (sum [32]byte) {
			h := sha256.New()
			var ev event.Event
			var last time.Time
			ids := map[string]bool{}
			err := EachOf(kind, Options{Events: 500, Seed: seed}, func(raw []byte, at time.Time) error {
				h.Write(raw)
				if err := event.Parse(raw, &ev); err != nil {
					t.Fatalf("%s: %v\n%s", kind, err, raw)
				}
				if err := schema.Check(&ev); err != nil {
					t.Fatalf("%s: %v", kind, err)
				}
				if at.UnixMicro() != ev.Time || at.Before(last.Add(-24*time.Hour)) {
					t.Fatalf("%s: event of %v after %v has time %v", kind, at, last, time.UnixMicro(ev.Time))
				}
				last = at
				ids[string(ev.ID)] = true
				return nil
			})
			if err != nil || len(ids) != 500 {
				t.Fatalf("%s: %d different events: %v", kind, len(ids), err)
			}
			return [32]byte(h.Sum(nil))
		}
		one := all(1)
		if again := all(1); one != again || one == all(2) {
			t.Errorf("%s: the bytes do not depend on the seed alone", kind)
		}
		fs := vfs.NewMem()
		sum, err := WriteKind(context.Background(), fs, "out", kind, Options{Events: 300, Days: 3})
		if err != nil || sum.Events != 300 || sum.Files < 3 {
			t.Errorf("%s: %+v, %v", kind, sum, err)
		}
	}
	if err := EachOf("nothing", Options{}, nil); err == nil || !bytes.Contains([]byte(err.Error()), []byte("insights")) {
		t.Errorf("an unknown kind: %v", err)
	}
	if err := EachOf(Insights, Options{Events: -1}, nil); err == nil {
		t.Error("a negative number of events was taken")
	}
}
