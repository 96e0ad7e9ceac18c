// Package wal is an append-only log of opaque records: what has to survive a
// crash before anything else about it is true.
//
// The log knows files, checksums, rotation and repair, and nothing of what the
// records hold. One owner appends; AppendSync is the whole durability protocol
// of its caller:
//
//	log, repair, err := wal.Open(fs, "lake/wal", wal.Options{}, replay)
//	pos, err := log.AppendSync(part1, part2) // nil error: the record is on disk
//	err = log.Drop(pos)                      // files wholly below pos may go
//
// Grouping is the caller's affair: whoever has many waiting writers puts what
// they bring into one record and syncs once.
//
// # Files
//
// A log is a directory of files 000001.wal, 000002.wal … without gaps. All
// numbers are little-endian; these layouts never change within a version. A
// file is a header of 64 bytes and then frames:
//
//	 0  8  "CAIRNWAL"
//	 8  4  format version, 1
//	12  4  zero
//	16  8  number of this file, the one in its name
//	24  8  salt of this file, random
//	32  8  salt of the file before this one, 0 in the first
//	40  8  end: where the file before this one ends, 0 in the first
//	48  8  birth: where this file ended when it got its name
//	56  8  xxhash64 of bytes 0 to 56
//
// A frame is 32 bytes, then the payload:
//
//	 0  3  F7 E1 1D, a sequence that no UTF-8 text contains
//	 3  1  'R' record, 'M' commit mark (no payload)
//	 4  4  length of the payload
//	 8  8  synced: this file was known to be on disk up to here when the frame was written
//	16  8  xxhash64 of the payload
//	24  8  xxhash64 of bytes 0 to 24, salt, file number, offset of the frame
//
// The salt and the position in the checksum make a frame valid in one place
// only: neither the stale blocks of a removed file, nor a copied block, nor a
// payload made up to look like a frame passes.
//
// # Torn tail or damage
//
// A crash may leave anything behind the last successful sync: part of a frame,
// zeros, a later block without an earlier one. None of it was acknowledged, so
// Open cuts it off and says so (Repair). What lies before that sync was
// acknowledged, and damage there must never pass for a torn tail. The frames
// themselves tell the two apart:
//
//   - each frame says up to where the file was synced when it was written;
//   - after each sync a commit mark is written that says "up to here", itself
//     unsynced. If only the process dies, the mark is there, and a flipped bit
//     even in the very last acknowledged record is damage. If the power fails before
//     the next sync, the mark may be lost; then, and only then, damage to the last
//     acknowledged record looks like a torn tail. Close syncs the mark;
//   - a file gets its name only when its header is on disk, and the header of
//     the next file says where the file before it ends, all synced by then.
//
// So: in every file but the last, all frames up to the recorded end must be
// good, and what lies behind it is ignored. In the last file the first bad frame
// at offset x is damage if any good frame header, before or behind it, says that
// more than x was synced; otherwise it begins the torn tail.
//
// # Opening
//
// Open never writes to a file that exists. It begins a new one (with the first
// Append), whose header fixes the end of the last one. Good frames behind the
// last known sync are records that may have been acknowledged but may also
// exist only in the page cache of a system whose disk has refused them; syncing
// the old file again could report success for pages that were never written.
// They are therefore copied into the new file, which is synced before it gets
// its name.
//
// # Failures
//
// A failed sync is final: ErrHalted now and for every later call, until the log
// is opened again and shows what is there. A full disk is not: the record is
// refused with ErrNoSpace, the partial frame stays behind the recorded end of
// its file, and the next Append begins a new file as soon as there is room for
// one. Any other failed write into the log is final too, because nobody can say
// what it left.
//
// # Concurrency
//
// All methods may be called from several goroutines. Append, Sync and Close
// take turns; Files, Size, End and Drop do not wait for a sync.
//
// Files are not recycled: a reused file would need the same proof for every old
// frame in it, and at 64 MiB a file its creation costs nothing measurable.
package wal

import (
	"cmp"
	"errors"
	"fmt"
	"io"
	"sync"

	"github.com/cockroachdb/pebble/v2/vfs"
)

const (
	// MaxRecord is the largest payload of one record in bytes: far above any
	// group of events a committer gathers, and small enough that a reader can
	// hold one in memory.
	MaxRecord = 256 << 20

	// DefaultFileSize is the size at which a new file is begun: small enough
	// that space comes back soon after sealing, large enough that creating files
	// (four syncs) does not show.
	DefaultFileSize = 64 << 20

	// bufferKept is the largest write buffer kept between records; a larger one,
	// from a record of unusual size, is given back.
	bufferKept = 4 << 20
)

var (
	// ErrHalted is returned, together with the first cause, by every call after
	// a sync failed. Whether the records since the last successful sync are
	// stored is unknown until the log is opened again.
	ErrHalted = errors.New("write-ahead log halted, whether its last records are stored is unknown until it is reopened")

	// ErrNoSpace is returned for a record that was not written because the disk
	// is full. What was appended before is not touched, and appending works
	// again by itself once there is space.
	ErrNoSpace = errors.New("no space for the write-ahead log")

	// ErrTooLarge is returned for a record above MaxRecord; nothing was written.
	ErrTooLarge = errors.New("record too large for the write-ahead log")

	// ErrClosed is returned by calls after Close.
	ErrClosed = errors.New("write-ahead log is closed")
)

// Position names a record: the number of its file and the offset of its first
// byte there. Positions ascend in the order of appending.
//
// Positions are for Drop. A record that was not known to be synced when the
// process died gets a new, later position when the log is opened again, so a
// cursor that is kept across openings has to be the owner's own numbering.
type Position struct {
	File   uint64
	Offset int64
}

// Compare returns -1, 0 or +1 as p lies before, at or behind q.
func (p Position) Compare(q Position) int {
	if c := cmp.Compare(p.File, q.File); c != 0 {
		return c
	}
	return cmp.Compare(p.Offset, q.Offset)
}

// String gives file and offset as "17:4096".
func (p Position) String() string { return fmt.Sprintf("%d:%d", p.File, p.Offset) }

// Options of a log; the zero value is useful.
type Options struct {
	// FileSize is the size in bytes at which a new file is begun; default
	// DefaultFileSize. A record never spans files: one that is larger gets a
	// file for itself.
	FileSize int64

	// OldestNeeded is the number of the oldest file whose records the owner
	// still needs, as its own durable state knows it (End().File or a
	// Position's File). Open refuses with *CorruptError if that file is missing.
	// 0 requires nothing.
	OldestNeeded uint64

	// Rand gives the salts; default crypto/rand.Reader.
	Rand io.Reader
}

// Repair is what Open cut off: bytes behind the last whole record that were
// never known to be synced and so never acknowledged.
type Repair struct {
	File    string // path of the file
	Offset  int64  // where the first byte was cut off
	Dropped int64  // number of bytes cut off
}

func (r *Repair) String() string {
	return fmt.Sprintf("%s: cut off %d bytes of an unfinished write at offset %d", r.File, r.Dropped, r.Offset)
}

// CorruptError is damage in something that was known to be synced.
type CorruptError struct {
	File     string // path of the file
	Offset   int64  // where in it
	Expected string // what should be there
	Found    string // what is there
}

func (e *CorruptError) Error() string {
	return fmt.Sprintf("write-ahead log file %s is damaged at offset %d: expected %s, found %s", e.File, e.Offset, e.Expected, e.Found)
}

// FileInfo describes one file of a log.
type FileInfo struct {
	Number uint64
	Size   int64 // bytes
}

// Log is an open log.
type Log struct {
	fs       vfs.FS
	dir      string
	fileSize int64
	rand     io.Reader

	// w is the writer: whoever appends, syncs or closes holds its lock, also
	// during a sync.
	w struct {
		sync.Mutex
		file   vfs.File // nil until the first append after Open
		header header   // of file; when there is none, of the file to be begun, without its salt
		end    int64    // where the next frame goes; behind it may be the rest of a refused one
		last   int64    // end of the last record, that is of what the file must keep
		synced int64    // everything before is on disk
		ended  bool     // a refused write left bytes behind end: the file takes no more
		carry  [][]byte // records to be copied into the file to be begun
		buf    []byte
		mark   [frameLen]byte
	}

	// state is what others ask without waiting for a sync. Locked after w.
	state struct {
		sync.Mutex
		err   error // final: halted or closed
		files []FileInfo
		end   Position
	}

	// removal is held by Drop, and shared by readers of the files.
	removal sync.RWMutex
}

// End is where the next record goes at the earliest: all records appended so far
// lie before it.
func (l *Log) End() Position {
	l.state.Lock()
	defer l.state.Unlock()
	return l.state.end
}

// Files lists the files of the log, oldest first.
func (l *Log) Files() []FileInfo {
	l.state.Lock()
	defer l.state.Unlock()
	return append([]FileInfo(nil), l.state.files...)
}

// Size is the sum of the sizes of all files in bytes.
func (l *Log) Size() int64 {
	l.state.Lock()
	defer l.state.Unlock()
	var sum int64
	for _, f := range l.state.files {
		sum += f.Size
	}
	return sum
}

// err returns the error that every call gets from now on, or nil.
func (l *Log) err() error {
	l.state.Lock()
	defer l.state.Unlock()
	return l.state.err
}

// halt makes cause final and returns it as callers see it.
func (l *Log) halt(cause error) error {
	l.state.Lock()
	defer l.state.Unlock()
	if l.state.err == nil {
		l.state.err = fmt.Errorf("%w: %w", ErrHalted, cause)
	}
	return l.state.err
}
