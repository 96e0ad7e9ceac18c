package engine

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"
)

func TestLookup(t *testing.T) {
	const n = 300
	ctx := context.Background()
	for _, c := range configurations {
		t.Run(c.name, func(t *testing.T) {
			l := openTest(t, vfs.NewMem(), c.o)
			s := storeTest(t, l)
			// Late events: the order of time is not that of arrival.
			appendTest(t, s, testEvents(n/2, n))
			appendTest(t, s, testEvents(0, n/2))
			cases := []struct {
				name string
				req  LookupRequest
				want func(i int) bool
			}{
				{"everything", LookupRequest{}, func(int) bool { return true }},
				{"id", LookupRequest{Attributes: map[string]string{"EventId": fmt.Sprintf("%08x-0000-4000-8000-%012x", 77, 77)}}, func(i int) bool { return i == 77 }},
				{"user", LookupRequest{Attributes: map[string]string{"username": "user3"}}, func(i int) bool { return i%7 == 3 }},
				{"resource", LookupRequest{Attributes: map[string]string{"ResourceName": "bucket-2", "ReadOnly": "true"}}, func(i int) bool { return i%5 == 2 }},
				{"name and time", LookupRequest{Attributes: map[string]string{"EventName": "GetObject"},
					Start: time.Date(2026, 1, 2, 0, 1, 0, 0, time.UTC), End: time.Date(2026, 1, 2, 0, 2, 0, 0, time.UTC)}, func(i int) bool { return i >= 60 && i <= 120 }},
				{"nothing", LookupRequest{Attributes: map[string]string{"EventName": "PutObject"}}, func(int) bool { return false }},
				{"type", LookupRequest{Attributes: map[string]string{"ResourceType": "AWS::S3::Bucket"}}, func(int) bool { return true }},
				{"wrong type", LookupRequest{Attributes: map[string]string{"ResourceType": "AWS::IAM::Role"}}, func(int) bool { return false }},
			}
			for _, k := range cases {
				for _, limit := range []int{0, 1, 7, 1000} {
					if limit == 1 && k.name == "everything" {
						continue // 300 pages
					}
					var got []LookupEvent
					req := k.req
					req.Limit = limit
					for {
						r, err := s.Lookup(ctx, req)
						if err != nil {
							t.Fatal(err)
						}
						got = append(got, r.Events...)
						if req.Token = r.Next; req.Token == "" {
							break
						}
					}
					at := 0
					for i := n - 1; i >= 0; i-- {
						if !k.want(i) {
							continue
						}
						if at == len(got) {
							t.Fatalf("%s, limit %d: %d events, then event %d is missing", k.name, limit, at, i)
						}
						if e := got[at]; string(e.Record) != string(testEvent(i)) || e.Username != fmt.Sprintf("user%d", i%7) || e.ReadOnly != "true" || e.EventName != "GetObject" {
							t.Fatalf("%s, limit %d: result %d is %+v, want event %d", k.name, limit, at, e, i)
						}
						at++
					}
					if at != len(got) {
						t.Fatalf("%s, limit %d: %d events, want %d", k.name, limit, len(got), at)
					}
				}
			}
			if _, err := s.Lookup(ctx, LookupRequest{Attributes: map[string]string{"Colour": "red"}}); !errors.Is(err, ErrBadInput) {
				t.Errorf("unknown attribute: %v", err)
			}
			first, err := s.Lookup(ctx, LookupRequest{Limit: 1})
			if err != nil {
				t.Fatal(err)
			}
			if _, err := s.Lookup(ctx, LookupRequest{Limit: 1, Token: first.Next, Attributes: map[string]string{"EventName": "x"}}); !errors.Is(err, ErrBadInput) {
				t.Errorf("token of another request: %v", err)
			}
		})
	}
}

// TestResourceSearch looks events up by the names of resources: first by searching segments for the name, then, when
// that was done often enough, by an index. Both give what the records say.
func TestResourceSearch(t *testing.T) {
	ctx := context.Background()
	l := openTest(t, vfs.NewMem(), Options{})
	s := storeTest(t, l)
	parts := []string{
		`"resources":[{"ARN":"arn:aws:s3:::b%[1]d","type":"AWS::S3::Bucket"}]`,
		`"resources":[{"type":"AWS::IAM::Role","ARN":"arn:aws:iam::1:role\/team\/r%[1]d"},{"ARN":"arn:aws:s3:::b1"}]`,
		`"requestParameters":{"bucketName":"n\u00e4me %[1]d","key":"b%[1]d"}`,
		`"requestParameters":{"bucketName":"näme %[1]d","other":["b%[1]d"]}`,
		`"requestParameters":{"instancesSet":{"items":[{"instanceId":"i-0%[1]d"},{"instanceId":"i-b%[1]d"}]}},"responseElements":{"instancesSet":{"items":[{"instanceId":"i-c%[1]d"}]}}`,
		`"requestParameters":{"bucketName":"aa, \"bb\" [%[1]d]: cc"}`,
		`"requestParameters":null,"responseElements":{"volumeId":"vol-%[1]d"},"resources":[{"ARN":7%[1]d7}]`,
		`"requestParameters":{"bucketName":"%[1]d"},"resources":[{"ARNPrefix":"arn:aws:s3:::b%[1]d/x"}]`,
	}
	var records [][]byte
	for i := range 600 {
		source := "s3.amazonaws.com"
		if i%len(parts) == 4 || i%len(parts) == 6 {
			source = "ec2.amazonaws.com"
		}
		records = append(records, fmt.Appendf(nil, `{"eventVersion":"1.08","eventID":"00000000-0000-4000-8000-%012d","eventTime":"2026-01-02T00:%02d:%02dZ","eventSource":%q,"eventName":"N",%s}`,
			i, i/60, i%60, source, fmt.Sprintf(parts[i%len(parts)], i%9)))
	}
	appendTest(t, s, records)
	if err := l.freezeStores(ctx, []*Store{s}); err != nil {
		t.Fatal(err)
	}
	names := []string{"b1", "arn:aws:s3:::b3", "b3", "role/team/r1", "team/r2", "r5", "näme 4", "i-08", "i-b2", "i-c3", `aa, "bb" [5]: cc`, "vol-6", "767", "7", "x", "b7/x", "nowhere", "b", ":"}
	indexed := func() (n int) {
		for _, seg := range s.snapshotSegments(t) {
			if (&lookupSource{keep: seg.derived}).has(byResourceName) {
				n++
			}
		}
		return n
	}
	for round := range 4 {
		for _, name := range names {
			if len(name) == 1 && round == 0 {
				continue // too short to be searched for
			}
			var want, got []string
			for i := len(records) - 1; i >= 0; i-- {
				if byResourceName.has(records[i], name) {
					want = append(want, fmt.Sprintf("00000000-0000-4000-8000-%012d", i))
				}
			}
			r, err := s.Lookup(ctx, LookupRequest{Attributes: map[string]string{"ResourceName": name}, Limit: 1000})
			if err != nil {
				t.Fatal(err)
			}
			for _, e := range r.Events {
				got = append(got, e.EventID)
			}
			if !slices.Equal(got, want) {
				t.Errorf("round %d, %q: %d events, should be %d", round, name, len(got), len(want))
			}
			if len(want) == 0 && name != "nowhere" && name != "b" && name != ":" && name != "x" {
				t.Errorf("no record names %q", name)
			}
		}
		if n := indexed(); (n > 0) != (round > 0) {
			t.Errorf("after round %d %d segments have an index", round, n)
		}
	}
}

// TestResourceSearchOfFrequentText looks for a name that is a part of very many others: their records are not read one by one.
func TestResourceSearchOfFrequentText(t *testing.T) {
	ctx := context.Background()
	l := openTest(t, vfs.NewMem(), Options{})
	s := storeTest(t, l)
	var records [][]byte
	for i := range 2 * namedMost {
		records = append(records, fmt.Appendf(nil, `{"eventVersion":"1.08","eventID":"00000000-0000-4000-8000-%012[1]d","eventTime":"2026-01-02T00:00:00Z","eventSource":"s3.amazonaws.com","eventName":"N",`+
			`"requestParameters":{"bucketName":"prod-%[1]d"}}`, i))
	}
	appendTest(t, s, records)
	if err := l.freezeStores(ctx, []*Store{s}); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		name    string
		events  int
		indexed bool
	}{{"prod-7", 1, false}, {"prod", 0, true}, {"prod-8", 1, true}} {
		r, err := s.Lookup(ctx, LookupRequest{Attributes: map[string]string{"ResourceName": c.name}})
		if err != nil || len(r.Events) != c.events {
			t.Errorf("%s: %v, %v", c.name, r, err)
		}
		for _, seg := range s.snapshotSegments(t) {
			if has := (&lookupSource{keep: seg.derived}).has(byResourceName); has != c.indexed {
				t.Errorf("after %s the segment has an index: %v", c.name, has)
			}
		}
	}
}
