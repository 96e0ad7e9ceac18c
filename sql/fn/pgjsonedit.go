package fn

import (
	"encoding/json"
	"slices"
	"strconv"
	"strings"

	"github.com/cairndb/cairn/segment/column"
	"github.com/cairndb/cairn/sql/sqlerr"
)

// What Postgres' operators and functions make of JSON: values with a part put in, or left out.
// The order of keys stays as it is.

func addPostgresJSONEdits(l *library) {
	edit := func(f func(v string, args []*column.Vector, i int) (string, error)) kernel {
		return emit(func(_ *Context, out *column.Vector, args []*column.Vector, i int) error {
			s, err := f(strings.TrimSpace(strAt(args[0], i)), args, i)
			if err == nil {
				pushStr(out, s)
			}
			return err
		})
	}
	without := edit(func(v string, args []*column.Vector, i int) (string, error) {
		return jsonWithout(v, []string{strAt(args[1], i)})
	})
	l.pg("jsonb_delete", over("json, varchar", "json", without),
		over("json, bigint", "json", edit(func(v string, args []*column.Vector, i int) (string, error) {
			if jsonIsObject(v) {
				return "", fault(sqlerr.InvalidArgument, "cannot delete from object using integer index")
			}
			return jsonWithoutPlace(v, intAt(args[1], i))
		})),
		over("json, array(varchar)", "json", edit(func(v string, args []*column.Vector, i int) (string, error) {
			return jsonWithout(v, textsAt(args[1], i))
		})))
	l.pg("jsonb_delete_path", over("json, array(varchar)", "json", edit(func(v string, args []*column.Vector, i int) (string, error) {
		return jsonEdit(v, textsAt(args[1], i), 1, jsonDelete, "")
	})))
	l.pg("jsonb_concat", over("json, json", "json", edit(func(v string, args []*column.Vector, i int) (string, error) {
		return jsonConcat(v, strings.TrimSpace(strAt(args[1], i)))
	})))
	set := func(what jsonChange, flag bool) kernel {
		return edit(func(v string, args []*column.Vector, i int) (string, error) {
			how := what
			if flag {
				switch given := intAt(args[3], i) != 0; {
				case what == jsonSet && !given:
					how = jsonReplace
				case what == jsonInsert && given:
					how = jsonInsertAfter
				}
			}
			return jsonEdit(v, textsAt(args[1], i), 1, how, strings.TrimSpace(strAt(args[2], i)))
		})
	}
	l.pg("jsonb_set", over("json, array(varchar), json", "json", set(jsonSet, false)), over("json, array(varchar), json, boolean", "json", set(jsonSet, true)))
	l.pg("jsonb_insert", over("json, array(varchar), json", "json", set(jsonInsert, false)), over("json, array(varchar), json, boolean", "json", set(jsonInsert, true)))
}

// textsAt are the texts of an array that are not NULL.
func textsAt(v *column.Vector, i int) (out []string) {
	v, i = v.Leaf(i)
	from, to := span(v, i)
	for e := from; e < to; e++ {
		if !v.Children[0].IsNull(e) {
			out = append(out, strAt(v.Children[0], e))
		}
	}
	return out
}

func jsonIsObject(v string) bool { return strings.HasPrefix(v, "{") }
func jsonIsArray(v string) bool  { return strings.HasPrefix(v, "[") }

// jsonWithout leaves out members by their keys, or of an array elements that are these texts.
func jsonWithout(v string, keys []string) (string, error) {
	switch {
	case jsonIsObject(v):
		members, err := jsonMembers(v)
		if err != nil {
			return "", err
		}
		return writeMembers(slices.DeleteFunc(members, func(m jsonEntry) bool { return slices.Contains(keys, m.key) })), nil
	case jsonIsArray(v):
		list, err := jsonElements(v)
		if err != nil {
			return "", err
		}
		return writeElements(slices.DeleteFunc(list, func(raw json.RawMessage) bool {
			var s string
			return len(raw) > 0 && raw[0] == '"' && json.Unmarshal(raw, &s) == nil && slices.Contains(keys, s)
		})), nil
	}
	return "", fault(sqlerr.InvalidArgument, "cannot delete from scalar")
}

// jsonWithoutPlace leaves out an element, counted from 0, or from the end below 0.
func jsonWithoutPlace(v string, at int64) (string, error) {
	if !jsonIsArray(v) {
		return "", fault(sqlerr.InvalidArgument, "cannot delete from scalar")
	}
	list, err := jsonElements(v)
	if err != nil {
		return "", err
	}
	if at < 0 {
		at += int64(len(list))
	}
	if at >= 0 && at < int64(len(list)) {
		list = slices.Delete(list, int(at), int(at)+1)
	}
	return writeElements(list), nil
}

// jsonConcat joins two values: of objects all members, of which those of the right one count;
// anything else as arrays, a value that is none as one of itself.
func jsonConcat(l, r string) (string, error) {
	if jsonIsObject(l) && jsonIsObject(r) {
		members, err := jsonMembers(l)
		if err != nil {
			return "", err
		}
		more, err := jsonMembers(r)
		if err != nil {
			return "", err
		}
		at := make(map[string]int, len(members))
		for i, m := range members {
			at[m.key] = i
		}
		for _, m := range more {
			if i, ok := at[m.key]; ok {
				members[i] = m
			} else {
				members = append(members, m)
			}
		}
		return writeMembers(members), nil
	}
	var all []json.RawMessage
	for _, side := range []string{l, r} {
		if !jsonIsArray(side) {
			all = append(all, json.RawMessage(side))
			continue
		}
		list, err := jsonElements(side)
		if err != nil {
			return "", err
		}
		all = append(all, list...)
	}
	return writeElements(all), nil
}

// jsonChange is what jsonEdit does at the end of a path.
type jsonChange uint8

const (
	jsonSet     jsonChange = iota // in the place of what is there, or in addition
	jsonReplace                   // only in the place of what is there
	jsonInsert                    // before an element; a member only if there is none
	jsonInsertAfter
	jsonDelete
)

// jsonEdit changes a value at a path: keys of objects, places of arrays. step is the number of
// the first part of the path, for messages. A path that leads nowhere changes nothing.
func jsonEdit(v string, path []string, step int, what jsonChange, to string) (string, error) {
	if len(path) == 0 {
		return v, nil
	}
	switch {
	case jsonIsObject(v):
		members, err := jsonMembers(v)
		if err != nil {
			return "", err
		}
		at := slices.IndexFunc(members, func(m jsonEntry) bool { return m.key == path[0] })
		switch {
		case len(path) > 1:
			if at < 0 {
				return v, nil
			}
			inner, err := jsonEdit(string(members[at].value), path[1:], step+1, what, to)
			if err != nil {
				return "", err
			}
			members[at].value = json.RawMessage(inner)
		case what == jsonDelete:
			if at >= 0 {
				members = slices.Delete(members, at, at+1)
			}
		case at >= 0 && what <= jsonReplace:
			members[at].value = json.RawMessage(to)
		case at >= 0:
			return "", sqlerr.New(sqlerr.InvalidArgument, sqlerr.Pos{}, "cannot replace existing key").WithHint("jsonb_set replaces values")
		case what != jsonReplace:
			members = append(members, jsonEntry{path[0], json.RawMessage(to)})
		}
		return writeMembers(members), nil
	case jsonIsArray(v):
		list, err := jsonElements(v)
		if err != nil {
			return "", err
		}
		place, err := strconv.Atoi(path[0])
		if err != nil {
			return "", fault(sqlerr.InvalidText, "path element at position %d is not an integer: %q", step, path[0])
		}
		at := place
		if at < 0 {
			at += len(list)
		}
		within := at >= 0 && at < len(list)
		switch {
		case len(path) > 1:
			if !within {
				return v, nil
			}
			inner, err := jsonEdit(string(list[at]), path[1:], step+1, what, to)
			if err != nil {
				return "", err
			}
			list[at] = json.RawMessage(inner)
		case what == jsonDelete:
			if within {
				list = slices.Delete(list, at, at+1)
			}
		case within && what <= jsonReplace:
			list[at] = json.RawMessage(to)
		case within && what == jsonInsertAfter:
			list = slices.Insert(list, at+1, json.RawMessage(to))
		case within:
			list = slices.Insert(list, at, json.RawMessage(to))
		case what == jsonReplace:
		case place < 0:
			list = slices.Insert(list, 0, json.RawMessage(to))
		default:
			list = append(list, json.RawMessage(to))
		}
		return writeElements(list), nil
	case step > 1:
		return v, nil // the path leads into a value that has no parts
	case what == jsonDelete:
		return "", fault(sqlerr.InvalidArgument, "cannot delete path in scalar")
	}
	return "", fault(sqlerr.InvalidArgument, "cannot set path in scalar")
}

// writeMembers and writeElements write values with their parts as they are.
func writeMembers(members []jsonEntry) string {
	b := []byte{'{'}
	for i, m := range members {
		if i > 0 {
			b = append(b, ", "...)
		}
		b = append(append(appendJSONString(b, m.key), ": "...), m.value...)
	}
	return string(append(b, '}'))
}

func writeElements(list []json.RawMessage) string {
	b := []byte{'['}
	for i, raw := range list {
		if i > 0 {
			b = append(b, ", "...)
		}
		b = append(b, raw...)
	}
	return string(append(b, ']'))
}
