package fn

import (
	"errors"
	"strings"

	"github.com/cairndb/cairn/segment/column"
	"github.com/cairndb/cairn/sql/sqlerr"
)

// JSONPathCall is a call of json_value, json_query or json_exists with its
// clauses. The arguments are the input (JSON or text of it), the values of
// PASSING, then DEFAULT … ON EMPTY and DEFAULT … ON ERROR where there are.
type JSONPathCall struct {
	Function string
	Path     string
	Passing  []string       // names; the values are arguments
	Folded   []bool         // names that may also be in capitals, as Trino has them without quotes
	Types    []*column.Type // of the input and the passed values
	// Returning is the type of the result: for json_query varchar or json.
	Returning *column.Type
	// OnEmpty and OnError are as in parse.JSONCall, "" for the default.
	OnEmpty, OnError string
	Wrapper          string // "", "without", "conditional", "unconditional"
	OmitQuotes       bool
}

// NewJSONPath returns the function that a call is. Errors are those of the path
// and of the types.
func NewJSONPath(c JSONPathCall) (*Bound, error) {
	path, err := sqlPaths.get(c.Path, parseSQLPath)
	if err != nil {
		return nil, err
	}
	known := map[string]bool{}
	for i, p := range c.Passing {
		known[p] = true
		if c.Folded[i] {
			known[strings.ToUpper(p)] = true
		}
	}
	if name := path.root.unknownVariable(known); name != "" {
		return nil, sqlerr.New(sqlerr.UndefinedParameter, sqlerr.Pos{}, "the JSON path names $%s, which PASSING does not give", name).
			WithHint(`names in a path are case-sensitive: PASSING value AS "%s"`, name)
	}
	b := &Bound{Args: append([]*column.Type(nil), c.Types...), NullCall: true, Result: c.Returning}
	var scalars *Bound
	switch c.Function {
	case "json_exists":
		b.Result = column.BooleanType
	case "json_value":
		if !jsonCastable(c.Returning) || c.Returning.Payload() == column.PayloadNested || c.Returning.Kind == column.JSON {
			return nil, fault(sqlerr.DatatypeMismatch, "json_value cannot give %s", c.Returning)
		}
		if scalars, err = TryCast(column.JSONType, c.Returning); err != nil {
			return nil, err
		}
	default:
		if k := c.Returning.Kind; k != column.Varchar && k != column.JSON {
			return nil, fault(sqlerr.DatatypeMismatch, "json_query cannot give %s", c.Returning).(*sqlerr.Error).WithHint("it gives varchar; CAST(json_parse(…) AS %s) goes on from there", c.Returning)
		}
	}
	if c.OnEmpty == "default" {
		b.Args = append(b.Args, b.Result)
	}
	if c.OnError == "default" {
		b.Args = append(b.Args, b.Result)
	}
	b.Eval = guard(func(ctx *Context, t *column.Type, args []*column.Vector, n int) (*column.Vector, error) {
		return c.run(ctx, path, scalars, t, args, n)
	}, b.Result, true, false)
	return b, nil
}

// unknownVariable returns a variable of the path that is not known, or "".
func (n *pathNode) unknownVariable(known map[string]bool) string {
	if n.op == "variable" && !known[n.text] {
		return n.text
	}
	for _, a := range n.args {
		if name := a.unknownVariable(known); name != "" {
			return name
		}
	}
	return ""
}

// outcome is what a row comes to before its clauses are asked.
type outcome uint8

const (
	outNull outcome = iota
	outValue
	outEmpty
	outError
)

// passed returns the item that an SQL value is for a path; ok is false for text
// that should be JSON and is not.
func passed(p *pacer, v *column.Vector, i int, json bool) (_ jsonItem, ok bool) {
	if v.IsNull(i) {
		return jsonItem{'z', "null"}, true
	}
	if !json {
		return itemOf(string(AppendJSON(nil, v, i))), true
	}
	leaf, j := v.Leaf(i)
	text, ok := jsonDocument(p, leaf.Str[j])
	if !ok {
		return jsonItem{}, false
	}
	return itemOf(text), true
}

func (c *JSONPathCall) run(ctx *Context, path *sqlPath, scalars *Bound, t *column.Type, args []*column.Vector, n int) (*column.Vector, error) {
	outcomes := make([]outcome, n)
	pace := &pacer{c: ctx}
	texts := column.New(column.JSONType, n)
	vars := make(map[string]jsonItem, len(c.Passing))
	for i := range n {
		if args[0].IsNull(i) {
			continue
		}
		outcomes[i] = outError
		input, ok := passed(pace, args[0], i, true)
		for k, name := range c.Passing {
			if !ok {
				break
			}
			vars[name], ok = passed(pace, args[k+1], i, c.Types[k+1].Kind == column.JSON)
			if c.Folded[k] {
				vars[strings.ToUpper(name)] = vars[name]
			}
		}
		if !ok {
			continue
		}
		items, err := path.find(pace, input, vars)
		if errors.Is(err, errPath) {
			continue
		}
		if err != nil {
			return nil, err
		}
		outcomes[i], texts.Str[i] = c.settle(items)
	}
	if c.Function == "json_exists" {
		return c.exists(t, outcomes)
	}
	for i, o := range outcomes {
		if o != outValue {
			texts.SetNull(i)
		}
	}
	values := texts
	if scalars != nil {
		v, err := scalars.Eval(ctx, []*column.Vector{texts}, n)
		if err != nil {
			return nil, err
		}
		values = column.Flatten(v)
		for i, o := range outcomes {
			if o == outValue && values.IsNull(i) {
				outcomes[i] = outError // the value does not fit the type
			}
		}
	}
	next := len(c.Types)
	var onEmpty, onError *column.Vector
	if c.OnEmpty == "default" {
		onEmpty, next = args[next], next+1
	}
	if c.OnError == "default" {
		onError = args[next]
	}
	out := column.NewAppender(t, n)
	for i, o := range outcomes {
		clause, with := "null", (*column.Vector)(nil)
		switch o {
		case outValue:
			out.Append(values, i)
			continue
		case outEmpty:
			clause, with = c.OnEmpty, onEmpty
			if clause == "error" {
				return nil, fault(sqlerr.InvalidJSON, "%s found nothing at %s", c.Function, shown(c.Path))
			}
		case outError:
			clause, with = c.OnError, onError
			if clause == "error" {
				return nil, fault(sqlerr.InvalidJSON, "%s cannot answer %s of this value", c.Function, shown(c.Path))
			}
		}
		switch clause {
		case "default":
			out.Append(with, i)
		case "empty array":
			out.Append(jsonText(t, "[]"), 0)
		case "empty object":
			out.Append(jsonText(t, "{}"), 0)
		default:
			out.Null()
		}
	}
	return out.Vector(), nil
}

func jsonText(t *column.Type, s string) *column.Vector {
	return &column.Vector{Type: t, Len: 1, Str: []string{s}}
}

// settle says what a sequence of items comes to; the text is JSON, but for a
// string without its quotes.
func (c *JSONPathCall) settle(items []jsonItem) (outcome, string) {
	if len(items) == 0 {
		return outEmpty, ""
	}
	one := items[0]
	switch c.Function {
	case "json_exists":
		return outValue, ""
	case "json_value":
		switch {
		case len(items) > 1 || one.kind == 'o' || one.kind == 'a':
			return outError, ""
		case one.kind == 'z':
			return outNull, ""
		}
		return outValue, string(appendItem(nil, one))
	}
	wrap := c.Wrapper == "unconditional" || c.Wrapper == "conditional" && (len(items) > 1 || one.kind != 'o' && one.kind != 'a')
	if !wrap {
		if len(items) > 1 {
			return outError, ""
		}
		if c.OmitQuotes && one.kind == 's' {
			return outValue, one.raw
		}
		return outValue, string(appendItem(nil, one))
	}
	buf := []byte{'['}
	for i, it := range items {
		if i > 0 {
			buf = append(buf, ',')
		}
		buf = appendItem(buf, it)
	}
	return outValue, string(append(buf, ']'))
}

func (c *JSONPathCall) exists(t *column.Type, outcomes []outcome) (*column.Vector, error) {
	v, out := made[int64](t, len(outcomes))
	for i, o := range outcomes {
		switch o {
		case outValue:
			out[i] = 1
		case outNull:
			v.SetNull(i)
		case outError:
			switch c.OnError {
			case "true":
				out[i] = 1
			case "unknown":
				v.SetNull(i)
			case "error":
				return nil, fault(sqlerr.InvalidJSON, "json_exists cannot answer %s of this value", shown(c.Path))
			}
		}
	}
	return v, nil
}

// JSONMembers is a call of json_array or json_object with its clauses. The
// arguments are the values, or keys and values in turn.
type JSONMembers struct {
	Object     bool
	Types      []*column.Type
	JSON       []bool // the values that are text of JSON (FORMAT JSON)
	AbsentNull bool   // leave members out whose value is NULL
	UniqueKeys bool
	Returning  *column.Type // varchar or json
}

// NewJSONMembers returns the function that a call is.
func NewJSONMembers(c JSONMembers) (*Bound, error) {
	name := "json_array"
	if c.Object {
		name = "json_object"
	}
	for i, t := range c.Types {
		if c.Object && i%2 == 0 {
			if t.Kind != column.Varchar {
				return nil, fault(sqlerr.DatatypeMismatch, "a key of json_object is a varchar, not %s", t)
			}
			continue
		}
		if castToJSON(t) == nil {
			return nil, fault(sqlerr.DatatypeMismatch, "%s does not take %s", name, t)
		}
	}
	if k := c.Returning.Kind; k != column.Varchar && k != column.JSON {
		return nil, fault(sqlerr.DatatypeMismatch, "%s cannot give %s", name, c.Returning)
	}
	b := &Bound{Args: c.Types, Result: c.Returning, NullCall: true}
	b.Eval = guard(func(ctx *Context, t *column.Type, args []*column.Vector, n int) (*column.Vector, error) {
		v, out := made[string](t, n)
		var buf []byte
		pace := &pacer{c: ctx}
		for i := range out {
			var err error
			if buf, err = c.appendRow(pace, buf[:0], args, i); err != nil {
				return nil, err
			}
			out[i] = string(buf)
		}
		return v, nil
	}, b.Result, true, false)
	return b, nil
}

func (c *JSONMembers) appendRow(pace *pacer, buf []byte, args []*column.Vector, i int) ([]byte, error) {
	open, step := byte('['), 1
	if c.Object {
		open, step = '{', 2
	}
	buf = append(buf, open)
	var seen map[string]bool
	for k := 0; k+step <= len(args); k += step {
		value := args[k+step-1]
		if c.Object {
			if args[k].IsNull(i) {
				return nil, fault(sqlerr.InvalidArgument, "a key of json_object cannot be NULL")
			}
			if c.UniqueKeys {
				leaf, j := args[k].Leaf(i)
				if seen[leaf.Str[j]] {
					return nil, fault(sqlerr.InvalidArgument, "the key %s of json_object comes twice", shown(leaf.Str[j]))
				}
				if seen == nil {
					seen = map[string]bool{}
				}
				seen[leaf.Str[j]] = true
			}
		}
		if c.AbsentNull && value.IsNull(i) {
			continue
		}
		if len(buf) > 1 {
			buf = append(buf, ',')
		}
		if c.Object {
			buf = append(appendJSONKey(buf, args[k], i), ':')
		}
		if c.JSON[k+step-1] && !value.IsNull(i) {
			leaf, j := value.Leaf(i)
			text, ok := jsonDocument(pace, leaf.Str[j])
			if !ok {
				return nil, fault(sqlerr.InvalidJSON, "%s is not valid JSON", shown(leaf.Str[j]))
			}
			buf = append(buf, compact(text)...)
			continue
		}
		buf = appendJSON(pace, buf, value, i)
	}
	return append(buf, open+2), nil // ] and } stand two behind [ and {
}
