package engine

import (
	"context"
	"crypto/sha256"
	"path/filepath"
	"syscall"
	"testing"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"

	"github.com/cairndb/cairn/engine/archive"
)

// cpuTime is what this process has computed so far: unlike the time that passes, it
// does not grow with what else the machine does.
func cpuTime(b *testing.B) time.Duration {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		b.Fatal(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// plainHash returns the processor time of SHA-256 over so many bytes, in pieces of the
// length of a record, on the machine as it is now.
func plainHash(b *testing.B, bytes int64) time.Duration {
	const sample = 64 << 20
	piece := make([]byte, 1700)
	before := cpuTime(b)
	for n := 0; n < sample; n += len(piece) {
		sha256.Sum256(piece)
	}
	return time.Duration(float64(cpuTime(b)-before) * float64(bytes) / sample)
}

// reportHashing reports what was hashed per second of processor time, and what part of
// that time SHA-256 alone takes over bytes of records and files.
func reportHashing(b *testing.B, records, files int64, spent, plain time.Duration) {
	b.ReportMetric(float64(records)/1e6/spent.Seconds(), "MB/cpu-s")
	b.ReportMetric(float64(records+files)/1e6/plain.Seconds(), "sha256-MB/cpu-s")
	b.ReportMetric(100*plain.Seconds()/spent.Seconds(), "%hashing")
	b.ReportMetric(float64((spent-plain).Nanoseconds())/float64(records), "other-ns/B")
	b.ReportMetric(float64(records)/1e6/b.Elapsed().Seconds(), "MB/s")
}

// BenchmarkVerifyFull hashes all records of a lake again and compares trees and digests.
func BenchmarkVerifyFull(b *testing.B) {
	l := benchLake(b)
	var bytes int64
	var spent, plain time.Duration
	for b.Loop() {
		before := cpuTime(b)
		r, err := l.Verify(context.Background(), VerifyOptions{Full: true, Store: DefaultStore})
		spent += cpuTime(b) - before
		if err != nil || r.ProblemCount > 0 {
			b.Fatal(r, err)
		}
		b.StopTimer()
		bytes += r.Stores[0].HashedBytes
		plain += plainHash(b, r.Stores[0].HashedBytes)
		b.StartTimer()
	}
	reportHashing(b, bytes, 0, spent, plain)
}

// BenchmarkVerifyBundle verifies bundles of the formats that cairn-verify unpacks.
func BenchmarkVerifyBundle(b *testing.B) {
	l := benchLake(b)
	for _, format := range []string{archive.CloudTrail, archive.JSONLines} {
		b.Run(format, func(b *testing.B) {
			dir := filepath.Join(b.TempDir(), format)
			if _, err := l.Export(context.Background(), DirBucket(vfs.Default, dir), ExportOptions{Formats: []string{format}}); err != nil {
				b.Fatal(err)
			}
			from, closer, err := archive.Dir(dir)
			if err != nil {
				b.Fatal(err)
			}
			defer closer.Close()
			var records, files int64
			var spent, plain time.Duration
			for b.Loop() {
				before := cpuTime(b)
				r, err := archive.Verify(context.Background(), from, archive.VerifyOptions{})
				spent += cpuTime(b) - before
				if err != nil || r.ProblemCount > 0 {
					b.Fatal(r, err)
				}
				b.StopTimer()
				records, files = records+r.Bytes, files+r.FileBytes
				plain += plainHash(b, r.Bytes+r.FileBytes)
				b.StartTimer()
			}
			reportHashing(b, records, files, spent, plain)
		})
	}
}
