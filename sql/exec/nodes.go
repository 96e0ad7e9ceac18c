package exec

import (
	"fmt"
	"slices"

	"github.com/cairndb/cairn/segment/column"
	"github.com/cairndb/cairn/sql/plan"
	"github.com/cairndb/cairn/sql/sqlerr"
)

// node compiles a plan node and what is below it.
func (c *compiler) node(n plan.Node) operator {
	if err := c.q.ctx.Err(); err != nil {
		panic(canceledBy(err))
	}
	var op operator
	switch n := n.(type) {
	case *plan.TableScan:
		in := slotsOf(n.Columns)
		done := c.share(in, n.Filter)
		scan := &scanOp{node: n, filter: c.exprs(n.Filter, in), late: c.late > 0}
		done()
		scan.outer = n.RefersOut()
		scan.lates = c.lateTerms(n)
		c.scans = append(c.scans, scan)
		op = scan
	case *plan.Values:
		v := &valuesOp{width: len(n.Columns)}
		for _, row := range n.Rows {
			v.rows = append(v.rows, c.exprs(row, slots{}))
		}
		for _, col := range n.Columns {
			v.types = append(v.types, col.Type)
		}
		op = v
	case *plan.Filter:
		in, below := slotsOf(n.Input.Cols()), c.node(n.Input)
		done := c.share(in, n.Conds)
		filter := &filterOp{input: below, conds: c.exprs(n.Conds, in)}
		op = filter
		done()
		if how := n.Seek(); how != nil {
			op = c.seek(n, how, filter, in)
		}
	case *plan.Project:
		in := slotsOf(n.Input.Cols())
		p := &projectOp{input: c.node(n.Input)}
		done := c.share(in, n.Exprs)
		p.exprs = c.exprs(n.Exprs, in)
		done()
		for i, e := range n.Exprs {
			if plan.Volatile(e) {
				p.eager = append(p.eager, i)
			}
		}
		op = p
	case *plan.Aggregate:
		group := c.aggregate(n)
		op = group
		if below, ok := group.input.(*expandOp); ok && len(n.Totals) > 0 {
			op = &totalsOp{aggregateOp: group, below: below, sets: n.Totals}
		}
	case *plan.Expand:
		op = c.expand(n)
	case *plan.Window:
		op = c.window(n)
	case *plan.Sort:
		op = c.sort(n)
	case *plan.Limit:
		op = &limitOp{input: c.node(n.Input), n: n.N, offset: n.Offset, width: len(n.Input.Cols())}
	case *plan.Union:
		u := &unionOp{}
		for _, item := range n.Items {
			u.inputs = append(u.inputs, c.node(item))
		}
		op = u
	case *plan.Join:
		op = c.join(n)
	case *plan.Unnest:
		op = c.unnest(n)
	case *plan.SetOp:
		op = c.setOp(n)
	case *plan.SharedScan:
		op = c.sharedScan(n)
	case *plan.Recursive:
		op = c.recursive(n)
	case *plan.WorkTable:
		op = &workOp{width: len(n.Columns)}
	default:
		panic(fmt.Sprintf("exec: no operator for %T", n))
	}
	c.made[n] = op
	return op
}

// statsOf returns what EXPLAIN ANALYZE tells of an operator.
func statsOf(op operator) *opStats {
	switch op := op.(type) {
	case *scanOp:
		return &op.stats
	case *valuesOp:
		return &op.stats
	case *filterOp:
		return &op.stats
	case *seekOp:
		return &op.all.stats
	case *projectOp:
		return &op.stats
	case *aggregateOp:
		return &op.stats
	case *totalsOp:
		return &op.stats
	case *expandOp:
		return &op.stats
	case *sortOp:
		return &op.stats
	case *windowOp:
		return &op.stats
	case *topScanOp:
		return &op.stats
	case *limitOp:
		return &op.stats
	case *unionOp:
		return &op.stats
	case *joinOp:
		return &op.stats
	case *lateralOp:
		return &op.stats
	case *unnestOp:
		return &op.stats
	case *missingOp:
		return &op.stats
	case *setOp:
		return &op.stats
	case *sharedOp:
		return &op.stats
	case *recursiveOp:
		return &op.stats
	case *workOp:
		return &op.stats
	}
	panic(fmt.Sprintf("exec: %T has no statistics", op))
}

// valuesOp makes constant rows.
type valuesOp struct {
	stats opStats
	width int
	types []*column.Type
	rows  [][]expr
}

func (op *valuesOp) open(*query) ([]task, error) {
	return []task{taskFunc(op.run)}, nil
}

func (op *valuesOp) run(w *worker, emit func(*frame) error) error {
	was := w.enter(&op.stats)
	defer w.enter(was)
	one := loaded(1, nil)
	for from := 0; from < len(op.rows); from += batchRows {
		if err := w.q.live(); err != nil {
			return err
		}
		rows := op.rows[from:min(len(op.rows), from+batchRows)]
		f := loaded(len(rows), make([]*column.Vector, op.width))
		for i := range op.width {
			col := column.NewAppender(op.types[i], len(rows))
			for _, row := range rows {
				v, err := row[i].eval(w, one)
				if err != nil {
					return err
				}
				col.Append(v, 0)
			}
			f.cols[i] = col.Vector()
		}
		op.stats.emitted(f.n)
		if err := emit(f); err != nil {
			return err
		}
	}
	return nil
}

// filterOp keeps the rows that meet all conditions.
type filterOp struct {
	stats opStats
	input operator
	conds []expr
}

func (op *filterOp) open(q *query) ([]task, error) {
	tasks, err := op.input.open(q)
	for i, t := range tasks {
		tasks[i] = taskFunc(func(w *worker, emit func(*frame) error) error {
			return t.run(w, func(f *frame) error {
				was := w.enter(&op.stats)
				defer w.enter(was)
				f, err := narrow(w, op.conds, f)
				if err != nil || f == nil {
					return err
				}
				op.stats.emitted(f.n)
				return emit(f)
			})
		})
	}
	return tasks, err
}

// projectOp computes columns, each when somebody asks for it.
type projectOp struct {
	stats opStats
	input operator
	exprs []expr
	// eager are the volatile columns: they must not be computed twice.
	eager []int
}

func (op *projectOp) open(q *query) ([]task, error) {
	tasks, err := op.input.open(q)
	for i, t := range tasks {
		tasks[i] = taskFunc(func(w *worker, emit func(*frame) error) error {
			return t.run(w, func(f *frame) error {
				was := w.enter(&op.stats)
				defer w.enter(was)
				g := &frame{n: f.n, cols: make([]*column.Vector, len(op.exprs)), src: &projected{op: op, of: f}}
				for _, i := range op.eager {
					if _, err := g.col(w, i); err != nil {
						return err
					}
				}
				op.stats.emitted(f.n)
				return emit(g)
			})
		})
	}
	return tasks, err
}

// projected computes the columns of a projection.
type projected struct {
	op *projectOp
	of *frame
	// sub are the rows that were asked for last: columns with common parts are
	// asked for the same rows one after the other.
	at  []int32
	sub *frame
}

func (p *projected) load(w *worker, slot int) (*column.Vector, error) {
	was := w.enter(&p.op.stats)
	defer w.enter(was)
	return p.op.exprs[slot].eval(w, p.of)
}

func (p *projected) loadAt(w *worker, slot int, at []int32) (*column.Vector, error) {
	if ref, ok := p.op.exprs[slot].(*refExpr); ok {
		return p.of.colAt(w, ref.slot, at)
	}
	was := w.enter(&p.op.stats)
	defer w.enter(was)
	if p.sub == nil || !slices.Equal(p.at, at) {
		p.at, p.sub = slices.Clone(at), p.of.sub(at)
		p.sub.src = &subset{p.of, p.at}
	}
	return p.op.exprs[slot].eval(w, p.sub)
}

// limitOp passes on a range of the rows of its input, in their order.
type limitOp struct {
	stats     opStats
	input     operator
	n, offset int64
	width     int
}

func (op *limitOp) open(q *query) ([]task, error) {
	tasks, err := op.input.open(q)
	if err != nil {
		return nil, err
	}
	return []task{taskFunc(func(w *worker, emit func(*frame) error) error {
		if op.n == 0 {
			return nil
		}
		most := int64(-1)
		if op.n >= 0 {
			if most = op.n + op.offset; most < 0 {
				most = -1 // past what rows can be counted by
			}
		}
		s := newStream(q, tasks, op.width, most)
		defer s.stop()
		skip, left := op.offset, op.n
		for {
			b, err := s.next()
			if err != nil || b == nil {
				return err
			}
			from := min(skip, int64(b.Len))
			skip -= from
			to := int64(b.Len)
			if left >= 0 {
				to = min(to, from+left)
				left -= to - from
			}
			if from < to {
				cols := make([]*column.Vector, op.width)
				for i, v := range b.Cols {
					cols[i] = v
					if from > 0 || to < int64(b.Len) {
						cols[i] = v.Slice(int(from), int(to))
					}
				}
				op.stats.emitted(int(to - from))
				if err := emit(loaded(int(to-from), cols)); err != nil {
					return err
				}
			}
			if left == 0 {
				return nil
			}
		}
	})}, nil
}

// unionOp is UNION ALL.
type unionOp struct {
	stats  opStats
	inputs []operator
}

func (op *unionOp) open(q *query) ([]task, error) {
	var all []task
	for _, in := range op.inputs {
		tasks, err := in.open(q)
		if err != nil {
			return nil, err
		}
		for _, t := range tasks {
			all = append(all, taskFunc(func(w *worker, emit func(*frame) error) error {
				return t.run(w, func(f *frame) error {
					op.stats.emitted(f.n)
					return emit(f)
				})
			}))
		}
	}
	return all, nil
}

// missingOp stands for a node that cannot be run.
type missingOp struct {
	stats opStats
	what  string
	pos   sqlerr.Pos
}

func (op *missingOp) open(*query) ([]task, error) {
	return nil, sqlerr.New(sqlerr.FeatureNotSupported, op.pos, "%s is not supported", op.what)
}
