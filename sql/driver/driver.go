package driver

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"fmt"
	"io"
	"strings"
)

func init() { sql.Register("cairn", Driver{}) }

// Driver implements driver.Driver and driver.DriverContext. It is registered as "cairn".
type Driver struct{}

// Open opens one connection. Programs use sql.Open.
func (d Driver) Open(name string) (driver.Conn, error) {
	c, err := d.OpenConnector(name)
	if err != nil {
		return nil, err
	}
	conn, err := c.Connect(context.Background())
	if closer, ok := c.(io.Closer); ok {
		// The connection has a use of the lake of its own.
		if e := closer.Close(); err == nil && e != nil {
			return nil, errors.Join(e, conn.Close())
		}
	}
	return conn, err
}

// OpenConnector reads the name of a source. Nothing is opened before the first use.
func (Driver) OpenConnector(name string) (driver.Connector, error) {
	switch scheme, _, ok := strings.Cut(name, ":"); {
	case name == "":
		return nil, errors.New("cairn: the name of the source is empty: it is a directory, file:DIRECTORY?option=value or cairn://user@host:port/")
	case ok && (scheme == "cairn" || scheme == "postgres" || scheme == "postgresql") && strings.HasPrefix(name[len(scheme):], "://"),
		strings.Contains(name, "host=") || strings.Contains(name, "user=") && !strings.HasPrefix(name, "file:"):
		return newServer(name)
	case ok && scheme == "file":
		return newDirectoryURL(name)
	case strings.Contains(name, "://"):
		// The rest of the name may have a password.
		scheme, _, _ := strings.Cut(name, "://")
		return nil, fmt.Errorf("cairn: the scheme %q of the source's name is not one of cairn, postgres, postgresql, file", scheme)
	}
	return &directory{path: name}, nil
}

// State returns the SQLSTATE of an error of a query, from a lake or a server; "" when it
// has none.
func State(err error) string {
	var e interface{ SQLState() string }
	if errors.As(err, &e) {
		return e.SQLState()
	}
	return ""
}
