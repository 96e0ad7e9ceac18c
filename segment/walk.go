package segment

// op is what a walk meets between two leaves.
type op uint8

const (
	opNull        op = iota // null
	opEmptyObject           // {}, with or without white space inside
	opEmptyArray            // []
	opOpenObject            // { that has members
	opOpenArray             // [ that has elements
	opClose                 // the end of an object or array that was opened
	opMember                // a key: the value that follows belongs to the node
	opElement               // the start of an array element
)

// tree gives the numbers of paths to a walk.
type tree interface {
	// member returns the node of a member of the object at parent; key is the
	// raw text between the quotes.
	member(parent uint32, key []byte) (uint32, error)
	// element returns the node of the elements of the array at parent.
	element(parent uint32) (uint32, error)
	// met is told of everything that is not a leaf, with its place.
	met(o op, node uint32, from, to int)
	// whole reports whether the object or array at node is to be a leaf.
	whole(node uint32) bool
}

type frame struct {
	node  uint32
	array bool
}

// walk is the tokenizer of the text between leaves. It is used in three
// places: to learn a literal that a record shows for the first time, to find
// out what a stored literal says, and to cut values out of JSON text.
type walk struct {
	stack    []frame
	maxDepth int
}

// run reads on from pos, behind a value if after is set, else before the value
// at node, until the next leaf or the end of the outermost value. It returns the
// place and the node of that leaf; its first byte has not been checked when it
// is at the end of b. done is set when the outermost value has ended.
func (w *walk) run(b []byte, pos int, node uint32, after bool, t tree) (at int, leaf uint32, done bool, err error) {
	var key bool // the next thing is a key
	for {
		if after {
			if len(w.stack) == 0 {
				return pos, 0, true, nil
			}
			if pos = skipSpace(b, pos); pos >= len(b) {
				return 0, 0, false, endOfInput(pos)
			}
			top := w.stack[len(w.stack)-1]
			switch c := b[pos]; {
			case c == ',':
				pos++
				after, key = false, !top.array
				if top.array {
					if pos = skipSpace(b, pos); pos < len(b) && b[pos] == ']' {
						return 0, 0, false, badJSON(pos, "comma before the end of an array")
					}
					if node, err = t.element(top.node); err != nil {
						return 0, 0, false, err
					}
					t.met(opElement, node, pos, pos)
				}
			case c == ']' && top.array, c == '}' && !top.array:
				w.stack = w.stack[:len(w.stack)-1]
				pos++
				t.met(opClose, top.node, pos-1, pos)
				continue
			case top.array:
				return 0, 0, false, badJSON(pos, "expected a comma or the end of the array")
			default:
				return 0, 0, false, badJSON(pos, "expected a comma or the end of the object")
			}
		}
		if key {
			key = false
			if pos, node, err = w.member(b, pos, t); err != nil {
				return 0, 0, false, err
			}
		}
		if pos = skipSpace(b, pos); pos >= len(b) {
			return pos, node, false, nil
		}
		switch b[pos] {
		case '{', '[':
			if t.whole(node) {
				return pos, node, false, nil
			}
			if len(w.stack) >= w.maxDepth {
				return 0, 0, false, &LimitError{What: LimitDepth, Max: w.maxDepth, Offset: pos}
			}
			from, array := pos, b[pos] == '['
			// The text may end here: a literal does when the first element of an
			// array is a number.
			if pos = skipSpace(b, pos+1); pos >= len(b) && !array {
				return 0, 0, false, endOfInput(pos)
			}
			switch {
			case array && pos < len(b) && b[pos] == ']':
				pos++
				t.met(opEmptyArray, node, from, pos)
				after = true
			case !array && b[pos] == '}':
				pos++
				t.met(opEmptyObject, node, from, pos)
				after = true
			case array:
				t.met(opOpenArray, node, from, from+1)
				w.stack = append(w.stack, frame{node, true})
				if node, err = t.element(node); err != nil {
					return 0, 0, false, err
				}
				t.met(opElement, node, pos, pos)
			default:
				t.met(opOpenObject, node, from, from+1)
				w.stack = append(w.stack, frame{node, false})
				key = true
			}
		case 'n':
			e := scanWord(b, pos, "null")
			if e < 0 {
				return 0, 0, false, wordError(b, pos, "null")
			}
			t.met(opNull, node, pos, e)
			pos, after = e, true
		case '"', '-', '0', '1', '2', '3', '4', '5', '6', '7', '8', '9', 't', 'f':
			return pos, node, false, nil
		default:
			return 0, 0, false, badJSON(pos, "not a value")
		}
	}
}

// member reads a key and its colon.
func (w *walk) member(b []byte, pos int, t tree) (at int, node uint32, err error) {
	if pos = skipSpace(b, pos); pos >= len(b) {
		return 0, 0, endOfInput(pos)
	}
	if b[pos] != '"' {
		return 0, 0, badJSON(pos, "expected a key in quotes")
	}
	from := pos
	end, err := checkString(b, pos+1)
	if err != nil {
		return 0, 0, err
	}
	if node, err = t.member(w.stack[len(w.stack)-1].node, b[pos+1:end]); err != nil {
		return 0, 0, err
	}
	if pos = skipSpace(b, end+1); pos >= len(b) {
		return 0, 0, endOfInput(pos)
	}
	if b[pos] != ':' {
		return 0, 0, badJSON(pos, "expected a colon after the key")
	}
	t.met(opMember, node, from, pos+1)
	return pos + 1, node, nil
}

// checkValue validates the JSON value at pos and returns its end and the
// number of scalars in it. depth is how many containers may still be opened.
func checkValue(b []byte, pos, depth, maxDepth int) (end, scalars int, err error) {
	if pos >= len(b) {
		return 0, 0, endOfInput(pos)
	}
	switch c := b[pos]; c {
	case '"':
		if end, err = checkString(b, pos+1); err != nil {
			return 0, 0, err
		}
		return end + 1, 1, nil
	case 't', 'f', 'n':
		word := words[c]
		if end = scanWord(b, pos, word); end < 0 {
			return 0, 0, wordError(b, pos, word)
		}
		return end, 1, nil
	case '{', '[':
		if depth <= 0 {
			return 0, 0, &LimitError{What: LimitDepth, Max: maxDepth, Offset: pos}
		}
		return checkContainer(b, pos, depth-1, maxDepth)
	}
	if end = scanNumber(b, pos); end < 0 {
		if c := b[pos]; c != '-' && (c < '0' || c > '9') {
			return 0, 0, badJSON(pos, "not a value")
		}
		return 0, 0, numberError(b, pos)
	}
	return end, 1, nil
}

var words = [256]string{'t': "true", 'f': "false", 'n': "null"}

func checkContainer(b []byte, pos, depth, maxDepth int) (end, scalars int, err error) {
	object := b[pos] == '{'
	closing := byte(']')
	if object {
		closing = '}'
	}
	if pos = skipSpace(b, pos+1); pos < len(b) && b[pos] == closing {
		return pos + 1, 0, nil
	}
	for {
		if object {
			if pos >= len(b) {
				return 0, 0, endOfInput(pos)
			}
			if b[pos] != '"' {
				return 0, 0, badJSON(pos, "expected a key in quotes")
			}
			if pos, err = checkString(b, pos+1); err != nil {
				return 0, 0, err
			}
			if pos = skipSpace(b, pos+1); pos >= len(b) {
				return 0, 0, endOfInput(pos)
			}
			if b[pos] != ':' {
				return 0, 0, badJSON(pos, "expected a colon after the key")
			}
			pos = skipSpace(b, pos+1)
		}
		var n int
		if pos, n, err = checkValue(b, pos, depth, maxDepth); err != nil {
			return 0, 0, err
		}
		scalars += n
		if pos = skipSpace(b, pos); pos >= len(b) {
			return 0, 0, endOfInput(pos)
		}
		switch {
		case b[pos] == closing:
			return pos + 1, scalars, nil
		case b[pos] != ',':
			return 0, 0, badJSON(pos, "expected a comma or the end of the object or array")
		}
		pos = skipSpace(b, pos+1)
	}
}

// readDepth bounds recursion into stored JSON text. Builders accept far less;
// a damaged or hostile block must not exhaust the stack.
const readDepth = 1000

// findMember returns the value that the object keys lead to in valid JSON text
// (nil when there is none). Of equal keys the last one counts.
func findMember(b []byte, keys []string) []byte {
	var text []byte
	for _, k := range keys {
		if len(b) == 0 || b[0] != '{' {
			return nil
		}
		var found []byte
		eachMember(b, func(raw, value []byte) {
			text = Unescape(text[:0], raw)
			if string(text) == k {
				found = value
			}
		})
		if found == nil {
			return nil
		}
		b = found
	}
	return b
}

// eachMember calls fn for the members of the object b, which must be valid.
func eachMember(b []byte, fn func(rawKey, value []byte)) {
	pos := skipSpace(b, 1)
	for pos < len(b) && b[pos] == '"' {
		end, err := checkString(b, pos+1)
		if err != nil {
			return
		}
		key := b[pos+1 : end]
		if pos = skipSpace(b, end+1); pos >= len(b) || b[pos] != ':' {
			return
		}
		pos = skipSpace(b, pos+1)
		if end, _, err = checkValue(b, pos, readDepth, readDepth); err != nil {
			return
		}
		fn(key, b[pos:end])
		if pos = skipSpace(b, end); pos >= len(b) || b[pos] != ',' {
			return
		}
		pos = skipSpace(b, pos+1)
	}
}

// appendCompact appends JSON text without the white space between its tokens.
// inString says whether b starts inside a string; the result says whether it ends inside one.
func appendCompact(dst, b []byte, inString bool) ([]byte, bool) {
	for i := 0; i < len(b); i++ {
		c := b[i]
		if inString {
			dst = append(dst, c)
			switch {
			case c == '\\' && i+1 < len(b):
				i++
				dst = append(dst, b[i])
			case c == '"':
				inString = false
			}
			continue
		}
		switch c {
		case ' ', '\n', '\t', '\r':
			continue
		case '"':
			inString = true
		}
		dst = append(dst, c)
	}
	return dst, inString
}

// kindOf tells the kind of JSON text by its first byte.
func kindOf(b []byte) Kind {
	if len(b) == 0 {
		return None
	}
	switch b[0] {
	case '{':
		return Object
	case '[':
		return Array
	case '"':
		return String
	case 't', 'f':
		return Bool
	case 'n':
		return Null
	}
	return Number
}
