// Package segment keeps a run of up to 65,536 JSON records, written once, in
// columns from which the exact bytes of every record come back.
//
// # Using it
//
// A [Builder] takes records one after the other ([Builder.Add]) and turns them
// into numbered blocks ([Builder.Finish]); whoever holds it stores the blocks
// under their numbers. [Open] gives a [Reader] on a [BlockSource] that brings
// them back. Records are named by row, from 0, in the order in which they were added.
//
//	b := segment.NewBuilder(segment.Options{})
//	n, err := b.Add(buf)           // one JSON object at the start of buf
//	e, err := b.Finish()           // e.Block(0) … e.Block(e.Blocks()-1)
//	r, err := segment.Open(ctx, source, segment.ReadOptions{Cache: cache})
//	rec, err := r.Record(ctx, 17, nil)
//	p, ok, err := r.Lookup(ctx, []string{"userIdentity", "arn"})
//	v, err := r.Text(ctx, p, segment.Range(0, segment.BlockRows))
//
// # How records become columns
//
// A record is literal text alternating with leaf values. A leaf is the raw
// text of a string (between its quotes), a number or a boolean; a literal is all that
// stands between two leaves: punctuation, white space, keys, null, {} and [].
//
//	{"a":"x","b":{"c":1.0,"d":null}}
//	└─────┘ └──────────┘   └───────┘  literals, with the quotes around x
//	       x            1.0           leaves, in the columns a (string) and b.c (number)
//
// Nothing is normalised, so key order, spaces, repeated keys and spellings such as
// 1.0, -0 and \u0061 cost nothing to keep. The sequence of literals of a record is its
// shape; thousands of records share one. A column holds the leaves of one
// path and kind, in row order: "12" and 12 never meet, array elements are
// several values of one column in one row. How many values a row has follows from its
// shape, so there are no null bitmaps.
//
// What passes a cap on structure (columns, shapes, elements of an array: see
// [Options]) becomes a leaf of JSON text: a part of the record or, at last, the
// whole. Readers look inside such text, so it answers the same, only slower.
//
// # Blocks
//
// Block 0 is the directory (directory.go): paths, columns, and the lengths of all
// pages. The other blocks are runs of whole pages. A block ends after a page
// when the next one would carry it over 4 KiB, so a large page has a block of its own and
// small ones share one. Every block ends in the xxhash64 of what is before it.
//
//	page 0        literals         structure.go
//	page 1        shapes
//	pages 2 …     the shape of every row, one page per row block of 4,096 rows
//	              bundles of tiny columns (up to 256 values)    tiny.go
//	              per column, in the order of paths:
//	                dictionary   entries in ascending order, 256 a page; codes; how often each occurs
//	                derived      entries; a map from the codes of another column; exceptions    derive.go
//	                built        patterns, 256 a page; codes, each value made from others of its record    built.go
//	                filled       the pattern of every value    built.go
//	                plain        values    values.go, tokens.go
//
// Pages of codes and values are described at pack.go and values.go. A page of
// codes, and as a rule one of values, holds the values of one or more whole row blocks, up to
// 4,096 of them. So a row block is read without its neighbours, and the place of a value is
// found from the number of values per row block (directory) and the shapes of the rows before
// it in its block.
//
// The bytes depend on the records and options alone, not on what a reused Builder has met before.
//
// # Texts, equal keys
//
// As far as paths are concerned, the last of equal keys counts, at every
// level, and keys are compared unescaped. SQL text is the unescaped string; escapes of
// lone surrogates, which have no UTF-8, become U+FFFD there. The record keeps them.
//
// # Damage
//
// Blocks are outside input. Every block is verified against its checksum whenever it
// is read (with ReadOptions.VerifyOnce, when it is first met), and parsed without trust beyond it: damage is a [*CorruptionError] that names
// segment and block, never a panic or a wrong answer unnoticed. [Reader.Verify] checks everything
// against everything.
//
// # Concurrency and memory
//
// A Builder belongs to one goroutine, and an [Encoded] lives in its memory. A
// Reader may be used by any number of goroutines, and so may a [Cache]. A Reader
// itself holds a few hundred bytes; directories, shapes, dictionaries and the like are in the
// cache, which bounds them for all readers together.
//
// The package does no I/O, knows nothing of audit events, and builds no indexes: [Encoded.Columns]
// gives those who do the values.
package segment

// MaxRows is the most records one segment holds: one container of a roaring
// bitmap, and row numbers of 16 bits.
const MaxRows = 1 << 16

// BlockRows is the number of rows of a row block, the unit in which rows are
// read at least cost.
const BlockRows = 4096

// Kind is the JSON kind of a value.
type Kind uint8

// The kinds.
const (
	None   Kind = iota // there is no value
	Null               // null
	String             // its raw text is what stands between the quotes
	Number
	Bool
	Object
	Array
)

var kindNames = [...]string{"none", "null", "string", "number", "boolean", "object", "array"}

func (k Kind) String() string {
	if int(k) < len(kindNames) {
		return kindNames[k]
	}
	return "kind?"
}
