package exec

import (
	"encoding/binary"
	"math"
	"math/bits"
	"slices"
	"sort"
	"strings"

	"github.com/cairndb/cairn/segment/column"
)

// interner gives the distinct values of one column dense numbers, in the order
// of their first coming: the ground on which grouping and DISTINCT stand.
// Values equal as GROUP BY sees it (NULL with NULL, NaN with NaN, maps in any
// order) have one number.
type interner struct {
	typ  *column.Type
	null int32 // the number of NULL, -1 before it came
	n    int
	// dense is set for integers that are numbers already, from 0 without large gaps: each
	// is its own.
	dense bool
	// The values by number; which of them is in use depends on the type.
	ints   []int64
	zones  []uint16
	floats []float64
	strs   []string
	nested *column.Appender
	// The numbers by value.
	byInt intTable
	byStr map[string]uint32
	// codes caches, for the dictionary dict, 1 + the number of each entry.
	dict  *column.Vector
	codes []uint32
	text  int64 // bytes of the strings kept
	key   []byte
}

func newInterner(t *column.Type) *interner {
	in := &interner{typ: t, null: -1}
	switch t.Payload() {
	case column.PayloadStr, column.PayloadNested:
		in.byStr = map[string]uint32{}
	}
	if t.Payload() == column.PayloadNested {
		in.nested = column.NewAppender(t, 0)
	}
	return in
}

// numbers writes the number of each value of v to out, which has v.Len places.
func (in *interner) numbers(v *column.Vector, out []uint32) {
	out = out[:v.Len]
	if v.Len == 0 {
		return
	}
	switch {
	case in.dense:
		for i := range out {
			leaf, j := v.Leaf(i)
			out[i] = uint32(leaf.I64[j])
			in.n = max(in.n, int(out[i])+1)
		}
	case v.Const:
		id := in.number(v, 0)
		for i := range out {
			out[i] = id
		}
	case v.Dict != nil:
		in.dictionary(v, out)
	case in.typ.Payload() == column.PayloadI64 && !v.Nulls.Any() && v.Zone == nil:
		for i, x := range v.I64[:len(out)] {
			id, added := in.byInt.number(x)
			if added {
				in.addInt(x, 0)
			}
			out[i] = id
		}
	case v.Str != nil && !v.Nulls.Any():
		for i, x := range v.Str[:len(out)] {
			if i > 0 && x == v.Str[i-1] { // as in columns of tuples
				out[i] = out[i-1]
				continue
			}
			out[i] = in.number(v, i)
		}
	default:
		for i := range out {
			out[i] = in.number(v, i)
		}
	}
}

func (in *interner) dictionary(v *column.Vector, out []uint32) {
	if in.dict != v.Dict {
		in.dict = v.Dict
		if cap(in.codes) >= v.Dict.Len {
			in.codes = in.codes[:v.Dict.Len]
			clear(in.codes)
		} else {
			in.codes = make([]uint32, v.Dict.Len)
		}
	}
	codes, nulls := in.codes, v.Nulls.Any()
	for i, c := range v.Codes[:len(out)] {
		if nulls && v.Nulls.Get(i) {
			out[i] = in.nullNumber()
			continue
		}
		id := codes[c]
		if id == 0 {
			id = in.number(v.Dict, int(c)) + 1
			codes[c] = id
		}
		out[i] = id - 1
	}
}

func (in *interner) nullNumber() uint32 {
	if in.null < 0 {
		in.null = int32(in.n)
		in.n++
		switch in.typ.Payload() {
		case column.PayloadI64:
			// The table numbers by how many it holds, so NULL takes a place in it
			// that no value can find.
			in.byInt.skip()
			in.ints = append(in.ints, 0)
			if in.typ.Kind == column.TimestampTZ {
				in.zones = append(in.zones, 0)
			}
		case column.PayloadF64:
			in.byInt.skip()
			in.floats = append(in.floats, 0)
		case column.PayloadStr:
			in.strs = append(in.strs, "")
		default:
			in.nested.Null()
		}
	}
	return uint32(in.null)
}

func (in *interner) addInt(x int64, zone uint16) {
	in.n++
	in.ints = append(in.ints, x)
	if in.typ.Kind == column.TimestampTZ {
		in.zones = append(in.zones, zone)
	}
}

// number returns the number of value i of v.
func (in *interner) number(v *column.Vector, i int) uint32 {
	if v.IsNull(i) {
		return in.nullNumber()
	}
	leaf, j := v.Leaf(i)
	switch in.typ.Payload() {
	case column.PayloadI64:
		id, added := in.byInt.number(leaf.I64[j])
		if added {
			var zone uint16
			if leaf.Zone != nil {
				zone = leaf.Zone[j]
			}
			in.addInt(leaf.I64[j], zone)
		}
		return id
	case column.PayloadF64:
		id, added := in.byInt.number(doubleBits(leaf.F64[j]))
		if added {
			in.n++
			in.floats = append(in.floats, leaf.F64[j])
		}
		return id
	case column.PayloadStr:
		s := leaf.Str[j]
		id, ok := in.byStr[s]
		if !ok {
			// A copy, for s may be a piece of a page that would otherwise stay in
			// memory as long as this table.
			s = strings.Clone(s)
			id = uint32(in.n)
			in.n++
			in.byStr[s] = id
			in.strs = append(in.strs, s)
			in.text += int64(len(s))
		}
		return id
	}
	in.key = appendKey(in.key[:0], leaf, j)
	id, ok := in.byStr[string(in.key)]
	if !ok {
		id = uint32(in.n)
		in.n++
		in.byStr[string(in.key)] = id
		in.nested.Append(leaf, j)
		in.text += 3 * int64(len(in.key)) // the key, and the value at most twice its size
	}
	return id
}

// doubleBits maps a double to bits that are equal when the doubles group
// together.
func doubleBits(x float64) int64 {
	if x == 0 {
		return 0
	}
	if x != x {
		return int64(math.Float64bits(math.NaN()))
	}
	return int64(math.Float64bits(x))
}

// appendKey appends bytes that are equal exactly for values that group
// together: every part has a tag and, where its length varies, its length.
func appendKey(b []byte, v *column.Vector, i int) []byte {
	if v.IsNull(i) {
		return append(b, 0)
	}
	b = append(b, 1)
	v, i = v.Leaf(i)
	switch v.Type.Payload() {
	case column.PayloadI64:
		return binary.LittleEndian.AppendUint64(b, uint64(v.I64[i]))
	case column.PayloadF64:
		return binary.LittleEndian.AppendUint64(b, uint64(doubleBits(v.F64[i])))
	case column.PayloadStr:
		b = binary.AppendUvarint(b, uint64(len(v.Str[i])))
		return append(b, v.Str[i]...)
	}
	if v.Type.Kind == column.Row {
		for _, c := range v.Children {
			b = appendKey(b, c, i)
		}
		return b
	}
	from, to := int(v.Offsets[i]), int(v.Offsets[i+1])
	b = binary.AppendUvarint(b, uint64(to-from))
	if v.Type.Kind == column.Array {
		for e := from; e < to; e++ {
			b = appendKey(b, v.Children[0], e)
		}
		return b
	}
	entries := make([]string, 0, to-from)
	for e := from; e < to; e++ {
		entries = append(entries, string(appendKey(appendKey(nil, v.Children[0], e), v.Children[1], e)))
	}
	sort.Strings(entries)
	for _, e := range entries {
		b = append(b, e...)
	}
	return b
}

// vector returns the values by number. The interner must not be used any more.
func (in *interner) vector() *column.Vector {
	if in.nested != nil {
		return in.nested.Vector()
	}
	if in.dense {
		v := column.New(in.typ, in.n)
		for i := range v.I64 {
			v.I64[i] = int64(i)
		}
		return v
	}
	v := &column.Vector{Type: in.typ, Len: in.n, I64: in.ints, F64: in.floats, Str: in.strs, Zone: in.zones}
	if in.null >= 0 {
		v.SetNull(int(in.null))
	}
	return v
}

// bytes estimates the memory held.
func (in *interner) bytes() int64 {
	return in.text + int64(8*cap(in.ints)+2*cap(in.zones)+8*cap(in.floats)+16*cap(in.strs)+4*cap(in.codes)) +
		in.byInt.bytes() + int64(40*len(in.byStr))
}

// intTable numbers distinct integers in the order of their first coming. It is
// a hash table with open addressing, at most half full.
type intTable struct {
	keys  []int64
	ids   []uint32 // 1 + number; 0 for an empty place
	shift uint
	n     uint32 // numbers given out
	used  int
}

// number returns the number of k, and whether it is new.
func (t *intTable) number(k int64) (id uint32, added bool) {
	if 2*(t.used+1) > len(t.keys) {
		t.grow()
	}
	mask := uint64(len(t.keys) - 1)
	at := (uint64(k) * 0x9e3779b97f4a7c15) >> t.shift
	for {
		switch {
		case t.ids[at] == 0:
			t.keys[at] = k
			t.n++
			t.used++
			t.ids[at] = t.n
			return t.n - 1, true
		case t.keys[at] == k:
			return t.ids[at] - 1, false
		}
		at = (at + 1) & mask
	}
}

// skip uses up a number without a key.
func (t *intTable) skip() { t.n++ }

func (t *intTable) grow() { t.resize(max(64, 2*len(t.keys))) }

// reserve makes room for n integers in an empty table.
func (t *intTable) reserve(n int) {
	size := 64
	for size < 2*n+2 {
		size *= 2
	}
	t.resize(size)
}

// resize gives the table size places, a power of two.
func (t *intTable) resize(size int) {
	keys, ids := t.keys, t.ids
	t.keys, t.ids = make([]int64, size), make([]uint32, size)
	t.shift = 64
	for s := size; s > 1; s >>= 1 {
		t.shift--
	}
	mask := uint64(size - 1)
	for i, id := range ids {
		if id == 0 {
			continue
		}
		at := (uint64(keys[i]) * 0x9e3779b97f4a7c15) >> t.shift
		for t.ids[at] != 0 {
			at = (at + 1) & mask
		}
		t.keys[at], t.ids[at] = keys[i], id
	}
}

func (t *intTable) bytes() int64 { return int64(12 * len(t.keys)) }

// tupleTable numbers distinct tuples of values: the groups of a GROUP BY. Each
// column has an interner; the numbers of two columns make a pair, which has a
// number again, and so on from left to right. Rows therefore cost one or two
// array look-ups per dictionary column and one hash look-up per further column,
// whatever the types.
type tupleTable struct {
	columns []*interner
	// pairs[k] numbers the pairs of tuples of columns 0 to k and the values of
	// column k+1; made[k] lists the pairs by number.
	pairs []pairTable
	made  [][]int64
	next  []uint32 // scratch
}

// pairTable numbers pairs of small numbers. As long as there are few on the right, a pair is
// looked up by its place: most columns have few different values, and the pairs of rows that
// follow each other lie close together. Else it is hashed.
type pairTable struct {
	// at has 1 + the number of a pair at left<<shift + right; nil once pairs are hashed.
	at     []uint32
	left   uint32 // the largest on the left so far
	shift  uint   // bits of the largest on the right so far
	hashed bool
	table  intTable
}

const (
	// pairShiftMost is up to how many bits the numbers on the right may have to be looked up
	// by their place.
	pairShiftMost = 6
	// pairSpread is how many places there may be for each pair, beyond pairPlaces.
	pairSpread = 16
	pairPlaces = 1 << 12
)

// fit makes room for so many more pairs of up to left and right, and reports whether they have
// places.
func (t *pairTable) fit(left, right uint32, made []int64, rows int) bool {
	if t.hashed {
		return false
	}
	t.left = max(t.left, left)
	shift := max(t.shift, uint(bits.Len32(right)))
	places := (int(t.left) + 1) << shift
	if shift > pairShiftMost || places > max(pairPlaces, pairSpread*(len(made)+rows)) {
		// Few of the places are in use, or would be.
		t.hashed, t.at = true, nil
		t.table.reserve(len(made))
		for _, pair := range made {
			t.table.number(pair)
		}
		return false
	}
	if shift > t.shift || places > len(t.at) {
		if shift > t.shift {
			t.at = nil
		}
		t.shift = shift
		was := t.at
		t.at = make([]uint32, max(places, 2*len(was), 64<<shift))
		if copy(t.at, was); was == nil {
			for i, pair := range made {
				t.at[uint64(pair)>>32<<shift|uint64(uint32(pair))] = uint32(i) + 1
			}
		}
	}
	return true
}

func (t *pairTable) bytes() int64 { return int64(4*cap(t.at)) + t.table.bytes() }

func newTupleTable(types []*column.Type) *tupleTable {
	t := &tupleTable{}
	for _, typ := range types {
		t.columns = append(t.columns, newInterner(typ))
	}
	if len(types) > 1 {
		t.pairs, t.made = make([]pairTable, len(types)-1), make([][]int64, len(types)-1)
	}
	return t
}

// len returns the number of tuples.
func (t *tupleTable) len() int {
	switch len(t.columns) {
	case 0:
		return 1
	case 1:
		return t.columns[0].n
	}
	return len(t.made[len(t.made)-1])
}

// numbers writes the number of the tuple in each of n rows to out.
func (t *tupleTable) numbers(cols []*column.Vector, n int, out []uint32) {
	if len(cols) == 0 {
		clear(out[:n])
		return
	}
	t.columns[0].numbers(cols[0], out)
	for k, v := range cols[1:] {
		t.next = slices.Grow(t.next[:0], n)[:n]
		t.columns[k+1].numbers(v, t.next)
		t.join(k, out[:n], t.next)
	}
}

// join replaces the numbers in left by the numbers of the pairs with right.
func (t *tupleTable) join(k int, left, right []uint32) {
	if len(left) == 0 {
		return
	}
	p, made := &t.pairs[k], t.made[k]
	if p.fit(slices.Max(left), slices.Max(right), made, len(left)) {
		at, shift := p.at, p.shift
		for i, r := range right {
			place := uint64(left[i])<<shift | uint64(r)
			id := at[place]
			if id == 0 {
				made = append(made, int64(uint64(left[i])<<32|uint64(r)))
				id = uint32(len(made))
				at[place] = id
			}
			left[i] = id - 1
		}
		t.made[k] = made
		return
	}
	for i, r := range right {
		pair := int64(uint64(left[i])<<32 | uint64(r))
		id, added := p.table.number(pair)
		if added {
			made = append(made, pair)
		}
		left[i] = id
	}
	t.made[k] = made
}

// merge adds the tuples of another table and returns, for each of them, its
// number here.
func (t *tupleTable) merge(o *tupleTable) []uint32 {
	if len(t.columns) == 0 {
		return []uint32{0}
	}
	numbers := make([][]uint32, len(t.columns))
	for k, c := range o.columns {
		numbers[k] = make([]uint32, c.n)
		t.columns[k].numbers(c.vector(), numbers[k])
	}
	left := numbers[0]
	for k := range o.made {
		a, b := make([]uint32, len(o.made[k])), make([]uint32, len(o.made[k]))
		for i, pair := range o.made[k] {
			a[i], b[i] = left[uint64(pair)>>32], numbers[k+1][uint32(pair)]
		}
		t.join(k, a, b)
		left = a
	}
	return left
}

// vectors returns the columns of all tuples by number, as dictionary vectors
// over the distinct values. The table must not be used any more.
func (t *tupleTable) vectors() []*column.Vector {
	if len(t.columns) == 1 {
		return []*column.Vector{t.columns[0].vector()}
	}
	n := t.len()
	out := make([]*column.Vector, len(t.columns))
	ids := make([]uint32, n)
	for i := range ids {
		ids[i] = uint32(i)
	}
	for k := len(t.columns) - 1; k >= 0; k-- {
		codes := ids
		if k > 0 {
			codes = make([]uint32, n)
			for i, id := range ids {
				pair := uint64(t.made[k-1][id])
				codes[i], ids[i] = uint32(pair), uint32(pair>>32)
			}
		}
		out[k] = &column.Vector{Type: t.columns[k].typ, Len: n, Dict: t.columns[k].vector(), Codes: codes}
	}
	return out
}

// bytes estimates the memory held.
func (t *tupleTable) bytes() int64 {
	n := int64(4 * cap(t.next))
	for _, c := range t.columns {
		n += c.bytes()
	}
	for k := range t.pairs {
		n += t.pairs[k].bytes() + int64(8*cap(t.made[k]))
	}
	return n
}
