package logfile

import "github.com/cairndb/cairn/engine/event"

// Limits bound what one file may cost. Zero fields take the defaults.
type Limits struct {
	// RecordBytes is the size up to which records are handed out whole. The
	// cursor's memory is about twice this. Default: DefaultRecordBytes.
	RecordBytes int
	// DecompressedBytes is how much a compressed file may yield in all.
	// Uncompressed files have no limit: their size has already been paid for
	// on disk. Default: DefaultDecompressedBytes.
	DecompressedBytes int64
	// Ratio is how many times larger than its compressed bytes a file may get,
	// once it has yielded RatioFreeBytes. Default: DefaultRatio.
	Ratio int64
}

const (
	// DefaultRecordBytes is the largest record that the lake takes.
	DefaultRecordBytes = event.MaxRecordBytes

	// DefaultDecompressedBytes is far above what CloudTrail writes (50 MB), so
	// that months of logs put together in one file pass, and low enough that a
	// hostile file costs minutes and not days.
	DefaultDecompressedBytes = 64 << 30

	// DefaultRatio tells a bomb from a log. Logs shrink 8 to 30 times, copies of
	// one event with new identifiers some 100 times; gzip cannot exceed 1,032
	// and a bomb comes close to it.
	DefaultRatio = 400

	// RatioFreeBytes is how much any file may yield before its ratio counts: a
	// small file may be as repetitive as it likes.
	RatioFreeBytes = 64 << 20
)

func (l Limits) withDefaults() Limits {
	if l.RecordBytes <= 0 {
		l.RecordBytes = DefaultRecordBytes
	}
	if l.DecompressedBytes <= 0 {
		l.DecompressedBytes = DefaultDecompressedBytes
	}
	if l.Ratio <= 0 {
		l.Ratio = DefaultRatio
	}
	return l
}
