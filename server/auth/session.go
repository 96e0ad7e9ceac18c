package auth

import (
	"context"
	"errors"
	"reflect"
	"sync/atomic"

	"github.com/cairndb/cairn/engine"
)

// SignedIn is somebody's session.
type SignedIn struct {
	store   *Store
	name    string
	created int64 // of the principal: one made later with the same name is another
	from    Origin
	now     atomic.Pointer[current]
}

// current is a principal as it was when so many changes had been made.
type current struct {
	version uint64
	who     *Principal
}

// Origin returns where the session comes from.
func (s *SignedIn) Origin() Origin { return s.from }

// Principal returns who has signed in, with what it may do at this moment, or an error
// of kind [ErrDenied] when the principal has been removed. It is cheap while nothing
// has changed.
func (s *SignedIn) Principal(ctx context.Context) (*Principal, error) {
	c := s.now.Load()
	if s.store == nil {
		return c.who, nil
	}
	version := s.store.lake.PrincipalChanges()
	if c.version == version {
		return c.who, nil
	}
	p, err := s.store.lake.Principal(ctx, s.name)
	if errors.Is(err, engine.ErrNotFound) || err == nil && p.Created != s.created {
		return nil, deniedf("%s has been removed", s.name)
	}
	if err != nil {
		return nil, err
	}
	now := principalOf(p)
	if reflect.DeepEqual(now, c.who) {
		now = c.who // the same one, so that a comparison of pointers tells of a change
	}
	c = &current{version: version, who: now}
	s.now.Store(c)
	return c.who, nil
}

// Trust returns a session of somebody who needs no credentials and may do everything:
// for a server whose operator says so.
func Trust(name string, from Origin) *SignedIn {
	s := &SignedIn{name: name, from: from}
	s.now.Store(&current{who: Superuser(name)})
	return s
}

// View returns the part of a lake that the session sees at this moment.
func (s *SignedIn) View(ctx context.Context, lake *engine.Lake) (*engine.View, error) {
	p, err := s.Principal(ctx)
	if err != nil {
		return nil, err
	}
	return lake.As(p.Scope()), nil
}
