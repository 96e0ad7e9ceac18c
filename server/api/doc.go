// Package api answers the clients of AWS CloudTrail (its CLI and SDKs, with an endpoint of
// ours) from a lake: event history, trails, event data stores, queries, channels, imports,
// dashboards.
//
//	a, err := api.New(api.Config{Lake: lake, Signers: keys})
//	a.Start()
//	mux.Handle("POST /{$}", a)                // the control service, awsJson 1.1
//	mux.Handle("POST /PutAuditEvents", a)     // the data service, REST-JSON
//	…
//	a.Close()                                 // when no requests are running any more
//
// # A request
//
//	size ─► form of the signature, service, region, time ─► access key ─► body ─► signature, replay
//	     ─► may the principal do this? ─► members against their shapes ─► the operation ─► its event
//
// Which operations there are, what goes in and comes out, which errors each can have and
// what whoever calls it must be allowed to do is one table (operations.go), in terms of shapes
// (shapes.go). Every check of a member that needs nothing else comes from there. An operation
// without a function answers UnsupportedOperationException. API.md is made from the table.
//
// The account of a call is that of its access key, the region that of its signature. Stores
// that were not made by this interface belong to every account and region; what is made by it, to
// its own. A principal sees the stores it was granted, whatever its key.
//
// # What is kept
//
// Objects in the lake's catalogue (state.go), and results of queries in files (results.go).
// Paging tokens are told in token.go, the events that calls leave in record.go.
//
// # What may run concurrently
//
// Everything. Calls that change something run one at a time (API.changing), those that wait
// for something long hold it only while they look and write.
package api
