package fn

import (
	"math/bits"

	"github.com/cairndb/cairn/segment/column"
	"github.com/cairndb/cairn/sql/sqlerr"
)

// What the accumulators of all aggregates share: overloads, walking over rows
// in any layout, and values kept per group.

// aggregateForm is one form of an aggregate.
type aggregateForm struct {
	signature
	make_ func(args []*column.Type, result *column.Type) Accumulator
	// check, when set, may refuse the types and gives the result type when the
	// signature has none.
	check           func(args []*column.Type) (*column.Type, error)
	weighted        bool
	skipsDuplicates bool
	ordered         bool
}

func agg(args, result string, make_ func(args []*column.Type, result *column.Type) Accumulator) aggregateForm {
	return aggregateForm{signature: parseSignature(args, result), make_: make_}
}

func (f aggregateForm) withWeights() aggregateForm {
	f.weighted = true
	return f
}

func (f aggregateForm) withoutDuplicates() aggregateForm {
	f.skipsDuplicates = true
	return f
}

func (f aggregateForm) checked(check func(args []*column.Type) (*column.Type, error)) aggregateForm {
	f.check = check
	return f
}

func (f aggregateForm) inOrder() aggregateForm {
	f.ordered = true
	return f
}

// aggregateFunc registers an aggregate with its forms.
func (l *library) aggregateFunc(d Doc, forms ...aggregateForm) {
	if d.Family == "" {
		d.Family = "aggregate"
	}
	a := &Aggregate{Doc: d}
	a.Bind = func(given []*column.Type) (*BoundAggregate, error) {
		best, bestCost := -1, 0
		for i := range forms {
			if _, _, cost, ok := forms[i].match(given); ok && (best < 0 || cost < bestCost) {
				best, bestCost = i, cost
			}
		}
		if best < 0 {
			return nil, mismatch(&a.Doc, given)
		}
		f := &forms[best]
		to, b, _, _ := f.match(given)
		var result *column.Type
		if f.result != nil {
			result = b.resolve(f.result, nil)
		}
		if f.check != nil {
			t, err := f.check(to)
			if err != nil {
				return nil, err
			}
			if t != nil {
				result = t
			}
		}
		return &BoundAggregate{
			Args: to, Result: result, New: func() Accumulator { return f.make_(to, result) },
			Weighted: f.weighted, SkipsDuplicates: f.skipsDuplicates, Ordered: f.ordered,
		}, nil
	}
	l.aggregate(a)
}

// grown returns s with at least n elements.
func grown[T any](s []T, n int) []T {
	if n <= len(s) {
		return s
	}
	if n <= cap(s) {
		return s[:n]
	}
	out := make([]T, n, max(n, 2*cap(s)))
	copy(out, s)
	return out
}

// groupOf returns the group of a row.
func groupOf(groups []uint32, i int) uint32 {
	if groups == nil {
		return 0
	}
	return groups[i]
}

// mayHaveNulls reports whether some value of v could be NULL.
func mayHaveNulls(v *column.Vector) bool {
	if v.Nulls.Any() {
		return true
	}
	return v.Dict != nil && !v.Const && mayHaveNulls(v.Dict)
}

// countNotNull counts the values of the first n that are not NULL.
func countNotNull(v *column.Vector, n int) int64 {
	switch {
	case v.Const:
		return int64(n) * truth(!v.Nulls.Get(0))
	case v.Dict != nil && mayHaveNulls(v.Dict):
		count := int64(0)
		for i := range n {
			count += truth(!v.IsNull(i))
		}
		return count
	}
	nulls := 0
	for w, x := range v.Nulls {
		if w<<6 >= n {
			break
		}
		if left := n - w<<6; left < 64 {
			x &= 1<<uint(left) - 1
		}
		nulls += bits.OnesCount64(x)
	}
	return int64(n - nulls)
}

// usedEntries returns the dictionary entries that the first n values of v refer
// to, as a vector without the repetitions, if that is worth while: for
// aggregates to which repetitions do not matter.
func usedEntries(v *column.Vector, n int) (*column.Vector, int) {
	if v.Const && n > 1 {
		one := v.Slice(0, 1)
		return one, 1
	}
	if v.Const || v.Dict == nil || v.Dict.Len > n || v.Nulls.Any() {
		return v, n
	}
	used := column.NewBits(v.Dict.Len)
	for _, c := range v.Codes[:n] {
		used.Set(int(c))
	}
	var positions []int32
	for c := range v.Dict.Len {
		if used.Get(c) {
			positions = append(positions, int32(c))
		}
	}
	return column.Gather(v.Dict, positions), len(positions)
}

// slots holds one value of a type per group, or none yet.
type slots struct {
	t     *column.Type
	state []uint8
	i64   []int64
	zone  []uint16
	f64   []float64
	str   []string
	boxed []*column.Vector // of nested types: one value each
	held  int64
	watched
}

const (
	slotEmpty uint8 = iota
	slotValue
	slotNull
)

func (s *slots) grow(n int) {
	s.state = grown(s.state, n)
	switch s.t.Payload() {
	case column.PayloadI64:
		s.i64 = grown(s.i64, n)
		if s.t.Kind == column.TimestampTZ {
			s.zone = grown(s.zone, n)
		}
	case column.PayloadF64:
		s.f64 = grown(s.f64, n)
	case column.PayloadStr:
		s.str = grown(s.str, n)
	default:
		s.boxed = grown(s.boxed, n)
	}
}

// put stores value i of v, which may be NULL. Text is copied, for it may be a
// small part of a page that could go.
func (s *slots) put(g uint32, v *column.Vector, i int) error {
	if v.IsNull(i) {
		s.state[g] = slotNull
		return nil
	}
	s.state[g] = slotValue
	v, i = v.Leaf(i)
	switch s.t.Payload() {
	case column.PayloadI64:
		s.i64[g] = v.I64[i]
		if s.zone != nil {
			s.zone[g] = zoneAt(v, i)
		}
	case column.PayloadF64:
		s.f64[g] = v.F64[i]
	case column.PayloadStr:
		s.made = max(0, s.made-len(s.str[g]))
		if err := s.takeBytes(len(v.Str[i])); err != nil {
			return err
		}
		s.held += int64(len(v.Str[i]) - len(s.str[g]))
		s.str[g] = cloneText(v.Str[i])
	default:
		s.made = max(0, s.made-int(boxBytes(s.boxed[g])))
		if err := s.take(v, i); err != nil {
			return err
		}
		b := newBuilder(s.t, 1)
		push(b, v, i)
		s.held += boxBytes(b) - boxBytes(s.boxed[g])
		s.boxed[g] = b
	}
	return nil
}

// boxBytes is what a nested value of a group takes.
func boxBytes(b *column.Vector) int64 {
	if b == nil {
		return 0
	}
	return 256 + vectorBytes(b) + column.TextBytes(b, 0, b.Len)
}

func cloneText(s string) string { return string([]byte(s)) }

// move stores what slot i of another slots holds.
func (s *slots) move(g uint32, o *slots, i int) {
	s.state[g] = o.state[i]
	switch {
	case s.i64 != nil:
		s.i64[g] = o.i64[i]
		if s.zone != nil {
			s.zone[g] = o.zone[i]
		}
	case s.f64 != nil:
		s.f64[g] = o.f64[i]
	case s.str != nil:
		s.held += int64(len(o.str[i]) - len(s.str[g]))
		s.str[g] = o.str[i]
	default:
		s.held += boxBytes(o.boxed[i]) - boxBytes(s.boxed[g])
		s.boxed[g] = o.boxed[i]
	}
}

// compare orders value i of v, not NULL, against slot g, which holds a value.
func (s *slots) compare(v *column.Vector, i int, g uint32) int {
	v, i = v.Leaf(i)
	switch s.t.Payload() {
	case column.PayloadI64:
		return int(truth(v.I64[i] > s.i64[g]) - truth(v.I64[i] < s.i64[g]))
	case column.PayloadF64:
		return compareDoubles(v.F64[i], s.f64[g])
	case column.PayloadStr:
		switch {
		case v.Str[i] < s.str[g]:
			return -1
		case v.Str[i] > s.str[g]:
			return 1
		}
		return 0
	}
	return Compare(v, i, s.boxed[g], 0)
}

// vector returns the values of all groups, NULL where there is none.
func (s *slots) vector() *column.Vector {
	n := len(s.state)
	out := newBuilder(s.t, n)
	for g, st := range s.state {
		if st != slotValue {
			pushNull(out)
			continue
		}
		switch s.t.Payload() {
		case column.PayloadI64:
			if s.zone != nil {
				pushZoned(out, s.i64[g], s.zone[g])
			} else {
				pushInt(out, s.i64[g])
			}
		case column.PayloadF64:
			pushFloat(out, s.f64[g])
		case column.PayloadStr:
			pushStr(out, s.str[g])
		default:
			push(out, s.boxed[g], 0)
		}
	}
	return out
}

func (s *slots) bytes() int64 {
	return int64(cap(s.state)+8*cap(s.i64)+2*cap(s.zone)+8*cap(s.f64)+16*cap(s.str)+8*cap(s.boxed)) + s.held
}

// collected is a growing list of values, each belonging to a group, with one
// vector per collected argument.
type collected struct {
	n      int // groups
	groups []uint32
	cols   []*column.Vector
	held   int64
	watched
}

func newCollected(types ...*column.Type) collected {
	c := collected{}
	for _, t := range types {
		c.cols = append(c.cols, newBuilder(t, 0))
	}
	return c
}

func (c *collected) grow(n int) { c.n = max(c.n, n) }

// maxCollected is how many values one aggregation can collect: positions are
// 32-bit numbers.
const maxCollected = 1 << 31

func (c *collected) add(g uint32, args []*column.Vector, i int) error {
	if len(c.groups) >= maxCollected-1 {
		return fault(sqlerr.ProgramLimit, "an aggregate collects over %d values", maxCollected-1)
	}
	c.groups = append(c.groups, g)
	for k, col := range c.cols {
		if err := c.take(args[k], i); err != nil {
			return err
		}
		push(col, args[k], i)
		c.held += column.TextBytes(args[k], i, i+1)
	}
	return nil
}

// ordered returns the positions of the values group by group, in the order in
// which they came, and where each group begins.
func (c *collected) ordered() (positions, offsets []int32) {
	offsets = make([]int32, c.n+1)
	for _, g := range c.groups {
		offsets[g+1]++
	}
	for g := range c.n {
		offsets[g+1] += offsets[g]
	}
	next := append([]int32(nil), offsets...)
	positions = make([]int32, len(c.groups))
	for i, g := range c.groups {
		positions[next[g]] = int32(i)
		next[g]++
	}
	return positions, offsets
}

func (c *collected) bytes() int64 {
	b := int64(4*cap(c.groups)) + c.held
	for _, col := range c.cols {
		b += vectorBytes(col)
	}
	return b
}

// vectorBytes is roughly what a flat vector holds, text aside.
func vectorBytes(v *column.Vector) int64 {
	b := int64(8*cap(v.I64) + 8*cap(v.F64) + 16*cap(v.Str) + 2*cap(v.Zone) + 4*cap(v.Offsets) + 8*cap(v.Nulls))
	for _, c := range v.Children {
		b += vectorBytes(c)
	}
	return b
}

// valueTable numbers the different pairs of group and value in the order in
// which they come.
type valueTable struct {
	groups []uint32
	values *column.Vector
	hashes []uint64
	slots  []int32 // entry+1, 0 for free; a power of two of them
	held   int64
	watched
}

func newValueTable(t *column.Type) *valueTable { return &valueTable{values: newBuilder(t, 0)} }

func pairHash(g uint32, h uint64) uint64 { return combine(uint64(g)+1, h) }

// find returns the number of a pair; added says that it is new.
func (t *valueTable) find(g uint32, v *column.Vector, i int) (entry int, added bool, err error) {
	h := pairHash(g, HashAt(v, i))
	if 4*(len(t.groups)+1) > 3*len(t.slots) {
		t.rehash(max(16, 2*len(t.slots)))
	}
	mask := uint64(len(t.slots) - 1)
	for at := h & mask; ; at = (at + 1) & mask {
		e := int(t.slots[at]) - 1
		if e < 0 {
			e = len(t.groups)
			if err := t.take(v, i); err != nil {
				return 0, false, err
			}
			t.slots[at] = int32(e) + 1
			t.groups, t.hashes = append(t.groups, g), append(t.hashes, h)
			push(t.values, v, i)
			t.held += column.TextBytes(v, i, i+1)
			return e, true, nil
		}
		if t.hashes[e] == h && t.groups[e] == g && EqualAt(t.values, e, v, i) {
			return e, false, nil
		}
	}
}

func (t *valueTable) rehash(size int) {
	t.slots = make([]int32, size)
	mask := uint64(size - 1)
	for e, h := range t.hashes {
		at := h & mask
		for t.slots[at] != 0 {
			at = (at + 1) & mask
		}
		t.slots[at] = int32(e) + 1
	}
}

func (t *valueTable) bytes() int64 {
	return int64(4*cap(t.groups)+8*cap(t.hashes)+4*cap(t.slots)) + vectorBytes(t.values) + t.held
}

// byGroup returns the entries group by group, in order of coming.
func (t *valueTable) byGroup(n int) (entries, offsets []int32) {
	c := collected{n: n, groups: t.groups}
	return c.ordered()
}
