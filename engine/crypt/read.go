package crypt

import (
	"bytes"
	"crypto/cipher"
	"errors"
	"fmt"
	"io"
	"sort"
	"sync"

	"github.com/cockroachdb/pebble/v2/vfs"
)

const (
	// readFramesMax is how many full frames one read of the file below takes.
	readFramesMax = 32

	// candidatesMax bounds the places that are tried for a good frame behind a bad
	// one. Three bytes occur by chance once in 16 MiB; a file that has them this
	// often was made to.
	candidatesMax = 1 << 16

	// readAhead is what small sequential reads fetch at once.
	readAhead = 8 * frameBytes
)

// index tells where the frames of a file are.
type index struct {
	n    int        // number of frames
	refs []frameRef // one each, or nil when all but the last are full
	last frameRef   // when refs is nil
}

// end is where the plaintext ends.
func (x *index) end() int64 {
	if x.n == 0 {
		return 0
	}
	r := x.ref(x.n - 1)
	return r.offset + int64(r.length)
}

func (x *index) ref(i int) frameRef {
	if x.refs != nil {
		return x.refs[i]
	}
	if i == x.n-1 {
		return x.last
	}
	return frameRef{offset: int64(i) * frameBytes, place: headLen + int64(i)*frameLen, length: frameBytes}
}

// find returns the frame with the plaintext at off, which is before the end.
func (x *index) find(off int64) int {
	if x.refs == nil {
		return min(int(off/frameBytes), x.n-1)
	}
	// The last one that begins at or before off is it; empty frames have no bytes.
	return sort.Search(x.n, func(i int) bool { return x.refs[i].offset > off }) - 1
}

// frameBuffer holds frames as they are on disk, and the plaintext of one of which
// only a part is wanted.
type frameBuffer struct {
	frames [readFramesMax * frameLen]byte
	plain  [frameBytes]byte
}

var frameBuffers = sync.Pool{New: func() any { return new(frameBuffer) }}

// read fills p from off on as far as the frames reach.
func (x *index) read(f io.ReaderAt, gcm cipher.AEAD, name string, p []byte, off int64) (n int, err error) {
	end := x.end()
	if off >= end || len(p) == 0 {
		return 0, nil
	}
	buffer := frameBuffers.Get().(*frameBuffer)
	defer frameBuffers.Put(buffer)
	buf := &buffer.frames
	for i := x.find(off); i < x.n && n < len(p); {
		// As many frames as are needed and fit, which lie one behind the other.
		first, to := x.ref(i), i
		size := 0
		for to < x.n {
			r := x.ref(to)
			if l := frameHeadLen + r.length + tagLen; size+l > len(buf) || to > i && r.offset >= off+int64(len(p)-n) {
				break
			} else {
				size += l
			}
			to++
		}
		got, err := f.ReadAt(buf[:size], first.place)
		if err != nil && !errors.Is(err, io.EOF) {
			return n, err
		}
		at := 0
		for ; i < to; i++ {
			r := x.ref(i)
			l := frameHeadLen + r.length + tagLen
			if at+l > got {
				return n, &CorruptError{name, r.place, "the file ends within a frame"}
			}
			b := buf[at : at+l]
			at += l
			h, ok := parseFrameHead(b)
			if !ok || h.length != r.length || h.number != uint64(i) || h.offset != r.offset {
				return n, &CorruptError{name, r.place, fmt.Sprintf("here should be frame %d", i)}
			}
			skip := int(off - r.offset) // of this frame
			if skip == 0 && len(p)-n >= r.length {
				if _, err := openFrame(p[n:n:n+r.length], gcm, &h, b); err != nil {
					clear(p[n : n+r.length])
					return n, badFrame(name, r.place, i)
				}
				n += r.length
				off += int64(r.length)
				continue
			}
			plain, err := openFrame(buffer.plain[:0], gcm, &h, b)
			if err != nil {
				return n, badFrame(name, r.place, i)
			}
			c := copy(p[n:], plain[skip:])
			n += c
			off += int64(c)
			if n == len(p) {
				break
			}
		}
	}
	return n, nil
}

func badFrame(name string, place int64, number int) error {
	return &CorruptError{name, place, fmt.Sprintf("frame %d does not authenticate", number)}
}

// reader is a file opened for reading, as long as it was when it was opened.
type reader struct {
	vfs.File // the file below
	name     string
	gcm      cipher.AEAD
	index    index
	size     int64
	// damage, if any, begins where the index ends.
	damage error

	// seq is the state of sequential reads.
	seq struct {
		off int64
		buf []byte // plaintext from off on
	}
}

// newReader reads the head of a file and finds its frames.
func newReader(fs *FS, f vfs.File, name string) (*reader, error) {
	info, err := f.Stat()
	if err != nil {
		return nil, err
	}
	limit := info.Size()
	r := &reader{File: f, name: name}
	if limit == 0 {
		return r, nil
	}
	head := make([]byte, min(headLen, limit))
	if n, err := f.ReadAt(head, 0); err != nil && !errors.Is(err, io.EOF) {
		return nil, err
	} else if n < len(head) {
		return nil, &CorruptError{name, int64(n), "the file has become shorter"}
	}
	s, gcm, err := fs.ring.openHead(name, head)
	if err != nil {
		if damaged := (*CorruptError)(nil); errors.As(err, &damaged) && limit <= headLen && damaged.Offset >= 0 && !plainText(head) {
			return r, nil // the head was never finished, and nothing follows it
		}
		return nil, err
	}
	r.gcm = gcm
	if s.kind == sealedKind && r.regular(limit) {
		r.size = r.index.end()
		return r, nil
	}
	if err := r.scan(s.kind, limit); err != nil {
		return nil, err
	}
	return r, nil
}

// plainText reports whether the beginning of a file looks like one that was never
// encrypted: it has no magic, and no zero byte as an unfinished head has.
func plainText(head []byte) bool {
	return len(head) > 0 && !bytes.HasPrefix(head, []byte(fileMagic)[:min(len(head), len(fileMagic))]) && bytes.IndexByte(head, 0) < 0
}

// regular finds out from the last frame alone whether all frames before it are
// full.
func (r *reader) regular(limit int64) bool {
	n, rest := (limit-headLen)/frameLen, (limit-headLen)%frameLen
	if rest < frameHeadLen+tagLen {
		return false
	}
	b := make([]byte, rest)
	if _, err := io.ReadFull(io.NewSectionReader(r.File, limit-rest, rest), b); err != nil {
		return false
	}
	h, ok := parseFrameHead(b)
	if !ok || !h.seals || h.number != uint64(n) || h.offset != n*frameBytes || int64(h.length) != rest-frameHeadLen-tagLen {
		return false
	}
	if _, err := openFrame(nil, r.gcm, &h, b); err != nil {
		return false
	}
	r.index = index{n: int(n) + 1, last: frameRef{offset: h.offset, place: limit - rest, length: h.length}}
	return true
}

// scan walks from frame to frame. At the first bad one the file ends, or is
// damaged.
func (r *reader) scan(k kind, limit int64) error {
	place, offset, sealed := int64(headLen), int64(0), false
	refs := []frameRef{}
	win := window{f: r.File, limit: limit}
	plain := make([]byte, 0, frameBytes)
	for place < limit {
		h, ok, err := win.frame(place, r.gcm, plain)
		if err != nil {
			return err
		}
		if !ok || h.number != uint64(len(refs)) || h.offset != offset {
			break
		}
		refs = append(refs, frameRef{offset: offset, place: place, length: h.length})
		offset += int64(h.length)
		place += int64(frameHeadLen + h.length + tagLen)
		sealed = sealed || h.seals
	}
	r.index = index{n: len(refs), refs: refs}
	r.size = offset
	if place < limit {
		end, err := r.witness(&win, k, place, offset, uint64(len(refs)), plain)
		if err != nil {
			return err
		}
		if end > 0 {
			r.damage = &CorruptError{r.name, place, fmt.Sprintf("frame %d does not authenticate, and a later one says that it was on disk", len(refs))}
			r.size = max(end, offset+1)
			return nil
		}
	}
	if k == sealedKind && !sealed {
		return &CorruptError{r.name, place, "the file ends without the frame that seals it: it was cut off, or never finished"}
	}
	return nil
}

// witness looks behind a bad frame for a good one that says that the bad one was
// on disk when it was written. It returns where the plaintext of the last such
// frame ends, 0 when there is none.
func (r *reader) witness(win *window, k kind, place, offset int64, number uint64, plain []byte) (end int64, err error) {
	candidates := 0
	for at := place + 1; ; at++ {
		if at, err = win.find(at); err != nil || at < 0 {
			return end, err
		}
		if candidates++; candidates > candidatesMax {
			return max(end, 1), nil
		}
		h, ok, err := win.frame(at, r.gcm, plain)
		if err != nil {
			return 0, err
		}
		if !ok || h.number < number || h.offset < offset {
			continue
		}
		if h.synced > offset || k == sealedKind && h.seals {
			end = h.offset + int64(h.length)
		}
		at += int64(frameHeadLen + h.length + tagLen - 1)
	}
}

// window is a part of the file below, read at once.
type window struct {
	f     io.ReaderAt
	limit int64
	base  int64
	b     []byte
	buf   []byte
}

// windowBytes is the size of a window: many frames.
const windowBytes = 256 << 10

// at returns at least n bytes from place on, or all there are.
func (w *window) at(place int64, n int) ([]byte, error) {
	n = int(min(int64(n), w.limit-place))
	if place >= w.base && place+int64(n) <= w.base+int64(len(w.b)) {
		return w.b[place-w.base:], nil
	}
	if w.buf == nil {
		w.buf = make([]byte, min(windowBytes, w.limit))
	}
	got, err := w.f.ReadAt(w.buf[:min(int64(len(w.buf)), w.limit-place)], place)
	if err != nil && !errors.Is(err, io.EOF) {
		return nil, err
	}
	w.base, w.b = place, w.buf[:got]
	return w.b, nil
}

// frame authenticates the frame at a place; ok is false when there is none.
func (w *window) frame(place int64, gcm cipher.AEAD, plain []byte) (h frameHead, ok bool, err error) {
	b, err := w.at(place, frameLen)
	if err != nil {
		return h, false, err
	}
	if h, ok = parseFrameHead(b); !ok || frameHeadLen+h.length+tagLen > len(b) {
		return h, false, nil
	}
	_, err = openFrame(plain, gcm, &h, b)
	return h, err == nil, nil
}

// find returns the first place from at on where a frame could begin, -1 when there
// is none.
func (w *window) find(at int64) (int64, error) {
	for w.limit-at >= frameHeadLen+tagLen {
		b, err := w.at(at, frameHeadLen+tagLen)
		if err != nil {
			return 0, err
		}
		if i := bytes.Index(b, frameMagic); i >= 0 {
			return at + int64(i), nil
		}
		if len(b) < frameHeadLen {
			break
		}
		at += int64(len(b) - len(frameMagic) + 1)
	}
	return -1, nil
}

// ReadAt reads plaintext.
func (r *reader) ReadAt(p []byte, off int64) (int, error) {
	if off < 0 {
		return 0, fmt.Errorf("reading %s: offset %d is negative", r.name, off)
	}
	n, err := r.index.read(r.File, r.gcm, r.name, p, off)
	if err != nil || n == len(p) {
		return n, err
	}
	if r.damage != nil && off+int64(n) < r.size {
		return n, r.damage
	}
	return n, io.EOF
}

// Read reads on from where the last Read ended.
func (r *reader) Read(p []byte) (int, error) {
	s := &r.seq
	if len(s.buf) > 0 {
		n := copy(p, s.buf)
		s.buf = s.buf[n:]
		s.off += int64(n)
		return n, nil
	}
	if len(p) >= readAhead {
		n, err := r.ReadAt(p, s.off)
		s.off += int64(n)
		return n, eofIfNone(n, err)
	}
	buf := make([]byte, min(readAhead, max(r.size-s.off, 1)))
	n, err := r.ReadAt(buf, s.off)
	if n == 0 {
		return 0, eofIfNone(0, err)
	}
	s.buf = buf[:n]
	n = copy(p, s.buf)
	s.buf = s.buf[n:]
	s.off += int64(n)
	return n, nil
}

// eofIfNone is the error of a sequential read: the end, or damage, is told when
// nothing precedes it.
func eofIfNone(n int, err error) error {
	if n > 0 && errors.Is(err, io.EOF) {
		return nil
	}
	return err
}

// eofUnless is the error of a positional read.
func eofUnless(full bool) error {
	if full {
		return nil
	}
	return io.EOF
}

// Stat tells the size of the plaintext.
func (r *reader) Stat() (vfs.FileInfo, error) {
	info, err := r.File.Stat()
	if err != nil {
		return nil, err
	}
	return plainInfo{info, r.size}, nil
}

// Write is not possible.
func (r *reader) Write([]byte) (int, error) { return 0, errUnsupported }

// WriteAt is not possible.
func (r *reader) WriteAt([]byte, int64) (int, error) { return 0, errUnsupported }

// Preallocate does nothing.
func (r *reader) Preallocate(int64, int64) error { return nil }

// Prefetch asks for a range to be read ahead.
func (r *reader) Prefetch(offset, length int64) error {
	return r.File.Prefetch(placeOf(offset), placeOf(offset+length)-placeOf(offset)+frameLen)
}

// Fd is not given: nobody may reach around the encryption.
func (r *reader) Fd() uintptr { return vfs.InvalidFd }

// plainInfo is a file's description with the size of its plaintext.
type plainInfo struct {
	vfs.FileInfo
	size int64
}

// Size returns the size of the plaintext in bytes.
func (i plainInfo) Size() int64 { return i.size }
