package server

import (
	"context"
	"log/slog"
	"net/netip"

	"github.com/cairndb/cairn/engine"
	"github.com/cairndb/cairn/server/auth"
	"github.com/cairndb/cairn/server/pg"
)

// Principals are those of a lake, for the protocols. It implements pg.Authenticator.
type Principals struct {
	lake  *engine.Lake
	users *auth.Store
}

// OpenPrincipals returns the principals of a lake. If there are none it makes an admin,
// whose password is in first, the only time that it can be seen.
func OpenPrincipals(ctx context.Context, lake *engine.Lake, log *slog.Logger) (p *Principals, first *auth.Credential, err error) {
	users, err := auth.Open(ctx, lake, auth.Options{Logger: log})
	if err != nil {
		return nil, nil, err
	}
	if first, err = users.Bootstrap(ctx); err != nil {
		return nil, nil, err
	}
	return &Principals{lake, users}, first, nil
}

func originOf(from netip.Addr) auth.Origin {
	if !from.IsValid() {
		return auth.Origin{}
	}
	return auth.Origin{Address: from.String()}
}

// Credential implements pg.Authenticator.
func (p *Principals) Credential(ctx context.Context, user string, from netip.Addr) (pg.Credential, error) {
	if err := p.users.Admit(ctx, user, originOf(from)); err != nil {
		return pg.Credential{}, err
	}
	v, err := p.users.Verifier(ctx, user)
	if err != nil {
		return pg.Credential{}, err
	}
	c := pg.Credential{Salt: v.Salt[:], Iterations: int(v.Iterations)}
	copy(c.StoredKey[:], v.StoredKey[:])
	copy(c.ServerKey[:], v.ServerKey[:])
	return c, nil
}

// SignIn implements pg.Authenticator.
func (p *Principals) SignIn(ctx context.Context, user string, from netip.Addr, _ string) (pg.Principal, error) {
	signed, err := p.users.SignIn(ctx, user, originOf(from))
	if err != nil {
		return nil, err
	}
	who, err := signed.Principal(ctx)
	if err != nil {
		return nil, err
	}
	return &principal{name: who.Name, admin: who.May(auth.ManageUsers) == nil, signed: signed, lake: p.lake}, nil
}

// Failed implements pg.Authenticator.
func (p *Principals) Failed(ctx context.Context, user string, from netip.Addr, why string) {
	p.users.Failed(ctx, user, originOf(from), why)
}

// Everybody is whom a server without authentication takes everybody for.
func Everybody(lake *engine.Lake) pg.Principal {
	return &principal{name: "everybody", admin: true, signed: auth.Trust("everybody", auth.Origin{}), lake: lake}
}

// principal is somebody who has signed in. What it may do is asked anew with every
// statement.
type principal struct {
	name   string
	admin  bool
	signed *auth.SignedIn
	lake   *engine.Lake
}

// Name implements pg.Principal.
func (p *principal) Name() string { return p.name }

// Admin implements pg.Principal.
func (p *principal) Admin() bool { return p.admin }

// Database implements pg.Principal.
func (p *principal) Database() pg.Database { return database{p} }

// database is the lake as a principal sees it at this moment.
type database struct{ p *principal }

func (d database) view() (*engine.View, error) {
	return d.p.signed.View(context.Background(), d.p.lake)
}

// Snapshot implements pg.Database.
func (d database) Snapshot() (*engine.Snapshot, error) {
	v, err := d.view()
	if err != nil {
		return nil, err
	}
	return v.Snapshot()
}

// LazySnapshot implements pg.Database.
func (d database) LazySnapshot() (*engine.Snapshot, error) {
	v, err := d.view()
	if err != nil {
		return nil, err
	}
	return v.LazySnapshot()
}

// AppendTo implements pg.Database.
func (d database) AppendTo(ctx context.Context, store string, records [][]byte) ([]engine.Verdict, error) {
	v, err := d.view()
	if err != nil {
		return nil, err
	}
	return v.AppendTo(ctx, store, records)
}

// Follow implements pg.Database.
func (d database) Follow(store string) (*engine.Tail, error) {
	v, err := d.view()
	if err != nil {
		return nil, err
	}
	return v.Follow(store)
}
