package engine

import (
	"context"
	"fmt"
	"math/rand/v2"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/cockroachdb/pebble/v2/vfs"
)

// TestTextSearch compares searches that storage narrows with the same searches on
// values that it cannot see through, in records that spell their texts in every way.
func TestTextSearch(t *testing.T) {
	h := hostile{rand.New(rand.NewPCG(21, 22))}
	var records [][]byte
	for i := range 400 {
		records = append(records, h.event(i))
	}
	const escapes = `{"eventVersion":"1.08","eventTime":"2026-01-02T03:04:05Z","eventSource":"s3.amazonaws.com","eventName":"Put","eventID":"%s-0000-4000-8000-000000000000","requestParameters":%s}`
	for i, p := range []string{`{"name":"token77"}`, `{"name":"\u0074oken77"}`, `{"tok\u0065n77":1}`, `{"deep":{"er":["x","token77"]}}`, `{"token77":null}`,
		`{"a":"token","b":"77"}`, `{"path":"to\/ken77"}`, `{"line":"\ntoken77\b"}`, `"token77"`, `null`, `{"a":"\u0001token77"}`} {
		records = append(records, []byte(fmt.Sprintf(escapes, fmt.Sprintf("%08x", 9000+i), p)))
	}
	for _, c := range []struct {
		name string
		o    Options
	}{{"memory", Options{}}, {"segments", Options{SegmentRows: 64}}, {"no bitmaps", Options{SegmentRows: 300, NoBitmaps: true}}} {
		l := openTest(t, vfs.NewMem(), c.o)
		s := storeTest(t, l)
		for part := range slices.Chunk(records, 137) {
			if _, err := s.Append(context.Background(), part); err != nil {
				t.Fatal(err)
			}
		}
		some := 0
		for _, text := range []string{"token77", "v1", "v2", "1e5", `a":`, "x y", "to/ken77", "é", "null", "true", "u0061", "u0001t", "ntoken77", "12345", `\\`, "token77=", "name=token77", "a=1", `{"a":1}`, "AWS:x", "�x", "77", "[]"} {
			pattern := strings.ReplaceAll(regexp.QuoteMeta(text), "%", "%%")
			small := strings.ToLower(text)
			text = strings.ReplaceAll(text, "'", "''")
			forms := []string{
				"json_format(CAST(%s AS json)) LIKE '%%" + text + "%%'",
				"json_format(CAST(%s AS json)) LIKE '{%%" + text + "_%%'",
				"any_match(map_values(%s), v -> v LIKE '%%" + text + "%%' AND length(v) < 90)",
				"any_match(map_values(%s), v -> v LIKE '%%" + text + "')",
				"any_match(map_keys(%s), k -> k LIKE '" + text + "%%')",
				"any_match(map_values(%s), v -> strpos(v, '" + text + "') > 0)",
				"any_match(map_values(%s), v -> v = '" + text + "')",
				"strpos(json_format(CAST(%s AS json)), '" + text + "') >= 1",
			}
			if c.o.SegmentRows == 64 {
				forms = append(forms,
					"any_match(map_values(%s), v -> lower(v) LIKE '%%"+small+"%%')",
					"any_match(map_values(%s), v -> v ILIKE '%%"+text+"%%' OR lower(v) = '"+small+"')",
					"any_match(map_values(%s), v -> v IN ('"+text+"', 'v1'))",
					"any_match(map_values(%s), v -> regexp_like(v, '("+pattern+"|v2)$'))",
					"any_match(map_values(%s), v -> regexp_like(v, '(?i)"+pattern+"'))",
					"any_match(map_values(%s), v -> starts_with(v, '"+text+"') OR v LIKE '%%_"+text+"')",
					"NOT none_match(map_values(%s), v -> v LIKE '%%"+text+"%%')",
					"none_match(map_values(%s), v -> v LIKE '%%"+text+"%%')",
					"cardinality(filter(map_values(%s), v -> v LIKE '%%"+text+"%%')) > 0",
					"0 <> cardinality(map_filter(%s, (k, v) -> k LIKE '%%"+text+"%%' OR v = '"+text+"'))",
					"contains(map_values(%s), '"+text+"')",
					"contains(map_keys(%s), '"+text+"')",
					"regexp_like(json_format(CAST(%s AS json)), '"+pattern+"')",
					"lower(json_format(CAST(%s AS json))) LIKE '%%"+small+"%%'",
				)
			}
			for _, f := range forms {
				const q = "SELECT eventID FROM events WHERE %s ORDER BY eventJson"
				got := queryTest(t, l, fmt.Sprintf(q, fmt.Sprintf(f, "requestParameters")))
				want := queryTest(t, l, fmt.Sprintf(q, fmt.Sprintf(f, "if(length(eventID) > 0, requestParameters)")))
				if !slices.Equal(got, want) {
					t.Errorf("%s, %s: got %d rows, should be %d:\n%q\n%q", c.name, fmt.Sprintf(f, "requestParameters"), len(got), len(want), got, want)
				}
				some += len(want)
			}
			for _, f := range []string{"%s LIKE '%%" + text + "%%'", "strpos(%s, '" + text + "') > 0", "%s ILIKE '%%" + text + "%%'",
				"regexp_like(%s, '" + pattern + "')", "lower(%s) LIKE '%%" + small + "%%' OR strpos(%[1]s, 'v1') > 0"} {
				const q = "SELECT eventID FROM events WHERE %s ORDER BY eventJson"
				got := queryTest(t, l, fmt.Sprintf(q, fmt.Sprintf(f, "eventJson")))
				want := queryTest(t, l, fmt.Sprintf(q, fmt.Sprintf(f, "concat(eventJson, '')")))
				if !slices.Equal(got, want) {
					t.Errorf("%s, %s: got %d rows, should be %d", c.name, fmt.Sprintf(f, "eventJson"), len(got), len(want))
				}
			}
		}
		if some < 300 {
			t.Errorf("only %d rows were found", some)
		}
		if c.name != "segments" {
			continue
		}
		lines := strings.Join(queryTest(t, l, "EXPLAIN ANALYZE SELECT eventID FROM events WHERE any_match(map_values(requestParameters), v -> v LIKE '%token77%')"), "\n")
		if !strings.Contains(lines, "to storage: requestparameters contains 'token77'") {
			t.Errorf("the plan is\n%s", lines)
		}
	}
}
