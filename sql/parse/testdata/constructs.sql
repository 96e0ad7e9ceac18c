# Names of tables: bare IDs, dotted names, quoted names.
trino
SELECT * FROM 7d0e4f1a-1e22-4c6b-8f3d-0123456789ab
----
(query (select * (from 7d0e4f1a-1e22-4c6b-8f3d-0123456789ab)))

trino
SELECT e.eventName FROM 3e120000-1e22-4c6b-8f3d-0123456789ab AS e, b-2e5-x JOIN 12-34-1e5 ON true
----
(query (select e.eventName (from (table 3e120000-1e22-4c6b-8f3d-0123456789ab (as e)) (join-inner b-2e5-x 12-34-1e5 (on true)))))

trino
SELECT 7d0e4f1a-1e22-4c6b-8f3d-0123456789ab.eventName FROM 7d0e4f1a-1e22-4c6b-8f3d-0123456789ab
----
(query (select 7d0e4f1a-1e22-4c6b-8f3d-0123456789ab.eventName (from 7d0e4f1a-1e22-4c6b-8f3d-0123456789ab)))

trino
SELECT count(*) FROM EXAMPLE-f852-4e8f-8bd1-bcf6cEXAMPLE WHERE a-b > 0
----
(query (select (count() *) (from EXAMPLE-f852-4e8f-8bd1-bcf6cEXAMPLE) (where (> (- a b) 0))))

trino
SELECT * FROM cat.sch.tab, "Some Store"."T" x, "7d0e4f1a-1e22"
----
(query (select * (from cat.sch.tab (table "Some Store"."T" (as x)) "7d0e4f1a-1e22")))

trino
SELECT * FROM events--no hyphen
----
(query (select * (from events)))

# Dotted names, of any depth; any word may follow a dot.
trino
SELECT a.b.c.d.e, userIdentity.sessionContext."sessionIssuer".ARN, t.order, u.select.from FROM t
----
(query (select a.b.c.d.e userIdentity.sessionContext."sessionIssuer".ARN t.order u.select.from (from t)))

trino
SELECT "$path", "a ""b""", key, rank, groups, value, user, index, system, usage, read, condition, div, xor, regexp, binary, rows, filter, first, last, date, time, timestamp, interval, json, map, "row", over, offset, limit FROM t
----
(query (select "$path" "a ""b""" key rank groups value user index system usage read condition div xor regexp binary rows filter first last date time timestamp interval json map "row" over offset limit (from t)))

# Wildcards.
trino
SELECT *, t.*, s.t.*, (r).*, element_at(xs, 1).* FROM t
----
(query (select * t.* s.t.* (star r) (star (element_at() xs 1)) (from t)))

# Steps behind an expression.
trino
SELECT element_at(xs, 1).arn, (x).f, (x.y).f.g, xs[1], m['k'], a.b[1].c[2].d, f(x)[1][2] FROM t
----
(query (select (field (element_at() xs 1) arn) (field x f) (field (field x.y f) g) (subscript xs 1) (subscript m 'k') (field (subscript (field (subscript a.b 1) c) 2) d) (subscript (subscript (f() x) 1) 2) (from t)))

postgres
SELECT xs[1:2], xs[:2], xs[1:], xs[i + 1], (a || b)[1] FROM t
----
(query (select (slice xs 1 2) (slice xs _ 2) (slice xs 1 _) (subscript xs (+ i 1)) (subscript (|| a b) 1) (from t)))

# Arrays, rows, subqueries in arrays.
trino
SELECT ARRAY[1, 2], ARRAY[], ARRAY[ARRAY[1], ARRAY[2, 3]], ARRAY[1, 2][1], ROW(1, 'a'), (1, 'a'), ROW(1) FROM t
----
(query (select (array 1 2) (array) (array (array 1) (array 2 3)) (subscript (array 1 2) 1) (row 1 'a') (row 1 'a') (row 1) (from t)))

postgres
SELECT ARRAY[[1, 2], [3]], ARRAY(SELECT x FROM t), array_length(ARRAY[1], 1)
----
(query (select (array (array 1 2) (array 3)) (array (query (select x (from t)))) (array_length() (array 1) 1)))

# Casts and types.
trino
SELECT CAST(x AS bigint), CAST(x AS map(varchar, json)), TRY_CAST(x AS decimal(10, 2)), x::int, -1::int, a.b::varchar(10)::json FROM t
----
(query (select (cast x bigint) (cast x map(varchar,json)) (try-cast x decimal(10,2)) (cast x int) (- (cast 1 int)) (cast (cast a.b varchar(10)) json) (from t)))

trino
SELECT CAST(x AS timestamp(3) with time zone), CAST(x AS double precision), CAST(x AS time without time zone), CAST(x AS interval day to second), CAST(x AS character varying(3)) FROM t
----
(query (select (cast x timestamp(3) with time zone) (cast x double precision) (cast x time) (cast x interval day to second) (cast x character varying(3)) (from t)))

trino
SELECT CAST(x AS row(a bigint, b row(c varchar, d array(double)))), CAST(x AS row(bigint, varchar)), CAST(x AS row("A b" double precision, t timestamp(3), d double)) FROM t
----
(query (select (cast x row(a bigint,b row(c varchar,d array(double)))) (cast x row(bigint,varchar)) (cast x row("A b" double precision,t timestamp(3),d double)) (from t)))

trino
SELECT CAST(x AS array(array<map<varchar, array<int>>>)), CAST(x AS varchar array), CAST(x AS row(ts timestamp with time zone, xs bigint array)) FROM t
----
(query (select (cast x array(array(map(varchar,array(int))))) (cast x array(varchar)) (cast x row(ts timestamp with time zone,xs array(bigint))) (from t)))

postgres
SELECT x::int4[], x::text[][], 'pg_class'::pg_catalog.regclass, x::"char", x::numeric(5, 1), ARRAY[]::text[]
----
(query (select (cast x array(int4)) (cast x array(array(text))) (cast 'pg_class' regclass) (cast x char) (cast x numeric(5,1)) (cast (array) array(text))))

# Typed literals and intervals.
trino
SELECT timestamp '2026-01-01 00:00:00', date '2026-01-01', time '01:02', timestamp with time zone '2026-01-01 UTC', timestamp(3) '2026-01-01', decimal '1.50', json '{}', ipaddress '10.0.0.1', uuid 'x', double '1', double precision '2', varchar 'a'
----
(query (select (typed timestamp '2026-01-01 00:00:00') (typed date '2026-01-01') (typed time '01:02') (typed timestamp with time zone '2026-01-01 UTC') (typed timestamp(3) '2026-01-01') (typed decimal '1.50') (typed json '{}') (typed ipaddress '10.0.0.1') (typed uuid 'x') (typed double '1') (typed double precision '2') (typed varchar 'a')))

trino
SELECT interval '7' day, interval '7 days', interval - '2' hour, interval '1-2' year to month, interval '3' DAYS, now() - interval '1' week, - interval '1' month
----
(query (select (interval '7' day) (interval '7 days') (interval - '2' hour) (interval '1-2' year to month) (interval '3' day) (- (now()) (interval '1' week)) (- (interval '1' month))))

# Time zones bind tighter than arithmetic and go from left to right.
trino
SELECT eventTime AT TIME ZONE 'UTC', a + b AT TIME ZONE 'UTC' AT TIME ZONE z.name, x AT TIME ZONE interval '2' hour, current_timestamp AT TIME ZONE 'Europe/Vienna' FROM t
----
(query (select (at-zone eventTime 'UTC') (+ a (at-zone (at-zone b 'UTC') z.name)) (at-zone x (interval '2' hour)) (at-zone (current_timestamp()) 'Europe/Vienna') (from t)))

# Unnesting.
trino
SELECT * FROM t CROSS JOIN UNNEST(resources) AS r(accountid, type, arn, arnprefix)
----
(query (select * (from (join-cross t (unnest resources (as r accountid type arn arnprefix))))))

trino
SELECT * FROM t, UNNEST(a, b) WITH ORDINALITY AS x(p, q, n), UNNEST(m) u LEFT JOIN UNNEST(c) ON TRUE, LATERAL UNNEST(d)
----
(query (select * (from t (unnest-ordinality a b (as x p q n)) (join-left (unnest m (as u)) (unnest c) (on true)) (unnest d))))

trino
SELECT x FROM UNNEST(ARRAY[1, 2]) AS t(x)
----
(query (select x (from (unnest (array 1 2) (as t x)))))

# Functions in FROM.
postgres
SELECT * FROM generate_series(1, 3) AS g, pg_catalog.f() h(a, b), LATERAL jsonb_each(x) j
----
(query (select * (from (table-function (generate_series() 1 3) (as g)) (table-function (pg_catalog.f()) (as h a b)) (table-function (jsonb_each() x) (as j)))))

trino
SELECT * FROM TABLE(sequence(1, 10)) AS s(n)
----
(query (select * (from (table-function (sequence() 1 10) (as s n)))))

# Derived tables.
trino
SELECT * FROM (SELECT 1), (SELECT 2) x, (SELECT 3) AS y(a, b), LATERAL (SELECT y.a) AS z(c), ((SELECT 4)) w
----
(query (select * (from (derived (query (select 1))) (derived (query (select 2)) (as x)) (derived (query (select 3)) (as y a b)) (lateral (query (select y.a)) (as z c)) (derived (query (select 4)) (as w)))))

trino
SELECT * FROM t AS u(a, b), (VALUES (1, 'a'), (2, 'b')) AS v(n, s), (VALUES 1, 2)
----
(query (select * (from (table t (as u a b)) (derived (query (values (row 1 'a') (row 2 'b'))) (as v n s)) (derived (query (values (row 1) (row 2)))))))

trino
VALUES (1, 'a'), ROW(2, 'b')
----
(query (values (row 1 'a') (row 2 'b')))

trino
VALUES 1, 2 + 3 ORDER BY 1 LIMIT 1
----
(query (values (row 1) (row (+ 2 3))) (order 1) (limit 1))

trino
TABLE events
----
(query (select * (from events)))

trino
SELECT * FROM t WHERE x IN (VALUES 1, 2) AND (a, b) IN (TABLE u)
----
(query (select * (from t) (where (and (in x (query (values (row 1) (row 2)))) (in (row a b) (query (select * (from u))))))))

# Joins.
trino
SELECT * FROM a FULL OUTER JOIN b ON a.x = b.x FULL JOIN c USING (k, l) LEFT OUTER JOIN d ON TRUE RIGHT JOIN e ON 1 = 1 INNER JOIN f USING (k) CROSS JOIN g
----
(query (select * (from (join-cross (join-inner (join-right (join-left (join-full (join-full a b (on (= a.x b.x))) c (using k l)) d (on true)) e (on (= 1 1))) f (using k)) g))))

trino
SELECT * FROM a JOIN b JOIN c ON b.x = c.x ON a.y = b.y
----
(query (select * (from (join-inner a (join-inner b c (on (= b.x c.x))) (on (= a.y b.y))))))

trino
SELECT * FROM a JOIN b CROSS JOIN c LEFT JOIN d ON d.x = c.x ON a.y = b.y, e
----
(query (select * (from (join-inner a (join-left (join-cross b c) d (on (= d.x c.x))) (on (= a.y b.y))) e)))

trino
SELECT * FROM (a JOIN b ON a.x = b.x) LEFT JOIN (c CROSS JOIN (d)) ON a.y = c.y
----
(query (select * (from (join-left (join-inner a b (on (= a.x b.x))) (join-cross c d) (on (= a.y c.y))))))

trino
SELECT * FROM a AS x JOIN a AS y ON x.id = y.parent AND x.n < y.n WHERE x.id <> y.id
----
(query (select * (from (join-inner (table a (as x)) (table a (as y)) (on (and (= x.id y.parent) (< x.n y.n))))) (where (<> x.id y.id))))

# Lambdas.
trino
SELECT filter(xs, x -> x.n > 1), transform(xs, x -> x + y), reduce(xs, 0, (s, x) -> s + x, s -> s), f(() -> 1), map_filter(m, (k, v) -> k LIKE 'a%' AND v IS NOT NULL), g(x -> y -> x + y), h((x), (a, b)) FROM t
----
(query (select (filter() xs (lambda (x) (> x.n 1))) (transform() xs (lambda (x) (+ x y))) (reduce() xs 0 (lambda (s x) (+ s x)) (lambda (s) s)) (f() (lambda () 1)) (map_filter() m (lambda (k v) (and (like k 'a%') (not-is null v)))) (g() (lambda (x) (lambda (y) (+ x y)))) (h() x (row a b)) (from t)))

postgres
SELECT any_match(j -> 'items', x -> x -> 'id' = y), j -> 'a' -> 0 ->> 'b', transform(xs, x -> x + 1) FROM t
----
(query (select (any_match() (-> j 'items') (lambda (x) (= (-> x 'id') y))) (->> (-> (-> j 'a') 0) 'b') (transform() xs (lambda (x) (+ x 1))) (from t)))

# Operators on texts and their rank.
trino
SELECT a || b || 'x', a + 1 || 'x', 'x' || a * 2, a || b = c || d, a LIKE b || '%', a || b IS NULL FROM t
----
(query (select (|| (|| a b) 'x') (|| (+ a 1) 'x') (|| 'x' (* a 2)) (= (|| a b) (|| c d)) (like a (|| b '%')) (is null (|| a b)) (from t)))

postgres
SELECT j ->> 'a' || 'b', j #> k, j #>> k, j @> k, j <@ k, a && b, a + 1 @> b * 2, j -> 'a' = k FROM t
----
(query (select (|| (->> j 'a') 'b') (#> j k) (#>> j k) (@> j k) (<@ j k) (&& a b) (@> (+ a 1) (* b 2)) (= (-> j 'a') k) (from t)))

postgres
SELECT a ~ 'x', a !~ 'x', a ~* b || c, a !~* 'x' AND b, NOT a ~ b, a OPERATOR(pg_catalog.~) 'x', a OPERATOR(=) b + c, a ~~ 'x%', a !~~ 'x', a ~~* 'x', a !~~* b || '%' FROM t
----
(query (select (~ a 'x') (!~ a 'x') (|| (~* a b) c) (and (!~* a 'x') b) (not (~ a b)) (~ a 'x') (= a (+ b c)) (like a 'x%') (not-like a 'x') (ilike a 'x') (|| (not-ilike a b) '%') (from t)))

postgres
SELECT 2 ^ 3 ^ 4, - 2 ^ 2, a * b ^ c FROM t
----
(query (select (^ (^ 2 3) 4) (^ (- 2) 2) (* a (^ b c)) (from t)))

# LIKE and its kin.
trino
SELECT a LIKE 'x%', a NOT LIKE b || '%' ESCAPE '\', a ILIKE 'X', a NOT ILIKE lower(b), a LIKE 'x' AND b LIKE 'y' FROM t
----
(query (select (like a 'x%') (not-like a (|| b '%') (escape '\')) (ilike a 'X') (not-ilike a (lower() b)) (and (like a 'x') (like b 'y')) (from t)))

postgres
SELECT a LIKE ANY (ARRAY['x', 'y']), a NOT ILIKE ALL (b) FROM t
----
(query (select (like any a (array 'x' 'y')) (not ilike all a b) (from t)))

# Comparisons.
trino
SELECT a IS DISTINCT FROM b + 1, a IS NOT DISTINCT FROM b AND c, a IS NULL, a IS NOT NULL, a IS TRUE, a IS NOT FALSE, (a = b) IS UNKNOWN, a != b, a <> b FROM t
----
(query (select (distinct-from a (+ b 1)) (and (not-distinct-from a b) c) (is null a) (not-is null a) (is true a) (not-is false a) (is unknown (= a b)) (<> a b) (<> a b) (from t)))

trino
SELECT a BETWEEN 1 AND 2, a NOT BETWEEN b + 1 AND c * 2 AND d, a IN (1, 2), a NOT IN (SELECT b FROM u), a IN ((SELECT 1), 2), (a, b) IN ((1, 2), (3, 4)) FROM t
----
(query (select (between a 1 2) (and (not-between a (+ b 1) (* c 2)) d) (in a 1 2) (not-in a (query (select b (from u)))) (in a (query (select 1)) 2) (in (row a b) (row 1 2) (row 3 4)) (from t)))

trino
SELECT a = ANY (SELECT b FROM u), a <> ALL (SELECT b FROM u), a < SOME (VALUES 1), a >= ALL (ARRAY[1, 2]), a + 1 = ANY (b) AND c FROM t
----
(query (select (= any a (query (select b (from u)))) (<> all a (query (select b (from u)))) (< any a (query (values (row 1)))) (>= all a (array 1 2)) (and (= any (+ a 1) b) c) (from t)))

postgres
SELECT a = b IS NULL, a IS NULL = b, a = b LIKE c, a LIKE b = c, a IS NULL IS NULL, a ISNULL, a NOTNULL FROM t
----
(query (select (is null (= a b)) (= (is null a) b) (= a (like b c)) (= (like a b) c) (is null (is null a)) (is null a) (not-is null a) (from t)))

# Aggregates.
trino
SELECT count(*), count (*), count(DISTINCT x), sum(ALL x), array_agg(x ORDER BY y DESC NULLS LAST, z) FILTER (WHERE a > 1), max_by(a, b), listagg(x, ',') WITHIN GROUP (ORDER BY y), count(*) FILTER (WHERE b) AS filter FROM t
----
(query (select (count() *) (count() *) (count() distinct x) (sum() x) (array_agg() x (order (desc-nulls-last y) z) (filter (> a 1))) (max_by() a b) (listagg() x ',' (within y)) (as (count() * (filter b)) filter) (from t)))

# Windows.
trino
SELECT f(a, b) OVER (PARTITION BY x, y ORDER BY z DESC, w), count(*) OVER (), rank() OVER w, sum(x) OVER (w ROWS 1 PRECEDING), lag(x, 1) IGNORE NULLS OVER (ORDER BY t), lead(x) RESPECT NULLS OVER w2 FROM t WINDOW w AS (PARTITION BY a), w2 AS (w ORDER BY b)
----
(query (select (f() a b (over (partition x y) (order (desc z) w))) (count() * (over)) (rank() (over w)) (sum() x (over w (rows (preceding 1) (current row)))) (lag() x 1 ignore-nulls (over (order t))) (lead() x (over w2)) (from t) (window w (over (partition a))) (window w2 (over w (order b)))))

trino
SELECT sum(x) OVER (ORDER BY t ROWS BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW), sum(x) OVER (ORDER BY t RANGE BETWEEN interval '1' day PRECEDING AND n + 1 FOLLOWING), sum(x) OVER (ORDER BY t GROUPS BETWEEN CURRENT ROW AND UNBOUNDED FOLLOWING), avg(x) FILTER (WHERE y) OVER (RANGE UNBOUNDED PRECEDING) FROM t
----
(query (select (sum() x (over (order t) (rows (unbounded preceding) (current row)))) (sum() x (over (order t) (range (preceding (interval '1' day)) (following (+ n 1))))) (sum() x (over (order t) (groups (current row) (unbounded following)))) (avg() x (filter y) (over (range (unbounded preceding) (current row)))) (from t)))

# Ordering and limits.
trino
SELECT a FROM t ORDER BY a NULLS FIRST, 2 DESC NULLS LAST, lower(b) ASC, c + 1 DESC
----
(query (select a (from t)) (order (asc-nulls-first a) (desc-nulls-last 2) (lower() b) (desc (+ c 1))))

trino
SELECT a FROM t ORDER BY a OFFSET 5 ROWS LIMIT 10
----
(query (select a (from t)) (order a) (limit 10) (offset 5))

postgres
SELECT a FROM t LIMIT 10 OFFSET 5
----
(query (select a (from t)) (limit 10) (offset 5))

trino
SELECT a FROM t LIMIT ALL
----
(query (select a (from t)))

trino
SELECT a FROM t OFFSET ? ROW FETCH FIRST ? ROWS ONLY
----
(query (select a (from t)) (limit $2) (offset $1))

trino
SELECT a FROM t FETCH NEXT ROW ONLY
----
(query (select a (from t)) (limit 1))

trino
SELECT a FROM t ORDER BY a OFFSET 2 FETCH FIRST 5 ROWS WITH TIES
----
(query (select a (from t)) (order a) (limit-ties 5) (offset 2))

trino
SELECT a FROM (SELECT b FROM t ORDER BY b FETCH NEXT ROW WITH TIES) UNION ALL TABLE u ORDER BY 1 FETCH FIRST ? ROWS WITH TIES
----
(query (union-all (select a (from (derived (query (select b (from t)) (order b) (limit-ties 1))))) (select * (from u))) (order 1) (limit-ties $1))

trino
SELECT * FROM t TABLESAMPLE BERNOULLI (10), u AS v (a, b) tablesample system (?) JOIN (SELECT 1) w TABLESAMPLE SYSTEM (1.5) ON TRUE CROSS JOIN UNNEST(x) TABLESAMPLE BERNOULLI (1e1)
----
(query (select * (from (sample-bernoulli 10 t) (join-cross (join-inner (sample-system $1 (table u (as v a b))) (sample-system 1.5 (derived (query (select 1)) (as w))) (on true)) (sample-bernoulli 1e1 (unnest x))))))

trino
SELECT tablesample, bernoulli, system, ties FROM t tablesample SYSTEM (0) WHERE ties
----
(query (select tablesample bernoulli system ties (from (sample-system 0 t)) (where ties)))

# Grouping.
trino
SELECT a FROM t GROUP BY a, 2, lower(b), (c, d), (e), (f) || g, ()
----
(query (select a (from t) (group a 2 (lower() b) c d e (|| f g) (sets (set)))))

trino
SELECT a, grouping(a, b) FROM t GROUP BY ROLLUP (a, (b, c), d)
----
(query (select a (grouping() a b) (from t) (group (sets (set a b c d) (set a b c) (set a) (set)))))

trino
SELECT a FROM t GROUP BY CUBE (a, b), x
----
(query (select a (from t) (group (sets (set a b) (set a) (set b) (set)) x)))

trino
SELECT a FROM t GROUP BY ALL GROUPING SETS ((a, b), a, (), ROLLUP (c, d), GROUPING SETS ((e), f)) HAVING count(*) > 1
----
(query (select a (from t) (group (sets (set a b) (set a) (set) (set c d) (set c) (set) (set e) (set f))) (having (> (count() *) 1))))

trino
SELECT count(*) FROM t HAVING count(*) > 1
----
(query (select (count() *) (from t) (having (> (count() *) 1))))

# DISTINCT.
trino
SELECT DISTINCT a, b FROM t
----
(query (select-distinct a b (from t)))

trino
SELECT ALL a FROM t
----
(query (select a (from t)))

trino
SELECT DISTINCT ON (a, lower(b)) a, c FROM t ORDER BY a, lower(b), c DESC
----
(query (select-distinct (on a (lower() b)) a c (from t)) (order a (lower() b) (desc c)))

# Parameters.
trino
SELECT ?, a + ?, '?' FROM t WHERE x = ? LIMIT ?
----
(query (select $1 (+ a $2) '?' (from t) (where (= x $3))) (limit $4))

postgres
SELECT $2, $1, $2 FROM t LIMIT $3
----
(query (select $2 $1 $2 (from t)) (limit $3))

# Functions with words between their arguments.
trino
SELECT EXTRACT(epoch FROM x), extract('day' FROM a + b), POSITION('a' IN b || c), SUBSTRING(s FROM 2 FOR 3), SUBSTRING(s FROM 2), substring(s, 1, 2), TRIM(s), TRIM(s, 'x'), TRIM(BOTH FROM s), TRIM(LEADING 'x' FROM s), TRIM(TRAILING FROM s), TRIM('x' FROM s), OVERLAY(a PLACING b FROM 1 FOR 2), NORMALIZE(s), NORMALIZE(s, NFD) FROM t
----
(query (select (EXTRACT() 'epoch' x) (extract() 'day' (+ a b)) (POSITION() 'a' (|| b c)) (SUBSTRING() s 2 3) (SUBSTRING() s 2) (substring() s 1 2) (TRIM() s) (TRIM() s 'x') (TRIM() s) (ltrim() s 'x') (rtrim() s) (TRIM() s 'x') (OVERLAY() a b 1 2) (NORMALIZE() s) (NORMALIZE() s 'NFD') (from t)))

postgres
SELECT TRIM(LEADING s), SUBSTRING(s FOR 2), left(s, 2), right(s, 1), position('a' in b) FROM t
----
(query (select (ltrim() s) (SUBSTRING() s 1 2) (left() s 2) (right() s 1) (position() 'a' b) (from t)))

trino
SELECT current_timestamp, current_timestamp(3), CURRENT_DATE, current_time, LOCALTIME, localtimestamp, current_user, current_catalog, current_schema, now() FROM t
----
(query (select (current_timestamp()) (current_timestamp() 3) (CURRENT_DATE()) (current_time()) (LOCALTIME()) (localtimestamp()) (current_user()) (current_catalog()) (current_schema()) (now()) (from t)))

trino
SELECT COALESCE(a, b), NULLIF(a, b), IF(a, b, c), TRY(a / b), GREATEST(1, 2), format('%s', a) FROM t
----
(query (select (COALESCE() a b) (NULLIF() a b) (IF() a b c) (TRY() (/ a b)) (GREATEST() 1 2) (format() '%s' a) (from t)))

# CASE.
trino
SELECT CASE WHEN a > 1 THEN 'x' WHEN b THEN 'y' ELSE 'z' END, CASE a WHEN 1 THEN 'x' END, CASE WHEN a THEN CASE b WHEN c THEN 1 END END + 1, (CASE WHEN a THEN r END).f FROM t
----
(query (select (case (when (> a 1) 'x') (when b 'y') (else 'z')) (case a (when 1 'x')) (+ (case (when a (case b (when c 1)))) 1) (field (case (when a r)) f) (from t)))

# WITH.
trino
WITH a AS (SELECT 1 AS x), b (y, z) AS (SELECT 2, 3), c AS MATERIALIZED (SELECT 4), d AS NOT MATERIALIZED (SELECT 5) SELECT * FROM a, b ORDER BY 1
----
(query (with (a (query (select (as 1 x)))) (b (columns y z) (query (select 2 3))) (c (query (select 4))) (d (query (select 5)))) (select * (from a b)) (order 1))

trino
WITH RECURSIVE r (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM r WHERE n < 5) SELECT n FROM r LIMIT 3
----
(query (with-recursive (r (columns n) (query (union-all (select 1) (select (+ n 1) (from r) (where (< n 5))))))) (select n (from r)) (limit 3))

trino
WITH a AS (WITH b AS (SELECT 1) SELECT * FROM b) SELECT * FROM a WHERE x IN (WITH c AS (SELECT 2) SELECT * FROM c)
----
(query (with (a (query (with (b (query (select 1)))) (select * (from b))))) (select * (from a) (where (in x (query (with (c (query (select 2)))) (select * (from c)))))))

trino
WITH a AS (SELECT 1) (WITH b AS (SELECT 2) SELECT * FROM a, b) UNION SELECT 3
----
(query (with (a (query (select 1)))) (union (query (with (b (query (select 2)))) (select * (from a b))) (select 3)))

trino
WITH a AS (SELECT 1) (SELECT * FROM a LIMIT 1) ORDER BY 1
----
(query (with (a (query (select 1)))) (query (select * (from a)) (limit 1)) (order 1))

# Set operations: INTERSECT binds tighter, the rest from left to right.
trino
SELECT 1 UNION SELECT 2 EXCEPT SELECT 3
----
(query (except (union (select 1) (select 2)) (select 3)))

trino
SELECT 1 UNION ALL SELECT 2 INTERSECT SELECT 3 EXCEPT ALL SELECT 4 INTERSECT ALL SELECT 5
----
(query (except-all (union-all (select 1) (intersect (select 2) (select 3))) (intersect-all (select 4) (select 5))))

trino
(SELECT 1 UNION SELECT 2) INTERSECT (SELECT 3 EXCEPT DISTINCT SELECT 4)
----
(query (intersect (union (select 1) (select 2)) (except (select 3) (select 4))))

trino
(SELECT a FROM t ORDER BY a LIMIT 1) UNION ALL (SELECT b FROM u LIMIT 2) ORDER BY 1 DESC LIMIT 3
----
(query (union-all (query (select a (from t)) (order a) (limit 1)) (query (select b (from u)) (limit 2))) (order (desc 1)) (limit 3))

trino
SELECT 1 UNION VALUES 2 UNION TABLE t UNION ((SELECT 4))
----
(query (union (union (union (select 1) (values (row 2))) (select * (from t))) (select 4)))

trino
((SELECT 1) UNION (SELECT 2)) ORDER BY 1
----
(query (union (select 1) (select 2)) (order 1))

trino
SELECT ((SELECT 1) UNION (SELECT 2)), ((SELECT 1) + 2), (((SELECT 1))), ((SELECT a FROM t LIMIT 1)) FROM t
----
(query (select (query (union (select 1) (select 2))) (+ (query (select 1)) 2) (query (select 1)) (query (select a (from t)) (limit 1)) (from t)))

# Texts.
trino
SELECT 'it''s', '', 'a\n', U&'d\0061t\+000061', U&'d!0061!!' UESCAPE '!', X'41 42', x'', U&"d\0061ta" FROM t
----
(query (select 'it''s' '' 'a\n' 'data' 'da!' x'4142' x'' "data" (from t)))

postgres
SELECT E'a\n\t\'\\\x41\u00e4\101', $$a'b$$, $tag$a $$ b$tag$, 'a'
  'b', U&'\0441'
----
(query (select 'a
	''\AäA' 'a''b' 'a $$ b' 'ab' 'с'))

# Numbers.
trino
SELECT 1, 1.50, .5, 1., 1e5, 1.5E-3, 0x1F, 0b101, 0o17, 1_000, 1_0.5_0, -9223372036854775808, - 9223372036854775808 - 1, 9223372036854775808, 007
----
(query (select 1 1.50 0.5 1 1e5 1.5E-3 31 5 15 1000 10.50 -9223372036854775808 (- -9223372036854775808 1) 9223372036854775808 007))

# Comments and blanks.
trino
SELECT /* a; 'b */ 1 -- c ' d
  + /**/ 2 /*! 99, */ /*+ hint */ FROM t -- end
----
(query (select (+ 1 2) (from t)))

postgres
SELECT /* a /* b */ c */ 1
----
(query (select 1))

# Booleans.
trino
SELECT NOT a AND b OR NOT NOT c AND (d OR e), true, FALSE, NULL, NOT a = b, NOT a IN (1), NOT a IS NULL FROM t WHERE a
----
(query (select (or (and (not a) b) (and (not (not c)) (or d e))) true false null (not (= a b)) (not (in a 1)) (not (is null a)) (from t) (where a)))

trino
SELECT -a + +b - - c, -(-a), -a.b[1], a-b, a -1, a*-1 FROM t
----
(query (select (- (+ (- a) (+ b)) (- c)) (- (- a)) (- (subscript a.b 1)) (- a b) (- a 1) (* a (- 1)) (from t)))

# Postgres allows an empty list and any word after AS.
postgres
SELECT FROM t
----
(query (select (from t)))

postgres
SELECT a AS select, b AS from, c "order", 1 AS end
----
(query (select (as a select) (as b from) (as c "order") (as 1 end)))

postgres
SELECT a COLLATE "C", b COLLATE pg_catalog.default || 'x' FROM t ORDER BY c COLLATE "POSIX" DESC
----
(query (select a (|| b 'x') (from t)) (order (desc c)))

# SQL/JSON.
trino
SELECT json_value(x, 'lax $.a'), JSON_VALUE(x FORMAT JSON, '$.a' PASSING a + 1 AS p, b AS "Q" RETURNING bigint DEFAULT -1 ON EMPTY NULL ON ERROR), json_exists(x, '$.a' FALSE ON ERROR), json_query(x, '$.a' RETURNING varchar WITH CONDITIONAL ARRAY WRAPPER OMIT QUOTES ON SCALAR STRING EMPTY ARRAY ON EMPTY ERROR ON ERROR), json_query(x, '$' WITHOUT WRAPPER) FROM t
----
(query (select (json_value x 'lax $.a') (json_value x '$.a' (+ a 1) b (passing p "Q") (returning bigint) (on-empty default (- 1)) (on-error null)) (json_exists x '$.a' (on-error false)) (json_query x '$.a' (returning varchar) (wrapper conditional) (on-empty empty array) (on-error error) omit-quotes) (json_query x '$' (wrapper without)) (from t)))

trino
SELECT json_object('a' : 1, KEY b VALUE c + 1, 'd' VALUE 2 NULL ON NULL WITH UNIQUE KEYS), json_object(), json_array(1, a || b ABSENT ON NULL RETURNING varchar), json_array() FROM t
----
(query (select (json_object 'a' 1 b (+ c 1) 'd' 2 (on-null null) unique-keys) (json_object) (json_array 1 (|| a b) (returning varchar) (on-null absent)) (json_array) (from t)))

# Subqueries.
trino
SELECT (SELECT max(x) FROM t), EXISTS (SELECT 1), NOT EXISTS (SELECT 2), (SELECT 1).f, (SELECT r FROM t LIMIT 1)[1] FROM t WHERE (SELECT true)
----
(query (select (query (select (max() x) (from t))) (exists (query (select 1))) (not (exists (query (select 2)))) (field (query (select 1)) f) (subscript (query (select r (from t)) (limit 1)) 1) (from t) (where (query (select true)))))

trino
SELECT a FROM t WHERE b IN (SELECT c FROM u WHERE u.d = t.d ORDER BY c LIMIT 5)
----
(query (select a (from t) (where (in b (query (select c (from u) (where (= u.d t.d))) (order c) (limit 5))))))

# Commands.
trino
EXPLAIN SELECT a FROM t;
----
(explain (query (select a (from t))))

trino
EXPLAIN ANALYZE VERBOSE WITH a AS (SELECT 1) SELECT * FROM a
----
(explain-analyze (query (with (a (query (select 1)))) (select * (from a))))

postgres
EXPLAIN (ANALYZE, VERBOSE on, COSTS OFF, BUFFERS true, TIMING 0, FORMAT text) SELECT 1
----
(explain-analyze (query (select 1)))

postgres
EXPLAIN (ANALYZE false, SUMMARY) SELECT 1
----
(explain (query (select 1)))

postgres
EXPLAIN (VERBOSE) (SELECT 1)
----
(explain (query (select 1)))

trino
EXPLAIN (SELECT 1)
----
(explain (query (select 1)))

trino
SHOW TABLES
----
(show tables)

trino
SHOW TABLES LIKE 'a%';
----
(show tables (like 'a%'))

trino
SHOW COLUMNS FROM 7d0e4f1a-1e22-4c6b-8f3d-0123456789ab
----
(show columns 7d0e4f1a-1e22-4c6b-8f3d-0123456789ab)

trino
SHOW COLUMNS IN a.b LIKE 'x'
----
(show columns a.b (like 'x'))

trino
DESCRIBE abc-12e5
----
(show columns abc-12e5)

trino
DESC "My Store"
----
(show columns "My Store")

trino
SHOW FUNCTIONS
----
(show functions)

trino
SHOW FUNCTIONS LIKE '%json%' ;;
----
(show functions (like '%json%'))

# Words of other grammars are names like any other.
trino
SELECT STRAIGHT_JOIN a FROM t
----
(query (select (as STRAIGHT_JOIN a) (from t)))

trino
SELECT * FROM t PARTITION (p0)
----
(query (select * (from (table t (as PARTITION p0)))))

# A query in parentheses of its own is an argument.
trino
SELECT max((SELECT 1)), coalesce((SELECT a FROM t), (SELECT 2), 3), f(((SELECT 1))), g((SELECT 1) + 1, (SELECT 2))
----
(query (select (max() (query (select 1))) (coalesce() (query (select a (from t))) (query (select 2)) 3) (f() (query (select 1))) (g() (+ (query (select 1)) 1) (query (select 2)))))

trino
SELECT sum(x) OVER (ORDER BY a ROWS CURRENT ROW EXCLUDE TIES), sum(x) OVER (ORDER BY a RANGE BETWEEN 1 PRECEDING AND 1 FOLLOWING EXCLUDE CURRENT ROW), sum(x) OVER (ORDER BY a GROUPS UNBOUNDED PRECEDING EXCLUDE GROUP), sum(x) OVER (ORDER BY a ROWS CURRENT ROW EXCLUDE NO OTHERS) FROM t
----
(query (select (sum() x (over (order a) (rows (current row) (current row) exclude-ties))) (sum() x (over (order a) (range (preceding 1) (following 1) exclude-current-row))) (sum() x (over (order a) (groups (unbounded preceding) (current row) exclude-group))) (sum() x (over (order a) (rows (current row) (current row)))) (from t)))

trino
SELECT * FROM a NATURAL JOIN b NATURAL LEFT JOIN c NATURAL FULL OUTER JOIN d NATURAL RIGHT JOIN e NATURAL INNER JOIN f
----
(query (select * (from (join-inner (join-right (join-full (join-left (join-inner a b natural) c natural) d natural) e natural) f natural))))

trino
SELECT natural.x, a.exclude FROM a, natural
----
error: syntax error at or near "natural" (line 1, column 8)
  SELECT natural.x, a.exclude FROM a, natural
         ^
hint: NATURAL is a reserved word; as a name it stands in double quotes

trino
SELECT a FROM t GROUP BY DISTINCT ROLLUP (a, b), CUBE (a)
----
(query (select a (from t) (group distinct (sets (set a b) (set a) (set)) (sets (set a) (set)))))

trino
SELECT listagg(a, ',' ON OVERFLOW ERROR) WITHIN GROUP (ORDER BY a), listagg(a ON OVERFLOW TRUNCATE '…' WITH COUNT) WITHIN GROUP (ORDER BY a), listagg(a, ';' ON OVERFLOW TRUNCATE WITHOUT COUNT) WITHIN GROUP (ORDER BY a) FROM t
----
(query (select (listagg() a ',' (within a)) (listagg() a '' '…' true (within a)) (listagg() a ';' '...' false (within a)) (from t)))
