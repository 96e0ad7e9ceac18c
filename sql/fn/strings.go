package fn

import (
	"io"
	"math"
	"strings"
	"unicode"
	"unicode/utf8"

	"golang.org/x/text/unicode/norm"

	"github.com/cairndb/cairn/segment/column"
	"github.com/cairndb/cairn/sql/sqlerr"
)

// maxTextBytes is the largest text a function makes out of small arguments
// (lpad, repeat, concat): beyond it a query only eats memory.
const maxTextBytes = 16 << 20

func tooLong(name string) error {
	return fault(sqlerr.ProgramLimit, "the result of %s is over %d MiB", name, maxTextBytes>>20)
}

// runeOffset returns the byte offset of code point n of s (from 0); false when
// s has fewer.
func runeOffset(s string, n int64) (int, bool) {
	if n > int64(len(s)) {
		return 0, false
	}
	i := 0
	for ; n > 0; n-- {
		if i >= len(s) {
			return 0, false
		}
		if s[i] < utf8.RuneSelf {
			i++
			continue
		}
		_, size := utf8.DecodeRuneInString(s[i:])
		i += size
	}
	return i, true
}

// substr takes length code points from start, which counts from 1, or from the
// end when negative.
func substr(s string, start, length int64) string {
	if start == 0 || length <= 0 {
		return ""
	}
	var from int
	if start > 0 {
		var ok bool
		if from, ok = runeOffset(s, start-1); !ok {
			return ""
		}
	} else {
		n := int64(utf8.RuneCountInString(s))
		if start < -n {
			return ""
		}
		from, _ = runeOffset(s, n+start)
	}
	s = s[from:]
	if end, ok := runeOffset(s, length); ok {
		return s[:end]
	}
	return s
}

// strpos returns the 1-based code point position of an occurrence of sub, 0 if
// there is none; a negative instance counts from the end.
func strpos(s, sub string, instance int64) int64 {
	at := -1
	if instance > 0 {
		from := 0
		for ; instance > 0; instance-- {
			i := strings.Index(s[from:], sub)
			if i < 0 {
				return 0
			}
			at = from + i
			if instance == 1 {
				break
			}
			_, size := utf8.DecodeRuneInString(s[at:])
			if from = at + size; size == 0 {
				return 0
			}
		}
	} else {
		end := len(s)
		for ; instance < 0; instance++ {
			at = strings.LastIndex(s[:end], sub)
			if at < 0 {
				return 0
			}
			if end = at + len(sub) - 1; end < 0 && instance < -1 {
				return 0
			}
		}
	}
	return int64(utf8.RuneCountInString(s[:at])) + 1
}

func reverseText(p *pacer, s string) string {
	out := make([]byte, len(s))
	at := len(out)
	for i, r := range validText(s) {
		if i%tickBytes < utf8.UTFMax {
			p.tick(tickBytes)
		}
		var buf [utf8.UTFMax]byte
		n := utf8.EncodeRune(buf[:], r)
		if at < n { // only when invalid bytes grew to U+FFFD
			return string(reversedRunes(s))
		}
		at -= n
		copy(out[at:], buf[:n])
	}
	return string(out[at:])
}

func reversedRunes(s string) []rune {
	r := []rune(s)
	for i, j := 0, len(r)-1; i < j; i, j = i+1, j-1 {
		r[i], r[j] = r[j], r[i]
	}
	return r
}

func pad(left bool) func(c *Context, s string, n int64, with string) (string, bool, error) {
	return func(_ *Context, s string, n int64, with string) (string, bool, error) {
		if n < 0 || with == "" {
			return "", false, fault(sqlerr.InvalidArgument, "padding needs a length of at least 0 and some text to pad with")
		}
		have := int64(utf8.RuneCountInString(s))
		if have >= n {
			end, _ := runeOffset(s, n)
			return s[:end], true, nil
		}
		unit := int64(utf8.RuneCountInString(with))
		missing := n - have
		if missing > maxTextBytes/int64(len(with))*unit {
			return "", false, tooLong("padding")
		}
		end, _ := runeOffset(with, missing%unit)
		fill := strings.Repeat(with, int(missing/unit)) + with[:end]
		if left {
			return fill + s, true, nil
		}
		return s + fill, true, nil
	}
}

// emptyDelimiter is the error of functions that split text.
func emptyDelimiter() error { return fault(sqlerr.InvalidArgument, "the delimiter is empty") }

func splitPart(c *Context, s, delimiter string, index int64) (string, bool, error) {
	if index < 1 {
		return "", false, fault(sqlerr.InvalidArgument, "the index of a part must be 1 or more, not %d", index)
	}
	if delimiter == "" {
		// Every character is a part.
		r := substr(s, index, 1)
		return r, r != "", nil
	}
	p := pacer{c: c}
	for {
		i := strings.Index(s, delimiter)
		p.tick(rowWork)
		if index == 1 {
			if i >= 0 {
				s = s[:i]
			}
			return s, true, nil
		}
		if i < 0 {
			return "", false, nil
		}
		s = s[i+len(delimiter):]
		index--
	}
}

func pushSplit(c *Context, out *column.Vector, s, delimiter string, limit int64) error {
	if delimiter == "" {
		return emptyDelimiter()
	}
	parts := out.Children[0]
	pace := pacer{c: c}
	for limit != 1 {
		if err := pace.spend(rowWork); err != nil {
			return err
		}
		if err := pace.keep(elementBytes); err != nil {
			return err
		}
		i := strings.Index(s, delimiter)
		if i < 0 {
			break
		}
		pushStr(parts, s[:i])
		s = s[i+len(delimiter):]
		limit--
	}
	pushStr(parts, s)
	pushEnd(out)
	return nil
}

// eachEntry cuts text into entries and those into key and value.
func eachEntry(p *pacer, s, entries, pair string, f func(key, value string) error) error {
	if entries == "" || pair == "" {
		return emptyDelimiter()
	}
	if entries == pair {
		return fault(sqlerr.InvalidArgument, "the delimiters of entries and of keys are the same")
	}
	for s != "" {
		entry, rest, _ := strings.Cut(s, entries)
		s = rest
		p.tick(elementBytes * 4) // entries are looked up among their keys
		key, value, ok := strings.Cut(entry, pair)
		if !ok {
			return fault(sqlerr.InvalidArgument, "the entry %s has no %s", shown(entry), shown(pair))
		}
		if err := f(key, value); err != nil {
			return err
		}
	}
	return nil
}

func hamming(c *Context, a, b string) (int64, bool, error) {
	p := pacer{c: c}
	var n int64
	for s, t := a, b; ; p.tick(1) {
		x, sizeX := utf8.DecodeRuneInString(s)
		y, sizeY := utf8.DecodeRuneInString(t)
		if sizeX == 0 && sizeY == 0 {
			return n, true, nil
		}
		if sizeX == 0 || sizeY == 0 {
			return 0, false, fault(sqlerr.InvalidArgument, "hamming_distance compares texts of one length, not %d and %d", utf8.RuneCountInString(a), utf8.RuneCountInString(b))
		}
		n += truth(x != y)
		s, t = s[sizeX:], t[sizeY:]
	}
}

// maxDistanceCells bounds the work of levenshtein_distance.
const maxDistanceCells = 100_000_000

func levenshtein(c *Context, a, b string) (int64, bool, error) {
	p := pacer{c: c}
	cells := utf8.RuneCountInString(a) * utf8.RuneCountInString(b)
	if cells > maxDistanceCells {
		return 0, false, fault(sqlerr.ProgramLimit, "the texts are too long for levenshtein_distance")
	}
	ra, rb := []rune(a), []rune(b)
	row := make([]int64, len(rb)+1)
	for j := range row {
		row[j] = int64(j)
	}
	for i := range ra {
		p.tick(len(rb) / 2)
		diagonal := row[0]
		row[0] = int64(i) + 1
		for j := range rb {
			cost := diagonal + truth(ra[i] != rb[j])
			diagonal = row[j+1]
			row[j+1] = min(cost, row[j]+1, row[j+1]+1)
		}
	}
	return row[len(rb)], true, nil
}

func soundex(s string) string {
	const codes = "01230120022455012623010202"
	out := make([]byte, 0, 4)
	last := byte('0')
	for _, r := range s {
		r = unicode.ToUpper(r)
		if r < 'A' || r > 'Z' {
			continue
		}
		code := codes[r-'A']
		switch {
		case len(out) == 0:
			out = append(out, byte(r))
		case code != '0' && code != last:
			out = append(out, code)
		}
		// H and W do not separate letters of one sound, vowels do.
		if r != 'H' && r != 'W' {
			last = code
		}
		if len(out) == 4 {
			break
		}
	}
	for len(out) > 0 && len(out) < 4 {
		out = append(out, '0')
	}
	return string(out)
}

// normalized brings a text into a normal form.
func normalized(p *pacer, f norm.Form, s string) string {
	if len(s) <= tickBytes {
		p.tick(len(s))
		return f.String(s)
	}
	var out strings.Builder
	w := f.Writer(&out)
	p.pieces(s, func(piece string) {
		p.tick(len(piece)) // composing costs more than the rest
		io.WriteString(w, piece)
	})
	w.Close()
	return out.String()
}

func translate(c *Context, s, from, to string) (string, bool, error) {
	target := []rune(to)
	m := make(map[rune]rune, len(from))
	n := 0
	for _, r := range from {
		if _, seen := m[r]; !seen {
			if n < len(target) {
				m[r] = target[n]
			} else {
				m[r] = -1 // deletes
			}
		}
		n++
	}
	p := pacer{c: c}
	return strings.Map(func(r rune) rune {
		p.tick(1)
		if t, ok := m[r]; ok {
			return t
		}
		return r
	}, s), true, nil
}

func luhn(c *Context, s string) (int64, bool, error) {
	p := pacer{c: c}
	sum := 0
	for i := range len(s) {
		if i%tickBytes == 0 {
			p.tick(tickBytes / 2)
		}
		d := int(s[len(s)-1-i]) - '0'
		if d < 0 || d > 9 {
			return 0, false, fault(sqlerr.InvalidArgument, "luhn_check takes digits, not %s", shown(s))
		}
		if i%2 == 1 {
			if d *= 2; d > 9 {
				d -= 9
			}
		}
		sum += d
	}
	return truth(sum%10 == 0 && s != ""), true, nil
}

func replaceAll(c *Context, s, find, with string) (string, bool, error) {
	if len(s) <= tickBytes || find == "" {
		if len(with) > len(find) {
			// An empty find stands before every character and at the end.
			if n := strings.Count(s, find); len(s)+n*(len(with)-len(find)) > maxTextBytes {
				return "", false, tooLong("replace")
			}
		}
		return strings.ReplaceAll(s, find, with), true, nil
	}
	p := pacer{c: c}
	var out strings.Builder
	for {
		i := strings.Index(s, find)
		if i < 0 {
			i = len(s)
		}
		if len(with) > len(find) && out.Len()+i+len(with) > maxTextBytes {
			return "", false, tooLong("replace")
		}
		if i == len(s) {
			out.WriteString(s)
			return out.String(), true, nil
		}
		p.tick(rowWork + i/plainWork)
		out.WriteString(s[:i])
		out.WriteString(with)
		s = s[i+len(find):]
	}
}

// isSpace is what trim takes for space, as Java's Character.isWhitespace has it:
// with the separators U+001C to U+001F, without spaces that do not break a line.
func isSpace(r rune) bool {
	switch r {
	case 0x85, 0xa0, 0x2007, 0x202f:
		return false
	}
	return r >= 0x1c && r <= 0x1f || unicode.IsSpace(r)
}

// concatOverloads are those of ||: text, bytes, arrays, an array and an element.
func concatOverloads() []overload {
	join := try2(func(_ *Context, a, b string) (string, bool, error) {
		if len(a)+len(b) > maxTextBytes && a != "" && b != "" {
			return "", false, tooLong("||")
		}
		return a + b, true, nil
	})
	return []overload{
		over("varchar, varchar", "varchar", join), over("varbinary, varbinary", "varbinary", join),
		over("array(T), array(T)", "array(T)", concatArrays),
		over("array(T), T", "array(T)", emitNulls(func(c *Context, out *column.Vector, args []*column.Vector, i int) error {
			if args[0].IsNull(i) {
				pushNull(out)
				return nil
			}
			pushElements(&pacer{c: c}, out, args[0], i)
			push(out.Children[0], args[1], i)
			pushEnd(out)
			return nil
		})).nulls(),
		over("T, array(T)", "array(T)", emitNulls(func(c *Context, out *column.Vector, args []*column.Vector, i int) error {
			if args[1].IsNull(i) {
				pushNull(out)
				return nil
			}
			push(out.Children[0], args[0], i)
			pushElements(&pacer{c: c}, out, args[1], i)
			pushEnd(out)
			return nil
		})).nulls(),
	}
}

// concatTexts joins any number of texts.
var concatTexts = textKernel(func(dst []byte, args []*column.Vector, i int) ([]byte, error) {
	before := len(dst)
	for _, a := range args {
		s := strAt(a, i)
		if len(dst)-before+len(s) > maxTextBytes {
			return nil, tooLong("concat")
		}
		dst = append(dst, s...)
	}
	return dst, nil
})

// plainWork is how many bytes of a text that is only looked at or copied cost as
// much as one that is worked on.
const plainWork = 16

// foldCase changes the letters from lo to hi to the other case, and other
// letters with general. A text without such letters stays where it is.
func foldCase(lo, hi byte, general func(string) string) kernel {
	return func(c *Context, t *column.Type, args []*column.Vector, n int) (*column.Vector, error) {
		in, mask := data[string](args[0])
		v, out := made[string](t, n)
		b := newTextBatch(n)
		folded := make([]int32, 0, n) // the rows whose text is in b
		pace := pacer{c: c}
		for i := range out {
			s := in[i&mask]
			change, high := false, byte(0)
			for rest := s; ; rest = rest[tickBytes:] {
				piece := rest[:min(len(rest), tickBytes)]
				pace.tick(rowWork + len(piece)/plainWork)
				for k := range len(piece) {
					c := piece[k]
					high |= c
					change = change || c-lo <= hi-lo
				}
				if len(rest) <= tickBytes {
					break
				}
			}
			switch {
			case high >= utf8.RuneSelf:
				if len(s) <= tickBytes {
					out[i] = general(s)
					break
				}
				var long strings.Builder
				pace.pieces(s, func(piece string) { long.WriteString(general(piece)) })
				out[i] = long.String()
			case !change:
				out[i] = s
			default:
				from := len(b.buf)
				b.buf = append(b.buf, s...)
				for k, c := range b.buf[from:] {
					if c-lo <= hi-lo {
						b.buf[from+k] = c ^ 0x20
					}
				}
				b.end()
				folded = append(folded, int32(i))
			}
		}
		texts := make([]string, len(folded))
		b.fill(texts)
		for k, i := range folded {
			out[i] = texts[k]
		}
		return v, nil
	}
}

// concatWS joins what is not NULL with a separator; arrays count as their
// elements.
var concatWS kernel = func(c *Context, t *column.Type, args []*column.Vector, n int) (*column.Vector, error) {
	v, out := made[string](t, n)
	var buf []byte
	pace := pacer{c: c}
	for i := range out {
		if args[0].IsNull(i) {
			v.SetNull(i)
			continue
		}
		sep := strAt(args[0], i)
		buf = buf[:0]
		first := true
		add := func(a *column.Vector, i int) {
			if a.IsNull(i) {
				return
			}
			if !first {
				buf = append(buf, sep...)
			}
			first = false
			leaf, j := a.Leaf(i)
			pace.tick(elementBytes + (len(sep)+len(leaf.Str[j]))/plainWork)
			buf = append(buf, leaf.Str[j]...)
		}
		for _, a := range args[1:] {
			if a.Type.Kind != column.Array {
				add(a, i)
				continue
			}
			if !a.IsNull(i) {
				from, to := span(a, i)
				for e := from; e < to; e++ {
					add(a.Children[0], e)
				}
			}
		}
		out[i] = string(buf)
	}
	return v, nil
}

func addStrings(l *library) {
	family := "string"
	text := func(f func(string) string) overload { return over("varchar", "varchar", map1(f)) }
	l.scalar(Doc{Name: "length", Aliases: []string{"char_length", "character_length"}, Family: family, Signature: "length(string or varbinary) → bigint",
		Summary: "Counts the characters of a string or the bytes of a varbinary.", Example: "length('Zürich')", Result: "6"},
		over("varchar", "bigint", map1(func(s string) int64 { return int64(utf8.RuneCountInString(s)) })),
		over("varbinary", "bigint", map1(func(s string) int64 { return int64(len(s)) })))
	l.scalar(Doc{Name: "lower", Family: family, Signature: "lower(string) → varchar", Summary: "Turns letters into small ones.",
		Example: "lower('RunInstances')", Result: "runinstances"}, over("varchar", "varchar", foldCase('A', 'Z', strings.ToLower)))
	l.scalar(Doc{Name: "upper", Family: family, Signature: "upper(string) → varchar", Summary: "Turns letters into capitals.",
		Example: "upper('root')", Result: "ROOT"}, over("varchar", "varchar", foldCase('a', 'z', strings.ToUpper)))
	l.scalar(Doc{Name: "reverse", Family: family, Signature: "reverse(string or array) → the same type", Summary: "Turns the order round.",
		Example: "reverse('abc')", Result: "cba"}, over("varchar", "varchar", paced1(reverseText)),
		over("varbinary", "varbinary", map1(func(s string) string {
			b := []byte(s)
			for i, j := 0, len(b)-1; i < j; i, j = i+1, j-1 {
				b[i], b[j] = b[j], b[i]
			}
			return string(b)
		})),
		over("array(T)", "array(T)", reverseArray))
	for _, f := range []struct {
		name, side, result string
		blank              func(string) string
		chars              func(s, set string) string
	}{
		{"trim", "both ends", "a", strings.TrimSpace, strings.Trim},
		{"ltrim", "the beginning", "a--", func(s string) string { return strings.TrimLeftFunc(s, isSpace) }, strings.TrimLeft},
		{"rtrim", "the end", "--a", func(s string) string { return strings.TrimRightFunc(s, isSpace) }, strings.TrimRight},
	} {
		l.scalar(Doc{Name: f.name, Family: family, Signature: f.name + "(string[, characters]) → varchar",
			Summary: "Takes white space, or the given characters, from " + f.side + ".", Example: f.name + "('--a--', '-')", Result: f.result},
			text(f.blank), over("varchar, varchar", "varchar", map2(f.chars)))
	}
	l.scalar(Doc{Name: "substr", Aliases: []string{"substring"}, Family: family, Signature: "substr(string, start[, length]) → varchar",
		Summary: "Takes a part of a string; start counts from 1, or from the end when negative.", Example: "substr('2026-03-01', 6, 2)", Result: "03"},
		over("varchar, bigint", "varchar", map2(func(s string, start int64) string { return substr(s, start, math.MaxInt64) })),
		over("varchar, bigint, bigint", "varchar", try3(func(_ *Context, s string, start, n int64) (string, bool, error) {
			return substr(s, start, n), true, nil
		})),
		over("varbinary, bigint", "varbinary", map2(func(s string, start int64) string { return subBytes(s, start, math.MaxInt64) })),
		over("varbinary, bigint, bigint", "varbinary", try3(func(_ *Context, s string, start, n int64) (string, bool, error) {
			return subBytes(s, start, n), true, nil
		})))
	position := func(_ *Context, s, sub string) (int64, bool, error) { return strpos(s, sub, 1), true, nil }
	l.scalar(Doc{Name: "strpos", Family: family, Signature: "strpos(string, part[, instance]) → bigint",
		Summary: "Gives the position of a part, from 1; 0 when it does not come. A negative instance counts from the end.",
		Example: "strpos('a.b.c', '.', -1)", Result: "4"},
		over("varchar, varchar", "bigint", try2(position)),
		over("varchar, varchar, bigint", "bigint", try3(func(_ *Context, s, sub string, n int64) (int64, bool, error) {
			if n == 0 {
				return 0, false, fault(sqlerr.InvalidArgument, "the instance to find cannot be 0")
			}
			return strpos(s, sub, n), true, nil
		})))
	l.scalar(Doc{Name: "position", Family: family, Signature: "position(part in string) → bigint",
		Summary: "Gives the position of a part, from 1; 0 when it does not come.", Example: "position('b', 'abc')", Result: "2"},
		over("varchar, varchar", "bigint", try2(func(c *Context, sub, s string) (int64, bool, error) { return position(c, s, sub) })))
	l.scalar(Doc{Name: "starts_with", Family: family, Signature: "starts_with(string, prefix) → boolean", Summary: "Tells whether a string begins with another.",
		Example: "starts_with('iam.amazonaws.com', 'iam.')", Result: "true"},
		over("varchar, varchar", "boolean", map2(func(s, p string) int64 { return truth(strings.HasPrefix(s, p)) })))
	l.scalar(Doc{Name: "ends_with", Family: family, Signature: "ends_with(string, suffix) → boolean", Summary: "Tells whether a string ends with another.",
		Example: "ends_with('iam.amazonaws.com', '.com')", Result: "true"},
		over("varchar, varchar", "boolean", map2(func(s, p string) int64 { return truth(strings.HasSuffix(s, p)) })))
	l.scalar(Doc{Name: "replace", Family: family, Signature: "replace(string, find[, with]) → varchar",
		Summary: "Replaces every occurrence, or deletes it.", Example: "replace('a-b-c', '-', '.')", Result: "a.b.c"},
		over("varchar, varchar", "varchar", try2(func(c *Context, s, find string) (string, bool, error) { return replaceAll(c, s, find, "") })),
		over("varchar, varchar, varchar", "varchar", try3(replaceAll)))
	l.scalar(Doc{Name: "lpad", Family: family, Signature: "lpad(string, length, with) → varchar", Summary: "Pads at the beginning, or cuts, to a length.",
		Example: "lpad('7', 3, '0')", Result: "007"}, over("varchar, bigint, varchar", "varchar", try3(pad(true))))
	l.scalar(Doc{Name: "rpad", Family: family, Signature: "rpad(string, length, with) → varchar", Summary: "Pads at the end, or cuts, to a length.",
		Example: "rpad('7', 3, '.')", Result: "7.."}, over("varchar, bigint, varchar", "varchar", try3(pad(false))))
	addSplits(l, family)
	l.scalar(Doc{Name: "concat", Family: family, Signature: "concat(string, ...), concat(array, ...)",
		Summary: "Joins strings, bytes or arrays; NULL when one of them is.", Example: "concat('arn', ':', 'aws')", Result: "arn:aws"},
		over("varchar...", "varchar", concatTexts), over("varbinary...", "varbinary", concatTexts), over("array(T)...", "array(T)", concatArrays))
	l.scalar(Doc{Name: "concat_ws", Family: family, Signature: "concat_ws(separator, string or array, ...) → varchar",
		Summary: "Joins strings with a separator, leaving out NULLs.", Example: "concat_ws('/', 'a', null, 'b')", Result: "a/b"},
		over("varchar, varchar...", "varchar", concatWS).nulls(), over("varchar, array(varchar)...", "varchar", concatWS).nulls(),
		over("varchar", "varchar", concatWS).nulls())
	l.scalar(Doc{Name: "chr", Family: family, Signature: "chr(code) → varchar", Summary: "Gives the character with a code point.", Example: "chr(955)", Result: "λ"},
		over("bigint", "varchar", try1(func(_ *Context, x int64) (string, bool, error) {
			if x < 0 || x > unicode.MaxRune || !utf8.ValidRune(rune(x)) {
				return "", false, fault(sqlerr.InvalidArgument, "%d is not a code point", x)
			}
			return string(rune(x)), true, nil
		})))
	l.scalar(Doc{Name: "codepoint", Family: family, Signature: "codepoint(character) → integer", Summary: "Gives the code point of the one character of a string.",
		Example: "codepoint('A')", Result: "65"},
		over("varchar", "integer", try1(func(_ *Context, s string) (int64, bool, error) {
			r, size := utf8.DecodeRuneInString(s)
			if size == 0 || size != len(s) {
				return 0, false, fault(sqlerr.InvalidArgument, "codepoint takes one character, not %s", shown(s))
			}
			return int64(r), true, nil
		})))
	l.scalar(Doc{Name: "translate", Family: family, Signature: "translate(string, from, to) → varchar",
		Summary: "Replaces each character of from by that of to at the same place, or deletes it.", Example: "translate('a1b2', '12x', '#')", Result: "a#b"},
		over("varchar, varchar, varchar", "varchar", try3(translate)))
	l.scalar(Doc{Name: "levenshtein_distance", Family: family, Signature: "levenshtein_distance(a, b) → bigint",
		Summary: "Counts the single-character edits that turn one string into the other.", Example: "levenshtein_distance('kitten', 'sitting')", Result: "3"},
		over("varchar, varchar", "bigint", try2(levenshtein)))
	l.scalar(Doc{Name: "hamming_distance", Family: family, Signature: "hamming_distance(a, b) → bigint",
		Summary: "Counts the places at which two strings of one length differ.", Example: "hamming_distance('abcd', 'abxx')", Result: "2"},
		over("varchar, varchar", "bigint", try2(hamming)))
	l.scalar(Doc{Name: "soundex", Family: family, Signature: "soundex(string) → varchar", Summary: "Gives a code of how a name sounds.",
		Example: "soundex('Robert')", Result: "R163"}, text(soundex))
	forms := map[string]norm.Form{"NFC": norm.NFC, "NFD": norm.NFD, "NFKC": norm.NFKC, "NFKD": norm.NFKD}
	l.scalar(Doc{Name: "normalize", Family: family, Signature: "normalize(string[, form]) → varchar",
		Summary: "Brings a string into a Unicode normal form: NFC, NFD, NFKC or NFKD.", Example: "length(normalize('é', 'NFD'))", Result: "2"},
		over("varchar", "varchar", paced1(func(p *pacer, s string) string { return normalized(p, norm.NFC, s) })),
		over("varchar, varchar", "varchar", try2(func(c *Context, s, form string) (string, bool, error) {
			f, ok := forms[strings.ToUpper(form)]
			if !ok {
				return "", false, fault(sqlerr.InvalidArgument, "%s is not a normal form: NFC, NFD, NFKC, NFKD are", shown(form))
			}
			return normalized(&pacer{c: c}, f, s), true, nil
		})))
	l.scalar(Doc{Name: "to_utf8", Family: family, Signature: "to_utf8(string) → varbinary", Summary: "Gives the bytes of a string.",
		Example: "to_utf8('abc')", Result: "61 62 63"}, over("varchar", "varbinary", map1(func(s string) string { return s })))
	l.scalar(Doc{Name: "from_utf8", Family: family, Signature: "from_utf8(varbinary[, replacement]) → varchar",
		Summary: "Reads bytes as text; what is not UTF-8 becomes U+FFFD or the replacement.", Example: "from_utf8(from_hex('616263'))", Result: "abc"},
		over("varbinary", "varchar", map1(validText)),
		over("varbinary, varchar", "varchar", try2(func(_ *Context, s, with string) (string, bool, error) {
			if utf8.RuneCountInString(with) > 1 {
				return "", false, fault(sqlerr.InvalidArgument, "the replacement must be one character or empty")
			}
			return replaceInvalid(s, with), true, nil
		})))
	l.scalar(Doc{Name: "luhn_check", Family: family, Signature: "luhn_check(digits) → boolean", Summary: "Tells whether a number passes the Luhn check.",
		Example: "luhn_check('79927398713')", Result: "true"}, over("varchar", "boolean", try1(luhn)))
	stemOf := func(_ *Context, s, lang string) (string, bool, error) {
		if lang != "en" {
			return "", false, fault(sqlerr.InvalidArgument, "word_stem knows only the language en, not %s", shown(lang))
		}
		return stem(s), true, nil
	}
	l.scalar(Doc{Name: "word_stem", Family: family, Signature: "word_stem(word[, language]) → varchar", Summary: "Gives the stem of an English word.",
		Example: "word_stem('connections')", Result: "connect"},
		text(stem), over("varchar, varchar", "varchar", try2(stemOf)))
}

// replaceInvalid replaces every byte that is not part of UTF-8 text.
func replaceInvalid(s, with string) string {
	var b strings.Builder
	for len(s) > 0 {
		r, size := utf8.DecodeRuneInString(s)
		if r == utf8.RuneError && size == 1 {
			b.WriteString(with)
		} else {
			b.WriteString(s[:size])
		}
		s = s[size:]
	}
	return b.String()
}

func subBytes(s string, start, length int64) string {
	n := int64(len(s))
	switch {
	case start == 0 || length <= 0 || start > n || start < -n:
		return ""
	case start < 0:
		start += n
	default:
		start--
	}
	return s[start : start+min(length, n-start)]
}

func addSplits(l *library, family string) {
	l.scalar(Doc{Name: "split", Family: family, Signature: "split(string, delimiter[, limit]) → array(varchar)",
		Summary: "Cuts a string at a delimiter; with a limit the last part holds the rest.", Example: "split('a,b,c', ',')", Result: "[a, b, c]"},
		over("varchar, varchar", "array(varchar)", emit(func(c *Context, out *column.Vector, args []*column.Vector, i int) error {
			return pushSplit(c, out, strAt(args[0], i), strAt(args[1], i), 0)
		})),
		over("varchar, varchar, bigint", "array(varchar)", emit(func(c *Context, out *column.Vector, args []*column.Vector, i int) error {
			limit := intAt(args[2], i)
			if limit < 1 {
				return fault(sqlerr.InvalidArgument, "the limit of split must be 1 or more, not %d", limit)
			}
			return pushSplit(c, out, strAt(args[0], i), strAt(args[1], i), limit)
		})))
	l.scalar(Doc{Name: "split_part", Family: family, Signature: "split_part(string, delimiter, index) → varchar",
		Summary: "Cuts a string at a delimiter and gives one part, counted from 1; NULL past the end.",
		Example: "split_part('arn:aws:iam::123', ':', 3)", Result: "iam"},
		over("varchar, varchar, bigint", "varchar", try3(splitPart)))
	l.scalar(Doc{Name: "split_to_map", Family: family, Signature: "split_to_map(string, entry delimiter, key delimiter) → map(varchar, varchar)",
		Summary: "Reads keys and values; a key that comes twice is an error.", Example: "split_to_map('a=1;b=2', ';', '=')", Result: "{a=1, b=2}"},
		over("varchar, varchar, varchar", "map(varchar,varchar)", emit(func(c *Context, out *column.Vector, args []*column.Vector, i int) error {
			from := out.Children[0].Len
			err := eachEntry(&pacer{c: c}, strAt(args[0], i), strAt(args[1], i), strAt(args[2], i), func(k, v string) error {
				pushStr(out.Children[0], k)
				pushStr(out.Children[1], v)
				return nil
			})
			if err == nil {
				err = checkMapKeys(&pacer{c: c}, out.Children[0], from, out.Children[0].Len)
			}
			pushEnd(out)
			return err
		})))
	l.scalar(Doc{Name: "split_to_multimap", Family: family, Signature: "split_to_multimap(string, entry delimiter, key delimiter) → map(varchar, array(varchar))",
		Summary: "Reads keys and values, with all the values of a key.", Example: "split_to_multimap('a=1;a=2', ';', '=')", Result: "{a=[1, 2]}"},
		over("varchar, varchar, varchar", "map(varchar,array(varchar))", emit(func(c *Context, out *column.Vector, args []*column.Vector, i int) error {
			var keys []string
			values := map[string][]string{}
			pace := &pacer{c: c}
			err := eachEntry(pace, strAt(args[0], i), strAt(args[1], i), strAt(args[2], i), func(k, v string) error {
				if _, seen := values[k]; !seen {
					keys = append(keys, k)
				}
				values[k] = append(values[k], v)
				return nil
			})
			for _, k := range keys {
				pace.tick(elementBytes)
				pushStr(out.Children[0], k)
				for _, v := range values[k] {
					pushStr(out.Children[1].Children[0], v)
				}
				pushEnd(out.Children[1])
			}
			pushEnd(out)
			return err
		})))
}
