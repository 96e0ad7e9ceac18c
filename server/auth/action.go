package auth

import (
	"fmt"

	"github.com/cairndb/cairn/engine"
)

// Action is something that a statement or a route does. Every statement kind and
// every route of the servers names one; what has none is refused.
type Action uint8

// The actions. The zero value is none: nobody may do it.
const (
	// Health tells whether the server is alive; strangers may ask.
	Health Action = iota + 1
	// Metrics reads figures of the whole server.
	Metrics
	// Session is what concerns a connection alone: settings, transactions, cursors,
	// prepared statements.
	Session
	// Query reads the stores and accounts of the principal: queries, EXPLAIN, SHOW,
	// look-ups, COPY TO, LISTEN, the catalogue tables.
	Query
	// Append adds events to the stores of the principal: COPY FROM, INSERT.
	Append
	// Verify reads and verifies stored data, digests and checkpoints.
	Verify
	// Prove makes receipts and proofs of single events, which tell the place and the
	// number of all events of a store.
	Prove
	// Export takes events out with their proofs.
	Export
	// SeeAudit reads the store of what was done to the lake.
	SeeAudit
	// ManageStores makes, changes and deletes stores, imports log files, and sets
	// periods and holds.
	ManageStores
	// ManageKeys rotates and destroys keys, backs up and restores.
	ManageKeys
	// ManageUsers adds, changes and removes principals.
	ManageUsers
	// OwnPassword sets the password of the one who asks.
	OwnPassword
	// ChangeEvents would change or remove stored events. Nobody may: events leave a
	// store by its retention only.
	ChangeEvents

	actions // how many there are
)

// roles is a set of roles.
type roles uint8

func of(list ...engine.Role) (s roles) {
	for _, r := range list {
		s |= 1 << r
	}
	return s
}

// rules say which roles may do an action. Role 0 is the stranger who has not signed in.
var rules = [actions]struct {
	name string
	may  roles
	// toStore says that the action concerns one store, which must be one of the
	// principal's.
	toStore bool
}{
	Health:       {"ask whether the server is alive", of(0, engine.RoleAdmin, engine.RoleWriter, engine.RoleReader, engine.RoleAuditor), false},
	Metrics:      {"read the server's metrics", of(engine.RoleAdmin, engine.RoleAuditor), false},
	Session:      {"use a session", of(engine.RoleAdmin, engine.RoleWriter, engine.RoleReader, engine.RoleAuditor), false},
	Query:        {"query", of(engine.RoleAdmin, engine.RoleReader, engine.RoleAuditor), true},
	Append:       {"append events", of(engine.RoleAdmin, engine.RoleWriter), true},
	Verify:       {"verify stored data", of(engine.RoleAdmin, engine.RoleAuditor), true},
	Prove:        {"prove events", of(engine.RoleAdmin, engine.RoleAuditor), true},
	Export:       {"export events", of(engine.RoleAdmin, engine.RoleAuditor), true},
	SeeAudit:     {"see the audit store", of(engine.RoleAdmin, engine.RoleAuditor), false},
	ManageStores: {"manage stores", of(engine.RoleAdmin), false},
	ManageKeys:   {"manage keys and backups", of(engine.RoleAdmin), false},
	ManageUsers:  {"manage users", of(engine.RoleAdmin), false},
	OwnPassword:  {"set one's own password", of(engine.RoleAdmin, engine.RoleWriter, engine.RoleReader, engine.RoleAuditor), false},
	ChangeEvents: {"change or remove stored events", 0, false},
}

// Actions returns all actions.
func Actions() []Action {
	var list []Action
	for a := Action(1); a < actions; a++ {
		list = append(list, a)
	}
	return list
}

// String says what the action does.
func (a Action) String() string {
	if a > 0 && a < actions {
		return rules[a].name
	}
	return fmt.Sprintf("action %d", uint8(a))
}

// Allows reports whether a role may do the action; 0 is a stranger.
func (a Action) Allows(r engine.Role) bool {
	return a > 0 && a < actions && r <= engine.RoleAuditor && rules[a].may&(1<<r) != 0
}

// ToStore reports whether the action concerns one store, and only stores that the
// principal was granted.
func (a Action) ToStore() bool { return a > 0 && a < actions && rules[a].toStore }
