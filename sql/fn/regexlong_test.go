package fn

import (
	"errors"
	"fmt"
	"regexp"
	"strings"
	"testing"
	"time"
)

// Reading a text through a reader finds what FindAll finds.
func TestLongTextsMatchAlike(t *testing.T) {
	for _, pattern := range []string{"a", "a*", "", "^a", "(?m)^a", `\b`, `\bab?`, "(a)|(b)", "(?i)AB", "a+?b", `(\w+)@(\w+)`, "$", `\A.`, "é|.", "(?s).", "b$", `\Bb`, "x*|b", "(?P<n>a)(b)?"} {
		re := regexp.MustCompile(pattern)
		r := &regex{linear: re, groups: re.NumSubexp()}
		for _, s := range []string{"", "a", "ab", "aab ab\nab", "bab", "ana@x ben@y", "éaéb", "\xffa\xffb", "xxb", "a\n\nb\n", "AbaB"} {
			var got [][]int
			if err := r.eachLong(&Context{}, s, func(loc []int) bool { got = append(got, loc); return true }); err != nil {
				t.Fatal(err)
			}
			if want := re.FindAllStringSubmatchIndex(s, -1); fmt.Sprint(got) != fmt.Sprint(want) {
				t.Errorf("%q in %q: %v, FindAll %v", pattern, s, got, want)
			}
		}
	}
}

// Both engines give up soon after the query has ended.
func TestRegexpsStop(t *testing.T) {
	ended := errors.New("ended")
	text := strings.Repeat("ab", 4<<20)
	for pattern, s := range map[string]string{
		`(a|b)*?(b|a)*?c`: text, `((a|b)(a|b))*x`: text, `.`: text, `(?=(a+)+$)(a|aa)+$`: strings.Repeat("a", 40) + "b", `^(a+)+\1$`: strings.Repeat("a", 40) + "b",
	} {
		r, err := compileRegex(pattern)
		if err != nil {
			t.Fatal(err)
		}
		for name, run := range map[string]func(c *Context) error{
			"find": func(c *Context) error { _, err := r.find(c, s); return err },
			"each": func(c *Context) error { return r.each(c, s, func([]int) bool { return true }) },
		} {
			end := time.Now().Add(20 * time.Millisecond)
			c := &Context{Live: func() error {
				if time.Now().After(end) {
					return ended
				}
				return nil
			}}
			err := run(c)
			if late := time.Since(end); late > 500*time.Millisecond {
				t.Errorf("%s of %s: ended %v late", name, pattern, late)
			}
			if err != nil && !errors.Is(err, ended) {
				t.Errorf("%s of %s: %v", name, pattern, err)
			}
		}
	}
}
