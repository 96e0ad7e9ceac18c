package exec

import (
	"slices"

	"github.com/cairndb/cairn/segment/column"
	"github.com/cairndb/cairn/sql/fn"
)

// orderedRows are the values that an aggregate is to take in an order: that of
// its ORDER BY, and for equal rows, or without one, that of the input. They are
// kept until all are there.
type orderedRows struct {
	of    []uint32 // the group of each
	args  []*column.Appender
	keys  []*column.Appender
	place []uint64 // task and row in it
	held  int64
}

func newOrderedRows(a *aggregate) *orderedRows {
	r := &orderedRows{}
	for _, t := range a.types {
		r.args = append(r.args, column.NewAppender(t, 0))
	}
	for _, k := range a.order {
		r.keys = append(r.keys, column.NewAppender(k.typ, 0))
	}
	return r
}

// add appends n rows of a frame.
func (r *orderedRows) add(of []uint32, args, keys []*column.Vector, place func(int) uint64, n int) {
	r.of = append(r.of, of[:n]...)
	for i := range n {
		r.place = append(r.place, place(i))
	}
	r.append(args, keys)
}

func (r *orderedRows) append(args, keys []*column.Vector) {
	for i, v := range args {
		r.held += flatBytes(v)
		r.args[i].AppendAll(v)
	}
	for i, v := range keys {
		r.held += flatBytes(v)
		r.keys[i].AppendAll(v)
	}
}

func flatBytesOf(list []*column.Vector) int64 {
	n := int64(0)
	for _, v := range list {
		n += flatBytes(v)
	}
	return n
}

// flatBytes estimates what a vector holds once it is flat.
func flatBytes(v *column.Vector) int64 {
	if v.Dict == nil && !v.Const {
		return vectorBytes(v)
	}
	if v.Const && v.Len > 0 {
		leaf, j := v.Leaf(0)
		return int64(v.Len) * (16 + spanBytes(leaf, j, j+1))
	}
	n, size := int64(0), int64(0)
	var last *column.Vector
	lastAt := -1
	for i := range v.Len {
		leaf, j := v.Leaf(i)
		if leaf != last || j != lastAt {
			// A large value may stand in many rows.
			last, lastAt, size = leaf, j, 16+spanBytes(leaf, j, j+1)
		}
		n += size
	}
	return n
}

// spanBytes estimates what the values [from, to) of a flat vector hold beside
// their places in it, down to the innermost.
func spanBytes(v *column.Vector, from, to int) int64 {
	n := int64(0)
	switch {
	case v.Str != nil:
		for _, s := range v.Str[from:to] {
			n += int64(len(s))
		}
	case v.Offsets != nil:
		first, last := int(v.Offsets[from]), int(v.Offsets[to])
		for _, c := range v.Children {
			n += 16*int64(last-first) + childBytes(c, first, last)
		}
	default:
		for _, c := range v.Children {
			n += 16*int64(to-from) + childBytes(c, from, to)
		}
	}
	return n
}

func childBytes(v *column.Vector, from, to int) int64 {
	if v.Const || v.Dict != nil {
		return flatBytes(v.Slice(from, to))
	}
	return spanBytes(v, from, to)
}

// merge adds the rows of another worker, whose groups have the given numbers
// here.
func (r *orderedRows) merge(o *orderedRows, numbers []uint32) {
	for _, g := range o.of {
		r.of = append(r.of, numbers[g])
	}
	r.place = append(r.place, o.place...)
	r.append(vectorsOf(o.args), vectorsOf(o.keys))
	*o = orderedRows{}
}

func vectorsOf(list []*column.Appender) []*column.Vector {
	out := make([]*column.Vector, len(list))
	for i, a := range list {
		out[i] = a.Vector()
	}
	return out
}

func (r *orderedRows) bytes() int64 { return r.held + int64(4*cap(r.of)+8*cap(r.place)) }

// feed gives the rows to an accumulator in their order.
func (r *orderedRows) feed(q *query, a *aggregate, acc fn.Accumulator, charge func() error) error {
	keys := vectorsOf(r.keys)
	rows := make([]int32, len(r.of))
	for i := range rows {
		rows[i] = int32(i)
	}
	sorted := true
	for i := 1; i < len(rows) && sorted; i++ {
		sorted = len(keys) == 0 && r.place[i-1] <= r.place[i]
	}
	if !sorted {
		// Group by group, so that many small sorts take the place of a large one.
		pulse := pulse{q: q}
		slices.SortFunc(rows, func(x, y int32) int {
			pulse.beat()
			if r.of[x] != r.of[y] {
				return int(r.of[x]) - int(r.of[y])
			}
			for k := range keys {
				if c := a.order[k].order(keys[k], int(x), int(y)); c != 0 {
					return c
				}
			}
			if r.place[x] < r.place[y] {
				return -1
			}
			return 1
		})
	}
	return feedRows(q, acc, r.of, vectorsOf(r.args), rows, charge)
}

// order compares two values in the order of the key.
func (k *sortKey) order(v *column.Vector, x, y int) int {
	if xn, yn := v.IsNull(x), v.IsNull(y); xn || yn {
		switch {
		case xn && yn:
			return 0
		case xn == k.nullsFirst:
			return -1
		}
		return 1
	}
	c := fn.Compare(v, x, v, y)
	if k.desc {
		return -c
	}
	return c
}

// feedRows adds the given rows of args to an accumulator, in that order. of is
// the group of each row, nil when there is but one. charge is called for every batch.
func feedRows(q *query, acc fn.Accumulator, of []uint32, args []*column.Vector, rows []int32, charge func() error) error {
	part := make([]*column.Vector, len(args))
	var groups []uint32
	for from := 0; from < len(rows); from += batchRows {
		if err := q.live(); err != nil {
			return err
		}
		at := rows[from:min(len(rows), from+batchRows)]
		for i, v := range args {
			part[i] = column.Gather(v, at)
		}
		if of != nil {
			groups = groups[:0]
			for _, p := range at {
				groups = append(groups, of[p])
			}
		}
		if err := acc.Add(groups, part, len(at)); err != nil {
			return err
		}
		if err := charge(); err != nil {
			return err
		}
	}
	return nil
}

// distinctOrder returns the order in which the different arguments of an
// aggregate are taken: that of its ORDER BY, or of the arguments themselves
// when the result shows the order, so that it does not depend on which worker
// came first; nil for as they are.
func (a *aggregate) distinctOrder(q *query, args []*column.Vector, n int) []int32 {
	if len(a.order) == 0 && !a.fn.Ordered {
		return nil
	}
	rows := make([]int32, n)
	for i := range rows {
		rows[i] = int32(i)
	}
	pulse := pulse{q: q}
	slices.SortStableFunc(rows, func(x, y int32) int {
		pulse.beat()
		for k, arg := range a.orderArgs {
			if c := a.order[k].order(args[arg], int(x), int(y)); c != 0 {
				return c
			}
		}
		for _, v := range args {
			if c := fn.Compare(v, int(x), v, int(y)); c != 0 {
				return c
			}
		}
		return 0
	})
	return rows
}
