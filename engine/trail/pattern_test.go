package trail

import (
	"strings"
	"testing"
)

// TestPattern is the table of conditions.
func TestPattern(t *testing.T) {
	const e = `{"source":"aws.s3","n":5.0,"nil":null,"list":["a","b"],"ip":"10.1.2.3","empty":"","detail":{"eventName":"PutObject","path":"a/b/c*d","rows":[{"k":1},{"k":2}]}}`
	for _, c := range []struct {
		pattern string
		want    bool
	}{
		{`{"source":["aws.s3"]}`, true},
		{`{"source":["aws.s3","x"],"n":[5]}`, true},
		{`{"source":["x"]}`, false},
		{`{"nil":[null]}`, true},
		{`{"absent":[null]}`, false},
		{`{"empty":[""]}`, true},
		{`{"list":["b"]}`, true},
		{`{"detail":{"eventName":[{"prefix":"Put"}]}}`, true},
		{`{"detail":{"eventName":[{"prefix":{"equals-ignore-case":"pUT"}}]}}`, true},
		{`{"detail":{"eventName":[{"suffix":"Object"}]}}`, true},
		{`{"detail":{"eventName":[{"equals-ignore-case":"putobject"}]}}`, true},
		{`{"detail":{"eventName":[{"anything-but":"PutObject"}]}}`, false},
		{`{"detail":{"eventName":[{"anything-but":["x","y"]}]}}`, true},
		{`{"detail":{"eventName":[{"anything-but":{"prefix":"Put"}}]}}`, false},
		{`{"detail":{"eventName":[{"anything-but":{"suffix":["x","ject"]}}]}}`, false},
		{`{"detail":{"eventName":[{"wildcard":"P*Obj*t"}]}}`, true},
		{`{"detail":{"path":[{"wildcard":"a/*/c\\*d"}]}}`, true},
		{`{"detail":{"path":[{"wildcard":"a/*x"}]}}`, false},
		{`{"n":[{"numeric":[">",0,"<=",5]}]}`, true},
		{`{"n":[{"numeric":["<",5]}]}`, false},
		{`{"n":[{"numeric":["=",5.00]}]}`, true},
		{`{"source":[{"numeric":[">",0]}]}`, false},
		{`{"ip":[{"cidr":"10.0.0.0/8"}]}`, true},
		{`{"ip":[{"cidr":"11.0.0.0/8"}]}`, false},
		{`{"absent":[{"exists":false}]}`, true},
		{`{"source":[{"exists":false}]}`, false},
		{`{"source":[{"exists":true}]}`, true},
		{`{"absent":{"x":[{"exists":false}]}}`, true},
		{`{"$or":[{"source":["x"]},{"n":[5]}]}`, true},
		{`{"$or":[{"source":["x"]},{"n":[6]}]}`, false},
		{`{"source":["aws.s3"],"$or":[{"n":[6]},{"detail":{"eventName":["PutObject"]}}]}`, true},
		{`{"detail":{"rows":{"k":[2]}}}`, true},
		{`{"detail":{"rows":{"k":[3]}}}`, false},
	} {
		p, err := ParsePattern([]byte(c.pattern))
		if err != nil {
			t.Errorf("%s: %v", c.pattern, err)
		} else if got := p.Match([]byte(e)); got != c.want {
			t.Errorf("%s: %v, want %v", c.pattern, got, c.want)
		}
	}
	for _, bad := range []string{``, `[]`, `{}`, `{"a":"b"}`, `{"a":[]}`, `{"a":[[1]]}`, `{"a":{}}`, `{"a":[{"x":1}]}`, `{"a":[{"prefix":1}]}`, `{"a":[{"numeric":[">","x"]}]}`,
		`{"a":[{"numeric":["~",1]}]}`, `{"a":[{"cidr":"x"}]}`, `{"a":[{"exists":1}]}`, `{"a":[{"wildcard":"a**b"}]}`, `{"$or":[{"a":[1]}]}`, `{"a":[{"prefix":"x","suffix":"y"}]}`,
		`{"a":[{"anything-but":[]}]}`, strings.Repeat(`{"a":`, 40) + `[1]` + strings.Repeat(`}`, 40)} {
		if _, err := ParsePattern([]byte(bad)); err == nil {
			t.Errorf("%.60s is taken", bad)
		}
	}
}

// FuzzPattern: no pattern and no event makes it panic.
func FuzzPattern(f *testing.F) {
	f.Add([]byte(`{"a":[{"numeric":[">",0]},{"wildcard":"a*b"}],"$or":[{"b":[{"exists":false}]},{"c":[null]}]}`), []byte(`{"a":[1,"ab"],"c":null}`))
	f.Fuzz(func(t *testing.T, pattern, e []byte) {
		if p, err := ParsePattern(pattern); err == nil {
			p.Match(e)
		}
	})
}

// FuzzRecord: no record makes decoding panic, and a changed one is told.
func FuzzRecord(f *testing.F) {
	key := recordKey(letterState, "x")
	f.Add(encode(key, &state{Logging: true}), 3)
	f.Fuzz(func(t *testing.T, value []byte, at int) {
		var st state
		if decode(key, value, &st) != nil || len(value) == 0 {
			return
		}
		changed := append([]byte(nil), value...)
		changed[uint(at)%uint(len(changed))] ^= 1
		if decode(key, changed, &st) == nil {
			t.Errorf("%q is taken for %q", changed, value)
		}
	})
}

// TestSettings names what is refused.
func TestSettings(t *testing.T) {
	good := func() Settings {
		return Settings{Name: "main", Account: "111122223333", HomeRegion: "eu-west-1", Target: "file:/srv/audit"}
	}
	if s := good(); s.Validate() != nil || s.ARN() != "arn:aws:cloudtrail:eu-west-1:111122223333:trail/main" || s.BucketName() != "audit" {
		t.Errorf("%+v: %v", s, s.Validate())
	}
	for field, spoil := range map[string]func(s *Settings){
		"Name: 2 characters":           func(s *Settings) { s.Name = "ab" },
		"beside each other":            func(s *Settings) { s.Name = "my-_x" },
		"like an IP address":           func(s *Settings) { s.Name = "10.0.0.1" },
		"does not end with":            func(s *Settings) { s.Name = "main-" },
		"does not begin with":          func(s *Settings) { s.Name = ".main" },
		"Account:":                     func(s *Settings) { s.Account = "1" },
		"HomeRegion:":                  func(s *Settings) { s.HomeRegion = "../x" },
		"S3KeyPrefix:":                 func(s *Settings) { s.Prefix = "a/../b" },
		"S3KeyPrefix: \"/a\"":          func(s *Settings) { s.Prefix = "/a" },
		"characters, at most 200":      func(s *Settings) { s.Prefix = strings.Repeat("a", 201) },
		"Target: \"file:rel":           func(s *Settings) { s.Target = "file:rel" },
		"an absolute path without ..":  func(s *Settings) { s.Target = "file:/a/../b" },
		"give \"x\" as prefix":         func(s *Settings) { s.Target = "s3://bucket/x" },
		"S3BucketName:":                func(s *Settings) { s.Target = "s3://b" },
		"Organization:":                func(s *Settings) { s.Organization = "x" },
		"InsightSelectors:":            func(s *Settings) { s.Insights = []string{"x"} },
		"Sources:":                     func(s *Settings) { s.Sources = []string{"a", "A"} },
		"Form: only streams":           func(s *Settings) { s.Form = FormBus },
		"there are no digests":         func(s *Settings) { s.Target, s.Validation = "jsonl:/x", true },
		"Pattern: the event pattern":   func(s *Settings) { s.Target, s.Pattern = "jsonl:/x", []byte("{}") },
		"the absolute path of a file":  func(s *Settings) { s.Target = "jsonl:/a/../b" },
		"only the trail of an organiz": func(s *Settings) { s.Accounts = []string{"111122223333"} },
	} {
		s := good()
		spoil(&s)
		if err := s.Validate(); err == nil || !strings.Contains(err.Error(), field) {
			t.Errorf("%v, want %q", err, field)
		}
	}
}
