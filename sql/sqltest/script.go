package sqltest

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
)

// This file reads the public sqllogictest format (https://sqlite.org/sqllogictest):
// records separated by empty lines, of statements that must work or fail and
// queries with the letters of their columns, a sort mode, a label and the
// expected values, one a line or hashed together with MD5. Lines skipif and
// onlyif before a record name the engine that it is not, or is, for.

// ScriptRecord is a record of a public script.
type ScriptRecord struct {
	Line int
	// Statement is set for "statement ok" and "statement error", and Fails for
	// the latter.
	Statement, Fails bool
	Types            string
	Sort             string // nosort, rowsort or valuesort
	Label            string
	SQL              string
	Want             []string // one value each, or the one line of a hash
}

// ParseScript reads the records of a script that are meant for an engine, up to
// the "halt" that is.
func ParseScript(text, engine string) ([]ScriptRecord, error) {
	var out []ScriptRecord
	lines := strings.Split(strings.ReplaceAll(text, "\r\n", "\n"), "\n")
	skip := false
	for i := 0; i < len(lines); i++ {
		// A comment may stand behind the words of a control line.
		line, _, _ := strings.Cut(lines[i], "#")
		words := strings.Fields(line)
		if len(words) == 0 {
			continue
		}
		r := ScriptRecord{Line: i + 1}
		switch words[0] {
		case "skipif", "onlyif":
			if len(words) < 2 {
				return nil, fmt.Errorf("line %d: %s names no engine", i+1, words[0])
			}
			skip = skip || (words[1] == engine) == (words[0] == "skipif")
			continue
		case "halt":
			if !skip {
				return out, nil
			}
			skip = false
			continue
		case "hash-threshold":
			continue
		case "statement":
			if len(words) < 2 || words[1] != "ok" && words[1] != "error" {
				return nil, fmt.Errorf("line %d: a statement is ok or error", i+1)
			}
			r.Statement, r.Fails = true, words[1] == "error"
		case "query":
			r.Sort = "nosort"
			if len(words) > 1 {
				r.Types = words[1]
			}
			if len(words) > 2 {
				r.Sort = words[2]
			}
			if len(words) > 3 {
				r.Label = words[3]
			}
			if !slices.Contains([]string{"nosort", "rowsort", "valuesort"}, r.Sort) {
				return nil, fmt.Errorf("line %d: %q is no sort mode", i+1, r.Sort)
			}
		default:
			return nil, fmt.Errorf("line %d: not the start of a record: %q", i+1, lines[i])
		}
		var sql []string
		for i++; i < len(lines) && lines[i] != "" && lines[i] != "----"; i++ {
			sql = append(sql, lines[i])
		}
		r.SQL = strings.TrimSuffix(strings.TrimSpace(strings.Join(sql, "\n")), ";")
		if i < len(lines) && lines[i] == "----" {
			for i++; i < len(lines) && lines[i] != ""; i++ {
				r.Want = append(r.Want, lines[i])
			}
		}
		if !skip {
			out = append(out, r)
		}
		skip = false
	}
	return out, nil
}

// splitTop splits text at a separator that stands outside of parentheses and
// quotes.
func splitTop(text string, sep byte) []string {
	var out []string
	depth, from := 0, 0
	for i := 0; i < len(text); i++ {
		switch c := text[i]; {
		case c == '\'' || c == '"' || c == '`':
			for i++; i < len(text) && text[i] != c; i++ {
			}
		case c == '(':
			depth++
		case c == ')':
			depth--
		case c == sep && depth == 0:
			out = append(out, strings.TrimSpace(text[from:i]))
			from = i + 1
		}
	}
	return append(out, strings.TrimSpace(text[from:]))
}

// findWord returns where a keyword stands outside of parentheses and quotes, or
// -1.
func findWord(text, word string) int {
	depth := 0
	for i := 0; i < len(text); i++ {
		switch c := text[i]; {
		case c == '\'' || c == '"' || c == '`':
			for i++; i < len(text) && text[i] != c; i++ {
			}
		case c == '(':
			depth++
		case c == ')':
			depth--
		case depth == 0 && i+len(word) <= len(text) && strings.EqualFold(text[i:i+len(word)], word) &&
			(i == 0 || !isWord(text[i-1])) && (i+len(word) == len(text) || !isWord(text[i+len(word)])):
			return i
		}
	}
	return -1
}

func isWord(c byte) bool {
	return c == '_' || c >= '0' && c <= '9' || c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= 0x80
}

// word cuts the first word, name or quoted name off a text.
func word(text string) (first, rest string) {
	text = strings.TrimSpace(text)
	if text == "" {
		return "", ""
	}
	if c := text[0]; c == '"' || c == '`' {
		if end := strings.IndexByte(text[1:], c); end >= 0 {
			return text[1 : 1+end], strings.TrimSpace(text[end+2:])
		}
	}
	i := 0
	for i < len(text) && isWord(text[i]) {
		i++
	}
	if i == 0 {
		return text[:1], strings.TrimSpace(text[1:])
	}
	return text[:i], strings.TrimSpace(text[i:])
}

// keywords cuts the given words off the front of a text; ok is false when it
// starts otherwise.
func keywords(text string, words ...string) (rest string, ok bool) {
	rest = text
	for _, w := range words {
		first, more := word(rest)
		if !strings.EqualFold(first, w) {
			return text, false
		}
		rest = more
	}
	return rest, true
}

// parenthesized cuts a list in parentheses off the front of a text.
func parenthesized(text string) (inside, rest string, ok bool) {
	if !strings.HasPrefix(text, "(") {
		return "", text, false
	}
	depth := 0
	for i := 0; i < len(text); i++ {
		switch c := text[i]; c {
		case '\'', '"', '`':
			for i++; i < len(text) && text[i] != c; i++ {
			}
		case '(':
			depth++
		case ')':
			if depth--; depth == 0 {
				return text[1:i], strings.TrimSpace(text[i+1:]), true
			}
		}
	}
	return "", text, false
}

// cell writes a value as the column's letter asks for.
func cell(letter byte, text string, null bool) string {
	if null {
		return "NULL"
	}
	switch letter {
	case 'I':
		switch text {
		case "true":
			return "1"
		case "false":
			return "0"
		}
		if _, err := strconv.ParseInt(text, 10, 64); err == nil {
			return text
		}
		// As C's conversions do: the number that the text starts with.
		f := leadingNumber(text)
		return strconv.FormatInt(int64(f), 10)
	case 'R':
		switch text {
		case "true":
			text = "1"
		case "false":
			text = "0"
		}
		return strconv.FormatFloat(leadingNumber(text), 'f', 3, 64)
	}
	if text == "" {
		return "(empty)"
	}
	out := []byte(text)
	for i, c := range out {
		if c < ' ' || c > '~' {
			out[i] = '@'
		}
	}
	return string(out)
}

func leadingNumber(text string) float64 {
	for end := len(text); end > 0; end-- {
		if f, err := strconv.ParseFloat(text[:end], 64); err == nil {
			return f
		}
	}
	return 0
}
