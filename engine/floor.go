package engine

import (
	"context"
	"strings"

	"github.com/cespare/xxhash/v2"

	"github.com/cairndb/cairn/segment"
)

// The floor of a lake's size.
//
// Much of what audit records take on disk is random by design: identifiers, tokens,
// session credentials. No encoding that gives them back takes less than their
// randomness, however clever. The floor is the sum of that over the distinct random
// texts of a store, by their spelling:
//
//	a UUID                                                     16 bytes
//	hexadecimal digits, 8 or more, lower case                  1/2 byte each
//	capital letters and digits, 16 or more                     5/8 byte each
//	base64 in either alphabet, 16 or more                      3/4 byte each
//
// The last two must look random: letters of both cases and digits that change from
// one to another often, which names and words do not. What the rest of a record says,
// which call and who and when, is not in the floor, though it costs something as well:
// so a store never reaches it.
//
// Random texts that occur more than once, in whatever columns, count once. They are told
// apart by a 64-bit hash, of which at most floorSample are kept: beyond that the floor
// is an estimate from those whose hashes end in zeros, good to a per mille.

// floorSample bounds the memory of finding the floor to some 50 MB.
const floorSample = 1 << 20

// floor finds the floor of one store.
type floor struct {
	most    int // texts kept
	seen    map[uint64]randomText
	sparing uint64 // hashes with any of these bits are left out
	names   []string
	numbers map[string]uint32
}

// randomText is a random text that was seen first in a column.
type randomText struct {
	column uint32
	bits   uint32 // eighths of a byte
}

func newFloor(most int) *floor {
	return &floor{most: most, seen: map[uint64]randomText{}, numbers: map[string]uint32{}}
}

// column returns the number of a column.
func (f *floor) column(name string) uint32 {
	n, ok := f.numbers[name]
	if !ok {
		n = uint32(len(f.names))
		f.numbers[name] = n
		f.names = append(f.names, name)
	}
	return n
}

// add takes a value of a column.
func (f *floor) add(column uint32, value []byte) {
	eachRandom(value, func(text []byte, bits int) {
		h := xxhash.Sum64(text)
		if h&f.sparing != 0 {
			return
		}
		if _, ok := f.seen[h]; ok {
			return
		}
		f.seen[h] = randomText{column, uint32(bits)}
		for len(f.seen) > f.most {
			f.sparing = f.sparing<<1 | 1
			for h := range f.seen {
				if h&f.sparing != 0 {
					delete(f.seen, h)
				}
			}
		}
	})
}

// bytes returns the floor by column.
func (f *floor) bytes() map[string]int64 {
	bits := make([]int64, len(f.names))
	for _, t := range f.seen {
		bits[t.column] += int64(t.bits)
	}
	out := map[string]int64{}
	for i, n := range bits {
		out[f.names[i]] = n * int64(f.sparing+1) / 8
	}
	return out
}

// floorOf adds what is random in a segment.
func (s *sealed) floorOf(ctx context.Context, f *floor) error {
	r, err := s.reader(ctx)
	if err != nil {
		return err
	}
	var columns []segment.ColumnInfo
	err = r.EachColumn(ctx, func(c segment.ColumnInfo) error {
		columns = append(columns, c)
		return nil
	})
	if err != nil {
		return s.fault(err)
	}
	for i, c := range columns {
		if c.Kind != segment.String && c.Kind != segment.Object {
			continue
		}
		column := f.column(strings.Join(c.Path, "."))
		err := r.EachValue(ctx, i, func(raw []byte) error {
			f.add(column, raw)
			return nil
		})
		if err != nil {
			return s.fault(err)
		}
	}
	return nil
}

// What a byte is to random texts.
const (
	isLower = 1 << iota
	isUpper
	isDigit
	isHex  // a digit, or a to f
	isSign // + / _ - of base64's alphabets, and its padding
)

var byteClass = func() (t [256]uint8) {
	for c := '0'; c <= '9'; c++ {
		t[c] = isDigit | isHex
	}
	for c := 'a'; c <= 'z'; c++ {
		t[c] = isLower
		t[c-'a'+'A'] = isUpper
	}
	for c := 'a'; c <= 'f'; c++ {
		t[c] |= isHex
	}
	for _, c := range "+/_-=" {
		t[c] = isSign
	}
	return t
}()

const (
	randomHexMin  = 8  // hexadecimal digits
	randomTextMin = 16 // of the larger alphabets
	uuidLen       = 36
	// A text of a large alphabet counts as random when its neighbours are of different
	// kinds at least this often: of base64 it is two thirds, of capital letters and digits two
	// fifths, of names and words much less.
	randomBase64Changes  = 3 // one in
	randomCapitalChanges = 6
)

// eachRandom calls fn with every random text in a value and the bits that it takes.
func eachRandom(value []byte, fn func(text []byte, bits int)) {
	const word = isLower | isUpper | isDigit
	for i := 0; i < len(value); {
		if byteClass[value[i]]&(word|isSign) == 0 {
			i++
			continue
		}
		end := i + 1
		for end < len(value) && byteClass[value[end]]&(word|isSign) != 0 {
			end++
		}
		randomRun(value[i:end], fn)
		i = end
	}
}

// randomRun looks at a run of letters, digits and the signs of base64.
func randomRun(run []byte, fn func(text []byte, bits int)) {
	for i := 0; i+uuidLen <= len(run); i++ {
		if run[i+8] == '-' && isUUID(string(run[i:i+uuidLen])) {
			randomRun(run[:i], fn)
			fn(run[i:i+uuidLen], 128)
			randomRun(run[i+uuidLen:], fn)
			return
		}
	}
	if looksRandom(run, isLower|isUpper|isDigit, randomBase64Changes) {
		fn(run, 6*len(run))
		return
	}
	// Words between signs.
	for i := 0; i < len(run); {
		if byteClass[run[i]]&isSign != 0 {
			i++
			continue
		}
		end, all := i, uint8(0xff)
		some := uint8(0)
		for ; end < len(run) && byteClass[run[end]]&isSign == 0; end++ {
			all &= byteClass[run[end]]
			some |= byteClass[run[end]]
		}
		text := run[i:end]
		switch {
		case all&isHex != 0 && some&isDigit != 0 && some&isLower != 0 && len(text) >= randomHexMin:
			fn(text, 4*len(text))
		case some&isLower == 0 && looksRandom(text, isUpper|isDigit, randomCapitalChanges):
			fn(text, 5*len(text))
		case looksRandom(text, isLower|isUpper|isDigit, randomBase64Changes):
			fn(text, 6*len(text))
		}
		i = end
	}
}

// looksRandom reports whether a text has bytes of all the kinds and changes between
// kinds at least once in every so many.
func looksRandom(text []byte, kinds uint8, every int) bool {
	if len(text) < randomTextMin {
		return false
	}
	some, last, changes := uint8(0), uint8(0), 0
	for _, c := range text {
		k := byteClass[c] &^ isHex
		some |= k
		if k == isSign {
			continue // in a path or a name these stand between words
		}
		if k != last {
			changes++
		}
		last = k
	}
	return some&kinds == kinds && changes*every >= len(text)
}
