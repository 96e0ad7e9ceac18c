package auth

import (
	"bytes"
	"context"
	"crypto/tls"
	"errors"
	"io"
	"net"
	"net/http"
	"strconv"
	"sync/atomic"
	"time"
)

// Folded headers: HTTP/1.0 let a header go on in the next line, after a space. What is signed
// is one line, and programs disagree about how several become one; so a request with such a
// header is refused. net/http puts the lines together before anybody can see that there were
// several. So the bytes of connections are looked at as they are read: [WatchHeads] follows heads
// and bodies of requests, and [Folded] tells what it has seen.
//
// A connection on which there was a folded header keeps that mark: it is answered with
// an error and closed.

// WatchHeads returns a listener whose connections are looked at. Connections of TLS must be
// accepted as such by ln. The server must have [ConnContext].
func WatchHeads(ln net.Listener) net.Listener { return &headListener{ln} }

type headListener struct{ net.Listener }

// Accept waits for a connection.
func (l *headListener) Accept() (net.Conn, error) {
	c, err := l.Listener.Accept()
	if err != nil {
		return nil, err
	}
	w := &headConn{Conn: c}
	if t, ok := c.(*tls.Conn); ok {
		return &headTLS{w, t}, nil
	}
	return w, nil
}

// headConn is a connection of which the heads are looked at.
type headConn struct {
	net.Conn
	scan   headScan // of the goroutine that reads
	folded atomic.Bool
}

// Read reads and looks at what was read.
func (c *headConn) Read(p []byte) (int, error) {
	n, err := c.Conn.Read(p)
	if c.scan.next(p[:n]) {
		c.folded.Store(true)
	}
	return n, err
}

func (c *headConn) watched() *headConn { return c }

// headTLS is one with TLS: net/http does not know it as such, so it shakes hands here.
type headTLS struct {
	*headConn
	tls *tls.Conn
}

// handshakeTime is how long a client may take to agree on keys.
const handshakeTime = 10 * time.Second

// ConnectionState shakes hands, which net/http asks for before it reads, and returns what
// came of it. After a failure reads fail.
func (c *headTLS) ConnectionState() tls.ConnectionState {
	ctx, cancel := context.WithTimeout(context.Background(), handshakeTime)
	defer cancel()
	var plain tls.RecordHeaderError
	err := c.tls.HandshakeContext(ctx)
	if errors.As(err, &plain) && plain.Conn != nil && (string(plain.RecordHeader[:4]) == "POST" || string(plain.RecordHeader[:4]) == "GET ") {
		// As net/http says it.
		_, _ = io.WriteString(plain.Conn, "HTTP/1.0 400 Bad Request\r\n\r\nClient sent an HTTP request to an HTTPS server.\n")
		_ = plain.Conn.Close()
	}
	return c.tls.ConnectionState()
}

// connKey is the key of a request's connection in its context.
type connKey struct{}

// ConnContext puts a connection of [WatchHeads] into the context of its requests; it is
// for http.Server.ConnContext.
func ConnContext(ctx context.Context, c net.Conn) context.Context {
	if w, ok := c.(interface{ watched() *headConn }); ok {
		return context.WithValue(ctx, connKey{}, w.watched())
	}
	return ctx
}

// Folded reports whether a header of the request, or of another one of its connection, was
// written on several lines.
func Folded(r *http.Request) bool {
	w, ok := r.Context().Value(connKey{}).(*headConn)
	return ok && w.folded.Load()
}

// headScan follows the requests of an HTTP/1 connection. What net/http refuses, and closes
// the connection for, may leave it anywhere.
type headScan struct {
	state   scanState
	line    [64]byte // the beginning of a line of which something matters
	n       int      // bytes of the line, those that did not fit included
	left    int64    // bytes of the body or chunk
	chunked bool
}

type scanState uint8

const (
	scanRequest   scanState = iota // before a request's first byte, where empty lines may stand
	scanFirstLine                  // in its first line
	scanHead                       // in a line of the head
	scanBody                       // in a body of known length
	scanChunkSize                  // in the line with a chunk's length
	scanChunk                      // in a chunk, or in the line end after it
	scanTrailer                    // in a line after the last chunk
)

// next looks at more bytes; folded says that a line of a head began with a space.
func (s *headScan) next(p []byte) (folded bool) {
	for len(p) > 0 {
		if s.state == scanBody || s.state == scanChunk {
			n := min(s.left, int64(len(p)))
			p, s.left = p[n:], s.left-n
			if s.left == 0 {
				if s.state == scanBody {
					s.state = scanRequest
				} else {
					s.state = scanChunkSize
				}
			}
			continue
		}
		if s.state == scanRequest {
			if p[0] == '\r' || p[0] == '\n' {
				p = p[1:]
				continue
			}
			s.state, s.chunked, s.left = scanFirstLine, false, 0
		}
		if s.n == 0 && (s.state == scanHead || s.state == scanTrailer) && (p[0] == ' ' || p[0] == '\t') {
			folded = true
		}
		end := bytes.IndexByte(p, '\n')
		part := p
		if end >= 0 {
			part = p[:end]
		}
		if s.n < len(s.line) {
			copy(s.line[s.n:], part)
		}
		s.n += len(part)
		if end < 0 {
			return folded
		}
		p = p[end+1:]
		if !s.endLine(bytes.TrimRight(s.line[:min(s.n, len(s.line))], "\r")) {
			folded = true
		}
		s.n = 0
	}
	return folded
}

// endLine takes a line, of which line is the beginning. It is false when a length cannot be
// read, after which what follows could be taken for something else than net/http does.
func (s *headScan) endLine(line []byte) bool {
	switch s.state {
	case scanFirstLine:
		s.state = scanHead
	case scanHead:
		switch {
		case len(line) > 0:
			return s.header(line)
		case s.chunked:
			s.state = scanChunkSize
		case s.left > 0:
			s.state = scanBody
		default:
			s.state = scanRequest
		}
	case scanChunkSize:
		size, _, _ := bytes.Cut(line, []byte{';'})
		n, err := strconv.ParseUint(string(bytes.TrimSpace(size)), 16, 62)
		if err != nil || n == 0 {
			s.state = scanTrailer // or net/http has refused it
			return true
		}
		s.left, s.state = int64(n)+2, scanChunk
	case scanTrailer:
		if len(line) == 0 {
			s.state = scanRequest
		}
	}
	return true
}

// header takes what a header says of the body's length.
func (s *headScan) header(line []byte) bool {
	name, value, _ := bytes.Cut(line, []byte{':'})
	value = bytes.TrimSpace(value)
	switch {
	case bytes.EqualFold(name, []byte("Content-Length")):
		n, err := strconv.ParseInt(string(value), 10, 62)
		if err != nil || n < 0 || s.n > len(s.line) {
			return false
		}
		s.left = n
	case bytes.EqualFold(name, []byte("Transfer-Encoding")):
		if s.chunked = bytes.EqualFold(value, []byte("chunked")); !s.chunked || s.n > len(s.line) {
			return false
		}
	}
	return true
}
