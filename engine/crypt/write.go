package crypt

import (
	"crypto/cipher"
	"errors"
	"fmt"
	"sync"

	"github.com/cockroachdb/pebble/v2/vfs"
)

// gatherFrames is how many full frames of a sealed file are gathered for one
// write: 128 KiB, so that a table of megabytes is not written in crumbs.
const gatherFrames = 16

var errUnsupported = errors.New("an encrypted file can only be appended to by who creates it")

// writer is a file being written. Its creator appends; reads see what was written.
type writer struct {
	vfs.File // the file below
	fs       *FS
	name     string
	kind     kind
	gcm      cipher.AEAD
	head     []byte // not yet written head of the file

	// mu guards the rest: reads may come at any time.
	mu      sync.Mutex
	plain   []byte     // buffered plaintext, behind all frames
	out     []byte     // frames not yet written
	frames  []frameRef // all frames, for reading them back
	number  uint64     // of the next frame
	offset  int64      // plaintext in frames
	place   int64      // where the next frame goes in the file below
	written int64      // where the next write goes in the file below
	synced  int64      // plaintext known to be on disk
	sealed  bool       // the last frame seals the file
	failed  error      // a write has failed
	read    int64      // offset of Read
}

// frameRef tells where a frame is.
type frameRef struct {
	offset int64 // of its plaintext
	place  int64 // in the file below
	length int   // of its plaintext
}

// newWriter begins an encrypted file in f, which is empty.
func newWriter(fs *FS, f vfs.File, name string, k kind) (*writer, error) {
	head, gcm := fs.ring.newHead(k)
	w := &writer{File: f, fs: fs, name: name, kind: k, gcm: gcm, head: head, place: headLen}
	if k == logKind {
		// Before anything follows it, so that a reader can tell a head that was never
		// finished, with nothing behind it, from one that was damaged.
		if err := w.writeHead(); err != nil {
			return nil, err
		}
		if err := f.Sync(); err != nil {
			return nil, fmt.Errorf("syncing the head of %s: %w", name, err)
		}
	}
	return w, nil
}

func (w *writer) writeHead() error {
	if w.head == nil {
		return nil
	}
	_, err := w.File.Write(w.head)
	if err != nil {
		w.failed = err
		return err
	}
	w.head, w.written = nil, headLen
	return nil
}

// Write appends.
func (w *writer) Write(p []byte) (int, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.failed != nil {
		return 0, fmt.Errorf("writing %s after a write that failed: %w", w.name, w.failed)
	}
	n := len(p)
	for len(p) > 0 {
		// A full frame is taken from p where it lies, if nothing is buffered.
		if len(w.plain) == 0 && len(p) >= frameBytes {
			w.frame(p[:frameBytes], false)
			p = p[frameBytes:]
		} else if w.kind == logKind {
			w.frame(p, false)
			p = nil
		} else {
			part := min(frameBytes-len(w.plain), len(p))
			w.plain = append(w.plain, p[:part]...)
			p = p[part:]
			if len(w.plain) == frameBytes {
				w.frame(w.plain, false)
				w.plain = w.plain[:0]
			}
		}
		if len(w.out) >= gatherFrames*frameLen {
			if err := w.flush(); err != nil {
				return 0, err
			}
		}
	}
	if w.kind == logKind {
		if err := w.flush(); err != nil {
			return 0, err
		}
	}
	return n, nil
}

// frame seals plaintext as the next frame. It never fails: the frame is gathered.
func (w *writer) frame(plain []byte, seals bool) {
	h := frameHead{seals: seals, length: len(plain), number: w.number, offset: w.offset, synced: w.synced}
	before := len(w.out)
	w.out = sealFrame(w.out, w.gcm, &h, plain)
	w.frames = append(w.frames, frameRef{offset: w.offset, place: w.place, length: len(plain)})
	w.number++
	w.offset += int64(len(plain))
	w.place += int64(len(w.out) - before)
	w.sealed = seals
}

// flush writes what was gathered.
func (w *writer) flush() error {
	if w.failed != nil {
		return w.failed
	}
	if len(w.out) == 0 {
		return nil
	}
	out := w.out
	if w.head != nil {
		out = append(w.head, out...)
	}
	if _, err := w.File.Write(out); err != nil {
		// Some of it may be in the file. Its frame numbers are used up: sealing other
		// plaintext under them would give the nonce away.
		w.failed = err
		return err
	}
	w.head, w.out = nil, w.out[:0]
	w.written = w.place
	return nil
}

// finish writes everything that is buffered. A sealed file gets its seal.
func (w *writer) finish() error {
	if w.failed != nil {
		return w.failed
	}
	if w.kind == sealedKind && (len(w.plain) > 0 || w.number > 0 && !w.sealed) {
		w.frame(w.plain, true)
		w.plain = w.plain[:0]
	}
	return w.flush()
}

// sync makes everything written durable with one of the two syncs below.
func (w *writer) sync(below func() error) error {
	w.mu.Lock()
	ferr := w.finish()
	end := w.offset
	w.mu.Unlock()
	// Also after a failed write: what came before it is as durable as without
	// encryption, and is all that is vouched for.
	if err := below(); err != nil {
		return err
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.failed != nil {
		if w.kind == logKind {
			return nil // each write has told for itself
		}
		return ferr
	}
	w.synced = end
	return nil
}

// Sync makes everything written durable.
func (w *writer) Sync() error { return w.sync(w.File.Sync) }

// SyncData is Sync without metadata.
func (w *writer) SyncData() error { return w.sync(w.File.SyncData) }

// SyncTo has a prefix written out some time; it promises nothing.
func (w *writer) SyncTo(length int64) (bool, error) {
	w.mu.Lock()
	written := w.written
	w.mu.Unlock()
	if below := placeOf(length); below < written {
		written = below
	}
	if written > 0 {
		if _, err := w.File.SyncTo(written); err != nil {
			return false, err
		}
	}
	return false, nil
}

// placeOf is about where a plaintext offset is in the file below: exactly so when
// the frames are regular.
func placeOf(offset int64) int64 { return headLen + offset/frameBytes*frameLen }

// Preallocate reserves space below.
func (w *writer) Preallocate(offset, length int64) error {
	return w.File.Preallocate(placeOf(offset), placeOf(offset+length)-placeOf(offset)+frameLen)
}

// WriteAt is not possible: it would need a second nonce for the same place.
func (w *writer) WriteAt([]byte, int64) (int, error) { return 0, errUnsupported }

// Close writes what is buffered and closes the file.
func (w *writer) Close() error {
	w.mu.Lock()
	reported := w.failed != nil
	err := w.finish()
	if reported {
		err = nil
	}
	w.mu.Unlock()
	return errors.Join(err, w.File.Close())
}

// Stat tells the size of the plaintext.
func (w *writer) Stat() (vfs.FileInfo, error) {
	info, err := w.File.Stat()
	if err != nil {
		return nil, err
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	return plainInfo{info, w.offset + int64(len(w.plain))}, nil
}

// ReadAt reads what was written.
func (w *writer) ReadAt(p []byte, off int64) (int, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if err := w.flush(); err != nil {
		return 0, err
	}
	n := 0
	if off < w.offset {
		x := index{refs: w.frames, n: len(w.frames)}
		var err error
		if n, err = x.read(w.File, w.gcm, w.name, p, off); err != nil {
			return n, err
		}
	}
	if at := off + int64(n) - w.offset; n < len(p) && at >= 0 && at < int64(len(w.plain)) {
		n += copy(p[n:], w.plain[at:])
	}
	return n, eofUnless(n == len(p))
}

// Read reads on from where the last Read ended.
func (w *writer) Read(p []byte) (int, error) {
	n, err := w.ReadAt(p, w.read)
	w.read += int64(n)
	return n, eofIfNone(n, err)
}

// Prefetch asks for a range to be read ahead.
func (w *writer) Prefetch(offset, length int64) error {
	return w.File.Prefetch(placeOf(offset), placeOf(offset+length)-placeOf(offset)+frameLen)
}

// Fd is not given: nobody may reach around the encryption.
func (w *writer) Fd() uintptr { return vfs.InvalidFd }
