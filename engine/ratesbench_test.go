package engine

import "testing"

// BenchmarkRates is how many events of a store a core works through in a second of
// its own time, by what a query does with them. Everything is read from segments: what a
// query needs is in the cache after its first run.
//
//	CAIRN_BENCH_EVENTS=200000 go test ./engine -run '^$' -bench Rates -benchtime 5x
func BenchmarkRates(b *testing.B) {
	l := benchLake(b)
	s, err := l.Store(DefaultStore)
	if err != nil {
		b.Fatal(err)
	}
	for _, c := range []struct{ name, query string }{
		{"scan/text", "SELECT eventName, sourceIPAddress FROM events"},
		{"scan/path", "SELECT userIdentity.arn, element_at(requestParameters, 'bucketName') FROM events"},
		{"filter/number", "SELECT count(*) FROM events WHERE minute(eventTime) = 30"},
		{"filter/dictionary", "SELECT count(*) FROM events WHERE eventName LIKE '%e%t%'"},
		{"filter/text", "SELECT count(*) FROM events WHERE lower(requestID) LIKE '%a7f%'"},
		{"group/codes", "SELECT eventName, errorCode, count(*) FROM events GROUP BY 1, 2"},
		{"group/expression", "SELECT date_trunc('hour', eventTime), upper(eventSource), count(*), max(eventTime) FROM events GROUP BY 1, 2"},
		{"group/path", "SELECT userIdentity.arn, count(DISTINCT sourceIPAddress) FROM events GROUP BY 1"},
		{"join/unique", "SELECT count(*) FROM events a JOIN events b ON a.eventID = b.eventID"},
		{"join/few", "SELECT count(*), max(b.n) FROM events a JOIN (SELECT eventName, count(*) AS n FROM events GROUP BY 1) b ON a.eventName = b.eventName WHERE a.eventTime > b.n * INTERVAL '1' SECOND + TIMESTAMP '2000-01-01 00:00:00'"},
		{"sort/all", "SELECT eventTime, eventName FROM events ORDER BY sourceIPAddress, eventTime"},
		{"sort/top", "SELECT eventTime, eventName FROM events ORDER BY requestID LIMIT 100"},
		{"unnest/rows", "SELECT type, count(*), max(arn) FROM events LEFT JOIN UNNEST(resources) AS t(accountid, type, arn, prefix) ON TRUE GROUP BY 1"},
		{"unnest/map", "SELECT k, count(*), max(v) FROM events, UNNEST(requestParameters) AS t(k, v) GROUP BY 1"},
		{"window/rank", "SELECT count(*) FROM (SELECT row_number() OVER (PARTITION BY sourceIPAddress ORDER BY eventTime) AS n FROM events) WHERE n > 1"},
		{"window/lag", "SELECT max(gap) FROM (SELECT eventTime - lag(eventTime) OVER (PARTITION BY userIdentity.arn ORDER BY eventTime) AS gap FROM events)"},
	} {
		b.Run(c.name, func(b *testing.B) {
			drain(b, l, c.query)
			before := processorTime(b)
			n := 0
			for b.Loop() {
				drain(b, l, c.query)
				n++
			}
			b.ReportMetric(float64(s.Events())*float64(n)/(processorTime(b)-before).Seconds()/1e6, "Mrows/s/core")
		})
	}
}
