package pg

import (
	"encoding/binary"
	"math"
	"time"

	"github.com/jackc/pgx/v5/pgproto3"

	"github.com/cairndb/cairn/sql/sqlerr"
)

// parse keeps a prepared statement.
func (s *session) parse(m *pgproto3.Parse) error {
	if m.Name != "" && s.statements[m.Name] != nil {
		return sqlerr.New(codeDuplicateStmt, sqlerr.Pos{}, "prepared statement %q already exists", m.Name)
	}
	if err := s.keepStatement(m.Name, m.Query, m.ParameterOIDs); err != nil {
		return placed{err, m.Query, firstBase(m.Query)}
	}
	s.w.send(&pgproto3.ParseComplete{})
	return nil
}

// firstBase is where the first statement of a text begins.
func firstBase(text string) int {
	if pieces := split(text); len(pieces) > 0 {
		return pieces[0].base
	}
	return 0
}

// keepStatement prepares a statement and keeps it under a name.
func (s *session) keepStatement(name, text string, oids []uint32) error {
	pieces := split(text)
	if len(pieces) > 1 {
		return sqlerr.New(sqlerr.SyntaxError, sqlerr.Pos{}, "cannot insert multiple commands into a prepared statement")
	}
	st := &prepared{}
	if len(pieces) == 1 {
		var err error
		if st, err = s.prepare(pieces[0], text, oids); err != nil {
			return err
		}
	}
	if old := s.statements[name]; old != nil {
		s.dropStatement(name)
	}
	if len(s.statements) >= statementsMax || s.statementBytes+len(text) > statementBytesMax {
		return sqlerr.New(sqlerr.ConfigurationLimit, sqlerr.Pos{}, "the session has %d prepared statements of %d bytes, and may have %d of %d",
			len(s.statements), s.statementBytes, statementsMax, statementBytesMax).WithHint("DEALLOCATE those that are not needed")
	}
	if s.statements == nil {
		s.statements = make(map[string]*prepared)
	}
	s.statements[name] = st
	s.statementBytes += len(text)
	return nil
}

func (s *session) dropStatement(name string) {
	if st := s.statements[name]; st != nil {
		s.statementBytes -= len(st.whole)
		delete(s.statements, name)
	}
}

func (s *session) statement(name string) (*prepared, error) {
	st := s.statements[name]
	if st == nil {
		if name == "" {
			return nil, sqlerr.New(codeNoStatement, sqlerr.Pos{}, "unnamed prepared statement does not exist")
		}
		return nil, sqlerr.New(codeNoStatement, sqlerr.Pos{}, "prepared statement %q does not exist", name)
	}
	return st, nil
}

// bind makes a portal.
func (s *session) bind(m *pgproto3.Bind) error {
	st, err := s.statement(m.PreparedStatement)
	if err != nil {
		return err
	}
	if err := s.alive(st.command); err != nil && (st.query != nil || st.command != nil) {
		return err
	}
	if len(m.Parameters) != len(st.params) {
		return sqlerr.New(codeProtocol, sqlerr.Pos{}, "bind message supplies %d parameters, but prepared statement %q requires %d",
			len(m.Parameters), m.PreparedStatement, len(st.params))
	}
	if n := len(m.ParameterFormatCodes); n > 1 && n != len(m.Parameters) {
		return sqlerr.New(codeProtocol, sqlerr.Pos{}, "bind message has %d parameter formats but %d parameters", n, len(m.Parameters))
	}
	if n := len(m.ResultFormatCodes); n > 1 && n != len(st.columns) {
		return sqlerr.New(codeProtocol, sqlerr.Pos{}, "bind message has %d result formats but query has %d columns", n, len(st.columns))
	}
	for _, f := range append(m.ParameterFormatCodes, m.ResultFormatCodes...) {
		if f != textFormat && f != binaryFormat {
			return sqlerr.New(sqlerr.InvalidArgument, sqlerr.Pos{}, "unsupported format code: %d", f)
		}
	}
	p := &portal{st: st, formats: m.ResultFormatCodes, columns: st.columns}
	for i, b := range m.Parameters {
		a, err := s.argument(st, i, b, formatOf(m.ParameterFormatCodes, i))
		if err != nil {
			return err
		}
		p.args = append(p.args, a)
	}
	if err := s.keepPortal(m.DestinationPortal, p); err != nil {
		return err
	}
	s.w.send(&pgproto3.BindComplete{})
	return nil
}

// keepPortal keeps a portal under a name.
func (s *session) keepPortal(name string, p *portal) error {
	if old := s.portals[name]; old != nil {
		if name != "" {
			return sqlerr.New(codeDuplicateCursor, sqlerr.Pos{}, "cursor %q already exists", name)
		}
		old.close()
		delete(s.portals, name)
	}
	if len(s.portals) >= portalsMax {
		return sqlerr.New(sqlerr.ConfigurationLimit, sqlerr.Pos{}, "the session has %d portals and cursors, as many as are allowed", portalsMax).
			WithHint("CLOSE those that are not needed")
	}
	if s.portals == nil {
		s.portals = make(map[string]*portal)
	}
	s.portals[name] = p
	return nil
}

func (s *session) portal(name string) (*portal, error) {
	if p := s.portals[name]; p != nil {
		return p, nil
	}
	return nil, sqlerr.New(codeNoCursor, sqlerr.Pos{}, "portal %q does not exist", name)
}

// describe tells of a statement or a portal.
func (s *session) describe(m *pgproto3.Describe) error {
	var st *prepared
	var formats []int16
	switch m.ObjectType {
	case 'S':
		var err error
		if st, err = s.statement(m.Name); err != nil {
			return err
		}
		at := s.w.begin('t')
		s.w.out = binary.BigEndian.AppendUint16(s.w.out, uint16(len(st.params)))
		for _, oid := range st.params {
			s.w.out = binary.BigEndian.AppendUint32(s.w.out, oid)
		}
		s.w.finish(at)
	case 'P':
		p, err := s.portal(m.Name)
		if err != nil {
			return err
		}
		st, formats = p.st, p.formats
	default:
		return malformed('D')
	}
	if len(st.columns) == 0 {
		s.w.send(&pgproto3.NoData{})
		return nil
	}
	s.sendColumns(st.columns, formats)
	return nil
}

// execute runs a portal, or goes on with it.
func (s *session) execute(m *pgproto3.Execute) (err error) {
	p, err := s.portal(m.Portal)
	if err != nil {
		return err
	}
	started := time.Now()
	defer func() { s.observe(started, err) }()
	if p.st.query == nil && p.st.command == nil {
		s.w.send(&pgproto3.EmptyQueryResponse{})
		return nil
	}
	limit := int64(m.MaxRows)
	if limit > 1<<31-1 {
		limit = 0 // a negative number: all
	}
	if p.st.command != nil {
		return s.wrap(p.st, s.runCommand(p.st, p, limit, false))
	}
	if err := s.alive(nil); err != nil {
		return err
	}
	if p.scroll != nil { // a cursor, called by its name
		if limit == 0 {
			limit = math.MaxInt64
		}
		return s.wrap(p.st, s.scroll(&command{verb: verbFetch, count: limit}, p, p, false))
	}
	return s.wrap(p.st, s.within(p, func() error {
		if p.rows == nil && !p.done {
			if err := s.start(p); err != nil {
				return err
			}
		}
		n, more, err := s.sendRows(p, limit)
		if err != nil {
			return err
		}
		if more {
			s.w.send(&pgproto3.PortalSuspended{})
			return nil
		}
		s.complete(rowsTag("SELECT", n))
		return nil
	}))
}

// wrap gives an error the text that it speaks of.
func (s *session) wrap(st *prepared, err error) error {
	if err == nil || err == errTerminate {
		return err
	}
	return placed{err, st.whole, st.base}
}

// closeNamed gives up a statement or a portal; one that is not there is no error.
func (s *session) closeNamed(m *pgproto3.Close) error {
	switch m.ObjectType {
	case 'S':
		s.dropStatement(m.Name)
	case 'P':
		if p := s.portals[m.Name]; p != nil {
			p.close()
			delete(s.portals, m.Name)
		}
	default:
		return malformed('C')
	}
	s.w.send(&pgproto3.CloseComplete{})
	return nil
}
