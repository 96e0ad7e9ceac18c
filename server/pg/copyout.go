package pg

import (
	"encoding/binary"
	"slices"
	"strings"
	"time"

	"github.com/jackc/pgx/v5/pgproto3"

	"github.com/cairndb/cairn/segment/column"
)

// copyOut runs COPY … TO STDOUT.
func (s *session) copyOut(st *prepared) error {
	c := st.command
	query, err := s.prepare(piece{c.query, 0}, c.query, nil)
	if err != nil {
		if c.queryAt < 0 {
			return moved(err, len(st.text)+1) // the query is ours; there is no place
		}
		return moved(err, c.queryAt)
	}
	if query.query == nil {
		return malformedCopy("COPY is for a store or a query")
	}
	p := &portal{st: query}
	defer p.close()
	err = s.within(p, func() error {
		if err := s.start(p); err != nil {
			return err
		}
		return s.copyRows(p, c.copy)
	})
	if c.queryAt > 0 {
		return moved(err, c.queryAt)
	}
	return err
}

func (s *session) copyRows(p *portal, o *copyOptions) error {
	w := s.w
	from := w.sent + int64(len(w.out))
	defer func() { s.stats.rows, s.stats.bytes = p.count, w.sent+int64(len(w.out))-from }()
	response := &pgproto3.CopyOutResponse{ColumnFormatCodes: make([]uint16, len(p.columns))}
	if o.format == copyBinary {
		response.OverallFormat = binaryFormat
		for i := range response.ColumnFormatCodes {
			response.ColumnFormatCodes[i] = binaryFormat
		}
	}
	if o.format == copyJSON {
		response.ColumnFormatCodes = response.ColumnFormatCodes[:min(1, len(p.columns))]
	}
	w.send(response)
	e := copyEncoder{o: o, loc: s.settings.loc, force: make([]bool, len(p.columns))}
	for i, c := range p.columns {
		e.names = append(e.names, c.Name)
		e.force[i] = slices.Contains(o.forceQuote, "*") || slices.Contains(o.forceQuote, strings.ToLower(c.Name))
	}
	// The binary header goes with what comes first, as PostgreSQL sends it and psycopg wants it.
	head := ""
	if o.format == copyBinary {
		head = "PGCOPY\n\xff\r\n\x00\x00\x00\x00\x00\x00\x00\x00\x00"
	}
	if o.header && o.format != copyJSON {
		at := w.begin('d')
		w.out = e.header(w.out)
		w.finish(at)
	}
	for {
		ok, err := p.next()
		if err != nil {
			return err
		}
		if !ok {
			break
		}
		for b := p.batch; p.at < b.Len; p.at++ {
			at := w.begin('d')
			w.out = append(w.out, head...)
			head = ""
			w.out = e.row(w.out, b, p.at)
			w.finish(at)
			p.count++
			if len(w.out) >= outFull {
				if err := w.flush(); err != nil {
					return errTerminate
				}
			}
		}
	}
	if o.format == copyBinary {
		at := w.begin('d')
		w.out = append(append(w.out, head...), 0xff, 0xff)
		w.finish(at)
	}
	w.send(&pgproto3.CopyDone{})
	s.complete(rowsTag("COPY", p.count))
	return nil
}

// copyEncoder writes rows in one of the formats.
type copyEncoder struct {
	o     *copyOptions
	loc   *time.Location
	names []string
	force []bool
	buf   []byte // a value before it is escaped
}

func (e *copyEncoder) header(dst []byte) []byte {
	for i, name := range e.names {
		if i > 0 {
			dst = append(dst, e.o.delimiter)
		}
		dst = e.escaped(dst, []byte(name), false)
	}
	return append(dst, '\n')
}

func (e *copyEncoder) row(dst []byte, b *column.Batch, i int) []byte {
	switch e.o.format {
	case copyBinary:
		dst = binary.BigEndian.AppendUint16(dst, uint16(len(b.Cols)))
		for _, v := range b.Cols {
			dst = appendValue(dst, v, i, binaryFormat, e.loc)
		}
		return dst
	case copyJSON:
		return e.jsonRow(dst, b, i)
	}
	for k, v := range b.Cols {
		if k > 0 {
			dst = append(dst, e.o.delimiter)
		}
		if v.IsNull(i) {
			dst = append(dst, e.o.null...)
			continue
		}
		leaf, j := v.Leaf(i)
		e.buf = appendText(e.buf[:0], leaf, j, e.loc)
		dst = e.escaped(dst, e.buf, e.force[k])
	}
	return append(dst, '\n')
}

// escaped appends a value so that it can be read back.
func (e *copyEncoder) escaped(dst, value []byte, force bool) []byte {
	o := e.o
	if o.format == copyCSV {
		quote := force || string(value) == o.null || len(e.names) == 1 && string(value) == `\.`
		for _, c := range value {
			if quote {
				break
			}
			quote = c == o.delimiter || c == o.quote || c == '\n' || c == '\r'
		}
		if !quote {
			return append(dst, value...)
		}
		dst = append(dst, o.quote)
		for _, c := range value {
			if c == o.quote || c == o.escape {
				dst = append(dst, o.escape)
			}
			dst = append(dst, c)
		}
		return append(dst, o.quote)
	}
	from := 0
	for i, c := range value {
		var esc byte
		switch c {
		case '\\', o.delimiter:
			esc = c
			if c == '\t' {
				esc = 't'
			}
		case '\n':
			esc = 'n'
		case '\r':
			esc = 'r'
		case '\t':
			esc = 't'
		case '\b':
			esc = 'b'
		case '\f':
			esc = 'f'
		case '\v':
			esc = 'v'
		default:
			continue
		}
		dst = append(append(dst, value[from:i]...), '\\', esc)
		from = i + 1
	}
	return append(dst, value[from:]...)
}
