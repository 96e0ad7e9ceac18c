package fn

import (
	"cmp"
	"regexp"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/dlclark/regexp2"

	"github.com/cairndb/cairn/segment/column"
	"github.com/cairndb/cairn/sql/sqlerr"
)

// Regular expressions are written in Java's syntax. Nearly all of it runs on
// Go's engine, which takes time linear in the text; look-around, back-references
// and the like run on a backtracking engine with a time limit.

const (
	// backtrackLimit is how long one match of a backtracking expression may
	// take. Useful ones need microseconds; those that blow up would need hours.
	backtrackLimit = time.Second
	// maxRegexpBytes is the longest expression; compiled ones are many times
	// larger than their text.
	maxRegexpBytes = 64 << 10
)

// regex is a compiled expression on one of the two engines.
type regex struct {
	linear *regexp.Regexp
	// literal is set when the expression is plain text.
	literal   string
	isLiteral bool
	// back is the backtracking engine with its time limit, quick the same with
	// backtrackPatience.
	back, quick *regexp2.Regexp
	behind      behind
	groups      int
	names       map[string]int
}

var regexes = boundedCache[string, *regex]{size: 1024}

func compileRegex(pattern string) (*regex, error) {
	if len(pattern) > maxRegexpBytes {
		return nil, fault(sqlerr.ProgramLimit, "the regular expression has %d bytes; the limit is %d", len(pattern), maxRegexpBytes)
	}
	if pattern != "" && regexp.QuoteMeta(pattern) == pattern && utf8.ValidString(pattern) {
		return &regex{literal: pattern, isLiteral: true, linear: regexp.MustCompile(pattern)}, nil
	}
	translated := translateJava(pattern)
	linear, err := regexp.Compile(translated)
	if err == nil {
		r := &regex{linear: linear, groups: linear.NumSubexp(), names: map[string]int{}}
		for i, name := range linear.SubexpNames() {
			if name != "" {
				r.names[name] = i
			}
		}
		return r, nil
	}
	bad := func(reason string) error {
		return sqlerr.New(sqlerr.InvalidRegexp, sqlerr.Pos{}, "%s is not a regular expression: %s", shown(pattern), reason)
	}
	reason := strings.TrimPrefix(err.Error(), "error parsing regexp: ")
	if !needsBacktracking(pattern) {
		return nil, bad(reason)
	}
	back, err := regexp2.Compile(translated, regexp2.None)
	if err != nil {
		return nil, bad(strings.TrimPrefix(err.Error(), "error parsing regexp: "))
	}
	quick, err := regexp2.Compile(translated, regexp2.None)
	if err != nil {
		return nil, bad(strings.TrimPrefix(err.Error(), "error parsing regexp: "))
	}
	back.MatchTimeout, quick.MatchTimeout = backtrackLimit, backtrackPatience
	r := &regex{back: back, quick: quick, names: map[string]int{}}
	for _, n := range back.GetGroupNumbers() {
		r.groups = max(r.groups, n)
	}
	for _, name := range back.GetGroupNames() {
		if name != "" && (name[0] < '0' || name[0] > '9') {
			r.names[name] = back.GroupNumberFromName(name)
		}
	}
	return r, nil
}

// needsBacktracking reports whether a pattern that the linear engine refuses
// holds something that the other one has.
func needsBacktracking(p string) bool {
	for _, mark := range []string{"(?=", "(?!", "(?<=", "(?<!", "(?>", `\k<`, "{"} {
		if strings.Contains(p, mark) {
			return true
		}
	}
	for i := 0; i+1 < len(p); i++ {
		if p[i] == '\\' {
			if p[i+1] >= '1' && p[i+1] <= '9' {
				return true
			}
			i++
		}
	}
	return false
}

// javaClasses are Java's names of character classes that Go spells otherwise.
var javaClasses = map[string]string{
	"Lower": "a-z", "Upper": "A-Z", "ASCII": `\x00-\x7F`, "Alpha": "a-zA-Z", "Digit": "0-9", "Alnum": "a-zA-Z0-9",
	"Punct": "!-/:-@\\[-`{-~", "Graph": "!-~", "Print": " -~", "Blank": ` \t`, "Cntrl": `\x00-\x1F\x7F`,
	"XDigit": "0-9a-fA-F", "Space": ` \t\n\x0B\f\r`,
	"IsAlphabetic": `\p{L}\p{Nl}`, "IsLetter": `\p{L}`, "IsDigit": `\p{Nd}`, "IsUppercase": `\p{Lu}`, "IsLowercase": `\p{Ll}`,
	"IsPunctuation": `\p{P}`, "IsWhite_Space": `\s\x{85}\p{Z}`, "javaLowerCase": `\p{Ll}`, "javaUpperCase": `\p{Lu}`,
	"javaLetter": `\p{L}`, "javaDigit": `\p{Nd}`,
}

// translateJava rewrites what Java spells otherwise than Go.
func translateJava(p string) string {
	if !strings.ContainsAny(p, `\+`) {
		return p
	}
	var b strings.Builder
	inClass := 0
	for i := 0; i < len(p); i++ {
		c := p[i]
		switch {
		case c == '[':
			inClass++
		case c == ']' && inClass > 0:
			inClass--
		}
		// A possessive quantifier only saves Java work: a match that it
		// forbids is a rarity that Go's engine cannot express.
		if c == '+' && inClass == 0 && i > 0 && strings.IndexByte("+*?}", p[i-1]) >= 0 && quantified(p, i-1) {
			continue
		}
		if c != '\\' || i+1 >= len(p) {
			b.WriteByte(c)
			continue
		}
		i++
		if i+1 < len(p) && (p[i] == 'p' || p[i] == 'P') && p[i+1] == '{' {
			if end := strings.IndexByte(p[i:], '}'); end > 0 {
				if class, ok := javaClasses[p[i+2:i+end]]; ok {
					switch {
					case inClass > 0 && p[i] == 'p':
						b.WriteString(class)
					case p[i] == 'p':
						b.WriteString("[" + class + "]")
					default:
						b.WriteString("[^" + class + "]")
					}
					i += end
					continue
				}
			}
		}
		switch p[i] {
		case 'Q': // quoted to \E
			end := strings.Index(p[i:], `\E`)
			quoted := p[i+1:]
			if end >= 0 {
				quoted = p[i+1 : i+end]
				i += end + 1
			} else {
				i = len(p)
			}
			b.WriteString(regexp.QuoteMeta(quoted))
		case 'Z':
			b.WriteString(`(?:\n?\z)`)
		case 'h':
			writeClass(&b, inClass > 0, ` \t\x{A0}\x{1680}\x{2000}-\x{200A}\x{202F}\x{205F}\x{3000}`)
		case 'R':
			b.WriteString(`(?:\r\n|[\n\x0B\f\r\x{85}\x{2028}\x{2029}])`)
		case 'e':
			b.WriteString(`\x1B`)
		case 'u':
			if i+4 < len(p) {
				if v, err := strconv.ParseUint(p[i+1:i+5], 16, 32); err == nil {
					b.WriteString(`\x{` + strconv.FormatUint(v, 16) + `}`)
					i += 4
					continue
				}
			}
			b.WriteString(`\u`)
		default:
			b.WriteByte('\\')
			b.WriteByte(p[i])
		}
	}
	return b.String()
}

// quantified reports whether the byte at i is a quantifier and not an escaped
// or literal character.
func quantified(p string, i int) bool {
	slashes := 0
	for j := i - 1; j >= 0 && p[j] == '\\'; j-- {
		slashes++
	}
	return slashes%2 == 0
}

func writeClass(b *strings.Builder, inside bool, class string) {
	if inside {
		b.WriteString(class)
	} else {
		b.WriteString("[" + class + "]")
	}
}

// matchFault is the error of the backtracking engine, or that of the query that
// ended meanwhile.
func matchFault(err error) error {
	if err == nil || !strings.HasPrefix(err.Error(), "match timeout") {
		return err
	}
	return sqlerr.New(sqlerr.ProgramLimit, sqlerr.Pos{}, "the regular expression took too long on one value: %v", backtrackLimit).
		WithDetail("%v", err)
}

func (r *regex) find(c *Context, s string) (bool, error) {
	switch {
	case r.isLiteral:
		return strings.Contains(s, r.literal), nil
	case r.linear != nil && len(s) < longText:
		return r.linear.MatchString(s), nil
	case r.linear != nil:
		loc, err := r.searchLong(&pacer{c: c}, s, 0)
		return loc != nil, err
	}
	ok, err := patiently(c, s, r.quick, r.back, func(re *regexp2.Regexp) (bool, error) { return re.MatchString(s) })
	return ok, matchFault(err)
}

// first returns the byte ranges of the first match and its groups, nil when
// there is none.
func (r *regex) first(c *Context, s string) ([]int, error) {
	switch {
	case r.linear != nil && len(s) < longText:
		return r.linear.FindStringSubmatchIndex(s), nil
	case r.linear != nil:
		return r.searchLong(&pacer{c: c}, s, 0)
	}
	var loc []int
	err := r.each(c, s, func(l []int) bool { loc = l; return false })
	return loc, err
}

// each calls f with the byte ranges of every match and its groups in order,
// until it returns false.
func (r *regex) each(c *Context, s string, f func(loc []int) bool) error {
	if r.linear != nil && len(s) >= longText {
		return r.eachLong(c, s, f)
	}
	if r.linear != nil {
		for _, loc := range r.linear.FindAllStringSubmatchIndex(s, -1) {
			if !f(loc) {
				break
			}
		}
		return nil
	}
	// The engine counts runes: offsets tells where in s each begins.
	pace, n := &pacer{c: c}, utf8.RuneCountInString(s)
	if err := pace.keep(8 * n); err != nil {
		return err
	}
	runes, offsets := make([]rune, 0, n), make([]int32, 0, n+1)
	for i, r := range s {
		if i%tickBytes == 0 {
			if err := c.live(); err != nil {
				return err
			}
		}
		runes, offsets = append(runes, r), append(offsets, int32(i))
	}
	offsets = append(offsets, int32(len(s)))
	next := func(after *regexp2.Match) (*regexp2.Match, error) {
		if err := c.live(); err != nil {
			return nil, err
		}
		return patiently(c, s, r.quick, r.back, func(re *regexp2.Regexp) (*regexp2.Match, error) {
			if after == nil {
				return re.FindRunesMatch(runes)
			}
			return re.FindNextMatch(after)
		})
	}
	m, err := next(nil)
	for ; m != nil && err == nil; m, err = next(m) {
		loc := make([]int, 2*(r.groups+1))
		for i := range loc {
			loc[i] = -1
		}
		for n := 0; n <= r.groups; n++ {
			if g := m.GroupByNumber(n); g != nil && len(g.Captures) > 0 {
				loc[2*n], loc[2*n+1] = int(offsets[g.Index]), int(offsets[g.Index+g.Length])
			}
		}
		if !f(loc) {
			return nil
		}
	}
	return matchFault(err)
}

func (r *regex) checkGroup(group int64) error {
	if group < 0 || group > int64(r.groups) {
		return fault(sqlerr.InvalidArgument, "the regular expression has %d groups, no group %d", r.groups, group)
	}
	return nil
}

// groupText returns the text of a group of a match.
func groupText(s string, loc []int, group int64) (string, bool) {
	from, to := loc[2*group], loc[2*group+1]
	if from < 0 {
		return "", false
	}
	return s[from:to], true
}

// replacement is a compiled replacement text: literal pieces and groups.
type replacement []struct {
	text  string
	group int // -1 for text
}

// compileReplacement reads $1, ${name} and \x for a literal x.
func (r *regex) compileReplacement(s string) (replacement, error) {
	var out replacement
	var text []byte
	add := func(group int) {
		if len(text) > 0 {
			out = append(out, struct {
				text  string
				group int
			}{string(text), -1})
			text = nil
		}
		if group >= 0 {
			out = append(out, struct {
				text  string
				group int
			}{"", group})
		}
	}
	bad := func(what string) error {
		return fault(sqlerr.InvalidArgument, "the replacement %s %s", shown(s), what)
	}
	for i := 0; i < len(s); i++ {
		switch {
		case s[i] == '\\' && i+1 < len(s):
			i++
			text = append(text, s[i])
		case s[i] == '\\':
			return nil, bad("ends with a backslash")
		case s[i] != '$':
			text = append(text, s[i])
		case i+1 < len(s) && s[i+1] == '{':
			end := strings.IndexByte(s[i:], '}')
			if end < 0 {
				return nil, bad("has ${ without }")
			}
			group, ok := r.names[s[i+2:i+end]]
			if !ok {
				return nil, bad("names a group that the expression does not have")
			}
			add(group)
			i += end
		default:
			v, n := digits(s[i+1:], 1)
			if n == 0 {
				return nil, bad("has a $ without a group; write \\$ for the character")
			}
			if v > int64(r.groups) {
				return nil, bad("names a group that the expression does not have")
			}
			i++
			// More digits belong to the number as long as there is such a group.
			for i+1 < len(s) && s[i+1] >= '0' && s[i+1] <= '9' && v*10+int64(s[i+1]-'0') <= int64(r.groups) {
				v = v*10 + int64(s[i+1]-'0')
				i++
			}
			add(int(v))
		}
	}
	add(-1)
	return out, nil
}

func (r *regex) replace(c *Context, s, with string) (string, error) {
	rep, err := r.compileReplacement(with)
	if err != nil {
		return "", err
	}
	var out []byte
	last := 0
	tooBig := false
	err = r.each(c, s, func(loc []int) bool {
		out = append(out, s[last:loc[0]]...)
		for _, p := range rep {
			if p.group < 0 {
				out = append(out, p.text...)
			} else if t, ok := groupText(s, loc, int64(p.group)); ok {
				out = append(out, t...)
			}
		}
		last = loc[1]
		tooBig = len(out) > maxTextBytes
		return !tooBig
	})
	switch {
	case err != nil:
		return "", err
	case tooBig:
		return "", tooLong("regexp_replace")
	case last == 0 && out == nil:
		return s, nil
	}
	return string(append(out, s[last:]...)), nil
}

// withRegex compiles the pattern of a function, which is its second argument.
func withRegex[R payload](f func(c *Context, r *regex, s string) (R, bool, error)) kernel {
	return func(c *Context, t *column.Type, args []*column.Vector, n int) (*column.Vector, error) {
		texts, mt := data[string](args[0])
		patterns, mp := data[string](args[1])
		v, out := made[R](t, n)
		skip := unionNulls(args)
		var last memo[*regex]
		pace := pacer{c: c}
		for i := range out {
			if skip != nil && skip.Get(i) {
				continue
			}
			if err := pace.spend(rowWork + len(texts[i&mt])); err != nil {
				return nil, err
			}
			r, err := last.get(&regexes, patterns[i&mp], compileRegex)
			if err != nil {
				return nil, err
			}
			x, ok, err := f(c, r, texts[i&mt])
			if err != nil {
				return nil, err
			}
			if !ok {
				v.SetNull(i)
				continue
			}
			out[i] = x
		}
		return v, nil
	}
}

// cached3 passes a compiled expression to a function of three arguments.
func cached3[C, R payload](f func(c *Context, r *regex, s string, x C) (R, bool, error)) kernel {
	return try3(func(c *Context, s, p string, x C) (R, bool, error) {
		r, err := regexes.get(p, compileRegex)
		if err != nil {
			var zero R
			return zero, false, err
		}
		return f(c, r, s, x)
	})
}

func extractFirst(c *Context, r *regex, s string, group int64) (string, bool, error) {
	if err := r.checkGroup(group); err != nil {
		return "", false, err
	}
	loc, err := r.first(c, s)
	if err != nil || loc == nil {
		return "", false, err
	}
	t, ok := groupText(s, loc, group)
	return t, ok, nil
}

// regexPosition returns the code point position of an occurrence at or after
// start, -1 when there is none.
func regexPosition(c *Context, r *regex, s string, start, occurrence int64) (int64, error) {
	if start < 1 || occurrence < 1 {
		return 0, fault(sqlerr.InvalidArgument, "start and occurrence must be 1 or more")
	}
	from, ok := runeOffset(s, start-1)
	if !ok {
		return -1, nil
	}
	position := int64(-1)
	err := r.each(c, s, func(loc []int) bool {
		if loc[0] < from {
			return true
		}
		if occurrence--; occurrence > 0 {
			return true
		}
		position = int64(utf8.RuneCountInString(s[:loc[0]])) + 1
		return false
	})
	return position, err
}

func addRegexps(l *library) {
	family := "regexp"
	l.scalar(Doc{Name: "regexp_like", Family: family, Signature: "regexp_like(string, pattern) → boolean",
		Summary: "Tells whether a pattern is found anywhere in a string.", Example: `regexp_like('DeleteTrail', '^(Stop|Delete)')`, Result: "true"},
		over("varchar, varchar", "boolean", withRegex(func(c *Context, r *regex, s string) (int64, bool, error) {
			ok, err := r.find(c, s)
			return truth(ok), true, err
		})))
	l.scalar(Doc{Name: "regexp_extract", Family: family, Signature: "regexp_extract(string, pattern[, group]) → varchar",
		Summary: "Gives the first match or one of its groups; NULL when there is none.",
		Example: `regexp_extract('user/alice', 'user/(\w+)', 1)`, Result: "alice"},
		over("varchar, varchar", "varchar", withRegex(func(c *Context, r *regex, s string) (string, bool, error) { return extractFirst(c, r, s, 0) })),
		over("varchar, varchar, bigint", "varchar", cached3(extractFirst)))
	all := func(groupAt func(args []*column.Vector, i int) int64) kernel {
		return emit(func(c *Context, out *column.Vector, args []*column.Vector, i int) error {
			r, err := regexes.get(strAt(args[1], i), compileRegex)
			if err != nil {
				return err
			}
			group := groupAt(args, i)
			if err := r.checkGroup(group); err != nil {
				return err
			}
			s := strAt(args[0], i)
			pace := pacer{c: c}
			var full error
			err = r.each(c, s, func(loc []int) bool {
				if full = pace.keep(elementBytes); full != nil {
					return false
				}
				if t, ok := groupText(s, loc, group); ok {
					pushStr(out.Children[0], t)
				} else {
					pushNull(out.Children[0])
				}
				return true
			})
			pushEnd(out)
			return cmp.Or(err, full)
		})
	}
	l.scalar(Doc{Name: "regexp_extract_all", Family: family, Signature: "regexp_extract_all(string, pattern[, group]) → array(varchar)",
		Summary: "Gives every match, or one group of each.", Example: `regexp_extract_all('a1b22', '\d+')`, Result: "[1, 22]"},
		over("varchar, varchar", "array(varchar)", all(func([]*column.Vector, int) int64 { return 0 })),
		over("varchar, varchar, bigint", "array(varchar)", all(func(args []*column.Vector, i int) int64 { return intAt(args[2], i) })))
	l.scalar(Doc{Name: "regexp_replace", Family: family, Signature: "regexp_replace(string, pattern[, replacement or lambda]) → varchar",
		Summary: "Replaces or deletes every match; $1 and ${name} stand for groups.", Example: `regexp_replace('a1b2', '(\d)', '<$1>')`, Result: "a<1>b<2>"},
		over("varchar, varchar", "varchar", withRegex(func(c *Context, r *regex, s string) (string, bool, error) {
			t, err := r.replace(c, s, "")
			return t, true, err
		})),
		over("varchar, varchar, varchar", "varchar", cached3(func(c *Context, r *regex, s, with string) (string, bool, error) {
			t, err := r.replace(c, s, with)
			return t, true, err
		})))
	l.scalar(Doc{Name: "regexp_split", Family: family, Signature: "regexp_split(string, pattern) → array(varchar)",
		Summary: "Cuts a string at every match.", Example: `regexp_split('a1b22c', '\d+')`, Result: "[a, b, c]"},
		over("varchar, varchar", "array(varchar)", emit(func(c *Context, out *column.Vector, args []*column.Vector, i int) error {
			r, err := regexes.get(strAt(args[1], i), compileRegex)
			if err != nil {
				return err
			}
			s, last := strAt(args[0], i), 0
			pace := pacer{c: c}
			var full error
			err = r.each(c, s, func(loc []int) bool {
				if full = pace.keep(elementBytes); full != nil {
					return false
				}
				pushStr(out.Children[0], s[last:loc[0]])
				last = loc[1]
				return true
			})
			pushStr(out.Children[0], s[last:])
			pushEnd(out)
			return cmp.Or(err, full)
		})))
	l.scalar(Doc{Name: "regexp_count", Family: family, Signature: "regexp_count(string, pattern) → bigint",
		Summary: "Counts the matches.", Example: `regexp_count('a1b22', '\d+')`, Result: "2"},
		over("varchar, varchar", "bigint", withRegex(func(c *Context, r *regex, s string) (n int64, ok bool, err error) {
			err = r.each(c, s, func([]int) bool { n++; return true })
			return n, true, err
		})))
	l.scalar(Doc{Name: "regexp_position", Family: family, Signature: "regexp_position(string, pattern[, start[, occurrence]]) → bigint",
		Summary: "Gives the position of a match, from 1; -1 when there is none.", Example: `regexp_position('a1b22', '\d+', 1, 2)`, Result: "4"},
		over("varchar, varchar", "bigint", withRegex(func(c *Context, r *regex, s string) (int64, bool, error) {
			n, err := regexPosition(c, r, s, 1, 1)
			return n, true, err
		})),
		over("varchar, varchar, bigint", "bigint", cached3(func(c *Context, r *regex, s string, start int64) (int64, bool, error) {
			n, err := regexPosition(c, r, s, start, 1)
			return n, true, err
		})),
		over("varchar, varchar, bigint, bigint", "bigint", try4(func(c *Context, s, p string, start, occurrence int64) (int64, bool, error) {
			r, err := regexes.get(p, compileRegex)
			if err != nil {
				return 0, false, err
			}
			n, err := regexPosition(c, r, s, start, occurrence)
			return n, true, err
		})))
}
