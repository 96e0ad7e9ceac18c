package fn

import (
	"strings"
	"testing"
)

// cases are expressions and their values, one to a line. A value that begins
// with "error:" is a part of the message that is wanted.
const cases = `
-- numbers
7 / 2 => 3
-7 / 2 => -3
-7 % 2 => -1
7 % -2 => 1
1 / 0 => error: division by zero
1 % 0 => error: division by zero
1.0 / 0 => error: division by zero
1e0 / 0 => Infinity
0e0 / 0 => NaN
2147483647 + 1 => error: integer overflow
9223372036854775807 + 1 => error: bigint overflow
-9223372036854775807 - 2 => error: bigint overflow
9223372036854775807 * 2 => error: bigint overflow
cast(-9223372036854775807 - 1 as bigint) / -1 => error: overflow
cast(100 as tinyint) + cast(100 as tinyint) => error: tinyint overflow
1 + null => NULL
null + null => NULL
1.5 + 1 => 2.5
1.5 * 1.5 => 2.25
1.0 / 3 => 0.3
1.00 / 3.0 => 0.33
10 / 4.0 => 2.5
2.5 % 1 => 0.5
-2.5 % 1 => -0.5
999999999999999999.0 => 999999999999999999.0
99999999999999999.9 + 1 => 100000000000000000.9
9999999999999999.9 + 1 => 10000000000000000.9
99999999999999999.9 * 10 => 999999999999999999.0
99999999999999999999999999999999999999.0 => error: bad number
99999999999999999999999999999999999999. + 1 => error: decimal(38,0) overflow
99999999999999999999999999999999999999. * -1 => -99999999999999999999999999999999999999
99999999999999999999999999999999999999. * 10 => error: decimal(38,0) overflow
1234567890123456789012345.678 * 0.01 => 12345678901234567890123.45678
cast(1 as decimal(38,20)) * cast(1 as decimal(38,20)) => error: 40 digits behind the point
cast(1 as decimal(38,20)) / 3 => 0.33333333333333333333
cast(2 as decimal(38,20)) / -3 => -0.66666666666666666667
cast(1 as decimal(38,0)) / cast(0 as decimal(38,0)) => error: division by zero
cast(1 as decimal(38,0)) % 0 => error: division by zero
cast(-7 as decimal(38,0)) % 4 => -3
cast(7 as decimal(38,0)) % cast(0.4 as decimal(38,38)) => 0.20000000000000000000000000000000000000
cast('99999999999999999999999999999999999999' as decimal(38,0)) / cast('0.00000000000000000000000000000000000001' as decimal(38,38)) => error: overflow
cast('123456789012345678901234567890.12345678' as decimal(38,8)) => 123456789012345678901234567890.12345678
cast('1234567890123456789012345678901' as decimal(38,8)) => error: cannot
cast('1e37' as decimal(38,0)) => 10000000000000000000000000000000000000
cast('-0.5' as decimal(38,0)) => -1
cast('' as decimal(38,0)) => error: cannot
cast('1x' as decimal(38,0)) => error: cannot
try_cast('x' as decimal(38,0)) => NULL
cast(1e30 as decimal(38,2)) => 1000000000000000000000000000000.00
cast(1e40 as decimal(38,2)) => error: out of range
cast(true as decimal(30,2)) => 1.00
cast(9223372036854775807 as decimal(38,2)) => 9223372036854775807.00
cast(9223372036854775807 as decimal(20,2)) => error: out of range
cast(123456789012345678901.5 as double) => 1.2345678901234568E20
cast(123456789012345678901.5 as bigint) => error: out of range
cast(12345678901234567.5000 as bigint) => 12345678901234568
cast(123456789012345678901.55 as decimal(22,1)) => 123456789012345678901.6
cast(123456789012345678901.55 as decimal(21,1)) => error: out of range
cast(123456789012345678901.55 as varchar) => 123456789012345678901.55
cast(cast(123456789012345678901.55 as json) as decimal(30,2)) => 123456789012345678901.55
-(123456789012345678901.55) => -123456789012345678901.55
abs(-123456789012345678901.55) => 123456789012345678901.55
sign(-123456789012345678901.55) => -1
ceil(123456789012345678901.55) => 123456789012345678902
ceil(-123456789012345678901.55) => -123456789012345678901
floor(123456789012345678901.55) => 123456789012345678901
floor(-123456789012345678901.55) => -123456789012345678902
round(123456789012345678901.55) => 123456789012345678902
round(-123456789012345678901.55, 1) => -123456789012345678901.60
round(123456789012345678901.55, -3) => 123456789012345679000.00
round(123456789012345678901.55, 50) => 123456789012345678901.55
round(123456789012345678901.55, -50) => 0.00
truncate(-123456789012345678901.55) => -123456789012345678901
truncate(123456789012345678901.55, 1) => 123456789012345678901.50
123456789012345678901.55 = 123456789012345678901.550 => true
123456789012345678901.55 < 2.0 => false
-123456789012345678901.55 < 2.0 => true
123456789012345678901.5 > 1e20 => true
123456789012345678901.5 > 9223372036854775807 => true
greatest(1, 123456789012345678901.5) => 123456789012345678901.5
cast(1 as decimal(38,38)) => error: out of range
format('%.2f', 123456789012345678901.55) => 123456789012345683968.00
1 = 1.0 => true
9223372036854775807 > 1.5 => true
9223372036854775807 = 9223372036854775807.0 => true
1 < 1.5e0 => true
0.1 + 0.2 = 0.3 => true
1e-1 + 2e-1 = 3e-1 => false
nan() = nan() => false
nan() <> nan() => true
nan() is distinct from nan() => false
nan() > 1e0 => false
-(-5) => 5
typeof(1 + 1) => integer
typeof(1 + 3000000000) => bigint
typeof(1.5 * 2.25) => decimal(5,3)
typeof(1 + 1e0) => double
-- comparison
'a' < 'b' => true
'B' < 'a' => true
'a' = null => NULL
'1' = 1 => error: the operator = does not take (varchar, integer)
null is distinct from null => false
1 is distinct from null => true
1 is not distinct from 1 => true
array[1, 2] = array[1, 2] => true
array[1, null] = array[1, 2] => NULL
array[1, null] = array[2, null] => false
array[1, 2] < array[1, 3] => true
array[1, null] < array[1, 3] => error: NULL inside
row(1, 'a') = row(1, 'a') => true
map(array['a','b'], array[1,2]) = map(array['b','a'], array[2,1]) => true
map(array['a'], array[1]) < map(array['a'], array[2]) => error: no order
json_parse('{"a":1,"b":2}') = json_parse('{"b":2, "a":1}') => true
json_parse('1') < json_parse('2') => error: no order
timestamp '2026-01-01 00:00:00' = date '2026-01-01' => true
not(null) => NULL
not(true) => false
-- like
'abc' like 'a%' => true
'abc' like '%c' => true
'abc' like '%b%' => true
'abc' like 'abc' => true
'abc' like 'ab' => false
'abc' like 'a_c' => true
'aéc' like 'a_c' => true
'abc' like '%' => true
'' like '%' => true
'' like '' => true
'' like '_' => false
'abcabc' like 'a%c' => true
'abcab' like 'a%c' => false
'a%c' like 'a#%c' => false
like('a%c', 'a#%c', '#') => true
like('abc', 'a#%c', '#') => false
like('a#c', 'a##c', '#') => true
like('abc', 'a#bc', '#') => error: the LIKE escape
like('abc', 'abc', '##') => error: must be one character
like('abc', 'abc#', '#') => error: the LIKE escape
'ab' like 'a%b%' => true
'aXbYb' like 'a%_b' => true
'ab' like 'a%_b' => false
'a' like null => NULL
'ABC' like 'abc' => false
ilike('ABC', 'a%') => true
'a\b' like 'a\b' => true
-- strings
length('') => 0
length(null) => NULL
length('日本') => 2
lower('ÄB') => äb
upper('straße') => STRAßE
substr('hello', 2) => ello
substr('hello', 0) => 
substr('hello', -3) => llo
substr('hello', -3, 2) => ll
substr('hello', -9, 2) => 
substr('hello', 2, 0) => 
substr('hello', 9) => 
substr('日本語', 2, 1) => 本
substr('hello', 2, -1) => 
substring('hello', 1, 9223372036854775807) => hello
strpos('hello', 'l') => 3
strpos('hello', 'l', 2) => 4
strpos('hello', 'l', -1) => 4
strpos('hello', 'l', 3) => 0
strpos('hello', '') => 1
strpos('hello', 'x') => 0
strpos('日本本', '本', 2) => 3
strpos('a', 'a', 0) => error: cannot be 0
trim('  a ') => a
ltrim('xxa', 'x') => a
rtrim('axx', 'x') => a
trim('') => 
replace('aaa', 'a') => 
replace('abc', 'b', 'xy') => axyc
replace('abc', '', '-') => -a-b-c-
reverse('日本') => 本日
lpad('abc', 2, 'x') => ab
lpad('abc', 5, 'xy') => xyabc
lpad('abc', 6, 'xy') => xyxabc
rpad('', 3, 'ab') => aba
lpad('a', -1, 'x') => error: padding needs
lpad('a', 3, '') => error: padding needs
lpad('a', 100000000, 'x') => error: over 16 MiB
split('a,b', ',') => [a, b]
split('', ',') => []
cardinality(split('', ',')) => 1
split('a,b,c', ',', 2) => [a, b,c]
split('a', '') => error: delimiter is empty
split('a,b', ',', 0) => error: limit of split
split_part('a,b', ',', 3) => NULL
split_part('a,b', ',', 2) => b
split_part('a,b', ',', 0) => error: must be 1
split_to_map('a=1,b=2', ',', '=') => {a=1, b=2}
split_to_map('a=1,a=2', ',', '=') => error: comes twice
split_to_map('a', ',', '=') => error: has no
split_to_map('', ',', '=') => {}
concat('a', null) => NULL
'a' || null => NULL
concat('a', 'b', 'c') => abc
concat(array[1], array[2, 3]) => [1, 2, 3]
array[1] || 2 => [1, 2]
1 || array[2] => [1, 2]
array[1] || null => NULL
array[1] || cast(null as integer) => [1, null]
concat_ws(',', 'a', null, 'c') => a,c
concat_ws(',', array['a', null, 'c']) => a,c
concat_ws(null, 'a') => NULL
chr(65) => A
chr(-1) => error: not a code point
codepoint('ab') => error: one character
codepoint('') => error: one character
translate('hello', 'el', 'ip') => hippo
hamming_distance('a', 'ab') => error: one length
levenshtein_distance('', 'abc') => 3
soundex('') => 
soundex('Ashcraft') => A261
soundex('Tymczak') => T522
from_utf8(from_hex('61ff62')) => a�b
from_utf8(from_hex('61ff62'), '?') => a?b
luhn_check('79927398710') => false
luhn_check('x') => error: digits
word_stem('running') => run
word_stem('relational') => relat
word_stem('happy') => happi
word_stem('x', 'de') => error: only the language en
starts_with('abc', '') => true
ends_with('abc', 'bc') => true
normalize('a', 'X') => error: normal form
-- regexp
regexp_like('ABC', '(?i)abc') => true
regexp_like('abc', '^b') => false
regexp_like('a1', '\d') => true
regexp_like('abab', '(ab)\1') => true
regexp_like('abac', '(ab)\1') => false
regexp_like('foobar', 'foo(?=bar)') => true
regexp_like('foobaz', 'foo(?!baz)') => false
regexp_like('a', '[') => error: is not a regular expression
regexp_like('aaa', 'a++') => true
regexp_like('x.y', '\Q.\E') => true
regexp_like('é', '\p{IsAlphabetic}') => true
regexp_like('a!', '\p{Punct}') => true
regexp_like(null, 'a') => NULL
regexp_extract('abc123', '\d+') => 123
regexp_extract('abc', '\d+') => NULL
regexp_extract('abc123', '([a-z]+)(\d+)', 2) => 123
regexp_extract('abc', '(b)|(x)', 2) => NULL
regexp_extract('abc', 'b', 1) => error: no group 1
regexp_extract('foobar', '(?<=foo)b(a)', 1) => a
regexp_extract_all('a1b2', '[a-z](\d)', 1) => [1, 2]
regexp_extract_all('abc', '\d') => []
regexp_replace('abc', 'b') => ac
regexp_replace('abc', '(?<x>b)', '[\${x}]') => a[${x}]c
regexp_replace('abc', '(?<x>b)', '[${x}]') => a[b]c
regexp_replace('abc', 'b', '$0$0') => abbc
regexp_replace('abc', 'b', '$1') => error: does not have
regexp_replace('abc', 'b', '$') => error: without a group
regexp_replace('aaa', '', '-') => -a-a-a-
regexp_replace('日本', '(?=本)', '|') => 日|本
regexp_replace('hello', '(l)', x -> upper(x[1])) => heLLo
regexp_split('a,b;c', '[,;]') => [a, b, c]
regexp_count('aaaa', 'aa') => 2
regexp_position('hello', 'l') => 3
regexp_position('hello', 'x') => -1
regexp_position('hello', 'l', 4) => 4
-- casts
cast('12' as bigint) => 12
cast('12.5' as bigint) => error: cannot cast "12.5" to bigint
cast('' as bigint) => error: cannot cast "" to bigint
try_cast('x' as bigint) => NULL
cast('128' as tinyint) => error: cannot cast
cast(1.5 as integer) => 2
cast(-1.5 as integer) => -2
cast(1.4e0 as integer) => 1
cast(nan() as bigint) => error: out of range
cast(1e30 as bigint) => error: out of range
cast('1.25' as double) => 1.25
cast('NaN' as double) => NaN
cast('x' as double) => error: cannot cast
cast(1e0 as varchar) => 1.0E0
cast(123.456e0 as varchar) => 1.23456E2
cast(0e0 as varchar) => 0.0E0
cast(cast(0.1 as real) as varchar) => 1.0E-1
cast(true as varchar) => true
cast('T' as boolean) => true
cast('yes' as boolean) => error: cannot cast
cast(2 as boolean) => true
cast('1.255' as decimal(4,2)) => 1.26
cast('123.4' as decimal(3,1)) => error: cannot cast
cast(1.255 as decimal(3,2)) => 1.26
cast(0.15e0 as decimal(2,1)) => 0.2
cast('-0.5' as decimal(2,1)) => -0.5
cast('1e2' as decimal(4,1)) => 100.0
cast(12 as decimal(3,2)) => error: out of range
cast(timestamp '2026-01-02 03:04:05.678' as varchar) => 2026-01-02 03:04:05.678
cast('2026-01-02' as timestamp) => 2026-01-02 00:00:00.000
cast('2026-01-02 03:04' as timestamp) => 2026-01-02 03:04:00.000
cast('2026-01-02 03:04:05.6789' as timestamp) => 2026-01-02 03:04:05.679
cast('2026-01-02T03:04:05Z' as timestamp) => error: cannot cast
cast('2026-02-30' as date) => error: cannot cast
cast('2026-01-02 03:04:05 UTC' as timestamp with time zone) => 2026-01-02 03:04:05.000 UTC
cast('2026-07-02 03:04:05 Europe/Paris' as timestamp with time zone) => 2026-07-02 03:04:05.000 Europe/Paris
cast('2026-01-02 03:04:05 +05:30' as timestamp with time zone) => 2026-01-02 03:04:05.000 +05:30
cast(cast('2026-01-02 03:04:05 +05:30' as timestamp with time zone) as timestamp) => 2026-01-02 03:04:05.000
cast(timestamp '2026-01-02 03:04:05' as date) => 2026-01-02
cast(date '2026-01-02' as timestamp) => 2026-01-02 00:00:00.000
cast(timestamp '1969-12-31 23:59:59.999' as date) => 1969-12-31
cast('10.1.2.3' as ipaddress) => 10.1.2.3
cast('2001:db8::1' as ipaddress) => 2001:db8::1
cast('cloudtrail.amazonaws.com' as ipaddress) => error: cannot cast
try_cast('cloudtrail.amazonaws.com' as ipaddress) => NULL
cast(cast('10.1.2.3' as ipaddress) as varchar) => 10.1.2.3
cast('12151fd2-7586-11e9-8f9e-2a86e4085a59' as uuid) => 12151fd2-7586-11e9-8f9e-2a86e4085a59
cast('zz' as uuid) => error: cannot cast
cast(array['1', '2'] as array(bigint)) => [1, 2]
cast(array['1', 'x'] as array(bigint)) => error: cannot cast "x"
try_cast(array['1', 'x'] as array(bigint)) => NULL
cast(map(array['1', '01'], array[1, 2]) as map(bigint, bigint)) => error: comes twice
cast(row('1', 2) as row(bigint, varchar)) => {f1=1, f2=2}
cast(null as bigint) => NULL
cast(array[1] as varchar) => error: cannot cast array(integer) to varchar
cast('a' as json) => "a"
cast(1.5 as json) => 1.5
cast(true as json) => true
cast(array[1, null] as json) => [1,null]
cast(map(array['a'], array[1]) as json) => {"a":1}
cast(timestamp '2026-01-02 03:04:05' as json) => "2026-01-02 03:04:05.000"
cast(json_parse('[1, "2", null]') as array(bigint)) => [1, 2, null]
cast(json_parse('{"a": 1}') as map(varchar, bigint)) => {a=1}
cast(json_parse('{"F1": 1, "f2": "x"}') as row(bigint, varchar)) => {f1=1, f2=x}
cast(json_parse('[1, "x"]') as row(bigint, varchar)) => {f1=1, f2=x}
cast(json_parse('"a"') as varchar) => a
cast(json_parse('12.5') as varchar) => 12.5
cast(json_parse('null') as varchar) => NULL
cast(json_parse('[1]') as varchar) => error: cannot cast
try_cast(json_parse('[1]') as varchar) => NULL
cast(json_parse('[[1, {}]]') as array(array(bigint))) => error: cannot cast
try_cast(json_parse('[[1, {}]]') as array(array(bigint))) => NULL
-- times
date_trunc('day', timestamp '2026-03-01 13:45:06') => 2026-03-01 00:00:00.000
date_trunc('week', timestamp '2026-03-01 13:45:06') => 2026-02-23 00:00:00.000
date_trunc('month', date '2026-03-15') => 2026-03-01
date_trunc('quarter', date '2026-06-15') => 2026-04-01
date_trunc('year', timestamp '1969-07-20 20:17:40') => 1969-01-01 00:00:00.000
date_trunc('minute', timestamp '1969-12-31 23:59:59.5') => 1969-12-31 23:59:00.000
date_trunc('SECOND', timestamp '2026-03-01 13:45:06.789') => 2026-03-01 13:45:06.000
date_trunc('hour', date '2026-03-15') => error: cannot be truncated
date_trunc('fortnight', date '2026-03-15') => error: not a unit of time
date_trunc('day', cast(null as timestamp)) => NULL
date_trunc(null, date '2026-03-15') => NULL
date_trunc('day', cast('2026-07-01 23:30:00 -05:00' as timestamp with time zone)) => 2026-07-01 00:00:00.000 -05:00
date_trunc('hour', cast('2026-10-25 02:30:00 Europe/Paris' as timestamp with time zone)) => 2026-10-25 02:00:00.000 Europe/Paris
date_add('day', -1, date '2026-03-01') => 2026-02-28
date_add('month', -1, date '2024-03-31') => 2024-02-29
date_add('hour', 1, date '2024-03-31') => error: cannot be added to a date
date_add('year', 9223372036854775807, date '2024-03-31') => error: out of range
date_add('week', 1, timestamp '2026-03-01 01:00:00') => 2026-03-08 01:00:00.000
date_add('day', 1, cast('2026-03-28 12:00:00 Europe/Paris' as timestamp with time zone)) => 2026-03-29 12:00:00.000 Europe/Paris
date_add('hour', 24, cast('2026-03-28 12:00:00 Europe/Paris' as timestamp with time zone)) => 2026-03-29 13:00:00.000 Europe/Paris
date_diff('hour', timestamp '2026-03-01 00:00:00', timestamp '2026-03-01 23:59:59') => 23
date_diff('day', timestamp '2026-03-02 00:00:00', timestamp '2026-03-01 00:00:01') => 0
date_diff('month', date '2026-01-31', date '2026-02-28') => 1
date_diff('month', date '2026-02-28', date '2026-01-31') => 0
date_diff('month', date '2026-01-30', date '2026-02-27') => 0
date_diff('year', date '2024-02-29', date '2025-02-28') => 1
date_diff('week', date '2026-01-01', date '2026-01-14') => 1
date_diff('day', timestamp '2026-03-01 00:00:00', now()) => 0
day_of_week(date '2026-03-01') => 7
day_of_week(date '2026-03-02') => 1
dow(date '1969-12-31') => 3
week(date '2027-01-01') => 53
year_of_week(date '2027-01-01') => 2026
week(date '2024-12-30') => 1
day_of_year(date '2024-12-31') => 366
hour(cast('2026-07-01 23:30:00 -05:00' as timestamp with time zone)) => 23
extract('epoch', timestamp '1970-01-01 00:01:00') => 60
extract('century', date '2026-01-01') => error: no field
hour(interval '1 2:03:04' day to second) => 2
year(interval '1-6' year to month) => 1
timestamp '2026-03-01 00:00:00' - interval '7' day => 2026-02-22 00:00:00.000
timestamp '2026-03-31 00:00:00' - interval '1' month => 2026-02-28 00:00:00.000
interval '1' month + date '2026-01-31' => 2026-02-28
date '2026-01-01' + interval '1' hour => error: whole days
timestamp '2026-03-02 00:00:00' - timestamp '2026-03-01 12:00:00' => 0 12:00:00.000
date '2026-03-02' - date '2026-03-01' => 1 00:00:00.000
interval '1' day * 2 => 2 00:00:00.000
interval '1' day / 2 => 0 12:00:00.000
interval '1' day + interval '1' month => error: does not take
date '2026-03-02' + 1 => error: does not take
now() - interval '1' day < now() => true
now() => 2026-03-01 13:45:06.789 UTC
current_date => 2026-03-01
from_unixtime(0) => 1970-01-01 00:00:00.000 UTC
from_unixtime(1.5e0) => 1970-01-01 00:00:01.500 UTC
from_unixtime(0, 'Asia/Tokyo') => 1970-01-01 09:00:00.000 Asia/Tokyo
from_unixtime(0, -5, -30) => 1969-12-31 18:30:00.000 -05:30
from_unixtime(1e300) => error: out of range
from_unixtime(0, 'Nowhere/City') => error: not a time zone
to_unixtime(from_unixtime(12)) => 12.0
from_iso8601_timestamp('2026-01-31') => 2026-01-31 00:00:00.000 UTC
from_iso8601_timestamp('2026-01-31T10') => 2026-01-31 10:00:00.000 UTC
from_iso8601_timestamp('2026-01-31T10:11:12.5+01:00') => 2026-01-31 10:11:12.500 +01:00
from_iso8601_timestamp('2026-W01-1T00:00Z') => 2025-12-29 00:00:00.000 UTC
from_iso8601_timestamp('2026-045') => 2026-02-14 00:00:00.000 UTC
from_iso8601_timestamp('2026-01-31 10:00:00') => error: not an ISO 8601
from_iso8601_date('2026-13-01') => error: not an ISO 8601
to_iso8601(timestamp '2026-01-02 03:04:05') => 2026-01-02T03:04:05.000
to_iso8601(date '2026-01-02') => 2026-01-02
date_format(timestamp '2026-01-02 15:04:05.678', '%a %b %d %Y %h:%i:%s.%f %p') => Fri Jan 02 2026 03:04:05.678000 PM
date_format(timestamp '2026-01-02 00:04:05', '%l %k %j %e %c %y %v %x %T %r %% %W %M') => 12 0 002 2 1 26 01 2026 00:04:05 12:04:05 AM % Friday January
date_format(date '2026-01-02', '%D') => error: not supported
date_parse('2026-01-02 03:04:05.678901', '%Y-%m-%d %H:%i:%s.%f') => 2026-01-02 03:04:05.679
date_parse('Jan 2 2026 3 PM', '%b %e %Y %l %p') => 2026-01-02 15:00:00.000
date_parse('2026', '%Y') => 2026-01-01 00:00:00.000
date_parse('2026-02-30', '%Y-%m-%d') => error: not a time in the form
date_parse('x', '%Y') => error: not a time in the form
format_datetime(timestamp '2026-01-02 15:04:05.678', 'yyyy-MM-dd''T''HH:mm:ss.SSS') => 2026-01-02T15:04:05.678
format_datetime(from_iso8601_timestamp('2026-01-02T15:04:05+01:00'), 'yy.M.d H Z ZZ ZZZ D w E EEEE MMMM') => 26.1.2 15 +0100 +01:00 +01:00 2 1 Fri Friday January
format_datetime(timestamp '2026-01-02 15:04:05', 'q') => error: no meaning
parse_datetime('2026-01-02 15:04 Europe/Paris', 'yyyy-MM-dd HH:mm ZZZ') => 2026-01-02 15:04:00.000 Europe/Paris
last_day_of_month(date '2025-02-01') => 2025-02-28
parse_duration('3.5h') => 0 03:30:00.000
parse_duration('3.5x') => error: not a duration
human_readable_seconds(0) => 0 seconds
human_readable_seconds(61) => 1 minute, 1 second
at_timezone(timestamp '2026-01-01 12:00:00', '+02:00') => 2026-01-01 14:00:00.000 +02:00
date('2026-01-02 10:00:00') => 2026-01-02
date('x') => error: cannot cast
interval '5' minute => 0 00:05:00.000
interval '-5' minute => -0 00:05:00.000
interval '1.5' second => 0 00:00:01.500
interval 'x' minute => error: not an interval
-- JSON
json_extract('{"a": {"b": [1, {"c": "x"}]}}', '$.a.b[1].c') => "x"
json_extract('{"a": null}', '$.a') => null
json_extract('{"a": 1}', '$.b') => NULL
json_extract('not json', '$.a') => NULL
json_extract('{"a": 1', '$') => NULL
json_extract('{"a": 1} x', '$') => NULL
json_extract(' {"a" : [ 1 , 2 ] } ', '$') => {"a":[1,2]}
json_extract('{"a b": 1}', '$["a b"]') => 1
json_extract('{"a b": 1}', '$[''a b'']') => 1
json_extract('{"AWS:Item": {"x-y": 2}}', '$.AWS:Item.x-y') => 2
json_extract('[1, 2]', '$[5]') => NULL
json_extract('[1, 2]', '$[-1]') => NULL
json_extract('{"a":1}', 'a') => error: not a JSON path
json_extract('{"a":1}', '$.') => error: not a JSON path
json_extract('{"a":1}', '$.a[*]') => error: not a JSON path
json_extract('{"a":1,"a":2}', '$.a') => 1
json_extract('{"\u0061":1}', '$.a') => 1
json_extract(null, '$.a') => NULL
json_extract_scalar('{"a": "x\ny\u00e9"}', '$.a') => x
yé
json_extract_scalar('{"a": 1.50}', '$.a') => 1.50
json_extract_scalar('{"a": true}', '$.a') => true
json_extract_scalar('{"a": null}', '$.a') => NULL
json_extract_scalar('{"a": {}}', '$.a') => NULL
json_extract_scalar('"x"', '$') => x
json_extract_scalar(json_parse('{"a": 1}'), '$.a') => 1
json_parse('{"a": 01}') => error: not valid JSON
json_parse('') => error: not valid JSON
json_parse('{"b":1,"a":{"d":[ ],"c":1e5},"b":2}') => {"a":{"c":1e5,"d":[]},"b":2}
json_parse('"\ud83d\ude00"') => "😀"
json_format(json_parse('{"a": [1, "b"]}')) => {"a":[1,"b"]}
json_array_length('[]') => 0
json_array_length('{}') => NULL
json_array_length('[') => NULL
json_array_get('[1, [2, 3]]', 1) => [2,3]
json_array_get('[1]', 1) => NULL
json_array_get('[1, 2]', -2) => 1
json_array_get('[null]', 0) => NULL
json_array_contains('["a"]', 'a') => true
json_array_contains('[1.0]', 1e0) => true
json_array_contains('[1]', '1') => false
json_array_contains('[true]', true) => true
json_array_contains('{', 'a') => NULL
json_size('{"a": {"b": 1, "c": 2}}', '$.a') => 2
json_size('{"a": 1}', '$.a') => 0
is_json_scalar('1') => true
is_json_scalar('x') => error: not valid
-- arrays
array[1, 2][3] => error: has 2 elements
array[1, 2][0] => error: begin at 1
array[1, 2][-1] => error: negative
element_at(array[1, 2], 3) => NULL
element_at(array[1, 2], -3) => NULL
element_at(array[1, 2], 0) => error: begin at 1
element_at(map(array['a'], array[1]), 'b') => NULL
map(array['a'], array[1])['b'] => error: has no key
map(array['a'], array[1])['a'] => 1
cardinality(array[]) => 0
cardinality(null) => NULL
contains(array[1, null], 2) => NULL
contains(array[1, null], 1) => true
contains(array[], 1) => false
array_position(array[1, 2, 1], 1, 2) => 3
array_position(array[1, 2, 1], 1, -1) => 3
array_position(array[1], 5) => 0
array_distinct(array[1, null, 1, null]) => [1, null]
array_sort(array[]) => []
array_sort(array[3, 1, 2], (x, y) -> y - x) => [3, 2, 1]
array_max(array[1, null]) => NULL
array_max(array[]) => NULL
array_min(array['b', 'a']) => a
array_join(array[1, null, 3], ',') => 1,3
array_join(array[1, null, 3], ',', '?') => 1,?,3
array_union(array[1, null], array[null, 2]) => [1, null, 2]
array_intersect(array[1, null, 1], array[1, null]) => [1, null]
array_except(array[1, null], array[null]) => [1]
array_remove(array[1, null, 2], 1) => [null, 2]
arrays_overlap(array[1, null], array[2]) => NULL
arrays_overlap(array[1], array[2]) => false
slice(array[1, 2, 3], -2, 2) => [2, 3]
slice(array[1, 2, 3], 0, 1) => error: begin at 1
slice(array[1, 2, 3], 4, 1) => []
slice(array[1, 2, 3], 2, 9223372036854775807) => [2, 3]
trim_array(array[1], 2) => error: cannot be taken
sequence(3, 1) => [3, 2, 1]
sequence(1, 5, -1) => error: must lead
sequence(1, 9223372036854775807) => error: more than
sequence(date '2026-01-30', date '2026-02-02') => [2026-01-30, 2026-01-31, 2026-02-01, 2026-02-02]
sequence(date '2026-01-31', date '2026-03-31', interval '1' month) => [2026-01-31, 2026-02-28, 2026-03-31]
repeat(null, 2) => [null, null]
repeat('a', 0) => []
repeat('a', 10000000) => error: more than
flatten(array[array[1], null, array[2]]) => [1, 2]
ngrams(array['a', 'b'], 5) => [[a, b]]
combinations(array[1, 2], 0) => [[]]
combinations(array[1, 2], 6) => error: 0 to 5
contains_sequence(array[1, 2, 3], array[1, 3]) => false
contains_sequence(array[1], array[]) => true
reverse(array[1, 2, 3]) => [3, 2, 1]
filter(array[1, null, 3], x -> x > 1) => [3]
filter(array[], x -> true) => []
filter(null, x -> true) => NULL
transform(array['a', null], x -> x || '!') => [a!, null]
transform(array[array[1, 2], array[3]], x -> cardinality(x)) => [2, 1]
any_match(array[1, null], x -> x > 1) => NULL
any_match(array[], x -> true) => false
all_match(array[], x -> false) => true
all_match(array[null, 1], x -> x > 5) => false
none_match(array[1, null], x -> x > 5) => NULL
reduce(array[], 0, (s, x) -> s + 1, s -> s) => 0
reduce(array[1, 2, 3], 0e0, (s, x) -> s + x, s -> s / 3) => 2.0
reduce(array['a', 'b'], '', (s, x) -> s || x, s -> upper(s)) => AB
zip_with(array[1], array['a', 'b'], (x, y) -> y) => [a, b]
-- maps
map(array['a', 'a'], array[1, 2]) => error: comes twice
map(array['a', null], array[1, 2]) => error: cannot be NULL
map(array['a'], array[1, 2]) => error: 1 keys and 2 values
map() => {}
cardinality(map()) => 0
map_concat(map(), map(array['a'], array[1])) => {a=1}
map_keys(map()) => []
map_values(null) => NULL
map_entries(map(array[1], array[null])) => [{field0=1, field1=null}]
map_filter(map(), (k, v) -> true) => {}
transform_keys(map(array['a', 'b'], array[1, 2]), (k, v) -> 'x') => error: comes twice
-- math
abs(-5) => 5
abs(cast(-128 as tinyint)) => error: no absolute
round(2.5) => 3
round(-2.5) => -3
round(2.5e0) => 3.0
round(2.675e0, 2) => 2.68
round(1.005e0, 2) => 1.01
round(1234, -2) => 1200
round(1250, -2) => 1300
round(1e300, 2) => 1.0E300
round(nan()) => NaN
truncate(1.99e0, 1) => 1.9
truncate(12.345, 1) => 12.300
ceil(-1.5) => -1
floor(1.5e0) => 1.0
sign(-1.5) => -1
sign(0e0) => 0.0
mod(5, 0) => error: division by zero
power(2, 0.5) = sqrt(2) => true
log(2, 0) => -Infinity
log(1, 2) => error: not defined
sqrt(-1) => NaN
width_bucket(-1, 0, 10, 4) => 0
width_bucket(10, 0, 10, 4) => 5
width_bucket(5e0, array[1e0, 4e0, 9e0]) => 2
width_bucket(5, 1, 1, 3) => error: two different
from_base('zz', 36) => 1295
from_base('2', 2) => error: not a number
to_base(-255, 16) => -ff
bit_count(7, 64) => 3
bit_count(300, 8) => error: does not fit
bitwise_left_shift(1, 64) => 0
bitwise_left_shift(1, 31) => -2147483648
bitwise_left_shift(cast(1 as bigint), 40) => 1099511627776
bitwise_right_shift(-8, 1) => 2147483644
bitwise_right_shift(cast(-8 as tinyint), 1) => 124
bitwise_right_shift(cast(-8 as bigint), 1) => 9223372036854775804
bitwise_right_shift_arithmetic(-8, 1) => -4
bitwise_right_shift_arithmetic(-1, 100) => -1
greatest(1, null) => NULL
greatest('a', 'b') => b
greatest(1, 2.5) => 2.5
least(nan(), 1e0) => 1.0
greatest(nan(), 1e0) => 1.0
greatest(1, 'a') => error: does not take
random(0) => error: upper bound
is_nan(1e0) => false
-- conversion
format('%05d|%-5s|%+d|%x|%.2f|%e|%s|%b|%c', 42, 'a', 3, 255, 1.005e0, 12345.678e0, null, true, 'z') => 00042|a    |+3|ff|1.00|1.234568e+04|null|true|z
format('%2$s %1$s', 'a', 'b') => b a
format('%s %<s %s', 'a', 'b') => a a b
format('%<s', 'a') => error: needs more arguments
format('%1$tA, %1$tB %1$te, %1$tY', date '2006-07-04') => Tuesday, July 4, 2006
format('%tF %<tT.%<tL %<tj %<ta %<tb %<tC%<ty', timestamp '2026-03-05 07:08:09.012') => 2026-03-05 07:08:09.012 064 Thu Mar 2026
format('%tI %<tl %<tk %<tp %<Tp %<TB %<tD %<tR %<tr %<tN', timestamp '2026-03-05 17:08:09.012') => 05 5 17 pm PM MARCH 03/05/26 17:08 05:08:09 PM 012000000
format('%tc|%<tz|%<ts|%<tQ', with_timezone(timestamp '2026-03-05 17:08:09.5', 'Europe/Berlin')) => Thu Mar 05 17:08:09 CET 2026|+0100|1772726889|1772726889500
format('%10tH|%-4tM|', time '07:08:09', time '07:08:09') =>         07|08  |
format('%tH', date '2026-03-05') => error: a date has no
format('%tY', time '07:08:09') => error: a time has no
format('%tz', timestamp '2026-03-05 17:08:09') => error: has no time zone
format('%tY', 'a') => error: does not take
format('%tq', date '2026-03-05') => error: no meaning
format('%t', date '2026-03-05') => error: ends inside
format('%tY', cast(null as date)) => null
format('%,.2f', -1234567.891) => -1,234,567.89
format('%(d', -5) => (5)
format('%d', 'a') => error: does not take
format('%s') => error: needs more arguments
format('%q', 1) => error: no meaning
format('100%%') => 100%
format_number(999) => 999
format_number(1000) => 1K
format_number(-1234567) => -1.23M
parse_data_size('1GB') => 1073741824
parse_data_size('1.5YB') => 1813388729421943762059264
parse_data_size('-1B') => error: not a size
parse_data_size('') => error: not a size
parse_data_size('.B') => error: not a size
parse_data_size('99999999999999999999YB') => error: out of range
parse_data_size('1XB') => error: not a size
typeof(null) => unknown
typeof(map(array['a'], array[1.5])) => map(varchar, decimal(2,1))
-- URLs
url_extract_host('http://[::1]:80/x') => ::1
url_extract_port('http://a/') => NULL
url_extract_host(':::') => NULL
url_extract_parameter('http://a/?x=1&x=2&y', 'x') => 1
url_extract_parameter('http://a/?y', 'y') => 
url_extract_parameter('http://a/?y', 'z') => NULL
url_decode('%zz') => error: wrong URL escape
url_encode('é') => %C3%A9
-- addresses
contains('10.0.0.0/8', cast('10.1.2.3' as ipaddress)) => true
contains('10.0.0.0/8', cast('11.1.2.3' as ipaddress)) => false
contains('2001:db8::/32', cast('2001:db8::1' as ipaddress)) => true
contains('2001:db8::/32', cast('10.0.0.1' as ipaddress)) => false
contains('::ffff:10.0.0.0/104', cast('10.0.0.1' as ipaddress)) => true
contains('nonsense', cast('10.0.0.1' as ipaddress)) => error: not a network
contains('10.0.0.0/8', cast(null as ipaddress)) => NULL
cast('10.0.0.1' as ipaddress) < cast('10.0.0.2' as ipaddress) => true
ip_prefix('2001:db8::1', 32) => 2001:db8::/32
ip_prefix('10.0.0.1', 33) => error: no prefix
ip_subnet_max('2001:db8::/126') => 2001:db8::3
is_subnet_of('10.0.0.0/8', cast('10.0.0.9' as ipaddress)) => true
-- hashes
to_hex(md5(to_utf8(''))) => D41D8CD98F00B204E9800998ECF8427E
to_hex(hmac_sha256(to_utf8('what do ya want for nothing?'), to_utf8('Jefe'))) => 5BDCC146BF60754E6A042426089575C75A003F089D2739839DEC58B964EC3843
to_hex(murmur3(to_utf8('The quick brown fox jumps over the lazy dog'))) => E34BBC7BBC071B6C7A433CA9C49A9347
from_hex('zz') => error: not hexadecimal
from_base64('YQ') => 61
from_base64('!') => error: not base64
from_big_endian_64(from_hex('00')) => error: 8 bytes are wanted
md5('a') => error: does not take
`

func TestCases(t *testing.T) {
	lines := strings.Split(cases, "\n")
	for i := 0; i < len(lines); i++ {
		expr, want, ok := strings.Cut(lines[i], " =>")
		if !ok || strings.HasPrefix(expr, "--") {
			continue
		}
		want = strings.TrimPrefix(want, " ")
		for i+1 < len(lines) && lines[i+1] != "" && !strings.Contains(lines[i+1], " =>") && !strings.HasPrefix(lines[i+1], "--") {
			i++
			want += "\n" + lines[i]
		}
		got := valueOf(t, expr)
		if text, isError := strings.CutPrefix(want, "error: "); isError {
			if !strings.HasPrefix(got, "error: ") || !strings.Contains(got, text) {
				t.Errorf("%s is %s, want an error with %q", expr, got, text)
			}
			continue
		}
		if got != want {
			t.Errorf("%s is %s, want %s", expr, got, want)
		}
	}
}
