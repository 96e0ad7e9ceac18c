package fn

import (
	"strings"
	"unicode/utf8"

	"github.com/cairndb/cairn/segment/column"
	"github.com/cairndb/cairn/sql/sqlerr"
)

// Pattern is a compiled LIKE pattern. Most patterns of audit queries are one
// piece of text with % before or after it: those need no matching of their own.
type Pattern struct {
	shape patternShape
	text  string // of the simple shapes
	// parts are what stands between the %; those at the ends are anchored.
	parts []likePart
	// open says whether the pattern begins and ends with %.
	openStart, openEnd bool
}

type patternShape uint8

const (
	likeGeneral patternShape = iota
	likeExact
	likePrefix
	likeSuffix
	likeContains
	likeAll // any text
)

// likePart is text between two %, with runes that _ stands for marked by any.
type likePart struct {
	text string // when there is no _ in it
	// runes holds the code points, anyRune for _; nil when text is used.
	runes []rune
}

const anyRune = -1

// NoEscape is the escape of a LIKE without an ESCAPE clause.
const NoEscape = rune(-1)

// CompileLike compiles a LIKE pattern: % is any text, _ any one character,
// escape before one of these or itself is the character itself.
func CompileLike(pattern string, escape rune) (*Pattern, error) {
	p := &Pattern{}
	var part []rune
	any, first := false, true
	flush := func() {
		if len(part) == 0 {
			return
		}
		if any {
			p.parts = append(p.parts, likePart{runes: part})
		} else {
			p.parts = append(p.parts, likePart{text: string(part)})
		}
		part, any = nil, false
	}
	plain := true
	for i := 0; i < len(pattern); {
		r, size := utf8.DecodeRuneInString(pattern[i:])
		i += size
		p.openEnd = false
		switch {
		case r == escape:
			next, size := utf8.DecodeRuneInString(pattern[i:])
			if size == 0 || next != '%' && next != '_' && next != escape {
				return nil, fault(sqlerr.InvalidEscape, "the LIKE escape %q must stand before %%, _ or itself", escape)
			}
			i += size
			part = append(part, next)
		case r == '%':
			flush()
			if first {
				p.openStart = true
			}
			p.openEnd = true
		case r == '_':
			part, any, plain = append(part, anyRune), true, false
		default:
			if r == utf8.RuneError && size == 1 {
				plain = false
			}
			part = append(part, r)
		}
		first = false
	}
	flush()
	if !plain {
		return p, nil
	}
	switch len(p.parts) {
	case 0:
		p.shape = likeExact
		if p.openStart {
			p.shape = likeAll
		}
	case 1:
		p.text = p.parts[0].text
		switch {
		case p.openStart && p.openEnd:
			p.shape = likeContains
		case p.openStart:
			p.shape = likeSuffix
		case p.openEnd:
			p.shape = likePrefix
		default:
			p.shape = likeExact
		}
	}
	return p, nil
}

// Prefix returns the text that everything matching begins with, and whether
// beginning with it is all that is asked.
func (p *Pattern) Prefix() (prefix string, whole bool) {
	switch {
	case p.shape == likePrefix:
		return p.text, true
	case p.openStart || len(p.parts) == 0 || p.parts[0].runes != nil:
		return "", false
	}
	return p.parts[0].text, false
}

// Exact returns the one text that matches, if the pattern has no wildcards.
func (p *Pattern) Exact() (string, bool) { return p.text, p.shape == likeExact }

// Contains returns the text of a pattern of the form %text%.
func (p *Pattern) Contains() (string, bool) { return p.text, p.shape == likeContains }

// Suffix returns the text of a pattern of the form %text.
func (p *Pattern) Suffix() (string, bool) { return p.text, p.shape == likeSuffix }

// Match reports whether s matches.
func (p *Pattern) Match(s string) bool { return p.match(nil, s) }

func (p *Pattern) match(pace *pacer, s string) bool {
	switch p.shape {
	case likeExact:
		return s == p.text
	case likePrefix:
		return strings.HasPrefix(s, p.text)
	case likeSuffix:
		return strings.HasSuffix(s, p.text)
	case likeContains:
		return strings.Contains(s, p.text)
	case likeAll:
		return true
	}
	return p.matchParts(pace, s)
}

// matchParts anchors the first and the last part where no % is before or after
// them and finds the others one after another, each as early as it comes: with
// only % between them no later place could be better.
func (p *Pattern) matchParts(pace *pacer, s string) bool {
	parts := p.parts
	if !p.openStart {
		if len(parts) == 0 {
			return s == ""
		}
		n, ok := parts[0].matchAt(s)
		if !ok {
			return false
		}
		s, parts = s[n:], parts[1:]
		if len(parts) == 0 {
			return p.openEnd || s == ""
		}
	}
	var last *likePart
	if !p.openEnd && len(parts) > 0 {
		last, parts = &parts[len(parts)-1], parts[:len(parts)-1]
	}
	for i := range parts {
		pace.tick(1)
		end, ok := parts[i].find(pace, s)
		if !ok {
			return false
		}
		s = s[end:]
	}
	return last == nil || last.matchEnd(s)
}

// matchAt matches at the beginning of s and returns the bytes taken.
func (l *likePart) matchAt(s string) (int, bool) {
	if l.runes == nil {
		return len(l.text), strings.HasPrefix(s, l.text)
	}
	n := 0
	for _, want := range l.runes {
		r, size := utf8.DecodeRuneInString(s[n:])
		if size == 0 || want != anyRune && want != r {
			return 0, false
		}
		n += size
	}
	return n, true
}

// find returns the end of the first match in s.
func (l *likePart) find(pace *pacer, s string) (int, bool) {
	if l.runes == nil {
		i := strings.Index(s, l.text)
		return i + len(l.text), i >= 0
	}
	for i := 0; i <= len(s); {
		pace.tick(2)
		if n, ok := l.matchAt(s[i:]); ok {
			return i + n, true
		}
		_, size := utf8.DecodeRuneInString(s[i:])
		i += max(size, 1)
	}
	return 0, false
}

// matchEnd matches at the end of s.
func (l *likePart) matchEnd(s string) bool {
	if l.runes == nil {
		return strings.HasSuffix(s, l.text)
	}
	for i := len(l.runes) - 1; i >= 0; i-- {
		r, size := utf8.DecodeLastRuneInString(s)
		if size == 0 || l.runes[i] != anyRune && l.runes[i] != r {
			return false
		}
		s = s[:len(s)-size]
	}
	return true
}

type likeKey struct {
	pattern string
	escape  rune
	fold    bool
}

var likes = boundedCache[likeKey, *Pattern]{size: 4096}

func compileLikeKey(k likeKey) (*Pattern, error) {
	if k.fold {
		k.pattern = strings.ToLower(k.pattern)
	}
	return CompileLike(k.pattern, k.escape)
}

func likeKernel(fold bool) kernel {
	return func(c *Context, t *column.Type, args []*column.Vector, n int) (*column.Vector, error) {
		text, mt := data[string](args[0])
		pattern, mp := data[string](args[1])
		escape, me := []string(nil), 0
		if len(args) > 2 {
			escape, me = data[string](args[2])
		}
		v, out := made[int64](t, n)
		skip := unionNulls(args)
		key := likeKey{escape: NoEscape, fold: fold}
		var p *Pattern
		pace := pacer{c: c}
		for i := range out {
			if skip != nil && skip.Get(i) {
				continue
			}
			if err := pace.spend(rowWork + len(text[i&mt])); err != nil {
				return nil, err
			}
			k := likeKey{pattern: pattern[i&mp], escape: NoEscape, fold: fold}
			if escape != nil {
				r, size := utf8.DecodeRuneInString(escape[i&me])
				if size == 0 || size != len(escape[i&me]) {
					return nil, fault(sqlerr.InvalidEscape, "the LIKE escape must be one character, not %s", shown(escape[i&me]))
				}
				k.escape = r
			}
			if p == nil || k != key {
				var err error
				if p, err = likes.get(k, compileLikeKey); err != nil {
					return nil, err
				}
				key = k
			}
			s := text[i&mt]
			if fold && len(s) <= tickBytes {
				s = strings.ToLower(s)
			} else if fold {
				var lower strings.Builder
				pace.pieces(s, func(piece string) { lower.WriteString(strings.ToLower(piece)) })
				s = lower.String()
			}
			out[i] = truth(p.match(&pace, s))
		}
		return v, nil
	}
}

func addLike(l *library) {
	l.scalar(Doc{Name: "like", Family: "operator", Signature: "string like pattern [escape character] → boolean",
		Summary: "Matches the whole string: % is any text, _ any one character.",
		Example: "like('DescribeKey', 'Describe%')", Result: "true"},
		over("varchar, varchar", "boolean", likeKernel(false)),
		over("varchar, varchar, varchar", "boolean", likeKernel(false)))
	l.scalar(Doc{Name: "ilike", Family: "operator", Signature: "string ilike pattern [escape character] → boolean",
		Summary: "Is like without regard to case.", Example: "ilike('DescribeKey', 'describe%')", Result: "true"},
		over("varchar, varchar", "boolean", likeKernel(true)),
		over("varchar, varchar, varchar", "boolean", likeKernel(true)))
}
