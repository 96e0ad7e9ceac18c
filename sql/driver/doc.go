// Package driver lets Go programs ask a lake through database/sql, in-process or at a
// server. It registers itself as "cairn".
//
//	import _ "github.com/cairndb/cairn/sql/driver"
//
//	db, err := sql.Open("cairn", "/var/lib/cairn")                          // a directory
//	db, err := sql.Open("cairn", "cairn://anna:password@db.example.com:5433/") // a server
//	db := sql.OpenDB(driver.NewConnector(lake.As(scope)))                   // an open lake
//
//	rows, err := db.QueryContext(ctx, "SELECT eventName, count(*) FROM events WHERE errorCode = ? GROUP BY 1", "AccessDenied")
//
// # Names of sources
//
// A directory is its path, or file:PATH with options: readonly=true opens the lake for
// reading only, create=true makes one where there is none, dialect=postgres reads queries
// as the server does (casts with ::, positions of $1) instead of as Trino does. One
// process opens a directory once, however many sql.DB there are for it: they share it,
// and it is closed with the last. Another process cannot open it meanwhile; that is what
// servers are for. Encrypted lakes are opened with engine.Open and given to
// [NewConnector].
//
// A server is a URL (cairn:, postgres: or postgresql:) or a list of words (host=… user=…),
// with the options of libpq: sslmode, sslrootcert, connect_timeout, and so on. The port is
// 5433 and the database cairn unless others are given.
//
// # What holds for both
//
//   - Parameters are ? or $1. Besides the types of database/sql, slices of texts and of
//     integers stand for arrays: WHERE eventName = ANY(?).
//   - A transaction is a snapshot: all of its queries see the lake at one moment. There is
//     nothing to commit. Statements that change events are refused.
//   - A context that ends ends the query.
//   - Errors of queries have a method SQLState() string, to be reached with errors.As;
//     [State] does that. In-process they are *sqlerr.Error, with place and hint, from a
//     server *pgconn.PgError.
//   - A session that goes back to the pool loses its settings and its open transaction.
//
// # Values
//
//	boolean                    bool
//	tinyint … bigint           int64
//	real, double               float64
//	varchar, json, uuid, ipaddress, decimal, time, intervals    string
//	array, map, row            string, as JSON
//	date, timestamp            time.Time, in UTC; with time zone, in that zone
//	varbinary                  []byte
//
// In-process, ColumnType tells the names of Trino in capitals (VARCHAR, BIGINT, MAP) and a
// type to scan into that takes NULL (sql.NullString, …): every column may be NULL. At a
// server it tells those of the pgx driver (TEXT, INT8, JSONB).
//
// # What may run concurrently
//
// As with every driver: sql.DB may be used from many goroutines; sql.Rows, sql.Tx and
// sql.Conn belong to one each.
package driver
