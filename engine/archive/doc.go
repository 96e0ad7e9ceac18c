// Package archive is the form in which events leave a lake for an audit: bundles, how
// they are written, read and verified. It knows nothing of storage, and can be read
// without the rest by whoever wants to know what cairn-verify does.
//
// # Using it
//
//	from, closer, err := archive.Dir("bundle")
//	report, err := archive.Verify(ctx, from, archive.VerifyOptions{Keys: trusted})
//
//	b, err := archive.Open(ctx, from, trusted)
//	err = b.Records(ctx, decoders, func(seq uint64, record []byte) error { … })
//
//	w := archive.RangeWriter{Target: to, Selection: sel}     // one per goroutine
//	w.Start(17); err = w.Add(ctx, record) …; parts, err := w.End(ctx)
//	manifest, err := archive.Finish(ctx, to, &archive.Closing{…})
//
// A bundle can be encrypted as a whole (lock.go has the form):
//
//	to, err = archive.Encrypt(ctx, to, keepers)
//	from, err = archive.Decrypt(ctx, from, keepers)
//
// # A bundle
//
//	manifest.json         what was exported, and every file with its SHA-256
//	manifest.json.sig     Ed25519 signature of exactly those bytes, 64 bytes
//	SHA256SUMS            the same list for sha256sum, with the two files above
//	VERIFY.md, verify.sh  how to check all this with sha256sum, openssl and jq
//	selection.json        what was asked for, and of which state: the first file written
//	keys.json             the lake's public keys (package digest), keys/*.pem those in use here
//	tree/checkpoint.note  the checkpoint (package proof) that everything is proved against;
//	tree/checkpoint, .sig its signed bytes and signature by themselves
//	tree/digests.jsonl    the digests from number 0 to the one with that checkpoint;
//	tree/digest, .sig     the last one's document and signature by themselves
//	tree/gaps.jsonl       of a whole store: subtrees of events that have left it
//	index/RANGE-PART.jsonl  where each record is, and its hash
//	records/…             CloudTrail log files in CloudTrail's folders, or JSON lines; gzip
//	segments/…, parquet/… records in those formats
//
// A part has the records of a range of 65,536 sequence numbers, or as many of them
// as PartBytesMax allows; then the range has several. The first line of its index is a
// [Header]: the part's files as the manifest has them. Each further line is a record,
// in order of sequence numbers, without spaces:
//
//	{"seq":17,"leaf":"hex","file":0,"at":12,"bytes":900}
//
// leaf is the hash of the record as a leaf of the store's Merkle tree, SHA-256(0x00 |
// record); file counts the files of the header; at is where in the unpacked file the
// record begins, or its row in a segment or Parquet file; bytes is its length. In a filtered
// export "path" follows, the inclusion proof: hashes from the leaf to the root.
//
// A log file is {"Records":[ records with commas between ]} and nothing else; a file of
// JSON lines has a newline behind each record. A record with line breaks in it is kept
// in a log file beside the lines. So every byte of a file is accounted for.
//
// A gap is a line {"level":3,"index":2,"hash":"hex"}: the complete subtree over the 2^level
// events from index·2^level on. Records and gaps in order are all leaves of the tree.
//
// Documents have one spelling; others are refused. The manifest is signed by the key in use at
// the time; plain checksums protect nothing, the signature does. The newest digest is signed,
// too, and holds the hash of all before it.
//
// # What is verified
//
// That the manifest is signed by a key that is given, or endorsed by one; that there are its
// files and no others, each with its hash; that index and records fit in every byte; that
// the records hash to the leaves, and those to the signed root, or each to the root by its
// path; that the digests are signed and follow each other, up to the signed checkpoint. Whether
// a selection is complete cannot be shown by a part of a tree, and is said not to be.
//
// # Hostile bundles
//
// Paths are of a few signs and stay inside; what a file may have unpacked is in the signed
// manifest and bounded by the records of its part ([PartBytesMax]); lengths are checked before
// anything is allocated for them. Memory is that of a part per goroutine, and the manifest.
//
// A RangeWriter belongs to one goroutine; Verify starts its own; a Bundle may be used from
// one goroutine at a time.
package archive
