package exec

import (
	"github.com/cairndb/cairn/segment/column"
	"github.com/cairndb/cairn/sql/fn"
	"github.com/cairndb/cairn/sql/sqlerr"
)

// function computes one function of a window for all rows of a block.
func (op *windowOp) function(b *windowBlock, f *windowFunc) (*column.Vector, error) {
	if f.agg != nil {
		return op.windowAggregate(b, f)
	}
	l := b.layouts[f.spec]
	switch f.name {
	case "row_number", "rank", "dense_rank":
		return l.ranks(f), nil
	case "percent_rank", "cume_dist":
		return l.fractions(f), nil
	case "ntile":
		return l.tiles(b.value(&f.args[0]))
	case "lag", "lead":
		return l.shifted(b, f)
	}
	return op.framed(b, f)
}

func (l *layout) ranks(f *windowFunc) *column.Vector {
	out := column.New(column.BigIntType, l.n)
	l.each(func(from, to int32, first, last int) error {
		for g := first; g < last; g++ {
			for i := l.peers[g]; i < l.peers[g+1]; i++ {
				switch f.name {
				case "row_number":
					out.I64[i] = int64(i-from) + 1
				case "rank":
					out.I64[i] = int64(l.peers[g]-from) + 1
				default:
					out.I64[i] = int64(g-first) + 1
				}
			}
		}
		return nil
	})
	return out
}

func (l *layout) fractions(f *windowFunc) *column.Vector {
	out := column.New(column.DoubleType, l.n)
	l.each(func(from, to int32, first, last int) error {
		n := to - from
		for g := first; g < last; g++ {
			x := float64(l.peers[g+1]-from) / float64(n)
			if f.name == "percent_rank" {
				if x = 0; n > 1 {
					x = float64(l.peers[g]-from) / float64(n-1)
				}
			}
			for i := l.peers[g]; i < l.peers[g+1]; i++ {
				out.F64[i] = x
			}
		}
		return nil
	})
	return out
}

// tiles is ntile: the first buckets get the rows that are left over.
func (l *layout) tiles(buckets *column.Vector) (*column.Vector, error) {
	out := column.New(column.BigIntType, l.n)
	return out, l.each(func(from, to int32, first, last int) error {
		n := int64(to - from)
		for i := from; i < to; i++ {
			if buckets.IsNull(int(i)) {
				out.SetNull(int(i))
				continue
			}
			v, j := buckets.Leaf(int(i))
			k := v.I64[j]
			if k < 1 {
				return sqlerr.New("22014", sqlerr.Pos{}, "ntile makes 1 or more buckets, not %d", k)
			}
			at, size := int64(i-from), n/k
			large := n % k // buckets with one row more
			if at < large*(size+1) {
				out.I64[i] = at/(size+1) + 1
			} else {
				out.I64[i] = large + (at-large*(size+1))/size + 1
			}
		}
		return nil
	})
}

// notNull lists the rows of a vector that are not NULL, and for every row how
// many of them are before it.
func notNull(v *column.Vector, n int) (rows, before []int32) {
	before = make([]int32, n+1)
	for i := range n {
		before[i] = int32(len(rows))
		if !v.IsNull(i) {
			rows = append(rows, int32(i))
		}
	}
	before[n] = int32(len(rows))
	return rows, before
}

// shifted is lag and lead.
func (l *layout) shifted(b *windowBlock, f *windowFunc) (*column.Vector, error) {
	value := b.value(&f.args[0])
	var offset, otherwise *column.Vector
	if len(f.args) > 1 {
		offset = b.value(&f.args[1])
	}
	if len(f.args) > 2 {
		otherwise = b.value(&f.args[2])
	}
	var rows, before []int32
	if f.ignoreNulls {
		rows, before = notNull(value, l.n)
	}
	at := make([]int32, l.n)
	missing := false
	err := l.each(func(from, to int32, first, last int) error {
		for i := from; i < to; i++ {
			d := int64(1)
			if offset != nil {
				if offset.IsNull(int(i)) {
					return sqlerr.New(sqlerr.InvalidArgument, sqlerr.Pos{}, "the offset of %s is NULL", f.name)
				}
				v, j := offset.Leaf(int(i))
				if d = v.I64[j]; d < 0 {
					return sqlerr.New(sqlerr.InvalidArgument, sqlerr.Pos{}, "the offset of %s must not be negative", f.name)
				}
				d = min(d, int64(l.n))
			}
			at[i] = -1
			switch p := int64(i); {
			case f.ignoreNulls && d > 0:
				// Count in the values that are not NULL.
				k := int64(before[i]) - d
				if f.name == "lead" {
					k = int64(before[i+1]) + d - 1
				}
				if k >= int64(before[from]) && k < int64(before[to]) {
					at[i] = rows[k]
				}
			default:
				if p -= d; f.name == "lead" {
					p += 2 * d
				}
				if p >= int64(from) && p < int64(to) {
					at[i] = int32(p)
				}
			}
			missing = missing || at[i] < 0
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	if !missing {
		return gathered(value, at), nil
	}
	return pick(value, at, otherwise), nil
}

// pick returns the values at the given rows; where the row is below 0 it takes
// the value of otherwise, NULL when that is nil.
func pick(v *column.Vector, at []int32, otherwise *column.Vector) *column.Vector {
	out := newPicker(v.Type, len(at))
	none := column.NullConst(v.Type, 1)
	if v.Type.Payload() == column.PayloadNested && !v.Const && v.Dict == nil {
		// The same value may be wanted for many rows.
		codes := make([]uint32, v.Len)
		for i := range codes {
			codes[i] = uint32(i)
		}
		v = &column.Vector{Type: v.Type, Len: v.Len, Dict: v, Codes: codes}
	}
	for i, p := range at {
		switch {
		case p >= 0:
			out.add(v, int(p))
		case otherwise != nil:
			out.add(otherwise, i)
		default:
			out.add(none, 0)
		}
	}
	return out.vector()
}

// framed is first_value, last_value and nth_value.
func (op *windowOp) framed(b *windowBlock, f *windowFunc) (*column.Vector, error) {
	fr, err := op.framesOf(b, f)
	if err != nil {
		return nil, err
	}
	value := b.value(&f.args[0])
	var nth *column.Vector
	if f.name == "nth_value" {
		nth = b.value(&f.args[1])
	}
	var rows, before []int32
	if f.ignoreNulls {
		rows, before = notNull(value, b.n)
	}
	at := make([]int32, b.n)
	if f.ignoreNulls {
		fr = fr.shown(before)
	}
	for i := range at {
		k := int64(0)
		switch {
		case f.name == "last_value":
			k = -1
		case nth != nil && nth.IsNull(i):
			k = int64(b.n)
		case nth != nil:
			v, j := nth.Leaf(i)
			if v.I64[j] < 1 {
				return nil, sqlerr.New("22016", sqlerr.Pos{}, "nth_value counts from 1, not from %d", v.I64[j])
			}
			k = min(v.I64[j], int64(b.n)+1) - 1
		}
		if fr.rest != nil {
			at[i] = fr.nth(i, k)
		} else {
			lo, hi := fr.lo[i], fr.hi[i]
			if at[i] = -1; k < 0 && lo < hi {
				at[i] = hi - 1
			} else if k >= 0 && k < int64(hi-lo) {
				at[i] = lo + int32(k)
			}
		}
		if f.ignoreNulls && at[i] >= 0 {
			at[i] = rows[at[i]]
		}
	}
	return pick(value, at, nil), nil
}

// windowAggregate computes an aggregate over the frame of every row.
func (op *windowOp) windowAggregate(b *windowBlock, f *windowFunc) (*column.Vector, error) {
	fr, err := op.framesOf(b, f)
	if err != nil {
		return nil, err
	}
	n := b.n
	args := make([]*column.Vector, len(f.args))
	for i := range args {
		args[i] = b.value(&f.args[i])
	}
	if f.filter != nil {
		// Frames of the rows that pass.
		cond := b.value(f.filter)
		var kept []int32
		before := make([]int32, n+1)
		for i := range n {
			before[i] = int32(len(kept))
			if v, j := cond.Leaf(i); !cond.IsNull(i) && v.I64[j] != 0 {
				kept = append(kept, int32(i))
			}
		}
		before[n] = int32(len(kept))
		fr = fr.shown(before)
		for i, a := range args {
			args[i] = column.Gather(a, kept)
		}
		n = len(kept)
	}
	if fr.rest != nil {
		return op.aggregateRanges(b, f, args, n, fr)
	}
	lo, hi := fr.lo, fr.hi
	// Rows with the frame of the row before share its result.
	of := make([]int32, b.n)
	var los, his []int32
	total := int64(0)
	for i := range of {
		if i == 0 || lo[i] != lo[i-1] || hi[i] != hi[i-1] {
			los, his = append(los, lo[i]), append(his, hi[i])
			total += int64(hi[i] - lo[i])
		}
		of[i] = int32(len(los) - 1)
	}
	acc := b.q.accumulator(f.agg)
	a := &frameRun{b: b, f: f, args: args, n: n, lo: los, hi: his}
	a.mem = account{m: b.q.mem, what: b.mem.what, todo: b.mem.todo}
	defer a.mem.release()
	var out *column.Vector
	if ranges, ok := acc.(fn.FrameAccumulator); ok {
		if err := a.mem.hold(int64(n)*32 + int64(len(los))*24); err != nil {
			return nil, err
		}
		out, err = ranges.Frames(args, n, los, his)
	} else {
		acc.Grow(len(los))
		if total <= directFactor*int64(n)+int64(len(los)) {
			err = a.direct(acc)
		} else {
			err = a.tree(acc)
		}
		if err == nil {
			out, err = acc.Result()
		}
	}
	if err != nil {
		return nil, err
	}
	if len(los) == b.n {
		return column.Flatten(out), nil
	}
	return gathered(out, of), nil
}

// aggregateRanges computes an aggregate over frames that are several ranges each,
// one range after the other.
func (op *windowOp) aggregateRanges(b *windowBlock, f *windowFunc, args []*column.Vector, n int, fr *frames) (*column.Vector, error) {
	a := &frameRun{b: b, f: f, args: args, n: n}
	a.mem = account{m: b.q.mem, what: b.mem.what, todo: b.mem.todo}
	defer a.mem.release()
	var sum fn.Accumulator
	groups := make([]uint32, b.n)
	for i := range groups {
		groups[i] = uint32(i)
	}
	for _, r := range fr.all() {
		if sum != nil {
			a.held = sum.Bytes()
		}
		a.lo, a.hi = r.lo, r.hi
		acc, total := b.q.accumulator(f.agg), int64(0)
		acc.Grow(b.n)
		for i := range r.lo {
			total += int64(r.hi[i] - r.lo[i])
		}
		run := a.tree
		if total <= directFactor*int64(n)+int64(b.n) {
			run = a.direct
		}
		if err := run(acc); err != nil {
			return nil, err
		}
		if sum == nil {
			sum = acc
			continue
		}
		if err := sum.Merge(acc, groups); err != nil {
			return nil, err
		}
	}
	out, err := sum.Result()
	if err != nil {
		return nil, err
	}
	return column.Flatten(out), nil
}

// directFactor is how many times each row may be added to a frame before a tree
// of partial results is cheaper.
const directFactor = 16

// frameRun computes an aggregate, of which only the Accumulator is known, over
// ranges of rows: one group per range.
type frameRun struct {
	b      *windowBlock
	f      *windowFunc
	args   []*column.Vector
	n      int
	lo, hi []int32
	held   int64 // by what has been computed before
	mem    account
}

// charge accounts for the results so far.
func (a *frameRun) charge(held int64) error {
	if err := a.b.q.live(); err != nil {
		return err
	}
	return a.mem.hold(a.held + held)
}

// rangeRows is how many rows a range has for it to be cut out rather than
// gathered.
const rangeRows = 256

// direct adds every row of every range.
func (a *frameRun) direct(acc fn.Accumulator) error {
	var at []int32
	var groups []uint32
	flush := func() error {
		if len(at) == 0 {
			return nil
		}
		args := make([]*column.Vector, len(a.args))
		for i, v := range a.args {
			args[i] = gather(v, at)
		}
		if err := acc.Add(groups, args, len(at)); err != nil {
			return err
		}
		at, groups = at[:0], groups[:0]
		return a.charge(acc.Bytes())
	}
	for g := range a.lo {
		lo, hi := a.lo[g], a.hi[g]
		if hi-lo >= rangeRows {
			if err := flush(); err != nil {
				return err
			}
			if err := a.addRange(acc, uint32(g), lo, hi); err != nil {
				return err
			}
			continue
		}
		for i := lo; i < hi; i++ {
			at, groups = append(at, i), append(groups, uint32(g))
		}
		if len(at) >= batchRows {
			if err := flush(); err != nil {
				return err
			}
		}
	}
	return flush()
}

// addRange adds rows [lo, hi) to one group.
func (a *frameRun) addRange(acc fn.Accumulator, group uint32, lo, hi int32) error {
	groups := make([]uint32, min(hi-lo, batchRows))
	for i := range groups {
		groups[i] = group
	}
	args := make([]*column.Vector, len(a.args))
	for ; lo < hi; lo += batchRows {
		to := min(hi, lo+batchRows)
		for i, v := range a.args {
			args[i] = v.Slice(int(lo), int(to))
		}
		if err := acc.Add(groups[:to-lo], args, int(to-lo)); err != nil {
			return err
		}
		if err := a.charge(acc.Bytes()); err != nil {
			return err
		}
	}
	return nil
}

// leafRows is how many rows a leaf of the tree stands for.
const leafRows = 64

// tree computes partial results over runs of rows, over pairs of such runs and
// so on, and puts every range together out of the largest runs inside it.
func (a *frameRun) tree(acc fn.Accumulator) error {
	var levels [][]fn.Accumulator
	held := int64(0)
	one := []uint32{0}
	for below := a.n / leafRows; below > 0; below /= 2 {
		level := make([]fn.Accumulator, below)
		for j := range level {
			part := a.b.q.accumulator(a.f.agg)
			part.Grow(1)
			var err error
			if len(levels) == 0 {
				err = a.addRange(part, 0, int32(j*leafRows), int32((j+1)*leafRows))
			} else {
				last := levels[len(levels)-1]
				if err = part.Merge(last[2*j], one); err == nil {
					err = part.Merge(last[2*j+1], one)
				}
			}
			if err != nil {
				return err
			}
			held += part.Bytes() + 64
			level[j] = part
			if j%1024 == 0 {
				if err := a.charge(held); err != nil {
					return err
				}
			}
		}
		levels = append(levels, level)
	}
	if err := a.charge(held); err != nil {
		return err
	}
	to := []uint32{0}
	edge := make([]*column.Vector, len(a.args))
	groups := make([]uint32, 2*leafRows)
	rows := func(g uint32, lo, hi int32) error {
		if lo == hi {
			return nil
		}
		for i, v := range a.args {
			edge[i] = v.Slice(int(lo), int(hi))
		}
		for i := range hi - lo {
			groups[i] = g
		}
		return acc.Add(groups[:hi-lo], edge, int(hi-lo))
	}
	for g := range a.lo {
		if g%256 == 0 {
			if err := a.charge(held + acc.Bytes()); err != nil {
				return err
			}
		}
		lo, hi := a.lo[g], a.hi[g]
		from, end := int(lo+leafRows-1)/leafRows, int(hi)/leafRows // whole leaves
		if from >= end {
			if err := rows(uint32(g), lo, hi); err != nil {
				return err
			}
			continue
		}
		if err := rows(uint32(g), lo, int32(from*leafRows)); err != nil {
			return err
		}
		to[0] = uint32(g)
		for at := from; at < end; {
			k := 0
			for at%(2<<k) == 0 && at+2<<k <= end && k+1 < len(levels) {
				k++
			}
			if err := acc.Merge(levels[k][at>>k], to); err != nil {
				return err
			}
			at += 1 << k
		}
		if err := rows(uint32(g), int32(end*leafRows), hi); err != nil {
			return err
		}
	}
	return a.charge(held + acc.Bytes())
}
