package exec

import (
	"hash/maphash"
	"math/bits"

	"github.com/cairndb/cairn/segment/column"
	"github.com/cairndb/cairn/sql/fn"
)

// joinKey is an equality of a join that rows are hashed by.
type joinKey struct {
	left, right expr
	typ         *column.Type
	// nulls is set when NULL equals NULL: IS NOT DISTINCT FROM.
	nulls bool
}

// keyHasher hashes the keys of rows, once per entry where a key comes with a
// dictionary. It belongs to one goroutine.
type keyHasher struct {
	keys   []joinKey
	dicts  []*column.Vector
	byCode [][]uint64
	hashes []uint64
	// ok tells the rows that can match at all: no key of theirs is NULL. nil
	// when every row can.
	ok []bool
}

func newKeyHasher(keys []joinKey) *keyHasher {
	return &keyHasher{keys: keys, dicts: make([]*column.Vector, len(keys)), byCode: make([][]uint64, len(keys))}
}

var hashSeed = maphash.MakeSeed()

// nullKey is the hash of NULL where NULL is a value like any other.
const nullKey = 0x9ae16a3b2f90404f

func mix(x uint64) uint64 {
	x ^= x >> 32
	x *= 0xd6e8feb86659fd93
	x ^= x >> 32
	x *= 0xd6e8feb86659fd93
	return x ^ x>>32
}

// hash sets hashes and ok for n rows with the given keys.
func (h *keyHasher) hash(keys []*column.Vector, n int) {
	if cap(h.hashes) < n {
		h.hashes = make([]uint64, n)
	}
	h.hashes, h.ok = h.hashes[:n], nil
	clear(h.hashes)
	for k, v := range keys {
		h.add(k, v, n)
	}
}

func (h *keyHasher) add(k int, v *column.Vector, n int) {
	out := h.hashes
	switch {
	case h.keys[k].nulls:
		for i := range out {
			out[i] = out[i]*31 + h.value(k, v, i)
		}
		return
	case v.Const:
		x := h.value(k, v, 0)
		for i := range out {
			out[i] = out[i]*31 + x
		}
	case v.Dict != nil:
		if h.dicts[k] != v.Dict {
			h.dicts[k] = v.Dict
			h.byCode[k] = make([]uint64, v.Dict.Len)
		}
		byCode := h.byCode[k]
		for i, c := range v.Codes[:n] {
			x := byCode[c]
			if x == 0 {
				x = h.value(k, v.Dict, int(c))
				byCode[c] = x
			}
			out[i] = out[i]*31 + x
		}
	case h.keys[k].typ.Payload() == column.PayloadI64:
		for i, x := range v.I64[:n] {
			out[i] = out[i]*31 + mix(uint64(x))
		}
	default:
		for i := range out {
			out[i] = out[i]*31 + h.value(k, v, i)
		}
	}
	if !v.Const && v.Dict == nil && !v.Nulls.Any() {
		return
	}
	for i := range n {
		if !v.IsNull(i) {
			continue
		}
		if h.ok == nil {
			h.ok = make([]bool, n)
			for j := range h.ok {
				h.ok[j] = true
			}
		}
		h.ok[i] = false
	}
}

func (h *keyHasher) value(k int, v *column.Vector, i int) uint64 {
	if v.IsNull(i) {
		return nullKey
	}
	v, i = v.Leaf(i)
	switch h.keys[k].typ.Payload() {
	case column.PayloadI64:
		return mix(uint64(v.I64[i]))
	case column.PayloadF64:
		return mix(uint64(doubleBits(v.F64[i])))
	case column.PayloadStr:
		return maphash.String(hashSeed, v.Str[i])
	}
	return mix(fn.HashAt(v, i))
}

// sameKeys reports whether row i of a and row j of b have equal keys, which are
// not NULL but where NULL is a value.
func sameKeys(keys []joinKey, a []*column.Vector, i int, b []*column.Vector, j int) bool {
	for k := range keys {
		x, y := a[k], b[k]
		if keys[k].nulls {
			if xn, yn := x.IsNull(i), y.IsNull(j); xn || yn {
				if xn && yn {
					continue
				}
				return false
			}
		}
		p, s := x.Leaf(i)
		q, t := y.Leaf(j)
		same := false
		switch keys[k].typ.Payload() {
		case column.PayloadI64:
			same = p.I64[s] == q.I64[t]
		case column.PayloadF64:
			same = doubleBits(p.F64[s]) == doubleBits(q.F64[t])
		case column.PayloadStr:
			same = p.Str[s] == q.Str[t]
		default:
			same = fn.EqualAt(p, s, q, t)
		}
		if !same {
			return false
		}
	}
	return true
}

// joinTable finds rows by their keys. Rows with equal keys are a list; the
// first of each list stands in a chain of its bucket, so that however often a
// value occurs, others are found as fast.
type joinTable struct {
	keys   []joinKey
	values []*column.Vector // of the keys, flat
	hashes []uint64
	shift  uint
	heads  []int32 // by bucket: 1 + first row of its chain
	chain  []int32 // by first row of a list: 1 + the next one of the bucket
	next   []int32 // by row: the next row with equal keys, -1 for none
}

// newJoinTable makes the table of n rows. Rows that ok denies are left out; nil
// denies none.
func newJoinTable(q *query, keys []joinKey, values []*column.Vector, hashes []uint64, ok column.Bits, denied bool, n int) *joinTable {
	t := &joinTable{keys: keys, values: values, hashes: hashes, next: make([]int32, n)}
	if len(keys) == 0 {
		t.next = sequenceOf(n)
		return t
	}
	width := max(4, bits.Len(uint(n)))
	t.shift = uint(64 - width)
	t.heads, t.chain = make([]int32, 1<<width), make([]int32, n)
	last := make([]int32, n)
	beat := pulse{q: q}
	for r := range n {
		beat.beat()
		t.next[r] = -1
		if denied && !ok.Get(r) {
			continue
		}
		h := hashes[r]
		if first := t.search(h, values, r); first >= 0 {
			t.next[last[first]] = int32(r)
			last[first] = int32(r)
			continue
		}
		last[r] = int32(r)
		b := mix(h) >> t.shift
		t.chain[r] = t.heads[b]
		t.heads[b] = int32(r) + 1
	}
	return t
}

// sequenceOf links n rows to one list.
func sequenceOf(n int) []int32 {
	next := make([]int32, n)
	for i := range next {
		next[i] = int32(i) + 1
	}
	if n > 0 {
		next[n-1] = -1
	}
	return next
}

// search returns the first row whose keys equal those of row i of values, or -1.
func (t *joinTable) search(h uint64, values []*column.Vector, i int) int32 {
	for r := t.heads[mix(h)>>t.shift]; r > 0; r = t.chain[r-1] {
		if t.hashes[r-1] == h && sameKeys(t.keys, values, i, t.values, int(r-1)) {
			return r - 1
		}
	}
	return -1
}

// joinTableBytes is what a table of n rows takes besides the rows.
func joinTableBytes(n int) int64 { return int64(n)*(8+4+4+4) + 8*int64(n) }

// finder looks the rows of frames up in a table. It belongs to one goroutine.
type finder struct {
	*joinTable
	hasher *keyHasher
	first  []int32
	// byCode caches, for a single key with a dictionary, 2 + what search found
	// for each entry.
	dict   *column.Vector
	byCode []int32
}

func newFinder(t *joinTable) *finder {
	return &finder{joinTable: t, hasher: newKeyHasher(t.keys)}
}

// find returns for each of n rows the first matching row of the table, or -1.
func (f *finder) find(keys []*column.Vector, n int) []int32 {
	if cap(f.first) < n {
		f.first = make([]int32, n)
	}
	f.first = f.first[:n]
	out := f.first
	if len(f.next) == 0 || len(f.keys) == 0 {
		at := int32(0)
		if len(f.next) == 0 {
			at = -1
		}
		for i := range out {
			out[i] = at
		}
		return out
	}
	if len(keys) == 1 && keys[0].Dict != nil && !f.keys[0].nulls {
		f.findCodes(keys[0], out)
		return out
	}
	f.hasher.hash(keys, n)
	ok := f.hasher.ok
	for i, h := range f.hasher.hashes {
		if ok != nil && !ok[i] {
			out[i] = -1
			continue
		}
		out[i] = f.search(h, keys, i)
	}
	return out
}

func (f *finder) findCodes(v *column.Vector, out []int32) {
	if f.dict != v.Dict {
		f.dict = v.Dict
		f.byCode = make([]int32, v.Dict.Len)
	}
	nulls := v.Nulls.Any()
	entry := []*column.Vector{v.Dict}
	for i, c := range v.Codes[:len(out)] {
		if nulls && v.Nulls.Get(i) {
			out[i] = -1
			continue
		}
		at := f.byCode[c]
		if at == 0 {
			at = 1
			if !v.Dict.IsNull(int(c)) {
				at = 2 + f.search(f.hasher.value(0, v.Dict, int(c)), entry, int(c))
			}
			f.byCode[c] = at
		}
		out[i] = at - 2
	}
}
