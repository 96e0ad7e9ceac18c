package insight

import (
	"encoding/binary"

	"github.com/cespare/xxhash/v2"
)

// Sealed puts the right checksum at the end of what may be a state, so that fuzzing gets past it.
func Sealed(b []byte) []byte {
	if len(b) < 9 {
		return b
	}
	body := b[: len(b)-8 : len(b)-8]
	return binary.LittleEndian.AppendUint64(body, xxhash.Sum64(body))
}
