package api

import (
	"fmt"
	"strconv"
	"strings"
	"unicode"
)

// A shape says what a value may be. Shapes are written in a small notation, in the tables
// of operations.go and shapes.go:
//
//	members    Name* Name, RetentionPeriod int(7-3653), TagsList [Tag](0-200)
//	           a name, * when it must be there, and a type; no type is any text
//	types      str(1-256) int(1-50) long double bool ts blob      with bounds, or without
//	           Ref Uuid …        a text of a named pattern (patterns in shapes.go)
//	           BillingMode …     one of the values of an enumeration
//	           Tag …             a structure
//	           [T](1-5) {K:V}    a list with bounds, a map
type shape struct {
	kind     kind
	name     string // of a pattern, enumeration or structure
	min, max int64  // of a length, or of the value of a number; max is -1 for no bound
	legal    func(c byte) bool
	pattern  string // what legal is, for messages
	values   []string
	elem     *shape // of lists and maps
	key      *shape // of maps
	members  []member
}

type kind uint8

const (
	textKind kind = iota + 1
	intKind
	doubleKind
	boolKind
	timeKind
	blobKind
	listKind
	mapKind
	structKind
)

// member is a named part of a structure.
type member struct {
	name     string
	required bool
	shape    *shape
}

// find returns the member called name, nil when there is none.
func (s *shape) find(name string) *member {
	for i := range s.members {
		if s.members[i].name == name {
			return &s.members[i]
		}
	}
	return nil
}

// notation reads the notation. What is wrong in it is a mistake of this package.
type notation struct {
	text string
	at   int
}

func (n *notation) fail(format string, args ...any) {
	panic(fmt.Sprintf("shape %q, byte %d: %s", n.text, n.at, fmt.Sprintf(format, args...)))
}

func (n *notation) skip() {
	for n.at < len(n.text) && strings.IndexByte(" \n\t", n.text[n.at]) >= 0 {
		n.at++
	}
}

func (n *notation) take(c byte) bool {
	n.skip()
	if n.at < len(n.text) && n.text[n.at] == c {
		n.at++
		return true
	}
	return false
}

func (n *notation) word() string {
	n.skip()
	from := n.at
	for n.at < len(n.text) && (unicode.IsLetter(rune(n.text[n.at])) || unicode.IsDigit(rune(n.text[n.at])) || n.text[n.at] == '_') {
		n.at++
	}
	return n.text[from:n.at]
}

// membersOf reads a list of members.
func membersOf(text string) []member {
	n := &notation{text: text}
	var out []member
	for n.skip(); n.at < len(n.text); n.skip() {
		m := member{name: n.word()}
		if m.name == "" {
			n.fail("a member's name is missing")
		}
		if group, ok := groups[m.name]; ok {
			out = append(out, membersOf(group)...)
			n.take(',')
			continue
		}
		m.required = n.take('*')
		n.skip()
		if n.at == len(n.text) || n.text[n.at] == ',' {
			m.shape = &shape{kind: textKind, max: -1}
		} else {
			m.shape = n.shape()
		}
		out = append(out, m)
		if !n.take(',') && n.at < len(n.text) {
			n.fail("no comma")
		}
	}
	return out
}

func (n *notation) shape() *shape {
	switch {
	case n.take('['):
		s := &shape{kind: listKind, max: -1, elem: n.shape()}
		if !n.take(']') {
			n.fail("no ]")
		}
		n.bounds(s)
		return s
	case n.take('{'):
		s := &shape{kind: mapKind, max: -1, key: n.shape()}
		if !n.take(':') {
			n.fail("no :")
		}
		if s.elem = n.shape(); !n.take('}') {
			n.fail("no }")
		}
		return s
	}
	name := n.word()
	var s shape
	switch name {
	case "str":
		s = shape{kind: textKind, max: -1}
	case "int":
		s = shape{kind: intKind, min: -1 << 31, max: 1<<31 - 1}
	case "long":
		s = shape{kind: intKind, min: -1 << 63, max: 1<<63 - 1}
	case "double", "float":
		s = shape{kind: doubleKind}
	case "bool":
		s = shape{kind: boolKind}
	case "ts":
		s = shape{kind: timeKind}
	case "blob":
		s = shape{kind: blobKind, max: -1}
	default:
		if p, ok := patterns[name]; ok {
			p.name = name
			s = p
		} else if values, ok := enumerations[name]; ok {
			s = shape{kind: textKind, name: name, max: -1, values: strings.Fields(values)}
		} else if _, ok := structures[name]; ok {
			return structure(name)
		} else {
			n.fail("there is no shape %q", name)
		}
	}
	n.bounds(&s)
	return &s
}

// bounds reads (1-50).
func (n *notation) bounds(s *shape) {
	if !n.take('(') {
		return
	}
	end := strings.IndexByte(n.text[n.at:], ')')
	if end < 0 {
		n.fail("no )")
	}
	low, high, _ := strings.Cut(n.text[n.at:n.at+end], "-")
	n.at += end + 1
	number := func(text string) int64 {
		v, err := strconv.ParseInt(text, 10, 64)
		if err != nil {
			n.fail("%q is no bound", text)
		}
		return v
	}
	if s.min = number(low); high != "" {
		s.max = number(high)
	} else if s.kind != intKind {
		s.max = -1
	}
}

// made are the structures that have been read.
var made = map[string]*shape{}

// structure returns the shape of a structure. It is made once.
func structure(name string) *shape {
	if s := made[name]; s != nil {
		return s
	}
	s := &shape{kind: structKind, name: name}
	made[name] = s
	s.members = membersOf(structures[name])
	return s
}
