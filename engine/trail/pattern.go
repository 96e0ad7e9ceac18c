package trail

import (
	"bytes"
	"encoding/json"
	"fmt"
	"math/big"
	"net/netip"
	"strings"
)

// Pattern is an event pattern as rules of event buses have it: an object in the form of the
// events, whose leaves are lists of what a value may be. All members must fit, each by one
// of its list; a member of an event that is a list fits when one of its elements does.
//
//	{"source": ["aws.s3"], "detail": {"eventName": [{"prefix": "Put"}], "$or": [{…}, {…}]}}
//
// In a list stand values (texts, numbers, true, false, null) and conditions: prefix, suffix,
// equals-ignore-case (also within prefix, suffix and anything-but), anything-but, numeric,
// exists, cidr, wildcard.
type Pattern struct{ root *object }

const (
	// patternBytesMax and patternDepthMax bound a pattern.
	patternBytesMax = 64 << 10
	patternDepthMax = 32
	// patternOrMax bounds the alternatives of one $or.
	patternOrMax = 64
	// wildcardMax bounds the stars of one wildcard.
	wildcardMax = 16
)

type object struct {
	members map[string]member
	or      []*object
}

type member struct {
	below *object
	tests []test
}

// test decides about one value; missing ones are asked for by exists alone.
type test struct {
	exists *bool
	fits   func(v any) bool
}

// ParsePattern reads a pattern.
func ParsePattern(text []byte) (*Pattern, error) {
	fail := func(err error) (*Pattern, error) { return nil, fmt.Errorf("the event pattern: %w", err) }
	if len(text) > patternBytesMax {
		return fail(fmt.Errorf("%d bytes are too many", len(text)))
	}
	v, err := decodeJSON(text)
	if err != nil {
		return fail(err)
	}
	m, ok := v.(map[string]any)
	if !ok || len(m) == 0 {
		return fail(fmt.Errorf("an object with members is expected"))
	}
	root, err := parseObject(m, "", 0)
	if err != nil {
		return fail(err)
	}
	return &Pattern{root}, nil
}

func decodeJSON(text []byte) (v any, err error) {
	d := json.NewDecoder(bytes.NewReader(text))
	d.UseNumber()
	if err = d.Decode(&v); err == nil && d.More() {
		err = fmt.Errorf("there is something behind it")
	}
	return v, err
}

func parseObject(m map[string]any, at string, depth int) (*object, error) {
	if depth > patternDepthMax {
		return nil, fmt.Errorf("%s: nested too deep", at)
	}
	o := &object{members: make(map[string]member)}
	for name, v := range m {
		place := strings.TrimPrefix(at+"."+name, ".")
		list, isList := v.([]any)
		if name == "$or" && isList {
			if len(list) < 2 || len(list) > patternOrMax {
				return nil, fmt.Errorf("%s: %d alternatives, there must be 2 to %d", place, len(list), patternOrMax)
			}
			for _, a := range list {
				below, ok := a.(map[string]any)
				if !ok || len(below) == 0 {
					return nil, fmt.Errorf("%s: alternatives are objects with members", place)
				}
				alternative, err := parseObject(below, place, depth+1)
				if err != nil {
					return nil, err
				}
				o.or = append(o.or, alternative)
			}
			continue
		}
		var mem member
		switch v := v.(type) {
		case map[string]any:
			if len(v) == 0 {
				return nil, fmt.Errorf("%s: an empty object", place)
			}
			below, err := parseObject(v, place, depth+1)
			if err != nil {
				return nil, err
			}
			mem.below = below
		case []any:
			if len(v) == 0 {
				return nil, fmt.Errorf("%s: an empty list", place)
			}
			for _, e := range v {
				t, err := parseTest(e)
				if err != nil {
					return nil, fmt.Errorf("%s: %w", place, err)
				}
				mem.tests = append(mem.tests, t)
			}
		default:
			return nil, fmt.Errorf("%s: values stand in a list: [%v]", place, v)
		}
		o.members[name] = mem
	}
	return o, nil
}

func parseTest(e any) (test, error) {
	m, ok := e.(map[string]any)
	if !ok {
		if _, ok := e.([]any); ok {
			return test{}, fmt.Errorf("a list within a list")
		}
		return test{fits: func(v any) bool { return equal(v, e) }}, nil
	}
	if len(m) != 1 {
		return test{}, fmt.Errorf("a condition has one member, this one has %d", len(m))
	}
	for name, arg := range m {
		switch name {
		case "exists":
			want, ok := arg.(bool)
			if !ok {
				return test{}, fmt.Errorf("exists takes true or false")
			}
			return test{exists: &want}, nil
		case "anything-but":
			fits, err := parseAnythingBut(arg)
			return test{fits: fits}, err
		case "numeric":
			fits, err := parseNumeric(arg)
			return test{fits: fits}, err
		case "cidr":
			text, _ := arg.(string)
			prefix, err := netip.ParsePrefix(text)
			if err != nil {
				return test{}, fmt.Errorf("cidr takes a range of addresses, such as 10.0.0.0/8, not %v", arg)
			}
			return test{fits: func(v any) bool {
				s, ok := v.(string)
				a, err := netip.ParseAddr(s)
				return ok && err == nil && prefix.Contains(a)
			}}, nil
		default:
			fits, err := parseText(name, arg)
			return test{fits: fits}, err
		}
	}
	panic("unreachable: it has one member")
}

// parseText reads the conditions on texts.
func parseText(name string, arg any) (func(v any) bool, error) {
	if below, ok := arg.(map[string]any); ok && (name == "prefix" || name == "suffix") {
		want, ok := below["equals-ignore-case"].(string)
		if !ok || len(below) != 1 {
			return nil, fmt.Errorf("%s takes a text or {\"equals-ignore-case\": text}", name)
		}
		return onText(func(s string) bool {
			if len(s) < len(want) {
				return false
			}
			if name == "prefix" {
				return strings.EqualFold(s[:len(want)], want)
			}
			return strings.EqualFold(s[len(s)-len(want):], want)
		}), nil
	}
	want, ok := arg.(string)
	if !ok || want == "" {
		return nil, fmt.Errorf("%s takes a text", name)
	}
	switch name {
	case "prefix":
		return onText(func(s string) bool { return strings.HasPrefix(s, want) }), nil
	case "suffix":
		return onText(func(s string) bool { return strings.HasSuffix(s, want) }), nil
	case "equals-ignore-case":
		return onText(func(s string) bool { return strings.EqualFold(s, want) }), nil
	case "wildcard":
		parts, err := splitWildcard(want)
		if err != nil {
			return nil, err
		}
		return onText(func(s string) bool { return matchWildcard(s, parts) }), nil
	}
	return nil, fmt.Errorf("%q is no condition", name)
}

func onText(f func(s string) bool) func(v any) bool {
	return func(v any) bool { s, ok := v.(string); return ok && f(s) }
}

// splitWildcard returns the texts between stars; \* is a star, \\ a backslash.
func splitWildcard(text string) ([]string, error) {
	parts := []string{""}
	for i := 0; i < len(text); i++ {
		last := len(parts) - 1
		switch c := text[i]; {
		case c == '\\' && i+1 < len(text) && (text[i+1] == '*' || text[i+1] == '\\'):
			i++
			parts[last] += text[i : i+1]
		case c == '\\':
			return nil, fmt.Errorf("wildcard %q: a backslash stands before a star or a backslash", text)
		case c == '*' && last > 0 && parts[last] == "":
			return nil, fmt.Errorf("wildcard %q: two stars beside each other", text)
		case c == '*':
			parts = append(parts, "")
		default:
			parts[last] += text[i : i+1]
		}
	}
	if len(parts)-1 > wildcardMax {
		return nil, fmt.Errorf("wildcard %q: more than %d stars", text, wildcardMax)
	}
	return parts, nil
}

func matchWildcard(s string, parts []string) bool {
	first, last := parts[0], parts[len(parts)-1]
	if len(parts) == 1 {
		return s == first
	}
	if len(s) < len(first)+len(last) || !strings.HasPrefix(s, first) || !strings.HasSuffix(s, last) {
		return false
	}
	s = s[len(first) : len(s)-len(last)]
	for _, p := range parts[1 : len(parts)-1] {
		at := strings.Index(s, p)
		if at < 0 {
			return false
		}
		s = s[at+len(p):]
	}
	return true
}

func parseAnythingBut(arg any) (func(v any) bool, error) {
	var not []func(v any) bool
	add := func(e any) {
		not = append(not, func(v any) bool { return equal(v, e) })
	}
	switch arg := arg.(type) {
	case []any:
		if len(arg) == 0 {
			return nil, fmt.Errorf("anything-but has an empty list")
		}
		for _, e := range arg {
			switch e.(type) {
			case string, json.Number:
				add(e)
			default:
				return nil, fmt.Errorf("anything-but takes texts and numbers")
			}
		}
	case string, json.Number:
		add(arg)
	case map[string]any:
		if len(arg) != 1 {
			return nil, fmt.Errorf("anything-but takes one condition")
		}
		for name, e := range arg {
			list, ok := e.([]any)
			if !ok {
				list = []any{e}
			}
			for _, e := range list {
				f, err := parseText(name, e)
				if err != nil {
					return nil, fmt.Errorf("anything-but: %w", err)
				}
				not = append(not, f)
			}
		}
	default:
		return nil, fmt.Errorf("anything-but takes texts, numbers or a condition")
	}
	return func(v any) bool {
		for _, f := range not {
			if f(v) {
				return false
			}
		}
		return true
	}, nil
}

func parseNumeric(arg any) (func(v any) bool, error) {
	list, ok := arg.([]any)
	if !ok || len(list) != 2 && len(list) != 4 {
		return nil, fmt.Errorf(`numeric takes a comparison or two: [">", 0, "<=", 5]`)
	}
	type bound struct {
		op string
		at *big.Rat
	}
	var bounds []bound
	for i := 0; i < len(list); i += 2 {
		op, _ := list[i].(string)
		at := number(list[i+1])
		if at == nil || !strings.Contains(" < <= = >= > ", " "+op+" ") {
			return nil, fmt.Errorf("numeric: %v %v is not a comparison", list[i], list[i+1])
		}
		bounds = append(bounds, bound{op, at})
	}
	return func(v any) bool {
		n := number(v)
		if n == nil {
			return false
		}
		for _, b := range bounds {
			c := n.Cmp(b.at)
			if c < 0 && !strings.HasPrefix(b.op, "<") || c > 0 && !strings.HasPrefix(b.op, ">") || c == 0 && !strings.HasSuffix(b.op, "=") {
				return false
			}
		}
		return true
	}, nil
}

// number returns a JSON number, nil of anything else and of one whose exponent would cost
// memory.
func number(v any) *big.Rat {
	n, ok := v.(json.Number)
	if !ok || len(n) > 64 {
		return nil
	}
	if f, err := n.Float64(); err != nil || f > 1e15 || f < -1e15 {
		return nil
	}
	if at := strings.IndexAny(string(n), "eE"); at >= 0 && len(n)-at > 5 {
		return nil
	}
	r, ok := new(big.Rat).SetString(string(n))
	if !ok {
		return nil
	}
	return r
}

// equal compares a value of an event with one of a pattern.
func equal(v, want any) bool {
	switch want := want.(type) {
	case json.Number:
		if a, b := number(v), number(want); a != nil && b != nil {
			return a.Cmp(b) == 0
		}
	}
	return v == want
}

// Match reports whether an event, JSON text, fits the pattern.
func (p *Pattern) Match(text []byte) bool {
	v, err := decodeJSON(text)
	if err != nil {
		return false
	}
	return p.root.match(v)
}

func (o *object) match(v any) bool {
	if list, ok := v.([]any); ok {
		for _, e := range list {
			if o.match(e) {
				return true
			}
		}
		return false
	}
	m, _ := v.(map[string]any)
	for name, mem := range o.members {
		value, there := m[name]
		if mem.below != nil {
			if !mem.below.match(value) {
				return false
			}
			continue
		}
		if !mem.match(value, there) {
			return false
		}
	}
	if len(o.or) == 0 {
		return true
	}
	for _, a := range o.or {
		if a.match(v) {
			return true
		}
	}
	return false
}

func (m *member) match(v any, there bool) bool {
	values := []any{v}
	if list, ok := v.([]any); ok {
		values = list
	}
	for _, t := range m.tests {
		if t.exists != nil {
			// Only leaves exist: an object is none.
			_, below := v.(map[string]any)
			if *t.exists == (there && !below) {
				return true
			}
			continue
		}
		if !there {
			continue
		}
		for _, e := range values {
			switch e.(type) {
			case map[string]any, []any:
				continue
			}
			if t.fits(e) {
				return true
			}
		}
	}
	return false
}
