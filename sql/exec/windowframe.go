package exec

import (
	"math"
	"sort"

	"github.com/cairndb/cairn/segment/column"
	"github.com/cairndb/cairn/sql/fn"
	"github.com/cairndb/cairn/sql/plan"
	"github.com/cairndb/cairn/sql/sqlerr"
)

// layout is where partitions and peers lie in a block.
type layout struct {
	n int
	// parts and peers are the first rows of the partitions and of the groups of
	// peers, with the number of rows at their end. A group of peers lies in one
	// partition.
	parts, peers []int32
	order        []windowKey // of the spec
}

func (op *windowOp) layout(b *windowBlock, s plan.WindowSpec) *layout {
	l := &layout{n: b.n, order: op.keys[s.Partition : s.Partition+s.Order]}
	changes := make([]uint8, b.n) // 1 for a new group of peers, 2 for a new partition
	changes[0] = 2
	mark := func(k windowKey, what uint8) {
		v := b.cols[k.slot]
		switch {
		case v.I64 != nil && !v.Nulls.Any():
			for i := 1; i < b.n; i++ {
				if v.I64[i-1] != v.I64[i] {
					changes[i] = max(changes[i], what)
				}
			}
		case v.Str != nil && !v.Nulls.Any():
			for i := 1; i < b.n; i++ {
				if v.Str[i-1] != v.Str[i] {
					changes[i] = max(changes[i], what)
				}
			}
		default:
			for i := 1; i < b.n; i++ {
				if changes[i] < what && !fn.EqualAt(v, i-1, v, i) {
					changes[i] = what
				}
			}
		}
	}
	for _, k := range op.keys[:s.Partition] {
		mark(k, 2)
	}
	for _, k := range l.order {
		mark(k, 1)
	}
	for i, c := range changes {
		if c > 0 {
			l.peers = append(l.peers, int32(i))
		}
		if c > 1 {
			l.parts = append(l.parts, int32(i))
		}
	}
	l.parts, l.peers = append(l.parts, int32(b.n)), append(l.peers, int32(b.n))
	return l
}

// each calls f for every partition with its rows [from, to) and the groups of
// peers [first, last) in it.
func (l *layout) each(f func(from, to int32, first, last int) error) error {
	g := 0
	for p := range len(l.parts) - 1 {
		first := g
		for l.peers[g] < l.parts[p+1] {
			g++
		}
		if err := f(l.parts[p], l.parts[p+1], first, g); err != nil {
			return err
		}
	}
	return nil
}

// frames are the rows [lo, hi) that each row's frame has. Empty ones have
// lo == hi.
type frames struct {
	lo, hi []int32
	// rest are more rows of each frame, behind those: what is left of it by EXCLUDE
	// is up to three ranges.
	rest []*frames
}

// exclude takes rows out of the frames.
func (fr *frames) exclude(what plan.FrameExclusion, l *layout) {
	cut := func() *frames { return &frames{lo: make([]int32, l.n), hi: make([]int32, l.n)} }
	after := cut()
	fr.rest = []*frames{after}
	var own *frames
	if what == plan.ExcludeTies {
		own = cut()
		fr.rest = []*frames{own, after}
	}
	for g := range len(l.peers) - 1 {
		for i := l.peers[g]; i < l.peers[g+1]; i++ {
			from, to := l.peers[g], l.peers[g+1]
			if what == plan.ExcludeCurrentRow {
				from, to = i, i+1
			}
			lo, hi := fr.lo[i], fr.hi[i]
			if own != nil && lo <= i && i < hi {
				own.lo[i], own.hi[i] = i, i+1
			}
			fr.hi[i] = max(lo, min(hi, from))
			after.lo[i] = min(hi, max(lo, to))
			after.hi[i] = hi
		}
	}
}

// all are the ranges of the frames, in order.
func (fr *frames) all() []*frames { return append([]*frames{fr}, fr.rest...) }

// shown returns the frames in the numbers of some of the rows only: before says
// how many of those come before each row.
func (fr *frames) shown(before []int32) *frames {
	out := &frames{lo: make([]int32, len(fr.lo)), hi: make([]int32, len(fr.hi))}
	for i := range fr.lo {
		out.lo[i], out.hi[i] = before[fr.lo[i]], before[fr.hi[i]]
	}
	for _, r := range fr.rest {
		out.rest = append(out.rest, r.shown(before))
	}
	return out
}

// nth returns row k, from 0, of the frame of row i, or -1; k below 0 counts from
// the end.
func (fr *frames) nth(i int, k int64) int32 {
	ranges := fr.all()
	if k < 0 {
		for _, r := range ranges {
			k += int64(r.hi[i] - r.lo[i])
		}
		if k < 0 {
			return -1
		}
	}
	for _, r := range ranges {
		n := int64(r.hi[i] - r.lo[i])
		if k < n {
			return r.lo[i] + int32(k)
		}
		k -= n
	}
	return -1
}

// frameKey tells frames of a block apart.
type frameKey struct {
	spec  int
	frame *windowFrame
}

// framesOf returns the frames of a function in a block.
func (op *windowOp) framesOf(b *windowBlock, f *windowFunc) (*frames, error) {
	key := frameKey{f.spec, nil}
	if f.frame.start.offset != nil || f.frame.end.offset != nil || f.frame.unit != plan.FrameRange ||
		f.frame.start.kind != plan.UnboundedPreceding || f.frame.end.kind != plan.CurrentRow || f.frame.exclude != plan.ExcludeNothing {
		key.frame = &f.frame
	}
	if have := b.ranges[key]; have != nil {
		return have, nil
	}
	l := b.layouts[f.spec]
	out := &frames{lo: make([]int32, b.n), hi: make([]int32, b.n)}
	start, end := newBound(b, &f.frame, &f.frame.start, l), newBound(b, &f.frame, &f.frame.end, l)
	err := l.each(func(from, to int32, first, last int) error {
		if err := b.q.live(); err != nil {
			return err
		}
		start.partition(from, to, first, last)
		end.partition(from, to, first, last)
		for g := first; g < last; g++ {
			for i := l.peers[g]; i < l.peers[g+1]; i++ {
				lo, err := start.first(i, g)
				if err != nil {
					return err
				}
				hi, err := end.last(i, g)
				if err != nil {
					return err
				}
				out.lo[i], out.hi[i] = lo, max(lo, hi)
			}
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	if f.frame.exclude != plan.ExcludeNothing {
		out.exclude(f.frame.exclude, l)
	}
	b.ranges[key] = out
	return out, nil
}

// bounder finds one end of the frames of a partition.
type bounder struct {
	unit  plan.FrameUnit
	bound *windowBound
	l     *layout
	// The partition at hand: its rows and groups of peers, and the rows whose
	// order key is not NULL.
	from, to              int32
	firstGroup, lastGroup int64
	some, end             int32
	offset                *column.Vector
	// Of a RANGE with an offset:
	key, limit *column.Vector
	desc       bool
}

func newBound(b *windowBlock, f *windowFrame, w *windowBound, l *layout) *bounder {
	out := &bounder{unit: f.unit, bound: w, l: l}
	if w.offset == nil {
		return out
	}
	out.offset = b.value(w.offset)
	if f.unit == plan.FrameRange {
		out.key, out.limit, out.desc = b.value(w.key), b.value(w.limit), l.order[0].desc
	}
	return out
}

func (b *bounder) partition(from, to int32, first, last int) {
	b.from, b.to, b.firstGroup, b.lastGroup = from, to, int64(first), int64(last)
	if b.key == nil {
		return
	}
	// NULLs stand at one end.
	for b.some = from; b.some < to && b.key.IsNull(int(b.some)); b.some++ {
	}
	for b.end = to; b.end > b.some && b.key.IsNull(int(b.end-1)); b.end-- {
	}
}

// distance returns the offset at a row, which must be given and not negative.
func (b *bounder) distance(i int32) (int64, error) {
	bad := func(what string) error {
		return sqlerr.New(sqlerr.InvalidFrameOffset, b.bound.pos, "the offset of a frame must not be %s", what)
	}
	if b.offset.IsNull(int(i)) {
		return 0, bad("NULL")
	}
	v, j := b.offset.Leaf(int(i))
	if v.F64 != nil {
		if x := v.F64[j]; x != x || x < 0 {
			return 0, bad("negative")
		}
		return 0, nil
	}
	if v.Str != nil { // a wide decimal, of a RANGE
		if v.Str[j][0] < 0x80 {
			return 0, bad("negative")
		}
		return 0, nil
	}
	if v.I64[j] < 0 {
		return 0, bad("negative")
	}
	return v.I64[j], nil
}

// first returns the first row of the frame of row i, of the peers g.
func (b *bounder) first(i int32, g int) (int32, error) {
	switch b.bound.kind {
	case plan.UnboundedPreceding:
		return b.from, nil
	case plan.CurrentRow:
		if b.unit == plan.FrameRows {
			return i, nil
		}
		return b.l.peers[g], nil
	}
	d, err := b.distance(i)
	if err != nil {
		return 0, err
	}
	back := b.bound.kind == plan.Preceding
	switch b.unit {
	case plan.FrameRows:
		return int32(b.clip(int64(i), d, back, int64(b.from), int64(b.to))), nil
	case plan.FrameGroups:
		return b.l.peers[b.clip(int64(g), d, back, b.firstGroup, b.lastGroup)], nil
	}
	if b.key.IsNull(int(i)) {
		return b.l.peers[g], nil
	}
	if b.limit.IsNull(int(i)) {
		if back {
			return b.some, nil
		}
		return b.end, nil
	}
	// The first row whose key is at the limit or past it.
	return b.some + int32(sort.Search(int(b.end-b.some), func(k int) bool { return b.order(b.some+int32(k), i) >= 0 })), nil
}

// last returns the row after the last one of the frame of row i.
func (b *bounder) last(i int32, g int) (int32, error) {
	switch b.bound.kind {
	case plan.UnboundedFollowing:
		return b.to, nil
	case plan.CurrentRow:
		if b.unit == plan.FrameRows {
			return i + 1, nil
		}
		return b.l.peers[g+1], nil
	}
	d, err := b.distance(i)
	if err != nil {
		return 0, err
	}
	back := b.bound.kind == plan.Preceding
	switch b.unit {
	case plan.FrameRows:
		return int32(b.clip(int64(i)+1, d, back, int64(b.from), int64(b.to))), nil
	case plan.FrameGroups:
		return b.l.peers[b.clip(int64(g)+1, d, back, b.firstGroup, b.lastGroup)], nil
	}
	if b.key.IsNull(int(i)) {
		return b.l.peers[g+1], nil
	}
	if b.limit.IsNull(int(i)) {
		if back {
			return b.some, nil
		}
		return b.end, nil
	}
	// The first row whose key is past the limit.
	return b.some + int32(sort.Search(int(b.end-b.some), func(k int) bool { return b.order(b.some+int32(k), i) > 0 })), nil
}

// order compares the key of a row with the limit of row i, in the order of the
// window.
func (b *bounder) order(row, i int32) int {
	c := fn.Compare(b.key, int(row), b.limit, int(i))
	if b.desc {
		return -c
	}
	return c
}

// clip moves a place by a distance and keeps it within [from, to].
func (b *bounder) clip(at, d int64, back bool, from, to int64) int64 {
	d = min(d, math.MaxInt32)
	if back {
		return max(from, at-d)
	}
	return min(to, at+d)
}
