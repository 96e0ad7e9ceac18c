package logfile

import (
	"bytes"

	"github.com/cairndb/cairn/engine/event"
)

// Skip leaves the record at the cursor behind when its end is not known because
// it is malformed or too large, and returns the range it takes up, with reason
// Malformed. The package comment tells how the end is found.
func (c *Cursor) Skip() *Reject {
	if c.at != atRecord {
		panic("logfile: Skip without a record")
	}
	c.at = c.outer
	if c.element > 0 {
		n := c.element
		c.element = 0
		return c.reject(Malformed, n, "")
	}
	if c.at == atTop && c.lines {
		return c.skipLine(Malformed)
	}
	return c.skipRecord()
}

// skipLine leaves the rest of the line behind, but not its end.
func (c *Cursor) skipLine(reason Reason) *Reject {
	from := c.offset()
	for {
		k := bytes.IndexByte(c.win[c.r:c.w], '\n')
		if k > 0 && c.win[c.r+k-1] == '\r' {
			k--
		}
		if k >= 0 {
			c.r += k
			break
		}
		c.r = c.w
		if c.done {
			break
		}
		c.fill(lookahead)
	}
	return &Reject{Reason: reason, Offset: from, Length: c.offset() - from}
}

// typedDepth is the nesting up to which brackets are told apart while looking
// for the end of a malformed record. No record may go deeper, so what does is
// more likely a bomb that nothing will ever close; brackets are still counted.
const typedDepth = event.MaxDepth

// finder looks for the end of a malformed record, byte by byte. It follows
// strings and brackets as if all were well, until something shows that they
// cannot be trusted: a bracket of the other kind, a line break in a string, a
// bare word. From then on it is suspect, and the next thing that looks like the
// start of a record is taken for one, including one that was passed before.
type finder struct {
	objects  [typedDepth / 64]uint64 // bit d: the bracket opened at depth d was a brace
	depth    int
	inString bool
	escaped  bool
	suspect  bool
	last     byte // the last byte that is no whitespace, in strings or out of them
}

// stopsString marks the bytes that matter inside a string.
var stopsString = [256]bool{'"': true, '\\': true, '{': true, '\n': true, ',': true, '}': true}

func (f *finder) open(brace bool) {
	if d := f.depth; d < typedDepth {
		if brace {
			f.objects[d>>6] |= 1 << (d & 63)
		} else {
			f.objects[d>>6] &^= 1 << (d & 63)
		}
	} else {
		f.suspect = true
	}
	f.depth++
}

func (f *finder) close(brace bool) {
	if f.depth == 0 {
		f.suspect = true
		return
	}
	f.depth--
	if f.depth < typedDepth && f.inObject(f.depth) != brace {
		f.suspect = true
	}
}

// inObject reports whether the bracket opened at depth d was a brace.
func (f *finder) inObject(d int) bool {
	return d < typedDepth && f.objects[d>>6]&(1<<(d&63)) != 0
}

// skipRecord leaves a malformed record behind.
func (c *Cursor) skipRecord() *Reject {
	var (
		f       finder
		from    = c.offset()
		top     = c.at == atTop
		names   = c.recordNames()
		held    = true // the record's first byte is still win[c.r]
		next    = -1   // a place passed that looks like the start of a record
		newline = -1   // at top level: a line break passed that a brace follows
		oneLine = true
	)
	// leave puts the cursor at the end that was found.
	leave := func(end int, at place) *Reject {
		if held {
			for end > c.r+1 && (isSpace(c.win[end-1]) || c.win[end-1] == ',') {
				end--
			}
			oneLine = bytes.IndexByte(c.win[c.r:end], '\n') < 0
		}
		c.r = end
		c.at = at
		if top && c.values == 1 {
			c.asking = held && oneLine
		}
		return &Reject{Reason: Malformed, Offset: from, Length: c.offset() - from}
	}
	for p := c.r; ; p++ {
		if c.w-p < lookahead && !c.done {
			// All that the window has of the record is looked at, and it is more
			// than a record may be. From here on nothing is kept.
			if newline >= 0 {
				return leave(newline, c.at)
			}
			held, next = false, -1
			c.r = p
			c.fill(lookahead)
			p = c.r
		}
		if p >= c.w {
			break
		}
		b := c.win[p]
		last := f.last
		if !isSpace(b) {
			f.last = b
		}
		if b == '{' && c.base+int64(p) > from {
			inObject := f.depth > 0 && f.inObject(f.depth-1)
			if (top && last == '}' || !top && last == ',') && c.startsRecord(p, names) {
				if f.suspect || f.inString || inObject {
					return leave(p, c.at)
				}
				if next < 0 && held {
					next = p
				}
			}
			if !top && last == '}' && c.wrapped && c.startsRecord(p, [][]byte{[]byte("Records")}) {
				return leave(p, atTop)
			}
			if !f.inString && inObject && last != ':' {
				f.suspect = true
			}
		}
		switch {
		case b == '\n':
			if f.inString {
				f.inString, f.escaped, f.suspect = false, false, true
			}
			if top && p+1 < c.w && c.win[p+1] == '{' {
				if f.suspect || !held {
					return leave(p, c.at)
				}
				if newline < 0 {
					newline = p
				}
			}
		case f.inString:
			switch {
			case f.escaped:
				f.escaped = false
			case b == '\\':
				f.escaped = true
			case b == '"':
				f.inString = false
			default:
				for p+1 < c.w && !stopsString[c.win[p+1]] {
					p++
					f.last = 0
				}
			}
		case b == '"':
			f.inString = true
		case b == '{' || b == '[':
			f.open(b == '{')
		case b == '}' || b == ']':
			f.close(b == '}')
			if f.depth == 0 && b == '}' && (!f.suspect || next < 0 && newline < 0) {
				if c.plausibleEnd(p+1, top) {
					return leave(p+1, c.at)
				}
				f.suspect = true
			}
		case b == ':':
			f.suspect = f.suspect || f.depth > 0 && !f.inObject(f.depth-1)
		case b == ' ' || b == '\t' || b == '\r' || b == ',':
		default:
			n := wordLen(c.win[p:c.w])
			if n < wordMax {
				if k, err := event.ScanValue(c.win[p : p+n]); err != nil || k != n {
					f.suspect = true
				}
			}
			p += n - 1
			f.last = c.win[p]
		}
		if f.suspect && held {
			switch {
			case next >= 0:
				return leave(next, c.at)
			case newline >= 0:
				return leave(newline, c.at)
			}
		}
	}
	if newline >= 0 && held {
		return leave(newline, c.at)
	}
	bad := leave(c.w, c.at)
	bad.Detail = "no record was found after it"
	return bad
}

// wordMax is how far a bare word is followed to see whether it is a number or
// literal; longer ones are passed without an opinion.
const wordMax = 64

// wordLen returns the length of the word at b[0], at most wordMax.
func wordLen(b []byte) int {
	n := 1
	for n < len(b) && n < wordMax {
		switch b[n] {
		case ' ', '\t', '\r', '\n', ',', ':', '"', '{', '}', '[', ']':
			return n
		}
		n++
	}
	return n
}

// recordNames returns the first member names by which the start of a record is
// known: that of the last good one, that of the one at the cursor, and the one
// that CloudTrail writes.
func (c *Cursor) recordNames() [][]byte {
	names := [][]byte{[]byte("eventVersion")}
	if k := bytes.IndexByte(c.first, '"'); k >= 0 {
		names = append(names, c.first[k+1:len(c.first)-1])
	}
	if own := firstName(c.win[c.r:c.w]); own != nil {
		k := bytes.IndexByte(own, '"')
		// Copied, because the window moves.
		names = append(names, bytes.Clone(own[k+1:len(own)-1]))
	}
	return names
}

// startsRecord reports whether the brace at win[p] is followed by one of names
// as the first member name.
func (c *Cursor) startsRecord(p int, names [][]byte) bool {
	b := c.win[p+1 : min(c.w, p+lookahead)]
	for len(b) > 0 && isSpace(b[0]) {
		b = b[1:]
	}
	if len(b) == 0 || b[0] != '"' {
		return false
	}
	b = b[1:]
	for _, name := range names {
		if len(name) > 0 && len(b) > len(name) && b[len(name)] == '"' && bytes.HasPrefix(b, name) {
			return true
		}
	}
	return false
}

// plausibleEnd reports whether what stands at win[p] can follow a record.
func (c *Cursor) plausibleEnd(p int, top bool) bool {
	for ; p < c.w; p++ {
		switch b := c.win[p]; b {
		case '\n':
			if top {
				return true
			}
		case ' ', '\t', '\r':
		case '{', '[':
			return top
		case ',', ']':
			return !top
		default:
			return false
		}
	}
	return true
}

// garbage leaves text behind that belongs to no record: in JSON lines to the end
// of the line, in arrays to the next thing that looks like an object or the end
// of the array, otherwise to the next thing that looks like an object or the
// next line that starts with a bracket.
func (c *Cursor) garbage() *Reject {
	detail := "it starts with " + quote(c.win[c.r:c.w])
	if c.at == atTop && c.lines {
		bad := c.skipLine(Garbage)
		bad.Detail = detail
		return bad
	}
	from := c.offset()
	for p := c.r; ; p++ {
		if c.w-p < lookahead && !c.done {
			c.r = p
			c.fill(lookahead)
			p = c.r
		}
		if p >= c.w {
			c.r = c.w
			break
		}
		if c.garbageEnds(p) {
			c.r = p
			break
		}
	}
	return &Reject{Reason: Garbage, Offset: from, Length: c.offset() - from, Detail: detail}
}

// garbageEnds reports whether something that can be read again starts at win[p].
func (c *Cursor) garbageEnds(p int) bool {
	b := c.win[p:min(c.w, p+lookahead)]
	rest := bytes.TrimLeft(b[1:], " \t\r\n")
	if c.at == atTop {
		return b[0] == '\n' && len(b) > 1 && (b[1] == '{' || b[1] == '[') ||
			b[0] == '{' && len(rest) > 0 && rest[0] == '"'
	}
	switch b[0] {
	case '{':
		return len(rest) > 0 && (rest[0] == '"' || rest[0] == '}')
	case ']':
		return len(rest) == 0 || rest[0] == '}' && c.wrapped
	}
	return false
}
