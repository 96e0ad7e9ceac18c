package engine

import (
	"context"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/cockroachdb/pebble/v2/vfs"

	"github.com/cairndb/cairn/engine/event/generate"
)

// hostile makes JSON values that are hard to take apart: equal keys, escapes in keys and
// texts, numbers in every spelling, white space, objects where texts were, deep and long ones.
type hostile struct{ *rand.Rand }

func (h hostile) pick(s ...string) string { return s[h.IntN(len(s))] }

func (h hostile) space() string { return h.pick("", "", "", " ", "\n\t") }

func (h hostile) key() string {
	return h.pick(`"a"`, `"b"`, `"c"`, `"\u0061"`, `"0"`, `"1"`, `""`, `"x y"`, `"q\"z"`, `"\ud800"`, `"é"`, `"AWS:x"`)
}

func (h hostile) value(depth int) string {
	n := h.IntN(12)
	if depth == 0 {
		n = h.IntN(8)
	}
	switch {
	case n < 3:
		return h.pick(`"x"`, `"\u0078"`, `""`, `"1"`, `"null"`, `"true"`, `"a\/b"`, `"\ud83d\ude00"`, `"\udc00x"`, `"{\"a\":1}"`, `"é\n"`, fmt.Sprintf(`"v%d"`, h.IntN(30)))
	case n < 5:
		return h.pick("0", "-0", "1", "1.0", "1e5", "1E+5", "-1.50", "12345678901234567890")
	case n < 6:
		return h.pick("true", "false")
	case n < 7:
		return "null"
	case n < 8:
		return h.pick("{}", "[]", "{ }", "[ ]")
	case n < 10:
		var b strings.Builder
		b.WriteString("{" + h.space())
		for i := range h.IntN(4) {
			if i > 0 {
				b.WriteString("," + h.space())
			}
			b.WriteString(h.key() + h.space() + ":" + h.space() + h.value(depth-1) + h.space())
		}
		return b.String() + "}"
	}
	var parts []string
	for range h.IntN(5) {
		parts = append(parts, h.value(depth-1)+h.space())
	}
	return "[" + h.space() + strings.Join(parts, ",") + "]"
}

func (h hostile) event(i int) []byte {
	s := fmt.Sprintf(`{"eventVersion":"1.08","eventTime":"2026-01-02T00:%02d:%02dZ","eventSource":"s3.amazonaws.com","eventName":"N%d","eventID":"%08x-0000-4000-8000-000000000000"`,
		i/60%60, i%60, i%5, i)
	for _, key := range []string{`"requestParameters"`, `"responseElements"`, `"a"`, `"requestParameters"`, `"eventID"`} {
		switch key {
		case `"eventID"`:
			if h.IntN(40) == 0 {
				s += fmt.Sprintf(`,"eventID":"%08x-0000-4000-8000-000000000000"`, 1000+i)
			}
		default:
			if h.IntN(8) < 5 && (key != `"a"` || h.IntN(2) == 0) && !(strings.Contains(s, key) && h.IntN(30) > 0) {
				s += "," + h.space() + key + ":" + h.value(3)
			}
		}
	}
	return []byte(s + h.space() + "}")
}

// TestJSONPaths compares what is served from columns with the functions on the text.
func TestJSONPaths(t *testing.T) {
	g, err := generate.New(generate.Options{Events: 300, Seed: 3})
	if err != nil {
		t.Fatal(err)
	}
	sets := map[string][][]byte{}
	err = g.Each(func(raw []byte, _ int64) error {
		sets["generated"] = append(sets["generated"], append([]byte(nil), raw...))
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	h := hostile{rand.New(rand.NewPCG(11, 12))}
	for i := range 300 {
		sets["hostile"] = append(sets["hostile"], h.event(i))
	}
	paths := map[string][]string{
		"generated": {"$.eventName", "$.userIdentity.sessionContext.sessionIssuer.arn", "$.userIdentity", "$.requestParameters.bucketName",
			"$.requestParameters", "$.resources[0].ARN", "$.resources", "$.readOnly", "$.tlsDetails.tlsVersion", "$.eventID", "$.nothing.there", "$"},
		"hostile": {"$", "$.a", "$.requestParameters", "$.requestParameters.a", "$.requestParameters.a.b", `$["requestParameters"]["x y"]`, "$.requestParameters[0]",
			"$.requestParameters[1].a", "$.requestParameters.a[0]", "$.requestParameters.0", `$.requestParameters.AWS:x`, `$["requestParameters"]["q\"z"]`, `$.requestParameters.�`,
			"$.responseElements.c", "$.responseElements.c.a", "$.responseElements.b[2]", "$.a.a.a", "$.eventID", "$.eventName.a", `$.requestParameters.é`, `$.requestParameters[""]`},
	}
	for _, c := range []struct {
		name string
		o    Options
	}{{"memory", Options{}}, {"segments", Options{SegmentRows: 64}}, {"no bitmaps", Options{SegmentRows: 300, NoBitmaps: true}}} {
		for name, records := range sets {
			t.Run(name+", "+c.name, func(t *testing.T) {
				l := openTest(t, vfs.NewMem(), c.o)
				s := storeTest(t, l)
				for part := range slices.Chunk(records, 100) {
					verdicts, err := s.Append(context.Background(), part)
					if err != nil {
						t.Fatal(err)
					}
					for i, v := range verdicts {
						if v.Status == Refused {
							t.Fatalf("%s: %s\n%s", v.Reason, v.Detail, part[i])
						}
					}
				}
				some := 0
				for _, path := range paths[name] {
					p := strings.ReplaceAll(path, "'", "''")
					for _, f := range []string{"json_extract_scalar(%s, '" + p + "')", "json_format(json_extract(%s, '" + p + "'))"} {
						served, told := fmt.Sprintf(f, "eventJson"), fmt.Sprintf(f, "concat(eventJson, '')")
						got := queryTest(t, l, "SELECT "+served+", eventID FROM events ORDER BY eventTime, eventJson")
						want := queryTest(t, l, "SELECT "+told+", eventID FROM events ORDER BY eventTime, eventJson")
						values := map[string]bool{}
						for i := range want {
							if i >= len(got) || got[i] != want[i] {
								t.Fatalf("%s: row %d is %s, should be %s", served, i, got[i], want[i])
							}
							if v, _, _ := strings.Cut(want[i], "|"); v != "NULL" {
								some++
								if len(values) < 4 {
									values[v] = true
								}
							}
						}
						for v := range values {
							v = strings.ReplaceAll(v, "'", "''")
							got := queryTest(t, l, "SELECT count(*) FROM events WHERE "+served+" = '"+v+"'")
							want := queryTest(t, l, "SELECT count(*) FROM events WHERE "+told+" = '"+v+"'")
							if !slices.Equal(got, want) {
								t.Fatalf("%s = '%s': %s rows, should be %s", served, v, got, want)
							}
						}
						for _, is := range []string{" IS NULL", " IS NOT NULL", " LIKE '%x%'"} {
							got := queryTest(t, l, "SELECT count(*) FROM events WHERE "+served+is)
							want := queryTest(t, l, "SELECT count(*) FROM events WHERE "+told+is)
							if !slices.Equal(got, want) {
								t.Fatalf("%s%s: %s rows, should be %s", served, is, got, want)
							}
						}
					}
				}
				for _, part := range []string{"x", "v1", "N3", "0000", "null", "1e5", "\\u00", "é", "bucket", "arn:aws", "a\":", "true", "AccessDenied", "zzzz"} {
					got := queryTest(t, l, "SELECT eventJson FROM events WHERE eventJson LIKE '%"+part+"%' ORDER BY 1")
					want := queryTest(t, l, "SELECT eventJson FROM events WHERE strpos(eventJson, '"+part+"') > 0 ORDER BY 1")
					if !slices.Equal(got, want) {
						t.Fatalf("%q is in %d records, %d were found", part, len(want), len(got))
					}
				}
				if some < 400 {
					t.Errorf("only %d values were compared", some)
				}
			})
		}
	}
}
