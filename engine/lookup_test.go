package engine

import (
	"context"
	"errors"
	"fmt"
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
