package lsm

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"math"
	"os"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"

	"github.com/cockroachdb/pebble/v2"
	"github.com/cockroachdb/pebble/v2/sstable"
	"github.com/cockroachdb/pebble/v2/vfs"

	"github.com/cairndb/cairn/engine/crypt"
)

// Sizes of Pebble's parts. Only the catalogue goes through its memtable, so it
// is small; segments come by ingestion.
const (
	// memTableBytes bounds the catalogue records between two flushes.
	memTableBytes = 4 << 20

	// blockBytes is the target size of a table's blocks, and of the parts of its index: what
	// a disk reads anyway. Most pages of a segment are larger and have a block each, so
	// that reading one reads nothing else.
	blockBytes = 4 << 10

	// blockShare is the percentage of blockBytes from which on a block is closed before a
	// value that does not fit: small values that are read alone do not share one with a large one.
	blockShare = 5

	// targetFileBytes is far above a segment's size, so that compactions, which
	// only happen after deletions, do not cut segments to pieces.
	targetFileBytes = 256 << 20

	// openFilesMax bounds file descriptors; a table is one file.
	openFilesMax = 500
)

// ErrHalted is the error of writes after one that Pebble cannot survive.
var ErrHalted = errors.New("the database has stopped writing after a failed write")

// ErrNotFound is the error of a key that is not there.
var ErrNotFound = errors.New("key not found")

// Options of [Open].
type Options struct {
	FS vfs.FS
	// CacheBytes is the size of the block cache.
	CacheBytes int64
	ReadOnly   bool
	// Verify is called on a database that exists, opened for reading only,
	// before anything is written; its error ends the opening. May be nil.
	Verify func(*DB) error
	// Logger hears of background errors.
	Logger *slog.Logger
	// OnHalt is called once, from any goroutine, when a write has failed in a
	// way that ends all writing. It must not call the DB.
	OnHalt func(cause error)
}

// DB is an open database.
type DB struct {
	db     *pebble.DB
	fs     vfs.FS // for what Pebble does not do
	disk   *diskFS
	lock   io.Closer
	opts   *pebble.Options
	halt   *halt
	tables atomic.Uint64 // number of the next temporary table file
	tmp    string
}

// halt is the state after a fatal write.
type halt struct {
	once  sync.Once
	done  chan struct{}
	cause error // valid once done is closed
	tell  func(error)

	mu   sync.Mutex
	next chan struct{} // closed when a goroutine parks
}

// park does not return: Pebble's locks are held by callers above, and unwinding them is not safe.
func (h *halt) park() {
	h.mu.Lock()
	if h.next != nil {
		close(h.next)
		h.next = nil
	}
	h.mu.Unlock()
	select {}
}

// parks is closed when the next goroutine parks.
func (h *halt) parks() <-chan struct{} {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.next == nil {
		h.next = make(chan struct{})
	}
	return h.next
}

func (h *halt) stop(cause error) {
	h.once.Do(func() {
		h.cause = cause
		close(h.done)
		if h.tell != nil {
			h.tell(cause)
		}
	})
}

func (h *halt) err() error {
	select {
	case <-h.done:
		return fmt.Errorf("%w: %w", ErrHalted, h.cause)
	default:
		return nil
	}
}

// logger passes Pebble's messages on; a fatal one parks its goroutine.
type logger struct {
	log  *slog.Logger
	halt *halt
}

func (l *logger) Infof(format string, args ...any) {}
func (l *logger) Errorf(format string, args ...any) {
	l.log.Warn("database: " + fmt.Sprintf(format, args...))
}

func (l *logger) Fatalf(format string, args ...any) {
	err := fmt.Errorf(format, args...)
	// Pebble formats with %s, which loses what the error wraps; a full disk must
	// stay recognisable as one.
	for _, a := range args {
		if cause, ok := a.(error); ok {
			err = &fatalError{msg: err.Error(), cause: cause}
		}
	}
	l.log.Error("database stopped: " + err.Error())
	l.halt.stop(err)
	l.halt.park()
}

// fatalError is a formatted message that still wraps its cause.
type fatalError struct {
	msg   string
	cause error
}

func (e *fatalError) Error() string { return e.msg }
func (e *fatalError) Unwrap() error { return e.cause }

// Open opens the database in dir, or makes one there. Temporary table files
// that a crash has left are removed.
func Open(dir string, o Options) (*DB, error) {
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	exists, err := Exists(o.FS, dir)
	if err != nil {
		return nil, err
	}
	if exists && o.Verify != nil {
		if err := verify(dir, o); err != nil {
			return nil, err
		}
	}
	return open(dir, o)
}

// Exists reports whether there is a database in dir.
func Exists(fs vfs.FS, dir string) (bool, error) {
	if _, err := fs.Stat(dir); isNotExist(err) {
		return false, nil
	} else if err != nil {
		return false, fmt.Errorf("looking for a database: %w", err)
	}
	desc, err := pebble.Peek(dir, fs)
	if err != nil {
		return false, fmt.Errorf("looking for a database in %s: %w", dir, err)
	}
	return desc.Exists, nil
}

// verify opens the database for reading only and asks o.Verify.
func verify(dir string, o Options) error {
	o.ReadOnly = true
	d, err := open(dir, o)
	if err != nil {
		return err
	}
	return errors.Join(o.Verify(d), d.Close())
}

func open(dir string, o Options) (*DB, error) {
	d := &DB{
		fs:   o.FS,
		halt: &halt{done: make(chan struct{}), tell: o.OnHalt},
		tmp:  o.FS.PathJoin(dir, "tmp"),
	}
	if !o.ReadOnly {
		if err := d.sweepTmp(); err != nil {
			return nil, err
		}
	}
	var err error
	d.lock, err = o.FS.Lock(o.FS.PathJoin(dir, "LOCK"))
	if path := (*os.PathError)(nil); o.ReadOnly && errors.As(err, &path) {
		// Who may not write here cannot take the lock; the caller's keeps writers out.
		d.lock, err = unlocked{}, nil
	}
	if err != nil {
		return nil, fmt.Errorf("locking database %s: %w", dir, err)
	}
	d.disk = &diskFS{FS: o.FS, halt: d.halt, opening: true}
	d.opts = d.pebbleOptions(o)
	d.db, err = d.openPebble(dir)
	if e := d.disk.opened(); err == nil {
		err = e
	}
	if err != nil {
		if d.halt.err() == nil {
			d.opts.Cache.Unref()
		}
		if isNotExist(err) { // it makes what it needs anew, and does not find what it had
			err = fmt.Errorf("%w: %w", errMissingFile, err)
		}
		return nil, fmt.Errorf("opening database %s: %w", dir, errors.Join(err, d.leave()))
	}
	d.opts.Cache.Unref()
	return d, nil
}

// leave gives up the directory. After a halt Pebble is left behind as it is; it
// can do nothing to the files any more.
func (d *DB) leave() error {
	d.disk.settle()
	return d.lock.Close()
}

func (d *DB) pebbleOptions(o Options) *pebble.Options {
	opts := &pebble.Options{
		FS:                 d.disk,
		Cache:              pebble.NewCache(o.CacheBytes),
		FormatMajorVersion: pebble.FormatTableFormatV6,
		Logger:             &logger{log: o.Logger, halt: d.halt},
		MaxOpenFiles:       openFilesMax,
		MemTableSize:       memTableBytes,
		ReadOnly:           o.ReadOnly,
		// One compaction at a time is plenty: only the catalogue is compacted.
		CompactionConcurrencyRange: func() (int, int) { return 1, 1 },
		EventListener: &pebble.EventListener{
			BackgroundError: func(err error) { o.Logger.Warn("database: background error", "error", err) },
			DataCorruption: func(info pebble.DataCorruptionInfo) {
				// Where and what; info's own text has stack traces in it.
				what, _, _ := strings.Cut(info.Details.Error(), "\n")
				o.Logger.Error("database: damaged data", "file", info.Path, "error", what)
			},
		},
	}
	opts.ApplyCompressionSettings(func() pebble.DBCompressionSettings { return pebble.DBCompressionNone })
	for i := range opts.Levels {
		opts.Levels[i].BlockSize = blockBytes
		opts.Levels[i].BlockSizeThreshold = blockShare
		opts.Levels[i].IndexBlockSize = blockBytes
		opts.TargetFileSizes[i] = targetFileBytes
	}
	opts.EnsureDefaults()
	return opts
}

// openPebble opens Pebble, giving up when it parks itself on the way. When a file
// operation fails at the wrong moment, Pebble panics while it takes its half-open
// parts down; that is an opening that failed, and no reason to end the process.
func (d *DB) openPebble(dir string) (*pebble.DB, error) {
	type result struct {
		db  *pebble.DB
		err error
	}
	ch := make(chan result, 1)
	go func() {
		defer func() {
			if r := recover(); r != nil {
				ch <- result{nil, fmt.Errorf("opening the database in %s: %v", dir, r)}
			}
		}()
		db, err := pebble.Open(dir, d.opts)
		ch <- result{db, err}
	}()
	select {
	case r := <-ch:
		return r.db, r.err
	case <-d.halt.done:
		return nil, d.halt.err()
	}
}

// sweepTmp empties the directory of unfinished tables.
func (d *DB) sweepTmp() error {
	if err := d.fs.MkdirAll(d.tmp, 0o755); err != nil {
		return fmt.Errorf("making directory %s: %w", d.tmp, err)
	}
	names, err := d.fs.List(d.tmp)
	if err != nil {
		return fmt.Errorf("reading directory %s: %w", d.tmp, err)
	}
	for _, name := range names {
		if err := d.fs.Remove(d.fs.PathJoin(d.tmp, name)); err != nil {
			return fmt.Errorf("removing unfinished table %s: %w", name, err)
		}
	}
	return nil
}

// Close closes the database. After a halt, which is reported elsewhere, the
// directory is given up as it is.
func (d *DB) Close() error {
	err := d.guard(d.db.Close)
	if errors.Is(err, ErrHalted) {
		err = nil
	}
	return errors.Join(err, d.leave())
}

// guard runs a write that may park its goroutine for good; then the error is
// ErrHalted.
func (d *DB) guard(f func() error) error {
	if err := d.halt.err(); err != nil {
		return err
	}
	ch := make(chan error, 1)
	go func() { ch <- f() }()
	select {
	case err := <-ch:
		return err
	case <-d.halt.done:
		return d.halt.err()
	}
}

// Get returns a catalogue record, copied; ErrNotFound when there is none.
func (d *DB) Get(key []byte) ([]byte, error) { return d.In(Catalog).Get(key) }

// Scan calls fn with every catalogue record whose key begins with prefix, in
// order of the keys. key and value are valid during the call.
func (d *DB) Scan(prefix []byte, fn func(key, value []byte) error) error {
	return d.In(Catalog).Scan(prefix, fn)
}

// Records reads the records of one space.
type Records struct {
	d     *DB
	space Space
}

// In returns the records of a space.
func (d *DB) In(space Space) Records { return Records{d, space} }

// Get returns a record, copied; ErrNotFound when there is none.
func (r Records) Get(key []byte) ([]byte, error) {
	v, c, err := r.d.db.Get(r.space.key(key))
	if errors.Is(err, pebble.ErrNotFound) {
		return nil, fmt.Errorf("%v key %q: %w", r.space, key, ErrNotFound)
	}
	if err != nil {
		return nil, fmt.Errorf("reading %v key %q: %w", r.space, key, err)
	}
	out := append([]byte(nil), v...)
	return out, c.Close()
}

// Scan calls fn with every record whose key begins with prefix, in order of the
// keys. key and value are valid during the call.
func (r Records) Scan(prefix []byte, fn func(key, value []byte) error) error {
	return r.ScanFrom(prefix, nil, fn)
}

// ScanFrom is Scan that starts at a key, which begins with prefix; nil starts at
// the first.
func (r Records) ScanFrom(prefix, from []byte, fn func(key, value []byte) error) error {
	lower := r.space.key(prefix)
	o := &pebble.IterOptions{LowerBound: lower, UpperBound: prefixEnd(lower)}
	if from != nil {
		o.LowerBound = r.space.key(from)
	}
	it, err := r.d.db.NewIter(o)
	if err != nil {
		return fmt.Errorf("reading %v: %w", r.space, err)
	}
	for ok := it.First(); ok; ok = it.Next() {
		v, err := it.ValueAndErr()
		if err == nil {
			err = fn(it.Key()[1:], v)
		}
		if err != nil {
			return errors.Join(err, it.Close())
		}
	}
	if err := it.Close(); err != nil {
		return fmt.Errorf("reading %v: %w", r.space, err)
	}
	return nil
}

// Last returns the record with the largest key that begins with prefix, copied;
// nil when there is none.
func (r Records) Last(prefix []byte) (key, value []byte, err error) {
	lower := r.space.key(prefix)
	it, err := r.d.db.NewIter(&pebble.IterOptions{LowerBound: lower, UpperBound: prefixEnd(lower)})
	if err != nil {
		return nil, nil, fmt.Errorf("reading %v: %w", r.space, err)
	}
	if it.Last() {
		var v []byte
		if v, err = it.ValueAndErr(); err == nil {
			key, value = append([]byte(nil), it.Key()[1:]...), append([]byte(nil), v...)
		}
	}
	if err := errors.Join(err, it.Close()); err != nil {
		return nil, nil, fmt.Errorf("reading %v: %w", r.space, err)
	}
	return key, value, nil
}

// prefixEnd returns the first key after all that begin with prefix; prefix
// begins with one of the prefix bytes, none of which is 0xff.
func prefixEnd(prefix []byte) []byte {
	end := append([]byte(nil), prefix...)
	for i := len(end) - 1; i >= 0; i-- {
		end[i]++
		if end[i] != 0 {
			return end[:i+1]
		}
	}
	return nil
}

// Block returns a block of a segment. data is read-only and valid until
// release is called; release is never nil.
func (d *DB) Block(segment uint64, kind byte, id uint32) (data []byte, release func(), err error) {
	var buf [blockKeyLen]byte
	v, c, err := d.db.Get(AppendBlockKey(buf[:0], segment, kind, id))
	if err != nil {
		if errors.Is(err, pebble.ErrNotFound) {
			err = ErrNotFound
		}
		return nil, func() {}, fmt.Errorf("reading block %d of kind %d of segment %d: %w", id, kind, segment, err)
	}
	return v, func() { c.Close() }, nil
}

// Blocks calls fn with every block of a segment of a kind from first to last, in order
// of kind and id. data is valid during the call. Blocks of other kinds are not read.
func (d *DB) Blocks(segment uint64, first, last byte, fn func(kind byte, id uint32, data []byte) error) error {
	lower, upper := segmentRange(segment)
	if last < math.MaxUint8 {
		upper = append(bytes.Clone(lower), last+1)
	}
	lower = append(lower, first)
	it, err := d.db.NewIter(&pebble.IterOptions{LowerBound: lower, UpperBound: upper})
	if err != nil {
		return fmt.Errorf("reading segment %d: %w", segment, err)
	}
	for move := it.First; ; move = it.Next {
		ok, err := d.step(move)
		if err != nil {
			return fmt.Errorf("reading segment %d: %w", segment, err) // the iterator is not ours any more
		}
		if !ok {
			break
		}
		_, kind, id, err := ParseBlockKey(it.Key())
		var v []byte
		if err == nil {
			v, err = it.ValueAndErr()
		}
		if err == nil {
			err = fn(kind, id, v)
		}
		if err != nil {
			return errors.Join(err, it.Close())
		}
	}
	if err := it.Close(); err != nil {
		return fmt.Errorf("reading segment %d: %w", segment, err)
	}
	return nil
}

// step moves an iterator. Pebble stops for good where what it reads contradicts itself, and
// whoever waits for one block of many must not hold up others then.
func (d *DB) step(move func() bool) (ok bool, err error) {
	parks, moved := d.halt.parks(), make(chan bool, 1)
	go func() { moved <- move() }()
	select {
	case ok := <-moved:
		return ok, nil
	case <-parks: // this one, or another at the same time
		return false, d.halt.err()
	}
}

// Table is a finished sorted table that is not yet part of the database.
type Table struct {
	path  string
	Bytes int64 // size of the file
}

// Block is one block of a segment to be written.
type Block struct {
	Kind byte
	ID   uint32
	Data []byte
}

// WriteTable writes the blocks of a segment, ascending by kind and id, into a
// table file and syncs it. The file is temporary until it is ingested.
func (d *DB) WriteTable(segment uint64, blocks []Block) (*Table, error) {
	if err := d.halt.err(); err != nil {
		return nil, err
	}
	path := d.fs.PathJoin(d.tmp, fmt.Sprintf("%d-%d.sst", segment, d.tables.Add(1)))
	t, err := d.writeTable(path, segment, blocks)
	if err != nil {
		// What is left of the file is in the way of nobody; opening sweeps it.
		d.fs.Remove(path)
		return nil, fmt.Errorf("writing table of segment %d: %w", segment, err)
	}
	return t, nil
}

func (d *DB) writeTable(path string, segment uint64, blocks []Block) (*Table, error) {
	f, err := d.fs.Create(path, vfs.WriteCategoryUnspecified)
	if err != nil {
		return nil, err
	}
	f = vfs.NewSyncingFile(f, vfs.SyncingFileOptions{BytesPerSync: 1 << 20})
	w := sstable.NewWriter(newFileWritable(f), d.opts.MakeWriterOptions(0, d.db.TableFormat()))
	var key []byte
	for _, b := range blocks {
		key = AppendBlockKey(key[:0], segment, b.Kind, b.ID)
		if err := w.Set(key, b.Data); err != nil {
			return nil, errors.Join(err, w.Close())
		}
	}
	if err := w.Close(); err != nil {
		return nil, err
	}
	meta, err := w.Metadata()
	if err != nil {
		return nil, err
	}
	return &Table{path: path, Bytes: int64(meta.Size)}, nil
}

// Ingest makes tables part of the database, all or none. Their blocks are
// durable when it returns without an error. The table files are gone
// afterwards.
func (d *DB) Ingest(ctx context.Context, tables ...*Table) error {
	paths := make([]string, len(tables))
	for i, t := range tables {
		paths[i] = t.path
	}
	if err := d.guard(func() error { return d.db.Ingest(ctx, paths) }); err != nil {
		return fmt.Errorf("ingesting tables: %w", err)
	}
	return nil
}

// Discard removes tables that will not be ingested.
func (d *DB) Discard(tables ...*Table) {
	for _, t := range tables {
		d.fs.Remove(t.path)
	}
}

// Batch collects writes that become durable together.
type Batch struct {
	d *DB
	b *pebble.Batch
}

// Batch returns an empty batch.
func (d *DB) Batch() *Batch { return &Batch{d: d, b: d.db.NewBatch()} }

// Set writes a catalogue record.
func (b *Batch) Set(key, value []byte) { b.In(Catalog).Set(key, value) }

// Delete removes a catalogue record.
func (b *Batch) Delete(key []byte) { b.In(Catalog).Delete(key) }

// Writer writes the records of one space as part of a batch.
type Writer struct {
	b     *pebble.Batch
	space Space
}

// In returns a writer of a space's records.
func (b *Batch) In(space Space) Writer { return Writer{b.b, space} }

// Set writes a record.
func (w Writer) Set(key, value []byte) {
	// Setting in memory fails only for batches over 4 GiB.
	if err := w.b.Set(w.space.key(key), value, nil); err != nil {
		panic(err)
	}
}

// Delete removes a record.
func (w Writer) Delete(key []byte) {
	if err := w.b.Delete(w.space.key(key), nil); err != nil {
		panic(err)
	}
}

// DeletePrefix removes all records whose keys begin with prefix.
func (w Writer) DeletePrefix(prefix []byte) {
	start := w.space.key(prefix)
	if err := w.b.DeleteRange(start, prefixEnd(start), nil); err != nil {
		panic(err)
	}
}

// DropSegment removes all blocks of a segment.
func (b *Batch) DropSegment(number uint64) {
	start, end := segmentRange(number)
	if err := b.b.DeleteRange(start, end, nil); err != nil {
		panic(err)
	}
}

// DeleteBlock removes a block of a segment.
func (b *Batch) DeleteBlock(segment uint64, kind byte, id uint32) {
	if err := b.b.Delete(AppendBlockKey(nil, segment, kind, id), nil); err != nil {
		panic(err)
	}
}

// Commit makes the batch durable. After ErrHalted it is unknown whether it is;
// after any other error it is not.
func (b *Batch) Commit() error {
	if err := b.d.guard(func() error { return b.d.db.Apply(b.b, pebble.Sync) }); err != nil {
		return fmt.Errorf("committing: %w", err)
	}
	return b.b.Close()
}

// Checkpoint makes a copy of the database as it is now in a directory that does not
// exist yet: hard links to the tables, copies of what grows.
func (d *DB) Checkpoint(dir string) error {
	if err := d.guard(func() error { return d.db.Checkpoint(dir, pebble.WithFlushedWAL()) }); err != nil {
		return fmt.Errorf("making a checkpoint: %w", err)
	}
	return nil
}

// Flush moves the catalogue from Pebble's log into a table.
func (d *DB) Flush() error { return d.guard(d.db.Flush) }

// Metrics describes the state of the database for people.
func (d *DB) Metrics() string { return d.db.Metrics().String() }

// SegmentBytes estimates what a segment takes on disk.
func (d *DB) SegmentBytes(number uint64) (uint64, error) {
	start, end := segmentRange(number)
	return d.db.EstimateDiskUsage(start, end)
}

// errMissingFile says that a file that the database names is not there.
var errMissingFile = errors.New("a file of the database is missing")

// IsCorrupt reports whether an error tells of damaged files.
func IsCorrupt(err error) bool {
	var damaged *crypt.CorruptError
	return pebble.IsCorruptionError(err) || errors.As(err, &damaged) || errors.Is(err, errMissingFile)
}

// IsNoSpace reports whether an error tells of a full disk.
func IsNoSpace(err error) bool {
	return errors.Is(err, syscall.ENOSPC) || errors.Is(err, syscall.EDQUOT)
}

func isNotExist(err error) bool { return errors.Is(err, errNotExist) }
