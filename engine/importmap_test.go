package engine

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"

	"github.com/cairndb/cairn/engine/event"
	"github.com/cairndb/cairn/engine/mapping"
)

// whoDidWhat asks who did what, from where, in the last day, in AWS and elsewhere; the comment of
// package mapping shows it.
const whoDidWhat = `
	SELECT eventTime AS at, coalesce(userIdentity.userName, userIdentity.arn) AS who, eventSource AS product, eventName AS what, sourceIPAddress AS origin
	FROM events WHERE eventTime > now() - INTERVAL '1' DAY
	UNION ALL
	SELECT eventTime, eventData.userIdentity.principalId, eventData.eventSource, eventData.eventName, eventData.sourceIPAddress
	FROM activity WHERE eventTime > now() - INTERVAL '1' DAY
	ORDER BY at DESC`

func builtInMapping(t *testing.T, name string) *mapping.Mapping {
	t.Helper()
	m, err := mapping.Called(name)
	if err != nil {
		t.Fatal(err)
	}
	return m
}

// rowsTest returns the rows of a query as text.
func rowsTest(t *testing.T, l *Lake, text string) []string {
	t.Helper()
	rows, err := l.Query(context.Background(), text)
	if err != nil {
		t.Fatal(err)
	}
	defer rows.Close()
	var out []string
	for {
		b, err := rows.Next()
		if err != nil {
			break
		}
		for i := range b.Len {
			var cells []string
			for _, v := range b.Cols {
				cell := "NULL"
				if s, ok := "", false; v.Type.String() == "varchar" {
					if s, ok = textAt(v, i); ok {
						cell = s
					}
				} else if !v.IsNull(i) {
					leaf, j := v.Leaf(i)
					cell = fmt.Sprint(leaf.I64[j])
				}
				cells = append(cells, cell)
			}
			out = append(out, strings.Join(cells, " "))
		}
	}
	return out
}

func TestImportMapped(t *testing.T) {
	ctx := context.Background()
	fs := vfs.NewMem()
	now := time.Date(2026, 3, 4, 12, 0, 0, 0, time.UTC)
	l := openTest(t, fs, Options{Clock: func() time.Time { return now }, SegmentRows: 8})
	github := `[{"@timestamp":1772621000000,"_document_id":"g1","action":"repo.destroy","actor":"octocat","actor_ip":"192.0.2.1","org":"acme"},
 {"@timestamp":1700000000000,"_document_id":"g0","action":"repo.create","actor":"octocat","actor_ip":"192.0.2.1","org":"acme"},
 {"_document_id":"g2","action":"repo.create","actor":"octocat","org":"acme"},
 {"no":"audit event"}]`
	okta := `{"uuid":"o1","published":"2026-03-04T11:00:00Z","eventType":"user.session.start","actor":{"alternateId":"alice@example.com","type":"User"},"client":{"ipAddress":"192.0.2.2"},"outcome":{"result":"SUCCESS"}}
{"uuid":"o1","published":"2026-03-04T11:00:00Z","eventType":"user.session.start","actor":{"alternateId":"alice@example.com","type":"User"},"client":{"ipAddress":"192.0.2.2"},"outcome":{"result":"SUCCESS"}}
`
	var google strings.Builder
	google.WriteString(`{"id":{"time":"2026-01-01T00:00:00Z","uniqueQualifier":"1","applicationName":"drive"},"actor":{"email":"b@example.com"},"events":[`)
	for i := range 20 { // more than a segment
		fmt.Fprintf(&google, `{"type":"access","name":"view%d"},`, i)
	}
	google.WriteString(`{"type":"access","name":"end"}]}`)
	writeTest(t, fs, "github.json", []byte(github))
	writeTest(t, fs, "okta.ndjson", []byte(okta))
	writeTest(t, fs, "google.json", []byte(google.String()))
	writeTest(t, fs, "aws.json", []byte(`{"eventVersion":"1.08","userIdentity":{"type":"IAMUser","userName":"bob"},"eventTime":"2026-03-04T10:00:00Z","eventSource":"iam.amazonaws.com","eventName":"CreateUser","sourceIPAddress":"192.0.2.3","awsRegion":"us-east-1","eventID":"11111111-1111-4111-8111-111111111111"}`))

	opts := ImportOptions{Store: "activity", Paths: []string{"github.json", "okta.ndjson", "google.json"}, Mapping: builtInMapping(t, mapping.Auto)}
	r, err := l.Import(ctx, opts)
	if err != nil {
		t.Fatal(err)
	}
	reasons := map[string]int64{}
	for _, reason := range r.Reasons {
		reasons[reason.Reason] = reason.Records
	}
	if r.Stored != 24 || r.Duplicates != 1 || r.Refused != 2 || reasons["missing eventTime"] != 1 || reasons["of no known product"] != 1 {
		t.Errorf("%+v", r)
	}
	// The same again, told as duplicates, to the last.
	opts.Again = true
	if r, err = l.Import(ctx, opts); err != nil || r.Stored != 0 || r.Conflicts != 0 || r.Duplicates != 25 {
		t.Errorf("again: %+v, %v", r, err)
	}
	s, err := l.Store("activity")
	if err != nil || s.Schema() != event.ExternalEvents {
		t.Fatalf("%v, %v", s, err)
	}
	if _, err := l.Import(ctx, ImportOptions{Paths: []string{"aws.json"}}); err != nil {
		t.Fatal(err)
	}
	got := rowsTest(t, l, whoDidWhat)
	at := func(s string) string { t, _ := event.ParseTime(s); return fmt.Sprint(t) }
	want := []string{
		at("2026-03-04T11:00:00Z") + " alice@example.com okta.com user.session.start 192.0.2.2",
		at("2026-03-04T10:43:20Z") + " octocat github.com repo.destroy 192.0.2.1",
		at("2026-03-04T10:00:00Z") + " bob iam.amazonaws.com CreateUser 192.0.2.3",
	}
	if strings.Join(got, "\n") != strings.Join(want, "\n") {
		t.Errorf("who did what:\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
	// AWS among them in one store. That the file was tried as what it is, and refused, is not held against it.
	opts.Again = false
	opts.Paths, opts.Mapping = []string{"aws.json"}, nil
	if r, err := l.Import(ctx, opts); err != nil || r.Stored != 0 || r.Refused != 1 {
		t.Errorf("AWS as it is: %+v, %v", r, err)
	}
	opts.Mapping = builtInMapping(t, "cloudtrail")
	if r, err := l.Import(ctx, opts); err != nil || r.Stored != 1 {
		t.Errorf("AWS: %+v, %v", r, err)
	}
	found, err := s.Lookup(ctx, LookupRequest{Attributes: map[string]string{"EventSource": "github.com", "Username": "octocat"}})
	if err != nil || len(found.Events) != 2 || found.Events[0].EventName != "repo.destroy" {
		t.Errorf("lookup: %+v, %v", found, err)
	}
	for _, bad := range []ImportOptions{
		{Store: "events", Paths: opts.Paths, Mapping: builtInMapping(t, "okta")},
		{Store: "new", Paths: opts.Paths, Mapping: builtInMapping(t, "okta"), Schema: event.CloudTrail},
		{Store: "new", Paths: opts.Paths, Mapping: builtInMapping(t, "okta"), Account: "12"},
	} {
		if _, err := l.Import(ctx, bad); !errors.Is(err, ErrBadInput) && !errors.Is(err, ErrConflict) {
			t.Errorf("an import that cannot be: %v", err)
		}
	}
}

// Other people's collections go into one store, and one query tells them apart.
func TestImportMappedCorpus(t *testing.T) {
	dir := "../../shared/corpus"
	if _, err := os.Stat(dir); err != nil {
		if dir = os.Getenv("CAIRN_CORPUS"); dir == "" {
			t.Skip("the corpus is not beside the repository, and CAIRN_CORPUS does not name it")
		}
	}
	l, err := Open(filepath.Join(t.TempDir(), "lake"), nil)
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	for product, file := range map[string]string{"github": "non-aws/github-audit.json.gz", "okta": "non-aws/okta-systemlog.json.gz", "entra": "non-aws/azure-entra-audit.json.gz", "cloudtrail": "panther-analysis.json.gz"} {
		r, err := l.Import(context.Background(), ImportOptions{Store: "activity", Paths: []string{filepath.Join(dir, file)}, Mapping: builtInMapping(t, product)})
		if err != nil {
			t.Fatal(err)
		}
		// Some of the collections have one ID for many records.
		if r.Stored+r.Conflicts < 20 || r.Stored+r.Duplicates+r.Refused+r.Conflicts != r.Records {
			t.Errorf("%s: %+v", product, r)
		}
	}
	got := rowsTest(t, l, `SELECT element_at(eventData.additionalEventData, 'product') AS product, count(*) AS n, count(eventData.userIdentity.principalId) AS who FROM activity GROUP BY 1 ORDER BY 1`)
	if len(got) != 4 || !strings.HasPrefix(got[0], "cloudtrail ") || !strings.HasPrefix(got[3], "okta ") {
		t.Errorf("%q", got)
	}
}
