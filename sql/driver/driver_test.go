package driver_test

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"path/filepath"
	"reflect"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/cairndb/cairn/engine"
	"github.com/cairndb/cairn/server"
	"github.com/cairndb/cairn/server/auth"
	"github.com/cairndb/cairn/sql/driver"
	"github.com/cairndb/cairn/sql/sqlerr"
)

// event is event i of a lake.
func event(i int) []byte {
	return fmt.Appendf(nil, `{"eventVersion":"1.08","eventTime":"2026-01-02T10:%02d:00Z","eventID":"00000000-0000-4000-8000-%012d","eventSource":"s3.amazonaws.com",`+
		`"eventName":"%s","awsRegion":"eu-west-1","sourceIPAddress":"10.0.0.1","recipientAccountId":"111122223333","eventType":"AwsApiCall","eventCategory":"Management",`+
		`"userIdentity":{"type":"IAMUser"},"requestParameters":{"bucketName":"b%d"},"readOnly":%t}`, i%60, i, []string{"GetObject", "PutObject"}[i%2], i%5, i%2 == 0)
}

const events = 100

// fill makes a lake of a hundred events in a directory.
func fill(t testing.TB) string {
	t.Helper()
	dir := filepath.Join(t.TempDir(), "lake")
	lake, err := engine.Open(dir, &engine.Options{DigestInterval: -1})
	if err != nil {
		t.Fatal(err)
	}
	store, err := lake.CreateStore(context.Background(), "events")
	if err != nil {
		t.Fatal(err)
	}
	appendEvents(t, store, 0, events)
	if err := lake.Close(); err != nil {
		t.Fatal(err)
	}
	return dir
}

func appendEvents(t testing.TB, store *engine.Store, from, to int) {
	t.Helper()
	var records [][]byte
	for i := from; i < to; i++ {
		records = append(records, event(i))
	}
	if _, err := store.Append(context.Background(), records); err != nil {
		t.Fatal(err)
	}
}

const password = "correct horse battery staple"

// source is a way to reach a lake of the test.
type source struct {
	name string
	db   *sql.DB
	lake *engine.Lake // for appending meanwhile
}

// sources opens a lake in-process, and another one with the same events at a server.
func sources(t *testing.T) []source {
	t.Helper()
	open := func() *engine.Lake {
		lake, err := engine.Open(fill(t), &engine.Options{DigestInterval: -1})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { lake.Close() })
		return lake
	}
	here, there := open(), open()
	local := sql.OpenDB(driver.NewConnector(here))
	t.Cleanup(func() { local.Close() })
	remote, err := sql.Open("cairn", serve(t, there))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { remote.Close() })
	return []source{{"in-process", local, here}, {"server", remote, there}}
}

// serve serves a lake and returns the name to open it by.
func serve(t *testing.T, lake *engine.Lake) string {
	t.Helper()
	ctx, stop := context.WithCancel(context.Background())
	users, err := auth.Open(ctx, lake, auth.Options{})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := users.Add(ctx, auth.Superuser("test"), auth.Origin{}, "ada", auth.Grants{Role: "admin"}, password); err != nil {
		t.Fatal(err)
	}
	principals, _, err := server.OpenPrincipals(ctx, lake, nil)
	if err != nil {
		t.Fatal(err)
	}
	s, err := server.New(lake, server.Config{PG: "127.0.0.1:0", HTTP: server.Off, Authenticator: principals, ShutdownTime: 5 * time.Second})
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan error, 1)
	go func() { done <- s.Serve(ctx) }()
	t.Cleanup(func() {
		stop()
		if err := <-done; err != nil {
			t.Error(err)
		}
	})
	return "cairn://ada:" + strings.ReplaceAll(password, " ", "%20") + "@" + s.Addr() + "/?sslmode=disable"
}

// TestBoth asks both kinds of source the same.
func TestBoth(t *testing.T) {
	ctx := context.Background()
	for _, s := range sources(t) {
		t.Run(s.name, func(t *testing.T) {
			db := s.db
			if err := db.PingContext(ctx); err != nil {
				t.Fatal(err)
			}
			for _, q := range []string{"SELECT count(*) FROM events WHERE eventName = ?", "SELECT count(*) FROM events WHERE eventName = $1",
				"SELECT /* ? */ count(*) FROM events WHERE eventName = ? -- ?\n AND '?' <> '''?'"} {
				var n int
				if err := db.QueryRowContext(ctx, q, "PutObject").Scan(&n); err != nil || n != events/2 {
					t.Errorf("%s: %d, %v", q, n, err)
				}
			}
			var name sql.NullString
			var at time.Time
			var flag bool
			var params string
			err := db.QueryRow("SELECT errorCode, eventTime, readOnly, requestParameters FROM events WHERE eventID = ?", "00000000-0000-4000-8000-000000000007").Scan(&name, &at, &flag, &params)
			if err != nil || name.Valid || !at.Equal(time.Date(2026, 1, 2, 10, 7, 0, 0, time.UTC)) || flag || strings.ReplaceAll(params, " ", "") != `{"bucketName":"b2"}` {
				t.Errorf("%v %v %v %q, %v", name, at, flag, params, err)
			}

			// A statement prepared once.
			st, err := db.Prepare("SELECT count(*) FROM events WHERE element_at(requestParameters, 'bucketName') = ?")
			if err != nil {
				t.Fatal(err)
			}
			for i := range 5 {
				var n int
				if err := st.QueryRow(fmt.Sprint("b", i)).Scan(&n); err != nil || n != events/5 {
					t.Errorf("b%d: %d, %v", i, n, err)
				}
			}
			if _, err := st.Query("a", "b"); err == nil {
				t.Error("two values for one parameter")
			}
			if err := st.Close(); err != nil {
				t.Error(err)
			}

			// Errors.
			for _, c := range []struct{ q, code string }{
				{"SELECT nothing FROM events", sqlerr.UndefinedColumn},
				{"SELECT 1 FROM nowhere", sqlerr.UndefinedTable},
				{"SELEKT 1", sqlerr.SyntaxError},
				{"SELECT 1 / (length(eventName) - length(eventName)) FROM events", sqlerr.DivisionByZero},
			} {
				rows, err := db.Query(c.q)
				if err == nil {
					for rows.Next() {
					}
					err = rows.Err()
					rows.Close()
				}
				if driver.State(err) != c.code {
					t.Errorf("%s: %v (%s), want %s", c.q, err, driver.State(err), c.code)
				}
			}
			if _, err := db.Exec("DELETE FROM events"); err == nil {
				t.Error("events were deleted")
			}

			// A transaction is a snapshot.
			tx, err := db.BeginTx(ctx, &sql.TxOptions{ReadOnly: true, Isolation: sql.LevelRepeatableRead})
			if err != nil {
				t.Fatal(err)
			}
			count := func(q interface {
				QueryRow(string, ...any) *sql.Row
			}) (n int) {
				t.Helper()
				if err := q.QueryRow("SELECT count(*) FROM events").Scan(&n); err != nil {
					t.Fatal(err)
				}
				return n
			}
			if n := count(tx); n != events {
				t.Errorf("%d events", n)
			}
			store, err := s.lake.Store("events")
			if err != nil {
				t.Fatal(err)
			}
			appendEvents(t, store, events, events+10)
			if n := count(tx); n != events {
				t.Errorf("%d events in a transaction that began before", n)
			}
			if err := tx.Commit(); err != nil {
				t.Error(err)
			}
			if n := count(db); n != events+10 {
				t.Errorf("%d events after it", n)
			}
			if err := tx.Rollback(); !errors.Is(err, sql.ErrTxDone) {
				t.Errorf("ended twice: %v", err)
			}
		})
	}
}

// TestCancel ends queries by their contexts.
func TestCancel(t *testing.T) {
	for _, s := range sources(t) {
		t.Run(s.name, func(t *testing.T) {
			ctx, cancel := context.WithCancel(context.Background())
			time.AfterFunc(50*time.Millisecond, cancel)
			var n int
			err := s.db.QueryRowContext(ctx, "SELECT count(*) FROM events a, events b, events c, events d, events e WHERE a.eventID || b.eventID < c.eventID || d.eventID || e.eventID").Scan(&n)
			if !errors.Is(err, context.Canceled) && driver.State(err) != sqlerr.QueryCanceled {
				t.Errorf("a canceled query: %v", err)
			}
			if err := s.db.QueryRow("SELECT count(*) FROM events").Scan(&n); err != nil || n != events {
				t.Errorf("after it: %d, %v", n, err)
			}
			if err := s.db.PingContext(ctx); err == nil {
				t.Error("pinged with a context that has ended")
			}
		})
	}
}

// TestColumnTypes looks at what a result tells of its columns.
func TestColumnTypes(t *testing.T) {
	lake, err := engine.Open(fill(t), &engine.Options{DigestInterval: -1})
	if err != nil {
		t.Fatal(err)
	}
	defer lake.Close()
	db := sql.OpenDB(driver.NewConnector(lake.As(engine.Scope{Stores: []string{"events"}, Accounts: []string{engine.All}})))
	defer db.Close()
	rows, err := db.Query(`SELECT eventName, readOnly, count(*), sum(1.5e0), max(eventTime), requestParameters, CAST(1.25 AS decimal(10,2)), x'0aff',
		DATE '2026-01-02', ARRAY['a', NULL], CAST(ROW(1, 'b') AS ROW(n bigint, s varchar)), NULL, INTERVAL '1' DAY, json '{"a":1}'
		FROM events GROUP BY 1, 2, 6 ORDER BY 1 LIMIT 1`)
	if err != nil {
		t.Fatal(err)
	}
	defer rows.Close()
	types, err := rows.ColumnTypes()
	if err != nil {
		t.Fatal(err)
	}
	want := []struct {
		name string
		scan reflect.Type
		go_  any
	}{
		{"VARCHAR", reflect.TypeFor[sql.NullString](), "GetObject"}, {"BOOLEAN", reflect.TypeFor[sql.NullBool](), true},
		{"BIGINT", reflect.TypeFor[sql.NullInt64](), nil}, {"DOUBLE", reflect.TypeFor[sql.NullFloat64](), nil},
		{"TIMESTAMP", reflect.TypeFor[sql.NullTime](), nil}, {"MAP", reflect.TypeFor[sql.NullString](), nil},
		{"DECIMAL", reflect.TypeFor[sql.NullString](), "1.25"}, {"VARBINARY", reflect.TypeFor[[]byte](), []byte{10, 255}},
		{"DATE", reflect.TypeFor[sql.NullTime](), time.Date(2026, 1, 2, 0, 0, 0, 0, time.UTC)}, {"ARRAY", reflect.TypeFor[sql.NullString](), `["a",null]`},
		{"ROW", reflect.TypeFor[sql.NullString](), `{"n":1,"s":"b"}`}, {"UNKNOWN", reflect.TypeFor[any](), nil},
		{"INTERVAL DAY TO SECOND", reflect.TypeFor[sql.NullString](), "1 00:00:00.000"}, {"JSON", reflect.TypeFor[sql.NullString](), `{"a":1}`},
	}
	values, dest := make([]any, len(types)), make([]any, len(types))
	for i := range dest {
		dest[i] = &values[i]
	}
	if !rows.Next() {
		t.Fatal(rows.Err())
	}
	if err := rows.Scan(dest...); err != nil {
		t.Fatal(err)
	}
	for i, w := range want {
		ct := types[i]
		nullable, ok := ct.Nullable()
		if ct.DatabaseTypeName() != w.name || ct.ScanType() != w.scan || !nullable || !ok {
			t.Errorf("column %d: %s %v, want %s %v", i, ct.DatabaseTypeName(), ct.ScanType(), w.name, w.scan)
		}
		if w.go_ != nil && !reflect.DeepEqual(values[i], w.go_) {
			t.Errorf("column %d is %#v, want %#v", i, values[i], w.go_)
		}
	}
	if p, s, ok := types[6].DecimalSize(); p != 10 || s != 2 || !ok {
		t.Errorf("decimal(%d,%d) %t", p, s, ok)
	}
	if n, ok := types[0].Length(); n <= 0 || !ok {
		t.Errorf("length %d %t", n, ok)
	}
	// Every value goes into the type that is told for it.
	for i, ct := range types {
		dest[i] = reflect.New(ct.ScanType()).Interface()
	}
	if err := rows.Scan(dest...); err != nil {
		t.Errorf("scanning into the types told: %v", err)
	}
}

// TestArrays gives lists as parameters.
func TestArrays(t *testing.T) {
	for _, s := range sources(t) {
		var n int
		if err := s.db.QueryRow("SELECT count(*) FROM events WHERE eventName = ANY(?)", []string{"PutObject", "none"}).Scan(&n); err != nil || n != events/2 {
			t.Errorf("%s: %d, %v", s.name, n, err)
		}
	}
	if _, err := sources(t)[0].db.Query("SELECT 1", sql.Named("x", 1)); err == nil || !strings.Contains(err.Error(), "by name") {
		t.Errorf("a named parameter: %v", err)
	}
}

// TestShared opens a directory several times: it is one lake, closed with the last use.
func TestShared(t *testing.T) {
	dir := fill(t)
	var dbs []*sql.DB
	for range 3 {
		db, err := sql.Open("cairn", dir)
		if err != nil {
			t.Fatal(err)
		}
		db.SetMaxIdleConns(0)
		var n int
		if err := db.QueryRow("SELECT count(*) FROM events").Scan(&n); err != nil || n != events {
			t.Fatal(n, err)
		}
		dbs = append(dbs, db)
	}
	other, err := sql.Open("cairn", "file:"+dir+"?readonly=true")
	if err != nil {
		t.Fatal(err)
	}
	if err := other.Ping(); err == nil || !strings.Contains(err.Error(), "readonly") {
		t.Errorf("opened in two ways: %v", err)
	}
	rows, err := dbs[0].Query("SELECT eventJson FROM events") // not read to its end
	if err != nil || !rows.Next() {
		t.Fatal(err)
	}
	tx, err := dbs[1].Begin()
	if err != nil {
		t.Fatal(err)
	}
	if _, err := engine.Open(dir, nil); !errors.Is(err, engine.ErrUnavailable) {
		t.Errorf("it can be opened beside: %v", err)
	}
	rows.Close()
	if err := tx.Rollback(); err != nil {
		t.Error(err)
	}
	for _, db := range append(dbs, other) {
		if err := db.Close(); err != nil {
			t.Error(err)
		}
		if err := db.Close(); err != nil {
			t.Errorf("closed twice: %v", err)
		}
	}
	lake, err := engine.Open(dir, nil)
	if err != nil {
		t.Fatalf("after all are closed: %v", err)
	}
	lake.Close()
	noLeak(t, "cairndb/cairn/")
}

// noLeak waits until no goroutine but the one that asks is in database/sql or in code whose path has
// pkg. What an open lake does in the background comes and goes.
func noLeak(t *testing.T, pkg string) {
	t.Helper()
	for end := time.Now().Add(20 * time.Second); ; time.Sleep(10 * time.Millisecond) {
		b := make([]byte, 1<<20)
		var left []string
		for _, g := range strings.Split(string(b[:runtime.Stack(b, true)]), "\n\n")[1:] {
			if strings.Contains(g, pkg) || strings.Contains(g, "database/sql.") {
				left = append(left, g)
			}
		}
		if len(left) == 0 {
			return
		}
		if time.Now().After(end) {
			t.Fatalf("%d goroutines are left:\n%s", len(left), strings.Join(left, "\n\n"))
		}
	}
}

// TestNoLeak leaves results half read, queries canceled and statements open.
func TestNoLeak(t *testing.T) {
	lake, err := engine.Open(fill(t), &engine.Options{DigestInterval: -1})
	if err != nil {
		t.Fatal(err)
	}
	defer lake.Close()
	db := sql.OpenDB(driver.NewConnector(lake))
	all, end := context.WithCancel(context.Background())
	for range 20 {
		ctx, cancel := context.WithCancel(context.Background())
		rows, err := db.QueryContext(ctx, "SELECT a.eventJson FROM events a, events b")
		if err != nil || !rows.Next() {
			t.Fatal(err)
		}
		cancel()
		st, err := db.Prepare("SELECT 1")
		if err != nil {
			t.Fatal(err)
		}
		defer st.Close()
		if _, err := db.BeginTx(all, nil); err != nil { // neither committed nor rolled back
			t.Fatal(err)
		}
	}
	end()
	if err := db.Close(); err != nil {
		t.Error(err)
	}
	noLeak(t, "cairndb/cairn/sql")
}

// TestNames reads names of sources.
func TestNames(t *testing.T) {
	for name, says := range map[string]string{
		"":                       "empty",
		"mysql://u:secret@h/":    "scheme",
		"file:":                  "no path",
		"file:x?colour=red":      "no option",
		"file:x?readonly=maybe":  "true or false",
		"file:x?dialect=klingon": "trino or postgres",
		"cairn://u:sec ret@h/":   "cannot be read",
	} {
		_, err := sql.Open("cairn", name)
		if err == nil || !strings.Contains(err.Error(), says) || strings.Contains(err.Error(), "secret") || strings.Contains(err.Error(), "sec ret") {
			t.Errorf("%q: %v, want %q", name, err, says)
		}
	}
	db, err := sql.Open("cairn", filepath.Join(t.TempDir(), "none"))
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	if err := db.Ping(); !errors.Is(err, engine.ErrNotFound) {
		t.Errorf("a directory that there is not: %v", err)
	}
	made, err := sql.Open("cairn", "file:"+filepath.Join(t.TempDir(), "new")+"?create=true&dialect=postgres")
	if err != nil {
		t.Fatal(err)
	}
	defer made.Close()
	var n string
	if err := made.QueryRow("SELECT '7'::integer::text || $1", "x").Scan(&n); err != nil || n != "7x" {
		t.Errorf("%s, %v", n, err)
	}
}
