// Package proof is the Merkle tree of a store: its heads, tiles, proofs,
// checkpoints and receipts. It does no input or output and knows nothing of
// lakes, so that an auditor can read it alone; trees are hashed as RFC 6962 and
// RFC 9162 say, by golang.org/x/mod/sumdb/tlog, and checkpoints are signed notes
// as C2SP's tlog-checkpoint says, by golang.org/x/mod/sumdb/note.
//
// # Using it
//
//	var t proof.Tree
//	t.Append(proof.LeafHash(record), keep)     // keep is shown every tile that is full
//	head := t.Head()                           // size and root
//
//	path, err := proof.Inclusion(head, 17, tiles)
//	err = proof.CheckInclusion(path, head, 17, leaf)
//	path, err = proof.Consistency(1000, head, tiles)
//	err = proof.CheckConsistency(path, older, head)
//
//	note, err := proof.SignCheckpoint(&proof.Checkpoint{…}, signer)
//	cp, err := proof.OpenCheckpoint(note, verifiers)
//	receipt, err := proof.ParseReceipt(text)
//	cp, err = receipt.Check(record, verifiers)
//
// # Hashes
//
//	leaf = SHA-256(0x00 | the exact bytes of the record)
//	node = SHA-256(0x01 | left | right)
//
// The tree over n leaves, n > 1, has the tree over the first k leaves to its left,
// where k is the largest power of two below n, and that over the rest to its right.
// The root of the empty tree is SHA-256 of nothing.
//
// A [LeafHasher] hashes many records, on processors with AVX-512 sixteen side by side
// (leaves.go, and assembly in lanes_amd64.s); [TileRoot] does so with the nodes of a tile. Whoever
// would rather trust crypto/sha256 builds with the tag purego, and gets the same hashes.
//
// # Tiles
//
// A tile is up to 256 neighbouring hashes of one level, as in C2SP's tlog-tiles:
// tile i of level l has the roots of complete subtrees of 256^l leaves each, from
// the 256·i-th on. A full tile of one level makes one hash of the next.
//
//	level 2                      ┌─────── tile 0 ───…
//	level 1        ┌─ tile 0 ──┬─┴─ tile 1 ─…         each hash: 256 leaves
//	level 0   ┌ tile 0 ┬ tile 1 ┬ …                   each hash: a leaf
//
// A tree keeps the last, unfinished tile of every level in memory and nothing
// else. Whoever stores tiles may leave out level 0, which can be recomputed from
// the records 256 at a time; [Tiles] says how proofs ask for tiles. Every hash that
// goes into a proof is first checked against the head that it is made for, so that
// a damaged tile gives an error, not a proof that fails elsewhere.
//
// # Checkpoint
//
// A signed note. Its text is four lines, each ended by a newline:
//
//	origin                                         which tree, e.g. cairn/STORE-ID
//	size                                           decimal
//	root                                           base64
//	time 2026-01-02T15:04:05Z                      when it was signed, UTC
//
// then an empty line and signature lines "— name base64", where base64 has 4 bytes
// of key hash and a 64-byte Ed25519 signature of the text. The key's name is the
// origin. Witnesses add lines of their own ([CosignatureVerifier]).
//
// # Receipt
//
// A receipt shows that a record is in a tree with a signed head. It is C2SP's
// tlog-proof; its extra data is the hash of the record as a leaf:
//
//	c2sp.org/tlog-proof@v1
//	extra base64 of the leaf hash
//	index decimal sequence number
//	base64 of a hash, for each step from the leaf to the root
//	(empty line)
//	the checkpoint
//
// All parsers are strict: what is accepted is formatted to the same bytes again.
// Numbers are below [SizeMax].
//
// A Tree and a LeafHasher belong to one goroutine at a time; everything else here may be used from
// many.
package proof
