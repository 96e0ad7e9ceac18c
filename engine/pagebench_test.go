package engine

import (
	"fmt"
	"testing"
)

// pageQuestions are questions for one event or a page of events, in the words of the
// middle of the lake that is measured.
func pageQuestions(b *testing.B, l *Lake) []struct{ name, text string } {
	b.Helper()
	one := func(text string) string {
		rows := queryTest(b, l, text)
		if len(rows) == 0 {
			b.Skipf("nothing in the lake for %s", text)
		}
		return rows[0]
	}
	middle := one("SELECT date_format(date_trunc('hour', min(eventTime) + (max(eventTime) - min(eventTime)) / 2), '%Y-%m-%d %H:%i:%s') FROM events")
	hour := fmt.Sprintf("eventTime >= timestamp '%s' AND eventTime < timestamp '%s' + interval '1' hour", middle, middle)
	id := one("SELECT eventID FROM events WHERE " + hour + " ORDER BY eventTime, eventID LIMIT 1")
	key := one("SELECT userIdentity.accessKeyId FROM events WHERE userIdentity.accessKeyId <> '' GROUP BY 1 HAVING count(*) BETWEEN 60 AND 400 ORDER BY 1 LIMIT 1")
	const group = " FROM events GROUP BY eventName, sourceIPAddress HAVING count(*) BETWEEN 10 AND 40 ORDER BY eventName, sourceIPAddress LIMIT 1"
	name, address := one("SELECT eventName"+group), one("SELECT sourceIPAddress"+group)
	from := one("SELECT date_format(date_trunc('second', min(eventTime)), '%Y-%m-%d %H:%i:%s')" + group)
	return []struct{ name, text string }{
		{"id", "SELECT eventID, eventJson FROM events WHERE eventID = '" + id + "'"},
		{"key", "SELECT eventTime, eventJson FROM events WHERE userIdentity.accessKeyId = '" + key + "' ORDER BY eventTime DESC LIMIT 50"},
		{"hour", "SELECT eventID, eventJson FROM events WHERE " + hour + " ORDER BY eventID"},
		{"newest", "SELECT eventTime, eventJson FROM events ORDER BY eventTime DESC LIMIT 50"},
		{"week", fmt.Sprintf("SELECT eventID FROM events WHERE eventName = '%s' AND sourceIPAddress = '%s' AND eventTime >= timestamp '%s' AND eventTime < timestamp '%s' + interval '7' day ORDER BY eventID", name, address, from, from)},
		{"all columns", "SELECT * FROM events ORDER BY eventTime DESC LIMIT 50"},
	}
}

// BenchmarkPages asks for one event and for pages of events again and again.
func BenchmarkPages(b *testing.B) {
	l := benchLake(b)
	for _, q := range pageQuestions(b, l) {
		b.Run(q.name, func(b *testing.B) {
			drain(b, l, q.text)
			drain(b, l, q.text)
			before := processTime(b)
			for b.Loop() {
				drain(b, l, q.text)
			}
			b.ReportMetric(float64((processTime(b)-before).Microseconds())/float64(b.N), "cpu-µs/op")
		})
	}
}
