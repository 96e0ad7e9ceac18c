package plan

import "slices"

// Groups of groups.
//
// A view is often read as a table of counts: SELECT hour, sum(calls) FROM calls_per_hour
// GROUP BY hour groups what is grouped already. When the outer keys follow from the inner
// ones and every outer aggregate says the same of all rows as of the inner groups' results,
// the inner grouping is not needed, and the whole is one grouping of the rows, which may be
// answered from counts or from a smaller view.

// regroup merges aggregates over aggregates.
func (o *optimizer) regroup(n Node) {
	o.live()
	if x, ok := n.(*Aggregate); ok {
		for x.overGroups() {
			if o.on(MergeProjections) {
				x.merge()
			}
		}
	}
	for _, in := range n.Inputs() {
		o.regroup(in)
	}
}

// overGroups makes an aggregate over the groups of another one over the rows of these, if
// that is the same.
func (x *Aggregate) overGroups() bool {
	in, ok := x.Input.(*Aggregate)
	if !ok || len(in.Keys) == 0 || len(in.Totals)+len(x.Totals) > 0 || in.States || x.States {
		return false
	}
	of := map[ColID]Expr{} // the inner keys of which an expression is the same for all rows of a group
	for i, k := range in.Keys {
		if exactKey(k.Type()) && plain(k) {
			of[in.Columns[i].ID] = k
		}
	}
	made := in.Columns[len(in.Keys):]
	// byKeys expresses e by what the inner keys are computed from.
	byKeys := func(e Expr) (Expr, bool) {
		ok := plain(e)
		Walk(e, func(e Expr) bool {
			if r, is := e.(*Ref); is {
				ok = ok && of[r.ID] != nil
			}
			return ok
		})
		if !ok {
			return nil, false
		}
		return substituted(e, of), true
	}
	keys := make([]Expr, len(x.Keys))
	for i, k := range x.Keys {
		if keys[i], ok = byKeys(k); !ok {
			return false
		}
	}
	aggs := make([]Agg, len(x.Aggs))
	for i := range x.Aggs {
		a := x.Aggs[i]
		if b := a.ofGroups(in, made); b != nil && (a.Name != "sum" || len(x.Keys) > 0) {
			// Without keys, and without rows, a sum is NULL and a count is 0.
			aggs[i] = *b
			continue
		}
		// Of which values come, and not how often, the rows say the same as the groups.
		if len(a.Order) > 0 || a.Fn.Ordered || !a.Distinct && !a.Fn.SkipsDuplicates {
			return false
		}
		args := make([]Expr, len(a.Args))
		for k, e := range a.Args {
			if args[k], ok = byKeys(e); !ok {
				return false
			}
		}
		a.Args = args
		if a.Filter != nil {
			if a.Filter, ok = byKeys(a.Filter); !ok {
				return false
			}
		}
		aggs[i] = a
	}
	x.Input, x.Keys, x.Aggs = in.Input, keys, aggs
	return true
}

// plain reports whether e gives the same whenever it is evaluated, and shows all that it
// refers to.
func plain(e Expr) bool {
	ok := !Volatile(e)
	Walk(e, func(e Expr) bool {
		switch e.(type) {
		case *Subquery, *Higher, *Lambda, *Outer:
			ok = false
		}
		return ok
	})
	return ok
}

// ofGroups returns the aggregate of the rows that an aggregate of the results of an inner
// one is: the sum of counts is the count, the least of the least is the least. nil for none.
func (a *Agg) ofGroups(in *Aggregate, made []Col) *Agg {
	if len(a.Args) != 1 || a.Distinct && a.Name == "sum" || a.Filter != nil || len(a.Order) > 0 {
		return nil
	}
	r, ok := a.Args[0].(*Ref)
	if !ok {
		return nil
	}
	i := slices.IndexFunc(made, func(c Col) bool { return c.ID == r.ID })
	if i < 0 {
		return nil
	}
	b := in.Aggs[i]
	same := a.Name == b.Name && (a.Name == "min" || a.Name == "max") && len(b.Args) == 1 && exactKey(b.Fn.Result)
	if !same && (a.Name != "sum" || b.Name != "count" && b.Name != "count_if" || b.Distinct) {
		return nil
	}
	if len(b.Order) > 0 || !a.Fn.Result.Equal(b.Fn.Result) {
		return nil
	}
	b.Place = a.Place
	return &b
}
