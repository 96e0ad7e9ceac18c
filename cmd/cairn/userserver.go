package main

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"net/url"
	"os"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"golang.org/x/term"

	"github.com/cairndb/cairn/engine"
	"github.com/cairndb/cairn/server/auth"
	"github.com/cairndb/cairn/sql/driver"
	"github.com/cairndb/cairn/sql/sqlerr"
)

// passwordEnv has the password that commands sign in at a server with.
const passwordEnv = "CAIRN_PASSWORD"

// serverUsers are the principals of a running server, changed by its statements about
// them (server/pg/users.go). Passwords stay here: the server is given verifiers.
type serverUsers struct{ db *sql.DB }

// usersAt signs in at a server.
func (p *program) usersAt(c *cobra.Command, at string) (userAdmin, error) {
	name, err := p.serverName(at)
	if err != nil {
		return nil, err
	}
	db, err := sql.Open("cairn", name)
	if err != nil {
		return nil, usageError{err}
	}
	db.SetMaxOpenConns(1)
	if err := db.PingContext(c.Context()); err != nil {
		db.Close()
		return nil, fmt.Errorf("signing in at the server: %w", err)
	}
	return &serverUsers{db}, nil
}

// serverName completes HOST, USER@HOST:PORT or a URL: the user is admin and the password
// from the environment, or asked for on a terminal, unless the URL has them.
func (p *program) serverName(at string) (string, error) {
	text := at
	if !strings.Contains(at, "://") {
		text = "cairn://" + at
	}
	u, err := url.Parse(text)
	if err != nil || u.Host == "" {
		return "", usagef("--server is HOST, USER@HOST:PORT or cairn://USER@HOST:PORT/?sslmode=…")
	}
	user := u.User.Username()
	if user == "" {
		user = auth.BootstrapName
	}
	password, given := u.User.Password()
	if !given {
		password, given = os.LookupEnv(passwordEnv)
	}
	if in, ok := p.in.(*os.File); !given && ok && onTerminal(in) {
		fmt.Fprintf(p.err, "password of %s at %s: ", user, u.Host)
		b, err := term.ReadPassword(int(in.Fd()))
		fmt.Fprintln(p.err)
		if err != nil {
			return "", err
		}
		password, given = string(b), true
	}
	if !given {
		return "", usagef("no password to sign in with: set %s, or run the command on a terminal", passwordEnv)
	}
	u.User = url.UserPassword(user, password)
	q := u.Query()
	if !q.Has("application_name") {
		q.Set("application_name", "cairn-user")
	}
	u.RawQuery = q.Encode()
	return u.String(), nil
}

// kindOf gives the kinds of the engine's errors back to those that a server has sent.
func kindOf(err error) error {
	kind := map[string]error{sqlerr.InvalidArgument: engine.ErrBadInput, sqlerr.SyntaxError: engine.ErrBadInput}[driver.State(err)]
	if err == nil || kind == nil {
		return err
	}
	return serverError{err, kind}
}

// serverError is an error of a server, of a kind.
type serverError struct{ err, kind error }

func (e serverError) Error() string   { return e.err.Error() }
func (e serverError) Unwrap() []error { return []error{e.err, e.kind} }

// ident writes a name in a statement.
func ident(name string) string { return `"` + strings.ReplaceAll(name, `"`, `""`) + `"` }

// text writes a text in a statement. Names with zero bytes are not sent.
func text(s string) string { return "'" + strings.ReplaceAll(s, "'", "''") + "'" }

// grantText writes grants.
func grantText(g auth.Grants) string {
	var b strings.Builder
	if g.Role != "" {
		b.WriteString(" ROLE " + ident(g.Role))
	}
	for _, x := range []struct {
		word  string
		names []string
	}{{"STORES", g.Stores}, {"ACCOUNTS", g.Accounts}} {
		if len(x.names) == 0 {
			continue
		}
		list := make([]string, len(x.names))
		for i, name := range x.names {
			list[i] = text(name)
		}
		b.WriteString(" " + x.word + " (" + strings.Join(list, ", ") + ")")
	}
	return b.String()
}

func (s *serverUsers) exec(ctx context.Context, statement string) error {
	if strings.ContainsRune(statement, 0) {
		return usagef("names have no zero bytes")
	}
	_, err := s.db.ExecContext(ctx, statement)
	return kindOf(err)
}

// verifier is the text of a password's verifier: the server never sees the password.
func verifier(password string) (string, error) {
	if _, ok, err := auth.ParseVerifier(password); ok {
		return password, err
	}
	v, err := auth.MakeVerifier(nil, password)
	if err != nil {
		return "", err
	}
	return auth.FormatVerifier(v), nil
}

// List implements userAdmin.
func (s *serverUsers) List(ctx context.Context) ([]auth.Listed, error) {
	rows, err := s.db.QueryContext(ctx, "SHOW USERS")
	if err != nil {
		return nil, kindOf(err)
	}
	defer rows.Close()
	list := []auth.Listed{}
	for rows.Next() {
		var x auth.Listed
		var stores, accounts, created, rotated, first string
		if err := rows.Scan(&x.Name, &x.Role, &stores, &accounts, &created, &rotated, &first); err != nil {
			return nil, err
		}
		x.FirstPassword = first == "on"
		err := errors.Join(json.Unmarshal([]byte(stores), &x.Stores), json.Unmarshal([]byte(accounts), &x.Accounts))
		if err == nil {
			x.Created, err = time.Parse(time.RFC3339Nano, created)
		}
		if err == nil {
			x.Rotated, err = time.Parse(time.RFC3339Nano, rotated)
		}
		if err != nil {
			return nil, fmt.Errorf("reading what the server tells of %s: %w", x.Name, err)
		}
		list = append(list, x)
	}
	return list, kindOf(rows.Err())
}

// Add implements userAdmin.
func (s *serverUsers) Add(ctx context.Context, name string, g auth.Grants, password string) error {
	v, err := verifier(password)
	if err != nil {
		return err
	}
	return s.exec(ctx, "CREATE USER "+ident(name)+grantText(g)+" PASSWORD "+text(v))
}

// Grant implements userAdmin.
func (s *serverUsers) Grant(ctx context.Context, name string, g auth.Grants) error {
	return s.exec(ctx, "GRANT"+grantText(g)+" TO "+ident(name))
}

// Revoke implements userAdmin.
func (s *serverUsers) Revoke(ctx context.Context, name string, g auth.Grants) error {
	return s.exec(ctx, "REVOKE"+grantText(g)+" FROM "+ident(name))
}

// Rotate implements userAdmin.
func (s *serverUsers) Rotate(ctx context.Context, name, password string) error {
	v, err := verifier(password)
	if err != nil {
		return err
	}
	return s.exec(ctx, "ALTER USER "+ident(name)+" PASSWORD "+text(v))
}

// Remove implements userAdmin.
func (s *serverUsers) Remove(ctx context.Context, name string) error {
	return s.exec(ctx, "DROP USER "+ident(name))
}

// Missing implements userAdmin.
func (s *serverUsers) Missing(stores []string) (out []string) {
	for _, name := range stores {
		if name == engine.All {
			continue
		}
		// An error other than that there is no such table says nothing about the store.
		if _, err := s.db.Exec("SELECT 1 FROM " + ident(name) + " LIMIT 0"); driver.State(err) == sqlerr.UndefinedTable {
			out = append(out, name)
		}
	}
	return out
}

// Close implements userAdmin.
func (s *serverUsers) Close() error { return s.db.Close() }
