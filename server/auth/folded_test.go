package auth_test

import (
	"bufio"
	"context"
	"crypto/tls"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/cairndb/cairn/server/auth"
)

// watchedServer says of each request whether a header was folded, and what its body was.
func watchedServer(t *testing.T, withTLS bool) (address string, config *tls.Config) {
	t.Helper()
	s := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		fmt.Fprintf(w, "folded=%v body=%s tls=%v %v;", auth.Folded(r), body, r.TLS != nil && r.TLS.HandshakeComplete, err)
	}))
	s.Config.ConnContext = auth.ConnContext
	if withTLS {
		other := httptest.NewTLSServer(nil) // for its certificate
		t.Cleanup(other.Close)
		s.Listener = tls.NewListener(s.Listener, &tls.Config{Certificates: other.TLS.Certificates})
		config = other.Client().Transport.(*http.Transport).TLSClientConfig
	}
	s.Listener = auth.WatchHeads(s.Listener)
	s.Start()
	t.Cleanup(s.Close)
	return s.Listener.Addr().String(), config
}

// ask sends bytes in pieces of some length and returns what the answers say.
func ask(t *testing.T, address string, config *tls.Config, text string, piece, answers int) (out []string) {
	t.Helper()
	c, err := net.Dial("tcp", address)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	if config != nil {
		config = config.Clone()
		config.ServerName = "example.com"
		c = tls.Client(c, config)
	}
	_ = c.SetDeadline(time.Now().Add(30 * time.Second))
	go func() {
		for len(text) > 0 {
			n := min(piece, len(text))
			if _, err := io.WriteString(c, text[:n]); err != nil {
				return
			}
			text = text[n:]
		}
	}()
	r := bufio.NewReader(c)
	for range answers {
		res, err := http.ReadResponse(r, nil)
		if err != nil {
			t.Fatal(err)
		}
		b, _ := io.ReadAll(res.Body)
		out = append(out, string(b))
	}
	return out
}

func TestFoldedHeaders(t *testing.T) {
	const plain = "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 9\r\n\r\na\r\n b\n\tcd"
	const chunked = "POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n5;x=y\r\na\r\n b\r\n3\r\n\r\n \r\n0\r\nTrailer: x\r\n\r\n"
	for _, withTLS := range []bool{false, true} {
		address, config := watchedServer(t, withTLS)
		end := fmt.Sprintf(" tls=%v <nil>;", withTLS)
		first, second := "body=a\r\n b\n\tcd"+end, "body=a\r\n b\r\n "+end
		for _, piece := range []int{1, 7, 1 << 20} {
			if withTLS && piece == 1 {
				continue
			}
			// Spaces at the beginning of lines of bodies mean nothing.
			got := ask(t, address, config, plain+chunked+"\r\n\r\n"+plain+"GET / HTTP/1.1\r\nHost: x\r\n\r\n"+chunked, piece, 5)
			if want := []string{"folded=false " + first, "folded=false " + second, "folded=false " + first, "folded=false body=" + end, "folded=false " + second}; fmt.Sprint(got) != fmt.Sprint(want) {
				t.Errorf("pieces of %d: %q", piece, got)
			}
			for name, head := range map[string]string{
				"with a space": "X-Amz-Meta: a\r\n b\r\n", "with a tab": "X-Amz-Meta: a\r\n\tb\r\n", "without CR": "X-Amz-Meta: a\n b\r\n", "empty at first": "X-Amz-Meta:\r\n a\r\n",
				"the length": "Content-Length:\r\n 0\r\n", "a length that begins late": "Content-Length:" + strings.Repeat(" ", 60) + "0\r\n",
			} {
				got := ask(t, address, config, "POST / HTTP/1.1\r\nHost: x\r\n"+head+"\r\n", piece, 1)
				if !strings.HasPrefix(got[0], "folded=true ") {
					t.Errorf("%s, in pieces of %d: %q", name, piece, got)
				}
			}
			// After a body, on the same connection.
			if got := ask(t, address, config, chunked+"GET / HTTP/1.1\r\nHost: x\r\nA: b\r\n c\r\n\r\n", piece, 2); !strings.HasPrefix(got[1], "folded=true ") {
				t.Errorf("after a body: %q", got)
			}
		}
	}
	// Who asks for a page without TLS is told so.
	address, _ := watchedServer(t, true)
	c, err := net.Dial("tcp", address)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	_, _ = io.WriteString(c, "GET / HTTP/1.1\r\nHost: x\r\n\r\n")
	_ = c.SetReadDeadline(time.Now().Add(30 * time.Second))
	if b, _ := io.ReadAll(c); !strings.Contains(string(b), "HTTPS") {
		t.Errorf("without TLS: %q", b)
	}
	if auth.Folded((&http.Request{}).WithContext(context.Background())) {
		t.Error("a request of a connection that is not watched")
	}
}

// Whatever comes, the same is seen however it is cut into pieces.
func FuzzHeads(f *testing.F) {
	f.Add("POST / HTTP/1.1\r\nContent-Length: 3\r\n\r\n a\nPOST / HTTP/1.1\r\na: b\r\n c\r\n\r\n", 3)
	f.Add("GET / HTTP/1.1\nTransfer-Encoding: chunked\n\n2\nab\n0\n\n", 1)
	f.Fuzz(func(t *testing.T, text string, piece int) {
		whole := auth.ScanHeads(text)
		if piece = max(piece, 1); len(text)/piece > 10_000 {
			return
		}
		var parts []string
		for rest := text; rest != ""; {
			n := min(piece, len(rest))
			parts, rest = append(parts, rest[:n]), rest[n:]
		}
		if auth.ScanHeads(parts...) != whole {
			t.Errorf("%q is seen differently in pieces of %d", text, piece)
		}
	})
}
