package fn

import (
	"fmt"
	"strings"

	"github.com/cairndb/cairn/segment/column"
	"github.com/cairndb/cairn/sql/sqlerr"
)

// A pattern stands for the types that an argument may have. It is written as a
// type name, with single capital letters for types to be found out:
// "array(T)", "map(K,V)", "varchar". The names decimal, time, timestamp and
// timestamptz stand for any precision, the same one wherever they come again
// in one overload. "any" takes whatever comes.
type pattern struct {
	kind column.Kind
	// variable is the capital letter, or for a type of any precision its kind;
	// 0 for a plain type.
	variable byte
	any      bool
	typ      *column.Type
	args     []*pattern
}

var plainTypes = map[string]*column.Type{
	"boolean": column.BooleanType, "tinyint": column.TinyIntType, "smallint": column.SmallIntType,
	"integer": column.IntegerType, "bigint": column.BigIntType, "real": column.RealType,
	"double": column.DoubleType, "varchar": column.VarcharType, "varbinary": column.VarbinaryType,
	"json": column.JSONType, "date": column.DateType, "intervalday": column.IntervalDayType,
	"intervalmonth": column.IntervalMonthType, "uuid": column.UUIDType, "ipaddress": column.IPAddressType,
	"timestamptz(6)": {Kind: column.TimestampTZ, Precision: 6}, "timestamp(6)": {Kind: column.Timestamp, Precision: 6},
	"unknown": column.UnknownType, "timestamptz(3)": column.TimestampTZType, "timestamp(3)": column.TimestampType,
}

var precisionTypes = map[string]*column.Type{
	"decimal": column.DecimalOf(column.DecimalDigitsShort, 0), "time": column.TimeType,
	"timestamp": column.TimestampType, "timestamptz": column.TimestampTZType,
}

// parsePatterns reads a comma-separated list of patterns. The lists are
// constants of this package, so a mistake in one panics (in every test run).
func parsePatterns(s string) []*pattern {
	var out []*pattern
	rest := strings.TrimSpace(s)
	for rest != "" {
		var p *pattern
		p, rest = parsePattern(rest)
		out = append(out, p)
		rest = strings.TrimSpace(rest)
		if rest != "" {
			if rest[0] != ',' {
				panic("fn: bad type pattern " + s)
			}
			rest = strings.TrimSpace(rest[1:])
		}
	}
	return out
}

func parsePattern(s string) (*pattern, string) {
	for name, t := range plainTypes {
		if strings.HasSuffix(name, ")") && strings.HasPrefix(s, name) {
			return &pattern{kind: t.Kind, typ: t}, s[len(name):]
		}
	}
	end := strings.IndexAny(s, ",() ")
	if end < 0 {
		end = len(s)
	}
	name, rest := s[:end], strings.TrimSpace(s[end:])
	if len(name) == 1 && name[0] >= 'A' && name[0] <= 'Z' {
		return &pattern{variable: name[0]}, rest
	}
	if name == "any" {
		return &pattern{any: true}, rest
	}
	if t, ok := plainTypes[name]; ok {
		return &pattern{kind: t.Kind, typ: t}, rest
	}
	if t, ok := precisionTypes[name]; ok {
		return &pattern{kind: t.Kind, variable: byte(t.Kind), typ: t}, rest
	}
	p := &pattern{}
	want := 1
	switch name {
	case "array":
		p.kind = column.Array
	case "map":
		p.kind, want = column.Map, 2
	case "row":
		p.kind, want = column.Row, -1
	default:
		panic("fn: unknown type in pattern " + s)
	}
	if !strings.HasPrefix(rest, "(") {
		panic("fn: bad type pattern " + s)
	}
	rest = rest[1:]
	for {
		var arg *pattern
		arg, rest = parsePattern(strings.TrimSpace(rest))
		p.args = append(p.args, arg)
		rest = strings.TrimSpace(rest)
		if strings.HasPrefix(rest, ",") {
			rest = rest[1:]
			continue
		}
		if !strings.HasPrefix(rest, ")") || want >= 0 && len(p.args) != want {
			panic("fn: bad type pattern " + s)
		}
		return p, rest[1:]
	}
}

// bindings are the types found for the variables of one overload.
type bindings map[byte]*column.Type

// learn binds the variables of p from an argument type; false when the type
// cannot be meant.
func (b bindings) learn(p *pattern, t *column.Type) bool {
	if t.Kind == column.Unknown || p.any {
		return true
	}
	if p.variable != 0 {
		if p.kind != column.Unknown && t.Kind != p.kind {
			// Another type that may become one of any precision.
			switch {
			case p.kind == column.Decimal && t.IsInteger():
				t = cappedDecimal(integerDigits(t.Kind), 0)
			case p.kind == column.Timestamp && t.Kind == column.Date:
				t = column.TimestampType
			case p.kind == column.TimestampTZ && t.Kind == column.Date:
				t = column.TimestampTZType
			case p.kind == column.TimestampTZ && t.Kind == column.Timestamp:
				t = &column.Type{Kind: column.TimestampTZ, Precision: t.Precision}
			default:
				return false
			}
		}
		if have := b[p.variable]; have != nil {
			t = CommonType(have, t)
			if t == nil {
				return false
			}
		}
		b[p.variable] = t
		return true
	}
	switch p.kind {
	case column.Array, column.Map, column.Row:
		if t.Kind != p.kind {
			return false
		}
	}
	switch p.kind {
	case column.Array:
		return b.learn(p.args[0], t.Elem)
	case column.Map:
		return b.learn(p.args[0], t.Key) && b.learn(p.args[1], t.Elem)
	case column.Row:
		if len(t.Fields) != len(p.args) {
			return false
		}
		for i, a := range p.args {
			if !b.learn(a, t.Fields[i].Type) {
				return false
			}
		}
	}
	return true
}

// resolve returns the type that p stands for under the bindings; given is the
// argument's own type, for "any".
func (b bindings) resolve(p *pattern, given *column.Type) *column.Type {
	switch {
	case p.any:
		return given
	case p.variable != 0:
		if t := b[p.variable]; t != nil {
			return t
		}
		if p.typ != nil {
			return p.typ
		}
		return column.UnknownType
	case p.kind == column.Array:
		return column.ArrayOf(b.resolve(p.args[0], nil))
	case p.kind == column.Map:
		return column.MapOf(b.resolve(p.args[0], nil), b.resolve(p.args[1], nil))
	case p.kind == column.Row:
		fields := make([]column.Field, len(p.args))
		for i, a := range p.args {
			fields[i].Type = b.resolve(a, nil)
			if given != nil && given.Kind == column.Row {
				fields[i].Name = given.Fields[i].Name
			}
		}
		return column.RowOf(fields...)
	}
	return p.typ
}

// signature is the types that one overload takes and gives.
type signature struct {
	args   []*pattern
	result *pattern // nil when the kernel's binder tells
	// rest says that the last argument may come any number of times more.
	rest bool
	text string
}

func parseSignature(args, result string) signature {
	s := signature{text: args}
	if cut, ok := strings.CutSuffix(args, "..."); ok {
		s.rest, args = true, cut
	}
	s.args = parsePatterns(args)
	if result != "" {
		s.result, _ = parsePattern(result)
	}
	return s
}

// match returns the types that arguments of the given types would be cast to,
// the bindings, and the cost of it; ok is false when they do not fit.
func (s *signature) match(given []*column.Type) (to []*column.Type, b bindings, cost int, ok bool) {
	if len(given) < len(s.args) || len(given) > len(s.args) && !s.rest {
		return nil, nil, 0, false
	}
	at := func(i int) *pattern { return s.args[min(i, len(s.args)-1)] }
	b = bindings{}
	for i, t := range given {
		if !b.learn(at(i), t) {
			return nil, nil, 0, false
		}
	}
	to = make([]*column.Type, len(given))
	for i, t := range given {
		to[i] = b.resolve(at(i), t)
		c := coercionCost(t, to[i])
		if c < 0 {
			return nil, nil, 0, false
		}
		cost += c
	}
	return to, b, cost, true
}

// typeList writes types for an error message.
func typeList(types []*column.Type) string {
	names := make([]string, len(types))
	for i, t := range types {
		names[i] = t.String()
	}
	return "(" + strings.Join(names, ", ") + ")"
}

// mismatch is the error for arguments that no overload takes.
func mismatch(d *Doc, given []*column.Type) error {
	code := sqlerr.DatatypeMismatch
	if d.Family != "operator" {
		code = sqlerr.UndefinedFunction
	}
	e := sqlerr.New(code, sqlerr.Pos{}, "%s does not take %s", d.Name, typeList(given))
	if d.Family == "operator" {
		e.Message = fmt.Sprintf("the operator %s does not take %s", d.Name, typeList(given))
	}
	if len(given) == 2 && d.Family == "operator" {
		text := func(t *column.Type) bool { return t.Kind == column.Varchar }
		if text(given[0]) != text(given[1]) {
			return e.WithHint("text is not converted by itself: CAST one of the two to the other's type")
		}
		if moment := given[0].Kind; (moment == column.Date || moment == column.Timestamp || moment == column.TimestampTZ) && given[1].IsNumeric() {
			return e.WithHint("an interval says how much: %s interval '1' day", d.Name)
		}
	}
	return e.WithHint("it takes %s", d.Signature)
}
