package event

import (
	"bytes"
	"unicode/utf16"
	"unicode/utf8"
)

// AppendUnescaped appends the text that body, the inside of a JSON string,
// stands for. A lone surrogate becomes U+FFFD; what is no escape stays as it
// is. The result is never longer than body.
func AppendUnescaped(dst, body []byte) []byte {
	for {
		k := bytes.IndexByte(body, '\\')
		if k < 0 || k+1 >= len(body) {
			return append(dst, body...)
		}
		dst = append(dst, body[:k]...)
		c := body[k+1]
		n := 2
		switch c {
		case 'b':
			c = '\b'
		case 'f':
			c = '\f'
		case 'n':
			c = '\n'
		case 'r':
			c = '\r'
		case 't':
			c = '\t'
		case '"', '\\', '/':
		case 'u':
			r, ok := hex4(body[k+2:])
			if !ok {
				dst = append(dst, '\\')
				break
			}
			n = 6
			if utf16.IsSurrogate(r) {
				r2, ok := rune(0), false
				if rest := body[k+6:]; len(rest) >= 6 && rest[0] == '\\' && rest[1] == 'u' {
					r2, ok = hex4(rest[2:])
				}
				if r = utf16.DecodeRune(r, r2); ok && r != utf8.RuneError {
					n = 12
				} else {
					r = utf8.RuneError
				}
			}
			dst = utf8.AppendRune(dst, r)
			body = body[k+n:]
			continue
		default:
			dst = append(dst, '\\')
		}
		dst = append(dst, c)
		body = body[k+n:]
	}
}

// hex4 reads four hexadecimal digits.
func hex4(b []byte) (rune, bool) {
	if len(b) < 4 {
		return 0, false
	}
	var r rune
	for _, c := range b[:4] {
		d := hexValue(c)
		if d > 15 {
			return 0, false
		}
		r = r<<4 | rune(d)
	}
	return r, true
}
