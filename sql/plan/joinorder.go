package plan

import (
	"slices"

	"github.com/cairndb/cairn/segment/column"
)

// RowCounter is a Table that knows about how many rows it has, which decides the
// order of joins.
type RowCounter interface {
	Table
	RowCount() int64
}

// Estimates where nothing better is known.
const (
	unknownRows  = 1 << 20
	equalPart    = 50 // one row in so many meets an equality
	otherPart    = 3  // and any other condition
	leavesSorted = 64 // joins of more tables keep the order of the query
)

// EstimateRows is about how many rows a node gives.
func EstimateRows(n Node) int64 { return estimate(n, nil) }

// estimate is about how many rows a node gives when conds are filtered from it
// as well.
func estimate(n Node, conds []Expr) int64 {
	rows := int64(unknownRows)
	switch x := n.(type) {
	case *TableScan:
		if t, ok := x.Table.(RowCounter); ok {
			rows = t.RowCount()
		}
		conds = append(conds[:len(conds):len(conds)], x.Filter...)
	case *Values:
		rows = int64(len(x.Rows))
	case *Filter:
		return estimate(x.Input, append(conds[:len(conds):len(conds)], x.Conds...))
	case *Project:
		rows = estimate(x.Input, nil)
	case *Aggregate:
		rows = 1
		if len(x.Keys) > 0 {
			rows = estimate(x.Input, nil)/4 + 1
		}
	case *Sort:
		rows = estimate(x.Input, nil)
		if x.Limit >= 0 {
			rows = min(rows, x.Limit)
		}
	case *Limit:
		rows = estimate(x.Input, nil)
		if x.N >= 0 {
			rows = min(rows, x.N)
		}
	case *Join:
		rows = max(estimate(x.Left, nil), estimate(x.Right, nil))
	case *Unnest:
		rows = 4 * estimate(x.Input, nil)
	}
	for _, c := range conds {
		part := int64(otherPart)
		switch e := c.(type) {
		case *Compare:
			if e.Op == CmpEq {
				part = equalPart
			}
		case *In:
			part = max(1, equalPart/int64(e.Values.Len+1))
		}
		rows = rows/part + 1
	}
	return rows
}

// ordered puts the inputs of a tree of inner joins into an order that begins
// with the smallest and goes on with the smallest that an equality connects, so
// that no product is made that conditions forbid. The conditions of all joins
// come back beside the new tree, which has none.
func (x *Join) ordered(conds []Expr) (*Join, []Expr) {
	var leaves []Node
	var flatten func(n Node)
	flatten = func(n Node) {
		if j, ok := n.(*Join); ok && j.Kind == InnerJoin && !j.Lateral {
			conds = append(conds, j.On...)
			flatten(j.Left)
			flatten(j.Right)
			return
		}
		leaves = append(leaves, n)
	}
	if x.Kind != InnerJoin || x.Lateral {
		return x, conds
	}
	conds = slices.Clone(conds)
	flatten(x)
	if len(leaves) < 3 || len(leaves) > leavesSorted {
		x.On = nil
		return x, conds
	}
	owner := map[ColID]int{}
	for i, l := range leaves {
		for _, c := range l.Cols() {
			owner[c.ID] = i
		}
	}
	alone := make([][]Expr, len(leaves))
	linked := make([][]bool, len(leaves))
	for i := range linked {
		linked[i] = make([]bool, len(leaves))
	}
	for _, c := range conds {
		used, at := map[ColID]bool{}, map[int]bool{}
		refs(c, used)
		for id := range used {
			if i, ok := owner[id]; ok {
				at[i] = true
			}
		}
		e, equal := c.(*Compare)
		for i := range at {
			if len(at) == 1 {
				alone[i] = append(alone[i], c)
			}
			for k := range at {
				linked[i][k] = linked[i][k] || equal && e.Op == CmpEq && len(at) == 2
			}
		}
	}
	size := make([]int64, len(leaves))
	for i, l := range leaves {
		size[i] = estimate(l, alone[i])
	}
	var tree Node
	done := make([]bool, len(leaves))
	for range leaves {
		best, bestLinked := -1, false
		for i := range leaves {
			if done[i] {
				continue
			}
			reach := false
			for k := range leaves {
				reach = reach || done[k] && linked[i][k]
			}
			if best < 0 || reach && !bestLinked || reach == bestLinked && size[i] < size[best] {
				best, bestLinked = i, reach
			}
		}
		done[best] = true
		if tree == nil {
			tree = leaves[best]
			continue
		}
		tree = &Join{Left: tree, Right: leaves[best], Place: x.Place}
	}
	return tree.(*Join), conds
}

// strengthen makes an outer join give fewer rows where conditions above it drop
// the others anyway: those that are not true when a side is all NULL.
func (x *Join) strengthen(conds []Expr) {
	if x.Kind != LeftJoin && x.Kind != RightJoin && x.Kind != FullJoin {
		return
	}
	left, right := madeBy(x.Left), madeBy(x.Right)
	noLeft, noRight := false, false
	for _, c := range conds {
		noLeft = noLeft || rejects(c, left)
		noRight = noRight || rejects(c, right)
	}
	if noRight { // no rows that have NULLs on the right
		switch x.Kind {
		case LeftJoin:
			x.Kind = InnerJoin
		case FullJoin:
			x.Kind = RightJoin
		}
	}
	if noLeft && x.Kind.keepsRight() {
		if x.Kind == FullJoin {
			x.Kind = LeftJoin
		} else {
			x.Kind = InnerJoin
		}
	}
}

// rejects reports whether a condition is never true when all the columns are
// NULL.
func rejects(c Expr, cols map[ColID]bool) bool {
	switch e := c.(type) {
	case *And:
		return slices.ContainsFunc(e.Items, func(it Expr) bool { return rejects(it, cols) })
	case *Or:
		for _, it := range e.Items {
			if !rejects(it, cols) {
				return false
			}
		}
		return true
	case *IsNullTest:
		return e.Not && isNullOn(e.X, cols)
	}
	return isNullOn(c, cols)
}

// isNullOn reports whether an expression is NULL when all the columns are.
func isNullOn(e Expr, cols map[ColID]bool) bool {
	switch e := e.(type) {
	case *Ref:
		return cols[e.ID]
	case *Compare:
		return e.Op < IsDistinct && (isNullOn(e.L, cols) || isNullOn(e.R, cols))
	case *In:
		return isNullOn(e.X, cols)
	case *Like:
		return isNullOn(e.X, cols)
	case *Not:
		return isNullOn(e.X, cols)
	case *Cast:
		return isNullOn(e.X, cols)
	case *Field:
		return isNullOn(e.X, cols)
	case *Call:
		return !e.Fn.NullCall && !e.Fn.Volatile && slices.ContainsFunc(e.Args, func(a Expr) bool { return isNullOn(a, cols) })
	}
	return false
}

// derivedMax bounds the conditions that are added because others imply them.
const derivedMax = 64

// implied returns what follows from conditions on single columns by equalities
// of columns: with a.x = b.x and a.x = 5 also b.x = 5. from are conditions that
// hold, equal those among which the equalities are looked for.
func implied(from, equal []Expr) []Expr {
	type pair struct{ a, b *Ref }
	var pairs []pair
	for _, c := range equal {
		if e, ok := c.(*Compare); ok && e.Op == CmpEq && e.L.Type().Equal(e.R.Type()) {
			a, okA := e.L.(*Ref)
			b, okB := e.R.(*Ref)
			if okA && okB {
				pairs = append(pairs, pair{a, b}, pair{b, a})
			}
		}
	}
	if len(pairs) == 0 {
		return nil
	}
	known := slices.Clone(from)
	for i := 0; i < len(known) && len(known)-len(from) < derivedMax; i++ {
		c := known[i]
		used := map[ColID]bool{}
		refs(c, used)
		if len(used) != 1 || !cannotFail(c) || Volatile(c) || len(known) > 4*derivedMax {
			continue
		}
		for _, p := range pairs {
			if !used[p.a.ID] || p.a.T.Payload() == column.PayloadF64 {
				continue // 0 and -0 are equal, and not the same
			}
			moved := rewrite(c, func(e Expr) Expr {
				if r, ok := e.(*Ref); ok && r.ID == p.a.ID {
					return &Ref{base{r.T, r.Place}, p.b.ID, p.b.Name}
				}
				return e
			})
			if !slices.ContainsFunc(known, func(k Expr) bool { return same(k, moved) }) {
				known = append(known, moved)
			}
		}
	}
	return known[len(from):]
}

// guard returns what may be asked of the rows of an input before they are
// joined, given that the condition itself is asked of the result: rows for which
// it fails stay, since only a row of the result may raise the error. A condition
// that cannot fail is as good below, and then stays is false.
func guard(c Expr) (below Expr, stays bool) {
	if harmless(c) {
		return c, false
	}
	at := base{column.BooleanType, c.Pos()}
	return &Coalesce{at, []Expr{&Try{at, c}, boolConst(true, c.Pos())}}, true
}

// total are functions that give a value, or NULL, for any arguments of their
// types.
var total = map[string]bool{
	"date": true, "lower": true, "upper": true, "length": true, "strpos": true, "starts_with": true, "trim": true, "ltrim": true,
	"rtrim": true, "reverse": true, "cardinality": true, "contains": true, "hour": true, "minute": true, "day": true, "month": true,
	"year": true, "day_of_week": true, "json_extract_scalar": true,
}

// harmless reports whether evaluating a condition raises no error for any row.
func harmless(c Expr) bool {
	ok := true
	Walk(c, func(e Expr) bool {
		switch x := e.(type) {
		case *Call:
			constants := true // an argument such as a pattern may be wrong by itself
			for _, a := range x.Args[min(1, len(x.Args)):] {
				if _, is := a.(*Const); !is {
					constants = false
				}
			}
			trunc := x.Name == "date_trunc" && len(x.Args) == 2
			if trunc {
				_, constants = x.Args[0].(*Const)
			}
			if !trunc && !total[x.Name] || !constants || x.Args[0].Type().Kind == column.Varchar && x.Name == "date" {
				ok = false
			}
		case *Cast:
			from, to := x.X.Type().Kind, x.T.Kind
			widens := x.X.Type().IsInteger() && x.T.IsInteger() && from <= to
			if !x.Try && !widens && !(from == column.Timestamp && to == column.Date) && to != column.Varchar {
				ok = false
			}
		case *MapAt, *Param, *Higher:
			ok = false
		case *Subquery:
			ok = ok && x.harmless()
		case *Like:
			if _, c := x.Pattern.(*Const); !c || x.Escape != nil {
				ok = false
			}
		case *Try:
			return false
		}
		return ok
	})
	return ok
}
