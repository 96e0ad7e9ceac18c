package plan

import "slices"

// A limit, with or without an order, says how many rows of what is below it can
// count. Of each query of a UNION ALL that is as many; of the left side of a left
// join too, which gives every left row at least once. A sort under a limit
// becomes a top-N, and one over a scan reads the sort keys of the rows that lose
// and no more.

// limits moves limits down from the nodes that have them.
func (o *optimizer) limits(n Node) Node {
	switch x := n.(type) {
	case *Limit:
		if x.N < 0 {
			break
		}
		if s, ok := x.Input.(*Sort); ok && s.Limit < 0 && s.Offset == 0 {
			s.Limit, s.Offset = x.N, x.Offset
			return o.limits(s)
		}
		if small(x.N, x.Offset) {
			x.Input = atMost(x.Input, x.N+x.Offset)
		}
	case *Sort:
		if small(x.Limit, x.Offset) && !slices.ContainsFunc(x.Keys, func(k SortKey) bool { return Volatile(k.Expr) }) {
			if p, ok := x.Input.(*Project); ok && o.on(SortFirst) && !slices.ContainsFunc(p.Exprs, Volatile) {
				if moved, ok := keysThrough(x.Keys, p.Columns, p.Exprs); ok {
					x.Keys, x.Input = moved, p.Input
					p.Input = o.limits(x)
					return p
				}
			}
			if !x.Ties {
				x.Input = best(x.Input, x.Keys, x.Limit+x.Offset)
			}
		}
	}
	eachInput(n, o.limits)
	return n
}

// atMost makes n give no more rows than it must where only the first rows count.
func atMost(n Node, rows int64) Node {
	switch x := n.(type) {
	case *Project:
		x.Input = atMost(x.Input, rows)
	case *Sort:
		switch {
		case x.Limit >= 0:
			x.Limit = min(x.Limit, rows)
		case x.Offset == 0:
			x.Limit = rows
		}
	case *Limit:
		if x.N < 0 || x.N > rows {
			x.N = rows
		}
	case *Union:
		for i := range x.Items {
			x.Items[i] = limited(x.Items[i], rows)
		}
	case *Join:
		if x.keepsEachLeft() {
			x.Left = limited(x.Left, rows)
		}
	case *Unnest:
		if x.Outer {
			x.Input = limited(x.Input, rows)
		}
	}
	return n
}

// keepsEachLeft reports whether the join gives rows for each left row, in the
// order of the left rows, and none besides.
func (x *Join) keepsEachLeft() bool {
	return x.Kind == LeftJoin || x.Kind == SingleJoin || x.Kind == MarkJoin
}

// limited returns the first rows of n.
func limited(n Node, rows int64) Node {
	if n = atMost(n, rows); givesAtMost(n, rows) {
		return n
	}
	return &Limit{Input: n, N: rows}
}

// givesAtMost reports whether n gives no more rows than that.
func givesAtMost(n Node, rows int64) bool {
	switch x := n.(type) {
	case *Values:
		return int64(len(x.Rows)) <= rows
	case *Project:
		return givesAtMost(x.Input, rows)
	case *Filter:
		return givesAtMost(x.Input, rows)
	case *Sort:
		return x.Limit >= 0 && x.Limit <= rows && !x.Ties || givesAtMost(x.Input, rows)
	case *Limit:
		return x.N >= 0 && x.N <= rows || givesAtMost(x.Input, rows)
	}
	return atMostOne(n) && rows >= 1
}

// best makes n give no more rows than it must where only the first in an order
// count. The order itself is made above.
func best(n Node, keys []SortKey, rows int64) Node {
	switch x := n.(type) {
	case *Project:
		if moved, ok := keysThrough(keys, x.Columns, x.Exprs); ok {
			x.Input = best(x.Input, moved, rows)
		}
	case *Union:
		for i, item := range x.Items {
			exprs := make([]Expr, len(x.Columns))
			for k, c := range item.Cols() {
				exprs[k] = NewRef(c)
			}
			if moved, ok := keysThrough(keys, x.Columns, exprs); ok {
				x.Items[i] = first(item, moved, rows)
			}
		}
	case *Join:
		if x.keepsEachLeft() && onlyOf(keys, x.Cols(), x.Left.Cols()) {
			x.Left = first(x.Left, keys, rows)
		}
	case *Unnest:
		if x.Outer && onlyOf(keys, x.Cols(), x.Input.Cols()) {
			x.Input = first(x.Input, keys, rows)
		}
	}
	return n
}

// first returns the rows of n that are first in an order.
func first(n Node, keys []SortKey, rows int64) Node {
	if givesAtMost(n, rows) {
		return n
	}
	if p, ok := n.(*Project); ok {
		if moved, ok := keysThrough(keys, p.Columns, p.Exprs); ok && !slices.ContainsFunc(p.Exprs, Volatile) {
			p.Input = first(p.Input, moved, rows)
			return p
		}
	}
	return &Sort{Input: best(n, keys, rows), Keys: keys, Limit: rows}
}

// keysThrough expresses sort keys by what the columns of a node are made from.
func keysThrough(keys []SortKey, cols []Col, exprs []Expr) ([]SortKey, bool) {
	out := slices.Clone(keys)
	for i, k := range keys {
		moved, ok := through(k.Expr, cols, exprs, nil)
		if !ok {
			return nil, false
		}
		out[i].Expr = moved
	}
	return out, true
}

// onlyOf reports whether of the columns all, keys refer to those in some.
func onlyOf(keys []SortKey, all, some []Col) bool {
	used := map[ColID]bool{}
	for _, k := range keys {
		refs(k.Expr, used)
	}
	for _, c := range some {
		delete(used, c.ID)
	}
	return !slices.ContainsFunc(all, func(c Col) bool { return used[c.ID] })
}
