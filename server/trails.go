package server

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"time"

	"github.com/cairndb/cairn/engine"
)

// TrailRequest asks for something to be done with trails.
type TrailRequest struct {
	// Do is what: list, show, create, update, delete, start, stop, deliver, keys or
	// rotate-key.
	Do string `json:"do"`
	// Name is the trail's name or ARN, for those that need one.
	Name string `json:"name,omitempty"`
	// Settings are those of create, and all of those after update.
	Settings *engine.TrailSettings `json:"settings,omitempty"`
	// FromStart begins with the events that are there.
	FromStart bool `json:"fromStart,omitempty"`
	// From and To bound keys by the time that they are valid; zero for no bound.
	From time.Time `json:"from,omitzero"`
	To   time.Time `json:"to,omitzero"`
}

// TrailAnswer is what came of it.
type TrailAnswer struct {
	// Trails are all, or the one that was named, as they are then.
	Trails []engine.Trail `json:"trails,omitempty"`
	// Keys has the members of the CloudTrail API's ListPublicKeys.
	Keys json.RawMessage `json:"keys,omitempty"`
	// Error and Kind are set when it has failed; Trails may be there all the same.
	Error string `json:"error,omitempty"`
	Kind  string `json:"kind,omitempty"`
}

// DoTrail does what a request asks for with an open lake.
func DoTrail(ctx context.Context, lake *engine.Lake, r *TrailRequest) (*TrailAnswer, error) {
	out := &TrailAnswer{}
	var err error
	one := func(t engine.Trail, e error) {
		if err = e; t.ID != "" {
			out.Trails = []engine.Trail{t}
		}
	}
	then := func(e error) {
		if err = e; err == nil {
			one(lake.Trail(r.Name))
		}
	}
	switch r.Do {
	case "list":
		out.Trails, err = lake.Trails()
	case "show":
		one(lake.Trail(r.Name))
	case "create", "update":
		if r.Settings == nil {
			return nil, fmt.Errorf("%w: %s needs settings", engine.ErrBadInput, r.Do)
		}
		if r.Do == "create" {
			one(lake.CreateTrail(ctx, *r.Settings))
			break
		}
		one(lake.UpdateTrail(ctx, r.Name, func(s *engine.TrailSettings) error {
			id, created := s.ID, s.Created
			*s = *r.Settings
			s.ID, s.Created = id, created
			return nil
		}))
	case "delete":
		err = lake.DeleteTrail(ctx, r.Name)
	case "start":
		then(lake.StartTrail(ctx, r.Name, r.FromStart))
	case "stop":
		then(lake.StopTrail(ctx, r.Name))
	case "deliver":
		one(lake.DeliverTrail(ctx, r.Name))
	case "keys":
		to := r.To
		if to.IsZero() {
			to = time.Unix(1<<40, 0)
		}
		var keys []*engine.TrailKey
		if keys, err = lake.TrailKeys(r.From, to); err == nil {
			out.Keys = engine.FormatTrailKeys(keys)
		}
	case "rotate-key":
		var k *engine.TrailKey
		if k, err = lake.RotateTrailKey(ctx); err == nil {
			out.Keys = engine.FormatTrailKeys([]*engine.TrailKey{k})
		}
	default:
		err = fmt.Errorf("%w: %q is nothing that can be done with trails", engine.ErrBadInput, r.Do)
	}
	return out, err
}

// trailBytesMax bounds a request and its answer: selectors and some thousand accounts.
const trailBytesMax = 64 << 20

// trail answers POST /trail.
func (c *control) trail(w http.ResponseWriter, r *http.Request) {
	var req TrailRequest
	d := json.NewDecoder(http.MaxBytesReader(w, r.Body, trailBytesMax))
	d.DisallowUnknownFields()
	if err := d.Decode(&req); err != nil {
		http.Error(w, "a request about trails is expected: "+err.Error(), http.StatusBadRequest)
		return
	}
	out := &TrailAnswer{}
	who, err := c.actor(r.Context())
	if err == nil {
		out, err = DoTrail(engine.WithActor(r.Context(), who), c.server.lake, &req)
	}
	if err != nil {
		if out == nil {
			out = &TrailAnswer{}
		}
		out.Error = err.Error()
		for kind, is := range controlKinds {
			if errors.Is(err, is) {
				out.Kind = kind
			}
		}
	}
	w.Header().Set("Content-Type", "application/json")
	if err := json.NewEncoder(w).Encode(out); err != nil {
		c.server.cfg.Logger.Debug("answering a program of this machine", "error", err)
	}
}

// AskTrail has the server that has a lake open do what a request asks for; [ErrNotServed]
// when there is none.
func AskTrail(ctx context.Context, dir string, r *TrailRequest) (*TrailAnswer, error) {
	body, err := json.Marshal(r)
	if err != nil {
		return nil, err
	}
	resp, err := askControl(ctx, dir, "trail", body)
	if err != nil {
		return nil, err
	}
	defer resp.Body.Close()
	out := &TrailAnswer{}
	if err := json.NewDecoder(io.LimitReader(resp.Body, trailBytesMax)).Decode(out); err != nil {
		return nil, fmt.Errorf("the server of the lake has answered something else: %w", err)
	}
	if out.Error == "" {
		return out, nil
	}
	return out, &controlError{out.Error, controlKinds[out.Kind], nil}
}
