package engine

import (
	"bytes"
	"testing"

	"github.com/cockroachdb/pebble/v2/vfs"

	"github.com/cairndb/cairn/engine/event/generate"
)

// BenchmarkSeal makes a segment of 16,384 generated events, from shredding to the table file: columns, filters, postings.
//
//	go test ./engine -run '^$' -bench 'Seal$'
func BenchmarkSeal(b *testing.B) {
	const rows = 16_384
	l, err := Open("lake", &Options{FS: vfs.NewMem(), NoMerge: true})
	if err != nil {
		b.Fatal(err)
	}
	defer l.Close()
	g, err := generate.New(generate.Options{Events: rows, Seed: 1, Days: 7})
	if err != nil {
		b.Fatal(err)
	}
	var records [][]byte
	if err := g.Each(func(raw []byte, _ int64) error { records = append(records, bytes.Clone(raw)); return nil }); err != nil {
		b.Fatal(err)
	}
	sh := newShredder(nil)
	stored := uint64(0)
	for b.Loop() {
		sh.reset()
		for _, rec := range records {
			if _, err := sh.add(rec); err != nil {
				b.Fatal(err)
			}
		}
		built, err := sh.finish(true)
		if err != nil {
			b.Fatal(err)
		}
		table, err := l.db.WriteTable(l.segmentNumber(), built.blocks)
		if err != nil {
			b.Fatal(err)
		}
		stored = built.cat.StoredBytes
		l.db.Discard(table)
	}
	b.ReportMetric(float64(b.N)*rows/b.Elapsed().Seconds(), "events/s")
	b.ReportMetric(float64(stored)/rows, "bytes/event")
}
