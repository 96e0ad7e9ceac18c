package engine

import (
	"context"
	"fmt"
	"slices"
	"testing"

	"github.com/cockroachdb/pebble/v2/vfs"
)

// listRecords are events with columns of few values and of many, of which some are in nearly all rows,
// some in few; numbers beside texts, NULL, absent and escaped ones among them.
func listRecords(n int) [][]byte {
	var out [][]byte
	for i := range n {
		who := fmt.Sprintf("arn:aws:iam::%012d:user/u%d", i%2, i*7919%97)
		if i%3 == 0 {
			who = "arn:aws:iam::000000000000:user/robot"
		}
		rest := ""
		switch i % 7 {
		case 1:
			rest = `,"errorCode":"AccessDenied"`
		case 2:
			rest = `,"errorCode":"Throttl\u0069ng","requestParameters":{"bucketName":"logs","n":7}`
		case 3:
			rest = `,"errorCode":"Throttling","requestParameters":{"bucketName":7}`
		case 4:
			rest = `,"errorCode":null,"requestParameters":{"bucketName":"7"}`
		case 5:
			rest = fmt.Sprintf(`,"requestParameters":{"bucketName":"b%d"}`, i%40)
		}
		out = append(out, fmt.Appendf(nil, `{"eventVersion":"1.08","eventTime":"2026-01-%02dT%02d:%02d:%02dZ","eventSource":"s%d.amazonaws.com","eventName":"Get%d","awsRegion":"r%d","sourceIPAddress":"10.0.%d.%d","userIdentity":{"type":"IAMUser","arn":"%s","accountId":"%012d"},"recipientAccountId":"%012d","eventID":"%08x-0000-4000-8000-%012x"%s}`,
			1+i/3600%20, i/60%24, i%60, i*31%60, i%3, i%50, i%5, i*13%20, i%11, who, i%2, i%2, uint32(i)*2654435761, i, rest))
	}
	return out
}

// TestRowLists asks for values of columns with and without postings again and again, alone, in lists and
// together, and compares with what the same conditions give when storage cannot help with them.
func TestRowLists(t *testing.T) {
	const n = 700
	records := listRecords(n)
	conditions := [][2]string{ // as storage takes them, and not
		{"userIdentity.arn = 'arn:aws:iam::000000000000:user/robot'", "concat(userIdentity.arn, '') = 'arn:aws:iam::000000000000:user/robot'"},
		{"userIdentity.arn = 'arn:aws:iam::000000000001:user/u5'", "concat(userIdentity.arn, '') = 'arn:aws:iam::000000000001:user/u5'"},
		{"userIdentity.arn IN ('arn:aws:iam::000000000000:user/robot', 'arn:aws:iam::000000000001:user/u5', 'nobody')", "concat(userIdentity.arn, '') IN ('arn:aws:iam::000000000000:user/robot', 'arn:aws:iam::000000000001:user/u5')"},
		{"errorCode = 'Throttling'", "concat(errorCode, '') = 'Throttling'"},
		{"errorCode IN ('AccessDenied', 'Throttling')", "concat(errorCode, '') IN ('AccessDenied', 'Throttling')"},
		{"eventName = 'Get7'", "concat(eventName, '') = 'Get7'"},
		{"eventName IN ('Get1', 'Get2', 'Get3', 'Get4', 'Get5', 'Get6', 'Get7', 'Get8', 'Get9', 'Get10', 'Get11', 'Get12', 'Get13', 'Get14', 'Get15', 'Get16', 'Get17', 'Get18')", "CAST(substr(eventName, 4) AS integer) BETWEEN 1 AND 18"},
		{"element_at(requestParameters, 'bucketName') = 'logs'", "concat(element_at(requestParameters, 'bucketName'), '') = 'logs'"},
		{"element_at(requestParameters, 'bucketName') = '7'", "concat(element_at(requestParameters, 'bucketName'), '') = '7'"},
		{"awsRegion = 'r3'", "concat(awsRegion, '') = 'r3'"},
		{"eventSource IN ('s0.amazonaws.com', 's1.amazonaws.com', 's2.amazonaws.com')", "length(eventSource) > 0"},
	}
	for _, c := range append(slices.Clone(configurations), struct {
		name string
		o    Options
	}{"small cache", Options{SegmentRows: 256, CacheBytes: 1 << 16}}, struct {
		name string
		o    Options
	}{"half in memory", Options{SegmentRows: 256, MemtableRows: 200}}) {
		t.Run(c.name, func(t *testing.T) {
			l := openTest(t, vfs.NewMem(), c.o)
			s := storeTest(t, l)
			for from := 0; from < n; from += 201 {
				if _, err := s.Append(context.Background(), records[from:min(n, from+201)]); err != nil {
					t.Fatal(err)
				}
			}
			reader := l.As(Scope{Stores: []string{All}, Accounts: []string{"000000000001"}})
			limited := func(text string) []string {
				rows, err := reader.Query(context.Background(), text)
				if err != nil {
					t.Fatal(err)
				}
				return restTest(t, text, rows)
			}
			for i, a := range conditions {
				b := conditions[(i*5+2)%len(conditions)]
				for round, q := range []string{
					"SELECT eventID FROM events WHERE %s ORDER BY 1",
					"SELECT eventName, count(*), max(eventTime), count(DISTINCT sourceIPAddress) FROM events WHERE %s GROUP BY 1 ORDER BY 1",
					"SELECT eventTime, eventID, eventJson FROM events WHERE %s ORDER BY eventTime DESC, eventID LIMIT 20",
					"SELECT count(*), sum(length(userIdentity.arn)) FROM events WHERE %s AND eventTime >= timestamp '2026-01-01 03:10:00' AND eventTime < timestamp '2026-01-01 09:00:00'",
				} {
					want := queryTest(t, l, fmt.Sprintf(q, a[1]))
					for range 2 {
						if got := queryTest(t, l, fmt.Sprintf(q, a[0])); !slices.Equal(got, want) {
							t.Fatalf("%s, round %d: %q, want %q", a[0], round, got, want)
						}
					}
					if (i+round)%4 != 0 {
						continue
					}
					want = queryTest(t, l, fmt.Sprintf(q, a[1]+" AND "+b[1]))
					if got := queryTest(t, l, fmt.Sprintf(q, a[0]+" AND "+b[0])); !slices.Equal(got, want) {
						t.Fatalf("%s and %s: %q, want %q", a[0], b[0], got, want)
					}
					want = limited(fmt.Sprintf(q, a[1]))
					if got := limited(fmt.Sprintf(q, a[0])); !slices.Equal(got, want) {
						t.Fatalf("of one account, %s: %q, want %q", a[0], got, want)
					}
				}
			}
		})
	}
}
