package exec

import (
	"fmt"
	"slices"

	"github.com/cairndb/cairn/segment/column"
	"github.com/cairndb/cairn/sql/plan"
)

// What a join holds is known before the other side is read. Where the other
// side's key is a column of a table, only rows with one of the held keys matter,
// and storage can leave out the others as if the query had listed them: a few
// sign-ins find the calls of the same principals in a million events by bitmaps.

// restrictValuesMax is how many values a scan is asked for at most: beyond it,
// looking each of them up costs more than reading the rows.
const restrictValuesMax = 1000

// restrictRowsMin is how many rows a scan must have for that to pay: fewer are
// read in less time than storage needs to prepare.
const restrictRowsMin = 1 << 13

// source is a column of a scan that a key is.
type source struct {
	scan *scanOp
	slot int
}

// source finds the scan that the values of e come from, unchanged, such that a
// row that it leaves out changes nothing but the rows of n with that value; nil
// when there is none.
func (c *compiler) source(n plan.Node, e plan.Expr) *source {
	r, ok := e.(*plan.Ref)
	if !ok {
		return nil
	}
	switch n := n.(type) {
	case *plan.TableScan:
		scan, ok := c.made[n].(*scanOp)
		for i, col := range n.Columns {
			if ok && col.ID == r.ID {
				return &source{scan, i}
			}
		}
	case *plan.Filter:
		return c.source(n.Input, e)
	case *plan.Unnest:
		return c.source(n.Input, e)
	case *plan.Project:
		for i, col := range n.Columns {
			if col.ID == r.ID {
				return c.source(n.Input, n.Exprs[i])
			}
		}
	case *plan.Aggregate:
		for i := range n.Keys {
			if n.Columns[i].ID == r.ID {
				return c.source(n.Input, n.Keys[i])
			}
		}
	case *plan.Join:
		if n.Kind != plan.RightJoin && n.Kind != plan.FullJoin {
			if s := c.source(n.Left, e); s != nil {
				return s
			}
		}
		if n.Kind == plan.InnerJoin && !n.Lateral || n.Kind == plan.RightJoin {
			return c.source(n.Right, e)
		}
	}
	return nil
}

// bounds is a condition of a join that orders columns of its two sides.
type bounds struct {
	op          plan.CmpOp // of left op right
	left, right expr
	typ         *column.Type
	sources     [2]*source
}

// restrict tells the scans of the probed side, which is 0 for the left one, what
// the held rows ask for.
func (op *joinOp) restrict(q *query, rows *heldRows, side int) error {
	for k, key := range op.keys {
		src := op.sources[side][k]
		if src == nil || key.nulls || src.scan.rows(q.ctx) < restrictRowsMin || src.scan.outer {
			continue
		}
		path := src.scan.node.Paths[src.slot]
		if values := distinctOf(rows, k, path.Type); values != nil {
			src.scan.more = append(src.scan.more, plan.Term{Path: path, Op: plan.Eq, Values: values})
			op.told = fmt.Sprintf("%d values of %s to storage", values.Len, src.scan.node.Columns[src.slot].Name)
		} else if low, high, ok := rangeOf(rows.keys[k], path.Type); ok {
			src.scan.more = append(src.scan.more,
				plan.Term{Path: path, Op: plan.GreaterEq, Values: low}, plan.Term{Path: path, Op: plan.LessEq, Values: high})
		}
	}
	for _, b := range op.bounds {
		if err := op.bound(q, rows, b, side); err != nil {
			return err
		}
	}
	return nil
}

// distinctOf returns the distinct values of a key, or nil when there are too
// many or storage cannot look for them.
func distinctOf(rows *heldRows, k int, t *column.Type) *column.Vector {
	v := rows.keys[k]
	switch t.Payload() {
	case column.PayloadI64, column.PayloadStr:
	default:
		return nil
	}
	var at []int32
	ints, strs := map[int64]bool{}, map[string]bool{}
	for r := range rows.n {
		if v.IsNull(r) {
			continue
		}
		leaf, i := v.Leaf(r)
		if t.Payload() == column.PayloadI64 {
			if ints[leaf.I64[i]] {
				continue
			}
			ints[leaf.I64[i]] = true
		} else {
			if strs[leaf.Str[i]] {
				continue
			}
			strs[leaf.Str[i]] = true
		}
		if at = append(at, int32(r)); len(at) > restrictValuesMax {
			return nil
		}
	}
	if len(at) == 0 {
		return nil
	}
	return typed(column.Flatten(column.Gather(v, at)), t)
}

// typed returns flat values without NULLs as those of a path of type t, of which
// only the precision may differ.
func typed(v *column.Vector, t *column.Type) *column.Vector {
	out := *v
	out.Type, out.Nulls = t, nil
	return &out
}

// rangeOf returns the smallest and the largest of values kept as integers.
func rangeOf(v *column.Vector, t *column.Type) (low, high *column.Vector, ok bool) {
	if t.Payload() != column.PayloadI64 {
		return nil, nil, false
	}
	least, most := int32(-1), int32(-1)
	v = flat(v)
	for i := range v.Len {
		if v.IsNull(i) {
			continue
		}
		if v.Const {
			least, most = 0, 0
			break
		}
		if least < 0 || v.I64[i] < v.I64[least] {
			least = int32(i)
		}
		if most < 0 || v.I64[i] > v.I64[most] {
			most = int32(i)
		}
	}
	if least < 0 {
		return nil, nil, false
	}
	one := func(i int32) *column.Vector { return typed(column.Flatten(column.Gather(v, []int32{i})), t) }
	return one(least), one(most), true
}

// bound tells the scan of the probed side what an order between the sides means
// for it: a column that is to be above some held value is above the least.
func (op *joinOp) bound(q *query, rows *heldRows, b bounds, side int) error {
	src, x := b.sources[side], b.right
	if side == 1 {
		x = b.left
	}
	if src == nil || src.scan.rows(q.ctx) < restrictRowsMin || src.scan.outer || rows.n == 0 {
		return nil
	}
	v, err := x.eval(q.newWorker(), loaded(rows.n, slices.Clone(rows.cols)))
	if err != nil {
		return nil // whether a row that counts fails, the rows will tell
	}
	path := src.scan.node.Paths[src.slot]
	low, high, ok := rangeOf(v, path.Type)
	if !ok {
		return nil
	}
	// The condition is left op right; seen from the probed side it may be turned.
	above := b.op == plan.CmpGt || b.op == plan.CmpGe
	if side == 1 {
		above = !above
	}
	if above {
		src.scan.more = append(src.scan.more, plan.Term{Path: path, Op: plan.GreaterEq, Values: low})
	} else {
		src.scan.more = append(src.scan.more, plan.Term{Path: path, Op: plan.LessEq, Values: high})
	}
	return nil
}
