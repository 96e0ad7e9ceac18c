package exec

import (
	"github.com/cairndb/cairn/segment/column"
	"github.com/cairndb/cairn/sql/plan"
)

// lateTerm is a conjunct of a scan that narrows it once sub-queries have run.
type lateTerm struct {
	plan.LateTerm
	known []expr
	list  *subqueryExpr // of x IN (query)
}

func (c *compiler) lateTerms(n *plan.TableScan) []lateTerm {
	var out []lateTerm
	for _, l := range n.LateTerms() {
		t := lateTerm{LateTerm: l, known: c.exprs(l.Known, slots{})}
		if s, ok := l.Cond.(*plan.Subquery); ok {
			t.list, _ = c.bare(s, slotsOf(n.Columns)).(*subqueryExpr)
		}
		out = append(out, t)
	}
	return out
}

// settle runs the sub-queries that late terms wait for, once, and notes what
// storage can leave out for them. If one fails, a row that asks it will tell.
func (op *scanOp) settle(q *query) (narrowed bool, err error) {
	if op.settled || len(op.lates) == 0 {
		return false, nil
	}
	op.settled = true
	w := q.newWorker()
	one := loaded(1, nil)
	for _, t := range op.lates {
		if err := q.live(); err != nil {
			return false, err
		}
		var terms []plan.Term
		if t.list != nil {
			a, err := t.list.state.only(w)
			if err != nil {
				continue
			}
			if v := a.set.distinct(); v != nil {
				terms = op.node.TermOfList(t.LateTerm, v)
			}
		} else {
			values, err := evalAll(w, t.known, one)
			if err != nil {
				continue
			}
			terms = op.node.TermsOf(t.LateTerm, values)
		}
		for _, term := range terms {
			op.told = append(op.told, "to storage, from a sub-query: "+op.node.DescribeTerm(term))
		}
		op.learnt = append(op.learnt, terms...)
	}
	return len(op.learnt) > 0, nil
}

// distinct returns the values that X = ANY compares with, without NULL; nil when
// they are too many for a list, or none.
func (m *members) distinct() *column.Vector {
	if m.n == 0 || m.n > restrictValuesMax || len(m.cols) != 1 || m.nested != nil {
		return nil
	}
	var at []int32
	for i := range m.n {
		if r := m.at(i); !m.cols[0].IsNull(r) {
			at = append(at, int32(r))
		}
	}
	if len(at) == 0 {
		return nil
	}
	v := *column.Flatten(column.Gather(m.cols[0], at))
	v.Nulls = nil
	return &v
}
