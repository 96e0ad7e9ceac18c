package exec

import (
	"github.com/cairndb/cairn/segment/column"
	"github.com/cairndb/cairn/sql/fn"
	"github.com/cairndb/cairn/sql/plan"
	"github.com/cairndb/cairn/sql/sqlerr"
)

// placed gives an error of a function its place in the query's text.
func placed(err error, pos sqlerr.Pos) error { return sqlerr.At(err, pos) }

// Values of conditions, as read out of boolean vectors.
const (
	no int8 = iota
	yes
	unknown
)

// truthOf reads a boolean vector into one byte per row.
func truthOf(v *column.Vector, n int, into []int8) []int8 {
	into = into[:0]
	if v.Const {
		t := int8(unknown)
		if !v.Nulls.Get(0) {
			t = int8(v.I64[0])
		}
		for range n {
			into = append(into, t)
		}
		return into
	}
	v = flat(v)
	for _, x := range v.I64[:n] {
		into = append(into, int8(x))
	}
	if v.Nulls.Any() {
		for i := range into {
			if v.Nulls.Get(i) {
				into[i] = unknown
			}
		}
	}
	return into
}

// rowSelector is an expression that can tell the rows where it is true without
// making a vector of its values.
type rowSelector interface {
	// selectRows appends the rows to at; ok is false when it cannot this time.
	selectRows(w *worker, f *frame, at []int32) (_ []int32, ok bool, err error)
}

// keep returns the rows of f for which cond is true; all is set when it is
// every row, and then at is nil.
func keep(w *worker, cond expr, f *frame) (at []int32, all bool, err error) {
	if s, is := cond.(rowSelector); is {
		found, ok, err := s.selectRows(w, f, make([]int32, 0, f.n))
		if err != nil {
			return nil, false, err
		}
		if ok {
			if len(found) == f.n {
				return nil, true, nil
			}
			return found, false, nil
		}
	}
	v, err := cond.eval(w, f)
	if err != nil {
		return nil, false, err
	}
	if v.Const {
		return nil, !v.Nulls.Get(0) && v.I64[0] != 0, nil
	}
	v = flat(v)
	at = make([]int32, 0, f.n)
	for i, x := range v.I64[:f.n] {
		if x != 0 && !v.Nulls.Get(i) {
			at = append(at, int32(i))
		}
	}
	if len(at) == f.n {
		return nil, true, nil
	}
	return at, false, nil
}

// narrow applies conditions one after the other, each to the rows that the ones
// before left; nil when no row is left.
func narrow(w *worker, conds []expr, f *frame) (*frame, error) {
	for _, c := range conds {
		at, all, err := keep(w, c, f)
		if err != nil {
			return nil, err
		}
		if all {
			continue
		}
		if len(at) == 0 {
			return nil, nil
		}
		f = f.sub(at)
	}
	return f, nil
}

// logicExpr is AND (stop is 0) or OR (stop is 1): a row for which an item has
// the value stop is decided, and later items are not evaluated for it.
type logicExpr struct {
	items []expr
	stop  int8
}

func (e *logicExpr) eval(w *worker, f *frame) (*column.Vector, error) {
	out := column.New(column.BooleanType, f.n)
	for i := range out.I64 {
		out.I64[i] = int64(1 - e.stop)
	}
	var open []int32 // rows not decided; nil for all
	g := f
	var truth []int8
	for _, item := range e.items {
		if err := w.q.live(); err != nil {
			return nil, err
		}
		v, err := item.eval(w, g)
		if err != nil {
			return nil, err
		}
		truth = truthOf(v, g.n, truth)
		left := make([]int32, 0, g.n)
		for i, t := range truth {
			row := int32(i)
			if open != nil {
				row = open[i]
			}
			switch t {
			case e.stop:
				out.I64[row] = int64(e.stop)
				if out.Nulls != nil {
					out.Nulls.Clear(int(row))
				}
			case unknown:
				out.SetNull(int(row))
				left = append(left, row)
			default:
				left = append(left, row)
			}
		}
		if len(left) == 0 {
			break
		}
		if len(left) < g.n {
			open, g = left, f.sub(left)
		}
	}
	return out, nil
}

// selectRows narrows an AND item by item.
func (e *logicExpr) selectRows(w *worker, f *frame, at []int32) ([]int32, bool, error) {
	if e.stop != 0 {
		return nil, false, nil
	}
	var rows []int32
	g := f
	for _, item := range e.items {
		found, all, err := keep(w, item, g)
		if err != nil {
			return nil, false, err
		}
		if all {
			continue
		}
		if rows != nil {
			for i, p := range found {
				found[i] = rows[p]
			}
		}
		if len(found) == 0 {
			return at, true, nil
		}
		rows, g = found, f.sub(found)
	}
	if rows == nil {
		for i := range f.n {
			at = append(at, int32(i))
		}
		return at, true, nil
	}
	return append(at, rows...), true, nil
}

type notExpr struct{ x expr }

func (e *notExpr) eval(w *worker, f *frame) (*column.Vector, error) {
	v, err := e.x.eval(w, f)
	if err != nil {
		return nil, err
	}
	v = flat(v)
	out := *v
	out.I64 = make([]int64, len(v.I64))
	for i, x := range v.I64 {
		out.I64[i] = 1 - x&1
	}
	return &out, nil
}

type isNullExpr struct {
	x   expr
	not bool
}

func (e *isNullExpr) eval(w *worker, f *frame) (*column.Vector, error) {
	v, err := e.x.eval(w, f)
	if err != nil {
		return nil, err
	}
	rows := f.n
	if v.Const {
		rows = 1
	}
	out := column.New(column.BooleanType, rows)
	if !v.Const && v.Dict == nil && !v.Nulls.Any() {
		if e.not {
			for i := range out.I64 {
				out.I64[i] = 1
			}
		}
	} else {
		for i := range out.I64 {
			out.I64[i] = bit(v.IsNull(i) != e.not)
		}
	}
	if v.Const {
		return column.NewConst(out, f.n), nil
	}
	return out, nil
}

// inExpr is membership in a set of constants.
type inExpr struct {
	x       expr
	hasNull bool
	ints    map[int64]struct{}
	floats  map[float64]struct{}
	strs    map[string]struct{}
	nested  map[uint64][]int32 // by hash: positions in values
	values  *column.Vector
}

func newInExpr(x expr, e *plan.In) *inExpr {
	in := &inExpr{x: x, hasNull: e.HasNull, values: e.Values}
	switch e.X.Type().Payload() {
	case column.PayloadI64:
		in.ints = make(map[int64]struct{}, e.Values.Len)
		for _, k := range e.Values.I64 {
			in.ints[k] = struct{}{}
		}
	case column.PayloadF64:
		in.floats = make(map[float64]struct{}, e.Values.Len)
		for _, k := range e.Values.F64 {
			in.floats[k] = struct{}{}
		}
	case column.PayloadStr:
		in.strs = make(map[string]struct{}, e.Values.Len)
		for _, k := range e.Values.Str {
			in.strs[k] = struct{}{}
		}
	default:
		in.nested = make(map[uint64][]int32, e.Values.Len)
		for i := range e.Values.Len {
			h := fn.HashAt(e.Values, i)
			in.nested[h] = append(in.nested[h], int32(i))
		}
	}
	return in
}

func (e *inExpr) eval(w *worker, f *frame) (*column.Vector, error) {
	v, err := e.x.eval(w, f)
	if err != nil {
		return nil, err
	}
	v = flat(v)
	rows := f.n
	if v.Const {
		rows = 1
	}
	out := column.New(column.BooleanType, rows)
	switch {
	case e.ints != nil:
		for i, x := range v.I64[:rows] {
			_, ok := e.ints[x]
			out.I64[i] = bit(ok)
		}
	case e.floats != nil:
		for i, x := range v.F64[:rows] {
			_, ok := e.floats[x]
			out.I64[i] = bit(ok)
		}
	case e.strs != nil:
		for i, x := range v.Str[:rows] {
			_, ok := e.strs[x]
			out.I64[i] = bit(ok)
		}
	default:
		for i := range rows {
			if v.IsNull(i) {
				continue
			}
			for _, k := range e.nested[fn.HashAt(v, i)] {
				if fn.EqualAt(v, i, e.values, int(k)) {
					out.I64[i] = 1
					break
				}
			}
		}
	}
	for i, x := range out.I64 {
		if v.IsNull(i) || x == 0 && e.hasNull {
			out.SetNull(i)
		}
	}
	if v.Const {
		return column.NewConst(out, f.n), nil
	}
	return out, nil
}

// like compiles LIKE to the function of that name.
func (c *compiler) like(e *plan.Like, in slots) expr {
	name := "like"
	if e.Fold {
		name = "ilike"
	}
	args := []expr{c.expr(e.X, in), c.expr(e.Pattern, in)}
	types := []*column.Type{column.VarcharType, column.VarcharType}
	if e.Escape != nil {
		args = append(args, c.expr(e.Escape, in))
		types = append(types, column.VarcharType)
	}
	b, err := fn.LookupScalar(name).Bind(types)
	if err != nil {
		panic(err)
	}
	return newCall(name, b, args, e.Place)
}
