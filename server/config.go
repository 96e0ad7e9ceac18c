package server

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/netip"
	"os"
	"time"

	"github.com/cairndb/cairn/server/api"
	"github.com/cairndb/cairn/server/pg"
	"github.com/cairndb/cairn/sql"
)

// Defaults of addresses and limits.
const (
	DefaultPG   = "127.0.0.1:5433"
	DefaultHTTP = "127.0.0.1:8433"

	// defaultShutdown is what service managers commonly allow, less a reserve.
	defaultShutdown = 20 * time.Second
)

// Config says where and whom a server serves. The zero value serves nobody: there must
// be an Authenticator, or NoAuth.
type Config struct {
	// PG and HTTP are addresses, host:port; [DefaultPG] and [DefaultHTTP] when empty, none
	// for "off". Ports of 0 are chosen by the system (see [Server.Addr]).
	PG, HTTP string

	// Authenticator knows the principals.
	Authenticator pg.Authenticator
	// NoAuth takes everybody for Everybody, without a question. It is refused for
	// addresses that are not loopback.
	NoAuth    bool
	Everybody pg.Principal
	// Catalog adds tables to those that queries see (see pg.Config); those of
	// server/pg/catalog when nil.
	Catalog func(pg.Session, sql.Catalog) sql.Catalog

	// TLSCert and TLSKey are files of a certificate chain and its key, PEM.
	TLSCert, TLSKey string
	// TLSSelfSigned makes a certificate for this run, when no files are given.
	TLSSelfSigned bool
	// TLSRequired refuses connections to PG without TLS.
	TLSRequired bool
	// TLSClientCA is a file of certificates, PEM: a client with one that they have signed,
	// and whose common name is its user name, signs in without a password.
	TLSClientCA string

	// Connections, IdleTime, IdleInTransaction, StatementTime and WriteTime are limits of
	// the Postgres wire (see pg.Config).
	Connections       int
	IdleTime          time.Duration
	IdleInTransaction time.Duration
	StatementTime     time.Duration
	WriteTime         time.Duration
	// ShutdownTime is how long running statements may go on when the server is to end;
	// 20 s when 0.
	ShutdownTime time.Duration

	// OpenBucket opens the places of backups and exports that programs of this machine ask for
	// (see control.go); when nil nobody can ask.
	OpenBucket OpenBucket

	// Regions are those that AWS's clients may sign requests for; any when empty.
	Regions []string
	// Organization is the one that the accounts of access keys belong to; nil for none.
	Organization *api.Organization
	// Buckets opens the buckets that AWS's clients name; nil when there are none.
	Buckets api.Buckets
	// Targets names the target of trails that deliver to such a bucket.
	Targets func(bucket string) (string, error)
	// Notices is where notices of unusual activity are sent, the URL of a webhook or topic
	// (engine.Lake.SendNotices); none when "".
	Notices string
	// Topics returns the URL of the topic that has an ARN.
	Topics func(arn string) (string, error)
	// LogGroups returns the address of the stream that stands for the log group with an ARN.
	LogGroups func(arn string) (string, error)
	// Mappings are mapping files (engine/mapping) whose products may be sources of channels,
	// beside the built-in ones.
	Mappings []string

	// MetricsOpen serves /metrics to loopback without a password; else it takes that of an
	// admin or auditor.
	MetricsOpen bool
	// AllowCleartext lets the listeners be reached from other machines without TLS.
	AllowCleartext bool

	// Logger hears of what happens; nobody does when nil.
	Logger *slog.Logger
}

// Check says what is wrong with a configuration, but for who signs in: what can be known before there is a lake.
func (c Config) Check() error {
	if c.NoAuth {
		c.Everybody = Everybody(nil)
	} else {
		c.Authenticator = &Principals{}
	}
	c, err := c.filled()
	if err == nil {
		_, err = c.tlsConfig()
	}
	return err
}

// filled returns the configuration with its defaults, or what is wrong with it.
func (c Config) filled() (Config, error) {
	if c.PG == "" {
		c.PG = DefaultPG
	}
	if c.HTTP == "" {
		c.HTTP = DefaultHTTP
	}
	if c.PG == Off && c.HTTP == Off {
		return c, errors.New("nothing to serve: both listeners are off")
	}
	for name, addr := range map[string]string{"pg": c.PG, "http": c.HTTP} {
		if addr == Off {
			continue
		}
		_, port, err := net.SplitHostPort(addr)
		if err == nil {
			_, err = net.LookupPort("tcp", port)
		}
		if err != nil {
			return c, fmt.Errorf("%s: %q is no address to listen on: it is HOST:PORT, as in %s, or %s for none", name, addr, DefaultPG, Off)
		}
	}
	if c.Connections < 0 {
		return c, fmt.Errorf("connections: %d is no number of clients", c.Connections)
	}
	for name, d := range map[string]time.Duration{"idle-timeout": c.IdleTime, "statement-timeout": c.StatementTime, "write-timeout": c.WriteTime, "shutdown-timeout": c.ShutdownTime} {
		if d < 0 {
			return c, fmt.Errorf("%s: %v is before it begins; 0 stands for the default", name, d)
		}
	}
	if c.ShutdownTime == 0 {
		c.ShutdownTime = defaultShutdown
	}
	if c.Logger == nil {
		c.Logger = slog.New(slog.DiscardHandler)
	}
	if c.NoAuth {
		if c.Everybody == nil {
			return c, errors.New("without authentication there must be somebody whom everybody is taken for")
		}
		for _, addr := range []string{c.PG, c.HTTP} {
			if addr != Off && !isLoopback(addr) {
				return c, fmt.Errorf("without authentication the server listens on loopback only, and %s is not: "+
					"give principals passwords (cairn user add), or listen on 127.0.0.1", addr)
			}
		}
	} else if c.PG != Off && c.Authenticator == nil {
		return c, errors.New("there is nobody who could sign in")
	}
	for _, addr := range []string{c.PG, c.HTTP} {
		if addr != Off && !isLoopback(addr) && c.TLSCert == "" && !c.TLSSelfSigned && !c.AllowCleartext {
			return c, fmt.Errorf("%s can be reached from other machines, and without TLS what is sent can be read on the way: "+
				"give tls-cert and tls-key or tls-self-signed, listen on 127.0.0.1, or say allow-cleartext", addr)
		}
	}
	if (c.TLSCert == "") != (c.TLSKey == "") {
		return c, errors.New("a certificate needs its key, and a key its certificate: give tls-cert and tls-key")
	}
	return c, nil
}

// Off in place of an address is for a listener that is not wanted.
const Off = "off"

// isLoopback reports whether an address can be reached from this machine only. Names
// other than localhost are not asked for: what they mean may change.
func isLoopback(addr string) bool {
	host, _, err := net.SplitHostPort(addr)
	if err != nil {
		return false
	}
	if host == "localhost" {
		return true
	}
	ip, err := netip.ParseAddr(host)
	return err == nil && ip.Unmap().IsLoopback()
}

// tlsConfig makes the configuration of TLS, nil for none.
func (c *Config) tlsConfig() (*tls.Config, error) {
	var cert tls.Certificate
	var err error
	switch {
	case c.TLSCert != "":
		if cert, err = tls.LoadX509KeyPair(c.TLSCert, c.TLSKey); err != nil {
			return nil, fmt.Errorf("reading the certificate: %w", err)
		}
	case c.TLSSelfSigned:
		if cert, err = selfSigned(c.PG); err != nil {
			return nil, fmt.Errorf("making a certificate: %w", err)
		}
	case c.TLSRequired || c.TLSClientCA != "":
		return nil, errors.New("TLS needs a certificate: give tls-cert and tls-key, or tls-self-signed")
	default:
		return nil, nil
	}
	t := &tls.Config{Certificates: []tls.Certificate{cert}, MinVersion: tls.VersionTLS12}
	if c.TLSClientCA != "" {
		text, err := os.ReadFile(c.TLSClientCA)
		if err != nil {
			return nil, fmt.Errorf("reading the certificates of clients' authorities: %w", err)
		}
		t.ClientCAs = x509.NewCertPool()
		if !t.ClientCAs.AppendCertsFromPEM(text) {
			return nil, fmt.Errorf("%s has no certificate", c.TLSClientCA)
		}
		t.ClientAuth = tls.VerifyClientCertIfGiven
	}
	return t, nil
}
