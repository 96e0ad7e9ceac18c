package segment

import (
	"encoding/binary"
	"io"
	"math/bits"
	"strconv"
	"unicode/utf16"
	"unicode/utf8"
)

// SyntaxError says where and why the bytes given to [Builder.Add] are not a
// JSON object.
type SyntaxError struct {
	// Offset of the offending byte in the buffer given to Add.
	Offset int
	Reason string
	// Incomplete is set when the buffer ends inside the object, so that more
	// bytes could still make it whole. Then errors.Is(err, io.ErrUnexpectedEOF).
	Incomplete bool
}

func (e *SyntaxError) Error() string {
	return "invalid JSON at offset " + strconv.Itoa(e.Offset) + ": " + e.Reason
}

// Unwrap returns io.ErrUnexpectedEOF for an incomplete object.
func (e *SyntaxError) Unwrap() error {
	if e.Incomplete {
		return io.ErrUnexpectedEOF
	}
	return nil
}

// Limit names the cap that a [LimitError] speaks of.
type Limit string

// The caps on a single record.
const (
	LimitDepth  Limit = "nesting depth"
	LimitBytes  Limit = "bytes"
	LimitValues Limit = "values"
)

// LimitError says that a record is well-formed as far as it was read, but over
// one of the caps in [Options].
type LimitError struct {
	What   Limit
	Max    int
	Offset int // in the buffer given to Add: where the cap was passed
}

func (e *LimitError) Error() string {
	return "record has more than " + strconv.Itoa(e.Max) + " " + string(e.What) + " (at offset " + strconv.Itoa(e.Offset) + ")"
}

func badJSON(at int, reason string) error { return &SyntaxError{Offset: at, Reason: reason} }

func endOfInput(at int) error {
	return &SyntaxError{Offset: at, Reason: "the text ends inside the record", Incomplete: true}
}

// Eight bytes are looked at together: these constants repeat one byte.
const (
	allOnes    = 0x0101010101010101
	allHigh    = 0x8080808080808080
	allQuotes  = '"' * allOnes
	allSlashes = '\\' * allOnes
	allSpaces  = ' ' * allOnes
)

// hashMul is an odd constant with well spread bits for folded multiplication.
const hashMul = 0x9e3779b97f4a7c15

func fold(a, b uint64) uint64 {
	hi, lo := bits.Mul64(a, b)
	return hi ^ lo
}

// scanString scans the inside of a string that starts at i and returns the
// index of the closing quote and the hash of the inside (as hashText). plain is false
// when it met a byte that needs a closer look (escape, control character, not
// ASCII, end of buffer): the caller then calls checkString.
func scanString(b []byte, i int, h uint64) (end int, hash uint64, plain bool) {
	for i+8 <= len(b) {
		w := binary.LittleEndian.Uint64(b[i:])
		q, s := w^allQuotes, w^allSlashes
		// The lowest flagged byte is exact: borrows only disturb bytes above it.
		m := ((q-allOnes)&^q | (s-allOnes)&^s | (w-allSpaces)&^w | w) & allHigh
		if m == 0 {
			h = fold(h^w, hashMul)
			i += 8
			continue
		}
		k := uint(bits.TrailingZeros64(m)) >> 3
		if b[i+int(k)] != '"' {
			return 0, 0, false
		}
		w &= 1<<(8*k) - 1
		return i + int(k), fold(h^w, hashMul), true
	}
	return 0, 0, false
}

// hashText hashes bytes without NUL: whole little-endian words, then the rest
// padded with zeros.
func hashText(b []byte, h uint64) uint64 {
	for len(b) >= 8 {
		h = fold(h^binary.LittleEndian.Uint64(b), hashMul)
		b = b[8:]
	}
	var w uint64
	for i, c := range b {
		w |= uint64(c) << (8 * uint(i))
	}
	return fold(h^w, hashMul)
}

// checkString validates the inside of a string that starts at i and returns
// the index of the closing quote.
func checkString(b []byte, i int) (end int, err error) {
	for i < len(b) {
		switch c := b[i]; {
		case c == '"':
			return i, nil
		case c == '\\':
			n, err := checkEscape(b, i)
			if err != nil {
				return 0, err
			}
			i += n
		case c < ' ':
			return 0, badJSON(i, "control character in a string")
		case c < utf8.RuneSelf:
			i++
		default:
			r, n := utf8.DecodeRune(b[i:])
			if r == utf8.RuneError && n <= 1 {
				if !utf8.FullRune(b[i:]) {
					return 0, endOfInput(len(b))
				}
				return 0, badJSON(i, "invalid UTF-8 in a string")
			}
			i += n
		}
	}
	return 0, endOfInput(len(b))
}

// checkEscape validates the escape at b[i] (a backslash) and returns its
// length. A surrogate need not have its other half: it is kept as it is.
func checkEscape(b []byte, i int) (n int, err error) {
	if i+1 >= len(b) {
		return 0, endOfInput(len(b))
	}
	switch b[i+1] {
	case '"', '\\', '/', 'b', 'f', 'n', 'r', 't':
		return 2, nil
	case 'u':
		for k := i + 2; k < i+6; k++ {
			if k >= len(b) {
				return 0, endOfInput(len(b))
			}
			if hexDigit(b[k]) < 0 {
				return 0, badJSON(k, "not a hexadecimal digit in a \\u escape")
			}
		}
		return 6, nil
	}
	return 0, badJSON(i+1, "unknown escape in a string")
}

func hexDigit(c byte) rune {
	switch {
	case '0' <= c && c <= '9':
		return rune(c - '0')
	case 'a' <= c && c <= 'f':
		return rune(c-'a') + 10
	case 'A' <= c && c <= 'F':
		return rune(c-'A') + 10
	}
	return -1
}

// scanNumber returns the end of the number at i, or -1 when there is none. It
// stops where the grammar stops: in "012" after the zero.
func scanNumber(b []byte, i int) int {
	if i < len(b) && b[i] == '-' {
		i++
	}
	switch {
	case i >= len(b):
		return -1
	case b[i] == '0':
		i++
	case '1' <= b[i] && b[i] <= '9':
		i = scanDigits(b, i)
	default:
		return -1
	}
	if i < len(b) && b[i] == '.' {
		e := scanDigits(b, i+1)
		if e == i+1 {
			return -1
		}
		i = e
	}
	if i < len(b) && b[i]|0x20 == 'e' {
		i++
		if i < len(b) && (b[i] == '+' || b[i] == '-') {
			i++
		}
		e := scanDigits(b, i)
		if e == i {
			return -1
		}
		i = e
	}
	return i
}

func scanDigits(b []byte, i int) int {
	for i < len(b) && '0' <= b[i] && b[i] <= '9' {
		i++
	}
	return i
}

// scanWord returns the end of the boolean or null at i, or -1.
func scanWord(b []byte, i int, word string) int {
	if len(b)-i >= len(word) && string(b[i:i+len(word)]) == word {
		return i + len(word)
	}
	return -1
}

// scanBool returns the end of the boolean at i, or -1.
func scanBool(b []byte, i int) int {
	if e := scanWord(b, i, "true"); e >= 0 {
		return e
	}
	return scanWord(b, i, "false")
}

// wordError explains why no word stands at i: a prefix of it at the end of the
// buffer may still become one.
func wordError(b []byte, i int, word string) error {
	if rest := b[i:]; len(rest) < len(word) && string(rest) == word[:len(rest)] {
		return endOfInput(len(b))
	}
	return badJSON(i, "not a value")
}

func numberError(b []byte, i int) error {
	for j := i; ; j++ {
		if j == len(b) {
			return endOfInput(j)
		}
		switch c := b[j]; {
		case '0' <= c && c <= '9', c == '-', c == '+', c == '.', c|0x20 == 'e':
		default:
			return badJSON(i, "not a number")
		}
	}
}

func skipSpace(b []byte, i int) int {
	for i < len(b) && (b[i] == ' ' || b[i] == '\n' || b[i] == '\t' || b[i] == '\r') {
		i++
	}
	return i
}

// Unescape appends to dst the text that raw, the inside of a JSON string,
// stands for. A surrogate escape without its other half becomes U+FFFD, and so
// does an escape that is not JSON; anything else is copied.
func Unescape(dst, raw []byte) []byte {
	for i := 0; i < len(raw); {
		c := raw[i]
		if c != '\\' {
			dst = append(dst, c)
			i++
			continue
		}
		n, err := checkEscape(raw, i)
		if err != nil {
			return utf8.AppendRune(dst, utf8.RuneError)
		}
		switch c = raw[i+1]; c {
		case 'b':
			dst = append(dst, '\b')
		case 'f':
			dst = append(dst, '\f')
		case 'n':
			dst = append(dst, '\n')
		case 'r':
			dst = append(dst, '\r')
		case 't':
			dst = append(dst, '\t')
		case 'u':
			r := escapedRune(raw[i+2:])
			if utf16.IsSurrogate(r) {
				pair := rune(utf8.RuneError)
				if rest := raw[i+6:]; len(rest) >= 6 && rest[0] == '\\' && rest[1] == 'u' {
					if _, err := checkEscape(rest, 0); err == nil {
						pair = utf16.DecodeRune(r, escapedRune(rest[2:]))
					}
				}
				if r = pair; r != utf8.RuneError {
					n = 12
				}
			}
			dst = utf8.AppendRune(dst, r)
		default:
			dst = append(dst, c)
		}
		i += n
	}
	return dst
}

func escapedRune(hex []byte) rune {
	return hexDigit(hex[0])<<12 | hexDigit(hex[1])<<8 | hexDigit(hex[2])<<4 | hexDigit(hex[3])
}
