package driver

import (
	"context"
	"database/sql/driver"
	"fmt"
	"net/url"
	"strconv"
	"strings"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/stdlib"
)

// Defaults of a server's name.
const (
	defaultPort        = 5433
	defaultDatabase    = "cairn"
	defaultApplication = "cairn-go"
)

// server is a connector to a server.
type server struct{ driver.Connector }

func newServer(name string) (driver.Connector, error) {
	text := name
	hasPort := strings.Contains(name, "port=")
	if rest, ok := strings.CutPrefix(name, "cairn://"); ok {
		text = "postgres://" + rest
	}
	if strings.Contains(text, "://") {
		u, err := url.Parse(text)
		if err != nil {
			return nil, fmt.Errorf("cairn: the name of the server cannot be read: %w", cause(err))
		}
		hasPort = hasPort || u.Port() != ""
	}
	cfg, err := pgx.ParseConfig(text)
	if err != nil {
		return nil, fmt.Errorf("cairn: the name of the server cannot be read: %w", err)
	}
	if !hasPort {
		cfg.Port = defaultPort
		for _, f := range cfg.Fallbacks {
			f.Port = defaultPort
		}
	}
	if cfg.Database == "" || cfg.Database == cfg.User {
		cfg.Database = defaultDatabase
	}
	if cfg.RuntimeParams["application_name"] == "" {
		cfg.RuntimeParams["application_name"] = defaultApplication
	}
	reset := func(ctx context.Context, c *pgx.Conn) error {
		if c.IsClosed() {
			return driver.ErrBadConn
		}
		if _, err := c.PgConn().Exec(ctx, "ROLLBACK; RESET ALL; UNLISTEN *").ReadAll(); err != nil {
			return driver.ErrBadConn
		}
		return nil
	}
	return &server{stdlib.GetConnector(*cfg, stdlib.OptionResetSession(reset))}, nil
}

// cause is the error without the text that could not be read, which may have a password.
func cause(err error) error {
	if e, ok := err.(*url.Error); ok {
		return e.Err
	}
	return err
}

// Connect implements driver.Connector.
func (s *server) Connect(ctx context.Context) (driver.Conn, error) {
	c, err := s.Connector.Connect(ctx)
	if err != nil {
		return nil, err
	}
	return &session{c.(*stdlib.Conn)}, nil
}

// Driver implements driver.Connector.
func (s *server) Driver() driver.Driver { return Driver{} }

// session is a connection to a server. Its queries may have ? for parameters.
type session struct{ *stdlib.Conn }

// PrepareContext implements driver.ConnPrepareContext.
func (s *session) PrepareContext(ctx context.Context, query string) (driver.Stmt, error) {
	return s.Conn.PrepareContext(ctx, numbered(query))
}

// Prepare implements driver.Conn.
func (s *session) Prepare(query string) (driver.Stmt, error) {
	return s.PrepareContext(context.Background(), query)
}

// QueryContext implements driver.QueryerContext.
func (s *session) QueryContext(ctx context.Context, query string, args []driver.NamedValue) (driver.Rows, error) {
	if len(args) > 0 {
		query = numbered(query)
	}
	return s.Conn.QueryContext(ctx, query, args)
}

// ExecContext implements driver.ExecerContext.
func (s *session) ExecContext(ctx context.Context, query string, args []driver.NamedValue) (driver.Result, error) {
	if len(args) > 0 {
		query = numbered(query)
	}
	return s.Conn.ExecContext(ctx, query, args)
}

// numbered writes parameters ? as $1, $2, …, as the protocol has them. Texts, names and
// comments are left alone; the server's dialect has no operator with a question mark.
func numbered(query string) string {
	if !strings.Contains(query, "?") {
		return query
	}
	var b strings.Builder
	n := 0
	for i := 0; i < len(query); {
		j := i + 1
		switch c := query[i]; {
		case c == '\'' || c == '"':
			for j < len(query) && query[j] != c {
				j++
			}
			j = min(j+1, len(query))
		case strings.HasPrefix(query[i:], "--"):
			for j < len(query) && query[j] != '\n' {
				j++
			}
		case strings.HasPrefix(query[i:], "/*"):
			if end := strings.Index(query[i+2:], "*/"); end >= 0 {
				j = i + 2 + end + 2
			} else {
				j = len(query)
			}
		case c == '?':
			n++
			b.WriteString("$" + strconv.Itoa(n))
			i = j
			continue
		}
		b.WriteString(query[i:j])
		i = j
	}
	return b.String()
}
