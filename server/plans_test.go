package server_test

import (
	"context"
	"testing"

	"github.com/jackc/pgx/v5"
)

// TestPreparedStatementsFollowChanges: what a session has prepared, and what the server
// remembers of texts, never answers from how things were: not with a store, an account
// or a setting that is another now.
func TestPreparedStatementsFollowChanges(t *testing.T) {
	f := newFixture(t, nil)
	ctx := context.Background()
	ada, rea, lim := f.connect("ada"), f.connect("rea"), f.connect("lim")
	// The same text, which is remembered once, by all three and in three ways of sending it.
	ask := func(c *pgx.Conn, text string, args ...any) string {
		t.Helper()
		var first string
		for k, mode := range []pgx.QueryExecMode{pgx.QueryExecModeCacheStatement, pgx.QueryExecModeExec, pgx.QueryExecModeSimpleProtocol} {
			var got string
			if err := c.QueryRow(ctx, text, append([]any{mode}, args...)...).Scan(&got); err != nil {
				got = codeOf(err)
			}
			if k == 0 {
				first = got
			} else if got != first {
				t.Errorf("%s gives %s in mode %s, %s else", text, got, mode, first)
			}
		}
		return first
	}
	want := func(c *pgx.Conn, what, text, want string) {
		t.Helper()
		if got := ask(c, text); got != want {
			t.Errorf("%s: %s gives %s, want %s", what, text, got, want)
		}
	}
	do := func(c *pgx.Conn, text string) {
		t.Helper()
		if _, err := c.Exec(ctx, text); err != nil {
			t.Fatalf("%s: %v", text, err)
		}
	}
	const events, billing, later = "SELECT count(*)::text FROM events", "SELECT count(*)::text FROM billing", "SELECT count(*)::text FROM later"
	for range 2 {
		want(ada, "everything", events, "300")
		want(rea, "all accounts", events, "300")
		want(lim, "one account", events, "100")
		want(rea, "not granted", billing, "42P01")
		want(ada, "not made", later, "42P01")
	}
	do(ada, "GRANT STORES (billing) TO rea")
	want(rea, "granted", billing, "300")
	want(lim, "granted to somebody else", billing, "42P01")
	do(ada, "REVOKE STORES (billing) FROM rea")
	want(rea, "taken away", billing, "42P01")

	if _, err := f.lake.CreateStore(ctx, "later"); err != nil {
		t.Fatal(err)
	}
	want(ada, "made", later, "0")
	want(rea, "made, not granted", later, "42P01")
	if _, err := f.lake.AppendTo(ctx, "later", [][]byte{event(9000, mine)}); err != nil {
		t.Fatal(err)
	}
	want(ada, "filled", later, "1")
	if err := f.lake.DeleteStore(ctx, "later", false); err != nil {
		t.Fatal(err)
	}
	if got := ask(ada, later); len(got) != 5 {
		t.Errorf("a deleted store gives %s", got)
	}

	do(ada, "SET TimeZone = 'UTC'")
	want(ada, "set", "SELECT current_timezone()", "UTC")
	do(ada, "SET TimeZone = 'Asia/Tokyo'")
	want(ada, "set anew", "SELECT current_timezone()", "Asia/Tokyo")
	want(rea, "set by somebody else", "SELECT current_timezone()", "UTC")
}
