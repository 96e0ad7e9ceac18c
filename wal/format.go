package wal

import (
	"encoding/binary"
	"fmt"
	"strconv"
	"strings"

	"github.com/cespare/xxhash/v2"
)

// These constants are the format, version 1, and never change.
const (
	fileMagic   = "CAIRNWAL"
	fileVersion = 1
	headerLen   = 64
	frameLen    = 32

	frameMagic = "\xF7\xE1\x1D"
	kindRecord = 'R'
	kindMark   = 'M'

	fileSuffix = ".wal"
	tempSuffix = ".wal.tmp"
)

var le = binary.LittleEndian

// fileName is the name of file n.
func fileName(n uint64) string { return fmt.Sprintf("%06d%s", n, fileSuffix) }

// parseFileName is the reverse; names in any other spelling are not ours.
func parseFileName(name string) (n uint64, ok bool) {
	digits, ok := strings.CutSuffix(name, fileSuffix)
	if !ok {
		return 0, false
	}
	n, err := strconv.ParseUint(digits, 10, 63)
	return n, err == nil && n > 0 && fileName(n) == name
}

// header is the beginning of a file.
type header struct {
	number   uint64
	salt     uint64
	prevSalt uint64
	prevEnd  int64
	birth    int64
}

func (h *header) append(dst []byte) []byte {
	at := len(dst)
	dst = append(dst, fileMagic...)
	dst = le.AppendUint32(dst, fileVersion)
	dst = le.AppendUint32(dst, 0)
	dst = le.AppendUint64(dst, h.number)
	dst = le.AppendUint64(dst, h.salt)
	dst = le.AppendUint64(dst, h.prevSalt)
	dst = le.AppendUint64(dst, uint64(h.prevEnd))
	dst = le.AppendUint64(dst, uint64(h.birth))
	return le.AppendUint64(dst, xxhash.Sum64(dst[at:]))
}

// parseHeader reads the header of the file at path, which holds number
// according to its name.
func parseHeader(b []byte, path string, number uint64) (header, error) {
	if len(b) < headerLen {
		return header{}, &CorruptError{path, 0, fmt.Sprintf("a file header of %d bytes", headerLen), fmt.Sprintf("a file of %d bytes", len(b))}
	}
	b = b[:headerLen]
	if string(b[:8]) != fileMagic {
		return header{}, &CorruptError{path, 0, strconv.Quote(fileMagic), fmt.Sprintf("%q", b[:8])}
	}
	if v := le.Uint32(b[8:]); v != fileVersion {
		return header{}, fmt.Errorf("write-ahead log file %s has format version %d, this program reads version %d: it is damaged or was written by a newer program", path, v, fileVersion)
	}
	if sum := xxhash.Sum64(b[:56]); sum != le.Uint64(b[56:]) {
		return header{}, &CorruptError{path, 56, fmt.Sprintf("header checksum %016x", sum), fmt.Sprintf("%016x", le.Uint64(b[56:]))}
	}
	h := header{
		number:   le.Uint64(b[16:]),
		salt:     le.Uint64(b[24:]),
		prevSalt: le.Uint64(b[32:]),
		prevEnd:  int64(le.Uint64(b[40:])),
		birth:    int64(le.Uint64(b[48:])),
	}
	switch {
	case le.Uint32(b[12:]) != 0:
		return header{}, &CorruptError{path, 12, "zero", fmt.Sprint(le.Uint32(b[12:]))}
	case h.number != number:
		return header{}, &CorruptError{path, 16, fmt.Sprintf("file number %d", number), fmt.Sprintf("%d, another file under this name", h.number)}
	case number == 1 && (h.prevSalt != 0 || h.prevEnd != 0):
		return header{}, &CorruptError{path, 32, "nothing about a file before the first", fmt.Sprintf("salt %016x, end %d", h.prevSalt, h.prevEnd)}
	case number > 1 && h.prevEnd < headerLen:
		return header{}, &CorruptError{path, 40, "the end of the file before", fmt.Sprint(h.prevEnd)}
	case h.birth < headerLen:
		return header{}, &CorruptError{path, 48, "where the file ended at its birth", fmt.Sprint(h.birth)}
	}
	return h, nil
}

// frame is the fixed part of a frame.
type frame struct {
	kind   byte
	length int
	synced int64
	sum    uint64 // of the payload
}

// put writes the frame that stands at offset off of the file with header h.
func (f *frame) put(dst []byte, h *header, off int64) {
	copy(dst, frameMagic)
	dst[3] = f.kind
	le.PutUint32(dst[4:], uint32(f.length))
	le.PutUint64(dst[8:], uint64(f.synced))
	le.PutUint64(dst[16:], f.sum)
	le.PutUint64(dst[24:], frameSum(dst, h, off))
}

// frameSum is the checksum of the 24 bytes before it, bound to their place.
func frameSum(b []byte, h *header, off int64) uint64 {
	var place [48]byte
	copy(place[:24], b)
	le.PutUint64(place[24:], h.salt)
	le.PutUint64(place[32:], h.number)
	le.PutUint64(place[40:], uint64(off))
	return xxhash.Sum64(place[:])
}

// parseFrame reads the frame at offset off of the file at path. Everything it
// returns is covered by the checksum and within bounds.
func parseFrame(b []byte, h *header, path string, off int64) (frame, error) {
	if len(b) < frameLen {
		return frame{}, &CorruptError{path, off, fmt.Sprintf("a frame of %d bytes", frameLen), fmt.Sprintf("%d bytes", len(b))}
	}
	if string(b[:3]) != frameMagic {
		return frame{}, &CorruptError{path, off, fmt.Sprintf("a frame, beginning with % x", frameMagic), fmt.Sprintf("% x", b[:3])}
	}
	if sum := frameSum(b, h, off); sum != le.Uint64(b[24:]) {
		return frame{}, &CorruptError{path, off, fmt.Sprintf("frame checksum %016x", sum), fmt.Sprintf("%016x", le.Uint64(b[24:]))}
	}
	f := frame{kind: b[3], synced: int64(le.Uint64(b[8:])), sum: le.Uint64(b[16:])}
	length := le.Uint32(b[4:])
	switch {
	case f.kind != kindRecord && f.kind != kindMark:
		return frame{}, &CorruptError{path, off + 3, "a known kind of frame", fmt.Sprintf("%#02x", f.kind)}
	case f.kind == kindRecord && length > MaxRecord, f.kind == kindMark && length != 0:
		return frame{}, &CorruptError{path, off + 4, fmt.Sprintf("a payload of at most %d bytes", MaxRecord), fmt.Sprint(length)}
	case f.synced < headerLen || f.synced > off:
		return frame{}, &CorruptError{path, off + 8, fmt.Sprintf("an offset from %d to %d", headerLen, off), fmt.Sprint(f.synced)}
	}
	f.length = int(length)
	return f, nil
}

// appendRecord appends the frame of a record at offset off, payload included.
func appendRecord(dst []byte, h *header, off, synced int64, parts ...[]byte) []byte {
	at := len(dst)
	dst = append(dst, make([]byte, frameLen)...)
	for _, p := range parts {
		dst = append(dst, p...)
	}
	payload := dst[at+frameLen:]
	f := frame{kind: kindRecord, length: len(payload), synced: synced, sum: xxhash.Sum64(payload)}
	f.put(dst[at:], h, off)
	return dst
}

// emptySum is the checksum of no payload.
var emptySum = xxhash.Sum64(nil)
