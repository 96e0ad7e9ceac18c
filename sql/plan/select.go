package plan

import (
	"fmt"
	"strings"

	"github.com/cairndb/cairn/sql/parse"
	"github.com/cairndb/cairn/sql/sqlerr"
)

// selectItem is a column of the select list.
type selectItem struct {
	expr  Expr
	title string
	pos   parse.Pos
}

// selectBlock binds SELECT … with the ORDER BY, LIMIT and OFFSET of q.
//
// The clauses see different things: WHERE and GROUP BY the columns of FROM,
// HAVING and the select list those and aggregates, ORDER BY the select list
// too. When there are groups, everything above them is bound as if there were
// none and then taken down to group keys and aggregates.
func (b *binder) selectBlock(sel *parse.Select, q *parse.Query, outer *with) (Node, error) {
	if b.opt.Postgres {
		sel = spreadSeries(sel)
	}
	input, sc, err := b.from(sel.From, outer)
	if err != nil {
		return nil, err
	}
	if sel.Where != nil {
		cond, err := b.expr(sel.Where, sc, "WHERE")
		if err != nil {
			return nil, err
		}
		if cond, err = b.condition(cond, "WHERE"); err != nil {
			return nil, err
		}
		input = &Filter{Input: input, Conds: conjuncts(cond)}
	}

	aggs := &aggregates{named: sel.Windows}
	items, err := b.selectList(sel, sc, aggs)
	if err != nil {
		return nil, err
	}
	var having Expr
	if sel.Having != nil {
		if having, err = b.withAggregates(sel.Having, sc, aggs, "HAVING"); err != nil {
			return nil, err
		}
		if having, err = b.condition(having, "HAVING"); err != nil {
			return nil, err
		}
	}
	keys, sets, err := b.groupBy(sel, sc, items)
	if err != nil {
		return nil, err
	}
	order, err := b.orderKeys(q, sc, items, aggs)
	if err != nil {
		return nil, err
	}
	on, err := b.distinctOn(sel, sc, items, aggs)
	if err != nil {
		return nil, err
	}
	if err := b.namedWindows(aggs, sc); err != nil {
		return nil, err
	}

	if len(sel.GroupBy) > 0 || sel.Having != nil || len(aggs.list) > 0 || len(aggs.groupings) > 0 {
		g := &grouping{b: b, keys: keys, aggs: aggs}
		for _, k := range keys {
			g.cols = append(g.cols, Col{b.newID(), describe(k), k.Type()})
		}
		if sets != nil {
			g.expanded = g.expand(input, sets)
		}
		if err := g.resolve(sets); err != nil {
			return nil, err
		}
		for i := range items {
			if items[i].expr, err = g.above(items[i].expr); err != nil {
				return nil, err
			}
		}
		for i := range order {
			if order[i].Expr, err = g.above(order[i].Expr); err != nil {
				return nil, err
			}
		}
		if having != nil {
			if having, err = g.above(having); err != nil {
				return nil, err
			}
		}
		for i := range on {
			if on[i], err = g.above(on[i]); err != nil {
				return nil, err
			}
		}
		for i := range aggs.windows {
			if err := aggs.windows[i].exprs(g.above); err != nil {
				return nil, err
			}
		}
		input = g.aggregate(input, sets)
		if having != nil {
			input = &Filter{Input: input, Conds: conjuncts(having)}
		}
	}
	input = b.withWindows(input, aggs.windows)
	if len(on) > 0 {
		if input, err = b.firstOf(input, on, order, sel.Pos); err != nil {
			return nil, err
		}
		plain := *sel
		plain.Distinct = false
		sel = &plain
	}
	return b.output(sel, q, input, items, order)
}

// output projects, makes distinct, orders and limits.
func (b *binder) output(sel *parse.Select, q *parse.Query, input Node, items []selectItem, order []SortKey) (Node, error) {
	count, offset, err := b.limits(q)
	if err != nil {
		return nil, err
	}
	volatile := false
	for _, it := range items {
		volatile = volatile || Volatile(it.expr)
	}
	if len(order) > 0 && !sel.Distinct && !volatile && small(count, offset) && b.on(SortFirst) {
		return project(b, &Sort{Input: input, Keys: order, Limit: count, Offset: offset, Ties: q.Ties}, items), nil
	}
	p := project(b, input, items)
	var n Node = p
	if sel.Distinct {
		n = b.distinct(p, sel.Pos)
	}
	if len(order) == 0 {
		return b.limit(n, q)
	}
	// The sort stands on the projection, which makes the keys that are not in
	// the select list besides.
	width := len(items)
	s := &Sort{Limit: count, Offset: offset, Ties: q.Ties}
	for _, k := range order {
		at := -1
		for i, it := range items {
			if same(it.expr, k.Expr) || it.expr == k.Expr {
				at = i
				break
			}
		}
		if at < 0 {
			if sel.Distinct {
				return nil, sqlerr.New(sqlerr.InvalidColumnReference, k.Expr.Pos(), "with SELECT DISTINCT, ORDER BY can only use what is selected").
					WithHint("add %s to the select list", describe(k.Expr))
			}
			at = len(p.Exprs)
			p.Exprs = append(p.Exprs, k.Expr)
			p.Columns = append(p.Columns, Col{b.newID(), describe(k.Expr), k.Expr.Type()})
		}
		c := n.Cols()[at]
		k.Expr = &Ref{base{c.Type, k.Expr.Pos()}, c.ID, c.Name}
		s.Keys = append(s.Keys, k)
	}
	s.Input = n
	if len(n.Cols()) == width {
		return s, nil
	}
	trim := &Project{Input: s, Columns: append([]Col(nil), n.Cols()[:width]...)}
	for i, c := range trim.Columns {
		trim.Exprs = append(trim.Exprs, &Ref{base{c.Type, items[i].pos}, c.ID, c.Name})
		trim.Columns[i].ID = b.newID()
	}
	return trim, nil
}

func project(b *binder, input Node, items []selectItem) *Project {
	p := &Project{Input: input}
	for _, it := range items {
		p.Exprs = append(p.Exprs, it.expr)
		p.Columns = append(p.Columns, Col{b.newID(), it.title, it.expr.Type()})
	}
	return p
}

// conjuncts splits a condition at its ANDs.
func conjuncts(e Expr) []Expr {
	if a, ok := e.(*And); ok {
		var out []Expr
		for _, it := range a.Items {
			out = append(out, conjuncts(it)...)
		}
		return out
	}
	return []Expr{e}
}

// withAggregates binds an expression in which aggregates may stand.
func (b *binder) withAggregates(x parse.Expr, sc *scope, aggs *aggregates, clause string) (Expr, error) {
	was := b.aggs
	b.aggs = aggs
	defer func() { b.aggs = was }()
	return b.bindExpr(x, sc, clause)
}

func (b *binder) selectList(sel *parse.Select, sc *scope, aggs *aggregates) ([]selectItem, error) {
	var items []selectItem
	for _, it := range sel.Items {
		if it.Star {
			more, err := b.star(it, sc, aggs)
			if err != nil {
				return nil, err
			}
			items = append(items, more...)
			continue
		}
		e, err := b.withAggregates(it.Expr, sc, aggs, "SELECT")
		if err != nil {
			return nil, err
		}
		title := it.Title
		if it.Alias != nil {
			title = it.Alias.Text
		}
		if title == "" {
			title = fmt.Sprintf("_col%d", len(items))
		}
		items = append(items, selectItem{e, title, it.Pos})
	}
	if len(items) > columnsMax {
		return nil, sqlerr.New(sqlerr.TooManyColumns, sel.Pos, "the select list has more than %d columns", columnsMax)
	}
	return items, nil
}

// star expands *, t.* and (row).*.
func (b *binder) star(it parse.SelectItem, sc *scope, aggs *aggregates) ([]selectItem, error) {
	if it.Expr == nil && it.Qualifier == nil && len(sc.relations) == 0 {
		return nil, sqlerr.New(sqlerr.SyntaxError, it.Pos, "SELECT * needs a FROM")
	}
	var items []selectItem
	found := it.Qualifier == nil
	if it.Expr == nil {
		columns := sc.all()
		if it.Qualifier != nil {
			columns = nil
			for _, r := range sc.relations {
				if r.called(it.Qualifier.Parts) {
					found, columns = true, append(columns, r.all()...)
				}
			}
		}
		for _, v := range columns {
			if !v.hidden() {
				e, _ := b.see(v, it.Pos)
				items = append(items, selectItem{e, v.name(), it.Pos})
			}
		}
		if found {
			return items, nil
		}
	}
	// Not a table: a row, whose fields are meant.
	row := it.Expr
	if row == nil {
		row = &parse.Ident{Name: *it.Qualifier}
	}
	e, err := b.withAggregates(row, sc, aggs, "SELECT")
	if err != nil {
		if it.Expr == nil {
			return nil, sqlerr.New(sqlerr.UndefinedTable, it.Qualifier.Pos, "there is no table %q in FROM", nameText(*it.Qualifier))
		}
		return nil, err
	}
	t := e.Type()
	if len(t.Fields) == 0 {
		return nil, sqlerr.New(sqlerr.WrongObjectType, it.Pos, "%s is %s, and only a table or a row has a *", describe(e), t)
	}
	for i, f := range t.Fields {
		title := f.Name
		if title == "" {
			title = fmt.Sprintf("_col%d", i)
		}
		items = append(items, selectItem{b.step(e, Step{Field: i}, f.Type, describe(e)+"."+title, it.Pos), title, it.Pos})
	}
	return items, nil
}

func nameText(n parse.Name) string {
	parts := make([]string, len(n.Parts))
	for i, p := range n.Parts {
		parts[i] = p.Text
	}
	return strings.Join(parts, ".")
}

// groupKey binds an expression of GROUP BY, which may be the number of a column
// of the select list.
func (b *binder) groupKey(x parse.Expr, sc *scope, items []selectItem) (Expr, error) {
	i, ok, err := ordinal(x, len(items), "GROUP BY")
	if err != nil {
		return nil, err
	}
	if ok {
		if b.hasAggregate(items[i].expr) {
			return nil, sqlerr.New(sqlerr.GroupingError, x.Position(), "GROUP BY %d is an aggregate or a window function", i+1)
		}
		return items[i].expr, nil
	}
	e, err := b.expr(x, sc, "GROUP BY")
	if err != nil {
		return b.groupAlias(x, items, err)
	}
	return e, nil
}

// groupAlias deals with a GROUP BY that names an alias of the select list: some
// dialects allow it, Trino does not.
func (b *binder) groupAlias(x parse.Expr, items []selectItem, err error) (Expr, error) {
	id, ok := x.(*parse.Ident)
	if !ok || len(id.Name.Parts) != 1 {
		return nil, err
	}
	for i, it := range items {
		if !strings.EqualFold(it.title, id.Name.Parts[0].Text) {
			continue
		}
		if b.opt.Postgres && !b.hasAggregate(it.expr) {
			return it.expr, nil
		}
		return nil, sqlerr.New(sqlerr.UndefinedColumn, id.Name.Pos, "column %q does not exist: GROUP BY cannot see the names of the select list", id.Name.Parts[0].Text).
			WithHint("write GROUP BY %d, or repeat the expression", i+1)
	}
	return nil, err
}

// hasAggregate reports whether e refers to an aggregate of the select block.
func (b *binder) hasAggregate(e Expr) bool {
	found := false
	Walk(e, func(x Expr) bool {
		if r, ok := x.(*Ref); ok {
			found = found || b.isAggregate[r.ID] || b.isWindow[r.ID]
		}
		return !found
	})
	return found
}

func (b *binder) orderKeys(q *parse.Query, sc *scope, items []selectItem, aggs *aggregates) ([]SortKey, error) {
	var keys []SortKey
	named := *sc
	named.outputs = items
	for _, item := range q.OrderBy {
		i, ok, err := ordinal(item.Expr, len(items), "ORDER BY")
		if err != nil {
			return nil, err
		}
		var e Expr
		if ok {
			e = items[i].expr
		} else if e, err = b.withAggregates(item.Expr, &named, aggs, "ORDER BY"); err != nil {
			return nil, err
		}
		k, err := b.sortKey(e, item)
		if err != nil {
			return nil, err
		}
		keys = append(keys, k)
	}
	return keys, nil
}

// grouping takes expressions over the input of a GROUP BY to its result.
type grouping struct {
	b    *binder
	keys []Expr
	cols []Col // of the keys
	aggs *aggregates
	// With grouping sets: the node below, and the column of the result that
	// tells the sets apart.
	expanded *Expand
	set      *Col
	masks    map[ColID]Expr // what calls of grouping() stand for
}

// above rewrites e to refer to keys and aggregates only.
func (g *grouping) above(e Expr) (Expr, error) {
	for i, k := range g.keys {
		if k == e || same(k, e) {
			return &Ref{base{e.Type(), e.Pos()}, g.cols[i].ID, g.cols[i].Name}, nil
		}
	}
	switch x := e.(type) {
	case *Ref:
		if mask := g.masks[x.ID]; mask != nil {
			return mask, nil
		}
		if g.b.isAggregate[x.ID] || g.b.isWindow[x.ID] {
			return x, nil
		}
		if up := g.below(x); up != nil {
			return up, nil
		}
		return nil, sqlerr.New(sqlerr.GroupingError, x.Place, "%s must be in GROUP BY or inside an aggregate", x.Name).
			WithHint("group by it as well, or take one of its values with any_value(%s)", x.Name)
	}
	ops := e.operands()
	if len(ops) == 0 {
		return e, nil
	}
	changed := make([]Expr, len(ops))
	for i, op := range ops {
		n, err := g.above(op)
		if err != nil {
			return nil, err
		}
		changed[i] = n
	}
	return e.with(changed), nil
}

// below finds a path of the scan under a key that is the path to a whole row or
// map around it: GROUP BY userIdentity makes userIdentity.arn known.
func (g *grouping) below(x *Ref) Expr {
	scan := g.b.scanOf[x.ID]
	if scan == nil {
		return nil
	}
	pathOf := func(id ColID) (Path, bool) {
		for i, c := range scan.Columns {
			if c.ID == id {
				return scan.Paths[i], true
			}
		}
		return Path{}, false
	}
	p, _ := pathOf(x.ID)
	for i, k := range g.keys {
		r, ok := k.(*Ref)
		if !ok {
			continue
		}
		kp, ok := pathOf(r.ID)
		if !ok || kp.Column != p.Column || len(kp.Steps) >= len(p.Steps) || !samePath(kp, Path{Column: p.Column, Steps: p.Steps[:len(kp.Steps)]}) {
			continue
		}
		var e Expr = &Ref{base{kp.Type, x.Place}, g.cols[i].ID, g.cols[i].Name}
		for _, st := range p.Steps[len(kp.Steps):] {
			t := e.Type().Elem
			if st.Field >= 0 {
				t = e.Type().Fields[st.Field].Type
			}
			e = &Field{base{t, x.Place}, e, st}
		}
		return e
	}
	return nil
}
