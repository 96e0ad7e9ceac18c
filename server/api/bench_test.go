package api_test

import (
	"context"
	"fmt"
	"net/http"
	"sync/atomic"
	"testing"
)

// BenchmarkPutAuditEvents stores events in batches of 100 over loopback, from eight clients:
//
//	go test ./server/api -run ^$ -bench PutAuditEvents -benchtime 500x
func BenchmarkPutAuditEvents(b *testing.B) {
	f := newFixture(b, nil)
	store := f.call("CreateEventDataStore", object{"Name": "outside", "AdvancedEventSelectors": outsideStore})["EventDataStoreArn"].(string)
	channel := f.call("CreateChannel", object{"Name": "shop", "Source": "Custom", "Destinations": []object{{"Type": "EVENT_DATA_STORE", "Location": store}}})["ChannelArn"].(string)
	http.DefaultTransport.(*http.Transport).MaxIdleConnsPerHost = 16
	var next atomic.Int64
	b.SetParallelism(4)
	b.ResetTimer()
	b.RunParallel(func(pb *testing.PB) {
		for pb.Next() {
			n := next.Add(1)
			events := make([]object, 100)
			for i := range events {
				events[i] = object{"id": fmt.Sprintf("e-%d-%d", n, i), "eventData": auditData(func(o object) { o["UID"] = fmt.Sprintf("%d-%d", n, i) })}
			}
			out, code := f.put(f.key, channel, "", events)
			if code != "" || len(out["successful"].([]any)) != len(events) {
				b.Error(code, out)
			}
		}
	})
	b.ReportMetric(float64(b.N*100)/b.Elapsed().Seconds(), "events/s")
}

// BenchmarkLookupEvents looks events up over loopback, a page of 50 by name, from four clients:
//
//	go test ./server/api -run ^$ -bench LookupEvents -benchtime 2000x
func BenchmarkLookupEvents(b *testing.B) {
	f := newFixture(b, nil)
	const events = 100_000
	var records [][]byte
	for i := range events {
		records = append(records, record(i%120_000, account))
		if len(records) == 10_000 {
			if _, err := f.lake.Append(context.Background(), records); err != nil {
				b.Fatal(err)
			}
			records = records[:0]
		}
	}
	http.DefaultTransport.(*http.Transport).MaxIdleConnsPerHost = 16
	in := object{"LookupAttributes": []object{{"AttributeKey": "EventName", "AttributeValue": "CreateBucket"}}}
	f.call("LookupEvents", in)
	b.SetParallelism(2)
	b.ResetTimer()
	b.RunParallel(func(pb *testing.PB) {
		for pb.Next() {
			if out, code := f.as(f.key, "LookupEvents", in); code != "" || len(out["Events"].([]any)) != 50 {
				b.Error(code)
			}
		}
	})
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "lookups/s")
}
