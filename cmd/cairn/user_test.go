package main

import (
	"context"
	"encoding/json"
	"path/filepath"
	"strings"
	"testing"

	"github.com/cairndb/cairn/engine"
	"github.com/cairndb/cairn/server"
	"github.com/cairndb/cairn/server/auth"
)

// listedUser is a principal as --json shows it.
type listedUser struct {
	Name, Role, Password string
	Stores, Accounts     []string
	FirstPassword        bool
}

func userJSON(t *testing.T, args ...string) (u listedUser) {
	t.Helper()
	if err := json.Unmarshal([]byte(must(t, append(args, "--json")...)), &u); err != nil {
		t.Fatal(err)
	}
	return u
}

// TestUsersOfAClosedLake follows principals from their making to their end.
func TestUsersOfAClosedLake(t *testing.T) {
	lake := filepath.Join(t.TempDir(), "lake")
	must(t, "store", "create", "events", "--dir", lake)
	if got := must(t, "user", "list", "--dir", lake, "--json"); strings.TrimSpace(got) != "[]" {
		t.Errorf("a new lake has principals: %s", got)
	}
	anna := userJSON(t, "user", "add", "anna", "--role", "reader", "--stores", "Events", "--accounts", "111122223333,444455556666", "--dir", lake)
	if anna.Role != "reader" || len(anna.Stores) != 1 || anna.Stores[0] != "events" || len(anna.Accounts) != 2 || len(anna.Password) < 24 || !anna.FirstPassword {
		t.Errorf("added %+v", anna)
	}
	out, errOut, status := cairn(t, "correct horse battery staple\n", "user", "add", "shipper", "--role", "writer", "--stores", "events,later", "--password-stdin", "--dir", lake)
	if status != 0 || strings.Contains(out, "horse") || !strings.Contains(errOut, "no store called later yet") {
		t.Errorf("status %d: %s%s", status, out, errOut)
	}
	if got := must(t, "user", "list", "--dir", lake); !strings.Contains(got, "anna") || !strings.Contains(got, "111122223333, 444455556666") || !strings.Contains(got, "events, later") {
		t.Errorf("the list:\n%s", got)
	}
	if u := userJSON(t, "user", "grant", "ANNA", "--stores", "later", "--dir", lake); len(u.Stores) != 2 {
		t.Errorf("granted: %+v", u)
	}
	if u := userJSON(t, "user", "revoke", "anna", "--accounts", "*", "--dir", lake); len(u.Accounts) != 0 {
		t.Errorf("revoked: %+v", u)
	}
	if u := userJSON(t, "user", "rotate", "anna", "--dir", lake); u.Password == "" || u.Password == anna.Password || u.FirstPassword {
		t.Errorf("rotated: %+v", u)
	}
	if u := userJSON(t, "user", "show", "anna", "--dir", lake); u.Password != "" || u.Role != "reader" {
		t.Errorf("shown: %+v", u)
	}
	must(t, "user", "remove", "anna", "--dir", lake)

	// What was done is in the audit store, without passwords.
	got := must(t, "query", "SELECT eventJson FROM cairn_audit ORDER BY eventTime", "--dir", lake, "--format", "csv")
	for _, name := range []string{"CreatePrincipal", "GrantPrincipal", "RevokePrincipal", "RotatePassword", "RemovePrincipal"} {
		if !strings.Contains(got, name) {
			t.Errorf("cairn_audit has no %s", name)
		}
	}
	if strings.Contains(got, "horse") || strings.Contains(got, anna.Password) {
		t.Error("cairn_audit has a password")
	}
	if strings.Contains(got, `""role""`) && !strings.Contains(got, "OSUser") {
		t.Errorf("cairn_audit does not tell who did it: %s", got)
	}
}

// TestUserMistakes: what is wrong is said, with what to do, and nothing is changed.
func TestUserMistakes(t *testing.T) {
	lake := filepath.Join(t.TempDir(), "lake")
	must(t, "store", "create", "events", "--dir", lake)
	must(t, "user", "add", "root1", "--role", "admin", "--dir", lake)
	for _, c := range []struct {
		in     string
		args   []string
		status int
		says   string
	}{
		{"", []string{"add", "x"}, exitUsage, "--role"},
		{"", []string{"add", "x", "--role", "king"}, exitUsage, "admin, writer, reader"},
		{"", []string{"add", "a b", "--role", "reader"}, exitUsage, "letters and digits"},
		{"short\n", []string{"add", "x", "--role", "reader", "--password-stdin"}, exitUsage, "characters"},
		{"", []string{"add", "x", "--role", "reader", "--password-stdin"}, exitUsage, "no password"},
		{"", []string{"add", "x", "--role", "writer", "--accounts", "1"}, exitUsage, "only readers"},
		{"", []string{"add", "x", "--role", "reader", "--stores", "ev*"}, exitUsage, "patterns"},
		{"", []string{"add", "x", "--role", "reader", "--stores", "cairn_audit"}, exitUsage, "cairn_audit"},
		{"", []string{"add", "ROOT1", "--role", "reader"}, exitFailed, "already"},
		{"", []string{"grant", "root1"}, exitUsage, "nothing to grant"},
		{"", []string{"grant", "nobody", "--stores", "events"}, exitFailed, "no principal"},
		{"", []string{"show", "nobody"}, exitFailed, "cairn user list"},
		{"", []string{"revoke", "root1", "--stores", "events"}, exitUsage, "revoke * first"},
		{"", []string{"remove", "root1"}, exitFailed, "last admin"},
		{"", []string{"rotate", "nobody"}, exitFailed, "no principal"},
	} {
		_, errOut, status := cairn(t, c.in, append(append([]string{"user"}, c.args...), "--dir", lake)...)
		if status != c.status || !strings.Contains(errOut, c.says) {
			t.Errorf("cairn user %s: status %d, want %d with %q: %s", strings.Join(c.args, " "), status, c.status, c.says, errOut)
		}
	}
	if got := must(t, "user", "list", "--dir", lake); strings.Count(got, "\n") != 3 {
		t.Errorf("the list after mistakes:\n%s", got)
	}
	if _, errOut, status := cairn(t, "", "user", "list", "--dir", filepath.Join(lake, "none")); status != exitFailed || errOut == "" {
		t.Errorf("a lake that there is not: status %d %s", status, errOut)
	}
}

// TestUsersOfAServer does at a running server what TestUsersOfAClosedLake does.
func TestUsersOfAServer(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "lake")
	lake, err := engine.Open(dir, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer lake.Close()
	ctx, stop := context.WithCancel(context.Background())
	principals, first, err := server.OpenPrincipals(ctx, lake, nil)
	if err != nil || first == nil {
		t.Fatal(first, err)
	}
	s, err := server.New(lake, server.Config{PG: "127.0.0.1:0", HTTP: server.Off, Authenticator: principals})
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan error, 1)
	go func() { done <- s.Serve(ctx) }()
	defer func() {
		stop()
		if err := <-done; err != nil {
			t.Error(err)
		}
	}()
	at := s.Addr()
	if _, errOut, status := cairn(t, "", "user", "list", "--server", at); status != exitUsage || !strings.Contains(errOut, passwordEnv) {
		t.Errorf("without a password: status %d %s", status, errOut)
	}
	t.Setenv(passwordEnv, "wrong")
	if _, errOut, status := cairn(t, "", "user", "list", "--server", at); status != exitFailed || !strings.Contains(errOut, "password authentication failed") {
		t.Errorf("with a wrong password: status %d %s", status, errOut)
	}
	t.Setenv(passwordEnv, first.Password)
	if _, errOut, status := cairn(t, "", "user", "list", "--dir", dir); status != exitFailed || !strings.Contains(errOut, "--server") {
		t.Errorf("a lake that is served: status %d %s", status, errOut)
	}
	if _, errOut, status := cairn(t, "", "user", "list", "--dir", dir, "--server", at); status != exitUsage || !strings.Contains(errOut, "not both") {
		t.Errorf("both: status %d %s", status, errOut)
	}
	anna := userJSON(t, "user", "add", "anna@example.com", "--role", "reader", "--stores", "events", "--accounts", "111122223333", "--server", at)
	if anna.Role != "reader" || len(anna.Stores) != 1 || len(anna.Accounts) != 1 || len(anna.Password) < 24 {
		t.Errorf("added %+v", anna)
	}
	if u := userJSON(t, "user", "grant", "anna@example.com", "--stores", "it's,*", "--server", at); len(u.Stores) != 1 || u.Stores[0] != "*" {
		t.Errorf("granted: %+v", u)
	}
	if u := userJSON(t, "user", "revoke", "anna@example.com", "--accounts", "*", "--server", at); len(u.Accounts) != 0 {
		t.Errorf("revoked: %+v", u)
	}
	if _, errOut, status := cairn(t, "", "user", "add", "ben", "--role", "reader", "--stores", "nowhere,it's", "--server", at); status != 0 || !strings.Contains(errOut, "no store called it's, nor nowhere yet") {
		t.Errorf("a store that there is not: status %d %s", status, errOut)
	}
	if u := userJSON(t, "user", "rotate", "admin", "--server", "admin@"+at); u.Password == "" || u.FirstPassword {
		t.Errorf("rotated: %+v", u)
	} else {
		t.Setenv(passwordEnv, u.Password)
	}
	for _, c := range []struct {
		args   []string
		status int
		says   string
	}{
		{[]string{"add", "x", "--role", "writer", "--accounts", "1"}, exitUsage, "only readers"},
		{[]string{"add", "ADMIN", "--role", "reader"}, exitFailed, "already"},
		{[]string{"remove", "admin"}, exitFailed, "last admin"},
		{[]string{"grant", "nobody", "--stores", "x"}, exitFailed, "no principal"},
	} {
		_, errOut, status := cairn(t, "", append(append([]string{"user"}, c.args...), "--server", at)...)
		if status != c.status || !strings.Contains(errOut, c.says) {
			t.Errorf("cairn user %s: status %d, want %d with %q: %s", strings.Join(c.args, " "), status, c.status, c.says, errOut)
		}
	}
	must(t, "user", "remove", "anna@example.com", "--server", at)
	must(t, "user", "remove", "ben", "--server", at)
	list, err := lake.Principals(ctx)
	if err != nil || len(list) != 1 || list[0].Name != auth.BootstrapName {
		t.Errorf("%d principals are left, %v", len(list), err)
	}
}
