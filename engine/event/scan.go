package event

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"math/bits"
	"unicode/utf8"
)

// scanned is what one pass over a JSON value found.
type scanned struct {
	n     int // bytes of the value
	keys  int // members of all its objects
	depth int // its deepest nesting, 0 for a scalar
}

// scan checks the JSON value at the start of b by the grammar of RFC 8259 and
// the caps of this package and finds its end. If f is not nil the value is an
// event record, and its watched members are noted. b is taken as all there is:
// a value that needs more is cut off.
//
// The loop keeps no stack but one bit per open container, so no input can make
// it use memory.
func scan(b []byte, f *Fields) (scanned, *Refusal) {
	var (
		objects  [MaxDepth/64 + 1]uint64 // bit d: the container at depth d is an object
		depth    int
		object   bool // the innermost container is an object
		inWindow bool // at depth 2, in timeWindow
		out      scanned
		i        int
		slot     = -1 // the watched member whose value comes next
	)

value:
	if i >= len(b) {
		return out, cutOff(b)
	}
	switch c := b[i]; c {
	case '"':
		end, bad := stringEnd(b, i+1)
		if bad != nil {
			return out, bad
		}
		if slot >= 0 {
			f[slot] = b[i:end]
		}
		i = end
	case '{', '[':
		if slot >= 0 {
			f[slot] = b[i : i+1]
		}
		slot = -1
		depth++
		if depth > out.depth {
			if depth > MaxDepth {
				return out, refuse(TooDeep, i, fmt.Sprintf("more than %d objects and arrays inside each other", MaxDepth))
			}
			out.depth = depth
		}
		i++
		for i < len(b) && isSpace(b[i]) {
			i++
		}
		if c == '{' {
			object = true
			objects[depth>>6] |= 1 << (depth & 63)
			if i < len(b) && b[i] == '}' {
				goto closing
			}
			goto key
		}
		object = false
		objects[depth>>6] &^= 1 << (depth & 63)
		if i < len(b) && b[i] == ']' {
			goto closing
		}
		goto value
	case '-', '0', '1', '2', '3', '4', '5', '6', '7', '8', '9':
		end, bad := numberEnd(b, i)
		if bad != nil {
			return out, bad
		}
		if slot >= 0 {
			f[slot] = b[i:end]
		}
		i = end
	case 't', 'f', 'n':
		end, bad := literalEnd(b, i)
		if bad != nil {
			return out, bad
		}
		if slot >= 0 {
			f[slot] = b[i:end]
		}
		i = end
	case ' ', '\t', '\n', '\r':
		i++
		goto value
	default:
		return out, unexpected(b, i, "a value")
	}

after:
	if depth == 0 {
		out.n = i
		return out, nil
	}
	if i >= len(b) {
		return out, cutOff(b)
	}
	switch b[i] {
	case ',':
		i++
		if object {
			goto key
		}
		slot = -1
		goto value
	case '}', ']':
		goto closing
	case ' ', '\t', '\n', '\r':
		i++
		goto after
	}
	return out, unexpected(b, i, "a comma or closing bracket")

closing:
	if (b[i] == '}') != object {
		return out, unexpected(b, i, "the other kind of closing bracket")
	}
	i++
	if depth == 2 {
		inWindow = false
	}
	depth--
	object = objects[depth>>6]&(1<<(depth&63)) != 0
	goto after

key:
	for i < len(b) && b[i] != '"' {
		if !isSpace(b[i]) {
			return out, unexpected(b, i, "a member name")
		}
		i++
	}
	if i >= len(b) {
		return out, cutOff(b)
	}
	{
		end, bad := stringEnd(b, i+1)
		if bad != nil {
			return out, bad
		}
		out.keys++
		if out.keys > MaxKeys {
			return out, refuse(TooManyKeys, i, fmt.Sprintf("more than %d members", MaxKeys))
		}
		slot = -1
		if depth <= 2 && f != nil {
			switch {
			case depth == 1:
				slot = watched(b[i+1 : end-1])
				if slot == watchWindow {
					slot = -1
					inWindow = true
				} else {
					inWindow = false
				}
			case inWindow:
				slot = watchedInWindow(b[i+1 : end-1])
			}
		}
		i = end
	}
	for i < len(b) && b[i] != ':' {
		if !isSpace(b[i]) {
			return out, unexpected(b, i, "a colon")
		}
		i++
	}
	i++
	goto value
}

// watchWindow is what watched returns for timeWindow, whose member is watched.
const watchWindow = WatchCount

// watched returns the number of the watched top-level member of this name,
// watchWindow for timeWindow, or -1. The name is as spelled, between its
// quotes.
func watched(name []byte) int {
	w := watchedPlain(name)
	if w < 0 && hasEscape(name) {
		return watchedPlain(AppendUnescaped(make([]byte, 0, len(name)), name))
	}
	return w
}

// watchedPlain is watched for a name without escapes.
func watchedPlain(name []byte) int {
	switch string(name) {
	case "eventVersion":
		return int(WatchVersion)
	case "eventTime":
		return int(WatchTime)
	case "eventID":
		return int(WatchID)
	case "eventId":
		return int(WatchIDLower)
	case "eventSource":
		return int(WatchSource)
	case "eventName":
		return int(WatchName)
	case "eventType":
		return int(WatchType)
	case "eventCategory":
		return int(WatchCategory)
	case "managementEvent":
		return int(WatchManagement)
	case "readOnly":
		return int(WatchReadOnly)
	case "awsRegion":
		return int(WatchRegion)
	case "recipientAccountId":
		return int(WatchRecipient)
	case "timeWindow":
		return watchWindow
	}
	return -1
}

// watchedInWindow is watched for a member of timeWindow.
func watchedInWindow(name []byte) int {
	if nameIs(name, "windowStart") {
		return int(WatchWindowStart)
	}
	return -1
}

// hasEscape reports whether a name could be a watched one in disguise: names over
// the length are not, however they are spelled.
func hasEscape(name []byte) bool {
	const longest = 6 * len("recipientAccountId")
	return len(name) <= longest && bytes.IndexByte(name, '\\') >= 0
}

// isSpace reports whether c is whitespace to JSON.
func isSpace(c byte) bool {
	const set = 1<<' ' | 1<<'\n' | 1<<'\r' | 1<<'\t'
	return c <= ' ' && set>>c&1 != 0
}

const (
	ones  = 0x0101010101010101
	highs = 0x8080808080808080
)

// stringEnd checks the string whose first byte after the quote is b[i] and
// returns the position after its closing quote.
func stringEnd(b []byte, i int) (int, *Refusal) {
	for {
		// Eight bytes at a time: find the first that is a quote, a backslash, a
		// control character, or not ASCII. A borrow can only spoil bytes above
		// the first hit, and only the first hit is used.
		for i+8 <= len(b) {
			w := binary.LittleEndian.Uint64(b[i:])
			q := w ^ '"'*ones
			e := w ^ '\\'*ones
			hit := ((q-ones)&^q | (e-ones)&^e | (w - 0x20*ones) | w) & highs
			if hit != 0 {
				i += bits.TrailingZeros64(hit) >> 3
				break
			}
			i += 8
		}
		if i >= len(b) {
			return 0, cutOff(b)
		}
		switch c := b[i]; {
		case c == '"':
			return i + 1, nil
		case c == '\\':
			n, bad := escapeLen(b, i)
			if bad != nil {
				return 0, bad
			}
			i += n
		case c < 0x20:
			return 0, refuse(InvalidJSON, i, fmt.Sprintf("control character %#02x in a string", c))
		case c < utf8.RuneSelf:
			i++ // the last seven bytes, one by one
		default:
			for i < len(b) && b[i] >= utf8.RuneSelf {
				r, n := utf8.DecodeRune(b[i:])
				if r == utf8.RuneError && n <= 1 {
					if !utf8.FullRune(b[i:]) {
						return 0, cutOff(b)
					}
					return 0, refuse(InvalidUTF8, i, fmt.Sprintf("byte %#02x", b[i]))
				}
				i += n
			}
		}
	}
}

// escapeLen checks the escape at b[i], a backslash, and returns its length.
func escapeLen(b []byte, i int) (int, *Refusal) {
	if i+1 >= len(b) {
		return 0, cutOff(b)
	}
	switch b[i+1] {
	case '"', '\\', '/', 'b', 'f', 'n', 'r', 't':
		return 2, nil
	case 'u':
		for k := i + 2; k < i+6; k++ {
			if k >= len(b) {
				return 0, cutOff(b)
			}
			if hexValue(b[k]) > 15 {
				return 0, unexpected(b, k, "a hexadecimal digit")
			}
		}
		return 6, nil
	}
	return 0, unexpected(b, i+1, "an escape")
}

// hexValue returns the value of a hexadecimal digit, 255 for anything else.
func hexValue(c byte) byte {
	switch {
	case c-'0' <= 9:
		return c - '0'
	case c-'a' <= 5:
		return c - 'a' + 10
	case c-'A' <= 5:
		return c - 'A' + 10
	}
	return 255
}

// numberEnd checks the number at b[i] and returns the position after it.
func numberEnd(b []byte, i int) (int, *Refusal) {
	if b[i] == '-' {
		i++
	}
	switch {
	case i >= len(b):
		return 0, cutOff(b)
	case b[i] == '0':
		i++
	case b[i]-'0' <= 9:
		i = digitsEnd(b, i)
	default:
		return 0, unexpected(b, i, "a digit")
	}
	if i < len(b) && b[i] == '.' {
		i++
		if i >= len(b) {
			return 0, cutOff(b)
		}
		if b[i]-'0' > 9 {
			return 0, unexpected(b, i, "a digit")
		}
		i = digitsEnd(b, i)
	}
	if i < len(b) && b[i]|0x20 == 'e' {
		i++
		if i < len(b) && (b[i] == '+' || b[i] == '-') {
			i++
		}
		if i >= len(b) {
			return 0, cutOff(b)
		}
		if b[i]-'0' > 9 {
			return 0, unexpected(b, i, "a digit")
		}
		i = digitsEnd(b, i)
	}
	return i, nil
}

func digitsEnd(b []byte, i int) int {
	for i < len(b) && b[i]-'0' <= 9 {
		i++
	}
	return i
}

// literalEnd checks the true, false or null at b[i] and returns the position
// after it.
func literalEnd(b []byte, i int) (int, *Refusal) {
	want := "true"
	switch b[i] {
	case 'f':
		want = "false"
	case 'n':
		want = "null"
	}
	for k := range len(want) {
		if i+k >= len(b) {
			return 0, cutOff(b)
		}
		if b[i+k] != want[k] {
			return 0, unexpected(b, i+k, want)
		}
	}
	return i + len(want), nil
}

func cutOff(b []byte) *Refusal {
	return refuse(CutOff, len(b), "the text ends inside")
}

func unexpected(b []byte, i int, want string) *Refusal {
	if c := b[i]; c >= utf8.RuneSelf {
		if r, n := utf8.DecodeRune(b[i:]); r == utf8.RuneError && n == 1 {
			return refuse(InvalidUTF8, i, fmt.Sprintf("byte %#02x", c))
		}
	}
	return refuse(InvalidJSON, i, fmt.Sprintf("expected %s, found %s", want, quote(b[i:min(i+16, len(b))])))
}
