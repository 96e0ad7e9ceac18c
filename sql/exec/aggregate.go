package exec

import (
	"slices"

	"github.com/cairndb/cairn/segment/column"
	"github.com/cairndb/cairn/sql/fn"
	"github.com/cairndb/cairn/sql/plan"
	"github.com/cairndb/cairn/sql/sqlerr"
)

// aggregateOp groups rows by the values of its keys. Every worker groups the
// rows of its tasks; the groups are merged when all input has been read.
type aggregateOp struct {
	stats opStats
	input operator
	keys  []expr
	types []*column.Type // of the keys
	aggs  []aggregate
	// counted is the slot of the one scan column that everything depends on,
	// when stored counts of its values can stand for the rows; -1 when nothing
	// depends on any column, and then the number of rows does.
	counted  int
	byCounts bool
	// inOrder says that rows come in the order of the input, to one worker.
	inOrder bool
	scan    *scanOp // the input, when byCounts
	// kinds describe the rows as which groups are put aside.
	kinds []*asideSpec
	// stored says how groups that units keep are taken, nil for none; states that the states
	// of the aggregates are wanted.
	stored *storedGroups
	states bool
}

type aggregate struct {
	fn       *fn.BoundAggregate
	args     []expr
	types    []*column.Type
	distinct bool
	filter   expr // nil for none
	// order is the order in which values are taken; orderArgs, with distinct,
	// which arguments its keys are.
	order     []sortKey
	orderArgs []int
	pos       sqlerr.Pos
}

func (c *compiler) aggregate(n *plan.Aggregate) *aggregateOp {
	op := &aggregateOp{input: c.node(n.Input)}
	in := slotsOf(n.Input.Cols())
	defer c.share(in, plan.Exprs(n))()
	op.keys = c.exprs(n.Keys, in)
	for _, k := range n.Keys {
		op.types = append(op.types, k.Type())
	}
	for _, a := range n.Aggs {
		g := aggregate{fn: a.Fn, args: c.exprs(a.Args, in), distinct: a.Distinct && !a.Fn.SkipsDuplicates, pos: a.Place}
		for _, x := range a.Args {
			g.types = append(g.types, x.Type())
		}
		if a.Filter != nil {
			g.filter = c.expr(a.Filter, in)
		}
		g.orderArgs = a.OrderArgs
		for _, k := range a.Order {
			key := sortKey{typ: k.Expr.Type(), desc: k.Desc, nullsFirst: k.NullsFirst}
			if !g.distinct {
				key.x = c.expr(k.Expr, in)
			}
			g.order = append(g.order, key)
		}
		op.aggs = append(op.aggs, g)
	}
	if scan, ok := op.input.(*scanOp); ok {
		op.counted, op.byCounts = countable(n, scan.node)
		op.scan = scan
		if n.Stored != nil {
			op.stored = c.storedGroups(n.Stored, op.aggs, len(scan.node.Columns))
		}
	}
	op.states = n.States
	return op
}

// countable reports whether an aggregate over a scan can be computed from how
// often the values of one column occur, and of which (-1 for none).
func countable(n *plan.Aggregate, scan *plan.TableScan) (slot int, ok bool) {
	in := slotsOf(scan.Columns)
	slot, ok = -1, true
	check := func(e plan.Expr) {
		if e == nil {
			return
		}
		if plan.Volatile(e) {
			ok = false
		}
		plan.Walk(e, func(x plan.Expr) bool {
			if r, is := x.(*plan.Ref); is {
				if s, here := in[r.ID]; !here || slot >= 0 && slot != s {
					ok = false
				} else {
					slot = s
				}
			}
			return ok
		})
	}
	for _, e := range scan.Filter {
		check(e)
	}
	for _, e := range n.Keys {
		check(e)
	}
	for i := range n.Aggs {
		a := &n.Aggs[i]
		if !a.Fn.Weighted && !a.Fn.SkipsDuplicates && !a.Distinct {
			return 0, false
		}
		for _, e := range a.Args {
			check(e)
		}
		check(a.Filter)
	}
	return slot, ok
}

func (op *aggregateOp) open(q *query) ([]task, error) {
	tasks, err := op.input.open(q)
	if err != nil {
		return nil, err
	}
	op.inOrder = q.workers == 1 || len(tasks) <= 1
	op.kinds = nil
	if q.mem.spills {
		op.kinds = op.newKinds(q)
	}
	var states []*groups
	if k := op.keeping(tasks); k != nil {
		var ready []task
		if states, ready, tasks, err = k.take(q); err != nil || ready != nil {
			return ready, err
		}
	}
	more, err := runAll(q, tasks, func() *groups { return op.newGroups(q) })
	if err != nil {
		return nil, err
	}
	if states = append(states, more...); op.crowded(q, states) {
		return op.fromAside(q, states)
	}
	first := states[0]
	for _, s := range states[1:] {
		if err := first.merge(s); err != nil {
			return nil, err
		}
	}
	if err := first.finishLate(q); err != nil {
		return nil, err
	}
	return []task{taskFunc(func(w *worker, emit func(*frame) error) error { return first.emit(w, emit) })}, nil
}

// groups are the groups that one worker has found, and the state of their
// aggregates.
type groups struct {
	op    *aggregateOp
	q     *query
	table *tupleTable
	accs  []fn.Accumulator // nil for DISTINCT ones until the end
	sets  []*tupleTable    // for DISTINCT: tuples of group number (if there are keys) and arguments
	rows  []*orderedRows   // for those that take values in an order
	// place counts the rows of the task that is read.
	task int
	seen uint64
	mem  account
	// aside are the groups that have been put aside, by kind of row; nil for none.
	aside  []*aside
	of     []uint32 // scratch: the group of each row
	picked []uint32 // scratch: the same for the rows that pass a FILTER
	// scratch: the numbers of DISTINCT arguments, not looked at
	numbered []uint32
	grouped  []int64
	keyed    []*column.Vector
}

func (op *aggregateOp) newGroups(q *query) *groups {
	g := &groups{op: op, keyed: make([]*column.Vector, len(op.keys))}
	g.mem = account{m: q.mem, what: "GROUP BY", todo: "group by fewer distinct values, filter more rows, or raise the budget"}
	g.q = q
	g.begin()
	return g
}

// begin makes g hold no groups.
func (g *groups) begin() {
	op := g.op
	g.table = newTupleTable(op.types)
	g.accs, g.sets, g.rows = make([]fn.Accumulator, len(op.aggs)), make([]*tupleTable, len(op.aggs)), make([]*orderedRows, len(op.aggs))
	for i := range op.aggs {
		switch a := &op.aggs[i]; {
		case a.distinct:
			g.sets[i] = op.newSet(a)
		case op.keepsRows(a):
			g.rows[i] = newOrderedRows(a)
		default:
			g.accs[i] = g.q.accumulator(a.fn)
			g.accs[i].Grow(g.table.len())
		}
	}
}

// newSet returns a table of the different values of a DISTINCT aggregate and,
// if there are keys, the number of their group.
func (op *aggregateOp) newSet(a *aggregate) *tupleTable {
	if len(op.keys) == 0 {
		return newTupleTable(a.types)
	}
	t := newTupleTable(append([]*column.Type{column.BigIntType}, a.types...))
	t.columns[0].dense = true
	return t
}

// runTask implements taskRunner: a unit that knows how often values occur
// gives their counts instead of its rows.
func (g *groups) runTask(w *worker, number int, t task) error {
	if u, ok := t.(*unitTask); ok && g.op.byCounts {
		done, err := g.takeCounts(w, u)
		if done && g.op.stored != nil {
			g.op.stored.counted.Add(1)
		}
		if done || err != nil {
			return err
		}
	}
	if u, ok := t.(*unitTask); ok && g.op.stored != nil {
		done, err := g.takeStored(w, u)
		if done || err != nil {
			return err
		}
	}
	return t.run(w, func(f *frame) error { return g.take(w, number, f) })
}

// findGroups sets g.of to the group of each row of f.
func (g *groups) findGroups(w *worker, f *frame) error {
	for i, k := range g.op.keys {
		v, err := k.eval(w, f)
		if err != nil {
			return err
		}
		g.keyed[i] = v
	}
	g.number(f.n)
	return nil
}

// number sets g.of to the groups of n rows with the keys g.keyed.
func (g *groups) number(n int) {
	g.of = slices.Grow(g.of[:0], n)[:n]
	before := g.table.len()
	g.table.numbers(g.keyed, n, g.of)
	if n := g.table.len(); n > before {
		for _, acc := range g.accs {
			if acc != nil {
				acc.Grow(n)
			}
		}
	}
}

func (g *groups) take(w *worker, task int, f *frame) error {
	was := w.enter(&g.op.stats)
	defer w.enter(was)
	if task != g.task {
		g.task, g.seen = task, 0
	}
	defer func() { g.seen += uint64(f.n) }()
	if err := g.findGroups(w, f); err != nil {
		return err
	}
	for i := range g.op.aggs {
		if err := g.add(w, i, f); err != nil {
			return err
		}
	}
	return g.room(w.q)
}

// add gives the rows of f to one aggregate.
func (g *groups) add(w *worker, i int, f *frame) error {
	a := &g.op.aggs[i]
	of := g.of[:f.n]
	place := func(r int) uint64 { return uint64(g.task)<<32 | (g.seen + uint64(r)) }
	if a.filter != nil {
		at, all, err := keep(w, a.filter, f)
		if err != nil {
			return err
		}
		if !all {
			if len(at) == 0 {
				return nil
			}
			place = func(r int) uint64 { return uint64(g.task)<<32 | (g.seen + uint64(at[r])) }
			g.picked = g.picked[:0]
			for _, p := range at {
				g.picked = append(g.picked, of[p])
			}
			of, f = g.picked, f.sub(at)
		}
	}
	args, err := evalAll(w, a.args, f)
	if err != nil {
		return err
	}
	if a.distinct {
		g.addDistinct(i, of, args, f.n)
		return nil
	}
	if rows := g.rows[i]; rows != nil {
		keys := make([]*column.Vector, len(a.order))
		for k := range keys {
			if keys[k], err = a.order[k].x.eval(w, f); err != nil {
				return err
			}
		}
		// Constants and dictionary entries may be large once each row has its own:
		// what cannot fit is refused before it is copied.
		if n := flatBytesOf(args) + flatBytesOf(keys); w.q.mem.limit >= 0 && n > w.q.mem.limit/2 {
			if err := g.mem.hold(g.mem.held + n); err != nil {
				return err
			}
		}
		rows.add(of, args, keys, place, f.n)
		return nil
	}
	if len(g.op.keys) == 0 {
		of = nil
	}
	return placed(g.accs[i].Add(of, args, f.n), a.pos)
}

func evalAll(w *worker, list []expr, f *frame) ([]*column.Vector, error) {
	out := make([]*column.Vector, len(list))
	for i, e := range list {
		v, err := e.eval(w, f)
		if err != nil {
			return nil, err
		}
		out[i] = v
	}
	return out, nil
}

// addDistinct notes which arguments come in which group.
func (g *groups) addDistinct(i int, of []uint32, args []*column.Vector, n int) {
	numbers := slices.Grow(g.numbered[:0], n)[:n]
	g.numbered = numbers
	if len(g.op.keys) == 0 {
		g.sets[i].numbers(args, n, numbers)
		return
	}
	group := &column.Vector{Type: column.BigIntType, Len: n, I64: slices.Grow(g.grouped[:0], n)[:n]}
	g.grouped = group.I64
	for r, id := range of[:n] {
		group.I64[r] = int64(id)
	}
	g.sets[i].numbers(append([]*column.Vector{group}, args...), n, numbers)
}

// charge tells the budget what the groups hold.
func (g *groups) charge() error { return g.mem.hold(g.bytes()) }

func (g *groups) bytes() int64 {
	n := g.table.bytes()
	for i, acc := range g.accs {
		if acc != nil {
			n += acc.Bytes()
		}
		if g.rows[i] != nil {
			n += g.rows[i].bytes()
		}
		if g.sets[i] != nil {
			n += g.sets[i].bytes()
		}
	}
	return n
}

// takeCounts groups the distinct values of a unit, each with its count. done is
// false when the unit does not know them.
func (g *groups) takeCounts(w *worker, u *unitTask) (done bool, err error) {
	op := g.op
	was := w.enter(&op.stats)
	defer w.enter(was)
	unit := u.unit()
	f := loaded(1, make([]*column.Vector, len(op.scan.node.Columns)))
	rows := unit.Rows()
	// No column is read, so there is no term either: the candidates are the rows that
	// the table shows.
	if op.counted < 0 {
		c, err := unit.Candidates(w.q.ctx)
		if err != nil {
			return false, err
		}
		if c != nil {
			rows = int(c.GetCardinality())
		}
	}
	counts := []int64{int64(rows)}
	if op.counted >= 0 {
		values, n, ok, err := unit.Counts(w.q.ctx, op.counted)
		if err != nil || !ok {
			return false, err
		}
		f.n, counts = values.Len, n
		f.cols[op.counted] = column.Flatten(values)
	}
	if f.n == 0 || rows == 0 {
		return true, nil
	}
	weight := &column.Vector{Type: column.BigIntType, Len: f.n, I64: counts}
	f.cols = append(f.cols, weight)
	if f, err = narrow(w, op.scan.filter, f); err != nil || f == nil {
		return true, err
	}
	if err := g.findGroups(w, f); err != nil {
		return false, err
	}
	for i := range op.aggs {
		if err := g.addCounts(w, i, op.aggs[i].filter, op.aggs[i].args, f, len(f.cols)-1); err != nil {
			return false, err
		}
	}
	u.op.stats.emitted(rows)
	return true, g.room(w.q)
}

// addCounts gives rows that stand for several to one aggregate; column weight of f says
// for how many each stands.
func (g *groups) addCounts(w *worker, i int, filter expr, args []expr, f *frame, weight int) error {
	a := &g.op.aggs[i]
	if g.rows[i] != nil {
		return g.add(w, i, f) // only what occurs matters, in an order
	}
	of := g.of[:f.n]
	if filter != nil {
		at, all, err := keep(w, filter, f)
		if err != nil {
			return err
		}
		if !all {
			g.picked = g.picked[:0]
			for _, p := range at {
				g.picked = append(g.picked, of[p])
			}
			of, f = g.picked, f.sub(at)
		}
	}
	if f.n == 0 {
		return nil
	}
	values, err := evalAll(w, args, f)
	if err != nil {
		return err
	}
	if a.distinct {
		g.addDistinct(i, of, values, f.n)
		return nil
	}
	if a.fn.SkipsDuplicates {
		if len(g.op.keys) == 0 {
			of = nil
		}
		return placed(g.accs[i].Add(of, values, f.n), a.pos)
	}
	weights, err := f.col(w, weight)
	if err != nil {
		return err
	}
	acc := g.accs[i].(fn.WeightedAccumulator)
	for r, id := range of[:f.n] {
		leaf, j := weights.Leaf(r)
		if err := acc.AddWeighted(id, values, r, leaf.I64[j]); err != nil {
			return placed(err, a.pos)
		}
	}
	return nil
}

// merge adds the groups of another worker.
func (g *groups) merge(o *groups) error {
	numbers := g.table.merge(o.table)
	n := g.table.len()
	for i, acc := range g.accs {
		if g.rows[i] != nil {
			if err := g.mem.hold(g.bytes() + o.rows[i].bytes()); err != nil {
				return err
			}
			g.rows[i].merge(o.rows[i], numbers)
			continue
		}
		if acc == nil {
			g.mergeDistinct(i, o.sets[i], numbers)
			continue
		}
		acc.Grow(n)
		if err := acc.Merge(o.accs[i], numbers); err != nil {
			return placed(err, g.op.aggs[i].pos)
		}
	}
	if err := g.charge(); err != nil {
		return err
	}
	o.mem.release()
	return nil
}

func (g *groups) mergeDistinct(i int, o *tupleTable, numbers []uint32) {
	n := o.len()
	if n == 0 {
		return
	}
	if len(g.op.keys) == 0 {
		g.sets[i].merge(o)
		return
	}
	cols := o.vectors()
	group := column.Flatten(cols[0])
	moved := &column.Vector{Type: column.BigIntType, Len: n, I64: make([]int64, n)}
	for r, id := range group.I64[:n] {
		moved.I64[r] = int64(numbers[id])
	}
	cols[0] = moved
	g.sets[i].numbers(cols, n, make([]uint32, n))
}

// finishLate feeds the DISTINCT aggregates, now that each argument is known to
// come once per group, and those that take values in an order.
func (g *groups) finishLate(q *query) error {
	for i := range g.op.aggs {
		if g.accs[i] != nil {
			continue
		}
		acc := q.accumulator(g.op.aggs[i].fn)
		acc.Grow(g.table.len())
		if rows := g.rows[i]; rows != nil {
			if err := rows.feed(q, &g.op.aggs[i], acc, func() error { return g.mem.hold(g.bytes() + acc.Bytes()) }); err != nil {
				return placed(err, g.op.aggs[i].pos)
			}
			g.accs[i], g.rows[i] = acc, nil
			if err := g.charge(); err != nil {
				return err
			}
			continue
		}
		n := g.sets[i].len()
		cols := g.sets[i].vectors()
		if rows := g.op.aggs[i].distinctOrder(q, cols[min(1, len(g.op.keys)):], n); rows != nil {
			for k := range cols {
				cols[k] = column.Gather(cols[k], rows)
			}
		}
		for from := 0; from < n; from += batchRows {
			if err := q.live(); err != nil {
				return err
			}
			to := min(n, from+batchRows)
			args := make([]*column.Vector, len(cols))
			for k := range args {
				args[k] = cols[k].Slice(from, to)
			}
			var of []uint32
			if len(g.op.keys) > 0 {
				group := column.Flatten(args[0])
				args, of = args[1:], make([]uint32, to-from)
				for r := range of {
					of[r] = uint32(group.I64[r])
				}
			}
			if err := acc.Add(of, args, to-from); err != nil {
				return placed(err, g.op.aggs[i].pos)
			}
			if err := g.mem.hold(g.bytes() + acc.Bytes()); err != nil {
				return err
			}
		}
		g.accs[i], g.sets[i] = acc, nil
		if err := g.charge(); err != nil {
			return err
		}
	}
	return nil
}

// emit hands out the groups with the results of their aggregates.
func (g *groups) emit(w *worker, emit func(*frame) error) error {
	was := w.enter(&g.op.stats)
	defer w.enter(was)
	n := g.table.len()
	cols := g.table.vectors()
	made := int64(0)
	for i, acc := range g.accs {
		if err := w.q.live(); err != nil {
			return err
		}
		// The result is about as large as the state, which goes then.
		if err := g.mem.hold(g.bytes() + made + acc.Bytes()); err != nil {
			return err
		}
		if g.op.states {
			cols = append(cols, acc.State()...)
			continue
		}
		v, err := acc.Result()
		if err != nil {
			return placed(err, g.op.aggs[i].pos)
		}
		cols, g.accs[i], made = append(cols, v), nil, made+vectorBytes(v)
	}
	if err := g.mem.hold(g.bytes() + made); err != nil {
		return err
	}
	for from := 0; from < n; from += batchRows {
		if err := w.q.live(); err != nil {
			return err
		}
		to := min(n, from+batchRows)
		part := make([]*column.Vector, len(cols))
		for i, v := range cols {
			part[i] = v.Slice(from, to)
		}
		g.op.stats.emitted(to - from)
		if err := emit(loaded(to-from, part)); err != nil {
			return err
		}
	}
	return nil
}
