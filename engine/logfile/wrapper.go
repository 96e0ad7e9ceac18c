package logfile

import (
	"slices"

	"github.com/cairndb/cairn/engine/event"
)

// listNames are member names under which exports list records beside other
// members. Under any other name an array of objects makes a wrapper only if it
// is alone, because records have arrays of objects of their own.
var listNames = []string{"Records", "Events", "configurationItems"}

// isWrapper decides whether the object at the cursor, a top-level value, wraps
// records or is one.
func (c *Cursor) isWrapper() bool {
	b := c.win[c.r:min(c.w, c.r+c.need-1)]
	if _, listed, ok := listMember(b, 1); ok && listed {
		return true // {"Records":[… — nearly always it is this
	}
	if c.values > 1 && c.wrappers == 0 {
		// A file whose first value was a record goes on with records.
		return false
	}
	members, lists := 0, 0
	for i := 1; ; members++ {
		for i < len(b) && (isSpace(b[i]) || b[i] == ',') {
			i++
		}
		if i < len(b) && b[i] == '}' {
			return members == 1 && lists == 1
		}
		list, listed, ok := listMember(b, i)
		switch {
		case !ok:
			return false
		case listed:
			return true
		case list:
			lists++
		}
		_, v := memberName(b[i:])
		n, err := event.ScanValue(b[i+v:])
		if err != nil {
			// The list is longer than a record may be, or something in it is
			// malformed. A record that begins with a malformed list would look
			// the same; it is the rarer case.
			return list && (members == 0 || len(b) == c.need-1)
		}
		i += v + n
	}
}

// listMember looks at the member at b[i]. list says that it is an array of
// objects, as an empty array may be, and one that the window cuts. listed says
// that it is an array, of whatever, under one of the names for lists of records.
func listMember(b []byte, i int) (list, listed, ok bool) {
	for i < len(b) && isSpace(b[i]) {
		i++
	}
	name, v := memberName(b[i:])
	if v == 0 || i+v >= len(b) {
		return false, false, false
	}
	i += v
	if b[i] != '[' {
		return false, false, true
	}
	for i++; i < len(b) && isSpace(b[i]); i++ {
	}
	list = i >= len(b) || b[i] == '{' || b[i] == ']'
	return list, slices.Contains(listNames, string(name)), true
}
