package fn

// Examples that need the whole of SQL: aggregates and windows over rows, forms
// with their own syntax, functions whose value is never the same. And where a
// function is not quite what Trino has.

type example struct{ expr, from, result string }

const (
	nums   = "(values 1, 2, 2, 3) as t(x)"
	pairs  = "(values (1, 2), (2, 4), (3, 6)) as t(x, y)"
	words  = "(values 'a', 'b', 'a', null) as t(x)"
	truths = "(values true, false, null) as t(x)"
	kv     = "(values ('a', 1), ('b', 2)) as t(k, v)"
)

var moreExamples = map[string]example{
	"and":              {"1 < 2 and null", "", "NULL"},
	"or":               {"1 < 2 or null", "", "true"},
	"not":              {"not 1 = 2", "", "true"},
	"between":          {"5 between 1 and 5", "", "true"},
	"in":               {"'b' in ('a', 'b')", "", "true"},
	"is null":          {"nullif(1, 1) is null", "", "true"},
	"is distinct from": {"1 is distinct from null", "", "true"},
	"like":             {"'DescribeKey' like 'Describe%'", "", "true"},
	"extract":          {"extract(hour from timestamp '2026-03-01 13:45:06.789')", "", "13"},
	"at time zone":     {"timestamp '2026-03-01 12:00:00 UTC' at time zone 'America/New_York'", "", "2026-03-01 07:00:00.000 America/New_York"},
	"now":              {"now() = current_timestamp", "", "true"},
	"current_date":     {"current_date = date(now())", "", "true"},
	"current_time":     {"typeof(current_time)", "", "time(3)"},
	"current_timezone": {"current_timezone()", "", "UTC"},
	"localtimestamp":   {"localtimestamp = now()", "", "true"},
	"random":           {"random() < 1.0", "", "true"},
	"shuffle":          {"cardinality(shuffle(array[1, 2, 3]))", "", "3"},
	"uuid":             {"length(cast(uuid() as varchar))", "", "36"},
	"json_exists":      {`json_exists('{"a": [1, 5]}', 'lax $.a[*] ? (@ > 2)')`, "", "true"},
	"json_value":       {`json_value('{"a": [1, 5]}', 'lax $.a[last]' returning bigint)`, "", "5"},
	"json_query":       {`json_query('{"a": [1, 5]}', 'lax $.a')`, "", "[1,5]"},
	"json_array":       {"json_array(1, 'a', null, true)", "", `[1,"a",true]`},
	"json_object":      {"json_object('a' value 1, 'b' value null)", "", `{"a":1,"b":null}`},
	"hmac_md5":         {"to_hex(hmac_md5(to_utf8('what do ya want for nothing?'), to_utf8('Jefe')))", "", "750C783E6AB0B503EAA86E310A5DB738"},
	"hmac_sha1":        {"to_hex(hmac_sha1(to_utf8('what do ya want for nothing?'), to_utf8('Jefe')))", "", "EFFCDF6AE5EB2FA2D27416D5F184DF9C259A7C79"},
	"hmac_sha256": {"to_hex(hmac_sha256(to_utf8('what do ya want for nothing?'), to_utf8('Jefe')))", "",
		"5BDCC146BF60754E6A042426089575C75A003F089D2739839DEC58B964EC3843"},
	"hmac_sha512": {"substr(to_hex(hmac_sha512(to_utf8('what do ya want for nothing?'), to_utf8('Jefe'))), 1, 32)", "", "164B7A7BFCF819E2E395FBE73B56E0A3"},

	"count":                {"count(x)", words, "3"},
	"count_if":             {"count_if(x > 1)", nums, "3"},
	"sum":                  {"sum(x)", nums, "8"},
	"avg":                  {"avg(x)", nums, "2.0"},
	"min":                  {"min(x)", nums, "1"},
	"max":                  {"max(x, 2)", nums, "[3, 2]"},
	"min_by":               {"min_by(k, v)", kv, "a"},
	"max_by":               {"max_by(k, v)", kv, "b"},
	"arbitrary":            {"arbitrary(x)", "(values null, 7) as t(x)", "7"},
	"bool_and":             {"bool_and(x)", truths, "false"},
	"bool_or":              {"bool_or(x)", truths, "true"},
	"bitwise_and_agg":      {"bitwise_and_agg(x)", "(values 6, 3) as t(x)", "2"},
	"bitwise_or_agg":       {"bitwise_or_agg(x)", "(values 6, 3) as t(x)", "7"},
	"bitwise_xor_agg":      {"bitwise_xor_agg(x)", "(values 6, 3) as t(x)", "5"},
	"checksum":             {"checksum(x) = checksum(4 - x)", "(values 1, 2, 3) as t(x)", "true"},
	"listagg":              {"listagg(x, ',') within group (order by x)", words, "a,a,b"},
	"array_agg":            {"array_agg(x order by x)", words, "[a, a, b, null]"},
	"map_agg":              {"map_agg(k, v)", kv, "{a=1, b=2}"},
	"multimap_agg":         {"multimap_agg(k, v)", "(values ('a', 1), ('a', 2)) as t(k, v)", "{a=[1, 2]}"},
	"map_union":            {"map_union(x)", "(values map(array['a'], array[1]), map(array['b'], array[2])) as t(x)", "{a=1, b=2}"},
	"histogram":            {"histogram(x)", words, "{a=2, b=1}"},
	"approx_most_frequent": {"approx_most_frequent(2, x, 10)", words, "{a=2, b=1}"},
	"approx_distinct":      {"approx_distinct(x)", nums, "3"},
	"approx_set":           {"cardinality(approx_set(x))", nums, "3"},
	"merge":                {"cardinality(merge(s))", "(select approx_set(x) as s from (values 1, 2) as t(x) group by x)", "2"},
	"approx_percentile":    {"approx_percentile(x, 0.5)", "(values 1, 2, 3) as t(x)", "2"},
	"numeric_histogram":    {"numeric_histogram(2, x)", "(values 1e0, 1e0, 9e0) as t(x)", "{1.0=2.0, 9.0=1.0}"},
	"reduce_agg":           {"reduce_agg(x, 1, (s, x) -> s * x, (a, b) -> a * b)", nums, "12"},
	"grouping":             {"grouping(x)", "(values 1) as t(x) group by x", "0"},
	"geometric_mean":       {"round(geometric_mean(x), 6)", "(values 2, 8) as t(x)", "4.0"},
	"entropy":              {"entropy(x)", "(values 1, 1) as t(x)", "1.0"},
	"stddev_pop":           {"stddev_pop(x)", "(values 1, 3) as t(x)", "1.0"},
	"stddev_samp":          {"stddev(x)", "(values 1, 3, 5) as t(x)", "2.0"},
	"var_pop":              {"var_pop(x)", "(values 1, 3) as t(x)", "1.0"},
	"var_samp":             {"variance(x)", "(values 1, 3) as t(x)", "2.0"},
	"skewness":             {"skewness(x)", "(values 1, 2, 3) as t(x)", "0.0"},
	"kurtosis":             {"round(kurtosis(x), 6)", "(values 1, 2, 3, 4) as t(x)", "-1.2"},
	"corr":                 {"corr(y, x)", pairs, "1.0"},
	"covar_pop":            {"covar_pop(y, x)", "(values (1, 1), (3, 3)) as t(x, y)", "1.0"},
	"covar_samp":           {"covar_samp(y, x)", pairs, "2.0"},
	"regr_slope":           {"regr_slope(y, x)", pairs, "2.0"},
	"regr_intercept":       {"regr_intercept(y, x)", pairs, "0.0"},

	"row_number":   {"array_agg(n order by n)", "(select row_number() over (order by x) as n from " + nums + ")", "[1, 2, 3, 4]"},
	"rank":         {"array_agg(n order by n)", "(select rank() over (order by x) as n from " + nums + ")", "[1, 2, 2, 4]"},
	"dense_rank":   {"array_agg(n order by n)", "(select dense_rank() over (order by x) as n from " + nums + ")", "[1, 2, 2, 3]"},
	"percent_rank": {"max(n)", "(select percent_rank() over (order by x) as n from " + nums + ")", "1.0"},
	"cume_dist":    {"min(n)", "(select cume_dist() over (order by x) as n from " + nums + ")", "0.25"},
	"ntile":        {"array_agg(n order by n)", "(select ntile(2) over (order by x) as n from " + nums + ")", "[1, 1, 2, 2]"},
	"lag":          {"array_agg(n order by n)", "(select lag(x, 1, 0) over (order by x) as n from " + nums + ")", "[0, 1, 2, 2]"},
	"lead":         {"array_agg(n order by n)", "(select lead(x) over (order by x) as n from " + nums + ")", "[2, 2, 3, null]"},
	"first_value":  {"max(n)", "(select first_value(x) over (order by x) as n from " + nums + ")", "1"},
	"last_value":   {"array_agg(n order by n)", "(select last_value(x) over (order by x) as n from " + nums + ")", "[1, 2, 2, 3]"},
	"nth_value":    {"array_agg(n order by n)", "(select nth_value(x, 2) over (order by x) as n from " + nums + ")", "[2, 2, 2, null]"},
}

var differences = map[string]string{
	"approx_distinct":      "The standard error of an estimate is the same, its value is not; small numbers are exact.",
	"approx_set":           "The sketch is a varbinary of our own format, not a HyperLogLog value.",
	"merge":                "The sketch is a varbinary of our own format, not a HyperLogLog value.",
	"approx_most_frequent": "It counts exactly; the capacity is not used.",
	"checksum":             "The hash is our own.",
	"reduce_agg":           "The second lambda must have the right types and is not called: states are never combined.",
	"json_query":           "RETURNING takes varchar and json. A path cannot use datetime().",
	"json_value":           "A path cannot use datetime(); numbers with a fraction are computed as doubles.",
	"json_parse":           "Numbers keep the spelling of the text.",
	"json_extract":         "Numbers keep the spelling of the text.",
	"cast":                 "Times have at most microseconds; wider types are taken as these.",
	"ip_prefix":            "Trino has no such function; the result is text.",
	"ip_subnet_min":        "Trino has no such function.",
	"ip_subnet_max":        "Trino has no such function.",
	"is_subnet_of":         "Trino has no such function.",
	"ends_with":            "Trino has no such function.",
}

// complete gives a description the example and the differences above.
func (d *Doc) complete() {
	if e, ok := moreExamples[d.Name]; ok {
		d.Example, d.From, d.Result = e.expr, e.from, e.result
	}
	if s := differences[d.Name]; s != "" {
		d.Differs = s
	}
}
