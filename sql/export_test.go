package sql

import "github.com/cairndb/cairn/sql/parse"

// Each calls fn with every text and its tree.
func (t *Texts) Each(fn func(text string, d Dialect, tree parse.Statement)) {
	for k, e := range t.mu.entries {
		fn(k.text, k.dialect, e.Value.(*textEntry).tree)
	}
}
