package server_test

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/json"
	"encoding/pem"
	"errors"
	"math/big"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgproto3"

	"github.com/cairndb/cairn/server"
	"github.com/cairndb/cairn/server/auth"
)

// TestRefusedConfigurations: what would let strangers in, or events out, is refused with
// what to do about it.
func TestRefusedConfigurations(t *testing.T) {
	f := newFixture(t, nil)
	principals, _, err := server.OpenPrincipals(context.Background(), f.lake, nil)
	if err != nil {
		t.Fatal(err)
	}
	everybody := server.Everybody(f.lake)
	for _, c := range []struct {
		name string
		cfg  server.Config
		says string
	}{
		{"nobody could sign in", server.Config{PG: "127.0.0.1:0", HTTP: server.Off}, "nobody"},
		{"no listener", server.Config{PG: server.Off, HTTP: server.Off, Authenticator: principals}, "both listeners are off"},
		{"everybody from everywhere", server.Config{PG: "0.0.0.0:0", HTTP: server.Off, NoAuth: true, Everybody: everybody}, "loopback only"},
		{"everybody from everywhere, with TLS", server.Config{PG: "0.0.0.0:0", HTTP: server.Off, NoAuth: true, Everybody: everybody, TLSSelfSigned: true}, "loopback only"},
		{"everybody by HTTP", server.Config{PG: "127.0.0.1:0", HTTP: ":0", NoAuth: true, Everybody: everybody}, "loopback only"},
		{"in the clear", server.Config{PG: "0.0.0.0:0", HTTP: server.Off, Authenticator: principals}, "allow-cleartext"},
		{"HTTP in the clear", server.Config{PG: "127.0.0.1:0", HTTP: "[::]:0", Authenticator: principals}, "allow-cleartext"},
		{"a name may mean anything", server.Config{PG: "example.com:0", HTTP: server.Off, Authenticator: principals}, "allow-cleartext"},
		{"half a certificate", server.Config{PG: "127.0.0.1:0", HTTP: server.Off, Authenticator: principals, TLSCert: "x.pem"}, "tls-key"},
		{"TLS without a certificate", server.Config{PG: "127.0.0.1:0", HTTP: server.Off, Authenticator: principals, TLSRequired: true}, "tls-self-signed"},
	} {
		s, err := server.New(f.lake, c.cfg)
		if err == nil || !strings.Contains(err.Error(), c.says) {
			t.Errorf("%s: %v, want %q", c.name, err, c.says)
		}
		if s != nil {
			t.Errorf("%s: there is a server", c.name)
		}
	}
	for _, cfg := range []server.Config{
		{PG: "0.0.0.0:0", HTTP: server.Off, Authenticator: principals, AllowCleartext: true},
		{PG: "0.0.0.0:0", HTTP: "0.0.0.0:0", Authenticator: principals, TLSSelfSigned: true},
		{PG: "[::1]:0", HTTP: server.Off, Authenticator: principals},
	} {
		s, err := server.New(f.lake, cfg)
		if err != nil {
			if cfg.PG == "[::1]:0" {
				t.Logf("no IPv6 here: %v", err)
				continue
			}
			t.Errorf("%+v: %v", cfg, err)
			continue
		}
		ctx, stop := context.WithCancel(context.Background())
		stop()
		if err := s.Serve(ctx); err != nil {
			t.Error(err)
		}
	}
}

// TestHealthReadinessMetrics asks for them, and looks at the names of the figures.
func TestHealthReadinessMetrics(t *testing.T) {
	f := newFixture(t, nil)
	f.connect("rea")
	for path, want := range map[string]string{"/healthz": "ok", "/readyz": "ready"} {
		for end := time.Now().Add(20 * time.Second); ; time.Sleep(5 * time.Millisecond) {
			status, body := f.get(path, "", "")
			if status == http.StatusOK && strings.TrimSpace(body) == want {
				break
			}
			if time.Now().After(end) {
				t.Fatalf("%s: %d %s", path, status, body)
			}
		}
	}
	status, body := f.get("/metrics", "aud", password)
	if status != http.StatusOK {
		t.Fatal(status, body)
	}
	// A figure's name ends with its unit, and with total if it only grows; what has no
	// unit is named for what it counts.
	name := regexp.MustCompile(`^cairn_[a-z_]+(_bytes|_seconds|_total|_connections|_events|_series|_incidents)$`)
	ours := 0
	for line := range strings.Lines(body) {
		parts := strings.Fields(line)
		if len(parts) < 4 || parts[1] != "TYPE" || !strings.HasPrefix(parts[2], "cairn_") {
			continue
		}
		ours++
		if !name.MatchString(parts[2]) || (parts[3] == "counter") != strings.HasSuffix(parts[2], "_total") {
			t.Errorf("%s %s: its name does not tell its unit", parts[3], parts[2])
		}
	}
	if ours < 8 || !strings.Contains(body, `cairn_store_events{store="events"} 300`) {
		t.Errorf("%d figures:\n%.2000s", ours, body)
	}
	if err := f.shutDown(); err != nil {
		t.Error(err)
	}
	// The log is JSON, line by line, and has no password.
	for line := range strings.Lines(f.log.String()) {
		var entry map[string]any
		if err := json.Unmarshal([]byte(line), &entry); err != nil || entry["msg"] == nil || entry["level"] == nil {
			t.Errorf("a line of the log: %v: %s", err, line)
		}
	}
	if strings.Contains(f.log.String(), password) {
		t.Error("the log has a password")
	}
}

// TestMetricsOpen serves figures without a password, on loopback, when told to.
func TestMetricsOpen(t *testing.T) {
	f := newFixture(t, func(c *server.Config) { c.MetricsOpen = true })
	if status, _ := f.get("/metrics", "", ""); status != http.StatusOK {
		t.Errorf("status %d", status)
	}
}

// TestShutdown lets a running query end, refuses new ones, and cancels what takes longer
// than it may.
func TestShutdown(t *testing.T) {
	const slow = "SELECT 1 AS one FROM events a, events b, (SELECT eventID, sourceIPAddress FROM events LIMIT 15) c WHERE a.eventID || b.eventID < c.eventID || c.sourceIPAddress"
	const endless = "SELECT count(*) FROM events a, events b, events c, events d, events e WHERE a.eventID || b.eventID < c.eventID || d.eventID || e.eventID"
	ctx := context.Background()
	t.Run("in flight", func(t *testing.T) {
		f := newFixture(t, func(c *server.Config) { c.ShutdownTime = 5 * time.Minute })
		c, idle := f.connect("ada"), f.connect("ada")
		began := make(chan struct{})
		result := make(chan error, 1)
		go func() {
			rows, err := c.Query(ctx, "SELECT * FROM (VALUES (1)) t(x) UNION ALL SELECT cast(count(*) AS integer) FROM ("+slow+") q")
			if err == nil {
				rows.Next()
				close(began)
				for rows.Next() {
				}
				err = rows.Err()
			} else {
				close(began)
			}
			result <- err
		}()
		<-began
		if err := f.shutDown(); err != nil {
			t.Error(err)
		}
		if err := <-result; err != nil {
			t.Errorf("the query that ran: %v", err)
		}
		if err := idle.Ping(ctx); err == nil {
			t.Error("an idle session goes on")
		}
		if _, err := pgx.Connect(ctx, f.dsn("ada", password)); err == nil {
			t.Error("a new session begins")
		}
	})
	t.Run("too long", func(t *testing.T) {
		f := newFixture(t, func(c *server.Config) { c.ShutdownTime = 100 * time.Millisecond })
		c := f.connect("ada")
		result := make(chan error, 1)
		go func() {
			_, err := c.Exec(ctx, endless)
			result <- err
		}()
		time.Sleep(50 * time.Millisecond) // it may have begun or not: it ends in either case
		if err := f.shutDown(); err != nil {
			t.Error(err)
		}
		if err := <-result; err == nil {
			t.Error("an endless query has ended well")
		}
	})
	t.Run("a client that reads nothing", func(t *testing.T) {
		// It may hold its connection for as long as the limit of writing is, but not the server's end.
		f := newFixture(t, func(c *server.Config) { c.ShutdownTime, c.WriteTime = 100*time.Millisecond, time.Hour })
		c := f.connect("ada")
		front := c.PgConn().Frontend()
		front.Send(&pgproto3.Query{String: "SELECT a.eventJson FROM events a, events b"})
		if err := front.Flush(); err != nil {
			t.Fatal(err)
		}
		if _, err := front.Receive(); err != nil { // it has begun
			t.Fatal(err)
		}
		ended := make(chan error, 1)
		go func() { ended <- f.shutDown() }()
		select {
		case err := <-ended:
			if err != nil {
				t.Error(err)
			}
		case <-time.After(2 * time.Minute):
			t.Fatal("the server waits for it")
		}
	})
}

// authority makes a certificate authority, and certificates that it has signed.
type authority struct {
	cert *x509.Certificate
	key  *ecdsa.PrivateKey
	dir  string
}

func newAuthority(t *testing.T) *authority {
	t.Helper()
	a := &authority{dir: t.TempDir()}
	a.cert, a.key = nil, nil
	cert, key := a.sign(t, "authority", true)
	a.cert, a.key = cert, key
	return a
}

// sign writes NAME.pem and NAME.key. What adjust changes, it changes before the certificate is
// signed; files are named for the name that was given.
func (a *authority) sign(t *testing.T, name string, isCA bool, adjust ...func(*x509.Certificate)) (*x509.Certificate, *ecdsa.PrivateKey) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(time.Now().UnixNano()), Subject: pkix.Name{CommonName: name}, IsCA: isCA, BasicConstraintsValid: true,
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour), KeyUsage: x509.KeyUsageDigitalSignature | x509.KeyUsageCertSign,
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth}, IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)},
	}
	for _, f := range adjust {
		f(template)
	}
	parent, signer := a.cert, a.key
	if parent == nil {
		parent, signer = template, key
	}
	der, err := x509.CreateCertificate(rand.Reader, template, parent, &key.PublicKey, signer)
	if err != nil {
		t.Fatal(err)
	}
	cert, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	k, err := x509.MarshalECPrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	for file, block := range map[string]*pem.Block{name + ".pem": {Type: "CERTIFICATE", Bytes: der}, name + ".key": {Type: "EC PRIVATE KEY", Bytes: k}} {
		if err := os.WriteFile(filepath.Join(a.dir, file), pem.EncodeToMemory(block), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return cert, key
}

func (a *authority) file(name string) string { return filepath.Join(a.dir, name) }

// TestTLS signs in over TLS by password and by certificate.
func TestTLS(t *testing.T) {
	ours, others := newAuthority(t), newAuthority(t)
	ours.sign(t, "server", false)
	ours.sign(t, "rea", false)
	ours.sign(t, "nobody", false)
	others.sign(t, "rea", false)
	named := func(c *x509.Certificate) { c.Subject.CommonName = "rea" }
	ours.sign(t, "expired", false, named, func(c *x509.Certificate) { c.NotAfter = time.Now().Add(-time.Minute) })
	ours.sign(t, "early", false, named, func(c *x509.Certificate) { c.NotBefore = time.Now().Add(30 * time.Minute) })
	ours.sign(t, "for servers", false, named, func(c *x509.Certificate) { c.ExtKeyUsage = []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth} })
	ours.sign(t, "by another name", false, func(c *x509.Certificate) { c.Subject.CommonName, c.DNSNames = "else", []string{"rea"} })
	ours.sign(t, "in capitals", false, func(c *x509.Certificate) { c.Subject.CommonName = "REA" })
	ours.sign(t, "without a name", false, func(c *x509.Certificate) { c.Subject.CommonName, c.DNSNames = "", []string{"rea"} })
	f := newFixture(t, func(c *server.Config) {
		c.TLSCert, c.TLSKey, c.TLSClientCA, c.TLSRequired = ours.file("server.pem"), ours.file("server.key"), ours.file("authority.pem"), true
	})
	ctx := context.Background()
	connect := func(user, password, more string) error {
		dsn := strings.Replace(f.dsn(user, password), "sslmode=prefer", more, 1)
		c, err := pgx.Connect(ctx, dsn)
		if err != nil {
			return err
		}
		defer c.Close(ctx)
		return c.Ping(ctx)
	}
	verified := "sslmode=verify-full sslrootcert=" + ours.file("authority.pem")
	if err := connect("rea", password, verified); err != nil {
		t.Errorf("with a password: %v", err)
	}
	if err := connect("rea", "wrong", verified); codeOf(err) != "28P01" {
		t.Errorf("with a wrong one: %v", err)
	}
	if err := connect("rea", password, "sslmode=disable"); codeOf(err) != "28000" {
		t.Errorf("without TLS: %v", err)
	}
	if err := connect("rea", password, "sslmode=verify-full sslrootcert="+others.file("authority.pem")); err == nil {
		t.Error("a server of another authority was taken")
	}
	with := func(a *authority, name string) string {
		return verified + " sslcert='" + a.file(name+".pem") + "' sslkey='" + a.file(name+".key") + "'"
	}
	if err := connect("rea", "", with(ours, "rea")); err != nil {
		t.Errorf("with a certificate: %v", err)
	}
	if err := connect("ada", "", with(ours, "rea")); err == nil {
		t.Error("somebody else's certificate was taken")
	}
	if err := connect("nobody", "", with(ours, "nobody")); codeOf(err) != "28000" {
		t.Errorf("a certificate of nobody: %v", err)
	}
	if err := connect("rea", "", with(others, "rea")); err == nil {
		t.Error("a certificate of another authority was taken")
	}
	// What is no certificate of a client that is good now ends the handshake: not even a password helps.
	for _, name := range []string{"expired", "early", "for servers"} {
		for _, password := range []string{"", password} {
			if err := connect("rea", password, with(ours, name)); err == nil || codeOf(err) == "28P01" {
				t.Errorf("a certificate %s, password %q: %v", name, password, err)
			}
		}
	}
	// One of somebody else, or of no one, is as if there were none: then it is the password that counts.
	for _, name := range []string{"by another name", "in capitals", "without a name", "nobody"} {
		if err := connect("rea", "wrong", with(ours, name)); codeOf(err) != "28P01" {
			t.Errorf("a certificate %s, and a wrong password: %v", name, err)
		}
		if err := connect("rea", password, with(ours, name)); err != nil {
			t.Errorf("a certificate %s, and the password: %v", name, err)
		}
	}
	// A certificate signs nobody in who has been removed, and it is recorded that one has tried.
	if err := f.users.Remove(ctx, auth.Superuser("test"), auth.Origin{}, "rea"); err != nil {
		t.Fatal(err)
	}
	if err := connect("rea", "", with(ours, "rea")); codeOf(err) != "28000" {
		t.Errorf("a certificate of one who was removed: %v", err)
	}
	var n int
	if err := f.connect("aud").QueryRow(ctx, "SELECT count(*) FROM cairn_audit WHERE eventJson LIKE '%SignInFailed%' AND eventJson LIKE '%\"rea\"%' AND eventJson LIKE '%ertificate%'").Scan(&n); err != nil || n < 1 {
		t.Errorf("%d sign-ins by certificate that failed are recorded, %v", n, err)
	}
}

// TestCertificatesAreNotAskedFor: without an authority for clients a certificate counts for nothing,
// and authorities that cannot be read keep the server from starting.
func TestCertificatesAreNotAskedFor(t *testing.T) {
	ours := newAuthority(t)
	ours.sign(t, "server", false)
	ours.sign(t, "rea", false)
	f := newFixture(t, func(c *server.Config) { c.TLSCert, c.TLSKey = ours.file("server.pem"), ours.file("server.key") })
	dsn := strings.Replace(f.dsn("rea", ""), "sslmode=prefer", "sslmode=require sslcert="+ours.file("rea.pem")+" sslkey="+ours.file("rea.key"), 1)
	if c, err := pgx.Connect(context.Background(), dsn); err == nil {
		c.Close(context.Background())
		t.Error("a certificate was taken that nobody vouches for")
	}
	for name, text := range map[string]string{"none.pem": "", "key.pem": "-----BEGIN EC PRIVATE KEY-----\nAAAA\n-----END EC PRIVATE KEY-----\n"} {
		if err := os.WriteFile(ours.file(name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		if _, err := server.New(f.lake, server.Config{PG: "127.0.0.1:0", HTTP: server.Off, NoAuth: true, Everybody: server.Everybody(f.lake),
			TLSCert: ours.file("server.pem"), TLSKey: ours.file("server.key"), TLSClientCA: ours.file(name)}); err == nil || !strings.Contains(err.Error(), name) {
			t.Errorf("%s as authorities of clients: %v", name, err)
		}
	}
}

// TestHTTPOverTLS: where other machines may ask, HTTP is HTTPS.
func TestHTTPOverTLS(t *testing.T) {
	f := newFixture(t, func(c *server.Config) { c.HTTP, c.TLSSelfSigned = "0.0.0.0:0", true })
	client := &http.Client{Transport: &http.Transport{TLSClientConfig: &tls.Config{InsecureSkipVerify: true}}}
	defer client.CloseIdleConnections()
	_, port, err := net.SplitHostPort(f.s.HTTPAddr())
	if err != nil {
		t.Fatal(err)
	}
	res, err := client.Get("https://127.0.0.1:" + port + "/healthz")
	if err != nil {
		t.Fatal(err)
	}
	res.Body.Close()
	if res.StatusCode != http.StatusOK {
		t.Errorf("status %d", res.StatusCode)
	}
	if res, err := http.Get("http://127.0.0.1:" + port + "/healthz"); err == nil {
		if res.Body.Close(); res.StatusCode == http.StatusOK {
			t.Error("answered without TLS")
		}
	}
}

// TestLimitsOfSessions: idle sessions and long statements end, and there are no more
// connections than allowed.
func TestLimitsOfSessions(t *testing.T) {
	f := newFixture(t, func(c *server.Config) {
		c.Connections, c.StatementTime, c.IdleTime = 3, 300*time.Millisecond, time.Minute
	})
	ctx := context.Background()
	c := f.connect("ada")
	if _, err := c.Exec(ctx, "SELECT count(*) FROM events a, events b, events c, events d WHERE a.eventID || b.eventID < c.eventID || d.eventID"); codeOf(err) != "57014" {
		t.Errorf("a long statement: %v", err)
	}
	f.connect("ada")
	f.connect("rea")
	if _, err := pgx.Connect(ctx, f.dsn("rea", password)); codeOf(err) != "53300" {
		t.Errorf("a connection too many: %v", err)
	}
	idle := newFixture(t, func(c *server.Config) { c.IdleTime = 50 * time.Millisecond })
	conn, err := pgx.Connect(ctx, idle.dsn("ada", password))
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close(ctx)
	wait, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	if _, err := conn.WaitForNotification(wait); err == nil || errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("an idle session goes on: %v", err)
	}
}

// TestFailedSignIns are slowed and recorded, over the wire and over HTTP alike.
func TestFailedSignIns(t *testing.T) {
	f := newFixture(t, nil)
	ctx := context.Background()
	throttled := false
	for range 40 {
		_, err := pgx.Connect(ctx, f.dsn("rea", "wrong"))
		if err == nil {
			t.Fatal("a wrong password was taken")
		}
		if strings.Contains(err.Error(), "too many failed") {
			throttled = true
			break
		}
	}
	if !throttled {
		t.Error("40 wrong passwords are not too many")
	}
	if status, _ := f.get("/metrics", "rea", "wrong"); status != http.StatusTooManyRequests && status != http.StatusUnauthorized {
		t.Errorf("over HTTP: status %d", status)
	}
	var n int
	if err := f.connect("aud").QueryRow(ctx, "SELECT count(*) FROM cairn_audit WHERE eventJson LIKE '%SignInFailed%' AND eventJson LIKE '%\"rea\"%'").Scan(&n); err != nil || n < 4 {
		t.Errorf("%d failed sign-ins are recorded, %v", n, err)
	}
}
