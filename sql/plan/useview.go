package plan

import (
	"math"
	"slices"
	"strings"

	"github.com/cairndb/cairn/segment/column"
)

// How a query is answered from a view.
//
// An aggregate over a scan can take the groups of a view for the rows of a unit when
//
//	each of the view's conditions is one of the query's,
//	each other condition of the query is decided by the keys of a group, or is a range of
//	time that holds a group's rows wholly or not at all (which the groups tell: a unit with
//	a group that it cuts is read row by row),
//	the query's keys are expressions of the view's keys: the same, date_trunc('day', t)
//	of date_trunc('minute', t), fewer of them,
//	each aggregate is one that the view has, or its arguments are expressions of keys and a
//	group's count says how often they come.
//
// All that is said here is about one group of one unit, so nothing depends on which units
// have groups.

// StoredGroups says how an aggregate takes the groups of a view instead of rows.
type StoredGroups struct {
	View *View
	// Columns are those of the view's groups: keys, then states. The expressions below
	// refer to the keys among them.
	Columns []Col
	// Filter are the conditions that a group must meet.
	Filter []Expr
	// Ranges must hold for all rows of a group or for none.
	Ranges []TimeCond
	Keys   []Expr
	Aggs   []StoredAgg
	// Rows is the column that counts the rows of a group.
	Rows int
	// Print says all that decides what comes of given groups, so that what came of them once
	// can be taken again; "" where it cannot.
	Print string
}

// StoredAgg says where an aggregate comes from.
type StoredAgg struct {
	// State is the first column of its state; -1 when it takes Args, which come as often
	// as the group has rows.
	State  int
	Args   []Expr
	Filter Expr // nil for none
}

// TimeCond compares the time of a row with a constant.
type TimeCond struct {
	Op    CmpOp // one of CmpLt, CmpLe, CmpGt, CmpGe
	Value int64
	// Width, above 0, says that column First is the time cut to so many microseconds.
	// Else First and Last are the columns of the smallest and largest time of a group, Count
	// that of how many rows have one.
	Width              int64
	First, Last, Count int
}

// useViews lets aggregates over scans take the groups of views.
func (o *optimizer) useViews(n Node) {
	if !o.on(UseViews) {
		return
	}
	if g, ok := n.(*Aggregate); ok && !g.States && len(g.Totals) == 0 {
		if scan, ok := g.Input.(*TableScan); ok {
			if t, ok := scan.Table.(ViewedTable); ok {
				var can []*StoredGroups
				for _, v := range t.Views() {
					o.live()
					if s := o.storedGroups(g, scan, v); s != nil {
						can = append(can, s)
					}
				}
				if g.Stored = cheapest(t, can); g.Stored != nil {
					g.Stored.Print = g.Stored.print(g)
				}
			}
		}
	}
	for _, in := range n.Inputs() {
		o.useViews(in)
	}
}

// cheapest returns those groups that take least to read.
func cheapest(t ViewedTable, can []*StoredGroups) (best *StoredGroups) {
	if len(can) == 1 {
		return can[0]
	}
	least := 0.0
	for _, s := range can {
		work := t.ViewWork(s.View)
		if len(s.Ranges) > 0 {
			work *= 2 // the rows of units with a group that is cut are read, beside the groups
		}
		if best == nil || work < least {
			best, least = s, work
		}
	}
	return best
}

// matching is the attempt to answer an aggregate from a view.
type matching struct {
	v    *View
	keys []Expr // the view's, over the query's columns; nil for one that the query cannot name
	cols []Col  // of the view's groups
	// columns of the view's scan by number, as the query has them
	seen map[ColID]Expr
}

func (o *optimizer) storedGroups(g *Aggregate, scan *TableScan, v *View) *StoredGroups {
	m := &matching{v: v, seen: map[ColID]Expr{}}
	for i, p := range v.scan.Paths {
		for k, have := range scan.Paths {
			if samePath(p, have) {
				m.seen[v.scan.Columns[i].ID] = NewRef(scan.Columns[k])
			}
		}
	}
	for i, t := range v.types {
		c := Col{ID: o.newID(), Type: t}
		if i < len(v.group.Keys) {
			c.Name = describe(v.group.Keys[i])
			key, _ := m.here(v.group.Keys[i])
			m.keys = append(m.keys, key)
		}
		m.cols = append(m.cols, c)
	}
	out := &StoredGroups{View: v, Columns: m.cols, Rows: v.states[v.rows]}
	if !m.conditions(scan, out) {
		return nil
	}
	for _, k := range g.Keys {
		e, ok := m.derive(k, true)
		if !ok {
			return nil
		}
		out.Keys = append(out.Keys, e)
	}
	for i := range g.Aggs {
		a, ok := m.aggregate(&g.Aggs[i])
		if !ok {
			return nil
		}
		out.Aggs = append(out.Aggs, a)
	}
	return out
}

// here returns an expression of the view over the columns of the query.
func (m *matching) here(e Expr) (_ Expr, ok bool) {
	if e == nil {
		return nil, true
	}
	ok = true
	out := rewrite(e, func(x Expr) Expr {
		if r, is := x.(*Ref); is {
			if to := m.seen[r.ID]; to != nil {
				return to
			}
			ok = false
		}
		return x
	})
	if !ok {
		return nil, false
	}
	return out, true
}

// conditions shares the query's conditions out.
func (m *matching) conditions(scan *TableScan, out *StoredGroups) bool {
	var own []Expr // the view's
	for _, f := range m.v.scan.Filter {
		e, ok := m.here(f)
		if !ok {
			return false
		}
		own = append(own, e)
	}
	met := make([]bool, len(own))
	for _, f := range scan.Filter {
		if i := slices.IndexFunc(own, func(e Expr) bool { return same(e, f) }); i >= 0 {
			met[i] = true
			continue
		}
		if e, ok := m.derive(f, false); ok {
			out.Filter = append(out.Filter, e)
			continue
		}
		r, ok := m.timeRange(f)
		if !ok {
			return false
		}
		out.Ranges = append(out.Ranges, r)
	}
	return !slices.Contains(met, false)
}

// exactKey reports whether values that group together are the same in every way, so that
// an expression of the key is the same for all rows of a group.
func exactKey(t *column.Type) bool {
	switch t.Payload() {
	case column.PayloadI64:
		return t.Kind != column.TimestampTZ
	case column.PayloadStr:
		return true
	}
	return false // 0 and -0, maps in different orders
}

// derive expresses e by the keys of the view. whole is set where e is itself what rows
// are grouped by.
func (m *matching) derive(e Expr, whole bool) (Expr, bool) {
	if Volatile(e) {
		return nil, false
	}
	for i, k := range m.keys {
		if k != nil && same(k, e) {
			if !whole && !exactKey(k.Type()) {
				return nil, false
			}
			return &Ref{base{e.Type(), e.Pos()}, m.cols[i].ID, m.cols[i].Name}, true
		}
	}
	switch x := e.(type) {
	case *Const:
		return e, true
	case *Ref, *Param, *Outer, *Subquery, *Higher, *Lambda, *LambdaParam:
		return nil, false
	case *Compare:
		if c, ok := m.aligned(x); ok {
			return c, true
		}
	}
	if c, ok := m.coarser(e); ok {
		return c, true
	}
	ops := e.operands()
	if len(ops) == 0 {
		return nil, false
	}
	out := make([]Expr, len(ops))
	for i, op := range ops {
		var ok bool
		if out[i], ok = m.derive(op, false); !ok {
			return nil, false
		}
	}
	return e.with(out), true
}

// bucket returns the key that cuts a time to pieces of at most most microseconds which
// divide it.
func (m *matching) bucket(of Expr, most int64) Expr {
	for i, s := range m.v.spans {
		if s.width == 0 || most%s.width != 0 || m.keys[i] == nil {
			continue
		}
		if t, ok := m.here(s.of); ok && same(t, of) && m.cols[i].Type.Equal(of.Type()) {
			return &Ref{base{of.Type(), of.Pos()}, m.cols[i].ID, m.cols[i].Name}
		}
	}
	return nil
}

// cutFunctions are functions of a time that are the same for all times of a piece of the
// given width.
var cutFunctions = map[string]int64{
	"date": bucketWidths["day"], "year": bucketWidths["day"], "quarter": bucketWidths["day"], "month": bucketWidths["day"],
	"week": bucketWidths["day"], "week_of_year": bucketWidths["day"], "year_of_week": bucketWidths["day"], "yow": bucketWidths["day"],
	"day": bucketWidths["day"], "day_of_month": bucketWidths["day"], "day_of_week": bucketWidths["day"], "dow": bucketWidths["day"],
	"day_of_year": bucketWidths["day"], "doy": bucketWidths["day"], "last_day_of_month": bucketWidths["day"],
	"hour": bucketWidths["hour"], "minute": bucketWidths["minute"], "second": bucketWidths["second"],
}

// coarser expresses a function that cuts a time by a key that cuts it finer.
func (m *matching) coarser(e Expr) (Expr, bool) {
	if unit, of := truncation(e); of != nil {
		width := bucketWidths[unit]
		if unit == "week" || unit == "month" || unit == "quarter" || unit == "year" {
			width = bucketWidths["day"] // they begin with a day
		}
		if width == 0 {
			return nil, false
		}
		if key := m.bucket(of, width); key != nil {
			return e.with([]Expr{e.(*Call).Args[0], key}), true
		}
		return nil, false
	}
	switch x := e.(type) {
	case *Call:
		if width := cutFunctions[strings.ToLower(x.Name)]; width > 0 && len(x.Args) == 1 && x.Args[0].Type().Kind == column.Timestamp {
			if key := m.bucket(x.Args[0], width); key != nil {
				return e.with([]Expr{key}), true
			}
		}
	case *Cast:
		if x.T.Kind == column.Date && x.X.Type().Kind == column.Timestamp {
			if key := m.bucket(x.X, bucketWidths["day"]); key != nil {
				return e.with([]Expr{key}), true
			}
		}
	}
	return nil, false
}

// timeCompare reads a comparison of a time with a constant.
func timeCompare(x *Compare) (op CmpOp, of Expr, value int64, ok bool) {
	op, of, other := x.Op, x.L, x.R
	if _, is := of.(*Const); is {
		op, of, other = op.flip(), other, of
	}
	k, is := other.(*Const)
	if !is || k.null() || k.T.Kind != column.Timestamp || of.Type().Kind != column.Timestamp {
		return 0, nil, 0, false
	}
	if c, is := of.(*Cast); is && c.X.Type().Kind == column.Timestamp && c.T.Precision >= c.X.Type().Precision {
		of = c.X // the same time
	}
	return op, of, k.Value.I64[0], true
}

// aligned expresses a range of time that begins or ends between two pieces of a key.
func (m *matching) aligned(x *Compare) (Expr, bool) {
	op, of, at, ok := timeCompare(x)
	if !ok {
		return nil, false
	}
	if at == math.MaxInt64 {
		return nil, false
	}
	switch op {
	case CmpGt: // t > c is t >= c + 1
		op, at = CmpGe, at+1
	case CmpLe:
		op, at = CmpLt, at+1
	case CmpGe, CmpLt:
	default:
		return nil, false
	}
	for i, s := range m.v.spans {
		if s.width == 0 || at%s.width != 0 || m.keys[i] == nil {
			continue
		}
		if t, ok := m.here(s.of); ok && same(t, of) {
			key := &Ref{base{m.cols[i].Type, x.Place}, m.cols[i].ID, m.cols[i].Name}
			value := &Const{base{m.cols[i].Type, x.Place}, &column.Vector{Type: m.cols[i].Type, Len: 1, I64: []int64{at}}, false}
			return &Compare{base{x.T, x.Place}, op, key, value}, true
		}
	}
	return nil, false
}

// timeRange reads a range of time that may cut a group.
func (m *matching) timeRange(f Expr) (TimeCond, bool) {
	x, ok := f.(*Compare)
	if !ok {
		return TimeCond{}, false
	}
	op, of, at, ok := timeCompare(x)
	if !ok || op != CmpLt && op != CmpLe && op != CmpGt && op != CmpGe {
		return TimeCond{}, false
	}
	for i, s := range m.v.spans {
		if s.width == 0 || m.keys[i] == nil {
			continue
		}
		if t, ok := m.here(s.of); ok && same(t, of) {
			return TimeCond{Op: op, Value: at, Width: s.width, First: i}, true
		}
	}
	if w := m.v.within; w != nil {
		if t, ok := m.here(w.of); ok && same(t, of) {
			return TimeCond{Op: op, Value: at, First: m.v.states[w.first], Last: m.v.states[w.last], Count: m.v.states[w.in]}, true
		}
	}
	return TimeCond{}, false
}

// stateFamily is the name of the aggregate whose states an aggregate has.
func stateFamily(name string) string {
	switch name {
	case "avg":
		return "sum" // both keep sum and count
	case "every":
		return "bool_and"
	case "any_value":
		return "arbitrary"
	}
	return name
}

// aggregate finds where an aggregate of the query comes from.
func (m *matching) aggregate(a *Agg) (out StoredAgg, ok bool) {
	distinct := a.Distinct && !a.Fn.SkipsDuplicates
	if a.Fn.Ordered || len(a.Order) > 0 {
		return out, false
	}
	if !distinct {
		for i := range m.v.group.Aggs {
			b := &m.v.group.Aggs[i]
			if stateFamily(a.Name) != stateFamily(b.Name) || !sameTypes(a.Fn.Args, b.Fn.Args) || len(a.Args) != len(b.Args) ||
				!sameTypes(a.Fn.New().StateTypes(), b.Fn.New().StateTypes()) {
				continue
			}
			if !slices.EqualFunc(a.Args, b.Args, func(x, y Expr) bool { h, ok := m.here(y); return ok && same(x, h) }) {
				continue
			}
			out = StoredAgg{State: m.v.states[i]}
			if b.Filter != nil {
				if f, ok := m.here(b.Filter); ok && a.Filter != nil && same(f, a.Filter) {
					return out, true
				}
				continue
			}
			if a.Filter == nil {
				return out, true
			}
			if out.Filter, ok = m.derive(a.Filter, false); ok {
				return out, true
			}
		}
	}
	if !distinct && !a.Fn.SkipsDuplicates && !a.Fn.Weighted {
		return out, false
	}
	out = StoredAgg{State: -1}
	for _, e := range a.Args {
		d, ok := m.derive(e, false)
		if !ok {
			return out, false
		}
		out.Args = append(out.Args, d)
	}
	if a.Filter != nil {
		if out.Filter, ok = m.derive(a.Filter, false); !ok {
			return out, false
		}
	}
	return out, true
}

func sameTypes(a, b []*column.Type) bool {
	return slices.EqualFunc(a, b, func(x, y *column.Type) bool { return x.Equal(y) })
}
