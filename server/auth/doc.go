// Package auth knows who may do what: principals with roles, the verifiers of their
// passwords, sign-ins and what slows failed ones, and the rule of every action that
// statements and routes of the servers do. It speaks no protocol.
//
// # Using it
//
//	users, err := auth.Open(ctx, lake, auth.Options{Recorder: recorder})
//	first, err := users.Bootstrap(ctx)            // an admin with a password, once
//
// A protocol that signs somebody in by SCRAM-SHA-256 does
//
//	err := users.Admit(ctx, name, origin)         // waits after failures, or refuses
//	verifier, err := users.Verifier(ctx, name)    // of unknown names too
//	… the exchange …
//	session, err := users.SignIn(ctx, name, origin)     // the proof was right
//	users.Failed(ctx, name, origin, "wrong password")   // it was not
//
// and then, for every statement and request,
//
//	who, err := session.Principal(ctx)            // as it is now: grants may have changed
//	err = who.MayIn(auth.Append, "events")
//	view, err := session.View(ctx, lake)          // the part of the lake that it sees
//
// # Roles
//
//	admin     everything that may be done at all, all stores
//	writer    appends to its stores, reads nothing
//	reader    queries its stores; with accounts, only their events
//	auditor   queries its stores and cairn_audit, verifies, proves, exports
//
// What is not granted is refused. The rules are a table (action.go). An account limits
// what is seen below the query engine: the tables of an engine.View are without the rows
// of others, so that no count, bound, estimate, hint or error can tell of them. Permissions are looked up in the lake as they are now, with every statement; a
// principal that was removed is out at its next one.
//
// # Passwords
//
// Only SCRAM-SHA-256 verifiers are kept (RFC 5802, RFC 7677), in the lake's catalogue
// (engine/catalog). A name that nobody has gets a verifier made from a secret of the
// lake, always the same one, so that it cannot be told from one that somebody has.
// After three failures for a name from an address each further attempt waits, doubling
// up to half a minute; what others do slows nobody by more than two seconds. What is
// remembered of failures is bounded.
//
// # What may run concurrently
//
// Everything here may be called from many goroutines.
package auth
