package pg

import (
	"context"
	"crypto/rand"
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"sync"
	"sync/atomic"
	"time"

	"github.com/cairndb/cairn/engine"
	"github.com/cairndb/cairn/sql"
)

// Limits and defaults. Each says why it is what it is.
const (
	// defaultConnections bounds sockets and goroutines: several tools with pools
	// of their own.
	defaultConnections = 500
	// startingMax bounds connections that have not signed in, so that strangers
	// cannot use up the places of those who have.
	startingMax = 200
	// startingLong is when a connection that has not signed in gives way to another, once
	// there are startingMax: a client that is alive is done in less, and one that sends a byte
	// now and then keeps nobody out for longer.
	startingLong = 2 * time.Second
	// defaultStartTime is for a client far away that asks its user nothing.
	defaultStartTime = 15 * time.Second
	// defaultWriteTime is how long a client may leave a full socket unread: people
	// page through results in psql by cursors, which read what they ask for.
	defaultWriteTime = 2 * time.Minute
	// defaultIdleInTransaction is when a forgotten transaction stops keeping a
	// snapshot from being cleaned up.
	defaultIdleInTransaction = 30 * time.Minute
	// defaultMessageBytes bounds one message: the longest query, or a row of COPY,
	// several times over.
	defaultMessageBytes = 16 << 20
	// keepAlive finds half-open sockets within some two minutes.
	keepAlive = 30 * time.Second
)

// Config says whom a Listener serves and within which limits.
type Config struct {
	// Authenticator knows who may sign in. Without one, nobody may, unless Open is set.
	Authenticator Authenticator
	// Open, when not nil, is whom everybody is taken for, without any question. It is
	// the caller's business to listen on loopback only.
	Open Principal

	// TLS has the server's certificate, and ClientCAs and ClientAuth if certificates of
	// clients are wanted; nil for no TLS. A verified certificate whose common name is
	// the user's signs the user in without a password when CertificateSignIn is set.
	TLS               *tls.Config
	CertificateSignIn bool
	// RequireTLS refuses connections without it.
	RequireTLS bool

	// Catalog, when not nil, gives the tables of a query: usually those of the given
	// catalogue, which are the stores that the principal may see, and more.
	Catalog func(session Session, stores sql.Catalog) sql.Catalog

	// Connections is how many there may be at once; 500 when 0.
	Connections int
	// StartTime bounds start-up and sign-in; 15 s when 0.
	StartTime time.Duration
	// WriteTime bounds the wait for a client that does not read; 2 min when 0.
	WriteTime time.Duration
	// IdleTime ends sessions outside of a transaction that send nothing; never when 0.
	IdleTime time.Duration
	// IdleInTransaction ends sessions that send nothing within one; 30 min when 0,
	// never when negative.
	IdleInTransaction time.Duration
	// StatementTime bounds every statement; a session may set less. None when 0.
	StatementTime time.Duration
	// MessageBytes is the largest message that is accepted; 16 MiB when 0.
	MessageBytes int

	// Logger hears of connections and failures; nobody does when nil.
	Logger *slog.Logger
	// Observer counts; nobody does when nil.
	Observer Observer
}

// Database is the lake as a principal sees it. *engine.Lake is one that shows
// everything.
type Database interface {
	// Snapshot returns what all queries of one transaction see.
	Snapshot() (*engine.Snapshot, error)
	// LazySnapshot returns what one query sees.
	LazySnapshot() (*engine.Snapshot, error)
	// AppendTo stores records; a principal who may not write there gets an
	// engine.ErrRefused.
	AppendTo(ctx context.Context, store string, records [][]byte) ([]engine.Verdict, error)
	// Follow returns a cursor on the events that come into a store from now on.
	Follow(store string) (*engine.Tail, error)
	// Notices returns a cursor on the notices of unusual activity from now on.
	Notices() (*engine.Notices, error)
}

// Session is what a catalogue may want to know of the session that asks.
type Session struct {
	// ID is the number of the connection, what pg_backend_pid gives.
	ID uint32
	// Principal is who has signed in.
	Principal Principal
	// Client is the address of the other end.
	Client net.Addr
	// Setting returns the value of a setting, such as search_path; ok is false when
	// there is none of that name.
	Setting func(name string) (value string, ok bool)
	// Settings returns all settings in order of their names.
	Settings func() []Setting
	// Set changes a setting; with local, until the end of the transaction.
	Set func(name, value string, local bool) error
}

// Setting is one parameter of a session.
type Setting struct{ Name, Value, About string }

// Observer counts what happens. Its methods are called from many goroutines.
type Observer interface {
	// Opened and Closed count connections; refused ones are only Refused, with a
	// word why.
	Opened()
	Closed()
	Refused(why string)
	// SignIn counts sign-ins that succeeded and failed.
	SignIn(ok bool)
	// Statement counts a statement with its SQLSTATE ("00000" for none), how long it
	// took, and what rows and bytes it sent.
	Statement(code string, took time.Duration, rows, bytes int64)
	// Copied counts records of COPY by what became of them.
	Copied(verdict string, n int64)
}

// Listener serves connections. Make it with [New].
type Listener struct {
	cfg Config
	log *slog.Logger
	obs Observer

	nextID   atomic.Uint32
	starting atomic.Int64
	held     atomic.Int64 // bytes of rows that results hold which are read in parts
	work     sync.WaitGroup

	mu struct {
		sync.Mutex
		conns     map[uint32]*conn
		listeners map[net.Listener]struct{}
		closed    bool
	}
}

// New checks the configuration and returns a listener that serves nothing yet.
func New(cfg Config) (*Listener, error) {
	if cfg.Authenticator == nil && cfg.Open == nil {
		return nil, errors.New("a Postgres listener needs an authenticator, or to be told that there is to be none")
	}
	if cfg.RequireTLS && cfg.TLS == nil {
		return nil, errors.New("TLS is required, and there is no certificate")
	}
	if cfg.Connections == 0 {
		cfg.Connections = defaultConnections
	}
	if cfg.StartTime == 0 {
		cfg.StartTime = defaultStartTime
	}
	if cfg.WriteTime == 0 {
		cfg.WriteTime = defaultWriteTime
	}
	if cfg.IdleInTransaction == 0 {
		cfg.IdleInTransaction = defaultIdleInTransaction
	}
	if cfg.MessageBytes == 0 {
		cfg.MessageBytes = defaultMessageBytes
	}
	if cfg.MessageBytes < 64<<10 || cfg.MessageBytes > 1<<30 {
		return nil, fmt.Errorf("messages of at most %d bytes: the limit must be 64 KiB to 1 GiB", cfg.MessageBytes)
	}
	l := &Listener{cfg: cfg, log: cfg.Logger, obs: cfg.Observer}
	if l.log == nil {
		l.log = slog.New(slog.DiscardHandler)
	}
	if l.obs == nil {
		l.obs = nobody{}
	}
	l.mu.conns = make(map[uint32]*conn)
	l.mu.listeners = make(map[net.Listener]struct{})
	return l, nil
}

type nobody struct{}

func (nobody) Opened()                                       {}
func (nobody) Closed()                                       {}
func (nobody) Refused(string)                                {}
func (nobody) SignIn(bool)                                   {}
func (nobody) Statement(string, time.Duration, int64, int64) {}
func (nobody) Copied(string, int64)                          {}

// Serve accepts connections until ctx ends or [Listener.Shutdown] is called; then it
// returns nil. It closes ln. Connections that are open go on until they are shut down.
func (l *Listener) Serve(ctx context.Context, ln net.Listener) error {
	l.mu.Lock()
	if l.mu.closed {
		l.mu.Unlock()
		ln.Close()
		return nil
	}
	l.mu.listeners[ln] = struct{}{}
	l.mu.Unlock()
	stop := context.AfterFunc(ctx, func() { ln.Close() })
	defer stop()
	defer func() {
		ln.Close()
		l.mu.Lock()
		delete(l.mu.listeners, ln)
		l.mu.Unlock()
	}()
	for wait := time.Duration(0); ; {
		c, err := ln.Accept()
		if err == nil {
			wait = 0
			l.take(c)
			continue
		}
		if errors.Is(err, net.ErrClosed) || ctx.Err() != nil {
			return nil
		}
		// Out of file descriptors, most likely: connections that end give some back.
		wait = min(max(2*wait, 5*time.Millisecond), time.Second)
		l.log.Warn("accepting Postgres connections", "error", err, "again_in", wait)
		select {
		case <-time.After(wait):
		case <-ctx.Done():
			return nil
		}
	}
}

// newConn returns a connection that is not yet known to the listener.
func (l *Listener) newConn(nc net.Conn) *conn {
	return &conn{l: l, nc: nc, id: l.nextID.Add(1) & 0x7fffffff, host: hostOf(nc), began: time.Now(), w: newWire(nc, startPacketMax, l.cfg.WriteTime)}
}

// take begins to serve a connection, or refuses it.
func (l *Listener) take(nc net.Conn) {
	if t, ok := nc.(*net.TCPConn); ok {
		_ = t.SetKeepAliveConfig(net.KeepAliveConfig{Enable: true, Idle: keepAlive, Interval: keepAlive, Count: 3})
	}
	if l.starting.Add(1) > startingMax && !l.makeRoom(hostOf(nc)) {
		l.starting.Add(-1)
		l.obs.Refused("too many starting")
		nc.Close()
		return
	}
	c := l.newConn(nc)
	if _, err := rand.Read(c.secret[:]); err != nil {
		l.starting.Add(-1)
		nc.Close()
		return
	}
	l.mu.Lock()
	if l.mu.closed {
		l.mu.Unlock()
		l.starting.Add(-1)
		nc.Close()
		return
	}
	l.mu.conns[c.id] = c
	l.work.Add(1)
	l.mu.Unlock()
	l.obs.Opened()
	go func() {
		defer l.work.Done()
		defer l.obs.Closed()
		defer func() {
			l.mu.Lock()
			delete(l.mu.conns, c.id)
			l.mu.Unlock()
		}()
		c.serve()
	}()
}

// makeRoom ends the oldest of the connections that are starting, of those from the host
// that has the most of them, so that a newcomer has its place: one that takes long, or any
// if the newcomer's host has fewer. It reports whether there was one.
func (l *Listener) makeRoom(host string) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	count := map[string]int{}
	oldest := map[string]*conn{}
	most := host
	for _, c := range l.mu.conns {
		if c.signedIn.Load() || c.gaveWay {
			continue
		}
		count[c.host]++
		if o := oldest[c.host]; o == nil || c.began.Before(o.began) {
			oldest[c.host] = c
		}
		if count[c.host] > count[most] {
			most = c.host
		}
	}
	c := oldest[most]
	if c == nil || time.Since(c.began) < startingLong && count[host] >= count[most] {
		return false
	}
	c.gaveWay = true
	l.obs.Refused("starting too long")
	c.nc.Close()
	return true
}

// hostOf is where a connection comes from, without the port.
func hostOf(nc net.Conn) string {
	host, _, err := net.SplitHostPort(nc.RemoteAddr().String())
	if err != nil {
		return nc.RemoteAddr().String()
	}
	return host
}

// full reports whether there are more sessions than are allowed, the asking one
// among them.
func (l *Listener) full() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	n := 0
	for _, c := range l.mu.conns {
		if c.signedIn.Load() {
			n++
		}
	}
	return n > l.cfg.Connections
}

// cancel ends the statement that runs on a connection, if the secret is its.
func (l *Listener) cancel(id uint32, secret []byte) {
	l.mu.Lock()
	c := l.mu.conns[id]
	l.mu.Unlock()
	if c != nil && c.isSecret(secret) {
		c.cancelStatement()
	}
}

// Shutdown ends serving: nothing is accepted any more, idle sessions are told that
// the server goes and closed, statements may run until ctx ends and are canceled then.
// It returns when all connections are gone.
func (l *Listener) Shutdown(ctx context.Context) {
	l.mu.Lock()
	l.mu.closed = true
	for ln := range l.mu.listeners {
		ln.Close()
	}
	for _, c := range l.mu.conns {
		c.goAway()
	}
	l.mu.Unlock()
	gone := make(chan struct{})
	go func() {
		l.work.Wait()
		close(gone)
	}()
	select {
	case <-gone:
		return
	case <-ctx.Done():
	}
	l.mu.Lock()
	for _, c := range l.mu.conns {
		c.cancelStatement()
		// Whoever does not read its error within a second will not read it.
		c.hurry(time.Second)
	}
	l.mu.Unlock()
	<-gone
}
