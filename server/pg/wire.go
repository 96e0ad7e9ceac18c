package pg

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"sync/atomic"
	"time"

	"github.com/jackc/pgx/v5/pgproto3"
)

const (
	// inBuffer and outBuffer are what an idle connection keeps.
	inBuffer  = 4 << 10
	outBuffer = 4 << 10
	// outFull is when what was written is sent: few system calls, and a client
	// that is slow has little waiting for it.
	outFull = 64 << 10
	// step is by how much a buffer grows ahead of the bytes that fill it.
	step = 64 << 10
)

// errTooLong is a message above the limit.
type errTooLong struct{ size, max int }

func (e errTooLong) Error() string {
	return fmt.Sprintf("a message of %d bytes, of at most %d", e.size, e.max)
}

// errFraming is a message whose length cannot be.
var errFraming = errors.New("invalid message length")

// wire frames messages on a connection. It belongs to the connection's goroutine.
type wire struct {
	nc        net.Conn
	max       int
	writeTime time.Duration
	// end is when writing ends at the latest, nanoseconds since 1970; 0 for never. Others than the
	// connection's goroutine set it, by hurry.
	end atomic.Int64

	in       []byte // read, not yet taken: in[from:to]
	from, to int
	out      []byte
	sent     int64
	err      error // of writing; nothing is written after it
}

func newWire(nc net.Conn, max int, writeTime time.Duration) *wire {
	return &wire{nc: nc, max: max, writeTime: writeTime, in: make([]byte, inBuffer)}
}

// buffered is the number of bytes that have arrived and were not taken.
func (w *wire) buffered() int { return w.to - w.from }

// need reads until n bytes are there, and returns them; they stay valid until the next
// call. The buffer grows with what arrives, not with what is announced.
func (w *wire) need(n int) ([]byte, error) {
	for w.to-w.from < n {
		if w.from > 0 {
			copy(w.in, w.in[w.from:w.to])
			w.to -= w.from
			w.from = 0
		}
		if w.to == len(w.in) {
			grown := make([]byte, min(max(2*len(w.in), step), max(n, len(w.in)+1)))
			copy(grown, w.in[:w.to])
			w.in = grown
		}
		k, err := w.nc.Read(w.in[w.to:])
		w.to += k
		if err != nil && w.to-w.from < n {
			if err == io.EOF && w.to > w.from {
				err = io.ErrUnexpectedEOF
			}
			return nil, err
		}
	}
	return w.in[w.from : w.from+n], nil
}

// next reads a message. The body stays valid until the next call.
func (w *wire) next() (kind byte, body []byte, err error) {
	if w.buffered() == 0 && len(w.in) > 4*step {
		w.in = make([]byte, inBuffer) // after a large message
		w.from, w.to = 0, 0
	}
	h, err := w.need(5)
	if err != nil {
		return 0, nil, err
	}
	kind = h[0]
	size := int(int32(binary.BigEndian.Uint32(h[1:]))) - 4
	if size < 0 {
		return kind, nil, errFraming
	}
	if size > w.max {
		return kind, nil, errTooLong{size, w.max}
	}
	b, err := w.need(5 + size)
	if err != nil {
		if err == io.EOF {
			err = io.ErrUnexpectedEOF
		}
		return kind, nil, err
	}
	w.from += 5 + size
	return kind, b[5:], nil
}

// start reads a start-up packet: a length and a body, without a kind.
func (w *wire) start() ([]byte, error) {
	h, err := w.need(4)
	if err != nil {
		return nil, err
	}
	size := int(int32(binary.BigEndian.Uint32(h)))
	if size < 8 || size > startPacketMax {
		return nil, errFraming
	}
	b, err := w.need(size)
	if err != nil {
		return nil, err
	}
	w.from += size
	return b[4:], nil
}

// send appends a message of the library.
func (w *wire) send(m pgproto3.BackendMessage) {
	out, err := m.Encode(w.out)
	if err != nil {
		if w.err == nil {
			w.err = err
		}
		return
	}
	w.out = out
	w.room()
}

// begin appends the header of a message whose length finish fills in.
func (w *wire) begin(kind byte) (at int) {
	at = len(w.out)
	w.out = append(w.out, kind, 0, 0, 0, 0)
	return at
}

func (w *wire) finish(at int) {
	binary.BigEndian.PutUint32(w.out[at+1:], uint32(len(w.out)-at-1))
}

// room sends what is there when that is much.
func (w *wire) room() {
	if len(w.out) >= outFull {
		_ = w.flush()
	}
}

// flush sends everything.
func (w *wire) flush() error {
	if len(w.out) == 0 || w.err != nil {
		w.out = w.out[:0]
		return w.err
	}
	if err := w.patience(); err != nil {
		w.err = err
		return err
	}
	n, err := w.nc.Write(w.out)
	w.sent += int64(n)
	w.err = err
	w.out = w.out[:0]
	return err
}

// patience says how long the next write may take. Whoever says that all must end soon (hurry) does
// so before or after it looks, and is heeded in either case.
func (w *wire) patience() error {
	for {
		end := w.end.Load()
		until := time.Now().Add(w.writeTime)
		if last := time.Unix(0, end); end != 0 && last.Before(until) {
			until = last
		}
		if err := w.nc.SetWriteDeadline(until); err != nil {
			return err
		}
		if w.end.Load() == end {
			return nil
		}
	}
}

// hurry ends writing at a time, whatever may still be written. Any goroutine may call it.
func (w *wire) hurry(at time.Time) { w.end.Store(at.UnixNano()) }

// rest gives up large buffers before the connection waits for its client.
func (w *wire) rest() {
	if len(w.out) == 0 && cap(w.out) > outBuffer && w.buffered() == 0 {
		w.out = nil
	}
	if w.buffered() == 0 && len(w.in) > inBuffer {
		w.in = make([]byte, inBuffer)
		w.from, w.to = 0, 0
	}
}
