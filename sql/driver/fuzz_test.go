package driver

import (
	"strings"
	"testing"
)

// A name that cannot be read gives an error without the password in it, and never panics.
func FuzzName(f *testing.F) {
	for _, name := range []string{
		"", "lake", "file:lake", "file:lake?readonly=1", "file://host/lake", "file:?x=%zz", "file:lake?memory=12&memory=1GB",
		"cairn://u:PASSWORD@host:1/db?sslmode=verify-full", "cairn://u:PASSWORD@%zz/", "foo://u:PASSWORD@host%", "foo://u:PASSWORD@host",
		"host=localhost user=u password=PASSWORD", "host=localhost port=x password='PASSWORD", "postgres://u:PASSWORD@[::1", "host=", "user=u", "://", "cairn://",
	} {
		f.Add(name)
	}
	f.Fuzz(func(t *testing.T, name string) {
		if strings.Contains(name, "ssl") || strings.Contains(name, "service") || strings.Contains(name, "passfile") {
			return // these make it read files
		}
		_, err := Driver{}.OpenConnector(name)
		if err != nil && strings.Contains(err.Error(), "PASSWORD") {
			t.Fatalf("%q: the error shows the password: %v", name, err)
		}
	})
}

// Once parameters are numbered none is left, and what is not a parameter is unchanged.
func FuzzNumbered(f *testing.F) {
	for _, query := range []string{"SELECT ?", "SELECT '?', \"?\", ? -- ?\n, ? /* ? */ ?", "SELECT 'it''s ?', ?", "?'", "?\"", "/* ?", "-- ?", "??", ""} {
		f.Add(query)
	}
	f.Fuzz(func(t *testing.T, query string) {
		once := numbered(query)
		if twice := numbered(once); twice != once {
			t.Fatalf("%q becomes %q, and that %q", query, once, twice)
		}
		if !strings.Contains(query, "?") && once != query {
			t.Fatalf("%q becomes %q", query, once)
		}
	})
}
