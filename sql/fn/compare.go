package fn

import (
	"cmp"
	"math"
	"slices"
	"strings"

	"github.com/cespare/xxhash/v2"

	"github.com/cairndb/cairn/segment/column"
)

// CanEqual reports whether values of type t can be compared for equality, which
// grouping, DISTINCT and IN need as well. Every type can.
func CanEqual(*column.Type) bool { return true }

// CanOrder reports whether < and ORDER BY make sense for values of type t:
// not for maps and JSON, nor for what holds them.
func CanOrder(t *column.Type) bool {
	switch t.Kind {
	case column.Map, column.JSON:
		return false
	case column.Array:
		return CanOrder(t.Elem)
	case column.Row:
		for _, f := range t.Fields {
			if !CanOrder(f.Type) {
				return false
			}
		}
	}
	return true
}

// compareDoubles orders doubles with NaN after everything and equal to itself.
func compareDoubles(a, b float64) int {
	switch {
	case a < b:
		return -1
	case a > b:
		return 1
	case a == b:
		return 0
	case a != a && b != b:
		return 0
	case a != a:
		return 1
	}
	return -1
}

// Compare orders two values of one type, in any layout: negative, zero or
// positive. It is a total order, which sorting needs: NULL comes after every
// value, NaN after every number, and the values of a type that has no order in
// SQL still have one here (maps by size, keys and values in key order).
func Compare(a *column.Vector, i int, b *column.Vector, j int) int {
	if an, bn := a.IsNull(i), b.IsNull(j); an || bn {
		return int(truth(an) - truth(bn))
	}
	a, i = a.Leaf(i)
	b, j = b.Leaf(j)
	switch a.Type.Payload() {
	case column.PayloadI64:
		return cmp.Compare(a.I64[i], b.I64[j])
	case column.PayloadF64:
		return compareDoubles(a.F64[i], b.F64[j])
	case column.PayloadStr:
		return strings.Compare(a.Str[i], b.Str[j])
	}
	switch a.Type.Kind {
	case column.Row:
		for k := range a.Children {
			if c := Compare(a.Children[k], i, b.Children[k], j); c != 0 {
				return c
			}
		}
		return 0
	case column.Array:
		ca, cb := a.Children[0], b.Children[0]
		from, to := int(a.Offsets[i]), int(a.Offsets[i+1])
		bfrom, bto := int(b.Offsets[j]), int(b.Offsets[j+1])
		for k := 0; k < to-from && k < bto-bfrom; k++ {
			if c := Compare(ca, from+k, cb, bfrom+k); c != 0 {
				return c
			}
		}
		return cmp.Compare(to-from, bto-bfrom)
	}
	return compareMaps(a, i, b, j)
}

func compareMaps(a *column.Vector, i int, b *column.Vector, j int) int {
	ka, kb := sortedKeys(a, i), sortedKeys(b, j)
	if c := cmp.Compare(len(ka), len(kb)); c != 0 {
		return c
	}
	for n := range ka {
		if c := Compare(a.Children[0], ka[n], b.Children[0], kb[n]); c != 0 {
			return c
		}
	}
	for n := range ka {
		if c := Compare(a.Children[1], ka[n], b.Children[1], kb[n]); c != 0 {
			return c
		}
	}
	return 0
}

// sortedKeys returns the positions of the entries of map i in key order.
func sortedKeys(v *column.Vector, i int) []int {
	from, to := int(v.Offsets[i]), int(v.Offsets[i+1])
	order := make([]int, to-from)
	for n := range order {
		order[n] = from + n
	}
	slices.SortFunc(order, func(x, y int) int { return Compare(v.Children[0], x, v.Children[0], y) })
	return order
}

// EqualAt reports whether two values of one type, in any layout, are not
// distinct: NULL equals NULL, also inside arrays, maps and rows, and NaN
// equals NaN. It is the equality of grouping and DISTINCT, and agrees with
// [HashInto].
func EqualAt(a *column.Vector, i int, b *column.Vector, j int) bool {
	if an, bn := a.IsNull(i), b.IsNull(j); an || bn {
		return an && bn
	}
	a, i = a.Leaf(i)
	b, j = b.Leaf(j)
	switch a.Type.Payload() {
	case column.PayloadI64:
		return a.I64[i] == b.I64[j]
	case column.PayloadF64:
		x, y := a.F64[i], b.F64[j]
		return x == y || x != x && y != y
	case column.PayloadStr:
		return a.Str[i] == b.Str[j]
	}
	if a.Type.Kind == column.Row {
		for k := range a.Children {
			if !EqualAt(a.Children[k], i, b.Children[k], j) {
				return false
			}
		}
		return true
	}
	from, size := int(a.Offsets[i]), int(a.Offsets[i+1]-a.Offsets[i])
	bfrom, bsize := int(b.Offsets[j]), int(b.Offsets[j+1]-b.Offsets[j])
	if size != bsize {
		return false
	}
	if a.Type.Kind == column.Array {
		for k := range size {
			if !EqualAt(a.Children[0], from+k, b.Children[0], bfrom+k) {
				return false
			}
		}
		return true
	}
	for k := range size {
		at := findKey(b, bfrom, bsize, k, a.Children[0], from+k)
		if at < 0 || !EqualAt(a.Children[1], from+k, b.Children[1], at) {
			return false
		}
	}
	return true
}

// findKey returns the position in map vector b of the key that equals key i of
// keys, looking first where the same key stands in a map written alike.
func findKey(b *column.Vector, from, size, guess int, keys *column.Vector, i int) int {
	if guess < size && EqualAt(keys, i, b.Children[0], from+guess) {
		return from + guess
	}
	for k := range size {
		if EqualAt(keys, i, b.Children[0], from+k) {
			return from + k
		}
	}
	return -1
}

// Ternary truth values of SQL.
type ternary int8

const (
	isFalse ternary = iota
	isTrue
	isUnknown
)

// equalTernary is the operator =: a NULL anywhere that could decide makes the
// answer unknown, and NaN equals nothing.
func equalTernary(a *column.Vector, i int, b *column.Vector, j int) ternary {
	if a.IsNull(i) || b.IsNull(j) {
		return isUnknown
	}
	a, i = a.Leaf(i)
	b, j = b.Leaf(j)
	yes := false
	switch a.Type.Payload() {
	case column.PayloadI64:
		yes = a.I64[i] == b.I64[j]
	case column.PayloadF64:
		yes = a.F64[i] == b.F64[j]
	case column.PayloadStr:
		yes = a.Str[i] == b.Str[j]
	default:
		return equalNested(a, i, b, j)
	}
	if yes {
		return isTrue
	}
	return isFalse
}

func equalNested(a *column.Vector, i int, b *column.Vector, j int) ternary {
	result := isTrue
	meet := func(t ternary) bool { // false when the answer is certain
		if t == isUnknown {
			result = isUnknown
		}
		return t != isFalse
	}
	if a.Type.Kind == column.Row {
		for k := range a.Children {
			if !meet(equalTernary(a.Children[k], i, b.Children[k], j)) {
				return isFalse
			}
		}
		return result
	}
	from, size := int(a.Offsets[i]), int(a.Offsets[i+1]-a.Offsets[i])
	bfrom, bsize := int(b.Offsets[j]), int(b.Offsets[j+1]-b.Offsets[j])
	if size != bsize {
		return isFalse
	}
	for k := range size {
		other, values := bfrom+k, 0
		if a.Type.Kind == column.Map {
			values = 1
			if other = findKey(b, bfrom, bsize, k, a.Children[0], from+k); other < 0 {
				return isFalse
			}
		}
		if !meet(equalTernary(a.Children[values], from+k, b.Children[values], other)) {
			return isFalse
		}
	}
	return result
}

// Hashing. A hash starts from the caller's seed per row, so several columns
// make one hash by calling HashInto for each in turn.

const (
	nullHash  = 0x9e3779b97f4a7c15
	hashPrime = 0xff51afd7ed558ccd
)

func mix(x uint64) uint64 {
	x ^= x >> 33
	x *= hashPrime
	x ^= x >> 33
	x *= 0xc4ceb9fe1a85ec53
	x ^= x >> 33
	return x
}

// combine adds the hash of one more value to that of the values before it; the
// order counts.
func combine(seed, h uint64) uint64 { return mix(seed*31 + h) }

func hashInt(x int64) uint64 { return mix(uint64(x) + 0x9e3779b97f4a7c15) }

func hashDouble(x float64) uint64 {
	if x == 0 { // also -0, which equals 0
		return hashInt(0)
	}
	if x != x {
		return 0x7ff8dead7ff8dead
	}
	return hashInt(int64(math.Float64bits(x)))
}

// HashAt returns the hash of one value, in any layout.
func HashAt(v *column.Vector, i int) uint64 {
	if v.IsNull(i) {
		return nullHash
	}
	v, i = v.Leaf(i)
	switch v.Type.Payload() {
	case column.PayloadI64:
		return hashInt(v.I64[i])
	case column.PayloadF64:
		return hashDouble(v.F64[i])
	case column.PayloadStr:
		return xxhash.Sum64String(v.Str[i])
	}
	var h uint64
	switch v.Type.Kind {
	case column.Row:
		for _, c := range v.Children {
			h = combine(h, HashAt(c, i))
		}
	case column.Array:
		for e := v.Offsets[i]; e < v.Offsets[i+1]; e++ {
			h = combine(h, HashAt(v.Children[0], int(e)))
		}
	case column.Map: // equal maps may list their entries in any order
		for e := v.Offsets[i]; e < v.Offsets[i+1]; e++ {
			h += combine(HashAt(v.Children[0], int(e)), HashAt(v.Children[1], int(e)))
		}
		h = mix(h + 1)
	}
	return h
}

// HashInto combines the hash of each value of v into hashes, which has v.Len
// entries. Equal values ([EqualAt]) give equal hashes in every layout; each
// entry of a dictionary is hashed once when that is less work.
func HashInto(hashes []uint64, v *column.Vector) {
	hashes = hashes[:v.Len]
	if v.Const {
		h := HashAt(v, 0)
		for i := range hashes {
			hashes[i] = combine(hashes[i], h)
		}
		return
	}
	if v.Dict != nil {
		hashDictionary(hashes, v)
		return
	}
	nulls := v.Nulls
	if !nulls.Any() {
		nulls = nil
	}
	switch v.Type.Payload() {
	case column.PayloadI64:
		for i, x := range v.I64[:len(hashes)] {
			h := hashInt(x)
			if nulls != nil && nulls.Get(i) {
				h = nullHash
			}
			hashes[i] = combine(hashes[i], h)
		}
	case column.PayloadStr:
		for i, s := range v.Str[:len(hashes)] {
			if nulls != nil && nulls.Get(i) {
				hashes[i] = combine(hashes[i], nullHash)
				continue
			}
			hashes[i] = combine(hashes[i], xxhash.Sum64String(s))
		}
	default:
		for i := range hashes {
			hashes[i] = combine(hashes[i], HashAt(v, i))
		}
	}
}

func hashDictionary(hashes []uint64, v *column.Vector) {
	if v.Dict.Len > 2*v.Len {
		for i := range hashes {
			hashes[i] = combine(hashes[i], HashAt(v, i))
		}
		return
	}
	entries := make([]uint64, v.Dict.Len)
	for c := range entries {
		entries[c] = HashAt(v.Dict, c)
	}
	for i, c := range v.Codes[:len(hashes)] {
		h := entries[c]
		if v.Nulls != nil && v.Nulls.Get(i) {
			h = nullHash
		}
		hashes[i] = combine(hashes[i], h)
	}
}
