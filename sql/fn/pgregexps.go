package fn

import (
	"strings"
	"unicode/utf8"

	"github.com/cairndb/cairn/segment/column"
	"github.com/cairndb/cairn/sql/sqlerr"
)

// What Postgres does with regular expressions and Trino does not: flags, and patterns of SIMILAR TO.
// The expressions themselves are written as they are elsewhere.

// regexFlags reads Postgres' flags: g for all matches, i without regard to case, and those that say
// what a line is.
func regexFlags(flags string) (prefix string, all bool, err error) {
	for _, f := range flags {
		switch f {
		case 'g':
			all = true
		case 'i':
			prefix += "i"
		case 'c':
			prefix = strings.ReplaceAll(prefix, "i", "")
		case 'n', 'm':
			prefix += "m"
		case 's':
			prefix += "s"
		case 'x':
			prefix += "x"
		default:
			return "", false, sqlerr.New(sqlerr.InvalidArgument, sqlerr.Pos{}, "invalid regular expression option: %q", string(f)).
				WithHint("there are g, i, c, n, s and x")
		}
	}
	if strings.Contains(prefix, "x") {
		return "", false, fault(sqlerr.FeatureNotSupported, "regular expressions with blanks and comments (flag x) are not supported")
	}
	if prefix != "" {
		prefix = "(?" + prefix + ")"
	}
	return prefix, all, nil
}

// flagged compiles an expression with flags.
func flagged(pattern, flags string) (re *regex, all bool, err error) {
	prefix, all, err := regexFlags(flags)
	if err != nil {
		return nil, false, err
	}
	re, err = regexes.get(prefix+pattern, compileRegex)
	return re, all, err
}

func addPostgresRegexps(l *library) {
	// With flags the first match is replaced, or with g all, and groups are \1 as in Postgres.
	l.pg("regexp_replace", over("varchar, varchar, varchar, varchar", "varchar", emit(func(c *Context, out *column.Vector, args []*column.Vector, i int) error {
		re, all, err := flagged(strAt(args[1], i), strAt(args[3], i))
		if err != nil {
			return err
		}
		s, with := strAt(args[0], i), strAt(args[2], i)
		p := &pacer{c: c}
		var b []byte
		at := 0
		var failed error
		err = re.each(c, s, func(loc []int) bool {
			b = appendReplacement(append(b, s[at:loc[0]]...), with, s, loc)
			at = loc[1]
			failed = p.keep(len(b) - p.made)
			return all && failed == nil
		})
		if err == nil {
			err = failed
		}
		if err != nil {
			return err
		}
		pushStr(out, string(append(b, s[at:]...)))
		return nil
	})))
	split := func(flags bool) kernel {
		return emit(func(c *Context, out *column.Vector, args []*column.Vector, i int) error {
			given := ""
			if flags {
				given = strAt(args[2], i)
			}
			re, _, err := flagged(strAt(args[1], i), given)
			if err != nil {
				return err
			}
			s, at := strAt(args[0], i), 0
			err = re.each(c, s, func(loc []int) bool {
				if loc[1] == loc[0] && (loc[0] == 0 || loc[0] == len(s)) {
					return true // an empty match at an end parts nothing
				}
				pushStr(out.Children[0], s[at:loc[0]])
				at = loc[1]
				return true
			})
			if err != nil {
				return err
			}
			pushStr(out.Children[0], s[at:])
			pushEnd(out)
			return nil
		})
	}
	l.pg("regexp_split_to_array", over("varchar, varchar", "array(varchar)", split(false)), over("varchar, varchar, varchar", "array(varchar)", split(true)))
	matches := func(flags bool) kernel {
		return emit(func(c *Context, out *column.Vector, args []*column.Vector, i int) error {
			given := ""
			if flags {
				given = strAt(args[2], i)
			}
			re, all, err := flagged(strAt(args[1], i), given)
			if err != nil {
				return err
			}
			s := strAt(args[0], i)
			err = re.each(c, s, func(loc []int) bool {
				if len(loc) > 2 {
					loc = loc[2:]
				}
				each := out.Children[0]
				for k := 0; k < len(loc); k += 2 {
					if loc[k] < 0 {
						pushNull(each.Children[0])
					} else {
						pushStr(each.Children[0], s[loc[k]:loc[k+1]])
					}
				}
				pushEnd(each)
				return all
			})
			if err == nil {
				pushEnd(out)
			}
			return err
		})
	}
	l.pg("regexp_matches", over("varchar, varchar", "array(array(varchar))", matches(false)), over("varchar, varchar, varchar", "array(array(varchar))", matches(true)))
	// substring(text FROM pattern): what the first group has matched, or all.
	l.pg("substr substring", over("varchar, varchar", "varchar", emit(func(c *Context, out *column.Vector, args []*column.Vector, i int) error {
		re, _, err := flagged(strAt(args[1], i), "")
		if err != nil {
			return err
		}
		s := strAt(args[0], i)
		loc, err := re.first(c, s)
		if err != nil {
			return err
		}
		if loc == nil {
			pushNull(out)
			return nil
		}
		text, ok := groupText(s, loc, int64(min(1, len(loc)/2-1)))
		pushText(out, text, ok)
		return nil
	})))
	similar := func(escape bool) kernel {
		return emit(func(_ *Context, out *column.Vector, args []*column.Vector, i int) error {
			esc := `\`
			if escape {
				esc = strAt(args[1], i)
			}
			text, err := similarPattern(strAt(args[0], i), esc)
			if err == nil {
				pushStr(out, text)
			}
			return err
		})
	}
	l.pg("similar_to_escape", over("varchar", "varchar", similar(false)), over("varchar, varchar", "varchar", similar(true)))
}

// appendReplacement appends a replacement, in which \1 to \9 stand for groups, \0 and \& for all of the match
// and \\ for a backslash.
func appendReplacement(b []byte, with, s string, loc []int) []byte {
	for k := 0; k < len(with); k++ {
		if with[k] != '\\' || k+1 == len(with) {
			b = append(b, with[k])
			continue
		}
		k++
		group := -1
		switch next := with[k]; {
		case next == '&':
			group = 0
		case next >= '0' && next <= '9':
			group = int(next - '0')
		case next == '\\':
			b = append(b, '\\')
			continue
		default:
			b = append(b, '\\', next)
			continue
		}
		if 2*group < len(loc) && loc[2*group] >= 0 {
			b = append(b, s[loc[2*group]:loc[2*group+1]]...)
		}
	}
	return b
}

// similarPattern is the regular expression of a pattern of SIMILAR TO: % and _ as in LIKE; | * + ? {} () []
// as in expressions; all else stands for itself.
func similarPattern(pattern, escape string) (string, error) {
	if utf8.RuneCountInString(escape) > 1 {
		return "", sqlerr.New("22019", sqlerr.Pos{}, "invalid escape string").WithHint("it must be empty or one character")
	}
	esc, _ := utf8.DecodeRuneInString(escape)
	if escape == "" {
		esc = -1
	}
	b := []byte(`(?s)^(?:`)
	escaped, class := false, 0 // class: how far into a bracket expression
	for _, c := range pattern {
		switch {
		case escaped:
			if strings.ContainsRune(`.^$|*+?(){}[]\`, c) {
				b = append(b, '\\')
			}
			b = utf8.AppendRune(b, c)
			escaped = false
			class = max(class, min(class*2, 2))
		case c == esc:
			escaped = true
		case class > 0:
			if c == '\\' {
				b = append(b, '\\')
			}
			b = utf8.AppendRune(b, c)
			if c == ']' && class > 1 {
				class = 0
			} else if c != '^' || class > 1 {
				class = 2
			}
		case c == '[':
			b = append(b, '[')
			class = 1
		case c == '%':
			b = append(b, ".*"...)
		case c == '_':
			b = append(b, '.')
		case c == '(':
			b = append(b, "(?:"...)
		case c == '\\', c == '.', c == '^', c == '$':
			b = append(b, '\\', byte(c))
		default:
			b = utf8.AppendRune(b, c)
		}
	}
	if escaped {
		return "", fault("22025", "a pattern of SIMILAR TO must not end with its escape character")
	}
	return string(append(b, ")$"...)), nil
}
