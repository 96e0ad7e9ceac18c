package plan

import (
	"strings"

	"github.com/cairndb/cairn/segment/column"
	"github.com/cairndb/cairn/sql/fn"
)

// JSONSteps takes a path of json_extract apart for a [JSONTable]: keys are the
// members that it leads through first, in objects only, and rest is the path
// from there on, "$" when that is all. ok is false for a path that is not valid.
func JSONSteps(path string) (keys []string, rest string, ok bool) {
	steps, ok := fn.JSONPathSteps(path)
	if !ok {
		return nil, "", false
	}
	// A step that is a number may be a member's name or a position in an array.
	for len(steps) > 0 && !steps[0].Position {
		keys = append(keys, steps[0].Name)
		steps = steps[1:]
	}
	var b strings.Builder
	b.WriteByte('$')
	for _, s := range steps {
		b.WriteString(`["`)
		for _, c := range []byte(s.Name) {
			if c == '"' || c == '\\' {
				b.WriteByte('\\')
			}
			b.WriteByte(c)
		}
		b.WriteString(`"]`)
	}
	return keys, b.String(), true
}

// JSONExtract is json_extract (want json) or json_extract_scalar (want varchar)
// of a vector of JSON text, for a [JSONTable] that serves a path from a part
// of the text.
func JSONExtract(text *column.Vector, path string, want *column.Type) (*column.Vector, error) {
	name := "json_extract_scalar"
	if want.Kind == column.JSON {
		name = "json_extract"
	}
	f, err := fn.LookupScalar(name).Bind([]*column.Type{column.JSONType, column.VarcharType})
	if err != nil {
		return nil, err
	}
	p := column.New(column.VarcharType, 1)
	p.Str[0] = path
	return f.Eval(&fn.Context{}, []*column.Vector{text, column.NewConst(p, text.Len)}, text.Len)
}
