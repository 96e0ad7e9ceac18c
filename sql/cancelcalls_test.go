package sql_test

import (
	"context"
	"flag"
	"fmt"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/cairndb/cairn/segment/column"
	"github.com/cairndb/cairn/sql"
	"github.com/cairndb/cairn/sql/sqlerr"
	"github.com/cairndb/cairn/sql/sqltest"
)

// largeText is as long as a text can be.
const largeText = 16 << 20

// largeTable has one row of values as large as values can be.
var largeTable = sync.OnceValue(func() *sqltest.Table {
	one := func(s string) *column.Vector { return text(s) }
	fill := func(s string) *column.Vector { return one(strings.Repeat(s, largeText/len(s))) }
	const elements = 1 << 20
	numbers := column.New(column.ArrayOf(column.BigIntType), 1)
	items := column.New(column.BigIntType, elements)
	for i := range elements {
		items.I64[i] = int64(i*7919) % elements
	}
	numbers.Children, numbers.Offsets[1] = []*column.Vector{items}, elements
	words := column.New(column.ArrayOf(column.VarcharType), 1)
	names := column.New(column.VarcharType, elements)
	for i := range elements {
		names.Str[i] = fmt.Sprintf("unique-%07d", i*7919%elements)
	}
	words.Children, words.Offsets[1] = []*column.Vector{names}, elements
	attrs := column.New(column.MapOf(column.VarcharType, column.VarcharType), 1)
	keys := column.New(column.VarcharType, elements)
	for i := range elements {
		keys.Str[i] = fmt.Sprintf("key-%07d", i)
	}
	attrs.Children, attrs.Offsets[1] = []*column.Vector{keys, names}, elements
	zero := column.New(column.BigIntType, 1)
	return tableOf("large", []string{"ab", "spaced", "upper", "wide", "list", "object", "deep", "hex", "b64", "pct", "digits", "numbers", "words", "attrs", "zero"},
		fill("ab"), fill("a b, c"), fill("ÄB"), fill("äß€"),
		one("["+strings.Repeat("1,", largeText/2-2)+"1]"),
		one(`{"a":[`+strings.Repeat(`{"b":"x","c":[1,2]},`, largeText/20-2)+`0],"z":1}`),
		one(strings.Repeat("[", 900)+strings.Repeat("[1],", largeText/4-1000)+"1"+strings.Repeat("]", 900)),
		fill("0f"), fill("YWJj"), fill("%41"), fill("9"), numbers, words, attrs, zero)
})

// largeCalls are single calls on the values of largeTable. That a table has the
// values keeps the planner from calling.
var largeCalls = []string{
	"upper(ab)", "lower(upper)", "reverse(wide)", "length(wide)", "ltrim(rpad('', 16000000, ' '))", "trim(ab)", "normalize(wide, NFKD)", "normalize(ab)",
	"replace(ab, 'a')", "replace(ab, 'a', 'x')", "translate(ab, 'ab', 'xy')", "strpos(ab, 'aa')", "strpos(ab, 'b', -8000000)", "position('bb' IN ab)",
	"split(ab, 'a', 1000000)", "split_part(ab, 'a', 8000000)", "substr(wide, 100, 5000000)", "substr(wide, -5000000)", "lpad(wide, 4000000, wide)",
	"concat(ab, '')", "ab || ''", "concat_ws(',', words)", "chr(65 + CAST(zero AS integer))", "codepoint(substr(wide, 1, 1))", "levenshtein_distance(substr(ab, 1, 9999), substr(wide, 1, 9999))",
	"hamming_distance(ab, ab)", "soundex(ab)", "luhn_check(digits)", "word_stem(ab)", "starts_with(ab, ab)", "ends_with(ab, ab)", "ab = ab || ''", "ab < 'ab' || ab", "to_utf8(ab)", "from_utf8(to_utf8(wide))",
	"split_to_map(spaced, 'x', 'y')", "split_to_multimap(spaced, ',', ' ')", "ab LIKE '%aa%'", "ab LIKE '%a_b%b_a%c'", "upper ILIKE '%äbx%'",
	"regexp_like(ab, 'c$')", "regexp_replace(ab, 'a', 'x')", "regexp_extract_all(ab, 'ab?')", "regexp_extract(ab, '(?=x)y')", "regexp_count(ab, 'a')", "regexp_count(ab, 'a(?=b)')", "regexp_split(ab, 'a')", "regexp_position(ab, 'c')", "regexp_replace(ab, '(a)', x -> upper(x[1]))", "regexp_like(ab, '(a|b)*c')", "regexp_like(ab, '^(ab)*\\1c')",
	"json_parse(list)", "json_parse(object)", "json_parse(deep)", "json_format(json_parse(object))", "json_extract(object, '$.z')", "json_extract(object, '$.a')", "json_extract_scalar(object, '$.a[700000].b')", "json_array_length(list)", "json_array_get(list, 8000000)", "json_array_contains(list, 2)", "json_size(object, '$.a')", "is_json_scalar(object)",
	"CAST(json_parse(list) AS array(bigint))", "CAST(json_parse(list) AS array(json))", "CAST(numbers AS json)", "CAST(words AS json)", "CAST(attrs AS json)", "json_exists(object, 'lax $.a[*] ? (@.b == \"y\")')", "json_query(object, 'lax $.a[*].c[*]' WITH ARRAY WRAPPER)", "json_value(object, 'lax $.z')", "json_query(deep, 'lax $..b')", "object IS NULL OR json_parse(object) = json_parse(object || ' ')", "json_object('a': object)", "json_array(list, list)",
	"CAST(json_parse(object) AS map(varchar, json))", "CAST(ab AS json)", "json_format(CAST(ab AS json))",
	"to_hex(to_utf8(ab))", "from_hex(hex)", "to_base64(to_utf8(ab))", "from_base64(b64)", "to_base64url(to_utf8(ab))", "from_base64url(b64)", "to_base32(to_utf8(substr(ab, 1, 9000000)))", "from_base32(to_base32(to_utf8(substr(ab, 1, 9000000))))", "md5(to_utf8(ab))", "sha1(to_utf8(ab))", "sha256(to_utf8(ab))", "sha512(to_utf8(ab))", "hmac_sha256(to_utf8(ab), to_utf8('k'))", "hmac_md5(to_utf8(ab), to_utf8(ab))", "crc32(to_utf8(ab))", "xxhash64(to_utf8(ab))", "murmur3(to_utf8(ab))",
	"url_encode(wide)", "url_decode(pct)", "url_extract_host('http://' || ab)", "url_extract_parameter('http://a/?' || ab, 'x')", "url_extract_path('http://a/' || ab)", "url_extract_query(pct)",
	"CAST(digits AS double)", "CAST(digits AS bigint)", "TRY_CAST(digits AS decimal(18,2))", "TRY_CAST(rpad('0', 16000000, '0') AS bigint)", "TRY_CAST(rpad('0', 16000000, '0') AS decimal(18,2))", "TRY(from_base(digits, 10))", "TRY_CAST(ab AS timestamp)", "TRY_CAST(digits AS date)", "TRY_CAST(ab AS uuid)", "TRY_CAST(ab AS ipaddress)", "TRY(date_parse(ab, '%Y'))", "TRY(parse_datetime(ab, 'yyyy'))", "TRY(parse_duration(digits))", "TRY(date_format(now(), rpad('', 8000000, '%Y')))", "TRY(format_datetime(now(), rpad('', 8000000, 'yyyy')))", "TRY(date_parse(rpad('', 8000000, '2020'), rpad('', 4000000, '%Y')))",
	"format('%s %s', ab, '')", "format('%,d %s', 1 + zero, digits)", "TRY(format(ab || '%s', 'x'))", "typeof(ab)", "CAST(ab AS varchar(10))", "CAST(to_utf8(ab) AS varchar)", "TRY(from_iso8601_timestamp(digits))", "TRY(from_iso8601_date(ab))", "TRY_CAST(ab AS boolean)", "TRY_CAST(ab AS interval day to second)",
	"array_distinct(numbers)", "array_distinct(words)", "array_except(numbers, slice(numbers, 1, 500000))", "array_intersect(words, slice(words, 1, 500000))", "array_join(words, ',')", "array_join(numbers, ',', 'x')", "array_max(words)", "array_min(numbers)", "array_position(words, 'x')", "array_remove(words, 'x')", "array_sort(numbers)", "array_sort(words)", "array_sort(words, (a, b) -> CASE WHEN a < b THEN 1 WHEN a > b THEN -1 ELSE 0 END)", "array_union(words, words)", "arrays_overlap(words, ARRAY['x'])", "cardinality(combinations(slice(numbers, 1, 80), 3))", "combinations(slice(numbers, 1, 30), 5)", "contains(words, 'x')", "contains_sequence(numbers, slice(numbers, 1000, 500000))", "contains_sequence(repeat(1 + zero, 1000000), repeat(1 + zero, 400000) || ARRAY[2])", "element_at(words, -1)", "flatten(ARRAY[words, slice(words, 1, 2)])", "ngrams(slice(words, 1, 100000), 10)", "ngrams(numbers, 1)", "repeat(ab, 100)", "repeat(zero, 1000000)", "sequence(zero, 1000000)", "sequence(date '2020-01-01', date '2020-01-01' + interval '9000' day)", "shuffle(words)", "slice(words, 100, 900000)", "trim_array(words, 3)", "zip(words, numbers)", "reverse(words)", "words || 'x'", "words = reverse(words)", "words < words", "words = slice(words, 1, 1048576)", "CAST(words AS varchar)", "CAST(numbers AS array(varchar))", "CAST(words AS array(varchar(3)))", "TRY_CAST(words AS array(bigint))",
	"MAP(words, numbers)", "map_concat(attrs, attrs)", "map_entries(attrs)", "map_from_entries(map_entries(attrs))", "map_keys(attrs)", "map_values(attrs)", "multimap_from_entries(zip(words, numbers))", "element_at(attrs, 'key-x')", "attrs['key-0000001']", "map_filter(attrs, (k, v) -> v > k)", "map_zip_with(attrs, attrs, (k, a, b) -> a || b)", "transform_keys(attrs, (k, v) -> k || 'x')", "transform_values(attrs, (k, v) -> v || 'x')", "attrs = map_filter(attrs, (k, v) -> true)",
	"all_match(words, x -> x > 'a')", "any_match(words, x -> x = 'a')", "none_match(words, x -> regexp_like(x, 'abc'))", "filter(words, x -> x LIKE '%17%')", "transform(words, x -> upper(x))", "transform(numbers, x -> x * 2)", "reduce(numbers, 0, (s, x) -> s + x, s -> s)", "zip_with(words, words, (a, b) -> a || b)", "transform(numbers, x -> transform(sequence(1, 3), y -> x + y))", "reduce(words, '', (s, x) -> CASE WHEN x > s THEN x ELSE s END, s -> s)",
	"ab IN (wide, spaced)", "greatest(ab, wide, spaced)", "nullif(ab, ab || '')", "ab IS DISTINCT FROM ab || ''", "coalesce(nullif(words, words), words)", "ROW(ab, words) = ROW(ab, words)", "words IN (reverse(words))",
}

// largeOver are whole statements that work in one go on large values.
var largeOver = []string{
	"SELECT count(*) FROM large, UNNEST(words) t(w)",
	"SELECT w, count(*) FROM large, UNNEST(words) t(w) GROUP BY w",
	"SELECT array_agg(w ORDER BY w DESC) FROM large, UNNEST(words) t(w)",
	"SELECT listagg(w, ',') WITHIN GROUP (ORDER BY w) FROM large, UNNEST(words) t(w)",
	"SELECT histogram(w) FROM large, UNNEST(words) t(w)",
	"SELECT map_agg(w, n) FROM large, UNNEST(words, numbers) t(w, n)",
	"SELECT multimap_agg(n % 1000, w) FROM large, UNNEST(words, numbers) t(w, n)",
	"SELECT count(DISTINCT w), approx_distinct(w), max_by(w, n, 1000) FROM large, UNNEST(words, numbers) t(w, n)",
	"SELECT approx_percentile(n, 0.5), approx_percentile(n, ARRAY[0.1, 0.9]), numeric_histogram(100, n) FROM large, UNNEST(numbers) t(n)",
	"SELECT approx_most_frequent(1000, w, 10000) FROM large, UNNEST(words) t(w)",
	"SELECT w FROM large, UNNEST(words) t(w) ORDER BY w",
	"SELECT w FROM large, UNNEST(words) t(w) ORDER BY w LIMIT 5000",
	"SELECT w, n FROM large, UNNEST(words, numbers) t(w, n) ORDER BY n % 7, w DESC",
	"SELECT DISTINCT w FROM large, UNNEST(words) t(w)",
	"SELECT w, row_number() OVER (ORDER BY w), sum(n) OVER (ORDER BY w ROWS BETWEEN 100 PRECEDING AND CURRENT ROW) FROM large, UNNEST(words, numbers) t(w, n)",
	"SELECT lead(w, 3) OVER (PARTITION BY n % 3 ORDER BY w), ntile(10) OVER (ORDER BY n), percent_rank() OVER (ORDER BY n) FROM large, UNNEST(words, numbers) t(w, n)",
	"SELECT max(w) OVER (ORDER BY n RANGE BETWEEN 10 PRECEDING AND 1000 FOLLOWING) FROM large, UNNEST(words, numbers) t(w, n)",
	"SELECT array_agg(n) OVER (ORDER BY n ROWS BETWEEN 20 PRECEDING AND CURRENT ROW) FROM large, UNNEST(numbers) t(n)",
	"SELECT count(*) FROM (SELECT w FROM large, UNNEST(words) t(w)) a JOIN (SELECT w FROM large, UNNEST(words) t(w)) b ON a.w = b.w",
	"SELECT count(*) FROM (SELECT n FROM large, UNNEST(numbers) t(n)) a LEFT JOIN (SELECT n FROM large, UNNEST(numbers) t(n)) b ON a.n = b.n AND a.n % 3 = 1",
	"SELECT count(*) FROM (SELECT n FROM large, UNNEST(numbers) t(n)) a FULL JOIN (SELECT n FROM large, UNNEST(numbers) t(n)) b ON a.n = b.n + 5",
	"SELECT count(*) FROM (SELECT n FROM large, UNNEST(numbers) t(n)) a JOIN (SELECT n FROM large, UNNEST(numbers) t(n)) b ON a.n % 2 = b.n % 2",
	"SELECT count(*) FROM large, UNNEST(words) t(w) WHERE w NOT IN (SELECT w || 'x' FROM large, UNNEST(words) u(w))",
	"SELECT count(*) FROM large, UNNEST(numbers) t(n) WHERE EXISTS (SELECT 1 FROM large, UNNEST(numbers) u(m) WHERE m = n + 1)",
	"SELECT count(*) FROM large, UNNEST(numbers) t(n) WHERE n = (SELECT max(m) FROM large, UNNEST(numbers) u(m) WHERE m = n)",
	"SELECT w FROM large, UNNEST(words) t(w) EXCEPT SELECT w || 'x' FROM large, UNNEST(words) t(w)",
	"SELECT w FROM large, UNNEST(words) t(w) INTERSECT ALL SELECT w FROM large, UNNEST(words) t(w)",
	"SELECT n % 10, n % 100, count(*) FROM large, UNNEST(numbers) t(n) GROUP BY CUBE (1, 2)",
	"WITH RECURSIVE r(n) AS (SELECT n FROM large, UNNEST(numbers) t(n) UNION SELECT n + 1 FROM r WHERE n < 500000) SELECT count(*) FROM r",
	"WITH RECURSIVE r(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM r WHERE n < 10000) SELECT sum(n) FROM r",
	"SELECT * FROM (SELECT n, row_number() OVER (PARTITION BY n % 1000 ORDER BY w) k FROM large, UNNEST(words, numbers) t(w, n)) WHERE k < 3",
	"SELECT DISTINCT ON (n % 1000) n, w FROM large, UNNEST(words, numbers) t(w, n) ORDER BY n % 1000, w",
	"SELECT reduce_agg(n, 0, (s, x) -> s + x, (s, t) -> s + t) FROM large, UNNEST(numbers) t(n)",
	"SELECT k, v FROM large, UNNEST(attrs) t(k, v)",
	"SELECT checksum(words), checksum(attrs), approx_distinct(ab), count(DISTINCT words), arbitrary(words), max(words), min_by(attrs, ab), histogram(ab) FROM large",
	"SELECT words, count(*) FROM large GROUP BY words",
	"SELECT * FROM large a JOIN large b ON a.words = b.words AND a.object = b.object",
	"SELECT words FROM large ORDER BY words, attrs, ab",
}

// largePlans are statements that take long to plan.
func largePlans() []string {
	number := func(i int) string { return fmt.Sprint(i) }
	chain := func(n int, sep, format string) string {
		return listed(n, sep, func(i int) string { return strings.ReplaceAll(format, "#", number(i)) })
	}
	return []string{
		"SELECT count(*) FROM big t0 " + chain(400, " ", "JOIN big u# ON u#.i = t0.i"),
		"SELECT count(*) FROM " + chain(1000, " CROSS JOIN ", "nums t#"),
		"SELECT count(*) FROM " + chain(60, ", ", "big t#") + " WHERE " + chain(59*30, " AND ", "t1.i + # = t2.i"),
		"SELECT count(*) FROM big WHERE i IN (" + chain(99_000, ",", "#") + ")",
		"SELECT count(*) FROM big WHERE name IN (" + chain(40_000, ",", "'unique-#'") + ")",
		"SELECT count(*) FROM big WHERE i + 1 IN (" + chain(10_000, ",", "i+#") + ")",
		"SELECT count(*) FROM big WHERE " + chain(50_000, " AND ", "i <> #"),
		"SELECT count(*) FROM big WHERE " + chain(40_000, " OR ", "name = '#'"),
		"SELECT count(*) FROM big WHERE " + chain(20_000, " OR ", "(i = # AND v > #)"),
		"SELECT " + chain(1_900, "+", "i") + " FROM big",
		"SELECT sum(CASE " + chain(20_000, " ", "WHEN i = # THEN #") + " END) FROM big",
		"SELECT cardinality(ARRAY[" + chain(90_000, ",", "#") + "])",
		"SELECT cardinality(MAP(ARRAY[" + chain(40_000, ",", "#") + "], ARRAY[" + chain(40_000, ",", "#") + "]))",
		"SELECT max(a) FROM (VALUES " + chain(40_000, ",", "(#,'x')") + ") t(a, b)",
		chain(5_000, " UNION ALL ", "SELECT #"),
		chain(900, " UNION ", "SELECT i FROM big WHERE i > #"),
		"WITH " + chain(5_000, ",", "a# AS (SELECT 1 x)") + " SELECT 1",
		"WITH a0 AS (SELECT 1 x)" + listed(30, "", func(i int) string {
			return fmt.Sprintf(", a%d AS (SELECT * FROM a%d UNION ALL SELECT * FROM a%d)", i+1, i, i)
		}) + " SELECT count(*) FROM a30",
		"SELECT " + chain(1_600, ",", "i + # AS c#") + " FROM big ORDER BY " + chain(1_600, ",", "i + #"),
		"SELECT " + chain(900, "+", "(SELECT max(i) FROM big WHERE i <> #)"),
		"SELECT " + chain(500, ",", "sum(i) OVER (ORDER BY i + #)") + " FROM big",
		"SELECT count(*) FROM big GROUP BY CUBE(" + chain(10, ",", "i+#") + ")",
		"SELECT count(*) FROM big GROUP BY " + nested(100, "GROUPING SETS((i), ", "name", ")"),
		"SELECT " + nested(60, "transform(ARRAY[1,2], x -> ", "1", ")"),
		"SELECT combinations(sequence(1, 10000), 5)",
		"SELECT reduce(sequence(1, 10000), '', (s, x) -> s || cast(x AS varchar) || s, s -> length(s))",
		"SELECT cardinality(split_to_map(rpad('', 4000000, 'a=b,'), ',', '='))",
		"SELECT json_array_length(json_query('[1,2,3]', 'lax " + nested(30, "(", "$[0 to 1000, 0 to 1000]", "[0,0,0,0,0,0,0,0,0,0])") + "' WITH ARRAY WRAPPER))",
		"SELECT regexp_like(name, '((((a{1,100}){1,100}){1,100}){1,100}){1,100}') FROM big",
		"SELECT regexp_like(name, '" + chain(4_000, "|", "unique-#.*x") + "') FROM big",
		"SELECT '" + strings.Repeat("x", 1<<20-9) + "'",
		"SELECT " + strings.Repeat(",", 1<<20-10),
		`SELECT "` + strings.Repeat("x", 1<<20-100) + `" FROM big`,
		"EXPLAIN SELECT " + chain(1_600, ",", "("+chain(30, "+", "i")+")") + " FROM big",
		"EXPLAIN SELECT count(*) FROM big WHERE " + chain(50_000, " AND ", "i <> #"),
	}
}

// lateness runs a statement to its end, then again canceled at several moments,
// and returns the most that it went on after that: on the clock, and of the
// processors' time.
func lateness(t *testing.T, cat sqltest.Catalog, q string, opt sql.Options, moments int) (took, late, work time.Duration) {
	t.Helper()
	run := func(after time.Duration) (late, work time.Duration) {
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		done := make(chan error, 1)
		go func() { done <- drain(sql.Query(ctx, cat, q, nil, opt)) }()
		select {
		case <-done:
			return 0, 0
		case <-time.After(after):
		}
		start, cpu := time.Now(), processTime(t)
		cancel()
		var err error
		select {
		case err = <-done:
		case <-time.After(*cancelWhere):
			stacks := make([]byte, 1<<20)
			t.Logf("still at work:\n%s", stacks[:runtime.Stack(stacks, true)])
			err = <-done
		}
		if err != nil && codeOf(err) == sqlerr.Internal {
			t.Errorf("%.200s\n%v", q, err)
		}
		return time.Since(start), processTime(t) - cpu
	}
	start := time.Now()
	late, work = run(*cancelCut)
	took = time.Since(start)
	if late > 0 {
		took = *cancelCut
	}
	if took < 20*time.Millisecond {
		return took, late, work
	}
	for k := range moments {
		l, w := run(took * time.Duration(2*k+1) / time.Duration(2*moments))
		late, work = max(late, l), max(work, w)
	}
	return took, late, work
}

// Whatever a statement is at when it is canceled, it ends soon after: in the midst
// of one call on one value, at the end of an aggregate, while it is planned.
func TestCancelAnywhere(t *testing.T) {
	cat := fixture()
	large := sqltest.Catalog{largeTable()}
	check := func(name string, cat sqltest.Catalog, q string) {
		t.Run(name, func(t *testing.T) {
			took, late, work := lateness(t, cat, q, sql.Options{Workers: 1, Now: now}, *cancelMoments)
			t.Logf("LATE %4d ms, CPU %4d ms, of %d ms: %.150s", late.Milliseconds(), work.Milliseconds(), took.Milliseconds(), q)
			if late > *cancelBound || work > *cancelWork {
				t.Errorf("%.200s\nended %v after it was canceled, having taken %v of the processors", q, late, work)
			}
		})
	}
	every := 12
	switch {
	case *cancelAll:
		every = 1
	case testing.Short():
		every = 30
	}
	tried := 0
	try := func(name string, cat sqltest.Catalog, q string) {
		if tried++; tried%every == 0 {
			check(name, cat, q)
		}
	}
	for _, e := range largeCalls {
		try("call", large, "SELECT "+e+" FROM large")
	}
	for _, q := range largeOver {
		try("statement", large, q)
	}
	for _, q := range largePlans() {
		try("plan", cat, q)
	}
}

// All of the statements on an idle machine, half an hour of it:
//
//	go test ./sql -run TestCancelAnywhere -v -timeout 1h -cancel.all -cancel.moments 4 -cancel.cut 2s -cancel.bound 50ms
var (
	cancelAll     = flag.Bool("cancel.all", false, "cancel every statement of the catalogue, not one in twelve")
	cancelMoments = flag.Int("cancel.moments", 1, "how many moments of a statement a cancellation is tried at")
	cancelWhere   = flag.Duration("cancel.where", time.Hour, "after how long the test prints where a canceled statement is at work")
	cancelCut     = flag.Duration("cancel.cut", 500*time.Millisecond, "when a statement that has not ended is canceled in any case")
)
