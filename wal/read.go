package wal

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"

	"github.com/cespare/xxhash/v2"
	"github.com/cockroachdb/pebble/v2/vfs"
)

// readBuffer is the size of the reads from a log file in bytes.
const readBuffer = 256 << 10

// reader reads the frames of one file in order.
type reader struct {
	file   vfs.File
	path   string
	size   int64
	header header

	off     int64 // of the next frame
	in      *bufio.Reader
	payload []byte
}

// openReader opens file number of the log in dir and reads its header.
func openReader(fs vfs.FS, dir string, number uint64) (_ *reader, err error) {
	path := fs.PathJoin(dir, fileName(number))
	file, err := fs.Open(path, vfs.SequentialReadsOption)
	if err != nil {
		return nil, fmt.Errorf("opening write-ahead log file %s: %w", path, err)
	}
	r := &reader{file: file, path: path}
	defer func() {
		if err != nil {
			err = errors.Join(err, file.Close())
		}
	}()
	stat, err := file.Stat()
	if err != nil {
		return nil, fmt.Errorf("reading the size of write-ahead log file %s: %w", path, err)
	}
	r.size = stat.Size()
	var b [headerLen]byte
	n, err := file.ReadAt(b[:min(headerLen, r.size)], 0)
	if err != nil && err != io.EOF {
		return nil, fmt.Errorf("reading write-ahead log file %s: %w", path, err)
	}
	if r.header, err = parseHeader(b[:n], path, number); err != nil {
		return nil, err
	}
	if r.header.birth > r.size {
		return nil, &CorruptError{path, r.size, fmt.Sprintf("a file of at least %d bytes, its size at birth", r.header.birth), "its end"}
	}
	return r, nil
}

func (r *reader) close() error { return r.file.Close() }

// rewind continues reading at the first frame.
func (r *reader) rewind() {
	r.off = headerLen
	section := io.NewSectionReader(r.file, headerLen, r.size-headerLen)
	if r.in == nil {
		r.in = bufio.NewReaderSize(section, int(min(readBuffer, r.size)))
	} else {
		r.in.Reset(section)
	}
}

// next reads the next frame and its payload, which is valid until the next
// call. A frame that is not good gives *CorruptError; the end of the file
// io.EOF; other errors are those of the file system.
func (r *reader) next() (frame, []byte, error) {
	if r.off == r.size {
		return frame{}, nil, io.EOF
	}
	b, err := r.in.Peek(int(min(frameLen, r.size-r.off)))
	if err != nil {
		return frame{}, nil, r.readError(err)
	}
	f, err := parseFrame(b, &r.header, r.path, r.off)
	if err != nil {
		return frame{}, nil, err
	}
	// The length is compared with what is there before memory is taken for it.
	if rest := r.size - r.off - frameLen; int64(f.length) > rest {
		return frame{}, nil, &CorruptError{r.path, r.off, fmt.Sprintf("a payload of %d bytes", f.length), fmt.Sprintf("the end of the file after %d", rest)}
	}
	if _, err := r.in.Discard(frameLen); err != nil {
		return frame{}, nil, r.readError(err)
	}
	if cap(r.payload) < f.length {
		r.payload = make([]byte, f.length)
	}
	payload := r.payload[:f.length]
	if _, err := io.ReadFull(r.in, payload); err != nil {
		return frame{}, nil, r.readError(err)
	}
	if sum := xxhash.Sum64(payload); sum != f.sum {
		return frame{}, nil, &CorruptError{r.path, r.off, fmt.Sprintf("a payload of %d bytes with checksum %016x", f.length, f.sum), fmt.Sprintf("%016x", sum)}
	}
	r.off += frameLen + int64(f.length)
	return f, payload, nil
}

func (r *reader) readError(err error) error {
	return fmt.Errorf("reading write-ahead log file %s at offset %d: %w", r.path, r.off, err)
}

// tail is how the last file of a log ends.
type tail struct {
	synced int64 // up to here everything is known to be synced
	end    int64 // end of the last good frame; from here the torn tail, if any
}

// inspect reads the whole file as the last one of its log and tells its torn
// tail from damage, as the package comment says.
func (r *reader) inspect() (tail, error) {
	t := tail{synced: r.header.birth, end: headerLen}
	r.rewind()
	for {
		f, _, err := r.next()
		if err == io.EOF {
			break
		}
		if bad := (*CorruptError)(nil); errors.As(err, &bad) {
			if t.synced > t.end {
				bad.Expected += fmt.Sprintf(" (all before offset %d was synced)", t.synced)
				return tail{}, bad
			}
			witness, err := r.witness(t.end)
			if err != nil {
				return tail{}, err
			}
			if witness >= 0 {
				bad.Expected += fmt.Sprintf(" (it was synced, says the frame at offset %d)", witness)
				return tail{}, bad
			}
			break
		}
		if err != nil {
			return tail{}, err
		}
		t.synced = max(t.synced, f.synced)
		t.end = r.off
	}
	if t.synced > t.end {
		return tail{}, &CorruptError{r.path, t.end, fmt.Sprintf("frames, all before offset %d was synced", t.synced), "the end of the file"}
	}
	return t, nil
}

// witness looks behind the bad frame at offset bad for a frame header that says
// that it was synced, and returns its offset, or -1. Its payload need not be
// whole: the header has its own checksum.
func (r *reader) witness(bad int64) (int64, error) {
	buf := make([]byte, min(readBuffer, r.size))
	for base := bad + 1; base+frameLen <= r.size; {
		n, err := r.file.ReadAt(buf[:min(int64(len(buf)), r.size-base)], base)
		if err != nil && err != io.EOF {
			return 0, fmt.Errorf("reading write-ahead log file %s at offset %d: %w", r.path, base, err)
		}
		chunk := buf[:n]
		if n < frameLen {
			break
		}
		for at := 0; ; at++ {
			i := bytes.Index(chunk[at:], []byte(frameMagic))
			if i < 0 || at+i+frameLen > n {
				break
			}
			at += i
			off := base + int64(at)
			if f, err := parseFrame(chunk[at:], &r.header, r.path, off); err == nil && f.synced > bad {
				return off, nil
			}
		}
		// A frame header may lie across the chunks: its first byte is at the
		// earliest among the last frameLen-1.
		base += int64(n - frameLen + 1)
	}
	return -1, nil
}
