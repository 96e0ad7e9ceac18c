package pg

import (
	"bytes"
	"context"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/jackc/pgx/v5/pgproto3"

	"github.com/cairndb/cairn/engine"
	"github.com/cairndb/cairn/segment/column"
	"github.com/cairndb/cairn/sql/fn"
	"github.com/cairndb/cairn/sql/sqlerr"
)

// Limits of COPY into a store.
const (
	// copyBatchRecords and copyBatchBytes are what goes into one append: enough for
	// one sync to be cheap beside it, little enough to be durable soon.
	copyBatchRecords = 4096
	copyBatchBytes   = 8 << 20
	// copyReasonsMax bounds the kinds of refusals that the notice tells apart.
	copyReasonsMax = 20
)

func malformedCopy(format string, args ...any) *sqlerr.Error {
	return sqlerr.New(codeBadCopy, sqlerr.Pos{}, format, args...)
}

// jsonRow appends a row as a JSON object and a line end; a row of one JSON or text
// column that holds an object is that object.
func (e *copyEncoder) jsonRow(dst []byte, b *column.Batch, i int) []byte {
	if len(b.Cols) == 1 {
		if v, j := b.Cols[0].Leaf(i); (v.Type.Kind == column.Varchar || v.Type.Kind == column.JSON) && !b.Cols[0].IsNull(i) && strings.HasPrefix(v.Str[j], "{") && json.Valid([]byte(v.Str[j])) {
			// A record that has line ends between its values would be several lines.
			if strings.IndexByte(v.Str[j], '\n') < 0 {
				return append(append(dst, v.Str[j]...), '\n')
			}
			var line bytes.Buffer
			if json.Compact(&line, []byte(v.Str[j])) == nil {
				return append(append(dst, line.Bytes()...), '\n')
			}
		}
	}
	dst = append(dst, '{')
	for k, v := range b.Cols {
		if k > 0 {
			dst = append(dst, ',')
		}
		name, _ := json.Marshal(e.names[k])
		dst = append(append(dst, name...), ':')
		dst = fn.AppendJSON(dst, v, i)
	}
	return append(dst, '}', '\n')
}

// copying is a COPY into a store under way.
type copying struct {
	s       *session
	ctx     context.Context
	store   string
	records [][]byte
	bytes   int
	rows    int64 // taken from the client
	counts  [5]int64
	reasons map[string]int64
	first   string   // the first refusal, in words
	form    lineForm // of lines of text
}

// copyIn runs COPY store FROM STDIN.
func (s *session) copyIn(c *command) error {
	if s.readOnly && s.tx != txIdle || s.tx == txIdle && s.settings.value("default_transaction_read_only") == "on" {
		return sqlerr.New(sqlerr.ReadOnly, sqlerr.Pos{}, "cannot execute COPY FROM in a read-only transaction")
	}
	in := &copying{s: s, store: c.name, reasons: map[string]int64{}}
	ctx, cancel := context.WithCancel(context.Background())
	in.ctx = ctx
	defer cancel()
	defer s.c.running(cancel, s.limit())()
	// The store is asked first, so that a wrong name or a missing right is told before
	// the client has sent anything.
	if _, err := s.db.AppendTo(ctx, c.name, nil); err != nil {
		return err
	}
	response := &pgproto3.CopyInResponse{ColumnFormatCodes: []uint16{textFormat}}
	if c.copy.format == copyBinary {
		response.OverallFormat, response.ColumnFormatCodes = binaryFormat, []uint16{binaryFormat}
	}
	s.w.send(response)
	if err := s.w.flush(); err != nil {
		return errTerminate
	}
	rows := newRowReader(c.copy, s.c.l.cfg.MessageBytes)
	err := in.run(rows)
	if l, ok := rows.(*lineRows); ok {
		in.form = l.form
	}
	if err != nil {
		return in.partly(err)
	}
	in.tell()
	s.complete(rowsTag("COPY", in.counts[engine.Stored]+in.counts[engine.Conflict]))
	return nil
}

// run reads the client's messages until the end of its data.
func (in *copying) run(rows rowReader) error {
	s := in.s
	patience := time.Duration(0)
	if d := s.c.l.cfg.IdleInTransaction; d > 0 {
		patience = d
	}
	for {
		if s.c.wait(patience, false) == wakeLeaving {
			return errShutdown()
		}
		kind, body, err := s.w.next()
		if s.c.woken(false) == wakeLeaving && err != nil {
			return errShutdown()
		}
		if err != nil {
			var long errTooLong
			if errors.As(err, &long) {
				s.c.fatal(sqlerr.New(sqlerr.ProgramLimit, sqlerr.Pos{}, "%v", err))
			}
			return errTerminate // the connection is gone, or nobody knows where a message begins
		}
		if err := in.ctx.Err(); err != nil {
			return sqlerr.New(sqlerr.QueryCanceled, sqlerr.Pos{}, "the query was canceled")
		}
		switch kind {
		case 'd':
			if err := rows.take(body, in.add); err != nil {
				return err // what the client still sends of its data, the session passes over
			}
			if in.bytes >= copyBatchBytes || len(in.records) >= copyBatchRecords {
				if err := in.append(); err != nil {
					return err
				}
			}
		case 'c':
			if err := rows.end(in.add); err != nil {
				return err
			}
			return in.append()
		case 'f':
			why, _ := oneString(body)
			return sqlerr.New(sqlerr.QueryCanceled, sqlerr.Pos{}, "COPY from stdin failed: %s", shorten(why))
		case 'H', 'S':
			// Clients of the extended protocol may send these ahead.
		case 'X':
			return errTerminate
		default:
			s.c.fatal(sqlerr.New(codeProtocol, sqlerr.Pos{}, "unexpected message type 0x%02X during COPY from stdin", kind))
			return errTerminate
		}
	}
}

// add takes one record. It is copied.
func (in *copying) add(record []byte) error {
	in.rows++
	in.records = append(in.records, bytes.Clone(record))
	in.bytes += len(record)
	if in.bytes >= copyBatchBytes || len(in.records) >= copyBatchRecords {
		return in.append()
	}
	return nil
}

// append stores what was taken.
func (in *copying) append() error {
	if len(in.records) == 0 {
		return nil
	}
	verdicts, err := in.s.db.AppendTo(in.ctx, in.store, in.records)
	if err != nil {
		return err
	}
	var batch [5]int64
	for i, v := range verdicts {
		batch[v.Status]++
		if v.Status != engine.Refused {
			continue
		}
		if in.first == "" {
			in.first = fmt.Sprintf("row %d: %s", in.rows-int64(len(in.records))+int64(i)+1, v.Detail)
		}
		if _, ok := in.reasons[v.Reason]; ok || len(in.reasons) < copyReasonsMax {
			in.reasons[v.Reason]++
		} else {
			in.reasons["other reasons"]++
		}
	}
	for status, n := range batch {
		if n > 0 {
			in.counts[status] += n
			in.s.c.l.obs.Copied(engine.Status(status).String(), n)
		}
	}
	clear(in.records)
	in.records, in.bytes = in.records[:0], 0
	return nil
}

// partly says of an error what was stored before it.
func (in *copying) partly(err error) error {
	kept := in.counts[engine.Stored] + in.counts[engine.Conflict]
	if errors.Is(err, errTerminate) {
		return err
	}
	e := *failure(in.s.canceledWhy(err))
	if e.Detail == "" {
		e.Detail = fmt.Sprintf("%d events were stored before and stay stored; sent again they are told as duplicates", kept)
	}
	return &e
}

// tell sends a notice of what became of the records, if there is more to tell than the tag.
func (in *copying) tell() {
	n := in.counts
	if n[engine.Duplicate] == 0 && n[engine.Conflict] == 0 && n[engine.Refused] == 0 && in.form != formPlain && in.form != formAssumed {
		return
	}
	var detail []string
	for _, reason := range slices.Sorted(maps.Keys(in.reasons)) {
		detail = append(detail, fmt.Sprintf("%d refused: %s", in.reasons[reason], reason))
	}
	if in.first != "" {
		detail = append(detail, "the first was "+in.first)
	}
	severity := "NOTICE"
	if n[engine.Refused] > 0 {
		severity = "WARNING"
	}
	hint := ""
	switch in.form {
	case formPlain:
		hint = "the rows were taken as plain JSON lines, since COPY's text format would double their backslashes; say FORMAT json for such data"
	case formAssumed:
		hint = "backslashes were taken for COPY's escapes, and the rows are JSON without that, too; say FORMAT json if they are plain JSON lines"
	}
	in.s.w.sendNotice(severity, "00000", fmt.Sprintf("%d records: %d stored, %d of them in conflict with an event of the same ID, %d duplicates, %d refused",
		in.rows, n[engine.Stored]+n[engine.Conflict], n[engine.Conflict], n[engine.Duplicate], n[engine.Refused]), strings.Join(detail, "\n"), hint)
}

// rowReader finds the records in the data of a COPY, whose messages may end anywhere.
type rowReader interface {
	take(data []byte, add func(record []byte) error) error
	end(add func(record []byte) error) error
}

func newRowReader(o *copyOptions, most int) rowReader {
	switch o.format {
	case copyBinary:
		return &binaryRows{most: most}
	case copyCSV:
		return &csvRows{o: o, most: most}
	}
	return &lineRows{o: o, most: most}
}

// lineRows reads text and JSON: a row is a line.
//
// The text format doubles backslashes, and JSON has backslashes of its own. Drivers write
// the format as it is; people give psql's \copy a file of JSON lines. Which of them it is, a
// line tells that is JSON only as it stands, or only with COPY's escapes undone. Lines that
// are JSON both ways, such as {"path":"C:\\temp"}, wait for one that tells.
type lineRows struct {
	o       *copyOptions
	most    int
	rest    []byte
	buf     []byte
	done    bool // \. has come
	header  bool
	form    lineForm
	waiting [][]byte // lines in order, from the first that can be read both ways
	size    int      // of waiting in bytes
}

// lineForm is what the lines of text are known to be.
type lineForm uint8

const (
	formUnknown lineForm = iota
	formEscaped          // the text format
	formPlain            // JSON lines
	formAssumed          // nothing has told, and the text format was taken
)

// linesWaitMax bounds the bytes that wait for a line that tells the form.
const linesWaitMax = 1 << 20

func (l *lineRows) take(data []byte, add func([]byte) error) error {
	for len(data) > 0 && !l.done {
		end := bytes.IndexByte(data, '\n')
		if end < 0 {
			if len(l.rest)+len(data) > l.most {
				return malformedCopy("a row is longer than %d bytes", l.most)
			}
			l.rest = append(l.rest, data...)
			return nil
		}
		line := data[:end]
		if len(l.rest) > 0 {
			l.rest = append(l.rest, line...)
			line = l.rest
		}
		if err := l.line(line, add); err != nil {
			return err
		}
		l.rest = l.rest[:0]
		data = data[end+1:]
	}
	return nil
}

func (l *lineRows) end(add func([]byte) error) error {
	if len(l.rest) > 0 && !l.done {
		if err := l.line(l.rest, add); err != nil {
			return err
		}
	}
	if len(l.waiting) > 0 {
		return l.decide(formAssumed, add)
	}
	return nil
}

func (l *lineRows) line(line []byte, add func([]byte) error) error {
	line = bytes.TrimSuffix(line, []byte{'\r'})
	if l.o.header && !l.header {
		l.header = true
		return nil
	}
	if string(line) == `\.` {
		l.done = true
		return nil
	}
	if l.o.format == copyJSON || l.form == formPlain || bytes.IndexByte(line, '\\') < 0 {
		if len(bytes.TrimSpace(line)) == 0 {
			return nil
		}
		if len(l.waiting) > 0 {
			return l.wait(line, add)
		}
		return add(line)
	}
	if string(line) == l.o.null {
		return malformedCopy("a record cannot be NULL")
	}
	l.buf = unescape(l.buf[:0], line)
	if l.form != formUnknown {
		return add(l.buf)
	}
	switch escaped, plain := json.Valid(l.buf), json.Valid(line); {
	case escaped && plain:
		return l.wait(line, add)
	case plain:
		if err := l.decide(formPlain, add); err != nil {
			return err
		}
		return add(line)
	case escaped:
		if err := l.decide(formEscaped, add); err != nil {
			return err
		}
		return add(unescape(l.buf[:0], line))
	}
	if len(l.waiting) > 0 {
		return l.wait(line, add)
	}
	return add(l.buf) // no JSON either way
}

// wait keeps a line until it is known what form it has.
func (l *lineRows) wait(line []byte, add func([]byte) error) error {
	l.waiting = append(l.waiting, bytes.Clone(line))
	if l.size += len(line) + 24; l.size > linesWaitMax {
		return l.decide(formAssumed, add)
	}
	return nil
}

// decide says what form the lines have, and gives those that have waited.
func (l *lineRows) decide(form lineForm, add func([]byte) error) error {
	if form == formAssumed && len(l.waiting) == 0 {
		return nil
	}
	l.form = form
	for _, line := range l.waiting {
		if form != formPlain {
			l.buf = unescape(l.buf[:0], line)
			line = l.buf
		}
		if err := add(line); err != nil {
			return err
		}
	}
	l.waiting, l.size = nil, 0
	return nil
}

// unescape undoes the escapes of the text format.
func unescape(dst, line []byte) []byte {
	for i := 0; i < len(line); i++ {
		c := line[i]
		if c != '\\' || i+1 == len(line) {
			dst = append(dst, c)
			continue
		}
		i++
		switch c = line[i]; {
		case c == 'b':
			c = '\b'
		case c == 'f':
			c = '\f'
		case c == 'n':
			c = '\n'
		case c == 'r':
			c = '\r'
		case c == 't':
			c = '\t'
		case c == 'v':
			c = '\v'
		case c >= '0' && c <= '7':
			v := c - '0'
			for n := 0; n < 2 && i+1 < len(line) && line[i+1] >= '0' && line[i+1] <= '7'; n++ {
				i++
				v = v<<3 | line[i] - '0'
			}
			c = v
		case c == 'x' && i+1 < len(line) && hexDigit(line[i+1]) >= 0:
			v := 0
			for n := 0; n < 2 && i+1 < len(line) && hexDigit(line[i+1]) >= 0; n++ {
				i++
				v = v<<4 | hexDigit(line[i])
			}
			c = byte(v)
		}
		dst = append(dst, c)
	}
	return dst
}

// csvRows reads csv with one field per row.
type csvRows struct {
	o      *copyOptions
	most   int
	field  []byte
	in     bool // within quotes
	quoted bool // the field has had quotes
	was    byte // the byte before, when it decides about the next: quote or escape
	header bool
	some   bool // the row has begun
	done   bool
}

func (c *csvRows) take(data []byte, add func([]byte) error) error {
	o := c.o
	for i := 0; i < len(data) && !c.done; i++ {
		b := data[i]
		if c.in {
			if c.was != 0 {
				// After an escape or a quote within quotes.
				was := c.was
				c.was = 0
				if b == o.quote || b == o.escape && was == o.escape && o.escape != o.quote {
					c.field = append(c.field, b)
					continue
				}
				if was == o.quote {
					c.in = false // the quote has ended the field
				} else {
					c.field = append(c.field, was)
				}
			}
			if c.in {
				if b == o.quote || b == o.escape {
					c.was = b
					continue
				}
				// Bytes up to the next that matters, at once.
				n := i + 1
				for n < len(data) && data[n] != o.quote && data[n] != o.escape {
					n++
				}
				c.field = append(c.field, data[i:n]...)
				if len(c.field) > c.most {
					return malformedCopy("a row is longer than %d bytes", c.most)
				}
				i = n - 1
				continue
			}
		}
		switch b {
		case '\n':
			if err := c.row(add); err != nil {
				return err
			}
		case o.quote:
			c.in, c.quoted, c.some = true, true, true
		case o.delimiter:
			return malformedCopy("extra data after the column of the record").WithHint("a row is one record, in quotes; within it quotes are doubled")
		default:
			c.some = true
			c.field = append(c.field, b)
			if len(c.field) > c.most {
				return malformedCopy("a row is longer than %d bytes", c.most)
			}
		}
	}
	return nil
}

func (c *csvRows) end(add func([]byte) error) error {
	if c.in && c.was == c.o.quote {
		c.in, c.was = false, 0
	}
	if c.in {
		return malformedCopy("unterminated CSV quoted field")
	}
	if !c.some || c.done {
		return nil
	}
	return c.row(add)
}

func (c *csvRows) row(add func([]byte) error) error {
	field, quoted, some := c.field, c.quoted, c.some
	c.field, c.quoted, c.some = c.field[:0], false, false
	if !quoted {
		field = bytes.TrimSuffix(field, []byte{'\r'})
	} else if n := len(field); n > 0 && field[n-1] == '\r' {
		field = field[:n-1]
	}
	if c.o.header && !c.header {
		c.header = true
		return nil
	}
	if !some || len(field) == 0 && !quoted {
		return nil
	}
	if !quoted && string(field) == `\.` {
		c.done = true
		return nil
	}
	return add(field)
}

// binaryRows reads the binary format with one field per row.
type binaryRows struct {
	most   int
	rest   []byte
	header bool
	done   bool
}

const copySignature = "PGCOPY\n\xff\r\n\x00"

func (b *binaryRows) take(data []byte, add func([]byte) error) error {
	if b.done {
		return nil
	}
	b.rest = append(b.rest, data...)
	at := 0
	defer func() { b.rest = append(b.rest[:0], b.rest[at:]...) }()
	if !b.header {
		if len(b.rest) < 19 {
			return nil
		}
		if string(b.rest[:11]) != copySignature {
			return malformedCopy("COPY file signature not recognized")
		}
		if flags := binary.BigEndian.Uint32(b.rest[11:]); flags != 0 {
			return malformedCopy("unrecognized critical flags in COPY file header")
		}
		skip := int(binary.BigEndian.Uint32(b.rest[15:]))
		if skip < 0 || skip > b.most {
			return malformedCopy("invalid COPY file header")
		}
		if len(b.rest) < 19+skip {
			return nil
		}
		at, b.header = 19+skip, true
	}
	for {
		row := b.rest[at:]
		if len(row) < 2 {
			return nil
		}
		fields := int16(binary.BigEndian.Uint16(row))
		if fields == -1 {
			b.done, at = true, len(b.rest)
			return nil
		}
		if fields != 1 {
			return malformedCopy("row field count is %d, expected 1", fields)
		}
		if len(row) < 6 {
			return nil
		}
		size := int(int32(binary.BigEndian.Uint32(row[2:])))
		if size < 0 || size > b.most {
			return malformedCopy("invalid field size %d", size)
		}
		if len(row) < 6+size {
			return nil
		}
		record := row[6 : 6+size]
		if size > 0 && record[0] == 1 {
			record = record[1:] // jsonb
		}
		if err := add(record); err != nil {
			return err
		}
		at += 6 + size
	}
}

func (b *binaryRows) end(func([]byte) error) error {
	if b.done || len(b.rest) == 0 && b.header {
		return nil
	}
	return malformedCopy("unexpected EOF in COPY data")
}
