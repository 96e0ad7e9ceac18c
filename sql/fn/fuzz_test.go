package fn

import (
	"encoding/json"
	"regexp"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/cairndb/cairn/segment/column"
)

func canonicalOf(value string) string {
	text, _ := canonicalDocument(nil, nil, value)
	return string(text)
}

// FuzzJSON compares the scanner with the standard library's: what is valid, what
// a compact document means, that canonical text is stable.
func FuzzJSON(f *testing.F) {
	for _, s := range []string{`{"a": [1, 2.5e-3, "x\u00e9\ud83d\ude00"], "b": null}`, `[]`, `"\ud800"`, ` true `, `{"a":1,"a":2}`, `01`, `"\x"`, "\"a\tb\"", `{"a":}`, `[1,]`, `{"b":1,"a":{"z":[],"y":2,"z":{}},"b":3}`, `{"a":1,}`, `[[{"b":0,"a":[]}]]`, `-`, `1.`, `"\u12"`} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		value, ok := jsonDocument(nil, s)
		if canonical, same := canonicalDocument(nil, nil, s); same != ok || ok && len(canonical) == 0 {
			t.Fatalf("%q: valid %v, in canonical form %v", s, ok, same)
		}
		if want := json.Valid([]byte(s)); ok != want && strings.Count(s, "[")+strings.Count(s, "{") < maxJSONDepth {
			t.Fatalf("%q: valid %v, the standard library says %v", s, ok, want)
		}
		if !ok || !utf8.ValidString(s) {
			return
		}
		for _, text := range []string{compact(value), canonicalOf(value)} {
			var a, b any
			if err := json.Unmarshal([]byte(s), &a); err != nil {
				return // numbers too large for it
			}
			if err := json.Unmarshal([]byte(text), &b); err != nil {
				t.Fatalf("%q became %q: %v", s, text, err)
			}
			x, _ := json.Marshal(a)
			y, _ := json.Marshal(b)
			if string(x) != string(y) {
				t.Fatalf("%q became %q, which means something else", s, text)
			}
		}
		once := canonicalOf(value)
		if twice := canonicalOf(once); once != twice {
			t.Fatalf("%q is not stable: %q", once, twice)
		}
		if text, ok := scalarText(value); ok && value[0] == '"' {
			var want string
			if json.Unmarshal([]byte(value), &want) == nil && text != want {
				t.Fatalf("%s is %q, want %q", value, text, want)
			}
		}
	})
}

// FuzzJSONPath: a path never panics, and finds what walking over the decoded
// document finds.
func FuzzJSONPath(f *testing.F) {
	f.Add(`{"a": {"b c": [10, {"d": "x"}]}}`, `$.a["b c"][1].d`)
	f.Add(`[1, [2]]`, `$[1][0]`)
	f.Add(`{"":1}`, `$[""]`)
	f.Add(`{"a":1`, `$.a`)
	f.Fuzz(func(t *testing.T, s, path string) {
		p, err := compilePath(path)
		if err != nil {
			return
		}
		value, ok := p.find(nil, s)
		if ok {
			if _, valid := jsonDocument(nil, value); !valid {
				t.Fatalf("%s of %q is %q", path, s, value)
			}
		}
		document, valid := jsonDocument(nil, s)
		if !valid || !utf8.ValidString(s) {
			return
		}
		here := document
		for _, step := range p {
			next := ""
			if here[0] == '{' || here[0] == '[' {
				members(nil, here, func(n int, key, v string) bool {
					if here[0] == '[' && n == step.index || key != "" && unquote(key) == step.name {
						next = v
						return false
					}
					return true
				})
			}
			if next == "" {
				if ok {
					t.Fatalf("%s of %q is %q, want nothing", path, s, value)
				}
				return
			}
			here = next
		}
		if !ok || value != here {
			t.Fatalf("%s of %q is %q, want %q", path, s, value, here)
		}
	})
}

// FuzzLike compares LIKE with the regular expression that means the same.
func FuzzLike(f *testing.F) {
	for _, c := range [][2]string{{"abc", "a%"}, {"abc", "%b%"}, {"a%c", "a#%c"}, {"日本", "_本"}, {"", "%%"}, {"aXbXc", "a%X_"}, {"aaa", "%a_a%"}} {
		f.Add(c[0], c[1], c[0] == "a%c")
	}
	f.Fuzz(func(t *testing.T, s, pattern string, escaped bool) {
		if !utf8.ValidString(s) || !utf8.ValidString(pattern) {
			return
		}
		escape := NoEscape
		if escaped {
			escape = '#'
		}
		p, err := CompileLike(pattern, escape)
		if err != nil {
			return
		}
		var b strings.Builder
		b.WriteString(`(?s)\A`)
		quoted := false
		for _, r := range pattern {
			switch {
			case quoted:
				b.WriteString(regexp.QuoteMeta(string(r)))
				quoted = false
			case r == escape:
				quoted = true
			case r == '%':
				b.WriteString(".*")
			case r == '_':
				b.WriteString(".")
			default:
				b.WriteString(regexp.QuoteMeta(string(r)))
			}
		}
		re, err := regexp.Compile(b.String() + `\z`)
		if err != nil {
			return
		}
		if got, want := p.Match(s), re.MatchString(s); got != want {
			t.Fatalf("%q like %q is %v, want %v", s, pattern, got, want)
		}
		if prefix, _ := p.Prefix(); p.Match(s) && !strings.HasPrefix(s, prefix) {
			t.Fatalf("%q matches %q but does not begin with %q", s, pattern, prefix)
		}
	})
}

// FuzzRegexp: whatever the pattern, functions give an answer or an error, both
// engines tell the same positions, and the time is bounded.
func FuzzRegexp(f *testing.F) {
	for _, c := range [][2]string{{"a1b2", `\d+`}, {"foobar", `foo(?=bar)`}, {"abab", `(ab)\1`}, {"x", `\Qa\E\p{Punct}\h\R\Z`}, {"aaa", `a++`}, {"日本", `(?<=日).`}, {"aaaaaaaaaaaaaaaaaaaaaaaaaaa!", `(?=x)?(a+)+$`}} {
		f.Add(c[0], c[1], "<$0>")
	}
	f.Fuzz(func(t *testing.T, s, pattern, with string) {
		r, err := compileRegex(pattern)
		if err != nil {
			return
		}
		start := time.Now()
		last := 0
		err = r.each(&Context{}, s, func(loc []int) bool {
			if loc[0] < last || loc[1] < loc[0] || loc[1] > len(s) {
				t.Fatalf("%q in %q: match %v after %d", pattern, s, loc, last)
			}
			last = loc[1]
			return time.Since(start) < 3*backtrackLimit
		})
		if found, findErr := r.find(&Context{}, s); err == nil && findErr == nil {
			loc, _ := r.first(&Context{}, s)
			if found != (loc != nil) {
				t.Fatalf("%q in %q: found %v, first %v", pattern, s, found, loc)
			}
		}
		_, _ = r.replace(&Context{}, s, with)
	})
}

// FuzzTime: every reader of times gives a value or refuses; what it gives reads
// back as the same.
func FuzzTime(f *testing.F) {
	for _, s := range []string{"2026-01-02", "2026-01-02 03:04:05.678", "2026-01-02T03:04:05Z", "2026-W01-1", "-0001-01-01", "2026-01-02 03:04 Europe/Paris", "1 2:03:04", "3 days 2 hours", "2026-01-02 99", "1.5", "12345-12-31 23:59:59.9999999"} {
		f.Add(s, "%Y-%m-%d %H:%i:%s")
	}
	f.Fuzz(func(t *testing.T, s, format string) {
		if micros, err := ParseTimestampLiteral(s); err == nil {
			text := string(appendTimestamp(nil, micros, 6))
			if back, err := ParseTimestampLiteral(text); err != nil || back != micros {
				t.Fatalf("%q is %q, which reads as %d, not %d: %v", s, text, back, micros, err)
			}
		}
		parseISO8601(s)
		for _, unit := range []string{"", "day", "year", "second"} {
			for _, to := range []string{"", "second", "month"} {
				_, _, _ = ParseIntervalLiteral(s, unit, to)
			}
		}
		for _, compile := range []func(string) (timeLayout, error){compileMySQLFormat, compileJodaFormat} {
			layout, err := compile(format)
			if err != nil {
				continue
			}
			if p, ok := layout.parse(s); ok {
				p.local()
			}
			if len(format) < 1000 {
				layout.append(nil, 1767323045678901, 0)
			}
		}
	})
}

// FuzzCastText: text cast to any type and back never panics, and a value that
// has a text reads back from it.
func FuzzCastText(f *testing.F) {
	for _, s := range testTexts {
		f.Add(s)
	}
	targets := append([]*column.Type{column.RealType, column.DecimalOf(18, 6), column.DecimalOf(3, 3)}, testTypes...)
	f.Fuzz(func(t *testing.T, s string) {
		v := column.New(column.VarcharType, 1)
		v.Str[0] = s
		for _, typ := range targets {
			b, err := TryCast(column.VarcharType, typ)
			if err != nil {
				continue
			}
			x, err := b.Eval(testContext, []*column.Vector{v}, 1)
			if err != nil {
				t.Fatalf("%q as %s: %v", s, typ, err)
			}
			back, err := Cast(typ, column.VarcharType)
			if err != nil || x.IsNull(0) || typ.Kind == column.IntervalMonth || typ.Kind == column.IntervalDay || typ.Kind == column.JSON {
				continue
			}
			text, err := back.Eval(testContext, []*column.Vector{x}, 1)
			if err != nil {
				t.Fatalf("%q as %s has no text: %v", s, typ, err)
			}
			again, err := b.Eval(testContext, []*column.Vector{text}, 1)
			if err != nil || !EqualAt(x, 0, again, 0) {
				t.Fatalf("%q as %s is %s, which reads as %s: %v", s, typ, text.Str[0], Format(again, 0), err)
			}
		}
	})
}

// FuzzSketch: bytes that are no sketch are refused, others read back the same.
func FuzzSketch(f *testing.F) {
	s := &distinctSketch{p: 11}
	f.Add(s.encode())
	s.add(5)
	s.add(0)
	f.Add(s.encode())
	s.p = 4
	s.densify()
	f.Add(s.encode())
	f.Fuzz(func(t *testing.T, b string) {
		s, err := decodeSketch(b)
		if err != nil {
			return
		}
		if s.encode() != b && s.registers == nil {
			t.Fatalf("%x reads back as %x", b, s.encode())
		}
		s.estimate()
		s.merge(&distinctSketch{p: s.p})
	})
}

// FuzzFormat: a format gives text or an error.
func FuzzFormat(f *testing.F) {
	f.Add("%5d %-3s %.2f %,d %2$x", int64(5), 1.5, "x")
	f.Fuzz(func(t *testing.T, format string, i int64, x float64, s string) {
		args := []*column.Vector{column.New(column.BigIntType, 1), column.New(column.DoubleType, 1), column.New(column.VarcharType, 1)}
		args[0].I64[0], args[1].F64[0], args[2].Str[0] = i, x, s
		_, _ = formatJava(format, args, 0)
		_, _ = formatJava(format, args[1:], 0)
	})
}

// FuzzSQLPath wants every path of SQL/JSON to be refused or to give items that
// are valid JSON, in bounded work, whatever it is and whatever it is asked of.
func FuzzSQLPath(f *testing.F) {
	for _, s := range []string{
		`lax $.a[*] ? (@.b > 1 && !exists(@.c)).d`, `strict $[last - 1, 0 to 2].size()`, `$..x.keyvalue() ? (@.value like_regex "a+" flag "i")`,
		`-$.a * (2 + $v) % 3`, `$ ? ((@ == "x") is unknown || @ starts with "y")`, `((((($)))))`, `$ ? (($ ? (($ ? (($ ? (1 == 1))))))`, `$."\u00e9".*`,
	} {
		f.Add(s, `{"a":[1,{"b":2,"d":null},"x"],"x":[[],{}],"é":-1.5e3}`)
	}
	f.Fuzz(func(t *testing.T, path, text string) {
		p, err := parseSQLPath(path)
		if err != nil {
			return
		}
		value, ok := jsonDocument(nil, text)
		if !ok {
			return
		}
		items, err := p.find(&pacer{c: &Context{}}, itemOf(value), map[string]jsonItem{"v": {'n', "2"}})
		if err != nil {
			return
		}
		for _, it := range items {
			if out := appendItem(nil, it); utf8.ValidString(text) && utf8.ValidString(path) {
				if _, ok := jsonDocument(nil, string(out)); !ok {
					t.Fatalf("%s of %s gives %s", path, text, out)
				}
			}
		}
	})
}
