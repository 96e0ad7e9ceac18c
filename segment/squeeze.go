package segment

import (
	"errors"
	"sync"

	"github.com/klauspost/compress/zstd"
)

// Encoders and decoders of zstd are large and safe for concurrent use of
// EncodeAll and DecodeAll, one goroutine per unit of concurrency.

var (
	fastEncoder = sync.OnceValue(func() *zstd.Encoder { return newEncoder(zstd.SpeedFastest) })
	goodEncoder = sync.OnceValue(func() *zstd.Encoder { return newEncoder(zstd.SpeedBetterCompression) })
	anyDecoder  = sync.OnceValue(func() *zstd.Decoder {
		d, err := zstd.NewReader(nil,
			zstd.WithDecoderConcurrency(0),
			zstd.WithDecoderMaxMemory(maxUnpacked),
			zstd.WithDecodeAllCapLimit(true),
			zstd.IgnoreChecksum(true))
		if err != nil {
			panic("segment: zstd decoder: " + err.Error()) // only for invalid options
		}
		return d
	})
)

// maxUnpacked bounds what one compressed run of bytes may unpack to. The
// largest is a text value of a whole record with its page neighbours.
const maxUnpacked = 1 << 30

func newEncoder(level zstd.EncoderLevel) *zstd.Encoder {
	e, err := zstd.NewWriter(nil,
		zstd.WithEncoderLevel(level),
		zstd.WithEncoderCRC(false),
		// Tokens of varying length repeat nothing, but have 64 characters: without
		// this, the fast level would leave them at eight bits each.
		zstd.WithAllLitEntropyCompression(true),
		zstd.WithSingleSegment(true),
		zstd.WithWindowSize(1<<20),
		zstd.WithLowerEncoderMem(true))
	if err != nil {
		panic("segment: zstd encoder: " + err.Error()) // only for invalid options
	}
	return e
}

// zstdMagic starts every zstd frame; it is left out of stored frames.
const zstdMagic = 4

// squeeze appends the zstd frame of src, without its magic number, to dst.
func squeeze(dst, src []byte, e *zstd.Encoder) []byte {
	if len(src) == 0 {
		return dst
	}
	n := len(dst)
	dst = e.EncodeAll(src, dst)
	copy(dst[n:], dst[n+zstdMagic:])
	return dst[:len(dst)-zstdMagic]
}

var frames = sync.Pool{New: func() any { b := make([]byte, 0, 64<<10); return &b }}

var errUnsqueeze = errors.New("compressed bytes do not unpack to the length stated")

// unsqueeze unpacks a frame made by squeeze to exactly n bytes, into dst[:0]
// if that has room.
func unsqueeze(dst, frame []byte, n int) ([]byte, error) {
	// A zstd block header of three bytes can stand for 128 KiB, and a frame
	// needs some bytes of header: a length beyond that is a lie.
	if n == 0 && len(frame) == 0 {
		return dst[:0], nil
	}
	if n <= 0 || n > maxUnpacked || n > (len(frame)/3+1)*(128<<10) {
		return nil, errUnsqueeze
	}
	p := frames.Get().(*[]byte)
	f := append((*p)[:0], 0x28, 0xb5, 0x2f, 0xfd)
	f = append(f, frame...)
	if cap(dst) < n {
		dst = make([]byte, 0, n)
	}
	out, err := anyDecoder().DecodeAll(f, dst[:0:n])
	if cap(f) <= 1<<20 {
		*p = f
		frames.Put(p)
	}
	if err != nil || len(out) != n {
		return nil, errUnsqueeze
	}
	return out, nil
}
