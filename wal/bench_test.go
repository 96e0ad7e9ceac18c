package wal

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"
)

// eventBytes is what one audit event takes in a record, about.
const eventBytes = 1700

// BenchmarkAppendSync appends groups of events with one sync for each, on the
// disk under the temporary directory and in memory.
func BenchmarkAppendSync(b *testing.B) {
	for _, where := range []string{"disk", "mem"} {
		for _, group := range []int{1, 100, 1000} {
			b.Run(fmt.Sprintf("%s/group=%d", where, group), func(b *testing.B) {
				fs, dir := vfs.Default, b.TempDir()
				if where == "mem" {
					mem := vfs.NewMem()
					if err := mem.MkdirAll("/lake", 0o755); err != nil {
						b.Fatal(err)
					}
					fs, dir = mem, "/lake"
				}
				l, _, err := Open(fs, fs.PathJoin(dir, "wal"), Options{}, nil)
				if err != nil {
					b.Fatal(err)
				}
				event := make([]byte, eventBytes)
				for i := range event {
					event[i] = byte('a' + i%26)
				}
				parts := make([][]byte, group)
				for i := range parts {
					parts[i] = event
				}
				b.SetBytes(int64(group * eventBytes))
				b.ReportAllocs()
				var took []time.Duration
				for b.Loop() {
					begun := time.Now()
					pos, err := l.AppendSync(parts...)
					took = append(took, time.Since(begun))
					if err != nil {
						b.Fatal(err)
					}
					if err := l.Drop(pos); err != nil {
						b.Fatal(err)
					}
				}
				slices.Sort(took)
				b.ReportMetric(float64(group*b.N)/b.Elapsed().Seconds(), "events/s")
				// On a shared disk the median says more than the mean.
				b.ReportMetric(float64(group)/took[len(took)/2].Seconds(), "median-events/s")
				if err := l.Close(); err != nil {
					b.Fatal(err)
				}
			})
		}
	}
}

// BenchmarkOpen reads a log of 64 MiB in records of a hundred events.
func BenchmarkOpen(b *testing.B) {
	fs := vfs.NewMem()
	if err := fs.MkdirAll("/lake", 0o755); err != nil {
		b.Fatal(err)
	}
	l, _, err := Open(fs, "/lake/wal", Options{}, nil)
	if err != nil {
		b.Fatal(err)
	}
	record := make([]byte, 100*eventBytes)
	for i := range record {
		record[i] = byte(i)
	}
	const records = DefaultFileSize / (100 * eventBytes)
	for range records {
		if _, err := l.AppendSync(record); err != nil {
			b.Fatal(err)
		}
	}
	if err := l.Close(); err != nil {
		b.Fatal(err)
	}
	b.SetBytes(int64(records * len(record)))
	for b.Loop() {
		n := 0
		if _, _, err := Open(fs, "/lake/wal", Options{}, func(_ Position, payload []byte) error { n += len(payload); return nil }); err != nil || n != records*len(record) {
			b.Fatal(n, err)
		}
	}
}
