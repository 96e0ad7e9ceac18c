package auth

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"slices"
	"sort"
	"strings"
	"time"
	"unicode"

	"github.com/cairndb/cairn/engine"
)

// Options adjust a [Store]. The zero value is useful.
type Options struct {
	// Recorder keeps sign-ins and changes. When nil they go into the lake's audit store,
	// and to Logger for a lake that is open for reading only.
	Recorder Recorder
	// Logger hears what could not be recorded; nothing is logged when nil.
	Logger *slog.Logger
	// Clock tells the time; time.Now when nil.
	Clock func() time.Time
	// Rand is the source of salts and passwords; crypto/rand when nil.
	Rand io.Reader
}

// Store is the principals of a lake.
type Store struct {
	lake     *engine.Lake
	opts     Options
	throttle *throttle
	pretence []byte // used while the lake has none
	signers  signers
}

// Open returns the principals of a lake, which stays the caller's.
func Open(_ context.Context, lake *engine.Lake, opts Options) (*Store, error) {
	if opts.Logger == nil {
		opts.Logger = slog.New(slog.DiscardHandler)
	}
	if opts.Recorder == nil {
		opts.Recorder = LakeRecorder{lake}
		if lake.ReadOnly() {
			opts.Recorder = LogRecorder{opts.Logger}
		}
	}
	if opts.Clock == nil {
		opts.Clock = time.Now
	}
	if opts.Rand == nil {
		opts.Rand = rand.Reader
	}
	s := &Store{lake: lake, opts: opts, throttle: newThrottle(opts.Clock), pretence: make([]byte, 32)}
	if _, err := io.ReadFull(opts.Rand, s.pretence); err != nil {
		return nil, fmt.Errorf("reading random bytes: %w", err)
	}
	return s, nil
}

// Credential is a name and the password that was made for it. It is the only time
// that the password can be seen; it is "" when the caller knows it.
type Credential struct{ Name, Password string }

// BootstrapName is the name of the first admin.
const BootstrapName = "admin"

// Bootstrap makes the first admin, with a generated password, in a lake that never had
// one; otherwise it returns nil.
func (s *Store) Bootstrap(ctx context.Context) (*Credential, error) {
	if list, err := s.lake.Principals(ctx); err != nil || hasAdmin(list) {
		return nil, err
	}
	var c *Credential
	err := s.change(ctx, Superuser("cairn"), Origin{}, Act{Name: "CreatePrincipal", Target: BootstrapName}, func(all []engine.Principal) (*engine.Principal, error) {
		if hasAdmin(all) {
			return nil, errNothing // somebody was quicker
		}
		if find(all, BootstrapName) != nil {
			return nil, fmt.Errorf("%w: the lake has no admin, and %s is the name of somebody else: make one with cairn user add NAME --role admin", engine.ErrConflict, BootstrapName)
		}
		p := &engine.Principal{Name: BootstrapName, Role: engine.RoleAdmin, Stores: everything(), Accounts: everything(), Created: s.now()}
		password, err := s.setPassword(p, "")
		if err != nil {
			return nil, err
		}
		c = &Credential{Name: p.Name, Password: password}
		return p, nil
	})
	if errors.Is(err, errNothing) {
		return nil, nil
	}
	return c, err
}

// hasAdmin reports whether there is an admin.
func hasAdmin(all []engine.Principal) bool {
	return slices.ContainsFunc(all, func(p engine.Principal) bool { return p.Role == engine.RoleAdmin })
}

func everything() []string { return []string{engine.All} }

// now is the time in the form of records.
func (s *Store) now() int64 { return s.opts.Clock().UnixMicro() }

// errNothing ends a change that has nothing to change.
var errNothing = errors.New("nothing to change")

// Admit waits until a sign-in may be tried, when there were failed ones, or refuses it
// with [ErrThrottled]. It comes before anything is computed for the sign-in.
func (s *Store) Admit(ctx context.Context, name string, from Origin) error {
	return s.throttle.wait(ctx, name, from.Address)
}

// Verifier returns the verifier of a name. A name that nobody has gets one that
// nothing matches, always the same, so that the exchange tells nothing.
func (s *Store) Verifier(ctx context.Context, name string) (engine.Verifier, error) {
	// Both are read whoever asks, so that time does not tell either.
	secret, ok, err := s.lake.Pretence()
	if err != nil {
		return engine.Verifier{}, err
	}
	if !ok {
		copy(secret[:], s.pretence)
	}
	none := pretend(secret[:], name)
	p, err := s.lake.Principal(ctx, name)
	switch {
	case errors.Is(err, engine.ErrNotFound):
		return none, nil
	case err != nil:
		return engine.Verifier{}, err
	case len(p.Verifier.StoredKey) == 0:
		return none, nil
	}
	return p.Verifier, nil
}

// SignIn begins the session of somebody whose password was proven.
func (s *Store) SignIn(ctx context.Context, name string, from Origin) (*SignedIn, error) {
	version := s.lake.PrincipalChanges()
	p, err := s.lake.Principal(ctx, name)
	if errors.Is(err, engine.ErrNotFound) {
		return nil, deniedf("%s has been removed", name)
	}
	if err != nil {
		return nil, err
	}
	s.throttle.succeeded(name, from.Address)
	in := &SignedIn{store: s, name: p.Name, created: p.Created, from: from}
	in.now.Store(&current{version: version, who: principalOf(p)})
	err = s.opts.Recorder.Record(ctx, Act{Time: s.opts.Clock(), Name: "SignIn", Who: p.Name, Role: p.Role.String(), Origin: from})
	if err != nil {
		return nil, fmt.Errorf("recording the sign-in: %w", err)
	}
	return in, nil
}

// Failed counts a failed sign-in and records it. Of a row of failures for a name from
// an address only the first ones and every doubling are recorded, with their number:
// whoever guesses must not be able to fill the disk.
func (s *Store) Failed(ctx context.Context, name string, from Origin, why string) {
	n := s.throttle.failed(name, from.Address)
	const always = 8
	if n > always && n&(n-1) != 0 {
		return
	}
	if len(name) > engine.PrincipalNameMax {
		name = strings.ToValidUTF8(name[:engine.PrincipalNameMax], "") + "…"
	}
	err := s.opts.Recorder.Record(ctx, Act{Time: s.opts.Clock(), Name: "SignInFailed", Who: name, Origin: from,
		Details: map[string]string{"attempts": fmt.Sprint(n)}, Err: why})
	if err != nil {
		s.opts.Logger.Error("a failed sign-in was not recorded", "error", err)
	}
}

// Listed is a principal as lists show it.
type Listed struct {
	Name     string    `json:"name"`
	Role     string    `json:"role"`
	Stores   []string  `json:"stores"`
	Accounts []string  `json:"accounts"`
	Created  time.Time `json:"created"`
	Rotated  time.Time `json:"rotated"` // when the password was last set
	// FirstPassword says that the password is the one that the principal was made with.
	FirstPassword bool `json:"firstPassword"`
}

// List returns all principals, in order of their names.
func (s *Store) List(ctx context.Context, by *Principal) ([]Listed, error) {
	if err := by.May(ManageUsers); err != nil {
		return nil, err
	}
	all, err := s.lake.Principals(ctx)
	if err != nil {
		return nil, err
	}
	list := []Listed{}
	for i := range all {
		list = append(list, listed(&all[i]))
	}
	return list, nil
}

func listed(p *engine.Principal) Listed {
	return Listed{Name: p.Name, Role: p.Role.String(), Stores: append([]string{}, p.Stores...), Accounts: append([]string{}, p.Accounts...),
		Created: time.UnixMicro(p.Created).UTC(), Rotated: time.UnixMicro(p.Rotated).UTC(), FirstPassword: p.Rotated == p.Created}
}

// Grants say what somebody is to have. Nil lists change nothing.
type Grants struct {
	Role             string   // admin, writer, reader, auditor; "" changes nothing
	Stores, Accounts []string // names; "*" is all of them
}

// Add makes a principal. The password is one of the user's choice, a verifier in
// PostgreSQL's form, or "" for one to be generated, which is returned. Admins and
// auditors have all stores unless some are named; others have none but those. All
// have all accounts unless some are named, which only readers may.
func (s *Store) Add(ctx context.Context, by *Principal, from Origin, name string, g Grants, password string) (*Credential, error) {
	if err := by.May(ManageUsers); err != nil {
		return nil, err
	}
	if err := checkName(name); err != nil {
		return nil, err
	}
	role, err := ParseRole(g.Role)
	if err != nil {
		return nil, err
	}
	c := &Credential{Name: name}
	p := &engine.Principal{Name: name, Role: role, Created: s.now(), Accounts: everything()}
	if role == engine.RoleAdmin || role == engine.RoleAuditor {
		p.Stores = everything()
	}
	if g.Stores != nil {
		p.Stores = nil
	}
	if g.Accounts != nil {
		p.Accounts = nil
	}
	if err := s.grant(p, Grants{Stores: g.Stores, Accounts: g.Accounts}); err != nil {
		return nil, err
	}
	if c.Password, err = s.setPassword(p, password); err != nil {
		return nil, err
	}
	err = s.change(ctx, by, from, Act{Name: "CreatePrincipal", Target: name}, func(all []engine.Principal) (*engine.Principal, error) {
		if find(all, name) != nil {
			return nil, fmt.Errorf("%w: there is a principal %q already", engine.ErrConflict, name)
		}
		return p, nil
	})
	if err != nil {
		return nil, err
	}
	return c, nil
}

// Grant gives a principal a role, stores and accounts. A role takes the place of the
// one before; stores and accounts are added. "*" takes the place of single ones.
func (s *Store) Grant(ctx context.Context, by *Principal, from Origin, name string, g Grants) error {
	return s.alter(ctx, by, from, "GrantPrincipal", name, func(p *engine.Principal) error { return s.grant(p, g) })
}

// Revoke takes stores and accounts from a principal. Whoever has lost the last one
// sees nothing: that is not the same as having all. "*" takes all of them.
func (s *Store) Revoke(ctx context.Context, by *Principal, from Origin, name string, g Grants) error {
	if g.Role != "" {
		return fmt.Errorf("%w: a role cannot be revoked: grant another one, or remove the principal", engine.ErrBadInput)
	}
	return s.alter(ctx, by, from, "RevokePrincipal", name, func(p *engine.Principal) error {
		var err error
		if p.Stores, err = without("store", p.Name, p.Stores, g.Stores); err != nil {
			return err
		}
		p.Accounts, err = without("account", p.Name, p.Accounts, g.Accounts)
		return err
	})
}

// Rotate sets a principal's password as [Store.Add] does. Admins may for everybody,
// everybody for themselves.
func (s *Store) Rotate(ctx context.Context, by *Principal, from Origin, name, password string) (*Credential, error) {
	need := ManageUsers
	if by != nil && strings.EqualFold(by.Name, name) {
		need = OwnPassword
	}
	if err := by.May(need); err != nil {
		return nil, err
	}
	c := &Credential{Name: name}
	var fresh engine.Principal
	fresh.Name = name
	made, err := s.setPassword(&fresh, password)
	if err != nil {
		return nil, err
	}
	c.Password = made
	err = s.change(ctx, by, from, Act{Name: "RotatePassword", Target: name}, func(all []engine.Principal) (*engine.Principal, error) {
		p, err := existing(all, name)
		if err != nil {
			return nil, err
		}
		c.Name = p.Name
		p.Verifier, p.Rotated = fresh.Verifier, fresh.Rotated
		return p, nil
	})
	if err != nil {
		return nil, err
	}
	return c, nil
}

// Remove removes a principal. Its sessions end at their next statement. The last
// admin stays.
func (s *Store) Remove(ctx context.Context, by *Principal, from Origin, name string) error {
	if err := by.May(ManageUsers); err != nil {
		return err
	}
	act := Act{Name: "RemovePrincipal", Target: name}
	err := s.lake.ChangePrincipals(ctx, func(all []engine.Principal) ([]engine.Principal, []string, error) {
		p, err := existing(all, name)
		if err != nil {
			return nil, nil, err
		}
		if err := lastAdmin(all, p, 0); err != nil {
			return nil, nil, err
		}
		return nil, []string{p.Name}, nil
	})
	return s.record(ctx, by, from, act, err)
}

// alter changes one principal.
func (s *Store) alter(ctx context.Context, by *Principal, from Origin, act, name string, fn func(p *engine.Principal) error) error {
	if err := by.May(ManageUsers); err != nil {
		return err
	}
	return s.change(ctx, by, from, Act{Name: act, Target: name}, func(all []engine.Principal) (*engine.Principal, error) {
		old, err := existing(all, name)
		if err != nil {
			return nil, err
		}
		p := *old
		if err := fn(&p); err != nil {
			return nil, err
		}
		return &p, lastAdmin(all, old, p.Role)
	})
}

// change writes the principal that fn returns, and records the act.
func (s *Store) change(ctx context.Context, by *Principal, from Origin, act Act, fn func(all []engine.Principal) (*engine.Principal, error)) error {
	err := s.lake.ChangePrincipals(ctx, func(all []engine.Principal) ([]engine.Principal, []string, error) {
		p, err := fn(all)
		if err != nil {
			return nil, nil, err
		}
		act.Details = map[string]string{"role": p.Role.String(), "stores": strings.Join(p.Stores, ","), "accounts": strings.Join(p.Accounts, ",")}
		return []engine.Principal{*p}, nil, nil
	})
	if errors.Is(err, errNothing) {
		return err
	}
	return s.record(ctx, by, from, act, err)
}

// record records an act and what became of it, and returns its error.
func (s *Store) record(ctx context.Context, by *Principal, from Origin, act Act, err error) error {
	act.Time, act.Who, act.Role, act.Origin = s.opts.Clock(), by.Name, by.Role.String(), from
	if err != nil {
		act.Err = err.Error()
	}
	if failed := s.opts.Recorder.Record(context.WithoutCancel(ctx), act); failed != nil {
		if err == nil {
			return fmt.Errorf("it was done, but could not be recorded: %w", failed)
		}
		s.opts.Logger.Error("a refused change of principals was not recorded", "error", failed)
	}
	return err
}

// setPassword gives a principal a password, a verifier in PostgreSQL's form, or a
// password that it makes and returns.
func (s *Store) setPassword(p *engine.Principal, password string) (made string, err error) {
	if p.Rotated == 0 && p.Created != 0 {
		p.Rotated = p.Created // the first one
	} else {
		p.Rotated = max(s.now(), p.Created+1)
	}
	v, ok, err := ParseVerifier(password)
	if err != nil {
		return "", err
	}
	if ok {
		// The rules are for passwords, and this is none; these two can be tried.
		for _, bad := range []string{"", p.Name} {
			if Matches(v, bad) {
				return "", fmt.Errorf("%w: the verifier is that of an empty password or of the name", engine.ErrBadInput)
			}
		}
		p.Verifier = v
		return "", nil
	}
	if password == "" {
		if made, err = GeneratePassword(s.opts.Rand); err != nil {
			return "", err
		}
		password = made
	} else if err := CheckPassword(p.Name, password); err != nil {
		return "", err
	}
	p.Verifier, err = MakeVerifier(s.opts.Rand, password)
	return made, err
}

// grant adds grants to a principal.
func (s *Store) grant(p *engine.Principal, g Grants) error {
	if g.Role != "" {
		role, err := ParseRole(g.Role)
		if err != nil {
			return err
		}
		p.Role = role
	}
	for _, name := range g.Stores {
		if strings.EqualFold(name, engine.AuditStore) {
			return fmt.Errorf("%w: %s is seen by admins and auditors, and granted to nobody else", engine.ErrBadInput, engine.AuditStore)
		}
		if err := checkGrant("store", name, engine.StoreNameMax); err != nil {
			return err
		}
	}
	for _, a := range g.Accounts {
		if err := checkGrant("account", a, accountMax); err != nil {
			return err
		}
	}
	p.Stores = with(p.Stores, g.Stores, strings.ToLower)
	p.Accounts = with(p.Accounts, g.Accounts, func(a string) string { return a })
	if p.Role != engine.RoleReader && !slices.Contains(p.Accounts, engine.All) {
		return fmt.Errorf("%w: only readers can be limited to accounts: %s sees or writes whole stores", engine.ErrBadInput, article(p.Role))
	}
	return nil
}

// accountMax is the longest name of an account: those of AWS have 12 digits, other
// products have names of their own.
const accountMax = 256

func checkGrant(what, name string, max int) error {
	switch {
	case name == "":
		return fmt.Errorf("%w: the name of %s is empty", engine.ErrBadInput, what)
	case len(name) > max:
		return fmt.Errorf("%w: the name of %s has %d bytes, at most %d are taken", engine.ErrBadInput, what, len(name), max)
	case strings.ContainsFunc(name, func(r rune) bool { return unicode.IsControl(r) || r == unicode.ReplacementChar }):
		return fmt.Errorf("%w: the name of %s %q has characters that no name has", engine.ErrBadInput, what, name)
	case name != engine.All && strings.Contains(name, "*"):
		return fmt.Errorf("%w: %s %q: * stands for all by itself, patterns are not known", engine.ErrBadInput, what, name)
	}
	return nil
}

// with adds names to a list.
func with(list, add []string, form func(string) string) []string {
	out := slices.Clone(list)
	for _, name := range add {
		out = append(out, form(name))
	}
	if slices.Contains(out, engine.All) {
		return everything()
	}
	sort.Strings(out)
	return slices.Compact(out)
}

// without takes names from a list.
func without(what, who string, list, take []string) ([]string, error) {
	out := slices.Clone(list)
	for _, name := range take {
		if name == engine.All {
			out = nil
			continue
		}
		i := slices.IndexFunc(out, func(x string) bool { return strings.EqualFold(x, name) })
		switch {
		case i >= 0:
			out = slices.Delete(out, i, i+1)
		case slices.Contains(list, engine.All):
			return nil, fmt.Errorf("%w: %s has every %s: revoke * first and then grant those that it is to have", engine.ErrBadInput, who, what)
		default:
			return nil, fmt.Errorf("%w: %s has no %s %q", engine.ErrNotFound, who, what, name)
		}
	}
	return out, nil
}

func find(all []engine.Principal, name string) *engine.Principal {
	for i := range all {
		if strings.EqualFold(all[i].Name, name) {
			return &all[i]
		}
	}
	return nil
}

func existing(all []engine.Principal, name string) (*engine.Principal, error) {
	if p := find(all, name); p != nil {
		return p, nil
	}
	return nil, fmt.Errorf("%w: there is no principal %q", engine.ErrNotFound, name)
}

// lastAdmin refuses to give the last admin another role, or none.
func lastAdmin(all []engine.Principal, p *engine.Principal, role engine.Role) error {
	if p.Role != engine.RoleAdmin || role == engine.RoleAdmin {
		return nil
	}
	for i := range all {
		if all[i].Role == engine.RoleAdmin && all[i].Name != p.Name {
			return nil
		}
	}
	return fmt.Errorf("%w: %s is the last admin: make another one first", engine.ErrRefused, p.Name)
}

// ParseRole reads the name of a role.
func ParseRole(text string) (engine.Role, error) {
	for r := engine.RoleAdmin; r <= engine.RoleAuditor; r++ {
		if strings.EqualFold(text, r.String()) {
			return r, nil
		}
	}
	if text == "" {
		return 0, fmt.Errorf("%w: a role is needed: admin, writer, reader or auditor", engine.ErrBadInput)
	}
	return 0, fmt.Errorf("%w: role %q is not one of admin, writer, reader, auditor", engine.ErrBadInput, text)
}

// checkName says what is wrong with the name of a principal. Names are those that
// need no quotes in any client, and those of mail addresses.
func checkName(name string) error {
	switch {
	case name == "":
		return fmt.Errorf("%w: the name is empty", engine.ErrBadInput)
	case len(name) > engine.PrincipalNameMax:
		return fmt.Errorf("%w: the name has %d bytes, at most %d are taken", engine.ErrBadInput, len(name), engine.PrincipalNameMax)
	}
	for i := range len(name) {
		c := name[i]
		letter := c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9'
		if !letter && (i == 0 || !strings.ContainsRune("_-.@+", rune(c))) {
			return fmt.Errorf("%w: name %q: a name is letters and digits of ASCII and, after the first, _ - . @ +", engine.ErrBadInput, name)
		}
	}
	for _, reserved := range [...]string{"public", "none", "current_user", "session_user", "cairn"} {
		if strings.EqualFold(name, reserved) {
			return fmt.Errorf("%w: the name %q means something else to clients", engine.ErrBadInput, name)
		}
	}
	return nil
}
