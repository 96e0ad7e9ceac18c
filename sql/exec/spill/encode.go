package spill

import (
	"encoding/binary"
	"math"

	"github.com/cairndb/cairn/segment/column"
)

// The layouts of a vector on disk, and the flags beside them.
const (
	layoutFlat  = 0
	layoutConst = 1
	layoutDict  = 2

	flagNulls = 16
	flagZones = 32
)

// AppendBatch appends rows in the form that the blocks of runs have, without
// compression and checksum: for what keeps rows elsewhere. The columns may be in any
// layout.
func AppendBatch(b []byte, cols []*column.Vector, rows int) []byte {
	return appendBatch(b, cols, rows)
}

// appendBatch appends the content of a block.
func appendBatch(b []byte, cols []*column.Vector, rows int) []byte {
	b = binary.AppendUvarint(b, uint64(rows))
	for _, v := range cols {
		b = appendVector(b, v, 0, rows)
	}
	return b
}

// appendVector appends values [from, to) of v.
func appendVector(b []byte, v *column.Vector, from, to int) []byte {
	n := to - from
	switch {
	case n == 0:
		return append(b, layoutFlat)
	case v.Const:
		b = append(b, layoutConst)
		one := *v
		one.Const, one.Len = false, 1
		if v.Dict != nil {
			return appendVector(b, column.Flatten(&one), 0, 1)
		}
		return appendVector(b, &one, 0, 1)
	case v.Dict != nil:
		return appendDictionary(b, v, from, to)
	}
	at := len(b)
	b = append(b, layoutFlat)
	if nulls := anyNull(v.Nulls, from, to); nulls {
		b[at] |= flagNulls
		b = appendBits(b, v.Nulls, from, to)
	}
	switch v.Type.Payload() {
	case column.PayloadI64:
		if len(v.I64) < to { // a vector of NULLs alone may have no payload
			return append(b, make([]byte, 8*n)...)
		}
		for _, x := range v.I64[from:to] {
			b = binary.LittleEndian.AppendUint64(b, uint64(x))
		}
		if len(v.Zone) >= to {
			b[at] |= flagZones
			for _, z := range v.Zone[from:to] {
				b = binary.LittleEndian.AppendUint16(b, z)
			}
		}
	case column.PayloadF64:
		for _, x := range v.F64[from:to] {
			b = binary.LittleEndian.AppendUint64(b, math.Float64bits(x))
		}
	case column.PayloadStr:
		for _, s := range v.Str[from:to] {
			b = binary.LittleEndian.AppendUint32(b, uint32(len(s)))
		}
		for _, s := range v.Str[from:to] {
			b = append(b, s...)
		}
	default:
		if v.Type.Kind == column.Row {
			for _, c := range v.Children {
				b = appendVector(b, c, from, to)
			}
			return b
		}
		for i := from; i < to; i++ {
			b = binary.LittleEndian.AppendUint32(b, uint32(v.Offsets[i+1]-v.Offsets[i]))
		}
		for _, c := range v.Children {
			b = appendVector(b, c, int(v.Offsets[from]), int(v.Offsets[to]))
		}
	}
	return b
}

// appendDictionary keeps a dictionary, reduced to the entries in use, where that
// is smaller; else it writes the values.
func appendDictionary(b []byte, v *column.Vector, from, to int) []byte {
	n := to - from
	number := map[uint32]uint32{}
	var used []int32
	codes := make([]uint32, n)
	for i, c := range v.Codes[from:to] {
		if v.Nulls.Get(from + i) {
			c = v.Codes[from] // any that is in use
			for k := from; k < to; k++ {
				if !v.Nulls.Get(k) {
					c = v.Codes[k]
					break
				}
			}
		}
		id, ok := number[c]
		if !ok {
			id = uint32(len(used))
			number[c] = id
			used = append(used, int32(c))
		}
		codes[i] = id
	}
	entries := column.Gather(v.Dict, used)
	if entries.Const || entries.Dict != nil {
		entries = column.Flatten(entries)
	}
	wide := v.Type.Payload() == column.PayloadStr || v.Type.Payload() == column.PayloadNested
	if !wide || 2*len(used) > n {
		at := make([]int32, n)
		for i, c := range codes {
			at[i] = int32(c)
		}
		flat := column.Gather(entries, at)
		for i := range n {
			if v.Nulls.Get(from + i) {
				flat.SetNull(i)
			}
		}
		return appendVector(b, flat, 0, n)
	}
	at := len(b)
	b = append(b, layoutDict)
	if anyNull(v.Nulls, from, to) {
		b[at] |= flagNulls
		b = appendBits(b, v.Nulls, from, to)
	}
	b = binary.AppendUvarint(b, uint64(len(used)))
	for _, c := range codes {
		b = binary.LittleEndian.AppendUint32(b, c)
	}
	return appendVector(b, entries, 0, len(used))
}

func anyNull(bits column.Bits, from, to int) bool {
	if bits == nil {
		return false
	}
	for i := from; i < to; i++ {
		if i&63 == 0 && to-i >= 64 && i>>6 < len(bits) && bits[i>>6] == 0 {
			i += 63
			continue
		}
		if bits.Get(i) {
			return true
		}
	}
	return false
}

func appendBits(b []byte, bits column.Bits, from, to int) []byte {
	for i := from; i < to; i += 64 {
		var w uint64
		if i&63 == 0 && i>>6 < len(bits) && to-i >= 64 {
			w = bits[i>>6]
		} else {
			for k := i; k < min(i+64, to); k++ {
				if bits.Get(k) {
					w |= 1 << uint(k-i)
				}
			}
		}
		b = binary.LittleEndian.AppendUint64(b, w)
	}
	return b
}
