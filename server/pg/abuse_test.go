package pg

import (
	"bytes"
	"context"
	"encoding/binary"
	"encoding/json"
	"flag"
	"fmt"
	"io"
	"net"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgproto3"

	"github.com/cairndb/cairn/engine"
)

// What the flags ask for needs an idle machine, or time; testdata/bench has the figures.
var (
	abuseTight      = flag.Bool("abuse.tight", false, "hold the light client beside hostile ones to five times its idle p99, without allowance for a busy machine")
	idleConnections = flag.Int("idle.connections", 200, "how many idle connections are measured")
)

// heap is the memory in use after a collection.
func heap() int64 {
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return int64(m.HeapAlloc)
}

// raw sends bytes on a new connection and returns what comes until the server closes it.
func (f *fixture) raw(t *testing.T, send []byte) string {
	t.Helper()
	nc, err := net.Dial("tcp", f.addr)
	if err != nil {
		t.Fatal(err)
	}
	defer nc.Close()
	_ = nc.SetDeadline(time.Now().Add(10 * time.Second))
	_, _ = nc.Write(send)
	got, err := io.ReadAll(nc)
	if e, ok := err.(net.Error); ok && e.Timeout() {
		t.Errorf("%.40q: the connection stays open", send)
	}
	return string(got)
}

func packet(code uint32, rest string) []byte {
	b := binary.BigEndian.AppendUint32(nil, uint32(8+len(rest)))
	return append(binary.BigEndian.AppendUint32(b, code), rest...)
}

func TestStartsThatAreRefused(t *testing.T) {
	f := newFixture(t, 1, func(c *Config) { c.StartTime = 500 * time.Millisecond })
	long := strings.Repeat("x", 300)
	for _, c := range []struct {
		name string
		send []byte
		want string
	}{
		{"HTTP", []byte("GET / HTTP/1.1\r\nHost: x\r\n\r\n"), "HTTP/1.1 400"},
		{"TLS noise", []byte("\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03"), "08P01"},
		{"too short", []byte{0, 0, 0, 4}, "08P01"},
		{"negative", []byte{0xff, 0xff, 0xff, 0xff}, "08P01"},
		{"too long", []byte{0x7f, 0xff, 0xff, 0xff, 0, 3, 0, 0}, "08P01"},
		{"cut off", []byte{0, 0, 0, 100, 0, 3}, ""},
		{"nothing", nil, ""},
		{"protocol 2", packet(2<<16, strings.Repeat("\x00", 288)), "0A000"},
		{"protocol 4", packet(4<<16, "user\x00x\x00\x00"), "0A000"},
		{"no version", packet(4711<<16, "user\x00x\x00\x00"), "08P01"},
		{"no end", packet(3<<16, "user\x00x"), "08P01"},
		{"after the end", packet(3<<16, "user\x00x\x00\x00more"), "08P01"},
		{"no user", packet(3<<16, "database\x00cairn\x00\x00"), "28000"},
		{"long user", packet(3<<16, "user\x00"+long+"\x00\x00"), "28000"},
		{"replication", packet(3<<16, "user\x00x\x00replication\x00database\x00\x00"), "0A000"},
		{"unknown setting", packet(3<<16, "user\x00x\x00nothing\x001\x00\x00"), "42704"},
		{"bytes after the request for TLS", append(packet(codeTLS, ""), packet(3<<16, "user\x00x\x00\x00")...), "08P01"},
		{"cancel with a guessed key", packet(codeCancel, "\x00\x00\x00\x01\x00\x00\x00\x01"), ""},
		{"cancel without a key", packet(codeCancel, ""), ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			got := f.raw(t, c.send)
			if !strings.Contains(got, c.want) || c.want == "" && got != "" {
				t.Errorf("%q, want %q", got, c.want)
			}
		})
	}
	if got := f.raw(t, append(packet(codeTLS, ""), "x"...)); got == "N" {
		t.Error("bytes after the request for TLS were passed over")
	}
}

// A length that lies costs the server no memory.
// TestSlowStartsGiveWay: clients that never get done with signing in keep nobody else from it,
// those from other hosts not at all, those from their own for two seconds.
func TestSlowStartsGiveWay(t *testing.T) {
	f := newFixture(t, 1, func(c *Config) { c.StartTime = 5 * time.Minute })
	var slow []net.Conn
	defer func() {
		for _, c := range slow {
			c.Close()
		}
	}()
	fill := func() {
		t.Helper()
		for f.l.starting.Load() < startingMax {
			c, err := net.Dial("tcp", f.addr)
			if err != nil {
				t.Fatal(err)
			}
			slow = append(slow, c)
			before := f.l.starting.Load()
			if _, err := c.Write([]byte{0}); err != nil {
				t.Fatal(err)
			}
			for n := 0; f.l.starting.Load() == before && n < 100; n++ {
				time.Sleep(time.Millisecond)
			}
		}
	}
	fill()
	ask := func(from string) error {
		cfg, err := pgx.ParseConfig(f.dsn(""))
		if err != nil {
			t.Fatal(err)
		}
		cfg.DialFunc = (&net.Dialer{LocalAddr: &net.TCPAddr{IP: net.ParseIP(from)}}).DialContext
		c, err := pgx.ConnectConfig(context.Background(), cfg)
		if err != nil {
			return err
		}
		defer c.Close(context.Background())
		_, err = c.Exec(context.Background(), "SELECT 1")
		return err
	}
	if runtime.GOOS == "linux" { // where all of 127/8 is this machine
		if err := ask("127.0.0.2"); err != nil {
			t.Errorf("another host is kept out: %v", err)
		}
	}
	fill()
	var err error
	for deadline := time.Now().Add(time.Minute); time.Now().Before(deadline); time.Sleep(50 * time.Millisecond) {
		if err = ask("127.0.0.1"); err == nil {
			break
		}
	}
	if err != nil {
		t.Errorf("slow clients keep others out: %v", err)
	}
}

func TestLyingLengths(t *testing.T) {
	f := newFixture(t, 1, nil)
	before := heap()
	var conns []net.Conn
	for range 64 {
		nc, err := net.Dial("tcp", f.addr)
		if err != nil {
			t.Fatal(err)
		}
		defer nc.Close()
		_, _ = nc.Write(packet(3<<16, "user\x00x\x00\x00"))
		_, _ = nc.Write([]byte{'Q', 0x00, 0xff, 0xff, 0xff, 'S', 'E', 'L'}) // 16 MB to come
		conns = append(conns, nc)
	}
	time.Sleep(300 * time.Millisecond)
	if grown := heap() - before; grown > 8<<20 {
		t.Errorf("64 messages that did not come took %d KB", grown>>10)
	}
	_, _ = conns[0].Write(nil)
	nc, _ := net.Dial("tcp", f.addr)
	defer nc.Close()
	_ = nc.SetDeadline(time.Now().Add(5 * time.Second))
	_, _ = nc.Write(packet(3<<16, "user\x00x\x00\x00"))
	_, _ = nc.Write([]byte{'Q', 0x7f, 0xff, 0xff, 0xff})
	if got, _ := io.ReadAll(nc); !bytes.Contains(got, []byte("54000")) {
		t.Errorf("a message of 2 GB: %q", got)
	}
}

// Messages of the sign-in are short: long ones, and lengths that lie, end it at once and
// take no memory, and so does a password of any length.
func TestLongSignInMessages(t *testing.T) {
	f := newFixture(t, 1, func(c *Config) {
		users := &oneUser{name: "tester", cred: credentialOf(t, "secret-of-tester", []byte("0123456789abcdef"), 4096), who: c.Open}
		c.Open, c.Authenticator = nil, users
	})
	before := heap()
	for _, c := range []struct {
		name string
		size uint32
		body int
	}{{"16 MB that come", 16 << 20, 16 << 20}, {"2 GB that do not", 1<<31 - 1, 100}, {"16 MB that do not", 16 << 20, 100}, {"negative", 1 << 31, 0}} {
		send := packet(3<<16, "user\x00tester\x00\x00")
		send = binary.BigEndian.AppendUint32(append(send, 'p'), c.size)
		send = append(send, "SCRAM-SHA-256\x00\xff\xff\xff\xff"...)
		send = append(send, bytes.Repeat([]byte{'x'}, c.body)...)
		if got := f.raw(t, send); strings.Contains(got, "\x00\x00\x00\x08\x00\x00\x00\x00Z") {
			t.Errorf("%s: signed in: %.100q", c.name, got)
		}
	}
	if _, err := pgx.Connect(context.Background(), "postgres://tester:"+strings.Repeat("x", 1<<20)+"@"+f.addr+"/cairn?sslmode=disable"); err == nil {
		t.Error("a password of 1 MB was taken")
	}
	if grown := heap() - before; grown > 8<<20 {
		t.Errorf("they took %d KB", grown>>10)
	}
	f2, err := pgx.Connect(context.Background(), "postgres://tester:secret-of-tester@"+f.addr+"/cairn?sslmode=disable")
	if err != nil {
		t.Fatal(err)
	}
	f2.Close(context.Background())
}

func TestPreparedStatementsAreBounded(t *testing.T) {
	f := newFixture(t, 1, nil)
	c := f.connect(t).PgConn()
	before := heap()
	refused := 0
	for i := range 100_000 {
		if _, err := c.Prepare(context.Background(), fmt.Sprintf("s%d", i), "SELECT 1", nil); err != nil {
			codeIs(t, err, "53400")
			if refused++; refused > 10 {
				break
			}
		}
	}
	if refused == 0 {
		t.Fatal("100,000 prepared statements were kept")
	}
	if grown := heap() - before; grown > 64<<20 {
		t.Errorf("they take %d MB", grown>>20)
	}
	if _, err := c.Exec(context.Background(), "DEALLOCATE ALL; SELECT 1").ReadAll(); err != nil {
		t.Error(err)
	}
}

// TestResultsReadInPartsAreBounded: cursors that are read a row at a time hold no more than
// a session may, those that were never read nothing, and what they held is free when they
// are closed.
func TestResultsReadInPartsAreBounded(t *testing.T) {
	f := newFixture(t, 20_000, nil)
	c := f.connect(t)
	ctx := context.Background()
	do := func(text string) error {
		_, err := c.Exec(ctx, text)
		return err
	}
	for range 2 {
		if err := do("BEGIN"); err != nil {
			t.Fatal(err)
		}
		before := heap()
		for i := range portalsMax {
			if err := do(fmt.Sprintf("DECLARE c%d CURSOR FOR SELECT eventJson, requestParameters FROM events", i)); err != nil {
				t.Fatal(err)
			}
		}
		if grown := heap() - before; grown > 32<<20 {
			t.Errorf("%d cursors that nobody reads hold %d MB", portalsMax, grown>>20)
		}
		var err error
		open := 0
		for ; open < portalsMax && err == nil; open++ {
			if held := f.l.held.Load(); held > heldMax*3/4 && held < heldMax*4/5 {
				grown := heap() - before
				t.Logf("%d cursors were read a row at a time: %d MB are counted, %d MB held", open, held>>20, grown>>20)
				if grown > 6*heldMax {
					t.Error("that is too much")
				}
			}
			err = do(fmt.Sprintf("FETCH 1 FROM c%d", open))
		}
		codeIs(t, err, "53200")
		if open < 5 {
			t.Errorf("%d cursors hold too much already", open)
		}
		if err := do("ROLLBACK"); err != nil {
			t.Fatal(err)
		}
		if held := f.l.held.Load(); held != 0 {
			t.Errorf("%d bytes are counted, and nothing is open", held)
		}
	}
	// One result may be as large as it is.
	if err := do("BEGIN; DECLARE c CURSOR FOR SELECT eventJson FROM events; FETCH 5000 FROM c; MOVE 5000 IN c; FETCH ALL FROM c; COMMIT"); err != nil {
		t.Error(err)
	}
	if held := f.l.held.Load(); held != 0 {
		t.Errorf("%d bytes are counted, and all is read", held)
	}
}

func TestLongQueries(t *testing.T) {
	f := newFixture(t, 1, nil)
	c := f.connect(t)
	ctx := context.Background()
	var n int
	text := "SELECT length('" + strings.Repeat("x", 1<<20-100) + "')"
	if err := c.QueryRow(ctx, text, pgx.QueryExecModeSimpleProtocol).Scan(&n); err != nil || n != 1<<20-100 {
		t.Errorf("%d, %v", n, err)
	}
	_, err := c.Exec(ctx, "SELECT '"+strings.Repeat("x", 2<<20)+"'")
	codeIs(t, err, "54000")
}

// A client that reads nothing, or nothing more, is cut off, and holds back nobody.
func TestClientThatReadsNothing(t *testing.T) {
	f := newFixture(t, 20_000, func(c *Config) { c.WriteTime = 500 * time.Millisecond })
	nc, err := net.Dial("tcp", f.addr)
	if err != nil {
		t.Fatal(err)
	}
	defer nc.Close()
	_ = nc.(*net.TCPConn).SetReadBuffer(4096)
	front := pgproto3.NewFrontend(nc, nc)
	front.Send(&pgproto3.StartupMessage{ProtocolVersion: pgproto3.ProtocolVersion30, Parameters: map[string]string{"user": "x"}})
	front.Send(&pgproto3.Query{String: "SELECT a.eventJson FROM events a, events b"})
	if err := front.Flush(); err != nil {
		t.Fatal(err)
	}
	later := f.stalled(t, "SELECT eventJson, requestParameters FROM events, UNNEST(sequence(1, 100)) t(n)")
	defer later.Close()
	deadline := time.Now().Add(30 * time.Second)
	for {
		f.l.mu.Lock()
		n := len(f.l.mu.conns)
		f.l.mu.Unlock()
		if n == 0 {
			return
		}
		if time.Now().After(deadline) {
			t.Fatalf("%d are still being waited for", n)
		}
		time.Sleep(20 * time.Millisecond)
	}
}

// TestSlowReaders: clients that stop in the midst of a large result hold no more than what is on its
// way to them, whoever else asks is answered, and the server can end beside them.
func TestSlowReaders(t *testing.T) {
	const clients = 32
	f := newFixture(t, 20_000, func(c *Config) { c.WriteTime = time.Hour })
	before := heap()
	var slow []net.Conn
	defer func() {
		for _, nc := range slow {
			nc.Close()
		}
	}()
	for range clients {
		slow = append(slow, f.stalled(t, "SELECT eventJson, requestParameters FROM events, UNNEST(sequence(1, 10)) t(n)"))
	}
	grown := heap() - before
	t.Logf("%d clients that have stopped reading hold %d KB each", clients, grown/clients>>10)
	if grown > clients*16<<20 {
		t.Errorf("they hold %d MB", grown>>20)
	}
	if _, err := f.connect(t).Exec(context.Background(), "SELECT count(*) FROM events WHERE eventName = 'GetObject'"); err != nil {
		t.Errorf("another one: %v", err)
	}
	ctx, cancel := context.WithTimeout(context.Background(), 100*time.Millisecond)
	defer cancel()
	ended := make(chan struct{})
	go func() {
		f.l.Shutdown(ctx)
		close(ended)
	}()
	select {
	case <-ended:
	case <-time.After(2 * time.Minute):
		t.Fatal("the server does not end beside them")
	}
	if held := heap() - before; held > 16<<20 {
		t.Errorf("%d MB are held, and nobody is connected", held>>20)
	}
}

// stalled begins to read the result of a query, and stops in its midst.
func (f *fixture) stalled(t *testing.T, query string) net.Conn {
	t.Helper()
	nc, err := net.Dial("tcp", f.addr)
	if err != nil {
		t.Fatal(err)
	}
	front := pgproto3.NewFrontend(nc, nc)
	front.Send(&pgproto3.StartupMessage{ProtocolVersion: pgproto3.ProtocolVersion30, Parameters: map[string]string{"user": "x"}})
	front.Send(&pgproto3.Query{String: query})
	if err := front.Flush(); err != nil {
		t.Fatal(err)
	}
	_ = nc.SetReadDeadline(time.Now().Add(time.Minute))
	if _, err := io.ReadFull(nc, make([]byte, 64<<10)); err != nil {
		t.Fatal(err)
	}
	return nc
}

// TestHalfClosed: a client that says it sends no more is answered, and the connection ends.
func TestHalfClosed(t *testing.T) {
	f := newFixture(t, 10, nil)
	nc, err := net.Dial("tcp", f.addr)
	if err != nil {
		t.Fatal(err)
	}
	defer nc.Close()
	_ = nc.SetDeadline(time.Now().Add(time.Minute))
	_, _ = nc.Write(append(packet(3<<16, "user\x00x\x00\x00"), "Q\x00\x00\x00\x20SELECT count(*) FROM events\x00"...))
	if err := nc.(*net.TCPConn).CloseWrite(); err != nil {
		t.Fatal(err)
	}
	got, err := io.ReadAll(nc)
	if err != nil || !bytes.Contains(got, []byte("\x0210C\x00\x00\x00\x0dSELECT 1\x00Z")) {
		t.Errorf("%q, %v", got, err)
	}
}

func TestCancel(t *testing.T) {
	f := newFixture(t, 20_000, nil)
	c := f.connect(t)
	ctx := context.Background()
	slow := "SELECT count(*) FROM events a, events b WHERE a.eventID || b.eventID LIKE '%x%'"
	done := make(chan error, 1)
	go func() {
		_, err := c.Exec(ctx, slow)
		done <- err
	}()
	time.Sleep(100 * time.Millisecond)
	f.l.cancel(c.PgConn().PID(), []byte{1, 2, 3, 4}) // not its secret
	select {
	case err := <-done:
		t.Fatalf("a wrong key has canceled it: %v", err)
	case <-time.After(100 * time.Millisecond):
	}
	if err := c.PgConn().CancelRequest(ctx); err != nil {
		t.Fatal(err)
	}
	if e := codeIs(t, <-done, "57014"); e.Message != "canceling statement due to user request" {
		t.Error(e.Message)
	}
	if _, err := c.Exec(ctx, "SET statement_timeout = 100"); err != nil {
		t.Fatal(err)
	}
	_, err := c.Exec(ctx, slow)
	if e := codeIs(t, err, "57014"); e.Message != "canceling statement due to statement timeout" {
		t.Error(e.Message)
	}
}

// TestSleep: a call that sleeps ends with its statement's time, with a cancel request and with the server.
func TestSleep(t *testing.T) {
	f := newFixture(t, 1, nil)
	ctx := context.Background()
	c := f.connect(t)
	if _, err := c.Exec(ctx, "SET statement_timeout = 50"); err != nil {
		t.Fatal(err)
	}
	began := time.Now()
	_, err := c.Exec(ctx, "SELECT pg_sleep(3600)")
	codeIs(t, err, "57014")
	if _, err := c.Exec(ctx, "SET statement_timeout = 0"); err != nil {
		t.Fatal(err)
	}
	done := make(chan error, 1)
	go func() {
		_, err := c.Exec(ctx, "SELECT pg_sleep(3600), count(*) FROM events")
		done <- err
	}()
	for ended := false; !ended; {
		if err := c.PgConn().CancelRequest(ctx); err != nil {
			t.Fatal(err)
		}
		select {
		case err := <-done:
			codeIs(t, err, "57014")
			ended = true
		case <-time.After(50 * time.Millisecond): // it had not begun
		}
	}
	if _, err := c.Exec(ctx, "SELECT pg_sleep(0), pg_sleep(-1), pg_sleep_for('1 millisecond'::interval)"); err != nil {
		t.Error(err)
	}
	if took := time.Since(began); took > 10*time.Minute {
		t.Errorf("it took %v", took)
	}
}

func TestIdleTimes(t *testing.T) {
	f := newFixture(t, 1, nil)
	ctx := context.Background()
	for set, code := range map[string]string{"SET idle_session_timeout = '50ms'": codeIdle, "SET idle_in_transaction_session_timeout = '50ms'; BEGIN": codeIdleInTransaction} {
		c := f.connect(t)
		if _, err := c.Exec(ctx, set); err != nil {
			t.Fatal(err)
		}
		time.Sleep(200 * time.Millisecond)
		_, err := c.Exec(ctx, "SELECT 1")
		if err == nil {
			t.Errorf("%s: the session goes on", code)
		}
	}
}

// A transaction sees one snapshot of all stores.
func TestSnapshot(t *testing.T) {
	f := newFixture(t, 10, nil)
	ctx := context.Background()
	tx, err := f.connect(t).BeginTx(ctx, pgx.TxOptions{IsoLevel: pgx.RepeatableRead})
	if err != nil {
		t.Fatal(err)
	}
	count := func(q interface {
		QueryRow(context.Context, string, ...any) pgx.Row
	}) (n int) {
		if err := q.QueryRow(ctx, "SELECT count(*) FROM events").Scan(&n); err != nil {
			t.Fatal(err)
		}
		return n
	}
	if n := count(tx); n != 10 {
		t.Fatal(n)
	}
	if _, err := f.lake.AppendTo(ctx, "events", [][]byte{record(1000)}); err != nil {
		t.Fatal(err)
	}
	if _, err := f.lake.CreateStore(ctx, "later"); err != nil {
		t.Fatal(err)
	}
	if n := count(tx); n != 10 {
		t.Errorf("the transaction sees %d events", n)
	}
	_, err = tx.Exec(ctx, "SELECT count(*) FROM later")
	codeIs(t, err, "42P01")
	_ = tx.Rollback(ctx)
	if n := count(f.connect(t)); n != 11 {
		t.Errorf("%d events after it", n)
	}
}

func TestListen(t *testing.T) {
	f := newFixture(t, 10, nil)
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	c := f.connect(t)
	if _, err := c.Exec(ctx, `LISTEN "events WHERE eventName = 'PutObject'"`); err != nil {
		t.Fatal(err)
	}
	_, err := c.Exec(ctx, `LISTEN "events WHERE nothing = 1"`)
	codeIs(t, err, "42703")
	var batch [][]byte
	for i := 100; i < 130; i++ {
		batch = append(batch, record(i))
	}
	for _, part := range [][][]byte{batch[:7], batch[7:]} {
		if _, err := f.lake.AppendTo(ctx, "events", part); err != nil {
			t.Fatal(err)
		}
	}
	for i := 100; i < 130; i++ {
		if i%3 != 1 {
			continue
		}
		n, err := c.WaitForNotification(ctx)
		if err != nil {
			t.Fatal(err)
		}
		if n.Payload != string(record(i)) {
			t.Errorf("event %d: %s", i, n.Payload)
		}
	}
	// The session goes on as if nothing had happened.
	if _, err := c.Exec(ctx, "UNLISTEN *; SELECT 1"); err != nil {
		t.Fatal(err)
	}
}

// TestListenToNotices is told of unusual activity in what comes in.
func TestListenToNotices(t *testing.T) {
	f := newFixture(t, 0, nil)
	ctx, cancel := context.WithTimeout(context.Background(), 2*time.Minute)
	defer cancel()
	if _, err := f.lake.EnableInsights(ctx, engine.InsightSettings{Store: "events"}); err != nil {
		t.Fatal(err)
	}
	c := f.connect(t)
	if _, err := c.Exec(ctx, "LISTEN cairn_notices"); err != nil {
		t.Fatal(err)
	}
	now := time.Now().UTC()
	call := func(n int, name string, at time.Time) []byte {
		return fmt.Appendf(nil, `{"eventVersion":"1.11","eventTime":%q,"eventSource":"ec2.amazonaws.com","eventName":%q,"awsRegion":"eu-west-1","recipientAccountId":"111122223333","eventCategory":"Management","managementEvent":true,"readOnly":false,"eventType":"AwsApiCall","eventID":"%08x-0000-4000-8000-000000000000"}`,
			at.Format("2006-01-02T15:04:05Z"), name, n)
	}
	var batch [][]byte
	for i := range 30 * 24 {
		batch = append(batch, call(i, "CreateTags", now.Add(-time.Duration(i+1)*time.Hour)))
	}
	for i := range 300 {
		batch = append(batch, call(10_000+i, "RunInstances", now.Add(-time.Duration(i)*time.Second)))
	}
	if _, err := f.lake.AppendTo(ctx, "events", batch); err != nil {
		t.Fatal(err)
	}
	if _, err := f.lake.DetectInsights(ctx, "events", nil); err != nil {
		t.Fatal(err)
	}
	n, err := c.WaitForNotification(ctx)
	if err != nil {
		t.Fatal(err)
	}
	var in engine.Insight
	if err := json.Unmarshal([]byte(n.Payload), &in); err != nil || n.Channel != "cairn_notices" || in.EventName != "RunInstances" || !in.Provisional {
		t.Errorf("channel %s, %s, %v", n.Channel, n.Payload, err)
	}
	if _, err := c.Exec(ctx, "UNLISTEN cairn_notices; SELECT 1"); err != nil {
		t.Fatal(err)
	}
}

func TestCopyIn(t *testing.T) {
	f := newFixture(t, 0, nil)
	c := f.connect(t)
	ctx := context.Background()
	tag, err := c.CopyFrom(ctx, pgx.Identifier{"events"}, []string{"eventjson"}, pgx.CopyFromSlice(1000, func(i int) ([]any, error) {
		return []any{string(record(i))}, nil
	}))
	if err != nil || tag != 1000 {
		t.Fatalf("%d, %v", tag, err)
	}
	for _, format := range []string{"text", "csv", "json"} {
		var out bytes.Buffer
		if _, err := c.PgConn().CopyTo(ctx, &out, "COPY (SELECT eventJson FROM events ORDER BY eventID) TO STDOUT (FORMAT "+format+")"); err != nil {
			t.Fatal(err)
		}
		tag, err := c.PgConn().CopyFrom(ctx, &out, "COPY events FROM STDIN (FORMAT "+format+")")
		if err != nil || tag.String() != "COPY 0" { // the very same bytes are duplicates
			t.Errorf("%s: %v, %v", format, tag, err)
		}
	}
}

// A light client beside hostile ones keeps its pace.
func TestLightClientBesideHostileOnes(t *testing.T) {
	f := newFixture(t, 5000, func(c *Config) { c.StartTime = 5 * time.Second })
	c := f.connect(t)
	ctx := context.Background()
	p99 := func() time.Duration {
		var took []time.Duration
		for i := range 200 {
			start := time.Now()
			var n int
			if err := c.QueryRow(ctx, "SELECT count(*) FROM events WHERE eventID = $1", fmt.Sprintf("00000000-0000-4000-8000-%012d", i)).Scan(&n); err != nil || n != 1 {
				t.Fatal(n, err)
			}
			took = append(took, time.Since(start))
		}
		slices.Sort(took)
		return took[len(took)*99/100]
	}
	p99()
	idle := p99()
	before := heap()
	stop := make(chan struct{})
	var work sync.WaitGroup
	for i := range 64 {
		work.Add(1)
		go func() {
			defer work.Done()
			noise := [][]byte{
				[]byte("GET / HTTP/1.1\r\n\r\n"),
				packet(codeTLS, "junk"),
				append(packet(3<<16, "user\x00x\x00\x00"), "Q\x00\xff\xff\xffSELECT"...),
				append(packet(3<<16, "user\x00x\x00\x00"), "E\x00\x00\x00\x09\x00\x00\x00\x00\x00"...),
			}[i%4]
			for {
				select {
				case <-stop:
					return
				default:
				}
				nc, err := net.Dial("tcp", f.addr)
				if err != nil {
					continue
				}
				_, _ = nc.Write(noise)
				_ = nc.SetReadDeadline(time.Now().Add(50 * time.Millisecond))
				_, _ = io.Copy(io.Discard, nc)
				nc.Close()
				time.Sleep(100 * time.Millisecond) // 64 of them share the machine with the server
			}
		}()
	}
	time.Sleep(200 * time.Millisecond)
	allowance, rounds := 20*time.Millisecond, 10
	if *abuseTight {
		allowance, rounds = 0, 1
	}
	// The best of some rounds: what else the machine does makes single ones longer.
	beside := p99()
	for ; rounds > 1 && beside > 5*idle+allowance; rounds-- {
		beside = min(beside, p99())
	}
	grown := heap() - before
	close(stop)
	work.Wait()
	t.Logf("p99 idle %v, beside 64 hostile clients %v; %d KB more memory", idle, beside, grown>>10)
	if beside > 5*idle+allowance {
		t.Errorf("p99 went from %v to %v", idle, beside)
	}
	if grown > 32<<20 {
		t.Errorf("memory grew by %d MB", grown>>20)
	}
}

func TestIdleConnectionsAreSmall(t *testing.T) {
	f := newFixture(t, 1, func(c *Config) { c.Connections = *idleConnections + 10 })
	before := heap()
	var m0, m1 runtime.MemStats
	runtime.ReadMemStats(&m0)
	n := *idleConnections
	for range n {
		nc, err := net.Dial("tcp", f.addr)
		if err != nil {
			t.Fatal(err)
		}
		defer nc.Close()
		_, _ = nc.Write(packet(3<<16, "user\x00x\x00\x00"))
		_, _ = nc.Write(append([]byte{'Q', 0, 0, 0, 13}, "SELECT 1\x00"...))
		_ = nc.SetReadDeadline(time.Now().Add(5 * time.Second))
		var all []byte
		for !bytes.Contains(all, []byte("SELECT 1\x00Z")) {
			b := make([]byte, 4096)
			k, err := nc.Read(b)
			if err != nil {
				t.Fatal(err)
			}
			all = append(all, b[:k]...)
		}
	}
	grown := heap() - before
	runtime.ReadMemStats(&m1)
	each := (grown + int64(m1.StackInuse) - int64(m0.StackInuse)) / int64(n)
	t.Logf("an idle connection takes %d bytes", each)
	if each > 100<<10 {
		t.Errorf("500 of them would take %d MB", each*500>>20)
	}
}
