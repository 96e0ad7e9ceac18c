package server

import (
	"context"
	"crypto/sha256"
	"fmt"
	"log/slog"
	"net/netip"
	"sync"
	"time"

	"github.com/cairndb/cairn/engine"
	"github.com/cairndb/cairn/server/auth"
	"github.com/cairndb/cairn/server/pg"
)

// Principals are those of a lake, for the protocols. It implements pg.Authenticator
// and PasswordChecker.
type Principals struct {
	lake  *engine.Lake
	users *auth.Store
	log   *slog.Logger // nil for none

	mu    sync.Mutex
	known map[[sha256.Size]byte]known
}

// NewPrincipals returns the principals of a lake. There may be none yet: see [Principals.Bootstrap].
func NewPrincipals(ctx context.Context, lake *engine.Lake, log *slog.Logger) (*Principals, error) {
	users, err := auth.Open(ctx, lake, auth.Options{Logger: log})
	if err != nil {
		return nil, err
	}
	return &Principals{lake: lake, users: users, log: log}, nil
}

// Bootstrap makes an admin if there are no principals, whose password is in first, the only time that it
// can be seen: whatever else may keep the server from serving should have been tried before.
func (p *Principals) Bootstrap(ctx context.Context) (first *auth.Credential, err error) {
	if first, err = p.users.Bootstrap(ctx); err != nil {
		return nil, err
	}
	if first == nil && p.log != nil {
		if who, err := p.lake.Principal(ctx, auth.BootstrapName); err == nil && who.Created == who.Rotated {
			p.log.Warn("admin still has the password of the first start, which was printed", "todo", "cairn user rotate "+auth.BootstrapName)
		}
	}
	return first, nil
}

// OpenPrincipals is NewPrincipals and Bootstrap.
func OpenPrincipals(ctx context.Context, lake *engine.Lake, log *slog.Logger) (p *Principals, first *auth.Credential, err error) {
	if p, err = NewPrincipals(ctx, lake, log); err == nil {
		first, err = p.Bootstrap(ctx)
	}
	return p, first, err
}

// knownMax bounds the passwords of HTTP that need not be checked again, knownTime how long
// that is: whoever asks for metrics asks often, and a check is made to be slow.
const (
	knownMax  = 64
	knownTime = 15 * time.Minute
)

// known is a password that was right, while no principal has been changed.
type known struct {
	who     *auth.SignedIn
	version uint64
	until   time.Time
}

// Password implements PasswordChecker.
func (p *Principals) Password(ctx context.Context, user, password string, from netip.Addr) (*auth.Principal, error) {
	key := sha256.Sum256(fmt.Appendf(nil, "%d:%s%d:%s%s", len(user), user, len(password), password, from))
	version := p.lake.PrincipalChanges()
	p.mu.Lock()
	k, ok := p.known[key]
	p.mu.Unlock()
	if ok && k.version == version && time.Now().Before(k.until) {
		return k.who.Principal(ctx)
	}
	origin := originOf(from)
	origin.Application = "HTTP"
	if err := p.users.Admit(ctx, user, origin); err != nil {
		return nil, err
	}
	v, err := p.users.Verifier(ctx, user)
	if err != nil {
		return nil, err
	}
	if !auth.Matches(v, password) {
		p.users.Failed(ctx, user, origin, "wrong password")
		return nil, fmt.Errorf("%w: wrong name or password", auth.ErrDenied)
	}
	signed, err := p.users.SignIn(ctx, user, origin)
	if err != nil {
		return nil, err
	}
	p.mu.Lock()
	if p.known == nil || len(p.known) >= knownMax {
		p.known = make(map[[sha256.Size]byte]known)
	}
	p.known[key] = known{signed, version, time.Now().Add(knownTime)}
	p.mu.Unlock()
	return signed.Principal(ctx)
}

// Signer implements api.Signers.
func (p *Principals) Signer(ctx context.Context, id string, from netip.Addr) (*auth.Signer, error) {
	origin := originOf(from)
	origin.Application = "HTTP"
	return p.users.Signer(ctx, id, origin)
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
	return &principal{name: who.Name, admin: who.May(auth.ManageUsers) == nil, signed: signed, lake: p.lake, users: p.users}, nil
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
	users  *auth.Store // nil for everybody
}

// Name implements pg.Principal.
func (p *principal) Name() string { return p.name }

// Admin implements pg.Principal.
func (p *principal) Admin() bool { return p.admin }

// May implements pg.Principal.
func (p *principal) May(a auth.Action) error {
	who, err := p.Standing()
	if err != nil {
		return err
	}
	return who.May(a)
}

// Standing implements pg.Principal.
func (p *principal) Standing() (*auth.Principal, error) {
	return p.signed.Principal(context.Background())
}

// Users implements pg.Principal.
func (p *principal) Users() pg.Users {
	if p.users == nil {
		return nil
	}
	return users{p}
}

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

// Notices implements pg.Database.
func (d database) Notices() (*engine.Notices, error) {
	v, err := d.view()
	if err != nil {
		return nil, err
	}
	return v.Notices()
}

// users changes principals in the name of one. It implements pg.Users.
type users struct{ p *principal }

// by returns in whose name a change is made, and from where.
func (u users) by(application string) (*auth.Principal, auth.Origin, error) {
	from := u.p.signed.Origin()
	from.Application = application
	who, err := u.p.Standing()
	return who, from, err
}

// List implements pg.Users.
func (u users) List(ctx context.Context) ([]auth.Listed, error) {
	who, _, err := u.by("")
	if err != nil {
		return nil, err
	}
	return u.p.users.List(ctx, who)
}

// Add implements pg.Users.
func (u users) Add(ctx context.Context, name string, g auth.Grants, password, application string) (string, error) {
	who, from, err := u.by(application)
	if err != nil {
		return "", err
	}
	c, err := u.p.users.Add(ctx, who, from, name, g, password)
	if err != nil {
		return "", err
	}
	return c.Password, nil
}

// Rotate implements pg.Users.
func (u users) Rotate(ctx context.Context, name, password, application string) (string, error) {
	who, from, err := u.by(application)
	if err != nil {
		return "", err
	}
	c, err := u.p.users.Rotate(ctx, who, from, name, password)
	if err != nil {
		return "", err
	}
	return c.Password, nil
}

// Grant implements pg.Users.
func (u users) Grant(ctx context.Context, name string, g auth.Grants, application string) error {
	who, from, err := u.by(application)
	if err != nil {
		return err
	}
	return u.p.users.Grant(ctx, who, from, name, g)
}

// Revoke implements pg.Users.
func (u users) Revoke(ctx context.Context, name string, g auth.Grants, application string) error {
	who, from, err := u.by(application)
	if err != nil {
		return err
	}
	return u.p.users.Revoke(ctx, who, from, name, g)
}

// Remove implements pg.Users.
func (u users) Remove(ctx context.Context, name, application string) error {
	who, from, err := u.by(application)
	if err != nil {
		return err
	}
	return u.p.users.Remove(ctx, who, from, name)
}
