package plan

// renames returns what the columns of a projection stand for, if all of them are
// columns of its input.
func renames(n Node) (p *Project, of map[ColID]Expr) {
	p, ok := n.(*Project)
	if !ok {
		return nil, nil
	}
	of = map[ColID]Expr{}
	for i, e := range p.Exprs {
		if _, ok := e.(*Ref); !ok {
			return nil, nil
		}
		of[p.Columns[i].ID] = e
	}
	return p, of
}

// substituted returns e with columns replaced by what they stand for.
func substituted(e Expr, of map[ColID]Expr) Expr {
	return rewrite(e, func(e Expr) Expr {
		if r, ok := e.(*Ref); ok && of[r.ID] != nil {
			return of[r.ID]
		}
		return e
	})
}

// merge takes away a projection below that only renames.
func (x *Project) merge() {
	for {
		p, of := renames(x.Input)
		if p == nil {
			return
		}
		for i, e := range x.Exprs {
			x.Exprs[i] = substituted(e, of)
		}
		x.Input = p.Input
	}
}

// merge takes away a projection below that only renames, so that groups over a
// scan can come from what storage has counted.
func (x *Aggregate) merge() {
	for {
		p, of := renames(x.Input)
		if p == nil {
			return
		}
		for i, e := range x.Keys {
			x.Keys[i] = substituted(e, of)
		}
		for i := range x.Aggs {
			a := &x.Aggs[i]
			args := make([]Expr, len(a.Args))
			for k, e := range a.Args {
				args[k] = substituted(e, of)
			}
			a.Args = args
			if a.Filter != nil {
				a.Filter = substituted(a.Filter, of)
			}
			order := make([]SortKey, len(a.Order))
			for k, key := range a.Order {
				key.Expr = substituted(key.Expr, of)
				order[k] = key
			}
			a.Order = order
		}
		x.Input = p.Input
	}
}
