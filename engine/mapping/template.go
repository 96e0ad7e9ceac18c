package mapping

import (
	"encoding/json"
	"fmt"
	"strconv"
	"strings"

	"github.com/cairndb/cairn/engine/event"
)

// path leads to a value in a record.
type path []string

// parsePath reads a path of a mapping file.
func parsePath(s string) (path, error) {
	var p path
	var step strings.Builder
	for i := 0; i < len(s); i++ {
		switch {
		case s[i] == '\\' && i+1 < len(s) && (s[i+1] == '.' || s[i+1] == '\\'):
			i++
			step.WriteByte(s[i])
		case s[i] == '.':
			p = append(p, step.String())
			step.Reset()
		default:
			step.WriteByte(s[i])
		}
	}
	p = append(p, step.String())
	for _, name := range p {
		if name == "" {
			return nil, fmt.Errorf("path %q has a step without a name", s)
		}
	}
	if len(p) > pathStepsMax {
		return nil, fmt.Errorf("path %q has %d steps, at most %d are read", s, len(p), pathStepsMax)
	}
	return p, nil
}

// pathStepsMax is deeper than any path of a known product, and a bound for hostile files.
const pathStepsMax = 32

// in returns the raw value at the path below value, nil when it is not there, null or "".
func (p path) in(value []byte) []byte {
	for _, name := range p {
		if len(value) == 0 {
			return nil
		}
		var next []byte
		switch value[0] {
		case '{':
			// The exact name wins over other spellings; of equal ones the last.
			if next = event.Lookup(value, name); next == nil {
				for key, v := range event.Members(value) {
					if strings.EqualFold(unescaped(key), name) {
						next = v
					}
				}
			}
		case '[':
			n, err := strconv.Atoi(name)
			if err != nil || n < 0 {
				return nil
			}
			for v := range event.Elements(value) {
				if n--; n < 0 {
					next = v
					break
				}
			}
		}
		value = next
	}
	if len(value) == 0 || value[0] == 'n' || len(value) == 2 && value[0] == '"' {
		return nil
	}
	return value
}

// unescaped is the text of a member name or of the inside of a string.
func unescaped(body []byte) string { return string(event.AppendUnescaped(nil, body)) }

// scalar is the text of a raw scalar; ok is false for an object or array.
func scalar(v []byte) (text string, ok bool) {
	switch v[0] {
	case '{', '[':
		return "", false
	case '"':
		return unescaped(v[1 : len(v)-1]), true
	}
	return string(v), true
}

// record is what a template looks into: an element of the record's list, if there is one, and
// the record.
type record struct{ element, whole []byte }

func (r *record) at(p path) []byte {
	if r.element != nil {
		if v := p.in(r.element); v != nil {
			return v
		}
	}
	return p.in(r.whole)
}

// template is text with paths in it.
type template struct {
	parts []part
}

// part is literal text, or a path.
type part struct {
	text string
	path path
}

func parseTemplate(s string) (template, error) {
	var t template
	var text strings.Builder
	for i := 0; i < len(s); i++ {
		switch {
		case strings.HasPrefix(s[i:], "{{"):
			text.WriteByte('{')
			i++
		case s[i] == '{':
			end := strings.IndexByte(s[i:], '}')
			if end < 0 {
				return t, fmt.Errorf("template %q: a brace is not closed", s)
			}
			p, err := parsePath(s[i+1 : i+end])
			if err != nil {
				return t, fmt.Errorf("template %q: %w", s, err)
			}
			if text.Len() > 0 {
				t.parts = append(t.parts, part{text: text.String()})
				text.Reset()
			}
			t.parts = append(t.parts, part{path: p})
			i += end
		default:
			text.WriteByte(s[i])
		}
	}
	if text.Len() > 0 {
		t.parts = append(t.parts, part{text: text.String()})
	}
	if len(t.parts) == 0 {
		return t, fmt.Errorf("a template is empty")
	}
	return t, nil
}

// text returns what the template says of a record; ok is false when a part is not there.
func (t *template) text(r *record) (string, bool) {
	var b strings.Builder
	for _, p := range t.parts {
		if p.path == nil {
			b.WriteString(p.text)
			continue
		}
		v := r.at(p.path)
		if v == nil {
			return "", false
		}
		s, ok := scalar(v)
		if !ok || s == "" {
			return "", false
		}
		b.WriteString(s)
	}
	return b.String(), true
}

// raw returns the JSON that the template copies or makes.
func (t *template) raw(r *record) []byte {
	if len(t.parts) == 1 && t.parts[0].path != nil {
		return r.at(t.parts[0].path)
	}
	s, ok := t.text(r)
	if !ok {
		return nil
	}
	return appendText(nil, s)
}

// choice is templates of which the first that is there counts.
type choice []template

// UnmarshalJSON reads a template or a list of templates.
func (c *choice) UnmarshalJSON(b []byte) error {
	var list []string
	if len(b) > 0 && b[0] == '"' {
		list = make([]string, 1)
		if err := json.Unmarshal(b, &list[0]); err != nil {
			return err
		}
	} else if err := json.Unmarshal(b, &list); err != nil {
		return fmt.Errorf("a template or a list of templates is wanted, not %s", b[:min(len(b), 40)])
	}
	if len(list) == 0 || len(list) > choicesMax {
		return fmt.Errorf("a list of %d templates, 1 to %d may stand there", len(list), choicesMax)
	}
	*c = nil
	for _, s := range list {
		t, err := parseTemplate(s)
		if err != nil {
			return err
		}
		*c = append(*c, t)
	}
	return nil
}

// choicesMax bounds the work for one member of an event.
const choicesMax = 32

func (c choice) text(r *record) (string, bool) {
	for i := range c {
		if s, ok := c[i].text(r); ok {
			return s, true
		}
	}
	return "", false
}

// String lists the templates, for messages: paths without their braces.
func (c choice) String() string {
	var all []string
	for i := range c {
		var b strings.Builder
		for _, p := range c[i].parts {
			switch name := strings.Join(p.path, "."); {
			case p.path == nil:
				b.WriteString(p.text)
			case len(c[i].parts) == 1:
				b.WriteString(name)
			default:
				b.WriteString("{" + name + "}")
			}
		}
		all = append(all, b.String())
	}
	return strings.Join(all, ", ")
}

func (c choice) raw(r *record) []byte {
	for i := range c {
		if v := c[i].raw(r); v != nil {
			return v
		}
	}
	return nil
}

// appendText appends a JSON string.
func appendText(dst []byte, s string) []byte {
	b, err := json.Marshal(s)
	if err != nil {
		return append(dst, `""`...) // a string always has a JSON text
	}
	return append(dst, b...)
}
