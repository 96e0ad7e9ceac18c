package pg

import (
	"context"
	"encoding/binary"
	"io"
	"strconv"
	"sync/atomic"
	"time"

	"github.com/jackc/pgx/v5/pgproto3"

	"github.com/cairndb/cairn/engine"
	"github.com/cairndb/cairn/segment/column"
	"github.com/cairndb/cairn/sql"
	"github.com/cairndb/cairn/sql/sqlerr"
)

// prepared is a statement that can be run: a query of the engine, a command of the
// session, or nothing.
type prepared struct {
	text     string // of the statement
	whole    string // what the client sent, of which text begins at base
	base     int
	query    *sql.Statement
	command  *command
	inner    *prepared      // of DECLARE: the query of the cursor
	params   []uint32       // types of parameters as the client is told
	declared []*column.Type // those that the client has said
	columns  []sql.Output   // of the result; nil when there is none
}

// source gives the rows of a result.
type source interface {
	Next() (*column.Batch, error) // io.EOF after the last
	Close() error
}

// portal is a statement with its parameters, and how far it has run.
type portal struct {
	st      *prepared
	args    []any
	formats []int16
	columns []sql.Output
	rows    source
	ctx     context.Context // of rows; end ends it
	end     context.CancelFunc
	batch   *column.Batch
	at      int // the next row of batch
	done    bool
	count   int64 // rows given so far
	cursor  bool
	hold    bool
	fresh   bool       // a cursor WITH HOLD of the transaction that is not over
	binary  bool       // a cursor that gives binary values
	scroll  *scrolling // of a cursor that goes back; nil for others
	// weighed is the batch whose bytes held has, which all has, too: that of all sessions.
	weighed *column.Batch
	held    int64
	all     *atomic.Int64
}

func (p *portal) close() {
	p.weigh(nil)
	if p.scroll != nil && p.all != nil {
		p.all.Add(-p.held)
		p.held, p.scroll.batches, p.scroll.ends = 0, nil, nil
	}
	if p.rows != nil {
		_ = p.rows.Close()
		p.rows = nil
	}
	if p.end != nil {
		p.end()
	}
	p.batch, p.done = nil, true
}

// weigh counts the bytes of the batch that the portal stands in.
func (p *portal) weigh(b *column.Batch) {
	if b == p.weighed || p.all == nil {
		return
	}
	var held int64
	if b != nil {
		held = batchBytes(b)
	}
	p.all.Add(held - p.held)
	p.held, p.weighed = held, b
}

// batchBytes is about what the rows of a batch take.
func batchBytes(b *column.Batch) (n int64) {
	for _, v := range b.Cols {
		n += column.CopyBytes(v, 0, b.Len) + column.TextBytes(v, 0, b.Len)
	}
	return n
}

// suspend leaves a portal open whose rows are not all read; if results then hold more
// than they may, it is closed.
func (s *session) suspend(p *portal) error {
	p.all = &s.c.l.held
	p.weigh(p.batch)
	var mine int64
	for _, o := range s.portals {
		mine += o.held
	}
	var e *sqlerr.Error
	switch {
	case mine > heldMax && p.held < mine:
		e = sqlerr.New(sqlerr.OutOfMemory, sqlerr.Pos{}, "the results that this session reads in parts hold %d MB, and may hold %d", mine>>20, heldMax>>20)
	case s.c.l.held.Load() > heldByAll:
		e = sqlerr.New(sqlerr.OutOfMemory, sqlerr.Pos{}, "the results that clients read in parts hold %d MB, as much as they may", int64(heldByAll>>20))
	default:
		return nil
	}
	p.close()
	return e.WithHint("read results to their ends or close them before others are begun, or select fewer columns")
}

// prepare reads a statement.
func (s *session) prepare(pc piece, whole string, oids []uint32) (*prepared, error) {
	p := &prepared{text: pc.text, whole: whole, base: pc.base}
	cmd, err := parseCommand(pc.text)
	if err != nil {
		return nil, err
	}
	if cmd != nil {
		p.command = cmd
		if err := s.may(commandRules[cmd.verb]); err != nil {
			return nil, err
		}
		if cmd.verb == verbDeclare {
			// Its parameters are those of the query, which postgres_fdw binds with it.
			if p.inner, err = s.prepare(piece{cmd.query, 0}, cmd.query, oids); err != nil {
				return nil, moved(err, cmd.queryAt)
			}
			if p.inner.query == nil {
				return nil, sqlerr.New(sqlerr.SyntaxError, sqlerr.Pos{Start: cmd.queryAt, End: len(pc.text)}, "a cursor is for a query")
			}
			p.params, p.declared = p.inner.params, p.inner.declared
		}
		if p.columns, err = s.commandColumns(cmd); err != nil {
			return nil, err
		}
		return p, nil
	}
	if err := s.alive(nil); err != nil {
		return nil, err
	}
	p.declared = make([]*column.Type, len(oids))
	for i, oid := range oids {
		p.declared[i] = declaredType(oid)
	}
	snap, done, err := s.view()
	if err != nil {
		return nil, err
	}
	defer done()
	o := s.runOptions(snap)
	o.ParamTypes = p.declared
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	defer s.c.running(cancel, s.limit())()
	if p.query, err = snap.Prepare(ctx, pc.text, o); err != nil {
		return nil, err
	}
	if err := s.may(queryRules[p.query.Kind()]); err != nil {
		return nil, err
	}
	for i, t := range p.query.Params() {
		oid := paramOID(t)
		if i < len(oids) && oids[i] != 0 {
			oid = oids[i]
		}
		p.params = append(p.params, oid)
	}
	p.columns = p.query.Columns()
	return p, nil
}

// alive refuses everything but the end of a transaction that has failed.
func (s *session) alive(cmd *command) error {
	if s.tx != txFailed || cmd != nil && cmd.endsFailed() {
		return nil
	}
	return sqlerr.New(codeFailedTransaction, sqlerr.Pos{}, "current transaction is aborted, commands ignored until end of transaction block")
}

// start runs a portal's query.
func (s *session) start(p *portal) error {
	if err := s.may(queryRules[p.st.query.Kind()]); err != nil {
		return err
	}
	snap, done, err := s.view()
	if err != nil {
		return err
	}
	defer done()
	o := s.runOptions(snap)
	open := 0
	for _, other := range s.portals {
		if other.rows != nil {
			open++
		}
	}
	if open >= heldFreely {
		o.Workers = 1
	}
	rows, err := snap.Run(p.ctx, p.st.query, p.args, o)
	if err != nil {
		return err
	}
	p.rows, p.columns = rows, rows.Columns()
	return nil
}

// next makes the portal's next row the one at p.at of p.batch; false at the end.
func (p *portal) next() (bool, error) {
	for p.batch == nil || p.at >= p.batch.Len {
		if p.done {
			return false, nil
		}
		b, err := p.rows.Next()
		if err == io.EOF {
			p.close()
			return false, nil
		}
		if err != nil {
			p.close()
			return false, err
		}
		p.batch, p.at = carried(b, p.columns), 0
	}
	return true, nil
}

// sendRows sends at most n rows of a portal, all for n <= 0, and returns how many. more
// says that there may be others.
func (s *session) sendRows(p *portal, n int64) (sent int64, more bool, err error) {
	w := s.w
	from := w.sent + int64(len(w.out))
	defer func() { s.stats.rows, s.stats.bytes = s.stats.rows+sent, s.stats.bytes+w.sent+int64(len(w.out))-from }()
	for {
		if n > 0 && sent == n {
			return sent, true, s.suspend(p)
		}
		ok, err := p.next()
		if err != nil || !ok {
			return sent, false, err
		}
		b := p.batch
		to := b.Len
		if n > 0 {
			to = int(min(int64(to), int64(p.at)+n-sent))
		}
		for ; p.at < to; p.at++ {
			s.sendRow(b, p.at, p.formats)
			sent++
			p.count++
			if len(w.out) >= outFull {
				if err := w.flush(); err != nil {
					return sent, false, errTerminate
				}
			}
		}
	}
}

// formatOf is the format of a field: of none given text, of one that one.
func formatOf(formats []int16, i int) int16 {
	switch {
	case len(formats) == 0:
		return textFormat
	case len(formats) == 1:
		return formats[0]
	case i < len(formats):
		return formats[i]
	}
	return textFormat
}

// sendColumns describes a result.
func (s *session) sendColumns(columns []sql.Output, formats []int16) {
	w := s.w
	at := w.begin('T')
	w.out = binary.BigEndian.AppendUint16(w.out, uint16(len(columns)))
	for i, c := range columns {
		t := typeOf(c.Type)
		w.out = append(append(w.out, clean(c.Name)...), 0)
		w.out = binary.BigEndian.AppendUint32(w.out, 0) // of no table
		w.out = binary.BigEndian.AppendUint16(w.out, 0)
		w.out = binary.BigEndian.AppendUint32(w.out, t.oid)
		w.out = binary.BigEndian.AppendUint16(w.out, uint16(t.size))
		w.out = binary.BigEndian.AppendUint32(w.out, uint32(t.mod))
		w.out = binary.BigEndian.AppendUint16(w.out, uint16(formatOf(formats, i)))
	}
	w.finish(at)
}

// complete ends a statement.
func (s *session) complete(tag string) { s.w.send(&pgproto3.CommandComplete{CommandTag: []byte(tag)}) }

func rowsTag(verb string, n int64) string { return verb + " " + strconv.FormatInt(n, 10) }

// observe counts a statement.
func (s *session) observe(started time.Time, err error) {
	code := "00000"
	if err != nil {
		code = failure(err).Code
	}
	s.c.l.obs.Statement(code, time.Since(started), s.stats.rows, s.stats.bytes)
	s.stats.rows, s.stats.bytes = 0, 0
}

// simple runs the statements of a text, one after the other until one fails.
func (s *session) simple(text string) {
	defer s.ready()
	if p := s.portals[""]; p != nil {
		p.close()
		delete(s.portals, "")
	}
	pieces := split(text)
	if len(pieces) == 0 {
		s.w.send(&pgproto3.EmptyQueryResponse{})
		return
	}
	for _, pc := range pieces {
		started := time.Now()
		err := s.runSimple(pc, text)
		s.observe(started, err)
		if err != nil {
			s.fail(err, text, pc.base)
			return
		}
		if s.w.err != nil {
			return
		}
	}
}

// runSimple runs one statement and sends its result as text.
func (s *session) runSimple(pc piece, whole string) error {
	st, err := s.prepare(pc, whole, nil)
	if err != nil {
		return err
	}
	if st.command != nil {
		return s.runCommand(st, &portal{st: st, columns: st.columns}, 0, true)
	}
	p := &portal{st: st}
	if len(st.query.Params()) > 0 {
		return sqlerr.New(sqlerr.UndefinedParameter, sqlerr.Pos{}, "there is no parameter $1").
			WithHint("parameters are for prepared statements")
	}
	defer p.close()
	return s.within(p, func() error {
		if err := s.start(p); err != nil {
			return err
		}
		s.sendColumns(p.columns, nil)
		n, _, err := s.sendRows(p, 0)
		if err != nil {
			return err
		}
		s.complete(rowsTag("SELECT", n))
		return nil
	})
}

// within runs what reads a portal: its context lives as long as the portal, the time limit
// and cancel requests hold for each statement that reads it.
func (s *session) within(p *portal, do func() error) error {
	if p.ctx == nil {
		p.ctx, p.end = context.WithCancel(context.Background())
	}
	done := s.c.running(p.end, s.limit())
	defer done()
	return do()
}

var _ source = (*engine.Rows)(nil)
