package fn

import (
	"github.com/cairndb/cairn/segment/column"
	"github.com/cairndb/cairn/sql/sqlerr"
)

// The JSON functions take JSON and varchar alike: the map columns of events
// hold sub-documents as text. Text that is not valid JSON gives NULL, except in
// json_parse.

// pathKernel makes a kernel of a function of JSON text and a path.
func pathKernel[R payload](f func(pace *pacer, p jsonPath, s string) (R, bool)) kernel {
	return func(c *Context, t *column.Type, args []*column.Vector, n int) (*column.Vector, error) {
		texts, mt := data[string](args[0])
		wanted, mw := data[string](args[1])
		v, out := made[R](t, n)
		skip := unionNulls(args)
		var last memo[jsonPath]
		pace := pacer{c: c}
		for i := range out {
			if skip != nil && skip.Get(i) {
				continue
			}
			p, err := last.get(&paths, wanted[i&mw], compilePath)
			if err != nil {
				return nil, err
			}
			pace.tick(rowWork)
			r, ok := f(&pace, p, texts[i&mt])
			if !ok {
				v.SetNull(i)
				continue
			}
			out[i] = r
		}
		return v, nil
	}
}

// overJSON returns the two overloads of a function whose first argument is JSON
// or text; more are the patterns of the others.
func overJSON(more, result string, k kernel) []overload {
	return []overload{over("json"+more, result, k), over("varchar"+more, result, k)}
}

// arrayMembers returns the values of a JSON array.
func arrayMembers(p *pacer, s string) (all []string, ok bool) {
	v, ok := jsonDocument(p, s)
	if !ok || v[0] != '[' {
		return nil, false
	}
	members(p, v, func(_ int, _, m string) bool {
		all = append(all, m)
		return true
	})
	return all, true
}

func jsonArrayGet(c *Context, s string, i int64) (string, bool, error) {
	all, ok := arrayMembers(&pacer{c: c}, s)
	if i < 0 {
		i += int64(len(all))
	}
	if !ok || i < 0 || i >= int64(len(all)) {
		return "", false, nil
	}
	// A member that is null is no JSON value here, but NULL.
	return compact(all[i]), all[i] != "null", nil
}

func memberCount(p *pacer, value string) (n int64) {
	if value[0] == '{' || value[0] == '[' {
		members(p, value, func(int, string, string) bool { n++; return true })
	}
	return n
}

// jsonContains makes json_array_contains for one type of value.
func jsonContains[T payload](same func(member string, x T) bool) kernel {
	return try2(func(c *Context, s string, x T) (int64, bool, error) {
		all, ok := arrayMembers(&pacer{c: c}, s)
		for _, m := range all {
			if same(m, x) {
				return 1, true, nil
			}
		}
		return 0, ok, nil
	})
}

func isNumberText(s string) bool { return s[0] == '-' || s[0] >= '0' && s[0] <= '9' }

func addJSON(l *library) {
	family := "json"
	l.scalar(Doc{Name: "json_parse", Family: family, Signature: "json_parse(string) → json",
		Summary: "Reads JSON text; an error when it is not valid. Members come in key order.",
		Example: `json_parse('{"b": 2, "a": [1, null]}')`, Result: `{"a":[1,null],"b":2}`},
		over("varchar", "json", try1(func(c *Context, s string) (string, bool, error) {
			v, ok := canonicalDocument(&pacer{c: c}, make([]byte, 0, len(s)), s)
			if !ok {
				return "", false, fault(sqlerr.InvalidJSON, "%s is not valid JSON", shown(s))
			}
			return string(v), true, nil
		})))
	l.scalar(Doc{Name: "json_format", Family: family, Signature: "json_format(json) → varchar",
		Summary: "Writes JSON as text.", Example: `json_format(json_parse('[1, 2]'))`, Result: "[1,2]"},
		over("json", "varchar", map1(func(s string) string { return s })))
	l.scalar(Doc{Name: "json_extract", Family: family, Signature: "json_extract(json or string, path) → json",
		Summary: "Takes the value at a path; NULL when there is none or the text is not JSON.",
		Example: `json_extract('{"a": {"b": [1, 2]}}', '$.a.b')`, Result: "[1,2]"},
		overJSON(", varchar", "json", pathKernel(func(pace *pacer, p jsonPath, s string) (string, bool) {
			v, ok := p.find(pace, s)
			if !ok {
				return "", false
			}
			return compact(v), true
		}))...)
	l.scalar(Doc{Name: "json_extract_scalar", Family: family, Signature: "json_extract_scalar(json or string, path) → varchar",
		Summary: "Takes the string, number or boolean at a path as text; NULL for anything else.",
		Example: `json_extract_scalar('{"user": {"name": "ada"}}', '$.user.name')`, Result: "ada"},
		overJSON(", varchar", "varchar", pathKernel(func(pace *pacer, p jsonPath, s string) (string, bool) {
			v, ok := p.find(pace, s)
			if !ok {
				return "", false
			}
			return scalarText(v)
		}))...)
	l.scalar(Doc{Name: "json_size", Family: family, Signature: "json_size(json or string, path) → bigint",
		Summary: "Counts the members of the object or array at a path; 0 for a scalar.",
		Example: `json_size('{"a": [1, 2, 3]}', '$.a')`, Result: "3"},
		overJSON(", varchar", "bigint", pathKernel(func(pace *pacer, p jsonPath, s string) (int64, bool) {
			v, ok := p.find(pace, s)
			if !ok {
				return 0, false
			}
			return memberCount(pace, v), true
		}))...)
	l.scalar(Doc{Name: "json_array_length", Family: family, Signature: "json_array_length(json or string) → bigint",
		Summary: "Counts the members of an array; NULL when it is none.",
		Example: `json_array_length('[1, 2, 3]')`, Result: "3"},
		overJSON("", "bigint", try1(func(c *Context, s string) (int64, bool, error) {
			v, ok := jsonDocument(&pacer{c: c}, s)
			if !ok || v[0] != '[' {
				return 0, false, nil
			}
			return memberCount(&pacer{c: c}, v), true, nil
		}))...)
	l.scalar(Doc{Name: "json_array_get", Family: family, Signature: "json_array_get(json or string, index) → json",
		Summary: "Takes a member of an array, counted from 0, or from the end when negative.",
		Example: `json_array_get('["a", "b", "c"]', -1)`, Result: `"c"`},
		overJSON(", bigint", "json", try2(jsonArrayGet))...)
	l.scalar(Doc{Name: "json_array_contains", Family: family, Signature: "json_array_contains(json or string, value) → boolean",
		Summary: "Tells whether an array has a string, number or boolean as a member.",
		Example: `json_array_contains('[1, 2, 3]', 2)`, Result: "true"},
		append(append(append(
			overJSON(", boolean", "boolean", jsonContains(func(m string, x int64) bool { return m == "true" && x != 0 || m == "false" && x == 0 })),
			overJSON(", bigint", "boolean", jsonContains(func(m string, x int64) bool {
				v, ok := parseInteger(m, column.BigIntType)
				return ok && v == x
			}))...),
			overJSON(", double", "boolean", jsonContains(func(m string, x float64) bool {
				v, ok := parseDoubleText(m)
				return ok && isNumberText(m) && v == x
			}))...),
			overJSON(", varchar", "boolean", jsonContains(func(m string, x string) bool { return m[0] == '"' && unquote(m) == x }))...)...)
	l.scalar(Doc{Name: "is_json_scalar", Family: family, Signature: "is_json_scalar(json or string) → boolean",
		Summary: "Tells whether it is a string, number, boolean or null.",
		Example: `is_json_scalar('[1]')`, Result: "false"},
		overJSON("", "boolean", try1(func(c *Context, s string) (int64, bool, error) {
			v, ok := jsonDocument(&pacer{c: c}, s)
			if !ok {
				return 0, false, fault(sqlerr.InvalidJSON, "%s is not valid JSON", shown(s))
			}
			return truth(v[0] != '{' && v[0] != '['), true, nil
		}))...)
}
