package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os/user"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/cairndb/cairn/engine"
	"github.com/cairndb/cairn/server"
	"github.com/cairndb/cairn/server/auth"
)

// userAdmin changes principals: those of a lake whose directory is in hand, or those of
// a running server.
type userAdmin interface {
	List(ctx context.Context) ([]auth.Listed, error)
	Add(ctx context.Context, name string, g auth.Grants, password string) error
	Grant(ctx context.Context, name string, g auth.Grants) error
	Revoke(ctx context.Context, name string, g auth.Grants) error
	Rotate(ctx context.Context, name, password string) error
	Remove(ctx context.Context, name string) error
	// Missing returns those of some stores that there are not (yet).
	Missing(stores []string) []string
	Close() error
}

// userFlags are what the commands of users share.
type userFlags struct {
	server   string
	role     string
	stores   []string
	accounts []string
	stdin    bool
}

// grants returns what the flags give; lists that were not given stay nil.
func (u *userFlags) grants(c *cobra.Command) auth.Grants {
	g := auth.Grants{Role: u.role}
	if c.Flags().Changed("stores") {
		g.Stores = append([]string{}, u.stores...)
	}
	if c.Flags().Changed("accounts") {
		g.Accounts = append([]string{}, u.accounts...)
	}
	return g
}

const userLong = `User manages the principals that sign in at a server of the lake (cairn serve). Only
verifiers of passwords are kept, never passwords; every change is recorded in the store
cairn_audit.

  admin     everything, in all stores
  writer    appends to the stores that it was granted, and reads nothing
  reader    queries the stores that it was granted; with --accounts, only events of those
  auditor   queries, verifies and exports, and sees cairn_audit

The commands work on the lake in a directory of this machine (--dir), also while a server has
it open, if they run as the server's user or root; or, with --server HOST:PORT, at a server
anywhere. There they sign in as admin, or as the user of --server USER@HOST:PORT; the
password is asked for, or taken from $CAIRN_PASSWORD. The server is given verifiers, and
never sees the passwords that are set.`

func (p *program) userCommand() *cobra.Command {
	u := &userFlags{}
	cmd := &cobra.Command{
		Use:   "user",
		Short: "Add, list, change and remove those who may sign in",
		Long:  userLong,
		Example: `  cairn user add anna --role reader --stores events
  cairn user add payroll --role reader --stores events --accounts 111122223333,444455556666
  cairn user add shipper --role writer --stores events --password-stdin < password.txt
  cairn user list
  cairn user grant anna --stores billing
  cairn user rotate anna
  cairn user remove anna
  cairn user access-key anna --account 111122223333
  cairn user list --server 127.0.0.1:5433
  cairn user rotate admin --server admin@db.example.com:5433`,
	}
	cmd.PersistentFlags().StringVar(&u.server, "server", "", "change principals at this running server: HOST:PORT, USER@HOST:PORT or cairn://USER@HOST:PORT/?sslmode=…")
	cmd.AddCommand(p.userAddCommand(u), p.userListCommand(u), p.userShowCommand(u), p.userGrantCommand(u), p.userRevokeCommand(u), p.userRotateCommand(u), p.userRemoveCommand(u), p.accessKeyCommand(u))
	return cmd
}

// users opens what the commands work on.
func (p *program) users(c *cobra.Command, u *userFlags) (userAdmin, error) {
	if u.server != "" {
		if p.dir != "" {
			return nil, usagef("give --dir or --server, not both")
		}
		return p.usersAt(c, u.server)
	}
	dir, err := p.lakeDir()
	if err != nil {
		return nil, err
	}
	if r, err := server.DialUsers(c.Context(), dir); !errors.Is(err, server.ErrNotServed) {
		return r, err
	}
	lake, err := p.open(true)
	if errors.Is(err, engine.ErrUnavailable) {
		return nil, fmt.Errorf("%w\nif that is a server elsewhere, or one without a socket in that directory, give it as --server HOST:PORT", err)
	}
	if err != nil {
		return nil, err
	}
	store, err := auth.Open(c.Context(), lake, auth.Options{Logger: p.logger()})
	if err != nil {
		return nil, errors.Join(err, lake.Close())
	}
	name := "unknown"
	if who, err := user.Current(); err == nil {
		name = who.Username
	}
	return &lakeUsers{lake: lake, store: store, by: auth.Superuser(name), from: auth.Origin{User: name, Application: "cairn"}}, nil
}

// withUsers runs a command on the principals.
func (p *program) withUsers(c *cobra.Command, u *userFlags, do func(ctx context.Context, a userAdmin) error) error {
	a, err := p.users(c, u)
	if err != nil {
		return err
	}
	err = do(c.Context(), a)
	if e := a.Close(); err == nil {
		err = e
	}
	if errors.Is(err, engine.ErrBadInput) {
		return usageError{err}
	}
	return err
}

// lakeUsers are the principals of a lake that this process has open.
type lakeUsers struct {
	lake  *engine.Lake
	store *auth.Store
	by    *auth.Principal
	from  auth.Origin
}

func (l *lakeUsers) List(ctx context.Context) ([]auth.Listed, error) { return l.store.List(ctx, l.by) }

func (l *lakeUsers) Add(ctx context.Context, name string, g auth.Grants, password string) error {
	_, err := l.store.Add(ctx, l.by, l.from, name, g, password)
	return err
}

func (l *lakeUsers) Grant(ctx context.Context, name string, g auth.Grants) error {
	return l.store.Grant(ctx, l.by, l.from, name, g)
}

func (l *lakeUsers) Revoke(ctx context.Context, name string, g auth.Grants) error {
	return l.store.Revoke(ctx, l.by, l.from, name, g)
}

func (l *lakeUsers) Rotate(ctx context.Context, name, password string) error {
	_, err := l.store.Rotate(ctx, l.by, l.from, name, password)
	return err
}

func (l *lakeUsers) Remove(ctx context.Context, name string) error {
	return l.store.Remove(ctx, l.by, l.from, name)
}

func (l *lakeUsers) Missing(stores []string) []string { return server.MissingStores(l.lake, stores) }

func (l *lakeUsers) Close() error { return l.lake.Close() }

// passwordMax bounds what is read as a password from standard input: the longest one
// and its line's end.
const passwordMax = auth.PasswordMax + 2

// newPassword returns the password to set, and the same again when it was made here and
// has to be shown.
func (p *program) newPassword(name string, u *userFlags) (password, show string, err error) {
	if !u.stdin {
		password, err = auth.GeneratePassword(nil)
		return password, password, err
	}
	b, err := bufio.NewReader(io.LimitReader(p.in, passwordMax+1)).ReadString('\n')
	if err != nil && err != io.EOF {
		return "", "", fmt.Errorf("reading the password: %w", err)
	}
	b = strings.TrimRight(b, "\r\n")
	if b == "" {
		return "", "", usagef("--password-stdin: standard input has no password on its first line")
	}
	if _, ok, err := auth.ParseVerifier(b); ok {
		return b, "", err
	}
	return b, "", auth.CheckPassword(name, b)
}

// addFlags adds --stores and --accounts.
func (u *userFlags) addGrantFlags(c *cobra.Command, stores, accounts string) {
	c.Flags().StringSliceVar(&u.stores, "stores", nil, stores)
	c.Flags().StringSliceVar(&u.accounts, "accounts", nil, accounts)
}

func (u *userFlags) addPasswordFlag(c *cobra.Command) {
	c.Flags().BoolVar(&u.stdin, "password-stdin", false, "read the password from the first line of standard input, instead of making one")
}

func (p *program) userAddCommand(u *userFlags) *cobra.Command {
	c := &cobra.Command{
		Use:   "add NAME --role ROLE",
		Short: "Add a principal",
		Long: `Add makes a principal with a role: admin, writer, reader or auditor. Admins and auditors
have all stores unless some are named; writers and readers have none but those named. A
reader with --accounts sees events of those accounts only (by recipientAccountId).

A password is made and printed, this once, unless one comes from standard input. It has
12 characters or more, 5 of them different, and does not contain the name.`,
		Example: `  cairn user add anna --role reader --stores events
  cairn user add grafana --role reader --stores '*' --password-stdin < password.txt
  cairn user add payroll --role reader --stores events --accounts 111122223333`,
		Args: cobra.ExactArgs(1),
		RunE: func(c *cobra.Command, args []string) error {
			name, g := args[0], u.grants(c)
			if g.Role == "" {
				return usagef("--role is needed: admin, writer, reader or auditor")
			}
			if _, err := auth.ParseRole(g.Role); err != nil {
				return usageError{err}
			}
			password, show, err := p.newPassword(name, u)
			if err != nil {
				return usageError{err}
			}
			return p.withUsers(c, u, func(ctx context.Context, a userAdmin) error {
				if err := a.Add(ctx, name, g, password); err != nil {
					return err
				}
				return p.showUser(ctx, a, name, show, "added")
			})
		},
	}
	c.Flags().StringVar(&u.role, "role", "", "admin, writer, reader or auditor")
	u.addGrantFlags(c, "stores, by name, with commas between them; '*' for all, those to come included", "accounts whose events a reader sees, with commas between them (default: all)")
	u.addPasswordFlag(c)
	return c
}

func (p *program) userListCommand(u *userFlags) *cobra.Command {
	return &cobra.Command{
		Use:     "list",
		Short:   "List the principals",
		Example: "  cairn user list --json",
		Args:    cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			return p.withUsers(c, u, func(ctx context.Context, a userAdmin) error {
				list, err := a.List(ctx)
				if err != nil {
					return err
				}
				if p.json {
					return p.printJSON(list)
				}
				if len(list) == 0 {
					fmt.Fprintln(p.err, "The lake has no principals: add one with cairn user add, or start cairn serve, which makes an admin.")
					return nil
				}
				t := newTextTable("name", "role", "stores", "accounts", "created", "password set")
				for _, x := range list {
					t.row(x.Name, x.Role, namesText(x.Stores), namesText(x.Accounts), x.Created.Format(time.DateTime), x.Rotated.Format(time.DateTime))
				}
				return t.print(p.out)
			})
		},
	}
}

// namesText writes a list of stores or accounts.
func namesText(list []string) string {
	if len(list) == 0 {
		return "none"
	}
	if list[0] == engine.All {
		return "all"
	}
	return strings.Join(list, ", ")
}

func (p *program) userShowCommand(u *userFlags) *cobra.Command {
	return &cobra.Command{
		Use:     "show NAME",
		Short:   "Show a principal",
		Example: "  cairn user show anna",
		Args:    cobra.ExactArgs(1),
		RunE: func(c *cobra.Command, args []string) error {
			return p.withUsers(c, u, func(ctx context.Context, a userAdmin) error {
				return p.showUser(ctx, a, args[0], "", "")
			})
		},
	}
}

// showUser prints a principal after something was done to it, with a password that was
// made for it.
func (p *program) showUser(ctx context.Context, a userAdmin, name, password, done string) error {
	list, err := a.List(ctx)
	if err != nil {
		return err
	}
	for _, x := range list {
		if !strings.EqualFold(x.Name, name) {
			continue
		}
		if missing := a.Missing(x.Stores); len(missing) > 0 && done != "" {
			fmt.Fprintf(p.err, "cairn: there is no store called %s yet\n", strings.Join(missing, ", nor "))
		}
		if len(x.Stores) == 0 && done != "" {
			fmt.Fprintf(p.err, "cairn: %s has no stores: cairn user grant %s --stores NAME\n", x.Name, x.Name)
		}
		if p.json {
			return p.printJSON(struct {
				auth.Listed
				Password string `json:"password,omitempty"`
			}{x, password})
		}
		if done != "" {
			fmt.Fprintf(p.err, "%s %s\n", done, x.Name)
		}
		t := newTextTable("name", "role", "stores", "accounts", "created", "password set")
		t.row(x.Name, x.Role, namesText(x.Stores), namesText(x.Accounts), x.Created.Format(time.DateTime), x.Rotated.Format(time.DateTime))
		if err := t.print(p.out); err != nil {
			return err
		}
		if password != "" {
			fmt.Fprintf(p.out, "\nThe password of %s, shown this once:\n\n    %s\n", x.Name, password)
		}
		return nil
	}
	return fmt.Errorf("%w: there is no principal %q; cairn user list shows them", engine.ErrNotFound, name)
}

func (p *program) userGrantCommand(u *userFlags) *cobra.Command {
	c := &cobra.Command{
		Use:   "grant NAME",
		Short: "Give a principal another role, more stores or accounts",
		Long: `Grant adds stores and accounts to those that a principal has, and changes its role. '*'
takes the place of single ones. Sessions that are open have it at their next statement.

To limit a reader of all accounts to some, revoke all of them first:
  cairn user revoke anna --accounts '*'
  cairn user grant anna --accounts 111122223333`,
		Example: `  cairn user grant anna --stores billing,config
  cairn user grant anna --role auditor`,
		Args: cobra.ExactArgs(1),
		RunE: func(c *cobra.Command, args []string) error {
			g := u.grants(c)
			if g.Role == "" && g.Stores == nil && g.Accounts == nil {
				return usagef("nothing to grant: give --role, --stores or --accounts")
			}
			return p.withUsers(c, u, func(ctx context.Context, a userAdmin) error {
				if err := a.Grant(ctx, args[0], g); err != nil {
					return err
				}
				return p.showUser(ctx, a, args[0], "", "granted")
			})
		},
	}
	c.Flags().StringVar(&u.role, "role", "", "admin, writer, reader or auditor, in place of the role it has")
	u.addGrantFlags(c, "stores to add; '*' for all", "accounts to add; '*' for all")
	return c
}

func (p *program) userRevokeCommand(u *userFlags) *cobra.Command {
	c := &cobra.Command{
		Use:   "revoke NAME",
		Short: "Take stores or accounts from a principal",
		Long: `Revoke takes stores and accounts away; '*' takes all. Who has lost the last account sees no
events: that is not the same as having all. A role is not revoked but replaced (grant).`,
		Example: `  cairn user revoke anna --stores billing
  cairn user revoke anna --accounts '*'`,
		Args: cobra.ExactArgs(1),
		RunE: func(c *cobra.Command, args []string) error {
			g := u.grants(c)
			if g.Stores == nil && g.Accounts == nil {
				return usagef("nothing to revoke: give --stores or --accounts")
			}
			return p.withUsers(c, u, func(ctx context.Context, a userAdmin) error {
				if err := a.Revoke(ctx, args[0], g); err != nil {
					return err
				}
				return p.showUser(ctx, a, args[0], "", "revoked from")
			})
		},
	}
	u.addGrantFlags(c, "stores to take; '*' for all", "accounts to take; '*' for all")
	return c
}

func (p *program) userRotateCommand(u *userFlags) *cobra.Command {
	c := &cobra.Command{
		Use:   "rotate NAME",
		Short: "Set a new password",
		Long: `Rotate makes a new password and prints it, this once, or takes one from standard input.
The old one is of no use from then on; sessions that are open go on.`,
		Example: `  cairn user rotate anna
  cairn user rotate anna --password-stdin < password.txt`,
		Args: cobra.ExactArgs(1),
		RunE: func(c *cobra.Command, args []string) error {
			password, show, err := p.newPassword(args[0], u)
			if err != nil {
				return usageError{err}
			}
			return p.withUsers(c, u, func(ctx context.Context, a userAdmin) error {
				if err := a.Rotate(ctx, args[0], password); err != nil {
					return err
				}
				return p.showUser(ctx, a, args[0], show, "changed the password of")
			})
		},
	}
	u.addPasswordFlag(c)
	return c
}

func (p *program) userRemoveCommand(u *userFlags) *cobra.Command {
	return &cobra.Command{
		Use:     "remove NAME",
		Aliases: []string{"delete"},
		Short:   "Remove a principal",
		Long:    "Remove removes a principal. Its sessions end at their next statement. The last admin stays.",
		Example: "  cairn user remove anna",
		Args:    cobra.ExactArgs(1),
		RunE: func(c *cobra.Command, args []string) error {
			return p.withUsers(c, u, func(ctx context.Context, a userAdmin) error {
				if err := a.Remove(ctx, args[0]); err != nil {
					return err
				}
				if p.json {
					return p.printJSON(map[string]string{"removed": args[0]})
				}
				fmt.Fprintf(p.err, "removed %s\n", args[0])
				return nil
			})
		},
	}
}
