package fn

import (
	"math/bits"

	"github.com/cairndb/cairn/segment/column"
)

// FrameAccumulator is an Accumulator that can compute its aggregate over many
// ranges of the same rows at once, in much less than the sum of their lengths:
// what a window with a moving frame asks for. It is used once, fresh.
type FrameAccumulator interface {
	Accumulator
	// Frames returns one value per range [lo[i], hi[i]) of the n rows of args.
	// Ranges may be empty. Arguments are in any layout.
	Frames(args []*column.Vector, n int, lo, hi []int32) (*column.Vector, error)
}

// Frames implements FrameAccumulator by counts up to every row.
func (c *counter) Frames(args []*column.Vector, n int, lo, hi []int32) (*column.Vector, error) {
	c.Grow(len(lo))
	upTo := make([]int32, n+1)
	for i := range n {
		counts := int32(1)
		if c.onlyIf {
			counts = int32(truth(isTrueAt(args[0], i)))
		} else if len(args) > 0 {
			counts = int32(truth(!args[0].IsNull(i)))
		}
		upTo[i+1] = upTo[i] + counts
	}
	for i := range lo {
		c.counts[i] = int64(upTo[hi[i]] - upTo[lo[i]])
	}
	return c.Result()
}

// Frames implements FrameAccumulator by sums up to every row: in 128 bits they
// can be taken from each other without loss.
func (s *integerSum) Frames(args []*column.Vector, n int, lo, hi []int32) (*column.Vector, error) {
	s.Grow(len(lo))
	upTo, counts := make([]int128, n+1), make([]int32, n+1)
	v := args[0]
	for i := range n {
		upTo[i+1], counts[i+1] = upTo[i], counts[i]
		if !v.IsNull(i) {
			leaf, j := v.Leaf(i)
			upTo[i+1] = upTo[i].add(widen(leaf.I64[j]))
			counts[i+1]++
		}
	}
	for i := range lo {
		s.sums[i] = upTo[hi[i]].add(upTo[lo[i]].neg())
		s.counts[i] = int64(counts[hi[i]] - counts[lo[i]])
	}
	return s.Result()
}

// directRows is how many rows of a frame are folded one after the other rather
// than by a tree.
const directRows = 32

// Frames implements FrameAccumulator. Doubles cannot be taken out of a sum
// again without loss, so frames that grow at their end go on from the sum
// before, short ones are added up, and long ones come out of a tree of sums.
func (s *doubleSum) Frames(args []*column.Vector, n int, lo, hi []int32) (*column.Vector, error) {
	s.Grow(len(lo))
	values, counts := make([]float64, n), make([]int32, n+1)
	v := args[0]
	for i := range n {
		counts[i+1] = counts[i]
		if !v.IsNull(i) {
			leaf, j := v.Leaf(i)
			values[i] = leaf.F64[j]
			counts[i+1]++
		}
	}
	add := func(a, b float64) float64 { return a + b }
	tree := foldTree[float64]{leaves: values, fold: add}
	for i := range lo {
		s.counts[i] = int64(counts[hi[i]] - counts[lo[i]])
		switch {
		case i > 0 && lo[i] == lo[i-1] && hi[i] >= hi[i-1]:
			sum := s.sums[i-1]
			for _, x := range values[hi[i-1]:hi[i]] {
				sum += x
			}
			s.sums[i] = sum
		case hi[i]-lo[i] <= directRows:
			for _, x := range values[lo[i]:hi[i]] {
				s.sums[i] += x
			}
		default:
			s.sums[i] = tree.over(int(lo[i]), int(hi[i]))
		}
	}
	return s.Result()
}

// Frames implements FrameAccumulator: it finds the row that holds the extreme
// of each range.
func (e *extreme) Frames(args []*column.Vector, n int, lo, hi []int32) (*column.Vector, error) {
	v := column.Flatten(args[0])
	better := func(a, b int32) int32 { // of two rows, -1 for none
		switch {
		case a < 0:
			return b
		case b < 0:
			return a
		}
		if v.F64 != nil {
			if x, y := v.F64[a], v.F64[b]; x != x {
				return b
			} else if y != y {
				return a
			}
		}
		if e.sign*Compare(v, int(b), v, int(a)) > 0 {
			return b
		}
		return a
	}
	if v.I64 != nil {
		sign := e.sign > 0
		better = func(a, b int32) int32 {
			switch {
			case a < 0:
				return b
			case b < 0:
				return a
			}
			if x, y := v.I64[a], v.I64[b]; x != y && (y > x) == sign {
				return b
			}
			return a
		}
	}
	rows := make([]int32, n)
	for i := range rows {
		rows[i] = int32(i)
		if v.Nulls.Get(i) {
			rows[i] = -1
		}
	}
	tree := foldTree[int32]{leaves: rows, fold: better, none: -1}
	at := make([]int32, len(lo))
	for i := range lo {
		from, best := lo[i], int32(-1)
		if i > 0 && lo[i] == lo[i-1] && hi[i] >= hi[i-1] {
			from, best = hi[i-1], at[i-1]
		}
		if hi[i]-from <= directRows {
			for _, r := range rows[from:hi[i]] {
				best = better(best, r)
			}
		} else {
			best = better(best, tree.over(int(from), int(hi[i])))
		}
		at[i] = best
	}
	return gatherOrNull(v, at), nil
}

// gatherOrNull returns the values at the given places, NULL for places below 0.
func gatherOrNull(v *column.Vector, at []int32) *column.Vector {
	out := column.NewAppender(v.Type, len(at))
	for _, p := range at {
		if p < 0 {
			out.Null()
		} else {
			out.Append(v, int(p))
		}
	}
	return out.Vector()
}

// foldTree folds ranges of values by powers of two; it is built when first
// asked. The fold must be associative, as far as it matters.
type foldTree[T any] struct {
	leaves []T
	fold   func(a, b T) T
	none   T // what a fold leaves as it is
	// levels[k][j] folds the 2^(k+1) leaves from j<<(k+1) on, where all exist.
	levels [][]T
	built  bool
}

func (t *foldTree[T]) build() {
	t.built = true
	for below := t.leaves; len(below) > 1; {
		level := make([]T, len(below)/2)
		for j := range level {
			level[j] = t.fold(below[2*j], below[2*j+1])
		}
		t.levels = append(t.levels, level)
		below = level
	}
}

// over folds leaves [lo, hi) in their order.
func (t *foldTree[T]) over(lo, hi int) T {
	if !t.built {
		t.build()
	}
	acc := t.none
	for lo < hi {
		// The largest block that begins at lo and ends within.
		k := bits.Len(uint(hi-lo)) - 1
		if lo != 0 {
			k = min(k, bits.TrailingZeros(uint(lo)))
		}
		if k == 0 {
			acc = t.fold(acc, t.leaves[lo])
		} else {
			acc = t.fold(acc, t.levels[k-1][lo>>k])
		}
		lo += 1 << k
	}
	return acc
}
