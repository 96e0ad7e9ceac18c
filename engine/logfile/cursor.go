package logfile

import (
	"bytes"
	"fmt"
	"io"
	"sync"

	"github.com/cairndb/cairn/engine/event"
)

// Compression is how a file's bytes were packed.
type Compression uint8

// The compressions.
const (
	Plain Compression = iota
	Gzip
	Zstd
)

// String returns "plain", "gzip" or "zstd".
func (c Compression) String() string {
	switch c {
	case Gzip:
		return "gzip"
	case Zstd:
		return "zstd"
	}
	return "plain"
}

// place is where in the structure of the file the cursor stands.
type place uint8

const (
	atTop     place = iota // between top-level values
	inMembers              // in a wrapper, between its members
	inArray                // in an array, between its elements
	atRecord               // at a record that Next has handed out
	atEnd                  // nothing more comes
)

const (
	// lookahead is how many bytes are made available where a decision needs to
	// see what follows: a member name and the whitespace around it.
	lookahead = 4 << 10

	// nameMax is the longest first member name by which records are told apart
	// when the way has to be found again.
	nameMax = 64
)

// Cursor walks over the records of one file. See the package comment.
type Cursor struct {
	src  source
	need int // bytes that must be at hand at a record, unless the content ends
	win  []byte
	r, w int   // win[r:w] is content not yet passed
	base int64 // offset in the content of win[0]

	done   bool    // the source yields no more
	bad    *Reject // why, if the content did not simply end; until reported
	queued *Reject // to be reported before anything else

	at      place
	outer   place // of a record: the place around it
	wrapped bool  // the array is a wrapper's
	answers bool  // the array is the Events of a LookupEvents answer

	values   int  // top-level values begun
	wrappers int  // wrappers among them
	lines    bool // JSON lines: a record never goes beyond its line
	asking   bool // the first value has just ended on the line it began: is a newline next?

	first    []byte // how records begin: bracket and first member name as last seen
	envelope int64  // bytes passed as envelope, for the tests' accounting

	// A record that stands as text in an element of a LookupEvents answer.
	text    []byte
	element int // length of that element; 0 when the record stands for itself
}

// windows holds windows of the default size.
var windows = sync.Pool{New: func() any {
	b := make([]byte, windowSize(DefaultRecordBytes))
	return &b
}}

// windowSize returns the size of the window. A fill moves less than a third of
// it to the front and fills the rest, so that a byte is moved at most once in
// two.
func windowSize(recordBytes int) int { return 3 * (recordBytes + lookahead) }

// Open returns a cursor over what r yields. It reads nothing yet. The caller
// closes r after the cursor.
func Open(r io.Reader, limits Limits) *Cursor {
	limits = limits.withDefaults()
	c := &Cursor{need: limits.RecordBytes + lookahead}
	c.src.init(r, limits)
	if limits.RecordBytes == DefaultRecordBytes {
		c.win = *windows.Get().(*[]byte)
	} else {
		c.win = make([]byte, windowSize(limits.RecordBytes))
	}
	return c
}

// Close gives the cursor's memory back. It does not close the reader. What Next
// returned is invalid afterwards, and Next returns io.EOF.
func (c *Cursor) Close() {
	if c.win == nil {
		return
	}
	c.src.close()
	if len(c.win) == windowSize(DefaultRecordBytes) {
		win := c.win
		windows.Put(&win)
	}
	c.base += int64(c.r)
	c.win, c.r, c.w = nil, 0, 0
	c.done, c.bad, c.queued, c.at = true, nil, nil, atEnd
}

// Compression returns how the file was packed, once Next has been called.
func (c *Cursor) Compression() Compression { return c.src.kind }

// Progress returns how many bytes of the file have been read, and how many of
// its content lie behind the cursor.
func (c *Cursor) Progress() (packed, content int64) { return c.src.packed.n, c.base + int64(c.r) }

// fill makes n bytes available at the cursor, fewer only if the content ends.
func (c *Cursor) fill(n int) {
	if c.w-c.r >= n || c.done {
		return
	}
	c.base += int64(c.r)
	c.w = copy(c.win, c.win[c.r:c.w])
	c.r = 0
	k, done, bad := c.src.read(c.win[c.w:])
	c.w += k
	c.done = done
	if bad != nil {
		bad.Offset = c.base + int64(c.w)
		c.bad = bad
	}
}

// offset returns the place of the cursor in the content.
func (c *Cursor) offset() int64 { return c.base + int64(c.r) }

// pass leaves n bytes of envelope behind.
func (c *Cursor) pass(n int) {
	c.r += n
	c.envelope += int64(n)
}

// reject returns a reject for the n bytes at the cursor and leaves them behind.
func (c *Cursor) reject(reason Reason, n int, detail string) *Reject {
	bad := &Reject{Reason: reason, Offset: c.offset(), Length: int64(n), Detail: detail}
	c.r += n
	return bad
}

// rest returns a reject for all content from the cursor on, and ends the walk.
// What has not been read yet stays unread.
func (c *Cursor) rest(reason Reason, detail string) *Reject {
	bad := c.reject(reason, c.w-c.r, detail)
	bad.ToEnd = true
	c.done, c.at = true, atEnd
	return bad
}

// space passes over whitespace, and over more as if it were whitespace, and
// reports whether anything comes after it.
func (c *Cursor) space(more byte) bool {
	for {
		from := c.r
		for c.r < c.w {
			if b := c.win[c.r]; !isSpace(b) && b != more {
				break
			}
			c.r++
		}
		c.envelope += int64(c.r - from)
		if c.r < c.w {
			return true
		}
		if c.done {
			return false
		}
		c.fill(lookahead)
	}
}

func isSpace(b byte) bool { return b == ' ' || b == '\n' || b == '\r' || b == '\t' }

// Next returns the bytes from the next record on, and the record's offset in
// the decompressed content. buf[0] is '{'; buf holds the whole record unless
// the record is longer than Limits.RecordBytes or the file ends inside it, and
// usually more. It is valid until the next call of Next, Skip or Close.
//
// The error is a *Reject, after which Next goes on, or io.EOF at the end. After
// a record, Advance or Skip must be called before Next is; without it the same
// record is returned again.
func (c *Cursor) Next() (buf []byte, offset int64, err error) {
	for {
		if bad := c.queued; bad != nil {
			c.queued = nil
			return nil, 0, bad
		}
		c.fill(c.need)
		var bad *Reject
		switch c.at {
		case atTop:
			bad = c.top()
		case inMembers:
			bad = c.member()
		case inArray:
			bad = c.arrayElement()
		case atRecord:
			if c.element > 0 {
				return c.text, c.offset(), nil
			}
			return c.win[c.r:c.w], c.offset(), nil
		case atEnd:
			if bad = c.bad; bad == nil {
				return nil, 0, io.EOF
			}
			c.bad = nil
		}
		if bad != nil {
			return nil, 0, bad
		}
	}
}

// Advance tells that the record at the cursor is n bytes long, and leaves it
// behind. n must not be more than Next returned.
func (c *Cursor) Advance(n int) {
	if c.at != atRecord {
		panic("logfile: Advance without a record")
	}
	if c.element > 0 {
		if n > len(c.text) {
			panic("logfile: Advance beyond the record")
		}
		if left := event.Trim(c.text[n:]); len(left) > 0 {
			c.queued = &Reject{Reason: Garbage, Offset: c.offset(), Detail: "after the record in CloudTrailEvent: " + quote(left)}
		}
		n = c.element
		c.element = 0
	} else if n > c.w-c.r || n <= 0 {
		panic("logfile: Advance beyond the record")
	}
	record := c.win[c.r : c.r+n]
	if len(c.first) == 0 || !bytes.HasPrefix(record, c.first) {
		c.first = append(c.first[:0], firstName(record)...)
	}
	if c.outer == atTop && c.values == 1 {
		c.asking = bytes.IndexByte(record, '\n') < 0
	}
	c.r += n
	c.at = c.outer
}

// firstName returns the start of a record up to the end of its first member's
// name, or nothing if that is too long to be typical.
func firstName(record []byte) []byte {
	k := bytes.IndexByte(record, '"')
	if k < 0 || k > nameMax {
		return nil
	}
	n := bytes.IndexByte(record[k+1:min(len(record), k+1+nameMax)], '"')
	if n < 0 {
		return nil
	}
	return record[:k+1+n+1]
}

// record hands out the object at the cursor.
func (c *Cursor) record() {
	c.outer = c.at
	c.at = atRecord
}

// top handles what stands between top-level values.
func (c *Cursor) top() *Reject {
	if c.asking {
		// Blanks up to the newline do not matter.
		c.asking = false
		rest := bytes.TrimLeft(c.win[c.r:c.w], " \t\r")
		c.lines = len(rest) == 0 || rest[0] == '\n'
	}
	for {
		if !c.space(' ') {
			c.at = atEnd
			if c.values == 0 && c.bad == nil {
				return &Reject{Reason: EmptyFile, Detail: emptyDetail(c.offset())}
			}
			return nil
		}
		c.fill(c.need)
		if !bytes.HasPrefix(c.win[c.r:c.w], byteOrderMark) {
			break
		}
		c.pass(len(byteOrderMark))
	}
	switch b := c.win[c.r]; {
	case b == '{':
		c.values++
		if c.isWrapper() {
			c.wrappers++
			c.pass(1)
			c.at = inMembers
			return nil
		}
		c.record()
		return nil
	case b == '[' && (c.values > 0 && !c.lines || c.startsArray()):
		c.values++
		c.pass(1)
		c.at, c.wrapped, c.answers = inArray, false, false
		return nil
	}
	return c.strayTop()
}

var byteOrderMark = []byte{0xef, 0xbb, 0xbf}

func emptyDetail(n int64) string {
	if n == 0 {
		return ""
	}
	return fmt.Sprintf("%d bytes of whitespace", n)
}

// startsArray reports whether the bracket at the very start of a file or line
// opens a JSON array: the lines of many text logs start with one.
func (c *Cursor) startsArray() bool {
	rest := bytes.TrimLeft(c.win[c.r+1:c.w], " \t\r\n")
	if len(rest) == 0 || rest[0] == '{' || rest[0] == ']' {
		return true
	}
	n, err := event.ScanValue(rest)
	if err != nil {
		return false
	}
	rest = bytes.TrimLeft(rest[n:], " \t\r\n")
	return len(rest) == 0 || rest[0] == ',' || rest[0] == ']'
}

// strayTop handles text that starts neither an object nor an array. At the start
// of a file that means that the file is no JSON, unless its lines are.
func (c *Cursor) strayTop() *Reject {
	line := c.win[c.r:c.w]
	whole := c.done
	if k := bytes.IndexByte(line, '\n'); k >= 0 {
		line, whole = line[:k], true
	}
	if whole {
		text := event.Trim(line)
		if n, err := event.ScanValue(text); err == nil && n == len(text) {
			c.values++
			return c.reject(NotARecord, len(bytes.TrimRight(line, " \t\r")), "it is "+quote(text))
		}
	}
	if c.values == 0 {
		rest := bytes.TrimLeft(c.win[c.r+len(line):c.w], " \t\r\n")
		if !whole || !bytes.HasPrefix(rest, []byte(`{"`)) {
			return c.rest(NotJSON, "it starts with "+quote(c.win[c.r:c.w]))
		}
		c.values++
		c.lines = true
	}
	return c.garbage()
}

// member handles what stands between the members of a wrapper.
func (c *Cursor) member() *Reject {
	if !c.space(',') {
		return c.unclosed()
	}
	c.fill(c.need)
	b := c.win[c.r:c.w]
	if b[0] == '}' {
		c.pass(1)
		c.at = atTop
		return nil
	}
	name, n := memberName(b)
	if n == 0 || n >= len(b) {
		if n > 0 && c.done {
			c.pass(len(b))
			return c.unclosed()
		}
		return c.strayMember()
	}
	if b[n] == '[' {
		c.answers = string(name) == "Events"
		c.pass(n + 1)
		c.at, c.wrapped = inArray, true
		return nil
	}
	k, err := event.ScanValue(b[n:])
	switch {
	case err != nil:
		return c.strayMember()
	case b[n] == '{':
		return c.reject(NotARecord, n+k, fmt.Sprintf("member %s of the wrapper is an object", quote(name)))
	}
	c.pass(n + k)
	return nil
}

// strayMember handles text in a wrapper that is no member: what follows it is
// taken for elements of an array again.
func (c *Cursor) strayMember() *Reject {
	c.at, c.wrapped, c.answers = inArray, true, false
	return c.garbage()
}

// memberName returns the name of the member at b[0] as spelled, and the position
// of its value; 0 if there is no name and colon.
func memberName(b []byte) (name []byte, value int) {
	if len(b) == 0 || b[0] != '"' {
		return nil, 0
	}
	n, err := event.ScanValue(b)
	if err != nil {
		return nil, 0
	}
	name = b[1 : n-1]
	for n < len(b) && isSpace(b[n]) {
		n++
	}
	if n >= len(b) || b[n] != ':' {
		return nil, 0
	}
	n++
	for n < len(b) && isSpace(b[n]) {
		n++
	}
	return name, n
}

// arrayElement handles what stands between the elements of an array.
func (c *Cursor) arrayElement() *Reject {
	if !c.space(',') {
		return c.unclosed()
	}
	c.fill(c.need)
	switch c.win[c.r] {
	case '{':
		if c.answers {
			c.answer()
		}
		c.record()
		return nil
	case ']':
		c.pass(1)
		c.at = atTop
		if c.wrapped {
			c.at = inMembers
		}
		return nil
	case '}':
		// One brace too many after a record, or the wrapper's end: what follows
		// tells.
		rest := bytes.TrimLeft(c.win[c.r+1:c.w], " \t\r\n")
		if c.wrapped && (len(rest) == 0 || rest[0] == '{' || rest[0] == '[') {
			c.at = atTop
			return c.reject(Garbage, 1, "the wrapper ends before its array")
		}
		return c.reject(Garbage, 1, "a closing brace too many")
	}
	return c.strayElements()
}

// strayElements handles elements that are no objects: as many as stand in a row
// are one reject.
func (c *Cursor) strayElements() *Reject {
	b := c.win[c.r:c.w]
	count, end := 0, 0
	for i := 0; i < len(b) && b[i] != '{'; {
		n, err := event.ScanValue(b[i:])
		// A value that ends where the window ends may go on behind it.
		if err != nil || i+n >= len(b) && !c.done {
			break
		}
		count++
		end = i + n
		for i = end; i < len(b) && (isSpace(b[i]) || b[i] == ','); i++ {
		}
	}
	if count == 0 {
		return c.garbage()
	}
	detail := "it is " + quote(b[:end])
	if count > 1 {
		detail = fmt.Sprintf("%d elements that are no objects: %s", count, quote(b[:end]))
	}
	return c.reject(NotARecord, end, detail)
}

// answer looks into an element of a LookupEvents answer for the record that
// stands there as text, and prepares it.
func (c *Cursor) answer() {
	b := c.win[c.r:min(c.w, c.r+c.need-1)]
	n, err := event.ScanValue(b)
	if err != nil {
		return
	}
	text := event.Lookup(b[:n], "CloudTrailEvent")
	if len(text) < 2 || text[0] != '"' {
		return
	}
	c.text = event.AppendUnescaped(c.text[:0], text[1:len(text)-1])
	if trimmed := event.Trim(c.text); len(trimmed) > 0 && trimmed[0] == '{' {
		c.text = trimmed
		c.element = n
	}
}

// unclosed handles the end of the content inside an array or wrapper.
func (c *Cursor) unclosed() *Reject {
	c.at = atEnd
	if c.bad != nil {
		return nil
	}
	what := "an array is still open"
	if c.at == inMembers || c.wrapped {
		what = "the object around the records is still open"
	}
	return &Reject{Reason: Unclosed, Offset: c.offset(), Detail: what}
}

// quoteMax bounds the piece of a file that a reject quotes.
const quoteMax = 40

// quote returns a printable, short form of a piece of a file.
func quote(b []byte) string {
	if len(b) > quoteMax {
		return fmt.Sprintf("%q…", b[:quoteMax])
	}
	return fmt.Sprintf("%q", b)
}
