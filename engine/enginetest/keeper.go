package enginetest

import (
	"bytes"
	"context"
)

// OpenKeeper is a keeper for encrypted lakes in tests. It keeps no secret: what it
// wraps is the key itself. It costs nothing, and opens every lake that a crash has
// left.
type OpenKeeper struct{}

// URL implements crypt.Keeper.
func (OpenKeeper) URL() string { return "test:" }

// Wrap implements crypt.Keeper.
func (OpenKeeper) Wrap(_ context.Context, key []byte) ([]byte, error) { return bytes.Clone(key), nil }

// Unwrap implements crypt.Keeper.
func (OpenKeeper) Unwrap(_ context.Context, wrapped []byte) ([]byte, error) {
	return bytes.Clone(wrapped), nil
}
