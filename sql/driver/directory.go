package driver

import (
	"context"
	"database/sql/driver"
	"fmt"
	"net/url"
	"path/filepath"
	"strconv"
	"strings"
	"sync"

	"github.com/cairndb/cairn/engine"
	"github.com/cairndb/cairn/sql"
)

// Source is a lake, or a part of one: *engine.Lake and *engine.View are sources.
type Source interface {
	// Snapshot returns what all queries of a transaction see.
	Snapshot() (*engine.Snapshot, error)
	// LazySnapshot returns what one query sees.
	LazySnapshot() (*engine.Snapshot, error)
}

// NewConnector returns a connector for sql.OpenDB to a lake that the caller has open, and
// goes on to own. Queries are read in Trino's dialect.
func NewConnector(s Source) driver.Connector { return &opened{source: s} }

// opened is a connector to a source that somebody else closes.
type opened struct{ source Source }

// Connect implements driver.Connector.
func (o *opened) Connect(ctx context.Context) (driver.Conn, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	return &conn{source: o.source, dialect: sql.Trino}, nil
}

// Driver implements driver.Connector.
func (o *opened) Driver() driver.Driver { return Driver{} }

// directory is a connector to a lake's directory. It has a use of the lake from the first
// connection on until it is closed.
type directory struct {
	path     string
	readOnly bool
	create   bool
	dialect  sql.Dialect

	mu     sync.Mutex
	shared *shared
	closed bool
}

// newDirectoryURL reads file:PATH?options.
func newDirectoryURL(name string) (*directory, error) {
	text, query, _ := strings.Cut(strings.TrimPrefix(name, "file:"), "?")
	text = strings.TrimPrefix(text, "//")
	path, err := url.PathUnescape(text)
	if err != nil || path == "" {
		return nil, fmt.Errorf("cairn: %q has no path that can be read", name)
	}
	options, err := url.ParseQuery(query)
	if err != nil {
		return nil, fmt.Errorf("cairn: the options of %q: %w", name, err)
	}
	d := &directory{path: path, dialect: sql.Trino}
	for key, values := range options {
		value := values[len(values)-1]
		switch key {
		case "readonly", "create":
			on, err := strconv.ParseBool(value)
			if err != nil {
				return nil, fmt.Errorf("cairn: option %s is %q, must be true or false", key, value)
			}
			if key == "readonly" {
				d.readOnly = on
			} else {
				d.create = on
			}
		case "dialect":
			switch value {
			case "trino":
			case "postgres":
				d.dialect = sql.Postgres
			default:
				return nil, fmt.Errorf("cairn: option dialect is %q, must be trino or postgres", value)
			}
		default:
			return nil, fmt.Errorf("cairn: there is no option %q; there are readonly, create and dialect", key)
		}
	}
	return d, nil
}

// Connect implements driver.Connector.
func (d *directory) Connect(ctx context.Context) (driver.Conn, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.closed {
		return nil, fmt.Errorf("cairn: the connector to %s is closed", d.path)
	}
	if d.shared == nil {
		s, err := share(d)
		if err != nil {
			return nil, err
		}
		d.shared = s
	}
	d.shared.hold()
	return &conn{source: d.shared.lake, dialect: d.dialect, release: d.shared.release}, nil
}

// Driver implements driver.Connector.
func (d *directory) Driver() driver.Driver { return Driver{} }

// Close gives up the connector's use of the lake; sql.DB.Close calls it.
func (d *directory) Close() error {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.closed = true
	if d.shared == nil {
		return nil
	}
	s := d.shared
	d.shared = nil
	return s.release()
}

// shared is an open lake that connectors and connections of this process use together.
type shared struct {
	lake     *engine.Lake
	path     string
	readOnly bool
	uses     int
}

// lakes are the open ones, by path. The lock is held while one is opened or closed, so
// that whoever comes then finds it open or can open it.
var lakes = struct {
	sync.Mutex
	byPath map[string]*shared
}{byPath: map[string]*shared{}}

// share returns the lake of a directory with a use for the caller.
func share(d *directory) (*shared, error) {
	path, err := filepath.Abs(d.path)
	if err != nil {
		return nil, fmt.Errorf("cairn: %w", err)
	}
	if real, err := filepath.EvalSymlinks(path); err == nil {
		path = real
	}
	lakes.Lock()
	defer lakes.Unlock()
	if s := lakes.byPath[path]; s != nil {
		if s.readOnly != d.readOnly {
			return nil, fmt.Errorf("cairn: %s is open in this process with readonly=%t", d.path, s.readOnly)
		}
		s.uses++
		return s, nil
	}
	lake, err := engine.Open(path, &engine.Options{MustExist: !d.create, ReadOnly: d.readOnly})
	if err != nil {
		return nil, err
	}
	s := &shared{lake: lake, path: path, readOnly: d.readOnly, uses: 1}
	lakes.byPath[path] = s
	return s, nil
}

func (s *shared) hold() {
	lakes.Lock()
	defer lakes.Unlock()
	s.uses++
}

// release gives up a use; the last one closes the lake.
func (s *shared) release() error {
	lakes.Lock()
	defer lakes.Unlock()
	if s.uses--; s.uses > 0 {
		return nil
	}
	delete(lakes.byPath, s.path)
	return s.lake.Close()
}
