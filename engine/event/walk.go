package event

import (
	"bytes"
	"encoding/binary"
	"iter"
	"math/bits"
)

// walker steps through the members or elements of one JSON object or array. It
// trusts the text: scan has checked it before. On text that scan would refuse
// the results are arbitrary pieces of it, never a panic.
type walker struct {
	b []byte
	i int
}

// enter returns a walker over the members or elements of b, an object or array.
func enter(b []byte) walker { return walker{b: b, i: 1} }

func (w *walker) space() {
	for w.i < len(w.b) && isSpace(w.b[w.i]) {
		w.i++
	}
}

// element returns the raw text of the next element.
func (w *walker) element() (value []byte, ok bool) {
	w.space()
	if w.i < len(w.b) && w.b[w.i] == ',' {
		w.i++
		w.space()
	}
	if w.i >= len(w.b) || w.b[w.i] == ']' || w.b[w.i] == '}' {
		return nil, false
	}
	from := w.i
	w.i = valueEnd(w.b, w.i)
	return w.b[from:w.i], true
}

// member returns the name of the next member, as spelled between its quotes,
// and the raw text of its value.
func (w *walker) member() (name, value []byte, ok bool) {
	name, ok = w.element()
	if !ok || len(name) < 2 {
		return nil, nil, false
	}
	w.space()
	if w.i < len(w.b) && w.b[w.i] == ':' {
		w.i++
	}
	if value, ok = w.element(); !ok {
		return nil, nil, false
	}
	return name[1 : len(name)-1], value, true
}

// valueEnd returns the position after the value at b[i]; always more than i.
func valueEnd(b []byte, i int) int {
	switch b[i] {
	case '"':
		return quoteEnd(b, i+1)
	case '{', '[':
	default:
		for i++; i < len(b); i++ {
			switch b[i] {
			case ',', '}', ']', ':', ' ', '\t', '\n', '\r':
				return i
			}
		}
		return i
	}
	for depth := 0; i < len(b); {
		switch b[i] {
		case '"':
			i = quoteEnd(b, i+1)
			continue
		case '{', '[':
			depth++
		case '}', ']':
			if depth--; depth == 0 {
				return i + 1
			}
		}
		i++
	}
	return len(b)
}

// quoteEnd returns the position after the quote that closes the string whose
// inside starts at b[i].
func quoteEnd(b []byte, i int) int {
	for i < len(b) {
		for i+8 <= len(b) {
			w := binary.LittleEndian.Uint64(b[i:])
			q := w ^ '"'*ones
			e := w ^ '\\'*ones
			hit := ((q-ones)&^q | (e-ones)&^e) & highs
			if hit != 0 {
				i += bits.TrailingZeros64(hit) >> 3
				break
			}
			i += 8
		}
		if i >= len(b) {
			break
		}
		switch b[i] {
		case '"':
			return i + 1
		case '\\':
			i++
		}
		i++
	}
	return len(b)
}

// nameIs reports whether a member name as spelled means want.
func nameIs(name []byte, want string) bool {
	if len(name) == len(want) {
		return string(name) == want
	}
	if len(name) < len(want) || len(name) > 6*len(want) || bytes.IndexByte(name, '\\') < 0 {
		return false
	}
	return string(AppendUnescaped(nil, name)) == want
}

// Lookup returns the raw value at a path of member names below value, which must
// be well-formed JSON, or nil. Of several members with one name the last counts.
// The result aliases value.
func Lookup(value []byte, path ...string) []byte {
	for _, step := range path {
		if len(value) == 0 || value[0] != '{' {
			return nil
		}
		var found []byte
		w := enter(value)
		for {
			name, v, ok := w.member()
			if !ok {
				break
			}
			if nameIs(name, step) {
				found = v
			}
		}
		value = found
	}
	return value
}

// Members gives the members of an object, which must be well-formed JSON: the names as they are spelled
// between their quotes, and the raw values. Nothing for what is no object.
func Members(object []byte) iter.Seq2[[]byte, []byte] {
	return func(yield func(name, value []byte) bool) {
		if len(object) == 0 || object[0] != '{' {
			return
		}
		for w := enter(object); ; {
			name, v, ok := w.member()
			if !ok || !yield(name, v) {
				return
			}
		}
	}
}

// Elements gives the raw elements of an array, which must be well-formed JSON. Nothing for
// what is no array.
func Elements(array []byte) iter.Seq[[]byte] {
	return func(yield func(value []byte) bool) {
		if len(array) == 0 || array[0] != '[' {
			return
		}
		for w := enter(array); ; {
			v, ok := w.element()
			if !ok || !yield(v) {
				return
			}
		}
	}
}

// Find returns the raw JSON text that the column is made from in a record that
// Parse has accepted, or nil when it is missing or null. For Record and Checksum
// it is the record itself. The text aliases record.
func (c *Column) Find(record []byte) []byte {
	if len(c.Paths) == 0 {
		return record
	}
	for _, path := range c.Paths {
		if v := Lookup(record, path...); len(v) > 0 && v[0] != 'n' {
			return v
		}
	}
	return nil
}
