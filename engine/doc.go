// Package engine is the embedded database: a lake is a directory that one process
// opens, a store is an append-only log of audit events in it.
//
// # Using it
//
//	lake, err := engine.Open(dir, nil)
//	store, err := lake.CreateStore(ctx, "events")
//	verdicts, err := store.Append(ctx, records)        // on disk when it returns
//	report, err := lake.Import(ctx, engine.ImportOptions{Paths: []string{"logs/"}})
//	rows, err := lake.Query(ctx, "SELECT eventName, count(*) FROM events GROUP BY 1")
//	record, err := store.Record(ctx, 0)                // the exact bytes
//
// Every event of a store has a sequence number, 0, 1, 2 … in order of arrival.
// Event time is only a column. The bytes of a record are kept exactly.
//
// # How it works
//
//	Append ─► committer ─► log (wal) ─► memtable ─► sealer ─► segment (lsm)
//	Import ─────────────────────────────────────────────────► segment (lsm)
//	                                                  merger ─► larger segment
//	Query, Lookup, Record, Check ─► snapshot: segments and views of memtables
//
// One goroutine, the committer, gives out sequence numbers. It gathers the calls
// that wait, tells duplicates, writes one record into the log for all of them,
// syncs once, puts the events into the memtables of their stores, and answers; so
// an event is acknowledged when it is on disk, and found from then on. Tasks that
// must run between appends (an import's commit) run on it, too.
//
// A full or old memtable is frozen and turned into a segment by the sealer: split
// into columns (package segment), indexed (package index), written as one sorted
// table, ingested, and then named by the catalogue in one synced batch. Log files
// whose events are all in segments are removed. Appends wait when too many
// memtables do.
//
// Views keep the groups of every segment beside it (matview.go); who makes them is told in
// viewfill.go, their bytes in partial.go.
//
// Imports read files that can be read again, so they do without log and memtable:
// importer.go tells how. The merger turns runs of small segments into large ones,
// without touching sequence numbers.
//
// # On disk
//
//	LOCK     held by the process that has the lake open
//	FORMAT   one line with the format number
//	wal/     the log (package wal); the records are told in logrecord.go
//	SECRET   what the signing keys are wrapped with (keys.go), unless there is a keeper
//	tmp/     what running queries put aside when their memory runs out; emptied
//	         when the lake is opened
//	db/      the database (engine/lsm): blocks of segments, their indexes
//	         (segindex.go), the groups of views (partial.go), the catalogue
//	         (engine/catalog)
//
// # Opening
//
// The catalogue tells which sequence numbers segments cover; the log has the
// rest. Before anything is written the database and the log are compared: segments
// that the catalogue names must have blocks, the log must not tell of changes that
// the catalogue does not know, and sequence numbers must be dense. Otherwise the
// lake is not opened, the error says what is damaged, and nothing was changed.
//
// # Failures
//
// Every error is of one of the kinds in errors.go. When the sync of a write fails,
// nobody knows what is on disk: the waiting callers are told so ([ErrHalted]),
// all writing ends, reads go on, and the lake has to be opened again; if it was
// the database that failed, by another process. A full disk is [ErrNoSpace],
// nothing of the call was kept, and the next call may succeed. Damage found while
// reading fails that call with the place ([CorruptionError]), and nothing else.
//
// # Concurrency
//
// All methods may be called from many goroutines, but [Rows], which belong to
// one. Readers take snapshots, reference-counted lists of segments and views of
// memtables, and never block writers. Locks are taken in this order:
//
//	Lake.importing, Lake.digests, importer.inFlight, importer.mu, Lake.logged, Lake.cat,
//	Lake.views, Store.mu, Store.tree, Lake.digests.shown
//
// and the committer takes them without waiting for any call.
package engine
