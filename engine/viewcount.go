package engine

import (
	"cmp"
	"context"
	"fmt"
	"math"
	"math/bits"
	"slices"

	"github.com/cairndb/cairn/segment/column"
	"github.com/cairndb/cairn/sql"
	"github.com/cairndb/cairn/sql/plan"
)

// How the groups of views that only count are made (plan.CountingView), which all built-in ones
// do: in one pass over a segment for all of them. Each column is read once, as numbers of its values. What
// comes together in the keys of a view beside its time is a tuple, which has a number again,
// shared by views that differ in the width of their time; a row is then one integer, its time
// and its tuple, and sorted integers are groups in the order of their time, each as often as it has
// rows. No value is looked at but to tell it from others.

// countingColumns are the columns of a segment as numbers.
type countingColumns struct {
	unit  *unit
	paths []plan.Path
	// nums are the numbers of the values of a path by row, 0 for NULL; nil until they are read.
	nums   [][]uint32
	intern []interned
	times  map[int]*countingTime
	tuples map[string]*countingTuples
	// scratch
	keys, sorted []uint64
}

// countedMost is up to how many paths a view may count the values of.
const countedMost = 8

// countingTime is a path that is a time.
type countingTime struct {
	micros []int64
	nulls  []bool // nil for none
	least  int64  // of those that are not NULL
	most   int64
}

// countingTuples are the different values of some paths.
type countingTuples struct {
	of   []uint32 // by row
	rows []uint32 // by tuple: a row that has it
}

// countingViews returns those of some views that only count, and the columns that they need
// of a segment.
func countingViews(ctx context.Context, seg *sealed, views []*matview) (counting map[*matview]plan.CountingView, c *countingColumns, err error) {
	c = &countingColumns{times: make(map[int]*countingTime), tuples: make(map[string]*countingTuples)}
	for _, v := range views {
		if d, ok := v.plan.Counting(); ok {
			if counting == nil {
				counting = make(map[*matview]plan.CountingView)
			}
			counting[v] = d
			for _, p := range d.Keys {
				c.place(p)
			}
			for _, p := range d.Counts {
				if p != nil {
					c.place(*p)
				}
			}
		}
	}
	if counting == nil {
		return nil, nil, nil
	}
	s, err := wholeSegment(seg).Scan(ctx, plan.ScanRequest{Paths: c.paths})
	if err != nil {
		return nil, nil, err
	}
	c.unit = s.(*scan).parts[0]
	c.nums, c.intern = make([][]uint32, len(c.paths)), make([]interned, len(c.paths))
	return counting, c, nil
}

// place returns the place of a path among those that are read.
func (c *countingColumns) place(p plan.Path) int {
	for i, have := range c.paths {
		if have.Column == p.Column && slices.Equal(have.Steps, p.Steps) {
			return i
		}
	}
	c.paths = append(c.paths, p)
	return len(c.paths) - 1
}

// each gives the values of a path, block by block.
func (c *countingColumns) each(ctx context.Context, path int, fn func(v *column.Vector, from, to int)) error {
	for from := 0; from < c.unit.rows; from += plan.BlockRows {
		if err := ctx.Err(); err != nil {
			return err
		}
		to := min(from+plan.BlockRows, c.unit.rows)
		v, err := c.unit.Read(ctx, path, nil, from, to)
		if err != nil {
			return err
		}
		fn(v, from, to)
	}
	return nil
}

// numbers returns the numbers of a path's values by row.
func (c *countingColumns) numbers(ctx context.Context, path int) ([]uint32, error) {
	if c.nums[path] != nil {
		return c.nums[path], nil
	}
	nums, in := make([]uint32, c.unit.rows), &c.intern[path]
	in.reset()
	if err := c.each(ctx, path, func(v *column.Vector, from, to int) { in.fill(v, nums[from:to]) }); err != nil {
		return nil, err
	}
	c.nums[path] = nums
	return nums, nil
}

// time returns the times of a path by row.
func (c *countingColumns) time(ctx context.Context, path int) (*countingTime, error) {
	if t := c.times[path]; t != nil {
		return t, nil
	}
	t := &countingTime{micros: make([]int64, c.unit.rows), least: math.MaxInt64, most: math.MinInt64}
	err := c.each(ctx, path, func(v *column.Vector, from, to int) {
		out := t.micros[from:to]
		if v.Dict == nil && !v.Const && !v.Nulls.Any() {
			copy(out, v.I64)
			t.least, t.most = min(t.least, slices.Min(out)), max(t.most, slices.Max(out))
			return
		}
		for i := range out {
			if v.IsNull(i) {
				if t.nulls == nil {
					t.nulls = make([]bool, c.unit.rows)
				}
				t.nulls[from+i] = true
				continue
			}
			leaf, k := v.Leaf(i)
			out[i] = leaf.I64[k]
			t.least, t.most = min(t.least, out[i]), max(t.most, out[i])
		}
	})
	if err != nil {
		return nil, err
	}
	c.times[path] = t
	return t, nil
}

// tupled numbers the tuples of values of some paths, in the order of the numbers of the values; ok is
// false when there may be too many.
func (c *countingColumns) tupled(ctx context.Context, paths []int) (t *countingTuples, ok bool, err error) {
	name := fmt.Sprint(paths)
	if t = c.tuples[name]; t != nil {
		return t, true, nil
	}
	rows, width := c.unit.rows, 0
	c.keys = slices.Grow(c.keys[:0], rows)[:rows]
	clear(c.keys)
	for _, p := range paths {
		nums, err := c.numbers(ctx, p)
		if err != nil {
			return nil, false, err
		}
		w := bits.Len(uint(len(c.intern[p].texts) - 1))
		if width += w; width > 64 {
			return nil, false, nil
		}
		for i, n := range nums {
			c.keys[i] = c.keys[i]<<uint(w) | uint64(n)
		}
	}
	t = &countingTuples{}
	t.of, t.rows = numberTuples(c.keys)
	c.tuples[name] = t
	return t, true, nil
}

// numberTuples numbers tuples, each an integer, in the order of the integers: neighbours have
// most values in common. rows are where each comes first.
func numberTuples(keys []uint64) (of, rows []uint32) {
	of = make([]uint32, len(keys))
	var table tupleNumbers
	for i, k := range keys {
		n, added := table.number(k)
		if added {
			rows = append(rows, uint32(i))
		}
		of[i] = n
	}
	order := make([]uint32, len(rows))
	for i := range order {
		order[i] = uint32(i)
	}
	slices.SortFunc(order, func(a, b uint32) int { return cmp.Compare(keys[rows[a]], keys[rows[b]]) })
	moved, first := make([]uint32, len(order)), make([]uint32, len(order))
	for i, n := range order {
		moved[n], first[i] = uint32(i), rows[n]
	}
	for i, n := range of {
		of[i] = moved[n]
	}
	return of, first
}

// tupleNumbers numbers integers in the order of their first coming: a hash table with open
// addressing, at most half full.
type tupleNumbers struct {
	keys  []uint64
	at    []uint32 // 1 + number; 0 for an empty place
	n     uint32
	shift uint
}

func (t *tupleNumbers) number(k uint64) (n uint32, added bool) {
	if 2*int(t.n+1) > len(t.keys) {
		t.grow()
	}
	mask := uint64(len(t.keys) - 1)
	for at := k * 0x9e3779b97f4a7c15 >> t.shift; ; at = (at + 1) & mask {
		switch {
		case t.at[at] == 0:
			t.n++
			t.keys[at], t.at[at] = k, t.n
			return t.n - 1, true
		case t.keys[at] == k:
			return t.at[at] - 1, false
		}
	}
}

func (t *tupleNumbers) grow() {
	keys, at := t.keys, t.at
	size := max(1<<12, 2*len(keys))
	t.keys, t.at, t.shift = make([]uint64, size), make([]uint32, size), uint(65-bits.Len(uint(size)))
	for i, n := range at {
		if n == 0 {
			continue
		}
		to := keys[i] * 0x9e3779b97f4a7c15 >> t.shift
		for t.at[to] != 0 {
			to = (to + 1) & uint64(size-1)
		}
		t.keys[to], t.at[to] = keys[i], n
	}
}

// group makes the groups of a view; nil when they are too many for integers.
func (c *countingColumns) group(ctx context.Context, v *sql.View, d plan.CountingView) (*groupTable, error) {
	var paths []int
	for i, p := range d.Keys {
		if i != d.Time {
			paths = append(paths, c.place(p))
		}
	}
	rows := c.unit.rows
	tuples := &countingTuples{of: make([]uint32, 0), rows: []uint32{0}}
	width := uint(0)
	if len(paths) > 0 {
		t, ok, err := c.tupled(ctx, paths)
		if err != nil || !ok {
			return nil, err
		}
		tuples, width = t, uint(bits.Len(uint(len(t.rows)-1)))
	}
	var time *countingTime
	var least int64
	all := width
	if d.Time >= 0 {
		var err error
		if time, err = c.time(ctx, c.place(d.Keys[d.Time])); err != nil {
			return nil, err
		}
		if time.least <= time.most {
			least = floorDiv(time.least, d.Width)
			all += uint(bits.Len64(uint64(floorDiv(time.most, d.Width)-least) + 1))
		} else {
			all++
		}
	}
	// Below the time and the tuple is a bit for each path whose values are counted.
	var counted [][]uint32
	of := make([]int, len(d.Counts))
	for i, p := range d.Counts {
		of[i] = -1
		if p == nil {
			continue
		}
		nums, err := c.numbers(ctx, c.place(*p))
		if err != nil {
			return nil, err
		}
		of[i] = len(counted)
		counted = append(counted, nums)
	}
	flags := uint(len(counted))
	if all += flags; all > 64 || len(counted) > countedMost {
		return nil, nil
	}
	c.keys = slices.Grow(c.keys[:0], rows)[:rows]
	clear(c.keys)
	if time != nil {
		// Rows that follow each other are mostly of the same time.
		from, bucket := int64(1), uint64(0)
		end := int64(0)
		for i, x := range time.micros {
			if time.nulls != nil && time.nulls[i] {
				continue // NULL is the least
			}
			if x < from || x >= end {
				q := floorDiv(x, d.Width)
				from, bucket = q*d.Width, (uint64(q-least)+1)<<width
				end = from + d.Width
			}
			c.keys[i] = bucket
		}
	}
	for i, n := range tuples.of {
		c.keys[i] |= uint64(n)
	}
	for _, nums := range counted {
		for i, n := range nums {
			k := c.keys[i] << 1
			if n != 0 {
				k |= 1
			}
			c.keys[i] = k
		}
	}
	c.sort(all)

	g := &groupTable{cols: make([]*column.Vector, len(v.Types())), tuples: make([]*column.Vector, len(d.Keys)), count: len(tuples.rows)}
	counts := make([][]int64, len(d.Counts))
	var buckets []uint64
	for i := 0; i < rows; {
		key := c.keys[i] >> flags
		begin := i
		var n [countedMost]int64
		for ; i < rows && c.keys[i]>>flags == key; i++ {
			for f := range flags {
				n[f] += int64(c.keys[i] >> (flags - 1 - f) & 1)
			}
		}
		for k, f := range of {
			if f < 0 {
				counts[k] = append(counts[k], int64(i-begin))
			} else {
				counts[k] = append(counts[k], n[f])
			}
		}
		if len(paths) > 0 {
			g.of = append(g.of, uint32(key&(1<<width-1)))
		}
		if time != nil {
			buckets = append(buckets, key>>width)
		}
		g.n++
	}
	for i, n := range counts {
		g.cols[len(d.Keys)+i] = &column.Vector{Type: v.Types()[len(d.Keys)+i], Len: g.n, I64: n}
	}
	next := 0
	for i := range d.Keys {
		typ := v.Types()[i]
		if i != d.Time {
			g.tuples[i] = c.entries(typ, paths[next], tuples.rows)
			next++
			continue
		}
		times := &column.Vector{Type: typ, Len: g.n, I64: make([]int64, g.n)}
		for k, b := range buckets {
			if b == 0 {
				times.SetNull(k)
			} else {
				times.I64[k] = (least + int64(b-1)) * d.Width
			}
		}
		g.cols[i] = times
	}
	return g, nil
}

// entries returns the values of a path in some rows.
func (c *countingColumns) entries(typ *column.Type, path int, rows []uint32) *column.Vector {
	nums, in := c.nums[path], &c.intern[path]
	if typ.Kind == column.Boolean {
		v := column.New(typ, len(rows))
		for i, r := range rows {
			switch text, ok := in.text(nums[r]); {
			case !ok:
				v.SetNull(i)
			case text == "true":
				v.I64[i] = 1
			}
		}
		return v
	}
	// Only what occurs is an entry: number 0 is NULL whether there is one or not.
	dict := column.NewAppender(typ, len(in.texts))
	place := make([]uint32, len(in.texts)) // 1 + the entry
	v := &column.Vector{Type: typ, Len: len(rows), Codes: make([]uint32, len(rows))}
	texts := &column.Vector{Type: typ, Len: len(in.texts), Str: in.texts}
	for i, r := range rows {
		n := nums[r]
		if place[n] == 0 {
			if n == 0 {
				dict.Null()
			} else {
				dict.Append(texts, int(n))
			}
			place[n] = uint32(dict.Len())
		}
		v.Codes[i] = place[n] - 1
	}
	v.Dict = dict.Vector()
	return v
}

// sort orders the keys, of which so many bits are in use, digit by digit from the lowest.
func (c *countingColumns) sort(width uint) {
	const digitMost = 11
	passes := (width + digitMost - 1) / digitMost
	if passes == 0 {
		return
	}
	digit := (width + passes - 1) / passes
	rows := len(c.keys)
	c.sorted = slices.Grow(c.sorted[:0], rows)[:rows]
	var places [1 << digitMost]uint32
	mask := uint64(1)<<digit - 1
	for p := range passes {
		shift := p * digit
		clear(places[:])
		for _, k := range c.keys {
			places[k>>shift&mask]++
		}
		at := uint32(0)
		for i, n := range places[:mask+1] {
			places[i] = at
			at += n
		}
		for _, k := range c.keys {
			d := k >> shift & mask
			c.sorted[places[d]] = k
			places[d]++
		}
		c.keys, c.sorted = c.sorted, c.keys
	}
}

// floorDiv divides, towards the smaller number.
func floorDiv(x, by int64) int64 {
	q := x / by
	if x%by < 0 {
		q--
	}
	return q
}
