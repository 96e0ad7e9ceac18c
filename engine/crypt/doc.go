// Package crypt encrypts a lake at rest: a layer below every file of the lake
// directory, through which the database, the log and temporary files are written
// and read without knowing of it.
//
//	k, err := keeper.Open("file:/etc/cairn/key", nil)
//	ring, err := crypt.CreateRing(ctx, fs, "lake/KEYS", k)   // or LoadRing
//	enc := crypt.New(fs, "lake", ring)                            // a vfs.FS
//
// # Keys
//
//	keeper ──wraps──► ring key ──seals──► key-encryption keys 1, 2, 3 … ──wrap──► a data key per file
//	(outside)         (file KEYS)         (file KEYS)                             (head of each file)
//
// The keeper is outside the lake: a passphrase, a key file, a key management
// service. The key ring, the file KEYS, holds the key-encryption keys, sealed under
// a ring key that only the keeper can unwrap. New files are encrypted under the
// newest key; what an older key has wrapped stays readable until it is wrapped anew
// (which changes 128 bytes of a file) and the older key destroyed. A key that is
// destroyed takes with it whatever is still wrapped by it, copies included.
//
// One algorithm does everything: AES-256-GCM of the standard library; Argon2id
// makes a key of a passphrase, HKDF-SHA-256 a key per purpose.
//
// # A file
//
//	   0  slot 1: data key, wrapped     128 bytes
//	 512  slot 2: the same, or zero     128 bytes
//	1024  frame, frame, frame …
//
// Every file has a random data key of its own, made when the file is. Wrapping it
// anew writes the slot that is not in use and leaves the other alone, each being
// in a sector of its own; a reader takes the slot of the higher generation that
// its ring can unwrap. All numbers are little-endian. A slot:
//
//	  0  8  "CAIRNENC"
//	  8  1  version, 1
//	  9  1  kind: 'S' sealed, 'L' log
//	 10  2  zero
//	 12  4  generation, from 1, higher in the newer slot
//	 16  4  number of the key-encryption key
//	 20  4  zero
//	 24 12  nonce of the wrapping, random
//	 36 48  data key, encrypted, and tag; bytes 0 to 24 are authenticated with it
//	 84 36  zero
//	120  8  the first bytes of SHA-256 of bytes 0 to 120: tells damage from a wrong key
//
// A frame is a piece of plaintext of at most 8,192 bytes:
//
//	 0  3  C7 5E 9D
//	 3  1  1 when the frame seals the file (see below), else 0
//	 4  4  length of the plaintext
//	 8  8  number of the frame in the file, from 0: its nonce
//	16  8  offset of the plaintext in the file
//	24  8  synced: the plaintext before this offset was on disk when the frame was written
//	32  .  plaintext, encrypted; 16 bytes tag; the 32 bytes before are authenticated with it
//
// So a byte that is changed anywhere, a frame moved, repeated or taken from another
// file, and a file given another's head do not authenticate.
//
// # Nonces
//
// A data key encrypts frame number n once: frames are only appended, by the handle
// that created the file and its key, which counts. Nothing is rewritten in place,
// a file is never opened for appending, one that is to be reused is made anew. After
// a failed write a handle refuses all further ones, as it cannot know what of the
// frame is on disk.
//
// # Sealed files and logs
//
// Most files are written once and synced when they are complete: tables, options,
// spilled runs. They are of the kind 'S'. Their plaintext is buffered and cut into
// full frames, so that the place of any byte is known by arithmetic; the frame that
// a sync or the closing cuts short says that it seals the file. A sealed file
// without such an end has been cut off. More may be appended after a sync; then the
// frames are no longer regular, and are found by walking from one to the next.
//
// Logs are appended to and synced over and over: the write-ahead logs and Pebble's
// manifest. They are of the kind 'L'. Each write becomes frames at once and goes to
// the file below, as it would without encryption. What a crash leaves behind the
// last sync may be anything, and must read as an end of the file, while damage
// before it must not. The frames tell the two apart in the way the log itself does
// (package wal): at the first bad frame, at offset x, the file ends, unless a good
// frame behind it says that more than x was synced; then it is damage. A log's head
// is synced before the first frame follows it, so that a bad head is damage
// whenever anything stands behind it.
//
// A file of no bytes is an empty file.
//
// # What is refused, and what cannot be seen from here
//
// Changed bytes, moved, repeated or exchanged frames, a sealed file cut short, files
// under a key that the ring does not have: a [CorruptError] or [KeyError] with file
// and offset, never other bytes. A file put in another's place as a whole is a good
// file; those who use the files notice: tables are named with size and key range in
// the manifest, log files carry their number and a chain of salts, catalogue and log
// remember each other's position. A log cut at the end of a frame that nothing
// behind it vouches for looks like a power cut, as it does without encryption; and
// a whole directory put back to an earlier state is in itself perfect. Only
// something kept outside tells of that: a checkpoint of the digest chain.
//
// Names and sizes of files are not hidden.
//
// # Concurrency
//
// An FS and a Ring may be used from many goroutines. Files are used as vfs.File
// says: any number of ReadAt at the same time, writes one after the other.
package crypt
