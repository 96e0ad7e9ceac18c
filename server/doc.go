// Package server puts the listeners of a lake together: the Postgres wire on one address,
// health, readiness and metrics on another, in one process with one configuration and
// one way to end.
//
//	s, err := server.New(lake, cfg)
//	err = s.Serve(ctx)        // until ctx ends; then it shuts down in order
//
// The protocols are packages of their own below; who may do what is asked of package
// auth. Without credentials the server listens on loopback only, and only when its
// operator says so (Config.NoAuth).
//
// Programs of this machine that may write to the lake's directory reach the server
// through a socket there (control.go): a backup of a lake that is served goes that way,
// see [Backup].
//
// # Shutting down
//
// When ctx ends the server is not ready any more (/readyz), accepts nothing, lets
// running statements end for Config.ShutdownTime, cancels those that are left, and
// returns when every connection is gone. The lake is its owner's to close.
package server
