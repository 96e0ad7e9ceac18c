package engine

import (
	"context"
	"syscall"
	"testing"
	"time"

	"github.com/cairndb/cairn/engine/insight"
)

// BenchmarkInsights looks for unusual activity in all events of a lake, as an import of them does at its end: counting, judging all
// series, records, durable states. It tells the processor's time, too, which other work on the machine does not change.
//
//	go test ./engine -run '^$' -bench Insights -benchtime 3x
func BenchmarkInsights(b *testing.B) {
	l := benchLake(b)
	ctx := context.Background()
	i := 0
	before := processorTime(b)
	var used time.Duration
	for b.Loop() {
		// Other settings, so that nothing of before can be used.
		i++
		if _, err := l.EnableInsights(ctx, InsightSettings{Store: DefaultStore, Params: insight.Params{Sensitivity: 1 + float64(i)/1e6}}); err != nil {
			b.Fatal(err)
		}
		r, err := l.DetectInsights(ctx, DefaultStore, nil)
		if err != nil {
			b.Fatal(err)
		}
		if !r.Everything || r.Events != benchEvents() {
			b.Fatalf("%+v", r)
		}
	}
	used = processorTime(b) - before
	b.ReportMetric(used.Seconds()/float64(i), "cpu-s/op")
	b.ReportMetric(float64(used.Nanoseconds())/float64(i)/float64(benchEvents()), "cpu-ns/event")
}

// processorTime is what this process has used.
func processorTime(b *testing.B) time.Duration {
	b.Helper()
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		b.Fatal(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}
