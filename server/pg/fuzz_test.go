package pg

import (
	"bytes"
	"context"
	"crypto/pbkdf2"
	"crypto/sha256"
	"encoding/base64"
	"io"
	"net"
	"testing"
	"time"

	"github.com/cairndb/cairn/engine"
)

// FuzzMessages sends arbitrary bytes after a start-up packet: the server answers or closes
// the connection, and goes on serving.
func FuzzMessages(f *testing.F) {
	for _, seed := range []string{
		"Q\x00\x00\x00\x0dSELECT 1\x00",
		"P\x00\x00\x00\x10s\x00SELECT $1\x00\x00\x00B\x00\x00\x00\x12\x00s\x00\x00\x01\x00\x00\x00\x01\x00\x00\x00\x00\x00D\x00\x00\x00\x06P\x00E\x00\x00\x00\x09\x00\x00\x00\x00\x00S\x00\x00\x00\x04",
		"Q\x00\x00\x00\x1bCOPY events FROM STDIN\x00d\x00\x00\x00\x07{}\nc\x00\x00\x00\x04",
		"Q\x00\x00\x00\x20BEGIN; DECLARE c CURSOR FOR\x00",
		"X\x00\x00\x00\x04",
	} {
		f.Add([]byte(seed))
	}
	lake, err := engine.Open(f.TempDir(), &engine.Options{DigestInterval: -1})
	if err != nil {
		f.Fatal(err)
	}
	if _, err := lake.CreateStore(context.Background(), "events"); err != nil {
		f.Fatal(err)
	}
	l, err := New(Config{Open: everybody{lake}, StatementTime: time.Second, WriteTime: time.Second})
	if err != nil {
		f.Fatal(err)
	}
	f.Cleanup(func() { lake.Close() })
	f.Fuzz(func(t *testing.T, messages []byte) {
		client, server := net.Pipe()
		go io.Copy(io.Discard, client)
		done := make(chan struct{})
		c := l.newConn(server)
		l.starting.Add(1)
		go func() {
			defer close(done)
			c.serve()
		}()
		_ = client.SetDeadline(time.Now().Add(5 * time.Second))
		_, _ = client.Write(packet(3<<16, "user\x00x\x00\x00"))
		_, _ = client.Write(messages)
		client.Close()
		select {
		case <-done:
		case <-time.After(20 * time.Second):
			t.Fatal("the connection does not end")
		}
	})
}

// FuzzSplit takes texts apart: the pieces are parts of the text, in order.
func FuzzSplit(f *testing.F) {
	for _, seed := range []string{"SELECT 1; SELECT ';'", "/* ; */ a; -- ;\n b", "$x$ ; $x$; E'\\'; '", "COPY e FROM STDIN (FORMAT csv)", "FETCH FORWARD -1 c", "SET x TO 'y', z", "DECLARE c CURSOR FOR SELECT"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		end := 0
		for _, p := range split(text) {
			if p.base < end || text[p.base:p.base+len(p.text)] != p.text {
				t.Fatalf("piece %q at %d of %q", p.text, p.base, text)
			}
			end = p.base + len(p.text)
			_, _ = parseCommand(p.text)
		}
	})
}

// FuzzCopyRows reads arbitrary data as each format, whole and byte by byte: the same
// records come out.
func FuzzCopyRows(f *testing.F) {
	f.Add([]byte("{}\n{\"a\":\"b\\\\nc\"}\r\n\\.\n"), uint8(0))
	f.Add([]byte("\"{\"\"a\"\":1}\"\n{}\n"), uint8(1))
	f.Add([]byte(copySignature+"\x00\x00\x00\x00\x00\x00\x00\x00\x00\x01\x00\x00\x00\x02{}\xff\xff"), uint8(2))
	f.Fuzz(func(t *testing.T, data []byte, format uint8) {
		read := func(step int) (out []string, failed bool) {
			o := &copyOptions{format: copyFormat(format % 4)}
			_ = o.fill(nil, nil, nil, nil)
			r := newRowReader(o, 1<<16)
			add := func(b []byte) error { out = append(out, string(b)); return nil }
			for rest := data; len(rest) > 0; {
				n := min(step, len(rest))
				if err := r.take(rest[:n], add); err != nil {
					return out, true
				}
				rest = rest[n:]
			}
			return out, r.end(add) != nil
		}
		a, aBad := read(len(data) + 1)
		b, bBad := read(1)
		if len(a) != len(b) || aBad != bBad {
			t.Fatalf("whole %q (%v), byte by byte %q (%v)", a, aBad, b, bBad)
		}
		for i := range a {
			if a[i] != b[i] {
				t.Fatalf("record %d: %q and %q", i, a[i], b[i])
			}
		}
	})
}

// Whatever the messages of an exchange are, only the proof of the password ends it well.
func FuzzScram(f *testing.F) {
	f.Add([]byte(rfc7677.clientFirst), []byte(rfc7677.clientFinal), false, false)
	f.Add([]byte("p=tls-server-end-point,,n=,r=abc"), []byte("c=cD10bHMtc2VydmVyLWVuZC1wb2ludCwsYmluZGluZw==,r=abc"+rfc7677.nonce+",p=AAAA"), true, true)
	f.Add([]byte("y,,n=user,r=x"), []byte("c=eSws,r=x,p="), false, true)
	f.Add([]byte("n,a=other,n=user,r=x,ext=1"), []byte(",p=,p="), false, false)
	f.Add([]byte{0}, []byte{0}, true, false)
	salt, err := base64.StdEncoding.DecodeString("W22ZaJ0SNY7soEsUEjb6gQ==")
	if err != nil {
		f.Fatal(err)
	}
	salted, err := pbkdf2.Key(sha256.New, "pencil", salt, 4096, sha256.Size)
	if err != nil {
		f.Fatal(err)
	}
	cred := credentialOf(f, "pencil", salt, 4096)
	f.Fuzz(func(t *testing.T, first, final []byte, plus, offered bool) {
		s := &scram{plus: plus, offered: offered, binding: []byte("binding")}
		answer, err := s.first(first, cred, func() (string, error) { return rfc7677.nonce, nil })
		if err != nil {
			return
		}
		if !bytes.Contains(answer, []byte(rfc7677.nonce)) {
			t.Fatalf("%q was answered with %q, which has not the server's nonce", first, answer)
		}
		if _, err := s.final(final); err != nil {
			return
		}
		// The client's side of RFC 5802, section 3.
		cut := bytes.LastIndex(final, []byte(",p="))
		without, proof := final[:cut], final[cut+3:]
		message := s.clientFirst + "," + s.serverFirst + "," + string(without)
		key := mac(salted, []byte("Client Key"))
		stored := sha256.Sum256(key)
		for i, x := range mac(stored[:], []byte(message)) {
			key[i] ^= x
		}
		if string(proof) != base64.StdEncoding.EncodeToString(key) {
			t.Fatalf("%q after %q was taken for a proof", final, first)
		}
	})
}
