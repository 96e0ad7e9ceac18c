// Package proofs holds Cairn's Merkle proofs against implementations by others, beyond
// transparency-dev/merkle, which the tests of engine/proof ask:
//
//	github.com/cometbft/cometbft/crypto/merkle   roots and inclusion proofs, made top down
//	github.com/google/trillian/merkle            the tree in memory that Certificate Transparency's
//	                                             logs were tested with: roots, inclusion and
//	                                             consistency proofs, made from rows of nodes
//
// None of them shares code with golang.org/x/mod/sumdb/tlog, whose hashes engine/proof uses.
// It is a module of its own, so that what they depend on is no dependency of Cairn.
package proofs
