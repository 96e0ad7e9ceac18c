package auth

import (
	"context"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base32"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"strings"
	"sync"
	"time"

	"github.com/cairndb/cairn/engine"
)

// Access keys sign requests of the AWS interfaces in the name of a principal. A signature
// is checked by making it, so the secret itself must be at hand: it is kept wrapped, as the
// signing keys of the lake are, and shown once.

// Limits of access keys.
const (
	// KeysMax is how many access keys a principal may have: two while one takes the place
	// of the other, and some for programs that share a principal.
	KeysMax = 10

	// NoAccount is the account of keys that were given none: that of the lake itself.
	NoAccount = "000000000000"

	// sessionTimeMax bounds temporary keys; AWS's role sessions have 12 hours, its users' 36.
	sessionTimeMax = 36 * time.Hour
	sessionTimeMin = time.Minute

	secretBytes = 30 // 40 characters, as AWS has them
	tokenBytes  = 96
)

// AccessKeyOptions say what key is to be made.
type AccessKeyOptions struct {
	// Account is that in which the key works, 12 digits. When "" it is the principal's,
	// if it sees just one, else [NoAccount].
	Account string
	// Lifetime makes a temporary key, with a session token; 0 for one without end.
	Lifetime time.Duration
}

// NewAccessKey is an access key as it can be seen once.
type NewAccessKey struct {
	AccessKeyID, SecretAccessKey string
	SessionToken                 string // "" unless temporary
	Principal, Account           string
	Expires                      time.Time // zero unless temporary
}

// ListedKey is an access key as lists show it.
type ListedKey struct {
	AccessKeyID string    `json:"accessKeyId"`
	Principal   string    `json:"principal"`
	Account     string    `json:"account"`
	Created     time.Time `json:"created"`
	Expires     time.Time `json:"expires,omitzero"`
	Status      string    `json:"status"` // Active, Inactive, Expired, or Orphan when its principal was removed
}

// sealedAs is the context that the secret of a key is wrapped in, so that it opens for its
// own key only.
func sealedAs(id string) string { return "access key " + id }

// IsAccount reports whether s is an account: 12 digits.
func IsAccount(s string) bool {
	if len(s) != 12 {
		return false
	}
	for _, c := range []byte(s) {
		if c < '0' || c > '9' {
			return false
		}
	}
	return true
}

// AddAccessKey makes an access key for a principal.
func (s *Store) AddAccessKey(ctx context.Context, by *Principal, from Origin, name string, o AccessKeyOptions) (*NewAccessKey, error) {
	if err := by.May(ManageUsers); err != nil {
		return nil, err
	}
	p, err := s.lake.Principal(ctx, name)
	if err != nil {
		return nil, err
	}
	if o.Account == "" {
		if o.Account = NoAccount; len(p.Accounts) == 1 && IsAccount(p.Accounts[0]) {
			o.Account = p.Accounts[0]
		}
	}
	switch {
	case !IsAccount(o.Account):
		return nil, fmt.Errorf("%w: an account is 12 digits, %q is not", engine.ErrBadInput, o.Account)
	case o.Account != NoAccount && !principalOf(p).sees(o.Account):
		return nil, fmt.Errorf("%w: %s does not see account %s: grant it first", engine.ErrBadInput, p.Name, o.Account)
	case o.Lifetime != 0 && (o.Lifetime < sessionTimeMin || o.Lifetime > sessionTimeMax):
		return nil, fmt.Errorf("%w: a temporary key lasts from %v to %v", engine.ErrBadInput, sessionTimeMin, sessionTimeMax)
	}
	random := func(n int) ([]byte, error) {
		b := make([]byte, n)
		if _, err := io.ReadFull(s.opts.Rand, b); err != nil {
			return nil, fmt.Errorf("reading random bytes: %w", err)
		}
		return b, nil
	}
	id, err := random(10)
	if err != nil {
		return nil, err
	}
	secret, err := random(secretBytes)
	if err != nil {
		return nil, err
	}
	now := s.opts.Clock()
	kind := "AKIA"
	k := engine.AccessKey{Principal: p.Name, PrincipalCreated: p.Created, Account: o.Account, Created: now.UnixMicro()}
	out := &NewAccessKey{Principal: p.Name, Account: o.Account, SecretAccessKey: base64.StdEncoding.EncodeToString(secret)}
	if o.Lifetime != 0 {
		kind = "ASIA"
		token, err := random(tokenBytes)
		if err != nil {
			return nil, err
		}
		out.SessionToken = base64.StdEncoding.EncodeToString(token)
		hash := sha256.Sum256([]byte(out.SessionToken))
		k.TokenHash, k.Expires = hash[:], now.Add(o.Lifetime).UnixMicro()
		out.Expires = time.UnixMicro(k.Expires).UTC()
	}
	k.ID = kind + base32.StdEncoding.WithPadding(base32.NoPadding).EncodeToString(id)
	out.AccessKeyID = k.ID
	if k.Scheme, k.Secret, err = s.lake.SealSecret([]byte(out.SecretAccessKey), sealedAs(k.ID)); err != nil {
		return nil, err
	}
	act := Act{Name: "CreateAccessKey", Target: p.Name, Details: map[string]string{"accessKeyId": k.ID, "account": k.Account}}
	if k.Expires != 0 {
		act.Details["expires"] = out.Expires.Format(time.RFC3339)
	}
	err = s.lake.ChangeAccessKeys(ctx, func(all []engine.AccessKey) ([]engine.AccessKey, []string, error) {
		n, dead := 0, []string(nil)
		for i := range all {
			switch old := &all[i]; {
			case old.Expires != 0 && old.Expires < now.UnixMicro():
				dead = append(dead, old.ID)
			case old.Principal == k.Principal && old.PrincipalCreated == k.PrincipalCreated:
				n++
			case old.Principal == k.Principal:
				dead = append(dead, old.ID) // of somebody who had the name before
			}
		}
		if n >= KeysMax {
			return nil, nil, fmt.Errorf("%w: %s has %d access keys, which is the most: delete one (cairn user access-key delete ID)", engine.ErrLimit, p.Name, n)
		}
		return []engine.AccessKey{k}, dead, nil
	})
	if err := s.record(ctx, by, from, act, err); err != nil {
		return nil, err
	}
	return out, nil
}

// sees reports whether the principal sees the events of an account.
func (p *Principal) sees(account string) bool {
	for _, a := range p.Accounts {
		if a == engine.All || a == account {
			return true
		}
	}
	return false
}

// AccessKeys lists the access keys of a principal, of all when name is "".
func (s *Store) AccessKeys(ctx context.Context, by *Principal, name string) ([]ListedKey, error) {
	if err := by.May(ManageUsers); err != nil {
		return nil, err
	}
	all, err := s.lake.AccessKeys(ctx)
	if err != nil {
		return nil, err
	}
	list := []ListedKey{}
	for i := range all {
		k := &all[i]
		if name != "" && !strings.EqualFold(k.Principal, name) {
			continue
		}
		l := ListedKey{AccessKeyID: k.ID, Principal: k.Principal, Account: k.Account, Created: time.UnixMicro(k.Created).UTC(), Status: "Active"}
		p, err := s.lake.Principal(ctx, k.Principal)
		switch {
		case errors.Is(err, engine.ErrNotFound) || err == nil && p.Created != k.PrincipalCreated:
			l.Status = "Orphan"
		case err != nil:
			return nil, err
		case k.Disabled:
			l.Status = "Inactive"
		}
		if k.Expires != 0 {
			if l.Expires = time.UnixMicro(k.Expires).UTC(); !s.opts.Clock().Before(l.Expires) {
				l.Status = "Expired"
			}
		}
		list = append(list, l)
	}
	return list, nil
}

// EnableAccessKey switches an access key on or off; it holds from the next request.
func (s *Store) EnableAccessKey(ctx context.Context, by *Principal, from Origin, id string, on bool) error {
	name := "DisableAccessKey"
	if on {
		name = "EnableAccessKey"
	}
	return s.changeKey(ctx, by, from, name, id, func(k *engine.AccessKey) ([]engine.AccessKey, []string) {
		k.Disabled = !on
		return []engine.AccessKey{*k}, nil
	})
}

// RemoveAccessKey deletes an access key.
func (s *Store) RemoveAccessKey(ctx context.Context, by *Principal, from Origin, id string) error {
	return s.changeKey(ctx, by, from, "DeleteAccessKey", id, func(k *engine.AccessKey) ([]engine.AccessKey, []string) {
		return nil, []string{k.ID}
	})
}

func (s *Store) changeKey(ctx context.Context, by *Principal, from Origin, name, id string, fn func(k *engine.AccessKey) ([]engine.AccessKey, []string)) error {
	if err := by.May(ManageUsers); err != nil {
		return err
	}
	act := Act{Name: name, Details: map[string]string{"accessKeyId": id}}
	err := s.lake.ChangeAccessKeys(ctx, func(all []engine.AccessKey) ([]engine.AccessKey, []string, error) {
		for i := range all {
			if all[i].ID == id {
				act.Target = all[i].Principal
				put, remove := fn(&all[i])
				return put, remove, nil
			}
		}
		return nil, nil, fmt.Errorf("%w: there is no access key %q", engine.ErrNotFound, id)
	})
	return s.record(ctx, by, from, act, err)
}

// Signer is an access key in use: whose it is, and what its signatures are checked with.
type Signer struct {
	ID, Account string
	Session     *SignedIn
	secret      []byte
	tokenHash   []byte
	expires     time.Time // zero for never

	mu      sync.Mutex
	derived map[string][]byte // signing keys by scope, of today
}

// Errors of access keys.
var (
	// ErrNoKey: there is no such access key, or it is of no use any more.
	ErrNoKey = errors.New("no such access key")
	// ErrKeyExpired: the temporary key has expired.
	ErrKeyExpired = errors.New("the access key has expired")
)

// signersMax bounds the keys whose secrets are kept unwrapped.
const signersMax = 1024

// signers are the keys that were used since a principal or key was last changed.
type signers struct {
	sync.Mutex
	version uint64
	by      map[string]*Signer
}

// Signer returns an access key that requests may be signed with, or an error of kind
// [ErrNoKey] or [ErrKeyExpired]. The first use of a key after a change of principals
// counts as signing in.
func (s *Store) Signer(ctx context.Context, id string, from Origin) (*Signer, error) {
	version := s.lake.PrincipalChanges()
	s.signers.Lock()
	defer s.signers.Unlock()
	if s.signers.by == nil || s.signers.version != version || len(s.signers.by) >= signersMax {
		s.signers.by, s.signers.version = map[string]*Signer{}, version
	}
	k := s.signers.by[id]
	if k == nil {
		rec, err := s.lake.AccessKey(ctx, id)
		if errors.Is(err, engine.ErrNotFound) {
			return nil, ErrNoKey
		}
		if err != nil {
			return nil, err
		}
		if rec.Disabled {
			return nil, fmt.Errorf("%w: it has been disabled", ErrNoKey)
		}
		p, err := s.lake.Principal(ctx, rec.Principal)
		if errors.Is(err, engine.ErrNotFound) || err == nil && p.Created != rec.PrincipalCreated {
			return nil, fmt.Errorf("%w: its principal was removed", ErrNoKey)
		}
		if err != nil {
			return nil, err
		}
		k = &Signer{ID: rec.ID, Account: rec.Account, tokenHash: rec.TokenHash, derived: map[string][]byte{}}
		if rec.Expires != 0 {
			k.expires = time.UnixMicro(rec.Expires)
		}
		if k.secret, err = s.lake.UnsealSecret(rec.Scheme, rec.Secret, sealedAs(rec.ID)); err != nil {
			return nil, fmt.Errorf("reading the secret of access key %s: %w", rec.ID, err)
		}
		k.Session = &SignedIn{store: s, name: p.Name, created: p.Created, from: from}
		k.Session.now.Store(&current{version: version, who: principalOf(p)})
		s.signers.by[id] = k
	}
	if !k.expires.IsZero() && !s.opts.Clock().Before(k.expires) {
		return nil, ErrKeyExpired
	}
	return k, nil
}

// SignerOf makes a signer that is kept nowhere: for servers that take everybody for one,
// and for tests.
func SignerOf(id, secret, token, account string, session *SignedIn) *Signer {
	k := &Signer{ID: id, Account: account, Session: session, secret: []byte(secret), derived: map[string][]byte{}}
	if token != "" {
		hash := sha256.Sum256([]byte(token))
		k.tokenHash = hash[:]
	}
	return k
}

// token reports whether a session token is the key's; "" when it has none.
func (k *Signer) token(token string) bool {
	if len(k.tokenHash) == 0 {
		return token == ""
	}
	hash := sha256.Sum256([]byte(token))
	return subtle.ConstantTimeCompare(hash[:], k.tokenHash) == 1
}
