// Package spill keeps rows of a query outside its memory: batches of columns
// written one after the other to temporary files and read back in the same
// order. Sorts, groups and joins use it when a query reaches its memory budget.
//
// # Using it
//
// A query has one [Space]. Any operator may write runs in it:
//
//	w := space.NewWriter(types)
//	err := w.Append(batch)        // or w.AppendRows(batch, rows)
//	run, err := w.Finish()
//	…
//	r, err := run.Reader()
//	batch, err := r.Next()        // io.EOF after the last
//	r.Close()
//	run.Remove()                  // as soon as it is not needed any more
//
// [Space.Close] closes and removes whatever is left, so a query that ends early,
// for whatever reason, leaves nothing behind.
//
// Who runs queries gives the files through [Files]. They hold what the tables
// hold, so they belong below whatever encrypts those; [MemFiles] keeps them in
// memory, for tests.
//
// # The bytes
//
// A file is a sequence of blocks and nothing else; it never outlives the query
// that wrote it. A block is
//
//	4 bytes   length of the body, little-endian
//	8 bytes   xxhash64 of the body
//	body:
//	  1 byte    version and form: 1 plain, 2 compressed (S2)
//	  …         the content, of which both forms have the same:
//	    uvarint   rows
//	    one vector per column
//
// A vector is a byte that tells its layout (0 flat, 1 constant, 2 dictionary)
// with two flags (16: a bitmap of NULLs follows, 32: zone numbers follow), then
//
//	flat        the bitmap, 8 bytes to 64 rows; the values:
//	            numbers 8 bytes each, then zones 2 bytes each;
//	            text 4 bytes of length each, then all the text;
//	            arrays and maps 4 bytes of length each, then their children;
//	            rows their children
//	constant    a flat vector of one value
//	dictionary  the bitmap; uvarint entries; 4 bytes of code each; the entries,
//	            flat, of which each is used
//
// All numbers are little-endian. The types are not written: who wrote a run
// knows them. A block that does not decode is damage and named as such.
//
// # Memory
//
// A writer holds up to [BlockBytes] of rows (or what its space says) before it
// writes a block, a reader one block. A single row larger than that makes a
// block of its own, up to [blockMax].
//
// # What may run concurrently
//
// A Space may be used by many goroutines. A Writer and a Reader belong to one
// each; a Run may have many readers at once.
package spill

import (
	"errors"
	"fmt"
	"io"
	"sync"
	"sync/atomic"

	"github.com/cairndb/cairn/sql/sqlerr"
)

// Files makes, opens and removes temporary files. It may be called from many
// goroutines.
type Files interface {
	// Create makes an empty file under a name of its own. It is written once,
	// from start to end, and closed.
	Create() (name string, f io.WriteCloser, err error)
	// Open opens a file that has been written and closed.
	Open(name string) (File, error)
	// Remove removes a closed file.
	Remove(name string) error
}

// File is a temporary file open for reading.
type File interface {
	io.ReaderAt
	io.Closer
}

// BlockBytes is about how large a block is: large enough that a disk is read
// and written at its full rate, small enough that some hundred runs can be
// merged within a query's budget.
const BlockBytes = 256 << 10

// blockMax is the largest block: what its length field and a slice of text with
// 32-bit lengths can carry with room to spare.
const blockMax = 1 << 30

// Space is the temporary files of one query.
type Space struct {
	files Files
	limit int64 // bytes on disk, below 0 for any number
	block int
	// Live, when set, says whether the query is still wanted: it is asked in the
	// midst of writing rows that are much larger than a block. It is set before the
	// space is used.
	Live func() error
	// used is what is on disk now, written all that was ever written.
	used, peak, written atomic.Int64
	count               atomic.Int64 // files ever made

	mu      sync.Mutex
	names   map[string]struct{} // files that exist
	closing map[io.Closer]struct{}
	closed  bool
}

// NewSpace returns a space that keeps up to limit bytes in files at once; below
// 0 there is no limit. Blocks have about block bytes; 0 stands for BlockBytes.
func NewSpace(files Files, limit int64, block int) *Space {
	if block <= 0 {
		block = BlockBytes
	}
	return &Space{files: files, limit: limit, block: block, names: map[string]struct{}{}, closing: map[io.Closer]struct{}{}}
}

// BlockBytes is about how large the blocks of this space are: what a writer or a
// reader holds in memory.
func (s *Space) BlockBytes() int { return s.block }

// Written is how many bytes were ever written, and Files to how many files.
func (s *Space) Written() int64 { return s.written.Load() }

// Files is how many files were ever made.
func (s *Space) Files() int64 { return s.count.Load() }

// Peak is how many bytes there were on disk at most.
func (s *Space) Peak() int64 { return s.peak.Load() }

// live returns the error of a query that has ended, if there are n bytes of work
// ahead for which it pays to ask.
func (s *Space) live(n int) error {
	if s.Live == nil || n <= 4*s.block {
		return nil
	}
	return s.Live()
}

// charge takes n bytes of the limit.
func (s *Space) charge(n int64) error {
	used := s.used.Add(n)
	if s.limit >= 0 && used > s.limit {
		s.used.Add(-n)
		return sqlerr.New(sqlerr.ConfigurationLimit, sqlerr.Pos{},
			"the query needs more temporary disk space than its limit of %d MiB", s.limit>>20).
			WithHint("filter more rows, select fewer columns, or raise the limit of temporary space")
	}
	s.written.Add(n)
	for {
		peak := s.peak.Load()
		if used <= peak || s.peak.CompareAndSwap(peak, used) {
			return nil
		}
	}
}

// create makes a file and notes that it exists.
func (s *Space) create() (string, io.WriteCloser, error) {
	name, f, err := s.files.Create()
	if err != nil {
		return "", nil, wrap("making a temporary file", err)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.count.Add(1)
	s.names[name] = struct{}{}
	s.closing[f] = struct{}{}
	if s.closed {
		s.dropAll()
		return "", nil, errClosed
	}
	return name, f, nil
}

var errClosed = errors.New("spill: the query has ended")

func (s *Space) open(name string) (File, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return nil, errClosed
	}
	f, err := s.files.Open(name)
	if err != nil {
		return nil, wrap("opening a temporary file", err)
	}
	s.closing[f] = struct{}{}
	return f, nil
}

// close closes a file of this space, once.
func (s *Space) close(f io.Closer) error {
	s.mu.Lock()
	_, open := s.closing[f]
	delete(s.closing, f)
	s.mu.Unlock()
	if !open {
		return nil
	}
	return f.Close()
}

// remove removes a closed file of n bytes, once.
func (s *Space) remove(name string, n int64) error {
	s.mu.Lock()
	_, there := s.names[name]
	delete(s.names, name)
	s.mu.Unlock()
	if !there {
		return nil
	}
	s.used.Add(-n)
	return wrap("removing a temporary file", s.files.Remove(name))
}

// Close closes and removes all files that are left. Writers and readers must
// not be used any more. It may be called more than once.
func (s *Space) Close() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.closed = true
	return s.dropAll()
}

// dropAll closes and removes everything; s.mu is held.
func (s *Space) dropAll() error {
	var first error
	for f := range s.closing {
		if err := f.Close(); err != nil && first == nil {
			first = err
		}
	}
	for name := range s.names {
		if err := s.files.Remove(name); err != nil && first == nil {
			first = err
		}
	}
	clear(s.closing)
	clear(s.names)
	s.used.Store(0)
	return wrap("removing temporary files", first)
}

// wrap says what was being done when a file failed: the disk is full, or worse.
func wrap(what string, err error) error {
	if err == nil {
		return nil
	}
	code := sqlerr.IOError
	if noSpace(err) {
		code = sqlerr.DiskFull
	}
	return &fileError{sqlerr.New(code, sqlerr.Pos{}, "%s: %v", what, err).
		WithHint("the query needs temporary space on disk; free some, or let it use more memory"), err}
}

// fileError is both the error that clients understand and the file system's.
type fileError struct {
	told  *sqlerr.Error
	cause error
}

func (e *fileError) Error() string   { return e.told.Error() }
func (e *fileError) Unwrap() []error { return []error{e.told, e.cause} }

// damaged is the error of a block that does not decode.
func damaged(name string, at int64, what string, args ...any) error {
	return sqlerr.New(sqlerr.DataCorrupted, sqlerr.Pos{}, "temporary file %s, offset %d: %s", name, at, fmt.Sprintf(what, args...)).
		WithHint("what was written a moment ago does not come back: check the disk; the stored events are not concerned")
}
