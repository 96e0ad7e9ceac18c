// Package lsm is the one key-value database of a lake, kept by Pebble: the
// blocks of sealed segments and the records of the catalogue. No other package
// imports Pebble's key-value interface, so that what Pebble does to a process,
// a disk or an error is dealt with here once.
//
// # Using it
//
// A segment is written with [DB.WriteTable], which makes one sorted table with
// keys that nobody else has, and becomes part of the database with [DB.Ingest]:
// no second log, no compaction, written once. It is not part of the lake until
// a catalogue record names it; that record is written with a [Batch] and a sync.
// A crash between the two leaves blocks that nobody names; whoever opens the
// database asks [DB.Orphans] and drops those, and [DB.Missing] for segments that are named
// and not there.
//
// # Keys
//
// Keys begin with a byte that tells what they are; numbers are big-endian, so
// that one segment is one contiguous range and goes with one range deletion.
//
//	0x01 | key of the catalogue            a catalogue record (package catalog)
//	0x02 | key of a tree                   tiles and cursors (tree.go of the engine)
//	0x03 | key of a digest                 digests, signing keys, how far they have been
//	                                       published (digests.go of the engine)
//	0x05 | key of insights                 what is known of series of calls (insightstate.go of the
//	                                       engine)
//	0x10 | segment 8 | kind 1 | id 4       a block of a segment
//
// The kinds of blocks are given by the callers: the engine uses one for the
// pages of the segment and others for its indexes. What is derived from a segment later
// (the groups of views) is another table in its range, so that it goes with it. Values of blocks are already
// compressed; Pebble's own compression is off for all levels. Golden tests hold
// this layout.
//
// # Failures
//
// Every error names the file operation or key. Damage that Pebble notices (its
// tables, log and manifest have checksums) is recognised by [IsCorrupt]; a full
// disk by [IsNoSpace].
//
// Some failed writes are final for Pebble: it reports them through its logger's
// Fatalf, or panics, and must not run on. The goroutine that gets there is parked
// for good instead, the database refuses every later write with [ErrHalted], and
// Options.OnHalt hears of it. Reads go on where they do not need what the parked
// goroutine holds. From the halt on nothing that Pebble still does reaches the
// files (see diskFS), so after Close the directory can be opened again, by this
// process, too; only the memory of the old database is lost.
//
// Pebble takes a damaged manifest record for the end of the manifest, would then
// take newer tables for rubbish and delete them. Therefore an existing database
// is first opened for reading only and shown to Options.Verify, in which the
// engine compares the catalogue with what it knows; a database that has lost
// something is left exactly as it was found.
//
// # Concurrency
//
// A DB may be used from many goroutines; a Batch belongs to one.
package lsm
