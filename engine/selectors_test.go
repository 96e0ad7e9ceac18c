package engine_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/cockroachdb/pebble/v2/vfs"

	"github.com/cairndb/cairn/engine"
	"github.com/cairndb/cairn/engine/event"
)

// TestStoreSelectors routes events by selectors, through changes and reopening.
func TestStoreSelectors(t *testing.T) {
	ctx := context.Background()
	opts := engine.Options{FS: vfs.NewMem(), DigestInterval: -1, RetainInterval: -1}
	lake, err := engine.Open("lake", &opts)
	if err != nil {
		t.Fatal(err)
	}
	record := func(n int, category, name string) []byte {
		return fmt.Appendf(nil, `{"eventVersion":"1.11","eventID":"e%d","eventTime":"2026-05-01T10:00:00Z","eventSource":"s3.amazonaws.com","eventName":%q,"eventCategory":%q}`, n, name, category)
	}
	only := func(category string, more ...event.FieldSelector) *event.Selectors {
		return &event.Selectors{Advanced: []event.AdvancedSelector{{FieldSelectors: append([]event.FieldSelector{{Field: "eventCategory", Equals: []string{category}}}, more...)}}}
	}
	if _, err := lake.MakeStore(ctx, engine.NewStore{Name: "puts", Days: engine.Forever, Selectors: only("Management", event.FieldSelector{Field: "eventName", StartsWith: []string{"Put"}})}); err != nil {
		t.Fatal(err)
	}
	if _, err := lake.MakeStore(ctx, engine.NewStore{Name: "all", Days: engine.Forever}); err != nil {
		t.Fatal(err)
	}
	for name, sel := range map[string]*event.Selectors{"contradicts": only("Management", event.FieldSelector{Field: "eventName", Equals: []string{"a"}, NotEquals: []string{"a"}}), "not of the store's schema": only("Insight")} {
		if _, err := lake.MakeStore(ctx, engine.NewStore{Name: "bad", Days: engine.Forever, Selectors: sel}); !errors.Is(err, engine.ErrBadInput) || !strings.Contains(err.Error(), name) {
			t.Errorf("selectors that are wrong (%s): %v", name, err)
		}
	}
	counts := func() string {
		var out []string
		for _, name := range []string{"all", "puts"} {
			s, err := lake.Store(name)
			if err != nil {
				t.Fatal(err)
			}
			out = append(out, fmt.Sprint(s.Events()))
		}
		return strings.Join(out, " ")
	}
	offer := func(records ...[]byte) {
		t.Helper()
		if _, err := lake.Append(ctx, records); err != nil {
			t.Fatal(err)
		}
	}
	offer(record(1, "Management", "PutBucketPolicy"), record(2, "Management", "GetBucketPolicy"), record(3, "Data", "PutObject"))
	if got := counts(); got != "3 1" {
		t.Errorf("all and puts have %s events, want 3 1", got)
	}
	if err := lake.SetSelectors(ctx, "puts", only("Data", event.FieldSelector{Field: "resources.type", Equals: []string{"AWS::S3::Object"}})); err != nil {
		t.Fatal(err)
	}
	if err := lake.Close(); err != nil {
		t.Fatal(err)
	}
	if lake, err = engine.Open("lake", &opts); err != nil {
		t.Fatal(err)
	}
	defer lake.Close()
	offer(record(4, "Management", "PutBucketPolicy"), []byte(strings.Replace(string(record(5, "Data", "GetObject")), "{", `{"resources":[{"type":"AWS::S3::Object"}],`, 1)))
	if got := counts(); got != "5 2" {
		t.Errorf("after the change and reopening all and puts have %s events, want 5 2", got)
	}
	// One store's appends go past its selectors.
	puts, _ := lake.Store("puts")
	if v, err := puts.Append(ctx, [][]byte{record(6, "Management", "X")}); err != nil || v[0].Status != engine.Stored {
		t.Errorf("appending to the store itself: %v, %v", v, err)
	}
	if err := lake.SetSelectors(ctx, "puts", nil); err != nil || puts.Selectors() != nil {
		t.Errorf("taking the selectors off: %v, %v", err, puts.Selectors())
	}
	if err := lake.SetSelectors(engine.WithActor(ctx, engine.Actor{Name: "nobody"}), "puts", only("Management")); !errors.Is(err, engine.ErrRefused) {
		t.Errorf("nobody changes selectors: %v", err)
	}
}
