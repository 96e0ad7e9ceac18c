package exec

import (
	"github.com/cairndb/cairn/segment/column"
	"github.com/cairndb/cairn/sql/plan"
)

// membership answers IN and EXISTS row by row with true, false or NULL, for
// mark joins and for NOT IN. It belongs to one goroutine.
//
// The rows for which all comparisons are true the matcher has found. Of the
// others the answer is NULL when for some held row the conditions besides are
// true and no comparison is false. Only NULLs make a comparison neither, so that
// has to be looked for only among held rows with a NULL among the compared
// values, or among all when the row itself has one.
type membership struct {
	op    *joinOp
	rows  *heldRows
	nulls []uint32 // the held rows with a NULL among their keys
	// certain is set when the comparisons are keys and nothing besides counts:
	// then NULLs alone decide.
	certain bool
	// exact is set when all comparisons are keys, so that keys without NULLs
	// decide.
	exact bool
}

func newMembership(op *joinOp, rows *heldRows) *membership {
	in := &membership{op: op, rows: rows, exact: op.exact}
	in.certain = in.exact && op.aware == 1 && len(op.others) == 0
	if rows.denied {
		for r := range rows.n {
			if !rows.ok.Get(r) {
				in.nulls = append(in.nulls, uint32(r))
			}
		}
	}
	return in
}

// finish emits the rows of a frame that has been matched, with their answers.
func (in *membership) finish(m *matcher, keys []*column.Vector) error {
	f := m.f
	mark := column.New(column.BooleanType, f.n)
	for i := range f.n {
		if m.hit[i] {
			mark.I64[i] = 1
			continue
		}
		null := m.before.wasNull(i)
		if !null {
			var err error
			if null, err = in.unknown(m, keys, i); err != nil {
				return err
			}
		}
		if null {
			mark.SetNull(i)
		}
	}
	if m.before != nil && !m.before.last {
		m.before.remember(m.hit)
		m.before.rememberNulls(mark)
		return nil
	}
	if m.kind == plan.MarkJoin {
		g := &frame{n: f.n, cols: make([]*column.Vector, len(m.left)+1), src: &marked{f}}
		g.cols[len(m.left)] = mark
		return m.emit(g)
	}
	at := make([]int32, 0, f.n)
	for i := range f.n {
		if mark.I64[i] == 0 && !mark.Nulls.Get(i) {
			at = append(at, int32(i))
		}
	}
	switch len(at) {
	case 0:
		return nil
	case f.n:
		return m.emit(f)
	}
	return m.emit(f.sub(at))
}

// unknown reports whether IN is NULL for row i, for which it is not true.
func (in *membership) unknown(m *matcher, keys []*column.Vector, i int) (bool, error) {
	if in.op.aware == 0 || in.rows.total == 0 {
		return false, nil
	}
	own := !in.exact
	for _, k := range keys {
		own = own || k.IsNull(i)
	}
	if in.certain {
		return own || in.rows.someDenied, nil
	}
	if !own {
		return in.among(m, i, len(in.nulls), func(k int) uint32 { return in.nulls[k] })
	}
	return in.among(m, i, in.rows.n, func(k int) uint32 { return uint32(k) })
}

// among looks for a held row, of n, that makes the answer for row i NULL.
func (in *membership) among(m *matcher, i, n int, row func(int) uint32) (bool, error) {
	for from := 0; from < n; from += batchRows {
		if err := m.w.q.live(); err != nil {
			return false, err
		}
		to := min(n, from+batchRows)
		p := &pairs{m: m}
		for k := from; k < to; k++ {
			p.of, p.with = append(p.of, int32(i)), append(p.with, row(k))
		}
		g := &frame{n: to - from, cols: make([]*column.Vector, len(m.left)+len(m.right)), src: p}
		at, all, err := keepAll(m.w, in.op.others, g)
		if err != nil {
			return false, err
		}
		if !all {
			if len(at) == 0 {
				continue
			}
			g = g.sub(at)
		}
		// Not false in any comparison; one that is true in all would have matched.
		open := make([]bool, g.n)
		for k := range open {
			open[k] = true
		}
		var truth []int8
		for _, c := range in.op.compared {
			v, err := c.eval(m.w, g)
			if err != nil {
				return false, err
			}
			truth = truthOf(v, g.n, truth)
			for k, t := range truth {
				open[k] = open[k] && t != no
			}
		}
		for _, o := range open {
			if o {
				return true, nil
			}
		}
	}
	return false, nil
}

// marked loads the columns of rows that have got a mark.
type marked struct{ of *frame }

func (l *marked) load(w *worker, slot int) (*column.Vector, error) { return l.of.col(w, slot) }

func (l *marked) loadAt(w *worker, slot int, at []int32) (*column.Vector, error) {
	return l.of.colAt(w, slot, at)
}
