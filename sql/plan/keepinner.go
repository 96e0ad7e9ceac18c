package plan

import (
	"slices"

	"github.com/cairndb/cairn/segment/column"
)

// A sub-query that is run for every combination of what it refers to reads its tables
// each time. What of it does not refer to the queries around gives the same rows each
// time: that is run once, and its rows are kept in memory, as those of a WITH item are.
// Only what cannot raise an error is run ahead, since it may be that no combination
// would have had it run.

// keptRowsMax is how many rows a table may have that are kept: they are filtered for
// each combination in much less than reading them takes, and for more of them the
// memory is better used otherwise.
const keptRowsMax = 1 << 18

// keepInner replaces the largest parts of a planned sub-query that do not refer to
// the queries around. free says that the order of the rows makes no difference.
func keepInner(n Node, free bool) Node { return keeper{hasOuter}.within(n, free) }

// lateralRowsMin is for how many rows a lateral join must be run for the rows of its
// right side to be kept: storage finds those of a few.
const lateralRowsMin = 64

// keepLateral does the same for the right side of a lateral join.
func keepLateral(x *Join) {
	if EstimateRows(x.Left) < lateralRowsMin || volatileNode(x.Right) {
		return
	}
	around := OuterRefs(x.Right)
	x.Right = keeper{func(e Expr) bool {
		used := map[ColID]bool{}
		refs(e, used)
		for id := range used {
			if around[id] {
				return true
			}
		}
		return hasOuter(e)
	}}.within(x.Right, false)
}

// keeper finds what is to be kept; depends tells the expressions that refer to the
// queries around.
type keeper struct{ depends func(Expr) bool }

func (k keeper) within(n Node, free bool) Node {
	if scan, ok := n.(*TableScan); ok {
		return k.scan(scan, free)
	}
	found := false
	eachNode(n, func(n Node) { found = found || slices.ContainsFunc(nodeExprs(n), k.depends) })
	if !found {
		return kept(n)
	}
	switch x := n.(type) {
	case *Filter:
		x.AnyOrder = free
	case *Project:
	case *Aggregate:
		free = len(x.Keys) == 0 && !slices.ContainsFunc(x.Aggs, func(a Agg) bool { return !unordered[a.Name] || len(a.Order) > 0 })
	default:
		free = false
	}
	eachInput(n, func(n Node) Node { return k.within(n, free) })
	return n
}

// unordered are aggregates that give the same in whatever order they get values.
var unordered = map[string]bool{
	"count": true, "count_if": true, "min": true, "max": true, "bool_and": true, "bool_or": true, "every": true, "approx_distinct": true,
}

// scan keeps the rows of a scan for the conditions that depend on the queries
// around.
func (k keeper) scan(scan *TableScan, free bool) Node {
	inner := *scan
	inner.Filter = nil
	var outer []Expr
	for _, c := range scan.Filter {
		if k.depends(c) {
			outer = append(outer, c)
		} else {
			inner.Filter = append(inner.Filter, c)
		}
	}
	n, ok := kept(&inner).(*SharedScan)
	switch {
	case !ok:
		return scan
	case len(outer) == 0:
		return n
	}
	return &Filter{Input: n, Conds: outer, AnyOrder: free}
}

// kept returns a node that gives the rows of n, which is run once; n itself where that
// is not worth it or not safe.
func kept(n Node) Node {
	name, rows := "", int64(0)
	eachNode(n, func(n Node) {
		switch x := n.(type) {
		case *TableScan:
			name = x.Table.Name()
			t, ok := x.Table.(RowCounter)
			if !ok {
				rows = keptRowsMax + 1
				break
			}
			rows += min(t.RowCount(), keptRowsMax+1)
		case *SharedScan, *Recursive, *WorkTable, *Limit:
			rows = keptRowsMax + 1 // kept already, or perhaps not read to their end
		}
	})
	if name == "" || rows > keptRowsMax || len(n.Cols()) == 0 || !safe(n) {
		return n
	}
	s := &SharedScan{Of: &Shared{Name: name, Root: n, Uses: 2, Kept: true}, Columns: n.Cols()}
	for _, c := range s.Columns {
		s.From = append(s.From, c.ID)
	}
	return s
}

// Seek is how the kept rows that meet a filter are found without looking at all of
// them: by equalities, and within rows that are equal by the order of one value.
type Seek struct {
	Keys []SeekKey
	// By is an expression over the kept rows, which all Bounds bound; nil for none.
	By     Expr
	Bounds []SeekBound
	// Rest are the other conditions.
	Rest []Expr
}

// SeekKey is an equality of an expression over the kept rows, Own, with one that does
// not depend on them. With NullSafe NULL equals NULL.
type SeekKey struct {
	Own, Probe Expr
	NullSafe   bool
}

// SeekBound says By Op Probe, of which Probe does not depend on the kept rows.
type SeekBound struct {
	Op    CmpOp
	Probe Expr
}

// Seek returns how the rows of a filter over kept rows are found, or nil. Only
// conditions serve that no condition comes before that might fail for rows that are
// not found.
func (n *Filter) Seek() *Seek {
	in, ok := n.Input.(*SharedScan)
	if !ok || !in.Of.Kept {
		return nil
	}
	s := &Seek{}
	sure := true
	for _, list := range n.Conds {
		for _, c := range conjuncts(list) {
			if sure && s.take(c, in.Columns) {
				continue
			}
			sure = sure && harmless(c)
			s.Rest = append(s.Rest, c)
		}
	}
	if len(s.Keys) == 0 && s.By == nil {
		return nil
	}
	return s
}

// take adds a condition, if it can serve.
func (s *Seek) take(cond Expr, cols []Col) bool {
	c, ok := cond.(*Compare)
	if !ok || Volatile(c) || !scalar(c.L.Type()) || !c.L.Type().Equal(c.R.Type()) || hasSubquery(c) {
		return false
	}
	own, probe, op := c.L, c.R, c.Op
	if !only(own, cols) {
		own, probe = probe, own
		if op >= CmpLt && op <= CmpGe {
			op = op.flip()
		}
	}
	if !only(own, cols) || hasOuter(own) || !harmless(own) || anyOf(probe, cols) {
		return false
	}
	switch {
	case op == CmpEq || op == IsNotDistinct:
		if own.Type().Payload() == column.PayloadF64 {
			return false // NaN
		}
		s.Keys = append(s.Keys, SeekKey{own, probe, op == IsNotDistinct})
		return true
	case op >= CmpLt && op <= CmpGe && (s.By == nil || same(s.By, own)):
		s.By = own
		s.Bounds = append(s.Bounds, SeekBound{op, probe})
		return true
	}
	return false
}

// hasSubquery reports whether a sub-query stands in e.
func hasSubquery(e Expr) bool {
	found := false
	Walk(e, func(x Expr) bool {
		_, is := x.(*Subquery)
		found = found || is
		return !found
	})
	return found
}

// anyOf reports whether e refers to any of the columns.
func anyOf(e Expr, cols []Col) bool {
	used := map[ColID]bool{}
	refs(e, used)
	return slices.ContainsFunc(cols, func(c Col) bool { return used[c.ID] })
}

// String tells EXPLAIN by what rows are found.
func (s *Seek) String() string {
	var by []Expr
	for _, k := range s.Keys {
		by = append(by, k.Own)
	}
	text := describeList(by)
	if s.By != nil {
		if text != "" {
			text += " and "
		}
		text += "the order of " + describe(s.By)
	}
	return text
}
