package pg

import (
	"context"
	"errors"
	"fmt"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"github.com/cairndb/cairn/engine"
	"github.com/cairndb/cairn/server/auth"
)

// everybody is a principal who may do everything.
type everybody struct{ lake *engine.Lake }

func (everybody) Name() string          { return "tester" }
func (everybody) Admin() bool           { return true }
func (e everybody) Database() Database  { return e.lake }
func (everybody) May(auth.Action) error { return nil }
func (everybody) Users() Users          { return nil }

// superuser is what everybody is.
var superuser = auth.Superuser("tester")

func (everybody) Standing() (*auth.Principal, error) { return superuser, nil }

// fixture is a lake with a listener on loopback.
type fixture struct {
	lake *engine.Lake
	l    *Listener
	addr string
}

// record is event i of the tests.
func record(i int) []byte {
	return fmt.Appendf(nil, `{"eventVersion":"1.08","eventTime":"2026-01-%02dT10:00:%02dZ","eventID":"00000000-0000-4000-8000-%012d","eventSource":"s3.amazonaws.com",`+
		`"eventName":"%s","awsRegion":"eu-west-1","sourceIPAddress":"10.0.0.%d","recipientAccountId":"111122223333","eventType":"AwsApiCall","eventCategory":"Management",`+
		`"userIdentity":{"type":"IAMUser","userName":"user%d"},"requestParameters":{"bucketName":"b%d"},"readOnly":%t}`,
		1+i%28, i%60, i, []string{"GetObject", "PutObject", "ListBuckets"}[i%3], i%250, i%5, i%7, i%3 != 1)
}

func newFixture(t testing.TB, events int, adjust func(*Config)) *fixture {
	t.Helper()
	lake, err := engine.Open(t.TempDir(), &engine.Options{DigestInterval: -1})
	if err != nil {
		t.Fatal(err)
	}
	store, err := lake.CreateStore(context.Background(), "events")
	if err != nil {
		t.Fatal(err)
	}
	for from := 0; from < events; from += 10_000 {
		var batch [][]byte
		for i := from; i < min(events, from+10_000); i++ {
			batch = append(batch, record(i))
		}
		if _, err := store.Append(context.Background(), batch); err != nil {
			t.Fatal(err)
		}
	}
	cfg := Config{Open: everybody{lake}}
	if adjust != nil {
		adjust(&cfg)
	}
	l, err := New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	served := make(chan error, 1)
	go func() { served <- l.Serve(context.Background(), ln) }()
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), 2*time.Second)
		defer cancel()
		l.Shutdown(ctx)
		if err := <-served; err != nil {
			t.Errorf("serving: %v", err)
		}
		if err := lake.Close(); err != nil {
			t.Errorf("closing the lake: %v", err)
		}
	})
	return &fixture{lake: lake, l: l, addr: ln.Addr().String()}
}

func (f *fixture) dsn(more string) string {
	return "postgres://tester:secret-of-tester@" + f.addr + "/cairn?sslmode=disable" + more
}

func (f *fixture) connect(t testing.TB) *pgx.Conn {
	t.Helper()
	c, err := pgx.Connect(context.Background(), f.dsn(""))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close(context.Background()) })
	return c
}

// codeIs fails the test unless err has the SQLSTATE.
func codeIs(t *testing.T, err error, code string) *pgconn.PgError {
	t.Helper()
	var e *pgconn.PgError
	if !errors.As(err, &e) || e.Code != code {
		t.Fatalf("got %v, want SQLSTATE %s", err, code)
	}
	return e
}

func TestQueries(t *testing.T) {
	f := newFixture(t, 100, nil)
	c := f.connect(t)
	ctx := context.Background()
	var n int64
	if err := c.QueryRow(ctx, `SELECT count(*) FROM events WHERE eventName = $1`, "PutObject").Scan(&n); err != nil || n != 33 {
		t.Fatalf("%d, %v", n, err)
	}
	var at time.Time
	if err := c.QueryRow(ctx, `SELECT max(eventTime) FROM events WHERE eventTime < $1`, time.Date(2026, 1, 3, 0, 0, 0, 0, time.UTC)).Scan(&at); err != nil {
		t.Fatal(err)
	}
	if want := time.Date(2026, 1, 2, 10, 0, 57, 0, time.UTC); !at.Equal(want) {
		t.Errorf("got %v, want %v", at, want)
	}
	var user map[string]any
	if err := c.QueryRow(ctx, `SELECT userIdentity FROM events WHERE eventID = $1`, "00000000-0000-4000-8000-000000000007").Scan(&user); err != nil || user["userName"] != nil && user["username"] != "user2" {
		t.Errorf("%v, %v", user, err)
	}
	_, err := c.Exec(ctx, "SELECT 'é', nothing FROM events")
	if e := codeIs(t, err, "42703"); e.Position != 13 {
		t.Errorf("the error is at %d: %+v", e.Position, e)
	}
	_, err = c.Exec(ctx, "DELETE FROM events")
	if e := codeIs(t, err, "25006"); !strings.Contains(e.Message, "immutable") {
		t.Errorf("%+v", e)
	}
}
