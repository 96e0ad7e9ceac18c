package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/spf13/cobra"

	"github.com/cairndb/cairn/server/auth"
)

// keyAdmin is a userAdmin that can change access keys, too.
type keyAdmin interface {
	AddKey(ctx context.Context, name string, o auth.AccessKeyOptions) (*auth.NewAccessKey, error)
	Keys(ctx context.Context, name string) ([]auth.ListedKey, error)
	EnableKey(ctx context.Context, id string, on bool) error
	RemoveKey(ctx context.Context, id string) error
}

func (l *lakeUsers) AddKey(ctx context.Context, name string, o auth.AccessKeyOptions) (*auth.NewAccessKey, error) {
	return l.store.AddAccessKey(ctx, l.by, l.from, name, o)
}

func (l *lakeUsers) Keys(ctx context.Context, name string) ([]auth.ListedKey, error) {
	return l.store.AccessKeys(ctx, l.by, name)
}

func (l *lakeUsers) EnableKey(ctx context.Context, id string, on bool) error {
	return l.store.EnableAccessKey(ctx, l.by, l.from, id, on)
}

func (l *lakeUsers) RemoveKey(ctx context.Context, id string) error {
	return l.store.RemoveAccessKey(ctx, l.by, l.from, id)
}

// withKeys runs a command on the access keys.
func (p *program) withKeys(c *cobra.Command, u *userFlags, do func(ctx context.Context, a keyAdmin) error) error {
	return p.withUsers(c, u, func(ctx context.Context, a userAdmin) error {
		k, ok := a.(keyAdmin)
		if !ok {
			return errors.New("access keys are managed on the machine of the lake, with --dir: their secrets do not go over the Postgres wire")
		}
		return do(ctx, k)
	})
}

func (p *program) accessKeyCommand(u *userFlags) *cobra.Command {
	var o auth.AccessKeyOptions
	c := &cobra.Command{
		Use:   "access-key NAME",
		Short: "Make, list, disable and delete access keys for AWS clients",
		Long: `Access-key makes a key with which the AWS CLI and SDKs sign requests in the name of a
principal, and prints its ID and secret, this once. The key may do what the principal may.
It works in one account: --account, or that of the principal if it sees just one, or
000000000000, the lake's own, in which the events of all accounts are seen that the
principal sees. With --lifetime it is a temporary key with a session token.

The secret is kept wrapped as the lake's signing keys are: with the keeper, or with the
file SECRET in the lake's directory.`,
		Example: `  cairn user access-key anna
  cairn user access-key anna --account 111122223333 --json
  cairn user access-key anna --lifetime 12h
  cairn user access-key list
  cairn user access-key disable AKIAEXAMPLE
  cairn user access-key delete AKIAEXAMPLE

  export AWS_ACCESS_KEY_ID=… AWS_SECRET_ACCESS_KEY=… AWS_DEFAULT_REGION=eu-west-1
  aws cloudtrail lookup-events --endpoint-url http://127.0.0.1:8433`,
		Args: cobra.ExactArgs(1),
		RunE: func(c *cobra.Command, args []string) error {
			return p.withKeys(c, u, func(ctx context.Context, a keyAdmin) error {
				k, err := a.AddKey(ctx, args[0], o)
				if err != nil {
					return err
				}
				return p.showNewKey(k)
			})
		},
	}
	c.Flags().StringVar(&o.Account, "account", "", "account in which the key works, 12 digits")
	c.Flags().DurationVar(&o.Lifetime, "lifetime", 0, "make a temporary key that lasts this long (1m to 36h)")
	list := &cobra.Command{
		Use: "list [NAME]", Short: "List access keys, without their secrets", Args: cobra.MaximumNArgs(1),
		RunE: func(c *cobra.Command, args []string) error {
			name := ""
			if len(args) > 0 {
				name = args[0]
			}
			return p.withKeys(c, u, func(ctx context.Context, a keyAdmin) error {
				keys, err := a.Keys(ctx, name)
				if err != nil {
					return err
				}
				return p.showKeys(keys)
			})
		},
	}
	change := func(use, short string, do func(ctx context.Context, a keyAdmin, id string) error) *cobra.Command {
		return &cobra.Command{Use: use + " ID", Short: short, Args: cobra.ExactArgs(1),
			RunE: func(c *cobra.Command, args []string) error {
				return p.withKeys(c, u, func(ctx context.Context, a keyAdmin) error { return do(ctx, a, args[0]) })
			}}
	}
	c.AddCommand(list,
		change("disable", "Switch an access key off", func(ctx context.Context, a keyAdmin, id string) error { return a.EnableKey(ctx, id, false) }),
		change("enable", "Switch an access key on again", func(ctx context.Context, a keyAdmin, id string) error { return a.EnableKey(ctx, id, true) }),
		change("delete", "Delete an access key", func(ctx context.Context, a keyAdmin, id string) error { return a.RemoveKey(ctx, id) }))
	return c
}

// showNewKey prints a new key, in JSON as the AWS CLI's credential_process wants it.
func (p *program) showNewKey(k *auth.NewAccessKey) error {
	if p.json {
		out := struct {
			Version         int
			AccessKeyID     string `json:"AccessKeyId"`
			SecretAccessKey string
			SessionToken    string    `json:",omitempty"`
			Expiration      time.Time `json:",omitzero"`
			UserName        string
			AccountID       string `json:"AccountId"`
		}{1, k.AccessKeyID, k.SecretAccessKey, k.SessionToken, k.Expires, k.Principal, k.Account}
		e := json.NewEncoder(p.out)
		e.SetIndent("", "  ")
		return e.Encode(out)
	}
	fmt.Fprintf(p.out, "An access key of %s, in account %s. The secret is shown this once.\n\n", k.Principal, k.Account)
	fmt.Fprintf(p.out, "export AWS_ACCESS_KEY_ID=%s\nexport AWS_SECRET_ACCESS_KEY=%s\n", k.AccessKeyID, k.SecretAccessKey)
	if k.SessionToken != "" {
		fmt.Fprintf(p.out, "export AWS_SESSION_TOKEN=%s\n\nIt expires at %s.\n", k.SessionToken, k.Expires.Format(time.RFC3339))
	}
	return nil
}

func (p *program) showKeys(keys []auth.ListedKey) error {
	if p.json {
		e := json.NewEncoder(p.out)
		e.SetIndent("", "  ")
		return e.Encode(keys)
	}
	t := newTextTable("access key", "principal", "account", "created", "expires", "status")
	for _, k := range keys {
		expires := "never"
		if !k.Expires.IsZero() {
			expires = k.Expires.Format(time.RFC3339)
		}
		t.row(k.AccessKeyID, k.Principal, k.Account, k.Created.Format(time.RFC3339), expires, k.Status)
	}
	return t.print(p.out)
}
