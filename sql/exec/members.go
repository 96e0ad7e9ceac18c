package exec

import (
	"github.com/cairndb/cairn/segment/column"
	"github.com/cairndb/cairn/sql/fn"
	"github.com/cairndb/cairn/sql/plan"
)

// members are the rows that X op ANY or ALL compares with.
type members struct {
	cols []*column.Vector
	n    int
	own  int64         // bytes of cols, unless they belong to a lookup
	at   func(int) int // the place of a member in cols
	// byKey are the members without NULL of = and <>; some have NULLs.
	byKey map[string]struct{}
	nulls []int32 // members with a NULL
	// least and most are the extremes of the others for < and the like, -1 for
	// none; NaN is neither.
	least, most int32
	nan         bool
	nested      *comparison // for types whose comparison takes more than this
}

func newMembers(e *plan.Subquery, cols []*column.Vector, n int, at func(int) int) *members {
	m := &members{cols: cols, n: n, at: at, least: -1, most: -1}
	for _, x := range e.X {
		if x.Type().Payload() == column.PayloadNested && len(e.X) == 1 {
			m.nested = newCompare(e.Op, x.Type(), e.Pos())
			return m
		}
	}
	ordered := e.Op != plan.CmpEq && e.Op != plan.CmpNe
	if !ordered {
		m.byKey = make(map[string]struct{}, n)
	}
	var key []byte
	for i := range n {
		r := at(i)
		null, nan := false, false
		key = key[:0]
		for _, v := range cols {
			leaf, j := v.Leaf(r)
			switch {
			case v.IsNull(r):
				null = true
			case leaf.F64 != nil && leaf.F64[j] != leaf.F64[j]:
				nan = true
			default:
				key = appendKey(key, leaf, j)
			}
		}
		switch {
		case nan: // equals nothing, and is neither less nor more than anything
			m.nan = true
		case null:
			m.nulls = append(m.nulls, int32(r))
		case ordered:
			if m.least < 0 || fn.Compare(cols[0], r, cols[0], int(m.least)) < 0 {
				m.least = int32(r)
			}
			if m.most < 0 || fn.Compare(cols[0], r, cols[0], int(m.most)) > 0 {
				m.most = int32(r)
			}
		default:
			if _, ok := m.byKey[string(key)]; !ok {
				m.byKey[string(key)] = struct{}{}
			}
		}
	}
	return m
}

func (m *members) bytes() int64 { return m.own + int64(64*len(m.byKey)+4*len(m.nulls)) + 128 }

// not negates a truth value.
func not(t int8) int8 {
	switch t {
	case yes:
		return no
	case no:
		return yes
	}
	return unknown
}

// compare compares row i of x with all members.
func (m *members) compare(w *worker, e *plan.Subquery, x []*column.Vector, i int) (int8, error) {
	switch {
	case m.n == 0:
		return int8(bit(e.Kind == plan.AllQuery)), nil
	case m.nested != nil:
		return m.eachNested(w, e, x[0], i)
	case e.Op == plan.CmpEq && e.Kind == plan.AnyQuery:
		return m.equalsAny(x, i), nil
	case e.Op == plan.CmpNe && e.Kind == plan.AllQuery:
		return not(m.equalsAny(x, i)), nil
	case e.Op == plan.CmpEq:
		return m.equalsAll(x, i), nil
	case e.Op == plan.CmpNe:
		return not(m.equalsAll(x, i)), nil
	}
	return m.ordered(e, x[0], i), nil
}

// equalsAny is IN: yes when a member has the same values, unknown when none has
// and one might, its NULLs or those of x being anything.
func (m *members) equalsAny(x []*column.Vector, i int) int8 {
	var key []byte
	null, nan := false, false
	for _, v := range x {
		leaf, j := v.Leaf(i)
		switch {
		case v.IsNull(i):
			null = true
		case leaf.F64 != nil && leaf.F64[j] != leaf.F64[j]:
			nan = true
		default:
			key = appendKey(key, leaf, j)
		}
	}
	if nan {
		return m.nanIn(x, i)
	}
	if !null {
		if _, ok := m.byKey[string(key)]; ok {
			return yes
		}
		for _, r := range m.nulls {
			if m.mayEqual(x, i, int(r)) {
				return unknown
			}
		}
		return no
	}
	for k := range m.n {
		if m.mayEqual(x, i, m.at(k)) {
			return unknown
		}
	}
	return no
}

// nanIn is IN for a value with a NaN: it equals no member, but a member that is
// NULL in its place might.
func (m *members) nanIn(x []*column.Vector, i int) int8 {
	for _, r := range m.nulls {
		if m.mayEqual(x, i, int(r)) {
			return unknown
		}
	}
	return no
}

// mayEqual reports whether x and a member differ in no column where both are
// known.
func (m *members) mayEqual(x []*column.Vector, i, r int) bool {
	for k, v := range x {
		if v.IsNull(i) || m.cols[k].IsNull(r) {
			continue
		}
		leaf, j := v.Leaf(i)
		if leaf.F64 != nil && leaf.F64[j] != leaf.F64[j] || !fn.EqualAt(v, i, m.cols[k], r) {
			return false
		}
	}
	return true
}

// equalsAll is = ALL: yes when all members have the same values.
func (m *members) equalsAll(x []*column.Vector, i int) int8 {
	result := int8(yes)
	if m.nan || len(m.byKey) > 1 && !m.anyNull(x, i) {
		return no
	}
	for k := range m.n {
		r := m.at(k)
		if !m.mayEqual(x, i, r) {
			return no
		}
		for c, v := range x {
			if v.IsNull(i) || m.cols[c].IsNull(r) {
				result = unknown
			}
		}
	}
	return result
}

func (m *members) anyNull(x []*column.Vector, i int) bool {
	for _, v := range x {
		if v.IsNull(i) {
			return true
		}
	}
	return false
}

// ordered is < ANY, >= ALL and the like.
func (m *members) ordered(e *plan.Subquery, x *column.Vector, i int) int8 {
	if x.IsNull(i) {
		return unknown
	}
	leaf, j := x.Leaf(i)
	nan := leaf.F64 != nil && leaf.F64[j] != leaf.F64[j]
	up := e.Op == plan.CmpLt || e.Op == plan.CmpLe
	any := e.Kind == plan.AnyQuery
	extreme := m.most // x < ANY: less than the largest
	if up != any {
		extreme = m.least
	}
	holds := false
	if extreme >= 0 && !nan {
		c := fn.Compare(x, i, m.cols[0], int(extreme))
		switch e.Op {
		case plan.CmpLt:
			holds = c < 0
		case plan.CmpLe:
			holds = c <= 0
		case plan.CmpGt:
			holds = c > 0
		case plan.CmpGe:
			holds = c >= 0
		}
	}
	switch {
	case any && holds:
		return yes
	case !any && (m.nan || extreme >= 0 && !holds):
		return no
	case len(m.nulls) > 0:
		return unknown
	}
	return int8(bit(!any))
}

// eachNested compares x with one member after the other.
func (m *members) eachNested(w *worker, e *plan.Subquery, x *column.Vector, i int) (int8, error) {
	result := int8(bit(e.Kind == plan.AllQuery))
	decisive := not(result)
	one := column.Flatten(x.Slice(i, i+1))
	if x.Const {
		one = column.Flatten(x)
		one = one.Slice(0, 1)
	}
	var truth []int8
	for from := 0; from < m.n; from += batchRows {
		if err := w.q.live(); err != nil {
			return no, err
		}
		n := min(batchRows, m.n-from)
		at := make([]int32, n)
		for k := range at {
			at[k] = int32(m.at(from + k))
		}
		v, err := m.nested.compare(w, column.NewConst(one, n), column.Gather(m.cols[0], at), n)
		if err != nil {
			return no, err
		}
		truth = truthOf(v, n, truth)
		for _, t := range truth {
			switch t {
			case decisive:
				return decisive, nil
			case unknown:
				result = unknown
			}
		}
	}
	return result, nil
}
