// Package pg speaks PostgreSQL's wire protocol, version 3.0 and 3.2, so that psql,
// drivers and dashboards can ask a lake.
//
// # Using it
//
//	l, err := pg.New(pg.Config{Authenticator: a, TLS: tlsConfig})
//	err = l.Serve(ctx, listener)      // until ctx ends or Shutdown
//
// The package knows the protocol. Who may sign in is asked of an [Authenticator],
// which gives a [Principal]; what a principal sees is its [Database], over which
// [Config].Catalog may lay tables of its own, such as pg_catalog.
//
// # How a connection lives
//
//	accept ─► start-up (TLS, version, cancel) ─► SCRAM ─► messages … ─► end
//
// Each connection has one goroutine, which reads a message, acts on it, and writes
// the answer. Start-up and sign-in must be done within a time limit, and bytes that
// arrive between the request for TLS and its beginning end the connection. A body
// is read in steps as it arrives, so a length that lies costs its sender as many
// bytes as it costs us. Writes have a time limit: a client that reads nothing is
// cut off. Queries run in the engine, within its budgets; their results are
// encoded column by column from its vectors into one buffer, sent when it is
// full, so a result of any size takes constant memory.
//
// # What statements there are
//
// SELECT, WITH, VALUES, EXPLAIN, DESCRIBE, SHOW TABLES and their like go to the
// engine. The session itself answers BEGIN, COMMIT, ROLLBACK, SAVEPOINT, SET, SHOW,
// RESET, DISCARD, PREPARE, EXECUTE, DEALLOCATE, DECLARE, FETCH, MOVE, CLOSE, COPY,
// LISTEN and UNLISTEN. Whatever would change stored events is refused with 25006.
//
// A cursor goes forward; one that is declared SCROLL keeps the rows that it has read, which count among those
// that a session may hold, and goes anywhere.
//
// A transaction is one snapshot of all stores, taken by its first query. A COPY into
// a store is durable when it is answered, whether there is a transaction around it or
// not, and does not show in the transaction's own snapshot.
//
// COPY store FROM STDIN takes one record, JSON text, in each row: a row of text or
// csv with one column, a binary row with one field, or a line (FORMAT json). What
// became of the records is told in a notice, the number of the stored ones in the tag.
//
// LISTEN "store" sends every event that is stored from then on as a notification
// whose payload is the record; LISTEN "store WHERE condition" those that meet an SQL
// condition. A record above 8,000 bytes is told of by its place in time and its ID.
// LISTEN cairn_notices tells of unusual activity when it is found, before there is a record
// (engine.Notices): what cairn insight list --json says of it.
//
// # Types
//
//	varchar, ipaddress → text      timestamp, timestamp with time zone → timestamptz
//	array, map, row, json → jsonb  varbinary → bytea     decimal → numeric
//
// and the others to those of the same name. All have text and binary forms.
//
// # What may run concurrently
//
// A Listener serves many net.Listeners and connections at once; everything of one
// connection belongs to its goroutine, except the cancellation of its statement.
package pg
