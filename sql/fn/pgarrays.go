package fn

import (
	"regexp"
	"strings"

	"github.com/cairndb/cairn/segment/column"
	"github.com/cairndb/cairn/sql/sqlerr"
)

func addPostgresArrays(l *library) {
	l.pg("array_in", over("varchar", "array(varchar)", emit(func(_ *Context, out *column.Vector, args []*column.Vector, i int) error {
		items, err := parseArrayText(strAt(args[0], i))
		if err != nil {
			return err
		}
		for _, it := range items {
			pushText(out.Children[0], it.text, !it.null)
		}
		pushEnd(out)
		return nil
	})))
	l.pg("array_out", over("array(T)", "varchar", emit(func(_ *Context, out *column.Vector, args []*column.Vector, i int) error {
		pushStr(out, string(AppendArrayText(nil, args[0], i)))
		return nil
	})))
	joined := func(null bool) kernel {
		return emit(func(_ *Context, out *column.Vector, args []*column.Vector, i int) error {
			from, to := span(args[0], i)
			var b strings.Builder
			first := true
			for e := from; e < to; e++ {
				text := ""
				if args[0].Children[0].IsNull(e) {
					if !null {
						continue
					}
					text = strAt(args[2], i)
				} else {
					text = elementText(args[0].Children[0], e)
				}
				if !first {
					b.WriteString(strAt(args[1], i))
				}
				first = false
				b.WriteString(text)
			}
			pushStr(out, b.String())
			return nil
		})
	}
	l.pg("array_to_string", over("array(T), varchar", "varchar", joined(false)), over("array(T), varchar, varchar", "varchar", joined(true)))
	l.pg("string_to_array", over("varchar, varchar", "array(varchar)", emitNulls(func(_ *Context, out *column.Vector, args []*column.Vector, i int) error {
		switch {
		case args[0].IsNull(i):
			pushNull(out)
			return nil
		case args[1].IsNull(i):
			for _, r := range strAt(args[0], i) {
				pushStr(out.Children[0], string(r))
			}
		case strAt(args[0], i) == "":
		case strAt(args[1], i) == "":
			pushStr(out.Children[0], strAt(args[0], i))
		default:
			for part := range strings.SplitSeq(strAt(args[0], i), strAt(args[1], i)) {
				pushStr(out.Children[0], part)
			}
		}
		pushEnd(out)
		return nil
	})).nulls())
	// Bounds: Postgres' arrays of one dimension begin at 1, and an empty one has none.
	bound := func(f func(n int64) (int64, bool)) overload {
		return over("array(T), bigint", "integer", emit(func(_ *Context, out *column.Vector, args []*column.Vector, i int) error {
			from, to := span(args[0], i)
			x, ok := f(int64(to - from))
			if ok && intAt(args[1], i) == 1 && to > from {
				pushInt(out, x)
			} else {
				pushNull(out)
			}
			return nil
		}))
	}
	l.pg("array_upper array_length", bound(func(n int64) (int64, bool) { return n, true }))
	l.pg("array_lower", bound(func(int64) (int64, bool) { return 1, true }))
	l.pg("array_ndims", over("array(T)", "integer", emit(func(_ *Context, out *column.Vector, args []*column.Vector, i int) error {
		if from, to := span(args[0], i); to > from {
			pushInt(out, 1)
		} else {
			pushNull(out)
		}
		return nil
	})))
	l.pg("array_append", over("array(T), T", "array(T)", emitNulls(func(c *Context, out *column.Vector, args []*column.Vector, i int) error {
		if !args[0].IsNull(i) {
			pushElements(&pacer{c: c}, out, args[0], i)
		}
		push(out.Children[0], args[1], i)
		pushEnd(out)
		return nil
	})).nulls())
	l.pg("array_cat", over("array(T), array(T)", "array(T)", concatArrays))
	l.pg("_pg_expandarray", overBind("array(T)", "", func(args []*column.Type) (*column.Type, kernel, error) {
		t := column.ArrayOf(column.RowOf(column.Field{Name: "x", Type: args[0].Elem}, column.Field{Name: "n", Type: column.IntegerType}))
		return t, emit(func(_ *Context, out *column.Vector, args []*column.Vector, i int) error {
			from, to := span(args[0], i)
			rows := out.Children[0]
			for e := from; e < to; e++ {
				push(rows.Children[0], args[0].Children[0], e)
				pushInt(rows.Children[1], int64(e-from+1))
				pushEnd(rows)
			}
			pushEnd(out)
			return nil
		}), nil
	}))
	matched := func(flags bool) kernel {
		return emit(func(_ *Context, out *column.Vector, args []*column.Vector, i int) error {
			pattern := strAt(args[1], i)
			if flags && strings.ContainsAny(strAt(args[2], i), "i") {
				pattern = "(?i)" + pattern
			}
			re, err := regexp.Compile(pattern)
			if err != nil {
				return fault(sqlerr.InvalidRegexp, "invalid regular expression: %v", err)
			}
			text := strAt(args[0], i)
			m := re.FindStringSubmatchIndex(text)
			if m == nil {
				pushNull(out)
				return nil
			}
			if len(m) > 2 {
				m = m[2:]
			}
			for k := 0; k < len(m); k += 2 {
				if m[k] < 0 {
					pushNull(out.Children[0])
				} else {
					pushStr(out.Children[0], text[m[k]:m[k+1]])
				}
			}
			pushEnd(out)
			return nil
		})
	}
	l.pg("regexp_match", over("varchar, varchar", "array(varchar)", matched(false)), over("varchar, varchar, varchar", "array(varchar)", matched(true)))
}

// elementText is the text of a value as Postgres writes it.
func elementText(v *column.Vector, i int) string {
	leaf, j := v.Leaf(i)
	switch leaf.Type.Kind {
	case column.Boolean:
		return map[bool]string{true: "t", false: "f"}[leaf.I64[j] != 0]
	case column.Array:
		return string(AppendArrayText(nil, leaf, j))
	}
	return Format(leaf, j)
}

// AppendArrayText appends the text that Postgres has for an array: {a,"b c",NULL};
// an int2vector or oidvector is its numbers with blanks between.
func AppendArrayText(dst []byte, v *column.Vector, i int) []byte {
	v, i = v.Leaf(i)
	from, to := int(v.Offsets[i]), int(v.Offsets[i+1])
	vector := v.Type.Alias == "int2vector" || v.Type.Alias == "oidvector"
	if !vector {
		dst = append(dst, '{')
	}
	for e := from; e < to; e++ {
		if e > from {
			if vector {
				dst = append(dst, ' ')
			} else {
				dst = append(dst, ',')
			}
		}
		if v.Children[0].IsNull(e) {
			dst = append(dst, "NULL"...)
			continue
		}
		text := elementText(v.Children[0], e)
		if v.Type.Elem.Kind != column.Array && (text == "" || strings.EqualFold(text, "null") || strings.ContainsAny(text, "{}\",\\ \t\n\r\v\f")) {
			dst = append(dst, '"')
			for k := range len(text) {
				if text[k] == '"' || text[k] == '\\' {
					dst = append(dst, '\\')
				}
				dst = append(dst, text[k])
			}
			dst = append(dst, '"')
			continue
		}
		dst = append(dst, text...)
	}
	if !vector {
		dst = append(dst, '}')
	}
	return dst
}

// arrayItem is an element of the text of an array.
type arrayItem struct {
	text string
	null bool
}

// parseArrayText reads {a,"b c",NULL}, an array of one dimension.
func parseArrayText(s string) ([]arrayItem, error) {
	bad := func(why string) ([]arrayItem, error) {
		return nil, sqlerr.New(sqlerr.InvalidText, sqlerr.Pos{}, "malformed array literal: %s", shown(s)).WithDetail("%s", why)
	}
	in := strings.TrimSpace(s)
	if len(in) < 2 || in[0] != '{' || in[len(in)-1] != '}' {
		return bad("an array stands in { and }")
	}
	in = strings.TrimSpace(in[1 : len(in)-1])
	var out []arrayItem
	for in != "" {
		var b strings.Builder
		quoted := in[0] == '"'
		i := 0
		if quoted {
			i = 1
		}
		closed := !quoted
		for ; i < len(in); i++ {
			c := in[i]
			if c == '\\' && i+1 < len(in) {
				i++
				b.WriteByte(in[i])
				continue
			}
			if quoted && c == '"' {
				closed = true
				i++
				break
			}
			if !quoted && c == ',' {
				break
			}
			if !quoted && (c == '{' || c == '}' || c == '"') {
				return bad("arrays of more than one dimension are not supported here, and quotes go around a whole element")
			}
			b.WriteByte(c)
		}
		if !closed {
			return bad("a quote is not closed")
		}
		it := arrayItem{text: b.String()}
		if !quoted {
			it.text = strings.TrimSpace(it.text)
			if it.text == "" {
				return bad("an element is missing")
			}
			it.null = strings.EqualFold(it.text, "null")
		}
		out = append(out, it)
		in = strings.TrimLeft(in[i:], " \t\n\r")
		if in == "" {
			break
		}
		if in[0] != ',' {
			return bad("a comma is expected between elements")
		}
		if in = strings.TrimLeft(in[1:], " \t\n\r"); in == "" {
			return bad("an element is missing behind the last comma")
		}
	}
	return out, nil
}
