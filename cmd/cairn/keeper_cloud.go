package main

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"strings"

	"gocloud.dev/secrets"
	_ "gocloud.dev/secrets/awskms"     // awskms://
	_ "gocloud.dev/secrets/hashivault" // hashivault://

	"github.com/cairndb/cairn/engine/crypt/keeper"
)

// cloudKeeper is a key in a key management service. It is asked once when a lake is
// opened.
type cloudKeeper struct {
	url string // without what its query says
	k   *secrets.Keeper
}

// openCloudKeeper opens a keeper by its URL in the form of gocloud.dev/secrets: AWS
// KMS, and the transit engine of Vault and OpenBao. The drivers of other services cost
// the program tens of megabytes, and are added by building it with a file more that
// imports them.
func openCloudKeeper(target string) (keeper.Keeper, error) {
	u, err := url.Parse(target)
	if err != nil || u.Scheme == "" {
		return nil, fmt.Errorf("%w: %s", keeper.ErrUnknown, target)
	}
	if !secrets.DefaultURLMux().ValidKeeperScheme(u.Scheme) {
		return nil, fmt.Errorf("%w: %s; the schemes are file, passphrase and %s", keeper.ErrUnknown, target, strings.Join(secrets.DefaultURLMux().KeeperSchemes(), ", "))
	}
	k, err := secrets.OpenKeeper(context.Background(), target)
	if err != nil {
		return nil, err
	}
	u.RawQuery, u.User = "", nil
	return &cloudKeeper{url: u.String(), k: k}, nil
}

// URL implements keeper.Keeper.
func (c *cloudKeeper) URL() string { return c.url }

// Wrap implements keeper.Keeper.
func (c *cloudKeeper) Wrap(ctx context.Context, key []byte) ([]byte, error) {
	return answered(func() ([]byte, error) { return c.k.Encrypt(ctx, key) })
}

// Unwrap implements keeper.Keeper.
func (c *cloudKeeper) Unwrap(ctx context.Context, wrapped []byte) ([]byte, error) {
	return answered(func() ([]byte, error) { return c.k.Decrypt(ctx, wrapped) })
}

// answered asks a service. A driver that takes what a service has answered apart
// without looking (Vault's does, when a proxy in between answers something else) must
// not take the program with it.
func answered(ask func() ([]byte, error)) (b []byte, err error) {
	defer func() {
		if recover() != nil {
			b, err = nil, errors.New("the service has answered something that is no answer of a key service: is its address right?")
		}
	}()
	return ask()
}
