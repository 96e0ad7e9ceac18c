package main

import (
	"context"
	"fmt"
	"net/url"
	"strings"

	"gocloud.dev/secrets"
	_ "gocloud.dev/secrets/awskms" // awskms://

	"github.com/cairndb/cairn/engine/crypt"
)

// cloudKeeper is a key in a key management service. It is asked once when a lake is
// opened.
type cloudKeeper struct {
	url string // without what its query says
	k   *secrets.Keeper
}

// openCloudKeeper opens a keeper by its URL in the form of gocloud.dev/secrets. AWS
// KMS costs the program two megabytes, as S3 is there anyway; the drivers of other
// services cost tens, and are added by building the program with a file more that
// imports them.
func openCloudKeeper(target string) (crypt.Keeper, error) {
	u, err := url.Parse(target)
	if err != nil || u.Scheme == "" {
		return nil, fmt.Errorf("%w: %s", crypt.ErrKeeper, target)
	}
	if !secrets.DefaultURLMux().ValidKeeperScheme(u.Scheme) {
		return nil, fmt.Errorf("%w: %s; the schemes are file, passphrase and %s", crypt.ErrKeeper, target, strings.Join(secrets.DefaultURLMux().KeeperSchemes(), ", "))
	}
	k, err := secrets.OpenKeeper(context.Background(), target)
	if err != nil {
		return nil, err
	}
	u.RawQuery, u.User = "", nil
	return &cloudKeeper{url: u.String(), k: k}, nil
}

// URL implements crypt.Keeper.
func (c *cloudKeeper) URL() string { return c.url }

// Wrap implements crypt.Keeper.
func (c *cloudKeeper) Wrap(ctx context.Context, key []byte) ([]byte, error) {
	return c.k.Encrypt(ctx, key)
}

// Unwrap implements crypt.Keeper.
func (c *cloudKeeper) Unwrap(ctx context.Context, wrapped []byte) ([]byte, error) {
	return c.k.Decrypt(ctx, wrapped)
}
