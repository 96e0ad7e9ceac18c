package fn

import (
	"slices"
	"strings"
	"testing"
)

// TestRequiredTexts compares what expressions are said to require with the strings that they are
// found in, and with what it should be.
func TestRequiredTexts(t *testing.T) {
	subjects := []string{"", "Stop", "Delete", "DeleteTrail", "arn:aws:iam::1:role/Admin", "token-77", "TOKEN-77", "to\u212Aen", "mi\u017Fs", "MISS", "miss", "aXbXc", "abc", "ac", "x.y", "xzy", "k=v\nnext", "\u00e9t\u00e9"}
	for _, c := range []struct {
		pattern string
		want    [][]string
		ok      bool
	}{
		{"token", [][]string{{"token"}}, true},
		{"^token-[0-9]+$", [][]string{{"token-"}}, true},
		{"(?i)token", [][]string{{"token"}}, true},
		{"(?i)miss", [][]string{{"mi"}}, true},
		{"^(Stop|Delete)", [][]string{{"Stop", "Delete"}}, true},
		{"(Stop|x*)", nil, true},
		{"arn:.*role/(Admin)+", [][]string{{"arn:"}, {"role/"}, {"Admin"}}, true},
		{"a(b|X.X)?c", [][]string{{"a"}, {"c"}}, true},
		{"(ab){2,3}", [][]string{{"ab"}}, true},
		{"(ab){0,3}", nil, true},
		{`x\.y`, [][]string{{"x.y"}}, true},
		{"[kK]=v", [][]string{{"=v"}}, true},
		{".*", nil, true},
		{"(?i)été", [][]string{{"t"}}, true},
		{"(?=a)b", nil, false},
		{"(", nil, false},
	} {
		texts, ok := RequiredTexts(c.pattern)
		if ok != c.ok {
			t.Errorf("%s: ok is %t", c.pattern, ok)
		}
		var got [][]string
		for _, r := range texts {
			got = append(got, r.Texts)
		}
		if !slices.EqualFunc(got, c.want, slices.Equal[[]string]) {
			t.Errorf("%s requires %q, should be %q", c.pattern, got, c.want)
		}
		if !ok {
			continue
		}
		re, err := compileRegex(c.pattern)
		if err != nil {
			t.Fatal(err)
		}
		for _, s := range subjects {
			if !re.linear.MatchString(s) {
				continue
			}
			for _, r := range texts {
				in := s
				if r.Fold {
					in = strings.ToLower(s)
				}
				if !slices.ContainsFunc(r.Texts, func(part string) bool { return strings.Contains(in, part) }) {
					t.Errorf("%s is found in %q, which has none of %q", c.pattern, s, r.Texts)
				}
			}
		}
	}
}
