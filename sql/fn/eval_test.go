package fn

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/cairndb/cairn/segment/column"
)

// A small evaluator of constant expressions, so that functions can be tested as
// they are written in SQL. Every expression is computed as constants and, with
// its arguments flattened and repeated between NULLs, as rows; the two must
// agree.

var testContext = &Context{Now: time.Date(2026, 3, 1, 13, 45, 6, 789_000_000, time.UTC)}

type evaluator struct {
	tokens []string
	at     int
	// rows is how many rows constants are spread over; 1 keeps them constants.
	rows int
	vars map[string]*column.Vector
}

// eval returns the value of an expression.
func eval(text string, rows int) (*column.Vector, error) {
	e := &evaluator{tokens: lex(text), rows: rows}
	v, err := e.expr(0)
	if err == nil && e.at != len(e.tokens) {
		err = fmt.Errorf("unexpected %q", e.tokens[e.at:])
	}
	return v, err
}

func lex(s string) (out []string) {
	for i := 0; i < len(s); {
		start := i
		switch c := s[i]; {
		case c == ' ' || c == '\n' || c == '\t':
			i++
			continue
		case c == '\'':
			i++
			for i < len(s) {
				if s[i] == '\'' {
					if i+1 < len(s) && s[i+1] == '\'' {
						i++
					} else {
						break
					}
				}
				i++
			}
			i++
		case c >= '0' && c <= '9':
			for i < len(s) && (s[i] >= '0' && s[i] <= '9' || s[i] == '.' || s[i] == 'e' || (s[i] == '-' && s[i-1] == 'e')) {
				i++
			}
		case c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c == '_':
			for i < len(s) && (s[i] >= 'a' && s[i] <= 'z' || s[i] >= 'A' && s[i] <= 'Z' || s[i] == '_' || s[i] >= '0' && s[i] <= '9') {
				i++
			}
		default:
			i++
			if i < len(s) && slices.Contains([]string{"||", "<>", "<=", ">=", "->", "!="}, s[start:i+1]) {
				i++
			}
		}
		out = append(out, s[start:i])
	}
	return out
}

func (e *evaluator) peek() string {
	if e.at < len(e.tokens) {
		return e.tokens[e.at]
	}
	return ""
}

func (e *evaluator) next() string { t := e.peek(); e.at++; return t }

func (e *evaluator) accept(t string) bool {
	if strings.EqualFold(e.peek(), t) {
		e.at++
		return true
	}
	return false
}

func (e *evaluator) expect(t string) {
	if !e.accept(t) {
		panic(fmt.Sprintf("want %q, have %q", t, e.tokens[min(e.at, len(e.tokens)):]))
	}
}

var precedence = map[string]int{"=": 1, "<>": 1, "!=": 1, "<": 1, "<=": 1, ">": 1, ">=": 1, "is": 1, "like": 1, "||": 2, "+": 3, "-": 3, "*": 4, "/": 4, "%": 4}

func (e *evaluator) expr(least int) (*column.Vector, error) {
	left, err := e.unary()
	for err == nil {
		op := strings.ToLower(e.peek())
		p := precedence[op]
		if p == 0 || p <= least {
			break
		}
		e.at++
		if op == "is" {
			not := e.accept("not")
			if e.accept("distinct") {
				e.expect("from")
				var right *column.Vector
				if right, err = e.expr(p); err == nil {
					left, err = e.call("is distinct from", left, right)
					if not && err == nil {
						left, err = e.call("not", left)
					}
				}
				continue
			}
			e.expect("null")
			out := column.New(column.BooleanType, e.rows)
			for i := range e.rows {
				out.I64[i] = truth(left.IsNull(i) != not)
			}
			left = out
			continue
		}
		var right *column.Vector
		if right, err = e.expr(p); err == nil {
			left, err = e.call(op, left, right)
		}
	}
	return left, err
}

func (e *evaluator) unary() (*column.Vector, error) {
	if e.accept("-") {
		v, err := e.unary()
		if err != nil {
			return nil, err
		}
		return e.call("negate", v)
	}
	v, err := e.primary()
	for err == nil && e.accept("[") {
		var index *column.Vector
		if index, err = e.expr(0); err == nil {
			e.expect("]")
			v, err = e.call("subscript", v, index)
		}
	}
	return v, err
}

func (e *evaluator) constant(t *column.Type, set func(v *column.Vector)) *column.Vector {
	v := column.New(t, 1)
	set(v)
	return e.spread(column.NewConst(v, 1))
}

// spread gives a value its layout: a constant, or all rows the same.
func (e *evaluator) spread(v *column.Vector) *column.Vector {
	c := *column.NewConst(v, e.rows)
	c.Len = e.rows
	if e.rows == 1 {
		return &c
	}
	return column.Flatten(&c)
}

func textOf(token string) string {
	return strings.ReplaceAll(token[1:len(token)-1], "''", "'")
}

func (e *evaluator) primary() (*column.Vector, error) {
	t := e.next()
	switch low := strings.ToLower(t); {
	case t == "":
		return nil, fmt.Errorf("the expression ends")
	case t == "(":
		v, err := e.expr(0)
		if err == nil {
			e.expect(")")
		}
		return v, err
	case t[0] == '\'':
		return e.constant(column.VarcharType, func(v *column.Vector) { v.Str[0] = textOf(t) }), nil
	case t[0] >= '0' && t[0] <= '9':
		switch {
		case strings.Contains(t, "e"):
			f, ok := parseDoubleText(t)
			if !ok {
				return nil, fmt.Errorf("bad number %s", t)
			}
			return e.constant(column.DoubleType, func(v *column.Vector) { v.F64[0] = f }), nil
		case strings.Contains(t, "."):
			x, ok := DecimalLiteral(t)
			if !ok {
				return nil, fmt.Errorf("bad number %s", t)
			}
			return e.spread(column.NewConst(x, 1)), nil
		}
		typ := column.IntegerType
		x, ok := parseInteger(t, typ)
		if !ok {
			typ = column.BigIntType
			if x, ok = parseInteger(t, typ); !ok {
				return nil, fmt.Errorf("bad number %s", t)
			}
		}
		return e.constant(typ, func(v *column.Vector) { v.I64[0] = x }), nil
	case low == "true" || low == "false":
		return e.constant(column.BooleanType, func(v *column.Vector) { v.I64[0] = truth(low == "true") }), nil
	case low == "null":
		return e.constant(column.UnknownType, func(v *column.Vector) { v.SetNull(0) }), nil
	case low == "array" && e.peek() == "[":
		return e.array()
	case low == "row" && e.peek() == "(":
		return e.row()
	case low == "cast" || low == "try_cast":
		e.expect("(")
		v, err := e.expr(0)
		if err != nil {
			return nil, err
		}
		e.expect("as")
		typ := e.typeName()
		e.expect(")")
		return e.cast(v, typ, low == "try_cast")
	case low == "interval":
		text := textOf(e.next())
		unit, to := e.next(), ""
		if e.accept("to") {
			to = e.next()
		}
		typ, x, err := ParseIntervalLiteral(text, unit, to)
		if err != nil {
			return nil, err
		}
		return e.constant(typ, func(v *column.Vector) { v.I64[0] = x }), nil
	case (low == "timestamp" || low == "date" || low == "time") && strings.HasPrefix(e.peek(), "'"):
		text := textOf(e.next())
		typ := map[string]*column.Type{"timestamp": column.TimestampType, "date": column.DateType, "time": column.TimeType}[low]
		return e.cast(e.constant(column.VarcharType, func(v *column.Vector) { v.Str[0] = text }), typ, false)
	case e.vars[low] != nil && e.peek() != "(":
		return e.vars[low], nil
	case e.peek() == "(" || strings.HasPrefix(low, "current_") || strings.HasPrefix(low, "local"):
		return e.function(low)
	}
	return nil, fmt.Errorf("unexpected %q", t)
}

func (e *evaluator) typeName() *column.Type {
	name := strings.ToLower(e.next())
	var params []*column.Type
	var numbers []int
	if e.accept("(") {
		for !e.accept(")") {
			if p := e.peek(); p[0] >= '0' && p[0] <= '9' {
				n, _ := digits(e.next(), 9)
				numbers = append(numbers, int(n))
			} else {
				params = append(params, e.typeName())
			}
			e.accept(",")
		}
	}
	switch name {
	case "array":
		return column.ArrayOf(params[0])
	case "map":
		return column.MapOf(params[0], params[1])
	case "row":
		var fields []column.Field
		for i, p := range params {
			fields = append(fields, column.Field{Name: fmt.Sprintf("f%d", i+1), Type: p})
		}
		return column.RowOf(fields...)
	case "decimal":
		return column.DecimalOf(numbers[0], numbers[1])
	case "timestamp":
		kind := column.Timestamp
		if e.accept("with") {
			e.next()
			e.next()
			kind = column.TimestampTZ
		}
		if numbers == nil {
			numbers = []int{3}
		}
		return &column.Type{Kind: kind, Precision: numbers[0]}
	case "time":
		return column.TimeType
	}
	return plainTypes[name]
}

func (e *evaluator) list(end string) (out []*column.Vector, err error) {
	for !e.accept(end) {
		v, err := e.expr(0)
		if err != nil {
			return nil, err
		}
		out = append(out, v)
		e.accept(",")
	}
	return out, nil
}

func (e *evaluator) array() (*column.Vector, error) {
	e.expect("[")
	items, err := e.list("]")
	if err != nil {
		return nil, err
	}
	elem := column.UnknownType
	for _, v := range items {
		if elem = CommonType(elem, v.Type); elem == nil {
			return nil, fmt.Errorf("mixed array")
		}
	}
	out := newBuilder(column.ArrayOf(elem), e.rows)
	for i := range items {
		if items[i], err = e.cast(items[i], elem, false); err != nil {
			return nil, err
		}
	}
	for i := range e.rows {
		for _, v := range items {
			push(out.Children[0], v, i)
		}
		pushEnd(out)
	}
	if e.rows == 1 {
		return column.NewConst(out, 1), nil
	}
	return out, nil
}

func (e *evaluator) row() (*column.Vector, error) {
	e.expect("(")
	items, err := e.list(")")
	if err != nil {
		return nil, err
	}
	var fields []column.Field
	for _, v := range items {
		fields = append(fields, column.Field{Type: v.Type})
	}
	out := newBuilder(column.RowOf(fields...), e.rows)
	for i := range e.rows {
		for k, v := range items {
			push(out.Children[k], v, i)
		}
		pushEnd(out)
	}
	if e.rows == 1 {
		return column.NewConst(out, 1), nil
	}
	return out, nil
}

func (e *evaluator) cast(v *column.Vector, t *column.Type, try bool) (*column.Vector, error) {
	if v.Type.Equal(t) && !try {
		return v, nil
	}
	b, err := Cast(v.Type, t)
	if try {
		b, err = TryCast(v.Type, t)
	}
	if err != nil {
		return nil, err
	}
	return b.Eval(testContext, []*column.Vector{v}, e.rows)
}

func (e *evaluator) call(name string, args ...*column.Vector) (*column.Vector, error) {
	f := LookupScalar(name)
	if f == nil {
		return nil, fmt.Errorf("no function %s", name)
	}
	var types []*column.Type
	for _, a := range args {
		types = append(types, a.Type)
	}
	b, err := f.Bind(types)
	if err != nil {
		return nil, err
	}
	for i := range args {
		if args[i], err = e.cast(args[i], b.Args[i], false); err != nil {
			return nil, err
		}
	}
	out, err := b.Eval(testContext, args, e.rows)
	if err != nil {
		return nil, err
	}
	if out.Len != e.rows || out.Dict != nil || !out.Type.Equal(b.Result) {
		return nil, fmt.Errorf("%s gave %d values of %s (dictionary: %v), want %d of %s", name, out.Len, out.Type, out.Dict != nil, e.rows, b.Result)
	}
	if b.NullCall {
		return out, nil
	}
	return withNulls(out, unionNulls(args)), nil
}

// function calls a function by name; lambdas among the arguments make it a
// higher one.
func (e *evaluator) function(name string) (*column.Vector, error) {
	if e.peek() != "(" {
		return e.call(name)
	}
	e.expect("(")
	var args []*column.Vector
	lambdas := map[int]lambda{}
	for !e.accept(")") {
		if l, ok := e.lambda(); ok {
			lambdas[len(args)] = l
			args = append(args, nil)
		} else {
			v, err := e.expr(0)
			if err != nil {
				return nil, err
			}
			args = append(args, v)
		}
		e.accept(",")
	}
	if name == "coalesce" {
		out := newBuilder(CommonType(args[0].Type, args[1].Type), e.rows)
		for i := range e.rows {
			if args[0].IsNull(i) {
				push(out, args[1], i)
			} else {
				push(out, args[0], i)
			}
		}
		return out, nil
	}
	if len(lambdas) == 0 {
		return e.call(name, args...)
	}
	return e.higher(name, args, lambdas)
}

type lambda struct {
	params []string
	body   []string
}

// lambda takes "x -> body" or "(x, y) -> body" if one stands here.
func (e *evaluator) lambda() (l lambda, ok bool) {
	start := e.at
	if e.accept("(") {
		for e.peek() != ")" && e.peek() != "" {
			l.params = append(l.params, strings.ToLower(e.next()))
			e.accept(",")
		}
		e.accept(")")
	} else {
		l.params = []string{strings.ToLower(e.next())}
	}
	if !e.accept("->") {
		e.at = start
		return l, false
	}
	depth := 0
	for e.at < len(e.tokens) {
		t := e.peek()
		if depth == 0 && (t == "," || t == ")") {
			break
		}
		switch t {
		case "(", "[":
			depth++
		case ")", "]":
			depth--
		}
		l.body = append(l.body, e.next())
	}
	return l, true
}

func (e *evaluator) higher(name string, args []*column.Vector, lambdas map[int]lambda) (*column.Vector, error) {
	h := LookupHigher(name)
	if h == nil {
		return nil, fmt.Errorf("no function %s with lambdas", name)
	}
	types := make([]*column.Type, len(args))
	for i, a := range args {
		if a != nil {
			types[i] = a.Type
		}
	}
	run := func(l lambda, params []*column.Vector, m int) (*column.Vector, error) {
		if len(params) != len(l.params) {
			return nil, fmt.Errorf("%d parameters", len(params))
		}
		inner := &evaluator{tokens: l.body, rows: m, vars: map[string]*column.Vector{}}
		for i, p := range l.params {
			inner.vars[p] = column.Flatten(params[i])
		}
		return inner.expr(0)
	}
	b, err := h.Bind(types, func(arg int, params []*column.Type) (*column.Type, error) {
		var sample []*column.Vector
		for _, p := range params {
			sample = append(sample, column.Flatten(column.NullConst(p, 2)))
		}
		v, err := run(lambdas[arg], sample, 2)
		if err != nil {
			return nil, err
		}
		return v.Type, nil
	})
	if err != nil {
		return nil, err
	}
	fns := make([]LambdaFunc, len(args))
	for i := range args {
		if l, ok := lambdas[i]; ok {
			fns[i] = func(params []*column.Vector, outer []int32, m int) (*column.Vector, error) {
				if len(outer) != m {
					return nil, fmt.Errorf("%d outer rows for %d inner ones", len(outer), m)
				}
				v, err := run(l, params, m)
				if err != nil {
					return nil, err
				}
				inner := &evaluator{rows: m}
				return inner.cast(v, b.Lambdas[i], false)
			}
			continue
		}
		if args[i], err = e.cast(args[i], b.Args[i], false); err != nil {
			return nil, err
		}
	}
	return b.Eval(testContext, args, fns, e.rows)
}

// valueOf evaluates an expression in both layouts and returns its text, or the
// error's.
func valueOf(t *testing.T, expr string) string {
	t.Helper()
	text := func(rows int) (out string) {
		defer func() {
			if r := recover(); r != nil {
				t.Fatalf("%s over %d rows: panic: %v", expr, rows, r)
			}
		}()
		v, err := eval(expr, rows)
		if err != nil {
			return "error: " + err.Error()
		}
		if v.IsNull(0) {
			return "NULL"
		}
		first := Format(v, 0)
		for i := range v.Len {
			if other := Format(v, i); other != first {
				t.Fatalf("%s over %d rows: row %d is %s, row 0 is %s", expr, rows, i, other, first)
			}
		}
		return first
	}
	one, three := text(1), text(3)
	if one != three {
		t.Errorf("%s is %s as a constant and %s as rows", expr, one, three)
	}
	return one
}

// TestExamples runs the examples that the small evaluator understands; the tests
// of package sql run all of them.
func TestExamples(t *testing.T) {
	skipped := map[string]bool{"case": true, "if": true, "nullif": true, "try": true}
	for _, d := range All() {
		if _, whole := moreExamples[d.Name]; whole || d.Example == "" || skipped[d.Name] {
			continue
		}
		if got := valueOf(t, d.Example); got != d.Result {
			t.Errorf("%s: %s is %s, want %s", d.Name, d.Example, got, d.Result)
		}
	}
}

// TestDocs wants every function to be described.
func TestDocs(t *testing.T) {
	for _, d := range All() {
		if d.Name == "" || d.Family == "" || d.Signature == "" || d.Summary == "" || !strings.HasSuffix(d.Summary, ".") {
			t.Errorf("%+v is not described", d)
		}
		if d.Name != strings.ToLower(d.Name) {
			t.Errorf("%s is not in lower case", d.Name)
		}
	}
}
