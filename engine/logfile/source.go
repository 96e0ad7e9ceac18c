package logfile

import (
	"bufio"
	"errors"
	"io"
	"sync"

	"github.com/klauspost/compress/gzip"
	"github.com/klauspost/compress/zstd"
)

const (
	// packedBufferBytes is how much of a file is read at once: large enough that
	// reading costs few system calls, small beside the window.
	packedBufferBytes = 256 << 10

	// zstdWindowBytes is the largest zstd window that is decompressed. It is
	// memory per open file; the zstd program needs 8 MiB at most unless told
	// --long or --ultra.
	zstdWindowBytes = 32 << 20
)

// source yields the decompressed content of a file.
type source struct {
	packed  counter
	buffer  *bufio.Reader
	gzip    *gzip.Reader
	zstd    *zstd.Decoder
	content io.Reader
	kind    Compression
	total   int64 // decompressed bytes yielded
	limits  Limits
}

// counter counts what is read from the file and keeps its error apart from
// those of the decompressors.
type counter struct {
	r   io.Reader
	n   int64
	err error
}

func (c *counter) Read(p []byte) (int, error) {
	n, err := c.r.Read(p)
	c.n += int64(n)
	if err != nil && err != io.EOF {
		c.err = err
	}
	return n, err
}

var (
	bufferPool = sync.Pool{New: func() any { return bufio.NewReaderSize(nil, packedBufferBytes) }}
	gzipPool   sync.Pool // of *gzip.Reader
	zstdPool   sync.Pool // of *zstd.Decoder
)

func (s *source) init(r io.Reader, limits Limits) {
	s.packed.r = r
	s.limits = limits
	s.buffer = bufferPool.Get().(*bufio.Reader)
	s.buffer.Reset(&s.packed)
}

// start looks at the first bytes and sets up decompression.
func (s *source) start() *Reject {
	// What Peek cannot get is found out again by the first read.
	magic, _ := s.buffer.Peek(4)
	switch {
	case len(magic) >= 2 && magic[0] == 0x1f && magic[1] == 0x8b:
		s.kind = Gzip
		if z, ok := gzipPool.Get().(*gzip.Reader); ok {
			s.gzip = z
		} else {
			s.gzip = new(gzip.Reader)
		}
		if err := s.gzip.Reset(s.buffer); err != nil {
			return s.failure(err)
		}
		s.content = s.gzip
	case isZstd(magic):
		s.kind = Zstd
		if z, ok := zstdPool.Get().(*zstd.Decoder); ok {
			s.zstd = z
		} else {
			z, err := zstd.NewReader(nil, zstd.WithDecoderConcurrency(1), zstd.WithDecoderLowmem(true),
				zstd.WithDecoderMaxWindow(zstdWindowBytes))
			if err != nil {
				return s.failure(err)
			}
			s.zstd = z
		}
		if err := s.zstd.Reset(s.buffer); err != nil {
			return s.failure(err)
		}
		s.content = s.zstd
	default:
		s.content = s.buffer
	}
	return nil
}

// isZstd knows the magic of a zstd frame and of a skippable one, with which a
// file may start as well.
func isZstd(magic []byte) bool {
	if len(magic) < 4 {
		return false
	}
	if magic[0] == 0x28 && magic[1] == 0xb5 && magic[2] == 0x2f && magic[3] == 0xfd {
		return true
	}
	return magic[0]&0xf0 == 0x50 && magic[1] == 0x2a && magic[2] == 0x4d && magic[3] == 0x18
}

// read fills p with content as far as there is any. done says that there is no
// more, and bad why if the content did not simply end.
func (s *source) read(p []byte) (n int, done bool, bad *Reject) {
	if s.content == nil {
		if bad := s.start(); bad != nil {
			return 0, true, bad
		}
	}
	idle := 0
	for n < len(p) {
		k, err := s.content.Read(p[n:])
		n += k
		s.total += int64(k)
		if s.kind != Plain && s.bomb() {
			return n, true, &Reject{Reason: TooMuchData}
		}
		if err == io.EOF {
			return n, true, nil
		}
		if err != nil {
			return n, true, s.failure(err)
		}
		if k > 0 {
			idle = 0
		} else if idle++; idle > 100 {
			return n, true, s.failure(io.ErrNoProgress)
		}
	}
	return n, false, nil
}

// bomb reports whether the content is more than the packed bytes excuse.
func (s *source) bomb() bool {
	return s.total > s.limits.DecompressedBytes ||
		s.total > RatioFreeBytes && s.total/s.limits.Ratio > s.packed.n
}

// failure turns an error of reading or decompressing into a reject; the place
// is for the cursor to fill in.
func (s *source) failure(err error) *Reject {
	bad := &Reject{Err: err}
	switch {
	case s.packed.err != nil:
		bad.Reason, bad.Err = Unreadable, s.packed.err
	case s.kind == Plain:
		bad.Reason = Unreadable
	case errors.Is(err, zstd.ErrWindowSizeExceeded) || errors.Is(err, zstd.ErrDecoderSizeExceeded):
		bad.Reason = TooMuchData
	case errors.Is(err, io.ErrUnexpectedEOF) || errors.Is(err, io.EOF):
		bad.Reason, bad.Err = TruncatedGzip, nil
		if s.kind == Zstd {
			bad.Reason = TruncatedZstd
		}
	default:
		bad.Reason = DamagedGzip
		if s.kind == Zstd {
			bad.Reason = DamagedZstd
		}
	}
	return bad
}

func (s *source) close() {
	if s.buffer != nil {
		s.buffer.Reset(nil)
		bufferPool.Put(s.buffer)
	}
	if s.gzip != nil {
		gzipPool.Put(s.gzip)
	}
	if s.zstd != nil {
		if s.zstd.Reset(nil) == nil {
			zstdPool.Put(s.zstd)
		} else {
			s.zstd.Close()
		}
	}
	*s = source{packed: counter{n: s.packed.n}, kind: s.kind, total: s.total}
}
