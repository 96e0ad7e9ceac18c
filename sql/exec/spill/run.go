package spill

import (
	"encoding/binary"
	"errors"
	"io"

	"github.com/cespare/xxhash/v2"
	"github.com/klauspost/compress/s2"

	"github.com/cairndb/cairn/segment/column"
	"github.com/cairndb/cairn/sql/sqlerr"
)

const (
	headBytes = 12

	formPlain      = 1
	formCompressed = 2

	// rowsBlock is how many rows a block has at most: as many as a batch has
	// everywhere in the executor.
	rowsBlock = 4096
)

// Writer writes one run.
type Writer struct {
	s     *Space
	types []*column.Type
	// What waits to be written.
	cols []*column.Appender
	n    int
	size int // bytes that wait, roughly

	name  string
	file  io.WriteCloser
	run   Run
	plain []byte // scratch: the content of a block
	out   []byte // scratch: the block
}

// NewWriter begins a run of rows with columns of the given types. The file is
// made with its first block: a run that stays empty has none.
func (s *Space) NewWriter(types []*column.Type) *Writer {
	return &Writer{s: s, types: types, run: Run{s: s, types: types}}
}

// Append adds the rows of a batch, whose columns may be in any layout.
func (w *Writer) Append(b *column.Batch) error {
	if w.n == 0 && b.Len <= rowsBlock && b.Len > 0 {
		if size := rowsBytes(b.Cols, nil, b.Len); size >= w.s.block/2 && size <= w.s.block {
			return w.block(b.Cols, b.Len)
		}
	}
	return w.AppendRows(b, nil)
}

// AppendRows adds the given rows of a batch, in that order; all of them when
// rows is nil.
func (w *Writer) AppendRows(b *column.Batch, rows []int32) error {
	n := b.Len
	if rows != nil {
		n = len(rows)
	}
	if n == 0 {
		return nil
	}
	size := rowsBytes(b.Cols, rows, b.Len)
	if err := w.s.live(size); err != nil {
		return err
	}
	// Rows are put by in pieces that do not overshoot a block by much.
	step := min(n, rowsBlock)
	if size > w.s.block {
		step = min(step, max(1, int(int64(n)*int64(w.s.block)/int64(size))))
	}
	for from := 0; from < n; from += step {
		to := min(n, from+step)
		if w.cols == nil {
			for _, t := range w.types {
				w.cols = append(w.cols, column.NewAppender(t, 0))
			}
		}
		for i, v := range b.Cols {
			if rows != nil {
				w.cols[i].AppendRows(v, rows[from:to])
			} else {
				w.cols[i].AppendRange(v, from, to)
			}
		}
		w.n += to - from
		w.size += int(int64(size) * int64(to-from) / int64(n))
		if w.size >= w.s.block || w.n >= rowsBlock {
			if err := w.flush(); err != nil {
				return err
			}
		}
	}
	return nil
}

// Held is about how many bytes of rows wait in memory to be written.
func (w *Writer) Held() int64 { return int64(w.size) }

func (w *Writer) flush() error {
	if w.n == 0 {
		return nil
	}
	cols := make([]*column.Vector, len(w.cols))
	for i, a := range w.cols {
		cols[i] = a.Vector()
	}
	n := w.n
	if err := w.s.live(w.size); err != nil {
		return err
	}
	w.cols, w.n, w.size = nil, 0, 0
	return w.block(cols, n)
}

// block writes rows as one block.
func (w *Writer) block(cols []*column.Vector, n int) error {
	if w.file == nil {
		var err error
		if w.name, w.file, err = w.s.create(); err != nil {
			return err
		}
		w.run.name = w.name
	}
	w.plain = appendBatch(w.plain[:0], cols, n)
	if len(w.plain) > blockMax {
		return sqlerr.New(sqlerr.ProgramLimit, sqlerr.Pos{}, "a row of %d MiB is too large to be put aside", len(w.plain)>>20).
			WithHint("select fewer columns, or make shorter values")
	}
	if err := w.s.live(len(w.plain)); err != nil {
		return err
	}
	need := headBytes + 1 + s2.MaxEncodedLen(len(w.plain))
	if cap(w.out) < need {
		w.out = make([]byte, need)
	}
	out := w.out[:cap(w.out)]
	packed := s2.Encode(out[headBytes+1:], w.plain)
	body := 1 + len(packed)
	out[headBytes] = formCompressed
	if len(packed) > len(w.plain)-len(w.plain)/8 || len(w.plain) > unpackedMax(len(packed)) {
		out[headBytes] = formPlain
		body = 1 + copy(out[headBytes+1:], w.plain)
	}
	out = out[:headBytes+body]
	binary.LittleEndian.PutUint32(out, uint32(body))
	binary.LittleEndian.PutUint64(out[4:], xxhash.Sum64(out[headBytes:]))
	if err := w.s.charge(int64(len(out))); err != nil {
		return err
	}
	w.run.bytes += int64(len(out))
	w.run.rows += int64(n)
	if _, err := w.file.Write(out); err != nil {
		return wrap("writing a temporary file", err)
	}
	// A row of extraordinary size must not keep its buffers for the whole run.
	if cap(w.plain) > 4*w.s.block {
		w.plain = nil
	}
	if cap(w.out) > 8*w.s.block {
		w.out = nil
	}
	return nil
}

// Finish writes what is left and returns the run. The writer must not be used
// any more.
func (w *Writer) Finish() (*Run, error) {
	if err := w.flush(); err != nil {
		return nil, err
	}
	w.plain, w.out = nil, nil
	if w.file != nil {
		if err := w.s.close(w.file); err != nil {
			return nil, wrap("writing a temporary file", err)
		}
	}
	run := w.run
	return &run, nil
}

// Run is a finished sequence of rows.
type Run struct {
	s     *Space
	types []*column.Type
	name  string // "" when there are no rows
	rows  int64
	bytes int64
}

// Rows is the number of rows.
func (r *Run) Rows() int64 { return r.rows }

// Bytes is the number of bytes on disk.
func (r *Run) Bytes() int64 { return r.bytes }

// Remove removes the file. Its readers must have been closed.
func (r *Run) Remove() error {
	if r.name == "" {
		return nil
	}
	return r.s.remove(r.name, r.bytes)
}

// Reader starts to read the run from its first row.
func (r *Run) Reader() (*Reader, error) {
	out := &Reader{run: r}
	if r.name == "" {
		return out, nil
	}
	var err error
	out.file, err = r.s.open(r.name)
	return out, err
}

// Reader reads the rows of a run.
type Reader struct {
	run  *Run
	file File
	at   int64
	rows int64
	head [headBytes]byte
	held int64
}

// Held is about how many bytes of memory the last batch takes.
func (r *Reader) Held() int64 { return r.held }

// Next returns the next rows, at least one, or io.EOF after the last. The batch
// stays valid.
func (r *Reader) Next() (*column.Batch, error) {
	if r.at >= r.run.bytes {
		if r.rows != r.run.rows {
			return nil, damaged(r.run.name, r.at, "%d rows came back of %d", r.rows, r.run.rows)
		}
		r.held = 0
		return nil, io.EOF
	}
	if err := r.read(r.head[:], r.at); err != nil {
		return nil, err
	}
	size := int64(binary.LittleEndian.Uint32(r.head[:]))
	if size < 1 || size > r.run.bytes-r.at-headBytes {
		return nil, damaged(r.run.name, r.at, "a block says that it has %d bytes", size)
	}
	body := make([]byte, size)
	if err := r.read(body, r.at+headBytes); err != nil {
		return nil, err
	}
	if sum := binary.LittleEndian.Uint64(r.head[4:]); xxhash.Sum64(body) != sum {
		return nil, damaged(r.run.name, r.at, "a block of %d bytes does not have its checksum", size)
	}
	b, held, err := decodeBody(body, r.run.types)
	if err != nil {
		return nil, damaged(r.run.name, r.at, "%v", err)
	}
	r.held = held
	r.at += headBytes + size
	r.rows += int64(b.Len)
	return b, nil
}

func (r *Reader) read(b []byte, at int64) error {
	n, err := r.file.ReadAt(b, at)
	if n == len(b) {
		return nil
	}
	if err == io.EOF || err == nil {
		return damaged(r.run.name, at, "the file ends after %d of %d bytes", n, len(b))
	}
	return wrap("reading a temporary file", err)
}

// decodeBody unpacks and decodes the body of a block. It takes any bytes.
func decodeBody(body []byte, types []*column.Type) (b *column.Batch, held int64, err error) {
	if len(body) == 0 {
		return nil, 0, errShort
	}
	content := body[1:]
	switch body[0] {
	case formPlain:
	case formCompressed:
		n, err := s2.DecodedLen(content)
		if err != nil || n > blockMax || n > unpackedMax(len(content)) {
			return nil, 0, errors.New("the packed content has a wrong length")
		}
		if content, err = s2.Decode(nil, content); err != nil {
			return nil, 0, err
		}
	default:
		return nil, 0, errShort
	}
	b, err = decodeBatch(content, types)
	return b, int64(2 * len(content)), err
}

// unpackedMax is how large the content of a compressed block may be: more is
// written plain, so that a few bytes cannot ask a reader for a gigabyte.
func unpackedMax(packed int) int { return 4*BlockBytes + 64*packed }

// Close ends reading. It may be called more than once.
func (r *Reader) Close() error {
	if r.file == nil {
		return nil
	}
	return wrap("closing a temporary file", r.run.s.close(r.file))
}

// rowsBytes is about how many bytes the rows take in a block.
func rowsBytes(cols []*column.Vector, rows []int32, n int) int {
	sum := 0
	for _, v := range cols {
		sum += vectorBytes(v, rows, n)
	}
	return sum
}

func vectorBytes(v *column.Vector, rows []int32, n int) int {
	count := n
	if rows != nil {
		count = len(rows)
	}
	switch v.Type.Payload() {
	case column.PayloadI64, column.PayloadF64:
		return 8 * count
	}
	sum, size := 0, 0
	var last *column.Vector
	lastAt := -1
	each := func(i int) {
		if v.IsNull(i) {
			sum += 4
			return
		}
		leaf, j := v.Leaf(i)
		if leaf != last || j != lastAt {
			// A large value may stand in many rows.
			last, lastAt, size = leaf, j, valueBytes(leaf, j)
		}
		sum += size
	}
	if rows == nil {
		for i := range n {
			each(i)
		}
	} else {
		for _, i := range rows {
			each(int(i))
		}
	}
	return sum
}

// valueBytes is about how many bytes value i takes.
func valueBytes(v *column.Vector, i int) int {
	if v.IsNull(i) {
		return 4
	}
	v, i = v.Leaf(i)
	switch v.Type.Payload() {
	case column.PayloadStr:
		return 4 + len(v.Str[i])
	case column.PayloadNested:
		sum := 4
		if v.Type.Kind == column.Row {
			for _, c := range v.Children {
				sum += valueBytes(c, i)
			}
			return sum
		}
		for _, c := range v.Children {
			for e := v.Offsets[i]; e < v.Offsets[i+1]; e++ {
				sum += valueBytes(c, int(e))
			}
		}
		return sum
	}
	return 8
}
