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
	"github.com/cairndb/cairn/engine/proof"
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

// hashTime returns the processor time of hashing so many bytes on the machine as it is
// now, in pieces of the length of a record: by crypto/sha256, and as leaves of a tree.
func hashTime(b *testing.B, bytes int64) (plain, leaves time.Duration) {
	const sample = 64 << 20
	piece := make([]byte, 1700)
	of := func(hash func()) time.Duration {
		before := cpuTime(b)
		for n := 0; n < sample; n += len(piece) {
			hash()
		}
		return time.Duration(float64(cpuTime(b)-before) * float64(bytes) / sample)
	}
	plain = of(func() { sha256.Sum256(piece) })
	var hasher proof.LeafHasher
	leaves = of(func() { hasher.Add(piece) })
	return plain, leaves
}

// spending is the processor time of verifications, and what of it hashing takes.
type spending struct {
	records, files int64 // bytes
	spent          time.Duration
	plain          time.Duration // crypto/sha256 over all of it
	hashing        time.Duration // records as leaves, files one after the other
}

// add takes up one verification.
func (s *spending) add(b *testing.B, spent time.Duration, records, files int64) {
	plain, leaves := hashTime(b, records)
	ofFiles, _ := hashTime(b, files)
	s.records, s.files, s.spent = s.records+records, s.files+files, s.spent+spent
	s.plain, s.hashing = s.plain+plain+ofFiles, s.hashing+leaves+ofFiles
}

// report reports records verified per second of processor time, what hashing alone does,
// and what everything else takes for each byte of a record.
func (s *spending) report(b *testing.B) {
	b.ReportMetric(float64(s.records)/1e6/s.spent.Seconds(), "MB/cpu-s")
	b.ReportMetric(float64(s.records+s.files)/1e6/s.plain.Seconds(), "sha256-MB/cpu-s")
	b.ReportMetric(float64(s.records+s.files)/1e6/s.hashing.Seconds(), "hashing-MB/cpu-s")
	b.ReportMetric(float64((s.spent-s.hashing).Nanoseconds())/float64(s.records), "other-ns/B")
	b.ReportMetric(float64(s.records)/1e6/b.Elapsed().Seconds(), "MB/s")
}

// BenchmarkVerifyFull hashes all records of a lake again and compares trees and digests.
func BenchmarkVerifyFull(b *testing.B) {
	l := benchLake(b)
	var s spending
	for b.Loop() {
		before := cpuTime(b)
		r, err := l.Verify(context.Background(), VerifyOptions{Full: true, Store: DefaultStore})
		spent := cpuTime(b) - before
		if err != nil || r.ProblemCount > 0 {
			b.Fatal(r, err)
		}
		b.StopTimer()
		s.add(b, spent, r.Stores[0].HashedBytes, 0)
		b.StartTimer()
	}
	s.report(b)
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
			var s spending
			for b.Loop() {
				before := cpuTime(b)
				r, err := archive.Verify(context.Background(), from, archive.VerifyOptions{})
				spent := cpuTime(b) - before
				if err != nil || r.ProblemCount > 0 {
					b.Fatal(r, err)
				}
				b.StopTimer()
				s.add(b, spent, r.Bytes, r.FileBytes)
				b.StartTimer()
			}
			s.report(b)
		})
	}
}
