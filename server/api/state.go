package api

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"

	"github.com/cairndb/cairn/engine"
)

// What the API keeps is objects of the lake's catalogue. A body is a version byte (1) and
// JSON, the structs beside the operations. Names of what belongs to an account and a region
// begin with both, so that a scan finds them: 111122223333/eu-west-1/ID.

const stateVersion = 1

// encodeState writes a body.
func encodeState(v any) ([]byte, error) {
	b, err := json.Marshal(v)
	if err != nil {
		return nil, err
	}
	return append([]byte{stateVersion}, b...), nil
}

// decodeState reads a body.
func decodeState(b []byte, v any) error {
	switch {
	case len(b) == 0:
		return errors.New("it is empty")
	case b[0] != stateVersion:
		return fmt.Errorf("version %d is not known (this program writes %d)", b[0], stateVersion)
	}
	return json.Unmarshal(b[1:], v)
}

// load reads an object; an error of kind engine.ErrNotFound says that there is none.
func load[T any](s *API, kind engine.ObjectKind, name string) (*T, error) {
	o, err := s.lake.Object(kind, name)
	if err != nil {
		return nil, err
	}
	v := new(T)
	if err := decodeState(o.Body, v); err != nil {
		return nil, fmt.Errorf("reading object %d %s: %w", kind, name, err)
	}
	return v, nil
}

// find is load that returns nil when there is none.
func find[T any](s *API, kind engine.ObjectKind, name string) (*T, error) {
	v, err := load[T](s, kind, name)
	if errors.Is(err, engine.ErrNotFound) {
		return nil, nil
	}
	return v, err
}

// named is an object and its name, less what it was asked for with.
type named[T any] struct {
	name  string
	value T
}

// all reads the objects of a kind whose names begin with prefix, in order of their names.
func all[T any](s *API, kind engine.ObjectKind, prefix string) ([]named[T], error) {
	objects, err := s.lake.Objects(kind, prefix)
	if err != nil {
		return nil, err
	}
	out := make([]named[T], len(objects))
	for i := range objects {
		out[i].name = strings.TrimPrefix(objects[i].Name, prefix)
		if err := decodeState(objects[i].Body, &out[i].value); err != nil {
			return nil, fmt.Errorf("reading object %d %s: %w", kind, objects[i].Name, err)
		}
	}
	return out, nil
}

// save writes an object.
func (s *API) save(ctx context.Context, kind engine.ObjectKind, name string, v any) error {
	b, err := encodeState(v)
	if err != nil {
		return err
	}
	return s.lake.PutObjects(ctx, []engine.Object{{Kind: kind, Name: name, Body: b}}, nil)
}

// remove removes objects.
func (s *API) remove(ctx context.Context, list ...engine.Object) error {
	return s.lake.PutObjects(ctx, nil, list)
}

// mine is the beginning of the names of the caller's objects.
func (c *call) mine() string { return c.account + "/" + c.region + "/" }
