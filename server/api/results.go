package api

import (
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"

	"github.com/cespare/xxhash/v2"
	"github.com/cockroachdb/pebble/v2/vfs"

	"github.com/cairndb/cairn/engine"
	"github.com/cairndb/cairn/segment/column"
	"github.com/cairndb/cairn/sql/fn"
)

// Results of queries lie in the lake's directory, encrypted if the lake is, and nobody but
// this package reads them:
//
//	results/QUERY-ID.rows
//
//	"cairnqr1"                          8 bytes
//	frames:
//	  length of the payload   4         little-endian, as all numbers
//	  rows in it              4
//	  xxhash64 of both and of the payload  8
//	  payload                 JSON: an array of rows, each as GetQueryResults gives it,
//	                          [{"column":"value"},…]
//
// A frame has up to 1,000 rows. A file that ends within a frame is that of a query which
// was interrupted; what is whole of it counts. A frame whose checksum is wrong is damage,
// and is told as such.
const (
	resultsDir   = "results"
	resultsMagic = "cairnqr1"
	frameHead    = 16
	frameRows    = 1000
	// frameBytes is where a frame ends before it has all its rows, frameMax the longest
	// that is read back: one row more than that, which may be as long as any.
	frameBytes = 1 << 20
	frameMax   = 256 << 20

	// resultBytesMax bounds the result of one query, resultsBytesMax those of all that
	// are kept: the oldest go first.
	resultBytesMax  = 1 << 30
	resultsBytesMax = 16 << 30

	// pageBytesMax bounds a page of GetQueryResults.
	pageBytesMax = 4 << 20
)

func (s *API) resultPath(id string) string {
	fs := s.lake.FS()
	return fs.PathJoin(s.lake.Dir(), resultsDir, id+".rows")
}

// resultWriter writes the rows of a query.
type resultWriter struct {
	f     vfs.File
	names [][]byte
	buf   []byte
	rows  uint32 // in buf
	bytes int64
}

func (s *API) createResult(id string, columns []string) (*resultWriter, error) {
	fs := s.lake.FS()
	if err := fs.MkdirAll(fs.PathJoin(s.lake.Dir(), resultsDir), 0o700); err != nil {
		return nil, err
	}
	f, err := fs.Create(s.resultPath(id), vfs.WriteCategoryUnspecified)
	if err != nil {
		return nil, err
	}
	w := &resultWriter{f: f}
	for _, c := range columns {
		name, err := json.Marshal(c)
		if err != nil {
			return nil, errors.Join(err, f.Close())
		}
		w.names = append(w.names, name)
	}
	if _, err := f.Write([]byte(resultsMagic)); err != nil {
		return nil, errors.Join(err, f.Close())
	}
	return w, nil
}

// errResultSize ends a query that gives too much.
var errResultSize = fmt.Errorf("the result has more than %d bytes: select fewer columns or rows", int64(resultBytesMax))

// add adds the rows of a batch, and returns how many are in frames that have been written.
func (w *resultWriter) add(b *column.Batch) (written int64, err error) {
	for i := range b.Len {
		if w.rows == 0 {
			w.buf = append(append(w.buf[:0], make([]byte, frameHead)...), '[')
		} else {
			w.buf = append(w.buf, ',')
		}
		w.buf = append(w.buf, '[')
		for k, v := range b.Cols {
			if k > 0 {
				w.buf = append(w.buf, ',')
			}
			w.buf = append(append(append(w.buf, '{'), w.names[k]...), ':')
			text := ""
			if !v.IsNull(i) {
				text = fn.Format(v, i)
			}
			value, err := json.Marshal(text)
			if err != nil {
				return written, err
			}
			w.buf = append(append(w.buf, value...), '}')
		}
		w.buf = append(w.buf, ']')
		if w.rows++; w.rows == frameRows || len(w.buf) >= frameBytes {
			n := int64(w.rows)
			if err := w.flush(); err != nil {
				return written, err
			}
			written += n
		}
	}
	return written, nil
}

// flush writes the frame that has been begun.
func (w *resultWriter) flush() error {
	if w.rows == 0 {
		return nil
	}
	w.buf = append(w.buf, ']')
	payload := w.buf[frameHead:]
	binary.LittleEndian.PutUint32(w.buf, uint32(len(payload)))
	binary.LittleEndian.PutUint32(w.buf[4:], w.rows)
	binary.LittleEndian.PutUint64(w.buf[8:], frameSum(w.buf[:8], payload))
	w.bytes += int64(len(w.buf))
	if w.bytes > resultBytesMax {
		return errResultSize
	}
	_, err := w.f.Write(append([]byte(nil), w.buf...))
	w.rows = 0
	return err
}

// close ends the file; it is on disk then.
func (w *resultWriter) close() error {
	return errors.Join(w.flush(), w.f.Sync(), w.f.Close())
}

func frameSum(head, payload []byte) uint64 {
	h := xxhash.New()
	h.Write(head)
	h.Write(payload)
	return h.Sum64()
}

// frames calls fn with the rows of a result from number from on, until it returns false.
func (s *API) frames(id string, from int64, fn func(rows []json.RawMessage) (bool, error)) error {
	f, err := s.lake.FS().Open(s.resultPath(id))
	if err != nil {
		return err
	}
	defer f.Close()
	return readFrames(f, from, fn)
}

// readFrames is frames on an open file.
func readFrames(f io.ReaderAt, from int64, fn func(rows []json.RawMessage) (bool, error)) error {
	magic := make([]byte, len(resultsMagic))
	if _, err := f.ReadAt(magic, 0); err != nil || string(magic) != resultsMagic {
		return fmt.Errorf("%w: it is not a file of results", engine.ErrCorrupt)
	}
	at, first := int64(len(resultsMagic)), int64(0)
	head := make([]byte, frameHead)
	for {
		if _, err := f.ReadAt(head, at); err == io.EOF {
			return nil // its end, or that of what an interruption has left
		} else if err != nil {
			return err
		}
		length, rows := int64(binary.LittleEndian.Uint32(head)), int64(binary.LittleEndian.Uint32(head[4:]))
		if length == 0 || length > frameMax || rows == 0 || rows > frameRows {
			return fmt.Errorf("%w: the frame at byte %d has %d bytes and %d rows", engine.ErrCorrupt, at, length, rows)
		}
		if first+rows > from {
			payload, err := io.ReadAll(io.NewSectionReader(f, at+frameHead, length))
			if err != nil {
				return err
			}
			if int64(len(payload)) < length {
				return nil
			}
			if frameSum(head[:8], payload) != binary.LittleEndian.Uint64(head[8:]) {
				return fmt.Errorf("%w: the checksum of the frame at byte %d is wrong", engine.ErrCorrupt, at)
			}
			var list []json.RawMessage
			if err := json.Unmarshal(payload, &list); err != nil || int64(len(list)) != rows {
				return fmt.Errorf("%w: the frame at byte %d is not %d rows", engine.ErrCorrupt, at, rows)
			}
			more, err := fn(list[max(0, from-first):])
			if err != nil || !more {
				return err
			}
		}
		first += rows
		at += frameHead + length
	}
}

// resultPage reads up to most rows from number from on.
func (s *API) resultPage(id string, from int64, most int) ([]json.RawMessage, error) {
	var out []json.RawMessage
	size := 0
	err := s.frames(id, from, func(rows []json.RawMessage) (bool, error) {
		for _, r := range rows {
			if len(out) == most || len(out) > 0 && size+len(r) > pageBytesMax {
				return false, nil
			}
			out = append(out, r)
			size += len(r)
		}
		return len(out) < most, nil
	})
	if errors.Is(err, os.ErrNotExist) {
		return nil, nil
	}
	return out, err
}
