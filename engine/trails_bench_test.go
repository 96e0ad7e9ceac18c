package engine_test

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"

	"github.com/cairndb/cairn/engine"
)

// TestTrailReimport imports what a trail has delivered into a fresh lake: the same events.
func TestTrailReimport(t *testing.T) {
	ctx := context.Background()
	mem, c := vfs.NewMem(), newClock()
	l := openTrailLake(t, mem, c, nil)
	defer l.Close()
	s := trailSettings()
	s.Organization, s.Validation = "o-exampleorgid", true
	if _, err := l.CreateTrail(ctx, s); err != nil {
		t.Fatal(err)
	}
	if err := l.StartTrail(ctx, "main", false); err != nil {
		t.Fatal(err)
	}
	var want []string
	for n := range 300 {
		r := trailRecord(n, []string{trailAccount, "444455556666"}[n%2], []string{"eu-west-1", "us-west-2", "ap-south-1"}[n%3], "Management", "ec2.amazonaws.com")
		if n%7 == 0 { // bytes that a rewriting of the JSON would change
			r = []byte(strings.Replace(string(r), `{`, `{ "requestParameters" : {"a":1.50,"é":"\u00e9\/"},`, 1))
		}
		want = append(want, string(r))
		appendAll(t, l, "events", r)
		if n%100 == 99 {
			c.add(31 * time.Minute)
			if _, err := l.DeliverTrail(ctx, "main"); err != nil {
				t.Fatal(err)
			}
		}
	}
	forever := uint32(engine.Forever)
	fresh, err := engine.Open("fresh", &engine.Options{FS: mem, DigestInterval: -1, RetainInterval: -1})
	if err != nil {
		t.Fatal(err)
	}
	defer fresh.Close()
	report, err := fresh.Import(ctx, engine.ImportOptions{Paths: []string{"/out/audit-bucket"}, Days: &forever})
	if err != nil {
		t.Fatal(err)
	}
	got := []string{}
	store, err := fresh.Store(engine.DefaultStore)
	if err != nil {
		t.Fatal(err)
	}
	for seq := range store.Events() {
		r, err := store.Record(ctx, seq)
		if err != nil {
			t.Fatal(err)
		}
		got = append(got, string(r))
	}
	slices.Sort(got)
	slices.Sort(want)
	if !slices.Equal(got, want) {
		t.Errorf("%d events came back of %d, or not the same: %+v", len(got), len(want), report)
	}
}

// BenchmarkTrail delivers events that lie in segments and memtables to a directory of the
// real file system.
func BenchmarkTrail(b *testing.B) {
	ctx := context.Background()
	c := newClock()
	dir := b.TempDir()
	l, err := engine.Open(dir+"/lake", &engine.Options{Clock: c.now, DigestInterval: -1, RetainInterval: -1})
	if err != nil {
		b.Fatal(err)
	}
	defer l.Close()
	const events = 200_000
	store, err := l.MakeStore(ctx, engine.NewStore{Name: "events", Days: engine.Forever})
	if err != nil {
		b.Fatal(err)
	}
	pad := strings.Repeat("the quick brown fox jumps over the lazy dog and ", 15)
	bytes := 0
	for n := 0; n < events; {
		var batch [][]byte
		for range 10_000 {
			r := trailRecord(n, trailAccount, []string{"eu-west-1", "us-west-2"}[n%2], "Management", "ec2.amazonaws.com")
			r = append(r[:len(r)-1], fmt.Sprintf(`,"requestParameters":{"n":%d,"text":%q}}`, n, pad[n%100:])...)
			batch = append(batch, r)
			bytes += len(r)
			n++
		}
		if _, err := store.Append(ctx, batch); err != nil {
			b.Fatal(err)
		}
	}
	s := trailSettings()
	s.Target, s.Bucket = "file:"+dir+"/out", "out-bucket"
	if _, err := l.CreateTrail(ctx, s); err != nil {
		b.Fatal(err)
	}
	b.SetBytes(int64(bytes))
	for b.Loop() {
		if err := l.StopTrail(ctx, "main"); err != nil {
			b.Fatal(err)
		}
		if err := l.StartTrail(ctx, "main", true); err != nil {
			b.Fatal(err)
		}
		c.add(time.Minute)
		if info, err := l.DeliverTrail(ctx, "main"); err != nil || info.Status.Waiting != 0 {
			b.Fatal(err, info.Status)
		}
	}
	b.ReportMetric(float64(events*b.N)/b.Elapsed().Seconds(), "events/s")
}
