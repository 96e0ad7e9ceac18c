package plan

import (
	"context"
	"maps"
	"slices"

	"github.com/cairndb/cairn/segment/column"
)

// optimizer improves the plans of one statement.
type optimizer struct {
	ctx   context.Context
	newID func() ColID
	off   Rules
}

// on reports whether a rule is to be applied.
func (o *optimizer) on(r Rule) bool { return !o.off.Has(r) }

// ended is what the optimizer panics with when the context of the statement has
// ended; Bind turns it into the context's error.
type ended struct{ err error }

// live ends the optimizer if the statement has ended.
func (o *optimizer) live() {
	if err := o.ctx.Err(); err != nil {
		panic(ended{err})
	}
}

// plan improves a plan without changing what it gives: filters move down to
// the scans, columns that nobody needs go, and what storage can use of the
// filters becomes terms. Without columns only the number of rows counts.
func (o *optimizer) plan(root Node, columns bool) Node {
	root = o.moved(root)
	if o.on(RegroupOnce) {
		o.regroup(root)
	}
	need := map[ColID]bool{}
	if columns {
		for _, c := range root.Cols() {
			need[c.ID] = true
		}
	}
	root = o.prune(root, need)
	o.useViews(root)
	o.finish(root)
	return root
}

// moved applies the rules that come before columns are dropped.
func (o *optimizer) moved(n Node) Node {
	n = o.sink(o.joinSubqueries(n), nil)
	if o.on(EmptyInputs) {
		n = o.nothing(n)
	}
	if o.on(PushLimits) {
		n = o.limits(n)
	}
	return n
}

// sink moves conditions, and the filters it meets, down as far as they go.
func (o *optimizer) sink(n Node, conds []Expr) Node {
	o.live()
	switch x := n.(type) {
	case *Filter:
		if !o.on(PushFilters) {
			x.Input = o.sink(x.Input, nil)
			return x
		}
		return o.sink(x.Input, append(append([]Expr(nil), x.Conds...), conds...))
	case *TableScan:
		for _, c := range conds {
			x.Filter = append(x.Filter, conjuncts(c)...)
		}
		return x
	case *Project:
		var below, above []Expr
		for _, c := range conds {
			if moved, ok := through(c, x.Columns, x.Exprs, nil); ok {
				below = append(below, moved)
			} else {
				above = append(above, c)
			}
		}
		x.Input = o.sink(x.Input, below)
		if o.on(MergeProjections) {
			x.merge()
		}
		return filtered(x, above)
	case *Aggregate:
		// A condition on keys alone decides about whole groups; without keys the
		// one group is there whatever the rows.
		var below, above []Expr
		for _, c := range conds {
			if moved, ok := through(c, x.Columns[:len(x.Keys)], x.Keys, x.Columns[len(x.Keys):]); ok && len(x.Keys) > 0 && len(x.Totals) == 0 && refers(c) {
				below = append(below, moved)
			} else {
				above = append(above, c)
			}
		}
		x.Input = o.sink(x.Input, below)
		if o.on(MergeProjections) {
			x.merge()
		}
		return filtered(x, above)
	case *Expand:
		// Only a key that is in every set is never made NULL here.
		var cols, made []Col
		var keys []Expr
		for i, c := range x.Columns {
			if i < len(x.Keys) && !slices.ContainsFunc(x.Sets, func(set []int) bool { return !slices.Contains(set, i) }) {
				cols, keys = append(cols, c), append(keys, x.Keys[i])
			} else {
				made = append(made, c)
			}
		}
		var below, above []Expr
		for _, c := range conds {
			if moved, ok := through(c, cols, keys, made); ok && refers(c) {
				below = append(below, moved)
			} else {
				above = append(above, c)
			}
		}
		x.Input = o.sink(x.Input, below)
		return filtered(x, above)
	case *Window:
		var below, above []Expr
		for _, c := range conds {
			if x.decides(c) {
				below = append(below, c)
			} else {
				above = append(above, c)
			}
		}
		x.Input = o.sink(x.Input, below)
		return filtered(x, above)
	case *Sort:
		if x.Limit < 0 && x.Offset == 0 {
			x.Input = o.sink(x.Input, conds)
			return x
		}
		x.Input = o.sink(x.Input, nil)
		return filtered(x, conds)
	case *Limit:
		x.Input = o.sink(x.Input, nil)
		return filtered(x, conds)
	case *Join:
		return x.sink(o, conds)
	case *Unnest:
		return x.sink(o, conds)
	case *SharedScan:
		if x.Of.Uses == 1 {
			return o.sink(x.inline(x.Of.Root), conds)
		}
	case *Recursive:
		x.Base, x.Step = o.sink(x.Base, nil), o.sink(x.Step, nil)
	case *Union:
		return filtered(x, o.sinkItems(x.Items, x.Columns, conds, Volatile))
	case *SetOp:
		// Rows that the operation drops must not raise an error.
		return filtered(x, o.sinkItems(x.Items, x.Columns, conds, func(c Expr) bool { return Volatile(c) || !cannotFail(c) }))
	}
	return filtered(n, conds)
}

// sinkItems moves conditions on the given columns into the items whose columns
// they are by position, all but those that stay says, and returns what is left.
func (o *optimizer) sinkItems(items []Node, cols []Col, conds []Expr, stay func(Expr) bool) (left []Expr) {
	var down []Expr
	for _, c := range conds {
		if stay(c) {
			left = append(left, c)
		} else {
			down = append(down, c)
		}
	}
	for i, item := range items {
		exprs := make([]Expr, len(cols))
		for k, col := range item.Cols() {
			exprs[k] = &Ref{base{T: col.Type}, col.ID, col.Name}
		}
		moved := make([]Expr, len(down))
		for k, c := range down {
			moved[k], _ = through(c, cols, exprs, nil)
		}
		items[i] = o.sink(item, moved)
	}
	return left
}

func filtered(n Node, conds []Expr) Node {
	if len(conds) == 0 {
		return n
	}
	return &Filter{Input: n, Conds: conds}
}

func refers(e Expr) bool {
	found := false
	Walk(e, func(x Expr) bool {
		if _, ok := x.(*Ref); ok {
			found = true
		}
		return !found
	})
	return found
}

// through expresses a condition on the columns of a node by what they are
// computed from; ok is false when one of them is volatile or among made, which
// the node makes itself. Other columns are those of queries around this one and
// stay as they are.
func through(c Expr, cols []Col, exprs []Expr, made []Col) (_ Expr, ok bool) {
	ok = !Volatile(c)
	moved := rewrite(c, func(e Expr) Expr {
		r, is := e.(*Ref)
		if !is {
			return e
		}
		for i := range cols {
			if cols[i].ID == r.ID {
				if Volatile(exprs[i]) {
					ok = false
				}
				return exprs[i]
			}
		}
		for _, m := range made {
			if m.ID == r.ID {
				ok = false
			}
		}
		return e
	})
	return moved, ok
}

// prune drops the columns that are not needed.
func (o *optimizer) prune(n Node, need map[ColID]bool) Node {
	if !o.on(PruneColumns) {
		for _, c := range n.Cols() {
			need[c.ID] = true
		}
	}
	switch x := n.(type) {
	case *TableScan:
		x.Unordered, x.Untold = !o.on(OrderFilters), !o.on(StorageTerms)
		if o.on(OrderFilters) {
			x.Filter = x.filterOrder(x.Filter)
		}
		below := map[ColID]bool{}
		for id := range need {
			below[id] = true
		}
		for _, f := range x.Filter {
			refs(f, below)
		}
		var cols []Col
		var paths []Path
		for i, c := range x.Columns {
			if below[c.ID] {
				cols, paths = append(cols, c), append(paths, x.Paths[i])
			}
		}
		x.Columns, x.Paths = cols, paths
		x.Terms = x.terms()
		return x
	case *Filter:
		for _, c := range x.Conds {
			refs(c, need)
		}
		x.Input = o.prune(x.Input, need)
		if w, ok := x.Input.(*Window); ok && o.on(BestRows) {
			w.keepBest(x.Conds)
		}
		return x
	case *Project:
		below := map[ColID]bool{}
		var cols []Col
		var exprs []Expr
		for i, c := range x.Columns {
			if need[c.ID] {
				cols, exprs = append(cols, c), append(exprs, x.Exprs[i])
				refs(x.Exprs[i], below)
			}
		}
		x.Columns, x.Exprs = cols, exprs
		x.Input = o.prune(x.Input, below)
		return x
	case *Aggregate:
		below := map[ColID]bool{}
		for _, k := range x.Keys {
			refs(k, below)
		}
		cols := x.Columns[:len(x.Keys):len(x.Keys)]
		var aggs []Agg
		for i, a := range x.Aggs {
			c := x.Columns[len(x.Keys)+i]
			if !need[c.ID] {
				continue
			}
			cols, aggs = append(cols, c), append(aggs, a)
			for _, e := range a.Args {
				refs(e, below)
			}
			if a.Filter != nil {
				refs(a.Filter, below)
			}
			for _, k := range a.Order {
				refs(k.Expr, below)
			}
		}
		x.Columns, x.Aggs = cols, aggs
		x.Input = o.prune(x.Input, below)
		return x
	case *Expand:
		below := map[ColID]bool{}
		for id := range need {
			below[id] = true
		}
		for _, k := range x.Keys {
			refs(k, below)
		}
		x.Input = o.prune(x.Input, below)
		return x
	case *Window:
		below := map[ColID]bool{}
		for id := range need {
			below[id] = true
		}
		var funcs []WindowFunc
		var cols []Col
		for i, c := range x.Columns {
			if !need[c.ID] {
				continue
			}
			funcs, cols = append(funcs, x.Funcs[i]), append(cols, c)
			call := windowCall{fn: x.Funcs[i]}
			call.exprs(func(e Expr) (Expr, error) { refs(e, below); return e, nil })
		}
		if len(cols) == 0 {
			return o.prune(x.Input, need)
		}
		x.Funcs, x.Columns = funcs, cols
		for _, k := range x.Keys {
			refs(k.Expr, below)
		}
		x.Input = o.narrow(x.Input, below)
		return x
	case *Sort:
		for _, k := range x.Keys {
			refs(k.Expr, need)
		}
		if _, ok := x.Input.(*TableScan); ok && x.Limit >= 0 && !x.Ties {
			x.Input = o.prune(x.Input, need) // a top-N reads columns for its few rows
			return x
		}
		x.Input = o.narrow(x.Input, need)
		return x
	case *Limit:
		x.Input = o.narrow(x.Input, need)
		return x
	case *Union:
		var cols []Col
		var kept []int
		for i, c := range x.Columns {
			if need[c.ID] {
				cols, kept = append(cols, c), append(kept, i)
			}
		}
		x.Columns = cols
		for i, item := range x.Items {
			x.Items[i] = o.pruneTo(item, kept, cols)
		}
		return x
	case *Join:
		return x.prune(o, need)
	case *Unnest:
		return x.prune(o, need)
	case *SharedScan:
		return x.prune(o, need)
	case *Recursive:
		return x.prune(o)
	case *SetOp:
		// All columns decide which rows are the same.
		kept := make([]int, len(x.Columns))
		for i := range kept {
			kept[i] = i
		}
		for i, item := range x.Items {
			x.Items[i] = o.pruneTo(item, kept, x.Columns)
		}
		return x
	}
	return n
}

// narrow prunes n for a node that keeps its rows: what n has besides, such as
// columns of its own conditions and the arrays that it takes apart, goes too.
func (o *optimizer) narrow(n Node, need map[ColID]bool) Node {
	want := maps.Clone(need)
	n = o.prune(n, need)
	if !o.on(PruneColumns) {
		return n
	}
	p := &Project{Input: n, Narrows: true}
	for _, c := range n.Cols() {
		if want[c.ID] {
			p.Columns, p.Exprs = append(p.Columns, c), append(p.Exprs, &Ref{base{T: c.Type}, c.ID, c.Name})
		}
	}
	if len(p.Columns) == len(n.Cols()) {
		return n
	}
	return p
}

// pruneTo prunes n to the columns at the given places, in that order; named has
// their names.
func (o *optimizer) pruneTo(n Node, kept []int, named []Col) Node {
	below := map[ColID]bool{}
	all := n.Cols()
	p := &Project{}
	for k, at := range kept {
		c := all[at]
		below[c.ID] = true
		p.Columns = append(p.Columns, Col{c.ID, named[k].Name, c.Type})
		p.Exprs = append(p.Exprs, &Ref{base{T: c.Type}, c.ID, c.Name})
	}
	n = o.prune(n, below)
	if !slices.EqualFunc(n.Cols(), p.Columns, func(a, b Col) bool { return a.ID == b.ID }) {
		// What is below could not drop or order its columns.
		p.Input = n
		n = p
	}
	return n
}

// refs adds the columns that e refers to.
func refs(e Expr, to map[ColID]bool) {
	Walk(e, func(x Expr) bool {
		if r, ok := x.(*Ref); ok {
			to[r.ID] = true
		}
		return true
	})
}

// filterOrder puts cheap conditions that cannot fail first, cheapest first, and
// with them all that become terms: what storage leaves out by a term must not
// have raised an error before. The others keep the order in which the user
// wrote them: one may guard the next.
func (n *TableScan) filterOrder(conds []Expr) []Expr {
	var safe, rest []Expr
	for _, c := range conds {
		if k, ok := c.(*Const); ok && !k.null() && k.Value.I64[0] != 0 {
			continue
		}
		if cannotFail(c) || len(n.term(c)) > 0 || settles(c) {
			safe = append(safe, c)
		} else {
			rest = append(rest, c)
		}
	}
	slices.SortStableFunc(safe, func(a, b Expr) int { return cost(a) - cost(b) })
	return append(safe, rest...)
}

// settles reports whether c compares with a sub-query that runs once and cannot
// fail: it may become a term then.
func settles(c Expr) bool {
	found := false
	Walk(c, func(e Expr) bool {
		_, is := e.(*Subquery)
		found = found || is
		return !found
	})
	return found && harmless(c)
}

// cost ranks conditions by the work that a row takes. Equalities come before
// ranges: they leave fewer rows.
func cost(e Expr) int {
	switch x := e.(type) {
	case *Const:
		return 0
	case *Compare:
		c := 2
		if x.Op == CmpEq {
			c = 1
		}
		if x.L.Type().Payload() == column.PayloadNested {
			c += 20
		}
		return c + cost(x.L) + cost(x.R)
	case *IsNullTest:
		return 2 + cost(x.X)
	case *In:
		return 3 + cost(x.X)
	case *Like:
		return 10 + cost(x.X)
	}
	n := 1
	for _, op := range e.operands() {
		n += cost(op)
	}
	return n
}

// terms are what storage can use of the filter.
func (n *TableScan) terms() []Term {
	var out []Term
	if n.Untold {
		return nil
	}
	for _, c := range n.Filter {
		if n.Unordered && !harmless(c) {
			break // what this one says of a row must not be lost with the row
		}
		out = append(out, n.term(c)...)
	}
	return out
}

// path returns the path of the scan that an expression reads.
func (n *TableScan) path(e Expr) (Path, bool) {
	// Not m['k'], although it is read by a path: the rows for which it fails must
	// not be left out.
	if x, ok := e.(*Ref); ok {
		for i, c := range n.Columns {
			if c.ID == x.ID {
				return n.Paths[i], true
			}
		}
	}
	return Path{}, false
}

// scalar reports whether terms on a path of this type mean something.
func scalar(t *column.Type) bool { return t.Payload() != column.PayloadNested }

var termOps = map[CmpOp]Op{CmpEq: Eq, CmpNe: NotEq, CmpLt: Less, CmpLe: LessEq, CmpGt: Greater, CmpGe: GreaterEq}

// term returns the terms that follow from one conjunct.
func (n *TableScan) term(c Expr) []Term {
	if t := n.columnTerms(c); t != nil {
		return t
	}
	return n.searchTerms(c)
}

// columnTerms returns the terms of a conjunct that compares a column.
func (n *TableScan) columnTerms(c Expr) []Term {
	switch x := c.(type) {
	case *Compare:
		if t := n.positionTerms(x); t != nil {
			return t
		}
		if t, ok := n.compared(x.Op, x.L, x.R); ok {
			return t
		}
		t, _ := n.compared(x.Op.flip(), x.R, x.L)
		return t
	case *In:
		p, ok := n.path(x.X)
		if ok && scalar(p.Type) && x.Values.Len > 0 {
			v := *x.Values
			v.Type = p.Type
			return []Term{{p, Eq, &v}}
		}
	case *Not:
		switch y := x.X.(type) {
		case *In:
			p, ok := n.path(y.X)
			if ok && scalar(p.Type) && y.Values.Len > 0 && p.Type.Payload() != column.PayloadF64 {
				v := *y.Values
				v.Type = p.Type
				return []Term{{p, NotEq, &v}}
			}
		case *Ref:
			if p, ok := n.path(y); ok {
				return []Term{{p, Eq, boolConst(false, y.Place).Value}}
			}
		}
	case *Ref:
		if p, ok := n.path(x); ok {
			return []Term{{p, Eq, boolConst(true, x.Place).Value}}
		}
	case *IsNullTest:
		p, ok := n.path(x.X)
		if ok {
			if x.Not {
				return []Term{{Path: p, Op: NotNull}}
			}
			return []Term{{Path: p, Op: IsNull}}
		}
	case *Like:
		return n.likeTerm(x)
	}
	return nil
}

// compared returns the terms of l op r when l is a path and r a constant.
func (n *TableScan) compared(op CmpOp, l, r Expr) ([]Term, bool) {
	k, ok := r.(*Const)
	if !ok {
		return nil, false
	}
	if t := n.truncated(op, l, k); t != nil {
		return t, true
	}
	p, ok := n.path(l)
	if !ok || !scalar(p.Type) {
		return nil, false
	}
	switch op {
	case IsDistinct:
		if k.null() {
			return []Term{{Path: p, Op: NotNull}}, true
		}
		return nil, false
	case IsNotDistinct:
		if k.null() {
			return []Term{{Path: p, Op: IsNull}}, true
		}
		op = CmpEq
	}
	if k.null() {
		return nil, false
	}
	if p.Type.Payload() == column.PayloadF64 && (op == CmpNe || k.Value.F64[0] != k.Value.F64[0]) {
		return nil, false // NaN has ways of its own
	}
	v := *column.Flatten(k.Value)
	v.Type = p.Type // times of another precision are the same microseconds
	return []Term{{p, termOps[op], &v}}, true
}

// truncated turns a comparison of the day, hour … of a timestamp with a constant
// into a range of the timestamp: date(eventTime) = DATE '2026-01-31'.
func (n *TableScan) truncated(op CmpOp, l Expr, k *Const) []Term {
	if k.null() || k.T.Payload() != column.PayloadI64 {
		return nil
	}
	var x Expr
	var start, end int64 // of the time that k stands for, in microseconds
	const day = 24 * 60 * 60 * 1000000
	switch e := l.(type) {
	case *Cast:
		if e.Try || e.T.Kind != column.Date || k.T.Kind != column.Date || e.X.Type().Kind != column.Timestamp {
			return nil
		}
		x = e.X
		if d := k.Value.I64[0]; d > -100_000_000 && d < 100_000_000 {
			start, end = d*day, (d+1)*day
		}
	case *Call:
		switch {
		case e.Name == "date" && len(e.Args) == 1 && e.Args[0].Type().Kind == column.Timestamp && k.T.Kind == column.Date:
			x = e.Args[0]
			if d := k.Value.I64[0]; d > -100_000_000 && d < 100_000_000 {
				start, end = d*day, (d+1)*day
			}
		case e.Name == "date_trunc" && len(e.Args) == 2 && e.Args[1].Type().Kind == column.Timestamp && k.T.Kind == column.Timestamp:
			unit, ok := e.Args[0].(*Const)
			if !ok || unit.null() {
				return nil
			}
			width := map[string]int64{"day": day, "hour": day / 24, "minute": day / 24 / 60, "second": day / 24 / 3600}[unit.Value.Str[0]]
			at := k.Value.I64[0]
			if width == 0 || at%width != 0 || at > 1<<62 || at < -1<<62 {
				return nil
			}
			x, start, end = e.Args[1], at, at+width
		}
	}
	if x == nil || start == end {
		return nil
	}
	p, ok := n.path(x)
	if !ok {
		return nil
	}
	value := func(us int64) *column.Vector { return &column.Vector{Type: p.Type, Len: 1, I64: []int64{us}} }
	from, before := Term{p, GreaterEq, value(start)}, Term{p, Less, value(end)}
	switch op {
	case CmpEq, IsNotDistinct:
		return []Term{from, before}
	case CmpLt:
		return []Term{{p, Less, value(start)}}
	case CmpLe:
		return []Term{before}
	case CmpGt:
		return []Term{{p, GreaterEq, value(end)}}
	case CmpGe:
		return []Term{from}
	}
	return nil
}
