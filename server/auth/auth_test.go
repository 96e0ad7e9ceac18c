package auth_test

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"

	"github.com/cairndb/cairn/engine"
	"github.com/cairndb/cairn/server/auth"
)

// recorder keeps acts in memory.
type recorder struct {
	mu   sync.Mutex
	acts []auth.Act
	err  error
}

func (r *recorder) Record(_ context.Context, a auth.Act) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.acts = append(r.acts, a)
	return r.err
}

func (r *recorder) last() auth.Act {
	r.mu.Lock()
	defer r.mu.Unlock()
	if len(r.acts) == 0 {
		return auth.Act{}
	}
	return r.acts[len(r.acts)-1]
}

var root = auth.Superuser("root")

const good = "correct horse battery"

func open(t *testing.T, fs vfs.FS, rec auth.Recorder) (*auth.Store, *engine.Lake) {
	t.Helper()
	lake, err := engine.Open("lake", &engine.Options{FS: fs, DigestInterval: -1})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { lake.Close() })
	s, err := auth.Open(context.Background(), lake, auth.Options{Recorder: rec})
	if err != nil {
		t.Fatal(err)
	}
	return s, lake
}

func TestBootstrapOnce(t *testing.T) {
	ctx, rec := context.Background(), &recorder{}
	fs := vfs.NewMem()
	s, lake := open(t, fs, rec)
	c, err := s.Bootstrap(ctx)
	if err != nil || c == nil || c.Name != "admin" || len(c.Password) < 24 {
		t.Fatalf("got %+v, %v", c, err)
	}
	if again, err := s.Bootstrap(ctx); again != nil || err != nil {
		t.Errorf("a second admin: %+v, %v", again, err)
	}
	lake.Close()
	s, _ = open(t, fs, rec)
	if again, err := s.Bootstrap(ctx); again != nil || err != nil {
		t.Errorf("another admin after opening again: %+v, %v", again, err)
	}
	v, err := s.Verifier(ctx, "ADMIN")
	if err != nil || !auth.Matches(v, c.Password) || auth.Matches(v, c.Password+"x") {
		t.Errorf("the printed password does not sign in: %v", err)
	}
	for _, a := range rec.acts {
		if text := fmt.Sprint(a); strings.Contains(text, c.Password) || strings.Contains(text, base64.StdEncoding.EncodeToString(v.StoredKey)) {
			t.Errorf("a secret is recorded: %s", text)
		}
	}
}

// TestVerifierVector computes what the exchange of RFC 7677, section 3, does.
func TestVerifierVector(t *testing.T) {
	salt, _ := base64.StdEncoding.DecodeString("W22ZaJ0SNY7soEsUEjb6gQ==")
	v, ok, err := auth.ParseVerifier(auth.FormatVerifier(auth.VerifierOf(t, "pencil", salt, 4096)))
	if !ok || err != nil {
		t.Fatal(ok, err)
	}
	message := "n=user,r=rOprNGfwEbeRWgbNEkqO,r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096,c=biws,r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0"
	h := hmac.New(sha256.New, v.ServerKey)
	h.Write([]byte(message))
	if got := base64.StdEncoding.EncodeToString(h.Sum(nil)); got != "6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4=" {
		t.Errorf("server signature %s", got)
	}
	// The client's proof, and what it is checked with.
	proof, _ := base64.StdEncoding.DecodeString("dHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVQ=")
	h = hmac.New(sha256.New, v.StoredKey)
	h.Write([]byte(message))
	signature := h.Sum(nil)
	for i := range proof {
		proof[i] ^= signature[i]
	}
	if sum := sha256.Sum256(proof); !hmac.Equal(sum[:], v.StoredKey) {
		t.Error("the client's proof of the RFC does not fit the stored key")
	}
}

func TestUnknownNamesLookLikeKnownOnes(t *testing.T) {
	ctx := context.Background()
	fs := vfs.NewMem()
	s, lake := open(t, fs, &recorder{})
	if _, err := s.Add(ctx, root, auth.Origin{}, "anna", auth.Grants{Role: "reader"}, ""); err != nil {
		t.Fatal(err)
	}
	real, _ := s.Verifier(ctx, "anna")
	one, err := s.Verifier(ctx, "nobody")
	if err != nil {
		t.Fatal(err)
	}
	other, _ := s.Verifier(ctx, "nobody2")
	if len(one.Salt) != len(real.Salt) || one.Iterations != real.Iterations || len(one.StoredKey) != len(real.StoredKey) || len(one.ServerKey) != len(real.ServerKey) {
		t.Errorf("the verifiers differ in form: %+v, %+v", one, real)
	}
	if string(one.Salt) == string(other.Salt) {
		t.Error("all unknown names have one salt")
	}
	if auth.Matches(one, "") || auth.Matches(one, good) {
		t.Error("a password matches a name that nobody has")
	}
	lake.Close()
	s, _ = open(t, fs, &recorder{})
	if again, _ := s.Verifier(ctx, "NOBODY"); string(again.Salt) != string(one.Salt) {
		t.Error("the salt of an unknown name has changed with a restart")
	}
	if _, err := s.SignIn(ctx, "nobody", auth.Origin{}); !errors.Is(err, auth.ErrDenied) {
		t.Errorf("a session of nobody: %v", err)
	}
}

func TestGrants(t *testing.T) {
	ctx, rec := context.Background(), &recorder{}
	s, _ := open(t, vfs.NewMem(), rec)
	if _, err := s.Add(ctx, root, auth.Origin{Address: "10.0.0.1:5"}, "bob", auth.Grants{Role: "reader"}, good); err != nil {
		t.Fatal(err)
	}
	if a := rec.last(); a.Name != "CreatePrincipal" || a.Who != "root" || a.Target != "bob" || a.Origin.Address != "10.0.0.1:5" || a.Details["role"] != "reader" {
		t.Errorf("recorded: %+v", a)
	}
	session, err := s.SignIn(ctx, "BOB", auth.Origin{Address: "1.2.3.4:5"})
	if err != nil {
		t.Fatal(err)
	}
	who := func() *auth.Principal {
		t.Helper()
		p, err := session.Principal(ctx)
		if err != nil {
			t.Fatal(err)
		}
		return p
	}
	if err := who().MayIn(auth.Query, "events"); !errors.Is(err, auth.ErrDenied) {
		t.Errorf("a reader without stores may read: %v", err)
	}
	step := func(what string, err error) {
		t.Helper()
		if err != nil {
			t.Fatalf("%s: %v", what, err)
		}
	}
	step("grant", s.Grant(ctx, root, auth.Origin{}, "bob", auth.Grants{Stores: []string{"Events", "b"}}))
	if err := who().MayIn(auth.Query, "EVENTS"); err != nil {
		t.Errorf("a grant does not hold in an open session: %v", err)
	}
	if err := who().MayIn(auth.Append, "events"); err == nil {
		t.Error("a reader may append")
	}
	if err := who().MayIn(auth.Query, engine.AuditStore); err == nil {
		t.Error("a reader sees the audit store")
	}
	if !who().AllAccounts() {
		t.Error("a reader without accounts named is limited")
	}
	if err := s.Revoke(ctx, root, auth.Origin{}, "bob", auth.Grants{Accounts: []string{"1"}}); !errors.Is(err, engine.ErrBadInput) {
		t.Errorf("one of all accounts was revoked: %v", err)
	}
	step("revoke all accounts", s.Revoke(ctx, root, auth.Origin{}, "bob", auth.Grants{Accounts: []string{"*"}}))
	step("grant one", s.Grant(ctx, root, auth.Origin{}, "bob", auth.Grants{Accounts: []string{"111122223333"}}))
	step("revoke it", s.Revoke(ctx, root, auth.Origin{}, "bob", auth.Grants{Accounts: []string{"111122223333"}}))
	if p := who(); p.AllAccounts() || len(p.Accounts) != 0 {
		t.Errorf("who has lost the last account has %q", p.Accounts)
	}
	if err := s.Grant(ctx, root, auth.Origin{}, "bob", auth.Grants{Role: "auditor"}); !errors.Is(err, engine.ErrBadInput) {
		t.Errorf("an auditor limited to accounts: %v", err)
	}
	step("revoke a store", s.Revoke(ctx, root, auth.Origin{}, "bob", auth.Grants{Stores: []string{"EVENTS"}}))
	if who().Has("events") || !who().Has("b") {
		t.Errorf("stores: %q", who().Stores)
	}
	step("remove", s.Remove(ctx, root, auth.Origin{}, "bob"))
	if _, err := session.Principal(ctx); !errors.Is(err, auth.ErrDenied) {
		t.Errorf("the session of a removed principal: %v", err)
	}
	_, err = s.Add(ctx, root, auth.Origin{}, "bob", auth.Grants{Role: "admin"}, good)
	step("add again", err)
	if _, err := session.Principal(ctx); !errors.Is(err, auth.ErrDenied) {
		t.Errorf("an old session has become that of a new principal: %v", err)
	}
}

func TestOnlyAdminsManage(t *testing.T) {
	ctx, rec := context.Background(), &recorder{}
	s, _ := open(t, vfs.NewMem(), rec)
	if _, err := s.Bootstrap(ctx); err != nil {
		t.Fatal(err)
	}
	from := auth.Origin{}
	for _, role := range []engine.Role{engine.RoleWriter, engine.RoleReader, engine.RoleAuditor} {
		p := &auth.Principal{Name: "x" + role.String(), Role: role, Stores: []string{"*"}, Accounts: []string{"*"}}
		if _, err := s.Add(ctx, root, from, p.Name, auth.Grants{Role: role.String()}, good); err != nil {
			t.Fatal(err)
		}
		_, add := s.Add(ctx, p, from, "more", auth.Grants{Role: "admin"}, good)
		_, rotate := s.Rotate(ctx, p, from, "admin", good)
		_, list := s.List(ctx, p)
		for what, err := range map[string]error{"add": add, "rotate": rotate, "list": list,
			"grant":  s.Grant(ctx, p, from, p.Name, auth.Grants{Role: "admin"}),
			"revoke": s.Revoke(ctx, p, from, "admin", auth.Grants{Stores: []string{"*"}}),
			"remove": s.Remove(ctx, p, from, "admin")} {
			if !errors.Is(err, auth.ErrDenied) {
				t.Errorf("%v: %s: %v", role, what, err)
			}
		}
		c, err := s.Rotate(ctx, p, from, strings.ToUpper(p.Name), "")
		if err != nil {
			t.Errorf("%v: own password: %v", role, err)
		} else if v, _ := s.Verifier(ctx, p.Name); !auth.Matches(v, c.Password) {
			t.Errorf("%v: the new password does not match", role)
		}
	}
	if err := s.Remove(ctx, root, from, "admin"); !errors.Is(err, engine.ErrRefused) {
		t.Errorf("the last admin was removed: %v", err)
	}
	if a := rec.last(); a.Name != "RemovePrincipal" || a.Err == "" {
		t.Errorf("a refused removal is recorded as %+v", a)
	}
	if err := s.Grant(ctx, root, from, "admin", auth.Grants{Role: "reader"}); !errors.Is(err, engine.ErrRefused) {
		t.Errorf("the last admin became a reader: %v", err)
	}
}

func TestPasswordRules(t *testing.T) {
	for _, bad := range []string{"", "short", "elevenchars", "aaaaaaaaaaaaaaaa", "with anna in it 12", "tab\tin the middle", strings.Repeat("abcdefgh", 200), "not utf-8 \xff at all"} {
		if err := auth.CheckPassword("anna", bad); !errors.Is(err, engine.ErrBadInput) {
			t.Errorf("%q was taken: %v", bad, err)
		} else if bad != "" && strings.Contains(err.Error(), bad) {
			t.Errorf("the message has the password: %v", err)
		}
	}
	for _, fine := range []string{good, "Grüße aus Zürich", "日本語のパスワードはこれです"} {
		if err := auth.CheckPassword("anna", fine); err != nil {
			t.Errorf("%q: %v", fine, err)
		}
	}
}

func TestBadVerifiers(t *testing.T) {
	fine := auth.FormatVerifier(auth.VerifierOf(t, good, []byte("0123456789abcdef"), 4096))
	if _, ok, err := auth.ParseVerifier(fine); !ok || err != nil {
		t.Errorf("%q: %v", fine, err)
	}
	for _, bad := range []string{
		"SCRAM-SHA-256$", strings.Replace(fine, "4096", "1", 1), strings.Replace(fine, "4096", "99999999999", 1), fine + "A", strings.Replace(fine, ":", "", 1),
		strings.Replace(fine, ":M", ":!", 1), "SCRAM-SHA-256$4096:$:", fine[:len(fine)-4], fine + strings.Repeat("=", 600),
	} {
		if _, ok, err := auth.ParseVerifier(bad); !ok || !errors.Is(err, engine.ErrBadInput) {
			t.Errorf("%q: %v, %v", bad, ok, err)
		}
	}
	if _, ok, err := auth.ParseVerifier("just a password"); ok || err != nil {
		t.Errorf("a password is a verifier: %v, %v", ok, err)
	}
}

// TestVerifiersOfNothing: psql's \password hashes what it was given, and that may be nothing.
func TestVerifiersOfNothing(t *testing.T) {
	ctx := context.Background()
	s, _ := open(t, vfs.NewMem(), &recorder{})
	for _, text := range []string{"", "anna", good} {
		fine := text == good
		v := auth.FormatVerifier(auth.VerifierOf(t, text, []byte("0123456789abcdef"), 4096))
		if _, err := s.Add(ctx, root, auth.Origin{}, "anna", auth.Grants{Role: "reader"}, v); (err == nil) != fine || !fine && !errors.Is(err, engine.ErrBadInput) {
			t.Errorf("the verifier of %q: %v", text, err)
		}
	}
}

func TestNames(t *testing.T) {
	ctx := context.Background()
	s, _ := open(t, vfs.NewMem(), &recorder{})
	for _, bad := range []string{"", " ", "a b", "-a", "public", "CAIRN", "a\x00b", "ä", strings.Repeat("a", 64), "a\"b", "a/b"} {
		if _, err := s.Add(ctx, root, auth.Origin{}, bad, auth.Grants{Role: "reader"}, good); !errors.Is(err, engine.ErrBadInput) {
			t.Errorf("name %q: %v", bad, err)
		}
	}
	for _, fine := range []string{"a", "anna.b@example.com", strings.Repeat("a", 63), "2"} {
		if _, err := s.Add(ctx, root, auth.Origin{}, fine, auth.Grants{Role: "reader"}, good); err != nil {
			t.Errorf("name %q: %v", fine, err)
		}
	}
	if _, err := s.Add(ctx, root, auth.Origin{}, "A", auth.Grants{Role: "reader"}, good); !errors.Is(err, engine.ErrConflict) {
		t.Errorf("a taken name: %v", err)
	}
	for _, g := range []auth.Grants{{}, {Role: "root"}, {Role: "reader", Stores: []string{""}}, {Role: "reader", Stores: []string{"ev*"}},
		{Role: "reader", Stores: []string{engine.AuditStore}}, {Role: "writer", Accounts: []string{"1"}}, {Role: "reader", Accounts: []string{"a\x00"}}} {
		if _, err := s.Add(ctx, root, auth.Origin{}, "new", g, good); !errors.Is(err, engine.ErrBadInput) {
			t.Errorf("grants %+v: %v", g, err)
		}
	}
}

func TestFailuresAreSlowed(t *testing.T) {
	now := time.Unix(1_700_000_000, 0)
	th := auth.NewThrottle(func() time.Time { return now })
	const here, there = "10.0.0.1:1", "10.0.0.2:2"
	for i := range 3 {
		if d := th.Delay("anna", here); d != 0 {
			t.Errorf("attempt %d waits %v", i, d)
		}
		th.Failed("anna", here)
	}
	last := time.Duration(0)
	for range 12 {
		d := th.Delay("anna", "10.0.0.1:999")
		if d <= last && d != 30*time.Second {
			t.Errorf("%v after %v", d, last)
		}
		last = d
		th.Failed("ANNA", here)
	}
	if last != 30*time.Second {
		t.Errorf("at last %v", last)
	}
	if d := th.Delay("anna", there); d > 0 {
		t.Errorf("15 failures elsewhere delay by %v", d)
	}
	for range 100 {
		th.Failed("anna", here)
	}
	if d := th.Delay("anna", there); d <= 0 || d > 2*time.Second {
		t.Errorf("a hundred failures elsewhere delay by %v", d)
	}
	if err := th.Wait(context.Background(), "anna", here); !errors.Is(err, auth.ErrThrottled) {
		t.Errorf("half a minute is waited for: %v", err)
	}
	th.Succeeded("anna", there)
	if d := th.Delay("anna", there); d != 0 {
		t.Errorf("who has signed in from an address waits for others, %v", d)
	}
	now = now.Add(16 * time.Minute)
	if d := th.Delay("anna", here); d != 0 {
		t.Errorf("nothing is forgotten: %v", d)
	}
	now = now.Add(-24 * time.Hour)
	if d := th.Delay("anna", here); d > 30*time.Second {
		t.Errorf("a clock that went back locks out for %v", d)
	}
	for i := range 100_000 {
		th.Failed(fmt.Sprint("name", i), fmt.Sprintf("10.%d.%d.%d:1", i>>16, i>>8&255, i&255))
	}
	if n := th.Len(); n > 1<<14 {
		t.Errorf("%d failures are remembered", n)
	}
}

func TestGuessingDoesNotFillTheRecord(t *testing.T) {
	rec := &recorder{}
	s, _ := open(t, vfs.NewMem(), rec)
	for range 10_000 {
		s.Failed(context.Background(), strings.Repeat("x", 5000), auth.Origin{Address: "10.0.0.1:1"}, "wrong password")
	}
	if n := len(rec.acts); n < 8 || n > 20 {
		t.Errorf("%d acts were recorded", n)
	}
	if a := rec.last(); a.Details["attempts"] != "8192" || len(a.Who) > 100 || a.Name != "SignInFailed" {
		t.Errorf("recorded last: %+v", a)
	}
}

// TestRules holds the table of rules against what the roles are for.
func TestRules(t *testing.T) {
	// An action that is added without a line here fails.
	want := map[auth.Action]string{ // stranger, admin, writer, reader, auditor
		auth.Health:       "sawru",
		auth.Metrics:      "-a--u",
		auth.Session:      "-awru",
		auth.Query:        "-a-ru",
		auth.Append:       "-aw--",
		auth.Verify:       "-a--u",
		auth.Prove:        "-a--u",
		auth.Export:       "-a--u",
		auth.SeeAudit:     "-a--u",
		auth.ManageStores: "-a---",
		auth.ManageKeys:   "-a---",
		auth.ManageUsers:  "-a---",
		auth.OwnPassword:  "-awru",
		auth.ChangeEvents: "-----",
	}
	for _, a := range auth.Actions() {
		got := ""
		for r := engine.Role(0); r <= engine.RoleAuditor; r++ {
			p := &auth.Principal{Name: "x", Role: r, Stores: []string{"*"}}
			if r == 0 {
				p = nil
			}
			if p.May(a) == nil {
				got += "sawru"[r : r+1]
			} else {
				got += "-"
			}
		}
		if got != want[a] {
			t.Errorf("%v: %s, want %s", a, got, want[a])
		}
	}
	for _, a := range []auth.Action{0, auth.Action(200)} {
		if root.May(a) == nil {
			t.Errorf("an action without a rule is allowed: %v", a)
		}
	}
}
