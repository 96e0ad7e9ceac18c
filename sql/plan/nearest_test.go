package plan

import "testing"

func TestNearest(t *testing.T) {
	names := []string{"eventName", "eventTime", "sourceIPAddress", "awsRegion", "date_trunc"}
	for name, want := range map[string]string{
		"eventnme": "eventName", "evnetTime": "eventTime", "EVENTNAMES": "eventName", "datetrunc": "date_trunc",
		"sourceip": "", "x": "", "region": "", "awsregoin": "awsRegion", "eventname": "eventTime",
	} {
		if got := nearest(name, names); got != want {
			t.Errorf("nearest(%q) = %q, want %q", name, got, want)
		}
	}
}

func TestLikePieces(t *testing.T) {
	for _, c := range []struct {
		pattern string
		escape  rune
		want    []string
	}{
		{"abc", -1, []string{"abc"}}, {"a%", -1, []string{"a", ""}}, {"%b%", -1, []string{"", "b", ""}}, {"", -1, []string{""}},
		{`a\%b%`, '\\', []string{"a%b", ""}}, {"a_", -1, nil}, {`a\`, '\\', nil}, {`a\b`, '\\', nil}, {"\xff%", -1, nil},
	} {
		got, ok := likePieces(c.pattern, c.escape)
		if ok != (c.want != nil) || ok && len(got) != len(c.want) {
			t.Errorf("likePieces(%q) = %q, %v, want %q", c.pattern, got, ok, c.want)
			continue
		}
		for i := range c.want {
			if got[i] != c.want[i] {
				t.Errorf("likePieces(%q) = %q, want %q", c.pattern, got, c.want)
			}
		}
	}
}
