package sql_test

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"runtime"
	"runtime/debug"
	"runtime/metrics"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/cairndb/cairn/sql"
	"github.com/cairndb/cairn/sql/sqlerr"
	"github.com/cairndb/cairn/sql/sqltest"
)

// The long form of the test has -death.time=2s; an idle machine passes it with
// -death.grace=100ms.
var (
	deathTime = flag.Duration("death.time", 50*time.Millisecond, "time limit of a query of death")
	// Five minutes say which query hangs. How long a busy machine lets one wait says
	// nothing about the query; deathWork does.
	deathGrace = flag.Duration("death.grace", 5*time.Minute, "how long a query of death may go on after its time limit")
)

// death is a query that could bring a database down.
type death struct {
	name, text string
	// codes are the SQLSTATEs that it may end with, separated by spaces; "ok" for
	// rows.
	codes string
}

const (
	// deathMemory is the memory budget of a query of death.
	deathMemory = 32 << 20
	// deathWork is how much of the processors' time a query of death may take, in
	// which other processes have no part. The costliest, which end with an error of
	// the planner, take half a second.
	deathWork = 6 * time.Second * raceFactor
	// deathHeap is how much the heap may grow under such a query: its budget, the
	// text and the trees made of it, garbage that is not collected yet.
	deathHeap = 512 << 20
)

// limits are the ways in which a query that works on too much may end.
const limits = "ok 53200 57014 54000 54001"

// nested writes open n times, core, and close n times.
func nested(n int, open, core, close string) string {
	return strings.Repeat(open, n) + core + strings.Repeat(close, n)
}

// listed writes n items made by item, with sep between them.
func listed(n int, sep string, item func(i int) string) string {
	var b strings.Builder
	for i := range n {
		if i > 0 {
			b.WriteString(sep)
		}
		b.WriteString(item(i))
	}
	return b.String()
}

// deaths are queries over the tables events, big, nums and empty of the fixture.
func deaths() []death {
	number := func(i int) string { return fmt.Sprint(i) }
	quoted := func(i int) string { return fmt.Sprintf("'unique-%05d'", i) }
	same := func(s string) func(int) string { return func(int) string { return s } }
	relations := func(n int) string { return listed(n, ", ", func(i int) string { return fmt.Sprintf("big t%d", i) }) }
	var doubling strings.Builder
	doubling.WriteString("WITH a0 AS (SELECT 1 x)")
	for i := range 30 {
		fmt.Fprintf(&doubling, ", a%d AS (SELECT * FROM a%d UNION ALL SELECT * FROM a%d)", i+1, i, i)
	}
	var joining strings.Builder
	joining.WriteString("WITH a0 AS (SELECT i FROM big)")
	for i := range 12 {
		fmt.Fprintf(&joining, ", a%d AS (SELECT l.i FROM a%d l JOIN a%d r ON l.i = r.i)", i+1, i, i)
	}
	chain := func(n int, f func(i int) string) string { return listed(n, " ", f) }

	return []death{
		{"cross join of everything", "SELECT count(*) FROM big a, big b, big c, big d", limits},
		{"cross join, sorted", "SELECT * FROM big a, big b ORDER BY a.v * b.v, a.name", limits},
		{"cross join, grouped", "SELECT a.name, b.name, count(*) FROM big a, big b GROUP BY 1, 2", limits},
		{"cross join, distinct", "SELECT DISTINCT a.name || b.name FROM big a, big b", limits},
		{"cross join, one string", "SELECT array_agg(a.name || b.name) FROM big a, big b", limits},
		{"cross join, listagg", "SELECT listagg(a.name, ',') WITHIN GROUP (ORDER BY a.name) FROM big a, big b", limits},
		{"long arrays of every row", "SELECT cardinality(array_agg(repeat('x', 100000))) FROM big, big AS b", limits},
		{"self-join, skewed", "SELECT count(*), max(a.name || b.name || c.name) FROM big a JOIN big b ON a.few = b.few JOIN big c ON b.few = c.few", limits},
		{"full join, never equal", "SELECT count(*) FROM big a FULL JOIN big b ON a.i = b.i AND a.name < b.name FULL JOIN big c ON c.i = a.i", limits},
		{"non-equi join", "SELECT count(*) FROM big a JOIN big b ON a.name LIKE '%' || substr(b.name, 8) || '%'", limits},
		{"64 tables, commas", "SELECT count(*) FROM " + relations(64), limits},
		{"64 tables, chained", "SELECT count(*) FROM " + relations(64) + " WHERE " + listed(63, " AND ", func(i int) string { return fmt.Sprintf("t%d.i = t%d.i", i, i+1) }), limits},
		{"64 tables, a star", "SELECT count(*) FROM " + relations(64) + " WHERE " + listed(63, " AND ", func(i int) string { return fmt.Sprintf("t0.i = t%d.i", i+1) }), limits},
		{"40 tables, all equal to all", "SELECT count(*) FROM " + relations(40) + " WHERE " + listed(39*38/2, " AND ", func(i int) string { return fmt.Sprintf("t%d.i = t%d.i", i%39, i/39+1) }), limits},
		{"2,000 tables", "SELECT count(*) FROM " + relations(2000), "54000 54001"},

		{"10,000 in a list", "SELECT count(*) FROM big WHERE i IN (" + listed(10_000, ",", number) + ")", "ok"},
		{"10,000 texts in a list", "SELECT count(*) FROM big WHERE name IN (" + listed(10_000, ",", quoted) + ")", "ok"},
		{"10,000 not in a list", "SELECT count(*) FROM big WHERE i + 1 NOT IN (" + listed(10_000, ",", number) + ")", "ok"},
		{"99,000 in a list", "SELECT count(*) FROM big WHERE i IN (" + listed(99_000, ",", number) + ")", limits},
		{"100,000 in a list", "SELECT count(*) FROM big WHERE i IN (" + listed(100_001, ",", number) + ")", "54000 54001"},
		{"10,000 expressions in a list", "SELECT count(*) FROM big WHERE i IN (" + listed(10_000, ",", func(i int) string { return fmt.Sprintf("i+%d", i) }) + ")", limits},
		{"10,000 rows in a list", "SELECT count(*) FROM big WHERE (i, name) IN (" + listed(10_000, ",", func(i int) string { return fmt.Sprintf("(%d,'x')", i) }) + ")", limits},
		{"20,000 rows of VALUES", "SELECT max(a) FROM (VALUES " + listed(20_000, ",", func(i int) string { return fmt.Sprintf("(%d,'x')", i) }) + ") t(a, b)", limits},

		{"10,000 AND", "SELECT count(*) FROM big WHERE " + listed(10_000, " AND ", func(i int) string { return fmt.Sprintf("i <> %d", i) }), limits},
		{"10,000 OR", "SELECT count(*) FROM big WHERE " + listed(10_000, " OR ", func(i int) string { return fmt.Sprintf("name = '%d'", i) }), limits},
		{"49,000 AND", "SELECT count(*) FROM big WHERE " + listed(49_000, " AND ", func(i int) string { return fmt.Sprintf("i <> %d", i) }), limits},
		{"49,000 OR", "SELECT count(*) FROM big WHERE " + listed(49_000, " OR ", func(i int) string { return fmt.Sprintf("i = %d", i) }), limits},
		{"EXPLAIN of 49,000 AND", "EXPLAIN SELECT count(*) FROM big WHERE " + listed(49_000, " AND ", func(i int) string { return fmt.Sprintf("i <> %d", i) }), limits},
		{"AND in OR, nested", "SELECT count(*) FROM big WHERE " + nested(95, "(i > 1 AND (i > 2 OR ", "i > 3", "))"), limits},
		{"1,000 NOT", "SELECT count(*) FROM big WHERE " + strings.Repeat("NOT ", 1000) + "i > 1", limits},
		{"100,000 minus", "SELECT " + strings.Repeat("- ", 100_000) + "1", limits},
		{"10,000 OR of AND", "SELECT count(*) FROM big WHERE " + listed(10_000, " OR ", func(i int) string { return fmt.Sprintf("(i = %d AND v > %d)", i, i) }), limits},
		{"10,000 plus", "SELECT sum(" + listed(10_000, "+", same("i")) + ") FROM big", limits},
		{"5,000 plus", "SELECT sum(" + listed(1_900, "+", same("i")) + ") FROM big", limits},
		{"10,000 pipes", "SELECT max(" + listed(10_000, "||", same("name")) + ") FROM big", limits},
		{"1,900 pipes", "SELECT max(length(" + listed(1_900, "||", same("name")) + ")) FROM big", limits},
		{"constant pipes", "SELECT " + listed(4_900, "||", same("'x'")), limits},
		{"power of concat", "SELECT length(" + nested(40, "concat(", "name", ")") + ") FROM big", "ok 42883 42601 " + limits},
		{"replace that doubles", "SELECT length(" + nested(40, "replace(", "name", ", 'u', 'uu')") + ") FROM big", limits},
		{"replace that doubles a constant", "SELECT length(" + nested(60, "replace(", "'x'", ", 'x', 'xx')") + ")", limits},
		{"array that doubles", "SELECT cardinality(" + nested(40, "flatten(repeat(", "ARRAY[1]", ", 2))") + ")", limits},
		{"1,000 parentheses", "SELECT " + nested(1000, "(", "1", ")"), "54001"},
		{"190 parentheses", "SELECT " + nested(190, "(", "1", ")"), "ok"},
		{"1,000 calls", "SELECT " + nested(1000, "abs(", "1", ")"), "54001"},
		{"190 calls", "SELECT max(" + nested(180, "abs(", "i", ")") + ") FROM big", "ok"},
		{"deep CASE", "SELECT max(" + nested(150, "CASE WHEN i > 5 THEN i ELSE ", "i", " END") + ") FROM big", limits},
		{"deep CASE in the condition", "SELECT max(" + nested(150, "CASE WHEN ", "i > 1", " THEN true ELSE false END") + ") FROM big", limits},
		{"wide CASE", "SELECT sum(CASE " + chain(10_000, func(i int) string { return fmt.Sprintf("WHEN i = %d THEN %d", i, i) }) + " END) FROM big", limits},
		{"wide simple CASE", "SELECT sum(CASE i " + chain(10_000, func(i int) string { return fmt.Sprintf("WHEN %d THEN %d", i, i) }) + " END) FROM big", limits},
		{"wide COALESCE", "SELECT count(coalesce(" + listed(10_000, ",", same("nullif(name, name)")) + ")) FROM big", limits},
		{"deep lambdas", "SELECT " + nested(60, "transform(ARRAY[1,2], x -> ", "1", ")"), limits},
		{"lambdas that multiply", "SELECT count(" + nested(8, "transform(sequence(1, 100), x -> ", "1", ")") + ") FROM nums", limits},
		{"lambda over lambda, reduce", "SELECT reduce(sequence(1, 10000), '', (s, x) -> s || cast(x AS varchar) || s, s -> length(s))", limits},
		{"reduce without end", "SELECT reduce(sequence(1, 1000000), 0, (s, x) -> s + reduce(sequence(1, 1000), 0, (a, b) -> a + b, a -> a), s -> s)", limits},

		{"2,000 columns", "SELECT " + listed(2_000, ",", number), "54011 54000"},
		{"1,664 columns", "SELECT " + listed(1_664, ",", func(i int) string { return fmt.Sprintf("i+%d", i) }) + " FROM big", limits},
		{"columns of columns", "SELECT * FROM " + listed(400, " CROSS JOIN ", func(i int) string { return fmt.Sprintf("big b%d", i) }), "54011 54000"},
		{"wide groups", "SELECT name || cast(n AS varchar), count(*) FROM big CROSS JOIN UNNEST(sequence(1, 1000)) u(n) GROUP BY 1", limits},
		{"wide groups of many keys", "SELECT i, n, count(*), array_agg(name), max(name) FROM big CROSS JOIN UNNEST(sequence(1, 1000)) u(n) GROUP BY i, n", limits},
		{"2,000 group keys", "SELECT count(*) FROM big GROUP BY " + listed(2_000, ",", func(i int) string { return fmt.Sprintf("i+%d", i) }), limits},
		{"2,000 aggregates", "SELECT greatest(" + listed(2_000, ",", func(i int) string { return fmt.Sprintf("sum(i+%d)", i) }) + ") FROM big GROUP BY name", limits},
		{"CUBE of ten", "SELECT count(*) FROM big GROUP BY CUBE(" + listed(10, ",", func(i int) string { return fmt.Sprintf("i+%d", i) }) + ")", limits},
		{"CUBE of forty", "SELECT count(*) FROM big GROUP BY CUBE(" + listed(40, ",", func(i int) string { return fmt.Sprintf("i+%d", i) }) + ")", "54000 54001"},
		{"CUBE times CUBE", "SELECT count(*) FROM big GROUP BY " + listed(30, ",", func(i int) string { return fmt.Sprintf("CUBE(i+%d, name)", i) }), "54000 54001"},
		{"GROUPING SETS of sets", "SELECT count(*) FROM big GROUP BY " + nested(100, "GROUPING SETS((i), ", "name", ")"), limits},
		{"2,000 sort keys", "SELECT i FROM big ORDER BY " + listed(2_000, ",", func(i int) string { return fmt.Sprintf("i+%d", i) }), limits},

		{"4,000 UNION ALL", listed(4_000, " UNION ALL ", same("SELECT 1")), limits},
		{"5,000 UNION ALL of tables", listed(5_000, " UNION ALL ", same("SELECT i FROM nums")), limits},
		{"5,000 EXCEPT", listed(5_000, " EXCEPT ", same("SELECT 1")), limits},
		{"nested UNION ALL", nested(1_000, "(SELECT 1 UNION ALL ", "SELECT 1", ")"), limits},
		{"900 UNION ALL of tables", listed(900, " UNION ALL ", same("SELECT i FROM big")), limits},
		{"900 UNION", listed(900, " UNION ", same("SELECT i FROM big")), limits},
		{"900 INTERSECT", listed(900, " INTERSECT ", same("SELECT i FROM nums")), limits},
		{"20,000 UNION ALL", listed(20_000, " UNION ALL ", same("SELECT 1")), "54001 54000"},
		{"doubling WITH", doubling.String() + " SELECT count(*) FROM a30", limits},
		{"doubling WITH, joined", joining.String() + " SELECT count(*) FROM a12", limits},
		{"WITH in WITH", "SELECT * FROM " + nested(60, "(WITH a AS (SELECT * FROM ", "nums", ") SELECT l.* FROM a l, a r) t"), limits},
		{"5,000 WITH items", "WITH " + listed(5_000, ",", func(i int) string { return fmt.Sprintf("a%d AS (SELECT 1 x)", i) }) + " SELECT 1", limits},
		{"WITH items in a chain", "WITH a0 AS (SELECT i FROM big)" + chain(900, func(i int) string { return fmt.Sprintf(", a%d AS (SELECT i + 1 AS i FROM a%d)", i+1, i) }) + " SELECT max(i) FROM a900", limits},
		{"recursion without end", "WITH RECURSIVE t(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM t) SELECT count(*) FROM t", limits},
		{"recursion that doubles", "WITH RECURSIVE t(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM t CROSS JOIN (VALUES 1, 2)) SELECT count(*) FROM t", limits},
		{"recursion that grows texts", "WITH RECURSIVE t(s) AS (SELECT 'x' UNION ALL SELECT s || s FROM t) SELECT max(length(s)) FROM t", limits},
		{"recursion that joins", "WITH RECURSIVE t(n) AS (SELECT i FROM big UNION ALL SELECT a.n + b.i FROM t a CROSS JOIN big b) SELECT count(*) FROM t", limits},
		{"recursion in recursion", "WITH RECURSIVE t(n) AS (SELECT 1 UNION ALL SELECT n + (WITH RECURSIVE u(m) AS (SELECT 1 UNION ALL SELECT m + 1 FROM u WHERE m < 5000) SELECT max(m) FROM u) FROM t) SELECT count(*) FROM t", limits},

		{"sub-queries five deep", "SELECT count(*) FROM big a WHERE i > (SELECT avg(i) FROM big b WHERE b.v < a.v AND i > (SELECT avg(i) FROM big c WHERE c.v < b.v AND c.v > a.v AND i > (SELECT avg(i) FROM big d WHERE d.v < c.v AND d.v > a.v AND i > (SELECT avg(i) FROM big e WHERE e.v < d.v AND e.v > a.v))))", limits},
		{"sub-queries 60 deep", "SELECT " + nested(60, "(SELECT max(i) FROM big WHERE i > ", "0", ")"), limits},
		{"NOT IN over a cross join", "SELECT count(*) FROM big WHERE name NOT IN (SELECT a.name || b.name FROM big a, big b)", limits},
		{"EXISTS per row", "SELECT count(*) FROM big a WHERE NOT EXISTS (SELECT 1 FROM big b WHERE b.v * a.v < -1)", limits},
		{"1,000 sub-queries", "SELECT " + listed(900, "+", func(i int) string { return fmt.Sprintf("(SELECT max(i) FROM big WHERE i <> %d)", i) }), limits},
		{"lateral without end", "SELECT count(*) FROM big a, LATERAL (SELECT b.i + a.i AS x FROM big b) t, LATERAL (SELECT c.i + t.x AS y FROM big c) u", limits},
		{"derived 100 deep", "SELECT * FROM " + nested(90, "(SELECT i + 1 AS i FROM ", "big", ") t"), limits},

		{"regular expressions, nested", `SELECT count(*) FROM big WHERE regexp_like(rpad(name, 12000, name), '(a+)+(b+)+(c*)*(x+x+)+y')`, limits},
		{"regular expressions, repeated", `SELECT count(*) FROM big WHERE regexp_like(name, '((((a{1,100}){1,100}){1,100}){1,100}){1,100}')`, limits + " 2201B"},
		{"regular expressions, look-ahead", `SELECT count(*) FROM big WHERE regexp_like(rpad('', 5000, 'a') || name, '^(?=(a+)+$)(a|aa)+$')`, limits + " 2201B"},
		{"regular expressions, back reference", `SELECT count(*) FROM big WHERE regexp_like(rpad('', 5000, 'a') || name, '^(a+)+\1(a|aa)+$')`, limits + " 2201B"},
		{"regular expressions, possessive", `SELECT count(*) FROM big WHERE regexp_like(rpad('', 5000, 'a') || name, '^(?>a+|b)+(a|aa)+$')`, limits + " 2201B"},
		{"regular expressions, one long text", `SELECT regexp_replace(rpad('', 10000000, 'ab'), '(a|b)*?(b|a)*?c')`, limits},
		{"regular expressions, all matches", `SELECT regexp_extract_all(rpad('', 10000000, 'ab'), '.')`, limits},
		{"regular expressions, replaced", `SELECT length(regexp_replace(rpad('', 1000000, 'a'), '', rpad('', 1000, 'x')))`, limits},
		{"regular expressions, a long pattern", `SELECT count(*) FROM big WHERE regexp_like(name, '` + listed(50_000, "|", func(i int) string { return fmt.Sprintf("unique-%d", i) }) + `')`, limits + " 2201B"},
		{"regular expressions, one per row", `SELECT count(*) FROM big a, big b WHERE regexp_like(a.name, b.name || '(x|y)*')`, limits},
		{"regular expressions, parentheses", `SELECT regexp_like('x', '` + nested(1000, "(", "x", ")") + `')`, limits + " 2201B"},
		{"regular expressions, parentheses by look-ahead", `SELECT regexp_like('x', '` + nested(100_000, "(?=", "x", ")") + `')`, "54000 2201B"},
		{"LIKE, many wildcards", "SELECT count(*) FROM big WHERE rpad(name, 12000, name) LIKE '" + strings.Repeat("%u_i", 200) + "%z'", limits},
		{"LIKE, a million wildcards", "SELECT count(*) FROM big WHERE rpad(name, 1200, name) LIKE '" + strings.Repeat("%_", 250_000) + "'", limits},
		{"LIKE, made of rows", "SELECT count(*) FROM big a, big b WHERE a.name LIKE '%' || rpad('', 600, b.name || '%')", limits},

		{"deep JSON", "SELECT json_parse('" + nested(100_000, "[", "", "]") + "')", limits + " 22032 22023 22018"},
		{"deep JSON made by a function", "SELECT json_format(json_parse(rpad('', 1000000, '[') || rpad('', 1000000, ']')))", limits + " 22032 22023 22018"},
		{"deep JSON objects", `SELECT json_extract_scalar(rpad('', 5000000, '{"a":'), '$.a.a.a')`, limits + " 22032 22023"},
		{"deep JSON, searched", `SELECT json_query(rpad('', 500000, '{"a":') || '1' || rpad('', 100000, '}'), 'lax $..a')`, limits + " 22032 22023"},
		{"deep JSON, compared", "SELECT CAST(rpad('', 100000, '[') || rpad('', 100000, ']') AS json) = JSON '[]'", limits + " 22032 22023 22018"},
		{"deep JSON, canonical", "SELECT length(json_format(json_parse(rpad('', 900, '[') || rpad('1', 8000001, ',1') || rpad('', 900, ']'))))", limits},
		{"deep row types", "SELECT CAST(NULL AS " + nested(1_000, "row(a ", "bigint", ")") + ")", limits + " 42704"},
		{"deep array types", "SELECT CAST(NULL AS " + nested(10_000, "array(", "bigint", ")") + ")", limits + " 42704"},
		{"deep map types", "SELECT CAST(MAP() AS " + nested(1_000, "map(bigint, ", "bigint", ")") + ")", limits + " 42704 42846"},
		{"deep JSON path", `SELECT json_extract('{}', '$` + strings.Repeat(".a", 100_000) + `')`, limits + " 22023"},
		{"deep JSON path of filters", `SELECT json_query('[]', 'lax ` + nested(10_000, "$[*] ? (", "@ == 1", ")") + `')`, limits + " 22023 2203F"},
		{"deep JSON, cast", "SELECT CAST(json_parse(rpad('', 5000, '[') || rpad('', 5000, ']')) AS " + nested(100, "array(", "varchar", ")") + ")", limits + " 22023 22018 22032"},
		{"JSON that multiplies", `SELECT json_array_length(json_query('[1,2,3]', 'lax ` + nested(30, "(", "$[0 to 1000, 0 to 1000]", "[0,0,0,0,0,0,0,0,0,0])") + `' WITH ARRAY WRAPPER))`, limits + " 22023 2203F"},
		{"JSON of everything", "SELECT CAST(array_agg(CAST(ROW(a.name, b.name) AS json)) AS json) FROM big a, big b", limits},
		{"JSON, a huge number", "SELECT json_parse('1" + strings.Repeat("0", 500_000) + "')", limits + " 22032 22023"},

		{"giant array", "SELECT cardinality(ARRAY[" + listed(90_000, ",", number) + "])", limits},
		{"giant array of expressions", "SELECT sum(cardinality(ARRAY[" + listed(5_000, ",", func(i int) string { return fmt.Sprintf("i+%d", i) }) + "])) FROM big", limits},
		{"giant map", "SELECT cardinality(MAP(ARRAY[" + listed(40_000, ",", number) + "], ARRAY[" + listed(40_000, ",", number) + "]))", limits},
		{"giant row", "SELECT ROW(" + listed(20_000, ",", number) + ")", limits + " 54011"},
		{"nested rows", "SELECT " + nested(90, "ROW(ROW(1), ", "1", ")"), limits},
		{"doubling rows", "WITH a0 AS (SELECT ROW(1, 1) x)" + chain(40, func(i int) string { return fmt.Sprintf(", a%d AS (SELECT ROW(x, x) x FROM a%d)", i+1, i) }) + " SELECT x FROM a40", limits},
		{"arrays in arrays", "SELECT " + nested(190, "ARRAY[", "1", "]"), limits},
		{"a sequence of a billion", "SELECT sum(n) FROM UNNEST(sequence(1, 1000000000)) t(n)", limits + " 22023"},
		{"a sequence per row", "SELECT cardinality(sequence(1, 10000)) FROM big", limits},
		{"a sequence of arrays", "SELECT count(*) FROM UNNEST(transform(sequence(1, 10000), x -> sequence(1, 10000))) t(a) CROSS JOIN UNNEST(a) u(b)", limits},
		{"cross join of UNNEST", "SELECT count(*) FROM UNNEST(sequence(1, 10000)) a(x), UNNEST(sequence(1, 10000)) b(y), UNNEST(sequence(1, 10000)) c(z)", limits},
		{"array set operations", "SELECT cardinality(array_union(transform(sequence(1, 10000), x -> x * 7), sequence(1, 10000))) FROM big", limits},
		{"arrays, sorted by lambda", "SELECT array_sort(sequence(1, 10000), (a, b) -> CASE WHEN a % 7 < b % 7 THEN 1 WHEN a % 7 > b % 7 THEN -1 ELSE 0 END) FROM big", limits},
		{"combinations", "SELECT combinations(sequence(1, 10000), 5)", limits + " 22023"},
		{"ngrams", "SELECT ngrams(sequence(1, 10000), 5000)", limits + " 22023"},
		{"distance of texts", "SELECT levenshtein_distance(rpad('', 1000000, 'ab'), rpad('', 1000000, 'ba'))", limits + " 22023"},
		{"repeat", "SELECT repeat('x', 1000000000)", limits + " 22023"},
		{"repeat of repeat", "SELECT length(rpad(name, 10000000, name)) FROM big", limits + " 22023"},
		{"pad", "SELECT lpad('x', 2000000000, 'ab')", limits + " 22023"},
		{"split", "SELECT cardinality(split(rpad('', 10000000, 'a,'), ','))", limits},
		{"split to a map", "SELECT cardinality(split_to_map(rpad('', 4000000, 'a=b,'), ',', '='))", limits + " 22023"},
		{"format", "SELECT format('%1000000000d', 1)", limits + " 22023"},
		{"format of width from text", "SELECT format('%s%.2000000000f', name, v) FROM big", limits + " 22023"},
		{"numbers of many digits", "SELECT CAST(rpad('', 1000000, '9') AS double), CAST('1e999999999' AS double)", limits + " 22003 22018 22023"},
		{"big powers", "SELECT power(10, 1000), factorial(1000000)", limits + " 22003 42883"},
		{"long base conversion", "SELECT to_base(9223372036854775807, 2), from_base(rpad('', 1000000, '1'), 2)", limits + " 22023 22003 22P02"},
		{"hash of much", "SELECT sha512(to_utf8(rpad('', 8000000, 'x')))", limits},

		{"window, one partition", "SELECT sum(v) OVER (ORDER BY name), array_agg(name) OVER (ORDER BY name), rank() OVER (ORDER BY few) FROM big", limits},
		{"window, array_agg of everything", "SELECT cardinality(array_agg(a.name) OVER ()) FROM big a, big b", limits},
		{"window, distinct counts", "SELECT count(DISTINCT name) OVER (ORDER BY i ROWS BETWEEN 5000 PRECEDING AND 5000 FOLLOWING) FROM big", limits + " 0A000"},
		{"window, frames of medians", "SELECT approx_percentile(v, 0.5) OVER (ORDER BY i ROWS BETWEEN 5000 PRECEDING AND 5000 FOLLOWING) FROM big", limits},
		{"window, listagg of frames", "SELECT max(length(listagg(name, ',') WITHIN GROUP (ORDER BY i))) OVER () FROM big GROUP BY i", limits},
		{"500 windows", "SELECT " + listed(500, ",", func(i int) string { return fmt.Sprintf("sum(i) OVER (ORDER BY i + %d)", i) }) + " FROM big", limits},
		{"offset beyond", "SELECT * FROM big a, big b OFFSET 9223372036854775807", limits},
		{"limit of everything", "SELECT a.name FROM big a, big b ORDER BY 1 LIMIT 9223372036854775807", limits},
		{"approx of everything", "SELECT approx_distinct(a.name || b.name), approx_percentile(a.i * b.i, 0.5), approx_most_frequent(1000000, a.i * b.i, 1000000) FROM big a, big b", limits + " 22023"},
		{"map of everything", "SELECT map_agg(a.name || b.name, 1), histogram(a.i * b.i), multimap_agg(a.i, b.i) FROM big a, big b", limits},
		{"best of everything", "SELECT max_by(a.name, a.i * b.i, 2000000000), max(a.i, 1000000000) FROM big a, big b", limits + " 22023"},
		{"numeric histogram", "SELECT numeric_histogram(1000000000, a.v) FROM big a", limits + " 22023"},

		{"text of maximal length", "SELECT '" + strings.Repeat("x", 1<<20-9) + "'", "ok"},
		{"text beyond", "SELECT '" + strings.Repeat("x", 1<<20) + "'", "54000 54001"},
		{"a name of a megabyte", `SELECT "` + strings.Repeat("x", 1<<20-100) + `" FROM big`, "42703"},
		{"nothing but spaces", strings.Repeat(" ", 1<<20-10), "42601"},
		{"nothing but commas", "SELECT " + strings.Repeat(",", 1<<20-10), "42601 54001"},
		{"nothing but quotes", strings.Repeat("'", 1<<20-11), "42601 54001"},
		{"EXPLAIN of much", "EXPLAIN SELECT " + listed(1_600, ",", func(i int) string { return "(" + listed(30, "+", same("i")) + ")" }) + " FROM big", limits},
		{"EXPLAIN of AND", "EXPLAIN SELECT count(*) FROM big WHERE " + listed(10_000, " AND ", func(i int) string { return fmt.Sprintf("i <> %d", i) }), limits},
		{"EXPLAIN ANALYZE", "EXPLAIN ANALYZE SELECT count(*) FROM big a, big b, big c", limits},
		{"DESCRIBE by many dots", "SELECT " + listed(50, ".", same("events")) + " FROM events", "42703 42P01 42601"},
	}
}

// peak tells how far the heap grows while something runs.
type peak struct {
	stop chan struct{}
	most chan uint64
}

func heapNow() uint64 {
	s := []metrics.Sample{{Name: "/memory/classes/heap/objects:bytes"}}
	metrics.Read(s)
	return s[0].Value.Uint64()
}

func watchHeap() peak {
	p := peak{make(chan struct{}), make(chan uint64, 1)}
	base := heapNow()
	go func() {
		tick := time.NewTicker(2 * time.Millisecond)
		defer tick.Stop()
		most := base
		for {
			select {
			case <-tick.C:
				most = max(most, heapNow())
			case <-p.stop:
				p.most <- max(most, heapNow()) - base
				return
			}
		}
	}()
	return p
}

func (p peak) end() uint64 {
	close(p.stop)
	return <-p.most
}

// drain reads a query to its end without keeping it.
func drain(rows *sql.Rows, err error) error {
	if err != nil {
		return err
	}
	defer rows.Close()
	for {
		if _, err := rows.Next(); err != nil {
			if isEnd(err) {
				return nil
			}
			return err
		}
	}
}

// settled waits until no more goroutines run than before.
func settled(before int) bool {
	for start := time.Now(); time.Since(start) < time.Minute; time.Sleep(5 * time.Millisecond) {
		if runtime.NumGoroutine() <= before {
			return true
		}
	}
	return false
}

// isEnd reports whether an error is the end of the rows.
func isEnd(err error) bool { return errors.Is(err, io.EOF) }

// Whatever is asked, the answer is rows or a clear error, in the time and memory
// that a query has, and nothing of the query is left behind.
func TestQueriesOfDeath(t *testing.T) {
	// A run-away recursion must fail this test, not eat the machine.
	defer debug.SetMaxStack(debug.SetMaxStack(128 << 20))
	defer debug.SetGCPercent(debug.SetGCPercent(50))
	cat := fixture().With(sqltest.Layout{UnitRows: 4096})
	for _, d := range deaths() {
		t.Run(d.name, func(t *testing.T) {
			limit := *deathTime
			if d.codes == "ok" {
				limit = *deathGrace
			}
			runtime.GC()
			before := runtime.NumGoroutine()
			heap := watchHeap()
			start, work := time.Now(), processTime(t)
			ctx, cancel := context.WithTimeout(context.Background(), limit)
			defer cancel()
			err := drain(sql.Query(ctx, cat, d.text, nil, sql.Options{Memory: deathMemory, Workers: 2, Now: now}))
			took, grown := time.Since(start), heap.end()
			work = processTime(t) - work
			t.Logf("%v, %v of the processors, %d MiB, %.300v", took.Round(time.Millisecond), work.Round(time.Millisecond), grown>>20, err)
			code := "ok"
			if err != nil {
				code = codeOf(err)
			}
			if code == sqlerr.QueryCanceled && d.codes != "ok" {
				code = "" // time is a budget like others
			}
			if code != "" && !slices.Contains(strings.Fields(d.codes), code) {
				t.Errorf("%.200s\nends with %s: %.1000v", d.text, code, err)
			}
			if took > limit+*deathGrace {
				t.Errorf("%.200s\ntook %v", d.text, took)
			}
			if work > limit*2+deathWork {
				t.Errorf("%.200s\ntook %v of the processors", d.text, work)
			}
			if grown > deathHeap {
				t.Errorf("%.200s\nlet the heap grow by %d MiB", d.text, grown>>20)
			}
			if !settled(before) {
				t.Errorf("%.200s\nleft goroutines behind: %d, before %d", d.text, runtime.NumGoroutine(), before)
			}
		})
	}
}
