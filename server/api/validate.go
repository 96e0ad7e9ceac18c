package api

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"
)

// object is a structure or map as it came or goes: texts, int64, float64, bool, moments,
// []any, objects.
type object = map[string]any

// moment is a time in requests and answers: seconds since 1970, with a fraction.
type moment struct{ time.Time }

// MarshalJSON writes the seconds, to the millisecond.
func (m moment) MarshalJSON() ([]byte, error) {
	ms := m.UnixMilli()
	if ms%1000 == 0 {
		return strconv.AppendInt(nil, ms/1000, 10), nil
	}
	return strconv.AppendFloat(nil, float64(ms)/1000, 'f', 3, 64), nil
}

// timesMin and timesMax bound times in requests: the years 1970 to 9999.
const timesMin, timesMax = 0, 253402300799

// invalid is what is wrong with a member of a request.
type invalid struct {
	member string // the outermost one
	why    string
}

func (e *invalid) Error() string { return e.why }

// depthMax bounds how deep a request may be nested; the deepest shape has seven levels,
// members that are not known are skipped.
const depthMax = 64

// parseBody reads the body of a request: one JSON object.
func parseBody(body []byte) (object, error) {
	if len(bytes.TrimSpace(body)) == 0 {
		return object{}, nil
	}
	if !utf8.Valid(body) {
		return nil, errors.New("the body is not UTF-8")
	}
	if err := checkDepth(body); err != nil {
		return nil, err
	}
	d := json.NewDecoder(bytes.NewReader(body))
	d.UseNumber()
	var v any
	if err := d.Decode(&v); err != nil {
		return nil, fmt.Errorf("the body is not JSON: %w", err)
	}
	if _, err := d.Token(); err != io.EOF {
		return nil, errors.New("the body is more than one JSON value")
	}
	o, ok := v.(object)
	if !ok {
		return nil, errors.New("the body is not a JSON object")
	}
	return o, nil
}

// checkDepth refuses what is nested too deep before it is taken apart.
func checkDepth(body []byte) error {
	depth, text := 0, false
	for i := 0; i < len(body); i++ {
		switch c := body[i]; {
		case text && c == '\\':
			i++
		case c == '"':
			text = !text
		case text:
		case c == '{' || c == '[':
			if depth++; depth > depthMax {
				return fmt.Errorf("the body is nested deeper than %d levels", depthMax)
			}
		case c == '}' || c == ']':
			depth--
		}
	}
	return nil
}

// check turns a structure of a request into what handlers read: members that are not known,
// or null, are left out, numbers and times have their types. Errors are [*invalid].
func (s *shape) check(in object, path string) (object, error) {
	out := make(object, len(in))
	for i := range s.members {
		m := &s.members[i]
		v, ok := in[m.name]
		at := m.name
		if path != "" {
			at = path + "." + m.name
		}
		if !ok || v == nil {
			if m.required {
				return nil, &invalid{outer(at), fmt.Sprintf("%s is missing: it must be given", at)}
			}
			continue
		}
		value, err := m.shape.value(v, at)
		if err != nil {
			return nil, err
		}
		out[m.name] = value
	}
	return out, nil
}

// outer is the outermost member of a path.
func outer(path string) string {
	if i := strings.IndexAny(path, ".["); i >= 0 {
		return path[:i]
	}
	return path
}

func (s *shape) value(v any, at string) (any, error) {
	bad := func(format string, args ...any) (any, error) {
		return nil, &invalid{outer(at), at + " " + fmt.Sprintf(format, args...)}
	}
	switch s.kind {
	case textKind:
		t, ok := v.(string)
		if !ok {
			return bad("must be a string, not %s", kindOf(v))
		}
		n := int64(utf8.RuneCountInString(t))
		if n < s.min || s.max >= 0 && n > s.max {
			return bad("has %d characters, it must have %s", n, s.range_())
		}
		if s.values != nil && !slices.Contains(s.values, t) {
			return bad("is %q, it must be one of %s", shorten(t), strings.Join(s.values, ", "))
		}
		if s.legal != nil {
			for i := range len(t) {
				if !s.legal(t[i]) {
					return bad("%q has a character at byte %d that is not of %s", shorten(t), i, s.pattern)
				}
			}
		}
		if s.name == "Uuid" && !isUUID(t) {
			return bad("%q is not a UUID", shorten(t))
		}
		return t, nil
	case intKind:
		n, ok := integerOf(v)
		if !ok {
			return bad("must be an integer, not %s", kindOf(v))
		}
		if n < s.min || n > s.max {
			return bad("is %d, it must be %s", n, s.range_())
		}
		return n, nil
	case doubleKind:
		n, ok := v.(json.Number)
		f, err := strconv.ParseFloat(string(n), 64)
		if !ok || err != nil {
			return bad("must be a number, not %s", kindOf(v))
		}
		return f, nil
	case boolKind:
		b, ok := v.(bool)
		if !ok {
			return bad("must be true or false, not %s", kindOf(v))
		}
		return b, nil
	case timeKind:
		n, ok := v.(json.Number)
		f, err := strconv.ParseFloat(string(n), 64)
		if !ok || err != nil || f < timesMin || f > timesMax {
			return bad("must be a time, a number of seconds since 1970, not %s", kindOf(v))
		}
		sec, frac := math.Modf(f)
		return moment{time.Unix(int64(sec), int64(math.Round(frac*1e6))*1000).UTC()}, nil
	case blobKind:
		t, ok := v.(string)
		b, err := base64.StdEncoding.DecodeString(t)
		if !ok || err != nil {
			return bad("must be base64")
		}
		return b, nil
	case listKind:
		list, ok := v.([]any)
		if !ok {
			return bad("must be a list, not %s", kindOf(v))
		}
		if n := int64(len(list)); n < s.min || s.max >= 0 && n > s.max {
			return bad("has %d items, it must have %s", n, s.range_())
		}
		out := make([]any, len(list))
		for i, item := range list {
			if item == nil {
				return bad("[%d] is null", i)
			}
			value, err := s.elem.value(item, fmt.Sprintf("%s[%d]", at, i))
			if err != nil {
				return nil, err
			}
			out[i] = value
		}
		return out, nil
	case mapKind:
		m, ok := v.(object)
		if !ok {
			return bad("must be a map, not %s", kindOf(v))
		}
		out := make(object, len(m))
		for k, item := range m {
			if _, err := s.key.value(k, at+" key"); err != nil {
				return nil, err
			}
			value, err := s.elem.value(item, at+"["+strconv.Quote(shorten(k))+"]")
			if err != nil {
				return nil, err
			}
			out[k] = value
		}
		return out, nil
	case structKind:
		o, ok := v.(object)
		if !ok {
			return bad("must be a structure, not %s", kindOf(v))
		}
		return s.check(o, at)
	}
	panic("a shape without a kind")
}

// range_ tells the bounds.
func (s *shape) range_() string {
	if s.max < 0 {
		return fmt.Sprintf("at least %d", s.min)
	}
	return fmt.Sprintf("%d to %d", s.min, s.max)
}

// integerOf reads an integer, also one that is written 5.0 or 5e0.
func integerOf(v any) (int64, bool) {
	n, ok := v.(json.Number)
	if !ok {
		return 0, false
	}
	if i, err := n.Int64(); err == nil {
		return i, true
	}
	f, err := n.Float64()
	if err != nil || f != math.Trunc(f) || math.Abs(f) > 1<<53 {
		return 0, false
	}
	return int64(f), true
}

func kindOf(v any) string {
	switch v := v.(type) {
	case nil:
		return "null"
	case string:
		return "the string " + strconv.Quote(shorten(v))
	case json.Number:
		return "the number " + shorten(string(v))
	case bool:
		return fmt.Sprint(v)
	case []any:
		return "a list"
	}
	return "a structure"
}

// shorten keeps what a client sent from filling messages.
func shorten(s string) string {
	const most = 100
	if len(s) > most {
		return strings.ToValidUTF8(s[:most], "") + "…"
	}
	return s
}

// isUUID reports whether s is a UUID in lower case.
func isUUID(s string) bool {
	if len(s) != 36 {
		return false
	}
	for i := range len(s) {
		c := s[i]
		if dash := i == 8 || i == 13 || i == 18 || i == 23; dash != (c == '-') || !dash && !(digit(c) || c >= 'a' && c <= 'f') {
			return false
		}
	}
	return true
}
