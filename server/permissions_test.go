package server_test

import (
	"bytes"
	"context"
	"flag"
	"fmt"
	"net/http"
	"os"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5"

	"github.com/cairndb/cairn/engine"
	"github.com/cairndb/cairn/server"
	"github.com/cairndb/cairn/server/auth"
	"github.com/cairndb/cairn/server/pg"
)

var rewrite = flag.Bool("rewrite", false, "write PERMISSIONS.md anew")

// before are statements that make an example possible.
var before = map[string][]string{
	"SAVEPOINT":   {"BEGIN"},
	"RELEASE":     {"BEGIN", "SAVEPOINT a"},
	"ROLLBACK TO": {"BEGIN", "SAVEPOINT a"},
	"EXECUTE":     {"PREPARE p AS SELECT 1"},
	"FETCH":       {"BEGIN", "DECLARE c CURSOR FOR SELECT 1"},
	"MOVE":        {"BEGIN", "DECLARE c CURSOR FOR SELECT 1"},
	"CLOSE":       {"BEGIN", "DECLARE c CURSOR FOR SELECT 1"},
}

// matrixRoles are the columns of the page, each with a principal of the fixture.
var matrixRoles = []struct{ role, name string }{{"admin", "ada"}, {"writer", "wim"}, {"reader", "rea"}, {"auditor", "aud"}}

// TestPermissions runs an example of every kind of statement, of every route and of every
// operation for AWS clients for every role, holds what happens against the rules, and the rules against PERMISSIONS.md:
//
//	go test ./server -run Permissions -rewrite
//
// A kind of statement, a route or an operation without a rule fails here, and is answered to nobody.
func TestPermissions(t *testing.T) {
	f := newFixture(t, nil)
	ctx := context.Background()
	who := map[string]*auth.Principal{}
	for _, p := range fixturePrincipals {
		role, err := auth.ParseRole(p.g.Role)
		if err != nil {
			t.Fatal(err)
		}
		stores := p.g.Stores
		if role == engine.RoleAdmin || role == engine.RoleAuditor {
			stores = []string{engine.All}
		}
		who[p.name] = &auth.Principal{Name: p.name, Role: role, Stores: stores, Accounts: []string{engine.All}}
	}
	var page strings.Builder
	page.WriteString(`# Who may do what

Made by ` + "`go test ./server -run Permissions -rewrite`" + ` from the registries of statements (server/pg/rules.go), of
routes (server/routes.go) and of operations for AWS clients (server/api/operations.go); the test runs each example
as each role against a server. "stores" stands for the stores that the principal was granted: others do not exist for it. A reader with accounts sees the events of those accounts only.
` + "`cairn user … --server`" + ` runs the statements about users.

| statement | example | admin | writer | reader | auditor |
|---|---|---|---|---|---|
`)
	rules := pg.Rules()
	rules = append(rules, pg.Rule{Kind: "ALTER USER, somebody else", Example: "ALTER USER example PASSWORD", Action: auth.ManageUsers},
		pg.Rule{Kind: "WITH of a change", Example: "WITH d AS (DELETE FROM events RETURNING *) SELECT * FROM d", Action: auth.ChangeEvents},
		pg.Rule{Kind: "EXPLAIN of a change", Example: "EXPLAIN ANALYZE UPDATE events SET eventName = 'x'", Action: auth.ChangeEvents},
		pg.Rule{Kind: "SELECT INTO", Example: "SELECT * INTO copied FROM events", Action: auth.ChangeEvents},
		pg.Rule{Kind: "SELECT from cairn_audit", Example: "SELECT count(*) FROM cairn_audit", Action: auth.SeeAudit})
	conns := map[string]*pgx.Conn{}
	for _, m := range matrixRoles {
		conns[m.name] = f.connect(m.name)
	}
	seen := map[string]bool{}
	for _, rule := range rules {
		if rule.Kind == "" || rule.Example == "" || rule.Action == 0 || seen[rule.Kind] {
			t.Errorf("a kind of statement has no rule, or two: %+v", rule)
			continue
		}
		seen[rule.Kind] = true
		fmt.Fprintf(&page, "| %s | `%s` |", rule.Kind, rule.Example)
		for _, m := range matrixRoles {
			p := who[m.name]
			ofStore := rule.Stores != 0 && strings.Contains(rule.Example, "events")
			may := p.May(rule.Action) == nil
			allowed := may && (!ofStore || p.MayIn(rule.Stores, "events") == nil)
			code := f.runExample(ctx, conns[m.name], m.name, rule)
			switch {
			case allowed && code != "":
				t.Errorf("%s, %s: refused with %s, the rule allows it", rule.Example, m.role, code)
			case !may && rule.Action == auth.SeeAudit && code != "42P01": // it does not exist
				t.Errorf("%s, %s: %q", rule.Example, m.role, code)
			case !may && rule.Action != auth.SeeAudit && code != "42501" && !(rule.Action == auth.ChangeEvents && code == "25006"):
				t.Errorf("%s, %s: %q, the rule refuses it", rule.Example, m.role, code)
			case may && !allowed && code != "42501" && code != "42P01":
				t.Errorf("%s, %s: %q, the store may not be read", rule.Example, m.role, code)
			}
			cell := "no"
			switch {
			case allowed && (rule.Stores != 0):
				cell = "stores"
			case allowed:
				cell = "yes"
			}
			fmt.Fprintf(&page, " %s |", cell)
		}
		page.WriteByte('\n')
	}

	page.WriteString("\n| route | stranger | admin | writer | reader | auditor |\n|---|---|---|---|---|---|\n")
	for _, route := range server.Routes() {
		if route.Action == 0 {
			t.Errorf("route %s has no rule", route.Pattern)
		}
		fmt.Fprintf(&page, "| %s |", route.Pattern)
		method, path, _ := strings.Cut(route.Pattern, " ")
		if route.Signed {
			// Without a signature nobody is answered, whatever their password; what the roles may do with
			// one is the list of operations.
			for _, user := range []string{"", "ada"} {
				status, body := f.request(method, strings.TrimSuffix(path, "{$}"), user, password)
				if status != http.StatusForbidden && status != http.StatusBadRequest && status != http.StatusNotFound {
					t.Errorf("%s, %q, unsigned: status %d: %.200s", route.Pattern, user, status, body)
				}
			}
			page.WriteString(" no | by the operation | by the operation | by the operation | by the operation |\n")
			continue
		}
		for _, m := range append([]struct{ role, name string }{{"stranger", ""}}, matrixRoles...) {
			var p *auth.Principal
			if m.name != "" {
				p = who[m.name]
			}
			allowed := p.May(route.Action) == nil
			status, body := f.get(path, m.name, password)
			want := map[bool]int{true: http.StatusOK, false: http.StatusForbidden}[allowed]
			if !allowed && p == nil {
				want = http.StatusUnauthorized
			}
			if status != want {
				t.Errorf("%s, %s: status %d, want %d: %.100s", route.Pattern, m.role, status, want, body)
			}
			fmt.Fprintf(&page, " %s |", map[bool]string{true: "yes", false: "no"}[allowed])
		}
		page.WriteByte('\n')
	}
	if status, _ := f.get("/metrics", "ada", "wrong"); status != http.StatusUnauthorized {
		t.Errorf("a wrong password: status %d", status)
	}
	if status, _ := f.get("/nothing", "ada", password); status != http.StatusNotFound {
		t.Errorf("a route that there is not: status %d", status)
	}

	page.WriteString(apiRules(t, f, who))

	page.WriteString("\n| action | admin | writer | reader | auditor |\n|---|---|---|---|---|\n")
	for _, a := range auth.Actions() {
		fmt.Fprintf(&page, "| %v |", a)
		for _, m := range matrixRoles {
			fmt.Fprintf(&page, " %s |", map[bool]string{true: "yes", false: "no"}[who[m.name].May(a) == nil])
		}
		page.WriteByte('\n')
	}
	if *rewrite {
		if err := os.WriteFile("PERMISSIONS.md", []byte(page.String()), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	have, err := os.ReadFile("PERMISSIONS.md")
	if err != nil || string(have) != page.String() {
		t.Errorf("PERMISSIONS.md is not what the rules are (%v): go test ./server -run Permissions -rewrite", err)
	}
}

// runExample runs the example of a rule as a principal, and returns the SQLSTATE.
func (f *fixture) runExample(ctx context.Context, c *pgx.Conn, name string, rule pg.Rule) string {
	f.t.Helper()
	root := auth.Superuser("test")
	if rule.Kind == "CREATE USER" {
		_ = f.users.Remove(ctx, root, auth.Origin{}, "example") // if it is there
	} else if _, err := f.lake.Principal(ctx, "example"); err != nil {
		if _, err := f.users.Add(ctx, root, auth.Origin{}, "example", auth.Grants{Role: "reader", Stores: []string{"events"}}, ""); err != nil {
			f.t.Fatal(err)
		}
	}
	if rule.Kind == "REVOKE" {
		if err := f.users.Grant(ctx, root, auth.Origin{}, "example", auth.Grants{Stores: []string{"events"}}); err != nil {
			f.t.Fatal(err)
		}
	}
	text := rule.Example
	if rule.Kind == "ALTER USER" {
		v, err := auth.MakeVerifier(nil, password)
		if err != nil {
			f.t.Fatal(err)
		}
		text = "ALTER USER " + name + " PASSWORD '" + auth.FormatVerifier(v) + "'"
	}
	exec := func(text string) error {
		_, err := c.PgConn().Exec(ctx, text).ReadAll()
		return err
	}
	defer func() {
		if err := exec("ROLLBACK"); err != nil {
			f.t.Fatal(err)
		}
		if err := exec("DISCARD ALL"); err != nil {
			f.t.Fatal(err)
		}
	}()
	for _, b := range before[rule.Kind] {
		if err := exec(b); err != nil {
			f.t.Fatalf("%s: %v", b, err)
		}
	}
	if rule.Kind == "COPY FROM" {
		_, err := c.PgConn().CopyFrom(ctx, bytes.NewReader(nil), text)
		return codeOf(err)
	}
	return codeOf(exec(text))
}
