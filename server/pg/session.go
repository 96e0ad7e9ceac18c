package pg

import (
	"context"
	"errors"
	"io"
	"net"
	"strings"
	"time"

	"github.com/jackc/pgx/v5/pgproto3"

	"github.com/cairndb/cairn/engine"
	"github.com/cairndb/cairn/segment/column"
	"github.com/cairndb/cairn/server/auth"
	"github.com/cairndb/cairn/sql"
	"github.com/cairndb/cairn/sql/sqlerr"
)

// Limits of one session.
const (
	// statementsMax bounds prepared statements: drivers keep a few hundred; a leak
	// ends with an error instead of the server's memory.
	statementsMax = 10_000
	// statementBytesMax bounds the texts of all prepared statements together.
	statementBytesMax = 8 << 20
	// portalsMax bounds open portals and cursors, each of which is a query that may
	// hold a goroutine and memory.
	portalsMax = 100
	// heldMax bounds the bytes of rows that the results hold that a session reads in parts, and
	// heldByAll those of all sessions. What is counted is the batch that a result stands in;
	// it has one or two more that are being made. A few results of whole records fit, as drivers
	// have them that fetch some thousand rows at a time.
	heldMax, heldByAll = 64 << 20, 512 << 20
	// heldFreely is from how many open results on another one is run by one worker, which runs
	// less far ahead.
	heldFreely = 3
)

// The states of a transaction, as ReadyForQuery tells them.
const (
	txIdle   = 'I'
	txOpen   = 'T'
	txFailed = 'E'
)

// session is a connection that has signed in. It belongs to the connection's goroutine.
type session struct {
	c        *conn
	w        *wire
	p        Principal
	db       Database
	info     Session
	settings settings

	tx         byte
	readOnly   bool // the transaction was begun READ ONLY
	snapshot   *engine.Snapshot
	standing   *auth.Principal // whose view the snapshot is
	began      time.Time       // the transaction, for now()
	savepoints []string

	statements     map[string]*prepared
	statementBytes int
	portals        map[string]*portal
	listening      map[string]*listening

	skipping bool // after an error, until Sync
	stats    struct{ rows, bytes int64 }
}

func newSession(c *conn, p Principal, database string) *session {
	s := &session{c: c, w: c.w, p: p, db: p.Database(), tx: txIdle}
	s.settings.loc = time.UTC
	s.settings.start = map[string]string{"session_authorization": p.Name()}
	if p.Admin() {
		s.settings.start["is_superuser"] = "on"
	}
	if d := c.l.cfg.StatementTime; d > 0 {
		s.settings.start["statement_timeout"] = formatDuration(d)
	}
	s.info = Session{
		ID: c.id, Principal: p, Client: c.nc.RemoteAddr(),
		Setting: s.settings.lookup, Settings: s.settings.all,
		Set: s.set,
	}
	return s
}

// applyStart takes the settings of the start-up packet.
func (s *session) applyStart(params map[string]string) error {
	if db := params["database"]; !strings.EqualFold(db, databaseName) {
		return sqlerr.New(codeNoDatabase, sqlerr.Pos{}, "database %q does not exist", db).
			WithHint("the one database is called %q (psql -d %s)", databaseName, databaseName)
	}
	for name, value := range params {
		switch name {
		case "user", "database", "replication":
		case "options":
			if err := s.startOptions(value); err != nil {
				return err
			}
		default:
			if err := s.startSetting(name, value); err != nil {
				return err
			}
		}
	}
	return nil
}

// startSetting takes a setting that RESET goes back to.
func (s *session) startSetting(name, value string) error {
	key, value, err := s.settings.check(name, value)
	if err != nil {
		return err
	}
	s.settings.put(key, value, false)
	s.settings.start[key] = s.settings.set[key]
	delete(s.settings.set, key)
	return nil
}

// startOptions takes -c name=value and --name=value, as libpq's options have them.
func (s *session) startOptions(text string) error {
	var words []string
	var word strings.Builder
	in := false
	for i := 0; i < len(text); i++ {
		switch c := text[i]; {
		case c == '\\' && i+1 < len(text):
			i++
			word.WriteByte(text[i])
			in = true
		case c == ' ' || c == '\t' || c == '\n':
			if in {
				words = append(words, word.String())
				word.Reset()
				in = false
			}
		default:
			word.WriteByte(c)
			in = true
		}
	}
	if in {
		words = append(words, word.String())
	}
	for i := 0; i < len(words); i++ {
		w := words[i]
		switch {
		case w == "-c" && i+1 < len(words):
			i++
			w = words[i]
		case strings.HasPrefix(w, "-c"):
			w = w[2:]
		case strings.HasPrefix(w, "--"):
			w = w[2:]
		default:
			return sqlerr.New(codeBadSetting, sqlerr.Pos{}, "invalid start-up option %q", w).WithHint("use -c name=value")
		}
		name, value, ok := strings.Cut(w, "=")
		if !ok {
			return sqlerr.New(codeBadSetting, sqlerr.Pos{}, "start-up option %q has no value", w)
		}
		if err := s.startSetting(strings.ReplaceAll(name, "-", "_"), value); err != nil {
			return err
		}
	}
	return nil
}

// set changes a setting and tells the client if it wants to know.
func (s *session) set(name, value string, local bool) error {
	key, value, err := s.settings.check(name, value)
	if err != nil {
		return err
	}
	s.settings.put(key, value, local)
	s.report(key)
	return nil
}

// report tells the client of a changed setting.
func (s *session) report(key string) {
	for _, name := range reported {
		if strings.EqualFold(name, key) {
			s.w.send(&pgproto3.ParameterStatus{Name: name, Value: s.settings.value(name)})
		}
	}
}

// close gives up everything.
func (s *session) close() {
	s.unlisten("")
	for _, p := range s.portals {
		p.close()
	}
	if s.snapshot != nil {
		s.snapshot.Close()
		s.snapshot = nil
	}
}

// errTerminate ends a session without a word.
var errTerminate = errors.New("terminate")

// loop reads messages until the session ends.
func (s *session) loop() {
	s.ready()
	for {
		limit, why := s.patience()
		s.w.rest()
		// Notifications are sent between transactions, and not within a series of messages
		// of the extended protocol.
		idle := s.tx == txIdle && !s.skipping && len(s.w.out) == 0
		switch s.c.wait(limit, idle) {
		case wakeLeaving:
			s.c.fatal(errShutdown())
			return
		case wakePoked:
			s.c.unpoke()
			s.deliver()
			continue
		}
		kind, body, err := s.w.next()
		woken := s.c.woken(idle)
		if err != nil {
			switch {
			case woken == wakeLeaving:
				s.c.fatal(errShutdown())
				return
			case woken == wakePoked && isTimeout(err):
				continue // what has come of a message is kept
			}
			s.readFailed(err, why)
			return
		}
		_ = s.c.nc.SetReadDeadline(time.Time{})
		if err := s.message(kind, body); err != nil {
			if !errors.Is(err, errTerminate) {
				s.c.fatal(err)
			}
			return
		}
		if s.w.err != nil {
			s.c.l.log.Debug("session cut off", "session", s.c.id, "error", s.w.err)
			return
		}
	}
}

func errShutdown() error {
	return sqlerr.New(codeShutdown, sqlerr.Pos{}, "terminating connection due to administrator command")
}

// patience is how long the next message may take, and the error when it takes longer.
func (s *session) patience() (time.Duration, error) {
	if s.tx != txIdle {
		limit := max(0, s.c.l.cfg.IdleInTransaction)
		if d := s.settings.duration("idle_in_transaction_session_timeout"); d > 0 && (limit == 0 || d < limit) {
			limit = d
		}
		return limit, sqlerr.New(codeIdleInTransaction, sqlerr.Pos{}, "terminating connection due to idle-in-transaction timeout")
	}
	limit := s.c.l.cfg.IdleTime
	if d := s.settings.duration("idle_session_timeout"); d > 0 && (limit == 0 || d < limit) {
		limit = d
	}
	if len(s.listening) > 0 && s.settings.duration("idle_session_timeout") == 0 {
		limit = 0 // it waits for events
	}
	return limit, sqlerr.New(codeIdle, sqlerr.Pos{}, "terminating connection due to idle-session timeout")
}

// readFailed ends a session whose next message could not be read.
func (s *session) readFailed(err, why error) {
	var long errTooLong
	switch {
	case isTimeout(err):
		s.c.fatal(why)
	case errors.As(err, &long):
		s.c.fatal(sqlerr.New(sqlerr.ProgramLimit, sqlerr.Pos{}, "%v", err))
	case errors.Is(err, errFraming):
		s.c.fatal(sqlerr.New(codeProtocol, sqlerr.Pos{}, "invalid message length"))
	case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF), errors.Is(err, net.ErrClosed):
	default:
		s.c.l.log.Debug("reading a message", "session", s.c.id, "error", err)
	}
}

func isTimeout(err error) bool {
	var e net.Error
	return errors.As(err, &e) && e.Timeout()
}

// ready says that the next statement may come.
func (s *session) ready() {
	s.w.send(&pgproto3.ReadyForQuery{TxStatus: s.tx})
	_ = s.w.flush()
}

// message acts on one message. An error ends the session.
func (s *session) message(kind byte, body []byte) error {
	if s.skipping && kind != 'S' && kind != 'X' {
		return nil
	}
	switch kind {
	case 'Q':
		text, err := oneString(body)
		if err != nil {
			return err
		}
		s.simple(text)
		return s.w.err
	case 'X':
		return errTerminate
	case 'S':
		s.skipping = false
		if s.tx == txIdle {
			s.closePortals(false)
		}
		s.ready()
		return nil
	case 'H':
		return s.w.flush()
	case 'd', 'c', 'f':
		return nil // of a COPY that has failed
	}
	var err error
	switch kind {
	case 'P':
		var m pgproto3.Parse
		if err = m.Decode(body); err == nil {
			err = s.parse(&m)
		} else {
			return malformed(kind)
		}
	case 'B':
		var m pgproto3.Bind
		if err = m.Decode(body); err == nil {
			err = s.bind(&m)
		} else {
			return malformed(kind)
		}
	case 'D':
		var m pgproto3.Describe
		if err = m.Decode(body); err == nil {
			err = s.describe(&m)
		} else {
			return malformed(kind)
		}
	case 'E':
		var m pgproto3.Execute
		if err = m.Decode(body); err == nil {
			err = s.execute(&m)
		} else {
			return malformed(kind)
		}
	case 'C':
		var m pgproto3.Close
		if err = m.Decode(body); err == nil {
			err = s.closeNamed(&m)
		} else {
			return malformed(kind)
		}
	case 'F':
		err = sqlerr.New(sqlerr.FeatureNotSupported, sqlerr.Pos{}, "the function call protocol is not supported").WithHint("SELECT the function")
		s.fail(err, "", 0)
		s.ready()
		return nil
	default:
		return sqlerr.New(codeProtocol, sqlerr.Pos{}, "invalid frontend message type %d", kind)
	}
	if err != nil {
		if errors.Is(err, errTerminate) {
			return err
		}
		var at placed
		text, base := "", 0
		if errors.As(err, &at) {
			text, base = at.text, at.base
		}
		s.fail(err, text, base)
		s.skipping = true
		_ = s.w.flush() // a client may wait for it before it sends Sync
	}
	return s.w.err
}

func malformed(kind byte) error {
	return sqlerr.New(codeProtocol, sqlerr.Pos{}, "invalid message format of type %q", string(rune(kind)))
}

// oneString reads a body that is one text.
func oneString(body []byte) (string, error) {
	if len(body) == 0 || body[len(body)-1] != 0 || strings.IndexByte(string(body[:len(body)-1]), 0) >= 0 {
		return "", malformed('Q')
	}
	return string(body[:len(body)-1]), nil
}

// placed is an error with the text that it speaks of.
type placed struct {
	err  error
	text string
	base int
}

func (p placed) Error() string { return p.err.Error() }
func (p placed) Unwrap() error { return p.err }

// fail reports an error of a statement.
func (s *session) fail(err error, text string, base int) {
	err = s.canceledWhy(err)
	if e := failure(err); e.Code == sqlerr.Internal || e.Code == sqlerr.DataCorrupted {
		s.c.l.log.Error("a statement has failed", "session", s.c.id, "error", err, "detail", e.Detail)
	}
	if s.tx == txOpen {
		s.tx = txFailed
		s.closePortals(false)
	}
	s.w.sendError("ERROR", err, text, base)
}

// canceledWhy gives the words of Postgres to a statement that was ended.
func (s *session) canceledWhy(err error) error {
	e := failure(err)
	if e.Code != sqlerr.QueryCanceled {
		return err
	}
	s.c.run.Lock()
	canceled, late, leaving := s.c.run.canceled, s.c.run.late, s.c.run.leaving
	s.c.run.Unlock()
	switch {
	case leaving && canceled:
		return errShutdown()
	case canceled:
		return sqlerr.New(sqlerr.QueryCanceled, sqlerr.Pos{}, "canceling statement due to user request")
	case late || errors.Is(err, context.DeadlineExceeded):
		return sqlerr.New(sqlerr.QueryCanceled, sqlerr.Pos{}, "canceling statement due to statement timeout").
			WithHint("narrow the time range, or SET statement_timeout")
	}
	return err
}

// limit is how long the next statement may run.
func (s *session) limit() time.Duration {
	own := s.settings.duration("statement_timeout")
	if most := s.c.l.cfg.StatementTime; most > 0 && (own == 0 || own > most) {
		return most
	}
	return own
}

// now is the time that now() gives.
func (s *session) now() time.Time {
	if s.tx != txIdle {
		return s.began
	}
	return time.Now()
}

// view returns what the next query sees: the transaction's snapshot, or one that done
// gives up.
func (s *session) view() (snap *engine.Snapshot, done func(), err error) {
	if s.tx == txIdle {
		snap, err = s.db.LazySnapshot()
		if err != nil {
			return nil, nil, err
		}
		return snap, snap.Close, nil
	}
	standing, err := s.p.Standing()
	if err != nil {
		return nil, nil, err
	}
	if s.snapshot == nil {
		if s.snapshot, err = s.db.Snapshot(); err != nil {
			return nil, nil, err
		}
		s.standing = standing
	}
	if standing != s.standing {
		return nil, nil, sqlerr.New(codeForbidden, sqlerr.Pos{}, "what %s may see was changed during the transaction", s.p.Name()).
			WithHint("end the transaction and begin another one")
	}
	return s.snapshot, func() {}, nil
}

// runOptions are those of the session's queries over a snapshot.
func (s *session) runOptions(snap *engine.Snapshot) engine.RunOptions {
	o := engine.RunOptions{Dialect: sql.Postgres, Now: s.now(), Zone: s.settings.zone}
	if make := s.c.l.cfg.Catalog; make != nil {
		o.Catalog = make(s.info, snap.Catalog())
	}
	return o
}

// endTransaction goes back to the idle state.
func (s *session) endTransaction(committed bool) {
	s.closePortals(committed)
	if s.snapshot != nil {
		s.snapshot.Close()
		s.snapshot = nil
	}
	s.tx, s.readOnly, s.savepoints = txIdle, false, nil
	for _, key := range s.settings.end(committed) {
		s.report(key)
	}
}

// closePortals closes all portals but cursors WITH HOLD; of these, those that the ending
// transaction has declared only if it was not committed.
func (s *session) closePortals(committed bool) {
	for name, p := range s.portals {
		if p.hold && (committed || !p.fresh) {
			p.fresh = false
			continue
		}
		p.close()
		delete(s.portals, name)
	}
}

// outputs describes results.
func outputs(names []string, types []*column.Type) []sql.Output {
	out := make([]sql.Output, len(names))
	for i := range names {
		out[i] = sql.Output{Name: names[i], Type: types[i]}
	}
	return out
}
