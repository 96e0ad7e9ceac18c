package proof

import (
	"crypto/sha256"
	"encoding/binary"
	"math"
)

const (
	// lanes is how many messages the vector unit hashes side by side.
	lanes = 16
	// lanesMin: sixteen lanes take about as long as three messages one after the other,
	// however few of them are busy.
	lanesMin = 4
	// batchBytes is how much a LeafHasher gathers before it hashes: some records for
	// each lane, since lanes stand idle at the end of a batch, and little enough to be
	// still in a core's own cache by then.
	batchBytes = 256 << 10
	// padBytes is the most that SHA-256 puts behind a message.
	padBytes = sha256.BlockSize + 8
)

// LeafHasher computes the leaf hashes of many records. Where the processor has vector
// instructions for it (AVX-512), sixteen records are hashed side by side, which takes a
// fraction of the time of one after the other; elsewhere, and when built with the tag
// purego, it is crypto/sha256. The zero value is ready; it belongs to one goroutine.
type LeafHasher struct {
	done []Hash
	// buf has the records that are not hashed yet, each as the message that is hashed:
	// prefix, record, padding. With room for whole blocks.
	buf    []byte
	starts []uint32 // of messages in buf
	plain  bool     // for tests: without vectors
}

// Add adds a record, of which nothing is kept.
func (h *LeafHasher) Add(record []byte) {
	if !haveLanes || h.plain {
		h.done = append(h.done, LeafHash(record))
		return
	}
	if len(h.buf)+len(record) > batchBytes {
		h.flush()
		if len(record) > batchBytes {
			h.done = append(h.done, LeafHash(record))
			return
		}
	}
	h.starts = append(h.starts, uint32(len(h.buf)))
	h.buf = append(h.buf, 0)
	h.buf = append(h.buf, record...)
	h.buf = pad(h.buf, 1+len(record))
}

// AddHash adds a record whose leaf hash is known.
func (h *LeafHasher) AddHash(leaf Hash) {
	h.flush()
	h.done = append(h.done, leaf)
}

// Undo takes back the record that was added last. There must be one.
func (h *LeafHasher) Undo() {
	if n := len(h.starts); n > 0 {
		h.buf, h.starts = h.buf[:h.starts[n-1]], h.starts[:n-1]
		return
	}
	h.done = h.done[:len(h.done)-1]
}

// At returns the leaf hash of the i-th record that was added. After All it may be
// called from many goroutines.
func (h *LeafHasher) At(i int) Hash {
	if i >= len(h.done) {
		h.flush()
	}
	return h.done[i]
}

// All returns the leaf hashes of all records that were added, in their order. They are
// valid until Undo or Reset.
func (h *LeafHasher) All() []Hash {
	h.flush()
	return h.done
}

// Hashes returns the leaf hashes of all records that were added, in their order, and
// starts anew. They belong to the caller.
func (h *LeafHasher) Hashes() []Hash {
	h.flush()
	done := h.done
	h.done = nil
	return done
}

// Reset forgets all records, and keeps the memory.
func (h *LeafHasher) Reset() {
	h.done, h.buf, h.starts = h.done[:0], h.buf[:0], h.starts[:0]
}

// Grow makes room for the hashes of n more records.
func (h *LeafHasher) Grow(n int) {
	if cap(h.done)-len(h.done) < n {
		h.done = append(make([]Hash, 0, len(h.done)+n), h.done...)
	}
}

// flush hashes what has been gathered.
func (h *LeafHasher) flush() {
	if len(h.starts) == 0 {
		return // nothing is written, so that a hasher which has hashed all may be read by many
	}
	if len(h.starts) < lanesMin {
		for i, start := range h.starts {
			end := len(h.buf)
			if i+1 < len(h.starts) {
				end = int(h.starts[i+1])
			}
			bits := binary.BigEndian.Uint64(h.buf[end-8:])
			h.done = append(h.done, sha256.Sum256(h.buf[start:][:bits/8]))
		}
	} else {
		n := len(h.done)
		for range h.starts {
			h.done = append(h.done, Hash{})
		}
		hashMessages(h.done[n:], h.buf, h.starts)
	}
	h.buf, h.starts = h.buf[:0], h.starts[:0]
}

// pad appends what SHA-256 (FIPS 180-4, 5.1.1) puts behind a message of n bytes: a bit, zeros
// up to whole blocks, and the number of its bits.
func pad(b []byte, n int) []byte {
	var p [padBytes]byte
	p[0] = 0x80
	zeros := (2*sha256.BlockSize - 1 - 8 - n%sha256.BlockSize) % sha256.BlockSize
	b = append(b, p[:1+zeros]...)
	return binary.BigEndian.AppendUint64(b, uint64(n)*8)
}

// initial is the state in which SHA-256 starts (FIPS 180-4, 5.3.3).
var initial = [8]uint32{0x6a09e667, 0xbb67ae85, 0x3c6ef372, 0xa54ff53a, 0x510e527f, 0x9b05688c, 0x1f83d9ab, 0x5be0cd19}

// laneState is the state of all lanes, word by word as vectors hold it.
type laneState [8][lanes]uint32

// hashMessages hashes the messages of buf, which are padded and begin at starts, into dst.
func hashMessages(dst []Hash, buf []byte, starts []uint32) {
	var state laneState
	var at [lanes]uint64   // next block of each lane
	var left [lanes]uint32 // blocks that a lane has to go
	var of [lanes]int      // which message
	next, active := 0, 0
	for {
		// Free lanes take up the next messages.
		for l := range lanes {
			if left[l] == 0 && next < len(starts) {
				end := len(buf)
				if next+1 < len(starts) {
					end = int(starts[next+1])
				}
				at[l], left[l], of[l] = uint64(starts[next]), uint32(end-int(starts[next]))/sha256.BlockSize, next
				for w := range state {
					state[w][l] = initial[w]
				}
				next++
				active++
			}
		}
		if active == 0 {
			return
		}
		blocks, busy := uint32(math.MaxUint32), 0
		for l := range lanes {
			if left[l] > 0 && left[l] < blocks {
				blocks, busy = left[l], l
			}
		}
		for l := range lanes {
			if left[l] == 0 {
				at[l] = at[busy] // an idle lane reads what is surely there
			}
		}
		hashLanes(&state, &buf[0], &at, uint64(blocks))
		for l := range lanes {
			if left[l] == 0 {
				continue
			}
			at[l] += uint64(blocks) * sha256.BlockSize
			if left[l] -= blocks; left[l] == 0 {
				active--
				for w := range state {
					binary.BigEndian.PutUint32(dst[of[l]][4*w:], state[w][l])
				}
			}
		}
	}
}

// nodeBytes is the length of an inner node as a message: prefix and two hashes, padded.
const nodeBytes = 2 * sha256.BlockSize

// laneTileRoot hashes the nodes of each level side by side.
func laneTileRoot(tile []Hash) Hash {
	var work [TileWidth / 2]Hash
	var messages [lanes * nodeBytes]byte
	var state laneState
	var at [lanes]uint64
	for l := range lanes {
		// What is behind the two hashes is the same for all nodes.
		at[l] = uint64(l * nodeBytes)
		m := messages[l*nodeBytes:]
		m[0] = 1
		pad(m[:1+2*HashSize], 1+2*HashSize)
	}
	for from := tile; len(from) > 1; from = work[:len(from)/2] {
		for first := 0; first < len(from)/2; first += lanes {
			n := min(lanes, len(from)/2-first)
			for l := range n {
				m := messages[l*nodeBytes:][:nodeBytes]
				*(*Hash)(m[1:]) = from[2*(first+l)]
				*(*Hash)(m[1+HashSize:]) = from[2*(first+l)+1]
			}
			for w := range state {
				for l := range lanes {
					state[w][l] = initial[w]
				}
			}
			hashLanes(&state, &messages[0], &at, nodeBytes/sha256.BlockSize)
			for l := range n {
				for w := range state {
					binary.BigEndian.PutUint32(work[first+l][4*w:], state[w][l])
				}
			}
		}
	}
	return work[0]
}
