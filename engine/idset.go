package engine

import (
	"encoding/binary"

	"github.com/cairndb/cairn/engine/event"
)

// idSet finds rows by their identity. It holds row numbers only; the identities
// stay where they are. It is reusable and belongs to one goroutine while it
// grows.
type idSet struct {
	slots []int32 // row+1, 0 when free; a power of two, at most half full
	count int
	older []int32 // per row, row+1 of the one before it with the same identity
}

func (s *idSet) reset() {
	clear(s.slots)
	s.count = 0
	s.older = s.older[:0]
}

// slot is where the search for an identity begins. Keys are random or hashes, so
// their first bytes spread well; a multiplication keeps a hostile choice of
// UUIDs from being trivial.
func (s *idSet) slot(id *event.Identity) int {
	h := (binary.LittleEndian.Uint64(id.Key[:]) ^ binary.LittleEndian.Uint64(id.Key[8:])*0x9e3779b97f4a7c15) * 0xd6e8feb86659fd93
	return int(h >> 32 & uint64(len(s.slots)-1))
}

// find returns the last row with an identity, or -1; earlier ones follow by
// before.
func (s *idSet) find(ids []event.Identity, id *event.Identity) int {
	if len(s.slots) == 0 {
		return -1
	}
	for i := s.slot(id); s.slots[i] != 0; i = (i + 1) & (len(s.slots) - 1) {
		if row := s.slots[i] - 1; ids[row] == *id {
			return int(row)
		}
	}
	return -1
}

// before returns the row before row with the same identity, or -1.
func (s *idSet) before(row int) int { return int(s.older[row]) - 1 }

// add takes the next row, which is the last of ids.
func (s *idSet) add(ids []event.Identity) {
	row := len(ids) - 1
	if 2*(s.count+1) > len(s.slots) {
		s.grow(ids[:row])
	}
	s.older = append(s.older, 0)
	s.insert(ids, row)
}

func (s *idSet) insert(ids []event.Identity, row int) {
	i := s.slot(&ids[row])
	for ; s.slots[i] != 0; i = (i + 1) & (len(s.slots) - 1) {
		if other := s.slots[i] - 1; ids[other] == ids[row] {
			s.older[row] = s.slots[i]
			s.slots[i] = int32(row + 1)
			return
		}
	}
	s.slots[i] = int32(row + 1)
	s.count++
}

func (s *idSet) grow(ids []event.Identity) {
	s.slots = make([]int32, max(1024, 2*len(s.slots)))
	s.count = 0
	for row := range ids {
		s.older[row] = 0
		s.insert(ids, row)
	}
}
