package exec

import (
	"sync/atomic"

	"github.com/cairndb/cairn/segment/column"
	"github.com/cairndb/cairn/sql/plan"
)

// expandOp repeats rows, once for each grouping set. Frames of the sets share
// the columns of the input and the keys, which are computed once.
type expandOp struct {
	stats opStats
	input operator
	width int // of the input
	keys  []expr
	types []*column.Type
	sets  [][]bool // for each set, the keys that it has
	some  atomic.Bool
}

func (c *compiler) expand(n *plan.Expand) *expandOp {
	cols := n.Input.Cols()
	op := &expandOp{input: c.node(n.Input), width: len(cols), keys: c.exprs(n.Keys, slotsOf(cols))}
	for _, k := range n.Keys {
		op.types = append(op.types, k.Type())
	}
	for _, set := range n.Sets {
		has := make([]bool, len(n.Keys))
		for _, k := range set {
			has[k] = true
		}
		op.sets = append(op.sets, has)
	}
	return op
}

func (op *expandOp) open(q *query) ([]task, error) {
	op.some.Store(false)
	tasks, err := op.input.open(q)
	for i, t := range tasks {
		tasks[i] = taskFunc(func(w *worker, emit func(*frame) error) error {
			return t.run(w, func(f *frame) error {
				was := w.enter(&op.stats)
				defer w.enter(was)
				if f.n == 0 {
					return nil
				}
				op.some.Store(true)
				shared := &expanded{op: op, of: f, keys: make([]*column.Vector, len(op.keys))}
				for s, has := range op.sets {
					if err := q.live(); err != nil {
						return err
					}
					g := &frame{n: f.n, cols: make([]*column.Vector, op.width+len(op.keys)+1), src: shared}
					for k := range op.keys {
						if !has[k] {
							g.cols[op.width+k] = column.NullConst(op.types[k], f.n)
						}
					}
					number := column.New(column.BigIntType, 1)
					number.I64[0] = int64(s)
					g.cols[len(g.cols)-1] = column.NewConst(number, f.n)
					op.stats.emitted(f.n)
					if err := emit(g); err != nil {
						return err
					}
				}
				return nil
			})
		})
	}
	return tasks, err
}

// expanded loads the columns that the frames of all sets share.
type expanded struct {
	op   *expandOp
	of   *frame
	keys []*column.Vector
}

func (e *expanded) load(w *worker, slot int) (*column.Vector, error) {
	if slot < e.op.width {
		return e.of.col(w, slot)
	}
	k := slot - e.op.width
	if e.keys[k] == nil {
		v, err := e.op.keys[k].eval(w, e.of)
		if err != nil {
			return nil, err
		}
		e.keys[k] = v
	}
	return e.keys[k], nil
}

func (e *expanded) loadAt(w *worker, slot int, at []int32) (*column.Vector, error) {
	if slot < e.op.width {
		return e.of.colAt(w, slot, at)
	}
	v, err := e.load(w, slot)
	if err != nil {
		return nil, err
	}
	return gather(v, at), nil
}

// totalsOp adds the groups that are there without input: those of the grouping
// sets without columns. Where there is a row in, the groups below have them.
type totalsOp struct {
	*aggregateOp
	below *expandOp
	sets  []int64
}

func (op *totalsOp) open(q *query) ([]task, error) {
	tasks, err := op.aggregateOp.open(q)
	if err != nil || op.below.some.Load() {
		return tasks, err
	}
	return []task{taskFunc(func(w *worker, emit func(*frame) error) error {
		n := len(op.sets)
		f := loaded(n, nil)
		for _, t := range op.types[:len(op.types)-1] {
			f.cols = append(f.cols, column.NullConst(t, n))
		}
		f.cols = append(f.cols, &column.Vector{Type: column.BigIntType, Len: n, I64: op.sets})
		for i := range op.aggs {
			acc := op.aggs[i].fn.New()
			acc.Grow(n)
			v, err := acc.Result()
			if err != nil {
				return placed(err, op.aggs[i].pos)
			}
			f.cols = append(f.cols, v)
		}
		op.stats.emitted(n)
		return emit(f)
	})}, nil
}
