package plan

import (
	"slices"

	"github.com/cairndb/cairn/segment/column"
	"github.com/cairndb/cairn/sql/parse"
	"github.com/cairndb/cairn/sql/sqlerr"
)

// Expand repeats every row of its input once for each grouping set. Its columns
// are those of the input, then one for each key, NULL in the rows of the sets
// that leave the key out, then the number of the set. A group by these columns
// computes all sets in one pass over the input.
type Expand struct {
	Input   Node
	Keys    []Expr
	Sets    [][]int // places in Keys
	Columns []Col   // of Keys, then the number of the set
}

// Cols implements Node.
func (n *Expand) Cols() []Col { return append(slices.Clip(n.Input.Cols()), n.Columns...) }

// Inputs implements Node.
func (n *Expand) Inputs() []Node { return []Node{n.Input} }

// groupingSetsMax is how many sets the elements of one GROUP BY may multiply
// to: every row is grouped once for each.
const groupingSetsMax = 1024

// groupBy binds GROUP BY: the distinct keys, and the sets of them that make
// groups; sets is nil when that is all of them at once.
func (b *binder) groupBy(sel *parse.Select, sc *scope, items []selectItem) (keys []Expr, sets [][]int, err error) {
	bound := map[parse.Expr]int{} // one expression may stand in many sets
	key := func(x parse.Expr) (int, error) {
		if at, ok := bound[x]; ok {
			return at, nil
		}
		e, err := b.groupKey(x, sc, items)
		if err != nil {
			return 0, err
		}
		at := slices.IndexFunc(keys, func(k Expr) bool { return same(k, e) })
		if at < 0 {
			at = len(keys)
			keys = append(keys, e)
		}
		bound[x] = at
		return at, nil
	}
	sets = [][]int{nil}
	for _, g := range sel.GroupBy {
		element := g.Sets
		if element == nil {
			element = [][]parse.Expr{{g.Expr}}
		}
		// The sets of the elements multiply.
		var product [][]int
		if len(sets)*len(element) > groupingSetsMax {
			return nil, nil, sqlerr.New(sqlerr.StatementTooComplex, g.Pos, "the grouping has more than %d sets", groupingSetsMax)
		}
		for _, have := range sets {
			for _, more := range element {
				set := slices.Clone(have)
				for _, x := range more {
					at, err := key(x)
					if err != nil {
						return nil, nil, err
					}
					if !slices.Contains(set, at) {
						set = append(set, at)
					}
				}
				product = append(product, set)
			}
		}
		sets = product
	}
	if sel.GroupDistinct {
		var once [][]int
		for _, set := range sets {
			if !slices.ContainsFunc(once, func(s []int) bool { return sameMembers(s, set) }) {
				once = append(once, set)
			}
		}
		sets = once
	}
	if len(sets) == 1 {
		return keys, nil, nil
	}
	return keys, sets, nil
}

// sameMembers reports whether two sets without repetitions have the same members.
func sameMembers(a, b []int) bool {
	return len(a) == len(b) && !slices.ContainsFunc(a, func(x int) bool { return !slices.Contains(b, x) })
}

// groupingCall is a call of grouping(): which columns a row's set leaves out.
type groupingCall struct {
	args []Expr
	col  Col
	pos  parse.Pos
}

// groupingArgsMax is how many columns fit into the bits of a bigint.
const groupingArgsMax = 63

// groupingOf binds a call of grouping and returns a reference, which is
// replaced once the sets are known.
func (b *binder) groupingOf(x *parse.Call, sc *scope, clause string) (Expr, error) {
	aggs := b.aggs
	if aggs == nil {
		return nil, sqlerr.New(sqlerr.GroupingError, x.Pos, "grouping cannot stand in %s", clause)
	}
	if len(x.Args) == 0 || len(x.Args) > groupingArgsMax {
		return nil, sqlerr.New(sqlerr.UndefinedFunction, x.Pos, "grouping does not take %d arguments", len(x.Args)).
			WithHint("it takes 1 to %d columns of GROUP BY", groupingArgsMax)
	}
	plain := *sc
	plain.outputs = nil
	b.aggs = nil
	args, err := b.exprs(x.Args, &plain, "the arguments of grouping")
	b.aggs = aggs
	if err != nil {
		return nil, err
	}
	c := Col{b.newID(), "grouping", column.BigIntType}
	b.isAggregate[c.ID] = true
	aggs.groupings = append(aggs.groupings, groupingCall{args, c, x.Pos})
	return &Ref{base{c.Type, x.Pos}, c.ID, c.Name}, nil
}

// expand puts an Expand under a grouping: the keys become columns of it, and
// one more tells the sets apart.
func (g *grouping) expand(input Node, sets [][]int) *Expand {
	x := &Expand{Input: input, Keys: g.keys, Sets: sets}
	for _, k := range g.keys {
		x.Columns = append(x.Columns, Col{g.b.newID(), describe(k), k.Type()})
	}
	x.Columns = append(x.Columns, Col{g.b.newID(), "set", column.BigIntType})
	g.set = &Col{g.b.newID(), "set", column.BigIntType}
	return x
}

// resolve gives the calls of grouping() their values.
func (g *grouping) resolve(sets [][]int) error {
	g.masks = map[ColID]Expr{}
	for _, call := range g.aggs.groupings {
		var at []int
		for _, a := range call.args {
			k := slices.IndexFunc(g.keys, func(k Expr) bool { return same(k, a) })
			if k < 0 {
				return sqlerr.New(sqlerr.GroupingError, a.Pos(), "the arguments of grouping must be in GROUP BY")
			}
			at = append(at, k)
		}
		if sets == nil {
			g.masks[call.col.ID] = intConst(column.BigIntType, 0, call.pos)
			continue
		}
		c := &Case{base: base{column.BigIntType, call.pos}, Operand: &Ref{base{g.set.Type, call.pos}, g.set.ID, g.set.Name}}
		for s, set := range sets {
			mask := int64(0)
			for _, k := range at {
				mask <<= 1
				if !slices.Contains(set, k) {
					mask |= 1
				}
			}
			c.Whens = append(c.Whens, intConst(column.BigIntType, int64(s), call.pos))
			c.Thens = append(c.Thens, intConst(column.BigIntType, mask, call.pos))
		}
		g.masks[call.col.ID] = c
	}
	return nil
}

// aggregate makes the node that groups, with an Expand below where there are
// sets.
func (g *grouping) aggregate(input Node, sets [][]int) *Aggregate {
	n := &Aggregate{Input: input, Keys: g.keys, Aggs: g.aggs.list, Columns: append(slices.Clip(g.cols), g.aggs.cols...)}
	if g.expanded == nil {
		return n
	}
	g.expanded.Input = input
	n.Input, n.Keys = g.expanded, nil
	for _, c := range g.expanded.Columns {
		n.Keys = append(n.Keys, &Ref{base{T: c.Type}, c.ID, c.Name})
	}
	n.Columns = append(append(slices.Clone(g.cols), *g.set), g.aggs.cols...)
	for s, set := range sets {
		if len(set) == 0 {
			n.Totals = append(n.Totals, int64(s))
		}
	}
	return n
}

// distinctOn binds the expressions of DISTINCT ON, which can be what ORDER BY
// can be.
func (b *binder) distinctOn(sel *parse.Select, sc *scope, items []selectItem, aggs *aggregates) ([]Expr, error) {
	var on []Expr
	visible := *sc
	visible.outputs = items
	for _, x := range sel.DistinctOn {
		i, ok, err := ordinal(x, len(items), "DISTINCT ON")
		if err != nil {
			return nil, err
		}
		var e Expr
		if ok {
			e = items[i].expr
		} else if e, err = b.withAggregates(x, &visible, aggs, "DISTINCT ON"); err != nil {
			return nil, err
		}
		if e, err = b.settled(e); err != nil {
			return nil, err
		}
		on = append(on, e)
	}
	return on, nil
}

// firstOf keeps the first row, in the order, of those that are equal in the
// expressions of DISTINCT ON, which must come first in the order.
func (b *binder) firstOf(input Node, on []Expr, order []SortKey, pos parse.Pos) (Node, error) {
	var distinct []Expr
	for _, e := range on {
		if !slices.ContainsFunc(distinct, func(d Expr) bool { return same(d, e) }) {
			distinct = append(distinct, e)
		}
	}
	left := slices.Clone(distinct)
	for _, k := range order {
		if len(left) == 0 {
			break
		}
		if !slices.ContainsFunc(distinct, func(d Expr) bool { return same(d, k.Expr) }) {
			return nil, sqlerr.New(sqlerr.InvalidColumnReference, k.Expr.Pos(), "the expressions of DISTINCT ON must come first in ORDER BY").
				WithHint("put %s before it", describe(left[0]))
		}
		left = slices.DeleteFunc(left, func(d Expr) bool { return same(d, k.Expr) })
	}
	number := Col{b.newID(), "row_number", column.BigIntType}
	w := &Window{Input: input, Specs: []WindowSpec{{len(distinct), len(order)}}, Columns: []Col{number},
		Funcs: []WindowFunc{{Name: "row_number", Type: number.Type, Place: pos}}}
	for _, e := range distinct {
		w.Keys = append(w.Keys, SortKey{Expr: e})
	}
	w.Keys = append(w.Keys, order...)
	first := &Compare{base{column.BooleanType, pos}, CmpEq, &Ref{base{number.Type, pos}, number.ID, number.Name}, intConst(number.Type, 1, pos)}
	return &Filter{Input: w, Conds: []Expr{first}}, nil
}
