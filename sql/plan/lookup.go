package plan

import "slices"

// Lookup is how a sub-query that refers to the queries around it by equalities
// alone is answered for all rows by one run of a plan that does not refer to
// them: Root gives, with every row of the sub-query, the values that the outer
// expressions must be equal to, and a row asks for those that are equal to its
// own. This is the decorrelation of Neumann and Kemper ("Unnesting Arbitrary
// Queries", 2015) with the join left to the expression: it stays where it
// stands, so that rows for which it is not evaluated need no answer.
//
// An error of Root may come from a row that no outer row asks for; the run per
// combination then decides.
type Lookup struct {
	Root Node
	// Keys are the first columns of Root, those of the sub-query follow. Probes
	// are what they must be equal to, over Outer expressions. Where NullSafe is
	// set, NULL equals NULL.
	Keys     []Col
	Probes   []Expr
	NullSafe []bool
	// Empty gives the rows of the sub-query for values that Root does not have:
	// count(*) is then 0. It has no parameters; nil when there are none.
	Empty Node
}

// lookupKey is an equality between a column of a sub-query and an expression
// over the queries around.
type lookupKey struct {
	col      Col
	probe    Expr
	nullSafe bool
}

// puller rewrites a sub-query to one that gives the columns of its equalities
// with the queries around instead of testing them.
type puller struct {
	o *optimizer
	// grouped is set when a group that is there without any row became one group
	// per key, so that rows may be missing that must be there.
	grouped bool
	// beyond allows conditions other than equalities, which then are in residual;
	// the columns that they need are among the keys, without probe.
	beyond   bool
	residual []Expr
}

// lookup returns how to answer a sub-query by one run, or nil.
func (o *optimizer) lookup(sub *SubPlan, kind SubKind) *Lookup {
	root, ok := clone(sub.Root)
	if !ok {
		return nil
	}
	if l, is := root.(*Limit); is && kind == ExistsQuery && l.N != 0 && l.Offset == 0 {
		root = l.Input
	}
	p := &puller{o: o}
	root, keys, ok := p.pull(root, kind == ArrayQuery)
	if !ok || len(keys) == 0 {
		return nil
	}
	l := &Lookup{}
	top := &Project{Input: root}
	for _, k := range keys {
		c := Col{o.newID(), k.col.Name, k.col.Type}
		l.Keys, l.Probes, l.NullSafe = append(l.Keys, c), append(l.Probes, k.probe), append(l.NullSafe, k.nullSafe)
		top.Columns, top.Exprs = append(top.Columns, c), append(top.Exprs, NewRef(k.col))
	}
	for _, c := range sub.Root.Cols() {
		top.Columns, top.Exprs = append(top.Columns, Col{o.newID(), c.Name, c.Type}), append(top.Exprs, NewRef(c))
	}
	l.Root = o.plan(top, true)
	if p.grouped {
		empty, _ := clone(sub.Root)
		l.Empty = o.plan(emptied(empty), true)
	}
	return l
}

// correlated reports whether a plan refers to the queries around it.
func correlated(n Node) bool {
	found := false
	eachNode(n, func(n Node) {
		for _, e := range nodeExprs(n) {
			found = found || hasOuter(e)
		}
	})
	return found
}

// pull takes the equalities with outer expressions out of n and gives their
// columns besides those of n. ordered asks to keep the order of rows.
func (p *puller) pull(n Node, ordered bool) (Node, []lookupKey, bool) {
	if !correlated(n) {
		return n, nil, true
	}
	switch x := n.(type) {
	case *Filter:
		return p.pullFilter(x, ordered)
	case *Project:
		in, keys, ok := p.pull(x.Input, ordered)
		if !ok || anyOuter(x.Exprs) {
			return nil, nil, false
		}
		x.Input = in
		for _, k := range keys {
			x.Columns, x.Exprs = append(x.Columns, k.col), append(x.Exprs, NewRef(k.col))
		}
		return x, keys, true
	case *Aggregate:
		return p.pullAggregate(x)
	case *Sort:
		if x.Limit >= 0 || x.Offset > 0 || anyOuter(nodeExprs(&Sort{Keys: x.Keys})) {
			return nil, nil, false
		}
		in, keys, ok := p.pull(x.Input, ordered)
		if !ok || !ordered {
			return in, keys, ok
		}
		x.Input = in
		return x, keys, true
	case *Union:
		keys, ok := p.pullItems(x.Items)
		if !ok {
			return nil, nil, false
		}
		keys = p.renumber(keys)
		for _, k := range keys {
			x.Columns = append(x.Columns, k.col)
		}
		return x, keys, true
	case *SetOp:
		keys, ok := p.pullItems(x.Items)
		if !ok {
			return nil, nil, false
		}
		keys = p.renumber(keys)
		for _, k := range keys {
			x.Columns = append(x.Columns, k.col)
		}
		return x, keys, true
	case *Join:
		return p.pullJoin(x)
	case *Unnest:
		in, keys, ok := p.pull(x.Input, ordered)
		if !ok || p.grouped || anyOuter(x.Args) {
			return nil, nil, false
		}
		x.Input = in
		return x, keys, true
	}
	return nil, nil, false
}

func anyOuter(list []Expr) bool {
	for _, e := range list {
		if hasOuter(e) {
			return true
		}
	}
	return false
}

func (p *puller) renumber(keys []lookupKey) []lookupKey {
	out := append([]lookupKey(nil), keys...)
	for i := range out {
		out[i].col.ID = p.o.newID()
	}
	return out
}

func (p *puller) pullFilter(x *Filter, ordered bool) (Node, []lookupKey, bool) {
	in, keys, ok := p.pull(x.Input, ordered)
	if !ok || p.grouped {
		return nil, nil, false
	}
	n, more, ok := p.take(in, x.Conds)
	return n, append(keys, more...), ok
}

// take puts conditions on top of n, its equalities with outer expressions left
// out and returned.
func (p *puller) take(n Node, conds []Expr) (Node, []lookupKey, bool) {
	var keys []lookupKey
	var rest []Expr
	wide := &Project{Input: n}
	for _, list := range conds {
		for _, c := range conjuncts(list) {
			if !hasOuter(c) {
				rest = append(rest, c)
				continue
			}
			own, probe, nullSafe, ok := equality(c)
			if !ok {
				if !p.beyond || Volatile(c) || !harmless(c) {
					return nil, nil, false
				}
				p.residual = append(p.residual, c)
				used := map[ColID]bool{}
				refs(c, used)
				for _, col := range n.Cols() {
					if used[col.ID] && !slices.ContainsFunc(keys, func(k lookupKey) bool { return k.col.ID == col.ID }) {
						keys = append(keys, lookupKey{col: col})
					}
				}
				continue
			}
			k := lookupKey{probe: probe, nullSafe: nullSafe}
			if r, ok := own.(*Ref); ok {
				k.col = Col{r.ID, r.Name, r.T}
			} else {
				k.col = Col{p.o.newID(), describe(own), own.Type()}
				wide.Columns, wide.Exprs = append(wide.Columns, k.col), append(wide.Exprs, own)
			}
			keys = append(keys, k)
		}
	}
	n = filtered(n, rest)
	if len(wide.Exprs) > 0 {
		wide.Input = n
		for _, c := range n.Cols() {
			wide.Columns, wide.Exprs = append(wide.Columns, c), append(wide.Exprs, NewRef(c))
		}
		n = wide
	}
	return n, keys, true
}

// equality takes a condition apart that says that an expression of a sub-query
// equals one of the queries around.
func equality(c Expr) (own, probe Expr, nullSafe, ok bool) {
	x, is := c.(*Compare)
	if !is || x.Op != CmpEq && x.Op != IsNotDistinct || !scalar(x.L.Type()) {
		return nil, nil, false, false
	}
	own, probe = x.L, x.R
	if hasOuter(own) {
		own, probe = probe, own
	}
	// A probe that fails would do so for every row, also where the sub-query has
	// no row to compare.
	if hasOuter(own) || refers(probe) || !refers(own) || !cannotFail(probe) && !safeCast(probe) {
		return nil, nil, false, false
	}
	return own, probe, x.Op == IsNotDistinct, true
}

// safeCast reports whether e converts a column of a query around to a wider
// type.
func safeCast(e Expr) bool {
	c, ok := e.(*Cast)
	if !ok || !cannotFail(c.X) {
		return false
	}
	from, to := c.X.Type(), c.T
	return from.IsInteger() && (to.IsInteger() && to.Kind >= from.Kind || to.IsNumeric() && to.Payload() != from.Payload())
}

func (p *puller) pullAggregate(x *Aggregate) (Node, []lookupKey, bool) {
	if anyOuter(nodeExprs(x)) {
		return nil, nil, false
	}
	in, keys, ok := p.pull(x.Input, false)
	if !ok || ordersRows(x) || len(p.residual) > 0 {
		return nil, nil, false
	}
	x.Input = in
	p.grouped = p.grouped || len(x.Keys) == 0
	cols := x.Columns[:len(x.Keys):len(x.Keys)]
	made := x.Columns[len(x.Keys):]
	above := p.renumber(keys)
	for i, k := range keys {
		x.Keys = append(x.Keys, NewRef(k.col))
		cols = append(cols, above[i].col)
	}
	x.Columns = append(cols, made...)
	return x, above, true
}

// ordersRows reports whether the result of an aggregate depends on the order in
// which its rows come.
func ordersRows(x *Aggregate) bool {
	_, sorted := x.Input.(*Sort)
	return sorted
}

// pullItems pulls out of inputs whose rows are put together. All must have the
// same equalities.
func (p *puller) pullItems(items []Node) ([]lookupKey, bool) {
	var first []lookupKey
	for i, item := range items {
		width := item.Cols()
		n, keys, ok := p.pull(item, false)
		if !ok || p.grouped || len(p.residual) > 0 || len(keys) == 0 || i > 0 && len(keys) != len(first) {
			return nil, false
		}
		exact := &Project{Input: n}
		for _, c := range width {
			exact.Columns, exact.Exprs = append(exact.Columns, Col{p.o.newID(), c.Name, c.Type}), append(exact.Exprs, NewRef(c))
		}
		for k, key := range keys {
			if i > 0 && (!same(key.probe, first[k].probe) || key.nullSafe != first[k].nullSafe || !key.col.Type.Equal(first[k].col.Type)) {
				return nil, false
			}
			exact.Columns, exact.Exprs = append(exact.Columns, Col{p.o.newID(), key.col.Name, key.col.Type}), append(exact.Exprs, NewRef(key.col))
		}
		if i == 0 {
			first = keys
		}
		items[i] = exact
	}
	return first, true
}

func (p *puller) pullJoin(x *Join) (Node, []lookupKey, bool) {
	if x.Lateral || x.Kind != InnerJoin && (anyOuter(x.On) || correlated(x.Right)) || x.Kind.keepsRight() {
		return nil, nil, false
	}
	left, keys, ok := p.pull(x.Left, false)
	if !ok || p.grouped {
		return nil, nil, false
	}
	right, more, ok := p.pull(x.Right, false)
	if !ok || p.grouped {
		return nil, nil, false
	}
	x.Left, x.Right = left, right
	keys = append(keys, more...)
	if !anyOuter(x.On) {
		return x, keys, true
	}
	conds := x.On
	x.On = nil
	n, more, ok := p.take(x, conds)
	return n, append(keys, more...), ok
}

// emptied replaces what tests equalities with the queries around by nothing.
func emptied(n Node) Node {
	own := false
	for _, e := range nodeExprs(n) {
		own = own || hasOuter(e)
	}
	if own {
		return &Values{Columns: n.Cols()}
	}
	switch x := n.(type) {
	case *Filter:
		x.Input = emptied(x.Input)
	case *Project:
		x.Input = emptied(x.Input)
	case *Aggregate:
		x.Input = emptied(x.Input)
	case *Sort:
		x.Input = emptied(x.Input)
	case *Limit:
		x.Input = emptied(x.Input)
	case *Unnest:
		x.Input = emptied(x.Input)
	case *Join:
		x.Left, x.Right = emptied(x.Left), emptied(x.Right)
	case *Union:
		for i := range x.Items {
			x.Items[i] = emptied(x.Items[i])
		}
	case *SetOp:
		for i := range x.Items {
			x.Items[i] = emptied(x.Items[i])
		}
	}
	return n
}

// clone copies the nodes of a plan that is not optimized yet; ok is false when
// there is one that it does not know.
func clone(n Node) (_ Node, ok bool) {
	ok = true
	sub := func(n Node) Node {
		c, known := clone(n)
		ok = ok && known
		return c
	}
	list := func(items []Node) []Node {
		out := make([]Node, len(items))
		for i, it := range items {
			out[i] = sub(it)
		}
		return out
	}
	switch x := n.(type) {
	case *TableScan:
		c := *x
		c.Columns, c.Paths, c.Filter = append([]Col(nil), x.Columns...), append([]Path(nil), x.Paths...), append([]Expr(nil), x.Filter...)
		return &c, true
	case *Values:
		c := *x
		return &c, true
	case *Filter:
		c := *x
		c.Input = sub(x.Input)
		return &c, ok
	case *Project:
		c := *x
		c.Columns, c.Exprs = append([]Col(nil), x.Columns...), append([]Expr(nil), x.Exprs...)
		c.Input = sub(x.Input)
		return &c, ok
	case *Aggregate:
		c := *x
		c.Columns, c.Keys, c.Aggs = append([]Col(nil), x.Columns...), append([]Expr(nil), x.Keys...), append([]Agg(nil), x.Aggs...)
		c.Input = sub(x.Input)
		return &c, ok
	case *Sort:
		c := *x
		c.Input = sub(x.Input)
		return &c, ok
	case *Limit:
		c := *x
		c.Input = sub(x.Input)
		return &c, ok
	case *Union:
		c := *x
		c.Columns = append([]Col(nil), x.Columns...)
		c.Items = list(x.Items)
		return &c, ok
	case *SetOp:
		c := *x
		c.Columns = append([]Col(nil), x.Columns...)
		c.Items = list(x.Items)
		return &c, ok
	case *Join:
		c := *x
		c.On = append([]Expr(nil), x.On...)
		c.Left, c.Right = sub(x.Left), sub(x.Right)
		return &c, ok
	case *Unnest:
		c := *x
		c.Columns = slices.Clone(x.Columns)
		c.Input = sub(x.Input)
		return &c, ok
	case *Expand:
		c := *x
		c.Columns = slices.Clone(x.Columns)
		c.Input = sub(x.Input)
		return &c, ok
	case *Window:
		c := *x
		c.Columns, c.Funcs = slices.Clone(x.Columns), slices.Clone(x.Funcs)
		c.Input = sub(x.Input)
		return &c, ok
	case *Recursive:
		c := *x
		c.Columns = slices.Clone(x.Columns)
		c.Base, c.Step = sub(x.Base), sub(x.Step)
		return &c, ok
	case *WorkTable:
		return x, true
	case *SharedScan:
		if x.Of.Uses == 1 {
			return x.inline(sub(x.Of.Root)), ok
		}
		c := *x
		return &c, true
	}
	return nil, false
}
