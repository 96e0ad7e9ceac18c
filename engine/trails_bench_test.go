package engine_test

import (
	"context"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"

	"github.com/cairndb/cairn/engine"
	"github.com/cairndb/cairn/engine/event"
	"github.com/cairndb/cairn/engine/event/generate"
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

// BenchmarkTrail delivers generated events of eight accounts that lie in segments and
// memtables to a directory of the real file system, and tells the processor's time too.
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
	g, err := generate.New(generate.Options{Events: events})
	if err != nil {
		b.Fatal(err)
	}
	bytes := 0
	var batch [][]byte
	flush := func() {
		if _, err := store.Append(ctx, batch); err != nil {
			b.Fatal(err)
		}
		batch = batch[:0]
	}
	err = g.Each(func(raw []byte, _ int64) error {
		bytes += len(raw)
		if batch = append(batch, slices.Clone(raw)); len(batch) == 10_000 {
			flush()
		}
		return nil
	})
	if err != nil {
		b.Fatal(err)
	}
	flush()
	s := trailSettings()
	s.Organization = "o-exampleorgid"
	s.Target, s.Bucket = "file:"+dir+"/out", "out-bucket"
	s.Selectors = event.Selectors{Basic: []event.BasicSelector{{DataResources: []event.DataResource{{Type: "AWS::S3::Object", Values: []string{"arn:aws:s3"}},
		{Type: "AWS::Lambda::Function", Values: []string{"arn:aws:lambda"}}, {Type: "AWS::DynamoDB::Table", Values: []string{"arn:aws:dynamodb"}}}}}}
	if _, err := l.CreateTrail(ctx, s); err != nil {
		b.Fatal(err)
	}
	b.SetBytes(int64(bytes))
	var files, delivered uint64
	before := ownCPU(b)
	for b.Loop() {
		if err := l.StopTrail(ctx, "main"); err != nil {
			b.Fatal(err)
		}
		if err := l.StartTrail(ctx, "main", true); err != nil {
			b.Fatal(err)
		}
		c.add(time.Minute)
		info, err := l.DeliverTrail(ctx, "main")
		if err != nil || info.Status.Waiting != 0 {
			b.Fatal(err, info.Status)
		}
		files, delivered = info.Status.Files, info.Status.Events
	}
	cpu := ownCPU(b) - before
	b.ReportMetric(float64(events*b.N)/b.Elapsed().Seconds(), "events/s")
	b.ReportMetric(float64(cpu.Microseconds())/float64(events*b.N), "cpu-µs/event")
	b.ReportMetric(float64(files)/float64(b.N), "files/op")
	b.ReportMetric(float64(delivered)/float64(b.N)/events, "delivered")
}

// BenchmarkTrailKeepsUp appends generated events while a trail delivers them to a directory of
// the real file system. The processor's time is that of all there is to do: logging, hashing and
// sealing what comes, and delivering it; generating is not in it.
func BenchmarkTrailKeepsUp(b *testing.B) {
	ctx := context.Background()
	const events, batchEvents = 200_000, 1000
	g, err := generate.New(generate.Options{Events: events})
	if err != nil {
		b.Fatal(err)
	}
	var batches [][][]byte
	err = g.Each(func(raw []byte, _ int64) error {
		if n := len(batches); n == 0 || len(batches[n-1]) == batchEvents {
			batches = append(batches, make([][]byte, 0, batchEvents))
		}
		last := &batches[len(batches)-1]
		*last = append(*last, slices.Clone(raw))
		return nil
	})
	if err != nil {
		b.Fatal(err)
	}
	var cpu, wall time.Duration
	for b.Loop() {
		b.StopTimer()
		dir := b.TempDir()
		l, err := engine.Open(dir+"/lake", &engine.Options{DigestInterval: -1, RetainInterval: -1})
		if err != nil {
			b.Fatal(err)
		}
		store, err := l.MakeStore(ctx, engine.NewStore{Name: "events", Days: engine.Forever})
		if err != nil {
			b.Fatal(err)
		}
		s := trailSettings()
		s.Organization = "o-exampleorgid"
		s.Target, s.Bucket = "file:"+dir+"/out", "out-bucket"
		if _, err := l.CreateTrail(ctx, s); err != nil {
			b.Fatal(err)
		}
		if err := l.StartTrail(ctx, "main", false); err != nil {
			b.Fatal(err)
		}
		b.StartTimer()
		before, began := ownCPU(b), time.Now()
		for _, batch := range batches {
			if _, err := store.Append(ctx, batch); err != nil {
				b.Fatal(err)
			}
		}
		info, err := l.DeliverTrail(ctx, "main")
		if err != nil || info.Status.Waiting != 0 {
			b.Fatal(err, info.Status)
		}
		wall += time.Since(began)
		if err := l.Close(); err != nil {
			b.Fatal(err)
		}
		cpu += ownCPU(b) - before
	}
	b.ReportMetric(float64(events*b.N)/wall.Seconds(), "events/s")
	b.ReportMetric(float64(cpu.Microseconds())/float64(events*b.N), "cpu-µs/event")
}

// ownCPU is the processor's time that this process has taken.
func ownCPU(tb testing.TB) time.Duration {
	var r syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &r); err != nil {
		tb.Fatal(err)
	}
	return time.Duration(r.Utime.Nano() + r.Stime.Nano())
}
