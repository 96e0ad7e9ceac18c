package engine

import (
	"context"
	"fmt"
	"io"
	"strings"

	"github.com/cairndb/cairn/engine/catalog"
	"github.com/cairndb/cairn/engine/lsm"
)

// The records of those who may sign in at a server. The engine keeps them; what they
// may do is decided where they sign in (server/auth), and what they may see is a
// [Scope].
type (
	// Principal is somebody who can sign in.
	Principal = catalog.Principal
	// Verifier is what is kept of a password.
	Verifier = catalog.Verifier
	// Role is what a principal is for.
	Role = catalog.Role
)

// The roles.
const (
	RoleAdmin   = catalog.RoleAdmin
	RoleWriter  = catalog.RoleWriter
	RoleReader  = catalog.RoleReader
	RoleAuditor = catalog.RoleAuditor
)

// All stands for all stores or accounts, those to come included.
const All = catalog.All

// PrincipalNameMax is the longest name of a principal in bytes.
const PrincipalNameMax = catalog.PrincipalNameMax

// Principals returns all principals, in order of their names.
func (l *Lake) Principals(context.Context) ([]Principal, error) {
	done, err := l.begin()
	if err != nil {
		return nil, err
	}
	defer done()
	list, err := catalog.Principals(l.db)
	if err != nil {
		return nil, l.openErr(fmt.Errorf("reading the principals: %w", err))
	}
	return list, nil
}

// Principal returns the principal with a name, compared without regard to case, or
// [ErrNotFound].
func (l *Lake) Principal(_ context.Context, name string) (*Principal, error) {
	done, err := l.begin()
	if err != nil {
		return nil, err
	}
	defer done()
	p, err := catalog.FindPrincipal(l.db, name)
	if err != nil {
		return nil, l.openErr(fmt.Errorf("reading principal %q: %w", name, err))
	}
	if p == nil {
		return nil, failf(ErrNotFound, "there is no principal %q", name)
	}
	return p, nil
}

// ChangePrincipals makes one durable change of the principals. fn is given all of
// them and returns those to write and the names of those to remove; when it fails
// nothing is changed. Changes are made one after the other, so what fn has seen
// holds until its change is made.
func (l *Lake) ChangePrincipals(ctx context.Context, fn func(all []Principal) (put []Principal, remove []string, err error)) error {
	done, err := l.beginWrite()
	if err != nil {
		return err
	}
	defer done()
	l.cat.Lock()
	defer l.cat.Unlock()
	all, err := l.Principals(ctx)
	if err != nil {
		return err
	}
	put, remove, err := fn(all)
	if err != nil {
		return err
	}
	_, pretends, err := catalog.Pretence(l.db)
	if err != nil {
		return l.openErr(err)
	}
	var secret [catalog.PretenceLen]byte
	if !pretends {
		if _, err := io.ReadFull(l.opts.Rand, secret[:]); err != nil {
			return fmt.Errorf("reading random bytes: %w", err)
		}
	}
	err = l.change(func(b *lsm.Batch, _ *catalog.Head) {
		for _, name := range remove {
			(&Principal{Name: strings.ToLower(name)}).Remove(b)
		}
		for i := range put {
			put[i].Put(b)
		}
		if !pretends {
			catalog.PutPretence(b, secret)
		}
	})
	if err != nil {
		return fmt.Errorf("changing the principals: %w", err)
	}
	l.principalChanges.Add(1)
	return nil
}

// PrincipalChanges counts the changes of principals since the lake was opened: who
// keeps what a principal may do looks again when it has grown.
func (l *Lake) PrincipalChanges() uint64 { return l.principalChanges.Load() }

// Pretence returns a secret of the lake from which answers about principals that do
// not exist can be made, always the same ones; ok is false in a lake that never had
// a principal.
func (l *Lake) Pretence() (secret [32]byte, ok bool, err error) {
	done, err := l.begin()
	if err != nil {
		return secret, false, err
	}
	defer done()
	secret, ok, err = catalog.Pretence(l.db)
	if err != nil {
		return secret, false, l.openErr(err)
	}
	return secret, ok, nil
}

// ReadOnly reports whether the lake is open for reading only.
func (l *Lake) ReadOnly() bool { return l.opts.ReadOnly }
