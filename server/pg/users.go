package pg

import (
	"context"
	"encoding/json"
	"strings"

	"github.com/cairndb/cairn/segment/column"
	"github.com/cairndb/cairn/server/auth"
	"github.com/cairndb/cairn/sql/sqlerr"
)

// The statements about principals, which are those of the lake's catalogue and not of
// the query engine. USER may be ROLE. psql's \password works.
//
//	CREATE USER name ROLE role [STORES (name, …)] [ACCOUNTS ('id', …)] [PASSWORD 'text']
//	ALTER USER name PASSWORD ['text']
//	DROP USER name
//	GRANT [ROLE role] [STORES (name, …)] [ACCOUNTS ('id', …)] TO name
//	REVOKE [STORES (name, …)] [ACCOUNTS ('id', …)] FROM name
//	SHOW USERS
//
// A text is a password, or a verifier as PostgreSQL writes it, which keeps the password
// from the server. Without a text a password is made, and is the result. * stands for all
// stores or accounts.

// userChange is what such a statement says.
type userChange struct {
	grants   auth.Grants
	password *string // nil for one that is to be made
}

var (
	userColumns = outputs([]string{"name", "role", "stores", "accounts", "created", "rotated", "first_password"}, []*column.Type{
		column.VarcharType, column.VarcharType, column.VarcharType, column.VarcharType, column.VarcharType, column.VarcharType, column.VarcharType})
	passwordColumns = outputs([]string{"name", "password"}, []*column.Type{column.VarcharType, column.VarcharType})
)

// userCommand reads a statement about principals; nil for any other.
func (r *reader) userCommand() (*command, error) {
	start := r.t
	c := &command{user: &userChange{}, tag: strings.ToUpper(start.text)}
	ahead := *r
	ahead.next()
	switch start.text {
	case "create", "alter", "drop":
		if !ahead.t.is("user") && !ahead.t.is("role") {
			return nil, nil
		}
		c.verb = map[string]verb{"create": verbCreateUser, "alter": verbAlterUser, "drop": verbDropUser}[start.text]
		c.tag += " ROLE"
		*r = ahead
		r.next()
		return r.userNamed(c)
	case "grant", "revoke":
		c.verb = verbGrant
		if start.text == "revoke" {
			c.verb = verbRevoke
		}
		*r = ahead
		if !r.t.is("role") && !r.t.is("stores") && !r.t.is("accounts") {
			return nil, sqlerr.New(codeForbidden, sqlerr.Pos{Start: start.start, End: start.end}, "%s of privileges is refused: a principal has a role, stores and accounts", c.tag).
				WithHint("GRANT STORES (events) TO name; GRANT ROLE auditor TO name; see: cairn user --help")
		}
		for r.t.is("role") || r.t.is("stores") || r.t.is("accounts") {
			if err := r.grant(c.user); err != nil {
				return nil, err
			}
		}
		word := map[verb]string{verbGrant: "to", verbRevoke: "from"}[c.verb]
		if !r.accept(word) {
			return nil, r.unexpected()
		}
		var err error
		if c.name, err = r.ident(); err != nil {
			return nil, err
		}
		return r.end(c)
	}
	return nil, nil
}

// userNamed reads what follows CREATE USER, ALTER USER and DROP USER.
func (r *reader) userNamed(c *command) (*command, error) {
	var err error
	if c.name, err = r.ident(); err != nil {
		return nil, err
	}
	if c.verb == verbDropUser {
		return r.end(c)
	}
	r.accept("with")
	said := false
	for r.t.kind != tokenEnd {
		switch {
		case r.accept("login"), r.accept("encrypted"): // what PostgreSQL's users write
		case r.accept("password"):
			said = true
			if r.t.kind == tokenString {
				text := r.next().text
				c.user.password = &text
			} else if r.t.is("null") {
				return nil, sqlerr.New(sqlerr.FeatureNotSupported, sqlerr.Pos{Start: r.t.start, End: r.t.end}, "a principal has a password").
					WithHint("PASSWORD without a text makes one")
			}
		case c.verb == verbCreateUser && (r.t.is("role") || r.t.is("stores") || r.t.is("accounts")):
			if err := r.grant(c.user); err != nil {
				return nil, err
			}
		default:
			return nil, r.unexpected()
		}
	}
	if c.verb == verbAlterUser && !said {
		return nil, r.unexpected()
	}
	return r.end(c)
}

// grant reads one of ROLE role, STORES (…), ACCOUNTS (…).
func (r *reader) grant(u *userChange) error {
	word := r.next().text
	if word == "role" {
		role := r.t
		if role.kind != tokenWord && role.kind != tokenQuoted && role.kind != tokenString {
			return r.unexpected()
		}
		r.next()
		u.grants.Role = role.text
		return nil
	}
	list := []string{}
	if !r.acceptSign("(") {
		return r.unexpected()
	}
	for {
		t := r.t
		switch {
		case t.isSign("*"):
			list = append(list, "*")
		case t.kind == tokenString, t.kind == tokenNumber, t.kind == tokenWord, t.kind == tokenQuoted && t.text != "":
			list = append(list, t.text)
		default:
			return r.unexpected()
		}
		r.next()
		if !r.acceptSign(",") {
			break
		}
	}
	if !r.acceptSign(")") {
		return r.unexpected()
	}
	if word == "stores" {
		u.grants.Stores = append(u.grants.Stores, list...)
	} else {
		u.grants.Accounts = append(u.grants.Accounts, list...)
	}
	return nil
}

// changeUser runs a statement about principals.
func (s *session) changeUser(c *command, p *portal, limit int64, simple bool) error {
	users := s.p.Users()
	if users == nil {
		return sqlerr.New(codeForbidden, sqlerr.Pos{}, "this server lets everybody in without a name: it does not change principals").
			WithHint("stop it and use: cairn user --dir DIR")
	}
	if p.rows == nil && !p.done {
		ctx, cancel := context.WithCancel(context.Background())
		defer cancel()
		defer s.c.running(cancel, s.limit())()
		rows, err := s.doChangeUser(ctx, users, c)
		if err != nil {
			return err
		}
		if rows == nil {
			s.complete(c.tag)
			return nil
		}
		p.rows = rows
	}
	tag := c.tag
	if c.verb == verbShowUsers {
		tag = "SHOW"
	}
	return s.answer(p, limit, simple, func(int64) string { return tag })
}

// doChangeUser makes the change; rows is nil when nothing is to be told.
func (s *session) doChangeUser(ctx context.Context, users Users, c *command) (rows source, err error) {
	app := s.settings.value("application_name")
	password := ""
	if c.user.password != nil {
		if password = *c.user.password; password == "" {
			return nil, sqlerr.New(sqlerr.InvalidArgument, sqlerr.Pos{}, "the password is empty").WithHint("PASSWORD without a text makes one")
		}
	}
	made := ""
	switch c.verb {
	case verbShowUsers:
		list, err := users.List(ctx)
		if err != nil {
			return nil, err
		}
		return userRows(list), nil
	case verbCreateUser:
		made, err = users.Add(ctx, c.name, c.user.grants, password, app)
	case verbAlterUser:
		made, err = users.Rotate(ctx, c.name, password, app)
	case verbDropUser:
		err = users.Remove(ctx, c.name, app)
	case verbGrant:
		err = users.Grant(ctx, c.name, c.user.grants, app)
	case verbRevoke:
		err = users.Revoke(ctx, c.name, c.user.grants, app)
	}
	if err != nil || made == "" {
		return nil, err
	}
	return textRows([]string{c.name}, []string{made}), nil
}

// userRows shows principals; lists are JSON.
func userRows(list []auth.Listed) source {
	columns := make([][]string, len(userColumns))
	for _, x := range list {
		stores, _ := json.Marshal(x.Stores)
		accounts, _ := json.Marshal(x.Accounts)
		const form = "2006-01-02T15:04:05.000000Z"
		for i, v := range []string{x.Name, x.Role, string(stores), string(accounts), x.Created.Format(form), x.Rotated.Format(form), onOff(x.FirstPassword)} {
			columns[i] = append(columns[i], v)
		}
	}
	return textRows(columns...)
}
