package parse

import "strings"

// words are the words that mean something somewhere in the grammar, in lower
// case. The tokenizer gives each word token the string from here, so that the
// rewriter compares without regard to case and without allocating.
var words = makeWords(`
absent all alter analyze and any array as asc at begin between both by call
case cast check coalesce collate columns commit conditional constraint copy count create cross
cube current current_catalog current_date current_path current_role
current_schema current_time current_timestamp current_user date day days
deallocate decade default delete deny desc describe discard distinct double drop else empty encoding
end error escape except exclude execute exists explain extract false fetch
filter first following for format from full function functions grant group
grouping groups having hour hours if ignore ilike in inner insert intersect
interval into is isnull join json json_array json_exists json_object json_query
json_table json_value keep key keys last lateral leading left like limit
listagg local localtime localtimestamp lock match_recognize materialized merge
microsecond microseconds millisecond milliseconds minute minutes month months
natural next no normalize not notnull null nulls object of offset omit on only
operator or order ordinality others outer over overflow overlaps overlay
partition passing placing position preceding precision prepare quarter quarters
quotes range read recursive refresh rename replace reset respect returning
revoke right rollback rollup row rows scalar second seconds select session_user
set sets share show similar skip some start string substring symmetric table
tables tablesample then ties time timestamp to trailing trim true truncate
try_cast uescape unbounded unconditional union unique unknown unnest update
use user using vacuum value values varying verbose week weeks when where window
with within without wrapper year years zone
`)

// reserved are the words that cannot be names unless they are quoted: those of
// Trino, in both dialects.
var reserved = makeWords(`
alter and as between constraint by case cast create cross cube current_catalog
current_date current_path current_role current_schema current_time
current_timestamp current_user deallocate describe distinct drop else end
escape except execute exists extract false for from full group grouping having
in inner insert intersect into is join json_array json_exists json_object
json_query json_table json_value left like listagg localtime localtimestamp
natural normalize not null on or order outer prepare recursive right rollup
select skip table then trim true uescape union unnest using values when where
with
`)

// clauseWords may be names, but where an alias without AS could stand they
// begin a clause.
var clauseWords = makeWords(`
limit offset fetch window tablesample match_recognize
`)

// typedLiterals are the type names that may stand before a string to make a
// literal of that type. Any other word before a string is a mistake.
var typedLiterals = makeWords(`
bigint boolean bool bytea char cidr date decimal double float4 float8 inet int
int2 int4 int8 integer ipaddress json jsonb numeric real regclass regtype
smallint text time timestamp timestamptz timetz tinyint uuid varbinary varchar
`)

// lambdaTakers are the functions whose arguments may be lambdas. The Postgres
// dialect needs the list because there x -> y is also an operator.
var lambdaTakers = makeWords(`
all_match any_match array_first array_sort filter find_first map_filter
map_zip_with none_match reduce reduce_agg regexp_replace transform
transform_keys transform_values zip_with
`)

// intervalUnits maps the unit words of intervals to their singular.
var intervalUnits = map[string]string{
	"year": "year", "years": "year", "quarter": "quarter", "quarters": "quarter",
	"month": "month", "months": "month", "week": "week", "weeks": "week",
	"day": "day", "days": "day", "hour": "hour", "hours": "hour",
	"minute": "minute", "minutes": "minute", "second": "second", "seconds": "second",
	"millisecond": "millisecond", "milliseconds": "millisecond",
	"microsecond": "microsecond", "microseconds": "microsecond",
}

// wordMax is the length of the longest word of words.
const wordMax = 20

func makeWords(list string) map[string]string {
	set := make(map[string]string)
	for _, w := range strings.Fields(list) {
		if len(w) > wordMax {
			panic("word longer than wordMax: " + w)
		}
		set[w] = w
	}
	return set
}

// knownWord returns the lower-case form of a word of the grammar, else "".
func knownWord(s string) string {
	if len(s) > wordMax {
		return ""
	}
	var low [wordMax]byte
	for i := 0; i < len(s); i++ {
		c := s[i]
		if 'A' <= c && c <= 'Z' {
			c += 'a' - 'A'
		}
		low[i] = c
	}
	return words[string(low[:len(s)])]
}

// inWords reports whether set has s, without regard to case.
func inWords(set map[string]string, s string) bool {
	_, ok := set[strings.ToLower(s)]
	return ok
}
