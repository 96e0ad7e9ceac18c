package engine

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/cairndb/cairn/engine/event"
	"github.com/cairndb/cairn/engine/event/generate"
)

// TestSchemas fills a store of every schema, asks all of them in one query, and
// offers each what belongs into another.
func TestSchemas(t *testing.T) {
	ctx := context.Background()
	dir := t.TempDir()
	l, err := Open(dir, nil)
	if err != nil {
		t.Fatal(err)
	}
	records := map[string][][]byte{}
	for _, kind := range generate.Kinds() {
		err := generate.EachOf(kind, generate.Options{Events: 400}, func(raw []byte, _ time.Time) error {
			records[kind] = append(records[kind], append([]byte(nil), raw...))
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	g, err := generate.New(generate.Options{Events: 400})
	if err != nil {
		t.Fatal(err)
	}
	err = g.Each(func(raw []byte, _ int64) error {
		records[event.CloudTrail.Key] = append(records[event.CloudTrail.Key], append([]byte(nil), raw...))
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if len(records) != len(event.Tables()) {
		t.Fatalf("%d kinds of records for %d schemas", len(records), len(event.Tables()))
	}
	for _, schema := range event.Tables() {
		s, err := l.CreateStoreOf(ctx, schema.Key, schema)
		if err != nil {
			t.Fatal(err)
		}
		for kind, recs := range records {
			verdicts, err := s.Append(ctx, recs[:200])
			if err != nil {
				t.Fatal(err)
			}
			taken := kind == schema.Key || schema == event.CloudTrail && kind == generate.Insights
			for i, v := range verdicts {
				if taken != (v.Status == Stored) || !taken && (v.Reason != string(event.OtherSchema) || !strings.Contains(v.Detail, schema.Name)) {
					t.Fatalf("record %d of %s in a store for %s: %+v", i, kind, schema.Key, v)
				}
			}
		}
	}
	if _, err := l.CreateStoreOf(ctx, "none", nil); !errors.Is(err, ErrBadInput) {
		t.Errorf("a store without a schema: %v", err)
	}
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	// The schema is a property of the store.
	if l, err = Open(dir, &Options{SegmentRows: 64}); err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	for _, s := range l.Stores() {
		if s.Schema().Key != s.Name() {
			t.Errorf("store %s came back with schema %s", s.Name(), s.Schema().Key)
		}
	}
	logs := t.TempDir()
	if _, err := generate.WriteKind(ctx, l.FS(), logs, generate.Activity, generate.Options{Events: 400, Days: 2}); err != nil {
		t.Fatal(err)
	}
	if _, err := l.Import(ctx, ImportOptions{Store: "activity", Schema: event.Insights, Paths: []string{logs}}); !errors.Is(err, ErrConflict) {
		t.Errorf("importing into a store with another schema than asked for: %v", err)
	}
	report, err := l.Import(ctx, ImportOptions{Store: "insights", Paths: []string{logs}})
	if err != nil || report.Refused != 400 || report.Stored != 0 {
		t.Errorf("importing activity into the store for Insights events: %+v, %v", report, err)
	}
	report, err = l.Import(ctx, ImportOptions{Store: "activity2", Schema: event.ExternalEvents, Paths: []string{logs}})
	if err != nil || report.Stored != 400 {
		t.Errorf("importing activity: %+v, %v", report, err)
	}
	for _, c := range []struct{ query, want string }{
		{"SELECT count(*) FROM configuration WHERE eventData.resourceType LIKE 'AWS::%' AND cardinality(eventData.configuration) > 0", "200"},
		{"SELECT count(*) FROM activity2 WHERE eventData.errormssage IS NOT NULL AND eventData.errormssage = eventData.errorMessage AND eventdata.UID <> eventid", "#"},
		{"SELECT count(*) FROM insights WHERE insightContext.insightAverage > insightContext.baselineAverage AND insightContext.attributions[1].insight[1].value LIKE 'arn:%'", "200"},
		{"SELECT count(DISTINCT insightState) FROM insights", "2"},
		{"SELECT count(*) FROM evidence WHERE element_at(eventData.attributes, 'rule') LIKE 'control-%' AND eventData.time = eventTime", "200"},
		{"SELECT count(*) FROM (SELECT eventID FROM activity UNION ALL SELECT eventID FROM configuration UNION ALL SELECT eventid FROM evidence)", "600"},
		{"SELECT count(*) FROM configuration WHERE json_extract_scalar(eventJson, '$.eventData.resourceId') = eventData.resourceId", "200"},
		{"SELECT count(*) FROM cloudtrail WHERE eventCategory = 'Insight' AND element_at(insightDetails, 'state') IS NULL", "200"},
	} {
		got := strings.Join(queryTest(t, l, c.query), "\n")
		if c.want == "#" && got == "0" || c.want != "#" && got != c.want {
			t.Errorf("%s: %s, should be %s", c.query, got, c.want)
		}
	}
	check, err := l.Check(ctx, CheckOptions{})
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range check.Problems {
		t.Error(p)
	}
}
