package exec

import (
	"fmt"
	"slices"
	"sync/atomic"

	"github.com/cairndb/cairn/segment/column"
	"github.com/cairndb/cairn/sql/plan"
	"github.com/cairndb/cairn/sql/sqlerr"
)

// Groups that a table keeps.
//
// A unit that has the groups of its rows for a view gives them instead of the rows: a
// frame has the group keys and the states of the aggregates as columns. The conditions are
// asked of the keys, the query's keys are computed from them, and the states are loaded
// as they are when groups are read back that were put aside.

// storedGroups is the compiled form of plan.StoredGroups.
type storedGroups struct {
	node *plan.StoredGroups
	// columns is how many columns are read where rows are.
	columns int
	filter  []expr
	keys    []expr
	aggs    []storedAgg
	// need lists the columns of the groups that are looked at.
	need []bool
	// taken counts the units that gave groups, counted those that gave counts of values
	// instead; kept says that what came of them was kept since an earlier query.
	taken, counted atomic.Int64
	kept           atomic.Bool
}

type storedAgg struct {
	state  int // the first column, -1 for none
	args   []expr
	filter expr
}

func (c *compiler) storedGroups(n *plan.StoredGroups, aggs []aggregate, columns int) *storedGroups {
	in := slotsOf(n.Columns)
	s := &storedGroups{node: n, columns: columns, filter: c.exprs(n.Filter, in), keys: c.exprs(n.Keys, in)}
	for _, a := range n.Aggs {
		g := storedAgg{state: a.State, args: c.exprs(a.Args, in)}
		if a.Filter != nil {
			g.filter = c.expr(a.Filter, in)
		}
		s.aggs = append(s.aggs, g)
	}
	s.need = make([]bool, len(n.Columns))
	look := func(e plan.Expr) {
		if e == nil {
			return
		}
		plan.Walk(e, func(x plan.Expr) bool {
			if r, ok := x.(*plan.Ref); ok {
				s.need[in[r.ID]] = true
			}
			return true
		})
	}
	for _, list := range [][]plan.Expr{n.Filter, n.Keys} {
		for _, e := range list {
			look(e)
		}
	}
	for i, a := range n.Aggs {
		for _, e := range a.Args {
			look(e)
		}
		look(a.Filter)
		if a.State < 0 {
			s.need[n.Rows] = true
		}
		for k := range aggs[i].fn.New().StateTypes() {
			if a.State >= 0 {
				s.need[a.State+k] = true
			}
		}
	}
	for _, r := range n.Ranges {
		if s.need[r.First] = true; r.Width == 0 {
			s.need[r.Last], s.need[r.Count], s.need[n.Rows] = true, true, true
		}
	}
	return s
}

// What a group or a row costs, in the same unit: a row is grouped by each column that the query
// reads, a group by its time and the number of its tuple, after both were unpacked
// (go test ./engine -run '^$' -bench BenchmarkViewRead: "cold" against "rows").
const (
	costGrouped = 5
	costStored  = 16
)

// worth reports whether n stored groups are less work than so many rows.
func (s *storedGroups) worth(n, rows int64) bool {
	read := int64(costGrouped * max(s.columns, 1))
	return n*min(read, costStored) <= rows*read
}

// has reports whether a unit gives its groups, and whether that is less work than its
// rows.
func (s *storedGroups) has(q *query, unit plan.Unit) (plan.ViewedUnit, bool) {
	u, ok := unit.(plan.ViewedUnit)
	if !ok {
		return nil, false
	}
	n, ok := u.HasGroups(q.ctx, s.node.View)
	if !ok {
		return nil, false
	}
	rows := int64(unit.Rows())
	if n <= rows/8 {
		return u, true
	}
	c, err := unit.Candidates(q.ctx)
	if err != nil {
		return nil, false // reading the rows will tell
	}
	if c != nil {
		rows = int64(c.GetCardinality())
		if n > rows {
			return nil, false
		}
	}
	// Of few rows both come at once.
	if rows > plan.BlockRows && !s.worth(n, rows) {
		return nil, false
	}
	return u, true
}

// takeStored takes the groups that a unit keeps; done is false when its rows are to be
// read instead, and then nothing was taken.
func (g *groups) takeStored(w *worker, t *unitTask) (done bool, err error) {
	op, s := g.op, g.op.stored
	was := w.enter(&op.stats)
	defer w.enter(was)
	u, ok := s.has(w.q, t.unit())
	if !ok {
		return false, nil
	}
	f, ok, err := s.frame(w, u)
	if err != nil || !ok {
		return false, err
	}
	rows := 0
	if f != nil {
		rows = f.n
		if f, err = narrow(w, s.filter, f); err != nil {
			return false, err
		}
	}
	if f != nil {
		if err := g.takeStates(w, f); err != nil {
			return false, err
		}
		if err := g.room(w.q); err != nil {
			return false, err
		}
	}
	s.taken.Add(1)
	t.op.stats.emitted(rows)
	return true, nil
}

// frame returns the groups of a unit that are in all ranges of time, nil for none; ok is
// false when there are none stored, or a range cuts one.
func (s *storedGroups) frame(w *worker, u plan.ViewedUnit) (f *frame, ok bool, err error) {
	b, ok, err := u.Groups(w.q.ctx, s.node.View, s.need)
	if err != nil || !ok {
		return nil, false, err
	}
	if len(b.Cols) != len(s.node.Columns) {
		return nil, false, sqlerr.New(sqlerr.Internal, sqlerr.Pos{}, "the groups of view %s have %d columns instead of %d", s.node.View.Name, len(b.Cols), len(s.node.Columns))
	}
	if b.Len == 0 {
		return nil, true, nil
	}
	f = loaded(b.Len, slices.Clone(b.Cols))
	if len(s.node.Ranges) == 0 {
		return f, true, nil
	}
	at, ok := s.inTime(b)
	if !ok || at == nil {
		return f, ok, nil
	}
	if len(at) == 0 {
		return nil, true, nil
	}
	return f.sub(at), true, nil
}

// takeStates adds a frame of stored groups.
func (g *groups) takeStates(w *worker, f *frame) error {
	s := g.op.stored
	for i, k := range s.keys {
		v, err := k.eval(w, f)
		if err != nil {
			return err
		}
		g.keyed[i] = v
	}
	g.number(f.n)
	return g.loadStates(w, f)
}

// loadStates adds the states of stored groups to the groups that g.of gives.
func (g *groups) loadStates(w *worker, f *frame) error {
	s := g.op.stored
	for i := range s.aggs {
		a := &s.aggs[i]
		if a.state < 0 {
			if err := g.addCounts(w, i, a.filter, a.args, f, s.node.Rows); err != nil {
				return err
			}
			continue
		}
		of, from := g.of[:f.n], f
		if a.filter != nil {
			at, all, err := keep(w, a.filter, f)
			if err != nil {
				return err
			}
			if !all {
				g.picked = g.picked[:0]
				for _, p := range at {
					g.picked = append(g.picked, of[p])
				}
				of, from = g.picked, f.sub(at)
			}
		}
		if from.n == 0 {
			continue
		}
		states := make([]*column.Vector, len(g.accs[i].StateTypes()))
		for k := range states {
			v, err := from.col(w, a.state+k)
			if err != nil {
				return err
			}
			states[k] = v
		}
		if err := g.accs[i].Load(of, states, from.n); err != nil {
			return placed(err, g.op.aggs[i].pos)
		}
	}
	return nil
}

// told says for EXPLAIN what the units of a scan give.
// They may give counts of the values of column slot, with byCounts.
func (s *storedGroups) told(q *query, scan *scanOp, byCounts bool, slot int, ran bool) string {
	name := s.node.View.Name
	p := scan.pruned()
	if p.Quiet {
		return "from view " + name + ": where a segment has its groups"
	}
	n, counted := int(s.taken.Load()), int(s.counted.Load())
	if !ran {
		for _, unit := range scan.units {
			if byCounts && s.counts(q, unit, slot) {
				counted++
				continue
			}
			u, ok := s.has(q, unit)
			if !ok {
				continue
			}
			if len(s.node.Ranges) > 0 {
				b, there, err := u.Groups(q.ctx, s.node.View, s.need)
				if ok = there && err == nil; ok {
					_, ok = s.inTime(b)
				}
			}
			if ok {
				n++
			}
		}
	}
	rest := p.Segments - p.SegmentsByTime - p.SegmentsByFilter - n
	if s.kept.Load() {
		if n == 0 {
			return "as kept since an earlier query"
		}
		return fmt.Sprintf("from view %s: %d segments from partials, as kept since an earlier query, %d scanned", name, n, rest-min(counted, rest))
	}
	if n == 0 && counted == 0 && s.dear(q, scan) {
		return "" // as if there were no view
	}
	if counted == 0 {
		return fmt.Sprintf("from view %s: %d segments from partials, %d scanned", name, n, rest)
	}
	if counted = min(counted, rest); n == 0 {
		return "" // as if there were no view
	}
	return fmt.Sprintf("from view %s: %d segments from partials, %d from stored counts, %d scanned", name, n, counted, rest-counted)
}

// dear reports whether there are groups of the view, and the rows are less work.
func (s *storedGroups) dear(q *query, scan *scanOp) bool {
	for _, unit := range scan.units {
		if u, ok := unit.(plan.ViewedUnit); ok {
			if _, ok := u.HasGroups(q.ctx, s.node.View); ok {
				if _, taken := s.has(q, unit); !taken {
					return true
				}
			}
		}
	}
	return false
}

// counts reports whether a unit gives counts of the values of one column, or of its rows.
func (s *storedGroups) counts(q *query, unit plan.Unit, slot int) bool {
	if slot < 0 {
		return true
	}
	_, _, ok, err := unit.Counts(q.ctx, slot)
	return ok && err == nil
}

// inTime returns the groups of a unit that are within all ranges of time, nil for all
// of them; ok is false when a range cuts one.
func (s *storedGroups) inTime(b *column.Batch) (at []int32, ok bool) {
	all := true
	at = make([]int32, 0, b.Len)
	for i := range b.Len {
		in := true
		for k := range s.node.Ranges {
			r := &s.node.Ranges[k]
			first := b.Cols[r.First]
			if first.IsNull(i) {
				in = false // no row has a time, and so none meets the condition
				continue
			}
			leaf, j := first.Leaf(i)
			low, whole := leaf.I64[j], true
			high := low + r.Width - 1
			if r.Width == 0 {
				leaf, j = b.Cols[r.Last].Leaf(i)
				high = leaf.I64[j]
				// Rows without a time do not meet the condition, the others may.
				timed, p := b.Cols[r.Count].Leaf(i)
				rows, q := b.Cols[s.node.Rows].Leaf(i)
				whole = timed.I64[p] == rows.I64[q]
			}
			switch a, z := meets(r.Op, low, r.Value), meets(r.Op, high, r.Value); {
			case a != z || a && !whole:
				return nil, false
			case !a:
				in = false
			}
		}
		if in {
			at = append(at, int32(i))
		} else {
			all = false
		}
	}
	if all {
		return nil, true
	}
	return at, true
}

func meets(op plan.CmpOp, x, value int64) bool {
	switch op {
	case plan.CmpLt:
		return x < value
	case plan.CmpLe:
		return x <= value
	case plan.CmpGt:
		return x > value
	}
	return x >= value
}
