package pg

import (
	"io"
	"maps"
	"math"
	"slices"
	"strings"
	"time"

	"github.com/jackc/pgx/v5/pgtype"

	"github.com/cairndb/cairn/segment/column"
	"github.com/cairndb/cairn/sql"
	"github.com/cairndb/cairn/sql/sqlerr"
)

// commandColumns describes the result of a command; nil when it has none.
func (s *session) commandColumns(c *command) ([]sql.Output, error) {
	switch c.verb {
	case verbShow:
		if c.name == "" {
			t := column.VarcharType
			return outputs([]string{"name", "setting", "description"}, []*column.Type{t, t, t}), nil
		}
		if _, ok := s.settings.lookup(c.name); !ok {
			return nil, sqlerr.New(codeNoSetting, sqlerr.Pos{}, "unrecognized configuration parameter %q", c.name)
		}
		return outputs([]string{display(c.name)}, []*column.Type{column.VarcharType}), nil
	case verbFetch:
		p, err := s.cursor(c.name)
		if err != nil {
			return nil, err
		}
		return p.columns, nil
	case verbExecute:
		st, err := s.statement(c.name)
		if err != nil {
			return nil, err
		}
		return st.columns, nil
	case verbShowUsers:
		return userColumns, nil
	case verbCreateUser, verbAlterUser:
		if c.user.password == nil {
			return passwordColumns, nil
		}
	}
	return nil, nil
}

// rowsOf is a result that is there already.
type rowsOf struct{ batch *column.Batch }

func (r *rowsOf) Next() (*column.Batch, error) {
	b := r.batch
	if b == nil || b.Len == 0 {
		return nil, io.EOF
	}
	r.batch = nil
	return b, nil
}

func (r *rowsOf) Close() error { return nil }

// textRows makes a result of texts, column by column.
func textRows(columns ...[]string) source {
	b := &column.Batch{Len: len(columns[0])}
	for _, c := range columns {
		b.Cols = append(b.Cols, &column.Vector{Type: column.VarcharType, Len: len(c), Str: c})
	}
	return &rowsOf{b}
}

// runCommand runs a command and answers it. In a simple query its columns are told first.
func (s *session) runCommand(st *prepared, p *portal, limit int64, simple bool) error {
	c := st.command
	if err := s.alive(c); err != nil {
		return err
	}
	if err := s.may(commandRules[c.verb]); err != nil {
		return err
	}
	switch c.verb {
	case verbShow:
		if p.rows == nil && !p.done {
			p.rows = s.show(c)
		}
		return s.answer(p, limit, simple, func(int64) string { return "SHOW" })
	case verbFetch, verbMove:
		return s.fetch(c, p, simple)
	case verbExecute:
		return s.executeNamed(c, simple)
	case verbCopyIn:
		return s.copyIn(c)
	case verbCopyOut:
		return s.copyOut(st)
	case verbShowUsers, verbCreateUser, verbAlterUser, verbDropUser, verbGrant, verbRevoke:
		return s.changeUser(c, p, limit, simple)
	}
	tag := c.tag
	var err error
	switch c.verb {
	case verbBegin:
		s.beginTransaction(c)
	case verbCommit, verbRollback:
		tag = s.finishTransaction(c)
	case verbSavepoint, verbRelease, verbRollbackTo:
		err = s.savepoint(c)
	case verbSet:
		if c.isDef {
			s.reset(c.name)
		} else {
			if c.local && s.tx == txIdle {
				s.w.sendNotice("WARNING", codeNoTransaction, "SET LOCAL can only be used in transaction blocks", "", "")
			}
			err = s.set(c.name, c.value, c.local)
		}
	case verbSetTransaction:
		if s.tx == txIdle {
			s.w.sendNotice("WARNING", codeNoTransaction, "SET TRANSACTION can only be used in transaction blocks", "", "")
		} else if c.readOnly {
			s.readOnly = true
		} else if c.readWrite {
			s.readOnly = false
		}
	case verbReset:
		s.reset(c.name)
	case verbDiscard:
		err = s.discard(c.name)
	case verbPrepare:
		err = s.prepareNamed(st)
	case verbDeallocate:
		if c.name == "" {
			s.statements, s.statementBytes = nil, 0
		} else if _, err = s.statement(c.name); err == nil {
			s.dropStatement(c.name)
		}
	case verbDeclare:
		err = s.declare(st, p.args)
	case verbClose:
		if c.name == "" {
			s.closeCursors()
		} else {
			var cur *portal
			if cur, err = s.cursor(c.name); err == nil {
				cur.close()
				delete(s.portals, c.name)
			}
		}
	case verbListen:
		err = s.listen(c.name)
	case verbUnlisten:
		s.unlisten(c.name)
	}
	if err != nil {
		return err
	}
	s.complete(tag)
	return nil
}

// answer sends the rows of a portal whose result is there already.
func (s *session) answer(p *portal, limit int64, simple bool, tag func(int64) string) error {
	if simple {
		s.sendColumns(p.columns, p.formats)
	}
	n, more, err := s.sendRows(p, limit)
	if err != nil {
		return err
	}
	if more {
		at := s.w.begin('s')
		s.w.finish(at)
		return nil
	}
	s.complete(tag(n))
	return nil
}

// show returns the value of a setting, or all.
func (s *session) show(c *command) source {
	if c.name != "" {
		return textRows([]string{s.settings.value(c.name)})
	}
	var names, values, abouts []string
	for _, x := range s.settings.all() {
		names, values, abouts = append(names, x.Name), append(values, x.Value), append(abouts, x.About)
	}
	return textRows(names, values, abouts)
}

// reset puts a setting, or all, back to what it was at the start.
func (s *session) reset(name string) {
	for _, key := range slices.Sorted(maps.Keys(s.settings.set)) {
		if name == "" || strings.EqualFold(key, name) {
			old, ok := s.settings.start[key]
			if k := knownByName[key]; !ok && k != nil {
				old, ok = k.value, true
			}
			if !ok {
				old = unset
			}
			s.settings.put(key, old, false)
			s.report(key)
		}
	}
}

// beginTransaction begins a transaction; its snapshot comes with its first query.
func (s *session) beginTransaction(c *command) {
	if s.tx != txIdle {
		s.w.sendNotice("WARNING", codeActiveTransaction, "there is already a transaction in progress", "", "")
		return
	}
	s.tx, s.began = txOpen, time.Now()
	s.readOnly = c.readOnly || !c.readWrite && s.settings.value("default_transaction_read_only") == "on"
	s.settings.begin()
}

// finishTransaction ends a transaction, well or not, and returns the tag that says which.
func (s *session) finishTransaction(c *command) string {
	if s.tx == txIdle {
		s.w.sendNotice("WARNING", codeNoTransaction, "there is no transaction in progress", "", "")
		return c.tag
	}
	committed := c.verb == verbCommit && s.tx == txOpen
	s.endTransaction(committed)
	if c.chain {
		s.beginTransaction(&command{})
	}
	if !committed {
		return "ROLLBACK"
	}
	return c.tag
}

// savepointsMax bounds the savepoints of a transaction.
const savepointsMax = 1000

// savepoint keeps the names of savepoints. Going back to one makes a failed transaction
// good again: it has only read.
func (s *session) savepoint(c *command) error {
	if s.tx == txIdle {
		what := map[verb]string{verbSavepoint: "SAVEPOINT", verbRelease: "RELEASE SAVEPOINT", verbRollbackTo: "ROLLBACK TO SAVEPOINT"}[c.verb]
		return sqlerr.New(codeNoTransaction, sqlerr.Pos{}, "%s can only be used in transaction blocks", what)
	}
	if c.verb == verbSavepoint {
		if len(s.savepoints) >= savepointsMax {
			return sqlerr.New(sqlerr.ConfigurationLimit, sqlerr.Pos{}, "a transaction may have %d savepoints", savepointsMax)
		}
		s.savepoints = append(s.savepoints, c.name)
		return nil
	}
	at := -1
	for i, name := range s.savepoints {
		if name == c.name {
			at = i
		}
	}
	if at < 0 {
		return sqlerr.New(codeNoSavepoint, sqlerr.Pos{}, "savepoint %q does not exist", c.name)
	}
	if c.verb == verbRelease {
		s.savepoints = s.savepoints[:at]
		return nil
	}
	s.savepoints = s.savepoints[:at+1]
	s.tx = txOpen
	return nil
}

func (s *session) discard(what string) error {
	if what != "all" {
		return nil // there is nothing of the kind
	}
	if s.tx != txIdle {
		return sqlerr.New(codeActiveTransaction, sqlerr.Pos{}, "DISCARD ALL cannot run inside a transaction block")
	}
	s.statements, s.statementBytes = nil, 0
	s.closeCursors()
	s.reset("")
	s.unlisten("")
	return nil
}

func (s *session) closeCursors() {
	for name, p := range s.portals {
		if p.cursor {
			p.close()
			delete(s.portals, name)
		}
	}
}

// cursor returns a cursor or portal by name.
func (s *session) cursor(name string) (*portal, error) {
	if p := s.portals[name]; p != nil && p.st.query != nil {
		return p, nil
	}
	return nil, sqlerr.New(codeNoCursor, sqlerr.Pos{}, "cursor %q does not exist", name)
}

// typeNames are the names of types that PREPARE may give parameters.
var typeNames = map[string]uint32{
	"bool": pgtype.BoolOID, "boolean": pgtype.BoolOID, "int": pgtype.Int4OID, "integer": pgtype.Int4OID, "int4": pgtype.Int4OID,
	"smallint": pgtype.Int2OID, "int2": pgtype.Int2OID, "bigint": pgtype.Int8OID, "int8": pgtype.Int8OID,
	"real": pgtype.Float4OID, "float4": pgtype.Float4OID, "double precision": pgtype.Float8OID, "double": pgtype.Float8OID, "float8": pgtype.Float8OID,
	"numeric": pgtype.NumericOID, "decimal": pgtype.NumericOID, "text": pgtype.TextOID, "varchar": pgtype.TextOID, "unknown": 0,
	"timestamptz": pgtype.TimestamptzOID, "timestamp with time zone": pgtype.TimestamptzOID, "timestamp": pgtype.TimestampOID,
	"date": pgtype.DateOID, "uuid": pgtype.UUIDOID, "jsonb": pgtype.JSONBOID, "json": pgtype.JSONOID, "bytea": pgtype.ByteaOID,
	"numeric[]": pgtype.NumericArrayOID, "text[]": pgtype.TextArrayOID, "bigint[]": pgtype.Int8ArrayOID, "int8[]": pgtype.Int8ArrayOID, "int[]": pgtype.Int4ArrayOID, "integer[]": pgtype.Int4ArrayOID,
}

// prepareNamed runs PREPARE.
func (s *session) prepareNamed(st *prepared) error {
	c := st.command
	if s.statements[c.name] != nil {
		return sqlerr.New(codeDuplicateStmt, sqlerr.Pos{}, "prepared statement %q already exists", c.name)
	}
	var oids []uint32
	for _, name := range c.types {
		oid, ok := typeNames[name]
		if !ok {
			return sqlerr.New(sqlerr.UndefinedObject, sqlerr.Pos{}, "type %q does not exist", name)
		}
		oids = append(oids, oid)
	}
	return moved(s.keepStatement(c.name, c.query, oids), c.queryAt)
}

// moved moves the place of an error in a part of a statement.
func moved(err error, by int) error {
	e, ok := err.(*sqlerr.Error)
	if !ok || !e.Pos.Known() {
		return err
	}
	out := *e
	out.Pos.Start += by
	out.Pos.End += by
	return &out
}

// executeNamed runs EXECUTE.
func (s *session) executeNamed(c *command, simple bool) error {
	st, err := s.statement(c.name)
	if err != nil {
		return err
	}
	if st.query == nil {
		if st.command == nil || len(c.values) > 0 {
			return sqlerr.New(sqlerr.SyntaxError, sqlerr.Pos{}, "prepared statement %q takes no parameters", c.name)
		}
		return s.runCommand(st, &portal{st: st, columns: st.columns}, 0, simple)
	}
	if len(c.values) != len(st.params) {
		return sqlerr.New(sqlerr.SyntaxError, sqlerr.Pos{}, "wrong number of parameters for prepared statement %q", c.name).
			WithDetail("expected %d parameters but got %d", len(st.params), len(c.values))
	}
	p := &portal{st: st}
	defer p.close()
	for i, v := range c.values {
		var b []byte
		if v != nil {
			b = append([]byte{}, *v...)
		}
		a, err := s.argument(st, i, b, textFormat)
		if err != nil {
			return err
		}
		p.args = append(p.args, a)
	}
	return s.within(p, func() error {
		if err := s.start(p); err != nil {
			return err
		}
		return s.answer(p, 0, simple, func(n int64) string { return rowsTag("SELECT", n) })
	})
}

// declare opens a cursor.
func (s *session) declare(st *prepared, args []any) error {
	c := st.command
	if s.tx == txIdle && !c.hold {
		return sqlerr.New(codeNoTransaction, sqlerr.Pos{}, "DECLARE CURSOR can only be used in transaction blocks")
	}
	if s.portals[c.name] != nil {
		return sqlerr.New(codeDuplicateCursor, sqlerr.Pos{}, "cursor %q already exists", c.name)
	}
	query := st.inner
	if len(args) < len(query.params) {
		return sqlerr.New(sqlerr.UndefinedParameter, sqlerr.Pos{}, "there is no parameter $1")
	}
	p := &portal{st: query, args: args, cursor: true, hold: c.hold, fresh: c.hold && s.tx != txIdle, binary: c.binary}
	if c.scroll {
		p.scroll = &scrolling{}
	}
	if c.binary {
		p.formats = []int16{binaryFormat}
	}
	if err := s.within(p, func() error { return s.start(p) }); err != nil {
		p.close()
		return moved(err, c.queryAt)
	}
	if err := s.keepPortal(c.name, p); err != nil {
		p.close()
		return err
	}
	return nil
}

// fetch runs FETCH and MOVE.
func (s *session) fetch(c *command, own *portal, simple bool) error {
	p, err := s.cursor(c.name)
	if err != nil {
		return err
	}
	if p.scroll != nil {
		return s.scroll(c, own, p, simple)
	}
	var skip, n int64
	switch c.direction {
	case forward:
		n = c.count
	case absolute:
		if c.count <= p.count {
			return errBackward()
		}
		skip, n = c.count-p.count-1, 1
	case relative:
		if c.count <= 0 {
			return errBackward()
		}
		skip, n = c.count-1, 1
	default:
		return errBackward()
	}
	return s.within(p, func() error {
		if p.rows == nil && !p.done {
			if err := s.start(p); err != nil {
				return err
			}
		}
		for ; skip > 0; skip-- {
			if ok, err := p.next(); err != nil || !ok {
				break
			}
			p.at, p.count = p.at+1, p.count+1
		}
		if c.verb == verbMove {
			var passed int64
			for passed < n {
				ok, err := p.next()
				if err != nil {
					return err
				}
				if !ok {
					break
				}
				step := min(n-passed, int64(p.batch.Len-p.at))
				p.at, p.count, passed = p.at+int(step), p.count+step, passed+step
			}
			if err := s.suspend(p); err != nil {
				return err
			}
			s.complete(rowsTag("MOVE", passed))
			return nil
		}
		formats := p.formats
		if !p.binary {
			formats = own.formats
		}
		if simple {
			s.sendColumns(p.columns, formats)
		}
		if n == 0 {
			s.complete("FETCH 0")
			return nil
		}
		if n == math.MaxInt64 {
			n = 0
		}
		kept := p.formats
		p.formats = formats
		sent, _, err := s.sendRows(p, n)
		p.formats = kept
		if err != nil {
			return err
		}
		s.complete(rowsTag("FETCH", sent))
		return nil
	})
}

func errBackward() error {
	return sqlerr.New(codeNotReady, sqlerr.Pos{}, "cursor can only scan forward").
		WithHint("declare it with SCROLL: the rows that it has read are then kept")
}
