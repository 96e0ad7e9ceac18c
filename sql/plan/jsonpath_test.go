package plan

import (
	"slices"
	"testing"

	"github.com/cairndb/cairn/segment/column"
)

func TestJSONSteps(t *testing.T) {
	for _, c := range []struct {
		path, rest string
		keys       []string
		bad        bool
	}{
		{path: "$", rest: "$"},
		{path: "$.a.b", keys: []string{"a", "b"}, rest: "$"},
		{path: `$["x y"].AWS:z`, keys: []string{"x y", "AWS:z"}, rest: "$"},
		{path: "$.a[0].b", keys: []string{"a"}, rest: `$["0"]["b"]`},
		{path: `$.1["q\"\\z"]`, rest: `$["1"]["q\"\\z"]`},
		{path: "a.b", bad: true},
		{path: "", bad: true},
		{path: "$.a[", bad: true},
	} {
		keys, rest, ok := JSONSteps(c.path)
		if ok == c.bad || ok && (rest != c.rest || !slices.Equal(keys, c.keys)) {
			t.Errorf("%s: %q, %s, %v", c.path, keys, rest, ok)
		}
		if !ok || len(keys) > 0 {
			continue
		}
		// What is left must be a path itself, and lead the same way.
		doc := column.New(column.JSONType, 1)
		doc.Str[0] = `{"1": {"q\"\\z": "found"}}`
		for _, want := range []*column.Type{column.VarcharType, column.JSONType} {
			a, err := JSONExtract(doc, c.path, want)
			if err != nil {
				t.Fatal(err)
			}
			b, err := JSONExtract(doc, rest, want)
			if err != nil {
				t.Fatal(err)
			}
			if a.IsNull(0) != b.IsNull(0) || !a.IsNull(0) && a.Str[0] != b.Str[0] {
				t.Errorf("%s and %s lead to different values", c.path, rest)
			}
		}
	}
}
