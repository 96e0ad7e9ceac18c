package exec

import (
	"github.com/cairndb/cairn/segment/column"
	"github.com/cairndb/cairn/sql/fn"
	"github.com/cairndb/cairn/sql/plan"
	"github.com/cairndb/cairn/sql/sqlerr"
)

// windowOp adds window functions to rows. Its input comes sorted by partition
// and order, or as it is where the windows have no keys; it is cut into blocks
// of whole partitions, which are worked on in parallel and leave in order. So
// only the partitions at hand are in memory.
type windowOp struct {
	stats opStats
	input operator
	// width is the number of columns that the input has, outer how many of them
	// the result keeps: the others are keys and arguments.
	width, outer int
	keys         []windowKey
	specs        []plan.WindowSpec
	funcs        []windowFunc
	// shared is how many keys the partitions of all windows have in common.
	shared int
	// best drops the rows that a filter above would drop, nil for none.
	best *bestOp
	// sort puts the rows in order, nil when there are no keys.
	sort *sortOp
}

type windowKey struct {
	slot       int
	desc       bool
	nullsFirst bool
}

// windowValue is an argument: a column of the input, or a constant.
type windowValue struct {
	slot  int
	value *column.Vector // of a constant, else nil
}

type windowFunc struct {
	name        string
	spec        int
	agg         *fn.BoundAggregate // nil for window functions proper
	args        []windowValue
	filter      *windowValue
	ignoreNulls bool
	frame       windowFrame
	typ         *column.Type
	pos         sqlerr.Pos
}

type windowFrame struct {
	unit       plan.FrameUnit
	start, end windowBound
	exclude    plan.FrameExclusion
}

type windowBound struct {
	kind               plan.BoundKind
	offset, key, limit *windowValue
	pos                sqlerr.Pos
}

// window compiles a Window: a projection that computes keys and arguments, a
// sort, and the functions.
func (c *compiler) window(n *plan.Window) *windowOp {
	cols := n.Input.Cols()
	in := slotsOf(cols)
	project := &projectOp{input: c.node(n.Input)}
	for i := range cols {
		project.exprs = append(project.exprs, &refExpr{slot: i})
	}
	op := &windowOp{outer: len(cols), specs: n.Specs, shared: len(n.Keys)}
	var made []plan.Expr // the computed columns, by slot less outer
	var types []*column.Type
	for _, col := range cols {
		types = append(types, col.Type)
	}
	value := func(e plan.Expr) windowValue {
		switch e := e.(type) {
		case *plan.Const:
			return windowValue{value: e.Value}
		case *plan.Ref:
			return windowValue{slot: in[e.ID]}
		}
		for i, m := range made {
			if m == e {
				return windowValue{slot: op.outer + i}
			}
		}
		if plan.Volatile(e) {
			project.eager = append(project.eager, len(project.exprs))
		}
		project.exprs = append(project.exprs, c.expr(e, in))
		made, types = append(made, e), append(types, e.Type())
		return windowValue{slot: len(project.exprs) - 1}
	}
	maybe := func(e plan.Expr) *windowValue {
		if e == nil {
			return nil
		}
		v := value(e)
		return &v
	}
	spec := &sortSpec{wanted: -1}
	for _, k := range n.Keys {
		v := value(k.Expr)
		if v.value != nil { // a constant needs a column to be sorted by
			project.exprs = append(project.exprs, &constExpr{value: v.value})
			made, types = append(made, nil), append(types, v.value.Type)
			v.slot = len(project.exprs) - 1
		}
		op.keys = append(op.keys, windowKey{v.slot, k.Desc, k.NullsFirst})
		spec.keys = append(spec.keys, sortKey{&refExpr{slot: v.slot}, k.Expr.Type(), k.Desc, k.NullsFirst})
	}
	for _, s := range n.Specs {
		op.shared = min(op.shared, s.Partition)
	}
	for _, f := range n.Funcs {
		g := windowFunc{name: f.Name, spec: f.Spec, agg: f.Agg, filter: maybe(f.Filter), ignoreNulls: f.IgnoreNulls, typ: f.Type, pos: f.Place}
		for _, a := range f.Args {
			g.args = append(g.args, value(a))
		}
		g.frame.unit, g.frame.exclude = f.Frame.Unit, f.Frame.Exclude
		for _, side := range []struct {
			from *plan.Bound
			to   *windowBound
		}{{&f.Frame.Start, &g.frame.start}, {&f.Frame.End, &g.frame.end}} {
			*side.to = windowBound{kind: side.from.Kind, offset: maybe(side.from.Offset), key: maybe(side.from.Key), limit: maybe(side.from.Limit)}
			if side.from.Offset != nil {
				side.to.pos = side.from.Offset.Pos()
			}
		}
		op.funcs = append(op.funcs, g)
	}
	op.width = len(project.exprs)
	op.input = project
	if op.width == op.outer {
		op.input = project.input
	}
	if len(n.Keys) == 0 {
		return op
	}
	below := op.input
	if n.Best > 0 {
		op.best = c.best(below, op, spec, n)
		below = op.best
		// Rows of different workers that tie keep the order of the input.
		spec.keys = append(spec.keys, sortKey{x: &refExpr{slot: op.width}, typ: column.BigIntType})
	}
	op.sort = &sortOp{spec: spec, input: below, width: op.width, types: types}
	op.input = op.sort
	return op
}

// blockRowsMin is how many rows of whole partitions make a block worth handing
// to a worker.
const blockRowsMin = 4 * batchRows

func (op *windowOp) open(q *query) ([]task, error) {
	tasks, err := op.input.open(q)
	if err != nil {
		return nil, err
	}
	return []task{taskFunc(func(w *worker, emit func(*frame) error) error { return op.run(w, tasks, emit) })}, nil
}

// run reads blocks, has them worked on, as many at once as there are workers,
// and emits them in order.
func (op *windowOp) run(w *worker, tasks []task, emit func(*frame) error) error {
	was := w.enter(&op.stats)
	defer w.enter(was)
	q := w.q
	r := &blockReader{op: op, in: newStream(q, tasks, op.width, -1)}
	r.mem = account{m: q.mem, what: "a window function", todo: "divide the rows into smaller partitions, filter more rows, or raise the budget"}
	defer r.mem.release()
	defer r.in.stop()
	var queue []*windowBlock
	defer func() {
		for _, b := range queue {
			<-b.done
			b.mem.release()
		}
	}()
	ended := false
	for {
		for !ended && len(queue) < max(1, q.workers) {
			b, err := r.next()
			if err != nil {
				return err
			}
			if b == nil {
				ended = true
				break
			}
			b.q, b.done = q, make(chan struct{})
			b.mem = account{m: q.mem, what: r.mem.what, todo: r.mem.todo}
			queue = append(queue, b)
			go func() {
				defer close(b.done)
				defer recovered(&b.err)
				b.err = op.compute(b)
			}()
		}
		if len(queue) == 0 {
			return nil
		}
		b := queue[0]
		<-b.done
		queue = queue[1:]
		err := b.err
		if err == nil {
			err = op.emit(w, b, emit)
		}
		b.mem.release()
		if err != nil {
			return err
		}
	}
}

func (op *windowOp) emit(w *worker, b *windowBlock, emit func(*frame) error) error {
	all := append(append([]*column.Vector(nil), b.cols[:op.outer]...), b.outs...)
	for from := 0; from < b.n; from += batchRows {
		if err := w.q.live(); err != nil {
			return err
		}
		to := min(b.n, from+batchRows)
		part := all
		if from > 0 || to < b.n {
			part = make([]*column.Vector, len(all))
			for i, v := range all {
				part[i] = v.Slice(from, to)
			}
		}
		op.stats.emitted(to - from)
		if err := emit(loaded(to-from, part)); err != nil {
			return err
		}
	}
	return nil
}

// windowBlock is a number of whole partitions.
type windowBlock struct {
	q    *query
	n    int
	cols []*column.Vector
	outs []*column.Vector // one per function
	mem  account
	err  error
	done chan struct{}
	// layouts are what is known of the windows, by spec.
	layouts []*layout
	ranges  map[frameKey]*frames
}

// blockReader cuts a stream of sorted rows at the ends of partitions.
type blockReader struct {
	op   *windowOp
	in   *stream
	held []*column.Batch // rows that are not in a block yet
	rows int
	mem  account
}

// next returns the next block, or nil at the end.
func (r *blockReader) next() (*windowBlock, error) {
	for {
		b, err := r.in.next()
		if err != nil {
			return nil, err
		}
		if b == nil {
			out := r.take()
			return out, r.charge()
		}
		// Everything before the last end of a partition can go.
		cut := r.lastEnd(b)
		if cut < 0 || r.rows+cut < blockRowsMin {
			r.hold(b)
			if err := r.charge(); err != nil {
				return nil, err
			}
			continue
		}
		if cut > 0 {
			r.hold(slice(b, 0, cut))
		}
		out := r.take()
		r.hold(slice(b, cut, b.Len))
		return out, r.charge()
	}
}

func slice(b *column.Batch, from, to int) *column.Batch {
	if from == 0 && to == b.Len {
		return b
	}
	out := &column.Batch{Len: to - from, Cols: make([]*column.Vector, len(b.Cols))}
	for i, v := range b.Cols {
		out.Cols[i] = v.Slice(from, to)
	}
	return out
}

func (r *blockReader) hold(b *column.Batch) {
	r.held, r.rows = append(r.held, b), r.rows+b.Len
}

// charge accounts for the rows that are held; those of blocks are accounted by
// the blocks.
func (r *blockReader) charge() error {
	n := int64(0)
	for _, b := range r.held {
		for _, v := range b.Cols {
			n += wholeBytes(v)
		}
	}
	return r.mem.hold(n)
}

// lastEnd returns the last place in b at which a partition begins, or -1.
func (r *blockReader) lastEnd(b *column.Batch) int {
	keys := r.op.keys[:r.op.shared]
	if len(keys) == 0 {
		return -1
	}
	for i := b.Len - 1; i > 0; i-- {
		for _, k := range keys {
			if v := b.Cols[k.slot]; !fn.EqualAt(v, i-1, v, i) {
				return i
			}
		}
	}
	if len(r.held) > 0 {
		last := r.held[len(r.held)-1]
		for _, k := range keys {
			if !fn.EqualAt(last.Cols[k.slot], last.Len-1, b.Cols[k.slot], 0) {
				return 0
			}
		}
	}
	return -1
}

// take makes a block of what is held.
func (r *blockReader) take() *windowBlock {
	if r.rows == 0 {
		return nil
	}
	out := &windowBlock{n: r.rows, cols: make([]*column.Vector, r.op.width)}
	for i := range out.cols {
		parts := make([]*column.Vector, len(r.held))
		for k, b := range r.held {
			parts[k] = b.Cols[i]
		}
		out.cols[i] = concat(parts)
	}
	r.held, r.rows = nil, 0
	return out
}

// concat puts vectors behind each other, as one vector: a flat one but for nested
// values that stand in several rows.
func concat(parts []*column.Vector) *column.Vector {
	if len(parts) == 1 && laidBytes(parts[0]) <= shareBytes {
		return column.Flatten(parts[0])
	}
	n := 0
	for _, p := range parts {
		n += p.Len
	}
	t := parts[0].Type
	if t.Payload() == column.PayloadNested {
		out := newPicker(t, n)
		for _, p := range parts {
			for i := range p.Len {
				out.add(p, i)
			}
		}
		return out.vector()
	}
	out := column.New(t, n)
	at := 0
	for _, p := range parts {
		p = column.Flatten(p)
		copy(out.I64[min(at, len(out.I64)):], p.I64)
		copy(out.F64[min(at, len(out.F64)):], p.F64)
		copy(out.Str[min(at, len(out.Str)):], p.Str)
		copy(out.Zone[min(at, len(out.Zone)):], p.Zone)
		if p.Nulls.Any() {
			for i := range p.Len {
				if p.Nulls.Get(i) {
					out.SetNull(at + i)
				}
			}
		}
		at += p.Len
	}
	return out
}

// compute fills in the results of a block.
func (op *windowOp) compute(b *windowBlock) error {
	held := int64(0)
	for _, v := range b.cols {
		held += wholeBytes(v)
	}
	if err := b.mem.hold(held); err != nil {
		return err
	}
	b.layouts = make([]*layout, len(op.specs))
	b.ranges = map[frameKey]*frames{}
	for i := range op.funcs {
		if err := b.q.live(); err != nil {
			return err
		}
		f := &op.funcs[i]
		if b.layouts[f.spec] == nil {
			b.layouts[f.spec] = op.layout(b, op.specs[f.spec])
		}
		v, err := op.function(b, f)
		if err != nil {
			return placed(err, f.pos)
		}
		b.outs = append(b.outs, v)
		held += wholeBytes(v)
		if err := b.mem.hold(held); err != nil {
			return err
		}
	}
	return nil
}

// value returns an argument at all rows of a block.
func (b *windowBlock) value(v *windowValue) *column.Vector {
	if v.value != nil {
		return column.NewConst(v.value, b.n)
	}
	return b.cols[v.slot]
}
