package server_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"github.com/cairndb/cairn/engine"
	"github.com/cairndb/cairn/server"
	"github.com/cairndb/cairn/server/auth"
)

// The accounts of the fixture's events: in turn, with theirs twice as often.
const mine, theirs = "111122223333", "444455556666"

// event is event i of an account.
func event(i int, account string) []byte {
	return fmt.Appendf(nil, `{"eventVersion":"1.08","eventTime":"2026-01-%02dT10:%02d:00Z","eventID":"%s-0000-4000-8000-%012d","eventSource":"s3.amazonaws.com",`+
		`"eventName":"%s","awsRegion":"eu-west-1","sourceIPAddress":"10.0.%s.%d","recipientAccountId":"%s","eventType":"AwsApiCall","eventCategory":"Management",`+
		`"userIdentity":{"type":"IAMUser","userName":"user-of-%s"},"requestParameters":{"bucketName":"bucket-of-%s"},"readOnly":%t}`,
		1+i%28, i%60, account[:8], i, []string{"GetObject", "PutObject", "ListBuckets"}[i%3], account[:2], i%200, account, account, account, i%2 == 0)
}

// log is what a server logs.
type log struct {
	mu   sync.Mutex
	text strings.Builder
}

func (l *log) Write(b []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.Write(b)
}

func (l *log) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.String()
}

// fixture is a server that asks for passwords, on a lake with the stores events, billing
// and secret.
type fixture struct {
	t     *testing.T
	lake  *engine.Lake
	s     *server.Server
	users *auth.Store
	log   *log
	stop  context.CancelFunc
	done  chan error
}

const password = "correct horse battery staple"

// fixturePrincipals are who can sign in; all have the password.
var fixturePrincipals = []struct {
	name string
	g    auth.Grants
}{
	{"ada", auth.Grants{Role: "admin"}},
	{"wim", auth.Grants{Role: "writer", Stores: []string{"events"}}},
	{"rea", auth.Grants{Role: "reader", Stores: []string{"events"}}},
	{"lim", auth.Grants{Role: "reader", Stores: []string{"events"}, Accounts: []string{mine}}},
	{"aud", auth.Grants{Role: "auditor"}},
}

func newFixture(t *testing.T, adjust func(*server.Config)) *fixture {
	t.Helper()
	ctx := context.Background()
	lake, err := engine.Open(t.TempDir(), &engine.Options{DigestInterval: -1})
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"events", "billing", "secret"} {
		store, err := lake.CreateStore(ctx, name)
		if err != nil {
			t.Fatal(err)
		}
		var records [][]byte
		for i := range 300 {
			account := theirs
			if i%3 == 0 {
				account = mine
			}
			records = append(records, event(i, account))
		}
		if _, err := store.Append(ctx, records); err != nil {
			t.Fatal(err)
		}
	}
	users, err := auth.Open(ctx, lake, auth.Options{})
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range fixturePrincipals {
		if _, err := users.Add(ctx, auth.Superuser("test"), auth.Origin{}, p.name, p.g, password); err != nil {
			t.Fatal(err)
		}
	}
	f := &fixture{t: t, lake: lake, users: users, log: &log{}, done: make(chan error, 1)}
	logger := slog.New(slog.NewJSONHandler(f.log, &slog.HandlerOptions{Level: slog.LevelDebug}))
	principals, first, err := server.OpenPrincipals(ctx, lake, logger)
	if err != nil || first != nil {
		t.Fatal(first, err)
	}
	cfg := server.Config{PG: "127.0.0.1:0", HTTP: "127.0.0.1:0", Authenticator: principals, Logger: logger, ShutdownTime: 5 * time.Second}
	if adjust != nil {
		adjust(&cfg)
	}
	if f.s, err = server.New(lake, cfg); err != nil {
		t.Fatal(err)
	}
	var serving context.Context
	serving, f.stop = context.WithCancel(ctx)
	go func() { f.done <- f.s.Serve(serving) }()
	t.Cleanup(func() {
		f.stop()
		if err := <-f.done; err != nil {
			t.Errorf("serving: %v", err)
		}
		if err := lake.Close(); err != nil {
			t.Errorf("closing the lake: %v", err)
		}
	})
	return f
}

// shutDown ends the server and waits for it.
func (f *fixture) shutDown() error {
	f.stop()
	err := <-f.done
	f.done <- nil
	return err
}

func (f *fixture) dsn(user, password string) string {
	return fmt.Sprintf("host=%s port=%s user=%s password='%s' dbname=cairn sslmode=prefer", "127.0.0.1", f.s.Addr()[strings.LastIndex(f.s.Addr(), ":")+1:], user, password)
}

func (f *fixture) connect(user string) *pgx.Conn {
	f.t.Helper()
	c, err := pgx.Connect(context.Background(), f.dsn(user, password))
	if err != nil {
		f.t.Fatal(err)
	}
	f.t.Cleanup(func() { c.Close(context.Background()) })
	return c
}

// get asks the HTTP listener, with a password if there is a user.
func (f *fixture) get(path, user, password string) (status int, body string) {
	f.t.Helper()
	return f.request(http.MethodGet, path, user, password)
}

// request is get by another method.
func (f *fixture) request(method, path, user, password string) (status int, body string) {
	f.t.Helper()
	req, err := http.NewRequest(method, "http://"+f.s.HTTPAddr()+path, nil)
	if err != nil {
		f.t.Fatal(err)
	}
	if user != "" {
		req.SetBasicAuth(user, password)
	}
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		f.t.Fatal(err)
	}
	defer res.Body.Close()
	return res.StatusCode, readAll(f.t, res)
}

// codeOf returns the SQLSTATE of an error, "" for none.
func codeOf(err error) string {
	var e *pgconn.PgError
	if errors.As(err, &e) {
		return e.Code
	}
	if err != nil {
		return "?? " + err.Error()
	}
	return ""
}

func readAll(t *testing.T, res *http.Response) string {
	t.Helper()
	b, err := io.ReadAll(io.LimitReader(res.Body, 16<<20))
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}
