# Misreadings of the skeleton parser: none of these may pass.
trino
SELECT 'a' 'b'
----
error: syntax error at or near "'b'" (line 1, column 12)
  SELECT 'a' 'b'
             ^
hint: two texts stand side by side; join them with || or put a comma between them

trino
SELECT a 'b' FROM t
----
error: syntax error at or near "'b'" (line 1, column 10)
  SELECT a 'b' FROM t
           ^
hint: is a comma or an operator missing before it?

trino
SELECT a FROM t 'b'
----
error: syntax error at or near "'b'" (line 1, column 17)
  SELECT a FROM t 'b'
                  ^
hint: is a comma or an operator missing before it?

trino
SELECT a AS 'b' FROM t
----
error: syntax error at or near "'b'" (line 1, column 13)
  SELECT a AS 'b' FROM t
              ^
hint: single quotes make a text; a name is written plainly or in double quotes

trino
SELECT "a" "b" "c" FROM t
----
error: syntax error at or near ""c"" (line 1, column 16)
  SELECT "a" "b" "c" FROM t
                 ^
hint: is a comma or an operator missing before it?

trino
SELECT 1 --1
FROM
----
error: syntax error at end of input (line 2, column 5)
  FROM
      ^

trino
SELECT a # comment
----
error: syntax error at or near "#" (line 1, column 10)
  SELECT a # comment
           ^
hint: a comment begins with --

trino
SELECT \N
----
error: syntax error at or near "\" (line 1, column 8)
  SELECT \N
         ^
hint: a backslash escapes nothing here; a quote inside a text is written ''

trino
SELECT @x
----
error: syntax error at or near "@" (line 1, column 8)
  SELECT @x
         ^

trino
SELECT @@version
----
error: syntax error at or near "@@" (line 1, column 8)
  SELECT @@version
         ^
hint: there are no variables

trino
SELECT @x := 1
----
error: syntax error at or near "@" (line 1, column 8)
  SELECT @x := 1
         ^

trino
SELECT _utf8'x'
----
error: syntax error at or near "'x'" (line 1, column 13)
  SELECT _utf8'x'
              ^
hint: is a comma or an operator missing before it?

trino
SELECT N'x'
----
error: syntax error at or near "'x'" (line 1, column 9)
  SELECT N'x'
          ^
hint: is a comma or an operator missing before it?

trino
SELECT b'01'
----
error: bit strings are not supported (line 1, column 8)
  SELECT b'01'
         ^

trino
SELECT a INTO OUTFILE 'x' FROM t
----
error: SELECT INTO is refused: queries only read (line 1, column 10)
  SELECT a INTO OUTFILE 'x' FROM t
           ^
hint: leave INTO and the name behind it out

trino
SELECT * INTO x FROM t
----
error: SELECT INTO is refused: queries only read (line 1, column 10)
  SELECT * INTO x FROM t
           ^
hint: leave INTO and the name behind it out

trino
SELECT a FROM t LIMIT 1, 2
----
error: syntax error at or near "," (line 1, column 24)
  SELECT a FROM t LIMIT 1, 2
                         ^
hint: write OFFSET first and then LIMIT: OFFSET 10 LIMIT 5

trino
SELECT a FROM t FOR UPDATE
----
error: rows cannot be locked: stored events are immutable (line 1, column 17)
  SELECT a FROM t FOR UPDATE
                  ^
hint: leave FOR UPDATE or FOR SHARE out

trino
SELECT a FROM t LOCK IN SHARE MODE
----
error: syntax error at or near "IN" (line 1, column 22)
  SELECT a FROM t LOCK IN SHARE MODE
                       ^

trino
SELECT a FROM t USE INDEX (b)
----
error: syntax error at or near "INDEX" (line 1, column 21)
  SELECT a FROM t USE INDEX (b)
                      ^

trino
SELECT a DIV b FROM t
----
error: syntax error at or near "b" (line 1, column 14)
  SELECT a DIV b FROM t
               ^
hint: is a comma or an operator missing before it?

trino
SELECT a XOR b FROM t
----
error: syntax error at or near "b" (line 1, column 14)
  SELECT a XOR b FROM t
               ^
hint: is a comma or an operator missing before it?

trino
SELECT a REGEXP 'b' FROM t
----
error: syntax error at or near "'b'" (line 1, column 17)
  SELECT a REGEXP 'b' FROM t
                  ^
hint: is a comma or an operator missing before it?

trino
SELECT a && b FROM t
----
error: syntax error at or near "&&" (line 1, column 10)
  SELECT a && b FROM t
           ^
hint: conditions are joined with AND

trino
SELECT a <=> b FROM t
----
error: syntax error at or near "<=>" (line 1, column 10)
  SELECT a <=> b FROM t
           ^
hint: comparison in which NULL equals NULL is written IS NOT DISTINCT FROM

trino
SELECT a | b FROM t
----
error: syntax error at or near "|" (line 1, column 10)
  SELECT a | b FROM t
           ^
hint: bits are combined by functions: bitwise_or, bitwise_and, bitwise_left_shift, bitwise_right_shift

trino
SELECT a << 1 FROM t
----
error: syntax error at or near "<<" (line 1, column 10)
  SELECT a << 1 FROM t
           ^
hint: bits are combined by functions: bitwise_or, bitwise_and, bitwise_left_shift, bitwise_right_shift

trino
SELECT ~a FROM t
----
error: syntax error at or near "~" (line 1, column 8)
  SELECT ~a FROM t
         ^
hint: regular expressions are matched by the function regexp_like

trino
SELECT !a FROM t
----
error: syntax error at or near "!" (line 1, column 8)
  SELECT !a FROM t
         ^
hint: negation is written NOT, inequality <>

trino
SELECT a != !b FROM t
----
error: syntax error at or near "!" (line 1, column 13)
  SELECT a != !b FROM t
              ^
hint: negation is written NOT, inequality <>

trino
SELECT DISTINCTROW a b c FROM t
----
error: syntax error at or near "b" (line 1, column 22)
  SELECT DISTINCTROW a b c FROM t
                       ^
hint: is a comma or an operator missing before it?

trino
SELECT SQL_CALC_FOUND_ROWS a b FROM t
----
error: syntax error at or near "b" (line 1, column 30)
  SELECT SQL_CALC_FOUND_ROWS a b FROM t
                               ^
hint: is a comma or an operator missing before it?

trino
SELECT a FROM t GROUP BY a WITH ROLLUP
----
error: syntax error at or near "WITH" (line 1, column 28)
  SELECT a FROM t GROUP BY a WITH ROLLUP
                             ^
hint: write GROUP BY ROLLUP (…)

trino
SELECT MATCH (a) AGAINST ('x') FROM t
----
error: syntax error at or near "(" (line 1, column 26)
  SELECT MATCH (a) AGAINST ('x') FROM t
                           ^

trino
SELECT BINARY a b FROM t
----
error: syntax error at or near "b" (line 1, column 17)
  SELECT BINARY a b FROM t
                  ^
hint: is a comma or an operator missing before it?

trino
SELECT {d '2026-01-01'}
----
error: syntax error at or near "{" (line 1, column 8)
  SELECT {d '2026-01-01'}
         ^

trino
SELECT a FROM t PROCEDURE ANALYSE()
----
error: syntax error at or near "ANALYSE" (line 1, column 27)
  SELECT a FROM t PROCEDURE ANALYSE()
                            ^
hint: is a comma or an operator missing before it?

trino
SELECT a COLLATE utf8_bin FROM t
----
error: the collation "utf8_bin" is not supported (line 1, column 18)
  SELECT a COLLATE utf8_bin FROM t
                   ^
hint: text is compared by its bytes, as by the collation "C"

trino
SELECT `a` FROM t
----
error: syntax error at or near "`" (line 1, column 8)
  SELECT `a` FROM t
         ^
hint: backquotes have no meaning here; a name that needs quotes stands in double quotes

trino
SELECT ROW(1, 2) FROM DUAL WHERE a MEMBER OF (b)
----
error: syntax error at or near "MEMBER" (line 1, column 36)
  SELECT ROW(1, 2) FROM DUAL WHERE a MEMBER OF (b)
                                     ^
hint: is a comma or an operator missing before it?

# Dots in aliases: a comma is missing.
trino
SELECT a.x b.y FROM t
----
error: syntax error at or near "." (line 1, column 13)
  SELECT a.x b.y FROM t
              ^
hint: an alias is one name without dots; is a comma missing before it?

trino
SELECT a x.y FROM t
----
error: syntax error at or near "." (line 1, column 11)
  SELECT a x.y FROM t
            ^
hint: an alias is one name without dots; is a comma missing before it?

trino
SELECT a AS b.c FROM t
----
error: syntax error at or near "." (line 1, column 14)
  SELECT a AS b.c FROM t
               ^
hint: an alias is one name without dots; is a comma missing before it?

trino
SELECT * FROM a b.c
----
error: syntax error at or near "." (line 1, column 18)
  SELECT * FROM a b.c
                   ^
hint: an alias is one name without dots; is a comma missing before it?

# Comparisons do not chain.
trino
SELECT a = b = c FROM t
----
error: syntax error at or near "=" (line 1, column 14)
  SELECT a = b = c FROM t
               ^
hint: conditions do not chain; put the first one in parentheses or join them with AND

trino
SELECT a < b < c FROM t
----
error: syntax error at or near "<" (line 1, column 14)
  SELECT a < b < c FROM t
               ^
hint: conditions do not chain; put the first one in parentheses or join them with AND

trino
SELECT a < b = c FROM t
----
error: syntax error at or near "=" (line 1, column 14)
  SELECT a < b = c FROM t
               ^
hint: conditions do not chain; put the first one in parentheses or join them with AND

trino
SELECT 1 BETWEEN 0 AND 2 IN (1)
----
error: syntax error at or near "IN" (line 1, column 26)
  SELECT 1 BETWEEN 0 AND 2 IN (1)
                           ^
hint: conditions do not chain; put the first one in parentheses or join them with AND

trino
SELECT a IN (1) IN (2) FROM t
----
error: syntax error at or near "IN" (line 1, column 17)
  SELECT a IN (1) IN (2) FROM t
                  ^
hint: conditions do not chain; put the first one in parentheses or join them with AND

trino
SELECT a LIKE b LIKE c FROM t
----
error: syntax error at or near "LIKE" (line 1, column 17)
  SELECT a LIKE b LIKE c FROM t
                  ^
hint: conditions do not chain; put the first one in parentheses or join them with AND

trino
SELECT a IS NULL IS NULL FROM t
----
error: syntax error at or near "IS" (line 1, column 18)
  SELECT a IS NULL IS NULL FROM t
                   ^
hint: conditions do not chain; put the first one in parentheses or join them with AND

trino
SELECT a = b IS NULL FROM t
----
error: syntax error at or near "IS" (line 1, column 14)
  SELECT a = b IS NULL FROM t
               ^
hint: conditions do not chain; put the first one in parentheses or join them with AND

trino
SELECT a = b IN (1) FROM t
----
error: syntax error at or near "IN" (line 1, column 14)
  SELECT a = b IN (1) FROM t
               ^
hint: conditions do not chain; put the first one in parentheses or join them with AND

postgres
SELECT a = b = c
----
error: syntax error at or near "=" (line 1, column 14)
  SELECT a = b = c
               ^
hint: conditions do not chain; put the first one in parentheses or join them with AND

postgres
SELECT a IN (1) IN (2)
----
error: syntax error at or near "IN" (line 1, column 17)
  SELECT a IN (1) IN (2)
                  ^
hint: conditions do not chain; put the first one in parentheses or join them with AND

postgres
SELECT a IS NULL IN (true)
----
error: syntax error at or near "IN" (line 1, column 18)
  SELECT a IS NULL IN (true)
                   ^
hint: conditions do not chain; put the first one in parentheses or join them with AND

postgres
SELECT a IS DISTINCT FROM b = c
----
error: syntax error at or near "=" (line 1, column 29)
  SELECT a IS DISTINCT FROM b = c
                              ^
hint: conditions do not chain; put the first one in parentheses or join them with AND

postgres
SELECT a IS DISTINCT FROM b LIKE c
----
error: syntax error at or near "LIKE" (line 1, column 29)
  SELECT a IS DISTINCT FROM b LIKE c
                              ^
hint: conditions do not chain; put the first one in parentheses or join them with AND

postgres
SELECT a = b IN (1) = c
----
error: syntax error at or near "=" (line 1, column 21)
  SELECT a = b IN (1) = c
                      ^
hint: conditions do not chain; put the first one in parentheses or join them with AND

# Lists with nothing in them.
trino
SELECT
----
error: syntax error at end of input (line 1, column 7)
  SELECT
        ^

trino
SELECT FROM t
----
error: syntax error at or near "FROM" (line 1, column 8)
  SELECT FROM t
         ^
hint: something is missing before it

trino
SELECT a, FROM t
----
error: syntax error at or near "FROM" (line 1, column 11)
  SELECT a, FROM t
            ^
hint: there is a comma too many before it

trino
SELECT , a FROM t
----
error: syntax error at or near "," (line 1, column 8)
  SELECT , a FROM t
         ^

trino
SELECT a,, b FROM t
----
error: syntax error at or near "," (line 1, column 10)
  SELECT a,, b FROM t
           ^
hint: there is a comma too many before it

trino
SELECT f(,) FROM t
----
error: syntax error at or near "," (line 1, column 10)
  SELECT f(,) FROM t
           ^

trino
SELECT f(a,) FROM t
----
error: syntax error at or near ")" (line 1, column 12)
  SELECT f(a,) FROM t
             ^
hint: there is a comma too many before it

trino
SELECT f(a b) FROM t
----
error: syntax error at or near "b" (line 1, column 12)
  SELECT f(a b) FROM t
             ^
hint: is a comma or an operator missing before it?

trino
SELECT a FROM t ORDER BY 1, ,2
----
error: syntax error at or near "," (line 1, column 29)
  SELECT a FROM t ORDER BY 1, ,2
                              ^
hint: there is a comma too many before it

trino
SELECT a FROM t ORDER BY
----
error: syntax error at end of input (line 1, column 25)
  SELECT a FROM t ORDER BY
                          ^

trino
SELECT a FROM t GROUP BY
----
error: syntax error at end of input (line 1, column 25)
  SELECT a FROM t GROUP BY
                          ^

trino
SELECT a FROM t GROUP BY a,
----
error: syntax error at end of input (line 1, column 28)
  SELECT a FROM t GROUP BY a,
                             ^
hint: there is a comma too many before it

trino
SELECT a FROM t GROUP BY ROLLUP (a,)
----
error: syntax error at or near ")" (line 1, column 36)
  SELECT a FROM t GROUP BY ROLLUP (a,)
                                     ^
hint: there is a comma too many before it

trino
SELECT a FROM
----
error: syntax error at end of input (line 1, column 14)
  SELECT a FROM
               ^

trino
SELECT a FROM t,
----
error: syntax error at end of input (line 1, column 17)
  SELECT a FROM t,
                  ^
hint: there is a comma too many before it

trino
SELECT a FROM t WHERE
----
error: syntax error at end of input (line 1, column 22)
  SELECT a FROM t WHERE
                       ^

trino
SELECT a IN () FROM t
----
error: syntax error at or near ")" (line 1, column 14)
  SELECT a IN () FROM t
               ^
hint: the list of IN needs at least one value

trino
SELECT () FROM t
----
error: syntax error at or near ")" (line 1, column 9)
  SELECT () FROM t
          ^
hint: something is missing in the parentheses

trino
SELECT a[] FROM t
----
error: syntax error at or near "]" (line 1, column 10)
  SELECT a[] FROM t
           ^

trino
SELECT ARRAY[1,] FROM t
----
error: syntax error at or near "]" (line 1, column 16)
  SELECT ARRAY[1,] FROM t
                 ^
hint: there is a comma too many before it

trino
SELECT ROW() FROM t
----
error: syntax error at or near ")" (line 1, column 12)
  SELECT ROW() FROM t
             ^

trino
SELECT a = ANY () FROM t
----
error: syntax error at or near ")" (line 1, column 17)
  SELECT a = ANY () FROM t
                  ^

trino
SELECT CASE END FROM t
----
error: syntax error at or near "END" (line 1, column 13)
  SELECT CASE END FROM t
              ^
hint: something is missing before it

trino
SELECT CASE WHEN a END FROM t
----
error: syntax error at or near "END" (line 1, column 20)
  SELECT CASE WHEN a END FROM t
                     ^

trino
SELECT CASE WHEN a THEN b ELSE FROM t
----
error: syntax error at or near "FROM" (line 1, column 32)
  SELECT CASE WHEN a THEN b ELSE FROM t
                                 ^
hint: something is missing before it

trino
SELECT CAST(a) FROM t
----
error: syntax error at or near ")" (line 1, column 14)
  SELECT CAST(a) FROM t
               ^

trino
SELECT CAST(a AS) FROM t
----
error: syntax error at or near ")" (line 1, column 17)
  SELECT CAST(a AS) FROM t
                  ^
hint: the name of a type is expected

trino
SELECT CAST(a AS decimal(x)) FROM t
----
error: syntax error at or near "x" (line 1, column 26)
  SELECT CAST(a AS decimal(x)) FROM t
                           ^
hint: a length or precision is expected

trino
SELECT CAST(a, bigint) FROM t
----
error: syntax error at or near "," (line 1, column 14)
  SELECT CAST(a, bigint) FROM t
               ^
hint: a type is given with AS: CAST(x AS bigint)

trino
VALUES
----
error: syntax error at end of input (line 1, column 7)
  VALUES
        ^

trino
VALUES (1, 2), (3)
----
error: the rows of VALUES have different lengths: 2 and 1 (line 1, column 17)
  VALUES (1, 2), (3)
                  ^

trino
WITH a AS SELECT 1 SELECT 2
----
error: syntax error at or near "SELECT" (line 1, column 11)
  WITH a AS SELECT 1 SELECT 2
            ^
hint: a query inside another stands in parentheses

trino
WITH a AS (SELECT 1)
----
error: syntax error at end of input (line 1, column 21)
  WITH a AS (SELECT 1)
                      ^
hint: the query that WITH is for is missing

trino
WITH a AS (SELECT 1), SELECT 2
----
error: syntax error at or near "SELECT" (line 1, column 23)
  WITH a AS (SELECT 1), SELECT 2
                        ^
hint: there is a comma too many before it

# Brackets.
trino
SELECT (1
----
error: syntax error at end of input (line 1, column 10)
  SELECT (1
           ^
hint: the ( at line 1, column 8 is not closed

trino
SELECT f(1, 2 FROM t
----
error: syntax error at or near "FROM" (line 1, column 15)
  SELECT f(1, 2 FROM t
                ^

trino
SELECT count( FROM t
----
error: syntax error at or near "FROM" (line 1, column 15)
  SELECT count( FROM t
                ^
hint: something is missing before it

trino
SELECT a) FROM t
----
error: syntax error at or near ")" (line 1, column 9)
  SELECT a) FROM t
          ^

trino
SELECT (a] FROM t
----
error: syntax error at or near "]" (line 1, column 10)
  SELECT (a] FROM t
           ^

trino
SELECT a[1 FROM t
----
error: syntax error at or near "FROM" (line 1, column 12)
  SELECT a[1 FROM t
             ^

trino
SELECT ((a) FROM t WHERE x = 1
----
error: syntax error at or near "FROM" (line 1, column 13)
  SELECT ((a) FROM t WHERE x = 1
              ^

trino
SELECT * FROM (SELECT 1
----
error: syntax error at end of input (line 1, column 24)
  SELECT * FROM (SELECT 1
                         ^
hint: the ( at line 1, column 15 is not closed

# Things that are not closed or cannot begin anything.
trino
SELECT 'abc FROM t
----
error: the text literal is not closed (line 1, column 8)
  SELECT 'abc FROM t
         ^
hint: a text that begins with ' ends with '; a quote inside it is written ''

trino
SELECT "abc FROM t
----
error: the quoted name is not closed (line 1, column 8)
  SELECT "abc FROM t
         ^
hint: a name that begins with " ends with "

trino
SELECT "" FROM t
----
error: a quoted name must not be empty (line 1, column 8)
  SELECT "" FROM t
         ^
hint: double quotes make a name; the empty text is ''

trino
SELECT /* a FROM t
----
error: the comment is not closed (line 1, column 8)
  SELECT /* a FROM t
         ^
hint: a comment that begins with /* ends with */

trino
SELECT a ? ? FROM t
----
error: syntax error at or near "?" (line 1, column 10)
  SELECT a ? ? FROM t
           ^
hint: is a comma or an operator missing before it?

trino
SELECT ? + $1
----
error: parameters are written either ? or $1, not both in one query (line 1, column 12)
  SELECT ? + $1
             ^

trino
SELECT $0
----
error: "$0" is not a parameter (line 1, column 8)
  SELECT $0
         ^
hint: parameters are $1 to $65535

trino
SELECT $x
----
error: syntax error at or near "$x" (line 1, column 8)
  SELECT $x
         ^
hint: parameters are $1, $2 … or ?; a name that begins with $ needs double quotes

trino
SELECT $99999999999
----
error: "$99999999999" is not a parameter (line 1, column 8)
  SELECT $99999999999
         ^
hint: parameters are $1 to $65535

trino
SELECT ‘a’ FROM t
----
error: syntax error at or near "‘" (line 1, column 8)
  SELECT ‘a’ FROM t
         ^
hint: this is a typographic quote; text is written in ' and names in "

trino
SELECT a – b FROM t
----
error: syntax error at or near "–" (line 1, column 10)
  SELECT a – b FROM t
           ^
hint: this is a typographic dash; minus and comments are written with -

trino
SELECT a ; b
----
error: only one statement at a time is allowed (line 1, column 12)
  SELECT a ; b
             ^
hint: run what follows the semicolon by itself

trino
SELECT 12abc FROM t
----
error: syntax error at or near "12abc" (line 1, column 8)
  SELECT 12abc FROM t
         ^
hint: a name must not begin with a digit unless it stands in double quotes

trino
SELECT 1.5.5
----
error: syntax error at or near ".5" (line 1, column 11)
  SELECT 1.5.5
            ^
hint: is a comma or an operator missing before it?

trino
SELECT X'4'
----
error: a binary literal needs an even number of digits (line 1, column 8)
  SELECT X'4'
         ^

trino
SELECT X'4G'
----
error: a binary literal holds hexadecimal digits only (line 1, column 11)
  SELECT X'4G'
            ^

trino
SELECT U&'\00'
----
error: the Unicode escape is not a character (line 1, column 11)
  SELECT U&'\00'
            ^
hint: write \XXXX or \+XXXXXX with hexadecimal digits

trino
SELECT 1__0
----
error: syntax error at or near "1__0" (line 1, column 8)
  SELECT 1__0
         ^
hint: a name must not begin with a digit unless it stands in double quotes

postgres
SELECT E'\x'
----
error: the escape sequence is not complete (line 1, column 10)
  SELECT E'\x'
           ^

postgres
SELECT $a$ b
----
error: the text literal is not closed (line 1, column 8)
  SELECT $a$ b
         ^
hint: a text that begins with $a$ ends with $a$

postgres
SELECT a | b
----
error: syntax error at or near "|" (line 1, column 10)
  SELECT a | b
           ^
hint: bits are combined by functions: bitwise_or, bitwise_and, bitwise_left_shift, bitwise_right_shift

postgres
SELECT a == b
----
error: syntax error at or near "==" (line 1, column 10)
  SELECT a == b
           ^
hint: equality is written =

# Common mistakes.
trino
SELECT * FROM $EDS_ID
----
error: $EDS_ID is a placeholder, not a table (line 1, column 15)
  SELECT * FROM $EDS_ID
                ^
hint: put the name or the ID of an event data store in its place

trino
SELECT * FROM <store>
----
error: syntax error at or near "<" (line 1, column 15)
  SELECT * FROM <store>
                ^
hint: put the name or the ID of an event data store here

trino
SELECT * FROM 'events'
----
error: syntax error at or near "'events'" (line 1, column 15)
  SELECT * FROM 'events'
                ^
hint: single quotes make a text; a table's name is written plainly or in double quotes

trino
SELECT * FROM 123
----
error: syntax error at or near "123" (line 1, column 15)
  SELECT * FROM 123
                ^

trino
SELECT a == b FROM t
----
error: syntax error at or near "==" (line 1, column 10)
  SELECT a == b FROM t
           ^
hint: equality is written =

trino
SELECT a FROM t WHERE a => 1
----
error: syntax error at or near "=>" (line 1, column 25)
  SELECT a FROM t WHERE a => 1
                          ^
hint: arguments are given by place, not by name

trino
SELECT a -> 'b' FROM t
----
error: syntax error at or near "->" (line 1, column 10)
  SELECT a -> 'b' FROM t
           ^
hint: JSON is read by json_extract and json_extract_scalar; -> makes a lambda, as an argument of a function

trino
SELECT a ->> 'b' FROM t
----
error: syntax error at or near "->>" (line 1, column 10)
  SELECT a ->> 'b' FROM t
           ^
hint: JSON is read by json_extract and json_extract_scalar; -> makes a lambda, as an argument of a function

trino
SELECT a ~ 'b' FROM t
----
error: syntax error at or near "~" (line 1, column 10)
  SELECT a ~ 'b' FROM t
           ^
hint: regular expressions are matched by the function regexp_like

trino
SELECT a ^ 2 FROM t
----
error: syntax error at or near "^" (line 1, column 10)
  SELECT a ^ 2 FROM t
           ^
hint: powers are computed by the function power

trino
SELECT timestamp "2026-01-01" FROM t WHERE a > timestamp "2026-01-01" b
----
error: syntax error at or near ""2026-01-01"" (line 1, column 58)
  SELECT timestamp "2026-01-01" FROM t WHERE a > timestamp "2026-01-01" b
                                                           ^
hint: double quotes make a name; text is written in single quotes

trino
SELECT a FROM t WHERE a > date "2026-01-01"
----
error: syntax error at or near ""2026-01-01"" (line 1, column 32)
  SELECT a FROM t WHERE a > date "2026-01-01"
                                 ^
hint: double quotes make a name; text is written in single quotes

trino
SELECT a b c FROM t
----
error: syntax error at or near "c" (line 1, column 12)
  SELECT a b c FROM t
             ^
hint: is a comma or an operator missing before it?

trino
SELECT a FROM t u v
----
error: syntax error at or near "v" (line 1, column 19)
  SELECT a FROM t u v
                    ^
hint: is a comma or an operator missing before it?

trino
SELECT order FROM t
----
error: syntax error at or near "order" (line 1, column 8)
  SELECT order FROM t
         ^
hint: ORDER is a reserved word; as a name it stands in double quotes

trino
SELECT group.x FROM t
----
error: syntax error at or near "group" (line 1, column 8)
  SELECT group.x FROM t
         ^
hint: GROUP is a reserved word; as a name it stands in double quotes

trino
SELECT a FROM order
----
error: syntax error at or near "order" (line 1, column 15)
  SELECT a FROM order
                ^
hint: ORDER is a reserved word; as a name it stands in double quotes

trino
SELECT a FROM t WHERE b = 1 ORDER a
----
error: syntax error at or near "a" (line 1, column 35)
  SELECT a FROM t WHERE b = 1 ORDER a
                                    ^
hint: ORDER is followed by BY

trino
SELECT a FROM t WHERE b = 1 GROUP a
----
error: syntax error at or near "a" (line 1, column 35)
  SELECT a FROM t WHERE b = 1 GROUP a
                                    ^
hint: GROUP is followed by BY

trino
SELECT a FROM t ORDER BY a WHERE b
----
error: syntax error at or near "WHERE" (line 1, column 28)
  SELECT a FROM t ORDER BY a WHERE b
                             ^

trino
SELECT a WHERE b FROM t
----
error: syntax error at or near "FROM" (line 1, column 18)
  SELECT a WHERE b FROM t
                   ^

trino
SELECT a FROM t LIMIT 'x'
----
error: syntax error at or near "'x'" (line 1, column 23)
  SELECT a FROM t LIMIT 'x'
                        ^
hint: a number of rows or a parameter is expected

trino
SELECT a FROM t LIMIT -1
----
error: syntax error at or near "-" (line 1, column 23)
  SELECT a FROM t LIMIT -1
                        ^
hint: a number of rows or a parameter is expected

trino
SELECT a FROM t LIMIT 1.5
----
error: syntax error at or near "1.5" (line 1, column 23)
  SELECT a FROM t LIMIT 1.5
                        ^
hint: a number of rows or a parameter is expected

trino
SELECT a FROM t LIMIT 1 LIMIT 2
----
error: syntax error at or near "LIMIT" (line 1, column 25)
  SELECT a FROM t LIMIT 1 LIMIT 2
                          ^

trino
SELECT a FROM b JOIN c
----
error: syntax error at end of input (line 1, column 23)
  SELECT a FROM b JOIN c
                        ^
hint: a join needs ON and a condition, or USING (columns); CROSS JOIN has neither

trino
SELECT a FROM b LEFT c ON 1 = 1
----
error: syntax error at or near "c" (line 1, column 22)
  SELECT a FROM b LEFT c ON 1 = 1
                       ^

trino
SELECT a FROM b CROSS JOIN c ON 1 = 1
----
error: syntax error at or near "ON" (line 1, column 30)
  SELECT a FROM b CROSS JOIN c ON 1 = 1
                               ^

trino
SELECT a FROM t WHERE a LIKE
----
error: syntax error at end of input (line 1, column 29)
  SELECT a FROM t WHERE a LIKE
                              ^

trino
SELECT a FROM t WHERE a NOT b
----
error: syntax error at or near "b" (line 1, column 29)
  SELECT a FROM t WHERE a NOT b
                              ^
hint: behind an operand, NOT is followed by IN, LIKE or BETWEEN

trino
SELECT a FROM t WHERE a IS b
----
error: syntax error at or near "b" (line 1, column 28)
  SELECT a FROM t WHERE a IS b
                             ^
hint: IS is followed by NULL, TRUE, FALSE, UNKNOWN or DISTINCT FROM

trino
SELECT a FROM t WHERE a BETWEEN 1
----
error: syntax error at end of input (line 1, column 34)
  SELECT a FROM t WHERE a BETWEEN 1
                                   ^

trino
SELECT a FROM t WHERE a IN b
----
error: syntax error at or near "b" (line 1, column 28)
  SELECT a FROM t WHERE a IN b
                             ^
hint: IN is followed by a list or a query in parentheses

trino
SELECT a FROM t WHERE EXISTS t
----
error: syntax error at or near "t" (line 1, column 30)
  SELECT a FROM t WHERE EXISTS t
                               ^
hint: EXISTS is followed by a query in parentheses

trino
SELECT count(SELECT 1)
----
error: syntax error at or near "SELECT" (line 1, column 14)
  SELECT count(SELECT 1)
               ^
hint: a query inside another stands in parentheses

trino
SELECT a + b.* FROM t
----
error: syntax error at or near "." (line 1, column 13)
  SELECT a + b.* FROM t
              ^

trino
SELECT * + 1 FROM t
----
error: syntax error at or near "+" (line 1, column 10)
  SELECT * + 1 FROM t
           ^

trino
SELECT sum(*) + * FROM t
----
error: syntax error at or near "*" (line 1, column 17)
  SELECT sum(*) + * FROM t
                  ^
hint: * stands alone in a SELECT list or in count(*)

trino
SELECT a AS FROM t
----
error: syntax error at or near "FROM" (line 1, column 13)
  SELECT a AS FROM t
              ^
hint: something is missing before it

trino
SELECT sum(x) OVER (ROWS BETWEEN UNBOUNDED FOLLOWING AND CURRENT ROW) FROM t
----
error: the frame ends before it begins (line 1, column 34)
  SELECT sum(x) OVER (ROWS BETWEEN UNBOUNDED FOLLOWING AND CURRENT ROW) FROM t
                                   ^

trino
SELECT sum(x) OVER (ROWS 1 FOLLOWING) FROM t
----
error: a frame that begins behind the current row needs BETWEEN … AND … (line 1, column 26)
  SELECT sum(x) OVER (ROWS 1 FOLLOWING) FROM t
                           ^

trino
SELECT sum(x) OVER (PARTITION x) FROM t
----
error: syntax error at or near "x" (line 1, column 31)
  SELECT sum(x) OVER (PARTITION x) FROM t
                                ^

trino
SELECT a FROM t GROUP BY ROLLUP (CUBE (a))
----
error: ROLLUP, CUBE and GROUPING SETS stand inside GROUPING SETS only (line 1, column 34)
  SELECT a FROM t GROUP BY ROLLUP (CUBE (a))
                                   ^

trino
SELECT a FROM t GROUP BY CUBE (a, b, c, d, e, f, g, h, i, j, k)
----
error: the grouping has more than 1024 sets (line 1, column 26)
  SELECT a FROM t GROUP BY CUBE (a, b, c, d, e, f, g, h, i, j, k)
                           ^

trino
SELECT a FROM t UNION
----
error: syntax error at end of input (line 1, column 22)
  SELECT a FROM t UNION
                       ^

trino
SELECT a FROM t UNION b
----
error: syntax error at or near "b" (line 1, column 23)
  SELECT a FROM t UNION b
                        ^

trino
SELECT a FROM t ORDER BY a UNION SELECT b FROM u
----
error: syntax error at or near "UNION" (line 1, column 28)
  SELECT a FROM t ORDER BY a UNION SELECT b FROM u
                             ^

trino
SELECT a FROM t SELECT b FROM t
----
error: syntax error at or near "SELECT" (line 1, column 17)
  SELECT a FROM t SELECT b FROM t
                  ^
hint: a query inside another stands in parentheses

trino
FROM t SELECT a
----
error: syntax error at or near "FROM" (line 1, column 1)
  FROM t SELECT a
  ^
hint: a query begins with SELECT or WITH

# Not supported.
trino
SELECT * FROM t TABLESAMPLE BERNOULLI (10) REPEATABLE (1)
----
error: REPEATABLE is not supported (line 1, column 44)
  SELECT * FROM t TABLESAMPLE BERNOULLI (10) REPEATABLE (1)
                                             ^

trino
SELECT * FROM t TABLESAMPLE ROWS (10)
----
error: syntax error at or near "ROWS" (line 1, column 29)
  SELECT * FROM t TABLESAMPLE ROWS (10)
                              ^
hint: TABLESAMPLE is followed by BERNOULLI or SYSTEM

trino
SELECT * FROM t TABLESAMPLE SYSTEM 10
----
error: syntax error at or near "10" (line 1, column 36)
  SELECT * FROM t TABLESAMPLE SYSTEM 10
                                     ^
hint: is a comma or an operator missing before it?

trino
SELECT * FROM t TABLESAMPLE SYSTEM (x)
----
error: syntax error at or near "x" (line 1, column 37)
  SELECT * FROM t TABLESAMPLE SYSTEM (x)
                                      ^
hint: the percentage of rows is expected, from 0 to 100

trino
SELECT * FROM t TABLESAMPLE SYSTEM (10) AS s
----
error: syntax error at or near "AS" (line 1, column 41)
  SELECT * FROM t TABLESAMPLE SYSTEM (10) AS s
                                          ^

trino
SELECT * FROM t MATCH_RECOGNIZE (PATTERN (A))
----
error: MATCH_RECOGNIZE is not supported (line 1, column 17)
  SELECT * FROM t MATCH_RECOGNIZE (PATTERN (A))
                  ^
hint: sequences of events are found with a self-join on a range of eventTime, or with lag and lead OVER (PARTITION BY … ORDER BY eventTime)

trino
SELECT * FROM t FOR VERSION AS OF 1
----
error: reading a table as of another time is not supported (line 1, column 17)
  SELECT * FROM t FOR VERSION AS OF 1
                  ^

trino
SELECT * FROM t FOR TIMESTAMP AS OF now()
----
error: reading a table as of another time is not supported (line 1, column 17)
  SELECT * FROM t FOR TIMESTAMP AS OF now()
                  ^

trino
SELECT * FROM JSON_TABLE(x, '$' COLUMNS (a varchar))
----
error: JSON_TABLE is not supported (line 1, column 15)
  SELECT * FROM JSON_TABLE(x, '$' COLUMNS (a varchar))
                ^

trino
SELECT a SIMILAR TO 'b' FROM t
----
error: SIMILAR TO is not supported (line 1, column 10)
  SELECT a SIMILAR TO 'b' FROM t
           ^
hint: regular expressions are matched by the function regexp_like

trino
SELECT a FROM t FETCH FIRST 5 ROWS WITH
----
error: syntax error at end of input (line 1, column 40)
  SELECT a FROM t FETCH FIRST 5 ROWS WITH
                                         ^

trino
SELECT a FROM t ORDER BY a LIMIT 5 WITH TIES
----
error: syntax error at or near "WITH" (line 1, column 36)
  SELECT a FROM t ORDER BY a LIMIT 5 WITH TIES
                                     ^

trino
SELECT a FROM t ORDER BY a USING <
----
error: ORDER BY … USING is not supported (line 1, column 28)
  SELECT a FROM t ORDER BY a USING <
                             ^

trino
SELECT * FROM ROWS FROM (f(1))
----
error: ROWS FROM is not supported (line 1, column 15)
  SELECT * FROM ROWS FROM (f(1))
                ^

postgres
SELECT * FROM f() AS x(a int, b text)
----
error: a column list with types is not supported (line 1, column 26)
  SELECT * FROM f() AS x(a int, b text)
                           ^

trino
SELECT f(x => 1)
----
error: giving arguments by name is not supported (line 1, column 10)
  SELECT f(x => 1)
           ^

trino
SELECT a[1:2] FROM t
----
error: a slice is not supported (line 1, column 11)
  SELECT a[1:2] FROM t
            ^
hint: the function slice(array, start, length) cuts arrays

trino
SELECT a BETWEEN SYMMETRIC 1 AND 2 FROM t
----
error: BETWEEN SYMMETRIC is not supported (line 1, column 18)
  SELECT a BETWEEN SYMMETRIC 1 AND 2 FROM t
                   ^

trino
SELECT a IS JSON FROM t
----
error: IS JSON is not supported (line 1, column 13)
  SELECT a IS JSON FROM t
              ^

postgres
EXPLAIN (ANALYZE, FORMAT json) SELECT 1
----
error: plans are given as text only (line 1, column 26)
  EXPLAIN (ANALYZE, FORMAT json) SELECT 1
                           ^

postgres
EXPLAIN (ANALYZE, TREES) SELECT 1
----
error: unrecognized EXPLAIN option "TREES" (line 1, column 19)
  EXPLAIN (ANALYZE, TREES) SELECT 1
                    ^
hint: write EXPLAIN, EXPLAIN ANALYZE or EXPLAIN (ANALYZE, VERBOSE, COSTS, BUFFERS, TIMING, SUMMARY)

postgres
EXPLAIN (ANALYZE, SELECT 1
----
error: unrecognized EXPLAIN option "SELECT" (line 1, column 19)
  EXPLAIN (ANALYZE, SELECT 1
                    ^
hint: write EXPLAIN, EXPLAIN ANALYZE or EXPLAIN (ANALYZE, VERBOSE, COSTS, BUFFERS, TIMING, SUMMARY)

# Statements that would write, and others.
trino
INSERT INTO t VALUES (1)
----
error: INSERT is refused: a query only reads (line 1, column 1)
  INSERT INTO t VALUES (1)
  ^
hint: events are added by importing or appending them

trino
UPDATE t SET a = 1
----
error: UPDATE is refused: stored events cannot be changed (line 1, column 1)
  UPDATE t SET a = 1
  ^

trino
DELETE FROM t
----
error: DELETE is refused: stored events cannot be changed (line 1, column 1)
  DELETE FROM t
  ^
hint: events leave a store by its retention period only

trino
MERGE INTO t USING u ON a WHEN MATCHED THEN DELETE
----
error: MERGE is refused: stored events cannot be changed (line 1, column 1)
  MERGE INTO t USING u ON a WHEN MATCHED THEN DELETE
  ^

trino
TRUNCATE TABLE t
----
error: TRUNCATE is refused: stored events cannot be changed (line 1, column 1)
  TRUNCATE TABLE t
  ^
hint: events leave a store by its retention period only

trino
DROP TABLE t
----
error: DROP is refused: a query only reads, and stored events cannot be changed (line 1, column 1)
  DROP TABLE t
  ^
hint: event data stores are managed outside SQL

trino
CREATE TABLE t (a int)
----
error: CREATE is refused: a query only reads, and stored events cannot be changed (line 1, column 1)
  CREATE TABLE t (a int)
  ^
hint: event data stores are managed outside SQL

trino
ALTER TABLE t ADD a int
----
error: ALTER is refused: a query only reads, and stored events cannot be changed (line 1, column 1)
  ALTER TABLE t ADD a int
  ^
hint: event data stores are managed outside SQL

trino
WITH a AS (SELECT 1) INSERT INTO t SELECT * FROM a
----
error: INSERT is refused: a query only reads (line 1, column 22)
  WITH a AS (SELECT 1) INSERT INTO t SELECT * FROM a
                       ^
hint: events are added by importing or appending them

trino
EXPLAIN DELETE FROM t
----
error: DELETE is refused: stored events cannot be changed (line 1, column 9)
  EXPLAIN DELETE FROM t
          ^
hint: events leave a store by its retention period only

trino
GRANT SELECT ON t TO u
----
error: GRANT is not supported: a query only reads (line 1, column 1)
  GRANT SELECT ON t TO u
  ^
hint: SELECT, EXPLAIN, SHOW and DESCRIBE are

trino
SET x = 1
----
error: SET is not supported: a query only reads (line 1, column 1)
  SET x = 1
  ^
hint: SELECT, EXPLAIN, SHOW and DESCRIBE are

trino
BEGIN
----
error: BEGIN is not supported: a query only reads (line 1, column 1)
  BEGIN
  ^
hint: SELECT, EXPLAIN, SHOW and DESCRIBE are

trino
CALL f()
----
error: CALL is not supported: a query only reads (line 1, column 1)
  CALL f()
  ^
hint: SELECT, EXPLAIN, SHOW and DESCRIBE are

trino
SELECT 1; SELECT 2
----
error: only one statement at a time is allowed (line 1, column 11)
  SELECT 1; SELECT 2
            ^
hint: run what follows the semicolon by itself

trino
SELECT 1;; DROP TABLE t
----
error: only one statement at a time is allowed (line 1, column 12)
  SELECT 1;; DROP TABLE t
             ^
hint: run what follows the semicolon by itself

trino
SHOW
----
error: syntax error at end of input (line 1, column 5)
  SHOW
      ^
hint: SHOW TABLES, SHOW COLUMNS FROM a table and SHOW FUNCTIONS are known

trino
SHOW x
----
error: syntax error at or near "x" (line 1, column 6)
  SHOW x
       ^
hint: SHOW TABLES, SHOW COLUMNS FROM a table and SHOW FUNCTIONS are known

trino
SHOW COLUMNS
----
error: syntax error at end of input (line 1, column 13)
  SHOW COLUMNS
              ^

trino
SHOW TABLES LIKE a
----
error: syntax error at or near "a" (line 1, column 18)
  SHOW TABLES LIKE a
                   ^
hint: a pattern in single quotes is expected

trino
DESCRIBE
----
error: syntax error at end of input (line 1, column 9)
  DESCRIBE
          ^

trino
HELLO
----
error: syntax error at or near "HELLO" (line 1, column 1)
  HELLO
  ^
hint: a query begins with SELECT or WITH

trino
;
----
error: syntax error at or near ";" (line 1, column 1)
  ;
  ^
hint: a query begins with SELECT or WITH

trino
SELECT max(SELECT 1)
----
error: syntax error at or near "SELECT" (line 1, column 12)
  SELECT max(SELECT 1)
             ^
hint: a query inside another stands in parentheses

trino
SELECT f((SELECT 1) UNION (SELECT 2))
----
error: syntax error at or near "UNION" (line 1, column 21)
  SELECT f((SELECT 1) UNION (SELECT 2))
                      ^

trino
SELECT sum(x) OVER (ORDER BY a ROWS CURRENT ROW EXCLUDE PEERS) FROM t
----
error: syntax error at or near "PEERS" (line 1, column 57)
  SELECT sum(x) OVER (ORDER BY a ROWS CURRENT ROW EXCLUDE PEERS) FROM t
                                                          ^
hint: EXCLUDE takes CURRENT ROW, GROUP, TIES or NO OTHERS

trino
SELECT * FROM a NATURAL b
----
error: syntax error at or near "b" (line 1, column 25)
  SELECT * FROM a NATURAL b
                          ^
hint: NATURAL goes before JOIN, LEFT JOIN, RIGHT JOIN and FULL JOIN

trino
SELECT * FROM a NATURAL CROSS JOIN b
----
error: syntax error at or near "CROSS" (line 1, column 25)
  SELECT * FROM a NATURAL CROSS JOIN b
                          ^
hint: CROSS is a reserved word; as a name it stands in double quotes

trino
SELECT * FROM a NATURAL JOIN b ON true
----
error: syntax error at or near "ON" (line 1, column 32)
  SELECT * FROM a NATURAL JOIN b ON true
                                 ^

trino
SELECT listagg(a, ',' ON OVERFLOW TRUNCATE '…') WITHIN GROUP (ORDER BY a) FROM t
----
error: syntax error at or near ")" (line 1, column 47)
  SELECT listagg(a, ',' ON OVERFLOW TRUNCATE '…') WITHIN GROUP (ORDER BY a) FROM t
                                                ^
hint: TRUNCATE ends with WITH COUNT or WITHOUT COUNT

trino
SELECT array_agg(a ON OVERFLOW ERROR) FROM t
----
error: syntax error at or near "ON" (line 1, column 20)
  SELECT array_agg(a ON OVERFLOW ERROR) FROM t
                     ^

trino
SELECT listagg(a, ',' ON OVERFLOW) FROM t
----
error: syntax error at or near ")" (line 1, column 34)
  SELECT listagg(a, ',' ON OVERFLOW) FROM t
                                   ^

trino
SELECT 1 FROM t WHERE a LIKE ANY ('x%', 'y%')
----
error: LIKE with a list of patterns is not supported (line 1, column 30)
  SELECT 1 FROM t WHERE a LIKE ANY ('x%', 'y%')
                               ^
hint: write x LIKE 'a%' OR x LIKE 'b%', or any_match(ARRAY['a%', 'b%'], p -> x LIKE p)

trino
SELECT 1 FROM t WHERE a NOT LIKE ALL ('x%', lower('y%'))
----
error: LIKE with a list of patterns is not supported (line 1, column 34)
  SELECT 1 FROM t WHERE a NOT LIKE ALL ('x%', lower('y%'))
                                   ^
hint: write x LIKE 'a%' OR x LIKE 'b%', or any_match(ARRAY['a%', 'b%'], p -> x LIKE p)

trino
SELECT TOP 5 a FROM t
----
error: syntax error at or near "5" (line 1, column 12)
  SELECT TOP 5 a FROM t
             ^
hint: the first rows are asked for at the end: … LIMIT 10

trino
SELECT 1 FROM t WHERE a > now() - INTERVAL 7 DAY
----
error: syntax error at or near "7" (line 1, column 44)
  SELECT 1 FROM t WHERE a > now() - INTERVAL 7 DAY
                                             ^
hint: the number of an interval stands in single quotes: INTERVAL '7' DAY
