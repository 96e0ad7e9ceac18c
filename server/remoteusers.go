package server

import (
	"context"
	"errors"
	"net/http"

	"github.com/cairndb/cairn/engine"
	"github.com/cairndb/cairn/server/auth"
)

// RemoteUsers are the principals of a lake that a server has open, for programs of this
// machine. Whoever may write to the server's socket may change them, as they might with the
// lake's files; it is recorded in the name of who the system says it is.
type RemoteUsers struct{ dir string }

// DialUsers returns the principals of the lake in dir that a server has open;
// [ErrNotServed] when none has.
func DialUsers(ctx context.Context, dir string) (*RemoteUsers, error) {
	r, err := Dial(ctx, dir)
	if err != nil {
		return nil, err
	}
	return &RemoteUsers{dir}, r.Close()
}

// Close does nothing: the lake stays the server's.
func (r *RemoteUsers) Close() error { return nil }

type (
	userRequest struct {
		Name     string
		Grants   auth.Grants
		Password string
	}
	addKeyRequest struct {
		Name    string
		Options auth.AccessKeyOptions
	}
	enableRequest struct {
		ID string
		On bool
	}
	storesRequest struct{ Stores []string }
	storesAnswer  struct{ Stores []string }
	usersAnswer   struct{ Users []auth.Listed }
	keysAnswer    struct{ Keys []auth.ListedKey }
)

// handleUsers adds what a RemoteUsers asks for.
func (c *control) handleUsers(mux *http.ServeMux) {
	mux.HandleFunc("POST /user-list", answer(c, asking(c, func(ctx context.Context, s *auth.Store, by *auth.Principal, _ auth.Origin, _ *none) (*usersAnswer, error) {
		list, err := s.List(ctx, by)
		return &usersAnswer{list}, err
	})))
	mux.HandleFunc("POST /user-add", answer(c, asking(c, func(ctx context.Context, s *auth.Store, by *auth.Principal, from auth.Origin, q *userRequest) (*none, error) {
		_, err := s.Add(ctx, by, from, q.Name, q.Grants, q.Password)
		return &none{}, err
	})))
	mux.HandleFunc("POST /user-grant", answer(c, asking(c, func(ctx context.Context, s *auth.Store, by *auth.Principal, from auth.Origin, q *userRequest) (*none, error) {
		return &none{}, s.Grant(ctx, by, from, q.Name, q.Grants)
	})))
	mux.HandleFunc("POST /user-revoke", answer(c, asking(c, func(ctx context.Context, s *auth.Store, by *auth.Principal, from auth.Origin, q *userRequest) (*none, error) {
		return &none{}, s.Revoke(ctx, by, from, q.Name, q.Grants)
	})))
	mux.HandleFunc("POST /user-rotate", answer(c, asking(c, func(ctx context.Context, s *auth.Store, by *auth.Principal, from auth.Origin, q *userRequest) (*none, error) {
		_, err := s.Rotate(ctx, by, from, q.Name, q.Password)
		return &none{}, err
	})))
	mux.HandleFunc("POST /user-remove", answer(c, asking(c, func(ctx context.Context, s *auth.Store, by *auth.Principal, from auth.Origin, q *nameRequest) (*none, error) {
		return &none{}, s.Remove(ctx, by, from, q.Name)
	})))
	mux.HandleFunc("POST /user-stores", answer(c, func(_ context.Context, q *storesRequest, _ func(none)) (*storesAnswer, error) {
		return &storesAnswer{MissingStores(c.server.lake, q.Stores)}, nil
	}))
	mux.HandleFunc("POST /key-add", answer(c, asking(c, func(ctx context.Context, s *auth.Store, by *auth.Principal, from auth.Origin, q *addKeyRequest) (*auth.NewAccessKey, error) {
		return s.AddAccessKey(ctx, by, from, q.Name, q.Options)
	})))
	mux.HandleFunc("POST /key-list", answer(c, asking(c, func(ctx context.Context, s *auth.Store, by *auth.Principal, _ auth.Origin, q *nameRequest) (*keysAnswer, error) {
		list, err := s.AccessKeys(ctx, by, q.Name)
		return &keysAnswer{list}, err
	})))
	mux.HandleFunc("POST /key-enable", answer(c, asking(c, func(ctx context.Context, s *auth.Store, by *auth.Principal, from auth.Origin, q *enableRequest) (*none, error) {
		return &none{}, s.EnableAccessKey(ctx, by, from, q.ID, q.On)
	})))
	mux.HandleFunc("POST /key-remove", answer(c, asking(c, func(ctx context.Context, s *auth.Store, by *auth.Principal, from auth.Origin, q *nameRequest) (*none, error) {
		return &none{}, s.RemoveAccessKey(ctx, by, from, q.Name)
	})))
}

// asking gives an operation the principals, and in whose name it is done.
func asking[Request, Report any](c *control, do func(context.Context, *auth.Store, *auth.Principal, auth.Origin, *Request) (*Report, error)) func(context.Context, *Request, func(none)) (*Report, error) {
	return func(ctx context.Context, req *Request, _ func(none)) (*Report, error) {
		var store *auth.Store
		if p, ok := c.server.cfg.Authenticator.(*Principals); ok {
			store = p.users
		} else {
			// Nobody signs in here; the principals are there all the same.
			var err error
			if store, err = auth.Open(ctx, c.server.lake, auth.Options{Logger: c.server.cfg.Logger}); err != nil {
				return nil, err
			}
		}
		who := engine.ActorOf(ctx)
		return do(ctx, store, auth.Superuser(who.Name), auth.Origin{User: who.Name, Application: who.Agent}, req)
	}
}

// MissingStores returns those of some stores that a lake does not have (yet).
func MissingStores(lake *engine.Lake, stores []string) (out []string) {
	for _, name := range stores {
		if _, err := lake.Store(name); name != engine.All && errors.Is(err, engine.ErrNotFound) {
			out = append(out, name)
		}
	}
	return out
}

// List returns all principals, in order of their names.
func (r *RemoteUsers) List(ctx context.Context) ([]auth.Listed, error) {
	a, err := ask[none, usersAnswer](ctx, r.dir, "user-list", none{}, nil)
	if err != nil {
		return nil, err
	}
	return a.Users, nil
}

// Add makes a principal.
func (r *RemoteUsers) Add(ctx context.Context, name string, g auth.Grants, password string) error {
	return r.tell(ctx, "user-add", userRequest{name, g, password})
}

// Grant gives a principal more.
func (r *RemoteUsers) Grant(ctx context.Context, name string, g auth.Grants) error {
	return r.tell(ctx, "user-grant", userRequest{Name: name, Grants: g})
}

// Revoke takes from a principal.
func (r *RemoteUsers) Revoke(ctx context.Context, name string, g auth.Grants) error {
	return r.tell(ctx, "user-revoke", userRequest{Name: name, Grants: g})
}

// Rotate sets a principal's password.
func (r *RemoteUsers) Rotate(ctx context.Context, name, password string) error {
	return r.tell(ctx, "user-rotate", userRequest{Name: name, Password: password})
}

// Remove removes a principal.
func (r *RemoteUsers) Remove(ctx context.Context, name string) error {
	return r.tell(ctx, "user-remove", nameRequest{name})
}

// Missing is [MissingStores]; nothing when the server does not answer.
func (r *RemoteUsers) Missing(stores []string) []string {
	a, err := ask[none, storesAnswer](context.Background(), r.dir, "user-stores", storesRequest{stores}, nil)
	if err != nil {
		return nil
	}
	return a.Stores
}

// AddKey makes an access key.
func (r *RemoteUsers) AddKey(ctx context.Context, name string, o auth.AccessKeyOptions) (*auth.NewAccessKey, error) {
	return ask[none, auth.NewAccessKey](ctx, r.dir, "key-add", addKeyRequest{name, o}, nil)
}

// Keys lists access keys.
func (r *RemoteUsers) Keys(ctx context.Context, name string) ([]auth.ListedKey, error) {
	a, err := ask[none, keysAnswer](ctx, r.dir, "key-list", nameRequest{name}, nil)
	if err != nil {
		return nil, err
	}
	return a.Keys, nil
}

// EnableKey switches an access key on or off.
func (r *RemoteUsers) EnableKey(ctx context.Context, id string, on bool) error {
	return r.tell(ctx, "key-enable", enableRequest{id, on})
}

// RemoveKey deletes an access key.
func (r *RemoteUsers) RemoveKey(ctx context.Context, id string) error {
	return r.tell(ctx, "key-remove", nameRequest{id})
}

// tell asks for what has no answer.
func (r *RemoteUsers) tell(ctx context.Context, what string, request any) error {
	_, err := ask[none, none](ctx, r.dir, what, request, nil)
	return err
}
