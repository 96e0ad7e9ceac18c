package server_test

import (
	"context"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5"

	"github.com/cairndb/cairn/server/auth"
)

// TestUsersOverTheWire follows a principal from its making to its end, in SQL.
func TestUsersOverTheWire(t *testing.T) {
	f := newFixture(t, nil)
	ctx := context.Background()
	ada := f.connect("ada")
	var name, made string
	if err := ada.QueryRow(ctx, `CREATE USER "new.one" ROLE reader STORES (events, "billing") ACCOUNTS ('`+mine+`')`, pgx.QueryExecModeSimpleProtocol).Scan(&name, &made); err != nil || name != "new.one" || len(made) < 24 {
		t.Fatalf("%s %s %v", name, made, err)
	}
	one, err := pgx.Connect(ctx, f.dsn("new.one", made))
	if err != nil {
		t.Fatal(err)
	}
	defer one.Close(ctx)
	count := func(c *pgx.Conn, from string) (n int, err error) {
		err = c.QueryRow(ctx, "SELECT count(*) FROM "+from).Scan(&n)
		return n, err
	}
	if n, err := count(one, "events"); n != 100 || err != nil {
		t.Errorf("a reader of one account counts %d, %v", n, err)
	}
	exec := func(c *pgx.Conn, text string) error {
		_, err := c.Exec(ctx, text, pgx.QueryExecModeSimpleProtocol)
		return err
	}
	must := func(text string) {
		t.Helper()
		if err := exec(ada, text); err != nil {
			t.Fatalf("%s: %v", text, err)
		}
	}
	must(`GRANT ACCOUNTS ('` + theirs + `') STORES (secret) TO "new.one"`)
	if n, err := count(one, "secret"); n != 300 || err != nil {
		t.Errorf("after a grant an open session counts %d, %v", n, err)
	}
	must(`REVOKE STORES (secret) FROM "new.one"`)
	if _, err := count(one, "secret"); codeOf(err) != "42P01" {
		t.Errorf("after it was revoked: %v", err)
	}
	// What psql's \password sends, with a verifier that it has made.
	verifier, err := auth.MakeVerifier(strings.NewReader(strings.Repeat("salt", 10)), "another long password")
	if err != nil {
		t.Fatal(err)
	}
	if err := exec(one, `ALTER USER "new.one" PASSWORD '`+auth.FormatVerifier(verifier)+`'`); err != nil {
		t.Errorf("one's own password: %v", err)
	}
	if err := exec(one, `ALTER USER ada PASSWORD 'the password of somebody'`); codeOf(err) != "42501" {
		t.Errorf("the password of somebody else: %v", err)
	}
	if again, err := pgx.Connect(ctx, f.dsn("new.one", "another long password")); err != nil {
		t.Error(err)
	} else {
		again.Close(ctx)
	}
	if _, err := pgx.Connect(ctx, f.dsn("new.one", made)); codeOf(err) != "28P01" {
		t.Errorf("with the old password: %v", err)
	}
	rows, err := ada.Query(ctx, "SHOW USERS")
	if err != nil {
		t.Fatal(err)
	}
	list, err := pgx.CollectRows(rows, pgx.RowToMap)
	if err != nil || len(list) != len(fixturePrincipals)+1 {
		t.Fatalf("%v, %v", list, err)
	}
	for _, x := range list {
		if x["name"] == "new.one" && (x["stores"] != `["billing","events"]` || x["accounts"] != `["`+mine+`","`+theirs+`"]` || x["first_password"] != "off" || x["role"] != "reader") {
			t.Errorf("shown as %v", x)
		}
	}

	// Open transactions, cursors and channels do not outlive what was granted.
	if err := exec(one, "BEGIN"); err != nil {
		t.Fatal(err)
	}
	if n, err := count(one, "events"); n != 300 || err != nil {
		t.Fatal(n, err)
	}
	must(`REVOKE ACCOUNTS ('` + theirs + `') FROM "new.one"`)
	if n, err := count(one, "events"); codeOf(err) != "42501" {
		t.Errorf("in a transaction that began before a revocation: %d, %v", n, err)
	}
	if err := exec(one, "ROLLBACK"); err != nil {
		t.Fatal(err)
	}
	if n, err := count(one, "events"); n != 100 || err != nil {
		t.Errorf("after it: %d, %v", n, err)
	}
	must(`DROP USER "new.one"`)
	if _, err := count(one, "events"); codeOf(err) != "42501" {
		t.Errorf("the session of somebody who was removed: %v", err)
	}

	// All of it is in the audit store, with who and from where, without secrets.
	rows, err = ada.Query(ctx, `SELECT eventJson FROM cairn_audit`)
	if err != nil {
		t.Fatal(err)
	}
	acts, err := pgx.CollectRows(rows, pgx.RowTo[string])
	if err != nil {
		t.Fatal(err)
	}
	all := strings.Join(acts, "\n")
	for _, want := range []string{"CreatePrincipal", "GrantPrincipal", "RevokePrincipal", "RotatePassword", "RemovePrincipal", "SignIn", "SignInFailed", `"sourceIPAddress":"127.0.0.1"`, `"principalId":"ada"`} {
		if !strings.Contains(all, want) {
			t.Errorf("the audit store has no %s", want)
		}
	}
	for _, secret := range []string{made, "another long password", "SCRAM-SHA-256$", password} {
		if strings.Contains(all, secret) || strings.Contains(f.log.String(), secret) {
			t.Errorf("the audit store or the log has %s", secret)
		}
	}
}

// TestUserStatementsThatAreWrong says what is wrong with what code, and changes nothing.
func TestUserStatementsThatAreWrong(t *testing.T) {
	f := newFixture(t, nil)
	ctx := context.Background()
	ada := f.connect("ada")
	for _, c := range []struct{ text, code, says string }{
		{"CREATE USER x", "22023", "a role is needed"},
		{"CREATE USER x ROLE king", "22023", "admin, writer, reader"},
		{"CREATE USER x ROLE reader PASSWORD 'short'", "22023", "characters"},
		{"CREATE USER x ROLE reader PASSWORD ''", "22023", "empty"},
		{"CREATE USER x ROLE reader STORES ()", "42601", "syntax"},
		{"CREATE USER x ROLE reader SUPERUSER", "42601", "syntax"},
		{"CREATE USER ada ROLE reader", "42710", "already"},
		{"CREATE USER x ROLE reader STORES (cairn_audit)", "22023", "cairn_audit"},
		{"ALTER USER nobody PASSWORD 'a long enough password'", "42P01", "no principal"},
		{"ALTER USER ada", "42601", "syntax"},
		{"DROP USER nobody", "42P01", "no principal"},
		{"DROP USER ada", "42501", "last admin"},
		{"GRANT SELECT ON events TO rea", "42501", "privileges"},
		{"GRANT ROLE reader TO ada", "42501", "last admin"},
		{"REVOKE STORES (secret) FROM rea", "42P01", "no store"},
		{"REVOKE ROLE reader FROM rea", "22023", "grant another one"},
		{"CREATE TABLE x (a int)", "25006", "event data stores"},
	} {
		_, err := ada.Exec(ctx, c.text, pgx.QueryExecModeSimpleProtocol)
		if codeOf(err) != c.code || !strings.Contains(err.Error(), c.says) {
			t.Errorf("%s: %v, want %s with %q", c.text, err, c.code, c.says)
		}
	}
	list, err := f.users.List(ctx, auth.Superuser("test"))
	if err != nil || len(list) != len(fixturePrincipals) {
		t.Errorf("%d principals, %v", len(list), err)
	}
}
