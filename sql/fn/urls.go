package fn

import (
	"net/url"
	"slices"
	"strconv"
	"strings"

	"github.com/cairndb/cairn/sql/sqlerr"
)

// urlPart makes a function of a parsed URL; NULL when the text is none.
func urlPart(f func(u *url.URL) (string, bool)) kernel {
	return try1(func(_ *Context, s string) (string, bool, error) {
		u, err := url.Parse(s)
		if err != nil {
			return "", false, nil
		}
		part, ok := f(u)
		return part, ok, nil
	})
}

// parameter returns the first value of a query parameter.
func parameter(_ *Context, s, name string) (string, bool, error) {
	u, err := url.Parse(s)
	if err != nil {
		return "", false, nil
	}
	for query := u.RawQuery; query != ""; {
		var pair string
		pair, query, _ = strings.Cut(query, "&")
		k, v, _ := strings.Cut(pair, "=")
		if k, err := url.QueryUnescape(k); err == nil && k == name {
			if v, err := url.QueryUnescape(v); err == nil {
				return v, true, nil
			}
		}
	}
	return "", false, nil
}

// encodeURL escapes everything but letters, digits and -_.*; a blank is +.
func appendURL(out, piece []byte) []byte {
	const upper = "0123456789ABCDEF"
	out = slices.Grow(out, len(piece))
	for _, c := range piece {
		switch {
		case c >= 'a' && c <= 'z', c >= 'A' && c <= 'Z', c >= '0' && c <= '9', strings.IndexByte("-_.*", c) >= 0:
			out = append(out, c)
		case c == ' ':
			out = append(out, '+')
		default:
			out = append(out, '%', upper[c>>4], upper[c&15])
		}
	}
	return out
}

func addURLs(l *library) {
	family := "url"
	const example = "'https://ada@example.com:8443/a/b?x=1&y=two+words#end'"
	always := func(f func(u *url.URL) string) func(u *url.URL) (string, bool) {
		return func(u *url.URL) (string, bool) { return f(u), true }
	}
	for _, f := range []struct {
		name, what, result string
		get                func(u *url.URL) (string, bool)
	}{
		{"protocol", "protocol", "https", always(func(u *url.URL) string { return u.Scheme })},
		{"host", "host", "example.com", always((*url.URL).Hostname)},
		{"path", "path", "/a/b", always(func(u *url.URL) string { return u.Path })},
		{"query", "query", "x=1&y=two+words", always(func(u *url.URL) string { return u.RawQuery })},
		{"fragment", "fragment", "end", always(func(u *url.URL) string { return u.Fragment })},
	} {
		name := "url_extract_" + f.name
		l.scalar(Doc{Name: name, Family: family, Signature: name + "(url) → varchar", Summary: "Gives the " + f.what + " of a URL; NULL when the text is none.",
			Example: name + "(" + example + ")", Result: f.result}, over("varchar", "varchar", urlPart(f.get)))
	}
	l.scalar(Doc{Name: "url_extract_port", Family: family, Signature: "url_extract_port(url) → bigint", Summary: "Gives the port of a URL; NULL when it has none.",
		Example: "url_extract_port(" + example + ")", Result: "8443"},
		over("varchar", "bigint", try1(func(_ *Context, s string) (int64, bool, error) {
			u, err := url.Parse(s)
			if err != nil {
				return 0, false, nil
			}
			port, err := strconv.ParseInt(u.Port(), 10, 32)
			return port, err == nil, nil
		})))
	l.scalar(Doc{Name: "url_extract_parameter", Family: family, Signature: "url_extract_parameter(url, name) → varchar",
		Summary: "Gives the first value of a query parameter.", Example: "url_extract_parameter(" + example + ", 'y')", Result: "two words"},
		over("varchar, varchar", "varchar", try2(parameter)))
	l.scalar(Doc{Name: "url_encode", Family: family, Signature: "url_encode(string) → varchar", Summary: "Escapes text for use in a URL.",
		Example: "url_encode('a b/c')", Result: "a+b%2Fc"}, over("varchar", "varchar", encoded(appendURL)))
	l.scalar(Doc{Name: "url_decode", Family: family, Signature: "url_decode(string) → varchar", Summary: "Turns URL escapes back into text.",
		Example: "url_decode('a+b%2Fc')", Result: "a b/c"},
		over("varchar", "varchar", try1(func(_ *Context, s string) (string, bool, error) {
			t, err := url.QueryUnescape(s)
			if err != nil {
				return "", false, fault(sqlerr.InvalidText, "%s has a wrong URL escape", shown(s))
			}
			return validText(t), true, nil
		})))
}
