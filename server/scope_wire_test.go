package server_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
)

// TestScopeOverTheWire lets a reader of one account ask a server in every way that the
// protocol has: nothing that it hears is of another account or store.
func TestScopeOverTheWire(t *testing.T) {
	f := newFixture(t, nil)
	ctx := context.Background()
	lim := f.connect("lim")
	clean := func(what, text string) {
		t.Helper()
		for _, foreign := range []string{theirs, "44445555-", "secret", "billing", "cairn_audit"} {
			if strings.Contains(text, foreign) {
				t.Errorf("%s has %q: %.300s", what, foreign, text)
			}
		}
	}
	ask := func(text string) string {
		t.Helper()
		var b strings.Builder
		results, err := lim.PgConn().Exec(ctx, text).ReadAll()
		for _, r := range results {
			for _, row := range r.Rows {
				fmt.Fprintf(&b, "%s\n", bytes.Join(row, []byte("|")))
			}
		}
		if err != nil {
			fmt.Fprintf(&b, "%+v", *asError(t, err))
		}
		return b.String()
	}
	const mineOf = 100 // of the 300 events
	for _, c := range []struct{ text, want string }{
		{"SELECT count(*) FROM events", "100"},
		{"SELECT count(*) FROM events WHERE recipientAccountId = '" + theirs + "'", "0"},
		{"SELECT min(recipientAccountId) || max(recipientAccountId) FROM events", mine + mine},
		{"SELECT reltuples::bigint FROM pg_class WHERE relname = 'events'", "100"},
		{"SELECT count(*) FROM pg_class WHERE relname IN ('secret', 'billing', 'cairn_audit')", "0"},
		{"SELECT count(*) FROM information_schema.tables WHERE table_name IN ('secret', 'billing', 'cairn_audit')", "0"},
		{"SELECT to_regclass('secret') IS NULL", "t"},
		{"SELECT sum(n_live_tup), count(*) FROM pg_stat_user_tables", "100|1"},
		{"SELECT has_table_privilege('events', 'SELECT'), has_table_privilege('lim', 'events', 'INSERT'), has_column_privilege('events', 'eventid', 'SELECT')", "t|f|t"},
		{"SELECT has_table_privilege(1::oid, 'SELECT') IS NULL", "t"},
		{"SELECT table_name FROM information_schema.table_privileges WHERE table_schema = 'public' AND table_name NOT LIKE '%\\_per\\_%' ESCAPE '\\'", "events"},
		{"SELECT sum(calls) FROM calls_per_day", "100"},
		{"SELECT count(*) FROM (SELECT recipientAccountId FROM events GROUP BY 1) q", "1"},
		{"SELECT approx_distinct(recipientAccountId), count(DISTINCT sourceIPAddress) < 200 FROM events", "1|t"},
		{"BEGIN; DECLARE c CURSOR WITH HOLD FOR SELECT count(*) FROM events; COMMIT; FETCH ALL FROM c; CLOSE c", "100"},
		{"EXECUTE p ('" + theirs + "')", "0"},
		{"BEGIN; DECLARE c CURSOR FOR SELECT count(*) FROM events; FETCH ALL FROM c; COMMIT", "100"},
	} {
		if strings.HasPrefix(c.text, "EXECUTE") {
			ask("PREPARE p (text) AS SELECT count(*) FROM events WHERE requestParameters['bucketName'] = 'bucket-of-' || $1")
		}
		if got := strings.TrimSpace(ask(c.text)); got != c.want {
			t.Errorf("%s gives %q, want %q", c.text, got, c.want)
		}
	}
	for _, text := range []string{
		"SELECT * FROM events", "SELECT DISTINCT userIdentity.userName, sourceIPAddress FROM events", "SHOW TABLES", "SHOW COLUMNS FROM events",
		"EXPLAIN SELECT * FROM events WHERE sourceIPAddress > '10.0.4'", "EXPLAIN ANALYZE SELECT count(*) FROM events GROUP BY eventID",
		"SELECT * FROM secrat", "SELECT * FROM secre", "SELECT * FROM bill", "SELECT * FROM events_", "SELECT 'x'::regclass",
		"SELECT CAST(userIdentity.userName AS bigint) FROM events", "SELECT (SELECT eventID FROM events)",
		"SELECT * FROM pg_stat_user_tables", "SELECT * FROM pg_views",
		"EXPLAIN ANALYZE SELECT * FROM events WHERE recipientAccountId = '" + mine + "' ORDER BY eventTime LIMIT 3", "EXPLAIN ANALYZE SELECT sum(calls) FROM calls_per_day",
		"SELECT * FROM calls_per_day", "SELECT * FROM principals_per_day", "SELECT 1 / (length(eventName) - length(eventName)) FROM events", "SELECT json_parse(eventName) FROM events",
		"SELECT * FROM pg_class", "SELECT * FROM pg_attribute", "SELECT * FROM pg_stats", "SELECT * FROM pg_roles", "SELECT * FROM pg_stat_activity",
		"SELECT * FROM information_schema.tables", "SELECT * FROM information_schema.columns", "SHOW ALL",
		"BEGIN; DECLARE c CURSOR FOR SELECT eventJson FROM events ORDER BY eventTime; FETCH 50 FROM c; MOVE 10 FROM c; FETCH ALL FROM c; COMMIT",
	} {
		clean(text, ask(text))
	}
	for _, format := range []string{"csv, HEADER", "text", "binary", "json"} {
		var out bytes.Buffer
		if _, err := lim.PgConn().CopyTo(ctx, &out, "COPY (SELECT eventJson FROM events) TO STDOUT (FORMAT "+format+")"); err != nil {
			t.Errorf("COPY %s: %v", format, err)
		}
		clean("COPY "+format, out.String())
		if n := strings.Count(out.String(), "bucket-of-"+mine); n != mineOf {
			t.Errorf("COPY %s has %d events of the reader, not %d", format, n, mineOf)
		}
	}
	for _, store := range []string{"secret", "billing", "cairn_audit", "none"} {
		var out bytes.Buffer
		_, err := lim.PgConn().CopyTo(ctx, &out, "COPY "+store+" TO STDOUT")
		if codeOf(err) != "42P01" || out.Len() > 0 {
			t.Errorf("COPY %s: %v", store, err)
		}
		for _, text := range []string{"LISTEN %s", "SELECT * FROM %s", "COPY (SELECT eventID FROM %s) TO STDOUT", "EXPLAIN SELECT * FROM %s", "SHOW COLUMNS FROM %s", "SELECT '%s'::regclass",
			"SELECT has_table_privilege('%s', 'SELECT')", "SELECT has_any_column_privilege('lim', '%s', 'SELECT')", "SELECT has_column_privilege('%s', 'eventid', 'SELECT')",
			"SELECT to_regclass('%s')", "SELECT pg_relation_size('%s')", "DECLARE c CURSOR WITH HOLD FOR SELECT * FROM %s", "PREPARE q AS SELECT * FROM %s"} {
			err1 := strings.ReplaceAll(ask(fmt.Sprintf(text, store)), store, "none")
			if err2 := ask(fmt.Sprintf(text, "none")); err1 != err2 {
				t.Errorf("%s of %s: %s; of a store that there is not: %s", text, store, err1, err2)
			}
		}
	}

	// LISTEN tells of events of the reader's account only.
	if _, err := lim.Exec(ctx, "LISTEN events"); err != nil {
		t.Fatal(err)
	}
	wim := f.connect("wim")
	for i := range 10 {
		account := theirs
		if i%2 == 1 {
			account = mine
		}
		line := append(bytes.ReplaceAll(event(1000+i, account), []byte(`"`), []byte(`"`)), '\n')
		if _, err := wim.PgConn().CopyFrom(ctx, bytes.NewReader(line), "COPY events FROM STDIN (FORMAT json)"); err != nil {
			t.Fatal(err)
		}
	}
	wait, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	for range 5 {
		n, err := lim.WaitForNotification(wait)
		if err != nil {
			t.Fatal(err)
		}
		clean("a notification", n.Payload)
	}
	// A writer reads nothing, and HTTP tells a reader nothing of the stores.
	for _, text := range []string{"SELECT count(*) FROM events", "COPY events TO STDOUT", "LISTEN events"} {
		if _, err := wim.Exec(ctx, text, pgx.QueryExecModeSimpleProtocol); codeOf(err) != "42P01" && codeOf(err) != "42501" {
			t.Errorf("a writer, %s: %v", text, err)
		}
	}
	if _, err := lim.PgConn().CopyFrom(ctx, bytes.NewReader(event(1, mine)), "COPY events FROM STDIN (FORMAT json)"); codeOf(err) != "42501" {
		t.Errorf("a reader appends: %v", err)
	}
	for _, user := range []string{"", "lim"} {
		status, body := f.get("/metrics", user, password)
		if status == http.StatusOK {
			t.Errorf("figures for %q: %.100s", user, body)
		}
		clean("the refusal of figures", body)
	}
}

// asError is an error of the server, or fails the test.
func asError(t *testing.T, err error) *pgconn.PgError {
	t.Helper()
	var e *pgconn.PgError
	if !errors.As(err, &e) {
		t.Fatalf("no error of the server: %v", err)
	}
	return e
}
