package exec

import (
	"github.com/cairndb/cairn/segment/column"
	"github.com/cairndb/cairn/sql/plan"
	"github.com/cairndb/cairn/sql/sqlerr"
)

// unnestOp gives a row for every element of arrays and maps.
type unnestOp struct {
	stats opStats
	input operator
	node  *plan.Unnest
	args  []expr
	width int // columns of the input
}

func (c *compiler) unnest(n *plan.Unnest) *unnestOp {
	in := n.Input.Cols()
	return &unnestOp{input: c.node(n.Input), node: n, args: c.exprs(n.Args, slotsOf(in)), width: len(in)}
}

func (op *unnestOp) open(q *query) ([]task, error) {
	tasks, err := op.input.open(q)
	if err != nil {
		return nil, err
	}
	for i, t := range tasks {
		tasks[i] = taskFunc(func(w *worker, emit func(*frame) error) error {
			return t.run(w, func(f *frame) error {
				was := w.enter(&op.stats)
				defer w.enter(was)
				return op.take(w, f, emit)
			})
		})
	}
	return tasks, nil
}

// run is a piece of what one input row becomes: elements from to to.
type elements struct {
	row      int32
	from, to int64
}

// take emits the rows that a frame of input becomes, in batches.
func (op *unnestOp) take(w *worker, f *frame, emit func(*frame) error) error {
	args, err := evalAll(w, op.args, f)
	if err != nil {
		return err
	}
	g := &unnested{op: op, f: f, args: args}
	give := func() error {
		if g.n == 0 {
			return nil
		}
		if err := w.q.live(); err != nil {
			return err
		}
		op.stats.emitted(g.n)
		err := emit(&frame{n: g.n, cols: make([]*column.Vector, op.width+len(op.node.Columns)), src: g})
		g = &unnested{op: op, f: f, args: args}
		return err
	}
	for i := range f.n {
		n, err := op.length(args, i)
		if err != nil {
			return err
		}
		if n == 0 {
			if op.node.Outer {
				g.pieces = append(g.pieces, elements{row: int32(i), from: -1, to: 0})
				g.n++
			}
		}
		for from := int64(0); from < n; {
			to := min(n, from+int64(batchRows-g.n))
			g.pieces = append(g.pieces, elements{int32(i), from, to})
			g.n += int(to - from)
			from = to
			if g.n == batchRows {
				if err := give(); err != nil {
					return err
				}
			}
		}
		if g.n == batchRows {
			if err := give(); err != nil {
				return err
			}
		}
	}
	return give()
}

// length returns how many rows input row i becomes.
func (op *unnestOp) length(args []*column.Vector, i int) (int64, error) {
	if op.node.Series {
		return seriesLength(args, i, op.node.Args[0].Pos())
	}
	n := int64(0)
	for _, v := range args {
		if v.IsNull(i) {
			continue
		}
		leaf, at := v.Leaf(i)
		n = max(n, int64(leaf.Offsets[at+1]-leaf.Offsets[at]))
	}
	return n, nil
}

// seriesLength returns how many numbers there are from start to end by step.
func seriesLength(args []*column.Vector, i int, pos sqlerr.Pos) (int64, error) {
	var x [3]int64
	for k, v := range args {
		if v.IsNull(i) {
			return 0, nil
		}
		leaf, at := v.Leaf(i)
		x[k] = leaf.I64[at]
	}
	start, end, step := x[0], x[1], x[2]
	switch {
	case step == 0:
		return 0, sqlerr.New(sqlerr.InvalidArgument, pos, "the step of generate_series must not be 0")
	case step > 0 && start > end || step < 0 && start < end:
		return 0, nil
	}
	// As unsigned numbers the distance between any two cannot overflow.
	distance, by := uint64(end)-uint64(start), uint64(step)
	if step < 0 {
		distance, by = uint64(start)-uint64(end), -uint64(step)
	}
	n := distance / by
	if n > seriesMax {
		return 0, sqlerr.New(sqlerr.NumericOutOfRange, pos, "generate_series(%d, %d, %d) has more than %d rows", start, end, step, int64(seriesMax))
	}
	return int64(n) + 1, nil
}

// seriesMax bounds a series: nobody waits for more.
const seriesMax = 1 << 40

// unnested loads the rows of one batch.
type unnested struct {
	op     *unnestOp
	f      *frame
	args   []*column.Vector
	pieces []elements
	n      int
	of     []int32 // the input row of each row, once it is wanted
}

func (u *unnested) rows() []int32 {
	if u.of == nil {
		u.of = make([]int32, 0, u.n)
		for _, p := range u.pieces {
			for k := p.from; k < p.to; k++ {
				u.of = append(u.of, p.row)
			}
		}
	}
	return u.of
}

func (u *unnested) load(w *worker, slot int) (*column.Vector, error) {
	if slot < u.op.width {
		v, err := u.f.col(w, slot)
		if err != nil {
			return nil, err
		}
		return gather(v, u.rows()), nil
	}
	return u.made(slot - u.op.width), nil
}

func (u *unnested) loadAt(w *worker, slot int, at []int32) (*column.Vector, error) {
	if slot >= u.op.width {
		return column.Gather(u.made(slot-u.op.width), at), nil
	}
	of := make([]int32, len(at))
	for i, a := range at {
		of[i] = u.rows()[a]
	}
	rows, place := distinctRows(of)
	v, err := u.f.colAt(w, slot, rows)
	if err != nil || place == nil {
		return v, err
	}
	return gather(v, place), nil
}

// made returns column number c of those that the UNNEST makes.
func (u *unnested) made(c int) *column.Vector {
	n := u.op.node
	if n.Ordinality && c == len(n.Columns)-1 {
		return u.numbers(func(_ int32, k int64) int64 { return k + 1 })
	}
	if n.Series {
		return u.numbers(func(row int32, k int64) int64 {
			start, i := u.args[0].Leaf(int(row))
			step, j := u.args[2].Leaf(int(row))
			return start.I64[i] + k*step.I64[j]
		})
	}
	for _, v := range u.args {
		types := plan.UnnestTypes(v.Type)
		if c < len(types) {
			return u.element(v, c, types[c])
		}
		c -= len(types)
	}
	panic("exec: unnest has no such column")
}

func (u *unnested) numbers(f func(row int32, k int64) int64) *column.Vector {
	out := column.New(column.BigIntType, u.n)
	i := 0
	for _, p := range u.pieces {
		for k := p.from; k < p.to; k++ {
			if k < 0 {
				out.SetNull(i)
			} else {
				out.I64[i] = f(p.row, k)
			}
			i++
		}
	}
	return out
}

// element returns part c of the elements of v: key or value, field, or the
// element itself.
func (u *unnested) element(v *column.Vector, c int, t *column.Type) *column.Vector {
	at := make([]int32, 0, u.n)
	null := column.NewBits(u.n)
	nulls := false
	base, _ := v.Leaf(0)
	for _, p := range u.pieces {
		start, length := int32(0), int64(0)
		if !v.IsNull(int(p.row)) {
			leaf, i := v.Leaf(int(p.row))
			base, start, length = leaf, leaf.Offsets[i], int64(leaf.Offsets[i+1]-leaf.Offsets[i])
		}
		for k := p.from; k < p.to; k++ {
			if k < 0 || k >= length {
				null.Set(len(at))
				nulls = true
				at = append(at, 0)
				continue
			}
			at = append(at, start+int32(k))
		}
	}
	inner := base.Children[0]
	if v.Type.Kind == column.Map {
		inner = base.Children[c]
	}
	if inner.Len == 0 {
		return column.NullConst(t, u.n)
	}
	out := gather(inner, at)
	if nulls {
		out = withNulls(out, null)
	}
	if v.Type.Kind == column.Array && v.Type.Elem.Kind == column.Row {
		return fieldOf(out, c, t)
	}
	return out
}

// withNulls returns v with more of its values NULL.
func withNulls(v *column.Vector, null column.Bits) *column.Vector {
	if v.Const {
		v = column.Flatten(v)
	}
	out := *v
	out.Nulls = column.NewBits(v.Len)
	copy(out.Nulls, v.Nulls)
	for i := range null {
		out.Nulls[i] |= null[i]
	}
	return &out
}

// fieldOf returns a field of rows: NULL where the row is.
func fieldOf(v *column.Vector, field int, t *column.Type) *column.Vector {
	v = column.Flatten(v)
	child := v.Children[field]
	if v.Nulls.Any() {
		child = withNulls(column.Flatten(child), v.Nulls)
	}
	if child.Type != t {
		c := *child
		c.Type = t
		child = &c
	}
	return child
}
