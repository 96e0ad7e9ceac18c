package pg

import (
	"context"
	"crypto/hmac"
	"crypto/pbkdf2"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"net/netip"
	"strings"
	"sync"
	"testing"

	"github.com/jackc/pgx/v5"
)

// credentialOf makes the verifier of a password.
func credentialOf(t testing.TB, password string, salt []byte, iterations int) Credential {
	t.Helper()
	salted, err := pbkdf2.Key(sha256.New, password, salt, iterations, sha256.Size)
	if err != nil {
		t.Fatal(err)
	}
	c := Credential{Salt: salt, Iterations: iterations}
	c.StoredKey = sha256.Sum256(mac(salted, []byte("Client Key")))
	copy(c.ServerKey[:], mac(salted, []byte("Server Key")))
	return c
}

// rfc7677 is the example exchange of RFC 7677.
var rfc7677 = struct{ clientFirst, nonce, serverFirst, clientFinal, serverFinal string }{
	"n,,n=user,r=rOprNGfwEbeRWgbNEkqO",
	"%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0",
	"r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096",
	"c=biws,r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,p=dHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVQ=",
	"v=6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4=",
}

func rfcExchange(t *testing.T) *scram {
	salt, _ := base64.StdEncoding.DecodeString("W22ZaJ0SNY7soEsUEjb6gQ==")
	s := &scram{}
	got, err := s.first([]byte(rfc7677.clientFirst), credentialOf(t, "pencil", salt, 4096), func() (string, error) { return rfc7677.nonce, nil })
	if err != nil || string(got) != rfc7677.serverFirst {
		t.Fatalf("%s, %v", got, err)
	}
	return s
}

func TestScramVector(t *testing.T) {
	got, err := rfcExchange(t).final([]byte(rfc7677.clientFinal))
	if err != nil || string(got) != rfc7677.serverFinal {
		t.Fatalf("%s, %v", got, err)
	}
}

// Every byte of the final message matters.
func TestScramFinalTampered(t *testing.T) {
	for i := range rfc7677.clientFinal {
		b := []byte(rfc7677.clientFinal)
		b[i] ^= 1
		if got, err := rfcExchange(t).final(b); err == nil {
			t.Errorf("byte %d changed: %s was answered with %s", i, b, got)
		}
	}
	// A message of another exchange fits no new one.
	s := &scram{}
	salt, _ := base64.StdEncoding.DecodeString("W22ZaJ0SNY7soEsUEjb6gQ==")
	if _, err := s.first([]byte(rfc7677.clientFirst), credentialOf(t, "pencil", salt, 4096), randomNonce); err != nil {
		t.Fatal(err)
	}
	if _, err := s.final([]byte(rfc7677.clientFinal)); err == nil {
		t.Error("a replayed proof was accepted")
	}
}

func TestScramFirstRefused(t *testing.T) {
	for _, c := range []struct {
		plus, offered bool
		msg           string
	}{
		{false, false, ""},
		{false, false, "n"},
		{false, false, "n,,"},
		{false, false, "n,,n=user"},
		{false, false, "n,,r=abc,n=user"},
		{false, false, "n,,m=ext,n=user,r=abc"},
		{false, false, "n,,n=user,r="},
		{false, false, "n,,n=user,r=a b"},
		{false, false, "n,x,n=user,r=abc"},
		{false, true, "y,,n=user,r=abc"}, // somebody took the binding out of the offer
		{false, true, "p=tls-server-end-point,,n=user,r=abc"},
		{true, true, "n,,n=user,r=abc"},
		{true, true, "p=tls-unique,,n=user,r=abc"},
		{false, false, "n,,n=user,r=" + strings.Repeat("x", scramMax)},
	} {
		s := &scram{plus: c.plus, offered: c.offered}
		if got, err := s.first([]byte(c.msg), Credential{}, randomNonce); err == nil {
			t.Errorf("%q was answered with %q", c.msg, got)
		}
	}
	s := &scram{}
	if _, err := s.first([]byte("y,,n=user,r=abc"), Credential{}, randomNonce); err != nil {
		t.Errorf("a client that could bind where the server cannot: %v", err)
	}
}

// oneUser is an authenticator with one user.
type oneUser struct {
	name string
	cred Credential
	who  Principal

	mu     sync.Mutex
	failed []string
}

func (o *oneUser) Credential(_ context.Context, user string, _ netip.Addr) (Credential, error) {
	if user == "locked" {
		return Credential{}, errors.New("too many failed sign-ins; wait a while")
	}
	c := o.cred
	if user != o.name {
		c.StoredKey = sha256.Sum256([]byte(user))
		c.Salt = hmac.New(sha256.New, []byte(user)).Sum(nil)[:16]
	}
	return c, nil
}

func (o *oneUser) SignIn(context.Context, string, netip.Addr, string) (Principal, error) {
	return o.who, nil
}

func (o *oneUser) Failed(_ context.Context, user string, _ netip.Addr, why string) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.failed = append(o.failed, user+": "+why)
}

func TestSignIn(t *testing.T) {
	var users *oneUser
	f := newFixture(t, 1, func(c *Config) {
		users = &oneUser{name: "tester", cred: credentialOf(t, "secret-of-tester", []byte("0123456789abcdef"), 4096), who: c.Open}
		c.Open, c.Authenticator = nil, users
	})
	ctx := context.Background()
	f.connect(t)
	for _, user := range []string{"tester", "nobody"} {
		_, err := pgx.Connect(ctx, "postgres://"+user+":wrong-password@"+f.addr+"/cairn?sslmode=disable")
		if e := codeIs(t, err, codeBadPassword); e.Message != `password authentication failed for user "`+user+`"` {
			t.Errorf("%s", e.Message)
		}
	}
	_, err := pgx.Connect(ctx, "postgres://locked:secret-of-tester@"+f.addr+"/cairn?sslmode=disable")
	codeIs(t, err, codeBadSignIn)
	users.mu.Lock()
	defer users.mu.Unlock()
	if len(users.failed) != 2 {
		t.Errorf("told of %q", users.failed)
	}
}
