package auth

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/cairndb/cairn/engine"
)

// ErrDenied is the kind of every refusal for want of permission. Its message names
// nothing that the principal may not know.
var ErrDenied = errors.New("permission denied")

// Principal is somebody who has signed in: a name and what it may do. It does not
// change; a [SignedIn] gives the one that holds now.
type Principal struct {
	Name string
	Role engine.Role
	// Stores are names in lower case, or [engine.All] alone.
	Stores []string
	// Accounts are those whose events the principal sees, or [engine.All] alone.
	Accounts []string
}

// Current returns the principal with a name as it is at this moment, for what is done on its behalf while
// it is not there; an error of kind [ErrDenied] when it has been removed.
func Current(ctx context.Context, lake *engine.Lake, name string) (*Principal, error) {
	p, err := lake.Principal(ctx, name)
	if errors.Is(err, engine.ErrNotFound) {
		return nil, deniedf("%s has been removed", name)
	}
	if err != nil {
		return nil, err
	}
	return principalOf(p), nil
}

func principalOf(p *engine.Principal) *Principal {
	return &Principal{Name: p.Name, Role: p.Role, Stores: p.Stores, Accounts: p.Accounts}
}

// Superuser is a principal that may do everything, for a server whose operator wants
// no credentials, and for who has the lake's directory in hand.
func Superuser(name string) *Principal {
	return &Principal{Name: name, Role: engine.RoleAdmin, Stores: []string{engine.All}, Accounts: []string{engine.All}}
}

// denied makes a refusal.
type denied struct{ msg string }

func (d *denied) Error() string        { return d.msg }
func (d *denied) Is(target error) bool { return target == ErrDenied }

func deniedf(format string, args ...any) error { return &denied{fmt.Sprintf(format, args...)} }

// May returns nil when the principal may do an action that concerns no store, and any
// of its stores when it does; else an error of kind [ErrDenied].
func (p *Principal) May(a Action) error {
	if p == nil {
		if a.Allows(0) {
			return nil
		}
		return deniedf("permission denied to %v: nobody has signed in", a)
	}
	if !a.Allows(p.Role) {
		return deniedf("permission denied to %v: %s is %s", a, p.Name, article(p.Role))
	}
	return nil
}

func article(r engine.Role) string {
	switch r {
	case engine.RoleAdmin, engine.RoleAuditor:
		return "an " + r.String()
	}
	return "a " + r.String()
}

// MayIn is May for an action on one store. For a store that was not granted the
// answer is the same whether there is such a store or not.
func (p *Principal) MayIn(a Action, store string) error {
	if err := p.May(a); err != nil {
		return err
	}
	if !a.ToStore() {
		return deniedf("permission denied to %v in a store: it concerns the whole lake", a)
	}
	if !p.Has(store) {
		return deniedf("permission denied to %v: %s has not been granted a store %q", a, p.Name, store)
	}
	return nil
}

// Has reports whether a store is one of the principal's. The audit store is of those
// who may see it, and is never granted by name.
func (p *Principal) Has(store string) bool {
	if strings.EqualFold(store, engine.AuditStore) {
		return p.May(SeeAudit) == nil
	}
	return slices.Contains(p.Stores, engine.All) || slices.Contains(p.Stores, strings.ToLower(store))
}

// AllAccounts reports whether the principal sees the events of all accounts.
func (p *Principal) AllAccounts() bool { return slices.Contains(p.Accounts, engine.All) }

// Scope returns what the principal may see of a lake, and append to.
func (p *Principal) Scope() engine.Scope {
	var s engine.Scope
	if p.May(Query) == nil {
		s.Stores, s.Accounts = p.Stores, p.Accounts
	}
	if p.May(SeeAudit) == nil {
		s.Audit = true
	}
	if p.May(Append) == nil {
		s.Append = p.Stores
	}
	return s
}
