package fn

import (
	"slices"
	"strconv"
	"strings"
	"unicode/utf16"
	"unicode/utf8"

	"github.com/cairndb/cairn/segment/column"
	"github.com/cairndb/cairn/sql/sqlerr"
)

// JSON is worked on as text: a scanner that knows where values begin and end,
// and nothing is built that the result does not need.

// maxJSONDepth bounds the nesting of JSON text. Records are at most a few
// hundred deep; deeper text comes from somebody who wants the stack.
const maxJSONDepth = 1000

// skipSpace returns the index of the first byte at or after i that is not
// white space.
func skipSpace(s string, i int) int {
	for i < len(s) && (s[i] == ' ' || s[i] == '\n' || s[i] == '\r' || s[i] == '\t') {
		i++
	}
	return i
}

// skipString returns the index after the string that begins at i; escaped says
// whether there is a backslash in it.
func skipString(s string, i int) (end int, escaped, ok bool) {
	for i++; i < len(s); i++ {
		switch c := s[i]; {
		case c == '"':
			return i + 1, escaped, true
		case c < 0x20:
			return 0, false, false
		case c == '\\':
			escaped = true
			i++
			if i >= len(s) {
				return 0, false, false
			}
			switch s[i] {
			case '"', '\\', '/', 'b', 'f', 'n', 'r', 't':
			case 'u':
				if i+4 >= len(s) {
					return 0, false, false
				}
				for _, h := range []byte(s[i+1 : i+5]) {
					if !isHexDigit(h) {
						return 0, false, false
					}
				}
				i += 4
			default:
				return 0, false, false
			}
		}
	}
	return 0, false, false
}

// skipNumber returns the index after the number that begins at i.
func skipNumber(s string, i int) (end int, ok bool) {
	run := func() bool {
		start := i
		for i < len(s) && s[i] >= '0' && s[i] <= '9' {
			i++
		}
		return i > start
	}
	if i < len(s) && s[i] == '-' {
		i++
	}
	if i < len(s) && s[i] == '0' {
		i++
	} else if !run() {
		return 0, false
	}
	if i < len(s) && s[i] == '.' {
		i++
		if !run() {
			return 0, false
		}
	}
	if i < len(s) && (s[i] == 'e' || s[i] == 'E') {
		i++
		if i < len(s) && (s[i] == '+' || s[i] == '-') {
			i++
		}
		if !run() {
			return 0, false
		}
	}
	return i, true
}

// skipValue checks the value that begins at i (no white space before it) and
// returns the index after it.
func skipValue(p *pacer, s string, i, depth int) (end int, ok bool) {
	if i >= len(s) || depth > maxJSONDepth {
		return 0, false
	}
	switch s[i] {
	case '"':
		end, _, ok = skipString(s, i)
		return end, ok
	case 't':
		return i + 4, strings.HasPrefix(s[i:], "true")
	case 'f':
		return i + 5, strings.HasPrefix(s[i:], "false")
	case 'n':
		return i + 4, strings.HasPrefix(s[i:], "null")
	case '{', '[':
		end := i
		ok := eachMember(p, s, i, depth, func(_ int, _, value string) bool { return true }, &end)
		return end, ok
	}
	return skipNumber(s, i)
}

// eachMember walks over the object or array that begins at i. For every member
// it calls visit with its position, its key as written with the quotes ("" in
// an array) and its value, until visit returns false. *end becomes the index
// after the whole value, or after the member at which visit stopped. False
// means that the text is not valid.
func eachMember(p *pacer, s string, i, depth int, visit func(n int, key, value string) bool, end *int) bool {
	object := s[i] == '{'
	closing := byte(']')
	if object {
		closing = '}'
	}
	i = skipSpace(s, i+1)
	if i < len(s) && s[i] == closing {
		*end = i + 1
		return true
	}
	for n := 0; ; n++ {
		key := ""
		if object {
			if i >= len(s) || s[i] != '"' {
				return false
			}
			e, _, ok := skipString(s, i)
			if !ok {
				return false
			}
			key = s[i:e]
			if i = skipSpace(s, e); i >= len(s) || s[i] != ':' {
				return false
			}
			i = skipSpace(s, i+1)
		}
		e, ok := skipValue(p, s, i, depth+1)
		if !ok {
			return false
		}
		p.tick(memberWork + len(key) + scalarLen(s, i, e))
		if !visit(n, key, s[i:e]) {
			*end = e
			return true
		}
		if i = skipSpace(s, e); i >= len(s) {
			return false
		}
		if s[i] == closing {
			*end = i + 1
			return true
		}
		if s[i] != ',' {
			return false
		}
		i = skipSpace(s, i+1)
	}
}

// memberWork is what passing by a member costs besides its bytes.
const memberWork = 4

// scalarLen is the length of the value at s[i:end], 0 for objects and arrays: the
// work on those is the work on their members.
func scalarLen(s string, i, end int) int {
	if s[i] == '{' || s[i] == '[' {
		return 0
	}
	return end - i
}

// members walks over a valid object or array value; see eachMember.
func members(p *pacer, value string, visit func(n int, key, value string) bool) bool {
	var end int
	return eachMember(p, value, 0, 0, visit, &end)
}

// jsonDocument returns the one value that s holds, without the white space
// around it, if s is valid JSON.
func jsonDocument(p *pacer, s string) (value string, ok bool) {
	i := skipSpace(s, 0)
	end, ok := skipValue(p, s, i, 0)
	if !ok || skipSpace(s, end) != len(s) {
		return "", false
	}
	return s[i:end], true
}

// unquote returns the text of a JSON string written with its quotes. A lone
// half of a surrogate pair becomes U+FFFD.
func unquote(quoted string) string {
	body := quoted[1 : len(quoted)-1]
	i := strings.IndexByte(body, '\\')
	if i < 0 {
		return body
	}
	out := make([]byte, i, len(body))
	copy(out, body)
	for ; i < len(body); i++ {
		c := body[i]
		if c != '\\' {
			out = append(out, c)
			continue
		}
		i++
		switch body[i] {
		case 'b':
			out = append(out, '\b')
		case 'f':
			out = append(out, '\f')
		case 'n':
			out = append(out, '\n')
		case 'r':
			out = append(out, '\r')
		case 't':
			out = append(out, '\t')
		case 'u':
			r := rune(hex4(body[i+1:]))
			i += 4
			if utf16.IsSurrogate(r) {
				var pair rune = utf8.RuneError
				if i+6 < len(body) && body[i+1] == '\\' && body[i+2] == 'u' {
					pair = utf16.DecodeRune(r, rune(hex4(body[i+3:])))
				}
				if pair != utf8.RuneError {
					i += 6
				}
				r = pair
			}
			out = utf8.AppendRune(out, r)
		default:
			out = append(out, body[i])
		}
	}
	return string(out)
}

func hex4(s string) (v uint32) {
	for _, c := range []byte(s[:4]) {
		v <<= 4
		switch {
		case c <= '9':
			v |= uint32(c - '0')
		case c >= 'a':
			v |= uint32(c-'a') + 10
		default:
			v |= uint32(c-'A') + 10
		}
	}
	return v
}

// compact returns a valid value without white space between its tokens and
// with strings in their shortest escaping; text that is so already is returned
// as it is.
func compact(value string) string {
	inString, clean := false, true
	for i := 0; i < len(value) && clean; i++ {
		switch value[i] {
		case '"':
			inString = !inString
		case '\\':
			clean = false
		case ' ', '\n', '\t', '\r':
			clean = inString
		}
	}
	if clean {
		return value
	}
	return string(appendCompact(make([]byte, 0, len(value)), value))
}

func appendCompact(dst []byte, value string) []byte {
	for i := 0; i < len(value); {
		switch c := value[i]; c {
		case ' ', '\n', '\t', '\r':
			i++
		case '"':
			end, escaped, _ := skipString(value, i)
			if escaped {
				dst = appendJSONString(dst, unquote(value[i:end]))
			} else {
				dst = append(dst, value[i:end]...)
			}
			i = end
		default:
			dst = append(dst, c)
			i++
		}
	}
	return dst
}

// canonicalDocument appends the one value that s holds compactly, with the
// members of objects in key order and the last of duplicate keys, so that equal
// documents are equal text. False means that s is not valid JSON.
func canonicalDocument(p *pacer, dst []byte, s string) ([]byte, bool) {
	dst, end, ok := appendCanonical(p, dst, s, skipSpace(s, 0), 0)
	return dst, ok && skipSpace(s, end) == len(s)
}

// appendCanonical checks and appends the value that begins at i, reading it once
// however deep it is, and returns the index after it.
func appendCanonical(p *pacer, dst []byte, s string, i, depth int) (_ []byte, end int, ok bool) {
	if i >= len(s) || s[i] != '{' && s[i] != '[' {
		if end, ok = skipValue(p, s, i, depth); !ok {
			return dst, 0, false
		}
		return appendCompact(dst, s[i:end]), end, true
	}
	if depth > maxJSONDepth {
		return dst, 0, false
	}
	// member is where an object's member stands in dst.
	type member struct {
		key      string
		from, to int
	}
	var all []member
	sorted, start := true, len(dst)
	object, closing := s[i] == '{', s[i]+2 // ']' follows '[' by two, '}' follows '{' so
	dst = append(dst, s[i])
	for first := true; ; first = false {
		i = skipSpace(s, i+1)
		if i >= len(s) {
			return dst, 0, false
		}
		if first && s[i] == closing {
			return append(dst, closing), i + 1, true
		}
		if !first {
			dst = append(dst, ',')
		}
		from, key := len(dst), ""
		if object {
			if s[i] != '"' {
				return dst, 0, false
			}
			e, escaped, ok := skipString(s, i)
			if !ok {
				return dst, 0, false
			}
			if key = s[i+1 : e-1]; escaped {
				key = unquote(s[i:e])
				dst = appendJSONString(dst, key)
			} else {
				dst = append(dst, s[i:e]...)
			}
			if i = skipSpace(s, e); i >= len(s) || s[i] != ':' {
				return dst, 0, false
			}
			dst = append(dst, ':')
			i = skipSpace(s, i+1)
		}
		begin := i
		if dst, i, ok = appendCanonical(p, dst, s, i, depth+1); !ok {
			return dst, 0, false
		}
		p.tick(memberWork + len(key) + scalarLen(s, begin, i))
		if object {
			sorted = sorted && (first || all[len(all)-1].key < key)
			all = append(all, member{key, from, len(dst)})
		}
		if i = skipSpace(s, i); i >= len(s) {
			return dst, 0, false
		}
		if s[i] == closing {
			break
		}
		if s[i] != ',' {
			return dst, 0, false
		}
	}
	if !sorted {
		slices.SortStableFunc(all, func(a, b member) int {
			p.tick(memberWork)
			return strings.Compare(a.key, b.key)
		})
		read := slices.Clone(dst[start:])
		p.tick(len(read) / memberWork)
		dst = append(dst[:start], '{')
		for k, m := range all {
			if k+1 < len(all) && all[k+1].key == m.key {
				continue
			}
			if len(dst) > start+1 {
				dst = append(dst, ',')
			}
			dst = append(dst, read[m.from-start:m.to-start]...)
		}
	}
	return append(dst, closing), i + 1, true
}

// jsonPath is a compiled path: one step per level.
type jsonPath []pathStep

// pathStep is a member name; index is its value as an array position, or -1.
type pathStep struct {
	name  string
	index int
}

// compilePath reads $.a.b[0]["x y"]. A step in brackets and one after a dot mean
// the same: a member of an object, or a position (from 0) of an array.
func compilePath(s string) (jsonPath, error) {
	bad := func() (jsonPath, error) {
		return nil, sqlerr.New(sqlerr.InvalidArgument, sqlerr.Pos{}, "%s is not a JSON path", shown(s)).
			WithHint(`a path looks like $.key.other[0]["any text"]`)
	}
	rest := strings.TrimSpace(s)
	if !strings.HasPrefix(rest, "$") {
		return bad()
	}
	rest = rest[1:]
	path := jsonPath{}
	for rest != "" {
		var name string
		switch rest[0] {
		case '.':
			rest = rest[1:]
			if strings.HasPrefix(rest, `"`) {
				end := strings.IndexByte(rest[1:], '"')
				if end < 0 {
					return bad()
				}
				name, rest = rest[1:1+end], rest[2+end:]
				break
			}
			end := 0
			for end < len(rest) && pathByte(rest[end]) {
				end++
			}
			name, rest = rest[:end], rest[end:]
			if name == "" {
				return bad()
			}
		case '[':
			rest = strings.TrimLeft(rest[1:], " ")
			if rest == "" {
				return bad()
			}
			if q := rest[0]; q == '"' || q == '\'' {
				var b strings.Builder
				i := 1
				for ; i < len(rest) && rest[i] != q; i++ {
					if rest[i] == '\\' && i+1 < len(rest) {
						i++
					}
					b.WriteByte(rest[i])
				}
				if i >= len(rest) {
					return bad()
				}
				name, rest = b.String(), rest[i+1:]
			} else {
				end := 0
				for end < len(rest) && pathByte(rest[end]) {
					end++
				}
				name, rest = rest[:end], rest[end:]
				if name == "" {
					return bad()
				}
			}
			rest = strings.TrimLeft(rest, " ")
			if rest == "" || rest[0] != ']' {
				return bad()
			}
			rest = rest[1:]
		default:
			return bad()
		}
		step := pathStep{name: name, index: -1}
		if v, n := digits(name, 9); n > 0 && n == len(name) {
			step.index = int(v)
		}
		path = append(path, step)
	}
	return path, nil
}

// pathByte reports whether an unquoted step may hold the byte.
func pathByte(c byte) bool {
	switch {
	case c >= 'a' && c <= 'z', c >= 'A' && c <= 'Z', c >= '0' && c <= '9', c >= utf8.RuneSelf:
		return true
	}
	return strings.IndexByte("_-:$/@|#", c) >= 0
}

var paths = boundedCache[string, jsonPath]{size: 4096}

// find returns the value at the path in JSON text, as it is written; false when
// there is none or the text is not valid up to its end.
func (p jsonPath) find(pace *pacer, s string) (value string, ok bool) {
	i := skipSpace(s, 0)
	depth := 0
	for _, step := range p {
		if i >= len(s) {
			return "", false
		}
		switch s[i] {
		case '{':
			i = findKeyText(pace, s, i, depth, step.name)
		case '[':
			if step.index < 0 {
				return "", false
			}
			i = findIndex(pace, s, i, depth, step.index)
		default:
			return "", false
		}
		if i < 0 {
			return "", false
		}
		depth++
	}
	end, ok := skipValue(pace, s, i, depth)
	if !ok || len(p) == 0 && skipSpace(s, end) != len(s) {
		return "", false
	}
	return s[i:end], true
}

// findKeyText returns where the value of a key begins in the object at i, or -1.
func findKeyText(p *pacer, s string, i, depth int, name string) int {
	i = skipSpace(s, i+1)
	for i < len(s) && s[i] == '"' {
		end, escaped, ok := skipString(s, i)
		if !ok {
			return -1
		}
		key := s[i+1 : end-1]
		match := key == name
		if escaped {
			match = unquote(s[i:end]) == name
		}
		if i = skipSpace(s, end); i >= len(s) || s[i] != ':' {
			return -1
		}
		i = skipSpace(s, i+1)
		if match {
			return i
		}
		begin := i
		if i, ok = skipValue(p, s, i, depth+1); !ok {
			return -1
		}
		p.tick(memberWork + scalarLen(s, begin, i))
		if i = skipSpace(s, i); i >= len(s) || s[i] != ',' {
			return -1
		}
		i = skipSpace(s, i+1)
	}
	return -1
}

// findIndex returns where element n begins in the array at i, or -1.
func findIndex(p *pacer, s string, i, depth, n int) int {
	i = skipSpace(s, i+1)
	if i < len(s) && s[i] == ']' {
		return -1
	}
	for {
		if n == 0 {
			return i
		}
		var ok bool
		begin := i
		if i, ok = skipValue(p, s, i, depth+1); !ok {
			return -1
		}
		p.tick(memberWork + scalarLen(s, begin, i))
		if i = skipSpace(s, i); i >= len(s) || s[i] != ',' {
			return -1
		}
		i = skipSpace(s, i+1)
		n--
	}
}

// scalarText returns the text of a scalar value: of a string its content; false
// for null, objects and arrays.
func scalarText(value string) (string, bool) {
	switch value[0] {
	case '{', '[', 'n':
		return "", false
	case '"':
		return unquote(value), true
	}
	return value, true
}

// pushJSON appends JSON text converted to the type of the builder. After an
// error the builder may hold a part of the value.
func pushJSON(p *pacer, out *column.Vector, s string) error {
	value, ok := jsonDocument(p, s)
	if !ok {
		return fault(sqlerr.InvalidJSON, "%s is not valid JSON", shown(s))
	}
	return pushJSONValue(p, out, value)
}

func pushJSONValue(p *pacer, out *column.Vector, value string) error {
	t := out.Type
	fail := func() error { return invalidCast(value, t) }
	if t.Kind == column.JSON {
		pushStr(out, compact(value))
		return nil
	}
	if value == "null" {
		pushNull(out)
		return nil
	}
	switch t.Kind {
	case column.Array:
		if value[0] != '[' {
			return fail()
		}
		var err error
		members(p, value, func(_ int, _, v string) bool {
			err = pushJSONValue(p, out.Children[0], v)
			return err == nil
		})
		if err != nil {
			return err
		}
		pushEnd(out)
		return nil
	case column.Map:
		return pushJSONMap(p, out, value)
	case column.Row:
		return pushJSONRow(p, out, value)
	}
	text, ok := scalarText(value)
	if !ok {
		return fail()
	}
	return pushJSONScalar(out, text, value[0] == '"', fail)
}

func pushJSONMap(p *pacer, out *column.Vector, value string) error {
	if value[0] != '{' {
		return invalidCast(value, out.Type)
	}
	from := out.Children[0].Len
	var err error
	members(p, value, func(_ int, key, v string) bool {
		text := unquote(key)
		err = pushJSONScalar(out.Children[0], text, true, func() error { return invalidCast(text, out.Type.Key) })
		if err == nil {
			err = pushJSONValue(p, out.Children[1], v)
		}
		return err == nil
	})
	if err == nil {
		err = checkMapKeys(p, out.Children[0], from, out.Children[0].Len)
	}
	if err != nil {
		return err
	}
	pushEnd(out)
	return nil
}

// pushJSONRow takes an array by position or an object by field name.
func pushJSONRow(p *pacer, out *column.Vector, value string) error {
	fields := out.Type.Fields
	found := make([]string, len(fields))
	n := 0
	switch value[0] {
	case '[':
		members(p, value, func(i int, _, v string) bool {
			if i < len(found) {
				found[i] = v
			}
			n++
			return true
		})
		if n != len(fields) {
			return invalidCast(value, out.Type)
		}
	case '{':
		members(p, value, func(_ int, key, v string) bool {
			if i := out.Type.FieldIndex(unquote(key)); i >= 0 {
				found[i] = v
			}
			return true
		})
	default:
		return invalidCast(value, out.Type)
	}
	for i, v := range found {
		if v == "" {
			pushNull(out.Children[i])
			continue
		}
		if err := pushJSONValue(p, out.Children[i], v); err != nil {
			return err
		}
	}
	pushEnd(out)
	return nil
}

// pushJSONScalar appends the text of a JSON scalar converted to a simple type.
func pushJSONScalar(out *column.Vector, text string, quoted bool, fail func() error) error {
	t := out.Type
	number := !quoted && text != "true" && text != "false"
	switch t.Kind {
	case column.Varchar:
		pushStr(out, text)
		return nil
	case column.Boolean:
		if number {
			f, ok := parseDoubleText(text)
			if !ok {
				return fail()
			}
			pushInt(out, truth(f != 0))
			return nil
		}
		x, ok := parseBoolean(text)
		if !ok {
			return fail()
		}
		pushInt(out, x)
		return nil
	case column.TinyInt, column.SmallInt, column.Integer, column.BigInt:
		if !quoted && !number {
			pushInt(out, truth(text == "true"))
			return nil
		}
		x, ok := parseInteger(text, t)
		if !ok && number {
			var f float64
			if f, ok = parseDoubleText(text); ok {
				x, ok = doubleToInteger(f, t)
			}
		}
		if !ok {
			return fail()
		}
		pushInt(out, x)
		return nil
	case column.Real, column.Double:
		f, ok := parseDoubleText(text)
		if !quoted && !number {
			f, ok = float64(truth(text == "true")), true
		}
		if !ok {
			return fail()
		}
		if t.Kind == column.Real {
			f = float64(float32(f))
		}
		pushFloat(out, f)
		return nil
	case column.Decimal:
		if !quoted && !number {
			text = strconv.Itoa(int(truth(text == "true")))
		}
		x, ok := parseDecimal128(text, t)
		if !ok {
			return fail()
		}
		pushDecimal(out, x)
		return nil
	case column.Date:
		days, rest, ok := parseDate(text)
		if !ok || rest != "" || !quoted {
			return fail()
		}
		pushInt(out, days)
		return nil
	case column.Timestamp:
		ts, ok := parseSQLTime(text)
		if !ok || ts.zone != "" || !quoted {
			return fail()
		}
		pushInt(out, roundMicros(ts.micros(), t.Precision))
		return nil
	}
	return fail()
}
