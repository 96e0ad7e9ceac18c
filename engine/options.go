package engine

import (
	"context"
	"crypto/rand"
	"io"
	"log/slog"
	"runtime"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"

	"github.com/cairndb/cairn/engine/archive"
	"github.com/cairndb/cairn/engine/crypt"
	"github.com/cairndb/cairn/engine/digest"
	"github.com/cairndb/cairn/sql"
)

// Limits and defaults. Each says why it is what it is.
const (
	// DefaultStore is the store that commands use when none is named.
	DefaultStore = "events"

	// defaultSegmentRows is one roaring container: smaller segments cost bytes
	// per event, larger ones memory and time to seal.
	defaultSegmentRows = 65536

	// segmentRowsMax is the largest number of rows that a segment can number.
	segmentRowsMax = 65536

	// defaultMemtableBytes bounds the raw bytes of one memtable, so that large
	// records cannot make 65,536 rows take gigabytes.
	defaultMemtableBytes = 192 << 20

	// defaultMemtableAge is how long a quiet store keeps rows out of segments:
	// the WAL that a crash has to replay stays short.
	defaultMemtableAge = time.Hour

	// defaultCacheBytes is shared by Pebble's block cache and the decoded parts
	// of segments.
	defaultCacheBytes = 256 << 20

	// AppendRecordsMax is the number of records that one Append may carry: a
	// call is held in memory several times over and becomes one WAL record.
	AppendRecordsMax = 100_000

	// AppendBytesMax is the number of bytes that one Append may carry.
	AppendBytesMax = 64 << 20

	// reserveBytes is the space on disk below which nothing is committed to the
	// database any more: several times what it writes between two looks at it.
	reserveBytes = 8 << 20

	// StoreNameMax is the longest name of a store, in bytes.
	StoreNameMax = 128
)

// Options adjust a lake. The zero value, and a nil *Options, are useful: every
// field has a default.
type Options struct {
	// FS is the file system of the lake directory and of imported files;
	// vfs.Default when nil.
	FS vfs.FS
	// Clock tells the time of stores' creation, ages and now() in queries;
	// time.Now when nil.
	Clock func() time.Time
	// EventHistory makes the built-in store of management events of the last 90 days
	// ([HistoryStore]) when there is none; else the first that Lake.Append gets makes it.
	// Imports and Store.Append go to one store and not to it: Lake.LookupEvents finds their
	// events where they are.
	EventHistory bool
	// AuditQueries records every query in the audit store.
	AuditQueries bool
	// RunTime tells how long the lake has been open, by a clock that cannot be set:
	// evidence that time has passed (engine/retention); nil for the machine's.
	RunTime func() time.Duration
	// RetainInterval is how often expired segments are looked for, to be dropped; a minute
	// when 0, only on demand (Lake.Retain) when negative.
	RetainInterval time.Duration
	// Logger hears of background work and of damage; nothing is logged when nil.
	Logger *slog.Logger
	// Rand is the source of store IDs; crypto/rand when nil.
	Rand io.Reader

	// Keeper keeps the key of an encrypted lake. A lake that is made with one is
	// encrypted, every file of it (package engine/crypt); one that was must be
	// opened with one. Nil for a lake in the clear.
	Keeper crypt.Keeper

	// ReadOnly opens an existing lake for reading only. Nothing of it is written:
	// the log is read into memory, and damage that would make opening fail is left
	// to Check where the rest can be read. Other processes are kept out all the
	// same, but for those that may only read, as this one may.
	ReadOnly bool
	// MustExist makes Open fail with ErrNotFound instead of making a new lake.
	MustExist bool

	// SegmentRows is the number of rows of a full segment, 1 to 65,536;
	// 65,536 when 0.
	SegmentRows int
	// MemtableRows is the number of rows at which a memtable is sealed, at
	// most SegmentRows; SegmentRows when 0.
	MemtableRows int
	// MemtableBytes is the number of record bytes at which a memtable is
	// sealed; 192 MiB when 0.
	MemtableBytes int64
	// MemtableAge is the age of the oldest row at which a memtable is sealed;
	// an hour when 0, never when negative.
	MemtableAge time.Duration
	// CacheBytes bounds the memory that keeps read data; 256 MiB when 0.
	CacheBytes int64
	// NoBitmaps builds no postings and uses none. Answers are the same.
	NoBitmaps bool
	// NoViews keeps no groups of views and uses none: views are read by running their
	// queries. Answers are the same.
	NoViews bool
	// NoMerge leaves small segments as they are.
	NoMerge bool
	// Workers is the number of goroutines that one query or import may use;
	// the number of usable CPUs when 0.
	Workers int
	// InsightInterval is how often stores with insights are looked at for unusual activity while the lake is open; 15
	// seconds when 0. Negative: only imports at their end and DetectInsights do.
	InsightInterval time.Duration
	// OnInsight is called with what is known as unusual before it has a record, and may still change; may be nil. It is
	// called by one goroutine at a time, which detection waits for.
	OnInsight func(Insight)
	// DigestInterval is how often a digest of every store is signed: at the full
	// multiples of it in UTC, whether anything has happened or not; an hour when 0,
	// only on demand when negative.
	DigestInterval time.Duration
	// KeyWrapper keeps the private signing keys; a secret in the lake's own directory
	// does when nil (see keys.go for what that is worth).
	KeyWrapper digest.Wrapper
	// Publish names where digests are sent as they are made: file:PATH, exec:COMMAND,
	// witness:URL#KEY (see publish.go).
	Publish []string

	// RunTrails lets the trails deliver in the background; otherwise they deliver on demand.
	RunTrails bool
	// OpenTarget opens the bucket of a trail; without it trails go to directories only.
	OpenTarget func(ctx context.Context, s *TrailSettings) (TrailTarget, error)
	// OpenTopic opens a topic or queue by its URL, for trails that send to one or tell one
	// of deliveries; without it they cannot.
	OpenTopic func(ctx context.Context, url string) (TrailTopic, error)
	// OpenKeeper opens a keeper for trails that encrypt what they deliver, by its URL; key
	// files and passphrases in files can be opened without it.
	OpenKeeper func(url string) (archive.Keeper, error)

	// QueryBytes is the memory budget of one query; 256 MiB when 0. Past it, sorts
	// and groups go to temporary files in the lake, and what cannot go there fails.
	QueryBytes int64
	// QueryDisk is how many bytes of temporary files one query may have at once;
	// 32 GiB when 0. When negative, and in a lake open for reading only, there are
	// none, and a query fails at its memory budget.
	QueryDisk int64
	// QueryTime ends a query that runs longer; no limit when 0.
	QueryTime time.Duration
	// QueryRows and QueryResultBytes are how many rows, and how many bytes of
	// values, a query may give; one that would give more fails at that point. No
	// limit when 0.
	QueryRows        int64
	QueryResultBytes int64
}

// defaultQueryBytes lets a query sort some million narrow rows and leaves room
// for several on a small machine.
const defaultQueryBytes = 256 << 20

// withDefaults returns a copy with every default filled in, or says which
// field is out of range.
func (o *Options) withDefaults() (Options, error) {
	var c Options
	if o != nil {
		c = *o
	}
	if c.FS == nil {
		c.FS = vfs.Default
	}
	if c.Clock == nil {
		c.Clock = time.Now
	}
	if c.RunTime == nil {
		began := time.Now()
		c.RunTime = func() time.Duration { return time.Since(began) }
	}
	if c.RetainInterval == 0 {
		c.RetainInterval = retainInterval
	}
	if c.Logger == nil {
		c.Logger = slog.New(slog.DiscardHandler)
	}
	if c.Rand == nil {
		c.Rand = rand.Reader
	}
	if c.SegmentRows == 0 {
		c.SegmentRows = defaultSegmentRows
	}
	if c.SegmentRows < 1 || c.SegmentRows > segmentRowsMax {
		return c, failf(ErrBadInput, "option SegmentRows is %d, must be 1 to %d", c.SegmentRows, segmentRowsMax)
	}
	if c.MemtableRows == 0 {
		c.MemtableRows = c.SegmentRows
	}
	if c.MemtableRows < 1 || c.MemtableRows > c.SegmentRows {
		return c, failf(ErrBadInput, "option MemtableRows is %d, must be 1 to SegmentRows (%d)", c.MemtableRows, c.SegmentRows)
	}
	if c.MemtableBytes == 0 {
		c.MemtableBytes = defaultMemtableBytes
	}
	if c.MemtableBytes < 0 {
		return c, failf(ErrBadInput, "option MemtableBytes is %d, must not be negative", c.MemtableBytes)
	}
	if c.MemtableAge == 0 {
		c.MemtableAge = defaultMemtableAge
	}
	if c.CacheBytes == 0 {
		c.CacheBytes = defaultCacheBytes
	}
	if c.CacheBytes < 0 {
		return c, failf(ErrBadInput, "option CacheBytes is %d, must not be negative", c.CacheBytes)
	}
	if c.InsightInterval == 0 {
		c.InsightInterval = defaultInsightInterval
	}
	if c.DigestInterval == 0 {
		c.DigestInterval = defaultDigestInterval
	}
	if c.DigestInterval > 0 && c.DigestInterval < time.Second {
		return c, failf(ErrBadInput, "option DigestInterval is %v, must be at least a second", c.DigestInterval)
	}
	if c.Workers <= 0 {
		c.Workers = runtime.GOMAXPROCS(0)
	}
	if c.QueryBytes == 0 {
		c.QueryBytes = defaultQueryBytes
	}
	if c.QueryBytes < 0 {
		return c, failf(ErrBadInput, "option QueryBytes is %d, must not be negative", c.QueryBytes)
	}
	if c.QueryDisk == 0 {
		c.QueryDisk = sql.DefaultDisk
	}
	for _, limit := range []struct {
		name string
		n    int64
	}{{"QueryTime", int64(c.QueryTime)}, {"QueryRows", c.QueryRows}, {"QueryResultBytes", c.QueryResultBytes}} {
		if limit.n < 0 {
			return c, failf(ErrBadInput, "option %s is %d, must not be negative", limit.name, limit.n)
		}
	}
	return c, nil
}
