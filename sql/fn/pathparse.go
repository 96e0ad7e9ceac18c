package fn

import (
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/cairndb/cairn/sql/sqlerr"
)

// The path language of SQL/JSON (json_value, json_query, json_exists), which is
// another than that of json_extract: a path gives a sequence of items.
//
//	[lax | strict] expression
//	expression   arithmetic (+ - * / %) over accessor chains
//	chain        $  $name  @  last  literal  ( expression )
//	             then .key  ."key"  .*  ..key  [0, 2 to last]  [*]  ?( predicate )
//	             .type() .size() .double() .ceiling() .floor() .abs() .keyvalue()
//	predicate    comparisons, && || !, exists( ), starts with, like_regex, is unknown

// pathNode is a node of a parsed path.
type pathNode struct {
	op   string // what it is; see the parser
	text string // key, name, method, or pattern
	item jsonItem
	args []*pathNode
}

// sqlPath is a parsed path of SQL/JSON.
type sqlPath struct {
	strict bool
	root   *pathNode
}

// pathDepthMax bounds the nesting of a path.
const pathDepthMax = 100

// pathStepsMax bounds the work of parsing: what begins with a parenthesis may
// be read twice, on every level.
const pathStepsMax = 20_000

type pathParser struct {
	s      string
	i      int
	depth  int
	steps  int
	failed error
}

var sqlPaths = boundedCache[string, *sqlPath]{size: 1000}

// parseSQLPath parses a path of SQL/JSON.
func parseSQLPath(s string) (*sqlPath, error) {
	p := &pathParser{s: s}
	out := &sqlPath{}
	if p.word("strict") {
		out.strict = true
	} else {
		p.word("lax")
	}
	out.root = p.sum()
	p.space()
	if p.failed == nil && p.i < len(s) {
		p.fail()
	}
	return out, p.failed
}

func (p *pathParser) fail() {
	if p.failed == nil {
		p.failed = sqlerr.New(sqlerr.InvalidArgument, sqlerr.Pos{}, "%s is not a JSON path: character %d is not understood", shown(p.s), utf8.RuneCountInString(p.s[:min(p.i, len(p.s))])+1).
			WithHint(`a path looks like lax $.items[*].cidr ? (@ starts with "10.")`)
	}
}

func (p *pathParser) space() { p.i = skipSpace(p.s, p.i) }

// accept consumes a sign.
func (p *pathParser) accept(sign string) bool {
	p.space()
	if p.failed == nil && strings.HasPrefix(p.s[p.i:], sign) {
		p.i += len(sign)
		return true
	}
	return false
}

func (p *pathParser) expect(sign string) {
	if !p.accept(sign) {
		p.fail()
	}
}

// word consumes a keyword.
func (p *pathParser) word(w string) bool {
	p.space()
	if p.failed != nil || !strings.HasPrefix(p.s[p.i:], w) || p.i+len(w) < len(p.s) && nameByte(p.s[p.i+len(w)]) {
		return false
	}
	p.i += len(w)
	return true
}

func nameByte(c byte) bool {
	return c == '_' || c >= '0' && c <= '9' || c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= 0x80
}

func (p *pathParser) name() string {
	start := p.i
	for p.i < len(p.s) && nameByte(p.s[p.i]) {
		p.i++
	}
	if start == p.i {
		p.fail()
	}
	return p.s[start:p.i]
}

// text consumes a string in double quotes.
func (p *pathParser) text() string {
	p.space()
	if p.i >= len(p.s) || p.s[p.i] != '"' {
		p.fail()
		return ""
	}
	end, _, ok := skipString(p.s, p.i)
	if !ok {
		p.fail()
		return ""
	}
	t := unquote(p.s[p.i:end])
	p.i = end
	return t
}

func (p *pathParser) enter() bool {
	p.steps++
	if p.depth++; p.depth > pathDepthMax || p.steps > pathStepsMax {
		p.fail()
	}
	return p.failed == nil
}

func (p *pathParser) sum() *pathNode {
	if !p.enter() {
		return &pathNode{}
	}
	defer func() { p.depth-- }()
	n := p.product()
	for p.failed == nil {
		switch {
		case p.accept("+"):
			n = &pathNode{op: "+", args: []*pathNode{n, p.product()}}
		case p.accept("-"):
			n = &pathNode{op: "-", args: []*pathNode{n, p.product()}}
		default:
			return n
		}
	}
	return n
}

func (p *pathParser) product() *pathNode {
	n := p.signed()
	for p.failed == nil {
		op := ""
		for _, o := range []string{"*", "/", "%"} {
			if p.accept(o) {
				op = o
				break
			}
		}
		if op == "" {
			return n
		}
		n = &pathNode{op: op, args: []*pathNode{n, p.signed()}}
	}
	return n
}

func (p *pathParser) signed() *pathNode {
	if !p.enter() {
		return &pathNode{}
	}
	defer func() { p.depth-- }()
	if p.accept("-") {
		return &pathNode{op: "minus", args: []*pathNode{p.signed()}}
	}
	if p.accept("+") {
		return &pathNode{op: "plus", args: []*pathNode{p.signed()}}
	}
	return p.chain()
}

func (p *pathParser) chain() *pathNode {
	n := p.primary()
	for p.failed == nil {
		switch {
		case p.accept(".."):
			n = &pathNode{op: "descendant", text: p.key(), args: []*pathNode{n}}
		case p.accept(".*"):
			n = &pathNode{op: "members", args: []*pathNode{n}}
		case p.accept("."):
			quoted := p.i < len(p.s) && p.s[p.i] == '"'
			key := p.key()
			if !quoted && p.accept("(") {
				p.expect(")")
				switch key {
				case "type", "size", "double", "ceiling", "floor", "abs", "keyvalue":
				default:
					p.fail()
				}
				n = &pathNode{op: "method", text: key, args: []*pathNode{n}}
				continue
			}
			n = &pathNode{op: "member", text: key, args: []*pathNode{n}}
		case p.accept("["):
			if p.accept("*") {
				p.expect("]")
				n = &pathNode{op: "elements", args: []*pathNode{n}}
				continue
			}
			sub := &pathNode{op: "subscript", args: []*pathNode{n}}
			for {
				from := p.sum()
				r := &pathNode{op: "index", args: []*pathNode{from}}
				if p.word("to") {
					r.args = append(r.args, p.sum())
				}
				sub.args = append(sub.args, r)
				if !p.accept(",") {
					break
				}
			}
			p.expect("]")
			n = sub
		case p.accept("?"):
			p.expect("(")
			n = &pathNode{op: "filter", args: []*pathNode{n, p.either()}}
			p.expect(")")
		default:
			return n
		}
	}
	return n
}

// key consumes the key of a member accessor.
func (p *pathParser) key() string {
	p.space()
	if p.i < len(p.s) && p.s[p.i] == '"' {
		return p.text()
	}
	return p.name()
}

func (p *pathParser) primary() *pathNode {
	p.space()
	if p.failed != nil || p.i >= len(p.s) {
		p.fail()
		return &pathNode{}
	}
	switch c := p.s[p.i]; {
	case c == '$':
		p.i++
		if p.i < len(p.s) && nameByte(p.s[p.i]) {
			return &pathNode{op: "variable", text: p.name()}
		}
		return &pathNode{op: "context"}
	case c == '@':
		p.i++
		return &pathNode{op: "current"}
	case c == '(':
		p.i++
		n := p.sum()
		p.expect(")")
		return n
	case c == '"':
		return &pathNode{op: "literal", item: textItem(p.text())}
	case c >= '0' && c <= '9':
		end, ok := skipNumber(p.s, p.i)
		if !ok {
			p.fail()
			return &pathNode{}
		}
		n := &pathNode{op: "literal", item: jsonItem{kind: 'n', raw: p.s[p.i:end]}}
		p.i = end
		return n
	case p.word("true"):
		return &pathNode{op: "literal", item: boolItem(true)}
	case p.word("false"):
		return &pathNode{op: "literal", item: boolItem(false)}
	case p.word("null"):
		return &pathNode{op: "literal", item: jsonItem{kind: 'z', raw: "null"}}
	case p.word("last"):
		return &pathNode{op: "last"}
	}
	p.fail()
	return &pathNode{}
}

// either, both and condition parse predicates.
func (p *pathParser) either() *pathNode {
	if !p.enter() {
		return &pathNode{}
	}
	defer func() { p.depth-- }()
	n := p.both()
	for p.accept("||") {
		n = &pathNode{op: "||", args: []*pathNode{n, p.both()}}
	}
	return n
}

func (p *pathParser) both() *pathNode {
	n := p.condition()
	for p.accept("&&") {
		n = &pathNode{op: "&&", args: []*pathNode{n, p.condition()}}
	}
	return n
}

func (p *pathParser) condition() *pathNode {
	if !p.enter() {
		return &pathNode{}
	}
	defer func() { p.depth-- }()
	p.space()
	if p.i < len(p.s) && p.s[p.i] == '!' {
		p.i++
		return &pathNode{op: "!", args: []*pathNode{p.condition()}}
	}
	if p.word("exists") {
		p.expect("(")
		n := &pathNode{op: "exists", args: []*pathNode{p.sum()}}
		p.expect(")")
		return n
	}
	start := p.i
	if p.accept("(") {
		// A predicate in parentheses, or a path that begins with one.
		n := p.either()
		p.expect(")")
		if p.failed == nil {
			if p.word("is") {
				if !p.word("unknown") {
					p.fail()
				}
				return &pathNode{op: "is unknown", args: []*pathNode{n}}
			}
			return n
		}
		if p.steps > pathStepsMax {
			return n
		}
		p.i, p.failed = start, nil
	}
	left := p.sum()
	for _, op := range []string{"==", "<>", "!=", "<=", ">=", "<", ">"} {
		if p.accept(op) {
			if op == "<>" {
				op = "!="
			}
			return &pathNode{op: op, args: []*pathNode{left, p.sum()}}
		}
	}
	if p.word("starts") {
		if !p.word("with") {
			p.fail()
		}
		return &pathNode{op: "starts with", args: []*pathNode{left, p.primary()}}
	}
	if p.word("like_regex") {
		pattern := p.text()
		flags := ""
		if p.word("flag") {
			for _, f := range p.text() {
				if !strings.ContainsRune("imsx", f) {
					p.fail()
				}
				flags += string(f)
			}
		}
		if flags != "" {
			pattern = "(?" + flags + ")" + pattern
		}
		if _, err := regexes.get(pattern, compileRegex); err != nil && p.failed == nil {
			p.failed = err
		}
		return &pathNode{op: "like_regex", text: pattern, args: []*pathNode{left}}
	}
	p.fail()
	return left
}

// jsonItem is an item of a sequence: kind is o(bject), a(rray), s(tring),
// n(umber), b(oolean) or z for null; raw is its JSON text, for a string the
// text itself.
type jsonItem struct {
	kind byte
	raw  string
}

func textItem(s string) jsonItem { return jsonItem{'s', s} }

func boolItem(b bool) jsonItem { return jsonItem{'b', strconv.FormatBool(b)} }

// itemOf returns the item that a JSON value is.
func itemOf(value string) jsonItem {
	switch value[0] {
	case '{':
		return jsonItem{'o', value}
	case '[':
		return jsonItem{'a', value}
	case '"':
		return jsonItem{'s', unquote(value)}
	case 't', 'f':
		return jsonItem{'b', value}
	case 'n':
		return jsonItem{'z', value}
	}
	return jsonItem{'n', value}
}

// appendItem appends the JSON text of an item.
func appendItem(dst []byte, it jsonItem) []byte {
	switch it.kind {
	case 's':
		return appendJSONString(dst, it.raw)
	case 'o', 'a':
		return append(dst, compact(it.raw)...)
	}
	return append(dst, it.raw...)
}
