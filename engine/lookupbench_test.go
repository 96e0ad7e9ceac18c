package engine

import (
	"context"
	"sort"
	"testing"
	"time"
)

// BenchmarkLookupPage measures pages of fifty events by every attribute: the first page and the
// hundredth of a frequent value, the page of a value of a few events, and that of a value that no event has. It
// reports the longest page, too; indexes are made, and the cache filled, before the clock
// starts.
//
//	go test ./engine -run '^$' -bench LookupPage
//
// CAIRN_BENCH_LAKE names a lake to measure instead of one with generated events.
func BenchmarkLookupPage(b *testing.B) {
	l := benchLake(b)
	s, err := l.Store(DefaultStore)
	if err != nil {
		b.Fatal(err)
	}
	ctx := context.Background()
	values := benchValues(b, s)
	for _, name := range []string{"EventId", "EventName", "EventSource", "ReadOnly", "Username", "ResourceType", "ResourceName", "AccessKeyId"} {
		frequent, rare := values.of(name)
		for _, c := range []struct {
			kind, value string
			page        int
		}{{"frequent", frequent, 1}, {"deep", frequent, 100}, {"rare", rare, 1}, {"absent", "no-such-value", 1}} {
			if name == "ReadOnly" && c.kind == "absent" {
				continue
			}
			req := LookupRequest{Attributes: map[string]string{name: c.value}}
			for range c.page - 1 {
				page, err := s.Lookup(ctx, req)
				if err != nil {
					b.Fatal(err)
				}
				if page.Next == "" {
					break
				}
				req.Token = page.Next
			}
			began := time.Now()
			if _, err := s.Lookup(ctx, req); err != nil {
				b.Fatal(err)
			}
			cold := time.Since(began)
			b.Run(name+"/"+c.kind, func(b *testing.B) {
				var longest time.Duration
				found := 0
				cpu := processTime(b)
				for b.Loop() {
					began := time.Now()
					page, err := s.Lookup(ctx, req)
					if err != nil {
						b.Fatal(err)
					}
					longest = max(longest, time.Since(began))
					found = len(page.Events)
				}
				b.ReportMetric(float64((processTime(b)-cpu).Microseconds())/float64(b.N), "cpu-µs/op")
				b.ReportMetric(float64(longest.Microseconds()), "longest-µs")
				b.ReportMetric(float64(cold.Microseconds()), "cold-µs")
				b.ReportMetric(float64(found), "events")
			})
		}
	}
}

// BenchmarkLookups measures lookups by changing attributes from all CPUs.
func BenchmarkLookups(b *testing.B) {
	l := benchLake(b)
	s, err := l.Store(DefaultStore)
	if err != nil {
		b.Fatal(err)
	}
	values := benchValues(b, s)
	var reqs []LookupRequest
	for _, name := range []string{"EventId", "EventName", "EventSource", "ReadOnly", "Username", "ResourceType", "ResourceName", "AccessKeyId"} {
		frequent, rare := values.of(name)
		reqs = append(reqs, LookupRequest{Attributes: map[string]string{name: frequent}}, LookupRequest{Attributes: map[string]string{name: rare}})
	}
	for _, req := range reqs {
		if _, err := s.Lookup(context.Background(), req); err != nil {
			b.Fatal(err)
		}
	}
	cpu := processTime(b)
	b.ResetTimer()
	b.RunParallel(func(pb *testing.PB) {
		for i := 0; pb.Next(); i++ {
			if _, err := s.Lookup(context.Background(), reqs[i%len(reqs)]); err != nil {
				b.Error(err)
				return
			}
		}
	})
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "lookups/s")
	b.ReportMetric(float64((processTime(b)-cpu).Microseconds())/float64(b.N), "cpu-µs/op")
}

// lookupValues counts the values of attributes in some events.
type lookupValues map[string]map[string]int

// of returns the most frequent value, and one that is found once.
func (v lookupValues) of(name string) (frequent, rare string) {
	var all []string
	for value := range v[name] {
		all = append(all, value)
	}
	sort.Slice(all, func(i, j int) bool {
		a, b := v[name][all[i]], v[name][all[j]]
		return a > b || a == b && all[i] < all[j]
	})
	if len(all) == 0 {
		return "none", "none"
	}
	return all[0], all[len(all)-1]
}

// benchValues gathers values from pages here and there in a store.
func benchValues(b *testing.B, s *Store) lookupValues {
	out := lookupValues{}
	count := func(name, value string) {
		if out[name] == nil {
			out[name] = map[string]int{}
		}
		if value != "" {
			out[name][value]++
		}
	}
	for at := range uint64(2000) {
		rec, err := s.Record(context.Background(), at*(s.Events()/2000))
		if err != nil {
			b.Fatal(err)
		}
		var e LookupEvent
		if err := e.fill("", at, rec); err != nil {
			b.Fatal(err)
		}
		count("EventId", e.EventID)
		count("EventName", e.EventName)
		count("EventSource", e.EventSource)
		count("ReadOnly", e.ReadOnly)
		count("Username", e.Username)
		count("AccessKeyId", e.AccessKeyID)
		for _, r := range e.Resources {
			count("ResourceType", r.Type)
			count("ResourceName", r.Name)
		}
	}
	return out
}

// BenchmarkResourceIndex measures what the first lookup by a resource costs, for one segment after the other:
// the indexes of types and names are made anew each time.
//
//	go test ./engine -run '^$' -bench ResourceIndex
func BenchmarkResourceIndex(b *testing.B) {
	l := benchLake(b)
	s, err := l.Store(DefaultStore)
	if err != nil {
		b.Fatal(err)
	}
	sn := s.snapshot()
	defer sn.release()
	ctx := context.Background()
	cpu, rows, n := processTime(b), 0, 0
	for b.Loop() {
		r, err := sn.segments[n%len(sn.segments)].reader(ctx)
		if err != nil {
			b.Fatal(err)
		}
		n++
		build := attributeBuilder{ctx: ctx, reader: r.Aside()}
		if err := build.resources(); err != nil {
			b.Fatal(err)
		}
		if len(newAttributeIndex(build.pairs).ranks) == 0 || len(newAttributeIndex(build.names).ranks) == 0 {
			b.Fatal("no resources")
		}
		rows += r.Rows()
	}
	b.ReportMetric(float64((processTime(b)-cpu).Nanoseconds())/float64(rows), "cpu-ns/event")
}
