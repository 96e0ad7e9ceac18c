package engine

import (
	"strings"
	"testing"
)

// selectiveQuestions are questions about few of a lake's events, and groups of all of them.
// {arn} {key} {address} {role} {bucket} {error} stand for values that some hundreds to thousands of
// events have, {name} {from} {to} for an event name and a week in which {one} has it as address.
var selectiveQuestions = []struct{ name, text string }{
	{"principal by name", `SELECT eventName, count(*) AS n FROM events WHERE userIdentity.arn = '{arn}' GROUP BY eventName ORDER BY n DESC, eventName`},
	{"address by name", `SELECT eventName, count(*) AS n FROM events WHERE sourceIPAddress = '{address}' GROUP BY eventName ORDER BY n DESC, eventName`},
	{"key by day", `SELECT date_trunc('day', eventTime) AS day, count(*) AS n FROM events WHERE userIdentity.accessKeyId = '{key}' GROUP BY 1 ORDER BY 1`},
	{"role by source", `SELECT eventSource, count(*) AS n FROM events WHERE userIdentity.sessionContext.sessionIssuer.arn = '{role}' GROUP BY eventSource ORDER BY n DESC, eventSource`},
	{"two conditions", `SELECT eventName, awsRegion, count(*) AS n FROM events WHERE userIdentity.arn = '{arn}' AND eventSource = 's3.amazonaws.com' GROUP BY 1, 2 ORDER BY n DESC, 1, 2`},
	{"errors of a principal by hour", `SELECT date_trunc('hour', eventTime) AS hour, count(*) AS n FROM events WHERE userIdentity.arn = '{arn}' AND errorCode IS NOT NULL GROUP BY 1 ORDER BY 1`},
	{"error by principal", `SELECT userIdentity.arn, count(*) AS n FROM events WHERE errorCode = '{error}' GROUP BY 1 ORDER BY n DESC, 1 LIMIT 20`},
	{"users of a bucket", `SELECT userIdentity.arn, count(*) AS n FROM events WHERE element_at(requestParameters, 'bucketName') = '{bucket}' GROUP BY 1 ORDER BY n DESC, 1 LIMIT 10`},
	{"week of a name and address", `SELECT eventID FROM events WHERE eventName = '{name}' AND sourceIPAddress = '{one}' AND eventTime >= timestamp '{from}' AND eventTime < timestamp '{to}' ORDER BY eventID`},
	{"errors by hour", `SELECT date_trunc('hour', eventTime) AS hour, count(*) AS n FROM events WHERE errorCode IS NOT NULL GROUP BY 1 ORDER BY 1`},
	{"top buckets", `SELECT element_at(requestParameters, 'bucketName') AS b, count(*) AS n FROM events WHERE element_at(requestParameters, 'bucketName') IS NOT NULL GROUP BY element_at(requestParameters, 'bucketName') ORDER BY n DESC, b LIMIT 20`},
	{"addresses of principals", `SELECT userIdentity.arn, count(DISTINCT sourceIPAddress) AS n FROM events WHERE userIdentity.arn IS NOT NULL GROUP BY userIdentity.arn ORDER BY n DESC, userIdentity.arn LIMIT 20`},
	{"agents of accounts", `SELECT recipientAccountId, count(DISTINCT userAgent) AS n FROM events GROUP BY 1 ORDER BY n DESC, 1`},
	{"first per principal and day", `SELECT day, count(*) AS n FROM (SELECT date_trunc('day', eventTime) AS day, row_number() OVER (PARTITION BY userIdentity.arn, date_trunc('day', eventTime) ORDER BY eventTime, eventID) AS nth FROM events WHERE userIdentity.arn IS NOT NULL) AS t WHERE nth = 1 GROUP BY day ORDER BY day`},
	{"first per key and day", `SELECT day, count(*) AS n FROM (SELECT date_trunc('day', eventTime) AS day, row_number() OVER (PARTITION BY userIdentity.accessKeyId, date_trunc('day', eventTime) ORDER BY eventTime, eventID) AS nth FROM events WHERE userIdentity.accessKeyId IS NOT NULL) AS t WHERE nth = 1 GROUP BY day ORDER BY day`},
	{"sign-in, then a key", `SELECT l.userIdentity.arn AS who, l.eventTime AS signed, k.eventID FROM events l JOIN events k ON k.userIdentity.arn = l.userIdentity.arn AND k.eventTime >= l.eventTime AND k.eventTime <= l.eventTime + interval '1' hour WHERE l.eventName = 'ConsoleLogin' AND element_at(l.additionalEventData, 'MFAUsed') = 'No' AND k.eventName = 'CreateAccessKey' ORDER BY who, signed, k.eventID`},
	{"two by one key in minutes", `SELECT l.userIdentity.accessKeyId AS who, l.eventTime AS at, k.eventID FROM events l JOIN events k ON k.userIdentity.accessKeyId = l.userIdentity.accessKeyId AND k.eventTime >= l.eventTime AND k.eventTime <= l.eventTime + interval '10' minute WHERE l.eventName = 'CreateUser' AND k.eventName = 'AttachUserPolicy' ORDER BY who, at, k.eventID`},
	{"two from one address in minutes", `SELECT l.sourceIPAddress AS who, l.eventTime AS at, k.eventID FROM events l JOIN events k ON k.sourceIPAddress = l.sourceIPAddress AND k.eventTime >= l.eventTime AND k.eventTime <= l.eventTime + interval '10' minute WHERE l.eventName = 'ConsoleLogin' AND l.errorMessage IS NOT NULL AND k.eventName = 'CreateAccessKey' ORDER BY who, at, k.eventID`},
	{"sign-in without a later key", `SELECT l.userIdentity.arn AS who, count(*) AS n FROM events l WHERE l.eventName = 'ConsoleLogin' AND NOT EXISTS (SELECT 1 FROM events k WHERE k.eventName = 'CreateAccessKey' AND k.userIdentity.arn = l.userIdentity.arn AND k.eventTime >= l.eventTime) GROUP BY 1 ORDER BY n DESC, 1 LIMIT 20`},
}

// BenchmarkSelective asks them.
func BenchmarkSelective(b *testing.B) {
	l := benchLake(b)
	var values []string
	for _, q := range []struct {
		text  string
		names []string
	}{
		{"SELECT userIdentity.arn FROM events WHERE userIdentity.arn <> '' GROUP BY 1 HAVING count(*) BETWEEN 200 AND 3000 ORDER BY 1 LIMIT 1", []string{"{arn}"}},
		{"SELECT userIdentity.accessKeyId FROM events WHERE userIdentity.accessKeyId <> '' GROUP BY 1 HAVING count(*) BETWEEN 60 AND 400 ORDER BY 1 LIMIT 1", []string{"{key}"}},
		{"SELECT sourceIPAddress FROM events WHERE sourceIPAddress <> '' GROUP BY 1 HAVING count(*) BETWEEN 200 AND 3000 ORDER BY 1 LIMIT 1", []string{"{address}"}},
		{"SELECT userIdentity.sessionContext.sessionIssuer.arn FROM events WHERE userIdentity.sessionContext.sessionIssuer.arn <> '' GROUP BY 1 HAVING count(*) BETWEEN 200 AND 6000 ORDER BY 1 LIMIT 1", []string{"{role}"}},
		{"SELECT element_at(requestParameters, 'bucketName') FROM events WHERE element_at(requestParameters, 'bucketName') IS NOT NULL GROUP BY 1 HAVING count(*) BETWEEN 200 AND 6000 ORDER BY 1 LIMIT 1", []string{"{bucket}"}},
		{"SELECT errorCode FROM events WHERE errorCode IS NOT NULL GROUP BY 1 HAVING count(*) BETWEEN 200 AND 6000 ORDER BY 1 LIMIT 1", []string{"{error}"}},
		{"SELECT eventName, sourceIPAddress, date_format(date_trunc('second', min(eventTime)), '%Y-%m-%d %H:%i:%s'), date_format(date_trunc('second', min(eventTime)) + interval '7' day, '%Y-%m-%d %H:%i:%s') FROM events GROUP BY 1, 2 HAVING count(*) BETWEEN 10 AND 40 ORDER BY 1, 2 LIMIT 1", []string{"{name}", "{one}", "{from}", "{to}"}},
	} {
		rows := queryTest(b, l, q.text)
		if len(rows) != 1 {
			b.Fatalf("%s: %q", q.text, rows)
		}
		for i, v := range strings.Split(rows[0], "|") {
			values = append(values, q.names[i], strings.ReplaceAll(strings.TrimSpace(v), "'", "''"))
		}
	}
	fill := strings.NewReplacer(values...)
	for _, q := range selectiveQuestions {
		b.Run(q.name, func(b *testing.B) {
			text := fill.Replace(q.text)
			rows := drain(b, l, text)
			drain(b, l, text)
			before := processTime(b)
			for b.Loop() {
				if n := drain(b, l, text); n != rows {
					b.Fatalf("%d rows, then %d", rows, n)
				}
			}
			b.ReportMetric(float64((processTime(b)-before).Microseconds())/float64(b.N), "cpu-µs/op")
			b.ReportMetric(float64(rows), "rows")
		})
	}
}
