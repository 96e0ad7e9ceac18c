package pg

import (
	"bytes"
	"context"
	"crypto/hmac"
	"crypto/tls"
	"encoding/binary"
	"errors"
	"net"
	"net/netip"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/jackc/pgx/v5/pgproto3"

	"github.com/cairndb/cairn/server/auth"
	"github.com/cairndb/cairn/sql/sqlerr"
)

// The codes that stand in place of a version in a start-up packet.
const (
	codeCancel = 80877102
	codeTLS    = 80877103
	codeGSS    = 80877104
)

const (
	// startPacketMax is Postgres' own limit of a start-up packet.
	startPacketMax = 10_000
	// minorMax is the newest minor version of the protocol that is spoken.
	minorMax = 2
	// nameMax is the longest name of a user, database or setting at start-up.
	nameMax = 256
)

// SQLSTATE codes of the session, which the SQL layers do not use.
const (
	codeProtocol          = "08P01"
	codeBadSignIn         = "28000"
	codeBadPassword       = "28P01"
	codeNoDatabase        = "3D000"
	codeTooMany           = "53300"
	codeShutdown          = "57P01"
	codeIdle              = "57P05"
	codeIdleInTransaction = "25P03"
	codeFailedTransaction = "25P02"
	codeNoTransaction     = "25P01"
	codeActiveTransaction = "25001"
	codeNoStatement       = "26000"
	codeNoCursor          = "34000"
	codeDuplicateCursor   = "42P03"
	codeDuplicateStmt     = "42P05"
	codeForbidden         = "42501"
	codeNotReady          = "55000"
	codeNoSetting         = "42704"
	codeBadSetting        = "22023"
	codeFixedSetting      = "55P02"
	codeBadCopy           = "22P04"
	codeBadBinary         = "22P03"
	codeNoSavepoint       = "3B001"
)

// conn is one connection.
type conn struct {
	l        *Listener
	nc       net.Conn
	id       uint32
	secret   [32]byte
	secretN  int // how much of secret the client was given
	signedIn atomic.Bool
	host     string    // of the client
	began    time.Time // when it was accepted
	gaveWay  bool      // to another that starts; under the listener's lock
	w        *wire
	s        *session

	// run is what other goroutines may end.
	run struct {
		sync.Mutex
		cancel   context.CancelFunc // of the running statement
		canceled bool               // by a request
		late     bool               // by its time limit
		leaving  bool               // the server is shutting down
		waiting  bool               // for a message
		poked    bool               // there are notifications to send
	}
}

// isSecret compares in constant time.
func (c *conn) isSecret(secret []byte) bool {
	c.run.Lock()
	n := c.secretN
	c.run.Unlock()
	return n > 0 && hmac.Equal(secret, c.secret[:n])
}

// cancelStatement ends the running statement, if there is one.
func (c *conn) cancelStatement() {
	c.run.Lock()
	defer c.run.Unlock()
	if c.run.cancel != nil {
		c.run.canceled = true
		c.run.cancel()
	}
}

// hurry ends whatever the connection waits for after a time.
func (c *conn) hurry(in time.Duration) {
	c.run.Lock()
	defer c.run.Unlock()
	at := time.Now().Add(in)
	c.w.hurry(at)
	_ = c.nc.SetDeadline(at)
}

// goAway makes the connection end as soon as it runs no statement.
func (c *conn) goAway() {
	c.run.Lock()
	defer c.run.Unlock()
	c.run.leaving = true
	if c.run.waiting {
		_ = c.nc.SetReadDeadline(time.Now())
	}
}

// poke makes the connection look for notifications as soon as it runs no statement.
func (c *conn) poke() {
	c.run.Lock()
	defer c.run.Unlock()
	c.run.poked = true
	if c.run.waiting {
		_ = c.nc.SetReadDeadline(time.Now())
	}
}

// wake is why a wait for a message ends without one.
type wake uint8

const (
	wakeNone wake = iota
	wakeLeaving
	wakePoked
)

// wait prepares reading the next message, within a time limit, unless there is something
// else to do. Pokes count where wakeable says so.
func (c *conn) wait(limit time.Duration, wakeable bool) wake {
	c.run.Lock()
	defer c.run.Unlock()
	if why := c.wakeReason(wakeable); why != wakeNone {
		return why
	}
	c.run.waiting = true
	deadline := time.Time{}
	if limit > 0 {
		deadline = time.Now().Add(limit)
	}
	_ = c.nc.SetReadDeadline(deadline)
	return wakeNone
}

// woken ends a wait and tells what there is to do.
func (c *conn) woken(wakeable bool) wake {
	c.run.Lock()
	defer c.run.Unlock()
	c.run.waiting = false
	return c.wakeReason(wakeable)
}

// wakeReason is called with the lock held. Asked with wakeable, it takes the poke.
func (c *conn) wakeReason(wakeable bool) wake {
	switch {
	case c.run.leaving:
		return wakeLeaving
	case wakeable && c.run.poked:
		return wakePoked
	}
	return wakeNone
}

// unpoke says that notifications are being sent.
func (c *conn) unpoke() {
	c.run.Lock()
	defer c.run.Unlock()
	c.run.poked = false
}

// running says which statement cancel requests and its time limit end, until done.
func (c *conn) running(cancel context.CancelFunc, limit time.Duration) (done func()) {
	c.run.Lock()
	c.run.cancel, c.run.canceled, c.run.late = cancel, false, false
	c.run.Unlock()
	var timer *time.Timer
	if limit > 0 {
		timer = time.AfterFunc(limit, func() {
			c.run.Lock()
			defer c.run.Unlock()
			c.run.late = true
			cancel()
		})
	}
	return func() {
		if timer != nil {
			timer.Stop()
		}
		c.run.Lock()
		c.run.cancel = nil
		c.run.Unlock()
	}
}

// serve is the life of a connection.
func (c *conn) serve() {
	started := true
	defer func() {
		if started {
			c.l.starting.Add(-1)
		}
		if c.s != nil {
			c.s.close()
		}
		c.nc.Close()
	}()
	_ = c.nc.SetDeadline(time.Now().Add(c.l.cfg.StartTime))
	params, minor, ok := c.startUp()
	if !ok {
		return
	}
	p, ok := c.signIn(params["user"])
	if !ok {
		return
	}
	c.signedIn.Store(true)
	c.l.starting.Add(-1)
	started = false
	if c.l.full() {
		c.l.obs.Refused("too many connections")
		c.fatal(sqlerr.New(codeTooMany, sqlerr.Pos{}, "there are %d connections already, as many as are allowed", c.l.cfg.Connections))
		return
	}
	_ = c.nc.SetDeadline(time.Time{})
	c.w.max = c.l.cfg.MessageBytes
	c.s = newSession(c, p, params["database"])
	if err := c.s.applyStart(params); err != nil {
		c.fatal(err)
		return
	}
	c.w.send(&pgproto3.AuthenticationOk{})
	for _, name := range reported {
		c.w.send(&pgproto3.ParameterStatus{Name: name, Value: c.s.settings.value(name)})
	}
	n := 4 // version 3.0 has room for no more
	if minor >= 2 {
		n = len(c.secret)
	}
	c.run.Lock()
	c.secretN = n
	c.run.Unlock()
	c.w.send(&pgproto3.BackendKeyData{ProcessID: c.id, SecretKey: c.secret[:n]})
	c.l.log.Debug("session begins", "session", c.id, "user", p.Name(), "client", c.nc.RemoteAddr().String())
	c.s.loop()
	c.l.log.Debug("session ends", "session", c.id, "user", p.Name())
}

// fatal tells the client why the connection ends.
func (c *conn) fatal(err error) {
	c.w.sendError("FATAL", err, "", 0)
	_ = c.w.flush()
}

// startUp reads packets until one begins a session.
func (c *conn) startUp() (params map[string]string, minor uint32, ok bool) {
	var asked struct{ tls, gss bool }
	for {
		b, err := c.w.start()
		if err != nil {
			c.refuseStart(err)
			return nil, 0, false
		}
		switch code := binary.BigEndian.Uint32(b); {
		case code == codeCancel:
			// Nothing is answered, so that nobody learns whether a key is right.
			if len(b) >= 12 && len(b) <= 264 {
				c.l.cancel(binary.BigEndian.Uint32(b[4:]), b[8:])
			}
			return nil, 0, false
		case code == codeTLS && len(b) == 4 && !asked.tls:
			asked.tls = true
			if !c.startTLS() {
				return nil, 0, false
			}
		case code == codeGSS && len(b) == 4 && !asked.gss && !asked.tls:
			asked.gss = true
			if c.w.buffered() > 0 {
				c.l.obs.Refused("early bytes")
				return nil, 0, false
			}
			if _, err := c.nc.Write([]byte{'N'}); err != nil {
				return nil, 0, false
			}
		case code>>16 == 3:
			return c.startMessage(b, code&0xffff)
		case code>>16 == 2 || code>>16 == 1:
			c.l.obs.Refused("old protocol")
			c.fatal(sqlerr.New(sqlerr.FeatureNotSupported, sqlerr.Pos{}, "protocol version %d is not supported: the server speaks 3.0 to 3.%d", code>>16, minorMax))
			return nil, 0, false
		case code>>16 > 3 && code>>16 < 100: // what is no version at all is no start of a session
			c.l.obs.Refused("protocol to come")
			c.fatal(sqlerr.New(sqlerr.FeatureNotSupported, sqlerr.Pos{}, "protocol version %d.%d is not supported: the server speaks 3.0 to 3.%d", code>>16, code&0xffff, minorMax))
			return nil, 0, false
		default:
			c.refuseStart(errFraming)
			return nil, 0, false
		}
	}
}

// refuseStart ends a connection that does not begin as the protocol says.
func (c *conn) refuseStart(err error) {
	if !errors.Is(err, errFraming) {
		c.l.obs.Refused("broken off")
		return
	}
	c.l.obs.Refused("not the protocol")
	if first := c.w.in[c.w.from:c.w.to]; looksLikeHTTP(first) {
		_, _ = c.nc.Write([]byte("HTTP/1.1 400 Bad Request\r\nConnection: close\r\nContent-Type: text/plain\r\n\r\n" +
			"This port speaks the PostgreSQL protocol, not HTTP.\n"))
		return
	}
	c.fatal(sqlerr.New(codeProtocol, sqlerr.Pos{}, "invalid length of startup packet"))
}

func looksLikeHTTP(b []byte) bool {
	for _, method := range []string{"GET ", "HEAD", "POST", "PUT ", "OPTI", "DELE", "PATC", "CONN", "TRAC", "PRI "} {
		if bytes.HasPrefix(b, []byte(method)) {
			return true
		}
	}
	return false
}

// startTLS answers a request for TLS.
func (c *conn) startTLS() bool {
	// Bytes that came with the request were sent without TLS and must not be taken for
	// part of what it protects.
	if c.w.buffered() > 0 {
		c.l.obs.Refused("early bytes")
		c.fatal(sqlerr.New(codeProtocol, sqlerr.Pos{}, "received unencrypted data after the request for TLS"))
		return false
	}
	if c.l.cfg.TLS == nil {
		_, err := c.nc.Write([]byte{'N'})
		return err == nil
	}
	if _, err := c.nc.Write([]byte{'S'}); err != nil {
		return false
	}
	t := tls.Server(c.nc, c.l.cfg.TLS)
	if err := t.Handshake(); err != nil {
		c.l.obs.Refused("TLS")
		c.l.log.Debug("TLS handshake", "client", c.nc.RemoteAddr().String(), "error", err)
		return false
	}
	c.run.Lock()
	c.nc = t
	c.run.Unlock()
	c.w.nc = t
	return true
}

// startMessage reads the parameters of a session.
func (c *conn) startMessage(b []byte, minor uint32) (map[string]string, uint32, bool) {
	refuse := func(code, format string, args ...any) (map[string]string, uint32, bool) {
		c.l.obs.Refused("start-up")
		c.fatal(sqlerr.New(code, sqlerr.Pos{}, format, args...))
		return nil, 0, false
	}
	params := make(map[string]string)
	var unknown []string
	rest := b[4:]
	for {
		name, after, ok := bytes.Cut(rest, []byte{0})
		if !ok {
			return refuse(codeProtocol, "invalid startup packet layout: expected terminator as last byte")
		}
		if len(name) == 0 {
			if len(after) != 0 {
				return refuse(codeProtocol, "invalid startup packet layout: expected terminator as last byte")
			}
			break
		}
		value, after, ok := bytes.Cut(after, []byte{0})
		if !ok {
			return refuse(codeProtocol, "invalid startup packet layout: expected terminator as last byte")
		}
		rest = after
		if strings.HasPrefix(string(name), "_pq_.") {
			unknown = append(unknown, string(name))
			continue
		}
		params[strings.ToLower(string(name))] = string(value)
	}
	if minor > minorMax || minor == 1 || len(unknown) > 0 {
		if minor > minorMax {
			minor = minorMax
		} else if minor == 1 {
			minor = 0 // 3.1 was never in use
		}
		c.w.send(&pgproto3.NegotiateProtocolVersion{NewestMinorProtocol: 3<<16 | minor, UnrecognizedOptions: unknown})
	}
	user := params["user"]
	if user == "" {
		return refuse(codeBadSignIn, "no user name is given")
	}
	if len(user) > nameMax {
		return refuse(codeBadSignIn, "the user name has %d bytes, more than %d", len(user), nameMax)
	}
	if r := params["replication"]; r != "" && r != "false" && r != "off" && r != "no" && r != "0" {
		return refuse(sqlerr.FeatureNotSupported, "replication connections are not supported")
	}
	if _, isTLS := c.nc.(*tls.Conn); c.l.cfg.RequireTLS && !isTLS {
		return refuse(codeBadSignIn, "the server wants TLS (sslmode=require)")
	}
	if params["database"] == "" {
		params["database"] = databaseName
	}
	return params, minor, true
}

// clientAddr is where the client is.
func (c *conn) clientAddr() netip.Addr {
	if a, err := netip.ParseAddrPort(c.nc.RemoteAddr().String()); err == nil {
		return a.Addr().Unmap()
	}
	return netip.Addr{}
}

// signIn finds out who the client is.
func (c *conn) signIn(user string) (Principal, bool) {
	if c.l.cfg.Open != nil {
		return c.l.cfg.Open, true
	}
	ctx, cancel := context.WithTimeout(context.Background(), c.l.cfg.StartTime)
	defer cancel()
	a, from := c.l.cfg.Authenticator, c.clientAddr()
	accept := func(by string) (Principal, bool) {
		p, err := a.SignIn(ctx, user, from, by)
		if err != nil {
			c.l.obs.SignIn(false)
			if errors.Is(err, auth.ErrDenied) {
				a.Failed(ctx, user, from, by+": "+err.Error())
			}
			c.fatal(sqlerr.New(codeBadSignIn, sqlerr.Pos{}, "%v", err))
			return nil, false
		}
		c.l.obs.SignIn(true)
		return p, true
	}
	t, isTLS := c.nc.(*tls.Conn)
	if isTLS && c.l.cfg.CertificateSignIn {
		if chains := t.ConnectionState().VerifiedChains; len(chains) > 0 && chains[0][0].Subject.CommonName == user {
			return accept("certificate")
		}
	}
	cred, err := a.Credential(ctx, user, from)
	if err != nil {
		c.l.obs.SignIn(false)
		c.fatal(sqlerr.New(codeBadSignIn, sqlerr.Pos{}, "%v", err))
		return nil, false
	}
	ex := &scram{}
	mechanisms := []string{scramPlain}
	if isTLS {
		if cert := serverCertificate(c.l.cfg.TLS); cert != nil {
			if ex.binding = endPointBinding(cert); ex.binding != nil {
				ex.offered = true
				mechanisms = []string{scramPlus, scramPlain}
			}
		}
	}
	why, err := c.scramExchange(ex, cred, mechanisms)
	if err == nil {
		p, ok := accept("scram-sha-256")
		if ok {
			c.w.send(&pgproto3.AuthenticationSASLFinal{Data: why})
		}
		return p, ok
	}
	c.l.obs.SignIn(false)
	a.Failed(ctx, user, from, err.Error())
	var malformed errScram
	switch {
	case errors.Is(err, errProof):
		// The same words and the same work for a name that nobody has.
		c.fatal(sqlerr.New(codeBadPassword, sqlerr.Pos{}, "password authentication failed for user %q", user))
	case errors.As(err, &malformed):
		c.fatal(sqlerr.New(codeProtocol, sqlerr.Pos{}, "%s", malformed.Error()))
	}
	return nil, false
}

// scramExchange runs the exchange and returns the server's last message.
func (c *conn) scramExchange(ex *scram, cred Credential, mechanisms []string) ([]byte, error) {
	c.w.send(&pgproto3.AuthenticationSASL{AuthMechanisms: mechanisms})
	if err := c.w.flush(); err != nil {
		return nil, err
	}
	body, err := c.saslMessage()
	if err != nil {
		return nil, err
	}
	var initial pgproto3.SASLInitialResponse
	if err := initial.Decode(body); err != nil {
		return nil, errScram{"the first message"}
	}
	switch {
	case initial.AuthMechanism == scramPlain:
	case initial.AuthMechanism == scramPlus && ex.offered:
		ex.plus = true
	default:
		return nil, errScram{"the client has chosen a mechanism that was not offered"}
	}
	reply, err := ex.first(initial.Data, cred, randomNonce)
	if err != nil {
		return nil, err
	}
	c.w.send(&pgproto3.AuthenticationSASLContinue{Data: reply})
	if err := c.w.flush(); err != nil {
		return nil, err
	}
	if body, err = c.saslMessage(); err != nil {
		return nil, err
	}
	return ex.final(body)
}

// saslMessage reads a message of the exchange.
func (c *conn) saslMessage() ([]byte, error) {
	c.w.max = scramMax
	kind, body, err := c.w.next()
	if err != nil {
		var long errTooLong
		if errors.As(err, &long) || errors.Is(err, errFraming) {
			return nil, errScram{err.Error()}
		}
		return nil, err
	}
	if kind != 'p' {
		return nil, errScram{"a password message was expected"}
	}
	return body, nil
}
