package exec

import (
	"slices"

	"github.com/cairndb/cairn/segment/column"
	"github.com/cairndb/cairn/sql/fn"
	"github.com/cairndb/cairn/sql/plan"
)

// setOp is INTERSECT or EXCEPT: an aggregate over the rows of all inputs, each
// with the number of its input, counts how often every input has a row, and
// setOp gives each as often as these counts say. Whatever the aggregate does to
// stay within the budget serves here too.
type setOp struct {
	stats  opStats
	node   *plan.SetOp
	counts operator
}

func (c *compiler) setOp(n *plan.SetOp) *setOp {
	tag := plan.ColID(-1) // no other node sees these columns
	all := &plan.Union{Columns: append(slices.Clone(n.Columns), plan.Col{ID: tag, Type: column.BigIntType})}
	for i, item := range n.Items {
		p := &plan.Project{Input: item, Columns: slices.Clone(item.Cols())}
		for _, col := range item.Cols() {
			p.Exprs = append(p.Exprs, plan.NewRef(col))
		}
		p.Columns = append(p.Columns, plan.Col{ID: tag, Type: column.BigIntType})
		p.Exprs = append(p.Exprs, plan.NewInteger(int64(i)))
		all.Items = append(all.Items, p)
	}
	group := &plan.Aggregate{Input: all, Columns: slices.Clone(n.Columns)}
	for _, col := range n.Columns {
		group.Keys = append(group.Keys, plan.NewRef(col))
	}
	count, err := fn.LookupAggregate("count").Bind(nil)
	if err != nil {
		panic(err)
	}
	for i := range n.Items {
		group.Aggs = append(group.Aggs, plan.Agg{Fn: count, Name: "count", Filter: plan.NewEqual(plan.NewRef(all.Columns[len(n.Columns)]), plan.NewInteger(int64(i)))})
		group.Columns = append(group.Columns, plan.Col{ID: tag - 1 - plan.ColID(i), Type: column.BigIntType})
	}
	return &setOp{node: n, counts: c.node(group)}
}

func (op *setOp) open(q *query) ([]task, error) {
	tasks, err := op.counts.open(q)
	for i, t := range tasks {
		tasks[i] = taskFunc(func(w *worker, emit func(*frame) error) error {
			return t.run(w, func(f *frame) error { return op.give(w, f, emit) })
		})
	}
	return tasks, err
}

// give emits each row of f as often as its counts say.
func (op *setOp) give(w *worker, f *frame, emit func(*frame) error) error {
	was := w.enter(&op.stats)
	defer w.enter(was)
	width := len(op.node.Columns)
	counts := make([]*column.Vector, len(op.node.Items))
	for i := range counts {
		v, err := f.col(w, width+i)
		if err != nil {
			return err
		}
		counts[i] = column.Flatten(v)
	}
	at := make([]int32, 0, f.n)
	for r := range f.n {
		for n := op.times(counts, r); n > 0; n-- {
			if at = append(at, int32(r)); len(at) == batchRows {
				if err := op.some(w, f, width, at, emit); err != nil {
					return err
				}
				at = at[:0]
			}
		}
	}
	if len(at) == 0 {
		return nil
	}
	return op.some(w, f, width, at, emit)
}

// some emits rows of f; a row may come several times in a row.
func (op *setOp) some(w *worker, f *frame, width int, at []int32, emit func(*frame) error) error {
	if err := w.q.live(); err != nil {
		return err
	}
	cols := make([]*column.Vector, width)
	for i := range cols {
		v, err := f.col(w, i)
		if err != nil {
			return err
		}
		cols[i] = column.Gather(v, at)
	}
	op.stats.emitted(len(at))
	return emit(loaded(len(at), cols))
}

// times is how often the operation gives row r, whose inputs have it as often
// as counts says.
func (op *setOp) times(counts []*column.Vector, r int) int64 {
	n := counts[0].I64[r]
	for _, c := range counts[1:] {
		switch x := c.I64[r]; {
		case op.node.Kind == plan.Intersect:
			n = min(n, x)
		case op.node.All:
			n -= x
		case x > 0:
			n = 0
		}
	}
	if !op.node.All {
		n = min(n, 1)
	}
	return n
}
