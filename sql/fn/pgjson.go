package fn

import (
	"bytes"
	"encoding/json"
	"io"
	"math"
	"strconv"
	"strings"

	"github.com/cairndb/cairn/segment/column"
	"github.com/cairndb/cairn/sql/sqlerr"
)

// What Postgres has for JSON besides its operators. Functions of json and jsonb are the
// same here: a value is its text, in the order that it has, each key of an object once.

func addPostgresJSON(l *library) {
	l.pg("json_build_array jsonb_build_array", over("any...", "json", emitNulls(func(_ *Context, out *column.Vector, args []*column.Vector, i int) error {
		b := []byte{'['}
		for k, a := range args {
			if k > 0 {
				b = append(b, ", "...)
			}
			b = AppendJSON(b, a, i)
		}
		pushStr(out, string(append(b, ']')))
		return nil
	})).nulls(), over("", "json", constantly("[]")))
	l.pg("jsonb_array_length", over("json", "integer", emit(func(_ *Context, out *column.Vector, args []*column.Vector, i int) error {
		list, err := jsonElements(strAt(args[0], i))
		if err == nil {
			pushInt(out, int64(len(list)))
		}
		return err
	})))
	l.pg("json_array_elements jsonb_array_elements", over("json", "array(json)", emit(func(_ *Context, out *column.Vector, args []*column.Vector, i int) error {
		list, err := jsonElements(strAt(args[0], i))
		for _, raw := range list {
			pushStr(out.Children[0], string(raw))
		}
		pushEnd(out)
		return err
	})))
	l.pg("json_array_elements_text jsonb_array_elements_text", over("json", "array(varchar)", emit(func(_ *Context, out *column.Vector, args []*column.Vector, i int) error {
		list, err := jsonElements(strAt(args[0], i))
		for _, raw := range list {
			text, ok := jsonAsText(raw)
			pushText(out.Children[0], text, ok)
		}
		pushEnd(out)
		return err
	})))
	l.pg("json_object_keys jsonb_object_keys", over("json", "array(varchar)", emit(func(_ *Context, out *column.Vector, args []*column.Vector, i int) error {
		members, err := jsonMembers(strAt(args[0], i))
		for _, m := range members {
			pushStr(out.Children[0], m.key)
		}
		pushEnd(out)
		return err
	})))
	each := func(text bool) kernel {
		return emit(func(_ *Context, out *column.Vector, args []*column.Vector, i int) error {
			members, err := jsonMembers(strAt(args[0], i))
			for _, m := range members {
				pushStr(out.Children[0], m.key)
				value, ok := string(m.value), true
				if text {
					value, ok = jsonAsText(m.value)
				}
				pushText(out.Children[1], value, ok)
			}
			pushEnd(out)
			return err
		})
	}
	l.pg("json_each jsonb_each", over("json", "map(varchar, json)", each(false)))
	l.pg("json_each_text jsonb_each_text", over("json", "map(varchar, varchar)", each(true)))
	l.pg("json_strip_nulls jsonb_strip_nulls", over("json", "json", emit(func(c *Context, out *column.Vector, args []*column.Vector, i int) error {
		b, err := stripNulls(&pacer{c: c}, nil, []byte(strAt(args[0], i)))
		pushStr(out, string(b))
		return err
	})))
	l.pg("jsonb_pretty", over("json", "varchar", emit(func(_ *Context, out *column.Vector, args []*column.Vector, i int) error {
		var b bytes.Buffer
		if err := json.Indent(&b, []byte(strAt(args[0], i)), "", "    "); err != nil {
			return notJSON(err)
		}
		pushStr(out, b.String())
		return nil
	})))
	l.pg("@>", over("json, json", "boolean", emit(func(c *Context, out *column.Vector, args []*column.Vector, i int) error {
		l, err := decodeJSON(strAt(args[0], i))
		if err != nil {
			return err
		}
		r, err := decodeJSON(strAt(args[1], i))
		if err != nil {
			return err
		}
		_, list := l.([]any)
		_, both := r.([]any)
		_, object := r.(map[string]any)
		if list && !both && !object {
			r = []any{r} // a list has what is one of it
		}
		has, err := jsonHolds(&pacer{c: c}, l, r)
		pushInt(out, truth(has))
		return err
	})))
	exists := func(v string, key string) bool {
		x, err := decodeJSON(v)
		if err != nil {
			return false
		}
		switch x := x.(type) {
		case map[string]any:
			_, ok := x[key]
			return ok
		case []any:
			for _, e := range x {
				if e == key {
					return true
				}
			}
		case string:
			return x == key
		}
		return false
	}
	l.pg("jsonb_exists", over("json, varchar", "boolean", map2(func(v, key string) int64 { return truth(exists(v, key)) })))
	several := func(all bool) kernel {
		return emit(func(_ *Context, out *column.Vector, args []*column.Vector, i int) error {
			from, to := span(args[1], i)
			found := all
			for e := from; e < to && found == all; e++ {
				found = !args[1].Children[0].IsNull(e) && exists(strAt(args[0], i), strAt(args[1].Children[0], e))
			}
			pushInt(out, truth(found))
			return nil
		})
	}
	l.pg("jsonb_exists_any", over("json, array(varchar)", "boolean", several(false)))
	l.pg("jsonb_exists_all", over("json, array(varchar)", "boolean", several(true)))
	path := func(text bool) overload {
		return over("json, varchar...", jsonResult(text), jsonPick(text, func(v string, args []*column.Vector, i int) (string, bool) {
			ok := true
			for _, a := range args[1:] {
				if v = strings.TrimSpace(v); strings.HasPrefix(v, "[") {
					at, err := strconv.ParseInt(strAt(a, i), 10, 64)
					if err != nil {
						return "", false
					}
					v, ok = jsonPlace(v, at)
				} else {
					v, ok = jsonKey(v, strAt(a, i))
				}
				if !ok {
					return "", false
				}
			}
			return v, v != ""
		}))
	}
	l.pg("json_extract_path jsonb_extract_path", path(false))
	l.pg("json_extract_path_text jsonb_extract_path_text", path(true))
}

// addPostgresPercentiles adds the percentiles of the sorted values of an array, of which
// NULLs do not count: between the nearest two, or the first that has at least that part of
// them up to it.
func addPostgresPercentiles(l *library) {
	values := func(args []*column.Vector, i int) (places []int, p float64, err error) {
		from, to := span(args[0], i)
		for e := from; e < to; e++ {
			if !args[0].Children[0].IsNull(e) {
				places = append(places, e)
			}
		}
		if p = dblAt(args[1], i); !(p >= 0 && p <= 1) {
			return nil, 0, fault("22003", "percentile value %v is not between 0 and 1", p)
		}
		return places, p, nil
	}
	l.pg("percentile_cont", over("array(double), double", "double", emit(func(_ *Context, out *column.Vector, args []*column.Vector, i int) error {
		places, p, err := values(args, i)
		if err != nil {
			return err
		}
		if len(places) == 0 {
			pushNull(out)
			return nil
		}
		at := p * float64(len(places)-1)
		low := int(at)
		x := dblAt(args[0].Children[0], places[low])
		if rest := at - float64(low); rest > 0 {
			x += rest * (dblAt(args[0].Children[0], places[low+1]) - x)
		}
		pushFloat(out, x)
		return nil
	})))
	l.pg("percentile_disc", over("array(T), double", "T", emit(func(_ *Context, out *column.Vector, args []*column.Vector, i int) error {
		places, p, err := values(args, i)
		if err != nil {
			return err
		}
		if len(places) == 0 {
			pushNull(out)
			return nil
		}
		push(out, args[0].Children[0], places[max(0, int(math.Ceil(p*float64(len(places))))-1)])
		return nil
	})))
}

// addPostgresMode adds the most frequent of the sorted values of an array, the first of
// those that come equally often.
func addPostgresMode(l *library) {
	l.pg("mode", over("array(T)", "T", emit(func(_ *Context, out *column.Vector, args []*column.Vector, i int) error {
		from, to := span(args[0], i)
		values := args[0].Children[0]
		best, most, first, n := -1, 0, -1, 0
		for e := from; e < to; e++ {
			if values.IsNull(e) {
				continue
			}
			if first >= 0 && EqualAt(values, first, values, e) {
				n++
			} else {
				first, n = e, 1
			}
			if n > most {
				best, most = first, n
			}
		}
		if best < 0 {
			pushNull(out)
		} else {
			push(out, values, best)
		}
		return nil
	})))
}

func notJSON(err error) error { return fault(sqlerr.InvalidText, "invalid JSON: %v", err) }

// jsonElements takes a JSON array apart.
func jsonElements(v string) ([]json.RawMessage, error) {
	if s := strings.TrimSpace(v); !strings.HasPrefix(s, "[") {
		return nil, fault(sqlerr.InvalidArgument, "cannot take the elements of JSON that is not an array")
	}
	var list []json.RawMessage
	if err := json.Unmarshal([]byte(v), &list); err != nil {
		return nil, notJSON(err)
	}
	return list, nil
}

type jsonEntry struct {
	key   string
	value json.RawMessage
}

// jsonMembers takes a JSON object apart, in its order. Of a key that comes again the
// last value counts.
func jsonMembers(v string) ([]jsonEntry, error) {
	if s := strings.TrimSpace(v); !strings.HasPrefix(s, "{") {
		return nil, fault(sqlerr.InvalidArgument, "cannot take the members of JSON that is not an object")
	}
	d := json.NewDecoder(strings.NewReader(v))
	if _, err := d.Token(); err != nil {
		return nil, notJSON(err)
	}
	var out []jsonEntry
	places := map[string]int{}
	for d.More() {
		t, err := d.Token()
		if err != nil {
			return nil, notJSON(err)
		}
		e := jsonEntry{key: t.(string)}
		if err := d.Decode(&e.value); err != nil {
			return nil, notJSON(err)
		}
		if k, again := places[e.key]; again {
			out[k] = e
			continue
		}
		places[e.key] = len(out)
		out = append(out, e)
	}
	return out, nil
}

// jsonAsText is what ->> gives of a value: a string's characters, else the JSON; ok is
// false for null.
func jsonAsText(raw json.RawMessage) (string, bool) {
	switch {
	case string(raw) == "null":
		return "", false
	case len(raw) > 0 && raw[0] == '"':
		var s string
		if json.Unmarshal(raw, &s) == nil {
			return s, true
		}
	}
	return string(raw), true
}

func decodeJSON(v string) (any, error) {
	d := json.NewDecoder(strings.NewReader(v))
	d.UseNumber()
	var x any
	if err := d.Decode(&x); err != nil {
		return nil, notJSON(err)
	}
	return x, nil
}

// jsonHolds reports whether l has all that r has: of objects the members, of arrays
// the elements, wherever they stand and however often.
func jsonHolds(p *pacer, l, r any) (bool, error) {
	if err := p.spend(rowWork); err != nil {
		return false, err
	}
	switch r := r.(type) {
	case map[string]any:
		m, ok := l.(map[string]any)
		if !ok {
			return false, nil
		}
		for key, want := range r {
			have, ok := m[key]
			if !ok {
				return false, nil
			}
			if has, err := jsonHolds(p, have, want); err != nil || !has {
				return false, err
			}
		}
		return true, nil
	case []any:
		list, ok := l.([]any)
		if !ok {
			return false, nil
		}
		for _, want := range r {
			found := false
			for _, have := range list {
				has, err := jsonHolds(p, have, want)
				if err != nil {
					return false, err
				}
				if found = has; found {
					break
				}
			}
			if !found {
				return false, nil
			}
		}
		return true, nil
	case json.Number:
		n, ok := l.(json.Number)
		return ok && sameNumber(n, r), nil
	}
	return l == r, nil
}

// sameNumber compares numbers: 1.0 is 1.
func sameNumber(a, b json.Number) bool {
	if a == b {
		return true
	}
	if !strings.ContainsAny(string(a), ".eE") && !strings.ContainsAny(string(b), ".eE") {
		return false // whole numbers have one form
	}
	x, errX := a.Float64()
	y, errY := b.Float64()
	return errX == nil && errY == nil && x == y
}

// stripNulls appends JSON without the members that are null, at any depth.
func stripNulls(p *pacer, dst, raw []byte) ([]byte, error) {
	if err := p.spend(len(raw)); err != nil {
		return nil, err
	}
	d := json.NewDecoder(bytes.NewReader(raw))
	d.UseNumber()
	type level struct {
		object bool
		n      int
		key    []byte // of an object: the key whose value comes next
	}
	var open []level
	for {
		t, err := d.Token()
		if err == io.EOF && len(open) == 0 {
			return dst, nil
		}
		if err != nil {
			return nil, notJSON(err)
		}
		end, isDelim := t.(json.Delim)
		if isDelim && (end == '}' || end == ']') {
			dst = append(dst, byte(end))
			open = open[:len(open)-1]
			continue
		}
		if len(open) > 0 {
			top := &open[len(open)-1]
			if top.object && top.key == nil {
				top.key = append(appendJSONString(nil, t.(string)), ':')
				continue
			}
			if top.object && t == nil {
				top.key = nil
				continue
			}
			if top.n++; top.n > 1 {
				dst = append(dst, ',')
			}
			dst = append(dst, top.key...)
			top.key = nil
		}
		switch x := t.(type) {
		case json.Delim:
			dst = append(dst, byte(x))
			open = append(open, level{object: x == '{'})
		case string:
			dst = appendJSONString(dst, x)
		case json.Number:
			dst = append(dst, x...)
		case bool:
			dst = strconv.AppendBool(dst, x)
		case nil:
			dst = append(dst, "null"...)
		}
	}
}
