package main

import (
	"fmt"
	"regexp"
	"slices"
	"strings"
)

// Variants are questions of the shapes of Q1 to Q15 about other columns, conditions, groupings and texts, so
// that what is done for the fifteen can be held against what nobody has looked at. They are asked with -only variants.
//
// Most texts differ between the dialects in how they name a member, a time and a map only. These are written in
// brackets, and the rest is said once:
//
//	[a.b.c]            a member of the record; l.a.b of the row of l
//	[out x]            a time as it is printed
//	[hour x], [day x]  a time cut
//	[at '…']           a time that is known
//	[plus x 1 day]     a later time
//	[has x '…']        whether a text is in a map as JSON text
//	[some x '…']       whether a text is in one of a map's values
//	[record]           the whole record
type variant struct {
	Name, What string
	Text       string
	Compare    int
	// Own are whole texts by dialect, where there are other words for it; an empty one leaves the engine out.
	Own map[dialect]string
}

type dialect int

const (
	inCairn dialect = iota
	inDuck
	inSQLite
	inPostgres
)

// variantTexts are the variants as they are written.
var variantTexts = []variant{
	{Name: "V1", What: "changes of one day", Compare: 1,
		Text: `SELECT count(*) FROM events WHERE NOT [readOnly] AND [eventTime] >= [at '{day}'] AND [eventTime] < [at '{dayend}']`},
	{Name: "V2", What: "distinct agents, principals and accounts", Compare: 3,
		Text: `SELECT count(DISTINCT [userAgent]), count(DISTINCT [userIdentity.arn]), count(DISTINCT [recipientAccountId]) FROM events`},
	{Name: "V3", What: "regions by day", Compare: 3,
		Text: `SELECT [out [day eventTime]] AS d, [awsRegion] AS r, count(*) AS n FROM events GROUP BY 1, 2 ORDER BY n DESC, d, r LIMIT 100`},
	{Name: "V4", What: "type, source and region with many events", Compare: 4,
		Text: `SELECT [userIdentity.type] AS t, [eventSource] AS s, [awsRegion] AS r, count(*) AS n FROM events GROUP BY 1, 2, 3 HAVING count(*) > 1000 ORDER BY n DESC, t, s, r`},
	{Name: "V5", What: "denials by role: first, last, how many", Compare: 5,
		Text: `SELECT [userIdentity.sessionContext.sessionIssuer.userName] AS who, [errorCode] AS code, count(*) AS n, [out min([eventTime])] AS first, [out max([eventTime])] AS last FROM events WHERE [errorCode] LIKE '%Denied%' AND [userIdentity.sessionContext.sessionIssuer.userName] IS NOT NULL GROUP BY 1, 2 ORDER BY n DESC, who, code LIMIT 50`},
	{Name: "V6", What: "about how many principals a region", Compare: 1,
		Text: `SELECT [awsRegion] AS r, count(DISTINCT [userIdentity.arn]) FROM events GROUP BY 1 ORDER BY r`,
		Own: map[dialect]string{inCairn: `SELECT awsRegion AS r, approx_distinct(userIdentity.arn) FROM events GROUP BY 1 ORDER BY r`,
			inDuck: `SELECT awsRegion AS r, approx_count_distinct(userIdentity.arn) FROM events GROUP BY 1 ORDER BY r`}},
	{Name: "V7", What: "agents that begin with one text and lack another", Compare: 2,
		Text: `SELECT [userAgent] AS a, count(*) AS n FROM events WHERE [userAgent] LIKE 'aws-%' AND [userAgent] NOT LIKE '%linux%' GROUP BY 1 ORDER BY n DESC, a LIMIT 20`},
	{Name: "V8", What: "calls by services, by name", Compare: 2,
		Text: `SELECT [eventName] AS e, count(*) AS n FROM events WHERE [sourceIPAddress] LIKE '%.amazonaws.com' GROUP BY 1 ORDER BY n DESC, e LIMIT 50`},
	{Name: "V9", What: "one name in small letters, by hour of a week", Compare: 2,
		Text: `SELECT [out [hour eventTime]] AS h, count(*) AS n FROM events WHERE lower([eventName]) = 'assumerole' AND [eventTime] BETWEEN [at '{week}'] AND [at '{weekend}'] GROUP BY 1 ORDER BY h`},
	{Name: "V10", What: "names of a regular expression", Compare: 2,
		Text: `SELECT eventName, count(*) AS n FROM events WHERE regexp_like(eventName, '^(Put|Delete).*(Policy|Key)$') GROUP BY 1 ORDER BY n DESC, eventName`,
		Own: map[dialect]string{
			inDuck:     `SELECT eventName, count(*) AS n FROM events WHERE regexp_matches(eventName, '^(Put|Delete).*(Policy|Key)$') GROUP BY 1 ORDER BY n DESC, eventName`,
			inSQLite:   `SELECT eventName, count(*) AS n FROM events WHERE eventName LIKE 'Put%Policy' OR eventName LIKE 'Put%Key' OR eventName LIKE 'Delete%Policy' OR eventName LIKE 'Delete%Key' GROUP BY 1 ORDER BY n DESC, eventName`,
			inPostgres: `SELECT eventName, count(*) AS n FROM events WHERE eventName ~ '^(Put|Delete).*(Policy|Key)$' GROUP BY 1 ORDER BY n DESC, eventName`}},
	{Name: "V11", What: "one of three things, by source", Compare: 2,
		Text: `SELECT [eventSource] AS s, count(*) AS n FROM events WHERE [errorCode] = 'AccessDenied' OR [sourceIPAddress] LIKE '10.%' OR [eventName] IN ('ConsoleLogin', 'StopLogging', 'CreateUser') GROUP BY 1 ORDER BY n DESC, s`},
	{Name: "V12", What: "no error and no key, by type and source", Compare: 3,
		Text: `SELECT [userIdentity.type] AS t, [eventSource] AS s, count(*) AS n FROM events WHERE [errorCode] IS NULL AND [userIdentity.accessKeyId] IS NULL AND [userIdentity.type] IS NOT NULL GROUP BY 1, 2 ORDER BY n DESC, t, s LIMIT 50`},
	{Name: "V13", What: "TLS versions and ciphers", Compare: 3,
		Text: `SELECT [tlsDetails.tlsVersion] AS v, [tlsDetails.cipherSuite] AS c, count(*) AS n FROM events WHERE [tlsDetails.tlsVersion] IS NOT NULL GROUP BY 1, 2 ORDER BY n DESC, v, c`},
	{Name: "V14", What: "median hour of the day by source", Compare: 1,
		Own: map[dialect]string{
			inCairn:    `SELECT eventSource AS s, approx_percentile(hour(eventTime), 0.5), approx_percentile(hour(eventTime), 0.95) FROM events GROUP BY 1 ORDER BY s`,
			inDuck:     `SELECT eventSource AS s, quantile_disc(hour(eventTime), 0.5), quantile_disc(hour(eventTime), 0.95) FROM events GROUP BY 1 ORDER BY s`,
			inSQLite:   "",
			inPostgres: `SELECT eventSource AS s, percentile_disc(0.5) WITHIN GROUP (ORDER BY extract(hour FROM eventTime)), percentile_disc(0.95) WITHIN GROUP (ORDER BY extract(hour FROM eventTime)) FROM events GROUP BY 1 ORDER BY s`}},
	{Name: "V15", What: "newest event per account", Compare: 3,
		Text: `SELECT [recipientAccountId] AS a, [out max([eventTime])] AS t, count(*) AS n FROM events GROUP BY 1 ORDER BY a`},
	{Name: "V16", What: "last event per principal, newest 50", Compare: 3,
		Text: `SELECT [out t], who, name FROM (SELECT [userIdentity.arn] AS who, [eventTime] AS t, [eventName] AS name, row_number() OVER (PARTITION BY [userIdentity.arn] ORDER BY [eventTime] DESC, [eventID] DESC) AS nth FROM events WHERE [userIdentity.arn] IS NOT NULL) AS x WHERE nth = 1 ORDER BY t DESC, who LIMIT 50`},
	{Name: "V17", What: "calls that repeat the one before of their key, in a week", Compare: 1,
		Text: `SELECT count(*) FROM (SELECT [eventName] AS e, lag([eventName]) OVER (PARTITION BY [userIdentity.accessKeyId] ORDER BY [eventTime], [eventID]) AS p FROM events WHERE [userIdentity.accessKeyId] IS NOT NULL AND [eventTime] >= [at '{week}'] AND [eventTime] < [at '{weekend}']) AS x WHERE e = p`},
	{Name: "V18", What: "second sign-in of each principal", Compare: 3,
		Text: `SELECT who, [out t], address FROM (SELECT [userIdentity.arn] AS who, [eventTime] AS t, [sourceIPAddress] AS address, row_number() OVER (PARTITION BY [userIdentity.arn] ORDER BY [eventTime], [eventID]) AS nth FROM events WHERE [eventName] = 'ConsoleLogin' AND [userIdentity.arn] IS NOT NULL) AS x WHERE nth = 2 ORDER BY who`},
	{Name: "V19", What: "a frequent text in request parameters, keys included", Compare: 1,
		Text: `SELECT count(*) FROM events WHERE [has requestParameters 'ucket']`},
	{Name: "V20", What: "a frequent text in values of request parameters, by source", Compare: 2,
		Text: `SELECT [eventSource] AS s, count(*) AS n FROM events WHERE [some requestParameters 'arn:aws:'] GROUP BY 1 ORDER BY n DESC, s`},
	{Name: "V21", What: "a frequent text in response elements", Compare: 1,
		Text: `SELECT count(*) FROM events WHERE [has responseElements 'arn:aws']`},
	{Name: "V22", What: "a text in error messages, by name", Compare: 2,
		Text: `SELECT [eventName] AS e, count(*) AS n FROM events WHERE [errorMessage] LIKE '%not authorized%' GROUP BY 1 ORDER BY n DESC, e LIMIT 50`},
	{Name: "V23", What: "a rare text in whole records", Compare: 1,
		Text: `SELECT [eventID] AS id FROM events WHERE [record] LIKE '%{token}%' ORDER BY id`,
		Own:  map[dialect]string{inDuck: "", inPostgres: `SELECT eventID FROM events WHERE record::text LIKE '%{token}%' ORDER BY eventID`}},
	{Name: "V24", What: "a frequent text in whole records", Compare: 1,
		Text: `SELECT count(*) FROM events WHERE [record] LIKE '%AccessDenied%'`,
		Own:  map[dialect]string{inDuck: "", inPostgres: `SELECT count(*) FROM events WHERE record::text LIKE '%AccessDenied%'`}},
	{Name: "V25", What: "no value of request parameters has a frequent text", Compare: 2,
		Text: `SELECT [eventSource] AS s, count(*) AS n FROM events WHERE NOT [some requestParameters 'prod'] GROUP BY 1 ORDER BY n DESC, s`,
		Own: map[dialect]string{
			inCairn:    `SELECT eventSource AS s, count(*) AS n FROM events WHERE none_match(map_values(requestParameters), v -> v LIKE '%prod%') GROUP BY 1 ORDER BY n DESC, s`,
			inPostgres: `SELECT eventSource AS s, count(*) AS n FROM events WHERE requestParameters <> 'null' AND requestParameters::text NOT LIKE '%prod%' GROUP BY 1 ORDER BY n DESC, s`}},
	{Name: "V26", What: "a key made, then a trail or user deleted within a day", Compare: 3,
		Text: `SELECT a.[userIdentity.arn] AS who, [out a.[eventTime]] AS t, d.[eventID] AS id FROM events a JOIN events d ON d.[userIdentity.arn] = a.[userIdentity.arn] AND d.[eventTime] >= a.[eventTime] AND d.[eventTime] <= [plus a.[eventTime] 1 day] WHERE a.[eventName] = 'CreateAccessKey' AND d.[eventName] IN ('DeleteTrail', 'StopLogging', 'DeleteUser', 'DeleteRole') ORDER BY who, t, id`},
	{Name: "V27", What: "two addresses of one key within ten minutes, of one day", Compare: 2,
		Text: `SELECT a.[userIdentity.accessKeyId] AS k, count(*) AS n FROM events a JOIN events b ON b.[userIdentity.accessKeyId] = a.[userIdentity.accessKeyId] AND b.[sourceIPAddress] <> a.[sourceIPAddress] AND b.[eventTime] >= a.[eventTime] AND b.[eventTime] <= [plus a.[eventTime] 10 minute] WHERE a.[eventTime] >= [at '{day}'] AND a.[eventTime] < [at '{dayend}'] AND b.[eventTime] >= [at '{day}'] AND b.[eventTime] < [at '{dayend}'] GROUP BY 1 ORDER BY n DESC, k LIMIT 20`},
	{Name: "V28", What: "sign-ins with no change by the same principal in an hour", Compare: 1,
		Text: `SELECT l.[eventID] AS id FROM events l WHERE l.[eventName] = 'ConsoleLogin' AND l.[userIdentity.arn] IS NOT NULL AND NOT EXISTS (SELECT 1 FROM events k WHERE k.[userIdentity.arn] = l.[userIdentity.arn] AND NOT k.[readOnly] AND k.[eventTime] > l.[eventTime] AND k.[eventTime] <= [plus l.[eventTime] 1 hour]) ORDER BY id`},
	{Name: "V29", What: "oldest 50, full records", Compare: 1,
		Text: `SELECT [out [eventTime]] AS t, [record] FROM events ORDER BY [eventTime] LIMIT 50`},
	{Name: "V30", What: "newest, the twentieth page", Compare: 1,
		Text: `SELECT [out [eventTime]] AS t, [record] FROM events ORDER BY [eventTime] DESC [page 950]`},
	{Name: "V31", What: "newest 50 changes in one region", Compare: 1,
		Text: `SELECT [out [eventTime]] AS t, [record] FROM events WHERE [awsRegion] = 'eu-west-1' AND NOT [readOnly] ORDER BY [eventTime] DESC LIMIT 50`},
	{Name: "V32", What: "newest 50 errors, ten columns", Compare: 1,
		Text: `SELECT [out [eventTime]] AS t, [eventID], [eventName], [eventSource], [awsRegion], [sourceIPAddress], [userIdentity.arn], [errorCode], [errorMessage], [userAgent] FROM events WHERE [errorCode] IS NOT NULL ORDER BY [eventTime] DESC LIMIT 50`},
	{Name: "V33", What: "one day, full records", Compare: 1,
		Text: `SELECT [eventID] AS id, [record] FROM events WHERE [eventTime] >= [at '{day}'] AND [eventTime] < [at '{dayend}'] ORDER BY id`},
	{Name: "V34", What: "one hour in order of time, full records", Compare: 2,
		Text: `SELECT [out [eventTime]] AS t, [eventID] AS id, [record] FROM events WHERE [eventTime] >= [at '{hour}'] AND [eventTime] < [at '{hourend}'] ORDER BY [eventTime], [eventID]`},
	{Name: "V35", What: "distinct sources and names", Compare: 2,
		Text: `SELECT DISTINCT [eventSource] AS s, [eventName] AS e FROM events ORDER BY s, e`},
	{Name: "V36", What: "names and codes of one principal, together", Compare: 3,
		Text: `SELECT what, k, n FROM (SELECT 'name' AS what, [eventName] AS k, count(*) AS n FROM events WHERE [userIdentity.arn] = '{arn}' GROUP BY 2 UNION ALL SELECT 'code', [errorCode], count(*) FROM events WHERE [userIdentity.arn] = '{arn}' AND [errorCode] IS NOT NULL GROUP BY 2) AS x ORDER BY what, n DESC, k`},
	{Name: "V37", What: "top 20 roles that were assumed", Compare: 2,
		Text: `SELECT [requestParameters.roleArn] AS r, count(*) AS n FROM events WHERE [requestParameters.roleArn] IS NOT NULL GROUP BY 1 ORDER BY n DESC, r LIMIT 20`},
	{Name: "V38", What: "top 20 resources by ARN", Compare: 2,
		Own: map[dialect]string{
			inCairn:    `SELECT arn AS a, count(*) AS n FROM events CROSS JOIN UNNEST(resources) AS t(accountid, type, arn, arnprefix) WHERE arn IS NOT NULL GROUP BY 1 ORDER BY n DESC, a LIMIT 20`,
			inDuck:     `SELECT r.ARN AS a, count(*) AS n FROM (SELECT unnest(resources) AS r FROM events) AS t WHERE r.ARN IS NOT NULL GROUP BY 1 ORDER BY n DESC, a LIMIT 20`,
			inSQLite:   `SELECT r.value ->> '$.ARN' AS a, count(*) AS n FROM events, json_each(events.record, '$.resources') AS r WHERE a IS NOT NULL GROUP BY 1 ORDER BY n DESC, a LIMIT 20`,
			inPostgres: `SELECT r ->> 'ARN' AS a, count(*) AS n FROM events, jsonb_array_elements(CASE jsonb_typeof(record -> 'resources') WHEN 'array' THEN record -> 'resources' END) AS r WHERE r ->> 'ARN' IS NOT NULL GROUP BY 1 ORDER BY n DESC, a LIMIT 20`}},
	{Name: "V39", What: "distinct agents per role, top 20", Compare: 2,
		Text: `SELECT [userIdentity.sessionContext.sessionIssuer.arn] AS who, count(DISTINCT [userAgent]) AS n FROM events WHERE [userIdentity.sessionContext.sessionIssuer.arn] IS NOT NULL GROUP BY 1 ORDER BY n DESC, who LIMIT 20`},
	{Name: "V40", What: "a member of response elements of members, by value", Compare: 2,
		Text: `SELECT [responseElements.accessKey.status] AS s, count(*) AS n FROM events WHERE [responseElements.accessKey.status] IS NOT NULL GROUP BY 1 ORDER BY n DESC, s`},
	{Name: "V41", What: "one access key by day and region", Compare: 3,
		Text: `SELECT [out [day eventTime]] AS d, [awsRegion] AS r, count(*) AS n FROM events WHERE [userIdentity.accessKeyId] = '{key}' GROUP BY 1, 2 ORDER BY d, r`},
	{Name: "V42", What: "some names by some accounts", Compare: 3,
		Text: `SELECT [eventName] AS e, [recipientAccountId] AS a, count(*) AS n FROM events WHERE [eventName] IN ('RunInstances', 'PutObject', 'Decrypt', 'AssumeRole') AND [recipientAccountId] <> '{account}' GROUP BY 1, 2 ORDER BY n DESC, e, a`},
	{Name: "V43", What: "a rare text in user agents, a day", Compare: 1,
		Text: `SELECT [eventID] AS id FROM events WHERE [userAgent] LIKE '%Terraform%' AND [eventTime] >= [at '{day}'] AND [eventTime] < [at '{dayend}'] ORDER BY id`},
	{Name: "V44", What: "one source but one region, newest 50 by ID and name", Compare: 3,
		Text: `SELECT [out [eventTime]] AS t, [eventID] AS id, [eventName] AS e FROM events WHERE [eventSource] = 'iam.amazonaws.com' AND [awsRegion] <> 'eu-west-1' ORDER BY [eventTime] DESC, [eventID] LIMIT 50`},
}

// variants are the variants as questions.
var variants = func() (out []question) {
	for _, v := range variantTexts {
		in := func(d dialect) string {
			if own, ok := v.Own[d]; ok {
				return own
			}
			return d.say(v.Text)
		}
		out = append(out, question{Name: v.Name, What: v.What, Cairn: in(inCairn), Duck: in(inDuck), SQLite: in(inSQLite), Postgres: in(inPostgres), Compare: v.Compare})
	}
	return out
}()

// bracket finds what stands in brackets and has none inside, with the name of a row before it.
var bracket = regexp.MustCompile(`(?:\b([a-z])\.)?\[([^\[\]]+)\]`)

// say puts a text into a dialect, from inside out.
func (d dialect) say(text string) string {
	for {
		at := bracket.FindStringSubmatchIndex(text)
		if at == nil {
			return text
		}
		row := ""
		if at[2] >= 0 {
			row = text[at[2]:at[3]] + "."
		}
		text = text[:at[0]] + d.word(row, text[at[4]:at[5]]) + text[at[1]:]
	}
}

// of picks one of four texts.
func (d dialect) of(cairn, duck, sqlite, postgres string) string {
	return [...]string{cairn, duck, sqlite, postgres}[d]
}

// word says one thing that stands in brackets.
func (d dialect) word(row, word string) string {
	verb, x, more := strings.Cut(word, " ")
	if !more {
		if word == "record" {
			return row + d.of("eventJson", "*", "record", "record")
		}
		return d.member(row, word)
	}
	switch verb {
	case "out":
		return d.of(x, "strftime("+x+", '%Y-%m-%d %H:%M:%S.%g')", x, "to_char("+x+", 'YYYY-MM-DD HH24:MI:SS.MS')")
	case "hour":
		trunc := "date_trunc('hour', " + x + ")"
		return d.of(trunc, trunc, "substr("+x+", 1, 13) || ':00:00.000'", trunc)
	case "day":
		trunc := "date_trunc('day', " + x + ")"
		return d.of(trunc, trunc, "substr("+x+", 1, 10) || ' 00:00:00.000'", trunc)
	case "at":
		return d.of("timestamp "+x, "timestamp "+x, x, x)
	case "page":
		return d.of("OFFSET "+x+" LIMIT 50", "LIMIT 50 OFFSET "+x, "LIMIT 50 OFFSET "+x, "LIMIT 50 OFFSET "+x)
	case "plus":
		t, by, _ := strings.Cut(x, " ")
		n, unit, _ := strings.Cut(by, " ")
		return d.of(fmt.Sprintf("%s + interval '%s' %s", t, n, unit), fmt.Sprintf("%s + INTERVAL %s %s", t, n, unit),
			fmt.Sprintf("strftime('%%Y-%%m-%%d %%H:%%M:%%f', %s, '+%s %s')", t, n, unit), fmt.Sprintf("%s + interval '%s %s'", t, n, unit))
	case "has", "some":
		m, text, _ := strings.Cut(x, " ")
		like := " LIKE '%" + strings.Trim(text, "'") + "%'"
		whole := "json_format(CAST(" + m + " AS json))" + like
		if verb == "some" {
			whole = "any_match(map_values(" + m + "), v -> v" + like + ")"
		}
		return d.of(whole, m+"::VARCHAR"+like, d.member("", m)+like, strings.Replace(d.member("", m), "->>", "->", 1)+"::text"+like)
	}
	panic("a variant has no word " + verb)
}

var (
	// jsonMembers are maps for Cairn and JSON for DuckDB.
	jsonMembers = []string{"requestParameters", "responseElements", "additionalEventData"}
	// ownColumns are those of SQLite and PostgreSQL by the members that they are.
	ownColumns = map[string]string{"eventID": "eventID", "eventTime": "eventTime", "eventName": "eventName", "eventSource": "eventSource", "sourceIPAddress": "sourceIPAddress",
		"errorCode": "errorCode", "userIdentity.arn": "arn", "userIdentity.accessKeyId": "accessKeyId", "requestParameters": "requestParameters", "additionalEventData": "additionalEventData"}
)

// member names a member of the record in a row.
func (d dialect) member(row, path string) string {
	top, rest, deep := strings.Cut(path, ".")
	isJSON := slices.Contains(jsonMembers, top)
	switch own, has := ownColumns[path]; {
	case d == inCairn && isJSON && deep:
		key, inside, more := strings.Cut(rest, ".")
		value := fmt.Sprintf("element_at(%s%s, '%s')", row, top, key)
		if more {
			value = fmt.Sprintf("json_extract_scalar(%s, '$.%s')", value, inside)
		}
		return value
	case d == inDuck && isJSON && deep:
		return fmt.Sprintf("json_extract_string(%s%s, '$.%s')", row, top, rest)
	case d == inCairn || d == inDuck:
		return row + path
	case has:
		return row + own
	case d == inSQLite && ownColumns[top] != "":
		return fmt.Sprintf("%s%s ->> '$.%s'", row, top, rest)
	case d == inSQLite:
		return fmt.Sprintf("(%srecord ->> '$.%s')", row, path)
	case path == "readOnly":
		return fmt.Sprintf("(%srecord ->> 'readOnly')::boolean", row)
	case ownColumns[top] != "":
		return fmt.Sprintf("%s%s #>> '{%s}'", row, top, strings.ReplaceAll(rest, ".", ","))
	case deep:
		return fmt.Sprintf("(%srecord #>> '{%s}')", row, strings.ReplaceAll(path, ".", ","))
	}
	return fmt.Sprintf("(%srecord ->> '%s')", row, path)
}
