package parse

import (
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/cairndb/cairn/sql/sqlerr"
)

type tokenKind uint8

const (
	tokEnd    tokenKind = iota // end of the text
	tokWord                    // unquoted identifier or keyword
	tokQuoted                  // "identifier"
	tokString                  // 'text'
	tokBinary                  // X'41'
	tokNumber
	tokParam // ? or $1
	tokOp    // operator or punctuation
	tokBad   // what cannot be a token: err says why
)

// token is one lexical element of the user's text.
type token struct {
	kind  tokenKind
	num   LiteralKind // of a number
	after bool        // a line break stands before it
	split bool        // it is the second half of >>
	start int32       // bytes of the text
	end   int32
	match int32 // index of the other bracket of a pair, 0 if it has none
	// word is the lower-case spelling of a keyword, and the text of an operator.
	word string
	// text is what the token says: an identifier without quotes, a decoded
	// string, the digits of a number, the number of a parameter.
	text string
	err  *sqlerr.Error
}

// tokenizer splits a text into tokens and pairs its brackets. The first thing
// that cannot be a token becomes a tokBad and ends the list: the rewriter then
// reports whichever mistake comes first in the text.
type tokenizer struct {
	text    string
	pos     int
	dialect Dialect
	limit   int
	out     []token
	open    []int32 // brackets not yet closed
	params  int     // highest parameter
	marks   bool    // a ? was seen
	dollars bool    // a $n was seen
}

// run fills out. The last token is always tokEnd, after a tokBad if there is one.
func (t *tokenizer) run() {
	for {
		before := t.pos
		if bad := t.skipSpace(); bad != nil {
			t.fail(bad)
			break
		}
		if t.pos >= len(t.text) {
			break
		}
		if len(t.out) >= t.limit {
			t.fail(sqlerr.New(sqlerr.StatementTooComplex, place(t.pos, t.pos+1),
				"the query has more than %d words and signs", t.limit))
			break
		}
		tok := token{start: int32(t.pos), after: strings.IndexByte(t.text[before:t.pos], '\n') >= 0}
		t.scan(&tok)
		tok.end = int32(t.pos)
		if tok.err != nil {
			t.fail(tok.err)
			break
		}
		t.push(tok)
	}
	// The end is placed right behind the last token: a mark behind trailing
	// comments and blank lines would point at nothing.
	end := int32(0)
	if n := len(t.out); n > 0 {
		end = t.out[n-1].end
	}
	t.out = append(t.out, token{kind: tokEnd, start: end, end: end})
}

func (t *tokenizer) fail(err *sqlerr.Error) {
	t.out = append(t.out, token{kind: tokBad, start: int32(err.Pos.Start), end: int32(err.Pos.End), err: err})
}

// push appends a token: brackets meet their partners, strings that continue on
// another line join in the Postgres dialect.
func (t *tokenizer) push(tok token) {
	n := int32(len(t.out))
	if tok.kind == tokString && tok.after && t.dialect == Postgres && n > 0 && t.out[n-1].kind == tokString {
		t.out[n-1].text += tok.text
		t.out[n-1].end = tok.end
		return
	}
	if tok.kind == tokOp && len(tok.word) == 1 {
		switch tok.word[0] {
		case '(', '[':
			t.open = append(t.open, n)
		case ')', ']':
			if k := len(t.open); k > 0 {
				o := t.open[k-1]
				if (t.out[o].word == "(") == (tok.word == ")") {
					t.out[o].match, tok.match = n, o
					t.open = t.open[:k-1]
				}
			}
		}
	}
	t.out = append(t.out, tok)
}

// skipSpace moves to the next token, over blanks and comments. Blanks are all
// that Unicode calls so and the marks that word processors and web pages leave
// behind, since queries are pasted.
func (t *tokenizer) skipSpace() *sqlerr.Error {
	for t.pos < len(t.text) {
		c := t.text[t.pos]
		switch {
		case c == ' ' || c >= '\t' && c <= '\r':
			t.pos++
		case c == '-' && strings.HasPrefix(t.text[t.pos:], "--"):
			if i := strings.IndexByte(t.text[t.pos:], '\n'); i >= 0 {
				t.pos += i // the line break itself is looked at by the caller
			} else {
				t.pos = len(t.text)
			}
		case c == '/' && strings.HasPrefix(t.text[t.pos:], "/*"):
			end := t.commentEnd(t.pos)
			if end < 0 {
				return sqlerr.New(sqlerr.SyntaxError, place(t.pos, t.pos+2), "the comment is not closed").
					WithHint("a comment that begins with /* ends with */")
			}
			t.pos = end
		case c >= utf8.RuneSelf:
			r, n := utf8.DecodeRuneInString(t.text[t.pos:])
			if !unicode.IsSpace(r) && r != '\ufeff' && r != '\u200b' {
				return nil
			}
			t.pos += n
		default:
			return nil
		}
	}
	return nil
}

// commentEnd returns the offset behind the block comment at from, -1 if it is
// not closed. Comments nest in Postgres and do not in Trino.
func (t *tokenizer) commentEnd(from int) int {
	depth := 0
	for i := from; i+1 < len(t.text); i++ {
		switch {
		case t.text[i] == '*' && t.text[i+1] == '/':
			depth--
			if depth <= 0 || t.dialect == Trino {
				return i + 2
			}
			i++
		case t.text[i] == '/' && t.text[i+1] == '*':
			depth++
			i++
		}
	}
	return -1
}

func (t *tokenizer) scan(tok *token) {
	c := t.text[t.pos]
	switch {
	case c == '\'':
		tok.kind = tokString
		tok.text, tok.err = t.quoted('\'', t.pos)
	case c == '"':
		tok.kind = tokQuoted
		tok.text, tok.err = t.quoted('"', t.pos)
		if tok.err == nil {
			t.checkName(tok)
		}
	case c >= '0' && c <= '9', c == '.' && t.digitAt(t.pos+1):
		if n := uuidLen(t.text[t.pos:]); n > 0 {
			t.bareID(tok, n)
			return
		}
		t.number(tok)
	case isWordStart(rune(c)) || c >= utf8.RuneSelf:
		t.word(tok)
	case c == '$':
		t.dollar(tok)
	case c == '?' && t.dialect == Postgres && t.operandEnds():
		// Between operands it is an operator of jsonb: ?, ?| and ?&.
		n := 1
		if rest := t.text[t.pos:]; len(rest) > 1 && (rest[1] == '|' && !strings.HasPrefix(rest, "?||") || rest[1] == '&') {
			n = 2
		}
		tok.kind, tok.word = tokOp, t.text[t.pos:t.pos+n]
		t.pos += n
	case c == '?':
		t.pos++
		t.param(tok, t.params+1)
		t.marks = true
	default:
		t.operator(tok)
	}
}

// beforeOperands are words besides the reserved ones that may stand before an operand.
var beforeOperands = makeWords(`
all any between by distinct end ilike interval limit offset escape first next return returning set similar some to when
`)

// operandEnds reports whether the last token may be the end of an operand, so that an operator can follow.
func (t *tokenizer) operandEnds() bool {
	n := len(t.out)
	if n == 0 {
		return false
	}
	switch last := &t.out[n-1]; last.kind {
	case tokOp:
		return last.word == ")" || last.word == "]"
	case tokWord:
		if last.word == "end" || last.word == "null" || last.word == "true" || last.word == "false" {
			return true
		}
		return reserved[last.word] == "" && beforeOperands[last.word] == ""
	}
	return true
}

func (t *tokenizer) digitAt(i int) bool {
	return i < len(t.text) && t.text[i] >= '0' && t.text[i] <= '9'
}

func isWordStart(r rune) bool {
	return r == '_' || r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= utf8.RuneSelf && unicode.IsLetter(r)
}

func isWordPart(r rune) bool {
	return isWordStart(r) || r >= '0' && r <= '9' || r == '$' || r >= utf8.RuneSelf && (unicode.IsDigit(r) || unicode.IsMark(r))
}

// wordEnd returns the offset behind the word characters that begin at i.
func (t *tokenizer) wordEnd(i int) int {
	for i < len(t.text) {
		c := t.text[i]
		if c < utf8.RuneSelf {
			if !isWordPart(rune(c)) {
				break
			}
			i++
			continue
		}
		r, n := utf8.DecodeRuneInString(t.text[i:])
		if !isWordPart(r) {
			break
		}
		i += n
	}
	return i
}

// uuidLen returns 36 if s begins with a UUID that ends there, else 0. A UUID is
// the ID of a store and stands bare in queries; its parts would read as
// numbers, words and minus signs.
func uuidLen(s string) int {
	if len(s) < 36 || s[8] != '-' {
		return 0
	}
	for i := 0; i < 36; i++ {
		c := s[i]
		switch i {
		case 8, 13, 18, 23:
			if c != '-' {
				return 0
			}
		default:
			if (c < '0' || c > '9') && (c|0x20 < 'a' || c|0x20 > 'f') {
				return 0
			}
		}
	}
	if len(s) > 36 && (isWordPart(rune(s[36])) || s[36] == '-' && len(s) > 37 && isWordPart(rune(s[37]))) {
		return 0
	}
	return 36
}

func (t *tokenizer) bareID(tok *token, n int) {
	tok.kind = tokWord
	tok.text = t.text[t.pos : t.pos+n]
	t.pos += n
}

func (t *tokenizer) word(tok *token) {
	if n := uuidLen(t.text[t.pos:]); n > 0 {
		t.bareID(tok, n)
		return
	}
	start := t.pos
	if r, n := utf8.DecodeRuneInString(t.text[start:]); !isWordStart(r) {
		tok.err = strayRune(r, place(start, start+n))
		return
	}
	t.pos = t.wordEnd(start)
	tok.kind = tokWord
	tok.text = t.text[start:t.pos]
	tok.word = knownWord(tok.text)
	if t.pos >= len(t.text) {
		return
	}
	// Prefixed strings: the prefix touches the quote.
	switch next := t.text[t.pos]; {
	case next == '\'' && len(tok.text) == 1:
		switch tok.text[0] | 0x20 {
		case 'x':
			tok.kind, tok.word = tokBinary, ""
			tok.text, tok.err = t.hexString(start)
		case 'e':
			if t.dialect == Postgres {
				tok.kind, tok.word = tokString, ""
				tok.text, tok.err = t.escapeString(start)
			}
		case 'b':
			tok.err = sqlerr.New(sqlerr.FeatureNotSupported, place(start, t.pos+1), "bit strings are not supported")
		}
	case next == '&' && strings.EqualFold(tok.text, "u") && t.pos+1 < len(t.text):
		switch quote := t.text[t.pos+1]; quote {
		case '\'', '"':
			t.pos++
			tok.kind, tok.word = tokString, ""
			if quote == '"' {
				tok.kind = tokQuoted
			}
			tok.text, tok.err = t.unicodeString(start, quote)
			if tok.err == nil && quote == '"' {
				t.checkName(tok)
			}
		}
	}
}

// strayRune says why a character cannot begin anything.
func strayRune(r rune, pos Pos) *sqlerr.Error {
	switch r {
	case utf8.RuneError:
		return sqlerr.New(sqlerr.InvalidEncoding, pos, "the query is not valid UTF-8 here")
	case '\u2018', '\u2019', '\u201a', '\u201b', '\u201c', '\u201d', '\u201e', '\u201f', '\u00ab', '\u00bb', '\u00b4':
		return sqlerr.New(sqlerr.SyntaxError, pos, "syntax error at or near %q", string(r)).
			WithHint("this is a typographic quote; text is written in ' and names in \"")
	case '\u2013', '\u2014', '\u2212':
		return sqlerr.New(sqlerr.SyntaxError, pos, "syntax error at or near %q", string(r)).
			WithHint("this is a typographic dash; minus and comments are written with -")
	}
	return sqlerr.New(sqlerr.SyntaxError, pos, "syntax error at or near %s", quoteForMessage(string(r)))
}

// checkName refuses what no name may hold.
func (t *tokenizer) checkName(tok *token) {
	pos := place(int(tok.start), t.pos)
	if tok.text == "" {
		tok.err = sqlerr.New(sqlerr.SyntaxError, pos, "a quoted name must not be empty").
			WithHint("double quotes make a name; the empty text is ''")
		return
	}
	for _, r := range tok.text {
		if r < ' ' || r == 0x7f {
			tok.err = sqlerr.New(sqlerr.SyntaxError, pos, "a quoted name must not hold control characters")
			return
		}
	}
}

// quoted reads a string or name whose opening quote is at t.pos. The quote
// itself stands in it doubled.
func (t *tokenizer) quoted(quote byte, start int) (string, *sqlerr.Error) {
	begin := t.pos + 1
	doubled := false
	for i := begin; ; i++ {
		n := strings.IndexByte(t.text[i:], quote)
		if n < 0 {
			return "", unclosedQuote(quote, start)
		}
		i += n
		if i+1 < len(t.text) && t.text[i+1] == quote {
			doubled = true
			i++
			continue
		}
		t.pos = i + 1
		s := t.text[begin:i]
		if !utf8.ValidString(s) {
			return "", badEncoding(s, begin)
		}
		if doubled {
			q := string(quote)
			s = strings.ReplaceAll(s, q+q, q)
		}
		return s, nil
	}
}

func unclosedQuote(quote byte, start int) *sqlerr.Error {
	if quote == '"' {
		return sqlerr.New(sqlerr.SyntaxError, place(start, start+1), "the quoted name is not closed").
			WithHint("a name that begins with \" ends with \"")
	}
	return sqlerr.New(sqlerr.SyntaxError, place(start, start+1), "the text literal is not closed").
		WithHint("a text that begins with ' ends with '; a quote inside it is written ''")
}

func badEncoding(s string, at int) *sqlerr.Error {
	for i, r := range s {
		if r == utf8.RuneError {
			if _, n := utf8.DecodeRuneInString(s[i:]); n <= 1 {
				return sqlerr.New(sqlerr.InvalidEncoding, place(at+i, at+i+1), "the query is not valid UTF-8 here")
			}
		}
	}
	return nil
}

// rawQuoted is quoted for strings whose content is decoded afterwards: it also
// returns where the content begins.
func (t *tokenizer) rawQuoted(quote byte, start int) (string, int, *sqlerr.Error) {
	begin := t.pos + 1
	s, err := t.quoted(quote, start)
	return s, begin, err
}

// hexString reads X'…' with t.pos at the quote.
func (t *tokenizer) hexString(start int) (string, *sqlerr.Error) {
	s, begin, err := t.rawQuoted('\'', start)
	if err != nil {
		return "", err
	}
	out := make([]byte, 0, len(s)/2)
	high, half := byte(0), false
	for i := 0; i < len(s); i++ {
		c := s[i]
		if c == ' ' {
			continue
		}
		d, ok := hexDigit(c)
		if !ok {
			return "", sqlerr.New(sqlerr.InvalidText, place(begin+i, begin+i+1), "a binary literal holds hexadecimal digits only")
		}
		if half {
			out = append(out, high<<4|d)
		}
		high, half = d, !half
	}
	if half {
		return "", sqlerr.New(sqlerr.InvalidText, place(start, t.pos), "a binary literal needs an even number of digits")
	}
	return string(out), nil
}

func hexDigit(c byte) (byte, bool) {
	switch {
	case c >= '0' && c <= '9':
		return c - '0', true
	case c >= 'a' && c <= 'f':
		return c - 'a' + 10, true
	case c >= 'A' && c <= 'F':
		return c - 'A' + 10, true
	}
	return 0, false
}

// hexRune reads n hexadecimal digits of s at i as a character.
func hexRune(s string, i, n int) (rune, bool) {
	if i+n > len(s) {
		return 0, false
	}
	r := rune(0)
	for _, c := range []byte(s[i : i+n]) {
		d, ok := hexDigit(c)
		if !ok {
			return 0, false
		}
		r = r<<4 | rune(d)
	}
	return r, r > 0 && utf8.ValidRune(r)
}

// escapeString reads E'…', in which a backslash escapes, with t.pos at the quote.
func (t *tokenizer) escapeString(start int) (string, *sqlerr.Error) {
	var b strings.Builder
	for i := t.pos + 1; i < len(t.text); i++ {
		c := t.text[i]
		switch {
		case c == '\'' && i+1 < len(t.text) && t.text[i+1] == '\'':
			b.WriteByte('\'')
			i++
		case c == '\'':
			t.pos = i + 1
			if s := b.String(); utf8.ValidString(s) {
				return s, nil
			}
			return "", sqlerr.New(sqlerr.InvalidEncoding, place(start, t.pos), "the text literal is not valid UTF-8")
		case c == '\\' && i+1 < len(t.text):
			n, ok := unescape(&b, t.text[i+1:])
			if !ok {
				return "", sqlerr.New(sqlerr.InvalidEscape, place(i, i+2), "the escape sequence is not complete")
			}
			i += n
		default:
			b.WriteByte(c)
		}
	}
	return "", unclosedQuote('\'', start)
}

// unescape writes the character that the escape sequence s (without its
// backslash) stands for and returns how many bytes of s it took.
func unescape(b *strings.Builder, s string) (int, bool) {
	switch c := s[0]; c {
	case 'b':
		b.WriteByte('\b')
	case 'f':
		b.WriteByte('\f')
	case 'n':
		b.WriteByte('\n')
	case 'r':
		b.WriteByte('\r')
	case 't':
		b.WriteByte('\t')
	case 'u', 'U':
		n := 4
		if c == 'U' {
			n = 8
		}
		r, ok := hexRune(s, 1, n)
		if !ok {
			return 0, false
		}
		b.WriteRune(r)
		return 1 + n, true
	case 'x':
		v, n := 0, 1
		for n < len(s) && n <= 2 {
			d, ok := hexDigit(s[n])
			if !ok {
				break
			}
			v, n = v<<4|int(d), n+1
		}
		if n == 1 || v == 0 {
			return 0, false
		}
		b.WriteByte(byte(v))
		return n, true
	case '0', '1', '2', '3', '4', '5', '6', '7':
		v, n := 0, 0
		for n < len(s) && n < 3 && s[n] >= '0' && s[n] <= '7' {
			v, n = v<<3|int(s[n]-'0'), n+1
		}
		if v == 0 || v > 255 {
			return 0, false
		}
		b.WriteByte(byte(v))
		return n, true
	default:
		b.WriteByte(c)
	}
	return 1, true
}

// unicodeString reads U&'…' or U&"…" and a UESCAPE clause behind it, with t.pos
// at the quote.
func (t *tokenizer) unicodeString(start int, quote byte) (string, *sqlerr.Error) {
	s, begin, err := t.rawQuoted(quote, start)
	if err != nil {
		return "", err
	}
	escape := byte('\\')
	after := t.pos
	if bad := t.skipSpace(); bad == nil && len(t.text)-t.pos >= 7 && strings.EqualFold(t.text[t.pos:t.pos+7], "uescape") && t.wordEnd(t.pos) == t.pos+7 {
		t.pos += 7
		if bad := t.skipSpace(); bad != nil {
			return "", bad
		}
		rest := t.text[t.pos:]
		if len(rest) < 3 || rest[0] != '\'' || rest[2] != '\'' || strings.IndexByte("+'\" \t\n", rest[1]) >= 0 || rest[1] >= utf8.RuneSelf {
			return "", sqlerr.New(sqlerr.SyntaxError, place(t.pos, min(t.pos+1, len(t.text))), "UESCAPE needs one character in quotes")
		}
		if _, isHex := hexDigit(rest[1]); isHex {
			return "", sqlerr.New(sqlerr.SyntaxError, place(t.pos, t.pos+3), "UESCAPE must not be a hexadecimal digit")
		}
		escape = rest[1]
		t.pos += 3
	} else {
		t.pos = after
	}
	if strings.IndexByte(s, escape) < 0 {
		return s, nil
	}
	var b strings.Builder
	for i := 0; i < len(s); i++ {
		if s[i] != escape {
			b.WriteByte(s[i])
			continue
		}
		switch {
		case i+1 < len(s) && s[i+1] == escape:
			b.WriteByte(escape)
			i++
		case i+1 < len(s) && s[i+1] == '+':
			r, ok := hexRune(s, i+2, 6)
			if !ok {
				return "", badUnicodeEscape(begin, start, i, t.pos)
			}
			b.WriteRune(r)
			i += 7
		default:
			r, ok := hexRune(s, i+1, 4)
			if !ok {
				return "", badUnicodeEscape(begin, start, i, t.pos)
			}
			b.WriteRune(r)
			i += 4
		}
	}
	return b.String(), nil
}

func badUnicodeEscape(begin, start, i, end int) *sqlerr.Error {
	pos := place(begin+i, begin+i+1)
	if pos.End > end { // doubled quotes before it moved the offsets
		pos = place(start, end)
	}
	return sqlerr.New(sqlerr.InvalidEscape, pos, "the Unicode escape is not a character").
		WithHint("write \\XXXX or \\+XXXXXX with hexadecimal digits")
}

// dollar reads what begins with $: a parameter, or a dollar-quoted string.
func (t *tokenizer) dollar(tok *token) {
	start := t.pos
	if t.digitAt(start + 1) {
		end := start + 1
		for t.digitAt(end) {
			end++
		}
		n, err := strconv.Atoi(t.text[start+1 : end])
		t.pos = end
		if err != nil || n < 1 || n > MaxParams || t.wordEnd(end) > end {
			t.pos = t.wordEnd(end)
			tok.err = sqlerr.New(sqlerr.UndefinedParameter, place(start, t.pos),
				"%s is not a parameter", quoteForMessage(t.text[start:t.pos])).
				WithHint("parameters are $1 to $%d", MaxParams)
			return
		}
		t.param(tok, n)
		t.dollars = true
		return
	}
	nameEnd := start + 1
	for nameEnd < len(t.text) && t.text[nameEnd] != '$' {
		n := t.wordEnd(nameEnd)
		if n == nameEnd {
			break
		}
		// wordEnd takes $ for a part of a word, so stop at the first one.
		if i := strings.IndexByte(t.text[nameEnd:n], '$'); i >= 0 {
			n = nameEnd + i
		}
		nameEnd = n
	}
	if t.dialect == Postgres && nameEnd < len(t.text) && t.text[nameEnd] == '$' {
		tag := t.text[start : nameEnd+1]
		n := strings.Index(t.text[nameEnd+1:], tag)
		if n < 0 {
			tok.err = sqlerr.New(sqlerr.SyntaxError, place(start, nameEnd+1), "the text literal is not closed").
				WithHint("a text that begins with %s ends with %s", tag, tag)
			return
		}
		tok.kind = tokString
		tok.text = t.text[nameEnd+1 : nameEnd+1+n]
		t.pos = nameEnd + 1 + n + len(tag)
		tok.err = badEncoding(tok.text, nameEnd+1)
		return
	}
	name := t.text[start:nameEnd]
	switch {
	case strings.EqualFold(name, "$eds_id"):
		tok.err = sqlerr.New(sqlerr.SyntaxError, place(start, nameEnd), "%s is a placeholder, not a table", name).
			WithHint("put the name or the ID of an event data store in its place")
	case len(name) > 1:
		tok.err = sqlerr.New(sqlerr.SyntaxError, place(start, nameEnd), "syntax error at or near %s", quoteForMessage(name)).
			WithHint("parameters are $1, $2 … or ?; a name that begins with $ needs double quotes")
	default:
		tok.err = sqlerr.New(sqlerr.SyntaxError, place(start, start+1), `syntax error at or near "$"`)
	}
}

// param finishes a parameter token. The two spellings cannot be mixed: which
// number a ? has would then be a guess.
func (t *tokenizer) param(tok *token, n int) {
	pos := place(int(tok.start), t.pos)
	question := t.text[tok.start] == '?'
	if question && t.dollars || !question && t.marks {
		tok.err = sqlerr.New(sqlerr.SyntaxError, pos, "parameters are written either ? or $1, not both in one query")
		return
	}
	if n > MaxParams {
		tok.err = sqlerr.New(sqlerr.ProgramLimit, pos, "the query has more than %d parameters", MaxParams)
		return
	}
	t.params = max(t.params, n)
	tok.kind = tokParam
	tok.text = strconv.Itoa(n)
}

// number reads a numeric literal. Digits that run into letters are no number:
// a name, or a store's ID that the tokenizer cannot tell from arithmetic. The
// token is then a word whose err stands until the rewriter has looked whether
// a table may be named here.
func (t *tokenizer) number(tok *token) {
	start := t.pos
	tok.kind, tok.num = tokNumber, IntegerLiteral
	if t.text[start] == '0' && start+1 < len(t.text) && strings.IndexByte("xXoObB", t.text[start+1]) >= 0 {
		end := t.wordEnd(start)
		if v, err := strconv.ParseUint(t.text[start:end], 0, 64); err == nil {
			t.pos = end
			tok.text = strconv.FormatUint(v, 10)
			return
		}
	}
	end, ok := t.digits(start)
	if end < len(t.text) && t.text[end] == '.' {
		tok.num = DecimalLiteral
		var okay bool
		end, okay = t.digits(end + 1)
		ok = ok && okay
	}
	if end < len(t.text) && t.text[end]|0x20 == 'e' {
		e := end + 1
		if e < len(t.text) && (t.text[e] == '+' || t.text[e] == '-') {
			e++
		}
		if t.digitAt(e) {
			var okay bool
			tok.num = DoubleLiteral
			end, okay = t.digits(e)
			ok = ok && okay
		}
	}
	if rest := t.wordEnd(end); rest > end || !ok {
		t.pos = rest
		tok.kind = tokWord
		tok.text = t.text[start:rest]
		return
	}
	t.pos = end
	tok.text = plainNumber(t.text[start:end])
}

// plainNumber spells a number as every parser of numbers takes it: without
// underscores, with a digit before the point, and without a point that nothing
// follows.
func plainNumber(s string) string {
	s = strings.ReplaceAll(s, "_", "")
	if s[0] == '.' {
		s = "0" + s
	}
	if i := strings.IndexByte(s, '.'); i >= 0 && (i+1 == len(s) || s[i+1]|0x20 == 'e') {
		s = s[:i] + s[i+1:]
	}
	return s
}

// digits reads digits, which may be grouped by single underscores, and returns
// where they end and whether the grouping is right.
func (t *tokenizer) digits(i int) (int, bool) {
	ok, last := true, byte('_')
	for i < len(t.text) && (t.digitAt(i) || t.text[i] == '_') {
		c := t.text[i]
		if c == '_' && last == '_' {
			ok = false
		}
		last = c
		i++
	}
	if last == '_' && i > 0 && t.text[i-1] == '_' {
		ok = false
	}
	return i, ok
}

// operators are the operators longer than one character, longest first.
var operators = []string{
	"!~~*", "->>", "#>>", "!~~", "~~*", "!~*", "<=>",
	"->", "#>", "#-", "@>", "<@", "@@", "&&", "||", "<<", ">>", "!~", "~~", "~*",
	"<=", ">=", "<>", "!=", "==", "=>", "::", ":=",
}

func (t *tokenizer) operator(tok *token) {
	rest := t.text[t.pos:]
	tok.kind = tokOp
	for _, op := range operators {
		if rest[0] == op[0] && strings.HasPrefix(rest, op) {
			tok.word = rest[:len(op)]
			t.pos += len(op)
			return
		}
	}
	pos := place(t.pos, t.pos+1)
	switch c := rest[0]; c {
	case '+', '-', '*', '/', '%', '<', '>', '=', '(', ')', '[', ']', ',', ';', '.', ':', '|', '&', '^', '~':
		tok.word = rest[:1]
		t.pos++
	case '`':
		tok.err = sqlerr.New(sqlerr.SyntaxError, pos, "syntax error at or near \"`\"").
			WithHint("backquotes have no meaning here; a name that needs quotes stands in double quotes")
	case '#':
		tok.err = sqlerr.New(sqlerr.SyntaxError, pos, `syntax error at or near "#"`).
			WithHint("a comment begins with --")
	case '!':
		tok.err = sqlerr.New(sqlerr.SyntaxError, pos, `syntax error at or near "!"`).
			WithHint("negation is written NOT, inequality <>")
	case '\\':
		tok.err = sqlerr.New(sqlerr.SyntaxError, pos, "syntax error at or near %s", `"\"`).
			WithHint("a backslash escapes nothing here; a quote inside a text is written ''")
	default:
		if c < ' ' || c == 0x7f {
			tok.err = sqlerr.New(sqlerr.SyntaxError, pos, "the query holds a control character (0x%02x)", c)
			return
		}
		tok.err = sqlerr.New(sqlerr.SyntaxError, pos, "syntax error at or near %s", quoteForMessage(rest[:1]))
	}
}

// quoteForMessage puts a piece of the user's text in double quotes, cut to a
// length that fits a message.
func quoteForMessage(s string) string {
	const longest = 60
	if len(s) > longest {
		cut := longest
		for cut > 0 && !utf8.RuneStart(s[cut]) {
			cut--
		}
		s = s[:cut] + "…"
	}
	return `"` + strings.Map(func(r rune) rune {
		if r < ' ' {
			return ' '
		}
		return r
	}, s) + `"`
}
