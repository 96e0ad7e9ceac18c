package server

import (
	"context"
	"time"

	"github.com/cairndb/cairn/engine"
)

// Lookups of programs of this machine, while the server has the lake open.

// lookupRequest asks for a page of events.
type lookupRequest struct {
	engine.LookupRequest
	// Store is where to look; "" for all stores of CloudTrail events.
	Store string
	// History looks into the event history.
	History bool
}

// followRequest asks for what has come since a cursor.
type followRequest struct {
	lookupRequest
	Since engine.LookupCursor
	Wait  time.Duration
}

// followWaitMax is how long the server waits for events before it answers that there are
// none.
const followWaitMax = time.Minute

func (c *control) lookup(ctx context.Context, req *lookupRequest, _ func(struct{})) (*engine.LookupResult, error) {
	return LookUp(ctx, c.server.lake, req.Store, req.History, req.LookupRequest)
}

func (c *control) follow(ctx context.Context, req *followRequest, _ func(struct{})) (*engine.NewEvents, error) {
	return c.server.lake.LookupNew(ctx, req.LookupRequest, req.Store, req.Since, min(req.Wait, followWaitMax))
}

// LookUp looks into a store, "" for all stores of CloudTrail events, or into the event history.
func LookUp(ctx context.Context, lake *engine.Lake, store string, history bool, req engine.LookupRequest) (*engine.LookupResult, error) {
	switch {
	case history:
		return lake.LookupEvents(ctx, req)
	case store == "":
		return lake.LookupAll(ctx, req)
	}
	s, err := lake.Store(store)
	if err != nil {
		return nil, err
	}
	return s.Lookup(ctx, req)
}

// Lookup is [LookUp] in a lake that a server has open; [ErrNotServed] when there is none.
func Lookup(ctx context.Context, dir, store string, history bool, req engine.LookupRequest) (*engine.LookupResult, error) {
	return ask[struct{}, engine.LookupResult](ctx, dir, "lookup", lookupRequest{req, store, history}, nil)
}

// Follow is [engine.Lake.LookupNew] of a lake that a server has open; [ErrNotServed] when there is
// none.
func Follow(ctx context.Context, dir, store string, req engine.LookupRequest, since engine.LookupCursor, wait time.Duration) (*engine.NewEvents, error) {
	return ask[struct{}, engine.NewEvents](ctx, dir, "follow", followRequest{lookupRequest{req, store, false}, since, wait}, nil)
}
