package pg

import (
	"strings"
	"unicode/utf8"
)

// tokenKind is what a token of a session's statement is.
type tokenKind uint8

const (
	tokenEnd    tokenKind = iota
	tokenWord             // text is in lower case
	tokenQuoted           // "text"
	tokenString           // 'text', decoded
	tokenNumber
	tokenSign // one character
)

// token is a token with its place in the text.
type token struct {
	kind       tokenKind
	text       string
	start, end int
}

func (t token) is(word string) bool { return t.kind == tokenWord && t.text == word }

func (t token) isSign(s string) bool { return t.kind == tokenSign && t.text == s }

// name returns what the token names; ok is false when it names nothing.
func (t token) name() (string, bool) {
	return t.text, t.kind == tokenWord || t.kind == tokenQuoted && t.text != ""
}

// scanner takes a text apart just so far as finding the ends of statements and reading
// the statements of the session needs. It takes anything: what is wrong in a query is
// for the engine to tell.
type scanner struct {
	text string
	at   int
}

// next returns the next token.
func (s *scanner) next() token {
	s.skip()
	t := token{start: s.at, end: s.at}
	if s.at >= len(s.text) {
		return t
	}
	c := s.text[s.at]
	switch {
	case c == '\'':
		t.kind = tokenString
		t.text = s.quoted('\'', false)
	case c == '"':
		t.kind = tokenQuoted
		t.text = s.quoted('"', false)
	case c == '$' && s.dollarTag() != "":
		tag := s.dollarTag()
		s.at += len(tag)
		t.kind = tokenString
		if end := strings.Index(s.text[s.at:], tag); end >= 0 {
			t.text = s.text[s.at : s.at+end]
			s.at += end + len(tag)
		} else {
			t.text = s.text[s.at:]
			s.at = len(s.text)
		}
	case isWordStart(c):
		from := s.at
		for s.at < len(s.text) && (isWordStart(s.text[s.at]) || isDigit(s.text[s.at]) || s.text[s.at] == '$') {
			s.at++
		}
		word := s.text[from:s.at]
		if s.at < len(s.text) && s.text[s.at] == '\'' && (word == "e" || word == "E") {
			t.kind = tokenString
			t.text = s.quoted('\'', true)
			break
		}
		t.kind, t.text = tokenWord, strings.ToLower(word)
	case isDigit(c) || c == '.' && s.at+1 < len(s.text) && isDigit(s.text[s.at+1]):
		from := s.at
		for s.at < len(s.text) && (isDigit(s.text[s.at]) || isWordStart(s.text[s.at]) || s.text[s.at] == '.') {
			s.at++
		}
		t.kind, t.text = tokenNumber, s.text[from:s.at]
	default:
		_, n := utf8.DecodeRuneInString(s.text[s.at:])
		t.kind, t.text = tokenSign, s.text[s.at:s.at+n]
		s.at += n
	}
	t.end = s.at
	return t
}

func isDigit(c byte) bool { return c >= '0' && c <= '9' }

func isWordStart(c byte) bool {
	return c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c == '_' || c >= utf8.RuneSelf
}

// skip passes over spaces and comments, which nest.
func (s *scanner) skip() {
	for s.at < len(s.text) {
		rest := s.text[s.at:]
		switch {
		case strings.IndexByte(" \t\r\n\f\v", rest[0]) >= 0:
			s.at++
		case strings.HasPrefix(rest, "--"):
			if end := strings.IndexByte(rest, '\n'); end >= 0 {
				s.at += end + 1
			} else {
				s.at = len(s.text)
			}
		case strings.HasPrefix(rest, "/*"):
			depth := 0
			for {
				switch {
				case s.at >= len(s.text):
					return
				case strings.HasPrefix(s.text[s.at:], "/*"):
					depth++
					s.at += 2
				case strings.HasPrefix(s.text[s.at:], "*/"):
					depth--
					s.at += 2
				default:
					s.at++
				}
				if depth == 0 {
					break
				}
			}
		default:
			return
		}
	}
}

// dollarTag returns the $tag$ that begins here, or "".
func (s *scanner) dollarTag() string {
	rest := s.text[s.at+1:]
	for i := range len(rest) {
		switch c := rest[i]; {
		case c == '$':
			return s.text[s.at : s.at+i+2]
		case isWordStart(c) || i > 0 && isDigit(c):
		default:
			return ""
		}
	}
	return ""
}

// quoted reads a quoted text, in which the quote is written twice, or with a backslash
// where that is an escape.
func (s *scanner) quoted(quote byte, escapes bool) string {
	s.at++
	var b strings.Builder
	for s.at < len(s.text) {
		c := s.text[s.at]
		switch {
		case c == quote:
			s.at++
			if s.at >= len(s.text) || s.text[s.at] != quote {
				return b.String()
			}
		case escapes && c == '\\' && s.at+1 < len(s.text):
			s.at++
			c = s.text[s.at]
			if i := strings.IndexByte("bfnrt", c); i >= 0 {
				c = "\b\f\n\r\t"[i]
			} else if c == 'x' && s.at+1 < len(s.text) && hexDigit(s.text[s.at+1]) >= 0 {
				v := 0
				for n := 0; n < 2 && s.at+1 < len(s.text) && hexDigit(s.text[s.at+1]) >= 0; n++ {
					s.at++
					v = v<<4 | hexDigit(s.text[s.at])
				}
				c = byte(v)
			} else if c >= '0' && c <= '7' {
				v := int(c - '0')
				for n := 0; n < 2 && s.at+1 < len(s.text) && s.text[s.at+1] >= '0' && s.text[s.at+1] <= '7'; n++ {
					s.at++
					v = v<<3 | int(s.text[s.at]-'0')
				}
				c = byte(v)
			}
		}
		b.WriteByte(c)
		s.at++
	}
	return b.String()
}

func hexDigit(c byte) int {
	switch {
	case isDigit(c):
		return int(c - '0')
	case c|0x20 >= 'a' && c|0x20 <= 'f':
		return int(c|0x20-'a') + 10
	}
	return -1
}

// piece is one statement of a text.
type piece struct {
	text string
	base int // where it begins
}

// split takes a text apart at the semicolons between statements. Pieces that hold
// nothing but spaces and comments are left out.
func split(text string) []piece {
	var out []piece
	s := scanner{text: text}
	from, empty := 0, true
	for {
		t := s.next()
		if t.kind == tokenEnd || t.isSign(";") {
			if !empty {
				out = append(out, piece{text[from:t.start], from})
			}
			if t.kind == tokenEnd {
				return out
			}
			from, empty = t.end, true
			continue
		}
		empty = false
	}
}
